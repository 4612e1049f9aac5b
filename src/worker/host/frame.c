/* frame.c — Cuts received bytes into messages, and frames messages. Pure. What a plugin sends may
 * be anything: nothing here trusts a length before it is checked. */
#include "worker/host/frame.h"

#include "base/limits.h"

#include <assert.h>

enum { MARK = 0xB70F, ROOM_MIN = 4096 };

void bt_frames_init(struct bt_frames *frames, bool is_lines)
{
    *frames = (struct bt_frames){
        .is_lines = is_lines,
        .in = BT_BUF_INIT(2 * (size_t)BT_HOST_MESSAGE_MAX + ROOM_MIN),
    };
}

void bt_frames_done(struct bt_frames *frames)
{
    bt_buf_done(&frames->in);
    frames->at = 0;
}

static uint32_t read_u32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t read_u16(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static int next_binary(struct bt_frames *frames, struct bt_str rest, struct bt_str *ret_text,
                       struct bt_err *err)
{
    if (rest.len < BT_FRAME_HEADER)
        return BT_BUSY;
    const unsigned char *header = (const unsigned char *)rest.at;
    uint32_t len = read_u32(header), version = read_u16(header + 4);
    if (read_u16(header + 6) != MARK)
        return bt_fail(err, BT_INVALID, "bytes that are no message of the host protocol");
    if (version != BT_HOST_PROTOCOL)
        return bt_fail(err, BT_INVALID, "a message of version %u; this Baton speaks version %d",
                       version, BT_HOST_PROTOCOL);
    if (len > BT_HOST_MESSAGE_MAX)
        return bt_fail(err, BT_LIMIT, "a message of %u bytes; at most %u are allowed", len,
                       BT_HOST_MESSAGE_MAX);
    if (rest.len - BT_FRAME_HEADER < len)
        return BT_BUSY;
    *ret_text = bt_str_slice(rest, BT_FRAME_HEADER, BT_FRAME_HEADER + (size_t)len);
    frames->at += BT_FRAME_HEADER + (size_t)len;
    return BT_OK;
}

static int next_line(struct bt_frames *frames, struct bt_str rest, struct bt_str *ret_text,
                     struct bt_err *err)
{
    for (;;) {
        const char *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
        size_t len = end ? (size_t)(end - rest.at) : rest.len;
        if (len > BT_HOST_MESSAGE_MAX)
            return bt_fail(err, BT_LIMIT, "a line of more than %u bytes", BT_HOST_MESSAGE_MAX);
        if (!end)
            return BT_BUSY;
        frames->at += len + 1;
        *ret_text = bt_str_trim(bt_str_slice(rest, 0, len));
        if (ret_text->len > 0)
            return BT_OK;
        rest = bt_str_slice(rest, len + 1, rest.len);
    }
}

int bt_frames_next(struct bt_frames *frames, struct bt_str *ret_text, struct bt_err *err)
{
    struct bt_str rest = bt_str_slice(bt_buf_str(&frames->in), frames->at, frames->in.len);
    return frames->is_lines ? next_line(frames, rest, ret_text, err)
                            : next_binary(frames, rest, ret_text, err);
}

int bt_frames_room(struct bt_frames *frames, char **ret_at, size_t *ret_len, struct bt_err *err)
{
    struct bt_buf *in = &frames->in;
    if (frames->at > 0) {
        if (in->len > frames->at)
            memmove(in->at, in->at + frames->at, in->len - frames->at);
        in->len -= frames->at;
        frames->at = 0;
    }
    if (bt_buf_reserve(in, ROOM_MIN) < 0)
        return bt_buf_check(in, "a message of a plugin", err);
    *ret_at = in->at + in->len;
    *ret_len = in->cap - in->len;
    return BT_OK;
}

void bt_frames_got(struct bt_frames *frames, size_t len)
{
    assert(len <= frames->in.cap - frames->in.len);
    frames->in.len += len;
}

size_t bt_frame_begin(bool is_lines, struct bt_buf *out)
{
    static const char blank[BT_FRAME_HEADER];
    if (!is_lines)
        (void)bt_buf_add(out, (struct bt_str){blank, sizeof blank}); /* The buffer stays failed. */
    return out->len;
}

void bt_frame_end(bool is_lines, struct bt_buf *out, size_t begin)
{
    if (is_lines)
        (void)bt_buf_addc(out, '\n'); /* The buffer stays failed. */
    if (is_lines || out->failed != BT_OK)
        return;
    assert(begin >= BT_FRAME_HEADER && begin <= out->len);
    unsigned char *header = (unsigned char *)out->at + begin - BT_FRAME_HEADER;
    size_t len = out->len - begin;
    for (int i = 0; i < 4; i++)
        header[i] = (unsigned char)(len >> (8 * i));
    header[4] = BT_HOST_PROTOCOL;
    header[5] = 0;
    header[6] = MARK & 0xFF;
    header[7] = MARK >> 8;
}
