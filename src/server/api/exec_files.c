/* exec_files.c — The routes of an execution's files: translation only. */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "server/router.h"
#include "service/exec_file.h"
#include "sys/fs.h"

/* Appends a text as a part of an address. */
static void add_escaped(struct bt_str text, struct bt_buf *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c && strchr(plain, c)) /* Failures are sticky: the caller checks. */
            (void)bt_buf_addc(out, (char)c);
        else
            (void)bt_buf_addf(out, "%%%02X", c);
    }
}

/* The same call on the execution that the file belongs to. */
static int redirect(struct bt_request *request, const struct bt_exec_file *file, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf to = BT_BUF_INIT(16384);
    ptrdiff_t at = bt_str_find(request->uri, request->params[0], 0);
    ptrdiff_t query = bt_str_find(request->uri, BT_STR("?"), 0);
    if (at < 0 || query < at)
        return bt_fail(err, BT_INVALID, "the file belongs to the execution '%.*s'",
                       BT_FMT(file->owner));
    (void)bt_buf_add(&to, bt_str_slice(request->uri, 0, (size_t)at)); /* Checked below. */
    (void)bt_buf_add(&to, file->owner);
    (void)bt_buf_add(
        &to, bt_str_slice(request->uri, (size_t)at + request->params[0].len, (size_t)query));
    for (size_t i = 0; i < request->query_count; i++) {
        (void)bt_buf_addc(&to, i ? '&' : '?');
        add_escaped(request->queries[i].name, &to);
        (void)bt_buf_addc(&to, '=');
        add_escaped(request->queries[i].value, &to);
    }
    struct bt_str text = bt_arena_str(&request->arena, bt_buf_str(&to));
    if (to.failed || !text.at)
        return bt_fail_mem(err, "the answer");
    bt_respond_header_text(request, "Location", text);
    return bt_respond(request, 301);
}

/* *ret_is_done: answered already. */
static int find(struct bt_request *request, struct bt_exec_file *file, bool *ret_is_done,
                struct bt_err *err)
{
    *file = (struct bt_exec_file){.exec_id = request->params[0], .uri = bt_query(request, "path")};
    *ret_is_done = false;
    if (!file->uri.len)
        return bt_fail(err, BT_INVALID, "Bad Request: the query has no path");
    BT_TRY(bt_service_exec_file(request->service, &request->principal, file, err));
    *ret_is_done = !bt_str_eq(file->owner, request->params[0]);
    return *ret_is_done ? redirect(request, file, err) : BT_OK;
}

static int download(struct bt_request *request, struct bt_err *err)
{
    struct bt_exec_file file;
    bool is_done = false;
    int64_t size;
    int fd = -1;
    const char *tenant = request->principal.tenant;
    BT_TRY(find(request, &file, &is_done, err));
    if (is_done)
        return BT_OK;
    BT_TRY(bt_files_size(request->service->files, tenant, file.uri, &size, err));
    BT_TRY(bt_files_open(request->service->files, tenant, file.uri, &fd, err));
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(4096);
    (void)bt_files_unescape(file.name, &name); /* Cut when it is longer. */
    bt_respond_attachment(request, bt_buf_str(&name));
    return bt_respond_file(request, "application/octet-stream", fd, (uint64_t)size);
}

static int metas(struct bt_request *request, struct bt_err *err)
{
    struct bt_exec_file file;
    bool is_done = false;
    int64_t size;
    BT_TRY(find(request, &file, &is_done, err));
    if (is_done)
        return BT_OK;
    BT_TRY(bt_files_size(request->service->files, request->principal.tenant, file.uri, &size, err));
    (void)bt_buf_addf(&request->response.body, "{\"size\":%lld}", (long long)size);
    return bt_respond_text(request, "application/json", err);
}

static int preview(struct bt_request *request, struct bt_err *err)
{
    struct bt_exec_file file;
    struct bt_value *answer = NULL;
    int64_t rows;
    bool is_done = false;
    BT_TRY(bt_query_int(request, "maxRows", BT_PREVIEW_ROWS, &rows, err));
    if (rows < 1)
        return bt_fail(err, BT_INVALID, "Illegal argument: maxRows must be at least 1");
    BT_TRY(find(request, &file, &is_done, err));
    if (is_done)
        return BT_OK;
    struct bt_preview_request wanted = {.uri = file.uri,
                                        .encoding = bt_query(request, "encoding"),
                                        .rows_max = rows > BT_PREVIEW_ROWS_MAX ? BT_PREVIEW_ROWS_MAX
                                                                               : (uint32_t)rows};
    BT_TRY(bt_service_preview(request->service, &request->principal, &wanted, &answer, err));
    return bt_respond_json(request, answer, err);
}

#define PATH                                                                                       \
    {                                                                                              \
        "path", "string", "URI of the file"                                                        \
    }

static const struct bt_param path_queries[] = {PATH, {0}};
static const struct bt_param preview_queries[] = {
    PATH,
    {"maxRows", "integer", "Lines or rows at most"},
    {"encoding", "string", "Of a text: UTF-8, ISO-8859-1 …"},
    {0},
};

const struct bt_route bt_routes_exec_files[] = {
    {BT_GET, "/executions/{executionId}/file", download, 0, "downloadFileFromExecution",
     "Executions", "Download a file of an execution (takes Range)", NULL, "Bytes", path_queries},
    {BT_GET, "/executions/{executionId}/file/metas", metas, 0, "getFileMetadatasFromExecution",
     "Executions", "Get the size of a file", NULL, "FileMetas", path_queries},
    {BT_GET, "/executions/{executionId}/file/preview", preview, 0, "previewFileFromExecution",
     "Executions", "See the beginning of a file", NULL, "FilePreview", preview_queries},
    {0},
};
