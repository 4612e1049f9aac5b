/* actor.c — The rows of one execution in memory, and the view of them that a step gets. */
#include "journal/runner/runner_int.h"

#include <assert.h>

struct actor *actor_new(struct bt_exec *exec, struct bt_flow *flow, bool is_complete)
{
    struct actor *actor = calloc(1, sizeof *actor);
    if (!actor)
        bt_die("out of memory");
    actor->key = exec->key;
    actor->exec = exec;
    actor->flow = flow;
    actor->is_complete = is_complete;
    actor->log_lines = is_complete ? 0 : UINT64_MAX;
    return actor;
}

static void logs_clear(struct actor *actor)
{
    for (size_t i = 0; i < actor->logs.count; i++)
        bt_value_unref(actor->logs.items[i].text);
    actor->logs.count = 0;
}

static void absent_free(struct actor_absent *absent)
{
    if (absent)
        bt_value_unref(absent->value);
    free(absent);
}

static void list_free(struct actor_list *list)
{
    if (list)
        bt_vec_done(&list->ns);
    free(list);
}

void actor_forget(struct actor *actor)
{
    for (size_t i = 0; i < actor->absent.cap; i++)
        absent_free(actor->absent.slots[i].value);
    for (size_t i = 0; i < actor->lists.cap; i++)
        list_free(actor->lists.slots[i].value);
    bt_map64_done(&actor->absent);
    bt_map64_done(&actor->lists);
}

void actor_free(struct actor *actor)
{
    for (size_t i = 0; i < actor->runs.cap; i++)
        bt_taskrun_free(actor->runs.slots[i].value);
    bt_map64_done(&actor->runs);
    bt_map64_done(&actor->by_task);
    for (size_t i = actor->queue_head; i < actor->queue.count; i++)
        bt_event_done(&actor->queue.items[i].event);
    bt_vec_done(&actor->queue);
    bt_vec_done(&actor->dirty);
    bt_vec_done(&actor->loaded);
    bt_vec_done(&actor->removed);
    bt_vec_done(&actor->living);
    for (size_t i = 0; i < actor->values.count; i++)
        bt_value_unref(actor->values.items[i].values);
    bt_vec_done(&actor->values);
    logs_clear(actor);
    bt_vec_done(&actor->logs);
    actor_forget(actor);
    bt_exec_free(actor->exec);
    bt_flow_unref(actor->flow);
    free(actor);
}

/* --- The queue -------------------------------------------------------------------------------- */

bool actor_has_events(const struct actor *actor)
{
    return actor->queue_head < actor->queue.count;
}

void actor_push(struct actor *actor, struct bt_event event, uint64_t stored_id)
{
    if (actor->queue_head == actor->queue.count) {
        actor->queue_head = actor->queue.count = 0;
    } else if (actor->queue_head > 64 && actor->queue_head * 2 > actor->queue.count) {
        actor->queue.count -= actor->queue_head;
        memmove(actor->queue.items, actor->queue.items + actor->queue_head,
                actor->queue.count * sizeof *actor->queue.items);
        actor->queue_head = 0;
    }
    bt_vec_push(&actor->queue, ((struct queued){event, stored_id}));
}

struct queued actor_pop(struct actor *actor)
{
    assert(actor_has_events(actor));
    return actor->queue.items[actor->queue_head++];
}

void actor_log(struct actor *actor, const struct bt_log_entry *entry, struct bt_value *text,
               uint64_t place)
{
    bt_vec_push(&actor->logs, ((struct actor_log){*entry, text, place}));
}

void actor_put_values(struct actor *actor, uint32_t n, struct bt_value *values, bool is_dirty)
{
    bt_vec_push(&actor->values, ((struct actor_values){n, values, is_dirty}));
}

/* --- Rows ------------------------------------------------------------------------------------- */

static uint64_t task_hash(uint32_t task, uint32_t parent, struct bt_str value)
{
    return bt_str_hash(value, (uint64_t)task << 32 | parent);
}

static uint64_t list_key(uint32_t task, uint32_t parent)
{
    return (uint64_t)task << 32 | parent;
}

static bool is_run_of(const struct bt_taskrun *run, uint32_t task, uint32_t parent,
                      struct bt_str value)
{
    return run->task == task && run->parent == parent && bt_str_eq(bt_value_str(run->value), value);
}

/* Takes a run into memory. */
static void keep_run(struct actor *actor, struct bt_taskrun *run)
{
    bt_map64_put(&actor->runs, run->n, run);
    uint64_t hash = task_hash(run->task, run->parent, bt_value_str(run->value));
    const struct bt_taskrun *other = bt_map64_get(&actor->by_task, hash);
    if (!other || other->n < run->n)
        bt_map64_put(&actor->by_task, hash, run);
    /* Answers that it contradicts are forgotten. */
    absent_free(bt_map64_remove(&actor->absent, hash));
    list_free(bt_map64_remove(&actor->lists, list_key(run->task, run->parent)));
}

