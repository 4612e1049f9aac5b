/* pool.c — The host processes of a worker. Must never hand the descriptors of one to another: each
 * has its own socket and pipes, closed when its processes are gone. */
#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "worker/host/child.h"
#include "worker/host/sandbox.h"
#include "worker/host/slot_host.h"
#include "worker/worker_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOSTS_PER_SLOT = 3, SOCKET_BYTES = 1 << 20 };

/* Before the warden's own constructor, which may never return. */
__attribute__((constructor(500))) static void set_child(void)
{
    bt_warden_child = bt_host_child;
}

uint32_t host_ward(const struct host *host)
{
    return host->worker->config.slots + host->index;
}

int hosts_init(struct bt_worker *worker, struct bt_err *err)
{
    BT_TRY(bt_sandbox_wanted(&worker->sandbox, err));
    if (bt_sandbox_missing(worker->sandbox))
        return bt_fail(err, BT_UNAVAILABLE, "BATON_SANDBOX: %s",
                       bt_sandbox_missing(worker->sandbox));
    worker->host_count = HOSTS_PER_SLOT * worker->config.slots;
    worker->hosts = calloc(worker->host_count, sizeof *worker->hosts);
    if (!worker->hosts)
        return bt_fail_mem(err, "plugin hosts");
    for (uint32_t i = 0; i < worker->host_count; i++) {
        struct host *host = &worker->hosts[i];
        host->worker = worker;
        host->index = i;
        for (int k = 0; k < HOST_FDS; k++)
            host->fds[k] = -1;
    }
    return BT_OK;
}

void hosts_done(struct bt_worker *worker)
{
    for (uint32_t i = 0; worker->hosts && i < worker->host_count; i++)
        host_forget(&worker->hosts[i]);
    free(worker->hosts);
    worker->hosts = NULL;
}

void host_forget(struct host *host)
{
    for (int k = 0; k < HOST_FDS; k++)
        bt_fd_close(&host->fds[k]); /* This takes it out of the epoll set. */
    bt_frames_done(&host->frames);
    bt_buf_done(&host->out);
    host->out_at = 0;
    host_drop_dir(host);
    host->state = HOST_FREE;
    host->slot = NULL;
}

void hosts_lose(struct bt_worker *worker)
{
    for (uint32_t i = 0; i < worker->host_count; i++) {
        if (worker->hosts[i].state != HOST_BUSY) /* Those are the slots' to tell and to forget. */
            host_forget(&worker->hosts[i]);
    }
}

/* --- Starting --------------------------------------------------------------------------------- */

static uint64_t mark_of(const struct host *host, int which)
{
    return HOST_MARK + (uint64_t)host->index * HOST_FDS + (uint64_t)which;
}

static int watch(struct host *host, int which, uint32_t events, struct bt_err *err)
{
    struct epoll_event event = {.events = events, .data.u64 = mark_of(host, which)};
    if (epoll_ctl(host->worker->epoll, EPOLL_CTL_ADD, host->fds[which], &event) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot watch a plugin host");
    return BT_OK;
}

static int open_pipe(struct host *host, int which, int *ret_theirs, struct bt_err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make a pipe");
    host->fds[which] = fds[0];
    *ret_theirs = fds[1];
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make a pipe");
    return watch(host, which, EPOLLIN, err);
}

static int open_socket(struct host *host, int *ret_theirs, struct bt_err *err)
{
    int pair[2];
    int bytes = SOCKET_BYTES;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make a socket for a plugin host");
    host->fds[HOST_SOCKET] = pair[0];
    *ret_theirs = pair[1];
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes); /* Only speed. */
    host->watched = EPOLLIN;
    return watch(host, HOST_SOCKET, EPOLLIN, err);
}

