/* lanes.c — How groups of children proceed: lanes are opened, go on, and close.
 *
 * Everything here works on counters of the group and on the one child that has just ended; nothing
 * ever walks over siblings. */
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

bool task_is_each(const struct bt_task *task)
{
    enum bt_op op = task->type->op;
    return op == BT_OP_FOREACH || op == BT_OP_EACH_SEQUENTIAL || op == BT_OP_EACH_PARALLEL;
}

/* Whether every task of the group's list is a lane of its own. */
static bool is_wide(const struct bt_task *task)
{
    return task && (task->type->op == BT_OP_PARALLEL || task->type->op == BT_OP_EACH_PARALLEL);
}

/* What one call works on. */
struct group_ctx {
    struct bt_step *step;
    struct bt_taskrun *run; /* NULL: the execution. */
    struct bt_group *group;
    const struct bt_task *task;               /* NULL: the flow. */
    const struct bt_task_list *main, *errors; /* errors may be NULL. */
};

static int group_ctx_init(struct group_ctx *ctx, struct bt_step *step, uint32_t n)
{
    *ctx = (struct group_ctx){.step = step};
    BT_TRY(step_group(step, n, &ctx->group, &ctx->run));
    ctx->task = ctx->run ? step_task(step, ctx->run) : NULL;
    uint32_t count;
    const struct bt_task_list *lists = group_lists(step, ctx->run, &count);
    if (ctx->group->list != BT_NO_TASK && ctx->group->list < count)
        ctx->main = &lists[ctx->group->list];
    ctx->errors = bt_lists_find(lists, count, BT_BRANCH_ERRORS, BT_STR_NONE);
    return BT_OK;
}

static bool group_has_ended(const struct group_ctx *ctx)
{
    if (ctx->run)
        return bt_state_is_ended(ctx->run->state);
    return ctx->step->exec->is_finishing || bt_state_is_ended(ctx->step->exec->state);
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
    step_event(ctx->step, BT_EVENT_OPEN, ctx->run ? ctx->run->n : 0, 0);
}

static void group_close(const struct group_ctx *ctx)
{
    struct bt_group *group = ctx->group;
    group->phase = BT_PHASE_DONE;
    changed(ctx);
    if (!ctx->run) {
        ctx->step->exec->is_finishing = true;
        step_event(ctx->step, BT_EVENT_FINISH, 0, 0);
        return;
    }
    enum bt_state state = BT_SUCCESS;
    bool is_cut = !step_is_going(ctx->step) && group->next < group->lanes;
    if (group->killed || is_cut || ctx->step->exec->is_killing)
        state = BT_KILLED;
    else if (group->failed)
        state = ctx->task->type->op == BT_OP_ALLOW_FAILURE ? BT_WARNING : BT_FAILED;
    else if (group->warned)
        state = BT_WARNING;
    run_end(ctx->step, ctx->run, state);
}

static bool has_errors(const struct group_ctx *ctx)
{
    return ctx->errors && enabled_from(ctx, ctx->errors, 0) != BT_NO_TASK;
}

/* The main list failed: run the errors branch, or end. */
static void group_fail(const struct group_ctx *ctx)
{
    if (!has_errors(ctx)) {
        group_close(ctx);
        return;
    }
    ctx->group->phase = BT_PHASE_ERRORS;
    queue_open(ctx);
}

/* Decides what a group does after a change of its counters. */
static void group_settle(const struct group_ctx *ctx)
{
    struct bt_group *group = ctx->group;
    if (group_has_ended(ctx))
        return;
    if (!step_is_going(ctx->step)) {
        if (group->open == 0 && group->error_open == 0 && !group->is_open_queued)
            group_close(ctx);
        return;
    }
    if (group->phase == BT_PHASE_ERRORS) {
        uint32_t lanes = is_wide(ctx->task) ? ctx->errors->count : 1;
        if (group->error_open == 0 && (group->error_next >= lanes || group->error_failed))
            group_close(ctx);
        return;
    }
    if (group->failed) {
        group_fail(ctx);
    } else if (group->killed) {
        if (group->open == 0)
            group_close(ctx);
    } else if (group->next < group->lanes) {
        if (group->open < lanes_limit(ctx))
            queue_open(ctx);
    } else if (group->open == 0) {
        group_close(ctx);
    }
}

