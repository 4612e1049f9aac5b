/* commit.c — The commit of a batch, what follows it, and what follows its failure. */
#include "journal/runner/runner_int.h"

#include "base/crash.h"

#include <assert.h>

enum {
    ROWS_MAX_DEFAULT = 20000,
    FLOWS_WITH_SLOTS_MAX = 10000,
    ACTOR_ROWS_KEPT = 256,
    RETRY_US = 200000
};

bool runner_has_changes(const struct bt_runner *runner)
{
    return runner->touched.count || runner->put_flows.count || runner->timers_clear.count ||
           runner->timers_set.count || runner->jobs_set.count || runner->jobs_clear.count ||
           runner->events_drop.count || runner->taken;
}

/* What is gathered only for the commit; freed by rows_done(). */
struct rows {
    BT_VEC(const struct bt_exec *) execs;
    BT_VEC(struct bt_run_row) runs;
    BT_VEC(struct bt_values_row) values;
    BT_VEC(struct bt_event_row) events;
    BT_VEC(struct bt_log_chunk) chunks;
    kv_rows kvs;
    BT_VEC(struct bt_run_place) run_drops;
    BT_VEC(uint64_t) drops, log_drops;
};

static void rows_done(struct rows *rows)
{
    bt_vec_done(&rows->execs);
    bt_vec_done(&rows->runs);
    bt_vec_done(&rows->values);
    bt_vec_done(&rows->events); /* Their content is the actors'. */
    bt_vec_done(&rows->chunks);
    bt_vec_done(&rows->kvs);
    bt_vec_done(&rows->drops);
    bt_vec_done(&rows->run_drops);
    bt_vec_done(&rows->log_drops);
}

static int gather_actor(struct bt_runner *runner, struct actor *actor, struct rows *rows,
                        struct bt_err *err)
{
    if (actor->is_dropped)
        bt_vec_push(&rows->drops, actor->key);
    if (actor->drops_logs)
        bt_vec_push(&rows->log_drops, actor->key);
    for (size_t i = 0; i < actor->removed.count; i++)
        bt_vec_push(&rows->run_drops, ((struct bt_run_place){actor->key, actor->removed.items[i]}));
    if (actor->is_exec_dirty)
        bt_vec_push(&rows->execs, actor->exec);
    for (size_t i = 0; i < actor->dirty.count; i++) {
        struct bt_taskrun *run = actor->dirty.items[i];
        BT_TRY(spill_write(runner->config.files, actor, run, err));
        if (run->is_spilled && run->outputs)
            bt_vec_push(&actor->loaded, run->n);
        bt_vec_push(&rows->runs,
                    ((struct bt_run_row){actor->key, run, actor->flow->tasks[run->task].id}));
    }
    for (size_t i = 0; i < actor->values.count; i++)
        if (actor->values.items[i].is_dirty)
            bt_vec_push(&rows->values, ((struct bt_values_row){actor->key, actor->values.items[i].n,
                                                               actor->values.items[i].values}));
    for (size_t i = actor->queue_head; i < actor->queue.count; i++) {
        struct queued *queued = &actor->queue.items[i];
        if (queued->stored_id)
            continue;
        queued->stored_id = ++runner->last_event;
        bt_vec_push(&rows->events,
                    ((struct bt_event_row){queued->stored_id, actor->key, queued->event}));
    }
    return BT_OK;
}

/* Writes an actor's lines as chunks. */
static int write_logs(struct bt_runner *runner, struct actor *actor, struct rows *rows,
                      struct bt_err *err)
{
    struct bt_journal *journal = runner->config.journal;
    if (!runner->config.logs || actor->logs.count == 0)
        return BT_OK;
    if (actor->log_lines == UINT64_MAX)
        BT_TRY(journal->ops->log_lines(journal, actor->key, &actor->log_lines, err));
    BT_VEC(struct bt_log_entry) entries = {0};
    for (size_t i = 0; i < actor->logs.count; i++)
        bt_vec_push(&entries, actor->logs.items[i].entry);
    int rc = BT_OK;
    uint64_t line = actor->log_lines;
    for (size_t done = 0; rc == BT_OK && done < entries.count;) {
        struct bt_log_chunk chunk;
        size_t used = 0;
        rc = bt_logs_append(runner->config.logs, entries.items + done, entries.count - done, &chunk,
                            &used, err);
        if (rc < 0)
            break;
        chunk.exec = actor->key;
        chunk.first_line = line;
        line += used;
        done += used;
        bt_vec_push(&rows->chunks, chunk);
    }
    bt_vec_done(&entries);
    if (rc == BT_OK)
        actor->log_lines = line;
    return rc;
}

