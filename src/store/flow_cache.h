/* flow_cache.h — Compiled flow revisions that were asked for lately: a bounded number, found by
 * hash. Any thread. */
#pragma once
#include "model/flow.h"
#include "store/store.h"

struct bt_flow_cache; /* Opaque. */

struct bt_flow_cache *bt_flow_cache_new(void);                         /* NULL without memory. */
struct bt_flow_cache *bt_flow_cache_free(struct bt_flow_cache *cache); /* Accepts NULL. */
/* A reference, or NULL when it is not there. The key's revision is never 0. */
struct bt_flow *bt_flow_cache_get(struct bt_flow_cache *cache, const struct bt_flow_key *key);
/* Keeps a reference; what was asked for least lately may go. */
void bt_flow_cache_put(struct bt_flow_cache *cache, const char *tenant, struct bt_flow *flow);
/* Forgets a revision that came to nothing. */
void bt_flow_cache_drop(struct bt_flow_cache *cache, const struct bt_flow_key *key);
