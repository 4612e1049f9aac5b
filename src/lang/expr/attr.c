/* attr.c — Attributes of values: a.b, a['b'], a[0], and the methods of the original's objects that
 * make sense without them. Reflection is refused. Pure. */
#include "lang/expr/expr_int.h"

#include "base/num.h"
#include "base/utf8.h"

#include <strings.h>

/* --- Keys and indexes ------------------------------------------------------------------------- */

static int missing(struct bt_run *run, const struct bt_node *node, const struct bt_value *name)
{
    if (bt_value_is(name, BT_KIND_STRING))
        return bt_raise_missing(run, node->at, bt_value_str(name));
    struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_java_text(name, &text, run->err);
    if (rc == BT_OK)
        rc = bt_raise_missing(run, node->at, bt_buf_str(&text));
    bt_buf_done(&text);
    return rc;
}

static int lazy_attr(struct bt_run *run, const struct bt_node *node, const struct bt_value *object,
                     const struct bt_value *name, struct bt_value **ret_value)
{
    if (!bt_value_is(name, BT_KIND_STRING))
        return missing(run, node, name);
    int rc = bt_lazy_get(object, bt_value_str(name), ret_value, run->err);
    return rc == BT_NOT_FOUND ? missing(run, node, name) : rc;
}

static int map_attr(struct bt_run *run, const struct bt_node *node, const struct bt_value *object,
                    const struct bt_value *name, struct bt_value **ret_value)
{
    struct bt_value *found = NULL;
    if (bt_value_is(name, BT_KIND_STRING)) {
        found = bt_map_get(object, bt_value_str(name));
    } else if (bt_is_number(name) && bt_value_flavor(object) != BT_FLAVOR_HASHMAP &&
               bt_value_count(object)) {
        struct bt_buf text = BT_BUF_INIT(128);
        (void)bt_java_text(name, &text, NULL); /* A cut number is good enough here. */
        int rc = bt_raise(run, node->at, "type class java.lang.String not supported for key %.*s",
                          BT_FMT(bt_buf_str(&text)));
        bt_buf_done(&text);
        return rc;
    } else {
        struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
        int rc = bt_java_text(name, &text, run->err);
        found = rc == BT_OK ? bt_map_get(object, bt_buf_str(&text)) : NULL;
        bt_buf_done(&text);
        BT_TRY(rc);
    }
    if (!found)
        return missing(run, node, name);
    *ret_value = bt_value_ref(found);
    return BT_OK;
}

/* Whether the name is an index the way the original reads one. */
static bool index_of(const struct bt_value *name, int64_t *ret_index)
{
    if (bt_value_is(name, BT_KIND_INT)) {
        *ret_index = bt_value_as_int(name);
        return true;
    }
    return bt_value_is(name, BT_KIND_STRING) && bt_parse_i64(bt_value_str(name), ret_index);
}

int bt_eval_attr(struct bt_run *run, const struct bt_node *node, const struct bt_value *object,
                 const struct bt_value *name, struct bt_value **ret_value)
{
    int64_t index;
    if (bt_value_is(object, BT_KIND_MAP))
        return map_attr(run, node, object, name, ret_value);
    if (bt_value_is(object, BT_KIND_LAZY))
        return lazy_attr(run, node, object, name, ret_value);
    if (bt_value_is(object, BT_KIND_LIST) && bt_value_flavor(object) != BT_FLAVOR_SET &&
        index_of(name, &index)) {
        struct bt_value *item = index < 0 ? NULL : bt_list_at(object, (size_t)index);
        if (!item)
            return missing(run, node, name);
        *ret_value = bt_value_ref(item);
        return BT_OK;
    }
    struct bt_call call = {.run = run, .node = node, .input = object};
    return bt_eval_method(&call, name, ret_value);
}

/* --- Methods ---------------------------------------------------------------------------------- */

static struct bt_str input_str(const struct bt_call *call)
{
    return bt_value_str(call->input);
}

static int give_bool(struct bt_value **ret_value, bool is_true)
{
    *ret_value = bt_value_bool(is_true);
    return BT_OK;
}

static int give_int(struct bt_call *call, int64_t number, struct bt_value **ret_value)
{
    return bt_call_give(call, bt_value_int32((int32_t)number), ret_value);
}

static int call_filter(struct bt_call *call, const char *name, struct bt_value **ret_value)
{
    const struct bt_fn *fn = bt_fn_filter(bt_str_of(name));
    struct bt_call inner = *call;
    struct bt_value *none[BT_ARGS_MAX] = {NULL};
    inner.fn = fn;
    if (!call->args)
        inner.args = none;
    return fn->fn(&inner, ret_value);
}

