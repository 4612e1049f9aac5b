/* listen_peers.c — Workers as the listener knows them: they come, go away for a while, come back
 * with what they run, and are lost. The listener's thread; it never blocks. */
#include "worker/remote/listen_int.h"

#include "base/crash.h"
#include "base/limits.h"
#include "base/tags.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS_MAX = 10000, FLOWS_SENT_MAX = 256 };

static void orders_clear(struct peer *peer)
{
    for (size_t i = 0; i < peer->orders.count; i++)
        bt_job_free(peer->orders.items[i].job);
    peer->orders.count = 0;
}

void peer_unref(struct peer *peer)
{
    assert(peer->refs > 0);
    if (--peer->refs > 0)
        return;
    orders_clear(peer);
    bt_vec_done(&peer->orders);
    bt_member_free(peer->member);
    free(peer);
}

/* --- Leases: what outlives this server ---------------------------------------------------------
 */

static int hold_lease(struct bt_listener *listener)
{
    unsigned lost_ms = listener->config.lost_ms, orphan_ms = listener->config.orphan_ms;
    unsigned ms = listener->has_expired || orphan_ms < lost_ms ? lost_ms : orphan_ms;
    if (!listener->config.hold_lease)
        return BT_OK;
    struct bt_err err = BT_ERR_INIT; /* Told by who holds it. */
    return listener->config.hold_lease(listener->config.data, ms, &err);
}

static void drop_lease(struct bt_listener *listener)
{
    if (listener->has_expired && listener->peers.count == 0 && listener->config.drop_lease)
        listener->config.drop_lease(listener->config.data);
}

static void expire_orphans(struct bt_listener *listener, int64_t now_us)
{
    if (listener->has_expired ||
        now_us - listener->started_us < (int64_t)listener->config.orphan_ms * 1000)
        return;
    listener->has_expired = true;
    report_event(listener, REPORT_EXPIRE, NULL);
    if (listener->peers.count)
        (void)hold_lease(listener); /* A failure leaves the longer one in force. */
    drop_lease(listener);
}

/* --- Orders: from the hub, under its mutex ------------------------------------------------------
 */

static void put_order(struct peer *peer, struct order order)
{
    lock(peer->listener);
    if (peer->conn) {
        bt_vec_push(&peer->orders, order);
        listener_wake(peer->listener);
    } else { /* Away: when it comes back without the job, the job is lost. */
        bt_job_free(order.job);
    }
    unlock(peer->listener);
}

static void give_job(void *data, struct bt_job *job)
{
    put_order(data, (struct order){.job = job, .token = job->token});
}

static void kill_job(void *data, uint64_t token)
{
    put_order(data, (struct order){.token = token});
}

static void release_place(void *data, uint64_t place)
{
    put_order(data, (struct order){.token = place, .is_release = true});
}

/* The flow goes before its first job. Under the mutex. */
static void queue_flow(struct conn *conn, struct bt_flow *flow)
{
    for (size_t i = conn->sent.count; i-- > 0;)
        if (conn->sent.items[i] == flow)
            return;
    bool is_full = conn->sent.count >= FLOWS_SENT_MAX;
    for (size_t i = 0; is_full && i < conn->sent.count; i++)
        bt_flow_unref(conn->sent.items[i]);
    if (is_full)
        conn->sent.count = 0;
    struct bt_value *message = bt_wire_flow(flow);
    if (is_full && message && bt_map_puts(message, "drop", bt_value_bool(true)) < 0)
        bt_die("out of memory");
    bt_vec_push(&conn->sent, bt_flow_ref(flow));
    listener_queue(conn, BT_FRAME_FLOW, message);
}

/* A job that does not fit a message fails; else it would be given out for ever. */
static void refuse_job(struct bt_listener *listener, struct peer *peer, uint64_t token)
{
    char text[160];
    int64_t now_us = bt_clock_wall_us(bt_clock_system());
    (void)snprintf(text, sizeof text,
                   "what the task's expressions name is larger than %u bytes, the most that can be "
                   "sent to a worker; pass large data in files",
                   BT_FRAME_BYTES_MAX);
    struct bt_job_result result = {.token = token,
                                   .state = BT_FAILED,
                                   .error = text,
                                   .started_us = now_us,
                                   .ended_us = now_us};
    report_put(listener, peer, BT_FRAME_RESULT, bt_wire_result(&result));
}

static void write_job(struct bt_listener *listener, struct conn *conn, struct bt_job *job)
{
    BT_VALUE message = bt_wire_job(job);
    if (!message)
        bt_die("out of memory");
    lock(listener);
    queue_flow(conn, job->flow);
    int rc = bt_frame_add(&conn->out, BT_FRAME_JOB, message);
    unlock(listener);
    if (rc == BT_LIMIT)
        refuse_job(listener, conn->peer, job->token);
    bt_job_free(job);
}

