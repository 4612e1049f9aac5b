/* store.h — The read model: what lists, pages and the API read. Never writes.
 *
 * Answers come from committed state only. Any thread; a call may block on the disk. Strings in rows
 * are owned by the row. Implementations: sqlite/ (the journal's own tables). */
#pragma once
#include "engine/execution/rows.h"
#include "store/logs/logs.h"

struct bt_stored_flow {
    char *namespace, *id; /* Owned. */
    uint32_t revision;
    bool is_deleted;
    int64_t updated_us;
    struct bt_value *source; /* STRING, owned; NULL when it was not asked for. */
};
void bt_stored_flow_done(struct bt_stored_flow *flow);

struct bt_flow_key {
    const char *tenant;
    struct bt_str namespace, id;
    uint32_t revision; /* 0: the newest, which may be a deletion. */
};

/* Receives flows one by one; takes the row's content. A negative result ends it and is returned. */
struct bt_flow_sink {
    int (*each)(void *data, struct bt_stored_flow *flow);
    void *data;
};

/* Which flows: the newest revision of each. */
struct bt_flow_query {
    const char *tenant;
    struct bt_str namespace; /* Empty: all. */
    bool is_exact;           /* Not its children. */
    bool has_deleted;
    bool has_source;
};

/* A condition on the flow of an execution. */
struct bt_flow_cond {
    enum bt_flow_field { BT_FIELD_NAMESPACE, BT_FIELD_FLOW } field;
    enum bt_cond_op {
        BT_OP_IS,     /* Equal, whatever the case of letters. */
        BT_OP_BELOW,  /* The namespace itself, or one of its children. */
        BT_OP_STARTS, /* The rest looks at letters as they are. */
        BT_OP_ENDS,
        BT_OP_CONTAINS,
    } op;
    bool is_negated;
    struct bt_str text;
    uint32_t any; /* Of conditions with the same number one is enough; all numbers must hold. */
};
bool bt_flow_conds_hold(const struct bt_flow_cond *conds, size_t count, struct bt_str namespace,
                        struct bt_str id);
/* The namespace itself or a child of it, whatever the case of letters. */
bool bt_namespace_is_below(struct bt_str name, struct bt_str namespace);

struct bt_flow_name {
    struct bt_str namespace, id;
};

/* Which executions. Empty strings and NULLs do not filter. */
struct bt_exec_query {
    const char *tenant;
    struct bt_str namespace; /* This one and its children; exact with a flow. */
    struct bt_str flow_id;
    struct bt_str text; /* Words, each the beginning of one in namespace, flow, id. */
    const struct bt_flow_cond *conds;
    size_t cond_count;
    const struct bt_flow_name *flows; /* Only these; NULL: all. */
    size_t flow_count;
    uint32_t states;                  /* Bit per enum bt_state; 0: all. */
    int64_t from_us, to_us;           /* Of the start, both included; 0: open. */
    const struct bt_value *labels;    /* Map of texts; all must be there. */
    const struct bt_value *no_labels; /* Map of texts; none may be there. */
    struct bt_str parent;             /* Started by the execution of this id. */
    enum bt_exec_child { BT_CHILD_ANY, BT_CHILD_ONLY, BT_CHILD_NONE } child; /* Started by one? */
    enum bt_exec_sort {
        BT_SORT_START,
        BT_SORT_END, /* Executions that have not ended stand behind, also with duration. */
        BT_SORT_DURATION,
        BT_SORT_ID,
        BT_SORT_NAMESPACE,
        BT_SORT_FLOW,
        BT_SORT_STATE,
    } sort;
    bool is_ascending;
    uint64_t skip, limit;
};

struct bt_log_query {
    uint64_t exec;
    uint32_t levels;     /* Bit per enum bt_level; 0: all. */
    uint64_t first_line; /* Lines before it are left out. */
};

struct bt_exec_sink {
    int (*each)(void *data, struct bt_exec *exec); /* Takes the execution. */
    void *data;
};

struct bt_total {
    int64_t count;  /* All that match, beyond the page. */
    bool is_capped; /* There are at least so many. */
};

/* What a chart shows: how many executions, or task runs, started when and are in which state. */
struct bt_stat {
    int64_t from_us;                 /* Begin of the minute, hour or day (UTC). */
    const char *namespace, *flow_id; /* Borrowed; NULL: of all flows together. */
    enum bt_state state;
    int64_t count;
    int64_t sum_us, min_us, max_us; /* Durations of those that have ended. */
};
struct bt_stat_query {
    const struct bt_exec_query *of; /* Of which flows (names, text), states and times. Periods that
                                       the times cut are counted whole. */
    enum bt_stat_unit { BT_UNIT_MINUTE, BT_UNIT_HOUR, BT_UNIT_DAY } unit;
    bool by_flow;
    bool is_runs; /* Task runs; by day only. */
};
struct bt_stat_sink {
    int (*each)(void *data, const struct bt_stat *stat); /* Borrows. Several of one kind add up. */
    void *data;
};

