/* paths.c — Which variables a template can reach: the paths that a worker must be given. Pure.
 *
 * A chain of fixed names is one path; a dynamic part ends it. Names that the template itself sets
 * (set, for, macro parameters) are followed only in the simple way: such a name is no root. When in
 * doubt the answer is more, never less. */
#include "lang/expr/expr_int.h"

#include <assert.h>

enum { PATH_MAX_NAMES = 32 };

struct walk {
    const struct bt_template *template;
    struct bt_paths *paths;
    struct bt_str *hidden; /* Names bound by the template: loop variables and parameters. */
    size_t hidden_count, hidden_cap;
    int rc;
};

static void walk_body(struct walk *walk, const struct bt_body *body);
static void walk_node(struct walk *walk, const struct bt_node *node);

/* --- The set ---------------------------------------------------------------------------------- */

static bool same_path(const struct bt_path *path, const struct bt_str *names, size_t count)
{
    if (path->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!bt_str_eq(path->names[i], names[i]))
            return false;
    return true;
}

static void add_path(struct walk *walk, const struct bt_str *names, size_t count)
{
    struct bt_paths *paths = walk->paths;
    for (size_t i = 0; i < paths->count; i++)
        if (same_path(&paths->items[i], names, count))
            return;
    if (paths->count == paths->cap) {
        size_t cap = paths->cap ? paths->cap * 2 : 8;
        struct bt_path *items = realloc(paths->items, cap * sizeof *items);
        if (!items) {
            walk->rc = BT_NO_MEM;
            return;
        }
        paths->items = items;
        paths->cap = cap;
    }
    struct bt_str *copy = malloc(count * sizeof *copy);
    if (!copy) {
        walk->rc = BT_NO_MEM;
        return;
    }
    memcpy(copy, names, count * sizeof *copy);
    paths->items[paths->count++] = (struct bt_path){copy, count};
}

void bt_paths_done(struct bt_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free((void *)(uintptr_t)paths->items[i].names);
    free(paths->items);
    *paths = (struct bt_paths){0};
}

/* --- Walking ---------------------------------------------------------------------------------- */

static void hide(struct walk *walk, struct bt_str name)
{
    if (walk->hidden_count == walk->hidden_cap) {
        size_t cap = walk->hidden_cap ? walk->hidden_cap * 2 : 8;
        struct bt_str *hidden = realloc(walk->hidden, cap * sizeof *hidden);
        if (!hidden) {
            walk->rc = BT_NO_MEM;
            return;
        }
        walk->hidden = hidden;
        walk->hidden_cap = cap;
    }
    walk->hidden[walk->hidden_count++] = name;
}

static bool is_hidden(const struct walk *walk, struct bt_str name)
{
    for (size_t i = 0; i < walk->hidden_count; i++)
        if (bt_str_eq(walk->hidden[i], name))
            return true;
    return false;
}

/* A fixed name of an attribute: a word or a constant string, no call. */
static bool is_fixed(const struct bt_node *node)
{
    return node->kind == BT_NODE_ATTR && !node->is_call && node->right->kind == BT_NODE_LITERAL &&
           bt_value_is(node->right->value, BT_KIND_STRING);
}

/* a.b['c'] from its outermost node; walks what is dynamic on the way. */
static void walk_chain(struct walk *walk, const struct bt_node *node)
{
    struct bt_str names[PATH_MAX_NAMES];
    const struct bt_node *chain[PATH_MAX_NAMES];
    size_t count = 0;
    const struct bt_node *root = node;
    while (root->kind == BT_NODE_ATTR) {
        if (!is_fixed(root)) {
            count = 0; /* What is behind a dynamic part is not in the path. */
            if (!root->is_call)
                walk_node(walk, root->right);
            for (size_t i = 0; root->is_call && i < root->args.given_count; i++)
                walk_node(walk, root->args.given[i]);
        } else if (count == PATH_MAX_NAMES - 1) {
            memmove(chain, chain + 1, (count - 1) * sizeof *chain); /* Keep the inner ones. */
            chain[count - 1] = root;
        } else {
            chain[count++] = root;
        }
        root = root->left;
    }
    if (root->kind != BT_NODE_VARIABLE) {
        walk_node(walk, root);
        return;
    }
    if (is_hidden(walk, root->name))
        return;
    names[0] = root->name;
    for (size_t i = 0; i < count; i++)
        names[i + 1] = chain[count - 1 - i]->name;
    add_path(walk, names, count + 1);
}

