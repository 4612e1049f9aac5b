/* pure_test.c — Goal: tasks without the world do what they say, and fail with words. Method: a row
 * per task: its YAML, state, outputs and log; labels and variables looked at afterwards. */
#include "engine/execution/lab_int.h"
#include "value/json.h"

#define HEAD "id: f\nnamespace: a\nlabels: {team: data}\nvariables: {x: 1, m: {a: 1, b: 2}}\n"

static const struct {
    const char *task;
    enum bt_state want;
    const char *outputs; /* JSON, or NULL for none. */
    const char *log;     /* Part of a log line, or NULL. */
} rows[] = {
    {"type: log, message: \"hi {{ flow.id }}\"", BT_SUCCESS, NULL, "hi f"},
    {"type: log, message: [\"{{ 1 + 1 }}\", two]", BT_SUCCESS, NULL, "two"},
    {"type: log, message: \"{{ nope }}\"", BT_FAILED, NULL, "nope"},
    {"type: log, message: x, level: WARN", BT_SUCCESS, NULL, "x"},
    {"type: io.kestra.core.tasks.debugs.Echo, format: \"{{ flow.id }}!\"", BT_SUCCESS, NULL, "f!"},
    {"type: return, format: \"{{ vars.x }}\"", BT_SUCCESS, "{\"value\":\"1\"}", NULL},
    {"type: return, format: \"\"", BT_SUCCESS, "{\"value\":\"\"}", NULL},
    {"type: return", BT_FAILED, NULL, "`format` is missing"},
    {"type: output_values, values: {a: 1, b: [\"{{ vars.x }}\"]}", BT_SUCCESS,
     "{\"values\":{\"a\":1,\"b\":[\"1\"]}}", NULL},
    {"type: output_values, values: {a: \"{{ nope }}\"}", BT_FAILED, NULL, "nope"},
    {"type: fail", BT_FAILED, NULL, "Task failure"},
    {"type: fail, errorMessage: \"no {{ vars.x }}\"", BT_FAILED, NULL, "no 1"},
    {"type: fail, condition: \"{{ vars.x == 2 }}\", errorMessage: boo", BT_SUCCESS, NULL, NULL},
    {"type: fail, condition: \"{{ vars.x == 1 }}\", errorMessage: boo", BT_FAILED, NULL,
     "Fail on a condition"},
    {"type: fail, condition: \"{{ vars.x == 1 }}\", errorMessage: boo", BT_FAILED, NULL, "boo"},
    {"type: assert, conditions: [\"{{ true }}\"]", BT_SUCCESS, NULL, NULL},
    {"type: assert, conditions: [\"{{ true }}\", \"{{ false }}\"]", BT_FAILED, NULL,
     "Assertion `{{ false }}` failed"},
    {"type: assert, conditions: [\"{{ true }}\", \"{{ false }}\"]", BT_FAILED, NULL,
     "1 assertion failed!"},
    {"type: assert, conditions: [\"{{ 0 }}\", \"{{ false }}\"]", BT_FAILED, NULL,
     "2 assertions failed!"},
    {"type: assert, errorMessage: why, conditions: [\"{{ nope }}\"]", BT_FAILED, NULL,
     "cannot be rendered"},
    {"type: assert, errorMessage: why, conditions: [\"{{ nope }}\"]", BT_FAILED, NULL, "why"},
};

static void open_task(struct lab *lab, const char *task)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 16);
    (void)bt_buf_addf(&text, HEAD "tasks:\n  - {id: t, %s}\n", task);
    lab_start(lab, bt_buf_cstr(&text));
}

static void check_json(const struct bt_value *value, const char *want)
{
    BT_VALUE text = value ? bt_json_text(value) : NULL;
    if (!want)
        assert_null(value);
    else if (!bt_str_is(bt_value_str(text), want))
        fail_msg("%.*s, not %s", BT_FMT(bt_value_str(text)), want);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct lab lab;
        open_task(&lab, rows[i].task);
        if (lab_run(&lab, "t")->state != rows[i].want)
            fail_msg("%s: %s", rows[i].task, bt_state_name(lab_run(&lab, "t")->state));
        check_json(lab_run(&lab, "t")->outputs, rows[i].outputs);
        if (rows[i].log && !lab_has_log(&lab, rows[i].log))
            fail_msg("%s: no log line '%s'", rows[i].task, rows[i].log);
        assert_int_equal(lab_run(&lab, "t")->attempt_count, 1);
        assert_true(lab_run(&lab, "t")->attempts[0].end_us > 0);
        lab_check_end(&lab, rows[i].want);
        lab_done(&lab);
    }
}

