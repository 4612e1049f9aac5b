/* Goal: commands start, end, are killed, and leave nothing behind. Method: real commands. */
#include "sys/warden.h"

#include "base/own.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

static const char key[] = "0123456789abcdef";

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bt_fd_close(&fds[i]);
}

/* Starts `sh -c text` and returns the read end of its output and error. */
static int start_sh(struct bt_warden *warden, uint32_t id, const char *text)
{
    int fds[2];
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    const char *argv[] = {"sh", "-c", text, NULL};
    const char *env[] = {"GREETING=hello", NULL};
    struct bt_command command = {
        .id = id, .argv = argv, .env = env, .dir = "/tmp", .out_fd = fds[1], .err_fd = fds[1]};
    assert_int_equal(bt_warden_spawn(warden, &command, &err), BT_OK);
    close_all(&fds[1], 1);
    return fds[0];
}

static struct bt_warden_event wait_event(struct bt_warden *warden)
{
    struct bt_warden_event event;
    struct bt_err err = BT_ERR_INIT;
    int rc;
    while ((rc = bt_warden_next(warden, &event, &err)) == BT_BUSY) {
        struct pollfd fd = {.fd = bt_warden_fd(warden), .events = POLLIN};
        assert_int_equal(poll(&fd, 1, 20000), 1);
    }
    assert_int_equal(rc, BT_OK);
    return event;
}

static struct bt_warden *start(void)
{
    struct bt_warden *warden = NULL;
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_warden_start(key, NULL, &warden, &err), BT_OK);
    return warden;
}

/* Reads to the end of the output (or `max` bytes). */
static size_t read_all(int fd, char *at, size_t max)
{
    size_t len = 0;
    ssize_t got;
    while (len < max && (got = read(fd, at + len, max - len)) > 0)
        len += (size_t)got;
    at[len < max ? len : max - 1] = '\0';
    return len;
}

