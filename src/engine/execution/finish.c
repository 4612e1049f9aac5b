/* finish.c — The execution as a whole: begun, killed, finished, drained. */
#include "engine/execution/step_int.h"

#include "value/sealed.h"

#include <assert.h>

/* For its date, or for its flow to let it run. */
static bool must_wait(struct bt_step *step)
{
    const struct bt_exec *exec = step->exec;
    if (exec->copy_from)
        return true; /* Its task runs are being copied: it begins after that. */
    if (exec->is_killing || exec->is_forced)
        return false;
    if (exec->schedule_us > step->env.now_us) {
        struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_SET);
        effect->timer = BT_TIMER_BEGIN;
        effect->due_us = exec->schedule_us;
        return true;
    }
    if (step->flow->concurrency == 0 || exec->slot == BT_SLOT_HELD)
        return false;
    if (exec->slot == BT_SLOT_NONE)
        (void)step_effect(step, BT_EFFECT_SLOT_ASK);
    return true;
}

/* What the flow says of its concurrency; the slot itself is kept by whoever asked it. */
int on_slot(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_exec *exec = step->exec;
    bool is_waiting = exec->group.list == BT_NO_TASK || exec->is_restarting;
    if (!is_waiting || exec->is_killing || bt_state_is_ended(exec->state))
        return BT_OK;
    if (event->state == BT_QUEUED)
        exec_move(step, BT_QUEUED);
    else if (event->state == BT_RUNNING && exec->is_restarting)
        return on_restart_group(step, &(struct bt_event){.kind = BT_EVENT_RESTART}, err);
    else if (event->state == BT_RUNNING)
        return on_begin(step, err);
    else
        exec_stop(step, event->state,
                  event->state == BT_FAILED ? "Flow is FAILED due to concurrency limit exceeded"
                                            : NULL);
    return BT_OK;
}

int on_force(struct bt_step *step, struct bt_err *err)
{
    struct bt_exec *exec = step->exec;
    bool is_waiting = exec->group.list == BT_NO_TASK || exec->is_restarting;
    if (!is_waiting || exec->is_killing || bt_state_is_ended(exec->state))
        return BT_OK;
    if (exec->is_restarting) {
        (void)step_effect(step, BT_EFFECT_SLOT_TAKE);
        step_event(step, BT_EVENT_RESTART, 0, 0);
        return BT_OK;
    }
    step_changed(step, NULL);
    exec->is_forced = true;
    struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_CLEAR);
    effect->timer = BT_TIMER_BEGIN;
    if (step->flow->concurrency && exec->slot != BT_SLOT_HELD)
        (void)step_effect(step, BT_EFFECT_SLOT_TAKE);
    return on_begin(step, err);
}

int on_begin(struct bt_step *step, struct bt_err *err)
{
    (void)err;
    struct bt_exec *exec = step->exec;
    if (exec->group.list != BT_NO_TASK || bt_state_is_ended(exec->state))
        return BT_OK; /* Repeated. */
    if (must_wait(step))
        return BT_OK;
    const struct bt_task_list *tasks =
        bt_lists_find(step->flow->lists, step->flow->list_count, BT_BRANCH_TASKS, BT_STR_NONE);
    step_changed(step, NULL);
    exec->group.list = tasks ? (uint32_t)(tasks - step->flow->lists) : BT_NO_TASK;
    exec->group.lanes = tasks ? 1 : 0;
    if (exec->is_killing && exec->replay_n) {
        step_event(step, BT_EVENT_START, exec->replay_n, 0); /* It ends, and all above it. */
        return BT_OK;
    }
    if (exec->is_killing) {
        exec->is_finishing = true;
        step_event(step, BT_EVENT_FINISH, 0, 0);
        return BT_OK;
    }
    exec_move(step, BT_RUNNING);
    if (step->flow->timeout_us > 0) {
        struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_SET);
        effect->timer = BT_TIMER_TIMEOUT;
        effect->due_us = step->env.now_us + step->flow->timeout_us;
    }
    if (exec->replay_n) {
        step_event(step, BT_EVENT_START, exec->replay_n, 0);
        step_event(step, BT_EVENT_REPLAY, exec->replay_n, 0);
        return BT_OK;
    }
    exec->group.is_open_queued = true;
    step_event(step, BT_EVENT_OPEN, 0, 0);
    return BT_OK;
}

