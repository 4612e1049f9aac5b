/* parse_task.c — Tasks: their common properties, those of their type, and the lists of children.
 *
 * Recursion follows the nesting of flowables and is bounded by BT_FLOW_DEPTH_MAX. Tasks move while
 * the array grows: they are held by index across calls. */
#include "model/model_int.h"

#include "base/limits.h"
#include "base/own.h"

#include <stdlib.h>

/* One task while it is read. */
struct reading {
    struct parse *parse;
    const struct place *place; /* Of the task; knows its id. */
    uint32_t index;
    struct branch_spec spec;
    const struct bt_type *type;
    struct bt_prop *props;
    uint32_t prop_count;
    struct bt_task_list *lists;
    uint32_t list_count;
};

static struct bt_task *task_of(const struct reading *reading)
{
    return &reading->parse->tasks[reading->index];
}

/* --- Common properties ------------------------------------------------------------------------ */

static void on_text(struct reading *reading, const struct place *place)
{
    bt_read_text(reading->parse, place);
}

static void on_nothing(struct reading *reading, const struct place *place)
{
    (void)reading, (void)place; /* Read elsewhere, or without a meaning here. */
}

static void on_disabled(struct reading *reading, const struct place *place)
{
    task_of(reading)->is_disabled = bt_read_bool(reading->parse, place, false);
}

static void on_allow_failure(struct reading *reading, const struct place *place)
{
    task_of(reading)->allow_failure = bt_read_bool(reading->parse, place, false);
}

static void on_allow_warning(struct reading *reading, const struct place *place)
{
    task_of(reading)->allow_warning = bt_read_bool(reading->parse, place, false);
}

static void on_bool(struct reading *reading, const struct place *place)
{
    bt_read_bool(reading->parse, place, false);
}

static void on_run_if(struct reading *reading, const struct place *place)
{
    task_of(reading)->run_if = bt_read_dyn_text(reading->parse, place);
}

static void on_timeout(struct reading *reading, const struct place *place)
{
    task_of(reading)->timeout = bt_read_dyn_duration(reading->parse, place);
}

static void on_retry(struct reading *reading, const struct place *place)
{
    struct bt_retry retry = {0};
    bt_model_retry(reading->parse, place, &retry);
    task_of(reading)->retry = retry;
}

static void on_log_level(struct reading *reading, const struct place *place)
{
    const struct bt_value *schema = bt_map_gets(bt_type_common(), "logLevel");
    BT_VALUE level = bt_schema_value(reading->parse, schema, place);
    if (level)
        task_of(reading)->log_level = bt_model_cstr(reading->parse, bt_value_str(level));
}

static void on_map(struct reading *reading, const struct place *place)
{
    bt_read_is_map(reading->parse, place);
}

static void on_worker_group(struct reading *reading, const struct place *place)
{
    bt_model_worker_group(reading->parse, place, task_of(reading));
}

static void on_retry_on_loss(struct reading *reading, const struct place *place)
{
    task_of(reading)->is_once = !bt_read_bool(reading->parse, place, true);
}

struct common {
    const char *name;
    void (*read)(struct reading *reading, const struct place *place);
};

static const struct common commons[] = {
    {"id", on_nothing},
    {"type", on_nothing},
    {"description", on_text},
    {"disabled", on_disabled},
    {"runIf", on_run_if},
    {"timeout", on_timeout},
    {"retry", on_retry},
    {"allowFailure", on_allow_failure},
    {"allowWarning", on_allow_warning},
    {"logLevel", on_log_level},
    {"logToFile", on_bool},
    {"workerGroup", on_worker_group},
    {"retryOnWorkerLoss", on_retry_on_loss},
    {"taskCache", on_map},
    {"assets", on_map},
    {"version", on_text},
};

static const struct common *common_find(struct bt_str name)
{
    for (size_t i = 0; i < BT_COUNT(commons); i++)
        if (bt_str_is(name, commons[i].name))
            return &commons[i];
    return NULL;
}

