/* space.c — Brings files of the namespace into a working directory. Blocks. */
#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "worker/globs.h"
#include "worker/reader.h"
#include "worker/runner/stage_int.h"

struct space {
    const struct bt_stage *stage;
    int dir;
    struct bt_globs include, exclude;
    bool takes_all;     /* There is no `include`. */
    struct bt_buf root; /* The URI of its folder, with '/' at its end. */
    size_t seen;
    struct bt_err *err;
};

static int add_all(struct bt_globs *globs, const struct bt_value *list, struct bt_err *err)
{
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *item = bt_list_at(list, i);
        if (!bt_value_is(item, BT_KIND_STRING) || bt_value_str(item).len == 0)
            return bt_fail(err, BT_INVALID, "globs are texts");
        BT_TRY(bt_globs_add(globs, bt_value_str(item), err));
    }
    return BT_OK;
}

static int bring(void *data, struct bt_str uri)
{
    struct space *space = data;
    struct bt_err *err = space->err;
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    if (++space->seen > BT_SPACE_FILES_MAX)
        return bt_fail(err, BT_LIMIT, "the namespace holds more than %u files", BT_SPACE_FILES_MAX);
    (void)bt_files_unescape(bt_str_slice(uri, space->root.len, uri.len), &name); /* As below. */
    BT_TRY(bt_buf_check(&name, "a path", err));
    struct bt_str path = bt_buf_str(&name);
    bool is_wanted = (space->takes_all || bt_globs_match(&space->include, path)) &&
                     !bt_globs_match(&space->exclude, path);
    if (!is_wanted)
        return BT_OK;
    const char *text = bt_buf_cstr(&name);
    if (!text || !bt_stage_is_inside(path))
        return bt_fail(err, BT_DENIED, "'%.*s' is no path inside the working directory",
                       BT_FMT(path));
    BT_TRY(bt_fs_mkdirs_above(space->dir, text, err));
    int rc = bt_stage_copy_in(space->stage, space->dir, text, uri, err);
    if (rc == BT_NOT_FOUND) /* That would pass for a file that somebody deleted meanwhile. */
        return bt_fail(err, BT_IO, "'%.*s' was deleted meanwhile", BT_FMT(path));
    return rc;
}

static int bring_all(struct space *space, struct bt_err *err)
{
    const struct bt_stage *stage = space->stage;
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    (void)bt_job_space_path(stage->job, &path); /* Checked below. */
    BT_TRY(bt_buf_check(&path, "the path of the namespace", err));
    (void)bt_files_uri(bt_buf_str(&path), &space->root); /* Checked below. */
    BT_TRY(bt_buf_check(&space->root, "the path of the namespace", err));
    BT_TRY(add_all(&space->include, stage->plan->space_include, err));
    BT_TRY(add_all(&space->exclude, stage->plan->space_exclude, err));
    const struct bt_files_walk walk = {bt_buf_str(&space->root), "_flows", bring, space};
    return bt_files_walk(stage->files, stage->job->tenant, &walk, err);
}

int bt_stage_bring_space(const struct bt_stage *stage, int dir, struct bt_err *err)
{
    struct space space = {.stage = stage,
                          .dir = dir,
                          .takes_all = !stage->plan->space_include,
                          .root = BT_BUF_INIT(2 * BT_PATH_BYTES_MAX),
                          .err = err};
    int rc = bring_all(&space, err);
    bt_globs_done(&space.include);
    bt_globs_done(&space.exclude);
    bt_buf_done(&space.root);
    if (rc < 0)
        (void)bt_err_prefix(err, "namespaceFiles"); /* Gives the code again. */
    return rc;
}
