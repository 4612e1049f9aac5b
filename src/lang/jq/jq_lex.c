/* jq_lex.c — Characters, words, operators and texts of jq programs; making nodes. Pure. */
#include "base/utf8.h"
#include "lang/jq/jq_parse_int.h"

/* --- Characters and words --------------------------------------------------------------------- */

bool bt_jq_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool bt_jq_is_word(char c)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

bool bt_jq_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

char bt_jq_peek(const struct bt_jq_parser *p, size_t ahead)
{
    return p->at + ahead < p->text.len ? p->text.at[p->at + ahead] : '\0';
}

void bt_jq_skip(struct bt_jq_parser *p)
{
    while (bt_jq_is_space(bt_jq_peek(p, 0)) || bt_jq_peek(p, 0) == '#') {
        if (bt_jq_peek(p, 0) == '#')
            while (p->at < p->text.len && bt_jq_peek(p, 0) != '\n')
                p->at++;
        else
            p->at++;
    }
}

int bt_jq_syntax(struct bt_jq_parser *p, const char *what)
{
    return bt_fail(p->jq->err, BT_INVALID, "jq: %s at offset %zu", what, p->at);
}

/* Takes an operator; longer ones that begin alike are not it. */
bool bt_jq_take(struct bt_jq_parser *p, const char *op)
{
    size_t len = strlen(op);
    bt_jq_skip(p);
    struct bt_str rest = bt_str_slice(p->text, p->at, p->text.len);
    if (!bt_str_starts(rest, bt_str_of(op)))
        return false;
    char next = len < rest.len ? rest.at[len] : '\0';
    bool is_longer = (next == '=' && len == 1 && strchr("|+-*/%<>=!", op[0])) ||
                     (op[0] == '/' && len == 1 && next == '/') ||
                     (op[0] == '/' && len == 2 && next == '=');
    if (is_longer)
        return false;
    p->at += len;
    return true;
}

int bt_jq_expect(struct bt_jq_parser *p, const char *op)
{
    char message[40];
    if (bt_jq_take(p, op))
        return BT_OK;
    (void)snprintf(message, sizeof message, "expected '%s'", op); /* Always fits. */
    return bt_jq_syntax(p, message);
}

struct bt_str bt_jq_peek_word(struct bt_jq_parser *p)
{
    bt_jq_skip(p);
    size_t end = p->at;
    if (!bt_jq_is_word(bt_jq_peek(p, 0)))
        return BT_STR("");
    while (end < p->text.len &&
           (bt_jq_is_word(p->text.at[end]) || bt_jq_is_digit(p->text.at[end]) ||
            (p->text.at[end] == ':' && end + 2 < p->text.len && p->text.at[end + 1] == ':' &&
             bt_jq_is_word(p->text.at[end + 2]))))
        end += p->text.at[end] == ':' ? 2 : 1;
    return bt_str_slice(p->text, p->at, end);
}

bool bt_jq_take_word(struct bt_jq_parser *p, const char *word)
{
    struct bt_str found = bt_jq_peek_word(p);
    if (!bt_str_is(found, word))
        return false;
    p->at += found.len;
    return true;
}

bool bt_jq_is_keyword(struct bt_str word)
{
    static const char *const keywords[] = {
        "def", "as",    "if",    "then",   "else",    "elif", "end", "reduce", "foreach",
        "try", "catch", "label", "import", "include", "and",  "or",  "__loc__"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (bt_str_is(word, keywords[i]))
            return true;
    return false;
}

/* --- Building --------------------------------------------------------------------------------- */

int bt_jq_new_node(struct bt_jq_parser *p, enum bt_jq_kind kind, struct bt_jq_node **ret_node)
{
    if (++p->jq->nodes > BT_EXPR_NODES_MAX)
        return bt_fail(p->jq->err, BT_LIMIT, "the jq program has too many nodes");
    struct bt_jq_node *node = bt_arena_alloc(&p->jq->arena, sizeof *node);
    if (!node)
        return bt_jq_no_mem(p->jq);
    node->kind = (uint8_t)kind;
    *ret_node = node;
    return BT_OK;
}

int bt_jq_pair(struct bt_jq_parser *p, enum bt_jq_kind kind, struct bt_jq_node *left,
               struct bt_jq_node **node)
{
    struct bt_jq_node *made = NULL;
    BT_TRY(bt_jq_new_node(p, kind, &made));
    made->left = left;
    *node = made;
    return BT_OK;
}

int bt_jq_push(struct bt_jq_parser *p, struct bt_jq_node *node, struct bt_jq_node *item)
{
    size_t count = node->items_count;
    if ((count & (count - 1)) == 0) { /* The room doubles at powers of two. */
        struct bt_jq_node **items =
            bt_arena_alloc(&p->jq->arena, (count ? count * 2 : 1) * sizeof *items);
        if (!items)
            return bt_jq_no_mem(p->jq);
        if (count)
            memcpy(items, node->items, count * sizeof *items);
        node->items = items;
    }
    node->items[node->items_count++] = item;
    return BT_OK;
}

int bt_jq_keep(struct bt_jq *jq, struct bt_value *value)
{
    BT_VALUE taken = value;
    if (!taken)
        return bt_jq_no_mem(jq);
    if (jq->values_count == jq->values_cap) {
        size_t cap = jq->values_cap ? jq->values_cap * 2 : 8;
        struct bt_value **values = realloc(jq->values, cap * sizeof *values);
        if (!values)
            return bt_jq_no_mem(jq);
        jq->values = values;
        jq->values_cap = cap;
    }
    jq->values[jq->values_count++] = BT_TAKE(taken);
    return BT_OK;
}

int bt_jq_literal(struct bt_jq_parser *p, struct bt_value *value, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_keep(p->jq, value));
    BT_TRY(bt_jq_new_node(p, BT_JQ_LITERAL, ret_node));
    (*ret_node)->value = value;
    return BT_OK;
}