/* --- Lists of children ------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum bt_branch branch;
} branches[] = {
    {"tasks", BT_BRANCH_TASKS},       {"then", BT_BRANCH_TASKS},    {"else", BT_BRANCH_ELSE},
    {"defaults", BT_BRANCH_DEFAULTS}, {"errors", BT_BRANCH_ERRORS}, {"finally", BT_BRANCH_FINALLY},
};

static enum bt_branch branch_of(const char *name)
{
    for (size_t i = 0; i < BT_COUNT(branches); i++)
        if (strcmp(branches[i].name, name) == 0)
            return branches[i].branch;
    return BT_BRANCH_CASE;
}

static bool is_each(const struct bt_type *type)
{
    return type->op == BT_OP_FOREACH || type->op == BT_OP_EACH_SEQUENTIAL ||
           type->op == BT_OP_EACH_PARALLEL;
}

static void read_list(struct reading *reading, const struct place *place, enum bt_branch branch,
                      struct bt_str key)
{
    struct branch_spec spec = {.branch = branch,
                               .key = key,
                               .parent = reading->index,
                               .list = reading->list_count,
                               .iterations = reading->spec.iterations,
                               .depth = reading->spec.depth + 1};
    struct bt_task_list *list = &reading->lists[reading->list_count++];
    if (is_each(reading->type) && branch == BT_BRANCH_TASKS)
        spec.iterations++;
    if (reading->type->op == BT_OP_DAG && branch == BT_BRANCH_TASKS)
        bt_model_dag(reading->parse, place, reading->place, &spec, list);
    else
        bt_model_task_list(reading->parse, place, &spec, list);
}

static void read_cases(struct reading *reading, const struct place *place)
{
    if (!bt_read_is_map(reading->parse, place))
        return;
    for (uint32_t i = 0; i < place->node->count; i++) {
        const struct bt_yaml_pair *pair = &place->node->pairs[i];
        const char *name = bt_model_cstr(reading->parse, pair->key->text);
        struct place at = bt_place_in(place, name, pair->value);
        read_list(reading, &at, BT_BRANCH_CASE, bt_str_of(name));
    }
}

/* --- Properties of the type ------------------------------------------------------------------- */

static void check_runner(struct reading *reading, const struct place *place)
{
    struct parse *parse = reading->parse;
    if (!bt_read_is_map(parse, place))
        return;
    const struct bt_yaml_node *node = bt_yaml_get(place->node, "type");
    struct place at = bt_place_in(place, "type", node ? node : place->node);
    struct bt_str name = node && node->kind == BT_YAML_SCALAR ? node->text : BT_STR_NONE;
    const struct bt_runner_type *runner = bt_runner_find(name);
    if (!runner) {
        struct bt_diag *diag =
            name.len
                ? bt_model_error(parse, &at, "unknown-type", "unknown task runner \"%.*s\"",
                                 BT_FMT(name))
                : bt_model_error(parse, &at, "missing-property", "\"taskRunner\" needs \"type\"");
        bt_diag_hint(parse, diag, "use \"process\"");
        bt_diag_original(parse, diag, "Invalid type: %.*s",
                         BT_FMT(name.len ? name : BT_STR("null")));
    } else if (!runner->is_available) {
        bt_diag_hint(parse,
                     bt_model_warn(parse, &at, "runner-replaced",
                                   "task runner \"%s\" is not available: the commands run "
                                   "as processes on this machine",
                                   runner->name),
                     "use \"process\" to say so");
    }
}

static void check_old_runner(struct reading *reading, const struct place *place)
{
    if (place->node->kind == BT_YAML_SCALAR && bt_str_is(place->node->text, "DOCKER"))
        bt_model_warn(reading->parse, place, "runner-replaced",
                      "the docker runner is not available: the commands run as processes on this "
                      "machine");
}

