/* listen.c — Connections of remote workers: accepted, read, written, closed. Its thread never
 * blocks: a slow worker fills its own buffer only, which its credit bounds. */
#include "worker/remote/listen_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 100, STALL_US_MIN = 150000, READ_BYTES = 256 << 10, READS_PER_TURN = 4 };
enum { EVENTS_PER_TURN = 64, IDLE_BYTES_MAX = 64 << 10 };
#define HELLO_US_MAX 5000000
#define HELLO_BYTES_MAX (512u << 10) /* With all that 10,000 slots may run. */
#define MUTE_MAX 256                 /* Connections that have not said HELLO. */

void listener_wake(struct bt_listener *listener)
{
    uint64_t one = 1;
    if (listener->is_awake)
        return;
    listener->is_awake = true;
    if (write(listener->wake_fd, &one, sizeof one) < 0) {
        /* The counter is full: the thread is awake anyway. */
    }
}

struct bt_value *listener_welcome(const struct bt_listener *listener)
{
    BT_VALUE map = bt_map_new(4);
    int rc = bt_map_puts(map, "v", bt_value_int(BT_REMOTE_VERSION));
    rc |= bt_map_puts(map, "heartbeatMs", bt_value_int(listener->config.heartbeat_ms));
    rc |= bt_map_puts(map, "lostMs", bt_value_int(listener->config.lost_ms));
    rc |= bt_map_puts(map, "nowUs", bt_value_int(bt_clock_wall_us(bt_clock_system())));
    return rc < 0 ? NULL : BT_TAKE(map);
}

void listener_queue(struct conn *conn, enum bt_frame_type type, struct bt_value *value)
{
    if (!value || bt_frame_add(&conn->out, type, value) < 0)
        conn->out.failed = BT_NO_MEM; /* Cut off. */
    bt_value_unref(value);
}

void listener_send(struct bt_listener *listener, struct conn *conn, enum bt_frame_type type,
                   struct bt_value *value)
{
    lock(listener);
    listener_queue(conn, type, value);
    unlock(listener);
}

void listener_refuse(struct bt_listener *listener, struct conn *conn, const char *message)
{
    listener_send(listener, conn, BT_FRAME_REFUSED,
                  bt_frame_map1("message", bt_value_cstr(message)));
    conn->is_closing = true;
}

/* --- Connections --------------------------------------------------------------------------------
 */

static void conn_free(struct bt_listener *listener, struct conn *conn)
{
    peer_away(listener, conn);
    if (conn->fd >= 0)
        (void)close(conn->fd);
    bt_buf_done(&conn->in);
    bt_buf_done(&conn->out);
    for (size_t i = 0; i < conn->sent.count; i++)
        bt_flow_unref(conn->sent.items[i]);
    bt_vec_done(&conn->sent);
    for (size_t i = 0; i < listener->conns.count; i++) {
        if (listener->conns.items[i] != conn)
            continue;
        listener->conns.items[i] = listener->conns.items[--listener->conns.count];
        break;
    }
    free(conn);
}

/* Who connects and says nothing must not keep workers out: the oldest ones go. */
static void limit_mute(struct bt_listener *listener)
{
    size_t mute = 0;
    struct conn *oldest = NULL;
    for (size_t i = 0; i < listener->conns.count; i++) {
        struct conn *conn = listener->conns.items[i];
        mute += !conn->peer;
        if (!conn->peer && (!oldest || conn->opened_us < oldest->opened_us))
            oldest = conn;
    }
    if (mute > MUTE_MAX)
        oldest->is_closing = true; /* Freed in the next tick: an event may name it. */
}

