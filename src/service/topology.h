/* topology.h — Which flow leads to which: subflow tasks, and triggers that wait for a flow. */
#pragma once
#include "service/service.h"

struct bt_topology_query {
    struct bt_str namespace, id; /* Of a flow; id empty: all flows of the namespace. */
    bool is_downstream;          /* Only where it leads to. */
    bool is_whole;               /* All that is connected, not only the neighbours. */
};
/* {nodes: [{uid, namespace, id}], edges: [{source, target, relation}]} */
int bt_service_topology(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_topology_query *query, struct bt_value **ret_graph,
                        struct bt_err *err);

/* Whether a flow's tasks call another one; its triggers wait for one. Pure. */
bool bt_flow_calls(const struct bt_value *tree, struct bt_str namespace, struct bt_str id);
bool bt_flow_waits_for(const struct bt_value *tree, struct bt_str namespace, struct bt_str id);
