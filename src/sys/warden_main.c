/* warden_main.c — The warden itself: a process with one thread that starts commands for a worker,
 * reaps them, and kills what they leave behind. Must never wait for the worker: events that do not
 * fit into the socket stay in the table of wards until they do. */
#include "base/limits.h"
#include "base/own.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/spawn.h"
#include "sys/warden_int.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ENDING_POLL_MS = 5, EVENTS_MAX = 2 };

enum ward_state { WARD_FREE, WARD_RUNNING, WARD_EXITED, WARD_ENDING, WARD_REPORTED };

struct ward {
    enum ward_state state; /* REPORTED: free once its last event is sent. */
    pid_t pid;
    bool is_reaped; /* The leader; its number may belong to others then. */
    bool is_reaper; /* While its leader lives, no orphan of it comes to us. */
    bool is_seen;   /* The last look found living kin. */
    uint64_t serial, start_ticks;
    int64_t ending_since_us;
    bool has_event;
    struct bt_warden_event event;
};

struct warden {
    const char *key;
    struct ward *wards; /* By id. */
    uint32_t ward_count;
    uint64_t serial;
    int signal_fd;
    bool needs_sweep; /* A command ended since the last look for leftovers. */
    bool is_stopping; /* The worker said goodbye: it removes its files itself. */
    int64_t sweep_at_us;
    unsigned ending_count, killed_count;
    struct warden_exec exec;
};

static int64_t now_us(void)
{
    return bt_clock_mono_us(bt_clock_system());
}

static struct ward *ward_at(struct warden *warden, uint32_t id)
{
    return id < warden->ward_count ? &warden->wards[id] : NULL;
}

static struct ward *new_ward(struct warden *warden, uint32_t id)
{
    assert(id < WARDEN_IDS_MAX);
    if (id >= warden->ward_count) {
        uint32_t count = id + 16;
        struct ward *wards = realloc(warden->wards, count * sizeof *wards);
        if (!wards)
            return NULL;
        memset(wards + warden->ward_count, 0, (count - warden->ward_count) * sizeof *wards);
        warden->wards = wards;
        warden->ward_count = count;
    }
    return &warden->wards[id];
}

/* An event replaces one that the worker has not been told yet. */
static void tell(struct ward *ward, struct bt_warden_event event)
{
    ward->event = event;
    ward->has_event = true;
}

static bool flush_events(struct warden *warden)
{
    for (uint32_t id = 0; id < warden->ward_count; id++) {
        struct ward *ward = &warden->wards[id];
        if (!ward->has_event)
            continue;
        ward->event.id = id;
        ssize_t sent =
            send(WARDEN_SOCKET, &ward->event, sizeof ward->event, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0)
            return false; /* Full, or closed: poll tells which. */
        ward->has_event = false;
        if (ward->state == WARD_REPORTED)
            ward->state = WARD_FREE;
    }
    return true;
}

/* --- Orders ----------------------------------------------------------------------------------- */

static void start_ward(struct warden *warden, const struct warden_message *message, const int *fds)
{
    struct bt_spawned child = {.errno_value = ENOMEM};
    struct ward *ward = new_ward(warden, message->id);
    if (!ward)
        _exit(1); /* No memory for a few bytes: the worker sees it and starts another warden. */
    assert(ward->state == WARD_FREE || ward->state == WARD_REPORTED);
    char mark[sizeof WARDEN_MARK + BT_WARDEN_KEY_LEN + 24];
    (void)snprintf(mark, sizeof mark, WARDEN_MARK "%s-" WARDEN_SERIAL, warden->key,
                   (unsigned long long)++warden->serial); /* Fits. */
    *ward = (struct ward){
        .serial = warden->serial, .start_ticks = kin_now_ticks(), .is_reaper = message->is_reaper};
    int rc = message->order == WARDEN_FORK ? warden_fork(&warden->exec, message, fds, mark, &child)
                                           : warden_exec(&warden->exec, message, fds, mark, &child);
    if (rc == BT_OK) {
        ward->state = WARD_RUNNING;
        ward->pid = child.pid;
        return;
    }
    ward->state = WARD_REPORTED;
    tell(ward, (struct bt_warden_event){.kind = BT_WARDEN_FAILED,
                                        .errno_value = child.errno_value,
                                        .stage = (uint32_t)child.stage});
}

static void signal_ward(const struct ward *ward, int signal_number)
{
    if (ward->state == WARD_FREE || ward->state == WARD_REPORTED || ward->is_reaped)
        return;
    (void)kill(-ward->pid, signal_number); /* It may be gone already. */
    if (signal_number == SIGTERM)
        (void)kill(-ward->pid, SIGCONT); /* The same. */
}

static void end_ward(struct ward *ward)
{
    if (ward->state != WARD_RUNNING && ward->state != WARD_EXITED)
        return;
    signal_ward(ward, SIGKILL);
    ward->state = WARD_ENDING;
    ward->ending_since_us = now_us();
}

