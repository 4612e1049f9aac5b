/* Goal: whatever a command does, its worker reports what came of it and its output, and leaves no
 * process behind. Method: flows run job by job through a real worker. */
#include "worker/worker_case.h"

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
    struct bt_job_result *result =
        run("shell", "    commands: ['i=0; while [ $i -lt 200 ]; do head -c 10485 /dev/zero | tr "
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

/* --- Ends ------------------------------------------------------------------------------------- */

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
        "shell",
        "    commands: ['trap \"echo no\" TERM', 'echo pid $$', 'while :; do sleep 1; done']\n");
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

static void test_order(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell", "    commands: ['echo a; sleep 0.05; echo b >&2; echo c >&2; sleep 0.05; "
                     "echo \"::{\\\"logs\\\":[{\\\"level\\\":\\\"DEBUG\\\","
                     "\\\"message\\\":\\\"d\\\"}]}::\" >&2; sleep 0.05; printf e']\n");
    assert_int_equal(result->state, BT_WARNING);
    assert_string_equal(logs(), "I a\nE b\nE c\nD d\nI e\n");
    assert_int_equal(bt_value_as_int(bt_map_gets(result->outputs, "stdErrLineCount")), 3);
}

static void test_warden_killed(void **state)
{
    (void)state;
    bt_worker_submit(worker,
                     make_job("shell", "    commands:\n"
                                       "      - (setsid sh -c 'echo pid $$; exec sleep 100' &)\n"
                                       "      - sleep 0.1; kill -9 $PPID; sleep 100\n"));
    struct bt_job_result *result = wait_result(1);
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(result->error, "the warden of processes was killed");
    assert_true(is_gone(logged_pid(), 2000));
    assert_int_equal(run("shell", "    commands: ['true']\n")->state, BT_SUCCESS);
}

/* Another process with a worker on the same directory, killed together with its warden. */
static pid_t run_victim(int out)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    start_worker(1, 300);
    char spec[256];
    (void)snprintf(
        spec, sizeof spec,
        "    commands: ['echo $PPID > /proc/%d/fd/%d; (env -i setsid sh -c \"echo \\$\\$ > "
        "/proc/%d/fd/%d; exec sleep 100\" &)', 'sleep 100']\n",
        (int)getpid(), out, (int)getpid(), out);
    bt_worker_submit(worker, make_job("shell", spec));
    for (;;)
        (void)pause();
}

static pid_t read_pid(int fd)
{
    char text[32];
    size_t len = 0;
    while (len + 1 < sizeof text && read(fd, text + len, 1) == 1 && text[len] != '\n')
        len++;
    text[len] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN true
#endif
#endif
#ifndef HAS_TSAN
#define HAS_TSAN false
#endif

static void test_leftovers(void **state)
{
    (void)state;
    int fds[2];
    if (HAS_TSAN)
        skip(); /* It does not let a forked child start threads. */
    assert_int_equal(pipe(fds), 0);
    pid_t victim = run_victim(fds[1]);
    (void)close(fds[1]);
    pid_t warden = read_pid(fds[0]);
    pid_t daemon = read_pid(fds[0]);
    assert_true(warden > 1 && daemon > 1);
    assert_int_equal(kill(warden, SIGSTOP), 0);
    assert_int_equal(kill(victim, SIGKILL), 0);
    assert_int_equal(waitpid(victim, NULL, 0), victim);
    assert_int_equal(kill(warden, SIGKILL), 0);
    assert_true(is_gone(warden, 5000));
    assert_int_equal(kill(daemon, 0), 0);
    assert_int_equal(leftovers(), 2); /* Our own worker has the other one. */
    (void)bt_worker_stop(worker, true);
    start_worker(4, 300);
    assert_true(is_gone(daemon, 2000));
    (void)close(fds[0]);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_commands),      CASE(test_states),      CASE(test_protocol),
        CASE(test_live_logs),     CASE(test_big_output),  CASE(test_quota),
        CASE(test_long_command),  CASE(test_timeout),     CASE(test_kill_stubborn),
        CASE(test_kill_waiting),  CASE(test_stop),        CASE(test_background),
        CASE(test_daemon),        CASE(test_late_output), CASE(test_order),
        CASE(test_warden_killed), CASE(test_leftovers),   CASE(test_parallel),
        CASE(test_other_types),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
