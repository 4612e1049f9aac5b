/* flow_test.c — Goal: a valid flow becomes the structure that the engine relies on. Method: flows
 * as text, fields asserted; limits at N and N+1; a large flow within its time. */
#include "model/flow.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static struct bt_flow *parse(const char *text)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    int rc = bt_flow_parse(bt_str_of(text), &flow, &diags);
    if (rc != BT_OK)
        fail_msg("%s", diags.count ? diags.items[0].msg : "no diagnostic");
    bt_diags_done(&diags);
    return flow;
}

/* The code of the first diagnostic of a flow that must be refused. */
static void refuse(struct bt_str text, const char *code)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    assert_int_equal(bt_flow_parse(text, &flow, &diags), BT_INVALID);
    assert_null(flow);
    assert_true(diags.count > 0);
    assert_string_equal(diags.items[0].code, code);
    bt_diags_done(&diags);
}

static const char rich[] =
    "id: rich\nnamespace: company.team\nrevision: 7\ndescription: all\ndisabled: true\n"
    "labels:\n  team: data\n  size: 3\n"
    "variables:\n  who: \"{{ inputs.name }}\"\n"
    "timeout: PT1H\n"
    "retry: {type: random, minInterval: PT1S, maxInterval: PT5S, maxDuration: PT1M}\n"
    "inputs:\n  - id: name\n    type: STRING\n    defaults: Ann\n  - id: n\n    type: INT\n"
    "    required: false\n"
    "tasks:\n"
    "  - id: first\n    type: io.kestra.core.tasks.log.Log\n    message: [a, \"{{ vars.who }}\"]\n"
    "    runIf: \"{{ inputs.n > 1 }}\"\n    timeout: PT5S\n    allowFailure: true\n"
    "    logLevel: WARN\n"
    "    retry: {type: exponential, interval: PT1S, maxInterval: PT9S, maxAttempt: 3}\n"
    "  - id: choose\n    type: if\n    condition: \"{{ inputs.n }}\"\n"
    "    then:\n      - id: each\n        type: foreach\n        values: [1, 2]\n"
    "        concurrencyLimit: 4\n"
    "        tasks:\n          - id: inner\n            type: return\n            format: 5\n"
    "        errors:\n          - id: oops\n            type: log\n            message: x\n"
    "    else:\n      - id: other\n        type: parallel\n        concurrent: 2\n"
    "        tasks:\n          - id: leaf\n            type: shell\n            script: ls\n"
    "  - id: pick\n    type: switch\n    value: a\n"
    "    cases:\n      a:\n        - {id: ca, type: log, message: a}\n"
    "      b:\n        - {id: cb, type: log, message: b}\n"
    "    defaults:\n      - {id: cd, type: log, message: d}\n"
    "errors:\n  - id: alarm\n    type: log\n    message: failed\n"
    "outputs:\n  - id: result\n    type: STRING\n    value: \"{{ outputs.first }}\"\n";

static void check_task(const struct bt_flow *flow, const char *id, const char *parent,
                       uint32_t iterations)
{
    const struct bt_task *task = bt_flow_task(flow, bt_str_of(id));
    assert_non_null(task);
    assert_ptr_equal(task, &flow->tasks[task->index]);
    assert_int_equal(task->iterations, iterations);
    const struct bt_task_list *lists = flow->lists;
    uint32_t list_count = flow->list_count;
    if (parent) {
        assert_int_not_equal(task->parent, BT_NO_TASK);
        assert_string_equal(flow->tasks[task->parent].id, parent);
        lists = flow->tasks[task->parent].lists;
        list_count = flow->tasks[task->parent].list_count;
        assert_true(task->parent < task->index); /* Pre-order. */
    } else {
        assert_int_equal(task->parent, BT_NO_TASK);
    }
    assert_true(task->list < list_count);
    assert_int_equal(lists[task->list].branch, task->branch);
    assert_true(task->place < lists[task->list].count);
    assert_int_equal(lists[task->list].tasks[task->place], task->index);
}

