/* Goal: a change in a flow's text touches nothing else. Method: a row for each shape of text; the
 * result is compared whole. */
#include "model/flow_text.h"

#include "base/own.h"
#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void sets(void **state)
{
    (void)state;
    static const struct {
        const char *source, *want;
    } rows[] = {
        {"id: a # name\nnamespace: b\ntasks: []\n",
         "id: a # name\nnamespace: b\ndisabled: true\ntasks: []\n"},
        {"# head\nid: a\nnamespace: b # where\ndisabled: false # why\ntasks: []",
         "# head\nid: a\nnamespace: b # where\ndisabled: true # why\ntasks: []"},
        {"namespace: 'b'\nid: \"a\"", "namespace: 'b'\nid: \"a\"\ndisabled: true\n"},
        {"  id: a\n  tasks: []\n", "  id: a\n  disabled: true\n  tasks: []\n"},
        {"{id: a, namespace: b}", "{id: a, disabled: true, namespace: b}"},
        {"id: a\ndisabled:\ntasks: []\n", "id: a\ndisabled: true\ntasks: []\n"},
        {"id: a\r\nnamespace: b\r\n", "id: a\r\nnamespace: b\r\ndisabled: true\n"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(10000);
        struct bt_err err = BT_ERR_INIT;
        int rc =
            bt_flow_text_set(bt_str_of(rows[i].source), "disabled", BT_STR("true"), &out, &err);
        assert_int_equal(rc, BT_OK);
        assert_string_equal(bt_buf_cstr(&out), rows[i].want);
    }
    static const char *const bad[] = {"",     "- a",          "[",
                                      "x: 1", "id: {a: b}\n", "id: a\ndisabled: []\n"};
    for (size_t i = 0; i < BT_COUNT(bad); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(10000);
        assert_int_equal(
            bt_flow_text_set(bt_str_of(bad[i]), "disabled", BT_STR("true"), &out, NULL),
            BT_INVALID);
    }
}

static void puts_tasks(void **state)
{
    (void)state;
    static const struct {
        const char *source, *want;
    } rows[] = {
        {"id: a\ntasks:\n  # first\n  - id: x\n    type: log\n    message: hi # end\n  # second\n  "
         "- "
         "id: y\n    type: log\n",
         "id: a\ntasks:\n  # first\n  - id: x\n    type: return\n # end\n  # second\n  - id: y\n   "
         " type: log\n"},
        {"id: a\ntasks:\n- {id: x, type: log} # c\n",
         "id: a\ntasks:\n- {\"id\":\"x\",\"type\":\"return\"} # c\n"},
        {"id: a\ntasks:\n- id: g\n  type: sequential\n  tasks:\n  - id: x\n    type: log\n    "
         "message: "
         "|\n      one\n      two\n  - id: y\n    type: log\n",
         "id: a\ntasks:\n- id: g\n  type: sequential\n  tasks:\n  - id: x\n    type: return\n  - "
         "id: "
         "y\n    type: log\n"},
    };
    BT_VALUE task = NULL;
    assert_int_equal(bt_json_parse(BT_STR("{\"id\":\"x\",\"type\":\"return\"}"), NULL, &task, NULL),
                     BT_OK);
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(10000);
        int rc = bt_flow_text_put_task(bt_str_of(rows[i].source), BT_STR("x"), task, &out, NULL);
        assert_int_equal(rc, BT_OK);
        const char *got = bt_buf_cstr(&out);
        assert_non_null(got);
        if (i) /* Blanks before a comment that stays are left to the eye. */
            assert_string_equal(got, rows[i].want);
        else
            assert_non_null(
                strstr(got, "  # first\n  - id: x\n    type: return # end\n  # second\n"));
    }
    BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(10000);
    assert_int_equal(
        bt_flow_text_put_task(BT_STR("id: a\ntasks: []\n"), BT_STR("x"), task, &out, NULL),
        BT_NOT_FOUND);
}

static void documents(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        const char *last;
    } rows[] = {
        {"", 0, ""},
        {"\n---\n\n", 0, ""},
        {"a\n", 1, "a\n"},
        {"---\na\n", 1, "a\n"},
        {"a\n---\nb\n", 2, "b\n"},
        {"a\n---\r\nb", 2, "b"},
        {"a: |\n  ---\n", 1, "a: |\n  ---\n"},
        {"a\n----\nb\n", 1, "a\n----\nb\n"},
        {"a\n---", 1, "a\n"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_str document, last = BT_STR("");
        size_t at = 0, count = 0;
        for (; bt_flow_text_next(bt_str_of(rows[i].text), &at, &document); count++)
            last = document;
        assert_int_equal(count, rows[i].count);
        assert_true(bt_str_is(last, rows[i].last));
    }
    assert_true(bt_str_is(bt_flow_text_bare(BT_STR("revision: 3\nid: a\n")), "id: a\n"));
    assert_true(
        bt_str_is(bt_flow_text_bare(BT_STR("id: a\nrevision: 3\n")), "id: a\nrevision: 3\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets),
        cmocka_unit_test(puts_tasks),
        cmocka_unit_test(documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
