/* client.c — The worker's side of the stream.
 *
 * The client's thread reads and keeps the connection; the worker's thread reports through the sink.
 * What must not be lost (results) is kept until the server says ACK, and sent again after a new
 * connection. The lease: the server gives a worker up `lost_ms` after its last word; here
 * everything is killed somewhat before that, counted from the sending of the last heartbeat that
 * was answered, so no attempt lives twice. */
#include "worker/remote/client.h"

#include "base/vec.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "worker/remote/address.h"
#include "worker/remote/frame.h"
#include "worker/remote/remote_files.h"
#include "worker/remote/wire.h"
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_MS = 3000, RETRY_MS = 300, LEASE_TICK_MS = 30 };

struct running {
    uint64_t token;
    struct bt_value *result; /* The RESULT message, once it has ended; else NULL. */
    bool is_dropped;         /* Killed by the fence: its result is of no interest. */
};

struct bt_client {
    struct bt_client_config config;
    char *address, *token, *group;
    char id[40];
    struct bt_files *files;
    struct bt_worker *worker;
    pthread_t thread, fence_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the mutex: */
    int fd; /* -1: not connected. */
    bool is_draining, is_stopping, has_ended;
    struct bt_err end;
    BT_VEC(struct running) running;
    /* Of the client's thread: */
    BT_VEC(struct bt_flow *) flows;
    BT_VEC(char *) flow_keys;
    int64_t heartbeat_us, sent_us;
    /* Of both threads: */
    _Atomic int64_t lost_us, lease_us;
    _Atomic bool is_fence_over;
};

static int64_t mono_us(void)
{
    return bt_clock_mono_us(bt_clock_system());
}

/* Whatever runs here may be running elsewhere soon. */
static bool is_lease_over(struct bt_client *client)
{
    int64_t lost_us = client->lost_us,
            margin_us = lost_us / 3; /* Killing and the ticks take time. */
    return lost_us && mono_us() - client->lease_us > lost_us - margin_us;
}

static void lock(struct bt_client *client)
{
    (void)pthread_mutex_lock(&client->lock); /* Cannot fail on a default mutex. */
}

static void unlock(struct bt_client *client)
{
    (void)pthread_cond_broadcast(&client->changed);
    (void)pthread_mutex_unlock(&client->lock);
}

static void note(struct bt_client *client, const char *text)
{
    if (client->config.note)
        client->config.note(client->config.data, text);
}

/* --- Sending -----------------------------------------------------------------------------------
 */

/* Sends a frame when connected; a failure is seen by the reading thread. Takes the value. Under the
 * mutex, so frames never mix. */
static void send_locked(struct bt_client *client, enum bt_frame_type type, struct bt_value *value)
{
    if (client->fd >= 0 && bt_frame_send(client->fd, type, value, NULL) < 0)
        (void)shutdown(client->fd, SHUT_RDWR); /* The reader closes it. */
    bt_value_unref(value);
}

static void send_now(struct bt_client *client, enum bt_frame_type type, struct bt_value *value)
{
    lock(client);
    send_locked(client, type, value);
    unlock(client);
}

static struct running *find_running(struct bt_client *client, uint64_t token)
{
    for (size_t i = 0; i < client->running.count; i++)
        if (client->running.items[i].token == token)
            return &client->running.items[i];
    return NULL;
}

static void forget(struct bt_client *client, struct running *entry)
{
    bt_value_unref(entry->result);
    *entry = client->running.items[--client->running.count];
}

/* --- The worker's reports: its thread ----------------------------------------------------------
 */

static void on_started(void *data, const struct bt_job *job, int64_t at_us)
{
    BT_VALUE map = bt_map_new(2);
    int rc = bt_map_puts(map, "token", bt_wire_token(job->token));
    rc |= bt_map_puts(map, "at", bt_value_int(at_us));
    if (rc == BT_OK)
        send_now(data, BT_FRAME_STARTED, BT_TAKE(map));
}

/* Lines wait for the connection, which slows the task down instead of losing them; when the lease
 * is over the task is killed anyway. */
static void on_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                    size_t count)
{
    struct bt_client *client = data;
    struct bt_value *message = bt_wire_logs(job->token, lines, count);
    lock(client);
    const struct running *entry = find_running(client, job->token);
    while (client->fd < 0 && !client->is_stopping && entry && !entry->is_dropped) {
        (void)pthread_cond_wait(&client->changed, &client->lock);
        entry = find_running(client, job->token);
    }
    send_locked(client, BT_FRAME_LOGS, message);
    unlock(client);
}

