/* logs_test.c — Goal: lines come back as they were written, from whole chunks only. Method: round
 * trips at the limits of chunks and segments; segments cut at every byte, and with noise in them.
 */
#include "store/logs/logs.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/rng.h"
#include "base/vec.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    char dir[64];
    struct bt_logs *logs;
    const struct bt_log_entry *want; /* What reading must give, in order. */
    size_t read;
};

static int open_bench(void **state)
{
    static struct bench bench;
    bench = (struct bench){.dir = "/tmp/baton-logs-XXXXXX"};
    *state = &bench;
    return !mkdtemp(bench.dir) || bt_logs_open(bench.dir, true, &bench.logs, NULL) != BT_OK;
}

static void segment_path(const struct bench *bench, unsigned segment, char path[96])
{
    (void)snprintf(path, 96, "%s/%08u.seg", bench->dir, segment);
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    char path[96];
    bt_logs_close(bench->logs);
    for (unsigned i = 0; i < 20; i++) {
        segment_path(bench, i, path);
        (void)unlink(path);
    }
    return rmdir(bench->dir);
}

static int check_line(void *data, const struct bt_log_entry *entry)
{
    struct bench *bench = data;
    const struct bt_log_entry *want = &bench->want[bench->read++];
    assert_int_equal(entry->time_us, want->time_us);
    assert_int_equal(entry->taskrun, want->taskrun);
    assert_int_equal(entry->attempt, want->attempt);
    assert_int_equal(entry->level, want->level);
    assert_true(bt_str_eq(entry->text, want->text));
    return BT_OK;
}

static void check_chunk(struct bench *bench, const struct bt_log_chunk *chunk,
                        const struct bt_log_entry *want)
{
    bench->want = want;
    bench->read = 0;
    assert_int_equal(bt_logs_read(bench->logs, chunk, check_line, bench, NULL), BT_OK);
    assert_int_equal(bench->read, chunk->lines);
}

static void append(struct bench *bench, const struct bt_log_entry *entries, size_t count,
                   struct bt_log_chunk *ret_chunk, size_t *ret_used)
{
    assert_int_equal(bt_logs_append(bench->logs, entries, count, ret_chunk, ret_used, NULL), BT_OK);
    assert_int_equal(ret_chunk->lines, *ret_used);
}

static const struct bt_log_entry some[] = {
    {1700000000000000, 1, 1, BT_LEVEL_INFO, {"first", 5}},
    {1700000000000000, 0, 0, BT_LEVEL_ERROR, {"", 0}},
    {1600000000000000, 4000000000u, 1000, BT_LEVEL_TRACE, {"before\0it", 9}}, /* Time goes back. */
    {INT64_MAX, UINT32_MAX, UINT32_MAX, BT_LEVEL_WARN, {"caf\xC3\xA9", 5}},
};

static void test_round_trip(void **state)
{
    struct bench *bench = *state;
    struct bt_log_chunk chunk, later;
    size_t used;
    append(bench, some, BT_COUNT(some), &chunk, &used);
    assert_int_equal(used, BT_COUNT(some));
    assert_int_equal(chunk.from_us, 1700000000000000);
    assert_int_equal(chunk.to_us, INT64_MAX);
    assert_int_equal(chunk.levels, 1u << BT_LEVEL_INFO | 1u << BT_LEVEL_ERROR |
                                       1u << BT_LEVEL_TRACE | 1u << BT_LEVEL_WARN);
    append(bench, some + 1, 1, &later, &used);
    assert_int_equal(bt_logs_sync(bench->logs, NULL), BT_OK);
    assert_int_equal(later.offset, chunk.offset + chunk.length);
    check_chunk(bench, &later, some + 1);
    check_chunk(bench, &chunk, some);
    /* The next process appends behind. */
    bt_logs_close(bench->logs);
    assert_int_equal(bt_logs_open(bench->dir, true, &bench->logs, NULL), BT_OK);
    struct bt_log_chunk third;
    append(bench, some, 2, &third, &used);
    assert_int_equal(third.segment, chunk.segment);
    assert_int_equal(third.offset, later.offset + later.length);
    check_chunk(bench, &chunk, some);
    check_chunk(bench, &third, some);
}

