/* zip.h — Zip archives, streamed in and out of open files. libarchive is loaded when the first one
 * is needed. One archive belongs to one thread.
 *
 * Limits: BT_ZIP_ENTRIES_MAX entries, BT_ZIP_BYTES_MAX bytes of content. Names come as they stand
 * in the archive: whoever uses them as paths has to check them. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct bt_zip_writer; /* Opaque. */
/* Writes to an open file. */
int bt_zip_create(int fd, struct bt_zip_writer **ret_writer, struct bt_err *err);
int bt_zip_add(struct bt_zip_writer *writer, struct bt_str name, struct bt_str content,
               struct bt_err *err);
/* The content of an open file, from its beginning: `size` bytes. */
int bt_zip_add_fd(struct bt_zip_writer *writer, struct bt_str name, int fd, int64_t size,
                  struct bt_err *err);
int bt_zip_finish(struct bt_zip_writer *writer, struct bt_err *err); /* Takes the writer. */
struct bt_zip_writer *bt_zip_abort(struct bt_zip_writer *writer);    /* Takes; accepts NULL. */

struct bt_zip_entry; /* The content of one file while it has its turn. */
/* Bytes read, 0 at the end, or an error. */
int64_t bt_zip_read(struct bt_zip_entry *entry, void *at, size_t len, struct bt_err *err);
struct bt_zip_sink {
    /* Each file (no directories, no links) in order. A negative result ends it and is returned. */
    int (*each)(void *data, struct bt_str name, struct bt_zip_entry *entry);
    void *data;
};
/* BT_INVALID: no zip archive, or a damaged one. */
int bt_zip_walk(int fd, const struct bt_zip_sink *sink, struct bt_err *err);
