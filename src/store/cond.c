/* cond.c — Conditions on the namespace and id of flows. Pure. */
#include "store/store.h"

#include <strings.h>

static bool starts(struct bt_str text, struct bt_str with)
{
    return text.len >= with.len && strncasecmp(text.at, with.at, with.len) == 0;
}

bool bt_namespace_is_below(struct bt_str name, struct bt_str namespace)
{
    return starts(name, namespace) && (name.len == namespace.len || name.at[namespace.len] == '.');
}

static bool cond_holds(const struct bt_flow_cond *cond, struct bt_str name)
{
    bool is = false;
    switch (cond->op) {
    case BT_OP_IS: is = name.len == cond->text.len && starts(name, cond->text); break;
    case BT_OP_BELOW: is = bt_namespace_is_below(name, cond->text); break;
    case BT_OP_STARTS: is = bt_str_starts(name, cond->text); break;
    case BT_OP_ENDS: is = bt_str_ends(name, cond->text); break;
    case BT_OP_CONTAINS: is = bt_str_find(name, cond->text, 0) >= 0; break;
    }
    return is != cond->is_negated;
}

bool bt_flow_conds_hold(const struct bt_flow_cond *conds, size_t count, struct bt_str namespace,
                        struct bt_str id)
{
    for (size_t i = 0; i < count; i++) {
        bool holds = false, is_first = true;
        for (size_t j = 0; j < count; j++) {
            if (conds[j].any != conds[i].any)
                continue;
            is_first = is_first && j >= i;
            holds =
                holds || cond_holds(&conds[j], conds[j].field == BT_FIELD_FLOW ? id : namespace);
        }
        if (is_first && !holds)
            return false;
    }
    return true;
}
