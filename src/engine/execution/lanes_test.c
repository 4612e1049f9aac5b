/* lanes_test.c — Goal: groups make the children they should, in the order and number they may, and
 * end as their children say. Method: flows on the bench, with rows in memory and forgotten. */
#include "engine/execution/lab_int.h"

#define HEAD "id: f\nnamespace: a\n"
#define JOB(id) "{id: " id ", type: shell, commands: [x]}"
#define LOG(id) "{id: " id ", type: log, message: x}"
#define BAD(id) "{id: " id ", type: fail}"

/* A flow of pure tasks: what it must end as, with "task=STATE …", "!task" for absent. */
struct row {
    const char *tasks;
    enum bt_state want;
    const char *runs;
};

static const struct row rows[] = {
    {"tasks: [" LOG("a") ", " LOG("b") "]", BT_SUCCESS, "a=SUCCESS b=SUCCESS"},
    {"tasks: [" BAD("a") ", " LOG("b") "]", BT_FAILED, "a=FAILED !b"},
    {"tasks: [" BAD("a") "]\nerrors: [" LOG("e") ", " LOG("f") "]", BT_FAILED,
     "e=SUCCESS f=SUCCESS"},
    {"tasks: [" BAD("a") "]\nerrors: [" BAD("e") ", " LOG("f") "]", BT_FAILED, "e=FAILED !f"},
    {"tasks: [" LOG("a") "]\nerrors: [" LOG("e") "]", BT_SUCCESS, "!e"},
    {"tasks: [" BAD("a") "]\nerrors: [{id: e, type: log, message: x, disabled: true}]", BT_FAILED,
     "!e"},
    {"tasks: [{id: a, type: log, message: x, disabled: true}]", BT_SUCCESS, "!a"},
    {"tasks: [{id: a, type: log, message: x, disabled: true}, " LOG("b") "]", BT_SUCCESS,
     "!a b=SUCCESS"},
    {"tasks: [{id: s, type: sequential, tasks: [" LOG("a") ", " BAD("b") ", " LOG("c") "]}, " LOG(
         "d") "]",
     BT_FAILED, "s=FAILED a=SUCCESS b=FAILED !c !d"},
    {"tasks: [{id: s, type: sequential, tasks: [" BAD("b") "], errors: [" LOG("e") "]}, " LOG(
         "d") "]\nerrors: [" LOG("f") "]",
     BT_FAILED, "s=FAILED e=SUCCESS !d f=SUCCESS"},
    {"tasks: [{id: s, type: sequential, allowFailure: true, tasks: [" BAD("b") "]}, " LOG("d") "]",
     BT_WARNING, "s=WARNING d=SUCCESS"},
    {"tasks: [{id: s, type: allow_failure, tasks: [" BAD("b") ", " LOG("c") "]}, " LOG("d") "]",
     BT_WARNING, "s=WARNING b=FAILED !c d=SUCCESS"},
    {"tasks: [{id: s, type: allow_failure, tasks: [" BAD("b") "], errors: [" LOG("e") "]}]",
     BT_WARNING, "s=WARNING e=SUCCESS"},
    {"tasks: [{id: p, type: parallel, tasks: [" LOG("a") ", " LOG("b") "]}]", BT_SUCCESS,
     "p=SUCCESS a=SUCCESS b=SUCCESS"},
    {"tasks: [{id: p, type: parallel, tasks: [" LOG("a") ", " BAD("b") "], errors: [" LOG(
         "e") ", " LOG("g") "]}]",
     BT_FAILED, "p=FAILED e=SUCCESS g=SUCCESS"},
    {"tasks: [{id: p, type: parallel, tasks: [{id: a, type: log, message: x, disabled: true}]}]",
     BT_SUCCESS, "p=SUCCESS !a"},
    {"tasks: [{id: i, type: if, condition: \"{{ true }}\", then: [" LOG("a") "], else: [" LOG(
         "b") "]}]",
     BT_SUCCESS, "a=SUCCESS !b"},
    {"tasks: [{id: i, type: if, condition: \"{{ false }}\", then: [" LOG("a") "], else: [" LOG(
         "b") "]}]",
     BT_SUCCESS, "b=SUCCESS !a"},
    {"tasks: [{id: i, type: if, condition: \"{{ false }}\", then: [" LOG("a") "]}, " LOG("c") "]",
     BT_SUCCESS, "i=SUCCESS !a c=SUCCESS"},
    {"tasks: [{id: i, type: if, condition: \"{{ nope }}\", then: [" LOG("a") "]}]", BT_FAILED,
     "i=FAILED !a"},
    {"tasks: [{id: w, type: switch, value: x, cases: {x: [" LOG("a") "]}, defaults: [" LOG(
         "b") "]}]",
     BT_SUCCESS, "a=SUCCESS !b"},
    {"tasks: [{id: w, type: switch, value: y, cases: {x: [" LOG("a") "]}, defaults: [" LOG(
         "b") "]}]",
     BT_SUCCESS, "b=SUCCESS !a"},
    {"tasks: [{id: w, type: switch, value: y, cases: {x: [" LOG("a") "]}}, " LOG("c") "]",
     BT_FAILED, "w=FAILED !a !c"},
    {"tasks: [{id: w, type: switch, value: y, allowFailure: true, cases: {x: [" LOG(
         "a") "]}}, " LOG("c") "]",
     BT_WARNING, "w=WARNING c=SUCCESS"},
    {"tasks: [{id: e, type: foreach, values: [], tasks: [" LOG("a") "]}, " LOG("c") "]", BT_SUCCESS,
     "e=SUCCESS !a c=SUCCESS"},
    {"tasks: [{id: e, type: foreach, values: [1, 2], tasks: [" BAD("a") "]}]", BT_FAILED,
     "e=FAILED a=FAILED"},
    {"tasks: [{id: e, type: foreach, values: [1], tasks: [{id: a, type: log, message: x, disabled: "
     "true}]}]",
     BT_SUCCESS, "e=SUCCESS !a"},
    {"tasks: [{id: a, type: log, message: x, runIf: \"{{ false }}\"}, " LOG("b") "]", BT_SUCCESS,
     "a=SKIPPED b=SUCCESS"},
};

