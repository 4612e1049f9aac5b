/* exec.c — Runs the statements of a template: text, prints, tags, macros, blocks, local variables.
 */
#include "lang/expr/expr_int.h"

#include <assert.h>

/* --- Variables -------------------------------------------------------------------------------- */

struct bt_local *bt_exec_local(struct bt_run *run, struct bt_str name)
{
    for (size_t i = run->locals_count; i-- > run->barrier;)
        if (bt_str_eq(run->locals[i].name, name))
            return &run->locals[i];
    return NULL;
}

int bt_exec_root(struct bt_run *run, struct bt_str name, struct bt_value **ret_value)
{
    if (run->macros)
        return BT_NOT_FOUND;
    int rc = run->scope->lookup(run->scope->data, name, ret_value, run->err);
    assert(rc < 0 || *ret_value);
    return rc;
}

/* Sets a name in the innermost scope. Takes the value. */
static int put_local(struct bt_run *run, struct bt_str name, struct bt_value *value, uint32_t frame)
{
    BT_VALUE taken = value;
    for (size_t i = run->locals_count; i-- > run->barrier && run->locals[i].frame >= frame;) {
        if (run->locals[i].frame != frame || !bt_str_eq(run->locals[i].name, name))
            continue;
        bt_value_unref(run->locals[i].value);
        run->locals[i].value = BT_TAKE(taken);
        return BT_OK;
    }
    if (run->locals_count == run->locals_cap) {
        size_t cap = run->locals_cap ? run->locals_cap * 2 : 8;
        struct bt_local *locals = realloc(run->locals, cap * sizeof *locals);
        if (!locals)
            return bt_raise_mem(run);
        run->locals = locals;
        run->locals_cap = cap;
    }
    run->locals[run->locals_count++] = (struct bt_local){name, BT_TAKE(taken), frame};
    return BT_OK;
}

static void drop_locals(struct bt_run *run, size_t count)
{
    while (run->locals_count > count)
        bt_value_unref(run->locals[--run->locals_count].value);
}

/* Leaves a scope. Variables of the context that it set lie below the frame and stay. */
static void drop_frame(struct bt_run *run)
{
    while (run->locals_count > run->barrier &&
           run->locals[run->locals_count - 1].frame >= run->frame)
        drop_locals(run, run->locals_count - 1);
    run->frame--;
}

static int exec_set(struct bt_run *run, const struct bt_node *node)
{
    BT_VALUE value = NULL;
    BT_TRY(bt_eval(run, node->source, &value));
    struct bt_local *local = bt_exec_local(run, node->name);
    if (local) {
        bt_value_unref(local->value);
        local->value = BT_TAKE(value);
        return BT_OK;
    }
    if (run->frame == 0 || run->macros)
        return put_local(run, node->name, BT_TAKE(value), run->frame);
    BT_VALUE root = NULL;
    int rc = bt_exec_root(run, node->name, &root);
    if (rc == BT_NOT_FOUND)
        return put_local(run, node->name, BT_TAKE(value), run->frame);
    BT_TRY(rc);
    /* It is a variable of the context: shadow it for the rest of the template, under all scopes. */
    BT_TRY(put_local(run, node->name, BT_TAKE(value), run->frame));
    struct bt_local last = run->locals[run->locals_count - 1];
    last.frame = 0;
    memmove(run->locals + run->barrier + 1, run->locals + run->barrier,
            (run->locals_count - 1 - run->barrier) * sizeof *run->locals);
    run->locals[run->barrier] = last;
    return BT_OK;
}

/* --- Output ----------------------------------------------------------------------------------- */

static int typed_refuse(struct bt_run *run, const char *class_name)
{
    (void)bt_fail(run->err, BT_INVALID, "Tried to add %s to %s", class_name,
                  bt_java_class(run->typed)); /* The code is returned below. */
    return BT_INVALID;
}

