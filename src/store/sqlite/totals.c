/* totals.c — Exact totals from the counters: whole days and hours are read, the edges of a time
 * range counted by keys. What has no counters (labels, parents) is counted up to a cap. */
#include "store/sqlite/filter.h"

#include "base/own.h"

enum { COUNTED_MAX = 10000, LOOKED_AT_MAX = 4000, EDGE_MAX = 300000, SEEKS_MAX = 4000 };

static const char sql_bounds[] = "SELECT (SELECT min(period) FROM rollups WHERE kind=?1),"
                                 "(SELECT max(period) FROM rollups WHERE kind=?1)";
static const char sql_one[] = "SELECT period,flow,state,count,sum_us,min_us,max_us FROM rollups"
                              " WHERE kind=?1 AND period=?2 AND flow=?3";
static const char sql_many[] = "SELECT period,flow,state,count,sum_us,min_us,max_us FROM rollups"
                               " WHERE kind=?1 AND period>=?2 AND period<?3 AND flow>0";
static const char sql_edge[] = "SELECT flow FROM executions INDEXED BY executions_state"
                               " WHERE state=?1 AND key>=?2 AND key<=?3 LIMIT ?4";

/* --- Counters --------------------------------------------------------------------------------- */

static int each_roll(const struct filter *filter, sqlite3_stmt *statement, roll_each *each,
                     void *data, struct bt_err *err)
{
    bool is_row;
    int rc = bt_db_step(filter->db, statement, &is_row, err);
    while (rc == BT_OK && is_row) {
        bool has_duration = sqlite3_column_type(statement, 5) != SQLITE_NULL;
        struct roll_seen seen = {.period = sqlite3_column_int64(statement, 0),
                                 .flow = sqlite3_column_int64(statement, 1),
                                 .sum = {.count = sqlite3_column_int64(statement, 3),
                                         .sum_us = sqlite3_column_int64(statement, 4),
                                         .min_us = sqlite3_column_int64(statement, 5),
                                         .max_us = sqlite3_column_int64(statement, 6),
                                         .has_duration = has_duration}};
        if (bt_state_parse(bt_db_text(statement, 2), &seen.state) &&
            (filter->states & 1u << seen.state) &&
            (seen.flow == BT_ROLL_ALL_FLOWS || filter_has_flow(filter, seen.flow)))
            rc = each(data, &seen);
        if (rc == BT_OK)
            rc = bt_db_step(filter->db, statement, &is_row, err);
    }
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

static int open_rolls(struct bt_db *db, const char *sql, const int64_t numbers[3],
                      sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(db, sql, ret_statement, err));
    for (int i = 0; i < 3 && i < sqlite3_bind_parameter_count(*ret_statement); i++)
        (void)sqlite3_bind_int64(*ret_statement, i + 1, numbers[i]);
    return BT_OK;
}

static int seek_rolls(const struct filter *filter, const struct roll_range *range, roll_each *each,
                      void *data, struct bt_err *err)
{
    static const int64_t all[] = {BT_ROLL_ALL_FLOWS};
    const int64_t *flows = filter->has_all_flows ? all : filter->flows.items;
    size_t count = filter->has_all_flows ? 1 : filter->flows.count;
    for (int64_t period = range->from; period < range->to; period++) {
        for (size_t i = 0; i < count; i++) {
            sqlite3_stmt *statement;
            BT_TRY(open_rolls(filter->db, sql_one, (int64_t[3]){range->kind, period, flows[i]},
                              &statement, err));
            BT_TRY(each_roll(filter, statement, each, data, err));
        }
    }
    return BT_OK;
}

