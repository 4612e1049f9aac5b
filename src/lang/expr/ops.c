/* ops.c — Operators: arithmetic, comparison, equality, contains, logic, concatenation, ranges.
 * Pure.
 *
 * Number types follow the original: any BigDecimal, else any Double, else Float, else 64 bits when
 * one side is a Long, else 32 bits. */
#include "lang/expr/expr_int.h"

#include "base/utf8.h"
#include "lang/expr/dec.h"

#include <assert.h>
#include <math.h>

bool bt_is_number(const struct bt_value *value)
{
    enum bt_kind kind = bt_value_kind(value);
    return kind == BT_KIND_INT || kind == BT_KIND_DOUBLE || kind == BT_KIND_DECIMAL;
}

bool bt_is_collection(const struct bt_value *value)
{
    return bt_value_is(value, BT_KIND_LIST) && bt_value_flavor(value) != BT_FLAVOR_ARRAY;
}

bool bt_is_map(const struct bt_value *value)
{
    return bt_value_is(value, BT_KIND_MAP) && bt_value_flavor(value) != BT_FLAVOR_ENTRY &&
           bt_value_flavor(value) != BT_FLAVOR_LOOP;
}

bool bt_eval_truth(const struct bt_value *value, bool *ret_is_true)
{
    if (bt_value_is(value, BT_KIND_BOOL))
        *ret_is_true = bt_value_as_bool(value);
    else if (bt_is_number(value))
        *ret_is_true = bt_value_as_double(value) != 0;
    else if (bt_value_is(value, BT_KIND_STRING) && bt_value_flavor(value) == BT_FLAVOR_PLAIN)
        *ret_is_true = bt_value_str(value).len > 0;
    else
        return false;
    return true;
}

/* --- Numbers ---------------------------------------------------------------------------------- */

enum rank { RANK_INT, RANK_LONG, RANK_FLOAT, RANK_DOUBLE, RANK_DECIMAL };

static enum rank rank_of(const struct bt_value *value)
{
    enum bt_flavor flavor = bt_value_flavor(value);
    if (bt_value_is(value, BT_KIND_DECIMAL))
        return flavor == BT_FLAVOR_BIGINT ? RANK_INT : RANK_DECIMAL;
    if (bt_value_is(value, BT_KIND_DOUBLE))
        return flavor == BT_FLAVOR_FLOAT32 ? RANK_FLOAT : RANK_DOUBLE;
    return flavor == BT_FLAVOR_INT32 ? RANK_INT : RANK_LONG;
}

/* The low 64 bits, as Number.longValue(). */
static int64_t long_of(const struct bt_value *value)
{
    if (!bt_value_is(value, BT_KIND_DECIMAL))
        return bt_value_as_int(value);
    struct bt_str text = bt_value_str(value);
    uint64_t number = 0;
    for (size_t i = 0; i < text.len && text.at[i] != '.'; i++)
        if (text.at[i] >= '0' && text.at[i] <= '9')
            number = number * 10 + (uint64_t)(text.at[i] - '0');
    return (int64_t)(text.len && text.at[0] == '-' ? 0 - number : number);
}

static int decimal_of(const struct bt_value *value, struct bt_dec *ret_number)
{
    struct bt_buf text = BT_BUF_INIT(BT_DEC_DIGITS_MAX + 32);
    int rc = bt_java_text(value, &text, NULL);
    if (rc == BT_OK && !bt_dec_parse(bt_buf_str(&text), ret_number))
        rc = BT_INVALID;
    bt_buf_done(&text);
    return rc;
}

/* The original goes through doubles before it computes with BigDecimals. */
static int decimal_by_double(const struct bt_value *value, struct bt_dec *ret_number)
{
    BT_VALUE real = bt_value_double(bt_value_as_double(value));
    return real ? decimal_of(real, ret_number) : BT_NO_MEM;
}

