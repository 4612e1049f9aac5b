/* json.h — JSON text (RFC 8259) to values and back.
 *
 * Numbers: integers that fit 64 bits become INT (flavor INT32 when they fit 32 bits), longer ones
 * DECIMAL of flavor BIGINT; fractions become DOUBLE when the shortest text of the double reads back
 * to the same decimal number, else DECIMAL (exact). Duplicate keys: the last one wins, in the first
 * one's place. Lone surrogates are refused. */
#pragma once
#include "value/value.h"

struct bt_json_limits {
    size_t bytes_max, nodes_max, depth_max;
};

/* `limits` NULL: those of base/limits.h. Errors: BT_INVALID with line and col (1-based, in runes),
 * BT_LIMIT, BT_NO_MEM. On success *ret_value is owned. */
int bt_json_parse(struct bt_str text, const struct bt_json_limits *limits,
                  struct bt_value **ret_value, struct bt_err *err);

enum bt_json_flags {
    BT_JSON_COMPACT = 0,
    BT_JSON_PRETTY = 1,     /* Two blanks a level, one item a line, "key": value. */
    BT_JSON_DROP_NULLS = 2, /* Leaves out map entries that are null (not list items). */
};

/* Appends the text of a value (lazy objects are materialised). NaN and infinities give null. */
int bt_json_write(const struct bt_value *value, unsigned flags, struct bt_buf *out,
                  struct bt_err *err);
/* Appends a quoted, escaped JSON string. */
int bt_json_write_str(struct bt_str text, struct bt_buf *out);
/* The compact text as a string value, or NULL without memory. */
struct bt_value *bt_json_text(const struct bt_value *value);
