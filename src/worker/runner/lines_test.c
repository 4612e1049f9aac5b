/* Goal: a stream gives the same lines however it is cut into reads, and no text grows past its
 * limit. Method: rows of streams fed in steps of every size; texts at the limits. */
#include "worker/runner/lines.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/utf8.h"
#include "worker/runner/logs.h"
#include "worker/runner/protocol.h"
#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static void on_line(void *data, struct bt_str line, bool is_whole)
{
    struct bt_buf *out = data;
    (void)bt_buf_add(out, line);
    (void)bt_buf_addc(out, is_whole ? '|' : '+');
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *want;
        uint64_t count;
    } rows[] = {
        {"", "", 0},
        {"a", "a|", 1},
        {"a\n", "a|", 1},
        {"a\nb", "a|b|", 2},
        {"\n\n", "||", 2},
        {"a\r\nb\r\n", "a|b|", 2},
        {"a\rb\r", "a|b|", 2},
        {"\r\n\r\n", "||", 2},
        {"\n\r\n\r", "|||", 3},
        {"::{\"a\":1}::\nx", "::{\"a\":1}::|x|", 2},
        {"::", "::|", 1},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_str stream = bt_str_of(rows[i].stream);
        for (size_t step = 1; step <= stream.len + 1; step++) {
            struct bt_buf out = BT_BUF_INIT(1024);
            struct bt_lines lines;
            bt_lines_init(&lines, on_line, &out);
            for (size_t at = 0; at < stream.len; at += step)
                bt_lines_feed(&lines, bt_str_slice(stream, at, at + step));
            bt_lines_end(&lines);
            assert_int_equal(lines.count, rows[i].count);
            assert_true(bt_str_is(bt_buf_str(&out), rows[i].want));
            bt_lines_done(&lines);
            bt_buf_done(&out);
        }
    }
}

struct seen {
    size_t lines, bytes, longest;
    bool is_whole;
};

static void on_sized(void *data, struct bt_str line, bool is_whole)
{
    struct seen *seen = data;
    seen->lines++;
    seen->bytes += line.len;
    seen->longest = line.len > seen->longest ? line.len : seen->longest;
    seen->is_whole = is_whole;
}

/* One line of `len` bytes that begins with `start`, in steps. */
static struct seen feed_long(const char *start, size_t len, size_t step)
{
    struct seen seen = {0};
    struct bt_lines lines;
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, 'x', len);
    memcpy(text, start, strlen(start));
    text[len] = '\n';
    bt_lines_init(&lines, on_sized, &seen);
    for (size_t at = 0; at <= len; at += step)
        bt_lines_feed(&lines, bt_str_slice((struct bt_str){text, len + 1}, at, at + step));
    bt_lines_end(&lines);
    assert_int_equal(lines.count, 1);
    assert_int_equal(seen.bytes, len);
    bt_lines_done(&lines);
    free(text);
    return seen;
}

static void test_long_lines(void **state)
{
    (void)state;
    static const size_t steps[] = {1000, 65536, 3 << 20};
    const size_t plain = 4 * BT_LOG_MESSAGE_MAX;
    for (size_t i = 0; i < BT_COUNT(steps); i++) {
        for (size_t over = 0; over < 3; over++) {
            struct seen seen = feed_long("x", plain - 1 + over, steps[i]);
            assert_int_equal(seen.is_whole, over < 2);
            assert_true(seen.longest <= plain);
            seen = feed_long("::{", BT_OUTPUT_LINE_MAX - 1 + over, steps[i]);
            assert_int_equal(seen.is_whole, over < 2);
        }
        struct seen seen = feed_long("::{", 2 * BT_OUTPUT_LINE_MAX + 5, steps[i]);
        assert_false(seen.is_whole);
    }
}

