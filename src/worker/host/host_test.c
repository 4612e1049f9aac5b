/* host_test.c — Goal: a plugin that crashes, leaks, hangs or lies hurts its own attempt only, says
 * so with its name, and leaves no process. Method: the plugins of test/plugins, each bad in one
 * way, run by a real worker; after each, another task of the same plugin must work. */
#include "worker/worker_case.h"

#include "worker/host/catalog.h"

static const char *task(const char *type, const char *spec)
{
    struct bt_job_result *result = run(type, spec);
    return result->state == BT_FAILED && result->error ? result->error : "";
}

static struct bt_job_result *last(void)
{
    return &told.results[told.count - 1];
}

static void expect_fine(void)
{
    forget();
    assert_string_equal(task("bad.fine", ""), "");
    assert_int_equal(last()->state, BT_SUCCESS);
}

static void expect_error(const char *type, const char *spec, const char *part)
{
    forget();
    const char *error = task(type, spec);
    if (!strstr(error, part))
        fail_msg("%s: '%s' is not in '%s'", type, part, error);
    assert_int_equal(last()->state, BT_FAILED);
    expect_fine();
}

static int64_t number(const char *name)
{
    return bt_value_as_int(bt_map_gets(last()->outputs, name));
}

/* --- Good ones -------------------------------------------------------------------------------- */

static void test_echo(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("sample.echo", "    text: \"Hello {{ inputs.name }}\"\n    times: \"{{ 1 + 1 }}\"\n");
    assert_int_equal(result->state, BT_SUCCESS);
    expect_json(result->outputs, "{\"length\":11,\"value\":\"Hello world\"}");
    expect_json(result->metrics,
                "[{\"name\":\"echo.length\",\"type\":\"counter\",\"value\":11.0,\"tags\":{}}]");
    assert_string_equal(logs(), "I Hello world\nI Hello world\n");
}

static void test_properties(void **state)
{
    (void)state;
    expect_error("sample.echo", "    text: \"{{ null }}\"\n    times: \"{{ 'x' }}\"\n",
                 "times: must be of type integer");
    struct bt_job_result *result = run("sample.echo", "    text: \"{{ inputs }}\"\n");
    expect_json(bt_map_gets(result->outputs, "value"), "\"{\\\"name\\\":\\\"world\\\"}\"");
    assert_int_equal(result->state, BT_SUCCESS);
}

static void test_reused(void **state)
{
    (void)state;
    (void)run("bad.fine", "");
    int64_t pid = number("pid");
    for (int i = 0; i < 8; i++) {
        (void)run("bad.fine", "");
        assert_int_equal(number("pid"), pid);
    }
    (void)run("sample.echo", "    text: other plugin\n");
    (void)run("bad.fine", "");
    assert_int_equal(number("pid"), pid);
}

static void test_where(void **state)
{
    (void)state;
    (void)run("bad.where", "");
    expect_json(last()->outputs,
                "{\"isSame\":1,\"noNewPrivileges\":1,\"inherited\":0,\"task\":\"task\"}");
    (void)run("bad.where", ""); /* In another directory now. */
    assert_int_equal(number("isSame"), 1);
}

static void test_files(void **state)
{
    (void)state;
    assert_string_equal(task("bad.files", ""), "");
    expect_json(last()->outputs, "{\"rows\":100000,\"bytes\":600000}");
}

/* A task in the directory of a WorkingDirectory works there, and its host keeps a directory of its
 * own only. */
static void test_place(void **state)
{
    (void)state;
    static const struct {
        const char *type, *spec;
        enum bt_place_op op;
    } rows[] = {
        {"bad.fine", "", BT_PLACE_NONE}, /* Its host has a directory now. */
        {"working_directory",
         "    inputFiles: {kept.txt: x}\n    tasks: [{id: a, type: log, message: x}]\n",
         BT_PLACE_OPEN},
        {"bad.where", "", BT_PLACE_IN},
        {"bad.files", "", BT_PLACE_IN},
        {"bad.where", "", BT_PLACE_NONE},
        {"shell", "    commands: ['cat kept.txt']\n", BT_PLACE_IN},
        {"working_directory", "    tasks: [{id: a, type: log, message: x}]\n", BT_PLACE_CLOSE},
        {"bad.where", "", BT_PLACE_NONE},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_job *job = make_job(rows[i].type, rows[i].spec);
        job->place = (struct bt_place){.id = rows[i].op ? 7 : 0, .op = rows[i].op};
        bt_worker_submit(worker, job);
        if (wait_result(i + 1)->state != BT_SUCCESS)
            fail_msg("%s", last()->error);
        if (strcmp(rows[i].type, "bad.where") == 0)
            assert_int_equal(number("isSame"), 1);
    }
    assert_non_null(strstr(logs(), "I x\n"));
}

