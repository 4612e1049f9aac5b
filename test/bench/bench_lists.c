/* bench_lists.c — `make bench-lists`: a million executions with log lines and metrics, written
 * through the journal, and the queries of docs/queries.md over them. Prints p50 and p99 of each; of
 * charts of log lines and metrics also how much longer they take than bare SQLite. */
#include "base/own.h"
#include "base/rng.h"
#include "base/vec.h"
#include "journal/sqlite/sqlite.h"
#include "service/log_stats.h"
#include "service/metrics.h"
#include "store/store.h"
#include "sys/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS = 200, NAMESPACES = 40, BATCH = 1000, DAYS = 90, ROUNDS = 200, LOGGED = 1 };
#define HOUR_US INT64_C(3600000000)
#define DAY_US INT64_C(86400000000)
#define BEGIN_US (INT64_C(19000) * DAY_US)

static struct bt_rng rng = {7};
static struct bt_store *store;
static size_t execs;

static int below(int limit)
{
    return (int)bt_rng_below(&rng, (uint64_t)limit);
}

static void name_flow(int flow, struct bt_exec *exec)
{
    static const char *const areas[] = {"sales", "billing", "stock", "people", "web"};
    static const char *const jobs[] = {"load", "clean", "report", "sync", "archive"};
    int space = flow % NAMESPACES;
    (void)snprintf(exec->namespace, sizeof exec->namespace, "company.%s.team%d", areas[space % 5],
                   space / 5);
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "%s-%d", jobs[flow % 5], flow);
}

static struct bt_exec *make_exec(size_t number)
{
    struct bt_exec *exec = bt_exec_new();
    int64_t start_us =
        BEGIN_US + (int64_t)((double)number * (double)(DAYS * DAY_US) / (double)execs);
    int luck = below(100), flow = below(3) ? below(20) : below(FLOWS);
    char text[32];
    exec->key = number + 1;
    exec->id = bt_id_make(start_us / 1000, bt_rng_next(&rng), bt_rng_next(&rng));
    (void)snprintf(exec->tenant, sizeof exec->tenant, "main");
    name_flow(flow, exec);
    exec->revision = 1;
    exec->next_n = 2;
    exec->is_drained = true;
    exec->state = luck < 5 ? BT_FAILED : luck < 7 ? BT_WARNING : BT_SUCCESS;
    exec->labels = bt_map_new(3);
    (void)bt_map_puts(exec->labels, "env", bt_value_cstr(below(3) ? "prod" : "test"));
    (void)snprintf(text, sizeof text, "team%d", below(50));
    (void)bt_map_puts(exec->labels, "team", bt_value_cstr(text));
    (void)snprintf(text, sizeof text, "order-%d", below(100000));
    (void)bt_map_puts(exec->labels, "order", bt_value_cstr(text));
    (void)bt_histories_add(&exec->histories, start_us, BT_CREATED);
    (void)bt_histories_add(&exec->histories, start_us + 5000, BT_RUNNING);
    (void)bt_histories_add(&exec->histories,
                           start_us + 10000 + below(1000) * (int64_t)below(100000), exec->state);
    return exec;
}

static struct bt_value *make_metrics(void)
{
    static const char *const names[] = {"rows", "seconds"};
    struct bt_value *metrics = bt_list_new(BT_COUNT(names));
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        struct bt_value *item = bt_map_new(3);
        (void)bt_map_puts(item, "name", bt_value_cstr(names[i]));
        (void)bt_map_puts(item, "type", bt_value_cstr("counter"));
        (void)bt_map_puts(item, "value", bt_value_double(below(100000) / 8.0));
        (void)bt_list_push(metrics, item);
    }
    return metrics;
}

/* The index row of five lines or so: their text is in no segment, and nothing here asks for it. */
static struct bt_log_chunk make_chunk(const struct bt_exec *exec)
{
    int64_t start_us = bt_histories_at(&exec->histories, 0)->at_us;
    struct bt_log_chunk chunk = {
        .exec = exec->key, .from_us = start_us, .to_us = start_us, .length = 1, .hour_count = 1};
    struct bt_log_hour *hour = &chunk.hours[0];
    hour->hour = start_us / HOUR_US;
    hour->counts[BT_LEVEL_DEBUG] = (uint32_t)below(3);
    hour->counts[BT_LEVEL_INFO] = 3;
    hour->counts[BT_LEVEL_ERROR] = exec->state == BT_FAILED;
    for (int level = 0; level < BT_LEVEL_COUNT; level++) {
        chunk.lines += hour->counts[level];
        chunk.levels |= (uint32_t)(hour->counts[level] > 0) << level;
    }
    return chunk;
}