int bt_jq_enter(struct bt_jq_parser *p)
{
    if (p->depth >= BT_JQ_PARSE_MAX)
        return bt_fail(p->jq->err, BT_LIMIT, "the jq program nests too deep");
    p->depth++;
    return BT_OK;
}

/* --- Strings ---------------------------------------------------------------------------------- */

static bool read_hex(struct bt_jq_parser *p, uint32_t *ret_unit)
{
    *ret_unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = bt_jq_peek(p, 0);
        uint32_t digit = bt_jq_is_digit(c)                    ? (uint32_t)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a' + 10)
                                                              : 16;
        if (digit > 15)
            return false;
        *ret_unit = *ret_unit << 4 | digit;
        p->at++;
    }
    return true;
}

static int read_escape(struct bt_jq_parser *p, struct bt_buf *out)
{
    static const char pairs[] = "n\nt\tr\rb\bf\f\"\"\\\\//";
    uint32_t rune, low;
    char c = bt_jq_peek(p, 0);
    p->at++;
    if (c == 'u') {
        if (!read_hex(p, &rune))
            return bt_jq_syntax(p, "bad escape");
        if (rune >= 0xD800 && rune < 0xDC00 && bt_jq_peek(p, 0) == '\\' &&
            bt_jq_peek(p, 1) == 'u') {
            p->at += 2;
            if (!read_hex(p, &low))
                return bt_jq_syntax(p, "bad escape");
            rune = low >= 0xDC00 && low < 0xE000
                       ? 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00)
                       : 0xFFFD;
        }
        return bt_buf_add_rune(out, rune >= 0xD800 && rune < 0xE000 ? 0xFFFD : rune);
    }
    for (size_t i = 0; i + 1 < sizeof pairs; i += 2)
        if (c && pairs[i] == c)
            return bt_buf_addc(out, pairs[i + 1]);
    return bt_jq_syntax(p, "bad escape");
}

/* Adds what was read so far as a part of the string. */
static int flush_part(struct bt_jq_parser *p, struct bt_buf *buf, struct bt_jq_node *string)
{
    struct bt_jq_node *part = NULL;
    int rc = bt_buf_check(buf, "the jq text", p->jq->err);
    if (rc == BT_OK)
        rc = bt_jq_literal(p, bt_value_string(bt_buf_str(buf)), &part);
    bt_buf_clear(buf);
    return rc < 0 ? rc : bt_jq_push(p, string, part);
}

static int read_parts(struct bt_jq_parser *p, struct bt_buf *buf, struct bt_jq_node *string)
{
    while (bt_jq_peek(p, 0) != '"') {
        char c = bt_jq_peek(p, 0);
        if (p->at >= p->text.len)
            return bt_jq_syntax(p, "unclosed text");
        p->at++;
        if (c != '\\') {
            BT_TRY(bt_buf_addc(buf, c));
        } else if (bt_jq_peek(p, 0) != '(') {
            BT_TRY(read_escape(p, buf));
        } else {
            struct bt_jq_node *inner = NULL;
            p->at++;
            BT_TRY(flush_part(p, buf, string));
            BT_TRY(bt_jq_parse_pipe(p, &inner));
            BT_TRY(bt_jq_expect(p, ")"));
            BT_TRY(bt_jq_push(p, string, inner));
        }
    }
    p->at++;
    return flush_part(p, buf, string);
}

/* "text \(expr)": a literal when nothing is inside. The quote stands at p->at. */
int bt_jq_parse_string(struct bt_jq_parser *p, struct bt_str format, struct bt_jq_node **ret_node)
{
    struct bt_buf buf = BT_BUF_INIT(BT_TEMPLATE_BYTES_MAX);
    struct bt_jq_node *string = NULL;
    BT_TRY(bt_jq_new_node(p, BT_JQ_STRING, &string));
    string->name = format;
    p->at++;
    int rc = read_parts(p, &buf, string);
    bt_buf_done(&buf);
    BT_TRY(rc);
    *ret_node = string->items_count == 1 ? string->items[0] : string;
    return BT_OK;
}
