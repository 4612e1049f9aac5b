/* stats.h — What the charts of the original's pages show, as JSON in its shapes. Times are UTC. */
#pragma once
#include "service/service.h"

struct bt_stats_request {
    struct bt_exec_query of; /* Names, text, states, flows; the tenant is the principal's. */
    int64_t from_us, to_us;  /* 0: 30 days ago; now. */
    bool is_runs;            /* Task runs instead of executions; by day and more. */
    enum bt_stats_by {
        BT_STATS_ALL,          /* [DailyExecutionStatistics] */
        BT_STATS_BY_FLOW,      /* {namespace: {flow: [Daily…]}} */
        BT_STATS_BY_NAMESPACE, /* The same with "*" for all flows of a namespace. */
        BT_STATS_COUNTS,       /* {namespace: {counts, total}} */
    } by;
};
/* Appends the answer. The unit of time follows from how long it is: minutes to 6 hours, hours to a
 * day, days to 180, weeks to 365, then months. */
int bt_service_stats(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_stats_request *request, struct bt_buf *out,
                     struct bt_err *err);
