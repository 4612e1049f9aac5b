/* exec_runs.c — Task runs of large executions, piece by piece: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/router.h"
#include "service/lanes.h"

static int read_states(struct bt_request *request, uint32_t *ret_states, struct bt_err *err)
{
    BT_VALUE states = NULL;
    BT_TRY(bt_query_list(request, "state", &states, err));
    *ret_states = 0;
    for (size_t i = 0; i < bt_value_count(states); i++) {
        struct bt_str name = bt_value_str(bt_list_at(states, i));
        enum bt_state state;
        if (!bt_state_parse(name, &state))
            return bt_fail(err, BT_INVALID, "Invalid format: '%.*s' is no state", BT_FMT(name));
        *ret_states |= 1u << state;
    }
    return BT_OK;
}

static int lanes(struct bt_request *request, struct bt_err *err)
{
    struct bt_paging paging;
    struct bt_lane_query query = {.of = {request->params[0], bt_query(request, "parent")}};
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(read_states(request, &query.states, err));
    query.skip = bt_paging_skip(&paging);
    query.limit = (uint64_t)paging.size;
    BT_TRY(bt_service_lanes(request->service, &request->principal, &query, &request->response.body,
                            err));
    return bt_respond_text(request, "application/json", err);
}

static int one(struct bt_request *request, struct bt_err *err)
{
    BT_TRY(bt_service_run_look(request->service, &request->principal,
                               &(struct bt_run_name){request->params[0], request->params[1]},
                               &request->response.body, err));
    return bt_respond_text(request, "application/json", err);
}

static const struct bt_param lanes_queries[] = {
    {"parent", "string", "Number (fast) or id of the enclosing task run; none: of the execution"},
    {"state", "string[]", "Lanes in one of these states"},
    {"page", "integer", "From 1"},
    {"size", "integer", "Lanes of a page"},
    {0},
};

const struct bt_route bt_routes_exec_runs[] = {
    {BT_GET, "/executions/{executionId}/lanes", lanes, 0, "listLanes", "Task runs",
     "Lanes of a group: the values of a loop, or branches, with their task runs", NULL, "PagedLane",
     lanes_queries},
    {BT_GET, "/executions/{executionId}/taskruns/{taskRun}", one, 0, "getTaskRun", "Task runs",
     "One task run by its number or id, and what encloses it", NULL, "TaskRunLook", NULL},
    {0},
};
