/* logs.h — Log lines as append-only compressed chunks in segment files, shared by all executions.
 *
 * A chunk holds lines of one execution (at most BT_LOG_CHUNK_BYTES before compression). Its bytes
 * are appended to the current segment; the index row that names them is written by the journal's
 * commit. Bytes without a row (a crash in between) are never read. One writer thread; readers any
 * thread. */
#pragma once
#include "base/err.h"
#include "base/level.h"
#include "base/str.h"

#include <stdbool.h>

struct bt_log_entry {
    int64_t time_us;
    uint32_t taskrun; /* 0: the execution itself. */
    uint32_t attempt;
    enum bt_level level;
    struct bt_str text;
};

/* Lines of a chunk that are of one hour (since 1970), by level. */
struct bt_log_hour {
    int64_t hour;
    uint32_t counts[BT_LEVEL_COUNT];
};
enum { BT_LOG_HOURS_MAX = 4 }; /* A chunk ends before a line of one more hour. */

/* The index row of a chunk. */
struct bt_log_chunk {
    uint64_t exec;
    uint64_t first_line; /* 0-based number of its first line within the execution. */
    uint32_t lines;
    uint32_t levels; /* Bit per enum bt_level that occurs. */
    int64_t from_us, to_us;
    uint32_t segment;
    uint64_t offset;
    uint32_t length; /* Bytes in the segment. */
    /* All lines, each in its hour; filled when a chunk is appended, not when its row is read. */
    struct bt_log_hour hours[BT_LOG_HOURS_MAX];
    uint32_t hour_count;
};
/* Counts a line; false: its hour would be one too many. */
bool bt_log_chunk_count(struct bt_log_chunk *chunk, const struct bt_log_entry *entry);

struct bt_logs; /* Opaque. */

/* `dir` is made when missing. is_durable false: never syncs (temporary stores). */
int bt_logs_open(const char *dir, bool is_durable, struct bt_logs **ret_logs, struct bt_err *err);
struct bt_logs *bt_logs_close(struct bt_logs *logs); /* Accepts and returns NULL. */

/* Appends entries of one execution as one chunk and fills everything but exec and first_line. Takes
 * as many entries as fit; *ret_used (≥ 1) says how many. Longer texts than BT_LOG_MESSAGE_MAX must
 * have been cut before. */
int bt_logs_append(struct bt_logs *logs, const struct bt_log_entry *entries, size_t count,
                   struct bt_log_chunk *ret_chunk, size_t *ret_used, struct bt_err *err);
/* Makes what was appended durable. Before the commit of the index rows. */
int bt_logs_sync(struct bt_logs *logs, struct bt_err *err);
/* Calls `each` for every line of a chunk; a negative result ends it and is returned. */
int bt_logs_read(struct bt_logs *logs, const struct bt_log_chunk *chunk,
                 int (*each)(void *data, const struct bt_log_entry *entry), void *data,
                 struct bt_err *err);
