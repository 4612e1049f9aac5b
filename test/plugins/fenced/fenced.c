/* fenced.c — Tries what the sandbox of its plugin.json forbids and what it must allow; each outcome
 * is an output: 0 or the errno value. For tests of the plugin host only. */
#include <baton/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct bt_host_api *api;
static struct bt_run *current;

/* rc < 0: errno; else fine, and a descriptor is closed. */
static void tell(const char *name, long rc, int is_fd)
{
    api->output_int(current, name, rc < 0 ? errno : 0);
    if (is_fd && rc >= 0)
        close((int)rc);
}

static void *nothing(void *data)
{
    return data;
}

static void try_forbidden(const char *outside)
{
    tell("writeOutside", open(outside, O_WRONLY | O_APPEND), 1);
    tell("truncateOutside", truncate(outside, 0), 0);
    tell("makeOutside", open("../../made-by-fenced", O_WRONLY | O_CREAT, 0600), 1);
    tell("removeOutside", unlink(outside), 0);
    tell("signalParent", kill(getppid(), 0), 0);
    tell("signalInit", kill(1, 0), 0);
    tell("trace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL), 0);
    tell("unshare", unshare(CLONE_NEWUSER), 0);
    tell("mount", mount("none", "/tmp", "tmpfs", 0, NULL), 0);
    tell("ring", syscall(SYS_io_uring_setup, 1, NULL), 0);
    tell("space", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL), 0);
}

static void try_allowed(const char *outside)
{
    pthread_t thread;
    tell("read", open(outside, O_RDONLY), 1);
    tell("null", open("/dev/null", O_WRONLY | O_TRUNC), 1);
    mkdir("a", 0700);
    mkdir("b", 0700);
    close(open("a/x", O_WRONLY | O_CREAT, 0600));
    tell("rename", rename("a/x", "b/y"), 0);
    tell("socket", socket(AF_INET, SOCK_STREAM, 0), 1);
    tell("thread", pthread_create(&thread, NULL, nothing, NULL) ? -1 : pthread_join(thread, NULL),
         0);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    tell("signalChild", kill(child, SIGKILL), 0);
    tell("wait", waitpid(child, NULL, 0), 0);
}

static int run_try(const struct bt_host_api *host, struct bt_run *run)
{
    struct bt_text outside = host->prop_text(run, "outside");
    api = host;
    current = run;
    try_allowed(outside.at);
    try_forbidden(outside.at);
    return BT_PLUGIN_OK;
}

static const struct bt_task_def try_def = {
    .size = sizeof try_def, .type = "fenced.try", .run = run_try};
static const struct bt_task_def *const tasks[] = {&try_def, NULL};
static const struct bt_plugin plugin = {
    .abi = BT_PLUGIN_ABI,
    .size = sizeof plugin,
    .name = "fenced",
    .version = "0.1",
    .tasks = tasks,
};

const struct bt_plugin *bt_plugin_entry(void)
{
    return &plugin;
}
