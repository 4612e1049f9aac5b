/* db_test.c — Goal: only a database that we understand is opened, and it is never harmed. Method:
 * files made, damaged, aged and made newer; errors looked at by code and hint. */
#include "store/sqlite/db.h"

#include "base/own.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[64], path[80];
};

static int make_place(void **state)
{
    static struct place place;
    (void)snprintf(place.dir, sizeof place.dir, "/tmp/baton-db-XXXXXX");
    if (!mkdtemp(place.dir))
        return 1;
    (void)snprintf(place.path, sizeof place.path, "%s/x.db", place.dir);
    *state = &place;
    return 0;
}

static int drop_place(void **state)
{
    const struct place *place = *state;
    static const char *const names[] = {"x.db", "x.db-wal", "x.db-shm"};
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s/%s", place->dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(place->dir);
}

static int64_t ask(struct bt_db *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    bool is_row = false;
    assert_int_equal(bt_db_prepare(db, sql, &statement, NULL), BT_OK);
    assert_int_equal(bt_db_step(db, statement, &is_row, NULL), BT_OK);
    assert_true(is_row);
    int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    return number;
}

/* Runs SQL on the file without our schema checks. */
static void raw(const char *path, const char *sql)
{
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void refuse(const char *path, enum bt_db_mode mode, int want, const char *part)
{
    struct bt_db db = {0};
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_db_open(path, mode, &db, &err), want);
    assert_null(db.handle);
    if (!strstr(err.msg, part) || !err.hint[0])
        fail_msg("'%s' / '%s' lacks '%s'", err.msg, err.hint, part);
}

