/* filter_data.c — Filters between values and their texts: default, className, json, yaml, ion, jq.
 */
#include "lang/expr/expr_int.h"

#include "lang/expr/ion.h"
#include "lang/jq/jq.h"
#include "lang/expr/yaml_write.h"
#include "value/json.h"

static int default_value(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_TRY(bt_call_force(call->run, call->input, &input));
    if (!bt_is_empty(input)) {
        *ret_value = bt_value_ref(call->input);
        return BT_OK;
    }
    *ret_value = bt_call_arg(call, 0) ? bt_value_ref(bt_call_arg(call, 0)) : bt_value_null();
    return BT_OK;
}

static int class_name(struct bt_call *call, struct bt_value **ret_value)
{
    if (bt_value_is_null(call->input)) {
        *ret_value = bt_value_null();
        return BT_OK;
    }
    return bt_call_string(call, bt_str_of(bt_java_class(call->input)), ret_value);
}

static int to_json(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_java_json(call->input, false, &buf, call->run->err);
    if (rc == BT_OK)
        return bt_call_take(call, &buf, ret_value);
    bt_buf_done(&buf);
    return rc;
}

static int to_yaml(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    if (bt_value_is_null(call->input))
        return bt_call_string(call, BT_STR("null"), ret_value);
    int rc = bt_yaml_write(call->input, &buf, call->run->err);
    if (rc == BT_OK)
        return bt_call_take(call, &buf, ret_value);
    bt_buf_done(&buf);
    return rc;
}

static int to_ion(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_ion_write(call->input, &buf, call->run->err);
    if (rc == BT_OK)
        return bt_call_take(call, &buf, ret_value);
    bt_buf_done(&buf);
    return rc;
}

/* Runs over the parsed text when the input is one. */
static int run_jq(struct bt_call *call, struct bt_str program, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    if (bt_value_is(call->input, BT_KIND_STRING)) {
        BT_TRY(bt_json_parse(bt_value_str(call->input), NULL, &input, call->run->err));
        bt_eval_charge(call->run, bt_value_bytes(input));
        return bt_jq_run(program, input, ret_value, call->run->err);
    }
    return bt_jq_run(program, call->input, ret_value, call->run->err);
}

static int jq(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str program;
    if (bt_value_is_null(call->input)) {
        *ret_value = bt_value_null();
        return BT_OK;
    }
    if (!bt_call_arg(call, 0))
        return bt_raise(call->run, call->node->at,
                        "The 'jq' filter expects an argument 'expression'.");
    BT_TRY(bt_call_str(call, 0, &program));
    int rc = run_jq(call, program, ret_value);
    if (rc != BT_INVALID)
        return rc;
    char hint[200] = "";
    if (call->run->err)
        (void)snprintf(hint, sizeof hint, "%.190s", call->run->err->msg); /* A cut hint is fine. */
    struct bt_buf text = BT_BUF_INIT(250);
    (void)bt_java_text(call->input, &text, NULL); /* A cut text is good enough here. */
    rc = bt_raise(call->run, call->node->at, "Unable to parse jq value '%.*s' with type '%s'",
                  BT_FMT(bt_buf_str(&text)), bt_java_class(call->input));
    bt_buf_done(&text);
    if (call->run->err)
        (void)bt_hint(call->run->err, "%s", hint); /* The code is `rc`. */
    return rc;
}

static const struct bt_fn rows[] = {
    {"className", "", 0, 0, BT_FN_LOOSE, class_name,
     "The original's type name: `'a' | className` → `java.lang.String`"},
    {"default", "default", 1, 1, BT_FN_TOLERANT, default_value,
     "Another value for null, empty or missing ones: `x | default('d')` → `d`"},
    {"jq", "expression", 1, 1, 0, jq,
     "A list of the results of a jq program: `m | jq('.a') | first`"},
    {"json", "", 0, 0, BT_FN_LOOSE, to_json,
     "JSON text: `{'a': 1} | json` → `{\"a\":1}` (the same as `toJson`)"},
    {"toIon", "", 0, 0, BT_FN_LOOSE, to_ion, "Ion text: `[1, 'a'] | toIon` → `[1,\"a\"]`"},
    {"toJson", "", 0, 0, BT_FN_LOOSE, to_json, "JSON text: `[1, null] | toJson` → `[1,null]`"},
    {"yaml", "", 0, 0, BT_FN_LOOSE, to_yaml, "YAML text: `{'a': 1} | yaml` → `a: 1`"},
};

const struct bt_fn_table bt_fn_data_filters = {rows, BT_COUNT(rows)};
