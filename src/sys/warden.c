/* warden.c — Our side of the warden: starts it, sends orders, reads events. Must never block on a
 * warden that waits for us: the warden never does. */
#include "sys/warden.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "sys/spawn.h"
#include "sys/warden_int.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int (*bt_warden_child)(int argc, char **argv);

enum { SEND_TIMEOUT_S = 30, MARKED_ROUNDS_MAX = 100 };

struct bt_warden {
    pid_t pid;
    int socket;
    struct bt_buf text; /* Reused from order to order. */
};

/* What belongs to Baton alone: neither the warden nor any task of it gets them. */
static bool is_private(const char *entry)
{
    static const char *const names[] = {WARDEN_MARK,
                                        "BATON_WORKER_TOKEN=", "BATON_ENCRYPTION_KEY="};
    for (size_t i = 0; i < BT_COUNT(names); i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Our environment with the warden's own mark. Owned array; the texts are borrowed. */
static char **marked_environ(char *mark)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **env = calloc(count + 2, sizeof *env);
    size_t used = 0;
    if (env)
        env[used++] = mark;
    for (size_t i = 0; env && i < count; i++) {
        if (!is_private(environ[i]))
            env[used++] = environ[i];
    }
    return env;
}

static int spawn_self(int socket, const char *key, const char *scratch, pid_t *ret_pid)
{
    char mark[sizeof WARDEN_MARK + BT_WARDEN_KEY_LEN + 24];
    (void)snprintf(mark, sizeof mark, WARDEN_MARK "%s-" WARDEN_SERIAL, key, 0ull); /* Fits. */
    char **env = marked_environ(mark);
    if (!env)
        return ENOMEM;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        free(env);
        return ENOMEM;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions); /* Cannot fail. */
        free(env);
        return ENOMEM;
    }
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    const char *argv[] = {WARDEN_NAME, WARDEN_MAGIC, key, scratch ? scratch : "", NULL};
    int rc = posix_spawn_file_actions_adddup2(&actions, socket, WARDEN_SOCKET);
    rc = rc ? rc : posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    rc = rc ? rc : posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    rc = rc ? rc : posix_spawn_file_actions_addclosefrom_np(&actions, WARDEN_SOCKET + 1);
    rc = rc ? rc : posix_spawnattr_setsigmask(&attributes, &none);
    rc = rc ? rc : posix_spawnattr_setsigdefault(&attributes, &all);
    rc = rc ? rc
            : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETSIGDEF);
    rc = rc ? rc
            : posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes,
                          (char **)(uintptr_t)argv, env);
    (void)posix_spawn_file_actions_destroy(&actions); /* Cannot fail. */
    (void)posix_spawnattr_destroy(&attributes);       /* Cannot fail. */
    free(env);
    return rc;
}

