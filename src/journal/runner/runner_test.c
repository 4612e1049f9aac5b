/* runner_test.c — Goal: a batch is committed once, fairly, or not at all; nothing acknowledged is
 * lost whatever fails. Method: the runner turned by hand over SQLite in memory behind a journal
 * that fails on demand, with a clock of its own; the thread and the inbox's bound at the end. */
#include "journal/runner/runner_int.h"
#include "journal/sqlite/sqlite.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/select.h>

#include <cmocka.h>

struct bench {
    struct bt_journal journal; /* First; hands on to inner. */
    struct bt_journal *inner;
    struct bt_db db;
    struct bt_runner *runner;
    struct bt_flow *flow;
    int64_t wall_us;
    int commit_fails, exec_fails, events_fail, taskrun_fails, due_fails; /* So many times. */
    sem_t *gate; /* A commit waits for it. */
    BT_VEC(struct bt_job *) jobs;
    BT_VEC(uint64_t) kills;
    size_t troubles, changes, commits;
    char order[65536]; /* A letter (the flow's id) per RUN change heard. */
    size_t order_len;
};

static struct bench *bench_of(struct bt_journal *journal)
{
    return (struct bench *)journal;
}

static int64_t clock_now(void *data)
{
    return ((struct bench *)data)->wall_us;
}

static int fails(int *times, struct bt_err *err)
{
    if (*times <= 0)
        return BT_OK;
    (*times)--;
    return bt_fail(err, BT_IO, "simulated");
}

static int b_commit(struct bt_journal *j, const struct bt_batch *batch, struct bt_err *err)
{
    struct bench *bench = bench_of(j);
    if (bench->gate)
        (void)sem_wait(bench->gate);
    BT_TRY(fails(&bench->commit_fails, err));
    bench->commits++;
    return bench->inner->ops->commit(bench->inner, batch, err);
}
static int b_exec(struct bt_journal *j, uint64_t key, struct bt_exec **ret, struct bt_err *err)
{
    BT_TRY(fails(&bench_of(j)->exec_fails, err));
    return bench_of(j)->inner->ops->exec(bench_of(j)->inner, key, ret, err);
}
static int b_taskrun(struct bt_journal *j, uint64_t exec, uint32_t n, struct bt_taskrun **ret,
                     struct bt_err *err)
{
    BT_TRY(fails(&bench_of(j)->taskrun_fails, err));
    return bench_of(j)->inner->ops->taskrun(bench_of(j)->inner, exec, n, ret, err);
}
static int b_find(struct bt_journal *j, uint64_t exec, uint32_t task, uint32_t parent,
                  struct bt_str value, struct bt_taskrun **ret, struct bt_err *err)
{
    return bench_of(j)->inner->ops->find(bench_of(j)->inner, exec, task, parent, value, ret, err);
}
static int b_list(struct bt_journal *j, uint64_t exec, uint32_t task, uint32_t parent,
                  int (*each)(void *, struct bt_taskrun *), void *data, struct bt_err *err)
{
    return bench_of(j)->inner->ops->list(bench_of(j)->inner, exec, task, parent, each, data, err);
}
static int b_values(struct bt_journal *j, uint64_t exec, uint32_t n, struct bt_value **ret,
                    struct bt_err *err)
{
    return bench_of(j)->inner->ops->values(bench_of(j)->inner, exec, n, ret, err);
}
static int b_due(struct bt_journal *j, int64_t now, struct bt_timer *timers, size_t *count,
                 int64_t *next, struct bt_err *err)
{
    BT_TRY(fails(&bench_of(j)->due_fails, err));
    return bench_of(j)->inner->ops->due(bench_of(j)->inner, now, timers, count, next, err);
}
static int b_timers_of(struct bt_journal *j, uint64_t exec,
                       int (*each)(void *, const struct bt_timer *), void *data, struct bt_err *err)
{
    return bench_of(j)->inner->ops->timers_of(bench_of(j)->inner, exec, each, data, err);
}
static int b_events(struct bt_journal *j, int (*each)(void *, struct bt_event_row *), void *data,
                    struct bt_err *err)
{
    BT_TRY(fails(&bench_of(j)->events_fail, err));
    return bench_of(j)->inner->ops->events(bench_of(j)->inner, each, data, err);
}
static int b_jobs(struct bt_journal *j, int (*each)(void *, const struct bt_job_row *), void *data,
                  struct bt_err *err)
{
    return bench_of(j)->inner->ops->jobs(bench_of(j)->inner, each, data, err);
}
static int b_last_key(struct bt_journal *j, uint64_t *ret, struct bt_err *err)
{
    return bench_of(j)->inner->ops->last_key(bench_of(j)->inner, ret, err);
}
static int b_last_now(struct bt_journal *j, uint64_t *ret, struct bt_err *err)
{
    return bench_of(j)->inner->ops->last_now(bench_of(j)->inner, ret, err);
}
static int b_log_lines(struct bt_journal *j, uint64_t exec, uint64_t *ret, struct bt_err *err)
{
    return bench_of(j)->inner->ops->log_lines(bench_of(j)->inner, exec, ret, err);
}
static int b_flow(struct bt_journal *j, const char *tenant, const char *ns, const char *id,
                  uint32_t *revision, struct bt_value **ret, struct bt_err *err)
{
    return bench_of(j)->inner->ops->flow(bench_of(j)->inner, tenant, ns, id, revision, ret, err);
}
static const struct bt_journal_ops bench_ops = {
    .commit = b_commit,
    .exec = b_exec,
    .taskrun = b_taskrun,
    .find = b_find,
    .list = b_list,
    .values = b_values,
    .due = b_due,
    .timers_of = b_timers_of,
    .events = b_events,
    .jobs = b_jobs,
    .last_key = b_last_key,
    .last_now = b_last_now,
    .log_lines = b_log_lines,
    .flow = b_flow,
};

