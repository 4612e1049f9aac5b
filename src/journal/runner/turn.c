/* turn.c — A batch before its commit: messages and timers become events, events become steps. */
#include "journal/runner/runner_int.h"

#include "base/utf8.h"
#include "model/flow_text.h"

#include <assert.h>

enum { TIMERS_PER_TURN = 1000, FETCHES_PER_STEP_MAX = 100000, TURN_US_MAX = 50000 };

/* --- Actors and flows ------------------------------------------------------------------------- */

void runner_touch(struct bt_runner *runner, struct actor *actor)
{
    if (actor->is_touched)
        return;
    actor->is_touched = true;
    bt_vec_push(&runner->touched, actor);
}

void runner_ready(struct bt_runner *runner, struct actor *actor)
{
    if (actor->is_ready)
        return;
    actor->is_ready = true;
    bt_vec_push(&runner->ready, actor);
}

void runner_send(struct bt_runner *runner, struct actor *actor, struct bt_event event,
                 uint64_t stored_id)
{
    actor_push(actor, event, stored_id);
    runner_touch(runner, actor);
    runner_ready(runner, actor);
}

static int flow_load(struct bt_journal *journal, const struct bt_exec *exec,
                     struct bt_flow **ret_flow, struct bt_err *err)
{
    BT_VALUE source = NULL;
    uint32_t revision = exec->revision;
    BT_TRY(journal->ops->flow(journal, exec->tenant, exec->namespace, exec->flow_id, &revision,
                              &source, err));
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    int rc = bt_flow_parse(bt_value_str(source), &flow, &diags);
    bt_diags_done(&diags);
    if (rc < 0)
        return bt_fail(err, BT_CORRUPT, "the stored flow %s.%s is not readable any more",
                       exec->namespace, exec->flow_id);
    flow->revision = revision;
    *ret_flow = flow;
    return BT_OK;
}

int flow_of(struct bt_flow_cache *flows, struct bt_journal *journal, const struct bt_exec *exec,
            struct bt_flow **ret_flow, struct bt_err *err)
{
    struct bt_flow_key key = {exec->tenant, bt_str_of(exec->namespace), bt_str_of(exec->flow_id),
                              exec->revision};
    *ret_flow = bt_flow_cache_get(flows, &key);
    if (*ret_flow)
        return BT_OK;
    BT_TRY(flow_load(journal, exec, ret_flow, err));
    bt_flow_cache_put(flows, exec->tenant, *ret_flow);
    return BT_OK;
}

struct bt_exec runner_named(const char *tenant, const struct bt_flow *flow, uint32_t revision)
{
    struct bt_exec of = {.revision = revision};
    (void)snprintf(of.tenant, sizeof of.tenant, "%s", tenant); /* Checked sizes. */
    (void)snprintf(of.namespace, sizeof of.namespace, "%s", flow->namespace);
    (void)snprintf(of.flow_id, sizeof of.flow_id, "%s", flow->id);
    return of;
}

/* The newest revision of a flow that was put in this batch, or NULL. */
static const struct bt_flow_row *put_row(const struct bt_runner *runner, const struct bt_exec *of)
{
    for (size_t i = runner->put_flows.count; i-- > 0;) {
        const struct bt_flow_row *row = &runner->put_flows.items[i];
        if (strcmp(row->id, of->flow_id) == 0 && strcmp(row->namespace, of->namespace) == 0 &&
            strcmp(row->tenant, of->tenant) == 0)
            return row;
    }
    return NULL;
}

int runner_flow(struct bt_runner *runner, const struct bt_exec *named, uint32_t revision,
                struct bt_flow **ret_flow, struct bt_err *err)
{
    struct bt_exec of = *named;
    of.revision = revision;
    const struct bt_flow_row *row = revision ? NULL : put_row(runner, named);
    if (row && row->is_deleted)
        return bt_fail(err, BT_NOT_FOUND, "the flow does not exist");
    if (row)
        of.revision = row->revision;
    if (!of.revision) {
        BT_VALUE source = NULL;
        struct bt_journal *journal = runner->config.journal;
        BT_TRY(journal->ops->flow(journal, of.tenant, of.namespace, of.flow_id, &of.revision,
                                  &source, err));
        if (!source)
            return bt_fail(err, BT_NOT_FOUND, "the flow does not exist");
    }
    return flow_of(runner->flows, runner->config.journal, &of, ret_flow, err);
}

