/* http_server.c — The smallest HTTP server that keeps connections open: the other side of the HTTP
 * benchmarks. One thread, epoll, one answer for every request without a body. Must never be a model
 * for anything that faces a network.
 * Usage: http_server [BODY-BYTES [DELAY-US]]; answers after the delay. Prints its port on 127.0.0.1
 * and serves until its input ends. */
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
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 1024, REQUEST_BYTES = 8192, BODY_MAX = 1 << 20, EVENTS = 64 };

struct client {
    char in[REQUEST_BYTES];
    size_t len;
};

/* Answers that wait: the delay is the same for all, so they are due in this order. */
static struct {
    int fd;
    int64_t due_ns;
} waiting[FDS_MAX];
static size_t waiting_first, waiting_count;
static int64_t delay_ns;

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

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool answer_later(int fd)
{
    if (delay_ns == 0)
        return send_all(fd);
    if (waiting_count == FDS_MAX)
        return false;
    size_t at = (waiting_first + waiting_count++) % FDS_MAX;
    waiting[at].fd = fd;
    waiting[at].due_ns = now_ns() + delay_ns;
    return true;
}

/* Sends what is due. A client that hung up meanwhile is none any more; its number may be another's
 * by now, who then gets an answer early: good enough for a measurement. */
static void answer_due(void)
{
    for (int64_t now = now_ns(); waiting_count > 0 && waiting[waiting_first].due_ns <= now;) {
        int fd = waiting[waiting_first].fd;
        waiting_first = (waiting_first + 1) % FDS_MAX;
        waiting_count--;
        if (clients[fd] && !send_all(fd))
            drop(fd);
    }
}

static int wait_events(int epoll, struct epoll_event *events)
{
    if (waiting_count == 0)
        return epoll_wait(epoll, events, EVENTS, -1);
    int64_t left = waiting[waiting_first].due_ns - now_ns();
    left = left > 0 ? left : 0;
    struct timespec wait = {left / 1000000000, left % 1000000000};
    return epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
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
        if (!answer_later(fd)) {
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
    delay_ns = argc > 2 ? (int64_t)strtoul(argv[2], NULL, 10) * 1000 : 0;
    int listener = listen_any(&port), epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    watch(epoll, STDIN_FILENO);
    printf("%u\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = wait_events(epoll, events);
        answer_due();
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