static int gather(struct bt_runner *runner, struct rows *rows, struct bt_err *err)
{
    for (size_t i = 0; i < runner->touched.count; i++) {
        BT_TRY(gather_actor(runner, runner->touched.items[i], rows, err));
        BT_TRY(write_logs(runner, runner->touched.items[i], rows, err));
    }
    spaces_gather(runner, &rows->kvs);
    return runner->config.logs ? bt_logs_sync(runner->config.logs, err) : BT_OK;
}

/* --- After the commit ------------------------------------------------------------------------- */

/* A change and its place in the order in which things happened. */
struct placed {
    struct bt_change change;
    uint64_t place;
    size_t index; /* Keeps the order of equals. */
};
typedef BT_VEC(struct placed) placed_vec;

static int compare_places(const void *a, const void *b)
{
    const struct placed *one = a, *two = b;
    if (one->place != two->place)
        return one->place < two->place ? -1 : 1;
    return one->index < two->index ? -1 : one->index > two->index;
}

static void place(placed_vec *changes, const struct bt_change *change, uint64_t at)
{
    bt_vec_push(changes, ((struct placed){*change, at, changes->count}));
}

/* Task runs whose state is news, and log lines. A line follows the moves made before it. */
static void collect(const struct actor *actor, placed_vec *changes)
{
    struct bt_change change = {.kind = BT_CHANGE_RUN, .exec = actor->exec, .flow = actor->flow};
    for (size_t i = 0; i < actor->dirty.count; i++) {
        struct bt_taskrun *run = actor->dirty.items[i];
        if (run->told == run->histories.count)
            continue;
        run->told = run->histories.count;
        change.run = run;
        place(changes, &change, 2 * run->moved);
    }
    change.kind = BT_CHANGE_LOG;
    for (size_t i = 0; i < actor->logs.count; i++) {
        change.log = &actor->logs.items[i].entry;
        change.run = bt_map64_get(&actor->runs, change.log->taskrun);
        place(changes, &change, 2 * actor->logs.items[i].place + 1);
    }
    if (!actor->is_exec_dirty && !actor->is_dropped)
        return;
    change = (struct bt_change){.kind = BT_CHANGE_EXEC,
                                .exec = actor->exec,
                                .flow = actor->flow,
                                .is_gone = actor->is_dropped};
    place(changes, &change, UINT64_MAX);
}

static void tell_listener(struct bt_runner *runner)
{
    placed_vec placed = {0};
    BT_VEC(struct bt_change) changes = {0};
    for (size_t i = 0; i < runner->touched.count; i++)
        collect(runner->touched.items[i], &placed);
    if (placed.count)
        qsort(placed.items, placed.count, sizeof *placed.items, compare_places);
    for (size_t i = 0; i < placed.count; i++)
        bt_vec_push(&changes, placed.items[i].change);
    if (changes.count)
        runner->config.listener.changes(runner->config.listener.data, changes.items, changes.count);
    bt_vec_done(&changes);
    bt_vec_done(&placed);
}

static void keep_outstanding(struct bt_runner *runner, const struct bt_job_row *row)
{
    struct outstanding *outstanding = calloc(1, sizeof *outstanding);
    if (!outstanding)
        bt_die("out of memory");
    *outstanding = (struct outstanding){row->exec, row->token, row->taskrun};
    bt_map64_put(&runner->jobs, row->token, outstanding);
}

