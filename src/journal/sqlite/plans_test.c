/* plans_test.c — Goal: the way in which each query of docs/queries.md is read does not change
 * unseen. Method: each runs over some rows; the plans of all statements that it prepared are those
 * that stand in its section. A change is made there, after measuring (`make bench-lists`). */
#include "store/sqlite/filter.h"

#include "base/own.h"
#include "journal/sqlite/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    char dir[64], path[96];
    struct bt_db db;
    struct bt_journal *journal;
    struct bt_store *store;
};

enum { EXECS = 2000, FLOWS = 80 };

static void add_labels(struct bt_exec *exec)
{
    exec->labels = bt_map_new(1);
    assert_int_equal(bt_map_puts(exec->labels, "team", bt_value_cstr("blue")), BT_OK);
}

/* A run with a child, of the first execution. */
static void fill_runs(struct bench *bench)
{
    struct bt_run_row rows[2];
    for (uint32_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_taskrun *run = bt_taskrun_new();
        run->n = i + 1;
        run->parent = i;
        run->task = i;
        run->id = bt_id_make(1, i, i);
        run->state = BT_SUCCESS;
        assert_int_equal(bt_histories_add(&run->histories, 5, BT_SUCCESS), BT_OK);
        rows[i] = (struct bt_run_row){1, run, "t"};
    }
    struct bt_flow_row flow = {"main", "dev", "load1", 1, BT_STR("id: load1"), 1, false};
    struct bt_batch batch = {
        .runs = rows, .run_count = BT_COUNT(rows), .flows = &flow, .flow_count = 1};
    assert_int_equal(bench->journal->ops->commit(bench->journal, &batch, NULL), BT_OK);
    for (size_t i = 0; i < BT_COUNT(rows); i++)
        bt_taskrun_free((struct bt_taskrun *)rows[i].run);
}

/* The same flow's executions stand apart, so that an index by flow is worth while. */
static void fill(struct bench *bench)
{
    static struct bt_exec *execs[EXECS];
    for (size_t i = 0; i < EXECS; i++) {
        struct bt_exec *exec = execs[i] = bt_exec_new();
        exec->key = i + 1;
        exec->id = bt_id_make((int64_t)i, i, i);
        (void)snprintf(exec->tenant, sizeof exec->tenant, "main");
        (void)snprintf(exec->namespace, sizeof exec->namespace,
                       i % FLOWS ? "dev" : "company.sales");
        (void)snprintf(exec->flow_id, sizeof exec->flow_id, "load%zu", i % FLOWS);
        exec->state = i % 7 ? BT_SUCCESS : BT_FAILED;
        if (i % (EXECS / 4) == 0)
            add_labels(exec);
        int64_t start_us = BT_HOUR_US * (int64_t)i / 10;
        assert_int_equal(bt_histories_add(&exec->histories, start_us, exec->state), BT_OK);
    }
    struct bt_batch batch = {.execs = (const struct bt_exec *const *)execs, .exec_count = EXECS};
    assert_int_equal(bench->journal->ops->commit(bench->journal, &batch, NULL), BT_OK);
    for (size_t i = 0; i < EXECS; i++)
        bt_exec_free(execs[i]);
}

static int open_bench(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    *state = &bench;
    (void)snprintf(bench.dir, sizeof bench.dir, "/tmp/baton-plans-XXXXXX");
    if (!mkdtemp(bench.dir))
        return 1;
    (void)snprintf(bench.path, sizeof bench.path, "%s/x.db", bench.dir);
    assert_int_equal(bt_db_open(bench.path, BT_DB_TEMPORARY, &bench.db, NULL), BT_OK);
    assert_int_equal(bt_journal_sqlite(&bench.db, &bench.journal, NULL), BT_OK);
    fill(&bench);
    fill_runs(&bench);
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {"x.db", "x.db-wal", "x.db-shm"};
    bench->journal->ops->close(bench->journal);
    bt_db_close(&bench->db);
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", bench->dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(bench->dir);
}

/* --- The queries ------------------------------------------------------------------------------ */

static int drop_exec(void *data, struct bt_exec *exec)
{
    (void)data;
    bt_exec_free(exec);
    return BT_OK;
}

static int drop_flow(void *data, struct bt_stored_flow *flow)
{
    (void)data;
    bt_stored_flow_done(flow);
    return BT_OK;
}

static int drop_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    (void)data;
    (void)run;
    (void)task_id;
    return BT_OK;
}

static int drop_stat(void *data, const struct bt_stat *stat)
{
    (void)data;
    (void)stat;
    return BT_OK;
}

static int drop_name(void *data, const char *task_id, const char *name)
{
    (void)data;
    (void)task_id;
    (void)name;
    return BT_OK;
}

