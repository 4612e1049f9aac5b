/* places.c — Directories that several jobs use, one after another: made by an OPEN, removed after a
 * CLOSE, an OPEN that failed, or a release, once nobody uses them. What is left at the worker's end
 * goes with its own directory. The worker's thread, but for removing. */
#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "worker/worker_int.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

/* --- Removing --------------------------------------------------------------------------------- */

static void remove_run(uv_work_t *work)
{
    const struct place *place = work->data;
    /* What stays goes with the worker's directory. */
    (void)bt_fs_remove_tree(place->worker->root, place->name, NULL);
}

static void remove_done(uv_work_t *work, int status)
{
    (void)status; /* Nothing cancels it. */
    free(work->data);
}

/* Nobody finds it any more; it is removed when nobody uses it. */
static void end(struct place *place)
{
    struct bt_worker *worker = place->worker;
    if (bt_map64_get(&worker->places, place->id) == place)
        (void)bt_map64_remove(&worker->places, place->id); /* It is at hand. */
    place->is_over = true;
    if (place->users > 0)
        return;
    if (!place->is_made) {
        free(place);
        return;
    }
    place->work.data = place;
    int rc = uv_queue_work(&worker->loop, &place->work, remove_run, remove_done);
    assert(rc == 0); /* Fails only without a function. */
}

/* --- Of a job --------------------------------------------------------------------------------- */

static struct place *new_place(struct slot *slot)
{
    const struct bt_job *job = slot->job;
    struct place *old = bt_map64_get(&slot->worker->places, job->place.id);
    struct place *place = calloc(1, sizeof *place);
    if (!place)
        bt_die("out of memory");
    place->worker = slot->worker;
    place->id = job->place.id;
    (void)snprintf(place->name, sizeof place->name, "place-%" PRIx64 "-%" PRIx64, place->id,
                   job->token); /* Fits. */
    if (old)
        end(old); /* Opened again. */
    bt_map64_put(&slot->worker->places, place->id, place);
    return place;
}

bool place_enter(struct slot *slot)
{
    const struct bt_job *job = slot->job;
    slot->place = NULL;
    if (job->place.op == BT_PLACE_NONE || job->templates)
        return true;
    assert(job->place.id != 0);
    struct place *place = job->place.op == BT_PLACE_OPEN
                              ? new_place(slot)
                              : bt_map64_get(&slot->worker->places, job->place.id);
    if (!place || (job->place.op != BT_PLACE_OPEN && !place->is_open))
        return false;
    place->users++;
    slot->place = place;
    return true;
}

int place_make(struct slot *slot, struct bt_err *err)
{
    struct place *place = slot->place;
    assert(place->users == 1 && !place->is_open);
    unsigned max = slot->worker->config.places_max;
    if (slot->worker->places.count > max)
        return bt_fail(err, BT_LIMIT, "this worker has %u working directories open", max);
    if (mkdirat(slot->worker->root, place->name, 0700) < 0)
        return bt_fail_errno(err, bt_fs_code(errno), errno, "cannot make the working directory");
    place->is_made = true;
    return BT_OK;
}

void place_ended(struct slot *slot, enum bt_state state)
{
    struct place *place = slot->place;
    enum bt_place_op op = slot->job->place.op;
    if (!place)
        return;
    if (op == BT_PLACE_OPEN && state == BT_SUCCESS)
        place->is_open = true;
    else if (op != BT_PLACE_IN)
        end(place);
}

void place_leave(struct slot *slot)
{
    struct place *place = slot->place;
    slot->place = NULL;
    if (!place)
        return;
    assert(place->users > 0);
    place->users--;
    if (place->is_over)
        end(place);
}

/* --- Releases --------------------------------------------------------------------------------- */

/* Under the mutex: jobs of the place that wait are killed, and those that run. */
static void kill_jobs(struct bt_worker *worker, uint64_t id)
{
    for (struct bt_job *job = worker->first; job; job = job->next)
        if (job->place.op != BT_PLACE_NONE && job->place.id == id && !job->templates)
            job->is_kill_asked = worker->has_kills = true;
    for (unsigned i = 0; i < worker->config.slots; i++) {
        struct slot *slot = &worker->slots[i];
        if (slot->place && slot->place->id == id)
            slot->is_kill_asked = worker->has_kills = true;
    }
}

void places_obey(struct bt_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    __typeof__(worker->released) released = worker->released;
    memset(&worker->released, 0, sizeof worker->released);
    for (size_t i = 0; i < released.count; i++)
        kill_jobs(worker, released.items[i]);
    pthread_mutex_unlock(&worker->mutex);
    for (size_t i = 0; i < released.count; i++) {
        struct place *place = bt_map64_get(&worker->places, released.items[i]);
        if (place)
            end(place);
    }
    bt_vec_done(&released);
}

void places_done(struct bt_worker *worker)
{
    for (size_t i = 0; i < worker->places.cap; i++)
        free(worker->places.slots[i].value);
    bt_map64_done(&worker->places);
    bt_vec_done(&worker->released);
}
