/* Goal: the ground holds: views, buffers, numbers, ids, UTF-8, maps. Method: a row per boundary,
 * and a random walk of map64 against an array. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/ids.h"
#include "base/iso.h"
#include "base/limits.h"
#include "base/map64.h"
#include "base/num.h"
#include "base/own.h"
#include "base/rng.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_str(void **state)
{
    (void)state;
    assert_int_equal(bt_str_find(BT_STR("banana"), BT_STR("an"), 2), 3);
    assert_int_equal(bt_str_find(BT_STR("banana"), BT_STR("x"), 0), -1);
    assert_int_equal(bt_str_find(BT_STR("a"), BT_STR("ab"), 0), -1);
    assert_int_equal(bt_str_find(BT_STR("ab"), BT_STR(""), 2), 2);
    assert_int_equal(bt_str_find(BT_STR("ab"), BT_STR(""), 3), -1);
    assert_true(bt_str_is(bt_str_trim(BT_STR(" \t a b\n")), "a b"));
    assert_true(bt_str_is(bt_str_slice(BT_STR("abc"), 1, 9), "bc"));
    assert_true(bt_str_is(bt_str_slice(BT_STR("abc"), 3, 2), ""));
    assert_true(bt_str_cmp(BT_STR("a"), BT_STR("ab")) < 0);
    assert_true(bt_str_cmp(BT_STR("b"), BT_STR("ab")) > 0);
    assert_true(bt_str_starts(BT_STR("abc"), BT_STR("")) &&
                bt_str_ends(BT_STR("abc"), BT_STR("bc")));
    assert_false(bt_str_ends(BT_STR("c"), BT_STR("bc")));
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"table", "message", "commands", "log", "return"};
    static const struct {
        const char *word, *want;
    } rows[] = {{"tabel", "table"},   {"mesage", "message"},
                {"lgo", "log"},       {"command", "commands"},
                {"xyz", NULL},        {"", NULL},
                {"retrun", "return"}, {"l", NULL}};
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        const char *got = bt_str_nearest(bt_str_of(rows[i].word), names, BT_COUNT(names));
        if (!rows[i].want)
            assert_null(got);
        else
            assert_string_equal(got, rows[i].want);
    }
}

static void test_buf_limit(void **state)
{
    (void)state;
    struct bt_buf buf = BT_BUF_INIT(10);
    assert_int_equal(bt_buf_adds(&buf, "123456789"), BT_OK);
    assert_int_equal(bt_buf_addc(&buf, '0'), BT_OK);
    assert_int_equal(bt_buf_addc(&buf, '1'), BT_LIMIT);
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_buf_check(&buf, "a thing", &err), BT_LIMIT);
    assert_non_null(strstr(err.msg, "10 bytes"));
    bt_buf_clear(&buf);
    assert_int_equal(bt_buf_addf(&buf, "%s", "0123456789"), BT_OK);
    assert_string_equal(bt_buf_cstr(&buf), "0123456789");
    bt_buf_done(&buf);
    struct bt_buf large = BT_BUF_INIT(100000);
    assert_int_equal(bt_buf_addf(&large, "%05000d", 7), BT_OK);
    assert_int_equal(large.len, 5000);
    assert_int_equal(bt_buf_add_i64(&large, INT64_MIN), BT_OK);
    assert_true(bt_str_ends(bt_buf_str(&large), BT_STR("7-9223372036854775808")));
    bt_buf_done(&large);
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t want;
    } rows[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"+7", true, 7},
        {"", false, 0},
        {"-", false, 0},
        {"1 ", false, 0},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        int64_t got = 0;
        assert_int_equal(bt_parse_i64(bt_str_of(rows[i].text), &got), rows[i].good);
        assert_int_equal(got, rows[i].want);
    }
}

static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } rows[] = {{0.1, "0.1"},
                {5, "5.0"},
                {-0.0, "-0.0"},
                {1e300, "1e+300"},
                {1.0 / 3, "0.3333333333333333"},
                {5e-324, "5e-324"}};
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_buf buf = BT_BUF_INIT(64);
        double back = 1;
        assert_int_equal(bt_buf_add_double(&buf, rows[i].number), BT_OK);
        assert_string_equal(bt_buf_cstr(&buf), rows[i].text);
        assert_true(bt_parse_double(bt_buf_str(&buf), &back) && back == rows[i].number);
        bt_buf_done(&buf);
    }
    double number;
    static const char *const bad[] = {"", ".", "1e", "0x10", "inf", "nan", "1_0", " 1", "1,5"};
    for (size_t i = 0; i < BT_COUNT(bad); i++)
        assert_false(bt_parse_double(bt_str_of(bad[i]), &number));
}

static void test_ids(void **state)
{
    (void)state;
    struct bt_id early = bt_id_make(1000, UINT64_MAX, UINT64_MAX), late = bt_id_make(1001, 0, 0);
    assert_true(bt_str_cmp(bt_id_str(&early), bt_id_str(&late)) < 0);
    assert_true(bt_id_is_valid(bt_id_str(&early)) && bt_id_is_valid(bt_id_str(&late)));
    assert_false(bt_id_is_valid(BT_STR("short")));
    assert_false(bt_id_is_valid(BT_STR("000000000000000000000/")));
    struct bt_id none = bt_id_make(0, 0, 0);
    assert_string_equal(none.text, "0000000000000000000000");
}

static void test_utf8_repair(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *want;
    } rows[] = {{"", ""},
                {"plain \xC3\xBC", "plain \xC3\xBC"},
                {"cut \xC3", "cut "},
                {"cut \xE6\x97", "cut "},
                {"cut \xF0\x9F\x98", "cut "},
                {"a\xFF"
                 "b\xC3"
                 "c",
                 "a?b?c"},
                {"end \xFF", "end "},
                {"\x80", "?"},
                {"\xED\xA0\x80 surrogate", "??? surrogate"}};
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%s", rows[i].raw);
        bt_utf8_repair(text);
        assert_string_equal(text, rows[i].want);
    }
    struct bt_err err = BT_ERR_INIT; /* Whatever the length, a message that is cut stays text. */
    for (int pad = 0; pad < 4; pad++) {
        char text[400];
        size_t len = (size_t)pad;
        memset(text, 'x', sizeof text);
        for (; len + 3 < sizeof text - 1; len += 3)
            memcpy(text + len, "\xE6\x97\xA5", 3);
        text[len] = '\0';
        (void)bt_fail(&err, BT_INVALID, "%s", text);
        assert_true(bt_utf8_is_valid(bt_str_of(err.msg), NULL));
        (void)bt_err_prefix(&err, "yes");
        assert_true(bt_utf8_is_valid(bt_str_of(err.msg), NULL));
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"plain", true},     {"\xC3\xA9", true},      {"\xF0\x9F\x98\x80", true},
        {"\xC0\x80", false}, {"\xED\xA0\x80", false}, {"\xF4\x90\x80\x80", false},
        {"\xE2\x82", false}, {"\x80", false},         {"aaaaaaaa\xFF", false},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++)
        assert_int_equal(bt_utf8_is_valid(bt_str_of(rows[i].text), NULL), rows[i].good);
    size_t at = 0;
    assert_false(bt_utf8_is_valid(BT_STR("ab\xFF"), &at));
    assert_int_equal(at, 2);
    assert_int_equal(bt_utf8_count(BT_STR("a\xC3\xA9z")), 3);
    assert_int_equal(bt_utf8_offset(BT_STR("a\xC3\xA9z"), 2), 3);
    assert_int_equal(bt_utf8_offset(BT_STR("a"), 9), 1);
}

