/* slots.c — The flow's actor: how many of its executions run at once.
 *
 * Who holds a slot, and who waits for one, stands in the executions' own rows: a slot is free when
 * the row of its holder says so, in the same commit. What is kept here is counted from those rows
 * when a flow is first looked at, and forgotten after a failed commit. */
#include "journal/runner/runner_int.h"

struct slots {
    struct slots *next; /* Of the same hash. */
    char tenant[64], namespace[160], id[112];
    uint32_t limit; /* Of the current revision; 0: none any more. */
    enum bt_overflow overflow;
    size_t held;
    BT_VEC(uint64_t) queue; /* Keys, oldest first, from `head` on. */
    size_t head;
};

/* --- Loading ---------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct bt_exec *of)
{
    uint64_t hash = bt_str_hash(bt_str_of(of->tenant), 3);
    hash = bt_str_hash(bt_str_of(of->namespace), hash);
    return bt_str_hash(bt_str_of(of->flow_id), hash);
}

static int count_one(void *data, uint64_t key, enum bt_slot slot)
{
    struct slots *slots = data;
    if (slot == BT_SLOT_HELD)
        slots->held++;
    else
        bt_vec_push(&slots->queue, key);
    return BT_OK;
}

static void set_limit(struct slots *slots, const struct bt_flow *flow)
{
    slots->limit = flow->concurrency;
    slots->overflow = flow->overflow;
}

static void free_one(struct slots *slots)
{
    bt_vec_done(&slots->queue);
    free(slots);
}

/* Counts what is stored: no slot of the flow has changed in this batch. */
static int load(struct bt_runner *runner, const struct bt_exec *of, struct slots **ret_slots,
                struct bt_err *err)
{
    struct bt_journal *journal = runner->config.journal;
    struct bt_flow *flow = NULL;
    struct slots *slots = calloc(1, sizeof *slots);
    if (!slots)
        bt_die("out of memory");
    memcpy(slots->tenant, of->tenant, sizeof slots->tenant);
    memcpy(slots->namespace, of->namespace, sizeof slots->namespace);
    memcpy(slots->id, of->flow_id, sizeof slots->id);
    int rc = runner_flow(runner, of, 0, &flow, err);
    if (rc == BT_NOT_FOUND || rc == BT_CORRUPT) /* Deleted: what it said last holds. */
        rc = runner_flow(runner, of, of->revision, &flow, err);
    if (rc == BT_OK) {
        set_limit(slots, flow);
        rc = journal->ops->slots(journal, of, count_one, slots, err);
    }
    bt_flow_unref(flow);
    if (rc < 0) {
        free_one(slots);
        return rc;
    }
    *ret_slots = slots;
    return BT_OK;
}

static int slots_of(struct bt_runner *runner, const struct bt_exec *of, struct slots **ret_slots,
                    struct bt_err *err)
{
    uint64_t hash = hash_of(of);
    struct slots *first = bt_map64_get(&runner->slots, hash);
    for (struct slots *slots = first; slots; slots = slots->next) {
        if (strcmp(slots->id, of->flow_id) == 0 && strcmp(slots->namespace, of->namespace) == 0 &&
            strcmp(slots->tenant, of->tenant) == 0) {
            *ret_slots = slots;
            return BT_OK;
        }
    }
    BT_TRY(load(runner, of, ret_slots, err));
    (*ret_slots)->next = first;
    bt_map64_put(&runner->slots, hash, *ret_slots);
    return BT_OK;
}

void slots_clear(struct bt_runner *runner)
{
    for (size_t i = 0; i < runner->slots.cap; i++) {
        struct slots *slots = runner->slots.slots[i].value;
        while (slots) {
            struct slots *next = slots->next;
            free_one(slots);
            slots = next;
        }
    }
    bt_map64_done(&runner->slots);
}

/* --- Asking and answering --------------------------------------------------------------------- */

/* The flow's actor, or NULL: the batch is given up. */
static struct slots *find(struct bt_runner *runner, const struct actor *actor)
{
    struct slots *slots;
    struct bt_err err = BT_ERR_INIT;
    if (slots_of(runner, actor->exec, &slots, &err) == BT_OK)
        return slots;
    runner->read_err = err;
    return NULL;
}

static void set_slot(struct bt_runner *runner, struct actor *actor, enum bt_slot slot)
{
    actor->exec->slot = slot;
    actor->exec->is_dirty = actor->is_exec_dirty = true;
    runner_touch(runner, actor);
}

static void answer(struct bt_runner *runner, struct actor *actor, enum bt_state state)
{
    runner_send(runner, actor, (struct bt_event){.kind = BT_EVENT_SLOT, .state = state}, 0);
}

static bool has_room(const struct slots *slots)
{
    return slots->limit == 0 || slots->held < slots->limit;
}

