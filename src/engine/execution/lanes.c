/* lanes.c — How groups of children proceed: lanes are opened, go on, and close.
 *
 * Everything here works on counters of the group and on the one child that has just ended; nothing
 * ever walks over siblings. A group goes through its main list, then `errors` when that failed,
 * then `finally`. The execution has a second group, for what runs when it has ended (after.c). */
#include "engine/execution/step_int.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

enum { LANES_PER_STEP = 32 };

const struct bt_task_list *group_lists(const struct bt_step *step, const struct bt_taskrun *run,
                                       uint32_t *ret_count)
{
    if (!run) {
        *ret_count = step->flow->list_count;
        return step->flow->lists;
    }
    const struct bt_task *task = step_task(step, run);
    *ret_count = task->list_count;
    return task->lists;
}

/* Whether every task of the group's list is a lane of its own. */
static bool is_wide(const struct bt_task *task)
{
    return task && bt_task_is_wide(task);
}

/* What one call works on. */
struct group_ctx {
    struct bt_step *step;
    struct bt_taskrun *run; /* NULL: the execution. */
    struct bt_group *group;
    const struct bt_task *task; /* NULL: the flow. */
    const struct bt_task_list *main;
    const struct bt_task_list *side; /* errors, or in that phase finally; may be NULL. */
    bool is_after;                   /* The execution's second group. */
};

static int group_ctx_init(struct group_ctx *ctx, struct bt_step *step, uint32_t n, bool is_after)
{
    *ctx = (struct group_ctx){.step = step, .is_after = n == 0 && is_after};
    BT_TRY(step_group(step, n, &ctx->group, &ctx->run));
    if (ctx->is_after)
        ctx->group = &step->exec->after;
    ctx->task = ctx->run ? step_task(step, ctx->run) : NULL;
    uint32_t count;
    const struct bt_task_list *lists = group_lists(step, ctx->run, &count);
    if (ctx->group->list != BT_NO_TASK && ctx->group->list < count)
        ctx->main = &lists[ctx->group->list];
    enum bt_branch side =
        ctx->group->phase == BT_PHASE_FINALLY ? BT_BRANCH_FINALLY : BT_BRANCH_ERRORS;
    if (!ctx->is_after)
        ctx->side = bt_lists_find(lists, count, side, BT_STR_NONE);
    return BT_OK;
}

static bool group_has_ended(const struct group_ctx *ctx)
{
    if (ctx->run)
        return bt_state_is_ended(ctx->run->state);
    if (ctx->is_after)
        return ctx->group->phase == BT_PHASE_DONE;
    return ctx->step->exec->is_finishing || bt_state_is_ended(ctx->step->exec->state);
}

static bool group_is_going(const struct group_ctx *ctx)
{
    return ctx->is_after || step_is_going_for(ctx->step, ctx->task);
}

/* Lanes that may be open at once. */
static uint32_t lanes_limit(const struct group_ctx *ctx)
{
    uint32_t limit = 1;
    if (ctx->task && (is_wide(ctx->task) || ctx->task->type->op == BT_OP_FOREACH))
        limit = ctx->task->concurrent;
    if (limit == 0 || limit > BT_FANOUT_OUTSTANDING_MAX)
        limit = BT_FANOUT_OUTSTANDING_MAX;
    return limit;
}

/* The first enabled task at or after `place`, or BT_NO_TASK. */
static uint32_t enabled_from(const struct group_ctx *ctx, const struct bt_task_list *list,
                             uint32_t place)
{
    for (; place < list->count; place++)
        if (!ctx->step->flow->tasks[list->tasks[place]].is_disabled)
            return list->tasks[place];
    return BT_NO_TASK;
}

static const struct bt_task_list *finally_of(const struct group_ctx *ctx)
{
    uint32_t count;
    const struct bt_task_list *lists = group_lists(ctx->step, ctx->run, &count);
    return ctx->is_after ? NULL : bt_lists_find(lists, count, BT_BRANCH_FINALLY, BT_STR_NONE);
}

/* The task that opens a lane of the main list, or BT_NO_TASK when the lane is empty. */
static uint32_t lane_first(const struct group_ctx *ctx, uint32_t lane)
{
    if (!is_wide(ctx->task))
        return enabled_from(ctx, ctx->main, 0);
    uint32_t task = ctx->main->tasks[lane % ctx->main->count];
    return ctx->step->flow->tasks[task].is_disabled ? BT_NO_TASK : task;
}