static int drop_sum(void *data, const struct bt_metric_sum *sum)
{
    (void)data;
    (void)sum;
    return BT_OK;
}

static int drop_line(void *data, uint64_t line, const struct bt_log_entry *entry)
{
    (void)data;
    (void)line;
    (void)entry;
    return BT_OK;
}

static void list(struct bench *bench, struct bt_exec_query query)
{
    struct bt_total total;
    query.tenant = "main";
    query.limit = 25;
    assert_int_equal(bench->store->ops->execs(bench->store, &query,
                                              &(struct bt_exec_sink){drop_exec, NULL}, &total,
                                              NULL),
                     BT_OK);
}

static void newest(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.limit = 1});
}

static void by_namespace(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.namespace = BT_STR("company")});
}

static void by_flow(struct bench *bench)
{
    list(bench,
         (struct bt_exec_query){.namespace = BT_STR("company.sales"), .flow_id = BT_STR("load0")});
}

static void by_states(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.states = 1u << BT_FAILED | 1u << BT_WARNING});
}

static void by_label(struct bench *bench)
{
    BT_VALUE labels = bt_map_new(1);
    (void)bt_map_puts(labels, "team", bt_value_cstr("blue"));
    list(bench, (struct bt_exec_query){.labels = labels, .namespace = BT_STR("company")});
}

static void by_parent(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.parent = BT_STR("x"), .child = BT_CHILD_ONLY});
    list(bench, (struct bt_exec_query){.child = BT_CHILD_NONE});
}

static void many_flows(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.namespace = BT_STR("dev"), .states = 1u << BT_FAILED});
}

/* Also of what else can be read the other way round. */
static void oldest(struct bench *bench)
{
    BT_VALUE labels = bt_map_new(1);
    (void)bt_map_puts(labels, "team", bt_value_cstr("blue"));
    list(bench, (struct bt_exec_query){.is_ascending = true});
    list(bench, (struct bt_exec_query){.is_ascending = true, .namespace = BT_STR("company")});
    list(bench, (struct bt_exec_query){.is_ascending = true, .labels = labels});
    list(bench, (struct bt_exec_query){.is_ascending = true, .parent = BT_STR("x")});
}

static void by_value(struct bench *bench)
{
    static const enum bt_exec_sort sorts[] = {BT_SORT_END, BT_SORT_DURATION, BT_SORT_ID};
    for (size_t i = 0; i < 2 * BT_COUNT(sorts); i++)
        list(bench, (struct bt_exec_query){.sort = sorts[i / 2], .is_ascending = i % 2});
}

static void by_name(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.sort = BT_SORT_NAMESPACE});
    list(bench, (struct bt_exec_query){.sort = BT_SORT_FLOW});
    list(bench, (struct bt_exec_query){.sort = BT_SORT_STATE});
}

static void by_text(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.text = BT_STR("sales")});
}

static void by_duration(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.from_us = 1, .to_us = BT_DAY_US, .sort = BT_SORT_DURATION});
}

static void page_1000(struct bench *bench)
{
    list(bench, (struct bt_exec_query){.skip = 1000}); /* From 200 rows on it is the same way. */
}

static void by_minute(struct bench *bench)
{
    struct bt_exec_query of = {.tenant = "main", .from_us = 1, .to_us = BT_HOUR_US};
    struct bt_stat_query query = {.of = &of, .unit = BT_UNIT_MINUTE};
    assert_int_equal(bench->store->ops->stats(bench->store, &query,
                                              &(struct bt_stat_sink){drop_stat, NULL}, NULL),
                     BT_OK);
}

static void stats(struct bench *bench, const struct bt_exec_query *of, bool by_flow)
{
    struct bt_stat_query query = {.of = of, .unit = BT_UNIT_DAY, .by_flow = by_flow};
    assert_int_equal(bench->store->ops->stats(bench->store, &query,
                                              &(struct bt_stat_sink){drop_stat, NULL}, NULL),
                     BT_OK);
}

static void by_day(struct bench *bench)
{
    stats(bench, &(struct bt_exec_query){.tenant = "main"}, false);
}

static void latest(struct bench *bench)
{
    struct bt_flow_name flow = {BT_STR("company.sales"), BT_STR("load0")};
    struct bt_exec_query query = {.tenant = "main", .flows = &flow, .flow_count = 1, .limit = 20};
    assert_int_equal(bench->store->ops->latest(bench->store, &query,
                                               &(struct bt_exec_sink){drop_exec, NULL}, NULL),
                     BT_OK);
}

static void failing(struct bench *bench)
{
    stats(bench, &(struct bt_exec_query){.tenant = "main", .states = 1u << BT_FAILED}, true);
}

