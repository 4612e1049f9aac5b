/* flowables.c — What a START of each flowable does; those that decide have files of their own. */
#include "engine/execution/step_int.h"

int start_list(struct bt_step *step, struct bt_taskrun *run, enum bt_branch branch, bool is_wide)
{
    const struct bt_task *task = step_task(step, run);
    const struct bt_task_list *list =
        bt_lists_find(task->lists, task->list_count, branch, BT_STR_NONE);
    step_changed(step, run);
    run->group.list = list ? (uint32_t)(list - task->lists) : BT_NO_TASK;
    run->group.lanes = !list ? 0 : is_wide ? list->count : 1;
    return BT_OK;
}

int flowable_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    switch (step_task(step, run)->type->op) {
    case BT_OP_IF: return if_start(step, run, err);
    case BT_OP_SWITCH: return switch_start(step, run, err);
    case BT_OP_FOREACH:
    case BT_OP_EACH_SEQUENTIAL:
    case BT_OP_EACH_PARALLEL: return each_start(step, run, err);
    case BT_OP_PARALLEL: return start_list(step, run, BT_BRANCH_TASKS, true);
    case BT_OP_WORKING_DIRECTORY: return place_start(step, run, err);
    case BT_OP_DAG: return dag_start(step, run, err);
    case BT_OP_PAUSE: return pause_start(step, run, err);
    case BT_OP_LOOP_UNTIL: return loop_start(step, run, err);
    default: return start_list(step, run, BT_BRANCH_TASKS, false); /* Sequential, AllowFailure. */
    }
}
