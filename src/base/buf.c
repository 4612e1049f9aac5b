/* buf.c — The growing buffer. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void bt_buf_done(struct bt_buf *buf)
{
    free(buf->at);
    buf->at = NULL;
    buf->len = buf->cap = 0;
    buf->failed = BT_OK;
}

void bt_buf_clear(struct bt_buf *buf)
{
    buf->len = 0;
    buf->failed = BT_OK;
}

int bt_buf_reserve(struct bt_buf *buf, size_t more)
{
    assert(buf->len <= buf->cap);
    if (buf->failed != BT_OK)
        return buf->failed;
    if (more > buf->max || buf->len > buf->max - more)
        return buf->failed = BT_LIMIT;
    size_t want = buf->len + more + 1; /* One for a NUL. */
    if (want <= buf->cap)
        return BT_OK;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < want)
        cap += cap < (1u << 20) ? cap : cap / 2;
    char *at = realloc(buf->at, cap);
    if (!at)
        return buf->failed = BT_NO_MEM;
    buf->at = at;
    buf->cap = cap;
    return BT_OK;
}

int bt_buf_add(struct bt_buf *buf, struct bt_str text)
{
    BT_TRY(bt_buf_reserve(buf, text.len));
    if (text.len)
        memcpy(buf->at + buf->len, text.at, text.len);
    buf->len += text.len;
    return BT_OK;
}

int bt_buf_addc(struct bt_buf *buf, char c)
{
    if (buf->failed == BT_OK && buf->len + 1 < buf->cap && buf->len < buf->max) {
        buf->at[buf->len++] = c;
        return BT_OK;
    }
    return bt_buf_add(buf, (struct bt_str){&c, 1});
}

int bt_buf_adds(struct bt_buf *buf, const char *text)
{
    return bt_buf_add(buf, bt_str_of(text));
}

int bt_buf_addf(struct bt_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char small[256];
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    int rc = BT_OK;
    if (len < 0) {
        rc = buf->failed = BT_LIMIT;
    } else if ((size_t)len < sizeof small) {
        rc = bt_buf_add(buf, (struct bt_str){small, (size_t)len});
    } else if ((rc = bt_buf_reserve(buf, (size_t)len)) == BT_OK) {
        (void)vsnprintf(buf->at + buf->len, (size_t)len + 1, format, again); /* It fits. */
        buf->len += (size_t)len;
    }
    va_end(again);
    return rc;
}

int bt_buf_add_u64(struct bt_buf *buf, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return bt_buf_add(buf, (struct bt_str){digits + at, sizeof digits - at});
}

int bt_buf_add_i64(struct bt_buf *buf, int64_t number)
{
    if (number >= 0)
        return bt_buf_add_u64(buf, (uint64_t)number);
    BT_TRY(bt_buf_addc(buf, '-'));
    return bt_buf_add_u64(buf, 0u - (uint64_t)number);
}

int bt_buf_add_rune(struct bt_buf *buf, uint32_t rune)
{
    char bytes[4];
    size_t len;
    if (rune < 0x80) {
        bytes[0] = (char)rune;
        len = 1;
    } else if (rune < 0x800) {
        bytes[0] = (char)(0xC0 | rune >> 6);
        bytes[1] = (char)(0x80 | (rune & 0x3F));
        len = 2;
    } else if (rune < 0x10000) {
        bytes[0] = (char)(0xE0 | rune >> 12);
        bytes[1] = (char)(0x80 | (rune >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (rune & 0x3F));
        len = 3;
    } else {
        bytes[0] = (char)(0xF0 | rune >> 18);
        bytes[1] = (char)(0x80 | (rune >> 12 & 0x3F));
        bytes[2] = (char)(0x80 | (rune >> 6 & 0x3F));
        bytes[3] = (char)(0x80 | (rune & 0x3F));
        len = 4;
    }
    return bt_buf_add(buf, (struct bt_str){bytes, len});
}

const char *bt_buf_cstr(struct bt_buf *buf)
{
    if (bt_buf_reserve(buf, 0) < 0)
        return NULL;
    buf->at[buf->len] = '\0';
    return buf->at;
}

int bt_buf_check(const struct bt_buf *buf, const char *what, struct bt_err *err)
{
    if (buf->failed == BT_LIMIT)
        return bt_fail(err, BT_LIMIT, "%s is larger than the limit of %zu bytes", what, buf->max);
    if (buf->failed != BT_OK)
        return bt_fail_mem(err, what);
    return BT_OK;
}
