/* backup.h — A copy of a data directory, taken while a server works on it, and back.
 *
 * A backup is a directory: the database as of one moment, then logs, files and keys, and
 * MANIFEST.json with the size and SHA-256 of each. What the database names is there: logs and files
 * are durable before the commit that names them, and are copied after it. */
#pragma once
#include "base/err.h"

#include <stdint.h>

struct bt_backup_report {
    uint64_t files, bytes;
};

/* `to` must not exist, or be empty. It appears whole or not at all: it is made under another name
 * and renamed at the end. */
int bt_backup(const char *data_dir, const char *to, struct bt_backup_report *ret_report,
              struct bt_err *err);
/* Checks every file of the backup and copies it to `data_dir`, which must not exist or be empty. */
int bt_restore(const char *from, const char *data_dir, struct bt_backup_report *ret_report,
               struct bt_err *err);