static void test_parallel(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++)
        bt_worker_submit(
            worker, make_job(i % 2 ? "bad.fine" : "sample.echo", i % 2 ? "" : "    text: x\n"));
    (void)wait_result(40);
    for (size_t i = 0; i < 40; i++)
        if (told.results[i].state != BT_SUCCESS)
            fail_msg("%s", told.results[i].error);
}

/* Two plugins take turns on few slots: hosts end all the time, and no attempt fails for it. */
static void test_turns(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++)
        bt_worker_submit(worker, make_job(i / 4 % 2 ? "bad.fine" : "sample.echo",
                                          i / 4 % 2 ? "" : "    text: x\n"));
    (void)wait_result(60);
    for (size_t i = 0; i < 60; i++)
        if (told.results[i].state != BT_SUCCESS)
            fail_msg("%s", told.results[i].error);
}

/* --- Bad ones --------------------------------------------------------------------------------- */

static void test_crashes(void **state)
{
    (void)state;
    expect_error("bad.null", "", "the plugin 'bad' crashed (signal 11, segmentation fault)");
    expect_error("bad.stop", "", "the plugin 'bad' crashed (signal 6, aborted)");
    expect_error("bad.thread", "", "the plugin 'bad' crashed (signal 11, segmentation fault)");
    expect_error("bad.half", "", "the plugin 'bad' ended before its result (exit code 0)");
    expect_error("bad.exit", "", "the plugin 'bad' ended before its result (exit code ");
}

static void test_protocol(void **state)
{
    (void)state;
    expect_error("bad.garbage", "", "the plugin 'bad' sent bytes that are no message");
    expect_error("bad.huge", "", "the plugin 'bad' sent a message of 4294967295 bytes");
    expect_error("bad.version", "", "the plugin 'bad' sent a message of version 99");
    expect_error("bad.nonsense", "",
                 "the plugin 'bad' sent a message of the unknown type 'nothing'");
    expect_error("bad.close_stdout", "", "the plugin 'bad' closed its standard output");
    expect_error("bad.close_socket", "", "the plugin 'bad' closed its connection");
    expect_error("bad.mute", "", "the plugin 'bad' failed without saying why (code -77)");
    expect_error("bad.json", "", "output 'j'");
    expect_error("bad.big", "", "larger than the limit");
    expect_error("bad.absent", "", "has no type 'bad.absent'");
}

static void test_refused(void **state)
{
    (void)state;
    expect_error("liar.task", "",
                 "the plugin 'liar' cannot be used: it was built for plugin ABI 7");
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    struct bt_str source = BT_STR("id: a\nnamespace: b\ntasks:\n  - {id: c, type: future.task}\n");
    assert_int_equal(bt_flow_parse(source, &flow, &diags), BT_INVALID);
    assert_non_null(strstr(diags.items[0].msg, "the plugin \"future\" cannot be used: it was made "
                                               "for plugin ABI 99; this Baton has 1"));
    bt_diags_done(&diags);
}

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(task("bad.text", ""), "");
    assert_string_equal(logs(), "W bad \xEF\xBF\xBD\xEF\xBF\xBD text\n");
    expect_json(last()->outputs, "{\"t\xEF\xBF\xBD\":\"a\xEF\xBF\xBD"
                                 "b\xEF\xBF\xBD\"}");
}

