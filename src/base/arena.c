/* arena.c — Blocks of growing size in a list. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

struct bt_arena_block {
    struct bt_arena_block *next;
    size_t cap, len;
    alignas(16) char at[];
};

enum { BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20 };

static struct bt_arena_block *block_add(struct bt_arena *arena, size_t size)
{
    size_t cap = arena->head ? arena->head->cap * 2 : BLOCK_MIN;
    if (cap > BLOCK_MAX)
        cap = BLOCK_MAX;
    if (cap < size)
        cap = size;
    struct bt_arena_block *block = malloc(sizeof *block + cap);
    if (!block)
        return NULL;
    block->next = arena->head;
    block->cap = cap;
    block->len = 0;
    arena->head = block;
    return block;
}

void *bt_arena_alloc(struct bt_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    struct bt_arena_block *block = arena->head;
    if (!block || block->cap - block->len < size)
        block = block_add(arena, size);
    if (!block)
        return NULL;
    void *at = block->at + block->len;
    block->len += size;
    arena->used_bytes += size;
    return memset(at, 0, size);
}

char *bt_arena_dup(struct bt_arena *arena, struct bt_str text)
{
    char *copy = bt_arena_alloc(arena, text.len + 1);
    if (copy && text.len)
        memcpy(copy, text.at, text.len);
    return copy;
}

struct bt_str bt_arena_str(struct bt_arena *arena, struct bt_str text)
{
    char *copy = bt_arena_dup(arena, text);
    return (struct bt_str){copy, copy ? text.len : 0};
}

static void free_blocks(struct bt_arena_block *block)
{
    while (block) {
        struct bt_arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void bt_arena_reset(struct bt_arena *arena)
{
    if (arena->head) {
        free_blocks(arena->head->next);
        arena->head->next = NULL;
        arena->head->len = 0;
    }
    arena->used_bytes = 0;
}

void bt_arena_done(struct bt_arena *arena)
{
    free_blocks(arena->head);
    arena->head = NULL;
    arena->used_bytes = 0;
}
