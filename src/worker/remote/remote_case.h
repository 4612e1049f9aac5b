/* remote_case.h — For tests and measuring of the worker protocol: an executor that runs nothing, a
 * hub with a sink that counts, jobs out of the air. Must never be in the program. */
#pragma once
#include "base/vec.h"
#include "worker/remote/client.h"
#include "worker/remote/listen.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* --- An executor: a thread with a queue ---------------------------------------------------------
 */

struct fake {
    struct bt_worker_sink sink;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct bt_job *first, **last;
    BT_VEC(uint64_t) kills;
    bool is_stopping;
    bool is_holding;    /* Jobs run until they are killed. */
    unsigned log_lines; /* Of 1 KB, before the result. */
    BT_VEC(struct bt_job *) held;
    BT_VEC(uint64_t) released; /* Places. */
    bool is_losing;            /* No place is here. */
    BT_VEC(uint64_t) places;
    unsigned opened, strays;    /* Jobs of places; those that are not of its own, or not as sent. */
    _Atomic uint64_t lines_out; /* Handed to the sink. */
    char *canary;               /* Freed at the end: a late kill is seen by ASan. */
};

static inline void fake_report(struct fake *fake, struct bt_job *job, enum bt_state state)
{
    int64_t now_us = bt_clock_wall_us(bt_clock_system());
    struct bt_job_result result = {.exec_key = job->exec_key,
                                   .taskrun = job->taskrun,
                                   .token = job->token,
                                   .state = state,
                                   .started_us = now_us,
                                   .ended_us = now_us};
    fake->sink.result(fake->sink.data, &result);
    bt_job_free(job);
}

static inline void fake_logs(struct fake *fake, const struct bt_job *job)
{
    static char text[1000];
    memset(text, 'x', sizeof text);
    struct bt_log_line line = {
        bt_clock_wall_us(bt_clock_system()), BT_LEVEL_INFO, {text, sizeof text}};
    for (unsigned i = 0; i < fake->log_lines; i++) {
        fake->sink.logs(fake->sink.data, job, &line, 1);
        fake->lines_out++;
    }
}

static inline void fake_kill_held(struct fake *fake, uint64_t token)
{
    for (size_t i = 0; i < fake->held.count; i++) {
        if (fake->held.items[i]->token != token)
            continue;
        struct bt_job *job = fake->held.items[i];
        fake->held.items[i] = fake->held.items[--fake->held.count];
        fake_report(fake, job, BT_KILLED);
        return;
    }
}

static inline void fake_note_place(struct fake *fake, const struct bt_place *place)
{
    bool is_here = false;
    for (size_t i = 0; i < fake->places.count; i++)
        is_here = is_here || fake->places.items[i] == place->id;
    fake->opened += place->op == BT_PLACE_OPEN;
    if (place->op == BT_PLACE_OPEN)
        bt_vec_push(&fake->places, place->id);
    else if (place->op != BT_PLACE_NONE)
        fake->strays += !is_here || !place->saves_cache;
}

static inline void fake_run(struct fake *fake, struct bt_job *job)
{
    fake->sink.started(fake->sink.data, job, bt_clock_wall_us(bt_clock_system()));
    fake_logs(fake, job);
    fake_note_place(fake, &job->place);
    if (fake->is_losing && job->place.op != BT_PLACE_NONE) {
        fake->sink.lost(fake->sink.data, job);
        bt_job_free(job);
    } else if (fake->is_holding)
        bt_vec_push(&fake->held, job);
    else
        fake_report(fake, job, BT_SUCCESS);
}

static inline void *fake_main(void *data)
{
    struct fake *fake = data;
    (void)pthread_mutex_lock(&fake->lock);
    while (!fake->is_stopping || fake->first) {
        while (!fake->first && !fake->kills.count && !fake->is_stopping)
            (void)pthread_cond_wait(&fake->changed, &fake->lock);
        struct bt_job *job = fake->first;
        fake->first = NULL;
        fake->last = &fake->first;
        __typeof__(fake->kills) kills = fake->kills;
        memset(&fake->kills, 0, sizeof fake->kills);
        (void)pthread_mutex_unlock(&fake->lock);
        while (job) {
            struct bt_job *next = job->next;
            fake_run(fake, job);
            job = next;
        }
        for (size_t i = 0; i < kills.count; i++)
            fake_kill_held(fake, kills.items[i]);
        bt_vec_done(&kills);
        (void)pthread_mutex_lock(&fake->lock);
    }
    (void)pthread_mutex_unlock(&fake->lock);
    while (fake->held.count)
        fake_kill_held(fake, fake->held.items[0]->token);
    return NULL;
}

static inline void fake_start(void *data, const struct bt_worker_sink *sink)
{
    struct fake *fake = data;
    fake->sink = *sink;
    fake->last = &fake->first;
    fake->canary = calloc(1, 1);
    (void)pthread_mutex_init(&fake->lock, NULL);
    (void)pthread_cond_init(&fake->changed, NULL);
    if (!fake->canary || pthread_create(&fake->thread, NULL, fake_main, fake) != 0)
        abort();
}

static inline void fake_submit(void *data, struct bt_job *job)
{
    struct fake *fake = data;
    (void)pthread_mutex_lock(&fake->lock);
    job->next = NULL;
    *fake->last = job;
    fake->last = &job->next;
    (void)pthread_cond_signal(&fake->changed);
    (void)pthread_mutex_unlock(&fake->lock);
}

