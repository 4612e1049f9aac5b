/* methods.c — The methods of the original's objects that make sense without them: of lists, maps,
 * entries, numbers, `loop`. Reflection is refused. Pure. */
#include "lang/expr/methods.h"

#include <strings.h>

int bt_method_bool(struct bt_value **ret_value, bool is_true)
{
    *ret_value = bt_value_bool(is_true);
    return BT_OK;
}

int bt_method_int(struct bt_call *call, int64_t number, struct bt_value **ret_value)
{
    return bt_call_give(call, bt_value_int32((int32_t)number), ret_value);
}

int bt_method_filter(struct bt_call *call, const char *name, struct bt_value **ret_value)
{
    const struct bt_fn *fn = bt_fn_filter(bt_str_of(name));
    struct bt_call inner = *call;
    struct bt_value *none[BT_ARGS_MAX] = {NULL};
    inner.fn = fn;
    if (!call->args)
        inner.args = none;
    return fn->fn(&inner, ret_value);
}

static int items_size(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_int(call, (int64_t)bt_value_count(call->input), ret_value);
}

static int items_is_empty(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_bool(ret_value, bt_value_count(call->input) == 0);
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
    return bt_method_bool(ret_value, list_find(call->input, call->args[0]) >= 0);
}

static int list_index_of(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_int(call, list_find(call->input, call->args[0]), ret_value);
}

static int list_last_index(struct bt_call *call, struct bt_value **ret_value)
{
    int64_t found = -1;
    for (size_t i = 0; i < bt_value_count(call->input); i++)
        if (bt_java_equal(bt_list_at(call->input, i), call->args[0]))
            found = (int64_t)i;
    return bt_method_int(call, found, ret_value);
}

static int list_contains_all(struct bt_call *call, struct bt_value **ret_value)
{
    size_t count = bt_value_count(call->args[0]);
    if (!bt_is_collection(call->args[0]))
        return bt_raise_missing(call->run, call->node->at, BT_STR("containsAll"));
    bt_eval_charge(call->run, bt_value_count(call->input) * count * 16);
    if (call->run->steps > BT_EXPR_STEPS_MAX)
        return bt_fail(call->run->err, BT_LIMIT, "containsAll takes too long");
    for (size_t i = 0; i < count; i++)
        if (list_find(call->input, bt_list_at(call->args[0], i)) < 0)
            return bt_method_bool(ret_value, false);
    return bt_method_bool(ret_value, true);
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
    return bt_method_bool(ret_value, bt_map_get(call->input, bt_value_str(call->args[0])) != NULL);
}

static int map_has_value(struct bt_call *call, struct bt_value **ret_value)
{
    for (size_t i = 0; i < bt_value_count(call->input); i++)
        if (bt_java_equal(bt_map_at(call->input, i, NULL), call->args[0]))
            return bt_method_bool(ret_value, true);
    return bt_method_bool(ret_value, false);
}

static int map_keys(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_filter(call, "keys", ret_value);
}

static int map_values(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_filter(call, "values", ret_value);
}

static int map_entries(struct bt_call *call, struct bt_value **ret_value)
{
    size_t count = bt_value_count(call->input);
    BT_VALUE list = bt_list_new(count);
    for (size_t i = 0; i < count; i++)
        if (bt_list_push(list, bt_java_entry(call->input, i)) < 0)
            return bt_raise_mem(call->run);
    if (list)
        bt_list_set_flavor(list, BT_FLAVOR_SET);
    return bt_call_give(call, BT_TAKE(list), ret_value);
}

static int entry_key(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_value *key = NULL;
    (void)bt_map_at(call->input, 0, &key); /* Only the key. */
    *ret_value = bt_value_ref(key);
    return BT_OK;
}

static int entry_value(struct bt_call *call, struct bt_value **ret_value)
{
    *ret_value = bt_value_ref(bt_map_at(call->input, 0, NULL));
    return BT_OK;
}

