/* purge.c — Deletes what is beneath a folder, file by file, and tells each. Must never follow more
 * than BT_WALK_DEPTH_MAX folders down. */
#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "files/backend.h"

struct entry {
    char *name; /* Owned. */
    bool is_folder;
};

struct folder {
    BT_VEC(struct entry) entries;
    const char *keep;
};

struct walk {
    struct bt_files *files;
    const char *tenant;
    const struct bt_files_purge *purge;
    struct bt_buf uri; /* Of the folder that is looked at, with '/' at its end. */
};

static int note(void *data, struct bt_str name, const struct bt_file_info *info)
{
    struct folder *folder = data;
    if (folder->keep && info->is_folder && bt_str_is(name, folder->keep))
        return BT_OK;
    struct entry entry = {bt_str_dup(name), info->is_folder};
    if (!entry.name)
        return BT_NO_MEM;
    bt_vec_push(&folder->entries, entry);
    return BT_OK;
}

static void folder_done(struct folder *folder)
{
    for (size_t i = 0; i < folder->entries.count; i++)
        free(folder->entries.items[i].name);
    bt_vec_done(&folder->entries);
}

static int purge_folder(struct walk *walk, int depth, struct bt_err *err);

static int purge_entry(struct walk *walk, const struct entry *entry, int depth, struct bt_err *err)
{
    size_t len = walk->uri.len;
    const struct bt_files_purge *purge = walk->purge;
    (void)bt_buf_adds(&walk->uri, entry->name); /* Checked with the next. */
    if (entry->is_folder)
        (void)bt_buf_addc(&walk->uri, '/');
    BT_TRY(bt_buf_check(&walk->uri, "path", err));
    struct bt_str uri = bt_buf_str(&walk->uri);
    int rc;
    if (entry->is_folder) {
        rc = purge_folder(walk, depth + 1, err);
    } else {
        rc = bt_files_delete(walk->files, walk->tenant, uri, err);
        if (rc == BT_OK && purge->each)
            rc = purge->each(purge->data, uri);
        rc = rc == BT_NOT_FOUND ? BT_OK : rc; /* Somebody else was faster. */
    }
    walk->uri.len = len;
    return rc;
}

static int purge_folder(struct walk *walk, int depth, struct bt_err *err)
{
    BT_CLEANUP(folder_done) struct folder folder = {.keep = depth ? NULL : walk->purge->keep};
    struct bt_str uri = bt_buf_str(&walk->uri);
    if (depth > BT_WALK_DEPTH_MAX)
        return bt_fail(err, BT_LIMIT, "more than %d folders within each other", BT_WALK_DEPTH_MAX);
    BT_TRY(bt_files_list(walk->files, walk->tenant, uri, &(struct bt_folder_sink){note, &folder},
                         err));
    for (size_t i = 0; i < folder.entries.count; i++) {
        BT_TRY(bt_files_go_on(err));
        BT_TRY(purge_entry(walk, &folder.entries.items[i], depth, err));
    }
    (void)bt_files_drop_empty(walk->files, walk->tenant, bt_buf_str(&walk->uri)); /* Or it stays. */
    return BT_OK;
}

int bt_files_purge(struct bt_files *files, const char *tenant, const struct bt_files_purge *purge,
                   struct bt_err *err)
{
    struct bt_str path;
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(2 * BT_PATH_BYTES_MAX);
    BT_TRY(bt_files_path(purge->uri, &path, err));
    if (!bt_str_ends(path, BT_STR("/")))
        return bt_fail(err, BT_INVALID, "'%.*s' does not name a folder: no '/' at its end",
                       BT_FMT(purge->uri));
    if (files->ops->purge)
        return files->ops->purge(files, tenant, purge, err);
    BT_TRY(bt_buf_add(&uri, purge->uri));
    struct walk walk = {files, tenant, purge, uri};
    uri = (struct bt_buf)BT_BUF_INIT(0); /* The walk has it now. */
    int rc = purge_folder(&walk, 0, err);
    bt_buf_done(&walk.uri);
    return rc;
}
