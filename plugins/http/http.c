/* http.c — The plugin: its tasks and its trigger, from properties to outputs. Keeps nothing of a
 * call but open connections. */
#include "http_int.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLUGIN_VERSION "1.0.0" /* As plugin.json says. */

enum { POOL_MAX = 32 };

struct http_world http_world;

void http_log(struct http_call *call, enum bt_plugin_level level, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0)
        call->host->log(call->run, level, text,
                        (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

/* --- A call's life ---------------------------------------------------------------------------- */

static void init_call(struct http_call *call)
{
    call->start.max = call->url.max = call->shown.max = HTTP_URL_BYTES_MAX;
    call->form.max = HTTP_FORM_BYTES_MAX;
    for (size_t i = 0; i < 3; i++)
        call->pem[i].max = HTTP_PEM_BYTES_MAX;
    call->response.body.max = SIZE_MAX / 8; /* maxContentLength is what bounds it. */
}

static void done_call(struct http_call *call)
{
    http_response_reset(call);
    bytes_done(&call->response.body);
    if (call->upload)
        call->host->file_close(call->upload);
    if (call->easy)
        curl_easy_cleanup(call->easy);
    curl_mime_free(call->mime);
    curl_slist_free_all(call->headers);
    for (size_t i = 0; i < 3; i++) {
        if (call->pem[i].at)
            explicit_bzero(call->pem[i].at, call->pem[i].cap);
        bytes_done(&call->pem[i]);
    }
    bytes_done(&call->form);
    bytes_done(&call->start);
    bytes_done(&call->url);
    bytes_done(&call->shown);
    free(call);
}

static void log_response(struct http_call *call)
{
    curl_off_t us = 0;
    char *version = "1.1";
    long number = 0;
    curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &us);
    curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, &number);
    if (number == CURL_HTTP_VERSION_2_0)
        version = "2";
    http_log(call, BT_PLUGIN_DEBUG, "%s %s: code %ld, %lld bytes, %lld ms, HTTP/%s",
             call->opt.method, call->shown.at, call->response.code,
             (long long)call->response.length, (long long)us / 1000, version);
    for (size_t i = 0; i < call->response.header_count; i++)
        http_log(call, BT_PLUGIN_DEBUG, "%s: %s", call->response.headers[i].name,
                 call->response.headers[i].value);
}

static int fail_code(struct http_call *call)
{
    int rc = http_body_decode(call);
    if (rc != BT_PLUGIN_OK)
        bytes_clear(&call->response.body);
    struct bt_text body = bytes_text(&call->response.body);
    return HTTP_FAIL(call, "Failed http request with response code '%ld' (%s %s)%s%.*s",
                     call->response.code, call->opt.method, call->shown.at,
                     body.len ? ", body:\n" : "", (int)body.len, body.at);
}

/* From the properties to a response that may be kept. */
static int perform(struct http_call *call)
{
    int rc = http_options_read(call);
    rc = rc == BT_PLUGIN_OK ? http_url_make(call) : rc;
    rc = rc == BT_PLUGIN_OK ? http_body_read(call) : rc;
    if (rc != BT_PLUGIN_OK)
        return rc;
    call->easy = curl_easy_init();
    if (!call->easy)
        return HTTP_FAIL(call, "out of memory");
    rc = http_transfer(call);
    if (rc != BT_PLUGIN_OK)
        return rc;
    if (call->opt.logs_exchange)
        log_response(call);
    return http_is_allowed_code(call, call->response.code) ? BT_PLUGIN_OK : fail_code(call);
}

/* SIGPIPE of a connection that went away must not end the host process. */
static int without_pipe_signal(struct http_call *call, int (*run)(struct http_call *call))
{
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    int rc = run(call);
    if (!sigismember(&before, SIGPIPE)) {
        if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE))
            sigtimedwait(&pipe, NULL, &(struct timespec){0});
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return rc;
}

static int run_call(const struct bt_host_api *host, struct bt_run *run, enum http_kind kind,
                    int (*work)(struct http_call *call))
{
    struct http_call *call = calloc(1, sizeof *call);
    if (!call)
        return host->fail(run, "out of memory");
    *call = (struct http_call){.host = host, .run = run, .kind = kind};
    init_call(call);
    atomic_store(&http_world.is_killed, false);
    int rc = without_pipe_signal(call, work);
    done_call(call);
    return rc;
}

static void kill_call(struct bt_run *run)
{
    (void)run; /* A process runs one call at a time. */
    atomic_store(&http_world.is_killed, true);
    curl_multi_wakeup(http_world.multi);
}

/* --- Outputs ---------------------------------------------------------------------------------- */

/* A body within maxContentLength may still be more than outputs can hold. */
static int fail_large(struct http_call *call)
{
    return HTTP_FAIL(call,
                     "The response of %zu bytes is too large for the outputs; use http.download or "
                     "responseType: FILE",
                     call->response.body.len);
}

