/* step_test.c — Goal: a task run lives and ends as the states say, whatever comes late, twice or in
 * the middle of a kill. Method: flows on the bench, every event by hand; the same with all rows
 * forgotten between events. */
#include "engine/execution/lab_int.h"

#define S INT64_C(1000000)
#define HEAD "id: f\nnamespace: a\n"
#define JOB "{id: t, type: shell, commands: [x]}"

static void test_life(void **state)
{
    (void)state;
    for (int forgets = 0; forgets < 2; forgets++) {
        struct lab lab;
        lab_open(&lab, HEAD "tasks:\n  - " JOB "\n  - {id: u, type: log, message: x}\n");
        lab.forgets = forgets;
        lab_begin(&lab);
        lab_check_histories(&lab.exec->histories, "CREATED RUNNING");
        assert_int_equal(lab.jobs.count, 1);
        assert_true(lab.jobs.items[0].token != 0 && lab.jobs.items[0].token <= INT64_MAX);
        lab_check_state(&lab, "t", BT_CREATED); /* Until a worker begins. */
        struct lab_job job = lab_take_job(&lab);
        lab.now_us += S;
        lab_started(&lab, job);
        lab_check_state(&lab, "t", BT_RUNNING);
        lab.now_us += S;
        lab_result(&lab, job, BT_SUCCESS);
        lab_check_histories(&lab_run(&lab, "t")->histories, "CREATED RUNNING SUCCESS");
        lab_check_histories(&lab_run(&lab, "u")->histories, "CREATED RUNNING SUCCESS");
        lab_check_histories(&lab.exec->histories, "CREATED RUNNING SUCCESS");
        struct bt_attempt *attempt = bt_taskrun_attempt(lab_run(&lab, "t"));
        assert_int_equal(attempt->end_us - attempt->start_us, S);
        lab_check_end(&lab, BT_SUCCESS);
        assert_true(!forgets == (lab.needs == 0));
        lab_done(&lab);
    }
}

/* What a job may end as, and what becomes of it. */
static void test_results(void **state)
{
    (void)state;
    static const struct {
        const char *flags;
        enum bt_state result, run, exec;
        bool goes_on;
    } rows[] = {
        {"", BT_SUCCESS, BT_SUCCESS, BT_SUCCESS, true},
        {"", BT_WARNING, BT_WARNING, BT_WARNING, true},
        {"", BT_FAILED, BT_FAILED, BT_FAILED, false},
        {"", BT_KILLED, BT_KILLED, BT_KILLED, false},
        {"allowFailure: true", BT_FAILED, BT_WARNING, BT_WARNING, true},
        {"allowFailure: true", BT_SUCCESS, BT_SUCCESS, BT_SUCCESS, true},
        {"allowWarning: true", BT_WARNING, BT_SUCCESS, BT_SUCCESS, true},
        {"allowWarning: true", BT_FAILED, BT_FAILED, BT_FAILED, false},
        {"allowFailure: true, allowWarning: true", BT_FAILED, BT_SUCCESS, BT_SUCCESS, true},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
        (void)bt_buf_addf(&text,
                          HEAD "tasks:\n  - {id: t, type: shell, commands: [x], %s}\n"
                               "  - {id: u, type: log, message: x}\n",
                          rows[i].flags);
        struct lab lab;
        lab_start(&lab, bt_buf_cstr(&text));
        lab_finish_job(&lab, rows[i].result);
        lab_check_state(&lab, "t", rows[i].run);
        assert_int_equal(lab_find(&lab, "u", NULL) != NULL, rows[i].goes_on);
        lab_check_end(&lab, rows[i].exec);
        lab_done(&lab);
    }
}

/* A result without a STARTED, twice, with an old token, after the end: one attempt, one end. */
static void test_late_words(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - id: t\n    type: shell\n    commands: [x]\n"
                         "    retry: {type: constant, interval: PT1S, maxAttempts: 2}\n");
    struct lab_job first = lab_take_job(&lab);
    lab_result(&lab, first, BT_FAILED); /* No STARTED came. */
    lab_check_histories(&lab_run(&lab, "t")->histories, "CREATED RUNNING RETRYING");
    lab_result(&lab, first, BT_SUCCESS); /* Twice. */
    lab_started(&lab, first);
    lab_lost(&lab, first);
    lab_check_state(&lab, "t", BT_RETRYING);
    assert_int_equal(lab.timers.count, 1);
    assert_int_equal(lab.jobs.count, 0);
    lab_fire(&lab);
    struct lab_job second = lab_take_job(&lab);
    assert_true(second.token != first.token);
    lab_started(&lab, second);
    lab_started(&lab, second);
    lab_result(&lab, first, BT_FAILED); /* The old one speaks while the new one runs. */
    lab_check_state(&lab, "t", BT_RUNNING);
    assert_int_equal(lab_run(&lab, "t")->attempt_count, 2);
    lab_result(&lab, second, BT_SUCCESS);
    size_t changes = lab.changes;
    lab_result(&lab, second, BT_FAILED);
    lab_started(&lab, second);
    lab_lost(&lab, second);
    lab_kill(&lab);
    lab_begin(&lab);
    assert_int_equal(lab.changes, changes);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);
}

