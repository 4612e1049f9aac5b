/* listen.c — Connections of remote workers. Never blocks: a slow worker fills its own buffer only,
 * and is cut off when that is full. */
#include "worker/remote/listen_int.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 100, STALL_US_MIN = 150000, READ_BYTES = 256 << 10, LINES_MAX = 4096 };
#define HELLO_US_MAX 5000000
#define OUT_BYTES_MAX (64u << 20)

static int64_t mono_us(void)
{
    return bt_clock_mono_us(bt_clock_system());
}

static void lock(struct bt_listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock); /* Cannot fail on a default mutex. */
}

static void unlock(struct bt_listener *listener)
{
    (void)pthread_mutex_unlock(&listener->lock); /* As above. */
}

static void wake(struct bt_listener *listener)
{
    uint64_t one = 1;
    if (write(listener->wake_fd, &one, sizeof one) < 0) {
        /* The counter is full: the thread is awake anyway. */
    }
}

struct bt_value *listener_welcome(const struct bt_listener *listener)
{
    BT_VALUE map = bt_map_new(3);
    int rc = bt_map_puts(map, "v", bt_value_int(BT_REMOTE_VERSION));
    rc |= bt_map_puts(map, "heartbeatMs", bt_value_int(listener->config.heartbeat_ms));
    rc |= bt_map_puts(map, "lostMs", bt_value_int(listener->config.lost_ms));
    return rc < 0 ? NULL : BT_TAKE(map);
}

/* --- Sending: any thread -----------------------------------------------------------------------
 */

/* Appends a frame to a connection's buffer. Under the mutex. Takes the value. */
static void queue_frame(struct conn *conn, enum bt_frame_type type, struct bt_value *value)
{
    if (bt_frame_add(&conn->out, type, value) < 0)
        conn->is_closing = true; /* Too slow, or too large a message: cut off. */
    bt_value_unref(value);
}

static void queue_flow(struct conn *conn, struct bt_flow *flow)
{
    for (size_t i = 0; i < conn->sent.count; i++)
        if (conn->sent.items[i] == flow)
            return;
    bt_vec_push(&conn->sent, bt_flow_ref(flow));
    queue_frame(conn, BT_FRAME_FLOW, bt_wire_flow(flow));
}

static void give_job(void *data, struct bt_job *job)
{
    struct peer *peer = data;
    lock(peer->listener);
    if (peer->conn) { /* Away: when it comes back without the job, the job is lost. */
        queue_flow(peer->conn, job->flow);
        queue_frame(peer->conn, BT_FRAME_JOB, bt_wire_job(job));
    }
    unlock(peer->listener);
    wake(peer->listener);
    bt_job_free(job);
}

static void kill_job(void *data, uint64_t token)
{
    struct peer *peer = data;
    lock(peer->listener);
    if (peer->conn)
        queue_frame(peer->conn, BT_FRAME_KILL, bt_frame_map1("token", bt_wire_token(token)));
    unlock(peer->listener);
    wake(peer->listener);
}

static void send_frame(struct bt_listener *listener, struct conn *conn, enum bt_frame_type type,
                       struct bt_value *value)
{
    lock(listener);
    queue_frame(conn, type, value);
    unlock(listener);
}

/* --- Connections: the listener's thread --------------------------------------------------------
 */

static void conn_free(struct bt_listener *listener, struct conn *conn)
{
    lock(listener);
    struct peer *peer = conn->peer && conn->peer->conn == conn ? conn->peer : NULL;
    if (peer)
        peer->conn = NULL;
    unlock(listener);
    if (peer && peer->member)
        bt_hub_away(peer->member, true);
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
        conn->in.max = BT_FRAME_BYTES_MAX + READ_BYTES;
        conn->out.max = OUT_BYTES_MAX;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        if (epoll_ctl(listener->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
            (void)close(fd);
            free(conn);
            continue;
        }
        bt_vec_push(&listener->conns, conn);
    }
}

static void refuse(struct bt_listener *listener, struct conn *conn, const char *message)
{
    send_frame(listener, conn, BT_FRAME_REFUSED, bt_frame_map1("message", bt_value_cstr(message)));
    conn->is_closing = true;
}

/* Compares without telling by its time where the first difference is. */
static bool same_secret(struct bt_str a, const char *b)
{
    size_t len = strlen(b);
    unsigned char differs = a.len != len;
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)((i < a.len ? a.at[i] : 0) ^ b[i]);
    return differs == 0;
}

