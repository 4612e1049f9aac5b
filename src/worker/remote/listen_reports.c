/* listen_reports.c — Hands over to the hub what workers report, in order. May wait for the engine,
 * so it has a thread of its own. */
#include "worker/remote/listen_int.h"

#include "base/crash.h"
#include "base/limits.h"

#include <stdlib.h>

enum { LINES_MAX = 4096 };

static void put(struct bt_listener *listener, struct report content)
{
    struct report *report = malloc(sizeof *report);
    if (!report)
        bt_die("out of memory");
    *report = content;
    lock(listener);
    if (report->peer)
        report->peer->refs++;
    *listener->last_report = report;
    listener->last_report = &report->next;
    (void)pthread_cond_signal(&listener->reports_changed);
    unlock(listener);
}

void report_put(struct bt_listener *listener, struct peer *peer, enum bt_frame_type type,
                struct bt_value *message)
{
    if (!message)
        bt_die("out of memory");
    put(listener, (struct report){.peer = peer, .type = type, .message = message});
}

void report_event(struct bt_listener *listener, enum report_kind kind, struct peer *peer)
{
    put(listener, (struct report){.kind = kind, .peer = peer});
}

/* An answer to the worker, when it is there. Takes the value. */
static void answer(struct peer *peer, enum bt_frame_type type, struct bt_value *value)
{
    struct bt_listener *listener = peer->listener;
    lock(listener);
    if (peer->conn) {
        listener_queue(peer->conn, type, value);
        listener_wake(listener);
    } else {
        bt_value_unref(value);
    }
    unlock(listener);
}

static void hand_logs(struct peer *peer, const struct bt_value *message)
{
    struct bt_log_line *lines = malloc(LINES_MAX * sizeof *lines);
    if (!lines)
        bt_die("out of memory");
    size_t count = bt_wire_read_logs(message, lines, LINES_MAX);
    if (count) /* False: nobody waits for them. */
        (void)bt_hub_logs(peer->member, bt_wire_read_token(message), lines, count);
    free(lines);
    answer(peer, BT_FRAME_LOGS_ACK, bt_frame_map1("n", bt_value_ref(bt_map_gets(message, "n"))));
}

static void hand_result(struct peer *peer, const struct bt_value *message)
{
    struct bt_job_result result;
    BT_CRASH_POINT("result");
    if (bt_wire_read_result(message, &result, NULL) == BT_OK)
        (void)bt_hub_result(peer->member, &result); /* False: it came late. */
    BT_CRASH_POINT("result-handed");
    answer(peer, BT_FRAME_ACK, bt_frame_map1("token", bt_value_ref(bt_map_gets(message, "token"))));
}

static void hand_message(const struct report *report)
{
    struct bt_member *member = report->peer->member;
    uint64_t token = bt_wire_read_token(report->message);
    switch (report->type) {
    case BT_FRAME_STARTED:
        (void)bt_hub_started(member, token, bt_value_as_int(bt_map_gets(report->message, "at")));
        return;
    case BT_FRAME_LOGS: hand_logs(report->peer, report->message); return;
    case BT_FRAME_RESULT: hand_result(report->peer, report->message); return;
    case BT_FRAME_GIVE_BACK: bt_hub_give_back(member, token); return;
    default: return; /* Nothing else is put. */
    }
}

static void hand_over(struct bt_listener *listener, const struct report *report)
{
    switch (report->kind) {
    case REPORT_MESSAGE: hand_message(report); return;
    case REPORT_LEAVE: bt_hub_leave(report->peer->member); return;
    case REPORT_SETTLED: bt_hub_expect(listener->config.hub, false); return;
    case REPORT_EXPIRE: bt_hub_expire_orphans(listener->config.hub); return;
    }
}

static struct report *take(struct bt_listener *listener)
{
    struct report *reports = listener->first_report;
    listener->first_report = NULL;
    listener->last_report = &listener->first_report;
    return reports;
}

/* Frees the report. Under the mutex. */
static struct report *drop(struct report *report)
{
    struct report *next = report->next;
    bt_value_unref(report->message);
    if (report->peer)
        peer_unref(report->peer);
    free(report);
    return next;
}

void *report_main(void *data)
{
    struct bt_listener *listener = data;
    (void)pthread_setname_np(pthread_self(), "bt-reports"); /* Cosmetic. */
    lock(listener);
    for (;;) {
        while (!listener->first_report && !listener->is_stopping)
            (void)pthread_cond_wait(&listener->reports_changed, &listener->lock);
        if (listener->is_stopping)
            break;
        struct report *report = take(listener);
        while (report) {
            unlock(listener);
            hand_over(listener, report);
            lock(listener);
            report = drop(report);
        }
    }
    unlock(listener);
    return NULL;
}

void reports_done(struct bt_listener *listener)
{
    lock(listener);
    struct report *report = take(listener);
    unlock(listener);
    while (report) {
        if (report->kind == REPORT_LEAVE)
            bt_hub_leave(report->peer->member);
        lock(listener);
        report = drop(report);
        unlock(listener);
    }
}
