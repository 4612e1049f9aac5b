/* service.c — Use cases over the runner and the files. */
#include "service/given_int.h"

#include "engine/execution/create.h"

#include "base/own.h"
#include "sys/random.h"

static int check_labels(const struct bt_value *labels, struct bt_err *err)
{
    for (size_t i = 0; i < bt_value_count(labels); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *val = bt_map_at(labels, i, &key);
        if (bt_str_starts(bt_value_str(key), BT_STR("system.")) &&
            !bt_str_is(bt_value_str(key), "system.correlationId"))
            return bt_fail(err, BT_INVALID,
                           "System labels can only be set by Kestra itself, offending label: "
                           "%.*s=%.*s",
                           BT_FMT(bt_value_str(key)), BT_FMT(bt_value_str(val)));
    }
    return BT_OK;
}

static void name_exec(struct bt_exec *exec, const struct bt_principal *principal,
                      const struct bt_flow *flow)
{
    (void)snprintf(exec->tenant, sizeof exec->tenant, "%s", principal->tenant); /* Checked sizes. */
    (void)snprintf(exec->namespace, sizeof exec->namespace, "%s", flow->namespace);
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "%s", flow->id);
    exec->id =
        bt_id_make(bt_clock_wall_us(bt_clock_system()) / 1000, bt_random_u64(), bt_random_u64());
}

static int fill_exec(struct bt_service *service, const struct bt_start_request *request,
                     struct bt_exec *exec, struct bt_err *err)
{
    const struct given given = {.exec = exec,
                                .folder = "inputs",
                                .set = bt_flow_inputs(request->flow),
                                .inputs = request->inputs,
                                .files = request->files,
                                .file_count = request->file_count};
    BT_VALUE named = NULL;
    BT_TRY(check_labels(request->labels, err));
    BT_TRY(given_name(service, &given, &named, err));
    BT_TRY(bt_exec_fill(exec, request->flow,
                        &(struct bt_new_exec){.inputs = named, .labels = request->labels}, err));
    exec->schedule_us = request->schedule_us;
    return given_store(service, &given, named, err); /* Last, so that nothing is left behind. */
}

/* Files of an execution that was never created. What cannot be deleted is the sweeper's. */
static void drop_files(struct bt_service *service, const struct bt_exec *exec)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(4096), uri = BT_BUF_INIT(8192);
    if (given_folder(exec, "", &path) == BT_OK && bt_files_uri(bt_buf_str(&path), &uri) == BT_OK)
        (void)bt_files_delete_tree(service->files, exec->tenant, bt_buf_str(&uri), NULL);
}

int bt_service_start(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_start_request *request, struct bt_start_result *ret_result,
                     struct bt_err *err)
{
    if (request->flow->is_disabled)
        return bt_fail(err, BT_CONFLICT, "the flow '%s' is disabled", request->flow->id);
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = bt_exec_new();
    if (!exec)
        return bt_fail_mem(err, "execution");
    name_exec(exec, principal, request->flow);
    if (request->id.text[0])
        exec->id = request->id;
    int rc = fill_exec(service, request, exec, err);
    if (rc < 0) {
        if (request->file_count)
            drop_files(service, exec);
        return rc;
    }
    struct bt_id id = exec->id;
    struct bt_reply *reply = bt_reply_new();
    if (!reply)
        return bt_fail_mem(err, "execution");
    rc = bt_runner_create(service->runner, BT_TAKE(exec), reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    if (rc == BT_OK)
        *ret_result = (struct bt_start_result){bt_reply_number(reply), id};
    bt_reply_free(reply);
    return rc;
}

int bt_service_kill(struct bt_service *service, const struct bt_principal *principal, uint64_t key,
                    struct bt_err *err)
{
    (void)principal; /* The only principal is the person at this machine. */
    struct bt_reply *reply = bt_reply_new();
    if (!reply)
        return bt_fail_mem(err, "kill");
    int rc = bt_runner_kill(service->runner, key, reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    bt_reply_free(reply);
    return rc;
}
