/* options.c — Reads the properties of a call. The older names of the original and its newer ones
 * (options.auth, options.timeout, options.ssl, options.proxy) mean the same. */
#include "http_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CONTENT_MAX_DEFAULT = 10485760, REDIRECTS_DEFAULT = 20 };
static const int64_t second = 1000000;

const char *http_prop(struct http_call *call, const char *path)
{
    struct bt_text text = call->host->prop_text(call->run, path);
    return text.at && text.len > 0 ? text.at : NULL;
}

/* The first of the two that is there. */
static const char *either(struct http_call *call, const char *path, const char *other)
{
    const char *text = http_prop(call, path);
    return text ? text : http_prop(call, other);
}

static bool flag(struct http_call *call, const char *path, const char *other, bool absent)
{
    int inner = call->host->prop_bool(call->run, other, absent);
    return call->host->prop_bool(call->run, path, inner) != 0;
}

/* A duration under one of the names, the first that is there. */
static int duration(struct http_call *call, const char *const *paths, int64_t *ret_us)
{
    for (size_t i = 0; paths[i]; i++) {
        const char *text = http_prop(call, paths[i]);
        if (!text)
            continue;
        int64_t us = call->host->prop_duration_us(call->run, paths[i], -1);
        if (us < 0)
            return HTTP_FAIL(call, "%s: '%s' is no duration such as PT30S", paths[i], text);
        *ret_us = us;
        break;
    }
    return BT_PLUGIN_OK;
}

#define PATHS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int read_times(struct http_call *call)
{
    struct http_options *opt = &call->opt;
    int rc = duration(call, PATHS("options.timeout.connectTimeout", "options.connectTimeout"),
                      &opt->connect_us);
    if (rc == BT_PLUGIN_OK)
        rc = duration(call,
                      PATHS("options.readTimeout", "options.timeout.readIdleTimeout",
                            "options.readIdleTimeout"),
                      &opt->silence_us);
    if (rc == BT_PLUGIN_OK)
        rc = duration(call, PATHS("options.connectionPoolIdleTimeout"), &opt->pool_idle_us);
    if (rc == BT_PLUGIN_OK)
        rc = duration(call, PATHS("options.retryDelay"), &opt->retry_us);
    return rc;
}

static int read_auth(struct http_call *call)
{
    struct http_options *opt = &call->opt;
    const char *type = http_prop(call, "options.auth.type");
    opt->username = either(call, "options.auth.username", "options.basicAuthUser");
    opt->password = either(call, "options.auth.password", "options.basicAuthPassword");
    opt->token = http_prop(call, "options.auth.token");
    if (!type)
        type = opt->token ? "BEARER" : opt->username ? "BASIC" : "NONE";
    if (strcasecmp(type, "BASIC") == 0)
        opt->auth = CURLAUTH_BASIC;
    else if (strcasecmp(type, "DIGEST") == 0)
        opt->auth = CURLAUTH_DIGEST;
    else if (strcasecmp(type, "BEARER") == 0)
        opt->auth = CURLAUTH_BEARER;
    else if (strcasecmp(type, "NONE") != 0)
        return HTTP_FAIL(call, "options.auth.type: '%s' is none of BASIC, BEARER, DIGEST, NONE",
                         type);
    if (opt->auth == CURLAUTH_BEARER && !opt->token)
        return HTTP_FAIL(call, "options.auth: BEARER needs a token");
    if ((opt->auth == CURLAUTH_BASIC || opt->auth == CURLAUTH_DIGEST) && !opt->username)
        return HTTP_FAIL(call, "options.auth: %s needs a username", type);
    return BT_PLUGIN_OK;
}

static int read_proxy(struct http_call *call)
{
    static const char *const types[] = {"DIRECT", "HTTP", "HTTPS", "SOCKS", NULL};
    struct http_options *opt = &call->opt;
    opt->proxy_type = either(call, "options.proxy.type", "options.proxyType");
    opt->proxy_address = either(call, "options.proxy.address", "options.proxyAddress");
    opt->proxy_username = either(call, "options.proxy.username", "options.proxyUsername");
    opt->proxy_password = either(call, "options.proxy.password", "options.proxyPassword");
    int64_t port = call->host->prop_int(call->run, "options.proxyPort", 0);
    opt->proxy_port = call->host->prop_int(call->run, "options.proxy.port", port);
    if (!opt->proxy_type)
        opt->proxy_type = opt->proxy_address ? "HTTP" : NULL;
    if (!opt->proxy_type)
        return BT_PLUGIN_OK;
    for (size_t i = 0; types[i]; i++)
        if (strcasecmp(opt->proxy_type, types[i]) == 0) {
            opt->proxy_type = types[i];
            return i == 0 || opt->proxy_address
                       ? BT_PLUGIN_OK
                       : HTTP_FAIL(call, "options: proxyType %s needs a proxyAddress", types[i]);
        }
    return HTTP_FAIL(call, "options.proxyType: '%s' is none of DIRECT, HTTP, HTTPS, SOCKS",
                     opt->proxy_type);
}

