/* Goal: a flow leads to those that its tasks call, and to those whose triggers wait for it. Method:
 * a row for each way to say so, and for each near miss. */
#include "service/topology.h"

#include "lang/yaml/yaml.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *source;
    bool calls, waits; /* For a.b.target. */
} rows[] = {
    {"tasks: [{id: t, type: log}]", false, false},
    {"tasks: [{id: t, type: io.kestra.plugin.core.flow.Subflow, namespace: a.b, flowId: target}]",
     true, false},
    {"tasks: [{id: t, type: io.kestra.core.tasks.flows.Flow, namespace: a.b, flowId: target}]",
     true, false},
    {"tasks: [{id: t, type: x.Subflow, namespace: a, flowId: target}]", false, false},
    {"tasks: [{id: t, type: x.Subflow, namespace: a.b, flowId: targe}]", false, false},
    {"tasks: [{id: t, type: x.NoSubflow, namespace: a.b, flowId: target}]", false, false},
    {"tasks: [{id: p, type: parallel, tasks: [{id: t, type: x.ForEachItem, namespace: a.b, flowId: "
     "target}]}]",
     true, false},
    {"tasks: [{id: p, type: switch, cases: {x: [{id: t, type: x.Subflow, namespace: a.b, flowId: "
     "target}]}}]",
     true, false},
    {"errors: [{id: t, type: subflow, namespace: a.b, flowId: target}]", true, false},
    {"triggers: [{id: t, type: io.kestra.plugin.core.trigger.Flow}]", false, true},
    {"triggers: [{id: t, type: io.kestra.plugin.core.trigger.Schedule}]", false, false},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.ExecutionFlow, namespace: a.b, "
     "flowId: "
     "target}]}]",
     false, true},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.ExecutionFlow, namespace: a.b, "
     "flowId: "
     "other}]}]",
     false, false},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.ExecutionNamespace, namespace: a}]}]",
     false, false},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.ExecutionNamespace, namespace: a, "
     "comparison: PREFIX}]}]",
     false, true},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.ExecutionNamespace, namespace: b, "
     "comparison: SUFFIX}]}]",
     false, true},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.ExecutionStatus, in: [FAILED]}]}]",
     false, true},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.Not, conditions: [{type: "
     "x.ExecutionFlow, namespace: a.b, flowId: target}]}]}]",
     false, false},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.Or, conditions: [{type: "
     "x.ExecutionFlow, namespace: a.b, flowId: z}, {type: x.ExecutionNamespace, namespace: "
     "a.b}]}]}]",
     false, true},
    {"triggers: [{id: t, type: x.Flow, conditions: [{type: x.MultipleCondition, conditions: {one: "
     "{type: x.ExecutionFlow, namespace: a.b, flowId: target}}}]}]",
     false, true},
    {"triggers: [{id: t, type: x.Flow, preconditions: {id: p, flows: [{namespace: a.b, flowId: "
     "target}]}}]",
     false, true},
    {"triggers: [{id: t, type: x.Flow, preconditions: {id: p, flows: [{namespace: a.b, flowId: "
     "z}]}}]",
     false, false},
};

static void leads(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_VALUE tree = NULL;
        assert_int_equal(bt_yaml_text_value(bt_str_of(rows[i].source), &tree, NULL), BT_OK);
        struct bt_str namespace = BT_STR("a.b"), id = BT_STR("target");
        if (bt_flow_calls(tree, namespace, id) != rows[i].calls ||
            bt_flow_waits_for(tree, namespace, id) != rows[i].waits)
            fail_msg("%s", rows[i].source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
