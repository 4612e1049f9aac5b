/* worker.c — The worker's thread, its queue, and the doors through which others reach it. Other
 * threads must touch nothing but what stands under the mutex. */
#include "worker/worker.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "worker/host/slot_host.h"
#include "worker/worker_int.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64 };

/* --- The doors -------------------------------------------------------------------------------- */

/* Under the mutex. */
static void wake(struct bt_worker *worker)
{
    if (worker->is_over)
        return;
    int rc = uv_async_send(&worker->wake);
    assert(rc == 0); /* The handle lives as long as the thread. */
}

void bt_worker_submit(struct bt_worker *worker, struct bt_job *job)
{
    assert(job && (job->task || job->templates));
    job->next = NULL;
    job->is_kill_asked = false;
    pthread_mutex_lock(&worker->mutex);
    if (worker->last)
        worker->last->next = job;
    else
        worker->first = job;
    worker->last = job;
    wake(worker);
    pthread_mutex_unlock(&worker->mutex);
}

void bt_worker_kill(struct bt_worker *worker, uint64_t token)
{
    bool is_found = false;
    pthread_mutex_lock(&worker->mutex);
    for (struct bt_job *job = worker->first; job; job = job->next) {
        if (job->token == token)
            job->is_kill_asked = worker->has_kills = is_found = true;
    }
    for (unsigned i = 0; i < worker->config.slots; i++) {
        struct slot *slot = &worker->slots[i];
        if (slot->job && slot->job->token == token)
            slot->is_kill_asked = worker->has_kills = is_found = true;
    }
    if (is_found)
        wake(worker);
    pthread_mutex_unlock(&worker->mutex);
}

void bt_worker_release(struct bt_worker *worker, uint64_t place)
{
    pthread_mutex_lock(&worker->mutex);
    bt_vec_push(&worker->released, place);
    wake(worker);
    pthread_mutex_unlock(&worker->mutex);
}

void bt_worker_flushed(struct bt_worker *worker, uint64_t token, const char *error)
{
    pthread_mutex_lock(&worker->mutex);
    for (unsigned i = 0; i < worker->config.slots; i++) {
        struct slot *slot = &worker->slots[i];
        if (!slot->job || slot->job->token != token)
            continue;
        free(slot->flush_error);
        slot->flush_error = error ? bt_str_dup(bt_str_of(error)) : NULL;
        slot->is_flushed = worker->has_flushed = true;
        wake(worker);
    }
    pthread_mutex_unlock(&worker->mutex);
}

/* --- The thread ------------------------------------------------------------------------------- */

/* Takes the jobs out of the queue that were killed while they waited (all, when we stop). */
static struct bt_job *take_killed(struct bt_worker *worker)
{
    struct bt_job *killed = NULL;
    struct bt_job **killed_end = &killed;
    struct bt_job *last = NULL;
    for (struct bt_job **at = &worker->first; *at;) {
        struct bt_job *job = *at;
        if (job->is_kill_asked || worker->is_stopping) {
            *at = job->next;
            job->next = NULL;
            *killed_end = job;
            killed_end = &job->next;
        } else {
            last = job;
            at = &job->next;
        }
    }
    worker->last = last;
    return killed;
}

static void report_waiting(struct bt_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    struct bt_job *killed = take_killed(worker);
    pthread_mutex_unlock(&worker->mutex);
    while (killed) {
        struct bt_job *job = killed;
        killed = job->next;
        report_killed(worker, job);
    }
}

static void obey_kills(struct bt_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    bool is_asked = worker->has_kills || worker->is_stopping;
    bool is_stopping = worker->is_stopping;
    bool is_now = worker->is_now;
    worker->has_kills = false;
    pthread_mutex_unlock(&worker->mutex);
    if (is_asked)
        report_waiting(worker);
    for (unsigned i = 0; is_asked && i < worker->config.slots; i++) {
        struct slot *slot = &worker->slots[i];
        pthread_mutex_lock(&worker->mutex);
        bool is_kill_asked = slot->is_kill_asked || is_stopping;
        pthread_mutex_unlock(&worker->mutex);
        if (is_kill_asked)
            slot_kill(slot, is_now);
    }
}

