/* bad.c — Tasks that misbehave, each in one way. For tests of the plugin host only. */
#include <baton/plugin.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TASK(name)                                                                                 \
    static int task_##name(const struct bt_host_api *host, struct bt_run *run);                    \
    static const struct bt_task_def name##_def = {                                                 \
        .size = sizeof name##_def, .type = "bad." #name, .run = task_##name};                      \
    static int task_##name(const struct bt_host_api *host, struct bt_run *run)
#define UNUSED (void)host, (void)run

static volatile int sink;

TASK(fine)
{
    (void)host;
    return host->output_int(run, "pid", getpid());
}

TASK(null)
{
    UNUSED;
    int *volatile nowhere = NULL;
    return *nowhere;
}

TASK(stop)
{
    UNUSED;
    abort();
    return 0;
}

static void *crash_later(void *data)
{
    int *volatile nowhere = data;
    usleep(20000);
    sink = *nowhere;
    return NULL;
}

TASK(thread)
{
    UNUSED;
    pthread_t thread;
    if (pthread_create(&thread, NULL, crash_later, NULL) == 0)
        pthread_join(thread, NULL);
    return 0;
}

TASK(leak)
{
    UNUSED;
    for (;;) {
        char *at = malloc(1 << 20);
        if (!at)
            abort();
        memset(at, 1, 1 << 20);
    }
    return 0;
}

TASK(loop)
{
    UNUSED;
    for (;;)
        sink++;
    return 0;
}

TASK(sleep)
{
    UNUSED;
    for (;;)
        pause();
    return 0;
}

/* Children in sessions of their own, which only wait to be forgotten. */
static void fork_some(int count)
{
    for (int i = 0; i < count; i++) {
        if (fork() == 0) {
            setsid();
            if (fork() == 0)
                setsid();
            signal(SIGTERM, SIG_IGN);
            for (;;)
                pause();
        }
    }
}

TASK(fork)
{
    fork_some(20);
    return host->output_int(run, "pid", getpid());
}

TASK(fork_crash)
{
    UNUSED;
    fork_some(20);
    abort();
    return 0;
}

/* Each child does the same, until the machine refuses or the group is killed. */
TASK(bomb)
{
    UNUSED;
    for (int i = 0; i < 5; i++) {
        if (fork() < 0)
            break;
    }
    for (;;)
        pause();
    return 0;
}

static void send_bytes(const void *at, size_t len)
{
    if (send(3, at, len, MSG_NOSIGNAL) < 0)
        _exit(1);
}

TASK(garbage)
{
    UNUSED;
    for (int i = 0; i < 100; i++)
        send_bytes("\xff\x00\x13lorem ipsum dolor\n", 20);
    return 0;
}

TASK(huge)
{
    UNUSED;
    send_bytes("\xff\xff\xff\xff\x01\x00\x0f\xb7", 8);
    pause();
    return 0;
}

TASK(version)
{
    UNUSED;
    send_bytes("\x02\x00\x00\x00\x63\x00\x0f\xb7{}", 10);
    pause();
    return 0;
}

TASK(nonsense)
{
    UNUSED;
    send_bytes("\x12\x00\x00\x00\x01\x00\x0f\xb7{\"type\":\"nothing\"}", 26);
    pause();
    return 0;
}

TASK(half)
{
    UNUSED;
    send_bytes("\x12\x00\x00\x00\x01\x00\x0f\xb7{\"ty", 12);
    _exit(0);
    return 0;
}

TASK(exit)
{
    UNUSED;
    exit(3);
    return 0;
}

TASK(close_stdout)
{
    UNUSED;
    close(1);
    pause();
    return 0;
}

TASK(close_socket)
{
    UNUSED;
    close(3);
    pause();
    return 0;
}

TASK(chatty)
{
    UNUSED;
    for (int i = 0; i < 2000; i++) {
        printf("out %d\n", i);
        fprintf(stderr, "err %d\n", i);
    }
    printf("an end without a newline");
    return 0;
}

TASK(mute)
{
    UNUSED;
    return -77;
}

TASK(text)
{
    host->log(run, BT_PLUGIN_WARN, "bad \xff\xfe text", 11);
    return host->output_text(run, "t\xff", "a\0b\xc3", 4);
}

TASK(json)
{
    return host->output_json(run, "j", "{broken", 7);
}

