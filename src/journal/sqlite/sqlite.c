/* sqlite.c — The reading half and the table of operations of the SQLite journal. */
#include "journal/sqlite/sqlite_int.h"

#include "engine/execution/codec.h"
#include "store/sqlite/kv.h"
#include "value/json.h"

#include <stdlib.h>

static const char sql_exec[] = "SELECT record FROM executions WHERE key=?1";
static const char sql_exec_key[] = "SELECT key FROM executions WHERE tenant=?1 AND id=?2";
static const char sql_taskrun[] = "SELECT record FROM task_runs WHERE exec=?1 AND n=?2";
static const char sql_find[] = "SELECT record FROM task_runs WHERE exec=?1 AND task=?2 AND"
                               " parent=?3 AND value=?4 ORDER BY n DESC LIMIT 1";
static const char sql_list[] = "SELECT record FROM task_runs WHERE exec=?1 AND task=?2 AND"
                               " parent=?3 ORDER BY n";
static const char sql_bad[] = "SELECT record FROM task_runs WHERE exec=?1 AND task=?2 AND parent=?3"
                              " AND state IN ('FAILED','KILLED','CANCELLED') ORDER BY n";
static const char sql_runs[] =
    "SELECT record FROM task_runs WHERE exec=?1 AND n>=?2 ORDER BY n LIMIT ?3";
static const char sql_list_all[] =
    "SELECT record FROM task_runs WHERE exec=?1 AND task=?2 ORDER BY n";
static const char sql_values[] = "SELECT record FROM iteration_values WHERE exec=?1 AND n=?2";
static const char sql_due[] = "SELECT exec,taskrun,kind,due_us FROM timers WHERE due_us<=?1"
                              " ORDER BY due_us LIMIT ?2";
static const char sql_next_due[] = "SELECT min(due_us) FROM timers WHERE due_us>?1";
static const char sql_timers_of[] = "SELECT exec,taskrun,kind,due_us FROM timers WHERE exec=?1";
static const char sql_events[] = "SELECT id,exec,record FROM events ORDER BY id";
static const char sql_jobs[] = "SELECT exec,taskrun,token FROM jobs ORDER BY exec,taskrun";
static const char sql_live[] = "SELECT key FROM executions WHERE is_drained=0 ORDER BY key";
static const char sql_children[] = "SELECT key FROM executions WHERE super=?1 AND key>?2 AND"
                                   " is_drained=0 ORDER BY key LIMIT ?3";
#define OF_FLOW " WHERE flow=(SELECT key FROM flows WHERE tenant=?1 AND namespace=?2 AND id=?3)"
static const char sql_slots[] =
    "SELECT key,slot FROM executions" OF_FLOW " AND slot IS NOT NULL ORDER BY key";
static const char sql_running[] =
    "SELECT key FROM executions" OF_FLOW " AND state IN ('CREATED','RUNNING','PAUSED','RESTARTED',"
    "'KILLING','RETRYING') ORDER BY key";
static const char sql_last_key[] = "SELECT coalesce(max(key),0) FROM executions";
static const char sql_last_now[] = "SELECT value FROM numbers WHERE name='now_us'";
static const char sql_log_lines[] = "SELECT first_line+lines FROM log_chunks WHERE exec=?1"
                                    " ORDER BY first_line DESC LIMIT 1";
static const char sql_flow[] =
    "SELECT source,revision,is_deleted FROM flow_revisions WHERE tenant=?1 AND"
    " namespace=?2 AND id=?3 AND (?4=0 OR revision=?4)"
    " ORDER BY revision DESC LIMIT 1";

/* Prepares and binds up to three integers (the first places). */
static int open_query(struct sqlite_journal *self, const char *sql, const int64_t *numbers,
                      int count, sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(self->db, sql, ret_statement, err));
    for (int i = 0; i < count; i++)
        (void)sqlite3_bind_int64(*ret_statement, i + 1, numbers[i]);
    return BT_OK;
}

/* The next row must exist. */
static int one_row(struct sqlite_journal *self, sqlite3_stmt *statement, const char *what,
                   struct bt_err *err)
{
    bool is_row;
    BT_TRY(bt_db_step(self->db, statement, &is_row, err));
    return is_row ? BT_OK : bt_fail(err, BT_NOT_FOUND, "%s does not exist", what);
}

static int read_exec(struct bt_journal *journal, uint64_t key, struct bt_exec **ret_exec,
                     struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_query(self, sql_exec, (int64_t[]){(int64_t)key}, 1, &statement, err));
    BT_TRY(one_row(self, statement, "the execution", err));
    int rc = bt_exec_decode(bt_db_text(statement, 0), ret_exec, err);
    (void)sqlite3_reset(statement);
    if (rc == BT_OK)
        (*ret_exec)->key = key;
    return rc;
}

