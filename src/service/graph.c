/* graph.c — Flows and executions as graphs. */
#include "service/graph.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "service/shape.h"
#include "value/json.h"

#include <stdio.h>

#define TYPE(name) "io.kestra.core.models.hierarchies." name

/* Where a run stands, and how it looks. */
struct graph_run {
    uint32_t n, task, parent;
    struct bt_id id;
    struct bt_value *value; /* STRING or NULL. Owned, both. */
    struct bt_value *json;
};

struct builder {
    const struct bt_flow *flow;
    struct bt_value *nodes, *edges, *clusters; /* Owned. */
    struct bt_value *sources;                  /* Id of a task → its map as written. Owned. */
    bool has_runs;
    BT_VEC(struct graph_run) runs;
    const struct bt_exec *exec;
    bool is_short; /* Out of memory. */
};

/* A cluster while it is built. */
struct scope {
    const struct scope *up;
    char way[1024];         /* "root.each" */
    struct bt_value *nodes; /* Uids. Owned by the cluster's entry later; NULL for the root. */
    uint32_t run;           /* Number of the run that its children have as parent. */
    struct bt_value *values;
    bool is_error;
};

/* What leads to the next node. */
struct way_in {
    const char *from, *relation; /* Relation NULL: none. */
    struct bt_str value;
};

static void check(struct builder *builder, int rc)
{
    builder->is_short |= rc < 0;
}

/* --- Parts ------------------------------------------------------------------------------------ */

static void add_node(struct builder *builder, const struct scope *scope, const char *uid,
                     struct bt_value *node)
{
    check(builder, bt_list_push(builder->nodes, node));
    if (scope->nodes)
        check(builder, bt_list_push(scope->nodes, bt_value_cstr(uid)));
}

static struct bt_value *new_node(struct builder *builder, const struct scope *scope,
                                 const char *uid, const char *type)
{
    struct bt_value *node = bt_map_new(7);
    check(builder, bt_map_puts(node, "uid", bt_value_cstr(uid)));
    check(builder, bt_map_puts(node, "type", bt_value_cstr(type)));
    check(builder, bt_map_puts(node, "error", bt_value_bool(scope->is_error)));
    return node;
}

static void add_end_nodes(struct builder *builder, const struct scope *scope)
{
    char uid[1100];
    (void)snprintf(uid, sizeof uid, "%s._start", scope->way); /* Ways are shorter. */
    add_node(builder, scope, uid, new_node(builder, scope, uid, TYPE("GraphClusterRoot")));
    (void)snprintf(uid, sizeof uid, "%s._end", scope->way);
    add_node(builder, scope, uid, new_node(builder, scope, uid, TYPE("GraphClusterEnd")));
}

static void add_edge(struct builder *builder, const struct way_in *in, const char *to)
{
    BT_VALUE edge = bt_map_new(3), *relation = bt_map_new(2);
    if (in->relation)
        check(builder, bt_map_puts(relation, "relationType", bt_value_cstr(in->relation)));
    if (in->value.len)
        check(builder, bt_map_puts(relation, "value", bt_value_string(in->value)));
    check(builder, bt_map_puts(edge, "source", bt_value_cstr(in->from)));
    check(builder, bt_map_puts(edge, "target", bt_value_cstr(to)));
    check(builder, bt_map_puts(edge, "relation", BT_TAKE(relation)));
    check(builder, bt_list_push(builder->edges, BT_TAKE(edge)));
}

/* "cluster_root.each" of everything around, the outermost first. */
static struct bt_value *parents_of(const struct scope *scope)
{
    char uid[1100];
    BT_VALUE list = scope->up && scope->up->nodes ? parents_of(scope->up) : bt_list_new(2);
    if (scope->up && scope->up->nodes) {
        (void)snprintf(uid, sizeof uid, "cluster_%s", scope->up->way); /* Ways are shorter. */
        if (bt_list_push(list, bt_value_cstr(uid)) < 0)
            return NULL;
    }
    return BT_TAKE(list);
}