/* The iteration value of a lane (borrowed), NULL in groups without values. */
static struct bt_value *lane_value(const struct group_ctx *ctx, const struct bt_value *values,
                                   uint32_t lane)
{
    if (!values)
        return NULL;
    bool is_flat = ctx->task->type->op == BT_OP_EACH_PARALLEL;
    return bt_list_at(values, is_flat ? lane / ctx->main->count : lane);
}

static void changed(const struct group_ctx *ctx)
{
    step_changed(ctx->step, ctx->run);
}

static void queue_open(const struct group_ctx *ctx)
{
    if (ctx->group->is_open_queued)
        return;
    ctx->group->is_open_queued = true;
    changed(ctx);
    step_event(ctx->step, ctx->is_after ? BT_EVENT_AFTER : BT_EVENT_OPEN,
               ctx->run ? ctx->run->n : 0, 0);
}

/* Of a flowable. */
static enum bt_state group_state(const struct group_ctx *ctx)
{
    const struct bt_group *group = ctx->group;
    assert(ctx->run && ctx->task);
    bool is_cut = !group_is_going(ctx) && (group->next < group->lanes || ctx->run->cuts);
    if (group->killed || is_cut || (ctx->step->exec->is_killing && !ctx->task->is_after))
        return BT_KILLED;
    if (group->failed)
        return ctx->task->type->op == BT_OP_ALLOW_FAILURE ? BT_WARNING : BT_FAILED;
    return group->warned ? BT_WARNING : BT_SUCCESS;
}

/* A pass of a LoopUntil went well: its condition says whether it is over. */
static bool is_between_passes(const struct group_ctx *ctx)
{
    const struct bt_group *group = ctx->group;
    return ctx->task && ctx->task->type->op == BT_OP_LOOP_UNTIL && !ctx->run->is_over &&
           group_is_going(ctx) && !group->failed && !group->killed;
}

static void group_close(const struct group_ctx *ctx)
{
    ctx->group->phase = BT_PHASE_DONE;
    changed(ctx);
    if (ctx->is_after) {
        after_next(ctx->step);
        return;
    }
    if (!ctx->run) {
        ctx->step->exec->is_finishing = true;
        step_event(ctx->step, BT_EVENT_FINISH, 0, 0);
        return;
    }
    enum bt_state state = group_state(ctx);
    if (ctx->run->stage == BT_STAGE_OPEN && group_is_going(ctx)) {
        step_event(ctx->step, BT_EVENT_CLOSE_PLACE, ctx->run->n, 0);
        return;
    }
    place_release(ctx->step, ctx->run);
    if (is_between_passes(ctx))
        step_event(ctx->step, BT_EVENT_LOOP, ctx->run->n, 0);
    else
        run_end(ctx->step, ctx->run, state);
}

static bool has_enabled(const struct group_ctx *ctx, const struct bt_task_list *list)
{
    return list && enabled_from(ctx, list, 0) != BT_NO_TASK;
}

static void side_begin(const struct group_ctx *ctx, enum bt_phase phase)
{
    struct bt_group *group = ctx->group;
    group->phase = phase;
    group->side_next = group->side_open = 0;
    group->side_failed = false;
    queue_open(ctx);
}

/* Main list and errors are over: `finally` runs when nothing else does any more, then the end. */
static void group_over(const struct group_ctx *ctx)
{
    if (is_between_passes(ctx) || !has_enabled(ctx, finally_of(ctx)))
        group_close(ctx);
    else if (ctx->group->open == 0)
        side_begin(ctx, BT_PHASE_FINALLY);
}

/* The main list failed: run the errors branch, or end. */
static void group_fail(const struct group_ctx *ctx)
{
    if (has_enabled(ctx, ctx->side))
        side_begin(ctx, BT_PHASE_ERRORS);
    else
        group_over(ctx);
}

static bool side_is_over(const struct group_ctx *ctx)
{
    const struct bt_group *group = ctx->group;
    uint32_t lanes = is_wide(ctx->task) ? ctx->side->count : 1;
    return group->side_open == 0 && (group->side_next >= lanes || group->side_failed);
}