/* --- The bench ---------------------------------------------------------------------------------
 */

static void on_submit(void *data, struct bt_job *job)
{
    struct bench *bench = data;
    bt_vec_push(&bench->jobs, job);
}

static void on_kill_job(void *data, uint64_t token)
{
    struct bench *bench = data;
    bt_vec_push(&bench->kills, token);
}

static void on_changes(void *data, const struct bt_change *changes, size_t count)
{
    struct bench *bench = data;
    bench->changes += count;
    for (size_t i = 0; i < count; i++)
        if (changes[i].kind == BT_CHANGE_RUN && bench->order_len < sizeof bench->order)
            bench->order[bench->order_len++] = changes[i].flow->id[0];
}

static void on_trouble(void *data, const struct bt_err *err)
{
    struct bench *bench = data;
    assert_true(err->msg[0] != '\0');
    bench->troubles++;
}

static void start_runner(struct bench *bench)
{
    static struct bt_clock clock;
    clock = (struct bt_clock){clock_now, clock_now, bench};
    struct bt_runner_config config = {.journal = &bench->journal,
                                      .clock = &clock,
                                      .seed = 5,
                                      .dispatcher = {bench, on_submit, on_kill_job},
                                      .listener = {bench, on_changes, on_trouble}};
    assert_int_equal(bt_runner_new(&config, &bench->runner, NULL), BT_OK);
    assert_int_equal(bt_runner_recover(bench->runner, NULL), BT_OK);
}

static void bench_open(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    bench->journal.ops = &bench_ops;
    bench->wall_us = 1000000000;
    assert_int_equal(bt_db_open(":memory:", BT_DB_TEMPORARY, &bench->db, NULL), BT_OK);
    assert_int_equal(bt_journal_sqlite(&bench->db, &bench->inner, NULL), BT_OK);
    start_runner(bench);
}

static void free_jobs(struct bench *bench)
{
    for (size_t i = 0; i < bench->jobs.count; i++)
        bt_job_free(bench->jobs.items[i]);
    bench->jobs.count = 0;
}

static void bench_done(struct bench *bench)
{
    bt_runner_free(bench->runner);
    free_jobs(bench);
    bt_vec_done(&bench->jobs);
    bt_vec_done(&bench->kills);
    bench->inner->ops->close(bench->inner);
    bt_db_close(&bench->db);
}

