/* regex.h — Regular expressions of the original's dialect, over PCRE2. Private to the room. */
#pragma once
#include "lang/expr/expr_int.h"

/* Every match replaced; $1 and ${name} in `to` stand for groups, a backslash takes the next
 * literally. */
int bt_expr_regex_replace(struct bt_call *call, struct bt_str text, struct bt_str pattern,
                          struct bt_str to, struct bt_buf *out);
int bt_expr_regex_replace_first(struct bt_call *call, struct bt_str text, struct bt_str pattern,
                                struct bt_str to, struct bt_buf *out);
/* Whether the pattern matches the whole text. */
int bt_expr_regex_matches(struct bt_call *call, struct bt_str text, struct bt_str pattern,
                          bool *ret_is_match);
/* String.split(): an array; limit 0 drops empty pieces at the end. */
int bt_expr_regex_split(struct bt_call *call, struct bt_str text, struct bt_str pattern,
                        int64_t limit, struct bt_value **ret_value);
