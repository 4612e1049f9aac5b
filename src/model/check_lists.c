/* check_lists.c — What the lists of a task must hold, as its type wants it. */
#include "model/model_int.h"

void bt_model_check_switch(struct parse *parse, const struct place *place,
                           const struct bt_task_list *lists, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (lists[i].count &&
            (lists[i].branch == BT_BRANCH_CASE || lists[i].branch == BT_BRANCH_DEFAULTS))
            return;
    struct bt_diag *diag =
        bt_model_error(parse, place, "no-tasks", "neither \"cases\" nor \"defaults\" holds a task");
    bt_diag_original(parse, diag, "No task defined, neither cases or default have any tasks");
}

static bool is_runnable(const struct bt_type *type)
{
    return !type || type->exec == BT_EXEC_JOB || type->exec == BT_EXEC_PURE ||
           type->exec == BT_EXEC_NAMESPACE || type->exec == BT_EXEC_TIMER;
}

void bt_model_check_runnable(struct parse *parse, const struct place *place,
                             const struct bt_task_list *lists, uint32_t count)
{
    const struct bt_task_list *list = bt_lists_find(lists, count, BT_BRANCH_TASKS, BT_STR_NONE);
    for (uint32_t i = 0; list && i < list->count; i++) {
        const struct bt_task *child = &parse->tasks[list->tasks[i]];
        if (is_runnable(child->type))
            continue;
        struct place at = *place;
        at.node = parse->notes[child->index].map;
        struct bt_diag *diag = bt_model_error(parse, &at, "not-runnable",
                                              "task \"%s\" (type \"%s\") cannot run in a directory",
                                              child->id, child->type->name);
        bt_diag_hint(parse, diag, "put it before or behind; here stand only tasks without tasks");
        bt_diag_original(parse, diag,
                         "Only runnable tasks are allowed as children of a WorkingDirectory task");
        return;
    }
}
