/* inputs.c — Given values to the inputs of an execution. Pure.
 *
 * Inputs are resolved behind those they depend on. An input whose condition is not true does not
 * exist; conditions and expressions see the flow's name and the inputs that they say they need. */
#include "model/input_int.h"

#include "base/limits.h"
#include "base/own.h"

struct resolving {
    const struct bt_input_request *request;
    struct bt_value **values; /* By index of the input; owned. NULL: it does not exist. */
    struct bt_err *err;
};

const struct bt_input *bt_inputs_find(const struct bt_input_set *set, struct bt_str id)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (bt_str_is(id, set->items[i].id))
            return &set->items[i];
    return NULL;
}

static int fail_input(const struct bt_input *input, const char *msg, const struct bt_value *value,
                      struct bt_err *err)
{
    enum { SHOWN_MAX = 200 };
    struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    struct bt_str shown = BT_STR("null");
    if (!bt_value_is_null(value)) {
        if (bt_value_print(value, &text, NULL) != BT_OK)
            bt_buf_clear(&text);
        shown = bt_buf_str(&text);
    }
    int rc = bt_fail(err, BT_INVALID, "Invalid input for `%s`, %s, but received `%.*s`", input->id,
                     msg, BT_FMT(bt_str_slice(shown, 0, SHOWN_MAX)));
    bt_buf_done(&text);
    return rc;
}

int bt_map_put_dotted(struct bt_value *map, struct bt_str id, struct bt_value *value)
{
    ptrdiff_t dot = bt_str_find(id, BT_STR("."), 0);
    if (dot <= 0)
        return bt_map_put(map, id, value);
    struct bt_str name = bt_str_slice(id, 0, (size_t)dot);
    BT_VALUE held = value;
    const struct bt_value *old = bt_map_get(map, name);
    BT_VALUE inner = bt_value_is(old, BT_KIND_MAP) ? bt_value_copy(old) : bt_map_new(4);
    if (!inner)
        return BT_NO_MEM;
    BT_TRY(bt_map_put_dotted(inner, bt_str_slice(id, (size_t)dot + 1, id.len), BT_TAKE(held)));
    return bt_map_put(map, name, BT_TAKE(inner));
}

/* What a condition or expression of an input may see. */
static int variables_of(const struct resolving *resolving, const struct bt_input *input,
                        struct bt_value **ret_variables)
{
    const struct bt_flow *of = resolving->request->flow;
    BT_VALUE inputs = bt_map_new(input->depends_count);
    BT_VALUE flow = bt_map_new(3);
    BT_VALUE variables = bt_map_new(2);
    bool is_good = inputs && flow && variables;
    for (uint32_t i = 0; is_good && i < input->depends_count; i++) {
        uint32_t index = input->depends_on[i];
        if (resolving->values[index])
            is_good = bt_map_put_dotted(inputs, bt_str_of(resolving->request->set.items[index].id),
                                        bt_value_ref(resolving->values[index])) == BT_OK;
    }
    is_good = is_good && bt_map_puts(flow, "id", bt_value_cstr(of->id)) == BT_OK &&
              bt_map_puts(flow, "namespace", bt_value_cstr(of->namespace)) == BT_OK &&
              bt_map_puts(flow, "revision", bt_value_int(of->revision)) == BT_OK &&
              bt_map_puts(variables, "flow", BT_TAKE(flow)) == BT_OK &&
              bt_map_puts(variables, "inputs", BT_TAKE(inputs)) == BT_OK;
    if (!is_good)
        return bt_fail_mem(resolving->err, "resolving inputs");
    *ret_variables = BT_TAKE(variables);
    return BT_OK;
}

/* Renders one property of an input; a failure to render is in *cause. */
static int render(const struct resolving *resolving, const struct bt_input *input,
                  const struct bt_dyn *dyn, struct bt_value **ret_value, struct bt_err *cause)
{
    BT_VALUE variables = NULL;
    BT_TRY(variables_of(resolving, input, &variables));
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    BT_TRY(bt_template_parse(bt_value_str(bt_dyn_raw(dyn)), &template, cause));
    struct bt_scope scope;
    bt_scope_of_map(&scope, variables);
    return bt_template_render_typed(template, &scope, ret_value, cause);
}

/* Whether the condition is exactly true. One that cannot be rendered is not. */
static int is_enabled(const struct resolving *resolving, const struct bt_input *input,
                      bool *ret_is_enabled)
{
    *ret_is_enabled = true;
    if (!input->condition)
        return BT_OK;
    BT_VALUE value = NULL;
    struct bt_err cause = BT_ERR_INIT;
    int rc = render(resolving, input, input->condition, &value, &cause);
    if (rc == BT_NO_MEM)
        return bt_fail_mem(resolving->err, "resolving inputs");
    *ret_is_enabled = rc == BT_OK && bt_value_is(value, BT_KIND_BOOL) && bt_value_as_bool(value);
    return BT_OK;
}

