/* spill.c — Outputs too large for a row: a file of the execution in the internal storage.
 *
 * A file is written before the commit whose row names it, and never again: its name has the place
 * of the run's end among all of the execution, which is used once. */
#include "journal/runner/runner_int.h"

#include "sys/fs.h"
#include "base/crash.h"
#include "value/json.h"

#include <errno.h>
#include <unistd.h>

/* NAMESPACE/FLOW/executions/ID/outputs/RUN-END.json */
static int add_uri(const struct actor *actor, const struct bt_taskrun *run, struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    for (const char *at = actor->exec->namespace; *at; at++)
        (void)bt_buf_addc(&path, *at == '.' ? '/' : *at); /* A failure shows in the next call. */
    BT_TRY(bt_buf_addf(&path, "/%s/executions/%s/outputs/%s-%u.json", actor->exec->flow_id,
                       actor->exec->id.text, run->id.text, run->end_n));
    return bt_files_uri(bt_buf_str(&path), out);
}

static int write_file(struct bt_files *files, const struct actor *actor,
                      const struct bt_taskrun *run, struct bt_str text, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    struct bt_file_writer *writer = NULL;
    if (add_uri(actor, run, &uri) < 0)
        return bt_fail_mem(err, "outputs");
    BT_TRY(bt_files_create(files, actor->exec->tenant, bt_buf_str(&uri), &writer, err));
    int rc = bt_file_write(writer, text.at, text.len, err);
    if (rc == BT_OK)
        return bt_file_commit(writer, err);
    bt_file_abort(writer);
    return rc;
}

int spill_write(struct bt_files *files, const struct actor *actor, struct bt_taskrun *run,
                struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    if (!files || run->is_spilled || run->end_n == 0 ||
        bt_value_bytes(run->outputs) <= BT_OUTPUT_INLINE_MAX)
        return BT_OK;
    BT_TRY(bt_json_write(run->outputs, BT_JSON_COMPACT, &text, err));
    if (text.len <= BT_OUTPUT_INLINE_MAX)
        return BT_OK;
    BT_TRY(write_file(files, actor, run, bt_buf_str(&text), err));
    run->is_spilled = true;
    BT_CRASH_POINT("spilled");
    return BT_OK;
}

static int read_all(int fd, struct bt_buf *out, struct bt_err *err)
{
    enum { BLOCK_BYTES = 256 << 10 };
    ssize_t got = 1;
    while (got > 0) {
        BT_TRY(bt_buf_reserve(out, BLOCK_BYTES));
        got = read(fd, out->at + out->len, BLOCK_BYTES);
        out->len += got > 0 ? (size_t)got : 0;
        got = got < 0 && errno == EINTR ? 1 : got;
    }
    return got < 0 ? bt_fail_errno(err, BT_IO, errno, "cannot read outputs") : BT_OK;
}

int spill_read(struct bt_files *files, const struct actor *actor, struct bt_taskrun *run,
               struct bt_err *err)
{
    BT_FD fd = -1;
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    if (add_uri(actor, run, &uri) < 0)
        return bt_fail_mem(err, "outputs");
    int rc = files ? bt_files_open(files, actor->exec->tenant, bt_buf_str(&uri), &fd, err)
                   : BT_NOT_FOUND;
    if (rc == BT_NOT_FOUND)
        return bt_fail(err, BT_CORRUPT, "stored outputs of the task run %s are missing",
                       run->id.text);
    BT_TRY(rc);
    BT_TRY(read_all(fd, &text, err));
    if (bt_json_parse(bt_buf_str(&text), NULL, &run->outputs, err) < 0)
        return bt_fail(err, BT_CORRUPT, "stored outputs of the task run %s are not readable",
                       run->id.text);
    return BT_OK;
}
