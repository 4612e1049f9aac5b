/* evaluate.c — Expressions that ask for the world (`secret`, `kv`, `read`, `http` …) where the
 * engine decides: it tries to render, and where a capability or a sealed value is reached the
 * rendering is given up (BT_NEED) and a worker renders all that the start of the task run (or the
 * execution's outputs) wants, as an evaluate job (engine/job.h). Pure templates never come here. */
#include "engine/execution/step_int.h"

#include "base/limits.h"
#include "value/sealed.h"

#include <assert.h>
#include <stdlib.h>

int need_worker(struct bt_step *step, struct bt_err *err)
{
    if (step->evaluated)
        return bt_fail(err, BT_UNAVAILABLE,
                       "an expression asks for more than the worker was asked");
    step->need = (struct bt_need){.kind = BT_NEED_WORKER};
    return BT_NEED;
}

/* --- What is asked ---------------------------------------------------------------------------- */

struct asking {
    struct bt_value *templates; /* Owned LIST. */
    struct bt_paths paths;
};

static void asking_done(struct asking *asking)
{
    bt_value_unref(asking->templates);
    bt_paths_done(&asking->paths);
}

static int ask_raw(struct asking *asking, struct bt_str key, const struct bt_value *raw,
                   const char *as, struct bt_err *err)
{
    BT_VALUE item = bt_map_new(3);
    if (bt_map_puts(item, "k", bt_value_string(key)) < 0 ||
        bt_map_puts(item, "t", bt_value_ref(raw)) < 0 ||
        bt_map_puts(item, "as", bt_value_cstr(as)) < 0 ||
        bt_list_push(asking->templates, BT_TAKE(item)) < 0)
        return bt_fail_mem(err, "evaluation");
    return BT_OK;
}

static int ask(struct asking *asking, const char *key, const struct bt_dyn *dyn, const char *as,
               struct bt_err *err)
{
    if (!dyn || bt_dyn_is_literal(dyn))
        return BT_OK;
    if (bt_dyn_paths(dyn, &asking->paths) < 0)
        return bt_fail_mem(err, "evaluation");
    return ask_raw(asking, bt_str_of(key), bt_dyn_raw(dyn), as, err);
}

/* The conditions of an Assert one by one: "conditions/0", … */
static int ask_each(struct asking *asking, const char *key, const struct bt_dyn *dyn,
                    struct bt_err *err)
{
    const struct bt_value *raw = bt_dyn_raw(dyn);
    if (bt_dyn_paths(dyn, &asking->paths) < 0)
        return bt_fail_mem(err, "evaluation");
    for (size_t i = 0; i < bt_value_count(raw); i++) {
        char name[64];
        int len = snprintf(name, sizeof name, "%s/%zu", key, i);
        BT_TRY(
            ask_raw(asking, (struct bt_str){name, (size_t)len}, bt_list_at(raw, i), "bool", err));
    }
    return BT_OK;
}

/* How a property of a task of the engine is wanted. */
static const char *wanted_as(const struct bt_task *task, const char *name)
{
    static const char *const conditions[] = {"condition",      "overwrite",   "ignoreMissing",
                                             "errorOnMissing", "expiredOnly", "failOnMaxReached"};
    for (size_t i = 0; i < BT_COUNT(conditions); i++)
        if (strcmp(name, conditions[i]) == 0)
            return "bool";
    return task->type->op == BT_OP_KV_SET && strcmp(name, "value") == 0 ? "typed" : "value";
}

static int ask_start(struct asking *asking, const struct bt_task *task, bool is_first,
                     struct bt_err *err)
{
    if (is_first)
        BT_TRY(ask(asking, "runIf", task->run_if, "bool", err));
    BT_TRY(ask(asking, "timeout", task->timeout, "value", err));
    if (task->type->exec == BT_EXEC_JOB)
        return BT_OK; /* Its properties are rendered by the worker that runs it. */
    for (uint32_t i = 0; i < task->prop_count; i++) {
        const struct bt_prop *prop = &task->props[i];
        bool is_each = task->type->op == BT_OP_ASSERT && strcmp(prop->name, "conditions") == 0;
        BT_TRY(is_each ? ask_each(asking, prop->name, prop->value, err)
                       : ask(asking, prop->name, prop->value, wanted_as(task, prop->name), err));
    }
    return BT_OK;
}

static int ask_outputs(struct asking *asking, const struct bt_step *step, struct bt_err *err)
{
    const struct bt_flow *flow = step->flow;
    BT_CLEANUP(bt_dyn_unref_p) struct bt_dyn *asked = NULL;
    if (flow->output_count == 0 && step->exec->asked) {
        BT_TRY(bt_dyn_compile(step->exec->asked, &asked, err));
        return ask(asking, "asked", asked, "value", err);
    }
    for (uint32_t i = 0; i < flow->output_count; i++)
        BT_TRY(ask(asking, flow->outputs[i].id, flow->outputs[i].value, "value", err));
    return BT_OK;
}

/* --- Giving out ------------------------------------------------------------------------------- */

/* The longest that the evaluation may take: the task's own timeout when that is plain text. */
static int64_t time_limit(const struct bt_task *task)
{
    int64_t us = 0;
    if (!task || !task->timeout || !bt_dyn_is_literal(task->timeout) ||
        bt_duration_parse(bt_value_str(bt_dyn_raw(task->timeout)), &us, NULL) < 0 || us <= 0)
        return BT_EVALUATE_US_MAX;
    return us;
}

