/* parse_expr.c — Tokens to expressions: precedence climbing, literals, arguments. Pure.
 *
 * Names of filters, tests and functions are looked up here, once; an unknown one is an error only
 * when it is reached, as in the original. */
#include "lang/expr/parse_int.h"

#include "base/num.h"

#include <assert.h>
#include <stdlib.h>

static int parse_level(struct bt_parser *parser, int precedence, struct bt_node **ret_node);

int bt_parse_expression(struct bt_parser *parser, struct bt_node **ret_node)
{
    return parse_level(parser, 0, ret_node);
}

int bt_parse_new_name(struct bt_parser *parser, struct bt_str *ret_name)
{
    static const char *const reserved[] = {"true", "false", "null", "none"};
    const struct bt_token *token = bt_parse_token(parser);
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_NAME, NULL));
    for (size_t i = 0; i < BT_COUNT(reserved); i++)
        if (bt_str_is(token->text, reserved[i]))
            return bt_parse_fail(parser, token->at, "Can not assign a value to %s", reserved[i]);
    *ret_name = token->text;
    return BT_OK;
}

static int literal(struct bt_parser *parser, struct bt_value *value, struct bt_node **ret_node)
{
    BT_TRY(bt_expr_keep(parser, value));
    BT_TRY(bt_parse_node(parser, BT_NODE_LITERAL, bt_parse_token(parser)->at, ret_node));
    (*ret_node)->value = value;
    return BT_OK;
}

/* --- Arguments -------------------------------------------------------------------------------- */

struct given {
    struct bt_vec nodes;
    struct bt_vec names; /* struct bt_str *, NULL when positional. */
    size_t positional;
};

static int parse_argument(struct bt_parser *parser, struct given *given)
{
    struct bt_node *value = NULL;
    struct bt_str *name = NULL;
    const struct bt_token *peek = bt_parse_peek(parser);
    if (peek->type == BT_TOKEN_PUNCTUATION && bt_str_is(peek->text, "=")) {
        name = bt_arena_alloc(&parser->template->arena, sizeof *name);
        if (!name)
            return bt_fail_mem(parser->err, "template");
        BT_TRY(bt_parse_new_name(parser, name));
        bt_parse_next(parser);
    }
    BT_TRY(bt_parse_expression(parser, &value));
    if (!name && given->nodes.count > given->positional)
        return bt_parse_fail(parser, bt_parse_token(parser)->at,
                             "Positional arguments must be declared before any named arguments.");
    given->positional += !name;
    BT_TRY(bt_parse_push(parser, &given->nodes, value));
    return bt_parse_push(parser, &given->names, name);
}

static int parse_arguments(struct bt_parser *parser, struct given *given)
{
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, "("));
    while (!bt_parse_is(parser, BT_TOKEN_PUNCTUATION, ")")) {
        if (given->nodes.count)
            BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, ","));
        BT_TRY(parse_argument(parser, given));
    }
    return bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, ")");
}

/* Index of a name in a blank-separated list, or -1. */
static int name_index(const char *names, struct bt_str name)
{
    int index = 0;
    for (const char *at = names; *at; index++) {
        size_t len = strcspn(at, " ");
        if (bt_str_eq((struct bt_str){at, len}, name))
            return index;
        at += len + (at[len] == ' ');
    }
    return -1;
}

static size_t name_count(const char *names)
{
    size_t count = *names != '\0';
    for (const char *at = names; *at; at++)
        count += *at == ' ';
    return count;
}

static int args_error(struct bt_parser *parser, struct bt_args *args, const char *text,
                      struct bt_str name)
{
    size_t len = strlen(text) + name.len + 1;
    char *message = bt_arena_alloc(&parser->template->arena, len);
    if (!message)
        return bt_fail_mem(parser->err, "template");
    (void)snprintf(message, len, "%s%.*s", text, (int)name.len, name.at); /* It fits. */
    args->error = message;
    return BT_OK;
}

