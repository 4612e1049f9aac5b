/* id_set_int.h — A set of names that remembers where each was first seen. Private to the room.
 * Names and nodes are borrowed. It does not grow: at most the number of names it was made for. */
#pragma once
#include "lang/yaml/yaml.h"

struct bt_id_slot {
    const char *name; /* NULL: free. */
    const struct bt_yaml_node *node;
};

struct bt_id_set {
    struct bt_id_slot *slots;
    size_t mask;
    uint64_t seed;
};

bool bt_id_set_init(struct bt_id_set *set, size_t count_max); /* False: no memory. */
void bt_id_set_done(struct bt_id_set *set);
/* Puts a name. Returns the node it was first put with, or NULL when it is new. */
const struct bt_yaml_node *bt_id_set_put(struct bt_id_set *set, const char *name,
                                         const struct bt_yaml_node *node);
bool bt_id_set_has(const struct bt_id_set *set, struct bt_str name);
