/* snapshot.h — Outputs of an execution as they were at a version, for workers. Reads a journal of
 * its own beside the runner's: outputs of a run that has ended do not change, so what a version
 * holds is the same whenever it is read. Any thread; one at a time. */
#pragma once
#include "engine/job.h"
#include "files/files.h"
#include "journal/journal.h"

struct bt_snapshot; /* Opaque. */

/* Borrows both; `journal` is used by nobody else. */
int bt_snapshot_new(struct bt_journal *journal, struct bt_files *files,
                    struct bt_snapshot **ret_snapshot, struct bt_err *err);
struct bt_snapshot *bt_snapshot_free(struct bt_snapshot *snapshot); /* Accepts and returns NULL. */

/* The shape of struct bt_fetcher, with the snapshot as data. *ret_value NULL: there is a branch.
 * BT_NOT_FOUND: nothing is there. */
int bt_snapshot_fetch(void *snapshot, const struct bt_fetch_request *request,
                      struct bt_value **ret_value, struct bt_err *err);