static int read_exec_key(struct bt_journal *journal, const char *tenant, struct bt_str id,
                         uint64_t *ret_key, struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(bt_db_prepare(self->db, sql_exec_key, &statement, err));
    bt_db_bind(statement, 1, bt_str_of(tenant));
    bt_db_bind(statement, 2, id);
    BT_TRY(one_row(self, statement, "the execution", err));
    *ret_key = (uint64_t)sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    return BT_OK;
}

static int read_taskrun(struct bt_journal *journal, uint64_t exec, uint32_t n,
                        struct bt_taskrun **ret_run, struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_query(self, sql_taskrun, (int64_t[]){(int64_t)exec, n}, 2, &statement, err));
    BT_TRY(one_row(self, statement, "the task run", err));
    int rc = bt_taskrun_decode(bt_db_text(statement, 0), ret_run, err);
    (void)sqlite3_reset(statement);
    return rc;
}

static int read_find(struct bt_journal *journal, uint64_t exec, uint32_t task, uint32_t parent,
                     struct bt_str value, struct bt_taskrun **ret_run, struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(
        open_query(self, sql_find, (int64_t[]){(int64_t)exec, task, parent}, 3, &statement, err));
    bt_db_bind(statement, 4, value);
    BT_TRY(one_row(self, statement, "the task run", err));
    int rc = bt_taskrun_decode(bt_db_text(statement, 0), ret_run, err);
    (void)sqlite3_reset(statement);
    return rc;
}

/* Calls `each` for every row of a query that has begun. */
static int each_run(struct sqlite_journal *self, sqlite3_stmt *statement,
                    int (*each)(void *data, struct bt_taskrun *run), void *data, struct bt_err *err)
{
    int rc = BT_OK;
    bool is_row = true;
    while (rc == BT_OK && (rc = bt_db_step(self->db, statement, &is_row, err)) == BT_OK && is_row) {
        struct bt_taskrun *run = NULL;
        rc = bt_taskrun_decode(bt_db_text(statement, 0), &run, err);
        if (rc == BT_OK)
            rc = each(data, run);
    }
    (void)sqlite3_reset(statement);
    return rc;
}

static int read_list(struct bt_journal *journal, uint64_t exec, uint32_t task, uint32_t parent,
                     int (*each)(void *data, struct bt_taskrun *run), void *data,
                     struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    bool is_all = parent == BT_ALL_PARENTS;
    BT_TRY(open_query(self, is_all ? sql_list_all : sql_list,
                      (int64_t[]){(int64_t)exec, task, parent}, is_all ? 2 : 3, &statement, err));
    return each_run(self, statement, each, data, err);
}

static int read_runs(struct bt_journal *journal, const struct bt_runs_query *query,
                     struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    const int64_t numbers[] = {(int64_t)query->exec, query->from_n, query->limit};
    BT_TRY(open_query(self, sql_runs, numbers, 3, &statement, err));
    return each_run(self, statement, query->each, query->data, err);
}

static int read_bad(struct bt_journal *journal, const struct bt_bad_query *query,
                    struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_query(self, sql_bad, (int64_t[]){(int64_t)query->exec, query->task, query->parent},
                      3, &statement, err));
    return each_run(self, statement, query->each, query->data, err);
}

static int read_values(struct bt_journal *journal, uint64_t exec, uint32_t n,
                       struct bt_value **ret_values, struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_query(self, sql_values, (int64_t[]){(int64_t)exec, n}, 2, &statement, err));
    BT_TRY(one_row(self, statement, "the list of iteration values", err));
    int rc = bt_json_parse(bt_db_text(statement, 0), NULL, ret_values, err);
    (void)sqlite3_reset(statement);
    return rc < 0 ? bt_fail(err, BT_CORRUPT, "stored iteration values are not readable") : BT_OK;
}

static struct bt_timer timer_of_row(sqlite3_stmt *statement)
{
    return (struct bt_timer){.exec = (uint64_t)sqlite3_column_int64(statement, 0),
                             .taskrun = (uint32_t)sqlite3_column_int64(statement, 1),
                             .kind = (enum bt_timer_kind)sqlite3_column_int(statement, 2),
                             .due_us = sqlite3_column_int64(statement, 3)};
}

