/* journal.h — Where the state of actors is kept: what a runner reads, and what one commit writes.
 *
 * A commit is atomic and durable: all of a batch or nothing of it. One runner (one thread) uses a
 * journal. Functions return BT_OK or an error; after a failed commit nothing of the batch may be
 * assumed, and the runner reloads. Implementations: sqlite/ (one machine), and test/sim's model. */
#pragma once
#include "engine/execution/event.h"
#include "engine/namespace/kv.h"
#include "store/logs/logs.h"

struct bt_timer {
    uint64_t exec;
    uint32_t taskrun;
    enum bt_timer_kind kind;
    int64_t due_us;
};

struct bt_job_row {
    uint64_t exec;
    uint32_t taskrun;
    uint64_t token;
};

struct bt_event_row {
    uint64_t id; /* Order of arrival. */
    uint64_t exec;
    struct bt_event event; /* Owned by whoever holds the row. */
};

struct bt_flow_row {
    const char *tenant, *namespace, *id;
    uint32_t revision;
    struct bt_str source;
    int64_t created_us;
    bool is_deleted; /* This revision says that the flow is gone. */
};

struct bt_run_row {
    uint64_t exec;
    const struct bt_taskrun *run;
    const char *task_id;
};

/* A task run by its number. */
struct bt_run_place {
    uint64_t exec;
    uint32_t n;
};

struct bt_values_row {
    uint64_t exec;
    uint32_t taskrun;
    const struct bt_value *values;
};

/* A key-value as it is from now on. */
struct bt_kv_row {
    struct bt_kv_place place;
    struct bt_str key;
    const struct bt_kv *kv; /* NULL: removed. */
};

/* Everything that one commit writes. All borrowed. */
struct bt_batch {
    int64_t now_us; /* The batch's time; the next start's time is not before it. */
    const struct bt_exec *const *execs;
    size_t exec_count;
    const struct bt_run_row *runs;
    size_t run_count;
    const struct bt_values_row *values;
    size_t values_count;
    const struct bt_timer *timers_set; /* Replaces one of the same execution, run and kind. */
    size_t timers_set_count;
    const struct bt_timer *timers_clear; /* Applied before timers_set. */
    size_t timers_clear_count;
    const struct bt_job_row *jobs_set;
    size_t jobs_set_count;
    const struct bt_job_row *jobs_clear; /* Applied before jobs_set, by execution, run and token. */
    size_t jobs_clear_count;
    const struct bt_event_row *events_put;
    size_t events_put_count;
    const uint64_t *events_drop;
    size_t events_drop_count;
    const uint64_t *log_drops; /* Executions without their log lines: applied before chunks. */
    size_t log_drop_count;
    const struct bt_log_chunk *chunks;
    size_t chunk_count;
    const struct bt_flow_row *flows;
    size_t flow_count;
    const struct bt_kv_row *kvs;
    size_t kv_count;
    const struct bt_run_place *run_drops; /* Task runs that are no more; applied before `runs`. */
    size_t run_drop_count;
    const uint64_t *drops; /* Executions that are no more, with all their rows: applied last. */
    size_t drop_count;
};

/* Executions made by the Subflows of one that have not ended and drained, by key. */
struct bt_children_query {
    uint64_t super, from; /* Behind `from`. */
    size_t limit;
    int (*each)(void *data, uint64_t key);
    void *data;
};

struct bt_bad_query {
    uint64_t exec;
    uint32_t task, parent;
    int (*each)(void *data, struct bt_taskrun *run); /* Takes the run. */
    void *data;
};

struct bt_runs_query {
    uint64_t exec;
    uint32_t from_n, limit;
    int (*each)(void *data, struct bt_taskrun *run); /* Takes the run. */
    void *data;
};

#define BT_ALL_PARENTS UINT32_MAX

