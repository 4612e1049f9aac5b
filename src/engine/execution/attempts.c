/* attempts.c — Attempts: given out under a fencing token, ended, lost, retried, timed. */
#include "engine/execution/step_int.h"

#include "base/limits.h"

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
    if (state == BT_FAILED && step_is_going(step) && run->attempt_count < BT_ATTEMPTS_MAX)
        next_us = retry_next_us(retry, run, attempt->end_us, &step->env.rng);
    if (next_us < 0) {
        bool is_warned =
            state == BT_SUCCESS && retry && retry->is_warning && run->attempt_count > 1;
        run_end(step, run, is_warned ? BT_WARNING : state);
        return;
    }
    run_move(step, run, BT_RETRYING);
    if (step->exec->state == BT_RUNNING)
        exec_move(step, BT_RETRYING);
    struct bt_effect *effect = step_effect(step, BT_EFFECT_TIMER_SET);
    effect->taskrun = run->n;
    effect->timer = BT_TIMER_RETRY;
    effect->due_us = next_us;
}

int attempt_submit(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    struct step_scope scope;
    step_scope_init(&scope, step, run);
    int64_t timeout_us = 0;
    if (task->timeout) {
        BT_VALUE timeout = NULL;
        BT_TRY(bt_dyn_render(task->timeout, &scope.scope, &timeout, err));
        BT_TRY(bt_duration_parse(bt_value_str(timeout), &timeout_us, err));
    }
    struct bt_value *variables = NULL;
    struct bt_as_of as_of = {0};
    BT_TRY(scope_pick(&scope, task, &variables, &as_of, err));
    struct bt_effect *effect = step_effect(step, BT_EFFECT_SUBMIT);
    effect->value = variables;
    effect->as_of = as_of;
    effect->taskrun = run->n;
    effect->timeout_us = timeout_us;
    effect->token = bt_rng_next(&step->env.rng) >> 1 | 1; /* Never 0, fits a signed column. */
    run->token = effect->token;
    step_changed(step, run);
    return BT_OK;
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
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->token == 0 || run->token != event->token)
        return BT_OK; /* A late word of an old attempt. */
    attempt_begin(step, run, event->at_us);
    return BT_OK;
}

static bool outputs_too_large(const struct bt_value *outputs)
{
    return bt_value_bytes(outputs) > 4u * BT_OUTPUT_BYTES_MAX;
}

int on_result(struct bt_step *step, const struct bt_event *event)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->token == 0 || run->token != event->token)
        return BT_OK;
    attempt_begin(step, run, event->at_us);
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    attempt->end_us = event->end_us > attempt->start_us ? event->end_us : attempt->start_us;
    enum bt_state state = event->state;
    if (event->error)
        step_log_value(step, run, BT_LEVEL_ERROR, bt_value_ref(event->error));
    if (outputs_too_large(event->outputs)) {
        step_log(step, run, BT_LEVEL_ERROR, "outputs are larger than the limit of %u bytes",
                 BT_OUTPUT_BYTES_MAX);
        state = BT_FAILED;
    } else if (event->outputs) {
        bt_value_unref(run->outputs);
        run->outputs = bt_value_ref(event->outputs);
        run->is_spilled = false;
    }
    if (event->metrics) {
        bt_value_unref(run->metrics);
        run->metrics = bt_value_ref(event->metrics);
    }
    attempt_end(step, run, state);
    return BT_OK;
}

int on_lost(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->token == 0 || run->token != event->token)
        return BT_OK;
    if (!step_is_going(step)) {
        attempt_begin(step, run, step->env.now_us);
        attempt_end(step, run, BT_KILLED);
        return BT_OK;
    }
    struct bt_attempt *attempt = bt_taskrun_attempt(run);
    if (step_task(step, run)->is_once) {
        attempt_begin(step, run, step->env.now_us);
        step_log(step, run, BT_LEVEL_ERROR,
                 "the worker of this attempt is gone and `retryOnWorkerLoss` is false");
        attempt = bt_taskrun_attempt(run);
        attempt->end_us = step->env.now_us;
        attempt->state = BT_FAILED;
        run_end(step, run, BT_FAILED); /* At most once: a `retry` does not count either. */
        return BT_OK;
    }
    bool had_begun = attempt && attempt->end_us == 0;
    int rc = attempt_submit(step, run, err); /* A new token: the old attempt is fenced off. */
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
        if (!step_is_going(step)) {
            run_end(step, run, BT_KILLED);
            return BT_OK;
        }
        run_move(step, run, BT_CREATED);
        if (step->exec->state == BT_RETRYING)
            exec_move(step, BT_RUNNING);
        step_event(step, BT_EVENT_START, run->n, 0);
        return BT_OK;
    case BT_TIMER_SLEEP:
        if (run->state == BT_RUNNING)
            attempt_end(step, run, BT_SUCCESS);
        return BT_OK;
    case BT_TIMER_TIMEOUT:
        if (run->state != BT_RUNNING)
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
