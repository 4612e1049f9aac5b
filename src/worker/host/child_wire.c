/* child_wire.c — Messages of a host process. When the worker is gone there is nobody to work for:
 * the process ends. */
#include "worker/host/child_int.h"

#include "base/limits.h"
#include "base/own.h"
#include "value/json.h"
#include "worker/runner/lines.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FLUSH_BYTES = 64 << 10 };

static size_t message_begin; /* Of the message being built; under the send mutex. */

/* Blocks until everything is sent. */
static void flush(struct bt_buf *out)
{
    for (size_t at = 0; at < out->len;) {
        ssize_t sent = send(CHILD_SOCKET, out->at + at, out->len - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            _exit(0);
        at += (size_t)sent;
    }
    bt_buf_clear(out);
}

struct bt_buf *child_begin(const char *type)
{
    pthread_mutex_lock(&bt_child.send_mutex);
    struct bt_buf *out = &bt_child.out;
    message_begin = bt_frame_begin(false, out);
    (void)bt_buf_adds(out, "{\"type\":\""); /* All checked in child_end(). */
    (void)bt_buf_adds(out, type);
    (void)bt_buf_addc(out, '"');
    return out;
}

void child_key(struct bt_buf *out, const char *key)
{
    (void)bt_buf_addf(out, ",\"%s\":", key); /* Checked in child_end(). */
}

void child_text(struct bt_buf *out, const char *key, struct bt_str text)
{
    struct bt_buf clean = BT_BUF_INIT(3 * (size_t)BT_HOST_MESSAGE_MAX);
    child_key(out, key);
    if (bt_text_clean(text, &clean) < 0 || bt_json_write_str(bt_buf_str(&clean), out) < 0)
        out->failed = BT_LIMIT;
    bt_buf_done(&clean);
}

int child_end(bool is_flush)
{
    struct bt_buf *out = &bt_child.out;
    (void)bt_buf_addc(out, '}'); /* Checked below. */
    bool is_good = out->failed == BT_OK && out->len - message_begin <= BT_HOST_MESSAGE_MAX;
    if (is_good) {
        bt_frame_end(false, out, message_begin);
    } else {
        out->failed = BT_OK;
        out->len = message_begin > BT_FRAME_HEADER ? message_begin - BT_FRAME_HEADER : 0;
    }
    if (is_flush || out->len > FLUSH_BYTES)
        flush(out);
    pthread_mutex_unlock(&bt_child.send_mutex);
    return is_good ? BT_PLUGIN_OK : BT_PLUGIN_LIMIT;
}

/* --- Receiving -------------------------------------------------------------------------------- */

/* Receives some bytes, and the descriptor that came with them. */
static void receive_some(int *fd)
{
    char *at;
    size_t len;
    if (bt_frames_room(&bt_child.frames, &at, &len, NULL) < 0)
        _exit(1);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {at, len};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t got;
    do {
        got = recvmsg(CHILD_SOCKET, &header, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        _exit(0); /* The worker is gone, or lets us go. */
    bt_frames_got(&bt_child.frames, (size_t)got);
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
    if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
        return;
    if (*fd >= 0)
        (void)close(*fd);
    memcpy(fd, CMSG_DATA(cmsg), sizeof *fd);
}

struct bt_value *child_receive(int *ret_fd)
{
    struct bt_str text;
    struct bt_value *message = NULL;
    int fd = -1;
    int rc;
    while ((rc = bt_frames_next(&bt_child.frames, &text, NULL)) == BT_BUSY)
        receive_some(&fd);
    if (rc < 0 || bt_json_parse(text, NULL, &message, NULL) < 0)
        _exit(1); /* Only the worker writes there: not in our language, or out of memory. */
    if (ret_fd)
        *ret_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    return message;
}

int child_ask(struct bt_run *run, struct bt_value **ret_reply, int *ret_fd)
{
    BT_VALUE reply = child_receive(ret_fd);
    struct bt_str error = bt_map_str(reply, "error");
    if (ret_reply)
        *ret_reply = bt_value_ref(reply);
    if (!bt_map_gets(reply, "error"))
        return BT_PLUGIN_OK;
    bt_buf_clear(&run->reason);
    (void)bt_buf_add(&run->reason, error); /* Cut or empty: then the code alone tells. */
    struct bt_str code = bt_map_str(reply, "code");
    return bt_str_is(code, "not_found") ? BT_PLUGIN_NOT_FOUND
           : bt_str_is(code, "limit")   ? BT_PLUGIN_LIMIT
           : bt_str_is(code, "failed")  ? BT_PLUGIN_FAILED
                                        : BT_PLUGIN_IO;
}