static struct bt_taskrun *make_run(const struct bt_exec *exec)
{
    struct bt_taskrun *run = bt_taskrun_new();
    run->n = 1;
    run->id = exec->id;
    run->state = exec->state;
    run->metrics = make_metrics();
    for (uint32_t i = 0; i < exec->histories.count; i++)
        (void)bt_histories_add(&run->histories, bt_histories_at(&exec->histories, i)->at_us,
                               bt_histories_at(&exec->histories, i)->state);
    return run;
}

static void fill_batch(struct bt_journal *journal, size_t from, size_t count)
{
    const struct bt_exec *made[BATCH];
    struct bt_run_row rows[BATCH];
    struct bt_log_chunk chunks[BATCH];
    size_t chunk_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct bt_exec *exec = make_exec(from + i);
        made[i] = exec;
        rows[i] = (struct bt_run_row){exec->key, make_run(exec), "task"};
        if (exec->key != LOGGED)
            chunks[chunk_count++] = make_chunk(exec);
    }
    struct bt_batch batch = {.now_us = bt_histories_at(&made[count - 1]->histories, 0)->at_us,
                             .execs = made,
                             .exec_count = count,
                             .runs = rows,
                             .run_count = count,
                             .chunks = chunks,
                             .chunk_count = chunk_count};
    struct bt_err err = BT_ERR_INIT;
    if (journal->ops->commit(journal, &batch, &err) < 0)
        bt_die(err.msg);
    for (size_t i = 0; i < count; i++) {
        bt_exec_free((struct bt_exec *)made[i]);
        bt_taskrun_free((struct bt_taskrun *)rows[i].run);
    }
}

static void add_flows(struct bt_journal *journal)
{
    for (int i = 0; i < FLOWS; i++) {
        struct bt_exec names = {0};
        name_flow(i, &names);
        struct bt_flow_row row = {"main", names.namespace, names.flow_id, 1, BT_STR("x"), 1, false};
        struct bt_batch batch = {.flows = &row, .flow_count = 1};
        (void)journal->ops->commit(journal, &batch, NULL);
    }
}

/* One execution with 20,000 lines, of which one in a hundred is an error. */
static void add_logs(struct bt_journal *journal, struct bt_logs *logs)
{
    enum { LINES = 20000 };
    BT_VEC(struct bt_log_entry) entries = {0};
    BT_VEC(struct bt_log_chunk) chunks = {0};
    for (int i = 0; i < LINES; i++)
        bt_vec_push(&entries,
                    ((struct bt_log_entry){.time_us = BEGIN_US + i,
                                           .taskrun = 1,
                                           .attempt = 1,
                                           .level = i % 2000 < 20 ? BT_LEVEL_ERROR : BT_LEVEL_INFO,
                                           .text = BT_STR("a line of some length or so")}));
    for (size_t done = 0; done < entries.count;) {
        struct bt_log_chunk chunk;
        size_t used;
        if (bt_logs_append(logs, entries.items + done, entries.count - done, &chunk, &used, NULL) <
            0)
            bt_die("cannot write logs");
        chunk.exec = LOGGED;
        chunk.first_line = done;
        done += used;
        bt_vec_push(&chunks, chunk);
    }
    struct bt_batch batch = {.chunks = chunks.items, .chunk_count = chunks.count};
    (void)bt_logs_sync(logs, NULL);
    if (journal->ops->commit(journal, &batch, NULL) < 0)
        bt_die("cannot write the logs' rows");
    bt_vec_done(&entries);
    bt_vec_done(&chunks);
}

/* --- Queries ---------------------------------------------------------------------------------- */

static size_t got;

static int drop_exec(void *data, struct bt_exec *exec)
{
    (void)data;
    got++;
    bt_exec_free(exec);
    return BT_OK;
}

static int drop_stat(void *data, const struct bt_stat *stat)
{
    (void)data;
    got += stat->count > 0;
    return BT_OK;
}

static int drop_line(void *data, uint64_t line, const struct bt_log_entry *entry)
{
    (void)data;
    (void)line;
    got += entry->text.len > 0;
    return BT_OK;
}

static struct bt_total total;

static void list(struct bt_exec_query query)
{
    struct bt_err err = BT_ERR_INIT;
    query.tenant = "main";
    query.limit = query.limit ? query.limit : 25;
    if (store->ops->execs(store, &query, &(struct bt_exec_sink){drop_exec, NULL}, &total, &err) < 0)
        bt_die(err.msg);
}

