/* bus.h — Committed changes, on their way from the runner to whoever follows them.
 *
 * The runner's thread publishes; watchers are called in that thread, under the bus's lock: they
 * note what they need and return at once. */
#pragma once
#include "journal/runner/runner.h"

struct bt_bus;   /* Opaque. */
struct bt_watch; /* Opaque: a subscription. */

struct bt_bus *bt_bus_new(void);                /* NULL without memory. */
struct bt_bus *bt_bus_free(struct bt_bus *bus); /* Without watchers. Accepts NULL. */
/* The shape of struct bt_listener's function. */
void bt_bus_publish(void *bus, const struct bt_change *changes, size_t count);

/* `exec`: the key of one execution, or 0 for all. NULL without memory. */
struct bt_watch *bt_bus_watch(struct bt_bus *bus, uint64_t exec,
                              void (*changed)(void *data, const struct bt_change *change),
                              void *data);
/* Not called any more once this has returned. Not from within `changed`. Accepts NULL. */
void bt_bus_unwatch(struct bt_bus *bus, struct bt_watch *watch);