static bool is_removed(const struct actor *actor, uint32_t n)
{
    for (size_t i = 0; i < actor->removed.count; i++)
        if (actor->removed.items[i] == n)
            return true;
    return false;
}

/* Takes a stored run unless that row is in memory already (then memory is newer), or was removed
 * in this batch. */
static void keep_stored(struct actor *actor, struct bt_taskrun *run)
{
    if (bt_map64_get(&actor->runs, run->n) || is_removed(actor, run->n))
        bt_taskrun_free(run);
    else
        keep_run(actor, run);
}

void actor_evict(struct actor *actor)
{
    struct bt_map64 kept = {0};
    for (size_t i = 0; i < actor->runs.cap; i++) {
        struct bt_taskrun *run = actor->runs.slots[i].value;
        if (!run)
            continue;
        if (bt_state_is_ended(run->state) && !run->is_dirty) {
            bt_taskrun_free(run);
            actor->is_complete = false;
        } else {
            bt_map64_put(&kept, run->n, run);
        }
    }
    bt_map64_done(&actor->runs);
    bt_map64_done(&actor->by_task);
    for (size_t i = 0; i < kept.cap; i++)
        if (kept.slots[i].value)
            keep_run(actor, kept.slots[i].value);
    bt_map64_done(&kept);
    actor_forget(actor);
}

/* --- The view --------------------------------------------------------------------------------- */

static int view_taskrun(void *data, uint32_t n, struct bt_taskrun **ret_run)
{
    struct actor *actor = data;
    *ret_run = bt_map64_get(&actor->runs, n);
    return *ret_run ? BT_OK : BT_NEED;
}

static int view_find(void *data, uint32_t task, uint32_t parent, struct bt_str value,
                     struct bt_taskrun **ret_run)
{
    struct actor *actor = data;
    uint64_t hash = task_hash(task, parent, value);
    struct bt_taskrun *run = bt_map64_get(&actor->by_task, hash);
    if (run && is_run_of(run, task, parent, value)) {
        *ret_run = run;
        return BT_OK;
    }
    if (actor->is_complete)
        return BT_NOT_FOUND;
    const struct actor_absent *absent = bt_map64_get(&actor->absent, hash);
    bool is_known = absent && absent->task == task && absent->parent == parent &&
                    bt_str_eq(bt_value_str(absent->value), value);
    return is_known ? BT_NOT_FOUND : BT_NEED;
}

static int view_list(void *data, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
                     size_t *ret_count)
{
    struct actor *actor = data;
    const struct actor_list *list = bt_map64_get(&actor->lists, list_key(task, parent));
    if (!list)
        return BT_NEED;
    *ret_ns = list->ns.items;
    *ret_count = list->ns.count;
    return BT_OK;
}

enum { BAD_LISTS = 1u << 31 }; /* Their tasks are marked so. */

static int view_bad(void *data, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
                    size_t *ret_count)
{
    return view_list(data, task | BAD_LISTS, parent, ret_ns, ret_count);
}

static int view_values(void *data, uint32_t n, struct bt_value **ret_list)
{
    struct actor *actor = data;
    for (size_t i = actor->values.count; i-- > 0;) {
        if (actor->values.items[i].n == n) {
            *ret_list = actor->values.items[i].values;
            return BT_OK;
        }
    }
    return BT_NEED;
}

static int view_add(void *data, struct bt_taskrun *run)
{
    keep_run(data, run);
    return BT_OK;
}

static void view_changed(void *data, struct bt_taskrun *run)
{
    struct actor *actor = data;
    if (run)
        bt_vec_push(&actor->dirty, run);
    else
        actor->is_exec_dirty = true;
}

struct bt_view actor_view(struct actor *actor)
{
    return (struct bt_view){.data = actor,
                            .taskrun = view_taskrun,
                            .find = view_find,
                            .list = view_list,
                            .bad = view_bad,
                            .values = view_values,
                            .add = view_add,
                            .changed = view_changed};
}

/* --- Removing -------------------------------------------------------------------------------- */

static void note_living(struct actor *actor, const struct bt_taskrun *run)
{
    struct living living = {.n = run->n, .token = run->token};
    struct bt_str child = bt_map_str(run->outputs, "executionId");
    if (bt_state_is_ended(run->state))
        return;
    if (child.len < sizeof living.child.text)
        (void)snprintf(living.child.text, sizeof living.child.text, "%.*s", BT_FMT(child));
    bt_vec_push(&actor->living, living);
}

