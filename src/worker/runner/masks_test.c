/* masks_test.c — Goal: no secret gets through, and texts without one stay as they are. Method: rows
 * of secrets, text and what must come of it. */
#include "worker/runner/masks.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *secrets[3], *text, *want;
} rows[] = {
    {{NULL}, "plain", "plain"},
    {{"secret"}, "a secret b", "a ****** b"},
    {{"secret"}, "secretsecret", "************"},
    {{"123456789"}, "x123456789", "x**masked*"},
    {{"0123456789ab"}, "0123456789ab!", "**masked****!"},
    {{"abc", "abcdef"}, "abcdef abc", "****** ***"}, /* The longer one first. */
    {{"abcdef", "abc"}, "abcdef abc", "****** ***"},
    {{"bcd", "abc"}, "abcd", "***d"}, /* The first place wins. */
    {{"ab"}, "ab", "**"},             /* Short ones only alone. */
    {{"ab"}, "abc", "abc"},
    {{""}, "text", "text"},
    {{"gèhéimnis"}, "gèhéimnis", "**masked*"}, /* A character, not a byte, is an asterisk. */
    {{"first line\nsecond line"}, "say: second line", "say: **masked***"},
    {{"a\nb\nlong enough"}, "b long enough", "b **masked***"},
};

static void test_apply(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_masks masks = {0};
        BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(4096);
        for (size_t k = 0; k < 3 && rows[i].secrets[k]; k++)
            for (int twice = 0; twice < 2; twice++)
                assert_int_equal(bt_masks_add(&masks, bt_str_of(rows[i].secrets[k])), BT_OK);
        struct bt_str text = bt_str_of(rows[i].text);
        assert_int_equal(bt_masks_apply(&masks, text, &out), BT_OK);
        if (!bt_str_is(bt_buf_str(&out), rows[i].want))
            fail_msg("%s: %.*s", rows[i].text, BT_FMT(bt_buf_str(&out)));
        assert_int_equal(bt_masks_has(&masks, text), strcmp(rows[i].text, rows[i].want) != 0);
        bt_masks_done(&masks);
        assert_int_equal(masks.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_apply)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
