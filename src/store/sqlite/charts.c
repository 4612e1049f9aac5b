/* charts.c — What charts show, from the counters; minutes by reading the executions themselves. */
#include "store/sqlite/filter.h"

#include <stdlib.h>

static const char sql_rows[] = "SELECT start_us,flow,state,duration_us FROM executions"
                               " WHERE key>=?1 AND key<=?2 ORDER BY key";
#define MINUTE_US INT64_C(60000000)

struct chart {
    const struct bt_stat_query *query;
    named_flows flows; /* By key; only where the chart is by flow. */
    int64_t unit_us;
    BT_VEC(struct bt_stat) stats; /* Names are the flows'. */
};

static int compare_flows(const void *a, const void *b)
{
    int64_t one = ((const struct named_flow *)a)->key, two = ((const struct named_flow *)b)->key;
    return (one > two) - (one < two);
}

static void add_stat(struct chart *chart, const struct roll_seen *seen)
{
    struct bt_stat stat = {.from_us = seen->period * chart->unit_us,
                           .state = seen->state,
                           .count = seen->sum.count,
                           .sum_us = seen->sum.sum_us,
                           .min_us = seen->sum.min_us,
                           .max_us = seen->sum.max_us};
    if (chart->query->by_flow) {
        const struct named_flow want = {.key = seen->flow};
        const struct named_flow *flow =
            chart->flows.count
                ? bsearch(&want, chart->flows.items, chart->flows.count, sizeof want, compare_flows)
                : NULL;
        if (!flow)
            return; /* Of another tenant. */
        stat.namespace = flow->namespace;
        stat.flow_id = flow->id;
    }
    bt_vec_push(&chart->stats, stat);
}

static int each_seen(void *data, const struct roll_seen *seen)
{
    add_stat(data, seen);
    return BT_OK;
}

static int read_minutes(const struct filter *filter, struct chart *chart, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(filter->db, sql_rows, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, filter->from_key);
    (void)sqlite3_bind_int64(statement, 2, filter->to_key);
    BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    while (is_row) {
        int64_t duration_us = sqlite3_column_int64(statement, 3);
        struct roll_seen seen = {.period = sqlite3_column_int64(statement, 0) / MINUTE_US,
                                 .flow = sqlite3_column_int64(statement, 1),
                                 .sum = {1, duration_us, duration_us, duration_us, true}};
        if (filter_has_flow(filter, seen.flow) &&
            bt_state_parse(bt_db_text(statement, 2), &seen.state) &&
            (filter->states & 1u << seen.state))
            add_stat(chart, &seen);
        BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    }
    return BT_OK;
}

static int read_chart(struct bt_db *db, struct chart *chart, struct bt_err *err)
{
    static const int64_t units[] = {
        [BT_UNIT_MINUTE] = MINUTE_US, [BT_UNIT_HOUR] = BT_HOUR_US, [BT_UNIT_DAY] = BT_DAY_US};
    const struct bt_stat_query *query = chart->query;
    struct filter filter;
    chart->unit_us = units[query->unit];
    BT_TRY(filter_init(db, query->of, &filter, err));
    struct roll_range range = {
        .kind = query->is_runs                ? BT_ROLL_RUN_DAY
                : query->unit == BT_UNIT_HOUR ? BT_ROLL_HOUR
                                              : BT_ROLL_DAY,
        .from = query->of->from_us / chart->unit_us,
        .to = query->of->to_us ? query->of->to_us / chart->unit_us + 1 : INT64_MAX,
        .by_flow = query->by_flow,
    };
    int rc = query->by_flow ? filter_flows(db, query->of, &chart->flows, err) : BT_OK;
    if (rc == BT_OK && chart->flows.count)
        qsort(chart->flows.items, chart->flows.count, sizeof *chart->flows.items, compare_flows);
    if (rc == BT_OK)
        rc = query->unit == BT_UNIT_MINUTE ? read_minutes(&filter, chart, err)
                                           : rolls_read(&filter, &range, each_seen, chart, err);
    filter_done(&filter);
    return rc;
}

int read_stats(struct bt_store *store, const struct bt_stat_query *query,
               const struct bt_stat_sink *sink, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct chart chart = {.query = query};
    struct reader *reader;
    BT_TRY(store_take(self, &reader, err));
    int rc = bt_db_exec(&reader->db, "BEGIN", err);
    if (rc == BT_OK)
        rc = read_chart(&reader->db, &chart, err);
    bt_db_rollback(&reader->db);
    store_give(self, reader);
    for (size_t i = 0; rc == BT_OK && i < chart.stats.count; i++)
        rc = sink->each(sink->data, &chart.stats.items[i]);
    bt_vec_done(&chart.stats);
    named_flows_done(&chart.flows);
    return rc;
}
