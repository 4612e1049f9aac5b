/* text_test.c — Goal: no control reaches the terminal, and no line is longer than told. Method: a
 * row per kind of text, printed to memory. */
#include "cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void check_put(const char *text, size_t columns, const char *want, size_t want_columns)
{
    char *got = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&got, &size);
    assert_non_null(out);
    size_t used = bt_text_put(out, bt_str_of(text), columns);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(got, want);
    assert_int_equal(used, want_columns);
    free(got);
}

static void test_put(void **state)
{
    (void)state;
    check_put("", 5, "", 0);
    check_put("plain", 5, "plain", 5);
    check_put("plain", 4, "pla…", 4);
    check_put("a\tb\r\x07\x7f", 80, "a b", 3);
    check_put("\033[2J\033]0;t\a", 80, "\\e[2J\\e]0;t", 11);
    check_put("\xC2\x9B"
              "31m \xE2\x80\xAEx",
              80, "31m x", 5); /* C1; right to left. */
    check_put("\xFFz\xE6\x97", 80, "\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD", 4);
    check_put("日本語", 6, "日本語", 6);
    check_put("日本語", 5, "日本…", 5);
    check_put("日本語", 4, "日…", 3);
    check_put("ü\n", 1, "…", 1);
}

static void test_lines(void **state)
{
    (void)state;
    char *got = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&got, &size);
    assert_non_null(out);
    bt_text_put_lines(out, BT_STR("a\033\n\nb\n"));
    assert_int_equal(fclose(out), 0);
    assert_string_equal(got, "a\\e\n\nb\n");
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_put), cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
