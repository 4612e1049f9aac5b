/* db.c — Opening and using of SQLite databases. */
#include "store/sqlite/db.h"

#include "base/own.h"

#include <stdlib.h>

/* Each entry takes the schema from its index to the next version. */
static const char *const migrations[BT_SCHEMA_VERSION] = {
    "CREATE TABLE numbers(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE flow_revisions("
    " tenant TEXT NOT NULL, namespace TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL,"
    " source TEXT NOT NULL, created_us INTEGER NOT NULL, is_deleted INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(tenant, namespace, id, revision)) WITHOUT ROWID;"

    "CREATE TABLE executions("
    " key INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, namespace TEXT NOT NULL,"
    " flow_id TEXT NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL,"
    " start_us INTEGER NOT NULL, end_us INTEGER, is_drained INTEGER NOT NULL, record TEXT NOT "
    "NULL);"
    "CREATE UNIQUE INDEX executions_id ON executions(tenant, id);"
    "CREATE INDEX executions_live ON executions(key) WHERE is_drained=0;"

    "CREATE TABLE task_runs("
    " exec INTEGER NOT NULL, n INTEGER NOT NULL, task_id TEXT NOT NULL, task INTEGER NOT NULL,"
    " parent INTEGER NOT NULL, value TEXT NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL,"
    " PRIMARY KEY(exec, n)) WITHOUT ROWID;"
    "CREATE INDEX task_runs_task ON task_runs(exec, task, parent, value);"

    "CREATE TABLE iteration_values(exec INTEGER NOT NULL, n INTEGER NOT NULL, record TEXT NOT NULL,"
    " PRIMARY KEY(exec, n)) WITHOUT ROWID;"

    "CREATE TABLE timers(exec INTEGER NOT NULL, taskrun INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " due_us INTEGER NOT NULL, PRIMARY KEY(exec, taskrun, kind)) WITHOUT ROWID;"
    "CREATE INDEX timers_due ON timers(due_us);"

    "CREATE TABLE jobs(exec INTEGER NOT NULL, taskrun INTEGER NOT NULL, token INTEGER NOT NULL,"
    " PRIMARY KEY(exec, taskrun)) WITHOUT ROWID;"

    "CREATE TABLE events(id INTEGER PRIMARY KEY, exec INTEGER NOT NULL, record TEXT NOT NULL);"

    "CREATE TABLE log_chunks(exec INTEGER NOT NULL, first_line INTEGER NOT NULL,"
    " lines INTEGER NOT NULL, levels INTEGER NOT NULL, from_us INTEGER NOT NULL,"
    " to_us INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " length INTEGER NOT NULL, PRIMARY KEY(exec, first_line)) WITHOUT ROWID;",

    /* 2: key-values. */
    "CREATE TABLE key_values("
    " tenant TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL,"
    " value TEXT NOT NULL, description TEXT, revision INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, namespace, key)) WITHOUT ROWID;",

    /* 3: the newest revision of each flow, for lists. */
    "CREATE TABLE flows("
    " key INTEGER PRIMARY KEY, tenant TEXT NOT NULL, namespace TEXT NOT NULL, id TEXT NOT NULL,"
    " revision INTEGER NOT NULL, is_deleted INTEGER NOT NULL, updated_us INTEGER NOT NULL,"
    " UNIQUE(tenant, namespace, id));"
    "INSERT INTO flows(tenant,namespace,id,revision,is_deleted,updated_us)"
    " SELECT tenant,namespace,id,max(revision),is_deleted,created_us FROM flow_revisions"
    " GROUP BY tenant,namespace,id;",

    /* 4: what lists and charts need: docs/queries.md. */
    "INSERT OR IGNORE INTO flows(tenant,namespace,id,revision,is_deleted,updated_us)"
    " SELECT DISTINCT tenant,namespace,flow_id,0,1,0 FROM executions;"
    "ALTER TABLE executions RENAME TO executions_3;"
    "CREATE TABLE executions("
    " key INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, namespace TEXT NOT NULL,"
    " flow_id TEXT NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL,"
    " start_us INTEGER NOT NULL, end_us INTEGER, is_drained INTEGER NOT NULL,"
    " flow INTEGER NOT NULL, day INTEGER NOT NULL, duration_us INTEGER,"
    " labels_hash INTEGER NOT NULL, parent TEXT, record TEXT NOT NULL);"
    "INSERT INTO executions SELECT e.key,e.tenant,e.id,e.namespace,e.flow_id,e.revision,e.state,"
    " e.start_us,e.end_us,e.is_drained,f.key,e.start_us/86400000000,e.end_us-e.start_us,-1,"
    " CASE WHEN json_valid(e.record) THEN"
    " json_extract(e.record,'$.tr.variables.executionId') END,e.record"
    " FROM executions_3 e JOIN flows f ON f.tenant=e.tenant AND f.namespace=e.namespace"
    " AND f.id=e.flow_id ORDER BY e.key;"
    "DROP TABLE executions_3;"
    "CREATE UNIQUE INDEX executions_id ON executions(tenant, id);"
    "CREATE INDEX executions_live ON executions(key) WHERE is_drained=0;"
    "CREATE INDEX executions_flow ON executions(flow, state);"
    "CREATE INDEX executions_state ON executions(state, key, flow);"
    "CREATE INDEX executions_duration ON executions(day, duration_us, flow, state)"
    " WHERE duration_us IS NOT NULL;"
    "CREATE INDEX executions_end ON executions(end_us, flow, state) WHERE end_us IS NOT NULL;"
    "CREATE INDEX executions_parent ON executions(parent) WHERE parent IS NOT NULL;"

    "CREATE TABLE labels(name TEXT NOT NULL, value TEXT NOT NULL, exec INTEGER NOT NULL,"
    " PRIMARY KEY(name, value, exec)) WITHOUT ROWID;"
    "INSERT OR IGNORE INTO labels SELECT l.key,l.value,e.key FROM executions e,"
    " json_each(CASE WHEN json_valid(e.record) THEN e.record ELSE '{}' END,'$.lb') l;"

    /* Kinds: enum bt_roll_kind. A period of 0 is all of time. */
    "CREATE TABLE rollups(kind INTEGER NOT NULL, period INTEGER NOT NULL, flow INTEGER NOT NULL,"
    " state TEXT NOT NULL, count INTEGER NOT NULL, sum_us INTEGER NOT NULL, min_us INTEGER,"
    " max_us INTEGER, PRIMARY KEY(kind, period, flow, state)) WITHOUT ROWID;"
    "INSERT INTO rollups SELECT 0,0,flow,state,count(*),ifnull(sum(duration_us),0),"
    " min(duration_us),max(duration_us) FROM executions GROUP BY flow,state;"
    "INSERT INTO rollups SELECT 1,start_us/3600000000 h,flow,state,count(*),"
    " ifnull(sum(duration_us),0),min(duration_us),max(duration_us) FROM executions"
    " GROUP BY h,flow,state;"
    "INSERT INTO rollups SELECT 2,day,flow,state,count(*),ifnull(sum(duration_us),0),"
    " min(duration_us),max(duration_us) FROM executions GROUP BY day,flow,state;"
    "INSERT INTO rollups SELECT 3,start_us/86400000000 d,flow,state,count(*),"
    " ifnull(sum(duration_us),0),min(duration_us),max(duration_us) FROM (SELECT e.flow,r.state,"
    " json_extract(r.record,'$.h[0][0]') start_us,"
    " CASE WHEN r.state IN ('SUCCESS','WARNING','FAILED','KILLED','CANCELLED','RETRIED','SKIPPED')"
    " THEN json_extract(r.record,'$.h[#-1][0]')-json_extract(r.record,'$.h[0][0]') END duration_us"
    " FROM task_runs r JOIN executions e ON e.key=r.exec WHERE json_valid(r.record))"
    " WHERE start_us IS NOT NULL GROUP BY d,flow,state;"
    "INSERT INTO rollups SELECT kind,period,0,state,sum(count),sum(sum_us),min(min_us),max(max_us)"
    " FROM rollups GROUP BY kind,period,state;",

    /* 5: counters of metrics, by flow and hour of the end of their task run:
       store/sqlite/rollups.h. */
    "CREATE TABLE metrics(flow INTEGER NOT NULL, task TEXT NOT NULL, name TEXT NOT NULL,"
    " hour INTEGER NOT NULL, count INTEGER NOT NULL, whole INTEGER NOT NULL,"
    " nanos INTEGER NOT NULL, least REAL NOT NULL, greatest REAL NOT NULL,"
    " PRIMARY KEY(flow, task, name, hour)) WITHOUT ROWID;"
    "INSERT INTO metrics SELECT flow,task_id,name,end_us/3600000000 h,count(*),"
    " sum(CAST(v AS INTEGER)),sum(CAST((v-CAST(v AS INTEGER))*1e9+"
    "CASE WHEN v<0 THEN -0.5 ELSE 0.5 END AS INTEGER)),min(v),max(v) FROM"
    " (SELECT flow,task_id,name,end_us,max(-9007199254740992,min(9007199254740992,"
    "CASE WHEN typeof(v) IN ('integer','real') THEN v ELSE 0 END)) v FROM"
    " (SELECT e.flow,r.task_id,ifnull(json_extract(m.value,'$.name'),'') name,"
    " json_extract(r.record,'$.h[#-1][0]') end_us,json_extract(m.value,'$.value') v"
    " FROM task_runs r JOIN executions e ON e.key=r.exec,"
    " json_each(CASE WHEN json_valid(r.record) THEN r.record ELSE '{}' END,'$.m') m"
    " WHERE r.state IN ('SUCCESS','WARNING','FAILED','KILLED','CANCELLED','RETRIED','SKIPPED')))"
    " WHERE end_us IS NOT NULL GROUP BY flow,task_id,name,h;"
    /* And of log lines; those of older chunks are counted by bt_lines_fill(), which reads them. */
    "CREATE TABLE log_lines(flow INTEGER NOT NULL, hour INTEGER NOT NULL, trace INTEGER NOT NULL,"
    " debug INTEGER NOT NULL, info INTEGER NOT NULL, warn INTEGER NOT NULL,"
    " error INTEGER NOT NULL, PRIMARY KEY(flow, hour)) WITHOUT ROWID;"
    "ALTER TABLE log_chunks ADD COLUMN counts TEXT;"
    "INSERT INTO numbers SELECT 'uncounted_chunks',1 WHERE EXISTS(SELECT 1 FROM log_chunks);",

    /* 6: executions of Subflows, by the one above; and places in the concurrency of a flow. */
    "ALTER TABLE executions ADD COLUMN super INTEGER;"
    "ALTER TABLE executions ADD COLUMN slot INTEGER;"
    "CREATE INDEX executions_super ON executions(super) WHERE super IS NOT NULL AND is_drained=0;"
    "CREATE INDEX executions_slot ON executions(flow, slot) WHERE slot IS NOT NULL;",
};

