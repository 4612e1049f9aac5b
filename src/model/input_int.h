/* input_int.h — What the sources about inputs share. Private to the room. */
#pragma once
#include "model/flow.h"

/* Whether a pattern (as the original's: Java's dialect, matching the whole text) fits a text.
 * BT_INVALID when the pattern is wrong or costs too much. */
int bt_regex_matches(struct bt_str pattern, struct bt_str text, bool *ret_is_match,
                     struct bt_err *err);
