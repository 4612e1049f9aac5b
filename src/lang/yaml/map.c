/* map.c — Closing a map: its keys are texts, each stands once, merge keys are laid under it. */
#include "lang/yaml/yaml_int.h"

#include <stdlib.h>

/* A set of the keys of one map: open addressing over pair indexes. */
struct key_set {
    uint32_t *slots; /* Index + 1, 0 = free. */
    size_t mask;
    uint64_t seed;
};

static bool set_init(struct key_set *set, struct bt_arena *arena, size_t count)
{
    size_t size = 16;
    while (size < count * 2)
        size *= 2;
    set->slots = calloc(size, sizeof *set->slots);
    set->mask = size - 1;
    set->seed = (uint64_t)(uintptr_t)arena; /* Not known to who wrote the file. */
    return set->slots != NULL;
}

/* The index of the pair with this key; when there is none, `index` is put and returned. */
static uint32_t set_put(struct key_set *set, const struct bt_yaml_pair *pairs, uint32_t index)
{
    struct bt_str key = pairs[index].key->text;
    size_t at = bt_str_hash(key, set->seed) & set->mask;
    while (set->slots[at]) {
        uint32_t other = set->slots[at] - 1;
        if (bt_str_eq(pairs[other].key->text, key))
            return other;
        at = (at + 1) & set->mask;
    }
    set->slots[at] = index + 1;
    return index;
}

static void report_duplicate(const struct bt_yaml_node *key, const struct bt_yaml_node *first,
                             struct bt_diags *diags)
{
    struct bt_diag *diag = bt_diags_add(diags, BT_SEVERITY_ERROR, "duplicate-key", key->at,
                                        "\"%.*s\" stands here twice (first in line %u)",
                                        BT_FMT(key->text), first->at.line);
    if (diag) {
        diag->end = key->end;
        diag->hint = "keep one of the two";
        diag->original = bt_diags_dup(diags, "Duplicate field '%.*s'", BT_FMT(key->text));
    }
}

static bool check_keys(const struct bt_yaml_node *map, struct bt_diags *diags)
{
    bool is_good = true;
    for (uint32_t i = 0; i < map->count; i++) {
        const struct bt_yaml_node *key = map->pairs[i].key;
        if (key->kind == BT_YAML_SCALAR)
            continue;
        is_good = false;
        bt_diags_add(diags, BT_SEVERITY_ERROR, "complex-key", key->at,
                     "a key must be a text, here it is %s", bt_yaml_kind_name(key));
    }
    return is_good;
}

static bool is_merge(const struct bt_yaml_node *key)
{
    return key->style == BT_YAML_PLAIN && bt_str_is(key->text, "<<");
}

/* How many pairs the merge keys of a map bring in, duplicates counted; reports bad ones. */
static size_t count_merged(const struct bt_yaml_node *map, struct bt_diags *diags)
{
    size_t count = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        const struct bt_yaml_node *value = map->pairs[i].value;
        if (!is_merge(map->pairs[i].key))
            continue;
        bool is_list = value->kind == BT_YAML_LIST;
        for (uint32_t k = 0; k < (is_list ? value->count : 1); k++) {
            const struct bt_yaml_node *from = is_list ? value->items[k] : value;
            count += from->kind == BT_YAML_MAP ? from->count : 0;
            if (from->kind != BT_YAML_MAP)
                bt_diags_add(diags, BT_SEVERITY_ERROR, "bad-merge", map->pairs[i].key->at,
                             "\"<<\" takes a map or a list of maps, here it is %s",
                             bt_yaml_kind_name(from));
        }
    }
    return count;
}

static void merge_from(struct bt_yaml_node *map, const struct bt_yaml_node *from,
                       struct key_set *set, size_t *ret_added)
{
    if (from->kind != BT_YAML_MAP)
        return;
    for (uint32_t i = 0; i < from->count; i++) {
        map->pairs[map->count] = from->pairs[i];
        if (set_put(set, map->pairs, map->count) != map->count)
            continue;
        map->count++;
        *ret_added += from->pairs[i].key->size + from->pairs[i].value->size;
    }
}

static int merge(struct bt_arena *arena, struct bt_yaml_node *map, size_t more, size_t *ret_added)
{
    struct bt_yaml_pair *old = map->pairs;
    uint32_t old_count = map->count;
    struct key_set set;
    map->pairs = bt_arena_alloc(arena, (old_count + more + 1) * sizeof *map->pairs);
    if (!map->pairs || !set_init(&set, arena, old_count + more + 1)) {
        map->count = 0;
        return BT_NO_MEM;
    }
    map->count = 0;
    for (uint32_t i = 0; i < old_count; i++) {
        if (is_merge(old[i].key))
            continue;
        map->pairs[map->count] = old[i];
        set_put(&set, map->pairs, map->count++);
    }
    for (uint32_t i = 0; i < old_count; i++) {
        const struct bt_yaml_node *value = old[i].value;
        if (!is_merge(old[i].key))
            continue;
        bool is_list = value->kind == BT_YAML_LIST;
        for (uint32_t k = 0; k < (is_list ? value->count : 1); k++)
            merge_from(map, is_list ? value->items[k] : value, &set, ret_added);
    }
    free(set.slots);
    map->size += *ret_added > UINT32_MAX - map->size ? 0 : (uint32_t)*ret_added;
    return BT_OK;
}

int bt_yaml_map_close(struct bt_arena *arena, struct bt_yaml_node *map, size_t *ret_added,
                      struct bt_diags *diags)
{
    if (!check_keys(map, diags)) {
        map->count = 0; /* What is reported is not looked at again. */
        return BT_OK;
    }
    struct key_set set;
    if (!set_init(&set, arena, map->count))
        return BT_NO_MEM;
    bool has_merge = false;
    uint32_t kept = 0; /* A duplicate is reported and dropped: keys of a map are unique. */
    for (uint32_t i = 0; i < map->count; i++) {
        map->pairs[kept] = map->pairs[i];
        has_merge = has_merge || is_merge(map->pairs[kept].key);
        uint32_t first = set_put(&set, map->pairs, kept);
        if (first == kept)
            kept++;
        else
            report_duplicate(map->pairs[kept].key, map->pairs[first].key, diags);
    }
    map->count = kept;
    free(set.slots);
    if (!has_merge)
        return BT_OK;
    return merge(arena, map, count_merged(map, diags), ret_added);
}