static int start_host(struct host *host, struct bt_err *err)
{
    struct bt_worker *worker = host->worker;
    const struct bt_plugin_info *plugin = host->plugin;
    BT_FD out = -1;
    BT_FD error = -1;
    BT_FD socket = -1;
    BT_TRY(worker_warden(worker, err));
    BT_TRY(open_pipe(host, HOST_PIPE_OUT, &out, err));
    BT_TRY(open_pipe(host, HOST_PIPE_ERR, &error, err));
    BT_TRY(open_socket(host, &socket, err));
    bt_frames_init(&host->frames, plugin->is_executable);
    host->out = (struct bt_buf)BT_BUF_INIT(2 * (size_t)BT_HOST_MESSAGE_MAX);
    char sandbox[16];
    (void)snprintf(sandbox, sizeof sandbox, "%u", plugin->sandbox | worker->sandbox); /* Fits. */
    const char *argv[CHILD_ARG_COUNT + 1] = {
        [CHILD_ARG_NAME] = "bt-host",    [CHILD_ARG_PLUGIN] = plugin->name,
        [CHILD_ARG_FILE] = plugin->file, [CHILD_ARG_EXECUTABLE] = plugin->is_executable ? "1" : "0",
        [CHILD_ARG_DIR] = worker->dir,   [CHILD_ARG_SANDBOX] = sandbox,
    };
    struct bt_command command = {
        .id = host_ward(host),
        .argv = argv,
        .dir = host->slot->work_dir,
        .out_fd = out,
        .err_fd = error,
        .in_fd = socket,
        .is_reaper = !plugin->is_executable, /* See has_children() in child.c. */
    };
    return bt_warden_fork(worker->warden, &command, err);
}

void host_end(struct host *host)
{
    struct bt_err err = BT_ERR_INIT;
    if (host->state != HOST_IDLE)
        return;
    host->state = HOST_ENDING;
    if (bt_warden_end(host->worker->warden, host_ward(host), &err) < 0)
        lose_warden(host->worker, &err);
}

static struct host *find_host(struct bt_worker *worker, enum host_state state,
                              const struct bt_plugin_info *plugin)
{
    for (uint32_t i = 0; i < worker->host_count; i++) {
        struct host *host = &worker->hosts[i];
        if (host->state == state && (!plugin || host->plugin == plugin))
            return host;
    }
    return NULL;
}

struct host *host_next(struct bt_worker *worker, const struct bt_plugin_info *plugin)
{
    return plugin->is_reused ? find_host(worker, HOST_IDLE, plugin) : NULL;
}

bool hosts_have_free(const struct bt_worker *worker)
{
    for (uint32_t i = 0; i < worker->host_count; i++)
        if (worker->hosts[i].state == HOST_FREE)
            return true;
    return false;
}

int host_acquire(struct slot *slot, const struct bt_plugin_info *plugin, struct host **ret_host,
                 struct bt_err *err)
{
    struct bt_worker *worker = slot->worker;
    struct host *host = host_next(worker, plugin);
    if (host) {
        host->state = HOST_BUSY;
        host->slot = slot;
        *ret_host = host;
        return BT_OK;
    }
    host = find_host(worker, HOST_FREE, NULL);
    if (!host) {
        struct host *idle = find_host(worker, HOST_IDLE, NULL);
        if (idle)
            host_end(idle);
        return bt_fail(err, BT_BUSY, "no plugin host is free: too many of them are ending");
    }
    host->state = HOST_BUSY;
    host->slot = slot;
    host->plugin = plugin;
    host->tasks = 0;
    host->is_paused = false;
    int rc = start_host(host, err);
    if (rc < 0) {
        host_forget(host);
        return rc;
    }
    *ret_host = host;
    return BT_OK;
}

/* --- Idle hosts ------------------------------------------------------------------------------- */

static void on_idle_timer(uv_timer_t *timer)
{
    struct bt_worker *worker = timer->data;
    bool has_idle = false;
    for (uint32_t i = 0; i < worker->host_count; i++) {
        struct host *host = &worker->hosts[i];
        if (host->state != HOST_IDLE)
            continue;
        if (uv_now(&worker->loop) - host->idle_since_ms >= BT_HOST_IDLE_MS)
            host_end(host);
        else
            has_idle = true;
    }
    if (!has_idle)
        (void)uv_timer_stop(timer); /* Never fails. */
}

static void end_oldest(struct bt_worker *worker)
{
    struct host *oldest = NULL;
    unsigned count = 0;
    for (uint32_t i = 0; i < worker->host_count; i++) {
        struct host *host = &worker->hosts[i];
        if (host->state != HOST_IDLE)
            continue;
        count++;
        if (!oldest || host->idle_since_ms < oldest->idle_since_ms)
            oldest = host;
    }
    if (count > worker->config.slots)
        host_end(oldest);
}