static void check_runs(struct lab *lab, const char *want)
{
    char copy[256], *rest = copy;
    assert_true((size_t)snprintf(copy, sizeof copy, "%s", want) < sizeof copy);
    for (char *word; (word = strsep(&rest, " "));) {
        if (*word == '!') {
            assert_null(lab_find(lab, word + 1, NULL));
            continue;
        }
        char *name = strsep(&word, "=");
        enum bt_state state;
        assert_true(bt_state_parse(bt_str_of(word), &state));
        lab_check_state(lab, name, state);
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * BT_COUNT(rows); i++) {
        const struct row *row = &rows[i / 2];
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
        (void)bt_buf_addf(&text, HEAD "%s\n", row->tasks);
        struct lab lab;
        lab_open(&lab, bt_buf_cstr(&text));
        lab.forgets = i % 2;
        lab_begin(&lab);
        check_runs(&lab, row->runs);
        lab_check_end(&lab, row->want);
        lab_done(&lab);
    }
}

/* Never more children open than allowed, the next one comes at once, all come. */
static void check_limit(const char *source, size_t limit, size_t total)
{
    struct lab lab;
    lab_open(&lab, source);
    lab.forgets = true;
    lab_begin(&lab);
    size_t left = total;
    while (left) {
        assert_int_equal(lab.jobs.count, left < limit ? left : limit);
        lab_finish_job(&lab, BT_SUCCESS);
        left--;
    }
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);
}

static void test_limits(void **state)
{
    (void)state;
    static const char parallel[] =
        HEAD "tasks:\n  - {id: p, type: parallel, concurrent: %zu, tasks: "
             "[" JOB("a") ", " JOB("b") ", " JOB("c") ", " JOB("d") "]}";
    static const char each[] = HEAD "tasks:\n  - {id: e, type: foreach, values: [1, 2, 3, 4], "
                                    "concurrencyLimit: %zu, tasks: [" JOB("a") "]}";
    for (size_t limit = 0; limit <= 5; limit++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
        (void)bt_buf_addf(&text, parallel, limit);
        check_limit(bt_buf_cstr(&text), limit ? limit : 4, 4);
        bt_buf_clear(&text);
        (void)bt_buf_addf(&text, each, limit);
        check_limit(bt_buf_cstr(&text), limit ? limit : 4, 4);
    }
    check_limit(HEAD "tasks: [{id: e, type: foreach, values: [1, 2, 3], tasks: [" JOB("a") "]}]", 1,
                3);
}

