/* flow_place.c — WorkingDirectory: its tasks run one after another on one worker, in one directory.
 *
 * The run keeps the id of the directory, its place (engine/job.h). A job OPENs it, then the
 * children run, then a job CLOSEs it: only that one knows the output files. When the worker is lost
 * the place is gone with it, and all of the run begins anew at another one. */
#include "engine/execution/step_int.h"

#include <stdlib.h>

bool task_is_in_place(const struct bt_flow *flow, const struct bt_task *task)
{
    return task->parent != BT_NO_TASK &&
           flow->tasks[task->parent].type->op == BT_OP_WORKING_DIRECTORY &&
           task->type->exec == BT_EXEC_JOB;
}

int place_of(struct bt_step *step, const struct bt_taskrun *run, struct bt_place *ret_place)
{
    struct bt_taskrun *parent;
    *ret_place = (struct bt_place){0};
    if (run->stage != BT_STAGE_NONE) {
        ret_place->id = run->place;
        ret_place->op = run->stage == BT_STAGE_CLOSING ? BT_PLACE_CLOSE : BT_PLACE_OPEN;
        ret_place->saves_cache = !run->group.failed && !run->group.killed;
        return BT_OK;
    }
    if (!task_is_in_place(step->flow, step_task(step, run)))
        return BT_OK;
    BT_TRY(step_run(step, run->parent, &parent));
    *ret_place = (struct bt_place){.id = parent->place, .op = BT_PLACE_IN};
    return BT_OK;
}

/* A new place, and the job that opens it. Reads first. */
static int open_place(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    uint64_t place = run->place;
    enum bt_stage stage = run->stage;
    run->place = new_token(step);
    run->stage = BT_STAGE_OPENING;
    int rc = job_submit(step, run, 0, err);
    if (rc < 0) { /* Nothing was changed. */
        run->place = place;
        run->stage = stage;
    }
    return rc;
}

int place_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_TRY(open_place(step, run, err));
    return start_list(step, run, BT_BRANCH_TASKS, false);
}

void place_release(struct bt_step *step, struct bt_taskrun *run)
{
    if (run->place == 0)
        return;
    step_effect(step, BT_EFFECT_PLACE_FREE)->token = run->place;
    step_changed(step, run);
    run->place = 0;
    run->stage = BT_STAGE_NONE;
}

/* The word about the job that opens or closes the place. */
int place_result(struct bt_step *step, struct bt_taskrun *run, const struct bt_event *event)
{
    step_changed(step, run);
    run->token = 0;
    if (event->error)
        step_log_value(step, run, BT_LEVEL_ERROR, bt_value_ref(event->error));
    if (run->stage == BT_STAGE_OPENING && event->state == BT_SUCCESS && run_is_going(step, run)) {
        run->stage = BT_STAGE_OPEN;
        run->group.is_open_queued = true;
        step_event(step, BT_EVENT_OPEN, run->n, 0);
        return BT_OK;
    }
    bool is_closed = run->stage == BT_STAGE_CLOSING;
    if (run->stage == BT_STAGE_OPENING && event->state == BT_SUCCESS)
        place_release(step, run); /* Killed meanwhile. */
    run->place = 0;
    run->stage = BT_STAGE_NONE;
    if (is_closed && event->state == BT_SUCCESS) {
        bt_value_unref(run->outputs);
        run->outputs = bt_value_ref(event->outputs);
        run_end(step, run, run_group_state(step, run));
        return BT_OK;
    }
    run_end(step, run,
            event->state == BT_KILLED || !run_is_going(step, run) ? BT_KILLED : BT_FAILED);
    return BT_OK;
}

int on_close_place(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->stage != BT_STAGE_OPEN || run->group.phase != BT_PHASE_DONE)
        return BT_OK; /* Repeated. */
    if (!run_is_going(step, run)) {
        place_release(step, run);
        run_end(step, run, BT_KILLED);
        return BT_OK;
    }
    run->stage = BT_STAGE_CLOSING;
    int rc = job_submit(step, run, 0, err);
    if (rc < 0)
        run->stage = BT_STAGE_OPEN; /* Nothing was changed. */
    if (rc == BT_OK || rc == BT_NEED)
        return rc;
    step_log(step, run, BT_LEVEL_ERROR, "%s", err->msg);
    place_release(step, run);
    run_end(step, run, BT_FAILED);
    return BT_OK;
}

/* All of it anew: what ran in the old place is no more. */
static int begin_anew(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    uint64_t old = run->place;
    BT_TRY(open_place(step, run, err));
    step_effect(step, BT_EFFECT_PLACE_FREE)->token = old; /* Its worker may live after all. */
    uint32_t list = run->group.list, lanes = run->group.lanes;
    run->group = (struct bt_group){.list = list, .lanes = lanes};
    run->cuts = bt_value_unref(run->cuts);
    step_effect(step, BT_EFFECT_DROP_RUNS)->taskrun = run->n;
    step_log(step, run, BT_LEVEL_WARN,
             "the working directory was lost with its worker; its tasks begin anew");
    return BT_OK;
}

int place_lost(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    if (run_is_going(step, run))
        return begin_anew(step, run, err);
    place_release(step, run);
    run_end(step, run, BT_KILLED);
    return BT_OK;
}

int place_child_lost(struct bt_step *step, struct bt_taskrun *child, struct bt_err *err)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, child->parent, &run));
    BT_TRY(begin_anew(step, run, err));
    struct bt_attempt *attempt = bt_taskrun_attempt(child);
    if (attempt && attempt->end_us == 0) {
        attempt->end_us = step->env.now_us;
        attempt->state = BT_KILLED;
    }
    child->token = 0; /* It ends unheard, and is removed with the others. */
    child->end_n = ++step->exec->ends;
    step->exec->live -= step->exec->live > 0;
    run_move(step, child, BT_KILLED);
    step_changed(step, NULL);
    return BT_OK;
}
