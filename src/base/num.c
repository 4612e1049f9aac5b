/* num.c — Numbers and their text. */
#include "base/num.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool bt_parse_u64(struct bt_str text, uint64_t *ret_number)
{
    if (text.len == 0 || text.len > 20)
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.at[i] - '0'), &number))
            return false;
    }
    *ret_number = number;
    return true;
}

bool bt_parse_i64(struct bt_str text, int64_t *ret_number)
{
    bool is_negative = text.len && text.at[0] == '-';
    if (text.len && (text.at[0] == '-' || text.at[0] == '+'))
        text = bt_str_slice(text, 1, text.len);
    uint64_t number;
    if (!bt_parse_u64(text, &number))
        return false;
    if (number > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    *ret_number = is_negative ? (int64_t)(0u - number) : (int64_t)number;
    return true;
}

static size_t digits_at(struct bt_str text, size_t at)
{
    size_t start = at;
    while (at < text.len && text.at[at] >= '0' && text.at[at] <= '9')
        at++;
    return at - start;
}

static bool is_number_text(struct bt_str text)
{
    size_t at = text.len && (text.at[0] == '-' || text.at[0] == '+') ? 1 : 0;
    size_t whole = digits_at(text, at);
    at += whole;
    size_t fraction = 0;
    if (at < text.len && text.at[at] == '.') {
        fraction = digits_at(text, at + 1);
        at += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (at < text.len && (text.at[at] == 'e' || text.at[at] == 'E')) {
        at++;
        if (at < text.len && (text.at[at] == '-' || text.at[at] == '+'))
            at++;
        size_t exponent = digits_at(text, at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == text.len;
}

bool bt_parse_double(struct bt_str text, double *ret_number)
{
    char small[128];
    if (!is_number_text(text))
        return false;
    char *copy = text.len < sizeof small ? small : malloc(text.len + 1);
    if (!copy)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *ret_number = strtod(copy, NULL); /* The C locale: no setlocale() anywhere in the program. */
    if (copy != small)
        free(copy);
    return true;
}

int bt_buf_add_double(struct bt_buf *buf, double number)
{
    if (isnan(number))
        return bt_buf_adds(buf, "NaN");
    if (isinf(number))
        return bt_buf_adds(buf, number > 0 ? "Infinity" : "-Infinity");
    char text[40];
    int precision = fabs(number) < DBL_MIN ? 1 : 15; /* Subnormals have fewer digits. */
    do
        (void)snprintf(text, sizeof text, "%.*g", precision, number); /* Always fits. */
    while (strtod(text, NULL) != number && ++precision <= 17);
    BT_TRY(bt_buf_adds(buf, text));
    return strpbrk(text, ".e") ? BT_OK : bt_buf_adds(buf, ".0");
}
