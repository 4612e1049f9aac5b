/* children.c — Subflows: an execution is made for a task run of another, and its end told there. */
#include "journal/runner/runner_int.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "engine/execution/create.h"

/* --- The flow --------------------------------------------------------------------------------- */

/* What the request asks for, as a key; `rc` when it is too long to be one. */
static int find_flow(struct bt_runner *runner, const struct bt_exec *super,
                     const struct bt_value *request, struct bt_flow **ret_flow, struct bt_err *err)
{
    struct bt_str namespace = bt_map_str(request, "namespace"), id = bt_map_str(request, "flowId");
    int64_t revision = bt_value_as_int(bt_map_gets(request, "revision"));
    struct bt_exec named = {0};
    memcpy(named.tenant, super->tenant, sizeof named.tenant);
    int rc = BT_NOT_FOUND;
    if (namespace.len < sizeof named.namespace && id.len < sizeof named.flow_id && revision >= 0 &&
        revision <= UINT32_MAX) {
        (void)snprintf(named.namespace, sizeof named.namespace, "%.*s", BT_FMT(namespace));
        (void)snprintf(named.flow_id, sizeof named.flow_id, "%.*s", BT_FMT(id));
        rc = runner_flow(runner, &named, (uint32_t)revision, ret_flow, err);
    }
    if (rc == BT_NOT_FOUND)
        return bt_fail(err, rc, "Unable to find flow '%.*s'.'%.*s' with revision '%lld'",
                       BT_FMT(namespace), BT_FMT(id), (long long)revision);
    if (rc == BT_CORRUPT)
        return bt_fail(err, BT_INVALID, "Cannot execute an invalid flow: %.*s.%.*s",
                       BT_FMT(namespace), BT_FMT(id));
    BT_TRY(rc);
    if (!(*ret_flow)->is_disabled)
        return BT_OK;
    *ret_flow = bt_flow_unref(*ret_flow);
    return bt_fail(err, BT_CONFLICT, "Cannot execute a flow which is disabled");
}

/* --- The execution ---------------------------------------------------------------------------- */

/* Labels of the task, over those of the execution above when they are inherited. */
static struct bt_value *labels_of(const struct bt_exec *super, const struct bt_value *request)
{
    BT_VALUE labels = bt_map_new(0);
    bool inherits = bt_value_as_bool(bt_map_gets(request, "inheritLabels"));
    for (size_t i = 0; inherits && i < bt_value_count(super->labels); i++) {
        struct bt_value *key = NULL;
        struct bt_value *val = bt_map_at(super->labels, i, &key);
        if (!bt_str_starts(bt_value_str(key), BT_STR("system.")) &&
            bt_map_put_key(labels, key, bt_value_ref(val)) < 0)
            bt_die("out of memory");
    }
    const struct bt_value *own = bt_map_gets(request, "labels");
    for (size_t i = 0; i < bt_value_count(own); i++) {
        struct bt_value *key = NULL;
        struct bt_value *val = bt_map_at(own, i, &key);
        if (bt_map_put_key(labels, key, bt_value_ref(val)) < 0)
            bt_die("out of memory");
    }
    return BT_TAKE(labels);
}

/* {"id", "type", "variables": …}: what expressions of the subflow see of who started it. */
static struct bt_value *trigger_of(const struct actor *super, const struct bt_task *task)
{
    const struct bt_exec *exec = super->exec;
    BT_VALUE trigger = bt_map_new(3), *variables = bt_map_new(4);
    int rc = bt_map_puts(variables, "executionId", bt_value_string(bt_id_str(&exec->id)));
    rc |= bt_map_puts(variables, "namespace", bt_value_cstr(exec->namespace));
    rc |= bt_map_puts(variables, "flowId", bt_value_cstr(exec->flow_id));
    rc |= bt_map_puts(variables, "flowRevision", bt_value_int32((int32_t)exec->revision));
    rc |= bt_map_puts(trigger, "id", bt_value_cstr(task->id));
    rc |= bt_map_puts(trigger, "type", bt_value_cstr(task->type->class_name));
    rc |= bt_map_puts(trigger, "variables", BT_TAKE(variables));
    if (rc != BT_OK)
        bt_die("out of memory");
    return BT_TAKE(trigger);
}

