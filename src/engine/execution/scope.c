/* scope.c — The variables that an expression sees, made only when an expression names them. */
#include "engine/execution/step_int.h"

#include "base/iso.h"
#include "base/limits.h"
#include "value/sealed.h"

#include <stdlib.h>

static struct bt_value *date_value(int64_t at_us)
{
    char text[BT_ISO_SIZE];
    return bt_value_text(bt_str_of(bt_iso_utc(at_us, text)), BT_KIND_STRING, BT_FLAVOR_DATETIME);
}

/* --- taskrun ---------------------------------------------------------------------------------- */

static const char *const taskrun_keys[] = {"id", "startDate", "attemptsCount", "parentId", "value"};

/* The iteration value; within a WorkingDirectory without one that of the directory. */
static int own_value(const struct step_scope *scope, struct bt_value **ret_val)
{
    const struct bt_taskrun *run = scope->run;
    const struct bt_task *task = step_task(scope->step, run);
    struct bt_taskrun *place;
    if (!run->value && task->parent != BT_NO_TASK &&
        scope->step->flow->tasks[task->parent].type->op == BT_OP_WORKING_DIRECTORY) {
        BT_TRY(step_run(scope->step, run->parent, &place));
        run = place;
    }
    *ret_val = bt_value_ref(run->value);
    return BT_OK;
}

static int taskrun_get(void *data, struct bt_str key, struct bt_value **ret_val, struct bt_err *err)
{
    const struct step_scope *scope = data;
    const struct bt_taskrun *run = scope->run;
    struct bt_value *val = NULL;
    if (bt_str_is(key, "value")) {
        BT_TRY(own_value(scope, &val));
    } else if (bt_str_is(key, "id")) {
        val = bt_value_string(bt_id_str(&run->id));
    } else if (bt_str_is(key, "startDate")) {
        val = date_value(bt_histories_at(&run->histories, 0)->at_us);
    } else if (bt_str_is(key, "attemptsCount")) {
        val = bt_value_int32((int32_t)run->attempt_count);
    } else if (bt_str_is(key, "parentId") && run->parent) {
        struct bt_taskrun *parent;
        BT_TRY(step_run(scope->step, run->parent, &parent));
        val = bt_value_string(bt_id_str(&parent->id));
    }
    (void)err; /* A missing key is told by the caller. */
    *ret_val = val;
    return val ? BT_OK : BT_NOT_FOUND;
}

static int taskrun_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    BT_VALUE map = bt_map_new(BT_COUNT(taskrun_keys));
    for (size_t i = 0; i < BT_COUNT(taskrun_keys); i++) {
        struct bt_value *val = NULL;
        int rc = taskrun_get(data, bt_str_of(taskrun_keys[i]), &val, err);
        if (rc == BT_NOT_FOUND)
            continue;
        BT_TRY(rc);
        if (bt_map_puts(map, taskrun_keys[i], val) < 0)
            return bt_fail_mem(err, "taskrun");
    }
    *ret_map = BT_TAKE(map);
    return BT_OK;
}

static void taskrun_done(void *data)
{
    (void)data; /* The scope is the caller's. */
}

static const struct bt_lazy_ops taskrun_ops = {taskrun_get, taskrun_all, taskrun_done};

/* --- parents ---------------------------------------------------------------------------------- */

/* {"taskrun": {"value": …}, "outputs": {…}} of one enclosing run with a value. */
static struct bt_value *parent_entry(const struct bt_taskrun *run, struct bt_value *outputs)
{
    BT_VALUE entry = bt_map_new(2), *taskrun = bt_map_new(1);
    if (bt_map_puts(taskrun, "value", bt_value_ref(run->value)) < 0 ||
        bt_map_puts(entry, "taskrun", BT_TAKE(taskrun)) < 0)
        return NULL;
    if (outputs && bt_map_puts(entry, "outputs", bt_value_ref(outputs)) < 0)
        return NULL;
    return BT_TAKE(entry);
}

