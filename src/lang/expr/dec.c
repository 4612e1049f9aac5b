/* dec.c — Schoolbook arithmetic on decimal digits. Pure; every result fits or is refused. */
#include "lang/expr/dec.h"

#include "base/num.h"

#include <assert.h>

enum { EXPONENT_MAX = 100000 };

static void strip_leading(struct bt_dec *number)
{
    uint32_t zeros = 0;
    while (zeros + 1 < number->count && number->digits[zeros] == 0)
        zeros++;
    memmove(number->digits, number->digits + zeros, number->count - zeros);
    number->count -= zeros;
    if (number->count == 1 && number->digits[0] == 0)
        number->is_negative = false;
}

bool bt_dec_is_zero(const struct bt_dec *number)
{
    return number->count == 1 && number->digits[0] == 0;
}

bool bt_dec_parse(struct bt_str text, struct bt_dec *ret_number)
{
    double check;
    size_t at = 0;
    if (!bt_parse_double(text, &check))
        return false;
    memset(ret_number, 0, offsetof(struct bt_dec, digits));
    ret_number->is_negative = text.at[0] == '-';
    at += text.at[0] == '-' || text.at[0] == '+';
    bool is_fraction = false;
    for (; at < text.len && (text.at[at] | 0x20) != 'e'; at++) {
        if (text.at[at] == '.') {
            is_fraction = true;
            continue;
        }
        if (ret_number->count == BT_DEC_DIGITS_MAX)
            return false;
        ret_number->digits[ret_number->count++] = (uint8_t)(text.at[at] - '0');
        ret_number->scale += is_fraction;
    }
    int64_t exponent = 0;
    if (at < text.len && !bt_parse_i64(bt_str_slice(text, at + 1, text.len), &exponent))
        return false;
    if (exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX)
        return false;
    ret_number->scale -= (int32_t)exponent;
    strip_leading(ret_number);
    return true;
}

/* Adds zeros behind so that the scale becomes `scale` (not smaller than now). */
static bool widen(struct bt_dec *number, int32_t scale)
{
    assert(scale >= number->scale);
    if (bt_dec_is_zero(number)) {
        number->scale = scale;
        return true;
    }
    int64_t zeros = (int64_t)scale - number->scale;
    if (zeros > BT_DEC_DIGITS_MAX - (int64_t)number->count)
        return false;
    memset(number->digits + number->count, 0, (size_t)zeros);
    number->count += (uint32_t)zeros;
    number->scale = scale;
    return true;
}

static int compare_digits(const struct bt_dec *a, const struct bt_dec *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    int order = memcmp(a->digits, b->digits, a->count);
    return order < 0 ? -1 : order > 0;
}

static bool align(struct bt_dec *a, struct bt_dec *b)
{
    int32_t scale = a->scale > b->scale ? a->scale : b->scale;
    return widen(a, scale) && widen(b, scale);
}

bool bt_dec_compare(const struct bt_dec *a, const struct bt_dec *b, int *ret_order)
{
    int sign_a = bt_dec_is_zero(a) ? 0 : a->is_negative ? -1 : 1;
    int sign_b = bt_dec_is_zero(b) ? 0 : b->is_negative ? -1 : 1;
    if (sign_a != sign_b || sign_a == 0) {
        *ret_order = sign_a < sign_b ? -1 : sign_a > sign_b;
        return true;
    }
    int64_t size_a = (int64_t)a->count - a->scale, size_b = (int64_t)b->count - b->scale;
    if (size_a != size_b) {
        *ret_order = (size_a < size_b ? -1 : 1) * sign_a;
        return true;
    }
    struct bt_dec left = *a, right = *b;
    if (!align(&left, &right))
        return false;
    *ret_order = compare_digits(&left, &right) * sign_a;
    return true;
}

/* |a| + |b| of the same scale. */
static bool add_digits(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *sum)
{
    uint32_t count = (a->count > b->count ? a->count : b->count) + 1;
    if (count > BT_DEC_DIGITS_MAX)
        return false;
    int carry = 0;
    for (uint32_t i = 0; i < count; i++) {
        int digit = carry;
        digit += i < a->count ? a->digits[a->count - 1 - i] : 0;
        digit += i < b->count ? b->digits[b->count - 1 - i] : 0;
        sum->digits[count - 1 - i] = (uint8_t)(digit % 10);
        carry = digit / 10;
    }
    sum->count = count;
    return true;
}

