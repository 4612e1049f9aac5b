/* flow_look.c — Parts and pictures of flows, and the checking of sources: translation only. */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "model/flow_text.h"
#include "server/api/flow_query.h"
#include "server/router.h"
#include "service/flow_check.h"
#include "service/flow_many.h"
#include "service/graph.h"
#include "service/shape.h"
#include "service/topology.h"

static int find_flow(struct bt_request *request, struct bt_flow **ret_flow, struct bt_err *err)
{
    struct bt_flow_key key = {.namespace = request->params[0], .id = request->params[1]};
    BT_TRY(bt_query_revision(request, &key.revision, err));
    return bt_service_live_flow(request->service, &request->principal, &key, ret_flow, err);
}

/* --- A task ----------------------------------------------------------------------------------- */

static int task(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_TRY(find_flow(request, &flow, err));
    const struct bt_value *found = bt_flow_tree_task(flow->tree, request->params[2]);
    if (!found)
        return bt_fail(err, BT_NOT_FOUND, "%s", "");
    return bt_respond_json(request, bt_value_ref(found), err);
}

static int put_task(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_VALUE body = NULL;
    struct bt_value *value = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    BT_TRY(bt_body_json(request, &body, err));
    struct bt_task_put put = {.key = {.namespace = request->params[0], .id = request->params[1]},
                              .task_id = request->params[2],
                              .task = body,
                              .diags = &diags};
    int rc = bt_service_put_task(request->service, &request->principal, &put, &flow, err);
    if (rc < 0 && diags.errors)
        rc = bt_respond_violations(request, &diags, err);
    else if (rc == BT_OK)
        rc = bt_shape_flow(flow, false, false, &value, err);
    bt_diags_done(&diags);
    return value ? bt_respond_json(request, value, err) : rc;
}

/* --- Pictures --------------------------------------------------------------------------------- */

static int graph(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_value *value = NULL;
    BT_TRY(find_flow(request, &flow, err));
    BT_TRY(bt_service_flow_graph(flow, &value, err));
    return bt_respond_json(request, value, err);
}

static int graph_of_source(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_value *value = NULL;
    int rc = bt_flow_parse(bt_buf_str(&request->body), &flow, &diags);
    if (rc == BT_NO_MEM)
        (void)bt_fail_mem(err, "flow");
    else if (rc < 0)
        rc = bt_respond_violations(request, &diags, err);
    else
        rc = bt_service_flow_graph(flow, &value, err);
    bt_diags_done(&diags);
    return value ? bt_respond_json(request, value, err) : rc;
}

static int graph_of_exec(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_value *value = NULL;
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    BT_TRY(bt_service_flow_of(request->service, &request->principal, exec, &flow, err));
    BT_TRY(bt_service_exec_graph(request->service, exec, flow, &value, err));
    return bt_respond_json(request, value, err);
}

static int dependencies(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_value *value = NULL;
    struct bt_topology_query query = {.namespace = request->params[0], .id = request->params[1]};
    BT_TRY(bt_query_bool(request, "destinationOnly", false, &query.is_downstream, err));
    BT_TRY(bt_query_bool(request, "expandAll", false, &query.is_whole, err));
    BT_TRY(find_flow(request, &flow, err));
    BT_TRY(bt_service_topology(request->service, &request->principal, &query, &value, err));
    return bt_respond_json(request, value, err);
}

static int space_dependencies(struct bt_request *request, struct bt_err *err)
{
    struct bt_value *value = NULL;
    struct bt_topology_query query = {.namespace = request->params[0]};
    BT_TRY(bt_query_bool(request, "destinationOnly", false, &query.is_downstream, err));
    BT_TRY(bt_service_topology(request->service, &request->principal, &query, &value, err));
    return bt_respond_json(request, value, err);
}

/* --- Words in sources ------------------------------------------------------------------------- */

struct searching {
    struct bt_value *list;
    struct bt_str text;
    uint64_t skip, limit;
    int64_t total;
};

static int search_one(void *data, const struct bt_found_flow *found)
{
    struct searching *searching = data;
    BT_VALUE fragments = NULL, *item = bt_map_new(2);
    struct bt_value *model = NULL;
    BT_TRY(bt_flow_fragments(found->flow, searching->text, &fragments));
    if (!fragments)
        return BT_OK;
    uint64_t at = (uint64_t)searching->total++;
    if (at < searching->skip || at - searching->skip >= searching->limit)
        return BT_OK;
    BT_TRY(bt_shape_flow(found->flow, false, false, &model, NULL));
    if (bt_map_puts(item, "model", model) < 0 ||
        bt_map_puts(item, "fragments", BT_TAKE(fragments)) < 0)
        return BT_NO_MEM;
    return bt_list_push(searching->list, BT_TAKE(item));
}

static int search_source(struct bt_request *request, struct bt_err *err)
{
    struct bt_paging paging;
    struct bt_flow_find find;
    BT_VALUE list = bt_list_new(0);
    BT_TRY(bt_paging_of(request, &paging, err));
    int rc = bt_flow_find_of(request, false, &find, err);
    struct searching searching = {.list = list,
                                  .text = find.filter.text,
                                  .skip = bt_paging_skip(&paging),
                                  .limit = (uint64_t)paging.size};
    find.filter.text = BT_STR_NONE; /* The words are looked for in the source. */
    if (rc == BT_OK)
        rc = bt_service_find_flows(request->service, &request->principal, &find.filter,
                                   &(struct bt_found_sink){search_one, &searching}, err);
    bt_flow_find_done(&find);
    if (rc == BT_NO_MEM)
        return bt_fail_mem(err, "the answer");
    BT_TRY(rc);
    return bt_respond_page(request, BT_TAKE(list), searching.total, err);
}

