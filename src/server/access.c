/* access.c — Who may ask at all: the one place where a request gets its principal.
 *
 * Every route needs authentication unless its row says BT_ROUTE_ANONYMOUS. Until there are accounts
 * this is: the local socket (its file belongs to this user), the server's token, or, when the
 * server listens on loopback only, anybody on this machine. A page of another site that makes a
 * browser ask us is refused: its Host or Origin is not ours. */
#include "server/http_int.h"

#include <nettle/base64.h>
#include <nettle/memops.h>
#include <strings.h>
#include <sys/socket.h>

/* The host without its port. */
static struct bt_str host_name(struct bt_str host)
{
    if (host.len && host.at[0] == '[') {
        ptrdiff_t end = bt_str_find(host, BT_STR("]"), 0);
        bool is_last = end >= 0 && ((size_t)end + 1 == host.len || host.at[end + 1] == ':');
        return is_last ? bt_str_slice(host, 1, (size_t)end) : host;
    }
    ptrdiff_t colon = bt_str_find(host, BT_STR(":"), 0);
    return colon < 0 ? host : bt_str_slice(host, 0, (size_t)colon);
}

static bool ends_like(struct bt_str text, struct bt_str with)
{
    return text.len >= with.len &&
           strncasecmp(text.at + text.len - with.len, with.at, with.len) == 0;
}

/* 127.0.0.1, but not 127.0.0.1.example.org: anybody may have that name lead here. */
static bool is_loopback_number(struct bt_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] != '.' && (name.at[i] < '0' || name.at[i] > '9'))
            return false;
    return bt_str_starts(name, BT_STR("127."));
}

static bool is_this_machine(struct bt_str host)
{
    static const struct bt_str local = {"localhost", 9}, below = {".localhost", 10};
    struct bt_str name = host_name(host);
    return (name.len == local.len && ends_like(name, local)) || ends_like(name, below) ||
           is_loopback_number(name) || bt_str_is(name, "::1") || host.len == 0;
}

static bool is_token(const struct bt_server *server, struct bt_str given)
{
    struct bt_str token = bt_str_of(server->config.token);
    return token.len && given.len == token.len && nettle_memeql_sec(given.at, token.at, token.len);
}

/* "user:password" of HTTP Basic: the password is the token. */
static bool is_basic(const struct bt_server *server, struct bt_str text)
{
    struct base64_decode_ctx base64;
    uint8_t out[600];
    size_t len = sizeof out;
    nettle_base64_decode_init(&base64);
    if (text.len > 700 || !nettle_base64_decode_update(&base64, &len, out, text.len, text.at))
        return false;
    struct bt_str pair = {(const char *)out, len};
    ptrdiff_t colon = bt_str_find(pair, BT_STR(":"), 0);
    return colon >= 0 && is_token(server, bt_str_slice(pair, (size_t)colon + 1, len));
}

static bool is_authorised(const struct exchange *exchange)
{
    struct bt_str header = bt_header(&exchange->request, "Authorization");
    if (bt_str_starts(header, BT_STR("Bearer ")))
        return is_token(exchange->server, bt_str_slice(header, 7, header.len));
    if (bt_str_starts(header, BT_STR("Basic ")))
        return is_basic(exchange->server, bt_str_slice(header, 6, header.len));
    return false;
}

/* A browser says from which page a request comes; what it says of the site holds behind a proxy
 * too, where the host may be another. */
static bool is_same_origin(const struct bt_request *request)
{
    struct bt_str site = bt_header(request, "Sec-Fetch-Site");
    struct bt_str origin = bt_header(request, "Origin");
    if (site.len)
        return bt_str_is(site, "same-origin") || bt_str_is(site, "none");
    if (!origin.len)
        return true;
    ptrdiff_t slashes = bt_str_find(origin, BT_STR("://"), 0);
    return slashes >= 0 &&
           bt_str_eq(bt_str_slice(origin, (size_t)slashes + 3, origin.len), request->host);
}

static bool is_local(const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        bt_mhd.get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return exchange->server->config.local_path && info && info->client_addr &&
           info->client_addr->sa_family == AF_UNIX;
}

int access_check(struct exchange *exchange, struct bt_err *err)
{
    struct bt_request *request = &exchange->request;
    request->principal = (struct bt_principal){.tenant = "main", .user = "anonymous"};
    if (is_local(exchange)) {
        request->principal.user = "local";
        return BT_OK;
    }
    bool is_change = request->method != BT_GET;
    if (is_authorised(exchange)) { /* A browser sends a password that it knows by itself. */
        if (is_change && !is_same_origin(request))
            return bt_fail(err, BT_DENIED, "a page of another site may not do this");
        request->principal.user = "token";
        return BT_OK;
    }
    if (request->route->flags & BT_ROUTE_ANONYMOUS)
        return BT_OK;
    if (!exchange->server->is_open) {
        bt_respond_header(request, "WWW-Authenticate", "Basic realm=\"Baton\"");
        return bt_respond_error(request, 401, BT_STR("Unauthorized: send the server's token"),
                                NULL);
    }
    if (!is_this_machine(request->host))
        return bt_fail(err, BT_DENIED, "this server answers to localhost only, not to '%.*s'",
                       BT_FMT(request->host));
    if (is_change && !is_same_origin(request))
        return bt_fail(err, BT_DENIED, "a page of another site may not do this");
    return BT_OK;
}
