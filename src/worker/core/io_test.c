/* Goal: lines are cut as the original cuts them, whatever block they end in; batches hold what they
 * should. Method: rows of text, each also read through a block's edge; batches kept in memory by a
 * backend of this test. */
#include "worker/core/split.h"

#include "base/limits.h"
#include "files/backend.h"
#include "sys/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int file_of(struct bt_str text, size_t before)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);
    assert_true(fd >= 0);
    char *fill = malloc(before + 1);
    assert_non_null(fill);
    memset(fill, 'x', before + 1);
    if (before > 0) {
        fill[before - 1] = '\n';
        assert_int_equal(write(fd, fill, before), before);
    }
    free(fill);
    assert_int_equal(write(fd, text.at, text.len), text.len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static const struct {
    struct bt_str text;
    const char *lines; /* Each in brackets. */
} line_rows[] = {
    {BT_STR(""), ""},
    {BT_STR("a"), "[a]"},
    {BT_STR("a\n"), "[a]"},
    {BT_STR("\n"), "[]"},
    {BT_STR("\n\n"), "[][]"},
    {BT_STR("a\nb"), "[a][b]"},
    {BT_STR("a\r\nb\r\n"), "[a][b]"},
    {BT_STR("a\rb\r"), "[a][b]"},
    {BT_STR("a\r\rb"), "[a][][b]"},
    {BT_STR("a\r\n\nb"), "[a][][b]"},
    {BT_STR("a\n\rb"), "[a][][b]"},
    {BT_STR("\r"), "[]"},
    {BT_STR("\r\n"), "[]"},
    {BT_STR("a\r\n\r\n\rb\n"), "[a][][][b]"},
};

static void read_lines(int fd, bool has_fill, struct bt_buf *out)
{
    struct bt_rows rows;
    struct bt_str line;
    bt_rows_init(&rows, fd, NULL);
    if (has_fill)
        assert_int_equal(bt_rows_next(&rows, &line, NULL), BT_OK);
    int rc;
    while ((rc = bt_rows_next(&rows, &line, NULL)) == BT_OK)
        assert_int_equal(bt_buf_addf(out, "[%.*s]", BT_FMT(line)), BT_OK);
    assert_int_equal(rc, BT_NOT_FOUND);
    bt_rows_done(&rows);
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(line_rows); i++) {
        for (size_t edge = 0; edge < 12; edge++) {
            struct bt_buf out = BT_BUF_INIT(4096);
            size_t before = edge == 0 ? 0 : BT_IO_BLOCK + 1 - edge;
            BT_FD fd = file_of(line_rows[i].text, before);
            read_lines(fd, before > 0, &out);
            const char *got = bt_buf_cstr(&out);
            assert_string_equal(got ? got : "", line_rows[i].lines);
            bt_buf_done(&out);
        }
    }
}

static void test_line_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bt_rows rows;
        struct bt_str line;
        size_t len = BT_ROW_BYTES_MAX - 1 + i;
        BT_FD fd = file_of(BT_STR("end"), len + 1);
        bt_rows_init(&rows, fd, NULL);
        int rc = bt_rows_next(&rows, &line, NULL);
        assert_int_equal(rc, i == 2 ? BT_LIMIT : BT_OK);
        if (rc == BT_OK)
            assert_int_equal(line.len, len);
        bt_rows_done(&rows);
    }
}

static void test_stop(void **state)
{
    (void)state;
    const _Atomic bool is_over = true;
    struct bt_rows rows;
    struct bt_str line;
    BT_FD fd = file_of(BT_STR("a\n"), 0);
    bt_rows_init(&rows, fd, &is_over);
    assert_int_equal(bt_rows_next(&rows, &line, NULL), BT_ABORTED);
    bt_rows_done(&rows);
}

/* --- Batches ---------------------------------------------------------------------------------- */

enum { BATCHES_MAX = 256 };

struct memory_writer {
    struct bt_file_writer base;
    uint64_t index;
};

static struct bt_buf batches[BATCHES_MAX];
static uint64_t stored, open_now, open_max;

static struct memory_writer *own(struct bt_file_writer *writer)
{
    return BT_CONTAINER(writer, struct memory_writer, base);
}

static int memory_write(struct bt_file_writer *writer, const void *at, size_t len,
                        struct bt_err *err)
{
    (void)err;
    return bt_buf_add(&batches[own(writer)->index], (struct bt_str){at, len});
}

static void memory_abort(struct bt_file_writer *writer)
{
    open_now--;
    free(own(writer));
}

static int memory_commit(struct bt_file_writer *writer, struct bt_err *err)
{
    (void)err;
    memory_abort(writer);
    return BT_OK;
}

static const struct bt_files_ops memory_ops = {
    .write = memory_write, .commit = memory_commit, .abort = memory_abort};
static struct bt_files memory = {&memory_ops};

static int open_batch(void *data, uint64_t index, struct bt_file_writer **ret_writer,
                      struct bt_err *err)
{
    (void)data, (void)err;
    struct memory_writer *writer = calloc(1, sizeof *writer);
    assert_non_null(writer);
    assert_true(index < BATCHES_MAX);
    *writer = (struct memory_writer){{&memory}, index};
    batches[index] = (struct bt_buf)BT_BUF_INIT(1 << 20);
    open_max = ++open_now > open_max ? open_now : open_max;
    *ret_writer = &writer->base;
    return BT_OK;
}

