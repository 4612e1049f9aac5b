/* sqlite.h — The journal in one SQLite database. One connection, one thread (the runner's). */
#pragma once
#include "journal/journal.h"
#include "store/sqlite/db.h"

/* `db` is borrowed and must outlive the journal. */
int bt_journal_sqlite(struct bt_db *db, struct bt_journal **ret_journal, struct bt_err *err);