static int exec_text(struct bt_run *run, const struct bt_node *node)
{
    if (!run->is_typed) {
        (void)bt_buf_add(&run->out, bt_value_str(node->value)); /* Checked next. */
        return run->out.failed ? bt_buf_check(&run->out, "the rendered text", run->err) : BT_OK;
    }
    if (!run->typed) {
        run->typed = bt_value_ref(node->value);
        return BT_OK;
    }
    if (!bt_value_is(run->typed, BT_KIND_STRING) || bt_value_flavor(run->typed) != BT_FLAVOR_PLAIN)
        return typed_refuse(run, "java.lang.Character");
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_buf_add(&buf, bt_value_str(run->typed)); /* Checked below. */
    (void)bt_buf_add(&buf, bt_value_str(node->value));
    int rc = bt_buf_check(&buf, "the rendered text", run->err);
    struct bt_value *joined = rc == BT_OK ? bt_value_string(bt_buf_str(&buf)) : NULL;
    bt_buf_done(&buf);
    if (rc < 0 || !joined)
        return rc < 0 ? rc : bt_raise_mem(run);
    bt_value_unref(run->typed);
    run->typed = joined;
    return BT_OK;
}

static int print(struct bt_run *run, const struct bt_value *value)
{
    if (!run->is_plain)
        return bt_value_print(value, &run->out, run->err);
    return bt_value_is_null(value) ? BT_OK : bt_java_text(value, &run->out, run->err);
}

static int exec_print(struct bt_run *run, const struct bt_node *node)
{
    BT_VALUE value = NULL;
    BT_TRY(bt_eval(run, node->source, &value));
    if (!run->is_typed)
        return print(run, value);
    if (bt_value_is_null(value))
        return BT_OK;
    if (run->typed)
        return typed_refuse(run, bt_java_class(value));
    if (bt_value_flavor(value) == BT_FLAVOR_SAFE && bt_value_is(value, BT_KIND_STRING))
        run->typed = bt_value_string(bt_value_str(value));
    else
        run->typed = BT_TAKE(value);
    return run->typed ? BT_OK : bt_raise_mem(run);
}

/* --- Tags ------------------------------------------------------------------------------------- */

/* A condition of `if`: every failure inside has the same words. */
static int eval_condition(struct bt_run *run, const struct bt_node *node, uint32_t at,
                          bool *ret_is_true)
{
    BT_VALUE value = NULL;
    int rc = bt_eval(run, node, &value);
    if (rc == BT_OK && !bt_value_is_null(value) && bt_eval_truth(value, ret_is_true))
        return BT_OK;
    if (rc < 0 && !bt_eval_is_catchable(rc))
        return rc;
    return bt_raise(run, at, "Wrong operand(s) type in conditional expression");
}

static int exec_if(struct bt_run *run, const struct bt_node *node)
{
    for (size_t i = 0; i < node->branches_count; i++) {
        bool is_true = true;
        if (node->branches[i].condition)
            BT_TRY(eval_condition(run, node->branches[i].condition, node->at, &is_true));
        if (is_true)
            return bt_exec_body(run, &node->branches[i].body);
    }
    return BT_OK;
}

static struct bt_value *loop_of(size_t index, size_t count)
{
    struct bt_value *loop = bt_map_new(5);
    if (!loop || bt_map_puts(loop, "last", bt_value_bool(index + 1 == count)) < 0 ||
        bt_map_puts(loop, "length", bt_value_int32((int32_t)count)) < 0 ||
        bt_map_puts(loop, "index", bt_value_int32((int32_t)index)) < 0 ||
        bt_map_puts(loop, "revindex", bt_value_int32((int32_t)(count - index - 1))) < 0 ||
        bt_map_puts(loop, "first", bt_value_bool(index == 0)) < 0)
        return bt_value_unref(loop);
    bt_map_set_flavor(loop, BT_FLAVOR_LOOP);
    return loop;
}

