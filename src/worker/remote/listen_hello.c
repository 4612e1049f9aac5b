/* listen_hello.c — Who connects: version, token, role. Says for people why it refuses. */
#include "worker/remote/listen_int.h"

#include <stdio.h>
#include <sys/epoll.h>

/* Compares without telling by its time where the first difference is. */
static bool same_secret(struct bt_str a, const char *b)
{
    size_t len = strlen(b);
    unsigned char differs = a.len != len;
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)((i < a.len ? a.at[i] : 0) ^ b[i]);
    return differs == 0;
}

/* Hands the socket to a thread of its own. */
static void hello_files(struct bt_listener *listener, struct conn *conn)
{
    int fd = conn->fd;
    (void)epoll_ctl(listener->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* It is there. */
    conn->fd = -1;
    conn->is_closing = true;
    listener_serve_files(listener, fd);
}

void listener_hello(struct bt_listener *listener, struct conn *conn, const struct bt_frame *frame)
{
    BT_VALUE hello = NULL;
    if (frame->type != BT_FRAME_HELLO || bt_frame_value(frame, &hello, NULL) < 0) {
        listener_refuse(listener, conn, "the first message must be HELLO");
        return;
    }
    char text[160];
    int64_t version = bt_value_as_int(bt_map_gets(hello, "v"));
    if (version != BT_REMOTE_VERSION) {
        (void)snprintf(text, sizeof text,
                       "this server speaks version %d of the worker protocol, the worker %lld; use "
                       "the same version of Baton on both",
                       BT_REMOTE_VERSION, (long long)version);
        listener_refuse(listener, conn, text);
    } else if (!same_secret(bt_map_str(hello, "token"), listener->token)) {
        listener_refuse(listener, conn,
                        "the token is wrong; it is in the file worker.token of the "
                        "server's data directory");
    } else if (bt_str_is(bt_map_str(hello, "role"), "files")) {
        hello_files(listener, conn);
    } else {
        peer_hello(listener, conn, hello);
    }
}
