/* worker.h — Runs jobs: a thread with a loop, its child processes, and a bounded number of slots.
 */
#pragma once
#include "files/files.h"
#include "sys/clock.h"
#include "worker/job.h"
#include "worker/world.h"

struct bt_worker; /* Opaque. */

struct bt_worker_config {
    unsigned slots;         /* Jobs at once (> 0). Further ones wait in order. */
    const char *work_dir;   /* Working directories are made (0700) and removed beneath it. */
    struct bt_files *files; /* Borrowed. */
    struct bt_world world;  /* What expressions may ask for; empty: nothing. */
    const struct bt_clock *clock;
    unsigned places_max;   /* Open WorkingDirectories at once; 0 = BT_PLACES_MAX. */
    int64_t kill_grace_ms; /* SIGTERM → SIGKILL; 0 = BT_KILL_GRACE_MS. */
    struct bt_worker_sink sink;
    struct bt_fetcher fetcher; /* Of outputs that did not come with a job; fetch may be NULL. */
};

int bt_worker_start(const struct bt_worker_config *config, struct bt_worker **ret_worker,
                    struct bt_err *err);
/* Takes the job. Any thread; never blocks. Its result always comes. */
void bt_worker_submit(struct bt_worker *worker, struct bt_job *job);
/* Asks that the attempt with this token ends: SIGTERM to its whole process group, SIGKILL after the
 * grace time; its result comes with state KILLED. Unknown tokens are ignored. Any thread. */
void bt_worker_kill(struct bt_worker *worker, uint64_t token);
/* The place (engine/job.h) is not wanted any more: what runs there is killed, the directory is
 * removed, nothing else is told. Unknown ones are ignored. Any thread. */
void bt_worker_release(struct bt_worker *worker, uint64_t place);
/* The events that the attempt with this token flushed are durable, or (`error`, borrowed) why not.
 * Unknown tokens are ignored. Any thread. */
void bt_worker_flushed(struct bt_worker *worker, uint64_t token, const char *error);
/* Kills what runs (no grace when `is_now`), waits for it, reports it, joins the thread and frees.
 */
struct bt_worker *bt_worker_stop(struct bt_worker *worker, bool is_now);
