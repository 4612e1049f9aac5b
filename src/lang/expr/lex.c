/* lex.c — Cuts a template into tokens. Pure; its stacks are bounded.
 *
 * It follows the original's quirks: a dash trims only when white space follows an opening
 * delimiter, a closing delimiter is seen only when no bracket is open, and `verbatim` always loses
 * its leading white space. */
#include "lang/expr/lex.h"

#include "base/limits.h"
#include "base/utf8.h"

#include <assert.h>

enum state { STATE_DATA, STATE_EXECUTE, STATE_PRINT, STATE_STRING, STATE_INTERPOLATION };

struct lexer {
    struct bt_str text;
    size_t at;
    struct bt_arena *arena;
    struct bt_tokens *tokens;
    struct bt_err *err;
    uint8_t states[BT_EXPR_DEPTH_MAX];
    char brackets[BT_EXPR_DEPTH_MAX]; /* '(' '[' '{' '"', '#' for #{ */
    size_t states_count, brackets_count;
    bool is_trimming; /* The next text loses its leading white space. */
};

static const struct op_row {
    const char *text;
    uint8_t op, precedence;
} ops[] = {
    /* Longest first, so that "is not" is found before "is". */
    {"contains", BT_OP_CONTAINS, 20},
    {"is not", BT_OP_IS_NOT, 20},
    {"equals", BT_OP_EQ, 30},
    {"and", BT_OP_AND, 15},
    {"not", BT_OP_NOT, 0},
    {"???", BT_OP_COALESCE_UNDEFINED, 120},
    {"or", BT_OP_OR, 10},
    {"is", BT_OP_IS, 20},
    {"==", BT_OP_EQ, 30},
    {"!=", BT_OP_NE, 30},
    {">=", BT_OP_GE, 30},
    {"<=", BT_OP_LE, 30},
    {"..", BT_OP_RANGE, 120},
    {"??", BT_OP_COALESCE, 120},
    {">", BT_OP_GT, 30},
    {"<", BT_OP_LT, 30},
    {"+", BT_OP_ADD, 40},
    {"-", BT_OP_SUB, 40},
    {"*", BT_OP_MUL, 60},
    {"/", BT_OP_DIV, 60},
    {"%", BT_OP_MOD, 60},
    {"|", BT_OP_FILTER, 100},
    {"~", BT_OP_CONCAT, 110},
};

int bt_op_precedence(enum bt_op op)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i].op == op)
            return ops[i].precedence;
    return 0;
}

const char *bt_token_type_name(enum bt_token_type type)
{
    static const char *const names[] = {
        "EOF",
        "TEXT",
        "EXECUTE_START",
        "EXECUTE_END",
        "PRINT_START",
        "PRINT_END",
        "NAME",
        "NUMBER",
        "LONG",
        "STRING",
        "PUNCTUATION",
        "OPERATOR",
        "STRING_INTERPOLATION_START",
        "STRING_INTERPOLATION_END",
    };
    return names[type];
}

/* --- Looking at the text ---------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters beyond ASCII: every rune that is no known space, sign or punctuation. */
static bool is_rune_letter(uint32_t rune)
{
    if (rune < 0xC0)
        return rune == 0xAA || rune == 0xB5 || rune == 0xBA;
    if (rune == 0xD7 || rune == 0xF7)
        return false;
    return !(rune >= 0x2000 && rune <= 0x2BFF) && !(rune >= 0x3000 && rune <= 0x3004) &&
           !(rune >= 0x3008 && rune <= 0x3020) && rune < 0x1F000 && rune != 0xFEFF &&
           !(rune >= 0xE000 && rune <= 0xF8FF);
}

/* Bytes of the identifier character at `at`, 0 when there is none. */
static size_t name_char(struct bt_str text, size_t at, bool is_first)
{
    if (at >= text.len)
        return 0;
    char c = text.at[at];
    if (is_ascii_letter(c) || c == '_' || (!is_first && is_digit(c)))
        return 1;
    if ((unsigned char)c < 0x80)
        return 0;
    uint32_t rune;
    size_t len = bt_utf8_decode(text, at, &rune);
    return len && is_rune_letter(rune) ? len : 0;
}

