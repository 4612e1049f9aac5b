/* topology.c — Dependencies between flows, read from their sources. */
#include "service/topology.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"

/* --- One flow and another --------------------------------------------------------------------- */

/* The last part of a type's name, whatever the package: "Subflow", "subflow". */
static bool is_type(const struct bt_value *value, const char *const *names)
{
    struct bt_str type = bt_map_str(value, "type");
    size_t at = type.len;
    while (at && type.at[at - 1] != '.')
        at--;
    struct bt_str last = bt_str_slice(type, at, type.len);
    for (; *names; names++)
        if (bt_str_is(last, *names))
            return true;
    return false;
}

static bool calls(const struct bt_value *value, struct bt_str namespace, struct bt_str id,
                  int depth)
{
    static const char *const callers[] = {"Subflow", "subflow", "ForEachItem", "foreach_item",
                                          "Flow",    "flow",    NULL};
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    if (depth > BT_YAML_DEPTH_MAX || (!is_map && !bt_value_is(value, BT_KIND_LIST)))
        return false;
    if (is_map && is_type(value, callers) && bt_str_eq(bt_map_str(value, "flowId"), id) &&
        bt_str_eq(bt_map_str(value, "namespace"), namespace))
        return true;
    for (size_t i = 0; i < bt_value_count(value); i++)
        if (calls(is_map ? bt_map_at(value, i, NULL) : bt_list_at(value, i), namespace, id,
                  depth + 1))
            return true;
    return false;
}

bool bt_flow_calls(const struct bt_value *tree, struct bt_str namespace, struct bt_str id)
{
    static const char *const lists[] = {"tasks", "errors", "finally", "afterExecution"};
    for (size_t i = 0; i < BT_COUNT(lists); i++)
        if (calls(bt_map_gets(tree, lists[i]), namespace, id, 0))
            return true;
    return false;
}

/* "namespace" of a condition, with its comparison. */
static bool is_namespace(const struct bt_value *condition, struct bt_str namespace)
{
    struct bt_str want = bt_map_str(condition, "namespace");
    struct bt_str how = bt_map_str(condition, "comparison");
    if (bt_str_is(how, "SUFFIX"))
        return bt_str_ends(namespace, want);
    if (bt_str_is(how, "PREFIX") || bt_value_as_bool(bt_map_gets(condition, "prefix")))
        return bt_str_starts(namespace, want);
    return bt_str_eq(namespace, want);
}

/* How a condition sees executions of a flow: what it does not ask about, it does not refuse. */
static bool accepts(const struct bt_value *condition, struct bt_str namespace, struct bt_str id,
                    int depth);

/* Whether any of a list (or of a map's values) accepts. */
static bool any_accepts(const struct bt_value *conditions, struct bt_str namespace,
                        struct bt_str id, int depth)
{
    bool is_map = bt_value_is(conditions, BT_KIND_MAP);
    for (size_t i = 0; i < bt_value_count(conditions); i++)
        if (accepts(is_map ? bt_map_at(conditions, i, NULL) : bt_list_at(conditions, i), namespace,
                    id, depth))
            return true;
    return false;
}

static bool accepts(const struct bt_value *condition, struct bt_str namespace, struct bt_str id,
                    int depth)
{
    static const char *const flows[] = {"ExecutionFlow", "ExecutionFlowCondition", NULL};
    static const char *const spaces[] = {"ExecutionNamespace", "ExecutionNamespaceCondition", NULL};
    static const char *const ors[] = {
        "Or", "OrCondition", "MultipleCondition", "ExecutionsWindow", "FilteredExecutionsMultiple",
        NULL};
    static const char *const nots[] = {"Not", "NotCondition", NULL};
    enum { NESTED_MAX = 20 };
    if (depth > NESTED_MAX)
        return true;
    if (is_type(condition, flows))
        return bt_str_eq(bt_map_str(condition, "namespace"), namespace) &&
               bt_str_eq(bt_map_str(condition, "flowId"), id);
    if (is_type(condition, spaces))
        return is_namespace(condition, namespace);
    if (is_type(condition, ors))
        return any_accepts(bt_map_gets(condition, "conditions"), namespace, id, depth + 1);
    if (is_type(condition, nots))
        return !any_accepts(bt_map_gets(condition, "conditions"), namespace, id, depth + 1);
    return true;
}