/* Appends lines of one length in as many chunks as it takes; each is full but the last. */
static void check_filled(struct bench *bench, const char *text, size_t len, size_t count)
{
    static struct bt_log_entry entries[3000];
    assert_true(count <= BT_COUNT(entries));
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct bt_log_entry){
            .time_us = (int64_t)i, .level = BT_LEVEL_INFO, .text = {text, len}};
    for (size_t done = 0, used; done < count; done += used) {
        struct bt_log_chunk chunk;
        append(bench, entries + done, count - done, &chunk, &used);
        assert_true(used * len < BT_LOG_CHUNK_BYTES);
        assert_true(done + used == count || (used + 1) * (len + 9) >= BT_LOG_CHUNK_BYTES);
        check_chunk(bench, &chunk, entries + done);
    }
}

/* Text that compresses, text that does not, and the longest lines: chunks end at their limit. */
static void test_chunks(void **state)
{
    static char text[BT_LOG_MESSAGE_MAX];
    struct bt_rng rng = {3};
    for (int noisy = 0; noisy < 2; noisy++) {
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = noisy ? (char)bt_rng_next(&rng) : 'x';
        check_filled(*state, text, 100, 3000);
        check_filled(*state, text, sizeof text, 50);
    }
}

/* A segment that has reached its limit is left for the next one; both are read. */
static void test_rotation(void **state)
{
    struct bench *bench = *state;
    struct bt_log_chunk first, below, above;
    size_t used;
    char path[96];
    append(bench, some, 2, &first, &used);
    segment_path(bench, first.segment, path);
    bt_logs_close(bench->logs);
    assert_int_equal(truncate(path, (64 << 20) - 1), 0); /* A hole: costs nothing. */
    assert_int_equal(bt_logs_open(bench->dir, true, &bench->logs, NULL), BT_OK);
    append(bench, some, 3, &below, &used);
    assert_int_equal(below.segment, first.segment);
    append(bench, some, 4, &above, &used);
    assert_int_equal(above.segment, first.segment + 1);
    assert_int_equal(above.offset, 0);
    check_chunk(bench, &first, some);
    check_chunk(bench, &below, some);
    check_chunk(bench, &above, some);
    bt_logs_close(bench->logs); /* The newest segment is gone on with. */
    assert_int_equal(bt_logs_open(bench->dir, true, &bench->logs, NULL), BT_OK);
    append(bench, some, 1, &below, &used);
    assert_int_equal(below.segment, above.segment);
}

static int ignore_line(void *data, const struct bt_log_entry *entry)
{
    assert_true((int)entry->level < (int)BT_LEVEL_COUNT);
    (*(size_t *)data)++;
    return BT_OK;
}

/* Cut at every byte: an error, never a crash, and bytes behind it (without a row) harm nothing. */
static void test_cut(void **state)
{
    struct bench *bench = *state;
    struct bt_log_chunk chunk;
    size_t used, lines = 0;
    char path[96];
    append(bench, some, BT_COUNT(some), &chunk, &used);
    segment_path(bench, chunk.segment, path);
    for (off_t len = (off_t)chunk.length - 1; len >= 0; len--) {
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(truncate(path, len), 0);
        assert_int_equal(bt_logs_read(bench->logs, &chunk, ignore_line, &lines, &err), BT_CORRUPT);
        assert_non_null(strstr(err.msg, "cut short"));
    }
    (void)unlink(path);
    assert_int_equal(bt_logs_read(bench->logs, &chunk, ignore_line, &lines, NULL), BT_IO);
}

