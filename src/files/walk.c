/* walk.c — What is beneath a folder, file by file: told, or deleted and told. Must never follow
 * more than BT_WALK_DEPTH_MAX folders down. */
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

struct tour {
    struct bt_files *files;
    const char *tenant;
    const struct bt_files_walk *walk;
    bool deletes;
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

static int walk_folder(struct tour *tour, int depth, struct bt_err *err);

static int walk_entry(struct tour *tour, const struct entry *entry, int depth, struct bt_err *err)
{
    size_t len = tour->uri.len;
    const struct bt_files_walk *walk = tour->walk;
    (void)bt_buf_adds(&tour->uri, entry->name); /* Checked with the next. */
    if (entry->is_folder)
        (void)bt_buf_addc(&tour->uri, '/');
    BT_TRY(bt_buf_check(&tour->uri, "path", err));
    struct bt_str uri = bt_buf_str(&tour->uri);
    int rc;
    if (entry->is_folder) {
        rc = walk_folder(tour, depth + 1, err);
    } else {
        rc = tour->deletes ? bt_files_delete(tour->files, tour->tenant, uri, err) : BT_OK;
        if (rc == BT_OK && walk->each)
            rc = walk->each(walk->data, uri);
        rc = rc == BT_NOT_FOUND ? BT_OK : rc; /* Somebody else was faster. */
    }
    tour->uri.len = len;
    return rc;
}

static int walk_folder(struct tour *tour, int depth, struct bt_err *err)
{
    BT_CLEANUP(folder_done) struct folder folder = {.keep = depth ? NULL : tour->walk->keep};
    struct bt_str uri = bt_buf_str(&tour->uri);
    if (depth > BT_WALK_DEPTH_MAX)
        return bt_fail(err, BT_LIMIT, "more than %d folders within each other", BT_WALK_DEPTH_MAX);
    BT_TRY(bt_files_list(tour->files, tour->tenant, uri, &(struct bt_folder_sink){note, &folder},
                         err));
    for (size_t i = 0; i < folder.entries.count; i++) {
        BT_TRY(bt_files_go_on(err));
        BT_TRY(walk_entry(tour, &folder.entries.items[i], depth, err));
    }
    if (tour->deletes)
        (void)bt_files_drop_empty(tour->files, tour->tenant,
                                  bt_buf_str(&tour->uri)); /* Or it stays. */
    return BT_OK;
}

static int walk_all(struct bt_files *files, const char *tenant, const struct bt_files_walk *walk,
                    bool deletes, struct bt_err *err)
{
    struct bt_str path;
    struct tour tour = {files, tenant, walk, deletes, BT_BUF_INIT(2 * BT_PATH_BYTES_MAX)};
    BT_TRY(bt_files_path(walk->uri, &path, err));
    if (!bt_str_ends(path, BT_STR("/")))
        return bt_fail(err, BT_INVALID, "'%.*s' does not name a folder: no '/' at its end",
                       BT_FMT(walk->uri));
    if (files->ops->walk)
        return files->ops->walk(files, tenant, walk, deletes, err);
    BT_TRY(bt_buf_add(&tour.uri, walk->uri));
    int rc = walk_folder(&tour, 0, err);
    bt_buf_done(&tour.uri);
    return rc;
}

int bt_files_walk(struct bt_files *files, const char *tenant, const struct bt_files_walk *walk,
                  struct bt_err *err)
{
    return walk_all(files, tenant, walk, false, err);
}

int bt_files_purge(struct bt_files *files, const char *tenant, const struct bt_files_walk *walk,
                   struct bt_err *err)
{
    return walk_all(files, tenant, walk, true, err);
}