static int exec_turn(struct bt_run *run, const struct bt_node *node, const struct bt_value *items,
                     size_t index)
{
    struct bt_value *item = bt_value_is(items, BT_KIND_MAP)
                                ? bt_java_entry(items, index)
                                : bt_value_ref(bt_list_at(items, index));
    struct bt_value *loop = loop_of(index, bt_value_count(items));
    if (!item || !loop) {
        bt_value_unref(item);
        bt_value_unref(loop);
        return bt_raise_mem(run);
    }
    int rc = put_local(run, BT_STR("loop"), loop, run->frame);
    if (rc < 0) {
        bt_value_unref(item);
        return rc;
    }
    BT_TRY(put_local(run, node->name, item, run->frame));
    return bt_exec_body(run, &node->body);
}

static int exec_for(struct bt_run *run, const struct bt_node *node)
{
    BT_VALUE source = NULL;
    BT_VALUE items = NULL;
    BT_TRY(bt_eval(run, node->source, &source));
    if (bt_value_is_null(source))
        return BT_OK;
    BT_TRY(bt_call_force(run, source, &items));
    if (!bt_value_is(items, BT_KIND_LIST) && !bt_is_map(items)) {
        struct bt_buf text = BT_BUF_INIT(1000);
        (void)bt_java_text(items, &text, NULL); /* A cut text is good enough here. */
        int rc = bt_raise(run, node->at, "Not an iterable object. Value = [%.*s]",
                          BT_FMT(bt_buf_str(&text)));
        bt_buf_done(&text);
        return rc;
    }
    size_t count = bt_value_count(items);
    if (count == 0)
        return bt_exec_body(run, &node->other);
    int rc = BT_OK;
    run->frame++;
    for (size_t i = 0; i < count && rc == BT_OK; i++)
        rc = exec_turn(run, node, items, i);
    drop_frame(run);
    return rc;
}

/* Renders a body into a text of its own. */
static int capture(struct bt_run *run, const struct bt_body *body, enum bt_flavor flavor,
                   struct bt_value **ret_text)
{
    struct bt_buf outer = run->out;
    bool is_typed = run->is_typed, is_plain = run->is_plain;
    run->out = (struct bt_buf)BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    run->is_typed = false;
    run->is_plain = true;
    int rc = bt_exec_body(run, body);
    struct bt_value *text =
        rc == BT_OK ? bt_value_text(bt_buf_str(&run->out), BT_KIND_STRING, flavor) : NULL;
    bt_eval_charge(run, run->out.len);
    bt_buf_done(&run->out);
    run->out = outer;
    run->is_typed = is_typed;
    run->is_plain = is_plain;
    if (rc < 0)
        return rc;
    *ret_text = text;
    return text ? BT_OK : bt_raise_mem(run);
}

static const struct bt_node *block_of(const struct bt_run *run, struct bt_str name)
{
    for (size_t i = 0; i < run->template->blocks_count; i++)
        if (bt_str_eq(run->template->blocks[i]->name, name))
            return run->template->blocks[i];
    return NULL;
}

/* Blocks have no scope of their own. One can show itself through block() or a filter tag. */
static int show_block(struct bt_run *run, const struct bt_node *block)
{
    if (run->blocks >= BT_EXPR_DEPTH_MAX)
        return bt_fail(run->err, BT_LIMIT, "blocks nest deeper than %d levels", BT_EXPR_DEPTH_MAX);
    run->blocks++;
    int rc = bt_exec_body(run, &block->body);
    run->blocks--;
    return rc;
}

static int exec_block(struct bt_run *run, const struct bt_node *node)
{
    const struct bt_node *block = block_of(run, node->name);
    if (!block)
        return BT_OK;
    return show_block(run, block);
}

int bt_exec_block_call(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    BT_VALUE name = NULL;
    if (node->args.given_count == 0 || node->args.names[0].len)
        return bt_raise_java(run, node->at, "Index 0 out of bounds for length 0");
    BT_TRY(bt_eval(run, node->args.given[0], &name));
    if (!bt_value_is(name, BT_KIND_STRING) && !bt_value_is_null(name))
        return bt_raise_cast(run, node->at, name, "java.lang.String");
    const struct bt_node *block = block_of(run, bt_value_str(name));
    if (!block)
        return bt_call_give(&(struct bt_call){.run = run}, bt_value_string(BT_STR("")), ret_value);
    if (run->blocks >= BT_EXPR_DEPTH_MAX)
        return bt_fail(run->err, BT_LIMIT, "blocks nest deeper than %d levels", BT_EXPR_DEPTH_MAX);
    run->blocks++;
    int rc = capture(run, &block->body, BT_FLAVOR_PLAIN, ret_value);
    run->blocks--;
    return rc;
}

