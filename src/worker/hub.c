/* hub.c — The table of members and jobs. Never blocks while it holds its mutex. */
#include "worker/hub_int.h"

#include <assert.h>

struct bt_hub *bt_hub_new(const struct bt_hub_config *config)
{
    struct bt_hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return NULL;
    hub->config = *config;
    (void)pthread_mutex_init(&hub->lock, NULL); /* Cannot fail with default attributes. */
    return hub;
}

void bt_hub_set_sink(struct bt_hub *hub, const struct bt_worker_sink *sink)
{
    hub->sink = *sink;
}

struct bt_hub *bt_hub_free(struct bt_hub *hub)
{
    if (!hub)
        return NULL;
    assert(hub->members.count == 0);
    for (size_t i = 0; i < hub->lines.count; i++)
        hub_line_free(hub->lines.items[i]);
    for (size_t i = 0; i < hub->held.cap; i++)
        free(hub->held.slots[i].value);
    bt_map64_done(&hub->held);
    hub_places_done(hub);
    bt_vec_done(&hub->lines);
    bt_vec_done(&hub->members);
    (void)pthread_mutex_destroy(&hub->lock);
    free(hub);
    return NULL;
}

struct bt_job hub_stub(const struct bt_job *job)
{
    struct bt_job stub = *job;
    stub.flow = NULL;
    stub.task = NULL;
    stub.variables = NULL;
    if (stub.templates)
        stub.place = (struct bt_place){0};
    stub.templates = NULL;
    return stub;
}

void bt_hub_close(struct bt_hub *hub)
{
    hub_lock(hub);
    hub->is_closed = true;
    hub_unlock(hub);
}

void hub_give(struct bt_hub *hub, struct bt_member *member, struct bt_job *job)
{
    struct held *held = malloc(sizeof *held);
    if (!held)
        bt_die("out of memory");
    *held = (struct held){.member = member, .stub = hub_stub(job)};
    bt_map64_put(&hub->held, job->token, held);
    member->credit--;
    member->held++;
    if (held->stub.place.op == BT_PLACE_OPEN)
        hub_seat(hub, member, held->stub.place.id);
    member->ops.give(member->data, job);
}

void bt_hub_expect(struct bt_hub *hub, bool is_expecting)
{
    verdict_vec verdicts = {0};
    hub_lock(hub);
    hub->is_expecting = is_expecting;
    hub_decide(hub, &verdicts);
    hub_unlock(hub);
    hub_tell(hub, &verdicts);
}

void bt_hub_submit(void *data, struct bt_job *job)
{
    struct bt_hub *hub = data;
    verdict_vec verdicts = {0};
    hub_lock(hub);
    hub_place(hub, job, &verdicts);
    hub_unlock(hub);
    hub_tell(hub, &verdicts);
}

void bt_hub_kill(void *data, uint64_t token)
{
    struct bt_hub *hub = data;
    hub_lock(hub);
    struct held *held = bt_map64_get(&hub->held, token);
    struct bt_job *job = held ? NULL : hub_take_waiting(hub, token);
    if (!held && !job)
        job = hub_take_bound(hub, token);
    if (held && held->member)
        held->member->ops.kill(held->member->data, token);
    else if (held)
        held->is_killed = true;
    hub_unlock(hub);
    if (!job)
        return;
    struct bt_job_result result = {.exec_key = job->exec_key,
                                   .taskrun = job->taskrun,
                                   .token = token,
                                   .state = BT_KILLED,
                                   .started_us = job->now_us,
                                   .ended_us = job->now_us};
    hub->sink.result(hub->sink.data, &result);
    bt_job_free(job);
}

/* --- Members -----------------------------------------------------------------------------------
 */

struct bt_member *bt_hub_join(struct bt_hub *hub, const struct bt_member_kind *kind,
                              const struct bt_member_ops *ops, void *data)
{
    struct bt_member *member = calloc(1, sizeof *member);
    if (!member)
        return NULL;
    member->hub = hub;
    member->ops = *ops;
    member->data = data;
    member->credit = kind->slots;
    member->group = hub_copy(kind->group);
    member->tags = hub_copy(kind->tags);
    hub_lock(hub);
    member->is_away = true;
    bt_vec_push(&hub->members, member);
    hub_unlock(hub);
    return member;
}

