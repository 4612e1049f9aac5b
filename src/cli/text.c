/* text.c — Writes foreign text so that a terminal only shows it. Never passes on a control. */
#include "cli/text.h"

#include "base/own.h"
#include "base/utf8.h"

#include <stdint.h>

struct span {
    uint32_t from, to;
};

/* Controls of the terminal and of the direction of writing, and line ends other than \n. */
static const struct span hidden[] = {
    {0x00, 0x1F},     {0x7F, 0x9F},     {0x061C, 0x061C}, {0x200B, 0x200F},
    {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB},
};
/* What takes two columns: East Asian scripts and pictures. */
static const struct span wide[] = {
    {0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
    {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD},
};

static bool is_in(uint32_t rune, const struct span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rune >= spans[i].from && rune <= spans[i].to)
            return true;
    return false;
}

/* How the rune is shown; *ret_columns is how wide. Empty: not at all. */
static struct bt_str shown(struct bt_str raw, uint32_t rune, size_t *ret_columns)
{
    *ret_columns = 1;
    if (rune == '\t')
        return BT_STR(" ");
    if (rune == 0x1B) {
        *ret_columns = 2;
        return BT_STR("\\e");
    }
    if (is_in(rune, hidden, BT_COUNT(hidden))) {
        *ret_columns = 0;
        return BT_STR_NONE;
    }
    *ret_columns = is_in(rune, wide, BT_COUNT(wide)) ? 2 : 1;
    return raw;
}

size_t bt_text_put(FILE *out, struct bt_str text, size_t columns_max)
{
    size_t used = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t rune;
        size_t len = bt_utf8_decode(text, at, &rune), columns = 1;
        struct bt_str piece = BT_STR("\xEF\xBF\xBD");
        if (len)
            piece = shown(bt_str_slice(text, at, at + len), rune, &columns);
        at += len ? len : 1;
        if (used + columns > columns_max || (used + columns == columns_max && at < text.len)) {
            (void)fputs("…", out);
            return used + 1;
        }
        if (piece.len)
            (void)fwrite(piece.at, 1, piece.len, out);
        used += columns;
    }
    return used;
}

void bt_text_put_lines(FILE *out, struct bt_str text)
{
    for (size_t at = 0; at <= text.len;) {
        ptrdiff_t end = bt_str_find(text, BT_STR("\n"), at);
        size_t to = end < 0 ? text.len : (size_t)end;
        (void)bt_text_put(out, bt_str_slice(text, at, to), SIZE_MAX);
        if (end >= 0)
            (void)fputc('\n', out);
        at = to + 1;
    }
}