/* The program's own limit of outstanding children: N stands, N+1 waits for one to end. */
static void test_outstanding(void **state)
{
    (void)state;
    static const char source[] =
        HEAD "tasks:\n  - {id: e, type: foreach, values: \"{{ range(1, %u) }}\", "
             "concurrencyLimit: %u, tasks: [" JOB("a") "]}";
    for (uint32_t row = 0; row < 4; row++) {
        uint32_t more = row % 2, limit = row < 2 ? 0 : BT_FANOUT_OUTSTANDING_MAX + 1;
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
        (void)bt_buf_addf(&text, source, BT_FANOUT_OUTSTANDING_MAX + more, limit);
        struct lab lab;
        lab_start(&lab, bt_buf_cstr(&text));
        assert_int_equal(lab.jobs.count, BT_FANOUT_OUTSTANDING_MAX);
        assert_int_equal(lab_run(&lab, "e")->group.open, BT_FANOUT_OUTSTANDING_MAX);
        lab_finish_job(&lab, BT_SUCCESS);
        assert_int_equal(lab.jobs.count, BT_FANOUT_OUTSTANDING_MAX - 1 + more);
        lab_done(&lab);
    }
}

/* Within a value in sequence, values beside each other; a failed value stops only new ones. */
static void test_each_lanes(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks: [{id: e, type: foreach, values: [x, y], concurrencyLimit: 2, "
                         "tasks: [" JOB("a") ", " JOB("b") "]}]");
    assert_int_equal(lab.jobs.count, 2);
    assert_null(lab_find(&lab, "b", NULL));
    struct lab_job x = lab_take_job(&lab);
    lab_result(&lab, x, BT_SUCCESS);
    assert_non_null(lab_find(&lab, "b", "x"));
    assert_null(lab_find(&lab, "b", "y"));
    lab_finish_job(&lab, BT_SUCCESS);
    lab_finish_job(&lab, BT_SUCCESS);
    assert_int_equal(lab_find(&lab, "b", "y")->lane, 1);
    lab_finish_job(&lab, BT_SUCCESS);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);
}

/* A branch of a Parallel fails: its siblings end, errors run at once, nothing new is opened. */
static void test_fail_beside(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks: [{id: p, type: parallel, concurrent: 2, tasks: [" JOB(
                        "a") ", " JOB("b") ", " JOB("c") "], errors: [" JOB("e") "]}]");
    struct lab_job a = lab_take_job(&lab), b = lab_take_job(&lab);
    lab_result(&lab, a, BT_FAILED);
    struct lab_job e = lab_take_job(&lab);
    assert_int_equal(lab.runs.items[e.taskrun - 1], lab_run(&lab, "e"));
    assert_null(lab_find(&lab, "c", NULL));
    lab_result(&lab, e, BT_SUCCESS);
    lab_check_state(&lab, "p", BT_FAILED);
    assert_int_equal(lab.exec->state, BT_FAILED);
    lab_result(&lab, b, BT_SUCCESS);
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

/* The values of a ForEach: texts as they are, else JSON, doubles dropped, the first kept. */
static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *values;
        const char *want; /* Joined by '|'; NULL: it fails … */
        const char *log;  /* … with this. */
    } cases[] = {
        {"[a, b]", "a|b", NULL},
        {"[a, b, a]", "a|b", NULL},
        {"[1, \"1\", 1.0]", "1|1.0", NULL},
        {"[true, {k: [1]}]", "true|{\"k\":[1]}", NULL},
        {"\"[1, 2]\"", "1|2", NULL},
        {"'[\"x y\", 3]'", "x y|3", NULL},
        {"\"{{ range(1, 3) }}\"", "1|2|3", NULL},
        {"[\"{{ flow.id }}\", z]", "f|z", NULL},
        {"[\"\"]", "", NULL},
        {"\"[1, null, null]\"", NULL, "Found '2' null values on Each, with values=[1,null,null]"},
        {"\"{}\"", NULL, "not a JSON array"},
        {"\"nonsense\"", NULL, "not a JSON array"},
        {"\"{{ nope }}\"", NULL, "nope"},
    };
    for (size_t i = 0; i < BT_COUNT(cases); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096), got = BT_BUF_INIT(4096);
        (void)bt_buf_addf(&text,
                          HEAD "tasks: [{id: e, type: foreach, concurrencyLimit: 0, values: "
                               "%s, tasks: [" LOG("a") "]}]",
                          cases[i].values);
        struct lab lab;
        lab_start(&lab, bt_buf_cstr(&text));
        lab_check_end(&lab, cases[i].want ? BT_SUCCESS : BT_FAILED);
        bool is_first = true;
        for (size_t j = 0; j < lab.runs.count; j++) {
            if (!lab.runs.items[j]->value)
                continue;
            (void)bt_buf_adds(&got, is_first ? "" : "|");
            (void)bt_buf_add(&got, bt_value_str(lab.runs.items[j]->value));
            is_first = false;
        }
        assert_string_equal(bt_buf_cstr(&got), cases[i].want ? cases[i].want : "");
        if (cases[i].log && !lab_has_log(&lab, cases[i].log))
            fail_msg("%s: '%s' is not logged", cases[i].values, cases[i].log);
        lab_done(&lab);
    }
}

