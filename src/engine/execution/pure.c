/* pure.c — Tasks that touch nothing outside their execution: run by the engine itself, in the
 * batch.
 *
 * Each reads and renders first, then calls attempt_open(), then changes. */
#include "engine/execution/step_int.h"

#include "value/json.h"
#include "value/sealed.h"

#include <assert.h>
#include <stdlib.h>

/* The text that printing a value gives, as an owned STRING; of a sealed one the masked text. */
static int print(const struct bt_value *value, struct bt_value **ret_text, struct bt_err *err)
{
    if (bt_sealed_is(value))
        value = bt_sealed_masked(value);
    if (bt_value_is(value, BT_KIND_STRING)) {
        *ret_text = bt_value_ref(value);
        return BT_OK;
    }
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(10u << 20);
    BT_TRY(bt_value_print(value, &text, err));
    *ret_text = bt_value_string(bt_buf_str(&text));
    return *ret_text ? BT_OK : bt_fail_mem(err, "text");
}

static int render_text(struct bt_step *step, struct bt_taskrun *run, const char *name,
                       struct bt_value **ret_text, struct bt_err *err)
{
    BT_VALUE value = NULL;
    BT_TRY(step_render(step, run, name, &value, err));
    if (!value)
        return BT_OK;
    return print(value, ret_text, err);
}

static int render_level(struct bt_step *step, struct bt_taskrun *run, enum bt_level *ret_level,
                        struct bt_err *err)
{
    BT_VALUE text = NULL;
    *ret_level = BT_LEVEL_INFO;
    BT_TRY(render_text(step, run, "level", &text, err));
    if (!text || bt_level_parse(bt_value_str(text), ret_level))
        return BT_OK;
    (void)bt_fail(err, BT_INVALID, "unknown log level '%.*s'", BT_FMT(bt_value_str(text)));
    return bt_hint(err, "use TRACE, DEBUG, INFO, WARN or ERROR");
}

static int run_log(struct bt_step *step, struct bt_taskrun *run, const char *name,
                   struct bt_err *err)
{
    BT_VALUE message = NULL;
    enum bt_level level;
    BT_TRY(step_render(step, run, name, &message, err));
    BT_TRY(render_level(step, run, &level, err));
    if (!bt_value_is(message, BT_KIND_LIST)) {
        BT_VALUE text = NULL;
        BT_TRY(print(message, &text, err));
        attempt_open(step, run);
        step_log_value(step, run, level, BT_TAKE(text));
        return BT_OK;
    }
    BT_VALUE texts = bt_list_new(bt_value_count(message));
    for (size_t i = 0; i < bt_value_count(message); i++) {
        struct bt_value *text = NULL;
        BT_TRY(print(bt_list_at(message, i), &text, err));
        if (bt_list_push(texts, text) < 0)
            return bt_fail_mem(err, "log");
    }
    attempt_open(step, run);
    for (size_t i = 0; i < bt_value_count(texts); i++)
        step_log_value(step, run, level, bt_value_ref(bt_list_at(texts, i)));
    return BT_OK;
}

static int metric(struct bt_value *metrics, const char *name, const char *type,
                  struct bt_value *number)
{
    BT_VALUE item = bt_map_new(3);
    if (bt_map_puts(item, "name", bt_value_cstr(name)) < 0 ||
        bt_map_puts(item, "type", bt_value_cstr(type)) < 0 ||
        bt_map_puts(item, "value", number) < 0)
        return BT_NO_MEM;
    return bt_list_push(metrics, BT_TAKE(item));
}

/* A map of one key. Takes the value. */
static int one_output(const char *name, struct bt_value *value, struct bt_value **ret_outputs,
                      struct bt_err *err)
{
    BT_VALUE outputs = bt_map_new(1);
    if (bt_map_puts(outputs, name, value) < 0)
        return bt_fail_mem(err, "outputs");
    *ret_outputs = BT_TAKE(outputs);
    return BT_OK;
}

