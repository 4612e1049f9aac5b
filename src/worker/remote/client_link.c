/* client_link.c — The connection to the server: made again and again, read and written by one
 * thread that never waits for anything but the socket. */
#include "base/crash.h"
#include "base/limits.h"
#include "worker/remote/address.h"
#include "worker/remote/client_int.h"
#include "worker/remote/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_MS = 3000, RETRY_MS = 300, RETRY_TICK_MS = 30, READ_BYTES = 256 << 10 };

static int64_t mono_us(void)
{
    return bt_clock_mono_us(bt_clock_system());
}

static struct bt_value *hello_value(struct bt_client *client)
{
    BT_VALUE hello = bt_map_new(9), *running = bt_list_new(0), *places = bt_list_new(0);
    int rc = bt_map_puts(hello, "v", bt_value_int(BT_REMOTE_VERSION));
    rc |= bt_map_puts(hello, "token", bt_value_cstr(client->token));
    rc |= bt_map_puts(hello, "role", bt_value_cstr("worker"));
    rc |= bt_map_puts(hello, "id", bt_value_cstr(client->id));
    rc |= bt_map_puts(hello, "group", bt_value_cstr(client->group));
    rc |= bt_map_puts(hello, "tags", bt_value_cstr(client->tags));
    rc |= bt_map_puts(hello, "slots", bt_value_int(client->config.slots));
    lock(client);
    for (size_t i = 0; i < client->running.count; i++)
        rc |= bt_list_push(running, bt_wire_token(client->running.items[i].token));
    for (size_t i = 0; i < client->places.count; i++)
        rc |= bt_list_push(places, bt_wire_token(client->places.items[i]));
    unlock(client);
    rc |= bt_map_puts(hello, "places", BT_TAKE(places));
    rc |= bt_map_puts(hello, "running", BT_TAKE(running));
    return rc < 0 ? NULL : BT_TAKE(hello);
}

/* Becomes connected: what was not acknowledged is told again, lines before results. */
static void go_online(struct bt_client *client, int fd, int64_t server_us)
{
    int64_t ahead_us = bt_clock_wall_us(client->config.clock) - server_us;
    bool is_noticeable = ahead_us > 500000 || ahead_us < -500000;
    client->fd = fd;
    client->sent = 0;
    bt_buf_clear(&client->in);
    bt_buf_clear(&client->sending);
    client_drop_flows(client); /* The server sends them anew on each connection. */
    lock(client);
    client->clock_ahead_us = is_noticeable ? ahead_us : 0;
    client->is_online = true;
    bt_buf_clear(&client->out);
    for (size_t i = 0; i < client->logs.count; i++)
        client_send_locked(client, BT_FRAME_LOGS, bt_value_ref(client->logs.items[i].message));
    for (size_t i = 0; i < client->running.count; i++)
        if (client->running.items[i].result)
            client_send_locked(client, BT_FRAME_RESULT,
                               bt_value_ref(client->running.items[i].result));
    if (client->is_draining)
        client_send_locked(client, BT_FRAME_DRAIN, NULL);
    (void)pthread_cond_broadcast(&client->changed);
    unlock(client);
    client_note(client, "connected");
}

static void go_offline(struct bt_client *client)
{
    lock(client);
    client->is_online = false;
    bt_buf_clear(&client->out);
    unlock(client);
    (void)close(client->fd);
    client->fd = -1;
}

/* BT_DENIED: the server does not want us. */
static int shake_hands(struct bt_client *client, int fd, struct bt_value **ret_welcome,
                       struct bt_err *err)
{
    struct bt_frame frame;
    BT_VALUE hello = hello_value(client);
    BT_TRY(bt_frame_send(fd, BT_FRAME_HELLO, hello, err));
    BT_TRY(bt_frame_receive(fd, &client->in, &frame, err));
    BT_TRY(bt_frame_value(&frame, ret_welcome, err));
    if (frame.type != BT_FRAME_WELCOME)
        return bt_fail(err, BT_DENIED, "%.*s", BT_FMT(bt_map_str(*ret_welcome, "message")));
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot use the connection");
    return BT_OK;
}

static int connect_once(struct bt_client *client, struct bt_err *err)
{
    int fd = -1;
    BT_VALUE welcome = NULL;
    BT_TRY(bt_address_connect(client->address, CONNECT_MS, &fd, err));
    int64_t at_us = mono_us();
    int rc = shake_hands(client, fd, &welcome, err);
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    client->heartbeat_us = bt_value_as_int(bt_map_gets(welcome, "heartbeatMs")) * 1000;
    client->lease_us = client->beat_us = at_us;
    client->heard_us = mono_us();
    client->lost_us = bt_value_as_int(bt_map_gets(welcome, "lostMs")) * 1000;
    go_online(client, fd, bt_value_as_int(bt_map_gets(welcome, "nowUs")));
    return BT_OK;
}

