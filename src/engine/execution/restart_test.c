/* restart_test.c — Goal: an execution that is restarted, or in which somebody changes the state of
 * a task run, ends as if what went wrong had gone well, and runs nothing twice that went well.
 * Method: flows on the bench whose tasks fail at their first attempt, with rows in memory and
 * forgotten. */
#include "engine/execution/lab_int.h"

#define HEAD "id: f\nnamespace: a\n"
#define LOG(id) "{id: " id ", type: log, message: x}"
#define BAD(id) "{id: " id ", type: fail}"
#define ONCE(id) "{id: " id ", type: fail, condition: \"{{ taskrun.attemptsCount == 0 }}\"}"
#define JOB(id) "{id: " id ", type: shell, commands: [x]}"

struct row {
    const char *tasks, *histories;
    const char *runs; /* "task=how many runs", in the end. */
};

static const struct row rows[] = {
    {"tasks: [" LOG("a") ", " ONCE("b") ", " LOG("c") "]",
     "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS", "a=1 b=1 c=1"},
    {"tasks: [" ONCE("b") "]\nerrors: [" LOG("e") "]\nfinally: [" LOG(
         "g") "]\nafterExecution: [" LOG("h") "]",
     "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS", "b=1 e=0 g=1 h=1"},
    {"tasks: [{id: s, type: sequential, tasks: [" LOG("a") ", " ONCE("b") ", " LOG(
         "c") "], errors: [" LOG("e") "]}, " LOG("d") "]",
     "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS", "s=1 a=1 b=1 c=1 d=1 e=0"},
    {"tasks: [{id: p, type: parallel, tasks: [" ONCE("a") ", " LOG(
         "b") ", {id: s, type: sequential, "
              "tasks: [" ONCE("c") ", " LOG("d") "]}]}]",
     "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS", "p=1 a=1 b=1 c=1 d=1"},
    {"tasks: [{id: l, type: foreach, values: [1, 2, 3], tasks: [" LOG("a") ", " ONCE("b") ", " LOG(
         "c") "]}]",
     "CREATED RUNNING FAILED RESTARTED RUNNING FAILED RESTARTED RUNNING FAILED RESTARTED RUNNING "
     "SUCCESS",
     "l=1 a=3 b=3 c=3"},
    {"tasks: [{id: l, type: foreach, concurrencyLimit: 0, values: [1, 2, 3], tasks: [{id: a, type: "
     "fail, condition: \"{{ taskrun.value == '2' and taskrun.attemptsCount == 0 }}\"}, " LOG(
         "b") ", " LOG("c") "]}]",
     "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS", "l=1 a=3 b=3 c=3"},
    {"tasks: [{id: d, type: dag, tasks: [{task: " ONCE("a") "}, {task: " LOG(
         "b") ", dependsOn: [a]}, {task: " LOG("c") "}]}]",
     "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS", "d=1 a=1 b=1 c=1"},
    {"tasks: [{id: i, type: if, condition: \"{{ true }}\", then: [" ONCE("a") "]}, " LOG("b") "]",
     "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS", "i=1 a=1 b=1"},
    {"tasks: [{id: w, type: allow_failure, tasks: [" ONCE("a") "]}, " ONCE("b") "]",
     "CREATED RUNNING FAILED RESTARTED RUNNING WARNING", "w=1 a=1 b=1"},
};

static size_t count_runs(struct lab *lab, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < lab->runs.count; i++) {
        const struct bt_taskrun *run = lab->runs.items[i];
        count += run->task != UINT32_MAX && strcmp(lab->flow->tasks[run->task].id, id) == 0;
    }
    return count;
}

static void check_counts(struct lab *lab, const char *runs)
{
    char copy[256], *rest = copy, *word;
    (void)snprintf(copy, sizeof copy, "%s", runs);
    while ((word = strtok_r(rest, " ", &rest))) {
        char *number = strchr(word, '=');
        *number++ = '\0';
        if (count_runs(lab, word) != (size_t)strtoul(number, NULL, 10))
            fail_msg("%s has %zu runs, not %s", word, count_runs(lab, word), number);
    }
}

static void restart(struct lab *lab)
{
    lab_send(lab, (struct bt_event){.kind = BT_EVENT_RESTART});
    lab_settle(lab);
}

static void check_row(const struct row *row, bool forgets)
{
    struct lab lab;
    char source[1024];
    (void)snprintf(source, sizeof source, HEAD "%s\n", row->tasks);
    lab_open(&lab, source);
    lab.forgets = forgets;
    lab_begin(&lab);
    for (int i = 0; i < 4 && lab.exec->state == BT_FAILED; i++)
        restart(&lab);
    if (lab.exec->state == BT_RUNNING)
        fail_msg("it does not end: %s", row->tasks);
    lab_check_histories(&lab.exec->histories, row->histories);
    check_counts(&lab, row->runs);
    lab_check_end(&lab, lab.exec->state);
    lab_done(&lab);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        check_row(&rows[i], false);
        check_row(&rows[i], true);
    }
}