static bool is_dynamic(const struct bt_value *schema)
{
    return bt_value_as_bool(bt_map_gets(schema, "x-dynamic")) ||
           bt_str_is(bt_map_str(schema, "type"), "object");
}

static void read_property(struct reading *reading, const struct place *place,
                          const struct bt_value *schema)
{
    struct parse *parse = reading->parse;
    size_t errors = parse->diags->errors;
    const struct bt_yaml_node *node = place->node;
    if (!is_dynamic(schema) && node->kind == BT_YAML_SCALAR && bt_has_expression(node->text)) {
        bt_diag_hint(
            parse,
            bt_model_error(parse, place, "not-dynamic", "\"%s\" takes no expression", place->name),
            "write the value itself");
        return;
    }
    BT_VALUE value = bt_schema_value(parse, schema, place);
    if (!value && parse->diags->errors == errors)
        parse->rc = BT_NO_MEM;
    if (!value)
        return;
    struct bt_dyn *dyn = bt_read_dyn(parse, place, value);
    if (dyn)
        reading->props[reading->prop_count++] = (struct bt_prop){place->name, dyn};
}

static void read_concurrent(struct reading *reading, const struct place *place,
                            const struct bt_value *schema)
{
    BT_VALUE value = bt_schema_value(reading->parse, schema, place);
    int64_t number = bt_value_as_int(value);
    task_of(reading)->concurrent = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

/* Read like those of a flow. Tasks move while the array grows: it is held by index. */
static void read_inputs(struct reading *reading, const struct place *place)
{
    struct bt_input_set *set = bt_model_alloc(reading->parse, sizeof *set);
    if (!set)
        return;
    *set = (struct bt_input_set){0};
    bt_model_input_set(reading->parse, place, set);
    task_of(reading)->on_resume = set;
}

static void read_typed(struct reading *reading, const struct place *place,
                       const struct bt_value *schema)
{
    struct bt_str kind = bt_map_str(schema, "x-kind");
    struct place key = bt_place_key(place);
    if (bt_value_as_bool(bt_map_gets(schema, "deprecated")))
        bt_model_warn(reading->parse, &key, "deprecated", "\"%s\" is deprecated", place->name);
    if (bt_str_is(kind, "tasks")) {
        read_list(reading, place, branch_of(place->name), BT_STR_NONE);
        return;
    }
    if (bt_str_is(kind, "cases")) {
        read_cases(reading, place);
        return;
    }
    if (reading->type->exec == BT_EXEC_FLOWABLE &&
        bt_str_starts(bt_str_of(place->name), BT_STR("concurren"))) {
        read_concurrent(reading, place, schema);
        return;
    }
    if (bt_str_is(kind, "inputs")) {
        read_inputs(reading, place);
        return;
    }
    if (bt_str_is(kind, "task-runner"))
        check_runner(reading, place);
    if (bt_str_is(kind, "runner"))
        check_old_runner(reading, place);
    read_property(reading, place, schema);
}

static void report_unknown(struct reading *reading, const struct place *place)
{
    const char *known[128];
    size_t count = 0;
    for (size_t i = 0; i < BT_COUNT(commons); i++)
        known[count++] = commons[i].name;
    const struct bt_value *schema = reading->type->schema;
    for (size_t i = 0; i < bt_value_count(schema) && count < BT_COUNT(known); i++)
        known[count++] = bt_model_cstr(reading->parse, bt_map_key(schema, i));
    bt_read_unknown(reading->parse, place, reading->type->class_name, known, count);
}

static void read_pair(struct reading *reading, const struct bt_yaml_pair *pair)
{
    struct parse *parse = reading->parse;
    const struct common *common = common_find(pair->key->text);
    struct place place = bt_place_pair(reading->place, "", pair);
    if (common) {
        place.name = common->name;
        if (!bt_yaml_is_null(pair->value))
            common->read(reading, &place);
        return;
    }
    if (!reading->type)
        return;
    place.name = bt_model_cstr(parse, pair->key->text);
    const struct bt_value *schema = bt_map_get(reading->type->schema, pair->key->text);
    if (!schema) {
        place.node = pair->key;
        report_unknown(reading, &place);
    } else if (!bt_yaml_is_null(pair->value)) {
        read_typed(reading, &place, schema);
    }
}

/* --- The type --------------------------------------------------------------------------------- */

static const struct bt_type *read_type(struct parse *parse, const struct place *place)
{
    const struct bt_yaml_node *node = bt_yaml_get(place->node, "type");
    struct place at = bt_place_in(place, "type", node ? node : place->node);
    struct bt_diag *diag = NULL;
    if (bt_yaml_is_null(node)) {
        diag = bt_model_error(parse, &at, "missing-type", "\"type\" is missing");
        bt_diag_hint(parse, diag, "say what the task does: type: log");
        bt_diag_original(parse, diag, "Invalid type: null");
        return NULL;
    }
    const char *name = bt_read_text(parse, &at);
    const struct bt_type *type = name ? bt_type_find(bt_str_of(name)) : NULL;
    if (!name)
        return NULL;
    if (!type) {
        diag = bt_model_error(parse, &at, "unknown-type", "unknown task type \"%s\"", name);
        const char *near = bt_type_nearest(bt_str_of(name));
        if (near)
            bt_diag_hint(parse, diag, "did you mean \"%s\"?", near);
        else
            bt_diag_hint(parse, diag, "`baton plugin list` shows all types");
        bt_diag_original(parse, diag, "Invalid type: %s", name);
        return NULL;
    }
    if (type->plugin && type->plugin->problem) {
        diag = bt_model_error(parse, &at, "plugin-unusable",
                              "type \"%s\": the plugin \"%s\" cannot be used: %s", name,
                              type->plugin->name, type->plugin->problem);
        bt_diag_hint(parse, diag, "`baton plugin list` shows where it was found");
        return NULL;
    }
    if (type->exec == BT_EXEC_TRIGGER) {
        diag = bt_model_error(parse, &at, "not-a-task", "type \"%s\" is a trigger, no task", name);
        bt_diag_hint(parse, diag, "write it under \"triggers\"");
        return NULL;
    }
    if (type->is_deprecated)
        bt_diag_hint(parse,
                     bt_model_warn(parse, &at, "deprecated", "type \"%s\" is deprecated", name),
                     "%s", type->title);
    return type;
}

static bool is_given(const struct bt_yaml_node *map, struct bt_str name)
{
    for (uint32_t i = 0; i < map->count; i++)
        if (bt_str_eq(map->pairs[i].key->text, name))
            return !bt_yaml_is_null(map->pairs[i].value);
    return false;
}

static bool has_required(const struct bt_type *type, const struct bt_yaml_node *map)
{
    for (size_t i = 0; i < bt_value_count(type->required); i++)
        if (!is_given(map, bt_value_str(bt_list_at(type->required, i))))
            return false;
    return true;
}

/* A property may say that the task is of a sister type: `script` makes a shell a shell.script. */
static const struct bt_type *choose_variant(struct parse *parse, const struct place *place,
                                            const struct bt_type *type)
{
    for (size_t i = 0; i < bt_value_count(type->schema); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *property = bt_map_at(type->schema, i, &key);
        struct bt_str variant = bt_map_str(property, "x-variant");
        if (!variant.len || !is_given(place->node, bt_value_str(key)))
            continue;
        if (!has_required(type, place->node))
            return bt_type_find(variant);
        struct place at = bt_place_in(place, NULL, place->node);
        at.name = bt_model_cstr(parse, bt_value_str(key));
        at.node = bt_yaml_get(place->node, at.name);
        bt_diag_hint(parse,
                     bt_model_error(parse, &at, "both-given",
                                    "\"commands\" and \"script\" exclude each other"),
                     "keep one of the two");
    }
    return type;
}

/* The original says of this type itself, not of its property, that it needs tasks. */
static bool needs_tasks_itself(const struct bt_type *type)
{
    return type && type->op == BT_OP_WORKING_DIRECTORY;
}
#define NEEDS_TASKS "The 'tasks' property cannot be empty"

static void check_required(struct reading *reading)
{
    struct parse *parse = reading->parse;
    const struct bt_type *type = reading->type;
    for (size_t i = 0; i < bt_value_count(type->required); i++) {
        struct bt_str name = bt_value_str(bt_list_at(type->required, i));
        if (is_given(reading->place->node, name))
            continue;
        struct place at =
            bt_place_in(reading->place, bt_model_cstr(parse, name), reading->place->node);
        bool is_list = bt_str_is(bt_map_str(bt_map_get(type->schema, name), "x-kind"), "tasks");
        bool is_own = is_list && needs_tasks_itself(type);
        struct bt_diag *diag = bt_model_error(parse, is_own ? reading->place : &at,
                                              "missing-property", "\"%s\" is missing", at.name);
        struct bt_str doc = bt_map_str(bt_map_get(type->schema, name), "description");
        bt_diag_hint(parse, diag, "%s: %.*s", at.name, BT_FMT(doc));
        bt_diag_original(parse, diag,
                         is_own    ? NEEDS_TASKS
                         : is_list ? "must not be null\nmust not be empty"
                                   : "must not be null");
    }
}

/* --- The task --------------------------------------------------------------------------------- */

static bool grow_tasks(struct parse *parse, const struct place *place)
{
    if (parse->task_count == BT_FLOW_TASKS_MAX) {
        bt_model_error(parse, place, "too-many-tasks", "a flow may have %u tasks",
                       BT_FLOW_TASKS_MAX);
        parse->rc = BT_LIMIT;
        return false;
    }
    if (parse->task_count < parse->task_cap)
        return true;
    uint32_t cap = parse->task_cap ? parse->task_cap * 2 : 64;
    struct bt_task *tasks = realloc(parse->tasks, cap * sizeof *tasks);
    if (tasks)
        parse->tasks = tasks;
    struct task_note *notes = tasks ? realloc(parse->notes, cap * sizeof *notes) : NULL;
    if (!notes) {
        parse->rc = BT_NO_MEM;
        return false;
    }
    parse->notes = notes;
    parse->task_cap = cap;
    return true;
}

static const char *read_task_id(struct parse *parse, const struct place *place)
{
    const struct bt_yaml_node *node = bt_yaml_get(place->node, "id");
    struct place at = bt_place_in(place, "id", node ? node : place->node);
    if (!bt_yaml_is_null(node))
        return bt_read_id(parse, &at, ID_TASK);
    struct bt_diag *diag = bt_model_error(parse, &at, "missing-id", "the task has no \"id\"");
    bt_diag_hint(parse, diag, "give each task a name: id: my_task");
    bt_diag_original(parse, diag, "must not be null\nmust not be blank");
    return NULL;
}

static uint32_t children_max(const struct bt_yaml_node *map)
{
    const struct bt_yaml_node *cases = bt_yaml_get(map, "cases");
    return map->count + (cases && cases->kind == BT_YAML_MAP ? cases->count : 0);
}

static void read_body(struct reading *reading)
{
    const struct bt_yaml_node *map = reading->place->node;
    uint32_t lists_max = children_max(map);
    reading->props = bt_model_alloc(reading->parse, (map->count + 1) * sizeof *reading->props);
    reading->lists = bt_model_alloc(reading->parse, (lists_max + 1) * sizeof *reading->lists);
    for (uint32_t i = 0; i < map->count && reading->parse->rc == BT_OK; i++)
        read_pair(reading, &map->pairs[i]);
    if (reading->type)
        check_required(reading);
    if (reading->type && reading->type->op == BT_OP_SWITCH)
        bt_model_check_switch(reading->parse, reading->place, reading->lists, reading->list_count);
    if (reading->type && reading->type->op == BT_OP_WORKING_DIRECTORY)
        bt_model_check_runnable(reading->parse, reading->place, reading->lists,
                                reading->list_count);
    struct bt_task *task = task_of(reading);
    task->props = reading->props;
    task->prop_count = reading->prop_count;
    task->lists = reading->lists;
    task->list_count = reading->list_count;
}

uint32_t bt_model_task(struct parse *parse, const struct place *at, const struct branch_spec *spec,
                       uint32_t place_index)
{
    struct place place = *at;
    place.kind = place.id = NULL;
    if (place.node->kind != BT_YAML_MAP) {
        bt_diag_hint(parse,
                     bt_model_error(parse, &place, "wrong-type",
                                    "a task must be a map, here it is %s",
                                    bt_yaml_kind_name(place.node)),
                     "write \"- id: …\" and below it \"type: …\"");
        return BT_NO_TASK;
    }
    if (!grow_tasks(parse, &place))
        return BT_NO_TASK;
    const char *id = read_task_id(parse, &place);
    place.kind = "task";
    place.id = id;
    struct reading reading = {
        .parse = parse, .place = &place, .index = parse->task_count++, .spec = *spec};
    reading.type = read_type(parse, &place);
    if (reading.type)
        reading.type = choose_variant(parse, &place, reading.type);
    parse->tasks[reading.index] = (struct bt_task){
        .index = reading.index,
        .parent = spec->parent,
        .branch = spec->branch,
        .list = spec->list,
        .place = place_index,
        .iterations = spec->iterations,
        .is_after = spec->parent == BT_NO_TASK ? spec->branch >= BT_BRANCH_AFTER
                                               : parse->tasks[spec->parent].is_after,
        .id = id ? id : "",
        .type = reading.type,
        .at = place.node->at,
    };
    parse->notes[reading.index] =
        (struct task_note){.map = place.node, .id = bt_yaml_get(place.node, "id")};
    if (reading.type &&
        (reading.type->op == BT_OP_FOREACH || reading.type->op == BT_OP_EACH_SEQUENTIAL))
        parse->tasks[reading.index].concurrent = 1;
    parse->has_unknown_type = parse->has_unknown_type || !reading.type;
    if (reading.type && reading.type->op == BT_OP_SET_VARIABLES)
        parse->has_set_variables = true;
    read_body(&reading);
    return reading.index;
}

void bt_model_task_list(struct parse *parse, const struct place *place,
                        const struct branch_spec *spec, struct bt_task_list *ret_list)
{
    *ret_list = (struct bt_task_list){.branch = spec->branch, .key = spec->key};
    if (!bt_read_is_list(parse, place))
        return;
    if (spec->depth > BT_FLOW_DEPTH_MAX) {
        bt_model_error(parse, place, "too-deep", "flowables may be nested %d deep",
                       BT_FLOW_DEPTH_MAX);
        return;
    }
    if (place->node->count == 0 && spec->branch == BT_BRANCH_TASKS) {
        bool is_own =
            spec->parent != BT_NO_TASK && needs_tasks_itself(parse->tasks[spec->parent].type);
        struct place at = is_own ? *place->up : *place;
        at.node = place->node;
        struct bt_diag *diag =
            bt_model_error(parse, &at, "no-tasks", "\"%s\" holds no task", place->name);
        bt_diag_original(parse, diag, is_own ? NEEDS_TASKS : "must not be empty");
        return;
    }
    uint32_t *indexes = bt_model_alloc(parse, (place->node->count + 1) * sizeof *indexes);
    uint32_t count = 0;
    for (uint32_t i = 0; indexes && i < place->node->count && parse->rc == BT_OK; i++) {
        struct place at = bt_place_at(place, i, place->node->items[i]);
        uint32_t index = bt_model_task(parse, &at, spec, i);
        if (index != BT_NO_TASK)
            indexes[count++] = index;
    }
    ret_list->tasks = indexes;
    ret_list->count = count;
}