static int parents_value(struct step_scope *scope, struct bt_value **ret_list, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(2);
    uint32_t n = scope->run ? scope->run->parent : 0;
    while (n) {
        struct bt_taskrun *run;
        struct bt_value *outputs = NULL;
        BT_TRY(step_run(scope->step, n, &run));
        if (run->value && run->is_sealed && !scope->step->is_picking)
            return need_worker(scope->step, err);
        if (run->value)
            BT_TRY(step_outputs(scope->step, run, &outputs));
        if (run->value && bt_list_push(list, parent_entry(run, outputs)) < 0)
            return bt_fail_mem(err, "parents");
        n = run->parent;
    }
    *ret_list = BT_TAKE(list);
    return BT_OK;
}

/* --- Small maps ------------------------------------------------------------------------------- */

static struct bt_value *task_value(const struct step_scope *scope)
{
    const struct bt_task *task = step_task(scope->step, scope->run);
    BT_VALUE map = bt_map_new(2);
    if (bt_map_puts(map, "id", bt_value_cstr(task->id)) < 0 ||
        bt_map_puts(map, "type", bt_value_cstr(task->type->class_name)) < 0)
        return NULL;
    return BT_TAKE(map);
}

static struct bt_value *flow_value(const struct bt_step *step)
{
    BT_VALUE map = bt_map_new(4);
    if (bt_map_puts(map, "id", bt_value_cstr(step->exec->flow_id)) < 0 ||
        bt_map_puts(map, "namespace", bt_value_cstr(step->exec->namespace)) < 0 ||
        bt_map_puts(map, "revision", bt_value_int32((int32_t)step->exec->revision)) < 0)
        return NULL;
    if (strcmp(step->exec->tenant, "main") != 0 &&
        bt_map_puts(map, "tenantId", bt_value_cstr(step->exec->tenant)) < 0)
        return NULL;
    return BT_TAKE(map);
}

/* What comes after the end also sees how it ended. */
static struct bt_value *execution_value(const struct step_scope *scope)
{
    BT_VALUE map = bt_map_new(4);
    const struct bt_exec *exec = scope->step->exec;
    bool is_after = scope->run && step_task(scope->step, scope->run)->is_after;
    const struct bt_id *original = exec->original_id.text[0] ? &exec->original_id : &exec->id;
    if (bt_map_puts(map, "id", bt_value_string(bt_id_str(&exec->id))) < 0 ||
        bt_map_puts(map, "startDate", date_value(bt_histories_at(&exec->histories, 0)->at_us)) <
            0 ||
        bt_map_puts(map, "originalId", bt_value_string(bt_id_str(original))) < 0)
        return NULL;
    if (is_after && bt_map_puts(map, "state", bt_value_cstr(bt_state_name(exec->state))) < 0)
        return NULL;
    return BT_TAKE(map);
}

static struct bt_value *vars_value(const struct bt_step *step)
{
    if (step->exec->variables)
        return bt_value_ref(step->exec->variables);
    return bt_value_ref(step->flow->variables);
}

/* Dotted names nest: labels.system.correlationId. */
static struct bt_value *labels_value(const struct bt_step *step)
{
    const struct bt_value *labels = step->exec->labels;
    BT_VALUE map = labels ? bt_map_new(bt_value_count(labels)) : NULL;
    for (size_t i = 0; map && i < bt_value_count(labels); i++) {
        struct bt_value *val = bt_map_at(labels, i, NULL);
        if (bt_map_put_dotted(map, bt_map_key(labels, i), bt_value_ref(val)) < 0)
            return NULL;
    }
    return BT_TAKE(map);
}

/* What started it, as expressions see it. */
static const struct bt_value *trigger_variables(const struct bt_exec *exec)
{
    const struct bt_value *variables = bt_map_gets(exec->trigger, "variables");
    return variables ? variables : exec->trigger;
}

