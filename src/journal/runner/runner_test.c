/* runner_test.c — Goal: a batch is committed once, fairly, or not at all; nothing acknowledged is
 * lost whatever fails. Method: the runner turned by hand over SQLite in memory behind a journal
 * that fails on demand, with a clock of its own; the thread and the inbox's bound at the end. */
#include "journal/runner/bench_int.h"

#include <semaphore.h>
#include <sys/select.h>

/* --- The tests ---------------------------------------------------------------------------------
 */

/* One turn, one commit; the answer comes after it. */
static void test_one_commit(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench, "id: f\nnamespace: a\ntasks:\n  - {id: a, type: log, message: x}\n"
                     "  - {id: b, type: log, message: x}\n  - {id: c, type: log, message: x}\n");
    struct bt_reply *reply = bt_reply_new();
    create(&bench, "f", reply);
    assert_false(bt_reply_is_done(reply));
    size_t before = bench.commits;
    settle(&bench);
    assert_int_equal(bench.commits, before + 1);
    assert_int_equal(bt_reply_wait(reply, NULL), BT_OK);
    check_state(&bench, bt_reply_number(reply), BT_SUCCESS);
    check_empty(&bench);
    bt_reply_free(reply);
    bench_done(&bench);
}

/* A loop of thousands and a small one beside it: the small one has ended before the loop has. */
static void test_fair(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench,
             "id: big\nnamespace: a\ntasks:\n  - {id: e, type: foreach, concurrencyLimit: 0, "
             "values: \"{{ range(1, 2000) }}\", tasks: [{id: x, type: log, message: x}]}\n");
    put_flow(&bench, "id: small\nnamespace: a\ntasks:\n  - {id: y, type: log, message: x}\n");
    create(&bench, "big", NULL);
    create(&bench, "small", NULL);
    settle(&bench);
    check_state(&bench, 1, BT_SUCCESS);
    check_state(&bench, 2, BT_SUCCESS);
    const char *small = memchr(bench.order, 's', bench.order_len);
    assert_non_null(small);
    assert_true(small - bench.order < 500); /* Of more than 2000. */
    assert_true(bench.order_len > 2000);
    bench_done(&bench);
}

/* More steps than one batch may do: the rest is stored, and goes on after a crash. */
static void test_budget(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench,
             "id: big\nnamespace: a\ntasks:\n  - {id: e, type: foreach, concurrencyLimit: 0, "
             "values: \"{{ range(1, 12000) }}\", tasks: [{id: x, type: log, message: x}]}\n");
    create(&bench, "big", NULL);
    int64_t wake_us;
    size_t before = bench.commits;
    assert_true(bt_runner_turn(bench.runner, &wake_us));
    assert_int_equal(bench.commits, before + 1);
    assert_true(wake_us <= bench.wall_us); /* At once again. */
    assert_true(count(&bench, "SELECT count(*) FROM events") > 0);
    check_state(&bench, 1, BT_RUNNING);
    restart(&bench);
    settle(&bench);
    check_state(&bench, 1, BT_SUCCESS);
    assert_int_equal(count(&bench, "SELECT count(*) FROM task_runs"), 12001);
    check_empty(&bench);
    bench_done(&bench);
}

static void test_timers(void **state)
{
    (void)state;
    static struct bench bench;
    int64_t wake_us;
    bench_open(&bench);
    put_flow(&bench, NAP_FLOW);
    create(&bench, "n", NULL);
    settle(&bench);
    assert_false(bt_runner_turn(bench.runner, &wake_us));
    assert_int_equal(wake_us, bench.wall_us + 10000000);
    restart(&bench);
    settle(&bench);
    bench.wall_us = wake_us - 1;
    assert_false(bt_runner_turn(bench.runner, &wake_us));
    bench.wall_us -= 5000000; /* The clock jumps back: time does not. */
    assert_false(bt_runner_turn(bench.runner, &wake_us));
    bench.wall_us += 5000001;
    assert_true(bt_runner_turn(bench.runner, &wake_us));
    check_state(&bench, 1, BT_SUCCESS);
    check_empty(&bench);
    assert_false(bt_runner_turn(bench.runner, &wake_us));
    assert_int_equal(wake_us, INT64_MAX);
    /* Nor within a process, nor over a restart. */
    for (uint64_t key = 2; key < 4; key++) {
        bench.wall_us -= 3600000000;
        create(&bench, "n", NULL);
        settle(&bench);
        struct bt_exec *exec = NULL;
        assert_int_equal(bench.real->exec(bench.journal, key, &exec, NULL), BT_OK);
        assert_true(bt_histories_at(&exec->histories, 0)->at_us >= 1010000000);
        bt_exec_free(exec);
        restart(&bench);
    }
    bench_done(&bench);
}