static struct peer *find_peer(struct bt_listener *listener, struct bt_str id)
{
    for (size_t i = 0; i < listener->peers.count; i++)
        if (bt_str_is(id, listener->peers.items[i]->id))
            return listener->peers.items[i];
    return NULL;
}

/* What the worker says it runs, against what the hub says it holds. */
struct compare_ctx {
    const struct bt_value *running;
    BT_VEC(uint64_t) missing;
};

static bool lists_token(const struct bt_value *list, uint64_t token)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)token); /* Fits. */
    for (size_t i = 0; i < bt_value_count(list); i++)
        if (bt_str_is(bt_value_str(bt_list_at(list, i)), text))
            return true;
    return false;
}

static void compare_held(void *data, uint64_t token)
{
    struct compare_ctx *ctx = data;
    if (!lists_token(ctx->running, token))
        bt_vec_push(&ctx->missing, token);
}

/* A worker that was away is back: what it does not have any more is lost; what nobody waits for any
 * more is killed. */
static void reconcile(struct bt_listener *listener, struct conn *conn,
                      const struct bt_value *running)
{
    struct compare_ctx ctx = {.running = running};
    bt_hub_each_held(conn->peer->member, compare_held, &ctx);
    for (size_t i = 0; i < ctx.missing.count; i++)
        bt_hub_give_back(conn->peer->member, ctx.missing.items[i]);
    bt_vec_done(&ctx.missing);
    for (size_t i = 0; i < bt_value_count(running); i++) {
        BT_VALUE entry = bt_frame_map1("token", bt_value_ref(bt_list_at(running, i)));
        uint64_t token = bt_wire_read_token(entry);
        if (token && !bt_hub_holds(conn->peer->member, token) &&
            !bt_hub_adopt(conn->peer->member, token))
            send_frame(listener, conn, BT_FRAME_KILL, bt_frame_map1("token", bt_wire_token(token)));
    }
}

static void attach(struct bt_listener *listener, struct conn *conn, struct peer *peer)
{
    lock(listener);
    if (peer->conn) { /* The old connection is dead, it only does not know it yet. */
        peer->conn->is_closing = true;
        peer->conn->peer = NULL;
    }
    peer->conn = conn;
    conn->peer = peer;
    unlock(listener);
    peer->heard_us = mono_us();
}

