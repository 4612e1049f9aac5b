/* exec_cache.h — Texts of ended executions that were asked for lately. Any thread.
 *
 * An execution that has ended and drained changes only by an act of somebody; whoever publishes
 * that change drops the text. A text that was read before a change is never kept after it: see
 * `epoch`. */
#pragma once
#include "base/buf.h"
#include "base/ids.h"

#include <stdbool.h>

struct bt_exec_cache; /* Opaque. */
struct bt_exec_name {
    const char *tenant;
    struct bt_str id;
};

struct bt_exec_cache *bt_exec_cache_new(void);                         /* NULL without memory. */
struct bt_exec_cache *bt_exec_cache_free(struct bt_exec_cache *cache); /* Accepts NULL. */
/* Appends the text and returns true; or false with the *ret_epoch that put() wants. */
bool bt_exec_cache_get(struct bt_exec_cache *cache, const struct bt_exec_name *name,
                       struct bt_buf *out, uint64_t *ret_epoch);
/* Keeps a copy, unless something near it was dropped since `epoch`. */
void bt_exec_cache_put(struct bt_exec_cache *cache, const struct bt_exec_name *name, uint64_t epoch,
                       struct bt_str text);
void bt_exec_cache_drop(struct bt_exec_cache *cache, const struct bt_exec_name *name);