static void on_result(void *data, struct bt_job_result *result)
{
    struct bt_client *client = data;
    lock(client);
    struct running *entry = find_running(client, result->token);
    if (entry && entry->is_dropped) { /* Now it is dead: it may run elsewhere. */
        forget(client, entry);
        send_locked(client, BT_FRAME_GIVE_BACK,
                    bt_frame_map1("token", bt_wire_token(result->token)));
    } else if (entry) {
        entry->result = bt_wire_result(result);
        send_locked(client, BT_FRAME_RESULT, bt_value_ref(entry->result));
    }
    unlock(client);
    bt_job_result_done(result);
}

/* --- The server's messages: the client's thread ------------------------------------------------
 */

static void keep_flow(struct bt_client *client, const struct bt_value *message)
{
    struct bt_flow *flow = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (bt_wire_read_flow(message, &flow, &err) < 0) {
        note(client, err.msg);
        return;
    }
    char *key = bt_str_dup(bt_map_str(message, "flow"));
    if (!key)
        bt_die("out of memory");
    bt_vec_push(&client->flow_keys, key);
    bt_vec_push(&client->flows, flow);
}

static struct bt_flow *find_flow(struct bt_client *client, struct bt_str key)
{
    for (size_t i = client->flows.count; i-- > 0;)
        if (bt_str_is(key, client->flow_keys.items[i]))
            return client->flows.items[i];
    return NULL;
}

static void take_job(struct bt_client *client, const struct bt_value *message)
{
    struct bt_flow *flow = find_flow(client, bt_map_str(message, "flow"));
    struct bt_job *job = NULL;
    struct bt_err err = BT_ERR_INIT;
    int rc = flow ? bt_wire_read_job(message, flow, &job, &err)
                  : bt_fail(&err, BT_CORRUPT, "a job of a flow that is not known here");
    uint64_t token = bt_wire_read_token(message);
    if (rc < 0) {
        struct bt_job_result result = {.token = token, .state = BT_FAILED, .error = err.msg};
        result.started_us = result.ended_us = bt_clock_wall_us(bt_clock_system());
        send_now(client, BT_FRAME_RESULT, bt_wire_result(&result));
        return;
    }
    lock(client);
    bool is_refused = client->is_draining || is_lease_over(client);
    if (!is_refused) { /* Both at once: what the fence finds it can kill. */
        bt_vec_push(&client->running, ((struct running){.token = token}));
        bt_worker_submit(client->worker, job);
    }
    unlock(client);
    if (is_refused) {
        send_now(client, BT_FRAME_GIVE_BACK, bt_frame_map1("token", bt_wire_token(token)));
        bt_job_free(job);
    }
}

static void on_ack(struct bt_client *client, uint64_t token)
{
    lock(client);
    struct running *entry = find_running(client, token);
    if (entry && entry->result)
        forget(client, entry);
    unlock(client);
}

static void on_frame(struct bt_client *client, const struct bt_frame *frame)
{
    BT_VALUE message = NULL;
    if (bt_frame_value(frame, &message, NULL) < 0)
        return;
    switch (frame->type) {
    case BT_FRAME_HEARTBEAT: client->lease_us = client->sent_us; return;
    case BT_FRAME_FLOW: keep_flow(client, message); return;
    case BT_FRAME_JOB: take_job(client, message); return;
    case BT_FRAME_KILL: bt_worker_kill(client->worker, bt_wire_read_token(message)); return;
    case BT_FRAME_ACK: on_ack(client, bt_wire_read_token(message)); return;
    default: return; /* A newer server's word. */
    }
}

/* --- The connection ----------------------------------------------------------------------------
 */

static struct bt_value *hello_value(struct bt_client *client)
{
    BT_VALUE hello = bt_map_new(8), *running = bt_list_new(0);
    int rc = bt_map_puts(hello, "v", bt_value_int(BT_REMOTE_VERSION));
    rc |= bt_map_puts(hello, "token", bt_value_cstr(client->token));
    rc |= bt_map_puts(hello, "role", bt_value_cstr("worker"));
    rc |= bt_map_puts(hello, "id", bt_value_cstr(client->id));
    rc |= bt_map_puts(hello, "group", bt_value_cstr(client->group));
    rc |= bt_map_puts(hello, "slots", bt_value_int(client->config.slots));
    lock(client);
    for (size_t i = 0; i < client->running.count; i++)
        rc |= bt_list_push(running, bt_wire_token(client->running.items[i].token));
    unlock(client);
    rc |= bt_map_puts(hello, "running", BT_TAKE(running));
    return rc < 0 ? NULL : BT_TAKE(hello);
}

static void drop_flows(struct bt_client *client)
{
    for (size_t i = 0; i < client->flows.count; i++) {
        bt_flow_unref(client->flows.items[i]);
        free(client->flow_keys.items[i]);
    }
    client->flows.count = client->flow_keys.count = 0;
}

