/* abuse_test.c — Goal: signals, closed descriptors, floods, threads and daemons of a plugin end
 * with its attempt, and are told with its name. Method: the tasks of test/plugins/worse in a real
 * worker; after each, the plugin must work again in a clean place, and no process may be left. */
#include "worker/worker_case.h"

#include "worker/host/catalog.h"

static struct bt_job_result *last(void)
{
    return &told.results[told.count - 1];
}

static int64_t number(const char *name)
{
    return bt_value_as_int(bt_map_gets(last()->outputs, name));
}

static void expect_fine(void)
{
    forget();
    struct bt_job_result *result = run("worse.fine", "");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_true(number("pid") > 1);
}

static void expect_error(const char *type, const char *part)
{
    forget();
    struct bt_job_result *result = run(type, "");
    assert_int_equal(result->state, BT_FAILED);
    if (!strstr(result->error, part))
        fail_msg("%s: '%s' is not in '%s'", type, part, result->error);
    expect_fine();
}

static void run_until(const char *type, int64_t timeout_us)
{
    struct bt_job *job = make_job(type, "");
    forget();
    job->timeout_us = timeout_us;
    bt_worker_submit(worker, job);
    (void)wait_result(1);
}

/* --- Signals ---------------------------------------------------------------------------------- */

static void test_crashes(void **state)
{
    (void)state;
    expect_error("worse.alarm", "the plugin 'worse' crashed (signal 14, alarm clock)");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    expect_error("worse.overflow", "the plugin 'worse' crashed (signal 11, segmentation fault)");
    expect_error("worse.divide", "the plugin 'worse' crashed (signal 8, floating point exception)");
#endif
}

static void test_timeouts(void **state)
{
    (void)state;
    static const char *const types[] = {"worse.stop", "worse.stop_all", "worse.deaf",
                                        "worse.kill_hang", "worse.kill_crash"};
    for (size_t i = 0; i < BT_COUNT(types); i++) {
        run_until(types[i], 150000);
        assert_int_equal(last()->state, BT_FAILED);
        assert_string_equal(last()->error, "Timeout after 00:00:00.150");
        assert_true(last()->ended_us - last()->started_us < 10 * 1000000);
        expect_fine();
    }
}

static void test_kills(void **state)
{
    (void)state;
    static const char *const types[] = {"worse.deaf", "worse.kill_hang", "worse.kill_crash"};
    for (size_t i = 0; i < BT_COUNT(types); i++) {
        struct bt_job *job = make_job(types[i], "");
        uint64_t token = job->token;
        forget();
        bt_worker_submit(worker, job);
        wait_logs(1);
        bt_worker_kill(worker, token);
        assert_int_equal(wait_result(1)->state, BT_KILLED);
        expect_fine();
    }
}

/* The limit of one task is not that of the next in the same process. */
static void test_limit_ends(void **state)
{
    (void)state;
    assert_int_equal(run("worse.fine", "    hostLimits: {cpu: PT1S, memory: 900MiB}\n")->state,
                     BT_SUCCESS);
    int64_t pid = number("pid");
    struct bt_job_result *result = run("worse.spin", "");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_int_equal(number("pid"), pid);
}

/* --- Descriptors and files -------------------------------------------------------------------- */

static void test_closed(void **state)
{
    (void)state;
    expect_error("worse.close_all", "the plugin 'worse' closed its ");
    expect_error("worse.close_return", "the plugin 'worse' ");
}

/* Each attempt begins in an empty directory, whatever the one before left in the same process. */
static void test_litter(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct bt_job_result *result = run("worse.litter", "");
        assert_int_equal(result->state, BT_SUCCESS);
        assert_int_equal(number("found"), 0);
        (void)run("worse.fine", "");
    }
}

/* --- Floods ----------------------------------------------------------------------------------- */

static void test_floods(void **state)
{
    (void)state;
    static const char *const types[] = {"worse.lines", "worse.prints"};
    for (size_t i = 0; i < BT_COUNT(types); i++) {
        struct bt_job_result *result = run(types[i], "");
        assert_int_equal(result->state, BT_SUCCESS);
        assert_true(told.log_lines == 1000000 || strstr(logs(), "W "));
        expect_fine();
    }
    expect_error("worse.outputs", "the outputs are larger than the limit");
}

/* --- What stays behind ------------------------------------------------------------------------ */

static void test_threads(void **state)
{
    (void)state;
    assert_int_equal(run("worse.late_crash", "")->state, BT_SUCCESS);
    pid_t pid = (pid_t)number("pid");
    assert_true(is_reaped(pid, 5000));
    expect_fine();
    assert_int_equal(run("worse.late_talk", "")->state, BT_SUCCESS);
    assert_true(is_reaped((pid_t)number("pid"), 5000)); /* It speaks without being asked. */
    expect_fine();
    assert_null(bt_map_gets(last()->outputs, "late"));
}

/* Daemons of this test alone sleep so long. */
static int daemon_seconds(void)
{
    return 10000000 + getpid();
}

static int count_daemons(void)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    char want[64];
    int want_len = snprintf(want, sizeof want, "sleep%c%d", '\0', daemon_seconds()) + 1;
    while ((entry = readdir(dir))) {
        char path[300], text[64] = "";
        (void)snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        BT_FD fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        count += len == want_len && memcmp(text, want, (size_t)len) == 0;
    }
    closedir(dir);
    return count;
}

static void expect_no_daemon(void)
{
    int count = count_daemons();
    for (int i = 0; i < 5000 && count; i++) {
        (void)poll(NULL, 0, 1);
        count = count_daemons();
    }
    assert_int_equal(count, 0);
}

/* So that the counting counts. */
static void expect_counted(void)
{
    char seconds[32];
    (void)snprintf(seconds, sizeof seconds, "%d", daemon_seconds());
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sleep", "sleep", seconds, NULL);
        _exit(1);
    }
    for (int i = 0; i < 5000 && !count_daemons(); i++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(count_daemons(), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_daemons(void **state)
{
    (void)state;
    char spec[64];
    (void)snprintf(spec, sizeof spec, "    seconds: %d\n", daemon_seconds());
    expect_counted();
    for (int i = 0; i < 5; i++)
        assert_int_equal(run("worse.daemon", spec)->state, BT_SUCCESS);
    expect_fine();
    expect_no_daemon();
    forget();
    assert_non_null(strstr(run("worse.daemon_crash", spec)->error,
                           "the plugin 'worse' crashed (signal 6, aborted)"));
    expect_fine();
    expect_no_daemon();
}

static void use_plugins(void)
{
    char exe[4096];
    char path[sizeof exe + 64];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    assert_true(len > 0);
    exe[len] = '\0';
    *strrchr(exe, '/') = '\0';
    (void)snprintf(path, sizeof path, "%s/test/plugins", exe);
    assert_int_equal(setenv("BATON_PLUGINS", path, 1), 0);
    bt_catalog_use();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_crashes),    CASE(test_timeouts), CASE(test_kills),
        CASE(test_limit_ends), CASE(test_closed),   CASE(test_litter),
        CASE(test_floods),     CASE(test_threads),  CASE(test_daemons),
    };
    use_plugins();
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