static size_t skip_spaces(struct bt_str text, size_t at)
{
    while (at < text.len && is_space(text.at[at]))
        at++;
    return at;
}

static bool looks_at(const struct lexer *lexer, size_t at, const char *word)
{
    size_t len = strlen(word);
    return lexer->text.len - at >= len && memcmp(lexer->text.at + at, word, len) == 0;
}

static struct bt_str slice(const struct lexer *lexer, size_t from, size_t to)
{
    return (struct bt_str){lexer->text.at + from, to - from};
}

/* --- Tokens ----------------------------------------------------------------------------------- */

static int push(struct lexer *lexer, enum bt_token_type type, size_t at, struct bt_str text)
{
    struct bt_tokens *tokens = lexer->tokens;
    if (tokens->count >= BT_EXPR_NODES_MAX)
        return bt_fail(lexer->err, BT_LIMIT, "the template has more than %u tokens",
                       BT_EXPR_NODES_MAX);
    if (tokens->count == tokens->cap) {
        size_t cap = tokens->cap ? tokens->cap * 2 : 32;
        struct bt_token *items = bt_arena_alloc(lexer->arena, cap * sizeof *items);
        if (!items)
            return bt_fail_mem(lexer->err, "template");
        if (tokens->count)
            memcpy(items, tokens->items, tokens->count * sizeof *items);
        tokens->items = items;
        tokens->cap = cap;
    }
    tokens->items[tokens->count++] =
        (struct bt_token){.type = (uint8_t)type, .at = (uint32_t)at, .text = text};
    return BT_OK;
}

static int push_state(struct lexer *lexer, enum state state)
{
    if (lexer->states_count == BT_EXPR_DEPTH_MAX)
        return bt_fail(lexer->err, BT_LIMIT, "the template nests deeper than %d levels",
                       BT_EXPR_DEPTH_MAX);
    lexer->states[lexer->states_count++] = (uint8_t)state;
    return BT_OK;
}

static int push_bracket(struct lexer *lexer, char bracket)
{
    if (lexer->brackets_count == BT_EXPR_DEPTH_MAX)
        return bt_fail(lexer->err, BT_LIMIT, "the expression nests deeper than %d brackets",
                       BT_EXPR_DEPTH_MAX);
    lexer->brackets[lexer->brackets_count++] = bracket;
    return BT_OK;
}

/* --- Text between tags ------------------------------------------------------------------------ */

static int lex_comment(struct lexer *lexer)
{
    if (lexer->at == lexer->text.len) /* The original does not look behind the last brace. */
        return BT_OK;
    ptrdiff_t end = bt_str_find(lexer->text, BT_STR("#}"), lexer->at);
    if (end < 0)
        return bt_fail(lexer->err, BT_INVALID, "Unclosed comment.");
    size_t last = (size_t)end;
    if (last >= lexer->at + 2 && lexer->text.at[last - 1] == '-' &&
        is_space(lexer->text.at[last - 2]))
        lexer->is_trimming = true;
    lexer->at = last + 2;
    return BT_OK;
}

/* Whether `verbatim` and the end of the tag stand at `at`; *ret_after is the byte behind. */
static bool is_word_tag(const struct lexer *lexer, size_t at, const char *word, size_t *ret_after)
{
    at = skip_spaces(lexer->text, at);
    if (!looks_at(lexer, at, word))
        return false;
    at = skip_spaces(lexer->text, at + strlen(word));
    if (at < lexer->text.len && lexer->text.at[at] == '-')
        at++;
    if (!looks_at(lexer, at, "%}"))
        return false;
    *ret_after = at + 2;
    return true;
}

static int lex_verbatim(struct lexer *lexer, size_t start)
{
    size_t from = start;
    for (;;) {
        ptrdiff_t open = bt_str_find(lexer->text, BT_STR("{%"), from);
        if (open < 0)
            return bt_fail(lexer->err, BT_INVALID, "Unclosed verbatim tag.");
        size_t inner = (size_t)open + 2, after;
        bool has_dash = inner < lexer->text.len && lexer->text.at[inner] == '-';
        if (!is_word_tag(lexer, inner + has_dash, "endverbatim", &after)) {
            from = inner;
            continue;
        }
        size_t first = skip_spaces(lexer->text, start), last = (size_t)open;
        if (first > last)
            first = last;
        while (has_dash && last > first && is_space(lexer->text.at[last - 1]))
            last--;
        lexer->is_trimming = lexer->text.at[after - 3] == '-';
        lexer->at = after;
        return first == last ? BT_OK : push(lexer, BT_TOKEN_TEXT, first, slice(lexer, first, last));
    }
}

