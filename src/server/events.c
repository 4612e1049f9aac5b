/* events.c — The runner's thread notes what changed; one thread reads the rows and sends them to
 * whoever wants them, at most twenty times a second. */
#include "server/events.h"

#include "base/limits.h"
#include "base/map64.h"
#include "base/num.h"
#include "base/own.h"
#include "server/http_int.h"
#include "server/stream.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NOTES = 8192,     /* Changes remembered. */
    PAUSE_US = 50000, /* Between two rounds. */
    LIST_MAX = 200,   /* Executions told to a list in one round; more is a gap. */
    GAP_US = 1000000, /* Between two gaps of one stream. */
    TOPICS_MAX = 32,
};

struct note {
    uint64_t seq, key;
    enum bt_change_kind kind;
    uint32_t run;
    struct bt_id id;
    bool is_gone;
};

struct topic {
    enum bt_change_kind kind; /* EXEC: the execution and its runs; LOG: its lines. */
    uint64_t key;
    struct bt_id id;
    uint64_t line; /* LOG: the next one. */
    bool is_behind, is_over;
};

struct listener {
    struct listener *next;
    struct bt_stream *stream;
    struct bt_principal principal;
    bool has_list;        /* Wants every execution. */
    struct topic *topics; /* Owned. */
    size_t topic_count;
    uint64_t seq; /* Changes after this one are news. */
    bool is_new, has_gap;
    int64_t sent_us, gap_us; /* Monotonic. */
    atomic_bool is_gone;
};

struct events {
    struct bt_service *service;
    uint32_t epoch; /* Of this server: ids of another one mean nothing. */
    pthread_t thread;
    struct bt_watch *watch;
    /* What the runner's thread writes. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct note *notes; /* A ring; made with the first listener. */
    uint64_t seq;       /* Of the newest note. */
    uint64_t taken;     /* Of the newest that the thread has taken. */
    bool is_stopping, has_news;
    /* The listeners: the thread's, and theirs who join. */
    pthread_mutex_t listeners_lock;
    struct listener *listeners;
    size_t count;
};

static int64_t now_us(void)
{
    return bt_clock_mono_us(bt_clock_system());
}

/* --- Noting ----------------------------------------------------------------------------------- */

static void on_change(void *data, const struct bt_change *change)
{
    struct events *events = data;
    (void)pthread_mutex_lock(&events->lock); /* Cannot fail on a default mutex. */
    struct note *last = &events->notes[events->seq % NOTES];
    /* One note for the lines of a burst; but one that was taken tells nobody of later ones. */
    bool is_same = last->key == change->exec->key && last->kind == change->kind &&
                   change->kind == BT_CHANGE_LOG && events->seq > events->taken;
    if (!is_same) {
        struct note *note = &events->notes[++events->seq % NOTES];
        *note = (struct note){.seq = events->seq,
                              .key = change->exec->key,
                              .kind = change->kind,
                              .run = change->run ? change->run->n : 0,
                              .is_gone = change->is_gone,
                              .id = change->exec->id};
    }
    events->has_news = true;
    (void)pthread_cond_signal(&events->wake);
    (void)pthread_mutex_unlock(&events->lock);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void id_of(const struct events *events, uint64_t seq, char out[40])
{
    (void)snprintf(out, 40, "%08x-%llu", events->epoch, (unsigned long long)seq); /* Fits. */
}

static bool send_event(const struct events *events, struct listener *listener, const char *kind,
                       struct bt_str text)
{
    char id[40];
    id_of(events, listener->seq, id);
    listener->sent_us = now_us();
    return bt_stream_send(listener->stream, bt_str_of(id), bt_str_of(kind), text);
}

/* At most one a second; the rest of the time it is remembered. */
static void send_gap(const struct events *events, struct listener *listener)
{
    listener->has_gap = true;
    if (now_us() - listener->gap_us < GAP_US)
        return;
    listener->gap_us = now_us();
    listener->has_gap = !send_event(events, listener, "gap", BT_STR("{}"));
}

struct lines {
    const struct events *events;
    struct listener *listener;
    struct topic *topic;
};

static int send_line(void *data, struct bt_str text, uint64_t line)
{
    struct lines *lines = data;
    struct bt_buf with = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    (void)bt_buf_add(&with, bt_str_slice(text, 0, text.len - 1)); /* Checked below. */
    (void)bt_buf_addf(&with, ",\"line\":%llu}", (unsigned long long)line);
    bool is_sent =
        !with.failed && send_event(lines->events, lines->listener, "log", bt_buf_str(&with));
    bt_buf_done(&with);
    if (is_sent)
        lines->topic->line = line + 1;
    return is_sent ? BT_OK : BT_ABORTED;
}

static int read_exec(const struct events *events, const struct listener *listener,
                     const struct bt_id *id, struct bt_exec **ret_exec)
{
    return bt_service_exec(events->service, &listener->principal, bt_id_str(id), ret_exec, NULL);
}

static bool is_over(const struct bt_exec *exec)
{
    return bt_state_is_ended(exec->state) && exec->is_drained;
}

/* Once all of a topic was sent and its execution is over. */
static void end_topic(const struct events *events, struct listener *listener, struct topic *topic)
{
    char text[80];
    (void)snprintf(text, sizeof text, "{\"topic\":\"%s:%s\"}",
                   topic->kind == BT_CHANGE_LOG ? "logs" : "execution", topic->id.text); /* Fits. */
    topic->is_over = send_event(events, listener, "end", bt_str_of(text));
    topic->is_behind |= !topic->is_over;
}

static void send_lines(struct events *events, struct listener *listener, struct topic *topic)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_log_filter filter = {.attempt = -1, .first_line = topic->line};
    struct lines lines = {events, listener, topic};
    if (read_exec(events, listener, &topic->id, &exec) < 0)
        return;
    int rc = bt_service_logs(events->service, exec, &filter,
                             &(struct bt_line_sink){send_line, &lines}, NULL);
    topic->is_behind = rc < 0;
    if (rc == BT_OK && is_over(exec))
        end_topic(events, listener, topic);
}