enum root {
    ROOT_TASKRUN,
    ROOT_WORKER_TASKRUN,
    ROOT_OUTPUTS,
    ROOT_INPUTS,
    ROOT_VARS,
    ROOT_TASK,
    ROOT_FLOW,
    ROOT_EXECUTION,
    ROOT_LABELS,
    ROOT_TRIGGER,
    ROOT_PARENT,
    ROOT_PARENTS,
    ROOT_TASKS,
    ROOT_ENVS,
    ROOT_GLOBALS,
    ROOT_COUNT,
};
static const char *const root_names[ROOT_COUNT] = {
    "taskrun", "workerTaskrun", "outputs", "inputs",  "vars",  "task", "flow",    "execution",
    "labels",  "trigger",       "parent",  "parents", "tasks", "envs", "globals",
};

/* Wraps "NULL is absent" for roots that need no fetching. */
static int given(struct bt_value *value, struct bt_value **ret_value)
{
    *ret_value = value;
    return value ? BT_OK : BT_NOT_FOUND;
}

static int lookup_parent(struct step_scope *scope, struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE list = NULL;
    BT_TRY(parents_value(scope, &list, err));
    return given(bt_value_ref(bt_list_at(list, 0)), ret_value);
}

/* Within a WorkingDirectory: the task run of that. */
static int lookup_worker(struct step_scope *scope, struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_flow *flow = scope->step->flow;
    const struct bt_task *task = scope->run ? step_task(scope->step, scope->run) : NULL;
    struct step_scope above = *scope;
    struct bt_taskrun *run;
    if (!task || task->parent == BT_NO_TASK ||
        flow->tasks[task->parent].type->op != BT_OP_WORKING_DIRECTORY)
        return BT_NOT_FOUND;
    BT_TRY(step_run(scope->step, scope->run->parent, &run));
    above.run = run;
    return taskrun_all(&above, ret_value, err);
}

static int lookup_root(struct step_scope *scope, enum root root, struct bt_value **ret_value,
                       struct bt_err *err)
{
    struct bt_step *step = scope->step;
    bool is_of_exec = root == ROOT_INPUTS || root == ROOT_VARS || root == ROOT_TRIGGER;
    if (is_of_exec && step->exec->is_sealed && !step->is_picking)
        return need_worker(step, err);
    switch (root) {
    case ROOT_TASKRUN:
        return given(scope->run ? bt_value_lazy(&taskrun_ops, scope) : NULL, ret_value);
    case ROOT_WORKER_TASKRUN: return lookup_worker(scope, ret_value, err);
    case ROOT_TASK: return given(scope->run ? task_value(scope) : NULL, ret_value);
    case ROOT_OUTPUTS: return outputs_root(scope, false, ret_value);
    case ROOT_TASKS: return outputs_root(scope, true, ret_value);
    case ROOT_INPUTS: return given(bt_value_ref(step->exec->inputs), ret_value);
    case ROOT_VARS: return given(vars_value(step), ret_value);
    case ROOT_FLOW: return given(flow_value(step), ret_value);
    case ROOT_EXECUTION: return given(execution_value(scope), ret_value);
    case ROOT_LABELS: return given(labels_value(step), ret_value);
    case ROOT_TRIGGER: return given(bt_value_ref(trigger_variables(step->exec)), ret_value);
    case ROOT_PARENT: return lookup_parent(scope, ret_value, err);
    case ROOT_PARENTS: return parents_value(scope, ret_value, err);
    case ROOT_ENVS: return given(bt_value_ref(step->env.envs), ret_value);
    case ROOT_GLOBALS: return given(bt_value_ref(step->env.globals), ret_value);
    case ROOT_COUNT: break;
    }
    return BT_NOT_FOUND;
}