static void accept_all(struct bt_listener *listener)
{
    int fd;
    while ((fd = accept4(listener->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct conn *conn = calloc(1, sizeof *conn);
        if (!conn)
            bt_die("out of memory");
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
                         sizeof one); /* Not for Unix sockets. */
        *conn = (struct conn){.fd = fd, .opened_us = mono_us()};
        conn->in.max = conn->out.max = HELLO_BYTES_MAX;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        if (epoll_ctl(listener->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
            (void)close(fd);
            free(conn);
            continue;
        }
        bt_vec_push(&listener->conns, conn);
        limit_mute(listener);
    }
}

/* Frames of what was read so far. False: the stream is none of ours. */
static bool take_frames(struct bt_listener *listener, struct conn *conn)
{
    struct bt_frame frame;
    size_t at = 0;
    int rc = BT_OK;
    while (!conn->is_closing && bt_frame_next(&conn->in, &at, &frame, &rc)) {
        if (conn->peer)
            peer_on_frame(listener, conn, &frame);
        else
            listener_hello(listener, conn, &frame);
    }
    conn->in.len -= at;
    if (conn->in.len == 0 && conn->in.cap > IDLE_BYTES_MAX)
        bt_buf_done(&conn->in);
    else if (at && conn->in.len)
        memmove(conn->in.at, conn->in.at + at, conn->in.len);
    return rc == BT_OK;
}

/* False: the connection is over. */
static bool read_conn(struct bt_listener *listener, struct conn *conn)
{
    for (int i = 0; i < READS_PER_TURN && !conn->is_closing; i++) {
        ssize_t got = recv(conn->fd, listener->chunk, READ_BYTES, 0);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return true;
        if (got <= 0)
            return false;
        if (bt_buf_add(&conn->in, (struct bt_str){listener->chunk, (size_t)got}) < 0 ||
            !take_frames(listener, conn))
            return false;
        if (got < READ_BYTES)
            return true;
    }
    return true;
}

static void watch(struct bt_listener *listener, struct conn *conn, bool waits_for_out)
{
    struct epoll_event event = {.events = EPOLLIN | (waits_for_out ? EPOLLOUT : 0u),
                                .data.ptr = conn};
    if (conn->waits_for_out == waits_for_out || conn->fd < 0)
        return;
    conn->waits_for_out = waits_for_out;
    (void)epoll_ctl(listener->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event); /* It is there. */
}

/* Sends what is there. False: the connection is over. */
static bool write_conn(struct bt_listener *listener, struct conn *conn)
{
    bool is_alive = true;
    if (conn->peer)
        peer_write_orders(listener, conn);
    lock(listener);
    struct bt_buf *out = &conn->out;
    while (conn->out_at < out->len) {
        ssize_t sent =
            send(conn->fd, out->at + conn->out_at, out->len - conn->out_at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        is_alive = sent >= 0 || errno == EAGAIN || errno == EWOULDBLOCK;
        if (sent < 0)
            break;
        conn->out_at += (size_t)sent;
    }
    bool is_waiting = conn->out_at < out->len;
    if (!is_waiting) {
        out->len = conn->out_at = 0;
        if (out->cap > IDLE_BYTES_MAX)
            bt_buf_done(out);
    }
    is_alive = is_alive && out->failed == BT_OK && (is_waiting || !conn->is_closing);
    unlock(listener);
    watch(listener, conn, is_waiting);
    return is_alive;
}

/* --- The thread ---------------------------------------------------------------------------------
 */

/* While this thread stood still (a slow disk, a stopped machine) nobody could be heard: that time
 * is no silence of the workers. */
static void forgive_stall(struct bt_listener *listener, int64_t now_us)
{
    int64_t stall_us = now_us - listener->ticked_us - STALL_US_MIN;
    listener->ticked_us = now_us;
    if (stall_us > 0)
        peers_forgive(listener, stall_us, now_us);
}

/* Everything that has output, connections that never said HELLO, lost workers. */
static void tick(struct bt_listener *listener)
{
    int64_t now_us = mono_us();
    forgive_stall(listener, now_us);
    peers_tick(listener, now_us);
    for (size_t i = listener->conns.count; i-- > 0;) {
        struct conn *conn = listener->conns.items[i];
        bool is_mute = !conn->peer && now_us - conn->opened_us > HELLO_US_MAX;
        if (is_mute || (!conn->waits_for_out && !write_conn(listener, conn)))
            conn_free(listener, conn);
    }
}

static void on_event(struct bt_listener *listener, const struct epoll_event *event)
{
    uint64_t number;
    struct conn *conn = event->data.ptr;
    if (conn) {
        bool is_alive = true;
        if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            is_alive = read_conn(listener, conn);
        if (is_alive && (event->events & EPOLLOUT))
            is_alive = write_conn(listener, conn);
        if (!is_alive)
            conn_free(listener, conn);
        return;
    }
    if (read(listener->wake_fd, &number, sizeof number) < 0) {
        /* It was not the wake-up but a new connection. */
    }
    accept_all(listener);
}

static void *thread_main(void *data)
{
    struct bt_listener *listener = data;
    struct epoll_event events[EVENTS_PER_TURN];
    (void)pthread_setname_np(pthread_self(), "bt-listener"); /* Cosmetic. */
    for (;;) {
        int count = epoll_wait(listener->epoll_fd, events, EVENTS_PER_TURN, TICK_MS);
        lock(listener);
        listener->is_awake = false;
        bool is_stopping = listener->is_stopping;
        unlock(listener);
        if (is_stopping)
            return NULL;
        for (int i = 0; i < count; i++)
            on_event(listener, &events[i]);
        tick(listener);
    }
}

/* --- Starting and stopping ----------------------------------------------------------------------
 */

static void listener_free(struct bt_listener *listener)
{
    const int fds[] = {listener->listen_fd, listener->epoll_fd, listener->wake_fd};
    for (size_t i = 0; i < BT_COUNT(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    bt_vec_done(&listener->conns);
    bt_vec_done(&listener->peers);
    (void)pthread_mutex_destroy(&listener->lock);
    (void)pthread_cond_destroy(&listener->transfers_changed);
    (void)pthread_cond_destroy(&listener->reports_changed);
    free(listener->chunk);
    free(listener->token);
    free(listener);
}

static int open_sockets(struct bt_listener *listener, struct bt_err *err)
{
    BT_TRY(
        bt_address_listen(listener->config.address, &listener->listen_fd, listener->address, err));
    listener->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listener->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int flags = fcntl(listener->listen_fd, F_GETFL);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (listener->epoll_fd < 0 || listener->wake_fd < 0 || flags < 0 ||
        fcntl(listener->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        epoll_ctl(listener->epoll_fd, EPOLL_CTL_ADD, listener->listen_fd, &event) < 0 ||
        epoll_ctl(listener->epoll_fd, EPOLL_CTL_ADD, listener->wake_fd, &event) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot set up the workers' socket");
    return BT_OK;
}

static int start_threads(struct bt_listener *listener, struct bt_err *err)
{
    int rc = pthread_create(&listener->report_thread, NULL, report_main, listener);
    listener->has_report_thread = rc == 0;
    if (rc == 0)
        rc = pthread_create(&listener->thread, NULL, thread_main, listener);
    listener->has_thread = rc == 0;
    return rc == 0 ? BT_OK : bt_fail_errno(err, BT_IO, rc, "cannot start the workers' thread");
}

int bt_listener_start(const struct bt_listener_config *config, struct bt_listener **ret_listener,
                      struct bt_err *err)
{
    struct bt_listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return bt_fail_mem(err, "listener");
    listener->config = *config;
    listener->config.heartbeat_ms = config->heartbeat_ms ? config->heartbeat_ms : 1000;
    listener->config.lost_ms = config->lost_ms ? config->lost_ms : 5000;
    listener->listen_fd = listener->epoll_fd = listener->wake_fd = -1;
    listener->started_us = listener->ticked_us = mono_us();
    listener->last_report = &listener->first_report;
    (void)pthread_mutex_init(&listener->lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_cond_init(&listener->transfers_changed, NULL);
    (void)pthread_cond_init(&listener->reports_changed, NULL);
    bt_hub_expect(config->hub, true); /* Workers may come for a while. */
    listener->token = bt_str_dup(bt_str_of(config->token));
    listener->chunk = malloc(READ_BYTES);
    int rc = listener->token && listener->chunk ? open_sockets(listener, err)
                                                : bt_fail_mem(err, "listener");
    if (rc == BT_OK)
        rc = start_threads(listener, err);
    if (rc < 0) {
        bt_listener_stop(listener);
        return rc;
    }
    *ret_listener = listener;
    return BT_OK;
}

const char *bt_listener_address(const struct bt_listener *listener)
{
    return listener->address;
}

struct bt_listener *bt_listener_stop(struct bt_listener *listener)
{
    if (!listener)
        return NULL;
    lock(listener);
    listener->is_stopping = true;
    (void)pthread_cond_broadcast(&listener->reports_changed);
    if (listener->wake_fd >= 0)
        listener_wake(listener);
    unlock(listener);
    if (listener->has_thread)
        (void)pthread_join(listener->thread, NULL);
    if (listener->has_report_thread)
        (void)pthread_join(listener->report_thread, NULL);
    while (listener->conns.count)
        conn_free(listener, listener->conns.items[0]);
    peers_done(listener);
    reports_done(listener);
    files_done(listener);
    listener_free(listener);
    return NULL;
}
