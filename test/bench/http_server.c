/* http_server.c — The smallest HTTP server that keeps connections open: the other side of the HTTP
 * benchmarks. One thread, epoll, one answer for every request without a body. Must never be a model
 * for anything that faces a network.
 * Usage: http_server [BODY-BYTES]; prints its port on 127.0.0.1 and serves until its input ends. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 1024, REQUEST_BYTES = 8192, BODY_MAX = 1 << 20, EVENTS = 64 };

struct client {
    char in[REQUEST_BYTES];
    size_t len;
};

static struct client *clients[FDS_MAX]; /* By descriptor. */
static char answer[BODY_MAX + 256];
static size_t answer_len;

static void make_answer(size_t body)
{
    int len = snprintf(answer, 256,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                       body);
    assert(len > 0 && body <= BODY_MAX);
    memset(answer + len, 'x', body);
    answer_len = (size_t)len + body;
}

static int listen_any(uint16_t *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 256) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) < 0) {
        perror("http_server");
        exit(1);
    }
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int rc = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    assert(rc == 0);
}

static void accept_all(int epoll, int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= FDS_MAX || !(clients[fd] = calloc(1, sizeof *clients[fd]))) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(epoll, fd);
    }
}

static void drop(int fd)
{
    free(clients[fd]);
    clients[fd] = NULL;
    close(fd);
}

static bool send_all(int fd)
{
    size_t at = 0;
    while (at < answer_len) {
        ssize_t put = send(fd, answer + at, answer_len - at, MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN)
            return false;
        at += put > 0 ? (size_t)put : 0;
    }
    return true;
}

/* Answers every whole request that has come. */
static void serve(int fd)
{
    struct client *client = clients[fd];
    ssize_t got = recv(fd, client->in + client->len, sizeof client->in - client->len, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop(fd);
        return;
    }
    client->len += (size_t)got;
    char *end;
    while ((end = memmem(client->in, client->len, "\r\n\r\n", 4))) {
        size_t used = (size_t)(end - client->in) + 4;
        client->len -= used;
        memmove(client->in, client->in + used, client->len);
        if (!send_all(fd)) {
            drop(fd);
            return;
        }
    }
    if (client->len == sizeof client->in)
        drop(fd);
}

int main(int argc, char **argv)
{
    uint16_t port;
    make_answer(argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 100);
    int listener = listen_any(&port), epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    watch(epoll, STDIN_FILENO);
    printf("%u\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd == listener)
                accept_all(epoll, listener);
            else
                serve(fd);
        }
    }
}