static int read_due(struct bt_journal *journal, int64_t now_us, struct bt_timer *timers,
                    size_t *count, int64_t *ret_next_us, struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    size_t cap = *count;
    bool is_row = true;
    BT_TRY(open_query(self, sql_due, (int64_t[]){now_us, (int64_t)cap}, 2, &statement, err));
    *count = 0;
    while (*count < cap) {
        BT_TRY(bt_db_step(self->db, statement, &is_row, err));
        if (!is_row)
            break;
        timers[(*count)++] = timer_of_row(statement);
    }
    (void)sqlite3_reset(statement);
    *ret_next_us = now_us; /* There may be more that are due. */
    if (is_row && *count)
        return BT_OK;
    BT_TRY(open_query(self, sql_next_due, (int64_t[]){now_us}, 1, &statement, err));
    BT_TRY(one_row(self, statement, "a minimum", err));
    *ret_next_us = sqlite3_column_type(statement, 0) == SQLITE_NULL
                       ? INT64_MAX
                       : sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    return BT_OK;
}

static int read_timers_of(struct bt_journal *journal, uint64_t exec,
                          int (*each)(void *data, const struct bt_timer *timer), void *data,
                          struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_query(self, sql_timers_of, (int64_t[]){(int64_t)exec}, 1, &statement, err));
    int rc = BT_OK;
    bool is_row = true;
    while (rc == BT_OK && (rc = bt_db_step(self->db, statement, &is_row, err)) == BT_OK && is_row) {
        struct bt_timer timer = timer_of_row(statement);
        rc = each(data, &timer);
    }
    (void)sqlite3_reset(statement);
    return rc;
}

static int read_events(struct bt_journal *journal,
                       int (*each)(void *data, struct bt_event_row *row), void *data,
                       struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_query(self, sql_events, NULL, 0, &statement, err));
    int rc = BT_OK;
    bool is_row = true;
    while (rc == BT_OK && (rc = bt_db_step(self->db, statement, &is_row, err)) == BT_OK && is_row) {
        struct bt_event_row row = {.id = (uint64_t)sqlite3_column_int64(statement, 0),
                                   .exec = (uint64_t)sqlite3_column_int64(statement, 1)};
        rc = bt_event_decode(bt_db_text(statement, 2), &row.event, err);
        if (rc == BT_OK)
            rc = each(data, &row);
    }
    (void)sqlite3_reset(statement);
    return rc;
}

static int read_jobs(struct bt_journal *journal,
                     int (*each)(void *data, const struct bt_job_row *row), void *data,
                     struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_query(self, sql_jobs, NULL, 0, &statement, err));
    int rc = BT_OK;
    bool is_row = true;
    while (rc == BT_OK && (rc = bt_db_step(self->db, statement, &is_row, err)) == BT_OK && is_row) {
        struct bt_job_row row = {.exec = (uint64_t)sqlite3_column_int64(statement, 0),
                                 .taskrun = (uint32_t)sqlite3_column_int64(statement, 1),
                                 .token = (uint64_t)sqlite3_column_int64(statement, 2)};
        rc = each(data, &row);
    }
    (void)sqlite3_reset(statement);
    return rc;
}

/* Calls `each` with the keys of a query that has begun. */
static int each_key(struct sqlite_journal *self, sqlite3_stmt *statement,
                    int (*each)(void *data, uint64_t key), void *data, struct bt_err *err)
{
    int rc = BT_OK;
    bool is_row = true;
    while (rc == BT_OK && (rc = bt_db_step(self->db, statement, &is_row, err)) == BT_OK && is_row)
        rc = each(data, (uint64_t)sqlite3_column_int64(statement, 0));
    (void)sqlite3_reset(statement);
    return rc;
}

static int read_live(struct bt_journal *journal, int (*each)(void *data, uint64_t key), void *data,
                     struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_query(self, sql_live, NULL, 0, &statement, err));
    return each_key(self, statement, each, data, err);
}

static int read_children(struct bt_journal *journal, const struct bt_children_query *query,
                         struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    const int64_t numbers[] = {(int64_t)query->super, (int64_t)query->from, (int64_t)query->limit};
    BT_TRY(open_query(self, sql_children, numbers, 3, &statement, err));
    return each_key(self, statement, query->each, query->data, err);
}

static int open_flow(struct sqlite_journal *self, const char *sql, const struct bt_exec *of,
                     sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(self->db, sql, ret_statement, err));
    bt_db_bind(*ret_statement, 1, bt_str_of(of->tenant));
    bt_db_bind(*ret_statement, 2, bt_str_of(of->namespace));
    bt_db_bind(*ret_statement, 3, bt_str_of(of->flow_id));
    return BT_OK;
}

static int read_slots(struct bt_journal *journal, const struct bt_exec *of,
                      int (*each)(void *data, uint64_t key, enum bt_slot slot), void *data,
                      struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_flow(self, sql_slots, of, &statement, err));
    int rc = BT_OK;
    bool is_row = true;
    while (rc == BT_OK && (rc = bt_db_step(self->db, statement, &is_row, err)) == BT_OK && is_row)
        rc = each(data, (uint64_t)sqlite3_column_int64(statement, 0),
                  (enum bt_slot)sqlite3_column_int(statement, 1));
    (void)sqlite3_reset(statement);
    return rc;
}

