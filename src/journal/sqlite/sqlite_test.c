/* sqlite_test.c — Goal: what a commit writes is what the operations read, all of it or nothing.
 * Method: one full batch through every operation of journal.h; batches whose last row cannot be
 * written. */
#include "journal/sqlite/sqlite.h"

#include "base/limits.h"
#include "base/vec.h"
#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct bench {
    struct bt_db db;
    struct bt_journal *journal;
    BT_VEC(uint64_t) seen; /* What an `each` was called with. */
};

static int open_bench(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    *state = &bench;
    return bt_db_open(":memory:", BT_DB_TEMPORARY, &bench.db, NULL) ||
           bt_journal_sqlite(&bench.db, &bench.journal, NULL);
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    bench->journal->ops->close(bench->journal);
    bt_db_close(&bench->db);
    bt_vec_done(&bench->seen);
    return 0;
}

static struct bt_exec *make_exec(uint64_t key)
{
    struct bt_exec *exec = bt_exec_new();
    assert_non_null(exec);
    exec->key = key;
    exec->id = bt_id_make((int64_t)key, key, key);
    (void)snprintf(exec->tenant, sizeof exec->tenant, "main");
    (void)snprintf(exec->namespace, sizeof exec->namespace, "a.b");
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "f");
    exec->next_n = 9;
    assert_int_equal(bt_histories_add(&exec->histories, 5, BT_CREATED), BT_OK);
    return exec;
}

static struct bt_taskrun *make_run(uint32_t n, uint32_t task, uint32_t parent, const char *value)
{
    struct bt_taskrun *run = bt_taskrun_new();
    assert_non_null(run);
    run->n = n;
    run->task = task;
    run->parent = parent;
    run->id = bt_id_make(1, n, n);
    run->value = value ? bt_value_cstr(value) : NULL;
    assert_int_equal(bt_histories_add(&run->histories, 5, BT_CREATED), BT_OK);
    return run;
}

static int commit(struct bench *bench, struct bt_batch batch)
{
    return bench->journal->ops->commit(bench->journal, &batch, NULL);
}

static void commit_exec(struct bench *bench, struct bt_exec *exec)
{
    const struct bt_exec *execs[] = {exec};
    assert_int_equal(commit(bench, (struct bt_batch){.execs = execs, .exec_count = 1}), BT_OK);
}

static int see_key(void *data, uint64_t key)
{
    struct bench *bench = data;
    bt_vec_push(&bench->seen, key);
    return BT_OK;
}