int bt_warden_start(const char *key, const char *scratch, struct bt_warden **ret_warden,
                    struct bt_err *err)
{
    assert(strlen(key) == BT_WARDEN_KEY_LEN && !strchr(key, '-'));
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make a socket for the warden");
    BT_FD ours = pair[0];
    BT_FD theirs = pair[1];
    struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
    (void)setsockopt(ours, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* A safety net only. */
    struct bt_warden *warden = calloc(1, sizeof *warden);
    if (!warden)
        return bt_fail_mem(err, "warden");
    int rc = spawn_self(theirs, key, scratch, &warden->pid);
    if (rc != 0) {
        free(warden);
        return bt_fail_errno(err, BT_IO, rc, "cannot start the warden of processes");
    }
    warden->socket = bt_fd_take(&ours);
    warden->text = (struct bt_buf)BT_BUF_INIT(BT_COMMAND_BYTES_MAX);
    *ret_warden = warden;
    return BT_OK;
}

int bt_warden_fd(const struct bt_warden *warden)
{
    return warden->socket;
}

int64_t bt_warden_pid(const struct bt_warden *warden)
{
    return warden->pid;
}

/* The text of an order in a file of memory, read from its start by the warden. */
static int text_file(const struct bt_buf *text, int *ret_fd, struct bt_err *err)
{
    BT_FD fd = memfd_create("command", MFD_CLOEXEC);
    if (fd < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot hand over the command");
    BT_TRY(bt_fs_write(fd, text->at, text->len, err));
    *ret_fd = bt_fd_take(&fd);
    return BT_OK;
}

static int send_order(struct bt_warden *warden, const struct warden_message *message,
                      const int *fds, size_t fd_count, struct bt_err *err)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)message, sizeof *message},
                             {warden->text.at, message->is_inline ? warden->text.len : 0}};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(WARDEN_FDS_MAX * sizeof(int))] = {0};
    struct msghdr header = {.msg_iov = parts, .msg_iovlen = message->is_inline ? 2 : 1};
    if (fd_count > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(warden->socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return bt_fail_errno(err, BT_ABORTED, errno, "the warden of processes does not answer");
    return BT_OK;
}

static uint32_t add_texts(struct bt_buf *buf, const char *const *texts)
{
    uint32_t count = 0;
    for (; texts && texts[count]; count++)
        (void)bt_buf_add(buf, (struct bt_str){texts[count], strlen(texts[count]) + 1});
    return count;
}

static int start_child(struct bt_warden *warden, enum warden_order order,
                       const struct bt_command *command, struct bt_err *err)
{
    assert(command->argv[0] && command->dir);
    assert(command->id < WARDEN_IDS_MAX);
    struct warden_message message = {
        .order = order, .id = command->id, .is_reaper = command->is_reaper};
    struct bt_buf *text = &warden->text;
    bt_buf_clear(text);
    (void)bt_buf_add(text, (struct bt_str){command->dir, strlen(command->dir) + 1});
    message.argc = add_texts(text, command->argv);
    message.envc = add_texts(text, command->env);
    BT_TRY(bt_buf_check(text, "command", err)); /* Told once for all of them. */
    message.size = (uint32_t)text->len;
    message.is_inline = text->len <= WARDEN_INLINE_MAX;
    BT_FD file = -1;
    if (!message.is_inline)
        BT_TRY(text_file(text, &file, err));
    int fds[WARDEN_FDS_MAX] = {command->out_fd, command->err_fd};
    size_t fd_count = 2;
    if (order == WARDEN_FORK)
        fds[fd_count++] = command->in_fd;
    if (file >= 0)
        fds[fd_count++] = file;
    return send_order(warden, &message, fds, fd_count, err);
}

int bt_warden_spawn(struct bt_warden *warden, const struct bt_command *command, struct bt_err *err)
{
    return start_child(warden, WARDEN_SPAWN, command, err);
}

int bt_warden_fork(struct bt_warden *warden, const struct bt_command *command, struct bt_err *err)
{
    return start_child(warden, WARDEN_FORK, command, err);
}

int bt_warden_signal(struct bt_warden *warden, uint32_t id, int signal_number, struct bt_err *err)
{
    struct warden_message message = {
        .order = WARDEN_SIGNAL, .id = id, .signal_number = signal_number};
    return send_order(warden, &message, NULL, 0, err);
}

int bt_warden_end(struct bt_warden *warden, uint32_t id, struct bt_err *err)
{
    struct warden_message message = {.order = WARDEN_END, .id = id};
    return send_order(warden, &message, NULL, 0, err);
}

struct bt_warden *bt_warden_stop(struct bt_warden *warden)
{
    if (!warden)
        return NULL;
    struct warden_message message = {.order = WARDEN_STOP};
    (void)send_order(warden, &message, NULL, 0, NULL); /* A dead one has stopped already. */
    bt_fd_close(&warden->socket);
    while (waitpid(warden->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    bt_buf_done(&warden->text);
    free(warden);
    return NULL;
}

int bt_warden_next(struct bt_warden *warden, struct bt_warden_event *ret_event, struct bt_err *err)
{
    ssize_t got;
    do {
        got = recv(warden->socket, ret_event, sizeof *ret_event, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return BT_BUSY;
    if (got != sizeof *ret_event)
        return bt_fail(err, BT_ABORTED, "the warden of processes was killed");
    return BT_OK;
}

struct marked {
    const char *key;
    bool is_found;
};

static void kill_marked(void *data, const struct kin *kin)
{
    struct marked *marked = data;
    if (kin->is_dead || kin->pid == getpid())
        return;
    if (kin_mark(kin->pid, marked->key) != 0 ||
        (!kin->has_terminal && kin_is_in(kin->pid, marked->key)))
        marked->is_found = kill(kin->pid, SIGKILL) == 0 || marked->is_found;
}

void bt_warden_kill_marked(const char *key)
{
    struct marked marked = {.key = key, .is_found = true};
    for (int round = 0; round < MARKED_ROUNDS_MAX && marked.is_found; round++) {
        marked.is_found = false;
        kin_each(kill_marked, &marked);
    }
}

int bt_warden_explain(const struct bt_warden_event *event, const char *program, struct bt_err *err)
{
    int why = event->errno_value;
    if (event->stage == BT_SPAWN_DIR)
        return bt_fail_errno(err, BT_IO, why, "cannot enter the working directory");
    if (event->stage != BT_SPAWN_EXEC)
        return bt_fail_errno(err, BT_IO, why, "cannot start a process");
    if (why == E2BIG)
        return bt_fail(err, BT_LIMIT,
                       "cannot start '%s': the command and its environment are too long", program);
    return bt_fail_errno(err, bt_fs_code(why), why, "cannot start '%s'", program);
}

/* A program that links this file is its own warden when it is started under this name. */
__attribute__((constructor)) static void enter(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[0], WARDEN_NAME) == 0 && strcmp(argv[1], WARDEN_MAGIC) == 0)
        _exit(warden_main(argv[2], argv[3]));
}
