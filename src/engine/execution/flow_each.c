/* flow_each.c — ForEach, EachSequential, EachParallel: the values, checked and without doubles. */
#include "engine/execution/step_int.h"

#include "base/limits.h"
#include "value/json.h"

/* The text that stands for a value: texts as they are, anything else as JSON. */
static struct bt_value *value_text(const struct bt_value *value)
{
    if (bt_value_is(value, BT_KIND_STRING))
        return bt_value_string(bt_value_str(value));
    return bt_json_text(value);
}

/* The raw list: a list as it is, a text as JSON. */
static int read_list(struct bt_value *rendered, struct bt_value **ret_list, struct bt_err *err)
{
    if (bt_value_is(rendered, BT_KIND_LIST)) {
        *ret_list = bt_value_ref(rendered);
        return BT_OK;
    }
    if (!bt_value_is(rendered, BT_KIND_STRING))
        return bt_fail(err, BT_INVALID, "Unknown value type: %s",
                       bt_kind_name(bt_value_kind(rendered)));
    BT_VALUE list = NULL;
    int rc = bt_json_parse(bt_value_str(rendered), NULL, &list, err);
    if (rc < 0)
        return bt_err_prefix(err, "the values are not a JSON array");
    if (!bt_value_is(list, BT_KIND_LIST)) {
        (void)bt_fail(err, BT_INVALID, "the values are a JSON %s, not a JSON array",
                      bt_kind_name(bt_value_kind(list)));
        return bt_hint(err, "write a list, or a text that renders to one, as '[\"a\", \"b\"]'");
    }
    *ret_list = BT_TAKE(list);
    return BT_OK;
}

static int check_nulls(const struct bt_value *list, struct bt_err *err)
{
    size_t nulls = 0;
    for (size_t i = 0; i < bt_value_count(list); i++)
        nulls += bt_value_is_null(bt_list_at(list, i));
    if (nulls == 0)
        return BT_OK;
    BT_VALUE text = bt_json_text(list);
    return bt_fail(err, BT_INVALID, "Found '%zu' null values on Each, with values=%.*s", nulls,
                   BT_FMT(bt_value_str(text)));
}

/* Texts in order, the first of equal ones kept. A map keeps order and finds doubles. */
static int distinct_texts(const struct bt_value *list, struct bt_value **ret_values,
                          struct bt_err *err)
{
    BT_VALUE seen = bt_map_new(bt_value_count(list));
    BT_VALUE values = bt_list_new(bt_value_count(list));
    if (!seen || !values)
        return bt_fail_mem(err, "iteration values");
    for (size_t i = 0; i < bt_value_count(list); i++) {
        BT_VALUE text = value_text(bt_list_at(list, i));
        if (!text)
            return bt_fail_mem(err, "iteration values");
        if (bt_map_get(seen, bt_value_str(text)))
            continue;
        if (bt_map_put_key(seen, text, bt_value_null()) < 0 ||
            bt_list_push(values, bt_value_ref(text)) < 0)
            return bt_fail_mem(err, "iteration values");
    }
    *ret_values = BT_TAKE(values);
    return BT_OK;
}

int each_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    const char *name = task->type->op == BT_OP_FOREACH ? "values" : "value";
    BT_VALUE rendered = NULL;
    BT_TRY(step_render(step, run, name, &rendered, err));
    BT_TRY(refuse_sealed(rendered, "an iteration value", err));
    BT_VALUE list = NULL, *values = NULL;
    BT_TRY(read_list(rendered, &list, err));
    BT_TRY(check_nulls(list, err));
    if (bt_value_count(list) > BT_ITERATION_VALUES_MAX)
        return bt_fail(err, BT_LIMIT, "%zu iteration values are more than the limit of %u",
                       bt_value_count(list), BT_ITERATION_VALUES_MAX);
    BT_TRY(distinct_texts(list, &values, err));
    const struct bt_task_list *tasks =
        bt_lists_find(task->lists, task->list_count, BT_BRANCH_TASKS, BT_STR_NONE);
    uint32_t count = (uint32_t)bt_value_count(values);
    bool is_flat = task->type->op == BT_OP_EACH_PARALLEL;
    if (is_flat && tasks && count > BT_ITERATION_VALUES_MAX / tasks->count)
        return bt_fail(err, BT_LIMIT, "%u values × %u tasks are more than the limit of %u", count,
                       tasks->count, BT_ITERATION_VALUES_MAX);
    step_changed(step, run);
    run->group.list = tasks ? (uint32_t)(tasks - task->lists) : BT_NO_TASK;
    run->group.lanes = !tasks ? 0 : is_flat ? count * tasks->count : count;
    struct bt_effect *effect = step_effect(step, BT_EFFECT_VALUES);
    effect->taskrun = run->n;
    effect->value = BT_TAKE(values);
    return BT_OK;
}