static void test_clean(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        size_t len;
        const char *want;
    } rows[] = {
        {"", 0, ""},
        {"a\xC3\xA9\x1b[1m", 7, "a\xC3\xA9\x1b[1m"},
        {"a\xC3", 2, "a\xEF\xBF\xBD"},
        {"\xFF\xFE", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"a\0b", 3,
         "a\xEF\xBF\xBD"
         "b"},
        {"\xED\xA0\x80", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_buf out = BT_BUF_INIT(64);
        assert_int_equal(bt_text_clean((struct bt_str){rows[i].raw, rows[i].len}, &out), BT_OK);
        assert_true(bt_str_is(bt_buf_str(&out), rows[i].want));
        bt_buf_done(&out);
    }
}

static void test_piece(void **state)
{
    (void)state;
    assert_int_equal(bt_text_piece(BT_STR("abcd"), 4), 4);
    assert_int_equal(bt_text_piece(BT_STR("abcde"), 4), 4);
    assert_int_equal(bt_text_piece(BT_STR("abc\xC3\xA9"), 4), 3);
    assert_int_equal(bt_text_piece(BT_STR("ab\xE2\x82\xAC"), 4), 2);
    assert_int_equal(bt_text_piece(BT_STR("\xF0\x9F\x98\x80z"), 4), 4);
    assert_int_equal(bt_text_piece(BT_STR("\x80\x80\x80\x80\x80\x80"), 4), 4);
}

/* --- Logs ------------------------------------------------------------------------------------- */

static size_t log_count, log_bytes, log_last_len;
static enum bt_level log_last_level;

static void on_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                    size_t count)
{
    (void)data, (void)job;
    for (size_t i = 0; i < count; i++) {
        assert_true(lines[i].text.len <= BT_LOG_MESSAGE_MAX);
        assert_true(bt_utf8_is_valid(lines[i].text, NULL));
        log_bytes += lines[i].text.len;
    }
    log_count += count;
    log_last_len = lines[count - 1].text.len;
    log_last_level = lines[count - 1].level;
}

static void test_logs(void **state)
{
    (void)state;
    static const struct bt_worker_sink sink = {.logs = on_logs};
    struct bt_logs logs;
    bt_logs_init(&logs, &sink);
    char *text = malloc(3 * BT_LOG_MESSAGE_MAX);
    assert_non_null(text);
    memset(text, 'x', 3 * BT_LOG_MESSAGE_MAX);
    for (int over = -1; over <= 1; over++) {
        log_count = 0;
        bt_logs_begin(&logs, NULL);
        bt_logs_add(&logs, 0, BT_LEVEL_INFO,
                    (struct bt_str){text, (size_t)((int)BT_LOG_MESSAGE_MAX + over)});
        bt_logs_flush(&logs);
        assert_int_equal(log_count, over > 0 ? 2 : 1);
    }
    memcpy(text + BT_LOG_MESSAGE_MAX - 1, "\xC3\xA9", 2);
    bt_logs_add(&logs, 0, BT_LEVEL_INFO, (struct bt_str){text, BT_LOG_MESSAGE_MAX + 1});
    bt_logs_flush(&logs);
    assert_int_equal(log_last_len, 2);
    text[5] = '\0';
    bt_logs_add(&logs, 0, BT_LEVEL_INFO, (struct bt_str){text, 10});
    bt_logs_flush(&logs);
    assert_int_equal(log_last_len, 12);
    free(text);
    bt_logs_done(&logs);
}

static void test_quota(void **state)
{
    (void)state;
    static const struct bt_worker_sink sink = {.logs = on_logs};
    static char text[(1 << 10) - BT_LOG_LINE_BYTES]; /* A line costs 1 KiB. */
    memset(text, 'x', sizeof text);
    for (size_t over = 0; over < 2; over++) {
        struct bt_logs logs;
        bt_logs_init(&logs, &sink);
        bt_logs_begin(&logs, NULL);
        log_count = log_bytes = 0;
        size_t lines = BT_LOG_QUOTA_BYTES / (sizeof text + BT_LOG_LINE_BYTES);
        for (size_t i = 0; i < lines; i++)
            bt_logs_add(&logs, 0, BT_LEVEL_INFO, (struct bt_str){text, sizeof text});
        for (size_t i = 0; i < 3 * over; i++)
            bt_logs_add(&logs, 0, BT_LEVEL_INFO, BT_STR("x"));
        bt_logs_flush(&logs);
        assert_int_equal(log_count, lines + over);
        assert_int_equal(log_last_level, over ? BT_LEVEL_WARN : BT_LEVEL_INFO);
        bt_logs_done(&logs);
    }
}

