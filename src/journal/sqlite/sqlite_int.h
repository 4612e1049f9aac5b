/* sqlite_int.h — Shared by the two halves of the SQLite journal. */
#pragma once
#include "base/limits.h"
#include "base/map64.h"
#include "journal/sqlite/sqlite.h"

struct sqlite_journal {
    struct bt_journal base; /* First. */
    struct bt_db *db;       /* Borrowed. */
    struct bt_buf record;   /* The text of the row being written. */
    struct bt_map64 flows;  /* Hash of a flow's names → chain of struct flow_key; owned. */
    /* Of the batch that is written: */
    struct bt_map64 execs;   /* Executions of it: their rows before and after. */
    struct bt_map64 rolls;   /* Changes of counters; owned. */
    struct bt_map64 metrics; /* Of metrics: hash → chain of struct metric; owned. */
    struct bt_map64 lines;   /* Of log lines: hash → chain of struct lines; owned. */
    int64_t last_key;        /* Rows after it are new. */
};

/* An execution of the batch. */
struct known_exec {
    int64_t flow;
    bool is_new; /* So are its task runs. */
};

int sqlite_commit(struct bt_journal *journal, const struct bt_batch *batch, struct bt_err *err);

/* executions.c: rows of executions and task runs, and all that is found by. */
int exec_begin(struct sqlite_journal *self, struct bt_err *err);
int exec_put(struct sqlite_journal *self, const struct bt_exec *exec, struct bt_err *err);
/* Removes an execution with all its rows. */
/* Removes a task run, with what it counted. */
int run_drop(struct sqlite_journal *self, const struct bt_run_place *place, struct bt_err *err);
int exec_drop(struct sqlite_journal *self, uint64_t key, struct bt_err *err);
int run_put(struct sqlite_journal *self, const struct bt_run_row *row, struct bt_err *err);
/* An execution of the batch or of the table; *ret_known NULL: there is none. Borrowed. */
int exec_known(struct sqlite_journal *self, uint64_t key, struct known_exec **ret_known,
               struct bt_err *err);
/* After a batch; `is_committed` false: nothing that was learnt from it holds. */
void exec_end(struct sqlite_journal *self, bool is_committed);

/* rollups.c: counters, added up in memory and written once a batch. */
struct roll_row {
    int64_t flow, start_us;
    enum bt_state state;
    int64_t duration_us; /* -1: it has not ended. */
};
/* `sign`: 1 a row comes, -1 it goes. */
void roll_exec(struct sqlite_journal *self, const struct roll_row *row, int sign);
void roll_run(struct sqlite_journal *self, const struct roll_row *row, int sign);
int roll_write(struct sqlite_journal *self, struct bt_err *err);
void roll_clear(struct sqlite_journal *self);

/* metrics.c: counters of the metrics of ended task runs, likewise. */
struct metric_run {
    const struct bt_taskrun *run;
    struct bt_str task_id;
    int64_t flow;
};
/* Does nothing with a run that has not ended. */
void metric_run(struct sqlite_journal *self, const struct metric_run *of, int sign);
int metric_write(struct sqlite_journal *self, struct bt_err *err);
void metric_clear(struct sqlite_journal *self);

/* lines.c: index rows of log chunks, and counters of their lines, likewise. */
int chunk_put(struct sqlite_journal *self, const struct bt_log_chunk *chunk, struct bt_err *err);
/* Takes the lines of an execution out of the counters. */
int chunks_uncount(struct sqlite_journal *self, uint64_t exec, int64_t flow, struct bt_err *err);
/* And the rows with them. */
int chunks_drop(struct sqlite_journal *self, uint64_t exec, struct bt_err *err);
int lines_write(struct sqlite_journal *self, struct bt_err *err);
void lines_clear(struct sqlite_journal *self);
