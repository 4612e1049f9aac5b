/* inputs_test.c — Goal: given values become the inputs of an execution, wrong ones are refused in
 * the original's words. Method: rows of type, spec and value; whole flows for order and conditions.
 */
#include "model/flow.h"

#include "base/limits.h"
#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct bt_value *json(const char *text)
{
    struct bt_value *value = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (bt_json_parse(bt_str_of(text), NULL, &value, &err) != BT_OK)
        fail_msg("%s: %s", text, err.msg);
    return value;
}

static const struct {
    enum bt_input_type type;
    const char *spec, *value;
    const char *want; /* JSON; or NULL: refused, in these words: */
    const char *words;
} rows[] = {
    {BT_INPUT_STRING, "{}", "\"a\"", "\"a\"", NULL},
    {BT_INPUT_STRING, "{}", "5", "\"5\"", NULL},
    {BT_INPUT_STRING, "{}", "true", "\"true\"", NULL},
    {BT_INPUT_STRING, "{}", "null", "null", NULL},
    {BT_INPUT_STRING, "{\"validator\":\"a+\"}", "\"aaa\"", "\"aaa\"", NULL},
    {BT_INPUT_STRING, "{\"validator\":\"a+\"}", "\"aab\"", NULL, "it must match the pattern `a+`"},
    {BT_INPUT_STRING, "{\"validator\":\"(a*)*b\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac\"",
     NULL, "pattern"},
    {BT_INPUT_SECRET, "{}", "\"s\"", "\"s\"", NULL},
    {BT_INPUT_INT, "{}", "42", "42", NULL},
    {BT_INPUT_INT, "{}", "\"42\"", "42", NULL},
    {BT_INPUT_INT, "{}", "\"-7\"", "-7", NULL},
    {BT_INPUT_INT, "{}", "\"x\"", NULL, "For input string: \"x\""},
    {BT_INPUT_INT, "{}", "1.5", NULL, "For input string: \"1.5\""},
    {BT_INPUT_INT, "{\"min\":3}", "3", "3", NULL},
    {BT_INPUT_INT, "{\"min\":3}", "2", NULL, "it must be more than `3`"},
    {BT_INPUT_INT, "{\"max\":3}", "3", "3", NULL},
    {BT_INPUT_INT, "{\"max\":3}", "\"4\"", NULL, "it must be less than `3`"},
    {BT_INPUT_FLOAT, "{}", "\"1.5\"", "1.5", NULL},
    {BT_INPUT_FLOAT, "{}", "2", "2.0", NULL},
    {BT_INPUT_FLOAT, "{}", "\"1,5\"", NULL, "For input string: \"1,5\""},
    {BT_INPUT_FLOAT, "{\"max\":1.5}", "1.6", NULL, "it must be less than `1.5`"},
    {BT_INPUT_BOOLEAN, "{}", "true", "true", NULL},
    {BT_INPUT_BOOLEAN, "{}", "\"TRUE\"", "true", NULL},
    {BT_INPUT_BOOLEAN, "{}", "\"yes\"", "false", NULL},
    {BT_INPUT_SELECT, "{\"values\":[\"a\",\"b\"]}", "\"b\"", "\"b\"", NULL},
    {BT_INPUT_SELECT, "{\"values\":[\"a\",\"b\"]}", "\"c\"", NULL,
     "it must match the values `[a, b]`"},
    {BT_INPUT_SELECT, "{\"values\":[1,2]}", "2", "\"2\"", NULL},
    {BT_INPUT_SELECT, "{\"values\":[\"a\"],\"allowCustomValue\":true}", "\"c\"", "\"c\"", NULL},
    {BT_INPUT_SELECT, "{\"values\":[\"a\"],\"required\":false}", "\"c\"", "\"c\"", NULL},
    {BT_INPUT_ENUM, "{\"values\":[\"a\"]}", "\"a\"", "\"a\"", NULL},
    {BT_INPUT_MULTISELECT, "{\"values\":[\"a\",\"b\"]}", "[\"b\"]", "[\"b\"]", NULL},
    {BT_INPUT_MULTISELECT, "{\"values\":[\"a\",\"b\"]}", "\"[\\\"a\\\"]\"", "[\"a\"]", NULL},
    {BT_INPUT_MULTISELECT, "{\"values\":[\"a\",\"b\"]}", "[\"c\"]", NULL,
     "it must match the values `[a, b]`"},
    {BT_INPUT_ARRAY, "{\"itemType\":\"INT\"}", "[1,\"2\"]", "[1,2]", NULL},
    {BT_INPUT_ARRAY, "{\"itemType\":\"INT\"}", "\"[3]\"", "[3]", NULL},
    {BT_INPUT_ARRAY, "{\"itemType\":\"INT\"}", "[\"x\"]", NULL,
     "Unable to parse array element as `INT` on `x`"},
    {BT_INPUT_ARRAY, "{\"itemType\":\"INT\"}", "\"x\"", NULL, "Expected `ARRAY` but received `x`"},
    {BT_INPUT_ARRAY, "{\"itemType\":\"INT\"}", "\"{}\"", NULL, "Expected `ARRAY`"},
    {BT_INPUT_JSON, "{}", "{\"a\":1}", "{\"a\":1}", NULL},
    {BT_INPUT_JSON, "{}", "\"{\\\"a\\\": [1]}\"", "{\"a\":[1]}", NULL},
    {BT_INPUT_JSON, "{}", "\"{\"", NULL, "Expected `JSON` but received `{`"},
    {BT_INPUT_YAML, "{}", "\"a: [1]\"", "{\"a\":[1]}", NULL},
    {BT_INPUT_YAML, "{}", "\"a: b: c\"", NULL, "Expected `YAML`"},
    {BT_INPUT_DATETIME, "{}", "\"2019-10-06T18:27:49Z\"", "\"2019-10-06T18:27:49.000Z\"", NULL},
    {BT_INPUT_DATETIME, "{}", "\"2019-10-06T18:27:49.5+02:00\"", "\"2019-10-06T16:27:49.500Z\"",
     NULL},
    {BT_INPUT_DATETIME, "{}", "\"2000-02-29T00:00:00-01:30\"", "\"2000-02-29T01:30:00.000Z\"",
     NULL},
    {BT_INPUT_DATETIME, "{}", "\"1969-12-31T23:59:59Z\"", "\"1969-12-31T23:59:59.000Z\"", NULL},
    {BT_INPUT_DATETIME, "{}", "\"2019-02-29T00:00:00Z\"", NULL, "Expected `DATETIME`"},
    {BT_INPUT_DATETIME, "{}", "\"2019-10-06\"", NULL, "Expected `DATETIME`"},
    {BT_INPUT_DATETIME, "{\"after\":\"2020-01-01T00:00:00Z\"}", "\"2019-10-06T18:27:49Z\"", NULL,
     "it must be after `2020-01-01T00:00:00Z`"},
    {BT_INPUT_DATE, "{}", "\"2019-10-06\"", "\"2019-10-06\"", NULL},
    {BT_INPUT_DATE, "{}", "\"2019-13-06\"", NULL, "Expected `DATE`"},
    {BT_INPUT_DATE, "{\"before\":\"2019-01-01\"}", "\"2019-01-02\"", NULL,
     "it must be before `2019-01-01`"},
    {BT_INPUT_TIME, "{}", "\"18:27:49\"", "\"18:27:49\"", NULL},
    {BT_INPUT_TIME, "{}", "\"18:27\"", "\"18:27\"", NULL},
    {BT_INPUT_TIME, "{}", "\"24:00\"", NULL, "Expected `TIME`"},
    {BT_INPUT_TIME, "{}", "\"18:27:49.\"", NULL, "Expected `TIME`"},
    {BT_INPUT_DURATION, "{}", "\"PT5M6S\"", "\"PT5M6S\"", NULL},
    {BT_INPUT_DURATION, "{}", "\"5m\"", NULL, "Expected `DURATION`"},
    {BT_INPUT_DURATION, "{\"min\":\"PT1M\"}", "\"PT1S\"", NULL, "It must be more than `PT1M`"},
    {BT_INPUT_DURATION, "{\"max\":\"PT1M\"}", "\"PT1H\"", NULL, "It must be less than `PT1M`"},
    {BT_INPUT_FILE, "{}", "\"kestra:///a/b\"", "\"kestra:///a/b\"", NULL},
    {BT_INPUT_URI, "{}", "\"https://example.com/x?y=1\"", "\"https://example.com/x?y=1\"", NULL},
    {BT_INPUT_URI, "{}", "\"nope\"", NULL, "Expected `URI` but received `nope`"},
    {BT_INPUT_EMAIL, "{}", "\"a@b.org\"", "\"a@b.org\"", NULL},
    {BT_INPUT_EMAIL, "{}", "\"\"", "\"\"", NULL},
    {BT_INPUT_EMAIL, "{}", "\"a.b.org\"", NULL, "it must match the pattern"},
};