static int read_method(struct http_call *call)
{
    const char *method = http_prop(call, "method");
    call->opt.method = method ? method : "GET";
    for (const char *at = call->opt.method; *at; at++)
        if (!((*at >= 'A' && *at <= 'Z') || *at == '-' || *at == '_') || at - call->opt.method > 30)
            return HTTP_FAIL(call, "method: '%.40s' is no method; write it as GET, POST, …",
                             call->opt.method);
    call->method = call->opt.method;
    return BT_PLUGIN_OK;
}

static int read_shape(struct http_call *call)
{
    const char *shape = http_prop(call, "responseType");
    call->opt.shape = call->kind == HTTP_DOWNLOAD ? HTTP_AS_FILE : HTTP_AS_TEXT;
    if (!shape || call->kind != HTTP_REQUEST)
        return BT_PLUGIN_OK;
    if (strcmp(shape, "JSON") == 0)
        call->opt.shape = HTTP_AS_JSON;
    else if (strcmp(shape, "FILE") == 0)
        call->opt.shape = HTTP_AS_FILE;
    else if (strcmp(shape, "TEXT") != 0)
        return HTTP_FAIL(call, "responseType: '%s' is none of TEXT, JSON, FILE", shape);
    return BT_PLUGIN_OK;
}

static bool wants_logs(struct http_call *call)
{
    const char *level = http_prop(call, "options.logLevel");
    return level && (strcmp(level, "TRACE") == 0 || strcmp(level, "DEBUG") == 0);
}

static int read_numbers(struct http_call *call)
{
    struct http_options *opt = &call->opt;
    const struct bt_host_api *host = call->host;
    opt->content_max = host->prop_int(call->run, "options.maxContentLength", CONTENT_MAX_DEFAULT);
    opt->redirects_max = host->prop_int(call->run, "options.maxRedirects", REDIRECTS_DEFAULT);
    opt->retries = host->prop_int(call->run, "options.retries", 0);
    if (opt->content_max < 0)
        return HTTP_FAIL(call, "options.maxContentLength must not be negative");
    if (opt->redirects_max < 0 || opt->redirects_max > HTTP_REDIRECTS_MAX)
        return HTTP_FAIL(call, "options.maxRedirects must be 0 to %d", HTTP_REDIRECTS_MAX);
    if (opt->retries < 0 || opt->retries > HTTP_RETRIES_MAX)
        return HTTP_FAIL(call, "options.retries must be 0 to %d", HTTP_RETRIES_MAX);
    return BT_PLUGIN_OK;
}

int http_options_read(struct http_call *call)
{
    struct http_options *opt = &call->opt;
    const char *fence = http_prop(call, "options.privateAddresses");
    opt->connect_us = 10 * second;
    opt->silence_us = 10 * second;
    opt->retry_us = second;
    opt->content_type = http_prop(call, "contentType");
    opt->charset = http_prop(call, "options.defaultCharset");
    opt->unix_socket = http_prop(call, "options.unixSocket");
    opt->http_version = http_prop(call, "options.httpVersion");
    opt->tls_min = http_prop(call, "options.ssl.minVersion");
    opt->is_insecure = flag(call, "options.ssl.insecureTrustAllCertificates",
                            "sslOptions.insecureTrustAllCertificates", false);
    opt->follows = flag(call, "options.followRedirects", "options.followRedirects", true);
    opt->allows_failed =
        call->kind == HTTP_POLL || flag(call, "allowFailed", "options.allowFailed", false);
    opt->fails_on_empty = flag(call, "failOnEmptyResponse", "failOnEmptyResponse", true);
    opt->encrypts = flag(call, "encryptBody", "encryptBody", false);
    opt->is_fenced = http_fence_is_forced() || (fence && strcmp(fence, "DENY") == 0);
    opt->logs_exchange = wants_logs(call);
    int rc = read_method(call);
    rc = rc == BT_PLUGIN_OK ? read_shape(call) : rc;
    rc = rc == BT_PLUGIN_OK ? read_numbers(call) : rc;
    rc = rc == BT_PLUGIN_OK ? read_times(call) : rc;
    rc = rc == BT_PLUGIN_OK ? read_auth(call) : rc;
    rc = rc == BT_PLUGIN_OK ? read_proxy(call) : rc;
    return rc == BT_PLUGIN_OK ? http_tls_read(call) : rc;
}

/* Codes as numbers or texts, or one text "404,410". */
static bool has_code(struct http_call *call, const char *path, long code)
{
    char want[16];
    int len = snprintf(want, sizeof want, "%ld", code);
    struct bt_text json = call->host->prop_json(call->run, path);
    const char *at = json.at;
    while (at && (at = strpbrk(at, "0123456789"))) {
        size_t digits = strspn(at, "0123456789");
        if (digits == (size_t)len && memcmp(at, want, digits) == 0)
            return true;
        at += digits;
    }
    return false;
}

bool http_is_allowed_code(struct http_call *call, long code)
{
    return code < 400 || call->opt.allows_failed ||
           has_code(call, "options.allowedResponseCodes", code) ||
           has_code(call, "allowedResponseCodes", code);
}
