/* flow_cache.c — A small table under a lock: a revision never changes, so nothing is ever stale. */
#include "service/flow_cache.h"

#include <pthread.h>
#include <stdlib.h>

enum { SETS = 128, WAYS = 4 };

struct entry {
    uint64_t hash, used;
    struct bt_flow *flow;
};

struct bt_flow_cache {
    pthread_mutex_t lock;
    uint64_t clock;
    struct entry entries[SETS][WAYS];
};

struct bt_flow_cache *bt_flow_cache_new(void)
{
    struct bt_flow_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        (void)pthread_mutex_init(&cache->lock, NULL); /* Cannot fail with default attributes. */
    return cache;
}

struct bt_flow_cache *bt_flow_cache_free(struct bt_flow_cache *cache)
{
    if (!cache)
        return NULL;
    for (size_t i = 0; i < SETS; i++)
        for (size_t j = 0; j < WAYS; j++)
            bt_flow_unref(cache->entries[i][j].flow);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
    return NULL;
}

static uint64_t hash_of(const struct bt_flow_key *key)
{
    uint64_t hash = bt_str_hash(bt_str_of(key->tenant), key->revision);
    return bt_str_hash(key->id, bt_str_hash(key->namespace, hash));
}

struct bt_flow *bt_flow_cache_get(struct bt_flow_cache *cache, const struct bt_flow_key *key)
{
    uint64_t hash = hash_of(key);
    struct bt_flow *found = NULL;
    (void)pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < WAYS && !found; i++) {
        struct entry *entry = &cache->entries[hash % SETS][i];
        if (!entry->flow || entry->hash != hash || entry->flow->revision != key->revision ||
            !bt_str_is(key->id, entry->flow->id) ||
            !bt_str_is(key->namespace, entry->flow->namespace))
            continue;
        entry->used = ++cache->clock;
        found = bt_flow_ref(entry->flow);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return found;
}

void bt_flow_cache_put(struct bt_flow_cache *cache, const char *tenant, struct bt_flow *flow)
{
    struct bt_flow_key key = {tenant, bt_str_of(flow->namespace), bt_str_of(flow->id),
                              flow->revision};
    uint64_t hash = hash_of(&key);
    (void)pthread_mutex_lock(&cache->lock);
    struct entry *set = cache->entries[hash % SETS], *place = &set[0];
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < place->used)
            place = &set[i];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].flow && set[i].hash == hash)
            place = &set[i]; /* The same revision once more. */
    struct bt_flow *dropped = place->flow;
    *place = (struct entry){hash, ++cache->clock, bt_flow_ref(flow)};
    (void)pthread_mutex_unlock(&cache->lock);
    bt_flow_unref(dropped);
}