/* One list of `count` values for a flow whose ForEach takes inputs.l. */
static enum bt_state state_with_values(uint32_t count, bool are_equal)
{
    struct lab lab;
    struct bt_buf text = BT_BUF_INIT(16u << 20);
    (void)bt_buf_addc(&text, '[');
    for (uint32_t i = 0; i < count; i++) {
        (void)bt_buf_adds(&text, i ? "," : "");
        (void)bt_buf_add_u64(&text, are_equal ? 1 : i);
    }
    (void)bt_buf_addc(&text, ']');
    lab_open(&lab, HEAD "inputs: [{id: l, type: STRING}]\ntasks: [{id: e, type: foreach, "
                        "values: \"{{ inputs.l }}\", tasks: [" JOB("a") "]}]");
    lab.exec->inputs = bt_map_new(1);
    assert_int_equal(bt_map_puts(lab.exec->inputs, "l", bt_value_string(bt_buf_str(&text))), BT_OK);
    bt_buf_done(&text);
    lab_begin(&lab);
    enum bt_state state = lab_run(&lab, "e")->state;
    assert_int_equal(lab_has_log(&lab, "more than the limit"), state == BT_FAILED);
    lab_done(&lab);
    return state;
}

static void test_values_limit(void **state)
{
    (void)state;
    assert_int_equal(state_with_values(BT_ITERATION_VALUES_MAX, true), BT_RUNNING);
    assert_int_equal(state_with_values(BT_ITERATION_VALUES_MAX + 1, true), BT_FAILED);
}

/* EachParallel: values times tasks, each a lane of its own. */
static void test_each_parallel(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks: [{id: e, type: each_parallel, value: [x, y, z], tasks: [" JOB(
                        "a") ", " JOB("b") "]}]");
    assert_int_equal(lab.jobs.count, 6);
    assert_int_equal(lab_run(&lab, "e")->group.lanes, 6);
    assert_int_equal(lab_find(&lab, "a", "x")->lane, 0);
    assert_int_equal(lab_find(&lab, "b", "x")->lane, 1);
    assert_int_equal(lab_find(&lab, "b", "z")->lane, 5);
    lab_done(&lab);
    lab_start(&lab, HEAD "tasks: [{id: e, type: each_sequential, value: [x, y], tasks: [" JOB(
                        "a") ", " JOB("b") "]}]");
    assert_int_equal(lab.jobs.count, 1);
    lab_done(&lab);
}

/* A task that fails in one value stops the values not yet opened, and its lane. */
static void test_each_failed(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab,
              HEAD "tasks: [{id: e, type: foreach, values: [1, 2, 3, 4], concurrencyLimit: 2, "
                   "tasks: [" JOB("a") ", " LOG("b") "]}]");
    struct lab_job one = lab_take_job(&lab), two = lab_take_job(&lab);
    lab_result(&lab, two, BT_FAILED);
    lab_check_state(&lab, "e", BT_FAILED);
    lab_result(&lab, one, BT_SUCCESS);
    assert_null(lab_find(&lab, "a", "3"));
    assert_null(lab_find(&lab, "b", NULL));
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

static void test_flowable_outputs(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(
        &lab,
        HEAD "tasks:\n  - {id: i, type: if, condition: \"{{ 1 == 1 }}\", then: [" LOG(
            "a") "]}\n  - {id: w, type: switch, value: \"{{ 'q' }}\", cases: {x: [" LOG("b") "]}, "
                                                                                             "defau"
                                                                                             "lts: "
                                                                                             "[" LOG(
                                                                                                 "c") "]}\n");
    assert_true(bt_value_as_bool(bt_map_gets(lab_run(&lab, "i")->outputs, "evaluationResult")));
    assert_true(bt_str_is(lab_output(&lab, "w", "value"), "q"));
    assert_true(bt_value_as_bool(bt_map_gets(lab_run(&lab, "w")->outputs, "defaults")));
    lab_done(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_limits),
        cmocka_unit_test(test_outstanding),  cmocka_unit_test(test_each_lanes),
        cmocka_unit_test(test_fail_beside),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_values_limit), cmocka_unit_test(test_each_parallel),
        cmocka_unit_test(test_each_failed),  cmocka_unit_test(test_flowable_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
