/* server.h — The HTTP server over a service: sockets, limits, routing, handlers.
 *
 * Three kinds of threads: HTTP threads that never block, a pool that runs handlers, and one that
 * closes connections whose client takes too long. */
#pragma once
#include "service/service.h"

struct bt_server; /* Opaque. */

struct bt_server_config {
    struct bt_service *service; /* Borrowed. */
    const char *bind;           /* Address, e.g. "127.0.0.1", "::1", "0.0.0.0". */
    uint16_t port;              /* 0: one is chosen. */
    const char *local_path;     /* Unix socket for commands of this machine, or NULL. */
    const char *token;          /* What "Authorization: Bearer …" must say. Borrowed. */
    const char *upload_dir;     /* For bodies that do not stay in memory. Borrowed. */
    unsigned threads;           /* HTTP threads; 0 = 2. */
    unsigned headers_s, body_s; /* The longest wait for headers, for a body; 0: BT_HTTP_…_S. */
};

int bt_server_start(const struct bt_server_config *config, struct bt_server **ret_server,
                    struct bt_err *err);
struct bt_router;
const struct bt_router *bt_server_router(const struct bt_server *server);
const char *bt_server_address(const struct bt_server *server); /* "http://127.0.0.1:8080" */
/* Lets requests under way end, then closes. Accepts and returns NULL. */
struct bt_server *bt_server_stop(struct bt_server *server);
