/* retry_test.c — Goal: a failed attempt is tried again when, and only as often as, its retry says.
 * Method: rows of policies at N-1, N and N+1 of each limit; flows for which retry holds. */
#include "engine/execution/lab_int.h"

#define S INT64_C(1000000)

struct row {
    const char *name;
    struct bt_retry retry;
    uint32_t attempts;
    int64_t end_s; /* End of the last attempt; the first one starts at 100 s. */
    int64_t want_s;
};

static const struct row rows[] = {
    {"none", {.kind = BT_RETRY_NONE, .interval_us = S}, 1, 101, -1},
    {"before the first attempt", {.kind = BT_RETRY_CONSTANT, .interval_us = S}, 0, 101, -1},
    {"constant", {.kind = BT_RETRY_CONSTANT, .interval_us = 5 * S}, 1, 101, 106},
    {"constant, many", {.kind = BT_RETRY_CONSTANT, .interval_us = 5 * S}, 900, 101, 106},
    {"N-1", {.kind = BT_RETRY_CONSTANT, .interval_us = S, .attempts_max = 3}, 2, 101, 102},
    {"N", {.kind = BT_RETRY_CONSTANT, .interval_us = S, .attempts_max = 3}, 3, 101, -1},
    {"N+1", {.kind = BT_RETRY_CONSTANT, .interval_us = S, .attempts_max = 3}, 4, 101, -1},
    {"one", {.kind = BT_RETRY_CONSTANT, .interval_us = S, .attempts_max = 1}, 1, 101, -1},
    {"duration -1",
     {.kind = BT_RETRY_CONSTANT, .interval_us = S, .duration_max_us = 11 * S},
     2,
     109,
     110},
    {"duration",
     {.kind = BT_RETRY_CONSTANT, .interval_us = S, .duration_max_us = 11 * S},
     2,
     110,
     111},
    {"duration +1",
     {.kind = BT_RETRY_CONSTANT, .interval_us = S, .duration_max_us = 11 * S},
     2,
     111,
     -1},
    {"new execution",
     {.kind = BT_RETRY_CONSTANT, .interval_us = S, .is_new_execution = true},
     1,
     101,
     -1},
    {"exponential, first at once",
     {.kind = BT_RETRY_EXPONENTIAL,
      .interval_us = 2 * S,
      .interval_max_us = 100 * S,
      .delay_factor = 3},
     1,
     101,
     101},
    {"exponential, second",
     {.kind = BT_RETRY_EXPONENTIAL,
      .interval_us = 2 * S,
      .interval_max_us = 100 * S,
      .delay_factor = 3},
     2,
     101,
     107},
    {"exponential, third",
     {.kind = BT_RETRY_EXPONENTIAL,
      .interval_us = 2 * S,
      .interval_max_us = 100 * S,
      .delay_factor = 3},
     3,
     101,
     113},
    {"the factor is cut",
     {.kind = BT_RETRY_EXPONENTIAL,
      .interval_us = 2 * S,
      .interval_max_us = 100 * S,
      .delay_factor = 1.9},
     2,
     101,
     103},
    {"cap N-1",
     {.kind = BT_RETRY_EXPONENTIAL, .interval_us = S, .interval_max_us = 10 * S, .delay_factor = 1},
     10,
     101,
     110},
    {"cap N",
     {.kind = BT_RETRY_EXPONENTIAL, .interval_us = S, .interval_max_us = 10 * S, .delay_factor = 1},
     11,
     101,
     111},
    {"cap N+1",
     {.kind = BT_RETRY_EXPONENTIAL, .interval_us = S, .interval_max_us = 10 * S, .delay_factor = 1},
     12,
     101,
     111},
    {"too far for 64 bits",
     {.kind = BT_RETRY_EXPONENTIAL,
      .interval_us = INT64_MAX / 2,
      .interval_max_us = 10 * S,
      .delay_factor = 3},
     2,
     101,
     111},
    {"too far, by attempts",
     {.kind = BT_RETRY_EXPONENTIAL,
      .interval_us = INT64_MAX / 2,
      .interval_max_us = 10 * S,
      .delay_factor = 1},
     5,
     101,
     111},
    {"random without range",
     {.kind = BT_RETRY_RANDOM, .interval_us = 4 * S, .interval_max_us = 4 * S},
     1,
     101,
     105},
    {"random, range upside down",
     {.kind = BT_RETRY_RANDOM, .interval_us = 4 * S, .interval_max_us = S},
     1,
     101,
     105},
};

static int64_t ask(const struct bt_retry *retry, uint32_t attempts, int64_t end_us, uint64_t seed)
{
    struct bt_attempt first = {.start_us = 100 * S};
    struct bt_taskrun run = {.attempts = &first, .attempt_count = attempts};
    struct bt_rng rng = {seed};
    return retry_next_us(retry, &run, end_us, &rng);
}

static void test_rows(void **state)
{
    (void)state;
    assert_int_equal(ask(NULL, 1, 101 * S, 1), -1);
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        int64_t want = rows[i].want_s < 0 ? -1 : rows[i].want_s * S;
        int64_t got = ask(&rows[i].retry, rows[i].attempts, rows[i].end_s * S, 1);
        if (got != want)
            fail_msg("%s: %lld, not %lld", rows[i].name, (long long)got, (long long)want);
    }
}

