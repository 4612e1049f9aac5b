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
    BT_VEC(uint64_t) released;
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

static void release(void *data, uint64_t place)
{
    struct member *member = data;
    bt_vec_push(&member->released, place);
}

static int set_up(void **state)
{
    (void)state;
    struct bt_hub_config config = {.lost = on_lost};
    told[0] = '\0';
    hub = bt_hub_new(&config);
    bt_hub_set_sink(hub,
                    &(struct bt_worker_sink){NULL, on_logs, on_started, on_result, NULL, NULL});
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
    static const struct bt_member_ops ops = {give, kill_it, release};
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
    bt_vec_done(&member->released);
}

/* `more`: further properties of the task. */
static struct bt_job *make_job(uint64_t token, const char *more)
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
    return job;
}

static void submit(uint64_t token, const char *more)
{
    bt_hub_submit(hub, make_job(token, more));
}

static void submit_to(uint64_t place, enum bt_place_op op, uint64_t token, const char *more)
{
    struct bt_job *job = make_job(token, more);
    job->place = (struct bt_place){.id = place, .op = op};
    bt_hub_submit(hub, job);
}

static void finish_as(struct member *member, uint64_t token, enum bt_state state)
{
    struct bt_job_result result = {.token = token, .state = state};
    assert_true(bt_hub_result(member->member, &result));
}

static void finish(struct member *member, uint64_t token, bool is_held)
{
    struct bt_job_result result = {.token = token, .state = BT_SUCCESS};
    assert_int_equal(bt_hub_result(member->member, &result), is_held);
}