void bt_hub_drain(struct bt_member *member)
{
    verdict_vec verdicts = {0};
    hub_lock(member->hub);
    member->is_draining = true;
    hub_decide(member->hub, &verdicts);
    hub_unlock(member->hub);
    hub_tell(member->hub, &verdicts);
}

void bt_hub_away(struct bt_member *member, bool is_away)
{
    hub_lock(member->hub);
    member->is_away = is_away;
    hub_give_waiting(member->hub, member);
    hub_unlock(member->hub);
}

/* Lists the stubs of what a member holds and forgets them. Owned by the caller. */
static struct bt_job *take_held(struct bt_hub *hub, struct bt_member *member, size_t *ret_count)
{
    struct bt_job *stubs = malloc((member->held + 1) * sizeof *stubs);
    if (!stubs)
        bt_die("out of memory");
    *ret_count = 0;
    for (size_t i = 0; i < hub->held.cap; i++) {
        struct held *held = hub->held.slots[i].value;
        if (held && held->member == member)
            stubs[(*ret_count)++] = held->stub;
    }
    for (size_t i = 0; i < *ret_count; i++)
        free(bt_map64_remove(&hub->held, stubs[i].token));
    member->held = 0;
    return stubs;
}

void bt_hub_leave(struct bt_member *member)
{
    struct bt_hub *hub = member->hub;
    size_t count;
    verdict_vec verdicts = {0};
    hub_lock(hub);
    for (size_t i = 0; i < hub->members.count; i++) {
        if (hub->members.items[i] != member)
            continue;
        hub->members.items[i] = hub->members.items[--hub->members.count];
        break;
    }
    struct bt_job *stubs = take_held(hub, member, &count);
    hub_unseat_member(hub, member, &verdicts);
    hub_decide(hub, &verdicts);
    hub_unlock(hub);
    hub_tell(hub, &verdicts);
    for (size_t i = 0; i < count && !hub->is_closed; i++)
        hub->config.lost(hub->sink.data, stubs[i].exec_key, stubs[i].taskrun, stubs[i].token);
    free(stubs);
}

void bt_member_free(struct bt_member *member)
{
    if (member) {
        free(member->group);
        free(member->tags);
        bt_vec_done(&member->bound);
    }
    free(member);
}

/* The held job of a token, when this member has it. Under the mutex. */
static struct held *held_by(const struct bt_member *member, uint64_t token)
{
    struct held *held = bt_map64_get(&member->hub->held, token);
    if (member->hub->is_closed)
        return NULL;
    return held && held->member == member ? held : NULL;
}

void bt_hub_give_back(struct bt_member *member, uint64_t token)
{
    struct bt_hub *hub = member->hub;
    struct bt_job stub = {0};
    verdict_vec verdicts = {0};
    hub_lock(hub);
    struct held *held = held_by(member, token);
    if (held) {
        stub = held->stub;
        member->held--;
        member->credit++;
        free(bt_map64_remove(&hub->held, token));
        hub_unseat_lost(hub, &stub, &verdicts);
        if (stub.place.op != BT_PLACE_NONE) /* It goes on: only the place is gone. */
            hub_give_waiting(hub, member);
    }
    hub_unlock(hub);
    hub_tell(hub, &verdicts);
    if (stub.token)
        hub->config.lost(hub->sink.data, stub.exec_key, stub.taskrun, stub.token);
}

bool bt_hub_holds(struct bt_member *member, uint64_t token)
{
    hub_lock(member->hub);
    bool holds = held_by(member, token) != NULL;
    hub_unlock(member->hub);
    return holds;
}

size_t bt_hub_held(struct bt_member *member)
{
    hub_lock(member->hub);
    size_t held = member->held;
    hub_unlock(member->hub);
    return held;
}

void bt_hub_each_held(struct bt_member *member, void (*each)(void *data, uint64_t token),
                      void *data)
{
    struct bt_hub *hub = member->hub;
    hub_lock(hub);
    for (size_t i = 0; i < hub->held.cap; i++) {
        const struct held *held = hub->held.slots[i].value;
        if (held && held->member == member)
            each(data, held->stub.token);
    }
    hub_unlock(hub);
}

