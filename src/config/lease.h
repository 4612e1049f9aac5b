/* lease.h — How long remote workers may still run what a server gave them, after it is gone.
 *
 * DIR/worker.lease holds that time while remote workers are members: it is there before the first
 * of them gets a job, and it survives the server. Whoever opens the directory next treats the jobs
 * on their way as orphans for so long, also when it has no socket for workers itself. */
#pragma once
#include "base/err.h"
#include "worker/hub.h"

struct bt_lease; /* Opaque. */

/* Reads what an earlier process left in the data directory. */
int bt_lease_open(const char *dir, struct bt_lease **ret_lease, struct bt_err *err);
/* Accepts and returns NULL. The file stays as it is. */
struct bt_lease *bt_lease_close(struct bt_lease *lease);
/* 0: no remote worker runs anything of before. */
unsigned bt_lease_ms(const struct bt_lease *lease);
/* Without a listener: gives the hub's orphans up when the time is over, from a thread of its own.
 */
int bt_lease_wait(struct bt_lease *lease, struct bt_hub *hub, struct bt_err *err);

/* Of the listener's thread: workers with this lease are, or are about to be, members (durable on
 * return); and there is none any more. */
int bt_lease_hold(struct bt_lease *lease, unsigned ms, struct bt_err *err);
void bt_lease_drop(struct bt_lease *lease);