void slots_ask(struct bt_runner *runner, struct actor *actor)
{
    struct slots *slots = actor->exec->slot == BT_SLOT_NONE ? find(runner, actor) : NULL;
    if (!slots)
        return;                                        /* Repeated, or the batch is given up. */
    bool is_restart = actor->exec->attempt_number > 1; /* It waits, whatever others would do. */
    if (has_room(slots) && slots->head == slots->queue.count) {
        slots->held++;
        set_slot(runner, actor, BT_SLOT_HELD);
        answer(runner, actor, BT_RUNNING);
    } else if (slots->overflow == BT_OVERFLOW_QUEUE || is_restart) {
        bt_vec_push(&slots->queue, actor->key);
        set_slot(runner, actor, BT_SLOT_QUEUED);
        answer(runner, actor, BT_QUEUED);
    } else {
        answer(runner, actor, slots->overflow == BT_OVERFLOW_CANCEL ? BT_CANCELLED : BT_FAILED);
    }
}

static void leave_queue(struct slots *slots, uint64_t key)
{
    for (size_t i = slots->head; i < slots->queue.count; i++) {
        if (slots->queue.items[i] != key)
            continue;
        memmove(&slots->queue.items[slots->head + 1], &slots->queue.items[slots->head],
                (i - slots->head) * sizeof key);
        slots->head++;
        return;
    }
}

static void trim(struct slots *slots)
{
    if (slots->head < 64 || slots->head * 2 < slots->queue.count)
        return;
    slots->queue.count -= slots->head;
    memmove(slots->queue.items, slots->queue.items + slots->head,
            slots->queue.count * sizeof *slots->queue.items);
    slots->head = 0;
}

/* Lets those in that have waited longest. */
static void admit(struct bt_runner *runner, struct slots *slots)
{
    while (has_room(slots) && slots->head < slots->queue.count) {
        struct actor *actor;
        struct bt_err err = BT_ERR_INIT;
        int rc = runner_actor(runner, slots->queue.items[slots->head], &actor, &err);
        if (read_may_pass(rc)) {
            runner->read_err = err; /* The batch is given up. */
            return;
        }
        slots->head++;
        if (rc < 0 || actor->exec->slot != BT_SLOT_QUEUED)
            continue; /* It cannot be read, or does not wait any more. */
        slots->held++;
        set_slot(runner, actor, BT_SLOT_HELD);
        answer(runner, actor, BT_RUNNING);
    }
    trim(slots);
}

void slots_take(struct bt_runner *runner, struct actor *actor)
{
    struct slots *slots = actor->exec->slot != BT_SLOT_HELD ? find(runner, actor) : NULL;
    if (!slots)
        return;
    leave_queue(slots, actor->key);
    slots->held++;
    set_slot(runner, actor, BT_SLOT_HELD);
}

void slots_free(struct bt_runner *runner, struct actor *actor)
{
    struct slots *slots = actor->exec->slot != BT_SLOT_NONE ? find(runner, actor) : NULL;
    if (!slots)
        return;
    if (actor->exec->slot == BT_SLOT_HELD)
        slots->held -= slots->held > 0;
    else
        leave_queue(slots, actor->key);
    set_slot(runner, actor, BT_SLOT_NONE);
    admit(runner, slots);
}

/* --- A new revision --------------------------------------------------------------------------- */

struct keys {
    BT_VEC(uint64_t) items;
};

static int note_key(void *data, uint64_t key)
{
    struct keys *keys = data;
    bt_vec_push(&keys->items, key);
    return BT_OK;
}

/* Executions that began when the flow had no limit hold slots from now on. */
static int take_running(struct bt_runner *runner, const struct bt_exec *of, struct bt_err *err)
{
    struct keys keys = {0};
    struct bt_journal *journal = runner->config.journal;
    int rc = journal->ops->running(journal, of, note_key, &keys, err);
    for (size_t i = 0; rc == BT_OK && i < keys.items.count; i++) {
        struct actor *actor;
        rc = runner_actor(runner, keys.items.items[i], &actor, err);
        if (rc == BT_OK && !actor->exec->is_drained && actor->exec->group.list != BT_NO_TASK)
            slots_take(runner, actor);
        else if (!read_may_pass(rc))
            rc = BT_OK; /* It has ended in this batch, has not begun, or cannot be read. */
    }
    bt_vec_done(&keys.items);
    return rc;
}

int slots_pushed(struct bt_runner *runner, const char *tenant, const struct bt_flow *flow,
                 bool had_limit, struct bt_err *err)
{
    struct slots *slots;
    const struct bt_exec of = runner_named(tenant, flow, flow->revision);
    if (!flow->concurrency && !had_limit)
        return BT_OK;
    BT_TRY(slots_of(runner, &of, &slots, err));
    set_limit(slots, flow);
    if (!had_limit)
        BT_TRY(take_running(runner, &of, err));
    admit(runner, slots);
    return BT_OK;
}
