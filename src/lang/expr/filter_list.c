/* filter_list.c — Filters of lists and maps. Pure.
 *
 * `sort`, `rsort` and `reverse` change the variable itself in the original; here the new list
 * stands for the old one in the rest of the rendering (bt_eval_replace). */
#include "lang/expr/expr_int.h"

#include "base/utf8.h"

#include <assert.h>

static bool is_list(const struct bt_value *value)
{
    return bt_value_is(value, BT_KIND_LIST) && bt_value_flavor(value) != BT_FLAVOR_ARRAY &&
           bt_value_flavor(value) != BT_FLAVOR_SET;
}

static bool is_array(const struct bt_value *value)
{
    return bt_value_is(value, BT_KIND_LIST) && bt_value_flavor(value) == BT_FLAVOR_ARRAY;
}

static bool is_text(const struct bt_value *value)
{
    return bt_value_is(value, BT_KIND_STRING) && bt_value_flavor(value) == BT_FLAVOR_PLAIN;
}

/* --- Ends ------------------------------------------------------------------------------------- */

static int edge(struct bt_call *call, bool is_last, struct bt_value **ret_value)
{
    BT_NULL_THROUGH(call, ret_value);
    const struct bt_value *input = call->input;
    if (is_text(input)) {
        struct bt_str text = bt_value_str(input);
        if (text.len == 0)
            return bt_raise_java(call->run, call->node->at, "String index out of range: %d",
                                 is_last ? -1 : 0);
        size_t count = bt_utf8_count(text), from = bt_utf8_offset(text, is_last ? count - 1 : 0);
        struct bt_str rune = bt_str_slice(text, from, is_last ? text.len : bt_utf8_offset(text, 1));
        return bt_call_give(call, bt_value_text(rune, BT_KIND_STRING, BT_FLAVOR_CHAR), ret_value);
    }
    if (!bt_value_is(input, BT_KIND_LIST))
        return bt_raise_cast(call->run, call->node->at, input, "java.util.Collection");
    size_t count = bt_value_count(input);
    *ret_value = count ? bt_value_ref(bt_list_at(input, is_last ? count - 1 : 0)) : bt_value_null();
    return BT_OK;
}

static int first(struct bt_call *call, struct bt_value **ret_value)
{
    return edge(call, false, ret_value);
}

static int last(struct bt_call *call, struct bt_value **ret_value)
{
    return edge(call, true, ret_value);
}

static size_t text_units(struct bt_str text)
{
    size_t units = 0, len;
    for (size_t i = 0; i < text.len; i += len) {
        uint32_t rune = 0;
        len = bt_utf8_decode(text, i, &rune);
        len = len ? len : 1;
        units += rune >= 0x10000 ? 2 : 1;
    }
    return units;
}

static int length(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_TRY(bt_call_force(call->run, call->input, &input));
    bool has_items = bt_value_is(input, BT_KIND_LIST) || bt_is_map(input);
    size_t count = is_text(input) ? text_units(bt_value_str(input))
                   : has_items    ? bt_value_count(input)
                                  : 0;
    return bt_call_give(call, bt_value_int32((int32_t)count), ret_value);
}

/* --- Parts ------------------------------------------------------------------------------------ */

static int part_of(struct bt_call *call, size_t from, size_t to, struct bt_value **ret_value)
{
    BT_VALUE list = bt_list_new(to - from);
    bt_eval_charge(call->run, (to - from + 8) * sizeof(void *));
    for (size_t i = from; i < to; i++)
        if (bt_list_push(list, bt_value_ref(bt_list_at(call->input, i))) < 0)
            return bt_raise_mem(call->run);
    if (list && is_array(call->input))
        bt_list_set_flavor(list, BT_FLAVOR_ARRAY);
    return bt_call_give(call, BT_TAKE(list), ret_value);
}

static int slice_index(struct bt_call *call, size_t index, const char *name, int64_t *ret_number)
{
    const struct bt_value *arg = bt_call_arg(call, index);
    if (bt_value_is_null(arg))
        return BT_OK;
    if (!bt_is_number(arg))
        return bt_raise(call->run, call->node->at, "Argument %s must be a number. Actual type: %s",
                        name, bt_java_class(arg));
    if (bt_value_is(arg, BT_KIND_DECIMAL)) {
        BT_VALUE real = bt_value_double(bt_value_as_double(arg));
        *ret_number = bt_value_as_int(real); /* Cut to what an integer holds. */
        return real ? BT_OK : bt_raise_mem(call->run);
    }
    *ret_number = bt_value_as_int(arg);
    return BT_OK;
}

