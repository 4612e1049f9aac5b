/* bench.h — What the benchmark files share. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One row of the result: a measured value against what it should reach. */
struct bench_row {
    const char *name;
    double value;
    const char *unit;
    double limit; /* Measured in the same run, or 0. */
    const char *limit_name;
    double reach;  /* What `value` (or the ratio to the limit) should reach. */
    double enough; /* An absolute value that reaches all the same; 0: none. */
    bool is_ratio; /* reach is for value / limit. */
    bool is_upper; /* Smaller is better: value must stay below reach. */
};

void bench_report(const struct bench_row *row);
double bench_now_s(void);                  /* Monotonic seconds. */
double bench_cpu_s(void);                  /* CPU seconds of this process. */
double bench_fsync_p50_s(const char *dir); /* Median time of append 4 KiB + fsync. */

/* Starts a program; in_fd -1: our own input. */
pid_t bench_start_program(char *const argv[], int in_fd, int out_fd);
/* What `baton run` of a flow took, with all its processes. */
struct bench_run {
    double seconds, cpu_s;
    long peak_bytes; /* Of the largest process. */
};
/* The median of `rounds` (at most 64) runs, 16 slots. */
struct bench_run bench_median(const char *baton, const char *path, int rounds);
/* Writes the flow to a file; the path is valid until the next call. */
const char *bench_flow(const char *dir, const char *name, const char *source);

void bench_engine(const char *dir);
void bench_host(const char *dir, const char *baton);
void bench_process(const char *dir, const char *baton);
void bench_remote(void);
