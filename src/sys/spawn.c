/* spawn.c — clone(2) with CLONE_VM and CLONE_VFORK, then exec. What runs in the child before exec
 * shares the parent's memory: it must only make system calls and write to its own struct. */
#include "sys/spawn.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers must not keep books about a thread of control that never returns. */
#define BARE __attribute__((no_sanitize("address", "undefined", "thread"), noinline))

enum { STACK_BYTES = 32 << 10 };

struct child {
    const struct bt_spawn *what;
    pid_t parent;
    enum bt_spawn_stage stage;
    int errno_value;
};

BARE static bool has_fds(const struct bt_spawn *what)
{
    return dup2(what->in_fd, 0) == 0 && dup2(what->out_fd, 1) == 1 && dup2(what->err_fd, 2) == 2;
}

BARE static int run_child(void *data)
{
    struct child *child = data;
    const struct bt_spawn *what = child->what;
    (void)setsid();                         /* Cannot fail: a new process leads no group. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* A valid signal. */
    if (getppid() != child->parent)
        _exit(127); /* The parent was killed before it was watched. */
    child->stage = BT_SPAWN_DIR;
    bool is_ok = chdir(what->dir) == 0;
    if (is_ok) {
        child->stage = BT_SPAWN_FDS;
        is_ok = has_fds(what);
    }
    if (is_ok) {
        child->stage = BT_SPAWN_EXEC;
        (void)syscall(SYS_close_range, 3, ~0u, 0); /* All ours are close-on-exec anyway. */
        sigset_t none;
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL); /* Valid arguments. */
        (void)execve(what->path, (char *const *)what->argv, (char *const *)what->envp);
    }
    child->errno_value = errno;
    _exit(127);
}

int bt_spawn(const struct bt_spawn *what, struct bt_spawned *ret_child)
{
    assert(what->in_fd > 2 && what->out_fd > 2 && what->err_fd > 2);
    _Alignas(64) char stack[STACK_BYTES];
    struct child child = {.what = what, .parent = getpid()};
    sigset_t all, old;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old); /* No handler may run in the child. */
    int pid = clone(run_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
    int saved = errno;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL); /* Valid arguments. */
    *ret_child = (struct bt_spawned){.pid = pid, .errno_value = saved};
    if (pid < 0)
        return BT_IO;
    if (child.errno_value == 0)
        return BT_OK;
    ret_child->stage = child.stage;
    ret_child->errno_value = child.errno_value;
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
        continue;
    return BT_IO;
}