static void open_main(const struct group_ctx *ctx, const struct bt_value *values)
{
    struct bt_group *group = ctx->group;
    uint32_t limit = lanes_limit(ctx);
    uint32_t parent = ctx->run ? ctx->run->n : 0;
    for (int i = 0; i < LANES_PER_STEP; i++) {
        if (group->next >= group->lanes || group->open >= limit)
            return;
        uint32_t lane = group->next++;
        uint32_t task = lane_first(ctx, lane);
        changed(ctx);
        if (task == BT_NO_TASK)
            continue; /* All disabled: the lane is over before it began. */
        group->open++;
        run_create(ctx->step, task, parent, lane, lane_value(ctx, values, lane));
    }
}

static void open_errors(const struct group_ctx *ctx)
{
    struct bt_group *group = ctx->group;
    uint32_t parent = ctx->run ? ctx->run->n : 0;
    uint32_t lanes = is_wide(ctx->task) ? ctx->errors->count : 1;
    for (; group->error_next < lanes; group->error_next++) {
        uint32_t task = is_wide(ctx->task) ? ctx->errors->tasks[group->error_next]
                                           : enabled_from(ctx, ctx->errors, 0);
        if (task == BT_NO_TASK || ctx->step->flow->tasks[task].is_disabled)
            continue;
        group->error_open++;
        run_create(ctx->step, task, parent, group->error_next, NULL);
    }
    changed(ctx);
}

int on_open(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    (void)err;
    struct group_ctx ctx;
    BT_TRY(group_ctx_init(&ctx, step, event->taskrun));
    bool is_open = !group_has_ended(&ctx) && step_is_going(step);
    bool is_main = ctx.group->phase == BT_PHASE_MAIN && !ctx.group->failed && !ctx.group->killed;
    struct bt_value *values = NULL;
    if (is_open && is_main && ctx.task && task_is_each(ctx.task)) {
        int rc = step->view.values(step->view.data, ctx.run->n, &values);
        if (rc == BT_NEED)
            step->need = (struct bt_need){.kind = BT_NEED_VALUES, .n = ctx.run->n};
        BT_TRY(rc);
    }
    ctx.group->is_open_queued = false;
    changed(&ctx);
    if (is_open && is_main)
        open_main(&ctx, values);
    else if (is_open && ctx.group->phase == BT_PHASE_ERRORS)
        open_errors(&ctx);
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
                          const struct bt_task_list *list)
{
    if (is_wide(ctx->task) || !is_passed(child->state) || !step_is_going(ctx->step) ||
        group_has_ended(ctx))
        return false;
    uint32_t place = ctx->step->flow->tasks[child->task].place + 1;
    uint32_t next = enabled_from(ctx, list, place);
    if (next == BT_NO_TASK)
        return false;
    run_create(ctx->step, next, child->parent, child->lane, child->value);
    return true;
}

/* In a group that has failed nothing more of the main list is made. */
static bool main_goes_on(const struct bt_group *group)
{
    return group->phase == BT_PHASE_MAIN && !group->failed && !group->killed;
}

int on_next(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    (void)err;
    struct group_ctx ctx;
    struct bt_taskrun *child;
    BT_TRY(group_ctx_init(&ctx, step, event->taskrun));
    BT_TRY(step_run(step, event->child, &child));
    assert(bt_state_is_ended(child->state));
    struct bt_group *group = ctx.group;
    changed(&ctx);
    if (step_task(step, child)->branch == BT_BRANCH_ERRORS) {
        if (!lane_continue(&ctx, child, ctx.errors)) {
            assert(group->error_open > 0);
            group->error_open--;
            group->error_failed = group->error_failed || !is_passed(child->state);
        }
    } else {
        count_main(group, child->state);
        if (!main_goes_on(group) || !lane_continue(&ctx, child, ctx.main)) {
            assert(group->open > 0);
            group->open--;
        }
    }
    group_settle(&ctx);
    return BT_OK;
}
