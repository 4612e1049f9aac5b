/* Goal: values keep what is put in, share safely, compare exactly; JSON tells where it is wrong.
 * Method: rows, maps below and above the hash border, two threads on one count. */
#include "base/limits.h"
#include "value/decimal.h"
#include "value/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void test_map(void **state)
{
    (void)state;
    BT_VALUE map = bt_map_new(0);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(bt_map_puts(map, key, bt_value_int(i)), BT_OK);
    }
    for (int i = 0; i < 1000; i += 2) {
        (void)snprintf(key, sizeof key, "key%d", i);
        assert_true(bt_map_remove(map, bt_str_of(key)));
        assert_false(bt_map_remove(map, bt_str_of(key)));
    }
    assert_int_equal(bt_value_count(map), 500);
    for (int i = 1; i < 1000; i += 2) {
        (void)snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(bt_value_as_int(bt_map_gets(map, key)), i);
        assert_true(bt_str_is(bt_map_key(map, (size_t)i / 2), key)); /* Order is kept. */
    }
    assert_int_equal(bt_map_puts(map, "key1", bt_value_cstr("new")), BT_OK);
    assert_true(bt_str_is(bt_map_str(map, "key1"), "new"));
    assert_true(bt_str_is(bt_map_key(map, 0), "key1"));
    assert_null(bt_map_gets(map, "key0"));
    assert_null(bt_map_at(map, 500, NULL));
}

static void test_taken_also_on_failure(void **state)
{
    (void)state;
    BT_VALUE list = bt_list_new(1);
    assert_int_equal(bt_list_push(list, NULL), BT_NO_MEM);
    assert_int_equal(bt_list_push(NULL, bt_value_cstr("freed all the same")), BT_NO_MEM);
    assert_int_equal(bt_map_puts(NULL, "k", bt_value_cstr("freed all the same")), BT_NO_MEM);
    assert_int_equal(bt_value_count(list), 0);
}

static void test_null_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(bt_value_kind(NULL), BT_KIND_NULL);
    assert_true(bt_value_is_null(NULL) && bt_value_is_null(bt_value_null()));
    assert_null(bt_list_at(NULL, 0));
    assert_null(bt_map_gets(NULL, "a"));
    assert_int_equal(bt_value_str(NULL).len, 0);
    assert_null(bt_value_unref(NULL));
    BT_VALUE text = bt_value_string((struct bt_str){"a\0b", 3});
    assert_int_equal(bt_value_str(text).len, 3);
}

