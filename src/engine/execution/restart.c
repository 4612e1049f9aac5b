/* restart.c — An execution that has ended goes on: from what failed (restart), or from one task run
 * whose state somebody has changed.
 *
 * A restart walks only over what ended badly: from the execution down, one group an event. Lanes
 * that were cut because something else failed or was killed are noted when that happens (lane_cut),
 * so that nobody has to look for them. Branches `errors` and `finally` are removed and run anew. */
#include "engine/execution/step_int.h"

#include <assert.h>
#include <stdlib.h>

/* --- Opening again ---------------------------------------------------------------------------- */

static void uncount(struct bt_group *group, enum bt_state state)
{
    if (state == BT_KILLED || state == BT_CANCELLED)
        group->killed -= group->killed > 0;
    else if (state == BT_FAILED)
        group->failed -= group->failed > 0;
    else if (state == BT_WARNING)
        group->warned -= group->warned > 0;
}

/* A run that has ended counts as living again; its state moves later. */
static void run_reopen(struct bt_step *step, struct bt_taskrun *run)
{
    run->end_n = 0;
    run->token = 0;
    run->is_evaluating = false;
    step->exec->live++;
    step_changed(step, run);
    step_changed(step, NULL);
}

/* The group is in its main list again; what ran beside it is no more. */
static void group_reopen(struct bt_step *step, struct bt_taskrun *run, struct bt_group *group)
{
    group->phase = BT_PHASE_MAIN;
    group->side_next = group->side_open = 0;
    group->side_failed = false;
    step_changed(step, run);
    struct bt_effect *effect = step_effect(step, BT_EFFECT_DROP_RUNS);
    effect->taskrun = run ? run->n : 0;
    effect->token = 1;
}

/* --- Lanes that wait to go on ----------------------------------------------------------------- */

static struct bt_value **cuts_of(struct bt_step *step, struct bt_taskrun *run)
{
    return run ? &run->cuts : &step->exec->cuts;
}

/* A child whose lane cannot go on (n > 0), or that is to be restarted (-n). */
static void cuts_add(struct bt_step *step, struct bt_taskrun *run, int64_t number)
{
    struct bt_value **cuts = cuts_of(step, run);
    struct bt_value *list = *cuts ? bt_value_copy(*cuts) : bt_list_new(1);
    if (bt_list_push(list, bt_value_int(number)) < 0)
        abort(); /* Out of memory: the batch is not committed. */
    bt_value_unref(*cuts);
    *cuts = list;
    step_changed(step, run);
}

void lane_cut(struct bt_step *step, struct bt_taskrun *group_run, const struct bt_taskrun *child)
{
    cuts_add(step, group_run, child->n);
}

static bool has_cut(const struct bt_value *cuts, int64_t number)
{
    for (size_t i = 0; i < bt_value_count(cuts); i++)
        if (bt_value_as_int(bt_list_at(cuts, i)) == number)
            return true;
    return false;
}

int lanes_read(struct bt_step *step, struct bt_taskrun *run, uint32_t limit)
{
    const struct bt_value *cuts = *cuts_of(step, run);
    uint32_t open = run ? run->group.open : step->exec->group.open;
    for (size_t i = 0; i < bt_value_count(cuts) && open < limit; i++, open++) {
        struct bt_taskrun *child;
        int64_t number = bt_value_as_int(bt_list_at(cuts, i));
        if (number < 0)
            BT_TRY(step_run(step, (uint32_t)-number, &child));
    }
    return BT_OK;
}

/* One that was read before the first change. */
static struct bt_taskrun *known_run(const struct bt_step *step, uint32_t n)
{
    struct bt_taskrun *run = NULL;
    if (step->view.taskrun(step->view.data, n, &run) != BT_OK || !run)
        abort(); /* A defect: the batch is not committed. */
    return run;
}

static void restart_child(struct bt_step *step, struct bt_taskrun *group_run,
                          struct bt_taskrun *child)
{
    if (group_run && group_run->marks)
        dag_again(group_run, child->lane);
    run_reopen(step, child);
    if (step_task(step, child)->type->exec == BT_EXEC_FLOWABLE) {
        step_event(step, BT_EVENT_RESTART, child->n, 0);
        return;
    }
    run_move(step, child, BT_RESTARTED);
    step_event(step, BT_EVENT_START, child->n, 0);
}

void lanes_again(struct bt_step *step, struct bt_taskrun *run, uint32_t limit)
{
    struct bt_value **cuts = cuts_of(step, run);
    struct bt_group *group = run ? &run->group : &step->exec->group;
    BT_VALUE all = bt_value_ref(*cuts);
    if (!all)
        return;
    *cuts = bt_value_unref(*cuts);
    step_changed(step, run);
    for (size_t i = 0; i < bt_value_count(all); i++) {
        int64_t number = bt_value_as_int(bt_list_at(all, i));
        if (group->open >= limit) {
            cuts_add(step, run, number);
            continue;
        }
        group->open++;
        if (number < 0) {
            restart_child(step, run, known_run(step, (uint32_t)-number));
            continue;
        }
        step_event(step, BT_EVENT_NEXT, run ? run->n : 0, (uint32_t)number);
        step->effects[step->effect_count - 1].event.token = 1; /* It has been counted. */
    }
}

