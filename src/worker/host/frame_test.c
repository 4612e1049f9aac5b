/* frame_test.c — Goal: messages come out as they went in, however the bytes are cut, and what is no
 * message is told as such. Method: each message fed byte by byte, and a row per kind of garbage. */
#include "worker/host/frame.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void feed(struct bt_frames *frames, const void *at, size_t len)
{
    char *room;
    size_t have;
    assert_int_equal(bt_frames_room(frames, &room, &have, NULL), BT_OK);
    assert_true(have >= len);
    memcpy(room, at, len);
    bt_frames_got(frames, len);
}

static void check_cut(bool is_lines)
{
    static const char *const texts[] = {"{}", "{\"a\":\"b c\"}", "[1,2,3]"};
    struct bt_buf out = BT_BUF_INIT(1 << 20);
    struct bt_frames frames;
    struct bt_str text = {0};
    for (size_t i = 0; i < 3; i++) {
        size_t begin = bt_frame_begin(is_lines, &out);
        assert_int_equal(bt_buf_adds(&out, texts[i]), BT_OK);
        bt_frame_end(is_lines, &out, begin);
    }
    bt_frames_init(&frames, is_lines);
    size_t found = 0;
    for (size_t at = 0; at < out.len; at++) {
        feed(&frames, out.at + at, 1);
        if (bt_frames_next(&frames, &text, NULL) == BT_OK)
            assert_true(bt_str_is(text, texts[found++]));
    }
    assert_int_equal(found, 3);
    feed(&frames, out.at, out.len); /* All at once. */
    for (found = 0; bt_frames_next(&frames, &text, NULL) == BT_OK; found++)
        assert_true(bt_str_is(text, texts[found]));
    assert_int_equal(found, 3);
    bt_frames_done(&frames);
    bt_buf_done(&out);
}

static void test_binary(void **state)
{
    (void)state;
    check_cut(false);
}

static void test_lines(void **state)
{
    (void)state;
    check_cut(true);
    struct bt_frames frames;
    struct bt_str text = {0};
    bt_frames_init(&frames, true);
    feed(&frames, "\n \r\n  {}\r\n", 10);
    assert_int_equal(bt_frames_next(&frames, &text, NULL), BT_OK);
    assert_true(bt_str_is(text, "{}"));
    assert_int_equal(bt_frames_next(&frames, &text, NULL), BT_BUSY);
    bt_frames_done(&frames);
}

static void test_garbage(void **state)
{
    (void)state;
    static const struct {
        unsigned char bytes[8];
        int want;
    } cases[] = {
        {{2, 0, 0, 0, 1, 0, 0x0f, 0xb7}, BT_BUSY},
        {{2, 0, 0, 0, 1, 0, 0x0e, 0xb7}, BT_INVALID},
        {{2, 0, 0, 0, 2, 0, 0x0f, 0xb7}, BT_INVALID},
        {{0, 0, 0, 1, 1, 0, 0x0f, 0xb7}, BT_BUSY}, /* The limit itself. */
        {{1, 0, 0, 1, 1, 0, 0x0f, 0xb7}, BT_LIMIT},
        {{0xff, 0xff, 0xff, 0xff, 1, 0, 0x0f, 0xb7}, BT_LIMIT},
    };
    assert_int_equal(BT_HOST_MESSAGE_MAX, 1 << 24);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bt_frames frames;
        struct bt_str text = {0};
        bt_frames_init(&frames, false);
        feed(&frames, cases[i].bytes, 8);
        assert_int_equal(bt_frames_next(&frames, &text, NULL), cases[i].want);
        bt_frames_done(&frames);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
