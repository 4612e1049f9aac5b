/* request.c — What was asked: the request line taken apart, and its values for handlers. */
#include "base/limits.h"
#include "base/num.h"
#include "base/utf8.h"
#include "server/http_int.h"
#include "value/json.h"

#include <stdio.h>

/* --- Taking the request line apart ------------------------------------------------------------ */

static int hex(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* Decodes %XX (and + in a query) into `out`, which has room for text.len bytes. */
static int decode(struct bt_str text, bool is_query, char *out, size_t *ret_len, struct bt_err *err)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex(text.at[i + 1]) : -1;
            int low = i + 2 < text.len ? hex(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return bt_fail(err, BT_INVALID, "the address has a '%%' without two hex digits");
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        if (c == '\0')
            return bt_fail(err, BT_INVALID, "the address has a NUL byte");
        out[len++] = c;
    }
    if (!bt_utf8_is_valid((struct bt_str){out, len}, NULL))
        return bt_fail(err, BT_INVALID, "the address is no valid UTF-8");
    *ret_len = len;
    return BT_OK;
}

/* The segments stand behind each other in memory, with a slash between. */
static int split_path(struct bt_request *request, struct bt_str path, struct bt_str *segments,
                      size_t *ret_count, struct bt_err *err)
{
    enum { SEGMENTS_MAX = 64 };
    char *out = bt_arena_alloc(&request->arena, path.len + 1);
    size_t at = 0, count = 0;
    if (!out)
        return bt_fail_mem(err, "request");
    while (at < path.len) {
        at += path.at[at] == '/';
        size_t end = at;
        while (end < path.len && path.at[end] != '/')
            end++;
        if (end == at)
            continue;
        if (count == SEGMENTS_MAX)
            return bt_fail(err, BT_NOT_FOUND, "the path has too many parts");
        size_t len = 0;
        BT_TRY(decode(bt_str_slice(path, at, end), false, out, &len, err));
        segments[count++] = (struct bt_str){out, len};
        out[len] = '/';
        out += len + 1;
        at = end;
    }
    *ret_count = count;
    return BT_OK;
}

static int decode_pair(struct bt_request *request, struct bt_str text, struct bt_str *ret_text,
                       struct bt_err *err)
{
    char *out = bt_arena_alloc(&request->arena, text.len + 1);
    if (!out)
        return bt_fail_mem(err, "request");
    ret_text->at = out;
    return decode(text, true, out, &ret_text->len, err);
}

static int split_query(struct bt_request *request, struct bt_str query, struct bt_err *err)
{
    enum { PAIRS_MAX = 1000 };
    size_t count = query.len ? 1 : 0;
    for (size_t i = 0; i < query.len; i++)
        count += query.at[i] == '&';
    if (count > PAIRS_MAX)
        return bt_fail(err, BT_LIMIT, "the query has more than %d parameters", PAIRS_MAX);
    struct bt_pair *pairs = bt_arena_alloc(&request->arena, (count + 1) * sizeof *pairs);
    if (!pairs)
        return bt_fail_mem(err, "request");
    size_t kept = 0;
    for (size_t at = 0; at < query.len;) {
        size_t end = at, equals = query.len;
        for (; end < query.len && query.at[end] != '&'; end++)
            if (query.at[end] == '=' && equals == query.len)
                equals = end;
        if (end > at) {
            size_t name_end = equals < end ? equals : end;
            BT_TRY(decode_pair(request, bt_str_slice(query, at, name_end), &pairs[kept].name, err));
            BT_TRY(decode_pair(request, bt_str_slice(query, name_end + 1, end), &pairs[kept].value,
                               err));
            kept++;
        }
        at = end + 1;
    }
    request->queries = pairs;
    request->query_count = kept;
    return BT_OK;
}

static bool read_method(const char *text, enum bt_method *ret_method)
{
    static const char *const names[BT_METHOD_COUNT] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (int i = 0; i < BT_METHOD_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_method = (enum bt_method)i;
            return true;
        }
    }
    *ret_method = BT_GET;
    return strcmp(text, "HEAD") == 0; /* A GET whose body the library leaves out. */
}

/* Which methods the path does have. */
static void allow(struct bt_request *request, unsigned methods)
{
    static const char *const names[BT_METHOD_COUNT] = {"GET, HEAD", "POST", "PUT", "PATCH",
                                                       "DELETE"};
    char text[64] = "";
    for (unsigned i = 0; i < BT_METHOD_COUNT; i++) {
        size_t len = strlen(text);
        if (methods & 1u << i)
            (void)snprintf(text + len, sizeof text - len, "%s%s", len ? ", " : "",
                           names[i]); /* All of them fit. */
    }
    bt_respond_header(request, "Allow", "%s", text);
}

