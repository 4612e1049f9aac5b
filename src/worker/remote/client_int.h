/* client_int.h — Shared by the files of the worker's side of the stream. Its threads: the link's
 * reads and writes the connection, the worker's reports, the fence's watches the lease. None of
 * them holds the mutex while it waits for the network or the disk. */
#pragma once
#include "base/buf.h"
#include "base/vec.h"
#include "files/files.h"
#include "worker/remote/client.h"
#include "worker/remote/frame.h"

#include <pthread.h>

struct bt_worker;

struct running {
    uint64_t token;
    struct bt_value *result; /* The RESULT message, once it has ended; else NULL. */
    bool is_dropped;         /* Killed by the fence: its result is of no interest. */
    struct bt_place place;
};

/* Lines that the server has not taken over yet. */
struct unacked {
    int64_t n;
    size_t bytes;
    struct bt_value *message;
};

struct bt_client {
    struct bt_client_config config;
    char *address, *token, *group, *tags;
    char id[40];
    struct bt_files *files;
    struct bt_executor executor;
    pthread_t thread, fence_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int wake_fd; /* There is something to send. */
    /* Under the mutex: */
    bool has_executor; /* It runs, and may be asked to kill. */
    bool is_online, is_draining, is_stopping, has_ended;
    struct bt_err end;
    BT_VEC(struct running) running;
    BT_VEC(uint64_t) places; /* That are open here, or being opened. */
    BT_VEC(struct unacked) logs;
    size_t log_bytes;
    int64_t log_count;
    struct bt_buf out;
    int64_t clock_ahead_us; /* Of this machine, against the server's. */
    /* Of the link's thread: */
    int fd;
    struct bt_buf in, sending; /* What goes out, and how far it is. */
    size_t sent;
    char *chunk;
    BT_VEC(struct bt_flow *) flows;
    BT_VEC(char *) flow_keys;
    int64_t heartbeat_us, beat_us, heard_us;
    /* Of several threads: */
    _Atomic int64_t lost_us, lease_us;
    _Atomic bool is_fence_over;
};

static inline void lock(struct bt_client *client)
{
    (void)pthread_mutex_lock(&client->lock); /* Cannot fail on a default mutex. */
}

static inline void unlock(struct bt_client *client)
{
    (void)pthread_mutex_unlock(&client->lock); /* As above. */
}

/* client.c. Those with _locked: under the mutex. */
void client_note(struct bt_client *client, const char *text);
/* Sends when connected. Takes the value. */
void client_send_locked(struct bt_client *client, enum bt_frame_type type, struct bt_value *value);
void client_send(struct bt_client *client, enum bt_frame_type type, struct bt_value *value);
struct running *client_find_locked(struct bt_client *client, uint64_t token);
void client_forget_locked(struct bt_client *client, struct running *entry);
void client_kill(struct bt_client *client, uint64_t token);
/* Whether the place is here. */
bool client_has_place_locked(const struct bt_client *client, uint64_t place);
/* The place is not wanted any more. */
void client_release(struct bt_client *client, uint64_t place);
/* Whatever runs here may be running elsewhere soon. */
bool client_lease_is_over(struct bt_client *client);

/* client_link.c: the connection. */
void *client_link_main(void *client);
void client_link_done(struct bt_client *client); /* What its thread has kept. */

/* client_jobs.c: what the server says. */
void client_on_frame(struct bt_client *client, const struct bt_frame *frame);
void client_drop_flows(struct bt_client *client);