/* A getter of `loop`. */
static int loop_part(struct bt_call *call, const char *name, struct bt_value **ret_value)
{
    *ret_value = bt_value_ref(bt_map_gets(call->input, name));
    return BT_OK;
}

static int loop_index(struct bt_call *call, struct bt_value **ret_value)
{
    return loop_part(call, "index", ret_value);
}

static int loop_length(struct bt_call *call, struct bt_value **ret_value)
{
    return loop_part(call, "length", ret_value);
}

static int loop_revindex(struct bt_call *call, struct bt_value **ret_value)
{
    return loop_part(call, "revindex", ret_value);
}

static int loop_first(struct bt_call *call, struct bt_value **ret_value)
{
    return loop_part(call, "first", ret_value);
}

static int loop_last(struct bt_call *call, struct bt_value **ret_value)
{
    return loop_part(call, "last", ret_value);
}

/* Object.hashCode(), where it does not depend on the place in memory. */
static uint32_t hash_of(const struct bt_value *value, int depth)
{
    uint32_t hash = 0;
    double real = bt_value_as_double(value);
    uint64_t bits = (uint64_t)bt_value_as_int(value);
    switch (bt_value_kind(value)) {
    case BT_KIND_STRING: return (uint32_t)bt_java_hash(bt_value_str(value));
    case BT_KIND_BOOL: return bt_value_as_bool(value) ? 1231 : 1237;
    case BT_KIND_DOUBLE: memcpy(&bits, &real, sizeof bits); return (uint32_t)(bits ^ bits >> 32);
    case BT_KIND_INT:
        return bt_value_flavor(value) == BT_FLAVOR_INT32 ? (uint32_t)bits
                                                         : (uint32_t)(bits ^ bits >> 32);
    case BT_KIND_LIST:
        hash = bt_value_flavor(value) == BT_FLAVOR_SET ? 0 : 1;
        for (size_t i = 0; i < bt_value_count(value) && depth < BT_VALUE_DEPTH_MAX; i++)
            hash = (bt_value_flavor(value) == BT_FLAVOR_SET ? hash : 31 * hash) +
                   hash_of(bt_list_at(value, i), depth + 1);
        return hash;
    case BT_KIND_MAP:
        for (size_t i = 0; i < bt_value_count(value) && depth < BT_VALUE_DEPTH_MAX; i++)
            hash += (uint32_t)bt_java_hash(bt_map_key(value, i)) ^
                    hash_of(bt_map_at(value, i, NULL), depth + 1);
        return hash;
    case BT_KIND_NULL:
    case BT_KIND_DECIMAL:
    case BT_KIND_LAZY: return 0;
    }
    return 0;
}

static int to_hash(struct bt_call *call, struct bt_value **ret_value)
{
    bt_eval_charge(call->run, bt_value_count(call->input) * 64);
    return bt_method_int(call, (int32_t)hash_of(call->input, 0), ret_value);
}

static int any_equals(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_bool(ret_value, bt_java_equal(call->input, call->args[0]));
}

static int to_text(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_call_text(call, call->input, ret_value);
}

static int number_int(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_int(call, bt_value_as_int(call->input), ret_value);
}

static int number_long(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_call_give(call, bt_value_int(bt_value_as_int(call->input)), ret_value);
}

static int number_double(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_call_give(call, bt_value_double(bt_value_as_double(call->input)), ret_value);
}

