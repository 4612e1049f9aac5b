/* after.c — What runs when an execution has ended: `afterExecution`, then the listeners whose
 * conditions hold. It changes the state of the execution no more; only then is it drained. */
#include "engine/execution/step_int.h"

static bool is_after_list(const struct bt_task_list *list)
{
    return list->branch == BT_BRANCH_AFTER || list->branch == BT_BRANCH_LISTENER;
}

/* The list at or behind `from` that comes next, whatever its conditions; the count when none. */
static uint32_t next_list(const struct bt_flow *flow, uint32_t from)
{
    while (from < flow->list_count && !is_after_list(&flow->lists[from]))
        from++;
    return from;
}

/* Looks at list `from` in an event of its own, which may read; without one it is over. */
static void look_at(struct bt_step *step, uint32_t from)
{
    struct bt_group *group = &step->exec->after;
    uint32_t list = next_list(step->flow, from);
    step_changed(step, NULL);
    if (list == step->flow->list_count) {
        group->phase = BT_PHASE_DONE;
        exec_check_drained(step);
        return;
    }
    *group = (struct bt_group){.list = list, .is_open_queued = true};
    step_event(step, BT_EVENT_AFTER, 0, 0);
}

void after_begin(struct bt_step *step)
{
    if (next_list(step->flow, 0) < step->flow->list_count)
        look_at(step, 0);
}

void after_next(struct bt_step *step)
{
    look_at(step, step->exec->after.list + 1);
}

bool after_is_over(const struct bt_step *step)
{
    return step->exec->after.phase == BT_PHASE_DONE ||
           next_list(step->flow, 0) == step->flow->list_count;
}

int on_after(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    struct bt_group *group = &step->exec->after;
    bool holds = true;
    if (group->list >= step->flow->list_count || group->phase == BT_PHASE_DONE)
        return BT_OK; /* Repeated. */
    if (group->lanes)
        return on_open(step, event, err);
    BT_TRY(conditions_hold(step, step->flow->lists[group->list].conditions, &holds, err));
    if (!holds) {
        after_next(step);
        return BT_OK;
    }
    step_changed(step, NULL);
    group->lanes = 1;
    return on_open(step, event, err);
}
