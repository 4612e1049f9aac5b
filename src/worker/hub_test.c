/* Goal: the hub gives each job to a member that may take it, and says what becomes of those that
 * none can take.
 * Method: members that only write down what they are given; a sink that writes down what is told.
 */
#include "worker/hub.h"

#include "base/own.h"
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct member {
    struct bt_member *member;
    BT_VEC(uint64_t) given;
    BT_VEC(uint64_t) kills;
};

static struct bt_hub *hub;
static char told[4096]; /* "log 1 text|result 2 FAILED text|lost 3|" */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(told + strlen(told), sizeof told - strlen(told), format, args);
    va_end(args);
}

static void on_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                    size_t count)
{
    (void)data;
    assert_int_equal(count, 1);
    note("log %u %.*s|", job->taskrun, BT_FMT(lines[0].text));
}

static void on_started(void *data, const struct bt_job *job, int64_t at_us)
{
    (void)data, (void)at_us;
    note("started %u|", job->taskrun);
}

static void on_result(void *data, struct bt_job_result *result)
{
    (void)data;
    note("result %u %s %s|", result->taskrun, bt_state_name(result->state),
         result->error ? result->error : "");
    bt_job_result_done(result);
}

static void on_lost(void *data, uint64_t exec_key, uint32_t taskrun, uint64_t token)
{
    (void)data, (void)exec_key, (void)token;
    note("lost %u|", taskrun);
}

static void give(void *data, struct bt_job *job)
{
    struct member *member = data;
    bt_vec_push(&member->given, job->token);
    bt_job_free(job);
}

static void kill_it(void *data, uint64_t token)
{
    struct member *member = data;
    bt_vec_push(&member->kills, token);
}

static int set_up(void **state)
{
    (void)state;
    struct bt_hub_config config = {.lost = on_lost};
    told[0] = '\0';
    hub = bt_hub_new(&config);
    bt_hub_set_sink(hub, &(struct bt_worker_sink){NULL, on_logs, on_started, on_result, NULL});
    return hub ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hub = bt_hub_free(hub);
    return 0;
}

static void join(struct member *member, const char *group, const char *tags, unsigned slots)
{
    static const struct bt_member_ops ops = {give, kill_it};
    const struct bt_member_kind kind = {group, tags, slots};
    memset(member, 0, sizeof *member);
    member->member = bt_hub_join(hub, &kind, &ops, member);
    bt_hub_away(member->member, false);
}

static void leave(struct member *member)
{
    bt_hub_leave(member->member);
    bt_member_free(member->member);
    bt_vec_done(&member->given);
    bt_vec_done(&member->kills);
}

/* `more`: further properties of the task. */
static void submit(uint64_t token, const char *more)
{
    char source[512];
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    (void)snprintf(source, sizeof source,
                   "id: f\nnamespace: a\ntasks:\n  - {id: t, type: shell, commands: [x]%s}\n",
                   more);
    assert_int_equal(bt_flow_parse(bt_str_of(source), &job->flow, &diags), BT_OK);
    bt_diags_done(&diags);
    job->task = &job->flow->tasks[0];
    job->token = token;
    job->taskrun = (uint32_t)token;
    job->exec_key = 1;
    bt_hub_submit(hub, job);
}

static void finish(struct member *member, uint64_t token, bool is_held)
{
    struct bt_job_result result = {.token = token, .state = BT_SUCCESS};
    assert_int_equal(bt_hub_result(member->member, &result), is_held);
}

static void test_kinds(void **state)
{
    (void)state;
    struct member plain, eu, gpu;
    join(&plain, "", "", 10);
    join(&eu, "", "eu,fast", 10);
    join(&gpu, "gpu", "", 10);
    submit(1, ", workerGroup: {key: gpu}");
    submit(2, ", workerGroup: {tags: [eu]}");
    submit(3, ", workerGroup: {tags: [fast, eu]}");
    assert_int_equal(gpu.given.count, 1);
    assert_int_equal(eu.given.count, 2);
    assert_int_equal(plain.given.count, 0);
    for (uint64_t token = 4; token < 12; token++)
        submit(token, "");
    assert_int_equal(plain.given.count, 4); /* Tags take also what asks for none. */
    assert_int_equal(eu.given.count, 6);
    assert_string_equal(told, "");
    leave(&plain);
    leave(&eu);
    leave(&gpu);
}