/* --- Validation ------------------------------------------------------------------------------- */

static int validate(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(1);
    struct bt_str document = BT_STR(""), body = bt_buf_str(&request->body);
    int64_t index = 0;
    bool is_more = true;
    for (size_t at = 0; list && is_more;) {
        struct bt_value *check = NULL;
        is_more = bt_flow_text_next(body, &at, &document);
        if (!is_more && index) /* An empty text is one empty document. */
            break;
        if (bt_service_check_flow(request->service, &request->principal,
                                  is_more ? document : BT_STR(""), index++, &check) < 0 ||
            bt_list_push(list, check) < 0)
            return bt_fail_mem(err, "the answer");
    }
    return bt_respond_json(request, BT_TAKE(list), err);
}

static int check_part(struct bt_request *request, bool is_trigger, struct bt_err *err)
{
    struct bt_value *check = NULL;
    if (bt_service_check_part(bt_buf_str(&request->body), is_trigger, &check) < 0)
        return bt_fail_mem(err, "the answer");
    return bt_respond_json(request, check, err);
}

static int validate_task(struct bt_request *request, struct bt_err *err)
{
    struct bt_str section = bt_query(request, "section");
    bool is_trigger = bt_str_is(section, "TRIGGERS") || bt_str_is(section, "triggers");
    if (section.len && !is_trigger && !bt_str_is(section, "TASKS") && !bt_str_is(section, "tasks"))
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: section is TASKS or TRIGGERS, not '%.*s'",
                       BT_FMT(section));
    return check_part(request, is_trigger, err);
}

static int validate_trigger(struct bt_request *request, struct bt_err *err)
{
    return check_part(request, true, err);
}

#define YAML "application/x-yaml"
#define JSON "application/json"

static const struct bt_param revision_queries[] = {
    {"revision", "integer", "The newest by default"},
    {0},
};
static const struct bt_param graph_queries[] = {
    {"revision", "integer", "The newest by default"},
    {"subflows", "string[]", "Accepted; subflows are shown as tasks"},
    {0},
};
static const struct bt_param subflow_queries[] = {
    {"subflows", "string[]", "Accepted; subflows are shown as tasks"},
    {0},
};
static const struct bt_param dependency_queries[] = {
    {"destinationOnly", "boolean", "Only flows that it leads to"},
    {"expandAll", "boolean", "All that is connected"},
    {0},
};
static const struct bt_param space_queries[] = {
    {"destinationOnly", "boolean", "Only flows that they lead to"},
    {0},
};
static const struct bt_param source_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"sort", "string", "field:asc or field:desc"},
    {"q", "string", "Words that occur in the source"},
    {"namespace", "string", "This namespace and its children"},
    {0},
};
static const struct bt_param section_queries[] = {
    {"section", "string", "TASKS (default) or TRIGGERS"},
    {0},
};

const struct bt_route bt_routes_flow_look[] = {
    {BT_GET, "/flows/{namespace}/{id}/tasks/{taskId}", task, 0, "getTaskFromFlow", "Flows",
     "Get a task of a flow", NULL, "Task", revision_queries},
    {BT_PATCH, "/flows/{namespace}/{id}/{taskId}", put_task, 0, "updateTask", "Flows",
     "Replace a task; everything else in the source stays as it is", JSON " Task", "Flow", NULL},
    {BT_GET, "/flows/{namespace}/{id}/graph", graph, 0, "generateFlowGraph", "Flows",
     "Get a flow as a graph", NULL, "FlowGraph", graph_queries},
    {BT_POST, "/flows/graph", graph_of_source, 0, "generateFlowGraphFromSource", "Flows",
     "See a source as a graph", YAML, "FlowGraph", subflow_queries},
    {BT_GET, "/executions/{executionId}/graph", graph_of_exec, 0, "getExecutionFlowGraph",
     "Executions", "Get an execution as a graph", NULL, "FlowGraph", subflow_queries},
    {BT_GET, "/flows/{namespace}/{id}/dependencies", dependencies, 0, "getFlowDependencies",
     "Flows", "Get the flows that lead to a flow, and those it leads to", NULL, "FlowTopologyGraph",
     dependency_queries},
    {BT_GET, "/namespaces/{namespace}/dependencies", space_dependencies, 0,
     "getFlowDependenciesFromNamespace", "Namespaces",
     "Get what the flows of a namespace lead to, and what leads to them", NULL, "FlowTopologyGraph",
     space_queries},
    {BT_GET, "/flows/source", search_source, 0, "searchFlowsBySourceCode", "Flows",
     "Search in the sources of flows", NULL, "PagedSource", source_queries},
    {BT_POST, "/flows/validate", validate, 0, "validateFlows", "Flows", "Validate flows", YAML,
     "Violations", NULL},
    {BT_POST, "/flows/validate/task", validate_task, 0, "validateTask", "Flows",
     "Validate a task, or a trigger", YAML, "Violation", section_queries},
    {BT_POST, "/flows/validate/trigger", validate_trigger, 0, "validateTrigger", "Flows",
     "Validate a trigger", JSON " Task", "Violation", NULL},
    {0},
};
