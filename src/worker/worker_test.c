/* Goal: whatever a script task does, its worker reports what came of it, keeps its output, and leaves
 * no process and no file behind. Method: flows run job by job through a real worker. */
#include "worker/worker.h"

#include "base/limits.h"
#include "sys/fs.h"
#include "value/json.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
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
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static char root[64];
static struct bt_files *files;
static struct bt_worker *worker;
static uint64_t next_token = 1;

static void on_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
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

static void on_started(void *data, const struct bt_job *job, int64_t at_us)
{
    (void)data, (void)job, (void)at_us;
    pthread_mutex_lock(&told.mutex);
    if (++told.running > told.running_max)
        told.running_max = told.running;
    pthread_mutex_unlock(&told.mutex);
}

static void on_result(void *data, struct bt_job_result *result)
{
    (void)data;
    pthread_mutex_lock(&told.mutex);
    told.running -= told.running > 0;
    assert_true(told.count < RESULTS_MAX);
    told.results[told.count++] = *result;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.mutex);
}

static void forget(void)
{
    for (size_t i = 0; i < told.count; i++)
        bt_job_result_done(&told.results[i]);
    told.count = 0;
    bt_buf_done(&told.logs);
    told.log_lines = told.running = told.running_max = 0;
}

static void start_worker(unsigned slots, int64_t grace_ms)
{
    struct bt_err err = BT_ERR_INIT;
    static char work[96];
    (void)snprintf(work, sizeof work, "%s/work", root);
    struct bt_worker_config config = {
        .slots = slots,
        .work_dir = work,
        .files = files,
        .clock = bt_clock_system(),
        .kill_grace_ms = grace_ms,
        .sink = {.logs = on_logs, .started = on_started, .result = on_result},
    };
    assert_int_equal(bt_worker_start(&config, &worker, &err), BT_OK);
}

static int set_up(void **state)
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

static int count_entry(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    (void)path, (void)type, (void)err;
    ++*(int *)data;
    return BT_OK;
}

/* Files left in the working directories. */
static int leftovers(void)
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

static int tear_down(void **state)
{
    (void)state;
    worker = bt_worker_stop(worker, true);
    assert_int_equal(leftovers(), 0);
    files = bt_files_close(files);
    forget();
    return bt_fs_remove_tree(AT_FDCWD, root, NULL);
}

/* A job of the flow's first task. `spec` is the task's properties in YAML, indented by four. */
static struct bt_job *make_job(const char *type, const char *spec)
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

static struct bt_job_result *wait_result(size_t count)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&told.mutex);
    int rc = 0;
    while (told.count < count && rc == 0)
        rc = pthread_cond_timedwait(&told.changed, &told.mutex, &until);
    pthread_mutex_unlock(&told.mutex);
    assert_int_equal(rc, 0);
    return &told.results[count - 1];
}

static void wait_logs(uint64_t lines)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&told.mutex);
    int rc = 0;
    while (told.log_lines < lines && rc == 0)
        rc = pthread_cond_timedwait(&told.changed, &told.mutex, &until);
    pthread_mutex_unlock(&told.mutex);
    assert_int_equal(rc, 0);
}

static struct bt_job_result *run(const char *type, const char *spec)
{
    bt_worker_submit(worker, make_job(type, spec));
    struct bt_job_result *result = wait_result(told.count + 1);
    if (result->error)
        print_message("    %s\n", result->error);
    return result;
}

static const char *logs(void)
{
    const char *text = bt_buf_cstr(&told.logs);
    return text ? text : "";
}

static void expect_json(const struct bt_value *value, const char *want)
{
    BT_VALUE text = bt_json_text(value);
    struct bt_str got = bt_value_str(text);
    if (!bt_str_is(got, want))
        print_error("got  %.*s\nwant %s\n", BT_FMT(got), want);
    assert_true(bt_str_is(got, want));
}

