/* url.c — The address of a request, and the name of a downloaded file. Pure text. */
#include "http_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Where "//" ends, or NULL. */
static const char *authority_of(const char *url)
{
    const char *at = strstr(url, "://");
    return at ? at + 3 : NULL;
}

void http_url_redact(const char *url, struct bytes *out)
{
    const char *host = authority_of(url);
    bytes_clear(out);
    if (host) {
        size_t len = strcspn(host, "/?#");
        const char *sign = memrchr(host, '@', len);
        bytes_add(out, url, (size_t)(host - url));
        url = sign ? sign + 1 : host;
    }
    bytes_adds(out, url);
}

/* Adds "&name=value". */
static void add_pair(struct bytes *query, struct bt_text name, struct bt_text value)
{
    if (query->len > 0)
        bytes_add(query, "&", 1);
    bytes_add_escaped(query, name, "%20");
    bytes_add(query, "=", 1);
    bytes_add_escaped(query, value, "%20");
}

/* One entry of `params`: a value, or a list of values under the same name. */
static void add_param(struct http_call *call, struct bytes *query, struct bt_text name,
                      struct bt_text json)
{
    struct bytes text = {.max = HTTP_URL_BYTES_MAX}, path = {.max = HTTP_URL_BYTES_MAX};
    if (json.len > 0 && json.at[0] == '[' && bytes_adds(&path, "params.") &&
        bytes_add(&path, name.at, name.len)) {
        struct bt_text item;
        for (size_t i = 0; call->host->prop_at(call->run, path.at, i, NULL, &item) == BT_PLUGIN_OK;
             i++) {
            bytes_clear(&text);
            bytes_add_unquoted(&text, item);
            add_pair(query, name, bytes_text(&text));
        }
    } else if (json.len > 0 && strcmp(json.at, "null") != 0) {
        bytes_add_unquoted(&text, json);
        add_pair(query, name, bytes_text(&text));
    }
    query->is_failed |= text.is_failed || path.is_failed;
    bytes_done(&text);
    bytes_done(&path);
}

/* Puts the query in front of the fragment, behind a query that is there. */
static void put_together(struct bytes *url, const char *uri, const struct bytes *query)
{
    size_t end = strcspn(uri, "#");
    while (end > 0 && strchr(" \t\r\n", uri[end - 1]))
        end--;
    const char *mark = memchr(uri, '?', end);
    for (size_t i = 0; i < end; i++)
        if (uri[i] == ' ')
            bytes_adds(url, "%20");
        else
            bytes_add(url, uri + i, 1);
    if (query->len > 0) {
        if (!mark)
            bytes_add(url, "?", 1);
        else if (url->len > 0 && !strchr("?&", url->at[url->len - 1]))
            bytes_add(url, "&", 1);
        bytes_add(url, query->at, query->len);
    }
}

int http_url_make(struct http_call *call)
{
    const char *uri = http_prop(call, "uri");
    struct bytes query = {.max = HTTP_URL_BYTES_MAX};
    struct bt_text name, json;
    if (!uri)
        return HTTP_FAIL(call, "uri is missing");
    uri += strspn(uri, " \t\r\n");
    if (strncasecmp(uri, "http://", 7) != 0 && strncasecmp(uri, "https://", 8) != 0)
        return HTTP_FAIL(call, "uri: '%.100s' does not begin with http:// or https://", uri);
    for (size_t i = 0; call->host->prop_at(call->run, "params", i, &name, &json) == BT_PLUGIN_OK;
         i++)
        add_param(call, &query, name, json);
    put_together(&call->start, uri, &query);
    bool is_failed = query.is_failed || call->start.is_failed;
    bytes_done(&query);
    http_url_redact(is_failed ? "" : call->start.at, &call->shown);
    return is_failed
               ? HTTP_FAIL(call, "uri and params are larger than %d bytes", HTTP_URL_BYTES_MAX)
               : BT_PLUGIN_OK;
}

/* Scheme, host and port as one text; false: this is no URL. */
static bool origin_of(const char *text, char *out, size_t size)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool is_one = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                  curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                  curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                  curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                  snprintf(out, size, "%s://%s:%s", scheme, host, port) < (int)size;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return is_one;
}

bool http_url_same_origin(const char *a, const char *b)
{
    char origin_a[600], origin_b[600];
    return origin_of(a, origin_a, sizeof origin_a) && origin_of(b, origin_b, sizeof origin_b) &&
           strcasecmp(origin_a, origin_b) == 0;
}