static int text_length(struct bt_call *call, struct bt_value **ret_value)
{
    size_t units = 0;
    struct bt_str text = input_str(call);
    uint32_t rune;
    for (size_t i = 0, len; i < text.len; i += len) {
        len = bt_utf8_decode(text, i, &rune);
        units += rune >= 0x10000 ? 2 : 1;
        len = len ? len : 1;
    }
    return give_int(call, (int64_t)units, ret_value);
}

static int text_upper(struct bt_call *call, struct bt_value **ret_value)
{
    return call_filter(call, "upper", ret_value);
}

static int text_lower(struct bt_call *call, struct bt_value **ret_value)
{
    return call_filter(call, "lower", ret_value);
}

static int text_trim(struct bt_call *call, struct bt_value **ret_value)
{
    return call_filter(call, "trim", ret_value);
}

static int text_split(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_value *args[BT_ARGS_MAX] = {bt_call_arg(call, 0), bt_call_arg(call, 1)};
    struct bt_call inner = *call;
    inner.args = args;
    inner.args_count = 2;
    return call_filter(&inner, "split", ret_value);
}

static int text_is_empty(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, input_str(call).len == 0);
}

static int text_is_blank(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, bt_str_trim(input_str(call)).len == 0);
}

static int text_starts(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, bt_str_starts(input_str(call), bt_value_str(call->args[0])));
}

static int text_ends(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, bt_str_ends(input_str(call), bt_value_str(call->args[0])));
}

static int text_contains(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, bt_str_find(input_str(call), bt_value_str(call->args[0]), 0) >= 0);
}

static int text_equals(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, bt_java_equal(call->input, call->args[0]));
}

static int text_equals_nocase(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE left = NULL;
    BT_VALUE right = NULL;
    struct bt_call other = *call;
    other.input = call->args[0];
    BT_TRY(call_filter(call, "lower", &left));
    BT_TRY(call_filter(&other, "lower", &right));
    return give_bool(ret_value, bt_str_eq(bt_value_str(left), bt_value_str(right)));
}

static int text_index_of(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text = input_str(call);
    ptrdiff_t at = bt_str_find(text, bt_value_str(call->args[0]), 0);
    if (at > 0)
        at = (ptrdiff_t)bt_utf8_count(bt_str_slice(text, 0, (size_t)at));
    return give_int(call, at, ret_value);
}

static int text_concat(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_buf_add(&buf, input_str(call)); /* Checked by take. */
    (void)bt_buf_add(&buf, bt_value_str(call->args[0]));
    return bt_call_take(call, &buf, ret_value);
}

static int text_replace(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text = input_str(call), from = bt_value_str(call->args[0]);
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    size_t at = 0;
    ptrdiff_t found;
    while (from.len && (found = bt_str_find(text, from, at)) >= 0) {
        (void)bt_buf_add(&buf, bt_str_slice(text, at, (size_t)found)); /* Checked by take. */
        (void)bt_buf_add(&buf, bt_value_str(call->args[1]));
        at = (size_t)found + from.len;
    }
    (void)bt_buf_add(&buf, bt_str_slice(text, at, text.len));
    return bt_call_take(call, &buf, ret_value);
}

static int text_repeat(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int64_t times = bt_value_as_int(call->args[0]);
    if (times < 0)
        return bt_raise(call->run, call->node->at, "Could not call repeat");
    for (int64_t i = 0; i < times && buf.failed == BT_OK && input_str(call).len; i++)
        (void)bt_buf_add(&buf, input_str(call)); /* Checked by take. */
    return bt_call_take(call, &buf, ret_value);
}

static int text_substring(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text = input_str(call);
    int64_t count = (int64_t)bt_utf8_count(text), from = bt_value_as_int(call->args[0]);
    int64_t to = call->args_count > 1 ? bt_value_as_int(call->args[1]) : count;
    if (from < 0 || to > count || from > to)
        return bt_raise(call->run, call->node->at, "Could not call substring");
    struct bt_str part =
        bt_str_slice(text, bt_utf8_offset(text, (size_t)from), bt_utf8_offset(text, (size_t)to));
    return bt_call_string(call, part, ret_value);
}

static int text_self(struct bt_call *call, struct bt_value **ret_value)
{
    *ret_value = bt_value_ref(call->input);
    return BT_OK;
}

static int items_size(struct bt_call *call, struct bt_value **ret_value)
{
    return give_int(call, (int64_t)bt_value_count(call->input), ret_value);
}

static int items_is_empty(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, bt_value_count(call->input) == 0);
}

static int list_get(struct bt_call *call, struct bt_value **ret_value)
{
    int64_t index = bt_value_as_int(call->args[0]);
    struct bt_value *item = index < 0 ? NULL : bt_list_at(call->input, (size_t)index);
    if (!item)
        return bt_raise(call->run, call->node->at, "Could not call get");
    *ret_value = bt_value_ref(item);
    return BT_OK;
}

