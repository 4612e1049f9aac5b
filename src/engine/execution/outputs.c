/* outputs.c — `outputs` and `tasks` as lazy objects: a path is followed from run to run.
 *
 * outputs.X names a task of the flow. The runs that enclose X form a chain known from the flow;
 * where the chain passes an each-flowable, the next key of the path is the iteration value. So a
 * look-up costs the depth of the nesting, whatever the number of task runs. */
#include "engine/execution/step_int.h"

#include "base/limits.h"

#include <stdlib.h>

struct node {
    struct bt_step *step;
    const struct bt_task *target;
    uint32_t depth;  /* Place in the chain that the next key decides. */
    uint32_t parent; /* Run that encloses that place. */
    bool is_states;  /* `tasks`: {"state": …} instead of the outputs. */
};

struct chain {
    const struct bt_task *tasks[BT_FLOW_DEPTH_MAX + 1]; /* From the top to the target. */
    uint32_t count;
};

static void chain_of(const struct bt_flow *flow, const struct bt_task *target, struct chain *chain)
{
    chain->count = 0;
    for (const struct bt_task *task = target; chain->count < BT_COUNT(chain->tasks);
         task = &flow->tasks[task->parent]) {
        chain->tasks[chain->count++] = task;
        if (task->parent == BT_NO_TASK)
            break;
    }
    for (uint32_t i = 0; i < chain->count / 2; i++) {
        const struct bt_task *other = chain->tasks[i];
        chain->tasks[i] = chain->tasks[chain->count - 1 - i];
        chain->tasks[chain->count - 1 - i] = other;
    }
}

static bool needs_value(const struct bt_flow *flow, const struct bt_task *task)
{
    return task->parent != BT_NO_TASK && task->branch == BT_BRANCH_TASKS &&
           bt_task_is_each(&flow->tasks[task->parent]);
}

int step_outputs(struct bt_step *step, const struct bt_taskrun *run, struct bt_value **ret_outputs)
{
    if (run->is_spilled && !run->outputs) {
        step->need = (struct bt_need){.kind = BT_NEED_OUTPUTS, .n = run->n};
        return BT_NEED;
    }
    *ret_outputs = run->outputs;
    return BT_OK;
}

/* Whether the run had not ended yet at the version that is asked for. */
static bool is_later(const struct bt_step *step, const struct bt_taskrun *run)
{
    return step->as_of.next_n && (run->end_n == 0 || run->end_n > step->as_of.ends);
}

static enum bt_state state_of(const struct bt_step *step, const struct bt_taskrun *run)
{
    if (!is_later(step, run))
        return run->state;
    enum bt_state state = BT_CREATED;
    for (uint32_t i = 0; i < run->histories.count; i++) {
        const struct bt_history *history = bt_histories_at(&run->histories, i);
        if (history->at_us <= step->env.now_us && !bt_state_is_ended(history->state))
            state = history->state;
    }
    return state;
}

static int node_value(const struct node *node, const struct bt_taskrun *run,
                      struct bt_value **ret_value)
{
    struct bt_value *outputs = NULL;
    if (!node->is_states && run->is_sealed && !node->step->is_picking)
        return need_worker(node->step, NULL);
    if (!node->is_states) {
        if (!is_later(node->step, run))
            BT_TRY(step_outputs(node->step, run, &outputs));
        *ret_value = outputs ? bt_value_ref(outputs) : bt_map_new(0);
        return *ret_value ? BT_OK : BT_NO_MEM;
    }
    BT_VALUE map = bt_map_new(1);
    const char *name = bt_state_name(state_of(node->step, run));
    if (bt_map_puts(map, "state", bt_value_cstr(name)) < 0)
        return BT_NO_MEM;
    *ret_value = BT_TAKE(map);
    return BT_OK;
}

static const struct bt_lazy_ops node_ops;

static int list_runs(struct bt_step *step, const struct bt_task *task, uint32_t parent,
                     const uint32_t **ret_ns, size_t *ret_count)
{
    int rc = step->view.list(step->view.data, task->index, parent, ret_ns, ret_count);
    if (rc == BT_NEED)
        step->need = (struct bt_need){.kind = BT_NEED_LIST, .task = task->index, .parent = parent};
    return rc;
}

static bool is_too_new(const struct bt_step *step, uint32_t n)
{
    return step->as_of.next_n && n >= step->as_of.next_n;
}

