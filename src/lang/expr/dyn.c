/* dyn.c — Properties: raw values whose strings are templates at any depth. Immutable, counted. */
#include "lang/expr/expr_int.h"

#include <assert.h>

enum dyn_kind { DYN_LITERAL, DYN_TEMPLATE, DYN_LIST, DYN_MAP };

struct dyn_node {
    enum dyn_kind kind;
    struct bt_value *raw;         /* Borrowed from the root's raw value. */
    struct bt_template *template; /* DYN_TEMPLATE */
    struct dyn_node *items;       /* DYN_LIST, DYN_MAP: one for each value, … */
    struct bt_template **keys;    /* … and for each key; NULL where it is literal. */
    size_t count;
};

struct bt_dyn {
    struct bt_value *raw;
    struct dyn_node root;
};

/* --- Compiling -------------------------------------------------------------------------------- */

static void node_done(struct dyn_node *node)
{
    bt_template_unref(node->template);
    for (size_t i = 0; i < node->count; i++) {
        node_done(&node->items[i]);
        if (node->keys)
            bt_template_unref(node->keys[i]);
    }
    free(node->items);
    free(node->keys);
}

/* A template that is not its own result; NULL when it is literal. */
static int compile_text(struct bt_str text, struct bt_template **ret_template, struct bt_err *err)
{
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    if (text.len == 0 || !memchr(text.at, '{', text.len))
        return BT_OK;
    BT_TRY(bt_template_parse(text, &template, err));
    if (!bt_template_is_literal(template))
        *ret_template = BT_TAKE(template);
    return BT_OK;
}

static int compile(struct dyn_node *node, const struct bt_value *raw, int depth,
                   struct bt_err *err);

static int compile_items(struct dyn_node *node, int depth, struct bt_err *err)
{
    bool is_map = bt_value_is(node->raw, BT_KIND_MAP), is_literal = true;
    size_t count = bt_value_count(node->raw);
    node->items = calloc(count + 1, sizeof *node->items);
    node->keys = is_map ? calloc(count + 1, sizeof(struct bt_template *)) : NULL;
    if (!node->items || (is_map && !node->keys))
        return bt_fail_mem(err, "property");
    node->kind = is_map ? DYN_MAP : DYN_LIST;
    node->count = count;
    for (size_t i = 0; i < count; i++) {
        struct bt_value *item = is_map ? bt_map_at(node->raw, i, NULL) : bt_list_at(node->raw, i);
        BT_TRY(compile(&node->items[i], item, depth + 1, err));
        if (is_map)
            BT_TRY(compile_text(bt_map_key(node->raw, i), &node->keys[i], err));
        is_literal = is_literal && node->items[i].kind == DYN_LITERAL && !(is_map && node->keys[i]);
    }
    if (is_literal) {
        free(node->items);
        free(node->keys);
        *node = (struct dyn_node){.kind = DYN_LITERAL, .raw = node->raw};
    }
    return BT_OK;
}

static int compile(struct dyn_node *node, const struct bt_value *raw, int depth, struct bt_err *err)
{
    node->raw = (struct bt_value *)(uintptr_t)raw;
    if (depth > BT_VALUE_DEPTH_MAX)
        return bt_fail(err, BT_LIMIT, "a property nests deeper than %d levels", BT_VALUE_DEPTH_MAX);
    if (bt_value_is(raw, BT_KIND_LIST) || bt_value_is(raw, BT_KIND_MAP))
        return compile_items(node, depth, err);
    if (bt_value_is(raw, BT_KIND_STRING))
        BT_TRY(compile_text(bt_value_str(raw), &node->template, err));
    node->kind = node->template ? DYN_TEMPLATE : DYN_LITERAL;
    return BT_OK;
}

struct bt_dyn *bt_dyn_unref(struct bt_dyn *dyn)
{
    if (dyn) {
        node_done(&dyn->root);
        bt_value_unref(dyn->raw);
        free(dyn);
    }
    return NULL;
}

int bt_dyn_compile(const struct bt_value *raw, struct bt_dyn **ret_dyn, struct bt_err *err)
{
    struct bt_dyn *dyn = calloc(1, sizeof *dyn);
    if (!dyn)
        return bt_fail_mem(err, "property");
    dyn->raw = raw ? bt_value_ref(raw) : bt_value_null();
    int rc = compile(&dyn->root, dyn->raw, 0, err);
    if (rc < 0) {
        bt_dyn_unref(dyn);
        return rc;
    }
    *ret_dyn = dyn;
    return BT_OK;
}

