/* replay.c — A new execution that goes on from a task run of an ended one: what lies before it in
 * the flow is copied, with its outputs; it and what comes after it runs.
 *
 * The rows are copied by pages, each in an event of the new execution (BT_EVENT_COPY), so that a
 * large one delays nobody; a crash goes on with the next page. The numbers of task runs stay, their
 * ids are new. Tasks are found again by id, since the revision may be another one. */
#include "journal/runner/runner_int.h"

enum { PAGE = 500, DEPTH_MAX = 64 };

/* --- The new execution ------------------------------------------------------------------------ */

static struct bt_exec *copy_header(const struct bt_exec *source)
{
    struct bt_exec *exec = bt_exec_new();
    if (!exec)
        bt_die("out of memory");
    memcpy(exec->tenant, source->tenant, sizeof exec->tenant);
    memcpy(exec->namespace, source->namespace, sizeof exec->namespace);
    memcpy(exec->flow_id, source->flow_id, sizeof exec->flow_id);
    exec->revision = source->revision;
    exec->labels = bt_value_ref(source->labels);
    exec->inputs = bt_value_ref(source->inputs);
    exec->trigger = bt_value_ref(source->trigger);
    exec->is_sealed = source->is_sealed;
    exec->parent_id = source->id;
    exec->original_id = source->original_id.text[0] ? source->original_id : source->id;
    return exec;
}

/* Whether a task is of a branch that runs only after something else: errors, finally, after. */
static bool is_beside(const struct bt_flow *flow, const struct bt_task *task)
{
    bool is_beside = false;
    for (; task && !is_beside;
         task = task->parent == BT_NO_TASK ? NULL : &flow->tasks[task->parent])
        is_beside = bt_branch_is_beside(task->branch);
    return is_beside;
}

/* The task run must be there, and its task in the revision. */
static int check_target(struct bt_runner *runner, const struct actor *source, uint32_t n,
                        const struct bt_flow *flow, struct bt_err *err)
{
    struct bt_journal *journal = runner->config.journal;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    if (n == 0)
        return BT_OK;
    BT_TRY(journal->ops->taskrun(journal, source->key, n, &run, err));
    const struct bt_task *task = &source->flow->tasks[run->task];
    const struct bt_task *found = bt_flow_task(flow, bt_str_of(task->id));
    if (found && found->type == task->type && !is_beside(source->flow, task))
        return BT_OK;
    return bt_fail(err, BT_INVALID, "the task '%s' cannot be replayed in revision %u", task->id,
                   flow->revision);
}

int replay_apply(struct bt_runner *runner, struct message *message, struct bt_err *err)
{
    struct actor *source;
    struct bt_flow *flow = NULL;
    const struct bt_replay *replay = &message->replay;
    BT_TRY(runner_actor(runner, replay->source, &source, err));
    runner_touch(runner, source); /* So that it leaves the memory again. */
    if (!source->exec->is_drained)
        return bt_fail(err, BT_CONFLICT, "execution is not terminated");
    struct bt_exec *exec = copy_header(source->exec);
    exec->id = replay->id;
    if (!exec->id.text[0])
        runner_name(runner, exec);
    int rc =
        runner_flow(runner, exec, replay->revision ? replay->revision : exec->revision, &flow, err);
    if (rc < 0) {
        bt_exec_free(exec);
        return rc;
    }
    rc = check_target(runner, source, replay->n, flow, err);
    if (rc < 0) {
        bt_exec_free(exec);
        bt_flow_unref(flow);
        return rc;
    }
    exec->revision = flow->revision;
    if (replay->inputs) {
        bt_value_unref(exec->inputs);
        exec->inputs = bt_value_ref(replay->inputs);
    }
    message->number = runner->last_key + 1;
    if (replay->n) {
        exec->variables = bt_value_ref(source->exec->variables);
        exec->copy_from = replay->source;
        exec->copy_next = 1;
        exec->replay_n = replay->n;
    }
    runner_enter(runner, exec, flow);
    return BT_OK;
}

/* --- What is kept ----------------------------------------------------------------------------- */

struct copying {
    struct bt_runner *runner;
    struct actor *source, *made;
    struct bt_taskrun *chain[DEPTH_MAX]; /* From the target up; of the source. Owned. */
    size_t depth;
    uint32_t rows; /* Of this page. */
    struct bt_err *err;
};

