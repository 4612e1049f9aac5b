/* spawn_floor.c — How fast commands can be started here at all, and how near the worker comes: a
 * bare loop that spawns `sh -c true` with two pipes, own group and a fresh working directory, 16 in
 * parallel, against a worker with 16 slots that gets the same number of jobs at once. */
#include "base/own.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "worker/worker.h"

#include <assert.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { COMMANDS = 2000, SLOTS = 16 };

static double now_s(void)
{
    return (double)bt_clock_mono_us(bt_clock_system()) / 1e6;
}

struct running {
    pid_t pid;
    int out, err;
    char dir[256];
};

static void start_bare(struct running *at, const char *root, int number)
{
    int out[2], err[2];
    (void)snprintf(at->dir, sizeof at->dir, "%s/w%d", root, number);
    if (mkdirat(AT_FDCWD, at->dir, 0700) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
        pipe2(err, O_CLOEXEC) < 0)
        abort();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)"true", NULL};
    if (posix_spawn_file_actions_init(&actions) || posix_spawnattr_init(&attributes) ||
        posix_spawn_file_actions_adddup2(&actions, out[1], 1) ||
        posix_spawn_file_actions_adddup2(&actions, err[1], 2) ||
        posix_spawn_file_actions_addchdir_np(&actions, at->dir) ||
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP) ||
        posix_spawn(&at->pid, "/bin/sh", &actions, &attributes, argv, environ))
        abort();
    (void)posix_spawn_file_actions_destroy(&actions); /* Cannot fail. */
    (void)posix_spawnattr_destroy(&attributes);       /* Cannot fail. */
    (void)close(out[1]);                              /* The child's. */
    (void)close(err[1]);                              /* The child's. */
    at->out = out[0];
    at->err = err[0];
}

static void end_bare(struct running *at)
{
    char text[64];
    if (read(at->out, text, sizeof text) != 0 || read(at->err, text, sizeof text) != 0)
        abort();
    (void)close(at->out); /* At its end. */
    (void)close(at->err); /* At its end. */
    (void)rmdir(at->dir); /* Empty. */
    at->pid = 0;
}

static double run_bare(const char *root)
{
    struct running all[SLOTS] = {{0}};
    double start = now_s();
    for (int started = 0, ended = 0; ended < COMMANDS;) {
        for (int i = 0; i < SLOTS && started < COMMANDS; i++) {
            if (all[i].pid == 0)
                start_bare(&all[i], root, started++);
        }
        pid_t pid = waitpid(-1, NULL, 0);
        for (int i = 0; i < SLOTS; i++) {
            if (all[i].pid == pid) {
                end_bare(&all[i]);
                ended++;
            }
        }
    }
    return COMMANDS / (now_s() - start);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int done;

static void on_result(void *data, struct bt_job_result *result)
{
    (void)data;
    assert(result->state == BT_SUCCESS);
    bt_job_result_done(result);
    pthread_mutex_lock(&mutex);
    if (++done == COMMANDS)
        pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static double run_worker(const char *root)
{
    static const char source[] = "id: bench\nnamespace: bench\ntasks:\n"
                                 "  - {id: t, type: shell, commands: ['true']}\n";
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    struct bt_worker *worker = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (bt_flow_parse(BT_STR(source), &flow, &diags) < 0)
        abort();
    bt_diags_done(&diags);
    struct bt_worker_config config = {.slots = SLOTS,
                                      .work_dir = root,
                                      .clock = bt_clock_system(),
                                      .sink = {.result = on_result}};
    double start = now_s();
    if (bt_worker_start(&config, &worker, &err) < 0)
        abort();
    for (int i = 0; i < COMMANDS; i++) {
        struct bt_job *job = calloc(1, sizeof *job);
        if (!job)
            abort();
        job->flow = bt_flow_ref(flow);
        job->task = &flow->tasks[0];
        job->token = (uint64_t)i + 1;
        bt_worker_submit(worker, job);
    }
    pthread_mutex_lock(&mutex);
    while (done < COMMANDS)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    double rate = COMMANDS / (now_s() - start);
    worker = bt_worker_stop(worker, true);
    bt_flow_unref(flow);
    return rate;
}

int main(void)
{
    char root[] = "/tmp/bt-spawn-XXXXXX";
    if (!mkdtemp(root))
        abort();
    double floor = run_bare(root);
    double ours = run_worker(root);
    (void)printf("bare loop %.0f/s, worker %.0f/s, ratio %.2f\n", floor, ours, ours / floor);
    return bt_fs_remove_tree(AT_FDCWD, root, NULL) == BT_OK ? 0 : 1;
}
