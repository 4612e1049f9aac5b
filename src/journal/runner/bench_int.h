/* bench_int.h — A runner turned by hand over SQLite in memory, behind a journal that fails on
 * demand, with a clock of its own. Only for the tests of this room; must never be in the program.
 */
#pragma once
#include "journal/runner/runner_int.h"
#include "journal/sqlite/sqlite.h"
#include "store/sqlite/rollups.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/select.h>

#include <cmocka.h>

struct bench {
    struct bt_journal *journal;
    const struct bt_journal_ops *real;
    struct bt_journal_ops ops; /* The real ones, those that may fail replaced. */
    struct bt_db db;
    struct bt_runner *runner;
    struct bt_files *files; /* NULL: none. */
    struct bt_flow *flow;
    int64_t wall_us;
    int commit_fails, exec_fails, events_fail, taskrun_fails, jobs_fail; /* So many times. */
    sem_t *gate;         /* A commit waits for it. */
    _Atomic int at_gate; /* Commits that have come to it. */
    BT_VEC(struct bt_job *) jobs;
    BT_VEC(uint64_t) kills;
    size_t troubles, changes, commits;
    char order[65536]; /* A letter (the flow's id) per RUN change heard. */
    size_t order_len;
};

static struct bench *the; /* The one that the operations below are about. */

static int64_t clock_now(void *data)
{
    return ((struct bench *)data)->wall_us;
}

static inline int fails(int *times, struct bt_err *err)
{
    if (*times <= 0)
        return BT_OK;
    (*times)--;
    return bt_fail(err, BT_IO, "simulated");
}

static inline int b_commit(struct bt_journal *j, const struct bt_batch *batch, struct bt_err *err)
{
    (void)j;
    if (the->gate) {
        the->at_gate++;
        (void)sem_wait(the->gate);
    }
    BT_TRY(fails(&the->commit_fails, err));
    the->commits++;
    return the->real->commit(j, batch, err);
}

static inline int b_exec(struct bt_journal *j, uint64_t key, struct bt_exec **ret,
                         struct bt_err *err)
{
    BT_TRY(fails(&the->exec_fails, err));
    return the->real->exec(j, key, ret, err);
}

static inline int b_taskrun(struct bt_journal *j, uint64_t exec, uint32_t n,
                            struct bt_taskrun **ret, struct bt_err *err)
{
    BT_TRY(fails(&the->taskrun_fails, err));
    return the->real->taskrun(j, exec, n, ret, err);
}

/* The parameters are those of struct bt_journal_ops. */
static inline int b_events(struct bt_journal *j, int (*each)(void *, struct bt_event_row *),
                           void *data, struct bt_err *err)
{
    BT_TRY(fails(&the->events_fail, err));
    return the->real->events(j, each, data, err);
}

static inline int b_jobs(struct bt_journal *j, int (*each)(void *, const struct bt_job_row *),
                         void *data, struct bt_err *err)
{
    BT_TRY(fails(&the->jobs_fail, err));
    return the->real->jobs(j, each, data, err);
}

/* The real journal, whose table of operations has some replaced. */
static inline void make_faulty(struct bench *bench)
{
    the = bench;
    bench->real = bench->journal->ops;
    bench->ops = *bench->real;
    bench->ops.commit = b_commit;
    bench->ops.exec = b_exec;
    bench->ops.taskrun = b_taskrun;
    bench->ops.events = b_events;
    bench->ops.jobs = b_jobs;
    bench->journal->ops = &bench->ops;
}

/* --- The bench ---------------------------------------------------------------------------------
 */

static inline void on_submit(void *data, struct bt_job *job)
{
    struct bench *bench = data;
    bt_vec_push(&bench->jobs, job);
}

static inline void on_kill_job(void *data, uint64_t token)
{
    struct bench *bench = data;
    bt_vec_push(&bench->kills, token);
}