/* --- File names ------------------------------------------------------------------------------- */

/* Copies a value of Content-Disposition: in quotes or up to ';'. */
static struct bt_text value_of(const char *at)
{
    at += strspn(at, " \t");
    if (*at != '"')
        return (struct bt_text){at, strcspn(at, "; \t")};
    const char *end = strchr(at + 1, '"');
    return (struct bt_text){at + 1, end ? (size_t)(end - at - 1) : strlen(at + 1)};
}

/* The parameter of that name ("filename" or "filename*"), or {NULL}. */
static struct bt_text parameter(const char *header, const char *name)
{
    size_t len = strlen(name);
    bool is_quoted = false;
    for (const char *at = header; *at; at++) {
        is_quoted ^= *at == '"';
        if (*at != ';' || is_quoted)
            continue;
        const char *key = at + 1 + strspn(at + 1, " \t");
        if (strncasecmp(key, name, len) == 0 && key[len + strspn(key + len, " \t")] == '=')
            return value_of(key + len + strspn(key + len, " \t") + 1);
    }
    return (struct bt_text){0};
}

/* Takes percent-encoding off `filename*=UTF-8''…`. */
static void decode_extended(struct bt_text text, struct bytes *out)
{
    const char *quote = memchr(text.at, '\'', text.len);
    const char *second =
        quote ? memchr(quote + 1, '\'', text.len - (size_t)(quote + 1 - text.at)) : NULL;
    const char *from = second ? second + 1 : text.at;
    int len = 0;
    char *plain = curl_easy_unescape(NULL, from, (int)(text.len - (size_t)(from - text.at)), &len);
    if (plain)
        bytes_add(out, plain, (size_t)len);
    curl_free(plain);
}

/* The last path part, encoded, cut to what a name may have. False: nothing is left. */
static bool put_name(struct bt_text text, char name[HTTP_FILE_NAME_MAX + 1])
{
    struct bytes out = {.max = 1 << 16};
    for (size_t i = text.len; i > 0; i--)
        if (text.at[i - 1] == '/' || text.at[i - 1] == '\\') {
            text = (struct bt_text){text.at + i, text.len - i};
            break;
        }
    bytes_add_escaped(&out, text, "+");
    bool is_one = !out.is_failed && out.len > 0 && out.len <= HTTP_FILE_NAME_MAX &&
                  strspn(out.at, ".") != out.len;
    if (is_one)
        memcpy(name, out.at, out.len + 1);
    bytes_done(&out);
    return is_one;
}

static bool name_from_header(const char *header, char name[HTTP_FILE_NAME_MAX + 1])
{
    struct bt_text extended = parameter(header, "filename*");
    struct bt_text plain = parameter(header, "filename");
    struct bytes decoded = {.max = 1 << 16};
    bool is_one = false;
    if (extended.at) {
        decode_extended(extended, &decoded);
        is_one = put_name(bytes_text(&decoded), name);
    }
    if (!is_one && plain.at)
        is_one = put_name(plain, name);
    bytes_done(&decoded);
    return is_one;
}

/* "download" and the extension of the URL's path. */
static void name_from_url(const char *url, char name[HTTP_FILE_NAME_MAX + 1])
{
    const char *host = authority_of(url);
    size_t len = host ? strcspn(host, "?#") : 0;
    const char *slash = host ? memrchr(host, '/', len) : NULL;
    const char *dot = slash ? memrchr(slash, '.', len - (size_t)(slash - host)) : NULL;
    size_t size = dot ? len - (size_t)(dot - host) : 0;
    struct bytes extension = {.max = 64};
    bytes_add_escaped(&extension, (struct bt_text){dot, size}, "+");
    (void)snprintf(name, HTTP_FILE_NAME_MAX + 1, "download%s",
                   size > 1 && !extension.is_failed ? extension.at : ""); /* Fits. */
    bytes_done(&extension);
}

void http_file_name(struct http_call *call, char name[HTTP_FILE_NAME_MAX + 1])
{
    const char *asked = http_prop(call, "saveAs");
    const char *header = http_header(&call->response, "content-disposition");
    if (asked && put_name(text_of(asked), name))
        return;
    if (header && name_from_header(header, name))
        return;
    name_from_url(call->url.at, name);
}
