/* slot_core.c — A slot that runs a task of core/: on a thread of its own, for a file of hours must
 * not keep one of the helper threads that all slots share. The loop's thread touches nothing of the
 * run until that thread says that it is done. */
#include "base/limits.h"
#include "worker/host/props.h"
#include "worker/worker_int.h"

#include <assert.h>
#include <errno.h>

int slot_core_plan(struct slot *slot)
{
    struct bt_capabilities capabilities = bt_asks_capabilities(&slot->asks);
    struct bt_host_props props = {0};
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_host_props_make(slot->job, slot->work_dir, &capabilities, &props, &err);
    slot->core_props = bt_value_unref(slot->core_props);
    if (rc == BT_OK)
        slot->core_props = props.map;
    else
        slot->err = err;
    return rc;
}

static int run(struct slot *slot, struct bt_value *outputs, struct bt_err *err)
{
    struct bt_stage stage = slot_stage(slot);
    struct bt_core core = {.files = slot->worker->config.files,
                           .job = slot->job,
                           .asks = &slot->asks,
                           .props = slot->core_props,
                           .stage = &stage,
                           .capture = &slot->capture,
                           .is_over = &slot->is_core_over,
                           .outputs = outputs,
                           .notes = slot->notes};
    if (!outputs)
        return bt_fail_mem(err, "outputs");
    stage.notes = &core.notes;
    slot->asks.may_block = true;
    bt_files_watch(&slot->is_core_over);
    int rc = slot->core(&core, err);
    bt_files_watch(NULL);
    slot->notes = core.notes;
    if (rc == BT_OK && bt_value_bytes(outputs) > BT_OUTPUT_BYTES_MAX)
        rc = bt_fail(err, BT_LIMIT, "the outputs are larger than the limit of %u bytes",
                     BT_OUTPUT_BYTES_MAX);
    return rc;
}

static void *core_main(void *data)
{
    struct slot *slot = data;
    struct bt_worker *worker = slot->worker;
    struct bt_err err = BT_ERR_INIT;
    BT_VALUE outputs = bt_map_new(4);
    (void)pthread_setname_np(pthread_self(), "bt-task"); /* Cosmetic. */
    int rc = run(slot, outputs, &err);
    slot->has_run = rc == BT_OK;
    if (rc == BT_OK)
        slot->outputs = BT_TAKE(outputs);
    else
        slot->err = err;
    assert(rc == BT_OK || slot->err.code != BT_OK);
    pthread_mutex_lock(&worker->mutex);
    slot->is_core_done = worker->has_core_done = true;
    int sent = uv_async_send(&worker->wake);
    pthread_mutex_unlock(&worker->mutex);
    assert(sent == 0); /* The handle lives while a slot is busy. */
    return NULL;
}

void slot_core_start(struct slot *slot)
{
    slot->phase = PHASE_WORKING;
    int rc = slot->is_killed || slot->is_timed_out
                 ? ECANCELED
                 : pthread_create(&slot->core_thread, NULL, core_main, slot);
    if (rc == 0)
        return;
    (void)bt_fail_errno(&slot->err, BT_IO, rc, "cannot start a thread for the task"); /* Code. */
    slot_conclude(slot);
}

static bool take_done(struct slot *slot)
{
    struct bt_worker *worker = slot->worker;
    pthread_mutex_lock(&worker->mutex);
    bool is_done = slot->is_core_done;
    slot->is_core_done = false;
    pthread_mutex_unlock(&worker->mutex);
    return is_done;
}

void slots_core_end(struct bt_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    bool has_some = worker->has_core_done;
    worker->has_core_done = false;
    pthread_mutex_unlock(&worker->mutex);
    for (unsigned i = 0; has_some && i < worker->config.slots; i++) {
        struct slot *slot = &worker->slots[i];
        if (!take_done(slot))
            continue;
        int rc = pthread_join(slot->core_thread, NULL);
        assert(rc == 0 && slot->phase == PHASE_WORKING);
        slot_log_notes(slot);
        slot_conclude(slot);
    }
}
