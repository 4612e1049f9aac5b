/* commit.c — One batch as one SQLite transaction. */
#include "journal/sqlite/sqlite_int.h"

#include "engine/execution/codec.h"
#include "store/sqlite/kv.h"
#include "value/json.h"

static const char sql_begin[] = "BEGIN IMMEDIATE";
static const char sql_end[] = "COMMIT";
static const char sql_put_values[] =
    "INSERT OR REPLACE INTO iteration_values(exec,n,record) VALUES(?1,?2,?3)";
static const char sql_clear_timer[] = "DELETE FROM timers WHERE exec=?1 AND taskrun=?2 AND kind=?3";
static const char sql_set_timer[] =
    "INSERT OR REPLACE INTO timers(exec,taskrun,kind,due_us) VALUES(?1,?2,?3,?4)";
static const char sql_clear_job[] = "DELETE FROM jobs WHERE exec=?1 AND taskrun=?2 AND token=?3";
static const char sql_set_job[] =
    "INSERT OR REPLACE INTO jobs(exec,taskrun,token) VALUES(?1,?2,?3)";
static const char sql_put_event[] = "INSERT INTO events(id,exec,record) VALUES(?1,?2,?3)";
static const char sql_drop_event[] = "DELETE FROM events WHERE id=?1";
static const char sql_put_now[] = "INSERT OR REPLACE INTO numbers VALUES('now_us',?1)";
static const char sql_put_flow[] =
    "INSERT INTO flow_revisions(tenant,namespace,id,revision,source,created_us,is_deleted)"
    " VALUES(?1,?2,?3,?4,?5,?6,?7)";
static const char sql_put_newest[] =
    "INSERT INTO flows(tenant,namespace,id,revision,updated_us,is_deleted)"
    " VALUES(?1,?2,?3,?4,?6,?7) ON CONFLICT(tenant,namespace,id) DO UPDATE SET"
    " revision=?4,updated_us=?6,is_deleted=?7";

/* Prepares, binds the leading integers, and gives the statement. */
static int open_write(struct sqlite_journal *self, const char *sql, const int64_t *numbers,
                      int count, sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(self->db, sql, ret_statement, err));
    for (int i = 0; i < count; i++)
        (void)sqlite3_bind_int64(*ret_statement, i + 1, numbers[i]);
    return BT_OK;
}

/* Runs a statement whose columns are all integers. */
static int write_numbers(struct sqlite_journal *self, const char *sql, const int64_t *numbers,
                         int count, struct bt_err *err)
{
    sqlite3_stmt *statement;
    BT_TRY(open_write(self, sql, numbers, count, &statement, err));
    return bt_db_run(self->db, statement, err);
}

static int put_values(struct sqlite_journal *self, const struct bt_values_row *row,
                      struct bt_err *err)
{
    sqlite3_stmt *statement;
    bt_buf_clear(&self->record);
    BT_TRY(bt_json_write(row->values, BT_JSON_COMPACT, &self->record, err));
    BT_TRY(open_write(self, sql_put_values, (int64_t[]){(int64_t)row->exec, row->taskrun}, 2,
                      &statement, err));
    bt_db_bind(statement, 3, bt_buf_str(&self->record));
    return bt_db_run(self->db, statement, err);
}

static int put_event(struct sqlite_journal *self, const struct bt_event_row *row,
                     struct bt_err *err)
{
    sqlite3_stmt *statement;
    bt_buf_clear(&self->record);
    if (bt_event_encode(&row->event, &self->record) < 0)
        return bt_buf_check(&self->record, "an event's record", err);
    BT_TRY(open_write(self, sql_put_event, (int64_t[]){(int64_t)row->id, (int64_t)row->exec}, 2,
                      &statement, err));
    bt_db_bind(statement, 3, bt_buf_str(&self->record));
    return bt_db_run(self->db, statement, err);
}

static int put_flow_row(struct sqlite_journal *self, const char *sql, const struct bt_flow_row *row,
                        struct bt_err *err)
{
    sqlite3_stmt *statement;
    BT_TRY(bt_db_prepare(self->db, sql, &statement, err));
    bt_db_bind(statement, 1, bt_str_of(row->tenant));
    bt_db_bind(statement, 2, bt_str_of(row->namespace));
    bt_db_bind(statement, 3, bt_str_of(row->id));
    (void)sqlite3_bind_int64(statement, 4, row->revision);
    if (sql == sql_put_flow)
        bt_db_bind(statement, 5, row->source);
    (void)sqlite3_bind_int64(statement, 6, row->created_us);
    (void)sqlite3_bind_int64(statement, 7, row->is_deleted);
    return bt_db_run(self->db, statement, err);
}