/* Takes scope->nodes. */
static void add_cluster(struct builder *builder, struct scope *scope, const char *relation,
                        const struct bt_value *task_node)
{
    char uid[1100], start[1100], end[1100];
    (void)snprintf(uid, sizeof uid, "cluster_%s", scope->way); /* Ways are shorter. */
    (void)snprintf(start, sizeof start, "%s._start", scope->way);
    (void)snprintf(end, sizeof end, "%s._end", scope->way);
    BT_VALUE cluster = new_node(builder, scope, uid, TYPE("GraphCluster")), *entry = bt_map_new(5);
    if (relation)
        check(builder, bt_map_puts(cluster, "relationType", bt_value_cstr(relation)));
    if (task_node)
        check(builder, bt_map_puts(cluster, "taskNode", bt_value_ref(task_node)));
    check(builder, bt_map_puts(entry, "cluster", BT_TAKE(cluster)));
    check(builder, bt_map_puts(entry, "nodes", BT_TAKE(scope->nodes)));
    check(builder, bt_map_puts(entry, "parents", parents_of(scope)));
    check(builder, bt_map_puts(entry, "start", bt_value_cstr(start)));
    check(builder, bt_map_puts(entry, "end", bt_value_cstr(end)));
    check(builder, bt_list_push(builder->clusters, BT_TAKE(entry)));
}

/* --- Tasks ------------------------------------------------------------------------------------ */

static const char *relation_of(const struct bt_task *task)
{
    static const struct {
        enum bt_op op;
        const char *relation;
    } relations[] = {
        {BT_OP_PARALLEL, "PARALLEL"},       {BT_OP_IF, "CHOICE"},
        {BT_OP_SWITCH, "CHOICE"},           {BT_OP_FOREACH, "DYNAMIC"},
        {BT_OP_EACH_SEQUENTIAL, "DYNAMIC"}, {BT_OP_EACH_PARALLEL, "DYNAMIC"},
    };
    for (size_t i = 0; i < BT_COUNT(relations); i++)
        if (task->type->op == relations[i].op)
            return relations[i].relation;
    return "SEQUENTIAL";
}

static bool is_each(const struct bt_task *task)
{
    return strcmp(relation_of(task), "DYNAMIC") == 0;
}

/* The newest run of a task under a parent with a value. */
static const struct graph_run *find_run(const struct builder *builder, uint32_t task,
                                        uint32_t parent, struct bt_str value)
{
    for (size_t i = builder->runs.count; i-- > 0;) {
        const struct graph_run *run = &builder->runs.items[i];
        if (run->task == task && run->parent == parent &&
            bt_str_eq(bt_value_str(run->value), value))
            return run;
    }
    return NULL;
}

/* Id, type and children, without properties. */
static struct bt_value *bare_task(const struct bt_task *task, const struct bt_value *source)
{
    BT_VALUE map = bt_map_new(2);
    if (source)
        return bt_shape_task_brief(source);
    if (bt_map_puts(map, "id", bt_value_cstr(task->id)) < 0 ||
        bt_map_puts(map, "type", bt_value_cstr(task->type->class_name)) < 0)
        return NULL;
    return BT_TAKE(map);
}

static struct bt_value *task_node(struct builder *builder, const struct scope *scope,
                                  const struct bt_task *task, const char *uid)
{
    struct bt_value *node = new_node(builder, scope, uid, TYPE("GraphTask"));
    const struct bt_value *source = bt_map_gets(builder->sources, task->id);
    size_t depth = bt_value_count(scope->values);
    struct bt_str value = bt_value_str(depth ? bt_list_at(scope->values, depth - 1) : NULL);
    check(builder, bt_map_puts(node, "task",
                               builder->has_runs || !source ? bare_task(task, source)
                                                            : bt_value_ref(source)));
    if (builder->has_runs) {
        const struct graph_run *run = find_run(builder, task->index, scope->run, value);
        if (run)
            check(builder, bt_map_puts(node, "taskRun", bt_value_ref(run->json)));
        check(builder, bt_map_puts(node, "values",
                                   scope->values ? bt_value_ref(scope->values) : bt_list_new(0)));
    }
    check(builder, bt_map_puts(node, "relationType", bt_value_cstr(relation_of(task))));
    return node;
}

/* root.each.inner_a */
static void name_task(const struct scope *scope, const struct bt_task *task, char *out, size_t size)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 16);
    (void)bt_buf_addf(&text, "%s.%s", scope->way, task->id); /* Cut below. */
    for (size_t i = 0; i < bt_value_count(scope->values); i++)
        (void)bt_buf_addf(&text, "_%.*s", BT_FMT(bt_value_str(bt_list_at(scope->values, i))));
    (void)snprintf(out, size, "%.*s", BT_FMT(bt_buf_str(&text)));
}

