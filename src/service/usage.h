/* usage.h — What there is and how the engine is doing, in numbers. Any thread. */
#pragma once
#include "service/service.h"

/* {version, flows: {count, namespacesCount, taskTypeCount}, executions: {…}}; *ret_usage owned. */
int bt_usage_all(struct bt_service *service, const struct bt_principal *principal,
                 struct bt_value **ret_usage, struct bt_err *err);
/* Appends metrics in Prometheus' text format: executions by state, the runner's batches. */
int bt_usage_metrics(struct bt_service *service, const struct bt_principal *principal,
                     struct bt_buf *out, struct bt_err *err);
