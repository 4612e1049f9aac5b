/* remote_files.h — The server's internal storage, as a remote worker sees it. */
#pragma once
#include "engine/job.h"
#include "files/files.h"
#include "worker/world.h"

/* Every operation is a connection of its own to `address` with `token`; files pass through unlinked
 * temporary files in `temp_dir`. Deleting is not a worker's business and is refused. Any thread. */
int bt_files_open_remote(const char *address, const char *token, const char *temp_dir,
                         struct bt_files **ret_files, struct bt_err *err);
/* What expressions ask (worker/world.h), asked over the same kind of connection. `files` is one of
 * those above, and is borrowed. */
struct bt_world bt_world_remote(struct bt_files *files);
/* The shape of struct bt_fetcher, with these files as data. */
int bt_files_remote_fetch(void *files, const struct bt_fetch_request *request,
                          struct bt_value **ret_value, struct bt_err *err);
