/* lines.c — Counters of log lines, and the counting of what is older than they are. */
#include "store/sqlite/lines.h"

#include "base/own.h"
#include "base/vec.h"
#include "store/sqlite/rollups.h"
#include "value/json.h"

static const char sql_add[] =
    "INSERT INTO log_lines(flow,hour,trace,debug,info,warn,error) VALUES(?1,?2,?3,?4,?5,?6,?7)"
    " ON CONFLICT(flow,hour) DO UPDATE SET trace=trace+?3,debug=debug+?4,info=info+?5,"
    "warn=warn+?6,error=error+?7";
static const char sql_drop[] = "DELETE FROM log_lines WHERE flow=?1 AND hour=?2 AND trace=0"
                               " AND debug=0 AND info=0 AND warn=0 AND error=0";
static const char sql_is_filled[] = "SELECT 1 FROM numbers WHERE name='uncounted_chunks'";
static const char sql_uncounted[] =
    "SELECT c.exec,c.first_line,c.from_us,c.segment,c.offset,c.length,e.flow FROM log_chunks c"
    " JOIN executions e ON e.key=c.exec WHERE (c.exec,c.first_line)>(?1,?2) AND c.counts IS NULL"
    " ORDER BY c.exec,c.first_line LIMIT ?3";
static const char sql_set[] = "UPDATE log_chunks SET counts=?3 WHERE exec=?1 AND first_line=?2";
static const char sql_filled[] = "DELETE FROM numbers WHERE name='uncounted_chunks'";

/* --- The row of a chunk ----------------------------------------------------------------------- */

void bt_lines_format(const struct bt_log_chunk *chunk, struct bt_buf *out)
{
    (void)bt_buf_addc(out, '['); /* Failures are sticky; the caller checks once. */
    for (uint32_t i = 0; i < chunk->hour_count; i++) {
        const struct bt_log_hour *hour = &chunk->hours[i];
        (void)bt_buf_addf(out, "%s[%lld,%u,%u,%u,%u,%u]", i ? "," : "", (long long)hour->hour,
                          hour->counts[BT_LEVEL_TRACE], hour->counts[BT_LEVEL_DEBUG],
                          hour->counts[BT_LEVEL_INFO], hour->counts[BT_LEVEL_WARN],
                          hour->counts[BT_LEVEL_ERROR]);
    }
    (void)bt_buf_addc(out, ']');
}

int bt_lines_parse(struct bt_str text, struct bt_log_chunk *chunk, struct bt_err *err)
{
    BT_VALUE list = NULL;
    chunk->hour_count = 0;
    if (!text.len)
        return BT_OK;
    BT_TRY(bt_json_parse(text, NULL, &list, err));
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *item = bt_list_at(list, i);
        if (i >= BT_LOG_HOURS_MAX || bt_value_count(item) != 1 + BT_LEVEL_COUNT)
            return bt_fail(err, BT_CORRUPT, "the counts of a log chunk are not readable");
        struct bt_log_hour *hour = &chunk->hours[chunk->hour_count++];
        hour->hour = bt_value_as_int(bt_list_at(item, 0));
        for (size_t level = 0; level < BT_LEVEL_COUNT; level++)
            hour->counts[level] = (uint32_t)bt_value_as_int(bt_list_at(item, level + 1));
    }
    return BT_OK;
}

/* --- Counters --------------------------------------------------------------------------------- */

