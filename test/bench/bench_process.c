/* bench_process.c — The program as its user starts it: one task, many processes, a long loop. */
#include "bench.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

static void bench_start(const char *dir, const char *baton)
{
    const char *path = bench_flow(dir, "one",
                                  "id: one\nnamespace: bench\ntasks:\n"
                                  "  - {id: hello, type: log, message: hello}\n");
    bench_report(&(struct bench_row){.name = "baton run of a one-task flow, start to exit, p50",
                                     .value = bench_median(baton, path, 21).seconds * 1e3,
                                     .unit = "ms",
                                     .reach = 30,
                                     .is_upper = true});
    struct stat info;
    if (stat(baton, &info) == 0)
        bench_report(&(struct bench_row){.name = "binary size",
                                         .value = (double)info.st_size / 1e6,
                                         .unit = "MB",
                                         .reach = 8,
                                         .is_upper = true});
}

/* --- Processes -------------------------------------------------------------------------------- */

enum { SPAWNS = 1600, SLOTS = 16 };

static pid_t start_child(const char *dir, int out, int err)
{
    pid_t pid = vfork();
    if (pid != 0)
        return pid;
    (void)setpgid(0, 0);
    if (chdir(dir) == 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0)
        execl("/bin/sh", "sh", "-c", "true", (char *)NULL);
    _exit(127);
}

/* The floor: the same command with two pipes, own group and working directory, 16 in parallel. */
static double bare_spawns(const char *dir)
{
    struct {
        pid_t pid;
        int out, err;
        char dir[544];
    } slots[SLOTS] = {0};
    double start = bench_now_s();
    int started = 0, ended = 0;
    while (ended < SPAWNS) {
        for (int i = 0; i < SLOTS && started < SPAWNS; i++) {
            if (slots[i].pid)
                continue;
            int out[2], err[2];
            (void)snprintf(slots[i].dir, sizeof slots[i].dir, "%s/w%d", dir, started);
            if (mkdir(slots[i].dir, 0700) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
                pipe2(err, O_CLOEXEC) < 0)
                abort();
            slots[i].pid = start_child(slots[i].dir, out[1], err[1]);
            (void)close(out[1]);
            (void)close(err[1]);
            slots[i].out = out[0];
            slots[i].err = err[0];
            started++;
        }
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        for (int i = 0; i < SLOTS; i++) {
            if (slots[i].pid != pid)
                continue;
            char byte[64];
            if (read(slots[i].out, byte, sizeof byte) < 0 ||
                read(slots[i].err, byte, sizeof byte) < 0)
                abort();
            (void)close(slots[i].out);
            (void)close(slots[i].err);
            (void)rmdir(slots[i].dir);
            slots[i].pid = 0;
            ended++;
        }
    }
    return bench_now_s() - start;
}

static void bench_spawn(const char *dir, const char *baton)
{
    const char *path =
        bench_flow(dir, "spawn",
                   "id: spawn\nnamespace: bench\ntasks:\n"
                   "  - id: each\n    type: foreach\n    values: '{{ range(1, 1600) }}'\n"
                   "    concurrencyLimit: 16\n    tasks:\n"
                   "      - {id: t, type: shell, commands: ['true']}\n");
    double bare = bare_spawns(dir);
    double ours = bench_median(baton, path, 1).seconds;
    bench_report(&(struct bench_row){.name = "sh -c true as process tasks, 16 in parallel",
                                     .value = SPAWNS / ours,
                                     .unit = "/s",
                                     .limit = SPAWNS / bare,
                                     .limit_name = "bare spawn loop",
                                     .reach = 0.7,
                                     .is_ratio = true});
}

/* --- Loops ------------------------------------------------------------------------------------ */

static struct bench_run loop_cost(const char *dir, const char *baton, int count, int rounds)
{
    char source[512];
    (void)snprintf(source, sizeof source,
                   "id: loop\nnamespace: bench\ntasks:\n"
                   "  - id: each\n    type: foreach\n    values: '{{ range(1, %d) }}'\n"
                   "    concurrencyLimit: 0\n    tasks:\n"
                   "      - {id: t, type: return, format: '{{ taskrun.value }}'}\n",
                   count);
    const char *path = bench_flow(dir, "loop", source);
    struct bench_run run = bench_median(baton, path, rounds);
    run.seconds /= count;
    return run;
}

static void bench_loop(const char *dir, const char *baton)
{
    double small = loop_cost(dir, baton, 1000, 15).seconds;
    struct bench_run large = loop_cost(dir, baton, 100000, 3);
    bench_report(&(struct bench_row){.name = "ForEach of 100,000: cost per task run",
                                     .value = large.seconds * 1e6,
                                     .unit = "µs",
                                     .limit = small * 1e6,
                                     .limit_name = "at 1,000",
                                     .reach = 1.3,
                                     .is_ratio = true,
                                     .is_upper = true});
    bench_report(&(struct bench_row){.name = "ForEach of 100,000: peak memory",
                                     .value = (double)large.peak_bytes / 1e6,
                                     .unit = "MB",
                                     .reach = 150,
                                     .is_upper = true});
}

void bench_process(const char *dir, const char *baton)
{
    bench_start(dir, baton);
    bench_spawn(dir, baton);
    bench_loop(dir, baton);
}
