/* number_format.c — Numbers by patterns such as "#,##0.00", "0.00%", "0.###E0", "'n' #;(#)". Pure.
 */
#include "lang/expr/number_format.h"

#include "lang/expr/dec.h"
#include "lang/expr/expr_int.h"

#include <math.h>

enum { DIGITS_MAX = 340, AFFIX_MAX = 200 };

struct format {
    char prefix[AFFIX_MAX], suffix[AFFIX_MAX]; /* Quotes taken off. */
    size_t prefix_len, suffix_len;
    int integer_min, integer_max, fraction_min, fraction_max, group, exponent_min;
    int shift; /* 2 for percent, 3 for per mille. */
    bool has_point, is_scientific;
};

/* --- Reading the pattern ---------------------------------------------------------------------- */

static bool is_number_char(char c)
{
    return c == '#' || c == '0' || c == ',' || c == '.';
}

static bool add_affix(char *affix, size_t *len, struct bt_str text)
{
    if (*len + text.len > AFFIX_MAX)
        return false;
    memcpy(affix + *len, text.at, text.len);
    *len += text.len;
    return true;
}

/* Text before or behind the digits, up to a number character or ';'. */
static bool read_affix(struct bt_str pattern, size_t *at, struct format *format, bool is_prefix)
{
    char *affix = is_prefix ? format->prefix : format->suffix;
    size_t *len = is_prefix ? &format->prefix_len : &format->suffix_len;
    bool is_quoted = false;
    for (; *at < pattern.len; (*at)++) {
        struct bt_str rest = bt_str_slice(pattern, *at, pattern.len);
        char c = rest.at[0];
        if (c == '\'') {
            if (rest.len > 1 && rest.at[1] == '\'') {
                (*at)++;
                if (!add_affix(affix, len, BT_STR("'")))
                    return false;
                continue;
            }
            is_quoted = !is_quoted;
            continue;
        }
        if (!is_quoted && (is_number_char(c) || c == ';'))
            return is_prefix ? true : c == ';';
        if (!is_quoted && c == '%')
            format->shift = 2;
        if (!is_quoted && bt_str_starts(rest, BT_STR("\xe2\x80\xb0"))) /* Per mille. */
            format->shift = 3;
        struct bt_str part = bt_str_slice(rest, 0, 1);
        if (!is_quoted && bt_str_starts(rest, BT_STR("\xc2\xa4"))) { /* The currency sign. */
            part = BT_STR("$");
            (*at)++;
        }
        if (!add_affix(affix, len, part))
            return false;
    }
    return !is_quoted;
}

struct digits {
    int left, zeros, right; /* '#' before, '0', '#' behind. */
    int point, group;       /* Digits seen then; -1 none. */
};

static bool read_exponent(struct bt_str pattern, size_t *at, struct format *format)
{
    if (*at >= pattern.len || pattern.at[*at] != 'E')
        return true;
    format->is_scientific = true;
    for ((*at)++; *at < pattern.len && pattern.at[*at] == '0'; (*at)++)
        format->exponent_min++;
    return format->exponent_min > 0;
}

static bool set_digits(struct format *format, struct digits d)
{
    if (d.zeros == 0 && d.left > 0 && d.point >= 0) {
        int n = d.point == 0 ? 1 : d.point;
        d.right = d.left - n;
        d.left = n - 1;
        d.zeros = 1;
    }
    if ((d.point < 0 && d.right > 0) ||
        (d.point >= 0 && (d.point < d.left || d.point > d.left + d.zeros)) || d.group == 0)
        return false;
    int total = d.left + d.zeros + d.right;
    int effective = d.point >= 0 ? d.point : total;
    format->integer_min = effective - d.left;
    format->integer_max = format->is_scientific ? d.left + format->integer_min : DIGITS_MAX;
    format->fraction_max = d.point >= 0 ? total - d.point : 0;
    format->fraction_min = d.point >= 0 ? d.left + d.zeros - d.point : 0;
    format->group = d.group > 0 ? d.group : 0;
    format->has_point = d.point == 0 || d.point == total;
    return total <= DIGITS_MAX;
}