static bool is_gone(pid_t pid, int within_ms)
{
    for (int i = 0; i < within_ms; i++) {
        if (kill(pid, 0) < 0 && errno == ESRCH)
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

/* The number after "I pid " in the log. */
static pid_t logged_pid(void)
{
    pthread_mutex_lock(&told.mutex);
    const char *at = strstr(logs(), "I pid ");
    pid_t pid = at ? (pid_t)strtol(at + 6, NULL, 10) : 0;
    pthread_mutex_unlock(&told.mutex);
    assert_true(pid > 1);
    return pid;
}

/* --- Commands --- */

static void test_commands(void **state)
{
    (void)state;
    struct bt_job_result *result = run("shell", "    commands:\n"
                                                "      - echo hello {{ inputs.name }}\n"
                                                "      - test \"$(pwd)\" = \"$WORKING_DIR\"\n"
                                                "      - test \"{{ workingDir }}\" = \"$(pwd)\"\n"
                                                "      - echo $GREETING\n"
                                                "    env:\n      GREETING: hi {{ inputs.name }}\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_null(result->error);
    assert_string_equal(logs(), "I hello world\nI hi world\n");
    expect_json(result->outputs, "{\"exitCode\":0,\"vars\":{},\"outputFiles\":{},"
                                 "\"stdOutLineCount\":2,\"stdErrLineCount\":0}");
    assert_true(result->ended_us >= result->started_us);
}

static void test_states(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        enum bt_state state;
        const char *error;
    } rows[] = {
        {"    commands: ['exit 3']\n", BT_FAILED, "Command failed with exit code 3"},
        {"    commands: ['kill -9 $$']\n", BT_FAILED, "Command failed with exit code 137"},
        {"    commands: ['false', 'echo on']\n", BT_FAILED, "Command failed with exit code 1"},
        {"    failFast: false\n    commands: ['false', 'true']\n", BT_SUCCESS, NULL},
        {"    beforeCommands: ['false']\n    commands: ['true']\n", BT_FAILED,
         "Command failed with exit code 1"},
        {"    commands: ['echo x >&2']\n", BT_WARNING, NULL},
        {"    warningOnStdErr: false\n    commands: ['echo x >&2']\n", BT_SUCCESS, NULL},
        {"    interpreter: [/nonexistent/sh, -c]\n    commands: ['true']\n", BT_FAILED,
         "cannot start '/nonexistent/sh': No such file or directory"},
        {"    commands: ['echo {{ inputs.missing }}']\n", BT_FAILED, NULL},
        {"    interpreter: [bash, -c]\n    commands: ['[[ $BASH ]]']\n", BT_SUCCESS, NULL},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_job_result *result = run("shell", rows[i].spec);
        assert_int_equal(result->state, rows[i].state);
        assert_int_equal(result->error != NULL, rows[i].state == BT_FAILED);
        if (rows[i].error)
            assert_string_equal(result->error, rows[i].error);
    }
}

static void test_protocol(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell.script",
            "    script: |\n"
            "      echo '::{\"outputs\":{\"a\":1,\"b\":\"x\"}}::'\n"
            "      echo '::{\"outputs\":{\"a\":2.5},\"metrics\":[{\"name\":\"rows\",\"type\":"
            "\"counter\",\"value\":7,\"tags\":{\"t\":\"u\"}}]}::'\n"
            "      echo '::{\"logs\":[{\"level\":\"WARN\",\"message\":\"careful\"}]}::'\n"
            "      echo '::{broken}::'\n"
            "      echo ' ::{\"outputs\":{}}::'\n"
            "      exit 1\n");
    assert_int_equal(result->state, BT_FAILED);
    expect_json(result->outputs, "{\"exitCode\":1,\"vars\":{\"a\":2.5,\"b\":\"x\"},"
                                 "\"outputFiles\":{},\"stdOutLineCount\":5,\"stdErrLineCount\":0}");
    expect_json(result->metrics, "[{\"name\":\"rows\",\"type\":\"counter\",\"value\":7,"
                                 "\"tags\":{\"t\":\"u\"}}]");
    assert_non_null(strstr(logs(), "W careful\nW Invalid outputs '::{broken}::': "));
    assert_non_null(strstr(logs(), "I  ::{\"outputs\":{}}::\n"));
}

static void test_live_logs(void **state)
{
    (void)state;
    struct bt_job *job = make_job("shell", "    commands: ['echo pid $$', 'exec sleep 100']\n");
    uint64_t token = job->token;
    bt_worker_submit(worker, job);
    wait_logs(1);
    assert_int_equal(told.count, 0);
    pid_t pid = logged_pid();
    bt_worker_kill(worker, token);
    assert_int_equal(wait_result(1)->state, BT_KILLED);
    assert_true(is_gone(pid, 1));
}

static void test_big_output(void **state)
{
    (void)state;
    struct bt_job_result *result = run(
        "shell", "    commands: ['i=0; while [ $i -lt 200 ]; do head -c 10485 /dev/zero | tr "
                 "\"\\\\0\" x; echo; i=$((i+1)); done']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_int_equal(bt_value_as_int(bt_map_gets(result->outputs, "stdOutLineCount")), 200);
    assert_int_equal(told.log_lines, 400);
    assert_int_equal(told.logs.len, 200 * 10485 + 400 * 3);
}

static void test_quota(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell", "    commands: ['yes 0123456789012345678901234567890 | head -c 80000000', "
                     "'echo \"::{\\\"outputs\\\":{\\\"x\\\":1}}::\"']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_non_null(strstr(logs(), "W The log ends here: it is longer than the limit of 64 MiB"));
    assert_true(told.logs.len < (BT_LOG_QUOTA_BYTES * 11ull) / 10);
    expect_json(bt_map_gets(result->outputs, "vars"), "{\"x\":1}");
}

static void test_long_command(void **state)
{
    (void)state;
    struct bt_job *job = make_job("shell", "    commands: ['echo {{ inputs.long }} | wc -c']\n");
    struct bt_buf text = BT_BUF_INIT(1 << 20);
    for (int i = 0; i < 300000; i++)
        assert_int_equal(bt_buf_addc(&text, 'y'), BT_OK);
    BT_VALUE inputs = bt_map_new(1);
    assert_int_equal(bt_map_puts(inputs, "long", bt_value_string(bt_buf_str(&text))), BT_OK);
    assert_int_equal(bt_map_puts(job->variables, "inputs", BT_TAKE(inputs)), BT_OK);
    bt_buf_done(&text);
    bt_worker_submit(worker, job);
    assert_int_equal(wait_result(1)->state, BT_SUCCESS);
    assert_string_equal(logs(), "I 300001\n");
}

/* --- Ends --- */

static void test_timeout(void **state)
{
    (void)state;
    struct bt_job *job = make_job("shell", "    commands: ['echo pid $$', 'sleep 100']\n");
    job->timeout_us = 200000;
    bt_worker_submit(worker, job);
    struct bt_job_result *result = wait_result(1);
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(result->error, "Timeout after 00:00:00.200");
    assert_true(is_gone(logged_pid(), 1));
    assert_true(result->ended_us - result->started_us >= 200000);
}

static void test_kill_stubborn(void **state)
{
    (void)state;
    struct bt_job *job = make_job(
        "shell", "    commands: ['trap \"echo no\" TERM', 'echo pid $$', 'while :; do sleep 1; done']\n");
    uint64_t token = job->token;
    bt_worker_submit(worker, job);
    wait_logs(1);
    bt_worker_kill(worker, token);
    bt_worker_kill(worker, token);
    bt_worker_kill(worker, 999999);
    assert_int_equal(wait_result(1)->state, BT_KILLED);
    assert_non_null(strstr(logs(), "I no\n"));
    assert_true(is_gone(logged_pid(), 1));
    assert_int_equal(told.count, 1);
}

static void test_kill_waiting(void **state)
{
    (void)state;
    uint64_t tokens[6];
    for (int i = 0; i < 6; i++) {
        struct bt_job *job = make_job("shell", "    commands: ['sleep 100']\n");
        tokens[i] = job->token;
        bt_worker_submit(worker, job);
    }
    bt_worker_kill(worker, tokens[5]);
    assert_int_equal(wait_result(1)->token, tokens[5]);
    assert_int_equal(told.results[0].state, BT_KILLED);
    for (int i = 0; i < 5; i++)
        bt_worker_kill(worker, tokens[i]);
    for (size_t i = 1; i <= 6; i++)
        assert_int_equal(wait_result(i)->state, BT_KILLED);
    assert_int_equal(told.running_max, 4);
}

static void test_stop(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        bt_worker_submit(worker, make_job("shell", "    commands: ['trap \"\" TERM', 'echo pid $$; "
                                                   "while :; do sleep 1; done']\n"));
    wait_logs(4);
    pid_t pid = logged_pid();
    worker = bt_worker_stop(worker, false);
    assert_int_equal(told.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(told.results[i].state, BT_KILLED);
    assert_true(is_gone(pid, 1));
    start_worker(4, 300);
}

static void test_background(void **state)
{
    (void)state;
    struct bt_job_result *result = run("shell", "    commands: ['sleep 100 & echo pid $!']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_true(is_gone(logged_pid(), 1));
    assert_true(result->ended_us - result->started_us < 5000000);
}

static void test_daemon(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell", "    commands:\n"
                     "      - (setsid sh -c 'echo pid $$; exec sleep 100' &)\n"
                     "      - sleep 0.1\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_true(is_gone(logged_pid(), 2000));
}

static void test_late_output(void **state)
{
    (void)state;
    struct bt_job_result *result = run("shell", "    commands: ['(sleep 0.1; echo late) &']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_string_equal(logs(), "I late\n");
}

static void test_parallel(void **state)
{
    (void)state;
    (void)bt_worker_stop(worker, true);
    start_worker(16, 300);
    for (int i = 0; i < 32; i++)
        bt_worker_submit(worker, make_job("shell", "    commands: ['echo x', 'sleep 0.05']\n"));
    for (size_t i = 1; i <= 32; i++)
        assert_int_equal(wait_result(i)->state, BT_SUCCESS);
    assert_int_equal(told.log_lines, 32);
    assert_int_equal(told.running_max, 16);
}

static void test_other_types(void **state)
{
    (void)state;
    struct bt_job_result *result = run("log", "    message: x\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(result->error, "this worker cannot run tasks of type 'log'");
}

/* --- Files --- */

static void test_input_files(void **state)
{
    (void)state;
    struct bt_job_result *result = run("shell", "    inputFiles:\n"
                                                "      a.txt: text of {{ inputs.name }}\n"
                                                "      d/e/b.txt: deep\n"
                                                "    commands: ['cat a.txt; echo; cat d/e/b.txt']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_string_equal(logs(), "I text of world\nI deep\n");
    result = run("shell", "    inputFiles: '{\"{{ inputs.name }}.txt\": \"json\"}'\n"
                          "    commands: ['cat world.txt']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    static const char *const bad[] = {"../x", "/tmp/x", "a/../../x", ""};
    for (size_t i = 0; i < BT_COUNT(bad); i++) {
        char spec[256];
        (void)snprintf(spec, sizeof spec, "    inputFiles: {'%s': x}\n    commands: ['true']\n",
                       bad[i]);
        result = run("shell", spec);
        assert_int_equal(result->state, BT_FAILED);
        (void)snprintf(spec, sizeof spec,
                       "inputFiles: '%s': The path to resolve must be a relative path inside the "
                       "current working directory.", bad[i]);
        assert_string_equal(result->error, spec);
    }
}

static void test_output_files(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell", "    outputFiles: ['*.csv', 'd/**', 'plain', 'missing', 'l*', '{x,y}.[ab]']\n"
                     "    commands:\n"
                     "      - echo 1 > a.csv; echo 2 > 'b c.csv'; mkdir -p d/e d/.h; echo 3 > d/e/f\n"
                     "      - echo 4 > d/.h/g; echo 5 > plain; ln -s /etc/passwd link\n"
                     "      - ln -s plain inner.csv; echo 6 > x.a; echo 7 > z.a; mkfifo q.csv\n"
                     "      - exit 1\n");
    assert_int_equal(result->state, BT_FAILED);
    char want[2048];
    char base[128];
    (void)snprintf(base, sizeof base, "baton:///company/team/flow/executions/exec/tasks/task/run%"
                   PRIu64, next_token - 1);
    (void)snprintf(want, sizeof want,
                   "{\"a.csv\":\"%s/a.csv\",\"b c.csv\":\"%s/b%%20c.csv\",\"d/.h/g\":\"%s/d/.h/g\","
                   "\"d/e/f\":\"%s/d/e/f\",\"inner.csv\":\"%s/inner.csv\",\"plain\":\"%s/plain\","
                   "\"x.a\":\"%s/x.a\"}", base, base, base, base, base, base, base);
    expect_json(bt_map_gets(result->outputs, "outputFiles"), want);
    assert_non_null(strstr(logs(), "W outputFiles: 'missing' was not made by the command\n"));
    BT_FD fd = -1;
    struct bt_err err = BT_ERR_INIT;
    struct bt_str uri = bt_map_str(bt_map_gets(result->outputs, "outputFiles"), "b c.csv");
    assert_int_equal(bt_files_open(files, "main", uri, &fd, &err), BT_OK);
    char text[8];
    assert_int_equal(read(fd, text, sizeof text), 2);
    assert_memory_equal(text, "2\n", 2);
}

static void test_output_link_refused(void **state)
{
    (void)state;
    struct bt_job_result *result = run("shell", "    outputFiles: [link]\n"
                                                "    commands: ['ln -s /etc/passwd link']\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(result->error,
                        "outputFiles: cannot open 'link': the path leaves its directory");
    result = run("shell", "    outputFiles: ['../../../storage/**']\n    commands: ['true']\n");
    expect_json(bt_map_gets(result->outputs, "outputFiles"), "{}");
    result = run("shell", "    outputFiles: ['../secret']\n"
                          "    commands: ['echo x > ../secret']\n");
    assert_int_equal(result->state, BT_FAILED);
}

static void test_output_dir(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell", "    outputDirectory: true\n"
                     "    commands: ['mkdir {{ outputDir }}/s', 'echo x > $OUTPUT_DIR/s/t']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_int_equal(bt_value_count(bt_map_gets(result->outputs, "outputFiles")), 1);
    assert_true(bt_map_str(bt_map_gets(result->outputs, "outputFiles"), "s/t").len > 0);
}

static void test_uris(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    struct bt_file_writer *writer = NULL;
    struct bt_str uri = BT_STR("baton:///company/team/flow/executions/exec/in.csv");
    assert_int_equal(bt_files_create(files, "main", uri, &writer, &err), BT_OK);
    assert_int_equal(bt_file_write(writer, "a,b\n", 4, &err), BT_OK);
    assert_int_equal(bt_file_commit(writer, &err), BT_OK);
    struct bt_job_result *result =
        run("shell", "    inputFiles: {x.csv: 'kestra:///company/team/flow/executions/exec/in.csv'}\n"
                     "    commands: ['cat x.csv', "
                     "'cat \"baton:///company/team/flow/executions/exec/in.csv\"', "
                     "'echo kestra:///company/team/flow/executions/exec/in.csv,', "
                     "'echo http:///x baton://y xbaton:///']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_true(bt_str_starts(bt_str_of(logs()), BT_STR("I a,b\nI a,b\nI /")));
    assert_non_null(strstr(logs(), "1-in.csv,\nI http:///x baton://y xbaton:///\n"));
    static const char *const calls[] = {"read", "fileSize"};
    static const char *const wants[] = {"I a,b\nI \n", "I 4\n"};
    for (size_t i = 0; i < BT_COUNT(calls); i++) {
        char spec[256];
        bt_buf_clear(&told.logs);
        (void)snprintf(spec, sizeof spec, "    commands: [\"echo '{{ %s('baton:///company/team/flow/"
                       "executions/exec/in.csv') }}'\"]\n", calls[i]);
        assert_int_equal(run("shell", spec)->state, BT_SUCCESS);
        assert_string_equal(logs(), wants[i]);
    }
    result = run("shell", "    commands: [\"{{ read('baton:///company/team/flow/executions/other/x') }}\"]\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_non_null(strstr(result->error, "as it didn't belong to the current execution"));
    result = run("shell", "    commands: ['cat baton:///company/none']\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(result->error, "file 'baton:///company/none' does not exist");
}

static void test_disk_full(void **state)
{
    (void)state;
    char work[96];
    (void)bt_worker_stop(worker, true);
    (void)snprintf(work, sizeof work, "%s/work", root);
    bool is_root = mount("tmpfs", work, "tmpfs", 0, "size=64k,nr_inodes=6") == 0;
    start_worker(1, 300);
    if (!is_root)
        skip(); /* Only root may mount. */
    struct bt_job *job = make_job("shell", "    inputFiles: {x: '{{ inputs.name }}'}\n"
                                           "    commands: ['true']\n");
    struct bt_buf text = BT_BUF_INIT(1 << 20);
    for (int i = 0; i < 100000; i++)
        (void)bt_buf_addc(&text, 'y');
    BT_VALUE inputs = bt_map_new(1);
    assert_int_equal(bt_map_puts(inputs, "name", bt_value_string(bt_buf_str(&text))), BT_OK);
    assert_int_equal(bt_map_puts(job->variables, "inputs", BT_TAKE(inputs)), BT_OK);
    bt_buf_done(&text);
    bt_worker_submit(worker, job);
    assert_int_equal(wait_result(1)->state, BT_FAILED);
    assert_string_equal(told.results[0].error,
                        "inputFiles: file 'x': cannot write: No space left on device");
    assert_int_equal(run("shell", "    commands: ['true']\n")->state, BT_SUCCESS);
    worker = bt_worker_stop(worker, true);
    assert_int_equal(umount(work), 0);
    start_worker(1, 300);
}

static void test_unwritable(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    struct bt_worker *other = NULL;
    struct bt_worker_config config = {.slots = 1, .work_dir = "/proc/nowhere", .files = files,
                                      .clock = bt_clock_system(), .sink = {.result = on_result}};
    assert_true(bt_worker_start(&config, &other, &err) < 0);
    assert_string_equal(err.msg, "cannot open directory '/proc/nowhere': No such file or directory");
}

/* --- Python --- */

static void test_python(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("python", "    inputFiles: {helper.py: 'x = 5'}\n"
                      "    script: |\n"
                      "      \"\"\"Doc.\"\"\"\n"
                      "      from __future__ import annotations\n"
                      "      import sys, helper\n"
                      "      print(__name__, __doc__, helper.x, [true, false, null], len(sys.argv))\n"
                      "      print('::{\"outputs\":{\"n\":3}}::')\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_string_equal(logs(), "I __main__ Doc. 5 [True, False, None] 1\n");
    expect_json(bt_map_gets(result->outputs, "vars"), "{\"n\":3}");
    expect_json(bt_map_gets(result->outputs, "outputFiles"), "{}");
}

static void test_python_traceback(void **state)
{
    (void)state;
    static const char *const words[] = {"pass", "null"};
    for (size_t i = 0; i < BT_COUNT(words); i++) {
        bt_buf_clear(&told.logs);
        char spec[256];
        (void)snprintf(spec, sizeof spec,
                       "    script: |\n      %s\n      def f():\n          raise ValueError('no')\n"
                       "      f()\n", words[i]);
        struct bt_job_result *result = run("python.script", spec);
        assert_int_equal(result->state, BT_FAILED);
        assert_string_equal(result->error, "Command failed with exit code 1");
        assert_non_null(strstr(logs(), "_task.py\", line 4, in <module>\n"));
        assert_non_null(strstr(logs(), "_task.py\", line 3, in f\n"));
        assert_non_null(strstr(logs(), "E ValueError: no\n"));
        assert_null(strstr(logs(), "_run"));
        assert_null(strstr(logs(), "<string>"));
    }
}

static void test_python_before(void **state)
{
    (void)state;
    struct bt_job_result *result = run("python", "    beforeCommands: ['export X=1']\n"
                                                 "    script: import os; print(os.environ['X'], true)\n");
    assert_int_equal(result->state, BT_SUCCESS);
    result = run("python.commands", "    commands: ['python3 -c \"print(2)\"']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_string_equal(logs(), "I 1 True\nI 2\n");
}

static void test_python_venv(void **state)
{
    (void)state;
    char spec[512];
    char dir[128];
    (void)snprintf(dir, sizeof dir, "%s/venv", root);
    assert_int_equal(mkdir(dir, 0700), 0);
    (void)snprintf(dir, sizeof dir, "%s/venv/bin", root);
    assert_int_equal(mkdir(dir, 0700), 0);
    (void)snprintf(dir, sizeof dir, "%s/venv/bin/python3", root);
    BT_FD fd = open(dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    assert_int_equal(bt_fs_write(fd, "#!/bin/sh\necho mine\n", 20, NULL), BT_OK);
    bt_fd_close(&fd);
    (void)snprintf(spec, sizeof spec, "    env: {VIRTUAL_ENV: %s/venv}\n    script: print(1)\n", root);
    assert_int_equal(run("python", spec)->state, BT_SUCCESS);
    assert_string_equal(logs(), "I mine\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_commands),      CASE(test_states),       CASE(test_protocol),
        CASE(test_live_logs),     CASE(test_big_output),   CASE(test_quota),
        CASE(test_long_command),  CASE(test_timeout),      CASE(test_kill_stubborn),
        CASE(test_kill_waiting),  CASE(test_stop),         CASE(test_background),
        CASE(test_daemon),        CASE(test_late_output),  CASE(test_parallel),
        CASE(test_other_types),   CASE(test_input_files),  CASE(test_output_files),
        CASE(test_output_link_refused), CASE(test_output_dir), CASE(test_uris),
        CASE(test_disk_full),     CASE(test_unwritable),   CASE(test_python),
        CASE(test_python_traceback), CASE(test_python_before), CASE(test_python_venv),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
