/* eval.c — Evaluates expressions over the variables of a scope. Pure: sees the scope, nothing else.
 *
 * Every evaluation gives one owned value or a negative code. A missing name costs nothing until
 * nothing tolerates it: it is noted in the run and put in words at the end. */
#include "lang/expr/expr_int.h"

#include <assert.h>

enum { RUN_DEPTH_MAX = 2500 }; /* C frames of nested evaluation. */

bool bt_eval_is_catchable(int rc)
{
    return rc == BT_INVALID || rc == BT_NOT_FOUND;
}

/* Whether the failure is a missing name; forgets it then. */
static bool forgive_missing(struct bt_run *run, int rc)
{
    if (rc != BT_NOT_FOUND || !run->is_missing)
        return false;
    run->is_missing = false;
    run->missing = bt_value_unref(run->missing);
    return true;
}

/* --- Changes in place ------------------------------------------------------------------------- */

const struct bt_value *bt_eval_alias(const struct bt_run *run, const struct bt_value *value)
{
    for (size_t i = 0; i < run->aliases_count; i++)
        if (run->aliases[i].from == value)
            return run->aliases[i].to;
    return value;
}

int bt_eval_replace(struct bt_run *run, const struct bt_value *from, struct bt_value *to,
                    struct bt_value **ret_value)
{
    BT_VALUE taken = to;
    if (!taken)
        return bt_raise_mem(run);
    for (size_t i = 0; i < run->aliases_count; i++) {
        if (run->aliases[i].to != from)
            continue;
        /* `from` is a stand-in already: the original of it reads as the newest. */
        struct bt_value *old = run->aliases[i].to;
        run->aliases[i].to = bt_value_ref(taken);
        bt_value_unref(old);
        *ret_value = BT_TAKE(taken);
        return BT_OK;
    }
    if (run->aliases_count == run->aliases_cap) {
        size_t cap = run->aliases_cap ? run->aliases_cap * 2 : 4;
        struct bt_alias *aliases = realloc(run->aliases, cap * sizeof *aliases);
        if (!aliases)
            return bt_raise_mem(run);
        run->aliases = aliases;
        run->aliases_cap = cap;
    }
    run->aliases[run->aliases_count++] = (struct bt_alias){bt_value_ref(from), bt_value_ref(taken)};
    *ret_value = BT_TAKE(taken);
    return BT_OK;
}

/* Puts the stand-in of a changed list in its place. */
static void follow_alias(const struct bt_run *run, struct bt_value **value)
{
    const struct bt_value *to = bt_eval_alias(run, *value);
    if (to == *value)
        return;
    struct bt_value *old = *value;
    *value = bt_value_ref(to);
    bt_value_unref(old);
}

/* --- Variables and attributes ----------------------------------------------------------------- */

static int eval_variable(struct bt_run *run, const struct bt_node *node,
                         struct bt_value **ret_value)
{
    const struct bt_local *local = run->locals_count ? bt_exec_local(run, node->name) : NULL;
    if (local) {
        *ret_value = bt_value_ref(local->value);
    } else {
        int rc = bt_exec_root(run, node->name, ret_value);
        if (rc == BT_NOT_FOUND)
            return bt_raise_missing(run, node->at, node->name);
        BT_TRY(rc);
    }
    if (run->aliases_count)
        follow_alias(run, ret_value);
    return BT_OK;
}

/* Evaluates the slots of a call; the caller releases them with free_args(), also on failure. */
static int eval_args(struct bt_run *run, struct bt_node *const *slots, size_t count,
                     struct bt_value **values)
{
    for (size_t i = 0; i < count; i++)
        if (slots[i])
            BT_TRY(bt_eval(run, slots[i], &values[i]));
    return BT_OK;
}

static void free_args(struct bt_value **values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bt_value_unref(values[i]);
}

static int eval_method(struct bt_run *run, const struct bt_node *node,
                       const struct bt_value *object, const struct bt_value *name,
                       struct bt_value **ret_value)
{
    struct bt_value *values[BT_ARGS_MAX] = {NULL};
    size_t count = node->args.given_count;
    if (count > BT_ARGS_MAX)
        return bt_raise_missing(run, node->at, node->name);
    struct bt_call call = {
        .run = run, .node = node, .input = object, .args = values, .args_count = count};
    int rc = eval_args(run, node->args.given, count, values);
    if (rc == BT_OK && bt_value_is_null(object))
        rc = bt_raise_missing(run, node->at,
                              node->left->kind == BT_NODE_VARIABLE ? node->left->name : node->name);
    else if (rc == BT_OK)
        rc = bt_eval_method(&call, name, ret_value);
    free_args(values, count);
    return rc;
}

