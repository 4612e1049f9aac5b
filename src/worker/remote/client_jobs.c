/* client_jobs.c — What the server says, in the link's thread. */
#include "base/crash.h"
#include "worker/remote/client_int.h"
#include "worker/remote/wire.h"

#include <assert.h>
#include <stdlib.h>

void client_drop_flows(struct bt_client *client)
{
    for (size_t i = 0; i < client->flows.count; i++) {
        bt_flow_unref(client->flows.items[i]);
        free(client->flow_keys.items[i]);
    }
    client->flows.count = client->flow_keys.count = 0;
}

static void keep_flow(struct bt_client *client, const struct bt_value *message)
{
    struct bt_flow *flow = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (bt_value_as_bool(bt_map_gets(message, "drop")))
        client_drop_flows(client);
    if (bt_wire_read_flow(message, &flow, &err) < 0) {
        client_note(client, err.msg);
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

static void refuse_job(struct bt_client *client, uint64_t token, struct bt_err *err)
{
    struct bt_job_result result = {.token = token, .state = BT_FAILED, .error = err->msg};
    result.started_us = result.ended_us = bt_clock_wall_us(client->config.clock);
    client_send(client, BT_FRAME_RESULT, bt_wire_result(&result));
}

/* What was begun here is ended here, also by a worker that drains. */
static bool is_of_open_place(const struct bt_client *client, const struct bt_job *job)
{
    return (job->place.op == BT_PLACE_IN || job->place.op == BT_PLACE_CLOSE) &&
           client_has_place_locked(client, job->place.id);
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
        refuse_job(client, token, &err);
        return;
    }
    assert(job);
    lock(client);
    bool is_welcome = !client->is_draining || is_of_open_place(client, job);
    bool is_refused = !is_welcome || !client->has_executor || client_lease_is_over(client);
    if (!is_refused) { /* Both at once: what the fence finds it can kill. */
        bt_vec_push(&client->running, ((struct running){.token = token, .place = job->place}));
        if (job->place.op == BT_PLACE_OPEN && !client_has_place_locked(client, job->place.id))
            bt_vec_push(&client->places, job->place.id);
        client->executor.submit(client->executor.data, job);
    } else {
        client_send_locked(client, BT_FRAME_GIVE_BACK,
                           bt_frame_map1("token", bt_wire_token(token)));
    }
    unlock(client);
    BT_CRASH_POINT("job-taken");
    if (is_refused)
        bt_job_free(job);
}

static void on_ack(struct bt_client *client, uint64_t token)
{
    lock(client);
    struct running *entry = client_find_locked(client, token);
    BT_CRASH_POINT("acked");
    if (entry && entry->result)
        client_forget_locked(client, entry);
    unlock(client);
}

static void on_logs_ack(struct bt_client *client, int64_t n)
{
    size_t acked = 0;
    lock(client);
    while (acked < client->logs.count && client->logs.items[acked].n <= n) {
        client->log_bytes -= client->logs.items[acked].bytes;
        bt_value_unref(client->logs.items[acked++].message);
    }
    client->logs.count -= acked;
    if (acked && client->logs.count)
        memmove(client->logs.items, client->logs.items + acked,
                client->logs.count * sizeof *client->logs.items);
    (void)pthread_cond_broadcast(&client->changed);
    unlock(client);
}

void client_on_frame(struct bt_client *client, const struct bt_frame *frame)
{
    BT_VALUE message = NULL;
    if (bt_frame_value(frame, &message, NULL) < 0)
        return;
    switch (frame->type) {
    case BT_FRAME_HEARTBEAT: client->lease_us = bt_value_as_int(bt_map_gets(message, "at")); return;
    case BT_FRAME_FLOW: keep_flow(client, message); return;
    case BT_FRAME_JOB: take_job(client, message); return;
    case BT_FRAME_KILL: client_kill(client, bt_wire_read_token(message)); return;
    case BT_FRAME_RELEASE: client_release(client, bt_wire_read_token(message)); return;
    case BT_FRAME_ACK: on_ack(client, bt_wire_read_token(message)); return;
    case BT_FRAME_LOGS_ACK: on_logs_ack(client, bt_value_as_int(bt_map_gets(message, "n"))); return;
    default: return; /* A newer server's word. */
    }
}
