/* client.c — libcurl behind one call. Must never follow a redirect to another server. */
#include "net/client.h"

#include "base/limits.h"
#include "base/own.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS(X)                                                                               \
    X(easy_init)                                                                                   \
    X(easy_cleanup)                                                                                \
    X(easy_reset)                                                                                  \
    X(easy_setopt)                                                                                 \
    X(easy_perform)                                                                                \
    X(easy_getinfo)                                                                                \
    X(easy_strerror)                                                                               \
    X(slist_append)                                                                                \
    X(slist_free_all)                                                                              \
    X(mime_init)                                                                                   \
    X(mime_free)                                                                                   \
    X(mime_addpart)                                                                                \
    X(mime_name)                                                                                   \
    X(mime_data)                                                                                   \
    X(mime_filedata)

static struct {
#define X(name) __typeof__(&curl_##name) name;
    FUNCTIONS(X)
#undef X
} lib;

struct bt_client {
    CURL *easy;
    struct bt_client_config config; /* Texts borrowed. */
    char why[CURL_ERROR_SIZE];
};

static int load(struct bt_err *err)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#define X(name) {"curl_" #name, offsetof(__typeof__(lib), name)},
        FUNCTIONS(X)
#undef X
    };
    if (lib.easy_init)
        return BT_OK;
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        (void)bt_fail(err, BT_UNAVAILABLE, "libcurl.so.4 is not on this machine");
        return bt_hint(err, "install the package libcurl4");
    }
    __typeof__(lib) loaded;
    for (size_t i = 0; i < BT_COUNT(functions); i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return bt_fail(err, BT_UNAVAILABLE, "libcurl.so.4 has no %s", functions[i].name);
        memcpy((char *)&loaded + functions[i].offset, &function, sizeof function);
    }
    lib = loaded;
    return BT_OK;
}

int bt_client_new(const struct bt_client_config *config, struct bt_client **ret_client,
                  struct bt_err *err)
{
    BT_TRY(load(err));
    struct bt_client *client = calloc(1, sizeof *client);
    if (!client)
        return bt_fail_mem(err, "client");
    client->config = *config;
    client->easy = lib.easy_init();
    if (!client->easy) {
        free(client);
        return bt_fail_mem(err, "client");
    }
    *ret_client = client;
    return BT_OK;
}

struct bt_client *bt_client_free(struct bt_client *client)
{
    if (client)
        lib.easy_cleanup(client->easy);
    free(client);
    return NULL;
}

/* --- One call --------------------------------------------------------------------------------- */

struct call {
    struct bt_client *client;
    const struct bt_client_request *request;
    struct bt_client_answer *answer;
    struct curl_slist *headers;
    curl_mime *mime;
    struct bt_buf url;
    int rc; /* Of `each`. */
};

static size_t on_piece(char *at, size_t size, size_t count, void *data)
{
    struct call *call = data;
    struct bt_str piece = {at, size * count};
    long status = 0;
    (void)lib.easy_getinfo(call->client->easy, CURLINFO_RESPONSE_CODE, &status); /* Known now. */
    if (call->request->each && status < 300)
        call->rc = call->request->each(call->request->data, piece);
    else
        call->rc = bt_buf_add(&call->answer->body, piece);
    return call->rc < 0 ? 0 : piece.len;
}

static int add_header(struct call *call, const char *name, const char *value, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(8192);
    (void)bt_buf_addf(&text, "%s: %s", name, value); /* Checked below. */
    const char *line = bt_buf_cstr(&text);
    struct curl_slist *list = line ? lib.slist_append(call->headers, line) : NULL;
    if (!list)
        return bt_fail_mem(err, "request");
    call->headers = list;
    return BT_OK;
}

static int add_parts(struct call *call, struct bt_err *err)
{
    call->mime = lib.mime_init(call->client->easy);
    for (size_t i = 0; call->mime && i < call->request->part_count; i++) {
        const struct bt_client_part *given = &call->request->parts[i];
        curl_mimepart *part = lib.mime_addpart(call->mime);
        CURLcode code = part ? lib.mime_name(part, given->name) : CURLE_OUT_OF_MEMORY;
        if (code == CURLE_OK && given->path)
            code = lib.mime_filedata(part, given->path);
        else if (code == CURLE_OK)
            code = lib.mime_data(part, given->text, CURL_ZERO_TERMINATED);
        if (code == CURLE_READ_ERROR)
            return bt_fail(err, BT_INVALID, "input '%s': cannot read '%s'", given->name,
                           given->path);
        if (code != CURLE_OK)
            return bt_fail_mem(err, "form");
    }
    return call->mime ? BT_OK : bt_fail_mem(err, "form");
}