/* A commit fails: who waits is refused, a result is kept and comes again, the same as before. */
static void test_commit_fails(void **state)
{
    (void)state;
    static struct bench bench;
    struct bt_err err = BT_ERR_INIT;
    bench_open(&bench);
    put_flow(&bench, JOB_FLOW);
    struct bt_reply *reply = bt_reply_new();
    bench.commit_fails = 1;
    create(&bench, "j", reply);
    settle(&bench);
    assert_int_equal(bt_reply_wait(reply, &err), BT_IO);
    assert_string_equal(err.msg, "simulated");
    bt_reply_free(reply);
    assert_int_equal(bench.troubles, 1);
    assert_int_equal(bench.jobs.count, 0);
    assert_int_equal(count(&bench, "SELECT count(*) FROM executions"), 0);
    bench.wall_us += 10000000;
    create(&bench, "j", NULL);
    settle(&bench);
    assert_int_equal(bench.jobs.count, 1);
    bench.commit_fails = 3;
    finish_job(&bench, BT_SUCCESS);
    settle(&bench);
    int64_t wake_us;
    assert_false(bt_runner_turn(bench.runner, &wake_us)); /* Not before its time. */
    assert_true(wake_us > bench.wall_us);
    check_state(&bench, 2, BT_RUNNING);
    for (int i = 0; i < 4; i++) {
        bench.wall_us += 10000000;
        settle(&bench);
    }
    assert_int_equal(bench.troubles, 4);
    assert_int_equal(bench.jobs.count, 0); /* It was not given out again. */
    check_state(&bench, 2, BT_SUCCESS);
    check_empty(&bench);
    bench_done(&bench);
}

/* The commit fails, and so does the reading after it: what was on its way is read later. */
static void test_reload_fails(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench,
             "id: big\nnamespace: a\ntasks:\n  - {id: e, type: foreach, concurrencyLimit: 0, "
             "values: \"{{ range(1, 12000) }}\", tasks: [{id: x, type: log, message: x}]}\n");
    create(&bench, "big", NULL);
    int64_t wake_us;
    assert_true(bt_runner_turn(bench.runner, &wake_us)); /* The rest are stored events. */
    bench.commit_fails = 1;
    bench.events_fail = 2;
    for (int i = 0; i < 5; i++) {
        settle(&bench);
        bench.wall_us += 10000000;
    }
    assert_int_equal(bench.events_fail, 0);
    check_state(&bench, 1, BT_SUCCESS);
    check_empty(&bench);
    bench_done(&bench);
}

/* A row cannot be read just now: nothing of what came is lost. */
static void test_read_fails(void **state)
{
    (void)state;
    static struct bench bench;
    for (int which = 0; which < 4; which++) {
        bench_open(&bench);
        put_flow(&bench, JOB_FLOW);
        put_flow(&bench, NAP_FLOW);
        create(&bench, "j", NULL);
        create(&bench, "n", NULL);
        settle(&bench);
        restart(&bench); /* So that rows must be read. */
        int *const faults[] = {&bench.exec_fails, &bench.taskrun_fails, &bench.jobs_fail,
                               &bench.commit_fails};
        *faults[which] = 2;
        bench.commit_fails += faults[which] == &bench.jobs_fail; /* Then they are read. */
        bench.wall_us += 20000000;
        for (int i = 0; i < 8; i++) {
            settle(&bench);
            if (bench.jobs.count)
                finish_job(&bench, BT_SUCCESS);
            bench.wall_us += 10000000;
        }
        check_state(&bench, 1, BT_SUCCESS);
        check_state(&bench, 2, BT_SUCCESS);
        check_empty(&bench);
        assert_true(bench.troubles > 0);
        bench_done(&bench);
    }
}

