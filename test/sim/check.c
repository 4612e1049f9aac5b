/* check.c — The invariants: what must hold of every commit, every job, and of the end. */
#include "sim.h"

#include "store/sqlite/rollups.h"

#include <stdio.h>

static struct seen_exec *exec_seen(struct world *world, uint64_t key)
{
    for (size_t i = 0; i < world->execs.count; i++)
        if (world->execs.items[i].key == key)
            return &world->execs.items[i];
    bt_vec_push(&world->execs, ((struct seen_exec){.key = key, .state = BT_CREATED}));
    return &world->execs.items[world->execs.count - 1];
}

static void trace(struct world *world, uint64_t a, uint64_t b)
{
    uint64_t words[2] = {a, b};
    world->trace = bt_str_hash((struct bt_str){(const char *)words, sizeof words}, world->trace);
}

/* Histories only grow, by legal moves, and an ended state is final. */
static void check_histories(struct world *world, const struct bt_histories *histories,
                            const struct seen_run *seen, bool may_go_on, const char *what)
{
    uint32_t known = seen->history_count;
    if (histories->count < known)
        world_fail(world, "%s lost committed history (%u, had %u)", what, histories->count, known);
    if (known && bt_state_is_ended(seen->state) && histories->count > known && !may_go_on)
        world_fail(world, "%s moved after its end", what);
    for (uint32_t i = 1; i < histories->count; i++) {
        const struct bt_history *from = bt_histories_at(histories, i - 1);
        const struct bt_history *to = bt_histories_at(histories, i);
        if (!bt_state_is_legal(from->state, to->state))
            world_fail(world, "%s: illegal move %s to %s", what, bt_state_name(from->state),
                       bt_state_name(to->state));
        if (to->at_us < from->at_us)
            world_fail(world, "%s: time goes back", what);
    }
}

static void check_run(struct world *world, const struct bt_change *change)
{
    struct seen_exec *exec = exec_seen(world, change->exec->key);
    const struct bt_taskrun *run = change->run;
    exec->was_touched =
        exec->was_touched || change->exec->attempt_number > 1 || change->exec->replay_n;
    while (exec->runs.count < run->n)
        bt_vec_push(&exec->runs, (struct seen_run){0});
    struct seen_run *seen = &exec->runs.items[run->n - 1];
    char what[128];
    (void)snprintf(what, sizeof what, "exec %llu run %u (%s)", (unsigned long long)exec->key,
                   run->n, change->flow->tasks[run->task].id);
    check_histories(world, &run->histories, seen, exec->was_touched, what);
    const struct bt_histories *since = &change->exec->histories;
    bool is_copied = bt_histories_at(&run->histories, run->histories.count - 1)->at_us <
                     bt_histories_at(since, 0)->at_us;
    *seen = (struct seen_run){run->n,   run->task, run->parent, run->state, run->histories.count,
                              is_copied};
    trace(world, run->n, run->state);
    world_note(world, "  %s %s", what, bt_state_name(run->state));
}

static void check_exec(struct world *world, const struct bt_change *change)
{
    struct seen_exec *exec = exec_seen(world, change->exec->key);
    const struct bt_exec *now = change->exec;
    char what[64];
    (void)snprintf(what, sizeof what, "exec %llu", (unsigned long long)exec->key);
    exec->was_touched = exec->was_touched || now->attempt_number > 1 || now->replay_n;
    struct seen_run seen = {.state = exec->state, .history_count = exec->history_count};
    check_histories(world, &now->histories, &seen, exec->was_touched, what);
    exec->super = now->super.key;
    exec->flow = (size_t)strtoul(now->flow_id + 1, NULL, 10);
    exec->state = now->state;
    exec->history_count = now->histories.count;
    exec->is_drained = now->is_drained;
    exec->was_killed = exec->was_killed || now->is_killing;
    trace(world, now->key, now->state);
    world_note(world, "  %s %s live %u%s", what, bt_state_name(now->state), now->live,
               now->is_drained ? " drained" : "");
    if (now->is_drained && now->live)
        world_fail(world, "%s drained with %u task runs alive", what, now->live);
}

/* Fan-outs never exceed their limit: children of a group that have not ended. */
static void check_limits(struct world *world, const struct seen_exec *exec)
{
    const struct bt_flow *flow = world->flows.items[exec->flow];
    for (size_t i = 0; i < exec->runs.count; i++) {
        const struct seen_run *group = &exec->runs.items[i];
        if (group->n == 0 || bt_state_is_ended(group->state))
            continue;
        const struct bt_task *task = &flow->tasks[group->task];
        bool is_limited = task->type->op == BT_OP_FOREACH || task->type->op == BT_OP_PARALLEL ||
                          task->type->op == BT_OP_DAG;
        if (!is_limited || task->concurrent == 0)
            continue;
        uint32_t open = 0;
        for (size_t j = 0; j < exec->runs.count; j++) {
            const struct seen_run *child = &exec->runs.items[j];
            open += child->n && child->parent == group->n && !bt_state_is_ended(child->state) &&
                    flow->tasks[child->task].branch < BT_BRANCH_ERRORS;
        }
        if (open > task->concurrent)
            world_fail(world, "exec %llu group %u: %u children open, limit %u",
                       (unsigned long long)exec->key, group->n, open, task->concurrent);
    }
}

