/* counters_test.c — Goal: counters are those of a recount, whatever happens to rows and commits.
 * Method: rows that come, change and go, commits that fail or are repeated; a recount each time. */
#include "journal/sqlite/sqlite.h"

#include "base/limits.h"
#include "base/vec.h"
#include "store/sqlite/lines.h"
#include "store/sqlite/rollups.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct bench {
    struct bt_db db;
    struct bt_journal *journal;
};

static int open_bench(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    *state = &bench;
    return bt_db_open(":memory:", BT_DB_TEMPORARY, &bench.db, NULL) ||
           bt_journal_sqlite(&bench.db, &bench.journal, NULL);
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    bench->journal->ops->close(bench->journal);
    bt_db_close(&bench->db);
    return 0;
}

static struct bt_exec *make_exec(uint64_t key)
{
    struct bt_exec *exec = bt_exec_new();
    assert_non_null(exec);
    exec->key = key;
    exec->id = bt_id_make((int64_t)key, key, key);
    (void)snprintf(exec->tenant, sizeof exec->tenant, "main");
    (void)snprintf(exec->namespace, sizeof exec->namespace, "a.b");
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "f");
    exec->next_n = 9;
    assert_int_equal(bt_histories_add(&exec->histories, 5, BT_CREATED), BT_OK);
    return exec;
}

static struct bt_taskrun *make_run(uint32_t n, uint32_t task, uint32_t parent, const char *value)
{
    struct bt_taskrun *run = bt_taskrun_new();
    assert_non_null(run);
    run->n = n;
    run->task = task;
    run->parent = parent;
    run->id = bt_id_make(1, n, n);
    run->value = value ? bt_value_cstr(value) : NULL;
    assert_int_equal(bt_histories_add(&run->histories, 5, BT_CREATED), BT_OK);
    return run;
}

static int commit(struct bench *bench, struct bt_batch batch)
{
    return bench->journal->ops->commit(bench->journal, &batch, NULL);
}

static void commit_exec(struct bench *bench, struct bt_exec *exec)
{
    const struct bt_exec *execs[] = {exec};
    assert_int_equal(commit(bench, (struct bt_batch){.execs = execs, .exec_count = 1}), BT_OK);
}

static int64_t ask(struct bench *bench, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(bench->db.handle, sql, -1, &statement, NULL), SQLITE_OK);
    int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_finalize(statement);
    return number;
}

static void check_counted(struct bench *bench, const char *where, int64_t want)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "SELECT sum(count) FROM rollups WHERE %s", where);
    int64_t counted = ask(bench, sql);
    if (counted != want)
        fail_msg("%s: %lld instead of %lld", where, (long long)counted, (long long)want);
    char recount[8192];
    (void)snprintf(recount, sizeof recount, "SELECT count(*) FROM (%s)", bt_sql_recount);
    assert_int_equal(ask(bench, recount), 0);
}

static void move(struct bt_exec *exec, enum bt_state state, int64_t at_us)
{
    exec->state = state;
    assert_int_equal(bt_histories_add(&exec->histories, at_us, state), BT_OK);
}

/* Counters move once with each state, also when a commit fails between, an execution starts anew,
 * or an answer was lost; labels follow. */