int runner_actor(struct bt_runner *runner, uint64_t key, struct actor **ret_actor,
                 struct bt_err *err)
{
    *ret_actor = bt_map64_get(&runner->actors, key);
    if (*ret_actor)
        return BT_OK;
    struct bt_journal *journal = runner->config.journal;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_flow *flow = NULL;
    BT_TRY(journal->ops->exec(journal, key, &exec, err));
    BT_TRY(flow_of(runner->flows, runner->config.journal, exec, &flow, err));
    *ret_actor = actor_new(BT_TAKE(exec), flow, false);
    bt_map64_put(&runner->actors, key, *ret_actor);
    return BT_OK;
}

/* --- Messages --------------------------------------------------------------------------------- */

/* The current revision of a flow: put in this batch, or stored. *ret_revision 0: there never was
 * one; *ret_source NULL: there is none now. */
static int current_flow(struct bt_runner *runner, const struct message *message,
                        uint32_t *ret_revision, struct bt_value **ret_source, struct bt_err *err)
{
    const struct bt_flow *flow = message->flow;
    const struct bt_exec of = runner_named(message->tenant, flow, 0);
    const struct bt_flow_row *row = put_row(runner, &of);
    if (row) {
        *ret_revision = row->revision;
        *ret_source = row->is_deleted ? NULL : bt_value_string(row->source);
        return *ret_source || row->is_deleted ? BT_OK : bt_fail_mem(err, "flow");
    }
    struct bt_journal *journal = runner->config.journal;
    int rc = journal->ops->flow(journal, message->tenant, flow->namespace, flow->id, ret_revision,
                                ret_source, err);
    return rc == BT_NOT_FOUND ? BT_OK : rc;
}

/* Whether a revision bounds how many of its executions run at once. */
static bool has_limit(struct bt_runner *runner, const struct message *message, uint32_t revision)
{
    const struct bt_exec of = runner_named(message->tenant, message->flow, revision);
    struct bt_flow *flow = NULL;
    bool has = flow_of(runner->flows, runner->config.journal, &of, &flow, NULL) == BT_OK &&
               flow->concurrency > 0;
    bt_flow_unref(flow);
    return has;
}

static int apply_flow(struct bt_runner *runner, struct message *message, struct bt_err *err)
{
    struct bt_flow *flow = message->flow;
    uint32_t revision = 0;
    BT_VALUE source = NULL;
    BT_TRY(current_flow(runner, message, &revision, &source, err));
    if (source && message->put == BT_PUT_NEW)
        return bt_fail(err, BT_EXISTS, "Flow id already exists");
    if (!source && (message->put == BT_PUT_OLD || message->put == BT_PUT_DELETED))
        return bt_fail(err, BT_NOT_FOUND, "the flow %s.%s does not exist", flow->namespace,
                       flow->id);
    bool is_deleted = message->put == BT_PUT_DELETED;
    /* A revision that the text says of itself makes no other text of it. */
    bool is_same =
        source && !is_deleted &&
        bt_str_eq(bt_flow_text_bare(bt_value_str(source)), bt_flow_text_bare(flow->source));
    flow->revision = is_same ? revision : revision + 1;
    message->number = flow->revision;
    if (is_same)
        return BT_OK;
    bool had_limit = source && has_limit(runner, message, revision);
    bt_vec_push(&runner->put_flows, ((struct bt_flow_row){.tenant = message->tenant,
                                                          .namespace = flow->namespace,
                                                          .id = flow->id,
                                                          .revision = flow->revision,
                                                          .source = flow->source,
                                                          .created_us = runner->now_us,
                                                          .is_deleted = is_deleted}));
    bt_flow_cache_put(runner->flows, message->tenant, flow);
    if (!is_deleted && slots_pushed(runner, message->tenant, flow, had_limit, err) < 0)
        runner->read_err = *err; /* The batch, and the row in it, is given up. */
    return BT_OK;
}

void runner_name(struct bt_runner *runner, struct bt_exec *exec)
{
    uint64_t high = bt_rng_next(&runner->rng);
    exec->id = bt_id_make(runner->now_us / 1000, high, bt_rng_next(&runner->rng));
}

void runner_enter(struct bt_runner *runner, struct bt_exec *exec, struct bt_flow *flow)
{
    exec->key = ++runner->last_key;
    exec->state = BT_CREATED;
    exec->next_n = 1;
    exec->attempt_number = 1;
    if (bt_histories_add(&exec->histories, runner->now_us, BT_CREATED) < 0)
        bt_die("out of memory");
    struct actor *actor = actor_new(exec, flow, true);
    actor->is_exec_dirty = true;
    exec->is_dirty = true;
    bt_map64_put(&runner->actors, exec->key, actor);
    if (exec->super.key)
        bt_vec_push(&runner->entered, ((struct entered){exec->key, exec->super.key}));
    enum bt_event_kind first = exec->copy_from ? BT_EVENT_COPY : BT_EVENT_BEGIN;
    runner_send(runner, actor, (struct bt_event){.kind = first}, 0);
}