static bool read_digits(struct bt_str pattern, size_t *at, struct format *format)
{
    struct digits d = {.point = -1, .group = -1};
    for (; *at < pattern.len && is_number_char(pattern.at[*at]); (*at)++) {
        char c = pattern.at[*at];
        if (c == '#') {
            d.zeros > 0 ? d.right++ : d.left++;
            d.group += d.group >= 0 && d.point < 0;
        } else if (c == '0') {
            if (d.right > 0)
                return false;
            d.zeros++;
            d.group += d.group >= 0 && d.point < 0;
        } else if (c == ',') {
            d.group = 0;
        } else if (d.point >= 0) {
            return false;
        } else {
            d.point = d.left + d.zeros + d.right;
        }
    }
    if (!read_exponent(pattern, at, format))
        return false;
    return set_digits(format, d);
}

static bool read_format(struct bt_str pattern, size_t *at, struct format *format)
{
    return read_affix(pattern, at, format, true) && read_digits(pattern, at, format) &&
           read_affix(pattern, at, format, false);
}

/* The positive part and, behind ';', the affixes of negative numbers. */
static bool read_pattern(struct bt_str pattern, struct format *format, struct format *negative)
{
    size_t at = 0;
    if (pattern.len == 0) {
        format->fraction_max = DIGITS_MAX;
        format->integer_max = DIGITS_MAX;
        format->group = 0;
    } else if (!read_format(pattern, &at, format)) {
        return false;
    }
    *negative = *format;
    negative->prefix_len = 0;
    if (!add_affix(negative->prefix, &negative->prefix_len, BT_STR("-")) ||
        !add_affix(negative->prefix, &negative->prefix_len,
                   (struct bt_str){format->prefix, format->prefix_len}))
        return false;
    if (at < pattern.len && pattern.at[at] == ';') {
        struct format second = {0};
        at++;
        if (!read_format(pattern, &at, &second))
            return false;
        bool is_same = second.prefix_len == format->prefix_len &&
                       memcmp(second.prefix, format->prefix, second.prefix_len) == 0 &&
                       second.suffix_len == format->suffix_len &&
                       memcmp(second.suffix, format->suffix, second.suffix_len) == 0;
        if (!is_same) {
            memcpy(negative->prefix, second.prefix, second.prefix_len);
            negative->prefix_len = second.prefix_len;
            memcpy(negative->suffix, second.suffix, second.suffix_len);
            negative->suffix_len = second.suffix_len;
        }
    }
    return at >= pattern.len;
}

/* --- Writing the number ----------------------------------------------------------------------- */

/* Digits behind the point that are shown: no zeros at the end past the minimum. */
static int fraction_count(const struct format *format, const struct bt_dec *number, int whole)
{
    int count = number->scale > 0 ? number->scale : 0;
    while (count > format->fraction_min) {
        int index = whole + count - 1;
        if (index >= 0 && index < (int)number->count && number->digits[index])
            break;
        count--;
    }
    return count;
}

static char digit_at(const struct bt_dec *number, int index)
{
    return index >= 0 && index < (int)number->count ? (char)('0' + number->digits[index]) : '0';
}

static void add_plain(const struct format *format, struct bt_dec *number, struct bt_buf *out)
{
    if (number->scale < format->fraction_min)
        (void)bt_dec_set_scale(number, format->fraction_min); /* There is room: checked before. */
    int whole = (int)number->count - number->scale;
    int digits = bt_dec_is_zero(number) || whole < 0 ? 0 : whole;
    int shown = digits > format->integer_min ? digits : format->integer_min;
    int fraction = fraction_count(format, number, whole);
    for (int i = shown; i > 0; i--) {
        (void)bt_buf_addc(out, i > digits ? '0' : digit_at(number, whole - i)); /* Stays. */
        if (format->group && i > 1 && (i - 1) % format->group == 0)
            (void)bt_buf_addc(out, ',');
    }
    if (shown == 0 && fraction == 0)
        (void)bt_buf_addc(out, '0');
    if (fraction > 0 || format->has_point)
        (void)bt_buf_addc(out, '.');
    for (int i = 0; i < fraction; i++)
        (void)bt_buf_addc(out, digit_at(number, whole + i));
}