static void test_counters(void **state)
{
    struct bench *bench = *state;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *one = make_exec(1), *two = make_exec(2);
    one->labels = bt_map_new(0);
    assert_int_equal(bt_map_puts(one->labels, "team", bt_value_cstr("x")), BT_OK);
    commit_exec(bench, one);
    check_counted(bench, "kind=0 AND flow=1 AND state='CREATED'", 1);
    move(one, BT_RUNNING, 6);
    const struct bt_exec *execs[] = {one, two};
    struct bt_event_row events[] = {{1, 1, {.kind = BT_EVENT_OPEN}},
                                    {1, 1, {.kind = BT_EVENT_OPEN}}};
    struct bt_batch batch = {
        .execs = execs, .exec_count = 2, .events_put = events, .events_put_count = 2};
    assert_true(bench->journal->ops->commit(bench->journal, &batch, NULL) < 0);
    check_counted(bench, "kind=0 AND flow=1", 1);
    batch.events_put_count = 0;
    assert_int_equal(bench->journal->ops->commit(bench->journal, &batch, NULL), BT_OK);
    assert_int_equal(bench->journal->ops->commit(bench->journal, &batch, NULL), BT_OK); /* Again. */
    check_counted(bench, "kind=1 AND period=0 AND flow=1 AND state='RUNNING'", 1);
    check_counted(bench, "kind=2 AND flow=0", 2);
    move(one, BT_FAILED, 5 + 1000);
    one->is_drained = true;
    assert_int_equal(bt_map_puts(one->labels, "team", bt_value_cstr("y")), BT_OK);
    commit_exec(bench, one);
    assert_int_equal(ask(bench, "SELECT sum_us FROM rollups WHERE kind=2 AND flow=0 AND"
                                " state='FAILED'"),
                     1000);
    assert_int_equal(ask(bench, "SELECT count(*) FROM labels WHERE value='y' AND exec=1"), 1);
    assert_int_equal(ask(bench, "SELECT count(*) FROM labels"), 1);
    move(one, BT_RESTARTED, 2000);
    commit_exec(bench, one);
    check_counted(bench, "kind=0 AND flow=1 AND state='RESTARTED'", 1);
    assert_int_equal(ask(bench, "SELECT count(*) FROM rollups WHERE state='FAILED'"), 0);
}

/* Task runs: of a new execution, of one that is there, ended and started again. */
static void test_run_counters(void **state)
{
    struct bench *bench = *state;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *one = make_exec(1);
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = make_run(1, 4, 0, NULL);
    const struct bt_exec *execs[] = {one};
    struct bt_run_row row = {1, run, "t"};
    struct bt_batch batch = {.execs = execs, .exec_count = 1, .runs = &row, .run_count = 1};
    run->histories.count = 0;
    static const struct {
        enum bt_state state;
        int64_t at_us;
    } moves[] = {{BT_CREATED, 7}, {BT_RUNNING, 9}, {BT_SUCCESS, 20}, {BT_RUNNING, 30}};
    for (size_t i = 0; i < BT_COUNT(moves); i++) {
        char where[64];
        run->state = moves[i].state;
        assert_int_equal(bt_histories_add(&run->histories, moves[i].at_us, moves[i].state), BT_OK);
        assert_int_equal(bench->journal->ops->commit(bench->journal, &batch, NULL), BT_OK);
        batch.exec_count = 0; /* The next ones find the execution in the table. */
        (void)snprintf(where, sizeof where, "kind=3 AND flow=1 AND state='%s'",
                       bt_state_name(moves[i].state));
        check_counted(bench, where, 1);
        check_counted(bench, "kind=3 AND flow=0", 1);
    }
}

static struct bt_value *metrics_of(const double *values, size_t count)
{
    struct bt_value *list = bt_list_new(count);
    for (size_t i = 0; i < count; i++) {
        struct bt_value *item = bt_map_new(2);
        assert_int_equal(bt_map_puts(item, "name", bt_value_cstr("m")), BT_OK);
        assert_int_equal(bt_map_puts(item, "value", bt_value_double(values[i])), BT_OK);
        assert_int_equal(bt_list_push(list, item), BT_OK);
    }
    return list;
}

static void check_metric(struct bench *bench, const char *where, int64_t want)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM metrics WHERE %s", where);
    if (ask(bench, sql) != want)
        fail_msg("not %lld: %s", (long long)want, where);
    check_counted(bench, "kind=3 AND flow=0", ask(bench, "SELECT count(*) FROM task_runs"));
}

/* Metrics count when their run ends, once: not before, not twice when it is written again, with the
 * new values when they change, no more when it lives again or its execution is removed. */
