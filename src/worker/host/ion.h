/* ion.h — Amazon Ion text to JSON text, for row files that the original wrote. */
#pragma once
#include "base/buf.h"

/* Appends the JSON of the one value in `text`: symbols, timestamps and blobs become texts, decimals
 * numbers, s-expressions lists; annotations and comments are left out, nan and infinities null.
 * BT_OK; BT_INVALID, BT_LIMIT: no such value. */
int bt_ion_to_json(struct bt_str text, struct bt_buf *out);