void peer_write_orders(struct bt_listener *listener, struct conn *conn)
{
    struct peer *peer = conn->peer;
    lock(listener);
    __typeof__(peer->orders) orders = peer->orders;
    memset(&peer->orders, 0, sizeof peer->orders);
    unlock(listener);
    for (size_t i = 0; i < orders.count; i++) {
        struct order *order = &orders.items[i];
        if (order->job)
            write_job(listener, conn, order->job);
        else
            listener_send(listener, conn, order->is_release ? BT_FRAME_RELEASE : BT_FRAME_KILL,
                          bt_frame_map1("token", bt_wire_token(order->token)));
    }
    bt_vec_done(&orders);
}

/* --- Coming back --------------------------------------------------------------------------------
 */

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

static void give_back(struct bt_listener *listener, struct peer *peer, uint64_t token)
{
    report_put(listener, peer, BT_FRAME_GIVE_BACK, bt_frame_map1("token", bt_wire_token(token)));
}

/* Places: a worker that this server does not know brings along what an earlier one has opened; of
 * one that was away the hub knows better. */
static void reconcile_places(struct peer *peer, const struct bt_value *list, bool is_new)
{
    BT_VEC(uint64_t) places = {0};
    for (size_t i = 0; i < bt_value_count(list); i++) {
        BT_VALUE entry = bt_frame_map1("token", bt_value_ref(bt_list_at(list, i)));
        uint64_t place = bt_wire_read_token(entry);
        if (place && (!is_new || !bt_hub_adopt_place(peer->member, place)))
            bt_vec_push(&places, place);
    }
    if (!is_new)
        bt_hub_check_places(peer->member, places.items, places.count);
    for (size_t i = 0; is_new && i < places.count; i++) /* Another worker has it. */
        release_place(peer, places.items[i]);
    bt_vec_done(&places);
}

/* A worker that was away is back: what it does not have any more is lost; what nobody waits for any
 * more is killed. */
static void reconcile(struct bt_listener *listener, struct conn *conn,
                      const struct bt_value *running)
{
    struct compare_ctx ctx = {.running = running};
    struct bt_member *member = conn->peer->member;
    bt_hub_each_held(member, compare_held, &ctx);
    for (size_t i = 0; i < ctx.missing.count; i++)
        give_back(listener, conn->peer, ctx.missing.items[i]);
    bt_vec_done(&ctx.missing);
    for (size_t i = 0; i < bt_value_count(running); i++) {
        BT_VALUE entry = bt_frame_map1("token", bt_value_ref(bt_list_at(running, i)));
        uint64_t token = bt_wire_read_token(entry);
        if (token && !bt_hub_holds(member, token) && !bt_hub_adopt(member, token))
            kill_job(conn->peer, token);
    }
}

static void attach(struct bt_listener *listener, struct conn *conn, struct peer *peer)
{
    lock(listener);
    if (peer->conn) { /* The old connection is dead, it only does not know it yet. */
        peer->conn->is_closing = true;
        peer->conn->peer = NULL;
    }
    orders_clear(peer); /* Of the old connection. */
    peer->conn = conn;
    conn->peer = peer;
    conn->in.max = BT_FRAME_BYTES_MAX + (1u << 20);
    conn->out.max = (size_t)BT_FRAME_BYTES_MAX * (peer->slots + 2); /* Credit bounds it. */
    unlock(listener);
    peer->heard_us = mono_us();
}

static struct peer *find_peer(struct bt_listener *listener, struct bt_str id)
{
    for (size_t i = 0; i < listener->peers.count; i++)
        if (bt_str_is(id, listener->peers.items[i]->id))
            return listener->peers.items[i];
    return NULL;
}

static struct peer *peer_new(struct bt_listener *listener, const struct bt_value *hello,
                             unsigned slots)
{
    static const struct bt_member_ops ops = {give_job, kill_job, release_place};
    struct bt_str id = bt_map_str(hello, "id");
    char *group = bt_str_dup(bt_map_str(hello, "group"));
    char *tags = bt_str_dup(bt_map_str(hello, "tags"));
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer || !group || !tags)
        bt_die("out of memory");
    peer->listener = listener;
    peer->refs = 1;
    peer->slots = slots;
    memcpy(peer->id, id.at, id.len);
    bt_vec_push(&listener->peers, peer);
    const struct bt_member_kind kind = {group, tags, slots};
    peer->member = bt_hub_join(listener->config.hub, &kind, &ops, peer);
    if (!peer->member)
        bt_die("out of memory");
    free(group);
    free(tags);
    return peer;
}