static void exec_reopen(struct bt_step *step)
{
    struct bt_exec *exec = step->exec;
    step_changed(step, NULL);
    exec_move(step, BT_RESTARTED);
    exec->attempt_number++;
    exec->is_killing = exec->is_failure = exec->is_cancel = exec->is_finishing = false;
    exec->is_drained = exec->is_held = false;
    exec->paused = exec->retrying = 0;
    exec->outputs = bt_value_unref(exec->outputs);
    exec->after = (struct bt_group){.list = BT_NO_TASK};
}

static void set_timeout(struct bt_step *step)
{
    if (step->flow->timeout_us <= 0)
        return;
    struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_SET);
    effect->timer = BT_TIMER_TIMEOUT;
    effect->due_us = step->env.now_us + step->flow->timeout_us;
}

/* --- Restart ---------------------------------------------------------------------------------- */

/* Whether it may go on at all: it has ended, and nothing that runs after its end is under way. */
static bool is_restartable(const struct bt_step *step)
{
    const struct bt_exec *exec = step->exec;
    return bt_state_is_ended(exec->state) && exec->state != BT_RETRIED && after_is_over(step) &&
           exec->eval_token == 0;
}

static void restart_paused(struct bt_step *step)
{
    struct bt_exec *exec = step->exec;
    exec->attempt_number++;
    exec->is_held = false;
    exec_move(step, BT_RESTARTED);
    step_effect(step, BT_EFFECT_RELEASE)->token = 1;
    if (exec->paused == 0)
        exec_settle(step);
}

int on_restart(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_exec *exec = step->exec;
    if (event->taskrun)
        return on_restart_group(step, event, err);
    if (exec->is_restarting)
        return on_restart_group(step, event, err);
    if (exec->state == BT_PAUSED && !exec->is_killing) {
        restart_paused(step);
        return BT_OK;
    }
    if (!is_restartable(step))
        return BT_OK; /* Somebody was faster. */
    exec_reopen(step);
    exec->is_restarting = true;
    if (step->flow->concurrency && exec->slot != BT_SLOT_HELD)
        (void)step_effect(step, BT_EFFECT_SLOT_ASK);
    else
        step_event(step, BT_EVENT_RESTART, 0, 0);
    return BT_OK;
}

/* What of a group has ended badly; numbers of runs. */
struct bad {
    uint32_t *ns;
    size_t count, cap;
};

static int bad_add(struct bad *bad, const uint32_t *ns, size_t count, struct bt_err *err)
{
    if (bad->count + count > bad->cap) {
        size_t cap = (bad->count + count) * 2;
        uint32_t *grown = realloc(bad->ns, cap * sizeof *grown);
        if (!grown)
            return bt_fail_mem(err, "restart");
        bad->ns = grown;
        bad->cap = cap;
    }
    if (count)
        memcpy(bad->ns + bad->count, ns, count * sizeof *ns);
    bad->count += count;
    return BT_OK;
}

static void bad_done(struct bad *bad)
{
    free(bad->ns);
}

/* Reads every row that the change will touch. */
static int read_bad(struct bt_step *step, const struct bt_taskrun *run,
                    const struct bt_group *group, struct bad *bad, struct bt_err *err)
{
    uint32_t list_count, n = run ? run->n : 0;
    const struct bt_task_list *lists = group_lists(step, run, &list_count);
    const struct bt_task_list *main = group->list < list_count ? &lists[group->list] : NULL;
    for (uint32_t i = 0; main && i < main->count; i++) {
        const uint32_t *ns;
        size_t count;
        BT_TRY(step_bad(step, main->tasks[i], n, &ns, &count));
        BT_TRY(bad_add(bad, ns, count, err));
    }
    for (size_t i = 0; i < bad->count; i++) {
        struct bt_taskrun *child;
        BT_TRY(step_run(step, bad->ns[i], &child));
    }
    return BT_OK;
}

/* It failed by itself, not through a child: all of it runs anew. */
static void restart_whole(struct bt_step *step, struct bt_taskrun *run)
{
    step_effect(step, BT_EFFECT_DROP_RUNS)->taskrun = run->n;
    place_release(step, run);
    run->group = (struct bt_group){.list = BT_NO_TASK};
    run->marks = bt_value_unref(run->marks);
    run->outputs = bt_value_unref(run->outputs);
    run->is_spilled = false;
    run_move(step, run, BT_RESTARTED);
    step_event(step, BT_EVENT_START, run->n, 0);
}

