/* exec_cache.c — Sets of a few texts each, under a lock; the one used least lately goes. */
#include "service/exec_cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { SETS = 64, WAYS = 4, TEXT_BYTES_MAX = 16384 }; /* At most 4 MiB in all. */

struct entry {
    char id[BT_ID_LEN + 1], tenant[64];
    uint64_t used;
    struct bt_str text; /* Owned. */
};

struct set {
    pthread_mutex_t lock;
    uint64_t epoch, clock;
    struct entry entries[WAYS];
};

struct bt_exec_cache {
    struct set sets[SETS];
};

struct bt_exec_cache *bt_exec_cache_new(void)
{
    struct bt_exec_cache *cache = calloc(1, sizeof *cache);
    for (size_t i = 0; cache && i < SETS; i++)
        (void)pthread_mutex_init(&cache->sets[i].lock, NULL); /* Cannot fail with defaults. */
    return cache;
}

struct bt_exec_cache *bt_exec_cache_free(struct bt_exec_cache *cache)
{
    for (size_t i = 0; cache && i < SETS; i++) {
        for (size_t j = 0; j < WAYS; j++)
            free((void *)(uintptr_t)cache->sets[i].entries[j].text.at);
        (void)pthread_mutex_destroy(&cache->sets[i].lock);
    }
    free(cache);
    return NULL;
}

static struct set *lock_set(struct bt_exec_cache *cache, const struct bt_exec_name *name)
{
    struct set *set = &cache->sets[bt_str_hash(name->id, 0) % SETS];
    (void)pthread_mutex_lock(&set->lock); /* Cannot fail on a default mutex. */
    return set;
}

static struct entry *find(struct set *set, const struct bt_exec_name *name)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set->entries[i].text.at && bt_str_is(name->id, set->entries[i].id) &&
            strcmp(name->tenant, set->entries[i].tenant) == 0)
            return &set->entries[i];
    return NULL;
}

bool bt_exec_cache_get(struct bt_exec_cache *cache, const struct bt_exec_name *name,
                       struct bt_buf *out, uint64_t *ret_epoch)
{
    struct set *set = lock_set(cache, name);
    struct entry *entry = find(set, name);
    *ret_epoch = set->epoch;
    if (entry) {
        entry->used = ++set->clock;
        (void)bt_buf_add(out, entry->text); /* Sticky: the caller checks. */
    }
    (void)pthread_mutex_unlock(&set->lock);
    return entry != NULL;
}

static void empty(struct entry *entry)
{
    free((void *)(uintptr_t)entry->text.at);
    *entry = (struct entry){0};
}

void bt_exec_cache_put(struct bt_exec_cache *cache, const struct bt_exec_name *name, uint64_t epoch,
                       struct bt_str text)
{
    if (text.len > TEXT_BYTES_MAX || name->id.len > BT_ID_LEN)
        return;
    char *copy = bt_str_dup(text);
    if (!copy)
        return; /* It is read again next time. */
    struct set *set = lock_set(cache, name);
    struct entry *place = find(set, name), *oldest = &set->entries[0];
    for (size_t i = 1; i < WAYS; i++)
        if (set->entries[i].used < oldest->used) /* An empty one was never used. */
            oldest = &set->entries[i];
    place = place ? place : oldest;
    if (set->epoch == epoch) {
        empty(place);
        memcpy(place->id, name->id.at, name->id.len);
        (void)snprintf(place->tenant, sizeof place->tenant, "%s", name->tenant); /* As checked. */
        place->text = (struct bt_str){copy, text.len};
        place->used = ++set->clock;
        copy = NULL;
    }
    (void)pthread_mutex_unlock(&set->lock);
    free(copy);
}

void bt_exec_cache_drop(struct bt_exec_cache *cache, const struct bt_exec_name *name)
{
    struct set *set = lock_set(cache, name);
    struct entry *entry = find(set, name);
    set->epoch++;
    if (entry)
        empty(entry);
    (void)pthread_mutex_unlock(&set->lock);
}
