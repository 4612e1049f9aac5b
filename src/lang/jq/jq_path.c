/* jq_path.c — Looking into, changing and deleting by paths. Pure: containers are copied, not
 * changed. */
#include "base/utf8.h"
#include "lang/jq/jq_int.h"

#include <math.h>

/* {"start": …, "end": …}: the key of a slice. */
static bool is_slice(const struct bt_value *key)
{
    return bt_value_is(key, BT_KIND_MAP);
}

/* Not-a-number is before every list: nothing is there. */
static int64_t position(const struct bt_value *key)
{
    double number = floor(bt_value_as_double(key));
    return number > 1e9 ? 1000000000 : number >= -1e9 ? (int64_t)number : -1000000000;
}

/* All positions of a part in a list. */
static int find_part(struct bt_jq *jq, const struct bt_value *list, const struct bt_value *part,
                     struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(0);
    size_t count = bt_value_count(list), len = bt_value_count(part);
    for (size_t i = 0; len && i + len <= count; i++) {
        bool is_here = true;
        for (size_t k = 0; k < len && is_here; k++)
            is_here = bt_jq_compare(bt_list_at(list, i + k), bt_list_at(part, k)) == 0;
        if (is_here && bt_list_push(out, bt_value_int32((int32_t)i)) < 0)
            return bt_jq_no_mem(jq);
    }
    *ret_value = BT_TAKE(out);
    return *ret_value ? BT_OK : bt_jq_no_mem(jq);
}

int bt_jq_index(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *key,
                struct bt_value **ret_value)
{
    *ret_value = bt_value_null();
    if (is_slice(key))
        return bt_jq_slice(jq, value, bt_map_gets(key, "start"), bt_map_gets(key, "end"),
                           ret_value);
    if (bt_value_is_null(value) &&
        (bt_value_is(key, BT_KIND_STRING) || bt_jq_is_number(key) || bt_value_is_null(key)))
        return BT_OK;
    if (bt_value_is(value, BT_KIND_MAP) && bt_value_is(key, BT_KIND_STRING)) {
        struct bt_value *found = bt_map_get(value, bt_value_str(key));
        *ret_value = found ? bt_value_ref(found) : bt_value_null();
        return BT_OK;
    }
    if (bt_value_is(value, BT_KIND_LIST) && bt_jq_is_number(key)) {
        int64_t at = position(key);
        at += at < 0 ? (int64_t)bt_value_count(value) : 0;
        struct bt_value *found = at < 0 ? NULL : bt_list_at(value, (size_t)at);
        *ret_value = found ? bt_value_ref(found) : bt_value_null();
        return BT_OK;
    }
    if (bt_value_is(value, BT_KIND_LIST) && bt_value_is(key, BT_KIND_LIST))
        return find_part(jq, value, key, ret_value);
    if (bt_value_is(key, BT_KIND_STRING))
        return bt_jq_raise(jq, "Cannot index %s with \"%.*s\"", bt_jq_type(value),
                           BT_FMT(bt_value_str(key)));
    return bt_jq_raise(jq, "Cannot index %s with %s", bt_jq_type(value), bt_jq_type(key));
}

/* Ends of a slice within [0, count]. */
static void bounds(const struct bt_value *from, const struct bt_value *to, size_t count,
                   size_t ret[2])
{
    const struct bt_value *ends[2] = {from, to};
    for (int i = 0; i < 2; i++) {
        double number =
            bt_value_is_null(ends[i]) ? (i ? (double)count : 0) : bt_value_as_double(ends[i]);
        number += number < 0 ? (double)count : 0;
        number = i ? ceil(number) : floor(number);
        ret[i] = number > 0 ? (size_t)fmin(number, (double)count) : 0; /* Not a number is 0. */
    }
    ret[1] = ret[1] < ret[0] ? ret[0] : ret[1];
}

