/* flow_switch.c — Switch: the rendered value picks one of the cases, else the defaults. */
#include "engine/execution/step_int.h"

int switch_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    BT_VALUE value = NULL;
    BT_TRY(step_render(step, run, "value", &value, err));
    BT_TRY(refuse_sealed(value, "the value of a switch", err));
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
    BT_TRY(bt_value_print(value, &text, err));
    struct bt_str key = bt_buf_str(&text);
    const struct bt_task_list *list =
        bt_lists_find(task->lists, task->list_count, BT_BRANCH_CASE, key);
    bool is_default = !list;
    if (!list)
        list = bt_lists_find(task->lists, task->list_count, BT_BRANCH_DEFAULTS, BT_STR_NONE);
    BT_VALUE outputs = bt_map_new(2);
    if (bt_map_puts(outputs, "value", bt_value_string(key)) < 0 ||
        bt_map_puts(outputs, "defaults", bt_value_bool(is_default && list)) < 0)
        return bt_fail_mem(err, "Switch");
    if (!list)
        return bt_fail(err, BT_INVALID,
                       "no case matches the value '%.*s' and there are no defaults", BT_FMT(key));
    step_changed(step, run);
    run->outputs = BT_TAKE(outputs);
    run->group.list = (uint32_t)(list - task->lists);
    run->group.lanes = 1;
    return BT_OK;
}
