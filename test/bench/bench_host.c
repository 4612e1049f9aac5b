/* bench_host.c — Tasks of plugins: what a host costs beside a pure task, how soon it is there, how
 * much of bare libcurl is left, and what a server with a warm zygote weighs. */
#include "bench.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 1024 };

/* A loop of `count` runs of one task. */
static const char *loop_flow(const char *dir, const char *name, int count, const char *task)
{
    char source[1024];
    (void)snprintf(source, sizeof source,
                   "id: %s\nnamespace: bench\ntasks:\n"
                   "  - id: each\n    type: foreach\n    values: '{{ range(1, %d) }}'\n"
                   "    concurrencyLimit: 0\n    tasks:\n      - {id: t, %s}\n",
                   name, count, task);
    return bench_flow(dir, name, source);
}

/* --- What a warm and a cold host cost --------------------------------------------------------- */

/* Processor time of one task, all processes together; start and end of the program cancel out. */
static double task_cpu_s(const char *dir, const char *baton, const char *task)
{
    enum { FEW = 500, MANY = 5500, ROUNDS = 3 };
    double few = bench_median(baton, loop_flow(dir, "few", FEW, task), ROUNDS).cpu_s;
    double many = bench_median(baton, loop_flow(dir, "many", MANY, task), ROUNDS).cpu_s;
    return (many - few) / (MANY - FEW);
}

static double one_task_s(const char *dir, const char *baton, const char *task)
{
    char source[512];
    (void)snprintf(source, sizeof source, "id: one\nnamespace: bench\ntasks:\n  - {id: t, %s}\n",
                   task);
    return bench_median(baton, bench_flow(dir, "one", source), 21).seconds;
}

static void bench_costs(const char *dir, const char *baton)
{
    const char *pure = "type: return, format: x";
    const char *plugin = "type: sample.echo, text: x";
    double pure_s = task_cpu_s(dir, baton, pure);
    double plugin_s = task_cpu_s(dir, baton, plugin);
    bench_report(&(struct bench_row){.name = "warm plugin task without work: CPU above a pure task",
                                     .value = (plugin_s - pure_s) * 1e3,
                                     .unit = "ms",
                                     .reach = 0.5,
                                     .is_upper = true});
    double cold = one_task_s(dir, baton, plugin) - one_task_s(dir, baton, pure);
    bench_report(&(struct bench_row){.name = "cold plugin host, with the zygote's own start, p50",
                                     .value = cold * 1e3,
                                     .unit = "ms",
                                     .reach = 30,
                                     .is_upper = true});
}

/* --- http.request against bare libcurl -------------------------------------------------------- */

static void path_beside(char *path, const char *program)
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_BYTES - 1);
    assert(len > 0);
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    assert(slash && (size_t)(slash - path) + strlen(program) + 2 < PATH_BYTES);
    memcpy(slash + 1, program, strlen(program) + 1);
}

struct server {
    pid_t pid;
    int in; /* Closing it ends the server. */
    int port;
};

