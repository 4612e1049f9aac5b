/* parse.c — Tokens to a syntax tree: text, prints and tags. Pure; trees live in the template's
 * arena.
 *
 * Errors have the original's words, as "…ParserException: MESSAGE (TEMPLATE:LINE)", and the place
 * of the token in err->line and err->col. */
#include "lang/expr/parse_int.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdarg.h>

enum { TREE_DEPTH_MAX = 1000 }; /* Long chains of operators lean to the left. */

/* --- Tokens ----------------------------------------------------------------------------------- */

const struct bt_token *bt_parse_token(const struct bt_parser *parser)
{
    return &parser->tokens.items[parser->at];
}

const struct bt_token *bt_parse_peek(const struct bt_parser *parser)
{
    size_t next = parser->at + 1 < parser->tokens.count ? parser->at + 1 : parser->at;
    return &parser->tokens.items[next];
}

void bt_parse_next(struct bt_parser *parser)
{
    if (parser->at + 1 < parser->tokens.count)
        parser->at++;
}

bool bt_parse_is(const struct bt_parser *parser, enum bt_token_type type, const char *text)
{
    const struct bt_token *token = bt_parse_token(parser);
    return token->type == type && (!text || bt_str_is(token->text, text));
}

void bt_expr_place(const struct bt_template *template, uint32_t at, uint32_t *ret_line,
                   uint32_t *ret_col)
{
    struct bt_str text = template->text;
    uint32_t line = 1, start = 0;
    if (at > text.len)
        at = (uint32_t)text.len;
    for (uint32_t i = 0; i < at; i++)
        if (text.at[i] == '\n' ||
            (text.at[i] == '\r' && i + 1 < text.len && text.at[i + 1] != '\n')) {
            line++;
            start = i + 1;
        }
    *ret_line = line;
    *ret_col = (uint32_t)bt_utf8_count(bt_str_slice(text, start, at)) + 1;
}

int bt_parse_fail(struct bt_parser *parser, uint32_t at, const char *format, ...)
{
    if (!parser->err)
        return BT_INVALID;
    char message[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); /* Longer ones are cut. */
    va_end(args);
    uint32_t line, col;
    bt_expr_place(parser->template, at, &line, &col);
    struct bt_str source = parser->template->source;
    (void)bt_fail(parser->err, BT_INVALID,
                  "io.pebbletemplates.pebble.error.ParserException: %s (%.*s:%u)", message,
                  BT_FMT(source), line); /* The code is returned below. */
    parser->err->line = line;
    parser->err->col = col;
    return BT_INVALID;
}

int bt_parse_expect(struct bt_parser *parser, enum bt_token_type type, const char *text)
{
    const struct bt_token *token = bt_parse_token(parser);
    if (token->type == type && (!text || bt_str_is(token->text, text))) {
        bt_parse_next(parser);
        return BT_OK;
    }
    struct bt_str value = token->text.at ? token->text : BT_STR("null");
    return bt_parse_fail(
        parser, token->at,
        "Unexpected token of value \"%.*s\" and type %s, expected token of type %s", BT_FMT(value),
        bt_token_type_name(token->type), bt_token_type_name(type));
}

/* --- Building --------------------------------------------------------------------------------- */

int bt_parse_node(struct bt_parser *parser, enum bt_node_kind kind, uint32_t at,
                  struct bt_node **ret_node)
{
    if (++parser->nodes > BT_EXPR_NODES_MAX)
        return bt_fail(parser->err, BT_LIMIT, "the template has more than %u nodes",
                       BT_EXPR_NODES_MAX);
    struct bt_node *node = bt_arena_alloc(&parser->template->arena, sizeof *node);
    if (!node)
        return bt_fail_mem(parser->err, "template");
    node->kind = (uint8_t)kind;
    node->at = at;
    *ret_node = node;
    return BT_OK;
}

int bt_parse_push(struct bt_parser *parser, struct bt_vec *vec, void *item)
{
    if (vec->count == vec->cap) {
        size_t cap = vec->cap ? vec->cap * 2 : 4;
        void **items = bt_arena_alloc(&parser->template->arena, cap * sizeof *items);
        if (!items)
            return bt_fail_mem(parser->err, "template");
        if (vec->count)
            memcpy(items, vec->items, vec->count * sizeof *items);
        vec->items = items;
        vec->cap = cap;
    }
    vec->items[vec->count++] = item;
    return BT_OK;
}