static inline void fake_kill(void *data, uint64_t token)
{
    struct fake *fake = data;
    *(volatile char *)fake->canary = 1;
    (void)pthread_mutex_lock(&fake->lock);
    bt_vec_push(&fake->kills, token);
    (void)pthread_cond_signal(&fake->changed);
    (void)pthread_mutex_unlock(&fake->lock);
}

static inline void fake_release(void *data, uint64_t place)
{
    struct fake *fake = data;
    (void)pthread_mutex_lock(&fake->lock);
    bt_vec_push(&fake->released, place);
    (void)pthread_mutex_unlock(&fake->lock);
}

static inline void fake_stop(void *data)
{
    struct fake *fake = data;
    (void)pthread_mutex_lock(&fake->lock);
    fake->is_stopping = true;
    (void)pthread_cond_signal(&fake->changed);
    (void)pthread_mutex_unlock(&fake->lock);
    (void)pthread_join(fake->thread, NULL);
    (void)pthread_mutex_destroy(&fake->lock);
    (void)pthread_cond_destroy(&fake->changed);
    bt_vec_done(&fake->kills);
    bt_vec_done(&fake->held);
    bt_vec_done(&fake->released);
    bt_vec_done(&fake->places);
    free(fake->canary);
}

static inline struct bt_executor fake_executor(struct fake *fake)
{
    return (struct bt_executor){fake, fake_start, fake_submit, fake_kill, fake_release, fake_stop};
}

/* --- A sink that counts -------------------------------------------------------------------------
 */

struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t results, killed, failed, lost, lines, started;
    int64_t started_us; /* What the last one said. */
    bool is_blocked;    /* Whoever reports lines waits. */
    char error[240];    /* Of the last failure. */
};

static inline void counter_logs(void *data, const struct bt_job *job,
                                const struct bt_log_line *lines, size_t count)
{
    struct counter *counter = data;
    (void)job, (void)lines;
    (void)pthread_mutex_lock(&counter->lock);
    while (counter->is_blocked)
        (void)pthread_cond_wait(&counter->changed, &counter->lock);
    counter->lines += count;
    (void)pthread_mutex_unlock(&counter->lock);
}

static inline void counter_started(void *data, const struct bt_job *job, int64_t at_us)
{
    struct counter *counter = data;
    (void)job;
    (void)pthread_mutex_lock(&counter->lock);
    counter->started++;
    counter->started_us = at_us;
    (void)pthread_cond_broadcast(&counter->changed);
    (void)pthread_mutex_unlock(&counter->lock);
}

static inline void counter_result(void *data, struct bt_job_result *result)
{
    struct counter *counter = data;
    (void)pthread_mutex_lock(&counter->lock);
    counter->results++;
    counter->killed += result->state == BT_KILLED;
    counter->failed += result->state == BT_FAILED;
    if (result->error)
        (void)snprintf(counter->error, sizeof counter->error, "%s", result->error);
    (void)pthread_cond_broadcast(&counter->changed);
    (void)pthread_mutex_unlock(&counter->lock);
    bt_job_result_done(result);
}

static inline void counter_lost(void *data, uint64_t exec_key, uint32_t taskrun, uint64_t token)
{
    struct counter *counter = data;
    (void)exec_key, (void)taskrun, (void)token;
    (void)pthread_mutex_lock(&counter->lock);
    counter->lost++;
    (void)pthread_cond_broadcast(&counter->changed);
    (void)pthread_mutex_unlock(&counter->lock);
}

static inline void counter_init(struct counter *counter)
{
    memset(counter, 0, sizeof *counter);
    (void)pthread_mutex_init(&counter->lock, NULL);
    (void)pthread_cond_init(&counter->changed, NULL);
}

static inline struct bt_hub *counter_hub(struct counter *counter)
{
    struct bt_hub_config config = {.lost = counter_lost};
    struct bt_hub *hub = bt_hub_new(&config);
    if (!hub)
        abort();
    bt_hub_set_sink(hub, &(struct bt_worker_sink){counter, counter_logs, counter_started,
                                                  counter_result, NULL, NULL});
    return hub;
}

/* Until *count is at least `want`, at most a minute. */
static inline bool counter_wait(struct counter *counter, const uint64_t *count, uint64_t want)
{
    for (int ms = 0; ms < 60000; ms++) {
        (void)pthread_mutex_lock(&counter->lock);
        bool is_there = *count >= want;
        (void)pthread_mutex_unlock(&counter->lock);
        if (is_there)
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

/* --- Jobs ---------------------------------------------------------------------------------------
 */

static inline struct bt_flow *case_flow(const char *task)
{
    char source[1024];
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    (void)snprintf(source, sizeof source,
                   "id: flow\nnamespace: a\ntasks:\n  - {id: t, type: shell, commands: [x]%s}\n",
                   task);
    if (bt_flow_parse(bt_str_of(source), &flow, &diags) < 0)
        abort();
    bt_diags_done(&diags);
    return flow;
}

static inline struct bt_job *case_job(struct bt_flow *flow, uint64_t token)
{
    struct bt_job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    *job = (struct bt_job){.exec_key = 1,
                           .taskrun = (uint32_t)token,
                           .attempt = 1,
                           .token = token,
                           .tenant = "main",
                           .exec_id = "exec",
                           .taskrun_id = "run",
                           .flow = bt_flow_ref(flow),
                           .task = &flow->tasks[0],
                           .variables = bt_map_new(0)};
    return job;
}