/* Puts the given arguments in the slots that the row declares. */
static int place_named(struct bt_parser *parser, const struct bt_fn *fn, const struct given *given,
                       struct bt_args *args)
{
    size_t declared = name_count(fn->args);
    assert(declared <= BT_ARGS_MAX);
    if (given->positional > declared) {
        char text[100];
        (void)snprintf(
            text, sizeof text,
            "The argument at position %zu is not allowed. Only %zu argument(s) are allowed.",
            declared + 1, declared); /* It fits. */
        return args_error(parser, args, text, BT_STR(""));
    }
    for (size_t i = 0; i < given->nodes.count; i++) {
        const struct bt_str *name = given->names.items[i];
        int index = name ? name_index(fn->args, *name) : (int)i;
        if (index < 0)
            return args_error(parser, args, "The following named argument does not exist: ", *name);
        args->slots[index] = given->nodes.items[i];
    }
    return BT_OK;
}

static int place_arguments(struct bt_parser *parser, const struct given *given,
                           struct bt_node *node)
{
    const struct bt_fn *fn = node->fn;
    struct bt_args *args = &node->args;
    for (size_t i = 0; i < given->nodes.count; i++)
        BT_TRY(bt_parse_deepen(parser, node, given->nodes.items[i]));
    args->given = (struct bt_node **)given->nodes.items;
    args->given_count = given->nodes.count;
    if (given->nodes.count) {
        args->names =
            bt_arena_alloc(&parser->template->arena, given->nodes.count * sizeof *args->names);
        if (!args->names)
            return bt_fail_mem(parser->err, "template");
        for (size_t i = 0; i < given->nodes.count; i++)
            if (given->names.items[i])
                args->names[i] = *(struct bt_str *)given->names.items[i];
    }
    if (!fn)
        return BT_OK;
    if (fn->flags & (BT_FN_VARIADIC | BT_FN_LOOSE)) {
        args->slots = args->given;
        args->count = given->positional;
        return BT_OK;
    }
    args->count = name_count(fn->args);
    if (args->count) {
        args->slots = bt_arena_alloc(&parser->template->arena, args->count * sizeof *args->slots);
        if (!args->slots)
            return bt_fail_mem(parser->err, "template");
    }
    return place_named(parser, fn, given, args);
}

/* The arguments of a filter or test, if an opening bracket follows. */
static int parse_call_arguments(struct bt_parser *parser, struct bt_node *node)
{
    struct given given = {0};
    if (bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "("))
        BT_TRY(parse_arguments(parser, &given));
    return place_arguments(parser, &given, node);
}

int bt_parse_params(struct bt_parser *parser, struct bt_macro *macro)
{
    struct bt_vec names = {0}, defaults = {0};
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, "("));
    while (!bt_parse_is(parser, BT_TOKEN_PUNCTUATION, ")")) {
        struct bt_node *value = NULL;
        struct bt_str *name = bt_arena_alloc(&parser->template->arena, sizeof *name);
        if (!name)
            return bt_fail_mem(parser->err, "template");
        if (names.count)
            BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, ","));
        BT_TRY(bt_parse_new_name(parser, name));
        if (bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "=")) {
            bt_parse_next(parser);
            BT_TRY(bt_parse_expression(parser, &value));
        }
        BT_TRY(bt_parse_push(parser, &names, name));
        BT_TRY(bt_parse_push(parser, &defaults, value));
    }
    macro->params_count = names.count;
    macro->defaults = (struct bt_node **)defaults.items;
    if (names.count) {
        macro->params =
            bt_arena_alloc(&parser->template->arena, names.count * sizeof *macro->params);
        if (!macro->params)
            return bt_fail_mem(parser->err, "template");
    }
    for (size_t i = 0; i < names.count; i++)
        macro->params[i] = *(struct bt_str *)names.items[i];
    return bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, ")");
}

/* --- Filters, tests, calls -------------------------------------------------------------------- */

int bt_parse_filter(struct bt_parser *parser, struct bt_node *input, struct bt_node **ret_node)
{
    struct bt_node *node = NULL;
    const struct bt_token *token = bt_parse_token(parser);
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_NAME, NULL));
    BT_TRY(bt_parse_node(parser, BT_NODE_FILTER, token->at, &node));
    node->name = token->text;
    node->fn = bt_fn_filter(token->text);
    node->left = input;
    BT_TRY(bt_parse_deepen(parser, node, input));
    *ret_node = node;
    return parse_call_arguments(parser, node);
}

static int parse_test(struct bt_parser *parser, struct bt_node *input, enum bt_op op,
                      struct bt_node **ret_node)
{
    struct bt_node *node = NULL;
    const struct bt_token *token = bt_parse_token(parser);
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_NAME, NULL));
    BT_TRY(bt_parse_node(parser, BT_NODE_TEST, token->at, &node));
    node->name = token->text;
    node->fn = bt_fn_test(token->text);
    node->op = (uint8_t)op;
    node->left = input;
    BT_TRY(bt_parse_deepen(parser, node, input));
    *ret_node = node;
    return parse_call_arguments(parser, node);
}

