/* listen.h — The server's side of remote workers: a socket, its connections, and who is alive.
 *
 * One thread with epoll serves all workers; file transfers have a thread each (bounded). A worker
 * that is silent or away for `lost_ms` is lost: the hub gives its jobs out again. */
#pragma once
#include "files/files.h"
#include "worker/hub.h"
#include "worker/world.h"

struct bt_listener; /* Opaque. */

struct bt_listener_config {
    struct bt_hub *hub;     /* Borrowed. */
    struct bt_files *files; /* Borrowed: what remote workers read and write. */
    struct bt_world world;  /* What their expressions may ask; empty: nothing. */
    const char *address;    /* "host:port", ":port" (loopback), or "unix:/path". */
    const char *token;      /* What a worker must say. */
    unsigned heartbeat_ms;  /* 0: 1000. */
    unsigned lost_ms;       /* 0: 5000. */
};

int bt_listener_start(const struct bt_listener_config *config, struct bt_listener **ret_listener,
                      struct bt_err *err);
/* The address as it can be connected to ("127.0.0.1:41234"). Borrowed. */
const char *bt_listener_address(const struct bt_listener *listener);
/* Closes all connections; what their workers hold is lost. Accepts and returns NULL. */
struct bt_listener *bt_listener_stop(struct bt_listener *listener);
