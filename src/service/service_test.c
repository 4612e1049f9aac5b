/* service_test.c — Goal: the use cases answer after the commit, and what is wrong is refused with
 * words and leaves nothing behind. Method: a real runner's thread over SQLite in memory and a
 * storage of its own. */
#include "service/service.h"

#include "journal/sqlite/sqlite.h"
#include "sys/fs.h"
#include "value/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    char dir[64], file[96];
    struct bt_db db;
    struct bt_journal *journal;
    struct bt_service service;
    struct bt_vault *vault;
    struct bt_principal principal;
    struct bt_flow *flow;
};

static void no_submit(void *data, struct bt_job *job)
{
    (void)data;
    bt_job_free(job);
}

static void no_kill(void *data, uint64_t token)
{
    (void)data;
    (void)token;
}

static int open_bench(void **state)
{
    static struct bench bench;
    bench = (struct bench){.dir = "/tmp/baton-service-XXXXXX", .principal = bt_principal_local()};
    *state = &bench;
    char root[96];
    if (!mkdtemp(bench.dir))
        return 1;
    (void)snprintf(root, sizeof root, "%s/storage", bench.dir);
    (void)snprintf(bench.file, sizeof bench.file, "%s/given.txt", bench.dir);
    FILE *file = fopen(bench.file, "we");
    (void)fputs("content", file);
    (void)fclose(file);
    char db[96];
    (void)snprintf(db, sizeof db, "%s/x.db", bench.dir);
    if (bt_db_open(db, BT_DB_TEMPORARY, &bench.db, NULL) < 0 ||
        bt_vault_open(NULL, NULL, &bench.vault, NULL) < 0 ||
        bt_server_world_open(db, NULL, bench.vault, &bench.service.world, NULL) < 0 ||
        bt_journal_sqlite(&bench.db, &bench.journal, NULL) < 0 ||
        bt_files_open_local(root, &bench.service.files, NULL) < 0)
        return 1;
    bench.service.vault = bench.vault;
    struct bt_runner_config config = {.journal = bench.journal,
                                      .clock = bt_clock_system(),
                                      .seed = 3,
                                      .dispatcher = {.submit = no_submit, .kill = no_kill}};
    return bt_runner_new(&config, &bench.service.runner, NULL) < 0 ||
           bt_runner_recover(bench.service.runner, NULL) < 0 ||
           bt_runner_start(bench.service.runner, NULL) < 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    bt_runner_free(bench->service.runner);
    bench->journal->ops->close(bench->journal);
    bt_files_close(bench->service.files);
    bt_server_world_close(bench->service.world);
    bt_vault_close(bench->vault);
    bt_db_close(&bench->db);
    bt_flow_unref(bench->flow);
    BT_FD root = -1;
    return bt_fs_open_root("/tmp", &root, NULL) || bt_fs_remove_tree(root, bench->dir + 5, NULL);
}

static int push(struct bench *bench, const char *source, size_t *ret_errors)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_err err = BT_ERR_INIT;
    bench->flow = bt_flow_unref(bench->flow);
    int rc = bt_service_put_flow(
        &bench->service, &bench->principal,
        &(struct bt_flow_push){.source = bt_str_of(source), .diags = &diags}, &bench->flow, &err);
    *ret_errors = diags.errors;
    bt_diags_done(&diags);
    return rc;
}

static const char source[] =
    "id: f\nnamespace: a.b\nlabels: {team: data, size: big}\n"
    "inputs:\n  - {id: n, type: INT, defaults: 3}\n  - {id: data, type: FILE, required: false}\n"
    "tasks:\n  - {id: t, type: sleep, duration: PT1H}\n";

static void push_source(struct bench *bench)
{
    size_t errors;
    assert_int_equal(push(bench, source, &errors), BT_OK);
    assert_int_equal(errors, 0);
}