int bt_expr_keep(struct bt_parser *parser, struct bt_value *value)
{
    struct bt_template *template = parser->template;
    if (!value)
        return bt_fail_mem(parser->err, "template");
    if (template->values_count == template->values_cap) {
        size_t cap = template->values_cap ? template->values_cap * 2 : 8;
        struct bt_value **values = realloc(template->values, cap * sizeof *values);
        if (!values) {
            bt_value_unref(value);
            return bt_fail_mem(parser->err, "template");
        }
        template->values = values;
        template->values_cap = cap;
    }
    template->values[template->values_count++] = value;
    return BT_OK;
}

int bt_parse_deepen(struct bt_parser *parser, struct bt_node *node, const struct bt_node *child)
{
    if (child && child->depth >= node->depth)
        node->depth = child->depth + 1;
    return node->depth <= TREE_DEPTH_MAX
               ? BT_OK
               : bt_fail(parser->err, BT_LIMIT, "an expression chains more than %d operators",
                         TREE_DEPTH_MAX);
}

int bt_parse_enter(struct bt_parser *parser)
{
    if (parser->depth >= BT_EXPR_DEPTH_MAX)
        return bt_fail(parser->err, BT_LIMIT, "the template nests deeper than %d levels",
                       BT_EXPR_DEPTH_MAX);
    parser->depth++;
    return BT_OK;
}

/* --- Tags ------------------------------------------------------------------------------------- */

static int parse_body(struct bt_parser *parser, const char *const *stops, struct bt_body *ret_body);

static int fail_end(struct bt_parser *parser, const char *tag)
{
    return bt_parse_fail(parser, bt_parse_token(parser)->at,
                         "Unexpected end of template. Pebble was looking for the \"%s\" tag", tag);
}

/* Takes `tag %}`, the end of a block whose body was just parsed. */
static int expect_end(struct bt_parser *parser, const char *tag)
{
    if (!bt_parse_is(parser, BT_TOKEN_NAME, tag))
        return fail_end(parser, tag);
    bt_parse_next(parser);
    return bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL);
}

static int push_branch(struct bt_parser *parser, struct bt_vec *vec, struct bt_node *condition)
{
    static const char *const forks[] = {"elseif", "else", "endif", NULL};
    static const char *const end[] = {"endif", NULL};
    struct bt_branch *branch = bt_arena_alloc(&parser->template->arena, sizeof *branch);
    if (!branch)
        return bt_fail_mem(parser->err, "template");
    branch->condition = condition;
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL));
    BT_TRY(parse_body(parser, condition ? forks : end, &branch->body));
    return bt_parse_push(parser, vec, branch);
}

static int parse_if(struct bt_parser *parser, struct bt_node **ret_node)
{
    struct bt_node *node = NULL, *condition = NULL;
    struct bt_vec vec = {0};
    BT_TRY(bt_parse_node(parser, BT_NODE_IF, bt_parse_token(parser)->at, &node));
    bt_parse_next(parser);
    BT_TRY(bt_parse_expression(parser, &condition));
    BT_TRY(push_branch(parser, &vec, condition));
    while (!bt_parse_is(parser, BT_TOKEN_NAME, "endif")) {
        bool is_else = bt_parse_is(parser, BT_TOKEN_NAME, "else");
        if (!is_else && !bt_parse_is(parser, BT_TOKEN_NAME, "elseif"))
            return fail_end(parser, "endif");
        bt_parse_next(parser);
        condition = NULL;
        if (!is_else)
            BT_TRY(bt_parse_expression(parser, &condition));
        BT_TRY(push_branch(parser, &vec, condition));
    }
    node->branches_count = vec.count;
    node->branches = bt_arena_alloc(&parser->template->arena, vec.count * sizeof *node->branches);
    if (!node->branches)
        return bt_fail_mem(parser->err, "template");
    for (size_t i = 0; i < vec.count; i++)
        node->branches[i] = *(struct bt_branch *)vec.items[i];
    *ret_node = node;
    return expect_end(parser, "endif");
}

static int parse_for(struct bt_parser *parser, struct bt_node **ret_node)
{
    static const char *const forks[] = {"else", "endfor", NULL};
    static const char *const end[] = {"endfor", NULL};
    struct bt_node *node = NULL;
    BT_TRY(bt_parse_node(parser, BT_NODE_FOR, bt_parse_token(parser)->at, &node));
    bt_parse_next(parser);
    BT_TRY(bt_parse_new_name(parser, &node->name));
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_NAME, "in"));
    BT_TRY(bt_parse_expression(parser, &node->source));
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL));
    BT_TRY(parse_body(parser, forks, &node->body));
    if (bt_parse_is(parser, BT_TOKEN_NAME, "else")) {
        bt_parse_next(parser);
        BT_TRY(bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL));
        BT_TRY(parse_body(parser, end, &node->other));
    }
    *ret_node = node;
    return expect_end(parser, "endfor");
}

