/* scope_test.c — Goal: expressions see what they name, near and far, and a job gets what it can
 * reach and nothing else. Method: flows whose `return` tasks show it; contexts of jobs as JSON. */
#include "engine/execution/lab_int.h"
#include "value/json.h"

#define HEAD "id: f\nnamespace: a.b\nvariables: {x: 1, y: 2}\n"

/* Runs a flow twice, rows in memory and forgotten, and compares what `task` [`value`] returned. */
static void check_value(const char *source, const char *task, const char *value, const char *want)
{
    for (int forgets = 0; forgets < 2; forgets++) {
        struct lab lab;
        lab_open(&lab, source);
        lab.forgets = forgets;
        lab_begin(&lab);
        struct bt_taskrun *run = lab_find(&lab, task, value);
        assert_non_null(run);
        struct bt_str got = bt_map_str(run->outputs, "value");
        if (!bt_str_is(got, want))
            fail_msg("%s[%s]: '%.*s', not '%s'", task, value ? value : "", BT_FMT(got), want);
        if (forgets)
            assert_true(lab.needs > 0);
        lab_check_end(&lab, BT_SUCCESS);
        lab_done(&lab);
    }
}

static const char nested[] =
    HEAD "tasks:\n"
         "  - {id: top, type: return, format: t}\n"
         "  - id: outer\n    type: foreach\n    values: [p, q]\n    tasks:\n"
         "      - {id: one, type: return, format: \"{{ taskrun.value }}1\"}\n"
         "      - id: seq\n        type: sequential\n        tasks:\n"
         "          - id: inner\n            type: foreach\n            values: [r, s]\n"
         "            tasks:\n"
         "              - {id: two, type: return, format: \"{{ parent.taskrun.value }}"
         "{{ taskrun.value }}{{ outputs.one[parent.taskrun.value].value }}{{ outputs.top.value }}"
         "{{ parents | length }}\"}\n"
         "              - {id: three, type: return, format: "
         "\"{{ outputs.two[parent.taskrun.value][taskrun.value].value }}\"}\n"
         "  - {id: end, type: return, format: \"{{ outputs.two.q.r.value }} "
         "{{ outputs.one | length }} {{ outputs.two.p | length }} {{ tasks.two.p.s.state }} "
         "{{ outputs.two }}\"}\n";

static void test_nested(void **state)
{
    (void)state;
    check_value(nested, "two", "r", "qrq1t1"); /* The newest run with value r. */
    check_value(nested, "three", "s", "qsq1t1");
    check_value(nested, "end", NULL,
                "qrq1t1 2 2 SUCCESS {\"p\":{\"r\":{\"value\":\"prp1t1\"},\"s\":{\"value\":"
                "\"psp1t1\"}},\"q\":{\"r\":{\"value\":\"qrq1t1\"},\"s\":{\"value\":\"qsq1t1\"}}}");
}

static void test_roots(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"{{ vars.x }}", "1"},
        {"{{ flow.id }} {{ flow.namespace }} {{ flow.revision }}", "f a.b 1"},
        {"{{ flow.tenantId ?? 'none' }}", "none"},
        {"{{ task.id }} {{ task.type }}", "t io.kestra.plugin.core.debug.Return"},
        {"{{ taskrun.attemptsCount }}", "0"},
        {"{{ taskrun.value ?? 'none' }} {{ taskrun.parentId ?? 'top' }}", "none top"},
        {"{{ execution.id | length }}", "22"},
        {"{{ execution.id == execution.originalId }}", "true"},
        {"{{ execution.startDate }}", "1970-01-01T00:16:40.000000Z"},
        {"{{ labels.l }} {{ inputs.i }} {{ trigger.t }}", "L I T"},
        {"{{ envs.e }} {{ globals.g }}", "E G"},
        {"{{ outputs.later ?? 'none' }} {{ outputs.nope ?? 'none' }}", "none none"},
        {"{{ parents | length }} {{ parent ?? 'none' }}", "0 none"},
        {"{{ tasks.t.state }}", "CREATED"}, /* Itself, before it runs. */
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 16);
        (void)bt_buf_addf(&text,
                          HEAD "tasks:\n  - {id: t, type: return, format: \"%s\"}\n"
                               "  - {id: later, type: log, message: x}\n",
                          rows[i].text);
        struct lab lab;
        lab_open(&lab, bt_buf_cstr(&text));
        struct bt_value *map[5];
        static const char *const names[][2] = {
            {"l", "L"}, {"i", "I"}, {"t", "T"}, {"e", "E"}, {"g", "G"}};
        for (size_t j = 0; j < 5; j++) {
            map[j] = bt_map_new(1);
            assert_int_equal(bt_map_puts(map[j], names[j][0], bt_value_cstr(names[j][1])), BT_OK);
        }
        lab.exec->labels = map[0];
        lab.exec->inputs = map[1];
        lab.exec->trigger = map[2];
        lab.step.env.envs = map[3];
        lab.step.env.globals = map[4];
        lab_begin(&lab);
        if (!bt_str_is(lab_output(&lab, "t", "value"), rows[i].want))
            fail_msg("%s: '%.*s', not '%s'", rows[i].text, BT_FMT(lab_output(&lab, "t", "value")),
                     rows[i].want);
        lab_done(&lab);
        bt_value_unref(map[3]);
        bt_value_unref(map[4]);
    }
}