static int read_chain(struct copying *copying, uint32_t n)
{
    struct bt_journal *journal = copying->runner->config.journal;
    while (n && copying->depth < DEPTH_MAX) {
        struct bt_taskrun *run = NULL;
        BT_TRY(journal->ops->taskrun(journal, copying->source->key, n, &run, copying->err));
        copying->chain[copying->depth++] = run;
        n = run->parent;
    }
    return BT_OK;
}

static void copying_done(struct copying *copying)
{
    for (size_t i = 0; i < copying->depth; i++)
        bt_taskrun_free(copying->chain[i]);
}

static const struct bt_task *old_task(const struct copying *copying, const struct bt_taskrun *run)
{
    return &copying->source->flow->tasks[run->task];
}

/* Whether `task` waits for `on`, of the same Dag, at any distance. */
static bool depends_on(const struct bt_flow *flow, const struct bt_task *task, uint32_t on,
                       unsigned depth)
{
    const struct bt_task_list *list = &flow->tasks[task->parent].lists[task->list];
    for (uint32_t i = 0; i < task->depends_count; i++) {
        const struct bt_task *next = &flow->tasks[list->tasks[task->depends_on[i]]];
        if (next->index == on || (depth < 10000 && depends_on(flow, next, on, depth + 1)))
            return true;
    }
    return false;
}

static bool is_wide(const struct bt_task *group)
{
    return group && bt_task_is_wide(group);
}

/* Whether a run beside the one that leads to the target comes after it. */
static bool is_later(const struct copying *copying, const struct bt_taskrun *run,
                     const struct bt_taskrun *way)
{
    const struct bt_flow *flow = copying->source->flow;
    const struct bt_task *task = old_task(copying, run), *way_task = old_task(copying, way);
    const struct bt_task *group = task->parent == BT_NO_TASK ? NULL : &flow->tasks[task->parent];
    if (bt_branch_is_beside(task->branch))
        return true;
    if (group && group->type->op == BT_OP_DAG)
        return depends_on(flow, task, way_task->index, 0);
    if (is_wide(group))
        return false;
    if (run->lane == way->lane)
        return task->place > way_task->place;
    return run->lane > way->lane && group && group->concurrent == 1;
}

/* A run that was copied before; NULL: it was not kept. */
static struct bt_taskrun *copied(struct copying *copying, uint32_t n)
{
    struct bt_runner *runner = copying->runner;
    const struct sources sources = {runner->config.journal, runner->config.files};
    const struct bt_need need = {.kind = BT_NEED_TASKRUN, .n = n};
    if (!bt_map64_get(&copying->made->runs, n))
        (void)actor_fetch(copying->made, &sources, &need, NULL); /* It may not be there. */
    return bt_map64_get(&copying->made->runs, n);
}

static bool is_kept(struct copying *copying, const struct bt_taskrun *run)
{
    for (size_t i = 0; i < copying->depth; i++)
        if (run->n == copying->chain[i]->n)
            return true;
    if (run->parent == copying->chain[0]->n || (run->parent && !copied(copying, run->parent)))
        return false; /* A run is made after its parent. */
    for (size_t i = 0; i < copying->depth; i++)
        if (run->parent == copying->chain[i]->parent)
            return !is_later(copying, run, copying->chain[i]);
    return true;
}

/* --- Copying ---------------------------------------------------------------------------------- */

/* The same task in the revision that runs now; NULL: it is not there, or elsewhere. */
static const struct bt_task *new_task(const struct copying *copying, const struct bt_taskrun *run)
{
    const struct bt_flow *from = copying->source->flow, *to = copying->made->flow;
    const struct bt_task *old = old_task(copying, run);
    const struct bt_task *task = from == to ? old : bt_flow_task(to, bt_str_of(old->id));
    if (!task || task == old)
        return task;
    const char *old_up = old->parent == BT_NO_TASK ? "" : from->tasks[old->parent].id;
    const char *up = task->parent == BT_NO_TASK ? "" : to->tasks[task->parent].id;
    return strcmp(old_up, up) == 0 && old->type == task->type ? task : NULL;
}

