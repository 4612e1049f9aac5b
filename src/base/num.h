/* num.h — Text to numbers and back, without a locale. */
#pragma once
#include "base/buf.h"

/* The whole text as a decimal 64-bit integer with an optional sign. False: not one, or out of
 * range. */
bool bt_parse_i64(struct bt_str text, int64_t *ret_number);
bool bt_parse_u64(struct bt_str text, uint64_t *ret_number);
/* The whole text as a JSON-like number (digits, '.', exponent); no hex, no inf, no nan. */
bool bt_parse_double(struct bt_str text, double *ret_number);
/* The shortest text that reads back as the same double, as JSON: 0.1, 1e+300 → "1e300", 5 → "5.0".
 * NaN and the infinities give "null" in JSON; they print as NaN, Infinity, -Infinity here. */
int bt_buf_add_double(struct bt_buf *buf, double number);
