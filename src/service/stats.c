/* stats.c — Counters to charts: periods of a fixed grid, empty ones too. */
#include "service/stats.h"

#include "base/map64.h"
#include "service/grid.h"
#include "service/shape.h"
#include "value/json.h"

#include <stdlib.h>

/* One period of one chart. */
struct period {
    int64_t counts[BT_STATE_COUNT], all, ended, sum_us, min_us, max_us;
};

struct group {
    struct group *next; /* With the same hash. */
    char *namespace, *flow_id;
    struct period *periods;
};

struct chart {
    const struct bt_stats_request *request;
    struct bt_grid grid;
    BT_VEC(struct group *) groups; /* Owned. */
    struct bt_map64 by_name;
};

/* --- Gathering -------------------------------------------------------------------------------- */

static struct group *group_of(struct chart *chart, const char *namespace, const char *flow_id)
{
    uint64_t hash = bt_str_hash(bt_str_of(flow_id), bt_str_hash(bt_str_of(namespace), 1));
    struct group *first = bt_map64_get(&chart->by_name, hash);
    for (struct group *group = first; group; group = group->next)
        if (strcmp(group->namespace, namespace) == 0 && strcmp(group->flow_id, flow_id) == 0)
            return group;
    struct group *group = calloc(1, sizeof *group);
    if (!group)
        bt_die("out of memory");
    group->next = first;
    group->namespace = bt_str_dup(bt_str_of(namespace));
    group->flow_id = bt_str_dup(bt_str_of(flow_id));
    group->periods = calloc(chart->grid.starts.count + 1, sizeof *group->periods);
    if (!group->namespace || !group->flow_id || !group->periods)
        bt_die("out of memory");
    bt_map64_put(&chart->by_name, hash, group);
    bt_vec_push(&chart->groups, group);
    return group;
}

