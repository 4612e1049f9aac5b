/* http.c — The library's callbacks: a connection, a request and its phases. Never blocks. */
#include "base/limits.h"
#include "base/own.h"
#include "base/utf8.h"
#include "server/http_int.h"
#include "server/stream.h"
#include "sys/fs.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { IDLE_S = 60, BACKLOG = 1024 };

/* --- A request -------------------------------------------------------------------------------- */

/* The library asks for this before anything else: the request line as it was sent. */
static void *on_uri(void *data, const char *uri, struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->server = data;
    exchange->connection = connection;
    exchange->uri_text = bt_str_dup(bt_str_of(uri));
    exchange->began_us = bt_clock_mono_us(bt_clock_system());
    exchange->request.service = exchange->server->service;
    exchange->request.server = data;
    exchange->request.response.fd = -1;
    exchange->request.response.body = (struct bt_buf)BT_BUF_INIT(BT_JSON_BYTES_MAX);
    exchange->request.body = (struct bt_buf)BT_BUF_INIT(BT_HTTP_BODY_MAX);
    exchange->request.uri = bt_str_of(exchange->uri_text);
    return exchange;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct exchange *exchange = *state;
    (void)data;
    (void)connection;
    (void)why;
    *state = NULL;
    if (!exchange)
        return;
    watch_waits(exchange->server, exchange->link, false);
    form_free(exchange);
    bt_buf_done(&exchange->request.body);
    bt_buf_done(&exchange->request.response.body);
    if (exchange->request.response.stream)
        bt_stream_drop(exchange->request.response.stream);
    if (exchange->request.response.fd >= 0)
        (void)close(exchange->request.response.fd);
    bt_arena_done(&exchange->request.arena);
    free(exchange->uri_text);
    free(exchange);
}

static enum MHD_Result refuse(struct exchange *exchange, const struct bt_err *err)
{
    (void)bt_respond_failure(&exchange->request, err); /* Always BT_OK. */
    return respond_send(exchange);
}

static enum MHD_Result count_lengths(void *data, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    int *count = data;
    (void)kind;
    (void)value;
    *count += strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0;
    return MHD_YES;
}

/* A body that says twice where it ends may hide a request from a proxy before us. */
static int check_framing(struct exchange *exchange, struct bt_err *err)
{
    int count = 0;
    (void)bt_mhd.get_connection_values(exchange->connection, MHD_HEADER_KIND, count_lengths,
                                       &count);
    return count > 1 ? bt_fail(err, BT_INVALID, "Bad Request: the length of the body is told twice")
                     : BT_OK;
}

/* Refuses a body that says that it is too long before it was sent. */
static int check_length(struct exchange *exchange, struct bt_err *err)
{
    struct bt_request *request = &exchange->request;
    struct bt_str length = bt_header(request, "Content-Length");
    bool is_form =
        request->route->flags & BT_ROUTE_FORM && form_is_wanted(bt_header(request, "Content-Type"));
    uint64_t most = is_form ? BT_HTTP_FORM_MAX : BT_HTTP_BODY_MAX;
    if (length.len)
        BT_TRY(check_framing(exchange, err));
    unsigned long long number = length.len && length.len < 20 ? strtoull(length.at, NULL, 10) : 0;
    if (length.len >= 20 || number > most)
        return bt_fail(err, BT_LIMIT, "the body has more than %llu bytes",
                       (unsigned long long)most);
    return is_form ? form_open(exchange, err) : BT_OK;
}

