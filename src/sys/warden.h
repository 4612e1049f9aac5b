/* warden.h — A small process of ours that starts commands, and sees to it that nothing of them
 * stays.
 *
 * The warden is the parent and the subreaper of every command: whatever a command leaves behind, in
 * its process group or not, becomes a child of the warden and is found and killed: what shares the
 * group or an output at once, a daemon that hid from both within BT_SWEEP_MS. When our process
 * ends, however it ends (kill -9 too), the warden sees its socket close, kills all that is left,
 * removes the scratch directory and goes. When the warden itself is killed, the kernel kills the
 * commands that it started, and bt_warden_kill_marked() what they left behind.
 *
 * Commands have numbers that the caller chooses: small, and free again after EXITED (clean), FAILED
 * or ENDED. Not for several threads. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct bt_warden; /* Opaque. */

/* Starts the process. `key` (BT_WARDEN_KEY_LEN characters, no '-') marks the environment of every
 * command. `scratch` (may be NULL) is removed with all it holds when we die without
 * bt_warden_stop(). Takes no time to speak of: the process comes up while the caller goes on. */
enum { BT_WARDEN_KEY_LEN = 16 };
int bt_warden_start(const char *key, const char *scratch, struct bt_warden **ret_warden,
                    struct bt_err *err);
/* Kills every process of this machine that carries the mark of a warden that is no more, in its
 * environment or (the key) in the path of its working directory. */
void bt_warden_kill_marked(const char *key);
/* Kills what still runs, waits until the warden has gone, frees. Accepts and returns NULL. */
struct bt_warden *bt_warden_stop(struct bt_warden *warden);
/* Readable when bt_warden_next() has something. */
int bt_warden_fd(const struct bt_warden *warden);
int64_t bt_warden_pid(const struct bt_warden *warden);

struct bt_command {
    uint32_t id;
    const char *const
        *argv; /* Ended by NULL; argv[0] is looked up in the PATH of its environment. */
    const char *const *env; /* "NAME=value", ended by NULL: laid over our own environment. */
    const char *dir;        /* Working directory, absolute. */
    int out_fd, err_fd;     /* Its standard output and error; borrowed. Input is empty. */
    int in_fd;              /* bt_warden_fork() only: the child's descriptor 3; borrowed. */
    /* bt_warden_fork() only: what the child starts stays its own as long as it lives, daemons too;
     * it has to wait for them. */
    bool is_reaper;
};

/* All give BT_ABORTED when the warden has died. */
int bt_warden_spawn(struct bt_warden *warden, const struct bt_command *command, struct bt_err *err);
/* Forks the warden itself instead of starting a program: a child that is warm (no loading, no
 * linking) and holds nothing of ours but `in_fd` as descriptor 3. It is a command like others, in a
 * session of its own, and runs bt_warden_child(argc, argv). `env` is added to its environment. */
int bt_warden_fork(struct bt_warden *warden, const struct bt_command *command, struct bt_err *err);
/* What such a child does; returns its exit code. Set by a constructor of priority < 1000. */
extern int (*bt_warden_child)(int argc, char **argv);
/* A signal to the command's process group (SIGTERM also wakes stopped ones). */
int bt_warden_signal(struct bt_warden *warden, uint32_t id, int signal_number, struct bt_err *err);
/* Kills all that is left of the command; ENDED comes when nothing is. */
int bt_warden_end(struct bt_warden *warden, uint32_t id, struct bt_err *err);

enum bt_warden_kind {
    BT_WARDEN_FAILED, /* It could not be started: bt_warden_explain(). */
    BT_WARDEN_EXITED, /* The main process has ended. Unless is_clean, others of it still run. */
    BT_WARDEN_ENDED,  /* After bt_warden_end(): nothing of it is left. */
};

struct bt_warden_event {
    uint32_t kind, id;
    int32_t status;       /* As of waitpid(2). */
    int32_t errno_value;  /* FAILED. */
    uint32_t stage;       /* FAILED: enum bt_spawn_stage. */
    uint32_t is_clean;    /* EXITED: nothing of it is left; no ENDED follows. */
    int64_t memory_bytes; /* Peak of memory in use (resident) by the main process. */
};

/* BT_OK with an event; BT_BUSY: none now; BT_ABORTED: the warden has died. */
int bt_warden_next(struct bt_warden *warden, struct bt_warden_event *ret_event, struct bt_err *err);
/* Says in words why FAILED came. Returns the code. */
int bt_warden_explain(const struct bt_warden_event *event, const char *program, struct bt_err *err);
