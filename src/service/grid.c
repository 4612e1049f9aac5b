/* grid.c — Periods of charts, by the original's choice of units. */
#include "service/grid.h"

#include "sys/clock.h"
#include "value/time.h"

enum { PERIODS_MAX = 1200, WINDOW_DAYS = 30 };
#define MINUTE_US INT64_C(60000000)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

void bt_grid_times_of(struct bt_grid_times *times)
{
    if (times->to_us <= 0)
        times->to_us = bt_clock_wall_us(bt_clock_system());
    if (times->from_us <= 0)
        times->from_us = times->to_us - WINDOW_DAYS * DAY_US;
    if (times->from_us <= 0)
        times->from_us = 1;
}

/* Whole days and hours count: the last 24 hours until some moments later are hours, no days. */
static enum bt_grid_unit unit_of(int64_t length_us)
{
    int64_t days = length_us / DAY_US, hours = length_us / HOUR_US;
    if (days > 365)
        return BT_GRID_MONTH;
    if (days > 180)
        return BT_GRID_WEEK;
    if (days > 1)
        return BT_GRID_DAY;
    return hours > 6 ? BT_GRID_HOUR : BT_GRID_MINUTE;
}

/* The begin of the period that has the instant, or of the one after it. */
static int64_t begin_of(enum bt_grid_unit unit, int64_t us, int after)
{
    static const int64_t lengths[] = {MINUTE_US, HOUR_US, DAY_US};
    if (unit <= BT_GRID_DAY)
        return (us / lengths[unit] + after) * lengths[unit];
    int64_t day = us / DAY_US;
    if (unit == BT_GRID_WEEK)
        return (day - (bt_day_of_week(day) - 1) + 7 * after) * DAY_US;
    struct bt_civil civil = bt_civil_of(day * 86400, 0);
    int64_t months = civil.year * 12 + civil.month - 1 + after;
    return bt_civil_days(months / 12, (int)(months % 12) + 1, 1) * DAY_US;
}

int bt_grid_make(const struct bt_grid_times *times, enum bt_grid_unit finest, struct bt_grid *grid,
                 struct bt_err *err)
{
    if (times->from_us > times->to_us)
        return bt_fail(err, BT_INVALID, "Illegal argument: startDate is after endDate");
    grid->unit = unit_of(times->to_us - times->from_us);
    if (grid->unit < finest)
        grid->unit = finest;
    for (int64_t at = begin_of(grid->unit, times->from_us, 0); at <= times->to_us;
         at = begin_of(grid->unit, at, 1)) {
        if (grid->starts.count >= PERIODS_MAX)
            return bt_fail(err, BT_INVALID,
                           "Illegal argument: the time range has more than %d months", PERIODS_MAX);
        bt_vec_push(&grid->starts, at);
    }
    return BT_OK;
}

void bt_grid_done(struct bt_grid *grid)
{
    bt_vec_done(&grid->starts);
}

ptrdiff_t bt_grid_find(const struct bt_grid *grid, int64_t us)
{
    size_t from = 0, to = grid->starts.count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (grid->starts.items[middle] <= us)
            from = middle + 1;
        else
            to = middle;
    }
    return (ptrdiff_t)from - 1;
}

const char *bt_grid_unit_name(const struct bt_grid *grid)
{
    static const char *const names[] = {"minute", "hour", "day", "week", "month"};
    return names[grid->unit];
}