static enum MHD_Result begin(struct exchange *exchange, const char *method)
{
    struct bt_request *request = &exchange->request;
    struct bt_err err = BT_ERR_INIT;
    const union MHD_ConnectionInfo *info =
        bt_mhd.get_connection_info(exchange->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    exchange->link = info ? info->socket_context : NULL;
    if (exchange->link && exchange->link->is_refused)
        return MHD_NO;
    watch_waits(exchange->server, exchange->link, true);
    if (!exchange->uri_text)
        return MHD_NO;
    int rc = request_parse(exchange, method, &err);
    if (rc == BT_OK && request->response.status)
        return respond_send(exchange);
    if (rc == BT_OK)
        rc = access_check(exchange, &err);
    if (rc == BT_OK && request->response.status)
        return respond_send(exchange);
    if (rc == BT_OK)
        rc = check_length(exchange, &err);
    if (rc < 0)
        return refuse(exchange, &err);
    exchange->phase = BT_PHASE_BODY;
    return MHD_YES;
}

static void take_body(struct exchange *exchange, const char *at, size_t *len)
{
    exchange->body_bytes += *len;
    if (exchange->form)
        (void)form_add(exchange, at, *len); /* form_close() says what was wrong. */
    else if (bt_buf_add(&exchange->request.body, (struct bt_str){at, *len}) < 0)
        exchange->is_body_too_large = true;
    *len = 0;
}

/* The body is complete: the route's handler has its turn. */
static enum MHD_Result work(struct exchange *exchange)
{
    struct bt_server *server = exchange->server;
    struct bt_err err = BT_ERR_INIT;
    int rc = BT_OK;
    watch_works(server, exchange->link);
    exchange->handler = exchange->request.route->handler;
    if (exchange->is_body_too_large)
        rc = bt_fail(&err, BT_LIMIT, "the body has more than %u bytes", BT_HTTP_BODY_MAX);
    else if (exchange->form)
        rc = form_close(exchange, &err);
    else if (exchange->request.route->flags & BT_ROUTE_FORM && exchange->request.body.len)
        rc = bt_fail(&err, BT_INVALID,
                     "Unsupported Media Type: the body must be multipart/form-data");
    else if (!bt_utf8_is_valid(bt_buf_str(&exchange->request.body), NULL))
        rc = bt_fail(&err, BT_INVALID, "Invalid format: the body is no valid UTF-8");
    if (rc < 0)
        return refuse(exchange, &err);
    if (exchange->request.route->flags & BT_ROUTE_QUICK) {
        run_handler(exchange);
        assert(exchange->phase == BT_PHASE_ANSWERED);
        return respond_send(exchange);
    }
    exchange->phase = BT_PHASE_WORKING;
    (void)atomic_fetch_add(&server->working, 1);
    bt_mhd.suspend_connection(exchange->connection);
    if (!pool_add(server, exchange)) {
        (void)bt_fail(&err, BT_BUSY, "the server has too much to do; try again");
        bt_request_finish(&exchange->request, BT_BUSY, &err);
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *at,
                                  size_t *len, void **state)
{
    struct exchange *exchange = *state;
    (void)data;
    (void)connection;
    (void)url;
    (void)version;
    if (!exchange)
        return MHD_NO; /* Out of memory: the connection is closed. */
    switch (exchange->phase) {
    case BT_PHASE_NEW: return begin(exchange, method);
    case BT_PHASE_BODY:
        if (*len == 0)
            return work(exchange);
        take_body(exchange, at, len);
        return exchange->body_bytes > BT_HTTP_FORM_MAX ? MHD_NO : MHD_YES;
    case BT_PHASE_ANSWERED: return respond_send(exchange);
    case BT_PHASE_WORKING:
    case BT_PHASE_SENT: break;
    }
    *len = 0; /* The rest of the body of a request that was refused. */
    return MHD_YES;
}

/* --- A connection ----------------------------------------------------------------------------- */

/* One too many: it is told so before it has asked anything. */
static void refuse_connection(struct bt_server *server, struct link *link)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
        "Content-Length: 55\r\nConnection: close\r\n\r\n"
        "{\"message\":\"Service Unavailable: too many connections\"}";
    if (!link)
        return;
    watch_refuse(server, link);
    (void)send(link->fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* Or not. */
    (void)shutdown(link->fd, SHUT_WR);
}

static void on_connection(void *data, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct bt_server *server = data;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            bt_mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *state = info ? watch_add(server, connection, info->connect_fd) : NULL;
        if (atomic_fetch_add(&server->connections, 1) >= (int)server->connections_max)
            refuse_connection(server, *state);
        return;
    }
    watch_remove(server, *state);
    *state = NULL;
    (void)atomic_fetch_sub(&server->connections, 1);
}

/* --- Start and stop --------------------------------------------------------------------------- */

/* Segments and queries are decoded by us, so that %2F stays inside its segment. */
static size_t keep_raw(void *data, struct MHD_Connection *connection, char *text)
{
    (void)data;
    (void)connection;
    return strlen(text);
}

static void say_nothing(void *data, const char *format, va_list args)
{
    (void)data;
    (void)format;
    (void)args;
}

static unsigned connections_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 500;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);  /* As many as are allowed: less is less. */
    rlim_t kept = 500 + BT_HTTP_REFUSED_MAX; /* For files, and for those who are refused. */
    rlim_t most = limit.rlim_cur > 2 * kept ? limit.rlim_cur - kept : limit.rlim_cur / 2;
    return most < BT_HTTP_CONNECTIONS_MAX ? (unsigned)most : BT_HTTP_CONNECTIONS_MAX;
}

/* How many more are let in to be told that they are too many. */
static unsigned refused_max(const struct bt_server *server)
{
    unsigned quarter = server->connections_max / 4;
    return quarter < BT_HTTP_REFUSED_MAX ? quarter : BT_HTTP_REFUSED_MAX;
}

static struct MHD_Daemon *start_daemon(struct bt_server *server, int fd, unsigned threads)
{
    return bt_mhd.start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC,
        0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0u,
        MHD_OPTION_CONNECTION_LIMIT, server->connections_max + refused_max(server),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)BT_HTTP_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_URI_LOG_CALLBACK, on_uri,
        server, MHD_OPTION_UNESCAPE_CALLBACK, keep_raw, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
}

static int bind_address(const struct addrinfo *info, int *ret_fd)
{
    BT_FD fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* bind() tells. */
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    *ret_fd = bt_fd_take(&fd);
    return 0;
}

