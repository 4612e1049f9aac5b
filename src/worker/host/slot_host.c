/* slot_host.c — One attempt in a plugin host: the order, what comes back, and every way in which it
 * can end. Whatever a plugin does, exactly one conclusion follows, and it names the plugin. */
#include "worker/host/slot_host.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "value/json.h"
#include "worker/host/child.h"
#include "worker/host/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READS_PER_TURN = 4, READS_AT_END = 64, MESSAGES_PER_TURN = 256 };

/* --- The order -------------------------------------------------------------------------------- */

static void add_text(struct bt_buf *out, const char *key, const char *text)
{
    (void)bt_buf_addf(out, ",\"%s\":", key); /* All checked in make_order(). */
    (void)bt_json_write_str(bt_str_of(text), out);
}

static void add_int(struct bt_buf *out, const char *key, int64_t number)
{
    (void)bt_buf_addf(out, ",\"%s\":%lld", key, (long long)number); /* Checked in make_order(). */
}

static void add_info(struct bt_buf *out, const struct bt_job *job)
{
    (void)bt_buf_adds(out, ",\"info\":{\"plugin\":"); /* Checked in make_order(). */
    (void)bt_json_write_str(bt_str_of(job->task->type->plugin->name), out);
    add_text(out, "version", job->task->type->plugin->version);
    add_text(out, "tenant", job->tenant);
    add_text(out, "namespace", job->flow->namespace);
    add_text(out, "flowId", job->flow->id);
    add_text(out, "executionId", job->exec_id);
    add_text(out, "taskId", job->task->id);
    add_text(out, "taskRunId", job->taskrun_id);
    add_int(out, "attempt", job->attempt);
    (void)bt_buf_addc(out, '}');
}

static const char *kind_of(const struct bt_type *type)
{
    if (type->exec != BT_EXEC_TRIGGER)
        return "task";
    return bt_value_as_bool(bt_map_gets(type->manifest, "realtime")) ? "listen" : "poll";
}

static int make_order(struct slot *slot, const struct bt_host_props *props, struct bt_err *err)
{
    const struct bt_type *type = slot->job->task->type;
    struct bt_buf *out = &slot->order;
    bool is_trigger = type->exec == BT_EXEC_TRIGGER;
    *out = (struct bt_buf)BT_BUF_INIT(BT_HOST_MESSAGE_MAX);
    (void)bt_buf_addf(out, "{\"type\":\"run\",\"protocol\":%d,\"kind\":\"%s\"", BT_HOST_PROTOCOL,
                      kind_of(type)); /* All checked at the end. */
    add_text(out, "task", type->name);
    add_text(out, "workDir", slot->work_dir);
    add_int(out, "memoryBytes", props->memory_bytes);
    add_int(out, "cpuSeconds", props->cpu_s);
    add_info(out, slot->job);
    (void)bt_buf_adds(out, ",\"properties\":");
    BT_TRY(bt_json_write(props->map, BT_JSON_COMPACT, out, err));
    const struct bt_value *state = bt_map_gets(slot->job->variables, "triggerState");
    if (is_trigger && state) {
        (void)bt_buf_adds(out, ",\"state\":");
        BT_TRY(bt_json_write(state, BT_JSON_COMPACT, out, err));
    }
    (void)bt_buf_addc(out, '}');
    return bt_buf_check(out, "the properties of the task", err);
}

int slot_host_plan(struct slot *slot, struct bt_err *err)
{
    const struct bt_plugin_info *plugin = slot->job->task->type->plugin;
    struct bt_capabilities capabilities = bt_asks_capabilities(&slot->asks);
    struct bt_host_props props = {0};
    if (plugin->problem)
        return bt_fail(err, BT_UNAVAILABLE, "the plugin '%s' cannot be used: %s", plugin->name,
                       plugin->problem);
    const char *missing = bt_sandbox_missing(plugin->sandbox | slot->worker->sandbox);
    if (missing)
        return bt_fail(err, BT_UNAVAILABLE, "the plugin '%s' cannot be used: %s", plugin->name,
                       missing);
    BT_TRY(bt_host_props_make(slot->job, slot->work_dir, &capabilities, &props, err));
    int rc = make_order(slot, &props, err);
    slot->limits = (struct bt_plugin_limits){props.memory_bytes, props.cpu_s, plugin->limits.tasks};
    bt_value_unref(props.map);
    return rc;
}

