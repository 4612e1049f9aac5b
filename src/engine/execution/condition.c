/* condition.c — Conditions about an execution that has ended, of listeners. Pure. */
#include "engine/execution/step_int.h"

#include <strings.h>

/* The last part of a class name, without the word that older names end with. */
static struct bt_str short_name(struct bt_str type)
{
    for (size_t i = type.len; i-- > 0;)
        if (type.at[i] == '.') {
            type = bt_str_slice(type, i + 1, type.len);
            break;
        }
    struct bt_str word = BT_STR("Condition");
    if (type.len > word.len && bt_str_eq(bt_str_slice(type, type.len - word.len, type.len), word))
        type = bt_str_slice(type, 0, type.len - word.len);
    return type;
}

static bool has_text(const struct bt_value *list, const char *text)
{
    for (size_t i = 0; i < bt_value_count(list); i++)
        if (bt_str_is(bt_value_str(bt_list_at(list, i)), text))
            return true;
    return false;
}

static bool status_holds(const struct bt_step *step, const struct bt_value *condition)
{
    const char *state = bt_state_name(step->exec->state);
    const struct bt_value *in = bt_map_gets(condition, "in");
    return (!in || has_text(in, state)) && !has_text(bt_map_gets(condition, "notIn"), state);
}

static bool namespace_holds(const struct bt_step *step, const struct bt_value *condition)
{
    struct bt_str own = bt_str_of(step->exec->namespace);
    struct bt_str wanted = bt_map_str(condition, "namespace");
    struct bt_str comparison = bt_map_str(condition, "comparison");
    if (bt_str_is(comparison, "PREFIX") || bt_value_as_bool(bt_map_gets(condition, "prefix")))
        return bt_str_starts(own, wanted);
    if (bt_str_is(comparison, "SUFFIX"))
        return own.len >= wanted.len &&
               bt_str_eq(bt_str_slice(own, own.len - wanted.len, own.len), wanted);
    return bt_str_eq(own, wanted);
}

static bool label_holds(const struct bt_step *step, struct bt_str key, struct bt_str value)
{
    const struct bt_value *have = bt_map_get(step->exec->labels, key);
    return have && bt_str_eq(bt_value_str(have), value);
}

static bool labels_hold(const struct bt_step *step, const struct bt_value *labels)
{
    for (size_t i = 0; i < bt_value_count(labels); i++) {
        const struct bt_value *item = bt_list_at(labels, i);
        bool holds =
            bt_value_is(labels, BT_KIND_MAP)
                ? label_holds(step, bt_map_key(labels, i), bt_value_str(bt_map_at(labels, i, NULL)))
                : label_holds(step, bt_map_str(item, "key"), bt_map_str(item, "value"));
        if (!holds)
            return false;
    }
    return true;
}

/* Text that is not blank and not "false". */
static int expression_holds(struct bt_step *step, const struct bt_value *condition, bool *ret_holds,
                            struct bt_err *err)
{
    BT_CLEANUP(bt_dyn_unref_p) struct bt_dyn *dyn = NULL;
    const struct bt_value *raw = bt_map_gets(condition, "expression");
    *ret_holds = false;
    if (!raw)
        return BT_OK;
    BT_TRY(bt_dyn_compile(raw, &dyn, err));
    BT_VALUE rendered = NULL;
    BT_TRY(step_render_prop(step, (struct step_prop){NULL, "expression", dyn}, &rendered, err));
    struct bt_str text = bt_str_trim(bt_value_str(rendered));
    *ret_holds = text.len && !bt_str_is(text, "false");
    return BT_OK;
}

static int condition_holds(struct bt_step *step, const struct bt_value *condition, bool *ret_holds,
                           struct bt_err *err);

/* Whether any of a list holds. */
static int any_holds(struct bt_step *step, const struct bt_value *list, bool *ret_holds,
                     struct bt_err *err)
{
    *ret_holds = false;
    for (size_t i = 0; !*ret_holds && i < bt_value_count(list); i++)
        BT_TRY(condition_holds(step, bt_list_at(list, i), ret_holds, err));
    return BT_OK;
}

static int condition_holds(struct bt_step *step, const struct bt_value *condition, bool *ret_holds,
                           struct bt_err *err)
{
    struct bt_str name = short_name(bt_map_str(condition, "type"));
    const struct bt_exec *exec = step->exec;
    if (bt_str_is(name, "ExecutionStatus"))
        *ret_holds = status_holds(step, condition);
    else if (bt_str_is(name, "ExecutionNamespace") || bt_str_is(name, "FlowNamespace"))
        *ret_holds = namespace_holds(step, condition);
    else if (bt_str_is(name, "ExecutionFlow") || bt_str_is(name, "Flow"))
        *ret_holds = bt_str_is(bt_map_str(condition, "namespace"), exec->namespace) &&
                     bt_str_is(bt_map_str(condition, "flowId"), exec->flow_id);
    else if (bt_str_is(name, "ExecutionLabels"))
        *ret_holds = labels_hold(step, bt_map_gets(condition, "labels"));
    else if (bt_str_is(name, "Expression") || bt_str_is(name, "Variable"))
        return expression_holds(step, condition, ret_holds, err);
    else if (bt_str_is(name, "Or"))
        return any_holds(step, bt_map_gets(condition, "conditions"), ret_holds, err);
    else if (bt_str_is(name, "Not")) {
        BT_TRY(any_holds(step, bt_map_gets(condition, "conditions"), ret_holds, err));
        *ret_holds = !*ret_holds;
    } else {
        return bt_fail(err, BT_INVALID, "a listener cannot have a condition of type '%.*s'",
                       BT_FMT(bt_map_str(condition, "type")));
    }
    return BT_OK;
}

int conditions_hold(struct bt_step *step, const struct bt_value *conditions, bool *ret_holds,
                    struct bt_err *err)
{
    *ret_holds = true;
    for (size_t i = 0; *ret_holds && i < bt_value_count(conditions); i++) {
        int rc = condition_holds(step, bt_list_at(conditions, i), ret_holds, err);
        if (rc == BT_NEED && !is_for_worker(step, rc))
            return rc;
        if (rc == BT_OK)
            continue;
        *ret_holds = false;
        step_log(step, NULL, BT_LEVEL_WARN, "a condition of a listener cannot be decided: %s",
                 rc == BT_NEED ? "it asks for the world" : err->msg);
    }
    return BT_OK;
}