/* A repeated BEGIN, START, TIMER or OPEN changes nothing. */
static void test_repeated(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - " JOB "\n  - {id: s, type: sleep, duration: PT1S}\n");
    lab_begin(&lab);
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_START, .taskrun = 1});
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_OPEN});
    lab_settle(&lab);
    assert_int_equal(lab.jobs.count, 1);
    assert_int_equal(lab.runs.count, 1);
    lab_finish_job(&lab, BT_SUCCESS);
    lab_fire(&lab);
    lab_check_end(&lab, BT_SUCCESS);
    size_t changes = lab.changes;
    for (int kind = BT_TIMER_RETRY; kind <= BT_TIMER_TIMEOUT; kind++)
        lab_send(&lab, (struct bt_event){.kind = BT_EVENT_TIMER,
                                         .taskrun = 2,
                                         .timer = (enum bt_timer_kind)kind});
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_TIMER_KILLED, .taskrun = 2});
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_FINISH});
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_TIMER, .timer = BT_TIMER_TIMEOUT});
    lab_settle(&lab);
    assert_int_equal(lab.changes, changes);
    lab_done(&lab);
}

/* The worker is gone: before it began, while it ran, during a kill, and for a task that runs once.
 */
static void test_lost(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - " JOB "\n");
    struct lab_job first = lab_take_job(&lab);
    lab_lost(&lab, first);
    struct lab_job second = lab_take_job(&lab);
    assert_true(second.token != first.token);
    lab_check_histories(&lab_run(&lab, "t")->histories, "CREATED");
    lab_started(&lab, second);
    lab.now_us += S;
    lab_lost(&lab, second);
    assert_true(lab_has_log(&lab, "lost with its worker"));
    assert_int_equal(lab_run(&lab, "t")->attempts[0].state, BT_KILLED);
    assert_int_equal(lab_run(&lab, "t")->attempts[0].end_us, lab.now_us);
    struct lab_job third = lab_take_job(&lab);
    lab_started(&lab, third);
    assert_int_equal(lab_run(&lab, "t")->attempt_count, 2);
    lab_kill(&lab);
    lab_check_state(&lab, "t", BT_RUNNING);
    lab_lost(&lab, third);
    lab_check_state(&lab, "t", BT_KILLED);
    lab_check_end(&lab, BT_KILLED);
    lab_done(&lab);
}

/* An attempt whose worker is lost is given out as it was: its timeout is not rendered again. */
static void test_lost_keeps_timeout(void **state)
{
    (void)state;
    for (int begins = 0; begins < 2; begins++) {
        struct lab lab;
        lab_start(&lab, HEAD "variables: {limit: PT1H}\ntasks:\n  - id: p\n    type: parallel\n"
                             "    tasks:\n"
                             "      - {id: t, type: shell, commands: [x], "
                             "timeout: \"{{ vars.limit }}\"}\n"
                             "      - {id: u, type: unset_variables, variables: [limit]}\n");
        lab_check_state(&lab, "u", BT_SUCCESS);
        struct lab_job job = lab_take_job(&lab);
        assert_int_equal(job.timeout_us, 3600000000);
        if (begins)
            lab_started(&lab, job);
        lab_lost(&lab, job);
        struct lab_job again = lab_take_job(&lab);
        assert_int_equal(again.timeout_us, 3600000000);
        assert_int_not_equal(again.token, job.token);
        lab_result(&lab, again, BT_SUCCESS);
        lab_check_end(&lab, BT_SUCCESS);
        lab_done(&lab);
    }
}

