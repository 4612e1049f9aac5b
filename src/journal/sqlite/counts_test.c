/* counts_test.c — Goal: metrics and log lines are read from their counters as they stand there,
 * by flow, task, name and time. Method: counters of two flows, asked for in each way. */
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
    struct bt_buf got; /* What was received, as text. */
};

/* Flows 1 (a.b f) and 2 (a g). */
static const char sql_rows[] =
    "INSERT INTO metrics(flow,task,name,hour,count,whole,nanos,least,greatest) VALUES"
    "(1,'one','m',5,2,7,500000000,1,6.5),(1,'one','m',6,1,1,0,1,1),(1,'one','n',5,1,1,0,1,1),"
    "(1,'two','m',5,1,-2,0,-2,-2),(1,'two','m',47,1,3,0,3,3),(2,'one','x',5,1,4,0,4,4);"
    "INSERT INTO log_lines(flow,hour,trace,debug,info,warn,error) VALUES"
    "(0,5,2,1,0,0,0),(0,23,0,0,1,0,0),(0,24,0,0,0,1,0),(0,47,0,0,0,0,4),(0,96,1,0,0,0,0),"
    "(1,5,1,1,0,0,0),(1,23,0,0,1,0,0),(1,24,0,0,0,1,0),"
    "(2,5,1,0,0,0,0),(2,47,0,0,0,0,4),(2,96,1,0,0,0,0);";

static int open_bench(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    *state = &bench;
    bench.got = (struct bt_buf)BT_BUF_INIT(4096);
    (void)snprintf(bench.dir, sizeof bench.dir, "/tmp/baton-counts-XXXXXX");
    if (!mkdtemp(bench.dir))
        return 1;
    (void)snprintf(bench.path, sizeof bench.path, "%s/x.db", bench.dir);
    assert_int_equal(bt_db_open(bench.path, BT_DB_TEMPORARY, &bench.db, NULL), BT_OK);
    assert_int_equal(bt_journal_sqlite(&bench.db, &bench.journal, NULL), BT_OK);
    assert_int_equal(bt_store_sqlite(bench.path, NULL, &bench.store, NULL), BT_OK);
    const struct bt_flow_row rows[] = {{"main", "a.b", "f", 1, BT_STR("x"), 1, false},
                                       {"main", "a", "g", 1, BT_STR("x"), 1, false}};
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_batch batch = {.flows = &rows[i], .flow_count = 1};
        assert_int_equal(bench.journal->ops->commit(bench.journal, &batch, NULL), BT_OK);
    }
    assert_int_equal(bt_db_exec(&bench.db, sql_rows, NULL), BT_OK);
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {"x.db", "x.db-wal", "x.db-shm"};
    bench->store->ops->close(bench->store);
    bench->journal->ops->close(bench->journal);
    bt_db_close(&bench->db);
    bt_buf_done(&bench->got);
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", bench->dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(bench->dir);
}

static void check_got(struct bench *bench, const char *want)
{
    if (!bt_str_eq(bt_buf_str(&bench->got), bt_str_of(want)))
        fail_msg("'%.*s' instead of '%s'", BT_FMT(bt_buf_str(&bench->got)), want);
    bt_buf_clear(&bench->got);
}

/* --- Metrics ---------------------------------------------------------------------------------- */

static int add_name(void *data, const char *task_id, const char *name)
{
    struct bench *bench = data;
    return bt_buf_addf(&bench->got, "%s.%s ", task_id, name);
}

static void check_names(struct bench *bench, struct bt_metric_of of, const char *want)
{
    of.tenant = "main";
    assert_int_equal(bench->store->ops->metric_names(
                         bench->store, &of, &(struct bt_metric_name_sink){add_name, bench}, NULL),
                     BT_OK);
    check_got(bench, want);
}

static void test_names(void **state)
{
    struct bench *bench = *state;
    struct bt_metric_of of = {.namespace = BT_STR("a.b"), .flow_id = BT_STR("f")};
    check_names(bench, of, "one.m one.n two.m ");
    of.task_id = BT_STR("two");
    check_names(bench, of, "two.m ");
    of.task_id = BT_STR("tw");
    check_names(bench, of, "");
    of = (struct bt_metric_of){.namespace = BT_STR("a"), .flow_id = BT_STR("g")};
    check_names(bench, of, "one.x ");
    of.flow_id = BT_STR("f");
    check_names(bench, of, "");
}

