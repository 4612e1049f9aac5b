/* bench_engine.c — The engine alone, the durable runner against a bare loop, and chains. */
#include "bench.h"

#include "base/vec.h"
#include "journal/runner/runner.h"
#include "journal/sqlite/sqlite.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- A journal that keeps nothing ------------------------------------------------------------- */

static int null_commit(struct bt_journal *journal, const struct bt_batch *batch, struct bt_err *err)
{
    (void)journal;
    (void)batch;
    (void)err;
    return BT_OK;
}

static int null_flow(struct bt_journal *journal, const char *tenant, const char *namespace,
                     const char *id, uint32_t *revision, struct bt_value **ret_source,
                     struct bt_err *err)
{
    (void)journal;
    (void)tenant;
    (void)namespace;
    (void)id;
    (void)revision;
    (void)ret_source;
    return bt_fail(err, BT_NOT_FOUND, "none");
}

static int null_due(struct bt_journal *journal, int64_t now_us, struct bt_timer *timers,
                    size_t *count, int64_t *ret_next_us, struct bt_err *err)
{
    (void)journal;
    (void)now_us;
    (void)timers;
    (void)err;
    *count = 0;
    *ret_next_us = INT64_MAX;
    return BT_OK;
}

static const struct bt_journal_ops null_ops = {
    .commit = null_commit, .flow = null_flow, .due = null_due};

/* --- Counting ended executions ---------------------------------------------------------------- */

static size_t ended_count;

static void count_ended(void *data, const struct bt_change *changes, size_t count)
{
    (void)data;
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind != BT_CHANGE_EXEC || !changes[i].exec->is_drained)
            continue;
        assert(changes[i].exec->state == BT_SUCCESS);
        ended_count++;
    }
}

static struct bt_flow *make_flow(const char *source)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    int rc = bt_flow_parse(bt_str_of(source), &flow, &diags);
    for (size_t i = 0; i < diags.count; i++)
        (void)fprintf(stderr, "%u:%u %s\n", diags.items[i].at.line, diags.items[i].at.col,
                      diags.items[i].msg);
    assert(rc == BT_OK);
    bt_diags_done(&diags);
    return flow;
}

static struct bt_runner *make_runner(struct bt_journal *journal, struct bt_logs *logs)
{
    struct bt_runner_config config = {.journal = journal,
                                      .logs = logs,
                                      .clock = bt_clock_system(),
                                      .seed = 42,
                                      .listener = {.changes = count_ended},
                                      .rows_max = 2000000};
    struct bt_runner *runner = NULL;
    int rc = bt_runner_new(&config, &runner, NULL);
    assert(rc == BT_OK);
    return runner;
}

static void start_many(struct bt_runner *runner, const struct bt_flow *flow, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bt_exec *exec = bt_exec_new();
        (void)snprintf(exec->tenant, sizeof exec->tenant, "main");
        (void)snprintf(exec->namespace, sizeof exec->namespace, "%s", flow->namespace);
        (void)snprintf(exec->flow_id, sizeof exec->flow_id, "%s", flow->id);
        exec->revision = flow->revision;
        (void)bt_runner_create(runner, exec, NULL); /* Never fails without a thread. */
    }
}

static void run_all(struct bt_runner *runner, size_t count)
{
    int64_t wake_us;
    ended_count = 0;
    while (ended_count < count)
        (void)bt_runner_turn(runner, &wake_us);
}

static void put_flow(struct bt_runner *runner, const struct bt_flow *flow)
{
    int64_t wake_us;
    (void)bt_runner_put_flow(runner, "main", flow, BT_PUT_ANY, NULL);
    (void)bt_runner_turn(runner, &wake_us);
}

static char *chain_source(size_t tasks)
{
    char *source = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&source, &size);
    (void)fprintf(out, "id: chain\nnamespace: bench\ntasks:\n");
    for (size_t i = 0; i < tasks; i++)
        (void)fprintf(out, "  - {id: t%zu, type: return, format: '{{ taskrun.id }}'}\n", i);
    (void)fclose(out);
    return source;
}

