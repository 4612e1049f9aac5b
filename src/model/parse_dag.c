/* parse_dag.c — The children of a Dag: tasks with the names of those they wait for. */
#include "model/model_int.h"

#include "base/own.h"

#include <stdlib.h>

struct dag {
    struct parse *parse;
    const struct place *place; /* Of the Dag itself: the original speaks of it. */
    const uint32_t *tasks;     /* Indexes of the children. */
    uint32_t count;
};

static const struct bt_yaml_node *read_item(struct parse *parse, const struct place *item)
{
    static const char *const known[] = {"task", "dependsOn"};
    if (item->node->kind != BT_YAML_MAP) {
        struct bt_diag *diag = bt_model_error(parse, item, "wrong-type",
                                              "an item of a Dag must be a map, here it is %s",
                                              bt_yaml_kind_name(item->node));
        bt_diag_hint(parse, diag, "write \"- task:\", below it the task, and \"dependsOn: [ids]\"");
        return NULL;
    }
    for (uint32_t i = 0; i < item->node->count; i++) {
        const struct bt_yaml_pair *pair = &item->node->pairs[i];
        if (bt_str_is(pair->key->text, "task") || bt_str_is(pair->key->text, "dependsOn"))
            continue;
        struct place at = bt_place_in(item, bt_model_cstr(parse, pair->key->text), pair->key);
        bt_read_unknown(parse, &at, "io.kestra.plugin.core.flow.Dag$DagTask", known,
                        BT_COUNT(known));
    }
    const struct bt_yaml_node *task = bt_yaml_get(item->node, "task");
    if (!bt_yaml_is_null(task))
        return task;
    struct place at = bt_place_in(item, "task", item->node);
    struct bt_diag *diag = bt_model_error(parse, &at, "missing-property", "\"task\" is missing");
    bt_diag_original(parse, diag, "must not be null");
    return NULL;
}

/* The place of the child with this id, or BT_NO_TASK. */
static uint32_t find_child(const struct dag *dag, struct bt_str id)
{
    for (uint32_t i = 0; i < dag->count; i++)
        if (bt_str_is(id, dag->parse->tasks[dag->tasks[i]].id))
            return i;
    return BT_NO_TASK;
}

static void report_missing(const struct dag *dag, const struct bt_yaml_node *node)
{
    struct parse *parse = dag->parse;
    const char *names[64];
    size_t count = 0;
    for (uint32_t i = 0; i < dag->count && count < BT_COUNT(names); i++)
        names[count++] = parse->tasks[dag->tasks[i]].id;
    struct place at = *dag->place;
    at.node = node;
    struct bt_diag *diag = bt_model_error(
        parse, &at, "no-such-task", "\"dependsOn\" names \"%.*s\", which is no task of this Dag",
        BT_FMT(node->text));
    const char *near = bt_str_nearest(node->text, names, count);
    if (near)
        bt_diag_hint(parse, diag, "did you mean \"%s\"?", near);
    bt_diag_original(parse, diag, "Not existing task id in dependency: %.*s", BT_FMT(node->text));
}

static void read_depends(const struct dag *dag, const struct place *item, struct bt_task *task)
{
    struct parse *parse = dag->parse;
    const struct bt_yaml_node *node = bt_yaml_get(item->node, "dependsOn");
    struct place at = bt_place_in(item, "dependsOn", node);
    if (bt_yaml_is_null(node) || !bt_read_is_list(parse, &at))
        return;
    uint32_t *places = bt_model_alloc(parse, (node->count + 1) * sizeof *places);
    uint32_t count = 0;
    for (uint32_t i = 0; places && i < node->count; i++) {
        const struct bt_yaml_node *name = node->items[i];
        struct place name_at = bt_place_at(&at, i, name);
        if (name->kind != BT_YAML_SCALAR) {
            bt_model_error(parse, &name_at, "wrong-type", "\"dependsOn\" is a list of task ids");
            continue;
        }
        uint32_t place = find_child(dag, name->text);
        if (place == BT_NO_TASK)
            report_missing(dag, name);
        else
            places[count++] = place;
    }
    task->depends_on = places;
    task->depends_count = count;
}