static void newest(void)
{
    list((struct bt_exec_query){.tenant = "main"});
}

static void by_namespace(void)
{
    static const char *const names[] = {"company", "company.sales", "company.web.team7"};
    list((struct bt_exec_query){.namespace = bt_str_of(names[below(3)])});
}

static void by_flow(void)
{
    struct bt_exec exec = {0};
    name_flow(below(FLOWS), &exec);
    list((struct bt_exec_query){.namespace = bt_str_of(exec.namespace),
                                .flow_id = bt_str_of(exec.flow_id)});
}

static void by_states(void)
{
    static const uint32_t masks[] = {1u << BT_FAILED, 1u << BT_FAILED | 1u << BT_WARNING,
                                     1u << BT_RUNNING | 1u << BT_CREATED};
    list((struct bt_exec_query){.states = masks[below(3)]});
}

static void by_label(void)
{
    char order[32];
    BT_VALUE labels = bt_map_new(2);
    (void)snprintf(order, sizeof order, "order-%d", below(100000));
    switch (below(3)) {
    case 0: (void)bt_map_puts(labels, "order", bt_value_cstr(order)); break;
    case 1: (void)bt_map_puts(labels, "env", bt_value_cstr("prod")); break;
    default:
        (void)bt_map_puts(labels, "team", bt_value_cstr("team7"));
        (void)bt_map_puts(labels, "env", bt_value_cstr("test"));
        break;
    }
    list((struct bt_exec_query){.labels = labels, .states = below(2) ? 1u << BT_FAILED : 0});
}

static void by_text(void)
{
    static const char *const texts[] = {"sales", "load team3", "archive", "web rep"};
    list((struct bt_exec_query){.text = bt_str_of(texts[below(4)])});
}

static void by_duration(void)
{
    int64_t from_us = BEGIN_US + below(60) * DAY_US + below(86400) * INT64_C(1000000);
    list((struct bt_exec_query){.from_us = from_us,
                                .to_us = from_us + 30 * DAY_US,
                                .states = below(2) ? 1u << BT_FAILED : 0,
                                .sort = BT_SORT_DURATION});
}

static void page_1000(void)
{
    list((struct bt_exec_query){.skip = 999 * 25,
                                .namespace = below(2) ? BT_STR("company.sales") : BT_STR_NONE});
}

static void stats(struct bt_exec_query of, bool by_flow)
{
    struct bt_err err = BT_ERR_INIT;
    struct bt_stat_query query = {.of = &of, .unit = BT_UNIT_DAY, .by_flow = by_flow};
    of.tenant = "main";
    if (store->ops->stats(store, &query, &(struct bt_stat_sink){drop_stat, NULL}, &err) < 0)
        bt_die(err.msg);
}

static void by_day(void)
{
    static const char *const names[] = {"", "company", "company.sales", "company.web.team7"};
    stats((struct bt_exec_query){.namespace = bt_str_of(names[below(4)]),
                                 .from_us = BEGIN_US + below(60) * DAY_US,
                                 .to_us = BEGIN_US + 90 * DAY_US},
          false);
}

static void latest(void)
{
    static struct bt_exec names[25];
    struct bt_flow_name flows[25];
    int first = below(FLOWS - 25);
    for (int i = 0; i < 25; i++) {
        name_flow(first + i, &names[i]);
        flows[i] =
            (struct bt_flow_name){bt_str_of(names[i].namespace), bt_str_of(names[i].flow_id)};
    }
    struct bt_exec_query query = {.tenant = "main", .flows = flows, .flow_count = 25, .limit = 20};
    if (store->ops->latest(store, &query, &(struct bt_exec_sink){drop_exec, NULL}, NULL) < 0)
        bt_die("latest");
}

static void failing(void)
{
    stats((struct bt_exec_query){.states = 1u << BT_FAILED,
                                 .from_us = BEGIN_US + 60 * DAY_US,
                                 .to_us = BEGIN_US + 90 * DAY_US},
          true);
}

static void errors(void)
{
    struct bt_log_query query = {.exec = LOGGED, .levels = 1u << BT_LEVEL_ERROR};
    if (store->ops->logs(store, &query, &(struct bt_log_sink){drop_line, NULL}, NULL) < 0)
        bt_die("logs");
}

/* --- Charts as the API answers them ----------------------------------------------------------- */

