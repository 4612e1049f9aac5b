/* hub.c — The table of members and jobs. Never blocks while it holds its mutex. */
#include "worker/hub.h"

#include "base/map64.h"
#include "base/tags.h"
#include "base/vec.h"

#include <assert.h>
#include <pthread.h>

enum { LINES_KEPT = 64 };

/* A job that a member has. */
struct held {
    struct bt_member *member; /* NULL: an orphan. */
    bool is_killed;           /* Of an orphan: kill it when it is found. */
    struct bt_job stub;       /* Only the names of the attempt: what the sink looks at. */
};

struct waiting {
    struct bt_job *job;
    bool is_told; /* Its log says that it waits. */
};

/* Jobs that wait for a member of the same kind, in order. */
struct line {
    char *group, *tags;
    BT_VEC(struct waiting) waiting;
    size_t head; /* Jobs before it have left. */
};

struct bt_member {
    struct bt_hub *hub;
    char *group, *tags;
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
    size_t turn, line_turn; /* Where a search starts: round robin. */
    BT_VEC(struct line *) lines;
    struct bt_map64 held; /* token → struct held */
    bool is_closed;
    bool is_expecting; /* Members that are not there may come: their jobs wait for them. */
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

static void line_free(struct line *line)
{
    for (size_t i = line->head; i < line->waiting.count; i++)
        bt_job_free(line->waiting.items[i].job);
    bt_vec_done(&line->waiting);
    free(line->group);
    free(line->tags);
    free(line);
}

struct bt_hub *bt_hub_free(struct bt_hub *hub)
{
    if (!hub)
        return NULL;
    assert(hub->members.count == 0);
    for (size_t i = 0; i < hub->lines.count; i++)
        line_free(hub->lines.items[i]);
    for (size_t i = 0; i < hub->held.cap; i++)
        free(hub->held.slots[i].value);
    bt_map64_done(&hub->held);
    bt_vec_done(&hub->lines);
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

static const char *tags_of(const struct bt_job *job)
{
    return job->task && job->task->worker_tags ? job->task->worker_tags : "";
}

void bt_hub_close(struct bt_hub *hub)
{
    lock(hub);
    hub->is_closed = true;
    unlock(hub);
}

static bool is_such(const struct bt_member *member, const char *group, const char *tags)
{
    return !member->is_draining && strcmp(member->group, group) == 0 &&
           bt_tags_have(bt_str_of(member->tags), bt_str_of(tags));
}

/* The next member that may take a job of the kind, or NULL. */
static struct bt_member *find_member(struct bt_hub *hub, const char *group, const char *tags)
{
    for (size_t i = 0; i < hub->members.count && !hub->is_closed; i++) {
        struct bt_member *member = hub->members.items[(hub->turn + i) % hub->members.count];
        if (member->credit == 0 || member->is_away || !is_such(member, group, tags))
            continue;
        hub->turn = (hub->turn + i + 1) % hub->members.count;
        return member;
    }
    return NULL;
}

static bool has_member(const struct bt_hub *hub, const char *group, const char *tags)
{
    for (size_t i = 0; i < hub->members.count; i++)
        if (is_such(hub->members.items[i], group, tags))
            return true;
    return false;
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

static struct line *find_line(struct bt_hub *hub, const char *group, const char *tags)
{
    for (size_t i = 0; i < hub->lines.count; i++)
        if (strcmp(hub->lines.items[i]->group, group) == 0 &&
            strcmp(hub->lines.items[i]->tags, tags) == 0)
            return hub->lines.items[i];
    return NULL;
}

static char *copy_of(const char *text)
{
    char *copy = bt_str_dup(bt_str_of(text));
    if (!copy)
        bt_die("out of memory");
    return copy;
}

static void wait_in_line(struct bt_hub *hub, const char *group, const char *tags,
                         struct waiting waiting)
{
    struct line *line = find_line(hub, group, tags);
    if (!line) {
        line = calloc(1, sizeof *line);
        if (!line)
            bt_die("out of memory");
        line->group = copy_of(group);
        line->tags = copy_of(tags);
        bt_vec_push(&hub->lines, line);
    }
    bt_vec_push(&line->waiting, waiting);
}

/* Gives out what waits in a line, in order, as far as there is credit. */
static void give_line(struct bt_hub *hub, struct line *line)
{
    struct bt_member *member;
    while (line->head < line->waiting.count && (member = find_member(hub, line->group, line->tags)))
        give(hub, member, line->waiting.items[line->head++].job);
    if (line->head == line->waiting.count)
        line->head = line->waiting.count = 0;
}

/* Gives out what waits for such a member; lines take turns, so that none waits for ever. */
static void give_waiting(struct bt_hub *hub, const struct bt_member *member)
{
    size_t start = hub->lines.count ? hub->line_turn++ % hub->lines.count : 0;
    for (size_t i = 0; i < hub->lines.count; i++) {
        struct line *line = hub->lines.items[(start + i) % hub->lines.count];
        if (line->waiting.count && is_such(member, line->group, line->tags))
            give_line(hub, line);
    }
    for (size_t i = hub->lines.count; i-- > 0;) { /* Kinds of tasks that are no more. */
        if (hub->lines.count <= LINES_KEPT || hub->lines.items[i]->waiting.count)
            continue;
        line_free(hub->lines.items[i]);
        hub->lines.items[i] = hub->lines.items[--hub->lines.count];
    }
}

/* Takes a waiting job out, or NULL. */
static struct bt_job *take_waiting(struct bt_hub *hub, uint64_t token)
{
    for (size_t g = 0; g < hub->lines.count; g++) {
        struct line *line = hub->lines.items[g];
        for (size_t i = line->head; i < line->waiting.count; i++) {
            struct bt_job *job = line->waiting.items[i].job;
            if (job->token != token)
                continue;
            memmove(line->waiting.items + i, line->waiting.items + i + 1,
                    (line->waiting.count - i - 1) * sizeof *line->waiting.items);
            line->waiting.count--;
            return job;
        }
    }
    return NULL;
}

/* --- When there is no such member ---------------------------------------------------------------
 */

/* What is told after the mutex is free: the sink may block. */
struct verdict {
    struct bt_job *job; /* Owned when it ends; else only its names count. */
    struct bt_job stub;
    enum bt_fallback fallback;
    char text[400], hint[400];
};
typedef BT_VEC(struct verdict) verdict_vec;

static void describe(const struct bt_job *job, struct verdict *verdict)
{
    const char *group = group_of(job), *tags = tags_of(job);
    (void)snprintf(verdict->text, sizeof verdict->text, "no worker%s%.60s%s%s%.150s%s is connected",
                   *group ? " of the group '" : "", group, *group ? "'" : "",
                   *tags ? " with the tags '" : "", tags, *tags ? "'" : ""); /* Fits. */
    (void)snprintf(verdict->hint, sizeof verdict->hint, "baton worker%s%.60s%s%.150s",
                   *group ? " --group " : "", group, *tags ? " --tags " : "", tags); /* Fits. */
}

static void add_verdict(verdict_vec *verdicts, struct bt_job *job, enum bt_fallback fallback)
{
    struct verdict verdict = {.stub = stub_of(job), .fallback = fallback};
    verdict.job = fallback == BT_FALLBACK_FAIL || fallback == BT_FALLBACK_CANCEL ? job : NULL;
    describe(job, &verdict);
    bt_vec_push(verdicts, verdict);
}

/* Decides about a job that no member can take. False: it goes on waiting in this line. */
static bool decide(struct bt_hub *hub, struct waiting *waiting, verdict_vec *verdicts)
{
    struct bt_job *job = waiting->job;
    enum bt_fallback fallback = job->task ? job->task->fallback : BT_FALLBACK_WAIT;
    bool is_choosy = *group_of(job) || *tags_of(job), was_told = waiting->is_told;
    waiting->is_told = true;
    if (was_told)
        return false; /* Of IGNORE, too: it is in the line of all. */
    if (!is_choosy)
        fallback = BT_FALLBACK_WAIT;
    add_verdict(verdicts, job, fallback);
    if (fallback == BT_FALLBACK_WAIT)
        return false;
    if (fallback == BT_FALLBACK_IGNORE) {
        struct bt_member *member = find_member(hub, "", "");
        if (member)
            give(hub, member, job);
        else
            wait_in_line(hub, "", "", *waiting);
    }
    return true;
}

static void decide_line(struct bt_hub *hub, struct line *line, verdict_vec *verdicts)
{
    if (has_member(hub, line->group, line->tags))
        return;
    size_t kept = line->head, count = line->waiting.count;
    for (size_t i = line->head; i < count; i++) {
        struct waiting waiting = line->waiting.items[i];
        if (!decide(hub, &waiting, verdicts))
            line->waiting.items[kept++] = waiting;
    }
    line->waiting.count = kept;
    if (line->head == kept)
        line->head = line->waiting.count = 0;
}

static void decide_all(struct bt_hub *hub, verdict_vec *verdicts)
{
    for (size_t i = 0; i < hub->lines.count && !hub->is_expecting && !hub->is_closed; i++)
        decide_line(hub, hub->lines.items[i], verdicts);
}

static void tell_line(struct bt_hub *hub, const struct verdict *verdict)
{
    static const char *const words[] = {
        [BT_FALLBACK_WAIT] = "the task waits for one",
        [BT_FALLBACK_IGNORE] = "the task runs on any worker without a group",
    };
    char text[900];
    (void)snprintf(text, sizeof text, "%s; %s", verdict->text, words[verdict->fallback]);
    if (verdict->fallback == BT_FALLBACK_WAIT) /* What to do. */
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), " (%s)", verdict->hint);
    struct bt_log_line line = {verdict->stub.now_us, BT_LEVEL_WARN, bt_str_of(text)};
    hub->sink.logs(hub->sink.data, &verdict->stub, &line, 1);
}

static void tell_end(struct bt_hub *hub, struct verdict *verdict)
{
    struct bt_job *job = verdict->job;
    struct bt_job_result result = {.exec_key = job->exec_key,
                                   .taskrun = job->taskrun,
                                   .token = job->token,
                                   .state = verdict->fallback == BT_FALLBACK_FAIL ? BT_FAILED
                                                                                  : BT_KILLED,
                                   .error = bt_str_dup(bt_str_of(verdict->text)),
                                   .started_us = job->now_us,
                                   .ended_us = job->now_us};
    hub->sink.result(hub->sink.data, &result);
    bt_job_free(job);
}

static void tell(struct bt_hub *hub, verdict_vec *verdicts)
{
    for (size_t i = 0; i < verdicts->count; i++) {
        if (verdicts->items[i].job)
            tell_end(hub, &verdicts->items[i]);
        else
            tell_line(hub, &verdicts->items[i]);
    }
    bt_vec_done(verdicts);
}

void bt_hub_expect(struct bt_hub *hub, bool is_expecting)
{
    verdict_vec verdicts = {0};
    lock(hub);
    hub->is_expecting = is_expecting;
    decide_all(hub, &verdicts);
    unlock(hub);
    tell(hub, &verdicts);
}

void bt_hub_submit(void *data, struct bt_job *job)
{
    struct bt_hub *hub = data;
    const char *group = group_of(job), *tags = tags_of(job);
    verdict_vec verdicts = {0};
    lock(hub);
    struct line *line = find_line(hub, group, tags);
    bool has_line = line && line->waiting.count > 0;
    struct bt_member *member = has_line ? NULL : find_member(hub, group, tags);
    struct waiting waiting = {.job = job};
    bool is_hopeless =
        !member && !hub->is_expecting && !hub->is_closed && !has_member(hub, group, tags);
    if (member)
        give(hub, member, job);
    else if (!is_hopeless || !decide(hub, &waiting, &verdicts))
        wait_in_line(hub, group, tags, waiting);
    unlock(hub);
    tell(hub, &verdicts);
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
    member->group = copy_of(kind->group);
    member->tags = copy_of(kind->tags);
    lock(hub);
    member->is_away = true;
    bt_vec_push(&hub->members, member);
    unlock(hub);
    return member;
}

void bt_hub_drain(struct bt_member *member)
{
    verdict_vec verdicts = {0};
    lock(member->hub);
    member->is_draining = true;
    decide_all(member->hub, &verdicts);
    unlock(member->hub);
    tell(member->hub, &verdicts);
}

void bt_hub_away(struct bt_member *member, bool is_away)
{
    lock(member->hub);
    member->is_away = is_away;
    give_waiting(member->hub, member);
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
    verdict_vec verdicts = {0};
    lock(hub);
    for (size_t i = 0; i < hub->members.count; i++) {
        if (hub->members.items[i] != member)
            continue;
        hub->members.items[i] = hub->members.items[--hub->members.count];
        break;
    }
    struct bt_job *stubs = take_held(hub, member, &count);
    decide_all(hub, &verdicts);
    unlock(hub);
    tell(hub, &verdicts);
    for (size_t i = 0; i < count && !hub->is_closed; i++)
        hub->config.lost(hub->sink.data, stubs[i].exec_key, stubs[i].taskrun, stubs[i].token);
    free(stubs);
}

void bt_member_free(struct bt_member *member)
{
    if (member) {
        free(member->group);
        free(member->tags);
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
        give_waiting(hub, member);
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
    for (size_t i = 0; i < hub->lines.count; i++)
        counts.waiting += hub->lines.items[i]->waiting.count - hub->lines.items[i]->head;
    counts.held = hub->held.count;
    unlock(hub);
    return counts;
}