static void build_list(struct builder *builder, const struct scope *scope,
                       const struct bt_task_list *list, const struct way_in *in, char last[1024]);

/* Each value of an iteration that has begun, one behind the other. */
static void build_values(struct builder *builder, struct scope *scope, const struct bt_task *task,
                         const struct bt_task_list *list)
{
    char from[1024], end[1100], last[1024];
    uint32_t first = list->count ? list->tasks[0] : BT_NO_TASK;
    (void)snprintf(from, sizeof from, "%s", scope->up->way); /* Replaced below. */
    name_task(scope->up, task, from, sizeof from);
    (void)snprintf(end, sizeof end, "%s._end", scope->way);
    struct bt_value *outer = scope->values;
    for (size_t i = 0; i < builder->runs.count; i++) {
        const struct graph_run *run = &builder->runs.items[i];
        if (run->task != first || run->parent != scope->run ||
            find_run(builder, first, scope->run, bt_value_str(run->value)) != run ||
            bt_value_count(builder->nodes) >= BT_GRAPH_NODES_MAX)
            continue;
        BT_VALUE values = outer ? bt_value_copy(outer) : bt_list_new(1);
        check(builder, bt_list_push(values, bt_value_ref(run->value)));
        scope->values = values;
        build_list(builder, scope, list,
                   &(struct way_in){from, "DYNAMIC", bt_value_str(run->value)}, last);
        add_edge(builder, &(struct way_in){.from = last}, end);
        (void)snprintf(from, sizeof from, "%s", last); /* Same sizes. */
        scope->values = outer;
    }
}

/* What a branch is called on its edge. */
static struct bt_str branch_value(const struct bt_task *task, const struct bt_task_list *list)
{
    if (task->type->op != BT_OP_IF && task->type->op != BT_OP_SWITCH)
        return BT_STR_NONE;
    switch (list->branch) {
    case BT_BRANCH_TASKS: return BT_STR("then");
    case BT_BRANCH_ELSE: return BT_STR("else");
    case BT_BRANCH_CASE: return list->key;
    case BT_BRANCH_DEFAULTS: return BT_STR("defaults");
    case BT_BRANCH_ERRORS:
    case BT_BRANCH_FINALLY:
    case BT_BRANCH_AFTER:
    case BT_BRANCH_LISTENER: break;
    }
    return BT_STR_NONE;
}

static void build_branch(struct builder *builder, struct scope *scope, const struct bt_task *task,
                         const struct bt_task_list *list)
{
    char uid[1024], end[1100], start[1100], last[1024];
    bool is_error = list->branch == BT_BRANCH_ERRORS, was_error = scope->is_error;
    name_task(scope->up, task, uid, sizeof uid);
    (void)snprintf(end, sizeof end, "%s._end", scope->way); /* Ways are shorter. */
    (void)snprintf(start, sizeof start, "%s._start", scope->way);
    struct way_in in = {is_error ? start : uid, is_error ? "ERROR" : relation_of(task),
                        branch_value(task, list)};
    if (is_each(task) && builder->has_runs && !is_error) {
        build_values(builder, scope, task, list);
        return;
    }
    scope->is_error |= is_error;
    if (task->type->op == BT_OP_PARALLEL && !is_error) {
        for (uint32_t i = 0; i < list->count; i++) {
            struct bt_task_list one = {
                .branch = list->branch, .tasks = &list->tasks[i], .count = 1};
            build_list(builder, scope, &one, &in, last);
            add_edge(builder, &(struct way_in){.from = last}, end);
        }
    } else if (list->count) {
        build_list(builder, scope, list, &in, last);
        add_edge(builder, &(struct way_in){.from = last}, end);
    }
    scope->is_error = was_error;
}

