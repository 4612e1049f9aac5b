/* sim.h — One simulated world: engine, runner and journal are the real ones; clock, workers, order
 * of events and faults come from a seed. The same seed is the same run, byte for byte. */
#pragma once
#include "base/vec.h"
#include "journal/runner/runner.h"
#include "journal/sqlite/sqlite.h"

enum fault {
    FAULT_CRASH,        /* Engine and workers die; late words of the dead workers may still come. */
    FAULT_COMMIT_FAILS, /* A commit writes nothing and says so. */
    FAULT_COMMIT_UNKNOWN, /* A commit is written, but its answer is lost. */
    FAULT_RESULT_TWICE,   /* A worker reports twice. */
    FAULT_RESULT_LATE,    /* A word from an attempt that was lost. */
    FAULT_CLOCK_JUMP,     /* The wall clock jumps, forwards or back. */
    FAULT_KILL,           /* Somebody kills an execution. */
    FAULT_RESTART,        /* Somebody restarts one that has ended. */
    FAULT_REPLAY,         /* Somebody replays one from the beginning or from a task run. */
    FAULT_HOLD,           /* Somebody pauses one, and resumes it some time. */
    FAULT_COUNT,
};

struct seen_run {
    uint32_t n, task, parent;
    enum bt_state state;
    uint32_t history_count;
    bool is_copied; /* By a replay. */
};

/* What was committed of one execution, as the listener heard it. */
struct seen_exec {
    uint64_t key;
    size_t flow;
    uint64_t super;
    bool was_killed, is_drained;
    bool was_touched; /* Restarted or a replay: it may end otherwise. */
    enum bt_state state;
    uint32_t history_count;
    BT_VEC(struct seen_run) runs; /* By n - 1. */
};

struct world {
    uint64_t seed;
    bool is_verbose;
    struct bt_rng rng;
    int64_t wall_us, mono_us;
    struct bt_clock clock;
    struct bt_db db;
    struct bt_logs *logs;
    char logs_dir[64];
    struct bt_journal journal; /* Injects faults; first member of nothing: see world.c. */
    struct bt_journal *inner;
    struct bt_runner *runner;
    enum fault next_commit_fault; /* FAULT_COUNT: none. */
    BT_VEC(struct bt_flow *) flows;
    BT_VEC(char *) sources;
    BT_VEC(struct bt_job *) jobs;   /* Out at workers. */
    BT_VEC(struct bt_job *) ghosts; /* Their workers are dead, or they were reported already. */
    BT_VEC(struct seen_exec) execs;
    size_t faults[FAULT_COUNT];
    size_t commits, events, questions;
    uint64_t trace;      /* Hash of everything that was committed. */
    BT_VEC(char *) last; /* The last lines, for a failure's report. */
};

/* --- generate.c ------------------------------------------------------------------------------- */

/* A random flow: nested flowables, jobs, failures, retries, sleeps. Owned text. */
char *generate_flow(struct bt_rng *rng, size_t number);

/* --- world.c ---------------------------------------------------------------------------------- */

void world_init(struct world *world, uint64_t seed, bool is_verbose);
void world_done(struct world *world);
void world_start_runner(struct world *world);
void world_crash(struct world *world);
void world_create(struct world *world, size_t flow);
/* Finishes one job that is out; its result follows from the task, the value and the attempt. */
void world_finish_job(struct world *world, size_t index, bool is_twice);
/* A result of a dead worker's attempt. */
void world_finish_ghost(struct world *world, size_t index);
bool world_turn(struct world *world, int64_t *ret_wake_us);
void world_note(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints the seed, the last lines and the command that repeats it; ends the program with 1. */
_Noreturn void world_fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- logs.c ----------------------------------------------------------------------------------- */

void world_logs_open(struct world *world);
void world_logs_close(struct world *world);
/* Some lines of an attempt. */
void world_log(struct world *world, const struct bt_job *job);
/* Each chunk's row against the chunk's lines. */
void check_chunks(struct world *world);

/* --- sim.c ------------------------------------------------------------------------------------ */

/* No more faults: everything must come to its end. */
void world_quiet(struct world *world);

/* --- drops.c ---------------------------------------------------------------------------------- */

/* Removes all executions, after check_end(): nothing may stay, and nothing may stay counted. */
void world_drop(struct world *world);

/* --- check.c ---------------------------------------------------------------------------------- */

/* Listener: every committed change against what was committed before. */
void check_changes(void *world, const struct bt_change *changes, size_t count);
/* A job is given out: no other attempt of its run may be live. */
void check_submit(struct world *world, const struct bt_job *job);
/* After the quiet: everything has ended, nothing is left. */
void check_end(struct world *world);
/* The final state of a flow without faults, for comparison. */
enum bt_state check_reference(const struct world *world, size_t flow);
/* The counters of lists and charts are what a recount gives. */
void check_counters(struct world *world);
int64_t count_rows(struct world *world, const char *sql);