static void test_metric_counters(void **state)
{
    struct bench *bench = *state;
    static const double first[] = {0.1, 0.2, 1e300}, second[] = {-7, 3};
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *one = make_exec(1), *two = make_exec(2);
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = make_run(1, 4, 0, NULL);
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *other = make_run(1, 4, 0, NULL);
    const struct bt_exec *execs[] = {one, two};
    struct bt_run_row rows[] = {{1, run, "t"}, {2, other, "t"}};
    struct bt_batch batch = {.execs = execs, .exec_count = 2, .runs = rows, .run_count = 2};
    run->metrics = metrics_of(first, 3);
    other->metrics = metrics_of(second, 1);
    run->state = other->state = BT_RUNNING;
    assert_int_equal(commit(bench, batch), BT_OK);
    check_metric(bench, "1", 0);
    run->state = other->state = BT_SUCCESS;
    assert_int_equal(bt_histories_add(&run->histories, 3 * BT_HOUR_US, BT_SUCCESS), BT_OK);
    assert_int_equal(bt_histories_add(&other->histories, 4 * BT_HOUR_US - 1, BT_SUCCESS), BT_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(commit(bench, batch), BT_OK);
        check_metric(bench,
                     "flow=1 AND task='t' AND name='m' AND hour=3 AND count=4 AND"
                     " whole=9007199254740985 AND nanos=300000000 AND least=-7 AND"
                     " greatest=9007199254740992",
                     1);
    }
    bt_value_unref(other->metrics);
    other->metrics = metrics_of(second, 2);
    assert_int_equal(commit(bench, batch), BT_OK);
    check_metric(bench, "count=5 AND whole=9007199254740988 AND nanos=300000000", 1);
    run->state = BT_RUNNING;
    assert_int_equal(commit(bench, batch), BT_OK);
    check_metric(bench, "count=2 AND whole=-4 AND nanos=0", 1);
    const uint64_t drops[] = {2};
    assert_int_equal(commit(bench, (struct bt_batch){.drops = drops, .drop_count = 1}), BT_OK);
    check_metric(bench, "1", 0);
}

/* What ended and is removed in one batch leaves nothing. */
static void test_metric_come_and_gone(void **state)
{
    struct bench *bench = *state;
    static const double values[] = {1.5};
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *one = make_exec(1);
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = make_run(1, 4, 0, NULL);
    struct bt_run_row row = {1, run, "t"};
    const uint64_t drops[] = {1};
    commit_exec(bench, one);
    run->metrics = metrics_of(values, 1);
    run->state = BT_FAILED;
    assert_int_equal(bt_histories_add(&run->histories, 9, BT_FAILED), BT_OK);
    struct bt_batch batch = {.runs = &row, .run_count = 1, .drops = drops, .drop_count = 1};
    assert_int_equal(commit(bench, batch), BT_OK);
    check_metric(bench, "1", 0);
}

/* Sums hold what was put into them, whatever the values are. */
static void test_metric_parts(void **state)
{
    (void)state;
    static const struct {
        double value;
        int64_t whole, nanos;
    } rows[] = {
        {0, 0, 0},
        {2.5, 2, 500000000},
        {-2.5, -2, -500000000},
        {0.1, 0, 100000000},
        {1e-10, 0, 0},
        {-6e-10, 0, -1},
        {0.9999999999, 0, 1000000000},
        {9007199254740991.0, 9007199254740991, 0},
        {9007199254740994.0, 9007199254740992, 0},
        {-1e300, -9007199254740992, 0},
        {(double)INFINITY, 9007199254740992, 0},
        {(double)NAN, 0, 0},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_metric_parts parts = bt_metric_parts(rows[i].value);
        assert_int_equal(parts.whole, rows[i].whole);
        assert_int_equal(parts.nanos, rows[i].nanos);
    }
}

/* A chunk with lines of one level in one hour. */
static struct bt_log_chunk make_chunk(uint64_t exec, int64_t hour, enum bt_level level, uint32_t n)
{
    struct bt_log_chunk chunk = {.exec = exec, .lines = n, .levels = 1u << level, .hour_count = 1};
    chunk.hours[0].hour = hour;
    chunk.hours[0].counts[level] = n;
    return chunk;
}

