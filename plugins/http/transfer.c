/* transfer.c — Runs the exchanges of a call: one for each redirect and each retry. Waits only in
 * curl_multi_poll(), which kill() wakes. Must never leave a handle of a call in the pool. */
#include "http_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { POLL_MS = 500, RETRY_MS_MAX = 300000 };

bool http_is_stopped(struct http_call *call)
{
    return atomic_load(&http_world.is_killed) || call->host->is_killed(call->run);
}

/* --- What comes ------------------------------------------------------------------------------- */

static bool is_redirect(const struct http_call *call)
{
    long code = call->response.code;
    return call->opt.follows &&
           (code == 301 || code == 302 || code == 303 || code == 307 || code == 308) &&
           http_header(&call->response, "location");
}

/* Where the body goes; decided at its first byte, when the headers are there. */
static int choose_sink(struct http_call *call)
{
    struct http_response *response = &call->response;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &response->code);
    if (is_redirect(call)) {
        response->sink = HTTP_SINK_NONE;
    } else if (!http_is_allowed_code(call, response->code)) {
        response->sink = HTTP_SINK_EXCERPT;
    } else if (call->opt.shape == HTTP_AS_FILE) {
        response->sink = HTTP_SINK_FILE;
        http_file_name(call, response->file_name);
        response->io_code =
            call->host->file_create(call->run, response->file_name, &response->writer);
    } else {
        response->sink = HTTP_SINK_MEMORY;
    }
    return response->io_code;
}

static size_t on_body(char *at, size_t size, size_t count, void *data)
{
    struct http_call *call = data;
    struct http_response *response = &call->response;
    size_t len = size * count, keep = len;
    call->activity++;
    if (response->sink == HTTP_SINK_UNDECIDED && choose_sink(call) != BT_PLUGIN_OK)
        return 0;
    response->length += (int64_t)len;
    switch (response->sink) {
    case HTTP_SINK_UNDECIDED:
    case HTTP_SINK_NONE: break;
    case HTTP_SINK_EXCERPT:
        if (keep > HTTP_EXCERPT_BYTES - response->body.len)
            keep = HTTP_EXCERPT_BYTES - response->body.len;
        bytes_add(&response->body, at, keep);
        break;
    case HTTP_SINK_MEMORY:
        response->is_cut = response->length > call->opt.content_max;
        return !response->is_cut && bytes_add(&response->body, at, len) ? len : 0;
    case HTTP_SINK_FILE:
        response->io_code = call->host->file_write(response->writer, at, len);
        return response->io_code == BT_PLUGIN_OK ? len : 0;
    }
    return len;
}

/* Only counts what goes out, so that a long upload is not taken for silence. */
static int on_progress(void *data, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
    struct http_call *call = data;
    (void)down_all;
    (void)up_all;
    uint64_t moved = (uint64_t)down + (uint64_t)up;
    if (moved != call->moved)
        call->activity++;
    call->moved = moved;
    return http_is_stopped(call);
}

/* --- Setting up ------------------------------------------------------------------------------- */

static void set_auth(struct http_call *call)
{
    const struct http_options *opt = &call->opt;
    if (opt->auth == 0 || call->is_foreign)
        return;
    curl_easy_setopt(call->easy, CURLOPT_HTTPAUTH, opt->auth);
    if (opt->auth == CURLAUTH_BEARER) {
        curl_easy_setopt(call->easy, CURLOPT_XOAUTH2_BEARER, opt->token);
        return;
    }
    curl_easy_setopt(call->easy, CURLOPT_USERNAME, opt->username);
    curl_easy_setopt(call->easy, CURLOPT_PASSWORD, opt->password ? opt->password : "");
}

/* Without a proxy of its own a task goes the way that the worker's environment names; this machine
 * is always reached directly. */
static void set_proxy_of_environment(struct http_call *call)
{
    const char *none = getenv("no_proxy");
    struct bytes list = {.max = 1 << 16};
    none = none ? none : getenv("NO_PROXY");
    bytes_adds(&list, none ? none : "");
    if (!none || strcmp(none, "*") != 0)
        bytes_adds(&list, ",localhost,127.0.0.1,::1");
    if (!list.is_failed)
        curl_easy_setopt(call->easy, CURLOPT_NOPROXY, list.at);
    bytes_done(&list);
}

