/* references.c — Expressions that name a task, an input or a variable that the flow does not have.
 * Only warnings: such an expression may stand behind `??` or in a branch that never runs. */
#include "model/id_set_int.h"
#include "model/model_int.h"

#include "base/own.h"

struct names {
    struct bt_id_set inputs; /* First parts of the ids: "a" of "a.b". */
    const char **input_list;
    size_t input_count;
    const char **task_list; /* Made at the first complaint. */
    size_t task_count;
};

/* What a path misses: "outputs", "inputs" or "vars"; NULL when it is fine. */
static const char *missing_root(struct parse *parse, const struct names *names,
                                const struct bt_path *path)
{
    const struct bt_flow *flow = &parse->box->flow;
    if (path->count < 2)
        return NULL;
    struct bt_str root = path->names[0], name = path->names[1];
    if (bt_str_is(root, "outputs"))
        return bt_flow_task(flow, name) ? NULL : "outputs";
    if (bt_str_is(root, "inputs"))
        return bt_id_set_has(&names->inputs, name) ? NULL : "inputs";
    if (bt_str_is(root, "vars") && !parse->has_set_variables)
        return bt_map_get(flow->variables, name) ? NULL : "vars";
    return NULL;
}

static void list_tasks(struct parse *parse, struct names *names)
{
    const struct bt_flow *flow = &parse->box->flow;
    if (names->task_list)
        return;
    names->task_list =
        bt_arena_alloc(parse->scratch, (flow->task_count + 1) * sizeof *names->task_list);
    for (uint32_t i = 0; names->task_list && i < flow->task_count; i++)
        names->task_list[names->task_count++] = flow->tasks[i].id;
}

static const char *nearest(struct parse *parse, struct names *names, const char *root,
                           struct bt_str name)
{
    if (strcmp(root, "inputs") == 0)
        return bt_str_nearest(name, names->input_list, names->input_count);
    if (strcmp(root, "outputs") == 0) {
        list_tasks(parse, names);
        return names->task_list ? bt_str_nearest(name, names->task_list, names->task_count) : NULL;
    }
    const struct bt_value *variables = parse->box->flow.variables;
    const char *near = NULL;
    for (size_t i = 0; i < bt_value_count(variables) && i < 1000; i++) {
        const char *one = bt_model_cstr(parse, bt_map_key(variables, i));
        const char *pair[] = {near ? near : one, one};
        near = bt_str_nearest(name, pair, 2);
    }
    return near;
}

static void warn(struct parse *parse, struct names *names, const struct place *place,
                 const struct bt_path *path, const char *root)
{
    struct bt_str name = path->names[1], text = place->node->text;
    struct bt_diag *diag;
    if (strcmp(root, "outputs") == 0)
        diag = bt_model_warn(parse, place, "unknown-reference", "there is no task \"%.*s\"",
                             BT_FMT(name));
    else if (strcmp(root, "inputs") == 0)
        diag = bt_model_warn(parse, place, "unknown-reference", "there is no input \"%.*s\"",
                             BT_FMT(name));
    else
        diag = bt_model_warn(parse, place, "unknown-reference", "there is no variable \"%.*s\"",
                             BT_FMT(name));
    const char *near = nearest(parse, names, root, name);
    if (near)
        bt_diag_hint(parse, diag, "did you mean \"%s\"?", near);
    ptrdiff_t at = bt_str_find(text, bt_str_of(root), 0);
    at = at < 0 ? -1 : bt_str_find(text, name, (size_t)at + strlen(root));
    if (!diag || at < 0)
        return;
    diag->at = bt_yaml_locate(parse->source, place->node, (size_t)at);
    diag->end = bt_yaml_locate(parse->source, place->node, (size_t)at + name.len);
}

