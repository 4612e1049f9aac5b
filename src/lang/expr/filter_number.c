/* filter_number.c — Filters of numbers: abs, number, numberFormat. Pure. */
#include "lang/expr/expr_int.h"

#include "base/num.h"
#include "lang/expr/number_format.h"

#include <math.h>

static int absolute(struct bt_call *call, struct bt_value **ret_value)
{
    const struct bt_value *input = call->input;
    enum bt_flavor flavor = bt_value_flavor(input);
    if (bt_value_is_null(input))
        return bt_raise(call->run, call->node->at, "Can not pass null value to \"abs\" filter.");
    if (!bt_is_number(input))
        return bt_raise(call->run, call->node->at,
                        "The 'abs' filter does require as input a number.");
    int64_t number = bt_value_as_int(input);
    double real = bt_value_as_double(input);
    if (bt_value_is(input, BT_KIND_INT)) {
        if (number >= 0 || number == (flavor == BT_FLAVOR_INT32 ? INT32_MIN : INT64_MIN))
            return bt_call_give(call, bt_value_ref(input), ret_value);
        return bt_call_give(call,
                            flavor == BT_FLAVOR_INT32 ? bt_value_int32((int32_t)-number)
                                                      : bt_value_int(-number),
                            ret_value);
    }
    if (bt_value_is(input, BT_KIND_DOUBLE))
        return bt_call_give(call,
                            flavor == BT_FLAVOR_FLOAT32 ? bt_value_float((float)fabs(real))
                                                        : bt_value_double(fabs(real)),
                            ret_value);
    struct bt_str text = bt_value_str(input);
    if (text.len && text.at[0] == '-')
        return bt_call_give(call,
                            bt_value_text(bt_str_slice(text, 1, text.len), BT_KIND_DECIMAL, flavor),
                            ret_value);
    return bt_call_give(call, bt_value_ref(input), ret_value);
}

/* --- number ----------------------------------------------------------------------------------- */

static int bad_number(struct bt_call *call, struct bt_str text)
{
    return bt_raise_java(call->run, call->node->at, "%.*s is not a valid number.", BT_FMT(text));
}

static int bad_integer(struct bt_call *call, struct bt_str text)
{
    return bt_raise_java(call->run, call->node->at, "For input string: \"%.*s\"", BT_FMT(text));
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* An integer as Integer.decode() reads it: 12, -12, 0x1F, #1F, 017. */
static bool decode(struct bt_str text, int64_t *ret_number)
{
    bool is_negative = text.len && text.at[0] == '-';
    int base = 10;
    uint64_t number = 0;
    if (text.len && (text.at[0] == '-' || text.at[0] == '+'))
        text = bt_str_slice(text, 1, text.len);
    if (bt_str_starts(text, BT_STR("0x")) || bt_str_starts(text, BT_STR("0X"))) {
        base = 16;
        text = bt_str_slice(text, 2, text.len);
    } else if (bt_str_starts(text, BT_STR("#"))) {
        base = 16;
        text = bt_str_slice(text, 1, text.len);
    } else if (text.len > 1 && text.at[0] == '0') {
        base = 8;
        text = bt_str_slice(text, 1, text.len);
    }
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.at[i]);
        if (digit >= base || __builtin_mul_overflow(number, (uint64_t)base, &number) ||
            __builtin_add_overflow(number, (uint64_t)digit, &number))
            return false;
    }
    if (number > (uint64_t)INT64_MAX + is_negative)
        return false;
    *ret_number = (int64_t)(is_negative ? 0 - number : number);
    return true;
}

