/* headers.c — Headers of the request and of the response. */
#include "http_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- Of the request --------------------------------------------------------------------------- */

static bool is_token(struct bt_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c <= ' ' || c >= 127 || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return text.len > 0;
}

static bool is_named(struct bt_text name, const char *want)
{
    return strlen(want) == name.len && strncasecmp(name.at, want, name.len) == 0;
}

static bool append(struct http_call *call, const char *line)
{
    struct curl_slist *list = curl_slist_append(call->headers, line);
    call->headers = list ? list : call->headers;
    return list != NULL;
}

static int add_one(struct http_call *call, struct bt_text name, struct bt_text json)
{
    struct bytes line = {.max = HTTP_HEADER_BYTES_MAX};
    bytes_add(&line, name.at, name.len);
    bytes_add(&line, ": ", 2);
    size_t from = line.len;
    bytes_add_unquoted(&line, json);
    int rc = BT_PLUGIN_OK;
    if (line.is_failed)
        rc = HTTP_FAIL(call, "headers: '%s' is larger than %d bytes", name.at,
                       HTTP_HEADER_BYTES_MAX);
    else if (strlen(line.at) != line.len || strpbrk(line.at, "\r\n"))
        rc = HTTP_FAIL(call, "headers: the value of '%s' has a line break in it", name.at);
    if (rc == BT_PLUGIN_OK && line.len == from) /* libcurl's way to say "empty". */
        memcpy(line.at + name.len, ";", 2);
    if (rc == BT_PLUGIN_OK && !append(call, line.at))
        rc = HTTP_FAIL(call, "out of memory");
    bytes_done(&line);
    return rc;
}

/* A value, or a list of values. */
static int add_entry(struct http_call *call, struct bt_text name, struct bt_text json)
{
    struct bytes path = {.max = HTTP_HEADER_BYTES_MAX};
    int rc = BT_PLUGIN_OK;
    if (json.len == 0 || strcmp(json.at, "null") == 0)
        return BT_PLUGIN_OK;
    if (json.at[0] != '[')
        return add_one(call, name, json);
    if (!bytes_adds(&path, "headers.") || !bytes_add(&path, name.at, name.len))
        rc = HTTP_FAIL(call, "out of memory");
    struct bt_text item;
    for (size_t i = 0; rc == BT_PLUGIN_OK &&
                       call->host->prop_at(call->run, path.at, i, NULL, &item) == BT_PLUGIN_OK;
         i++)
        rc = add_one(call, name, item);
    bytes_done(&path);
    return rc;
}

static bool is_left_out(const struct http_call *call, struct bt_text name)
{
    if (is_named(name, "content-length"))
        return true; /* It is what the body says. */
    if (is_named(name, "content-type"))
        return call->is_bodiless || call->body_kind == HTTP_BODY_MULTIPART;
    return call->is_foreign && (is_named(name, "authorization") || is_named(name, "cookie") ||
                                is_named(name, "proxy-authorization"));
}

static const char *default_content_type(const struct http_call *call)
{
    switch (call->body_kind) {
    case HTTP_BODY_NONE:
    case HTTP_BODY_MULTIPART: return NULL; /* libcurl sets the latter with its boundary. */
    case HTTP_BODY_FORM: return "application/x-www-form-urlencoded";
    case HTTP_BODY_FILE:
        return call->opt.content_type ? call->opt.content_type : "application/octet-stream";
    case HTTP_BODY_TEXT:
        return call->opt.content_type ? call->opt.content_type : "application/json";
    }
    return NULL;
}

static int add_content_type(struct http_call *call)
{
    const char *type = call->is_bodiless ? NULL : default_content_type(call);
    return type ? add_one(call, text_of("Content-Type"), text_of(type)) : BT_PLUGIN_OK;
}