/* A kill in every state that a task run can be in. */
static void test_kill(void **state)
{
    (void)state;
    static const char source[] =
        HEAD "tasks:\n  - id: p\n    type: parallel\n    tasks:\n"
             "      - {id: given, type: shell, commands: [x]}\n"
             "      - {id: runs, type: shell, commands: [x]}\n"
             "      - {id: sleeps, type: sleep, duration: PT1H}\n"
             "      - {id: retries, type: fail, retry: {type: constant, interval: PT1H}}\n"
             "      - {id: ended, type: log, message: x}\n"
             "    errors: [{id: e1, type: log, message: x}]\n"
             "  - {id: next, type: log, message: x}\n"
             "errors: [{id: e2, type: log, message: x}]\n";
    for (int forgets = 0; forgets < 2; forgets++) {
        struct lab lab;
        lab_open(&lab, source);
        lab.forgets = forgets;
        lab_begin(&lab);
        struct lab_job given = lab_take_job(&lab), runs = lab_take_job(&lab);
        lab_started(&lab, runs);
        lab_kill(&lab);
        assert_int_equal(lab.kills, 1);
        lab_check_histories(&lab.exec->histories, "CREATED RUNNING RETRYING KILLING");
        assert_int_equal(lab.timers.count, 0);
        lab_check_state(&lab, "sleeps", BT_KILLED);
        lab_check_state(&lab, "retries", BT_KILLED);
        lab_check_state(&lab, "p", BT_RUNNING);
        assert_int_equal(lab_run(&lab, "sleeps")->attempts[0].state, BT_KILLED);
        assert_int_equal(lab.ended, 0);
        lab_kill(&lab); /* Twice is once. */
        assert_int_equal(lab.kills, 1);
        lab_result(&lab, given, BT_KILLED);
        lab_result(&lab, runs, BT_SUCCESS); /* It was quicker than the kill. */
        lab_check_state(&lab, "runs", BT_SUCCESS);
        lab_check_state(&lab, "p", BT_KILLED);
        assert_null(lab_find(&lab, "next", NULL));
        assert_null(lab_find(&lab, "e1", NULL));
        assert_null(lab_find(&lab, "e2", NULL));
        lab_check_end(&lab, BT_KILLED);
        lab_done(&lab);
    }
}

/* A kill that overtakes the START, or the BEGIN itself. */
static void test_kill_early(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, HEAD "timeout: PT1H\ntasks:\n  - " JOB "\n");
    lab_kill(&lab);
    lab_begin(&lab);
    lab_check_histories(&lab.exec->histories, "CREATED KILLING KILLED");
    assert_int_equal(lab.runs.count, 0);
    lab_check_end(&lab, BT_KILLED);
    lab_done(&lab);

    lab_open(&lab, HEAD "tasks:\n  - " JOB "\n");
    (void)lab_step(&lab, (struct bt_event){.kind = BT_EVENT_BEGIN});
    (void)lab_step(&lab, lab.queue.items[lab.queue_head++]); /* OPEN: the run is made. */
    assert_int_equal(lab.runs.count, 1);
    (void)lab_step(&lab, (struct bt_event){.kind = BT_EVENT_KILL});
    lab_settle(&lab);
    lab_check_histories(&lab_run(&lab, "t")->histories, "CREATED KILLED");
    assert_int_equal(lab.jobs.count, 0);
    lab_check_end(&lab, BT_KILLED);
    lab_done(&lab);
}

/* The visible end comes first; drained when the last attempt is gone. */
static void test_draining(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - id: p\n    type: parallel\n    tasks:\n"
                         "      - {id: bad, type: shell, commands: [x]}\n"
                         "      - {id: slow, type: shell, commands: [x], "
                         "retry: {type: constant, interval: PT1S}}\n"
                         "      - {id: waits, type: sleep, duration: PT1H}\n");
    struct lab_job bad = lab_take_job(&lab), slow = lab_take_job(&lab);
    lab_started(&lab, slow);
    lab_result(&lab, bad, BT_FAILED);
    assert_int_equal(lab.exec->state, BT_FAILED);
    assert_int_equal(lab.ended, 1);
    assert_false(lab.exec->is_drained);
    assert_int_equal(lab.drained, 0);
    lab_check_state(&lab, "waits", BT_KILLED); /* Waits must not go on. */
    assert_int_equal(lab.exec->live, 1);
    lab_result(&lab, slow, BT_FAILED); /* No errors, no retries any more. */
    assert_int_equal(lab.drained, 1);
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