static int read_running(struct bt_journal *journal, const struct bt_exec *of,
                        int (*each)(void *data, uint64_t key), void *data, struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(open_flow(self, sql_running, of, &statement, err));
    return each_key(self, statement, each, data, err);
}

static int read_number(struct sqlite_journal *self, const char *sql, const int64_t *argument,
                       uint64_t *ret_number, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(open_query(self, sql, argument, argument ? 1 : 0, &statement, err));
    BT_TRY(bt_db_step(self->db, statement, &is_row, err));
    *ret_number = is_row ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement);
    return BT_OK;
}

static int read_last_key(struct bt_journal *journal, uint64_t *ret_key, struct bt_err *err)
{
    return read_number((struct sqlite_journal *)journal, sql_last_key, NULL, ret_key, err);
}

static int read_last_now(struct bt_journal *journal, uint64_t *ret_now_us, struct bt_err *err)
{
    return read_number((struct sqlite_journal *)journal, sql_last_now, NULL, ret_now_us, err);
}

static int read_log_lines(struct bt_journal *journal, uint64_t exec, uint64_t *ret_lines,
                          struct bt_err *err)
{
    int64_t key = (int64_t)exec;
    return read_number((struct sqlite_journal *)journal, sql_log_lines, &key, ret_lines, err);
}

static int read_flow(struct bt_journal *journal, const char *tenant, const char *namespace,
                     const char *id, uint32_t *revision, struct bt_value **ret_source,
                     struct bt_err *err)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    sqlite3_stmt *statement;
    BT_TRY(bt_db_prepare(self->db, sql_flow, &statement, err));
    bt_db_bind(statement, 1, bt_str_of(tenant));
    bt_db_bind(statement, 2, bt_str_of(namespace));
    bt_db_bind(statement, 3, bt_str_of(id));
    (void)sqlite3_bind_int64(statement, 4, *revision);
    BT_TRY(one_row(self, statement, "the flow", err));
    bool is_gone = *revision == 0 && sqlite3_column_int(statement, 2);
    *ret_source = is_gone ? NULL : bt_value_string(bt_db_text(statement, 0));
    *revision = (uint32_t)sqlite3_column_int64(statement, 1);
    (void)sqlite3_reset(statement);
    return *ret_source || is_gone ? BT_OK : bt_fail_mem(err, "flow");
}

static void close_journal(struct bt_journal *journal)
{
    struct sqlite_journal *self = (struct sqlite_journal *)journal;
    exec_end(self, false);
    bt_map64_done(&self->flows);
    bt_map64_done(&self->execs);
    bt_map64_done(&self->rolls);
    bt_map64_done(&self->metrics);
    bt_map64_done(&self->lines);
    bt_buf_done(&self->record);
    free(self);
}

static int read_kv(struct bt_journal *journal, struct bt_kv_place place, struct bt_str key,
                   struct bt_kv **ret_kv, struct bt_err *err)
{
    return bt_kv_read(((struct sqlite_journal *)journal)->db, place, key, ret_kv, err);
}

static int read_kv_list(struct bt_journal *journal, struct bt_kv_place place,
                        const struct bt_kv_query *query, struct bt_err *err)
{
    return bt_kv_list(((struct sqlite_journal *)journal)->db, place, query, err);
}

static const struct bt_journal_ops ops = {
    .commit = sqlite_commit,
    .exec = read_exec,
    .exec_key = read_exec_key,
    .taskrun = read_taskrun,
    .find = read_find,
    .list = read_list,
    .bad = read_bad,
    .runs = read_runs,
    .values = read_values,
    .due = read_due,
    .timers_of = read_timers_of,
    .events = read_events,
    .jobs = read_jobs,
    .live = read_live,
    .children = read_children,
    .slots = read_slots,
    .running = read_running,
    .last_key = read_last_key,
    .last_now = read_last_now,
    .log_lines = read_log_lines,
    .flow = read_flow,
    .kv = read_kv,
    .kv_list = read_kv_list,
    .close = close_journal,
};

int bt_journal_sqlite(struct bt_db *db, struct bt_journal **ret_journal, struct bt_err *err)
{
    struct sqlite_journal *self = calloc(1, sizeof *self);
    if (!self)
        return bt_fail_mem(err, "journal");
    self->base.ops = &ops;
    self->db = db;
    self->record.max = BT_JSON_BYTES_MAX;
    *ret_journal = &self->base;
    return BT_OK;
}