static void send_submits(struct bt_runner *runner)
{
    for (size_t i = 0; i < runner->submits.count; i++) {
        struct bt_job *job = runner->submits.items[i];
        keep_outstanding(runner, &(struct bt_job_row){job->exec_key, job->taskrun, job->token});
        runner->config.dispatcher.submit(runner->config.dispatcher.data, job);
        BT_CRASH_POINT("submitted");
    }
    runner->submits.count = 0;
}

static void send_kills(struct bt_runner *runner)
{
    for (size_t i = 0; i < runner->kill_execs.count; i++) {
        for (size_t j = 0; j < runner->jobs.cap; j++) {
            const struct outstanding *job = runner->jobs.slots[j].value;
            if (job && job->exec == runner->kill_execs.items[i])
                runner->config.dispatcher.kill(runner->config.dispatcher.data, job->token);
        }
    }
    runner->kill_execs.count = 0;
    for (size_t i = 0; i < runner->kill_tokens.count; i++)
        runner->config.dispatcher.kill(runner->config.dispatcher.data,
                                       runner->kill_tokens.items[i]);
    runner->kill_tokens.count = 0;
}

static void free_places(struct bt_runner *runner)
{
    const struct bt_dispatcher *dispatcher = &runner->config.dispatcher;
    for (size_t i = 0; dispatcher->release && i < runner->places_free.count; i++)
        dispatcher->release(dispatcher->data, runner->places_free.items[i]);
    runner->places_free.count = 0;
}

static void settle_actor(struct bt_runner *runner, struct actor *actor)
{
    for (size_t i = 0; i < actor->dirty.count; i++)
        actor->dirty.items[i]->is_dirty = false;
    actor->dirty.count = 0;
    actor->is_exec_dirty = actor->exec->is_dirty = false;
    for (size_t i = 0; i < actor->values.count; i++)
        actor->values.items[i].is_dirty = false;
    for (size_t i = 0; i < actor->logs.count; i++)
        bt_value_unref(actor->logs.items[i].text);
    actor->logs.count = 0;
    actor_drop_outputs(actor);
    actor->removed.count = 0;
    actor->is_touched = actor->drops_logs = false;
    if (actor->exec->is_drained && !actor_has_events(actor)) {
        (void)bt_map64_remove(&runner->actors, actor->key); /* It is `actor`. */
        actor_free(actor);
        return;
    }
    if (actor->runs.count > ACTOR_ROWS_KEPT)
        actor_evict(actor);
}

/* Keeps the memory of idle executions bounded: they are read again when something happens. */
static void evict_idle(struct bt_runner *runner)
{
    size_t rows = 0,
           rows_max = runner->config.rows_max ? runner->config.rows_max : ROWS_MAX_DEFAULT;
    BT_VEC(struct actor *) idle = {0};
    for (size_t i = 0; i < runner->actors.cap; i++) {
        struct actor *actor = runner->actors.slots[i].value;
        if (!actor)
            continue;
        rows += actor->runs.count + 4;
        if (!actor_has_events(actor) && !actor->is_ready)
            bt_vec_push(&idle, actor);
    }
    for (size_t i = 0; i < idle.count && rows > rows_max; i++) {
        rows -= idle.items[i]->runs.count + 4;
        (void)bt_map64_remove(&runner->actors, idle.items[i]->key); /* Freed next. */
        actor_free(idle.items[i]);
    }
    bt_vec_done(&idle);
}

static void answer_messages(struct bt_runner *runner)
{
    struct message *message = runner->taken;
    runner->taken = NULL;
    while (message) {
        struct message *next = message->next;
        reply_done(message->reply, BT_OK, NULL, message->number);
        message_free(message);
        message = next;
    }
}

static void clear_batch(struct bt_runner *runner)
{
    runner->touched.count = 0;
    runner->put_flows.count = 0;
    runner->timers_set.count = 0;
    runner->timers_clear.count = 0;
    runner->jobs_set.count = 0;
    runner->jobs_clear.count = 0;
    runner->events_drop.count = 0;
    runner->entered.count = 0;
    if (runner->slots.count > FLOWS_WITH_SLOTS_MAX)
        slots_clear(runner);
    spaces_clear(runner);
}