static void test_map64(void **state)
{
    (void)state;
    enum { KEYS = 300 };
    static int marks[KEYS];
    bool there[KEYS] = {false};
    struct bt_map64 map = {0};
    struct bt_rng rng = {1};
    size_t count = 0;
    for (int i = 0; i < 20000; i++) {
        size_t key = bt_rng_below(&rng, KEYS);
        if (bt_rng_below(&rng, 2)) {
            count += !there[key];
            there[key] = true;
            bt_map64_put(&map, key * 64, &marks[key]);
        } else {
            assert_ptr_equal(bt_map64_remove(&map, key * 64), there[key] ? &marks[key] : NULL);
            count -= there[key];
            there[key] = false;
        }
        size_t other = bt_rng_below(&rng, KEYS);
        assert_ptr_equal(bt_map64_get(&map, other * 64), there[other] ? &marks[other] : NULL);
        assert_int_equal(map.count, count);
    }
    bt_map64_done(&map);
}

static void test_arena_and_diags(void **state)
{
    (void)state;
    struct bt_arena arena = BT_ARENA_INIT;
    for (size_t i = 1; i < 20000; i += 97) {
        unsigned char *at = bt_arena_alloc(&arena, i);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 16, 0);
        assert_int_equal(at[0] | at[i - 1], 0);
        memset(at, 0xFF, i);
    }
    bt_arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    bt_arena_done(&arena);
    struct bt_diags diags = BT_DIAGS_INIT;
    for (uint32_t i = 0; i < BT_DIAGS_MAX + 1; i++)
        (void)bt_diags_add(&diags, BT_SEVERITY_ERROR, "x", (struct bt_mark){500 - i, 1, 0}, "n%u",
                           i);
    bt_diags_sort(&diags);
    assert_int_equal(diags.count, BT_DIAGS_MAX);
    assert_int_equal(diags.left_out, 1);
    assert_int_equal(diags.errors, BT_DIAGS_MAX + 1);
    assert_true(diags.items[0].at.line < diags.items[1].at.line);
    bt_diags_done(&diags);
}

static void test_iso(void **state)
{
    (void)state;
    char out[BT_ISO_SIZE];
    assert_string_equal(bt_iso_utc(0, out), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(bt_iso_utc(-1, out), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(bt_iso_utc(951868799999999, out), "2000-02-29T23:59:59.999999Z");
    assert_string_equal(bt_iso_utc(4107542400000000, out), "2100-03-01T00:00:00.000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str),       cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_buf_limit), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_doubles),   cmocka_unit_test(test_ids),
        cmocka_unit_test(test_utf8),      cmocka_unit_test(test_utf8_repair),
        cmocka_unit_test(test_map64),     cmocka_unit_test(test_arena_and_diags),
        cmocka_unit_test(test_iso),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
