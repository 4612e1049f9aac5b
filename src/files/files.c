/* files.c — URIs of the internal storage. The one place that decides which paths are allowed. */
#include "files/backend.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/utf8.h"

static const struct bt_str schemes[] = {{"baton:///", 9}, {"kestra:///", 10}};

static size_t scheme_len(struct bt_str text)
{
    for (size_t i = 0; i < BT_COUNT(schemes); i++) {
        if (bt_str_starts(text, schemes[i]))
            return schemes[i].len;
    }
    return 0;
}

bool bt_files_is_uri(struct bt_str text)
{
    return scheme_len(text) > 0;
}

int bt_files_uri(struct bt_str path, struct bt_buf *out)
{
    BT_TRY(bt_buf_add(out, schemes[0]));
    return bt_buf_add(out, path);
}

int bt_files_add_escaped(struct bt_str path, struct bt_buf *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._+~=/";
    bool is_text = bt_utf8_is_valid(path, NULL);
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.at[i];
        bool is_plain = c >= 0x80 ? is_text : c && strchr(plain, c);
        BT_TRY(is_plain ? bt_buf_addc(out, path.at[i]) : bt_buf_addf(out, "%%%02X", c));
    }
    return BT_OK;
}

int bt_files_unescape(struct bt_str name, struct bt_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < name.len; i++) {
        const char *high = i + 2 < name.len && name.at[i] == '%' && name.at[i + 1]
                               ? strchr(digits, name.at[i + 1])
                               : NULL;
        const char *low = high && name.at[i + 2] ? strchr(digits, name.at[i + 2]) : NULL;
        if (low) {
            BT_TRY(bt_buf_addc(out, (char)((high - digits) * 16 + (low - digits))));
            i += 2;
        } else {
            BT_TRY(bt_buf_addc(out, name.at[i]));
        }
    }
    return BT_OK;
}

static bool is_segment_ok(struct bt_str segment)
{
    if (segment.len == 0 || bt_str_is(segment, ".") || bt_str_is(segment, ".."))
        return false;
    for (size_t i = 0; i < segment.len; i++) {
        if ((unsigned char)segment.at[i] < 0x20 || segment.at[i] == 0x7F)
            return false;
    }
    return true;
}

int bt_files_path(struct bt_str uri, struct bt_str *ret_path, struct bt_err *err)
{
    size_t skip = scheme_len(uri);
    if (skip == 0)
        return bt_fail(err, BT_INVALID, "'%.*s' is not a URI of the internal storage", BT_FMT(uri));
    struct bt_str path = bt_str_slice(uri, skip, uri.len);
    if (path.len > BT_PATH_BYTES_MAX)
        return bt_fail(err, BT_LIMIT, "a path of the internal storage has at most %u bytes",
                       BT_PATH_BYTES_MAX);
    for (size_t at = 0; at <= path.len;) {
        const char *slash = at < path.len ? memchr(path.at + at, '/', path.len - at) : NULL;
        size_t end = slash ? (size_t)(slash - path.at) : path.len;
        bool is_last_empty = at == path.len && at > 0; /* "a/b/": the name of a directory. */
        if (!is_last_empty && !is_segment_ok(bt_str_slice(path, at, end)))
            return bt_fail(err, BT_INVALID, "'%.*s': not a path of the internal storage",
                           BT_FMT(uri));
        at = end + 1;
    }
    *ret_path = path;
    return BT_OK;
}

/* --- To the backend -----------------------------------------------------------------------------
 */

struct bt_files *bt_files_close(struct bt_files *files)
{
    if (files)
        files->ops->close(files);
    return NULL;
}

int bt_files_create(struct bt_files *files, const char *tenant, struct bt_str uri,
                    struct bt_file_writer **ret_writer, struct bt_err *err)
{
    return files->ops->create(files, tenant, uri, ret_writer, err);
}

int bt_file_write(struct bt_file_writer *writer, const void *at, size_t len, struct bt_err *err)
{
    return writer->files->ops->write(writer, at, len, err);
}

int bt_file_commit(struct bt_file_writer *writer, struct bt_err *err)
{
    return writer->files->ops->commit(writer, err);
}

struct bt_file_writer *bt_file_abort(struct bt_file_writer *writer)
{
    if (writer)
        writer->files->ops->abort(writer);
    return NULL;
}

int bt_files_put_fd(struct bt_files *files, const char *tenant, struct bt_str uri, int fd,
                    struct bt_err *err)
{
    return files->ops->put_fd(files, tenant, uri, fd, err);
}

int bt_files_open(struct bt_files *files, const char *tenant, struct bt_str uri, int *ret_fd,
                  struct bt_err *err)
{
    return files->ops->open(files, tenant, uri, ret_fd, err);
}

int bt_files_size(struct bt_files *files, const char *tenant, struct bt_str uri,
                  int64_t *ret_size_bytes, struct bt_err *err)
{
    return files->ops->size(files, tenant, uri, ret_size_bytes, err);
}

int bt_files_delete(struct bt_files *files, const char *tenant, struct bt_str uri,
                    struct bt_err *err)
{
    return files->ops->remove(files, tenant, uri, err);
}

int bt_files_delete_tree(struct bt_files *files, const char *tenant, struct bt_str uri,
                         struct bt_err *err)
{
    return files->ops->remove_tree(files, tenant, uri, err);
}

static _Thread_local const _Atomic bool *watched;

void bt_files_watch(const _Atomic bool *is_over)
{
    watched = is_over;
}

int bt_files_go_on(struct bt_err *err)
{
    return watched && *watched ? bt_fail(err, BT_ABORTED, "the transfer was given up") : BT_OK;
}

/* --- Folders ------------------------------------------------------------------------------------
 */

static int no_folders(struct bt_err *err)
{
    return bt_fail(err, BT_UNAVAILABLE, "folders are not available over this storage");
}

int bt_files_stat(struct bt_files *files, const char *tenant, struct bt_str uri,
                  struct bt_file_info *ret_info, struct bt_err *err)
{
    return files->ops->stat ? files->ops->stat(files, tenant, uri, ret_info, err) : no_folders(err);
}

int bt_files_list(struct bt_files *files, const char *tenant, struct bt_str uri,
                  const struct bt_folder_sink *sink, struct bt_err *err)
{
    return files->ops->list ? files->ops->list(files, tenant, uri, sink, err) : no_folders(err);
}

int bt_files_make_folder(struct bt_files *files, const char *tenant, struct bt_str uri,
                         struct bt_err *err)
{
    return files->ops->make_folder ? files->ops->make_folder(files, tenant, uri, err)
                                   : no_folders(err);
}

int bt_files_move(struct bt_files *files, const char *tenant, const struct bt_file_move *move,
                  struct bt_err *err)
{
    return files->ops->move ? files->ops->move(files, tenant, move, err) : no_folders(err);
}

bool bt_files_drop_empty(struct bt_files *files, const char *tenant, struct bt_str uri)
{
    return files->ops->drop_empty && files->ops->drop_empty(files, tenant, uri);
}
