/* service.h — The use cases: push a flow, start an execution, kill one. Any thread.
 *
 * Each takes the principal and decides here whether he may. Calls return after the commit. */
#pragma once
#include "files/files.h"
#include "journal/runner/runner.h"
#include "service/bus.h"
#include "service/exec_cache.h"
#include "store/flow_cache.h"
#include "service/principal.h"
#include "service/world.h"
#include "store/store.h"

/* A key of a namespace. Borrowed. */
struct bt_kv_name {
    const char *namespace;
    struct bt_str key;
};

/* All borrowed. Only `runner` and `files` are needed to start executions. */
struct bt_service {
    struct bt_runner *runner;
    struct bt_files *files;
    struct bt_store *store;
    struct bt_flow_cache *flows;
    struct bt_exec_cache *execs;
    struct bt_bus *bus;
    struct bt_server_world *world; /* Reads key-values. */
    const struct bt_vault *vault;  /* Opens what is sealed. */
};

/* --- Flows ------------------------------------------------------------------------------------ */

struct bt_flow_push {
    struct bt_str source;
    enum bt_put put;
    struct bt_str namespace, id; /* What the source must be about; empty: anything. */
    struct bt_diags *diags;      /* All that is wrong with the source. */
};
/* Checks and stores a flow. BT_INVALID: see the diagnostics; BT_EXISTS, BT_NOT_FOUND by `put`. On
 * success *ret_flow is owned and has its revision. */
int bt_service_put_flow(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_flow_push *push, struct bt_flow **ret_flow,
                        struct bt_err *err);
int bt_service_delete_flow(struct bt_service *service, const struct bt_principal *principal,
                           struct bt_str namespace, struct bt_str id, struct bt_err *err);
struct bt_found_flow {
    struct bt_flow *flow; /* Owned. */
    bool is_deleted;
};
/* A stored revision, compiled; the tenant of the key is the principal's. The newest of a deleted
 * flow is found too. */
int bt_service_flow(struct bt_service *service, const struct bt_principal *principal,
                    const struct bt_flow_key *key, struct bt_found_flow *ret_found,
                    struct bt_err *err);
/* The same, but a deleted flow is BT_NOT_FOUND. *ret_flow is owned. */
int bt_service_live_flow(struct bt_service *service, const struct bt_principal *principal,
                         const struct bt_flow_key *key, struct bt_flow **ret_flow,
                         struct bt_err *err);
/* The revision that an execution runs, be the flow deleted or not. *ret_flow is owned. */
int bt_service_flow_of(struct bt_service *service, const struct bt_principal *principal,
                       const struct bt_exec *exec, struct bt_flow **ret_flow, struct bt_err *err);
/* Receives flows; borrows. A negative result ends it and is returned. */
struct bt_found_sink {
    int (*each)(void *data, const struct bt_found_flow *found);
    void *data;
};
/* The newest revisions by namespace and id. */
int bt_service_flows(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_flow_query *query, const struct bt_found_sink *sink,
                     struct bt_err *err);
/* All revisions, oldest first. */
int bt_service_revisions(struct bt_service *service, const struct bt_principal *principal,
                         const struct bt_flow_key *key, const struct bt_found_sink *sink,
                         struct bt_err *err);

/* --- Executions ------------------------------------------------------------------------------- */

/* A file given as an input. */
struct bt_input_file {
    const char *input; /* Id of a FILE input. */
    const char *path;  /* On this machine; or only its name, with `fd`. */
    int fd;            /* An open file, borrowed; 0: `path` is opened. */
};

struct bt_start_request {
    struct bt_id id;               /* Of the execution; empty: a new one is made. */
    const struct bt_flow *flow;    /* A stored revision. */
    const struct bt_value *inputs; /* Map of texts or native values by input id, or NULL. */
    const struct bt_value *labels; /* Map of texts, or NULL. */
    const struct bt_input_file *files;
    size_t file_count;
    int64_t schedule_us; /* Not to begin before; 0: at once. */
};
struct bt_start_result {
    uint64_t key;
    struct bt_id id;
};
/* Resolves the inputs and creates the execution. BT_INVALID names the first wrong input. */
int bt_service_start(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_start_request *request, struct bt_start_result *ret_result,
                     struct bt_err *err);
/* Asks that an execution ends; returns when that is durable. */
int bt_service_kill(struct bt_service *service, const struct bt_principal *principal, uint64_t key,
                    struct bt_err *err);
/* --- Executions that have ended (exec_edit.c) ------------------------------------------------- */

/* Merges labels (map of texts) by key. BT_CONFLICT: it has not ended. */
int bt_service_label(struct bt_service *service, const struct bt_principal *principal, uint64_t key,
                     const struct bt_value *labels, struct bt_err *err);
/* [{key, value}, …] as a map; pairs without both are left out. BT_INVALID: no such list, or a label
 * that only the system may set. */
int bt_service_read_labels(const struct bt_value *pairs, struct bt_value **ret_labels,
                           struct bt_err *err);
/* Removes executions with their rows, logs and (unless keeps_files) files; those that have not
 * ended are killed first. What another call has removed meanwhile counts as removed. */
