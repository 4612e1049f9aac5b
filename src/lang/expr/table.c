/* table.c — Looks up filters, functions and tests by name, and helps their rows. */
#include "lang/expr/expr_int.h"

#include <assert.h>

static const struct bt_fn_table *const filters[] = {
    &bt_fn_text_filters,   &bt_fn_code_filters, &bt_fn_list_filters,
    &bt_fn_number_filters, &bt_fn_date_filters, &bt_fn_data_filters,
};
static const struct bt_fn_table *const functions[] = {
    &bt_fn_core_functions,
    &bt_fn_date_functions,
    &bt_fn_world_functions,
    &bt_fn_data_functions,
};
static const struct bt_fn_table *const tests[] = {&bt_fn_tests};

static const struct bt_fn *find(const struct bt_fn_table *const *tables, size_t count,
                                struct bt_str name)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < tables[i]->count; k++)
            if (bt_str_is(name, tables[i]->rows[k].name))
                return &tables[i]->rows[k];
    return NULL;
}

static const char *nearest(const struct bt_fn_table *const *tables, size_t count,
                           struct bt_str name)
{
    const char *names[200];
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < tables[i]->count && found < BT_COUNT(names); k++)
            names[found++] = tables[i]->rows[k].name;
    return bt_str_nearest(name, names, found);
}

const struct bt_fn *bt_fn_filter(struct bt_str name)
{
    return find(filters, BT_COUNT(filters), name);
}

const struct bt_fn *bt_fn_function(struct bt_str name)
{
    return find(functions, BT_COUNT(functions), name);
}

const struct bt_fn *bt_fn_test(struct bt_str name)
{
    return find(tests, BT_COUNT(tests), name);
}

const char *bt_fn_nearest_filter(struct bt_str name)
{
    return nearest(filters, BT_COUNT(filters), name);
}

const char *bt_fn_nearest_function(struct bt_str name)
{
    return nearest(functions, BT_COUNT(functions), name);
}

/* --- Helpers of the rows ---------------------------------------------------------------------- */

int bt_call_give(struct bt_call *call, struct bt_value *value, struct bt_value **ret_value)
{
    *ret_value = value;
    return value ? BT_OK : bt_raise_mem(call->run);
}

int bt_call_string(struct bt_call *call, struct bt_str text, struct bt_value **ret_value)
{
    return bt_call_give(call, bt_value_string(text), ret_value);
}

int bt_call_take(struct bt_call *call, struct bt_buf *buf, struct bt_value **ret_value)
{
    int rc = bt_buf_check(buf, "the text", call->run->err);
    bt_eval_charge(call->run, buf->len);
    if (rc == BT_OK)
        rc = bt_call_string(call, bt_buf_str(buf), ret_value);
    bt_buf_done(buf);
    return rc;
}

int bt_call_text(struct bt_call *call, const struct bt_value *value, struct bt_value **ret_text)
{
    if (bt_value_is(value, BT_KIND_STRING) && bt_value_flavor(value) == BT_FLAVOR_PLAIN) {
        *ret_text = bt_value_ref(value);
        return BT_OK;
    }
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_java_text(value, &buf, call->run->err);
    if (rc == BT_OK)
        return bt_call_take(call, &buf, ret_text);
    bt_buf_done(&buf);
    return rc;
}

struct bt_value *bt_call_arg(const struct bt_call *call, size_t index)
{
    return index < call->args_count ? call->args[index] : NULL;
}

bool bt_call_has(const struct bt_call *call, size_t index)
{
    return !bt_value_is_null(bt_call_arg(call, index));
}

int bt_call_int(struct bt_call *call, size_t index, int64_t fallback, int64_t *ret_number)
{
    const struct bt_value *arg = bt_call_arg(call, index);
    *ret_number = fallback;
    if (bt_value_is_null(arg))
        return BT_OK;
    if (!bt_value_is(arg, BT_KIND_INT))
        return bt_raise_cast(call->run, call->node->at, arg, "java.lang.Long");
    *ret_number = bt_value_as_int(arg);
    return BT_OK;
}

int bt_call_str(struct bt_call *call, size_t index, struct bt_str *ret_text)
{
    const struct bt_value *arg = bt_call_arg(call, index);
    *ret_text = BT_STR_NONE;
    if (bt_value_is_null(arg))
        return BT_OK;
    if (!bt_value_is(arg, BT_KIND_STRING) || bt_value_flavor(arg) == BT_FLAVOR_SAFE)
        return bt_raise_cast(call->run, call->node->at, arg, "java.lang.String");
    *ret_text = bt_value_str(arg);
    return BT_OK;
}

int bt_call_input_str(struct bt_call *call, struct bt_str *ret_text)
{
    if (!bt_value_is(call->input, BT_KIND_STRING) ||
        bt_value_flavor(call->input) != BT_FLAVOR_PLAIN)
        return bt_raise_cast(call->run, call->node->at, call->input, "java.lang.String");
    *ret_text = bt_value_str(call->input);
    return BT_OK;
}

int bt_call_force(struct bt_run *run, const struct bt_value *value, struct bt_value **ret_value)
{
    if (bt_value_is(value, BT_KIND_LAZY))
        return bt_lazy_all(value, ret_value, run->err);
    *ret_value = bt_value_ref(value);
    return BT_OK;
}
