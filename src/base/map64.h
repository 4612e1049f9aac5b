/* map64.h — A hash map from 64-bit numbers to pointers. Open addressing; aborts without memory. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bt_map64_slot {
    uint64_t key;
    void *value; /* NULL: the slot is free. */
};
struct bt_map64 {
    struct bt_map64_slot *slots;
    size_t count, cap; /* cap is 0 or a power of two. */
};

void *bt_map64_get(const struct bt_map64 *map, uint64_t key); /* NULL: absent. */
/* Puts or replaces; `value` is not NULL. */
void bt_map64_put(struct bt_map64 *map, uint64_t key, void *value);
void *bt_map64_remove(struct bt_map64 *map, uint64_t key); /* What was there, or NULL. */
void bt_map64_clear(struct bt_map64 *map);                 /* Keeps the memory. */
void bt_map64_done(struct bt_map64 *map);

/* for (size_t i = 0; i < map.cap; i++) if (map.slots[i].value) … walks all; do not change
 * meanwhile. */