static int eval_attr(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE object = NULL;
    BT_VALUE name = NULL;
    BT_TRY(bt_eval(run, node->left, &object));
    if (node->is_call)
        return eval_method(run, node, object, node->right->value, ret_value);
    BT_TRY(bt_eval(run, node->right, &name));
    if (bt_value_is_null(object)) {
        struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
        if (node->left->kind == BT_NODE_VARIABLE)
            return bt_raise_missing(run, node->at, node->left->name);
        int rc = bt_java_text(name, &text, run->err);
        if (rc == BT_OK)
            rc = bt_raise_missing(run, node->at, bt_buf_str(&text));
        bt_buf_done(&text);
        return rc;
    }
    BT_TRY(bt_eval_attr(run, node, object, name, ret_value));
    if (run->aliases_count)
        follow_alias(run, ret_value);
    return BT_OK;
}

/* --- Calls ------------------------------------------------------------------------------------ */

static bool is_safe(const struct bt_value *value)
{
    return bt_value_flavor(value) == BT_FLAVOR_SAFE && bt_value_is(value, BT_KIND_STRING);
}

/* Filters get the text that a macro gave as a string. */
static int make_plain(struct bt_run *run, struct bt_value **value)
{
    struct bt_value *plain = bt_value_string(bt_value_str(*value));
    if (!plain)
        return bt_raise_mem(run);
    bt_value_unref(*value);
    *value = plain;
    return BT_OK;
}

/* Evaluates the arguments and calls the row; `input` is evaluated after them, as in the original.
 */
static int call_row(struct bt_run *run, const struct bt_node *node, const struct bt_node *input,
                    struct bt_value **ret_value)
{
    struct bt_value *few[BT_ARGS_MAX] = {NULL};
    struct bt_value **values = few;
    size_t count = node->args.count;
    BT_VALUE in = NULL;
    if (node->args.error)
        return bt_raise(run, node->at, "%s", node->args.error);
    if (count > BT_ARGS_MAX) {
        values = calloc(count, sizeof(struct bt_value *));
        if (!values)
            return bt_raise_mem(run);
    }
    struct bt_call call = {
        .run = run, .node = node, .fn = node->fn, .args = values, .args_count = count};
    int rc = eval_args(run, node->args.slots, count, values);
    if (rc == BT_OK && input) {
        rc = bt_eval(run, input, &in);
        if (rc < 0 && node->fn->flags & BT_FN_TOLERANT && forgive_missing(run, rc)) {
            in = bt_value_null();
            rc = BT_OK;
        }
        if (rc == BT_OK && is_safe(in) && node->kind == BT_NODE_FILTER)
            rc = make_plain(run, &in);
        call.input = in;
    }
    if (rc == BT_OK)
        rc = node->fn->fn(&call, ret_value);
    free_args(values, count);
    if (values != few)
        free(values);
    return rc;
}

static int eval_filter(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    if (node->fn)
        return call_row(run, node, node->left, ret_value);
    int rc = bt_raise(run, node->at, "Filter [%.*s] does not exist.", BT_FMT(node->name));
    const char *nearest = run->err ? bt_fn_nearest_filter(node->name) : NULL;
    if (nearest)
        (void)bt_hint(run->err, "did you mean '%s'?", nearest); /* The code is `rc`. */
    return rc;
}

static int eval_test(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    if (!node->fn)
        return bt_raise(run, node->at, "Test [%.*s] does not exist.", BT_FMT(node->name));
    BT_TRY(call_row(run, node, node->left, ret_value));
    if (node->op == BT_OP_IS_NOT)
        *ret_value = bt_value_bool(!bt_value_as_bool(*ret_value)); /* Booleans are not counted. */
    return BT_OK;
}

static int eval_call(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    if (node->fn && !(node->fn->flags & BT_FN_ONCE_ONLY && run->scope->is_recursive))
        return call_row(run, node, NULL, ret_value);
    return bt_exec_macro(run, node, ret_value);
}

/* --- Choices ---------------------------------------------------------------------------------- */

static int eval_ternary(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE condition = NULL;
    bool is_true = false;
    BT_TRY(bt_eval(run, node->left, &condition));
    if (!bt_value_is_null(condition) && !bt_eval_truth(condition, &is_true))
        return bt_raise_cast(run, node->at, condition, "java.lang.Boolean");
    return bt_eval(run, is_true ? node->right : node->third, ret_value);
}