/* The spec with `values` from the input's expression. */
static int spec_of(const struct resolving *resolving, const struct bt_input *input,
                   struct bt_value **ret_spec)
{
    if (!input->expression) {
        *ret_spec = bt_value_ref(input->spec);
        return BT_OK;
    }
    BT_VALUE values = NULL;
    struct bt_err cause = BT_ERR_INIT;
    int rc = render(resolving, input, input->expression, &values, &cause);
    if (rc != BT_OK)
        return fail_input(input, cause.msg, NULL, resolving->err);
    BT_VALUE spec = bt_value_copy(input->spec);
    if (!spec || bt_map_puts(spec, "values", BT_TAKE(values)) != BT_OK)
        return bt_fail_mem(resolving->err, "resolving inputs");
    *ret_spec = BT_TAKE(spec);
    return BT_OK;
}

static bool takes_empty(enum bt_input_type type)
{
    return type == BT_INPUT_STRING || type == BT_INPUT_SECRET || type == BT_INPUT_EMAIL;
}

static int resolve_one(const struct resolving *resolving, const struct bt_input *input,
                       struct bt_value **ret_value)
{
    const struct bt_value *value = bt_map_gets(resolving->request->given, input->id);
    bool is_empty = bt_value_is(value, BT_KIND_STRING) && bt_value_str(value).len == 0 &&
                    !takes_empty(input->type);
    if (bt_value_is_null(value) || is_empty)
        value = input->defaults;
    if (bt_value_is_null(value) && input->is_required)
        return fail_input(input, "missing required input", NULL, resolving->err);
    BT_VALUE spec = NULL;
    BT_TRY(spec_of(resolving, input, &spec));
    struct bt_err cause = BT_ERR_INIT;
    int rc = bt_input_convert(input->type, spec, value, ret_value, &cause);
    if (rc == BT_NO_MEM)
        return bt_fail_mem(resolving->err, "resolving inputs");
    return rc == BT_OK ? rc : fail_input(input, cause.msg, value, resolving->err);
}

static int resolve_all(struct resolving *resolving, struct bt_value **ret_inputs)
{
    const struct bt_input_set *set = &resolving->request->set;
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t index = set->order[i];
        bool is_on;
        BT_TRY(is_enabled(resolving, &set->items[index], &is_on));
        if (is_on)
            BT_TRY(resolve_one(resolving, &set->items[index], &resolving->values[index]));
    }
    BT_VALUE inputs = bt_map_new(set->count);
    for (uint32_t i = 0; inputs && i < set->count; i++)
        if (resolving->values[i] && bt_map_put_dotted(inputs, bt_str_of(set->items[i].id),
                                                      bt_value_ref(resolving->values[i])) != BT_OK)
            inputs = bt_value_unref(inputs);
    if (!inputs)
        return bt_fail_mem(resolving->err, "resolving inputs");
    *ret_inputs = BT_TAKE(inputs);
    return BT_OK;
}

int bt_inputs_resolve(const struct bt_input_request *request, struct bt_value **ret_inputs,
                      struct bt_err *err)
{
    struct resolving resolving = {.request = request, .err = err};
    uint32_t count = request->set.count;
    resolving.values = calloc(count + 1u, sizeof *resolving.values);
    if (!resolving.values)
        return bt_fail_mem(err, "resolving inputs");
    int rc = resolve_all(&resolving, ret_inputs);
    for (uint32_t i = 0; i < count; i++)
        bt_value_unref(resolving.values[i]);
    free(resolving.values);
    return rc;
}

/* --- For somebody who fills in a form --------------------------------------------------------- */

struct check {
    struct bt_err error;
    bool is_enabled;
};

static int check_all(struct resolving *resolving, struct check *checks,
                     const struct bt_input_sink *sink)
{
    const struct bt_input_set *set = &resolving->request->set;
    struct bt_err *err = resolving->err;
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t index = set->order[i];
        struct check *check = &checks[index];
        BT_TRY(is_enabled(resolving, &set->items[index], &check->is_enabled));
        resolving->err = &check->error;
        int rc = check->is_enabled
                     ? resolve_one(resolving, &set->items[index], &resolving->values[index])
                     : BT_OK;
        resolving->err = err;
        if (rc == BT_NO_MEM)
            return bt_fail_mem(err, "inputs");
    }
    for (uint32_t i = 0; i < set->count; i++)
        BT_TRY(sink->each(
            sink->data,
            &(struct bt_input_check){.input = &set->items[i],
                                     .value = resolving->values[i],
                                     .is_enabled = checks[i].is_enabled,
                                     .error = checks[i].error.code ? checks[i].error.msg : NULL}));
    return BT_OK;
}

int bt_inputs_check(const struct bt_input_request *request, const struct bt_input_sink *sink,
                    struct bt_err *err)
{
    struct resolving resolving = {.request = request, .err = err};
    uint32_t count = request->set.count;
    struct check *checks = calloc(count + 1u, sizeof *checks);
    resolving.values = calloc(count + 1u, sizeof *resolving.values);
    int rc = checks && resolving.values ? check_all(&resolving, checks, sink)
                                        : bt_fail_mem(err, "inputs");
    for (uint32_t i = 0; resolving.values && i < count; i++)
        bt_value_unref(resolving.values[i]);
    free(resolving.values);
    free(checks);
    return rc;
}
