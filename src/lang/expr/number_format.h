/* number_format.h — The pattern language of the original's DecimalFormat. Private to the room. */
#pragma once
#include "base/buf.h"

/* Appends the number by the pattern, rounded half even. `number`: a decimal or scientific text; or
 * `real` is given and counts, by its exact value. BT_INVALID: the pattern is malformed. */
int bt_number_format(struct bt_str number, const double *real, struct bt_str pattern,
                     struct bt_buf *out);
