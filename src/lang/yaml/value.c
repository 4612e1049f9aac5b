/* value.c — Trees to values, and small questions about nodes. Depth is bounded by the parser. */
#include "lang/yaml/yaml_int.h"

static const struct bt_yaml_pair *pair_of(const struct bt_yaml_node *node, const char *key)
{
    if (!node || node->kind != BT_YAML_MAP)
        return NULL;
    struct bt_str name = bt_str_of(key);
    for (uint32_t i = 0; i < node->count; i++)
        if (bt_str_eq(node->pairs[i].key->text, name))
            return &node->pairs[i];
    return NULL;
}

struct bt_yaml_node *bt_yaml_get(const struct bt_yaml_node *node, const char *key)
{
    const struct bt_yaml_pair *pair = pair_of(node, key);
    return pair ? pair->value : NULL;
}

struct bt_yaml_node *bt_yaml_get_key(const struct bt_yaml_node *node, const char *key)
{
    const struct bt_yaml_pair *pair = pair_of(node, key);
    return pair ? pair->key : NULL;
}

bool bt_yaml_is_null(const struct bt_yaml_node *node)
{
    return !node || (node->kind == BT_YAML_SCALAR && bt_yaml_scalar_kind(node) == BT_KIND_NULL);
}

const char *bt_yaml_kind_name(const struct bt_yaml_node *node)
{
    if (!node)
        return "nothing";
    if (node->kind != BT_YAML_SCALAR)
        return node->kind == BT_YAML_LIST ? "a list" : "a map";
    switch (bt_yaml_scalar_kind(node)) {
    case BT_KIND_NULL: return "nothing";
    case BT_KIND_BOOL: return "a boolean";
    case BT_KIND_INT: return "a whole number";
    case BT_KIND_DOUBLE: return "a number";
    case BT_KIND_DECIMAL:
    case BT_KIND_STRING:
    case BT_KIND_LIST:
    case BT_KIND_MAP:
    case BT_KIND_LAZY: break;
    }
    return "a text";
}

static int list_value(const struct bt_yaml_node *node, struct bt_value **ret_value,
                      struct bt_err *err)
{
    BT_VALUE list = bt_list_new(node->count);
    if (!list)
        return bt_fail_mem(err, "reading YAML");
    for (uint32_t i = 0; i < node->count; i++) {
        struct bt_value *item = NULL;
        BT_TRY(bt_yaml_value(node->items[i], &item, err));
        if (bt_list_push(list, item) != BT_OK)
            return bt_fail_mem(err, "reading YAML");
    }
    *ret_value = BT_TAKE(list);
    return BT_OK;
}

static int map_value(const struct bt_yaml_node *node, struct bt_value **ret_value,
                     struct bt_err *err)
{
    BT_VALUE map = bt_map_new(node->count);
    if (!map)
        return bt_fail_mem(err, "reading YAML");
    for (uint32_t i = 0; i < node->count; i++) {
        struct bt_value *item = NULL;
        BT_TRY(bt_yaml_value(node->pairs[i].value, &item, err));
        if (bt_map_put(map, node->pairs[i].key->text, item) != BT_OK)
            return bt_fail_mem(err, "reading YAML");
    }
    *ret_value = BT_TAKE(map);
    return BT_OK;
}

int bt_yaml_value(const struct bt_yaml_node *node, struct bt_value **ret_value, struct bt_err *err)
{
    if (node->kind == BT_YAML_LIST)
        return list_value(node, ret_value, err);
    if (node->kind == BT_YAML_MAP)
        return map_value(node, ret_value, err);
    struct bt_value *value = bt_yaml_scalar_value(node);
    if (!value)
        return bt_fail_mem(err, "reading YAML");
    *ret_value = value;
    return BT_OK;
}

static int first_error(const struct bt_diags *diags, int rc, struct bt_err *err)
{
    for (size_t i = 0; i < diags->count; i++) {
        const struct bt_diag *diag = &diags->items[i];
        if (diag->severity != BT_SEVERITY_ERROR)
            continue;
        bt_fail(err, rc, "%s", diag->msg);
        bt_hint(err, "%s", diag->hint);
        if (err) {
            err->line = diag->at.line;
            err->col = diag->at.col;
        }
        return rc;
    }
    return bt_fail_mem(err, "reading YAML");
}

int bt_yaml_text_value(struct bt_str text, struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_arena arena = BT_ARENA_INIT;
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_yaml yaml = {0};
    int rc = bt_yaml_parse(text, &arena, &yaml, &diags);
    if (rc != BT_OK)
        first_error(&diags, rc, err);
    else if (yaml.count > 1)
        rc = bt_fail(err, BT_INVALID, "the text holds %u YAML documents, one is expected",
                     yaml.count);
    else
        rc = bt_yaml_value(yaml.docs[0], ret_value, err);
    bt_diags_done(&diags);
    bt_arena_done(&arena);
    return rc;
}