static void set_proxy(struct http_call *call)
{
    const struct http_options *opt = &call->opt;
    long type = CURLPROXY_HTTP;
    if (!opt->proxy_type) {
        set_proxy_of_environment(call);
        return;
    }
    if (strcmp(opt->proxy_type, "DIRECT") == 0) {
        curl_easy_setopt(call->easy, CURLOPT_PROXY, "");
        return;
    }
    if (strcmp(opt->proxy_type, "HTTPS") == 0)
        type = CURLPROXY_HTTPS;
    else if (strcmp(opt->proxy_type, "SOCKS") == 0)
        type = CURLPROXY_SOCKS5_HOSTNAME;
    curl_easy_setopt(call->easy, CURLOPT_PROXY, opt->proxy_address);
    curl_easy_setopt(call->easy, CURLOPT_PROXYTYPE, type);
    curl_easy_setopt(call->easy, CURLOPT_NOPROXY, "");
    if (opt->proxy_port > 0)
        curl_easy_setopt(call->easy, CURLOPT_PROXYPORT, (long)opt->proxy_port);
    if (opt->proxy_username) {
        curl_easy_setopt(call->easy, CURLOPT_PROXYUSERNAME, opt->proxy_username);
        curl_easy_setopt(call->easy, CURLOPT_PROXYPASSWORD,
                         opt->proxy_password ? opt->proxy_password : "");
    }
}

static int set_version(struct http_call *call)
{
    static const struct {
        const char *name;
        long version;
    } versions[] = {{"HTTP_1_0", CURL_HTTP_VERSION_1_0},
                    {"HTTP_1_1", CURL_HTTP_VERSION_1_1},
                    {"HTTP_2", CURL_HTTP_VERSION_2TLS},
                    {"HTTP_2_PRIOR_KNOWLEDGE", CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE}};
    const char *name = call->opt.http_version ? call->opt.http_version : "HTTP_2";
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (strcmp(name, versions[i].name) == 0) {
            curl_easy_setopt(call->easy, CURLOPT_HTTP_VERSION, versions[i].version);
            return BT_PLUGIN_OK;
        }
    return HTTP_FAIL(call,
                     "options.httpVersion: '%s' is none of HTTP_1_0, HTTP_1_1, HTTP_2, "
                     "HTTP_2_PRIOR_KNOWLEDGE",
                     name);
}

static void set_basics(struct http_call *call)
{
    CURL *easy = call->easy;
    const struct http_options *opt = &call->opt;
    curl_easy_setopt(easy, CURLOPT_URL, call->url.at);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* A kill does not wait for a name server. */
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    /* Cookies live as long as the call. (An empty CURLOPT_COOKIEFILE would leak at each reset.) */
    curl_easy_setopt(easy, CURLOPT_COOKIELIST, "Set-Cookie:");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "Baton/" BT_VERSION);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(opt->connect_us / 1000));
    if (opt->pool_idle_us > 0)
        curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)((opt->pool_idle_us + 999999) / 1000000));
    if (call->pem[1].len > 0 || opt->proxy_username) {
        /* libcurl tells connections apart by certificate and proxy, not by key and password: one
         * that was opened with these must not serve a task that does not have them. */
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    if (opt->unix_socket)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, opt->unix_socket);
}

static int set_up(struct http_call *call)
{
    curl_easy_reset(call->easy);
    http_response_reset(call);
    call->error[0] = '\0';
    call->is_silent = false;
    call->moved = 0;
    if (call->opt.is_fenced && call->opt.unix_socket)
        return HTTP_FAIL(call, "options.unixSocket: private addresses are fenced off here");
    set_basics(call);
    set_auth(call);
    set_proxy(call);
    http_fence_set(call);
    int rc = set_version(call);
    rc = rc == BT_PLUGIN_OK ? http_tls_set(call) : rc;
    rc = rc == BT_PLUGIN_OK ? http_headers_set(call) : rc;
    return rc == BT_PLUGIN_OK ? http_body_set(call) : rc;
}

/* --- One exchange ----------------------------------------------------------------------------- */

