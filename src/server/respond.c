/* respond.c — What is answered: bodies, files, and errors in the original's shape. */
#include "base/limits.h"
#include "base/num.h"
#include "server/http_int.h"
#include "server/stream.h"
#include "sys/fs.h"
#include "value/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* One table maps codes to statuses, and to the words that a message begins with. */
static const struct {
    enum bt_code code;
    int status;
    const char *words;
} statuses[] = {
    {BT_INVALID, 422, "Illegal argument"},
    {BT_NOT_FOUND, 404, "Not Found"},
    {BT_EXISTS, 422, "Illegal argument"},
    {BT_CONFLICT, 409, "Illegal state"},
    {BT_LIMIT, 413, "Content Too Large"},
    {BT_TIMEOUT, 408, "Request Timeout"},
    {BT_BUSY, 429, "Too Many Requests"},
    {BT_DENIED, 403, "Forbidden"},
    {BT_CORRUPT, 423, "Locked"},
    {BT_UNAVAILABLE, 503, "Service Unavailable"},
    {BT_ABORTED, 503, "Service Unavailable"},
    {BT_NO_MEM, 503, "Service Unavailable"},
    {BT_IO, 500, "Internal server error"},
    {BT_NEED, 500, "Internal server error"},
};

/* Messages that already begin with the original's words stay as they are. */
static const char *const own_words[] = {
    "Invalid entity: ",   "Invalid json: ",  "Invalid format: ",
    "Invalid type: ",     "Bad Request",     "Resource has expired",
    "Illegal argument: ", "Illegal state: ", "Unsupported Media Type"};

int bt_respond(struct bt_request *request, int status)
{
    request->response.status = status;
    return BT_OK;
}

int bt_respond_text(struct bt_request *request, const char *type, struct bt_err *err)
{
    if (bt_buf_check(&request->response.body, "the answer", err) < 0)
        return err ? (int)err->code : BT_NO_MEM;
    request->response.type = type;
    return bt_respond(request, 200);
}

int bt_respond_json(struct bt_request *request, struct bt_value *value, struct bt_err *err)
{
    int rc = value ? bt_json_write(value, BT_JSON_DROP_NULLS, &request->response.body, err)
                   : bt_fail_mem(err, "the answer");
    bt_value_unref(value);
    return rc < 0 ? rc : bt_respond_text(request, "application/json", err);
}

int bt_respond_page(struct bt_request *request, struct bt_value *results, int64_t total,
                    struct bt_err *err)
{
    BT_VALUE page = bt_map_new(2);
    if (bt_map_puts(page, "results", results) < 0 ||
        bt_map_puts(page, "total", bt_value_int(total)) < 0)
        return bt_fail_mem(err, "the answer");
    return bt_respond_json(request, BT_TAKE(page), err);
}

/* "bytes=FROM-TO", "bytes=FROM-" or "bytes=-LAST": one range. False: none, or one to be ignored. */
static bool read_range(struct bt_str text, uint64_t size, uint64_t *ret_from, uint64_t *ret_to)
{
    ptrdiff_t dash = bt_str_find(text, BT_STR("-"), 0);
    int64_t from = -1, to = -1;
    if (!bt_str_starts(text, BT_STR("bytes=")) || dash < 0 ||
        bt_str_find(text, BT_STR(","), 0) >= 0)
        return false;
    struct bt_str first = bt_str_slice(text, 6, (size_t)dash);
    struct bt_str last = bt_str_slice(text, (size_t)dash + 1, text.len);
    if ((first.len && !bt_parse_i64(first, &from)) || (last.len && !bt_parse_i64(last, &to)) ||
        (!first.len && !last.len) || (first.len && last.len && from > to) ||
        bt_str_find(last, BT_STR("-"), 0) >= 0)
        return false;
    if (from < 0) { /* The last bytes. */
        *ret_from = (uint64_t)to < size ? size - (uint64_t)to : 0;
        *ret_to = to ? size : 0;
    } else {
        *ret_from = (uint64_t)from;
        *ret_to = to < 0 || (uint64_t)to >= size ? size : (uint64_t)to + 1;
    }
    return true;
}