static void errors(struct bench *bench)
{
    struct bt_log_query query = {.exec = 1, .levels = 1u << BT_LEVEL_ERROR};
    assert_int_equal(
        bench->store->ops->logs(bench->store, &query, &(struct bt_log_sink){drop_line, NULL}, NULL),
        BT_OK);
}

static void one(struct bench *bench)
{
    const struct bt_store_ops *ops = bench->store->ops;
    struct bt_id id = bt_id_make(0, 0, 0);
    struct bt_exec *exec = NULL;
    const struct bt_run_sink runs = {drop_run, NULL};
    int64_t count = 0;
    assert_int_equal(ops->exec(bench->store, "main", bt_id_str(&id), &exec, NULL), BT_OK);
    assert_int_equal(exec->key, 1);
    bt_exec_free(exec);
    assert_int_equal(
        ops->runs(bench->store, &(struct bt_run_query){.exec = 1, .limit = 9}, &runs, NULL), BT_OK);
    struct bt_taskrun *run = NULL;
    assert_int_equal(ops->first_run(bench->store,
                                    &(struct bt_first_query){.exec = 1, .state = BT_PAUSED}, &run,
                                    NULL),
                     BT_OK);
    assert_null(run);
    assert_int_equal(ops->run(bench->store, 1, bt_id_str(&id), &run, NULL), BT_NOT_FOUND);
    struct bt_child_query query = {.exec = 1, .limit = 9};
    assert_int_equal(ops->children(bench->store, &query, &runs, &count, NULL), BT_OK);
    assert_int_equal(count, 1);
    struct bt_id parent = bt_id_make(1, 0, 0);
    query.parent_id = bt_id_str(&parent);
    assert_int_equal(ops->children(bench->store, &query, &runs, &count, NULL), BT_OK);
    assert_int_equal(count, 1);
}

static void flows(struct bench *bench)
{
    const struct bt_store_ops *ops = bench->store->ops;
    const struct bt_flow_sink sink = {drop_flow, NULL};
    struct bt_flow_key key = {"main", BT_STR("dev"), BT_STR("load1"), 0};
    struct bt_stored_flow flow;
    assert_int_equal(
        ops->flows(bench->store, &(struct bt_flow_query){.tenant = "main"}, &sink, NULL), BT_OK);
    assert_int_equal(ops->revisions(bench->store, &key, &sink, NULL), BT_OK);
    for (key.revision = 0; key.revision < 2; key.revision++) {
        assert_int_equal(ops->flow(bench->store, &key, &flow, NULL), BT_OK);
        bt_stored_flow_done(&flow);
    }
}

static void metrics(struct bench *bench)
{
    const struct bt_store_ops *ops = bench->store->ops;
    struct bt_metric_of of = {.tenant = "main",
                              .namespace = BT_STR("company.sales"),
                              .flow_id = BT_STR("load0"),
                              .name = BT_STR("rows"),
                              .to_us = BT_DAY_US};
    const struct bt_metric_name_sink names = {drop_name, NULL};
    assert_int_equal(bt_db_exec(&bench->db,
                                "INSERT OR IGNORE INTO metrics SELECT key,'t','rows',1,1,1,0,1,1"
                                " FROM flows",
                                NULL),
                     BT_OK);
    assert_int_equal(
        ops->metric_sums(bench->store, &of, &(struct bt_metric_sink){drop_sum, NULL}, NULL), BT_OK);
    assert_int_equal(ops->metric_names(bench->store, &of, &names, NULL), BT_OK);
    of.task_id = BT_STR("t");
    assert_int_equal(ops->metric_names(bench->store, &of, &names, NULL), BT_OK);
}

static int drop_line_stat(void *data, const struct bt_line_stat *stat)
{
    (void)data;
    (void)stat;
    return BT_OK;
}

static void count_lines(struct bench *bench, struct bt_str namespace)
{
    struct bt_exec_query of = {.tenant = "main", .namespace = namespace};
    struct bt_stat_query query = {.of = &of, .unit = BT_UNIT_DAY};
    assert_int_equal(
        bench->store->ops->log_counts(bench->store, &query,
                                      &(struct bt_line_stat_sink){drop_line_stat, NULL}, NULL),
        BT_OK);
}

static void log_lines(struct bench *bench)
{
    count_lines(bench, BT_STR_NONE);
    count_lines(bench, BT_STR("company"));
}

/* --- Plans ------------------------------------------------------------------------------------ */