static int give_headers(struct http_call *call)
{
    struct bytes json = {.max = 16 * HTTP_HEADER_BYTES_MAX};
    int rc = http_headers_json(&call->response, &json)
                 ? call->host->output_json(call->run, "headers", json.at, json.len)
                 : HTTP_FAIL(call, "out of memory");
    bytes_done(&json);
    return rc;
}

static void give_metric(struct http_call *call)
{
    char tags[128];
    (void)snprintf(tags, sizeof tags, "{\"request.method\":\"%s\",\"response.code\":\"%ld\"}",
                   call->opt.method, call->response.code); /* Fits. */
    call->host->metric(call->run, "response.length", "counter", (double)call->response.length,
                       tags);
}

static int give_common(struct http_call *call)
{
    give_metric(call);
    int rc = call->host->output_int(call->run, "code", call->response.code);
    return rc == BT_PLUGIN_OK ? give_headers(call) : rc;
}

/* Ends the received file; an empty one is made when nothing came. */
static int commit_file(struct http_call *call, struct bt_text *ret_uri)
{
    struct http_response *response = &call->response;
    int rc = BT_PLUGIN_OK;
    if (!response->writer) {
        http_file_name(call, response->file_name);
        rc = call->host->file_create(call->run, response->file_name, &response->writer);
    }
    if (rc == BT_PLUGIN_OK) {
        struct bt_writer *writer = response->writer;
        response->writer = NULL;
        rc = call->host->file_commit(writer, ret_uri);
    }
    return rc == BT_PLUGIN_OK
               ? rc
               : HTTP_FAIL(call, "the file '%s' cannot be stored", response->file_name);
}

static int give_body_encrypted(struct http_call *call)
{
    struct bt_text body = bytes_text(&call->response.body), sealed = {0};
    int rc = call->host->encrypt(call->run, body.at, body.len, &sealed);
    return rc == BT_PLUGIN_OK
               ? call->host->output_json(call->run, "encryptedBody", sealed.at, sealed.len)
               : rc;
}

static int give_body(struct http_call *call)
{
    struct bt_text body = bytes_text(&call->response.body);
    int rc;
    if (call->opt.encrypts)
        rc = give_body_encrypted(call);
    else if (call->opt.shape == HTTP_AS_TEXT)
        rc = call->host->output_text(call->run, "body", body.at, body.len);
    else
        rc = call->host->output_json(call->run, "body", body.len ? body.at : "null",
                                     body.len ? body.len : 4);
    if (rc == BT_PLUGIN_LIMIT)
        return fail_large(call);
    return rc == BT_PLUGIN_OK || call->opt.encrypts || call->opt.shape == HTTP_AS_TEXT
               ? rc
               : HTTP_FAIL(call,
                           "responseType JSON: the response is no valid JSON: "
                           "%.200s",
                           body.at);
}

static int request(struct http_call *call)
{
    int rc = perform(call);
    if (rc == BT_PLUGIN_OK && call->opt.shape != HTTP_AS_FILE)
        rc = http_body_decode(call);
    if (rc == BT_PLUGIN_OK)
        rc = call->host->output_text(call->run, "uri", call->shown.at, call->shown.len);
    if (rc == BT_PLUGIN_OK)
        rc = give_common(call);
    if (rc != BT_PLUGIN_OK)
        return rc;
    if (call->opt.shape != HTTP_AS_FILE)
        return give_body(call);
    struct bt_text uri = {0};
    rc = commit_file(call, &uri);
    if (rc == BT_PLUGIN_OK)
        rc = call->host->output_text(call->run, "file", uri.at, uri.len);
    if (rc == BT_PLUGIN_OK)
        rc = call->host->output_int(call->run, "length", call->response.length);
    return rc;
}

static int download(struct http_call *call)
{
    struct bt_text uri = {0};
    int rc = perform(call);
    if (rc != BT_PLUGIN_OK)
        return rc;
    if (call->response.length == 0 && call->opt.fails_on_empty && !call->opt.allows_failed)
        return HTTP_FAIL(call, "No response from server");
    rc = commit_file(call, &uri);
    if (rc != BT_PLUGIN_OK)
        return rc;
    if (call->response.length == 0)
        http_log(call, BT_PLUGIN_WARN, "File '%s' is empty", uri.at);
    rc = call->host->output_text(call->run, "uri", uri.at, uri.len);
    if (rc == BT_PLUGIN_OK)
        rc = call->host->output_int(call->run, "length", call->response.length);
    return rc == BT_PLUGIN_OK ? give_common(call) : rc;
}

/* --- The trigger ------------------------------------------------------------------------------ */

