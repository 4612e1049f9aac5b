/* lines.h — Counters of log lines by flow, hour and level (`log_lines`), and what the row of a
 * chunk says about its own lines. */
#pragma once
#include "base/buf.h"
#include "store/logs/logs.h"
#include "store/sqlite/db.h"

/* As a text of the chunk's row: [[hour,TRACE,DEBUG,INFO,WARN,ERROR],…]. */
void bt_lines_format(const struct bt_log_chunk *chunk, struct bt_buf *out);
/* Fills hours and their count; the text of a chunk that was not counted is empty. */
int bt_lines_parse(struct bt_str text, struct bt_log_chunk *chunk, struct bt_err *err);

struct bt_line_counts {
    int64_t flow; /* BT_ROLL_ALL_FLOWS: of all. */
    int64_t hour;
    int64_t counts[BT_LEVEL_COUNT]; /* What is added, or (negative) taken out. */
};
/* Within a transaction. A row without lines is removed. */
int bt_lines_add(struct bt_db *db, const struct bt_line_counts *counts, struct bt_err *err);

/* Counts the chunks that were written before there were counters, by reading them; does nothing
 * when there are none. At start, before anything is written. What cannot be read is not counted. */
int bt_lines_fill(struct bt_db *db, struct bt_logs *logs, struct bt_err *err);