static void explain(sqlite3 *handle, const char *sql, struct bt_buf *out)
{
    sqlite3_stmt *plan = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(8192);
    (void)bt_buf_addf(&text, "EXPLAIN QUERY PLAN %s", sql);
    (void)bt_buf_addf(out, "%s\n", sql);
    assert_int_equal(sqlite3_prepare_v2(handle, text.at, (int)text.len, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW)
        (void)bt_buf_addf(out, "    %s\n", (const char *)sqlite3_column_text(plan, 3));
    (void)sqlite3_finalize(plan);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All statements that the store's connection has prepared, by text. */
static void explain_all(struct bench *bench, struct bt_buf *out)
{
    struct sqlite_store *store = (struct sqlite_store *)bench->store;
    sqlite3 *handle = store->idle->db.handle;
    const char *texts[64];
    size_t count = 0;
    for (sqlite3_stmt *at = sqlite3_next_stmt(handle, NULL); at; at = sqlite3_next_stmt(handle, at))
        texts[count++] = sqlite3_sql(at);
    qsort(texts, count, sizeof *texts, compare_texts);
    for (size_t i = 0; i < count; i++)
        explain(handle, texts[i], out);
}

/* The block of the section in docs/queries.md. */
static void read_pinned(const char *name, struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
    char chunk[4096], heading[128];
    FILE *file = fopen("docs/queries.md", "re");
    assert_non_null(file);
    for (size_t len = fread(chunk, 1, sizeof chunk, file); len;
         len = fread(chunk, 1, sizeof chunk, file))
        (void)bt_buf_add(&text, (struct bt_str){chunk, len});
    (void)fclose(file);
    (void)snprintf(heading, sizeof heading, "\n## %s\n", name);
    ptrdiff_t at = bt_str_find(bt_buf_str(&text), bt_str_of(heading), 0);
    if (at < 0)
        fail_msg("docs/queries.md has no section '%s'", name);
    ptrdiff_t from = bt_str_find(bt_buf_str(&text), BT_STR("```\n"), (size_t)at);
    assert_true(from > 0);
    ptrdiff_t to = bt_str_find(bt_buf_str(&text), BT_STR("```\n"), (size_t)from + 4);
    assert_true(to > 0);
    (void)bt_buf_add(out, bt_str_slice(bt_buf_str(&text), (size_t)from + 4, (size_t)to));
}

static void check_plan(void **state, const char *name, void (*query)(struct bench *bench))
{
    struct bench *bench = *state;
    BT_CLEANUP(bt_buf_done)
    struct bt_buf plan = BT_BUF_INIT(1 << 16), pinned = BT_BUF_INIT(1 << 16);
    assert_int_equal(bt_store_sqlite(bench->path, NULL, &bench->store, NULL), BT_OK);
    query(bench);
    explain_all(bench, &plan);
    bench->store->ops->close(bench->store);
    read_pinned(name, &pinned);
    if (bt_str_eq(bt_buf_str(&plan), bt_buf_str(&pinned)))
        return;
    (void)fprintf(stderr, "'%s' is read in another way:\n```\n%.*s```\n", name,
                  BT_FMT(bt_buf_str(&plan)));
    fail();
}

#define CASE(function, name)                                                                       \
    static void test_##function(void **state)                                                      \
    {                                                                                              \
        check_plan(state, name, function);                                                         \
    }
CASE(newest, "Newest executions")
CASE(oldest, "Oldest executions")
CASE(by_namespace, "By namespace prefix")
CASE(many_flows, "By a namespace of many flows")
CASE(by_flow, "By flow")
CASE(by_states, "By state set")
CASE(by_label, "By label")
CASE(by_text, "By text")
CASE(by_parent, "By parent")
CASE(by_duration, "By time range sorted by duration")
CASE(by_value, "Sorted by end, duration, id")
CASE(by_name, "Sorted by namespace, flow, state")
CASE(page_1000, "Page 1,000 of a list")
CASE(by_day, "Counts by state and day")
CASE(by_minute, "Counts by minute")
CASE(latest, "Last 20 runs of each of 25 flows")
CASE(failing, "Top failing flows")
CASE(one, "One execution and its task runs")
CASE(flows, "Flows and their revisions")
CASE(errors, "Logs of one execution by level")
CASE(metrics, "Metrics of a flow")
CASE(log_lines, "Log lines by level and hour or day")

#define ENTRY(function) cmocka_unit_test(test_##function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENTRY(newest),    ENTRY(oldest),      ENTRY(by_namespace), ENTRY(many_flows),
        ENTRY(by_flow),   ENTRY(by_states),   ENTRY(by_label),     ENTRY(by_text),
        ENTRY(by_parent), ENTRY(by_duration), ENTRY(by_value),     ENTRY(by_name),
        ENTRY(page_1000), ENTRY(by_day),      ENTRY(by_minute),    ENTRY(latest),
        ENTRY(failing),   ENTRY(one),         ENTRY(flows),        ENTRY(errors),
        ENTRY(metrics),   ENTRY(log_lines),
    };
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
