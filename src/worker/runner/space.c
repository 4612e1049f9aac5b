/* space.c — Brings files of the namespace into a working directory. Blocks. */
#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "sys/fs.h"
#include "sys/glob.h"
#include "worker/reader.h"
#include "worker/runner/stage_int.h"

#include <ctype.h>
#include <stdlib.h>

enum { PATTERNS_MAX = 1000 };

struct globs {
    struct bt_glob *items[PATTERNS_MAX];
    size_t count;
};

struct space {
    const struct bt_stage *stage;
    int dir;
    struct globs include, exclude;
    bool takes_all; /* There is no `include`. */
    size_t seen;
};

/* --- Patterns --------------------------------------------------------------------------------- */

/* Of the original: "a/b" finds it at any depth, "/a/b" beneath the root only. */
static int add_pattern(struct globs *globs, const struct bt_value *item, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf pattern = BT_BUF_INIT(BT_GLOB_BYTES_MAX + 8);
    struct bt_str text = bt_value_str(item);
    if (!bt_value_is(item, BT_KIND_STRING) || text.len == 0)
        return bt_fail(err, BT_INVALID, "globs are texts");
    if (bt_str_starts(text, BT_STR("regex:")))
        return bt_fail(err, BT_INVALID, "'%.*s': only globs are understood", BT_FMT(text));
    if (globs->count == PATTERNS_MAX)
        return bt_fail(err, BT_LIMIT, "more than %d patterns", PATTERNS_MAX);
    if (bt_str_starts(text, BT_STR("glob:")))
        text = bt_str_slice(text, 5, text.len);
    bool is_word = text.len > 0 && (isalnum((unsigned char)text.at[0]) || text.at[0] == '_');
    if (text.len > 0 && text.at[0] == '/')
        text = bt_str_slice(text, 1, text.len);
    if (is_word)
        (void)bt_buf_adds(&pattern, "**/"); /* Checked below. */
    (void)bt_buf_add(&pattern, text);
    BT_TRY(bt_buf_check(&pattern, "pattern", err));
    BT_TRY(bt_glob_parse(bt_buf_str(&pattern), &globs->items[globs->count], err));
    globs->count++;
    return BT_OK;
}

static int parse_globs(struct globs *globs, const struct bt_value *list, struct bt_err *err)
{
    for (size_t i = 0; i < bt_value_count(list); i++)
        BT_TRY(add_pattern(globs, bt_list_at(list, i), err));
    return BT_OK;
}

static void free_globs(struct globs *globs)
{
    for (size_t i = 0; i < globs->count; i++)
        bt_glob_free(globs->items[i]);
}

static bool is_among(const struct globs *globs, struct bt_str path)
{
    for (size_t i = 0; i < globs->count; i++)
        if (bt_glob_match(globs->items[i], path))
            return true;
    return false;
}

/* --- Files ------------------------------------------------------------------------------------ */

/* A folder of the namespace that is listed. */
struct folder {
    struct space *space;
    struct bt_str path; /* As it is stored: "", or "a/b/". */
    BT_VEC(char *) folders;
    BT_VEC(char *) files;
    struct bt_err *err;
};

static int on_entry(void *data, struct bt_str name, const struct bt_file_info *info)
{
    struct folder *folder = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    if (++folder->space->seen > BT_SPACE_FILES_MAX)
        return bt_fail(folder->err, BT_LIMIT, "the namespace holds more than %u files",
                       BT_SPACE_FILES_MAX);
    (void)bt_buf_add(&path, folder->path); /* Checked below. */
    (void)bt_buf_add(&path, name);
    if (info->is_folder)
        (void)bt_buf_addc(&path, '/');
    BT_TRY(bt_buf_check(&path, "path", folder->err));
    char *copy = bt_str_dup(bt_buf_str(&path));
    if (!copy)
        return bt_fail_mem(folder->err, "files");
    if (info->is_folder)
        bt_vec_push(&folder->folders, copy);
    else
        bt_vec_push(&folder->files, copy);
    return BT_OK;
}

static int make_uri(const struct space *space, const char *path, struct bt_buf *out,
                    struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf whole = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    (void)bt_job_space_path(space->stage->job, &whole); /* Checked below. */
    (void)bt_buf_adds(&whole, path);
    BT_TRY(bt_buf_check(&whole, "path", err));
    (void)bt_files_uri(bt_buf_str(&whole), out); /* Checked below. */
    return bt_buf_check(out, "path", err);
}

static int bring(struct space *space, const char *stored, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(2 * BT_PATH_BYTES_MAX);
    (void)bt_files_unescape(bt_str_of(stored), &name); /* Checked below. */
    BT_TRY(bt_buf_check(&name, "path", err));
    struct bt_str path = bt_buf_str(&name);
    if ((!space->takes_all && !is_among(&space->include, path)) || is_among(&space->exclude, path))
        return BT_OK;
    const char *text = bt_buf_cstr(&name);
    if (!text || !bt_stage_is_inside(path))
        return bt_fail(err, BT_DENIED, "'%.*s' is no path inside the working directory",
                       BT_FMT(path));
    BT_TRY(make_uri(space, stored, &uri, err));
    BT_TRY(bt_fs_mkdirs_above(space->dir, text, err));
    return bt_stage_copy_in(space->stage, space->dir, text, bt_buf_str(&uri), err);
}

static int walk(struct space *space, const char *path, unsigned depth, struct bt_err *err)
{
    struct folder folder = {.space = space, .path = bt_str_of(path), .err = err};
    const struct bt_folder_sink sink = {on_entry, &folder};
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(2 * BT_PATH_BYTES_MAX);
    int rc = depth <= BT_WALK_DEPTH_MAX
                 ? make_uri(space, path, &uri, err)
                 : bt_fail(err, BT_LIMIT, "folders are more than %d deep", BT_WALK_DEPTH_MAX);
    if (rc == BT_OK)
        rc = bt_files_list(space->stage->files, space->stage->job->tenant, bt_buf_str(&uri), &sink,
                           err);
    for (size_t i = 0; i < folder.files.count; i++) {
        rc = rc == BT_OK ? bring(space, folder.files.items[i], err) : rc;
        free(folder.files.items[i]);
    }
    for (size_t i = 0; i < folder.folders.count; i++) {
        rc = rc == BT_OK ? walk(space, folder.folders.items[i], depth + 1, err) : rc;
        free(folder.folders.items[i]);
    }
    bt_vec_done(&folder.files);
    bt_vec_done(&folder.folders);
    return rc;
}

int bt_stage_bring_space(const struct bt_stage *stage, int dir, struct bt_err *err)
{
    const struct bt_plan *plan = stage->plan;
    struct space *space = calloc(1, sizeof *space);
    if (!space)
        return bt_fail_mem(err, "namespaceFiles");
    space->stage = stage;
    space->dir = dir;
    space->takes_all = !plan->space_include;
    int rc = parse_globs(&space->include, plan->space_include, err);
    if (rc == BT_OK)
        rc = parse_globs(&space->exclude, plan->space_exclude, err);
    if (rc == BT_OK)
        rc = walk(space, "", 0, err);
    free_globs(&space->include);
    free_globs(&space->exclude);
    free(space);
    if (rc < 0)
        (void)bt_err_prefix(err, "namespaceFiles"); /* Gives the code again. */
    return rc;
}
