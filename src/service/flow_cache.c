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

static uint64_t hash_of(const char *tenant, struct bt_str namespace, struct bt_str id,
                        uint32_t revision)
{
    uint64_t hash = bt_str_hash(bt_str_of(tenant), revision);
    return bt_str_hash(id, bt_str_hash(namespace, hash));
}

struct bt_flow *bt_flow_cache_get(struct bt_flow_cache *cache, const char *tenant,
                                  struct bt_str namespace, struct bt_str id, uint32_t revision)
{
    uint64_t hash = hash_of(tenant, namespace, id, revision);
    struct bt_flow *found = NULL;
    (void)pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *entry = &cache->entries[hash % SETS][i];
        if (!entry->flow || entry->hash != hash || entry->flow->revision != revision ||
            !bt_str_is(id, entry->flow->id) || !bt_str_is(namespace, entry->flow->namespace))
            continue;
        entry->used = ++cache->clock;
        found = bt_flow_ref(entry->flow);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return found;
}

void bt_flow_cache_put(struct bt_flow_cache *cache, const char *tenant, struct bt_flow *flow)
{
    uint64_t hash =
        hash_of(tenant, bt_str_of(flow->namespace), bt_str_of(flow->id), flow->revision);
    (void)pthread_mutex_lock(&cache->lock);
    struct entry *oldest = &cache->entries[hash % SETS][0];
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *entry = &cache->entries[hash % SETS][i];
        if (entry->used < oldest->used)
            oldest = entry;
        if (entry->flow && entry->hash == hash)
            oldest = entry;
    }
    struct bt_flow *dropped = oldest->flow;
    *oldest = (struct entry){hash, ++cache->clock, bt_flow_ref(flow)};
    (void)pthread_mutex_unlock(&cache->lock);
    bt_flow_unref(dropped);
}