/* A sleep's own timeout, at both sides of its duration. */
static void test_sleep(void **state)
{
    (void)state;
    static const struct {
        const char *timeout;
        enum bt_state want;
        int64_t seconds;
    } rows[] = {{"PT9S", BT_FAILED, 9}, {"PT10S", BT_SUCCESS, 10}, {"PT11S", BT_SUCCESS, 10}};
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
        (void)bt_buf_addf(&text, HEAD "tasks: [{id: t, type: sleep, duration: PT10S, timeout: %s}]",
                          rows[i].timeout);
        struct lab lab;
        lab_start(&lab, bt_buf_cstr(&text));
        assert_int_equal(lab.timers.count, 1);
        lab_fire(&lab);
        assert_int_equal(lab.now_us - LAB_START_US, rows[i].seconds * S);
        lab_check_end(&lab, rows[i].want);
        assert_int_equal(lab_has_log(&lab, "Timeout"), rows[i].want == BT_FAILED);
        lab_done(&lab);
    }
}

/* The flow's timeout ends what runs, and ends FAILED; in time it leaves no timer behind. */
static void test_flow_timeout(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "timeout: PT30S\ntasks:\n  - " JOB "\n");
    assert_int_equal(lab.timers.count, 1);
    assert_int_equal(lab.timers.items[0].due_us, LAB_START_US + 30 * S);
    lab_fire(&lab);
    assert_int_equal(lab.kills, 1);
    assert_true(lab_has_log(&lab, "timeout of 30 s"));
    lab_finish_job(&lab, BT_KILLED);
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
    lab_start(&lab, HEAD "timeout: PT30S\ntasks:\n  - " JOB "\n");
    lab_finish_job(&lab, BT_SUCCESS);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);
}

static void test_job_timeout(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab,
              HEAD "variables: {t: PT7S}\n"
                   "tasks: [{id: t, type: shell, commands: [x], timeout: \"{{ vars.t }}\"}]\n");
    assert_int_equal(lab.jobs.items[0].timeout_us, 7 * S);
    lab_done(&lab);
    lab_start(&lab, HEAD "tasks: [{id: t, type: shell, commands: [x], timeout: \"{{ 'x' }}\"}]\n");
    assert_int_equal(lab.jobs.count, 0);
    lab_check_state(&lab, "t", BT_FAILED);
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

static void test_run_if(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum bt_state want;
    } rows[] = {{"{{ true }}", BT_SUCCESS}, {"{{ false }}", BT_SKIPPED},
                {"{{ '' }}", BT_SKIPPED},   {"{{ 0 }}", BT_SKIPPED},
                {"{{ 'no' }}", BT_SUCCESS}, {"{{ nope.x }}", BT_FAILED},
                {"{{ null }}", BT_SKIPPED}};
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
        (void)bt_buf_addf(&text, HEAD "tasks:\n  - {id: t, type: log, message: x, runIf: \"%s\"}\n",
                          rows[i].text);
        struct lab lab;
        lab_start(&lab, bt_buf_cstr(&text));
        lab_check_state(&lab, "t", rows[i].want);
        lab_check_end(&lab, rows[i].want == BT_FAILED ? BT_FAILED : BT_SUCCESS);
        lab_done(&lab);
    }
}

/* Events that name rows which do not exist are refused before anything happens. */
static void test_refused(void **state)
{
    (void)state;
    static const struct bt_event rows[] = {
        {.kind = BT_EVENT_START, .taskrun = 2},
        {.kind = BT_EVENT_NEXT, .taskrun = 0, .child = 2},
        {.kind = BT_EVENT_RESULT, .taskrun = UINT32_MAX},
        {.kind = BT_EVENT_KIND_COUNT},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct lab lab;
        lab_start(&lab, HEAD "tasks:\n  - " JOB "\n");
        assert_int_equal(lab_step(&lab, rows[i]), BT_CORRUPT);
        /* bt_execution_fail() has ended it: what cannot be read is not waited for. */
        assert_int_equal(lab.exec->state, BT_FAILED);
        assert_true(lab.exec->is_drained);
        assert_int_equal(lab.ended, 1);
        assert_int_equal(lab.drained, 1);
        assert_int_equal(lab.kills, 1);
        assert_true(lab_has_log(&lab, lab.err.msg));
        size_t changes = lab.changes;
        lab_finish_job(&lab, BT_KILLED); /* Late words change nothing. */
        lab_kill(&lab);
        assert_int_equal(lab.changes, changes);
        assert_int_equal(lab.kills, 1);
        lab_done(&lab);
    }
}