static void add_scientific(const struct format *format, const struct bt_dec *number,
                           struct bt_buf *out)
{
    bool is_zero = bt_dec_is_zero(number);
    int point = is_zero ? 0 : (int)number->count - number->scale, exponent = point;
    int integer = format->integer_min, repeat = format->integer_max;
    if (repeat > 1 && repeat > format->integer_min) { /* The exponent is a multiple of it. */
        exponent = exponent >= 1 ? (exponent - 1) / repeat * repeat
                                 : (exponent - repeat) / repeat * repeat;
        integer = 1;
    } else {
        exponent -= integer;
    }
    int shown = is_zero ? integer : point - exponent;
    int least = format->integer_min + format->fraction_min;
    int count = (int)number->count;
    while (count > 0 && number->digits[count - 1] == 0) /* Zeros at the end are no digits. */
        count--;
    int total = least > shown ? least : shown;
    total = count > total ? count : total;
    for (int i = 0; i < total; i++) {
        if (i == shown)
            (void)bt_buf_addc(out, '.'); /* Failures stay in the buffer, here and below. */
        (void)bt_buf_addc(out, digit_at(number, i));
    }
    if (format->has_point && total == shown)
        (void)bt_buf_addc(out, '.');
    exponent = is_zero ? 0 : exponent;
    (void)bt_buf_addf(out, "E%s%0*d", exponent < 0 ? "-" : "", format->exponent_min,
                      exponent < 0 ? -exponent : exponent);
}

/* --- Rounding --------------------------------------------------------------------------------- */

/* Where the digits are cut: digits behind the point, or significant ones. */
static int32_t scale_of(const struct format *format, const struct bt_dec *number)
{
    if (!format->is_scientific)
        return format->fraction_max;
    int32_t digits = format->integer_max + format->fraction_max;
    return number->scale - (int32_t)number->count + digits;
}

/* The shortest digits of a double; where they are cut, its exact digits decide about halves. */
static bool read_double(const struct format *format, double real, struct bt_dec *ret_value)
{
    char exact[1200];
    struct bt_buf text = BT_BUF_INIT(64);
    double factor = format->shift == 2 ? 100 : format->shift == 3 ? 1000 : 1;
    bool is_read = bt_java_double(&text, fabs(real * factor), false) == BT_OK &&
                   bt_dec_parse(bt_buf_str(&text), ret_value);
    bt_buf_done(&text);
    int32_t scale = is_read ? scale_of(format, ret_value) : 0;
    if (!is_read || ret_value->scale <= scale)
        return is_read;
    if (format->is_scientific && real == nearbyint(real)) {
        /* The original takes whole numbers for rounded ones: half goes up. */
        uint32_t last = ret_value->count - (uint32_t)(ret_value->scale - scale);
        for (uint32_t i = last; i < ret_value->count; i++)
            if (i == last && ret_value->digits[i] == 5)
                ret_value->digits[i] = 6;
        return true;
    }
    (void)snprintf(exact, sizeof exact, "%.780e", fabs(real * factor)); /* Always fits. */
    return bt_dec_parse(bt_str_of(exact), ret_value);
}

static bool read_number(const struct format *format, struct bt_str number, const double *real,
                        struct bt_dec *ret_value)
{
    if (real && !read_double(format, *real, ret_value))
        return false;
    if (!real) {
        if (!bt_dec_parse(number, ret_value))
            return false;
        ret_value->scale -= format->shift;
    }
    ret_value->is_negative = false;
    int32_t scale = scale_of(format, ret_value);
    if (ret_value->scale > scale)
        (void)bt_dec_set_scale(ret_value, scale); /* Cutting cannot fail. */
    return ret_value->count + (uint32_t)(ret_value->scale < 0 ? -ret_value->scale : 0) <=
           BT_DEC_DIGITS_MAX - DIGITS_MAX;
}

int bt_number_format(struct bt_str number, const double *real, struct bt_str pattern,
                     struct bt_buf *out)
{
    struct format positive = {0}, negative;
    struct bt_dec value;
    if (!read_pattern(pattern, &positive, &negative))
        return BT_INVALID;
    if (real && isnan(*real))
        return bt_buf_adds(out, "NaN");
    bool is_negative = real ? signbit(*real) : number.len && number.at[0] == '-';
    bool is_infinite = real && isinf(*real);
    const struct format *format = is_negative ? &negative : &positive;
    if (!is_infinite && !read_number(format, number, real, &value))
        return BT_INVALID;
    (void)bt_buf_add(out, (struct bt_str){format->prefix, format->prefix_len}); /* Stays. */
    if (is_infinite)
        (void)bt_buf_adds(out, "\xe2\x88\x9e"); /* Stays in the buffer, as below. */
    else if (format->is_scientific)
        add_scientific(format, &value, out);
    else
        add_plain(format, &value, out);
    (void)bt_buf_add(out, (struct bt_str){format->suffix, format->suffix_len}); /* Stays. */
    return out->failed;
}