/* All has been read: what ended badly goes on, or all of it runs anew. */
static void restart_group(struct bt_step *step, struct bt_taskrun *run, struct bt_group *group,
                          const struct bad *bad)
{
    struct bt_exec *exec = step->exec;
    bool is_unit = run && step_task(step, run)->type->op == BT_OP_WORKING_DIRECTORY;
    bool has_rest =
        bad->count || bt_value_count(run ? run->cuts : exec->cuts) || group->next < group->lanes;
    if (run && (is_unit || !has_rest)) {
        run->cuts = bt_value_unref(run->cuts);
        restart_whole(step, run);
        return;
    }
    group_reopen(step, run, group);
    if (run)
        run->is_over = false;
    if (run)
        run_move(step, run, BT_RUNNING);
    else
        exec->is_restarting = false;
    exec_settle(step);
    for (size_t i = 0; i < bad->count; i++) {
        if (has_cut(*cuts_of(step, run), -(int64_t)bad->ns[i]))
            continue; /* It has waited since the last restart. */
        uncount(group, known_run(step, bad->ns[i])->state);
        cuts_add(step, run, -(int64_t)bad->ns[i]);
    }
    if (!run)
        set_timeout(step);
    group->is_open_queued = true;
    step_event(step, BT_EVENT_OPEN, run ? run->n : 0, 0);
}

int on_restart_group(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_group *group;
    struct bt_taskrun *run;
    struct bad bad = {0};
    BT_TRY(step_group(step, event->taskrun, &group, &run));
    bool is_waiting =
        run ? bt_state_is_ended(run->state) && run->end_n == 0 : step->exec->is_restarting;
    if (!is_waiting)
        return BT_OK; /* Repeated. */
    int rc = read_bad(step, run, group, &bad, err);
    if (rc == BT_OK)
        restart_group(step, run, group, &bad);
    bad_done(&bad);
    return rc;
}

/* --- A change of one task run's state --------------------------------------------------------- */

enum { DEPTH_MAX = 64 }; /* More than flowables may be nested. */

/* The runs from `run` up to the execution, `run` first. */
static int read_chain(struct bt_step *step, struct bt_taskrun *run, struct bt_taskrun **chain,
                      size_t *ret_count)
{
    size_t count = 0;
    chain[count++] = run;
    while (run->parent && count < DEPTH_MAX) {
        BT_TRY(step_run(step, run->parent, &run));
        chain[count++] = run;
    }
    *ret_count = count;
    return BT_OK;
}

int on_change(struct bt_step *step, const struct bt_event *event)
{
    struct bt_taskrun *run, *chain[DEPTH_MAX] = {NULL};
    size_t count = 0;
    BT_TRY(step_run(step, event->taskrun, &run));
    BT_TRY(read_chain(step, run, chain, &count));
    const struct bt_task *task = step_task(step, run);
    /* Drained, too: a late NEXT must not meet what is opened again. */
    if (!is_restartable(step) || !step->exec->is_drained || !bt_state_is_ended(run->state) ||
        task->is_after || !bt_state_is_ended(event->state) ||
        (run->state != event->state && !bt_state_is_legal(run->state, event->state)))
        return BT_OK; /* Somebody was faster. */
    exec_reopen(step);
    for (size_t i = 0; i < count && chain[i]; i++) {
        struct bt_taskrun *up = i + 1 < count ? chain[i + 1] : NULL;
        struct bt_group *group = up ? &up->group : &step->exec->group;
        uncount(group, chain[i]->state);
        group->open++;
        group_reopen(step, up, group);
        if (!up)
            continue;
        run_reopen(step, up);
    }
    for (size_t i = 1; i < count; i++)
        run_move(step, chain[i], BT_RUNNING);
    exec_settle(step);
    set_timeout(step);
    run_move(step, run, event->state);
    step_event(step, BT_EVENT_NEXT, run->parent, run->n);
    return BT_OK;
}

int on_status(struct bt_step *step, const struct bt_event *event)
{
    struct bt_exec *exec = step->exec;
    if (!bt_state_is_ended(exec->state) || !bt_state_is_ended(event->state) ||
        !bt_state_is_legal(exec->state, event->state))
        return BT_OK;
    exec_move(step, event->state);
    return BT_OK;
}

/* Up from the task run that a replay begins with: lanes that had been cut go on, others are opened.
 */
int on_replay(struct bt_step *step, const struct bt_event *event)
{
    struct bt_taskrun *run, *up = NULL;
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->parent)
        BT_TRY(step_run(step, run->parent, &up));
    struct bt_group *group = up ? &up->group : &step->exec->group;
    step_changed(step, up);
    group->is_open_queued = true;
    step_event(step, BT_EVENT_OPEN, run->parent, 0);
    if (up)
        step_event(step, BT_EVENT_REPLAY, up->n, 0);
    return BT_OK;
}