static bool read_text(struct warden *warden, const struct warden_message *message, int file,
                      struct bt_str rest)
{
    struct bt_buf *text = &warden->exec.text;
    bt_buf_clear(text);
    if (message->is_inline)
        return bt_buf_add(text, rest) == BT_OK && text->len == message->size;
    if (file < 0 || bt_buf_reserve(text, message->size) < 0)
        return false;
    ssize_t got = pread(file, text->at, message->size, 0);
    text->len = got > 0 ? (size_t)got : 0;
    return text->len == message->size;
}

static void obey(struct warden *warden, const struct warden_message *message, const int *fds,
                 struct bt_str rest)
{
    struct ward *ward = ward_at(warden, message->id);
    switch ((enum warden_order)message->order) {
    case WARDEN_SPAWN:
    case WARDEN_FORK: {
        int file = message->order == WARDEN_FORK ? fds[3] : fds[2];
        if (message->id < WARDEN_IDS_MAX && read_text(warden, message, file, rest))
            start_ward(warden, message, fds);
        return;
    }
    case WARDEN_SIGNAL:
        if (ward)
            signal_ward(ward, message->signal_number);
        return;
    case WARDEN_END:
        if (ward)
            end_ward(ward);
        return;
    case WARDEN_STOP: warden->is_stopping = true; return;
    }
}

/* Receives one order. False: none now, or (is_open false) never again. */
static bool receive_order(struct warden *warden, bool *is_open)
{
    static char bytes[sizeof(struct warden_message) + WARDEN_INLINE_MAX];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(WARDEN_FDS_MAX * sizeof(int))];
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t got = recvmsg(WARDEN_SOCKET, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    int fds[WARDEN_FDS_MAX] = {-1, -1, -1, -1};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
    if (got > 0 && cmsg && cmsg->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
    struct warden_message message;
    *is_open = got >= (ssize_t)sizeof message;
    if (*is_open) {
        memcpy(&message, bytes, sizeof message);
        obey(warden, &message, fds,
             (struct bt_str){bytes + sizeof message, (size_t)got - sizeof message});
    }
    for (size_t i = 0; i < BT_COUNT(fds); i++)
        bt_fd_close(&fds[i]);
    return *is_open;
}

/* --- Ends ------------------------------------------------------------------------------------- */

static struct ward *ward_of_pid(struct warden *warden, pid_t pid)
{
    for (uint32_t id = 0; id < warden->ward_count; id++) {
        struct ward *ward = &warden->wards[id];
        if (ward->state != WARD_FREE && ward->pid == pid && !ward->is_reaped)
            return ward;
    }
    return NULL;
}

static void finish_ward(struct warden *warden, struct ward *ward, struct bt_warden_event event)
{
    event.status = ward->event.status;
    event.memory_bytes = ward->event.memory_bytes;
    ward->state = WARD_REPORTED;
    warden->needs_sweep = true;
    tell(ward, event);
}

/* Takes the status of everything that has ended: leaders and, silently, what they left behind. */
static void reap(struct warden *warden)
{
    int status;
    pid_t pid;
    struct rusage usage;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        struct ward *ward = ward_of_pid(warden, pid);
        if (!ward)
            continue;
        ward->is_reaped = true;
        ward->event.status = status;
        ward->event.memory_bytes = usage.ru_maxrss * INT64_C(1024);
        if (ward->state != WARD_RUNNING)
            continue;
        struct bt_warden_event event = {
            .kind = BT_WARDEN_EXITED, .status = status, .memory_bytes = ward->event.memory_bytes};
        event.is_clean = kill(-pid, 0) < 0 && errno == ESRCH;
        if (event.is_clean) {
            finish_ward(warden, ward, event);
        } else {
            ward->state = WARD_EXITED;
            tell(ward, event);
        }
    }
}

static bool is_active(const struct ward *ward)
{
    return ward->state == WARD_RUNNING || ward->state == WARD_EXITED || ward->state == WARD_ENDING;
}

/* Whose a child of ours is that no order started. NULL with *ret_is_nobodys: its command has ended;
 * without: it hides its origin, and several commands are as old. */
static struct ward *owner_of(struct warden *warden, const struct kin *kin, bool *ret_is_nobodys)
{
    struct ward *candidate = NULL;
    unsigned candidates = 0;
    uint64_t mark = kin_mark(kin->pid, warden->key);
    for (uint32_t id = 0; id < warden->ward_count; id++) {
        struct ward *ward = &warden->wards[id];
        if (!is_active(ward))
            continue;
        if (kin->group == ward->pid || kin->session == ward->pid || mark == ward->serial)
            return ward;
        bool has_orphans = !ward->is_reaper || ward->is_reaped;
        if (has_orphans && ward->start_ticks <= kin->start_ticks) {
            candidate = ward;
            candidates++;
        }
    }
    *ret_is_nobodys = mark != 0 || candidates == 0;
    return mark == 0 && candidates == 1 ? candidate : NULL;
}

