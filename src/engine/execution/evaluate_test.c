/* evaluate_test.c — Goal: what asks for the world is rendered by a worker and by nobody else, once
 * for each start, and every word about it (late, lost, killed, failed) leads to the right end.
 * Method: the lab; the test is the worker. Each case also with every row forgotten between events.
 */
#include "engine/execution/lab_int.h"

#include "value/json.h"
#include "value/sealed.h"

#define HEAD "id: f\nnamespace: test\n"
#define SEALED                                                                                     \
    "{\"type\":\"io.kestra.datatype:aes_encrypted\",\"value\":\"x\",\"masked\":\"a ***\"}"

/* The keys that the oldest job asks for, as "runIf:bool message:value". */
static void check_asked(struct lab *lab, const char *want)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
    assert_true(lab->jobs.count > 0);
    const struct bt_value *list = lab->jobs.items[0].templates;
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *item = bt_list_at(list, i);
        (void)bt_buf_addf(&text, "%s%.*s:%.*s", i ? " " : "", BT_FMT(bt_map_str(item, "k")),
                          BT_FMT(bt_map_str(item, "as")));
    }
    assert_string_equal(text.len ? bt_buf_cstr(&text) : "", want);
}

/* The oldest job answers with this JSON. */
static void answer_as(struct lab *lab, enum bt_state state, const char *json)
{
    struct lab_job job = lab_take_job(lab);
    struct bt_value *outputs = NULL;
    if (json)
        assert_int_equal(bt_json_parse(bt_str_of(json), NULL, &outputs, NULL), BT_OK);
    lab_started(lab, job);
    lab_send(lab, (struct bt_event){.kind = BT_EVENT_RESULT,
                                    .taskrun = job.taskrun,
                                    .token = job.token,
                                    .state = state,
                                    .outputs = outputs,
                                    .error = json ? NULL : bt_value_cstr("it broke")});
    lab_settle(lab);
}

static void answer(struct lab *lab, const char *json)
{
    answer_as(lab, BT_SUCCESS, json);
}

static void open_forgetful(struct lab *lab, const char *source, bool forgets)
{
    lab_open(lab, source);
    lab->forgets = forgets;
    lab_begin(lab);
}

static void test_log(void **state)
{
    (void)state;
    for (int forgets = 0; forgets < 2; forgets++) {
        struct lab lab;
        open_forgetful(&lab,
                       HEAD "tasks:\n"
                            "  - {id: r, type: return, format: one}\n"
                            "  - {id: t, type: log, level: WARN,"
                            " message: \"{{ kv('a') }} {{ outputs.r.value }}\"}\n"
                            "  - {id: u, type: log, message: after}\n",
                       forgets);
        check_asked(&lab, "message:value");
        struct bt_value *outputs = bt_map_gets(lab.jobs.items[0].variables, "outputs");
        assert_true(bt_str_is(bt_map_str(bt_map_gets(outputs, "r"), "value"), "one"));
        assert_true(lab.jobs.items[0].timeout_us == BT_EVALUATE_US_MAX);
        lab_check_state(&lab, "t", BT_CREATED);
        assert_true(lab_run(&lab, "t")->is_evaluating);
        answer(&lab, "{\"message\":{\"v\":\"hello\"}}");
        assert_true(lab_has_log(&lab, "hello") && lab_has_log(&lab, "after"));
        lab_check_histories(&lab_run(&lab, "t")->histories, "CREATED RUNNING SUCCESS");
        assert_int_equal(lab_run(&lab, "t")->attempt_count, 1);
        lab_check_end(&lab, BT_SUCCESS);
        lab_done(&lab);
    }
}

/* Pure templates never leave the batch. */
static void test_pure_stays(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "variables: {io: \"{{ kv('a') }}\", pure: \"{{ 1 + 1 }}\"}\n"
                         "tasks:\n"
                         "  - {id: a, type: return, format: \"{{ render(vars.pure) }}\"}\n"
                         "  - {id: b, type: return, format: \"{{ false ? kv('a') : 'no' }}\"}\n"
                         "  - {id: c, type: return, format: \"{{ render(vars.io) }}\"}\n");
    lab_check_state(&lab, "b", BT_SUCCESS);
    assert_true(bt_str_is(lab_output(&lab, "a", "value"), "2"));
    check_asked(&lab, "format:value"); /* Found while it was rendered again. */
    answer(&lab, "{\"format\":{\"v\":\"x\"}}");
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);
}

