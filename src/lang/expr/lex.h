/* lex.h — The tokens of a template. Private to the room.
 *
 * The whole text is cut before parsing, as in the original, so that an unknown character is told
 * before a misplaced word. Token texts point into the template's text or its arena. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum bt_token_type {
    BT_TOKEN_EOF,
    BT_TOKEN_TEXT,
    BT_TOKEN_EXECUTE_START,
    BT_TOKEN_EXECUTE_END,
    BT_TOKEN_PRINT_START,
    BT_TOKEN_PRINT_END,
    BT_TOKEN_NAME,
    BT_TOKEN_NUMBER,
    BT_TOKEN_LONG,
    BT_TOKEN_STRING,
    BT_TOKEN_PUNCTUATION,
    BT_TOKEN_OPERATOR,
    BT_TOKEN_INTERPOLATION_START,
    BT_TOKEN_INTERPOLATION_END,
};

enum bt_op {
    BT_OP_NONE,
    BT_OP_OR,
    BT_OP_AND,
    BT_OP_IS,
    BT_OP_IS_NOT,
    BT_OP_CONTAINS,
    BT_OP_EQ,
    BT_OP_NE,
    BT_OP_GT,
    BT_OP_LT,
    BT_OP_GE,
    BT_OP_LE,
    BT_OP_ADD,
    BT_OP_SUB,
    BT_OP_MUL,
    BT_OP_DIV,
    BT_OP_MOD,
    BT_OP_FILTER,
    BT_OP_CONCAT,
    BT_OP_RANGE,
    BT_OP_COALESCE,           /* ?? */
    BT_OP_COALESCE_UNDEFINED, /* ??? */
    BT_OP_NOT,
    BT_OP_COUNT,
};

struct bt_token {
    uint8_t type, op; /* op: of an OPERATOR. */
    uint32_t at;      /* Offset in the text. */
    struct bt_str text;
};

struct bt_tokens {
    struct bt_token *items; /* The last one is EOF. In the arena. */
    size_t count, cap;
};

/* How tightly a binary operator binds; 0 when it is none. */
int bt_op_precedence(enum bt_op op);
/* The original's name of a token type, for messages. */
const char *bt_token_type_name(enum bt_token_type type);

/* Cuts the text. On failure *ret_at is the place and err->msg the bare message. */
int bt_lex(struct bt_str text, struct bt_arena *arena, struct bt_tokens *ret_tokens,
           uint32_t *ret_at, struct bt_err *err);