static int eval_coalesce(struct bt_run *run, const struct bt_node *node,
                         struct bt_value **ret_value)
{
    BT_VALUE left = NULL;
    int rc = bt_eval(run, node->left, &left);
    if (rc < 0 && !forgive_missing(run, rc))
        return rc;
    if (rc == BT_OK && (node->op == BT_OP_COALESCE_UNDEFINED || !bt_value_is_null(left))) {
        *ret_value = BT_TAKE(left);
        return BT_OK;
    }
    return bt_eval(run, node->right, ret_value);
}

static int eval_binary(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    if (node->op == BT_OP_COALESCE || node->op == BT_OP_COALESCE_UNDEFINED)
        return eval_coalesce(run, node, ret_value);
    return bt_eval_binary(run, node, ret_value);
}

/* --- Collections ------------------------------------------------------------------------------ */

static int eval_list(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE list = bt_list_new(node->items_count);
    if (!list)
        return bt_raise_mem(run);
    for (size_t i = 0; i < node->items_count; i++) {
        struct bt_value *item = NULL;
        BT_TRY(bt_eval(run, node->items[i], &item));
        if (bt_list_push(list, item) < 0)
            return bt_raise_mem(run);
    }
    *ret_value = BT_TAKE(list);
    return BT_OK;
}

static int eval_map(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE map = bt_map_new(node->items_count / 2);
    if (!map)
        return bt_raise_mem(run);
    for (size_t i = 0; i < node->items_count; i += 2) {
        BT_VALUE key = NULL;
        struct bt_value *item = NULL;
        struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
        BT_TRY(bt_eval(run, node->items[i], &key));
        BT_TRY(bt_eval(run, node->items[i + 1], &item));
        int rc;
        if (bt_value_is(key, BT_KIND_STRING)) {
            rc = bt_map_put_key(map, key, item);
        } else {
            rc = bt_java_text(key, &text, run->err);
            rc = rc < 0 ? (bt_value_unref(item), rc) : bt_map_put(map, bt_buf_str(&text), item);
        }
        bt_buf_done(&text);
        if (rc < 0)
            return rc == BT_NO_MEM ? bt_raise_mem(run) : rc;
    }
    *ret_value = bt_java_order(BT_TAKE(map), (node->items_count * 2 + 2) / 3);
    return *ret_value ? BT_OK : bt_raise_mem(run);
}

/* --- All -------------------------------------------------------------------------------------- */

static int eval_node(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    switch ((enum bt_node_kind)node->kind) {
    case BT_NODE_LITERAL: *ret_value = bt_value_ref(node->value); return BT_OK;
    case BT_NODE_VARIABLE: return eval_variable(run, node, ret_value);
    case BT_NODE_ATTR: return eval_attr(run, node, ret_value);
    case BT_NODE_FILTER: return eval_filter(run, node, ret_value);
    case BT_NODE_TEST: return eval_test(run, node, ret_value);
    case BT_NODE_CALL: return eval_call(run, node, ret_value);
    case BT_NODE_BLOCK_CALL: return bt_exec_block_call(run, node, ret_value);
    case BT_NODE_PARENT_CALL: return bt_exec_parent_call(run, node);
    case BT_NODE_UNARY: return bt_eval_unary(run, node, ret_value);
    case BT_NODE_BINARY: return eval_binary(run, node, ret_value);
    case BT_NODE_TERNARY: return eval_ternary(run, node, ret_value);
    case BT_NODE_LIST: return eval_list(run, node, ret_value);
    case BT_NODE_MAP: return eval_map(run, node, ret_value);
    case BT_NODE_TEXT:
    case BT_NODE_PRINT:
    case BT_NODE_IF:
    case BT_NODE_FOR:
    case BT_NODE_SET:
    case BT_NODE_BLOCK:
    case BT_NODE_FILTER_TAG: break;
    }
    assert(false); /* A statement is no expression. */
    return BT_INVALID;
}

int bt_eval(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    if (++run->steps > BT_EXPR_STEPS_MAX)
        return bt_fail(run->err, BT_LIMIT, "the expression takes more than %u steps",
                       BT_EXPR_STEPS_MAX);
    if (run->depth >= RUN_DEPTH_MAX)
        return bt_fail(run->err, BT_LIMIT, "the expression nests deeper than %d levels",
                       RUN_DEPTH_MAX);
    run->depth++;
    int rc = eval_node(run, node, ret_value);
    run->depth--;
    assert(rc < 0 || *ret_value);
    return rc;
}