/* --- Orphans -----------------------------------------------------------------------------------
 */

void bt_hub_orphan(struct bt_hub *hub, const struct bt_job *stub)
{
    struct held *held = malloc(sizeof *held);
    if (!held)
        bt_die("out of memory");
    *held = (struct held){.stub = hub_stub(stub)};
    hub_lock(hub);
    bt_map64_put(&hub->held, stub->token, held);
    hub_unlock(hub);
}

bool bt_hub_adopt(struct bt_member *member, uint64_t token)
{
    struct bt_hub *hub = member->hub;
    hub_lock(hub);
    struct held *held = bt_map64_get(&hub->held, token);
    bool is_orphan = held && !held->member;
    if (is_orphan) {
        held->member = member;
        member->held++;
        member->credit -= member->credit > 0;
        if (held->is_killed)
            member->ops.kill(member->data, token);
    }
    hub_unlock(hub);
    return is_orphan;
}

void bt_hub_expire_orphans(struct bt_hub *hub)
{
    BT_VEC(struct bt_job) lost = {0};
    hub_lock(hub);
    for (size_t i = 0; i < hub->held.cap; i++) {
        const struct held *held = hub->held.slots[i].value;
        if (held && !held->member)
            bt_vec_push(&lost, held->stub);
    }
    for (size_t i = 0; i < lost.count; i++)
        free(bt_map64_remove(&hub->held, lost.items[i].token));
    hub_unlock(hub);
    for (size_t i = 0; i < lost.count; i++)
        hub->config.lost(hub->sink.data, lost.items[i].exec_key, lost.items[i].taskrun,
                         lost.items[i].token);
    bt_vec_done(&lost);
}

/* --- Reports -----------------------------------------------------------------------------------
 */

static bool copy_stub(struct bt_member *member, uint64_t token, struct bt_job *ret_stub)
{
    hub_lock(member->hub);
    const struct held *held = held_by(member, token);
    if (held)
        *ret_stub = held->stub;
    hub_unlock(member->hub);
    return held != NULL;
}

bool bt_hub_started(struct bt_member *member, uint64_t token, int64_t at_us)
{
    struct bt_job stub;
    if (!copy_stub(member, token, &stub))
        return false;
    member->hub->sink.started(member->hub->sink.data, &stub, at_us);
    return true;
}

bool bt_hub_logs(struct bt_member *member, uint64_t token, const struct bt_log_line *lines,
                 size_t count)
{
    struct bt_job stub;
    if (!copy_stub(member, token, &stub))
        return false;
    member->hub->sink.logs(member->hub->sink.data, &stub, lines, count);
    return true;
}

bool bt_hub_result(struct bt_member *member, struct bt_job_result *result)
{
    struct bt_hub *hub = member->hub;
    hub_lock(hub);
    struct held *held = held_by(member, result->token);
    if (held) {
        result->exec_key = held->stub.exec_key;
        result->taskrun = held->stub.taskrun;
        member->held--;
        member->credit++;
        hub_unseat_ended(hub, &held->stub, result->state);
        free(bt_map64_remove(&hub->held, result->token));
        hub_give_waiting(hub, member);
    }
    hub_unlock(hub);
    if (!held) {
        bt_job_result_done(result);
        return false;
    }
    hub->sink.result(hub->sink.data, result);
    return true;
}

struct bt_hub_counts bt_hub_counts(struct bt_hub *hub)
{
    struct bt_hub_counts counts = {0};
    hub_lock(hub);
    counts.members = (unsigned)hub->members.count;
    for (size_t i = 0; i < hub->members.count; i++)
        counts.free_slots += hub->members.items[i]->credit;
    for (size_t i = 0; i < hub->lines.count; i++)
        counts.waiting += hub->lines.items[i]->waiting.count - hub->lines.items[i]->head;
    counts.waiting += hub_count_bound(hub);
    counts.held = hub->held.count;
    counts.places = hub->seats.count;
    hub_unlock(hub);
    return counts;
}
