/* watch.c — Closes connections whose client takes too long with its headers or its body: byte by
 * byte is no way to hold a connection for ever. (One that stops taking its answer is the library's
 * time limit.) */
#include "base/limits.h"
#include "server/http_int.h"

#include <stdlib.h>
#include <sys/socket.h>

struct link *watch_add(struct bt_server *server, struct MHD_Connection *connection, int fd)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    *link = (struct link){
        .connection = connection, .fd = fd, .since_us = bt_clock_mono_us(bt_clock_system())};
    (void)pthread_mutex_lock(&server->links_lock);
    link->next = server->links;
    if (link->next)
        link->next->previous = link;
    server->links = link;
    (void)pthread_mutex_unlock(&server->links_lock);
    return link;
}

void watch_remove(struct bt_server *server, struct link *link)
{
    if (!link)
        return;
    (void)pthread_mutex_lock(&server->links_lock);
    if (link->next)
        link->next->previous = link->previous;
    if (link->previous)
        link->previous->next = link->next;
    else
        server->links = link->next;
    (void)pthread_mutex_unlock(&server->links_lock);
    free(link);
}

static void move(struct bt_server *server, struct link *link, int64_t since_us, bool is_body)
{
    if (!link)
        return;
    (void)pthread_mutex_lock(&server->links_lock);
    link->since_us = since_us;
    link->is_body = is_body;
    (void)pthread_mutex_unlock(&server->links_lock);
}

void watch_waits(struct bt_server *server, struct link *link, bool is_body)
{
    move(server, link, bt_clock_mono_us(bt_clock_system()), is_body);
}

void watch_works(struct bt_server *server, struct link *link)
{
    move(server, link, 0, false);
}

void watch_refuse(struct bt_server *server, struct link *link)
{
    (void)pthread_mutex_lock(&server->links_lock);
    link->is_refused = true;
    (void)pthread_mutex_unlock(&server->links_lock);
}

static void close_slow(struct bt_server *server)
{
    int64_t now_us = bt_clock_mono_us(bt_clock_system());
    (void)pthread_mutex_lock(&server->links_lock);
    for (struct link *link = server->links; link; link = link->next) {
        int64_t most_s = link->is_refused ? BT_HTTP_REFUSED_S
                         : link->is_body  ? server->config.body_s
                                          : server->config.headers_s;
        if (link->is_shut || !link->since_us || now_us - link->since_us < most_s * 1000000)
            continue;
        link->is_shut = true;
        (void)shutdown(link->fd, SHUT_RDWR); /* It may be gone already. */
    }
    (void)pthread_mutex_unlock(&server->links_lock);
}

static void *watch(void *data)
{
    struct bt_server *server = data;
    (void)pthread_mutex_lock(&server->lock);
    while (!atomic_load(&server->is_stopping)) {
        bt_clock_wait(&server->watch_changed, &server->lock, 1000000);
        (void)pthread_mutex_unlock(&server->lock);
        close_slow(server);
        (void)pthread_mutex_lock(&server->lock);
    }
    (void)pthread_mutex_unlock(&server->lock);
    return NULL;
}

int watch_start(struct bt_server *server, struct bt_err *err)
{
    if (pthread_create(&server->watch, NULL, watch, server) != 0)
        return bt_fail_mem(err, "server");
    server->has_watch = true;
    return BT_OK;
}

void watch_stop(struct bt_server *server)
{
    if (!server->has_watch)
        return;
    (void)pthread_mutex_lock(&server->lock);
    (void)pthread_cond_broadcast(&server->watch_changed);
    (void)pthread_mutex_unlock(&server->lock);
    (void)pthread_join(server->watch, NULL);
    server->has_watch = false;
}
