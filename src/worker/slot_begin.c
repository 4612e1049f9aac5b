/* slot_begin.c — The beginning of an attempt: its place, its plan, its directories. On the worker's
 * thread, but for the plan, which a helper may make (slot_asks.c). */
#include "worker/host/slot_host.h"
#include "worker/worker_int.h"

#include <assert.h>
#include <inttypes.h>

static bool is_script(enum bt_op op)
{
    return op == BT_OP_SHELL_COMMANDS || op == BT_OP_SHELL_SCRIPT || op == BT_OP_PYTHON_COMMANDS ||
           op == BT_OP_PYTHON_SCRIPT;
}

bool slot_is_keeper(const struct slot *slot)
{
    return slot->job->task && slot->job->task->type->op == BT_OP_WORKING_DIRECTORY &&
           !slot->job->templates;
}

int slot_plan(struct slot *slot)
{
    const struct bt_type *type = slot->job->task->type;
    struct bt_err err = BT_ERR_INIT;
    slot->is_host = type->plugin != NULL;
    slot->streams[STREAM_OUT].level = slot->is_host ? BT_LEVEL_DEBUG : BT_LEVEL_INFO;
    bool may_take = slot->is_host && !slot->asks.may_block && !slot->outer && !slot->place;
    slot->has_dir = may_take && slot_host_take_dir(slot);
    if (slot->is_host && slot_host_plan(slot, &err) < 0)
        slot->err = err;
    if (slot->is_host)
        return slot->err.code;
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

static void warn_of_dependencies(struct slot *slot)
{
    if (bt_task_prop(slot->job->task, "dependencies"))
        slot_log(slot, BT_LEVEL_WARN,
                 BT_STR("`dependencies` are not installed: the script runs with the packages of "
                        "this machine; install others in beforeCommands"));
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

void slot_go_on(struct slot *slot)
{
    warn_of_dependencies(slot);
    slot->phase = PHASE_BRINGING;
    if (bt_stage_is_heavy(&slot->plan)) {
        slot_start_work(slot, PHASE_BRINGING);
        return;
    }
    struct bt_stage stage = slot_stage(slot);
    struct bt_err err = BT_ERR_INIT;
    if (!slot->has_dir && bt_stage_bring(&stage, &err) < 0)
        slot_fail(slot, &err);
    else
        slot_run(slot);
}

/* The slot never got the job. */
static void lose(struct slot *slot)
{
    struct bt_worker *worker = slot->worker;
    pthread_mutex_lock(&worker->mutex);
    struct bt_job *job = BT_TAKE(slot->job);
    slot->is_kill_asked = false;
    pthread_mutex_unlock(&worker->mutex);
    report_lost(worker, job);
}

void slot_begin(struct slot *slot, struct bt_job *job)
{
    struct bt_worker *worker = slot->worker;
    const struct bt_worker_sink *sink = &worker->config.sink;
    struct bt_err err = BT_ERR_INIT;
    assert(slot->phase == PHASE_FREE && slot->job == job);
    if (!place_enter(slot)) {
        lose(slot);
        return;
    }
    worker->busy++;
    slot->is_killed = slot->is_timed_out = slot->is_now = false;
    slot_reset(slot);
    slot->has_leftover = false;
    slot->started_us = bt_clock_wall_us(worker->config.clock);
    bt_logs_begin(&slot->logs, job);
    bt_asks_begin(&slot->asks, job);
    slot_set_paths(slot);
    if (sink->started)
        sink->started(sink->data, job, slot->started_us);
    slot->phase = PHASE_PREPARING;
    slot->deadline_ms = 0;
    if (job->timeout_us > 0) {
        slot_start_timer(slot, (uint64_t)(job->timeout_us + 999) / 1000);
        slot->deadline_ms = uv_now(&worker->loop) + (uint64_t)(job->timeout_us + 999) / 1000;
    }
    if (slot->place && !slot->place->is_made && place_make(slot, &err) < 0)
        slot_fail(slot, &err);
    else
        slot_prepare(slot);
}