static void test_output(void **state)
{
    (void)state;
    assert_string_equal(task("bad.chatty", ""), "");
    assert_int_equal(told.log_lines, 4001);
    assert_non_null(strstr(logs(), "D out 1999\n"));
    assert_non_null(strstr(logs(), "E err 1999\n"));
    assert_non_null(strstr(logs(), "D an end without a newline\n"));
    forget();
    (void)run("bad.fine", ""); /* Nothing of it comes with the next task. */
    assert_int_equal(told.log_lines, 0);
}

static void test_limits(void **state)
{
    (void)state;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    expect_error("bad.leak", "", "the plugin 'bad' reached its memory limit of 256 MiB");
    expect_error("bad.leak", "    hostLimits: {memory: 64MiB}\n", "its memory limit of 64 MiB");
#endif
    expect_error("bad.loop", "    hostLimits: {cpu: PT1S}\n",
                 "the plugin 'bad' used more than its limit of 1 s of processor time");
    expect_error("bad.fine", "    hostLimits: {memory: lots}\n", "hostLimits.memory");
}

/* --- Time and kill ---------------------------------------------------------------------------- */

static void test_timeouts(void **state)
{
    (void)state;
    static const char *const types[] = {"bad.loop",     "bad.sleep",   "bad.polite", "bad.bomb",
                                        "bad.stubborn", "wild.silent", "wild.hang"};
    for (size_t i = 0; i < BT_COUNT(types); i++) {
        struct bt_job *job = make_job(types[i], "");
        forget();
        job->timeout_us = 200000;
        bt_worker_submit(worker, job);
        struct bt_job_result *result = wait_result(1);
        assert_int_equal(result->state, BT_FAILED);
        assert_string_equal(result->error, "Timeout after 00:00:00.200");
        assert_true(result->ended_us - result->started_us < 10 * 1000000);
        expect_fine();
    }
}

static void test_kill(void **state)
{
    (void)state;
    struct bt_job *job = make_job("bad.polite", "");
    uint64_t token = job->token;
    bt_worker_submit(worker, job);
    wait_logs(1);
    bt_worker_kill(worker, token);
    assert_int_equal(wait_result(1)->state, BT_KILLED);
    assert_string_equal(logs(), "I begun\nI cleaned up\n");
    expect_fine();
}

/* --- Processes -------------------------------------------------------------------------------- */

/* "BATON_JOB=<key of our warden>-", as a host that just ran has it. */
static char own_mark[64];

static size_t read_environ(const char *pid, char *text, size_t size)
{
    char path[300];
    (void)snprintf(path, sizeof path, "/proc/%s/environ", pid);
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, size - 1, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    return len;
}

static const char *find_mark(const char *text, size_t len)
{
    for (size_t at = 0; at < len; at += strlen(text + at) + 1)
        if (strncmp(text + at, "BATON_JOB=", 10) == 0)
            return text + at;
    return "";
}

static void learn_mark(void)
{
    static char text[65536];
    char pid[16];
    (void)run("bad.fine", "");
    (void)snprintf(pid, sizeof pid, "%d", (int)number("pid"));
    size_t len = read_environ(pid, text, sizeof text);
    (void)snprintf(own_mark, sizeof own_mark, "%.27s", find_mark(text, len));
    assert_int_equal(own_mark[26], '-');
}

/* Processes that our warden's commands started, wherever they are now. */
static int count_marked(void)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    while ((entry = readdir(dir))) {
        static char text[65536];
        size_t len = read_environ(entry->d_name, text, sizeof text);
        const char *mark = find_mark(text, len);
        bool is_ours = strncmp(mark, own_mark, strlen(own_mark)) == 0;
        count += is_ours && !strstr(mark, "-00000000000000000000"); /* The warden itself. */
    }
    closedir(dir);
    return count;
}

