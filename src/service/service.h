/* service.h — The use cases: push a flow, start an execution, kill one. Any thread.
 *
 * Each takes the principal and decides here whether he may. Calls return after the commit. */
#pragma once
#include "files/files.h"
#include "journal/runner/runner.h"
#include "service/principal.h"

struct bt_service {
    struct bt_runner *runner; /* Borrowed. */
    struct bt_files *files;   /* Borrowed. */
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
