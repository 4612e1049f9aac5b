/* tests.c — What stands behind `is`: defined, null, empty, even, odd, iterable, map, json. Pure. */
#include "lang/expr/expr_int.h"

#include "value/json.h"

static int give(struct bt_value **ret_value, bool is_true)
{
    *ret_value = bt_value_bool(is_true);
    return BT_OK;
}

static int is_defined(struct bt_call *call, struct bt_value **ret_value)
{
    return give(ret_value, !bt_value_is_null(call->input));
}

static int is_null(struct bt_call *call, struct bt_value **ret_value)
{
    return give(ret_value, bt_value_is_null(call->input));
}

static int is_empty(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_TRY(bt_call_force(call->run, call->input, &input));
    return give(ret_value, bt_is_empty(input));
}

bool bt_is_empty(const struct bt_value *value)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return true;
    case BT_KIND_STRING: {
        struct bt_str text = bt_value_str(value);
        size_t at = 0;
        while (at < text.len && (unsigned char)text.at[at] <= ' ')
            at++;
        return at == text.len && bt_value_flavor(value) == BT_FLAVOR_PLAIN;
    }
    case BT_KIND_LIST:
        return bt_value_flavor(value) != BT_FLAVOR_ARRAY && bt_value_count(value) == 0;
    case BT_KIND_MAP: return bt_value_count(value) == 0;
    case BT_KIND_LAZY:
    case BT_KIND_BOOL:
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: break;
    }
    return false;
}

static int parity(struct bt_call *call, int64_t want, struct bt_value **ret_value)
{
    if (bt_value_is_null(call->input))
        return want ? bt_raise_java(call->run, call->node->at,
                                    "Can not pass null value to \"odd\" test.")
                    : bt_raise(call->run, call->node->at,
                               "Can not pass null value to \"even\" test.");
    if (!bt_value_is(call->input, BT_KIND_INT))
        return bt_raise_cast(call->run, call->node->at, call->input, "java.lang.Long");
    return give(ret_value, (bt_value_as_int(call->input) & 1) == want);
}

static int is_even(struct bt_call *call, struct bt_value **ret_value)
{
    return parity(call, 0, ret_value);
}

static int is_odd(struct bt_call *call, struct bt_value **ret_value)
{
    return parity(call, 1, ret_value);
}

static int is_iterable(struct bt_call *call, struct bt_value **ret_value)
{
    return give(ret_value, bt_value_is(call->input, BT_KIND_LIST));
}

static int is_map(struct bt_call *call, struct bt_value **ret_value)
{
    return give(ret_value, bt_is_map(call->input) || bt_value_is(call->input, BT_KIND_LAZY));
}

static int is_json(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE parsed = NULL;
    struct bt_str text = bt_value_str(call->input);
    if (!bt_value_is(call->input, BT_KIND_STRING))
        return give(ret_value, false);
    if (bt_str_trim(text).len == 0)
        return give(ret_value, true);
    int rc = bt_json_parse(text, NULL, &parsed, NULL);
    return rc == BT_NO_MEM ? bt_raise_mem(call->run) : give(ret_value, rc == BT_OK);
}

static const struct bt_fn rows[] = {
    {"defined", "", 0, 0, BT_FN_LOOSE | BT_FN_TOLERANT, is_defined, "Can be found and is not null"},
    {"empty", "", 0, 0, BT_FN_LOOSE, is_empty, "Null, a blank text, an empty list or map"},
    {"even", "", 0, 0, BT_FN_LOOSE, is_even, "An even number"},
    {"iterable", "", 0, 0, BT_FN_LOOSE, is_iterable, "A list"},
    {"json", "", 0, 0, BT_FN_LOOSE, is_json, "A text that is JSON"},
    {"map", "", 0, 0, BT_FN_LOOSE, is_map, "A map"},
    {"null", "", 0, 0, BT_FN_LOOSE, is_null, "Null"},
    {"odd", "", 0, 0, BT_FN_LOOSE, is_odd, "An odd number"},
};

const struct bt_fn_table bt_fn_tests = {rows, BT_COUNT(rows)};