static int put_flow(struct sqlite_journal *self, const struct bt_flow_row *row, struct bt_err *err)
{
    BT_TRY(put_flow_row(self, sql_put_flow, row, err));
    return put_flow_row(self, sql_put_newest, row, err);
}

static int put_kv(struct sqlite_journal *self, const struct bt_kv_row *row, struct bt_err *err)
{
    return row->kv ? bt_kv_write(self->db, row->place, row->kv, err)
                   : bt_kv_remove(self->db, row->place, row->key, err);
}

static int put_timers(struct sqlite_journal *self, const struct bt_batch *batch, struct bt_err *err)
{
    for (size_t i = 0; i < batch->timers_clear_count; i++) {
        const struct bt_timer *timer = &batch->timers_clear[i];
        BT_TRY(write_numbers(self, sql_clear_timer,
                             (int64_t[]){(int64_t)timer->exec, timer->taskrun, timer->kind}, 3,
                             err));
    }
    for (size_t i = 0; i < batch->timers_set_count; i++) {
        const struct bt_timer *timer = &batch->timers_set[i];
        BT_TRY(write_numbers(
            self, sql_set_timer,
            (int64_t[]){(int64_t)timer->exec, timer->taskrun, timer->kind, timer->due_us}, 4, err));
    }
    return BT_OK;
}

static int put_jobs(struct sqlite_journal *self, const struct bt_batch *batch, struct bt_err *err)
{
    for (size_t i = 0; i < batch->jobs_clear_count; i++) {
        const struct bt_job_row *job = &batch->jobs_clear[i];
        BT_TRY(write_numbers(self, sql_clear_job,
                             (int64_t[]){(int64_t)job->exec, job->taskrun, (int64_t)job->token}, 3,
                             err));
    }
    for (size_t i = 0; i < batch->jobs_set_count; i++) {
        const struct bt_job_row *job = &batch->jobs_set[i];
        BT_TRY(write_numbers(self, sql_set_job,
                             (int64_t[]){(int64_t)job->exec, job->taskrun, (int64_t)job->token}, 3,
                             err));
    }
    return BT_OK;
}

static int put_all(struct sqlite_journal *self, const struct bt_batch *batch, struct bt_err *err)
{
    BT_TRY(write_numbers(self, sql_put_now, &batch->now_us, 1, err));
    BT_TRY(exec_begin(self, err));
    for (size_t i = 0; i < batch->flow_count; i++)
        BT_TRY(put_flow(self, &batch->flows[i], err));
    for (size_t i = 0; i < batch->exec_count; i++)
        BT_TRY(exec_put(self, batch->execs[i], err));
    for (size_t i = 0; i < batch->run_drop_count; i++)
        BT_TRY(run_drop(self, &batch->run_drops[i], err));
    for (size_t i = 0; i < batch->run_count; i++)
        BT_TRY(run_put(self, &batch->runs[i], err));
    for (size_t i = 0; i < batch->values_count; i++)
        BT_TRY(put_values(self, &batch->values[i], err));
    BT_TRY(put_timers(self, batch, err));
    BT_TRY(put_jobs(self, batch, err));
    for (size_t i = 0; i < batch->events_drop_count; i++)
        BT_TRY(write_numbers(self, sql_drop_event, (int64_t[]){(int64_t)batch->events_drop[i]}, 1,
                             err));
    for (size_t i = 0; i < batch->events_put_count; i++)
        BT_TRY(put_event(self, &batch->events_put[i], err));
    for (size_t i = 0; i < batch->kv_count; i++)
        BT_TRY(put_kv(self, &batch->kvs[i], err));
    for (size_t i = 0; i < batch->log_drop_count; i++)
        BT_TRY(chunks_drop(self, batch->log_drops[i], err));
    for (size_t i = 0; i < batch->chunk_count; i++)
        BT_TRY(chunk_put(self, &batch->chunks[i], err));
    for (size_t i = 0; i < batch->drop_count; i++)
        BT_TRY(exec_drop(self, batch->drops[i], err));
    BT_TRY(metric_write(self, err));
    BT_TRY(lines_write(self, err));
    return roll_write(self, err);
}

int sqlite_commit(struct bt_journal *journal, const struct bt_batch *batch, struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *begin, *end;
    BT_TRY(bt_db_prepare(self->db, sql_begin, &begin, err));
    BT_TRY(bt_db_prepare(self->db, sql_end, &end, err));
    BT_TRY(bt_db_run(self->db, begin, err));
    int rc = put_all(self, batch, err);
    if (rc == BT_OK)
        rc = bt_db_run(self->db, end, err);
    exec_end(self, rc == BT_OK);
    if (rc < 0)
        (void)sqlite3_exec(self->db->handle, "ROLLBACK", NULL, NULL, NULL); /* The cause is told. */
    return rc;
}
