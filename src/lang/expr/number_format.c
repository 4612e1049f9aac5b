/* number_format.c — Numbers by patterns such as "#,##0.00", "0.00%", "0.###E0", "'n' #;(#)". Pure. */
#include "lang/expr/number_format.h"

#include "lang/expr/dec.h"

enum { DIGITS_MAX = 340, AFFIX_MAX = 200 };

struct format {
    char prefix[AFFIX_MAX], suffix[AFFIX_MAX]; /* Quotes taken off. */
    size_t prefix_len, suffix_len;
    int integer_min, integer_max, fraction_min, fraction_max, group, exponent_min;
    int shift; /* 2 for percent, 3 for per mille. */
    bool has_point, is_scientific;
};

/* --- Reading the pattern ------------------------------------------------------------------------ */

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

/* --- Writing the number ------------------------------------------------------------------------- */

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
    if (number->scale > format->fraction_max)
        (void)bt_dec_set_scale(number, format->fraction_max); /* Cutting cannot fail. */
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

static void add_exponent(const struct format *format, int exponent, struct bt_buf *out)
{
    (void)bt_buf_addf(out, "E%s%0*d", exponent < 0 ? "-" : "", format->exponent_min,
                      exponent < 0 ? -exponent : exponent); /* Failures stay in the buffer. */
}

static void add_scientific(const struct format *format, struct bt_dec *number, struct bt_buf *out)
{
    int integer = format->integer_min, exponent = (int)number->count - number->scale;
    bool is_zero = bt_dec_is_zero(number);
    if (format->integer_max > 1 && format->integer_max > format->integer_min) {
        int repeat = format->integer_max; /* The exponent is a multiple of it. */
        exponent = exponent >= 1 ? (exponent - 1) / repeat * repeat
                                 : (exponent - repeat) / repeat * repeat;
        integer = 1;
    } else {
        exponent -= format->integer_min > 0 || format->fraction_min > 0 ? format->integer_min : 1;
    }
    if (is_zero)
        exponent = 0;
    struct format plain = *format;
    plain.is_scientific = false;
    plain.group = 0;
    plain.integer_min = integer;
    number->scale += exponent;
    add_plain(&plain, number, out);
    add_exponent(format, exponent, out);
}

/* Takes the exact digits where the shortest ones would be cut: they decide about halves. */
static bool choose(const struct format *format, struct bt_str number, struct bt_str exact,
                   struct bt_dec *ret_value)
{
    if (!bt_dec_parse(number, ret_value))
        return false;
    if (exact.len && !format->is_scientific && ret_value->scale - format->shift > format->fraction_max)
        return bt_dec_parse(exact, ret_value);
    return ret_value->count + (uint32_t)(ret_value->scale < 0 ? -ret_value->scale : 0) <=
           BT_DEC_DIGITS_MAX - DIGITS_MAX;
}

int bt_number_format(struct bt_str number, struct bt_str exact, struct bt_str pattern,
                     struct bt_buf *out)
{
    struct format positive = {0}, negative;
    struct bt_dec value;
    if (!read_pattern(pattern, &positive, &negative))
        return BT_INVALID;
    if (bt_str_is(number, "NaN"))
        return bt_buf_adds(out, "NaN");
    bool is_infinite = bt_str_ends(number, BT_STR("Infinity"));
    const struct format *format = number.len && number.at[0] == '-' ? &negative : &positive;
    if (!is_infinite && !choose(format, number, exact, &value))
        return BT_INVALID;
    (void)bt_buf_add(out, (struct bt_str){format->prefix, format->prefix_len}); /* Stays. */
    if (is_infinite) {
        (void)bt_buf_adds(out, "\xe2\x88\x9e"); /* Stays in the buffer, as below. */
    } else {
        value.is_negative = false;
        value.scale -= format->shift;
        if (format->is_scientific)
            add_scientific(format, &value, out);
        else
            add_plain(format, &value, out);
    }
    (void)bt_buf_add(out, (struct bt_str){format->suffix, format->suffix_len}); /* Stays. */
    return out->failed;
}