static bool precondition_accepts(const struct bt_value *preconditions, struct bt_str namespace,
                                 struct bt_str id)
{
    const struct bt_value *flows = bt_map_gets(preconditions, "flows");
    for (size_t i = 0; i < bt_value_count(flows); i++) {
        const struct bt_value *flow = bt_list_at(flows, i);
        struct bt_str want = bt_map_str(flow, "flowId");
        if (bt_str_eq(bt_map_str(flow, "namespace"), namespace) &&
            (!want.len || bt_str_eq(want, id)))
            return true;
    }
    return false;
}

static bool trigger_waits(const struct bt_value *trigger, struct bt_str namespace, struct bt_str id)
{
    static const char *const types[] = {"Flow", "flow", NULL};
    const struct bt_value *conditions = bt_map_gets(trigger, "conditions");
    const struct bt_value *preconditions = bt_map_gets(trigger, "preconditions");
    if (!is_type(trigger, types))
        return false;
    if (preconditions)
        return precondition_accepts(preconditions, namespace, id);
    for (size_t i = 0; i < bt_value_count(conditions); i++)
        if (!accepts(bt_list_at(conditions, i), namespace, id, 0))
            return false;
    return true;
}

bool bt_flow_waits_for(const struct bt_value *tree, struct bt_str namespace, struct bt_str id)
{
    const struct bt_value *triggers = bt_map_gets(tree, "triggers");
    for (size_t i = 0; i < bt_value_count(triggers); i++)
        if (trigger_waits(bt_list_at(triggers, i), namespace, id))
            return true;
    return false;
}

/* --- All flows -------------------------------------------------------------------------------- */

struct topology {
    BT_VEC(struct bt_flow *) flows; /* References. */
    bool *is_in;                    /* By index: shown. Owned. */
    struct bt_value *nodes, *edges; /* Owned. */
};

static int keep_flow(void *data, const struct bt_found_flow *found)
{
    struct topology *topology = data;
    bt_vec_push(&topology->flows, bt_flow_ref(found->flow));
    return BT_OK;
}

static const char *relation_of(const struct bt_flow *from, const struct bt_flow *to)
{
    if (bt_flow_calls(from->tree, bt_str_of(to->namespace), bt_str_of(to->id)))
        return "FLOW_TASK";
    if (from != to && bt_flow_waits_for(to->tree, bt_str_of(from->namespace), bt_str_of(from->id)))
        return "FLOW_TRIGGER";
    return NULL;
}

static struct bt_value *uid_of(const struct bt_flow *flow)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uid = BT_BUF_INIT(1024);
    (void)bt_buf_addf(&uid, "%s_%s", flow->namespace, flow->id); /* Ids are short. */
    return bt_value_string(bt_buf_str(&uid));
}

static int add_node(struct topology *topology, size_t index)
{
    const struct bt_flow *flow = topology->flows.items[index];
    BT_VALUE node = bt_map_new(3);
    if (topology->is_in[index])
        return BT_OK;
    topology->is_in[index] = true;
    int rc = bt_map_puts(node, "uid", uid_of(flow));
    rc |= bt_map_puts(node, "namespace", bt_value_cstr(flow->namespace));
    rc |= bt_map_puts(node, "id", bt_value_cstr(flow->id));
    return rc == BT_OK ? bt_list_push(topology->nodes, BT_TAKE(node)) : BT_NO_MEM;
}

