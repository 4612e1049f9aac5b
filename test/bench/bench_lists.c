/* bench_lists.c — `make bench-lists`: a million executions, written through the journal, and the
 * queries of docs/queries.md over them. Prints p50 and p99 of each. */
#include "base/own.h"
#include "base/rng.h"
#include "base/vec.h"
#include "journal/sqlite/sqlite.h"
#include "store/store.h"
#include "sys/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS = 200, NAMESPACES = 40, BATCH = 1000, DAYS = 90, ROUNDS = 200 };
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

static struct bt_taskrun *make_run(const struct bt_exec *exec)
{
    struct bt_taskrun *run = bt_taskrun_new();
    run->n = 1;
    run->id = exec->id;
    run->state = exec->state;
    for (uint32_t i = 0; i < exec->histories.count; i++)
        (void)bt_histories_add(&run->histories, bt_histories_at(&exec->histories, i)->at_us,
                               bt_histories_at(&exec->histories, i)->state);
    return run;
}

static void fill_batch(struct bt_journal *journal, size_t from, size_t count)
{
    const struct bt_exec *made[BATCH];
    struct bt_run_row rows[BATCH];
    for (size_t i = 0; i < count; i++) {
        struct bt_exec *exec = make_exec(from + i);
        made[i] = exec;
        rows[i] = (struct bt_run_row){exec->key, make_run(exec), "task"};
    }
    struct bt_batch batch = {.now_us = bt_histories_at(&made[count - 1]->histories, 0)->at_us,
                             .execs = made,
                             .exec_count = count,
                             .runs = rows,
                             .run_count = count};
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
static uint64_t add_logs(struct bt_journal *journal, struct bt_logs *logs)
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
        chunk.exec = 1;
        chunk.first_line = done;
        done += used;
        bt_vec_push(&chunks, chunk);
    }
    struct bt_batch batch = {.chunks = chunks.items, .chunk_count = chunks.count};
    (void)bt_logs_sync(logs, NULL);
    (void)journal->ops->commit(journal, &batch, NULL);
    bt_vec_done(&entries);
    bt_vec_done(&chunks);
    return 1;
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
    struct bt_log_query query = {.exec = 1, .levels = 1u << BT_LEVEL_ERROR};
    if (store->ops->logs(store, &query, &(struct bt_log_sink){drop_line, NULL}, NULL) < 0)
        bt_die("logs");
}

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

/* Of the processor's time as well: that of a busy machine says more. */
static void measure(const char *name, void (*query)(void), double reach_ms)
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
}

static void measure_all(void)
{
    measure("newest executions", newest, 20);
    measure("by namespace prefix", by_namespace, 20);
    measure("by flow", by_flow, 20);
    measure("by state set", by_states, 20);
    measure("by label", by_label, 20);
    measure("by text", by_text, 20);
    measure("by time range sorted by duration", by_duration, 20);
    measure("page 1,000 of a list", page_1000, 20);
    measure("counts by state and day", by_day, 100);
    measure("last 20 runs of each of 25 flows", latest, 20);
    measure("top failing flows", failing, 100);
    measure("logs of one execution by level", errors, 20);
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
    measure_all();
    store->ops->close(store);
    bt_logs_close(logs);
    journal->ops->close(journal);
    bt_db_close(&db);
    char *const remove[] = {"rm", "-rf", dir, NULL};
    execvp("rm", remove);
    return 1;
}