/* A flowable is a cluster: start → task → children → end. `last` becomes its end. */
static void build_flowable(struct builder *builder, const struct scope *outer,
                           const struct bt_task *task, const struct way_in *in, char last[1024])
{
    struct scope scope = {
        .up = outer, .nodes = bt_list_new(4), .values = outer->values, .is_error = outer->is_error};
    char start[1100], end[1100], uid[1024];
    size_t depth = bt_value_count(outer->values);
    struct bt_str value = bt_value_str(depth ? bt_list_at(outer->values, depth - 1) : NULL);
    const struct graph_run *run = find_run(builder, task->index, outer->run, value);
    name_task(outer, task, uid, sizeof uid);
    (void)snprintf(scope.way, sizeof scope.way, "%s", uid);
    (void)snprintf(start, sizeof start, "%s._start", uid); /* Ways are shorter. */
    (void)snprintf(end, sizeof end, "%s._end", uid);
    scope.run = run ? run->n : UINT32_MAX;
    add_end_nodes(builder, &scope);
    BT_VALUE node = task_node(builder, outer, task, uid);
    add_node(builder, &scope, uid, bt_value_ref(node));
    add_edge(builder, in, start);
    add_edge(builder, &(struct way_in){.from = start}, uid);
    size_t before = bt_value_count(builder->edges);
    for (uint32_t i = 0; i < task->list_count; i++)
        build_branch(builder, &scope, task, &task->lists[i]);
    if (bt_value_count(builder->edges) == before) /* Nothing in it. */
        add_edge(builder, &(struct way_in){.from = uid}, end);
    add_cluster(builder, &scope, relation_of(task), node);
    (void)snprintf(last, 1024, "%.1023s", end);
}

/* One task behind the other; `last` is the node that the next one follows. */
static void build_list(struct builder *builder, const struct scope *scope,
                       const struct bt_task_list *list, const struct way_in *in, char last[1024])
{
    char uid[1024], from[1024];
    struct way_in next = *in;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct bt_task *task = &builder->flow->tasks[list->tasks[i]];
        if (task->type->exec == BT_EXEC_FLOWABLE) {
            build_flowable(builder, scope, task, &next, last);
        } else {
            name_task(scope, task, uid, sizeof uid);
            add_node(builder, scope, uid, task_node(builder, scope, task, uid));
            add_edge(builder, &next, uid);
            (void)snprintf(last, 1024, "%s", uid); /* Same sizes. */
        }
        (void)snprintf(from, sizeof from, "%s", last);
        next = (struct way_in){from, scope->is_error ? "ERROR" : "SEQUENTIAL", BT_STR_NONE};
    }
}

/* --- The flow --------------------------------------------------------------------------------- */

/* Every map below that looks like a task, by its id. */
static void note_sources(struct builder *builder, const struct bt_value *value, int depth)
{
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    if (depth > BT_YAML_DEPTH_MAX || (!is_map && !bt_value_is(value, BT_KIND_LIST)))
        return;
    struct bt_str id = bt_map_str(value, "id");
    if (is_map && id.len && bt_map_str(value, "type").len && !bt_map_get(builder->sources, id))
        check(builder, bt_map_put(builder->sources, id, bt_value_ref(value)));
    for (size_t i = 0; i < bt_value_count(value); i++)
        note_sources(builder, is_map ? bt_map_at(value, i, NULL) : bt_list_at(value, i), depth + 1);
}

static void build_triggers(struct builder *builder, const struct bt_value *triggers)
{
    static const struct scope root = {.way = "root"};
    struct scope scope = {.up = &root, .way = "root.Triggers", .nodes = bt_list_new(4)};
    add_end_nodes(builder, &scope);
    add_edge(builder, &(struct way_in){.from = "root.Triggers._end"}, "root._start");
    for (size_t i = 0; i < bt_value_count(triggers); i++) {
        const struct bt_value *trigger = bt_list_at(triggers, i);
        char uid[600];
        (void)snprintf(uid, sizeof uid, "root.Triggers.%.*s",
                       BT_FMT(bt_map_str(trigger, "id"))); /* Cut when it is longer. */
        struct bt_value *node = new_node(builder, &scope, uid, TYPE("GraphTrigger"));
        check(builder, bt_map_puts(node, "triggerDeclaration",
                                   builder->has_runs ? bt_shape_task_brief(trigger)
                                                     : bt_value_ref(trigger)));
        add_node(builder, &scope, uid, node);
        add_edge(builder, &(struct way_in){.from = "root.Triggers._start"}, uid);
        add_edge(builder, &(struct way_in){.from = uid}, "root.Triggers._end");
    }
    add_cluster(builder, &scope, NULL, NULL);
}