static void name_address(struct bt_server *server, int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};
    socklen_t len = sizeof address;
    char host[80] = "?", port[16] = "?";
    (void)getsockname(fd, (struct sockaddr *)&address, &len); /* It is bound. */
    (void)getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    bool is_v6 = strchr(host, ':') != NULL;
    (void)snprintf(server->address, sizeof server->address, "http://%s%s%s:%s", is_v6 ? "[" : "",
                   host, is_v6 ? "]" : "", port);
    server->is_open = strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static int listen_tcp(struct bt_server *server, int *ret_fd, struct bt_err *err)
{
    const struct bt_server_config *config = &server->config;
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    (void)snprintf(port, sizeof port, "%u", config->port);
    int why = getaddrinfo(config->bind, port, &hints, &list);
    if (why != 0)
        return bt_fail(err, BT_INVALID, "cannot listen on '%s': %s", config->bind,
                       gai_strerror(why));
    int rc = bind_address(list, ret_fd);
    freeaddrinfo(list);
    if (rc == 0) {
        name_address(server, *ret_fd);
        return BT_OK;
    }
    (void)bt_fail_errno(err, BT_IO, -rc, "cannot listen on %s port %s", config->bind, port);
    return rc == -EADDRINUSE ? bt_hint(err, "another program has the port; choose one with --port")
                             : BT_IO;
}

static int listen_local(struct bt_server *server, int *ret_fd, struct bt_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = server->config.local_path;
    BT_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (strlen(path) >= sizeof address.sun_path)
        return bt_fail(err, BT_INVALID, "the path of the socket '%s' is too long", path);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path); /* Of a server that was killed: the directory's lock is ours. */
    mode_t mask = umask(0177);
    int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
    int why = errno;
    (void)umask(mask);
    if (bound < 0 || listen(fd, BACKLOG) < 0)
        return bt_fail_errno(err, BT_IO, bound < 0 ? why : errno, "cannot listen on '%s'", path);
    *ret_fd = bt_fd_take(&fd);
    return BT_OK;
}

static int open_daemons(struct bt_server *server, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_FD local = -1;
    BT_TRY(listen_tcp(server, &fd, err));
    server->daemon = start_daemon(server, fd, server->config.threads ? server->config.threads : 2);
    if (!server->daemon)
        return bt_fail(err, BT_IO, "cannot start the HTTP server");
    (void)bt_fd_take(&fd); /* The daemon closes it. */
    if (!server->config.local_path)
        return BT_OK;
    BT_TRY(listen_local(server, &local, err));
    server->local = start_daemon(server, local, 1);
    if (!server->local)
        return bt_fail(err, BT_IO, "cannot start the HTTP server");
    (void)bt_fd_take(&local); /* As above. */
    return BT_OK;
}

int bt_server_start(const struct bt_server_config *config, struct bt_server **ret_server,
                    struct bt_err *err)
{
    BT_TRY(bt_mhd_load(err));
    struct bt_server *server = calloc(1, sizeof *server);
    if (!server)
        return bt_fail_mem(err, "server");
    server->config = *config;
    server->service = config->service;
    if (!server->config.headers_s)
        server->config.headers_s = BT_HTTP_HEADERS_S;
    if (!server->config.body_s)
        server->config.body_s = BT_HTTP_BODY_S;
    server->router = bt_router_new();
    server->connections_max = connections_max();
    (void)pthread_mutex_init(&server->links_lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_cond_init(&server->watch_changed, NULL);
    if (server->router)
        server->stats = calloc(bt_router_count(server->router) + 1, sizeof *server->stats);
    int rc = server->stats ? pool_start(server, err) : bt_fail_mem(err, "server");
    if (rc == BT_OK)
        rc = follow_start(server, err);
    if (rc == BT_OK)
        rc = events_start(server, err);
    if (rc == BT_OK)
        rc = watch_start(server, err);
    if (rc == BT_OK)
        rc = open_daemons(server, err);
    if (rc < 0) {
        bt_server_stop(server);
        return rc;
    }
    *ret_server = server;
    return BT_OK;
}

const struct bt_router *bt_server_router(const struct bt_server *server)
{
    return server->router;
}

const char *bt_server_address(const struct bt_server *server)
{
    return server->address;
}

struct bt_server *bt_server_stop(struct bt_server *server)
{
    if (!server)
        return NULL;
    /* Not MHD_quiesce_daemon(): its thread and the caller race for the socket in the epoll set. */
    atomic_store(&server->is_stopping, true);
    follow_stop(server);
    events_stop(server);
    while (atomic_load(&server->working)) /* Every handler comes to its end. */
        bt_clock_pause(5000);
    watch_stop(server);
    if (server->thread_count)
        pool_stop(server);
    if (server->daemon)
        bt_mhd.stop_daemon(server->daemon);
    if (server->local)
        bt_mhd.stop_daemon(server->local);
    follow_join(server);
    events_free(server);
    if (server->config.local_path)
        (void)unlink(server->config.local_path);
    bt_router_free(server->router);
    (void)pthread_cond_destroy(&server->watch_changed);
    (void)pthread_mutex_destroy(&server->links_lock);
    free(server->stats);
    free(server);
    return NULL;
}