/* The library copies what it is told, but for the body, which lives until the call has ended. */
static int set_body(struct call *call, struct bt_err *err)
{
    CURL *easy = call->client->easy;
    const struct bt_client_request *request = call->request;
    if (request->parts) {
        BT_TRY(add_parts(call, err));
        (void)lib.easy_setopt(easy, CURLOPT_MIMEPOST, call->mime); /* Told by perform. */
        return BT_OK;
    }
    bool has_body = request->body.len || strcmp(request->method, "POST") == 0 ||
                    strcmp(request->method, "PUT") == 0;
    if (has_body) {
        (void)lib.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        (void)lib.easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.at ? request->body.at : "");
    }
    return request->type ? add_header(call, "Content-Type", request->type, err) : BT_OK;
}

static int prepare(struct call *call, struct bt_err *err)
{
    const struct bt_client_config *config = &call->client->config;
    CURL *easy = call->client->easy;
    lib.easy_reset(easy); /* Keeps the connection. */
    (void)bt_buf_addf(&call->url, "%s%s", config->url, call->request->path); /* Checked below. */
    const char *url = bt_buf_cstr(&call->url);
    if (!url)
        return bt_fail(err, BT_INVALID, "the address is too long");
    (void)lib.easy_setopt(easy, CURLOPT_URL, url); /* What fails is told by perform. */
    (void)lib.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)lib.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)lib.easy_setopt(easy, CURLOPT_NOPROXY,
                          config->unix_path ? "*" : "localhost,127.0.0.1,::1");
    (void)lib.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 10L);
    (void)lib.easy_setopt(easy, CURLOPT_ERRORBUFFER, call->client->why);
    (void)lib.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_piece);
    (void)lib.easy_setopt(easy, CURLOPT_WRITEDATA, call);
    if (config->unix_path)
        (void)lib.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, config->unix_path);
    BT_TRY(set_body(call, err));
    (void)lib.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->request->method);
    BT_TRY(add_header(call, "Expect", "", err)); /* No round trip before a body. */
    if (config->token) {
        BT_CLEANUP(bt_buf_done) struct bt_buf bearer = BT_BUF_INIT(4096);
        (void)bt_buf_addf(&bearer, "Bearer %s", config->token); /* Checked here. */
        const char *text = bt_buf_cstr(&bearer);
        BT_TRY(text ? add_header(call, "Authorization", text, err) : bt_fail_mem(err, "token"));
    }
    (void)lib.easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    return BT_OK;
}

static int perform(struct call *call, struct bt_err *err)
{
    const struct bt_client_config *config = &call->client->config;
    long status = 0;
    call->client->why[0] = '\0';
    CURLcode code = lib.easy_perform(call->client->easy);
    (void)lib.easy_getinfo(call->client->easy, CURLINFO_RESPONSE_CODE, &status); /* 0 at worst. */
    call->answer->status = (int)status;
    if (call->rc < 0 && call->request->each)
        return call->rc;
    if (code == CURLE_OK)
        return BT_OK;
    (void)bt_fail(err, BT_IO, "no answer from %s: %s",
                  config->unix_path ? config->unix_path : config->url,
                  call->client->why[0] ? call->client->why : lib.easy_strerror(code));
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        (void)bt_hint(err, "is the server running? 'baton server' starts one");
    return BT_IO;
}

int bt_client_call(struct bt_client *client, const struct bt_client_request *request,
                   struct bt_client_answer *ret_answer, struct bt_err *err)
{
    struct bt_client_answer answer = {.body = BT_BUF_INIT(BT_JSON_BYTES_MAX)};
    struct call call = {
        .client = client, .request = request, .answer = &answer, .url = BT_BUF_INIT(64u << 10)};
    int rc = prepare(&call, err);
    if (rc == BT_OK)
        rc = perform(&call, err);
    lib.slist_free_all(call.headers);
    lib.mime_free(call.mime);
    bt_buf_done(&call.url);
    if (rc < 0)
        bt_client_answer_done(&answer);
    else
        *ret_answer = answer;
    return rc;
}

void bt_client_answer_done(struct bt_client_answer *answer)
{
    bt_buf_done(&answer->body);
}

int bt_client_escape(struct bt_str text, struct bt_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool is_plain =
            (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-._~", c);
        if (c && is_plain)
            (void)bt_buf_addc(out, (char)c); /* Sticky, as what follows. */
        else
            (void)bt_buf_addf(out, "%%%02X", c);
    }
    return out->failed;
}
