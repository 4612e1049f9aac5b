/* io.c — Blocks in, blocks out. Must never hold more of a file than a block and a line. */
#include "worker/core/io.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int bt_io_go_on(const _Atomic bool *is_over, struct bt_err *err)
{
    return is_over && *is_over ? bt_fail(err, BT_ABORTED, "the task was stopped") : BT_OK;
}

/* --- Reading ---------------------------------------------------------------------------------- */

void bt_rows_init(struct bt_rows *rows, int fd, const _Atomic bool *is_over)
{
    *rows = (struct bt_rows){
        .fd = fd, .is_over = is_over, .line = BT_BUF_INIT(BT_ROW_BYTES_MAX + BT_IO_BLOCK)};
}

void bt_rows_done(struct bt_rows *rows)
{
    free(rows->block);
    bt_buf_done(&rows->line);
}

/* The next block; len 0 at the end. */
static int refill(struct bt_rows *rows, struct bt_err *err)
{
    BT_TRY(bt_io_go_on(rows->is_over, err));
    if (!rows->block && !(rows->block = malloc(BT_IO_BLOCK)))
        return bt_fail_mem(err, "lines");
    ssize_t got;
    do
        got = read(rows->fd, rows->block, BT_IO_BLOCK);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
    rows->len = (size_t)got;
    rows->at = rows->lf = rows->cr = 0;
    return BT_OK;
}

/* The first `byte` at or behind `at`; `known` is what the last search found. */
static size_t seek(const struct bt_rows *rows, size_t known, char byte)
{
    if (known > rows->at || (known == rows->at && known < rows->len && rows->block[known] == byte))
        return known;
    const char *found = memchr(rows->block + rows->at, byte, rows->len - rows->at);
    return found ? (size_t)(found - rows->block) : rows->len;
}

/* Takes what is there of the line. True: its end was among it. */
static bool take(struct bt_rows *rows, struct bt_str *ret_piece)
{
    if (rows->has_cr && rows->block[rows->at] == '\n')
        rows->at++;
    rows->has_cr = false;
    rows->lf = seek(rows, rows->lf, '\n');
    rows->cr = seek(rows, rows->cr, '\r');
    size_t end = rows->lf < rows->cr ? rows->lf : rows->cr;
    *ret_piece = (struct bt_str){rows->block + rows->at, end - rows->at};
    bool is_whole = end < rows->len;
    rows->has_cr = is_whole && rows->block[end] == '\r';
    rows->at = is_whole ? end + 1 : end;
    return is_whole;
}

int bt_rows_next(struct bt_rows *rows, struct bt_str *ret_line, struct bt_err *err)
{
    bool is_begun = false; /* Something of the line was read; it may be nothing but its end. */
    bt_buf_clear(&rows->line);
    for (;;) {
        if (rows->at == rows->len) {
            BT_TRY(refill(rows, err));
            if (rows->len == 0 && !is_begun)
                return BT_NOT_FOUND;
            if (rows->len == 0)
                break;
        }
        struct bt_str piece;
        bool was_cr = rows->has_cr;
        bool is_whole = take(rows, &piece);
        if (is_whole && rows->line.len == 0) {
            *ret_line = piece;
            return BT_OK;
        }
        if (was_cr && !is_whole && piece.len == 0)
            continue; /* Only the line feed of the line before. */
        is_begun = true;
        if (rows->line.len + piece.len > BT_ROW_BYTES_MAX)
            return bt_fail(err, BT_LIMIT, "a line has more than %u bytes", BT_ROW_BYTES_MAX);
        if (bt_buf_add(&rows->line, piece) < 0)
            return bt_fail_mem(err, "a line");
        if (is_whole)
            break;
    }
    *ret_line = bt_buf_str(&rows->line);
    return BT_OK;
}

/* --- Writing ---------------------------------------------------------------------------------- */

int bt_out_init(struct bt_out *out, struct bt_file_writer *writer, const _Atomic bool *is_over,
                struct bt_err *err)
{
    *out = (struct bt_out){.writer = writer, .is_over = is_over};
    if ((out->block = malloc(BT_OUT_BLOCK)))
        return BT_OK;
    bt_out_done(out);
    return bt_fail_mem(err, "a file");
}

static int flush(struct bt_out *out, struct bt_err *err)
{
    size_t len = out->len;
    out->len = 0;
    BT_TRY(bt_io_go_on(out->is_over, err));
    return len ? bt_file_write(out->writer, out->block, len, err) : BT_OK;
}

int bt_out_add(struct bt_out *out, struct bt_str text, struct bt_err *err)
{
    assert(out->writer);
    while (text.len > 0) {
        size_t room = BT_OUT_BLOCK - out->len;
        size_t len = text.len < room ? text.len : room;
        memcpy(out->block + out->len, text.at, len);
        out->len += len;
        text = bt_str_slice(text, len, text.len);
        if (out->len == BT_OUT_BLOCK)
            BT_TRY(flush(out, err));
    }
    return BT_OK;
}

int bt_out_copy(struct bt_out *out, int fd, struct bt_err *err)
{
    assert(out->writer);
    for (;;) {
        ssize_t got = read(fd, out->block + out->len, BT_OUT_BLOCK - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
        if (got == 0)
            return BT_OK;
        out->len += (size_t)got;
        if (out->len == BT_OUT_BLOCK)
            BT_TRY(flush(out, err));
    }
}

int bt_out_commit(struct bt_out *out, struct bt_err *err)
{
    int rc = flush(out, err);
    if (rc == BT_OK)
        rc = bt_file_commit(BT_TAKE(out->writer), err);
    bt_out_done(out);
    return rc;
}

void bt_out_done(struct bt_out *out)
{
    (void)bt_file_abort(out->writer); /* Gives NULL. */
    free(out->block);
    *out = (struct bt_out){0};
}