/* Metrics of the task runs of a flow that have ended. */
struct bt_metric_of {
    const char *tenant;
    struct bt_str namespace, flow_id;
    struct bt_str task_id;  /* Empty: of all tasks. */
    struct bt_str name;     /* For sums. */
    int64_t from_us, to_us; /* For sums: of the end; hours that they cut are whole. */
};
struct bt_metric_name_sink {
    int (*each)(void *data, const char *task_id, const char *name); /* Borrows. */
    void *data;
};
/* Values of one task that ended within an hour. Least and greatest are bounds once executions were
 * removed. */
struct bt_metric_sum {
    int64_t from_us; /* Begin of the hour. */
    int64_t count;
    double sum, least, greatest;
};
struct bt_metric_sink {
    int (*each)(void *data, const struct bt_metric_sum *sum); /* Borrows. Several add up. */
    void *data;
};

/* Task runs of an execution by number. */
struct bt_run_query {
    uint64_t exec;
    uint32_t from_n, limit;
};

/* The first run of a task that is in a state. */
struct bt_first_query {
    uint64_t exec;
    uint32_t task;
    enum bt_state state;
};

/* The task runs right below one, or below the execution. */
struct bt_child_query {
    uint64_t exec;
    uint32_t parent;         /* Its number; 0: the execution. */
    struct bt_str parent_id; /* Or its id; looked for among all of the execution. */
    uint64_t skip, limit;
};

/* Lines that were logged within an hour or a day, or some of them. */
struct bt_line_stat {
    int64_t from_us; /* Within that hour or day. */
    int64_t counts[BT_LEVEL_COUNT];
};
struct bt_line_stat_sink {
    int (*each)(void *data, const struct bt_line_stat *stat); /* Borrows. Several add up. */
    void *data;
};

struct bt_run_sink {
    int (*each)(void *data, const struct bt_taskrun *run, const char *task_id); /* Borrows. */
    void *data;
};

struct bt_log_sink {
    /* Borrows. `line`: its number within the execution. */
    int (*each)(void *data, uint64_t line, const struct bt_log_entry *entry);
    void *data;
};

struct bt_store;
struct bt_store_ops {
    int (*flow)(struct bt_store *store, const struct bt_flow_key *key,
                struct bt_stored_flow *ret_flow, struct bt_err *err);
    /* By namespace and id. */
    int (*flows)(struct bt_store *store, const struct bt_flow_query *query,
                 const struct bt_flow_sink *sink, struct bt_err *err);
    /* All revisions, oldest first. */
    int (*revisions)(struct bt_store *store, const struct bt_flow_key *key,
                     const struct bt_flow_sink *sink, struct bt_err *err);
    int (*exec)(struct bt_store *store, const char *tenant, struct bt_str id,
                struct bt_exec **ret_exec, struct bt_err *err);
    int (*runs)(struct bt_store *store, const struct bt_run_query *query,
                const struct bt_run_sink *sink, struct bt_err *err);
    /* *ret_run is owned; NULL: there is none. */
    int (*first_run)(struct bt_store *store, const struct bt_first_query *query,
                     struct bt_taskrun **ret_run, struct bt_err *err);
    /* By its public id, looked for among all of the execution. BT_NOT_FOUND; *ret_run is owned. */
    int (*run)(struct bt_store *store, uint64_t exec, struct bt_str id, struct bt_taskrun **ret_run,
               struct bt_err *err);
    /* By number; *ret_total: all of the parent's. BT_NOT_FOUND: no such parent. */
    int (*children)(struct bt_store *store, const struct bt_child_query *query,
                    const struct bt_run_sink *sink, int64_t *ret_total, struct bt_err *err);
    int (*execs)(struct bt_store *store, const struct bt_exec_query *query,
                 const struct bt_exec_sink *sink, struct bt_total *ret_total, struct bt_err *err);
    /* The newest `query->limit` of each of the query's flows, newest first; by flow. */
    int (*latest)(struct bt_store *store, const struct bt_exec_query *query,
                  const struct bt_exec_sink *sink, struct bt_err *err);
    int (*stats)(struct bt_store *store, const struct bt_stat_query *query,
                 const struct bt_stat_sink *sink, struct bt_err *err);
    /* Each metric of each task once, by task and name. Nothing of a flow that is not known. */
    int (*metric_names)(struct bt_store *store, const struct bt_metric_of *of,
                        const struct bt_metric_name_sink *sink, struct bt_err *err);
    int (*metric_sums)(struct bt_store *store, const struct bt_metric_of *of,
                       const struct bt_metric_sink *sink, struct bt_err *err);
    /* Log lines of flows (names, text) and times; hours that they cut are whole. Of the query the
     * unit matters, hour or day. */
    int (*log_counts)(struct bt_store *store, const struct bt_stat_query *query,
                      const struct bt_line_stat_sink *sink, struct bt_err *err);
    /* Lines in order. */
    int (*logs)(struct bt_store *store, const struct bt_log_query *query,
                const struct bt_log_sink *sink, struct bt_err *err);
    void (*close)(struct bt_store *store);
};

/* Implementations embed this first. */
struct bt_store {
    const struct bt_store_ops *ops;
};

/* Over a database file that a journal writes; `logs` is borrowed. */
int bt_store_sqlite(const char *path, struct bt_logs *logs, struct bt_store **ret_store,
                    struct bt_err *err);
