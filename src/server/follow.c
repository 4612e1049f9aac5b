/* follow.c — Followers of executions and logs, and requests that wait for an end. */
#include "server/follow.h"

#include "base/limits.h"
#include "base/own.h"
#include "server/http_int.h"
#include "server/stream.h"

#include <assert.h>
#include <stdlib.h>

enum { QUIET_US = 100000 };

struct follower {
    struct follower *next, *previous;
    struct follow *follow;
    enum bt_follow_kind kind;
    struct bt_service *service;
    struct bt_principal principal;
    uint64_t key;
    struct bt_id id;
    uint32_t levels;
    uint64_t line; /* The next one to send. */
    struct bt_stream *stream;
    struct bt_watch *watch;
    struct bt_request *request; /* One that waits; no stream then. */
    bt_handler *handler;
    int64_t sent_us, until_us; /* Monotonic. */
    bool is_changed;           /* There may be something to send. */
    bool is_ended;             /* Nothing more will be sent. */
    bool is_gone;              /* The client: only then a stream's follower may go. */
};

struct follow {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct bt_service *service;
    struct follower *followers;
    size_t count;
    bool has_news, is_stopping;
};

static int64_t now_us(void)
{
    return bt_clock_mono_us(bt_clock_system());
}

/* --- What the runner's thread and the HTTP threads tell --------------------------------------- */

static void on_change(void *data, const struct bt_change *change)
{
    struct follower *follower = data;
    struct follow *follow = follower->follow;
    bool is_over = change->kind == BT_CHANGE_EXEC && change->exec->is_drained;
    if (follower->request && !is_over)
        return;                              /* It waits for the end only. */
    (void)pthread_mutex_lock(&follow->lock); /* Cannot fail on a default mutex. */
    follower->is_changed |= !follower->request;
    follower->is_ended |= follower->request && is_over;
    follow->has_news = true;
    (void)pthread_cond_signal(&follow->wake);
    (void)pthread_mutex_unlock(&follow->lock);
}

static void on_gone(void *data)
{
    struct follower *follower = data;
    struct follow *follow = follower->follow;
    (void)pthread_mutex_lock(&follow->lock);
    follower->is_gone = true;
    follow->has_news = true;
    (void)pthread_cond_signal(&follow->wake);
    (void)pthread_mutex_unlock(&follow->lock);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static bool is_over(const struct bt_exec *exec)
{
    return bt_state_is_ended(exec->state) && exec->is_drained;
}

/* False: the client is too slow for it now; it gets the newest state later. */
static bool send_exec(struct follower *follower, const struct bt_exec *exec)
{
    struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    bool is_sent = false;
    if (bt_service_exec_json(follower->service, exec, BT_EXEC_WHOLE, &text, NULL) == BT_OK) {
        (void)bt_buf_addc(&text, '}'); /* Checked here. */
        struct bt_str kind = is_over(exec) ? BT_STR("end") : BT_STR("progress");
        is_sent =
            !text.failed && bt_stream_send(follower->stream, kind, BT_STR_NONE, bt_buf_str(&text));
    }
    bt_buf_done(&text);
    return is_sent;
}

static int send_line(void *data, struct bt_str line_json, uint64_t line)
{
    struct follower *follower = data;
    if (!bt_stream_send(follower->stream, BT_STR("progress"), BT_STR_NONE, line_json))
        return BT_ABORTED; /* The rest when the client has taken some. */
    follower->line = line + 1;
    return BT_OK;
}

static bool send_logs(struct follower *follower, const struct bt_exec *exec)
{
    struct bt_log_filter filter = {
        .levels = follower->levels, .attempt = -1, .first_line = follower->line};
    if (bt_service_logs(follower->service, exec, &filter,
                        &(struct bt_line_sink){send_line, follower}, NULL) < 0)
        return false;
    return !is_over(exec) ||
           bt_stream_send(follower->stream, BT_STR("end"), BT_STR_NONE, BT_STR("{}"));
}

enum served { SERVED, SERVE_AGAIN, SERVED_ALL };

/* In the thread, without the lock: the follower is not freed meanwhile, only this thread does. */
static enum served serve(struct follower *follower)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    int rc = bt_service_exec(follower->service, &follower->principal, bt_id_str(&follower->id),
                             &exec, NULL);
    if (rc < 0 && rc != BT_NOT_FOUND)
        return SERVE_AGAIN;
    bool is_last = rc == BT_NOT_FOUND || is_over(exec); /* NOT_FOUND: it was deleted. */
    if (follower->stream && exec) {
        bool is_sent = follower->kind == BT_FOLLOW_EXEC ? send_exec(follower, exec)
                                                        : send_logs(follower, exec);
        if (!is_sent)
            return SERVE_AGAIN;
    }
    if (follower->stream && is_last)
        bt_stream_end(follower->stream);
    return is_last ? SERVED_ALL : SERVED;
}

