/* number_format.h — The pattern language of the original's DecimalFormat. Private to the room. */
#pragma once
#include "base/buf.h"

/* Appends the number (a decimal or scientific text, NaN or Infinity) by the pattern, rounded half
 * even. `exact`: all digits of the double behind the text, or empty when the text is exact.
 * BT_INVALID: the pattern is malformed. */
int bt_number_format(struct bt_str number, struct bt_str exact, struct bt_str pattern,
                     struct bt_buf *out);
