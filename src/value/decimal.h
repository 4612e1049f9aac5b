/* decimal.h — Decimal numbers as text: taken apart, and compared exactly. Pure. */
#pragma once
#include "value/value.h"

/* A number as sign, significant digits (no leading or trailing zero) and power of ten:
 * value = ± 0.DIGITS × 10^exponent. Zero has no digits. */
struct bt_decimal {
    bool is_negative;
    size_t len; /* Significant digits. */
    int64_t exponent;
    const char *digits; /* In `text`, or in `small`; may hold one '.', which is skipped. */
    char small[40];
};

/* Takes a checked JSON-like number apart. *ret_decimal borrows `text`. */
void bt_decimal_of_text(struct bt_str text, struct bt_decimal *ret_decimal);
/* The same for any number value (INT, DOUBLE by its shortest text, DECIMAL). False: not a finite
 * number. Borrows the value. */
bool bt_decimal_of_value(const struct bt_value *value, struct bt_decimal *ret_decimal);
/* <0, 0, >0 by exact value. */
int bt_decimal_cmp(const struct bt_decimal *a, const struct bt_decimal *b);