static void test_structure(void **state)
{
    (void)state;
    struct bt_flow *flow = parse(rich);
    static const char *const order[] = {"first", "choose", "each", "inner", "oops", "other",
                                        "leaf",  "pick",   "ca",   "cb",    "cd",   "alarm"};
    assert_int_equal(flow->task_count, 12);
    for (uint32_t i = 0; i < flow->task_count; i++)
        assert_string_equal(flow->tasks[i].id, order[i]);
    check_task(flow, "first", NULL, 0);
    check_task(flow, "each", "choose", 0);
    check_task(flow, "inner", "each", 1);
    check_task(flow, "oops", "each", 0);
    check_task(flow, "leaf", "other", 0);
    check_task(flow, "cb", "pick", 0);
    check_task(flow, "cd", "pick", 0);
    check_task(flow, "alarm", NULL, 0);
    assert_null(bt_flow_task(flow, BT_STR("none")));
    const struct bt_task *pick = bt_flow_task(flow, BT_STR("pick"));
    const struct bt_task_list *cases =
        bt_lists_find(pick->lists, pick->list_count, BT_BRANCH_CASE, BT_STR("b"));
    assert_string_equal(flow->tasks[cases->tasks[0]].id, "cb");
    assert_null(bt_lists_find(pick->lists, pick->list_count, BT_BRANCH_CASE, BT_STR("c")));
    assert_null(bt_lists_find(pick->lists, pick->list_count, BT_BRANCH_ERRORS, BT_STR_NONE));
    assert_int_equal(bt_flow_task(flow, BT_STR("each"))->concurrent, 4);
    assert_int_equal(bt_flow_task(flow, BT_STR("other"))->concurrent, 2);
    bt_flow_unref(flow);
}

/* What a Pause asks for is read as the inputs of a flow are. */
static void test_on_resume(void **state)
{
    (void)state;
    struct bt_flow *flow = parse("id: f\nnamespace: a\ntasks:\n"
                                 "- {id: plain, type: pause}\n"
                                 "- id: ask\n  type: pause\n  onResume:\n"
                                 "  - {id: why, type: STRING, dependsOn: {inputs: [n],"
                                 " condition: '{{ inputs.n > 1 }}'}}\n"
                                 "  - {id: n, type: INT, defaults: 3, max: 5}\n");
    assert_null(bt_flow_task(flow, BT_STR("plain"))->on_resume);
    const struct bt_input_set *set = bt_flow_task(flow, BT_STR("ask"))->on_resume;
    assert_int_equal(set->count, 2);
    assert_int_equal(set->order[0], 1);
    assert_ptr_equal(bt_inputs_find(set, BT_STR("n")), &set->items[1]);
    assert_null(bt_inputs_find(set, BT_STR("m")));
    assert_int_equal(flow->input_count, 0);
    BT_VALUE given = bt_map_new(1), *resolved = NULL;
    struct bt_input_request request = {flow, *set, given};
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_inputs_resolve(&request, &resolved, &err), BT_INVALID);
    assert_non_null(strstr(err.msg, "`why`"));
    assert_int_equal(bt_map_puts(given, "n", bt_value_cstr("1")), BT_OK);
    assert_int_equal(bt_inputs_resolve(&request, &resolved, &err), BT_OK);
    assert_int_equal(bt_value_count(resolved), 1);
    bt_flow_unref(flow);
}

