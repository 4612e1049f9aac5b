/* code_text.c — Codings of bytes as text. Pure. */
#include "lang/expr/code_text.h"

#include "base/utf8.h"

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int bt_base64_encode(struct bt_str bytes, struct bt_buf *out)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)(unsigned char)bytes.at[i] << 16;
        group |= left > 1 ? (uint32_t)(unsigned char)bytes.at[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)(unsigned char)bytes.at[i + 2] : 0;
        char four[4] = {digits64[group >> 18], digits64[group >> 12 & 63],
                        left > 1 ? digits64[group >> 6 & 63] : '=',
                        left > 2 ? digits64[group & 63] : '='};
        BT_TRY(bt_buf_add(out, (struct bt_str){four, 4}));
    }
    return BT_OK;
}

int bt_base64_decode(struct bt_str text, struct bt_buf *out)
{
    uint32_t group = 0;
    int bits = 0;
    size_t len = text.len, count = 0;
    if (len && len % 4 == 0 && text.at[len - 1] == '=')
        len -= text.at[len - 2] == '=' ? 2 : 1;
    for (size_t i = 0; i < len; i++, count++) {
        const char *found = text.at[i] ? strchr(digits64, text.at[i]) : NULL;
        if (!found)
            return BT_INVALID;
        group = (group << 6 | (uint32_t)(found - digits64)) & 0xFFFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            BT_TRY(bt_buf_addc(out, (char)(group >> bits)));
        }
    }
    return count % 4 == 1 ? BT_INVALID : BT_OK;
}

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '.' || c == '-' ||
           c == '*' || c == '_';
}

int bt_form_encode(struct bt_str text, struct bt_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (is_plain(c))
            BT_TRY(bt_buf_addc(out, c));
        else if (c == ' ')
            BT_TRY(bt_buf_addc(out, '+'));
        else
            BT_TRY(bt_buf_addf(out, "%%%02X", (unsigned char)c));
    }
    return BT_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int bt_form_decode(struct bt_str text, struct bt_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.at[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return BT_INVALID;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        BT_TRY(bt_buf_addc(out, c));
    }
    return BT_OK;
}

int bt_hex_encode(struct bt_str bytes, struct bt_buf *out)
{
    for (size_t i = 0; i < bytes.len; i++)
        BT_TRY(bt_buf_addf(out, "%02x", (unsigned char)bytes.at[i]));
    return BT_OK;
}

static bool is_within(struct bt_str bytes, size_t at, unsigned char low, unsigned char high)
{
    return at < bytes.len && (unsigned char)bytes.at[at] >= low &&
           (unsigned char)bytes.at[at] <= high;
}

/* The bytes that one U+FFFD stands for: the longest beginning of a letter, at least one. */
static size_t broken_len(struct bt_str bytes, size_t at)
{
    unsigned char first = (unsigned char)bytes.at[at];
    size_t want = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2, len = 2;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xF4 ? 0x8F : 0xBF;
    if (first < 0xC2 || first > 0xF4 || !is_within(bytes, at + 1, low, high))
        return 1;
    while (len < want && is_within(bytes, at + len, 0x80, 0xBF))
        len++;
    return len;
}

int bt_utf8_mend(struct bt_str bytes, struct bt_buf *out)
{
    size_t len;
    for (size_t i = 0; i < bytes.len; i += len) {
        uint32_t rune;
        len = bt_utf8_decode(bytes, i, &rune);
        if (len) {
            BT_TRY(bt_buf_add(out, bt_str_slice(bytes, i, i + len)));
            continue;
        }
        BT_TRY(bt_buf_adds(out, "\xEF\xBF\xBD"));
        len = broken_len(bytes, i);
    }
    return BT_OK;
}