static int decimal_arith(enum bt_op op, const struct bt_value *a, const struct bt_value *b,
                         struct bt_value **ret_value)
{
    struct bt_dec left, right, result;
    struct bt_buf text = BT_BUF_INIT(2 * BT_DEC_DIGITS_MAX);
    BT_TRY(decimal_by_double(a, &left));
    BT_TRY(decimal_by_double(b, &right));
    bool is_done = false;
    if (op == BT_OP_ADD)
        is_done = bt_dec_add(&left, &right, &result);
    else if (op == BT_OP_SUB)
        is_done = bt_dec_sub(&left, &right, &result);
    else if (op == BT_OP_MUL)
        is_done = bt_dec_mul(&left, &right, &result);
    else if (op == BT_OP_DIV)
        is_done = bt_dec_div(&left, &right, &result);
    else
        is_done = bt_dec_rem(&left, &right, &result);
    if (!is_done)
        return BT_INVALID;
    (void)bt_dec_format(&result, &text); /* A failure shows as an empty text, refused next. */
    *ret_value = text.failed ? NULL : bt_value_decimal(bt_buf_str(&text));
    bt_buf_done(&text);
    return *ret_value ? BT_OK : BT_NO_MEM;
}

static double double_arith(enum bt_op op, double a, double b)
{
    switch (op) {
    case BT_OP_ADD: return a + b;
    case BT_OP_SUB: return a - b;
    case BT_OP_MUL: return a * b;
    case BT_OP_DIV: return a / b;
    default: return fmod(a, b);
    }
}

static bool long_arith(enum bt_op op, int64_t a, int64_t b, int64_t *ret_number)
{
    uint64_t left = (uint64_t)a, right = (uint64_t)b;
    switch (op) {
    case BT_OP_ADD: *ret_number = (int64_t)(left + right); return true;
    case BT_OP_SUB: *ret_number = (int64_t)(left - right); return true;
    case BT_OP_MUL: *ret_number = (int64_t)(left * right); return true;
    default: break;
    }
    if (b == 0)
        return false;
    if (b == -1)
        *ret_number = op == BT_OP_DIV ? (int64_t)(0 - left) : 0;
    else
        *ret_number = op == BT_OP_DIV ? a / b : a % b;
    return true;
}

static int number_arith(enum bt_op op, const struct bt_value *a, const struct bt_value *b,
                        struct bt_value **ret_value)
{
    enum rank left = rank_of(a), right = rank_of(b), rank = left > right ? left : right;
    int64_t number;
    if (rank == RANK_DECIMAL)
        return decimal_arith(op, a, b, ret_value);
    if (rank == RANK_DOUBLE) {
        *ret_value =
            bt_value_double(double_arith(op, bt_value_as_double(a), bt_value_as_double(b)));
    } else if (rank == RANK_FLOAT) {
        float x = (float)bt_value_as_double(a), y = (float)bt_value_as_double(b);
        *ret_value = bt_value_float((float)double_arith(op, (double)x, (double)y));
    } else if (rank == RANK_LONG) {
        if (!long_arith(op, long_of(a), long_of(b), &number))
            return BT_INVALID;
        *ret_value = bt_value_int(number);
    } else {
        if (!long_arith(op, (int32_t)long_of(a), (int32_t)long_of(b), &number))
            return BT_INVALID;
        *ret_value = bt_value_int((int32_t)number);
    }
    return *ret_value ? BT_OK : BT_NO_MEM;
}

/* BT_INVALID: not comparable; the order of two numbers otherwise. */
static int number_compare(const struct bt_value *a, const struct bt_value *b, int *ret_order)
{
    struct bt_dec left, right;
    if (bt_value_is(a, BT_KIND_INT) && bt_value_is(b, BT_KIND_INT)) {
        int64_t x = bt_value_as_int(a), y = bt_value_as_int(b);
        *ret_order = x < y ? -1 : x > y;
        return BT_OK;
    }
    if (bt_value_is(a, BT_KIND_DOUBLE) && bt_value_is(b, BT_KIND_DOUBLE) &&
        bt_value_flavor(a) == bt_value_flavor(b)) {
        double x = bt_value_as_double(a), y = bt_value_as_double(b);
        *ret_order = x < y ? -1 : x > y;
        if (bt_value_flavor(a) == BT_FLAVOR_FLOAT32)
            *ret_order = 0; /* The original forgot this type. */
        return BT_OK;
    }
    BT_TRY(decimal_of(a, &left));
    BT_TRY(decimal_of(b, &right));
    return bt_dec_compare(&left, &right, ret_order) ? BT_OK : BT_INVALID;
}

