/* service.h — The use cases: push a flow, start an execution, kill one. Any thread.
 *
 * Each takes the principal and decides here whether he may. Calls return after the commit. */
#pragma once
#include "files/files.h"
#include "journal/runner/runner.h"
#include "service/principal.h"
#include "service/world.h"

/* A key of a namespace. Borrowed. */
struct bt_kv_name {
    const char *namespace;
    struct bt_str key;
};

struct bt_service {
    struct bt_runner *runner;      /* Borrowed. */
    struct bt_files *files;        /* Borrowed. */
    struct bt_server_world *world; /* Borrowed: reads key-values. */
    const struct bt_vault *vault;  /* Borrowed: opens what is sealed. */
};

/* Checks and stores a flow. All that is wrong is in *diags (BT_INVALID). On success *ret_flow is
 * owned and has its revision. */
int bt_service_push_flow(struct bt_service *service, const struct bt_principal *principal,
                         struct bt_str source, struct bt_flow **ret_flow, struct bt_diags *diags,
                         struct bt_err *err);

/* A file given as an input. */
struct bt_input_file {
    const char *input; /* Id of a FILE input. */
    const char *path;  /* On this machine. */
};

struct bt_start_request {
    struct bt_id id;               /* Of the execution; empty: a new one is made. */
    const struct bt_flow *flow;    /* A stored revision. */
    const struct bt_value *inputs; /* Map of texts or native values by input id, or NULL. */
    const struct bt_value *labels; /* Map of texts, or NULL. */
    const struct bt_input_file *files;
    size_t file_count;
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
