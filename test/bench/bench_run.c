/* bench_run.c — Starts the program with a flow, as its user does, and says what it took. */
#include "bench.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

pid_t bench_start_program(char *const argv[], int in_fd, int out_fd)
{
    pid_t pid = vfork();
    if (pid != 0)
        return pid;
    if ((in_fd < 0 || dup2(in_fd, 0) >= 0) && dup2(out_fd, 1) >= 0)
        execv(argv[0], argv);
    _exit(127);
}

static struct bench_run run(const char *baton, const char *path)
{
    char *const argv[] = {
        (char *)(uintptr_t)baton, "run", (char *)(uintptr_t)path, "-q", "-j", "16", NULL};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    double start = bench_now_s();
    pid_t pid = bench_start_program(argv, -1, null);
    int status = 0;
    struct rusage usage;
    pid_t done = wait4(pid, &status, 0, &usage);
    double seconds = bench_now_s() - start;
    (void)close(null);
    if (done != pid || status != 0) { /* Nothing that fails is a measurement. */
        (void)fprintf(stderr, "bench: %s run %s failed (status %d)\n", baton, path, status);
        exit(1);
    }
    return (struct bench_run){
        .seconds = seconds,
        .cpu_s = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
        .peak_bytes = usage.ru_maxrss * 1024,
    };
}

static int compare_run(const void *a, const void *b)
{
    const struct bench_run *one = a, *two = b;
    return (one->seconds > two->seconds) - (one->seconds < two->seconds);
}

struct bench_run bench_median(const char *baton, const char *path, int rounds)
{
    struct bench_run runs[64];
    assert(rounds > 0 && rounds <= 64);
    for (int i = 0; i < rounds; i++)
        runs[i] = run(baton, path);
    qsort(runs, (size_t)rounds, sizeof *runs, compare_run);
    return runs[rounds / 2];
}

const char *bench_flow(const char *dir, const char *name, const char *source)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s.yml", dir, name);
    FILE *out = fopen(path, "we");
    assert(out);
    (void)fputs(source, out);
    (void)fclose(out);
    return path;
}