/* The next "{{", "{%" or "{#", or the length of the text. */
static size_t find_open(struct bt_str text, size_t from)
{
    while (from + 1 < text.len) {
        const char *brace = memchr(text.at + from, '{', text.len - from - 1);
        if (!brace)
            break;
        if (brace[1] == '{' || brace[1] == '%' || brace[1] == '#')
            return (size_t)(brace - text.at);
        from = (size_t)(brace - text.at) + 1;
    }
    return text.len;
}

static int lex_open(struct lexer *lexer, char kind, size_t at)
{
    size_t after;
    if (kind == '#')
        return lex_comment(lexer);
    if (kind == '{') {
        BT_TRY(push(lexer, BT_TOKEN_PRINT_START, at, BT_STR_NONE));
        return push_state(lexer, STATE_PRINT);
    }
    if (is_word_tag(lexer, lexer->at, "verbatim", &after))
        return lex_verbatim(lexer, after);
    BT_TRY(push(lexer, BT_TOKEN_EXECUTE_START, at, BT_STR_NONE));
    return push_state(lexer, STATE_EXECUTE);
}

static int lex_data(struct lexer *lexer)
{
    size_t start = lexer->at, end = find_open(lexer->text, start);
    size_t first = lexer->is_trimming ? skip_spaces(lexer->text, start) : start;
    lexer->is_trimming = false;
    if (first > end)
        first = end;
    size_t last = end;
    if (end == lexer->text.len) {
        lexer->at = end;
    } else {
        lexer->at = end + 2;
        size_t dash = lexer->at;
        if (dash + 1 < lexer->text.len && lexer->text.at[dash] == '-' &&
            is_space(lexer->text.at[dash + 1])) {
            lexer->at = skip_spaces(lexer->text, dash + 1);
            while (last > first && is_space(lexer->text.at[last - 1]))
                last--;
        }
    }
    if (last > first)
        BT_TRY(push(lexer, BT_TOKEN_TEXT, first, slice(lexer, first, last)));
    return end == lexer->text.len ? BT_OK : lex_open(lexer, lexer->text.at[end + 1], end);
}

/* --- Expressions ------------------------------------------------------------------------------ */

static int lex_operator(struct lexer *lexer, bool *ret_found)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!looks_at(lexer, lexer->at, ops[i].text))
            continue;
        size_t end = lexer->at + strlen(ops[i].text);
        if (is_ascii_letter(ops[i].text[0]) && end < lexer->text.len &&
            (is_ascii_letter(lexer->text.at[end]) || is_digit(lexer->text.at[end]) ||
             lexer->text.at[end] == '_'))
            continue;
        BT_TRY(push(lexer, BT_TOKEN_OPERATOR, lexer->at, slice(lexer, lexer->at, end)));
        lexer->tokens->items[lexer->tokens->count - 1].op = ops[i].op;
        lexer->at = end;
        *ret_found = true;
        return BT_OK;
    }
    return BT_OK;
}

static int lex_word(struct lexer *lexer, bool *ret_found)
{
    size_t start = lexer->at, end = start, step;
    while ((step = name_char(lexer->text, end, end == start)))
        end += step;
    enum bt_token_type type = BT_TOKEN_NAME;
    struct bt_str text = slice(lexer, start, end);
    if (end == start) {
        while (end < lexer->text.len && is_digit(lexer->text.at[end]))
            end++;
        if (end == start)
            return BT_OK;
        type = BT_TOKEN_NUMBER;
        if (end < lexer->text.len && lexer->text.at[end] == 'L') {
            type = BT_TOKEN_LONG;
            text = slice(lexer, start, end++);
        } else {
            if (end + 1 < lexer->text.len && lexer->text.at[end] == '.' &&
                is_digit(lexer->text.at[end + 1]))
                for (end++; end < lexer->text.len && is_digit(lexer->text.at[end]);)
                    end++;
            text = slice(lexer, start, end);
        }
    }
    lexer->at = end;
    *ret_found = true;
    return push(lexer, type, start, text);
}

