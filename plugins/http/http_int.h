/* http_int.h — Shared by the files of the http plugin; nothing else may include it.
 *
 * One call is one attempt of a task (or one look of the trigger). What lives longer are the pool of
 * connections and the flag of kill() (struct http_world), and neither knows anything of a call. */
#ifndef HTTP_INT_H
#define HTTP_INT_H

#include <baton/plugin.h>

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdbool.h>

#ifndef BT_VERSION /* Given by the build. */
#define BT_VERSION "0"
#endif

enum {
    HTTP_REDIRECTS_MAX = 50,
    HTTP_RETRIES_MAX = 20,
    HTTP_HEADERS_MAX = 512,
    HTTP_HEADER_BYTES_MAX = 1 << 20,
    HTTP_URL_BYTES_MAX = 1 << 20,
    HTTP_FORM_BYTES_MAX = 64 << 20,
    HTTP_PEM_BYTES_MAX = 4 << 20,
    HTTP_EXCERPT_BYTES = 2048, /* Of the body of a failed request, for the message. */
    HTTP_FILE_NAME_MAX = 200,
};

/* --- bytes.c: a growing buffer with a maximum ------------------------------------------------- */

/* Stays failed past its maximum or without memory; `at` is always ended by NUL (or NULL). */
struct bytes {
    char *at;
    size_t len, cap, max;
    bool is_failed;
};
bool bytes_add(struct bytes *bytes, const void *at, size_t len);
bool bytes_adds(struct bytes *bytes, const char *text);
void bytes_clear(struct bytes *bytes); /* Keeps the memory. */
void bytes_done(struct bytes *bytes);
bool bytes_add_json(struct bytes *bytes, struct bt_text text); /* Quoted and escaped. */
/* Percent-encodes all but letters, digits and -._~ ; a blank becomes `blank`. */
bool bytes_add_escaped(struct bytes *bytes, struct bt_text text, const char *blank);
/* Appends the text that a JSON value means: a string unquoted, anything else as it stands. */
bool bytes_add_unquoted(struct bytes *bytes, struct bt_text json);
struct bt_text bytes_text(const struct bytes *bytes);
struct bt_text text_of(const char *at); /* Borrowed. */

/* --- A call ----------------------------------------------------------------------------------- */

enum http_kind { HTTP_REQUEST, HTTP_DOWNLOAD, HTTP_POLL };
enum http_shape { HTTP_AS_TEXT, HTTP_AS_JSON, HTTP_AS_FILE };
enum http_sink {
    HTTP_SINK_UNDECIDED,
    HTTP_SINK_NONE,
    HTTP_SINK_EXCERPT,
    HTTP_SINK_MEMORY,
    HTTP_SINK_FILE
};
enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_TEXT,
    HTTP_BODY_FORM,
    HTTP_BODY_MULTIPART,
    HTTP_BODY_FILE
};

/* Texts are borrowed from the host: as long as the callback. Times in microseconds; 0 = none. */
struct http_options {
    const char *method;
    const char *content_type, *charset;
    enum http_shape shape;
    long auth; /* CURLAUTH_…, 0: none. */
    const char *username, *password, *token;
    const char *proxy_type, *proxy_address, *proxy_username, *proxy_password;
    int64_t proxy_port;
    const char *unix_socket, *http_version, *tls_min;
    bool is_insecure, follows, allows_failed, fails_on_empty, encrypts, is_fenced, logs_exchange;
    int64_t connect_us, silence_us, pool_idle_us, content_max;
    int64_t redirects_max, retries, retry_us;
};

struct http_header {
    char *name, *value;
};

struct http_response {
    long code;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count, header_bytes;
    struct bytes body;
    enum http_sink sink;
    struct bt_writer *writer; /* Open while a file is received. */
    char file_name[HTTP_FILE_NAME_MAX + 1];
    int64_t length; /* Bytes of the body, decoded. */
    bool is_cut;    /* Larger than allowed. */
    int io_code;    /* Of the host's file functions; 0: all is well. */
};

struct http_call {
    const struct bt_host_api *host;
    struct bt_run *run;
    enum http_kind kind;
    struct http_options opt;
    CURL *easy;
    struct bytes start, url; /* As asked for, and where it stands after redirects. */
    struct bytes shown;      /* As asked for, without user information: for outputs and messages. */
    /* The request. */
    enum http_body body_kind;
    struct bt_text body;
    struct bytes form;
    struct bt_reader *upload;
    struct curl_slist *headers;
    curl_mime *mime;
    struct bytes pem[3]; /* CA, certificate, key. */
    bool is_foreign;     /* A redirect left the origin: no credentials from here on. */
    bool is_bodiless;    /* A redirect turned it into a GET. */
    const char *method;  /* May change at a redirect. */
    /* The exchange. */
    struct http_response response;
    uint64_t activity, moved; /* The first grows whenever bytes move. */
    bool is_silent;
    char refused[96]; /* Why the fence stopped it. */
    char error[CURL_ERROR_SIZE];
};

/* Lives as long as the process. */
struct http_world {
    CURLM *multi; /* Keeps connections between calls. */
    atomic_bool is_killed;
};
extern struct http_world http_world;

/* Fails the task with the words; gives BT_PLUGIN_FAILED. */
#define HTTP_FAIL(call, ...) ((call)->host->fail((call)->run, __VA_ARGS__))
void http_log(struct http_call *call, enum bt_plugin_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- options.c -------------------------------------------------------------------------------- */

int http_options_read(struct http_call *call);
/* The text at the path, or NULL when it is absent or empty. */
const char *http_prop(struct http_call *call, const char *path);
bool http_is_allowed_code(struct http_call *call, long code);

/* --- url.c ------------------------------------------------------------------------------------ */

int http_url_make(struct http_call *call); /* From `uri` and `params`. */
bool http_url_same_origin(const char *a, const char *b);
/* Puts a URL without its user information into `out`. */
void http_url_redact(const char *url, struct bytes *out);
/* The name that a downloaded file gets; at most HTTP_FILE_NAME_MAX bytes. */
void http_file_name(struct http_call *call, char name[HTTP_FILE_NAME_MAX + 1]);

/* --- body.c ----------------------------------------------------------------------------------- */

int http_body_read(struct http_call *call); /* Which body there is. */
int http_body_set(struct http_call *call);  /* Puts it on the handle: once for each exchange. */
bool http_is_storage_uri(struct bt_text text);

/* --- headers.c -------------------------------------------------------------------------------- */

int http_headers_set(struct http_call *call);
void http_response_reset(struct http_call *call);
size_t http_on_header(char *at, size_t size, size_t count, void *data);
/* The first header of that name, or NULL. */
const char *http_header(const struct http_response *response, const char *name);
/* {"name": ["value", …], …} */
bool http_headers_json(const struct http_response *response, struct bytes *out);

/* --- tls.c ------------------------------------------------------------------------------------ */

int http_tls_read(struct http_call *call);
int http_tls_set(struct http_call *call);

/* --- fence.c ---------------------------------------------------------------------------------- */

bool http_fence_is_forced(void); /* The environment closes it. */
void http_fence_set(struct http_call *call);

/* --- transfer.c ------------------------------------------------------------------------------- */

/* Does the request with its redirects and retries. BT_PLUGIN_OK also for a code that is a failure.
 */
int http_transfer(struct http_call *call);
bool http_is_stopped(struct http_call *call);

/* --- charset.c -------------------------------------------------------------------------------- */

bool http_is_utf8(struct bt_text text);
/* Makes the received body UTF-8. */
int http_body_decode(struct http_call *call);

#endif
