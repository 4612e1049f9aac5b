/* client.c — The worker's side of the stream: what runs, what it reports, and the lease.
 *
 * What must not be lost (lines, results) is kept until the server has taken it over, and sent again
 * after a new connection. The lease: the server gives a worker up `lost_ms` after its last word;
 * here everything is killed somewhat before that, counted from the sending of the last heartbeat
 * that was answered, so no attempt lives twice. */
#include "base/crash.h"
#include "base/limits.h"
#include "sys/random.h"
#include "worker/remote/client_int.h"
#include "worker/remote/remote_files.h"
#include "worker/remote/wire.h"
#include "worker/worker.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LEASE_TICK_MS = 30, LAST_WORDS_MS = 3000, READ_BYTES = 256 << 10 };

static int64_t mono_us(void)
{
    return bt_clock_mono_us(bt_clock_system());
}

bool client_lease_is_over(struct bt_client *client)
{
    int64_t lost_us = client->lost_us,
            margin_us = lost_us / 3; /* Killing and the ticks take time. */
    return lost_us && mono_us() - client->lease_us > lost_us - margin_us;
}

void client_note(struct bt_client *client, const char *text)
{
    if (client->config.note)
        client->config.note(client->config.data, text);
}

void client_send_locked(struct bt_client *client, enum bt_frame_type type, struct bt_value *value)
{
    uint64_t one = 1;
    bool was_empty = client->out.len == 0;
    if (client->is_online)
        (void)bt_frame_add(&client->out, type, value); /* A failure shows when it is sent. */
    bt_value_unref(value);
    if (client->is_online && was_empty && write(client->wake_fd, &one, sizeof one) < 0) {
        /* The counter is full: the link is awake anyway. */
    }
}

void client_send(struct bt_client *client, enum bt_frame_type type, struct bt_value *value)
{
    lock(client);
    client_send_locked(client, type, value);
    unlock(client);
}

struct running *client_find_locked(struct bt_client *client, uint64_t token)
{
    for (size_t i = 0; i < client->running.count; i++)
        if (client->running.items[i].token == token)
            return &client->running.items[i];
    return NULL;
}

void client_forget_locked(struct bt_client *client, struct running *entry)
{
    bt_value_unref(entry->result);
    *entry = client->running.items[--client->running.count];
}

void client_kill(struct bt_client *client, uint64_t token)
{
    lock(client); /* bt_client_stop() takes the executor away under it. */
    if (client->has_executor)
        client->executor.kill(client->executor.data, token);
    unlock(client);
}

/* --- Places -------------------------------------------------------------------------------------
 */

bool client_has_place_locked(const struct bt_client *client, uint64_t place)
{
    for (size_t i = 0; i < client->places.count; i++)
        if (client->places.items[i] == place)
            return true;
    return false;
}

static void forget_place_locked(struct bt_client *client, uint64_t place)
{
    for (size_t i = 0; i < client->places.count; i++) {
        if (client->places.items[i] != place)
            continue;
        client->places.items[i] = client->places.items[--client->places.count];
        return;
    }
}

void client_release(struct bt_client *client, uint64_t place)
{
    lock(client);
    forget_place_locked(client, place);
    if (client->has_executor && client->executor.release)
        client->executor.release(client->executor.data, place);
    unlock(client);
}

/* --- The worker's reports: its thread ----------------------------------------------------------
 */

static void on_started(void *data, const struct bt_job *job, int64_t at_us)
{
    struct bt_client *client = data;
    BT_VALUE map = bt_map_new(2);
    BT_CRASH_POINT("job-started");
    lock(client);
    int rc = bt_map_puts(map, "token", bt_wire_token(job->token));
    rc |= bt_map_puts(map, "at", bt_value_int(at_us - client->clock_ahead_us));
    if (rc == BT_OK)
        client_send_locked(client, BT_FRAME_STARTED, BT_TAKE(map));
    unlock(client);
}

/* Whether the attempt goes on and its lines have to wait: there is no connection, or too much is
 * under way. That slows the task down instead of losing lines or filling the memory. */
static bool has_to_wait(struct bt_client *client, uint64_t token)
{
    const struct running *entry = client_find_locked(client, token);
    bool is_full = !client->is_online || client->log_bytes >= BT_LOG_WINDOW_BYTES;
    return is_full && !client->is_stopping && entry && !entry->is_dropped;
}