/* The row as it is now; *text stays empty when it cannot be read. */
static void render(struct events *events, const struct listener *listener, const struct note *note,
                   struct bt_buf *text, bool *ret_is_over)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    *ret_is_over = note->is_gone;
    if (note->is_gone) {
        (void)bt_buf_addf(text, "{\"id\":\"%s\",\"deleted\":true}", note->id.text); /* Fits. */
        return;
    }
    if (read_exec(events, listener, &note->id, &exec) < 0)
        return;
    *ret_is_over = is_over(exec);
    int rc = note->kind == BT_CHANGE_EXEC
                 ? bt_service_exec_json(events->service, exec, BT_EXEC_HEAD, text, NULL)
                 : bt_service_run_json(events->service, exec, note->run, text, NULL);
    if (rc == BT_OK && note->kind == BT_CHANGE_EXEC)
        (void)bt_buf_addc(text, '}'); /* Checked below. */
    if (rc < 0 || text->failed)
        bt_buf_clear(text);
}

static struct topic *topic_of(struct listener *listener, uint64_t key, enum bt_change_kind kind)
{
    for (size_t i = 0; i < listener->topic_count; i++)
        if (listener->topics[i].key == key && listener->topics[i].kind == kind)
            return &listener->topics[i];
    return NULL;
}

/* What a listener wants of a note: a topic of its own, or the list. */
static bool is_wanted(struct listener *listener, const struct note *note, bool has_list)
{
    if (note->seq <= listener->seq)
        return false;
    if (note->kind == BT_CHANGE_EXEC && listener->has_list && has_list)
        return true;
    return topic_of(listener, note->key, BT_CHANGE_EXEC) != NULL;
}

/* Sends a row to all who want it (or to one); it is read once. */
static void tell(struct events *events, const struct note *note, bool has_list,
                 const struct listener *only)
{
    struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    bool is_read = false, is_last = false;
    for (struct listener *listener = events->listeners; listener; listener = listener->next) {
        if ((only && listener != only) || !is_wanted(listener, note, has_list))
            continue;
        if (!is_read)
            render(events, listener, note, &text, &is_last);
        is_read = true;
        const char *kind = note->kind == BT_CHANGE_EXEC ? "execution" : "run";
        listener->seq = note->seq; /* Whoever has this one goes on behind it. */
        if (text.len && !send_event(events, listener, kind, bt_buf_str(&text)))
            send_gap(events, listener);
        struct topic *topic = topic_of(listener, note->key, BT_CHANGE_EXEC);
        if (topic && is_last && note->kind == BT_CHANGE_EXEC && !topic->is_over)
            end_topic(events, listener, topic);
    }
    bt_buf_done(&text);
}

/* --- A round ---------------------------------------------------------------------------------- */