/* Takes the outputs. Only what a worker has rendered can be sealed. */
static void set_outputs(const struct bt_step *step, struct bt_taskrun *run,
                        struct bt_value *outputs)
{
    bt_value_unref(run->outputs);
    run->outputs = outputs;
    run->is_spilled = false;
    run->is_sealed = step->evaluated && bt_sealed_has(outputs);
}

static int run_return(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_VALUE value = NULL, *text = NULL, *outputs = NULL;
    BT_TRY(step_render(step, run, "format", &value, err));
    if (!value)
        return bt_fail(err, BT_INVALID, "`format` is missing");
    BT_TRY(print(value, &text, err));
    BT_VALUE metrics = bt_list_new(2);
    if (metric(metrics, "length", "counter", bt_value_int((int64_t)bt_value_str(text).len)) < 0 ||
        metric(metrics, "duration", "timer", bt_value_double(0)) < 0)
        return bt_fail_mem(err, "metrics");
    BT_TRY(one_output("value", bt_value_ref(bt_sealed_is(value) ? value : text), &outputs, err));
    attempt_open(step, run);
    set_outputs(step, run, BT_TAKE(outputs));
    bt_value_unref(run->metrics);
    run->metrics = BT_TAKE(metrics);
    step_log_value(step, run, BT_LEVEL_DEBUG, BT_TAKE(text));
    return BT_OK;
}

static int run_output_values(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_VALUE values = NULL, *outputs = NULL;
    BT_TRY(step_render(step, run, "values", &values, err));
    BT_TRY(one_output("values", values ? BT_TAKE(values) : bt_value_null(), &outputs, err));
    attempt_open(step, run);
    set_outputs(step, run, BT_TAKE(outputs));
    return BT_OK;
}

/* A condition or option; untouched when the task does not have it. */
static int flag(struct bt_step *step, struct bt_taskrun *run, const char *name, bool *ret_flag,
                struct bt_err *err)
{
    const struct bt_dyn *prop = bt_task_prop(step_task(step, run), name);
    return prop ? step_render_bool(step, (struct step_prop){run, name, prop}, ret_flag, err)
                : BT_OK;
}

static int run_fail(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_VALUE message = NULL;
    bool is_conditional = bt_task_prop(step_task(step, run), "condition"), holds = true;
    BT_TRY(flag(step, run, "condition", &holds, err));
    if (!holds) {
        attempt_open(step, run);
        return BT_OK;
    }
    BT_TRY(render_text(step, run, "errorMessage", &message, err));
    struct bt_str text = message ? bt_value_str(message) : BT_STR("Task failure");
    attempt_open(step, run);
    if (!is_conditional)
        return bt_fail(err, BT_INVALID, "%.*s", BT_FMT(text));
    step_log_value(step, run, BT_LEVEL_ERROR, bt_value_string(text));
    return bt_fail(err, BT_INVALID, "Fail on a condition");
}

/* Renders one condition by itself, so that one broken condition does not hide the others. */
static int condition_holds(struct bt_step *step, struct bt_taskrun *run, size_t index,
                           bool *ret_holds, struct bt_err *err)
{
    char key[64];
    const struct bt_dyn *conditions = bt_task_prop(step_task(step, run), "conditions");
    BT_CLEANUP(bt_dyn_unref_p) struct bt_dyn *dyn = NULL;
    (void)snprintf(key, sizeof key, "conditions/%zu", index); /* Fits. */
    BT_TRY(bt_dyn_compile(bt_list_at(bt_dyn_raw(conditions), index), &dyn, err));
    return step_render_bool(step, (struct step_prop){run, key, dyn}, ret_holds, err);
}