/* --- The thread ------------------------------------------------------------------------------- */

static void unlink_follower(struct follow *follow, struct follower *follower)
{
    if (follower->next)
        follower->next->previous = follower->previous;
    if (follower->previous)
        follower->previous->next = follower->next;
    else
        follow->followers = follower->next;
    follow->count--;
}

/* With the lock held; lets go of it meanwhile. A request goes on by itself. */
static void remove_follower(struct follow *follow, struct follower *follower)
{
    unlink_follower(follow, follower);
    (void)pthread_mutex_unlock(&follow->lock);
    bt_bus_unwatch(follower->service->bus, follower->watch);
    bt_stream_unref(follower->stream);
    if (follower->request)
        bt_request_again(follower->request, follower->handler);
    free(follower);
    (void)pthread_mutex_lock(&follow->lock);
}

enum due { DUE_NOT, DUE_SERVE, DUE_ALIVE, DUE_REMOVE };

static enum due due_of(const struct follower *follower, bool is_stopping, int64_t at_us)
{
    if (follower->request && (is_stopping || follower->is_ended || at_us >= follower->until_us))
        return DUE_REMOVE;
    if (follower->is_gone)
        return DUE_REMOVE;
    if (follower->is_ended)
        return DUE_NOT; /* Until its client has taken all. */
    if (follower->request)
        return follower->is_changed ? DUE_SERVE : DUE_NOT;
    if (follower->is_changed && at_us - follower->sent_us >= QUIET_US)
        return DUE_SERVE;
    return at_us - follower->sent_us >= BT_STREAM_KEEP_ALIVE_S * 1000000ll ? DUE_ALIVE : DUE_NOT;
}

/* One round over all followers. Returns whether some must be served soon. With the lock held. */
static bool serve_all(struct follow *follow)
{
    bool is_soon = false;
    for (struct follower *follower = follow->followers, *next; follower; follower = next) {
        enum due due = due_of(follower, follow->is_stopping, now_us());
        next = follower->next;
        if (due == DUE_NOT) {
            is_soon |= follower->is_changed && !follower->is_ended;
            continue;
        }
        if (due == DUE_REMOVE) {
            remove_follower(follow, follower);
            follow->has_news = true; /* The list may have changed: from the start again, at once. */
            return true;
        }
        enum served served = SERVED;
        follower->is_changed = false;
        (void)pthread_mutex_unlock(&follow->lock);
        if (due == DUE_SERVE)
            served = serve(follower);
        else
            bt_stream_comment(follower->stream);
        (void)pthread_mutex_lock(&follow->lock);
        follower->sent_us = now_us();
        follower->is_changed |= served == SERVE_AGAIN;
        follower->is_ended |= served == SERVED_ALL;
        if (follower->is_ended && follower->request) {
            remove_follower(follow, follower);
            follow->has_news = true; /* From the start again, at once. */
            return true;
        }
        next = follower->next; /* Others may have joined before it, none left: only we remove. */
    }
    return is_soon;
}

static void end_all(struct follow *follow)
{
    for (struct follower *follower = follow->followers; follower; follower = follower->next)
        if (follower->stream)
            bt_stream_end(follower->stream);
}

static void *run(void *data)
{
    struct follow *follow = data;
    bool is_soon = false;
    (void)pthread_mutex_lock(&follow->lock);
    while (!follow->is_stopping || follow->followers) {
        if (!follow->has_news)
            bt_clock_wait(&follow->wake, &follow->lock,
                          is_soon || follow->is_stopping ? QUIET_US / 4 : 1000000);
        follow->has_news = false;
        if (follow->is_stopping)
            end_all(follow);
        is_soon = serve_all(follow);
    }
    (void)pthread_mutex_unlock(&follow->lock);
    return NULL;
}