static void on_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                    size_t count)
{
    struct bt_client *client = data;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += lines[i].text.len + BT_LOG_LINE_BYTES;
    lock(client);
    while (has_to_wait(client, job->token))
        (void)pthread_cond_wait(&client->changed, &client->lock);
    const struct running *entry = client_find_locked(client, job->token);
    if (entry && !entry->is_dropped) {
        struct bt_wire_logs head = {job->token, ++client->log_count, -client->clock_ahead_us};
        struct bt_value *message = bt_wire_logs(&head, lines, count);
        if (!message)
            bt_die("out of memory");
        client->log_bytes += bytes;
        bt_vec_push(&client->logs, ((struct unacked){head.n, bytes, message}));
        client_send_locked(client, BT_FRAME_LOGS, bt_value_ref(message));
    }
    unlock(client);
}

static void on_result(void *data, struct bt_job_result *result)
{
    struct bt_client *client = data;
    lock(client);
    BT_CRASH_POINT("job-ended");
    struct running *entry = client_find_locked(client, result->token);
    bool is_over = entry && (entry->place.op == BT_PLACE_CLOSE ||
                             (entry->place.op == BT_PLACE_OPEN && result->state != BT_SUCCESS));
    if (is_over)
        forget_place_locked(client, entry->place.id);
    result->started_us -= client->clock_ahead_us;
    result->ended_us -= client->clock_ahead_us;
    if (entry && entry->is_dropped) { /* Now it is dead: it may run elsewhere. */
        client_forget_locked(client, entry);
        client_send_locked(client, BT_FRAME_GIVE_BACK,
                           bt_frame_map1("token", bt_wire_token(result->token)));
    } else if (entry) {
        entry->result = bt_wire_result(result);
        if (!entry->result)
            bt_die("out of memory");
        client_send_locked(client, BT_FRAME_RESULT, bt_value_ref(entry->result));
    }
    unlock(client);
    bt_job_result_done(result);
}

/* The worker does not have the job's place. */
static void on_lost(void *data, const struct bt_job *job)
{
    struct bt_client *client = data;
    lock(client);
    struct running *entry = client_find_locked(client, job->token);
    forget_place_locked(client, job->place.id);
    if (entry) {
        client_forget_locked(client, entry);
        client_send_locked(client, BT_FRAME_GIVE_BACK,
                           bt_frame_map1("token", bt_wire_token(job->token)));
    }
    unlock(client);
}

/* --- The lease ----------------------------------------------------------------------------------
 */

static void fence(struct bt_client *client)
{
    BT_VEC(uint64_t) tokens = {0};
    lock(client);
    __typeof__(client->places) places = client->places; /* Opened elsewhere soon. */
    memset(&client->places, 0, sizeof client->places);
    for (size_t i = client->running.count; i-- > 0;) {
        struct running *entry = &client->running.items[i];
        if (entry->result) {
            client_forget_locked(client, entry);
        } else if (!entry->is_dropped) {
            entry->is_dropped = true;
            bt_vec_push(&tokens, entry->token);
        }
    }
    (void)pthread_cond_broadcast(&client->changed); /* Their lines do not wait any more. */
    unlock(client);
    for (size_t i = 0; i < tokens.count; i++)
        client_kill(client, tokens.items[i]);
    for (size_t i = 0; i < places.count; i++)
        client_release(client, places.items[i]);
    bt_vec_done(&places);
    if (tokens.count)
        client_note(client, "the server does not answer: what runs here is killed");
    bt_vec_done(&tokens);
}

/* A thread of its own: the link's may wait for a connection. */
static void *fence_main(void *data)
{
    struct bt_client *client = data;
    while (!client->is_fence_over) {
        (void)poll(NULL, 0, LEASE_TICK_MS);
        if (client_lease_is_over(client))
            fence(client);
    }
    return NULL;
}

static void stop_fence(struct bt_client *client)
{
    client->is_fence_over = true;
    (void)pthread_join(client->fence_thread, NULL);
}

/* --- A worker as the executor -------------------------------------------------------------------
 */

static void submit_to_worker(void *data, struct bt_job *job)
{
    bt_worker_submit(data, job);
}

static void kill_at_worker(void *data, uint64_t token)
{
    bt_worker_kill(data, token);
}

static void release_at_worker(void *data, uint64_t place)
{
    bt_worker_release(data, place);
}

static void stop_worker(void *data)
{
    bt_worker_stop(data, true);
}

static int start_executor(struct bt_client *client, struct bt_err *err)
{
    struct bt_worker_sink sink = {client, on_logs, on_started, on_result, NULL, on_lost};
    struct bt_worker_config worker = {
        .slots = client->config.slots,
        .work_dir = client->config.work_dir,
        .files = client->files,
        .world = bt_world_remote(client->files),
        .clock = client->config.clock,
        .sink = sink,
        .fetcher = {client->files, bt_files_remote_fetch},
    };
    struct bt_worker *started = NULL;
    if (client->config.executor) {
        client->executor = *client->config.executor;
        client->executor.start(client->executor.data, &sink);
    } else {
        BT_TRY(bt_worker_start(&worker, &started, err));
        client->executor = (struct bt_executor){.data = started,
                                                .submit = submit_to_worker,
                                                .kill = kill_at_worker,
                                                .release = release_at_worker,
                                                .stop = stop_worker};
    }
    client->has_executor = true;
    return BT_OK;
}