/* A new file is migrated from version 0, and an old one as well; then it stays as it is. */
static void test_migrate(void **state)
{
    const struct place *place = *state;
    struct bt_db db;
    raw(place->path, "CREATE TABLE foreign_thing(x)"); /* Version 0, and something in it. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bt_db_open(place->path, BT_DB_DURABLE, &db, NULL), BT_OK);
        assert_int_equal(ask(&db, "PRAGMA user_version"), BT_SCHEMA_VERSION);
        assert_int_equal(ask(&db, "SELECT count(*) FROM executions"), i);
        assert_int_equal(ask(&db, "SELECT count(*) FROM foreign_thing"), 0);
        assert_int_equal(ask(&db, "PRAGMA synchronous"), 2);
        if (i == 0)
            assert_int_equal(bt_db_exec(&db,
                                        "INSERT INTO executions VALUES(1,'','','','',1,'',1,"
                                        "NULL,0,1,0,NULL,0,NULL,'',NULL,NULL)",
                                        NULL),
                             BT_OK);
        bt_db_close(&db);
    }
}

/* The database as version 1 left it gets what came later, and keeps what it has. */
static void test_from_first(void **state)
{
    const struct place *place = *state;
    struct bt_db db;
    assert_int_equal(bt_db_open(place->path, BT_DB_DURABLE, &db, NULL), BT_OK);
    bt_db_close(&db);
    raw(place->path,
        "DROP TABLE key_values; DROP TABLE flows; DROP TABLE executions; DROP TABLE labels;"
        "DROP TABLE rollups; DROP TABLE metrics; DROP TABLE log_lines;"
        "ALTER TABLE log_chunks DROP COLUMN counts; CREATE TABLE executions("
        " key INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, namespace TEXT NOT NULL,"
        " flow_id TEXT NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL,"
        " start_us INTEGER NOT NULL, end_us INTEGER, is_drained INTEGER NOT NULL, record TEXT NOT "
        "NULL);"
        "INSERT INTO executions VALUES(1,'main','i','a','f',1,'SUCCESS',86400000005,86400000012,1,"
        "'{\"lb\":{\"x\":\"y\"},\"tr\":{\"variables\":{\"executionId\":\"up\"}}}'),"
        "(2,'main','j','a','f',1,'RUNNING',86400000006,NULL,0,'not readable');"
        "INSERT INTO task_runs VALUES(1,1,'t',0,0,'','FAILED',"
        "'{\"h\":[[86400000005,\"CREATED\"],[86400000008,\"FAILED\"]],\"m\":["
        "{\"name\":\"a\",\"value\":2},{\"name\":\"a\",\"value\":-3.25},"
        "{\"name\":\"b\",\"value\":1e300}]}'),"
        "(1,2,'t',0,0,'','RUNNING','{\"h\":[[86400000005,\"CREATED\"]],\"m\":["
        "{\"name\":\"a\",\"value\":2}]}');"
        "INSERT INTO log_chunks VALUES(1,0,2,4,1,1,1,0,5);"
        "PRAGMA user_version=1");
    assert_int_equal(bt_db_open(place->path, BT_DB_DURABLE, &db, NULL), BT_OK);
    assert_int_equal(ask(&db, "PRAGMA user_version"), BT_SCHEMA_VERSION);
    assert_int_equal(ask(&db, "SELECT count(*) FROM executions"), 2);
    assert_int_equal(ask(&db, "SELECT count(*) FROM key_values"), 0);
    assert_int_equal(ask(&db, "SELECT exec FROM labels WHERE name='x' AND value='y'"), 1);
    assert_int_equal(ask(&db, "SELECT count(*) FROM executions WHERE parent='up'"), 1);
    assert_int_equal(ask(&db, "SELECT duration_us FROM executions WHERE day=1 AND key=1"), 7);
    assert_int_equal(ask(&db, "SELECT sum_us FROM rollups WHERE kind=2 AND period=1 AND flow=1 AND"
                              " state='SUCCESS' AND count=1 AND min_us=7"),
                     7);
    assert_int_equal(ask(&db, "SELECT sum_us FROM rollups WHERE kind=3 AND flow=0 AND count=1"), 3);
    assert_int_equal(ask(&db, "SELECT sum(count) FROM rollups WHERE kind=1 AND period=24"), 4);
    assert_int_equal(ask(&db, "SELECT count(*) FROM metrics WHERE flow=1 AND task='t' AND hour=24"),
                     2);
    assert_int_equal(ask(&db, "SELECT count(*) FROM metrics WHERE name='a' AND count=2 AND whole=-1"
                              " AND nanos=-250000000 AND least=-3.25 AND greatest=2"),
                     1);
    assert_int_equal(ask(&db, "SELECT whole FROM metrics WHERE name='b'"), INT64_C(1) << 53);
    assert_int_equal(ask(&db, "SELECT count(*) FROM log_chunks WHERE counts IS NULL"), 1);
    assert_int_equal(ask(&db, "SELECT value FROM numbers WHERE name='uncounted_chunks'"), 1);
    bt_db_close(&db);
}

/* A migration that cannot be done changes nothing. */
static void test_migration_fails(void **state)
{
    const struct place *place = *state;
    struct bt_db db = {0};
    raw(place->path, "CREATE TABLE jobs(x)");
    assert_true(bt_db_open(place->path, BT_DB_DURABLE, &db, NULL) < 0);
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(place->path, &handle), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(handle, "SELECT * FROM executions", NULL, NULL, NULL),
                         SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "SELECT x FROM jobs", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void test_newer(void **state)
{
    const struct place *place = *state;
    struct bt_db db;
    char sql[64];
    static const int delta[] = {0, 1, 1000};
    assert_int_equal(bt_db_open(place->path, BT_DB_DURABLE, &db, NULL), BT_OK);
    bt_db_close(&db);
    for (size_t i = 0; i < BT_COUNT(delta); i++) {
        (void)snprintf(sql, sizeof sql, "PRAGMA user_version=%d", BT_SCHEMA_VERSION + delta[i]);
        raw(place->path, sql);
        if (delta[i]) {
            refuse(place->path, BT_DB_DURABLE, BT_INVALID, "newer Baton");
            refuse(place->path, BT_DB_READER, BT_INVALID, "newer Baton");
        } else {
            assert_int_equal(bt_db_open(place->path, BT_DB_DURABLE, &db, NULL), BT_OK);
            bt_db_close(&db);
        }
    }
}

static void test_damaged(void **state)
{
    const struct place *place = *state;
    int fd = open(place->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    char noise[8192];
    memset(noise, 'x', sizeof noise);
    assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
    (void)close(fd);
    refuse(place->path, BT_DB_DURABLE, BT_CORRUPT, "damaged");
    refuse(place->path, BT_DB_READER, BT_CORRUPT, "damaged");
    fd = open(place->path, O_RDONLY | O_CLOEXEC); /* Nobody has "repaired" it. */
    char back[8192];
    assert_int_equal(read(fd, back, sizeof back), sizeof back);
    (void)close(fd);
    assert_memory_equal(noise, back, sizeof noise);
}

static void test_missing(void **state)
{
    const struct place *place = *state;
    char path[128];
    refuse(place->path, BT_DB_READER, BT_IO, "cannot");
    (void)snprintf(path, sizeof path, "%s/no/x.db", place->dir);
    refuse(path, BT_DB_DURABLE, BT_IO, "cannot");
    assert_int_equal(access(place->path, F_OK), -1);
}

/* A reader reads what is committed and writes nothing. */
static void test_reader(void **state)
{
    const struct place *place = *state;
    struct bt_db db, reader;
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_db_open(place->path, BT_DB_DURABLE, &db, NULL), BT_OK);
    assert_int_equal(bt_db_open(place->path, BT_DB_READER, &reader, NULL), BT_OK);
    assert_int_equal(bt_db_exec(&db, "INSERT INTO jobs VALUES(1,1,1)", NULL), BT_OK);
    assert_int_equal(ask(&reader, "SELECT count(*) FROM jobs"), 1);
    assert_int_equal(bt_db_exec(&reader, "DELETE FROM jobs", &err), BT_IO);
    assert_non_null(strstr(err.msg, "cannot be written"));
    assert_int_equal(ask(&db, "SELECT count(*) FROM jobs"), 1);
    bt_db_close(&reader);
    bt_db_close(&db);
}

/* The same text is one statement, given out reset; a failed step can be tried again. */
static void test_statements(void **state)
{
    (void)state;
    static const char sql[] = "INSERT INTO jobs VALUES(?1,1,1)";
    struct bt_db db;
    sqlite3_stmt *one, *two;
    assert_int_equal(bt_db_open(":memory:", BT_DB_TEMPORARY, &db, NULL), BT_OK);
    assert_int_equal(bt_db_prepare(&db, sql, &one, NULL), BT_OK);
    (void)sqlite3_bind_int64(one, 1, 5);
    assert_int_equal(bt_db_run(&db, one, NULL), BT_OK);
    assert_int_equal(bt_db_prepare(&db, sql, &two, NULL), BT_OK);
    assert_ptr_equal(one, two);
    (void)sqlite3_bind_int64(two, 1, 5);
    assert_true(bt_db_run(&db, two, NULL) < 0); /* The row exists. */
    (void)sqlite3_bind_int64(two, 1, 6);
    assert_int_equal(bt_db_run(&db, two, NULL), BT_OK);
    assert_int_equal(ask(&db, "SELECT count(*) FROM jobs"), 2);
    assert_true(bt_db_prepare(&db, "SELECT nonsense FROM nothing", &one, NULL) < 0);
    static char texts[100][32]; /* The cache grows. */
    for (int i = 0; i < 100; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "SELECT %d", i);
        assert_int_equal(ask(&db, texts[i]), i);
    }
    assert_int_equal(ask(&db, texts[7]), 7);
    bt_db_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_migrate, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_from_first, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_migration_fails, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_newer, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_damaged, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_missing, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_reader, make_place, drop_place),
        cmocka_unit_test(test_statements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
