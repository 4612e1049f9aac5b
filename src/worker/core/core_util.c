/* core_util.c — What the tasks share: properties, outputs, files of the task run. */
#include "base/limits.h"
#include "sys/fs.h"
#include "worker/core/core_int.h"
#include "worker/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

struct bt_str core_text(const struct bt_core *core, const char *name)
{
    return bt_map_str(core->props, name);
}

int core_put(struct bt_core *core, const char *name, struct bt_value *value, struct bt_err *err)
{
    return bt_map_puts(core->outputs, name, value) < 0 ? bt_fail_mem(err, "outputs") : BT_OK;
}

int core_count(struct bt_core *core, const char *name, size_t count)
{
    BT_VALUE metric = bt_map_new(3);
    int rc = bt_map_puts(metric, "name", bt_value_cstr(name));
    rc |= bt_map_puts(metric, "type", bt_value_cstr("counter"));
    rc |= bt_map_puts(metric, "value", bt_value_int((int64_t)count));
    return rc == BT_OK && bt_capture_metric(core->capture, metric, "type") ? BT_OK : BT_NO_MEM;
}

struct bt_str core_extension(struct bt_str uri)
{
    const char *slash = uri.len ? memrchr(uri.at, '/', uri.len) : NULL;
    size_t from = slash ? (size_t)(slash - uri.at) + 1 : 0;
    struct bt_str name = bt_str_slice(uri, from, uri.len);
    const char *dot = name.len ? memrchr(name.at, '.', name.len) : NULL;
    return dot ? bt_str_slice(name, (size_t)(dot - name.at), name.len) : BT_STR(".tmp");
}

int core_open(const struct bt_core *core, const char *name, int *ret_fd, struct bt_err *err)
{
    struct bt_str uri = bt_str_trim(core_text(core, name));
    int rc = bt_files_open(core->files, core->job->tenant, uri, ret_fd, err);
    return rc < 0 ? bt_err_prefix(err, "%s", name) : BT_OK;
}

int core_uri(const struct bt_core *core, struct bt_str name, struct bt_buf *out, struct bt_err *err)
{
    const struct bt_job *job = core->job;
    (void)bt_buf_adds(out, "baton:///"); /* All checked at the end. */
    (void)bt_job_path(job, out);
    (void)bt_buf_addf(out, "tasks/%s/%s/", job->task->id, job->taskrun_id);
    (void)bt_files_add_escaped(name, out);
    return bt_buf_check(out, "the URI of a file", err);
}

int core_create(struct bt_core *core, const char *name, struct bt_str extension, struct bt_out *out,
                struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf file = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    struct bt_file_writer *writer = NULL;
    (void)bt_buf_adds(&file, name); /* Checked with the next. */
    (void)bt_buf_add(&file, extension);
    BT_TRY(bt_buf_check(&file, "the extension of a file", err));
    BT_TRY(core_uri(core, bt_buf_str(&file), &uri, err));
    BT_TRY(core_put(core, "uri", bt_value_string(bt_buf_str(&uri)), err));
    BT_TRY(bt_files_create(core->files, core->job->tenant, bt_buf_str(&uri), &writer, err));
    return bt_out_init(out, writer, core->is_over, err);
}

int core_temp(const struct bt_core *core, int *ret_fd, struct bt_err *err)
{
    char name[64];
    int root = core->stage->root;
    (void)snprintf(name, sizeof name, "temp-%" PRIx64, core->job->token); /* Fits. */
    BT_TRY(bt_fs_open(root, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, ret_fd, err));
    (void)unlinkat(root, name, 0); /* It lives as long as its descriptor. */
    return BT_OK;
}
