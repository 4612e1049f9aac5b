/* check.c — What can only be seen over the whole flow. */
#include "model/parse_int.h"

#include "base/own.h"

static void check_duplicates(struct parse *parse)
{
    const struct bt_flow *flow = &parse->box->flow;
    struct bt_buf names = BT_BUF_INIT(800);
    struct bt_diag *first = NULL;
    for (uint32_t i = 0; i < flow->task_count; i++) {
        const struct bt_task *task = &flow->tasks[i];
        const struct bt_task *other = *task->id ? bt_flow_task(flow, bt_str_of(task->id)) : task;
        if (other == task || !other)
            continue;
        struct place place = {.name = "", .node = parse->notes[i].id};
        struct bt_diag *diag =
            bt_parse_error(parse, &place, "duplicate-id",
                           "task id \"%s\" is used twice (first in line %u)", task->id,
                           parse->notes[other->index].id->at.line);
        bt_diag_hint(parse, diag, "ids are unique in the whole flow");
        if (!first)
            first = diag;
        bt_buf_addf(&names, "%s%s", names.len ? ", " : "", task->id);
    }
    const char *list = bt_buf_cstr(&names);
    if (first && list)
        bt_diag_original(parse, first, "Duplicate task id with name [%s]", list);
    bt_buf_done(&names);
}

void bt_check_flow(struct parse *parse)
{
    check_duplicates(parse);
}
