/* rows.c — Making and freeing of rows. */
#include "engine/execution/rows.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

const struct bt_history *bt_histories_at(const struct bt_histories *histories, uint32_t index)
{
    assert(index < histories->count);
    return histories->cap ? &histories->many[index] : &histories->few[index];
}

int bt_histories_add(struct bt_histories *histories, int64_t at_us, enum bt_state state)
{
    if (histories->cap == 0 && histories->count == BT_HISTORY_INLINE) {
        struct bt_history *many = malloc(8 * sizeof *many);
        if (!many)
            return BT_NO_MEM;
        memcpy(many, histories->few, sizeof histories->few);
        histories->many = many;
        histories->cap = 8;
    }
    if (histories->cap && histories->count == histories->cap) {
        struct bt_history *many = realloc(histories->many, 2u * histories->cap * sizeof *many);
        if (!many)
            return BT_NO_MEM;
        histories->many = many;
        histories->cap *= 2;
    }
    struct bt_history *at = histories->cap ? histories->many : histories->few;
    at[histories->count++] = (struct bt_history){at_us, state};
    return BT_OK;
}

void bt_histories_done(struct bt_histories *histories)
{
    if (histories->cap)
        free(histories->many);
    *histories = (struct bt_histories){0};
}

int64_t bt_histories_duration_us(const struct bt_histories *histories, int64_t now_us)
{
    if (histories->count == 0)
        return 0;
    const struct bt_history *last = bt_histories_at(histories, histories->count - 1);
    int64_t end_us = bt_state_is_ended(last->state) ? last->at_us : now_us;
    return end_us - bt_histories_at(histories, 0)->at_us;
}

struct bt_exec *bt_exec_new(void)
{
    struct bt_exec *exec = calloc(1, sizeof *exec);
    if (exec)
        exec->group.list = exec->after.list = BT_NO_TASK;
    return exec;
}

struct bt_exec *bt_exec_free(struct bt_exec *exec)
{
    if (!exec)
        return NULL;
    bt_histories_done(&exec->histories);
    bt_value_unref(exec->labels);
    bt_value_unref(exec->inputs);
    bt_value_unref(exec->variables);
    bt_value_unref(exec->outputs);
    bt_value_unref(exec->trigger);
    bt_value_unref(exec->asked);
    bt_value_unref(exec->cuts);
    free(exec);
    return NULL;
}

struct bt_taskrun *bt_taskrun_new(void)
{
    return calloc(1, sizeof(struct bt_taskrun));
}

struct bt_taskrun *bt_taskrun_free(struct bt_taskrun *run)
{
    if (!run)
        return NULL;
    bt_histories_done(&run->histories);
    bt_value_unref(run->value);
    bt_value_unref(run->marks);
    bt_value_unref(run->cuts);
    bt_value_unref(run->outputs);
    bt_value_unref(run->metrics);
    free(run->attempts);
    free(run);
    return NULL;
}

struct bt_attempt *bt_taskrun_attempt(struct bt_taskrun *run)
{
    return run->attempt_count ? &run->attempts[run->attempt_count - 1] : NULL;
}

int bt_taskrun_attempt_add(struct bt_taskrun *run, int64_t start_us)
{
    /* Grows by powers of two: 1, 2, 4, … */
    uint32_t count = run->attempt_count;
    if ((count & (count - 1)) == 0) {
        uint32_t cap = count ? count * 2 : 1;
        struct bt_attempt *attempts = realloc(run->attempts, cap * sizeof *attempts);
        if (!attempts)
            return BT_NO_MEM;
        run->attempts = attempts;
    }
    run->attempts[run->attempt_count++] =
        (struct bt_attempt){.start_us = start_us, .state = BT_RUNNING};
    return BT_OK;
}
