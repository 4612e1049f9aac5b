/* worker_case.h — A worker in a fresh directory, jobs made from YAML, and what the worker told of
 * them: shared by the worker's tests. */
#pragma once
#include "worker/worker.h"

#include "base/limits.h"
#include "sys/fs.h"
#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESULTS_MAX = 64, WAIT_S = 60 };

/* What the worker told. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct bt_job_result results[RESULTS_MAX];
    size_t count;
    struct bt_buf logs; /* "I text\n", … */
    uint64_t log_lines;
    unsigned running, running_max;
    uint64_t lost; /* Token of the last job whose place was not there. */
    unsigned lost_count;
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static char root[64];
static struct bt_files *files;
static struct bt_worker *worker;
static uint64_t next_token = 1;
static struct bt_world world; /* Of the next worker that starts. */
static unsigned places_max;   /* The same. */

static inline void on_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                           size_t count)
{
    (void)data, (void)job;
    pthread_mutex_lock(&told.mutex);
    for (size_t i = 0; i < count; i++) {
        assert_true(lines[i].text.len <= BT_LOG_MESSAGE_MAX);
        (void)bt_buf_addf(&told.logs, "%c ", bt_level_name(lines[i].level)[0]);
        (void)bt_buf_add(&told.logs, lines[i].text);
        (void)bt_buf_addc(&told.logs, '\n');
    }
    told.log_lines += count;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.mutex);
}

static inline void on_started(void *data, const struct bt_job *job, int64_t at_us)
{
    (void)data, (void)job, (void)at_us;
    pthread_mutex_lock(&told.mutex);
    if (++told.running > told.running_max)
        told.running_max = told.running;
    pthread_mutex_unlock(&told.mutex);
}

static inline void on_result(void *data, struct bt_job_result *result)
{
    (void)data;
    pthread_mutex_lock(&told.mutex);
    told.running -= told.running > 0;
    assert_true(told.count < RESULTS_MAX);
    told.results[told.count++] = *result;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.mutex);
}

static inline void on_lost(void *data, const struct bt_job *job)
{
    (void)data;
    pthread_mutex_lock(&told.mutex);
    told.lost = job->token;
    told.lost_count++;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.mutex);
}

/* What a trigger flushed last, and the answer to it. */
static struct bt_value *flushed;
static const char *flush_error;
static bool is_flush_answered = true;

static inline void on_events(void *data, const struct bt_job *job, struct bt_value *events,
                             struct bt_value *state)
{
    (void)data;
    pthread_mutex_lock(&told.mutex);
    bt_value_unref(flushed);
    flushed = events;
    pthread_mutex_unlock(&told.mutex);
    bt_value_unref(state);
    if (is_flush_answered)
        bt_worker_flushed(worker, job->token, flush_error);
}

static inline void forget(void)
{
    for (size_t i = 0; i < told.count; i++)
        bt_job_result_done(&told.results[i]);
    told.count = 0;
    bt_buf_done(&told.logs);
    flushed = bt_value_unref(flushed);
    told.log_lines = told.running = told.running_max = told.lost_count = 0;
}

static inline void start_worker(unsigned slots, int64_t grace_ms)
{
    struct bt_err err = BT_ERR_INIT;
    static char work[96];
    (void)snprintf(work, sizeof work, "%s/work", root);
    struct bt_worker_config config = {
        .slots = slots,
        .work_dir = work,
        .files = files,
        .world = world,
        .clock = bt_clock_system(),
        .kill_grace_ms = grace_ms,
        .places_max = places_max,
        .sink = {.logs = on_logs,
                 .started = on_started,
                 .result = on_result,
                 .events = on_events,
                 .lost = on_lost},
    };
    assert_int_equal(bt_worker_start(&config, &worker, &err), BT_OK);
}

static inline int set_up(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/bt-worker-XXXXXX");
    struct bt_err err = BT_ERR_INIT;
    char storage[96];
    if (!mkdtemp(root))
        return -1;
    (void)snprintf(storage, sizeof storage, "%s/storage", root);
    told.logs = (struct bt_buf)BT_BUF_INIT(256u << 20);
    if (bt_files_open_local(storage, &files, &err) < 0)
        return -1;
    start_worker(4, 300);
    return 0;
}

static inline int count_entry(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    (void)path, (void)type, (void)err;
    ++*(int *)data;
    return BT_OK;
}

/* Files left in the working directories. */
static inline int leftovers(void)
{
    char work[96];
    int count = 0;
    (void)snprintf(work, sizeof work, "%s/work", root);
    BT_FD dir = open(work, O_RDONLY | O_DIRECTORY);
    struct stat at;
    assert_int_equal(fstat(dir, &at), 0);
    assert_int_equal(bt_fs_walk(dir, count_entry, &count, NULL), BT_OK);
    return count + (int)at.st_nlink - 2; /* Directories too. */
}