/* Becomes connected: results that were not acknowledged are told again. */
static void go_online(struct bt_client *client, int fd)
{
    lock(client);
    client->fd = fd;
    for (size_t i = 0; i < client->running.count; i++)
        if (client->running.items[i].result)
            send_locked(client, BT_FRAME_RESULT, bt_value_ref(client->running.items[i].result));
    if (client->is_draining)
        send_locked(client, BT_FRAME_DRAIN, NULL);
    unlock(client);
    note(client, "connected");
}

/* BT_DENIED: the server does not want us. */
static int connect_once(struct bt_client *client, struct bt_buf *buf, struct bt_err *err)
{
    int fd = -1;
    struct bt_frame frame;
    BT_VALUE hello = hello_value(client), *welcome = NULL;
    BT_TRY(bt_address_connect(client->address, CONNECT_MS, &fd, err));
    int64_t sent_us = mono_us();
    int rc = bt_frame_send(fd, BT_FRAME_HELLO, hello, err);
    if (rc == BT_OK)
        rc = bt_frame_receive(fd, buf, &frame, err);
    if (rc == BT_OK)
        rc = bt_frame_value(&frame, &welcome, err);
    if (rc == BT_OK && frame.type != BT_FRAME_WELCOME)
        rc = bt_fail(err, BT_DENIED, "%.*s", BT_FMT(bt_map_str(welcome, "message")));
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    client->heartbeat_us = bt_value_as_int(bt_map_gets(welcome, "heartbeatMs")) * 1000;
    client->lease_us = client->sent_us = sent_us;
    client->lost_us = bt_value_as_int(bt_map_gets(welcome, "lostMs")) * 1000;
    drop_flows(client); /* The server sends them anew on each connection. */
    go_online(client, fd);
    return BT_OK;
}

static void go_offline(struct bt_client *client)
{
    lock(client);
    if (client->fd >= 0)
        (void)close(client->fd);
    client->fd = -1;
    unlock(client);
}

static void fence(struct bt_client *client)
{
    BT_VEC(uint64_t) tokens = {0};
    lock(client);
    for (size_t i = client->running.count; i-- > 0;) {
        struct running *entry = &client->running.items[i];
        if (entry->result) {
            forget(client, entry);
        } else if (!entry->is_dropped) {
            entry->is_dropped = true;
            bt_vec_push(&tokens, entry->token);
        }
    }
    unlock(client);
    for (size_t i = 0; i < tokens.count; i++)
        bt_worker_kill(client->worker, tokens.items[i]);
    if (tokens.count)
        note(client, "the server does not answer: what runs here is killed");
    bt_vec_done(&tokens);
}

static bool is_stopping(struct bt_client *client)
{
    lock(client);
    bool is_stopping = client->is_stopping;
    unlock(client);
    return is_stopping;
}

/* A thread of its own: the client's may wait for a connection or a full socket. */
static void *fence_main(void *data)
{
    struct bt_client *client = data;
    while (!client->is_fence_over) {
        (void)poll(NULL, 0, LEASE_TICK_MS);
        if (is_lease_over(client))
            fence(client);
    }
    return NULL;
}

/* Reads until the connection is lost or the client stops. */
static void stay_connected(struct bt_client *client, struct bt_buf *buf)
{
    int64_t heard_us = mono_us();
    while (!is_stopping(client)) {
        if (mono_us() - client->sent_us >= client->heartbeat_us) {
            client->sent_us = mono_us();
            send_now(client, BT_FRAME_HEARTBEAT, NULL);
        }
        struct pollfd poll_fd = {client->fd, POLLIN, 0};
        int ready = poll(&poll_fd, 1, (int)(client->heartbeat_us / 4000) + 1);
        if (ready == 0 && mono_us() - heard_us > client->lost_us)
            return;
        if (ready <= 0)
            continue;
        struct bt_frame frame;
        if (bt_frame_receive(client->fd, buf, &frame, NULL) < 0)
            return;
        heard_us = mono_us();
        on_frame(client, &frame);
    }
}

static void wait_for_retry(struct bt_client *client)
{
    for (int ms = 0; ms < RETRY_MS && !is_stopping(client); ms += LEASE_TICK_MS)
        (void)poll(NULL, 0, LEASE_TICK_MS);
}

