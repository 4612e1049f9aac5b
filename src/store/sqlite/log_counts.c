/* log_counts.c — How many lines were logged in each hour, from the counters. */
#include "base/own.h"
#include "store/sqlite/filter.h"

#include <stdlib.h>

static const char sql_hours[] = "SELECT hour,trace,debug,info,warn,error FROM log_lines"
                                " WHERE flow=?1 AND hour>=?2 AND hour<=?3 ORDER BY hour";

typedef BT_VEC(struct bt_line_stat) stat_vec;

static int read_flow(const struct filter *filter, int64_t flow, stat_vec *stats, struct bt_err *err)
{
    const struct bt_exec_query *query = filter->query;
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
        bt_vec_push(stats, stat);
        BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    }
    return BT_OK;
}

static int read_counts(struct bt_db *db, const struct bt_exec_query *of, stat_vec *stats,
                       struct bt_err *err)
{
    struct filter filter;
    BT_TRY(filter_init(db, of, &filter, err));
    int rc = BT_OK;
    if (filter.has_all_flows)
        rc = read_flow(&filter, BT_ROLL_ALL_FLOWS, stats, err);
    for (size_t i = 0; rc == BT_OK && !filter.has_all_flows && i < filter.flows.count; i++)
        rc = read_flow(&filter, filter.flows.items[i], stats, err);
    filter_done(&filter);
    return rc;
}

int read_log_counts(struct bt_store *store, const struct bt_exec_query *of,
                    const struct bt_line_stat_sink *sink, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader;
    stat_vec stats = {0};
    BT_TRY(store_take(self, &reader, err));
    int rc = bt_db_exec(&reader->db, "BEGIN", err);
    if (rc == BT_OK)
        rc = read_counts(&reader->db, of, &stats, err);
    bt_db_rollback(&reader->db);
    store_give(self, reader);
    for (size_t i = 0; rc == BT_OK && i < stats.count; i++)
        rc = sink->each(sink->data, &stats.items[i]);
    bt_vec_done(&stats);
    return rc;
}