/* The newest run is newer than the version that is asked for: the newest before that. */
static int find_older(struct bt_step *step, const struct bt_task *task, uint32_t parent,
                      struct bt_value *value, struct bt_taskrun **ret_run)
{
    const uint32_t *ns;
    size_t count;
    BT_TRY(list_runs(step, task, parent, &ns, &count));
    while (count-- > 0) {
        if (is_too_new(step, ns[count]))
            continue;
        BT_TRY(step_run(step, ns[count], ret_run));
        if (bt_str_eq(bt_value_str((*ret_run)->value), bt_value_str(value)))
            return BT_OK;
    }
    return BT_NOT_FOUND;
}

static int find_run(struct bt_step *step, const struct bt_task *task, uint32_t parent,
                    struct bt_value *value, struct bt_taskrun **ret_run)
{
    int rc = step->view.find(step->view.data, task->index, parent, bt_value_str(value), ret_run);
    if (rc == BT_NEED)
        step->need = (struct bt_need){.kind = BT_NEED_FIND,
                                      .task = task->index,
                                      .parent = parent,
                                      .value = bt_value_ref(value)};
    if (rc == BT_OK && is_too_new(step, (*ret_run)->n))
        return find_older(step, task, parent, value, ret_run);
    return rc;
}

/* Follows the chain from the node on; `key` decides the first level that needs a value. */
static int follow(const struct node *node, struct bt_value *key, struct bt_value **ret_value)
{
    struct chain chain;
    chain_of(node->step->flow, node->target, &chain);
    struct node at = *node;
    for (; at.depth < chain.count; at.depth++) {
        const struct bt_task *task = chain.tasks[at.depth];
        bool is_keyed = needs_value(node->step->flow, task);
        if (is_keyed && !key) {
            struct node *copy = malloc(sizeof *copy);
            if (!copy)
                return BT_NO_MEM;
            *copy = at;
            *ret_value = bt_value_lazy(&node_ops, copy);
            return *ret_value ? BT_OK : BT_NO_MEM;
        }
        struct bt_taskrun *run;
        BT_TRY(find_run(at.step, task, at.parent, is_keyed ? key : NULL, &run));
        key = is_keyed ? NULL : key;
        if (at.depth + 1 == chain.count)
            return node_value(&at, run, ret_value);
        at.parent = run->n;
    }
    return BT_NOT_FOUND;
}

static int node_get(void *data, struct bt_str key, struct bt_value **ret_val, struct bt_err *err)
{
    (void)err;
    BT_VALUE text = bt_value_string(key);
    if (!text)
        return BT_NO_MEM;
    return follow(data, text, ret_val);
}

static int build(const struct node *node, const struct chain *chain, struct bt_value **ret_value);

/* The map of all iterations at the node's place. */
static int build_each(const struct node *node, const struct chain *chain,
                      struct bt_value **ret_value)
{
    const struct bt_task *task = chain->tasks[node->depth];
    struct bt_step *step = node->step;
    const uint32_t *ns;
    size_t count;
    BT_TRY(list_runs(step, task, node->parent, &ns, &count));
    BT_VALUE map = bt_map_new(count);
    if (!map)
        return BT_NO_MEM;
    for (size_t i = 0; i < count; i++) {
        struct bt_taskrun *run;
        BT_VALUE value = NULL;
        if (is_too_new(step, ns[i]))
            continue;
        BT_TRY(step_run(step, ns[i], &run));
        struct node next = *node;
        next.depth++;
        next.parent = run->n;
        bool is_last = next.depth == chain->count;
        int rc = is_last ? node_value(node, run, &value) : build(&next, chain, &value);
        if (rc == BT_NOT_FOUND || !run->value)
            continue;
        BT_TRY(rc);
        BT_TRY(bt_map_put_key(map, run->value, BT_TAKE(value)));
    }
    *ret_value = BT_TAKE(map);
    return BT_OK;
}

static int build(const struct node *node, const struct chain *chain, struct bt_value **ret_value)
{
    struct node at = *node;
    for (; at.depth < chain->count; at.depth++) {
        const struct bt_task *task = chain->tasks[at.depth];
        if (needs_value(at.step->flow, task))
            return build_each(&at, chain, ret_value);
        struct bt_taskrun *run;
        BT_TRY(find_run(at.step, task, at.parent, NULL, &run));
        if (at.depth + 1 == chain->count)
            return node_value(&at, run, ret_value);
        at.parent = run->n;
    }
    return BT_NOT_FOUND;
}