static void test_properties(void **state)
{
    (void)state;
    struct bt_flow *flow = parse(rich);
    assert_string_equal(flow->id, "rich");
    assert_string_equal(flow->namespace, "company.team");
    assert_string_equal(flow->description, "all");
    assert_int_equal(flow->revision, 0);
    assert_true(flow->is_disabled);
    assert_true(bt_str_is(bt_map_str(flow->labels, "size"), "3"));
    assert_true(bt_str_is(bt_map_str(flow->variables, "who"), "{{ inputs.name }}"));
    assert_int_equal(flow->timeout_us, INT64_C(3600000000));
    assert_int_equal(flow->retry.kind, BT_RETRY_RANDOM);
    assert_int_equal(flow->retry.interval_us, 1000000);
    assert_int_equal(flow->retry.interval_max_us, 5000000);
    assert_int_equal(flow->retry.duration_max_us, 60000000);
    assert_int_equal(flow->input_count, 2);
    assert_true(flow->inputs[0].is_required);
    assert_false(flow->inputs[1].is_required);
    assert_true(bt_str_is(bt_value_str(flow->inputs[0].defaults), "Ann"));
    assert_int_equal(flow->output_count, 1);
    assert_true(bt_str_is(flow->source, rich));
    assert_true(bt_value_is(flow->tree, BT_KIND_MAP));
    const struct bt_task *first = bt_flow_task(flow, BT_STR("first"));
    assert_int_equal(first->type->op, BT_OP_LOG);
    assert_non_null(first->run_if);
    assert_non_null(first->timeout);
    assert_true(first->allow_failure);
    assert_string_equal(first->log_level, "WARN");
    assert_int_equal(first->retry.kind, BT_RETRY_EXPONENTIAL);
    assert_int_equal(first->retry.attempts_max, 3);
    assert_true(first->retry.delay_factor == 2);
    assert_int_equal(first->at.line, 21);
    assert_null(bt_task_prop(first, "level"));
    assert_int_equal(bt_value_count(bt_dyn_raw(bt_task_prop(first, "message"))), 2);
    const struct bt_task *leaf = bt_flow_task(flow, BT_STR("leaf"));
    assert_int_equal(leaf->type->op, BT_OP_SHELL_SCRIPT);
    const struct bt_task *inner = bt_flow_task(flow, BT_STR("inner"));
    const struct bt_value *format = bt_dyn_raw(bt_task_prop(inner, "format"));
    assert_true(bt_str_is(bt_value_str(format), "5")); /* Wanted as text, so it is text. */
    bt_flow_unref(flow);
}

static void test_each_defaults(void **state)
{
    (void)state;
    struct bt_flow *flow =
        parse("id: f\nnamespace: a\ntasks:\n"
              "  - {id: a, type: foreach, values: [1], tasks: [{id: x, type: fail}]}\n"
              "  - {id: b, type: each_sequential, value: [1], tasks: [{id: y, type: fail}]}\n"
              "  - {id: c, type: each_parallel, value: [1], tasks: [{id: z, type: fail}]}\n");
    assert_int_equal(bt_flow_task(flow, BT_STR("a"))->concurrent, 1);
    assert_int_equal(bt_flow_task(flow, BT_STR("b"))->concurrent, 1);
    assert_int_equal(bt_flow_task(flow, BT_STR("c"))->concurrent, 0);
    bt_flow_unref(flow);
}

static struct bt_str raw_text(const struct bt_flow *flow, const char *task, const char *name)
{
    const struct bt_dyn *dyn = bt_task_prop(bt_flow_task(flow, bt_str_of(task)), name);
    return dyn ? bt_value_str(bt_dyn_raw(dyn)) : BT_STR_NONE;
}

/* Rules of rank: not forced lies under, forced over; the first declared wins; lists are joined. */
static void test_plugin_defaults(void **state)
{
    (void)state;
    struct bt_flow *flow =
        parse("id: f\nnamespace: a\n"
              "pluginDefaults:\n"
              "  - type: io.kestra.plugin.core.debug\n"
              "    values: {format: first}\n"
              "  - type: io.kestra.plugin.core.debug.Return\n"
              "    values: {format: second, description: d}\n"
              "  - type: log\n"
              "    forced: true\n"
              "    values: {level: ERROR}\n"
              "  - type: log\n"
              "    forced: true\n"
              "    values: {level: DEBUG}\n"
              "  - type: shell\n"
              "    values: {beforeCommands: [one], env: {A: a, B: b}}\n"
              "tasks:\n"
              "  - {id: r, type: io.kestra.plugin.core.debug.Return}\n"
              "  - {id: own, type: io.kestra.plugin.core.debug.Return, format: o}\n"
              "  - {id: l, type: io.kestra.plugin.core.log.Log, message: m, level: INFO}\n"
              "  - {id: s, type: shell, commands: [ls], beforeCommands: [two], env: {B: c}}\n");
    assert_true(bt_str_is(raw_text(flow, "r", "format"), "first"));
    assert_true(bt_str_is(raw_text(flow, "own", "format"), "o"));
    assert_true(bt_str_is(raw_text(flow, "l", "level"), "ERROR"));
    const struct bt_task *shell = bt_flow_task(flow, BT_STR("s"));
    const struct bt_value *before = bt_dyn_raw(bt_task_prop(shell, "beforeCommands"));
    assert_int_equal(bt_value_count(before), 2);
    assert_true(bt_str_is(bt_value_str(bt_list_at(before, 0)), "one"));
    const struct bt_value *env = bt_dyn_raw(bt_task_prop(shell, "env"));
    assert_true(bt_str_is(bt_map_str(env, "A"), "a"));
    assert_true(bt_str_is(bt_map_str(env, "B"), "c"));
    bt_flow_unref(flow);
}

