/* exec_edit.c — Labels, kills and deletes of executions, one by one and in bulk: translation only.
 */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "server/api/bulk.h"
#include "server/router.h"
#include "service/shape.h"

#include <stdio.h>

static int load(struct bt_request *request, struct bt_exec **ret_exec, struct bt_err *err)
{
    return bt_service_exec(request->service, &request->principal, request->params[0], ret_exec,
                           err);
}

/* --- One -------------------------------------------------------------------------------------- */

static int label_one(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_VALUE body = NULL, *labels = NULL;
    int64_t most; /* Refused before anything is changed. */
    BT_TRY(load(request, &exec, err));
    BT_TRY(bt_most_runs_of(request, &most, err));
    BT_TRY(bt_body_json(request, &body, err));
    BT_TRY(bt_service_read_labels(body, &labels, err));
    int rc = bt_service_label(request->service, &request->principal, exec->key, labels, err);
    if (rc == BT_CONFLICT)
        return bt_fail(err, BT_INVALID, "Bad Request: execution is not terminated");
    BT_TRY(rc);
    exec = bt_exec_free(exec);
    BT_TRY(load(request, &exec, err));
    BT_TRY(bt_write_exec(request, exec, err));
    (void)bt_buf_addc(&request->response.body, '}'); /* Checked next. */
    return bt_respond_text(request, "application/json", err);
}

static int delete_one(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    bool has_files;
    BT_TRY(bt_query_bool(request, "deleteStorage", true, &has_files, err));
    BT_TRY(load(request, &exec, err));
    struct bt_exec_ref ref = bt_bulk_ref(exec);
    const bt_exec_refs refs = {&ref, 1, 1};
    BT_TRY(bt_service_drop(request->service, &request->principal, &refs, !has_files, err));
    return bt_respond(request, 204);
}

/* --- Bulk: delete ----------------------------------------------------------------------------- */

static const char *refuse_delete(const struct bt_bulk *bulk, const struct bt_exec_ref *ref)
{
    return bulk->delete.takes_running || bt_state_is_ended(ref->state)
               ? NULL
               : "execution not in a terminated state";
}

static int act_delete(const struct bt_bulk *bulk, struct bt_request *request,
                      const bt_exec_refs *refs, struct bt_err *err)
{
    return bt_service_drop(request->service, &request->principal, refs, bulk->delete.keeps_files,
                           err);
}

static int read_delete(struct bt_request *request, struct bt_bulk *bulk, struct bt_err *err)
{
    bool has_files;
    *bulk = (struct bt_bulk){.verb = "delete", .refuse = refuse_delete, .act = act_delete};
    BT_TRY(bt_query_bool(request, "includeNonTerminated", false, &bulk->delete.takes_running, err));
    BT_TRY(bt_query_bool(request, "deleteStorage", true, &has_files, err));
    bulk->delete.keeps_files = !has_files;
    return BT_OK;
}

static int delete_ids(struct bt_request *request, struct bt_err *err)
{
    struct bt_bulk bulk;
    BT_VALUE body = NULL;
    BT_TRY(read_delete(request, &bulk, err));
    BT_TRY(bt_body_json(request, &body, err));
    return bt_bulk_ids(&bulk, request, body, err);
}

static int delete_query(struct bt_request *request, struct bt_err *err)
{
    struct bt_bulk bulk;
    BT_TRY(read_delete(request, &bulk, err));
    return bt_bulk_query(&bulk, request, err);
}

/* --- Bulk: kill ------------------------------------------------------------------------------- */

static const char *refuse_kill(const struct bt_bulk *bulk, const struct bt_exec_ref *ref)
{
    (void)bulk;
    return bt_state_is_ended(ref->state) ? "execution already finished" : NULL;
}

static int act_kill(const struct bt_bulk *bulk, struct bt_request *request,
                    const bt_exec_refs *refs, struct bt_err *err)
{
    (void)bulk;
    return bt_service_kill_all(request->service, &request->principal, refs, err);
}

static const struct bt_bulk bulk_kill = {.verb = "kill", .refuse = refuse_kill, .act = act_kill};

static int kill_ids(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE body = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    return bt_bulk_ids(&bulk_kill, request, body, err);
}