static void check_seen(struct bench *bench, size_t count, const uint64_t *want)
{
    assert_int_equal(bench->seen.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(bench->seen.items[i], want[i]);
    bench->seen.count = 0;
}

static void test_execs(void **state)
{
    struct bench *bench = *state;
    const struct bt_journal_ops *ops = bench->journal->ops;
    uint64_t key = 77;
    assert_int_equal(ops->last_key(bench->journal, &key, NULL), BT_OK);
    assert_int_equal(key, 0);
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *one = make_exec(1), *two = make_exec(2);
    const struct bt_exec *execs[] = {two, one};
    assert_int_equal(commit(bench, (struct bt_batch){.execs = execs, .exec_count = 2}), BT_OK);
    struct bt_exec *back = NULL;
    assert_int_equal(ops->exec(bench->journal, 1, &back, NULL), BT_OK);
    assert_int_equal(back->key, 1);
    assert_string_equal(back->id.text, one->id.text);
    back = bt_exec_free(back);
    assert_int_equal(ops->exec(bench->journal, 3, &back, NULL), BT_NOT_FOUND);
    assert_int_equal(ops->exec_key(bench->journal, "main", bt_id_str(&two->id), &key, NULL), BT_OK);
    assert_int_equal(key, 2);
    assert_int_equal(ops->exec_key(bench->journal, "other", bt_id_str(&two->id), &key, NULL),
                     BT_NOT_FOUND);
    assert_int_equal(ops->last_key(bench->journal, &key, NULL), BT_OK);
    assert_int_equal(key, 2);
    assert_int_equal(ops->live(bench->journal, see_key, bench, NULL), BT_OK);
    check_seen(bench, 2, (uint64_t[]){1, 2});
    /* Written again: replaced; drained: not live. */
    assert_int_equal(bt_histories_add(&one->histories, 9, BT_SUCCESS), BT_OK);
    one->state = BT_SUCCESS;
    one->is_drained = true;
    commit_exec(bench, one);
    assert_int_equal(ops->live(bench->journal, see_key, bench, NULL), BT_OK);
    check_seen(bench, 1, (uint64_t[]){2});
    assert_int_equal(ops->exec(bench->journal, 1, &back, NULL), BT_OK);
    assert_int_equal(back->state, BT_SUCCESS);
    bt_exec_free(back);
}

static int see_run(void *data, struct bt_taskrun *run)
{
    int rc = see_key(data, run->n);
    bt_taskrun_free(run);
    return rc;
}

static int stop_at_once(void *data, struct bt_taskrun *run)
{
    (void)see_run(data, run);
    return BT_ABORTED;
}

static void check_find(struct bench *bench, uint32_t task, uint32_t parent, const char *value,
                       uint32_t want)
{
    struct bt_taskrun *run = NULL;
    int rc =
        bench->journal->ops->find(bench->journal, 1, task, parent, bt_str_of(value), &run, NULL);
    assert_int_equal(rc, want ? BT_OK : BT_NOT_FOUND);
    assert_int_equal(run ? run->n : 0, want);
    bt_taskrun_free(run);
}

static void test_runs(void **state)
{
    struct bench *bench = *state;
    const struct bt_journal_ops *ops = bench->journal->ops;
    struct bt_taskrun *runs[] = {make_run(1, 4, 0, NULL), make_run(2, 5, 1, "x"),
                                 make_run(3, 5, 1, "y"), make_run(4, 5, 1, "x"),
                                 make_run(5, 5, 2, "x")};
    struct bt_run_row rows[5];
    for (size_t i = 0; i < 5; i++)
        rows[i] = (struct bt_run_row){1, runs[4 - i], "t"};
    assert_int_equal(commit(bench, (struct bt_batch){.runs = rows, .run_count = 5}), BT_OK);
    struct bt_taskrun *back = NULL;
    assert_int_equal(ops->taskrun(bench->journal, 1, 3, &back, NULL), BT_OK);
    assert_true(bt_str_is(bt_value_str(back->value), "y"));
    back = bt_taskrun_free(back);
    assert_int_equal(ops->taskrun(bench->journal, 1, 6, &back, NULL), BT_NOT_FOUND);
    assert_int_equal(ops->taskrun(bench->journal, 2, 1, &back, NULL), BT_NOT_FOUND);
    check_find(bench, 5, 1, "x", 4); /* The newest. */
    check_find(bench, 5, 1, "y", 3);
    check_find(bench, 5, 1, "z", 0);
    check_find(bench, 5, 1, "", 0);
    check_find(bench, 4, 0, "", 1);
    check_find(bench, 5, 2, "x", 5);
    assert_int_equal(ops->list(bench->journal, 1, 5, 1, see_run, bench, NULL), BT_OK);
    check_seen(bench, 3, (uint64_t[]){2, 3, 4});
    assert_int_equal(ops->list(bench->journal, 1, 5, 1, stop_at_once, bench, NULL), BT_ABORTED);
    check_seen(bench, 1, (uint64_t[]){2});
    assert_int_equal(ops->list(bench->journal, 1, 9, 9, see_run, bench, NULL), BT_OK);
    check_seen(bench, 0, NULL);
    /* Written again: the state and the record change. */
    assert_int_equal(bt_histories_add(&runs[0]->histories, 9, BT_RUNNING), BT_OK);
    runs[0]->state = BT_RUNNING;
    assert_int_equal(commit(bench, (struct bt_batch){.runs = &rows[4], .run_count = 1}), BT_OK);
    assert_int_equal(ops->taskrun(bench->journal, 1, 1, &back, NULL), BT_OK);
    assert_int_equal(back->state, BT_RUNNING);
    bt_taskrun_free(back);
    for (size_t i = 0; i < 5; i++)
        bt_taskrun_free(runs[i]);
}

static void test_values(void **state)
{
    struct bench *bench = *state;
    BT_VALUE list = NULL, *back = NULL;
    assert_int_equal(bt_json_parse(BT_STR("[\"a\",\"\\u00e9\",\"\"]"), NULL, &list, NULL), BT_OK);
    struct bt_values_row row = {7, 3, list};
    assert_int_equal(commit(bench, (struct bt_batch){.values = &row, .values_count = 1}), BT_OK);
    assert_int_equal(bench->journal->ops->values(bench->journal, 7, 3, &back, NULL), BT_OK);
    assert_true(bt_value_equal(list, back));
    BT_VALUE none = NULL;
    assert_int_equal(bench->journal->ops->values(bench->journal, 7, 4, &none, NULL), BT_NOT_FOUND);
}

static int see_timer(void *data, const struct bt_timer *timer)
{
    return see_key(data, (uint64_t)timer->due_us);
}

static void check_due(struct bench *bench, int64_t now_us, size_t cap, size_t want, int64_t next_us)
{
    struct bt_timer timers[8];
    size_t count = cap;
    int64_t next = -1;
    assert_int_equal(bench->journal->ops->due(bench->journal, now_us, timers, &count, &next, NULL),
                     BT_OK);
    assert_int_equal(count, want);
    assert_int_equal(next, next_us);
    for (size_t i = 0; i < count; i++) {
        assert_true(timers[i].due_us <= now_us);
        assert_true(i == 0 || timers[i - 1].due_us <= timers[i].due_us);
    }
}

static void test_timers(void **state)
{
    struct bench *bench = *state;
    check_due(bench, 1000, 8, 0, INT64_MAX);
    struct bt_timer timers[] = {{1, 1, BT_TIMER_SLEEP, 30},
                                {1, 2, BT_TIMER_SLEEP, 10},
                                {1, 2, BT_TIMER_RETRY, 20},
                                {2, 1, BT_TIMER_TIMEOUT, 40}};
    assert_int_equal(commit(bench, (struct bt_batch){.timers_set = timers, .timers_set_count = 4}),
                     BT_OK);
    check_due(bench, 9, 8, 0, 10);
    check_due(bench, 10, 8, 1, 20);
    check_due(bench, 39, 8, 3, 40);
    check_due(bench, 40, 8, 4, INT64_MAX);
    check_due(bench, 40, 2, 2, 40); /* There are more: at once again. */
    assert_int_equal(bench->journal->ops->timers_of(bench->journal, 1, see_timer, bench, NULL),
                     BT_OK);
    assert_int_equal(bench->seen.count, 3);
    bench->seen.count = 0;
    /* Clearing comes before setting; setting replaces one of the same kind. */
    struct bt_timer again = {1, 1, BT_TIMER_SLEEP, 50};
    assert_int_equal(commit(bench, (struct bt_batch){.timers_clear = timers,
                                                     .timers_clear_count = 2,
                                                     .timers_set = &again,
                                                     .timers_set_count = 1}),
                     BT_OK);
    check_due(bench, 100, 8, 3, INT64_MAX);
    again.due_us = 60;
    assert_int_equal(commit(bench, (struct bt_batch){.timers_set = &again, .timers_set_count = 1}),
                     BT_OK);
    check_due(bench, 59, 8, 2, 60);
}

static int see_job(void *data, const struct bt_job_row *row)
{
    return see_key(data, row->exec * 1000000 + row->taskrun * 1000 + row->token);
}

static void test_jobs(void **state)
{
    struct bench *bench = *state;
    struct bt_job_row rows[] = {{2, 1, 5}, {1, 2, 6}, {1, 1, INT64_MAX}};
    assert_int_equal(commit(bench, (struct bt_batch){.jobs_set = rows, .jobs_set_count = 2}),
                     BT_OK);
    assert_int_equal(bench->journal->ops->jobs(bench->journal, see_job, bench, NULL), BT_OK);
    check_seen(bench, 2, (uint64_t[]){1002006, 2001005});
    /* An old token clears nothing; a new one of the same run replaces. */
    struct bt_job_row old = {1, 2, 7}, new = {1, 2, 8};
    assert_int_equal(commit(bench, (struct bt_batch){.jobs_clear = &old,
                                                     .jobs_clear_count = 1,
                                                     .jobs_set = &new,
                                                     .jobs_set_count = 1}),
                     BT_OK);
    assert_int_equal(commit(bench, (struct bt_batch){.jobs_clear = &old, .jobs_clear_count = 1}),
                     BT_OK);
    assert_int_equal(bench->journal->ops->jobs(bench->journal, see_job, bench, NULL), BT_OK);
    check_seen(bench, 2, (uint64_t[]){1002008, 2001005});
    assert_int_equal(commit(bench, (struct bt_batch){.jobs_clear = &new, .jobs_clear_count = 1}),
                     BT_OK);
    assert_int_equal(bench->journal->ops->jobs(bench->journal, see_job, bench, NULL), BT_OK);
    check_seen(bench, 1, (uint64_t[]){2001005});
}

static int see_event(void *data, struct bt_event_row *row)
{
    int rc = see_key(data, row->id * 100 + row->event.kind);
    assert_int_equal(row->exec, 4);
    bt_event_done(&row->event);
    return rc;
}

static void test_events(void **state)
{
    struct bench *bench = *state;
    struct bt_event_row rows[] = {{9, 4, {.kind = BT_EVENT_RESULT, .error = bt_value_cstr("x")}},
                                  {2, 4, {.kind = BT_EVENT_OPEN}}};
    assert_int_equal(commit(bench, (struct bt_batch){.events_put = rows, .events_put_count = 2}),
                     BT_OK);
    bt_event_done(&rows[0].event);
    assert_int_equal(bench->journal->ops->events(bench->journal, see_event, bench, NULL), BT_OK);
    check_seen(bench, 2, (uint64_t[]){200 + BT_EVENT_OPEN, 900 + BT_EVENT_RESULT});
    uint64_t drop[] = {9, 77};
    assert_int_equal(commit(bench, (struct bt_batch){.events_drop = drop, .events_drop_count = 2}),
                     BT_OK);
    assert_int_equal(bench->journal->ops->events(bench->journal, see_event, bench, NULL), BT_OK);
    check_seen(bench, 1, (uint64_t[]){200 + BT_EVENT_OPEN});
}

static void test_flows_logs_now(void **state)
{
    struct bench *bench = *state;
    const struct bt_journal_ops *ops = bench->journal->ops;
    uint64_t number = 7;
    assert_int_equal(ops->last_now(bench->journal, &number, NULL), BT_OK);
    assert_int_equal(number, 0);
    assert_int_equal(ops->log_lines(bench->journal, 1, &number, NULL), BT_OK);
    assert_int_equal(number, 0);
    struct bt_flow_row flows[] = {{"main", "a", "f", 1, BT_STR("one"), 5, false},
                                  {"main", "a", "f", 2, BT_STR("two"), 6, false}};
    struct bt_log_chunk chunks[] = {{.exec = 1, .first_line = 0, .lines = 10, .length = 5},
                                    {.exec = 1, .first_line = 10, .lines = 7, .length = 5},
                                    {.exec = 2, .first_line = 0, .lines = 1, .length = 5}};
    assert_int_equal(commit(bench, (struct bt_batch){.now_us = 123456789,
                                                     .flows = flows,
                                                     .flow_count = 2,
                                                     .chunks = chunks,
                                                     .chunk_count = 3}),
                     BT_OK);
    assert_int_equal(ops->last_now(bench->journal, &number, NULL), BT_OK);
    assert_int_equal(number, 123456789);
    assert_int_equal(ops->log_lines(bench->journal, 1, &number, NULL), BT_OK);
    assert_int_equal(number, 17);
    static const struct {
        const char *id;
        uint32_t ask, want;
        const char *source;
    } asks[] = {{"f", 0, 2, "two"}, {"f", 1, 1, "one"}, {"f", 3, 0, NULL}, {"g", 0, 0, NULL}};
    for (size_t i = 0; i < BT_COUNT(asks); i++) {
        BT_VALUE source = NULL;
        uint32_t revision = asks[i].ask;
        int rc = ops->flow(bench->journal, "main", "a", asks[i].id, &revision, &source, NULL);
        assert_int_equal(rc, asks[i].want ? BT_OK : BT_NOT_FOUND);
        if (asks[i].want) {
            assert_int_equal(revision, asks[i].want);
            assert_true(bt_str_is(bt_value_str(source), asks[i].source));
        }
    }
}

/* The last row of a batch cannot be written: nothing of it is there, and the next one goes. */
static void test_atomic(void **state)
{
    struct bench *bench = *state;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *one = make_exec(1), *back = NULL;
    const struct bt_exec *execs[] = {one};
    struct bt_timer timer = {1, 1, BT_TIMER_SLEEP, 30};
    struct bt_job_row job = {1, 1, 5};
    struct bt_event_row events[] = {{1, 1, {.kind = BT_EVENT_OPEN}},
                                    {1, 1, {.kind = BT_EVENT_OPEN}}};
    struct bt_log_chunk chunks[] = {{.exec = 1, .length = 5}, {.exec = 1, .length = 5}};
    struct bt_flow_row flow = {"main", "a", "f", 1, BT_STR("one"), 5, false};
    struct bt_batch batch = {.now_us = 9,
                             .execs = execs,
                             .exec_count = 1,
                             .timers_set = &timer,
                             .timers_set_count = 1,
                             .jobs_set = &job,
                             .jobs_set_count = 1,
                             .events_put = events,
                             .events_put_count = 2,
                             .flows = &flow,
                             .flow_count = 1}; /* Two events of one id. */
    struct bt_err err = BT_ERR_INIT;
    assert_true(bench->journal->ops->commit(bench->journal, &batch, &err) < 0);
    assert_true(err.msg[0]);
    batch.events_put_count = 0;
    batch.chunks = chunks; /* Two chunks of one line. */
    batch.chunk_count = 2;
    assert_true(bench->journal->ops->commit(bench->journal, &batch, &err) < 0);
    uint64_t number = 7;
    assert_int_equal(bench->journal->ops->exec(bench->journal, 1, &back, NULL), BT_NOT_FOUND);
    check_due(bench, 1000, 8, 0, INT64_MAX);
    assert_int_equal(bench->journal->ops->jobs(bench->journal, see_job, bench, NULL), BT_OK);
    check_seen(bench, 0, NULL);
    assert_int_equal(bench->journal->ops->log_lines(bench->journal, 1, &number, NULL), BT_OK);
    assert_int_equal(number, 0);
    assert_int_equal(bench->journal->ops->last_now(bench->journal, &number, NULL), BT_OK);
    assert_int_equal(number, 0);
    batch.chunk_count = 1;
    assert_int_equal(commit(bench, batch), BT_OK);
    assert_int_equal(bench->journal->ops->exec(bench->journal, 1, &back, NULL), BT_OK);
}

/* Records of a newer program or none at all are refused, and the reading goes on after. */
static void test_unreadable(void **state)
{
    struct bench *bench = *state;
    const struct bt_journal_ops *ops = bench->journal->ops;
    BT_CLEANUP(bt_exec_free_p)
    struct bt_exec *one = make_exec(1), *two = make_exec(2), *back = NULL;
    commit_exec(bench, one);
    commit_exec(bench, two);
    assert_int_equal(bt_db_exec(&bench->db,
                                "UPDATE executions SET record='{\"v\":2}' WHERE key=1;"
                                "INSERT INTO task_runs VALUES(1,1,'t',4,0,'','CREATED','{');"
                                "INSERT INTO iteration_values VALUES(1,1,'[');"
                                "INSERT INTO events VALUES(1,1,'{\"v\":1,\"e\":99}')",
                                NULL),
                     BT_OK);
    struct bt_taskrun *run = NULL;
    BT_VALUE values = NULL;
    assert_int_equal(ops->exec(bench->journal, 1, &back, NULL), BT_CORRUPT);
    assert_int_equal(ops->taskrun(bench->journal, 1, 1, &run, NULL), BT_CORRUPT);
    assert_int_equal(ops->find(bench->journal, 1, 4, 0, BT_STR_NONE, &run, NULL), BT_CORRUPT);
    assert_int_equal(ops->list(bench->journal, 1, 4, 0, see_run, bench, NULL), BT_CORRUPT);
    assert_int_equal(ops->values(bench->journal, 1, 1, &values, NULL), BT_CORRUPT);
    assert_int_equal(ops->events(bench->journal, see_event, bench, NULL), BT_CORRUPT);
    assert_int_equal(ops->exec(bench->journal, 2, &back, NULL), BT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_execs, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_runs, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_values, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_timers, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_jobs, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_events, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_flows_logs_now, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_atomic, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_unreadable, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
