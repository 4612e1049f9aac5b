/* world.c — The simulated surroundings of the runner: clock, workers, crashes, commits that fail.
 */
#include "sim.h"

#include "worker/evaluate.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { LAST_LINES = 200 };

/* --- Notes ------------------------------------------------------------------------------------ */

void world_note(struct world *world, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* Cut is fine. */
    va_end(args);
    char *line = NULL;
    if (asprintf(&line, "%10.3f %s", (double)world->mono_us / 1e6, text) < 0)
        bt_die("out of memory");
    if (world->is_verbose)
        (void)printf("%s\n", line);
    if (world->last.count == LAST_LINES) {
        free(world->last.items[0]);
        memmove(world->last.items, world->last.items + 1,
                (LAST_LINES - 1) * sizeof *world->last.items);
        world->last.count--;
    }
    bt_vec_push(&world->last, line);
}

_Noreturn void world_fail(struct world *world, const char *format, ...)
{
    for (size_t i = 0; !world->is_verbose && i < world->last.count; i++)
        (void)printf("%s\n", world->last.items[i]);
    va_list args;
    va_start(args, format);
    (void)printf("VIOLATION: ");
    (void)vprintf(format, args);
    va_end(args);
    (void)printf("\nseed %llu; repeat with: make sim SEED=%llu\n", (unsigned long long)world->seed,
                 (unsigned long long)world->seed);
    (void)fflush(stdout);
    exit(1);
}

/* --- Clock ------------------------------------------------------------------------------------ */

static int64_t clock_wall(void *data)
{
    return ((struct world *)data)->wall_us;
}

static int64_t clock_mono(void *data)
{
    return ((struct world *)data)->mono_us;
}

/* --- The journal with faults ------------------------------------------------------------------ */

static struct world *world_of(struct bt_journal *journal)
{
    return BT_CONTAINER(journal, struct world, journal);
}

static int faulty_commit(struct bt_journal *journal, const struct bt_batch *batch,
                         struct bt_err *err)
{
    struct world *world = world_of(journal);
    enum fault fault = world->next_commit_fault;
    world->next_commit_fault = FAULT_COUNT;
    if (fault == FAULT_COMMIT_FAILS) {
        world->faults[fault]++;
        world_note(world, "commit fails");
        return bt_fail(err, BT_IO, "simulated: nothing was written");
    }
    int rc = world->inner->ops->commit(world->inner, batch, err);
    if (rc < 0)
        world_fail(world, "commit: %s", err->msg);
    world->commits++;
    if (fault == FAULT_COMMIT_UNKNOWN) {
        world->faults[fault]++;
        world_note(world, "commit written, answer lost");
        return bt_fail(err, BT_IO, "simulated: the answer was lost");
    }
    return BT_OK;
}

#define INNER(journal) (world_of(journal)->inner)

