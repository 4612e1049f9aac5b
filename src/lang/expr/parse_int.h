/* parse_int.h — What the two halves of the parser share. Private to the parser. */
#pragma once
#include "lang/expr/expr_int.h"

struct bt_parser {
    struct bt_template *template;
    struct bt_tokens tokens;
    size_t at;           /* Current token. */
    uint32_t nodes;      /* Made so far. */
    uint32_t depth;      /* Of nesting now. */
    struct bt_str twice; /* A macro declared again: told after all errors of syntax. */
    uint32_t unseen;     /* Filter tags around: their blocks and macros do not count. */
    struct bt_err *err;
};

/* A growing array in the arena. */
struct bt_vec {
    void **items;
    size_t count, cap;
};

/* parse_expr.c */
int bt_parse_expression(struct bt_parser *parser, struct bt_node **ret_node);
/* A filter name with its arguments; `input` becomes its left side. */
int bt_parse_filter(struct bt_parser *parser, struct bt_node *input, struct bt_node **ret_node);
/* Parameters of a macro definition: names with optional defaults. */
int bt_parse_params(struct bt_parser *parser, struct bt_macro *macro);
int bt_parse_new_name(struct bt_parser *parser, struct bt_str *ret_name);

/* parse.c */
const struct bt_token *bt_parse_token(const struct bt_parser *parser);
const struct bt_token *bt_parse_peek(const struct bt_parser *parser);
void bt_parse_next(struct bt_parser *parser);
bool bt_parse_is(const struct bt_parser *parser, enum bt_token_type type, const char *text);
/* Takes the token or fails in the original's words; `text` NULL: any. */
int bt_parse_expect(struct bt_parser *parser, enum bt_token_type type, const char *text);
int bt_parse_fail(struct bt_parser *parser, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int bt_parse_node(struct bt_parser *parser, enum bt_node_kind kind, uint32_t at,
                  struct bt_node **ret_node);
int bt_parse_push(struct bt_parser *parser, struct bt_vec *vec, void *item);
/* Keeps a literal for the life of the template (takes it; NULL is BT_NO_MEM). */
int bt_expr_keep(struct bt_parser *parser, struct bt_value *value);
/* Notes the depth of a child. */
int bt_parse_deepen(struct bt_parser *parser, struct bt_node *node, const struct bt_node *child);
int bt_parse_enter(struct bt_parser *parser); /* One level deeper; leave with parser->depth--. */