static int parse_function(struct bt_parser *parser, const struct bt_token *token,
                          struct bt_node **ret_node)
{
    struct given given = {0};
    struct bt_node *node = NULL;
    enum bt_node_kind kind = BT_NODE_CALL;
    if (bt_str_is(token->text, "block"))
        kind = BT_NODE_BLOCK_CALL;
    else if (bt_str_is(token->text, "parent"))
        kind = BT_NODE_PARENT_CALL;
    BT_TRY(bt_parse_node(parser, kind, token->at, &node));
    node->name = token->text;
    node->fn = kind == BT_NODE_CALL ? bt_fn_function(token->text) : NULL;
    BT_TRY(parse_arguments(parser, &given));
    *ret_node = node;
    return place_arguments(parser, &given, node);
}

static int parse_attribute(struct bt_parser *parser, struct bt_node **node)
{
    struct bt_node *attr = NULL;
    bool is_dot = bt_parse_is(parser, BT_TOKEN_PUNCTUATION, ".");
    bt_parse_next(parser);
    const struct bt_token *token = bt_parse_token(parser);
    BT_TRY(bt_parse_node(parser, BT_NODE_ATTR, token->at, &attr));
    attr->left = *node;
    BT_TRY(bt_parse_deepen(parser, attr, *node));
    if (!is_dot) {
        BT_TRY(bt_parse_expression(parser, &attr->right));
        BT_TRY(bt_parse_deepen(parser, attr, attr->right));
        if (attr->right->kind == BT_NODE_LITERAL)
            attr->name = bt_value_str(attr->right->value);
        *node = attr;
        return bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, "]");
    }
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_NAME, NULL));
    BT_TRY(literal(parser, bt_value_string(token->text), &attr->right));
    attr->name = token->text;
    *node = attr;
    if (!bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "("))
        return BT_OK;
    struct given given = {0};
    attr->is_call = true;
    BT_TRY(parse_arguments(parser, &given));
    if (given.positional < given.nodes.count)
        return bt_parse_fail(parser, bt_parse_token(parser)->at,
                             "Can not use named arguments when calling a bean method");
    return place_arguments(parser, &given, attr);
}

static int parse_postfix(struct bt_parser *parser, struct bt_node **node)
{
    while (bt_parse_is(parser, BT_TOKEN_PUNCTUATION, ".") ||
           bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "["))
        BT_TRY(parse_attribute(parser, node));
    if (bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "("))
        return bt_parse_fail(parser, bt_parse_token(parser)->at, "Unexpected \"(\"");
    return BT_OK;
}

/* --- Simple expressions ----------------------------------------------------------------------- */

static int parse_name(struct bt_parser *parser, struct bt_node **ret_node)
{
    static const struct {
        const char *name;
        int value; /* 0, 1, or -1 for null. */
    } constants[] = {{"true", 1},  {"TRUE", 1},  {"false", 0}, {"FALSE", 0},
                     {"none", -1}, {"NONE", -1}, {"null", -1}, {"NULL", -1}};
    const struct bt_token *token = bt_parse_token(parser);
    const struct bt_token *peek = bt_parse_peek(parser);
    for (size_t i = 0; i < BT_COUNT(constants); i++) {
        if (!bt_str_is(token->text, constants[i].name))
            continue;
        int value = constants[i].value;
        BT_TRY(literal(parser, value < 0 ? bt_value_null() : bt_value_bool(value), ret_node));
        bt_parse_next(parser);
        return BT_OK;
    }
    bt_parse_next(parser);
    if (peek->type == BT_TOKEN_PUNCTUATION && bt_str_is(peek->text, "("))
        return parse_function(parser, token, ret_node);
    BT_TRY(bt_parse_node(parser, BT_NODE_VARIABLE, token->at, ret_node));
    (*ret_node)->name = token->text;
    return BT_OK;
}

