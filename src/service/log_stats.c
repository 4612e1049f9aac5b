/* log_stats.c — Lines by time and level: from the counters, or, when words are looked for, by
 * reading the lines. */
#include "service/log_stats.h"

#include "base/map64.h"
#include "base/vec.h"
#include "service/shape.h"

#include <stdlib.h>

/* As a search of lines: beyond that, an answer would be late or wrong. */
enum { SLICE = 100, READ_MAX = 2000 };
/* A failed branch may end an execution while others go on: no longer than that. */
#define AFTER_END_US (24 * INT64_C(3600000000))

struct charting {
    struct bt_service *service;
    const struct bt_log_stats *request;
    struct bt_grid_times times;
    struct bt_grid grid;
    struct bt_line_stat *periods;   /* One for each of the grid; owned. */
    BT_VEC(struct bt_exec *) execs; /* Of the slice; owned. */
    struct bt_map64 seen;           /* Keys of those that were read: pages shift meanwhile. */
    bool is_past;                   /* Those that follow had ended before. */
};

static bool has_level(const struct charting *charting, int level)
{
    return !charting->request->levels || charting->request->levels & 1u << level;
}

static int add_stat(void *data, const struct bt_line_stat *stat)
{
    struct charting *charting = data;
    ptrdiff_t at = bt_grid_find(&charting->grid, stat->from_us);
    for (int level = 0; at >= 0 && level < BT_LEVEL_COUNT; level++)
        if (has_level(charting, level))
            charting->periods[at].counts[level] += stat->counts[level];
    return BT_OK;
}

/* --- By reading ------------------------------------------------------------------------------- */

static int keep_exec(void *data, struct bt_exec *exec)
{
    struct charting *charting = data;
    bt_vec_push(&charting->execs, exec);
    return BT_OK;
}

static int add_line(void *data, uint64_t line, const struct bt_log_entry *entry)
{
    struct charting *charting = data;
    struct bt_line_stat stat = {.from_us = entry->time_us};
    (void)line;
    if (entry->time_us < charting->times.from_us || entry->time_us > charting->times.to_us ||
        !bt_log_has_words(entry->text, charting->request->words))
        return BT_OK;
    stat.counts[entry->level] = 1;
    return add_stat(charting, &stat);
}

static int read_exec(struct charting *charting, const struct bt_exec *exec, struct bt_err *err)
{
    struct bt_store *store = charting->service->store;
    const struct bt_histories *histories = &exec->histories;
    if (bt_map64_get(&charting->seen, exec->key))
        return BT_OK;
    if (bt_state_is_ended(exec->state) && histories->count) {
        int64_t end_us = bt_histories_at(histories, histories->count - 1)->at_us;
        charting->is_past = end_us < charting->times.from_us - AFTER_END_US;
    }
    if (charting->is_past)
        return BT_OK;
    if (charting->seen.count >= READ_MAX)
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: with q the lines are read, and those of more than %d "
                       "executions would have to be; ask for fewer flows or a shorter time",
                       READ_MAX);
    bt_map64_put(&charting->seen, exec->key, charting);
    return store->ops->logs(store, &(struct bt_log_query){exec->key, charting->request->levels, 0},
                            &(struct bt_log_sink){add_line, charting}, err);
}

static int read_slice(struct charting *charting, const struct bt_exec_query *of, struct bt_err *err)
{
    struct bt_store *store = charting->service->store;
    struct bt_total total;
    charting->execs.count = 0;
    int rc = store->ops->execs(store, of, &(struct bt_exec_sink){keep_exec, charting}, &total, err);
    for (size_t i = 0; i < charting->execs.count; i++) {
        if (rc == BT_OK)
            rc = read_exec(charting, charting->execs.items[i], err);
        bt_exec_free(charting->execs.items[i]);
    }
    return rc;
}

/* Those that live, then those that have ended, from the last one back to the begin of the chart. */
static int read_lines(struct charting *charting, struct bt_exec_query *of, struct bt_err *err)
{
    uint32_t ended = 0;
    for (int state = 0; state < BT_STATE_COUNT; state++)
        ended |= (uint32_t)bt_state_is_ended((enum bt_state)state) << state;
    of->from_us = 0; /* Who started before may have written since. */
    of->limit = SLICE;
    for (int round = 0; round < 2; round++) {
        of->states = round ? ended : ~ended & ((1u << BT_STATE_COUNT) - 1);
        of->sort = round ? BT_SORT_END : BT_SORT_START;
        of->skip = 0;
        do {
            BT_TRY(read_slice(charting, of, err));
            of->skip += charting->execs.count;
        } while (charting->execs.count == SLICE && !charting->is_past);
    }
    return BT_OK;
}

/* --- The answer ------------------------------------------------------------------------------- */

static void write_chart(const struct charting *charting, struct bt_buf *out)
{
    (void)bt_buf_addc(out, '['); /* Failures are sticky; the caller checks once. */
    for (size_t i = 0; i < charting->grid.starts.count; i++) {
        (void)bt_buf_adds(out, i ? ",{\"timestamp\":" : "{\"timestamp\":");
        bt_shape_date(charting->grid.starts.items[i], out);
        (void)bt_buf_adds(out, ",\"counts\":{");
        for (int level = 0; level < BT_LEVEL_COUNT; level++)
            (void)bt_buf_addf(out, "%s\"%s\":%lld", level ? "," : "",
                              bt_level_name((enum bt_level)level),
                              (long long)charting->periods[i].counts[level]);
        (void)bt_buf_addf(out, "},\"groupBy\":\"%s\"}", bt_grid_unit_name(&charting->grid));
    }
    (void)bt_buf_addc(out, ']');
}

static int read_chart(struct charting *charting, const struct bt_principal *principal,
                      struct bt_err *err)
{
    struct bt_store *store = charting->service->store;
    struct bt_exec_query of = charting->request->of;
    of.tenant = principal->tenant;
    of.from_us = charting->times.from_us;
    of.to_us = charting->times.to_us;
    charting->periods = calloc(charting->grid.starts.count + 1, sizeof *charting->periods);
    if (!charting->periods)
        return bt_fail_mem(err, "the statistics");
    if (charting->request->words.len)
        return read_lines(charting, &of, err);
    struct bt_stat_query query = {
        .of = &of, .unit = charting->grid.unit >= BT_GRID_DAY ? BT_UNIT_DAY : BT_UNIT_HOUR};
    return store->ops->log_counts(store, &query, &(struct bt_line_stat_sink){add_stat, charting},
                                  err);
}

int bt_service_log_stats(struct bt_service *service, const struct bt_principal *principal,
                         const struct bt_log_stats *request, struct bt_buf *out, struct bt_err *err)
{
    struct charting charting = {.service = service, .request = request, .times = request->times};
    bt_grid_times_of(&charting.times);
    int rc = bt_grid_make(&charting.times, BT_GRID_HOUR, &charting.grid, err);
    if (rc == BT_OK)
        rc = read_chart(&charting, principal, err);
    if (rc == BT_OK)
        write_chart(&charting, out);
    free(charting.periods);
    bt_vec_done(&charting.execs);
    bt_map64_done(&charting.seen);
    bt_grid_done(&charting.grid);
    return rc == BT_OK ? bt_buf_check(out, "the statistics", err) : rc;
}
