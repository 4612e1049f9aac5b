/* graph.h — A flow, or an execution of one, as nodes, edges and clusters: what a picture shows.
 *
 * Nodes are named by their way: root.<flowable>.<task>; an iteration has its values at the end
 * (root.each.inner_a). The first and last node of a cluster are <way>._start and <way>._end. */
#pragma once
#include "service/service.h"

/* {nodes, edges, clusters} of a flow; *ret_graph is owned. */
int bt_service_flow_graph(const struct bt_flow *flow, struct bt_value **ret_graph,
                          struct bt_err *err);
/* The same with the task runs of an execution, without the tasks' properties. At most
 * BT_GRAPH_NODES_MAX nodes: of iterations the first ones. */
int bt_service_exec_graph(struct bt_service *service, const struct bt_exec *exec,
                          const struct bt_flow *flow, struct bt_value **ret_graph,
                          struct bt_err *err);
