/* hub.c — The table of members and jobs. Never blocks while it holds its mutex. */
#include "worker/hub.h"

#include "base/map64.h"
#include "base/vec.h"

#include <assert.h>
#include <pthread.h>

/* A job that a member has. */
struct held {
    struct bt_member *member; /* NULL: an orphan. */
    bool is_killed;           /* Of an orphan: kill it when it is found. */
    struct bt_job stub;       /* Only the names of the attempt: what the sink looks at. */
};

/* Jobs that wait for a member of one group, in order. */
struct group {
    char name[64];
    BT_VEC(struct bt_job *) waiting;
    size_t head; /* Jobs before it have left. */
};

struct bt_member {
    struct bt_hub *hub;
    char group[64];
    struct bt_member_ops ops;
    void *data;
    unsigned credit;
    size_t held;
    bool is_draining, is_away;
};

struct bt_hub {
    struct bt_hub_config config;
    struct bt_worker_sink sink;
    pthread_mutex_t lock;
    BT_VEC(struct bt_member *) members;
    size_t turn; /* Where the search for a member starts: round robin. */
    BT_VEC(struct group *) groups;
    struct bt_map64 held; /* token → struct held */
    bool is_closed;
};

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

static void group_free(struct group *group)
{
    for (size_t i = group->head; i < group->waiting.count; i++)
        bt_job_free(group->waiting.items[i]);
    bt_vec_done(&group->waiting);
    free(group);
}

struct bt_hub *bt_hub_free(struct bt_hub *hub)
{
    if (!hub)
        return NULL;
    assert(hub->members.count == 0);
    for (size_t i = 0; i < hub->groups.count; i++)
        group_free(hub->groups.items[i]);
    for (size_t i = 0; i < hub->held.cap; i++)
        free(hub->held.slots[i].value);
    bt_map64_done(&hub->held);
    bt_vec_done(&hub->groups);
    bt_vec_done(&hub->members);
    (void)pthread_mutex_destroy(&hub->lock);
    free(hub);
    return NULL;
}

static void lock(struct bt_hub *hub)
{
    (void)pthread_mutex_lock(&hub->lock); /* Cannot fail on a default mutex. */
}

static void unlock(struct bt_hub *hub)
{
    (void)pthread_mutex_unlock(&hub->lock); /* As above. */
}

static struct bt_job stub_of(const struct bt_job *job)
{
    struct bt_job stub = *job;
    stub.flow = NULL;
    stub.task = NULL;
    stub.variables = NULL;
    return stub;
}

static const char *group_of(const struct bt_job *job)
{
    return job->task && job->task->worker_group ? job->task->worker_group : "";
}

void bt_hub_close(struct bt_hub *hub)
{
    lock(hub);
    hub->is_closed = true;
    unlock(hub);
}

/* The next member that may take a job of the group, or NULL. */
static struct bt_member *find_member(struct bt_hub *hub, const char *group)
{
    for (size_t i = 0; i < hub->members.count && !hub->is_closed; i++) {
        struct bt_member *member = hub->members.items[(hub->turn + i) % hub->members.count];
        if (member->credit == 0 || member->is_draining || member->is_away ||
            strcmp(member->group, group) != 0)
            continue;
        hub->turn = (hub->turn + i + 1) % hub->members.count;
        return member;
    }
    return NULL;
}

static void give(struct bt_hub *hub, struct bt_member *member, struct bt_job *job)
{
    struct held *held = malloc(sizeof *held);
    if (!held)
        bt_die("out of memory");
    *held = (struct held){.member = member, .stub = stub_of(job)};
    bt_map64_put(&hub->held, job->token, held);
    member->credit--;
    member->held++;
    member->ops.give(member->data, job);
}

static struct group *find_group(struct bt_hub *hub, const char *name)
{
    for (size_t i = 0; i < hub->groups.count; i++)
        if (strcmp(hub->groups.items[i]->name, name) == 0)
            return hub->groups.items[i];
    struct group *group = calloc(1, sizeof *group);
    if (!group)
        bt_die("out of memory");
    (void)snprintf(group->name, sizeof group->name, "%s", name); /* Longer ones are refused. */
    bt_vec_push(&hub->groups, group);
    return group;
}

/* Gives out what waits for a group, in order, as far as there is credit. */
static void give_waiting(struct bt_hub *hub, const char *name)
{
    struct group *group = find_group(hub, name);
    struct bt_member *member;
    while (group->head < group->waiting.count && (member = find_member(hub, name)))
        give(hub, member, group->waiting.items[group->head++]);
    if (group->head == group->waiting.count)
        group->head = group->waiting.count = 0;
}

void bt_hub_submit(void *data, struct bt_job *job)
{
    struct bt_hub *hub = data;
    lock(hub);
    struct group *group = find_group(hub, group_of(job));
    bt_vec_push(&group->waiting, job);
    give_waiting(hub, group->name);
    unlock(hub);
}

/* Takes a waiting job out, or NULL. */
static struct bt_job *take_waiting(struct bt_hub *hub, uint64_t token)
{
    for (size_t g = 0; g < hub->groups.count; g++) {
        struct group *group = hub->groups.items[g];
        for (size_t i = group->head; i < group->waiting.count; i++) {
            struct bt_job *job = group->waiting.items[i];
            if (job->token != token)
                continue;
            memmove(group->waiting.items + i, group->waiting.items + i + 1,
                    (group->waiting.count - i - 1) * sizeof *group->waiting.items);
            group->waiting.count--;
            return job;
        }
    }
    return NULL;
}

