/* asks_test.c — Goal: expressions of a job get what they ask for, secrets leave sealed and masked,
 * and whatever the world does the result comes. Method: evaluate jobs by themselves, and a real
 * worker, over a world that this test is. */
#include "worker/worker_case.h"

#include "value/sealed.h"
#include "worker/evaluate.h"

/* --- The world -------------------------------------------------------------------------------- */

static int block_ms; /* Each question takes so long. */
static bool is_broken;

static int open_text(const struct bt_value *sealed, struct bt_value **ret_value)
{
    struct bt_str code = bt_map_str(sealed, "value"); /* "sealed:TEXT" */
    *ret_value = bt_value_string(bt_str_slice(code, 7, code.len));
    return BT_OK;
}

static int seal_text(const struct bt_value *args, struct bt_value **ret_value)
{
    char code[512];
    (void)snprintf(code, sizeof code, "sealed:%.*s", BT_FMT(bt_map_str(args, "text")));
    *ret_value = bt_sealed_new(bt_value_cstr(code), bt_value_ref(bt_map_gets(args, "masked")));
    return BT_OK;
}

static int answer(void *data, const struct bt_question *question, struct bt_value **ret_value,
                  struct bt_err *err)
{
    (void)data;
    struct bt_str key = bt_map_str(question->args, "key");
    (void)poll(NULL, 0, block_ms);
    if (is_broken)
        return bt_fail(err, BT_IO, "the world is away");
    if (strcmp(question->function, "unseal") == 0)
        return open_text(bt_map_gets(question->args, "value"), ret_value);
    if (strcmp(question->function, "seal") == 0)
        return seal_text(question->args, ret_value);
    if (strcmp(question->function, "kv") == 0 && bt_str_is(key, "n"))
        *ret_value = bt_value_int32(7);
    else if (strcmp(question->function, "kv") == 0)
        *ret_value = bt_value_null();
    else if (bt_str_is(key, "none"))
        return bt_fail(err, BT_NOT_FOUND, "Cannot find secret for key 'none'.");
    else
        *ret_value = bt_value_cstr(bt_str_is(key, "short") ? "ab" : "topsecret");
    return BT_OK;
}

static int open_world(void **state)
{
    block_ms = 0;
    is_broken = false;
    world = (struct bt_world){NULL, answer};
    return set_up(state);
}

/* An evaluate job of templates given as JSON. */
static struct bt_job *make_evaluation(const char *templates, const char *variables)
{
    struct bt_job *job = make_job("log", "    message: x\n");
    assert_int_equal(bt_json_parse(bt_str_of(templates), NULL, &job->templates, NULL), BT_OK);
    bt_value_unref(job->variables);
    assert_int_equal(bt_json_parse(bt_str_of(variables), NULL, &job->variables, NULL), BT_OK);
    return job;
}

static const char *evaluate(const char *templates, const char *variables)
{
    static char text[4096];
    struct bt_job *job = make_evaluation(templates, variables);
    bt_worker_submit(worker, job);
    struct bt_job_result *result = wait_result(told.count + 1);
    BT_VALUE printed = bt_json_text(result->outputs);
    (void)snprintf(text, sizeof text, "%s %.*s%s", bt_state_name(result->state),
                   BT_FMT(bt_value_str(printed)), result->error ? result->error : "");
    return text;
}

static void expect(const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        fail_msg("got  %s\nwant %s", got, want);
}

/* --- Evaluate jobs ---------------------------------------------------------------------------- */

static void test_kinds(void **state)
{
    (void)state;
    expect(evaluate("[{\"k\":\"a\",\"t\":\"{{ kv('n') + 1 }}\",\"as\":\"value\"},"
                    "{\"k\":\"b\",\"t\":\"{{ kv('n') }}\",\"as\":\"typed\"},"
                    "{\"k\":\"c\",\"t\":\"{{ kv('n') == 7 }}\",\"as\":\"bool\"},"
                    "{\"k\":\"d\",\"t\":{\"x\":[\"{{ v }}\",1]},\"as\":\"value\"},"
                    "{\"k\":\"e\",\"t\":\"{{ kv('x') ?? 'none' }}\",\"as\":\"value\"}]",
                    "{\"v\":\"w\"}"),
           "SUCCESS {\"a\":{\"v\":\"8\"},\"b\":{\"v\":7},\"c\":{\"v\":true},"
           "\"d\":{\"v\":{\"x\":[\"w\",1]}},\"e\":{\"v\":\"none\"}}");
}

/* Each fails by itself; after a runIf that is not true nothing is asked. */
static void test_errors(void **state)
{
    (void)state;
    const char *got = evaluate("[{\"k\":\"a\",\"t\":\"{{ secret('none') }}\",\"as\":\"value\"},"
                               "{\"k\":\"b\",\"t\":\"{{ broken\",\"as\":\"value\"},"
                               "{\"k\":\"c\",\"t\":\"ok\",\"as\":\"value\"}]",
                               "{}");
    assert_non_null(strstr(got, "Cannot find secret for key 'none'"));
    assert_non_null(strstr(got, "\"b\":{\"c\":-1,\"e\":"));
    assert_non_null(strstr(got, "\"c\":{\"v\":\"ok\"}"));
    expect(evaluate("[{\"k\":\"runIf\",\"t\":\"{{ kv('n') == 8 }}\",\"as\":\"bool\"},"
                    "{\"k\":\"c\",\"t\":\"ok\",\"as\":\"value\"}]",
                    "{}"),
           "SUCCESS {\"runIf\":{\"v\":false}}");
    is_broken = true;
    got = evaluate("[{\"k\":\"a\",\"t\":\"{{ kv('n') }}\",\"as\":\"value\"}]", "{}");
    assert_non_null(strstr(got, "the world is away"));
    got = evaluate("[]", "{\"v\":{\"type\":\"io.kestra.datatype:aes_encrypted\",\"value\":\"x\"}}");
    assert_non_null(strstr(got, "FAILED"));
}