/* Everything that lives is a job, a timer or an event on its way; each of them comes back as ended,
 * and the groups close from the leaves up. So a kill needs no walk over task runs. */
void exec_stop(struct bt_step *step, enum bt_state state, const char *why)
{
    struct bt_exec *exec = step->exec;
    if (bt_state_is_ended(exec->state) || exec->is_killing)
        return;
    exec->is_killing = true;
    exec->is_failure = state == BT_FAILED;
    exec->is_cancel = state == BT_CANCELLED;
    step_changed(step, NULL);
    if (why)
        step_log(step, NULL, BT_LEVEL_ERROR, "%s", why);
    if (state == BT_KILLED)
        exec_move(step, BT_KILLING);
    (void)step_effect(step, BT_EFFECT_KILL_JOBS);
    (void)step_effect(step, BT_EFFECT_KILL_TIMERS);
    (void)step_effect(step, BT_EFFECT_CASCADE);
    if (exec->group.list == BT_NO_TASK) { /* It has not begun: nothing else would end it. */
        step_event(step, BT_EVENT_BEGIN, 0, 0);
    } else if (exec->is_restarting) { /* Nor this. */
        exec->is_restarting = false;
        exec->is_finishing = true;
        step_event(step, BT_EVENT_FINISH, 0, 0);
    }
}

int on_kill(struct bt_step *step, const char *failure)
{
    exec_stop(step, failure ? BT_FAILED : BT_KILLED, failure);
    return BT_OK;
}

int on_timeout(struct bt_step *step)
{
    char text[96];
    (void)snprintf(text, sizeof text, "the execution has exceeded the flow's timeout of %g s",
                   (double)step->flow->timeout_us / 1e6); /* Fits. */
    return on_kill(step, text);
}

/* Nothing else would ever end that run. */
static bool fail_run_of(struct bt_step *step, const struct bt_event *event,
                        const struct bt_err *err)
{
    struct bt_taskrun *run;
    uint32_t n = event->taskrun;
    if (n == 0 || n >= step->exec->next_n ||
        step->view.taskrun(step->view.data, n, &run) != BT_OK || bt_state_is_ended(run->state))
        return false;
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    if (attempt && attempt->end_us == 0) {
        attempt->end_us = step->env.now_us;
        attempt->state = BT_FAILED;
    }
    for (int timer = 0; timer < BT_TIMER_KIND_COUNT; timer++) {
        struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_CLEAR);
        effect->taskrun = n;
        effect->timer = (enum bt_timer_kind)timer;
    }
    step_log(step, run, BT_LEVEL_ERROR, "%s", err->msg);
    place_release(step, run);
    run_end(step, run, run->state == BT_KILLING ? BT_KILLED : BT_FAILED);
    return true;
}

static int render_outputs(struct bt_step *step, struct bt_value **ret_outputs, struct bt_err *err)
{
    BT_VALUE outputs = bt_map_new(step->flow->output_count);
    for (uint32_t i = 0; i < step->flow->output_count; i++) {
        const struct bt_output *output = &step->flow->outputs[i];
        BT_VALUE rendered = NULL;
        struct bt_value *value = NULL;
        BT_TRY(step_render_prop(step, (struct step_prop){NULL, output->id, output->value},
                                &rendered, err));
        if (bt_sealed_has(rendered))
            value = BT_TAKE(rendered);
        else
            BT_TRY(bt_input_convert(output->type, NULL, rendered, &value, err));
        if (bt_map_puts(outputs, output->id, value) < 0)
            return bt_fail_mem(err, "outputs");
    }
    *ret_outputs = BT_TAKE(outputs);
    return BT_OK;
}

/* What the Subflow above asks for, of a flow that has no outputs. What goes wrong stands in its
 * place, as a text: it is the task there that fails. */
