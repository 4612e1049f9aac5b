/* edits.c — What somebody wants of an execution that has ended: other labels, or that it is gone,
 * or its log lines are. No step of the actor: nothing of it runs any more. */
#include "journal/runner/runner_int.h"

static int find(struct bt_runner *runner, uint64_t key, struct actor **ret_actor,
                struct bt_err *err)
{
    BT_TRY(runner_actor(runner, key, ret_actor, err));
    if ((*ret_actor)->is_dropped)
        return bt_fail(err, BT_NOT_FOUND, "%s", "");
    runner_touch(runner, *ret_actor); /* So that it leaves the memory again. */
    return BT_OK;
}

int edit_labels(struct bt_runner *runner, const struct message *message, struct bt_err *err)
{
    struct actor *actor;
    BT_TRY(find(runner, message->exec_key, &actor, err));
    struct bt_exec *exec = actor->exec;
    if (!bt_state_is_ended(exec->state))
        return bt_fail(err, BT_CONFLICT, "execution not in a terminated state");
    struct bt_value *labels = exec->labels ? bt_value_copy(exec->labels) : bt_map_new(0);
    for (size_t i = 0; i < bt_value_count(message->request); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *text = bt_map_at(message->request, i, &key);
        if (bt_map_put_key(labels, key, bt_value_ref(text)) < 0)
            bt_die("out of memory");
    }
    bt_value_unref(exec->labels);
    exec->labels = labels;
    exec->is_dirty = actor->is_exec_dirty = true;
    return BT_OK;
}

/* One of which nothing runs any more. */
static int find_drained(struct bt_runner *runner, uint64_t key, struct actor **ret_actor,
                        struct bt_err *err)
{
    BT_TRY(find(runner, key, ret_actor, err));
    if (!(*ret_actor)->exec->is_drained || actor_has_events(*ret_actor))
        return bt_fail(err, BT_CONFLICT, "execution is not terminated");
    return BT_OK;
}

int edit_drop(struct bt_runner *runner, const struct message *message, struct bt_err *err)
{
    struct actor *actor;
    BT_TRY(find_drained(runner, message->exec_key, &actor, err));
    actor->is_dropped = true;
    return BT_OK;
}

/* Lines are numbered from 0 again should it ever write anew. */
int edit_drop_logs(struct bt_runner *runner, const struct message *message, struct bt_err *err)
{
    struct actor *actor;
    BT_TRY(find_drained(runner, message->exec_key, &actor, err));
    actor->drops_logs = true;
    return BT_OK;
}