/* What the one job's context holds, as JSON. */
static void check_context_of(const char *command, const char *want, bool is_open)
{
    for (int forgets = 0; forgets < 2; forgets++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 16);
        (void)bt_buf_addf(
            &text,
            HEAD "tasks:\n  - {id: o, type: output_values, values: {a: {b: 1, c: 2}, d: 3}}\n"
                 "  - {id: e, type: foreach, values: [p, q], tasks: "
                 "[{id: r, type: return, format: \"{{ taskrun.value }}\"}]}\n"
                 "  - {id: t, type: shell, commands: [\"%s\"]}\n",
            command);
        struct lab lab;
        lab_open(&lab, bt_buf_cstr(&text));
        lab.forgets = forgets;
        lab_begin(&lab);
        assert_int_equal(lab.jobs.count, 1);
        assert_int_equal(lab.jobs.items[0].as_of.next_n != 0, is_open);
        BT_VALUE json = bt_json_text(lab.jobs.items[0].variables);
        if (!bt_str_is(bt_value_str(json), want))
            fail_msg("%s: %.*s, not %s", command, BT_FMT(bt_value_str(json)), want);
        lab_done(&lab);
    }
}

static void check_context(const char *command, const char *want)
{
    check_context_of(command, want, false);
}

static void test_pick(void **state)
{
    (void)state;
    check_context("ls", "{}");
    check_context("{{ vars.x }}", "{\"vars\":{\"x\":1}}");
    check_context("{{ vars.nope ?? 1 }}{{ nope ?? 1 }}", "{\"vars\":{}}");
    check_context("{{ outputs.o.values.a.b }}",
                  "{\"outputs\":{\"o\":{\"values\":{\"a\":{\"b\":1}}}}}");
    check_context("{{ outputs.o.values.a.b }}{{ outputs.o.values.a }}",
                  "{\"outputs\":{\"o\":{\"values\":{\"a\":{\"b\":1,\"c\":2}}}}}");
    check_context("{{ outputs.o.values.d }}{{ outputs.o.values.a.c }}",
                  "{\"outputs\":{\"o\":{\"values\":{\"d\":3,\"a\":{\"c\":2}}}}}");
    check_context("{{ outputs.r.q.value }}", "{\"outputs\":{\"r\":{\"q\":{\"value\":\"q\"}}}}");
    /* Of a whole loop: left to the worker to fetch. */
    check_context_of("{{ outputs.r }}", "{}", true);
    check_context_of("{{ tasks.r }}{{ outputs.o.values.d }}{{ vars.x }}", "{\"vars\":{\"x\":1}}",
                     true);
    check_context_of("{{ outputs['o'].values.d }}{{ outputs[vars.x] }}", "{\"vars\":{\"x\":1}}",
                     true);
    check_context("{{ tasks.o.state }}", "{\"tasks\":{\"o\":{\"state\":\"SUCCESS\"}}}");
    check_context("{{ outputs.t ?? '' }}", "{\"outputs\":{\"t\":{}}}");
}

/* What cannot be known beforehand brings everything but outputs, which can be fetched. */
static void test_pick_all(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, HEAD "tasks:\n  - {id: a, type: return, format: v}\n"
                        "  - {id: t, type: shell, commands: [\"{{ printContext() }}\"]}\n");
    lab.forgets = true;
    lab_begin(&lab);
    const struct bt_value *all = lab.jobs.items[0].variables;
    static const char *const names[] = {"taskrun", "vars", "task", "flow", "execution"};
    for (size_t i = 0; i < BT_COUNT(names); i++)
        assert_true(bt_value_is(bt_map_gets(all, names[i]), BT_KIND_MAP));
    assert_null(bt_map_gets(all, "outputs"));
    assert_null(bt_map_gets(all, "tasks"));
    assert_null(bt_map_gets(all, "inputs"));
    assert_int_equal(lab.jobs.items[0].as_of.ends, 1);
    assert_int_equal(lab.jobs.items[0].as_of.next_n, 3);
    lab_done(&lab);
}

/* --- A version of the outputs ------------------------------------------------------------------
 */