/* Noise in the bytes, and rows that lie. */
static void test_noise(void **state)
{
    struct bench *bench = *state;
    static struct bt_log_entry entries[200];
    for (size_t i = 0; i < BT_COUNT(entries); i++)
        entries[i] = some[i % BT_COUNT(some)];
    struct bt_rng rng = {9};
    for (int packed = 0; packed < 2; packed++) {
        struct bt_log_chunk chunk;
        size_t used, lines = 0;
        char path[96];
        append(bench, entries, packed ? BT_COUNT(entries) : 4, &chunk, &used);
        segment_path(bench, chunk.segment, path);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        for (int i = 0; i < 1000; i++) {
            off_t at = (off_t)(chunk.offset + bt_rng_below(&rng, chunk.length));
            char was, is = (char)bt_rng_next(&rng);
            assert_int_equal(pread(fd, &was, 1, at), 1);
            assert_int_equal(pwrite(fd, &is, 1, at), 1);
            (void)bt_logs_read(bench->logs, &chunk, ignore_line, &lines, NULL);
            assert_int_equal(pwrite(fd, &was, 1, at), 1);
        }
        (void)close(fd);
        check_chunk(bench, &chunk, entries);
        struct bt_log_chunk lie = chunk;
        lie.length = UINT32_MAX;
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(bt_logs_read(bench->logs, &lie, ignore_line, &lines, &err), BT_CORRUPT);
        assert_true(err.msg[0]);
        lie = chunk;
        lie.offset = UINT64_MAX / 4;
        assert_true(bt_logs_read(bench->logs, &lie, ignore_line, &lines, NULL) < 0);
        lie = chunk;
        lie.offset++;
        lie.length--;
        assert_int_equal(bt_logs_read(bench->logs, &lie, ignore_line, &lines, NULL), BT_CORRUPT);
    }
}

static int stop(void *data, const struct bt_log_entry *entry)
{
    (void)entry;
    (*(size_t *)data)++;
    return BT_ABORTED;
}

static void test_stop(void **state)
{
    struct bench *bench = *state;
    struct bt_log_chunk chunk;
    size_t used, lines = 0;
    append(bench, some, 4, &chunk, &used);
    assert_int_equal(bt_logs_read(bench->logs, &chunk, stop, &lines, NULL), BT_ABORTED);
    assert_int_equal(lines, 1);
}

/* Every line is counted in its hour; a chunk ends before a fifth hour. */
static void test_hours(void **state)
{
    struct bench *bench = *state;
    static const int hours[] = {5, 6, 5, 4, 7, 7, 5, 8, 8, 4};
    struct bt_log_entry entries[BT_COUNT(hours)];
    struct bt_log_chunk chunk;
    size_t used;
    for (size_t i = 0; i < BT_COUNT(hours); i++)
        entries[i] = (struct bt_log_entry){.time_us = hours[i] * INT64_C(3600000000) + (int64_t)i,
                                           .level = (enum bt_level)(i % BT_LEVEL_COUNT),
                                           .text = BT_STR("x")};
    append(bench, entries, BT_COUNT(hours), &chunk, &used);
    assert_int_equal(used, 7);
    assert_int_equal(chunk.hour_count, 4);
    static const struct bt_log_hour want[] = {
        {5, {1, 1, 1, 0, 0}}, {6, {0, 1, 0, 0, 0}}, {4, {0, 0, 0, 1, 0}}, {7, {1, 0, 0, 0, 1}}};
    for (size_t i = 0; i < BT_COUNT(want); i++) {
        assert_int_equal(chunk.hours[i].hour, want[i].hour);
        assert_memory_equal(chunk.hours[i].counts, want[i].counts, sizeof want[i].counts);
    }
    append(bench, entries + used, BT_COUNT(hours) - used, &chunk, &used);
    assert_int_equal(used, 3);
    assert_int_equal(chunk.hour_count, 2);
    assert_int_equal(chunk.hours[0].counts[BT_LEVEL_INFO], 1);
    check_chunk(bench, &chunk, entries + 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_chunks, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_hours, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_rotation, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_cut, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_noise, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_stop, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
