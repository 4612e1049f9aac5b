/* lines.c — Tasks on lines: storage.split and storage.reverse. */
#include "base/limits.h"
#include "sys/fs.h"
#include "worker/core/core_int.h"
#include "worker/core/split.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Split ------------------------------------------------------------------------------------ */

struct batches {
    struct bt_core *core;
    struct bt_str extension;
    struct bt_value *uris; /* Borrowed list. */
    size_t bytes;
};

static int batch_uri(const struct batches *batches, uint64_t index, struct bt_buf *out,
                     struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    (void)bt_buf_addf(&name, "split-%07" PRIu64, index + 1); /* Checked with the next. */
    (void)bt_buf_add(&name, batches->extension);
    BT_TRY(bt_buf_check(&name, "the extension of a file", err));
    return core_uri(batches->core, bt_buf_str(&name), out, err);
}

static int open_batch(void *data, uint64_t index, struct bt_file_writer **ret_writer,
                      struct bt_err *err)
{
    const struct batches *batches = data;
    const struct bt_core *core = batches->core;
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_TRY(batch_uri(batches, index, &uri, err));
    return bt_files_create(core->files, core->job->tenant, bt_buf_str(&uri), ret_writer, err);
}

static int batch_stored(void *data, uint64_t index, struct bt_err *err)
{
    struct batches *batches = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_TRY(batch_uri(batches, index, &uri, err));
    batches->bytes += uri.len;
    if (batches->bytes > BT_OUTPUT_BYTES_MAX)
        return bt_fail(err, BT_LIMIT, "the URIs of the files are larger than the limit of %u bytes",
                       BT_OUTPUT_BYTES_MAX);
    return bt_list_push(batches->uris, bt_value_string(bt_buf_str(&uri))) < 0
               ? bt_fail_mem(err, "uris")
               : BT_OK;
}

int core_split(struct bt_core *core, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_VALUE uris = bt_list_new(16);
    struct batches batches = {core, core_extension(bt_str_trim(core_text(core, "from"))), uris, 0};
    struct bt_str bytes = core_text(core, "bytes");
    struct bt_split split = {
        .partitions = bt_value_as_int(bt_map_gets(core->props, "partitions")),
        .rows = bt_value_as_int(bt_map_gets(core->props, "rows")),
        .separator = core_text(core, "separator"),
        .is_over = core->is_over,
        .sink = {&batches, open_batch, batch_stored},
    };
    if (!uris)
        return bt_fail_mem(err, "uris");
    if (bytes.len > 0 && !bt_split_parse_bytes(bytes, &split.bytes))
        return bt_fail(err, BT_INVALID, "Invalid size with value '%.*s'", BT_FMT(bytes));
    BT_TRY(core_open(core, "from", &fd, err));
    split.fd = fd;
    BT_TRY(bt_split(&split, err));
    return core_put(core, "uris", BT_TAKE(uris), err);
}

/* --- Reverse: the file is read block by block from its end --------------------------------------
 */

struct reversal {
    int fd;
    int unit;    /* Bytes of a code unit. */
    bool is_big; /* … of two bytes: the first one is the high one. */
    struct bt_out out;
    struct bt_buf separator; /* In the file's charset. */
    int64_t line_end;        /* Of the line that is being looked for. */
    bool had_lf; /* The unit behind this one is a line feed: a return before it belongs to it. */
    char *block; /* Owned. */
};

static void reversal_done(struct reversal *reversal)
{
    bt_fd_close(&reversal->fd);
    bt_out_done(&reversal->out);
    bt_buf_done(&reversal->separator);
    free(reversal->block);
}

/* Charsets in which the ends of lines are single bytes are read as they are. */
static int set_charset(struct reversal *reversal, struct bt_str name, struct bt_err *err)
{
    reversal->unit = 1;
    if (name.len >= 5 && strncasecmp(name.at, "UTF-3", 5) == 0)
        return bt_fail(err, BT_INVALID, "Encoding %.*s is not supported yet", BT_FMT(name));
    if (name.len < 6 || strncasecmp(name.at, "UTF-16", 6) != 0)
        return BT_OK;
    struct bt_str order = bt_str_slice(name, 6, name.len);
    if (order.len != 2 || strncasecmp(order.at + 1, "E", 1) != 0 || !strchr("BbLl", order.at[0]))
        return bt_fail(err, BT_INVALID,
                       "For UTF-16, you need to specify the byte order (use UTF-16BE or UTF-16LE)");
    reversal->unit = 2;
    reversal->is_big = strchr("Bb", order.at[0]) != NULL;
    return BT_OK;
}