static int parse_set(struct bt_parser *parser, struct bt_node **ret_node)
{
    struct bt_node *node = NULL;
    BT_TRY(bt_parse_node(parser, BT_NODE_SET, bt_parse_token(parser)->at, &node));
    bt_parse_next(parser);
    BT_TRY(bt_parse_new_name(parser, &node->name));
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_PUNCTUATION, "="));
    BT_TRY(bt_parse_expression(parser, &node->source));
    *ret_node = node;
    return bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL);
}

/* Of several blocks of a name, the last to begin is shown at all their places. */
static int add_block(struct bt_parser *parser, struct bt_node *node)
{
    struct bt_template *template = parser->template;
    if (parser->unseen)
        return BT_OK;
    for (size_t i = 0; i < template->blocks_count; i++)
        if (bt_str_eq(template->blocks[i]->name, node->name)) {
            template->blocks[i] = node;
            return BT_OK;
        }
    struct bt_vec vec = {(void **)template->blocks, template->blocks_count, template->blocks_count};
    BT_TRY(bt_parse_push(parser, &vec, node));
    template->blocks = (struct bt_node **)vec.items;
    template->blocks_count = vec.count;
    return BT_OK;
}

static int parse_block(struct bt_parser *parser, struct bt_node **ret_node)
{
    static const char *const end[] = {"endblock", NULL};
    struct bt_node *node = NULL;
    uint32_t at = bt_parse_token(parser)->at;
    BT_TRY(bt_parse_node(parser, BT_NODE_BLOCK, at, &node));
    bt_parse_next(parser);
    const struct bt_token *token = bt_parse_token(parser);
    if (token->type != BT_TOKEN_NAME && token->type != BT_TOKEN_STRING)
        return bt_parse_expect(parser, BT_TOKEN_NAME, NULL);
    node->name = token->text;
    bt_parse_next(parser);
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL));
    BT_TRY(add_block(parser, node));
    BT_TRY(parse_body(parser, end, &node->body));
    if (!bt_parse_is(parser, BT_TOKEN_NAME, "endblock")) {
        uint32_t line, col;
        bt_expr_place(parser->template, at, &line, &col);
        return bt_parse_fail(
            parser, at, "endblock tag should be present with block tag starting line number %u",
            line);
    }
    bt_parse_next(parser);
    token = bt_parse_token(parser);
    if ((token->type == BT_TOKEN_NAME || token->type == BT_TOKEN_STRING) &&
        bt_str_eq(token->text, node->name))
        bt_parse_next(parser);
    *ret_node = node;
    return bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL);
}

static int add_macro(struct bt_parser *parser, const struct bt_macro *macro)
{
    struct bt_template *template = parser->template;
    if (parser->unseen)
        return BT_OK;
    for (size_t i = 0; i < template->macros_count; i++)
        if (bt_str_eq(template->macros[i].name, macro->name)) {
            parser->twice = macro->name;
            return BT_OK;
        }
    struct bt_macro *macros =
        bt_arena_alloc(&template->arena, (template->macros_count + 1) * sizeof *macros);
    if (!macros)
        return bt_fail_mem(parser->err, "template");
    if (template->macros_count)
        memcpy(macros, template->macros, template->macros_count * sizeof *macros);
    macros[template->macros_count++] = *macro;
    template->macros = macros;
    return BT_OK;
}

static int parse_macro(struct bt_parser *parser, struct bt_node **ret_node)
{
    static const char *const end[] = {"endmacro", NULL};
    struct bt_macro macro = {0};
    bt_parse_next(parser);
    macro.name = bt_parse_token(parser)->text;
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_NAME, NULL));
    BT_TRY(bt_parse_params(parser, &macro));
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL));
    BT_TRY(parse_body(parser, end, &macro.body));
    BT_TRY(expect_end(parser, "endmacro"));
    *ret_node = NULL;
    return add_macro(parser, &macro);
}

static int parse_filter_tag(struct bt_parser *parser, struct bt_node **ret_node)
{
    static const char *const end[] = {"endfilter", NULL};
    struct bt_node *node = NULL, *filter = NULL;
    BT_TRY(bt_parse_node(parser, BT_NODE_FILTER_TAG, bt_parse_token(parser)->at, &node));
    bt_parse_next(parser);
    BT_TRY(bt_parse_filter(parser, NULL, &filter));
    while (bt_parse_is(parser, BT_TOKEN_OPERATOR, "|")) {
        bt_parse_next(parser);
        BT_TRY(bt_parse_filter(parser, filter, &filter));
    }
    node->source = filter;
    BT_TRY(bt_parse_deepen(parser, node, filter));
    BT_TRY(bt_parse_expect(parser, BT_TOKEN_EXECUTE_END, NULL));
    /* The original overlooks what is declared inside. */
    parser->unseen++;
    int rc = parse_body(parser, end, &node->body);
    parser->unseen--;
    *ret_node = node;
    return rc < 0 ? rc : expect_end(parser, "endfilter");
}