int slot_host_spawn(struct slot *slot, struct bt_err *err)
{
    const struct bt_plugin_info *plugin = slot->job->task->type->plugin;
    for (;;) {
        struct host *host = NULL;
        BT_TRY(host_acquire(slot, plugin, &host, err));
        bool is_new = host->tasks++ == 0;
        slot->host = host;
        int rc = host_send(host, bt_buf_str(&slot->order), -1, err);
        if (rc == BT_OK || is_new)
            return BT_OK;       /* A new one that does not read ends, and that tells why. */
        slot_host_retire(slot); /* It died while it was idle: the order never reached it. */
    }
}

void slot_host_retire(struct slot *slot)
{
    struct host *host = slot->host;
    slot->host = NULL;
    bt_fd_close(&host->fds[HOST_SOCKET]);
    host_release(host); /* Idle without a socket: the warden tells its end, or has already. */
    host_end(host);
}

/* --- Output ----------------------------------------------------------------------------------- */

static void read_pipe(struct slot *slot, int which, int reads)
{
    struct host *host = slot->host;
    char *chunk = slot->worker->chunk;
    for (; reads > 0 && host->fds[which] >= 0; reads--) {
        ssize_t got = read(host->fds[which], chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            bt_fd_close(&host->fds[which]);
        else
            bt_lines_feed(&slot->streams[which].lines, (struct bt_str){chunk, (size_t)got});
    }
}

/* All that was written until now belongs to this attempt. */
static void finish_output(struct slot *slot)
{
    for (int which = 0; which < HOST_PIPE_COUNT; which++) {
        if (slot->host)
            read_pipe(slot, which, READS_AT_END);
        bt_lines_end(&slot->streams[which].lines);
    }
}

/* --- Ends ------------------------------------------------------------------------------------- */

void slot_host_drop(struct slot *slot)
{
    finish_output(slot);
    if (slot->host)
        host_forget(slot->host);
    slot->host = NULL;
}

/* Something ended that should not have: the process's own end, if it comes now, tells more. */
static void lose_contact(struct slot *slot, const char *what)
{
    if (slot->phase != PHASE_RUNNING || slot->is_refused)
        return;
    (void)bt_fail(&slot->err, BT_INVALID, "the plugin '%s' closed its %s before its result",
                  slot->host->plugin->name, what);
    slot->has_lost_contact = true;
    slot->phase = PHASE_DRAINING;
    slot_start_timer(slot, BT_DRAIN_MS);
}

/* It broke the protocol: it is killed. */
static void blame(struct slot *slot, struct bt_err *why)
{
    for (char *c = why->msg; *c; c++)
        if ((unsigned char)*c < 32 || (unsigned char)*c > 126)
            *c = '?';
    (void)bt_fail(&slot->err, BT_INVALID, "the plugin '%s' sent %s", slot->host->plugin->name,
                  why->msg);
    bt_fd_close(&slot->host->fds[HOST_SOCKET]);
    slot_end_command(slot);
}

static bool may_stay(const struct slot *slot)
{
    const struct host *host = slot->host;
    return host->plugin->is_reused && !slot->is_killed && !slot->is_timed_out &&
           !slot->has_children && slot->host_bytes <= BT_HOST_RSS_MAX &&
           (slot->limits.tasks <= 0 || host->tasks < slot->limits.tasks) &&
           host->out.len == host->out_at && host->fds[HOST_SOCKET] >= 0;
}

static void on_result(struct slot *slot)
{
    struct host *host = slot->host;
    if (may_stay(slot)) {
        finish_output(slot);
        if (!slot->outer && !slot->place) /* An http() call works in the directory of its task. */
            slot_host_keep_dir(slot);
        slot->host = NULL;
        host_release(host);
        slot_conclude(slot);
        return;
    }
    if (slot->has_children) {
        slot_end_command(slot);
        return;
    }
    (void)shutdown(host->fds[HOST_SOCKET], SHUT_WR); /* It may have gone already. */
    slot->phase = PHASE_DRAINING;
    slot_start_timer(slot, BT_DRAIN_MS);
}

static const char *signal_words(int number)
{
    const char *words = sigdescr_np(number);
    return words ? words : "unknown";
}

/* Why the process ended before its result. */
static void explain_end(struct slot *slot, const struct bt_warden_event *event)
{
    const char *name = slot->host->plugin->name;
    int number = WIFSIGNALED(event->status) ? WTERMSIG(event->status) : 0;
    int64_t limit = slot->limits.memory_bytes;
    bool is_full = limit > 0 && event->memory_bytes >= limit / 4 * 3;
    if (number == SIGXCPU)
        (void)bt_fail(&slot->err, BT_LIMIT,
                      "the plugin '%s' used more than its limit of %lld s of processor time", name,
                      (long long)slot->limits.cpu_s);
    else if (number != 0 && is_full)
        (void)bt_fail(&slot->err, BT_LIMIT,
                      "the plugin '%s' reached its memory limit of %lld MiB and crashed "
                      "(signal %d, %s)",
                      name, (long long)(limit >> 20), number, signal_words(number));
    else if (number == SIGKILL)
        (void)bt_fail(&slot->err, BT_INVALID,
                      "the plugin '%s' was killed (signal 9) by somebody else, perhaps because the "
                      "machine ran out of memory",
                      name);
    else if (number != 0)
        (void)bt_fail(&slot->err, BT_INVALID, "the plugin '%s' crashed (signal %d, %s)", name,
                      number, signal_words(number));
    else if (WEXITSTATUS(event->status) == CHILD_EXIT_CONFINE)
        (void)bt_fail(&slot->err, BT_UNAVAILABLE,
                      "the plugin '%s' cannot be used: its sandbox could not be set up", name);
    else
        (void)bt_fail(&slot->err, BT_INVALID,
                      "the plugin '%s' ended before its result (exit code %d)", name,
                      WEXITSTATUS(event->status));
    for (char *c = strstr(slot->err.msg, ", "); c && number != 0; c = NULL)
        c[2] = (char)(c[2] >= 'A' && c[2] <= 'Z' ? c[2] - 'A' + 'a' : c[2]);
}

/* --- Messages --------------------------------------------------------------------------------- */

static bool is_listening(const struct slot *slot)
{
    return slot->host && slot->host->state == HOST_BUSY && slot->help == HELP_NONE &&
           (slot->phase == PHASE_RUNNING || slot->phase == PHASE_DRAINING) && !slot->has_result &&
           !slot->is_refused;
}

/* Takes the messages that are whole. False: nothing more is to be read now. */
static bool take_messages(struct slot *slot)
{
    struct bt_str text;
    struct bt_err why = BT_ERR_INIT;
    int rc = BT_OK;
    while (is_listening(slot) && (rc = bt_frames_next(&slot->host->frames, &text, &why)) == BT_OK &&
           (rc = slot_host_message(slot, text, &why)) == BT_OK)
        continue;
    if (rc < 0 && rc != BT_BUSY) {
        blame(slot, &why);
        return false;
    }
    if (slot->has_result && slot->phase == PHASE_RUNNING)
        on_result(slot);
    return is_listening(slot);
}

/* Reads at most `reads` times. */
static void read_socket(struct slot *slot, int reads)
{
    for (; reads > 0 && is_listening(slot) && slot->host->fds[HOST_SOCKET] >= 0; reads--) {
        struct host *host = slot->host;
        struct bt_err why = BT_ERR_INIT;
        char *at;
        size_t len;
        if (bt_frames_room(&host->frames, &at, &len, &why) < 0) {
            blame(slot, &why);
            return;
        }
        ssize_t got = recv(host->fds[HOST_SOCKET], at, len, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            bt_fd_close(&host->fds[HOST_SOCKET]);
            lose_contact(slot, host->plugin->is_executable ? "standard output"
                                                           : "connection to the worker");
            return;
        }
        bt_frames_got(&host->frames, (size_t)got);
        if (!take_messages(slot) || (size_t)got < len)
            return;
    }
}

void slot_host_on_socket(struct slot *slot, uint32_t events)
{
    struct bt_err err = BT_ERR_INIT;
    struct host *host = slot->host;
    if ((events & EPOLLOUT) && host_flush(host, &err) < 0) {
        bt_fd_close(&host->fds[HOST_SOCKET]);
        lose_contact(slot,
                     host->plugin->is_executable ? "standard input" : "connection to the worker");
        return;
    }
    if (slot->help != HELP_NONE) { /* It hung up: its end comes by the warden. */
        bt_fd_close(&host->fds[HOST_SOCKET]);
        return;
    }
    if (!is_listening(slot)) { /* After its result it only ends. */
        char bytes[256];
        if (recv(host->fds[HOST_SOCKET], bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            bt_fd_close(&host->fds[HOST_SOCKET]);
        return;
    }
    read_socket(slot, READS_PER_TURN);
}

void slot_host_on_output(struct slot *slot, int which)
{
    struct host *host = slot->host;
    read_pipe(slot, which, READS_PER_TURN);
    if (which == HOST_PIPE_OUT && host->fds[which] < 0 && !host->plugin->is_executable)
        lose_contact(slot, "standard output");
}

/* --- The helper ------------------------------------------------------------------------------- */

void slot_host_helped(struct slot *slot)
{
    struct bt_err err = BT_ERR_INIT;
    enum help kind = slot->help;
    bool is_there = slot->host && slot->host->fds[HOST_SOCKET] >= 0;
    slot->help = HELP_NONE;
    int rc = is_there ? slot_host_answer(slot, kind, &err) : BT_CONFLICT;
    bt_fd_close(&slot->help_fd);
    free(BT_TAKE(slot->help_name));
    free(BT_TAKE(slot->help_path));
    if (slot->has_to_conclude) {
        slot->has_to_conclude = false;
        slot_conclude(slot);
        return;
    }
    if (!slot->host)
        return;
    host_pause(slot->host, false);
    if (rc < 0)
        lose_contact(slot, "connection to the worker");
    else if (take_messages(slot))
        read_socket(slot, READS_PER_TURN);
}

void slot_host_flushed(struct slot *slot, const char *error)
{
    struct bt_err err = BT_ERR_INIT;
    if (!slot->is_flushing)
        return;
    slot->is_flushing = false;
    if (!slot->host || slot->host->fds[HOST_SOCKET] < 0)
        return; /* It has ended meanwhile. */
    host_pause(slot->host, false);
    if (slot_host_answer_flush(slot, error, &err) < 0)
        lose_contact(slot, "connection to the worker");
    else if (take_messages(slot))
        read_socket(slot, READS_PER_TURN);
}

/* --- The warden's events ---------------------------------------------------------------------- */

static void finish(struct slot *slot)
{
    slot_host_drop(slot);
    slot_conclude(slot);
}

static void on_exited(struct slot *slot, const struct bt_warden_event *event)
{
    if (slot->phase != PHASE_ENDING) {
        read_socket(slot, READS_AT_END); /* Its last words. */
        if (!slot->host || slot->phase == PHASE_ENDING)
            return; /* They were its result, and the host is no more ours; or they were nonsense. */
        if (!slot->has_result && (slot->err.code == BT_OK || slot->has_lost_contact))
            explain_end(slot, event);
    }
    if (event->is_clean)
        finish(slot);
    else if (slot->phase != PHASE_ENDING)
        slot_end_command(slot);
}

void slot_host_on_event(struct slot *slot, const struct bt_warden_event *event)
{
    switch ((enum bt_warden_kind)event->kind) {
    case BT_WARDEN_FAILED:
        (void)bt_warden_explain(event, slot->host->plugin->name, &slot->err); /* Gives the code. */
        finish(slot);
        return;
    case BT_WARDEN_EXITED: on_exited(slot, event); return;
    case BT_WARDEN_ENDED: finish(slot); return;
    }
}

/* --- What is left ----------------------------------------------------------------------------- */

struct bt_value *slot_host_outputs(const struct slot *slot)
{
    if (slot->job->task->type->exec != BT_EXEC_TRIGGER)
        return slot->capture.vars ? bt_value_ref(slot->capture.vars) : bt_map_new(0);
    BT_VALUE outputs = bt_map_new(2);
    struct bt_value *events = slot->events ? bt_value_ref(slot->events) : bt_list_new(0);
    if (!outputs) {
        bt_value_unref(events);
        return NULL;
    }
    int rc = bt_map_puts(outputs, "events", events);
    if (slot->trigger_state)
        rc |= bt_map_puts(outputs, "state", bt_value_ref(slot->trigger_state));
    return rc == BT_OK ? BT_TAKE(outputs) : NULL;
}

void slot_host_done(struct slot *slot)
{
    bt_buf_done(&slot->order);
    slot->events = bt_value_unref(slot->events);
    slot->trigger_state = bt_value_unref(slot->trigger_state);
    free(BT_TAKE(slot->help_answer));
    free(BT_TAKE(slot->help_name));
    free(BT_TAKE(slot->help_path));
}
