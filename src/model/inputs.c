/* inputs.c — Given values to the inputs of an execution. Pure. */
#include "model/input_int.h"

#include "base/own.h"

static int fail_input(const struct bt_input *input, const char *msg, const struct bt_value *value,
                      struct bt_err *err)
{
    struct bt_buf text = BT_BUF_INIT(1 << 20);
    bool is_null = bt_value_is_null(value);
    char copy[sizeof err->msg];
    size_t len = strlen(msg) < sizeof copy ? strlen(msg) : sizeof copy - 1;
    memcpy(copy, msg, len);
    copy[len] = '\0';
    if (!is_null && bt_value_print(value, &text, NULL) != BT_OK)
        bt_buf_clear(&text);
    struct bt_str shown = is_null ? BT_STR("null") : bt_buf_str(&text);
    if (shown.len > 200)
        shown.len = 200;
    int rc = bt_fail(err, BT_INVALID, "Invalid input for `%s`, %s, but received `%.*s`", input->id,
                     copy, BT_FMT(shown));
    bt_buf_done(&text);
    return rc;
}

static int resolve_one(const struct bt_input *input, const struct bt_value *given,
                       struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_value *value = bt_map_gets(given, input->id);
    bool is_empty = bt_value_is(value, BT_KIND_STRING) && bt_value_str(value).len == 0 &&
                    input->type != BT_INPUT_STRING && input->type != BT_INPUT_EMAIL;
    if (bt_value_is_null(value) || is_empty)
        value = input->defaults;
    if (bt_value_is_null(value) && input->is_required)
        return fail_input(input, "missing required input", NULL, err);
    struct bt_err cause = BT_ERR_INIT;
    int rc = bt_input_convert(input->type, input->spec, value, ret_value, &cause);
    if (rc == BT_NO_MEM)
        return bt_fail_mem(err, "resolving inputs");
    return rc == BT_OK ? rc : fail_input(input, cause.msg, value, err);
}

/* Puts a value under a dotted id: "a.b" → {"a": {"b": value}}. Takes the value. */
static int put_nested(struct bt_value *map, struct bt_str id, struct bt_value *value)
{
    ptrdiff_t dot = bt_str_find(id, BT_STR("."), 0);
    if (dot <= 0)
        return bt_map_put(map, id, value);
    struct bt_str name = bt_str_slice(id, 0, (size_t)dot);
    BT_VALUE held = value;
    struct bt_value *old = bt_map_get(map, name);
    BT_VALUE inner = bt_value_is(old, BT_KIND_MAP) ? bt_value_copy(old) : bt_map_new(4);
    if (!inner)
        return BT_NO_MEM;
    BT_TRY(put_nested(inner, bt_str_slice(id, (size_t)dot + 1, id.len), BT_TAKE(held)));
    return bt_map_put(map, name, BT_TAKE(inner));
}

int bt_inputs_resolve(const struct bt_flow *flow, const struct bt_value *given,
                      struct bt_value **ret_inputs, struct bt_err *err)
{
    BT_VALUE inputs = bt_map_new(flow->input_count);
    if (!inputs)
        return bt_fail_mem(err, "resolving inputs");
    for (uint32_t i = 0; i < flow->input_count; i++) {
        struct bt_value *value = NULL;
        BT_TRY(resolve_one(&flow->inputs[i], given, &value, err));
        if (put_nested(inputs, bt_str_of(flow->inputs[i].id), value) != BT_OK)
            return bt_fail_mem(err, "resolving inputs");
    }
    *ret_inputs = BT_TAKE(inputs);
    return BT_OK;
}
