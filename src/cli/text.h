/* text.h — Foreign text on a terminal: names, values and messages that nobody has checked. */
#pragma once
#include "base/str.h"

#include <stdio.h>

/* Writes the text without anything that could move the cursor, change colours or turn the direction
 * of writing; ESC becomes "\e", a tab a blank, other controls vanish, broken bytes become U+FFFD.
 * Longer than `columns_max` it is cut, with "…" at the end. Returns the columns written. */
size_t bt_text_put(FILE *out, struct bt_str text, size_t columns_max);
/* The same for a text of several lines: line feeds are kept. */
void bt_text_put_lines(FILE *out, struct bt_str text);