static void after_commit(struct bt_runner *runner)
{
    for (size_t i = 0; i < runner->timers_set.count; i++)
        if (runner->timers_set.items[i].due_us < runner->next_due_us)
            runner->next_due_us = runner->timers_set.items[i].due_us;
    if (runner->config.listener.changes)
        tell_listener(runner);
    for (size_t i = 0; i < runner->touched.count; i++)
        settle_actor(runner, runner->touched.items[i]);
    for (size_t i = 0; i < runner->jobs_clear.count; i++)
        free(bt_map64_remove(&runner->jobs, runner->jobs_clear.items[i].token));
    clear_batch(runner);
    send_submits(runner);
    send_kills(runner);
    free_places(runner);
    answer_messages(runner);
    if (runner->actors.count > 64)
        evict_idle(runner);
    runner->failures = 0;
}

static void count_commit(struct bt_runner *runner, int rc, int64_t took_us)
{
    uint64_t us = took_us > 0 ? (uint64_t)took_us : 0;
    (void)pthread_mutex_lock(&runner->lock);
    runner->stats.commits += rc == BT_OK;
    runner->stats.failures += rc != BT_OK;
    runner->stats.commit_us += us;
    if (us > runner->stats.commit_us_max)
        runner->stats.commit_us_max = us;
    (void)pthread_mutex_unlock(&runner->lock);
}

int runner_commit(struct bt_runner *runner, struct bt_err *err)
{
    struct rows rows = {0};
    struct bt_journal *journal = runner->config.journal;
    int rc = gather(runner, &rows, err);
    struct bt_batch batch = {
        .now_us = runner->now_us,
        .execs = rows.execs.items,
        .exec_count = rows.execs.count,
        .runs = rows.runs.items,
        .run_count = rows.runs.count,
        .values = rows.values.items,
        .values_count = rows.values.count,
        .timers_set = runner->timers_set.items,
        .timers_set_count = runner->timers_set.count,
        .timers_clear = runner->timers_clear.items,
        .timers_clear_count = runner->timers_clear.count,
        .jobs_set = runner->jobs_set.items,
        .jobs_set_count = runner->jobs_set.count,
        .jobs_clear = runner->jobs_clear.items,
        .jobs_clear_count = runner->jobs_clear.count,
        .events_put = rows.events.items,
        .events_put_count = rows.events.count,
        .events_drop = runner->events_drop.items,
        .events_drop_count = runner->events_drop.count,
        .chunks = rows.chunks.items,
        .chunk_count = rows.chunks.count,
        .flows = runner->put_flows.items,
        .flow_count = runner->put_flows.count,
        .kvs = rows.kvs.items,
        .kv_count = rows.kvs.count,
        .log_drops = rows.log_drops.items,
        .log_drop_count = rows.log_drops.count,
        .run_drops = rows.run_drops.items,
        .run_drop_count = rows.run_drops.count,
        .drops = rows.drops.items,
        .drop_count = rows.drops.count,
    };
    int64_t from_us = bt_clock_mono_us(runner->config.clock);
    BT_CRASH_POINT("commit");
    if (rc == BT_OK)
        rc = journal->ops->commit(journal, &batch, err);
    BT_CRASH_POINT("committed");
    count_commit(runner, rc, bt_clock_mono_us(runner->config.clock) - from_us);
    rows_done(&rows);
    if (rc == BT_OK)
        after_commit(runner);
    return rc;
}

/* --- After a failed commit -------------------------------------------------------------------- */

/* What cannot be read stays in the journal, for a program that can; what may pass ends the load. */
static int unreadable(struct bt_runner *runner, int rc, const struct bt_err *err)
{
    if (read_may_pass(rc)) {
        runner->read_err = *err;
        return rc;
    }
    if (rc != BT_NOT_FOUND)
        runner_tell(runner, err);
    return BT_OK;
}

