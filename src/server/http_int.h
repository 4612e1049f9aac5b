/* http_int.h — What the parts of the HTTP layer share. Stays in this room. */
#pragma once
#include "base/vec.h"
#include "server/http.h"
#include "server/mhd.h"
#include "server/router.h"
#include "server/server.h"

#include <pthread.h>
#include <stdatomic.h>

enum bt_phase_http {
    BT_PHASE_NEW,      /* Only the request line and headers are known. */
    BT_PHASE_BODY,     /* The body is coming. */
    BT_PHASE_WORKING,  /* A handler has it; the connection is suspended. */
    BT_PHASE_ANSWERED, /* The response is ready to be sent. */
    BT_PHASE_SENT,
};

/* A request with what the layer itself needs. */
struct exchange {
    struct bt_request request; /* First: a request is its exchange. */
    struct bt_server *server;
    struct MHD_Connection *connection;
    enum bt_phase_http phase;
    char *uri_text; /* Owned. */
    struct bt_form *form;
    size_t route_index;
    uint64_t body_bytes;
    bool is_body_too_large;
    int64_t began_us; /* Monotonic. */
    struct link *link;
    bt_handler *handler;   /* What the pool runs: the route's, or what goes on after a wait. */
    struct exchange *next; /* In the pool's queue. */
};

/* A connection, for those that take too long. */
struct link {
    struct link *next, *previous;
    struct MHD_Connection *connection;
    int fd;
    int64_t since_us; /* Monotonic: when it began to wait for headers or body; 0: it is our turn. */
    bool is_body;
    bool is_shut;
    bool is_refused; /* One too many: it gets no handler. */
};

struct bt_server {
    struct bt_service *service;
    struct bt_router *router;
    struct bt_server_config config;
    struct MHD_Daemon *daemon, *local;
    char address[160]; /* "http://127.0.0.1:8080" */
    bool is_open;      /* Anonymous is allowed: loopback only. */
    unsigned connections_max;
    atomic_bool is_stopping;
    atomic_int connections, working; /* working: suspended for a handler. */
    /* The pool. */
    pthread_mutex_t lock;
    pthread_cond_t changed, watch_changed;
    struct exchange *queue_head, *queue_tail;
    unsigned thread_count, idle_count, queued;
    pthread_t threads[64];
    /* Connections. */
    pthread_mutex_t links_lock;
    struct link *links;
    pthread_t watch;
    bool has_watch;
    struct follow *follow;
    struct events *events;
    struct bt_route_stat *stats; /* One a route, then one for what has none. */
};

/* For metrics: requests by class of status, and their time. */
struct bt_route_stat {
    atomic_uint_least64_t count[6]; /* By first digit of the status. */
    atomic_uint_least64_t sum_us;
};

/* request.c */
int request_parse(struct exchange *exchange, const char *method, struct bt_err *err);
/* respond.c */
enum MHD_Result respond_send(struct exchange *exchange);
int status_of(int code);
/* form.c */
bool form_is_wanted(struct bt_str content_type);
int form_open(struct exchange *exchange, struct bt_err *err);
/* False: a part is too large or cannot be kept; form_close() says why. */
bool form_add(struct exchange *exchange, const char *at, size_t len);
int form_close(struct exchange *exchange, struct bt_err *err); /* The parts are in the request. */
void form_free(struct exchange *exchange);
/* access.c */
/* Gives the request its principal, or answers it (response.status is set), or fails. */
int access_check(struct exchange *exchange, struct bt_err *err);
/* follow.c */
int follow_start(struct bt_server *server, struct bt_err *err);
void follow_stop(struct bt_server *server); /* Ends all streams and waits. */
void follow_join(struct bt_server *server); /* After every connection was closed. */
/* events.c */
int events_start(struct bt_server *server, struct bt_err *err);
void events_stop(struct bt_server *server); /* Ends all streams. */
void events_free(struct bt_server *server); /* After every connection was closed. */
/* pool.c */
int pool_start(struct bt_server *server, struct bt_err *err);
void pool_stop(struct bt_server *server);
/* False: too much is waiting. */
bool pool_add(struct bt_server *server, struct exchange *exchange);
void run_handler(struct exchange *exchange);
/* watch.c */
int watch_start(struct bt_server *server, struct bt_err *err);
void watch_stop(struct bt_server *server);
struct link *watch_add(struct bt_server *server, struct MHD_Connection *connection, int fd);
void watch_remove(struct bt_server *server, struct link *link);
void watch_waits(struct bt_server *server, struct link *link, bool is_body); /* For the client. */
void watch_works(struct bt_server *server, struct link *link);               /* We do. */
void watch_refuse(struct bt_server *server, struct link *link); /* It goes when it has read why. */
