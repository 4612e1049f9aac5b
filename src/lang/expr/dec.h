/* dec.h — Exact decimal arithmetic the way of the original's BigDecimal. Private to the room. */
#pragma once
#include "base/buf.h"

enum { BT_DEC_DIGITS_MAX = 1400, BT_DEC_PRECISION = 34 };

/* digits × 10^-scale; digits without leading zeros, "0" is one digit 0. */
struct bt_dec {
    bool is_negative;
    int32_t scale;
    uint32_t count;
    uint8_t digits[BT_DEC_DIGITS_MAX]; /* Most significant first. */
};

/* A JSON-like number; false when it is none or has too many digits. */
bool bt_dec_parse(struct bt_str text, struct bt_dec *ret_number);
bool bt_dec_is_zero(const struct bt_dec *number);
/* False: the magnitudes are too far apart for the limit of digits. */
bool bt_dec_compare(const struct bt_dec *a, const struct bt_dec *b, int *ret_order);
bool bt_dec_add(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *sum);
bool bt_dec_sub(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *diff);
/* Rounded half even to 34 digits. */
bool bt_dec_mul(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *product);
bool bt_dec_div(const struct bt_dec *a, const struct bt_dec *b,
                struct bt_dec *quotient); /* False also for a zero divisor. */
bool bt_dec_rem(const struct bt_dec *a, const struct bt_dec *b, struct bt_dec *remainder);
/* Keeps `scale` digits behind the point, half even; false when there would be too many. */
bool bt_dec_set_scale(struct bt_dec *number, int32_t scale);
/* As BigDecimal.toString(): plain, or 1.2E+5. */
int bt_dec_format(const struct bt_dec *number, struct bt_buf *out);
