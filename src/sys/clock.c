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