static void expect_given(const struct member *member, size_t count, uint64_t last)
{
    assert_int_equal(member->given.count, count);
    assert_int_equal(member->given.items[count - 1], last);
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

/* --- Places -------------------------------------------------------------------------------------
 */

/* A job of a place goes where the place is, whatever its own task asks for, before all others. */
static void test_place(void **state)
{
    (void)state;
    struct member one, two;
    join(&one, "", "", 1);
    join(&two, "", "", 4);
    submit_to(77, BT_PLACE_OPEN, 1, "");
    expect_given(&one, 1, 1);
    submit_to(77, BT_PLACE_IN, 2, ", workerGroup: {key: gpu, fallback: FAIL}"); /* It waits … */
    for (uint64_t token = 3; token < 8; token++)
        submit(token, "");
    expect_given(&two, 4, 6);
    finish(&one, 1, true); /* … for the one slot. */
    expect_given(&one, 2, 2);
    assert_int_equal(bt_hub_counts(hub).waiting, 1);
    finish(&two, 3, true);
    expect_given(&two, 5, 7);
    finish_as(&one, 2, BT_FAILED); /* A child's end is not that of the place. */
    assert_int_equal(bt_hub_counts(hub).places, 1);
    submit_to(77, BT_PLACE_CLOSE, 8, "");
    expect_given(&one, 3, 8);
    finish(&one, 8, true);
    assert_int_equal(bt_hub_counts(hub).places, 0);
    told[0] = '\0';
    submit_to(77, BT_PLACE_IN, 9, "");
    assert_string_equal(told, "lost 9|");
    assert_int_equal(one.released.count + two.released.count, 0);
    leave(&one);
    leave(&two);
}

/* What an OPEN that fails leaves is no place. An evaluate job has none. */
static void test_place_failed(void **state)
{
    (void)state;
    struct member one;
    join(&one, "", "", 4);
    submit_to(77, BT_PLACE_OPEN, 1, "");
    submit_to(78, BT_PLACE_OPEN, 2, "");
    finish_as(&one, 1, BT_FAILED);
    finish_as(&one, 2, BT_KILLED);
    assert_int_equal(bt_hub_counts(hub).places, 0);
    struct bt_job *job = make_job(3, "");
    job->place = (struct bt_place){.id = 77, .op = BT_PLACE_IN};
    job->templates = bt_list_new(0);
    bt_hub_submit(hub, job);
    expect_given(&one, 3, 3);
    leave(&one);
}

static void test_place_lost(void **state)
{
    (void)state;
    struct member one, two;
    submit_to(5, BT_PLACE_IN, 1, ""); /* Nobody has it. */
    assert_string_equal(told, "lost 1|");
    join(&one, "", "", 1);
    submit_to(77, BT_PLACE_OPEN, 2, "");
    join(&two, "", "", 1);
    submit_to(77, BT_PLACE_IN, 3, ""); /* Waits for its slot. */
    told[0] = '\0';
    leave(&one);
    assert_string_equal(told, "lost 3|lost 2|");
    submit_to(77, BT_PLACE_CLOSE, 4, "");
    assert_string_equal(told, "lost 3|lost 2|lost 4|");
    assert_int_equal(two.given.count, 0);
    submit_to(78, BT_PLACE_OPEN, 5, ""); /* Handed back: the place is gone, too. */
    expect_given(&two, 1, 5);
    submit_to(78, BT_PLACE_IN, 6, "");
    told[0] = '\0';
    bt_hub_give_back(two.member, 5);
    assert_string_equal(told, "lost 6|lost 5|");
    assert_int_equal(two.released.count, 1);
    submit_to(79, BT_PLACE_OPEN, 7, ""); /* It has the slot again. */
    expect_given(&two, 2, 7);
    leave(&two);
    assert_int_equal(bt_hub_counts(hub).places, 0);
}

/* A connection that is gone for a while: jobs wait for it; then both sides compare. */
static void test_place_away(void **state)
{
    (void)state;
    struct member one;
    join(&one, "", "", 4);
    for (uint64_t place = 77; place < 80; place++)
        submit_to(place, BT_PLACE_OPEN, place, "");
    for (uint64_t token = 77; token < 80; token++)
        finish(&one, token, true);
    bt_hub_away(one.member, true);
    submit_to(77, BT_PLACE_IN, 1, "");
    submit_to(78, BT_PLACE_IN, 2, "");
    submit_to(79, BT_PLACE_IN, 3, "");
    bt_hub_kill(hub, 3);
    told[0] = '\0';
    const uint64_t has[] = {77, 79, 1234};
    bt_hub_check_places(one.member, has, BT_COUNT(has));
    assert_string_equal(told, "lost 2|");
    assert_int_equal(one.released.count, 1);
    assert_int_equal(one.released.items[0], 1234);
    bt_hub_away(one.member, false);
    expect_given(&one, 4, 1);
    leave(&one);
}

static void test_place_release(void **state)
{
    (void)state;
    struct member one;
    join(&one, "", "", 1);
    submit_to(77, BT_PLACE_OPEN, 1, "");
    submit_to(77, BT_PLACE_IN, 2, "");
    told[0] = '\0';
    bt_hub_release(hub, 77);
    bt_hub_release(hub, 77);
    bt_hub_release(hub, 99);
    assert_int_equal(one.released.count, 1);
    assert_int_equal(one.released.items[0], 77);
    assert_string_equal(told, "lost 2|");
    leave(&one);
}

/* A member that drains ends what it has begun. */
static void test_place_draining(void **state)
{
    (void)state;
    struct member one;
    join(&one, "", "", 2);
    submit_to(77, BT_PLACE_OPEN, 1, "");
    finish(&one, 1, true);
    bt_hub_drain(one.member);
    submit_to(77, BT_PLACE_IN, 2, "");
    expect_given(&one, 2, 2);
    leave(&one);
}

/* After a restart: a worker may bring its places along. */
static void test_place_adopted(void **state)
{
    (void)state;
    struct member one, two;
    bt_hub_expect(hub, true);
    submit_to(77, BT_PLACE_IN, 1, "");
    submit_to(78, BT_PLACE_CLOSE, 2, "");
    submit_to(79, BT_PLACE_IN, 3, "");
    bt_hub_kill(hub, 3);
    assert_string_equal(told, "result 3 KILLED |");
    join(&one, "", "", 2);
    join(&two, "", "", 2);
    assert_true(bt_hub_adopt_place(two.member, 77));
    assert_false(bt_hub_adopt_place(one.member, 77));
    expect_given(&two, 1, 1);
    told[0] = '\0';
    bt_hub_expect(hub, false);
    assert_string_equal(told, "lost 2|");
    submit_to(80, BT_PLACE_IN, 4, "");
    assert_string_equal(told, "lost 2|lost 4|");
    leave(&one);
    leave(&two);
}

/* Nothing is told after the end; the next start takes it up. */
static void test_place_closed(void **state)
{
    (void)state;
    struct member one;
    join(&one, "", "", 1);
    submit_to(77, BT_PLACE_OPEN, 1, "");
    submit_to(77, BT_PLACE_IN, 2, "");
    bt_hub_close(hub);
    submit_to(78, BT_PLACE_IN, 3, "");
    bt_hub_release(hub, 77);
    leave(&one);
    assert_string_equal(told, "");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_kinds),          CASE(test_credit),        CASE(test_fallbacks),
        CASE(test_nobody),         CASE(test_expecting),     CASE(test_draining),
        CASE(test_orphans),        CASE(test_place),         CASE(test_place_failed),
        CASE(test_place_lost),     CASE(test_place_away),    CASE(test_place_release),
        CASE(test_place_draining), CASE(test_place_adopted), CASE(test_place_closed),
    };
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