/* The list that a group was in, in the new revision. */
static uint32_t new_list(const struct bt_task *old, const struct bt_task *task, uint32_t list)
{
    if (list >= old->list_count || old == task)
        return list;
    const struct bt_task_list *found =
        bt_lists_find(task->lists, task->list_count, old->lists[list].branch, old->lists[list].key);
    return found ? (uint32_t)(found - task->lists) : BT_NO_TASK;
}

static void count_kept(struct bt_group *group, enum bt_state state)
{
    group->failed += state == BT_FAILED;
    group->warned += state == BT_WARNING;
    group->killed += state == BT_KILLED || state == BT_CANCELLED;
}

/* Marks of a Dag: what comes behind the way waits again. */
static void set_marks(const struct copying *copying, struct bt_taskrun *run,
                      const struct bt_taskrun *way)
{
    const struct bt_flow *flow = copying->source->flow;
    const struct bt_task *dag = old_task(copying, run), *way_task = old_task(copying, way);
    struct bt_str marks = bt_value_str(run->marks);
    char *text = malloc(marks.len + 1);
    if (!text)
        bt_die("out of memory");
    run->group.next = 0;
    for (size_t i = 0; i < marks.len; i++) {
        const struct bt_task *task = &flow->tasks[dag->lists[run->group.list].tasks[i]];
        bool is_behind = depends_on(flow, task, way_task->index, 0);
        text[i] = is_behind ? '.' : task == way_task ? 'm' : marks.at[i];
        run->group.next += text[i] != '.';
    }
    bt_value_unref(run->marks);
    run->marks = bt_value_string((struct bt_str){text, marks.len});
    free(text);
}

/* Lanes that had been cut go on, but for the one that the way is in. */
static void keep_cuts(const struct copying *copying, struct bt_taskrun *run,
                      const struct bt_taskrun *way)
{
    struct bt_journal *journal = copying->runner->config.journal;
    struct bt_value *kept = bt_list_new(bt_value_count(run->cuts));
    for (size_t i = 0; i < bt_value_count(run->cuts); i++) {
        struct bt_value *number = bt_list_at(run->cuts, i);
        BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *child = NULL;
        uint32_t n = (uint32_t)bt_value_as_int(number);
        bool is_there = journal->ops->taskrun(journal, copying->source->key, n, &child, NULL) == 0;
        if (is_there && child->lane != way->lane && !is_later(copying, child, way) &&
            bt_list_push(kept, bt_value_ref(number)) < 0)
            bt_die("out of memory");
    }
    bt_value_unref(run->cuts);
    run->cuts = kept;
}

/* A group on the way to the target: as it was when the way began. */
static void open_group(const struct copying *copying, struct bt_taskrun *run,
                       struct bt_group *group, const struct bt_taskrun *way)
{
    const struct bt_task *task = run ? old_task(copying, run) : NULL;
    group->phase = BT_PHASE_MAIN;
    group->open = 1;
    group->failed = group->warned = group->killed = 0;
    group->side_next = group->side_open = 0;
    group->side_failed = group->is_open_queued = false;
    if (run && run->cuts)
        keep_cuts(copying, run, way);
    if (run && run->marks)
        set_marks(copying, run, way);
    else if (!is_wide(task) && (!task || task->concurrent <= 1) && group->next > way->lane + 1)
        group->next = way->lane + 1;
}

static void move(struct copying *copying, struct bt_taskrun *run, enum bt_state state)
{
    run->state = state;
    run->end_n = 0;
    run->token = 0;
    if (bt_histories_add(&run->histories, copying->runner->now_us, state) < 0)
        bt_die("out of memory");
    copying->made->exec->live++;
}

/* What becomes of a kept run on the way. */
static void prepare(struct copying *copying, struct bt_taskrun *run)
{
    for (size_t i = 0; i < copying->depth; i++) {
        if (run->n != copying->chain[i]->n)
            continue;
        if (i == 0) {
            run->group = (struct bt_group){.list = BT_NO_TASK};
            run->outputs = bt_value_unref(run->outputs);
            run->is_spilled = false;
            run->marks = bt_value_unref(run->marks);
            run->cuts = bt_value_unref(run->cuts);
        } else {
            open_group(copying, run, &run->group, copying->chain[i - 1]);
        }
        move(copying, run, i == 0 ? BT_RESTARTED : BT_RUNNING);
        return;
    }
    for (size_t i = 0; i < copying->depth; i++) { /* Beside the way. */
        if (run->parent != copying->chain[i]->parent)
            continue;
        struct bt_taskrun *up = run->parent ? copied(copying, run->parent) : NULL;
        count_kept(up ? &up->group : &copying->made->exec->group, run->state);
        if (up && !up->is_dirty) {
            up->is_dirty = true;
            bt_vec_push(&copying->made->dirty, up);
        }
    }
}