static const struct {
    const char *task;
    enum bt_state want;
    const char *variables; /* Afterwards; NULL: untouched. */
} variable_rows[] = {
    {"type: set_variables, variables: {y: \"{{ flow.id }}\"}", BT_SUCCESS,
     "{\"x\":1,\"m\":{\"a\":1,\"b\":2},\"y\":\"f\"}"},
    {"type: set_variables, variables: {m: {b: 3, c: 4}}", BT_SUCCESS,
     "{\"x\":1,\"m\":{\"a\":1,\"b\":3,\"c\":4}}"},
    {"type: set_variables, variables: {m: 5}", BT_SUCCESS, "{\"x\":1,\"m\":5}"},
    {"type: set_variables, overwrite: false, variables: {y: 1}", BT_SUCCESS,
     "{\"x\":1,\"m\":{\"a\":1,\"b\":2},\"y\":1}"},
    {"type: set_variables, overwrite: false, variables: {x: 2}", BT_FAILED, NULL},
    {"type: set_variables, variables: {y: \"{{ nope }}\"}", BT_FAILED, NULL},
    {"type: unset_variables, variables: [x]", BT_SUCCESS, "{\"m\":{\"a\":1,\"b\":2}}"},
    {"type: unset_variables, variables: [x, z]", BT_FAILED, NULL},
    {"type: unset_variables, ignoreMissing: true, variables: [x, z]", BT_SUCCESS,
     "{\"m\":{\"a\":1,\"b\":2}}"},
};

static void test_variables(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(variable_rows); i++) {
        struct lab lab;
        open_task(&lab, variable_rows[i].task);
        if (lab_run(&lab, "t")->state != variable_rows[i].want)
            fail_msg("%s: %s", variable_rows[i].task, bt_state_name(lab_run(&lab, "t")->state));
        check_json(lab.exec->variables, variable_rows[i].variables);
        lab_done(&lab);
    }
}

static const struct {
    const char *task;
    enum bt_state want;
    const char *labels; /* Afterwards. */
    const char *log;
} label_rows[] = {
    {"type: labels, labels: {a: \"{{ flow.id }}\"}", BT_SUCCESS, "{\"team\":\"data\",\"a\":\"f\"}",
     NULL},
    {"type: labels, labels: {team: web}", BT_SUCCESS, "{\"team\":\"web\"}", NULL},
    {"type: labels, labels: [{key: b, value: c}]", BT_SUCCESS, "{\"team\":\"data\",\"b\":\"c\"}",
     NULL},
    {"type: labels, labels: '{\"d\": \"e\"}'", BT_SUCCESS, "{\"team\":\"data\",\"d\":\"e\"}", NULL},
    {"type: labels, labels: {a: b, system.x: y}", BT_FAILED, "{\"team\":\"data\"}",
     "offending label: system.x=y"},
    {"type: labels, labels: [{key: system.x, value: y}]", BT_FAILED, "{\"team\":\"data\"}",
     "System labels"},
    {"type: labels, labels: {\"{{ 'system.' ~ 'x' }}\": y}", BT_FAILED, "{\"team\":\"data\"}",
     "System labels"},
    {"type: labels, labels: nonsense", BT_FAILED, "{\"team\":\"data\"}", NULL},
    {"type: labels, labels: '{\"a\": [1]}'", BT_FAILED, "{\"team\":\"data\"}", "must be a text"},
};

static void test_labels(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(label_rows); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 16);
        (void)bt_buf_addf(&text, HEAD "tasks:\n  - {id: t, %s}\n", label_rows[i].task);
        struct lab lab;
        lab_open(&lab, bt_buf_cstr(&text));
        lab.exec->labels = bt_value_ref(lab.flow->labels);
        lab_begin(&lab);
        if (lab_run(&lab, "t")->state != label_rows[i].want)
            fail_msg("%s: %s", label_rows[i].task, bt_state_name(lab_run(&lab, "t")->state));
        check_json(lab.exec->labels, label_rows[i].labels);
        if (label_rows[i].log && !lab_has_log(&lab, label_rows[i].log))
            fail_msg("%s: no log line '%s'", label_rows[i].task, label_rows[i].log);
        lab_done(&lab);
    }
}

/* Frozen values are shared: the flow's own variables and labels never change. */
static void test_flow_untouched(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - {id: a, type: set_variables, variables: {x: 2, m: {a: 9}}}\n"
                         "  - {id: b, type: labels, labels: {team: web}}\n"
                         "  - {id: c, type: return, format: \"{{ vars.x }}{{ vars.m.a }}"
                         "{{ labels.team }}\"}\n");
    check_json(lab.flow->variables, "{\"x\":1,\"m\":{\"a\":1,\"b\":2}}");
    check_json(lab.flow->labels, "{\"team\":\"data\"}");
    check_json(lab_run(&lab, "c")->outputs, "{\"value\":\"29web\"}");
    lab_done(&lab);
}

static void test_return_metrics(void **state)
{
    (void)state;
    struct lab lab;
    open_task(&lab, "type: return, format: abc");
    const struct bt_value *metrics = lab_run(&lab, "t")->metrics;
    assert_int_equal(bt_value_count(metrics), 2);
    assert_true(bt_str_is(bt_map_str(bt_list_at(metrics, 0), "name"), "length"));
    assert_int_equal(bt_value_as_int(bt_map_gets(bt_list_at(metrics, 0), "value")), 3);
    lab_done(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_variables),
        cmocka_unit_test(test_labels),         cmocka_unit_test(test_flow_untouched),
        cmocka_unit_test(test_return_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
