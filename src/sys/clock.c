/* clock.c — The machine's clocks. */
#include "sys/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now); /* Cannot fail with these ids. */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t wall_us(void *data)
{
    (void)data;
    return read_clock(CLOCK_REALTIME);
}

static int64_t mono_us(void *data)
{
    (void)data;
    return read_clock(CLOCK_MONOTONIC);
}

const struct bt_clock *bt_clock_system(void)
{
    static const struct bt_clock system_clock = {wall_us, mono_us, NULL};
    return &system_clock;
}

void bt_clock_wait(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t us)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until); /* Cannot fail. */
    int64_t ns = until.tv_nsec + us % 1000000 * 1000;
    until.tv_sec += us / 1000000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_cond_timedwait(changed, lock, &until); /* Too early or too late is no matter. */
}

void bt_clock_pause(int64_t us)
{
    struct timespec length = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    (void)nanosleep(&length, NULL); /* A signal makes it shorter. */
}