/* Hands the answers of bt_worker_flushed() to the plugins that wait for them. */
static void answer_flushes(struct bt_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    bool has_some = worker->has_flushed;
    worker->has_flushed = false;
    pthread_mutex_unlock(&worker->mutex);
    for (unsigned i = 0; has_some && i < worker->config.slots; i++) {
        struct slot *slot = &worker->slots[i];
        pthread_mutex_lock(&worker->mutex);
        bool is_flushed = slot->is_flushed;
        char *error = BT_TAKE(slot->flush_error);
        slot->is_flushed = false;
        pthread_mutex_unlock(&worker->mutex);
        if (is_flushed)
            slot_host_flushed(slot, error);
        free(error);
    }
}

static struct slot *find_free(struct bt_worker *worker)
{
    for (unsigned i = 0; worker->busy < worker->config.slots && i < worker->config.slots; i++) {
        if (worker->slots[i].phase == PHASE_FREE)
            return &worker->slots[i];
    }
    return NULL;
}

/* The next job, put into the slot. */
static struct bt_job *take_job(struct bt_worker *worker, struct slot *slot)
{
    pthread_mutex_lock(&worker->mutex);
    bool is_later = worker->released.count > 0; /* That came before what may be in the queue. */
    struct bt_job *job = worker->is_stopping || is_later ? NULL : worker->first;
    if (job) {
        worker->first = job->next;
        worker->last = worker->first ? worker->last : NULL;
        job->next = NULL;
        slot->job = job;
        slot->is_kill_asked = job->is_kill_asked; /* Asked since we looked for kills. */
        slot->is_flushed = false;
    }
    pthread_mutex_unlock(&worker->mutex);
    return job;
}

static void close_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void bt_worker_turn(struct bt_worker *worker)
{
    if (worker->is_closing)
        return;
    places_obey(worker);
    obey_kills(worker);
    answer_flushes(worker);
    slots_core_end(worker);
    slots_go_on(worker);
    struct slot *slot;
    struct bt_job *job;
    while ((slot = find_free(worker)) && (job = take_job(worker, slot)))
        slot_begin(slot, job);
    pthread_mutex_lock(&worker->mutex);
    bool is_over = worker->is_stopping && worker->busy == 0 && !worker->first;
    worker->is_over = is_over;
    pthread_mutex_unlock(&worker->mutex);
    if (!is_over)
        return;
    worker->is_closing = true;
    uv_walk(&worker->loop, close_handle, NULL); /* Then the loop has nothing left and returns. */
}

static void on_wake(uv_async_t *async)
{
    bt_worker_turn(async->data);
}

static void take_events(struct bt_worker *worker)
{
    struct bt_warden_event event;
    struct bt_err err = BT_ERR_INIT;
    int rc = BT_OK;
    while (worker->warden && (rc = bt_warden_next(worker->warden, &event, &err)) == BT_OK) {
        if (event.id < worker->config.slots)
            slot_on_event(&worker->slots[event.id], &event);
        else
            hosts_on_event(worker, &event);
    }
    if (worker->warden && rc != BT_BUSY)
        lose_warden(worker, &err);
}

static void on_epoll(uv_poll_t *poll, int status, int events)
{
    struct bt_worker *worker = poll->data;
    struct epoll_event ready[EVENTS_PER_TURN];
    (void)status, (void)events; /* Whatever it is, we look. */
    int count = epoll_wait(worker->epoll, ready, EVENTS_PER_TURN, 0);
    bool has_warden = false;
    for (int i = 0; i < count; i++) {
        uint64_t mark = ready[i].data.u64;
        has_warden = has_warden || mark == EVENT_WARDEN;
        if (mark != EVENT_WARDEN && (mark & HOST_MARK))
            hosts_on_ready(worker, mark, ready[i].events);
        else if (mark != EVENT_WARDEN)
            slot_on_output(&worker->slots[mark / STREAM_COUNT].streams[mark % STREAM_COUNT]);
    }
    if (has_warden)
        take_events(worker);
    bt_worker_turn(worker);
}

static void *run_thread(void *data)
{
    struct bt_worker *worker = data;
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);        /* Signals are for other threads. */
    (void)pthread_setname_np(pthread_self(), "bt-worker"); /* Cosmetic. */
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);           /* Until all handles are closed. */
    return NULL;
}