/* --- Reading and writing ------------------------------------------------------------------------
 */

/* False: the connection is over. */
static bool read_link(struct bt_client *client)
{
    struct bt_frame frame;
    size_t at = 0;
    int rc = BT_OK;
    ssize_t got = recv(client->fd, client->chunk, READ_BYTES, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0 || bt_buf_add(&client->in, (struct bt_str){client->chunk, (size_t)got}) < 0)
        return false;
    client->heard_us = mono_us();
    while (bt_frame_next(&client->in, &at, &frame, &rc))
        client_on_frame(client, &frame);
    client->in.len -= at;
    if (at && client->in.len)
        memmove(client->in.at, client->in.at + at, client->in.len);
    return rc == BT_OK;
}

/* Takes what others have queued, when all of before is sent. */
static bool has_output(struct bt_client *client)
{
    if (client->sent < client->sending.len)
        return true;
    bt_buf_clear(&client->sending);
    client->sent = 0;
    lock(client);
    struct bt_buf taken = client->out;
    client->out = client->sending;
    client->sending = taken;
    unlock(client);
    return client->sending.len > 0;
}

/* False: the connection is over. */
static bool write_link(struct bt_client *client)
{
    while (has_output(client)) {
        ssize_t sent = send(client->fd, client->sending.at + client->sent,
                            client->sending.len - client->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN;
        client->sent += (size_t)sent;
        BT_CRASH_POINT("sent");
    }
    return client->sending.failed == BT_OK;
}

static bool is_stopping(struct bt_client *client)
{
    lock(client);
    bool is_stopping = client->is_stopping;
    unlock(client);
    return is_stopping;
}

static void beat(struct bt_client *client)
{
    if (mono_us() - client->beat_us < client->heartbeat_us)
        return;
    client->beat_us = mono_us();
    client_send(client, BT_FRAME_HEARTBEAT, bt_frame_map1("at", bt_value_int(client->beat_us)));
}

/* Reads and writes until the connection is lost or the client stops. */
static void stay_connected(struct bt_client *client)
{
    bool is_alive = true;
    while (is_alive && !is_stopping(client) && mono_us() - client->heard_us <= client->lost_us) {
        beat(client);
        is_alive = write_link(client);
        bool is_full = client->sent < client->sending.len;
        struct pollfd fds[2] = {{client->fd, (short)(POLLIN | (is_full ? POLLOUT : 0)), 0},
                                {client->wake_fd, POLLIN, 0}};
        if (!is_alive || poll(fds, 2, (int)(client->heartbeat_us / 4000) + 1) <= 0)
            continue;
        uint64_t number;
        if (fds[1].revents && read(client->wake_fd, &number, sizeof number) < 0)
            continue; /* Somebody else's wake-up: there is nothing to do. */
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
            is_alive = read_link(client);
    }
    if (is_alive)
        (void)write_link(client); /* The last words. */
}

static void wait_for_retry(struct bt_client *client)
{
    for (int ms = 0; ms < RETRY_MS && !is_stopping(client); ms += RETRY_TICK_MS)
        (void)poll(NULL, 0, RETRY_TICK_MS);
}

static void end(struct bt_client *client, const struct bt_err *err)
{
    lock(client);
    client->has_ended = true;
    client->end = *err;
    unlock(client);
}

void *client_link_main(void *data)
{
    struct bt_client *client = data;
    bool was_told = false;
    while (!is_stopping(client)) {
        struct bt_err err = BT_ERR_INIT;
        int rc = connect_once(client, &err);
        if (rc == BT_DENIED) {
            end(client, &err);
            break;
        }
        if (rc < 0) {
            if (!was_told)
                client_note(client, err.msg);
            was_told = true;
            wait_for_retry(client);
            continue;
        }
        was_told = false;
        stay_connected(client);
        go_offline(client);
        if (!is_stopping(client))
            client_note(client, "the connection is lost; connecting again");
    }
    return NULL;
}

void client_link_done(struct bt_client *client)
{
    client_drop_flows(client);
    bt_vec_done(&client->flows);
    bt_vec_done(&client->flow_keys);
    bt_buf_done(&client->in);
    bt_buf_done(&client->sending);
    free(client->chunk);
}