int bt_lines_add(struct bt_db *db, const struct bt_line_counts *counts, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_less = false;
    BT_TRY(bt_db_prepare(db, sql_add, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, counts->flow);
    (void)sqlite3_bind_int64(statement, 2, counts->hour);
    for (int level = 0; level < BT_LEVEL_COUNT; level++) {
        (void)sqlite3_bind_int64(statement, 3 + level, counts->counts[level]);
        is_less = is_less || counts->counts[level] < 0;
    }
    BT_TRY(bt_db_run(db, statement, err));
    if (!is_less)
        return BT_OK;
    BT_TRY(bt_db_prepare(db, sql_drop, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, counts->flow);
    (void)sqlite3_bind_int64(statement, 2, counts->hour);
    return bt_db_run(db, statement, err);
}

/* --- What is older ---------------------------------------------------------------------------- */

enum { SLICE = 500 };

struct uncounted {
    struct bt_log_chunk chunk;
    int64_t flow;
};

struct filling {
    struct bt_db *db;
    struct bt_logs *logs;
    BT_VEC(struct uncounted) slice;
};

static int count_line(void *data, const struct bt_log_entry *entry)
{
    /* Times that are that far apart have no chart to stand in. */
    (void)bt_log_chunk_count(data, entry);
    return BT_OK;
}

/* The next ones after the slice's last. */
static int read_slice(struct filling *filling, struct bt_err *err)
{
    size_t count = filling->slice.count;
    const struct bt_log_chunk *last = count ? &filling->slice.items[count - 1].chunk : NULL;
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(filling->db, sql_uncounted, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, last ? (int64_t)last->exec : -1);
    (void)sqlite3_bind_int64(statement, 2, last ? (int64_t)last->first_line : 0);
    (void)sqlite3_bind_int64(statement, 3, SLICE);
    filling->slice.count = 0;
    BT_TRY(bt_db_step(filling->db, statement, &is_row, err));
    while (is_row) {
        struct uncounted found = {
            .chunk = {.exec = (uint64_t)sqlite3_column_int64(statement, 0),
                      .first_line = (uint64_t)sqlite3_column_int64(statement, 1),
                      .from_us = sqlite3_column_int64(statement, 2),
                      .segment = (uint32_t)sqlite3_column_int64(statement, 3),
                      .offset = (uint64_t)sqlite3_column_int64(statement, 4),
                      .length = (uint32_t)sqlite3_column_int64(statement, 5)},
            .flow = sqlite3_column_int64(statement, 6),
        };
        bt_vec_push(&filling->slice, found);
        BT_TRY(bt_db_step(filling->db, statement, &is_row, err));
    }
    return BT_OK;
}

static int add_hours(struct filling *filling, const struct uncounted *found, struct bt_err *err)
{
    for (uint32_t i = 0; i < found->chunk.hour_count; i++) {
        const struct bt_log_hour *hour = &found->chunk.hours[i];
        struct bt_line_counts counts = {.flow = found->flow, .hour = hour->hour};
        for (int level = 0; level < BT_LEVEL_COUNT; level++)
            counts.counts[level] = hour->counts[level];
        BT_TRY(bt_lines_add(filling->db, &counts, err));
        counts.flow = BT_ROLL_ALL_FLOWS;
        BT_TRY(bt_lines_add(filling->db, &counts, err));
    }
    return BT_OK;
}

static int fill_one(struct filling *filling, struct uncounted *found, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1024);
    sqlite3_stmt *statement;
    if (bt_logs_read(filling->logs, &found->chunk, count_line, &found->chunk, NULL) < 0)
        found->chunk.hour_count = 0;
    bt_lines_format(&found->chunk, &text);
    BT_TRY(bt_buf_check(&text, "the counts of a log chunk", err));
    BT_TRY(bt_db_prepare(filling->db, sql_set, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)found->chunk.exec);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)found->chunk.first_line);
    bt_db_bind(statement, 3, bt_buf_str(&text));
    BT_TRY(bt_db_run(filling->db, statement, err));
    return add_hours(filling, found, err);
}

static int fill_slice(struct filling *filling, struct bt_err *err)
{
    BT_TRY(bt_db_exec(filling->db, "BEGIN IMMEDIATE", err));
    int rc = read_slice(filling, err);
    for (size_t i = 0; rc == BT_OK && i < filling->slice.count; i++)
        rc = fill_one(filling, &filling->slice.items[i], err);
    if (rc == BT_OK && filling->slice.count == 0)
        rc = bt_db_exec(filling->db, sql_filled, err);
    if (rc == BT_OK)
        rc = bt_db_exec(filling->db, "COMMIT", err);
    if (rc < 0)
        bt_db_rollback(filling->db);
    return rc;
}

int bt_lines_fill(struct bt_db *db, struct bt_logs *logs, struct bt_err *err)
{
    struct filling filling = {.db = db, .logs = logs};
    sqlite3_stmt *statement;
    bool is_left;
    BT_TRY(bt_db_prepare(db, sql_is_filled, &statement, err));
    BT_TRY(bt_db_step(db, statement, &is_left, err));
    (void)sqlite3_reset(statement); /* Done with. */
    int rc = BT_OK;
    while (rc == BT_OK && is_left) {
        rc = fill_slice(&filling, err);
        is_left = filling.slice.count > 0;
    }
    bt_vec_done(&filling.slice);
    return rc;
}
