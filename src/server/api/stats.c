/* stats.c — The routes of charts and counts: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "base/vec.h"
#include "server/router.h"
#include "service/log_stats.h"
#include "service/shape.h"
#include "service/stats.h"

/* What every body may say. */
struct asked {
    struct bt_value *body; /* Owned; names point into it. */
    struct bt_stats_request stats;
    BT_VEC(struct bt_flow_name) flows; /* Owned. */
    struct bt_flow_cond scope;
};

static void asked_done(struct asked *asked)
{
    bt_value_unref(asked->body);
    bt_vec_done(&asked->flows);
}

static int read_flows(struct asked *asked, struct bt_err *err)
{
    const struct bt_value *flows = bt_map_gets(asked->body, "flows");
    for (size_t i = 0; i < bt_value_count(flows); i++) {
        const struct bt_value *flow = bt_list_at(flows, i);
        struct bt_flow_name name = {bt_map_str(flow, "namespace"), bt_map_str(flow, "id")};
        if (!name.namespace.len || !name.id.len)
            return bt_fail(err, BT_INVALID, "Illegal argument: flows must be [{namespace, id}]");
        bt_vec_push(&asked->flows, name);
    }
    asked->stats.of.flows = asked->flows.items; /* NULL without any: all. */
    asked->stats.of.flow_count = asked->flows.count;
    return BT_OK;
}

static int read_states(struct asked *asked, struct bt_err *err)
{
    const struct bt_value *states = bt_map_gets(asked->body, "state");
    for (size_t i = 0; i < bt_value_count(states); i++) {
        struct bt_str name = bt_value_str(bt_list_at(states, i));
        enum bt_state state;
        if (!bt_state_parse(name, &state))
            return bt_fail(err, BT_INVALID, "Invalid format: '%.*s' is no state", BT_FMT(name));
        asked->stats.of.states |= 1u << state;
    }
    return BT_OK;
}

static int read_times(struct asked *asked, struct bt_err *err)
{
    BT_TRY(bt_time_of(bt_map_str(asked->body, "startDate"), "startDate",
                      &asked->stats.times.from_us, err));
    return bt_time_of(bt_map_str(asked->body, "endDate"), "endDate", &asked->stats.times.to_us,
                      err);
}

static int read_scope(struct asked *asked, struct bt_err *err)
{
    const struct bt_value *scope = bt_map_gets(asked->body, "scope");
    bool has_scope = false;
    for (size_t i = 0; i < bt_value_count(scope); i++)
        BT_TRY(bt_scope_of(bt_value_str(bt_list_at(scope, i)), &asked->scope, &has_scope, err));
    asked->stats.of.conds = &asked->scope;
    asked->stats.of.cond_count = has_scope;
    return BT_OK;
}

static int read_asked(struct bt_request *request, struct asked *asked, struct bt_err *err)
{
    BT_TRY(bt_body_json(request, &asked->body, err));
    struct bt_exec_query *of = &asked->stats.of;
    of->namespace = bt_map_str(asked->body, "namespace");
    of->flow_id = bt_map_str(asked->body, "flowId");
    of->text = bt_map_str(asked->body, "q");
    BT_TRY(read_flows(asked, err));
    BT_TRY(read_states(asked, err));
    BT_TRY(read_scope(asked, err));
    return read_times(asked, err);
}

static int answer(struct bt_request *request, struct bt_stats_request how, struct bt_err *err)
{
    struct asked asked = {0};
    int rc = read_asked(request, &asked, err);
    asked.stats.by = how.by;
    asked.stats.is_runs = how.is_runs;
    const struct bt_value *only = bt_map_gets(asked.body, "namespaceOnly");
    if (how.by == BT_STATS_BY_FLOW && bt_value_as_bool(only))
        asked.stats.by = BT_STATS_BY_NAMESPACE;
    if (rc == BT_OK)
        rc = bt_service_stats(request->service, &request->principal, &asked.stats,
                              &request->response.body, err);
    asked_done(&asked);
    return rc == BT_OK ? bt_respond_text(request, "application/json", err) : rc;
}

static int daily(struct bt_request *request, struct bt_err *err)
{
    return answer(request, (struct bt_stats_request){.by = BT_STATS_ALL}, err);
}

static int daily_runs(struct bt_request *request, struct bt_err *err)
{
    return answer(request, (struct bt_stats_request){.by = BT_STATS_ALL, .is_runs = true}, err);
}

static int by_flow(struct bt_request *request, struct bt_err *err)
{
    return answer(request, (struct bt_stats_request){.by = BT_STATS_BY_FLOW}, err);
}

static int by_namespace(struct bt_request *request, struct bt_err *err)
{
    return answer(request, (struct bt_stats_request){.by = BT_STATS_COUNTS}, err);
}

/* --- Log lines -------------------------------------------------------------------------------- */

static int read_logs_asked(struct bt_request *request, struct asked *asked,
                           struct bt_log_stats *logs, struct bt_err *err)
{
    BT_TRY(read_asked(request, asked, err));
    logs->of = asked->stats.of;
    logs->of.states = 0;
    logs->of.text = BT_STR_NONE; /* Words are those of the message. */
    logs->words = asked->stats.of.text;
    logs->times = asked->stats.times;
    return bt_levels_from(bt_map_str(asked->body, "logLevel"), &logs->levels, err);
}