static int render_asked(struct bt_step *step, struct bt_value **ret_outputs, struct bt_err *err)
{
    struct bt_exec *exec = step->exec;
    BT_CLEANUP(bt_dyn_unref_p) struct bt_dyn *dyn = NULL;
    int rc = bt_dyn_compile(exec->asked, &dyn, err);
    if (rc == BT_OK)
        rc = step_render_prop(step, (struct step_prop){NULL, "asked", dyn}, ret_outputs, err);
    if (rc == BT_OK || rc == BT_NEED)
        return rc;
    struct bt_value *text = bt_value_cstr(err->msg);
    if (!text)
        return bt_fail_mem(err, "outputs");
    bt_value_unref(exec->asked);
    exec->asked = text;
    return BT_OK;
}

static enum bt_state final_state(const struct bt_exec *exec)
{
    if (exec->is_killing)
        return exec->is_failure ? BT_FAILED : exec->is_cancel ? BT_CANCELLED : BT_KILLED;
    if (exec->group.killed)
        return BT_KILLED;
    if (exec->group.failed)
        return BT_FAILED;
    return exec->group.warned ? BT_WARNING : BT_SUCCESS;
}

void exec_check_drained(struct bt_step *step)
{
    struct bt_exec *exec = step->exec;
    if (exec->is_drained || exec->live > 0 || !bt_state_is_ended(exec->state) ||
        !after_is_over(step))
        return;
    exec->is_drained = true;
    step_changed(step, NULL);
    (void)step_effect(step, BT_EFFECT_DRAINED);
}

void bt_execution_fail(struct bt_step *step, const struct bt_event *event, const struct bt_err *err)
{
    struct bt_exec *exec = step->exec;
    step->is_changing = false;
    if (exec->is_drained || fail_run_of(step, event, err))
        return;
    bool is_killing = exec->is_killing;
    (void)on_kill(step, err->msg); /* Never fails. */
    if (is_killing || bt_state_is_ended(exec->state))
        step_log(step, NULL, BT_LEVEL_ERROR, "%s", err->msg);
    if (!bt_state_is_ended(exec->state)) {
        enum bt_state state = final_state(exec);
        if (state == BT_KILLED)
            exec_move(step, BT_KILLING);
        exec_move(step, state);
        (void)step_effect(step, BT_EFFECT_ENDED);
    }
    /* What cannot be read will never end by itself: nothing is waited for. */
    exec->is_finishing = true;
    exec->after.phase = BT_PHASE_DONE;
    exec->live = 0;
    exec_check_drained(step);
}

int on_finish(struct bt_step *step, struct bt_err *err)
{
    if (step->exec->eval_token)
        return BT_OK; /* Repeated: a worker renders the outputs. */
    return exec_finish(step, err);
}

int exec_finish(struct bt_step *step, struct bt_err *err)
{
    struct bt_exec *exec = step->exec;
    if (bt_state_is_ended(exec->state))
        return BT_OK;
    enum bt_state state = final_state(exec);
    BT_VALUE outputs = NULL;
    int rc = BT_OK;
    if (state != BT_KILLED && state != BT_CANCELLED && step->flow->output_count)
        rc = render_outputs(step, &outputs, err);
    else if (state != BT_KILLED && state != BT_CANCELLED && bt_value_is(exec->asked, BT_KIND_MAP))
        rc = render_asked(step, &outputs, err);
    if (is_for_worker(step, rc))
        return evaluate_outputs(step, err);
    if (rc == BT_NEED)
        return rc;
    if (rc < 0) {
        step_log(step, NULL, BT_LEVEL_ERROR, "Failed to render output values: %s", err->msg);
        state = BT_FAILED;
    }
    exec->outputs = BT_TAKE(outputs);
    exec->eval_token = 0;
    if (state == BT_KILLED)
        exec_move(step, BT_KILLING);
    exec_move(step, state);
    if (step->flow->timeout_us > 0) {
        struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_CLEAR);
        effect->timer = BT_TIMER_TIMEOUT;
    }
    (void)step_effect(step, BT_EFFECT_ENDED);
    if (exec->live > 0) /* Attempts may end by themselves; waits and retries must not go on. */
        (void)step_effect(step, BT_EFFECT_KILL_TIMERS);
    after_begin(step);
    exec_check_drained(step);
    return BT_OK;
}
