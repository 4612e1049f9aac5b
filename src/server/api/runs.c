/* runs.c — The routes of task runs: translation only. */
#include "server/api/api.h"

#include "base/num.h"
#include "base/own.h"
#include "server/api/find.h"
#include "server/router.h"
#include "service/runs.h"

static int children(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_paging paging;
    struct bt_str parent = bt_query(request, "parent");
    int64_t n;
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    struct bt_child_query query = {.skip = bt_paging_skip(&paging), .limit = (uint64_t)paging.size};
    if (parent.len && parent.len < 10 && bt_parse_i64(parent, &n) && n >= 0)
        query.parent = (uint32_t)n;
    else
        query.parent_id = parent;
    BT_TRY(bt_service_children(request->service, exec, &query, &request->response.body, err));
    return bt_respond_text(request, "application/json", err);
}

static int search(struct bt_request *request, struct bt_err *err)
{
    struct bt_paging paging;
    struct bt_sorting ignored; /* Those of the newest executions come first. */
    struct bt_find find = {0};
    int rc = bt_paging_of(request, &paging, err);
    if (rc == BT_OK)
        rc = bt_sorting_of(request, &ignored, err);
    if (rc == BT_OK)
        rc = bt_find_of(request, &find, err);
    struct bt_run_search search = {.of = find.query,
                                   .states = find.query.states, /* Of the task runs. */
                                   .skip = rc == BT_OK ? bt_paging_skip(&paging) : 0,
                                   .limit = rc == BT_OK ? (uint64_t)paging.size : 0};
    search.of.states = 0;
    if (rc == BT_OK)
        rc = bt_service_run_search(request->service, &request->principal, &search,
                                   &request->response.body, err);
    bt_find_done(&find);
    return rc == BT_OK ? bt_respond_text(request, "application/json", err) : rc;
}

static int max_setting(struct bt_request *request, struct bt_err *err)
{
    (void)bt_buf_addf(&request->response.body, "%d", BT_RUN_SEARCH_MAX); /* Checked next. */
    return bt_respond_text(request, "application/json", err);
}

static const struct bt_param search_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"q", "string", "Words"},
    {"namespace", "string", "This namespace and its children"},
    {"flowId", "string", "Of the flow"},
    {"state", "string[]", "Task runs in one of these states"},
    {"startDate", "date-time", "The execution started not before"},
    {"endDate", "date-time", "The execution started not after"},
    {"labels", "string[]", "key:value"},
    {"triggerExecutionId", "string", "The execution was started by this one"},
    {"childFilter", "string", "CHILD: it was started by another execution; MAIN: not"},
    {0},
};
static const struct bt_param children_queries[] = {
    {"parent", "string", "Number (fast) or id of the enclosing task run; none: of the execution"},
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {0},
};

const struct bt_route bt_routes_runs[] = {
    {BT_GET, "/taskruns/search", search, 0, "searchTaskRuns", "Task runs",
     "Search the task runs of executions", NULL, "PagedTaskRun", search_queries},
    {BT_GET, "/taskruns/maxTaskRunSetting", max_setting, 0, "maxTaskRunSetting", "Task runs",
     "How many task runs a search counts at most", NULL, "Integer", NULL},
    {BT_GET, "/executions/{executionId}/taskruns", children, 0, "listTaskRuns", "Task runs",
     "Task runs of an execution by parent", NULL, "PagedTaskRun", children_queries},
    {0},
};