int request_parse(struct exchange *exchange, const char *method, struct bt_err *err)
{
    struct bt_request *request = &exchange->request;
    struct bt_str segments[64] = {0};
    size_t count = 0;
    struct bt_match match;
    ptrdiff_t mark = bt_str_find(request->uri, BT_STR("?"), 0);
    size_t end = mark < 0 ? request->uri.len : (size_t)mark;
    bool is_known = read_method(method, &request->method);
    request->host = bt_header(request, "Host");
    BT_TRY(split_path(request, bt_str_slice(request->uri, 0, end), segments, &count, err));
    BT_TRY(split_query(request, bt_str_slice(request->uri, end + 1, request->uri.len), err));
    bt_router_match(exchange->server->router, request->method, segments, count, &match);
    if (!match.route || !is_known) {
        if (!match.is_known_path)
            return bt_fail(err, BT_NOT_FOUND, "%s", "");
        allow(request, match.methods);
        return bt_respond_error(request, 405, BT_STR("Method Not Allowed"), NULL);
    }
    request->route = match.route;
    exchange->route_index = match.index;
    memcpy(request->params, match.params, sizeof match.params);
    return BT_OK;
}

/* --- For handlers ----------------------------------------------------------------------------- */

struct bt_str bt_header(const struct bt_request *request, const char *name)
{
    const struct exchange *exchange = (const struct exchange *)request;
    return bt_str_of(bt_mhd.lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name));
}

struct bt_str bt_query(const struct bt_request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++)
        if (bt_str_is(request->queries[i].name, name))
            return request->queries[i].value;
    return BT_STR_NONE;
}

int bt_query_int(const struct bt_request *request, const char *name, int64_t otherwise,
                 int64_t *ret_number, struct bt_err *err)
{
    struct bt_str text = bt_query(request, name);
    *ret_number = otherwise;
    if (text.len && !bt_parse_i64(text, ret_number))
        return bt_fail(err, BT_INVALID, "Invalid format: '%s' must be a whole number, not '%.*s'",
                       name, BT_FMT(text));
    return BT_OK;
}

int bt_query_bool(const struct bt_request *request, const char *name, bool otherwise, bool *ret_is,
                  struct bt_err *err)
{
    struct bt_str text = bt_query(request, name);
    *ret_is = otherwise;
    if (!text.len)
        return BT_OK;
    *ret_is = bt_str_is(text, "true");
    if (!*ret_is && !bt_str_is(text, "false"))
        return bt_fail(err, BT_INVALID, "Invalid format: '%s' must be true or false, not '%.*s'",
                       name, BT_FMT(text));
    return BT_OK;
}

static int push_items(struct bt_value *list, struct bt_str text)
{
    for (size_t at = 0; at <= text.len;) {
        ptrdiff_t comma = bt_str_find(text, BT_STR(","), at);
        size_t end = comma < 0 ? text.len : (size_t)comma;
        struct bt_str item = bt_str_trim(bt_str_slice(text, at, end));
        if (item.len)
            BT_TRY(bt_list_push(list, bt_value_string(item)));
        at = end + 1;
    }
    return BT_OK;
}

int bt_query_list(const struct bt_request *request, const char *name, struct bt_value **ret_list,
                  struct bt_err *err)
{
    BT_VALUE list = NULL;
    for (size_t i = 0; i < request->query_count; i++) {
        if (!bt_str_is(request->queries[i].name, name))
            continue;
        if (!list)
            list = bt_list_new(0);
        if (!list || push_items(list, request->queries[i].value) < 0)
            return bt_fail_mem(err, "request");
    }
    *ret_list = bt_value_count(list) ? BT_TAKE(list) : NULL;
    return BT_OK;
}

int bt_body_json(const struct bt_request *request, struct bt_value **ret_value, struct bt_err *err)
{
    int rc = bt_json_parse(bt_buf_str(&request->body), NULL, ret_value, err);
    if (rc != BT_INVALID && rc != BT_LIMIT)
        return rc;
    struct bt_err cause = *err;
    return bt_fail(err, BT_INVALID, "Invalid json: %.600s (line %u, column %u)", cause.msg,
                   cause.line, cause.col);
}