/* --- Arithmetic ------------------------------------------------------------------------------- */

static int concat_text(struct bt_run *run, const struct bt_value *a, const struct bt_value *b,
                       struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_java_text(a, &buf, run->err);
    if (rc == BT_OK)
        rc = bt_java_text(b, &buf, run->err);
    bt_eval_charge(run, buf.len);
    *ret_value = rc == BT_OK ? bt_value_string(bt_buf_str(&buf)) : NULL;
    bt_buf_done(&buf);
    return rc < 0 ? rc : *ret_value ? BT_OK : bt_raise_mem(run);
}

static int list_add(struct bt_run *run, const struct bt_value *list, const struct bt_value *item,
                    struct bt_value **ret_value)
{
    bool is_many = bt_is_collection(item);
    struct bt_value *copy = bt_value_copy(list);
    bt_eval_charge(run, bt_value_count(list) * sizeof(void *));
    size_t count = is_many ? bt_value_count(item) : 1;
    if (bt_value_count(list) + count > BT_EXPR_ITEMS_MAX) {
        bt_value_unref(copy);
        return bt_fail(run->err, BT_LIMIT, "a list has more than %u items", BT_EXPR_ITEMS_MAX);
    }
    for (size_t i = 0; copy && i < count; i++)
        if (bt_list_push(copy, bt_value_ref(is_many ? bt_list_at(item, i) : item)) < 0)
            copy = bt_value_unref(copy);
    return bt_eval_replace(run, list, copy, ret_value);
}

static bool is_removed(const struct bt_value *from, const struct bt_value *item)
{
    for (size_t i = 0; i < bt_value_count(from); i++)
        if (bt_java_equal(bt_list_at(from, i), item))
            return true;
    return false;
}

static int list_sub(struct bt_run *run, const struct bt_value *list, const struct bt_value *item,
                    struct bt_value **ret_value)
{
    struct bt_value *copy = bt_list_new(bt_value_count(list));
    bool is_many = bt_is_collection(item), is_done = false;
    for (size_t i = 0; copy && i < bt_value_count(list); i++) {
        struct bt_value *each = bt_list_at(list, i);
        bool is_gone = is_many ? is_removed(item, each) : !is_done && bt_java_equal(each, item);
        is_done = is_done || is_gone;
        if (!is_gone && bt_list_push(copy, bt_value_ref(each)) < 0)
            copy = bt_value_unref(copy);
        run->steps += is_many ? (uint32_t)bt_value_count(item) : 1;
        if (run->steps > BT_EXPR_STEPS_MAX)
            break;
    }
    return bt_eval_replace(run, list, copy, ret_value);
}

static bool is_joinable(const struct bt_value *value)
{
    return bt_value_is(value, BT_KIND_STRING) &&
           (bt_value_flavor(value) == BT_FLAVOR_PLAIN || bt_value_flavor(value) == BT_FLAVOR_SAFE);
}

/* BT_INVALID without words: the operands do not fit. */
static int arith(struct bt_run *run, enum bt_op op, const struct bt_value *a,
                 const struct bt_value *b, struct bt_value **ret_value)
{
    if (bt_is_number(a) && bt_is_number(b))
        return number_arith(op, a, b, ret_value);
    bool is_text = is_joinable(a) || is_joinable(b);
    bool is_list = bt_is_collection(a) && bt_value_flavor(a) != BT_FLAVOR_SET;
    if (op == BT_OP_ADD && is_text)
        return concat_text(run, a, b, ret_value);
    if (op == BT_OP_ADD && is_list)
        return list_add(run, a, b, ret_value);
    if (op == BT_OP_SUB && is_list)
        return list_sub(run, a, b, ret_value);
    return BT_INVALID;
}

static const char *const op_words[BT_OP_COUNT] = {
    [BT_OP_ADD] = "addition",
    [BT_OP_SUB] = "subtraction",
    [BT_OP_MUL] = "multiplication",
    [BT_OP_DIV] = "division",
    [BT_OP_MOD] = "greater modulus", /* The original's slips, kept as people know them. */
    [BT_OP_GT] = "greater than comparison",
    [BT_OP_LT] = "greater modulus",
    [BT_OP_GE] = "greater than or equals comparison",
    [BT_OP_LE] = "less than or equals comparison",
    [BT_OP_EQ] = "equals comparison",
    [BT_OP_NE] = "not equals comparison",
};