static const struct bt_principal principal = {"main", "local"};
static struct bt_service service;

static struct bt_grid_times days_30(void)
{
    int64_t from_us = BEGIN_US + below(DAYS - 30) * DAY_US;
    return (struct bt_grid_times){from_us, from_us + 30 * DAY_US};
}

/* Those that do not begin with 0. */
static void count_parts(const struct bt_buf *out, struct bt_str key)
{
    struct bt_str text = bt_buf_str(out);
    ptrdiff_t at = bt_str_find(text, key, 0);
    while (at >= 0) {
        got += text.at[(size_t)at + key.len] != '0';
        at = bt_str_find(text, key, (size_t)at + 1);
    }
}

static void log_chart(struct bt_str namespace)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(1 << 20);
    struct bt_err err = BT_ERR_INIT;
    struct bt_log_stats request = {.of.namespace = namespace, .times = days_30()};
    if (bt_service_log_stats(&service, &principal, &request, &out, &err) < 0)
        bt_die(err.msg);
    count_parts(&out, BT_STR("\"INFO\":")); /* Of each day. */
}

static void log_lines(void)
{
    log_chart(BT_STR_NONE);
}

static void log_lines_below(void)
{
    static const char *const names[] = {"company", "company.sales", "company.web.team7"};
    log_chart(bt_str_of(names[below(3)]));
}

static struct bt_metric_of metric_of(struct bt_exec *names)
{
    name_flow(below(FLOWS), names);
    return (struct bt_metric_of){.namespace = bt_str_of(names->namespace),
                                 .flow_id = bt_str_of(names->flow_id),
                                 .task_id = below(2) ? BT_STR("task") : BT_STR_NONE,
                                 .name = BT_STR("rows")};
}

static void metric_chart(void)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(1 << 20);
    struct bt_err err = BT_ERR_INIT;
    struct bt_exec names = {0};
    struct bt_metric_chart chart = {.of = metric_of(&names), .times = days_30()};
    chart.aggregation = (enum bt_metric_aggregation)below(4);
    if (bt_service_metric_chart(&service, &principal, &chart, &out, &err) < 0)
        bt_die(err.msg);
    count_parts(&out, BT_STR("\"value\":"));
}

static void metric_names(void)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(1 << 20);
    struct bt_err err = BT_ERR_INIT;
    struct bt_exec names = {0};
    struct bt_metric_list list = {.of = metric_of(&names)};
    if (bt_service_metric_list(&service, &principal, &list, &out, &err) < 0)
        bt_die(err.msg);
    got += bt_str_is(bt_buf_str(&out), "[\"rows\",\"seconds\"]");
}

/* The same answer by one statement of bare SQLite, added up there. */
static sqlite3 *bare;
static sqlite3_stmt *bare_lines, *bare_metrics;

