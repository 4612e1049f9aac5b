/* jq_ops.c — Arithmetic, order, types and texts of jq. Pure. */
#include "base/num.h"
#include "base/utf8.h"
#include "lang/jq/jq_int.h"
#include "value/json.h"

#include <math.h>

bool bt_jq_is_number(const struct bt_value *value)
{
    enum bt_kind kind = bt_value_kind(value);
    return kind == BT_KIND_INT || kind == BT_KIND_DOUBLE || kind == BT_KIND_DECIMAL;
}

const char *bt_jq_type(const struct bt_value *value)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return "null";
    case BT_KIND_BOOL: return "boolean";
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: return "number";
    case BT_KIND_STRING: return "string";
    case BT_KIND_LIST: return "array";
    case BT_KIND_MAP:
    case BT_KIND_LAZY: return "object";
    }
    return "null";
}

struct bt_value *bt_jq_number(double number)
{
    if (number == floor(number) && fabs(number) < 9007199254740992.0)
        return number >= INT32_MIN && number <= INT32_MAX ? bt_value_int32((int32_t)number)
                                                          : bt_value_int((int64_t)number);
    return bt_value_double(number);
}

int bt_jq_json(struct bt_jq *jq, const struct bt_value *value, struct bt_value **ret_text)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_json_write(value, BT_JSON_COMPACT, &buf, jq->err);
    bt_jq_charge(jq, buf.len);
    *ret_text = rc == BT_OK ? bt_value_string(bt_buf_str(&buf)) : NULL;
    bt_buf_done(&buf);
    return rc < 0 ? rc : *ret_text ? BT_OK : bt_jq_no_mem(jq);
}

int bt_jq_text(struct bt_jq *jq, const struct bt_value *value, struct bt_value **ret_text)
{
    if (!bt_value_is(value, BT_KIND_STRING))
        return bt_jq_json(jq, value, ret_text);
    *ret_text = bt_value_ref(value);
    return BT_OK;
}

/* --- Order ------------------------------------------------------------------------------------ */

static int rank(const struct bt_value *value)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return 0;
    case BT_KIND_BOOL: return bt_value_as_bool(value) ? 2 : 1;
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: return 3;
    case BT_KIND_STRING: return 4;
    case BT_KIND_LIST: return 5;
    case BT_KIND_MAP:
    case BT_KIND_LAZY: return 6;
    }
    return 0;
}

static int compare_numbers(const struct bt_value *a, const struct bt_value *b)
{
    if (bt_value_is(a, BT_KIND_INT) && bt_value_is(b, BT_KIND_INT)) {
        int64_t x = bt_value_as_int(a), y = bt_value_as_int(b);
        return x < y ? -1 : x > y;
    }
    double x = bt_value_as_double(a), y = bt_value_as_double(b);
    if (isnan(x))
        return -1;
    return x < y ? -1 : x > y || isnan(y);
}

static int compare_at(const struct bt_value *a, const struct bt_value *b, int depth);

static int compare_lists(const struct bt_value *a, const struct bt_value *b, int depth)
{
    size_t count_a = bt_value_count(a), count_b = bt_value_count(b);
    for (size_t i = 0; i < count_a && i < count_b; i++) {
        int order = compare_at(bt_list_at(a, i), bt_list_at(b, i), depth);
        if (order)
            return order;
    }
    return count_a < count_b ? -1 : count_a > count_b;
}

/* Index of the smallest key that is larger than `last`. */
static size_t next_key(const struct bt_value *map, struct bt_str last, bool is_first)
{
    size_t best = bt_value_count(map);
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_str key = bt_map_key(map, i);
        if ((is_first || bt_str_cmp(key, last) > 0) &&
            (best == bt_value_count(map) || bt_str_cmp(key, bt_map_key(map, best)) < 0))
            best = i;
    }
    return best;
}