static void bench_alone(void)
{
    struct bt_journal journal = {&null_ops};
    struct bt_runner *runner = make_runner(&journal, NULL);
    char *source = chain_source(10);
    struct bt_flow *flow = make_flow(source);
    put_flow(runner, flow);
    uint64_t before = bt_runner_transitions(runner);
    double start = bench_cpu_s();
    for (int round = 0; round < 10; round++) {
        start_many(runner, flow, 1000);
        run_all(runner, 1000);
    }
    double rate = (double)(bt_runner_transitions(runner) - before) / (bench_cpu_s() - start);
    bench_report(&(struct bench_row){.name = "engine alone, transitions",
                                     .value = rate,
                                     .unit = "/s per core",
                                     .reach = 300000});
    bt_runner_free(runner);
    bt_flow_unref(flow);
    free(source);
}

/* --- Durable ---------------------------------------------------------------------------------- */

struct recorder {
    struct bt_journal base;
    struct bt_journal *inner;
    size_t commits, execs, runs, exec_bytes, run_bytes;
};

static int recorder_commit(struct bt_journal *journal, const struct bt_batch *batch,
                           struct bt_err *err)
{
    struct recorder *self = (struct recorder *)journal;
    self->commits++;
    self->execs += batch->exec_count;
    self->runs += batch->run_count;
    return self->inner->ops->commit(self->inner, batch, err);
}

static int recorder_due(struct bt_journal *journal, int64_t now_us, struct bt_timer *timers,
                        size_t *count, int64_t *ret_next_us, struct bt_err *err)
{
    struct recorder *self = (struct recorder *)journal;
    return self->inner->ops->due(self->inner, now_us, timers, count, ret_next_us, err);
}

static int recorder_flow(struct bt_journal *journal, const char *tenant, const char *namespace,
                         const char *id, uint32_t *revision, struct bt_value **ret_source,
                         struct bt_err *err)
{
    struct recorder *self = (struct recorder *)journal;
    return self->inner->ops->flow(self->inner, tenant, namespace, id, revision, ret_source, err);
}

static const struct bt_journal_ops recorder_ops = {
    .commit = recorder_commit, .due = recorder_due, .flow = recorder_flow};

/* The same rows, in the same batches, written by a bare loop. Returns seconds. */
static double bare_loop(const char *dir, const struct recorder *recorder)
{
    char path[512];
    struct bt_db db;
    (void)snprintf(path, sizeof path, "%s/bare.db", dir);
    int rc = bt_db_open(path, BT_DB_DURABLE, &db, NULL);
    assert(rc == BT_OK);
    static const char put_exec[] =
        "INSERT INTO executions"
        " VALUES(?1,'main',?2,'bench','chain',1,'SUCCESS',1,2,1,1,0,1,0,NULL,?3,NULL,NULL)";
    static const char put_run[] = "INSERT INTO task_runs VALUES(?1,?2,'t1',?2,0,'','SUCCESS',?3)";
    char exec_record[420], run_record[400];
    memset(exec_record, 'x', sizeof exec_record);
    memset(run_record, 'x', sizeof run_record);
    sqlite3_stmt *exec, *run;
    (void)bt_db_prepare(&db, put_exec, &exec, NULL);
    (void)bt_db_prepare(&db, put_run, &run, NULL);
    size_t done_execs = 0, done_runs = 0;
    double start = bench_now_s();
    for (size_t commit = 1; commit <= recorder->commits; commit++) {
        rc = bt_db_exec(&db, "BEGIN IMMEDIATE", NULL);
        for (; done_execs < recorder->execs * commit / recorder->commits; done_execs++) {
            char id[24];
            (void)snprintf(id, sizeof id, "%022zu", done_execs);
            (void)sqlite3_bind_int64(exec, 1, (int64_t)done_execs + 1);
            bt_db_bind(exec, 2, bt_str_of(id));
            bt_db_bind(exec, 3, (struct bt_str){exec_record, sizeof exec_record});
            rc = rc == BT_OK ? bt_db_run(&db, exec, NULL) : rc;
        }
        for (; done_runs < recorder->runs * commit / recorder->commits; done_runs++) {
            (void)sqlite3_bind_int64(run, 1, (int64_t)done_runs / 10 + 1);
            (void)sqlite3_bind_int64(run, 2, (int64_t)done_runs % 10 + 1);
            bt_db_bind(run, 3, (struct bt_str){run_record, sizeof run_record});
            rc = rc == BT_OK ? bt_db_run(&db, run, NULL) : rc;
        }
        rc = rc == BT_OK ? bt_db_exec(&db, "COMMIT", NULL) : rc;
        assert(rc == BT_OK);
    }
    double seconds = bench_now_s() - start;
    bt_db_close(&db);
    return seconds;
}