static int compare(enum bt_op op, const struct bt_value *a, const struct bt_value *b,
                   struct bt_value **ret_value)
{
    int order;
    *ret_value = bt_value_bool(false);
    if (bt_value_is_null(a) || bt_value_is_null(b))
        return BT_OK;
    if (!bt_is_number(a) || !bt_is_number(b))
        return BT_INVALID;
    BT_TRY(number_compare(a, b, &order));
    bool is_true = op == BT_OP_GT   ? order > 0
                   : op == BT_OP_LT ? order < 0
                   : op == BT_OP_GE ? order >= 0
                                    : order <= 0;
    *ret_value = bt_value_bool(is_true);
    return BT_OK;
}

int bt_eval_compare(struct bt_run *run, enum bt_op op, const struct bt_value *a,
                    const struct bt_value *b, bool *ret_is_true)
{
    struct bt_value *result = NULL;
    int rc = compare(op, a, b, &result);
    if (rc == BT_NO_MEM)
        return bt_raise_mem(run);
    *ret_is_true = rc == BT_OK && bt_value_as_bool(result); /* Booleans are not counted. */
    return BT_OK;
}

static int arith_failed(struct bt_run *run, const struct bt_node *node, int rc)
{
    if (!bt_eval_is_catchable(rc))
        return rc == BT_NO_MEM ? bt_raise_mem(run) : rc;
    return bt_raise(run, node->at, "Could not perform %s", op_words[node->op]);
}

/* Arithmetic and comparison: any failure inside is told as a failure of the operator. */
static int eval_arith(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE left = NULL;
    BT_VALUE right = NULL;
    int rc = bt_eval(run, node->left, &left);
    if (rc == BT_OK)
        rc = bt_eval(run, node->right, &right);
    if (rc == BT_OK)
        rc = node->op >= BT_OP_GT && node->op <= BT_OP_LE
                 ? compare(node->op, left, right, ret_value)
                 : arith(run, node->op, left, right, ret_value);
    return rc < 0 ? arith_failed(run, node, rc) : rc;
}

int bt_eval_unary(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE value = NULL;
    bool is_true;
    BT_TRY(bt_eval(run, node->left, &value));
    if (node->op == BT_OP_NOT) {
        if (bt_value_is_null(value))
            return bt_raise(run, node->at,
                            "null value given to not() and strict variables is set to true");
        if (!bt_eval_truth(value, &is_true)) {
            const char *class_name = strrchr(bt_java_class(value), '.');
            return bt_raise(run, node->at,
                            "Unsupported value type %s. Expected Boolean, String, Number in \"if\" "
                            "statement",
                            class_name ? class_name + 1 : bt_java_class(value));
        }
        *ret_value = bt_value_bool(!is_true);
        return BT_OK;
    }
    BT_VALUE factor = bt_value_int32(node->op == BT_OP_SUB ? -1 : 1);
    if (!bt_is_number(value))
        return bt_raise_java(run, node->at,
                             "invalid operands for mathematical operation [MULTIPLICATION]");
    int rc = factor ? number_arith(BT_OP_MUL, factor, value, ret_value) : BT_NO_MEM;
    return rc == BT_NO_MEM ? bt_raise_mem(run) : rc;
}

/* --- Equality and contains -------------------------------------------------------------------- */

static int eval_equals(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE left = NULL;
    BT_VALUE right = NULL;
    bool is_equal;
    int rc = bt_eval(run, node->left, &left);
    if (rc == BT_OK)
        rc = bt_eval(run, node->right, &right);
    if (rc < 0)
        return arith_failed(run, node, rc);
    int order = 1;
    if (bt_is_number(left) && bt_is_number(right))
        is_equal = number_compare(left, right, &order) == BT_OK && order == 0;
    else
        is_equal = bt_java_equal(left, right);
    *ret_value = bt_value_bool(is_equal == (node->op == BT_OP_EQ));
    return BT_OK;
}

static bool list_has(const struct bt_value *list, const struct bt_value *item)
{
    for (size_t i = 0; i < bt_value_count(list); i++)
        if (bt_java_equal(bt_list_at(list, i), item))
            return true;
    return false;
}

