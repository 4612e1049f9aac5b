/* zip.c — Zip archives through libarchive. */
#include "files/zip.h"

#include "base/limits.h"
#include "base/own.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 65536 };

/* --- The library ------------------------------------------------------------------------------ */

#define FUNCTIONS(X)                                                                               \
    X(archive_read_new)                                                                            \
    X(archive_read_support_format_zip)                                                             \
    X(archive_read_open_fd)                                                                        \
    X(archive_read_next_header)                                                                    \
    X(archive_read_data)                                                                           \
    X(archive_read_free)                                                                           \
    X(archive_write_new)                                                                           \
    X(archive_write_set_format_zip)                                                                \
    X(archive_write_set_options)                                                                   \
    X(archive_write_open_fd)                                                                       \
    X(archive_write_header)                                                                        \
    X(archive_write_data)                                                                          \
    X(archive_write_close)                                                                         \
    X(archive_write_free)                                                                          \
    X(archive_entry_new)                                                                           \
    X(archive_entry_free)                                                                          \
    X(archive_entry_pathname_utf8)                                                                 \
    X(archive_entry_filetype)                                                                      \
    X(archive_entry_set_pathname_utf8)                                                             \
    X(archive_entry_set_size)                                                                      \
    X(archive_entry_set_filetype)                                                                  \
    X(archive_entry_set_perm)

static struct {
#define X(name) __typeof__(&name) name;
    FUNCTIONS(X)
#undef X
} lib; /* Filled once by load(); constant afterwards. */

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define X(name) {#name, offsetof(__typeof__(lib), name)},
    FUNCTIONS(X)
#undef X
};

static struct bt_err load_error;
static locale_t utf8; /* For names that are read: the program's own locale has no letters. */

static locale_t enter_utf8(void)
{
    return utf8 ? uselocale(utf8) : (locale_t)0;
}

static void leave_utf8(locale_t before)
{
    if (before)
        (void)uselocale(before); /* Cannot fail. */
}

static void load(void)
{
    void *library = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    for (size_t i = 0; library && i < BT_COUNT(functions); i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function) {
            (void)bt_fail(&load_error, BT_UNAVAILABLE, "libarchive.so.13 has no %s",
                          functions[i].name);
            return;
        }
        memcpy((char *)&lib + functions[i].offset, &function, sizeof function);
    }
    if (library)
        return;
    (void)bt_fail(&load_error, BT_UNAVAILABLE, "libarchive.so.13 is not on this machine");
    (void)bt_hint(&load_error, "install the package libarchive13");
}

static int need_library(struct bt_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load); /* Cannot fail. */
    if (load_error.code && err)
        *err = load_error;
    return load_error.code;
}

/* --- Writing ---------------------------------------------------------------------------------- */

struct bt_zip_writer {
    struct archive *archive;
};

int bt_zip_create(int fd, struct bt_zip_writer **ret_writer, struct bt_err *err)
{
    BT_TRY(need_library(err));
    struct bt_zip_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return bt_fail_mem(err, "archive");
    writer->archive = lib.archive_write_new();
    if (!writer->archive || lib.archive_write_set_format_zip(writer->archive) != ARCHIVE_OK ||
        lib.archive_write_set_options(writer->archive, "zip:hdrcharset=UTF-8") < ARCHIVE_WARN ||
        lib.archive_write_open_fd(writer->archive, fd) != ARCHIVE_OK) {
        bt_zip_abort(writer);
        return bt_fail(err, BT_IO, "cannot make an archive");
    }
    *ret_writer = writer;
    return BT_OK;
}

static int begin_entry(struct bt_zip_writer *writer, struct bt_str name, int64_t size,
                       struct bt_err *err)
{
    char *copy = bt_str_dup(name);
    struct archive_entry *entry = copy ? lib.archive_entry_new() : NULL;
    int rc = entry ? BT_OK : bt_fail_mem(err, "archive");
    if (rc == BT_OK) {
        lib.archive_entry_set_pathname_utf8(entry, copy);
        lib.archive_entry_set_size(entry, size);
        lib.archive_entry_set_filetype(entry, AE_IFREG);
        lib.archive_entry_set_perm(entry, 0644);
        if (lib.archive_write_header(writer->archive, entry) < ARCHIVE_WARN)
            rc = bt_fail(err, BT_IO, "cannot write an archive");
    }
    if (entry)
        lib.archive_entry_free(entry);
    free(copy);
    return rc;
}

static int add_data(struct bt_zip_writer *writer, const void *at, size_t len, struct bt_err *err)
{
    return lib.archive_write_data(writer->archive, at, len) == (la_ssize_t)len
               ? BT_OK
               : bt_fail(err, BT_IO, "cannot write an archive");
}

