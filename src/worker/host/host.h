/* host.h — Host processes of a worker: started through its warden, reused for further tasks of the
 * same plugin, ended when they are old, large or idle. All on the worker's thread. */
#pragma once
#include "plugin/type.h"
#include "sys/warden.h"
#include "worker/host/frame.h"
#include "worker/host/props.h"

struct bt_worker;
struct slot;

enum { HOST_PIPE_OUT, HOST_PIPE_ERR, HOST_PIPE_COUNT, HOST_SOCKET = HOST_PIPE_COUNT, HOST_FDS };
enum { HOST_DIR_SIZE = 64 };

enum host_state {
    HOST_FREE,
    HOST_IDLE,
    HOST_BUSY,
    HOST_ENDING, /* It has no slot; the warden kills it. */
};

struct host {
    struct bt_worker *worker;
    uint32_t index;
    enum host_state state;
    const struct bt_plugin_info *plugin;
    struct slot *slot;       /* BUSY: whose attempt it runs. */
    int fds[HOST_FDS];       /* Pipes and socket; -1: closed. */
    struct bt_frames frames; /* From the plugin. */
    struct bt_buf out;       /* To it, not sent yet … */
    size_t out_at;           /* … from here on. */
    bool is_paused;          /* Nothing is read: a helper works for it. */
    uint32_t watched;        /* Events of the socket that epoll has. */
    int64_t tasks;           /* Begun so far. */
    uint64_t idle_since_ms;
    char dir[HOST_DIR_SIZE]; /* IDLE: an empty working directory for its next task, or "". */
};

/* The worker's hosts: three for each slot, so that one can end while another takes its place. */
int hosts_init(struct bt_worker *worker, struct bt_err *err);
void hosts_done(struct bt_worker *worker);
bool hosts_have_free(const struct bt_worker *worker); /* A new host could be started. */
/* An idle host of the plugin, or a new one; BUSY for the slot. BT_ABORTED: the warden was killed.
 * BT_BUSY: too many are ending; try again when hosts_have_free(). */
int host_acquire(struct slot *slot, const struct bt_plugin_info *plugin, struct host **ret_host,
                 struct bt_err *err);
/* The idle host that host_acquire() would take, or NULL. */
struct host *host_next(struct bt_worker *worker, const struct bt_plugin_info *plugin);
void host_release(struct host *host);      /* Idle again, or ended when there are too many. */
void host_end(struct host *host);          /* An idle one is killed; others are left alone. */
void host_forget(struct host *host);       /* Its processes are gone. */
void host_drop_dir(struct host *host);     /* dir.c: removes the directory that it kept. */
void hosts_lose(struct bt_worker *worker); /* The warden is gone, and with it all of them. */

/* Sends what waits in host->out. BT_ABORTED: it does not read any more. */
int host_flush(struct host *host, struct bt_err *err);
/* Sends the message in `text` (or the rest later); `fd` (-1: none) goes with it. */
int host_send(struct host *host, struct bt_str text, int fd, struct bt_err *err);
void host_pause(struct host *host, bool is_paused);

/* What epoll says, by the mark of host_mark(). */
#define HOST_MARK (UINT64_C(1) << 40)
void hosts_on_ready(struct bt_worker *worker, uint64_t mark, uint32_t events);
/* An event of the warden for a ward that is no slot's. */
void hosts_on_event(struct bt_worker *worker, const struct bt_warden_event *event);
uint32_t host_ward(const struct host *host);