static int node_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    const struct node *node = data;
    struct chain chain;
    chain_of(node->step->flow, node->target, &chain);
    int rc = build(node, &chain, ret_map);
    if (rc == BT_NO_MEM)
        return bt_fail_mem(err, "outputs");
    return rc;
}

static void node_done(void *data)
{
    free(data);
}

static const struct bt_lazy_ops node_ops = {node_get, node_all, node_done};

/* --- The roots -------------------------------------------------------------------------------- */

static int root_get_kind(struct step_scope *scope, bool is_states, struct bt_str key,
                         struct bt_value **ret_val)
{
    const struct bt_task *target = bt_flow_task(scope->step->flow, key);
    if (!target)
        return BT_NOT_FOUND;
    struct node node = {.step = scope->step, .target = target, .is_states = is_states};
    return follow(&node, NULL, ret_val);
}

static int root_all_kind(struct step_scope *scope, bool is_states, struct bt_value **ret_map,
                         struct bt_err *err)
{
    const struct bt_flow *flow = scope->step->flow;
    BT_VALUE map = bt_map_new(0);
    for (uint32_t i = 0; i < flow->task_count; i++) {
        struct node node = {.step = scope->step, .target = &flow->tasks[i], .is_states = is_states};
        BT_VALUE value = NULL;
        int rc = node_all(&node, &value, err);
        if (rc == BT_NOT_FOUND)
            continue;
        BT_TRY(rc);
        if (bt_map_puts(map, flow->tasks[i].id, BT_TAKE(value)) < 0)
            return bt_fail_mem(err, "outputs");
    }
    *ret_map = BT_TAKE(map);
    return BT_OK;
}

static int outputs_get(void *data, struct bt_str key, struct bt_value **ret_val, struct bt_err *err)
{
    (void)err;
    return root_get_kind(data, false, key, ret_val);
}

static int outputs_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    return root_all_kind(data, false, ret_map, err);
}

static int states_get(void *data, struct bt_str key, struct bt_value **ret_val, struct bt_err *err)
{
    (void)err;
    return root_get_kind(data, true, key, ret_val);
}

static int states_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    return root_all_kind(data, true, ret_map, err);
}

static void root_done(void *data)
{
    (void)data; /* The scope is the caller's. */
}

static const struct bt_lazy_ops outputs_ops = {outputs_get, outputs_all, root_done};
static const struct bt_lazy_ops states_ops = {states_get, states_all, root_done};

int outputs_root(struct step_scope *scope, bool is_states, struct bt_value **ret_value)
{
    *ret_value = bt_value_lazy(is_states ? &states_ops : &outputs_ops, scope);
    return *ret_value ? BT_OK : BT_NO_MEM;
}

/* --- By path -----------------------------------------------------------------------------------
 */

static int get_key(const struct bt_value *from, struct bt_str key, struct bt_value **ret_val,
                   struct bt_err *err)
{
    if (bt_value_is(from, BT_KIND_LAZY))
        return bt_lazy_get(from, key, ret_val, err);
    *ret_val = bt_value_ref(bt_map_get(from, key));
    return *ret_val ? BT_OK : BT_NOT_FOUND;
}

int bt_execution_outputs(struct bt_step *step, const struct bt_outputs_query *query,
                         struct bt_value **ret_value, struct bt_err *err)
{
    struct step_scope scope = {.step = step};
    BT_VALUE at = NULL;
    step->need.value = bt_value_unref(step->need.value);
    if (outputs_root(&scope, query->is_states, &at) < 0)
        return bt_fail_mem(err, "outputs");
    for (size_t i = 0; i < bt_value_count(query->path); i++) {
        BT_VALUE next = NULL;
        BT_TRY(get_key(at, bt_value_str(bt_list_at(query->path, i)), &next, err));
        bt_value_unref(at);
        at = BT_TAKE(next);
    }
    *ret_value = NULL;
    if (!bt_value_is(at, BT_KIND_LAZY))
        *ret_value = BT_TAKE(at);
    else if (query->is_whole)
        return bt_lazy_all(at, ret_value, err);
    return BT_OK;
}