/* False: it was not built. */
static bool start_server(const char *delay_us, struct server *server)
{
    char path[PATH_BYTES];
    int in[2], out[2];
    path_beside(path, "http_server");
    if (access(path, X_OK) < 0 || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return false;
    char *const argv[] = {path, "100", (char *)(uintptr_t)delay_us, NULL};
    server->pid = bench_start_program(argv, in[0], out[1]);
    (void)close(in[0]);
    (void)close(out[1]);
    server->in = in[1];
    FILE *text = fdopen(out[0], "r");
    bool is_up = text && fscanf(text, "%d", &server->port) == 1;
    if (text)
        (void)fclose(text);
    return is_up;
}

static void stop_server(struct server *server)
{
    (void)close(server->in);
    (void)waitpid(server->pid, NULL, 0);
}

/* Requests a second of the bare loop. */
static double bare_rate(int port)
{
    char path[PATH_BYTES], url[64];
    double rate = 0;
    int out[2];
    path_beside(path, "http_floor");
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    char *const argv[] = {path, url, "16", "2", NULL};
    if (pipe2(out, O_CLOEXEC) < 0)
        return 0;
    pid_t pid = bench_start_program(argv, -1, out[1]);
    (void)close(out[1]);
    FILE *text = fdopen(out[0], "r");
    if (!text || fscanf(text, "%lf", &rate) != 1)
        (void)fprintf(stderr, "bench: http_floor said nothing\n");
    if (text)
        (void)fclose(text);
    (void)waitpid(pid, NULL, 0);
    return rate;
}

static void bench_requests(const char *dir, const char *baton, const char *delay_us,
                           const char *name)
{
    enum { REQUESTS = 20000 };
    struct server server;
    char task[128];
    if (!start_server(delay_us, &server))
        return;
    (void)snprintf(task, sizeof task, "type: http.request, uri: 'http://127.0.0.1:%d/'",
                   server.port);
    double bare = bare_rate(server.port);
    double ours = REQUESTS / bench_median(baton, loop_flow(dir, "http", REQUESTS, task), 3).seconds;
    stop_server(&server);
    bench_report(&(struct bench_row){.name = name,
                                     .value = ours,
                                     .unit = "/s",
                                     .limit = bare,
                                     .limit_name = "bare libcurl-multi loop",
                                     .reach = 0.7,
                                     .is_ratio = true});
}

/* --- What an idle server weighs --------------------------------------------------------------- */

static long number_of(const char *pid, const char *key)
{
    char path[300], line[256];
    long number = -1;
    (void)snprintf(path, sizeof path, "/proc/%s/status", pid);
    FILE *file = fopen(path, "re");
    while (file && number < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            number = strtol(line + strlen(key), NULL, 10);
    if (file)
        (void)fclose(file);
    return number;
}

/* Resident bytes of the process and all its descendants. */
static long tree_bytes(long root)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    long sum = 0;
    while (dir && (entry = readdir(dir))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (strtol(entry->d_name, NULL, 10) == root)
            sum += number_of(entry->d_name, "VmRSS:") * 1024;
        else if (number_of(entry->d_name, "PPid:") == root)
            sum += tree_bytes(strtol(entry->d_name, NULL, 10));
    }
    if (dir)
        (void)closedir(dir);
    return sum;
}

static void bench_memory(const char *dir, const char *baton)
{
    char data[PATH_BYTES];
    (void)snprintf(data, sizeof data, "%s/server", dir);
    /* One command, so that the zygote runs. */
    const char *path = bench_flow(dir, "warm",
                                  "id: warm\nnamespace: bench\ntasks:\n"
                                  "  - {id: t, type: shell, commands: ['true']}\n");
    char *const server[] = {(char *)(uintptr_t)baton, "server", "--data", data, NULL};
    char *const run[] = {
        (char *)(uintptr_t)baton, "run", (char *)(uintptr_t)path, "--data", data, "-q", NULL};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), status = 0;
    pid_t pid = bench_start_program(server, -1, null);
    (void)poll(NULL, 0, 1000);
    (void)waitpid(bench_start_program(run, -1, null), &status, 0);
    (void)close(null);
    if (status != 0)
        (void)fprintf(stderr, "bench: baton run --data failed\n");
    bench_report(&(struct bench_row){.name = "server with an idle zygote: resident memory in all",
                                     .value = (double)tree_bytes(pid) / 1e6,
                                     .unit = "MB",
                                     .reach = 25,
                                     .is_upper = true});
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
}

void bench_host(const char *dir, const char *baton)
{
    char examples[PATH_BYTES];
    path_beside(examples, "../../examples/plugins");
    (void)setenv("BATON_PLUGINS", examples, 1);
    bench_costs(dir, baton);
    bench_requests(dir, baton, "2000", "http.request, 16 in parallel, the server takes 2 ms");
    bench_requests(dir, baton, "1000", "http.request, 16 in parallel, the server takes 1 ms");
    bench_requests(dir, baton, "0", "http.request, 16 in parallel, the server takes no time");
    bench_memory(dir, baton);
}