struct bt_db_statement {
    const char *sql;
    sqlite3_stmt *statement;
};

int bt_db_fail(struct bt_db *db, struct bt_err *err, const char *what)
{
    int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
    switch (code & 0xFF) {
    case SQLITE_FULL:
        (void)bt_fail(err, BT_IO, "%s: the disk is full", what);
        (void)bt_hint(err, "free some space; nothing that was acknowledged is lost");
        return BT_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return bt_fail(err, BT_BUSY, "%s: the database is in use", what);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        (void)bt_fail(err, BT_IO, "%s: the database cannot be written", what);
        (void)bt_hint(err, "check the permissions of the data directory");
        return BT_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        (void)bt_fail(err, BT_CORRUPT, "%s: the database is damaged", what);
        (void)bt_hint(err, "restore the data directory from a backup, or use another one");
        return BT_CORRUPT;
    case SQLITE_NOMEM: return bt_fail_mem(err, what);
    default:
        return bt_fail(err, BT_IO, "%s: the database failed (code %d)", what,
                       db->handle ? sqlite3_extended_errcode(db->handle) : code);
    }
}

int bt_db_exec(struct bt_db *db, const char *sql, struct bt_err *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return bt_db_fail(db, err, "database");
    return BT_OK;
}

void bt_db_rollback(struct bt_db *db)
{
    for (size_t i = 0; i < db->statement_count; i++)
        (void)sqlite3_reset(db->statements[i].statement); /* One that failed midway stays open. */
    (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* Nothing was to be kept. */
}

static int read_version(struct bt_db *db, int *ret_version, struct bt_err *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = BT_OK;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        rc = bt_db_fail(db, err, "cannot read the database");
    else
        *ret_version = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement);
    return rc;
}

