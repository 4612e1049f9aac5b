/* utf8.c — Decoding after RFC 3629. */
#include "base/utf8.h"

size_t bt_utf8_decode(struct bt_str text, size_t at, uint32_t *ret_rune)
{
    unsigned char first = (unsigned char)text.at[at];
    if (first < 0x80) {
        *ret_rune = first;
        return 1;
    }
    size_t len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.len - at < len)
        return 0;
    uint32_t rune = first & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)text.at[at + i];
        if ((next & 0xC0) != 0x80)
            return 0;
        rune = rune << 6 | (next & 0x3Fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (rune < least[len] || rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF))
        return 0;
    *ret_rune = rune;
    return len;
}

bool bt_utf8_is_valid(struct bt_str text, size_t *ret_at)
{
    size_t at = 0;
    while (at < text.len) {
        uint64_t word;
        if (text.len - at >= 8) {
            memcpy(&word, text.at + at, 8);
            if ((word & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        uint32_t rune;
        size_t len = bt_utf8_decode(text, at, &rune);
        if (len == 0) {
            if (ret_at)
                *ret_at = at;
            return false;
        }
        at += len;
    }
    return true;
}

size_t bt_utf8_count(struct bt_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.at[i] & 0xC0) != 0x80;
    return count;
}

size_t bt_utf8_offset(struct bt_str text, size_t rune)
{
    size_t at = 0;
    for (; at < text.len; at++)
        if (((unsigned char)text.at[at] & 0xC0) != 0x80 && rune-- == 0)
            break;
    return at;
}

void bt_utf8_repair(char *text)
{
    struct bt_str all = bt_str_of(text);
    for (size_t at = 0; at < all.len;) {
        uint32_t rune;
        size_t len = bt_utf8_decode(all, at, &rune);
        size_t tail = 1; /* Bytes that may belong to the rune that begins here. */
        while (len == 0 && at + tail < all.len && ((unsigned char)text[at + tail] & 0xC0) == 0x80)
            tail++;
        if (len == 0 && at + tail == all.len && (unsigned char)text[at] >= 0xC2 && tail < 4) {
            text[at] = '\0';
            return;
        }
        if (len == 0)
            text[at] = '?';
        at += len ? len : 1;
    }
}