/* Reads the context and makes the effect; gives its token. */
static int give_out(struct bt_step *step, const struct bt_taskrun *run, struct asking *asking,
                    uint64_t *ret_token, struct bt_err *err)
{
    struct step_scope scope;
    struct bt_value *variables = NULL;
    struct bt_as_of as_of = {0};
    step_scope_init(&scope, step, run);
    BT_TRY(scope_pick(&scope, &asking->paths, &variables, &as_of, err));
    struct bt_effect *effect = step_effect(step, BT_EFFECT_SUBMIT);
    effect->as_of = as_of;
    effect->taskrun = run ? run->n : 0;
    effect->value = variables;
    effect->templates = BT_TAKE(asking->templates);
    effect->timeout_us = time_limit(run ? step_task(step, run) : NULL);
    effect->token = *ret_token = new_token(step);
    return BT_OK;
}

int evaluate_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_CLEANUP(asking_done) struct asking asking = {.templates = bt_list_new(4)};
    if (!asking.templates)
        return bt_fail_mem(err, "evaluation");
    BT_TRY(ask_start(&asking, step_task(step, run), run->attempt_count == 0, err));
    BT_TRY(give_out(step, run, &asking, &run->token, err));
    run->is_evaluating = true;
    step_changed(step, run);
    return BT_OK;
}

int evaluate_outputs(struct bt_step *step, struct bt_err *err)
{
    BT_CLEANUP(asking_done) struct asking asking = {.templates = bt_list_new(4)};
    if (!asking.templates)
        return bt_fail_mem(err, "evaluation");
    BT_TRY(ask_outputs(&asking, step, err));
    BT_TRY(give_out(step, NULL, &asking, &step->exec->eval_token, err));
    step_changed(step, NULL);
    return BT_OK;
}

/* --- What comes back -------------------------------------------------------------------------- */

int evaluated_get(struct bt_step *step, const char *key, struct bt_value **ret_value,
                  struct bt_err *err)
{
    const struct bt_value *entry = step->evaluated ? bt_map_gets(step->evaluated, key) : NULL;
    if (!entry)
        return BT_NOT_FOUND;
    const struct bt_value *error = bt_map_gets(entry, "e");
    if (error)
        return bt_fail(err, BT_INVALID, "%.*s", BT_FMT(bt_value_str(error)));
    const struct bt_value *value = bt_map_gets(entry, "v");
    *ret_value = value ? bt_value_ref(value) : bt_value_null();
    return *ret_value ? BT_OK : bt_fail_mem(err, "evaluation");
}

/* The job itself failed: as an attempt that failed, so that a retry counts. */
static void fail_start(struct bt_step *step, struct bt_taskrun *run, const struct bt_event *event)
{
    run_move(step, run, BT_RUNNING);
    if (event->error)
        step_log_value(step, run, BT_LEVEL_ERROR, bt_value_ref(event->error));
    if (step_task(step, run)->type->exec == BT_EXEC_FLOWABLE) {
        run_end(step, run, BT_FAILED);
        return;
    }
    if (bt_taskrun_attempt_add(run, step->env.now_us) < 0)
        abort(); /* Out of memory: the batch is not committed. */
    attempt_end(step, run, BT_FAILED);
}

/* The same error for every output. */
static struct bt_value *all_failed(const struct bt_flow *flow, const struct bt_event *event)
{
    BT_VALUE map = bt_map_new(flow->output_count), *entry = bt_map_new(1);
    struct bt_value *error =
        event->error ? bt_value_ref(event->error) : bt_value_cstr("the evaluation was killed");
    if (bt_map_puts(entry, "e", error) < 0)
        return NULL;
    for (uint32_t i = 0; i < flow->output_count; i++)
        if (bt_map_puts(map, flow->outputs[i].id, bt_value_ref(entry)) < 0)
            return NULL;
    return BT_TAKE(map);
}

static int outputs_evaluated(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_exec *exec = step->exec;
    if (exec->eval_token == 0 || exec->eval_token != event->token)
        return BT_OK; /* A late word. */
    bool is_done = event->state == BT_SUCCESS && event->outputs;
    BT_VALUE rendered = is_done ? bt_value_ref(event->outputs) : all_failed(step->flow, event);
    if (!rendered)
        return bt_fail_mem(err, "evaluation");
    step->evaluated = rendered;
    int rc = exec_finish(step, err);
    step->evaluated = NULL;
    return rc;
}

int on_evaluated(struct bt_step *step, struct bt_taskrun *run, const struct bt_event *event,
                 struct bt_err *err)
{
    if (!run)
        return outputs_evaluated(step, event, err);
    assert(run->is_evaluating && run->token == event->token);
    int rc = BT_OK;
    if (event->state == BT_KILLED || !run_is_going(step, run)) {
        run_end(step, run, BT_KILLED);
    } else if (event->state == BT_FAILED || !event->outputs) {
        fail_start(step, run, event);
    } else {
        step->evaluated = event->outputs;
        rc = run->state == BT_RUNNING ? loop_decide(step, run, err) : run_start(step, run, err);
        step->evaluated = NULL;
    }
    if (rc < 0)
        return rc; /* Nothing was changed. */
    run->is_evaluating = false;
    if (run->token == event->token)
        run->token = 0;
    step_changed(step, run);
    return BT_OK;
}

int on_evaluation_lost(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    struct bt_exec *exec = step->exec;
    if (!run && exec->is_killing)
        return exec_finish(step, err);
    if (!run)
        return evaluate_outputs(step, err);
    if (run_is_going(step, run))
        return evaluate_start(step, run, err);
    run_end(step, run, BT_KILLED);
    run->is_evaluating = false;
    return BT_OK;
}