static int slice(struct bt_call *call, struct bt_value **ret_value)
{
    BT_NULL_THROUGH(call, ret_value);
    int64_t from = 0, to;
    BT_TRY(slice_index(call, 0, "fromIndex", &from));
    if (from < 0)
        return bt_raise_java(call->run, call->node->at, "fromIndex must be greater than 0");
    struct bt_str text = bt_value_str(call->input);
    if (!is_list(call->input) && !is_array(call->input) && !is_text(call->input))
        return bt_raise(call->run, call->node->at,
                        "Slice filter can only be applied to String, List and array inputs. Actual "
                        "type was: %s",
                        bt_java_class(call->input));
    int64_t count =
        (int64_t)(is_text(call->input) ? bt_utf8_count(text) : bt_value_count(call->input));
    to = count;
    BT_TRY(slice_index(call, 1, "toIndex", &to));
    if (to > count)
        return bt_raise(call->run, call->node->at, "toIndex must be smaller than input size: %lld",
                        (long long)count);
    if (bt_call_has(call, 1) && from >= to)
        return bt_raise(call->run, call->node->at, "toIndex must be greater than fromIndex");
    if (from > to && !is_text(call->input))
        return bt_raise_java(call->run, call->node->at, "fromIndex(%lld) > toIndex(%lld)",
                             (long long)from, (long long)to);
    if (from > to)
        return bt_raise_java(call->run, call->node->at, "begin %lld, end %lld, length %lld",
                             (long long)from, (long long)to, (long long)count);
    if (!is_text(call->input))
        return part_of(call, (size_t)from, (size_t)to, ret_value);
    return bt_call_string(
        call,
        bt_str_slice(text, bt_utf8_offset(text, (size_t)from), bt_utf8_offset(text, (size_t)to)),
        ret_value);
}