/* The same for a message that is about an execution which is not in memory. */
static void test_message_read_fails(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench, JOB_FLOW);
    create(&bench, "j", NULL);
    settle(&bench);
    struct actor *actor = bt_map64_remove(&bench.runner->actors, 1);
    assert_non_null(actor);
    actor_free(actor); /* As evict_idle() does. */
    bench.exec_fails = 2;
    finish_job(&bench, BT_SUCCESS);
    for (int i = 0; i < 5; i++) {
        settle(&bench);
        bench.wall_us += 10000000;
    }
    check_state(&bench, 1, BT_SUCCESS);
    check_empty(&bench);
    bench_done(&bench);
}

/* After a crash a job that was out is given out again under a new token; the old word is nothing.
 */
static void test_recover(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench, JOB_FLOW);
    create(&bench, "j", NULL);
    settle(&bench);
    struct bt_job *old = bench.jobs.items[0];
    bench.jobs.count = 0;
    restart(&bench);
    settle(&bench);
    assert_int_equal(bench.jobs.count, 1);
    assert_true(bench.jobs.items[0]->token != old->token);
    struct bt_job_result result = {
        .exec_key = 1, .taskrun = 1, .token = old->token, .state = BT_FAILED};
    bt_runner_result(bench.runner, &result);
    settle(&bench);
    check_state(&bench, 1, BT_RUNNING);
    finish_job(&bench, BT_SUCCESS);
    settle(&bench);
    check_state(&bench, 1, BT_SUCCESS);
    check_empty(&bench);
    bt_job_free(old);
    create(&bench, "j", NULL); /* Keys go on. */
    settle(&bench);
    check_state(&bench, 2, BT_RUNNING);
    bench_done(&bench);
}

/* Many look-ups of what is not there, and lists in lists, of rows that are not in memory. */
static void test_absent(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench,
             "id: f\nnamespace: a\ntasks:\n"
             "  - {id: o, type: foreach, values: [p, q], tasks: [{id: i, type: foreach, values: "
             "[r, s], tasks: [{id: l, type: return, format: \"{{ taskrun.value }}\"}]}]}\n"
             "  - {id: j, type: shell, commands: [x]}\n"
             "  - {id: x, type: return, format: \"{{ outputs.y ?? outputs.z ?? 'none' }}"
             "{{ outputs.l }}\"}\n"
             "  - {id: y, type: log, message: x}\n  - {id: z, type: log, message: x}\n");
    create(&bench, "f", NULL);
    settle(&bench);
    restart(&bench);
    settle(&bench);
    finish_job(&bench, BT_SUCCESS);
    settle(&bench);
    check_state(&bench, 1, BT_SUCCESS);
    struct bt_taskrun *run = NULL;
    assert_int_equal(bench.real->find(bench.journal, 1, 4, 0, BT_STR_NONE, &run, NULL), BT_OK);
    assert_true(bt_str_is(bt_map_str(run->outputs, "value"),
                          "none{\"p\":{\"r\":{\"value\":\"r\"},\"s\":{\"value\":\"s\"}},\"q\":{"
                          "\"r\":{\"value\":\"r\"},\"s\":{\"value\":\"s\"}}}"));
    bt_taskrun_free(run);
    bench_done(&bench);
}

/* Kill: jobs are told, timers go, unknown keys are answered. */
static void test_kill(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench,
             "id: f\nnamespace: a\ntasks:\n  - {id: p, type: parallel, tasks: [{id: t, type: "
             "shell, commands: [x]}, {id: s, type: sleep, duration: PT1H}]}\n");
    create(&bench, "f", NULL);
    settle(&bench);
    struct bt_reply *reply = bt_reply_new(), *unknown = bt_reply_new();
    (void)bt_runner_kill(bench.runner, 1, reply);
    (void)bt_runner_kill(bench.runner, 99, unknown);
    settle(&bench);
    assert_int_equal(bt_reply_wait(reply, NULL), BT_OK);
    assert_int_equal(bt_reply_wait(unknown, NULL), BT_NOT_FOUND);
    assert_int_equal(bench.kills.count, 1);
    assert_int_equal(bench.kills.items[0], bench.jobs.items[0]->token);
    assert_int_equal(count(&bench, "SELECT count(*) FROM timers"), 0);
    finish_job(&bench, BT_KILLED);
    settle(&bench);
    check_state(&bench, 1, BT_KILLED);
    check_empty(&bench);
    bt_reply_free(reply);
    bt_reply_free(unknown);
    bench_done(&bench);
}