static int add_stat(void *data, const struct bt_stat *stat)
{
    struct chart *chart = data;
    enum bt_stats_by by = chart->request->by;
    ptrdiff_t at = by == BT_STATS_COUNTS ? 0 : bt_grid_find(&chart->grid, stat->from_us);
    if (at < 0)
        return BT_OK;
    bool has_flow = by == BT_STATS_BY_FLOW;
    struct group *group =
        group_of(chart, by == BT_STATS_ALL ? "" : stat->namespace, has_flow ? stat->flow_id : "*");
    struct period *period = &group->periods[at];
    period->counts[stat->state] += stat->count;
    period->all += stat->count;
    if (!bt_state_is_ended(stat->state) || stat->count == 0)
        return BT_OK;
    if (period->ended == 0 || stat->min_us < period->min_us)
        period->min_us = stat->min_us;
    if (stat->max_us > period->max_us)
        period->max_us = stat->max_us;
    period->ended += stat->count;
    period->sum_us += stat->sum_us;
    return BT_OK;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static void write_duration(const char *name, int64_t us, struct bt_buf *out)
{
    (void)bt_buf_addf(out, "\"%s\":", name); /* Failures are sticky; the caller checks once. */
    bt_shape_duration(us, out);
    (void)bt_buf_addc(out, ',');
}

static void write_counts(const struct period *period, struct bt_buf *out)
{
    const char *comma = "";
    for (int state = 0; state < BT_STATE_COUNT; state++) {
        if (state == BT_RETRYING || state == BT_RETRIED || state == BT_SKIPPED)
            continue; /* The original has no counts of them. */
        (void)bt_buf_addf(out, "%s\"%s\":%lld", comma, bt_state_name((enum bt_state)state),
                          (long long)period->counts[state]);
        comma = ",";
    }
}

static void write_period(const struct chart *chart, const struct period *period, int64_t from_us,
                         struct bt_buf *out)
{
    (void)bt_buf_adds(out, "{\"startDate\":");
    bt_shape_date(from_us, out);
    (void)bt_buf_adds(out, ",\"duration\":{");
    if (period->ended) {
        write_duration("min", period->min_us, out);
        write_duration("avg", period->sum_us / period->ended, out);
        write_duration("max", period->max_us, out);
        write_duration("sum", period->sum_us, out);
    }
    (void)bt_buf_addf(out, "\"count\":%lld},\"executionCounts\":{", (long long)period->all);
    write_counts(period, out);
    (void)bt_buf_addf(out, "},\"groupBy\":\"%s\"}", bt_grid_unit_name(&chart->grid));
}

static void write_periods(const struct chart *chart, const struct period *periods,
                          struct bt_buf *out)
{
    static const struct period none;
    for (size_t i = 0; i < chart->grid.starts.count; i++) {
        (void)bt_buf_addc(out, i ? ',' : '[');
        write_period(chart, periods ? &periods[i] : &none, chart->grid.starts.items[i], out);
    }
    (void)bt_buf_adds(out, chart->grid.starts.count ? "]" : "[]");
}

static void write_totals(const struct period *period, struct bt_buf *out)
{
    (void)bt_buf_adds(out, "{\"counts\":{");
    write_counts(period, out);
    (void)bt_buf_addf(out, "},\"total\":%lld}", (long long)period->all);
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *one = *(struct group *const *)a, *two = *(struct group *const *)b;
    int order = strcmp(one->namespace, two->namespace);
    return order ? order : strcmp(one->flow_id, two->flow_id);
}

static void write_groups(struct chart *chart, struct bt_buf *out)
{
    bool has_flows = chart->request->by != BT_STATS_COUNTS;
    const char *last = NULL;
    if (chart->groups.count)
        qsort(chart->groups.items, chart->groups.count, sizeof *chart->groups.items,
              compare_groups);
    (void)bt_buf_addc(out, '{');
    for (size_t i = 0; i < chart->groups.count; i++) {
        const struct group *group = chart->groups.items[i];
        bool is_new = !last || strcmp(last, group->namespace) != 0;
        if (is_new && last)
            (void)bt_buf_adds(out, has_flows ? "}," : ",");
        if (is_new) {
            (void)bt_json_write_str(bt_str_of(group->namespace), out);
            (void)bt_buf_adds(out, has_flows ? ":{" : ":");
        } else {
            (void)bt_buf_addc(out, ',');
        }
        last = group->namespace;
        if (!has_flows) {
            write_totals(&group->periods[0], out);
            continue;
        }
        (void)bt_json_write_str(bt_str_of(group->flow_id), out);
        (void)bt_buf_addc(out, ':');
        write_periods(chart, group->periods, out);
    }
    (void)bt_buf_adds(out, has_flows && last ? "}}" : "}");
}

static void chart_done(struct chart *chart)
{
    for (size_t i = 0; i < chart->groups.count; i++) {
        free(chart->groups.items[i]->namespace);
        free(chart->groups.items[i]->flow_id);
        free(chart->groups.items[i]->periods);
        free(chart->groups.items[i]);
    }
    bt_vec_done(&chart->groups);
    bt_grid_done(&chart->grid);
    bt_map64_done(&chart->by_name);
}

static int read_chart(struct bt_service *service, struct chart *chart, struct bt_exec_query *of,
                      struct bt_err *err)
{
    struct bt_stat_query query = {
        .of = of,
        .unit = chart->grid.unit == BT_GRID_MINUTE ? BT_UNIT_MINUTE
                : chart->grid.unit == BT_GRID_HOUR ? BT_UNIT_HOUR
                                                   : BT_UNIT_DAY,
        .by_flow = chart->request->by != BT_STATS_ALL,
        .is_runs = chart->request->is_runs,
    };
    return service->store->ops->stats(service->store, &query,
                                      &(struct bt_stat_sink){add_stat, chart}, err);
}

int bt_service_stats(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_stats_request *request, struct bt_buf *out, struct bt_err *err)
{
    struct chart chart = {.request = request};
    struct bt_exec_query of = request->of;
    of.tenant = principal->tenant;
    struct bt_grid_times times = request->times;
    bt_grid_times_of(&times);
    of.from_us = times.from_us;
    of.to_us = times.to_us;
    int rc =
        bt_grid_make(&times, request->is_runs ? BT_GRID_DAY : BT_GRID_MINUTE, &chart.grid, err);
    if (rc == BT_OK)
        rc = read_chart(service, &chart, &of, err);
    if (rc == BT_OK && request->by == BT_STATS_ALL)
        write_periods(&chart, chart.groups.count ? chart.groups.items[0]->periods : NULL, out);
    else if (rc == BT_OK)
        write_groups(&chart, out);
    chart_done(&chart);
    return rc == BT_OK ? bt_buf_check(out, "the statistics", err) : rc;
}
