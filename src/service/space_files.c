/* space_files.c — Namespace files: paths, looking, changing. */
#include "service/space_int.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "engine/namespace/kv.h"

#include <stdlib.h>

/* --- Paths ------------------------------------------------------------------------------------ */

static bool is_part_ok(struct bt_str part)
{
    if (!part.len || part.len > 255 || bt_str_is(part, ".") || bt_str_is(part, ".."))
        return false;
    for (size_t i = 0; i < part.len; i++)
        if ((unsigned char)part.at[i] < 0x20 || part.at[i] == 0x7F || part.at[i] == '\\')
            return false;
    return true;
}

static int check_path(struct bt_str path, struct bt_err *err)
{
    if (bt_str_starts(path, BT_STR("_flows")))
        return bt_fail(err, BT_INVALID, "Illegal argument: '/_flows' is kept for flows");
    if (path.len > BT_PATH_BYTES_MAX / 4 || !bt_utf8_is_valid(path, NULL))
        return bt_fail(err, BT_INVALID, "Illegal argument: the path is too long, or no text");
    size_t depth = 0;
    for (size_t at = 0; at < path.len;) {
        ptrdiff_t slash = bt_str_find(path, BT_STR("/"), at);
        size_t end = slash < 0 ? path.len : (size_t)slash;
        if (!is_part_ok(bt_str_slice(path, at, end)))
            return bt_fail(err, BT_INVALID,
                           "Illegal argument: '%.*s' is no path of a file: no empty parts, '.', "
                           "'..' or '\\'",
                           BT_FMT(path));
        if (++depth > BT_WALK_DEPTH_MAX)
            return bt_fail(err, BT_LIMIT, "folders are nested more than %d deep",
                           BT_WALK_DEPTH_MAX);
        at = end + 1;
    }
    return BT_OK;
}

static struct bt_str bare(struct bt_str path)
{
    if (bt_str_starts(path, BT_STR("nsfile://")))
        path = bt_str_slice(path, 9, path.len);
    while (path.len && path.at[0] == '/')
        path = bt_str_slice(path, 1, path.len);
    while (path.len && path.at[path.len - 1] == '/')
        path.len--;
    return path;
}

int space_uri(const struct bt_space_file *file, bool is_folder, struct bt_buf *out,
              struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    struct bt_str inner = bare(file->path);
    BT_TRY(bt_kv_check_namespace(bt_str_of(file->namespace), err));
    BT_TRY(check_path(inner, err));
    for (const char *c = file->namespace; *c; c++)
        (void)bt_buf_addc(&path, *c == '.' ? '/' : *c); /* Checked below. */
    (void)bt_buf_adds(&path, "/_files");
    if (inner.len)
        (void)bt_buf_addc(&path, '/');
    (void)bt_files_add_escaped(inner, &path);
    if (is_folder)
        (void)bt_buf_addc(&path, '/');
    BT_TRY(bt_buf_check(&path, "path", err));
    return bt_files_uri(bt_buf_str(&path), out) < 0 ? bt_buf_check(out, "path", err) : BT_OK;
}

/* --- Looking ---------------------------------------------------------------------------------- */

static struct bt_value *attributes(struct bt_str name, const struct bt_file_info *info)
{
    BT_VALUE map = bt_map_new(5);
    int rc = bt_map_puts(map, "type", bt_value_cstr(info->is_folder ? "Directory" : "File"));
    rc |= bt_map_puts(map, "size", bt_value_int(info->size_bytes));
    rc |= bt_map_puts(map, "fileName", bt_value_string(name));
    rc |= bt_map_puts(map, "lastModifiedTime", bt_value_int(info->modified_us / 1000));
    rc |= bt_map_puts(map, "creationTime", bt_value_int(info->created_us / 1000));
    return rc == BT_OK ? BT_TAKE(map) : NULL;
}

static struct bt_str last_part(struct bt_str path)
{
    size_t at = path.len;
    while (at && path.at[at - 1] != '/')
        at--;
    return bt_str_slice(path, at, path.len);
}

int bt_service_space_stat(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_space_file *file, struct bt_value **ret_info,
                          struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    struct bt_file_info info = {.is_folder = true};
    struct bt_str inner = bare(file->path);
    BT_TRY(space_uri(file, false, &uri, err));
    int rc = bt_files_stat(service->files, principal->tenant, bt_buf_str(&uri), &info, err);
    if (rc < 0 && (inner.len || rc != BT_NOT_FOUND)) /* The root is always there. */
        return rc;
    *ret_info = attributes(inner.len ? last_part(inner) : BT_STR("_files"), &info);
    return *ret_info ? BT_OK : bt_fail_mem(err, "files");
}

