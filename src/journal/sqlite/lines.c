/* lines.c — Index rows of log chunks, with the counters of their lines: added up in memory, then
 * written within the batch's transaction. */
#include "journal/sqlite/sqlite_int.h"

#include "base/own.h"
#include "base/vec.h"
#include "store/sqlite/lines.h"
#include "store/sqlite/rollups.h"

static const char sql_put[] =
    "INSERT INTO log_chunks(exec,first_line,lines,levels,from_us,to_us,segment,offset,length,"
    "counts) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)";
static const char sql_drop[] = "DELETE FROM log_chunks WHERE exec=?1";
static const char sql_counts[] = "SELECT counts FROM log_chunks WHERE exec=?1";

struct lines {
    struct lines *next; /* With the same hash. */
    struct bt_line_counts counts;
};

static struct bt_line_counts *counts_of(struct sqlite_journal *self, int64_t flow, int64_t hour)
{
    uint64_t hash = (uint64_t)flow << 24 ^ (uint64_t)hour;
    struct lines *first = bt_map64_get(&self->lines, hash);
    for (struct lines *lines = first; lines; lines = lines->next)
        if (lines->counts.flow == flow && lines->counts.hour == hour)
            return &lines->counts;
    struct lines *lines = calloc(1, sizeof *lines);
    if (!lines)
        bt_die("out of memory");
    *lines = (struct lines){first, {.flow = flow, .hour = hour}};
    bt_map64_put(&self->lines, hash, lines);
    return &lines->counts;
}

static void add_chunk(struct sqlite_journal *self, const struct bt_log_chunk *chunk, int64_t flow,
                      int sign)
{
    const int64_t flows[] = {flow, BT_ROLL_ALL_FLOWS};
    for (uint32_t i = 0; i < chunk->hour_count; i++) {
        for (size_t k = 0; k < BT_COUNT(flows); k++) {
            const struct bt_log_hour *hour = &chunk->hours[i];
            struct bt_line_counts *counts = counts_of(self, flows[k], hour->hour);
            for (int level = 0; level < BT_LEVEL_COUNT; level++)
                counts->counts[level] += sign * (int64_t)hour->counts[level];
        }
    }
}

int chunk_put(struct sqlite_journal *self, const struct bt_log_chunk *chunk, struct bt_err *err)
{
    const int64_t numbers[] = {(int64_t)chunk->exec, (int64_t)chunk->first_line,
                               chunk->lines,         chunk->levels,
                               chunk->from_us,       chunk->to_us,
                               chunk->segment,       (int64_t)chunk->offset,
                               chunk->length};
    struct known_exec *known;
    sqlite3_stmt *statement;
    BT_TRY(exec_known(self, chunk->exec, &known, err));
    if (known) /* Lines of nothing are not counted. */
        add_chunk(self, chunk, known->flow, 1);
    bt_buf_clear(&self->record);
    bt_lines_format(chunk, &self->record);
    BT_TRY(bt_buf_check(&self->record, "the counts of a log chunk", err));
    BT_TRY(bt_db_prepare(self->db, sql_put, &statement, err));
    for (int i = 0; i < (int)BT_COUNT(numbers); i++)
        (void)sqlite3_bind_int64(statement, i + 1, numbers[i]);
    bt_db_bind(statement, (int)BT_COUNT(numbers) + 1, bt_buf_str(&self->record));
    return bt_db_run(self->db, statement, err);
}

int chunks_uncount(struct sqlite_journal *self, uint64_t exec, int64_t flow, struct bt_err *err)
{
    struct bt_log_chunk chunk;
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(self->db, sql_counts, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)exec);
    int rc = bt_db_step(self->db, statement, &is_row, err);
    while (rc == BT_OK && is_row) {
        rc = bt_lines_parse(bt_db_text(statement, 0), &chunk, err);
        if (rc < 0)
            break;
        add_chunk(self, &chunk, flow, -1);
        rc = bt_db_step(self->db, statement, &is_row, err);
    }
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

int chunks_drop(struct sqlite_journal *self, uint64_t exec, struct bt_err *err)
{
    struct known_exec *known;
    sqlite3_stmt *statement;
    BT_TRY(exec_known(self, exec, &known, err));
    if (known)
        BT_TRY(chunks_uncount(self, exec, known->flow, err));
    BT_TRY(bt_db_prepare(self->db, sql_drop, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)exec);
    return bt_db_run(self->db, statement, err);
}

static bool is_zero(const struct bt_line_counts *counts)
{
    for (int level = 0; level < BT_LEVEL_COUNT; level++)
        if (counts->counts[level])
            return false;
    return true;
}

int lines_write(struct sqlite_journal *self, struct bt_err *err)
{
    for (size_t i = 0; i < self->lines.cap; i++)
        for (const struct lines *lines = self->lines.slots[i].value; lines; lines = lines->next)
            if (!is_zero(&lines->counts))
                BT_TRY(bt_lines_add(self->db, &lines->counts, err));
    return BT_OK;
}

void lines_clear(struct sqlite_journal *self)
{
    for (size_t i = 0; i < self->lines.cap; i++) {
        struct lines *lines = self->lines.slots[i].value;
        while (lines) {
            struct lines *next = lines->next;
            free(lines);
            lines = next;
        }
    }
    bt_map64_clear(&self->lines);
}