/* Sets of keys first, as sorted lists, then the values in the order of the keys. */
static int compare_maps(const struct bt_value *a, const struct bt_value *b, int depth)
{
    size_t count_a = bt_value_count(a), count_b = bt_value_count(b);
    struct bt_str last = BT_STR_NONE;
    int by_value = 0;
    for (size_t i = 0; i < count_a && i < count_b; i++) {
        size_t at_a = next_key(a, last, i == 0), at_b = next_key(b, last, i == 0);
        int order = bt_str_cmp(bt_map_key(a, at_a), bt_map_key(b, at_b));
        if (order)
            return order < 0 ? -1 : 1;
        last = bt_map_key(a, at_a);
        if (!by_value)
            by_value = compare_at(bt_map_at(a, at_a, NULL), bt_map_at(b, at_b, NULL), depth);
    }
    return count_a != count_b ? (count_a < count_b ? -1 : 1) : by_value;
}

static int compare_at(const struct bt_value *a, const struct bt_value *b, int depth)
{
    int rank_a = rank(a), rank_b = rank(b);
    if (rank_a != rank_b || a == b)
        return rank_a < rank_b ? -1 : rank_a > rank_b;
    if (depth > BT_VALUE_DEPTH_MAX)
        return 0;
    switch (rank_a) {
    case 3: return compare_numbers(a, b);
    case 4: return bt_str_cmp(bt_value_str(a), bt_value_str(b));
    case 5: return compare_lists(a, b, depth + 1);
    case 6: return compare_maps(a, b, depth + 1);
    default: return 0;
    }
}

int bt_jq_compare(const struct bt_value *a, const struct bt_value *b)
{
    int order = compare_at(a, b, 0);
    return order < 0 ? -1 : order > 0;
}

struct pair {
    struct bt_value *item, *key;
    size_t index;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = bt_jq_compare(x->key, y->key);
    return order ? order : x->index < y->index ? -1 : 1;
}

int bt_jq_sort(struct bt_jq *jq, const struct bt_value *list, const struct bt_value *keys,
               struct bt_value **ret_list)
{
    size_t count = bt_value_count(list);
    struct pair *pairs = malloc((count + 1) * sizeof *pairs);
    BT_VALUE out = bt_list_new(count);
    int rc = pairs && out ? BT_OK : bt_jq_no_mem(jq);
    for (size_t i = 0; rc == BT_OK && i < count; i++)
        pairs[i] = (struct pair){bt_list_at(list, i), bt_list_at(keys ? keys : list, i), i};
    if (rc == BT_OK)
        qsort(pairs, count, sizeof *pairs, compare_pairs);
    for (size_t i = 0; rc == BT_OK && i < count; i++)
        if (bt_list_push(out, bt_value_ref(pairs[i].item)) < 0)
            rc = bt_jq_no_mem(jq);
    free(pairs);
    jq->steps += (uint32_t)count;
    if (rc == BT_OK)
        *ret_list = BT_TAKE(out);
    return rc;
}

int bt_jq_keys(struct bt_jq *jq, const struct bt_value *map, struct bt_value **ret_list)
{
    BT_VALUE keys = bt_list_new(bt_value_count(map));
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_value *key = NULL;
        (void)bt_map_at(map, i, &key); /* Only the key is wanted. */
        if (bt_list_push(keys, bt_value_ref(key)) < 0)
            return bt_jq_no_mem(jq);
    }
    return keys ? bt_jq_sort(jq, keys, NULL, ret_list) : bt_jq_no_mem(jq);
}

/* --- Arithmetic ------------------------------------------------------------------------------- */

static int give(struct bt_jq *jq, struct bt_value *value, struct bt_value **ret_value)
{
    *ret_value = value;
    return value ? BT_OK : bt_jq_no_mem(jq);
}

