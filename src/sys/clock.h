/* clock.h — Time as a table of functions, so that a simulator can replace it. */
#pragma once
#include <pthread.h>
#include <stdint.h>

struct bt_clock {
    int64_t (*wall_us)(void *data); /* Microseconds since 1970, may jump. */
    int64_t (*mono_us)(void *data); /* Microseconds since some start, never goes back. */
    void *data;
};

/* The machine's clock; borrowed, lives for ever. Any thread. */
const struct bt_clock *bt_clock_system(void);

static inline int64_t bt_clock_wall_us(const struct bt_clock *clock)
{
    return clock->wall_us(clock->data);
}

static inline int64_t bt_clock_mono_us(const struct bt_clock *clock)
{
    return clock->mono_us(clock->data);
}

/* Waits on a condition, with its lock held, at most `us` microseconds; also wakes without cause. */
void bt_clock_wait(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t us);
void bt_clock_pause(int64_t us); /* Does nothing for so long. */