static int daily_logs(struct bt_request *request, struct bt_err *err)
{
    struct asked asked = {0};
    struct bt_log_stats logs = {.levels = 0};
    int rc = read_logs_asked(request, &asked, &logs, err);
    if (rc == BT_OK)
        rc = bt_service_log_stats(request->service, &request->principal, &logs,
                                  &request->response.body, err);
    asked_done(&asked);
    return rc == BT_OK ? bt_respond_text(request, "application/json", err) : rc;
}

/* --- The newest of each flow ------------------------------------------------------------------ */

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
    (void)bt_buf_adds(out, listing->count++ ? "," : ""); /* Checked by what follows. */
    BT_TRY(
        bt_service_exec_json(listing->request->service, taken, listing->form, out, listing->err));
    return bt_buf_addc(out, '}') < 0 ? bt_buf_check(out, "the list", listing->err) : BT_OK;
}

static int latest(struct bt_request *request, struct bt_err *err)
{
    struct asked asked = {0};
    struct listing listing = {.request = request, .err = err};
    struct bt_store *store = request->service->store;
    int64_t limit;
    BT_TRY(bt_exec_form_of(request, &listing.form, err));
    BT_TRY(bt_query_int(request, "size", 1, &limit, err));
    if (limit < 1 || limit > 100)
        return bt_fail(err, BT_INVALID, "Illegal argument: size must be 1 to 100");
    int rc = read_asked(request, &asked, err);
    asked.stats.of.tenant = request->principal.tenant;
    asked.stats.of.limit = (uint64_t)limit;
    (void)bt_buf_addc(&request->response.body, '['); /* Checked by what follows. */
    if (rc == BT_OK && asked.flows.count)
        rc = store->ops->latest(store, &asked.stats.of, &(struct bt_exec_sink){list_one, &listing},
                                err);
    (void)bt_buf_addc(&request->response.body, ']');
    asked_done(&asked);
    return rc == BT_OK ? bt_respond_text(request, "application/json", err) : rc;
}

/* --- How many flows --------------------------------------------------------------------------- */

struct counts {
    size_t flows, triggers;
};

/* Webhooks and triggers on other flows wait for nothing by themselves: they are not counted. */
static bool is_counted(const struct bt_value *trigger)
{
    static const char *const passive[] = {".Webhook", ".Flow"};
    struct bt_str type = bt_map_str(trigger, "type");
    for (size_t i = 0; i < BT_COUNT(passive); i++)
        if (bt_str_ends(type, bt_str_of(passive[i])))
            return false;
    return !bt_str_is(type, "webhook") && !bt_str_is(type, "flow");
}

static int count_one(void *data, const struct bt_found_flow *found)
{
    struct counts *counts = data;
    counts->flows++;
    const struct bt_value *triggers = bt_map_gets(found->flow->tree, "triggers");
    for (size_t i = 0; i < bt_value_count(triggers); i++)
        counts->triggers += is_counted(bt_list_at(triggers, i));
    return BT_OK;
}

static int summary(struct bt_request *request, struct bt_err *err)
{
    struct asked asked = {0};
    struct counts counts = {0};
    int rc = read_asked(request, &asked, err);
    struct bt_flow_query query = {.tenant = request->principal.tenant,
                                  .namespace = asked.stats.of.namespace};
    if (rc == BT_OK)
        rc = bt_service_flows(request->service, &request->principal, &query,
                              &(struct bt_found_sink){count_one, &counts}, err);
    asked_done(&asked);
    BT_TRY(rc);
    (void)bt_buf_addf(&request->response.body, "{\"flows\":%zu,\"triggers\":%zu}", counts.flows,
                      counts.triggers); /* Checked by what follows. */
    return bt_respond_text(request, "application/json", err);
}

#define JSON "application/json"
static const struct bt_param latest_queries[] = {
    {"size", "integer", "Executions of each flow, 1 by default"},
    BT_PARAM_LIGHT,
    {0},
};

const struct bt_route bt_routes_stats[] = {
    {BT_POST, "/stats/summary", summary, 0, "statsSummary", "Stats", "Count flows and triggers",
     JSON, "StatsSummary", NULL},
    {BT_POST, "/stats/executions/daily", daily, 0, "dailyExecutions", "Stats",
     "Executions by time of start and state", JSON, "DailyStatistics", NULL},
    {BT_POST, "/stats/executions/daily/group-by-flow", by_flow, 0, "dailyExecutionsByFlow", "Stats",
     "The same of each flow", JSON, "StatisticsByFlow", NULL},
    {BT_POST, "/stats/executions/daily/group-by-namespace", by_namespace, 0,
     "executionsByNamespace", "Stats", "Executions of each namespace by state", JSON,
     "CountsByNamespace", NULL},
    {BT_POST, "/stats/executions/latest/group-by-flow", latest, 0, "latestExecutions", "Stats",
     "The newest executions of flows", JSON, "Executions", latest_queries},
    {BT_POST, "/stats/taskruns/daily", daily_runs, 0, "dailyTaskRuns", "Stats",
     "Task runs by time of start and state", JSON, "DailyStatistics", NULL},
    {BT_POST, "/stats/logs/daily", daily_logs, 0, "dailyLogs", "Stats",
     "Log lines by time and level", JSON, "LogStatistics", NULL},
    {0},
};
