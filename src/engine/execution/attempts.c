/* attempts.c — Attempts: given out under a fencing token, ended, lost, retried, timed. */
#include "engine/execution/step_int.h"

#include "base/limits.h"
#include "value/sealed.h"

#include <assert.h>
#include <stdlib.h>

void attempt_end(struct bt_step *step, struct bt_taskrun *run, enum bt_state state)
{
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    assert(attempt);
    attempt->end_us = attempt->end_us ? attempt->end_us : step->env.now_us;
    attempt->state = state;
    run->token = 0;
    step_changed(step, run);
    const struct bt_retry *retry = retry_of(step->flow, step_task(step, run));
    int64_t next_us = -1;
    if (state == BT_FAILED && run_is_going(step, run) && run->attempt_count < BT_ATTEMPTS_MAX)
        next_us = retry_next_us(retry, run, attempt->end_us, &step->env.rng);
    if (next_us < 0) {
        bool is_warned =
            state == BT_SUCCESS && retry && retry->is_warning && run->attempt_count > 1;
        run_end(step, run, is_warned ? BT_WARNING : state);
        return;
    }
    run_move(step, run, BT_RETRYING);
    struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_SET);
    effect->taskrun = run->n;
    effect->timer = BT_TIMER_RETRY;
    effect->due_us = next_us;
}

void attempt_open(struct bt_step *step, struct bt_taskrun *run)
{
    run_move(step, run, BT_RUNNING);
    if (bt_taskrun_attempt_add(run, step->env.now_us) < 0)
        abort(); /* Out of memory: the batch is not committed. */
    step_changed(step, run);
}

void attempt_ask(struct bt_step *step, struct bt_taskrun *run, enum bt_effect_kind kind,
                 struct bt_value *request, const struct bt_err *failure)
{
    attempt_open(step, run);
    if (failure) {
        step_log(step, run, BT_LEVEL_ERROR, "%s", failure->msg);
        attempt_end(step, run, BT_FAILED);
        return;
    }
    struct bt_effect *effect = step_effect(step, kind);
    effect->taskrun = run->n;
    effect->token = run->token = new_token(step);
    effect->value = bt_value_ref(request);
    run->is_evaluating = false;
}

uint64_t new_token(struct bt_step *step)
{
    return bt_rng_next(&step->env.rng) >> 1 | 1;
}

/* The context of an attempt: what its properties can reach. */
static int pick_variables(struct bt_step *step, const struct bt_taskrun *run,
                          struct bt_value **ret_variables, struct bt_as_of *ret_as_of,
                          struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    struct step_scope scope;
    BT_CLEANUP(bt_paths_done) struct bt_paths paths = {0};
    step_scope_init(&scope, step, run);
    for (uint32_t i = 0; i < task->prop_count; i++)
        if (bt_dyn_paths(task->props[i].value, &paths) < 0)
            return bt_fail_mem(err, "context");
    if (task->type->reach && bt_dyn_paths(task->type->reach, &paths) < 0)
        return bt_fail_mem(err, "context");
    return scope_pick(&scope, &paths, ret_variables, ret_as_of, err);
}

int job_submit(struct bt_step *step, struct bt_taskrun *run, int64_t timeout_us, struct bt_err *err)
{
    struct bt_place place;
    BT_TRY(place_of(step, run, &place));
    struct bt_value *variables = NULL;
    struct bt_as_of as_of = {0};
    BT_TRY(pick_variables(step, run, &variables, &as_of, err));
    struct bt_effect *effect = step_effect(step, BT_EFFECT_SUBMIT);
    effect->value = variables;
    effect->as_of = as_of;
    effect->directory = place;
    effect->taskrun = run->n;
    effect->timeout_us = run->timeout_us = timeout_us;
    effect->token = run->token = new_token(step);
    run->is_evaluating = false;
    step_changed(step, run);
    return BT_OK;
}

int attempt_submit(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    int64_t timeout_us;
    BT_TRY(step_render_duration(
        step, (struct step_prop){run, "timeout", step_task(step, run)->timeout}, &timeout_us, err));
    return job_submit(step, run, timeout_us, err);
}

/* The attempt that a worker speaks of becomes the live one, once. */
static void attempt_begin(struct bt_step *step, struct bt_taskrun *run, int64_t at_us)
{
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    if (attempt && attempt->end_us == 0)
        return;
    if (bt_taskrun_attempt_add(run, at_us) < 0)
        abort(); /* Out of memory: the batch is not committed. */
    const struct bt_plugin_info *plugin = step_task(step, run)->type->plugin;
    struct bt_str version = bt_str_of(plugin ? plugin->version : NULL);
    attempt = bt_taskrun_attempt(run);
    (void)snprintf(attempt->version, sizeof attempt->version, "%.*s",
                   BT_FMT(bt_str_slice(version, 0, sizeof attempt->version - 1))); /* Fits. */
    run_move(step, run, BT_RUNNING);
    step_changed(step, run);
}

int on_started(struct bt_step *step, const struct bt_event *event)
{
    struct bt_taskrun *run;
    if (event->taskrun == 0)
        return BT_OK; /* An evaluation of the execution itself. */
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->token == 0 || run->token != event->token)
        return BT_OK; /* A late word of an old attempt. */
    if (run->is_evaluating || run->stage != BT_STAGE_NONE)
        return BT_OK; /* Nothing of the task itself has begun. */
    attempt_begin(step, run, event->at_us);
    return BT_OK;
}

static bool outputs_too_large(const struct bt_value *outputs)
{
    return bt_value_bytes(outputs) > 4u * BT_OUTPUT_BYTES_MAX;
}

