/* shape_brief.c — A flow as somebody sees it who may only run it: no properties of its tasks. */
#include "service/shape.h"

static const char *const branches[] = {"tasks",  "then",    "else",          "defaults",
                                       "errors", "finally", "afterExecution"};

static struct bt_value *brief_tasks(const struct bt_value *tasks, int depth);

/* Appends the children of a list. */
static int add_tasks(struct bt_value *list, const struct bt_value *tasks, int depth)
{
    BT_VALUE more = brief_tasks(tasks, depth);
    for (size_t i = 0; more && i < bt_value_count(more); i++)
        if (bt_list_push(list, bt_value_ref(bt_list_at(more, i))) < 0)
            return BT_NO_MEM;
    return more ? BT_OK : BT_NO_MEM;
}

static int add_children(struct bt_value *brief, const struct bt_value *task, int depth)
{
    BT_VALUE children = bt_list_new(0);
    int rc = children ? BT_OK : BT_NO_MEM;
    for (size_t i = 0; rc == BT_OK && i < BT_COUNT(branches); i++) {
        const struct bt_value *tasks = bt_map_gets(task, branches[i]);
        if (bt_value_is(tasks, BT_KIND_LIST))
            rc = add_tasks(children, tasks, depth + 1);
    }
    const struct bt_value *cases = bt_map_gets(task, "cases");
    for (size_t i = 0; rc == BT_OK && i < bt_value_count(cases); i++)
        if (bt_value_is(cases, BT_KIND_MAP))
            rc = add_tasks(children, bt_map_at(cases, i, NULL), depth + 1);
    return rc == BT_OK && bt_value_count(children) ? bt_map_puts(brief, "tasks", BT_TAKE(children))
                                                   : rc;
}

static struct bt_value *brief_task(const struct bt_value *task, int depth)
{
    enum { DEPTH_MAX = 40 }; /* More than a flow may nest. */
    BT_VALUE brief = bt_map_new(4);
    static const char *const kept[] = {"id", "type"};
    for (size_t i = 0; i < BT_COUNT(kept); i++) {
        const struct bt_value *item = bt_map_gets(task, kept[i]);
        if (item && bt_map_puts(brief, kept[i], bt_value_ref(item)) < 0)
            return NULL;
    }
    struct bt_str subflow = bt_map_str(task, "flowId");
    struct bt_str namespace = bt_map_str(task, "namespace");
    if (subflow.len && namespace.len) {
        BT_CLEANUP(bt_buf_done) struct bt_buf uid = BT_BUF_INIT(1024);
        (void)bt_buf_addf(&uid, "%.*s_%.*s", BT_FMT(namespace), BT_FMT(subflow)); /* Cut. */
        if (bt_map_puts(brief, "subflowId", bt_value_string(bt_buf_str(&uid))) < 0)
            return NULL;
    }
    if (depth < DEPTH_MAX && add_children(brief, task, depth) < 0)
        return NULL;
    return BT_TAKE(brief);
}

static struct bt_value *brief_tasks(const struct bt_value *tasks, int depth)
{
    BT_VALUE list = bt_list_new(bt_value_count(tasks));
    for (size_t i = 0; list && i < bt_value_count(tasks); i++)
        if (bt_list_push(list, brief_task(bt_list_at(tasks, i), depth)) < 0)
            return NULL;
    return BT_TAKE(list);
}

struct bt_value *bt_shape_task_brief(const struct bt_value *task)
{
    return brief_task(task, 0);
}

int bt_shape_flow_brief(const struct bt_flow *flow, bool is_deleted, struct bt_value **ret_value,
                        struct bt_err *err)
{
    static const char *const kept[] = {"id", "namespace", "revision", "inputs"};
    BT_VALUE whole = NULL, *map = bt_map_new(10);
    BT_TRY(bt_shape_flow(flow, is_deleted, false, &whole, err));
    int rc = map ? BT_OK : BT_NO_MEM;
    for (size_t i = 0; i < BT_COUNT(kept); i++) {
        const struct bt_value *item = bt_map_gets(whole, kept[i]);
        if (item)
            rc |= bt_map_puts(map, kept[i], bt_value_ref(item));
    }
    rc |= bt_map_puts(map, "disabled", bt_value_bool(flow->is_disabled));
    rc |= bt_map_puts(map, "deleted", bt_value_bool(is_deleted));
    rc |= bt_map_puts(map, "tasks", brief_tasks(bt_map_gets(flow->tree, "tasks"), 0));
    const struct bt_value *triggers = bt_map_gets(flow->tree, "triggers");
    if (triggers)
        rc |= bt_map_puts(map, "triggers", brief_tasks(triggers, 0));
    if (rc != BT_OK)
        return bt_fail_mem(err, "flow");
    *ret_value = BT_TAKE(map);
    return BT_OK;
}