/* Lines count with the rows of their chunks, by hour, and go with their execution. */
static void test_line_counters(void **state)
{
    struct bench *bench = *state;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *one = make_exec(1), *two = make_exec(2);
    const struct bt_exec *execs[] = {one, two};
    struct bt_log_chunk chunks[] = {
        make_chunk(1, 7, BT_LEVEL_TRACE, 1), make_chunk(1, 9, BT_LEVEL_ERROR, 1),
        make_chunk(2, 7, BT_LEVEL_WARN, 2), make_chunk(3, 7, BT_LEVEL_TRACE, 5), /* Of none. */
    };
    chunks[0].hours[0].counts[BT_LEVEL_DEBUG] = 2;
    chunks[0].hours[0].counts[BT_LEVEL_INFO] = 3;
    chunks[0].hours[1].hour = 9;
    chunks[0].hours[1].counts[BT_LEVEL_ERROR] = 4;
    chunks[0].hour_count = 2;
    chunks[0].lines = 10;
    chunks[1].first_line = 10;
    struct bt_event_row events[] = {{1, 1, {.kind = BT_EVENT_OPEN}},
                                    {1, 1, {.kind = BT_EVENT_OPEN}}};
    struct bt_batch batch = {.execs = execs,
                             .exec_count = 2,
                             .chunks = chunks,
                             .chunk_count = 4,
                             .events_put = events,
                             .events_put_count = 2};
    assert_true(bench->journal->ops->commit(bench->journal, &batch, NULL) < 0);
    assert_int_equal(ask(bench, "SELECT count(*) FROM log_lines"), 0);
    batch.events_put_count = 0;
    assert_int_equal(commit(bench, batch), BT_OK);
    assert_int_equal(ask(bench, "SELECT trace*1000+debug*100+info*10+warn FROM log_lines"
                                " WHERE flow=1 AND hour=7"),
                     1232);
    assert_int_equal(ask(bench, "SELECT error FROM log_lines WHERE flow=0 AND hour=9"), 5);
    check_counted(bench, "kind=0 AND flow=0", 2);
    const uint64_t drops[] = {1, 2};
    batch = (struct bt_batch){
        .log_drops = drops, .log_drop_count = 1, .chunks = chunks + 1, .chunk_count = 1};
    assert_int_equal(commit(bench, batch), BT_OK); /* A chunk that comes after the removal. */
    assert_int_equal(ask(bench, "SELECT count(*) FROM log_chunks WHERE exec=1"), 1);
    assert_int_equal(ask(bench, "SELECT error FROM log_lines WHERE flow=1 AND hour=9"), 1);
    check_counted(bench, "kind=0 AND flow=0", 2);
    assert_int_equal(commit(bench, (struct bt_batch){.drops = drops, .drop_count = 1}), BT_OK);
    assert_int_equal(ask(bench, "SELECT warn FROM log_lines WHERE flow=1 AND hour=7"), 2);
    assert_int_equal(ask(bench, "SELECT count(*) FROM log_lines"), 2);
    check_counted(bench, "kind=0 AND flow=0", 1);
    assert_int_equal(commit(bench, (struct bt_batch){.drops = drops + 1, .drop_count = 1}), BT_OK);
    assert_int_equal(ask(bench, "SELECT count(*) FROM log_lines"), 0);
    check_counted(bench, "1", 0);
}

/* What a chunk's row says is read as it was written; nothing else is believed. */
static void test_line_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {"[", "[[1,2,3]]", "[1]", "[[],[],[],[],[]]",
                                      "[[1,0,0,0,0,0,0]]"};
    struct bt_log_chunk chunk = make_chunk(1, -3, BT_LEVEL_ERROR, UINT32_MAX), back;
    chunk.hours[0].counts[BT_LEVEL_DEBUG] = 2;
    chunk.hours[1] = (struct bt_log_hour){.hour = 1};
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1024);
    chunk.hour_count = 2;
    bt_lines_format(&chunk, &text);
    assert_int_equal(bt_lines_parse(bt_buf_str(&text), &back, NULL), BT_OK);
    assert_int_equal(back.hour_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(back.hours[i].hour, chunk.hours[i].hour);
        assert_memory_equal(back.hours[i].counts, chunk.hours[i].counts,
                            sizeof chunk.hours[i].counts);
    }
    assert_int_equal(bt_lines_parse(BT_STR_NONE, &back, NULL), BT_OK);
    assert_int_equal(back.hour_count, 0);
    for (size_t i = 0; i < BT_COUNT(bad); i++)
        assert_true(bt_lines_parse(bt_str_of(bad[i]), &back, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counters, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_run_counters, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_metric_counters, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_metric_come_and_gone, open_bench, close_bench),
        cmocka_unit_test(test_metric_parts),
        cmocka_unit_test_setup_teardown(test_line_counters, open_bench, close_bench),
        cmocka_unit_test(test_line_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