/* The same while it is being killed, and while it drains: the state that was seen stays. */
static void test_refused_late(void **state)
{
    (void)state;
    static const struct bt_event unknown = {.kind = BT_EVENT_START, .taskrun = 9};
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - " JOB "\n");
    lab_kill(&lab);
    assert_int_equal(lab_step(&lab, unknown), BT_CORRUPT);
    lab_check_histories(&lab.exec->histories, "CREATED RUNNING KILLING KILLED");
    assert_int_equal(lab.drained, 1);
    lab_done(&lab);
    lab_start(&lab, HEAD "tasks: [{id: p, type: parallel, tasks: [" JOB ", {id: u, type: fail}]}]");
    assert_int_equal(lab.exec->state, BT_FAILED);
    assert_false(lab.exec->is_drained);
    assert_int_equal(lab_step(&lab, unknown), BT_CORRUPT);
    assert_int_equal(lab.ended, 1);
    assert_int_equal(lab.drained, 1);
    lab_done(&lab);
}

/* A run whose event cannot be stepped fails, and the flow goes on as after any failure. */
static void test_refused_run(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab,
              HEAD "tasks:\n  - {"
                   "id: g, type: sequential, allowFailure: true, tasks: ["
                   "{id: s, type: sleep, duration: PT1H}]}\n  - {id: t, type: log, message: x}\n");
    struct bt_event event = {.kind = BT_EVENT_KIND_COUNT, .taskrun = 2};
    assert_int_equal(lab_step(&lab, event), BT_CORRUPT);
    lab_settle(&lab);
    assert_true(lab_has_log(&lab, lab.err.msg));
    lab_check_state(&lab, "s", BT_FAILED);
    lab_check_state(&lab, "t", BT_SUCCESS);
    lab_check_end(&lab, BT_WARNING);
    lab_done(&lab);
}

static void test_outputs_limit(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - " JOB "\n");
    struct lab_job job = lab_take_job(&lab);
    struct bt_value *outputs = bt_map_new(1), *list = bt_list_new(1);
    char *text = malloc(BT_OUTPUT_BYTES_MAX);
    assert_non_null(text);
    memset(text, 'x', BT_OUTPUT_BYTES_MAX);
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            bt_list_push(list, bt_value_string((struct bt_str){text, BT_OUTPUT_BYTES_MAX})), BT_OK);
    free(text);
    assert_int_equal(bt_map_puts(outputs, "x", list), BT_OK);
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_RESULT,
                                     .taskrun = 1,
                                     .token = job.token,
                                     .state = BT_SUCCESS,
                                     .outputs = outputs});
    lab_settle(&lab);
    assert_true(lab_has_log(&lab, "larger than the limit"));
    assert_null(lab_run(&lab, "t")->outputs);
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

/* What a result brings is kept: outputs, metrics, the error as a log line. */
static void test_result_content(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - " JOB "\n");
    struct lab_job job = lab_take_job(&lab);
    struct bt_value *outputs = bt_map_new(1);
    assert_int_equal(bt_map_puts(outputs, "k", bt_value_cstr("v")), BT_OK);
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_RESULT,
                                     .taskrun = 1,
                                     .token = job.token,
                                     .state = BT_FAILED,
                                     .outputs = outputs,
                                     .metrics = bt_list_new(0),
                                     .error = bt_value_cstr("it broke"),
                                     .at_us = 50,
                                     .end_us = 40});
    lab_settle(&lab);
    assert_true(bt_str_is(lab_output(&lab, "t", "k"), "v"));
    assert_non_null(lab_run(&lab, "t")->metrics);
    assert_true(lab_has_log(&lab, "it broke"));
    assert_int_equal(lab_run(&lab, "t")->attempts[0].end_us, 50); /* Never before its start. */
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

static void test_log_level(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n"
                         "  - {id: a, type: log, message: quiet, logLevel: WARN}\n"
                         "  - {id: b, type: log, message: loud, level: WARN, logLevel: WARN}\n");
    assert_int_equal(lab.logs.count, 1);
    assert_true(lab_has_log(&lab, "loud"));
    lab_done(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),          cmocka_unit_test(test_results),
        cmocka_unit_test(test_late_words),    cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_lost),          cmocka_unit_test(test_lost_keeps_timeout),
        cmocka_unit_test(test_kill),          cmocka_unit_test(test_kill_early),
        cmocka_unit_test(test_draining),      cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_flow_timeout),  cmocka_unit_test(test_job_timeout),
        cmocka_unit_test(test_run_if),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_late),  cmocka_unit_test(test_refused_run),
        cmocka_unit_test(test_outputs_limit), cmocka_unit_test(test_result_content),
        cmocka_unit_test(test_log_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
