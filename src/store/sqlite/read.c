/* read.c — The read model over SQLite: a pool of read-only connections, flows and executions by
 * key. Lists and counts are in list.c. */
#include "base/own.h"
#include "base/vec.h"
#include "engine/execution/codec.h"
#include "store/sqlite/read_int.h"

#include <assert.h>
#include <stdlib.h>

static const char sql_flow[] =
    "SELECT namespace,id,revision,is_deleted,created_us,source FROM flow_revisions"
    " WHERE tenant=?1 AND namespace=?2 AND id=?3 AND revision=?4";
static const char sql_flow_newest[] =
    "SELECT namespace,id,revision,is_deleted,created_us,source FROM flow_revisions"
    " WHERE tenant=?1 AND namespace=?2 AND id=?3 ORDER BY revision DESC LIMIT 1";
static const char sql_revisions[] =
    "SELECT namespace,id,revision,is_deleted,created_us,source FROM flow_revisions"
    " WHERE tenant=?1 AND namespace=?2 AND id=?3 ORDER BY revision";
static const char sql_exec[] = "SELECT record,key FROM executions WHERE tenant=?1 AND id=?2";
static const char sql_chunks[] =
    "SELECT first_line,lines,levels,from_us,to_us,segment,offset,length FROM log_chunks"
    " WHERE exec=?1 AND first_line+lines>?2 AND (?3=0 OR levels&?3) ORDER BY first_line";

/* --- Connections ------------------------------------------------------------------------------ */

int store_take(struct sqlite_store *self, struct reader **ret_reader, struct bt_err *err)
{
    (void)pthread_mutex_lock(&self->lock); /* Cannot fail on a default mutex. */
    struct reader *reader = self->idle;
    if (reader)
        self->idle = reader->next;
    (void)pthread_mutex_unlock(&self->lock);
    if (!reader) {
        reader = calloc(1, sizeof *reader);
        if (!reader)
            return bt_fail_mem(err, "database");
        int rc = bt_db_open(self->path, BT_DB_READER, &reader->db, err);
        if (rc < 0) {
            free(reader);
            return rc;
        }
    }
    *ret_reader = reader;
    return BT_OK;
}

void store_give(struct sqlite_store *self, struct reader *reader)
{
    assert(reader);
    (void)pthread_mutex_lock(&self->lock);
    reader->next = self->idle;
    self->idle = reader;
    (void)pthread_mutex_unlock(&self->lock);
}

static void close_store(struct bt_store *store)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    while (self->idle) {
        struct reader *reader = self->idle;
        self->idle = reader->next;
        bt_db_close(&reader->db);
        free(reader);
    }
    (void)pthread_mutex_destroy(&self->lock);
    free(self->path);
    free(self);
}

/* --- Flows ------------------------------------------------------------------------------------ */

void bt_stored_flow_done(struct bt_stored_flow *flow)
{
    free(flow->namespace);
    free(flow->id);
    bt_value_unref(flow->source);
    *flow = (struct bt_stored_flow){0};
}

static int read_flow_row(sqlite3_stmt *statement, struct bt_stored_flow *ret_flow,
                         struct bt_err *err)
{
    bool has_source = sqlite3_column_type(statement, 5) != SQLITE_NULL;
    struct bt_stored_flow flow = {
        .namespace = bt_str_dup(bt_db_text(statement, 0)),
        .id = bt_str_dup(bt_db_text(statement, 1)),
        .revision = (uint32_t)sqlite3_column_int64(statement, 2),
        .is_deleted = sqlite3_column_int(statement, 3) != 0,
        .updated_us = sqlite3_column_int64(statement, 4),
        .source = has_source ? bt_value_string(bt_db_text(statement, 5)) : NULL,
    };
    if (!flow.namespace || !flow.id || (has_source && !flow.source)) {
        bt_stored_flow_done(&flow);
        return bt_fail_mem(err, "flow");
    }
    *ret_flow = flow;
    return BT_OK;
}

static int bind_flow(struct bt_db *db, const char *sql, const struct bt_flow_key *key,
                     sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(db, sql, ret_statement, err));
    bt_db_bind(*ret_statement, 1, bt_str_of(key->tenant));
    bt_db_bind(*ret_statement, 2, key->namespace);
    bt_db_bind(*ret_statement, 3, key->id);
    return BT_OK;
}

static int read_flow_in(struct bt_db *db, const struct bt_flow_key *key,
                        struct bt_stored_flow *ret_flow, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bind_flow(db, key->revision ? sql_flow : sql_flow_newest, key, &statement, err));
    if (key->revision)
        (void)sqlite3_bind_int64(statement, 4, key->revision);
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    if (!is_row)
        return bt_fail(err, BT_NOT_FOUND, "%s", "");
    int rc = read_flow_row(statement, ret_flow, err);
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

static int read_flow(struct bt_store *store, const struct bt_flow_key *key,
                     struct bt_stored_flow *ret_flow, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader = NULL;
    BT_TRY(store_take(self, &reader, err));
    int rc = read_flow_in(&reader->db, key, ret_flow, err);
    store_give(self, reader);
    return rc;
}

