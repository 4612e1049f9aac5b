/* ion_test.c — Goal: rows that the original wrote read as JSON, and nothing else is accepted or
 * hurts. Method: a row per construct, and every prefix of every row. */
#include "worker/host/ion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
    const char *ion, *json; /* NULL: refused. */
} rows[] = {
    {"{a:1,b:\"x\"}", "{\"a\":1,\"b\":\"x\"}"},
    {" { 'quoted name' : sym , \"k\":'s y m', } ", "{\"quoted name\":\"sym\",\"k\":\"s y m\"}"},
    {"{t:2024-01-02T03:04:05.678+02:00,d:2024-01-02,y:2024T,z:2024-01-02T03:04Z}",
     "{\"t\":\"2024-01-02T03:04:05.678+02:00\",\"d\":\"2024-01-02\",\"y\":\"2024T\","
     "\"z\":\"2024-01-02T03:04Z\"}"},
    {"[1_000,0xFF,-0b101,1.50,12d2,1.5e0,1.,-3]", NULL}, /* See test_numbers. */
    {"[null,null.string,nan,+inf,-inf,true,false]", "[null,null,null,null,null,true,false]"},
    {"(a b (c 1))", "[\"a\",\"b\",[\"c\",1]]"},
    {"note::{a:x::y::1}", "{\"a\":1}"},
    {"'a b'::'c d'", "\"c d\""},
    {"/* c */ {a: // d\n 1}", "{\"a\":1}"},
    {"'''long ''' '''text'''", "\"long text\""},
    {"{{aGVs bG8=}}", "\"aGVsbG8=\""},
    {"{{\"clob\"}}", "\"clob\""},
    {"\"\\x41\\u00e9\\U0001F600\\ud83d\\ude00\\n\\'\"",
     "\"A\xC3\xA9\xF0\x9F\x98\x80\xF0\x9F\x98\x80\\n'\""},
    {"$ion_1_0", "\"$ion_1_0\""},
    {"{a:[],b:{},c:()}", "{\"a\":[],\"b\":{},\"c\":[]}"},
    {"", NULL},
    {"{a}", NULL},
    {"{a:}", NULL},
    {"{a:1 b:2}", NULL},
    {"[1 2]", NULL},
    {"{a:1}}", NULL},
    {"\"open", NULL},
    {"\"\\q\"", NULL},
    {"\"\\ud83d\"", NULL},
    {"0x", NULL},
    {"0xFFFFFFFFFFFFFFFF", NULL},
    {"01", NULL},
    {"{{ab", NULL},
    {"a::", NULL},
    {"\xff", NULL},
};

static int convert(struct bt_str ion, struct bt_buf *out)
{
    bt_buf_clear(out);
    return bt_ion_to_json(ion, out);
}

static void test_rows(void **state)
{
    (void)state;
    struct bt_buf out = BT_BUF_INIT(1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = convert(bt_str_of(rows[i].ion), &out);
        if (rows[i].json && (rc < 0 || !bt_str_is(bt_buf_str(&out), rows[i].json)))
            fail_msg("%s: %d, %.*s", rows[i].ion, rc, (int)out.len, out.at);
        if (!rows[i].json && i != 3)
            assert_true(rc < 0);
        for (size_t len = 0; len < strlen(rows[i].ion); len++) { /* Nothing runs past the end. */
            char *part = malloc(len + 1);
            memcpy(part, rows[i].ion, len);
            (void)convert((struct bt_str){part, len}, &out);
            free(part);
        }
    }
    bt_buf_done(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    struct bt_buf out = BT_BUF_INIT(1 << 20);
    assert_int_equal(convert(BT_STR("[1_000,0xFF,-0b101,1.5e0,1.,-3]"), &out), BT_OK);
    assert_true(bt_str_is(bt_buf_str(&out), "[1000,255,-5,1.5,1.0,-3]"));
    assert_int_equal(convert(BT_STR("12.25d1"), &out), BT_OK);
    assert_true(strtod(bt_buf_cstr(&out), NULL) == 122.5);
    bt_buf_done(&out);
}

static void test_depth(void **state)
{
    (void)state;
    char deep[300];
    struct bt_buf out = BT_BUF_INIT(1 << 20);
    memset(deep, '[', sizeof deep);
    assert_int_equal(convert((struct bt_str){deep, sizeof deep}, &out), BT_LIMIT);
    memset(deep + 127, ']', 127);
    assert_int_equal(convert((struct bt_str){deep, 254}, &out), BT_OK);
    memset(deep, '[', 129);
    memset(deep + 129, ']', 129);
    assert_int_equal(convert((struct bt_str){deep, 258}, &out), BT_LIMIT);
    bt_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