struct batch {
    struct note *notes;
    size_t count, execs;
    uint64_t seq;
};

static uint64_t row_of(const struct note *note)
{
    return (note->key << 24) ^ ((uint64_t)note->run << 2) ^ (uint64_t)note->kind;
}

/* Several changes of one row are told once: as it is now. Keeps the newest of each, in order, moved
 * to the front. A note stays where it is until all before it were looked at. */
static void squeeze(struct batch *batch)
{
    struct bt_map64 newest = {0};
    for (size_t i = batch->count; i-- > 0;) {
        struct note *note = &batch->notes[i];
        uint64_t row = row_of(note) | 1ull << 63;
        if (note->kind == BT_CHANGE_LOG || bt_map64_get(&newest, row))
            continue;
        bt_map64_put(&newest, row, note);
        batch->execs += note->kind == BT_CHANGE_EXEC;
    }
    size_t at = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct note *note = &batch->notes[i];
        if (note->kind != BT_CHANGE_LOG && bt_map64_get(&newest, row_of(note) | 1ull << 63) == note)
            batch->notes[at++] = *note;
    }
    batch->count = at;
    bt_map64_done(&newest);
}

/* Copies the notes after `from`; false: some are forgotten already. With the lock held. */
static bool copy_notes(struct events *events, uint64_t from, struct batch *batch)
{
    uint64_t first = events->seq >= NOTES ? events->seq - NOTES + 1 : 1;
    bool is_whole = from + 1 >= first;
    batch->count = 0;
    for (uint64_t seq = from + 1 > first ? from + 1 : first; seq <= events->seq; seq++)
        batch->notes[batch->count++] = events->notes[seq % NOTES];
    batch->seq = events->seq;
    return is_whole;
}

/* What the client has missed between two connections, as far as it is remembered. */
static void replay(struct events *events, struct listener *listener)
{
    struct batch missed = {.notes = calloc(NOTES, sizeof *missed.notes)};
    bool is_whole = false;
    if (missed.notes) {
        (void)pthread_mutex_lock(&events->lock);
        is_whole = copy_notes(events, listener->seq, &missed);
        (void)pthread_mutex_unlock(&events->lock);
        squeeze(&missed);
    }
    if (!is_whole || missed.execs > LIST_MAX)
        listener->has_gap = true;
    for (size_t i = 0; is_whole && i < missed.count; i++)
        tell(events, &missed.notes[i], missed.execs <= LIST_MAX, listener);
    if (listener->seq < missed.seq)
        listener->seq = missed.seq;
    free(missed.notes);
}

static void begin_listener(struct events *events, struct listener *listener)
{
    listener->is_new = false;
    (void)send_event(events, listener, "hello", BT_STR("{}")); /* An empty buffer has room. */
    replay(events, listener);
    for (size_t i = 0; i < listener->topic_count; i++) {
        struct topic *topic = &listener->topics[i];
        BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
        if (topic->kind == BT_CHANGE_EXEC && !topic->is_over &&
            read_exec(events, listener, &topic->id, &exec) == BT_OK && is_over(exec))
            end_topic(events, listener, topic);
    }
}

/* With the listeners' lock held. */
static void serve_logs(struct events *events, struct batch *batch, struct listener *listener)
{
    for (size_t i = 0; i < listener->topic_count; i++) {
        struct topic *topic = &listener->topics[i];
        bool has_news = topic->is_behind;
        if (topic->kind != BT_CHANGE_LOG || topic->is_over)
            continue;
        for (size_t j = 0; j < batch->count && !has_news; j++)
            has_news = batch->notes[j].key == topic->key;
        if (has_news)
            send_lines(events, listener, topic);
    }
}

static void serve(struct events *events, struct batch *batch, bool is_whole)
{
    for (struct listener *listener = events->listeners; listener; listener = listener->next) {
        if (listener->is_new)
            begin_listener(events, listener);
        serve_logs(events, batch, listener);
    }
    squeeze(batch);
    bool has_list = batch->execs <= LIST_MAX;
    for (size_t i = 0; i < batch->count; i++)
        tell(events, &batch->notes[i], has_list, NULL);
    for (struct listener *listener = events->listeners; listener; listener = listener->next) {
        if (listener->seq < batch->seq)
            listener->seq = batch->seq;
        if (!is_whole || listener->has_gap || (listener->has_list && !has_list))
            send_gap(events, listener);
        if (now_us() - listener->sent_us > BT_STREAM_KEEP_ALIVE_S * 1000000ll) {
            bt_stream_comment(listener->stream);
            listener->sent_us = now_us();
        }
    }
}

