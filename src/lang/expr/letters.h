/* letters.h — Case of letters and their ASCII skeletons. Private to the room. */
#pragma once
#include "base/buf.h"

uint32_t bt_letter_upper(uint32_t rune); /* Simple mapping: one letter for one. */
uint32_t bt_letter_lower(uint32_t rune);
/* The whole text in upper or lower case (full mapping: ß becomes SS). */
int bt_letters_case(struct bt_str text, bool is_upper, struct bt_buf *out);
/* What is left of the letter without its accents, when that is ASCII; else 0. */
char bt_letter_base(uint32_t rune);