int bt_jq_slice(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *from,
                const struct bt_value *to, struct bt_value **ret_value)
{
    size_t ends[2];
    struct bt_str text = bt_value_str(value);
    *ret_value = bt_value_null();
    if (bt_value_is_null(value))
        return BT_OK;
    if ((!bt_value_is_null(from) && !bt_jq_is_number(from)) ||
        (!bt_value_is_null(to) && !bt_jq_is_number(to)))
        return bt_jq_raise(jq, "Start and end indices of an array slice must be numbers");
    if (bt_value_is(value, BT_KIND_STRING)) {
        bounds(from, to, bt_utf8_count(text), ends);
        struct bt_str part =
            bt_str_slice(text, bt_utf8_offset(text, ends[0]), bt_utf8_offset(text, ends[1]));
        bt_jq_charge(jq, part.len);
        *ret_value = bt_value_string(part);
        return *ret_value ? BT_OK : bt_jq_no_mem(jq);
    }
    if (!bt_value_is(value, BT_KIND_LIST))
        return bt_jq_raise(jq, "Cannot index %s with object", bt_jq_type(value));
    bounds(from, to, bt_value_count(value), ends);
    BT_VALUE out = bt_list_new(ends[1] - ends[0]);
    bt_jq_charge(jq, (ends[1] - ends[0]) * sizeof(void *));
    for (size_t i = ends[0]; i < ends[1]; i++)
        if (bt_list_push(out, bt_value_ref(bt_list_at(value, i))) < 0)
            return bt_jq_no_mem(jq);
    *ret_value = BT_TAKE(out);
    return *ret_value ? BT_OK : bt_jq_no_mem(jq);
}

int bt_jq_get(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *path,
              struct bt_value **ret_value)
{
    BT_VALUE now = bt_value_ref(value);
    for (size_t i = 0; i < bt_value_count(path); i++) {
        struct bt_value *next = NULL;
        BT_TRY(bt_jq_index(jq, now, bt_list_at(path, i), &next));
        bt_value_unref(now);
        now = next;
    }
    *ret_value = BT_TAKE(now);
    return BT_OK;
}

/* --- Changing --------------------------------------------------------------------------------- */

static int put_in_list(struct bt_jq *jq, const struct bt_value *list, const struct bt_value *key,
                       const struct bt_value *item, struct bt_value **ret_value)
{
    int64_t at = position(key), count = (int64_t)bt_value_count(list);
    at += at < 0 ? count : 0;
    if (at < 0)
        return bt_jq_raise(jq, "Out of bounds negative array index");
    if (at >= (int64_t)BT_EXPR_ITEMS_MAX)
        return bt_fail(jq->err, BT_LIMIT, "a jq list has more than %u items", BT_EXPR_ITEMS_MAX);
    BT_VALUE out = bt_list_new((size_t)(at >= count ? at + 1 : count));
    for (int64_t i = 0; i < count || i <= at; i++) {
        const struct bt_value *old = bt_list_at(list, (size_t)i);
        struct bt_value *put = i == at ? bt_value_ref(item)
                               : old   ? bt_value_ref(old)
                                       : bt_value_null();
        if (bt_list_push(out, put) < 0)
            return bt_jq_no_mem(jq);
    }
    bt_jq_charge(jq, (size_t)(at >= count ? at : count) * sizeof(void *));
    *ret_value = BT_TAKE(out);
    return *ret_value ? BT_OK : bt_jq_no_mem(jq);
}

/* Replaces a slice by the items of a list. */
static int put_slice(struct bt_jq *jq, const struct bt_value *list, const struct bt_value *key,
                     const struct bt_value *item, struct bt_value **ret_value)
{
    size_t ends[2], count = bt_value_count(list);
    if (!bt_value_is_null(list) && !bt_value_is(list, BT_KIND_LIST))
        return bt_jq_raise(jq, "Cannot update field at object index of %s", bt_jq_type(list));
    if (!bt_value_is(item, BT_KIND_LIST))
        return bt_jq_raise(jq, "A slice of an array can only be assigned another array");
    bounds(bt_map_gets(key, "start"), bt_map_gets(key, "end"), count, ends);
    BT_VALUE out = bt_list_new(count);
    for (size_t i = 0; i < ends[0]; i++)
        if (bt_list_push(out, bt_value_ref(bt_list_at(list, i))) < 0)
            return bt_jq_no_mem(jq);
    for (size_t i = 0; i < bt_value_count(item); i++)
        if (bt_list_push(out, bt_value_ref(bt_list_at(item, i))) < 0)
            return bt_jq_no_mem(jq);
    for (size_t i = ends[1]; i < count; i++)
        if (bt_list_push(out, bt_value_ref(bt_list_at(list, i))) < 0)
            return bt_jq_no_mem(jq);
    *ret_value = BT_TAKE(out);
    return *ret_value ? BT_OK : bt_jq_no_mem(jq);
}

static int put(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *key,
               const struct bt_value *item, struct bt_value **ret_value)
{
    bool is_null = bt_value_is_null(value);
    if (is_slice(key))
        return put_slice(jq, value, key, item, ret_value);
    if (bt_value_is(key, BT_KIND_STRING) && (is_null || bt_value_is(value, BT_KIND_MAP))) {
        BT_VALUE map = is_null ? bt_map_new(1) : bt_value_copy(value);
        bt_jq_charge(jq, bt_value_count(value) * 2 * sizeof(void *));
        if (!map || bt_map_put(map, bt_value_str(key), bt_value_ref(item)) < 0)
            return bt_jq_no_mem(jq);
        *ret_value = BT_TAKE(map);
        return BT_OK;
    }
    if (bt_jq_is_number(key) && (is_null || bt_value_is(value, BT_KIND_LIST)))
        return put_in_list(jq, value, key, item, ret_value);
    return bt_jq_raise(jq, "Cannot index %s with %s", bt_jq_type(value), bt_jq_type(key));
}