static void test_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *template, *as, *want;
    } rows[] = {
        {"a {{ secret('t') }}", "value", "\"masked\":\"a **masked*\""},
        {"{{ secret('t') | upper }}", "value", "\"masked\":\"**masked**\""},
        {"x {{ secret('short') }} abc", "value", "\"masked\":\"x ** **c\""},
        {"{{ secret('t') | length }}", "typed", "\"masked\":\"**masked**\""},
        {"{{ secret('t') == 'topsecret' }}", "bool", "{\"v\":true}"},
        {"{{ v }}", "value", "\"masked\":\"**masked***\""},
        {"{{ [v, 'x'] }}", "typed", "\"x\"]"},
        {"plain", "value", "{\"v\":\"plain\"}"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        char templates[512];
        (void)snprintf(templates, sizeof templates, "[{\"k\":\"k\",\"t\":\"%s\",\"as\":\"%s\"}]",
                       rows[i].template, rows[i].as);
        const char *got = evaluate(templates, "{\"v\":{\"type\":\"" BT_SEALED_TYPE "\",\"value\":"
                                              "\"sealed:innersecret\",\"masked\":\"*\"}}");
        if (!strstr(got, rows[i].want) || strstr(got, "\"topsecret") ||
            strstr(got, "\"innersecret"))
            fail_msg("%s: got %s, not %s", rows[i].template, got, rows[i].want);
    }
}

/* --- Tasks ------------------------------------------------------------------------------------ */

static void test_task(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell", "    commands:\n"
                     "      - echo say {{ secret('t') }} {{ kv('n') }}\n"
                     "      - echo '::{\"outputs\":{\"o\":\"x {{ secret('t') }}\"}}::'\n"
                     "      - echo topsecret >&2; exit 3\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_non_null(strstr(logs(), "I say **masked* 7\n"));
    assert_non_null(strstr(logs(), "E **masked*\n"));
    assert_null(strstr(logs(), "topsecret"));
    const struct bt_value *vars = bt_map_gets(result->outputs, "vars");
    assert_true(bt_sealed_is(bt_map_gets(vars, "o")));
    forget();
    told.logs = (struct bt_buf)BT_BUF_INIT(256u << 20);
    result = run("shell", "    commands: [\"{{ secret('none') }}\"]\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_non_null(strstr(result->error, "Cannot find secret"));
    assert_null(result->outputs);
}

/* A question under way: the kill and the timeout count as soon as it is answered. */
static void test_slow(void **state)
{
    (void)state;
    static const char templates[] = "[{\"k\":\"a\",\"t\":\"{{ kv('n') }}\",\"as\":\"value\"}]";
    block_ms = 100;
    struct bt_job *job = make_evaluation(templates, "{}");
    job->timeout_us = 10000;
    bt_worker_submit(worker, job);
    assert_int_equal(wait_result(1)->state, BT_FAILED);
    assert_non_null(strstr(told.results[0].error, "Timeout after 00:00:00.010"));
    job = make_evaluation(templates, "{}");
    uint64_t token = job->token;
    bt_worker_submit(worker, job);
    (void)poll(NULL, 0, 20);
    bt_worker_kill(worker, token);
    assert_int_equal(wait_result(2)->state, BT_KILLED);
    assert_null(told.results[1].outputs);
}

/* http() without the plugin says so; it does not hang. */
static void test_no_plugin(void **state)
{
    (void)state;
    const char *got = evaluate(
        "[{\"k\":\"a\",\"t\":\"{{ http('http://127.0.0.1:1/') }}\",\"as\":\"value\"}]", "{}");
    assert_non_null(strstr(got, "http() needs the plugin 'http'"));
}

static void test_read_limits(void **state)
{
    (void)state;
    static const char uri[] = "baton:///company/team/flow/executions/exec/big";
    char templates[256];
    for (int extra = 0; extra < 2; extra++) {
        struct bt_file_writer *writer = NULL;
        char *text = calloc(1, BT_READ_BYTES_MAX + 1);
        assert_non_null(text);
        memset(text, 'x', BT_READ_BYTES_MAX + 1);
        assert_int_equal(bt_files_create(files, "main", bt_str_of(uri), &writer, NULL), BT_OK);
        assert_int_equal(bt_file_write(writer, text, BT_READ_BYTES_MAX + (size_t)extra, NULL),
                         BT_OK);
        assert_int_equal(bt_file_commit(writer, NULL), BT_OK);
        free(text);
        (void)snprintf(templates, sizeof templates,
                       "[{\"k\":\"a\",\"t\":\"{{ read('%s') | length }}\",\"as\":\"value\"}]", uri);
        const char *got = evaluate(templates, "{}");
        assert_non_null(strstr(got, extra ? "more than the limit of" : "{\"v\":\"10485760\"}"));
    }
}

#define ASK_CASE(name) cmocka_unit_test_setup_teardown(name, open_world, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_CASE(test_kinds),       ASK_CASE(test_errors), ASK_CASE(test_secrets),
        ASK_CASE(test_task),        ASK_CASE(test_slow),   ASK_CASE(test_no_plugin),
        ASK_CASE(test_read_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