static uint64_t push(struct bench *bench, const char *source, bool is_settled)
{
    struct bt_flow *flow = parse(source);
    struct bt_reply *reply = bt_reply_new();
    (void)bt_runner_put_flow(bench->runner, "main", flow, BT_PUT_ANY, reply);
    if (!is_settled) {
        (void)bt_runner_put_flow(bench->runner, "main", flow, BT_PUT_ANY, NULL);
    }
    settle(bench);
    assert_int_equal(bt_reply_wait(reply, NULL), BT_OK);
    uint64_t revision = bt_reply_number(reply);
    bt_reply_free(reply);
    bt_flow_unref(flow);
    return revision;
}

/* Equal sources are one revision, others the next; several in one batch as well. */
static void test_revisions(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    assert_int_equal(push(&bench, JOB_FLOW, true), 1);
    assert_int_equal(push(&bench, JOB_FLOW, true), 1);
    assert_int_equal(push(&bench, JOB_FLOW "# 2\n", true), 2);
    assert_int_equal(push(&bench, JOB_FLOW, true), 3);
    assert_int_equal(push(&bench, JOB_FLOW "# 4\n", false), 4); /* Twice in one batch. */
    struct bt_flow *five = parse(JOB_FLOW "# 5\n"), *six = parse(JOB_FLOW "# 6\n");
    struct bt_reply *one = bt_reply_new(), *two = bt_reply_new();
    (void)bt_runner_put_flow(bench.runner, "main", five, BT_PUT_ANY, one);
    (void)bt_runner_put_flow(bench.runner, "main", six, BT_PUT_ANY, two);
    settle(&bench);
    assert_int_equal(bt_reply_wait(one, NULL), BT_OK);
    assert_int_equal(bt_reply_wait(two, NULL), BT_OK);
    assert_int_equal(bt_reply_number(one), 5);
    assert_int_equal(bt_reply_number(two), 6);
    assert_int_equal(count(&bench, "SELECT count(*) FROM flow_revisions"), 6);
    bt_reply_free(one);
    bt_reply_free(two);
    bt_flow_unref(five);
    bt_flow_unref(six);
    bench_done(&bench);
}

static void test_unknown_flow(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    struct bt_reply *reply = bt_reply_new();
    create(&bench, "nope", reply);
    settle(&bench);
    assert_int_equal(bt_reply_wait(reply, NULL), BT_NOT_FOUND);
    bt_reply_free(reply);
    bench_done(&bench);
}

/* The thread: answers come without a turn by hand; stopping refuses what is left. */
static void test_thread(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench, "id: f\nnamespace: a\ntasks:\n  - {id: a, type: log, message: x}\n");
    assert_int_equal(bt_runner_start(bench.runner, NULL), BT_OK);
    for (int i = 0; i < 20; i++) {
        struct bt_reply *reply = bt_reply_new();
        create(&bench, "f", reply);
        assert_int_equal(bt_reply_wait(reply, NULL), BT_OK);
        assert_int_equal(bt_reply_number(reply), i + 1);
        bt_reply_free(reply);
    }
    bt_runner_free(bench.runner);
    start_runner(&bench); /* No thread, so what is posted stays. */
    struct bt_reply *reply = bt_reply_new();
    create(&bench, "f", reply);
    bench.runner = bt_runner_free(bench.runner);
    assert_int_equal(bt_reply_wait(reply, NULL), BT_ABORTED);
    bt_reply_free(reply);
    bench_done(&bench);
}

enum { LINE_BYTES = 10000, LINES = 100, MESSAGES = 100 };
struct poster {
    struct bench *bench;
    struct bt_job job;
    _Atomic int posted;
};