static int scope_lookup(void *data, struct bt_str name, struct bt_value **ret_value,
                        struct bt_err *err)
{
    for (unsigned root = 0; root < ROOT_COUNT; root++)
        if (bt_str_is(name, root_names[root]))
            return lookup_root(data, (enum root)root, ret_value, err);
    return BT_NOT_FOUND;
}

/* Every variable, or all but the outputs of all tasks. */
static int collect(struct step_scope *scope, bool has_outputs, struct bt_value **ret_map,
                   struct bt_err *err)
{
    BT_VALUE map = bt_map_new(ROOT_COUNT);
    for (unsigned root = 0; root < ROOT_COUNT; root++) {
        BT_VALUE value = NULL;
        if (!has_outputs && (root == ROOT_OUTPUTS || root == ROOT_TASKS))
            continue;
        int rc = lookup_root(scope, (enum root)root, &value, err);
        if (rc == BT_NOT_FOUND)
            continue;
        BT_TRY(rc);
        if (bt_value_is(value, BT_KIND_LAZY)) {
            BT_VALUE whole = NULL;
            BT_TRY(bt_lazy_all(value, &whole, err));
            bt_value_unref(value);
            value = BT_TAKE(whole);
        }
        if (bt_map_puts(map, root_names[root], BT_TAKE(value)) < 0)
            return bt_fail_mem(err, "context");
    }
    *ret_map = BT_TAKE(map);
    return BT_OK;
}

/* The engine touches nothing: a worker has to. */
static int ask_worker(void *data, const char *function, const struct bt_value *args,
                      struct bt_value **ret_value, struct bt_err *err)
{
    const struct step_scope *scope = data;
    (void)function;
    (void)args;
    (void)ret_value;
    return need_worker(scope->step, err);
}

static int scope_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    return collect(data, true, ret_map, err);
}

void step_scope_init(struct step_scope *scope, struct bt_step *step, const struct bt_taskrun *run)
{
    *scope = (struct step_scope){.step = step, .run = run, .asks = {scope, ask_worker}};
    scope->scope = (struct bt_scope){.lookup = scope_lookup,
                                     .all = scope_all,
                                     .data = scope,
                                     .capabilities = &scope->asks,
                                     .now_us = step->env.now_us,
                                     .rng = &step->env.rng,
                                     .zone = step->env.zone};
}

typedef int render_fn(const struct bt_dyn *dyn, const struct bt_scope *scope,
                      struct bt_value **ret_value, struct bt_err *err);

static int render(struct bt_step *step, struct step_prop prop, render_fn *how,
                  struct bt_value **ret_value, struct bt_err *err)
{
    struct step_scope scope;
    int rc = evaluated_get(step, prop.key, ret_value, err);
    if (rc != BT_NOT_FOUND)
        return rc;
    step_scope_init(&scope, step, prop.run);
    return how(prop.dyn, &scope.scope, ret_value, err);
}

int step_render_prop(struct bt_step *step, struct step_prop prop, struct bt_value **ret_value,
                     struct bt_err *err)
{
    return render(step, prop, bt_dyn_render, ret_value, err);
}

int step_render_typed(struct bt_step *step, struct step_prop prop, struct bt_value **ret_value,
                      struct bt_err *err)
{
    return render(step, prop, bt_dyn_render_typed, ret_value, err);
}

int step_render_bool(struct bt_step *step, struct step_prop prop, bool *ret_is_true,
                     struct bt_err *err)
{
    BT_VALUE value = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
    BT_TRY(step_render_prop(step, prop, &value, err));
    BT_TRY(bt_value_print(value, &text, err));
    *ret_is_true = bt_text_is_truthy(bt_buf_str(&text));
    return BT_OK;
}

int step_render_duration(struct bt_step *step, struct step_prop prop, int64_t *ret_us,
                         struct bt_err *err)
{
    BT_VALUE value = NULL;
    *ret_us = 0;
    if (!prop.dyn)
        return BT_OK;
    BT_TRY(step_render_prop(step, prop, &value, err));
    BT_TRY(refuse_sealed(value, "a duration", err));
    return bt_duration_parse(bt_value_str(value), ret_us, err);
}