static void open_bare(const char *path)
{
    static const char lines[] = "SELECT hour/24,sum(trace),sum(debug),sum(info),sum(warn),"
                                "sum(error) FROM log_lines WHERE flow=?1 AND hour>=?2 AND"
                                " hour<=?3 GROUP BY hour/24";
    static const char metrics[] = "SELECT hour/24,sum(count),sum(whole),sum(nanos),min(least),"
                                  "max(greatest) FROM metrics WHERE flow=?1 AND hour>=?2 AND"
                                  " hour<=?3 AND task='task' AND name='rows' GROUP BY hour/24";
    if (sqlite3_open_v2(path, &bare, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(bare, lines, -1, &bare_lines, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(bare, metrics, -1, &bare_metrics, NULL) != SQLITE_OK)
        bt_die(sqlite3_errmsg(bare));
}

static void close_bare(void)
{
    (void)sqlite3_finalize(bare_lines);
    (void)sqlite3_finalize(bare_metrics);
    (void)sqlite3_close(bare);
}

static void ask_bare(sqlite3_stmt *statement, int flow)
{
    struct bt_grid_times times = days_30();
    (void)sqlite3_bind_int(statement, 1, flow);
    (void)sqlite3_bind_int64(statement, 2, times.from_us / HOUR_US);
    (void)sqlite3_bind_int64(statement, 3, times.to_us / HOUR_US);
    while (sqlite3_step(statement) == SQLITE_ROW)
        got += sqlite3_column_int64(statement, 3) != 0;
    (void)sqlite3_reset(statement); /* Done with. */
}

static void log_lines_bare(void)
{
    ask_bare(bare_lines, 0);
}

static void metric_chart_bare(void)
{
    ask_bare(bare_metrics, 1 + below(FLOWS));
}

/* --- Measuring -------------------------------------------------------------------------------- */

static int compare_double(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return (one > two) - (one < two);
}

static double now_ms(void)
{
    return (double)bt_clock_mono_us(bt_clock_system()) / 1e3;
}

static double cpu_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* Cannot fail. */
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Of the processor's time as well: that of a busy machine says more. Returns its p50. */
static double measure(const char *name, void (*query)(void), double reach_ms)
{
    double times[ROUNDS], cpu_times[ROUNDS];
    got = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double start = now_ms(), cpu_start = cpu_ms();
        query();
        cpu_times[i] = cpu_ms() - cpu_start;
        times[i] = now_ms() - start;
    }
    qsort(times, ROUNDS, sizeof *times, compare_double);
    qsort(cpu_times, ROUNDS, sizeof *cpu_times, compare_double);
    bool is_good = times[ROUNDS * 99 / 100] < reach_ms;
    (void)printf("%s %-34s p50 %7.2f ms  p99 %7.2f ms (reach < %.0f; processor p99 %.2f)  %zu rows,"
                 " last total %lld%s\n",
                 is_good ? "ok  " : "MISS", name, times[ROUNDS / 2], times[ROUNDS * 99 / 100],
                 reach_ms, cpu_times[ROUNDS * 99 / 100], got / ROUNDS, (long long)total.count,
                 total.is_capped ? "+" : "");
    (void)fflush(stdout);
    return cpu_times[ROUNDS / 2];
}

static void measure_charts(void)
{
    total = (struct bt_total){0};
    double lines = measure("log lines by day, 30 days", log_lines, 100);
    double bound = measure("  the same by bare SQLite", log_lines_bare, 100);
    (void)measure("the same of a namespace", log_lines_below, 100);
    double chart = measure("metric of a flow by day, 30 days", metric_chart, 100);
    double chart_bound = measure("  the same by bare SQLite", metric_chart_bare, 100);
    (void)measure("names of a flow's metrics", metric_names, 20);
    (void)printf("processor p50, times bare SQLite: log lines %.1f, metric %.1f\n", lines / bound,
                 chart / chart_bound);
    (void)fflush(stdout); /* What follows replaces the process. */
}

static void measure_all(void)
{
    (void)measure("newest executions", newest, 20);
    (void)measure("by namespace prefix", by_namespace, 20);
    (void)measure("by flow", by_flow, 20);
    (void)measure("by state set", by_states, 20);
    (void)measure("by label", by_label, 20);
    (void)measure("by text", by_text, 20);
    (void)measure("by time range sorted by duration", by_duration, 20);
    (void)measure("page 1,000 of a list", page_1000, 20);
    (void)measure("counts by state and day", by_day, 100);
    (void)measure("last 20 runs of each of 25 flows", latest, 20);
    (void)measure("top failing flows", failing, 100);
    (void)measure("logs of one execution by level", errors, 20);
}

int main(int argc, char **argv)
{
    char dir[64] = "/tmp/baton-lists-XXXXXX", path[128], segments[128];
    struct bt_db db;
    struct bt_journal *journal;
    struct bt_logs *logs;
    execs = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 1000000;
    if (!mkdtemp(dir))
        bt_die("cannot make a directory");
    (void)snprintf(path, sizeof path, "%s/x.db", dir);
    (void)snprintf(segments, sizeof segments, "%s/logs", dir);
    int rc = bt_db_open(path, BT_DB_TEMPORARY, &db, NULL);
    assert(rc == BT_OK);
    rc = bt_journal_sqlite(&db, &journal, NULL);
    assert(rc == BT_OK);
    rc = bt_logs_open(segments, false, &logs, NULL);
    assert(rc == BT_OK);
    rc = bt_store_sqlite(path, logs, &store, NULL);
    assert(rc == BT_OK);
    double start = now_ms();
    add_flows(journal);
    for (size_t done = 0; done < execs; done += BATCH)
        fill_batch(journal, done, execs - done < BATCH ? execs - done : BATCH);
    add_logs(journal, logs);
    (void)printf("%zu executions written in %.1f s\n", execs, (now_ms() - start) / 1e3);
    service.store = store;
    open_bare(path);
    measure_all();
    measure_charts();
    close_bare();
    store->ops->close(store);
    bt_logs_close(logs);
    journal->ops->close(journal);
    bt_db_close(&db);
    char *const remove[] = {"rm", "-rf", dir, NULL};
    execvp("rm", remove);
    return 1;
}
