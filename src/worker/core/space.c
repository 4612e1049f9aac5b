/* space.c — Files of namespaces: namespace.upload, download, delete. They stand beneath
 * <namespace>/_files/; what begins with _flows is the flows' and never touched. */
#include "base/limits.h"
#include "engine/namespace/kv.h"
#include "sys/fs.h"
#include "value/json.h"
#include "worker/core/core_int.h"
#include "worker/globs.h"

#include <stdlib.h>

struct space {
    struct bt_core *core;
    struct bt_buf root, name; /* "baton:///a/b/_files/"; "a.b". */
    struct bt_globs globs;
    struct bt_value *uris; /* Owned list: what fits. */
};

static struct space *space_free(struct space *space)
{
    bt_globs_done(&space->globs);
    bt_buf_done(&space->root);
    bt_buf_done(&space->name);
    bt_value_unref(space->uris);
    free(space);
    return NULL;
}
BT_CLEANUP_DEFINE(space_free, struct space)

static int set_root(struct space *space, struct bt_err *err)
{
    struct bt_str given = core_text(space->core, "namespace");
    struct bt_str namespace = given.len ? given : bt_str_of(space->core->job->flow->namespace);
    BT_TRY(bt_kv_check_namespace(namespace, err));
    (void)bt_buf_add(&space->name, namespace); /* All checked at the end. */
    (void)bt_buf_adds(&space->root, "baton:///");
    for (size_t i = 0; i < namespace.len; i++)
        (void)bt_buf_addc(&space->root, namespace.at[i] == '.' ? '/' : namespace.at[i]);
    (void)bt_buf_adds(&space->root, "/_files/");
    return bt_buf_check(&space->root, "namespace", err);
}

static int open_space(struct bt_core *core, struct space **ret_space, struct bt_err *err)
{
    struct space *space = calloc(1, sizeof *space);
    if (!space)
        return bt_fail_mem(err, "namespace files");
    space->core = core;
    space->root = space->name = (struct bt_buf)BT_BUF_INIT(BT_PATH_BYTES_MAX);
    space->uris = bt_list_new(16);
    int rc = space->uris ? set_root(space, err) : bt_fail_mem(err, "namespace files");
    if (rc < 0)
        space_free(space);
    else
        *ret_space = space;
    return rc;
}

static struct bt_str bare(struct bt_str path)
{
    while (path.len && path.at[0] == '/')
        path = bt_str_slice(path, 1, path.len);
    return path;
}

/* A text, or a list of texts. */
static int add_patterns(struct space *space, const char *wrong_type, struct bt_err *err)
{
    const struct bt_value *files = bt_map_gets(space->core->props, "files");
    bool is_list = bt_value_is(files, BT_KIND_LIST);
    if (!is_list && !bt_value_is(files, BT_KIND_STRING))
        return bt_fail(err, BT_INVALID, "%s", wrong_type);
    for (size_t i = 0; i < (is_list ? bt_value_count(files) : 1); i++) {
        const struct bt_value *item = is_list ? bt_list_at(files, i) : files;
        if (!bt_value_is(item, BT_KIND_STRING))
            return bt_fail(err, BT_INVALID, "%s", wrong_type);
        BT_TRY(bt_globs_add(&space->globs, bt_value_str(item), err));
    }
    return BT_OK;
}

/* The path of a stored file, "dir/a.py". */
static int path_of(const struct space *space, struct bt_str uri, struct bt_buf *out)
{
    return bt_files_unescape(bt_str_slice(uri, space->root.len, uri.len), out);
}

static int note_fitting(void *data, struct bt_str uri)
{
    struct space *space = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_TRY(path_of(space, uri, &path));
    if (!bt_globs_match(&space->globs, bt_buf_str(&path)))
        return BT_OK;
    return bt_value_count(space->uris) < BT_OUTPUT_FILES_MAX
               ? bt_list_push(space->uris, bt_value_string(uri))
               : BT_LIMIT;
}

static int find(struct space *space, struct bt_err *err)
{
    struct bt_core *core = space->core;
    struct bt_files_walk walk = {bt_buf_str(&space->root), "_flows", note_fitting, space};
    int rc = bt_files_walk(core->files, core->job->tenant, &walk, err);
    return rc == BT_LIMIT && bt_value_count(space->uris) == BT_OUTPUT_FILES_MAX
               ? bt_fail(err, BT_LIMIT, "more than %u files", BT_OUTPUT_FILES_MAX)
               : rc;
}

static int copy(const struct bt_core *core, int fd, struct bt_str to, struct bt_err *err)
{
    BT_CLEANUP(bt_out_done) struct bt_out out = {0};
    struct bt_file_writer *writer = NULL;
    BT_TRY(bt_files_create(core->files, core->job->tenant, to, &writer, err));
    BT_TRY(bt_out_init(&out, writer, core->is_over, err));
    BT_TRY(bt_out_copy(&out, fd, err));
    return bt_out_commit(&out, err);
}

