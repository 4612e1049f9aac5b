/* logs.c — Batches of log lines. Without memory lines are dropped, never the attempt. */
#include "worker/runner/logs.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/utf8.h"
#include "worker/runner/lines.h"

#include <assert.h>
#include <stdlib.h>

enum { BATCH_LINES_MAX = 1024, BATCH_BYTES_MAX = BT_LOG_CHUNK_BYTES };

void bt_logs_init(struct bt_logs *logs, const struct bt_worker_sink *sink)
{
    *logs = (struct bt_logs){.sink = sink};
    logs->text = (struct bt_buf)BT_BUF_INIT(2 * BATCH_BYTES_MAX);
}

void bt_logs_begin(struct bt_logs *logs, const struct bt_job *job)
{
    assert(logs->count == 0);
    logs->job = job;
    logs->used_bytes = 0;
    logs->is_full = false;
}

void bt_logs_done(struct bt_logs *logs)
{
    bt_buf_done(&logs->text);
    free(logs->lines);
    *logs = (struct bt_logs){0};
}

void bt_logs_flush(struct bt_logs *logs)
{
    if (logs->count == 0)
        return;
    size_t at = 0;
    for (size_t i = 0; i < logs->count; i++) {
        logs->lines[i].text.at = logs->text.at ? logs->text.at + at : "";
        at += logs->lines[i].text.len;
    }
    assert(at == logs->text.len);
    if (logs->sink->logs)
        logs->sink->logs(logs->sink->data, logs->job, logs->lines, logs->count);
    bt_buf_clear(&logs->text);
    logs->count = 0;
}

static bool reserve_line(struct bt_logs *logs)
{
    if (logs->count < logs->cap)
        return true;
    size_t cap = logs->cap ? 2 * logs->cap : 16;
    struct bt_log_line *lines = realloc(logs->lines, cap * sizeof *lines);
    if (!lines)
        return false;
    logs->lines = lines;
    logs->cap = cap;
    return true;
}

/* One entry of valid text that fits. */
static void add_entry(struct bt_logs *logs, int64_t now_us, enum bt_level level, struct bt_str text)
{
    if (logs->text.len + text.len > BATCH_BYTES_MAX || logs->count == BATCH_LINES_MAX)
        bt_logs_flush(logs);
    if (!reserve_line(logs) || bt_buf_add(&logs->text, text) != BT_OK)
        return;
    logs->lines[logs->count++] =
        (struct bt_log_line){.time_us = now_us, .level = level, .text = {NULL, text.len}};
}

static void add_pieces(struct bt_logs *logs, int64_t now_us, enum bt_level level,
                       struct bt_str text)
{
    do {
        size_t len = bt_text_piece(text, BT_LOG_MESSAGE_MAX);
        size_t cost = len + BT_LOG_LINE_BYTES; /* Short lines cost as well. */
        if (logs->used_bytes + cost > BT_LOG_QUOTA_BYTES) {
            char notice[160];
            (void)snprintf(notice, sizeof notice,
                           "The log ends here: it is longer than the limit of %u MiB for one "
                           "attempt. The command goes on.",
                           BT_LOG_QUOTA_BYTES >> 20); /* Fits. */
            logs->is_full = true;
            add_entry(logs, now_us, BT_LEVEL_WARN, bt_str_of(notice));
            return;
        }
        logs->used_bytes += cost;
        add_entry(logs, now_us, level, bt_str_slice(text, 0, len));
        text = bt_str_slice(text, len, text.len);
    } while (text.len > 0);
}

void bt_logs_add(struct bt_logs *logs, int64_t now_us, enum bt_level level, struct bt_str raw)
{
    if (logs->is_full)
        return;
    if (bt_utf8_is_valid(raw, NULL) && (raw.len == 0 || !memchr(raw.at, '\0', raw.len))) {
        add_pieces(logs, now_us, level, raw);
        return;
    }
    struct bt_buf clean = BT_BUF_INIT(3 * raw.len);
    if (bt_text_clean(raw, &clean) == BT_OK)
        add_pieces(logs, now_us, level, bt_buf_str(&clean));
    bt_buf_done(&clean);
}