static int add_sum(void *data, const struct bt_metric_sum *sum)
{
    struct bench *bench = data;
    return bt_buf_addf(&bench->got, "%lld:%lld %g %g %g, ", (long long)(sum->from_us / BT_HOUR_US),
                       (long long)sum->count, sum->sum, sum->least, sum->greatest);
}

static void check_sums(struct bench *bench, struct bt_metric_of of, const char *want)
{
    of.tenant = "main";
    of.namespace = BT_STR("a.b");
    of.flow_id = BT_STR("f");
    assert_int_equal(bench->store->ops->metric_sums(bench->store, &of,
                                                    &(struct bt_metric_sink){add_sum, bench}, NULL),
                     BT_OK);
    check_got(bench, want);
}

static void test_sums(void **state)
{
    struct bench *bench = *state;
    struct bt_metric_of of = {.name = BT_STR("m"), .to_us = 2 * BT_DAY_US};
    check_sums(bench, of, "5:2 7.5 1 6.5, 6:1 1 1 1, 5:1 -2 -2 -2, 47:1 3 3 3, ");
    of.task_id = BT_STR("one");
    check_sums(bench, of, "5:2 7.5 1 6.5, 6:1 1 1 1, ");
    of.from_us = 6 * BT_HOUR_US - 1;
    of.to_us = of.from_us;
    check_sums(bench, of, "5:2 7.5 1 6.5, ");
    of.from_us = of.to_us = 6 * BT_HOUR_US;
    check_sums(bench, of, "6:1 1 1 1, ");
    of.name = BT_STR("n");
    check_sums(bench, of, "");
}

/* --- Log lines -------------------------------------------------------------------------------- */

static int add_lines(void *data, const struct bt_line_stat *stat)
{
    struct bench *bench = data;
    (void)bt_buf_addf(&bench->got, "%lld:", (long long)(stat->from_us / BT_HOUR_US));
    for (int level = 0; level < BT_LEVEL_COUNT; level++)
        (void)bt_buf_addf(&bench->got, "%lld", (long long)stat->counts[level]);
    return bt_buf_addc(&bench->got, ' ');
}

static void check_lines(struct bench *bench, enum bt_stat_unit unit, struct bt_exec_query of,
                        const char *want)
{
    struct bt_stat_query query = {.of = &of, .unit = unit};
    of.tenant = "main";
    assert_int_equal(bench->store->ops->log_counts(
                         bench->store, &query, &(struct bt_line_stat_sink){add_lines, bench}, NULL),
                     BT_OK);
    check_got(bench, want);
}

/* Days are of UTC; each flow's are by themselves. */
static void test_lines(void **state)
{
    struct bench *bench = *state;
    struct bt_exec_query of = {0};
    check_lines(bench, BT_UNIT_HOUR, of, "5:21000 23:00100 24:00010 47:00004 96:10000 ");
    check_lines(bench, BT_UNIT_DAY, of, "5:21100 24:00014 96:10000 ");
    of.namespace = BT_STR("a.b");
    check_lines(bench, BT_UNIT_DAY, of, "5:11100 24:00010 ");
    of = (struct bt_exec_query){.text = BT_STR("g")};
    check_lines(bench, BT_UNIT_DAY, of, "5:10000 47:00004 96:10000 ");
    of = (struct bt_exec_query){.namespace = BT_STR("none")};
    check_lines(bench, BT_UNIT_DAY, of, "");
    of = (struct bt_exec_query){.from_us = 24 * BT_HOUR_US - 1, .to_us = 47 * BT_HOUR_US};
    check_lines(bench, BT_UNIT_HOUR, of, "23:00100 24:00010 47:00004 ");
    check_lines(bench, BT_UNIT_DAY, of, "23:00100 24:00014 ");
}

#define ENTRY(function) cmocka_unit_test_setup_teardown(function, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {ENTRY(test_names), ENTRY(test_sums), ENTRY(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
