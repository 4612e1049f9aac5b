/* Goal: the worker protocol between a real listener and real clients, in one process.
 * Method: an executor that runs nothing and a sink that counts; what goes wrong on the way is made
 * to go wrong. Scenes of real programs are in test/crash. */
#include "worker/remote/remote_server_case.h"

#include "base/limits.h"
#include "worker/remote/frame.h"
#include "worker/remote/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void test_jobs(void **state)
{
    (void)state;
    struct fake one = {0}, two = {0};
    struct bt_client *clients[] = {start_client(&one, NULL), start_client(&two, NULL)};
    submit(5000);
    assert_true(counter_wait(&counter, &counter.results, 5000));
    for (size_t i = 0; i < 2; i++)
        bt_client_stop(clients[i], 1000);
    assert_int_equal(counter.results, 5000);
    assert_int_equal(counter.started, 5000);
    assert_int_equal(counter.lost, 0);
}

/* Kills that arrive while the worker goes. */
static void *kill_for_ever(void *data)
{
    _Atomic bool *is_over = data;
    while (!*is_over)
        for (uint64_t token = 1; token < next_token; token++)
            bt_hub_kill(hub, token);
    return NULL;
}

static void test_kill_while_stopping(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct fake fake = {.is_holding = true};
        _Atomic bool is_over = false;
        pthread_t thread;
        struct bt_client *client = start_client(&fake, NULL);
        uint64_t before = counter.started;
        submit(SLOTS);
        assert_true(counter_wait(&counter, &counter.started, before + SLOTS));
        assert_int_equal(pthread_create(&thread, NULL, kill_for_ever, (void *)&is_over), 0);
        bt_client_stop(client, 0);
        is_over = true;
        (void)pthread_join(thread, NULL);
        wait_until_gone();
    }
    assert_true(counter_wait(&counter, &counter.lost, 1) || counter.killed);
}

/* What is not done within the grace time is handed back, dead. */
static void test_drain(void **state)
{
    (void)state;
    struct fake fake = {.is_holding = true};
    struct bt_client *client = start_client(&fake, NULL);
    submit(SLOTS + 3);
    assert_true(counter_wait(&counter, &counter.started, SLOTS));
    bt_client_stop(client, 50);
    assert_true(counter_wait(&counter, &counter.lost, SLOTS));
    assert_int_equal(counter.results, 0);
    struct bt_hub_counts counts = bt_hub_counts(hub);
    assert_int_equal(counts.waiting, 3);
    assert_int_equal(counts.held, 0);
    for (int ms = 0; ms < 1000 && bt_hub_counts(hub).members; ms++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(bt_hub_counts(hub).members, 0); /* Gone at once, not after the lease. */
}

/* Lines of a worker under way are bounded when the engine does not take them, none gets lost, and
 * heartbeats go on: the worker is not given up. */
static void test_slow_server(void **state)
{
    (void)state;
    struct fake fake = {.log_lines = 8000};
    counter.is_blocked = true;
    struct bt_client *client = start_client(&fake, NULL);
    submit(1);
    (void)poll(NULL, 0, 2500); /* Longer than the lease. */
    uint64_t out = fake.lines_out;
    assert_true(out > 500 && out <= BT_LOG_WINDOW_BYTES / 1000 + 2);
    (void)pthread_mutex_lock(&counter.lock);
    counter.is_blocked = false;
    (void)pthread_cond_broadcast(&counter.changed);
    (void)pthread_mutex_unlock(&counter.lock);
    assert_true(counter_wait(&counter, &counter.results, 1));
    bt_client_stop(client, 1000);
    assert_int_equal(counter.lines, 8000);
    assert_int_equal(counter.lost, 0);
}

static int64_t wrong_us(void *data)
{
    (void)data;
    return bt_clock_wall_us(bt_clock_system()) + 3600 * 1000000ll;
}

static void test_wrong_clock(void **state)
{
    (void)state;
    static const struct bt_clock clock = {wrong_us, wrong_us, NULL};
    struct fake fake = {0};
    struct bt_client *client = start_client(&fake, &clock);
    submit(1);
    assert_true(counter_wait(&counter, &counter.results, 1));
    bt_client_stop(client, 1000);
    /* The executor's clock is right, so what is told is an hour before: times were moved. */
    int64_t off_us = bt_clock_wall_us(bt_clock_system()) - counter.started_us;
    assert_true(off_us > 3590 * 1000000ll && off_us < 3610 * 1000000ll);
}

/* --- A raw connection ---------------------------------------------------------------------------
 */

static int connect_raw(void)
{
    int fd = -1;
    assert_int_equal(bt_address_connect(bt_listener_address(listener), 5000, &fd, NULL), BT_OK);
    return fd;
}

static void send_hello(int fd, int version, const char *token, const char *id)
{
    BT_VALUE hello = bt_map_new(5);
    int rc = bt_map_puts(hello, "v", bt_value_int(version));
    rc |= bt_map_puts(hello, "token", bt_value_cstr(token));
    rc |= bt_map_puts(hello, "role", bt_value_cstr("worker"));
    rc |= bt_map_puts(hello, "id", bt_value_cstr(id));
    rc |= bt_map_puts(hello, "slots", bt_value_int(SLOTS));
    assert_int_equal(rc, BT_OK);
    assert_int_equal(bt_frame_send(fd, BT_FRAME_HELLO, hello, NULL), BT_OK);
}

static void expect_frame(int fd, enum bt_frame_type type, const char *word)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf buf = BT_BUF_INIT(BT_FRAME_BYTES_MAX + 64);
    struct bt_frame frame;
    BT_VALUE message = NULL;
    assert_int_equal(bt_frame_receive(fd, &buf, &frame, NULL), BT_OK);
    assert_int_equal(frame.type, type);
    assert_int_equal(bt_frame_value(&frame, &message, NULL), BT_OK);
    if (word)
        assert_true(bt_str_find(bt_map_str(message, "message"), bt_str_of(word), 0) >= 0);
}