/* --- Starting and stopping ---------------------------------------------------------------------
 */

static void client_free(struct bt_client *client)
{
    bt_files_close(client->files);
    client_link_done(client);
    for (size_t i = 0; i < client->running.count; i++)
        bt_value_unref(client->running.items[i].result);
    bt_vec_done(&client->running);
    bt_vec_done(&client->places);
    for (size_t i = 0; i < client->logs.count; i++)
        bt_value_unref(client->logs.items[i].message);
    bt_vec_done(&client->logs);
    bt_buf_done(&client->out);
    (void)pthread_mutex_destroy(&client->lock);
    (void)pthread_cond_destroy(&client->changed);
    if (client->wake_fd >= 0)
        (void)close(client->wake_fd);
    free(client->address);
    free(client->token);
    free(client->group);
    free(client->tags);
    free(client);
}

static int open_all(struct bt_client *client, struct bt_err *err)
{
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    client->chunk = malloc(READ_BYTES);
    if (!client->address || !client->token || !client->group || !client->tags || !client->chunk ||
        client->wake_fd < 0)
        return bt_fail_mem(err, "worker");
    BT_TRY(bt_files_open_remote(client->address, client->token,
                                client->config.work_dir ? client->config.work_dir : "/tmp",
                                &client->files, err));
    BT_TRY(start_executor(client, err));
    int rc = pthread_create(&client->fence_thread, NULL, fence_main, client);
    if (rc == 0) {
        rc = pthread_create(&client->thread, NULL, client_link_main, client);
        if (rc == 0)
            return BT_OK;
        stop_fence(client);
    }
    client->executor.stop(client->executor.data);
    return bt_fail_errno(err, BT_IO, rc, "cannot start the worker's thread");
}

int bt_client_start(const struct bt_client_config *config, struct bt_client **ret_client,
                    struct bt_err *err)
{
    struct bt_client *client = calloc(1, sizeof *client);
    if (!client)
        return bt_fail_mem(err, "worker");
    client->config = *config;
    if (!config->clock)
        client->config.clock = bt_clock_system();
    client->address = bt_str_dup(bt_str_of(config->address));
    client->token = bt_str_dup(bt_str_of(config->token));
    client->group = bt_str_dup(bt_str_of(config->group ? config->group : ""));
    client->tags = bt_str_dup(bt_str_of(config->tags ? config->tags : ""));
    client->fd = -1;
    client->heartbeat_us = 1000000;
    client->in.max = BT_FRAME_BYTES_MAX + READ_BYTES + 64;
    client->out.max = client->sending.max = SIZE_MAX / 2; /* Slots and the log's window bound it. */
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

/* Nothing runs, no place is open, the server knows all. */
static bool is_idle_locked(const struct bt_client *client)
{
    return client->running.count == 0 && client->places.count == 0 && client->logs.count == 0 &&
           client->out.len == 0;
}

/* Waits until everything that ran has ended and the server knows it. */
static void wait_idle(struct bt_client *client, int64_t until_us, bool is_end)
{
    bool is_idle = false;
    while (!is_idle && mono_us() < until_us) {
        lock(client);
        is_idle = client->has_ended || is_idle_locked(client) || (is_end && !client->is_online);
        unlock(client);
        if (!is_idle)
            (void)poll(NULL, 0, 5);
    }
}

/* The results of what still runs are of no interest any more. */
static void drop_all(struct bt_client *client)
{
    lock(client);
    for (size_t i = 0; i < client->running.count; i++)
        if (!client->running.items[i].result)
            client->running.items[i].is_dropped = true;
    client->has_executor = false;
    client->places.count = 0; /* They go with the worker. */
    (void)pthread_cond_broadcast(&client->changed);
    unlock(client);
}

struct bt_client *bt_client_stop(struct bt_client *client, unsigned grace_ms)
{
    if (!client)
        return NULL;
    lock(client);
    client->is_draining = true;
    client_send_locked(client, BT_FRAME_DRAIN, NULL);
    unlock(client);
    wait_idle(client, mono_us() + (int64_t)grace_ms * 1000, false);
    stop_fence(client);
    drop_all(client); /* Each is handed back when it is dead: no attempt lives twice. */
    client->executor.stop(client->executor.data);
    wait_idle(client, mono_us() + (int64_t)LAST_WORDS_MS * 1000, true);
    lock(client);
    client->is_stopping = true;
    unlock(client);
    (void)pthread_join(client->thread, NULL);
    client_free(client);
    return NULL;
}
