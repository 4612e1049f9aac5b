/* worse.c — Tasks that misbehave in what they leave: signals, descriptors, threads, daemons,
 * floods. For tests of the plugin host only. */
#include <baton/plugin.h>

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TASK(name)                                                                                 \
    static int task_##name(const struct bt_host_api *host, struct bt_run *run);                    \
    static const struct bt_task_def name##_def = {                                                 \
        .size = sizeof name##_def, .type = "worse." #name, .run = task_##name};                    \
    static int task_##name(const struct bt_host_api *host, struct bt_run *run)
#define UNUSED (void)host, (void)run

TASK(fine)
{
    return host->output_int(run, "pid", getpid());
}

/* --- Signals ---------------------------------------------------------------------------------- */

TASK(stop)
{
    UNUSED;
    for (;;)
        raise(SIGSTOP);
    return 0;
}

TASK(stop_all)
{
    UNUSED;
    for (;;)
        kill(0, SIGSTOP);
    return 0;
}

TASK(deaf)
{
    sigset_t all;
    signal(SIGTERM, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    host->log(run, BT_PLUGIN_INFO, "deaf", 4);
    for (;;)
        pause();
    return 0;
}

/* A signal that is no crash: somebody's timer, or its own. */
TASK(alarm)
{
    UNUSED;
    alarm(1);
    raise(SIGALRM);
    return 0;
}

static volatile int depth_max = INT_MAX;

static int deep(volatile char *above, int depth)
{
    char here[4096];
    here[0] = *above;
    return depth < depth_max ? deep(here, depth + 1) + here[0] : 0;
}

TASK(overflow)
{
    UNUSED;
    char first = 1;
    return deep(&first, 0);
}

static volatile int zero;

TASK(divide)
{
    UNUSED;
    return 100 / zero;
}

/* Works for 1.4 seconds of processor time. */
TASK(spin)
{
    clock_t until = clock() + 14 * CLOCKS_PER_SEC / 10;
    while (clock() < until)
        continue;
    return host->output_int(run, "pid", getpid());
}

/* --- Descriptors and files -------------------------------------------------------------------- */

TASK(close_all)
{
    UNUSED;
    close_range(0, ~0u, 0);
    for (;;)
        pause();
    return 0;
}

TASK(close_return)
{
    UNUSED;
    close_range(0, ~0u, 0);
    return 0;
}

/* What is there at the beginning is an output; then it leaves a mess. */
TASK(litter)
{
    int count = -2;
    DIR *dir = opendir(".");
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    host->output_int(run, "found", count);
    FILE *file = fopen("left", "w");
    if (file)
        fclose(file);
    mkdir("closed", 0);
    chmod(".", 0);
    return BT_PLUGIN_OK;
}

/* --- Floods ----------------------------------------------------------------------------------- */

TASK(lines)
{
    for (int i = 0; i < 1000000; i++)
        host->log(run, BT_PLUGIN_INFO, "one of a million lines", 22);
    return BT_PLUGIN_OK;
}

TASK(prints)
{
    UNUSED;
    for (int i = 0; i < 1000000; i++)
        printf("one of a million lines\n");
    return BT_PLUGIN_OK;
}

/* 200 MB in outputs of 2 KB. */
TASK(outputs)
{
    static char text[2048], name[32];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "o%d", i);
        host->output_text(run, name, text, sizeof text);
    }
    return BT_PLUGIN_OK;
}

/* --- What stays behind ------------------------------------------------------------------------ */

static void *crash_later(void *data)
{
    usleep(50000);
    int *volatile nowhere = data;
    *nowhere = 1;
    return NULL;
}

TASK(late_crash)
{
    pthread_t thread;
    pthread_create(&thread, NULL, crash_later, NULL);
    return host->output_int(run, "pid", getpid());
}

static const struct bt_host_api *api;

static void *talk_later(void *data)
{
    for (int i = 0; i < 100; i++) {
        usleep(1000);
        api->log(data, BT_PLUGIN_INFO, "still here", 10);
        api->output_int(data, "late", i);
    }
    return NULL;
}

TASK(late_talk)
{
    pthread_t thread;
    api = host;
    pthread_create(&thread, NULL, talk_later, run);
    return host->output_int(run, "pid", getpid());
}

/* A daemon by the book: a session of its own, no environment, another directory, no descriptors.
 * It sleeps for `seconds`, by which a test knows its own. */
static void start_daemon(const struct bt_host_api *host, struct bt_run *run)
{
    static char seconds[32];
    static char *const args[] = {"sleep", seconds, NULL}, *const none[] = {NULL};
    (void)snprintf(seconds, sizeof seconds, "%lld",
                   (long long)host->prop_int(run, "seconds", 1000));
    if (fork() != 0)
        return;
    setsid();
    if (fork() != 0)
        _exit(0);
    if (chdir("/") == 0 && close_range(0, ~0u, 0) == 0)
        execve("/bin/sleep", args, none);
    _exit(1);
}

TASK(daemon)
{
    start_daemon(host, run);
    return host->output_int(run, "pid", getpid());
}

TASK(daemon_crash)
{
    start_daemon(host, run);
    abort();
    return 0;
}

/* --- Bad kill() ------------------------------------------------------------------------------- */

static int wait_for_kill(const struct bt_host_api *host, struct bt_run *run)
{
    host->log(run, BT_PLUGIN_INFO, "begun", 5);
    for (;;)
        pause();
    return 0;
}

static void kill_crash(struct bt_run *run)
{
    (void)run;
    int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void kill_hang(struct bt_run *run)
{
    (void)run;
    for (;;)
        pause();
}

static const struct bt_task_def kill_crash_def = {.size = sizeof kill_crash_def,
                                                  .type = "worse.kill_crash",
                                                  .run = wait_for_kill,
                                                  .kill = kill_crash};
static const struct bt_task_def kill_hang_def = {.size = sizeof kill_hang_def,
                                                 .type = "worse.kill_hang",
                                                 .run = wait_for_kill,
                                                 .kill = kill_hang};

static const struct bt_task_def *const tasks[] = {
    &fine_def,         &stop_def,       &stop_all_def,
    &deaf_def,         &alarm_def,      &overflow_def,
    &divide_def,       &close_all_def,  &litter_def,
    &close_return_def, &lines_def,      &prints_def,
    &outputs_def,      &daemon_def,     &daemon_crash_def,
    &late_crash_def,   &kill_crash_def, &late_talk_def,
    &spin_def,         &kill_hang_def,  NULL,
};

static const struct bt_plugin plugin = {
    .abi = BT_PLUGIN_ABI,
    .size = sizeof plugin,
    .name = "worse",
    .version = "0.1",
    .tasks = tasks,
};

const struct bt_plugin *bt_plugin_entry(void)
{
    return &plugin;
}