static int set_separator(struct reversal *reversal, struct bt_str text, struct bt_err *err)
{
    struct bt_buf *out = &reversal->separator;
    if (reversal->unit == 1)
        (void)bt_buf_add(out, text); /* Checked below. */
    for (size_t i = 0; reversal->unit == 2 && i < text.len; i++) {
        if ((unsigned char)text.at[i] >= 0x80)
            return bt_fail(err, BT_INVALID, "separator: must be ASCII for a file in UTF-16");
        (void)bt_buf_addc(out, reversal->is_big ? '\0' : text.at[i]);
        (void)bt_buf_addc(out, reversal->is_big ? text.at[i] : '\0');
    }
    return bt_buf_check(out, "separator", err);
}

static bool is_unit(const struct reversal *reversal, const char *at, char c)
{
    if (reversal->unit == 1)
        return *at == c;
    return reversal->is_big ? at[0] == '\0' && at[1] == c : at[0] == c && at[1] == '\0';
}

/* Bytes [from, line_end) of the file, of which those in [base, …) stand in the block. */
static int emit(struct reversal *reversal, int64_t from, struct bt_str block, int64_t base,
                struct bt_err *err)
{
    int64_t block_end = base + (int64_t)block.len;
    int64_t end = reversal->line_end < block_end ? reversal->line_end : block_end;
    if (end > from)
        BT_TRY(bt_out_add(&reversal->out,
                          bt_str_slice(block, (size_t)(from - base), (size_t)(end - base)), err));
    char piece[16 << 10];
    for (int64_t at = block_end; at < reversal->line_end;) {
        int64_t left = reversal->line_end - at;
        size_t wanted = left < (int64_t)sizeof piece ? (size_t)left : sizeof piece;
        ssize_t got = pread(reversal->fd, piece, wanted, at);
        if (got <= 0)
            return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
        BT_TRY(bt_out_add(&reversal->out, (struct bt_str){piece, (size_t)got}, err));
        at += got;
    }
    return bt_out_add(&reversal->out, bt_buf_str(&reversal->separator), err);
}

/* One block, from its last unit to its first. */
static int reverse_block(struct reversal *reversal, struct bt_str block, int64_t base,
                         struct bt_err *err)
{
    size_t unit = (size_t)reversal->unit;
    for (size_t at = block.len; at >= unit; at -= unit) {
        const char *c = block.at + at - unit;
        int64_t place = base + (int64_t)(at - unit);
        bool is_lf = is_unit(reversal, c, '\n'), is_cr = is_unit(reversal, c, '\r');
        if (is_cr && reversal->had_lf)
            reversal->line_end = place; /* Together they are one end. */
        else if (is_lf || is_cr) {
            BT_TRY(emit(reversal, place + (int64_t)unit, block, base, err));
            reversal->line_end = place;
        }
        reversal->had_lf = is_lf;
    }
    return BT_OK;
}

/* The end of the last line is no line of its own. */
static int skip_last_end(struct reversal *reversal, struct bt_err *err)
{
    char last[2];
    int64_t unit = reversal->unit;
    if (reversal->line_end < unit)
        return BT_OK;
    if (pread(reversal->fd, last, (size_t)unit, reversal->line_end - unit) != unit)
        return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
    reversal->had_lf = is_unit(reversal, last, '\n');
    if (reversal->had_lf || is_unit(reversal, last, '\r'))
        reversal->line_end -= unit;
    return BT_OK;
}

static int reverse_all(struct reversal *reversal, struct bt_err *err)
{
    struct stat at;
    if (fstat(reversal->fd, &at) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
    if (!(reversal->block = malloc(BT_IO_BLOCK)))
        return bt_fail_mem(err, "a file");
    if (at.st_size == 0)
        return BT_OK;
    reversal->line_end = at.st_size - at.st_size % reversal->unit;
    BT_TRY(skip_last_end(reversal, err));
    for (int64_t end = reversal->line_end; end > 0;) {
        int64_t len = end < BT_IO_BLOCK ? end : BT_IO_BLOCK;
        if (pread(reversal->fd, reversal->block, (size_t)len, end - len) != len)
            return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
        end -= len;
        BT_TRY(bt_io_go_on(reversal->out.is_over, err));
        BT_TRY(reverse_block(reversal, (struct bt_str){reversal->block, (size_t)len}, end, err));
    }
    return emit(reversal, 0, BT_STR_NONE, 0, err); /* The first line has no end before it. */
}

static int reverse(struct bt_core *core, struct reversal *reversal, struct bt_err *err)
{
    struct bt_str extension = core_extension(bt_str_trim(core_text(core, "from")));
    BT_TRY(set_charset(reversal, core_text(core, "charset"), err));
    BT_TRY(set_separator(reversal, core_text(core, "separator"), err));
    BT_TRY(core_open(core, "from", &reversal->fd, err));
    BT_TRY(core_create(core, "reverse", extension, &reversal->out, err));
    BT_TRY(reverse_all(reversal, err));
    return bt_out_commit(&reversal->out, err);
}

int core_reverse(struct bt_core *core, struct bt_err *err)
{
    struct reversal reversal = {.fd = -1, .separator = BT_BUF_INIT(1 << 20)};
    int rc = reverse(core, &reversal, err);
    reversal_done(&reversal);
    return rc;
}