static int numbers(struct bt_jq *jq, char op, const struct bt_value *a, const struct bt_value *b,
                   struct bt_value **ret_value)
{
    double x = bt_value_as_double(a), y = bt_value_as_double(b);
    int64_t whole;
    if (bt_value_is(a, BT_KIND_INT) && bt_value_is(b, BT_KIND_INT) && strchr("+-*", op)) {
        int64_t left = bt_value_as_int(a), right = bt_value_as_int(b);
        bool is_over = op == '+'   ? __builtin_add_overflow(left, right, &whole)
                       : op == '-' ? __builtin_sub_overflow(left, right, &whole)
                                   : __builtin_mul_overflow(left, right, &whole);
        if (!is_over)
            return give(
                jq, whole == (int32_t)whole ? bt_value_int32((int32_t)whole) : bt_value_int(whole),
                ret_value);
    }
    if ((op == '/' && y == 0) || (op == '%' && trunc(y) == 0))
        return bt_jq_raise(jq, "number and number cannot be divided because the divisor is zero");
    switch (op) {
    case '+': return give(jq, bt_jq_number(x + y), ret_value);
    case '-': return give(jq, bt_jq_number(x - y), ret_value);
    case '*': return give(jq, bt_jq_number(x * y), ret_value);
    case '/': return give(jq, bt_jq_number(x / y), ret_value);
    default: return give(jq, bt_jq_number(fmod(trunc(x), fabs(trunc(y)))), ret_value);
    }
}

static int add_texts(struct bt_jq *jq, struct bt_str a, struct bt_str b,
                     struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_buf_add(&buf, a); /* Checked below. */
    (void)bt_buf_add(&buf, b);
    int rc = bt_buf_check(&buf, "the jq text", jq->err);
    bt_jq_charge(jq, buf.len);
    if (rc == BT_OK)
        rc = give(jq, bt_value_string(bt_buf_str(&buf)), ret_value);
    bt_buf_done(&buf);
    return rc;
}

static int add_lists(struct bt_jq *jq, const struct bt_value *a, const struct bt_value *b,
                     struct bt_value **ret_value)
{
    BT_VALUE out = bt_value_copy(a);
    if (bt_value_count(a) + bt_value_count(b) > BT_EXPR_ITEMS_MAX)
        return bt_fail(jq->err, BT_LIMIT, "a jq list has more than %u items", BT_EXPR_ITEMS_MAX);
    for (size_t i = 0; i < bt_value_count(b); i++)
        if (bt_list_push(out, bt_value_ref(bt_list_at(b, i))) < 0)
            return bt_jq_no_mem(jq);
    bt_jq_charge(jq, (bt_value_count(a) + bt_value_count(b)) * sizeof(void *));
    return give(jq, BT_TAKE(out), ret_value);
}

/* The second map wins; deep: maps in both are merged. */
static int add_maps(struct bt_jq *jq, const struct bt_value *a, const struct bt_value *b, int depth,
                    struct bt_value **ret_value)
{
    BT_VALUE out = bt_value_copy(a);
    bt_jq_charge(jq, (bt_value_count(a) + bt_value_count(b)) * 2 * sizeof(void *));
    if (depth > BT_VALUE_DEPTH_MAX)
        return bt_fail(jq->err, BT_LIMIT, "a jq value nests too deep");
    for (size_t i = 0; out && i < bt_value_count(b); i++) {
        struct bt_value *key, *item = bt_map_at(b, i, &key);
        BT_VALUE merged = NULL;
        const struct bt_value *old = bt_map_get(a, bt_value_str(key));
        if (depth > 0 && bt_value_is(old, BT_KIND_MAP) && bt_value_is(item, BT_KIND_MAP))
            BT_TRY(add_maps(jq, old, item, depth + 1, &merged));
        if (bt_map_put_key(out, key, bt_value_ref(merged ? merged : item)) < 0)
            return bt_jq_no_mem(jq);
    }
    return give(jq, BT_TAKE(out), ret_value);
}

static int subtract_lists(struct bt_jq *jq, const struct bt_value *a, const struct bt_value *b,
                          struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(0);
    for (size_t i = 0; i < bt_value_count(a); i++) {
        bool is_gone = false;
        for (size_t k = 0; k < bt_value_count(b) && !is_gone; k++)
            is_gone = bt_jq_compare(bt_list_at(a, i), bt_list_at(b, k)) == 0;
        if (!is_gone && bt_list_push(out, bt_value_ref(bt_list_at(a, i))) < 0)
            return bt_jq_no_mem(jq);
        jq->steps += (uint32_t)bt_value_count(b);
        if (jq->steps > BT_EXPR_STEPS_MAX)
            return bt_fail(jq->err, BT_LIMIT, "a jq program takes too long");
    }
    return give(jq, BT_TAKE(out), ret_value);
}