static int parse_number(struct bt_parser *parser, struct bt_node **ret_node)
{
    const struct bt_token *token = bt_parse_token(parser);
    struct bt_value *value = NULL;
    int64_t number;
    double real;
    if (bt_parse_i64(token->text, &number)) {
        value = bt_value_int(number);
    } else if (memchr(token->text.at, '.', token->text.len)) {
        if (bt_parse_double(token->text, &real))
            value = bt_value_double(real);
    } else {
        /* Zeros in front are fine for the original. */
        struct bt_str digits = token->text;
        while (digits.len > 1 && digits.at[0] == '0')
            digits = bt_str_slice(digits, 1, digits.len);
        if (!bt_parse_i64(digits, &number))
            return bt_fail(parser->err, BT_INVALID, "For input string: \"%.*s\"",
                           BT_FMT(token->text));
        value = bt_value_int(number);
    }
    BT_TRY(literal(parser, value, ret_node));
    bt_parse_next(parser);
    return BT_OK;
}

/* Joins the parts of an interpolated string: the last two first, as in the original. */
static int join_parts(struct bt_parser *parser, const struct bt_vec *parts,
                      struct bt_node **ret_node)
{
    struct bt_node *right = parts->items[parts->count - 1];
    for (size_t i = parts->count - 1; i-- > 0;) {
        struct bt_node *node = NULL;
        BT_TRY(bt_parse_node(parser, BT_NODE_BINARY, right->at, &node));
        node->op = BT_OP_CONCAT;
        node->left = parts->items[i];
        node->right = right;
        BT_TRY(bt_parse_deepen(parser, node, node->left));
        BT_TRY(bt_parse_deepen(parser, node, right));
        right = node;
    }
    *ret_node = right;
    return BT_OK;
}

static int parse_string(struct bt_parser *parser, struct bt_node **ret_node)
{
    struct bt_vec parts = {0};
    bool was_text = false;
    for (;;) {
        struct bt_node *part = NULL;
        if (bt_parse_is(parser, BT_TOKEN_STRING, NULL) && !was_text) {
            BT_TRY(literal(parser, bt_value_string(bt_parse_token(parser)->text), &part));
            bt_parse_next(parser);
            was_text = true;
        } else if (bt_parse_is(parser, BT_TOKEN_INTERPOLATION_START, NULL)) {
            bt_parse_next(parser);
            BT_TRY(bt_parse_expression(parser, &part));
            BT_TRY(bt_parse_expect(parser, BT_TOKEN_INTERPOLATION_END, NULL));
            was_text = false;
        } else {
            break;
        }
        BT_TRY(bt_parse_push(parser, &parts, part));
    }
    return join_parts(parser, &parts, ret_node);
}

static int parse_simple(struct bt_parser *parser, struct bt_node **ret_node)
{
    const struct bt_token *token = bt_parse_token(parser);
    struct bt_str value = token->text.at ? token->text : BT_STR("null");
    switch ((enum bt_token_type)token->type) {
    case BT_TOKEN_NAME: BT_TRY(parse_name(parser, ret_node)); break;
    case BT_TOKEN_LONG:
    case BT_TOKEN_NUMBER: BT_TRY(parse_number(parser, ret_node)); break;
    case BT_TOKEN_STRING:
    case BT_TOKEN_INTERPOLATION_START: BT_TRY(parse_string(parser, ret_node)); break;
    case BT_TOKEN_EOF:
    case BT_TOKEN_TEXT:
    case BT_TOKEN_EXECUTE_START:
    case BT_TOKEN_EXECUTE_END:
    case BT_TOKEN_PRINT_START:
    case BT_TOKEN_PRINT_END:
    case BT_TOKEN_PUNCTUATION:
    case BT_TOKEN_OPERATOR:
    case BT_TOKEN_INTERPOLATION_END:
        return bt_parse_fail(parser, token->at, "Unexpected token \"%s\" of value \"%.*s\"",
                             bt_token_type_name(token->type), BT_FMT(value));
    }
    return parse_postfix(parser, ret_node);
}