/* --- Download, delete ------------------------------------------------------------------------- */

static int download_one(const struct space *space, struct bt_str from, struct bt_value *files,
                        struct bt_err *err)
{
    BT_FD fd = -1;
    const struct bt_core *core = space->core;
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_CLEANUP(bt_buf_done) struct bt_buf to = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    struct bt_str destination = bare(core_text(core, "destination"));
    (void)bt_buf_addc(&path, '/'); /* Checked with the next. */
    (void)path_of(space, from, &path);
    BT_TRY(bt_buf_check(&path, "a path", err));
    (void)bt_buf_add(&name, destination);
    if (destination.len && destination.at[destination.len - 1] != '/')
        (void)bt_buf_addc(&name, '/');
    (void)bt_buf_add(&name, bare(bt_buf_str(&path)));
    BT_TRY(bt_buf_check(&name, "a path", err));
    BT_TRY(core_uri(core, bt_buf_str(&name), &to, err));
    int rc = bt_files_open(core->files, core->job->tenant, from, &fd, err);
    if (rc == BT_NOT_FOUND)
        return BT_OK; /* Somebody deleted it meanwhile. */
    BT_TRY(rc);
    BT_TRY(copy(core, fd, bt_buf_str(&to), err));
    return bt_map_put(files, bt_buf_str(&path), bt_value_string(bt_buf_str(&to))) < 0
               ? bt_fail_mem(err, "files")
               : BT_OK;
}

int core_space_download(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(space_free_p) struct space *space = NULL;
    BT_VALUE files = bt_map_new(16);
    BT_TRY(open_space(core, &space, err));
    BT_TRY(add_patterns(space, "The files property must be a string or a list of strings", err));
    BT_TRY(find(space, err));
    for (size_t i = 0; files && i < bt_value_count(space->uris); i++)
        BT_TRY(download_one(space, bt_value_str(bt_list_at(space->uris, i)), files, err));
    BT_TRY(core_count(core, "downloaded", bt_value_count(files)));
    return core_put(core, "files", BT_TAKE(files), err);
}

int core_space_delete(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(space_free_p) struct space *space = NULL;
    size_t count = 0;
    BT_TRY(open_space(core, &space, err));
    BT_TRY(add_patterns(space, "Files must be a String or a list of String", err));
    BT_TRY(find(space, err));
    for (size_t i = 0; i < bt_value_count(space->uris); i++) {
        struct bt_str uri = bt_value_str(bt_list_at(space->uris, i));
        BT_TRY(bt_io_go_on(core->is_over, err));
        int rc = bt_files_delete(core->files, core->job->tenant, uri, err);
        if (rc < 0 && rc != BT_NOT_FOUND)
            return rc;
        count += rc == BT_OK;
    }
    return core_count(core, "deleted", count);
}

/* --- Upload ----------------------------------------------------------------------------------- */

/* False: the file is there and stays. */
static int check_conflict(const struct space *space, struct bt_str path, struct bt_str uri,
                          bool *ret_is, struct bt_err *err)
{
    struct bt_core *core = space->core;
    struct bt_str conflict = core_text(core, "conflict");
    int64_t size_bytes;
    *ret_is = true;
    if (!bt_str_is(conflict, "ERROR") && !bt_str_is(conflict, "SKIP"))
        return BT_OK;
    int rc = bt_files_size(core->files, core->job->tenant, uri, &size_bytes, err);
    if (rc < 0)
        return rc == BT_NOT_FOUND ? BT_OK : rc;
    struct bt_str name = bt_buf_str(&space->name);
    if (bt_str_is(conflict, "ERROR"))
        return bt_fail(
            err, BT_EXISTS,
            "File '%.*s' already exists in namespace '%.*s' and conflict is set to ERROR",
            BT_FMT(path), BT_FMT(name));
    bt_stage_note(&core->notes, BT_LEVEL_WARN,
                  "File '%.*s' already exists in namespace '%.*s' and conflict is set to SKIP. "
                  "Skipping.",
                  BT_FMT(path), BT_FMT(name));
    *ret_is = false;
    return BT_OK;
}