static void remove_run(struct actor *actor, struct bt_taskrun *run)
{
    note_living(actor, run);
    uint64_t hash = task_hash(run->task, run->parent, bt_value_str(run->value));
    (void)bt_map64_remove(&actor->runs, run->n); /* It is `run`. */
    if (bt_map64_get(&actor->by_task, hash) == run)
        (void)bt_map64_remove(&actor->by_task, hash);
    size_t kept = 0;
    for (size_t i = 0; i < actor->dirty.count; i++)
        if (actor->dirty.items[i] != run)
            actor->dirty.items[kept++] = actor->dirty.items[i];
    actor->dirty.count = kept;
    bt_vec_push(&actor->removed, run->n);
    bt_taskrun_free(run);
}

/* --- Fetching --------------------------------------------------------------------------------- */

static int fetch_each(void *data, struct bt_taskrun *run)
{
    keep_stored(data, run);
    return BT_OK;
}

static int compare_n(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    return (one > two) - (one < two);
}

static struct actor_list *list_new(struct actor *actor, uint32_t task, uint32_t parent)
{
    struct actor_list *list = calloc(1, sizeof *list);
    if (!list)
        bt_die("out of memory");
    list->task = task;
    list->parent = parent;
    uint64_t key = list_key(task, parent);
    list_free(bt_map64_remove(&actor->lists, key));
    bt_map64_put(&actor->lists, key, list);
    return list;
}

static bool has_list_of(const struct actor *actor, uint32_t task)
{
    for (size_t i = 0; i < actor->lists.cap; i++) {
        const struct actor_list *list = actor->lists.slots[i].value;
        if (list && list->task == task)
            return true;
    }
    return false;
}

/* Lists the runs in memory, under one parent or under each. */
static void list_memory(struct actor *actor, uint32_t task, uint32_t parent)
{
    bool is_all = parent == BT_ALL_PARENTS;
    for (size_t i = 0; is_all && i < actor->lists.cap; i++) {
        struct actor_list *list = actor->lists.slots[i].value;
        if (list && list->task == task)
            list->ns.count = 0;
    }
    for (size_t i = 0; i < actor->runs.cap; i++) {
        const struct bt_taskrun *run = actor->runs.slots[i].value;
        if (!run || run->task != task || (!is_all && run->parent != parent))
            continue;
        struct actor_list *list = bt_map64_get(&actor->lists, list_key(task, run->parent));
        if (!list)
            list = list_new(actor, task, run->parent);
        bt_vec_push(&list->ns, run->n);
    }
    for (size_t i = 0; i < actor->lists.cap; i++) {
        struct actor_list *list = actor->lists.slots[i].value;
        if (list && list->task == task && list->ns.count && (is_all || list->parent == parent))
            qsort(list->ns.items, list->ns.count, sizeof(uint32_t), compare_n);
    }
}

/* Lists from memory after the stored ones have joined it. The first question for a task is answered
 * for its parent, the next for all parents: a step that reads nested loops whole starts anew twice,
 * not once for each turn of the outer loop. */
static int fetch_list(struct actor *actor, struct bt_journal *journal, const struct bt_need *need,
                      struct bt_err *err)
{
    uint32_t parent = has_list_of(actor, need->task) ? BT_ALL_PARENTS : need->parent;
    if (!actor->is_complete)
        BT_TRY(journal->ops->list(journal, actor->key, need->task, parent, fetch_each, actor, err));
    (void)list_new(actor, need->task, need->parent);
    list_memory(actor, need->task, parent);
    return BT_OK;
}

static int fetch_bad(struct actor *actor, struct bt_journal *journal, const struct bt_need *need,
                     struct bt_err *err)
{
    if (!actor->is_complete)
        BT_TRY(journal->ops->bad(
            journal,
            &(struct bt_bad_query){actor->key, need->task, need->parent, fetch_each, actor}, err));
    struct actor_list *list = list_new(actor, need->task | BAD_LISTS, need->parent);
    for (size_t i = 0; i < actor->runs.cap; i++) {
        const struct bt_taskrun *run = actor->runs.slots[i].value;
        if (run && run->task == need->task && run->parent == need->parent &&
            (run->state == BT_FAILED || run->state == BT_KILLED || run->state == BT_CANCELLED))
            bt_vec_push(&list->ns, run->n);
    }
    if (list->ns.count)
        qsort(list->ns.items, list->ns.count, sizeof(uint32_t), compare_n);
    return BT_OK;
}