static bool has_cuts(const struct group_ctx *ctx)
{
    return !ctx->is_after && (ctx->run ? ctx->run->cuts : ctx->step->exec->cuts);
}

static void settle_main(const struct group_ctx *ctx)
{
    struct bt_group *group = ctx->group;
    if (group->failed) {
        group_fail(ctx);
    } else if (group->killed) {
        if (group->open == 0)
            group_over(ctx);
    } else if (group->next < group->lanes || has_cuts(ctx)) {
        if (group->open < lanes_limit(ctx) && !(ctx->run && ctx->run->marks && group->open))
            queue_open(ctx);
    } else if (group->open == 0) {
        group_over(ctx);
    }
}

/* Decides what a group does after a change of its counters. */
static void group_settle(const struct group_ctx *ctx)
{
    struct bt_group *group = ctx->group;
    if (group_has_ended(ctx))
        return;
    if (!group_is_going(ctx)) {
        if (group->open == 0 && group->side_open == 0 && !group->is_open_queued)
            group_close(ctx);
        return;
    }
    switch (group->phase) {
    case BT_PHASE_MAIN: settle_main(ctx); return;
    case BT_PHASE_ERRORS:
        if (side_is_over(ctx))
            group_over(ctx);
        return;
    case BT_PHASE_FINALLY:
        if (!side_is_over(ctx))
            return;
        group->failed += group->side_failed; /* What failed in `finally` is not hidden. */
        group_close(ctx);
        return;
    case BT_PHASE_DONE: return;
    }
}

/* True when it stopped for this step only. */
static bool open_main(const struct group_ctx *ctx, const struct bt_value *values)
{
    struct bt_group *group = ctx->group;
    uint32_t limit = lanes_limit(ctx);
    if (!ctx->is_after)
        lanes_again(ctx->step, ctx->run, limit);
    for (int i = 0; i < LANES_PER_STEP; i++) {
        if (group->next >= group->lanes || group->open >= limit)
            return false;
        uint32_t lane = ctx->run && ctx->run->marks ? dag_take(ctx->step, ctx->run) : group->next;
        if (lane == BT_NO_TASK)
            return false; /* All others wait for one that runs. */
        uint32_t task = lane_first(ctx, lane);
        group->next++;
        changed(ctx);
        if (task == BT_NO_TASK) { /* All disabled: the lane is over before it began. */
            if (ctx->run && ctx->run->marks)
                dag_ended(ctx->run, lane);
            continue;
        }
        group->open++;
        run_create(ctx->step, task, ctx->run, lane, lane_value(ctx, values, lane));
    }
    return true;
}

static void open_side(const struct group_ctx *ctx)
{
    struct bt_group *group = ctx->group;
    uint32_t lanes = is_wide(ctx->task) ? ctx->side->count : 1;
    for (; group->side_next < lanes; group->side_next++) {
        uint32_t task = is_wide(ctx->task) ? ctx->side->tasks[group->side_next]
                                           : enabled_from(ctx, ctx->side, 0);
        if (task == BT_NO_TASK || ctx->step->flow->tasks[task].is_disabled)
            continue;
        group->side_open++;
        run_create(ctx->step, task, ctx->run, group->side_next, NULL);
    }
    changed(ctx);
}

int on_open(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    (void)err;
    struct group_ctx ctx;
    BT_TRY(group_ctx_init(&ctx, step, event->taskrun, event->kind == BT_EVENT_AFTER));
    bool is_open = !group_has_ended(&ctx) && group_is_going(&ctx);
    if (ctx.is_after && !ctx.main)
        return BT_OK;
    bool is_main = ctx.group->phase == BT_PHASE_MAIN && !ctx.group->failed && !ctx.group->killed;
    struct bt_value *values = NULL;
    if (is_open && is_main && ctx.task && bt_task_is_each(ctx.task)) {
        int rc = step->view.values(step->view.data, ctx.run->n, &values);
        if (rc == BT_NEED)
            step->need = (struct bt_need){.kind = BT_NEED_VALUES, .n = ctx.run->n};
        BT_TRY(rc);
    }
    if (is_open && is_main && !ctx.is_after)
        BT_TRY(lanes_read(step, ctx.run, lanes_limit(&ctx)));
    ctx.group->is_open_queued = false;
    changed(&ctx);
    if (is_open && is_main && open_main(&ctx, values) && ctx.group->next < ctx.group->lanes)
        queue_open(&ctx);
    else if (is_open && !is_main && ctx.side && ctx.group->phase != BT_PHASE_MAIN)
        open_side(&ctx);
    group_settle(&ctx);
    return BT_OK;
}