/* One process of the machine: a leftover of a command that must go is killed. */
static void look_at(void *data, const struct kin *kin)
{
    struct warden *warden = data;
    if (kin->parent != getpid() || kin->is_dead)
        return;
    struct ward *owner = ward_of_pid(warden, kin->pid);
    bool is_nobodys = false;
    if (!owner)
        owner = owner_of(warden, kin, &is_nobodys);
    if (owner)
        owner->is_seen = true;
    if (!is_nobodys && !(owner && owner->state == WARD_ENDING))
        return;
    (void)kill(kin->pid, SIGKILL); /* A child of ours: the number is its own until we reap it. */
    warden->killed_count++;
}

static void sweep(struct warden *warden)
{
    int64_t begin = now_us();
    warden->killed_count = 0;
    for (uint32_t id = 0; id < warden->ward_count; id++)
        warden->wards[id].is_seen = false;
    kin_each(look_at, warden);
    reap(warden);
    int64_t end = now_us();
    for (uint32_t id = 0; id < warden->ward_count; id++) {
        struct ward *ward = &warden->wards[id];
        bool is_late = end - ward->ending_since_us > BT_END_MS * INT64_C(1000);
        if (ward->state == WARD_ENDING && ((ward->is_reaped && !ward->is_seen) || is_late))
            finish_ward(warden, ward, (struct bt_warden_event){.kind = BT_WARDEN_ENDED});
    }
    warden->needs_sweep = warden->killed_count > 0;
    int64_t pause = BT_SWEEP_MS * INT64_C(1000);
    int64_t cost = 50 * (end - begin); /* A machine with many processes: at most 2 % of a core. */
    warden->sweep_at_us = end + (cost > pause ? cost : pause);
}

static bool has_ending(const struct warden *warden)
{
    for (uint32_t id = 0; id < warden->ward_count; id++) {
        if (warden->wards[id].state == WARD_ENDING)
            return true;
    }
    return false;
}

/* How long poll may wait, in milliseconds; -1 = for ever. */
static int wait_ms(const struct warden *warden)
{
    if (has_ending(warden))
        return ENDING_POLL_MS;
    if (!warden->needs_sweep)
        return -1;
    int64_t left = (warden->sweep_at_us - now_us()) / 1000;
    return left < 0 ? 0 : (int)left + 1;
}

static void drain_signals(const struct warden *warden)
{
    struct signalfd_siginfo infos[8];
    while (read(warden->signal_fd, infos, sizeof infos) == (ssize_t)sizeof infos)
        continue;
}

/* Until the worker's end of the socket is closed. */
static void serve(struct warden *warden)
{
    for (bool is_open = true, is_flushed = true; is_open;) {
        struct pollfd fds[EVENTS_MAX] = {
            {.fd = WARDEN_SOCKET, .events = (short)(is_flushed ? POLLIN : POLLIN | POLLOUT)},
            {.fd = warden->signal_fd, .events = POLLIN},
        };
        (void)poll(fds, EVENTS_MAX, wait_ms(warden)); /* EINTR is a wake-up like others. */
        drain_signals(warden);
        reap(warden);
        is_flushed = flush_events(warden);
        while (is_open && receive_order(warden, &is_open)) {
            reap(warden);
            is_flushed = flush_events(warden);
        }
        if (has_ending(warden) || (warden->needs_sweep && now_us() >= warden->sweep_at_us)) {
            sweep(warden);
            is_flushed = flush_events(warden);
        }
    }
}

static void kill_child(void *data, const struct kin *kin)
{
    (void)data;
    if (kin->parent == getpid())
        (void)kill(kin->pid, SIGKILL); /* Ours until reaped. */
}

/* Kills every descendant: what loses its parent becomes our child and is met in the next round. */
static void kill_all(struct warden *warden)
{
    for (uint32_t id = 0; id < warden->ward_count; id++) {
        if (is_active(&warden->wards[id]))
            signal_ward(&warden->wards[id], SIGKILL);
    }
    int64_t deadline = now_us() + BT_END_MS * INT64_C(1000);
    while (now_us() < deadline) {
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (pid < 0 && errno == ECHILD)
            return;
        kin_each(kill_child, NULL);
        struct pollfd wake = {.fd = warden->signal_fd, .events = POLLIN};
        (void)poll(&wake, 1, ENDING_POLL_MS); /* Any outcome leads to the next round. */
        drain_signals(warden);
    }
}

int warden_main(const char *key, const char *scratch)
{
    static struct warden warden;
    sigset_t all, child;
    sigfillset(&all);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &all, NULL); /* Only the closing socket ends us. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_NAME, WARDEN_NAME); /* Cosmetic. */
    warden.key = key;
    warden.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    warden.exec.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    warden.exec.text = (struct bt_buf)BT_BUF_INIT(BT_COMMAND_BYTES_MAX);
    warden.exec.pointers = (struct bt_buf)BT_BUF_INIT(BT_COMMAND_BYTES_MAX * sizeof(char *));
    warden.exec.path = (struct bt_buf)BT_BUF_INIT(BT_COMMAND_BYTES_MAX);
    if (warden.signal_fd < 0 || warden.exec.null_fd < 0)
        return 1;
    serve(&warden);
    kill_all(&warden);
    if (scratch[0] && !warden.is_stopping)
        (void)bt_fs_remove_tree(AT_FDCWD, scratch, NULL); /* The next start removes the rest. */
    return 0;
}