/* The state of an attempt with its content taken over. */
static enum bt_state take_result(struct bt_step *step, struct bt_taskrun *run,
                                 const struct bt_event *event)
{
    enum bt_state state = event->state;
    if (step_task(step, run)->type->exec == BT_EXEC_CHILD && event->outputs)
        state = child_state(run, state);
    if (event->error)
        step_log_value(step, run, BT_LEVEL_ERROR, bt_value_ref(event->error));
    if (outputs_too_large(event->outputs)) {
        step_log(step, run, BT_LEVEL_ERROR, "outputs are larger than the limit of %u bytes",
                 BT_OUTPUT_BYTES_MAX);
        state = BT_FAILED;
    } else if (event->outputs) {
        bt_value_unref(run->outputs);
        run->outputs = bt_value_ref(event->outputs);
        run->is_sealed = bt_sealed_has(run->outputs);
        run->is_spilled = false;
    }
    if (event->metrics) {
        bt_value_unref(run->metrics);
        run->metrics = bt_value_ref(event->metrics);
    }
    return state;
}

int on_result(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_taskrun *run;
    if (event->taskrun == 0)
        return on_evaluated(step, NULL, event, err);
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->token == 0 || run->token != event->token)
        return BT_OK;
    if (run->is_evaluating)
        return on_evaluated(step, run, event, err);
    if (run->stage != BT_STAGE_NONE)
        return place_result(step, run, event);
    attempt_begin(step, run, event->at_us);
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    attempt->end_us = event->end_us > attempt->start_us ? event->end_us : attempt->start_us;
    attempt_end(step, run, take_result(step, run, event));
    return BT_OK;
}

/* At most once: a `retry` does not count either. */
static void lose_for_good(struct bt_step *step, struct bt_taskrun *run)
{
    attempt_begin(step, run, step->env.now_us);
    step_log(step, run, BT_LEVEL_ERROR,
             "the worker of this attempt is gone and `retryOnWorkerLoss` is false");
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    attempt->end_us = step->env.now_us;
    attempt->state = BT_FAILED;
    run_end(step, run, BT_FAILED);
}

int on_lost(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_taskrun *run;
    if (event->taskrun == 0)
        return step->exec->eval_token == event->token ? on_evaluation_lost(step, NULL, err) : BT_OK;
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->token == 0 || run->token != event->token)
        return BT_OK;
    bool is_going = run_is_going(step, run);
    if (run->stage != BT_STAGE_NONE && !run->is_evaluating)
        return place_lost(step, run, err);
    if (!is_going && !run->is_evaluating) {
        attempt_begin(step, run, step->env.now_us);
        attempt_end(step, run, BT_KILLED);
        return BT_OK;
    }
    if (is_going && step_task(step, run)->is_once) {
        lose_for_good(step, run);
        return BT_OK;
    }
    if (run->is_evaluating)
        return on_evaluation_lost(step, run, err);
    if (task_is_in_place(step->flow, step_task(step, run)))
        return place_child_lost(step, run, err);
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    bool had_begun = attempt && attempt->end_us == 0;
    int rc =
        job_submit(step, run, run->timeout_us, err); /* A new token fences the old attempt off. */
    if (rc == BT_NEED)
        return rc;
    if (rc < 0) { /* What it is made of has changed: this task run fails, nothing else. */
        attempt_begin(step, run, step->env.now_us);
        step_log(step, run, BT_LEVEL_ERROR, "%s", err->msg);
        attempt_end(step, run, BT_FAILED);
        return BT_OK;
    }
    if (had_begun) {
        attempt->end_us = step->env.now_us;
        attempt->state = BT_KILLED;
        step_log(step, run, BT_LEVEL_WARN,
                 "attempt %u was lost with its worker; the task is started again",
                 run->attempt_count);
    }
    return BT_OK;
}

int on_timer(struct bt_step *step, const struct bt_event *event)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, event->taskrun, &run));
    switch (event->timer) {
    case BT_TIMER_RETRY:
        if (run->state != BT_RETRYING)
            return BT_OK;
        if (!run_is_going(step, run)) {
            run_end(step, run, BT_KILLED);
            return BT_OK;
        }
        run_move(step, run, BT_CREATED);
        step_event(step, BT_EVENT_START, run->n, 0);
        return BT_OK;
    case BT_TIMER_SLEEP:
        if (run->state == BT_RUNNING)
            attempt_end(step, run, BT_SUCCESS);
        return BT_OK;
    case BT_TIMER_PAUSE: pause_timer(step, run, event->timer); return BT_OK;
    case BT_TIMER_LOOP: loop_timer(step, run); return BT_OK;
    case BT_TIMER_HELD:
    case BT_TIMER_BEGIN:
    case BT_TIMER_KIND_COUNT: return BT_OK;
    case BT_TIMER_TIMEOUT:
        if (run->state == BT_PAUSED)
            pause_timer(step, run, event->timer);
        if (run->state != BT_RUNNING || step_task(step, run)->type->op == BT_OP_PAUSE)
            return BT_OK;
        step_log(step, run, BT_LEVEL_ERROR, "Timeout");
        attempt_end(step, run, BT_FAILED);
        return BT_OK;
    }
    return BT_OK;
}

int on_timer_killed(struct bt_step *step, const struct bt_event *event)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, event->taskrun, &run));
    if (bt_state_is_ended(run->state))
        return BT_OK;
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    if (attempt && attempt->end_us == 0) {
        attempt->end_us = step->env.now_us;
        attempt->state = BT_KILLED;
    }
    run_end(step, run, BT_KILLED);
    return BT_OK;
}