/* What was killed goes on where it was, also where nothing itself was killed. */
static void test_killed(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks: [{id: p, type: parallel, tasks: [" JOB(
                        "a") ", {id: s, type: "
                             "sequential, tasks: [" JOB("b") ", " JOB("c") "]}]}, " LOG("d") "]\n");
    struct lab_job a = lab_take_job(&lab), b = lab_take_job(&lab);
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_KILL});
    lab_settle(&lab);
    lab_result(&lab, b, BT_SUCCESS); /* It was faster than the kill: its lane is cut. */
    lab_result(&lab, a, BT_KILLED);
    assert_int_equal(lab.exec->state, BT_KILLED);
    assert_int_equal(count_runs(&lab, "c"), 0);
    restart(&lab);
    assert_int_equal(lab.jobs.count, 2);
    lab_finish_job(&lab, BT_SUCCESS);
    lab_finish_job(&lab, BT_SUCCESS);
    lab_check_histories(&lab.exec->histories,
                        "CREATED RUNNING KILLING KILLED RESTARTED RUNNING SUCCESS");
    check_counts(&lab, "a=1 b=1 c=1 d=1");
    lab_check_end(&lab, lab.exec->state);
    lab_done(&lab);
}

/* It ended while a sibling still ran: that one is not started again. */
static void test_not_drained(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab,
              HEAD "tasks: [{id: p, type: parallel, tasks: [" JOB("a") ", " ONCE("b") "]}]\n");
    struct lab_job a = lab_take_job(&lab);
    assert_int_equal(lab.exec->state, BT_FAILED);
    restart(&lab);
    assert_int_equal(lab.exec->state, BT_RUNNING);
    assert_int_equal(lab.jobs.count, 0);
    lab_result(&lab, a, BT_SUCCESS);
    assert_int_equal(lab.exec->state, BT_SUCCESS);
    lab_check_end(&lab, lab.exec->state);
    lab_done(&lab);
}

static void test_twice(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks: [" BAD("a") "]\n");
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_RESTART});
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_RESTART});
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_RESTART, .taskrun = 1});
    lab_settle(&lab);
    assert_int_equal(lab_run(&lab, "a")->attempt_count, 2);
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_RESTART});
    lab_send(&lab, (struct bt_event){.kind = BT_EVENT_KILL});
    lab_settle(&lab);
    assert_int_equal(lab.exec->state, BT_KILLED);
    lab_check_end(&lab, lab.exec->state);
    lab_done(&lab);
}

static void test_paused(void **state)
{
    (void)state;
    struct lab lab;
    lab_start(&lab, HEAD "tasks: [{id: p, type: pause}, " LOG("a") "]\n");
    assert_int_equal(lab.exec->state, BT_PAUSED);
    restart(&lab);
    lab_check_histories(&lab.exec->histories, "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS");
    lab_check_end(&lab, lab.exec->state);
    lab_done(&lab);
}

/* A failed task that somebody calls well lets the flow go on, also past an errors branch. */
static void test_change(void **state)
{
    (void)state;
    struct lab lab;
    for (int forgets = 0; forgets < 2; forgets++) {
        lab_open(&lab,
                 HEAD "tasks: [{id: s, type: sequential, tasks: [" BAD("a") ", " LOG(
                     "b") "], errors: [" LOG("e") "]}, " LOG("c") "]\nerrors: [" LOG("g") "]\n");
        lab.forgets = forgets;
        lab_begin(&lab);
        assert_int_equal(lab.exec->state, BT_FAILED);
        uint32_t n = lab_run(&lab, "a")->n;
        lab_send(&lab,
                 (struct bt_event){.kind = BT_EVENT_CHANGE, .taskrun = n, .state = BT_SUCCESS});
        lab_settle(&lab);
        lab_check_histories(&lab.exec->histories,
                            "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS");
        check_counts(&lab, "a=1 b=1 c=1 e=0 g=0");
        lab_send(&lab, (struct bt_event){.kind = BT_EVENT_STATUS, .state = BT_FAILED});
        lab_settle(&lab);
        assert_int_equal(lab.exec->state, BT_FAILED);
        lab_check_end(&lab, lab.exec->state);
        lab_done(&lab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_killed),
        cmocka_unit_test(test_twice),  cmocka_unit_test(test_not_drained),
        cmocka_unit_test(test_paused), cmocka_unit_test(test_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
