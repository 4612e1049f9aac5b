/* lines_test.c — Goal: chunks that are older than the counters are counted at the next start, once,
 * whatever is wrong with some of them. Method: rows without counts over real segments. */
#include "store/sqlite/lines.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { CHUNKS = 1200 }; /* More than are counted in one transaction. */

struct bench {
    char dir[64];
    struct bt_db db;
    struct bt_logs *logs;
};

static int open_bench(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    *state = &bench;
    (void)snprintf(bench.dir, sizeof bench.dir, "/tmp/baton-lines-XXXXXX");
    if (!mkdtemp(bench.dir))
        return 1;
    return bt_db_open(":memory:", BT_DB_TEMPORARY, &bench.db, NULL) ||
           bt_logs_open(bench.dir, false, &bench.logs, NULL);
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    char path[96];
    bt_db_close(&bench->db);
    bench->logs = bt_logs_close(bench->logs);
    (void)snprintf(path, sizeof path, "%s/00000001.seg", bench->dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/00000000.seg", bench->dir);
    (void)unlink(path);
    return rmdir(bench->dir);
}

static int64_t ask(struct bench *bench, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(bench->db.handle, sql, -1, &statement, NULL), SQLITE_OK);
    int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_finalize(statement);
    return number;
}

static void run(struct bench *bench, const char *sql)
{
    assert_int_equal(bt_db_exec(&bench->db, sql, NULL), BT_OK);
}

/* An INFO line and an ERROR an hour later. */
static void add_chunk(struct bench *bench, int exec, int first_line)
{
    const struct bt_log_entry entries[] = {
        {7 * INT64_C(3600000000), 1, 1, BT_LEVEL_INFO, {"a", 1}},
        {8 * INT64_C(3600000000), 1, 1, BT_LEVEL_ERROR, {"b", 1}},
    };
    struct bt_log_chunk chunk;
    size_t used;
    char sql[256];
    assert_int_equal(bt_logs_append(bench->logs, entries, BT_COUNT(entries), &chunk, &used, NULL),
                     BT_OK);
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO log_chunks VALUES(%d,%d,2,20,%lld,%lld,%u,%llu,%u,NULL)", exec,
                   first_line, (long long)chunk.from_us, (long long)chunk.to_us, chunk.segment,
                   (unsigned long long)chunk.offset, chunk.length);
    run(bench, sql);
}

static void test_fill(void **state)
{
    struct bench *bench = *state;
    run(bench, "INSERT INTO executions SELECT value,'main','i'||value,'a','f',1,'SUCCESS',1,2,1,"
               "1+value%2,0,1,0,NULL,'',NULL,NULL FROM json_each('[1,2]')");
    for (int i = 0; i < CHUNKS; i++)
        add_chunk(bench, 1 + i % 2, 2 * i);
    add_chunk(bench, 3, 0);                                                 /* Of no execution. */
    run(bench, "INSERT INTO log_chunks VALUES(2,-5,9,1,1,1,77,0,10,NULL)"); /* No such segment. */
    assert_int_equal(bt_lines_fill(&bench->db, bench->logs, NULL), BT_OK);
    assert_int_equal(ask(bench, "SELECT count(*) FROM log_lines"), 0); /* There is no mark. */
    run(bench, "INSERT INTO numbers VALUES('uncounted_chunks',1)");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bt_lines_fill(&bench->db, bench->logs, NULL), BT_OK);
        assert_int_equal(ask(bench, "SELECT info FROM log_lines WHERE flow=0 AND hour=7"), CHUNKS);
        assert_int_equal(ask(bench, "SELECT error FROM log_lines WHERE flow=2 AND hour=8"),
                         CHUNKS / 2);
        assert_int_equal(ask(bench, "SELECT sum(trace+debug+info+warn+error) FROM log_lines"),
                         4 * CHUNKS);
        assert_int_equal(ask(bench, "SELECT count(*) FROM numbers"), 0);
        run(bench,
            "INSERT INTO numbers VALUES('uncounted_chunks',1)"); /* Died before it was off. */
    }
    assert_int_equal(ask(bench, "SELECT count(*) FROM log_chunks WHERE counts IS NULL"), 1);
    assert_int_equal(ask(bench, "SELECT count(*) FROM log_chunks WHERE counts='[]'"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fill, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
