/* grid.h — The periods of a chart: what is their unit, and when does each begin (UTC). */
#pragma once
#include "base/err.h"
#include "base/vec.h"

enum bt_grid_unit {
    BT_GRID_MINUTE,
    BT_GRID_HOUR,
    BT_GRID_DAY,
    BT_GRID_WEEK, /* From Monday. */
    BT_GRID_MONTH,
};

struct bt_grid {
    enum bt_grid_unit unit;
    BT_VEC(int64_t) starts; /* Ascending; the last period is open. */
};

/* What a chart is about; 0: the default. */
struct bt_grid_times {
    int64_t from_us, to_us;
};
/* Fills in what was not said: until now, and 30 days. */
void bt_grid_times_of(struct bt_grid_times *times);

/* The unit follows from how long it is: minutes to 6 hours, hours to a day, days to 180, weeks to
 * 365, then months; never a finer one than `finest`. BT_INVALID: the times are in the wrong order,
 * or too far apart. The caller calls bt_grid_done() also then. */
int bt_grid_make(const struct bt_grid_times *times, enum bt_grid_unit finest, struct bt_grid *grid,
                 struct bt_err *err);
void bt_grid_done(struct bt_grid *grid);

/* The period of an instant, -1: it is before the first. */
ptrdiff_t bt_grid_find(const struct bt_grid *grid, int64_t us);
const char *bt_grid_unit_name(const struct bt_grid *grid); /* "hour" */