int bt_zip_add(struct bt_zip_writer *writer, struct bt_str name, struct bt_str content,
               struct bt_err *err)
{
    BT_TRY(begin_entry(writer, name, (int64_t)content.len, err));
    return content.len ? add_data(writer, content.at, content.len, err) : BT_OK;
}

int bt_zip_add_fd(struct bt_zip_writer *writer, struct bt_str name, int fd, int64_t size,
                  struct bt_err *err)
{
    char *block = malloc(BLOCK);
    off_t at = 0;
    int rc = block ? begin_entry(writer, name, size, err) : bt_fail_mem(err, "archive");
    while (rc == BT_OK && at < size) {
        ssize_t got = pread(fd, block, BLOCK, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            rc = bt_fail(err, BT_IO, "a file cannot be read");
        else
            rc = add_data(writer, block, (size_t)got, err);
        at += got > 0 ? got : 0;
    }
    free(block);
    return rc;
}

int bt_zip_finish(struct bt_zip_writer *writer, struct bt_err *err)
{
    bool is_good = lib.archive_write_close(writer->archive) == ARCHIVE_OK;
    bt_zip_abort(writer);
    return is_good ? BT_OK : bt_fail(err, BT_IO, "cannot write an archive");
}

struct bt_zip_writer *bt_zip_abort(struct bt_zip_writer *writer)
{
    if (writer && writer->archive)
        (void)lib.archive_write_free(writer->archive); /* Whatever it says, it is gone. */
    free(writer);
    return NULL;
}

/* --- Reading ---------------------------------------------------------------------------------- */

struct bt_zip_entry {
    struct archive *archive;
    int64_t bytes; /* Of all entries so far. */
};

int64_t bt_zip_read(struct bt_zip_entry *entry, void *at, size_t len, struct bt_err *err)
{
    la_ssize_t got = lib.archive_read_data(entry->archive, at, len);
    if (got < 0)
        return bt_fail(err, BT_INVALID, "the archive is damaged");
    entry->bytes += got;
    if (entry->bytes > BT_ZIP_BYTES_MAX)
        return bt_fail(err, BT_LIMIT, "the archive holds more than %lld bytes",
                       (long long)BT_ZIP_BYTES_MAX);
    return got;
}

/* The next entry and its name; the name is owned. ARCHIVE_EOF: there is no more. */
static int next_entry(struct archive *archive, struct archive_entry **ret_entry, char **ret_name)
{
    locale_t before = enter_utf8();
    int got = lib.archive_read_next_header(archive, ret_entry);
    const char *name = NULL;
    if (got == ARCHIVE_OK || got == ARCHIVE_WARN)
        name = lib.archive_entry_pathname_utf8(*ret_entry);
    *ret_name = name ? bt_str_dup(bt_str_of(name)) : NULL;
    leave_utf8(before);
    return got;
}

static int walk(struct archive *archive, const struct bt_zip_sink *sink, struct bt_err *err)
{
    struct bt_zip_entry state = {.archive = archive};
    struct archive_entry *entry;
    unsigned count = 0;
    for (;;) {
        char *name;
        int got = next_entry(archive, &entry, &name);
        if (got == ARCHIVE_EOF)
            return BT_OK;
        int rc = BT_OK;
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            rc = bt_fail(err, BT_INVALID, "the file is no zip archive, or damaged");
        else if (++count > BT_ZIP_ENTRIES_MAX)
            rc = bt_fail(err, BT_LIMIT, "the archive holds more than %u files", BT_ZIP_ENTRIES_MAX);
        else if (lib.archive_entry_filetype(entry) == AE_IFREG)
            rc = name ? sink->each(sink->data, bt_str_of(name), &state)
                      : bt_fail(err, BT_INVALID, "the archive has a file whose name is no text");
        free(name);
        BT_TRY(rc);
    }
}

int bt_zip_walk(int fd, const struct bt_zip_sink *sink, struct bt_err *err)
{
    BT_TRY(need_library(err));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return bt_fail_errno(err, BT_IO, errno, "the archive cannot be read");
    struct archive *archive = lib.archive_read_new();
    if (!archive)
        return bt_fail_mem(err, "archive");
    int rc = BT_OK;
    if (lib.archive_read_support_format_zip(archive) < ARCHIVE_WARN ||
        lib.archive_read_open_fd(archive, fd, BLOCK) != ARCHIVE_OK)
        rc = bt_fail(err, BT_INVALID, "the file is no zip archive");
    if (rc == BT_OK)
        rc = walk(archive, sink, err);
    (void)lib.archive_read_free(archive); /* Whatever it says, it is gone. */
    return rc;
}
