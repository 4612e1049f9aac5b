/* space_files.c — The routes of a namespace's files: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/router.h"
#include "service/space_files.h"
#include "sys/fs.h"

#include <sys/stat.h>

/* The namespace as a terminated text. */
static int space_of(struct bt_request *request, const char **ret_namespace, struct bt_err *err)
{
    *ret_namespace = bt_arena_dup(&request->arena, request->params[0]);
    return *ret_namespace ? BT_OK : bt_fail_mem(err, "request");
}

/* The file that the query names; `needs_path`: it must. */
static int file_of(struct bt_request *request, bool needs_path, struct bt_space_file *ret_file,
                   struct bt_err *err)
{
    BT_TRY(space_of(request, &ret_file->namespace, err));
    ret_file->path = bt_query(request, "path");
    if (needs_path && !ret_file->path.at)
        return bt_fail(err, BT_INVALID, "Bad Request: the query has no path");
    return BT_OK;
}

static int search(struct bt_request *request, struct bt_err *err)
{
    struct bt_value *paths = NULL;
    struct bt_space_file part = {.path = bt_query(request, "q")};
    BT_TRY(space_of(request, &part.namespace, err));
    BT_TRY(bt_service_space_search(request->service, &request->principal, &part, &paths, err));
    return bt_respond_json(request, paths, err);
}

static int get(struct bt_request *request, struct bt_err *err)
{
    struct bt_space_file file;
    struct stat at;
    BT_FD fd = -1;
    BT_TRY(file_of(request, true, &file, err));
    BT_TRY(bt_service_space_open(request->service, &request->principal, &file, &fd, err));
    if (fstat(fd, &at) < 0)
        return bt_fail(err, BT_IO, "the file cannot be read");
    return bt_respond_file(request, "application/octet-stream", bt_fd_take(&fd),
                           (uint64_t)at.st_size);
}

static int stats(struct bt_request *request, struct bt_err *err)
{
    struct bt_space_file file;
    struct bt_value *info = NULL;
    BT_TRY(file_of(request, false, &file, err));
    BT_TRY(bt_service_space_stat(request->service, &request->principal, &file, &info, err));
    return bt_respond_json(request, info, err);
}

static int list(struct bt_request *request, struct bt_err *err)
{
    struct bt_space_file folder;
    struct bt_value *entries = NULL;
    BT_TRY(file_of(request, false, &folder, err));
    BT_TRY(bt_service_space_list(request->service, &request->principal, &folder, &entries, err));
    return bt_respond_json(request, entries, err);
}

static int make_folder(struct bt_request *request, struct bt_err *err)
{
    struct bt_space_file folder;
    BT_TRY(file_of(request, true, &folder, err));
    BT_TRY(bt_service_space_make_folder(request->service, &request->principal, &folder, err));
    return bt_respond(request, 200);
}

/* An archive is taken apart. */
static int put(struct bt_request *request, struct bt_err *err)
{
    struct bt_space_file file;
    const struct bt_part *part = bt_part(request, "fileContent");
    BT_TRY(file_of(request, true, &file, err));
    if (!part || part->fd < 0)
        return bt_fail(err, BT_INVALID, "Illegal argument: the form needs a file 'fileContent'");
    BT_TRY(bt_str_ends(part->file_name, BT_STR(".zip"))
               ? bt_service_space_unzip(request->service, &request->principal, file.namespace,
                                        part->fd, err)
               : bt_service_space_put(request->service, &request->principal, &file, part->fd, err));
    return bt_respond(request, 200);
}

static int move(struct bt_request *request, struct bt_err *err)
{
    struct bt_space_file from = {.path = bt_query(request, "from")};
    struct bt_str to = bt_query(request, "to");
    BT_TRY(space_of(request, &from.namespace, err));
    if (!from.path.at || !to.at)
        return bt_fail(err, BT_INVALID, "Bad Request: the query needs from and to");
    BT_TRY(bt_service_space_move(request->service, &request->principal, &from, to, err));
    return bt_respond(request, 200);
}

static int delete_one(struct bt_request *request, struct bt_err *err)
{
    struct bt_space_file file;
    BT_TRY(file_of(request, true, &file, err));
    BT_TRY(bt_service_space_delete(request->service, &request->principal, &file, err));
    return bt_respond(request, 200);
}

static int export(struct bt_request *request, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(1024);
    const char *namespace;
    BT_TRY(space_of(request, &namespace, err));
    BT_TRY(bt_request_scratch(request, &fd, err));
    BT_TRY(bt_service_space_zip(request->service, &request->principal, namespace, fd, err));
    (void)bt_buf_addf(&name, "%s_files.zip", namespace); /* Cut when it is longer. */
    bt_respond_attachment(request, bt_buf_str(&name));
    return bt_respond_scratch(request, "application/octet-stream", &fd, err);
}

#define PATH                                                                                       \
    {                                                                                              \
        "path", "string", "Within the namespace: /dir/a.py"                                        \
    }

static const struct bt_param path_queries[] = {PATH, {0}};
static const struct bt_param search_queries[] = {{"q", "string", "Part of the path"}, {0}};
static const struct bt_param move_queries[] = {
    {"from", "string", "Of the file or directory"},
    {"to", "string", "Where to"},
    {0},
};

#define FILES "/namespaces/{namespace}/files"

const struct bt_route bt_routes_space_files[] = {
    {BT_GET, FILES "/search", search, 0, "searchNamespaceFiles", "Files", "List paths of files",
     NULL, "Strings", search_queries},
    {BT_GET, FILES, get, 0, "getFileContent", "Files", "Download a file (takes Range)", NULL,
     "Bytes", path_queries},
    {BT_GET, FILES "/stats", stats, 0, "getFileMetadatas", "Files",
     "Get the attributes of a file or directory", NULL, "FileAttributes", path_queries},
    {BT_GET, FILES "/directory", list, 0, "listNamespaceDirectoryFiles", "Files",
     "List a directory", NULL, "FileAttributesList", path_queries},
    {BT_POST, FILES "/directory", make_folder, 0, "createNamespaceDirectory", "Files",
     "Create a directory", NULL, NULL, path_queries},
    {BT_POST, FILES, put, BT_ROUTE_FORM, "createNamespaceFile", "Files",
     "Store a file (part fileContent); a .zip is taken apart, its _flows/ become flows",
     "multipart/form-data", NULL, path_queries},
    {BT_PUT, FILES, move, 0, "moveFileDirectory", "Files", "Move a file or directory", NULL, NULL,
     move_queries},
    {BT_DELETE, FILES, delete_one, 0, "deleteFileDirectory", "Files", "Delete a file or directory",
     NULL, NULL, path_queries},
    {BT_GET, FILES "/export", export, 0, "exportNamespaceFiles", "Files",
     "Get all files and flows of a namespace as a zip archive", NULL, "Bytes", NULL},
    {0},
};
