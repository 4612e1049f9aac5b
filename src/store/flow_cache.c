/* flow_cache.c — A small table under a lock: a revision never changes, so nothing is ever stale. */
#include "store/flow_cache.h"

#include "base/vec.h"

#include <pthread.h>
#include <stdlib.h>

enum { SETS = 128, WAYS = 4 };

struct entry {
    uint64_t hash, used;
    char *tenant;         /* Owned. */
    struct bt_flow *flow; /* NULL: the place is free. */
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

static void clear(struct entry *entry)
{
    bt_flow_unref(entry->flow);
    free(entry->tenant);
    *entry = (struct entry){0};
}

struct bt_flow_cache *bt_flow_cache_free(struct bt_flow_cache *cache)
{
    if (!cache)
        return NULL;
    for (size_t i = 0; i < SETS; i++)
        for (size_t j = 0; j < WAYS; j++)
            clear(&cache->entries[i][j]);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
    return NULL;
}

static uint64_t hash_of(const struct bt_flow_key *key)
{
    uint64_t hash = bt_str_hash(bt_str_of(key->tenant), key->revision);
    return bt_str_hash(key->id, bt_str_hash(key->namespace, hash));
}

static struct entry *find(struct bt_flow_cache *cache, const struct bt_flow_key *key, uint64_t hash)
{
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *entry = &cache->entries[hash % SETS][i];
        if (entry->flow && entry->hash == hash && entry->flow->revision == key->revision &&
            bt_str_is(key->id, entry->flow->id) &&
            bt_str_is(key->namespace, entry->flow->namespace) &&
            strcmp(key->tenant, entry->tenant) == 0)
            return entry;
    }
    return NULL;
}

struct bt_flow *bt_flow_cache_get(struct bt_flow_cache *cache, const struct bt_flow_key *key)
{
    uint64_t hash = hash_of(key);
    struct bt_flow *found = NULL;
    (void)pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key, hash);
    if (entry) {
        entry->used = ++cache->clock;
        found = bt_flow_ref(entry->flow);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return found;
}

static struct entry *least_used(struct entry *set)
{
    struct entry *least = set;
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < least->used)
            least = &set[i];
    return least;
}

void bt_flow_cache_put(struct bt_flow_cache *cache, const char *tenant, struct bt_flow *flow)
{
    struct bt_flow_key key = {tenant, bt_str_of(flow->namespace), bt_str_of(flow->id),
                              flow->revision};
    uint64_t hash = hash_of(&key);
    struct entry new = {hash, 0, bt_str_dup(bt_str_of(tenant)), bt_flow_ref(flow)};
    if (!new.tenant)
        bt_die("out of memory");
    (void)pthread_mutex_lock(&cache->lock);
    struct entry *place = find(cache, &key, hash);
    if (!place)
        place = least_used(cache->entries[hash % SETS]);
    new.used = ++cache->clock;
    struct entry dropped = *place;
    *place = new;
    (void)pthread_mutex_unlock(&cache->lock);
    clear(&dropped);
}

void bt_flow_cache_drop(struct bt_flow_cache *cache, const struct bt_flow_key *key)
{
    struct entry dropped = {0};
    (void)pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key, hash_of(key));
    if (entry) {
        dropped = *entry;
        *entry = (struct entry){0};
    }
    (void)pthread_mutex_unlock(&cache->lock);
    clear(&dropped);
}