static void test_conversions(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_VALUE spec = json(rows[i].spec);
        BT_VALUE value = json(rows[i].value);
        BT_VALUE converted = NULL;
        struct bt_err err = BT_ERR_INIT;
        int rc = bt_input_convert(rows[i].type, spec, value, &converted, &err);
        const char *name = bt_input_type_name(rows[i].type);
        if (!rows[i].want) {
            if (rc != BT_INVALID || !strstr(err.msg, rows[i].words))
                fail_msg("%s %s: rc %d, %s", name, rows[i].value, rc, err.msg);
            continue;
        }
        if (rc != BT_OK)
            fail_msg("%s %s: %s", name, rows[i].value, err.msg);
        BT_VALUE text = bt_json_text(converted);
        if (!bt_str_is(bt_value_str(text), rows[i].want))
            fail_msg("%s %s: got %.*s", name, rows[i].value, BT_FMT(bt_value_str(text)));
    }
}

static void test_type_names(void **state)
{
    (void)state;
    for (int i = BT_INPUT_STRING; i <= BT_INPUT_ENUM; i++) {
        enum bt_input_type type;
        const char *name = bt_input_type_name((enum bt_input_type)i);
        assert_true(bt_input_type_parse(bt_str_of(name), &type));
        assert_int_equal(type, i);
    }
    enum bt_input_type type;
    assert_false(bt_input_type_parse(BT_STR("string"), &type));
}

