/* map64.c — Linear probing with backward-shift deletion (no tombstones). */
#include "base/map64.h"

#include "base/vec.h"

#include <assert.h>
#include <string.h>

static size_t home(const struct bt_map64 *map, uint64_t key)
{
    key *= 0x9E3779B97F4A7C15u; /* Fibonacci hashing. */
    return (size_t)(key ^ key >> 32) & (map->cap - 1);
}

static size_t find(const struct bt_map64 *map, uint64_t key)
{
    size_t at = home(map, key);
    while (map->slots[at].value && map->slots[at].key != key)
        at = (at + 1) & (map->cap - 1);
    return at;
}

void *bt_map64_get(const struct bt_map64 *map, uint64_t key)
{
    return map->cap ? map->slots[find(map, key)].value : NULL;
}

static void grow(struct bt_map64 *map)
{
    struct bt_map64 old = *map;
    map->cap = old.cap ? old.cap * 2 : 16;
    map->slots = calloc(map->cap, sizeof *map->slots);
    if (!map->slots)
        bt_die("out of memory");
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].value)
            map->slots[find(map, old.slots[i].key)] = old.slots[i];
    free(old.slots);
}

void bt_map64_put(struct bt_map64 *map, uint64_t key, void *value)
{
    assert(value);
    if ((map->count + 1) * 3 > map->cap * 2)
        grow(map);
    size_t at = find(map, key);
    map->count += !map->slots[at].value;
    map->slots[at] = (struct bt_map64_slot){key, value};
}

void *bt_map64_remove(struct bt_map64 *map, uint64_t key)
{
    if (!map->cap)
        return NULL;
    size_t mask = map->cap - 1, hole = find(map, key);
    void *value = map->slots[hole].value;
    if (!value)
        return NULL;
    map->count--;
    for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        size_t distance = (at - home(map, map->slots[at].key)) & mask;
        if (distance >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole].value = NULL;
    return value;
}

void bt_map64_clear(struct bt_map64 *map)
{
    if (map->cap)
        memset(map->slots, 0, map->cap * sizeof *map->slots);
    map->count = 0;
}

void bt_map64_done(struct bt_map64 *map)
{
    free(map->slots);
    *map = (struct bt_map64){0};
}