static int chunk_list(struct bt_call *call, size_t size, struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(0);
    struct bt_value *part = NULL;
    size_t count = bt_value_count(call->input);
    for (size_t from = 0; from < count; from += size) {
        BT_TRY(part_of(call, from, count - from < size ? count : from + size, &part));
        if (bt_list_push(out, part) < 0)
            return bt_raise_mem(call->run);
    }
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

static int chunk(struct bt_call *call, struct bt_value **ret_value)
{
    BT_NULL_THROUGH(call, ret_value);
    const struct bt_value *size = bt_call_arg(call, 0);
    if (!size)
        return bt_raise(call->run, call->node->at, "'chunk' filter expects an argument 'size'.");
    if (!is_list(call->input))
        return bt_raise(call->run, call->node->at,
                        "'chunk' filter can only be applied to List. Actual type was: %s",
                        bt_java_class(call->input));
    if (!bt_is_number(size))
        return bt_raise(call->run, call->node->at,
                        "'chunk' filter argument 'size' must be a number. Actual type was: %s",
                        bt_java_class(size));
    if (bt_value_as_double(size) < 1)
        return bt_raise_java(call->run, call->node->at, "'chunk' size must be greater than 0");
    double most = (double)BT_EXPR_ITEMS_MAX, wanted = bt_value_as_double(size);
    return chunk_list(call, (size_t)(wanted < most ? wanted : most), ret_value);
}

static int flatten(struct bt_call *call, struct bt_value **ret_value)
{
    BT_NULL_THROUGH(call, ret_value);
    if (!is_list(call->input))
        return bt_raise(call->run, call->node->at,
                        "The 'flatten' filter can only be applied to lists.");
    BT_VALUE out = bt_list_new(bt_value_count(call->input));
    bt_eval_charge(call->run, bt_value_count(call->input) * sizeof(void *));
    for (size_t i = 0; i < bt_value_count(call->input); i++) {
        const struct bt_value *item = bt_list_at(call->input, i);
        bool is_nested = is_list(item);
        for (size_t k = 0; k < (is_nested ? bt_value_count(item) : 1); k++)
            if (bt_list_push(out, bt_value_ref(is_nested ? bt_list_at(item, k) : item)) < 0)
                return bt_raise_mem(call->run);
        if (bt_value_count(out) > BT_EXPR_ITEMS_MAX)
            return bt_fail(call->run->err, BT_LIMIT, "a list has more than %u items",
                           BT_EXPR_ITEMS_MAX);
    }
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

static int join(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str separator;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_str(call, 0, &separator));
    if (!bt_value_is(call->input, BT_KIND_LIST))
        return bt_raise(call->run, call->node->at,
                        "The 'join' filter expects that the input is either a collection or an "
                        "array.");
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = BT_OK;
    for (size_t i = 0; i < bt_value_count(call->input) && rc == BT_OK; i++) {
        if (i)
            (void)bt_buf_add(&buf, separator); /* Checked by take. */
        rc = bt_java_text(bt_list_at(call->input, i), &buf, call->run->err);
    }
    if (rc == BT_OK)
        return bt_call_take(call, &buf, ret_value);
    bt_buf_done(&buf);
    return rc;
}

/* --- Order ------------------------------------------------------------------------------------ */

static struct bt_value *reversed(const struct bt_value *list)
{
    struct bt_value *out = bt_list_new(bt_value_count(list));
    for (size_t i = bt_value_count(list); out && i-- > 0;)
        if (bt_list_push(out, bt_value_ref(bt_list_at(list, i))) < 0)
            out = bt_value_unref(out);
    return out;
}

static int reverse(struct bt_call *call, struct bt_value **ret_value)
{
    BT_NULL_THROUGH(call, ret_value);
    if (!is_list(call->input))
        return bt_raise_cast(call->run, call->node->at, call->input, "java.util.List");
    bt_eval_charge(call->run, bt_value_count(call->input) * sizeof(void *));
    return bt_eval_replace(call->run, call->input, reversed(call->input), ret_value);
}

/* Byte order of UTF-8 is code point order; the original compares UTF-16 units: the same below
 * U+10000, which is all that the difference is worth. */
static int compare_items(const struct bt_value *a, const struct bt_value *b)
{
    if (bt_value_is(a, BT_KIND_STRING))
        return bt_str_cmp(bt_value_str(a), bt_value_str(b));
    if (bt_value_is(a, BT_KIND_INT)) {
        int64_t x = bt_value_as_int(a), y = bt_value_as_int(b);
        return x < y ? -1 : x > y;
    }
    if (bt_value_is(a, BT_KIND_BOOL))
        return (int)bt_value_as_bool(a) - (int)bt_value_as_bool(b);
    double x = bt_value_as_double(a), y = bt_value_as_double(b);
    return x < y ? -1 : x > y;
}

static bool are_comparable(const struct bt_value *a, const struct bt_value *b)
{
    enum bt_kind kind = bt_value_kind(a);
    return kind == bt_value_kind(b) && bt_value_flavor(a) == bt_value_flavor(b) &&
           kind != BT_KIND_NULL && kind != BT_KIND_LIST && kind != BT_KIND_MAP &&
           kind != BT_KIND_LAZY;
}

/* Stable merge sort; `spare` has the same size. */
static void merge_sort(struct bt_value **items, struct bt_value **spare, size_t count, int sign)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t middle = low + width < count ? low + width : count;
            size_t high = low + 2 * width < count ? low + 2 * width : count;
            size_t left = low, right = middle;
            for (size_t k = low; k < high; k++) {
                bool is_left =
                    left < middle &&
                    (right >= high || sign * compare_items(items[left], items[right]) <= 0);
                spare[k] = is_left ? items[left++] : items[right++];
            }
        }
        memcpy(items, spare, count * sizeof(struct bt_value *));
    }
}

static struct bt_value *sorted(const struct bt_value *list, int sign)
{
    size_t count = bt_value_count(list);
    struct bt_value **items = malloc((2 * count + 1) * sizeof(struct bt_value *));
    struct bt_value *out = items ? bt_list_new(count) : NULL;
    for (size_t i = 0; out && i < count; i++)
        items[i] = bt_list_at(list, i);
    if (out)
        merge_sort(items, items + count, count, sign);
    for (size_t i = 0; out && i < count; i++)
        if (bt_list_push(out, bt_value_ref(items[i])) < 0)
            out = bt_value_unref(out);
    free(items);
    if (out && is_array(list))
        bt_list_set_flavor(out, BT_FLAVOR_ARRAY);
    return out;
}

/* Java asks the later of the two, and the earlier one downwards. */
static int cannot_compare(struct bt_call *call, const struct bt_value *a, const struct bt_value *b,
                          int sign)
{
    const struct bt_value *asked = sign > 0 ? b : a, *other = sign > 0 ? a : b;
    if (bt_value_is(asked, BT_KIND_LIST) || bt_value_is(asked, BT_KIND_MAP))
        return bt_raise_cast(call->run, call->node->at, asked, "java.lang.Comparable");
    return bt_raise_cast(call->run, call->node->at, other, bt_java_class(asked));
}

