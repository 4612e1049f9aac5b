/* flow_if.c — If: one condition, evaluated once when the task starts. */
#include "engine/execution/step_int.h"

int if_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    const struct bt_dyn *condition = bt_task_prop(task, "condition");
    bool is_true = false;
    if (condition)
        BT_TRY(
            step_render_bool(step, (struct step_prop){run, "condition", condition}, &is_true, err));
    BT_VALUE outputs = bt_map_new(1);
    if (bt_map_puts(outputs, "evaluationResult", bt_value_bool(is_true)) < 0)
        return bt_fail_mem(err, "If");
    const struct bt_task_list *list = bt_lists_find(
        task->lists, task->list_count, is_true ? BT_BRANCH_TASKS : BT_BRANCH_ELSE, BT_STR_NONE);
    step_changed(step, run);
    run->outputs = BT_TAKE(outputs);
    run->group.list = list ? (uint32_t)(list - task->lists) : BT_NO_TASK;
    run->group.lanes = list ? 1 : 0;
    return BT_OK;
}
