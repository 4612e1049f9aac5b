/* logs.h — Collects the log lines of one attempt and hands them over in batches. Keeps the quota.
 */
#pragma once
#include "base/buf.h"
#include "engine/job.h"

struct bt_logs {
    const struct bt_worker_sink *sink; /* Borrowed. */
    const struct bt_job *job;          /* Borrowed. */
    struct bt_buf text;                /* Of the lines that wait, one after the other. */
    struct bt_log_line *lines;         /* Owned; their texts are set when they are handed over. */
    size_t count, cap;
    uint64_t used_bytes; /* Of the quota. */
    bool is_full;        /* The notice was written; what comes now is dropped. */
};

void bt_logs_init(struct bt_logs *logs, const struct bt_worker_sink *sink);
void bt_logs_begin(struct bt_logs *logs, const struct bt_job *job); /* Forgets what was before. */
void bt_logs_done(struct bt_logs *logs);
/* Adds raw text as one entry, or as several when it is too long. */
void bt_logs_add(struct bt_logs *logs, int64_t now_us, enum bt_level level, struct bt_str raw);
void bt_logs_flush(struct bt_logs *logs);