static inline void on_changes(void *data, const struct bt_change *changes, size_t count)
{
    struct bench *bench = data;
    bench->changes += count;
    for (size_t i = 0; i < count; i++)
        if (changes[i].kind == BT_CHANGE_RUN && bench->order_len < sizeof bench->order)
            bench->order[bench->order_len++] = changes[i].flow->id[0];
}

static inline void on_trouble(void *data, const struct bt_err *err)
{
    struct bench *bench = data;
    assert_true(err->msg[0] != '\0');
    bench->troubles++;
}

static inline void start_runner(struct bench *bench)
{
    static struct bt_clock clock;
    clock = (struct bt_clock){clock_now, clock_now, bench};
    struct bt_runner_config config = {
        .journal = bench->journal,
        .clock = &clock,
        .seed = 5,
        .files = bench->files,
        .dispatcher = {.data = bench, .submit = on_submit, .kill = on_kill_job},
        .listener = {bench, on_changes, on_trouble}};
    assert_int_equal(bt_runner_new(&config, &bench->runner, NULL), BT_OK);
    assert_int_equal(bt_runner_recover(bench->runner, NULL), BT_OK);
}

static inline void bench_open(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    bench->wall_us = 1000000000;
    assert_int_equal(bt_db_open(":memory:", BT_DB_TEMPORARY, &bench->db, NULL), BT_OK);
    assert_int_equal(bt_journal_sqlite(&bench->db, &bench->journal, NULL), BT_OK);
    make_faulty(bench);
    start_runner(bench);
}

static inline void free_jobs(struct bench *bench)
{
    for (size_t i = 0; i < bench->jobs.count; i++)
        bt_job_free(bench->jobs.items[i]);
    bench->jobs.count = 0;
}

static inline void bench_done(struct bench *bench)
{
    bt_runner_free(bench->runner);
    free_jobs(bench);
    bt_vec_done(&bench->jobs);
    bt_vec_done(&bench->kills);
    bench->real->close(bench->journal);
    bt_db_close(&bench->db);
}

/* The process dies and comes back. */
static inline void restart(struct bench *bench)
{
    bt_runner_free(bench->runner);
    free_jobs(bench);
    start_runner(bench);
}

static inline void settle(struct bench *bench)
{
    int64_t wake_us;
    for (int i = 0; i < 1000 && bt_runner_turn(bench->runner, &wake_us); i++)
        continue;
}

static inline struct bt_flow *parse(const char *source)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    if (bt_flow_parse(bt_str_of(source), &flow, &diags) < 0)
        fail_msg("%s", diags.items[0].msg);
    bt_diags_done(&diags);
    return flow;
}

static inline void put_flow(struct bench *bench, const char *source)
{
    struct bt_flow *flow = parse(source);
    assert_int_equal(bt_runner_put_flow(bench->runner, "main", flow, BT_PUT_ANY, NULL), BT_OK);
    settle(bench);
    bt_flow_unref(flow);
}

static inline void create(struct bench *bench, const char *id, struct bt_reply *reply)
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

static inline void check_state(struct bench *bench, uint64_t key, enum bt_state state)
{
    struct bt_exec *exec = NULL;
    assert_int_equal(bench->real->exec(bench->journal, key, &exec, NULL), BT_OK);
    assert_string_equal(bt_state_name(exec->state), bt_state_name(state));
    bt_exec_free(exec);
}

static int fail_recount(void *data, int count, char **texts, char **names)
{
    (void)data;
    (void)count;
    (void)names;
    fail_msg("counter %s/%s/%s/%s differs from a recount", texts[0], texts[1], texts[2], texts[3]);
    return 0;
}

static inline void check_empty(struct bench *bench)
{
    assert_int_equal(count(bench, "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM "
                                  "jobs) + (SELECT count(*) FROM timers)"),
                     0);
    assert_int_equal(count(bench, "SELECT count(*) FROM executions WHERE is_drained=0"), 0);
    assert_int_equal(sqlite3_exec(bench->db.handle, bt_sql_recount, fail_recount, NULL, NULL),
                     SQLITE_OK);
}

static inline void finish_job(struct bench *bench, enum bt_state state)
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
