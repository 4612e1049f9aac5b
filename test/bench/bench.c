/* bench.c — `make bench`: measures against limits taken in the same run; prints a table and JSON.
 *
 * Never fails on a number: machines are shared and noisy. The last line says how many reach. */
#include "bench.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static FILE *json;
static int rows, reached;

void bench_report(const struct bench_row *row)
{
    double shown = row->is_ratio ? row->value / row->limit : row->value;
    bool is_good = row->is_upper ? shown <= row->reach : shown >= row->reach;
    is_good = is_good || (row->enough > 0 && row->value >= row->enough);
    rows++;
    reached += is_good;
    (void)printf("%s %-52s %12.4g %s", is_good ? "ok  " : "MISS", row->name, row->value, row->unit);
    if (row->limit > 0)
        (void)printf("  [%s: %.4g, ratio %.2f]", row->limit_name, row->limit,
                     row->value / row->limit);
    (void)printf("  (reach %s %.4g%s)\n", row->is_upper ? "≤" : "≥", row->reach,
                 row->is_ratio ? " of the limit" : "");
    (void)fflush(stdout);
    (void)fprintf(json,
                  "%s{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"limit\":%.6g,"
                  "\"reach\":%.6g,\"ok\":%s}",
                  rows > 1 ? ",\n " : "", row->name, row->value, row->unit, row->limit, row->reach,
                  is_good ? "true" : "false");
}

static double read_clock(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now); /* Cannot fail. */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double bench_now_s(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double bench_cpu_s(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int compare_double(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return (one > two) - (one < two);
}

double bench_fsync_p50_s(const char *dir)
{
    enum { ROUNDS = 101 };
    static char block[4096];
    double times[ROUNDS];
    char path[512];
    (void)snprintf(path, sizeof path, "%s/fsync", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert(fd >= 0);
    for (int i = 0; i < ROUNDS; i++) {
        double start = bench_now_s();
        ssize_t wrote = write(fd, block, sizeof block);
        assert(wrote == (ssize_t)sizeof block);
        (void)fsync(fd);
        times[i] = bench_now_s() - start;
    }
    (void)close(fd);
    qsort(times, ROUNDS, sizeof *times, compare_double);
    return times[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    const char *baton = argc > 1 ? argv[1] : "build/baton";
    const char *json_path = argc > 2 ? argv[2] : "build/bench.json";
    char dir[] = "/tmp/baton-bench-XXXXXX";
    if (!mkdtemp(dir) || !(json = fopen(json_path, "we"))) {
        perror("bench");
        return 1;
    }
    (void)fprintf(json, "[");
    bench_engine(dir);
    bench_remote();
    bench_process(dir, baton);
    bench_host(dir, baton);
    (void)fprintf(json, "]\n");
    (void)fclose(json);
    (void)printf("%d of %d reach their mark; JSON in %s\n", reached, rows, json_path);
    (void)fflush(stdout);
    char command[64];
    (void)snprintf(command, sizeof command, "%s", dir);
    char *const remove[] = {"rm", "-rf", command, NULL};
    execvp("rm", remove);
    return 1;
}
