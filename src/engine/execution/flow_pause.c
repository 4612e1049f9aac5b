/* flow_pause.c — Pause: waits for somebody, or for some time. It is a timer even when it waits for
 * ever, so that a kill finds it. */
#include "engine/execution/step_int.h"

static void set_timer(struct bt_step *step, const struct bt_taskrun *run, enum bt_timer_kind kind,
                      int64_t due_us)
{
    struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_SET);
    effect->taskrun = run->n;
    effect->timer = kind;
    effect->due_us = due_us;
}

static void clear_timer(struct bt_step *step, const struct bt_taskrun *run, enum bt_timer_kind kind)
{
    struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_CLEAR);
    effect->taskrun = run->n;
    effect->timer = kind;
}

int pause_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    const char *name = bt_task_prop(task, "pauseDuration") ? "pauseDuration" : "delay";
    int64_t delay_us, timeout_us;
    BT_TRY(step_render_duration(step, (struct step_prop){run, name, bt_task_prop(task, name)},
                                &delay_us, err));
    BT_TRY(step_render_duration(step, (struct step_prop){run, "timeout", task->timeout},
                                &timeout_us, err));
    (void)start_list(step, run, BT_BRANCH_TASKS, false); /* Never fails. */
    run_move(step, run, BT_RUNNING);
    run_move(step, run, BT_PAUSED);
    if (delay_us > 0)
        set_timer(step, run, BT_TIMER_PAUSE, step->env.now_us + delay_us);
    else
        set_timer(step, run, BT_TIMER_PAUSE, INT64_MAX);
    if (delay_us <= 0 && timeout_us > 0)
        set_timer(step, run, BT_TIMER_TIMEOUT, step->env.now_us + timeout_us);
    return BT_OK;
}

/* It goes on with its tasks, or ends. */
static void pause_over(struct bt_step *step, struct bt_taskrun *run, enum bt_state state)
{
    clear_timer(step, run, BT_TIMER_PAUSE);
    clear_timer(step, run, BT_TIMER_TIMEOUT);
    run_move(step, run, BT_RUNNING);
    if (state != BT_SUCCESS || run->group.lanes == 0) {
        run_end(step, run, state);
        return;
    }
    run->group.is_open_queued = true;
    step_event(step, BT_EVENT_OPEN, run->n, 0);
}

static enum bt_state state_after_delay(const struct bt_step *step, const struct bt_taskrun *run)
{
    const struct bt_dyn *behavior = bt_task_prop(step_task(step, run), "behavior");
    struct bt_str text = behavior ? bt_value_str(bt_dyn_raw(behavior)) : BT_STR_NONE;
    return bt_str_is(text, "WARN")     ? BT_WARNING
           : bt_str_is(text, "FAIL")   ? BT_FAILED
           : bt_str_is(text, "CANCEL") ? BT_CANCELLED
                                       : BT_SUCCESS;
}

void pause_timer(struct bt_step *step, struct bt_taskrun *run, enum bt_timer_kind kind)
{
    if (run->state != BT_PAUSED)
        return;
    if (kind == BT_TIMER_TIMEOUT) {
        step_log(step, run, BT_LEVEL_ERROR, "Timeout: nobody has resumed it");
        pause_over(step, run, BT_FAILED);
        return;
    }
    enum bt_state state = state_after_delay(step, run);
    pause_over(step, run, state);
    if (state == BT_CANCELLED)
        exec_stop(step, BT_CANCELLED, NULL);
}

int on_hold(struct bt_step *step)
{
    struct bt_exec *exec = step->exec;
    bool is_running = exec->state == BT_RUNNING || exec->state == BT_RETRYING;
    if (!is_running || exec->is_held || exec->is_killing || exec->is_finishing)
        return BT_OK;
    exec->is_held = true;
    step_changed(step, NULL);
    exec_settle(step);
    return BT_OK;
}

static void release(struct bt_step *step)
{
    struct bt_exec *exec = step->exec;
    if (!exec->is_held)
        return;
    exec->is_held = false;
    step_changed(step, NULL);
    (void)step_effect(step, BT_EFFECT_RELEASE);
    exec_settle(step);
}

int on_resume(struct bt_step *step, const struct bt_event *event)
{
    struct bt_taskrun *run = NULL;
    if (event->taskrun)
        BT_TRY(step_run(step, event->taskrun, &run));
    if (!step_is_going_for(step, run ? step_task(step, run) : NULL)) {
        if (run && run->state == BT_PAUSED)
            run_end(step, run, BT_KILLED); /* Its timer may be gone: nothing else would end it. */
        return BT_OK;
    }
    if (run && (run->state != BT_PAUSED || step_task(step, run)->type->op != BT_OP_PAUSE))
        return BT_OK; /* Somebody was faster. */
    if (!run) {
        release(step);
        return BT_OK;
    }
    if (event->outputs) {
        BT_VALUE outputs = bt_map_new(1);
        if (bt_map_puts(outputs, "onResume", bt_value_ref(event->outputs)) < 0)
            return BT_NO_MEM;
        bt_value_unref(run->outputs);
        run->outputs = BT_TAKE(outputs);
    }
    if (step->exec->state == BT_PAUSED)
        exec_move(step, BT_RESTARTED);
    pause_over(step, run, BT_SUCCESS);
    exec_settle(step);
    return BT_OK;
}