static void test_run_if(void **state)
{
    (void)state;
    static const char source[] =
        HEAD "tasks:\n  - {id: t, type: shell, commands: [\"{{ kv('x') }}\"],"
             " runIf: \"{{ kv('a') }}\", timeout: \"{{ kv('t') }}\"}\n";
    struct lab lab;
    lab_start(&lab, source); /* A worker's task: its own properties are its worker's. */
    check_asked(&lab, "runIf:bool timeout:value");
    answer(&lab, "{\"runIf\":{\"v\":false}}");
    lab_check_state(&lab, "t", BT_SKIPPED);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);

    lab_start(&lab, source);
    answer(&lab, "{\"runIf\":{\"v\":true},\"timeout\":{\"v\":\"PT2S\"}}");
    assert_null(lab.jobs.items[0].templates);
    assert_int_equal(lab.jobs.items[0].timeout_us, 2000000);
    assert_false(lab_run(&lab, "t")->is_evaluating);
    lab_finish_job(&lab, BT_SUCCESS);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);

    lab_start(&lab, source);
    answer(&lab, "{\"runIf\":{\"e\":\"no such key\",\"c\":-1}}");
    assert_true(lab_has_log(&lab, "no such key"));
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

static void test_flowables(void **state)
{
    (void)state;
    for (int forgets = 0; forgets < 2; forgets++) {
        struct lab lab;
        open_forgetful(&lab,
                       HEAD
                       "tasks:\n"
                       "  - {id: i, type: if, condition: \"{{ kv('a') }}\", then: [{id: y, type: "
                       "log, message: y}]}\n"
                       "  - {id: s, type: switch, value: \"{{ kv('a') }}\", cases: {b: [{id: z, "
                       "type: log, message: z}]}}\n"
                       "  - {id: e, type: foreach, values: \"{{ kv('a') }}\", tasks: [{id: v, "
                       "type: log, message: \"got {{ taskrun.value }}\"}]}\n",
                       forgets);
        check_asked(&lab, "condition:bool");
        answer(&lab, "{\"condition\":{\"v\":true}}");
        lab_check_state(&lab, "y", BT_SUCCESS);
        check_asked(&lab, "value:value");
        answer(&lab, "{\"value\":{\"v\":\"b\"}}");
        lab_check_state(&lab, "z", BT_SUCCESS);
        check_asked(&lab, "values:value");
        answer(&lab, "{\"values\":{\"v\":\"[1, 2]\"}}");
        assert_true(lab_has_log(&lab, "got 1") && lab_has_log(&lab, "got 2"));
        lab_check_end(&lab, BT_SUCCESS);
        lab_done(&lab);
    }
}

static void test_assert(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab,
              HEAD "tasks:\n  - {id: t, type: assert, conditions: [\"{{ kv('a') }}\", \"{{ 1 == "
                   "1 }}\", \"{{ secret('b') }}\"]}\n");
    check_asked(&lab, "conditions/0:bool conditions/1:bool conditions/2:bool");
    answer(&lab, "{\"conditions/0\":{\"v\":false},\"conditions/1\":{\"v\":true},"
                 "\"conditions/2\":{\"e\":\"none there\"}}");
    assert_true(lab_has_log(&lab, "kv('a') }}` failed"));
    assert_true(lab_has_log(&lab, "cannot be rendered: none there"));
    assert_true(lab_has_log(&lab, "2 assertions failed!"));
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

/* Each try asks anew; a failed job is a failed try. */
static void test_retry(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab,
              HEAD "tasks:\n  - {id: t, type: return, format: \"{{ kv('a') }}\", retry: {type: "
                   "constant, interval: PT1S, maxAttempt: 3}}\n");
    answer_as(&lab, BT_FAILED, NULL);
    lab_check_state(&lab, "t", BT_RETRYING);
    assert_true(lab_has_log(&lab, "it broke"));
    lab_fire(&lab);
    answer(&lab, "{\"format\":{\"e\":\"not yet\"}}");
    lab_check_state(&lab, "t", BT_RETRYING);
    lab_fire(&lab);
    answer(&lab, "{\"format\":{\"v\":\"now\"}}");
    assert_true(bt_str_is(lab_output(&lab, "t", "value"), "now"));
    assert_int_equal(lab_run(&lab, "t")->attempt_count, 3);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);
}