int http_headers_set(struct http_call *call)
{
    struct bt_text name, json;
    bool has_type = false, has_expect = false;
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    for (size_t i = 0; call->host->prop_at(call->run, "headers", i, &name, &json) == BT_PLUGIN_OK;
         i++) {
        if (!is_token(name))
            return HTTP_FAIL(call, "headers: '%.100s' is no name of a header", name.at);
        if (is_left_out(call, name))
            continue;
        int rc = add_entry(call, name, json);
        if (rc != BT_PLUGIN_OK)
            return rc;
        has_type |= is_named(name, "content-type");
        has_expect |= is_named(name, "expect");
    }
    if (!has_type) {
        int rc = add_content_type(call);
        if (rc != BT_PLUGIN_OK)
            return rc;
    }
    if (!has_expect && !append(call, "Expect:")) /* Do not wait for "100 Continue". */
        return HTTP_FAIL(call, "out of memory");
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    return BT_PLUGIN_OK;
}

/* --- Of the response -------------------------------------------------------------------------- */

static void forget_headers(struct http_response *response)
{
    for (size_t i = 0; i < response->header_count; i++) {
        free(response->headers[i].name);
        free(response->headers[i].value);
    }
    response->header_count = response->header_bytes = 0;
}

void http_response_reset(struct http_call *call)
{
    struct http_response *response = &call->response;
    forget_headers(response);
    bytes_clear(&response->body);
    if (response->writer)
        call->host->file_abort(response->writer);
    response->writer = NULL;
    response->code = 0;
    response->sink = HTTP_SINK_UNDECIDED;
    response->length = 0;
    response->is_cut = false;
    response->io_code = 0;
}

static char *copy(const char *at, size_t len)
{
    char *text = malloc(len + 1);
    if (text) {
        memcpy(text, at, len);
        text[len] = '\0';
    }
    return text;
}

static bool keep_header(struct http_response *response, const char *at, size_t len)
{
    const char *colon = memchr(at, ':', len);
    if (!colon)
        return true;
    const char *from = colon + 1, *end = at + len;
    while (from < end && strchr(" \t", *from))
        from++;
    while (end > from && strchr(" \t\r\n", end[-1]))
        end--;
    response->header_bytes += len;
    if (response->header_count == HTTP_HEADERS_MAX ||
        response->header_bytes > HTTP_HEADER_BYTES_MAX)
        return false;
    struct http_header *header = &response->headers[response->header_count++];
    header->name = copy(at, (size_t)(colon - at));
    header->value = copy(from, (size_t)(end - from));
    if (header->name && header->value)
        return true;
    free(header->name);
    free(header->value);
    response->header_count--;
    return false;
}

size_t http_on_header(char *at, size_t size, size_t count, void *data)
{
    struct http_call *call = data;
    size_t len = size * count;
    call->activity++;
    if (len >= 5 && memcmp(at, "HTTP/", 5) == 0)
        forget_headers(&call->response); /* What came was "100 Continue" or a 401 to answer. */
    else if (!keep_header(&call->response, at, len))
        return 0;
    return len;
}

const char *http_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

static bool is_first(const struct http_response *response, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcasecmp(response->headers[i].name, response->headers[index].name) == 0)
            return false;
    return true;
}

/* Bytes that are no UTF-8 are Latin-1, as HTTP once said. */
static void add_header_text(struct bytes *out, const char *text)
{
    struct bytes latin = {.max = 2 * HTTP_HEADER_BYTES_MAX};
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at < 0x80)
            bytes_add(&latin, at, 1);
        else
            bytes_add(&latin, (const char[]){(char)(0xC0 | *at >> 6), (char)(0x80 | (*at & 0x3F))},
                      2);
    bool is_utf8 = http_is_utf8(text_of(text));
    bytes_add_json(out, is_utf8 ? text_of(text) : bytes_text(&latin));
    bytes_done(&latin);
}

bool http_headers_json(const struct http_response *response, struct bytes *out)
{
    bytes_add(out, "{", 1);
    for (size_t i = 0; i < response->header_count; i++) {
        const char *name = response->headers[i].name;
        if (!is_first(response, i))
            continue;
        bytes_adds(out, i > 0 ? "," : "");
        add_header_text(out, name);
        bytes_adds(out, ":[");
        for (size_t j = i; j < response->header_count; j++) {
            if (strcasecmp(response->headers[j].name, name) != 0)
                continue;
            bytes_adds(out, j > i ? "," : "");
            add_header_text(out, response->headers[j].value);
        }
        bytes_add(out, "]", 1);
    }
    return bytes_add(out, "}", 1);
}