/* The result of a message about one execution, after it was settled. */
static int edit(struct bench *bench, uint64_t key, struct bt_value *labels)
{
    struct bt_reply *reply = bt_reply_new();
    struct bt_err err = BT_ERR_INIT;
    if (labels)
        bt_runner_label(bench->runner, key, labels, reply);
    else
        bt_runner_drop(bench->runner, key, reply);
    settle(bench);
    int rc = bt_reply_wait(reply, &err);
    bt_reply_free(reply);
    return rc;
}

static struct bt_value *label(const char *key, const char *text)
{
    struct bt_value *labels = bt_map_new(1);
    assert_int_equal(bt_map_puts(labels, key, bt_value_cstr(text)), BT_OK);
    return labels;
}

/* Labels of what has ended are merged; what has ended can be removed, with all its rows, once. */
static void test_edits(void **state)
{
    (void)state;
    static struct bench bench;
    struct bt_exec *exec = NULL;
    bench_open(&bench);
    put_flow(&bench, NAP_FLOW);
    put_flow(&bench, "id: f\nnamespace: a\ntasks:\n  - {id: a, type: log, message: x}\n");
    create(&bench, "n", NULL);
    create(&bench, "f", NULL);
    settle(&bench);
    assert_int_equal(edit(&bench, 1, label("a", "b")), BT_CONFLICT); /* It sleeps. */
    assert_int_equal(edit(&bench, 1, NULL), BT_CONFLICT);
    assert_int_equal(edit(&bench, 9, label("a", "b")), BT_NOT_FOUND);
    assert_int_equal(edit(&bench, 9, NULL), BT_NOT_FOUND);
    assert_int_equal(edit(&bench, 2, label("a", "b")), BT_OK);
    restart(&bench);
    assert_int_equal(edit(&bench, 2, label("c", "d")), BT_OK);
    assert_int_equal(bench.real->exec(bench.journal, 2, &exec, NULL), BT_OK);
    assert_true(bt_str_is(bt_map_str(exec->labels, "a"), "b"));
    assert_true(bt_str_is(bt_map_str(exec->labels, "c"), "d"));
    bt_exec_free(exec);
    bench.commit_fails = 1;
    assert_int_equal(edit(&bench, 2, NULL), BT_IO); /* It stays. */
    bench.wall_us += 10000000;
    assert_int_equal(count(&bench, "SELECT count(*) FROM executions WHERE key=2"), 1);
    /* Twice in one batch, and a label behind it. */
    struct bt_reply *replies[] = {bt_reply_new(), bt_reply_new(), bt_reply_new()};
    bt_runner_drop(bench.runner, 2, replies[0]);
    bt_runner_drop(bench.runner, 2, replies[1]);
    bt_runner_label(bench.runner, 2, label("x", "y"), replies[2]);
    settle(&bench);
    assert_int_equal(bt_reply_wait(replies[0], NULL), BT_OK);
    assert_int_equal(bt_reply_wait(replies[1], NULL), BT_NOT_FOUND);
    assert_int_equal(bt_reply_wait(replies[2], NULL), BT_NOT_FOUND);
    for (size_t i = 0; i < BT_COUNT(replies); i++)
        bt_reply_free(replies[i]);
    assert_int_equal(count(&bench, "SELECT count(*) FROM executions WHERE key=2"), 0);
    assert_int_equal(count(&bench, "SELECT count(*) FROM task_runs WHERE exec=2"), 0);
    assert_int_equal(count(&bench, "SELECT count(*) FROM task_runs WHERE exec=1"), 1);
    bench_done(&bench);
}

static int drop_logs(struct bench *bench, uint64_t key)
{
    struct bt_reply *reply = bt_reply_new();
    bt_runner_drop_logs(bench->runner, key, reply);
    settle(bench);
    int rc = bt_reply_wait(reply, NULL);
    bt_reply_free(reply);
    return rc;
}