static const struct {
    const char *name;
    int (*parse)(struct bt_parser *parser, struct bt_node **ret_node);
} tags[] = {
    {"if", parse_if},       {"for", parse_for},     {"set", parse_set},
    {"block", parse_block}, {"macro", parse_macro}, {"filter", parse_filter_tag},
};

static int parse_tag(struct bt_parser *parser, struct bt_node **ret_node)
{
    const struct bt_token *token = bt_parse_token(parser);
    for (size_t i = 0; i < BT_COUNT(tags); i++)
        if (bt_str_is(token->text, tags[i].name))
            return tags[i].parse(parser, ret_node);
    return bt_parse_fail(parser, token->at, "Unexpected tag name \"%.*s\"", BT_FMT(token->text));
}

/* --- Bodies ----------------------------------------------------------------------------------- */

static int parse_print(struct bt_parser *parser, struct bt_node **ret_node)
{
    bt_parse_next(parser);
    BT_TRY(bt_parse_node(parser, BT_NODE_PRINT, bt_parse_token(parser)->at, ret_node));
    BT_TRY(bt_parse_expression(parser, &(*ret_node)->source));
    return bt_parse_expect(parser, BT_TOKEN_PRINT_END, NULL);
}

static int parse_text(struct bt_parser *parser, struct bt_node **ret_node)
{
    const struct bt_token *token = bt_parse_token(parser);
    BT_TRY(bt_parse_node(parser, BT_NODE_TEXT, token->at, ret_node));
    (*ret_node)->value = bt_value_string(token->text);
    bt_parse_next(parser);
    return bt_expr_keep(parser, (*ret_node)->value);
}

/* One text, print or tag. *ret_is_end: a tag named in `stops` stands there. */
static int parse_item(struct bt_parser *parser, const char *const *stops, struct bt_node **ret_node,
                      bool *ret_is_end)
{
    const struct bt_token *token = bt_parse_token(parser);
    if (token->type == BT_TOKEN_TEXT)
        return parse_text(parser, ret_node);
    if (token->type == BT_TOKEN_PRINT_START)
        return parse_print(parser, ret_node);
    if (token->type != BT_TOKEN_EXECUTE_START)
        return bt_parse_fail(parser, token->at, "Parser ended in undefined state.");
    bt_parse_next(parser);
    token = bt_parse_token(parser);
    if (token->type != BT_TOKEN_NAME)
        return bt_parse_fail(parser, token->at, "A block must start with a tag name.");
    for (size_t i = 0; stops && stops[i]; i++)
        if (bt_str_is(token->text, stops[i])) {
            *ret_is_end = true;
            return BT_OK;
        }
    return parse_tag(parser, ret_node);
}

static int parse_body(struct bt_parser *parser, const char *const *stops, struct bt_body *ret_body)
{
    struct bt_vec vec = {0};
    bool is_end = false;
    BT_TRY(bt_parse_enter(parser));
    while (!is_end && !bt_parse_is(parser, BT_TOKEN_EOF, NULL)) {
        struct bt_node *node = NULL;
        BT_TRY(parse_item(parser, stops, &node, &is_end));
        if (node)
            BT_TRY(bt_parse_push(parser, &vec, node));
    }
    parser->depth--;
    ret_body->items = (struct bt_node **)vec.items;
    ret_body->count = vec.count;
    return BT_OK;
}

int bt_expr_parse(struct bt_template *template, struct bt_err *err)
{
    struct bt_parser parser = {.template = template, .err = err};
    struct bt_err lex_err = BT_ERR_INIT;
    uint32_t at;
    int rc = bt_lex(template->text, &template->arena, &parser.tokens, &at, &lex_err);
    if (rc == BT_INVALID)
        return bt_parse_fail(&parser, at, "%s", lex_err.msg);
    if (rc < 0) {
        if (err)
            *err = lex_err;
        return rc;
    }
    BT_TRY(parse_body(&parser, NULL, &template->body));
    if (parser.twice.len)
        return bt_fail(err, BT_INVALID,
                       "io.pebbletemplates.pebble.error.PebbleException: More than one macro can "
                       "not share the same name: %.*s (?:?)",
                       BT_FMT(parser.twice));
    return BT_OK;
}