/* --- Protocol --------------------------------------------------------------------------------- */

static unsigned warnings;

static void on_log(void *data, enum bt_level level, struct bt_str message)
{
    (void)data;
    warnings += level == BT_LEVEL_WARN && bt_str_starts(message, BT_STR("Invalid outputs '::{"));
}

static void test_protocol(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool is_protocol;
        unsigned warnings;
    } rows[] = {
        {"x", false, 0},
        {"::{}", false, 0},
        {"::{}:: ", false, 0},
        {" ::{}::", false, 0},
        {"::{::", false, 0},
        {"::{}::", true, 0},
        {"::{}::::{}::", true, 1},
        {"::{\"outputs\":1}::", true, 1},
        {"::{\"outputs\":null}::", true, 0},
        {"::{\"metrics\":[{\"name\":\"a\",\"type\":\"counter\",\"value\":1}]}::", true, 0},
        {"::{\"metrics\":[{\"name\":\"a\",\"type\":\"other\",\"value\":1}]}::", true, 1},
        {"::{\"metrics\":[{\"name\":\"a\",\"type\":\"timer\",\"value\":\"1\"}]}::", true, 1},
        {"::{\"metrics\":{}}::", true, 1},
        {"::{\"logs\":[{\"level\":\"TRACE\",\"message\":\"m\"}]}::", true, 0},
        {"::{\"other\":1}::", true, 0},
        {"::{\"a\":\xFF}::", true, 1},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_capture capture = {.log = on_log};
        warnings = 0;
        assert_int_equal(bt_capture_line(&capture, bt_str_of(rows[i].line)), rows[i].is_protocol);
        assert_int_equal(warnings, rows[i].warnings);
        bt_capture_done(&capture);
    }
}

static void test_capture_limits(void **state)
{
    (void)state;
    struct bt_capture capture = {.log = on_log};
    size_t count = BT_METRICS_MAX + 1;
    for (size_t i = 0; i < count; i++)
        assert_true(bt_capture_line(
            &capture,
            BT_STR("::{\"metrics\":[{\"name\":\"a\",\"type\":\"timer\",\"value\":1.5}]}::")));
    assert_int_equal(bt_value_count(capture.metrics), BT_METRICS_MAX);
    assert_true(capture.is_cut);
    char *line = malloc(BT_OUTPUT_LINE_MAX);
    assert_non_null(line);
    memset(line, 'x', BT_OUTPUT_LINE_MAX);
    memcpy(line, "::{\"outputs\":{\"a\":\"", 19);
    memcpy(line + BT_OUTPUT_LINE_MAX - 6, "\"}}::", 6);
    capture.bytes = 0;
    for (size_t i = 0; i < BT_OUTPUT_BYTES_MAX / BT_OUTPUT_LINE_MAX; i++)
        assert_true(bt_capture_line(&capture, (struct bt_str){line, BT_OUTPUT_LINE_MAX - 1}));
    assert_false(capture.is_too_large);
    assert_true(bt_capture_line(&capture, (struct bt_str){line, BT_OUTPUT_LINE_MAX - 1}));
    assert_true(capture.is_too_large);
    free(line);
    bt_capture_done(&capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_clean),    cmocka_unit_test(test_piece),
        cmocka_unit_test(test_logs),     cmocka_unit_test(test_quota),
        cmocka_unit_test(test_protocol), cmocka_unit_test(test_capture_limits),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