/* The server closes (perhaps after words of its own). */
static void expect_closed(int fd)
{
    char bytes[4096];
    ssize_t got = 1;
    while (got > 0)
        got = recv(fd, bytes, sizeof bytes, 0);
    assert_true(got == 0 || errno == ECONNRESET);
    (void)close(fd);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        int version;
        const char *token, *id, *word;
    } rows[] = {
        {BT_REMOTE_VERSION, "secret secret secreT", "a", "token is wrong"},
        {BT_REMOTE_VERSION, "", "a", "token is wrong"},
        {BT_REMOTE_VERSION + 1, "secret secret secret", "a", "speaks version"},
        {BT_REMOTE_VERSION, "secret secret secret", "", "lacks an id"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        int fd = connect_raw();
        send_hello(fd, rows[i].version, rows[i].token, rows[i].id);
        expect_frame(fd, BT_FRAME_REFUSED, rows[i].word);
        expect_closed(fd);
    }
    assert_int_equal(bt_hub_counts(hub).members, 0);
}

static void test_garbage(void **state)
{
    (void)state;
    static const struct bt_str rows[] = {
        BT_STR("GET / HTTP/1.1\r\n\r\n"),
        BT_STR("\xff\xff\xff\xff\x01"),     /* Larger than any frame. */
        BT_STR("\x01\x00\x01\x00\x01xxx"),  /* No length of a HELLO … */
        BT_STR("\x04\x00\x00\x00\x63{}{}"), /* A type that there is not. */
        BT_STR("\x04\x00\x00\x00\x01nope"), /* No JSON. */
        BT_STR("\x02\x00\x00\x00\x04{}"),   /* A heartbeat before HELLO. */
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        int fd = connect_raw();
        assert_int_equal(send(fd, rows[i].at, rows[i].len, MSG_NOSIGNAL), (ssize_t)rows[i].len);
        if (i == 2)
            (void)shutdown(fd, SHUT_WR); /* … half of one, and then no more. */
        expect_closed(fd);
    }
    int fd = connect_raw(); /* The same after HELLO. */
    send_hello(fd, BT_REMOTE_VERSION, "secret secret secret", "a");
    expect_frame(fd, BT_FRAME_WELCOME, NULL);
    assert_int_equal(bt_frame_send(fd, BT_FRAME_JOB, NULL, NULL), BT_OK);
    expect_frame(fd, BT_FRAME_REFUSED, "does not send");
    expect_closed(fd);
}