static void expect_marked(int count)
{
    for (int i = 0; i < 5000 && count_marked() != count; i++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(count_marked(), count);
}

static void test_children(void **state)
{
    (void)state;
    learn_mark();
    expect_marked(1); /* The idle host. */
    forget();
    assert_string_equal(task("bad.fork", ""), ""); /* A good result, and a host that goes. */
    expect_marked(0);
    expect_error("bad.fork_crash", "", "the plugin 'bad' crashed (signal 6, aborted)");
    expect_marked(1); /* The idle host of expect_fine(). */
    assert_string_equal(task("wild.child", ""), "");
    expect_marked(1);
}

static void test_idle_host_dies(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) { /* The last one is waited for. */
        (void)run("bad.fine", "");
        pid_t pid = (pid_t)number("pid");
        if (last()->state != BT_SUCCESS)
            continue; /* It died with the order already in its hands. */
        assert_true(pid > 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
        if (i % 2)
            assert_true(is_reaped(pid, 5000));
    }
    for (size_t i = 0; i < told.count; i++)
        assert_true(told.results[i].state == BT_SUCCESS ||
                    strstr(told.results[i].error, "was killed (signal 9)"));
    expect_fine();
}

static void test_killed_from_outside(void **state)
{
    (void)state;
    (void)run("bad.fine", "");
    pid_t pid = (pid_t)number("pid");
    bt_worker_submit(worker, make_job("bad.polite", ""));
    wait_logs(1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    struct bt_job_result *result = wait_result(2);
    assert_int_equal(result->state, BT_FAILED);
    assert_non_null(strstr(result->error, "the plugin 'bad' was killed (signal 9)"));
    expect_fine();
}

/* Kills what the warden has started, and once the warden itself, while tasks come and go. */
static void kill_children(pid_t warden)
{
    char path[64];
    char text[4096];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", warden, warden);
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    for (char *at = text, *end = text; *at; at = end) {
        pid_t pid = (pid_t)strtol(at, &end, 10);
        if (end == at)
            break;
        if (pid > 1)
            (void)kill(pid, SIGKILL);
    }
}

static pid_t warden_pid(void)
{
    (void)run("bad.fine", "");
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)number("pid"));
    FILE *file = fopen(path, "re");
    int parent = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %*c %d", &parent), 1);
    fclose(file);
    return parent;
}

static int count_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static bool has_results(size_t count)
{
    pthread_mutex_lock(&told.mutex);
    bool is_so = told.count >= count;
    pthread_mutex_unlock(&told.mutex);
    return is_so;
}

/* A host that was killed just now may still be given a task: one a slot. */
static void expect_fine_soon(void)
{
    const char *error = "";
    for (int i = 0; i < 5; i++) {
        forget();
        error = task("bad.fine", "");
        if (!*error)
            return;
        assert_non_null(strstr(error, "' was killed (signal 9)"));
    }
    assert_string_equal(error, "");
}

static void test_storm(void **state)
{
    (void)state;
    pid_t warden = warden_pid();
    int fds = count_fds();
    forget();
    enum { JOBS = 60 };
    for (int i = 0; i < JOBS; i++)
        bt_worker_submit(worker, make_job(i % 3 ? "bad.fine" : "wild.echo", ""));
    for (int round = 0; round < 200 && !has_results(JOBS); round++) {
        kill_children(warden);
        (void)poll(NULL, 0, 2);
    }
    (void)wait_result(JOBS);
    for (size_t i = 0; i < JOBS; i++)
        assert_true(told.results[i].state == BT_SUCCESS ||
                    strstr(told.results[i].error, "' was killed (signal 9)"));
    expect_fine_soon();
    assert_true(count_fds() <= fds + 3 * 4 + 2); /* At most a host a slot. */
}

static void test_warden_dies(void **state)
{
    (void)state;
    pid_t warden = warden_pid();
    pid_t idle = (pid_t)number("pid");
    for (int i = 0; i < 3; i++)
        bt_worker_submit(worker, make_job("bad.polite", ""));
    wait_logs(3);
    assert_int_equal(kill(warden, SIGKILL), 0);
    for (size_t i = 0; i < 3; i++) {
        struct bt_job_result *result = wait_result(2 + i);
        assert_int_equal(result->state, BT_FAILED);
        assert_non_null(strstr(result->error, "warden"));
    }
    assert_true(is_gone(idle, 5000));
    expect_fine();
}

static void test_recycled(void **state)
{
    (void)state;
    (void)run("bad.fine", "");
    int64_t pid = number("pid");
    int changes = 0;
    for (int i = 0; i < 30; i++) {
        forget();
        (void)run("bad.fine", "");
        changes += number("pid") != pid;
        pid = number("pid");
    }
    assert_int_equal(changes, 2); /* Twelve tasks each: limits.tasks of its plugin.json. */
}