static int apply_create(struct bt_runner *runner, struct message *message, struct bt_err *err)
{
    struct bt_flow *flow = NULL;
    struct bt_exec *exec = message->exec;
    BT_TRY(flow_of(runner->flows, runner->config.journal, exec, &flow, err));
    message->exec = NULL;
    if (!exec->id.text[0])
        runner_name(runner, exec);
    runner_enter(runner, exec, flow);
    message->number = exec->key;
    return BT_OK;
}

/* A copy that owns its values, so that the message can be applied again if the commit fails. */
static struct bt_event event_copy(const struct bt_event *event)
{
    struct bt_event copy = *event;
    copy.outputs = bt_value_ref(event->outputs);
    copy.metrics = bt_value_ref(event->metrics);
    copy.error = bt_value_ref(event->error);
    return copy;
}

static int apply_event(struct bt_runner *runner, struct message *message, struct bt_err *err)
{
    struct actor *actor;
    BT_TRY(runner_actor(runner, message->exec_key, &actor, err));
    if (message->event.kind == BT_EVENT_RESULT)
        bt_vec_push(
            &runner->jobs_clear,
            ((struct bt_job_row){message->exec_key, message->event.taskrun, message->event.token}));
    runner_send(runner, actor, event_copy(&message->event), 0);
    return BT_OK;
}

static int apply_logs(struct bt_runner *runner, struct message *message, struct bt_err *err)
{
    struct actor *actor;
    BT_TRY(runner_actor(runner, message->exec_key, &actor, err));
    runner_touch(runner, actor);
    for (size_t i = 0; i < message->entry_count; i++)
        actor_log(actor, &message->entries[i], NULL, /* Texts live as long as the batch. */
                  runner->step.transitions);
    return BT_OK;
}

static int apply_space(struct bt_runner *runner, struct message *message, struct bt_err *err)
{
    struct bt_space_answer answer = {0};
    struct bt_kv_place place = {message->tenant, message->namespace};
    BT_TRY(spaces_step(runner, place, message->request, &answer, err));
    bt_value_unref(answer.outputs);
    message->number = (uint64_t)answer.number;
    return BT_OK;
}

/* Applies a message and keeps it in runner->taken until the commit, or answers it at once. */
void turn_apply(struct bt_runner *runner, struct message *message)
{
    struct bt_err err = BT_ERR_INIT;
    int rc = BT_OK;
    switch (message->kind) {
    case MESSAGE_FLOW: rc = apply_flow(runner, message, &err); break;
    case MESSAGE_CREATE: rc = apply_create(runner, message, &err); break;
    case MESSAGE_EVENT: rc = apply_event(runner, message, &err); break;
    case MESSAGE_LOGS: rc = apply_logs(runner, message, &err); break;
    case MESSAGE_SPACE: rc = apply_space(runner, message, &err); break;
    case MESSAGE_LABEL: rc = edit_labels(runner, message, &err); break;
    case MESSAGE_DROP: rc = edit_drop(runner, message, &err); break;
    case MESSAGE_REPLAY: rc = replay_apply(runner, message, &err); break;
    case MESSAGE_DROP_LOGS: rc = edit_drop_logs(runner, message, &err); break;
    }
    bool is_kept = message->kind == MESSAGE_EVENT || message->kind == MESSAGE_LOGS;
    if (is_kept && read_may_pass(rc)) {
        runner->read_err = err; /* The batch is given up; the message comes again. */
    } else if (rc < 0) {
        reply_done(message->reply, rc, &err, 0);
        message_free(message);
        return;
    }
    message->next = runner->taken;
    runner->taken = message;
}

/* --- Timers ----------------------------------------------------------------------------------- */