/* A process id that a command has printed. */
static pid_t read_pid(int fd)
{
    char text[32];
    size_t len = 0;
    while (len + 1 < sizeof text && read(fd, text + len, 1) == 1 && text[len] != '\n')
        len++;
    text[len] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

static bool is_dead(pid_t pid)
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

static bool is_gone(pid_t pid, int within_ms)
{
    for (int i = 0; i < within_ms; i++) {
        if (is_dead(pid))
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

static void test_runs(void **state)
{
    (void)state;
    struct bt_warden *warden = start();
    BT_FD out = start_sh(warden, 3, "echo $GREETING; pwd; tty; exit 7");
    char text[256];
    assert_true(read_all(out, text, sizeof text) > 0);
    assert_string_equal(text, "hello\n/tmp\nnot a tty\n");
    struct bt_warden_event event = wait_event(warden);
    assert_int_equal(event.kind, BT_WARDEN_EXITED);
    assert_int_equal(event.id, 3);
    assert_int_equal(event.is_clean, 1);
    assert_int_equal(WEXITSTATUS(event.status), 7);
    assert_null(bt_warden_stop(warden));
}

static void test_fails(void **state)
{
    (void)state;
    static const struct {
        const char *program, *dir, *want;
    } rows[] = {
        {"/nonexistent/x", "/tmp", "cannot start '/nonexistent/x': No such file or directory"},
        {"nonexistent-x", "/tmp", "cannot start 'nonexistent-x': No such file or directory"},
        {"/etc/passwd", "/tmp", "cannot start '/etc/passwd': Permission denied"},
        {"sh", "/nonexistent", "cannot enter the working directory: No such file or directory"},
    };
    struct bt_warden *warden = start();
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_err err = BT_ERR_INIT;
        const char *argv[] = {rows[i].program, NULL};
        struct bt_command command = {.argv = argv, .dir = rows[i].dir, .out_fd = 1, .err_fd = 2};
        assert_int_equal(bt_warden_spawn(warden, &command, &err), BT_OK);
        struct bt_warden_event event = wait_event(warden);
        assert_int_equal(event.kind, BT_WARDEN_FAILED);
        assert_true(bt_warden_explain(&event, rows[i].program, &err) < 0);
        assert_string_equal(err.msg, rows[i].want);
    }
    assert_null(bt_warden_stop(warden));
}

static void test_long_command(void **state)
{
    (void)state;
    struct bt_warden *warden = start();
    enum { LEN = 100000 };
    char *text = malloc(LEN + 1);
    assert_non_null(text);
    memset(text, 'x', LEN);
    memcpy(text, "echo ", 5);
    text[LEN] = '\0';
    BT_FD out = start_sh(warden, 0, text);
    char *read_back = malloc(LEN + 1);
    assert_non_null(read_back);
    assert_int_equal(read_all(out, read_back, LEN), LEN - 4);
    assert_int_equal(wait_event(warden).kind, BT_WARDEN_EXITED);
    free(text);
    free(read_back);
    assert_null(bt_warden_stop(warden));
}

static void test_term_and_end(void **state)
{
    (void)state;
    struct bt_warden *warden = start();
    BT_FD out = start_sh(warden, 1, "trap 'echo got it' TERM; sleep 100 & echo $!; wait; wait");
    pid_t sleeper = read_pid(out);
    (void)poll(NULL, 0, 100); /* A shell forgets signals that come between its fork and exec. */
    assert_int_equal(bt_warden_signal(warden, 1, SIGTERM, NULL), BT_OK);
    assert_int_equal(wait_event(warden).kind, BT_WARDEN_EXITED);
    assert_true(is_gone(sleeper, 1000));
    BT_FD out2 = start_sh(warden, 1, "trap '' TERM; echo $$; while :; do sleep 100; done");
    pid_t stubborn = read_pid(out2);
    assert_int_equal(bt_warden_signal(warden, 1, SIGTERM, NULL), BT_OK);
    assert_int_equal(bt_warden_end(warden, 1, NULL), BT_OK);
    struct bt_warden_event event = wait_event(warden);
    assert_int_equal(event.kind, BT_WARDEN_ENDED);
    assert_int_equal(WTERMSIG(event.status), SIGKILL);
    assert_true(is_gone(stubborn, 1));
    assert_null(bt_warden_stop(warden));
}

static void test_leftover_in_group(void **state)
{
    (void)state;
    struct bt_warden *warden = start();
    BT_FD out = start_sh(warden, 0, "sleep 100 & echo $!");
    pid_t sleeper = read_pid(out);
    struct bt_warden_event event = wait_event(warden);
    assert_int_equal(event.kind, BT_WARDEN_EXITED);
    assert_int_equal(event.is_clean, 0);
    assert_int_equal(kill(sleeper, 0), 0);
    assert_int_equal(bt_warden_end(warden, 0, NULL), BT_OK);
    assert_int_equal(wait_event(warden).kind, BT_WARDEN_ENDED);
    assert_true(is_gone(sleeper, 1));
    assert_null(bt_warden_stop(warden));
}

/* A daemon: own session, no output of ours, with or without its environment. */
static void check_daemon(const char *how, bool is_other_running)
{
    struct bt_warden *warden = start();
    BT_FD other = is_other_running ? start_sh(warden, 9, "sleep 100") : -1;
    assert_int_equal(other >= 0, is_other_running);
    char text[256];
    (void)snprintf(text, sizeof text,
                   "(%s sh -c 'echo $$ >&3; exec 3>&-; exec sleep 100' "
                   "3>&1 >/dev/null 2>&1 </dev/null &) ; sleep 0.1",
                   how);
    BT_FD out = start_sh(warden, 0, text);
    pid_t pid = read_pid(out);
    assert_true(pid > 1);
    struct bt_warden_event event = wait_event(warden);
    assert_int_equal(event.kind, BT_WARDEN_EXITED);
    assert_int_equal(event.is_clean, 1);
    assert_int_equal(event.id, 0);
    assert_true(is_gone(pid, 5000));
    if (is_other_running) {
        assert_int_equal(bt_warden_end(warden, 9, NULL), BT_OK);
        assert_int_equal(wait_event(warden).kind, BT_WARDEN_ENDED);
    }
    assert_null(bt_warden_stop(warden));
}

static void test_daemon(void **state)
{
    (void)state;
    check_daemon("setsid", false);
    check_daemon("setsid", true);
    check_daemon("env -i setsid", false);
}

static void test_daemon_killed(void **state)
{
    (void)state;
    struct bt_warden *warden = start();
    BT_FD out = start_sh(warden, 0, "setsid sh -c 'echo $$; exec sleep 100' & sleep 100");
    pid_t pid = read_pid(out);
    assert_int_equal(bt_warden_end(warden, 0, NULL), BT_OK);
    assert_int_equal(wait_event(warden).kind, BT_WARDEN_ENDED);
    assert_true(is_gone(pid, 1));
    assert_null(bt_warden_stop(warden));
}

static void test_stop_kills(void **state)
{
    (void)state;
    struct bt_warden *warden = start();
    BT_FD out = start_sh(warden, 0, "setsid sh -c 'echo $$; exec sleep 100' & sleep 100");
    pid_t pid = read_pid(out);
    pid_t self = (pid_t)bt_warden_pid(warden);
    assert_null(bt_warden_stop(warden));
    assert_true(is_gone(pid, 1));
    assert_true(is_gone(self, 1));
}

/* A process of its own that starts a command with a daemon, says their pids and waits. */
static pid_t start_victim(const char *scratch, int *ret_out)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct bt_warden *warden = NULL;
        if (bt_warden_start(key, scratch, &warden, NULL) < 0)
            _exit(1);
        const char *argv[] = {"sh", "-c",
                              "echo $$; setsid sh -c 'echo $$; exec sleep 100' & sleep 100", NULL};
        struct bt_command command = {.argv = argv, .dir = "/", .out_fd = fds[1], .err_fd = 2};
        if (dprintf(fds[1], "%d\n", (int)bt_warden_pid(warden)) < 0 ||
            bt_warden_spawn(warden, &command, NULL) < 0)
            _exit(1);
        for (;;)
            (void)pause();
    }
    bt_fd_close(&fds[1]);
    *ret_out = fds[0];
    return pid;
}