static int f_exec(struct bt_journal *j, uint64_t key, struct bt_exec **ret, struct bt_err *err)
{
    return INNER(j)->ops->exec(INNER(j), key, ret, err);
}
static int f_taskrun(struct bt_journal *j, uint64_t exec, uint32_t n, struct bt_taskrun **ret,
                     struct bt_err *err)
{
    return INNER(j)->ops->taskrun(INNER(j), exec, n, ret, err);
}
static int f_find(struct bt_journal *j, uint64_t exec, uint32_t task, uint32_t parent,
                  struct bt_str value, struct bt_taskrun **ret, struct bt_err *err)
{
    return INNER(j)->ops->find(INNER(j), exec, task, parent, value, ret, err);
}
static int f_list(struct bt_journal *j, uint64_t exec, uint32_t task, uint32_t parent,
                  int (*each)(void *, struct bt_taskrun *), void *data, struct bt_err *err)
{
    return INNER(j)->ops->list(INNER(j), exec, task, parent, each, data, err);
}
static int f_values(struct bt_journal *j, uint64_t exec, uint32_t n, struct bt_value **ret,
                    struct bt_err *err)
{
    return INNER(j)->ops->values(INNER(j), exec, n, ret, err);
}
static int f_bad(struct bt_journal *j, const struct bt_bad_query *query, struct bt_err *err)
{
    return INNER(j)->ops->bad(INNER(j), query, err);
}
static int f_runs(struct bt_journal *j, const struct bt_runs_query *query, struct bt_err *err)
{
    return INNER(j)->ops->runs(INNER(j), query, err);
}
static int f_exec_key(struct bt_journal *j, const char *tenant, struct bt_str id, uint64_t *ret,
                      struct bt_err *err)
{
    return INNER(j)->ops->exec_key(INNER(j), tenant, id, ret, err);
}
static int f_children(struct bt_journal *j, const struct bt_children_query *query,
                      struct bt_err *err)
{
    return INNER(j)->ops->children(INNER(j), query, err);
}
static int f_slots(struct bt_journal *j, const struct bt_exec *of,
                   int (*each)(void *, uint64_t, enum bt_slot), void *data, struct bt_err *err)
{
    return INNER(j)->ops->slots(INNER(j), of, each, data, err);
}
static int f_running(struct bt_journal *j, const struct bt_exec *of, int (*each)(void *, uint64_t),
                     void *data, struct bt_err *err)
{
    return INNER(j)->ops->running(INNER(j), of, each, data, err);
}
static int f_due(struct bt_journal *j, int64_t now, struct bt_timer *timers, size_t *count,
                 int64_t *next, struct bt_err *err)
{
    return INNER(j)->ops->due(INNER(j), now, timers, count, next, err);
}
static int f_timers_of(struct bt_journal *j, uint64_t exec,
                       int (*each)(void *, const struct bt_timer *), void *data, struct bt_err *err)
{
    return INNER(j)->ops->timers_of(INNER(j), exec, each, data, err);
}
static int f_events(struct bt_journal *j, int (*each)(void *, struct bt_event_row *), void *data,
                    struct bt_err *err)
{
    return INNER(j)->ops->events(INNER(j), each, data, err);
}
static int f_jobs(struct bt_journal *j, int (*each)(void *, const struct bt_job_row *), void *data,
                  struct bt_err *err)
{
    return INNER(j)->ops->jobs(INNER(j), each, data, err);
}
static int f_last_key(struct bt_journal *j, uint64_t *ret, struct bt_err *err)
{
    return INNER(j)->ops->last_key(INNER(j), ret, err);
}
static int f_last_now(struct bt_journal *j, uint64_t *ret, struct bt_err *err)
{
    return INNER(j)->ops->last_now(INNER(j), ret, err);
}
static int f_log_lines(struct bt_journal *j, uint64_t exec, uint64_t *ret, struct bt_err *err)
{
    return INNER(j)->ops->log_lines(INNER(j), exec, ret, err);
}
static int f_flow(struct bt_journal *j, const char *tenant, const char *ns, const char *id,
                  uint32_t *revision, struct bt_value **ret, struct bt_err *err)
{
    return INNER(j)->ops->flow(INNER(j), tenant, ns, id, revision, ret, err);
}

static int f_kv(struct bt_journal *j, struct bt_kv_place place, struct bt_str key,
                struct bt_kv **ret, struct bt_err *err)
{
    return INNER(j)->ops->kv(INNER(j), place, key, ret, err);
}
static int f_kv_list(struct bt_journal *j, struct bt_kv_place place,
                     const struct bt_kv_query *query, struct bt_err *err)
{
    return INNER(j)->ops->kv_list(INNER(j), place, query, err);
}

static const struct bt_journal_ops faulty_ops = {
    .commit = faulty_commit,
    .exec = f_exec,
    .taskrun = f_taskrun,
    .find = f_find,
    .list = f_list,
    .bad = f_bad,
    .runs = f_runs,
    .exec_key = f_exec_key,
    .children = f_children,
    .slots = f_slots,
    .running = f_running,
    .values = f_values,
    .due = f_due,
    .timers_of = f_timers_of,
    .events = f_events,
    .jobs = f_jobs,
    .last_key = f_last_key,
    .last_now = f_last_now,
    .log_lines = f_log_lines,
    .flow = f_flow,
    .kv = f_kv,
    .kv_list = f_kv_list,
};

/* --- Workers ---------------------------------------------------------------------------------- */

static bool has_place(const struct world *world, uint64_t place)
{
    for (size_t i = 0; i < world->places.count; i++)
        if (world->places.items[i] == place)
            return true;
    return false;
}

static void drop_place(struct world *world, uint64_t place)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->places.count; i++)
        if (world->places.items[i] != place)
            world->places.items[kept++] = world->places.items[i];
    world->places.count = kept;
}

static void submit(void *data, struct bt_job *job)
{
    struct world *world = data;
    check_submit(world, job);
    world_note(world, "job out: exec %llu run %u (%s%s) attempt %u",
               (unsigned long long)job->exec_key, job->taskrun,
               job->task ? job->task->id : "outputs", job->templates ? ", evaluation" : "",
               job->attempt);
    bool needs_place = job->place.op == BT_PLACE_IN || job->place.op == BT_PLACE_CLOSE;
    if (!job->templates && needs_place && !has_place(world, job->place.id)) {
        world_note(world, "its place is gone");
        bt_runner_lost(world->runner, job->exec_key, job->taskrun, job->token);
        bt_vec_push(&world->ghosts, job);
        return;
    }
    bt_runner_started(world->runner, job, world->wall_us);
    bt_vec_push(&world->jobs, job);
}

static void release(void *data, uint64_t place)
{
    drop_place(data, place);
}

