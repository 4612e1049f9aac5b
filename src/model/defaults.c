/* defaults.c — `pluginDefaults`: values laid under (or, forced, over) every map that has a `type`.
 *
 * The tree is changed before it is read as a flow: what a default brings is checked like what
 * stands in the task, and points at its own line. Maps merge deeply, lists are joined. Each node is
 * changed once, also when aliases hang it at several places; what is added is counted against the
 * limit. */
#include "model/model_int.h"

#include "base/limits.h"
#include "base/own.h"

enum { MERGE_WORK_MAX = 20000000 };

struct plugin_default {
    struct bt_str type_name;
    const struct bt_type *type; /* NULL: a prefix, or not known. */
    struct bt_yaml_node *values;
    bool is_forced;
};

struct defaults {
    struct parse *parse;
    struct plugin_default *items;
    uint32_t count;
    size_t added; /* Nodes. */
    size_t work;  /* Keys compared. */
};

/* --- Merging ---------------------------------------------------------------------------------- */

static struct bt_yaml_node *new_like(struct defaults *defaults, const struct bt_yaml_node *node,
                                     uint32_t count)
{
    struct bt_yaml_node *copy = bt_arena_alloc(defaults->parse->scratch, sizeof *copy);
    size_t size = node->kind == BT_YAML_MAP ? sizeof *copy->pairs : sizeof *copy->items;
    void *children = bt_arena_alloc(defaults->parse->scratch, (count + 1) * size);
    if (!copy || !children) {
        defaults->parse->rc = BT_NO_MEM;
        return NULL;
    }
    *copy = *node;
    copy->count = 0;
    if (node->kind == BT_YAML_MAP)
        copy->pairs = children;
    else
        copy->items = children;
    return copy;
}

static struct bt_yaml_node *join_lists(struct defaults *defaults, const struct bt_yaml_node *one,
                                       const struct bt_yaml_node *two)
{
    struct bt_yaml_node *list = new_like(defaults, one, one->count + two->count);
    if (!list)
        return NULL;
    for (uint32_t i = 0; i < one->count; i++)
        list->items[list->count++] = one->items[i];
    for (uint32_t i = 0; i < two->count; i++)
        list->items[list->count++] = two->items[i];
    return list;
}

static struct bt_yaml_node *merge(struct defaults *defaults, struct bt_yaml_node *own,
                                  struct bt_yaml_node *other, bool is_over);

/* The map `own` with what `other` has: own wins unless is_over. */
static struct bt_yaml_node *merge_maps(struct defaults *defaults, const struct bt_yaml_node *own,
                                       const struct bt_yaml_node *other, bool is_over)
{
    struct bt_yaml_node *map = new_like(defaults, own, own->count + other->count);
    if (!map)
        return NULL;
    defaults->work += (size_t)own->count * other->count;
    for (uint32_t i = 0; i < own->count; i++)
        map->pairs[map->count++] = own->pairs[i];
    for (uint32_t i = 0; i < other->count; i++) {
        uint32_t at = 0;
        while (at < own->count && !bt_str_eq(own->pairs[at].key->text, other->pairs[i].key->text))
            at++;
        if (at < own->count)
            map->pairs[at].value =
                merge(defaults, own->pairs[at].value, other->pairs[i].value, is_over);
        else
            map->pairs[map->count++] = other->pairs[i];
        if (defaults->parse->rc != BT_OK)
            return NULL;
    }
    return map;
}

static struct bt_yaml_node *merge(struct defaults *defaults, struct bt_yaml_node *own,
                                  struct bt_yaml_node *other, bool is_over)
{
    if (own->kind == BT_YAML_MAP && other->kind == BT_YAML_MAP)
        return merge_maps(defaults, own, other, is_over);
    if (own->kind == BT_YAML_LIST && other->kind == BT_YAML_LIST)
        return is_over ? join_lists(defaults, own, other) : join_lists(defaults, other, own);
    return is_over ? other : own;
}

static bool matches(const struct plugin_default *item, struct bt_str name)
{
    if (item->type && bt_type_find(name) == item->type)
        return true;
    return bt_str_starts(name, item->type_name);
}

static void apply_one(struct defaults *defaults, struct bt_yaml_node *node,
                      const struct plugin_default *item)
{
    defaults->added += item->values->size;
    if (defaults->added > BT_YAML_NODES_MAX || defaults->work > MERGE_WORK_MAX) {
        struct place place = {.name = "pluginDefaults", .node = item->values};
        bt_model_error(defaults->parse, &place, "too-many-nodes",
                       "\"pluginDefaults\" add too many values to this flow");
        defaults->parse->rc = BT_LIMIT;
        return;
    }
    struct bt_yaml_node *merged = merge_maps(defaults, node, item->values, item->is_forced);
    if (!merged)
        return;
    node->pairs = merged->pairs;
    node->count = merged->count;
}

/* Where several match, the first declared wins: it is laid under first, or over last. */
static void apply_to(struct defaults *defaults, struct bt_yaml_node *node, struct bt_str name)
{
    struct parse *parse = defaults->parse;
    for (uint32_t i = 0; i < defaults->count && parse->rc == BT_OK; i++)
        if (!defaults->items[i].is_forced && matches(&defaults->items[i], name))
            apply_one(defaults, node, &defaults->items[i]);
    for (uint32_t i = defaults->count; i > 0 && parse->rc == BT_OK; i--)
        if (defaults->items[i - 1].is_forced && matches(&defaults->items[i - 1], name))
            apply_one(defaults, node, &defaults->items[i - 1]);
}