/* What is at "a/b/c", as JSON; "" for nothing, "…" for a branch. */
static void check_outputs(struct lab *lab, const char *path, bool is_whole, const char *want)
{
    BT_VALUE list = bt_list_new(4), *value = NULL;
    struct bt_str rest = bt_str_of(path);
    struct bt_outputs_query query = {.is_whole = is_whole, .path = list};
    query.is_states = bt_str_starts(rest, BT_STR("tasks"));
    for (bool is_root = true; rest.at; is_root = false) {
        const char *slash = memchr(rest.at, '/', rest.len);
        size_t len = slash ? (size_t)(slash - rest.at) : rest.len;
        if (!is_root)
            assert_int_equal(bt_list_push(list, bt_value_string(bt_str_slice(rest, 0, len))),
                             BT_OK);
        rest = slash ? bt_str_slice(rest, len + 1, rest.len) : (struct bt_str){0};
    }
    int rc = bt_execution_outputs(&lab->step, &query, &value, NULL);
    assert_true(rc == BT_OK || rc == BT_NOT_FOUND);
    BT_VALUE json = value ? bt_json_text(value) : NULL;
    struct bt_str got = json ? bt_value_str(json) : rc == BT_OK ? BT_STR("…") : BT_STR("");
    if (!bt_str_is(got, want))
        fail_msg("%s: %.*s, not %s", path, BT_FMT(got), want);
}

/* Later ends and later task runs are not seen by who asks for an earlier version. */
static void test_as_of(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks:\n  - {id: a, type: return, format: v}\n"
                         "  - {id: e, type: foreach, values: [p, q], concurrencyLimit: 0, tasks: ["
                         "{id: t, type: shell, commands: [\"{{ printContext() }}\"]},"
                         "{id: r, type: return, format: \"{{ taskrun.value }}\"}]}\n");
    struct lab_job p = lab_take_job(&lab), q = lab_take_job(&lab);
    lab.now_us += 1000000;
    lab_started(&lab, p);
    lab_result(&lab, p, BT_SUCCESS);
    struct bt_as_of now = {lab.exec->ends, lab.exec->next_n};
    assert_int_equal(now.ends, 3);
    const struct {
        const char *path, *then, *now;
        bool is_whole;
    } rows[] = {
        {"outputs", "…", "…", false},
        {"outputs", "{\"a\":{\"value\":\"v\"},\"e\":{},\"t\":{\"p\":{},\"q\":{}},\"r\":{}}",
         "{\"a\":{\"value\":\"v\"},\"e\":{},\"t\":{\"p\":{},\"q\":{}},"
         "\"r\":{\"p\":{\"value\":\"p\"}}}",
         true},
        {"outputs/a/value", "\"v\"", "\"v\"", false},
        {"outputs/a/value/deeper", "", "", false},
        {"outputs/nope", "", "", false},
        {"outputs/r", "…", "…", false},
        {"outputs/r/p", "", "{\"value\":\"p\"}", false},
        {"outputs/r/q", "", "", false},
        {"tasks/t/p", "{\"state\":\"CREATED\"}", "{\"state\":\"SUCCESS\"}", false},
        {"tasks/t/q", "{\"state\":\"CREATED\"}", "{\"state\":\"CREATED\"}", false},
        {"tasks/a", "{\"state\":\"SUCCESS\"}", "{\"state\":\"SUCCESS\"}", false},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        lab.step.as_of = q.as_of;
        lab.step.env.now_us = LAB_START_US;
        check_outputs(&lab, rows[i].path, rows[i].is_whole, rows[i].then);
        lab.step.as_of = now;
        lab.step.env.now_us = lab.now_us;
        check_outputs(&lab, rows[i].path, rows[i].is_whole, rows[i].now);
    }
    lab.step.as_of = (struct bt_as_of){0};
    lab_result(&lab, q, BT_SUCCESS);
    lab_done(&lab);
}

/* The flow's own outputs: typed, or the execution fails. */
static void test_flow_outputs(void **state)
{
    (void)state;
    struct lab lab;
    static const char source[] =
        HEAD "outputs:\n  - {id: n, type: INT, value: \"{{ outputs.a.value }}\"}\n"
             "tasks:\n  - {id: a, type: return, format: \"%s\"}\n";
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 16);
    (void)bt_buf_addf(&text, source, "42");
    lab_open(&lab, bt_buf_cstr(&text));
    lab.forgets = true;
    lab_begin(&lab);
    assert_int_equal(bt_value_as_int(bt_map_gets(lab.exec->outputs, "n")), 42);
    lab_check_end(&lab, BT_SUCCESS);
    lab_done(&lab);
    bt_buf_clear(&text);
    (void)bt_buf_addf(&text, source, "many");
    lab_start(&lab, bt_buf_cstr(&text));
    assert_null(lab.exec->outputs);
    assert_true(lab_has_log(&lab, "Failed to render output values"));
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested),       cmocka_unit_test(test_roots),
        cmocka_unit_test(test_pick),         cmocka_unit_test(test_pick_all),
        cmocka_unit_test(test_flow_outputs), cmocka_unit_test(test_as_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