static int64_t list_find(const struct bt_value *list, const struct bt_value *item)
{
    for (size_t i = 0; i < bt_value_count(list); i++)
        if (bt_java_equal(bt_list_at(list, i), item))
            return (int64_t)i;
    return -1;
}

static int list_contains(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, list_find(call->input, call->args[0]) >= 0);
}

static int list_index_of(struct bt_call *call, struct bt_value **ret_value)
{
    return give_int(call, list_find(call->input, call->args[0]), ret_value);
}

static int list_first(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_value *item = bt_list_at(call->input, 0);
    if (!item)
        return bt_raise(call->run, call->node->at, "Could not call getFirst");
    *ret_value = bt_value_ref(item);
    return BT_OK;
}

static int list_last(struct bt_call *call, struct bt_value **ret_value)
{
    size_t count = bt_value_count(call->input);
    if (count == 0)
        return bt_raise(call->run, call->node->at, "Could not call getLast");
    *ret_value = bt_value_ref(bt_list_at(call->input, count - 1));
    return BT_OK;
}

static int list_sub(struct bt_call *call, struct bt_value **ret_value)
{
    int64_t from = bt_value_as_int(call->args[0]), to = bt_value_as_int(call->args[1]);
    if (from < 0 || to > (int64_t)bt_value_count(call->input) || from > to)
        return bt_raise(call->run, call->node->at, "Could not call subList");
    BT_VALUE list = bt_list_new((size_t)(to - from));
    for (int64_t i = from; i < to; i++)
        if (bt_list_push(list, bt_value_ref(bt_list_at(call->input, (size_t)i))) < 0)
            return bt_raise_mem(call->run);
    return bt_call_give(call, BT_TAKE(list), ret_value);
}

static int map_get(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_value *found = bt_map_get(call->input, bt_value_str(call->args[0]));
    if (!found && call->args_count > 1)
        found = call->args[1];
    *ret_value = found ? bt_value_ref(found) : bt_value_null();
    return BT_OK;
}

static int map_has(struct bt_call *call, struct bt_value **ret_value)
{
    return give_bool(ret_value, bt_map_get(call->input, bt_value_str(call->args[0])) != NULL);
}

static int map_has_value(struct bt_call *call, struct bt_value **ret_value)
{
    for (size_t i = 0; i < bt_value_count(call->input); i++)
        if (bt_java_equal(bt_map_at(call->input, i, NULL), call->args[0]))
            return give_bool(ret_value, true);
    return give_bool(ret_value, false);
}

static int map_keys(struct bt_call *call, struct bt_value **ret_value)
{
    return call_filter(call, "keys", ret_value);
}

static int map_values(struct bt_call *call, struct bt_value **ret_value)
{
    return call_filter(call, "values", ret_value);
}

static int map_entries(struct bt_call *call, struct bt_value **ret_value)
{
    size_t count = bt_value_count(call->input);
    BT_VALUE list = bt_list_new(count);
    for (size_t i = 0; i < count; i++) {
        struct bt_value *key, *item = bt_map_at(call->input, i, &key);
        struct bt_value *entry = bt_map_new(1);
        if (entry && bt_map_put_key(entry, key, bt_value_ref(item)) < 0)
            entry = bt_value_unref(entry);
        if (bt_list_push(list, entry) < 0)
            return bt_raise_mem(call->run);
    }
    if (list)
        bt_list_set_flavor(list, BT_FLAVOR_SET);
    return bt_call_give(call, BT_TAKE(list), ret_value);
}

static int to_text(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_call_text(call, call->input, ret_value);
}

static int number_int(struct bt_call *call, struct bt_value **ret_value)
{
    return give_int(call, bt_value_as_int(call->input), ret_value);
}

static int number_long(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_call_give(call, bt_value_int(bt_value_as_int(call->input)), ret_value);
}

static int number_double(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_call_give(call, bt_value_double(bt_value_as_double(call->input)), ret_value);
}

enum on {
    ON_TEXT = 1,
    ON_LIST = 2,
    ON_MAP = 4,
    ON_NUMBER = 8,
    ON_BOOL = 16,
    ON_ITEMS = 6,
    ON_ANY = 31
};

/* Matched without regard to case, also with get, is or has before the name, as in the original.
 * `kinds`: of each argument: s text, i integer, * anything. */
