/* metrics.c — The routes of metrics: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/router.h"
#include "service/metrics.h"
#include "service/runs.h"

static int of_execution(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_paging paging;
    struct bt_sorting ignored; /* They come in the order of their task runs. */
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(bt_sorting_of(request, &ignored, err));
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    struct bt_metric_query query = {.run_id = bt_filter(request, "taskRunId"),
                                    .task_id = bt_filter(request, "taskId"),
                                    .skip = bt_paging_skip(&paging),
                                    .limit = (uint64_t)paging.size};
    BT_TRY(bt_service_metrics(request->service, exec, &query, &request->response.body, err));
    return bt_respond_text(request, "application/json", err);
}

static int list(struct bt_request *request, const struct bt_metric_list *how, struct bt_err *err)
{
    struct bt_metric_list asked = *how;
    asked.of.namespace = request->params[0];
    asked.of.flow_id = request->params[1];
    BT_TRY(bt_service_metric_list(request->service, &request->principal, &asked,
                                  &request->response.body, err));
    return bt_respond_text(request, "application/json", err);
}

static int names(struct bt_request *request, struct bt_err *err)
{
    return list(request, &(struct bt_metric_list){.is_tasks = false}, err);
}

static int names_of_task(struct bt_request *request, struct bt_err *err)
{
    return list(request, &(struct bt_metric_list){.of = {.task_id = request->params[2]}}, err);
}

static int tasks(struct bt_request *request, struct bt_err *err)
{
    return list(request, &(struct bt_metric_list){.is_tasks = true}, err);
}

static int read_aggregation(struct bt_request *request, struct bt_metric_chart *chart,
                            struct bt_err *err)
{
    static const char *const words[] = {"sum", "avg", "min", "max"};
    struct bt_str text = bt_query(request, "aggregation");
    if (!text.len)
        return BT_OK; /* The sum. */
    for (size_t i = 0; i < BT_COUNT(words); i++) {
        if (!bt_str_is(text, words[i]))
            continue;
        chart->aggregation = (enum bt_metric_aggregation)i;
        return BT_OK;
    }
    return bt_fail(err, BT_INVALID,
                   "Illegal argument: aggregation must be sum, avg, min or max, not '%.*s'",
                   BT_FMT(text));
}

static int chart(struct bt_request *request, struct bt_str task_id, struct bt_str name,
                 struct bt_err *err)
{
    struct bt_metric_chart asked = {.of = {.namespace = request->params[0],
                                           .flow_id = request->params[1],
                                           .task_id = task_id,
                                           .name = name}};
    BT_TRY(read_aggregation(request, &asked, err));
    BT_TRY(bt_query_time(request, "startDate", &asked.times.from_us, err));
    BT_TRY(bt_query_time(request, "endDate", &asked.times.to_us, err));
    BT_TRY(bt_service_metric_chart(request->service, &request->principal, &asked,
                                   &request->response.body, err));
    return bt_respond_text(request, "application/json", err);
}

static int of_flow(struct bt_request *request, struct bt_err *err)
{
    return chart(request, BT_STR_NONE, request->params[2], err);
}

static int of_task(struct bt_request *request, struct bt_err *err)
{
    return chart(request, request->params[2], request->params[3], err);
}

static const struct bt_param queries[] = {
    {"taskRunId", "string", "Of this task run"},
    {"taskId", "string", "Of this task"},
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {0},
};
static const struct bt_param chart_queries[] = {
    {"startDate", "date-time", "From then on, in whole hours; 30 days ago by default"},
    {"endDate", "date-time", "Until then, now by default"},
    {"aggregation", "string", "sum (default), avg, min or max"},
    {0},
};

const struct bt_route bt_routes_metrics[] = {
    {BT_GET, "/metrics/{executionId}", of_execution, 0, "getMetrics", "Metrics",
     "Metrics of an execution", NULL, "PagedMetric", queries},
    {BT_GET, "/metrics/names/{namespace}/{flowId}", names, 0, "flowMetrics", "Metrics",
     "Names of the metrics of a flow", NULL, "Strings", NULL},
    {BT_GET, "/metrics/names/{namespace}/{flowId}/{taskId}", names_of_task, 0, "taskMetrics",
     "Metrics", "Names of the metrics of a task", NULL, "Strings", NULL},
    {BT_GET, "/metrics/tasks/{namespace}/{flowId}", tasks, 0, "tasksWithMetrics", "Metrics",
     "Tasks of a flow that have metrics", NULL, "Strings", NULL},
    {BT_GET, "/metrics/aggregates/{namespace}/{flowId}/{metric}", of_flow, 0, "aggregateByFlowId",
     "Metrics", "Values of a metric of a flow by time", NULL, "MetricAggregations", chart_queries},
    {BT_GET, "/metrics/aggregates/{namespace}/{flowId}/{taskId}/{metric}", of_task, 0,
     "aggregateByFlowIdAndTaskId", "Metrics", "Values of a metric of a task by time", NULL,
     "MetricAggregations", chart_queries},
    {0},
};
