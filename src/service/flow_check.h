/* flow_check.h — What is wrong with a flow, or a part of one, that is being written. Any thread. */
#pragma once
#include "service/service.h"

/* {index, flow, namespace, constraints, outdated, …} of one document; *ret_check is owned. */
int bt_service_check_flow(struct bt_service *service, const struct bt_principal *principal,
                          struct bt_str source, int64_t index, struct bt_value **ret_check);
/* The same of a task or a trigger alone, in YAML or JSON. */
int bt_service_check_part(struct bt_str source, bool is_trigger, struct bt_value **ret_check);
