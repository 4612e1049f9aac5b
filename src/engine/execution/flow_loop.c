/* flow_loop.c — LoopUntil (once WaitFor): its tasks again and again until a condition holds. The
 * task runs of the last pass are kept, those before it removed: a loop stays small. */
#include "engine/execution/step_int.h"

#include <stdlib.h>

enum { ITERATIONS_MAX = 100, PAUSES_SHOWN_MAX = 10 };
static const int64_t duration_max_us = (int64_t)3600 * 1000000, interval_us = 1000000;

static int set_count(struct bt_taskrun *run, uint32_t count, struct bt_err *err)
{
    BT_VALUE outputs = bt_map_new(1);
    if (bt_map_puts(outputs, "iterationCount", bt_value_int32((int32_t)count)) < 0)
        return bt_fail_mem(err, "LoopUntil");
    bt_value_unref(run->outputs);
    run->outputs = BT_TAKE(outputs);
    return BT_OK;
}

int loop_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_TRY(set_count(run, 1, err));
    run->iteration = 1;
    run->is_over = false;
    return start_list(step, run, BT_BRANCH_TASKS, false);
}

struct frequency {
    int64_t iterations_max, duration_us, interval_us;
};

static int read_duration(const struct bt_value *map, const char *name, int64_t *us,
                         struct bt_err *err)
{
    const struct bt_value *value = bt_map_gets(map, name);
    if (bt_value_is_null(value))
        return BT_OK;
    return bt_duration_parse(bt_value_str(value), us, err);
}

static int read_frequency(struct bt_step *step, struct bt_taskrun *run, struct frequency *frequency,
                          struct bt_err *err)
{
    *frequency = (struct frequency){ITERATIONS_MAX, duration_max_us, interval_us};
    BT_VALUE map = NULL;
    BT_TRY(step_render(step, run, "checkFrequency", &map, err));
    const struct bt_value *count = bt_map_gets(map, "maxIterations");
    if (bt_value_is(count, BT_KIND_STRING)) {
        BT_VALUE number = NULL;
        BT_TRY(bt_input_convert(BT_INPUT_INT, NULL, count, &number, err));
        frequency->iterations_max = bt_value_as_int(number);
    } else if (count && !bt_value_is_null(count)) {
        frequency->iterations_max = bt_value_as_int(count);
    }
    BT_TRY(read_duration(map, "maxDuration", &frequency->duration_us, err));
    return read_duration(map, "interval", &frequency->interval_us, err);
}

static bool is_shown(const struct bt_taskrun *run)
{
    return run->iteration <= PAUSES_SHOWN_MAX + 1;
}

/* Waits, then another pass. While it waits the execution counts as paused; of a long loop only at
 * first, so that histories stay short. */
static int go_again(struct bt_step *step, struct bt_taskrun *run, const struct frequency *frequency,
                    struct bt_err *err)
{
    uint32_t list = run->group.list;
    BT_TRY(set_count(run, run->iteration + 1, err));
    step_changed(step, run);
    run->iteration++;
    run->group = (struct bt_group){.list = list, .lanes = 1};
    struct bt_effect *effect = step_effect(step, BT_EFFECT_DROP_RUNS);
    effect->taskrun = run->n;
    effect = step_effect(step, BT_EFFECT_TIMER_SET);
    effect->taskrun = run->n;
    effect->timer = BT_TIMER_LOOP;
    effect->due_us = step->env.now_us + frequency->interval_us;
    step->exec->paused += is_shown(run);
    exec_settle(step);
    return BT_OK;
}

void loop_timer(struct bt_step *step, struct bt_taskrun *run)
{
    if (run->state != BT_RUNNING || run->group.next)
        return;
    step_changed(step, run);
    step->exec->paused -= is_shown(run) && step->exec->paused;
    exec_settle(step);
    run->group.is_open_queued = true;
    step_event(step, BT_EVENT_OPEN, run->n, 0);
}

static int reached(struct bt_step *step, struct bt_taskrun *run, const char *what,
                   struct bt_err *err)
{
    bool is_failure = false;
    const struct bt_dyn *prop = bt_task_prop(step_task(step, run), "failOnMaxReached");
    if (prop)
        BT_TRY(step_render_bool(step, (struct step_prop){run, "failOnMaxReached", prop},
                                &is_failure, err));
    if (is_failure)
        BT_TRY(set_count(run, run->iteration + 1, err));
    step_log(step, run, BT_LEVEL_WARN, "Max %s reached", what);
    loop_over(step, run, is_failure);
    return BT_OK;
}

static int decide(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    struct frequency frequency;
    bool is_true = false;
    const struct bt_dyn *condition = bt_task_prop(step_task(step, run), "condition");
    BT_TRY(step_render_bool(step, (struct step_prop){run, "condition", condition}, &is_true, err));
    if (is_true) {
        loop_over(step, run, false);
        return BT_OK;
    }
    BT_TRY(read_frequency(step, run, &frequency, err));
    int64_t since_us = step->env.now_us - bt_histories_at(&run->histories, 0)->at_us;
    if (run->iteration >= frequency.iterations_max)
        return reached(step, run, "iterations", err);
    if (since_us > frequency.duration_us)
        return reached(step, run, "duration", err);
    return go_again(step, run, &frequency, err);
}

int loop_decide(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    int rc = decide(step, run, err);
    if (is_for_worker(step, rc))
        rc = evaluate_start(step, run, err);
    if (rc == BT_OK || rc == BT_NEED)
        return rc;
    step_log(step, run, BT_LEVEL_ERROR, "%s", err->msg);
    step_changed(step, run);
    loop_over(step, run, true);
    return BT_OK;
}

int on_loop(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->state != BT_RUNNING || run->group.phase != BT_PHASE_DONE || run->token)
        return BT_OK; /* Repeated. */
    if (!step_is_going_for(step, step_task(step, run))) {
        run_end(step, run, BT_KILLED);
        return BT_OK;
    }
    return loop_decide(step, run, err);
}