/* --- From outside ----------------------------------------------------------------------------- */

static int join(struct bt_request *request, struct follower *follower, struct bt_err *err)
{
    struct follow *follow = follower->follow;
    int rc = BT_OK;
    follower->watch = bt_bus_watch(request->service->bus, follower->key, on_change, follower);
    if (!follower->watch)
        return bt_fail_mem(err, "stream");
    (void)pthread_mutex_lock(&follow->lock);
    if (follow->is_stopping || follow->count >= BT_STREAMS_MAX)
        rc = bt_fail(err, BT_BUSY, "too many clients follow something");
    if (rc == BT_OK) {
        follower->next = follow->followers;
        if (follower->next)
            follower->next->previous = follower;
        follow->followers = follower;
        follow->count++;
        follow->has_news = true;
        (void)pthread_cond_signal(&follow->wake);
    }
    (void)pthread_mutex_unlock(&follow->lock);
    if (rc < 0)
        bt_bus_unwatch(request->service->bus, follower->watch);
    return rc;
}

static struct follower *follower_new(struct bt_request *request)
{
    struct follower *follower = calloc(1, sizeof *follower);
    if (!follower)
        return NULL;
    follower->follow = ((struct exchange *)request)->server->follow;
    follower->service = request->service;
    follower->principal = request->principal;
    return follower;
}

int bt_follow_begin(struct bt_request *request, enum bt_follow_kind kind, struct bt_exec *exec,
                    uint32_t levels, struct bt_err *err)
{
    static const struct bt_stream_ops ops = {on_gone};
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *taken = exec;
    struct follower *follower = follower_new(request);
    if (!follower)
        return bt_fail_mem(err, "stream");
    follower->kind = kind;
    follower->key = taken->key;
    follower->id = taken->id;
    follower->levels = levels;
    follower->is_changed = true; /* What there is comes first. */
    follower->stream = bt_stream_new(request, &ops, follower);
    if (!follower->stream) {
        free(follower);
        return bt_fail_mem(err, "stream");
    }
    int rc = bt_respond_stream(request, follower->stream); /* Before the thread may end it. */
    if (rc == BT_OK)
        rc = join(request, follower, err);
    if (rc < 0) {
        request->response.stream = bt_stream_unref(request->response.stream);
        bt_stream_unref(follower->stream);
        free(follower);
    }
    return rc;
}

int bt_follow_wait(struct bt_request *request, const struct bt_start_result *exec,
                   unsigned timeout_ms, bt_handler *handler, struct bt_err *err)
{
    struct follower *follower = follower_new(request);
    if (!follower)
        return bt_fail_mem(err, "wait");
    follower->key = exec->key;
    follower->id = exec->id;
    follower->is_changed = true; /* It may have ended already. */
    follower->request = request;
    follower->handler = handler;
    follower->until_us = now_us() + timeout_ms * 1000ll;
    int rc = join(request, follower, err);
    if (rc < 0)
        free(follower);
    return rc < 0 ? rc : BT_PENDING;
}

int follow_start(struct bt_server *server, struct bt_err *err)
{
    struct follow *follow = calloc(1, sizeof *follow);
    if (!follow)
        return bt_fail_mem(err, "server");
    (void)pthread_mutex_init(&follow->lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_cond_init(&follow->wake, NULL);
    follow->service = server->service;
    if (pthread_create(&follow->thread, NULL, run, follow) != 0) {
        free(follow);
        return bt_fail_mem(err, "server");
    }
    server->follow = follow;
    return BT_OK;
}

void follow_stop(struct bt_server *server)
{
    struct follow *follow = server->follow;
    if (!follow)
        return;
    (void)pthread_mutex_lock(&follow->lock);
    follow->is_stopping = true;
    (void)pthread_cond_signal(&follow->wake);
    (void)pthread_mutex_unlock(&follow->lock);
}

void follow_join(struct bt_server *server)
{
    struct follow *follow = server->follow;
    if (!follow)
        return;
    (void)pthread_join(follow->thread, NULL);
    (void)pthread_cond_destroy(&follow->wake);
    (void)pthread_mutex_destroy(&follow->lock);
    free(follow);
    server->follow = NULL;
}