static void test_counting(void **state)
{
    (void)state;
    struct bt_flow *flow = parse("id: f\nnamespace: a\ntasks:\n  - {id: t, type: fail}\n");
    struct bt_flow *again = bt_flow_ref(flow);
    assert_ptr_equal(flow, again);
    assert_null(bt_flow_unref(flow));
    assert_string_equal(again->id, "f");
    assert_null(bt_flow_unref(again));
    assert_null(bt_flow_unref(NULL));
    assert_null(bt_flow_ref(NULL));
}

static void nested(struct bt_buf *out, int depth)
{
    bt_buf_clear(out);
    bt_buf_adds(out, "id: f\nnamespace: a\ntasks: ");
    for (int i = 0; i < depth; i++)
        bt_buf_addf(out, "[{id: t%d, type: sequential, tasks: ", i);
    bt_buf_adds(out, "[{id: leaf, type: fail}]");
    for (int i = 0; i < depth; i++)
        bt_buf_adds(out, "}]");
}

static void test_depth(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(1 << 20);
    nested(&text, BT_FLOW_DEPTH_MAX - 1);
    bt_flow_unref(parse(bt_buf_cstr(&text)));
    nested(&text, BT_FLOW_DEPTH_MAX);
    refuse(bt_buf_str(&text), "too-deep");
    bt_buf_done(&text);
}

static void flat(struct bt_buf *out, unsigned tasks)
{
    bt_buf_clear(out);
    bt_buf_adds(out, "id: f\nnamespace: a\ntasks:\n");
    for (unsigned i = 0; i < tasks; i++)
        bt_buf_addf(out, "- {id: t%u, type: fail}\n", i);
}

static void test_task_limit(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(4u << 20);
    flat(&text, BT_FLOW_TASKS_MAX);
    struct bt_flow *flow = parse(bt_buf_cstr(&text));
    assert_int_equal(flow->task_count, BT_FLOW_TASKS_MAX);
    bt_flow_unref(flow);
    flat(&text, BT_FLOW_TASKS_MAX + 1);
    refuse(bt_buf_str(&text), "too-many-tasks");
    bt_buf_done(&text);
}

static void test_too_large(void **state)
{
    (void)state;
    char *text = calloc(1, 10u << 20);
    assert_non_null(text);
    memset(text, ' ', 10u << 20);
    clock_t start = clock();
    refuse((struct bt_str){text, 10u << 20}, "too-large");
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 0.05);
    free(text);
}

/* What a default brings counts as often as it is laid under a task. */
static void test_defaults_bomb(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(4u << 20);
    bt_buf_adds(&text, "id: f\nnamespace: a\npluginDefaults:\n  - type: shell\n    values:\n"
                       "      env:\n");
    for (int i = 0; i < 1000; i++)
        bt_buf_addf(&text, "        K%d: v\n", i);
    bt_buf_adds(&text, "tasks:\n");
    for (int i = 0; i < 1000; i++)
        bt_buf_addf(&text, "  - {id: t%d, type: shell, commands: [ls]}\n", i);
    refuse(bt_buf_str(&text), "too-many-nodes");
    bt_buf_done(&text);
}

static void test_fast(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(4u << 20);
    bt_buf_adds(&text, "id: f\nnamespace: a\ntasks:\n");
    for (int i = 0; i < 1000; i++)
        bt_buf_addf(&text,
                    "  - id: task_%d\n    type: io.kestra.plugin.core.log.Log\n"
                    "    message: \"{{ flow.id }} and {{ outputs.task_%d }}\"\n",
                    i, i);
    clock_t start = clock();
    struct bt_flow *flow = parse(bt_buf_cstr(&text));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_int_equal(flow->task_count, 1000);
    assert_true(seconds < 1.5); /* 15 ms in release; sanitizers and load cost the rest. */
    bt_flow_unref(flow);
    bt_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_on_resume),
        cmocka_unit_test(test_each_defaults),
        cmocka_unit_test(test_plugin_defaults),
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_task_limit),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_defaults_bomb),
        cmocka_unit_test(test_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
