/* stats.h — What the charts of the original's pages show, as JSON in its shapes. Times are UTC. */
#pragma once
#include "service/grid.h"
#include "service/service.h"

struct bt_stats_request {
    struct bt_exec_query of; /* Names, text, states, flows; the tenant is the principal's. */
    struct bt_grid_times times;
    bool is_runs; /* Task runs instead of executions; by day and more. */
    enum bt_stats_by {
        BT_STATS_ALL,          /* [DailyExecutionStatistics] */
        BT_STATS_BY_FLOW,      /* {namespace: {flow: [Daily…]}} */
        BT_STATS_BY_NAMESPACE, /* The same with "*" for all flows of a namespace. */
        BT_STATS_COUNTS,       /* {namespace: {counts, total}} */
    } by;
};
/* Appends the answer: a period for each of the grid. */
int bt_service_stats(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_stats_request *request, struct bt_buf *out,
                     struct bt_err *err);