/* A list `[a, b]`, or a map `{k: v, …}` whose keys and values alternate. */
static int parse_collection(struct bt_parser *parser, enum bt_node_kind kind,
                            struct bt_node **ret_node)
{
    const char *close = kind == BT_NODE_LIST ? "]" : "}";
    struct bt_vec items = {0};
    struct bt_node *node = NULL, *item = NULL;
    BT_TRY(bt_parse_node(parser, kind, bt_parse_token(parser)->at, &node));
    bt_parse_next(parser);
    while (items.count || !bt_parse_is(parser, BT_TOKEN_PUNCTUATION, close)) {
        BT_TRY(bt_parse_expression(parser, &item));
        BT_TRY(bt_parse_deepen(parser, node, item));
        BT_TRY(bt_parse_push(parser, &items, item));
        if (kind == BT_NODE_MAP) {
            BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, ":"));
            BT_TRY(bt_parse_expression(parser, &item));
            BT_TRY(bt_parse_deepen(parser, node, item));
            BT_TRY(bt_parse_push(parser, &items, item));
        }
        if (bt_parse_is(parser, BT_TOKEN_PUNCTUATION, close))
            break;
        BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, ","));
    }
    node->items = (struct bt_node **)items.items;
    node->items_count = items.count;
    *ret_node = node;
    return bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, close);
}

/* --- Operators -------------------------------------------------------------------------------- */

static int parse_unary(struct bt_parser *parser, struct bt_node **ret_node)
{
    const struct bt_token *token = bt_parse_token(parser);
    struct bt_node *node = NULL;
    bt_parse_next(parser);
    BT_TRY(bt_parse_node(parser, BT_NODE_UNARY, token->at, &node));
    node->op = token->op;
    BT_TRY(parse_level(parser, 500, &node->left));
    *ret_node = node;
    return bt_parse_deepen(parser, node, node->left);
}

static int parse_first(struct bt_parser *parser, struct bt_node **ret_node)
{
    const struct bt_token *token = bt_parse_token(parser);
    if (token->type == BT_TOKEN_OPERATOR &&
        (token->op == BT_OP_NOT || token->op == BT_OP_ADD || token->op == BT_OP_SUB))
        return parse_unary(parser, ret_node);
    if (bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "(")) {
        bt_parse_next(parser);
        BT_TRY(bt_parse_expression(parser, ret_node));
        BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, ")"));
        return parse_postfix(parser, ret_node);
    }
    if (bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "["))
        return parse_collection(parser, BT_NODE_LIST, ret_node);
    if (bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "{"))
        return parse_collection(parser, BT_NODE_MAP, ret_node);
    return parse_simple(parser, ret_node);
}

static int parse_right(struct bt_parser *parser, enum bt_op op, uint32_t at, struct bt_node **left)
{
    struct bt_node *node = NULL;
    if (op == BT_OP_FILTER)
        return bt_parse_filter(parser, *left, left);
    if (op == BT_OP_IS || op == BT_OP_IS_NOT)
        return parse_test(parser, *left, op, left);
    BT_TRY(bt_parse_node(parser, BT_NODE_BINARY, at, &node));
    node->op = (uint8_t)op;
    node->left = *left;
    BT_TRY(parse_level(parser, bt_op_precedence(op) + 1, &node->right));
    BT_TRY(bt_parse_deepen(parser, node, node->left));
    *left = node;
    return bt_parse_deepen(parser, node, node->right);
}

static int parse_ternary(struct bt_parser *parser, struct bt_node **condition)
{
    struct bt_node *node = NULL;
    if (!bt_parse_is(parser, BT_TOKEN_PUNCTUATION, "?"))
        return BT_OK;
    BT_TRY(bt_parse_node(parser, BT_NODE_TERNARY, bt_parse_token(parser)->at, &node));
    bt_parse_next(parser);
    node->left = *condition;
    BT_TRY(bt_parse_expression(parser, &node->right));
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, ":"));
    BT_TRY(bt_parse_expression(parser, &node->third));
    BT_TRY(bt_parse_deepen(parser, node, node->left));
    BT_TRY(bt_parse_deepen(parser, node, node->right));
    *condition = node;
    return bt_parse_deepen(parser, node, node->third);
}

static int parse_level(struct bt_parser *parser, int precedence, struct bt_node **ret_node)
{
    struct bt_node *node = NULL;
    BT_TRY(bt_parse_enter(parser));
    BT_TRY(parse_first(parser, &node));
    for (;;) {
        const struct bt_token *token = bt_parse_token(parser);
        int binding = token->type == BT_TOKEN_OPERATOR ? bt_op_precedence(token->op) : 0;
        if (binding == 0 || binding < precedence)
            break;
        bt_parse_next(parser);
        BT_TRY(parse_right(parser, token->op, token->at, &node));
    }
    if (precedence == 0)
        BT_TRY(parse_ternary(parser, &node));
    parser->depth--;
    *ret_node = node;
    return BT_OK;
}