TASK(big)
{
    size_t size = 11u << 20;
    char *text = malloc(size);
    if (!text)
        return host->fail(run, "no memory");
    memset(text, 'x', size);
    int rc = host->output_text(run, "big", text, size);
    free(text);
    return rc;
}

TASK(files)
{
    struct bt_writer *writer;
    struct bt_reader *reader;
    struct bt_text uri;
    if (host->file_create(run, "left-open", &writer) != BT_PLUGIN_OK ||
        host->file_create(run, "../../escape", &writer) != BT_PLUGIN_OK ||
        host->file_write(writer, "x", 1) != BT_PLUGIN_OK)
        return host->fail(run, "cannot begin");
    if (host->file_commit(writer, &uri) == BT_PLUGIN_OK)
        return host->fail(run, "a file left its place: %s", uri.at);
    if (host->file_open(run, "baton:///no/such/file", &reader) != BT_PLUGIN_NOT_FOUND)
        return host->fail(run, "a missing file was opened");
    if (host->file_create(run, "sub/a.txt", &writer) != BT_PLUGIN_OK)
        return host->fail(run, "cannot make a file in a directory");
    for (int i = 0; i < 100000; i++)
        host->row_add(writer, "[1,\n 2]", 7);
    if (host->file_commit(writer, &uri) != BT_PLUGIN_OK)
        return BT_PLUGIN_FAILED;
    int64_t rows = 0, first = 0;
    struct bt_text row;
    if (host->file_open(run, uri.at, &reader) != BT_PLUGIN_OK)
        return BT_PLUGIN_FAILED;
    first = host->file_size(reader);
    while (host->row_next(reader, &row) == BT_PLUGIN_OK)
        rows++;
    host->output_int(run, "rows", rows);
    return host->output_int(run, "bytes", first); /* The reader is left open. */
}

TASK(where)
{
    char dir[4096];
    const char *tmp = getenv("TMPDIR");
    int is_same = getcwd(dir, sizeof dir) && strcmp(dir, host->work_dir(run)) == 0 && tmp &&
                  strcmp(tmp, dir) == 0;
    host->output_int(run, "isSame", is_same);
    host->output_int(run, "noNewPrivileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    int fds = 0;
    for (int fd = 4; fd < 1024; fd++)
        fds += fcntl(fd, F_GETFD) >= 0 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    host->output_int(run, "inherited", fds);
    struct bt_text id = host->info(run, "taskId");
    return host->output_text(run, "task", id.at, id.len);
}

/* Its kill() is heard: it ends by itself, in time. */
static volatile sig_atomic_t is_asked;

static void hear(struct bt_run *run)
{
    (void)run;
    is_asked = 1;
}

static int polite(const struct bt_host_api *host, struct bt_run *run)
{
    host->log(run, BT_PLUGIN_INFO, "begun", 5);
    while (!is_asked || !host->is_killed(run))
        usleep(1000);
    host->log(run, BT_PLUGIN_INFO, "cleaned up", 10);
    return BT_PLUGIN_KILLED;
}

static const struct bt_task_def polite_def = {
    .size = sizeof polite_def, .type = "bad.polite", .run = polite, .kill = hear};

/* Its kill() is not: only the grace time ends it. */
static int stubborn(const struct bt_host_api *host, struct bt_run *run)
{
    (void)host, (void)run;
    for (;;)
        pause();
    return 0;
}

static const struct bt_task_def stubborn_def = {
    .size = sizeof stubborn_def, .type = "bad.stubborn", .run = stubborn, .kill = hear};

static const struct bt_task_def *const tasks[] = {
    &fine_def,         &null_def,     &stop_def,       &thread_def, &leak_def,    &loop_def,
    &sleep_def,        &fork_def,     &fork_crash_def, &bomb_def,   &garbage_def, &huge_def,
    &version_def,      &nonsense_def, &half_def,       &exit_def,   &chatty_def,  &close_stdout_def,
    &close_socket_def, &mute_def,     &text_def,       &json_def,   &big_def,     &files_def,
    &where_def,        &polite_def,   &stubborn_def,   NULL,
};

static const struct bt_plugin plugin = {
    .abi = BT_PLUGIN_ABI,
    .size = sizeof plugin,
    .name = "bad",
    .version = "0.1",
    .tasks = tasks,
};

const struct bt_plugin *bt_plugin_entry(void)
{
    return &plugin;
}