/* The process dies and comes back. */
static void restart(struct bench *bench)
{
    bt_runner_free(bench->runner);
    free_jobs(bench);
    start_runner(bench);
}

static void settle(struct bench *bench)
{
    int64_t wake_us;
    for (int i = 0; i < 1000 && bt_runner_turn(bench->runner, &wake_us); i++)
        continue;
}

static struct bt_flow *parse(const char *source)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    if (bt_flow_parse(bt_str_of(source), &flow, &diags) < 0)
        fail_msg("%s", diags.items[0].msg);
    bt_diags_done(&diags);
    return flow;
}

static void put_flow(struct bench *bench, const char *source)
{
    struct bt_flow *flow = parse(source);
    assert_int_equal(bt_runner_put_flow(bench->runner, "main", flow, NULL), BT_OK);
    settle(bench);
    bt_flow_unref(flow);
}

static void create(struct bench *bench, const char *id, struct bt_reply *reply)
{
    struct bt_exec *exec = bt_exec_new();
    assert_non_null(exec);
    (void)snprintf(exec->tenant, sizeof exec->tenant, "main");
    (void)snprintf(exec->namespace, sizeof exec->namespace, "a");
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "%s", id);
    exec->revision = 1;
    assert_int_equal(bt_runner_create(bench->runner, exec, reply), BT_OK);
}

static int64_t count(struct bench *bench, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(bench->db.handle, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return number;
}

static void check_state(struct bench *bench, uint64_t key, enum bt_state state)
{
    struct bt_exec *exec = NULL;
    assert_int_equal(bench->inner->ops->exec(bench->inner, key, &exec, NULL), BT_OK);
    assert_string_equal(bt_state_name(exec->state), bt_state_name(state));
    bt_exec_free(exec);
}

static void check_empty(struct bench *bench)
{
    assert_int_equal(count(bench, "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM "
                                  "jobs) + (SELECT count(*) FROM timers)"),
                     0);
    assert_int_equal(count(bench, "SELECT count(*) FROM executions WHERE is_drained=0"), 0);
}

static void finish_job(struct bench *bench, enum bt_state state)
{
    assert_true(bench->jobs.count > 0);
    struct bt_job *job = bench->jobs.items[--bench->jobs.count];
    struct bt_job_result result = {.exec_key = job->exec_key,
                                   .taskrun = job->taskrun,
                                   .token = job->token,
                                   .state = state,
                                   .started_us = bench->wall_us,
                                   .ended_us = bench->wall_us};
    bt_runner_started(bench->runner, job, bench->wall_us);
    bt_runner_result(bench->runner, &result);
    bt_job_free(job);
}

#define JOB_FLOW "id: j\nnamespace: a\ntasks:\n  - {id: t, type: shell, commands: [x]}\n"
#define NAP_FLOW "id: n\nnamespace: a\ntasks:\n  - {id: t, type: sleep, duration: PT10S}\n"

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
        int *const faults[] = {&bench.exec_fails, &bench.taskrun_fails, &bench.due_fails,
                               &bench.commit_fails};
        *faults[which] = 2;
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
    assert_int_equal(bench.inner->ops->find(bench.inner, 1, 4, 0, BT_STR_NONE, &run, NULL), BT_OK);
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
    (void)bt_runner_put_flow(bench->runner, "main", flow, reply);
    if (!is_settled) {
        (void)bt_runner_put_flow(bench->runner, "main", flow, NULL);
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
    (void)bt_runner_put_flow(bench.runner, "main", five, one);
    (void)bt_runner_put_flow(bench.runner, "main", six, two);
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
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_all, &poster), 0);
    int last = -1;
    for (int still = 0; still < 5; still = poster.posted == last ? still + 1 : 0) {
        last = poster.posted;
        struct timespec wait = {0, 20000000};
        (void)pselect(0, NULL, NULL, NULL, &wait, NULL);
    }
    assert_true(last >= 64 && last <= 69); /* 64 MiB of 1 MB each, and the first batch. */
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
        cmocka_unit_test(test_inbox_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
