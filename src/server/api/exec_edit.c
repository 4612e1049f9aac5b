/* exec_edit.c — Labels, kills and deletes of executions, one by one and in bulk: translation only.
 */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "server/api/find.h"
#include "server/router.h"
#include "service/shape.h"

#include <stdio.h>

static struct bt_exec_ref ref_of(const struct bt_exec *exec)
{
    struct bt_exec_ref ref = {
        .key = exec->key, .id = exec->id, .state = exec->state, .is_drained = exec->is_drained};
    (void)snprintf(ref.namespace, sizeof ref.namespace, "%s", exec->namespace); /* Same sizes. */
    (void)snprintf(ref.flow_id, sizeof ref.flow_id, "%s", exec->flow_id);
    return ref;
}

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
    struct bt_exec_ref ref = ref_of(exec);
    const bt_exec_refs refs = {&ref, 1, 1};
    BT_TRY(bt_service_drop(request->service, &request->principal, &refs, !has_files, err));
    return bt_respond(request, 204);
}

/* --- Bulk ------------------------------------------------------------------------------------- */

/* What a bulk call does. */
struct bulk {
    const char *verb;
    /* Why an execution cannot take it, or NULL. */
    const char *(*refuse)(const struct bulk *bulk, const struct bt_exec_ref *ref);
    int (*act)(const struct bulk *bulk, struct bt_request *request, const bt_exec_refs *refs,
               struct bt_err *err);
    bool takes_running; /* Delete: those that have not ended, too. */
    bool keeps_files;
    const struct bt_value *labels;
};

static int check(const struct bulk *bulk, const struct bt_exec_ref *ref,
                 struct bt_invalids *invalids, struct bt_err *err)
{
    const char *why = bulk->refuse(bulk, ref);
    return why ? bt_invalids_add(invalids, why, "execution", bt_id_str(&ref->id), err) : BT_OK;
}

/* Executions by their ids, each once. */
static int find_ids(const struct bulk *bulk, struct bt_request *request, const struct bt_value *ids,
                    bt_exec_refs *refs, struct bt_invalids *invalids)
{
    BT_VALUE seen = bt_map_new(bt_value_count(ids));
    for (size_t i = 0; seen && i < bt_value_count(ids); i++) {
        BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
        struct bt_str id = bt_value_str(bt_list_at(ids, i));
        struct bt_err err = BT_ERR_INIT;
        if (bt_map_get(seen, id))
            continue;
        if (bt_map_put(seen, id, bt_value_bool(true)) < 0)
            return BT_NO_MEM;
        int rc = bt_service_exec(request->service, &request->principal, id, &exec, &err);
        if (rc == BT_NOT_FOUND)
            rc = bt_invalids_add(invalids, "execution not found", "execution", id, &err);
        BT_TRY(rc);
        if (!exec)
            continue;
        bt_vec_push(refs, ref_of(exec));
        BT_TRY(check(bulk, &refs->items[refs->count - 1], invalids, &err));
    }
    return seen ? BT_OK : BT_NO_MEM;
}

/* All or nothing: one that cannot take it stops the whole call. */
static int finish(const struct bulk *bulk, struct bt_request *request, const bt_exec_refs *refs,
                  struct bt_invalids *invalids, struct bt_err *err)
{
    if (invalids->list)
        return bt_respond_invalids(request, bulk->verb, invalids, err);
    BT_TRY(bulk->act(bulk, request, refs, err));
    return bt_respond_count(request, refs->count, err);
}

static int by_ids(const struct bulk *bulk, struct bt_request *request, const struct bt_value *ids,
                  struct bt_err *err)
{
    bt_exec_refs refs = {0};
    struct bt_invalids invalids = {0};
    bool is_list = bt_value_is(ids, BT_KIND_LIST);
    for (size_t i = 0; is_list && i < bt_value_count(ids); i++)
        is_list = bt_value_is(bt_list_at(ids, i), BT_KIND_STRING);
    if (!is_list || bt_value_count(ids) > BT_BULK_MAX)
        return bt_fail(err, BT_INVALID, "the body must be a list of at most %u ids", BT_BULK_MAX);
    int rc = find_ids(bulk, request, ids, &refs, &invalids);
    if (rc < 0)
        rc = bt_fail(err, (enum bt_code)rc, "the executions cannot be read");
    else
        rc = finish(bulk, request, &refs, &invalids, err);
    bt_value_unref(invalids.list);
    bt_vec_done(&refs);
    return rc;
}

static int by_query(const struct bulk *bulk, struct bt_request *request, struct bt_err *err)
{
    bt_exec_refs refs = {0};
    struct bt_invalids invalids = {0};
    struct bt_find find = {0};
    int rc = bt_find_strictly(request, &find, err);
    if (rc == BT_OK)
        rc = bt_service_pick(request->service, &request->principal, &find.query, &refs, err);
    for (size_t i = 0; rc == BT_OK && i < refs.count; i++)
        rc = check(bulk, &refs.items[i], &invalids, err);
    if (rc == BT_OK)
        rc = finish(bulk, request, &refs, &invalids, err);
    bt_find_done(&find);
    bt_value_unref(invalids.list);
    bt_vec_done(&refs);
    return rc;
}