/* Resolves the inputs of a flow; JSON of the result, or the message in `want`. */
static void resolve(const char *inputs, const char *given, int want_rc, const char *want)
{
    struct bt_buf source = BT_BUF_INIT(1 << 16);
    bt_buf_addf(&source, "id: f\nnamespace: a\ntasks: [{id: t, type: fail}]\ninputs:\n%s", inputs);
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    if (bt_flow_parse(bt_buf_str(&source), &flow, &diags) != BT_OK)
        fail_msg("%s", diags.items[0].msg);
    BT_VALUE values = json(given);
    BT_VALUE resolved = NULL;
    struct bt_err err = BT_ERR_INIT;
    struct bt_input_request request = {flow, bt_flow_inputs(flow), values};
    int rc = bt_inputs_resolve(&request, &resolved, &err);
    BT_VALUE text = resolved ? bt_json_text(resolved) : bt_value_cstr(err.msg);
    if (rc != want_rc || !bt_str_is(bt_value_str(text), want))
        fail_msg("rc %d: %.*s, want %s", rc, BT_FMT(bt_value_str(text)), want);
    bt_flow_unref(flow);
    bt_diags_done(&diags);
    bt_buf_done(&source);
}

static void test_resolve(void **state)
{
    (void)state;
    const char *two =
        "- {id: a, type: STRING, defaults: x}\n- {id: n, type: INT, required: false}\n";
    resolve(two, "{}", BT_OK, "{\"a\":\"x\",\"n\":null}");
    resolve(two, "{\"a\":\"y\",\"n\":\"3\",\"other\":1}", BT_OK, "{\"a\":\"y\",\"n\":3}");
    resolve(two, "{\"a\":null}", BT_OK, "{\"a\":\"x\",\"n\":null}");
    resolve(two, "{\"n\":\"z\"}", BT_INVALID,
            "Invalid input for `n`, For input string: \"z\", but received `z`");
    const char *need = "- {id: a, type: INT}\n";
    resolve(need, "{}", BT_INVALID,
            "Invalid input for `a`, missing required input, but received `null`");
    resolve(need, "{\"a\":\"\"}", BT_INVALID,
            "Invalid input for `a`, missing required input, but received `null`");
    const char *dotted = "- {id: a.b, type: INT}\n- {id: a.c, type: INT}\n- {id: d, type: INT}\n";
    resolve(dotted, "{\"a.b\":1,\"a.c\":2,\"d\":3}", BT_OK, "{\"a\":{\"b\":1,\"c\":2},\"d\":3}");
}

