/* listen_int.h — Shared by the files of the listener. */
#pragma once
#include "base/vec.h"
#include "sys/clock.h"
#include "worker/remote/address.h"
#include "worker/remote/frame.h"
#include "worker/remote/listen.h"
#include "worker/remote/wire.h"

#include <pthread.h>

enum { FILE_THREADS_MAX = 64, WORKER_ID_SIZE = 40 };

struct peer;

/* A worker, which may outlive its connections. */
struct peer {
    struct bt_listener *listener;
    char id[WORKER_ID_SIZE];
    struct bt_member *member;
    struct conn *conn; /* NULL: away. Under the listener's mutex. */
    int64_t heard_us;  /* Monotonic time of its last word. */
};

struct conn {
    int fd;
    struct bt_buf in;
    struct bt_buf out;             /* Under the listener's mutex. */
    BT_VEC(struct bt_flow *) sent; /* Flows that it knows; references. Under the mutex. */
    struct peer *peer;             /* NULL before HELLO. */
    int64_t opened_us;
    bool is_closing; /* After `out` is sent. */
};

struct bt_listener {
    struct bt_listener_config config;
    char address[BT_ADDRESS_SIZE];
    char *token;
    int listen_fd, epoll_fd, wake_fd;
    pthread_t thread;
    bool is_stopping;
    bool has_expired; /* Orphans of an earlier server were given up. */
    int64_t started_us, ticked_us;
    pthread_mutex_t lock;
    pthread_cond_t files_done;
    unsigned file_threads;
    BT_VEC(struct conn *) conns; /* Of the listener's thread. */
    BT_VEC(struct peer *) peers;
};

/* listen_files.c: serves a file connection on a thread of its own; takes the socket. */
void listener_serve_files(struct bt_listener *listener, int fd);
struct bt_value *listener_welcome(const struct bt_listener *listener);