static void walk(struct defaults *defaults, struct bt_yaml_node *node)
{
    if (node->is_seen || node->kind == BT_YAML_SCALAR || defaults->parse->rc != BT_OK)
        return;
    node->is_seen = true;
    const struct bt_yaml_node *type = bt_yaml_get(node, "type");
    if (type && type->kind == BT_YAML_SCALAR && type->text.len)
        apply_to(defaults, node, type->text);
    for (uint32_t i = 0; i < node->count; i++)
        walk(defaults, node->kind == BT_YAML_LIST ? node->items[i] : node->pairs[i].value);
}

static void clear(struct bt_yaml_node *node)
{
    if (!node->is_seen || node->kind == BT_YAML_SCALAR)
        return;
    node->is_seen = false;
    for (uint32_t i = 0; i < node->count; i++)
        clear(node->kind == BT_YAML_LIST ? node->items[i] : node->pairs[i].value);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void report(struct parse *parse, const struct place *place, const char *original,
                   const char *msg)
{
    struct bt_diag *diag = bt_model_error(parse, place, "bad-default", "%s", msg);
    bt_diag_original(parse, diag, "Invalid Plugin Default: %s", original);
}

/* The keys of `values` must be properties of the type. */
static bool check_values(struct parse *parse, const struct place *place,
                         const struct plugin_default *item)
{
    bool is_good = true;
    for (uint32_t i = 0; item->type && i < item->values->count; i++) {
        struct bt_str key = item->values->pairs[i].key->text;
        if (bt_map_get(item->type->schema, key) || bt_map_get(bt_type_common(), key))
            continue;
        is_good = false;
        struct place at = bt_place_in(place, NULL, item->values->pairs[i].key);
        at.name = "";
        struct bt_diag *diag =
            bt_model_error(parse, &at, "bad-default", "type \"%.*s\" has no property \"%.*s\"",
                           BT_FMT(item->type_name), BT_FMT(key));
        bt_diag_original(parse, diag,
                         "Invalid Plugin Default: No property '%.*s' exists in plugin '%.*s'",
                         BT_FMT(key), BT_FMT(item->type_name));
    }
    return is_good;
}

static bool read_item(struct parse *parse, const struct place *list, uint32_t index,
                      struct plugin_default *ret_item)
{
    struct place place = bt_place_at(list, index, list->node->items[index]);
    struct bt_yaml_node *type = bt_yaml_get(place.node, "type");
    struct bt_yaml_node *values = bt_yaml_get(place.node, "values");
    struct bt_yaml_node *forced = bt_yaml_get(place.node, "forced");
    if (place.node->kind != BT_YAML_MAP) {
        bt_model_error(parse, &place, "wrong-type", "a plugin default must be a map, here it is %s",
                       bt_yaml_kind_name(place.node));
        return false;
    }
    if (bt_yaml_is_null(type) || type->kind != BT_YAML_SCALAR) {
        report(parse, &place, "No 'type' provided", "the plugin default has no \"type\"");
        return false;
    }
    if (bt_yaml_is_null(values) || values->kind != BT_YAML_MAP) {
        report(parse, &place, "No 'values' provided", "the plugin default has no map \"values\"");
        return false;
    }
    struct place at = bt_place_in(&place, "forced", forced);
    *ret_item = (struct plugin_default){.type_name = type->text,
                                        .type = bt_type_find(type->text),
                                        .values = values,
                                        .is_forced = forced && bt_read_bool(parse, &at, false)};
    return check_values(parse, &place, ret_item);
}

static void read_list(struct defaults *defaults, const struct place *place)
{
    struct parse *parse = defaults->parse;
    if (!bt_read_is_list(parse, place))
        return;
    struct place key = bt_place_key(place);
    if (strcmp(place->name, "taskDefaults") == 0)
        bt_diag_hint(parse,
                     bt_model_warn(parse, &key, "deprecated", "\"taskDefaults\" is deprecated"),
                     "write pluginDefaults");
    uint32_t count = place->node->count + defaults->count;
    struct plugin_default *items = bt_arena_alloc(parse->scratch, (count + 1) * sizeof *items);
    if (!items) {
        parse->rc = BT_NO_MEM;
        return;
    }
    if (defaults->count)
        memcpy(items, defaults->items, defaults->count * sizeof *items);
    defaults->items = items;
    for (uint32_t i = 0; i < place->node->count; i++)
        if (read_item(parse, place, i, &items[defaults->count]))
            defaults->count++;
}

void bt_apply_defaults(struct parse *parse, struct bt_yaml_node *root)
{
    static const char *const names[] = {"pluginDefaults", "taskDefaults"};
    static const char *const targets[] = {"tasks",     "errors",   "finally",
                                          "listeners", "triggers", "afterExecution"};
    struct defaults defaults = {.parse = parse};
    struct place place = {.name = "", .node = root};
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        struct place at = bt_place_in(&place, names[i], bt_yaml_get(root, names[i]));
        at.key = bt_yaml_get_key(root, names[i]);
        if (!bt_yaml_is_null(at.node))
            read_list(&defaults, &at);
    }
    for (size_t i = 0; defaults.count && i < BT_COUNT(targets); i++) {
        struct bt_yaml_node *target = bt_yaml_get(root, targets[i]);
        if (target)
            walk(&defaults, target);
    }
    for (size_t i = 0; defaults.count && i < BT_COUNT(targets); i++) {
        struct bt_yaml_node *target = bt_yaml_get(root, targets[i]);
        if (target)
            clear(target);
    }
}