/* What expressions are told: kv('bad') fails, every other key has its own name as value. */
static int answer(void *data, const struct bt_question *question, struct bt_value **ret_value,
                  struct bt_err *err)
{
    struct world *world = data;
    struct bt_str key = bt_map_str(question->args, "key");
    if (strcmp(question->function, "kv") != 0)
        world_fail(world, "a question that no flow asks: %s", question->function);
    world->questions++;
    if (bt_str_is(key, "bad"))
        return bt_fail(err, BT_NOT_FOUND, "simulated: no such key");
    *ret_value = bt_value_string(key);
    return BT_OK;
}

/* The real worker's evaluation, in a world that answers the same whatever happens. */
static struct bt_value *evaluate(struct world *world, struct bt_job *job)
{
    struct bt_asks asks = {.world = {world, answer}};
    struct bt_value *outputs = NULL;
    struct bt_err err = BT_ERR_INIT;
    bt_asks_begin(&asks, job);
    asks.may_block = true;
    if (bt_evaluate(&asks, &outputs, &err) < 0)
        world_fail(world, "evaluation: %s", err.msg);
    bt_asks_done(&asks);
    return outputs;
}

/* One that says what the attempt is, and one that is always there. */
static struct bt_value *metrics_of(const struct bt_job *job)
{
    struct bt_value *list = bt_list_new(2);
    for (int i = 0; i < 2; i++) {
        struct bt_value *item = bt_map_new(2);
        if (bt_map_puts(item, "name", bt_value_cstr(i ? "tries" : "cost")) < 0 ||
            bt_map_puts(item, "value",
                        i ? bt_value_int32((int32_t)job->attempt)
                          : bt_value_double((double)job->taskrun * 0.1 - 1)) < 0 ||
            bt_list_push(list, item) < 0)
            bt_die("out of memory");
    }
    return list;
}

static void report(struct world *world, struct bt_job *job, enum bt_state state)
{
    struct bt_job_result result = {.exec_key = job->exec_key,
                                   .taskrun = job->taskrun,
                                   .token = job->token,
                                   .state = state,
                                   .started_us = world->wall_us,
                                   .ended_us = world->wall_us};
    result.outputs = job->templates ? evaluate(world, job) : bt_map_new(1);
    if (!job->templates &&
        bt_map_puts(result.outputs, "exitCode", bt_value_int32(state == BT_FAILED)) < 0)
        bt_die("out of memory");
    if (!job->templates && state != BT_KILLED)
        result.metrics = metrics_of(job);
    world_log(world, job);
    bt_runner_result(world->runner, &result);
}

/* The same task with the same value ends the same way in every run, whatever the faults. */
static enum bt_state outcome(const struct bt_job *job)
{
    if (job->templates || job->place.op == BT_PLACE_OPEN || job->place.op == BT_PLACE_CLOSE)
        return BT_SUCCESS;
    struct bt_value *taskrun = bt_map_gets(job->variables, "taskrun");
    struct bt_str value = bt_map_str(taskrun, "value");
    uint64_t hash = bt_str_hash(value, bt_str_hash(bt_str_of(job->task->id), 7));
    return hash % 8 == 0 ? BT_FAILED : hash % 8 == 1 ? BT_WARNING : BT_SUCCESS;
}

static struct bt_job *take_at(struct world *world, size_t index)
{
    struct bt_job *job = world->jobs.items[index];
    world->jobs.items[index] = world->jobs.items[--world->jobs.count];
    return job;
}

void world_finish_job(struct world *world, size_t index, bool is_twice)
{
    struct bt_job *job = take_at(world, index);
    world_note(world, "job ends: exec %llu run %u%s", (unsigned long long)job->exec_key,
               job->taskrun, is_twice ? ", told twice" : "");
    if (job->place.op == BT_PLACE_OPEN && !job->templates)
        bt_vec_push(&world->places, job->place.id);
    if (job->place.op == BT_PLACE_CLOSE)
        drop_place(world, job->place.id);
    report(world, job, outcome(job));
    if (is_twice) {
        world->faults[FAULT_RESULT_TWICE]++;
        report(world, job, BT_FAILED);
    }
    bt_vec_push(&world->ghosts, job);
}

void world_finish_ghost(struct world *world, size_t index)
{
    struct bt_job *job = world->ghosts.items[index];
    world->ghosts.items[index] = world->ghosts.items[--world->ghosts.count];
    world->faults[FAULT_RESULT_LATE]++;
    world_note(world, "late word: exec %llu run %u", (unsigned long long)job->exec_key,
               job->taskrun);
    report(world, job, BT_FAILED);
    bt_job_free(job);
}