struct bt_dyn *bt_dyn_literal(const struct bt_value *raw)
{
    struct bt_dyn *dyn = calloc(1, sizeof *dyn);
    if (!dyn)
        return NULL;
    dyn->raw = bt_value_ref(raw);
    dyn->root = (struct dyn_node){.kind = DYN_LITERAL, .raw = dyn->raw};
    return dyn;
}

const struct bt_value *bt_dyn_raw(const struct bt_dyn *dyn)
{
    return dyn->raw;
}

bool bt_dyn_is_literal(const struct bt_dyn *dyn)
{
    return dyn->root.kind == DYN_LITERAL;
}

/* --- Rendering -------------------------------------------------------------------------------- */

/* How one template is rendered. */
typedef int render_fn(const struct bt_template *template, const struct bt_scope *scope,
                      struct bt_value **ret_value, struct bt_err *err);
struct rendering {
    const struct bt_scope *scope;
    render_fn *leaf;
};

static int render(const struct dyn_node *node, const struct rendering *how,
                  struct bt_value **ret_value, struct bt_err *err);

static int render_list(const struct dyn_node *node, const struct rendering *how,
                       struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(node->count);
    if (!list)
        return bt_fail_mem(err, "property");
    for (size_t i = 0; i < node->count; i++) {
        struct bt_value *item = NULL;
        BT_TRY(render(&node->items[i], how, &item, err));
        if (bt_list_push(list, item) < 0)
            return bt_fail_mem(err, "property");
    }
    *ret_value = BT_TAKE(list);
    return BT_OK;
}

static int render_map(const struct dyn_node *node, const struct rendering *how,
                      struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE map = bt_map_new(node->count);
    if (!map)
        return bt_fail_mem(err, "property");
    for (size_t i = 0; i < node->count; i++) {
        BT_VALUE text = NULL;
        struct bt_value *item = NULL, *key = NULL;
        (void)bt_map_at(node->raw, i, &key); /* Only the key is wanted. */
        if (node->keys[i]) {
            BT_TRY(bt_template_render(node->keys[i], how->scope, &text, err));
            key = text;
        }
        BT_TRY(render(&node->items[i], how, &item, err));
        if (bt_map_put_key(map, key, item) < 0)
            return bt_fail_mem(err, "property");
    }
    *ret_value = BT_TAKE(map);
    return BT_OK;
}

static int render(const struct dyn_node *node, const struct rendering *how,
                  struct bt_value **ret_value, struct bt_err *err)
{
    switch (node->kind) {
    case DYN_LITERAL:
        *ret_value = node->raw ? bt_value_ref(node->raw) : bt_value_null();
        return BT_OK;
    case DYN_TEMPLATE: return how->leaf(node->template, how->scope, ret_value, err);
    case DYN_LIST: return render_list(node, how, ret_value, err);
    case DYN_MAP: return render_map(node, how, ret_value, err);
    }
    return BT_INVALID;
}

int bt_dyn_render(const struct bt_dyn *dyn, const struct bt_scope *scope,
                  struct bt_value **ret_value, struct bt_err *err)
{
    assert(dyn && scope && ret_value);
    return render(&dyn->root, &(struct rendering){scope, bt_template_render}, ret_value, err);
}

int bt_dyn_render_typed(const struct bt_dyn *dyn, const struct bt_scope *scope,
                        struct bt_value **ret_value, struct bt_err *err)
{
    assert(dyn && scope && ret_value);
    return render(&dyn->root, &(struct rendering){scope, bt_template_render_typed}, ret_value, err);
}

/* --- Paths ------------------------------------------------------------------------------------ */

static int add_paths(const struct dyn_node *node, struct bt_paths *paths)
{
    if (node->template)
        BT_TRY(bt_template_paths(node->template, paths));
    for (size_t i = 0; i < node->count; i++) {
        if (node->keys && node->keys[i])
            BT_TRY(bt_template_paths(node->keys[i], paths));
        BT_TRY(add_paths(&node->items[i], paths));
    }
    return BT_OK;
}

int bt_dyn_paths(const struct bt_dyn *dyn, struct bt_paths *paths)
{
    return add_paths(&dyn->root, paths);
}