/* |a| - |b| of the same scale, |a| >= |b|. */
static void sub_digits(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *diff)
{
    int borrow = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        int digit = a->digits[a->count - 1 - i] - borrow;
        digit -= i < b->count ? b->digits[b->count - 1 - i] : 0;
        borrow = digit < 0;
        diff->digits[a->count - 1 - i] = (uint8_t)(digit + (borrow ? 10 : 0));
    }
    diff->count = a->count;
}

bool bt_dec_add(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *sum)
{
    struct bt_dec left = *a, right = *b;
    if (!align(&left, &right))
        return false;
    sum->scale = left.scale;
    sum->is_negative = left.is_negative;
    if (left.is_negative == right.is_negative) {
        if (!add_digits(&left, &right, sum))
            return false;
    } else if (compare_digits(&left, &right) >= 0) {
        sub_digits(&left, &right, sum);
    } else {
        sub_digits(&right, &left, sum);
        sum->is_negative = right.is_negative;
    }
    strip_leading(sum);
    return true;
}

bool bt_dec_sub(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *diff)
{
    struct bt_dec right = *b;
    right.is_negative = !right.is_negative;
    return bt_dec_add(a, &right, diff);
}

/* Cuts `cut` digits off the end, half even; `is_more`: something follows the last digit. */
static void cut_digits(struct bt_dec *number, uint32_t cut, bool is_more)
{
    uint32_t keep = number->count - cut;
    int first = number->digits[keep];
    bool is_rest = is_more;
    for (uint32_t i = keep + 1; i < number->count; i++)
        is_rest = is_rest || number->digits[i];
    int last = keep ? number->digits[keep - 1] : 0;
    bool is_up = first > 5 || (first == 5 && (is_rest || last % 2 == 1));
    if (keep == 0)
        number->digits[keep++] = 0;
    number->count = keep;
    for (uint32_t i = keep; is_up && i-- > 0;) {
        is_up = number->digits[i] == 9;
        number->digits[i] = (uint8_t)(is_up ? 0 : number->digits[i] + 1);
    }
    if (is_up) { /* 999 became 000. */
        memmove(number->digits + 1, number->digits, keep);
        number->digits[0] = 1;
        number->count = keep + 1;
    }
    strip_leading(number);
}

/* Whether digits were lost. */
static bool round_precision(struct bt_dec *number, bool is_more)
{
    bool is_inexact = is_more;
    while (number->count > BT_DEC_PRECISION) {
        uint32_t cut = number->count - BT_DEC_PRECISION;
        for (uint32_t i = number->count - cut; i < number->count; i++)
            is_inexact = is_inexact || number->digits[i];
        number->scale -= (int32_t)cut;
        cut_digits(number, cut, is_more);
        is_more = false;
    }
    return is_inexact;
}

bool bt_dec_set_scale(struct bt_dec *number, int32_t scale)
{
    if (scale >= number->scale)
        return widen(number, scale);
    int64_t cut = (int64_t)number->scale - scale;
    number->scale = scale;
    if (cut > number->count) {
        number->count = 1;
        number->digits[0] = 0;
        number->is_negative = false;
    } else {
        cut_digits(number, (uint32_t)cut, false);
    }
    return true;
}

bool bt_dec_mul(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *product)
{
    uint32_t cells[BT_DEC_DIGITS_MAX] = {0};
    uint32_t count = a->count + b->count;
    if (count > BT_DEC_DIGITS_MAX)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t j = 0; j < b->count; j++)
            cells[i + j + 1] += (uint32_t)a->digits[i] * b->digits[j];
    product->is_negative = a->is_negative != b->is_negative;
    product->scale = a->scale + b->scale;
    product->count = count;
    uint32_t carry = 0;
    for (uint32_t i = count; i-- > 0;) {
        uint32_t cell = cells[i] + carry;
        product->digits[i] = (uint8_t)(cell % 10);
        carry = cell / 10;
    }
    strip_leading(product);
    (void)round_precision(product, false); /* The product is rounded either way. */
    return true;
}