/* The texts of a property, to find the one that holds the wrong name. */
static void search(struct parse *parse, struct names *names, const struct place *place)
{
    const struct bt_yaml_node *node = place->node;
    for (uint32_t i = 0; node->kind != BT_YAML_SCALAR && i < node->count; i++) {
        struct place at = *place;
        at.node = node->kind == BT_YAML_LIST ? node->items[i] : node->pairs[i].value;
        search(parse, names, &at);
    }
    if (node->kind != BT_YAML_SCALAR || !bt_has_expression(node->text))
        return;
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    if (bt_template_parse(node->text, &template, NULL) != BT_OK)
        return;
    struct bt_paths paths = {0};
    if (bt_template_paths(template, &paths) == BT_NO_MEM)
        parse->rc = BT_NO_MEM;
    for (size_t i = 0; i < paths.count; i++) {
        const char *root = missing_root(parse, names, &paths.items[i]);
        if (root)
            warn(parse, names, place, &paths.items[i], root);
    }
    bt_paths_done(&paths);
}

static void check_dyn(struct parse *parse, struct names *names, const struct place *place,
                      const struct bt_dyn *dyn)
{
    if (!dyn || !place->node || bt_dyn_is_literal(dyn))
        return;
    struct bt_paths paths = {0};
    bool is_missing = false;
    if (bt_dyn_paths(dyn, &paths) == BT_NO_MEM)
        parse->rc = BT_NO_MEM;
    for (size_t i = 0; i < paths.count && !is_missing; i++)
        is_missing = missing_root(parse, names, &paths.items[i]) != NULL;
    bt_paths_done(&paths);
    if (is_missing)
        search(parse, names, place);
}

static void check_task(struct parse *parse, struct names *names, const struct bt_task *task)
{
    const struct bt_yaml_node *map = parse->notes[task->index].map;
    struct place root = {.name = "", .node = map, .kind = "task", .id = task->id};
    for (uint32_t i = 0; i < task->prop_count; i++) {
        struct place place =
            bt_place_in(&root, task->props[i].name, bt_yaml_get(map, task->props[i].name));
        check_dyn(parse, names, &place, task->props[i].value);
    }
    struct place place = bt_place_in(&root, "runIf", bt_yaml_get(map, "runIf"));
    check_dyn(parse, names, &place, task->run_if);
    place = bt_place_in(&root, "timeout", bt_yaml_get(map, "timeout"));
    check_dyn(parse, names, &place, task->timeout);
}

static void check_outputs(struct parse *parse, struct names *names)
{
    const struct bt_flow *flow = &parse->box->flow;
    for (uint32_t i = 0; i < flow->output_count; i++) {
        struct place place = {.name = "value",
                              .node = parse->output_nodes[i],
                              .kind = "output",
                              .id = flow->outputs[i].id};
        check_dyn(parse, names, &place, flow->outputs[i].value);
    }
}

static bool names_init(struct parse *parse, struct names *names)
{
    const struct bt_flow *flow = &parse->box->flow;
    *names = (struct names){0};
    names->input_list =
        bt_arena_alloc(parse->scratch, (flow->input_count + 1) * sizeof *names->input_list);
    if (!names->input_list || !bt_id_set_init(&names->inputs, flow->input_count + 1)) {
        parse->rc = BT_NO_MEM;
        return false;
    }
    for (uint32_t i = 0; i < flow->input_count; i++) {
        struct bt_str id = bt_str_of(flow->inputs[i].id);
        ptrdiff_t dot = bt_str_find(id, BT_STR("."), 0);
        const char *first =
            bt_model_cstr(parse, bt_str_slice(id, 0, dot > 0 ? (size_t)dot : id.len));
        bt_id_set_put(&names->inputs, first, NULL);
        names->input_list[names->input_count++] = first;
    }
    return true;
}

void bt_check_references(struct parse *parse)
{
    const struct bt_flow *flow = &parse->box->flow;
    struct names names;
    if (!names_init(parse, &names))
        return;
    for (uint32_t i = 0; i < flow->task_count && parse->rc == BT_OK; i++)
        check_task(parse, &names, &flow->tasks[i]);
    check_outputs(parse, &names);
    bt_id_set_done(&names.inputs);
}
