/* warden_int.h — What the two sides of warden.h say to each other, and how the warden finds kin. */
#pragma once
#include "base/buf.h"
#include "sys/spawn.h"
#include "sys/warden.h"

#include <sys/types.h>

enum {
    WARDEN_SOCKET = 3,            /* Its descriptor in the warden. */
    WARDEN_INLINE_MAX = 32 << 10, /* Longer texts come in a memory file. */
    WARDEN_IDS_MAX = 1 << 16,
    WARDEN_FDS_MAX = 4, /* Of one order. */
};
#define WARDEN_NAME "bt-warden"
#define WARDEN_MAGIC "--warden-of-a-running-worker"
#define WARDEN_MARK "BATON_JOB=" /* Variable that every process of a command inherits. */
/* The number in it. The warden has the variable too, with number 0: room that a forked child writes
 * its own into, where /proc/PID/environ shows it. */
#define WARDEN_SERIAL "%020llu"

enum warden_order { WARDEN_SPAWN, WARDEN_FORK, WARDEN_SIGNAL, WARDEN_END, WARDEN_STOP };

struct warden_message {
    uint32_t order, id;
    int32_t signal_number;
    uint32_t argc, envc;
    uint32_t
        size; /* SPAWN, FORK: bytes of text: directory, arguments, environment, each with NUL. */
    uint32_t is_inline; /* The text follows; else it is in the last descriptor. */
    uint32_t is_reaper; /* FORK: bt_command.is_reaper. */
};

/* One process as /proc shows it. */
struct kin {
    pid_t pid, parent, group, session;
    uint64_t start_ticks; /* Since boot. */
    bool is_dead;         /* A zombie. */
    bool has_terminal;    /* Somebody may sit there: a user's shell. */
};

/* Calls `visit` for every process of the machine. */
void kin_each(void (*visit)(void *data, const struct kin *kin), void *data);
/* The number in the process's mark: 0 = it has none, or that of another warden. */
uint64_t kin_mark(pid_t pid, const char *key);
/* Whether the path of the process's working directory holds the key. */
bool kin_is_in(pid_t pid, const char *key);
/* The clock that start_ticks is read from. */
uint64_t kin_now_ticks(void);

/* What is reused from one start of a command to the next. */
struct warden_exec {
    struct bt_buf text;     /* The order's text. */
    struct bt_buf pointers; /* Vectors made from it. */
    struct bt_buf path;
    int null_fd;
};

/* Starts the command of an order; `mark` is its WARDEN_MARK variable. BT_OK or BT_IO with the
 * stage. */
int warden_exec(struct warden_exec *exec, const struct warden_message *message, const int *fds,
                const char *mark, struct bt_spawned *ret_child);

/* Forks; the child does not return. BT_OK or BT_IO. */
int warden_fork(struct warden_exec *exec, const struct warden_message *message, const int *fds,
                const char *mark, struct bt_spawned *ret_child);

int warden_main(const char *key, const char *scratch);