static int add_edge(struct topology *topology, size_t from, size_t to, const char *relation)
{
    BT_VALUE edge = bt_map_new(3);
    int rc = bt_map_puts(edge, "source", uid_of(topology->flows.items[from]));
    rc |= bt_map_puts(edge, "target", uid_of(topology->flows.items[to]));
    rc |= bt_map_puts(edge, "relation", bt_value_cstr(relation));
    rc |= add_node(topology, from);
    rc |= add_node(topology, to);
    return rc == BT_OK ? bt_list_push(topology->edges, BT_TAKE(edge)) : BT_NO_MEM;
}

/* The edges of one flow, each once: those out of it here, those into it when the other one's turn
 * does not give them. */
static int add_edges(struct topology *topology, size_t at, bool is_downstream, const bool *done)
{
    const struct bt_flow *flow = topology->flows.items[at];
    for (size_t i = 0; i < topology->flows.count; i++) {
        const struct bt_flow *other = topology->flows.items[i];
        const char *out = done[i] && !is_downstream && i != at ? NULL : relation_of(flow, other);
        const char *in = i == at || done[i] || is_downstream ? NULL : relation_of(other, flow);
        if (out && add_edge(topology, at, i, out) < 0)
            return BT_NO_MEM;
        if (in && add_edge(topology, i, at, in) < 0)
            return BT_NO_MEM;
    }
    return BT_OK;
}

static bool is_asked_for(const struct bt_topology_query *query, const struct bt_flow *flow)
{
    return bt_str_is(query->namespace, flow->namespace) &&
           (!query->id.len || bt_str_is(query->id, flow->id));
}

static int walk(struct topology *topology, const struct bt_topology_query *query, bool *done)
{
    bool is_more = true;
    for (size_t i = 0; i < topology->flows.count; i++)
        if (is_asked_for(query, topology->flows.items[i]))
            BT_TRY(add_node(topology, i));
    bool *wanted = topology->is_in;
    for (size_t i = 0; !query->is_whole && i < topology->flows.count; i++) {
        if (!is_asked_for(query, topology->flows.items[i]))
            continue;
        BT_TRY(add_edges(topology, i, query->is_downstream, done));
        done[i] = true;
    }
    while (query->is_whole && is_more) {
        is_more = false;
        for (size_t i = 0; i < topology->flows.count; i++) {
            if (!wanted[i] || done[i])
                continue;
            BT_TRY(add_edges(topology, i, query->is_downstream, done));
            done[i] = is_more = true;
        }
    }
    return BT_OK;
}

static int give(struct topology *topology, const struct bt_topology_query *query,
                struct bt_value **ret_graph)
{
    BT_VALUE graph = bt_map_new(2);
    bool *done = calloc(topology->flows.count + 1, sizeof *done);
    topology->is_in = calloc(topology->flows.count + 1, sizeof *topology->is_in);
    topology->nodes = bt_list_new(4);
    topology->edges = bt_list_new(4);
    int rc = done && topology->is_in && topology->nodes && topology->edges
                 ? walk(topology, query, done)
                 : BT_NO_MEM;
    rc |= bt_map_puts(graph, "nodes", BT_TAKE(topology->nodes));
    rc |= bt_map_puts(graph, "edges", BT_TAKE(topology->edges));
    free(done);
    if (rc == BT_OK)
        *ret_graph = BT_TAKE(graph);
    return rc == BT_OK ? BT_OK : BT_NO_MEM;
}

int bt_service_topology(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_topology_query *query, struct bt_value **ret_graph,
                        struct bt_err *err)
{
    struct topology topology = {0};
    int rc = bt_service_flows(service, principal, &(struct bt_flow_query){0},
                              &(struct bt_found_sink){keep_flow, &topology}, err);
    if (rc == BT_OK && give(&topology, query, ret_graph) < 0)
        rc = bt_fail_mem(err, "dependencies");
    for (size_t i = 0; i < topology.flows.count; i++)
        bt_flow_unref(topology.flows.items[i]);
    bt_vec_done(&topology.flows);
    free(topology.is_in);
    return rc;
}