/* Whether nothing has moved for too long. `last` is when something did. */
static bool is_too_silent(struct http_call *call, uint64_t *seen, curl_off_t *last)
{
    curl_off_t now = 0, connected = 0;
    if (call->opt.silence_us <= 0)
        return false;
    curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &now);
    curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    if (*seen != call->activity || connected == 0) { /* Connecting has a limit of its own. */
        *seen = call->activity;
        *last = now;
    }
    if (*last < connected)
        *last = connected;
    return now - *last > call->opt.silence_us;
}

static bool is_finished(struct http_call *call, CURLcode *ret_code)
{
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http_world.multi, &left)))
        if (message->msg == CURLMSG_DONE && message->easy_handle == call->easy) {
            *ret_code = message->data.result;
            return true;
        }
    return false;
}

static int poll_ms(const struct http_call *call)
{
    int64_t ms = call->opt.silence_us / 1000 / 4;
    return ms > 0 && ms < POLL_MS ? (int)ms + 1 : POLL_MS;
}

static CURLcode drive(struct http_call *call)
{
    CURLcode code = CURLE_FAILED_INIT;
    curl_off_t last = 0;
    uint64_t seen = call->activity;
    if (curl_multi_add_handle(http_world.multi, call->easy) != CURLM_OK)
        return code;
    for (;;) {
        int running = 0;
        if (curl_multi_perform(http_world.multi, &running) != CURLM_OK)
            break;
        if (is_finished(call, &code))
            break;
        code = CURLE_ABORTED_BY_CALLBACK;
        call->is_silent = is_too_silent(call, &seen, &last);
        if (call->is_silent || http_is_stopped(call))
            break;
        if (curl_multi_poll(http_world.multi, NULL, 0, poll_ms(call), NULL) != CURLM_OK)
            break;
    }
    curl_multi_remove_handle(http_world.multi, call->easy);
    return code;
}

static int fail_size(struct http_call *call)
{
    curl_off_t want = -1, got = 0;
    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &want);
    curl_easy_getinfo(call->easy, CURLINFO_SIZE_DOWNLOAD_T, &got);
    if (want < 0)
        return HTTP_FAIL(call, "%s %s: the response ended too early", call->method, call->shown.at);
    return HTTP_FAIL(call, "Invalid size, got %lld, expected %lld", (long long)got,
                     (long long)want);
}

/* What the code of libcurl means to the one who wrote the task. */
static const char *advice(CURLcode code)
{
    switch ((int)code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return "; give the authority's certificate as options.ssl.ca";
    case CURLE_OPERATION_TIMEDOUT: return "; see options.connectTimeout";
    case CURLE_COULDNT_RESOLVE_PROXY: return "; see options.proxyAddress";
    default: return "";
    }
}

static int fail_exchange(struct http_call *call, CURLcode code)
{
    const struct http_response *response = &call->response;
    if (http_is_stopped(call))
        return BT_PLUGIN_KILLED;
    if (call->is_silent)
        return HTTP_FAIL(call, "%s %s: no data for %.3g s; see options.readTimeout", call->method,
                         call->shown.at, (double)call->opt.silence_us / 1e6);
    if (call->refused[0])
        return HTTP_FAIL(call, "%s %s: %s, and those are fenced off", call->method, call->shown.at,
                         call->refused);
    if (response->is_cut)
        return HTTP_FAIL(call,
                         "The response is larger than the %lld bytes of options.maxContentLength; "
                         "http.download has no such limit",
                         (long long)call->opt.content_max);
    if (response->io_code != BT_PLUGIN_OK)
        return HTTP_FAIL(call, "the file '%s' cannot be stored", response->file_name);
    if (response->body.is_failed)
        return HTTP_FAIL(call, "out of memory");
    if (code == CURLE_PARTIAL_FILE)
        return fail_size(call);
    return HTTP_FAIL(call, "%s %s: %s%s", call->method, call->shown.at,
                     call->error[0] ? call->error : curl_easy_strerror(code), advice(code));
}

static bool is_worth_retry(const struct http_call *call, CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return !call->refused[0];
    default: return call->is_silent;
    }
}

/* --- Redirects -------------------------------------------------------------------------------- */