static int run_assert(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_dyn *conditions = bt_task_prop(step_task(step, run), "conditions");
    const struct bt_value *raw = conditions ? bt_dyn_raw(conditions) : NULL;
    BT_VALUE message = NULL, *lines = bt_list_new(0);
    BT_TRY(render_text(step, run, "errorMessage", &message, err));
    for (size_t i = 0; i < bt_value_count(raw); i++) {
        const struct bt_value *condition = bt_list_at(raw, i);
        bool holds = false;
        int rc = condition_holds(step, run, i, &holds, err);
        if (rc == BT_NEED)
            return rc;
        if (rc == BT_OK && holds)
            continue;
        BT_CLEANUP(bt_buf_done) struct bt_buf line = BT_BUF_INIT(64u << 10);
        (void)bt_buf_addf(&line, "Assertion `%.*s` failed", BT_FMT(bt_value_str(condition)));
        if (rc < 0)
            (void)bt_buf_addf(&line, ", it cannot be rendered: %s", err->msg);
        if (bt_list_push(lines, bt_value_string(bt_buf_str(&line))) < 0)
            return bt_fail_mem(err, "assert");
    }
    attempt_open(step, run);
    size_t failed = bt_value_count(lines);
    for (size_t i = 0; i < failed; i++)
        step_log_value(step, run, BT_LEVEL_ERROR, bt_value_ref(bt_list_at(lines, i)));
    if (failed == 0)
        return BT_OK;
    if (message)
        step_log_value(step, run, BT_LEVEL_ERROR, BT_TAKE(message));
    return bt_fail(err, BT_INVALID, "%zu assertion%s failed!", failed, failed == 1 ? "" : "s");
}

/* Maps are merged at every level, anything else is replaced. */
static struct bt_value *merge(const struct bt_value *under, const struct bt_value *over)
{
    if (!bt_value_is(under, BT_KIND_MAP) || !bt_value_is(over, BT_KIND_MAP))
        return bt_value_ref(over);
    BT_VALUE merged = bt_value_copy(under);
    for (size_t i = 0; merged && i < bt_value_count(over); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *val = bt_map_at(over, i, &key);
        const struct bt_value *old = bt_map_get(under, bt_value_str(key));
        struct bt_value *item = old ? merge(old, val) : bt_value_ref(val);
        if (bt_map_put_key(merged, key, item) < 0)
            merged = bt_value_unref(merged);
    }
    return BT_TAKE(merged);
}

/* The variables of the execution: the flow's with those set by tasks over them. Owned. */
static struct bt_value *current_variables(const struct bt_step *step)
{
    if (step->exec->variables)
        return bt_value_ref(step->exec->variables);
    return step->flow->variables ? bt_value_ref(step->flow->variables) : bt_map_new(0);
}

static void replace_variables(struct bt_step *step, struct bt_taskrun *run,
                              struct bt_value *variables)
{
    attempt_open(step, run);
    bt_value_unref(step->exec->variables);
    step->exec->variables = variables;
    step->exec->is_sealed = bt_sealed_has(variables) || bt_sealed_has(step->exec->inputs) ||
                            bt_sealed_has(step->exec->trigger);
    step_changed(step, NULL);
}

static int run_set_variables(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_VALUE given = NULL;
    bool is_overwrite = true;
    BT_TRY(step_render(step, run, "variables", &given, err));
    BT_TRY(flag(step, run, "overwrite", &is_overwrite, err));
    if (!bt_value_is(given, BT_KIND_MAP))
        return bt_fail(err, BT_INVALID, "`variables` must be a map");
    BT_VALUE old = current_variables(step);
    for (size_t i = 0; !is_overwrite && i < bt_value_count(given); i++)
        if (bt_map_get(old, bt_map_key(given, i)))
            return bt_fail(err, BT_EXISTS,
                           "the variable '%.*s' exists already and `overwrite` is false",
                           BT_FMT(bt_map_key(given, i)));
    struct bt_value *merged = merge(old, given);
    if (!merged)
        return bt_fail_mem(err, "variables");
    replace_variables(step, run, merged);
    return BT_OK;
}