/* `folder` and `path` are the target's, as they were given. */
static int upload(const struct space *space, int fd, struct bt_str folder, struct bt_str path,
                  struct bt_err *err)
{
    bool is_wanted = false;
    BT_CLEANUP(bt_buf_done) struct bt_buf target = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    (void)bt_buf_addc(&target, '/'); /* All checked at the end. */
    (void)bt_buf_add(&target, bare(folder));
    if (target.len && target.at[target.len - 1] != '/')
        (void)bt_buf_addc(&target, '/');
    (void)bt_buf_add(&target, bare(path));
    BT_TRY(bt_buf_check(&target, "a path", err));
    struct bt_str inner = bare(bt_buf_str(&target));
    if (bt_str_starts(inner, BT_STR("_flows")))
        return bt_fail(err, BT_INVALID, "Illegal argument: '/_flows' is kept for flows");
    (void)bt_buf_add(&uri, bt_buf_str(&space->root));
    (void)bt_files_add_escaped(inner, &uri);
    BT_TRY(bt_buf_check(&uri, "a path", err));
    BT_TRY(check_conflict(space, bt_buf_str(&target), bt_buf_str(&uri), &is_wanted, err));
    return is_wanted ? copy(space->core, fd, bt_buf_str(&uri), err) : BT_OK;
}

/* A file that does not exist is passed by. */
static int upload_uri(const struct space *space, struct bt_str from, struct bt_str folder,
                      struct bt_str path, struct bt_err *err)
{
    BT_FD fd = -1;
    const struct bt_core *core = space->core;
    int rc = bt_files_open(core->files, core->job->tenant, from, &fd, err);
    if (rc < 0)
        return rc == BT_NOT_FOUND ? BT_OK : rc;
    return upload(space, fd, folder, path, err);
}

/* Target path to URI: a map, or its JSON text. */
static int upload_map(struct space *space, const struct bt_value *given, const char *wrong_type,
                      struct bt_err *err)
{
    BT_VALUE map = bt_value_ref(given);
    if (bt_value_is(given, BT_KIND_STRING)) {
        map = bt_value_unref(map);
        int rc = bt_json_parse(bt_value_str(given), NULL, &map, err);
        if (rc < 0)
            return bt_err_prefix(err, "filesMap");
    }
    if (!bt_value_is(map, BT_KIND_MAP))
        return bt_fail(err, BT_INVALID, "%s", wrong_type);
    for (size_t i = 0; i < bt_value_count(map); i++) {
        const struct bt_value *uri = bt_map_at(map, i, NULL);
        if (!bt_value_is(uri, BT_KIND_STRING))
            return bt_fail(err, BT_INVALID, "%s", wrong_type);
        struct bt_str from = bt_str_trim(bt_value_str(uri));
        BT_TRY(upload_uri(space, from, BT_STR_NONE, bt_map_key(map, i), err));
    }
    return BT_OK;
}

struct upload_walk {
    const struct space *space;
    int dir;
};

static int upload_fitting(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    const struct upload_walk *walk = data;
    const struct bt_core *core = walk->space->core;
    BT_FD fd = -1;
    if (type != DT_REG || !bt_globs_match(&walk->space->globs, bt_str_of(path)))
        return BT_OK;
    BT_TRY(bt_fs_open(walk->dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, &fd, err));
    return upload(walk->space, fd, core_text(core, "destination"), bt_str_of(path), err);
}

/* URIs, and globs on the working directory. */
static int upload_list(struct space *space, const struct bt_value *files, struct bt_err *err)
{
    const struct bt_core *core = space->core;
    BT_FD dir = -1;
    for (size_t i = 0; i < bt_value_count(files); i++) {
        struct bt_str text = bt_str_trim(bt_value_str(bt_list_at(files, i)));
        const char *slash = text.len ? memrchr(text.at, '/', text.len) : NULL;
        if (!bt_files_is_uri(text))
            BT_TRY(bt_globs_add(&space->globs, bt_value_str(bt_list_at(files, i)), err));
        else
            BT_TRY(upload_uri(space, text, core_text(core, "destination"),
                              bt_str_slice(text, (size_t)(slash - text.at) + 1, text.len), err));
    }
    if (space->globs.count == 0)
        return BT_OK;
    int rc = bt_fs_open(core->stage->root, core->stage->work_name,
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &dir, err);
    if (rc < 0)
        return rc == BT_NOT_FOUND ? BT_OK : rc; /* A task alone has none. */
    return bt_fs_walk(dir, upload_fitting, &(struct upload_walk){space, dir}, err);
}

int core_space_upload(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(space_free_p) struct space *space = NULL;
    const struct bt_value *files = bt_map_gets(core->props, "files");
    const struct bt_value *map = bt_map_gets(core->props, "filesMap");
    BT_TRY(open_space(core, &space, err));
    if (!files && !map)
        return bt_fail(err, BT_INVALID, "files or filesMap is required");
    if (map)
        BT_TRY(upload_map(space, map, "filesMap must be a Map<String, String>", err));
    if (bt_value_is(files, BT_KIND_MAP))
        return upload_map(space, files, "files must be a List<String> or a Map<String, String>",
                          err);
    return files ? upload_list(space, files, err) : BT_OK;
}