static void build_root(struct builder *builder)
{
    struct scope scope = {.way = "root"};
    const struct bt_flow *flow = builder->flow;
    char last[1024];
    add_end_nodes(builder, &scope);
    for (uint32_t i = 0; i < flow->list_count; i++) {
        const struct bt_task_list *list = &flow->lists[i];
        scope.is_error = list->branch == BT_BRANCH_ERRORS;
        if (!list->count)
            continue;
        build_list(
            builder, &scope, list,
            &(struct way_in){.from = "root._start", .relation = scope.is_error ? "ERROR" : NULL},
            last);
        add_edge(builder, &(struct way_in){.from = last}, "root._end");
    }
}

static int finish(struct builder *builder, struct bt_value **ret_graph, struct bt_err *err)
{
    BT_VALUE graph = bt_map_new(3);
    check(builder, bt_map_puts(graph, "nodes", BT_TAKE(builder->nodes)));
    check(builder, bt_map_puts(graph, "edges", BT_TAKE(builder->edges)));
    check(builder, bt_map_puts(graph, "clusters", BT_TAKE(builder->clusters)));
    for (size_t i = 0; i < builder->runs.count; i++) {
        bt_value_unref(builder->runs.items[i].value);
        bt_value_unref(builder->runs.items[i].json);
    }
    bt_vec_done(&builder->runs);
    bt_value_unref(builder->sources);
    if (builder->is_short)
        return bt_fail_mem(err, "graph");
    *ret_graph = BT_TAKE(graph);
    return BT_OK;
}

static int build(struct builder *builder, struct bt_value **ret_graph, struct bt_err *err)
{
    const struct bt_value *tree = builder->flow->tree;
    const struct bt_value *triggers = bt_map_gets(tree, "triggers");
    builder->nodes = bt_list_new(16);
    builder->edges = bt_list_new(16);
    builder->clusters = bt_list_new(4);
    builder->sources = bt_map_new(16);
    if (!builder->nodes || !builder->edges || !builder->clusters || !builder->sources)
        builder->is_short = true;
    else {
        note_sources(builder, bt_map_gets(tree, "tasks"), 0);
        note_sources(builder, bt_map_gets(tree, "errors"), 0);
        note_sources(builder, bt_map_gets(tree, "finally"), 0);
        if (bt_value_count(triggers))
            build_triggers(builder, triggers);
        build_root(builder);
    }
    return finish(builder, ret_graph, err);
}

int bt_service_flow_graph(const struct bt_flow *flow, struct bt_value **ret_graph,
                          struct bt_err *err)
{
    struct builder builder = {.flow = flow};
    return build(&builder, ret_graph, err);
}

/* --- An execution ----------------------------------------------------------------------------- */

/* Runs come by number: a parent before its children. */
static const struct bt_id *parent_id(const struct builder *builder, uint32_t n)
{
    for (size_t low = 0, high = builder->runs.count; low < high;) {
        size_t middle = (low + high) / 2;
        const struct graph_run *run = &builder->runs.items[middle];
        if (run->n == n)
            return &run->id;
        if (run->n < n)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int keep_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct builder *builder = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    struct bt_run_shape shape = {.exec = builder->exec,
                                 .run = run,
                                 .task_id = task_id,
                                 .parent = parent_id(builder, run->parent),
                                 .now_us = bt_clock_wall_us(bt_clock_system())};
    struct graph_run kept = {.n = run->n, .task = run->task, .parent = run->parent, .id = run->id};
    bt_shape_run(&shape, &text);
    if (text.failed || bt_json_parse(bt_buf_str(&text), NULL, &kept.json, NULL) < 0)
        return BT_NO_MEM;
    kept.value = bt_value_ref(run->value);
    bt_vec_push(&builder->runs, kept);
    return BT_OK;
}

int bt_service_exec_graph(struct bt_service *service, const struct bt_exec *exec,
                          const struct bt_flow *flow, struct bt_value **ret_graph,
                          struct bt_err *err)
{
    struct builder builder = {.flow = flow, .exec = exec, .has_runs = true};
    struct bt_store *store = service->store;
    int rc = store->ops->runs(store, &(struct bt_run_query){exec->key, 1, BT_GRAPH_NODES_MAX},
                              &(struct bt_run_sink){keep_run, &builder}, err);
    int built = build(&builder, ret_graph, err);
    if (rc < 0) {
        *ret_graph = built < 0 ? NULL : bt_value_unref(*ret_graph);
        return rc;
    }
    return built;
}