static const struct bt_method rows[] = {
    {"size", BT_ON_ITEMS, "", items_size},
    {"isEmpty", BT_ON_ITEMS, "", items_is_empty},
    {"get", BT_ON_LIST, "i", list_get},
    {"contains", BT_ON_LIST, "*", list_contains},
    {"indexOf", BT_ON_LIST, "*", list_index_of},
    {"lastIndexOf", BT_ON_LIST, "*", list_last_index},
    {"containsAll", BT_ON_LIST, "*", list_contains_all},
    {"getFirst", BT_ON_LIST, "", list_first},
    {"getLast", BT_ON_LIST, "", list_last},
    {"subList", BT_ON_LIST, "ii", list_sub},
    {"get", BT_ON_MAP, "*", map_get},
    {"getOrDefault", BT_ON_MAP, "**", map_get},
    {"containsKey", BT_ON_MAP, "*", map_has},
    {"containsValue", BT_ON_MAP, "*", map_has_value},
    {"keySet", BT_ON_MAP, "", map_keys},
    {"values", BT_ON_MAP, "", map_values},
    {"entrySet", BT_ON_MAP, "", map_entries},
    {"getKey", BT_ON_ENTRY, "", entry_key},
    {"getValue", BT_ON_ENTRY, "", entry_value},
    {"getIndex", BT_ON_LOOP, "", loop_index},
    {"getLength", BT_ON_LOOP, "", loop_length},
    {"getRevindex", BT_ON_LOOP, "", loop_revindex},
    {"isFirst", BT_ON_LOOP, "", loop_first},
    {"isLast", BT_ON_LOOP, "", loop_last},
    {"intValue", BT_ON_NUMBER, "", number_int},
    {"longValue", BT_ON_NUMBER, "", number_long},
    {"doubleValue", BT_ON_NUMBER, "", number_double},
    {"equals", BT_ON_ANY, "*", any_equals},
    {"hashCode", BT_ON_ANY, "", to_hash},
    {"toString", BT_ON_ANY, "", to_text},
};

static const struct bt_method_table other_methods = {rows, BT_COUNT(rows)};

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
    case BT_KIND_STRING: return bt_value_flavor(value) == BT_FLAVOR_SAFE ? BT_ON_SAFE : BT_ON_TEXT;
    case BT_KIND_LIST: return BT_ON_LIST;
    case BT_KIND_MAP:
        if (bt_value_flavor(value) == BT_FLAVOR_ENTRY)
            return BT_ON_ENTRY;
        return bt_value_flavor(value) == BT_FLAVOR_LOOP ? BT_ON_LOOP : BT_ON_MAP;
    case BT_KIND_LAZY: return BT_ON_MAP;
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: return BT_ON_NUMBER;
    case BT_KIND_BOOL: return BT_ON_BOOL;
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

static const struct bt_method *method_of(const struct bt_call *call,
                                         const struct bt_method_table *table, struct bt_str name)
{
    uint8_t mask = kind_mask(call->input);
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].on & mask && is_named(table->rows[i].name, name) &&
            args_fit(call, table->rows[i].kinds))
            return &table->rows[i];
    return NULL;
}

static int nameless(struct bt_call *call, const struct bt_value *name)
{
    struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_java_text(name, &text, call->run->err);
    if (rc == BT_OK)
        rc = bt_raise_missing(call->run, call->node->at, bt_buf_str(&text));
    bt_buf_done(&text);
    return rc;
}

int bt_eval_method(struct bt_call *call, const struct bt_value *name, struct bt_value **ret_value)
{
    static const char *const denied[] = {"getClass", "class", "wait", "notify", "notifyAll"};
    struct bt_str text = bt_value_str(name);
    BT_VALUE forced = NULL;
    if (bt_value_is(name, BT_KIND_STRING) && text.len == 0)
        return bt_raise_java(call->run, call->node->at, "String index out of range: 0");
    if (!bt_value_is(name, BT_KIND_STRING))
        return nameless(call, name);
    for (size_t i = 0; i < BT_COUNT(denied); i++)
        if (text.len == strlen(denied[i]) && strncasecmp(text.at, denied[i], text.len) == 0)
            return bt_raise_access(call->run, call->node->at, i < 2 ? "getClass" : denied[i]);
    BT_TRY(bt_call_force(call->run, call->input, &forced));
    call->input = forced;
    const struct bt_method *method = method_of(call, &bt_methods_text, text);
    if (!method)
        method = method_of(call, &other_methods, text);
    if (!method)
        return bt_raise_missing(call->run, call->node->at, text);
    return method->fn(call, ret_value);
}