static void test_lost_and_late(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - {id: t, type: return, format: \"{{ kv('a') }}\"}\n");
    struct lab_job old = lab_take_job(&lab);
    lab_lost(&lab, old);
    assert_int_equal(lab.jobs.count, 1);
    assert_true(lab.jobs.items[0].token != old.token);
    lab_result(&lab, old, BT_FAILED); /* A late word. */
    lab_lost(&lab, old);
    assert_int_equal(lab.jobs.count, 1);
    answer(&lab, "{\"format\":{\"v\":\"x\"}}");
    assert_int_equal(lab_run(&lab, "t")->attempt_count, 1);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);

    lab_start(&lab, HEAD "tasks:\n  - {id: t, type: return, format: \"{{ kv('a') }}\", "
                         "retryOnWorkerLoss: false}\n");
    lab_lost(&lab, lab_take_job(&lab));
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

static void test_kill(void **state)
{
    (void)state;
    static const char source[] =
        HEAD "tasks:\n  - {id: t, type: return, format: \"{{ kv('a') }}\"}\n"
             "  - {id: u, type: log, message: x}\n";
    for (int how = 0; how < 3; how++) { /* It is killed, lost, or answers all the same. */
        struct lab lab;
        lab_start(&lab, source);
        lab_kill(&lab);
        assert_int_equal(lab.kills, 1);
        assert_false(lab.exec->is_drained);
        if (how == 0)
            lab_result(&lab, lab_take_job(&lab), BT_KILLED);
        else if (how == 1)
            lab_lost(&lab, lab_take_job(&lab));
        else
            answer(&lab, "{\"format\":{\"v\":\"x\"}}");
        lab_check_state(&lab, "t", BT_KILLED);
        assert_null(lab_find(&lab, "u", NULL));
        lab_check_end(&lab, BT_KILLED);
        lab_done(&lab);
    }
}

static void test_outputs(void **state)
{
    (void)state;
    static const char source[] =
        HEAD "timeout: PT1H\ntasks:\n  - {id: t, type: return, format: a}\noutputs:\n"
             "  - {id: o, type: INT, value: \"{{ kv('a') }}\"}\n"
             "  - {id: p, type: STRING, value: \"{{ outputs.t.value }}\"}\n";
    struct lab lab;
    lab_start(&lab, source);
    check_asked(&lab, "o:value p:value");
    assert_int_equal(lab.jobs.items[0].taskrun, 0);
    assert_int_equal(lab.exec->state, BT_RUNNING);
    struct lab_job old = lab_take_job(&lab);
    lab_lost(&lab, old);
    lab_result(&lab, old, BT_FAILED);
    answer(&lab, "{\"o\":{\"v\":\"7\"},\"p\":{\"v\":\"a\"}}");
    assert_int_equal(bt_value_as_int(bt_map_gets(lab.exec->outputs, "o")), 7);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);

    lab_start(&lab, source);
    answer(&lab, "{\"o\":{\"e\":\"no key\"},\"p\":{\"v\":\"a\"}}");
    assert_true(lab_has_log(&lab, "Failed to render output values: no key"));
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);

    lab_start(&lab, source);
    answer_as(&lab, BT_FAILED, NULL);
    assert_true(lab_has_log(&lab, "Failed to render output values: it broke"));
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);

    for (int how = 0; how < 2; how++) {
        lab_start(&lab, source);
        lab_kill(&lab);
        if (how == 0)
            lab_result(&lab, lab_take_job(&lab), BT_KILLED);
        else
            lab_lost(&lab, lab_take_job(&lab));
        lab_check_end(&lab, BT_KILLED);
        lab_done(&lab);
    }

    lab_start(&lab, source); /* The flow's timeout while the outputs are rendered. */
    lab_fire(&lab);
    lab_result(&lab, lab_take_job(&lab), BT_KILLED);
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