/* The execution as it is stored; the runner is stopped, so that this thread may read. */
static struct bt_exec *stored(struct bench *bench, uint64_t key)
{
    bench->service.runner = bt_runner_free(bench->service.runner);
    struct bt_exec *exec = NULL;
    assert_int_equal(bench->journal->ops->exec(bench->journal, key, &exec, NULL), BT_OK);
    return exec;
}

static void test_push(void **state)
{
    struct bench *bench = *state;
    size_t errors;
    push_source(bench);
    assert_int_equal(bench->flow->revision, 1);
    push_source(bench);
    assert_int_equal(bench->flow->revision, 1);
    assert_int_equal(push(bench, "id: f\nnamespace: a.b\ntasks: [{id: t, type: fail}]\n", &errors),
                     BT_OK);
    assert_int_equal(bench->flow->revision, 2);
    assert_int_equal(push(bench, "id: f\ntasks: [{id: t, type: lgo}]\n", &errors), BT_INVALID);
    assert_true(errors >= 2); /* All that is wrong at once. */
    assert_null(bench->flow);
}

static void test_start(void **state)
{
    struct bench *bench = *state;
    push_source(bench);
    BT_VALUE inputs = bt_map_new(1), *labels = bt_map_new(2);
    assert_int_equal(bt_map_puts(inputs, "n", bt_value_cstr("42")), BT_OK);
    assert_int_equal(bt_map_puts(labels, "size", bt_value_cstr("small")), BT_OK);
    assert_int_equal(bt_map_puts(labels, "run", bt_value_cstr("1")), BT_OK);
    struct bt_input_file file = {"data", bench->file, 0};
    struct bt_start_request request = {
        .flow = bench->flow, .inputs = inputs, .labels = labels, .files = &file, .file_count = 1};
    struct bt_start_result result;
    assert_int_equal(bt_service_start(&bench->service, &bench->principal, &request, &result, NULL),
                     BT_OK);
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = stored(bench, result.key);
    assert_string_equal(exec->id.text, result.id.text);
    assert_true(bt_id_is_valid(bt_id_str(&result.id)));
    assert_string_equal(exec->tenant, "main");
    assert_string_equal(exec->namespace, "a.b");
    assert_int_equal(exec->revision, 1);
    assert_int_equal(exec->state, BT_RUNNING);
    assert_int_equal(bt_value_as_int(bt_map_gets(exec->inputs, "n")), 42);
    assert_true(bt_str_is(bt_map_str(exec->labels, "team"), "data"));
    assert_true(bt_str_is(bt_map_str(exec->labels, "size"), "small"));
    assert_true(bt_str_is(bt_map_str(exec->labels, "run"), "1"));
    struct bt_str uri = bt_map_str(exec->inputs, "data");
    assert_true(bt_str_starts(uri, BT_STR("baton:///a/b/f/executions/")));
    assert_true(bt_str_ends(uri, BT_STR("/inputs/data/given.txt")));
    BT_FD fd = -1;
    char text[32];
    assert_int_equal(bt_files_open(bench->service.files, "main", uri, &fd, NULL), BT_OK);
    assert_int_equal(read(fd, text, sizeof text), 7);
    assert_memory_equal(text, "content", 7);
    /* The flow's own labels are as they were. */
    assert_true(bt_str_is(bt_map_str(bench->flow->labels, "size"), "big"));
}