static int lex_bracket(struct lexer *lexer, char c)
{
    if (c == '(' || c == '[' || c == '{')
        return push_bracket(lexer, c);
    if (c != ')' && c != ']' && c != '}')
        return BT_OK;
    if (lexer->brackets_count == 0)
        return bt_fail(lexer->err, BT_INVALID, "Unexpected \"%c\"", c);
    char open = lexer->brackets[--lexer->brackets_count];
    char expected = (char)(open == '(' ? ')' : open == '[' ? ']' : '}');
    return c == expected ? BT_OK : bt_fail(lexer->err, BT_INVALID, "Unclosed \"%c\"", expected);
}

/* Takes the backslash off the closing quote's escapes. */
static int unescape(struct lexer *lexer, struct bt_str *text, char quote)
{
    if (!memchr(text->at, '\\', text->len))
        return BT_OK;
    char *copy = bt_arena_alloc(lexer->arena, text->len + 1);
    if (!copy)
        return bt_fail_mem(lexer->err, "template");
    size_t len = 0;
    for (size_t i = 0; i < text->len; i++) {
        if (text->at[i] == '\\' && i + 1 < text->len && text->at[i + 1] == quote)
            i++;
        copy[len++] = text->at[i];
    }
    *text = (struct bt_str){copy, len};
    return BT_OK;
}

/* A string without interpolation; leaves *ret_found false when it has one or does not end. */
static int lex_plain_string(struct lexer *lexer, char quote, bool *ret_found)
{
    size_t start = lexer->at + 1, end = start;
    while (end < lexer->text.len && lexer->text.at[end] != quote) {
        if (quote == '"' && lexer->text.at[end] == '#')
            return BT_OK;
        end += lexer->text.at[end] == '\\' ? 2 : 1;
    }
    if (end >= lexer->text.len)
        return BT_OK;
    struct bt_str text = slice(lexer, start, end);
    if (text.len)
        BT_TRY(unescape(lexer, &text, quote));
    BT_TRY(push(lexer, BT_TOKEN_STRING, lexer->at, text));
    lexer->at = end + 1;
    *ret_found = true;
    return BT_OK;
}

static int fail_character(struct lexer *lexer)
{
    if (lexer->at >= lexer->text.len)
        return bt_fail(lexer->err, BT_INVALID, "Unexpected character [\\u0000]");
    uint32_t rune;
    size_t len = bt_utf8_decode(lexer->text, lexer->at, &rune);
    return bt_fail(lexer->err, BT_INVALID, "Unexpected character [%.*s]", (int)(len ? len : 1),
                   lexer->text.at + lexer->at);
}

static int lex_expression(struct lexer *lexer)
{
    bool found = false;
    lexer->at = skip_spaces(lexer->text, lexer->at);
    if (lexer->at >= lexer->text.len)
        return fail_character(lexer);
    BT_TRY(lex_operator(lexer, &found));
    if (!found)
        BT_TRY(lex_word(lexer, &found));
    if (found)
        return BT_OK;
    char c = lexer->text.at[lexer->at];
    if (c && strchr("()[]{}?:.,|=", c)) {
        BT_TRY(lex_bracket(lexer, c));
        BT_TRY(
            push(lexer, BT_TOKEN_PUNCTUATION, lexer->at, slice(lexer, lexer->at, lexer->at + 1)));
        lexer->at++;
        return BT_OK;
    }
    if (c == '"' || c == '\'')
        BT_TRY(lex_plain_string(lexer, c, &found));
    if (found)
        return BT_OK;
    if (c != '"')
        return fail_character(lexer);
    lexer->at++;
    BT_TRY(push_bracket(lexer, '"'));
    return push_state(lexer, STATE_STRING);
}

