/* id_set.c — A set of names that remembers where each was first seen. */
#include "model/id_set_int.h"

#include <stdlib.h>

bool bt_id_set_init(struct bt_id_set *set, size_t count_max)
{
    size_t size = 16;
    while (size < count_max * 2)
        size *= 2;
    *set = (struct bt_id_set){.slots = calloc(size, sizeof *set->slots), .mask = size - 1};
    /* Names come from users: the place of the table is a seed that they cannot know. */
    set->seed = (uint64_t)(uintptr_t)set->slots;
    return set->slots != NULL;
}

void bt_id_set_done(struct bt_id_set *set)
{
    free(set->slots);
    set->slots = NULL;
}

static struct bt_id_slot *slot_of(const struct bt_id_set *set, struct bt_str name)
{
    size_t at = bt_str_hash(name, set->seed) & set->mask;
    while (set->slots[at].name && !bt_str_eq(bt_str_of(set->slots[at].name), name))
        at = (at + 1) & set->mask;
    return &set->slots[at];
}

const struct bt_yaml_node *bt_id_set_put(struct bt_id_set *set, const char *name,
                                         const struct bt_yaml_node *node)
{
    struct bt_id_slot *slot = slot_of(set, bt_str_of(name));
    if (slot->name)
        return slot->node;
    *slot = (struct bt_id_slot){name, node};
    return NULL;
}

bool bt_id_set_has(const struct bt_id_set *set, struct bt_str name)
{
    return slot_of(set, name)->name != NULL;
}