/* --- Executables ------------------------------------------------------------------------------ */

static void test_executable(void **state)
{
    (void)state;
    struct bt_job_result *result = run("wild.echo", "    text: \"{{ inputs.name }}\"\n");
    assert_int_equal(result->state, BT_SUCCESS);
    const struct bt_value *order = bt_map_gets(result->outputs, "order");
    assert_true(bt_str_is(bt_map_str(order, "type"), "run"));
    assert_true(bt_str_is(bt_map_str(order, "task"), "wild.echo"));
    expect_json(bt_map_gets(order, "properties"), "{\"text\":\"world\"}");
    assert_true(bt_str_is(bt_map_str(bt_map_gets(order, "info"), "flowId"), "flow"));
    expect_json(result->metrics, "[{\"name\":\"m\",\"type\":\"counter\",\"value\":2.5,"
                                 "\"tags\":{\"a\":\"b\"}}]");
    assert_non_null(strstr(logs(), "W hello\n"));
    assert_non_null(strstr(logs(), "E to the log\n"));
}

static void test_executable_files(void **state)
{
    (void)state;
    struct bt_job_result *result = run("wild.files", "");
    assert_int_equal(result->state, BT_SUCCESS);
    expect_json(bt_map_gets(result->outputs, "row"), "{\"a\":1}");
    const struct bt_value *reply = bt_map_gets(result->outputs, "reply");
    assert_true(bt_str_is(bt_map_str(reply, "code"), "not_found"));
    assert_true(bt_map_str(bt_map_gets(result->outputs, "escape"), "error").len > 0);
}

static void test_executable_bad(void **state)
{
    (void)state;
    expect_error("wild.garbage", "", "the plugin 'wild' sent a message that is no JSON");
    expect_error("wild.exit", "", "the plugin 'wild' ended before its result (exit code 4)");
    expect_error("wild.close", "", "the plugin 'wild' closed its standard output");
    expect_error("wild.crash", "", "the plugin 'wild' crashed (signal 11, segmentation fault)");
    expect_error("wild.long", "", "the plugin 'wild' sent a line of more than");
}

/* --- The end of the worker -------------------------------------------------------------------- */

static void test_stop(void **state)
{
    (void)state;
    (void)run("bad.fine", "");
    pid_t idle = (pid_t)number("pid");
    bt_worker_submit(worker, make_job("bad.polite", ""));
    bt_worker_submit(worker, make_job("bad.stubborn", ""));
    bt_worker_submit(worker, make_job("wild.hang", ""));
    wait_logs(1);
    worker = bt_worker_stop(worker, false);
    assert_int_equal(told.count, 4);
    assert_true(is_gone(idle, 1));
    start_worker(4, 300);
}

static void use_plugins(void)
{
    char exe[4096];
    char path[2 * sizeof exe + 64];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    assert_true(len > 0);
    exe[len] = '\0';
    *strrchr(exe, '/') = '\0';
    (void)snprintf(path, sizeof path, "%s/test/plugins:%s/examples/plugins", exe, exe);
    assert_int_equal(setenv("BATON_PLUGINS", path, 1), 0);
    bt_catalog_use();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_echo),
        CASE(test_properties),
        CASE(test_reused),
        CASE(test_where),
        CASE(test_files),
        CASE(test_place),
        CASE(test_parallel),
        CASE(test_turns),
        CASE(test_crashes),
        CASE(test_protocol),
        CASE(test_refused),
        CASE(test_texts),
        CASE(test_output),
        CASE(test_limits),
        CASE(test_timeouts),
        CASE(test_kill),
        CASE(test_children),
        CASE(test_idle_host_dies),
        CASE(test_killed_from_outside),
        CASE(test_storm),
        CASE(test_warden_dies),
        CASE(test_recycled),
        CASE(test_executable),
        CASE(test_executable_files),
        CASE(test_executable_bad),
        CASE(test_stop),
    };
    use_plugins();
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