static const struct method {
    const char *name;
    uint8_t on;
    const char *kinds;
    int (*fn)(struct bt_call *call, struct bt_value **ret_value);
} methods[] = {
    {"length", ON_TEXT, "", text_length},
    {"toUpperCase", ON_TEXT, "", text_upper},
    {"toLowerCase", ON_TEXT, "", text_lower},
    {"trim", ON_TEXT, "", text_trim},
    {"strip", ON_TEXT, "", text_trim},
    {"isEmpty", ON_TEXT, "", text_is_empty},
    {"isBlank", ON_TEXT, "", text_is_blank},
    {"intern", ON_TEXT, "", text_self},
    {"split", ON_TEXT, "s", text_split},
    {"split", ON_TEXT, "si", text_split},
    {"startsWith", ON_TEXT, "s", text_starts},
    {"endsWith", ON_TEXT, "s", text_ends},
    {"contains", ON_TEXT, "s", text_contains},
    {"equalsIgnoreCase", ON_TEXT, "s", text_equals_nocase},
    {"indexOf", ON_TEXT, "s", text_index_of},
    {"concat", ON_TEXT, "s", text_concat},
    {"replace", ON_TEXT, "ss", text_replace},
    {"repeat", ON_TEXT, "i", text_repeat},
    {"substring", ON_TEXT, "i", text_substring},
    {"substring", ON_TEXT, "ii", text_substring},
    {"size", ON_ITEMS, "", items_size},
    {"isEmpty", ON_ITEMS, "", items_is_empty},
    {"get", ON_LIST, "i", list_get},
    {"contains", ON_LIST, "*", list_contains},
    {"indexOf", ON_LIST, "*", list_index_of},
    {"getFirst", ON_LIST, "", list_first},
    {"getLast", ON_LIST, "", list_last},
    {"subList", ON_LIST, "ii", list_sub},
    {"get", ON_MAP, "*", map_get},
    {"getOrDefault", ON_MAP, "**", map_get},
    {"containsKey", ON_MAP, "*", map_has},
    {"containsValue", ON_MAP, "*", map_has_value},
    {"keySet", ON_MAP, "", map_keys},
    {"values", ON_MAP, "", map_values},
    {"entrySet", ON_MAP, "", map_entries},
    {"intValue", ON_NUMBER, "", number_int},
    {"longValue", ON_NUMBER, "", number_long},
    {"doubleValue", ON_NUMBER, "", number_double},
    {"equals", ON_ANY, "*", text_equals},
    {"toString", ON_ANY, "", to_text},
};

static bool is_named(const char *method, struct bt_str name)
{
    static const char *const prefixes[] = {"", "get", "is", "has"};
    for (size_t i = 0; i < BT_COUNT(prefixes); i++) {
        size_t len = strlen(prefixes[i]);
        if (strlen(method) == len + name.len && strncasecmp(method, prefixes[i], len) == 0 &&
            strncasecmp(method + len, name.at, name.len) == 0)
            return true;
    }
    return false;
}

static uint8_t kind_mask(const struct bt_value *value)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_STRING: return ON_TEXT;
    case BT_KIND_LIST: return ON_LIST;
    case BT_KIND_MAP: return ON_MAP;
    case BT_KIND_LAZY: return ON_MAP;
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: return ON_NUMBER;
    case BT_KIND_BOOL: return ON_BOOL;
    case BT_KIND_NULL: return 0;
    }
    return 0;
}

static bool args_fit(const struct bt_call *call, const char *kinds)
{
    if (strlen(kinds) != call->args_count)
        return false;
    for (size_t i = 0; i < call->args_count; i++)
        if ((kinds[i] == 's' && !bt_value_is(call->args[i], BT_KIND_STRING)) ||
            (kinds[i] == 'i' && !bt_value_is(call->args[i], BT_KIND_INT)))
            return false;
    return true;
}

int bt_eval_method(struct bt_call *call, const struct bt_value *name, struct bt_value **ret_value)
{
    static const char *const denied[] = {"getClass", "class", "wait", "notify", "notifyAll"};
    struct bt_str text = bt_value_str(name);
    BT_VALUE forced = NULL;
    if (!bt_value_is(name, BT_KIND_STRING) || text.len == 0)
        return missing(call->run, call->node, name);
    for (size_t i = 0; i < BT_COUNT(denied); i++)
        if (text.len == strlen(denied[i]) && strncasecmp(text.at, denied[i], text.len) == 0)
            return bt_raise(call->run, call->node->at,
                            "For security reasons access to public final native "
                            "java.lang.Class java.lang.Object.%s() method is denied.",
                            i < 2 ? "getClass" : denied[i]);
    BT_TRY(bt_call_force(call->run, call->input, &forced));
    call->input = forced;
    uint8_t mask = kind_mask(forced);
    for (size_t i = 0; i < BT_COUNT(methods); i++)
        if (methods[i].on & mask && is_named(methods[i].name, text) &&
            args_fit(call, methods[i].kinds))
            return methods[i].fn(call, ret_value);
    return missing(call->run, call->node, name);
}