int bt_exec_parent_call(struct bt_run *run, const struct bt_node *node)
{
    return bt_raise(run, node->at,
                    "Can not use parent function if template does not extend another template.");
}

static int exec_filter_tag(struct bt_run *run, const struct bt_node *node)
{
    BT_VALUE text = NULL;
    BT_VALUE value = NULL;
    BT_TRY(capture(run, &node->body, BT_FLAVOR_PLAIN, &text));
    struct bt_node *chain[BT_EXPR_DEPTH_MAX];
    size_t count = 0;
    for (struct bt_node *filter = node->source; filter; filter = filter->left) {
        if (count == BT_EXPR_DEPTH_MAX)
            return bt_fail(run->err, BT_LIMIT, "a filter tag chains more than %d filters",
                           BT_EXPR_DEPTH_MAX);
        chain[count++] = filter;
    }
    while (count-- > 0) {
        /* The filter's input is a literal on the stack; the tree itself is shared and stays. */
        struct bt_node hole = {.kind = BT_NODE_LITERAL, .at = chain[count]->at, .value = text};
        struct bt_node filter = *chain[count];
        struct bt_value *next = NULL;
        filter.left = &hole;
        BT_TRY(bt_eval(run, &filter, &next));
        bt_value_unref(text);
        text = next;
    }
    value = bt_value_ref(text);
    if (run->is_typed) {
        if (run->typed)
            return typed_refuse(run, bt_java_class(value));
        run->typed = BT_TAKE(value);
        return BT_OK;
    }
    return print(run, value);
}

/* --- Macros ----------------------------------------------------------------------------------- */

static const struct bt_macro *macro_of(const struct bt_run *run, struct bt_str name)
{
    for (size_t i = 0; i < run->template->macros_count; i++)
        if (bt_str_eq(run->template->macros[i].name, name))
            return &run->template->macros[i];
    return NULL;
}

static const struct bt_node *named_argument(const struct bt_node *call, struct bt_str name)
{
    for (size_t i = 0; i < call->args.given_count; i++)
        if (call->args.names[i].len && bt_str_eq(call->args.names[i], name))
            return call->args.given[i];
    return NULL;
}

static int check_arguments(struct bt_run *run, const struct bt_node *node,
                           const struct bt_macro *macro, size_t positional)
{
    if (positional > macro->params_count)
        return bt_raise(run, node->at,
                        "The argument at position %zu is not allowed. Only %zu argument(s) are "
                        "allowed.",
                        macro->params_count + 1, macro->params_count);
    for (size_t i = positional; i < node->args.given_count; i++) {
        bool is_known = false;
        for (size_t k = 0; k < macro->params_count; k++)
            is_known = is_known || bt_str_eq(macro->params[k], node->args.names[i]);
        if (!is_known)
            return bt_raise(run, node->at, "The following named argument does not exist: %.*s",
                            BT_FMT(node->args.names[i]));
    }
    return BT_OK;
}

/* Evaluates the arguments in the caller's scope; values[i] belongs to params[i]. */
static int eval_arguments(struct bt_run *run, const struct bt_node *node,
                          const struct bt_macro *macro, struct bt_value **values)
{
    size_t positional = 0;
    while (positional < node->args.given_count && node->args.names[positional].len == 0)
        positional++;
    BT_TRY(check_arguments(run, node, macro, positional));
    for (size_t i = 0; i < macro->params_count; i++) {
        const struct bt_node *given =
            i < positional ? node->args.given[i] : named_argument(node, macro->params[i]);
        if (given)
            BT_TRY(bt_eval(run, given, &values[i]));
    }
    return BT_OK;
}

