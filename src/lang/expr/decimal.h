/* decimal.h — Exact decimal arithmetic the way of the original's BigDecimal. Private to the room. */
#pragma once
#include "base/buf.h"

enum { BT_DECIMAL_DIGITS_MAX = 1400, BT_DECIMAL_PRECISION = 34 };

/* digits × 10^-scale; digits without leading zeros, "0" is one digit 0. */
struct bt_decimal {
    bool is_negative;
    int32_t scale;
    uint32_t count;
    uint8_t digits[BT_DECIMAL_DIGITS_MAX]; /* Most significant first. */
};

/* A JSON-like number; false when it is none or has too many digits. */
bool bt_decimal_parse(struct bt_str text, struct bt_decimal *ret_number);
bool bt_decimal_is_zero(const struct bt_decimal *number);
/* False: the magnitudes are too far apart for the limit of digits. */
bool bt_decimal_compare(const struct bt_decimal *a, const struct bt_decimal *b, int *ret_order);
bool bt_decimal_add(const struct bt_decimal *a, const struct bt_decimal *b, struct bt_decimal *sum);
bool bt_decimal_sub(const struct bt_decimal *a, const struct bt_decimal *b, struct bt_decimal *diff);
/* Rounded half even to 34 digits. */
bool bt_decimal_mul(const struct bt_decimal *a, const struct bt_decimal *b,
                    struct bt_decimal *product);
bool bt_decimal_div(const struct bt_decimal *a, const struct bt_decimal *b,
                    struct bt_decimal *quotient); /* False also for a zero divisor. */
bool bt_decimal_rem(const struct bt_decimal *a, const struct bt_decimal *b,
                    struct bt_decimal *remainder);
/* Keeps `scale` digits behind the point, half even; false when there would be too many. */
bool bt_decimal_set_scale(struct bt_decimal *number, int32_t scale);
/* As BigDecimal.toString(): plain, or 1.2E+5. */
int bt_decimal_format(const struct bt_decimal *number, struct bt_buf *out);
