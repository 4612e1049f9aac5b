/* metrics.c — Counters of metrics to lists and charts. */
#include "service/metrics.h"

#include "base/own.h"
#include "service/shape.h"
#include "value/json.h"

#include <stdlib.h>

/* --- Names ------------------------------------------------------------------------------------ */

struct listing {
    bool is_tasks;
    BT_VEC(char *) texts; /* Owned. */
};

static int add_name(void *data, const char *task_id, const char *name)
{
    struct listing *listing = data;
    char *text = bt_str_dup(bt_str_of(listing->is_tasks ? task_id : name));
    if (!text)
        bt_die("out of memory");
    bt_vec_push(&listing->texts, text);
    return BT_OK;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void write_texts(struct listing *listing, struct bt_buf *out)
{
    const char *last = NULL;
    if (listing->texts.count)
        qsort(listing->texts.items, listing->texts.count, sizeof *listing->texts.items,
              compare_texts);
    (void)bt_buf_addc(out, '['); /* Failures are sticky; the caller checks once. */
    for (size_t i = 0; i < listing->texts.count; i++) {
        const char *text = listing->texts.items[i];
        if (last && strcmp(last, text) == 0)
            continue;
        (void)bt_buf_adds(out, last ? "," : "");
        (void)bt_json_write_str(bt_str_of(text), out);
        last = text;
    }
    (void)bt_buf_addc(out, ']');
}

int bt_service_metric_list(struct bt_service *service, const struct bt_principal *principal,
                           const struct bt_metric_list *list, struct bt_buf *out,
                           struct bt_err *err)
{
    struct listing listing = {.is_tasks = list->is_tasks};
    struct bt_metric_of of = list->of;
    of.tenant = principal->tenant;
    int rc = service->store->ops->metric_names(
        service->store, &of, &(struct bt_metric_name_sink){add_name, &listing}, err);
    if (rc == BT_OK)
        write_texts(&listing, out);
    for (size_t i = 0; i < listing.texts.count; i++)
        free(listing.texts.items[i]);
    bt_vec_done(&listing.texts);
    return rc == BT_OK ? bt_buf_check(out, "the list", err) : rc;
}

/* --- Charts ----------------------------------------------------------------------------------- */

struct charting {
    const struct bt_metric_chart *chart;
    struct bt_grid grid;
    struct bt_metric_sum *periods; /* One for each of the grid; owned. */
};

static int add_sum(void *data, const struct bt_metric_sum *sum)
{
    struct charting *charting = data;
    ptrdiff_t at = bt_grid_find(&charting->grid, sum->from_us);
    if (at < 0 || sum->count <= 0)
        return BT_OK;
    struct bt_metric_sum *period = &charting->periods[at];
    if (!period->count || sum->least < period->least)
        period->least = sum->least;
    if (!period->count || sum->greatest > period->greatest)
        period->greatest = sum->greatest;
    period->count += sum->count;
    period->sum += sum->sum;
    return BT_OK;
}

static double value_of(const struct bt_metric_sum *period, enum bt_metric_aggregation aggregation)
{
    if (!period->count)
        return 0;
    switch (aggregation) {
    case BT_METRIC_SUM: return period->sum;
    case BT_METRIC_AVG: return period->sum / (double)period->count;
    case BT_METRIC_MIN: return period->least;
    case BT_METRIC_MAX: return period->greatest;
    }
    return 0;
}

static int write_chart(const struct charting *charting, struct bt_buf *out, struct bt_err *err)
{
    const struct bt_metric_chart *chart = charting->chart;
    (void)bt_buf_addf(out, "{\"groupBy\":\"%s\",\"aggregations\":[",
                      bt_grid_unit_name(&charting->grid)); /* Checked below. */
    for (size_t i = 0; i < charting->grid.starts.count; i++) {
        BT_VALUE value = bt_value_double(value_of(&charting->periods[i], chart->aggregation));
        if (!value)
            return bt_fail_mem(err, "the chart");
        (void)bt_buf_adds(out, i ? ",{\"name\":" : "{\"name\":");
        (void)bt_json_write_str(chart->of.name, out);
        (void)bt_buf_adds(out, ",\"value\":");
        BT_TRY(bt_json_write(value, BT_JSON_COMPACT, out, err));
        (void)bt_buf_adds(out, ",\"date\":");
        bt_shape_date(charting->grid.starts.items[i], out);
        (void)bt_buf_addc(out, '}');
    }
    (void)bt_buf_adds(out, "]}");
    return bt_buf_check(out, "the chart", err);
}

int bt_service_metric_chart(struct bt_service *service, const struct bt_principal *principal,
                            const struct bt_metric_chart *chart, struct bt_buf *out,
                            struct bt_err *err)
{
    struct charting charting = {.chart = chart};
    struct bt_grid_times times = chart->times;
    struct bt_metric_of of = chart->of;
    bt_grid_times_of(&times);
    of.tenant = principal->tenant;
    of.from_us = times.from_us;
    of.to_us = times.to_us;
    int rc = bt_grid_make(&times, BT_GRID_HOUR, &charting.grid, err);
    if (rc == BT_OK)
        charting.periods = calloc(charting.grid.starts.count + 1, sizeof *charting.periods);
    if (rc == BT_OK && !charting.periods)
        rc = bt_fail_mem(err, "the chart");
    if (rc == BT_OK)
        rc = service->store->ops->metric_sums(service->store, &of,
                                              &(struct bt_metric_sink){add_sum, &charting}, err);
    if (rc == BT_OK)
        rc = write_chart(&charting, out, err);
    free(charting.periods);
    bt_grid_done(&charting.grid);
    return rc;
}