static int fill(struct actor *super, const struct bt_effect *effect, const struct bt_flow *flow,
                struct bt_exec *exec, struct bt_err *err)
{
    const struct bt_value *request = effect->value;
    const struct bt_taskrun *run = bt_map64_get(&super->runs, effect->taskrun);
    BT_VALUE labels = labels_of(super->exec, request);
    struct bt_new_exec given = {
        .inputs = bt_map_gets(request, "inputs"),
        .labels = labels,
        .correlation = bt_map_str(super->exec->labels, "system.correlationId"),
    };
    BT_TRY(bt_exec_fill(exec, flow, &given, err));
    exec->trigger = trigger_of(super, &super->flow->tasks[run->task]);
    exec->super = (struct bt_super){
        .key = super->key,
        .token = effect->token,
        .run = effect->taskrun,
        .is_waiting = bt_value_as_bool(bt_map_gets(request, "waits")),
    };
    exec->depth = super->exec->depth + 1;
    exec->schedule_us = bt_value_as_int(bt_map_gets(request, "scheduleUs"));
    exec->asked = bt_value_ref(bt_map_gets(request, "asked"));
    return BT_OK;
}

static int make(struct bt_runner *runner, struct actor *super, const struct bt_effect *effect,
                struct bt_exec **ret_exec, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    if (super->exec->depth >= BT_SUBFLOW_DEPTH_MAX) {
        (void)bt_fail(err, BT_LIMIT, "subflows may be nested %d deep", BT_SUBFLOW_DEPTH_MAX);
        return bt_hint(err, "does a flow start itself again and again?");
    }
    BT_TRY(find_flow(runner, super->exec, effect->value, &flow, err));
    exec = bt_exec_new();
    if (!exec)
        bt_die("out of memory");
    memcpy(exec->tenant, super->exec->tenant, sizeof exec->tenant);
    runner_name(runner, exec);
    BT_TRY(fill(super, effect, flow, exec, err));
    *ret_exec = exec;
    runner_enter(runner, BT_TAKE(exec), BT_TAKE(flow));
    return BT_OK;
}

static struct bt_value *id_outputs(const struct bt_exec *exec)
{
    struct bt_value *outputs = bt_map_new(3);
    if (bt_map_puts(outputs, "executionId", bt_value_string(bt_id_str(&exec->id))) < 0)
        bt_die("out of memory");
    return outputs;
}

static struct bt_value *created_line(const struct bt_exec *exec)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "Created new execution [[link execution=\"%s\" flowId=\"%s\" namespace=\"%s\"]]",
                   exec->id.text, exec->flow_id, exec->namespace); /* Fits. */
    struct bt_value *line = bt_value_cstr(text);
    if (!line)
        bt_die("out of memory");
    return line;
}

void children_effect(struct bt_runner *runner, struct actor *super, const struct bt_effect *effect)
{
    struct bt_exec *exec = NULL; /* Borrowed. */
    struct bt_err err = BT_ERR_INIT;
    struct bt_event event = {.kind = BT_EVENT_CHILD,
                             .taskrun = effect->taskrun,
                             .child = 0,
                             .token = effect->token,
                             .at_us = runner->now_us,
                             .end_us = runner->now_us};
    int rc = make(runner, super, effect, &exec, &err);
    if (read_may_pass(rc)) {
        runner->read_err = err; /* The batch is given up. */
        return;
    }
    if (exec) {
        event.outputs = id_outputs(exec);
        event.error = created_line(exec);
    } else {
        event.kind = BT_EVENT_RESULT;
        event.state = BT_FAILED;
        if (!(event.error = bt_value_cstr(err.msg)))
            bt_die("out of memory");
    }
    actor_push(super, event, 0);
}

/* --- The end ---------------------------------------------------------------------------------- */

