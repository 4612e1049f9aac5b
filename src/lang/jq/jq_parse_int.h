/* jq_parse_int.h — What the two halves of the parser share. Private to the parser. */
#pragma once
#include "lang/jq/jq_int.h"

struct bt_jq_parser {
    struct bt_jq *jq;
    struct bt_str text;
    size_t at;
    int depth;
};

/* jq_lex.c */
bool bt_jq_is_space(char c);
bool bt_jq_is_word(char c); /* Begins a word. */
bool bt_jq_is_digit(char c);
char bt_jq_peek(const struct bt_jq_parser *p, size_t ahead);
void bt_jq_skip(struct bt_jq_parser *p);                    /* White space and comments. */
int bt_jq_syntax(struct bt_jq_parser *p, const char *what); /* Fails with the place. */
/* Takes an operator; longer ones that begin alike are not it. */
bool bt_jq_take(struct bt_jq_parser *p, const char *op);
int bt_jq_expect(struct bt_jq_parser *p, const char *op);
struct bt_str bt_jq_peek_word(struct bt_jq_parser *p);
bool bt_jq_take_word(struct bt_jq_parser *p, const char *word);
bool bt_jq_is_keyword(struct bt_str word);
int bt_jq_new_node(struct bt_jq_parser *p, enum bt_jq_kind kind, struct bt_jq_node **ret_node);
/* Puts a new node of the kind above *node. */
int bt_jq_pair(struct bt_jq_parser *p, enum bt_jq_kind kind, struct bt_jq_node *left,
               struct bt_jq_node **node);
int bt_jq_push(struct bt_jq_parser *p, struct bt_jq_node *node, struct bt_jq_node *item);
int bt_jq_literal(struct bt_jq_parser *p, struct bt_value *value, struct bt_jq_node **ret_node);
int bt_jq_enter(struct bt_jq_parser *p);
/* "text \\(expr)": a literal when nothing is inside. The quote stands at p->at. */
int bt_jq_parse_string(struct bt_jq_parser *p, struct bt_str format, struct bt_jq_node **ret_node);

/* jq_parse.c */
int bt_jq_parse_pipe(struct bt_jq_parser *p, struct bt_jq_node **ret_node);