/* --- Beginning and end ------------------------------------------------------------------------ */

static int init_loop(struct bt_worker *worker, struct bt_err *err)
{
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (worker->epoll < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot start the worker");
    if (uv_loop_init(&worker->loop) != 0)
        return bt_fail(err, BT_IO, "cannot start the worker's loop");
    int rc = uv_async_init(&worker->loop, &worker->wake, on_wake);
    assert(rc == 0); /* The loop has its descriptors already. */
    rc = uv_poll_init(&worker->loop, &worker->epoll_poll, worker->epoll);
    assert(rc == 0);                                          /* It can be polled. */
    (void)uv_timer_init(&worker->loop, &worker->flush_timer); /* Never fails. */
    (void)uv_timer_init(&worker->loop, &worker->host_timer);  /* The same. */
    worker->host_timer.data = worker->wake.data = worker->epoll_poll.data =
        worker->flush_timer.data = worker;
    for (unsigned i = 0; i < worker->config.slots; i++)
        slot_init(&worker->slots[i], worker, i);
    rc = uv_poll_start(&worker->epoll_poll, UV_READABLE, on_epoll);
    assert(rc == 0); /* The same. */
    return BT_OK;
}

static void close_loop(struct bt_worker *worker)
{
    uv_walk(&worker->loop, close_handle, NULL);
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT); /* Until all handles are closed. */
    int rc = uv_loop_close(&worker->loop);
    assert(rc == 0);
    for (unsigned i = 0; i < worker->config.slots; i++)
        slot_done(&worker->slots[i]);
}

static struct bt_worker *free_worker(struct bt_worker *worker)
{
    worker_home_close(worker);
    places_done(worker);
    hosts_done(worker);
    bt_fd_close(&worker->epoll);
    (void)pthread_mutex_destroy(&worker->mutex); /* Nobody holds it. */
    free(worker->slots);
    free(worker->chunk);
    free(worker);
    return NULL;
}

static int start(struct bt_worker *worker, struct bt_err *err)
{
    BT_TRY(worker_home_open(worker, err));
    BT_TRY(hosts_init(worker, err));
    BT_TRY(init_loop(worker, err));
    int rc = pthread_create(&worker->thread, NULL, run_thread, worker);
    if (rc != 0) {
        close_loop(worker);
        return bt_fail_errno(err, BT_IO, rc, "cannot start the worker's thread");
    }
    return BT_OK;
}

int bt_worker_start(const struct bt_worker_config *config, struct bt_worker **ret_worker,
                    struct bt_err *err)
{
    assert(config->slots > 0 && config->clock && config->sink.result);
    struct bt_worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return bt_fail_mem(err, "worker");
    worker->config = *config;
    if (worker->config.kill_grace_ms <= 0)
        worker->config.kill_grace_ms = BT_KILL_GRACE_MS;
    if (worker->config.places_max == 0)
        worker->config.places_max = BT_PLACES_MAX;
    worker->epoll = worker->root = -1;
    (void)pthread_mutex_init(&worker->mutex, NULL); /* Never fails with default attributes. */
    worker->slots = calloc(config->slots, sizeof *worker->slots);
    worker->chunk = malloc(CHUNK_BYTES);
    int rc = worker->slots && worker->chunk ? start(worker, err) : bt_fail_mem(err, "worker");
    if (rc < 0) {
        (void)free_worker(worker); /* Gives NULL. */
        return rc;
    }
    *ret_worker = worker;
    return BT_OK;
}

struct bt_worker *bt_worker_stop(struct bt_worker *worker, bool is_now)
{
    if (!worker)
        return NULL;
    pthread_mutex_lock(&worker->mutex);
    worker->is_stopping = true;
    worker->is_now = is_now;
    wake(worker);
    pthread_mutex_unlock(&worker->mutex);
    int rc = pthread_join(worker->thread, NULL);
    assert(rc == 0);
    report_waiting(worker); /* What came while the thread went. */
    worker->warden = bt_warden_stop(worker->warden);
    close_loop(worker);
    return free_worker(worker);
}
