/* decimal.c — Decimal numbers taken apart without rounding. */
#include "value/decimal.h"

#include "base/num.h"

#include <math.h>

/* Skips the '.' inside the digits. */
static char digit_at(const struct bt_decimal *decimal, const char **cursor)
{
    (void)decimal;
    if (**cursor == '.')
        (*cursor)++;
    return *(*cursor)++;
}

void bt_decimal_of_text(struct bt_str text, struct bt_decimal *ret_decimal)
{
    struct bt_decimal decimal = {.is_negative = text.len && text.at[0] == '-'};
    size_t at = text.len && (text.at[0] == '-' || text.at[0] == '+') ? 1 : 0;
    size_t end = at, first = SIZE_MAX, last = 0;
    int64_t whole = 0, leading = 0;
    bool is_fraction = false;
    for (; end < text.len && text.at[end] != 'e' && text.at[end] != 'E'; end++) {
        char c = text.at[end];
        if (c == '.') {
            is_fraction = true;
            continue;
        }
        if (c != '0' && first == SIZE_MAX)
            first = end;
        if (c != '0')
            last = end;
        if (!is_fraction && first != SIZE_MAX)
            whole++;
        if (is_fraction && first == SIZE_MAX)
            leading++;
    }
    int64_t power = 0;
    if (end < text.len) {
        struct bt_str rest = bt_str_slice(text, end + 1, text.len);
        if (!bt_parse_i64(rest, &power) || power > 1000000000 || power < -1000000000)
            power = rest.len && rest.at[0] == '-' ? -1000000000 : 1000000000;
    }
    if (first != SIZE_MAX) {
        decimal.digits = text.at + first;
        for (size_t i = first; i <= last; i++)
            decimal.len += text.at[i] != '.';
        decimal.exponent = (whole ? whole : -leading) + power;
    } else {
        decimal.is_negative = false;
    }
    *ret_decimal = decimal;
}

bool bt_decimal_of_value(const struct bt_value *value, struct bt_decimal *ret_decimal)
{
    enum bt_kind kind = bt_value_kind(value);
    if (kind == BT_KIND_DECIMAL) {
        bt_decimal_of_text(bt_value_str(value), ret_decimal);
        return true;
    }
    if (kind != BT_KIND_INT && kind != BT_KIND_DOUBLE)
        return false;
    if (kind == BT_KIND_DOUBLE && !isfinite(bt_value_as_double(value)))
        return false;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(64);
    if (kind == BT_KIND_INT)
        (void)bt_buf_add_i64(&text, bt_value_as_int(value)); /* At most 20 bytes. */
    else
        (void)bt_buf_add_double(&text, bt_value_as_double(value)); /* At most 26 bytes. */
    if (text.failed != BT_OK || text.len >= sizeof ret_decimal->small)
        return false;
    char copy[sizeof ret_decimal->small];
    memcpy(copy, text.at, text.len);
    struct bt_decimal decimal;
    bt_decimal_of_text((struct bt_str){copy, text.len}, &decimal);
    size_t offset = decimal.digits ? (size_t)(decimal.digits - copy) : 0;
    memcpy(decimal.small, copy, text.len);
    *ret_decimal = decimal;
    ret_decimal->digits = ret_decimal->small + offset;
    return true;
}

static int cmp_magnitude(const struct bt_decimal *a, const struct bt_decimal *b)
{
    if (a->len == 0 || b->len == 0)
        return (a->len != 0) - (b->len != 0);
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    const char *one = a->digits, *two = b->digits;
    for (size_t i = 0; i < a->len && i < b->len; i++) {
        char x = digit_at(a, &one), y = digit_at(b, &two);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a->len > b->len) - (a->len < b->len);
}

int bt_decimal_cmp(const struct bt_decimal *a, const struct bt_decimal *b)
{
    if (a->is_negative != b->is_negative)
        return a->is_negative ? -1 : 1;
    return a->is_negative ? -cmp_magnitude(a, b) : cmp_magnitude(a, b);
}

static bool lists_equal(const struct bt_value *a, const struct bt_value *b)
{
    for (size_t i = 0; i < bt_value_count(a); i++)
        if (!bt_value_equal(bt_list_at(a, i), bt_list_at(b, i)))
            return false;
    return true;
}

static bool maps_equal(const struct bt_value *a, const struct bt_value *b)
{
    for (size_t i = 0; i < bt_value_count(a); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *val = bt_map_at(a, i, &key);
        const struct bt_value *other = bt_map_get(b, bt_value_str(key));
        if (!other || !bt_value_equal(val, other))
            return false;
    }
    return true;
}

bool bt_value_equal(const struct bt_value *a, const struct bt_value *b)
{
    enum bt_kind kind = bt_value_kind(a);
    if (kind == BT_KIND_INT || kind == BT_KIND_DOUBLE || kind == BT_KIND_DECIMAL) {
        struct bt_decimal one, two;
        if (bt_value_is(b, kind) && kind == BT_KIND_INT)
            return bt_value_as_int(a) == bt_value_as_int(b);
        return bt_decimal_of_value(a, &one) && bt_decimal_of_value(b, &two) &&
               bt_decimal_cmp(&one, &two) == 0;
    }
    if (!bt_value_is(b, kind) || bt_value_count(a) != bt_value_count(b))
        return false;
    switch (kind) {
    case BT_KIND_BOOL: return bt_value_as_bool(a) == bt_value_as_bool(b);
    case BT_KIND_STRING: return bt_str_eq(bt_value_str(a), bt_value_str(b));
    case BT_KIND_LIST: return lists_equal(a, b);
    case BT_KIND_MAP: return maps_equal(a, b);
    case BT_KIND_NULL: return true;
    case BT_KIND_LAZY: return a == b;
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: break;
    }
    return false;
}
