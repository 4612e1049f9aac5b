/* spawn.h — Starts one program, at a cost that does not grow with the memory of the parent.
 *
 * The child has its own session and process group, default signal dispositions are the caller's
 * business (exec keeps ignored ones), an empty signal mask, no descriptors but 0, 1 and 2, and is
 * killed (SIGKILL) when the thread that started it ends. The caller is stopped until the program
 * has been loaded. */
#pragma once
#include "base/err.h"

#include <sys/types.h>

struct bt_spawn {
    const char *path;          /* The program's file. */
    const char *const *argv;   /* Ended by NULL. */
    const char *const *envp;   /* Ended by NULL. */
    const char *dir;           /* Working directory. */
    int in_fd, out_fd, err_fd; /* Its 0, 1 and 2; each > 2 here. Borrowed. */
};

enum bt_spawn_stage { BT_SPAWN_CLONE, BT_SPAWN_DIR, BT_SPAWN_FDS, BT_SPAWN_EXEC };

struct bt_spawned {
    pid_t pid;
    enum bt_spawn_stage stage; /* On failure: where it failed … */
    int errno_value;           /* … and why. */
};

/* BT_OK or BT_IO with stage and errno_value. */
int bt_spawn(const struct bt_spawn *what, struct bt_spawned *ret_child);