int rolls_read(const struct filter *filter, const struct roll_range *range, roll_each *each,
               void *data, struct bt_err *err)
{
    struct roll_range seen = *range;
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(open_rolls(filter->db, sql_bounds, (int64_t[3]){range->kind}, &statement, err));
    BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    bool is_empty = !is_row || sqlite3_column_type(statement, 0) == SQLITE_NULL;
    int64_t first = sqlite3_column_int64(statement, 0), last = sqlite3_column_int64(statement, 1);
    (void)sqlite3_reset(statement); /* Done with. */
    seen.from = seen.from < first ? first : seen.from;
    seen.to = seen.to > last ? last + 1 : seen.to;
    if (is_empty || seen.from >= seen.to)
        return BT_OK;
    bool is_summed = filter->has_all_flows && !range->by_flow;
    int64_t flows = is_summed ? 1 : (int64_t)filter->flows.count;
    if (is_summed || (!filter->has_all_flows && (seen.to - seen.from) * flows <= SEEKS_MAX))
        return seek_rolls(filter, &seen, each, data, err);
    BT_TRY(open_rolls(filter->db, sql_many, (int64_t[3]){seen.kind, seen.from, seen.to}, &statement,
                      err));
    return each_roll(filter, statement, each, data, err);
}

/* --- Totals ----------------------------------------------------------------------------------- */

static int add_count(void *data, const struct roll_seen *seen)
{
    *(int64_t *)data += seen->sum.count;
    return BT_OK;
}

