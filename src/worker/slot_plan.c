/* slot_plan.c — What a slot will run: a command, a plugin's task, or one of our own; and the names
 * of its directories. */
#include "base/limits.h"
#include "worker/host/slot_host.h"
#include "worker/worker_int.h"

#include <inttypes.h>

static bool is_script(enum bt_op op)
{
    return op == BT_OP_SHELL_COMMANDS || op == BT_OP_SHELL_SCRIPT || op == BT_OP_PYTHON_COMMANDS ||
           op == BT_OP_PYTHON_SCRIPT;
}

int slot_plan(struct slot *slot)
{
    const struct bt_type *type = slot->job->task->type;
    struct bt_err err = BT_ERR_INIT;
    slot->is_host = type->plugin != NULL;
    slot->core = bt_core_find(type);
    slot->streams[STREAM_OUT].level = slot->is_host ? BT_LEVEL_DEBUG : BT_LEVEL_INFO;
    bool may_take = slot->is_host && !slot->asks.may_block && !slot->outer && !slot->place;
    slot->has_dir = may_take && slot_host_take_dir(slot);
    if (slot->is_host && slot_host_plan(slot, &err) < 0)
        slot->err = err;
    if (slot->is_host)
        return slot->err.code;
    if (slot->core)
        return slot_core_plan(slot);
    if (!is_script(type->op) && !slot_is_keeper(slot))
        return bt_fail(&slot->err, BT_UNAVAILABLE, "this worker cannot run tasks of type '%s'",
                       type->name);
    struct bt_capabilities capabilities = bt_asks_capabilities(&slot->asks);
    struct bt_plan_place place = {
        .capabilities = &capabilities,
        .work_dir = slot->work_dir,
        .fetch_dir = slot->fetch_dir,
        .output_dir = slot->output_dir,
    };
    int rc = bt_plan_make(&slot->plan, slot->job, &place, &err);
    if (rc < 0)
        slot->err = err;
    return rc;
}

void slot_set_work_dir(struct slot *slot, const char *name)
{
    (void)snprintf(slot->work_name, NAME_SIZE, "%s", name);
    (void)snprintf(slot->work_dir, PATH_SIZE, "%s/%s", slot->worker->dir, name); /* Both fit. */
}

void slot_set_paths(struct slot *slot)
{
    const struct bt_job *job = slot->job;
    const char *dir = slot->worker->dir;
    const char *id = job->taskrun_id[0] ? job->taskrun_id : job->exec_id;
    char name[NAME_SIZE];
    (void)snprintf(name, sizeof name, "%s-%" PRIx64, id, job->token);
    slot_set_work_dir(slot, slot->place ? slot->place->name : name);
    (void)snprintf(slot->fetch_name, NAME_SIZE, "%s-%" PRIx64 "-in", id, job->token);
    (void)snprintf(slot->output_name, NAME_SIZE, "%s-%" PRIx64 "-out", id, job->token);
    (void)snprintf(slot->fetch_dir, PATH_SIZE, "%s/%s", dir, slot->fetch_name);
    (void)snprintf(slot->output_dir, PATH_SIZE, "%s/%s", dir, slot->output_name); /* All fit. */
}