/* Lines of what has ended can be removed, also again; the rest of it stays. */
static void test_drop_logs(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench);
    put_flow(&bench, NAP_FLOW);
    put_flow(&bench, "id: f\nnamespace: a\ntasks:\n  - {id: a, type: log, message: x}\n");
    create(&bench, "n", NULL);
    create(&bench, "f", NULL);
    create(&bench, "f", NULL);
    settle(&bench);
    assert_int_equal(drop_logs(&bench, 1), BT_CONFLICT); /* It sleeps. */
    assert_int_equal(drop_logs(&bench, 9), BT_NOT_FOUND);
    static const char put[] = "INSERT INTO log_chunks VALUES(2,0,1,4,1,1,1,0,5,'[]'),"
                              "(2,1,1,4,1,1,1,0,5,'[]'),(3,0,1,4,1,1,1,0,5,'[]')";
    assert_int_equal(bt_db_exec(&bench.db, put, NULL), BT_OK);
    bench.commit_fails = 1;
    assert_int_equal(drop_logs(&bench, 2), BT_IO); /* They stay. */
    bench.wall_us += 10000000;
    assert_int_equal(count(&bench, "SELECT count(*) FROM log_chunks WHERE exec=2"), 2);
    assert_int_equal(drop_logs(&bench, 2), BT_OK);
    assert_int_equal(drop_logs(&bench, 2), BT_OK);
    assert_int_equal(count(&bench, "SELECT count(*) FROM log_chunks WHERE exec=2"), 0);
    assert_int_equal(count(&bench, "SELECT count(*) FROM log_chunks WHERE exec=3"), 1);
    assert_int_equal(count(&bench, "SELECT count(*) FROM executions WHERE key=2"), 1);
    assert_int_equal(sqlite3_exec(bench.db.handle, bt_sql_recount, fail_recount, NULL, NULL),
                     SQLITE_OK);
    bench_done(&bench);
}

static void *post_all(void *data)
{
    struct poster *poster = data;
    static char text[LINE_BYTES];
    static struct bt_log_line lines[LINES];
    for (int i = 0; i < LINES; i++)
        lines[i] = (struct bt_log_line){.level = BT_LEVEL_INFO, .text = {text, LINE_BYTES}};
    for (int i = 0; i < MESSAGES; i++) {
        bt_runner_logs(poster->bench->runner, &poster->job, lines, LINES);
        poster->posted++;
    }
    return NULL;
}

/* While a commit hangs the inbox takes its bound and no more; then all of it comes. */
static void test_inbox_bound(void **state)
{
    (void)state;
    static struct bench bench;
    static struct poster poster;
    sem_t gate;
    bench_open(&bench);
    put_flow(&bench, JOB_FLOW);
    create(&bench, "j", NULL);
    settle(&bench);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    bench.gate = &gate;
    poster = (struct poster){.bench = &bench, .job = {.exec_key = 1, .taskrun = 1}};
    assert_int_equal(bt_runner_start(bench.runner, NULL), BT_OK);
    struct timespec moment = {0, 1000000};
    create(&bench, "j", NULL); /* The first batch, whose commit hangs. */
    while (bench.at_gate == 0)
        (void)pselect(0, NULL, NULL, NULL, &moment, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_all, &poster), 0);
    int last = -1;
    for (int still = 0; still < 10; still = poster.posted == last ? still + 1 : 0) {
        last = poster.posted;
        struct timespec wait = {0, 20000000};
        (void)pselect(0, NULL, NULL, NULL, &wait, NULL);
    }
    assert_true(last >= 60 && last <= 68); /* 64 MiB of 1 MB each. */
    for (int i = 0; i < MESSAGES + 10; i++)
        (void)sem_post(&gate);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(poster.posted, MESSAGES);
    bench_done(&bench);
    (void)sem_destroy(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_commit),   cmocka_unit_test(test_fair),
        cmocka_unit_test(test_budget),       cmocka_unit_test(test_timers),
        cmocka_unit_test(test_commit_fails), cmocka_unit_test(test_reload_fails),
        cmocka_unit_test(test_read_fails),   cmocka_unit_test(test_message_read_fails),
        cmocka_unit_test(test_recover),      cmocka_unit_test(test_absent),
        cmocka_unit_test(test_kill),         cmocka_unit_test(test_revisions),
        cmocka_unit_test(test_unknown_flow), cmocka_unit_test(test_thread),
        cmocka_unit_test(test_inbox_bound),  cmocka_unit_test(test_edits),
        cmocka_unit_test(test_drop_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