/* All defaults first, each seeing those before it; then what the caller gave. */
static int put_arguments(struct bt_run *run, const struct bt_macro *macro, struct bt_value **values)
{
    for (size_t i = 0; i < macro->params_count; i++) {
        struct bt_value *value = bt_value_null();
        if (macro->defaults[i])
            BT_TRY(bt_eval(run, macro->defaults[i], &value));
        BT_TRY(put_local(run, macro->params[i], value, 0));
    }
    for (size_t i = 0; i < macro->params_count; i++)
        if (values[i])
            BT_TRY(put_local(run, macro->params[i], BT_TAKE(values[i]), 0));
    return BT_OK;
}

static int run_macro(struct bt_run *run, const struct bt_macro *macro, struct bt_value **values,
                     struct bt_value **ret_value)
{
    size_t barrier = run->barrier, locals = run->locals_count;
    uint32_t frame = run->frame;
    run->barrier = locals;
    run->frame = 0;
    run->macros++;
    int rc = put_arguments(run, macro, values);
    if (rc == BT_OK)
        rc = capture(run, &macro->body, BT_FLAVOR_SAFE, ret_value);
    drop_locals(run, locals);
    run->macros--;
    run->frame = frame;
    run->barrier = barrier;
    return rc;
}

int bt_exec_macro(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value)
{
    const struct bt_macro *macro = macro_of(run, node->name);
    if (!macro) {
        int rc =
            bt_raise(run, node->at, "Function or Macro [%.*s] does not exist.", BT_FMT(node->name));
        const char *nearest = run->err ? bt_fn_nearest_function(node->name) : NULL;
        if (nearest)
            (void)bt_hint(run->err, "did you mean '%s'?", nearest); /* The code is `rc`. */
        return rc;
    }
    if (run->macros >= BT_EXPR_DEPTH_MAX)
        return bt_fail(run->err, BT_LIMIT, "macros nest deeper than %d calls", BT_EXPR_DEPTH_MAX);
    struct bt_value **values = calloc(macro->params_count + 1, sizeof(struct bt_value *));
    if (!values)
        return bt_raise_mem(run);
    int rc = eval_arguments(run, node, macro, values);
    if (rc == BT_OK)
        rc = run_macro(run, macro, values, ret_value);
    for (size_t i = 0; i < macro->params_count; i++)
        bt_value_unref(values[i]);
    free(values);
    return rc;
}

/* --- All -------------------------------------------------------------------------------------- */

static int exec_node(struct bt_run *run, const struct bt_node *node)
{
    switch ((enum bt_node_kind)node->kind) {
    case BT_NODE_TEXT: return exec_text(run, node);
    case BT_NODE_PRINT: return exec_print(run, node);
    case BT_NODE_IF: return exec_if(run, node);
    case BT_NODE_FOR: return exec_for(run, node);
    case BT_NODE_SET: return exec_set(run, node);
    case BT_NODE_BLOCK: return exec_block(run, node);
    case BT_NODE_FILTER_TAG: return exec_filter_tag(run, node);
    case BT_NODE_LITERAL:
    case BT_NODE_VARIABLE:
    case BT_NODE_ATTR:
    case BT_NODE_FILTER:
    case BT_NODE_TEST:
    case BT_NODE_CALL:
    case BT_NODE_BLOCK_CALL:
    case BT_NODE_PARENT_CALL:
    case BT_NODE_UNARY:
    case BT_NODE_BINARY:
    case BT_NODE_TERNARY:
    case BT_NODE_LIST:
    case BT_NODE_MAP: break;
    }
    assert(false); /* An expression is no statement. */
    return BT_INVALID;
}

int bt_exec_body(struct bt_run *run, const struct bt_body *body)
{
    run->depth++;
    int rc = BT_OK;
    for (size_t i = 0; i < body->count && rc == BT_OK; i++) {
        if (++run->steps > BT_EXPR_STEPS_MAX)
            rc = bt_fail(run->err, BT_LIMIT, "the template takes more than %u steps",
                         BT_EXPR_STEPS_MAX);
        else
            rc = exec_node(run, body->items[i]);
    }
    run->depth--;
    return rc;
}