/* No flow has more executions than it may, by the rows: a commit whose answer was lost is not told.
 */
static void check_slots(struct world *world)
{
    for (size_t flow = 0; flow < world->flows.count; flow++) {
        char sql[128];
        int64_t limit = world->flows.items[flow]->concurrency;
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) FROM executions WHERE slot=1 AND flow_id='f%zu'", flow);
        int64_t held = limit ? count_rows(world, sql) : 0;
        if (held > limit)
            world_fail(world, "flow %zu: %lld slots are held, the limit is %lld", flow,
                       (long long)held, (long long)limit);
    }
}

void check_changes(void *data, const struct bt_change *changes, size_t count)
{
    struct world *world = data;
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        world->events++;
        if (changes[i].kind == BT_CHANGE_RUN)
            check_run(world, &changes[i]);
        else if (changes[i].kind == BT_CHANGE_EXEC)
            check_exec(world, &changes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (changes[i].exec->key == last)
            continue;
        last = changes[i].exec->key;
        struct seen_exec *exec = exec_seen(world, last);
        if (exec->history_count)
            check_limits(world, exec);
    }
    check_slots(world);
}

void check_submit(struct world *world, const struct bt_job *job)
{
    for (size_t i = 0; i < world->jobs.count; i++) {
        const struct bt_job *other = world->jobs.items[i];
        if (other->exec_key == job->exec_key && other->taskrun == job->taskrun)
            world_fail(world, "exec %llu run %u has two live attempts",
                       (unsigned long long)job->exec_key, job->taskrun);
    }
    for (size_t i = 0; i < world->ghosts.count; i++)
        if (world->ghosts.items[i]->token == job->token)
            world_fail(world, "token given out twice");
}

int64_t count_rows(struct world *world, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(world->db.handle, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        world_fail(world, "cannot count: %s", sql);
    int64_t count = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return count;
}

/* Task runs that say they have set a key. */
static int64_t count_sets(const struct world *world)
{
    int64_t sets = 0;
    for (size_t i = 0; i < world->execs.count; i++) {
        const struct seen_exec *exec = &world->execs.items[i];
        const struct bt_flow *flow = world->flows.items[exec->flow];
        for (size_t k = 0; k < exec->runs.count; k++) {
            const struct seen_run *run = &exec->runs.items[k];
            sets += run->n && flow->tasks[run->task].type->op == BT_OP_KV_SET &&
                    run->state == BT_SUCCESS && !run->is_copied;
        }
    }
    return sets;
}

void check_counters(struct world *world)
{
    char sql[8192];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM (%s)", bt_sql_recount);
    int64_t wrong = count_rows(world, sql);
    if (wrong)
        world_fail(world, "%lld counters differ from a recount", (long long)wrong);
}

void check_end(struct world *world)
{
    static const char *const empty[] = {"SELECT count(*) FROM events", "SELECT count(*) FROM jobs",
                                        "SELECT count(*) FROM timers",
                                        "SELECT count(*) FROM executions WHERE is_drained=0",
                                        "SELECT count(*) FROM task_runs WHERE state NOT IN"
                                        " ('SUCCESS','WARNING','FAILED','KILLED','SKIPPED')"};
    /* Each kv.set has written its own key, once. */
    int64_t wrong = count_rows(world, "SELECT count(*) FROM key_values WHERE revision<>1");
    int64_t keys = count_rows(world, "SELECT count(*) FROM key_values");
    int64_t sets = count_sets(world);
    if (wrong || keys != sets)
        world_fail(world, "%lld keys for %lld sets, %lld of them written twice", (long long)keys,
                   (long long)sets, (long long)wrong);
    check_counters(world);
    check_chunks(world);
    if (count_rows(world, "SELECT count(*) FROM rollups") == 0 ||
        (count_rows(world, "SELECT count(*) FROM task_runs WHERE record LIKE '%\"cost\"%' AND"
                           " state IN ('SUCCESS','FAILED','WARNING')") &&
         count_rows(world, "SELECT count(*) FROM metrics WHERE name='cost'") == 0))
        world_fail(world, "nothing is counted");
    for (size_t i = 0; i < BT_COUNT(empty); i++)
        if (count_rows(world, empty[i]) != 0)
            world_fail(world, "left over: %s", empty[i]);
    for (bool is_news = true; is_news;) { /* What happened to a subflow has happened above it. */
        is_news = false;
        for (size_t i = 0; i < world->execs.count; i++) {
            const struct seen_exec *exec = &world->execs.items[i];
            bool is_hit = exec->super && (exec->was_killed || exec->was_touched);
            struct seen_exec *super = is_hit ? exec_seen(world, exec->super) : NULL;
            is_news = is_news || (super && !super->was_touched);
            if (super)
                super->was_touched = true;
        }
    }
    for (size_t i = 0; i < world->execs.count; i++) {
        const struct seen_exec *exec = &world->execs.items[i];
        enum bt_state want = check_reference(world, exec->flow);
        if (exec->was_killed || exec->was_touched || exec->state == want)
            continue;
        world_fail(world, "exec %llu of flow %zu ended %s; without faults it ends %s\n%s",
                   (unsigned long long)exec->key, exec->flow, bt_state_name(exec->state),
                   bt_state_name(want), world->sources.items[exec->flow]);
    }
}
