/* hub_lines.c — Jobs that wait: which member may take which, and what becomes of those that none
 * can take. Under the hub's mutex, but for the telling. */
#include "worker/hub_int.h"

#include "base/tags.h"

#include <stdio.h>

enum { LINES_KEPT = 64 };

void hub_line_free(struct line *line)
{
    for (size_t i = line->head; i < line->waiting.count; i++)
        bt_job_free(line->waiting.items[i].job);
    bt_vec_done(&line->waiting);
    free(line->group);
    free(line->tags);
    free(line);
}

static const char *group_of(const struct bt_job *job)
{
    return job->task && job->task->worker_group ? job->task->worker_group : "";
}

static const char *tags_of(const struct bt_job *job)
{
    return job->task && job->task->worker_tags ? job->task->worker_tags : "";
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

static struct line *find_line(struct bt_hub *hub, const char *group, const char *tags)
{
    for (size_t i = 0; i < hub->lines.count; i++)
        if (strcmp(hub->lines.items[i]->group, group) == 0 &&
            strcmp(hub->lines.items[i]->tags, tags) == 0)
            return hub->lines.items[i];
    return NULL;
}

char *hub_copy(const char *text)
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
        line->group = hub_copy(group);
        line->tags = hub_copy(tags);
        bt_vec_push(&hub->lines, line);
    }
    bt_vec_push(&line->waiting, waiting);
}

/* Gives out what waits in a line, in order, as far as there is credit. */
static void give_line(struct bt_hub *hub, struct line *line)
{
    struct bt_member *member;
    while (line->head < line->waiting.count && (member = find_member(hub, line->group, line->tags)))
        hub_give(hub, member, line->waiting.items[line->head++].job);
    if (line->head == line->waiting.count)
        line->head = line->waiting.count = 0;
}

/* Gives out what waits for such a member; lines take turns, so that none waits for ever. */
void hub_give_waiting(struct bt_hub *hub, struct bt_member *member)
{
    hub_give_bound(hub, member);
    size_t start = hub->lines.count ? hub->line_turn++ % hub->lines.count : 0;
    for (size_t i = 0; i < hub->lines.count; i++) {
        struct line *line = hub->lines.items[(start + i) % hub->lines.count];
        if (line->waiting.count && is_such(member, line->group, line->tags))
            give_line(hub, line);
    }
    for (size_t i = hub->lines.count; i-- > 0;) { /* Kinds of tasks that are no more. */
        if (hub->lines.count <= LINES_KEPT || hub->lines.items[i]->waiting.count)
            continue;
        hub_line_free(hub->lines.items[i]);
        hub->lines.items[i] = hub->lines.items[--hub->lines.count];
    }
}

/* Takes a waiting job out, or NULL. */
struct bt_job *hub_take_waiting(struct bt_hub *hub, uint64_t token)
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
    struct verdict verdict = {.stub = hub_stub(job), .fallback = fallback};
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
            hub_give(hub, member, job);
        else
            wait_in_line(hub, "", "", *waiting);
    }
    return true;
}

void hub_place(struct bt_hub *hub, struct bt_job *job, verdict_vec *verdicts)
{
    if (hub_is_bound(job)) {
        hub_bind(hub, job, verdicts);
        return;
    }
    const char *group = group_of(job), *tags = tags_of(job);
    const struct line *line = find_line(hub, group, tags);
    bool has_line = line && line->waiting.count > 0;
    struct bt_member *member = has_line ? NULL : find_member(hub, group, tags);
    struct waiting waiting = {.job = job};
    bool is_hopeless =
        !member && !hub->is_expecting && !hub->is_closed && !has_member(hub, group, tags);
    if (member)
        hub_give(hub, member, job);
    else if (!is_hopeless || !decide(hub, &waiting, verdicts))
        wait_in_line(hub, group, tags, waiting);
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

void hub_decide(struct bt_hub *hub, verdict_vec *verdicts)
{
    if (!hub->is_expecting && !hub->is_closed)
        hub_lose_homeless(hub, verdicts);
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

static void tell_lost(struct bt_hub *hub, struct verdict *verdict)
{
    const struct bt_job *stub = &verdict->stub;
    hub->config.lost(hub->sink.data, stub->exec_key, stub->taskrun, stub->token);
    bt_job_free(verdict->job);
}

void hub_tell(struct bt_hub *hub, verdict_vec *verdicts)
{
    for (size_t i = 0; i < verdicts->count; i++) {
        if (verdicts->items[i].is_lost)
            tell_lost(hub, &verdicts->items[i]);
        else if (verdicts->items[i].job)
            tell_end(hub, &verdicts->items[i]);
        else
            tell_line(hub, &verdicts->items[i]);
    }
    bt_vec_done(verdicts);
}