static int contains_list(struct bt_run *run, const struct bt_value *list,
                         const struct bt_value *item, bool *ret_is_true)
{
    *ret_is_true = true;
    if (!bt_is_collection(item)) {
        *ret_is_true = list_has(list, item);
        return BT_OK;
    }
    for (size_t i = 0; i < bt_value_count(item) && *ret_is_true; i++) {
        *ret_is_true = list_has(list, bt_list_at(item, i));
        run->steps += (uint32_t)bt_value_count(list);
        if (run->steps > BT_EXPR_STEPS_MAX)
            return bt_fail(run->err, BT_LIMIT, "the expression takes more than %u steps",
                           BT_EXPR_STEPS_MAX);
    }
    return BT_OK;
}

static int contains(struct bt_run *run, const struct bt_node *node, const struct bt_value *left,
                    const struct bt_value *right, bool *ret_is_true)
{
    struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    if (bt_value_is_null(left)) {
        *ret_is_true = false;
        return BT_OK;
    }
    if (bt_value_is(left, BT_KIND_LIST))
        return contains_list(run, left, right, ret_is_true);
    bool is_text = bt_value_is(left, BT_KIND_STRING) && bt_value_flavor(left) != BT_FLAVOR_SAFE;
    if (!is_text && !bt_is_map(left) && !bt_value_is(left, BT_KIND_LAZY))
        return bt_raise(run, node->at,
                        "Contains operator can only be used on Collections, Maps and arrays. "
                        "Actual type was: %s",
                        bt_java_class(left));
    int rc = bt_java_text(right, &text, run->err);
    struct bt_str part = bt_buf_str(&text);
    if (rc == BT_OK && bt_value_is(left, BT_KIND_STRING)) {
        *ret_is_true = bt_str_find(bt_value_str(left), part, 0) >= 0;
    } else if (rc == BT_OK && bt_value_is(left, BT_KIND_MAP)) {
        *ret_is_true = bt_map_get(left, part) != NULL && bt_value_flavor(right) != BT_FLAVOR_SAFE;
    } else if (rc == BT_OK) {
        BT_VALUE found = NULL;
        rc = bt_lazy_get(left, part, &found, run->err);
        *ret_is_true = rc == BT_OK;
        rc = rc == BT_NOT_FOUND ? BT_OK : rc;
    }
    bt_buf_done(&text);
    return rc;
}

static int eval_contains(struct bt_run *run, const struct bt_node *node,
                         struct bt_value **ret_value)
{
    BT_VALUE left = NULL;
    BT_VALUE right = NULL;
    bool is_true = false;
    BT_TRY(bt_eval(run, node->left, &left));
    BT_TRY(bt_eval(run, node->right, &right));
    BT_TRY(contains(run, node, left, right, &is_true));
    *ret_value = bt_value_bool(is_true);
    return BT_OK;
}

/* --- Logic ------------------------------------------------------------------------------------ */

static int eval_operand(struct bt_run *run, const struct bt_node *node, const struct bt_node *side,
                        bool *ret_is_true)
{
    BT_VALUE value = NULL;
    BT_TRY(bt_eval(run, side, &value));
    if (bt_value_is_null(value))
        return bt_raise(run, node->at,
                        "null value used in and operator and strict variables is set to true");
    if (!bt_eval_truth(value, ret_is_true))
        return bt_raise_cast(run, node->at, value, "java.lang.Boolean");
    return BT_OK;
}

static int eval_logic(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    bool is_true = false, is_and = node->op == BT_OP_AND;
    BT_TRY(eval_operand(run, node, node->left, &is_true));
    if (is_true == is_and)
        BT_TRY(eval_operand(run, node, node->right, &is_true));
    *ret_value = bt_value_bool(is_true);
    return BT_OK;
}

/* --- Concatenation and ranges ----------------------------------------------------------------- */

static int eval_concat(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE left = NULL;
    BT_VALUE right = NULL;
    BT_VALUE empty = NULL;
    BT_TRY(bt_eval(run, node->left, &left));
    BT_TRY(bt_eval(run, node->right, &right));
    if (bt_value_is_null(left) || bt_value_is_null(right)) {
        empty = bt_value_string(BT_STR(""));
        if (!empty)
            return bt_raise_mem(run);
    }
    return concat_text(run, bt_value_is_null(left) ? empty : left,
                       bt_value_is_null(right) ? empty : right, ret_value);
}