static int repeat_text(struct bt_jq *jq, struct bt_str text, double times,
                       struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    if (!(times > 0))
        return give(jq, bt_value_null(), ret_value);
    for (double n = times; n > 0 && text.len && !buf.failed; n--)
        (void)bt_buf_add(&buf, text); /* Checked below. */
    int rc = bt_buf_check(&buf, "the jq text", jq->err);
    bt_jq_charge(jq, buf.len);
    if (rc == BT_OK)
        rc = give(jq, bt_value_string(bt_buf_str(&buf)), ret_value);
    bt_buf_done(&buf);
    return rc;
}

static int split_text(struct bt_jq *jq, struct bt_str text, struct bt_str by,
                      struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(0);
    size_t at = 0;
    while (text.len && at <= text.len) {
        ptrdiff_t found = by.len ? bt_str_find(text, by, at) : -1;
        size_t end = found < 0 ? text.len : (size_t)found;
        uint32_t rune;
        if (by.len == 0 && at < text.len)
            end = at + bt_utf8_decode(text, at, &rune);
        if (by.len == 0 && at == text.len)
            break;
        if (bt_list_push(out, bt_value_string(bt_str_slice(text, at, end))) < 0)
            return bt_jq_no_mem(jq);
        bt_jq_charge(jq, end - at + 64);
        if (bt_value_count(out) > BT_EXPR_ITEMS_MAX)
            return bt_fail(jq->err, BT_LIMIT, "a jq list has too many items");
        at = by.len == 0 ? end : found < 0 ? text.len + 1 : end + by.len;
    }
    return give(jq, BT_TAKE(out), ret_value);
}

static const char *verb(char op)
{
    return op == '+' ? "added" : op == '-' ? "subtracted" : op == '*' ? "multiplied" : "divided";
}

static int add(struct bt_jq *jq, const struct bt_value *a, const struct bt_value *b,
               struct bt_value **ret_value)
{
    if (bt_value_is_null(a) || bt_value_is_null(b))
        return give(jq, bt_value_ref(bt_value_is_null(a) ? b : a), ret_value);
    if (bt_value_is(a, BT_KIND_STRING) && bt_value_is(b, BT_KIND_STRING))
        return add_texts(jq, bt_value_str(a), bt_value_str(b), ret_value);
    if (bt_value_is(a, BT_KIND_LIST) && bt_value_is(b, BT_KIND_LIST))
        return add_lists(jq, a, b, ret_value);
    if (bt_value_is(a, BT_KIND_MAP) && bt_value_is(b, BT_KIND_MAP))
        return add_maps(jq, a, b, 0, ret_value);
    return bt_jq_raise(jq, "%s and %s cannot be added", bt_jq_type(a), bt_jq_type(b));
}

int bt_jq_arith(struct bt_jq *jq, char op, const struct bt_value *a, const struct bt_value *b,
                struct bt_value **ret_value)
{
    if (bt_jq_is_number(a) && bt_jq_is_number(b))
        return numbers(jq, op, a, b, ret_value);
    if (op == '+')
        return add(jq, a, b, ret_value);
    if (op == '-' && bt_value_is(a, BT_KIND_LIST) && bt_value_is(b, BT_KIND_LIST))
        return subtract_lists(jq, a, b, ret_value);
    if (op == '*' && bt_value_is(a, BT_KIND_MAP) && bt_value_is(b, BT_KIND_MAP))
        return add_maps(jq, a, b, 1, ret_value);
    if (op == '*' && bt_value_is(a, BT_KIND_STRING) && bt_jq_is_number(b))
        return repeat_text(jq, bt_value_str(a), bt_value_as_double(b), ret_value);
    if (op == '*' && bt_value_is(b, BT_KIND_STRING) && bt_jq_is_number(a))
        return repeat_text(jq, bt_value_str(b), bt_value_as_double(a), ret_value);
    if (op == '/' && bt_value_is(a, BT_KIND_STRING) && bt_value_is(b, BT_KIND_STRING))
        return split_text(jq, bt_value_str(a), bt_value_str(b), ret_value);
    return bt_jq_raise(jq, "%s and %s cannot be %s", bt_jq_type(a), bt_jq_type(b), verb(op));
}
