/* create.h — An execution before it begins: its inputs and labels. Pure. */
#pragma once
#include "engine/execution/rows.h"

struct bt_new_exec {
    const struct bt_value *inputs; /* Map: given values, or NULL. */
    const struct bt_value *labels; /* Map of texts laid over the flow's, or NULL. */
    struct bt_str correlation;     /* Id of the first execution of the chain; empty: itself. */
};
/* Fills namespace, flow, revision, inputs and labels; tenant and id are set. The message of
 * BT_INVALID names the first wrong input. */
int bt_exec_fill(struct bt_exec *exec, const struct bt_flow *flow, const struct bt_new_exec *given,
                 struct bt_err *err);
