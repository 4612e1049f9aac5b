/* metrics.h — Metrics of all task runs of a flow that have ended: their names, and charts. */
#pragma once
#include "service/grid.h"
#include "service/service.h"

struct bt_metric_list {
    struct bt_metric_of of; /* The tenant is the principal's. */
    bool is_tasks;          /* Which tasks have metrics, instead of what they are called. */
};
/* Appends a sorted list of texts, also those of tasks that the flow had once; [] when there are
 * none, or no such flow. */
int bt_service_metric_list(struct bt_service *service, const struct bt_principal *principal,
                           const struct bt_metric_list *list, struct bt_buf *out,
                           struct bt_err *err);

struct bt_metric_chart {
    struct bt_metric_of of; /* The tenant is the principal's; times follow from `times`. */
    struct bt_grid_times times;
    enum bt_metric_aggregation {
        BT_METRIC_SUM,
        BT_METRIC_AVG,
        BT_METRIC_MIN,
        BT_METRIC_MAX,
    } aggregation;
};
/* Appends {"groupBy", "aggregations": [{name, value, date}]}: a period for each of the grid, by
 * hours and more; 0 where there is nothing. Hours that the times cut are counted whole. */
int bt_service_metric_chart(struct bt_service *service, const struct bt_principal *principal,
                            const struct bt_metric_chart *chart, struct bt_buf *out,
                            struct bt_err *err);