static void test_depends(void **state)
{
    (void)state;
    const char *inputs = "- id: late\n  type: STRING\n  dependsOn:\n    inputs: [kind]\n"
                         "    condition: \"{{ inputs.kind == 'big' }}\"\n"
                         "- {id: kind, type: STRING}\n";
    resolve(inputs, "{\"kind\":\"big\",\"late\":\"x\"}", BT_OK,
            "{\"late\":\"x\",\"kind\":\"big\"}");
    resolve(inputs, "{\"kind\":\"small\",\"late\":\"x\"}", BT_OK, "{\"kind\":\"small\"}");
    resolve(inputs, "{\"kind\":\"big\"}", BT_INVALID,
            "Invalid input for `late`, missing required input, but received `null`");
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us; /* -1: refused. */
    } durations[] = {
        {"PT1S", 1000000},
        {"PT0.5S", 500000},
        {"PT1.000001S", 1000001},
        {"PT1.0000009S", 1000000},
        {"PT1M", 60000000},
        {"PT1H30M", INT64_C(5400000000)},
        {"P1D", INT64_C(86400000000)},
        {"P1DT1S", INT64_C(86401000000)},
        {"pt1h", INT64_C(3600000000)},
        {"PT0S", 0},
        {"PT-1S", -1000000},
        {"-PT1M", -60000000},
        {"+PT1M", 60000000},
        {"PT61M", INT64_C(3660000000)},
        {"P", -1},
        {"PT", -1},
        {"P1DT", -1},
        {"1S", -1},
        {"PT1", -1},
        {"PTS", -1},
        {"PT1S1M", -1},
        {"PT1M1M", -1},
        {"P1H", -1},
        {"PT1D", -1},
        {"PT1.5M", -1},
        {"P1W", -1},
        {"P1Y", -1},
        {"PT1S ", -1},
        {"", -1},
        {"PT99999999999999999999S", -1},
        {"PT9223372036854775807S", -1},
        {"P106751992D", -1},
    };
    for (size_t i = 0; i < BT_COUNT(durations); i++) {
        int64_t us = 0;
        struct bt_err err = BT_ERR_INIT;
        int rc = bt_duration_parse(bt_str_of(durations[i].text), &us, &err);
        bool is_refused = durations[i].us == -1;
        if ((rc == BT_OK) == is_refused || (!is_refused && us != durations[i].us))
            fail_msg("%s: rc %d, %lld", durations[i].text, rc, (long long)us);
        assert_true(!is_refused || err.hint[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversions), cmocka_unit_test(test_type_names),
        cmocka_unit_test(test_resolve),     cmocka_unit_test(test_depends),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
