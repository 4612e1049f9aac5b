/* frame.c — Frames to bytes and back. Trusts nothing that arrives. */
#include "worker/remote/frame.h"

#include "value/json.h"

#include <errno.h>
#include <sys/socket.h>

enum { HEAD = 5 };

static void put_head(char head[HEAD], enum bt_frame_type type, size_t len)
{
    for (int i = 0; i < 4; i++)
        head[i] = (char)(len >> (8 * i) & 0xFF);
    head[4] = (char)type;
}

static size_t head_len(const char *head)
{
    size_t len = 0;
    for (int i = 0; i < 4; i++)
        len |= (size_t)(unsigned char)head[i] << (8 * i);
    return len;
}

int bt_frame_add(struct bt_buf *out, enum bt_frame_type type, const struct bt_value *value)
{
    size_t start = out->len;
    char head[HEAD] = {0};
    BT_TRY(bt_buf_add(out, (struct bt_str){head, HEAD}));
    if (value)
        BT_TRY(bt_json_write(value, BT_JSON_COMPACT, out, NULL));
    else
        BT_TRY(bt_buf_adds(out, "{}"));
    size_t len = out->len - start - HEAD;
    if (len > BT_FRAME_BYTES_MAX) {
        out->len = start;
        return BT_LIMIT;
    }
    put_head(out->at + start, type, len);
    return BT_OK;
}

bool bt_frame_next(const struct bt_buf *in, size_t *at, struct bt_frame *ret_frame, int *ret_rc)
{
    *ret_rc = BT_OK;
    if (in->len - *at < HEAD)
        return false;
    const char *head = in->at + *at;
    size_t len = head_len(head);
    unsigned type = (unsigned char)head[4];
    if (len > BT_FRAME_BYTES_MAX || type == 0 || type >= BT_FRAME_TYPE_COUNT) {
        *ret_rc = BT_CORRUPT;
        return false;
    }
    if (in->len - *at - HEAD < len)
        return false;
    *ret_frame = (struct bt_frame){(enum bt_frame_type)type, {head + HEAD, len}};
    *at += HEAD + len;
    return true;
}

int bt_frame_value(const struct bt_frame *frame, struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE value = NULL;
    BT_TRY(bt_json_parse(frame->payload, NULL, &value, err));
    if (!bt_value_is(value, BT_KIND_MAP))
        return bt_fail(err, BT_CORRUPT, "a message is not a map");
    *ret_value = BT_TAKE(value);
    return BT_OK;
}

/* --- Blocking use ------------------------------------------------------------------------------
 */

int bt_frame_send_raw(int fd, struct bt_str frames, struct bt_err *err)
{
    while (frames.len) {
        ssize_t sent = send(fd, frames.at, frames.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return bt_fail_errno(err, BT_IO, errno, "the connection failed");
        frames = bt_str_slice(frames, (size_t)sent, frames.len);
    }
    return BT_OK;
}

int bt_frame_send(int fd, enum bt_frame_type type, const struct bt_value *value, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(BT_FRAME_BYTES_MAX + 64);
    int rc = bt_frame_add(&out, type, value);
    if (rc < 0)
        return bt_fail(err, (enum bt_code)rc, "a message is larger than %u bytes",
                       BT_FRAME_BYTES_MAX);
    return bt_frame_send_raw(fd, bt_buf_str(&out), err);
}

int bt_frame_send_bytes(int fd, struct bt_str bytes, struct bt_err *err)
{
    char head[HEAD];
    put_head(head, BT_FRAME_FILE_DATA, bytes.len);
    BT_TRY(bt_frame_send_raw(fd, (struct bt_str){head, HEAD}, err));
    return bt_frame_send_raw(fd, bytes, err);
}

static int receive_all(int fd, char *at, size_t len, struct bt_err *err)
{
    size_t got = 0;
    while (got < len) {
        ssize_t count = recv(fd, at + got, len - got, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return bt_fail_errno(err, errno == EAGAIN ? BT_TIMEOUT : BT_IO, errno,
                                 "the connection failed");
        if (count == 0)
            return bt_fail(err, BT_NOT_FOUND, "the other side has closed the connection");
        got += (size_t)count;
    }
    return BT_OK;
}

int bt_frame_receive(int fd, struct bt_buf *buf, struct bt_frame *ret_frame, struct bt_err *err)
{
    char head[HEAD];
    bt_buf_clear(buf);
    BT_TRY(receive_all(fd, head, HEAD, err));
    size_t len = head_len(head), at = 0;
    int rc = BT_OK;
    if (len > BT_FRAME_BYTES_MAX || bt_buf_add(buf, (struct bt_str){head, HEAD}) < 0 ||
        bt_buf_reserve(buf, len) < 0)
        return bt_fail(err, BT_CORRUPT, "the other side does not speak the worker protocol");
    BT_TRY(receive_all(fd, buf->at + HEAD, len, err));
    buf->len = HEAD + len;
    if (!bt_frame_next(buf, &at, ret_frame, &rc))
        return bt_fail(err, BT_CORRUPT, "the other side does not speak the worker protocol");
    return BT_OK;
}

struct bt_value *bt_frame_map1(const char *key, struct bt_value *value)
{
    BT_VALUE map = bt_map_new(1);
    return bt_map_puts(map, key, value) < 0 ? NULL : BT_TAKE(map);
}