struct range {
    int64_t from, to, step;
    bool is_char;
};

static struct bt_value *range_item(const struct range *range, int64_t at)
{
    struct bt_buf text = BT_BUF_INIT(8);
    struct bt_value *item = NULL;
    if (!range->is_char)
        return bt_value_int(at);
    if (bt_buf_add_rune(&text, (uint32_t)at) == BT_OK)
        item = bt_value_text(bt_buf_str(&text), BT_KIND_STRING, BT_FLAVOR_CHAR);
    bt_buf_done(&text);
    return item;
}

static int range_items(struct bt_run *run, const struct range *range, struct bt_value **ret_value)
{
    BT_VALUE list = bt_list_new(0);
    int64_t i = range->from;
    while (range->step > 0 ? i <= range->to : i >= range->to) {
        if (bt_list_push(list, range_item(range, i)) < 0)
            return bt_raise_mem(run);
        if (bt_value_count(list) > BT_EXPR_ITEMS_MAX)
            return bt_fail(run->err, BT_LIMIT, "a range has more than %u items", BT_EXPR_ITEMS_MAX);
        if (__builtin_add_overflow(i, range->step, &i))
            break;
    }
    bt_eval_charge(run, bt_value_count(list) * 64);
    *ret_value = BT_TAKE(list);
    return *ret_value ? BT_OK : bt_raise_mem(run);
}

static bool is_char(const struct bt_value *value, uint32_t *ret_rune)
{
    struct bt_str text = bt_value_str(value);
    return bt_value_is(value, BT_KIND_STRING) && bt_value_flavor(value) == BT_FLAVOR_PLAIN &&
           text.len && bt_utf8_decode(text, 0, ret_rune) == text.len && *ret_rune < 0xD800;
}

int bt_eval_range(struct bt_run *run, const struct bt_value *from, const struct bt_value *to,
                  int64_t step, struct bt_value **ret_value)
{
    uint32_t first, last;
    struct range range = {.step = step};
    if (bt_is_number(from) && bt_is_number(to)) {
        range.from = long_of(from);
        range.to = long_of(to);
    } else if (is_char(from, &first) && is_char(to, &last)) {
        range.from = first;
        range.to = last;
        range.is_char = true;
    } else {
        return BT_INVALID;
    }
    return range_items(run, &range, ret_value);
}

static int eval_range(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE left = NULL;
    BT_VALUE right = NULL;
    BT_TRY(bt_eval(run, node->left, &left));
    BT_TRY(bt_eval(run, node->right, &right));
    int rc = bt_eval_range(run, left, right, 1, ret_value);
    return rc != BT_INVALID ? rc
                            : bt_raise(run, node->at,
                                       "Arguments of range function must be of type Number or "
                                       "String with a length of 1");
}

int bt_eval_binary(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    switch ((enum bt_op)node->op) {
    case BT_OP_OR:
    case BT_OP_AND: return eval_logic(run, node, ret_value);
    case BT_OP_CONTAINS: return eval_contains(run, node, ret_value);
    case BT_OP_EQ:
    case BT_OP_NE: return eval_equals(run, node, ret_value);
    case BT_OP_GT:
    case BT_OP_LT:
    case BT_OP_GE:
    case BT_OP_LE:
    case BT_OP_ADD:
    case BT_OP_SUB:
    case BT_OP_MUL:
    case BT_OP_DIV:
    case BT_OP_MOD: return eval_arith(run, node, ret_value);
    case BT_OP_CONCAT: return eval_concat(run, node, ret_value);
    case BT_OP_RANGE: return eval_range(run, node, ret_value);
    case BT_OP_NONE:
    case BT_OP_IS:
    case BT_OP_IS_NOT:
    case BT_OP_FILTER:
    case BT_OP_COALESCE:
    case BT_OP_COALESCE_UNDEFINED:
    case BT_OP_NOT:
    case BT_OP_COUNT: break;
    }
    assert(false); /* No binary operator. */
    return BT_INVALID;
}
