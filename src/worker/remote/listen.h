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
    struct bt_hub *hub;        /* Borrowed. */
    struct bt_files *files;    /* Borrowed: what remote workers read and write. */
    struct bt_fetcher fetcher; /* What they fetch; looks at tenant, execution, version and time. */
    struct bt_world world;     /* What their expressions may ask; empty: nothing. */
    const char *address;       /* "host:port", ":port" (loopback), or "unix:/path". */
    const char *token;         /* What a worker must say. */
    unsigned heartbeat_ms;     /* 0: 1000. */
    unsigned lost_ms;          /* 0: 5000. */
    /* So long workers of an earlier server may run what it gave them; 0: there are none. After it
     * the hub's orphans are lost. */
    unsigned orphan_ms;
    /* Called in the listener's thread with `data`, before the first worker joins and after the last
     * one is gone: for so long after this server's end, workers may go on. Must be durable on
     * return; on an error the worker is sent away for now. May be NULL. */
    int (*hold_lease)(void *data, unsigned ms, struct bt_err *err);
    void (*drop_lease)(void *data);
    void *data;
};

int bt_listener_start(const struct bt_listener_config *config, struct bt_listener **ret_listener,
                      struct bt_err *err);
/* The address as it can be connected to ("127.0.0.1:41234"). Borrowed. */
const char *bt_listener_address(const struct bt_listener *listener);
/* Closes all connections; what their workers hold is lost. Accepts and returns NULL. */
struct bt_listener *bt_listener_stop(struct bt_listener *listener);