int each_flow_row(struct bt_db *db, sqlite3_stmt *statement, const struct bt_flow_sink *sink,
                  struct bt_err *err)
{
    bool is_row;
    int rc = bt_db_step(db, statement, &is_row, err);
    while (rc == BT_OK && is_row) {
        struct bt_stored_flow flow;
        rc = read_flow_row(statement, &flow, err);
        if (rc == BT_OK)
            rc = sink->each(sink->data, &flow);
        if (rc == BT_OK)
            rc = bt_db_step(db, statement, &is_row, err);
    }
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

static int read_revisions(struct bt_store *store, const struct bt_flow_key *key,
                          const struct bt_flow_sink *sink, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader = NULL;
    sqlite3_stmt *statement;
    BT_TRY(store_take(self, &reader, err));
    int rc = bind_flow(&reader->db, sql_revisions, key, &statement, err);
    if (rc == BT_OK)
        rc = each_flow_row(&reader->db, statement, sink, err);
    store_give(self, reader);
    return rc;
}

/* --- Executions ------------------------------------------------------------------------------- */

static int read_exec_in(struct bt_db *db, const char *tenant, struct bt_str id,
                        struct bt_exec **ret_exec, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql_exec, &statement, err));
    bt_db_bind(statement, 1, bt_str_of(tenant));
    bt_db_bind(statement, 2, id);
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    if (!is_row)
        return bt_fail(err, BT_NOT_FOUND, "%s", "");
    int rc = bt_exec_decode(bt_db_text(statement, 0), ret_exec, err);
    if (rc == BT_OK)
        (*ret_exec)->key = (uint64_t)sqlite3_column_int64(statement, 1);
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

static int read_exec(struct bt_store *store, const char *tenant, struct bt_str id,
                     struct bt_exec **ret_exec, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader = NULL;
    BT_TRY(store_take(self, &reader, err));
    int rc = read_exec_in(&reader->db, tenant, id, ret_exec, err);
    store_give(self, reader);
    return rc;
}

/* --- Logs ------------------------------------------------------------------------------------- */

struct lines {
    const struct bt_log_query *query;
    const struct bt_log_sink *sink;
    uint64_t line;
};

static int one_line(void *data, const struct bt_log_entry *entry)
{
    struct lines *lines = data;
    uint64_t line = lines->line++;
    if (line < lines->query->first_line ||
        (lines->query->levels && !(lines->query->levels & 1u << entry->level)))
        return BT_OK;
    return lines->sink->each(lines->sink->data, line, entry);
}

static struct bt_log_chunk chunk_of(sqlite3_stmt *statement, uint64_t exec)
{
    return (struct bt_log_chunk){
        .exec = exec,
        .first_line = (uint64_t)sqlite3_column_int64(statement, 0),
        .lines = (uint32_t)sqlite3_column_int64(statement, 1),
        .levels = (uint32_t)sqlite3_column_int64(statement, 2),
        .from_us = sqlite3_column_int64(statement, 3),
        .to_us = sqlite3_column_int64(statement, 4),
        .segment = (uint32_t)sqlite3_column_int64(statement, 5),
        .offset = (uint64_t)sqlite3_column_int64(statement, 6),
        .length = (uint32_t)sqlite3_column_int64(statement, 7),
    };
}

typedef BT_VEC(struct bt_log_chunk) chunk_vec;

static int read_chunks(struct bt_db *db, const struct bt_log_query *query, chunk_vec *chunks,
                       struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql_chunks, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)query->exec);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)query->first_line);
    (void)sqlite3_bind_int64(statement, 3, query->levels);
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    while (is_row) {
        bt_vec_push(chunks, chunk_of(statement, query->exec));
        BT_TRY(bt_db_step(db, statement, &is_row, err));
    }
    return BT_OK;
}

/* The index rows first: while lines are read and given no statement is open. */
static int read_logs(struct bt_store *store, const struct bt_log_query *query,
                     const struct bt_log_sink *sink, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct lines lines = {.query = query, .sink = sink};
    struct reader *reader = NULL;
    chunk_vec chunks = {0};
    BT_TRY(store_take(self, &reader, err));
    int rc = read_chunks(&reader->db, query, &chunks, err);
    store_give(self, reader);
    for (size_t i = 0; rc == BT_OK && i < chunks.count; i++) {
        lines.line = chunks.items[i].first_line;
        rc = bt_logs_read(self->logs, &chunks.items[i], one_line, &lines, err);
    }
    bt_vec_done(&chunks);
    return rc;
}

int bt_store_sqlite(const char *path, struct bt_logs *logs, struct bt_store **ret_store,
                    struct bt_err *err)
{
    static const struct bt_store_ops ops = {
        .flow = read_flow,
        .flows = list_flows,
        .revisions = read_revisions,
        .exec = read_exec,
        .runs = read_runs,
        .first_run = read_first_run,
        .run = read_run,
        .children = read_children,
        .execs = list_execs,
        .latest = list_latest,
        .stats = read_stats,
        .metric_names = read_metric_names,
        .metric_sums = read_metric_sums,
        .log_counts = read_log_counts,
        .logs = read_logs,
        .close = close_store,
    };
    struct sqlite_store *self = calloc(1, sizeof *self);
    char *copy = bt_str_dup(bt_str_of(path));
    if (!self || !copy) {
        free(self);
        free(copy);
        return bt_fail_mem(err, "database");
    }
    self->store.ops = &ops;
    self->path = copy;
    self->logs = logs;
    (void)pthread_mutex_init(&self->lock, NULL); /* Cannot fail with default attributes. */
    *ret_store = &self->store;
    return BT_OK;
}