static int by_name(const void *a, const void *b)
{
    const struct bt_value *const *one = a, *const *two = b;
    return bt_str_cmp(bt_map_str(*one, "fileName"), bt_map_str(*two, "fileName"));
}

struct values {
    BT_VEC(struct bt_value *) items; /* Owned. */
};

/* Sorted, as one list. Empties the array. */
static struct bt_value *sorted(struct values *values, int (*compare)(const void *a, const void *b))
{
    BT_VALUE list = bt_list_new(values->items.count);
    bool is_short = !list;
    if (values->items.count)
        qsort(values->items.items, values->items.count, sizeof *values->items.items, compare);
    for (size_t i = 0; i < values->items.count; i++) {
        if (is_short)
            bt_value_unref(values->items.items[i]);
        else
            is_short = bt_list_push(list, values->items.items[i]) < 0;
    }
    bt_vec_done(&values->items);
    return is_short ? NULL : BT_TAKE(list);
}

static int add_entry(void *data, struct bt_str name, const struct bt_file_info *info)
{
    struct values *values = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
    if (bt_files_unescape(name, &text) < 0 || values->items.count >= BT_SPACE_FILES_MAX)
        return BT_LIMIT;
    struct bt_value *entry = attributes(bt_buf_str(&text), info);
    if (!entry)
        return BT_NO_MEM;
    bt_vec_push(&values->items, entry);
    return BT_OK;
}

int bt_service_space_list(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_space_file *folder, struct bt_value **ret_list,
                          struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    struct values values = {0};
    BT_TRY(space_uri(folder, true, &uri, err));
    if (bare(folder->path).len) {
        BT_VALUE info = NULL;
        BT_TRY(bt_service_space_stat(service, principal, folder, &info, err));
        if (!bt_str_is(bt_map_str(info, "type"), "Directory"))
            return bt_fail(err, BT_INVALID, "Illegal argument: '%.*s' is no directory",
                           BT_FMT(folder->path));
    }
    int rc = bt_files_list(service->files, principal->tenant, bt_buf_str(&uri),
                           &(struct bt_folder_sink){add_entry, &values}, err);
    *ret_list = sorted(&values, by_name);
    if (rc == BT_LIMIT)
        rc = bt_fail(err, BT_LIMIT, "the folder holds more than %u files", BT_SPACE_FILES_MAX);
    if (rc == BT_OK && !*ret_list)
        rc = bt_fail_mem(err, "files");
    if (rc < 0)
        *ret_list = bt_value_unref(*ret_list);
    return rc;
}

/* --- All files -------------------------------------------------------------------------------- */

struct level {
    struct space_walk *walk;
    struct bt_str path; /* "/dir", or empty. */
    BT_VEC(struct bt_value *) folders;
};

static int visit(void *data, struct bt_str name, const struct bt_file_info *info)
{
    struct level *level = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    (void)bt_buf_add(&path, level->path); /* Checked below. */
    (void)bt_buf_addc(&path, '/');
    (void)bt_files_unescape(name, &path);
    BT_TRY(bt_buf_check(&path, "path", level->walk->err));
    if (info->is_folder) {
        struct bt_value *folder = bt_value_string(bt_buf_str(&path));
        if (!folder)
            return bt_fail_mem(level->walk->err, "files");
        bt_vec_push(&level->folders, folder);
        return BT_OK;
    }
    if (++level->walk->count > BT_SPACE_FILES_MAX)
        return bt_fail(level->walk->err, BT_LIMIT, "the namespace holds more than %u files",
                       BT_SPACE_FILES_MAX);
    return level->walk->each(level->walk->data, bt_buf_str(&path));
}

static int walk_folder(struct space_walk *walk, struct bt_str path, int depth)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    struct level level = {.walk = walk, .path = path};
    if (depth > BT_WALK_DEPTH_MAX)
        return bt_fail(walk->err, BT_LIMIT, "folders are nested more than %d deep",
                       BT_WALK_DEPTH_MAX);
    BT_TRY(space_uri(&(struct bt_space_file){walk->namespace, path}, true, &uri, walk->err));
    int rc = bt_files_list(walk->service->files, walk->principal->tenant, bt_buf_str(&uri),
                           &(struct bt_folder_sink){visit, &level}, walk->err);
    for (size_t i = 0; i < level.folders.count; i++) {
        if (rc == BT_OK)
            rc = walk_folder(walk, bt_value_str(level.folders.items[i]), depth + 1);
        bt_value_unref(level.folders.items[i]);
    }
    bt_vec_done(&level.folders);
    return rc;
}

