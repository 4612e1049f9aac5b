/* Goal: outputs too large for a row go to the internal storage and come back when an expression
 * names them; a worker's view of outputs is that of its job's version.
 * Method: a runner over SQLite in memory and files in a temporary directory; jobs that the test
 * ends itself. */
#include "journal/runner/bench_int.h"
#include "journal/runner/snapshot.h"
#include "sys/fs.h"

#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct bt_files *storage;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/bt-spill-XXXXXX");
    return mkdtemp(root) ? bt_files_open_local(root, &storage, NULL) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    storage = bt_files_close(storage);
    return bt_fs_remove_tree(AT_FDCWD, root, NULL);
}

/* A job ends with {"v": text of so many bytes}. */
static void finish_with(struct bench *bench, size_t bytes)
{
    assert_true(bench->jobs.count > 0);
    struct bt_job *job = bench->jobs.items[--bench->jobs.count];
    char *text = malloc(bytes);
    assert_non_null(text);
    memset(text, 'x', bytes);
    struct bt_job_result result = {.exec_key = job->exec_key,
                                   .taskrun = job->taskrun,
                                   .token = job->token,
                                   .state = BT_SUCCESS,
                                   .outputs = bt_map_new(1),
                                   .started_us = bench->wall_us,
                                   .ended_us = bench->wall_us};
    assert_int_equal(
        bt_map_puts(result.outputs, "v", bt_value_string((struct bt_str){text, bytes})), BT_OK);
    free(text);
    bt_runner_result(bench->runner, &result);
    bt_job_free(job);
    settle(bench);
}

static int count_file(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    (void)path, (void)type, (void)err;
    ++*(size_t *)data;
    return BT_OK;
}

static size_t count_files(void)
{
    size_t files = 0;
    BT_FD dir = open(root, O_RDONLY | O_DIRECTORY);
    assert_int_equal(bt_fs_walk(dir, count_file, &files, NULL), BT_OK);
    return files;
}

static const char flow_source[] =
    "id: s\nnamespace: a\ntasks:\n"
    "  - {id: t, type: shell, commands: [x]}\n"
    "  - {id: u, type: return, format: \"{{ outputs.t.v | length }}\"}\n"
    "  - {id: w, type: shell, commands: [\"{{ outputs.u.value }}\"]}\n"
    "  - {id: x, type: return, format: \"{{ outputs.t.v | length }}{{ outputs.w.v }}\"}\n";

static void start(struct bench *bench)
{
    bench_open(bench);
    bench->files = storage;
    restart(bench);
    put_flow(bench, flow_source);
    create(bench, "s", NULL);
    settle(bench);
}

/* At, and just above the limit: {"v":"…"} has 8 bytes more than its text. */
static void test_limit(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct bench bench;
        size_t before = count_files();
        start(&bench);
        finish_with(&bench, BT_OUTPUT_INLINE_MAX - 8 + more);
        assert_int_equal(count_files() - before, more);
        assert_int_equal(count(&bench, "SELECT length(record) < 1000 FROM task_runs WHERE n=1"),
                         more);
        assert_int_equal(count(&bench, "SELECT instr(record, '\"262137\"') + "
                                       "instr(record, '\"262136\"') > 0 "
                                       "FROM task_runs WHERE task_id='u'"),
                         1);
        restart(&bench); /* The next ones read the file again. */
        settle(&bench);
        finish_with(&bench, 1);
        check_state(&bench, 1, BT_SUCCESS);
        check_empty(&bench);
        bench_done(&bench);
    }
}

/* A file that is gone fails what names it, and nothing else. */
static void test_missing(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench);
    finish_with(&bench, BT_OUTPUT_INLINE_MAX * 2);
    assert_int_equal(bt_fs_remove_tree(AT_FDCWD, root, NULL), BT_OK);
    finish_with(&bench, 1);
    check_state(&bench, 1, BT_FAILED);
    check_empty(&bench);
    bench_done(&bench);
    assert_int_equal(mkdir(root, 0700), 0);
}

static void check_fetch(struct bt_snapshot *snapshot, const struct bt_job *job, const char *task,
                        const char *want)
{
    BT_VALUE path = bt_list_new(2), *value = NULL;
    assert_int_equal(bt_list_push(path, bt_value_cstr("outputs")), BT_OK);
    assert_int_equal(bt_list_push(path, bt_value_cstr(task)), BT_OK);
    struct bt_fetch_request request = {job, path, true};
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_snapshot_fetch(snapshot, &request, &value, &err);
    if (!want) {
        assert_int_equal(rc, BT_NOT_FOUND);
        return;
    }
    assert_int_equal(rc, BT_OK);
    BT_VALUE length = bt_value_int((int64_t)bt_map_str(value, "v").len);
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(100);
    (void)bt_buf_add_i64(&text, bt_value_as_int(length));
    assert_string_equal(bt_buf_cstr(&text), want);
}

static void test_snapshot(void **state)
{
    (void)state;
    struct bench bench;
    struct bt_snapshot *snapshot = NULL;
    start(&bench);
    assert_int_equal(bt_snapshot_new(bench.journal, storage, &snapshot, NULL), BT_OK);
    finish_with(&bench, BT_OUTPUT_INLINE_MAX * 2);
    struct bt_job job = {.tenant = "main", .as_of = {2, 4}, .now_us = bench.wall_us};
    memcpy(job.exec_id, bench.jobs.items[0]->exec_id, sizeof job.exec_id);
    finish_with(&bench, 7);
    check_fetch(snapshot, &job, "t", "524288");
    check_fetch(snapshot, &job, "w", "0"); /* It had not ended then. */
    check_fetch(snapshot, &job, "x", NULL);
    job.as_of = (struct bt_as_of){4, 5};
    check_fetch(snapshot, &job, "w", "7");
    BT_VALUE path = bt_list_new(1), *value = NULL;
    struct bt_fetch_request request = {&job, path, true};
    assert_int_equal(bt_snapshot_fetch(snapshot, &request, &value, NULL), BT_INVALID);
    assert_int_equal(bt_list_push(path, bt_value_cstr("inputs")), BT_OK);
    assert_int_equal(bt_snapshot_fetch(snapshot, &request, &value, NULL), BT_INVALID);
    job.as_of.next_n = 99; /* Of the future. */
    assert_int_equal(bt_snapshot_fetch(snapshot, &request, &value, NULL), BT_INVALID);
    (void)snprintf(job.exec_id, sizeof job.exec_id, "nobody");
    assert_int_equal(bt_snapshot_fetch(snapshot, &request, &value, NULL), BT_NOT_FOUND);
    bt_snapshot_free(snapshot);
    bench_done(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_snapshot, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("spill", tests, NULL, NULL);
}
