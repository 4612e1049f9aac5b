/* db.h — One SQLite database: opened with the pragmas of the house, schema checked and migrated.
 *
 * A connection belongs to one thread. Statements are prepared once, by the text's address. */
#pragma once
#include "base/err.h"
#include "base/str.h"

#include <sqlite3.h>
#include <stdbool.h>

enum { BT_SCHEMA_VERSION = 6 };

struct bt_db {
    sqlite3 *handle;
    struct bt_db_statement *statements; /* Cache; owned. */
    size_t statement_count, statement_cap;
    bool is_read_only;
};

enum bt_db_mode {
    BT_DB_DURABLE,   /* WAL, synchronous=FULL: a commit survives power loss. */
    BT_DB_TEMPORARY, /* No syncs: the directory is thrown away. */
    BT_DB_READER,    /* Read-only. */
};

/* Opens (and, unless READER, creates and migrates) `path`. A newer schema is refused. */
int bt_db_open(const char *path, enum bt_db_mode mode, struct bt_db *ret_db, struct bt_err *err);
void bt_db_close(struct bt_db *db);

/* The prepared form of `sql` (a constant string: its address is the key), reset and unbound. */
int bt_db_prepare(struct bt_db *db, const char *sql, sqlite3_stmt **ret_statement,
                  struct bt_err *err);
/* Steps a statement: true in *ret_row when there is a row. */
int bt_db_step(struct bt_db *db, sqlite3_stmt *statement, bool *ret_row, struct bt_err *err);
/* Runs a statement to its end and resets it. */
int bt_db_run(struct bt_db *db, sqlite3_stmt *statement, struct bt_err *err);
int bt_db_exec(struct bt_db *db, const char *sql, struct bt_err *err);
/* Ends a transaction, if there is one, without its changes: also that of a reader. */
void bt_db_rollback(struct bt_db *db);
/* Turns the connection's last error into words for people. */
int bt_db_fail(struct bt_db *db, struct bt_err *err, const char *what);

static inline struct bt_str bt_db_text(sqlite3_stmt *statement, int column)
{
    const char *at = (const char *)sqlite3_column_text(statement, column);
    return (struct bt_str){at, at ? (size_t)sqlite3_column_bytes(statement, column) : 0};
}

static inline void bt_db_bind(sqlite3_stmt *statement, int place, struct bt_str text)
{
    /* STATIC: the caller keeps the text until the statement has run. */
    (void)sqlite3_bind_text(statement, place, text.at ? text.at : "", (int)text.len, SQLITE_STATIC);
}