static void test_refused(void **state)
{
    struct bench *bench = *state;
    push_source(bench);
    static const struct {
        const char *input, *value, *file_input, *file, *want;
    } rows[] = {
        {"m", "1", NULL, NULL, "no input 'm'"},
        {"n", "many", NULL, NULL, "n"},
        {NULL, NULL, "nope", "", "no input 'nope'"},
        {NULL, NULL, "n", "", "not of type FILE"},
        {NULL, NULL, "data", "/nowhere/x", "cannot open"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_VALUE inputs = bt_map_new(1);
        if (rows[i].input)
            assert_int_equal(bt_map_puts(inputs, rows[i].input, bt_value_cstr(rows[i].value)),
                             BT_OK);
        struct bt_input_file file = {rows[i].file_input,
                                     rows[i].file && *rows[i].file ? rows[i].file : bench->file, 0};
        struct bt_start_request request = {.flow = bench->flow,
                                           .inputs = inputs,
                                           .files = &file,
                                           .file_count = rows[i].file ? 1 : 0};
        struct bt_start_result result;
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(
            bt_service_start(&bench->service, &bench->principal, &request, &result, &err),
            BT_INVALID);
        if (!strstr(err.msg, rows[i].want))
            fail_msg("'%s' lacks '%s'", err.msg, rows[i].want);
    }
    uint64_t key = 0;
    bench->service.runner = bt_runner_free(bench->service.runner);
    assert_int_equal(bench->journal->ops->last_key(bench->journal, &key, NULL), BT_OK);
    assert_int_equal(key, 0);
}

/* Files that were stored for an execution that was then refused are gone. */
static void test_refused_files(void **state)
{
    struct bench *bench = *state;
    push_source(bench);
    BT_VALUE inputs = bt_map_new(1);
    assert_int_equal(bt_map_puts(inputs, "n", bt_value_cstr("many")), BT_OK);
    struct bt_input_file file = {"data", bench->file, 0};
    struct bt_start_request request = {
        .flow = bench->flow, .inputs = inputs, .files = &file, .file_count = 1};
    struct bt_start_result result;
    assert_int_equal(bt_service_start(&bench->service, &bench->principal, &request, &result, NULL),
                     BT_INVALID);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/storage/main/a/b/f/executions", bench->dir);
    if (rmdir(path) < 0)
        assert_int_equal(errno, ENOENT); /* Else there is something in it. */
}

static void test_kill(void **state)
{
    struct bench *bench = *state;
    push_source(bench);
    struct bt_start_request request = {.flow = bench->flow};
    struct bt_start_result result;
    assert_int_equal(bt_service_start(&bench->service, &bench->principal, &request, &result, NULL),
                     BT_OK);
    assert_int_equal(bt_service_kill(&bench->service, &bench->principal, result.key, NULL), BT_OK);
    assert_int_equal(bt_service_kill(&bench->service, &bench->principal, 99, NULL), BT_NOT_FOUND);
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = stored(bench, result.key);
    assert_int_equal(exec->state, BT_KILLED);
}

static void test_disabled(void **state)
{
    struct bench *bench = *state;
    size_t errors;
    assert_int_equal(
        push(bench, "id: f\nnamespace: a\ndisabled: true\ntasks: [{id: t, type: fail}]\n", &errors),
        BT_OK);
    struct bt_start_request request = {.flow = bench->flow};
    struct bt_start_result result;
    assert_int_equal(bt_service_start(&bench->service, &bench->principal, &request, &result, NULL),
                     BT_CONFLICT);
}

/* --- Key-values ------------------------------------------------------------------------------- */

static int put(struct bench *bench, const char *json, uint32_t *ret_revision)
{
    BT_VALUE request = NULL;
    assert_int_equal(bt_json_parse(bt_str_of(json), NULL, &request, NULL), BT_OK);
    const struct bt_kv_put what = {"a.b", request};
    return bt_service_kv_put(&bench->service, &bench->principal, &what, ret_revision, NULL);
}

static int count_key(void *data, const struct bt_kv *kv)
{
    (void)kv;
    ++*(int *)data;
    return BT_OK;
}

static void test_kv(void **state)
{
    struct bench *bench = *state;
    struct bt_service *service = &bench->service;
    const struct bt_principal *principal = &bench->principal;
    const struct bt_kv_name name = {"a.b", BT_STR("k")};
    uint32_t revision = 0;
    struct bt_kv *kv = NULL;
    bool was_there = true;
    assert_int_equal(put(bench, "{\"key\":\"k\",\"value\":{\"a\":1}}", &revision), BT_OK);
    assert_int_equal(put(bench, "{\"key\":\"k\",\"value\":2,\"ifRevision\":1}", &revision), BT_OK);
    assert_int_equal(revision, 2);
    assert_int_equal(put(bench, "{\"key\":\"k\",\"value\":3,\"ifRevision\":1}", &revision),
                     BT_CONFLICT);
    assert_int_equal(put(bench, "{\"key\":\"k\",\"value\":3,\"overwrite\":false}", &revision),
                     BT_EXISTS);
    assert_int_equal(put(bench, "{\"key\":\"?\",\"value\":3}", &revision), BT_INVALID);
    assert_int_equal(put(bench, "{\"key\":\"kk\",\"value\":3,\"ttlUs\":1}", &revision), BT_OK);
    assert_int_equal(bt_service_kv_get(service, principal, name, &kv, NULL), BT_OK);
    assert_int_equal(bt_value_as_int(kv->value), 2);
    assert_int_equal(kv->type, BT_KV_NUMBER);
    bt_kv_free(kv);
    struct bt_principal other = {.tenant = "other", .user = "x"};
    assert_int_equal(bt_service_kv_get(service, &other, name, &kv, NULL), BT_NOT_FOUND);
    int count = 0;
    const struct bt_kv_query query = {BT_STR("k"), count_key, &count};
    assert_int_equal(bt_service_kv_list(service, principal, "a.b", &query, NULL), BT_OK);
    assert_int_equal(count, 2);
    assert_int_equal(bt_service_kv_delete(service, &other, name, &was_there, NULL), BT_OK);
    assert_false(was_there);
    assert_int_equal(bt_service_kv_delete(service, principal, name, &was_there, NULL), BT_OK);
    assert_true(was_there);
    assert_int_equal(bt_service_kv_get(service, principal, name, &kv, NULL), BT_NOT_FOUND);
}

static void test_reveal(void **state)
{
    struct bench *bench = *state;
    BT_VALUE sealed = NULL, *outputs = bt_map_new(1), *shown = NULL, *strange = NULL;
    BT_VALUE masked = bt_value_cstr("*");
    struct bt_vault_place place = {"main", "a.b"};
    assert_int_equal(bt_vault_seal(bench->vault, place, BT_STR("text"), masked, &sealed), BT_OK);
    assert_int_equal(bt_map_puts(outputs, "v", BT_TAKE(sealed)), BT_OK);
    assert_int_equal(bt_service_reveal(&bench->service, &bench->principal, "a.b", outputs, &shown),
                     BT_OK);
    assert_true(bt_str_is(bt_map_str(shown, "v"), "text"));
    assert_int_equal(bt_service_reveal(&bench->service, &bench->principal, "a", outputs, &strange),
                     BT_OK);
    assert_true(bt_value_equal(strange, outputs)); /* Of another namespace: it stays sealed. */
}

/* --- Secrets ---------------------------------------------------------------------------------- */

static void test_secret(void **state)
{
    (void)state;
    static const struct {
        const char *key, *code, *want;
    } rows[] = {
        {"my_Key", "dGV4dA==", "text"},
        {"broken", "dG\nV4\r\ndA==\n", "text"},
        {"empty", "", ""},
        {"bad", "???", NULL},
        {"bytes", "/w==", NULL},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        char name[64];
        BT_VALUE text = NULL;
        (void)snprintf(name, sizeof name, "SECRET_%s", rows[i].key);
        for (char *c = name; *c; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        assert_int_equal(setenv(name, rows[i].code, 1), 0);
        int rc = bt_env_secret(bt_str_of(rows[i].key), &text, NULL);
        assert_int_equal(rc, rows[i].want ? BT_OK : BT_INVALID);
        assert_true(!rows[i].want || bt_str_is(bt_value_str(text), rows[i].want));
    }
    struct bt_err err = BT_ERR_INIT;
    BT_VALUE text = NULL;
    assert_int_equal(bt_env_secret(BT_STR("no_such"), &text, &err), BT_NOT_FOUND);
    assert_string_equal(err.msg, "Cannot find secret for key 'no_such'.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_push, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_start, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_refused, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_refused_files, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_kill, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_disabled, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_kv, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_reveal, open_bench, close_bench),
        cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
