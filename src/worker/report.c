/* report.c — What a worker tells: log lines while a command runs, and its result. */
#include "base/limits.h"
#include "worker/host/slot_host.h"
#include "worker/worker_int.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/wait.h>

static void on_flush(uv_timer_t *timer)
{
    struct bt_worker *worker = timer->data;
    for (unsigned i = 0; i < worker->config.slots; i++)
        bt_logs_flush(&worker->slots[i].logs);
}

void slot_log(struct slot *slot, enum bt_level level, struct bt_str text)
{
    struct bt_worker *worker = slot->worker;
    int64_t now_us = bt_clock_wall_us(worker->config.clock);
    if (bt_masks_has(&slot->asks.masks, text)) {
        BT_CLEANUP(bt_buf_done) struct bt_buf masked = BT_BUF_INIT(16 * text.len + 64);
        if (bt_masks_apply(&slot->asks.masks, text, &masked) == BT_OK)
            bt_logs_add(&slot->logs, now_us, level, bt_buf_str(&masked));
    } else {
        bt_logs_add(&slot->logs, now_us, level, text);
    }
    if (slot->logs.count > 0 && !uv_is_active((uv_handle_t *)&worker->flush_timer))
        (void)uv_timer_start(&worker->flush_timer, on_flush, BT_LOG_FLUSH_MS,
                             0); /* Has a callback. */
}

void slot_log_notes(struct slot *slot)
{
    struct bt_str notes = bt_buf_str(&slot->notes.text);
    while (notes.len > 0) {
        size_t end = (size_t)((const char *)memchr(notes.at, '\n', notes.len) - notes.at);
        slot_log(slot, (enum bt_level)(notes.at[0] - '0'), bt_str_slice(notes, 1, end));
        notes = bt_str_slice(notes, end + 1, notes.len);
    }
    bt_buf_clear(&slot->notes.text);
}

static int exit_code(int32_t status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Of a WorkingDirectory: what its CLOSE has stored. */
static struct bt_value *keeper_outputs(const struct slot *slot)
{
    BT_VALUE outputs = bt_map_new(1);
    if (slot->plan.output_files && slot->uris &&
        bt_map_puts(outputs, "outputFiles", bt_value_ref(slot->uris)) < 0)
        return NULL;
    return BT_TAKE(outputs);
}

struct bt_value *slot_outputs(struct slot *slot)
{
    if (slot->outputs)
        return bt_value_ref(slot->outputs);
    if (slot->is_host)
        return slot_host_outputs(slot);
    if (slot_is_keeper(slot))
        return keeper_outputs(slot);
    BT_VALUE outputs = bt_map_new(5);
    struct bt_value *vars = slot->capture.vars ? bt_value_ref(slot->capture.vars) : bt_map_new(0);
    struct bt_value *uris = slot->uris ? bt_value_ref(slot->uris) : bt_map_new(0);
    int64_t out_count = (int64_t)slot->streams[STREAM_OUT].lines.count;
    int64_t err_count = (int64_t)slot->streams[STREAM_ERR].lines.count;
    int rc = outputs ? BT_OK : BT_NO_MEM;
    if (!outputs) {
        bt_value_unref(vars);
        bt_value_unref(uris);
        return NULL;
    }
    rc |= bt_map_puts(outputs, "exitCode", bt_value_int32(exit_code(slot->status)));
    rc |= bt_map_puts(outputs, "vars", vars);
    rc |= bt_map_puts(outputs, "outputFiles", uris);
    rc |= bt_map_puts(outputs, "stdOutLineCount", bt_value_int(out_count));
    rc |= bt_map_puts(outputs, "stdErrLineCount", bt_value_int(err_count));
    return rc == BT_OK ? BT_TAKE(outputs) : NULL;
}

static void explain_timeout(const struct slot *slot, struct bt_err *err)
{
    int64_t ms = slot->job->timeout_us / 1000;
    (void)bt_fail(err, BT_TIMEOUT, "Timeout after %02lld:%02d:%02d.%03d", (long long)(ms / 3600000),
                  (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
                  (int)(ms % 1000)); /* Gives the code. */
}

/* The state, and in slot->err why when it is FAILED. */
static enum bt_state judge(struct slot *slot)
{
    if (slot->is_timed_out) {
        explain_timeout(slot, &slot->err);
        return BT_FAILED;
    }
    if (slot->is_killed)
        return BT_KILLED;
    if (slot->err.code != BT_OK)
        return BT_FAILED;
    int code = slot->is_host ? 0 : exit_code(slot->status);
    if (code != 0)
        (void)bt_fail(&slot->err, BT_INVALID, "Command failed with exit code %d", code);
    else if (slot->capture.is_too_large)
        (void)bt_fail(&slot->err, BT_LIMIT, "the outputs are larger than the limit of %u bytes",
                      BT_OUTPUT_BYTES_MAX);
    if (slot->err.code != BT_OK)
        return BT_FAILED;
    if (slot->is_host)
        return slot->is_host_warning ? BT_WARNING : BT_SUCCESS;
    bool has_stderr = slot->streams[STREAM_ERR].lines.count > 0;
    return has_stderr && slot->plan.is_warning_on_stderr ? BT_WARNING : BT_SUCCESS;
}

static char *error_text(const struct bt_err *err)
{
    struct bt_buf raw = BT_BUF_INIT(4096);
    struct bt_buf clean = BT_BUF_INIT(4 * 4096);
    (void)bt_buf_addf(&raw, err->hint[0] ? "%s (%s)" : "%s%s", err->msg, err->hint); /* Fits. */
    char *text = NULL;
    if (bt_text_clean(bt_buf_str(&raw), &clean) ==
        BT_OK) /* A plugin's words may be cut anywhere. */
        text = bt_str_dup(bt_buf_str(&clean));
    bt_buf_done(&raw);
    bt_buf_done(&clean);
    return text;
}

enum bt_state slot_report(struct slot *slot)
{
    struct bt_worker *worker = slot->worker;
    const struct bt_job *job = slot->job;
    enum bt_state state = judge(slot);
    bt_asks_mask_err(&slot->asks, &slot->err);
    struct bt_job_result result = {
        .exec_key = job->exec_key,
        .taskrun = job->taskrun,
        .token = job->token,
        .state = state,
        .outputs = slot->has_run ? slot_outputs(slot) : NULL,
        .metrics = bt_value_ref(slot->capture.metrics),
        .error = state == BT_FAILED ? error_text(&slot->err) : NULL,
        .started_us = slot->started_us,
        .ended_us = bt_clock_wall_us(worker->config.clock),
    };
    bt_capture_done(&slot->capture); /* The result is the only owner now. */
    bt_logs_flush(&slot->logs);
    worker->config.sink.result(worker->config.sink.data, &result);
    return state;
}

void report_lost(struct bt_worker *worker, struct bt_job *job)
{
    assert(worker->config.sink.lost);
    worker->config.sink.lost(worker->config.sink.data, job);
    (void)bt_job_free(job); /* Gives NULL. */
}

void report_killed(struct bt_worker *worker, struct bt_job *job)
{
    int64_t now_us = bt_clock_wall_us(worker->config.clock);
    struct bt_job_result result = {
        .exec_key = job->exec_key,
        .taskrun = job->taskrun,
        .token = job->token,
        .state = BT_KILLED,
        .started_us = now_us,
        .ended_us = now_us,
    };
    worker->config.sink.result(worker->config.sink.data, &result);
    (void)bt_job_free(job); /* Gives NULL. */
}