static int kill_query(struct bt_request *request, struct bt_err *err)
{
    return bt_bulk_query(&bulk_kill, request, err);
}

/* --- Bulk: labels ----------------------------------------------------------------------------- */

static const char *refuse_labels(const struct bt_bulk *bulk, const struct bt_exec_ref *ref)
{
    (void)bulk;
    return bt_state_is_ended(ref->state) ? NULL : "execution is not terminated";
}

static int act_labels(const struct bt_bulk *bulk, struct bt_request *request,
                      const bt_exec_refs *refs, struct bt_err *err)
{
    for (size_t i = 0; i < refs->count; i++)
        BT_TRY(bt_service_label(request->service, &request->principal, refs->items[i].key,
                                bulk->labels, err));
    return BT_OK;
}

static const struct bt_bulk bulk_labels = {
    .verb = "set labels", .refuse = refuse_labels, .act = act_labels};

static int labels_ids(struct bt_request *request, struct bt_err *err)
{
    struct bt_bulk bulk = bulk_labels;
    BT_VALUE body = NULL, *labels = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    BT_TRY(bt_service_read_labels(bt_map_gets(body, "executionLabels"), &labels, err));
    bulk.labels = labels;
    return bt_bulk_ids(&bulk, request, bt_map_gets(body, "executionsId"), err);
}

static int labels_query(struct bt_request *request, struct bt_err *err)
{
    struct bt_bulk bulk = bulk_labels;
    BT_VALUE body = NULL, *labels = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    BT_TRY(bt_service_read_labels(body, &labels, err));
    bulk.labels = labels;
    return bt_bulk_query(&bulk, request, err);
}

#define STORAGE                                                                                    \
    {                                                                                              \
        "deleteStorage", "boolean", "Their files too (default true)"                               \
    }
#define RUNNING                                                                                    \
    {                                                                                              \
        "includeNonTerminated", "boolean", "Those that have not ended: killed first"               \
    }

static const struct bt_param filter_queries[] = {BT_PARAM_FILTERS, {0}};
static const struct bt_param label_queries[] = {BT_PARAM_TASK_RUNS, {0}};
static const struct bt_param delete_queries[] = {STORAGE, {0}};
static const struct bt_param delete_ids_queries[] = {STORAGE, RUNNING, {0}};
static const struct bt_param delete_filter_queries[] = {BT_PARAM_FILTERS, STORAGE, RUNNING, {0}};

#define JSON "application/json"

const struct bt_route bt_routes_exec_edit[] = {
    {BT_DELETE, "/executions/{executionId}", delete_one, 0, "deleteExecution", "Executions",
     "Delete an execution; one that has not ended is killed first", NULL, NULL, delete_queries},
    {BT_DELETE, "/executions/by-ids", delete_ids, 0, "deleteExecutionsByIds", "Executions",
     "Delete executions", JSON " Strings", "Count", delete_ids_queries},
    {BT_DELETE, "/executions/by-query", delete_query, 0, "deleteExecutionsByQuery", "Executions",
     "Delete the executions that match", NULL, "Count", delete_filter_queries},
    {BT_DELETE, "/executions/kill/by-ids", kill_ids, 0, "killExecutionsByIds", "Executions",
     "Kill executions", JSON " Strings", "Count", NULL},
    {BT_DELETE, "/executions/kill/by-query", kill_query, 0, "killExecutionsByQuery", "Executions",
     "Kill the executions that match", NULL, "Count", filter_queries},
    {BT_POST, "/executions/{executionId}/labels", label_one, 0, "setLabelsOnTerminatedExecution",
     "Executions", "Merge labels into those of an ended execution", JSON " Labels", "Execution",
     label_queries},
    {BT_POST, "/executions/labels/by-ids", labels_ids, 0, "setLabelsOnTerminatedExecutionsByIds",
     "Executions", "Merge labels into those of ended executions", JSON " LabelsByIds", "Count",
     NULL},
    {BT_POST, "/executions/labels/by-query", labels_query, 0,
     "setLabelsOnTerminatedExecutionsByQuery", "Executions",
     "Merge labels into those of the executions that match", JSON " Labels", "Count",
     filter_queries},
    {0},
};