void host_release(struct host *host)
{
    struct bt_worker *worker = host->worker;
    assert(host->state == HOST_BUSY);
    host->state = HOST_IDLE;
    host->slot = NULL;
    host->idle_since_ms = uv_now(&worker->loop);
    if (!uv_is_active((uv_handle_t *)&worker->host_timer))
        (void)uv_timer_start(&worker->host_timer, on_idle_timer, BT_HOST_IDLE_MS / 4,
                             BT_HOST_IDLE_MS / 4); /* Has a callback. */
    end_oldest(worker);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void update_watch(struct host *host)
{
    bool has_rest = host->out.len > host->out_at;
    uint32_t events = (host->is_paused ? 0u : EPOLLIN) | (has_rest ? EPOLLOUT : 0u);
    if (events == host->watched || host->fds[HOST_SOCKET] < 0)
        return;
    struct epoll_event event = {.events = events, .data.u64 = mark_of(host, HOST_SOCKET)};
    int rc = epoll_ctl(host->worker->epoll, EPOLL_CTL_MOD, host->fds[HOST_SOCKET], &event);
    assert(rc == 0); /* It is in the set. */
    host->watched = events;
}

void host_pause(struct host *host, bool is_paused)
{
    host->is_paused = is_paused;
    update_watch(host);
}

/* Bytes sent (0: none now), or -1: nobody reads them. */
static ssize_t send_some(struct host *host, struct bt_str bytes, int fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(void *)(uintptr_t)bytes.at, bytes.len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
    }
    ssize_t sent;
    do {
        sent = sendmsg(host->fds[HOST_SOCKET], &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

int host_flush(struct host *host, struct bt_err *err)
{
    while (host->out_at < host->out.len) {
        ssize_t sent =
            send_some(host, bt_str_slice(bt_buf_str(&host->out), host->out_at, host->out.len), -1);
        if (sent < 0)
            return bt_fail_errno(err, BT_CONFLICT, errno, "the plugin '%s' does not read",
                                 host->plugin->name);
        if (sent == 0)
            break;
        host->out_at += (size_t)sent;
    }
    if (host->out_at == host->out.len) {
        bt_buf_clear(&host->out);
        host->out_at = 0;
    }
    update_watch(host);
    return BT_OK;
}

int host_send(struct host *host, struct bt_str text, int fd, struct bt_err *err)
{
    bool is_lines = host->plugin->is_executable;
    size_t begin = bt_frame_begin(is_lines, &host->out);
    (void)bt_buf_add(&host->out, text); /* Checked below. */
    bt_frame_end(is_lines, &host->out, begin);
    BT_TRY(bt_buf_check(&host->out, "a message to a plugin", err));
    bool is_alone = host->out_at == 0 && begin <= BT_FRAME_HEADER;
    if (fd >= 0) {
        /* It asked and waits, so that nothing else is on its way. */
        ssize_t sent = is_alone ? send_some(host, bt_buf_str(&host->out), fd) : 0;
        if (sent <= 0)
            return bt_fail(err, BT_CONFLICT, "the plugin '%s' asked without waiting for an answer",
                           host->plugin->name);
        host->out_at = (size_t)sent;
    }
    return host_flush(host, err);
}

/* --- Events ----------------------------------------------------------------------------------- */

/* An idle host has nothing to say: output is thrown away, anything else ends it. */
static void on_idle_ready(struct host *host, int which)
{
    char bytes[4096];
    ssize_t got = which == HOST_SOCKET ? 0 : read(host->fds[which], bytes, sizeof bytes);
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    bt_fd_close(&host->fds[which]);
    if (host->state == HOST_IDLE && !(which != HOST_SOCKET && host->plugin->is_executable))
        host_end(host);
}

void hosts_on_ready(struct bt_worker *worker, uint64_t mark, uint32_t events)
{
    uint64_t number = mark & (HOST_MARK - 1);
    assert(number / HOST_FDS < worker->host_count);
    struct host *host = &worker->hosts[number / HOST_FDS];
    int which = (int)(number % HOST_FDS);
    if (host->fds[which] < 0)
        return; /* Closed by an event before this one. */
    if (host->state != HOST_BUSY)
        on_idle_ready(host, which);
    else if (which == HOST_SOCKET)
        slot_host_on_socket(host->slot, events);
    else
        slot_host_on_output(host->slot, which);
}

void hosts_on_event(struct bt_worker *worker, const struct bt_warden_event *event)
{
    uint32_t index = event->id - worker->config.slots;
    assert(index < worker->host_count);
    struct host *host = &worker->hosts[index];
    if (host->state == HOST_BUSY) {
        slot_host_on_event(host->slot, event);
        return;
    }
    bool is_gone = event->kind != BT_WARDEN_EXITED || event->is_clean;
    if (is_gone && host->state != HOST_FREE)
        host_forget(host);
    else if (host->state == HOST_IDLE)
        host_end(host); /* What it left behind goes too. */
}
