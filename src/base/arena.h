/* arena.h — Memory that is freed all at once. Not for several threads. */
#pragma once
#include "base/str.h"

struct bt_arena_block;
struct bt_arena {
    struct bt_arena_block *head;
    size_t used_bytes; /* Handed out since init or reset. */
};

#define BT_ARENA_INIT                                                                              \
    {                                                                                              \
        0                                                                                          \
    }

/* Zeroed memory aligned for any type, or NULL. Valid until reset or done. */
void *bt_arena_alloc(struct bt_arena *arena, size_t size);
/* A copy with a final NUL, or NULL. */
char *bt_arena_dup(struct bt_arena *arena, struct bt_str text);
/* The same as a view; .at is NULL without memory. */
struct bt_str bt_arena_str(struct bt_arena *arena, struct bt_str text);
void bt_arena_reset(struct bt_arena *arena); /* Keeps one block for the next use. */
void bt_arena_done(struct bt_arena *arena);
