/* diags_test.c — Goal: a diagnostic is shown under its line, marked where it stands. Method: text
 * printed to memory and compared. */
#include "cli/diags.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void show(struct bt_str source, struct bt_mark at, struct bt_mark end, const char *want)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_diag *diag = bt_diags_add(&diags, BT_SEVERITY_ERROR, "code", at, "wrong");
    diag->end = end;
    diag->hint = "do";
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    bt_cli_print_diags(out, "f.yml", source, &diags);
    fclose(out);
    assert_string_equal(text, want);
    free(text);
    bt_diags_done(&diags);
}

static struct bt_mark mark(uint32_t line, uint32_t col)
{
    return (struct bt_mark){.line = line, .col = col};
}

static void test_marks(void **state)
{
    (void)state;
    show(BT_STR("a: 1\nbad: value\n"), mark(2, 6), mark(2, 11),
         "f.yml:2:6: error: wrong\n"
         "    2 | bad: value\n"
         "      |      ^~~~~\n"
         "      = do\n");
    show(BT_STR("\té: x\n"), mark(1, 5), mark(1, 6),
         "f.yml:1:5: error: wrong\n"
         "    1 | \té: x\n"
         "      | \t   ^\n"
         "      = do\n");
    /* What goes on in later lines is marked to the end of its first one. */
    show(BT_STR("a: 'x\n  y'\r\n"), mark(1, 4), mark(2, 5),
         "f.yml:1:4: error: wrong\n"
         "    1 | a: 'x\n"
         "      |    ^~\n"
         "      = do\n");
}

static void test_odd_places(void **state)
{
    (void)state;
    const char *alone = "f.yml:9:1: error: wrong\n      = do\n";
    show(BT_STR("a: 1\n"), mark(9, 1), mark(9, 1), alone);
    show(BT_STR_NONE, mark(9, 1), mark(9, 1), alone);
    show(BT_STR_NONE, mark(0, 0), mark(0, 0), "f.yml: error: wrong\n      = do\n");
    show(BT_STR("\xff\n"), mark(1, 1), mark(1, 1), "f.yml:1:1: error: wrong\n      = do\n");
    show(BT_STR("ab"), mark(1, 3), mark(1, 99),
         "f.yml:1:3: error: wrong\n    1 | ab\n      |   ^\n      = do\n");
}

static void test_value(void **state)
{
    (void)state;
    struct bt_diags diags = BT_DIAGS_INIT;
    bt_diags_add(&diags, BT_SEVERITY_WARNING, "code", mark(3, 4), "careful");
    BT_VALUE list = bt_cli_diags_value(&diags);
    const struct bt_value *one = bt_list_at(list, 0);
    assert_int_equal(bt_value_count(list), 1);
    assert_true(bt_str_is(bt_map_str(one, "severity"), "warning"));
    assert_true(bt_str_is(bt_map_str(one, "message"), "careful"));
    assert_int_equal(bt_value_as_int(bt_map_gets(one, "column")), 4);
    assert_null(bt_map_gets(one, "hint"));
    bt_diags_done(&diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_odd_places),
        cmocka_unit_test(test_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
