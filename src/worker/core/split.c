/* split.c — Lines dealt out to batches. Must never hold more than a line and the open batches'
 * buffers. */
#include "worker/core/split.h"

#include "base/limits.h"
#include "base/num.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

bool bt_split_parse_bytes(struct bt_str text, int64_t *ret_bytes)
{
    static const char letters[] = "KMGT";
    struct bt_str at = bt_str_trim(text);
    unsigned shift = 0;
    int64_t number;
    if (at.len > 1 && strchr("Bb", at.at[at.len - 1]))
        at.len--;
    if (at.len > 2 && strchr("Ii", at.at[at.len - 1]))
        at.len--;
    for (unsigned i = 0; at.len > 1 && letters[i] && shift == 0; i++)
        if (strncasecmp(&at.at[at.len - 1], &letters[i], 1) == 0)
            shift = 10 * (i + 1);
    at.len -= shift > 0;
    if (!bt_parse_i64(bt_str_trim(at), &number) || number <= 0 || number > INT64_MAX >> shift)
        return false;
    *ret_bytes = number << shift;
    return true;
}

static int open_batch(const struct bt_split *split, uint64_t index, struct bt_out *out,
                      struct bt_err *err)
{
    struct bt_file_writer *writer = NULL;
    if (index >= BT_SPLIT_FILES_MAX)
        return bt_fail(err, BT_LIMIT, "a file is split into at most %u files", BT_SPLIT_FILES_MAX);
    BT_TRY(split->sink.open(split->sink.data, index, &writer, err));
    return bt_out_init(out, writer, split->is_over, err);
}

static int close_batch(const struct bt_split *split, uint64_t index, struct bt_out *out,
                       struct bt_err *err)
{
    BT_TRY(bt_out_commit(out, err));
    return split->sink.stored(split->sink.data, index, err);
}

static int add_line(const struct bt_split *split, struct bt_out *out, struct bt_str line,
                    struct bt_err *err)
{
    BT_TRY(bt_out_add(out, line, err));
    return bt_out_add(out, split->separator, err);
}

/* --- By rows and bytes ------------------------------------------------------------------------ */

static int run_in_order(const struct bt_split *split, struct bt_rows *rows, struct bt_err *err)
{
    BT_CLEANUP(bt_out_done) struct bt_out out = {0};
    uint64_t index = 0;
    int64_t bytes = 0, lines = 0;
    struct bt_str line;
    int rc;
    while ((rc = bt_rows_next(rows, &line, err)) == BT_OK) {
        bool is_full = split->bytes ? bytes >= split->bytes : lines >= split->rows;
        if (out.writer && is_full)
            BT_TRY(close_batch(split, index++, &out, err));
        if (!out.writer) {
            bytes = lines = 0;
            BT_TRY(open_batch(split, index, &out, err));
        }
        BT_TRY(add_line(split, &out, line, err));
        bytes += (int64_t)(line.len + split->separator.len);
        lines++;
    }
    if (rc != BT_NOT_FOUND)
        return rc;
    return out.writer ? close_batch(split, index, &out, err) : BT_OK;
}

/* --- By partitions ---------------------------------------------------------------------------- */

struct group {
    uint64_t first, count; /* Partitions of this pass. */
    struct bt_out outs[BT_SPLIT_OPEN_MAX];
    bool is_last; /* The file has no lines for partitions behind these. */
};

static void group_done(struct group *group)
{
    for (size_t i = 0; i < BT_SPLIT_OPEN_MAX; i++)
        bt_out_done(&group->outs[i]);
}

static int deal(const struct bt_split *split, struct bt_rows *rows, struct group *group,
                struct bt_err *err)
{
    struct bt_str line;
    int rc;
    uint64_t turn = 0;
    while ((rc = bt_rows_next(rows, &line, err)) == BT_OK) {
        uint64_t place = turn - group->first; /* Large when before it. */
        if (turn >= group->first && place < group->count) {
            if (!group->outs[place].writer)
                BT_TRY(open_batch(split, turn, &group->outs[place], err));
            BT_TRY(add_line(split, &group->outs[place], line, err));
        }
        if (turn >= group->first + group->count)
            group->is_last = false;
        turn = turn + 1 < (uint64_t)split->partitions ? turn + 1 : 0;
    }
    return rc == BT_NOT_FOUND ? BT_OK : rc;
}

static int run_group(const struct bt_split *split, struct group *group, struct bt_err *err)
{
    BT_CLEANUP(bt_rows_done) struct bt_rows rows;
    bt_rows_init(&rows, split->fd, split->is_over);
    group->is_last = true;
    if (lseek(split->fd, 0, SEEK_SET) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
    BT_TRY(deal(split, &rows, group, err));
    for (uint64_t i = 0; i < group->count; i++)
        if (group->outs[i].writer)
            BT_TRY(close_batch(split, group->first + i, &group->outs[i], err));
    return BT_OK;
}

static int run_partitions(const struct bt_split *split, struct bt_err *err)
{
    BT_CLEANUP(group_done) struct group group = {0};
    uint64_t count = (uint64_t)split->partitions;
    if (split->partitions > BT_SPLIT_PARTITIONS_MAX)
        return bt_fail(err, BT_LIMIT, "a file is split into at most %d partitions",
                       BT_SPLIT_PARTITIONS_MAX);
    while (group.first < count && !group.is_last) {
        uint64_t left = count - group.first;
        group.count = left < BT_SPLIT_OPEN_MAX ? left : BT_SPLIT_OPEN_MAX;
        BT_TRY(run_group(split, &group, err));
        group.first += group.count;
    }
    return BT_OK;
}

int bt_split(const struct bt_split *split, struct bt_err *err)
{
    if (split->bytes <= 0 && split->partitions <= 0 && split->rows <= 0)
        return bt_fail(err, BT_INVALID, "Invalid configuration with no size, count, nor rows");
    if (split->bytes <= 0 && split->partitions > 0)
        return run_partitions(split, err);
    BT_CLEANUP(bt_rows_done) struct bt_rows rows;
    bt_rows_init(&rows, split->fd, split->is_over);
    return run_in_order(split, &rows, err);
}