static int batch_stored(void *data, uint64_t index, struct bt_err *err)
{
    (void)data, (void)err;
    assert_int_equal(index, stored);
    stored++;
    return BT_OK;
}

/* The batches with '|' behind each, '\n' as ','. */
static void expect_batches(struct bt_split *split, const char *text, const char *want)
{
    struct bt_buf out = BT_BUF_INIT(1 << 20);
    BT_FD fd = file_of(bt_str_of(text), 0);
    stored = 0;
    split->fd = fd;
    split->sink = (struct bt_split_sink){NULL, open_batch, batch_stored};
    assert_int_equal(bt_split(split, NULL), BT_OK);
    assert_int_equal(open_now, 0);
    for (uint64_t i = 0; i < stored; i++) {
        for (size_t c = 0; c < batches[i].len; c++)
            (void)bt_buf_addc(&out, batches[i].at[c] == '\n' ? ',' : batches[i].at[c]);
        (void)bt_buf_addc(&out, '|');
        bt_buf_done(&batches[i]);
    }
    const char *got = bt_buf_cstr(&out);
    assert_string_equal(got ? got : "", want);
    bt_buf_done(&out);
}

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes, partitions, rows;
        const char *separator, *want;
    } rows[] = {
        {"", 0, 0, 2, "\n", ""},
        {"1\n2\n3", 0, 0, 2, "\n", "1,2,|3,|"},
        {"1\n2\n3\n4\n", 0, 0, 2, "\n", "1,2,|3,4,|"},
        {"1\r\n2\r\n", 0, 0, 1, "\n", "1,|2,|"},
        {"1\n2\n", 0, 0, 9, ";", "1;2;|"},
        {"1\n2\n3\n4\n5\n", 0, 2, 0, "\n", "1,3,5,|2,4,|"},
        {"1\n2\n", 0, 8, 0, "\n", "1,|2,|"},
        {"", 0, 8, 0, "\n", ""},
        {"11\n22\n33\n", 4, 0, 0, "\n", "11,22,|33,|"}, /* Closed once it has four bytes. */
        {"11\n22\n33\n", 3, 0, 0, "\n", "11,|22,|33,|"},
        {"11\n22\n33\n", 1, 1, 1, "\n", "11,|22,|33,|"}, /* Bytes count before the others … */
        {"11\n22\n33\n", 0, 1, 1, "\n", "11,22,33,|"},   /* … and partitions before rows. */
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_split split = {.bytes = rows[i].bytes,
                                 .partitions = rows[i].partitions,
                                 .rows = rows[i].rows,
                                 .separator = bt_str_of(rows[i].separator)};
        expect_batches(&split, rows[i].text, rows[i].want);
    }
}

/* More partitions than may be open at a time. */
static void test_many_partitions(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(1 << 20), want = BT_BUF_INIT(1 << 20);
    for (int i = 0; i < 300; i++)
        (void)bt_buf_addf(&text, "%d\n", i);
    for (int i = 0; i < 150; i++)
        (void)bt_buf_addf(&want, "%d,%d,|", i, i + 150);
    struct bt_split split = {.partitions = 150, .separator = BT_STR("\n")};
    open_max = 0;
    expect_batches(&split, bt_buf_cstr(&text), bt_buf_cstr(&want));
    assert_int_equal(open_max, BT_SPLIT_OPEN_MAX);
    bt_buf_done(&text);
    bt_buf_done(&want);
}

static void test_partitions_limit(void **state)
{
    (void)state;
    for (int64_t more = -1; more <= 1; more++) {
        BT_FD fd = file_of(BT_STR("1\n"), 0);
        struct bt_split split = {.fd = fd,
                                 .partitions = BT_SPLIT_PARTITIONS_MAX + more,
                                 .separator = BT_STR("\n"),
                                 .sink = {NULL, open_batch, batch_stored}};
        stored = 0;
        assert_int_equal(bt_split(&split, NULL), more > 0 ? BT_LIMIT : BT_OK);
        if (more <= 0)
            bt_buf_done(&batches[0]);
    }
}

static void test_no_mode(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    struct bt_split split = {.separator = BT_STR("\n")};
    assert_int_equal(bt_split(&split, &err), BT_INVALID);
    assert_string_equal(err.msg, "Invalid configuration with no size, count, nor rows");
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want; /* 0: none. */
    } rows[] = {
        {"1", 1},
        {"10MB", 10 << 20},
        {"1KB", 1024},
        {"1kb", 1024},
        {"1K", 1024},
        {"2 GB", 2ll << 30},
        {"1KiB", 1024},
        {"100B", 100},
        {" 7 ", 7},
        {"", 0},
        {"0", 0},
        {"-1", 0},
        {"MB", 0},
        {"1.5MB", 0},
        {"1XB", 0},
        {"9223372036854775807", INT64_MAX},
        {"9007199254740992KB", 0},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        int64_t bytes = 0;
        assert_int_equal(bt_split_parse_bytes(bt_str_of(rows[i].text), &bytes), rows[i].want > 0);
        assert_int_equal(bytes, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_line_limit),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_many_partitions),
        cmocka_unit_test(test_partitions_limit),
        cmocka_unit_test(test_no_mode),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
