/* attr.c — Attributes of values: a.b, a['b'], a[0]. What is no key or index is a method. Pure. */
#include "lang/expr/expr_int.h"

#include "base/num.h"

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

/* Maps written in an expression may have numbers as keys, those of data never. */
static bool has_text_keys(const struct bt_value *map)
{
    int64_t number;
    return bt_value_count(map) && (bt_value_flavor(map) != BT_FLAVOR_HASHMAP ||
                                   !bt_parse_i64(bt_map_key(map, 0), &number));
}

static int map_attr(struct bt_run *run, const struct bt_node *node, const struct bt_value *object,
                    const struct bt_value *name, struct bt_value **ret_value)
{
    struct bt_value *found = NULL;
    if (bt_value_is_null(name))
        return bt_raise_java(
            run, node->at,
            "Cannot invoke \"Object.toString()\" because \"attributeNameValue\" is "
            "null");
    if (bt_value_is(name, BT_KIND_STRING)) {
        found = bt_map_get(object, bt_value_str(name));
    } else if (bt_is_number(name) && has_text_keys(object)) {
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
    if (bt_is_map(object))
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
