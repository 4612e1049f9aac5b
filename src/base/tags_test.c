/* Goal: tags are words, and a worker with more of them has those that are asked for.
 * Method: a row per case. */
#include "base/tags.h"

#include "base/limits.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_valid(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_tag, are_tags;
    } rows[] = {
        {"", false, true},     {"a", true, true},      {"eu-west.1_A", true, true},
        {"a,b", false, true},  {"a,", false, false},   {",a", false, false},
        {"a b", false, false}, {"a,,b", false, false}, {"\xc3\xa4", false, false},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        assert_int_equal(bt_tag_is_valid(bt_str_of(rows[i].text)), rows[i].is_tag);
        assert_int_equal(bt_tags_are_valid(bt_str_of(rows[i].text)), rows[i].are_tags);
    }
    char text[BT_TAG_BYTES_MAX + 2];
    memset(text, 'x', sizeof text);
    assert_true(bt_tag_is_valid((struct bt_str){text, BT_TAG_BYTES_MAX}));
    assert_false(bt_tag_is_valid((struct bt_str){text, BT_TAG_BYTES_MAX + 1}));
}

static void test_have(void **state)
{
    (void)state;
    static const struct {
        const char *tags, *wanted;
        bool have;
    } rows[] = {
        {"", "", true},       {"a", "", true},       {"", "a", false},   {"a,b,c", "b", true},
        {"a,b", "b,a", true}, {"a,b", "a,c", false}, {"ab", "a", false}, {"a", "ab", false},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++)
        assert_int_equal(bt_tags_have(bt_str_of(rows[i].tags), bt_str_of(rows[i].wanted)),
                         rows[i].have);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_valid), cmocka_unit_test(test_have)};
    return cmocka_run_group_tests_name("tags", tests, NULL, NULL);
}
