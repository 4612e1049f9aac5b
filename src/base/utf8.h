/* utf8.h — UTF-8, validated once at the border. */
#pragma once
#include "base/str.h"

/* Decodes the rune at `at` (at < text.len). Returns its length in bytes, 0 when invalid. */
size_t bt_utf8_decode(struct bt_str text, size_t at, uint32_t *ret_rune);
/* Whether the text is valid UTF-8 (no surrogates, no overlong forms). On false *ret_at (may be
 * NULL) is the offset of the first wrong byte. */
bool bt_utf8_is_valid(struct bt_str text, size_t *ret_at);
size_t bt_utf8_count(struct bt_str text); /* Runes in a valid text. */
/* Byte offset of the rune with index `rune` in a valid text; the length when past the end. */
size_t bt_utf8_offset(struct bt_str text, size_t rune);
/* Makes a C string valid in place: a cut rune at its end goes, any other wrong byte becomes '?'. */
void bt_utf8_repair(char *text);