static void *thread_main(void *data)
{
    struct bt_client *client = data;
    struct bt_buf buf = BT_BUF_INIT(BT_FRAME_BYTES_MAX + 64);
    bool was_told = false;
    while (!is_stopping(client)) {
        struct bt_err err = BT_ERR_INIT;
        int rc = connect_once(client, &buf, &err);
        if (rc == BT_DENIED) {
            lock(client);
            client->has_ended = true;
            client->end = err;
            unlock(client);
            break;
        }
        if (rc < 0) {
            if (!was_told)
                note(client, err.msg);
            was_told = true;
            wait_for_retry(client);
            continue;
        }
        was_told = false;
        stay_connected(client, &buf);
        go_offline(client);
        if (!is_stopping(client))
            note(client, "the connection is lost; connecting again");
    }
    bt_buf_done(&buf);
    return NULL;
}

static void stop_fence(struct bt_client *client)
{
    client->is_fence_over = true;
    (void)pthread_join(client->fence_thread, NULL);
}

/* --- Starting and stopping ---------------------------------------------------------------------
 */

static void client_free(struct bt_client *client)
{
    bt_files_close(client->files);
    drop_flows(client);
    bt_vec_done(&client->flows);
    bt_vec_done(&client->flow_keys);
    for (size_t i = 0; i < client->running.count; i++)
        bt_value_unref(client->running.items[i].result);
    bt_vec_done(&client->running);
    (void)pthread_mutex_destroy(&client->lock);
    (void)pthread_cond_destroy(&client->changed);
    free(client->address);
    free(client->token);
    free(client->group);
    free(client);
}

static int open_all(struct bt_client *client, struct bt_err *err)
{
    if (!client->address || !client->token || !client->group)
        return bt_fail_mem(err, "worker");
    BT_TRY(bt_files_open_remote(client->address, client->token, client->config.work_dir,
                                &client->files, err));
    struct bt_worker_config worker = {
        .slots = client->config.slots,
        .work_dir = client->config.work_dir,
        .files = client->files,
        .world = bt_world_remote(client->files),
        .clock = bt_clock_system(),
        .sink = {client, on_logs, on_started, on_result, NULL},
    };
    BT_TRY(bt_worker_start(&worker, &client->worker, err));
    int rc = pthread_create(&client->fence_thread, NULL, fence_main, client);
    if (rc == 0) {
        rc = pthread_create(&client->thread, NULL, thread_main, client);
        if (rc == 0)
            return BT_OK;
        stop_fence(client);
    }
    client->worker = bt_worker_stop(client->worker, true);
    return bt_fail_errno(err, BT_IO, rc, "cannot start the worker's thread");
}

int bt_client_start(const struct bt_client_config *config, struct bt_client **ret_client,
                    struct bt_err *err)
{
    struct bt_client *client = calloc(1, sizeof *client);
    if (!client)
        return bt_fail_mem(err, "worker");
    client->config = *config;
    client->address = bt_str_dup(bt_str_of(config->address));
    client->token = bt_str_dup(bt_str_of(config->token));
    client->group = bt_str_dup(bt_str_of(config->group));
    client->fd = -1;
    client->heartbeat_us = 1000000;
    (void)snprintf(client->id, sizeof client->id, "%016llx%016llx",
                   (unsigned long long)bt_random_u64(), (unsigned long long)bt_random_u64());
    (void)pthread_mutex_init(&client->lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_cond_init(&client->changed, NULL);
    int rc = open_all(client, err);
    if (rc < 0) {
        client_free(client);
        return rc;
    }
    *ret_client = client;
    return BT_OK;
}

bool bt_client_has_ended(struct bt_client *client, struct bt_err *err)
{
    lock(client);
    bool has_ended = client->has_ended;
    if (has_ended)
        *err = client->end;
    unlock(client);
    return has_ended;
}

static bool is_idle(struct bt_client *client)
{
    lock(client);
    bool is_idle = client->running.count == 0;
    unlock(client);
    return is_idle;
}

/* The results of what still runs are of no interest any more. */
static void drop_all(struct bt_client *client)
{
    lock(client);
    for (size_t i = 0; i < client->running.count; i++)
        if (!client->running.items[i].result)
            client->running.items[i].is_dropped = true;
    unlock(client);
}

struct bt_client *bt_client_stop(struct bt_client *client, unsigned grace_ms)
{
    if (!client)
        return NULL;
    int64_t until_us = mono_us() + (int64_t)grace_ms * 1000;
    lock(client);
    client->is_draining = true;
    send_locked(client, BT_FRAME_DRAIN, NULL);
    bool has_ended = client->has_ended;
    unlock(client);
    while (!has_ended && !is_idle(client) && mono_us() < until_us)
        (void)poll(NULL, 0, 20);
    stop_fence(client);
    drop_all(client); /* Each is handed back when it is dead: no attempt lives twice. */
    client->worker = bt_worker_stop(client->worker, true);
    lock(client);
    client->is_stopping = true;
    unlock(client);
    (void)pthread_join(client->thread, NULL);
    go_offline(client);
    client_free(client);
    return NULL;
}