void children_ended(struct bt_runner *runner, const struct actor *actor)
{
    const struct bt_exec *exec = actor->exec;
    struct actor *super;
    struct bt_err err = BT_ERR_INIT;
    if (!exec->super.key || !exec->super.is_waiting)
        return;
    int rc = runner_actor(runner, exec->super.key, &super, &err);
    if (read_may_pass(rc))
        runner->read_err = err; /* The batch is given up. */
    if (rc < 0)
        return; /* The execution above is gone. */
    struct bt_event event = {.kind = BT_EVENT_RESULT,
                             .taskrun = exec->super.run,
                             .token = exec->super.token,
                             .state = exec->state,
                             .at_us = bt_histories_at(&exec->histories, 0)->at_us,
                             .end_us = runner->now_us,
                             .outputs = id_outputs(exec)};
    struct bt_value *state = bt_value_cstr(bt_state_name(exec->state));
    if (bt_map_puts(event.outputs, "state", state) < 0 ||
        (exec->outputs && bt_map_puts(event.outputs, "outputs", bt_value_ref(exec->outputs)) < 0))
        bt_die("out of memory");
    if (bt_value_is(exec->asked, BT_KIND_STRING)) {
        char text[1200];
        (void)snprintf(text, sizeof text, "Failed to extract outputs with the error: '%.*s'",
                       BT_FMT(bt_value_str(exec->asked))); /* Cut is fine. */
        bt_utf8_repair(text);
        event.error = bt_value_cstr(text);
        event.state = BT_FAILED;
    }
    runner_send(runner, super, event, 0);
}

/* --- Kills ------------------------------------------------------------------------------------ */

enum { KILLS_PER_STEP = 200 };

struct keys {
    uint64_t items[KILLS_PER_STEP];
    size_t count;
};

static int add_key(void *data, uint64_t key)
{
    struct keys *keys = data;
    keys->items[keys->count++] = key;
    return BT_OK;
}

static void kill_one(struct bt_runner *runner, uint64_t key)
{
    struct actor *child;
    struct bt_err err = BT_ERR_INIT;
    int rc = runner_actor(runner, key, &child, &err);
    if (rc == BT_OK)
        runner_send(runner, child, (struct bt_event){.kind = BT_EVENT_KILL}, 0);
    else if (read_may_pass(rc))
        runner->read_err = err; /* The batch is given up. What is not readable does not run. */
}

void children_kill_id(struct bt_runner *runner, const struct actor *super, const struct bt_id *id)
{
    struct bt_journal *journal = runner->config.journal;
    struct bt_err err = BT_ERR_INIT;
    uint64_t key = 0;
    for (size_t i = 0; !key && i < runner->entered.count; i++) { /* Of this batch: not stored. */
        const struct actor *child = bt_map64_get(&runner->actors, runner->entered.items[i].key);
        if (child && strcmp(child->exec->id.text, id->text) == 0)
            key = child->key;
    }
    int rc = key ? BT_OK
                 : journal->ops->exec_key(journal, super->exec->tenant, bt_id_str(id), &key, &err);
    if (rc == BT_OK)
        kill_one(runner, key);
    else if (read_may_pass(rc))
        runner->read_err = err; /* The batch is given up. */
}

void children_kill(struct bt_runner *runner, struct actor *super, uint64_t from)
{
    struct keys keys = {.count = 0};
    struct bt_journal *journal = runner->config.journal;
    struct bt_err err = BT_ERR_INIT;
    struct bt_children_query query = {super->key, from, KILLS_PER_STEP, add_key, &keys};
    if (journal->ops->children(journal, &query, &err) < 0) {
        runner->read_err = err; /* As above. */
        return;
    }
    for (size_t i = 0; from == 0 && i < runner->entered.count; i++)
        if (runner->entered.items[i].super == super->key) /* Of this batch: not stored yet. */
            kill_one(runner, runner->entered.items[i].key);
    for (size_t i = 0; i < keys.count; i++)
        kill_one(runner, keys.items[i]);
    if (keys.count == KILLS_PER_STEP)
        runner_send(
            runner, super,
            (struct bt_event){.kind = BT_EVENT_CASCADE, .token = keys.items[keys.count - 1]}, 0);
}
