/* log_counts.c — How many lines were logged in each hour, from the counters. */
#include "base/own.h"
#include "store/sqlite/filter.h"

#include <stdlib.h>

static const char sql_hours[] = "SELECT hour,trace,debug,info,warn,error FROM log_lines"
                                " WHERE flow=?1 AND hour>=?2 AND hour<=?3 ORDER BY hour";

struct counting {
    struct filter filter;
    int64_t unit_us;
    BT_VEC(struct bt_line_stat) stats;
};

/* Hours come in order: those of a day become one, which is less to keep. */
static void add_hour(struct counting *counting, size_t first, const struct bt_line_stat *stat)
{
    size_t count = counting->stats.count;
    int64_t unit_us = counting->unit_us;
    if (count == first ||
        counting->stats.items[count - 1].from_us / unit_us != stat->from_us / unit_us) {
        bt_vec_push(&counting->stats, *stat);
        return;
    }
    for (int level = 0; level < BT_LEVEL_COUNT; level++)
        counting->stats.items[count - 1].counts[level] += stat->counts[level];
}

static int read_flow(struct counting *counting, int64_t flow, struct bt_err *err)
{
    const struct filter *filter = &counting->filter;
    const struct bt_exec_query *query = filter->query;
    size_t first = counting->stats.count;
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(filter->db, sql_hours, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, flow);
    (void)sqlite3_bind_int64(statement, 2, query->from_us / BT_HOUR_US);
    (void)sqlite3_bind_int64(statement, 3, query->to_us ? query->to_us / BT_HOUR_US : INT64_MAX);
    BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    while (is_row) {
        struct bt_line_stat stat = {.from_us = sqlite3_column_int64(statement, 0) * BT_HOUR_US};
        for (int level = 0; level < BT_LEVEL_COUNT; level++)
            stat.counts[level] = sqlite3_column_int64(statement, 1 + level);
        add_hour(counting, first, &stat);
        BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    }
    return BT_OK;
}

static int read_counts(struct bt_db *db, const struct bt_stat_query *query,
                       struct counting *counting, struct bt_err *err)
{
    struct filter *filter = &counting->filter;
    BT_TRY(filter_init(db, query->of, filter, err));
    int rc = BT_OK;
    if (filter->has_all_flows)
        rc = read_flow(counting, BT_ROLL_ALL_FLOWS, err);
    for (size_t i = 0; rc == BT_OK && !filter->has_all_flows && i < filter->flows.count; i++)
        rc = read_flow(counting, filter->flows.items[i], err);
    filter_done(filter);
    return rc;
}

int read_log_counts(struct bt_store *store, const struct bt_stat_query *query,
                    const struct bt_line_stat_sink *sink, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct counting counting = {.unit_us = query->unit == BT_UNIT_DAY ? BT_DAY_US : BT_HOUR_US};
    struct reader *reader;
    BT_TRY(store_take(self, &reader, err));
    int rc = bt_db_exec(&reader->db, "BEGIN", err);
    if (rc == BT_OK)
        rc = read_counts(&reader->db, query, &counting, err);
    bt_db_rollback(&reader->db);
    store_give(self, reader);
    for (size_t i = 0; rc == BT_OK && i < counting.stats.count; i++)
        rc = sink->each(sink->data, &counting.stats.items[i]);
    bt_vec_done(&counting.stats);
    return rc;
}
