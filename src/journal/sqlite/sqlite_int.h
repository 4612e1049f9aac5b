/* sqlite_int.h — Shared by the two halves of the SQLite journal. */
#pragma once
#include "base/limits.h"
#include "journal/sqlite/sqlite.h"

struct sqlite_journal {
    struct bt_journal base; /* First. */
    struct bt_db *db;       /* Borrowed. */
    struct bt_buf record;   /* The text of the row being written. */
};

int sqlite_commit(struct bt_journal *journal, const struct bt_batch *batch, struct bt_err *err);