static bool is_integer_text(struct bt_str text)
{
    size_t at = text.len && (text.at[0] == '-' || text.at[0] == '+');
    for (size_t i = at; i < text.len; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return text.len > at;
}

static int give_decimal(struct bt_call *call, struct bt_str text, enum bt_flavor flavor,
                        struct bt_value **ret_value)
{
    if (text.len && text.at[0] == '+')
        text = bt_str_slice(text, 1, text.len);
    return bt_call_give(call, bt_value_text(text, BT_KIND_DECIMAL, flavor), ret_value);
}

/* Digits behind the point: up to 7 make a Float, up to 16 a Double. */
static int decimals(struct bt_str text)
{
    int count = 0;
    bool is_fraction = false;
    for (size_t i = 0; i < text.len && (text.at[i] | 0x20) != 'e'; i++) {
        count += is_fraction;
        is_fraction = is_fraction || text.at[i] == '.';
    }
    return count;
}

/* Without a type: the smallest that holds the text. */
static int guess(struct bt_call *call, struct bt_str text, struct bt_value **ret_value)
{
    int64_t number;
    double real;
    bool is_hex = bt_str_find(text, BT_STR("0x"), 0) >= 0 ||
                  bt_str_find(text, BT_STR("0X"), 0) >= 0 || bt_str_find(text, BT_STR("#"), 0) >= 0;
    if (is_hex || is_integer_text(text)) {
        if (decode(text, &number))
            return bt_call_give(call,
                                number == (int32_t)number ? bt_value_int32((int32_t)number)
                                                          : bt_value_int(number),
                                ret_value);
        return is_hex ? bad_number(call, text)
                      : give_decimal(call, text, BT_FLAVOR_BIGINT, ret_value);
    }
    char suffix = text.len ? text.at[text.len - 1] : 0;
    struct bt_str body = bt_str_slice(text, 0, text.len ? text.len - 1 : 0);
    if ((suffix == 'l' || suffix == 'L') && bt_parse_i64(body, &number))
        return bt_call_give(call, bt_value_int(number), ret_value);
    if ((suffix == 'f' || suffix == 'F') && bt_parse_double(body, &real))
        return bt_call_give(call, bt_value_float((float)real), ret_value);
    if ((suffix == 'd' || suffix == 'D') && bt_parse_double(body, &real))
        return bt_call_give(call, bt_value_double(real), ret_value);
    if (!bt_parse_double(text, &real))
        return bad_number(call, text);
    int digits = decimals(text);
    bool is_float = digits <= 7 && fabs(real) <= (double)__FLT_MAX__ &&
                    (real == 0 || fabs(real) >= (double)__FLT_MIN__);
    if (is_float)
        return bt_call_give(call, bt_value_float(strtof(bt_value_str(call->input).at, NULL)),
                            ret_value);
    if (digits <= 16 && !isinf(real))
        return bt_call_give(call, bt_value_double(real), ret_value);
    return give_decimal(call, text, BT_FLAVOR_PLAIN, ret_value);
}

static int typed(struct bt_call *call, struct bt_str type, struct bt_str text,
                 struct bt_value **ret_value)
{
    int64_t number;
    double real;
    bool is_int = bt_str_is(type, "INT"), is_float = bt_str_is(type, "FLOAT");
    if (is_int || bt_str_is(type, "LONG")) {
        if (!decode(text, &number) || (is_int && number != (int32_t)number))
            return bad_integer(call, text);
        return bt_call_give(call, is_int ? bt_value_int32((int32_t)number) : bt_value_int(number),
                            ret_value);
    }
    if (bt_str_is(type, "BIGINTEGER")) {
        if (decode(text, &number)) {
            char digits[24];
            int len = snprintf(digits, sizeof digits, "%lld", (long long)number); /* It fits. */
            return give_decimal(call, (struct bt_str){digits, (size_t)len}, BT_FLAVOR_BIGINT,
                                ret_value);
        }
        return is_integer_text(text) ? give_decimal(call, text, BT_FLAVOR_BIGINT, ret_value)
                                     : bad_integer(call, text);
    }
    if (!bt_parse_double(bt_str_trim(text), &real))
        return bt_raise_java(call->run, call->node->at, "For input string: \"%.*s\"", BT_FMT(text));
    if (is_float)
        return bt_call_give(call, bt_value_float((float)real), ret_value);
    if (bt_str_is(type, "DOUBLE"))
        return bt_call_give(call, bt_value_double(real), ret_value);
    return give_decimal(call, bt_str_trim(text), BT_FLAVOR_PLAIN, ret_value);
}

static int number(struct bt_call *call, struct bt_value **ret_value)
{
    static const char *const types[] = {"INT",    "FLOAT",      "LONG",
                                        "DOUBLE", "BIGDECIMAL", "BIGINTEGER"};
    struct bt_str type;
    BT_NULL_THROUGH(call, ret_value);
    if (!bt_value_is(call->input, BT_KIND_STRING) ||
        bt_value_flavor(call->input) != BT_FLAVOR_PLAIN)
        return bt_raise(call->run, call->node->at,
                        "'number' filter can only be applied to String. Actual type was: %s",
                        bt_java_class(call->input));
    BT_TRY(bt_call_str(call, 0, &type));
    struct bt_str text = bt_value_str(call->input);
    for (size_t i = 0; i < BT_COUNT(types); i++)
        if (bt_str_is(type, types[i]))
            return typed(call, type, text, ret_value);
    if (bt_str_trim(text).len == 0)
        return bt_raise_java(call->run, call->node->at, "A blank string is not a valid number");
    return guess(call, text, ret_value);
}

static int number_format(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str pattern = BT_STR("#,##0.###");
    struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX), out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    double real = bt_value_as_double(call->input);
    BT_NULL_THROUGH(call, ret_value);
    if (!bt_is_number(call->input))
        return bt_raise(call->run, call->node->at,
                        "The input for the 'NumberFormat' filter has to be a number.");
    if (bt_call_has(call, 0))
        BT_TRY(bt_call_str(call, 0, &pattern));
    int rc = bt_java_text(call->input, &text, call->run->err);
    if (rc == BT_OK)
        rc = bt_number_format(bt_buf_str(&text),
                              bt_value_is(call->input, BT_KIND_DOUBLE) ? &real : NULL, pattern,
                              &out);
    if (rc == BT_INVALID)
        rc =
            bt_raise_java(call->run, call->node->at, "Malformed pattern \"%.*s\"", BT_FMT(pattern));
    bt_buf_done(&text);
    if (rc == BT_OK)
        return bt_call_take(call, &out, ret_value);
    bt_buf_done(&out);
    return rc == BT_NO_MEM ? bt_raise_mem(call->run) : rc;
}

static const struct bt_fn rows[] = {
    {"abs", "", 0, 0, BT_FN_LOOSE, absolute, "Without its sign: `-5 | abs` → `5`"},
    {"number", "type", 0, 1, 0, number,
     "Parses a text as `INT`, `LONG`, `FLOAT`, `DOUBLE`, `BIGDECIMAL`, `BIGINTEGER` or the "
     "smallest that fits: `'12' | number` → `12`"},
    {"numberFormat", "format", 0, 1, 0, number_format,
     "A number by a pattern: `1234.5 | numberFormat('#,##0.00')` → `1,234.50`"},
};

const struct bt_fn_table bt_fn_number_filters = {rows, BT_COUNT(rows)};
