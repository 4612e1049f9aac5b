/* effects.c — What a step asks for becomes rows, timers, jobs and events of the batch. */
#include "journal/runner/runner_int.h"

#include <assert.h>

/* Which timers are taken from an execution. */
enum take {
    TAKE_ALL,    /* All: what waits is killed. */
    TAKE_HELD,   /* What is held, and it starts. */
    TAKE_PAUSED, /* That, and pauses, which are resumed. */
};

struct kill_ctx {
    struct bt_runner *runner;
    struct actor *actor;
    enum take take;
    size_t cleared_before; /* Timers cleared in this batch, stored or not, are skipped. */
};

static bool is_same_timer(const struct bt_timer *a, const struct bt_timer *b)
{
    return a->exec == b->exec && a->taskrun == b->taskrun && a->kind == b->kind;
}

static bool is_meant(const struct kill_ctx *ctx, const struct bt_timer *timer)
{
    if (timer->exec != ctx->actor->key)
        return false;
    return ctx->take == TAKE_ALL || timer->kind == BT_TIMER_HELD ||
           (ctx->take == TAKE_PAUSED && timer->kind == BT_TIMER_PAUSE);
}

static void take_timer(const struct kill_ctx *ctx, const struct bt_timer *timer)
{
    bt_vec_push(&ctx->runner->timers_clear, *timer);
    if (timer->taskrun == 0)
        return; /* The execution's own timeout. */
    runner_send(ctx->runner, ctx->actor,
                (struct bt_event){.kind = ctx->take == TAKE_ALL           ? BT_EVENT_TIMER_KILLED
                                          : timer->kind == BT_TIMER_PAUSE ? BT_EVENT_RESUME
                                                                          : BT_EVENT_START,
                                  .taskrun = timer->taskrun,
                                  .timer = timer->kind},
                0);
}

static int kill_stored_timer(void *data, const struct bt_timer *timer)
{
    struct kill_ctx *ctx = data;
    for (size_t i = 0; i < ctx->cleared_before; i++)
        if (is_same_timer(&ctx->runner->timers_clear.items[i], timer))
            return BT_OK;
    if (is_meant(ctx, timer))
        take_timer(ctx, timer);
    return BT_OK;
}

static void effect_kill_timers(struct bt_runner *runner, struct actor *actor, enum take take)
{
    struct kill_ctx ctx = {runner, actor, take, runner->timers_clear.count};
    struct bt_journal *journal = runner->config.journal;
    struct bt_err err = BT_ERR_INIT;
    if (journal->ops->timers_of(journal, actor->key, kill_stored_timer, &ctx, &err) < 0)
        runner->read_err = err; /* Else they would go on after the kill. */
    size_t kept = 0;
    for (size_t i = 0; i < runner->timers_set.count; i++) {
        struct bt_timer timer = runner->timers_set.items[i];
        if (is_meant(&ctx, &timer))
            take_timer(&ctx, &timer);
        else
            runner->timers_set.items[kept++] = timer;
    }
    runner->timers_set.count = kept;
}

static void effect_timer(struct bt_runner *runner, struct actor *actor,
                         const struct bt_effect *effect)
{
    struct bt_timer timer = {actor->key, effect->taskrun, effect->timer, effect->due_us};
    size_t kept = 0;
    for (size_t i = 0; effect->kind == BT_EFFECT_TIMER_CLEAR && i < runner->timers_set.count; i++)
        if (!is_same_timer(&runner->timers_set.items[i], &timer))
            runner->timers_set.items[kept++] = runner->timers_set.items[i];
    if (effect->kind == BT_EFFECT_TIMER_CLEAR) {
        runner->timers_set.count = kept;
        bt_vec_push(&runner->timers_clear, timer);
        return;
    }
    bt_vec_push(&runner->timers_set, timer);
}

static void effect_submit(struct bt_runner *runner, struct actor *actor, struct bt_effect *effect)
{
    const struct bt_taskrun *run =
        effect->taskrun ? bt_map64_get(&actor->runs, effect->taskrun) : NULL;
    struct bt_job *job = calloc(1, sizeof *job);
    if (!job)
        bt_die("out of memory");
    assert(run || (effect->taskrun == 0 && effect->templates));
    job->exec_key = actor->key;
    job->taskrun = effect->taskrun;
    job->attempt = run ? run->attempt_count + 1 : 1;
    job->token = effect->token;
    memcpy(job->tenant, actor->exec->tenant, sizeof job->tenant);
    memcpy(job->exec_id, actor->exec->id.text, sizeof actor->exec->id.text);
    job->flow = bt_flow_ref(actor->flow);
    if (run) {
        memcpy(job->taskrun_id, run->id.text, sizeof run->id.text);
        job->task = &actor->flow->tasks[run->task];
    }
    job->variables = BT_TAKE(effect->value);
    job->templates = BT_TAKE(effect->templates);
    job->timeout_us = effect->timeout_us;
    job->as_of = effect->as_of;
    job->place = effect->directory;
    job->now_us = runner->now_us;
    job->seed = bt_rng_next(&runner->rng);
    bt_vec_push(&runner->submits, job);
    bt_vec_push(&runner->jobs_set,
                ((struct bt_job_row){actor->key, effect->taskrun, effect->token}));
}