static int copy_extras(struct copying *copying, struct bt_taskrun *run)
{
    struct bt_runner *runner = copying->runner;
    struct bt_journal *journal = runner->config.journal;
    struct bt_value *values = NULL;
    if (run->is_spilled) { /* It is written anew, for this execution. */
        BT_TRY(spill_read(runner->config.files, copying->source, run, copying->err));
        run->is_spilled = false;
    }
    if (!bt_task_is_each(&copying->made->flow->tasks[run->task]) || run->group.list == BT_NO_TASK)
        return BT_OK;
    BT_TRY(journal->ops->values(journal, copying->source->key, run->n, &values, copying->err));
    actor_put_values(copying->made, run->n, values, true);
    return BT_OK;
}

static int copy_run(void *data, struct bt_taskrun *run)
{
    struct copying *copying = data;
    struct bt_exec *exec = copying->made->exec;
    copying->rows++;
    exec->copy_next = run->n + 1;
    const struct bt_task *task = is_kept(copying, run) ? new_task(copying, run) : NULL;
    if (!task || task->is_after) {
        bt_taskrun_free(run);
        return BT_OK;
    }
    prepare(copying, run);
    run->group.list = new_list(old_task(copying, run), task, run->group.list);
    run->task = task->index;
    uint64_t high = bt_rng_next(&copying->runner->rng);
    run->id = bt_id_make(copying->runner->now_us / 1000, high, bt_rng_next(&copying->runner->rng));
    struct bt_view view = actor_view(copying->made);
    (void)view.add(view.data, run); /* Never fails. */
    run->is_dirty = true;
    run->told = 0;
    bt_vec_push(&copying->made->dirty, run);
    return copy_extras(copying, run);
}

static int copy_page(struct copying *copying)
{
    struct bt_exec *exec = copying->made->exec;
    struct bt_journal *journal = copying->runner->config.journal;
    struct bt_err *err = copying->err;
    BT_TRY(read_chain(copying, exec->replay_n));
    if (exec->copy_next == 1) {
        exec->group = copying->source->exec->group;
        exec->group.list = BT_NO_TASK; /* It has not begun. */
        open_group(copying, NULL, &exec->group, copying->chain[copying->depth - 1]);
    }
    const struct bt_runs_query query = {copying->source->key, exec->copy_next, PAGE, copy_run,
                                        copying};
    BT_TRY(journal->ops->runs(journal, &query, err));
    exec->next_n = copying->source->exec->next_n;
    exec->ends = copying->source->exec->ends;
    if (copying->rows < PAGE)
        exec->copy_from = 0;
    return BT_OK;
}

void replay_copy(struct bt_runner *runner, struct actor *actor)
{
    struct bt_err err = BT_ERR_INIT;
    struct copying copying = {.runner = runner, .made = actor, .err = &err};
    struct bt_exec *exec = actor->exec;
    if (bt_state_is_ended(exec->state) || !exec->copy_from)
        return;
    int rc = runner_actor(runner, exec->copy_from, &copying.source, &err);
    if (rc == BT_OK)
        rc = copy_page(&copying);
    copying_done(&copying);
    if (read_may_pass(rc)) {
        runner->read_err = err; /* The batch is given up. */
        return;
    }
    exec->is_dirty = actor->is_exec_dirty = true;
    if (rc < 0) {
        exec->copy_from = exec->replay_n = 0;
        runner_send(runner, actor, (struct bt_event){.kind = BT_EVENT_KILL}, 0);
        runner_tell(runner, &err);
        return;
    }
    enum bt_event_kind next = exec->copy_from ? BT_EVENT_COPY : BT_EVENT_BEGIN;
    runner_send(runner, actor, (struct bt_event){.kind = next}, 0);
}