/* Makes the next request out of a redirect. */
static int take_redirect(struct http_call *call)
{
    char *found = NULL;
    long code = call->response.code;
    bool is_head = strcmp(call->method, "HEAD") == 0;
    curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &found);
    if (!found || (strncasecmp(found, "http://", 7) != 0 && strncasecmp(found, "https://", 8) != 0))
        return HTTP_FAIL(call, "%s %s: redirected to '%.200s', which is no HTTP address",
                         call->method, call->shown.at,
                         found ? found : http_header(&call->response, "location"));
    if ((code == 303 && !is_head) ||
        (code != 307 && code != 308 && code != 303 && strcmp(call->method, "POST") == 0)) {
        call->method = "GET";
        call->is_bodiless = true;
    }
    if (!http_url_same_origin(call->url.at, found))
        call->is_foreign = true;
    bytes_clear(&call->url);
    return bytes_adds(&call->url, found)
               ? BT_PLUGIN_OK
               : HTTP_FAIL(call, "the address of a redirect is larger than %d bytes",
                           HTTP_URL_BYTES_MAX);
}

/* One attempt: the request and its redirects. *ret_is_passing: it may go better the next time. */
static int attempt(struct http_call *call, bool *ret_is_passing)
{
    call->method = call->opt.method;
    call->is_foreign = call->is_bodiless = false;
    bytes_clear(&call->url);
    if (!bytes_add(&call->url, call->start.at, call->start.len))
        return HTTP_FAIL(call, "out of memory");
    for (int64_t hops = 0;; hops++) {
        int rc = set_up(call);
        if (rc != BT_PLUGIN_OK)
            return rc;
        CURLcode code = drive(call);
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->response.code);
        if (code != CURLE_OK) {
            *ret_is_passing = is_worth_retry(call, code);
            return fail_exchange(call, code);
        }
        if (!is_redirect(call))
            break;
        if (hops == call->opt.redirects_max)
            return HTTP_FAIL(call, "%s %s: more than %lld redirects", call->method, call->shown.at,
                             (long long)hops);
        rc = take_redirect(call);
        if (rc != BT_PLUGIN_OK)
            return rc;
    }
    long got = call->response.code;
    *ret_is_passing =
        (got == 408 || got == 429 || got == 500 || got == 502 || got == 503 || got == 504) &&
        !http_is_allowed_code(call, got);
    return BT_PLUGIN_OK;
}

/* --- Retries ---------------------------------------------------------------------------------- */

/* How long to wait: what the server asks for, else twice as long each time. */
static int64_t retry_ms(struct http_call *call, int64_t count)
{
    curl_off_t asked_s = 0;
    int64_t ms = call->opt.retry_us / 1000;
    for (int64_t i = 0; i < count && ms < RETRY_MS_MAX; i++)
        ms *= 2;
    if (curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &asked_s) == CURLE_OK && asked_s > 0)
        ms = asked_s > RETRY_MS_MAX / 1000 ? RETRY_MS_MAX : asked_s * 1000;
    return ms < RETRY_MS_MAX ? ms : RETRY_MS_MAX;
}

static void wait_ms(struct http_call *call, int64_t ms)
{
    while (ms > 0 && !http_is_stopped(call)) {
        int slice = ms < POLL_MS ? (int)ms : POLL_MS;
        if (curl_multi_poll(http_world.multi, NULL, 0, slice, NULL) != CURLM_OK)
            break;
        ms -= slice;
    }
}

int http_transfer(struct http_call *call)
{
    for (int64_t count = 0;; count++) {
        bool is_passing = false;
        int rc = attempt(call, &is_passing);
        if (!is_passing || count == call->opt.retries || http_is_stopped(call))
            return http_is_stopped(call) ? BT_PLUGIN_KILLED : rc;
        int64_t ms = retry_ms(call, count);
        if (rc == BT_PLUGIN_OK)
            http_log(call, BT_PLUGIN_WARN, "%s %s gave code %ld; again in %lld ms", call->method,
                     call->shown.at, call->response.code, (long long)ms);
        else
            http_log(call, BT_PLUGIN_WARN, "%s %s failed: %s; again in %lld ms", call->method,
                     call->shown.at, call->error[0] ? call->error : "no answer", (long long)ms);
        wait_ms(call, ms);
    }
}
