/* read_int.h — What the parts of the SQLite read model share. Stays in this room. */
#pragma once
#include "store/sqlite/db.h"
#include "store/store.h"

#include <pthread.h>

struct reader {
    struct reader *next;
    struct bt_db db;
};

struct sqlite_store {
    struct bt_store store;
    char *path;
    struct bt_logs *logs;
    pthread_mutex_t lock;
    struct reader *idle; /* Connections that nobody uses. */
};

/* A connection for one call; given back afterwards with all statements reset. */
int store_take(struct sqlite_store *self, struct reader **ret_reader, struct bt_err *err);
void store_give(struct sqlite_store *self, struct reader *reader);

/* Columns: namespace, id, revision, is_deleted, time, source (NULL: not asked for). */
int each_flow_row(struct bt_db *db, sqlite3_stmt *statement, const struct bt_flow_sink *sink,
                  struct bt_err *err);
/* list.c */
int list_flows(struct bt_store *store, const struct bt_flow_query *query,
               const struct bt_flow_sink *sink, struct bt_err *err);
int list_execs(struct bt_store *store, const struct bt_exec_query *query,
               const struct bt_exec_sink *sink, struct bt_total *ret_total, struct bt_err *err);
int list_latest(struct bt_store *store, const struct bt_exec_query *query,
                const struct bt_exec_sink *sink, struct bt_err *err);
/* charts.c */
int read_stats(struct bt_store *store, const struct bt_stat_query *query,
               const struct bt_stat_sink *sink, struct bt_err *err);
/* runs.c */
int read_runs(struct bt_store *store, const struct bt_run_query *query,
              const struct bt_run_sink *sink, struct bt_err *err);
int read_first_run(struct bt_store *store, const struct bt_first_query *query,
                   struct bt_taskrun **ret_run, struct bt_err *err);
int read_run(struct bt_store *store, uint64_t exec, struct bt_str id, struct bt_taskrun **ret_run,
             struct bt_err *err);
int read_children(struct bt_store *store, const struct bt_child_query *query,
                  const struct bt_run_sink *sink, int64_t *ret_total, struct bt_err *err);
/* metrics.c */
int read_metric_names(struct bt_store *store, const struct bt_metric_of *of,
                      const struct bt_metric_name_sink *sink, struct bt_err *err);
int read_metric_sums(struct bt_store *store, const struct bt_metric_of *of,
                     const struct bt_metric_sink *sink, struct bt_err *err);
/* log_counts.c */
int read_log_counts(struct bt_store *store, const struct bt_stat_query *query,
                    const struct bt_line_stat_sink *sink, struct bt_err *err);