static int count_keys(const struct filter *filter, int64_t from_key, int64_t to_key,
                      struct bt_total *total, struct bt_err *err)
{
    int64_t left = EDGE_MAX;
    for (int state = 0; state < BT_STATE_COUNT && from_key <= to_key; state++) {
        sqlite3_stmt *statement;
        bool is_row;
        if (!(filter->states & 1u << state))
            continue;
        BT_TRY(bt_db_prepare(filter->db, sql_edge, &statement, err));
        bt_db_bind(statement, 1, bt_str_of(bt_state_name((enum bt_state)state)));
        (void)sqlite3_bind_int64(statement, 2, from_key);
        (void)sqlite3_bind_int64(statement, 3, to_key);
        (void)sqlite3_bind_int64(statement, 4, left);
        BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
        for (; is_row; left--) {
            total->count += filter_has_flow(filter, sqlite3_column_int64(statement, 0));
            BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
        }
        if (left <= 0) {
            total->is_capped = true;
            return BT_OK;
        }
    }
    return BT_OK;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

static int sum_rolls(const struct filter *filter, const struct roll_range *range,
                     struct bt_total *total, struct bt_err *err)
{
    return rolls_read(filter, range, add_count, &total->count, err);
}

static int count_range(const struct filter *filter, struct bt_total *total, struct bt_err *err)
{
    enum { HOURS = 24 };
    const struct bt_exec_query *query = filter->query;
    int64_t end = INT64_MAX / BT_DAY_US * BT_DAY_US; /* Whole days, far away. */
    int64_t to_us = query->to_us ? query->to_us + 1 : end;
    int64_t hour_from = ceil_div(query->from_us, BT_HOUR_US), hour_to = to_us / BT_HOUR_US;
    if (hour_from >= hour_to)
        return count_keys(filter, filter->from_key, filter->to_key, total, err);
    int64_t key_from, key_to;
    BT_TRY(filter_key_at(filter->db, hour_from * BT_HOUR_US, &key_from, err));
    BT_TRY(filter_key_at(filter->db, hour_to * BT_HOUR_US, &key_to, err));
    if (query->from_us)
        BT_TRY(count_keys(filter, filter->from_key, key_from - 1, total, err));
    if (query->to_us)
        BT_TRY(count_keys(filter, key_to, filter->to_key, total, err));
    int64_t day_from = ceil_div(hour_from, HOURS), day_to = hour_to / HOURS;
    bool has_days = day_from < day_to;
    const struct roll_range ranges[] = {
        {BT_ROLL_HOUR, hour_from, has_days ? day_from * HOURS : hour_to, false},
        {BT_ROLL_DAY, day_from, day_to, false},
        {BT_ROLL_HOUR, has_days ? day_to * HOURS : hour_to, hour_to, false},
    };
    for (size_t i = 0; i < BT_COUNT(ranges); i++)
        if (ranges[i].from < ranges[i].to)
            BT_TRY(sum_rolls(filter, &ranges[i], total, err));
    return BT_OK;
}

/* Counts one by one: COUNTED_MAX of those that match, or after so many looks. */
static int count_some(const struct filter *filter, struct bt_total *total, struct bt_err *err)
{
    struct cursors *cursors;
    int64_t key = 1;
    BT_TRY(cursors_open(filter, false, COUNTED_MAX, &cursors, err));
    cursors_limit(cursors, LOOKED_AT_MAX);
    int rc = cursors_next(cursors, &key, err);
    while (rc == BT_OK && key && total->count < COUNTED_MAX) {
        total->count++;
        rc = cursors_next(cursors, &key, err);
    }
    total->is_capped = key || cursors_are_cut(cursors);
    cursors_close(cursors);
    return rc;
}

int total_of(const struct filter *filter, struct bt_total *ret_total, struct bt_err *err)
{
    *ret_total = (struct bt_total){.is_capped = filter->is_ids_capped};
    if (filter->has_probes)
        return count_some(filter, ret_total, err);
    for (size_t i = 0; i < filter->ids.count; i++)
        ret_total->count +=
            filter->ids.items[i] >= filter->from_key && filter->ids.items[i] <= filter->to_key;
    if (filter->is_whole) {
        ret_total->count += filter->ever;
        return BT_OK;
    }
    return count_range(filter, ret_total, err);
}

/* --- Passing over whole periods --------------------------------------------------------------- */

struct period {
    int64_t at, count;
};
typedef BT_VEC(struct period) periods;

static int add_period(void *data, const struct roll_seen *seen)
{
    periods *all = data;
    if (all->count == 0 || all->items[all->count - 1].at != seen->period)
        bt_vec_push(all, ((struct period){seen->period, 0}));
    all->items[all->count - 1].count += seen->sum.count;
    return BT_OK;
}

struct passing {
    struct roll_range range;
    bool is_ascending;
    uint64_t *skip;
};

/* The period in which the row after *skip rows is; what is before it is taken off *skip. */
static int find_period(const struct filter *filter, struct passing *passing, int64_t *ret_period,
                       struct bt_err *err)
{
    periods all = {0};
    uint64_t *skip = passing->skip;
    int rc = rolls_read(filter, &passing->range, add_period, &all, err);
    *ret_period = -1;
    for (size_t i = 0; rc == BT_OK && i < all.count; i++) {
        const struct period *period = &all.items[passing->is_ascending ? i : all.count - 1 - i];
        *ret_period = period->at;
        if (*skip < (uint64_t)period->count)
            break;
        *skip -= (uint64_t)period->count;
        *ret_period = -1;
    }
    bt_vec_done(&all);
    return rc;
}

int filter_skip(struct filter *filter, bool is_ascending, uint64_t *skip, struct bt_err *err)
{
    enum { HOURS = 24, FEW = 200 };
    int64_t day, hour, key;
    if (*skip < FEW || filter->has_probes || filter->ids.count || !filter->is_whole)
        return BT_OK;
    struct passing passing = {{BT_ROLL_DAY, 0, INT64_MAX, false}, is_ascending, skip};
    BT_TRY(find_period(filter, &passing, &day, err));
    if (day < 0) { /* There are not so many. */
        filter->to_key = 0;
        return BT_OK;
    }
    passing.range = (struct roll_range){BT_ROLL_HOUR, day * HOURS, (day + 1) * HOURS, false};
    BT_TRY(find_period(filter, &passing, &hour, err));
    if (hour < 0)
        return bt_fail(err, BT_CORRUPT, "the counters of executions do not add up");
    BT_TRY(filter_key_at(filter->db, (is_ascending ? hour : hour + 1) * BT_HOUR_US, &key, err));
    *(is_ascending ? &filter->from_key : &filter->to_key) = is_ascending ? key : key - 1;
    return BT_OK;
}
