/* address.c — Sockets by address. */
#include "worker/remote/address.h"

#include "base/own.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *unix_path(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
}

static int unix_address(const char *path, struct sockaddr_un *ret_address, struct bt_err *err)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof ret_address->sun_path)
        return bt_fail(err, BT_INVALID, "the socket's path must have 1 to %zu bytes",
                       sizeof ret_address->sun_path - 1);
    memcpy(ret_address->sun_path, path, len);
    return BT_OK;
}

/* Splits "tcp://host:port" into host ("127.0.0.1" when empty) and port. */
static int split(const char *address, char host[256], char port[16], struct bt_err *err)
{
    struct bt_str text = bt_str_of(address);
    if (bt_str_starts(text, BT_STR("tcp://")))
        text = bt_str_slice(text, 6, text.len);
    const char *colon = memrchr(text.at, ':', text.len);
    size_t host_len = colon ? (size_t)(colon - text.at) : 0;
    size_t port_len = colon ? text.len - host_len - 1 : 0;
    if (!colon || port_len == 0 || port_len > 5 || host_len > 255) {
        (void)bt_fail(err, BT_INVALID, "'%s' is not an address", address);
        return bt_hint(err, "write host:port, :port, or unix:/path");
    }
    (void)snprintf(host, 256, "%.*s", (int)host_len, text.at);
    (void)snprintf(port, 16, "%.*s", (int)port_len, colon + 1);
    if (host_len == 0)
        (void)snprintf(host, 256, "127.0.0.1");
    if (host[0] == '[' && host_len > 2) { /* [::1] */
        memmove(host, host + 1, host_len - 2);
        host[host_len - 2] = '\0';
    }
    return BT_OK;
}

static int resolve(const char *address, int flags, struct addrinfo **ret_list, struct bt_err *err)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    BT_TRY(split(address, host, port, err));
    int rc = getaddrinfo(host, port, &hints, ret_list);
    if (rc != 0)
        return bt_fail(err, BT_INVALID, "cannot find the address '%s': %s", address,
                       gai_strerror(rc));
    return BT_OK;
}

static int listen_unix(const char *path, int *ret_fd, struct bt_err *err)
{
    struct sockaddr_un address;
    BT_TRY(unix_address(path, &address, err));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make a socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        (void)close(fd);
        return bt_fail(err, BT_BUSY, "somebody listens on '%s' already", path);
    }
    (void)close(fd);
    (void)unlink(path); /* Nobody listens on it. */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0177);
    int rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
    (void)umask(mask);
    if (rc < 0 || listen(fd, 512) < 0) {
        (void)bt_fail_errno(err, BT_IO, errno, "cannot listen on '%s'", path);
        if (fd >= 0)
            (void)close(fd);
        return BT_IO;
    }
    *ret_fd = fd;
    return BT_OK;
}

static int listen_tcp(const char *address, int *ret_fd, char bound[BT_ADDRESS_SIZE],
                      struct bt_err *err)
{
    struct addrinfo *list;
    BT_TRY(resolve(address, AI_PASSIVE, &list, err));
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    bool is_good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                   bind(fd, list->ai_addr, list->ai_addrlen) == 0 && listen(fd, 512) == 0;
    int why = errno;
    freeaddrinfo(list);
    if (!is_good) {
        if (fd >= 0)
            (void)close(fd);
        return bt_fail_errno(err, BT_IO, why, "cannot listen on '%s'", address);
    }
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    char host[256], port[16];
    if (getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
        getnameinfo((struct sockaddr *)&name, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        (void)snprintf(bound, BT_ADDRESS_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    *ret_fd = fd;
    return BT_OK;
}

int bt_address_listen(const char *address, int *ret_fd, char bound[BT_ADDRESS_SIZE],
                      struct bt_err *err)
{
    const char *path = unix_path(address);
    (void)snprintf(bound, BT_ADDRESS_SIZE, "%s", address); /* Cut is only shown. */
    return path ? listen_unix(path, ret_fd, err) : listen_tcp(address, ret_fd, bound, err);
}

static void set_timeouts(int fd, int timeout_ms)
{
    struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
                     sizeof limit); /* Only makes waits longer. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* Not for Unix sockets. */
}

/* *ret_fd: connected. Else errno says why. */
static bool connect_to(const struct sockaddr *address, socklen_t len, int timeout_ms, int *ret_fd)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    set_timeouts(fd, timeout_ms);
    if (connect(fd, address, len) == 0) {
        *ret_fd = fd;
        return true;
    }
    int why = errno;
    (void)close(fd);
    errno = why;
    return false;
}

int bt_address_connect(const char *address, int timeout_ms, int *ret_fd, struct bt_err *err)
{
    const char *path = unix_path(address);
    struct sockaddr_un local;
    struct addrinfo *list = NULL;
    bool is_there = false;
    if (path) {
        BT_TRY(unix_address(path, &local, err));
        is_there = connect_to((const struct sockaddr *)&local, sizeof local, timeout_ms, ret_fd);
    } else {
        BT_TRY(resolve(address, 0, &list, err));
    }
    for (const struct addrinfo *at = list; at && !is_there; at = at->ai_next)
        is_there = connect_to(at->ai_addr, at->ai_addrlen, timeout_ms, ret_fd);
    int why = errno;
    if (list)
        freeaddrinfo(list);
    return is_there ? BT_OK : bt_fail_errno(err, BT_IO, why, "cannot connect to '%s'", address);
}
