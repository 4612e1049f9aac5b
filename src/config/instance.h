/* instance.h — A Baton over a data directory: database, logs, files, runner and worker, wired.
 *
 * The directory belongs to one process at a time (a lock file). Layout: baton.db, logs/, storage/,
 * work/, lock, worker.token, worker.lease. */
#pragma once
#include "service/service.h"

struct bt_instance; /* Opaque. */

struct bt_instance_config {
    const char *data_dir; /* NULL: a new temporary directory, removed at close. */
    unsigned slots;       /* Process tasks at once; 0 = a default by the number of cores. */
    bool has_no_worker;   /* Jobs wait for remote workers. */
    /* Where remote workers connect ("host:port", "unix:/path"); NULL: nowhere. */
    const char *worker_listen;
    unsigned heartbeat_ms, lost_ms; /* Of remote workers; 0 = defaults. */
    struct bt_listener listener;
};

/* Opens, recovers what was on its way, but runs nothing before bt_instance_start(). */
int bt_instance_open(const struct bt_instance_config *config, struct bt_instance **ret_instance,
                     struct bt_err *err);
int bt_instance_start(struct bt_instance *instance, struct bt_err *err);
struct bt_service *bt_instance_service(struct bt_instance *instance); /* Borrowed. */
/* Keys of unfinished executions found at open. Borrowed. */
const uint64_t *bt_instance_unfinished(const struct bt_instance *instance, size_t *ret_count);
/* How many more there are that cannot be read; each was told to the listener as trouble. */
size_t bt_instance_unreadable(const struct bt_instance *instance);
/* Jobs that remote workers of an earlier process may still run: they are given out again when no
 * worker comes back with them within *ret_wait_ms. */
size_t bt_instance_orphans(const struct bt_instance *instance, unsigned *ret_wait_ms);
const char *bt_instance_dir(const struct bt_instance *instance);
/* Where remote workers connect, NULL: nowhere. Borrowed. */
const char *bt_instance_worker_address(const struct bt_instance *instance);
/* What they must say (also in DIR/worker.token). Borrowed. */
const char *bt_instance_worker_token(const struct bt_instance *instance);
/* What clients of the API must say from outside of this machine (also in DIR/api.token). */
const char *bt_instance_api_token(const struct bt_instance *instance);
/* Stops worker and runner and frees. `is_now`: running processes get no grace; what they did is
 * taken up again at the next open. Accepts NULL. */
struct bt_instance *bt_instance_close(struct bt_instance *instance, bool is_now);