/* Whether the state of an ended child lets its lane go on. */
static bool is_passed(enum bt_state state)
{
    return state == BT_SUCCESS || state == BT_WARNING || state == BT_SKIPPED;
}

static void count_main(struct bt_group *group, enum bt_state state)
{
    if (state == BT_KILLED || state == BT_CANCELLED)
        group->killed++;
    else if (state == BT_WARNING)
        group->warned++;
    else if (!is_passed(state))
        group->failed++;
}

/* The child's lane goes on with its next task; false when it is over. */
static bool lane_continue(const struct group_ctx *ctx, const struct bt_taskrun *child,
                          const struct bt_task_list *list, bool goes_on)
{
    if (is_wide(ctx->task) || !is_passed(child->state))
        return false;
    uint32_t place = ctx->step->flow->tasks[child->task].place + 1;
    uint32_t next = enabled_from(ctx, list, place);
    if (next == BT_NO_TASK)
        return false;
    if (!group_is_going(ctx) || group_has_ended(ctx) || !goes_on) {
        if (list == ctx->main)
            lane_cut(ctx->step, ctx->run, child);
        return false;
    }
    run_create(ctx->step, next, ctx->run, child->lane, child->value);
    return true;
}

/* In a group that has failed nothing more of the main list is made. */
static bool main_goes_on(const struct bt_group *group)
{
    return group->phase == BT_PHASE_MAIN && !group->failed && !group->killed;
}

static void side_ended(const struct group_ctx *ctx, const struct bt_taskrun *child)
{
    struct bt_group *group = ctx->group;
    if (group->phase == BT_PHASE_FINALLY && child->state == BT_WARNING)
        group->warned++;
    if (lane_continue(ctx, child, ctx->side, true))
        return;
    assert(group->side_open > 0);
    group->side_open--;
    group->side_failed = group->side_failed || !is_passed(child->state);
}

static void main_ended(const struct group_ctx *ctx, const struct bt_taskrun *child, bool is_again)
{
    struct bt_group *group = ctx->group;
    if (!is_again)
        count_main(group, child->state);
    if (ctx->run && ctx->run->marks)
        dag_ended(ctx->run, child->lane);
    if (lane_continue(ctx, child, ctx->main, main_goes_on(group)))
        return;
    assert(group->open > 0);
    group->open--;
    if (ctx->run && ctx->run->marks && group->open && main_goes_on(group) &&
        (group->next < group->lanes || has_cuts(ctx)))
        queue_open(ctx); /* Others may have waited for this one. */
}

int on_next(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    (void)err;
    struct group_ctx ctx;
    struct bt_taskrun *child;
    BT_TRY(step_run(step, event->child, &child));
    const struct bt_task *task = step_task(step, child);
    BT_TRY(group_ctx_init(&ctx, step, event->taskrun, task->is_after));
    assert(bt_state_is_ended(child->state));
    changed(&ctx);
    if (task->branch == BT_BRANCH_ERRORS || task->branch == BT_BRANCH_FINALLY)
        side_ended(&ctx, child);
    else
        main_ended(&ctx, child, event->token);
    group_settle(&ctx);
    return BT_OK;
}

void loop_over(struct bt_step *step, struct bt_taskrun *run, bool has_failed)
{
    struct group_ctx ctx;
    int rc = group_ctx_init(&ctx, step, run->n, false);
    assert(rc == BT_OK); /* It is in memory. */
    (void)rc;
    run->is_over = true;
    ctx.group->failed += has_failed;
    group_over(&ctx);
}

enum bt_state run_group_state(struct bt_step *step, struct bt_taskrun *run)
{
    struct group_ctx ctx;
    int rc = group_ctx_init(&ctx, step, run->n, false);
    assert(rc == BT_OK); /* It is in memory. */
    (void)rc;
    return group_state(&ctx);
}
