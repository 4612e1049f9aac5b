/* slot_begin.c — The beginning of an attempt: its place, its directories. On the worker's
 * thread, but for the plan, which a helper may make (slot_asks.c). */
#include "worker/host/slot_host.h"
#include "worker/worker_int.h"

#include <assert.h>

bool slot_is_keeper(const struct slot *slot)
{
    return slot->job->task && slot->job->task->type->op == BT_OP_WORKING_DIRECTORY &&
           !slot->job->templates;
}

static void warn_of_dependencies(struct slot *slot)
{
    if (bt_task_prop(slot->job->task, "dependencies"))
        slot_log(slot, BT_LEVEL_WARN,
                 BT_STR("`dependencies` are not installed: the script runs with the packages of "
                        "this machine; install others in beforeCommands"));
}

void slot_go_on(struct slot *slot)
{
    if (slot->core) {
        slot_core_start(slot);
        return;
    }
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
