/* registry_int.h — Tables of types, shared by the files of the registry. */
#pragma once
#include "plugin/type.h"

enum {
    NAME_SLOTS = 16384,
    TYPES_MAX = 2048,
    NAMES_MAX = NAME_SLOTS / 2,
    PLUGINS_MAX = 256,
};

struct slot {
    struct bt_str name;
    const struct bt_type *type;
};

struct table {
    const struct bt_type *list[TYPES_MAX];
    size_t count;
    struct slot *slots;           /* NAME_SLOTS: hash of names to types, open addressing. */
    const char *names[NAMES_MAX]; /* All of them, for suggestions. */
    size_t name_count;
    const struct bt_plugin_info *plugins[PLUGINS_MAX];
    size_t plugin_count;
};

/* Whether a type of the table, or a built-in one, has this name. */
bool bt_registry_has(const struct table *table, struct bt_str name);
/* Adds the type of a checked entry. Stops the program without memory. */
struct bt_type *bt_registry_add(struct table *table, const struct bt_value *manifest,
                                const struct bt_value *entry);
/* plugins.c */
void bt_registry_load_plugin(struct table *table, const char *dir, struct bt_str text,
                             bool (*has_file)(const char *path, bool is_executable));
