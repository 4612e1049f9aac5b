/* Goal: what is written into an archive comes out of it again, and nothing but an archive is read
 * as one. Method: a round trip with odd names and sizes; every prefix, and flipped bytes, of an
 * archive must end in an answer. */
#include "files/zip.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const names[] = {"a.txt", "dir/b.txt", "\xC3\xBC \xE2\x82\xAC.txt", "empty"};
static const size_t sizes[] = {5, 200000, 1, 0};

static int temp_file(void)
{
    char path[] = "/tmp/baton-zip-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)unlink(path);
    return fd;
}

static void fill(char *at, size_t len, size_t seed)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (char)(i * 31 + seed * 7 + i / 100);
}

static int make(void)
{
    int fd = temp_file();
    struct bt_zip_writer *writer = NULL;
    assert_int_equal(bt_zip_create(fd, &writer, NULL), BT_OK);
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        char *content = malloc(sizes[i] + 1);
        fill(content, sizes[i], i);
        if (i == 1) { /* From a file. */
            BT_FD other = temp_file();
            assert_int_equal(write(other, content, sizes[i]), (ssize_t)sizes[i]);
            assert_int_equal(
                bt_zip_add_fd(writer, bt_str_of(names[i]), other, (int64_t)sizes[i], NULL), BT_OK);
        } else {
            assert_int_equal(
                bt_zip_add(writer, bt_str_of(names[i]), (struct bt_str){content, sizes[i]}, NULL),
                BT_OK);
        }
        free(content);
    }
    assert_int_equal(bt_zip_finish(writer, NULL), BT_OK);
    return fd;
}

static int check_entry(void *data, struct bt_str name, struct bt_zip_entry *entry)
{
    size_t *index = data;
    assert_true(bt_str_is(name, names[*index]));
    char *want = malloc(sizes[*index] + 1), *got = malloc(sizes[*index] + 1);
    fill(want, sizes[*index], *index);
    size_t len = 0;
    for (int64_t more = 1; more > 0; len += (size_t)more) {
        more = bt_zip_read(entry, got + len, sizes[*index] + 1 - len, NULL);
        assert_true(more >= 0);
    }
    assert_int_equal(len, sizes[*index]);
    assert_memory_equal(got, want, len);
    free(got);
    free(want);
    ++*index;
    return BT_OK;
}

static void round_trip(void **state)
{
    (void)state;
    BT_FD fd = make();
    size_t index = 0;
    assert_int_equal(bt_zip_walk(fd, &(struct bt_zip_sink){check_entry, &index}, NULL), BT_OK);
    assert_int_equal(index, BT_COUNT(names));
}

static int read_all(void *data, struct bt_str name, struct bt_zip_entry *entry)
{
    char block[4096];
    int64_t got = 1;
    (void)data;
    (void)name;
    while (got > 0)
        got = bt_zip_read(entry, block, sizeof block, NULL);
    return (int)got;
}

static void damaged(void **state)
{
    (void)state;
    BT_FD fd = make();
    off_t size = lseek(fd, 0, SEEK_END);
    char *bytes = malloc((size_t)size);
    assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
    size_t refused = 0;
    for (off_t cut = 0; cut < size; cut += 97) {
        BT_FD part = temp_file();
        assert_int_equal(write(part, bytes, (size_t)cut), cut);
        refused += bt_zip_walk(part, &(struct bt_zip_sink){read_all, NULL}, NULL) == BT_INVALID;
    }
    assert_true(refused > 10);
    for (off_t at = 0; at < size; at += 61) {
        BT_FD other = temp_file();
        bytes[at] = (char)~bytes[at];
        assert_int_equal(write(other, bytes, (size_t)size), size);
        int rc = bt_zip_walk(other, &(struct bt_zip_sink){read_all, NULL}, NULL);
        assert_true(rc == BT_OK || rc == BT_INVALID || rc == BT_LIMIT);
        bytes[at] = (char)~bytes[at];
    }
    free(bytes);
}

static int stop(void *data, struct bt_str name, struct bt_zip_entry *entry)
{
    (void)data;
    (void)name;
    (void)entry;
    return BT_ABORTED;
}

static void stops(void **state)
{
    (void)state;
    BT_FD fd = make();
    assert_int_equal(bt_zip_walk(fd, &(struct bt_zip_sink){stop, NULL}, NULL), BT_ABORTED);
    struct bt_zip_writer *writer = NULL;
    assert_int_equal(bt_zip_create(fd, &writer, NULL), BT_OK);
    assert_null(bt_zip_abort(writer));
    assert_null(bt_zip_abort(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(damaged),
        cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
