/* retry.c — When a failed attempt is tried again. Pure. */
#include "engine/execution/step_int.h"

const struct bt_retry *retry_of(const struct bt_flow *flow, const struct bt_task *task)
{
    for (;;) {
        if (task->retry.kind != BT_RETRY_NONE)
            return &task->retry;
        if (task->parent == BT_NO_TASK)
            return flow->retry.kind != BT_RETRY_NONE ? &flow->retry : NULL;
        task = &flow->tasks[task->parent];
    }
}

/* interval × ⌊factor⌋ × (attempts − 1), capped: the first retry is immediate, as in the original.
 */
static int64_t exponential_us(const struct bt_retry *retry, uint32_t attempts)
{
    int64_t delay_us;
    if (__builtin_mul_overflow(retry->interval_us, (int64_t)retry->delay_factor, &delay_us) ||
        __builtin_mul_overflow(delay_us, (int64_t)attempts - 1, &delay_us))
        return retry->interval_max_us;
    return delay_us > retry->interval_max_us ? retry->interval_max_us : delay_us;
}

int64_t retry_next_us(const struct bt_retry *retry, const struct bt_taskrun *run, int64_t end_us,
                      struct bt_rng *rng)
{
    uint32_t attempts = run->attempt_count;
    if (!retry || attempts == 0 || retry->is_new_execution)
        return -1;
    if (retry->attempts_max && attempts >= retry->attempts_max)
        return -1;
    int64_t next_us = end_us;
    switch (retry->kind) {
    case BT_RETRY_NONE: return -1;
    case BT_RETRY_CONSTANT: next_us += retry->interval_us; break;
    case BT_RETRY_EXPONENTIAL: next_us += exponential_us(retry, attempts); break;
    case BT_RETRY_RANDOM:
        next_us += retry->interval_us;
        if (retry->interval_max_us > retry->interval_us)
            next_us +=
                (int64_t)bt_rng_below(rng, (uint64_t)(retry->interval_max_us - retry->interval_us));
        break;
    }
    if (retry->duration_max_us && next_us > run->attempts[0].start_us + retry->duration_max_us)
        return -1;
    return next_us;
}