static void listener_free(struct listener *listener)
{
    bt_stream_unref(listener->stream);
    free(listener->topics);
    free(listener);
}

static void remove_gone(struct events *events)
{
    for (struct listener **at = &events->listeners; *at;) {
        struct listener *listener = *at;
        if (!atomic_load(&listener->is_gone)) {
            at = &listener->next;
            continue;
        }
        *at = listener->next;
        events->count--;
        listener_free(listener);
    }
}

static void *run(void *data)
{
    struct events *events = data;
    struct batch batch = {.notes = calloc(NOTES, sizeof *batch.notes)};
    uint64_t seq = 0;
    if (!batch.notes)
        return NULL;
    (void)pthread_mutex_lock(&events->lock);
    seq = events->taken = events->seq;
    while (!events->is_stopping) {
        if (!events->has_news)
            bt_clock_wait(&events->wake, &events->lock, 1000000);
        events->has_news = false;
        bool is_whole = copy_notes(events, seq, &batch);
        seq = events->taken = batch.seq;
        batch.execs = 0;
        (void)pthread_mutex_unlock(&events->lock);
        (void)pthread_mutex_lock(&events->listeners_lock);
        serve(events, &batch, is_whole);
        remove_gone(events);
        (void)pthread_mutex_unlock(&events->listeners_lock);
        bt_clock_pause(PAUSE_US);
        (void)pthread_mutex_lock(&events->lock);
    }
    (void)pthread_mutex_unlock(&events->lock);
    free(batch.notes);
    return NULL;
}

/* --- Joining ---------------------------------------------------------------------------------- */

static void on_gone(void *data)
{
    struct listener *listener = data;
    atomic_store(&listener->is_gone, true); /* The next round removes it. */
}

/* "execution:ID", "logs:ID", "logs:ID:LINE". */
static int add_topic(struct bt_request *request, struct listener *listener, struct bt_str text,
                     struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct topic topic = {.kind = BT_CHANGE_EXEC};
    if (bt_str_is(text, "executions")) {
        listener->has_list = true;
        return BT_OK;
    }
    bool is_logs = bt_str_starts(text, BT_STR("logs:"));
    if (!is_logs && !bt_str_starts(text, BT_STR("execution:")))
        return bt_fail(err, BT_INVALID, "Illegal argument: there is no topic '%.*s'", BT_FMT(text));
    struct bt_str id = bt_str_slice(text, is_logs ? 5 : 10, text.len);
    ptrdiff_t colon = bt_str_find(id, BT_STR(":"), 0);
    if (is_logs && colon >= 0) {
        if (!bt_parse_u64(bt_str_slice(id, (size_t)colon + 1, id.len), &topic.line))
            return bt_fail(err, BT_INVALID, "Illegal argument: '%.*s' has no line number",
                           BT_FMT(text));
        id = bt_str_slice(id, 0, (size_t)colon);
    }
    if (listener->topic_count == TOPICS_MAX)
        return bt_fail(err, BT_INVALID, "Illegal argument: more than %d topics", TOPICS_MAX);
    BT_TRY(bt_service_exec(request->service, &request->principal, id, &exec, err));
    topic.key = exec->key;
    topic.id = exec->id;
    topic.kind = is_logs ? BT_CHANGE_LOG : BT_CHANGE_EXEC;
    topic.is_behind = is_logs;
    struct topic *topics =
        realloc(listener->topics, (listener->topic_count + 1) * sizeof *listener->topics);
    if (!topics)
        return bt_fail_mem(err, "stream");
    listener->topics = topics;
    listener->topics[listener->topic_count++] = topic;
    return BT_OK;
}

static int add_topics(struct bt_request *request, struct listener *listener, struct bt_err *err)
{
    BT_VALUE topics = NULL;
    BT_TRY(bt_query_list(request, "topics", &topics, err));
    for (size_t i = 0; i < bt_value_count(topics); i++)
        BT_TRY(add_topic(request, listener, bt_value_str(bt_list_at(topics, i)), err));
    return topics ? BT_OK : bt_fail(err, BT_INVALID, "Illegal argument: which topics?");
}

/* The ring and the watch begin with the first listener: nobody else pays for them. With the
 * listeners' lock held. */