/* Every delay lies in [least, most), both halves of the range are used. */
static void test_random(void **state)
{
    (void)state;
    struct bt_retry retry = {
        .kind = BT_RETRY_RANDOM, .interval_us = 2 * S, .interval_max_us = 10 * S};
    int low = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        int64_t next = ask(&retry, 1, 101 * S, seed) - 101 * S;
        assert_true(next >= 2 * S && next < 10 * S);
        low += next < 6 * S;
    }
    assert_true(low > 50 && low < 150);
}

static const char nearest[] =
    "id: f\nnamespace: a\nretry: {type: constant, interval: PT1S, maxAttempts: 9}\n"
    "tasks:\n"
    "  - {id: flows, type: fail}\n"
    "  - {id: own, type: fail, retry: {type: constant, interval: PT2S, maxAttempts: 8}}\n"
    "  - id: group\n    type: sequential\n"
    "    retry: {type: constant, interval: PT3S, maxAttempts: 7}\n"
    "    tasks:\n      - id: deeper\n        type: sequential\n"
    "        tasks: [{id: groups, type: fail}]\n"
    "      - {id: inner, type: fail, retry: {type: constant, interval: PT4S, maxAttempts: 6}}\n";

static void check_nearest(const struct lab *lab, const char *id, int64_t interval_s)
{
    const struct bt_retry *retry = retry_of(lab->flow, bt_flow_task(lab->flow, bt_str_of(id)));
    assert_non_null(retry);
    assert_int_equal(retry->interval_us, interval_s * S);
}

static void test_nearest(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, nearest);
    check_nearest(&lab, "flows", 1);
    check_nearest(&lab, "own", 2);
    check_nearest(&lab, "groups", 3);
    check_nearest(&lab, "inner", 4);
    lab_done(&lab);
    lab_open(&lab, "id: f\nnamespace: a\ntasks:\n  - {id: t, type: fail}\n");
    assert_null(retry_of(lab.flow, &lab.flow->tasks[0]));
    lab_done(&lab);
}

/* A failing task is tried again by timers; the execution is RETRYING meanwhile. */
static void test_attempts(void **state)
{
    (void)state;
    for (int succeed_at = 1; succeed_at <= 4; succeed_at++) {
        struct lab lab;
        lab_open(&lab, "id: f\nnamespace: a\ntasks:\n  - id: t\n    type: shell\n"
                       "    commands: [x]\n"
                       "    retry: {type: constant, interval: PT5S, maxAttempts: 3}\n");
        lab.forgets = true;
        lab_begin(&lab);
        for (int attempt = 1; attempt <= 3 && attempt <= succeed_at; attempt++) {
            if (attempt > 1) {
                assert_int_equal(lab.exec->state, BT_RETRYING);
                assert_int_equal(lab.timers.items[0].due_us, lab.now_us + 5 * S);
                lab_fire(&lab);
                assert_int_equal(lab.exec->state, BT_RUNNING);
            }
            assert_int_equal(lab.jobs.count, 1);
            lab_finish_job(&lab, attempt == succeed_at ? BT_SUCCESS : BT_FAILED);
        }
        assert_int_equal(lab_run(&lab, "t")->attempt_count, succeed_at > 3 ? 3 : succeed_at);
        lab_check_end(&lab, succeed_at > 3 ? BT_FAILED : BT_SUCCESS);
        lab_done(&lab);
    }
}

static void test_warning_on_retry(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, "id: f\nnamespace: a\ntasks:\n  - id: t\n    type: shell\n    commands: [x]\n"
                    "    retry: {type: constant, interval: PT5S, maxAttempts: 3, "
                    "warningOnRetry: true}\n"
                    "  - id: u\n    type: shell\n    commands: [x]\n"
                    "    retry: {type: constant, interval: PT5S, maxAttempts: 3, "
                    "warningOnRetry: true}\n");
    lab_finish_job(&lab, BT_SUCCESS); /* At the first attempt: no warning. */
    lab_check_state(&lab, "t", BT_SUCCESS);
    lab_finish_job(&lab, BT_FAILED);
    lab_fire(&lab);
    lab_finish_job(&lab, BT_SUCCESS);
    lab_check_state(&lab, "u", BT_WARNING);
    lab_check_end(&lab, BT_WARNING);
    lab_done(&lab);
}

/* The program's own limit ends what has none: N-1 goes on, N does not. */
static void test_attempts_max(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, "id: f\nnamespace: a\ntasks:\n  - id: t\n    type: fail\n"
                    "    retry: {type: constant, interval: PT1S}\n");
    for (uint32_t i = 1; i < BT_ATTEMPTS_MAX; i++) {
        assert_int_equal(lab_run(&lab, "t")->attempt_count, i);
        assert_int_equal(lab_run(&lab, "t")->state, BT_RETRYING);
        lab_fire(&lab);
    }
    assert_int_equal(lab_run(&lab, "t")->attempt_count, BT_ATTEMPTS_MAX);
    lab_check_end(&lab, BT_FAILED);
    lab_done(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_warning_on_retry),
        cmocka_unit_test(test_attempts_max),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
