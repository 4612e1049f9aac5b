/* reader.c — Files of the execution for expressions. Must never open a file of another execution.
 */
#include "worker/reader.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "worker/runner/lines.h"

#include <errno.h>
#include <unistd.h>

int bt_job_path(const struct bt_job *job, struct bt_buf *out)
{
    for (const char *at = job->flow->namespace; *at; at++)
        (void)bt_buf_addc(out, *at == '.' ? '/' : *at); /* A failure shows in the next call. */
    return bt_buf_addf(out, "/%s/executions/%s/", job->flow->id, job->exec_id);
}

static int check_owner(const struct bt_reader *reader, struct bt_str uri, struct bt_err *err)
{
    struct bt_str path;
    struct bt_buf own = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    int rc = bt_files_path(uri, &path, err);
    if (rc == BT_OK && bt_job_path(reader->job, &own) < 0)
        rc = bt_buf_check(&own, "path", err);
    if (rc == BT_OK && !bt_str_starts(path, bt_buf_str(&own)))
        rc = bt_fail(err, BT_INVALID,
                     "Unable to read the file '%.*s' as it didn't belong to the current execution",
                     BT_FMT(uri));
    bt_buf_done(&own);
    return rc;
}

static int read_text(int fd, struct bt_value **ret_text, struct bt_err *err)
{
    struct bt_buf raw = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    struct bt_buf clean = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    ssize_t got = 1;
    while (got > 0 && bt_buf_reserve(&raw, 1 << 16) == BT_OK) {
        got = read(fd, raw.at + raw.len, 1 << 16);
        raw.len += got > 0 ? (size_t)got : 0;
        got = got < 0 && errno == EINTR ? 1 : got;
    }
    int rc = got < 0 ? bt_fail_errno(err, BT_IO, errno, "cannot read a file")
                     : bt_buf_check(&raw, "the text of a file", err);
    if (rc == BT_OK && bt_text_clean(bt_buf_str(&raw), &clean) < 0)
        rc = bt_buf_check(&clean, "the text of a file", err);
    if (rc == BT_OK && !(*ret_text = bt_value_string(bt_buf_str(&clean))))
        rc = bt_fail_mem(err, "the text of a file");
    bt_buf_done(&raw);
    bt_buf_done(&clean);
    return rc;
}

static int call(void *data, const char *function, const struct bt_value *args,
                struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_reader *reader = data;
    bool is_read = strcmp(function, "read") == 0;
    struct bt_str uri = bt_map_str(args, "path");
    if (!is_read && strcmp(function, "fileSize") != 0)
        return bt_fail(err, BT_UNAVAILABLE, "the function '%s' is not available here", function);
    BT_TRY(check_owner(reader, uri, err));
    if (!is_read) {
        int64_t size_bytes;
        BT_TRY(bt_files_size(reader->files, reader->job->tenant, uri, &size_bytes, err));
        *ret_value = bt_value_int(size_bytes);
        return *ret_value ? BT_OK : bt_fail_mem(err, "fileSize");
    }
    BT_FD fd = -1;
    BT_TRY(bt_files_open(reader->files, reader->job->tenant, uri, &fd, err));
    return read_text(fd, ret_value, err);
}

struct bt_capabilities bt_reader_capabilities(struct bt_reader *reader)
{
    return (struct bt_capabilities){.data = reader, .call = call};
}
