/* flow_dag.c — Dag: tasks that start when those they wait for have ended.
 *
 * The run keeps a text with a char per child, by its place: what has been made and has ended. It is
 * as long as the flow says, not as the execution is: a step that looks at it is O(1) in the
 * execution. */
#include "engine/execution/step_int.h"

#include <assert.h>
#include <stdlib.h>

enum { WAITS = '.', MADE = 'm', ENDED = 'e' };

static void set_mark(struct bt_taskrun *run, uint32_t place, char mark)
{
    struct bt_str marks = bt_value_str(run->marks);
    assert(place < marks.len);
    char *copy = malloc(marks.len);
    if (!copy)
        abort(); /* Out of memory: the batch is not committed. */
    memcpy(copy, marks.at, marks.len);
    copy[place] = mark;
    struct bt_value *changed = bt_value_string((struct bt_str){copy, marks.len});
    free(copy);
    if (!changed)
        abort(); /* As above. */
    bt_value_unref(run->marks);
    run->marks = changed;
}

int dag_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    const struct bt_task_list *list =
        bt_lists_find(task->lists, task->list_count, BT_BRANCH_TASKS, BT_STR_NONE);
    uint32_t count = list ? list->count : 0;
    char *text = malloc(count + 1);
    if (!text)
        return bt_fail_mem(err, "Dag");
    memset(text, WAITS, count);
    BT_VALUE marks = bt_value_string((struct bt_str){text, count});
    free(text);
    if (!marks)
        return bt_fail_mem(err, "Dag");
    step_changed(step, run);
    run->marks = BT_TAKE(marks);
    run->group.list = list ? (uint32_t)(list - task->lists) : BT_NO_TASK;
    run->group.lanes = count;
    return BT_OK;
}

static bool is_ready(const struct bt_step *step, const struct bt_taskrun *run, struct bt_str marks,
                     uint32_t place)
{
    const struct bt_task *dag = step_task(step, run);
    const struct bt_task *task = &step->flow->tasks[dag->lists[run->group.list].tasks[place]];
    for (uint32_t i = 0; i < task->depends_count; i++)
        if (marks.at[task->depends_on[i]] != ENDED)
            return false;
    return true;
}

uint32_t dag_take(struct bt_step *step, struct bt_taskrun *run)
{
    struct bt_str marks = bt_value_str(run->marks);
    for (uint32_t place = 0; place < marks.len; place++) {
        if (marks.at[place] != WAITS || !is_ready(step, run, marks, place))
            continue;
        set_mark(run, place, MADE);
        return place;
    }
    return BT_NO_TASK;
}

void dag_again(struct bt_taskrun *run, uint32_t place)
{
    set_mark(run, place, MADE);
}

void dag_ended(struct bt_taskrun *run, uint32_t place)
{
    set_mark(run, place, ENDED);
}
