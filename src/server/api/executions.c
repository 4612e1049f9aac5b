/* executions.c — The routes of executions: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/api/find.h"
#include "server/follow.h"
#include "server/router.h"
#include "server/server.h"
#include "service/shape.h"

static int load(struct bt_request *request, struct bt_exec **ret_exec, struct bt_err *err)
{
    return bt_service_exec(request->service, &request->principal, request->params[0], ret_exec,
                           err);
}

static int get(struct bt_request *request, struct bt_err *err)
{
    int64_t most;
    BT_TRY(bt_most_runs_of(request, &most, err));
    if (most >= 0) {
        BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
        BT_TRY(load(request, &exec, err));
        if (exec->next_n - 1 > most) {
            BT_TRY(bt_write_exec(request, exec, err));
            (void)bt_buf_addc(&request->response.body, '}'); /* Checked next. */
            return bt_respond_text(request, "application/json", err);
        }
    }
    BT_TRY(bt_service_exec_text(request->service, &request->principal, request->params[0],
                                &request->response.body, err));
    return bt_respond_text(request, "application/json", err);
}

/* --- Lists ------------------------------------------------------------------------------------ */

struct listing {
    struct bt_request *request;
    enum bt_exec_form form;
    size_t count;
    struct bt_err *err;
};

static int list_one(void *data, struct bt_exec *exec)
{
    struct listing *listing = data;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *taken = exec;
    struct bt_buf *out = &listing->request->response.body;
    if (listing->count++)
        (void)bt_buf_addc(out, ','); /* Checked by what follows. */
    BT_TRY(
        bt_service_exec_json(listing->request->service, taken, listing->form, out, listing->err));
    return bt_buf_addc(out, '}') < 0 ? bt_buf_check(out, "the list", listing->err) : BT_OK;
}

static int read_sort(struct bt_request *request, struct bt_exec_query *query, struct bt_err *err)
{
    static const struct {
        const char *name;
        enum bt_exec_sort sort;
    } names[] = {
        {"state.startDate", BT_SORT_START},   {"state.endDate", BT_SORT_END},
        {"state.duration", BT_SORT_DURATION}, {"id", BT_SORT_ID},
        {"namespace", BT_SORT_NAMESPACE},     {"flowId", BT_SORT_FLOW},
        {"state.current", BT_SORT_STATE},
    };
    struct bt_sorting sorting;
    BT_TRY(bt_sorting_of(request, &sorting, err));
    query->sort = BT_SORT_START;
    query->is_ascending = sorting.is_ascending;
    if (!sorting.field.len)
        return BT_OK;
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        if (bt_str_is(sorting.field, names[i].name)) {
            query->sort = names[i].sort;
            return BT_OK;
        }
    }
    return bt_sorting_refuse(&sorting, err);
}

static int list_found(struct bt_request *request, struct bt_exec_query *query, struct bt_err *err)
{
    struct bt_paging paging;
    struct listing listing = {.request = request, .err = err};
    struct bt_buf *out = &request->response.body;
    struct bt_total total;
    BT_TRY(bt_exec_form_of(request, &listing.form, err));
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(read_sort(request, query, err));
    query->skip = bt_paging_skip(&paging);
    query->limit = (uint64_t)paging.size;
    (void)bt_buf_adds(out, "{\"results\":["); /* Checked by what follows. */
    BT_TRY(request->service->store->ops->execs(
        request->service->store, query, &(struct bt_exec_sink){list_one, &listing}, &total, err));
    (void)bt_buf_addf(out, "],\"total\":%lld%s}", (long long)total.count,
                      total.is_capped ? ",\"totalIsCapped\":true" : "");
    return bt_respond_text(request, "application/json", err);
}

static int search(struct bt_request *request, struct bt_err *err)
{
    struct bt_find find = {0};
    int rc = bt_find_of(request, &find, err);
    if (rc == BT_OK)
        rc = list_found(request, &find.query, err);
    bt_find_done(&find);
    return rc;
}

/* --- Acting on one ---------------------------------------------------------------------------- */

static int kill_one(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    bool has_children;
    BT_TRY(bt_query_bool(request, "isOnKillCascade", true, &has_children, err));
    BT_TRY(load(request, &exec, err));
    if (!has_children && bt_state_is_ended(exec->state))
        return bt_fail(err, BT_CONFLICT, "execution already finished");
    BT_TRY(bt_service_kill(request->service, &request->principal, exec->key, err));
    if (bt_str_find(request->uri, BT_STR("/actions/"), 0) < 0)
        return bt_respond(request, 202);
    return get(request, err); /* The newest dialect wants to see it. */
}

static int follow(struct bt_request *request, struct bt_err *err)
{
    struct bt_exec *exec = NULL;
    BT_TRY(load(request, &exec, err));
    return bt_follow_begin(request, BT_FOLLOW_EXEC, exec, 0, err);
}

static const struct bt_param get_queries[] = {
    BT_PARAM_TASK_RUNS,
    {0},
};
static const struct bt_param kill_queries[] = {
    {"isOnKillCascade", "boolean", "false: one that has ended is refused (409)"},
    {0},
};
static const struct bt_param search_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"sort", "string", "state.startDate:desc and the like"},
    BT_PARAM_LIGHT,
    {"q", "string", "Words"},
    {"namespace", "string", "This namespace and its children"},
    {"flowId", "string", "Of the flow"},
    {"state", "string[]", "One of these states"},
    {"startDate", "date-time", "Started not before"},
    {"endDate", "date-time", "Started not after"},
    {"timeRange", "duration", "Started in this time until now"},
    {"labels", "string[]", "key:value"},
    {"scope", "string[]", "USER, SYSTEM"},
    {"triggerExecutionId", "string", "Started by this execution"},
    {"childFilter", "string", "CHILD: started by another execution; MAIN: not"},
    {0},
};

const struct bt_route bt_routes_executions[] = {
    {BT_GET, "/executions/search", search, 0, "searchExecutions", "Executions", "Search executions",
     NULL, "PagedExecution", search_queries},
    {BT_GET, "/executions", search, 0, "listExecutions", "Executions", "List executions", NULL,
     "PagedExecution", search_queries},
    {BT_GET, "/executions/{executionId}", get, BT_ROUTE_QUICK, "getExecution", "Executions",
     "Get an execution", NULL, "Execution", get_queries},
    {BT_GET, "/executions/{executionId}/follow", follow, 0, "followExecution", "Executions",
     "Follow an execution (server-sent events)", NULL, "EventStream", NULL},
    {BT_DELETE, "/executions/{executionId}/kill", kill_one, 0, "killExecution", "Executions",
     "Kill an execution", NULL, NULL, kill_queries},
    {0},
};