static void bench_durable(const char *dir)
{
    char path[512];
    struct bt_db db;
    struct recorder recorder = {.base = {&recorder_ops}};
    (void)snprintf(path, sizeof path, "%s/durable.db", dir);
    int rc = bt_db_open(path, BT_DB_DURABLE, &db, NULL);
    assert(rc == BT_OK);
    rc = bt_journal_sqlite(&db, &recorder.inner, NULL);
    assert(rc == BT_OK);
    struct bt_runner *runner = make_runner(&recorder.base, NULL);
    char *source = chain_source(10);
    struct bt_flow *flow = make_flow(source);
    put_flow(runner, flow);
    uint64_t before = bt_runner_transitions(runner);
    recorder.commits = recorder.execs = recorder.runs = 0;
    double start = bench_now_s();
    for (int round = 0; round < 20; round++) {
        start_many(runner, flow, 500);
        run_all(runner, 500);
    }
    double seconds = bench_now_s() - start;
    double transitions = (double)(bt_runner_transitions(runner) - before);
    double bare = bare_loop(dir, &recorder);
    bench_report(&(struct bench_row){.name = "durable transitions (SQLite FULL)",
                                     .value = transitions / seconds,
                                     .unit = "/s",
                                     .limit = transitions / bare,
                                     .limit_name = "bare loop, same rows and batches",
                                     .enough = 30000,
                                     .reach = 0.5,
                                     .is_ratio = true});
    (void)printf("  %zu commits, %zu executions, %zu task runs\n", recorder.commits, recorder.execs,
                 recorder.runs);
    bt_runner_free(runner);
    bt_flow_unref(flow);
    free(source);
    recorder.inner->ops->close(recorder.inner);
    bt_db_close(&db);
}

/* --- Latency of a chain ----------------------------------------------------------------------- */

static int compare_double(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return (one > two) - (one < two);
}

static void bench_chain(const char *dir)
{
    enum { ROUNDS = 41 };
    char path[512];
    struct bt_db db;
    struct bt_journal *journal;
    (void)snprintf(path, sizeof path, "%s/chain.db", dir);
    int rc = bt_db_open(path, BT_DB_DURABLE, &db, NULL);
    assert(rc == BT_OK);
    rc = bt_journal_sqlite(&db, &journal, NULL);
    assert(rc == BT_OK);
    struct bt_runner *runner = make_runner(journal, NULL);
    char *source = chain_source(40);
    struct bt_flow *flow = make_flow(source);
    put_flow(runner, flow);
    double times[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        double start = bench_now_s();
        start_many(runner, flow, 1);
        run_all(runner, 1);
        times[i] = bench_now_s() - start;
    }
    qsort(times, ROUNDS, sizeof *times, compare_double);
    double fsync_s = bench_fsync_p50_s(dir);
    bench_report(&(struct bench_row){.name = "40 pure tasks in sequence, submit to SUCCESS, p50",
                                     .value = times[ROUNDS / 2] * 1e3,
                                     .unit = "ms",
                                     .limit = fsync_s * 1e3,
                                     .limit_name = "fsync p50",
                                     .reach = 5 + 3 * fsync_s * 1e3,
                                     .is_upper = true});
    bt_runner_free(runner);
    bt_flow_unref(flow);
    free(source);
    journal->ops->close(journal);
    bt_db_close(&db);
}

void bench_engine(const char *dir)
{
    bench_alone();
    bench_durable(dir);
    bench_chain(dir);
}
