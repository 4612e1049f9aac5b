/* slot.c — One attempt from its plan (slot_begin.c) to its end: command, output, files, result.
 * Runs on the worker's thread; only bringing, storing and removing files go to helper threads.
 * Every way through it ends in finish(). */
#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "worker/host/slot_host.h"
#include "worker/worker_int.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READS_PER_TURN = 4, READS_AT_END = 64 };

/* --- Output ----------------------------------------------------------------------------------- */

static void on_line(void *data, struct bt_str line, bool is_whole)
{
    struct stream *stream = data;
    if (stream->slot->is_host || !(is_whole && bt_capture_line(&stream->slot->capture, line)))
        slot_log(stream->slot, stream->level, line);
}

static void on_protocol_log(void *data, enum bt_level level, struct bt_str message)
{
    slot_log(data, level, message);
}

static void close_stream(struct stream *stream)
{
    bt_fd_close(&stream->fd); /* This takes it out of the epoll set. */
}

/* Reads what is there, at most `reads` times. */
static void read_stream(struct stream *stream, int reads)
{
    char *chunk = stream->slot->worker->chunk;
    for (; reads > 0 && stream->fd >= 0; reads--) {
        ssize_t got = read(stream->fd, chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            close_stream(stream);
        else
            bt_lines_feed(&stream->lines, (struct bt_str){chunk, (size_t)got});
    }
}

static bool has_open_stream(const struct slot *slot)
{
    return slot->streams[STREAM_OUT].fd >= 0 || slot->streams[STREAM_ERR].fd >= 0;
}

/* The last of the output; nobody of the command writes any more. */
static void finish_streams(struct slot *slot)
{
    for (int i = 0; i < STREAM_COUNT; i++) {
        read_stream(&slot->streams[i], READS_AT_END);
        close_stream(&slot->streams[i]);
        bt_lines_end(&slot->streams[i].lines);
    }
}

/* --- Helper threads --------------------------------------------------------------------------- */

struct bt_stage slot_stage(struct slot *slot)
{
    return (struct bt_stage){
        .files = slot->worker->config.files,
        .job = slot->job,
        .plan = &slot->plan,
        .root = slot->worker->root,
        .work_name = slot->work_name,
        .fetch_name = slot->fetch_name,
        .output_name = slot->output_name,
        .is_place = slot->place != NULL,
        .mark = slot->place ? &slot->place->mark : NULL,
        .notes = &slot->notes,
    };
}

static bool has_files(const struct slot *slot)
{
    return slot->plan.output_files || slot->plan.has_output_dir || slot->plan.saves_cache;
}

static int store(struct slot *slot, const struct bt_stage *stage, struct bt_err *err)
{
    BT_TRY(bt_stage_store(stage, &slot->uris, err));
    if (slot->plan.saves_cache)
        bt_stage_save_cache(stage);
    return BT_OK;
}

static void work_run(uv_work_t *work)
{
    struct slot *slot = work->data;
    if (slot->help != HELP_NONE) {
        slot_host_help(slot);
        return;
    }
    if (slot->phase == PHASE_PREPARING) {
        slot_prepare_help(slot);
        return;
    }
    struct bt_stage stage = slot_stage(slot);
    struct bt_err err = BT_ERR_INIT;
    slot->work_rc = BT_OK;
    if (slot->phase == PHASE_BRINGING)
        slot->work_rc = bt_stage_bring(&stage, &err);
    else if (slot->phase == PHASE_STORING && has_files(slot) && slot->err.code == BT_OK)
        slot->work_rc = store(slot, &stage, &err);
    else if (slot->phase == PHASE_REMOVING)
        slot->work_rc = bt_stage_remove(&stage, NULL);
    if (slot->work_rc < 0)
        slot->err = err; /* After a success it may tell of a failure that was overcome. */
    if (slot->phase == PHASE_STORING && slot_has_secrets(slot))
        slot_seal_outputs(slot);
}

static void work_done(uv_work_t *work, int status);

void slot_start_work(struct slot *slot, enum phase phase)
{
    slot->phase = phase;
    slot->work.data = slot;
    int rc = uv_queue_work(&slot->worker->loop, &slot->work, work_run, work_done);
    assert(rc == 0); /* Fails only without a function. */
}

void slot_start_help(struct slot *slot)
{
    assert(slot->help != HELP_NONE && slot->host);
    host_pause(slot->host, true);
    slot_start_work(slot, slot->phase);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void free_slot(struct slot *slot)
{
    struct bt_worker *worker = slot->worker;
    assert(!slot->host && slot->help == HELP_NONE);
    place_leave(slot);
    bt_plan_done(&slot->plan);
    slot_host_done(slot);
    slot->core_props = bt_value_unref(slot->core_props);
    bt_buf_done(&slot->notes.text);
    slot->uris = bt_value_unref(slot->uris);
    slot->outputs = bt_value_unref(slot->outputs);
    bt_asks_done(&slot->asks);
    pthread_mutex_lock(&worker->mutex);
    struct bt_job *job = BT_TAKE(slot->job);
    slot->is_kill_asked = false;
    pthread_mutex_unlock(&worker->mutex);
    (void)bt_job_free(job); /* Gives NULL. */
    slot->phase = PHASE_FREE;
    worker->busy--;
}

/* The working directory is gone, or nothing of this attempt is in it. */
static bool has_tidied(const struct slot *slot)
{
    if (slot->plan.fetch_count > 0 || slot->plan.has_output_dir)
        return false;
    return slot->place || slot->is_dir_kept ||
           unlinkat(slot->worker->root, slot->work_name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

/* The script of a task is none of the files that the next one finds. */
static void drop_script(const struct slot *slot)
{
    char path[2 * NAME_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", slot->work_name, slot->plan.file_name); /* Fits. */
    (void)unlinkat(slot->worker->root, path, 0); /* It may be gone. */
}

/* Tells the result and removes the directories. */
static void finish(struct slot *slot)
{
    (void)uv_timer_stop(&slot->timer); /* Never fails. */
    if (slot->place && slot->plan.file_name)
        drop_script(slot);
    slot_log_notes(slot);
    place_ended(slot, slot_report(slot));
    if (has_tidied(slot))
        free_slot(slot);
    else
        slot_start_work(slot, PHASE_REMOVING);
}

/* The command has ended, or was never started. */
void slot_conclude(struct slot *slot)
{
    if (slot->help != HELP_NONE) {
        (void)uv_timer_stop(&slot->timer); /* Never fails. */
        slot->has_to_conclude = true;
        slot->phase = PHASE_STORING; /* Nothing runs any more: no kill, no timeout. */
        return;
    }
    (void)uv_timer_stop(&slot->timer); /* Never fails. */
    if (slot->outer) {
        slot_http_end(slot);
        return;
    }
    bool has_to_store = has_files(slot) && slot->err.code == BT_OK;
    if (slot->has_run && (has_to_store || slot_has_secrets(slot)))
        slot_start_work(slot, PHASE_STORING);
    else
        finish(slot);
}

void slot_fail(struct slot *slot, const struct bt_err *why)
{
    slot->err = *why;
    assert(slot->err.code != BT_OK);
    slot_conclude(slot);
}

/* --- Running ---------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

void slot_start_timer(struct slot *slot, uint64_t ms)
{
    uv_update_time(&slot->worker->loop);
    (void)uv_timer_start(&slot->timer, on_timer, ms, 0); /* Has a callback. */
}

/* The warden's number of what runs. */
static uint32_t ward_of(const struct slot *slot)
{
    return slot->host ? host_ward(slot->host) : slot->id;
}

void slot_end_command(struct slot *slot)
{
    struct bt_err err = BT_ERR_INIT;
    (void)uv_timer_stop(&slot->timer); /* Never fails. */
    if (slot->is_clean) { /* Only a daemon that hides still holds the output; it is hunted. */
        finish_streams(slot);
        slot_conclude(slot);
        return;
    }
    slot->phase = PHASE_ENDING;
    if (bt_warden_end(slot->worker->warden, ward_of(slot), &err) < 0)
        lose_warden(slot->worker, &err);
}

/* Asks the command to end, and sees to it after the grace time. */
static void terminate(struct slot *slot)
{
    struct bt_worker *worker = slot->worker;
    struct bt_err err = BT_ERR_INIT;
    if (slot->is_now) {
        slot_end_command(slot);
        return;
    }
    uint64_t grace_ms = (uint64_t)worker->config.kill_grace_ms;
    slot_start_timer(slot, grace_ms);
    slot->grace_end_ms = uv_now(&worker->loop) + grace_ms;
    if (bt_warden_signal(worker->warden, ward_of(slot), SIGTERM, &err) < 0)
        lose_warden(slot->worker, &err);
}

static void on_timer(uv_timer_t *timer)
{
    struct slot *slot = timer->data;
    bool is_timeout = !slot->is_timed_out && !slot->is_killed &&
                      (slot->phase == PHASE_PREPARING || slot->phase == PHASE_BRINGING ||
                       slot->phase == PHASE_WAITING || slot->phase == PHASE_RUNNING ||
                       slot->phase == PHASE_WORKING);
    if (is_timeout) {
        slot->is_timed_out = true; /* A waiting one is looked at in the worker's turn. */
        slot->is_core_over = true;
        if (slot->phase == PHASE_RUNNING)
            terminate(slot);
    } else if (slot->phase == PHASE_RUNNING || slot->phase == PHASE_DRAINING) {
        slot_end_command(slot);
    }
    bt_worker_turn(slot->worker);
}

/* The main process is gone: what remains is output, and others of its group. */
static void check_drained(struct slot *slot)
{
    if (slot->phase != PHASE_DRAINING)
        return;
    if (!has_open_stream(slot) && slot->is_clean) {
        finish_streams(slot);
        slot_conclude(slot);
    } else if (!has_open_stream(slot)) {
        slot_end_command(slot);
    }
}

void slot_on_output(struct stream *stream)
{
    read_stream(stream, READS_PER_TURN);
    check_drained(stream->slot);
}

static void on_exited(struct slot *slot, const struct bt_warden_event *event)
{
    struct bt_worker *worker = slot->worker;
    slot->status = event->status;
    slot->is_clean = event->is_clean;
    if (slot->phase == PHASE_ENDING && event->is_clean) {
        finish_streams(slot); /* It ended by itself just before we asked for it. */
        slot_conclude(slot);
        return;
    }
    if (slot->phase != PHASE_RUNNING)
        return;
    slot->phase = PHASE_DRAINING;
    for (int i = 0; i < STREAM_COUNT; i++)
        read_stream(&slot->streams[i], READS_PER_TURN);
    uint64_t wait_ms = BT_DRAIN_MS;
    uint64_t now_ms = uv_now(&worker->loop);
    if (slot->grace_end_ms > 0)
        wait_ms = slot->grace_end_ms > now_ms ? slot->grace_end_ms - now_ms : 0;
    check_drained(slot);
    if (slot->phase == PHASE_DRAINING)
        slot_start_timer(slot, wait_ms);
}

void slot_on_event(struct slot *slot, const struct bt_warden_event *event)
{
    struct bt_err err = BT_ERR_INIT;
    switch ((enum bt_warden_kind)event->kind) {
    case BT_WARDEN_FAILED:
        (void)bt_warden_explain(event, slot->plan.argv[0], &err); /* Gives the code. */
        slot->has_run = false;
        finish_streams(slot);
        slot_fail(slot, &err);
        return;
    case BT_WARDEN_EXITED: on_exited(slot, event); return;
    case BT_WARDEN_ENDED:
        slot->status = event->status;
        finish_streams(slot);
        slot_conclude(slot);
        return;
    }
}

static void on_warden_lost(struct slot *slot, const struct bt_err *why)
{
    if (slot->phase != PHASE_RUNNING && slot->phase != PHASE_DRAINING &&
        slot->phase != PHASE_ENDING)
        return;
    slot->has_run = false;
    finish_streams(slot);
    if (slot->is_host)
        slot_host_drop(slot);
    slot_fail(slot, why);
}

void lose_warden(struct bt_worker *worker, const struct bt_err *why)
{
    worker->warden = bt_warden_stop(worker->warden);
    bt_warden_kill_marked(worker->key);
    hosts_lose(worker);
    for (unsigned i = 0; i < worker->config.slots; i++)
        on_warden_lost(&worker->slots[i], why);
}

/* --- The beginning ---------------------------------------------------------------------------- */

static int open_stream(struct stream *stream, int *ret_theirs, struct bt_err *err)
{
    int fds[2];
    struct slot *slot = stream->slot;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make a pipe");
    stream->fd = fds[0];
    *ret_theirs = fds[1];
    struct epoll_event event = {.events = EPOLLIN};
    event.data.u64 = (uint64_t)slot->id * STREAM_COUNT + (uint64_t)(stream - slot->streams);
    if (fcntl(stream->fd, F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(slot->worker->epoll, EPOLL_CTL_ADD, stream->fd, &event) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot watch a pipe");
    return BT_OK;
}

static int spawn(struct slot *slot, struct bt_err *err)
{
    BT_FD out = -1;
    BT_FD error = -1;
    if (slot->is_host)
        return slot_host_spawn(slot, err);
    BT_TRY(worker_warden(slot->worker, err));
    BT_TRY(open_stream(&slot->streams[STREAM_OUT], &out, err));
    BT_TRY(open_stream(&slot->streams[STREAM_ERR], &error, err));
    struct bt_command command = {
        .id = slot->id,
        .argv = slot->plan.argv,
        .env = slot->plan.env,
        .dir = slot->work_dir,
        .out_fd = out,
        .err_fd = error,
    };
    return bt_warden_spawn(slot->worker->warden, &command, err);
}

void slot_run(struct slot *slot)
{
    struct bt_err err = BT_ERR_INIT;
    slot->worker->waiting -= slot->phase == PHASE_WAITING;
    slot->phase = PHASE_BRINGING;
    if (slot->is_killed || slot->is_timed_out) {
        slot_conclude(slot);
        return;
    }
    if (slot_is_keeper(slot)) {
        slot->has_run = true;
        slot_conclude(slot);
        return;
    }
    int rc = spawn(slot, &err);
    if (rc == BT_ABORTED) { /* The warden was killed: another one takes its place. */
        finish_streams(slot);
        lose_warden(slot->worker, &err);
        rc = spawn(slot, &err);
    }
    if (rc == BT_OK) {
        slot->phase = PHASE_RUNNING;
        slot->has_run = true;
        return;
    }
    if (rc == BT_BUSY && slot->is_host) {
        slot->phase = PHASE_WAITING;
        slot->worker->waiting++;
        return;
    }
    finish_streams(slot);
    slot_fail(slot, &err);
}

void slots_go_on(struct bt_worker *worker)
{
    for (unsigned i = 0; worker->waiting > 0 && i < worker->config.slots; i++) {
        struct slot *slot = &worker->slots[i];
        bool is_over = slot->is_killed || slot->is_timed_out;
        if (slot->phase == PHASE_WAITING && (is_over || hosts_have_free(worker)))
            slot_run(slot);
    }
}

static void work_done(uv_work_t *work, int status)
{
    struct slot *slot = work->data;
    (void)status; /* Nothing cancels it. */
    if (slot->help != HELP_NONE) {
        slot_host_helped(slot);
    } else if (slot->phase == PHASE_PREPARING) {
        slot_prepared(slot);
    } else if (slot->phase == PHASE_BRINGING && slot->work_rc < 0) {
        slot_conclude(slot);
    } else if (slot->phase == PHASE_BRINGING) {
        slot_run(slot);
    } else if (slot->phase == PHASE_STORING) {
        finish(slot);
    } else {
        free_slot(slot);
    }
    bt_worker_turn(slot->worker);
}

void slot_reset(struct slot *slot)
{
    slot->has_run = slot->is_clean = slot->is_host = false;
    slot->has_result = slot->has_children = slot->has_lost_contact = false;
    slot->is_host_warning = slot->is_refused = slot->has_to_conclude = false;
    slot->has_dir = slot->is_dir_kept = slot->is_flushing = false;
    slot->core = NULL;
    slot->is_core_over = slot->is_killed || slot->is_timed_out;
    slot->grace_end_ms = 0;
    slot->status = 0;
    slot->err = (struct bt_err)BT_ERR_INIT;
    slot->capture = (struct bt_capture){.log = on_protocol_log, .data = slot};
    for (int i = 0; i < STREAM_COUNT; i++)
        slot->streams[i].lines.count = 0;
}

void slot_kill(struct slot *slot, bool is_now)
{
    bool is_again = slot->is_killed && (slot->is_now || !is_now);
    if (slot->phase == PHASE_FREE || slot->phase == PHASE_REMOVING || is_again)
        return;
    bool was_asked = slot->is_killed || slot->is_timed_out;
    slot->is_killed = true;
    slot->is_now = slot->is_now || is_now;
    slot->is_core_over = true;
    if (slot->phase == PHASE_RUNNING && (!was_asked || slot->is_now))
        terminate(slot);
    else if (slot->phase == PHASE_DRAINING)
        slot_end_command(slot);
}

void slot_init(struct slot *slot, struct bt_worker *worker, uint32_t id)
{
    *slot = (struct slot){.worker = worker, .id = id, .help_fd = -1};
    slot->asks = (struct bt_asks){.files = worker->config.files, .world = worker->config.world};
    static const enum bt_level levels[STREAM_COUNT] = {BT_LEVEL_INFO, BT_LEVEL_ERROR};
    bt_logs_init(&slot->logs, &worker->config.sink);
    for (int i = 0; i < STREAM_COUNT; i++) {
        struct stream *stream = &slot->streams[i];
        *stream = (struct stream){.slot = slot, .fd = -1, .level = levels[i]};
        bt_lines_init(&stream->lines, on_line, stream);
    }
    slot->notes.text = (struct bt_buf)BT_BUF_INIT(1 << 20);
    (void)uv_timer_init(&worker->loop, &slot->timer); /* Never fails. */
    slot->timer.data = slot;
}

void slot_done(struct slot *slot)
{
    assert(slot->phase == PHASE_FREE);
    free(BT_TAKE(slot->flush_error));
    for (int i = 0; i < STREAM_COUNT; i++)
        bt_lines_done(&slot->streams[i].lines);
    bt_logs_done(&slot->logs);
}