static void kill_token(void *data, uint64_t token)
{
    struct world *world = data;
    for (size_t i = 0; i < world->jobs.count; i++) {
        if (world->jobs.items[i]->token != token)
            continue;
        struct bt_job *job = take_at(world, i);
        world_note(world, "job killed: exec %llu run %u", (unsigned long long)job->exec_key,
                   job->taskrun);
        if (job->place.op == BT_PLACE_CLOSE)
            drop_place(world, job->place.id); /* However it ends. */
        report(world, job, BT_KILLED);
        bt_vec_push(&world->ghosts, job);
        return;
    }
}

/* --- The world -------------------------------------------------------------------------------- */

void world_start_runner(struct world *world)
{
    struct bt_err err = BT_ERR_INIT;
    struct bt_runner_config config = {
        .journal = &world->journal,
        .logs = world->logs,
        .clock = &world->clock,
        .seed = bt_rng_next(&world->rng),
        .dispatcher = {.data = world, .submit = submit, .kill = kill_token, .release = release},
        .listener = {.data = world, .changes = check_changes},
        .rows_max = 1 + bt_rng_below(&world->rng, 200),
    };
    if (bt_runner_new(&config, &world->runner, &err) < 0 ||
        bt_runner_recover(world->runner, &err) < 0)
        world_fail(world, "start: %s", err.msg);
}

void world_crash(struct world *world)
{
    world->faults[FAULT_CRASH]++;
    world_note(world, "crash with %zu jobs out", world->jobs.count);
    world->runner = bt_runner_free(world->runner);
    for (size_t i = 0; i < world->jobs.count; i++)
        bt_vec_push(&world->ghosts, world->jobs.items[i]);
    world->jobs.count = 0;
    world->places.count = 0;
    world_start_runner(world);
}

void world_create(struct world *world, size_t flow)
{
    struct bt_exec *exec = bt_exec_new();
    const struct bt_flow *template = world->flows.items[flow];
    if (!exec)
        bt_die("out of memory");
    (void)snprintf(exec->tenant, sizeof exec->tenant, "main");
    (void)snprintf(exec->namespace, sizeof exec->namespace, "%s", template->namespace);
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "%s", template->id);
    exec->revision = 1;
    (void)bt_runner_create(world->runner, exec, NULL); /* A failed commit may refuse it. */
}

bool world_turn(struct world *world, int64_t *ret_wake_us)
{
    bool did = bt_runner_turn(world->runner, ret_wake_us);
    world->mono_us += 100;
    world->wall_us += 100;
    return did;
}

static void add_flow(struct world *world)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    char *source = generate_flow(&world->rng, world->flows.count);
    if (bt_flow_parse(bt_str_of(source), &flow, &diags) < 0)
        world_fail(world, "generated flow: %s\n%s", diags.items[0].msg, source);
    bt_diags_done(&diags);
    int64_t wake_us;
    (void)bt_runner_put_flow(world->runner, "main", flow, BT_PUT_ANY, NULL);
    (void)world_turn(world, &wake_us);
    bt_vec_push(&world->flows, flow);
    bt_vec_push(&world->sources, source);
}

void world_init(struct world *world, uint64_t seed, bool is_verbose)
{
    struct bt_err err = BT_ERR_INIT;
    *world = (struct world){.seed = seed, .is_verbose = is_verbose, .rng = {seed}};
    world->next_commit_fault = FAULT_COUNT;
    world->wall_us = 1700000000000000;
    world->clock = (struct bt_clock){clock_wall, clock_mono, world};
    world->journal.ops = &faulty_ops;
    if (bt_db_open(":memory:", BT_DB_TEMPORARY, &world->db, &err) < 0 ||
        bt_journal_sqlite(&world->db, &world->inner, &err) < 0)
        world_fail(world, "database: %s", err.msg);
    world_logs_open(world);
    world_start_runner(world);
    for (int i = 0; i < 4; i++)
        add_flow(world);
}

void world_done(struct world *world)
{
    bt_runner_free(world->runner);
    world->inner->ops->close(world->inner);
    bt_db_close(&world->db);
    world_logs_close(world);
    for (size_t i = 0; i < world->flows.count; i++) {
        bt_flow_unref(world->flows.items[i]);
        free(world->sources.items[i]);
    }
    for (size_t i = 0; i < world->jobs.count; i++)
        bt_job_free(world->jobs.items[i]);
    for (size_t i = 0; i < world->ghosts.count; i++)
        bt_job_free(world->ghosts.items[i]);
    for (size_t i = 0; i < world->execs.count; i++)
        bt_vec_done(&world->execs.items[i].runs);
    for (size_t i = 0; i < world->last.count; i++)
        free(world->last.items[i]);
    bt_vec_done(&world->flows);
    bt_vec_done(&world->sources);
    bt_vec_done(&world->jobs);
    bt_vec_done(&world->ghosts);
    bt_vec_done(&world->places);
    bt_vec_done(&world->execs);
    bt_vec_done(&world->last);
}