static int run_unset_variables(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_VALUE names = NULL;
    bool ignores_missing = false;
    BT_TRY(step_render(step, run, "variables", &names, err));
    BT_TRY(flag(step, run, "ignoreMissing", &ignores_missing, err));
    BT_VALUE old = current_variables(step);
    BT_VALUE left = bt_value_copy(old);
    if (!left)
        return bt_fail_mem(err, "variables");
    for (size_t i = 0; i < bt_value_count(names); i++) {
        struct bt_str name = bt_value_str(bt_list_at(names, i));
        if (!bt_map_remove(left, name) && !ignores_missing)
            return bt_fail(err, BT_NOT_FOUND, "there is no variable '%.*s'", BT_FMT(name));
    }
    replace_variables(step, run, BT_TAKE(left));
    return BT_OK;
}

int put_label(struct bt_value *labels, struct bt_str key, const struct bt_value *value,
              struct bt_err *err)
{
    if (!bt_value_is(value, BT_KIND_STRING))
        return bt_fail(err, BT_INVALID, "the value of label '%.*s' must be a text", BT_FMT(key));
    if (bt_str_starts(key, BT_STR("system.")))
        return bt_fail(err, BT_INVALID,
                       "System labels can only be set by Kestra itself, offending label: %.*s=%.*s",
                       BT_FMT(key), BT_FMT(bt_value_str(value)));
    return bt_map_put(labels, key, bt_value_ref(value)) < 0 ? bt_fail_mem(err, "labels") : BT_OK;
}

static int run_labels(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_VALUE given = NULL;
    BT_TRY(step_render(step, run, "labels", &given, err));
    BT_TRY(refuse_sealed(given, "a label", err));
    if (bt_value_is(given, BT_KIND_STRING)) {
        BT_VALUE parsed = NULL;
        BT_TRY(bt_json_parse(bt_value_str(given), NULL, &parsed, err));
        bt_value_unref(given);
        given = BT_TAKE(parsed);
    }
    BT_VALUE labels = step->exec->labels ? bt_value_copy(step->exec->labels) : bt_map_new(0);
    if (!bt_value_is(given, BT_KIND_MAP) && !bt_value_is(given, BT_KIND_LIST))
        return bt_fail(err, BT_INVALID, "Unknown value type: %s",
                       bt_kind_name(bt_value_kind(given)));
    for (size_t i = 0; i < bt_value_count(given); i++) {
        const struct bt_value *item = bt_list_at(given, i);
        if (bt_value_is(given, BT_KIND_MAP))
            BT_TRY(put_label(labels, bt_map_key(given, i), bt_map_at(given, i, NULL), err));
        else
            BT_TRY(put_label(labels, bt_map_str(item, "key"), bt_map_gets(item, "value"), err));
    }
    attempt_open(step, run);
    bt_value_unref(step->exec->labels);
    step->exec->labels = BT_TAKE(labels);
    step_changed(step, NULL);
    return BT_OK;
}

int pure_run(struct bt_step *step, struct bt_taskrun *run, enum bt_state *ret_state,
             struct bt_err *err)
{
    *ret_state = BT_SUCCESS;
    switch (step_task(step, run)->type->op) {
    case BT_OP_LOG: return run_log(step, run, "message", err);
    case BT_OP_ECHO: return run_log(step, run, "format", err);
    case BT_OP_RETURN: return run_return(step, run, err);
    case BT_OP_OUTPUT_VALUES: return run_output_values(step, run, err);
    case BT_OP_FAIL: return run_fail(step, run, err);
    case BT_OP_ASSERT: return run_assert(step, run, err);
    case BT_OP_SET_VARIABLES: return run_set_variables(step, run, err);
    case BT_OP_UNSET_VARIABLES: return run_unset_variables(step, run, err);
    case BT_OP_LABELS: return run_labels(step, run, err);
    default: break;
    }
    return bt_fail(err, BT_INVALID, "the engine does not know the pure task '%s'",
                   step_task(step, run)->type->name);
}