static int begin(struct events *events, struct bt_err *err)
{
    if (events->watch)
        return BT_OK;
    events->notes = calloc(NOTES, sizeof *events->notes);
    if (!events->notes)
        return bt_fail_mem(err, "stream");
    events->watch = bt_bus_watch(events->service->bus, 0, on_change, events);
    if (events->watch && pthread_create(&events->thread, NULL, run, events) == 0)
        return BT_OK;
    bt_bus_unwatch(events->service->bus, events->watch);
    events->watch = NULL;
    free(events->notes);
    events->notes = NULL;
    return bt_fail_mem(err, "stream");
}

/* Where the listener goes on: behind what the client has seen, or now. */
static void resume(struct events *events, struct listener *listener, struct bt_str last)
{
    unsigned long long seq = 0;
    unsigned epoch = 0;
    char text[40];
    (void)snprintf(text, sizeof text, "%.*s", BT_FMT(last)); /* Cut: it is not one of ours. */
    bool is_ours = sscanf(text, "%8x-%llu", &epoch, &seq) == 2 && epoch == events->epoch;
    (void)pthread_mutex_lock(&events->lock);
    listener->seq = is_ours && seq <= events->seq ? seq : events->seq;
    listener->has_gap = last.len && !is_ours;
    events->has_news = true;
    (void)pthread_cond_signal(&events->wake);
    (void)pthread_mutex_unlock(&events->lock);
}

static int join(struct events *events, struct listener *listener, struct bt_request *request,
                struct bt_err *err)
{
    (void)pthread_mutex_lock(&events->listeners_lock);
    int rc = events->is_stopping || events->count >= BT_STREAMS_MAX
                 ? bt_fail(err, BT_BUSY, "too many clients follow something")
                 : begin(events, err);
    if (rc == BT_OK) {
        resume(events, listener, bt_header(request, "Last-Event-ID"));
        listener->next = events->listeners;
        events->listeners = listener;
        events->count++;
    }
    (void)pthread_mutex_unlock(&events->listeners_lock);
    return rc;
}

int bt_events_begin(struct bt_request *request, struct bt_err *err)
{
    static const struct bt_stream_ops ops = {on_gone};
    struct events *events = request->server->events;
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return bt_fail_mem(err, "stream");
    listener->principal = request->principal;
    listener->is_new = true;
    int rc = add_topics(request, listener, err);
    listener->stream = rc == BT_OK ? bt_stream_new(request, &ops, listener) : NULL;
    if (rc == BT_OK && !listener->stream)
        rc = bt_fail_mem(err, "stream");
    if (rc == BT_OK) {
        rc = bt_respond_stream(request, listener->stream); /* Before the thread may end it. */
        if (rc == BT_OK)
            rc = join(events, listener, request, err);
    }
    if (rc == BT_OK)
        return BT_OK; /* It is among the listeners now. */
    request->response.stream = bt_stream_unref(request->response.stream);
    listener_free(listener);
    return rc;
}

/* --- Start and stop --------------------------------------------------------------------------- */

int events_start(struct bt_server *server, struct bt_err *err)
{
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        return bt_fail_mem(err, "server");
    (void)pthread_mutex_init(&events->lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_mutex_init(&events->listeners_lock, NULL);
    (void)pthread_cond_init(&events->wake, NULL);
    events->service = server->service;
    events->epoch = (uint32_t)(bt_clock_wall_us(bt_clock_system()) / 1000);
    server->events = events;
    return BT_OK;
}

void events_stop(struct bt_server *server)
{
    struct events *events = server->events;
    if (!events)
        return;
    (void)pthread_mutex_lock(&events->listeners_lock);
    (void)pthread_mutex_lock(&events->lock);
    events->is_stopping = true;
    (void)pthread_cond_signal(&events->wake);
    (void)pthread_mutex_unlock(&events->lock);
    for (struct listener *listener = events->listeners; listener; listener = listener->next)
        bt_stream_end(listener->stream);
    (void)pthread_mutex_unlock(&events->listeners_lock);
    if (events->watch)
        (void)pthread_join(events->thread, NULL);
}

void events_free(struct bt_server *server)
{
    struct events *events = server->events;
    if (!events)
        return;
    bt_bus_unwatch(events->service->bus, events->watch);
    remove_gone(events);
    (void)pthread_cond_destroy(&events->wake);
    (void)pthread_mutex_destroy(&events->listeners_lock);
    (void)pthread_mutex_destroy(&events->lock);
    free(events->notes);
    free(events);
    server->events = NULL;
}
