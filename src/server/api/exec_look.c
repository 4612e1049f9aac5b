/* exec_look.c — Looking at an execution: expressions in its context, its flow; and what a dialog
 * needs that starts one. Translation only. */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "server/router.h"
#include "service/look.h"
#include "service/shape.h"

/* --- Expressions ------------------------------------------------------------------------------ */

/* {"result": …} or {"error": …}, always 200. */
static int give_result(struct bt_request *request, const struct bt_value *text,
                       const struct bt_err *error, struct bt_err *err)
{
    BT_VALUE body = bt_map_new(2);
    int rc = BT_OK;
    if (text) {
        rc = bt_map_puts(body, "result", bt_value_ref(text));
    } else {
        rc |= bt_map_puts(body, "error", bt_value_cstr(error->msg));
        rc |= bt_map_puts(body, "stackTrace", bt_value_cstr(error->msg));
    }
    return rc < 0 ? bt_fail_mem(err, "the answer") : bt_respond_json(request, BT_TAKE(body), err);
}

static int eval(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE text = NULL;
    struct bt_err error = BT_ERR_INIT;
    struct bt_look_request look = {.exec_id = request->params[0],
                                   .run_id = request->params[1],
                                   .expression = bt_buf_str(&request->body)};
    int rc = bt_service_look(request->service, &request->principal, &look, &text, &error);
    if (rc < 0) {
        *err = error;
        return rc;
    }
    return give_result(request, text, &error, err);
}

/* --- The flow --------------------------------------------------------------------------------- */

static int give_brief(struct bt_request *request, const struct bt_flow *flow, bool is_deleted,
                      struct bt_err *err)
{
    struct bt_value *value = NULL;
    BT_TRY(bt_shape_flow_brief(flow, is_deleted, &value, err));
    return bt_respond_json(request, value, err);
}

static int flow_of_exec(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    BT_TRY(bt_service_flow_of(request->service, &request->principal, exec, &flow, err));
    return give_brief(request, flow, false, err);
}

static int flow_to_run(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_flow_key key = {.namespace = request->params[0], .id = request->params[1]};
    BT_TRY(bt_query_revision(request, &key.revision, err));
    BT_TRY(bt_service_live_flow(request->service, &request->principal, &key, &flow, err));
    return give_brief(request, flow, false, err);
}

/* --- For the dialog --------------------------------------------------------------------------- */

static int add_namespace(void *data, const struct bt_found_flow *found)
{
    struct bt_value *list = data;
    size_t count = bt_value_count(list);
    if (count && bt_str_is(bt_value_str(bt_list_at(list, count - 1)), found->flow->namespace))
        return BT_OK;
    return bt_list_push(list, bt_value_cstr(found->flow->namespace));
}

static int namespaces(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(0);
    if (!list)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_service_flows(request->service, &request->principal, &(struct bt_flow_query){0},
                            &(struct bt_found_sink){add_namespace, list}, err));
    return bt_respond_json(request, BT_TAKE(list), err);
}

static int add_brief(void *data, const struct bt_found_flow *found)
{
    struct bt_value *value = NULL;
    BT_TRY(bt_shape_flow_brief(found->flow, found->is_deleted, &value, NULL));
    return bt_list_push(data, value);
}

static int flows_to_run(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(0);
    struct bt_flow_query query = {.namespace = request->params[0], .is_exact = true};
    if (!list)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_service_flows(request->service, &request->principal, &query,
                            &(struct bt_found_sink){add_brief, list}, err));
    return bt_respond_json(request, BT_TAKE(list), err);
}

/* --- The latest ------------------------------------------------------------------------------- */

struct latest {
    struct bt_request *request;
    size_t count;
    struct bt_err *err;
};

static int add_latest(void *data, struct bt_exec *exec)
{
    struct latest *latest = data;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *taken = exec;
    struct bt_buf *out = &latest->request->response.body;
    if (latest->count++)
        (void)bt_buf_addc(out, ','); /* Checked at the end. */
    BT_TRY(bt_service_exec_json(latest->request->service, taken, BT_EXEC_HEAD, out, latest->err));
    return bt_buf_addc(out, '}');
}

/* The newest execution of each flow of the body. */
static int latest(struct bt_request *request, struct bt_err *err)
{
    enum { FLOWS_MAX = 1000 };
    struct latest state = {request, 0, err};
    struct bt_store *store = request->service->store;
    BT_VALUE body = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    if (!bt_value_is(body, BT_KIND_LIST) || bt_value_count(body) > FLOWS_MAX)
        return bt_fail(err, BT_INVALID, "the body must be a list of {namespace, id}, at most %d",
                       FLOWS_MAX);
    (void)bt_buf_addc(&request->response.body, '['); /* Checked at the end. */
    for (size_t i = 0; i < bt_value_count(body); i++) {
        const struct bt_value *item = bt_list_at(body, i);
        struct bt_total total;
        struct bt_exec_query query = {.tenant = request->principal.tenant,
                                      .namespace = bt_map_str(item, "namespace"),
                                      .flow_id = bt_map_str(item, "id"),
                                      .limit = 1};
        if (!query.flow_id.len)
            query.flow_id = bt_map_str(item, "flowId");
        if (!query.namespace.len || !query.flow_id.len)
            return bt_fail(err, BT_INVALID, "each item needs a namespace and an id");
        BT_TRY(store->ops->execs(store, &query, &(struct bt_exec_sink){add_latest, &state}, &total,
                                 err));
    }
    (void)bt_buf_addc(&request->response.body, ']');
    return bt_respond_text(request, "application/json", err);
}

static const struct bt_param revision_queries[] = {
    {"revision", "integer", "Of the flow; the newest by default"},
    {0},
};

#define JSON "application/json"

const struct bt_route bt_routes_exec_look[] = {
    {BT_POST, "/executions/{executionId}/eval/{taskRunId}", eval, 0, "evalTaskRunExpression",
     "Executions", "Render an expression as a task run sees it", "text/plain", "EvalResult", NULL},
    {BT_POST, "/executions/{executionId}/eval", eval, 0, "evalExpression", "Executions",
     "Render an expression as the execution sees it", "text/plain", "EvalResult", NULL},
    {BT_GET, "/executions/{executionId}/flow", flow_of_exec, 0, "getFlowFromExecutionById",
     "Executions", "Get the flow that an execution runs", NULL, "FlowForExecution", NULL},
    {BT_GET, "/executions/flows/{namespace}/{flowId}", flow_to_run, 0, "getFlowFromExecution",
     "Executions", "Get a flow, to run it", NULL, "FlowForExecution", revision_queries},
    {BT_GET, "/executions/namespaces", namespaces, 0, "listExecutableDistinctNamespaces",
     "Executions", "List the namespaces with flows to run", NULL, "Strings", NULL},
    {BT_GET, "/executions/namespaces/{namespace}/flows", flows_to_run, 0,
     "listFlowExecutionsByNamespace", "Executions", "List the flows to run of a namespace", NULL,
     "FlowsForExecution", NULL},
    {BT_POST, "/executions/latest", latest, 0, "getLatestExecutions", "Executions",
     "Get the newest execution of each of some flows", JSON " FlowIds", "Executions", NULL},
    {0},
};
