/* log_stats.h — How many lines were logged when, by level. */
#pragma once
#include "service/grid.h"
#include "service/service.h"

struct bt_log_stats {
    struct bt_exec_query of; /* Of which flows; the tenant is the principal's. */
    uint32_t levels;         /* Bit per enum bt_level; 0: all. */
    struct bt_str words;     /* All must be in the message. */
    struct bt_grid_times times;
};
/* Appends [{timestamp, counts: {level: n}, groupBy}]: a period for each of the grid, by hours and
 * more. From the counters: hours that the times cut are counted whole. With words the lines are
 * read instead, and counted from time to time; BT_INVALID when those of more executions than a
 * search looks at would have to be. */
int bt_service_log_stats(struct bt_service *service, const struct bt_principal *principal,
                         const struct bt_log_stats *request, struct bt_buf *out,
                         struct bt_err *err);
