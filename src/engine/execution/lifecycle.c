/* lifecycle.c — The life of a task run: made, started, moved, ended. One function moves a state. */
#include "engine/execution/step_int.h"

#include <assert.h>
#include <stdlib.h>

static void add_history(struct bt_step *step, struct bt_histories *histories, enum bt_state state)
{
    if (bt_histories_add(histories, step->env.now_us, state) < 0)
        abort(); /* Out of memory: the batch is not committed. */
    step->transitions++;
}

void run_move(struct bt_step *step, struct bt_taskrun *run, enum bt_state state)
{
    if (run->state == state)
        return;
    assert(bt_state_is_legal(run->state, state));
    struct bt_exec *exec = step->exec;
    bool is_of_exec = run->state == BT_PAUSED || run->state == BT_RETRYING || state == BT_PAUSED ||
                      state == BT_RETRYING;
    exec->paused -= run->state == BT_PAUSED && exec->paused;
    exec->retrying -= run->state == BT_RETRYING && exec->retrying;
    exec->paused += state == BT_PAUSED;
    exec->retrying += state == BT_RETRYING;
    run->state = state;
    add_history(step, &run->histories, state);
    run->moved = step->transitions;
    step_changed(step, run);
    if (is_of_exec)
        exec_settle(step);
}

void exec_move(struct bt_step *step, enum bt_state state)
{
    if (step->exec->state == state)
        return;
    assert(bt_state_is_legal(step->exec->state, state));
    step->exec->state = state;
    add_history(step, &step->exec->histories, state);
    step_changed(step, NULL);
}

void exec_settle(struct bt_step *step)
{
    struct bt_exec *exec = step->exec;
    if (exec->is_killing || exec->is_finishing || bt_state_is_ended(exec->state) ||
        exec->state == BT_CREATED || (exec->state == BT_QUEUED && exec->is_restarting))
        return;
    step_changed(step, NULL);
    exec_move(step, exec->is_held || exec->paused ? BT_PAUSED
                    : exec->retrying              ? BT_RETRYING
                                                  : BT_RUNNING);
}

void run_create(struct bt_step *step, uint32_t task, const struct bt_taskrun *parent, uint32_t lane,
                struct bt_value *value)
{
    struct bt_taskrun *run = bt_taskrun_new();
    if (!run)
        abort(); /* Out of memory: the batch is not committed. */
    run->n = step->exec->next_n++;
    run->parent = parent ? parent->n : 0;
    run->iteration =
        parent && step_task(step, parent)->type->op == BT_OP_LOOP_UNTIL ? parent->iteration : 0;
    run->task = task;
    run->lane = lane;
    run->value = bt_value_ref(value);
    uint64_t high = bt_rng_next(&step->env.rng);
    run->id = bt_id_make(step->env.now_us / 1000, high, bt_rng_next(&step->env.rng));
    run->state = BT_CREATED;
    run->group.list = BT_NO_TASK;
    if (step->view.add(step->view.data, run) < 0)
        abort(); /* Out of memory, as above. */
    add_history(step, &run->histories, BT_CREATED);
    step_changed(step, run);
    step->exec->live++;
    step_changed(step, NULL);
    step_event(step, BT_EVENT_START, run->n, 0);
}

void run_end(struct bt_step *step, struct bt_taskrun *run, enum bt_state state)
{
    const struct bt_task *task = step_task(step, run);
    if (state == BT_FAILED && task->allow_failure)
        state = BT_WARNING;
    if (state == BT_WARNING && task->allow_warning)
        state = BT_SUCCESS;
    assert(bt_state_is_ended(state));
    run->token = 0;
    run->end_n = ++step->exec->ends;
    run_move(step, run, state);
    assert(step->exec->live > 0 || step->exec->is_drained);
    step->exec->live -=
        step->exec->live > 0; /* Drained by force: late ends are only written down. */
    step_changed(step, NULL);
    step_event(step, BT_EVENT_NEXT, run->parent, run->n);
    exec_check_drained(step);
}