int step_render(struct bt_step *step, const struct bt_taskrun *run, const char *name,
                struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_dyn *prop = bt_task_prop(step_task(step, run), name);
    *ret_value = NULL;
    if (!prop)
        return BT_OK;
    return step_render_prop(step, (struct step_prop){run, name, prop}, ret_value, err);
}

int refuse_sealed(const struct bt_value *value, const char *what, struct bt_err *err)
{
    if (!bt_sealed_has(value))
        return BT_OK;
    return bt_fail(err, BT_DENIED, "%s must not hold a secret", what);
}

int bt_execution_look(struct bt_step *step, const struct bt_look *look, struct bt_value **ret_text,
                      struct bt_err *err)
{
    struct step_scope scope;
    step_scope_init(&scope, step, look->run);
    scope.scope.capabilities = look->asks;
    step->is_picking = true; /* Sealed values pass as they are. */
    int rc = bt_template_render(look->template, &scope.scope, ret_text, err);
    step->is_picking = false;
    return rc;
}

/* --- Picking what a job can reach ------------------------------------------------------------- */

static int shorter_first(const void *a, const void *b)
{
    const struct bt_path *one = a, *two = b;
    return (one->count > two->count) - (one->count < two->count);
}

/* Puts the value at path `names` into the tree; what is a whole value there already covers it. */
static int graft(struct bt_value *tree, const struct bt_path *path, size_t depth,
                 const struct bt_value *from, struct bt_err *err)
{
    struct bt_str name = path->names[depth];
    BT_VALUE child = NULL;
    if (bt_value_is(from, BT_KIND_LAZY)) {
        int rc = bt_lazy_get(from, name, &child, err);
        if (rc == BT_NOT_FOUND)
            return BT_OK;
        BT_TRY(rc);
    } else {
        child = bt_value_ref(bt_map_get(from, name));
        if (!child)
            return BT_OK;
    }
    bool is_last = depth + 1 == path->count;
    bool is_open = bt_value_is(child, BT_KIND_LAZY) || bt_value_is(child, BT_KIND_MAP);
    if (is_last || !is_open) {
        if (bt_value_is(child, BT_KIND_LAZY)) {
            BT_VALUE whole = NULL;
            BT_TRY(bt_lazy_all(child, &whole, err));
            return bt_map_put(tree, name, BT_TAKE(whole)) < 0 ? bt_fail_mem(err, "context") : BT_OK;
        }
        return bt_map_put(tree, name, BT_TAKE(child)) < 0 ? bt_fail_mem(err, "context") : BT_OK;
    }
    BT_VALUE branch = bt_value_copy(bt_map_get(tree, name));
    if (!bt_value_is(branch, BT_KIND_MAP)) {
        bt_value_unref(branch);
        branch = bt_map_new(0);
    }
    if (!branch)
        return bt_fail_mem(err, "context");
    BT_TRY(graft(branch, path, depth + 1, child, err));
    return bt_map_put(tree, name, BT_TAKE(branch)) < 0 ? bt_fail_mem(err, "context") : BT_OK;
}

static bool is_covered(const struct bt_paths *paths, size_t index)
{
    const struct bt_path *path = &paths->items[index];
    for (size_t i = 0; i < index; i++) {
        const struct bt_path *other = &paths->items[i];
        size_t same = 0;
        while (same < other->count && same < path->count &&
               bt_str_eq(other->names[same], path->names[same]))
            same++;
        if (same == other->count)
            return true;
    }
    return false;
}

static bool is_of_outputs(const struct bt_path *path)
{
    return path->count > 0 && (bt_str_is(path->names[0], root_names[ROOT_OUTPUTS]) ||
                               bt_str_is(path->names[0], root_names[ROOT_TASKS]));
}