/* --- Bulk: delete ----------------------------------------------------------------------------- */

static const char *refuse_delete(const struct bulk *bulk, const struct bt_exec_ref *ref)
{
    return bulk->takes_running || bt_state_is_ended(ref->state)
               ? NULL
               : "execution not in a terminated state";
}

static int act_delete(const struct bulk *bulk, struct bt_request *request, const bt_exec_refs *refs,
                      struct bt_err *err)
{
    return bt_service_drop(request->service, &request->principal, refs, bulk->keeps_files, err);
}

static int read_delete(struct bt_request *request, struct bulk *bulk, struct bt_err *err)
{
    bool has_files;
    *bulk = (struct bulk){.verb = "delete", .refuse = refuse_delete, .act = act_delete};
    BT_TRY(bt_query_bool(request, "includeNonTerminated", false, &bulk->takes_running, err));
    BT_TRY(bt_query_bool(request, "deleteStorage", true, &has_files, err));
    bulk->keeps_files = !has_files;
    return BT_OK;
}

static int delete_ids(struct bt_request *request, struct bt_err *err)
{
    struct bulk bulk;
    BT_VALUE body = NULL;
    BT_TRY(read_delete(request, &bulk, err));
    BT_TRY(bt_body_json(request, &body, err));
    return by_ids(&bulk, request, body, err);
}

static int delete_query(struct bt_request *request, struct bt_err *err)
{
    struct bulk bulk;
    BT_TRY(read_delete(request, &bulk, err));
    return by_query(&bulk, request, err);
}

/* --- Bulk: kill ------------------------------------------------------------------------------- */

static const char *refuse_kill(const struct bulk *bulk, const struct bt_exec_ref *ref)
{
    (void)bulk;
    return bt_state_is_ended(ref->state) ? "execution already finished" : NULL;
}

static int act_kill(const struct bulk *bulk, struct bt_request *request, const bt_exec_refs *refs,
                    struct bt_err *err)
{
    (void)bulk;
    return bt_service_kill_all(request->service, &request->principal, refs, err);
}

static const struct bulk bulk_kill = {.verb = "kill", .refuse = refuse_kill, .act = act_kill};

static int kill_ids(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE body = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    return by_ids(&bulk_kill, request, body, err);
}

static int kill_query(struct bt_request *request, struct bt_err *err)
{
    return by_query(&bulk_kill, request, err);
}

/* --- Bulk: labels ----------------------------------------------------------------------------- */

static const char *refuse_labels(const struct bulk *bulk, const struct bt_exec_ref *ref)
{
    (void)bulk;
    return bt_state_is_ended(ref->state) ? NULL : "execution is not terminated";
}

static int act_labels(const struct bulk *bulk, struct bt_request *request, const bt_exec_refs *refs,
                      struct bt_err *err)
{
    for (size_t i = 0; i < refs->count; i++)
        BT_TRY(bt_service_label(request->service, &request->principal, refs->items[i].key,
                                bulk->labels, err));
    return BT_OK;
}

static const struct bulk bulk_labels = {
    .verb = "set labels", .refuse = refuse_labels, .act = act_labels};

static int labels_ids(struct bt_request *request, struct bt_err *err)
{
    struct bulk bulk = bulk_labels;
    BT_VALUE body = NULL, *labels = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    BT_TRY(bt_service_read_labels(bt_map_gets(body, "executionLabels"), &labels, err));
    bulk.labels = labels;
    return by_ids(&bulk, request, bt_map_gets(body, "executionsId"), err);
}

static int labels_query(struct bt_request *request, struct bt_err *err)
{
    struct bulk bulk = bulk_labels;
    BT_VALUE body = NULL, *labels = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    BT_TRY(bt_service_read_labels(body, &labels, err));
    bulk.labels = labels;
    return by_query(&bulk, request, err);
}

#define FILTERS                                                                                    \
    {"q", "string", "Words"}, {"namespace", "string", "This namespace and its children"},          \
        {"flowId", "string", "Of the flow"}, {"state", "string[]", "One of these states"},         \
        {"startDate", "date-time", "Started not before"},                                          \
        {"endDate", "date-time", "Started not after"},                                             \
        {"timeRange", "duration", "Started within this time before now"},                          \
    {                                                                                              \
        "labels", "string[]", "key:value"                                                          \
    }
#define STORAGE                                                                                    \
    {                                                                                              \
        "deleteStorage", "boolean", "Their files too (default true)"                               \
    }
#define RUNNING                                                                                    \
    {                                                                                              \
        "includeNonTerminated", "boolean", "Those that have not ended: killed first"               \
    }

static const struct bt_param filter_queries[] = {FILTERS, {0}};
static const struct bt_param label_queries[] = {BT_PARAM_TASK_RUNS, {0}};
static const struct bt_param delete_queries[] = {STORAGE, {0}};
static const struct bt_param delete_ids_queries[] = {STORAGE, RUNNING, {0}};
static const struct bt_param delete_filter_queries[] = {FILTERS, STORAGE, RUNNING, {0}};

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