static int load_event(void *data, struct bt_event_row *row)
{
    struct bt_runner *runner = data;
    struct actor *actor;
    if (row->id > runner->last_event)
        runner->last_event = row->id;
    struct bt_err err = BT_ERR_INIT;
    int rc = runner_actor(runner, row->exec, &actor, &err);
    if (rc < 0) {
        bt_event_done(&row->event);
        if (rc == BT_NOT_FOUND)
            bt_vec_push(&runner->events_drop, row->id); /* Its execution is gone. */
        return unreadable(runner, rc, &err);
    }
    runner_send(runner, actor, row->event, row->id);
    return BT_OK;
}

/* Its worker may still live: the dispatcher finds out. */
static void load_orphan(struct bt_runner *runner, const struct bt_job_row *row)
{
    struct bt_journal *journal = runner->config.journal;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    uint32_t attempt = 1;
    if (journal->ops->taskrun(journal, row->exec, row->taskrun, &run, NULL) == BT_OK) {
        const struct bt_attempt *last = bt_taskrun_attempt(run);
        attempt = run->attempt_count + (last && last->end_us == 0 ? 0 : 1);
    }
    keep_outstanding(runner, row);
    runner->config.dispatcher.orphan(runner->config.dispatcher.orphan_data, row, attempt);
}

/* A job that no worker has: given out by an earlier process, or by a commit whose answer was lost.
 */
static int load_job(void *data, const struct bt_job_row *row)
{
    struct bt_runner *runner = data;
    struct actor *actor;
    if (bt_map64_get(&runner->jobs, row->token))
        return BT_OK;
    struct bt_err err = BT_ERR_INIT;
    int rc = runner_actor(runner, row->exec, &actor, &err);
    if (rc == BT_NOT_FOUND)
        bt_vec_push(&runner->jobs_clear, *row); /* Its execution is gone. */
    if (rc < 0)
        return unreadable(runner, rc, &err);
    if (runner->is_recovering && runner->config.dispatcher.orphan) {
        load_orphan(runner, row);
        return BT_OK;
    }
    runner_send(
        runner, actor,
        (struct bt_event){.kind = BT_EVENT_LOST, .taskrun = row->taskrun, .token = row->token}, 0);
    return BT_OK;
}

int runner_load(struct bt_runner *runner, struct bt_err *err)
{
    struct bt_journal *journal = runner->config.journal;
    int rc = journal->ops->events(journal, load_event, runner, err);
    if (rc == BT_OK)
        rc = journal->ops->jobs(journal, load_job, runner, err);
    if (rc < 0 && err && runner->read_err.code)
        *err = runner->read_err;
    runner->read_err = (struct bt_err)BT_ERR_INIT;
    return rc;
}

static void drop_actors(struct bt_runner *runner)
{
    for (size_t i = 0; i < runner->actors.cap; i++)
        if (runner->actors.slots[i].value)
            actor_free(runner->actors.slots[i].value);
    bt_map64_clear(&runner->actors);
    runner->ready.count = runner->ready_head = 0;
    for (size_t i = 0; i < runner->submits.count; i++)
        bt_job_free(runner->submits.items[i]);
    runner->submits.count = 0;
    runner->kill_execs.count = runner->kill_tokens.count = 0;
    free_places(runner); /* Whether it was written or not, nothing runs in them any more. */
    slots_clear(runner);
}

/* Messages with somebody waiting are refused; the others (results, logs) go back to the inbox. */
static void return_messages(struct bt_runner *runner, const struct bt_err *err)
{
    struct message *message = runner->taken, *back = NULL;
    runner->taken = NULL;
    while (message) {
        struct message *next = message->next;
        if (message->kind != MESSAGE_EVENT && message->kind != MESSAGE_LOGS) {
            reply_done(message->reply, err->code, err, 0);
            message_free(message);
        } else {
            message->next = back; /* taken is newest first, so this restores the order. */
            back = message;
        }
        message = next;
    }
    if (!back)
        return;
    struct message *last = back;
    while (last->next)
        last = last->next;
    (void)pthread_mutex_lock(&runner->lock);
    last->next = runner->inbox_head;
    if (!runner->inbox_head)
        runner->inbox_tail = &last->next;
    runner->inbox_head = back;
    (void)pthread_mutex_unlock(&runner->lock);
}