struct bt_journal;
struct bt_journal_ops {
    int (*commit)(struct bt_journal *journal, const struct bt_batch *batch, struct bt_err *err);
    /* Rows; BT_NOT_FOUND when there is none. Results are owned by the caller. */
    int (*exec)(struct bt_journal *journal, uint64_t key, struct bt_exec **ret_exec,
                struct bt_err *err);
    int (*exec_key)(struct bt_journal *journal, const char *tenant, struct bt_str id,
                    uint64_t *ret_key, struct bt_err *err);
    int (*taskrun)(struct bt_journal *journal, uint64_t exec, uint32_t n,
                   struct bt_taskrun **ret_run, struct bt_err *err);
    /* The newest run of a task under a parent with an iteration value (empty: none). */
    int (*find)(struct bt_journal *journal, uint64_t exec, uint32_t task, uint32_t parent,
                struct bt_str value, struct bt_taskrun **ret_run, struct bt_err *err);
    /* Calls `each` (takes the run) for all runs of a task under a parent (or BT_ALL_PARENTS), by
     * number. */
    int (*list)(struct bt_journal *journal, uint64_t exec, uint32_t task, uint32_t parent,
                int (*each)(void *data, struct bt_taskrun *run), void *data, struct bt_err *err);
    /* The same for those that FAILED, were KILLED or CANCELLED. */
    int (*bad)(struct bt_journal *journal, const struct bt_bad_query *query, struct bt_err *err);
    /* Task runs by number, from one on. */
    int (*runs)(struct bt_journal *journal, const struct bt_runs_query *query, struct bt_err *err);
    int (*values)(struct bt_journal *journal, uint64_t exec, uint32_t n,
                  struct bt_value **ret_values, struct bt_err *err);
    /* Timers due at or before `now_us`, earliest first, at most *count; *ret_next_us: the due time
     * of the first one after them, INT64_MAX for none. */
    int (*due)(struct bt_journal *journal, int64_t now_us, struct bt_timer *timers, size_t *count,
               int64_t *ret_next_us, struct bt_err *err);
    /* All timers of one execution. */
    int (*timers_of)(struct bt_journal *journal, uint64_t exec,
                     int (*each)(void *data, const struct bt_timer *timer), void *data,
                     struct bt_err *err);
    /* At start: everything that is on its way. `each` takes the event's content. */
    int (*events)(struct bt_journal *journal, int (*each)(void *data, struct bt_event_row *row),
                  void *data, struct bt_err *err);
    int (*jobs)(struct bt_journal *journal, int (*each)(void *data, const struct bt_job_row *row),
                void *data, struct bt_err *err);
    /* Keys of the executions that have not ended and drained, oldest first. */
    int (*live)(struct bt_journal *journal, int (*each)(void *data, uint64_t key), void *data,
                struct bt_err *err);
    int (*children)(struct bt_journal *journal, const struct bt_children_query *query,
                    struct bt_err *err);
    /* Executions that hold a slot of their flow (named by `of`), or wait for one, by key. */
    int (*slots)(struct bt_journal *journal, const struct bt_exec *of,
                 int (*each)(void *data, uint64_t key, enum bt_slot slot), void *data,
                 struct bt_err *err);
    /* Executions of a flow that have not ended. */
    int (*running)(struct bt_journal *journal, const struct bt_exec *of,
                   int (*each)(void *data, uint64_t key), void *data, struct bt_err *err);
    int (*last_key)(struct bt_journal *journal, uint64_t *ret_key, struct bt_err *err);
    /* The time of the last commit, 0 before the first. */
    int (*last_now)(struct bt_journal *journal, uint64_t *ret_now_us, struct bt_err *err);
    /* Lines logged so far by an execution. */
    int (*log_lines)(struct bt_journal *journal, uint64_t exec, uint64_t *ret_lines,
                     struct bt_err *err);
    /* A revision's source (revision 0: the latest), as an owned STRING. The latest of a deleted
     * flow has a revision but no source (NULL). */
    int (*flow)(struct bt_journal *journal, const char *tenant, const char *namespace,
                const char *id, uint32_t *revision, struct bt_value **ret_source,
                struct bt_err *err);
    /* A key-value of a namespace, expired or not. */
    int (*kv)(struct bt_journal *journal, struct bt_kv_place place, struct bt_str key,
              struct bt_kv **ret_kv, struct bt_err *err);
    /* Calls `each` (borrows the row) for the keys that begin with `prefix`, by key. */
    int (*kv_list)(struct bt_journal *journal, struct bt_kv_place place,
                   const struct bt_kv_query *query, struct bt_err *err);
    void (*close)(struct bt_journal *journal);
};

/* Implementations embed this first. */
struct bt_journal {
    const struct bt_journal_ops *ops;
};
