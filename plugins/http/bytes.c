/* bytes.c — A growing buffer with a maximum, and the small texts of JSON and URLs. */
#include "http_int.h"

#include <stdlib.h>
#include <string.h>

bool bytes_add(struct bytes *bytes, const void *at, size_t len)
{
    if (bytes->is_failed || len > bytes->max - bytes->len) {
        bytes->is_failed = true;
        return false;
    }
    if (bytes->len + len + 1 > bytes->cap) {
        size_t cap = bytes->cap ? bytes->cap : 256;
        while (cap < bytes->len + len + 1)
            cap *= 2;
        char *grown = realloc(bytes->at, cap);
        if (!grown) {
            bytes->is_failed = true;
            return false;
        }
        bytes->at = grown;
        bytes->cap = cap;
    }
    if (len > 0)
        memcpy(bytes->at + bytes->len, at, len);
    bytes->len += len;
    bytes->at[bytes->len] = '\0';
    return true;
}

bool bytes_adds(struct bytes *bytes, const char *text)
{
    return bytes_add(bytes, text, strlen(text));
}

void bytes_clear(struct bytes *bytes)
{
    bytes->len = 0;
    bytes->is_failed = false;
    if (bytes->at)
        bytes->at[0] = '\0';
}

void bytes_done(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){.max = bytes->max};
}

struct bt_text bytes_text(const struct bytes *bytes)
{
    return (struct bt_text){bytes->at ? bytes->at : "", bytes->len};
}

struct bt_text text_of(const char *at)
{
    return (struct bt_text){at, at ? strlen(at) : 0};
}

static void add_json_char(struct bytes *bytes, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (c == '"' || c == '\\')
        bytes_add(bytes, (const char[]){'\\', (char)c}, 2);
    else if (c < sizeof letters && letters[c])
        bytes_add(bytes, (const char[]){'\\', letters[c]}, 2);
    else
        bytes_add(bytes, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

bool bytes_add_json(struct bytes *bytes, struct bt_text text)
{
    size_t from = 0;
    bytes_add(bytes, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        bytes_add(bytes, text.at + from, i - from);
        add_json_char(bytes, c);
        from = i + 1;
    }
    bytes_add(bytes, text.len ? text.at + from : "", text.len - from);
    return bytes_add(bytes, "\"", 1);
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

bool bytes_add_escaped(struct bytes *bytes, struct bt_text text, const char *blank)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (is_unreserved(c))
            bytes_add(bytes, text.at + i, 1);
        else if (c == ' ')
            bytes_adds(bytes, blank);
        else
            bytes_add(bytes, (const char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
    }
    return bytes_add(bytes, "", 0);
}

/* Four hexadecimal digits; the host's JSON is valid. */
static uint32_t hex4(const char *at)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)at[i];
        unit = unit * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

static void add_rune(struct bytes *bytes, uint32_t rune)
{
    unsigned char out[4];
    size_t len;
    if (rune < 0x80) {
        out[0] = (unsigned char)rune;
        len = 1;
    } else if (rune < 0x800) {
        out[0] = (unsigned char)(0xC0 | rune >> 6);
        len = 2;
    } else if (rune < 0x10000) {
        out[0] = (unsigned char)(0xE0 | rune >> 12);
        len = 3;
    } else {
        out[0] = (unsigned char)(0xF0 | rune >> 18);
        len = 4;
    }
    for (size_t i = 1; i < len; i++)
        out[i] = (unsigned char)(0x80 | (rune >> (6 * (len - 1 - i)) & 0x3F));
    bytes_add(bytes, out, len);
}

/* The escape behind a backslash; gives how many bytes it took. */
static size_t add_escape(struct bytes *bytes, const char *at, size_t left)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *found = memchr(from, at[0], sizeof from - 1);
    if (at[0] != 'u' || left < 5) {
        bytes_add(bytes, found ? to + (found - from) : at, 1);
        return 1;
    }
    uint32_t rune = hex4(at + 1);
    if (rune >= 0xD800 && rune < 0xDC00 && left >= 11) {
        add_rune(bytes, 0x10000 + ((rune - 0xD800) << 10) + (hex4(at + 7) - 0xDC00));
        return 11;
    }
    add_rune(bytes, rune);
    return 5;
}

bool bytes_add_unquoted(struct bytes *bytes, struct bt_text json)
{
    if (json.len < 2 || json.at[0] != '"')
        return bytes_add(bytes, json.len ? json.at : "", json.len);
    size_t end = json.len - 1;
    for (size_t i = 1; i < end;) {
        if (json.at[i] == '\\' && i + 1 < end) {
            i += 1 + add_escape(bytes, json.at + i + 1, end - i - 1);
            continue;
        }
        const char *next = memchr(json.at + i, '\\', end - i);
        size_t len = next ? (size_t)(next - json.at) - i : end - i;
        len = len ? len : 1;
        bytes_add(bytes, json.at + i, len);
        i += len;
    }
    return bytes_add(bytes, "", 0);
}
