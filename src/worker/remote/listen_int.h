/* listen_int.h — Shared by the files of the listener. Two threads: the listener's never blocks, so
 * heartbeats are answered whatever the engine does; the reporter's hands over what workers report,
 * and waits when the engine is behind. */
#pragma once
#include "base/vec.h"
#include "sys/clock.h"
#include "worker/remote/address.h"
#include "worker/remote/frame.h"
#include "worker/remote/listen.h"
#include "worker/remote/wire.h"

#include <pthread.h>

enum { TRANSFERS_MAX = 64, WORKER_ID_SIZE = 40 };

/* What the hub wants of a worker, in order. */
struct order {
    struct bt_job *job; /* NULL: kill, or release. */
    uint64_t token;     /* Or the place's id. */
    bool is_release;
};

/* A worker, which may outlive its connections. Counted: by the listener's table and by reports. */
struct peer {
    struct bt_listener *listener;
    char id[WORKER_ID_SIZE];
    struct bt_member *member;
    unsigned slots;
    /* Under the listener's mutex: */
    unsigned refs;
    struct conn *conn; /* NULL: away. */
    BT_VEC(struct order) orders;
    /* Of the listener's thread: */
    bool is_draining;
    int64_t heard_us;   /* Monotonic time of its last word. */
    int64_t logs_count; /* Of the last LOGS that was taken: repeated ones are dropped. */
};

struct conn {
    int fd;
    struct bt_buf in;
    struct peer *peer; /* NULL before HELLO. Changes under the mutex. */
    int64_t opened_us;
    bool is_closing;               /* After `out` is sent. */
    bool waits_for_out;            /* epoll says when it can be written to. */
    BT_VEC(struct bt_flow *) sent; /* Flows that it knows; references. */
    struct bt_buf out;             /* Under the mutex. */
    size_t out_at;                 /* What of it is sent. */
};

/* What is for the hub. */
enum report_kind {
    REPORT_MESSAGE, /* Of a worker. */
    REPORT_LEAVE,   /* A worker is lost. */
    REPORT_EXPIRE,  /* Orphans are. */
    REPORT_SETTLED, /* Workers that are there have come. */
};
struct report {
    struct report *next;
    enum report_kind kind;
    struct peer *peer; /* NULL: EXPIRE. */
    enum bt_frame_type type;
    struct bt_value *message;
};

struct bt_listener {
    struct bt_listener_config config;
    char address[BT_ADDRESS_SIZE];
    char *token;
    int listen_fd, epoll_fd, wake_fd;
    pthread_t thread, report_thread;
    bool has_thread, has_report_thread;
    pthread_mutex_t lock;
    pthread_cond_t transfers_changed, reports_changed;
    /* Under the mutex: */
    bool is_stopping, is_awake;
    struct transfer *transfers; /* Of file connections; each has a thread. */
    unsigned transfer_count;
    struct report *first_report, **last_report;
    /* Of the listener's thread: */
    bool is_settled;  /* Workers have had the time to come. */
    bool has_expired; /* Orphans of an earlier server were given up. */
    int64_t started_us, ticked_us;
    char *chunk; /* What is read, before it goes to its connection. */
    BT_VEC(struct conn *) conns;
    BT_VEC(struct peer *) peers;
};

static inline int64_t mono_us(void)
{
    return bt_clock_mono_us(bt_clock_system());
}

static inline void lock(struct bt_listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock); /* Cannot fail on a default mutex. */
}

static inline void unlock(struct bt_listener *listener)
{
    (void)pthread_mutex_unlock(&listener->lock); /* As above. */
}

/* listen.c */
/* Appends a frame to a connection's output. Takes the value. Under the mutex. */
void listener_queue(struct conn *conn, enum bt_frame_type type, struct bt_value *value);
/* The same, taking the mutex. */
void listener_send(struct bt_listener *listener, struct conn *conn, enum bt_frame_type type,
                   struct bt_value *value);
/* Says why and closes. */
void listener_refuse(struct bt_listener *listener, struct conn *conn, const char *message);
/* There is something for the listener's thread to do. Under the mutex. */
void listener_wake(struct bt_listener *listener);
struct bt_value *listener_welcome(const struct bt_listener *listener);

/* listen_hello.c */
/* The first frame of a connection. */
void listener_hello(struct bt_listener *listener, struct conn *conn, const struct bt_frame *frame);

/* listen_peers.c */
/* A worker says that it is there: a new one, or one that was away. */
void peer_hello(struct bt_listener *listener, struct conn *conn, const struct bt_value *hello);
void peer_on_frame(struct bt_listener *listener, struct conn *conn, const struct bt_frame *frame);
/* Its connection is gone. */
void peer_away(struct bt_listener *listener, struct conn *conn);
/* Turns its orders into frames. */
void peer_write_orders(struct bt_listener *listener, struct conn *conn);
/* Workers that were silent for too long, and orphans that nobody has claimed. */
void peers_tick(struct bt_listener *listener, int64_t now_us);
/* While this thread stood still (a stopped machine) nobody could be heard: that is no silence. */
void peers_forgive(struct bt_listener *listener, int64_t stall_us, int64_t now_us);
/* Every one leaves. */
void peers_done(struct bt_listener *listener);
void peer_unref(struct peer *peer); /* Under the mutex. */

/* listen_reports.c */
/* Takes the message. */
void report_put(struct bt_listener *listener, struct peer *peer, enum bt_frame_type type,
                struct bt_value *message);
void report_event(struct bt_listener *listener, enum report_kind kind, struct peer *peer);
void *report_main(void *listener); /* The thread; returns when the listener stops. */
/* After the thread: workers leave, their words are not heard any more. */
void reports_done(struct bt_listener *listener);

/* listen_files.c: serves a file connection on a thread of its own; takes the socket. */
void listener_serve_files(struct bt_listener *listener, int fd);
void files_done(struct bt_listener *listener); /* Ends them all. */