static inline int tear_down(void **state)
{
    (void)state;
    worker = bt_worker_stop(worker, true);
    assert_int_equal(leftovers(), 0);
    files = bt_files_close(files);
    forget();
    return bt_fs_remove_tree(AT_FDCWD, root, NULL);
}

/* A job of the flow's first task. `spec` is the task's properties in YAML, indented by four. */
static inline struct bt_job *make_job(const char *type, const char *spec)
{
    char source[8192];
    int len = snprintf(source, sizeof source,
                       "id: flow\nnamespace: company.team\ntasks:\n  - id: task\n    type: %s\n%s",
                       type, spec);
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    int rc = bt_flow_parse((struct bt_str){source, (size_t)len}, &job->flow, &diags);
    if (rc < 0)
        print_error("%s\n%s\n", source, diags.count ? diags.items[0].msg : "");
    assert_int_equal(rc, BT_OK);
    bt_diags_done(&diags);
    job->task = &job->flow->tasks[0];
    job->token = next_token++;
    (void)snprintf(job->tenant, sizeof job->tenant, "main");
    (void)snprintf(job->exec_id, sizeof job->exec_id, "exec");
    (void)snprintf(job->taskrun_id, sizeof job->taskrun_id, "run%" PRIu64, job->token);
    job->variables = bt_map_new(2);
    BT_VALUE inputs = bt_map_new(2);
    assert_int_equal(bt_map_puts(inputs, "name", bt_value_cstr("world")), BT_OK);
    assert_int_equal(bt_map_puts(job->variables, "inputs", BT_TAKE(inputs)), BT_OK);
    return job;
}

static inline struct timespec deadline(void)
{
    return (struct timespec){.tv_sec = bt_clock_wall_us(bt_clock_system()) / 1000000 + WAIT_S};
}

static inline struct bt_job_result *wait_result(size_t count)
{
    struct timespec until = deadline();
    pthread_mutex_lock(&told.mutex);
    int rc = 0;
    while (told.count < count && rc == 0)
        rc = pthread_cond_timedwait(&told.changed, &told.mutex, &until);
    pthread_mutex_unlock(&told.mutex);
    assert_int_equal(rc, 0);
    return &told.results[count - 1];
}

static inline void wait_logs(uint64_t lines)
{
    struct timespec until = deadline();
    pthread_mutex_lock(&told.mutex);
    int rc = 0;
    while (told.log_lines < lines && rc == 0)
        rc = pthread_cond_timedwait(&told.changed, &told.mutex, &until);
    pthread_mutex_unlock(&told.mutex);
    assert_int_equal(rc, 0);
}

static inline struct bt_job_result *run(const char *type, const char *spec)
{
    bt_worker_submit(worker, make_job(type, spec));
    struct bt_job_result *result = wait_result(told.count + 1);
    if (result->error)
        print_message("    %s\n", result->error);
    return result;
}

static inline const char *logs(void)
{
    const char *text = bt_buf_cstr(&told.logs);
    return text ? text : "";
}

static inline void expect_json(const struct bt_value *value, const char *want)
{
    BT_VALUE text = bt_json_text(value);
    struct bt_str got = bt_value_str(text);
    if (!bt_str_is(got, want))
        print_error("got  %.*s\nwant %s\n", BT_FMT(got), want);
    assert_true(bt_str_is(got, want));
}

static inline bool is_dead(pid_t pid)
{
    char path[32];
    char stat[256];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    BT_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, stat, sizeof stat - 1);
    stat[len > 0 ? len : 0] = '\0';
    const char *state = strrchr(stat, ')');
    return !state || strncmp(state, ") Z", 3) == 0; /* The machine's init may reap late. */
}

static inline bool is_gone(pid_t pid, int within_ms)
{
    for (int i = 0; i < within_ms; i++) {
        if (is_dead(pid))
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

/* All threads of a child of the warden are gone, and with them its descriptors. */
static inline bool is_reaped(pid_t pid, int within_ms)
{
    for (int i = 0; i < within_ms; i++) {
        if (kill(pid, 0) < 0 && errno == ESRCH)
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

/* The number after "I pid " in the log. */
static inline pid_t logged_pid(void)
{
    pthread_mutex_lock(&told.mutex);
    const char *at = strstr(logs(), "I pid ");
    pid_t pid = at ? (pid_t)strtol(at + 6, NULL, 10) : 0;
    pthread_mutex_unlock(&told.mutex);
    assert_true(pid > 1);
    return pid;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