void peer_hello(struct bt_listener *listener, struct conn *conn, const struct bt_value *hello)
{
    struct bt_str id = bt_map_str(hello, "id"), group = bt_map_str(hello, "group");
    int64_t slots = bt_value_as_int(bt_map_gets(hello, "slots"));
    bool has_kind = group.len <= BT_GROUP_BYTES_MAX && bt_tags_are_valid(bt_map_str(hello, "tags"));
    if (id.len == 0 || id.len >= WORKER_ID_SIZE || !has_kind || slots < 1 || slots > SLOTS_MAX) {
        listener_refuse(listener, conn,
                        "HELLO lacks an id, or its group, tags or slots are out of range");
        return;
    }
    struct peer *peer = find_peer(listener, id);
    if (!peer && hold_lease(listener) < 0) {
        conn->is_closing = true; /* It comes again. */
        return;
    }
    BT_CRASH_POINT("lease-held");
    listener_send(listener, conn, BT_FRAME_WELCOME, listener_welcome(listener));
    bool is_new = !peer;
    if (peer)
        bt_hub_away(peer->member, true); /* No job comes between what it says and the answer. */
    else
        peer = peer_new(listener, hello, (unsigned)slots);
    attach(listener, conn, peer);
    reconcile(listener, conn, bt_map_gets(hello, "running"));
    reconcile_places(peer, bt_map_gets(hello, "places"), is_new);
    bt_hub_away(peer->member, false);
    BT_CRASH_POINT("welcomed");
}

/* --- Its words ----------------------------------------------------------------------------------
 */

/* Lines may be repeated after a new connection. */
static void on_logs(struct bt_listener *listener, struct peer *peer, struct bt_value *message)
{
    int64_t n = bt_value_as_int(bt_map_gets(message, "n"));
    if (n > peer->logs_count) {
        peer->logs_count = n;
        report_put(listener, peer, BT_FRAME_LOGS, bt_value_ref(message));
    }
}

void peer_on_frame(struct bt_listener *listener, struct conn *conn, const struct bt_frame *frame)
{
    struct peer *peer = conn->peer;
    peer->heard_us = mono_us();
    BT_VALUE message = NULL;
    if (bt_frame_value(frame, &message, NULL) < 0) {
        listener_refuse(listener, conn, "a message is not readable");
        return;
    }
    switch (frame->type) {
    case BT_FRAME_HEARTBEAT:
        listener_send(listener, conn, BT_FRAME_HEARTBEAT, BT_TAKE(message));
        return;
    case BT_FRAME_LOGS: on_logs(listener, peer, message); return;
    case BT_FRAME_STARTED:
    case BT_FRAME_RESULT:
    case BT_FRAME_GIVE_BACK: report_put(listener, peer, frame->type, BT_TAKE(message)); return;
    case BT_FRAME_DRAIN:
        peer->is_draining = true;
        bt_hub_drain(peer->member);
        return;
    default: listener_refuse(listener, conn, "a message that a worker does not send"); return;
    }
}

/* --- Going --------------------------------------------------------------------------------------
 */

void peer_away(struct bt_listener *listener, struct conn *conn)
{
    lock(listener);
    struct peer *peer = conn->peer && conn->peer->conn == conn ? conn->peer : NULL;
    if (peer) {
        peer->conn = NULL;
        orders_clear(peer);
    }
    unlock(listener);
    if (peer)
        bt_hub_away(peer->member, true);
}

/* Takes it out of the table. What it holds is lost when all that it said before is handed over. */
static void peer_leave(struct bt_listener *listener, size_t index)
{
    struct peer *peer = listener->peers.items[index];
    listener->peers.items[index] = listener->peers.items[--listener->peers.count];
    bt_hub_away(peer->member, true);
    report_event(listener, REPORT_LEAVE, peer);
    lock(listener);
    if (peer->conn) {
        peer->conn->peer = NULL;
        peer->conn->is_closing = true;
        peer->conn = NULL;
    }
    peer_unref(peer);
    unlock(listener);
}

/* Silent for the lease's time; or it has drained and gone. */
static bool is_lost(const struct bt_listener *listener, const struct peer *peer, int64_t now_us)
{
    bool is_done = peer->is_draining && !peer->conn && bt_hub_held(peer->member) == 0;
    return is_done || now_us - peer->heard_us > (int64_t)listener->config.lost_ms * 1000;
}

void peers_tick(struct bt_listener *listener, int64_t now_us)
{
    size_t before = listener->peers.count;
    expire_orphans(listener, now_us);
    if (!listener->is_settled &&
        now_us - listener->started_us > (int64_t)listener->config.lost_ms * 1000) {
        listener->is_settled = true;
        report_event(listener, REPORT_SETTLED, NULL);
    }
    for (size_t i = listener->peers.count; i-- > 0;)
        if (is_lost(listener, listener->peers.items[i], now_us))
            peer_leave(listener, i);
    if (before && listener->peers.count == 0)
        drop_lease(listener);
}

void peers_forgive(struct bt_listener *listener, int64_t stall_us, int64_t now_us)
{
    listener->started_us += stall_us;
    for (size_t i = 0; i < listener->peers.count; i++) {
        struct peer *peer = listener->peers.items[i];
        peer->heard_us = peer->heard_us + stall_us < now_us ? peer->heard_us + stall_us : now_us;
    }
}

void peers_done(struct bt_listener *listener)
{
    size_t held = 0;
    for (size_t i = 0; i < listener->peers.count; i++)
        held += bt_hub_held(listener->peers.items[i]->member);
    while (listener->peers.count)
        peer_leave(listener, listener->peers.count - 1);
    if (held == 0)
        drop_lease(listener);
}