/* Whether the path ends above the outputs of single runs: as many as the loop has turns. */
static int ends_in_branch(struct step_scope *scope, const struct bt_path *path, bool *ret_is,
                          struct bt_err *err)
{
    BT_VALUE at = NULL;
    BT_TRY(scope_lookup(scope, path->names[0], &at, err));
    for (size_t i = 1; i < path->count && bt_value_is(at, BT_KIND_LAZY); i++) {
        BT_VALUE next = NULL;
        int rc = bt_lazy_get(at, path->names[i], &next, err);
        if (rc == BT_NOT_FOUND)
            return BT_OK;
        BT_TRY(rc);
        bt_value_unref(at);
        at = BT_TAKE(next);
    }
    *ret_is = *ret_is || bt_value_is(at, BT_KIND_LAZY);
    return BT_OK;
}

static int has_branches(struct step_scope *scope, const struct bt_paths *paths, bool *ret_has,
                        struct bt_err *err)
{
    *ret_has = paths->is_top;
    for (size_t i = 0; i < paths->count && !*ret_has; i++)
        if (is_of_outputs(&paths->items[i]))
            BT_TRY(ends_in_branch(scope, &paths->items[i], ret_has, err));
    return BT_OK;
}

static int pick_paths(struct step_scope *scope, struct bt_paths *paths, bool has_outputs,
                      struct bt_value *tree, struct bt_err *err)
{
    if (paths->count)
        qsort(paths->items, paths->count, sizeof *paths->items, shorter_first);
    for (size_t i = 0; i < paths->count; i++) {
        const struct bt_path *path = &paths->items[i];
        if (path->count == 0 || is_covered(paths, i) || (!has_outputs && is_of_outputs(path)))
            continue;
        BT_VALUE root = NULL, *wrapped = bt_map_new(1);
        int rc = scope_lookup(scope, path->names[0], &root, err);
        if (rc == BT_NOT_FOUND)
            continue;
        BT_TRY(rc);
        if (bt_map_put(wrapped, path->names[0], BT_TAKE(root)) < 0)
            return bt_fail_mem(err, "context");
        BT_TRY(graft(tree, path, 0, wrapped, err));
    }
    return BT_OK;
}

static int pick(struct step_scope *scope, struct bt_paths *paths, struct bt_value **ret_map,
                struct bt_as_of *ret_as_of, struct bt_err *err)
{
    bool is_open = false;
    const struct bt_exec *exec = scope->step->exec;
    BT_TRY(has_branches(scope, paths, &is_open, err));
    *ret_as_of = (struct bt_as_of){.ends = exec->ends, .next_n = is_open ? exec->next_n : 0};
    if (paths->is_top)
        return collect(scope, false, ret_map, err);
    BT_VALUE tree = bt_map_new(4);
    if (!tree)
        return bt_fail_mem(err, "context");
    BT_TRY(pick_paths(scope, paths, !is_open, tree, err));
    const struct bt_value *trigger = trigger_variables(scope->step->exec);
    if (paths->needs_io && trigger && /* It says whose files may be read. */
        bt_map_puts(tree, "trigger", bt_value_ref(trigger)) < 0)
        return bt_fail_mem(err, "context");
    if (paths->needs_io && exec->parent_id.text[0] && /* So does this, of a replay. */
        bt_map_puts(tree, "execution", execution_value(scope)) < 0)
        return bt_fail_mem(err, "context");
    *ret_map = BT_TAKE(tree);
    return BT_OK;
}

int scope_pick(struct step_scope *scope, struct bt_paths *paths, struct bt_value **ret_map,
               struct bt_as_of *ret_as_of, struct bt_err *err)
{
    scope->step->is_picking = true;
    int rc = pick(scope, paths, ret_map, ret_as_of, err);
    scope->step->is_picking = false;
    return rc;
}