static void fail_run(struct bt_step *step, struct bt_taskrun *run, const struct bt_err *err)
{
    step_log(step, run, BT_LEVEL_ERROR, "%s", err->msg);
    run_end(step, run, BT_FAILED);
}

static int start_flowable(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    int rc = flowable_start(step, run, err);
    if (rc == BT_NEED)
        return rc;
    if (rc == BT_OK && run->state == BT_PAUSED)
        return BT_OK;
    run_move(step, run, BT_RUNNING);
    if (rc < 0) {
        fail_run(step, run, err);
        return BT_OK;
    }
    if (run->stage == BT_STAGE_OPENING)
        return BT_OK; /* Its tasks begin when a worker has the directory. */
    run->group.is_open_queued = true;
    step_event(step, BT_EVENT_OPEN, run->n, 0);
    return BT_OK;
}

static int start_pure(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    enum bt_state state = BT_SUCCESS;
    int rc = pure_run(step, run, &state, err);
    if (rc == BT_NEED)
        return rc;
    step_changed(step, run);
    if (run->state != BT_RUNNING) /* pure_run opens it before its first effect. */
        attempt_open(step, run);
    if (rc < 0) {
        step_log(step, run, BT_LEVEL_ERROR, "%s", err->msg);
        state = BT_FAILED;
    }
    attempt_end(step, run, state);
    return BT_OK;
}

static int start_sleep(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    int64_t duration_us, timeout_us;
    BT_TRY(step_render_duration(step,
                                (struct step_prop){run, "duration", bt_task_prop(task, "duration")},
                                &duration_us, err));
    BT_TRY(step_render_duration(step, (struct step_prop){run, "timeout", task->timeout},
                                &timeout_us, err));
    bool is_cut = timeout_us > 0 && timeout_us < duration_us;
    attempt_open(step, run);
    struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_SET);
    effect->taskrun = run->n;
    effect->timer = is_cut ? BT_TIMER_TIMEOUT : BT_TIMER_SLEEP;
    effect->due_us = step->env.now_us + (is_cut ? timeout_us : duration_us);
    return BT_OK;
}

static int start_by_kind(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    switch (task->type->exec) {
    case BT_EXEC_FLOWABLE: return start_flowable(step, run, err);
    case BT_EXEC_PURE: return start_pure(step, run, err);
    case BT_EXEC_TIMER: return start_sleep(step, run, err);
    case BT_EXEC_CHILD: return subflow_start(step, run, err);
    case BT_EXEC_NAMESPACE: return space_start(step, run, err);
    case BT_EXEC_JOB: return attempt_submit(step, run, err);
    case BT_EXEC_TRIGGER: break;
    }
    return bt_fail(err, BT_INVALID, "'%s' is a trigger, not a task", task->type->name);
}

int run_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    bool runs = true;
    int rc = BT_OK;
    if (task->run_if && run->attempt_count == 0)
        rc = step_render_bool(step, (struct step_prop){run, "runIf", task->run_if}, &runs, err);
    if (rc == BT_OK && !runs) {
        run_end(step, run, BT_SKIPPED);
        return BT_OK;
    }
    if (rc == BT_OK)
        rc = start_by_kind(step, run, err);
    if (is_for_worker(step, rc))
        rc = evaluate_start(step, run, err);
    if (rc == BT_OK || rc == BT_NEED)
        return rc;
    fail_run(step, run, err);
    return BT_OK;
}

int on_start(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, event->taskrun, &run));
    if ((run->state != BT_CREATED && run->state != BT_RESTARTED) || run->token)
        return BT_OK; /* Repeated. */
    if (!run_is_going(step, run)) {
        run_end(step, run, BT_KILLED);
        return BT_OK;
    }
    if (step->exec->is_held && !step_task(step, run)->is_after) {
        struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_SET);
        effect->taskrun = run->n;
        effect->timer = BT_TIMER_HELD;
        effect->due_us = INT64_MAX;
        return BT_OK;
    }
    return run_start(step, run, err);
}