static int fetch_find(struct actor *actor, struct bt_journal *journal, const struct bt_need *need,
                      struct bt_err *err)
{
    struct bt_taskrun *run = NULL;
    int rc = journal->ops->find(journal, actor->key, need->task, need->parent,
                                bt_value_str(need->value), &run, err);
    if (rc < 0 && rc != BT_NOT_FOUND)
        return rc;
    if (run) {
        keep_stored(actor, run);
        return BT_OK;
    }
    struct actor_absent *absent = calloc(1, sizeof *absent);
    if (!absent)
        bt_die("out of memory");
    *absent = (struct actor_absent){need->task, need->parent, bt_value_ref(need->value)};
    uint64_t hash = task_hash(need->task, need->parent, bt_value_str(need->value));
    absent_free(bt_map64_remove(&actor->absent, hash));
    bt_map64_put(&actor->absent, hash, absent);
    return BT_OK;
}

static int fetch_outputs(struct actor *actor, const struct sources *sources, uint32_t n,
                         struct bt_err *err)
{
    struct bt_taskrun *run = bt_map64_get(&actor->runs, n);
    assert(run && run->is_spilled);
    BT_TRY(spill_read(sources->files, actor, run, err));
    bt_vec_push(&actor->loaded, n);
    return BT_OK;
}

/* Whether runs of a task are to be removed: of the children of `above`, all or those beside. */
static bool is_doomed(const struct bt_task *task, uint32_t above, bool is_side)
{
    return task->parent == above && (!is_side || bt_branch_is_beside(task->branch));
}

/* The task of a run that is in memory; BT_NO_TASK: of the execution itself. */
static uint32_t task_of(const struct actor *actor, uint32_t n)
{
    const struct bt_taskrun *run = n ? bt_map64_get(&actor->runs, n) : NULL;
    assert(run || n == 0);
    return run ? run->task : BT_NO_TASK;
}

int actor_drop_runs(struct actor *actor, const struct sources *sources, uint32_t n, bool is_side,
                    struct bt_err *err)
{
    BT_VEC(uint32_t) below = {0};
    int rc = BT_OK;
    bt_vec_push(&below, n);
    /* A queue of runs whose children are removed; the children join it. */
    for (size_t at = 0; rc == BT_OK && at < below.count; at++) {
        uint32_t parent = below.items[at], above = task_of(actor, parent);
        for (uint32_t task = 0; rc == BT_OK && task < actor->flow->task_count; task++) {
            if (!is_doomed(&actor->flow->tasks[task], above, is_side && at == 0))
                continue;
            struct bt_need need = {.kind = BT_NEED_LIST, .task = task, .parent = parent};
            actor_forget(actor);
            rc = fetch_list(actor, sources->journal, &need, err);
            const uint32_t *ns = NULL;
            size_t count = 0;
            if (rc == BT_OK)
                (void)view_list(actor, task, parent, &ns, &count); /* Just fetched. */
            for (size_t i = 0; i < count; i++)
                bt_vec_push(&below, ns[i]);
        }
        if (at)
            remove_run(actor, bt_map64_get(&actor->runs, parent));
    }
    actor_forget(actor);
    bt_vec_done(&below);
    return rc;
}

void actor_drop_outputs(struct actor *actor)
{
    for (size_t i = 0; i < actor->loaded.count; i++) {
        struct bt_taskrun *run = bt_map64_get(&actor->runs, actor->loaded.items[i]);
        if (run && run->is_spilled)
            run->outputs = bt_value_unref(run->outputs);
    }
    actor->loaded.count = 0;
}

int actor_fetch(struct actor *actor, const struct sources *sources, const struct bt_need *need,
                struct bt_err *err)
{
    struct bt_journal *journal = sources->journal;
    struct bt_taskrun *run = NULL;
    struct bt_value *values = NULL;
    switch (need->kind) {
    case BT_NEED_TASKRUN:
        if (is_removed(actor, need->n))
            return bt_fail(err, BT_NOT_FOUND, "the task run was removed");
        BT_TRY(journal->ops->taskrun(journal, actor->key, need->n, &run, err));
        keep_stored(actor, run);
        return BT_OK;
    case BT_NEED_FIND: return fetch_find(actor, journal, need, err);
    case BT_NEED_LIST: return fetch_list(actor, journal, need, err);
    case BT_NEED_BAD: return fetch_bad(actor, journal, need, err);
    case BT_NEED_VALUES:
        BT_TRY(journal->ops->values(journal, actor->key, need->n, &values, err));
        actor_put_values(actor, need->n, values, false);
        return BT_OK;
    case BT_NEED_WORKER: break; /* The step sees to it. */
    case BT_NEED_OUTPUTS: return fetch_outputs(actor, sources, need->n, err);
    }
    return bt_fail(err, BT_CORRUPT, "unknown need");
}
