/* stage.c — Files brought before a command, and removed after it. Must never write outside of the
 * attempt's directories. */
#include "worker/runner/stage_int.h"

#include "sys/fs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool bt_stage_is_heavy(const struct bt_plan *plan)
{
    return bt_value_count(plan->input_files) > 0 || plan->fetch_count > 0 ||
           plan->has_space_files || plan->restores_cache;
}

void bt_stage_note(struct bt_stage_notes *notes, enum bt_level level, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* Cut is fine. */
    va_end(args);
    for (char *c = text; *c; c++)
        *c = *c == '\n' ? ' ' : *c;
    (void)bt_buf_addf(&notes->text, "%c%s\n", '0' + (int)level, text); /* Only a note. */
}

static int make_dir(int root, const char *name, int *ret_fd, struct bt_err *err)
{
    if (mkdirat(root, name, 0700) < 0)
        return bt_fail_errno(err, bt_fs_code(errno), errno, "cannot make the working directory");
    return bt_fs_open(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, ret_fd, err);
}

static int write_file(int dir, const char *path, struct bt_str text, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_TRY(bt_fs_open(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, &fd, err));
    int rc = bt_fs_write(fd, text.at, text.len, err);
    if (rc < 0)
        (void)bt_err_prefix(err, "file '%s'", path); /* Gives the code again. */
    return rc;
}

int bt_stage_copy_in(const struct bt_stage *stage, int dir, const char *path, struct bt_str uri,
                     struct bt_err *err)
{
    BT_FD from = -1;
    BT_FD to = -1;
    BT_TRY(bt_files_open(stage->files, stage->job->tenant, uri, &from, err));
    BT_TRY(bt_fs_open(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, &to, err));
    int rc = bt_fs_copy(from, to, err);
    if (rc < 0)
        (void)bt_err_prefix(err, "file '%s'", path); /* Gives the code again. */
    return rc;
}

bool bt_stage_is_inside(struct bt_str path)
{
    bool is_safe = path.len > 0 && path.at[0] != '/' && !memchr(path.at, '\0', path.len);
    for (size_t at = 0; is_safe && at <= path.len;) {
        const char *slash = at < path.len ? memchr(path.at + at, '/', path.len - at) : NULL;
        size_t end = slash ? (size_t)(slash - path.at) : path.len;
        is_safe = !bt_str_is(bt_str_slice(path, at, end), "..");
        at = end + 1;
    }
    return is_safe;
}

static int write_content(const struct bt_stage *stage, int dir, const char *path,
                         const struct bt_value *content, struct bt_err *err)
{
    struct bt_str text = bt_value_str(content);
    if (bt_value_is(content, BT_KIND_STRING) && bt_files_is_uri(bt_str_trim(text)))
        return bt_stage_copy_in(stage, dir, path, bt_str_trim(text), err);
    if (bt_value_is(content, BT_KIND_STRING))
        return write_file(dir, path, text, err);
    struct bt_buf printed = BT_BUF_INIT(SIZE_MAX / 2);
    int rc = bt_value_print(content, &printed, err);
    if (rc == BT_OK)
        rc = write_file(dir, path, bt_buf_str(&printed), err);
    bt_buf_done(&printed);
    return rc;
}

static int bring_one(const struct bt_stage *stage, int dir, size_t index, struct bt_err *err)
{
    struct bt_value *content = bt_map_at(stage->plan->input_files, index, NULL);
    struct bt_str name = bt_map_key(stage->plan->input_files, index);
    if (!bt_stage_is_inside(name))
        return bt_fail(err, BT_DENIED,
                       "inputFiles: '%.*s': The path to resolve must be a relative path inside the "
                       "current working directory.",
                       BT_FMT(name));
    if (bt_value_is_null(content))
        return BT_OK;
    char *path = bt_str_dup(name);
    if (!path)
        return bt_fail_mem(err, "inputFiles");
    int rc = bt_fs_mkdirs_above(dir, path, err);
    if (rc == BT_OK)
        rc = write_content(stage, dir, path, content, err);
    if (rc < 0)
        (void)bt_err_prefix(err, "inputFiles"); /* Gives the code again. */
    free(path);
    return rc;
}

static int bring_fetched(const struct bt_stage *stage, struct bt_err *err)
{
    BT_FD dir = -1;
    BT_TRY(make_dir(stage->root, stage->fetch_name, &dir, err));
    for (size_t i = 0; i < stage->plan->fetch_count; i++)
        BT_TRY(bt_stage_copy_in(stage, dir, stage->plan->fetches[i].name,
                                stage->plan->fetches[i].uri, err));
    return BT_OK;
}

int bt_stage_bring(const struct bt_stage *stage, struct bt_err *err)
{
    const struct bt_plan *plan = stage->plan;
    if (!stage->is_place && mkdirat(stage->root, stage->work_name, 0700) < 0)
        return bt_fail_errno(err, bt_fs_code(errno), errno, "cannot make the working directory");
    if (plan->has_output_dir && mkdirat(stage->root, stage->output_name, 0700) < 0)
        return bt_fail_errno(err, bt_fs_code(errno), errno, "cannot make the output directory");
    if (!plan->file_name && !bt_stage_is_heavy(plan))
        return BT_OK;
    BT_FD dir = -1;
    BT_TRY(
        bt_fs_open(stage->root, stage->work_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &dir, err));
    if (plan->restores_cache)
        BT_TRY(bt_stage_restore_cache(stage, &dir, err));
    if (plan->has_space_files)
        BT_TRY(bt_stage_bring_space(stage, dir, err));
    for (size_t i = 0; i < bt_value_count(plan->input_files); i++)
        BT_TRY(bring_one(stage, dir, i, err));
    if (plan->file_name)
        BT_TRY(write_file(dir, plan->file_name, plan->file_text, err));
    if (plan->restores_cache)
        bt_stage_mark_cache(stage, dir);
    return plan->fetch_count > 0 ? bring_fetched(stage, err) : BT_OK;
}

int bt_stage_remove(const struct bt_stage *stage, struct bt_err *err)
{
    int rc = stage->is_place ? BT_OK : bt_fs_remove_tree(stage->root, stage->work_name, err);
    if (stage->plan->fetch_count > 0 && bt_fs_remove_tree(stage->root, stage->fetch_name, err) < 0)
        rc = BT_IO;
    if (stage->plan->has_output_dir && bt_fs_remove_tree(stage->root, stage->output_name, err) < 0)
        rc = BT_IO;
    return rc;
}