struct bt_exec_ref {
    uint64_t key;
    struct bt_id id;
    char namespace[160], flow_id[112];
    enum bt_state state;
    bool is_drained;
};
typedef struct {
    struct bt_exec_ref *items;
    size_t count, cap;
} bt_exec_refs; /* Filled with bt_vec_push(), emptied with bt_vec_done(). */
int bt_service_drop(struct bt_service *service, const struct bt_principal *principal,
                    const bt_exec_refs *refs, bool keeps_files, struct bt_err *err);
/* Removes all log lines of one that has ended and of which nothing runs; else BT_CONFLICT. */
int bt_service_drop_logs(struct bt_service *service, const struct bt_exec *exec,
                         struct bt_err *err);
/* Kills those that have not ended. */
int bt_service_kill_all(struct bt_service *service, const struct bt_principal *principal,
                        const bt_exec_refs *refs, struct bt_err *err);
/* Those that match; BT_LIMIT beyond BT_BULK_MAX. */
int bt_service_pick(struct bt_service *service, const struct bt_principal *principal,
                    const struct bt_exec_query *query, bt_exec_refs *refs, struct bt_err *err);

/* By public id; *ret_exec is owned. */
int bt_service_exec(struct bt_service *service, const struct bt_principal *principal,
                    struct bt_str id, struct bt_exec **ret_exec, struct bt_err *err);
/* Appends one with all its task runs as clients see it, whole. */
int bt_service_exec_text(struct bt_service *service, const struct bt_principal *principal,
                         struct bt_str id, struct bt_buf *out, struct bt_err *err);
/* Appends one task run as clients see it. */
int bt_service_run_json(struct bt_service *service, const struct bt_exec *exec, uint32_t n,
                        struct bt_buf *out, struct bt_err *err);
enum bt_exec_form {
    BT_EXEC_LIGHT, /* A row of a list: no task runs, inputs, outputs, variables, metadata. */
    BT_EXEC_HEAD,  /* All but its task runs. */
    BT_EXEC_WHOLE,
};
/* Appends the execution as clients see it, from `{` up to before `}`. */
int bt_service_exec_json(struct bt_service *service, const struct bt_exec *exec,
                         enum bt_exec_form form, struct bt_buf *out, struct bt_err *err);
/* Receives lines, each as JSON or text, with its number within the execution; borrows. A negative
 * result ends it and is returned. */
struct bt_line_sink {
    int (*each)(void *data, struct bt_str text, uint64_t line);
    void *data;
};
/* The matching lines in order. */
struct bt_log_filter {
    uint32_t levels;               /* Bit per enum bt_level; 0: all. */
    struct bt_str run_id, task_id; /* Empty: all. */
    int attempt;                   /* 0-based; -1: all. */
    uint64_t first_line;
    bool is_text;           /* "time LEVEL message" a line, instead of JSON. */
    int64_t from_us, to_us; /* Of the line; 0: open. */
    struct bt_str words;    /* All must be in the message, whatever the case of letters. */
};
/* Whether a message has every word of a list. */
bool bt_log_has_words(struct bt_str text, struct bt_str words);
int bt_service_logs(struct bt_service *service, const struct bt_exec *exec,
                    const struct bt_log_filter *filter, const struct bt_line_sink *sink,
                    struct bt_err *err);

/* Lines of many executions (log_search.c), those of the newest first. */
struct bt_log_search {
    struct bt_exec_query of; /* Of which flows; sort and page do not matter. */
    struct bt_log_filter lines;
    uint64_t skip, limit;
};
/* Appends {"results":[…],"total":N}: counted until so many executions or lines were looked at, then
 * with "totalIsCapped":true. */
int bt_service_log_search(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_log_search *search, struct bt_buf *out,
                          struct bt_err *err);

/* --- Key-values (kv.c) ------------------------------------------------------------------------ */

/* What a put wants: a map as engine/namespace/namespace.h has it, without `op`: key, value, type,
 * ttlUs, description, overwrite, ifRevision. Borrowed. */
struct bt_kv_put {
    const char *namespace;
    const struct bt_value *request;
};
/* BT_EXISTS, BT_CONFLICT: what it asked for (overwrite, ifRevision) does not hold. */
int bt_service_kv_put(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_kv_put *put, uint32_t *ret_revision, struct bt_err *err);
/* *ret_was_there: whether there was one that had not expired. */
int bt_service_kv_delete(struct bt_service *service, const struct bt_principal *principal,
                         struct bt_kv_name name, bool *ret_was_there, struct bt_err *err);
/* BT_NOT_FOUND; an expired one is given (bt_kv_is_expired()), for the caller to say so. */
int bt_service_kv_get(struct bt_service *service, const struct bt_principal *principal,
                      struct bt_kv_name name, struct bt_kv **ret_kv, struct bt_err *err);
/* All that begin with the query's prefix, by key, expired ones too. */
int bt_service_kv_list(struct bt_service *service, const struct bt_principal *principal,
                       const char *namespace, const struct bt_kv_query *query, struct bt_err *err);

/* A copy of outputs (of an execution of this namespace) with its secrets in plain, for one who may
 * see them. What cannot be opened stays sealed. */
int bt_service_reveal(struct bt_service *service, const struct bt_principal *principal,
                      const char *namespace, const struct bt_value *value,
                      struct bt_value **ret_value);