/* Whether `from` waits for itself. `seen` and `stack` hold dag->count items. */
static bool is_in_cycle(const struct dag *dag, uint32_t from, bool *seen, uint32_t *stack)
{
    uint32_t depth = 0;
    memset(seen, 0, dag->count * sizeof *seen);
    stack[depth++] = from;
    while (depth) {
        const struct bt_task *task = &dag->parse->tasks[dag->tasks[stack[--depth]]];
        for (uint32_t i = 0; i < task->depends_count; i++) {
            uint32_t next = task->depends_on[i];
            if (next == from)
                return true;
            if (!seen[next])
                stack[depth++] = next;
            seen[next] = true;
        }
    }
    return false;
}

static void add_cycles(const struct dag *dag, struct bt_buf *names)
{
    bool *seen = calloc(dag->count + 1, sizeof *seen);
    uint32_t *stack = calloc(dag->count + 1, sizeof *stack);
    for (uint32_t i = 0; seen && stack && i < dag->count; i++)
        if (is_in_cycle(dag, i, seen, stack))
            (void)bt_buf_addf(names, "%s%s", names->len ? ", " : "",
                              dag->parse->tasks[dag->tasks[i]].id); /* At worst cut. */
    if (!seen || !stack)
        dag->parse->rc = BT_NO_MEM;
    free(seen);
    free(stack);
}

static void check_cycles(const struct dag *dag)
{
    struct bt_buf names = BT_BUF_INIT(4096);
    add_cycles(dag, &names);
    const char *text = names.len ? bt_buf_cstr(&names) : NULL;
    if (text) {
        struct bt_diag *diag =
            bt_model_error(dag->parse, dag->place, "cycle", "tasks wait for each other: %s", text);
        bt_diag_hint(dag->parse, diag, "take one of them out of \"dependsOn\"");
        bt_diag_original(dag->parse, diag, "Cyclic dependency detected: %s", text);
    }
    bt_buf_done(&names);
}

void bt_model_dag(struct parse *parse, const struct place *list, const struct place *dag_place,
                  const struct branch_spec *spec, struct bt_task_list *ret_list)
{
    *ret_list = (struct bt_task_list){.branch = spec->branch};
    if (!bt_read_is_list(parse, list))
        return;
    if (list->node->count == 0) {
        struct bt_diag *diag =
            bt_model_error(parse, dag_place, "no-tasks", "the Dag holds no task");
        bt_diag_original(parse, diag, "No task defined");
        return;
    }
    uint32_t *tasks = bt_model_alloc(parse, list->node->count * sizeof *tasks);
    uint32_t count = 0;
    bool is_whole = tasks != NULL;
    for (uint32_t i = 0; tasks && i < list->node->count && parse->rc == BT_OK; i++) {
        struct place item = bt_place_at(list, i, list->node->items[i]);
        const struct bt_yaml_node *node = read_item(parse, &item);
        struct place at = bt_place_in(&item, "task", node);
        uint32_t index = node ? bt_model_task(parse, &at, spec, i) : BT_NO_TASK;
        if (index == BT_NO_TASK)
            is_whole = false;
        else
            tasks[count++] = index;
    }
    ret_list->tasks = tasks;
    ret_list->count = count;
    struct dag dag = {parse, dag_place, tasks, count};
    for (uint32_t i = 0; is_whole && i < count && parse->rc == BT_OK; i++) {
        struct place item = bt_place_at(list, i, list->node->items[i]);
        read_depends(&dag, &item, &parse->tasks[tasks[i]]);
    }
    if (is_whole && parse->rc == BT_OK)
        check_cycles(&dag);
}