int space_walk(struct space_walk *walk)
{
    return walk_folder(walk, BT_STR_NONE, 0);
}

struct searching {
    struct values values;
    struct bt_str text;
};

static int keep_path(void *data, struct bt_str path)
{
    struct searching *searching = data;
    if (bt_str_find(path, searching->text, 0) < 0)
        return BT_OK;
    struct bt_value *value = bt_value_string(path);
    if (!value)
        return BT_NO_MEM;
    bt_vec_push(&searching->values.items, value);
    return BT_OK;
}

static int by_text(const void *a, const void *b)
{
    const struct bt_value *const *one = a, *const *two = b;
    return bt_str_cmp(bt_value_str(*one), bt_value_str(*two));
}

int bt_service_space_search(struct bt_service *service, const struct bt_principal *principal,
                            const struct bt_space_file *part, struct bt_value **ret_paths,
                            struct bt_err *err)
{
    struct searching searching = {.text = part->path};
    struct space_walk walk = {.service = service,
                              .principal = principal,
                              .namespace = part->namespace,
                              .each = keep_path,
                              .data = &searching,
                              .err = err};
    int rc = space_walk(&walk);
    *ret_paths = sorted(&searching.values, by_text);
    if (rc == BT_OK && !*ret_paths)
        rc = bt_fail_mem(err, "files");
    if (rc < 0)
        *ret_paths = bt_value_unref(*ret_paths);
    return rc;
}

int bt_service_space_open(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_space_file *file, int *ret_fd, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    BT_TRY(space_uri(file, false, &uri, err));
    return bt_files_open(service->files, principal->tenant, bt_buf_str(&uri), ret_fd, err);
}

/* --- Changing --------------------------------------------------------------------------------- */

static int need_path(struct bt_str path, struct bt_err *err)
{
    return bare(path).len
               ? BT_OK
               : bt_fail(err, BT_INVALID, "Illegal argument: the path of a file is empty");
}

int bt_service_space_put(struct bt_service *service, const struct bt_principal *principal,
                         const struct bt_space_file *file, int fd, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    BT_TRY(need_path(file->path, err));
    BT_TRY(space_uri(file, false, &uri, err));
    return bt_files_put_fd(service->files, principal->tenant, bt_buf_str(&uri), fd, err);
}

int bt_service_space_make_folder(struct bt_service *service, const struct bt_principal *principal,
                                 const struct bt_space_file *folder, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    BT_TRY(need_path(folder->path, err));
    BT_TRY(space_uri(folder, true, &uri, err));
    return bt_files_make_folder(service->files, principal->tenant, bt_buf_str(&uri), err);
}

int bt_service_space_move(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_space_file *from, struct bt_str to, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192), target = BT_BUF_INIT(8192);
    BT_TRY(need_path(from->path, err));
    BT_TRY(need_path(to, err));
    BT_TRY(space_uri(from, false, &uri, err));
    BT_TRY(space_uri(&(struct bt_space_file){from->namespace, to}, false, &target, err));
    return bt_files_move(service->files, principal->tenant,
                         &(struct bt_file_move){bt_buf_str(&uri), bt_buf_str(&target)}, err);
}

/* Folders above a path that nothing is left in. */
static void drop_empty_above(struct bt_service *service, const struct bt_principal *principal,
                             const struct bt_space_file *file)
{
    struct bt_space_file above = {file->namespace, bare(file->path)};
    for (;;) {
        BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
        while (above.path.len && above.path.at[above.path.len - 1] != '/')
            above.path.len--;
        above.path = bare(above.path);
        if (!above.path.len || space_uri(&above, true, &uri, NULL) < 0 ||
            !bt_files_drop_empty(service->files, principal->tenant, bt_buf_str(&uri)))
            return;
    }
}

int bt_service_space_delete(struct bt_service *service, const struct bt_principal *principal,
                            const struct bt_space_file *file, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192), folder = BT_BUF_INIT(8192);
    struct bt_file_info info;
    BT_TRY(space_uri(file, false, &uri, err));
    BT_TRY(space_uri(file, true, &folder, err));
    int rc = bt_files_stat(service->files, principal->tenant, bt_buf_str(&uri), &info, err);
    if (rc == BT_NOT_FOUND)
        return BT_OK;
    BT_TRY(rc);
    BT_TRY(info.is_folder
               ? bt_files_delete_tree(service->files, principal->tenant, bt_buf_str(&folder), err)
               : bt_files_delete(service->files, principal->tenant, bt_buf_str(&uri), err));
    drop_empty_above(service, principal, file);
    return BT_OK;
}
