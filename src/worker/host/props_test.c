/* props_test.c — Goal: what a plugin gets fits its manifest. Method: a row per conversion. */
#include "worker/host/props.h"

#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
    const char *schema, *given, *want; /* `want` NULL: refused. */
} cases[] = {
    {"{\"type\":\"integer\"}", "\" 12 \"", "12"},
    {"{\"type\":\"integer\"}", "12", "12"},
    {"{\"type\":\"integer\"}", "\"1.5\"", NULL},
    {"{\"type\":\"integer\"}", "\"\"", NULL},
    {"{\"type\":\"integer\"}", "true", NULL},
    {"{\"type\":\"number\"}", "\"1.5\"", "1.5"},
    {"{\"type\":\"boolean\"}", "\"true\"", "true"},
    {"{\"type\":\"boolean\"}", "\"yes\"", NULL},
    {"{\"type\":\"string\"}", "12", "\"12\""},
    {"{\"type\":\"string\"}", "{\"a\":1}", "\"{\\\"a\\\":1}\""},
    {"{\"type\":\"array\"}", "\"[1,2]\"", "[1,2]"},
    {"{\"type\":\"object\"}", "\"{}\"", "{}"},
    {"{\"type\":\"object\"}", "\"[]\"", NULL},
    {"{\"type\":[\"string\",\"array\"]}", "\"[1]\"", "\"[1]\""},
    {"{\"type\":[\"object\",\"array\"]}", "\"[1]\"", "[1]"},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "[\"1\",2]", "[1,2]"},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "[\"x\"]", NULL},
    {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}", "{\"a\":1}",
     "{\"a\":\"1\"}"},
    {"{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}",
     "{\"n\":\"7\",\"other\":\"7\"}", "{\"n\":7,\"other\":\"7\"}"},
    {"{\"type\":\"string\",\"enum\":[\"GET\",\"PUT\"]}", "\"PUT\"", "\"PUT\""},
    {"{\"type\":\"string\",\"enum\":[\"GET\",\"PUT\"]}", "\"put\"", NULL},
    {"{}", "{\"anything\":[1]}", "{\"anything\":[1]}"},
};

static struct bt_value *parse(const char *text)
{
    struct bt_value *value = NULL;
    assert_int_equal(bt_json_parse(bt_str_of(text), NULL, &value, NULL), BT_OK);
    return value;
}

static void test_conform(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bt_err err = BT_ERR_INIT;
        BT_VALUE schema = parse(cases[i].schema);
        BT_VALUE given = parse(cases[i].given);
        BT_VALUE made = NULL;
        int rc = bt_host_conform(given, schema, &made, &err);
        BT_VALUE text = rc == BT_OK ? bt_json_text(made) : NULL;
        if ((rc == BT_OK) != (cases[i].want != NULL) ||
            (cases[i].want && !bt_str_is(bt_value_str(text), cases[i].want)))
            fail_msg("%s of %s: %d %s", cases[i].given, cases[i].schema, rc, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conform)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