static void hello_worker(struct bt_listener *listener, struct conn *conn,
                         const struct bt_value *hello)
{
    static const struct bt_member_ops ops = {give_job, kill_job};
    struct bt_str id = bt_map_str(hello, "id"), group = bt_map_str(hello, "group");
    int64_t slots = bt_value_as_int(bt_map_gets(hello, "slots"));
    if (id.len == 0 || id.len >= WORKER_ID_SIZE || group.len > 60 || slots < 1 || slots > 10000) {
        refuse(listener, conn, "HELLO lacks an id, or its group or slots are out of range");
        return;
    }
    struct peer *peer = find_peer(listener, id);
    send_frame(listener, conn, BT_FRAME_WELCOME, listener_welcome(listener));
    if (peer) {
        bt_hub_away(peer->member, true); /* No new job comes between what it says and the answer. */
        attach(listener, conn, peer);
        reconcile(listener, conn, bt_map_gets(hello, "running"));
        bt_hub_away(peer->member, false);
        return;
    }
    peer = calloc(1, sizeof *peer);
    char name[64];
    if (!peer)
        bt_die("out of memory");
    peer->listener = listener;
    memcpy(peer->id, id.at, id.len);
    (void)snprintf(name, sizeof name, "%.*s", (int)group.len, group.len ? group.at : "");
    attach(listener, conn, peer);
    bt_vec_push(&listener->peers, peer);
    peer->member = bt_hub_join(listener->config.hub, name, (unsigned)slots, &ops, peer);
    if (!peer->member)
        bt_die("out of memory");
    reconcile(listener, conn, bt_map_gets(hello, "running"));
    bt_hub_away(peer->member, false);
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

static void on_hello(struct bt_listener *listener, struct conn *conn, const struct bt_frame *frame)
{
    BT_VALUE hello = NULL;
    if (frame->type != BT_FRAME_HELLO || bt_frame_value(frame, &hello, NULL) < 0) {
        refuse(listener, conn, "the first message must be HELLO");
        return;
    }
    char text[160];
    int64_t version = bt_value_as_int(bt_map_gets(hello, "v"));
    if (version != BT_REMOTE_VERSION) {
        (void)snprintf(text, sizeof text,
                       "this server speaks version %d of the worker protocol, the worker %lld; use "
                       "the same version of Baton on both",
                       BT_REMOTE_VERSION, (long long)version);
        refuse(listener, conn, text);
    } else if (!same_secret(bt_map_str(hello, "token"), listener->token)) {
        refuse(listener, conn,
               "the token is wrong; it is in the file worker.token of the "
               "server's data directory");
    } else if (bt_str_is(bt_map_str(hello, "role"), "files")) {
        hello_files(listener, conn);
    } else {
        hello_worker(listener, conn, hello);
    }
}

static void on_logs(struct conn *conn, const struct bt_value *message)
{
    struct bt_log_line *lines = malloc(LINES_MAX * sizeof *lines);
    if (!lines)
        bt_die("out of memory");
    size_t count = bt_wire_read_logs(message, lines, LINES_MAX);
    if (count)
        (void)bt_hub_logs(conn->peer->member, bt_wire_read_token(message), lines, count);
    free(lines);
}

static void on_result(struct bt_listener *listener, struct conn *conn,
                      const struct bt_value *message)
{
    struct bt_job_result result;
    uint64_t token = bt_wire_read_token(message);
    if (bt_wire_read_result(message, &result, NULL) == BT_OK)
        (void)bt_hub_result(conn->peer->member, &result); /* False: it came late. */
    send_frame(listener, conn, BT_FRAME_ACK, bt_frame_map1("token", bt_wire_token(token)));
}

static void on_frame(struct bt_listener *listener, struct conn *conn, const struct bt_frame *frame)
{
    if (!conn->peer) {
        on_hello(listener, conn, frame);
        return;
    }
    conn->peer->heard_us = mono_us();
    BT_VALUE message = NULL;
    if (bt_frame_value(frame, &message, NULL) < 0) {
        refuse(listener, conn, "a message is not readable");
        return;
    }
    struct bt_member *member = conn->peer->member;
    uint64_t token = bt_wire_read_token(message);
    switch (frame->type) {
    case BT_FRAME_HEARTBEAT: send_frame(listener, conn, BT_FRAME_HEARTBEAT, NULL); return;
    case BT_FRAME_STARTED:
        (void)bt_hub_started(member, token, bt_value_as_int(bt_map_gets(message, "at")));
        return;
    case BT_FRAME_LOGS: on_logs(conn, message); return;
    case BT_FRAME_RESULT: on_result(listener, conn, message); return;
    case BT_FRAME_GIVE_BACK: bt_hub_give_back(member, token); return;
    case BT_FRAME_DRAIN: bt_hub_drain(member); return;
    default: refuse(listener, conn, "a message that a worker does not send"); return;
    }
}

/* False: the connection is over. */
static bool read_conn(struct bt_listener *listener, struct conn *conn)
{
    for (;;) {
        if (bt_buf_reserve(&conn->in, READ_BYTES) < 0)
            return false;
        ssize_t got = recv(conn->fd, conn->in.at + conn->in.len, READ_BYTES, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (got <= 0)
            return false;
        conn->in.len += (size_t)got;
        if ((size_t)got < READ_BYTES)
            break;
    }
    struct bt_frame frame;
    size_t at = 0;
    int rc = BT_OK;
    while (!conn->is_closing && bt_frame_next(&conn->in, &at, &frame, &rc))
        on_frame(listener, conn, &frame);
    conn->in.len -= at;
    memmove(conn->in.at, conn->in.at + at, conn->in.len);
    return rc == BT_OK;
}

/* Sends what is there. False: the connection is over. */
static bool write_conn(struct bt_listener *listener, struct conn *conn)
{
    bool is_alive = true;
    lock(listener);
    size_t at = 0;
    while (at < conn->out.len) {
        ssize_t sent = send(conn->fd, conn->out.at + at, conn->out.len - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            is_alive = false;
        if (sent < 0)
            break;
        at += (size_t)sent;
    }
    conn->out.len -= at;
    if (conn->out.len)
        memmove(conn->out.at, conn->out.at + at, conn->out.len);
    bool is_waiting = conn->out.len > 0;
    is_alive = is_alive && conn->out.failed == BT_OK && (is_waiting || !conn->is_closing);
    unlock(listener);
    struct epoll_event event = {.events = EPOLLIN | (is_waiting ? EPOLLOUT : 0u), .data.ptr = conn};
    if (conn->fd >= 0)
        (void)epoll_ctl(listener->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event); /* It is there. */
    return is_alive;
}

static void peer_free(struct bt_listener *listener, struct peer *peer)
{
    for (size_t i = 0; i < listener->peers.count; i++) {
        if (listener->peers.items[i] != peer)
            continue;
        listener->peers.items[i] = listener->peers.items[--listener->peers.count];
        break;
    }
    bt_hub_leave(peer->member); /* After it no give or kill comes. */
    lock(listener);
    if (peer->conn) {
        peer->conn->peer = NULL;
        peer->conn->is_closing = true;
    }
    unlock(listener);
    free(peer);
}

/* While this thread stood still (a slow disk, a stopped machine) nobody could be heard: that time
 * is no silence of the workers. */
static void forgive_stall(struct bt_listener *listener, int64_t now_us)
{
    int64_t stall_us = now_us - listener->ticked_us - STALL_US_MIN;
    listener->ticked_us = now_us;
    if (stall_us <= 0)
        return;
    listener->started_us += stall_us;
    for (size_t i = 0; i < listener->peers.count; i++) {
        struct peer *peer = listener->peers.items[i];
        peer->heard_us = peer->heard_us + stall_us < now_us ? peer->heard_us + stall_us : now_us;
    }
}

/* Lost workers, connections that never said HELLO, and everything that has output. */
static void tick(struct bt_listener *listener)
{
    int64_t now_us = mono_us();
    forgive_stall(listener, now_us);
    if (!listener->has_expired &&
        now_us - listener->started_us > (int64_t)listener->config.lost_ms * 1000) {
        listener->has_expired = true;
        bt_hub_expire_orphans(listener->config.hub);
    }
    for (size_t i = listener->peers.count; i-- > 0;)
        if (now_us - listener->peers.items[i]->heard_us > (int64_t)listener->config.lost_ms * 1000)
            peer_free(listener, listener->peers.items[i]);
    for (size_t i = listener->conns.count; i-- > 0;) {
        struct conn *conn = listener->conns.items[i];
        bool is_mute = !conn->peer && now_us - conn->opened_us > HELLO_US_MAX;
        if (is_mute || !write_conn(listener, conn))
            conn_free(listener, conn);
    }
}

static void on_event(struct bt_listener *listener, const struct epoll_event *event)
{
    uint64_t number;
    struct conn *conn = event->data.ptr;
    if (conn) {
        if ((event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !read_conn(listener, conn))
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
    struct epoll_event events[64];
    for (;;) {
        int count = epoll_wait(listener->epoll_fd, events, 64, TICK_MS);
        lock(listener);
        bool is_stopping = listener->is_stopping;
        unlock(listener);
        if (is_stopping)
            return NULL;
        for (int i = 0; i < count; i++)
            on_event(listener, &events[i]);
        tick(listener);
    }
}

/* --- Starting and stopping ---------------------------------------------------------------------
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
    (void)pthread_cond_destroy(&listener->files_done);
    free(listener->token);
    free(listener);
}

static int open_all(struct bt_listener *listener, struct bt_err *err)
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
    int rc = pthread_create(&listener->thread, NULL, thread_main, listener);
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
    (void)pthread_mutex_init(&listener->lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_cond_init(&listener->files_done, NULL);
    listener->token = bt_str_dup(bt_str_of(config->token));
    int rc = listener->token ? open_all(listener, err) : bt_fail_mem(err, "listener");
    if (rc < 0) {
        listener_free(listener);
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
    unlock(listener);
    wake(listener);
    (void)pthread_join(listener->thread, NULL);
    while (listener->peers.count)
        peer_free(listener, listener->peers.items[0]);
    while (listener->conns.count)
        conn_free(listener, listener->conns.items[0]);
    lock(listener);
    while (listener->file_threads) /* Their sockets have timeouts. */
        (void)pthread_cond_wait(&listener->files_done, &listener->lock);
    unlock(listener);
    listener_free(listener);
    return NULL;
}