struct setting {
    struct bt_jq *jq;
    const struct bt_value *path, *item;
};

static int set_from(const struct setting *set, const struct bt_value *value, size_t index,
                    struct bt_value **ret_value)
{
    BT_VALUE old = NULL;
    BT_VALUE inner = NULL;
    if (index == bt_value_count(set->path)) {
        *ret_value = bt_value_ref(set->item);
        return BT_OK;
    }
    if (index > BT_VALUE_DEPTH_MAX)
        return bt_fail(set->jq->err, BT_LIMIT, "a jq path is too long");
    const struct bt_value *key = bt_list_at(set->path, index);
    BT_TRY(bt_jq_index(set->jq, value, key, &old));
    BT_TRY(set_from(set, old, index + 1, &inner));
    return put(set->jq, value, key, inner, ret_value);
}

int bt_jq_set(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *path,
              const struct bt_value *item, struct bt_value **ret_value)
{
    struct setting set = {jq, path, item};
    return set_from(&set, value, 0, ret_value);
}

/* --- Deleting --------------------------------------------------------------------------------- */

static int remove_key(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *key,
                      struct bt_value **ret_value)
{
    size_t ends[2] = {0, 0}, count = bt_value_count(value);
    if (bt_value_is(value, BT_KIND_MAP) && bt_value_is(key, BT_KIND_STRING)) {
        *ret_value = bt_value_copy(value);
        if (*ret_value)
            (void)bt_map_remove(*ret_value, bt_value_str(key)); /* It may not be there. */
        return *ret_value ? BT_OK : bt_jq_no_mem(jq);
    }
    if (bt_value_is(value, BT_KIND_LIST) && bt_jq_is_number(key)) {
        int64_t at = position(key);
        at += at < 0 ? (int64_t)count : 0;
        if (at >= 0 && at < (int64_t)count) {
            ends[0] = (size_t)at;
            ends[1] = ends[0] + 1;
        }
    } else if (bt_value_is(value, BT_KIND_LIST) && is_slice(key)) {
        bounds(bt_map_gets(key, "start"), bt_map_gets(key, "end"), count, ends);
    } else {
        return bt_jq_raise(jq, "Cannot delete field of %s", bt_jq_type(value));
    }
    BT_VALUE out = bt_list_new(count);
    for (size_t i = 0; i < count; i++)
        if ((i < ends[0] || i >= ends[1]) &&
            bt_list_push(out, bt_value_ref(bt_list_at(value, i))) < 0)
            return bt_jq_no_mem(jq);
    *ret_value = BT_TAKE(out);
    return *ret_value ? BT_OK : bt_jq_no_mem(jq);
}

static int delete_from(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *path,
                       size_t index, struct bt_value **ret_value)
{
    BT_VALUE old = NULL;
    BT_VALUE inner = NULL;
    const struct bt_value *key = bt_list_at(path, index);
    if (bt_value_is_null(value) || !key) {
        *ret_value = bt_value_null();
        return BT_OK;
    }
    if (index > BT_VALUE_DEPTH_MAX)
        return bt_fail(jq->err, BT_LIMIT, "a jq path is too long");
    if (index + 1 == bt_value_count(path))
        return remove_key(jq, value, key, ret_value);
    BT_TRY(bt_jq_index(jq, value, key, &old));
    if (bt_value_is_null(old)) {
        *ret_value = bt_value_ref(value);
        return BT_OK;
    }
    BT_TRY(delete_from(jq, old, path, index + 1, &inner));
    return put(jq, value, key, inner, ret_value);
}

/* The last paths first, so that indexes stay right. */
int bt_jq_delete(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *paths,
                 struct bt_value **ret_value)
{
    BT_VALUE sorted = NULL;
    BT_VALUE now = bt_value_ref(value);
    BT_TRY(bt_jq_sort(jq, paths, NULL, &sorted));
    for (size_t i = bt_value_count(sorted); i-- > 0;) {
        struct bt_value *next = NULL;
        BT_TRY(delete_from(jq, now, bt_list_at(sorted, i), 0, &next));
        bt_value_unref(now);
        now = next;
    }
    *ret_value = BT_TAKE(now);
    return BT_OK;
}
