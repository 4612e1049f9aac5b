/* buf.h — A growing byte buffer with a maximum. Not for several threads.
 *
 * A buffer fails past its maximum or without memory and then stays failed: builders may ignore the
 * single results and ask bt_buf_check() once at the end. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct bt_buf {
    char *at; /* Owned; len bytes used of cap. No final NUL unless bt_buf_cstr() was called. */
    size_t len, cap, max;
    enum bt_code failed; /* BT_OK, BT_NO_MEM or BT_LIMIT. */
};

#define BT_BUF_INIT(max_bytes)                                                                     \
    {                                                                                              \
        .max = (max_bytes)                                                                         \
    }

void bt_buf_done(struct bt_buf *buf);  /* Frees; the buffer is empty and usable again. */
void bt_buf_clear(struct bt_buf *buf); /* Forgets the content and a failure, keeps the memory. */
int bt_buf_reserve(struct bt_buf *buf, size_t more); /* Room for `more` further bytes. */
int bt_buf_add(struct bt_buf *buf, struct bt_str text);
int bt_buf_addc(struct bt_buf *buf, char c);
int bt_buf_adds(struct bt_buf *buf, const char *text);
int bt_buf_addf(struct bt_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int bt_buf_add_i64(struct bt_buf *buf, int64_t number);
int bt_buf_add_u64(struct bt_buf *buf, uint64_t number);
/* Adds a Unicode code point as UTF-8. */
int bt_buf_add_rune(struct bt_buf *buf, uint32_t rune);
/* Adds a final NUL (not counted in len) and returns the text, or NULL when failed. */
const char *bt_buf_cstr(struct bt_buf *buf);
/* BT_OK, or the failure of an earlier call, told in *err with `what` was being built. */
int bt_buf_check(const struct bt_buf *buf, const char *what, struct bt_err *err);

static inline struct bt_str bt_buf_str(const struct bt_buf *buf)
{
    return (struct bt_str){buf->at, buf->len};
}
