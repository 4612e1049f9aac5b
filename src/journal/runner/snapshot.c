/* snapshot.c — The engine's own way of reading outputs, over rows that are only read. */
#include "journal/runner/snapshot.h"

#include "journal/runner/runner_int.h"

#include <assert.h>

enum { FETCHES_MAX = 1000000 };

struct bt_snapshot {
    struct sources sources;
    pthread_mutex_t lock;
    struct bt_flow_cache *flows;
};

int bt_snapshot_new(struct bt_journal *journal, struct bt_files *files,
                    struct bt_snapshot **ret_snapshot, struct bt_err *err)
{
    struct bt_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot)
        snapshot->flows = bt_flow_cache_new();
    if (!snapshot || !snapshot->flows) {
        free(snapshot);
        return bt_fail_mem(err, "snapshot");
    }
    snapshot->sources = (struct sources){journal, files};
    (void)pthread_mutex_init(&snapshot->lock, NULL); /* Cannot fail with default attributes. */
    *ret_snapshot = snapshot;
    return BT_OK;
}

struct bt_snapshot *bt_snapshot_free(struct bt_snapshot *snapshot)
{
    if (!snapshot)
        return NULL;
    bt_flow_cache_free(snapshot->flows);
    (void)pthread_mutex_destroy(&snapshot->lock);
    free(snapshot);
    return NULL;
}

static int open_actor(struct bt_snapshot *snapshot, const struct bt_job *job,
                      struct actor **ret_actor, struct bt_err *err)
{
    struct bt_journal *journal = snapshot->sources.journal;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_flow *flow = NULL;
    uint64_t key;
    BT_TRY(journal->ops->exec_key(journal, job->tenant, bt_str_of(job->exec_id), &key, err));
    BT_TRY(journal->ops->exec(journal, key, &exec, err));
    if (job->as_of.next_n == 0 || job->as_of.next_n > exec->next_n)
        return bt_fail(err, BT_INVALID, "there is no such version of the execution");
    BT_TRY(flow_of(snapshot->flows, journal, exec, &flow, err));
    *ret_actor = actor_new(BT_TAKE(exec), flow, false);
    return BT_OK;
}

/* The path below its root. */
static int read_query(const struct bt_fetch_request *request, struct bt_outputs_query *query,
                      struct bt_value **ret_path, struct bt_err *err)
{
    struct bt_str root = bt_value_str(bt_list_at(request->path, 0));
    BT_VALUE path = bt_list_new(bt_value_count(request->path));
    bool is_states = bt_str_is(root, "tasks");
    if (!is_states && !bt_str_is(root, "outputs"))
        return bt_fail(err, BT_INVALID, "only outputs and tasks can be fetched");
    for (size_t i = 1; i < bt_value_count(request->path); i++)
        if (bt_list_push(path, bt_value_ref(bt_list_at(request->path, i))) < 0)
            return bt_fail_mem(err, "outputs");
    *query = (struct bt_outputs_query){is_states, request->is_whole, path};
    *ret_path = BT_TAKE(path);
    return BT_OK;
}

static int fetch(struct bt_snapshot *snapshot, struct actor *actor,
                 const struct bt_fetch_request *request, struct bt_value **ret_value,
                 struct bt_err *err)
{
    assert(actor);
    struct bt_outputs_query query;
    BT_VALUE path = NULL;
    BT_TRY(read_query(request, &query, &path, err));
    struct bt_step step;
    bt_step_init(&step);
    step.is_picking = true; /* Sealed values pass: the worker opens them. */
    step.exec = actor->exec;
    step.flow = actor->flow;
    step.view = actor_view(actor);
    step.env.now_us = request->job->now_us;
    step.as_of = request->job->as_of;
    int rc = BT_NEED;
    for (int fetches = 0; rc == BT_NEED && fetches < FETCHES_MAX; fetches++) {
        rc = bt_execution_outputs(&step, &query, ret_value, err);
        if (rc == BT_NEED && actor_fetch(actor, &snapshot->sources, &step.need, err) < 0)
            rc = BT_IO;
    }
    bt_step_done(&step);
    return rc == BT_NEED ? bt_fail(err, BT_LIMIT, "outputs of more than %d rows", FETCHES_MAX) : rc;
}

int bt_snapshot_fetch(void *data, const struct bt_fetch_request *request,
                      struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_snapshot *snapshot = data;
    struct actor *actor = NULL;
    (void)pthread_mutex_lock(&snapshot->lock); /* Cannot fail on a default mutex. */
    int rc = open_actor(snapshot, request->job, &actor, err);
    if (rc == BT_OK)
        rc = fetch(snapshot, actor, request, ret_value, err);
    if (actor)
        actor_free(actor);
    (void)pthread_mutex_unlock(&snapshot->lock); /* As above. */
    return rc;
}