static void walk_call(struct walk *walk, const struct bt_node *node)
{
    if (node->fn && node->fn->flags & BT_FN_TOP)
        walk->paths->is_top = true;
    if (node->fn && node->fn->flags & BT_FN_IO)
        walk->paths->needs_io = true;
    if (node->fn && bt_str_is(node->name, "currentEachOutput")) {
        static const char *const also[] = {"parents", "taskrun"};
        for (size_t i = 0; i < BT_COUNT(also); i++)
            add_path(walk, &(struct bt_str){also[i], strlen(also[i])}, 1);
    }
    for (size_t i = 0; i < node->args.given_count; i++)
        walk_node(walk, node->args.given[i]);
}

static void walk_node(struct walk *walk, const struct bt_node *node)
{
    if (!node || walk->rc < 0)
        return;
    switch ((enum bt_node_kind)node->kind) {
    case BT_NODE_LITERAL:
    case BT_NODE_TEXT: return;
    case BT_NODE_VARIABLE:
    case BT_NODE_ATTR: walk_chain(walk, node); return;
    case BT_NODE_FILTER:
    case BT_NODE_TEST:
        walk_call(walk, node);
        walk_node(walk, node->left);
        return;
    case BT_NODE_CALL:
    case BT_NODE_BLOCK_CALL:
    case BT_NODE_PARENT_CALL: walk_call(walk, node); return;
    case BT_NODE_UNARY:
    case BT_NODE_BINARY:
    case BT_NODE_TERNARY:
        walk_node(walk, node->left);
        walk_node(walk, node->right);
        walk_node(walk, node->third);
        return;
    case BT_NODE_LIST:
    case BT_NODE_MAP:
        for (size_t i = 0; i < node->items_count; i++)
            walk_node(walk, node->items[i]);
        return;
    case BT_NODE_PRINT:
    case BT_NODE_SET: walk_node(walk, node->source); return;
    case BT_NODE_FILTER_TAG:
        walk_node(walk, node->source);
        walk_body(walk, &node->body);
        return;
    case BT_NODE_BLOCK: walk_body(walk, &node->body); return;
    case BT_NODE_IF:
        for (size_t i = 0; i < node->branches_count; i++) {
            walk_node(walk, node->branches[i].condition);
            walk_body(walk, &node->branches[i].body);
        }
        return;
    case BT_NODE_FOR: {
        size_t hidden = walk->hidden_count;
        walk_node(walk, node->source);
        hide(walk, node->name);
        hide(walk, BT_STR("loop"));
        walk_body(walk, &node->body);
        walk->hidden_count = hidden < walk->hidden_count ? hidden : walk->hidden_count;
        walk_body(walk, &node->other);
        return;
    }
    }
}

static void walk_body(struct walk *walk, const struct bt_body *body)
{
    for (size_t i = 0; i < body->count; i++)
        walk_node(walk, body->items[i]);
}

/* A macro sees its parameters only; its body can still call functions, and its defaults are
 * evaluated in the caller's scope. */
static void walk_macro(struct walk *walk, const struct bt_macro *macro)
{
    for (size_t i = 0; i < macro->params_count; i++)
        walk_node(walk, macro->defaults[i]);
    for (size_t i = 0; i < macro->params_count; i++)
        hide(walk, macro->params[i]);
    walk_body(walk, &macro->body);
    walk->hidden_count = 0;
}

int bt_template_paths(const struct bt_template *template, struct bt_paths *paths)
{
    struct walk walk = {.template = template, .paths = paths};
    assert(template && paths);
    if (template->literal)
        return BT_OK;
    walk_body(&walk, &template->body);
    for (size_t i = 0; i < template->macros_count; i++)
        walk_macro(&walk, &template->macros[i]);
    free(walk.hidden);
    return walk.rc;
}
