/* warden_exec.c — From the text of an order to a running command. */
#include "sys/warden_int.h"

#include "base/limits.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static const char *lookup_env(const char *const *envp, const char *name)
{
    size_t len = strlen(name);
    for (; *envp; envp++) {
        if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
            return *envp + len + 1;
    }
    return NULL;
}

/* The file of a program: as given when it has a slash, else the first in PATH that is executable.
 */
static const char *find_program(struct bt_buf *file, const char *name, const char *const *envp)
{
    if (strchr(name, '/'))
        return name;
    const char *path = lookup_env(envp, "PATH");
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path) {
        size_t len = strcspn(path, ":");
        bt_buf_clear(file);
        (void)bt_buf_add(file, (struct bt_str){path, len}); /* A failure shows in the last call. */
        (void)bt_buf_addc(file, '/');
        (void)bt_buf_adds(file, name);
        const char *candidate = bt_buf_cstr(file);
        struct stat at;
        if (len > 0 && candidate && access(candidate, X_OK) == 0 && stat(candidate, &at) == 0 &&
            S_ISREG(at.st_mode))
            return candidate;
        path += len + (path[len] == ':');
    }
    return name; /* exec says that there is no such file. */
}

static bool is_overridden(const char *entry, const char *const *over, size_t count)
{
    size_t len = strcspn(entry, "=") + 1;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(entry, over[i], len) == 0)
            return true;
    }
    return false;
}

/* Cuts `count` texts off the front of *rest. */
static bool cut_texts(struct bt_str *rest, size_t count, const char **texts)
{
    for (size_t i = 0; i < count; i++) {
        const char *nul = rest->len ? memchr(rest->at, '\0', rest->len) : NULL;
        if (!nul)
            return false;
        texts[i] = rest->at;
        *rest = bt_str_slice(*rest, (size_t)(nul - rest->at) + 1, rest->len);
    }
    return true;
}

static size_t count_environ(void)
{
    size_t count = 0;
    while (environ[count])
        count++;
    return count;
}

/* Directory, arguments, NULL, environment: the order's variables, the mark, then ours. */
static bool make_vectors(struct warden_exec *exec, const struct warden_message *message,
                         const char *mark, struct bt_spawn *spawn)
{
    if (message->argc == 0 || message->argc > message->size || message->envc > message->size)
        return false;
    size_t count = (size_t)message->argc + message->envc + count_environ() + 4;
    bt_buf_clear(&exec->pointers);
    if (bt_buf_reserve(&exec->pointers, count * sizeof(char *)) < 0)
        return false;
    const char **argv = (const char **)(void *)exec->pointers.at;
    const char **envp = argv + message->argc + 1;
    struct bt_str rest = bt_buf_str(&exec->text);
    if (!cut_texts(&rest, 1, &spawn->dir) || !cut_texts(&rest, message->argc, argv) ||
        !cut_texts(&rest, message->envc, envp))
        return false;
    argv[message->argc] = NULL;
    size_t used = message->envc;
    envp[used++] = mark;
    size_t over = used;
    for (char **entry = environ; *entry; entry++) {
        if (!is_overridden(*entry, envp, over))
            envp[used++] = *entry;
    }
    envp[used] = NULL;
    spawn->argv = argv;
    spawn->envp = envp;
    return true;
}

int warden_exec(struct warden_exec *exec, const struct warden_message *message, const int *fds,
                const char *mark, struct bt_spawned *ret_child)
{
    struct bt_spawn spawn = {.in_fd = exec->null_fd, .out_fd = fds[0], .err_fd = fds[1]};
    *ret_child = (struct bt_spawned){.stage = BT_SPAWN_CLONE, .errno_value = ENOMEM};
    if (!make_vectors(exec, message, mark, &spawn))
        return BT_IO;
    spawn.path = find_program(&exec->path, spawn.argv[0], spawn.envp);
    return bt_spawn(&spawn, ret_child);
}

/* --- Forked children -------------------------------------------------------------------------- */

/* Writes the mark over the warden's own, in place: the kernel shows that memory to kin_mark(). */
static void put_mark(const char *mark)
{
    for (char **entry = environ; *entry; entry++) {
        if (strncmp(*entry, WARDEN_MARK, sizeof WARDEN_MARK - 1) == 0 &&
            strlen(*entry) == strlen(mark))
            memcpy(*entry, mark, strlen(mark));
    }
}

static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* Fails for KILL and STOP, which are so already. */
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); /* Valid arguments. */
}

static int run_fork(const struct warden_exec *exec, const int *fds, const struct bt_spawn *spawn,
                    size_t argc)
{
    if (dup2(exec->null_fd, 0) < 0 || dup2(fds[0], 1) < 0 || dup2(fds[1], 2) < 0 ||
        dup2(fds[2], WARDEN_SOCKET) < 0 || close_range(WARDEN_SOCKET + 1, ~0u, 0) < 0)
        return 127;
    if (chdir(spawn->dir) < 0)
        return 127;
    reset_signals();
    put_mark(spawn->envp[0]);
    return bt_warden_child((int)argc, (char **)(uintptr_t)spawn->argv);
}

int warden_fork(struct warden_exec *exec, const struct warden_message *message, const int *fds,
                const char *mark, struct bt_spawned *ret_child)
{
    struct bt_spawn spawn = {0};
    *ret_child = (struct bt_spawned){.stage = BT_SPAWN_CLONE, .errno_value = ENOMEM};
    if (!bt_warden_child || !make_vectors(exec, message, mark, &spawn))
        return BT_IO;
    pid_t warden = getpid();
    ret_child->pid = fork();
    ret_child->errno_value = errno;
    if (ret_child->pid != 0)
        return ret_child->pid > 0 ? BT_OK : BT_IO;
    (void)setsid(); /* Cannot fail: a new process leads no group. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, message->is_reaper != 0); /* The same. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);                       /* A valid signal. */
    if (getppid() != warden)
        _exit(127); /* It was killed before it was watched. */
    for (uint32_t i = 0; i < message->envc; i++)
        (void)putenv((char *)(uintptr_t)spawn.envp[i]); /* Borrowed for the child's life. */
    _exit(run_fork(exec, fds,
                   &(struct bt_spawn){.dir = spawn.dir,
                                      .argv = spawn.argv,
                                      .envp = (const char *const[]){mark, NULL}},
                   message->argc));
}