int bt_respond_file(struct bt_request *request, const char *type, int fd, uint64_t size_bytes)
{
    struct bt_response *response = &request->response;
    uint64_t from = 0, to = size_bytes;
    response->type = type;
    response->fd = fd;
    bool is_part = !bt_header(request, "If-Range").at &&
                   read_range(bt_header(request, "Range"), size_bytes, &from, &to);
    bt_respond_header(request, "Accept-Ranges", "bytes");
    if (is_part && from >= to) {
        (void)close(fd);
        response->fd = -1;
        bt_respond_header(request, "Content-Range", "bytes */%llu", (unsigned long long)size_bytes);
        return bt_respond_error(request, 416, BT_STR("Range Not Satisfiable"), NULL);
    }
    response->fd_from = from;
    response->fd_size_bytes = to - from;
    if (is_part)
        bt_respond_header(request, "Content-Range", "bytes %llu-%llu/%llu",
                          (unsigned long long)from, (unsigned long long)to - 1,
                          (unsigned long long)size_bytes);
    return bt_respond(request, is_part ? 206 : 200);
}

int bt_request_scratch(struct bt_request *request, int *ret_fd, struct bt_err *err)
{
    *ret_fd = open(request->server->config.upload_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return *ret_fd < 0 ? bt_fail_errno(err, BT_IO, errno, "a temporary file cannot be made")
                       : BT_OK;
}

int bt_respond_scratch(struct bt_request *request, const char *type, int *fd, struct bt_err *err)
{
    struct stat at;
    if (fstat(*fd, &at) < 0)
        return bt_fail_errno(err, BT_IO, errno, "a temporary file cannot be read");
    return bt_respond_file(request, type, bt_fd_take(fd), (uint64_t)at.st_size);
}

/* A name for every browser: plain where it is, else as RFC 5987 has it. */
void bt_respond_attachment(struct bt_request *request, struct bt_str name)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf plain = BT_BUF_INIT(300), full = BT_BUF_INIT(800);
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (size_t i = 0; i < name.len && i < 200; i++) { /* Cut when it is longer. */
        unsigned char c = (unsigned char)name.at[i];
        bool is_safe = c && strchr(safe, c);
        (void)bt_buf_addc(&plain, is_safe ? (char)c : '_');
        if (is_safe)
            (void)bt_buf_addc(&full, (char)c);
        else
            (void)bt_buf_addf(&full, "%%%02X", c);
    }
    bool is_plain = bt_str_eq(bt_buf_str(&plain), bt_str_slice(name, 0, 200));
    bt_respond_header(request, "Content-Disposition",
                      is_plain ? "attachment; filename=\"%.*s\""
                               : "attachment; filename=\"%.*s\"; filename*=UTF-8''%.*s",
                      BT_FMT(bt_buf_str(&plain)), BT_FMT(bt_buf_str(&full)));
}

void bt_respond_header_text(struct bt_request *request, const char *name, struct bt_str value)
{
    struct bt_response *response = &request->response;
    if (value.at && response->header_count < BT_COUNT(response->headers)) {
        response->headers[response->header_count].name = name;
        response->headers[response->header_count++].value = value;
    }
}

void bt_respond_header(struct bt_request *request, const char *name, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* Cut when too long. */
    va_end(args);
    bt_respond_header_text(request, name, bt_arena_str(&request->arena, bt_str_of(text)));
}

static struct bt_value *self_link(struct bt_str uri)
{
    static const char *const empties[] = {"profile",  "deprecation", "title",
                                          "hreflang", "type",        "name"};
    BT_VALUE self = bt_map_new(8);
    int rc = bt_map_puts(self, "href", bt_value_string(uri));
    rc |= bt_map_puts(self, "templated", bt_value_bool(false));
    for (size_t i = 0; i < BT_COUNT(empties); i++)
        rc |= bt_map_puts(self, empties[i], bt_value_null());
    BT_VALUE links = bt_map_new(1);
    rc |= bt_map_puts(links, "self", BT_TAKE(self));
    return rc == BT_OK ? BT_TAKE(links) : NULL;
}