static struct bt_value *parse(const char *text)
{
    struct bt_value *value = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (bt_json_parse(bt_str_of(text), NULL, &value, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return value;
}

static void test_equal(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool want;
    } rows[] = {
        {"1", "1.0", true},
        {"1", "1e0", true},
        {"0.1", "0.10000000000000000001", false},
        {"123456789012345678901234567890", "123456789012345678901234567890.0", true},
        {"9007199254740993", "9007199254740992", false},
        {"-0.0", "0", true},
        {"1", "\"1\"", false},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
        {"null", "false", false},
        {"1e400", "1e401", false},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_VALUE a = parse(rows[i].a), *b = parse(rows[i].b);
        assert_int_equal(bt_value_equal(a, b), rows[i].want);
        assert_int_equal(bt_value_equal(b, a), rows[i].want);
    }
}

static void test_decimal_order(void **state)
{
    (void)state;
    static const char *const rising[] = {"-1e400", "-100",   "-99.5", "-0.001", "0",
                                         "1e-400", "0.0010", "0.1",   "1",      "1.5",
                                         "10",     "99",     "1e2",   "101",    "1e400"};
    for (size_t i = 0; i < BT_COUNT(rising); i++) {
        for (size_t j = 0; j < BT_COUNT(rising); j++) {
            struct bt_decimal a, b;
            bt_decimal_of_text(bt_str_of(rising[i]), &a);
            bt_decimal_of_text(bt_str_of(rising[j]), &b);
            int order = bt_decimal_cmp(&a, &b);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void test_json_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, col;
        const char *part;
    } rows[] = {
        {"", 1, 1, "ends"},
        {"{\"a\" 1}", 1, 6, "':'"},
        {"[1,\n 2,\n x]", 3, 2, "expected a value"},
        {"[1 2]", 1, 4, "','"},
        {"{a:1}", 1, 2, "double quotes"},
        {"\"ab", 1, 1, "closing quote"},
        {"\"\xC3\xA9\\q\"", 1, 4, "escape"},
        {"01", 1, 1, "leading zero"},
        {"1 1", 1, 3, "follows"},
        {"\"\\ud800x\"", 1, 2, "surrogate"},
        {"[1.]", 1, 4, "digit"},
        {"\"\x01\"", 1, 2, "control"},
        {"[tru]", 1, 2, "expected"},
        {"\xFF", 1, 1, "UTF-8"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_err err = BT_ERR_INIT;
        struct bt_value *value = NULL;
        assert_int_equal(bt_json_parse(bt_str_of(rows[i].text), NULL, &value, &err), BT_INVALID);
        assert_null(value);
        assert_int_equal(err.line, rows[i].line);
        assert_int_equal(err.col, rows[i].col);
        assert_non_null(strstr(err.msg, rows[i].part));
    }
}

static int parse_with(const char *text, struct bt_json_limits limits)
{
    struct bt_value *value = NULL;
    int rc = bt_json_parse(bt_str_of(text), &limits, &value, NULL);
    bt_value_unref(value);
    return rc;
}

static void test_json_limits(void **state)
{
    (void)state;
    const struct bt_json_limits wide = {100, 100, 100};
    struct bt_json_limits limits = wide;
    limits.depth_max = 3;
    assert_int_equal(parse_with("[[[]]]", limits), BT_OK);
    assert_int_equal(parse_with("[[[[]]]]", limits), BT_LIMIT);
    limits = wide;
    limits.bytes_max = 5;
    assert_int_equal(parse_with("[1,2]", limits), BT_OK);
    assert_int_equal(parse_with("[1,22]", limits), BT_LIMIT);
    limits = wide;
    limits.nodes_max = 3;
    assert_int_equal(parse_with("[1,2]", limits), BT_OK);
    assert_int_equal(parse_with("[1,2,3]", limits), BT_LIMIT);
}

static void test_json_write(void **state)
{
    (void)state;
    BT_VALUE value = parse("{\"a\":null,\"b\":[1,null],\"c\":{}}");
    struct bt_buf out = BT_BUF_INIT(1000);
    assert_int_equal(bt_json_write(value, BT_JSON_DROP_NULLS, &out, NULL), BT_OK);
    assert_string_equal(bt_buf_cstr(&out), "{\"b\":[1,null],\"c\":{}}");
    bt_buf_clear(&out);
    assert_int_equal(bt_json_write(value, BT_JSON_PRETTY, &out, NULL), BT_OK);
    assert_string_equal(bt_buf_cstr(&out),
                        "{\n  \"a\": null,\n  \"b\": [\n    1,\n    null\n  ],\n  \"c\": {}\n}");
    bt_buf_done(&out);
    struct bt_buf small = BT_BUF_INIT(3);
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_json_write(value, BT_JSON_COMPACT, &small, &err), BT_LIMIT);
    bt_buf_done(&small);
}

static void test_flavors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum bt_kind kind;
        enum bt_flavor flavor;
    } rows[] = {
        {"2147483647", BT_KIND_INT, BT_FLAVOR_INT32},
        {"2147483648", BT_KIND_INT, BT_FLAVOR_PLAIN},
        {"9223372036854775808", BT_KIND_DECIMAL, BT_FLAVOR_BIGINT},
        {"1.10", BT_KIND_DOUBLE, BT_FLAVOR_PLAIN},
        {"0.12345678901234567890123", BT_KIND_DECIMAL, BT_FLAVOR_PLAIN},
        {"1e400", BT_KIND_DECIMAL, BT_FLAVOR_PLAIN},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_VALUE value = parse(rows[i].text);
        assert_int_equal(bt_value_kind(value), rows[i].kind);
        assert_int_equal(bt_value_flavor(value), rows[i].flavor);
    }
}

static void *share(void *data)
{
    for (int i = 0; i < 100000; i++) {
        struct bt_value *value = bt_value_ref(data);
        assert_int_equal(bt_value_count(value), 1);
        bt_value_unref(value);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    BT_VALUE list = bt_list_new(1);
    assert_int_equal(bt_list_push(list, bt_value_cstr("x")), BT_OK);
    pthread_t one, two;
    assert_int_equal(pthread_create(&one, NULL, share, list), 0);
    assert_int_equal(pthread_create(&two, NULL, share, list), 0);
    assert_int_equal(pthread_join(one, NULL), 0);
    assert_int_equal(pthread_join(two, NULL), 0);
    assert_int_equal(bt_list_push(list, bt_value_null()), BT_OK); /* The count is 1 again. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_taken_also_on_failure),
        cmocka_unit_test(test_null_is_accepted),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_decimal_order),
        cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_json_limits),
        cmocka_unit_test(test_json_write),
        cmocka_unit_test(test_flavors),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