/* Many that say nothing do not keep a worker out. */
static void test_mute(void **state)
{
    (void)state;
    enum { MUTE = 400 };
    int fds[MUTE];
    struct fake fake = {0};
    for (size_t i = 0; i < MUTE; i++)
        fds[i] = connect_raw();
    struct bt_client *client = start_client(&fake, NULL);
    submit(100);
    assert_true(counter_wait(&counter, &counter.results, 100));
    bt_client_stop(client, 1000);
    for (size_t i = 0; i < MUTE; i++)
        (void)close(fds[i]);
}

/* A connection that is open and dead: its jobs are lost after the lease, and only then. */
static void test_half_open(void **state)
{
    (void)state;
    int fd = connect_raw();
    send_hello(fd, BT_REMOTE_VERSION, "secret secret secret", "a");
    expect_frame(fd, BT_FRAME_WELCOME, NULL);
    int64_t begin_us = bt_clock_mono_us(bt_clock_system());
    submit(3);
    assert_true(counter_wait(&counter, &counter.lost, 3));
    int64_t took_us = bt_clock_mono_us(bt_clock_system()) - begin_us;
    assert_true(took_us > 1800000 && took_us < 3500000);
    (void)close(fd);
}

/* The lease is written before a worker can get a job, and dropped after the last one is gone. */
static void test_lease(void **state)
{
    (void)state;
    is_hold_refused = true;
    int fd = connect_raw();
    send_hello(fd, BT_REMOTE_VERSION, "secret secret secret", "a");
    expect_closed(fd);
    assert_int_equal(holds, 1);
    assert_int_equal(bt_hub_counts(hub).members, 0);
    is_hold_refused = false;
    fd = connect_raw();
    send_hello(fd, BT_REMOTE_VERSION, "secret secret secret", "a");
    expect_frame(fd, BT_FRAME_WELCOME, NULL);
    assert_int_equal(hold_ms, 2000);
    unsigned before = drops;
    submit(1);
    assert_true(counter_wait(&counter, &counter.lost, 1));
    for (int ms = 0; ms < 1000 && drops == before; ms++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(drops, before + 1);
    (void)close(fd);
}

/* What does not fit a message fails with words, instead of going round for ever. */
static void test_large_job(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct bt_client *client = start_client(&fake, NULL);
    char *text = malloc(BT_FRAME_BYTES_MAX);
    assert_non_null(text);
    memset(text, 'x', BT_FRAME_BYTES_MAX);
    struct bt_job *job = case_job(flow, next_token++);
    assert_int_equal(bt_map_puts(job->variables, "x",
                                 bt_value_string((struct bt_str){text, BT_FRAME_BYTES_MAX})),
                     BT_OK);
    free(text);
    bt_hub_submit(hub, job);
    submit(1);
    assert_true(counter_wait(&counter, &counter.results, 2));
    assert_int_equal(counter.failed, 1);
    assert_non_null(strstr(counter.error, "larger than"));
    bt_client_stop(client, 1000);
}

/* A flood of flows: neither side keeps them all. */
static void test_many_flows(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct bt_client *client = start_client(&fake, NULL);
    for (uint32_t i = 1; i <= 600; i++) {
        struct bt_flow *other = case_flow("");
        other->revision = i;
        bt_hub_submit(hub, case_job(other, next_token++));
        bt_flow_unref(other);
    }
    assert_true(counter_wait(&counter, &counter.results, 600));
    assert_int_equal(counter.failed, 0);
    bt_client_stop(client, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_jobs),        CASE(test_kill_while_stopping),
        CASE(test_drain),       CASE(test_slow_server),
        CASE(test_wrong_clock), CASE(test_refused),
        CASE(test_garbage),     CASE(test_mute),
        CASE(test_half_open),   CASE(test_lease),
        CASE(test_large_job),   CASE(test_many_flows),
    };
    return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