/* What a failed batch had changed. */
struct suspect_run {
    uint32_t n, told; /* Histories that the listener knows. */
};
struct suspect {
    uint64_t key;
    BT_VEC(struct suspect_run) runs;
};

static struct suspect suspect_of(const struct actor *actor)
{
    struct suspect suspect = {.key = actor->key};
    for (size_t i = 0; i < actor->dirty.count; i++)
        bt_vec_push(&suspect.runs,
                    ((struct suspect_run){actor->dirty.items[i]->n, actor->dirty.items[i]->told}));
    return suspect;
}

static void tell_stored_run(struct bt_runner *runner, const struct actor *actor,
                            struct suspect_run suspect)
{
    struct bt_journal *journal = runner->config.journal;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    if (journal->ops->taskrun(journal, actor->key, suspect.n, &run, NULL) < 0)
        return; /* It was being created, and is not there. */
    if (run->histories.count <= suspect.told)
        return; /* Nothing was written. */
    struct bt_change change = {
        .kind = BT_CHANGE_RUN, .exec = actor->exec, .flow = actor->flow, .run = run};
    runner->config.listener.changes(runner->config.listener.data, &change, 1);
}

/* Whether the failed commit was written is unknown: the listener hears what is stored now. */
static void tell_stored(struct bt_runner *runner, const struct suspect *suspect)
{
    struct actor *actor;
    if (!runner->config.listener.changes || runner_actor(runner, suspect->key, &actor, NULL) < 0)
        return; /* It was being created, and is not there. */
    for (size_t i = 0; i < suspect->runs.count; i++)
        tell_stored_run(runner, actor, suspect->runs.items[i]);
    struct bt_change change = {.kind = BT_CHANGE_EXEC, .exec = actor->exec, .flow = actor->flow};
    runner->config.listener.changes(runner->config.listener.data, &change, 1);
    if (!actor_has_events(actor)) {
        (void)bt_map64_remove(&runner->actors, actor->key); /* Freed next. */
        actor_free(actor);
    }
}

int runner_reload(struct bt_runner *runner, struct bt_err *err)
{
    drop_actors(runner); /* What was loaded before it failed. */
    clear_batch(runner);
    BT_TRY(runner_load(runner, err));
    runner->needs_load = false;
    return BT_OK;
}

void runner_commit_failed(struct bt_runner *runner, const struct bt_err *err)
{
    struct bt_err again = BT_ERR_INIT;
    BT_VEC(struct suspect) suspects = {0};
    for (size_t i = 0; i < runner->touched.count; i++)
        bt_vec_push(&suspects, suspect_of(runner->touched.items[i]));
    runner_tell(runner, err);
    for (size_t i = 0; i < runner->put_flows.count; i++) { /* Their revisions do not exist. */
        const struct bt_flow_row *row = &runner->put_flows.items[i];
        bt_flow_cache_drop(runner->flows,
                           &(struct bt_flow_key){row->tenant, bt_str_of(row->namespace),
                                                 bt_str_of(row->id), row->revision});
    }
    drop_actors(runner);
    clear_batch(runner);
    return_messages(runner, err);
    runner->next_due_us = 0;
    runner->failures++;
    runner->retry_us = runner->now_us + RETRY_US * (runner->failures > 10 ? 10 : runner->failures);
    runner->read_err = (struct bt_err)BT_ERR_INIT;
    runner->needs_load = runner_load(runner, &again) < 0;
    if (runner->needs_load)
        runner_tell(runner, &again);
    for (size_t i = 0; i < suspects.count; i++) {
        tell_stored(runner, &suspects.items[i]);
        bt_vec_done(&suspects.items[i].runs);
    }
    bt_vec_done(&suspects);
}