int bt_respond_error(struct bt_request *request, int status, struct bt_str message,
                     struct bt_value *errors)
{
    BT_VALUE body = bt_map_new(5);
    BT_VALUE embedded = bt_map_new(1);
    int rc = BT_OK;
    if (errors)
        rc |= bt_map_puts(embedded, "errors", errors);
    rc |= bt_map_puts(body, "message", bt_value_string(message));
    rc |= bt_map_puts(body, "logref", bt_value_null());
    rc |= bt_map_puts(body, "path", bt_value_null());
    rc |= bt_map_puts(body, "_links", self_link(request->uri));
    rc |= bt_map_puts(body, "_embedded", BT_TAKE(embedded));
    bt_buf_clear(&request->response.body);
    if (rc != BT_OK || bt_json_write(body, BT_JSON_COMPACT, &request->response.body, NULL) < 0)
        bt_buf_clear(&request->response.body); /* The status must do. */
    request->response.type = "application/json";
    return bt_respond(request, status);
}

int bt_respond_failure(struct bt_request *request, const struct bt_err *err)
{
    const char *words = "Internal server error";
    int status = 500;
    for (size_t i = 0; i < BT_COUNT(statuses); i++) {
        if (statuses[i].code == err->code) {
            status = statuses[i].status;
            words = statuses[i].words;
        }
    }
    struct bt_str msg = bt_str_of(err->msg);
    bool has_words = false;
    for (size_t i = 0; i < BT_COUNT(own_words); i++)
        has_words |= bt_str_starts(msg, bt_str_of(own_words[i]));
    if (bt_str_starts(msg, BT_STR("Resource has expired")))
        status = 410;
    if (bt_str_starts(msg, BT_STR("Bad Request")))
        status = 400;
    if (bt_str_starts(msg, BT_STR("Unsupported Media Type")))
        status = 415;
    if (status == 429)
        bt_respond_header(request, "Retry-After", "1");
    char text[1400];
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", has_words ? "" : words,
                   has_words || !msg.len ? "" : ": ", err->msg, err->hint[0] ? "; " : "",
                   err->hint);
    return bt_respond_error(request, status, bt_str_of(text), NULL);
}

/* --- Sending ---------------------------------------------------------------------------------- */

/* The response takes what is given: no byte is copied. */
static struct MHD_Response *make_response(struct bt_response *response)
{
    struct MHD_Response *made;
    if (response->stream)
        return bt_stream_response(BT_TAKE(response->stream));
    if (response->fd >= 0) {
        made = bt_mhd.create_response_from_fd_at_offset64(response->fd_size_bytes, response->fd,
                                                          response->fd_from);
        if (made)
            response->fd = -1;
        return made;
    }
    if (response->constant.at)
        return bt_mhd.create_response_from_buffer(response->constant.len,
                                                  (void *)(uintptr_t)response->constant.at,
                                                  MHD_RESPMEM_PERSISTENT);
    if (!response->body.at)
        return bt_mhd.create_response_from_buffer(0, (void *)(uintptr_t) "",
                                                  MHD_RESPMEM_PERSISTENT);
    made = bt_mhd.create_response_from_buffer(response->body.len, response->body.at,
                                              MHD_RESPMEM_MUST_FREE);
    if (made)
        response->body = (struct bt_buf)BT_BUF_INIT(0); /* The library frees it. */
    return made;
}

static void count(struct exchange *exchange, int64_t took_us)
{
    struct bt_server *server = exchange->server;
    size_t index =
        exchange->request.route ? exchange->route_index : bt_router_count(server->router);
    int class = exchange->request.response.status / 100;
    atomic_fetch_add(&server->stats[index].count[class >= 0 && class < 6 ? class : 5], 1);
    atomic_fetch_add(&server->stats[index].sum_us, (uint64_t)took_us);
}

enum MHD_Result respond_send(struct exchange *exchange)
{
    struct bt_response *response = &exchange->request.response;
    struct MHD_Response *made = make_response(response);
    if (!made)
        return MHD_NO;
    bool ok = true;
    if (response->type)
        ok &= bt_mhd.add_response_header(made, "Content-Type", response->type) == MHD_YES;
    ok &= bt_mhd.add_response_header(made, "X-Content-Type-Options", "nosniff") == MHD_YES;
    for (size_t i = 0; i < response->header_count; i++)
        ok &= bt_mhd.add_response_header(made, response->headers[i].name,
                                         response->headers[i].value.at) == MHD_YES;
    if (ok)
        ok = bt_mhd.queue_response(exchange->connection, (unsigned)response->status, made) ==
             MHD_YES;
    bt_mhd.destroy_response(made);
    count(exchange, bt_clock_mono_us(bt_clock_system()) - exchange->began_us);
    exchange->phase = BT_PHASE_SENT;
    return ok ? MHD_YES : MHD_NO;
}