/* {"response": {…}}: what `responseCondition` sees. */
static int holds(struct http_call *call, const struct bytes *headers, const struct bytes *body,
                 int *ret_is_true)
{
    char code[32];
    struct bt_rendered rendered = {0};
    struct bytes scope = {.max = SIZE_MAX / 8};
    (void)snprintf(code, sizeof code, "%ld", call->response.code); /* Fits. */
    bytes_adds(&scope, "{\"response\":{\"statusCode\":");
    bytes_adds(&scope, code);
    bytes_adds(&scope, ",\"body\":");
    bytes_add(&scope, body->at, body->len);
    bytes_adds(&scope, ",\"headers\":");
    bytes_add(&scope, headers->at, headers->len);
    int rc = bytes_adds(&scope, "}}") ? call->host->render(call->run, "responseCondition", scope.at,
                                                           scope.len, &rendered)
                                      : HTTP_FAIL(call, "out of memory");
    bytes_done(&scope);
    *ret_is_true = rendered.is_true;
    return rc == BT_PLUGIN_LIMIT ? fail_large(call) : rc;
}

/* The event: the outputs of a request. `sealed` is the encrypted body, or absent. */
static int emit(struct http_call *call, const struct bytes *headers, const struct bytes *body,
                struct bt_text sealed)
{
    char code[32];
    struct bytes event = {.max = SIZE_MAX / 8};
    (void)snprintf(code, sizeof code, "%ld", call->response.code); /* Fits. */
    bytes_adds(&event, "{\"uri\":");
    bytes_add_json(&event, bytes_text(&call->shown));
    bytes_adds(&event, ",\"code\":");
    bytes_adds(&event, code);
    bytes_adds(&event, ",\"headers\":");
    bytes_add(&event, headers->at, headers->len);
    bytes_adds(&event, sealed.at ? ",\"encryptedBody\":" : ",\"body\":");
    bytes_add(&event, sealed.at ? sealed.at : body->at, sealed.at ? sealed.len : body->len);
    int rc = bytes_adds(&event, "}") ? call->host->emit(call->run, event.at, event.len, NULL)
                                     : HTTP_FAIL(call, "out of memory");
    bytes_done(&event);
    return rc == BT_PLUGIN_LIMIT ? fail_large(call) : rc;
}

/* An event, when the condition holds. */
static int decide(struct http_call *call, const struct bytes *headers, const struct bytes *body)
{
    struct bt_text plain = bytes_text(&call->response.body), sealed = {0};
    int is_true = 0;
    int rc = holds(call, headers, body, &is_true);
    if (rc != BT_PLUGIN_OK || !is_true)
        return rc;
    if (call->opt.encrypts)
        rc = call->host->encrypt(call->run, plain.at, plain.len, &sealed);
    return rc == BT_PLUGIN_OK ? emit(call, headers, body, sealed) : rc;
}

static int poll(struct http_call *call)
{
    struct bytes headers = {.max = 16 * HTTP_HEADER_BYTES_MAX};
    struct bytes body = {.max = SIZE_MAX / 8};
    int rc = perform(call);
    if (rc == BT_PLUGIN_OK)
        rc = http_body_decode(call);
    if (rc == BT_PLUGIN_OK && (!http_headers_json(&call->response, &headers) ||
                               !bytes_add_json(&body, bytes_text(&call->response.body))))
        rc = HTTP_FAIL(call, "out of memory");
    if (rc == BT_PLUGIN_OK)
        rc = decide(call, &headers, &body);
    bytes_done(&headers);
    bytes_done(&body);
    return rc;
}

/* --- The entry -------------------------------------------------------------------------------- */

static int run_request(const struct bt_host_api *host, struct bt_run *run)
{
    return run_call(host, run, HTTP_REQUEST, request);
}

static int run_download(const struct bt_host_api *host, struct bt_run *run)
{
    return run_call(host, run, HTTP_DOWNLOAD, download);
}

static int run_poll(const struct bt_host_api *host, struct bt_run *run)
{
    return run_call(host, run, HTTP_POLL, poll);
}

static int init(const struct bt_host_api *host)
{
    (void)host;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return BT_PLUGIN_FAILED;
    http_world.multi = curl_multi_init();
    if (!http_world.multi)
        return BT_PLUGIN_FAILED;
    curl_multi_setopt(http_world.multi, CURLMOPT_MAXCONNECTS, (long)POOL_MAX);
    return BT_PLUGIN_OK;
}

static const struct bt_task_def request_def = {
    .size = sizeof request_def, .type = "http.request", .run = run_request, .kill = kill_call};
static const struct bt_task_def download_def = {
    .size = sizeof download_def, .type = "http.download", .run = run_download, .kill = kill_call};
static const struct bt_trigger_def trigger_def = {
    .size = sizeof trigger_def, .type = "http.trigger", .poll = run_poll, .kill = kill_call};

const struct bt_plugin *bt_plugin_entry(void)
{
    static const struct bt_task_def *const tasks[] = {&request_def, &download_def, NULL};
    static const struct bt_trigger_def *const triggers[] = {&trigger_def, NULL};
    static const struct bt_plugin plugin = {
        .abi = BT_PLUGIN_ABI,
        .size = sizeof plugin,
        .name = "http",
        .version = PLUGIN_VERSION,
        .tasks = tasks,
        .triggers = triggers,
        .init = init,
    };
    return &plugin;
}