/* A task run that was removed alive: what it has out ends as well; nobody hears of it. */
static void end_living(struct bt_runner *runner, struct actor *actor, const struct living *living)
{
    actor->exec->live -= actor->exec->live > 0;
    actor->exec->is_dirty = actor->is_exec_dirty = true;
    if (living->token) {
        bt_vec_push(&runner->jobs_clear,
                    ((struct bt_job_row){actor->key, living->n, living->token}));
        bt_vec_push(&runner->kill_tokens, living->token);
    }
    for (int kind = 0; kind < BT_TIMER_KIND_COUNT; kind++)
        effect_timer(runner, actor,
                     &(struct bt_effect){.kind = BT_EFFECT_TIMER_CLEAR,
                                         .taskrun = living->n,
                                         .timer = (enum bt_timer_kind)kind});
    if (living->child.text[0])
        children_kill_id(runner, actor, &living->child);
}

/* Removes what is below a run, which is all in the journal or in memory. */
static void effect_drop_runs(struct bt_runner *runner, struct actor *actor,
                             const struct bt_effect *effect)
{
    const struct sources sources = {runner->config.journal, runner->config.files};
    struct bt_err err = BT_ERR_INIT;
    if (actor_drop_runs(actor, &sources, effect->taskrun, effect->token, &err) < 0)
        runner->read_err = err; /* The batch is given up. */
    for (size_t i = 0; i < actor->living.count; i++)
        end_living(runner, actor, &actor->living.items[i]);
    actor->living.count = 0;
}

/* Long texts become several lines, a microsecond apart, cut between runes. */
static void effect_log(struct bt_runner *runner, struct actor *actor, struct bt_effect *effect)
{
    struct bt_str rest = bt_value_str(effect->value);
    struct bt_log_entry entry = {.time_us = runner->now_us,
                                 .taskrun = effect->taskrun,
                                 .attempt = (uint32_t)effect->token,
                                 .level = effect->level};
    do {
        size_t len = rest.len > BT_LOG_MESSAGE_MAX ? BT_LOG_MESSAGE_MAX : rest.len;
        while (len < rest.len && len > 0 && ((unsigned char)rest.at[len] & 0xC0) == 0x80)
            len--;
        entry.text = bt_str_slice(rest, 0, len);
        actor_log(actor, &entry, bt_value_ref(effect->value), effect->place);
        rest = bt_str_slice(rest, len, rest.len);
        entry.time_us++;
    } while (rest.len);
}

static void apply_effect(struct bt_runner *runner, struct actor *actor, struct bt_effect *effect)
{
    switch (effect->kind) {
    case BT_EFFECT_EVENT:
        actor_push(actor, effect->event, 0);
        effect->event = (struct bt_event){0};
        return;
    case BT_EFFECT_SUBMIT: effect_submit(runner, actor, effect); return;
    case BT_EFFECT_SPACE: spaces_effect(runner, actor, effect); return;
    case BT_EFFECT_KILL_JOBS: bt_vec_push(&runner->kill_execs, actor->key); return;
    case BT_EFFECT_CASCADE: children_kill(runner, actor, effect->token); return;
    case BT_EFFECT_CHILD: children_effect(runner, actor, effect); return;
    case BT_EFFECT_KILL_TIMERS: effect_kill_timers(runner, actor, TAKE_ALL); return;
    case BT_EFFECT_RELEASE:
        effect_kill_timers(runner, actor, effect->token ? TAKE_PAUSED : TAKE_HELD);
        return;
    case BT_EFFECT_DROP_RUNS: effect_drop_runs(runner, actor, effect); return;
    case BT_EFFECT_TIMER_SET:
    case BT_EFFECT_TIMER_CLEAR: effect_timer(runner, actor, effect); return;
    case BT_EFFECT_LOG: effect_log(runner, actor, effect); return;
    case BT_EFFECT_VALUES:
        actor_put_values(actor, effect->taskrun, BT_TAKE(effect->value), true);
        return;
    case BT_EFFECT_ENDED: children_ended(runner, actor); return;
    case BT_EFFECT_DRAINED: slots_free(runner, actor); return;
    case BT_EFFECT_PLACE_FREE: bt_vec_push(&runner->places_free, effect->token); return;
    case BT_EFFECT_SLOT_ASK: slots_ask(runner, actor); return;
    case BT_EFFECT_SLOT_TAKE: slots_take(runner, actor); return;
    }
}

void effects_apply(struct bt_runner *runner, struct actor *actor)
{
    struct bt_step *step = &runner->step;
    for (size_t i = 0; i < step->effect_count; i++) {
        apply_effect(runner, actor, &step->effects[i]);
        bt_effect_done(&step->effects[i]);
    }
    step->effect_count = 0;
}