void bt_hub_kill(void *data, uint64_t token)
{
    struct bt_hub *hub = data;
    lock(hub);
    struct held *held = bt_map64_get(&hub->held, token);
    struct bt_job *job = held ? NULL : take_waiting(hub, token);
    if (held && held->member)
        held->member->ops.kill(held->member->data, token);
    else if (held)
        held->is_killed = true;
    unlock(hub);
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

struct bt_member *bt_hub_join(struct bt_hub *hub, const char *group, unsigned slots,
                              const struct bt_member_ops *ops, void *data)
{
    struct bt_member *member = calloc(1, sizeof *member);
    if (!member)
        return NULL;
    member->hub = hub;
    member->ops = *ops;
    member->data = data;
    member->credit = slots;
    (void)snprintf(member->group, sizeof member->group, "%s", group); /* Longer ones are refused. */
    lock(hub);
    member->is_away = true;
    bt_vec_push(&hub->members, member);
    unlock(hub);
    return member;
}

void bt_hub_drain(struct bt_member *member)
{
    lock(member->hub);
    member->is_draining = true;
    unlock(member->hub);
}

void bt_hub_away(struct bt_member *member, bool is_away)
{
    lock(member->hub);
    member->is_away = is_away;
    give_waiting(member->hub, member->group);
    unlock(member->hub);
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
    lock(hub);
    for (size_t i = 0; i < hub->members.count; i++) {
        if (hub->members.items[i] != member)
            continue;
        hub->members.items[i] = hub->members.items[--hub->members.count];
        break;
    }
    struct bt_job *stubs = take_held(hub, member, &count);
    unlock(hub);
    for (size_t i = 0; i < count && !hub->is_closed; i++)
        hub->config.lost(hub->sink.data, stubs[i].exec_key, stubs[i].taskrun, stubs[i].token);
    free(stubs);
}

void bt_member_free(struct bt_member *member)
{
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
    lock(hub);
    struct held *held = held_by(member, token);
    if (held) {
        stub = held->stub;
        member->held--;
        member->credit++;
        free(bt_map64_remove(&hub->held, token));
    }
    unlock(hub);
    if (stub.token)
        hub->config.lost(hub->sink.data, stub.exec_key, stub.taskrun, stub.token);
}

bool bt_hub_holds(struct bt_member *member, uint64_t token)
{
    lock(member->hub);
    bool holds = held_by(member, token) != NULL;
    unlock(member->hub);
    return holds;
}

size_t bt_hub_held(struct bt_member *member)
{
    lock(member->hub);
    size_t held = member->held;
    unlock(member->hub);
    return held;
}

void bt_hub_each_held(struct bt_member *member, void (*each)(void *data, uint64_t token),
                      void *data)
{
    struct bt_hub *hub = member->hub;
    lock(hub);
    for (size_t i = 0; i < hub->held.cap; i++) {
        const struct held *held = hub->held.slots[i].value;
        if (held && held->member == member)
            each(data, held->stub.token);
    }
    unlock(hub);
}

/* --- Orphans -----------------------------------------------------------------------------------
 */

void bt_hub_orphan(struct bt_hub *hub, const struct bt_job *stub)
{
    struct held *held = malloc(sizeof *held);
    if (!held)
        bt_die("out of memory");
    *held = (struct held){.stub = stub_of(stub)};
    lock(hub);
    bt_map64_put(&hub->held, stub->token, held);
    unlock(hub);
}

bool bt_hub_adopt(struct bt_member *member, uint64_t token)
{
    struct bt_hub *hub = member->hub;
    lock(hub);
    struct held *held = bt_map64_get(&hub->held, token);
    bool is_orphan = held && !held->member;
    if (is_orphan) {
        held->member = member;
        member->held++;
        member->credit -= member->credit > 0;
        if (held->is_killed)
            member->ops.kill(member->data, token);
    }
    unlock(hub);
    return is_orphan;
}

void bt_hub_expire_orphans(struct bt_hub *hub)
{
    BT_VEC(struct bt_job) lost = {0};
    lock(hub);
    for (size_t i = 0; i < hub->held.cap; i++) {
        const struct held *held = hub->held.slots[i].value;
        if (held && !held->member)
            bt_vec_push(&lost, held->stub);
    }
    for (size_t i = 0; i < lost.count; i++)
        free(bt_map64_remove(&hub->held, lost.items[i].token));
    unlock(hub);
    for (size_t i = 0; i < lost.count; i++)
        hub->config.lost(hub->sink.data, lost.items[i].exec_key, lost.items[i].taskrun,
                         lost.items[i].token);
    bt_vec_done(&lost);
}

/* --- Reports -----------------------------------------------------------------------------------
 */

static bool copy_stub(struct bt_member *member, uint64_t token, struct bt_job *ret_stub)
{
    lock(member->hub);
    const struct held *held = held_by(member, token);
    if (held)
        *ret_stub = held->stub;
    unlock(member->hub);
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
    lock(hub);
    struct held *held = held_by(member, result->token);
    if (held) {
        result->exec_key = held->stub.exec_key;
        result->taskrun = held->stub.taskrun;
        member->held--;
        member->credit++;
        free(bt_map64_remove(&hub->held, result->token));
        give_waiting(hub, member->group);
    }
    unlock(hub);
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
    lock(hub);
    counts.members = (unsigned)hub->members.count;
    for (size_t i = 0; i < hub->members.count; i++)
        counts.free_slots += hub->members.items[i]->credit;
    for (size_t i = 0; i < hub->groups.count; i++)
        counts.waiting += hub->groups.items[i]->waiting.count - hub->groups.items[i]->head;
    counts.held = hub->held.count;
    unlock(hub);
    return counts;
}