/* A member without credit is there all the same; a line that waits for it holds up nobody else. */
static void test_credit(void **state)
{
    (void)state;
    struct member one, eu;
    join(&one, "", "", 1);
    join(&eu, "", "eu", 1);
    submit(1, "");
    submit(2, ", workerGroup: {tags: [eu], fallback: FAIL}");
    submit(3, ", workerGroup: {tags: [eu], fallback: FAIL}");
    submit(4, "");
    assert_int_equal(bt_hub_counts(hub).waiting, 2);
    finish(&one, 1, true);
    assert_int_equal(one.given.count, 2);
    assert_int_equal(one.given.items[1], 4);
    finish(&eu, 2, true);
    assert_int_equal(eu.given.items[1], 3);
    finish(&eu, 2, false);  /* Twice. */
    finish(&one, 3, false); /* Another's. */
    assert_string_equal(told, "result 1 SUCCESS |result 2 SUCCESS |");
    leave(&one);
    leave(&eu);
}

static void test_fallbacks(void **state)
{
    (void)state;
    struct member plain, gpu;
    join(&plain, "", "", 10);
    submit(1, ", workerGroup: {key: gpu, fallback: FAIL}");
    submit(2, ", workerGroup: {key: gpu, fallback: CANCEL}");
    submit(3, ", workerGroup: {key: gpu, tags: [a], fallback: IGNORE}");
    submit(4, ", workerGroup: {key: gpu, tags: [a]}");
    assert_string_equal(
        told, "result 1 FAILED no worker of the group 'gpu' is connected|"
              "result 2 KILLED no worker of the group 'gpu' is connected|"
              "log 3 no worker of the group 'gpu' with the tags 'a' is connected; the task runs on "
              "any worker without a group|"
              "log 4 no worker of the group 'gpu' with the tags 'a' is connected; the task waits "
              "for one (baton worker --group gpu --tags a)|");
    assert_int_equal(plain.given.count, 1);
    told[0] = '\0';
    join(&gpu, "gpu", "a", 1);
    assert_int_equal(gpu.given.count, 1);
    assert_int_equal(gpu.given.items[0], 4);
    submit(5, ", workerGroup: {key: gpu, fallback: FAIL}"); /* It waits for credit … */
    assert_string_equal(told, "");
    leave(&gpu); /* … and then there is nobody. */
    assert_string_equal(told, "result 5 FAILED no worker of the group 'gpu' is connected|lost 4|");
    leave(&plain);
}

/* Nobody at all: IGNORE waits with all the others, and is told once. */
static void test_nobody(void **state)
{
    (void)state;
    struct member plain;
    submit(1, ", workerGroup: {key: gpu, fallback: IGNORE}");
    submit(2, "");
    bt_hub_expect(hub, false); /* Decides again. */
    assert_string_equal(told,
                        "log 1 no worker of the group 'gpu' is connected; the task runs on any "
                        "worker without a group|"
                        "log 2 no worker is connected; the task waits for one (baton worker)|");
    join(&plain, "", "", 10);
    assert_int_equal(plain.given.count, 2);
    leave(&plain);
}

/* While workers may come nothing is decided. */
static void test_expecting(void **state)
{
    (void)state;
    bt_hub_expect(hub, true);
    submit(1, ", workerGroup: {key: gpu, fallback: FAIL}");
    submit(2, ", workerGroup: {key: gpu}");
    assert_string_equal(told, "");
    bt_hub_kill(hub, 2);
    bt_hub_expect(hub, false);
    assert_string_equal(
        told, "result 2 KILLED |result 1 FAILED no worker of the group 'gpu' is connected|");
}

static void test_draining(void **state)
{
    (void)state;
    struct member one;
    join(&one, "", "", 2);
    submit(1, "");
    bt_hub_drain(one.member);
    submit(2, "");
    assert_int_equal(one.given.count, 1);
    assert_non_null(strstr(told, "log 2 no worker is connected"));
    bt_hub_kill(hub, 1);
    assert_int_equal(one.kills.count, 1);
    bt_hub_give_back(one.member, 1);
    assert_non_null(strstr(told, "lost 1|"));
    leave(&one);
}

static void test_orphans(void **state)
{
    (void)state;
    struct member back;
    for (uint32_t token = 1; token <= 3; token++)
        bt_hub_orphan(hub, &(struct bt_job){.exec_key = 1, .taskrun = token, .token = token});
    join(&back, "", "", 2);
    bt_hub_kill(hub, 2);
    assert_true(bt_hub_adopt(back.member, 1));
    assert_true(bt_hub_adopt(back.member, 2));
    assert_false(bt_hub_adopt(back.member, 1));
    assert_int_equal(back.kills.count, 1); /* Asked for while it was away. */
    bt_hub_expire_orphans(hub);
    assert_string_equal(told, "lost 3|");
    submit(4, ""); /* What it has counts against its slots. */
    assert_int_equal(back.given.count, 0);
    leave(&back);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_kinds),     CASE(test_credit),   CASE(test_fallbacks), CASE(test_nobody),
        CASE(test_expecting), CASE(test_draining), CASE(test_orphans),
    };
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
