/* store.c — Stores the files that a command leaves: uploads them, names them.
 * Must never read what a link outside of the working directory points to. */
#include "worker/runner/lines.h"
#include "worker/runner/find.h"

#include "base/limits.h"
#include "sys/fs.h"
#include "worker/reader.h"

/* Appends the URI that every file of this attempt begins with. */
static int base_uri(const struct bt_job *job, struct bt_buf *out)
{
    (void)bt_buf_adds(out, "baton:///"); /* Checked by the caller. */
    (void)bt_job_path(job, out);         /* The same. */
    return bt_buf_addf(out, "tasks/%s/%s/", job->task->id, job->taskrun_id);
}

static int store_one(const struct bt_stage *stage, int dir, const char *path, struct bt_value *uris,
                     struct bt_err *err)
{
    BT_FD fd = -1;
    int rc = bt_find_open(dir, path, &fd, NULL, err);
    if (rc == BT_DENIED || rc == BT_NOT_FOUND) {
        bt_stage_note(stage->notes, BT_LEVEL_WARN, "outputFiles: '%s' is not stored: %s", path,
                      rc == BT_DENIED ? "it cannot be read, or leads out of the working directory"
                                      : "it is not a file");
        return BT_OK;
    }
    if (rc < 0)
        return rc;
    struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    (void)base_uri(stage->job, &uri);                  /* Checked below. */
    (void)bt_files_add_escaped(bt_str_of(path), &uri); /* The same. */
    rc = bt_buf_check(&uri, "the URI of an output file", err);
    if (rc == BT_OK)
        rc = bt_files_put_fd(stage->files, stage->job->tenant, bt_buf_str(&uri), fd, err);
    struct bt_buf name = BT_BUF_INIT(3 * strlen(path)); /* Names of files need not be text. */
    if (rc == BT_OK && (bt_text_clean(bt_str_of(path), &name) < 0 ||
                        bt_map_put(uris, bt_buf_str(&name), bt_value_string(bt_buf_str(&uri))) < 0))
        rc = bt_fail_mem(err, "outputFiles");
    bt_buf_done(&name);
    bt_buf_done(&uri);
    if (rc < 0)
        (void)bt_err_prefix(err, "outputFiles: '%s'", path); /* Gives the code again. */
    return rc;
}

/* `patterns` NULL: all that is there. */
static int store_found(const struct bt_stage *stage, const char *dir_name,
                       const struct bt_value *patterns, struct bt_value *uris, struct bt_err *err)
{
    BT_FD dir = -1;
    BT_CLEANUP(bt_found_done) struct bt_found found = {0};
    const struct bt_find how = {"outputFiles", stage->plan->file_name, stage->notes};
    BT_TRY(bt_fs_open(stage->root, dir_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &dir, err));
    BT_TRY(patterns ? bt_find_files(dir, patterns, &how, &found, err)
                    : bt_find_all(dir, &how, &found, err));
    for (size_t i = 0; i < found.count; i++)
        BT_TRY(store_one(stage, dir, found.names[i], uris, err));
    return BT_OK;
}

int bt_stage_store(const struct bt_stage *stage, struct bt_value **ret_uris, struct bt_err *err)
{
    const struct bt_plan *plan = stage->plan;
    BT_VALUE uris = bt_map_new(4);
    if (!uris)
        return bt_fail_mem(err, "outputFiles");
    if (plan->output_files)
        BT_TRY(store_found(stage, stage->work_name, plan->output_files, uris, err));
    if (plan->has_output_dir)
        BT_TRY(store_found(stage, stage->output_name, NULL, uris, err));
    *ret_uris = BT_TAKE(uris);
    return BT_OK;
}
