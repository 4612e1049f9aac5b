/* ask_test.c — Goal: what a plugin asks for is answered, and nothing else: only properties marked
 * late are rendered, the key is seen by nobody, events are durable when it is told so. Method: the
 * executable of test/plugins/wild in a real worker. */
#include "worker/worker_case.h"

#include "worker/host/catalog.h"
#include "worker/host/seal.h"

static struct bt_job *make_trigger(const char *type)
{
    static struct bt_task task;
    struct bt_job *job = make_job("log", "    message: x\n");
    task = (struct bt_task){.id = "trigger", .type = bt_type_find(bt_str_of(type))};
    assert_non_null(task.type);
    job->task = &task;
    return job;
}

static void test_render(void **state)
{
    (void)state;
    struct bt_job_result *result = run("wild.ask", "    text: x\n    late: \"{{ x + 1 }}\"\n");
    assert_int_equal(result->state, BT_SUCCESS);
    const struct bt_value *outputs = result->outputs;
    static const char *const refused[] = {"early", "unknown"};
    for (size_t i = 0; i < BT_COUNT(refused); i++)
        assert_true(bt_str_is(bt_map_str(bt_map_gets(outputs, refused[i]), "code"), "not_found"));
    expect_json(bt_map_gets(outputs, "late"), "{\"type\":\"reply\",\"value\":42,\"isTrue\":true}");
    expect_json(bt_map_gets(outputs, "other"),
                "{\"type\":\"reply\",\"value\":\"[1]+world\",\"isTrue\":true}");
    const struct bt_value *wrong = bt_map_gets(outputs, "wrong");
    assert_true(bt_str_is(bt_map_str(wrong, "code"), "failed"));
    assert_true(bt_str_starts(bt_map_str(wrong, "error"), BT_STR("late: ")));
}

static void test_encrypt(void **state)
{
    (void)state;
    static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    (void)run("wild.ask", "    late: 0\n");
    const struct bt_value *reply = bt_map_gets(told.results[0].outputs, "sealed");
    assert_true(bt_str_find(bt_map_str(reply, "error"), BT_STR("no encryption key"), 0) >= 0);
    assert_int_equal(setenv("BATON_ENCRYPTION_KEY", key, 1), 0);
    assert_int_equal(setenv("BATON_WORKER_TOKEN", "token", 1), 0);
    worker = bt_worker_stop(worker, false); /* The environment of its warden is of its start. */
    start_worker(4, 300);
    struct bt_job_result *result = run("wild.ask", "    late: 0\n");
    assert_int_equal(unsetenv("BATON_ENCRYPTION_KEY"), 0);
    assert_int_equal(unsetenv("BATON_WORKER_TOKEN"), 0);
    reply = bt_map_gets(bt_map_gets(result->outputs, "sealed"), "value");
    assert_true(bt_str_is(bt_map_str(reply, "type"), "io.kestra.datatype:aes_encrypted"));
    assert_int_equal(bt_map_str(reply, "value").len, (12 + 6 + 16 + 2) / 3 * 4);
    assert_true(bt_str_is(bt_map_str(result->outputs, "key"), "none none"));
}

/* Keys that are none. */
static void test_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {
        NULL,
        "",
        "x",
        "AAECAwQFBgcICQoLDA0ODw==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
    };
    for (size_t i = 0; i < BT_COUNT(keys); i++) {
        struct bt_value *sealed = NULL;
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(bt_seal(bt_str_of(keys[i]), BT_STR("text"), &sealed, &err),
                         BT_UNAVAILABLE);
        assert_null(sealed);
    }
}

static void flush_once(const char *error, const char *answer)
{
    flush_error = error;
    bt_worker_submit(worker, make_trigger("wild.listen"));
    struct bt_job_result *result = wait_result(1);
    assert_int_equal(result->state, BT_SUCCESS);
    expect_json(flushed, "[{\"variables\":{\"n\":1}}]");
    expect_json(bt_map_gets(result->outputs, "events"),
                "[{\"variables\":{\"n\":2},\"id\":\"two\"}]");
    expect_json(bt_map_gets(result->outputs, "state"), answer);
    forget();
    flush_error = NULL;
}

static void test_flush(void **state)
{
    (void)state;
    flush_once(NULL, "{\"type\":\"reply\"}");
    flush_once("the disk is full",
               "{\"type\":\"reply\",\"code\":\"io\",\"error\":\"the disk is full\"}");
}

static bool has_flushed(void)
{
    pthread_mutex_lock(&told.mutex);
    bool is_so = flushed != NULL;
    pthread_mutex_unlock(&told.mutex);
    return is_so;
}

/* A trigger that waits for an answer that never comes is killed as any other. */
static void test_kill_in_flush(void **state)
{
    (void)state;
    struct bt_job *job = make_trigger("wild.listen");
    uint64_t token = job->token;
    is_flush_answered = false;
    bt_worker_submit(worker, job);
    for (int i = 0; i < 5000 && !has_flushed(); i++)
        (void)poll(NULL, 0, 1);
    bt_worker_kill(worker, token);
    assert_int_equal(wait_result(1)->state, BT_KILLED);
    bt_worker_flushed(worker, token, NULL); /* Too late: of no consequence. */
    is_flush_answered = true;
}

static void use_plugins(void)
{
    char exe[4096];
    char path[sizeof exe + 64];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    assert_true(len > 0);
    exe[len] = '\0';
    *strrchr(exe, '/') = '\0';
    (void)snprintf(path, sizeof path, "%s/test/plugins", exe);
    assert_int_equal(setenv("BATON_PLUGINS", path, 1), 0);
    bt_catalog_use();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_render), CASE(test_encrypt),       cmocka_unit_test(test_keys),
        CASE(test_flush),  CASE(test_kill_in_flush),
    };
    use_plugins();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