static int migrate_from(struct bt_db *db, int version, struct bt_err *err)
{
    BT_TRY(bt_db_exec(db, "BEGIN IMMEDIATE", err));
    int rc = BT_OK;
    for (; rc == BT_OK && version < BT_SCHEMA_VERSION; version++)
        rc = bt_db_exec(db, migrations[version], err);
    char pragma[64];
    (void)snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", BT_SCHEMA_VERSION);
    if (rc == BT_OK)
        rc = bt_db_exec(db, pragma, err);
    if (rc == BT_OK)
        rc = bt_db_exec(db, "COMMIT", err);
    if (rc < 0)
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* The first error counts. */
    return rc;
}

static int setup(struct bt_db *db, enum bt_db_mode mode, struct bt_err *err)
{
    int version = 0;
    BT_TRY(read_version(db, &version, err));
    if (version > BT_SCHEMA_VERSION) {
        (void)bt_fail(err, BT_INVALID,
                      "the data directory was written by a newer Baton (schema %d; this one knows "
                      "up to %d)",
                      version, BT_SCHEMA_VERSION);
        (void)bt_hint(err, "use that newer Baton, or another data directory");
        return BT_INVALID;
    }
    if (mode == BT_DB_READER)
        return bt_db_exec(db, "PRAGMA query_only=1", err);
    if (version == 0)
        BT_TRY(bt_db_exec(db, "PRAGMA auto_vacuum=INCREMENTAL", err));
    /* The lock file gives the directory to this process alone, so the WAL index may live in its
     * memory only when no reader of the same process needs it; readers do, so it is shared. */
    BT_TRY(bt_db_exec(db, "PRAGMA journal_mode=WAL", err));
    BT_TRY(bt_db_exec(
        db, mode == BT_DB_DURABLE ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF", err));
    BT_TRY(bt_db_exec(db,
                      "PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=4000;"
                      "PRAGMA temp_store=MEMORY",
                      err));
    return version < BT_SCHEMA_VERSION ? migrate_from(db, version, err) : BT_OK;
}

int bt_db_open(const char *path, enum bt_db_mode mode, struct bt_db *ret_db, struct bt_err *err)
{
    struct bt_db db = {.is_read_only = mode == BT_DB_READER};
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE |
                (mode == BT_DB_READER ? 0 : SQLITE_OPEN_CREATE);
    int rc = BT_OK;
    if (sqlite3_open_v2(path, &db.handle, flags, NULL) != SQLITE_OK)
        rc = bt_db_fail(&db, err, "cannot open the database");
    if (rc == BT_OK) {
        (void)sqlite3_extended_result_codes(db.handle, 1);
        (void)sqlite3_busy_timeout(db.handle, 5000);
        rc = setup(&db, mode, err);
    }
    if (rc < 0) {
        bt_db_close(&db);
        return rc;
    }
    *ret_db = db;
    return BT_OK;
}

void bt_db_close(struct bt_db *db)
{
    for (size_t i = 0; i < db->statement_count; i++)
        (void)sqlite3_finalize(db->statements[i].statement);
    free(db->statements);
    (void)sqlite3_close_v2(db->handle);
    *db = (struct bt_db){0};
}

int bt_db_prepare(struct bt_db *db, const char *sql, sqlite3_stmt **ret_statement,
                  struct bt_err *err)
{
    for (size_t i = 0; i < db->statement_count; i++) {
        if (db->statements[i].sql == sql) {
            *ret_statement = db->statements[i].statement;
            (void)sqlite3_reset(*ret_statement);
            return BT_OK;
        }
    }
    if (db->statement_count == db->statement_cap) {
        size_t cap = db->statement_cap ? db->statement_cap * 2 : 16;
        struct bt_db_statement *statements = realloc(db->statements, cap * sizeof *statements);
        if (!statements)
            return bt_fail_mem(err, "statement");
        db->statements = statements;
        db->statement_cap = cap;
    }
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK)
        return bt_db_fail(db, err, "database");
    db->statements[db->statement_count++] = (struct bt_db_statement){sql, statement};
    *ret_statement = statement;
    return BT_OK;
}

int bt_db_step(struct bt_db *db, sqlite3_stmt *statement, bool *ret_row, struct bt_err *err)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        int rc = bt_db_fail(db, err, "database");
        (void)sqlite3_reset(statement); /* Repeats the error that was just told. */
        return rc;
    }
    *ret_row = code == SQLITE_ROW;
    if (code == SQLITE_DONE)
        (void)sqlite3_reset(statement); /* Cannot fail after DONE. */
    return BT_OK;
}

int bt_db_run(struct bt_db *db, sqlite3_stmt *statement, struct bt_err *err)
{
    bool is_row = true;
    while (is_row)
        BT_TRY(bt_db_step(db, statement, &is_row, err));
    return BT_OK;
}