void turn_timers(struct bt_runner *runner)
{
    if (runner->now_us < runner->next_due_us)
        return;
    struct bt_journal *journal = runner->config.journal;
    struct bt_timer timers[TIMERS_PER_TURN];
    size_t count = TIMERS_PER_TURN;
    struct bt_err err = BT_ERR_INIT;
    int64_t next_us = runner->now_us + 1000000;
    int rc = journal->ops->due(journal, runner->now_us, timers, &count, &next_us, &err);
    runner->next_due_us = next_us;
    if (rc < 0) {
        runner_tell(runner, &err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct actor *actor;
        rc = runner_actor(runner, timers[i].exec, &actor, &err);
        if (read_may_pass(rc)) {
            runner->read_err = err;
            return;
        }
        if (rc < 0 && rc != BT_NOT_FOUND) {
            runner_tell(runner, &err); /* It stays, for a program that can read it. */
            continue;
        }
        bt_vec_push(&runner->timers_clear, timers[i]);
        if (rc == BT_NOT_FOUND)
            continue; /* Its execution is gone: the timer goes with it. */
        runner_send(runner, actor,
                    (struct bt_event){.kind = BT_EVENT_TIMER,
                                      .taskrun = timers[i].taskrun,
                                      .timer = timers[i].kind},
                    0);
    }
}

/* --- Steps ------------------------------------------------------------------------------------ */

/* A late word about a task run of an earlier pass of a loop: it is no more. */
static bool is_about_removed(const struct bt_need *need, const struct bt_event *event)
{
    return need->kind == BT_NEED_TASKRUN && need->n == event->taskrun && event->taskrun &&
           (event->kind == BT_EVENT_STARTED || event->kind == BT_EVENT_RESULT ||
            event->kind == BT_EVENT_LOST || event->kind == BT_EVENT_TIMER ||
            event->kind == BT_EVENT_TIMER_KILLED || event->kind == BT_EVENT_RESUME);
}

static int step_with_fetches(struct bt_runner *runner, struct actor *actor,
                             const struct bt_event *event, struct bt_err *err)
{
    for (int fetches = 0; fetches < FETCHES_PER_STEP_MAX; fetches++) {
        int rc = bt_execution_step(&runner->step, event, err);
        if (rc != BT_NEED)
            return rc;
        const struct sources sources = {runner->config.journal, runner->config.files};
        rc = actor_fetch(actor, &sources, &runner->step.need, err);
        if (rc == BT_NOT_FOUND && is_about_removed(&runner->step.need, event))
            return BT_OK;
        BT_TRY(rc);
    }
    return bt_fail(err, BT_LIMIT, "a step asked for more than %d rows", FETCHES_PER_STEP_MAX);
}

static void step_once(struct bt_runner *runner, struct actor *actor)
{
    struct queued queued = actor_pop(actor);
    struct bt_step *step = &runner->step;
    struct bt_err err = BT_ERR_INIT;
    if (queued.stored_id)
        bt_vec_push(&runner->events_drop, queued.stored_id);
    if (queued.event.kind == BT_EVENT_LOST)
        bt_vec_push(&runner->jobs_clear,
                    ((struct bt_job_row){actor->key, queued.event.taskrun, queued.event.token}));
    if (queued.event.kind == BT_EVENT_COPY) {
        replay_copy(runner, actor);
        bt_event_done(&queued.event);
        return;
    }
    step->exec = actor->exec;
    step->flow = actor->flow;
    step->view = actor_view(actor);
    step->env = (struct bt_step_env){.now_us = runner->now_us,
                                     .rng = {bt_rng_next(&runner->rng)},
                                     .envs = runner->config.envs,
                                     .globals = runner->config.globals,
                                     .zone = runner->config.zone};
    int rc = step_with_fetches(runner, actor, &queued.event, &err);
    if (read_may_pass(rc))
        runner->read_err = err; /* Nothing was changed; the batch is given up. */
    else if (rc < 0)
        bt_execution_fail(step, &queued.event, &err);
    actor_forget(actor);
    bt_event_done(&queued.event);
    effects_apply(runner, actor);
}

size_t turn_steps(struct bt_runner *runner)
{
    size_t steps = 0;
    int64_t start_us = bt_clock_mono_us(runner->config.clock);
    while (!runner->read_err.code && runner->ready_head < runner->ready.count &&
           steps < BT_STEPS_PER_COMMIT_MAX) {
        struct actor *actor = runner->ready.items[runner->ready_head++];
        size_t mine = 0;
        runner_touch(runner, actor);
        while (!runner->read_err.code && actor_has_events(actor) &&
               mine++ < BT_STEPS_PER_ACTOR_TURN)
            step_once(runner, actor);
        steps += mine;
        actor->is_ready = false;
        if (actor_has_events(actor))
            runner_ready(runner, actor);
        if (bt_clock_mono_us(runner->config.clock) - start_us > TURN_US_MAX)
            break;
    }
    size_t left = runner->ready.count - runner->ready_head;
    if (left)
        memmove(runner->ready.items, runner->ready.items + runner->ready_head,
                left * sizeof *runner->ready.items);
    runner->ready.count = left;
    runner->ready_head = 0;
    return steps;
}