/* Inside a double-quoted string that has an interpolation. */
static int lex_string(struct lexer *lexer)
{
    struct bt_str text = lexer->text;
    size_t start = lexer->at, end = start;
    if (looks_at(lexer, start, "#{")) {
        BT_TRY(push_bracket(lexer, '#'));
        BT_TRY(push(lexer, BT_TOKEN_INTERPOLATION_START, start, BT_STR_NONE));
        lexer->at += 2;
        return push_state(lexer, STATE_INTERPOLATION);
    }
    while (end < text.len && text.at[end] != '"' && !looks_at(lexer, end, "#{")) {
        if (text.at[end] == '\\' && end + 1 >= text.len)
            break;
        end += text.at[end] == '\\' ? 2 : 1;
    }
    if (end > start) {
        lexer->at = end;
        return push(lexer, BT_TOKEN_STRING, start, slice(lexer, start, end));
    }
    if (text.at[start] != '"')
        return bt_fail(lexer->err, BT_INVALID, "Unclosed \"\"\"");
    assert(lexer->brackets_count && lexer->brackets[lexer->brackets_count - 1] == '"');
    lexer->brackets_count--;
    lexer->states_count--;
    lexer->at++;
    return BT_OK;
}

static int lex_interpolation(struct lexer *lexer)
{
    size_t at = skip_spaces(lexer->text, lexer->at);
    if (lexer->brackets_count && lexer->brackets[lexer->brackets_count - 1] == '#' &&
        at < lexer->text.len && lexer->text.at[at] == '}') {
        lexer->brackets_count--;
        lexer->states_count--;
        lexer->at = at + 1;
        return push(lexer, BT_TOKEN_INTERPOLATION_END, at, BT_STR_NONE);
    }
    return lex_expression(lexer);
}

/* Between {{ and }}, or {% and %}. */
static int lex_tag(struct lexer *lexer, const char *close, enum bt_token_type end_type)
{
    size_t at = skip_spaces(lexer->text, lexer->at);
    bool has_dash = at < lexer->text.len && lexer->text.at[at] == '-';
    if (has_dash && (looks_at(lexer, at + 1, "}}") || looks_at(lexer, at + 1, "%}") ||
                     looks_at(lexer, at + 1, "#}")))
        lexer->is_trimming = true;
    if (lexer->brackets_count || !looks_at(lexer, at + has_dash, close))
        return lex_expression(lexer);
    lexer->at = at + has_dash + 2;
    lexer->states_count--;
    return push(lexer, end_type, at, bt_str_of(close));
}

static int lex_step(struct lexer *lexer)
{
    switch ((enum state)lexer->states[lexer->states_count - 1]) {
    case STATE_DATA: return lex_data(lexer);
    case STATE_EXECUTE: return lex_tag(lexer, "%}", BT_TOKEN_EXECUTE_END);
    case STATE_PRINT: return lex_tag(lexer, "}}", BT_TOKEN_PRINT_END);
    case STATE_STRING: return lex_string(lexer);
    case STATE_INTERPOLATION: return lex_interpolation(lexer);
    }
    return BT_INVALID;
}

static const char *bracket_close(char open)
{
    switch (open) {
    case '(': return "(";
    case '[': return "[";
    case '{': return "{";
    case '#': return "#{";
    default: return "\"";
    }
}

int bt_lex(struct bt_str text, struct bt_arena *arena, struct bt_tokens *ret_tokens,
           uint32_t *ret_at, struct bt_err *err)
{
    assert(text.len <= BT_TEMPLATE_BYTES_MAX);
    struct lexer lexer = {.text = text, .arena = arena, .tokens = ret_tokens, .err = err};
    int rc = push_state(&lexer, STATE_DATA);
    while (rc == BT_OK && lexer.at < text.len)
        rc = lex_step(&lexer);
    if (rc == BT_OK)
        rc = push(&lexer, BT_TOKEN_EOF, text.len, BT_STR_NONE);
    if (rc == BT_OK && lexer.brackets_count)
        rc = bt_fail(err, BT_INVALID, "Unclosed \"%s\"",
                     bracket_close(lexer.brackets[lexer.brackets_count - 1]));
    *ret_at = (uint32_t)(lexer.at < text.len ? lexer.at : text.len);
    return rc;
}
