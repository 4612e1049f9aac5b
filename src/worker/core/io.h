/* io.h — Lines of a file, read in blocks, and a file that is written through a buffer. Memory is
 * bounded by a block and the longest line. Both look between two blocks whether to go on. */
#pragma once
#include "base/own.h"
#include "files/files.h"

enum { BT_IO_BLOCK = 256 << 10, BT_OUT_BLOCK = 64 << 10 };

/* Ends of lines are \n, \r\n and \r, as the original reads them. */
struct bt_rows {
    int fd; /* Borrowed. */
    const _Atomic bool *is_over;
    char *block; /* Owned. */
    size_t len, at;
    size_t lf, cr; /* Where the next of each stands, when that is not before `at`. */
    bool has_cr;   /* The last line ended in one: a line feed belongs to it. */
    struct bt_buf line;
};
/* `is_over` may be NULL. Nothing is read before the first line. */
void bt_rows_init(struct bt_rows *rows, int fd, const _Atomic bool *is_over);
void bt_rows_done(struct bt_rows *rows);
/* The next line without its end, borrowed until the next call. BT_NOT_FOUND: at the end of the
 * file; BT_LIMIT: longer than BT_ROW_BYTES_MAX; BT_ABORTED. */
int bt_rows_next(struct bt_rows *rows, struct bt_str *ret_line, struct bt_err *err);

/* BT_ABORTED when the flag (may be NULL) is set. */
int bt_io_go_on(const _Atomic bool *is_over, struct bt_err *err);

/* A buffer before a writer of the internal storage. */
struct bt_out {
    struct bt_file_writer *writer; /* Owned; NULL: not open. */
    const _Atomic bool *is_over;
    char *block; /* Owned. */
    size_t len;
};
/* Takes the writer. */
int bt_out_init(struct bt_out *out, struct bt_file_writer *writer, const _Atomic bool *is_over,
                struct bt_err *err);
int bt_out_add(struct bt_out *out, struct bt_str text, struct bt_err *err);
/* From the position of `fd` to its end. */
int bt_out_copy(struct bt_out *out, int fd, struct bt_err *err);
/* The file appears. The out is closed, also on failure. */
int bt_out_commit(struct bt_out *out, struct bt_err *err);
void bt_out_done(struct bt_out *out); /* Gives a file up that was not committed. */