/* A sealed value is kept as it is, shown masked, and opened by workers only. */
static void test_sealed(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n"
                         "  - {id: r, type: return, format: \"{{ secret('a') }}\"}\n"
                         "  - {id: l, type: log, message: \"{{ outputs.r.value }}\"}\n"
                         "  - {id: j, type: shell, commands: [\"{{ outputs.r.value }}\"]}\n"
                         "  - {id: v, type: set_variables, variables: {x: \"{{ secret('a') }}\"}}\n"
                         "  - {id: w, type: log, message: \"{{ vars.x }}\"}\n"
                         "  - {id: b, type: set_labels, labels: {x: \"{{ secret('a') }}\"}}\n");
    answer(&lab, "{\"format\":{\"v\":" SEALED "}}");
    assert_true(bt_sealed_is(bt_map_gets(lab_run(&lab, "r")->outputs, "value")));
    assert_true(lab_has_log(&lab, "a ***"));
    assert_false(lab_has_log(&lab, "aes"));
    check_asked(&lab, "message:value");
    assert_true(bt_sealed_has(lab.jobs.items[0].variables));
    answer(&lab, "{\"message\":{\"v\":" SEALED "}}");
    assert_null(lab.jobs.items[0].templates); /* The worker of a task opens it itself. */
    assert_true(bt_sealed_has(lab.jobs.items[0].variables));
    lab_finish_job(&lab, BT_SUCCESS);
    answer(&lab, "{\"variables\":{\"v\":{\"x\":" SEALED "}}}");
    assert_true(lab.exec->is_sealed);
    check_asked(&lab, "message:value");
    answer(&lab, "{\"message\":{\"v\":\"w\"}}");
    answer(&lab, "{\"labels\":{\"v\":{\"x\":" SEALED "}}}");
    assert_true(lab_has_log(&lab, "a label must not hold a secret"));
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

static void test_sealed_refused(void **state)
{
    (void)state;
    static const struct {
        const char *task, *key, *words;
    } rows[] = {
        {"type: foreach, values: \"{{ secret('a') }}\", tasks: [{id: x, type: log, message: x}]",
         "values", "an iteration value must not hold a secret"},
        {"type: switch, value: \"{{ secret('a') }}\", defaults: [{id: x, type: log, message: x}]",
         "value", "the value of a switch must not hold a secret"},
        {"type: sleep, duration: \"{{ secret('a') }}\"", "duration",
         "a duration must not hold a secret"},
        {"type: kv.set, key: \"{{ secret('a') }}\", value: x", "key", "key must not hold a secret"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct lab lab;
        char source[512], json[256];
        (void)snprintf(source, sizeof source, HEAD "tasks:\n  - {id: t, %s}\n", rows[i].task);
        (void)snprintf(json, sizeof json, "{\"%s\":{\"v\":" SEALED "}}", rows[i].key);
        lab_start(&lab, source);
        answer(&lab, json);
        if (!lab_has_log(&lab, rows[i].words))
            fail_msg("%s", rows[i].words);
        lab_check_end(&lab, BT_FAILED);
        lab_done(&lab);
    }
}

/* Tasks of the namespace: a request, and its answer as the attempt's result. */
static void test_space(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab,
              HEAD "tasks:\n  - {id: s, type: kv.set, key: k, value: \"{{ 1 + 1 }}\", ttl: PT1S,"
                   " overwrite: \"{{ 1 == 2 }}\"}\n"
                   "  - {id: g, type: kv.get, key: \"{{ kv('name') }}\", namespace: other}\n");
    assert_int_equal(lab.spaces.count, 1);
    BT_VALUE want = NULL;
    assert_int_equal(bt_json_parse(BT_STR("{\"op\":\"put\",\"key\":\"k\",\"overwrite\":false,"
                                          "\"value\":2,\"ttlUs\":1000000}"),
                                   NULL, &want, NULL),
                     BT_OK);
    assert_true(bt_value_equal(lab.spaces.items[0].request, want));
    lab_check_state(&lab, "s", BT_RUNNING);
    struct lab_job job = {
        lab.spaces.items[0].taskrun, lab.spaces.items[0].token, 0, NULL, NULL, {0}};
    lab_result(&lab, job, BT_SUCCESS);
    lab_result(&lab, job, BT_FAILED); /* It counts once. */
    lab_check_state(&lab, "s", BT_SUCCESS);
    check_asked(&lab, "key:value");
    answer(&lab, "{\"key\":{\"v\":\"k2\"}}");
    assert_true(bt_str_is(bt_map_str(lab.spaces.items[1].request, "key"), "k2"));
    assert_true(bt_str_is(bt_map_str(lab.spaces.items[1].request, "namespace"), "other"));
    lab_result(&lab,
               (struct lab_job){
                   lab.spaces.items[1].taskrun, lab.spaces.items[1].token, 0, NULL, NULL, {0}},
               BT_FAILED);
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_pure_stays),
        cmocka_unit_test(test_run_if),
        cmocka_unit_test(test_flowables),
        cmocka_unit_test(test_assert),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_lost_and_late),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_sealed_refused),
        cmocka_unit_test(test_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