/* Long division of the digits of `a` with `extra` zeros behind; the rest stays in *rest. */
static bool divide_digits(const struct bt_dec *a, const struct bt_dec *b, int64_t extra,
                          struct bt_dec *quotient, struct bt_dec *rest)
{
    int64_t total = (int64_t)a->count + extra;
    if (total > BT_DEC_DIGITS_MAX || b->count + 1 > BT_DEC_DIGITS_MAX)
        return false;
    rest->count = 1;
    rest->digits[0] = 0;
    quotient->count = 0;
    for (int64_t i = 0; i < total; i++) {
        rest->digits[rest->count++] = i < a->count ? a->digits[i] : 0;
        strip_leading(rest);
        uint8_t digit = 0;
        while (compare_digits(rest, b) >= 0) {
            sub_digits(rest, b, rest);
            strip_leading(rest);
            digit++;
        }
        quotient->digits[quotient->count++] = digit;
    }
    strip_leading(quotient);
    return true;
}

/* Takes zeros off the end as long as the scale stays above `least`. */
static void strip_trailing(struct bt_dec *number, int32_t least)
{
    while (number->scale > least && number->count > 1 && number->digits[number->count - 1] == 0) {
        number->count--;
        number->scale--;
    }
}

bool bt_dec_div(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *quotient)
{
    struct bt_dec rest = {0};
    int32_t preferred = a->scale - b->scale;
    if (bt_dec_is_zero(b))
        return false;
    int64_t extra = BT_DEC_PRECISION + 3 + (int64_t)b->count - a->count;
    if (extra < 0)
        extra = 0;
    quotient->is_negative = a->is_negative != b->is_negative;
    if (!divide_digits(a, b, extra, quotient, &rest))
        return false;
    quotient->scale = preferred + (int32_t)extra;
    quotient->is_negative = !bt_dec_is_zero(quotient) && a->is_negative != b->is_negative;
    bool is_inexact = round_precision(quotient, !bt_dec_is_zero(&rest));
    if (!is_inexact)
        strip_trailing(quotient, preferred);
    if (bt_dec_is_zero(quotient))
        quotient->scale = preferred;
    return true;
}

bool bt_dec_rem(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *remainder)
{
    struct bt_dec left = *a, right = *b, quotient = {0};
    if (bt_dec_is_zero(b) || !align(&left, &right) ||
        !divide_digits(&left, &right, 0, &quotient, remainder))
        return false;
    remainder->is_negative = a->is_negative && !bt_dec_is_zero(remainder);
    remainder->scale = left.scale;
    /* The scale is that of a - quotient * b, where the quotient has the scale it would like. */
    strip_trailing(&quotient, a->scale - b->scale);
    int32_t scale = bt_dec_is_zero(&quotient) ? a->scale : quotient.scale + b->scale;
    scale = scale > a->scale ? scale : a->scale;
    if (bt_dec_is_zero(remainder))
        remainder->scale = scale;
    else
        strip_trailing(remainder, scale);
    return true;
}

int bt_dec_format(const struct bt_dec *number, struct bt_buf *out)
{
    char text[BT_DEC_DIGITS_MAX];
    for (uint32_t i = 0; i < number->count; i++)
        text[i] = (char)('0' + number->digits[i]);
    struct bt_str digits = {text, number->count};
    int64_t exponent = (int64_t)number->count - 1 - number->scale;
    if (number->is_negative)
        BT_TRY(bt_buf_addc(out, '-'));
    if (number->scale >= 0 && exponent >= -6) {
        if (number->scale == 0)
            return bt_buf_add(out, digits);
        int64_t whole = (int64_t)number->count - number->scale;
        if (whole <= 0)
            BT_TRY(bt_buf_adds(out, "0."));
        for (int64_t i = whole; i < 0; i++)
            BT_TRY(bt_buf_addc(out, '0'));
        if (whole <= 0)
            return bt_buf_add(out, digits);
        BT_TRY(bt_buf_add(out, bt_str_slice(digits, 0, (size_t)whole)));
        BT_TRY(bt_buf_addc(out, '.'));
        return bt_buf_add(out, bt_str_slice(digits, (size_t)whole, digits.len));
    }
    BT_TRY(bt_buf_addc(out, text[0]));
    if (number->count > 1) {
        BT_TRY(bt_buf_addc(out, '.'));
        BT_TRY(bt_buf_add(out, bt_str_slice(digits, 1, digits.len)));
    }
    if (exponent == 0)
        return BT_OK;
    return bt_buf_addf(out, "E%+lld", (long long)exponent);
}