static int sort_any(struct bt_call *call, int sign, struct bt_value **ret_value)
{
    BT_NULL_THROUGH(call, ret_value);
    const struct bt_value *list = call->input;
    size_t count = bt_value_count(list);
    if (!is_list(list) && !is_array(list))
        return sign < 0
                   ? bt_raise_cast(call->run, call->node->at, list, "java.util.List")
                   : bt_raise(call->run, call->node->at, "Unsupported input type for sort filter");
    for (size_t i = 0; i + 1 < count; i++)
        if (!are_comparable(bt_list_at(list, i), bt_list_at(list, i + 1)))
            return cannot_compare(call, bt_list_at(list, i), bt_list_at(list, i + 1), sign);
    call->run->steps += (uint32_t)count;
    struct bt_value *out = sorted(list, sign);
    BT_TRY(bt_eval_replace(call->run, list, out, ret_value));
    return BT_OK;
}

static int sort(struct bt_call *call, struct bt_value **ret_value)
{
    return sort_any(call, 1, ret_value);
}

static int rsort(struct bt_call *call, struct bt_value **ret_value)
{
    return sort_any(call, -1, ret_value);
}

/* --- Maps ------------------------------------------------------------------------------------- */

static int index_list(struct bt_call *call, size_t count, struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(count);
    bt_eval_charge(call->run, count * 64);
    for (size_t i = 0; i < count; i++)
        if (bt_list_push(out, bt_value_int32((int32_t)i)) < 0)
            return bt_raise_mem(call->run);
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

static int keys(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_force(call->run, call->input, &input));
    if (is_list(input) || is_array(input))
        return index_list(call, bt_value_count(input), ret_value);
    if (!bt_is_map(input))
        return bt_raise(
            call->run, call->node->at,
            "'keys' filter can only be applied to List, Map, Array. Actual type was: %s",
            bt_java_class(input));
    BT_VALUE out = bt_list_new(bt_value_count(input));
    for (size_t i = 0; i < bt_value_count(input); i++) {
        struct bt_value *key = NULL;
        (void)bt_map_at(input, i, &key); /* Only the key is wanted. */
        if (bt_list_push(out, bt_value_ref(key)) < 0)
            return bt_raise_mem(call->run);
    }
    if (out)
        bt_list_set_flavor(out, BT_FLAVOR_SET);
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

static int values(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_force(call->run, call->input, &input));
    if (!bt_is_map(input))
        return bt_raise(call->run, call->node->at,
                        "'values' filter can only be applied to Map. Actual type was: %s",
                        bt_java_class(input));
    BT_VALUE out = bt_list_new(bt_value_count(input));
    for (size_t i = 0; i < bt_value_count(input); i++)
        if (bt_list_push(out, bt_value_ref(bt_map_at(input, i, NULL))) < 0)
            return bt_raise_mem(call->run);
    if (out)
        bt_list_set_flavor(out, BT_FLAVOR_SET);
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

/* Adds one item of a list as a key of itself. */
static int put_self(struct bt_call *call, struct bt_value *map, struct bt_value *item)
{
    BT_VALUE key = NULL;
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_java_text(item, &buf, call->run->err);
    if (rc < 0) {
        bt_buf_done(&buf);
        return rc;
    }
    BT_TRY(bt_call_take(call, &buf, &key));
    return bt_map_put_key(map, key, bt_value_ref(item)) < 0 ? bt_raise_mem(call->run) : BT_OK;
}

static int merge_map(struct bt_call *call, const struct bt_value *map, const struct bt_value *items,
                     struct bt_value **ret_value)
{
    size_t count = bt_value_count(items);
    if (!is_list(items) && !bt_is_map(items))
        return bt_raise_java(call->run, call->node->at,
                             "Currently, only Maps and Lists can be merged with a Map. Arg2: %s",
                             bt_java_class(items));
    BT_VALUE out = bt_value_copy(map);
    bt_eval_charge(call->run, (bt_value_count(map) + count) * 2 * sizeof(void *));
    for (size_t i = 0; out && i < count; i++) {
        struct bt_value *key = NULL;
        if (is_list(items))
            BT_TRY(put_self(call, out, bt_list_at(items, i)));
        else if (bt_map_put_key(out, (bt_map_at(items, i, &key), key),
                                bt_value_ref(bt_map_at(items, i, NULL))) < 0)
            return bt_raise_mem(call->run);
    }
    size_t capacity = bt_value_count(map) + count + BT_HASHMAP_CAPACITY;
    return bt_call_give(call, bt_java_order(BT_TAKE(out), capacity), ret_value);
}

static int merge_list(struct bt_call *call, const struct bt_value *list,
                      const struct bt_value *items, struct bt_value **ret_value)
{
    bool is_map = bt_is_map(items);
    size_t count = bt_value_count(items);
    if (!is_map && (is_array(list) ? !is_array(items) : !is_list(items)))
        return bt_raise(call->run, call->node->at,
                        "Currently, only Maps and Lists can be merged with a List. Arg2: %s",
                        bt_java_class(items));
    if (bt_value_count(list) + count > BT_EXPR_ITEMS_MAX)
        return bt_fail(call->run->err, BT_LIMIT, "a list has more than %u items",
                       BT_EXPR_ITEMS_MAX);
    BT_VALUE out = bt_value_copy(list);
    bt_eval_charge(call->run, (bt_value_count(list) + count) * sizeof(void *));
    for (size_t i = 0; i < count; i++)
        if (bt_list_push(out,
                         is_map ? bt_java_entry(items, i) : bt_value_ref(bt_list_at(items, i))) < 0)
            return bt_raise_mem(call->run);
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

static int merge(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_VALUE items = NULL;
    BT_TRY(bt_call_force(call->run, call->input, &input));
    if (bt_call_arg(call, 0))
        BT_TRY(bt_call_force(call->run, bt_call_arg(call, 0), &items));
    bool has_items = !bt_value_is_null(items);
    if (bt_value_is_null(input) && !has_items)
        return bt_raise(call->run, call->node->at, "The two arguments to be merged are null");
    if (bt_value_is_null(input) || !has_items) {
        *ret_value = has_items ? BT_TAKE(items) : BT_TAKE(input);
        return BT_OK;
    }
    if (bt_is_map(input))
        return merge_map(call, input, items, ret_value);
    if (is_list(input) || is_array(input))
        return merge_list(call, input, items, ret_value);
    return bt_raise(call->run, call->node->at, "The object being filtered is not a Map/List/Array");
}

static const struct bt_fn rows[] = {
    {"chunk", "size", 1, 1, 0, chunk,
     "Cuts a list into lists of a size: `[1,2,3] | chunk(2)` → `[[1,2],[3]]`"},
    {"first", "", 0, 0, BT_FN_LOOSE, first, "First item or letter: `[1,2] | first` → `1`"},
    {"flatten", "", 0, 0, BT_FN_LOOSE, flatten,
     "Takes one level of nested lists out: `[1,[2]] | flatten` → `[1,2]`"},
    {"join", "separator", 0, 1, 0, join, "Texts of all items in one: `[1,2] | join('-')` → `1-2`"},
    {"keys", "", 0, 0, BT_FN_LOOSE, keys,
     "Keys of a map, indexes of a list: `{'a': 1} | keys` → `[\"a\"]`"},
    {"last", "", 0, 0, BT_FN_LOOSE, last, "Last item or letter: `'abc' | last` → `c`"},
    {"length", "", 0, 0, BT_FN_LOOSE, length,
     "Length of a text, list or map: `'abc' | length` → `3`"},
    {"merge", "items", 1, 1, 0, merge,
     "Two lists or two maps in one: `[1] | merge([2])` → `[1,2]`"},
    {"reverse", "", 0, 0, BT_FN_LOOSE, reverse,
     "Turns a list round, in place: `[1,2] | reverse` → `[2,1]`"},
    {"rsort", "", 0, 0, BT_FN_LOOSE, rsort,
     "Sorts downwards, in place: `[1,3,2] | rsort` → `[3,2,1]`"},
    {"slice", "fromIndex toIndex", 0, 2, 0, slice,
     "A part of a text or list: `'abcdef' | slice(1, 3)` → `bc`"},
    {"sort", "", 0, 0, BT_FN_LOOSE, sort, "Sorts upwards, in place: `[3,1,2] | sort` → `[1,2,3]`"},
    {"values", "", 0, 0, BT_FN_LOOSE, values, "Values of a map: `{'a': 1} | values` → `[1]`"},
};

const struct bt_fn_table bt_fn_list_filters = {rows, BT_COUNT(rows)};
