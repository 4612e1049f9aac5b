/* ion.h — Amazon Ion text to values and back: what the original's toIon and fromIon do. Private. */
#pragma once
#include "value/value.h"

int bt_ion_write(const struct bt_value *value, struct bt_buf *out, struct bt_err *err);
/* The first value of the text. BT_INVALID with the reason, BT_NOT_FOUND: the text holds none. */
int bt_ion_parse(struct bt_str text, struct bt_value **ret_value, struct bt_err *err);
