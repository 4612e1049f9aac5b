/* flow.c — A flow from its source: the properties of the flow itself, and its life. */
#include "model/model_int.h"

#include "base/limits.h"
#include "base/own.h"

#include <assert.h>
#include <stdlib.h>

enum { LISTS_MAX = 4 }; /* tasks, errors, finally, afterExecution; then one per listener. */

/* --- Life ------------------------------------------------------------------------------------- */

static struct flow_box *box_of(const struct bt_flow *flow)
{
    return (struct flow_box *)(uintptr_t)flow; /* Only the count is written through it. */
}

struct bt_flow *bt_flow_ref(const struct bt_flow *flow)
{
    if (flow)
        atomic_fetch_add_explicit(&box_of(flow)->refs, 1, memory_order_relaxed);
    return flow ? &box_of(flow)->flow : NULL;
}

struct bt_flow *bt_flow_unref(struct bt_flow *flow)
{
    if (!flow)
        return NULL;
    struct flow_box *box = box_of(flow);
    unsigned before = atomic_fetch_sub_explicit(&box->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        bt_flow_box_free(box);
    return NULL;
}

/* --- Looking ---------------------------------------------------------------------------------- */

const struct bt_dyn *bt_task_prop(const struct bt_task *task, const char *name)
{
    for (uint32_t i = 0; i < task->prop_count; i++)
        if (strcmp(task->props[i].name, name) == 0)
            return task->props[i].value;
    return NULL;
}

const struct bt_task_list *bt_lists_find(const struct bt_task_list *lists, uint32_t count,
                                         enum bt_branch branch, struct bt_str key)
{
    for (uint32_t i = 0; i < count; i++)
        if (lists[i].branch == branch && (branch != BT_BRANCH_CASE || bt_str_eq(lists[i].key, key)))
            return &lists[i];
    return NULL;
}

const struct bt_task *bt_flow_task(const struct bt_flow *flow, struct bt_str id)
{
    const struct flow_box *box = box_of(flow);
    size_t at = bt_str_hash(id, 0) & box->mask;
    for (; box->slots && box->slots[at]; at = (at + 1) & box->mask)
        if (bt_str_is(id, flow->tasks[box->slots[at] - 1].id))
            return &flow->tasks[box->slots[at] - 1];
    return NULL;
}

/* --- Properties of the flow ------------------------------------------------------------------- */

static void on_nothing(struct parse *parse, const struct place *place)
{
    (void)parse, (void)place;
}

static void on_id(struct parse *parse, const struct place *place)
{
    parse->box->flow.id = bt_read_id(parse, place, ID_FLOW);
}

static void on_namespace(struct parse *parse, const struct place *place)
{
    parse->box->flow.namespace = bt_read_id(parse, place, ID_NAMESPACE);
}

static void on_description(struct parse *parse, const struct place *place)
{
    const char *text = bt_read_text(parse, place);
    parse->box->flow.description = text ? text : "";
}

static void on_disabled(struct parse *parse, const struct place *place)
{
    parse->box->flow.is_disabled = bt_read_bool(parse, place, false);
}

static void on_bool(struct parse *parse, const struct place *place)
{
    bt_read_bool(parse, place, false);
}

static void on_timeout(struct parse *parse, const struct place *place)
{
    parse->box->flow.timeout_us = bt_read_duration_us(parse, place);
}

static void on_retry(struct parse *parse, const struct place *place)
{
    bt_model_retry(parse, place, &parse->box->flow.retry);
}

static void on_variables(struct parse *parse, const struct place *place)
{
    struct bt_value *value = NULL;
    if (!bt_read_is_map(parse, place))
        return;
    if (bt_yaml_value(place->node, &value, NULL) != BT_OK)
        parse->rc = BT_NO_MEM;
    else
        parse->box->flow.variables = bt_model_keep(parse, value);
}

void bt_model_flow_list(struct parse *parse, const struct place *place, enum bt_branch branch,
                        const struct bt_value *conditions)
{
    struct bt_flow *flow = &parse->box->flow;
    struct bt_task_list *list = (struct bt_task_list *)(uintptr_t)&flow->lists[flow->list_count];
    struct branch_spec spec = {
        .branch = branch, .parent = BT_NO_TASK, .list = flow->list_count++, .depth = 1};
    bt_model_task_list(parse, place, &spec, list);
    list->conditions = conditions;
}

static void on_tasks(struct parse *parse, const struct place *place)
{
    static const struct {
        const char *name;
        enum bt_branch branch;
    } known[] = {{"errors", BT_BRANCH_ERRORS},
                 {"finally", BT_BRANCH_FINALLY},
                 {"afterExecution", BT_BRANCH_AFTER}};
    enum bt_branch branch = BT_BRANCH_TASKS;
    for (size_t i = 0; i < BT_COUNT(known); i++)
        if (strcmp(place->name, known[i].name) == 0)
            branch = known[i].branch;
    bt_model_flow_list(parse, place, branch, NULL);
}

static void on_worker_group(struct parse *parse, const struct place *place)
{
    bt_read_is_map(parse, place);
}

struct property {
    const char *name;
    void (*read)(struct parse *parse, const struct place *place);
};

static const struct property properties[] = {
    {"id", on_id},
    {"namespace", on_namespace},
    {"description", on_description},
    {"disabled", on_disabled},
    {"labels", bt_model_labels},
    {"inputs", bt_model_inputs},
    {"variables", on_variables},
    {"tasks", on_tasks},
    {"errors", on_tasks},
    {"finally", on_tasks},
    {"outputs", bt_model_outputs},
    {"timeout", on_timeout},
    {"retry", on_retry},
    {"triggers", bt_model_triggers},
    {"pluginDefaults", on_nothing}, /* See defaults.c. */
    {"taskDefaults", on_nothing},
    {"concurrency", bt_model_concurrency},
    {"listeners", bt_model_listeners},
    {"afterExecution", on_tasks},
    {"sla", bt_model_later_list},
    {"checks", bt_model_later_list},
    {"workerGroup", on_worker_group},
    {"revision", on_nothing},
    {"tenantId", on_nothing},
    {"deleted", on_bool},
    {"updated", on_nothing},
    {"source", on_nothing},
};

static void read_property(struct parse *parse, const struct place *root,
                          const struct bt_yaml_pair *pair)
{
    for (size_t i = 0; i < BT_COUNT(properties); i++) {
        if (!bt_str_is(pair->key->text, properties[i].name))
            continue;
        struct place place = bt_place_pair(root, properties[i].name, pair);
        if (!bt_yaml_is_null(pair->value))
            properties[i].read(parse, &place);
        return;
    }
    const char *known[BT_COUNT(properties)];
    for (size_t i = 0; i < BT_COUNT(properties); i++)
        known[i] = properties[i].name;
    struct place place = bt_place_in(root, bt_model_cstr(parse, pair->key->text), pair->key);
    bt_read_unknown(parse, &place, "io.kestra.core.models.flows.Flow", known,
                    BT_COUNT(properties) - 4); /* The last four are never meant. */
}

static void need(struct parse *parse, const struct place *root, const char *name, const char *hint)
{
    if (!bt_yaml_is_null(bt_yaml_get(root->node, name)))
        return;
    struct place place = bt_place_in(root, name, root->node);
    struct bt_diag *diag =
        bt_model_error(parse, &place, "missing-property", "the flow has no \"%s\"", name);
    bt_diag_hint(parse, diag, "%s", hint);
    if (strcmp(name, "tasks") == 0)
        bt_diag_original(parse, diag, "must not be empty");
    else
        bt_diag_original(parse, diag, "must not be null%s",
                         strcmp(name, "id") == 0 ? "\nmust not be blank" : "");
}

static void read_flow(struct parse *parse, struct bt_yaml_node *node)
{
    struct place root = {.name = "", .node = node};
    if (node->kind != BT_YAML_MAP) {
        bt_diag_hint(parse,
                     bt_model_error(parse, &root, "not-a-flow",
                                    "a flow is a map of properties, here it is %s",
                                    bt_yaml_kind_name(node)),
                     "start with id: my_flow");
        return;
    }
    need(parse, &root, "id", "for example id: my_flow");
    need(parse, &root, "namespace", "for example namespace: company.team");
    need(parse, &root, "tasks", "a flow is a list of tasks: tasks:");
    const struct bt_yaml_node *listeners = bt_yaml_get(node, "listeners");
    size_t lists_max = LISTS_MAX + (listeners ? listeners->count : 0); /* Keys are unique. */
    struct bt_task_list *lists = bt_model_alloc(parse, lists_max * sizeof *lists);
    parse->box->flow.lists = lists;
    for (uint32_t i = 0; i < node->count && parse->rc == BT_OK; i++)
        read_property(parse, &root, &node->pairs[i]);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static struct flow_box *box_new(struct bt_str source)
{
    struct flow_box *box = calloc(1, sizeof *box);
    if (!box)
        return NULL;
    atomic_init(&box->refs, 1);
    box->flow.description = "";
    box->flow.source = bt_arena_str(&box->arena, source);
    if (box->flow.source.at)
        return box;
    bt_flow_box_free(box);
    return NULL;
}

/* Moves the tasks into the arena and makes the index by id (the first of a duplicate wins). */
static void finish(struct parse *parse)
{
    struct flow_box *box = parse->box;
    size_t size = 16;
    while (size < (size_t)parse->task_count * 2)
        size *= 2;
    struct bt_task *tasks = bt_model_alloc(parse, (parse->task_count + 1) * sizeof *tasks);
    box->slots = calloc(size, sizeof *box->slots);
    if (!tasks || !box->slots) {
        parse->rc = BT_NO_MEM;
        return;
    }
    if (parse->task_count)
        memcpy(tasks, parse->tasks, parse->task_count * sizeof *tasks);
    box->mask = size - 1;
    box->flow.tasks = tasks;
    box->flow.task_count = parse->task_count;
    for (uint32_t i = 0; i < parse->task_count; i++) {
        if (!*tasks[i].id || bt_flow_task(&box->flow, bt_str_of(tasks[i].id)))
            continue;
        size_t at = bt_str_hash(bt_str_of(tasks[i].id), 0) & box->mask;
        while (box->slots[at])
            at = (at + 1) & box->mask;
        box->slots[at] = i + 1;
    }
}

static void read_documents(struct parse *parse, const struct bt_yaml *yaml)
{
    struct bt_yaml_node *root = yaml->docs[0];
    if (yaml->count > 1) {
        struct place place = {.name = "", .node = yaml->docs[1]};
        bt_diag_hint(parse,
                     bt_model_error(parse, &place, "several-documents",
                                    "the file holds %u documents, a flow is one", yaml->count),
                     "put each flow into a file of its own");
    }
    struct bt_value *tree = NULL;
    if (bt_yaml_value(root, &tree, NULL) != BT_OK) {
        parse->rc = BT_NO_MEM;
        return;
    }
    parse->box->flow.tree = bt_model_keep(parse, tree);
    bt_apply_defaults(parse, root);
    read_flow(parse, root);
    finish(parse);
    if (parse->rc == BT_OK)
        bt_check_task_ids(parse);
    if (parse->rc == BT_OK && !parse->has_unknown_type)
        bt_check_references(parse);
}

static int parse_source(struct parse *parse)
{
    struct bt_yaml yaml = {0};
    int rc = bt_yaml_parse(parse->source, parse->scratch, &yaml, parse->diags);
    if (rc == BT_OK || (rc == BT_INVALID && yaml.count > 0)) /* Report what else is wrong, too. */
        read_documents(parse, &yaml);
    else if (rc == BT_NO_MEM)
        parse->rc = rc;
    if (parse->rc == BT_NO_MEM)
        return BT_NO_MEM;
    return parse->diags->errors ? BT_INVALID : BT_OK;
}

int bt_flow_parse(struct bt_str source, struct bt_flow **ret_flow, struct bt_diags *diags)
{
    struct bt_arena scratch = BT_ARENA_INIT;
    if (source.len > BT_YAML_BYTES_MAX) { /* Reported before anything is copied. */
        struct bt_yaml none;
        bt_yaml_parse(source, &scratch, &none, diags);
        return BT_INVALID;
    }
    struct flow_box *box = box_new(source);
    if (!box)
        return BT_NO_MEM;
    struct parse parse = {.box = box,
                          .arena = &box->arena,
                          .scratch = &scratch,
                          .source = box->flow.source,
                          .diags = diags};
    int rc = parse_source(&parse);
    free(parse.tasks);
    free(parse.notes);
    bt_arena_done(&scratch);
    bt_diags_sort(diags);
    if (rc != BT_OK) {
        bt_flow_box_free(box);
        return rc;
    }
    *ret_flow = &box->flow;
    return BT_OK;
}
