/* create.c — An execution before it begins: its inputs and labels. */
#include "engine/execution/create.h"

#include "value/sealed.h"

/* Flow labels first, the given ones over them; last the execution that the chain began with. */
static struct bt_value *merge_labels(const struct bt_value *flow, const struct bt_new_exec *given,
                                     struct bt_str own)
{
    BT_VALUE labels = flow ? bt_value_copy(flow) : bt_map_new(0);
    for (size_t i = 0; labels && i < bt_value_count(given->labels); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *val = bt_map_at(given->labels, i, &key);
        if (bt_map_put_key(labels, key, bt_value_ref(val)) < 0)
            return NULL;
    }
    struct bt_str first = given->correlation.len ? given->correlation : own;
    bool is_given = !given->correlation.len && bt_map_gets(labels, "system.correlationId");
    if (!is_given && bt_map_puts(labels, "system.correlationId", bt_value_string(first)) < 0)
        return NULL;
    return BT_TAKE(labels);
}

int bt_exec_fill(struct bt_exec *exec, const struct bt_flow *flow, const struct bt_new_exec *given,
                 struct bt_err *err)
{
    (void)snprintf(exec->namespace, sizeof exec->namespace, "%s", flow->namespace);
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "%s", flow->id); /* Checked sizes. */
    exec->revision = flow->revision;
    struct bt_input_request request = {flow, bt_flow_inputs(flow), given->inputs};
    BT_TRY(bt_inputs_resolve(&request, &exec->inputs, err));
    exec->labels = merge_labels(flow->labels, given, bt_id_str(&exec->id));
    exec->is_sealed = bt_sealed_has(exec->inputs);
    return exec->labels ? BT_OK : bt_fail_mem(err, "labels");
}