static void test_server_killed(void **state)
{
    (void)state;
    char scratch[] = "/tmp/bt-warden-XXXXXX";
    assert_non_null(mkdtemp(scratch));
    BT_FD out = -1;
    pid_t victim = start_victim(scratch, &out);
    pid_t warden = read_pid(out);
    pid_t leader = read_pid(out);
    pid_t daemon = read_pid(out);
    assert_int_equal(kill(victim, SIGKILL), 0);
    assert_int_equal(waitpid(victim, NULL, 0), victim);
    assert_true(is_gone(leader, 5000) && is_gone(daemon, 5000) && is_gone(warden, 5000));
    assert_int_equal(access(scratch, F_OK), -1);
}

static void test_warden_killed(void **state)
{
    (void)state;
    struct bt_warden *warden = start();
    BT_FD out = start_sh(warden, 0, "echo $$; setsid sh -c 'echo $$; exec sleep 100' & sleep 100");
    pid_t leader = read_pid(out);
    pid_t daemon = read_pid(out);
    assert_int_equal(kill((pid_t)bt_warden_pid(warden), SIGKILL), 0);
    struct bt_warden_event event;
    struct bt_err err = BT_ERR_INIT;
    struct pollfd fd = {.fd = bt_warden_fd(warden), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 5000), 1);
    assert_int_equal(bt_warden_next(warden, &event, &err), BT_ABORTED);
    assert_true(is_gone(leader, 5000));
    assert_int_equal(kill(daemon, 0), 0);
    bt_warden_kill_marked(key);
    assert_true(is_gone(daemon, 5000));
    assert_null(bt_warden_stop(warden));
}

static void test_no_zombie(void **state)
{
    (void)state;
    struct bt_warden *warden = start();
    for (uint32_t i = 0; i < 40; i++) {
        BT_FD out = start_sh(warden, i % 8, "(true &) ; true");
        assert_true(out >= 0);
        struct bt_warden_event event = wait_event(warden);
        assert_int_equal(event.kind, BT_WARDEN_EXITED);
        if (event.is_clean)
            continue;
        assert_int_equal(bt_warden_end(warden, i % 8, NULL), BT_OK);
        assert_int_equal(wait_event(warden).kind, BT_WARDEN_ENDED);
    }
    char command[128];
    (void)snprintf(command, sizeof command, "ps -o stat= --ppid %d | grep -c Z",
                   (int)bt_warden_pid(warden));
    (void)poll(NULL, 0, 50);
    BT_FD out = start_sh(warden, 0, command);
    char text[64];
    (void)read_all(out, text, sizeof text);
    assert_string_equal(text, "0\n");
    assert_int_equal(wait_event(warden).kind, BT_WARDEN_EXITED);
    assert_null(bt_warden_stop(warden));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_fails),
        cmocka_unit_test(test_long_command),
        cmocka_unit_test(test_term_and_end),
        cmocka_unit_test(test_leftover_in_group),
        cmocka_unit_test(test_daemon),
        cmocka_unit_test(test_daemon_killed),
        cmocka_unit_test(test_stop_kills),
        cmocka_unit_test(test_server_killed),
        cmocka_unit_test(test_warden_killed),
        cmocka_unit_test(test_no_zombie),
    };
    return cmocka_run_group_tests_name("warden", tests, NULL, NULL);
}
