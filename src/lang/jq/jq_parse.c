/* jq_parse.c — jq text to a tree: terms, operators by precedence, definitions. Pure; bounded in
 * depth. */
#include "base/num.h"
#include "lang/jq/jq_parse_int.h"

static int parse_level(struct bt_jq_parser *p, int level, struct bt_jq_node **ret_node);
static int parse_postfix(struct bt_jq_parser *p, struct bt_jq_node **ret_node);
static int parse_source(struct bt_jq_parser *p, struct bt_jq_node **ret_node);
static int parse_def(struct bt_jq_parser *p, struct bt_jq_def **ret_def);

/* --- Terms ------------------------------------------------------------------------------------ */

static int parse_number(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    size_t from = p->at;
    int64_t whole;
    double real;
    while (bt_jq_is_digit(bt_jq_peek(p, 0)) || bt_jq_peek(p, 0) == '.')
        p->at++;
    if ((bt_jq_peek(p, 0) | 32) == 'e') {
        size_t sign = bt_jq_peek(p, 1) == '+' || bt_jq_peek(p, 1) == '-' ? 1 : 0;
        if (bt_jq_is_digit(bt_jq_peek(p, 1 + sign)))
            for (p->at += 1 + sign; bt_jq_is_digit(bt_jq_peek(p, 0));)
                p->at++;
    }
    struct bt_str text = bt_str_slice(p->text, from, p->at);
    if (bt_parse_i64(text, &whole))
        return bt_jq_literal(
            p, whole == (int32_t)whole ? bt_value_int32((int32_t)whole) : bt_value_int(whole),
            ret_node);
    if (!bt_parse_double(text, &real))
        return bt_jq_syntax(p, "bad number");
    return bt_jq_literal(p, bt_value_double(real), ret_node);
}

static int parse_array(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_new_node(p, BT_JQ_ARRAY, ret_node));
    if (bt_jq_take(p, "]"))
        return BT_OK;
    BT_TRY(bt_jq_parse_pipe(p, &(*ret_node)->left));
    return bt_jq_expect(p, "]");
}

static int take_variable(struct bt_jq_parser *p, struct bt_str *ret_name)
{
    bt_jq_skip(p);
    if (bt_jq_peek(p, 0) != '$')
        return bt_jq_syntax(p, "expected a variable");
    p->at++;
    *ret_name = bt_jq_peek_word(p);
    p->at += ret_name->len;
    return ret_name->len ? BT_OK : bt_jq_syntax(p, "expected a variable");
}

static int variable(struct bt_jq_parser *p, struct bt_str name, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_new_node(p, BT_JQ_VARIABLE, ret_node));
    (*ret_node)->name = name;
    return BT_OK;
}

/* Values of objects: everything but a comma. */
static int parse_value(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    struct bt_jq_node *right = NULL;
    BT_TRY(bt_jq_enter(p));
    BT_TRY(parse_level(p, 2, ret_node));
    while (bt_jq_take(p, "|")) {
        BT_TRY(parse_level(p, 2, &right));
        BT_TRY(bt_jq_pair(p, BT_JQ_PIPE, *ret_node, ret_node));
        (*ret_node)->right = right;
    }
    p->depth--;
    return BT_OK;
}

/* The key of an entry; *ret_short: what it means without a value. */
static int parse_key(struct bt_jq_parser *p, struct bt_jq_node **ret_key,
                     struct bt_jq_node **ret_short)
{
    struct bt_str name;
    *ret_short = NULL;
    bt_jq_skip(p);
    if (bt_jq_peek(p, 0) == '$') {
        BT_TRY(take_variable(p, &name));
        BT_TRY(variable(p, name, ret_short));
        return bt_jq_literal(p, bt_value_string(name), ret_key);
    }
    if (bt_jq_peek(p, 0) == '(') {
        p->at++;
        BT_TRY(bt_jq_parse_pipe(p, ret_key));
        return bt_jq_expect(p, ")");
    }
    struct bt_str format = BT_STR_NONE;
    if (bt_jq_peek(p, 0) == '@') {
        p->at++;
        format = bt_jq_peek_word(p);
        p->at += format.len;
        bt_jq_skip(p);
    }
    if (bt_jq_peek(p, 0) == '"') {
        BT_TRY(bt_jq_parse_string(p, format, ret_key));
    } else if (bt_jq_is_digit(bt_jq_peek(p, 0))) {
        BT_TRY(parse_number(p, ret_key));
    } else {
        name = bt_jq_peek_word(p);
        if (name.len == 0)
            return bt_jq_syntax(p, "expected a key");
        p->at += name.len;
        BT_TRY(bt_jq_literal(p, bt_value_string(name), ret_key));
    }
    BT_TRY(bt_jq_new_node(p, BT_JQ_INDEX, ret_short));
    BT_TRY(bt_jq_new_node(p, BT_JQ_IDENTITY, &(*ret_short)->left));
    (*ret_short)->right = *ret_key;
    return BT_OK;
}

static int parse_object(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_new_node(p, BT_JQ_OBJECT, ret_node));
    while (!bt_jq_take(p, "}")) {
        struct bt_jq_node *key = NULL, *value = NULL, *alone = NULL;
        if ((*ret_node)->items_count)
            BT_TRY(bt_jq_expect(p, ","));
        BT_TRY(parse_key(p, &key, &alone));
        if (bt_jq_take(p, ":"))
            BT_TRY(parse_value(p, &value));
        else if (alone)
            value = alone;
        else
            return bt_jq_syntax(p, "expected ':'");
        BT_TRY(bt_jq_push(p, *ret_node, key));
        BT_TRY(bt_jq_push(p, *ret_node, value));
    }
    return BT_OK;
}

static int parse_if(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_enter(p));
    BT_TRY(bt_jq_new_node(p, BT_JQ_IF, ret_node));
    BT_TRY(bt_jq_parse_pipe(p, &(*ret_node)->left));
    if (!bt_jq_take_word(p, "then"))
        return bt_jq_syntax(p, "expected 'then'");
    BT_TRY(bt_jq_parse_pipe(p, &(*ret_node)->right));
    p->depth--;
    if (bt_jq_take_word(p, "elif"))
        return parse_if(p, &(*ret_node)->third);
    if (bt_jq_take_word(p, "else"))
        BT_TRY(bt_jq_parse_pipe(p, &(*ret_node)->third));
    else
        BT_TRY(bt_jq_new_node(p, BT_JQ_IDENTITY, &(*ret_node)->third));
    return bt_jq_take_word(p, "end") ? BT_OK : bt_jq_syntax(p, "expected 'end'");
}

static int parse_try(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_new_node(p, BT_JQ_TRY, ret_node));
    BT_TRY(parse_postfix(p, &(*ret_node)->left));
    return bt_jq_take_word(p, "catch") ? parse_postfix(p, &(*ret_node)->right) : BT_OK;
}

static int parse_pattern(struct bt_jq_parser *p, struct bt_jq_pattern **ret_pattern);

static int add_pattern(struct bt_jq_parser *p, struct bt_jq_pattern *pattern,
                       struct bt_jq_node *key, struct bt_jq_pattern *item)
{
    size_t count = pattern->count;
    struct bt_jq_pattern **items =
        bt_arena_alloc(&p->jq->arena, (count + 1) * sizeof(struct bt_jq_pattern *));
    struct bt_jq_node **keys =
        bt_arena_alloc(&p->jq->arena, (count + 1) * sizeof(struct bt_jq_node *));
    if (!items || !keys)
        return bt_jq_no_mem(p->jq);
    if (count) {
        memcpy(items, pattern->items, count * sizeof(struct bt_jq_pattern *));
        memcpy(keys, pattern->keys, count * sizeof(struct bt_jq_node *));
    }
    items[count] = item;
    keys[count] = key;
    pattern->items = items;
    pattern->keys = keys;
    pattern->count++;
    return BT_OK;
}

/* One entry of {a: $x, $y, (expr): [$z]}. */
static int parse_map_entry(struct bt_jq_parser *p, struct bt_jq_pattern *pattern)
{
    struct bt_jq_node *key = NULL, *alone = NULL;
    struct bt_jq_pattern *item = NULL;
    bt_jq_skip(p);
    bool is_variable = bt_jq_peek(p, 0) == '$';
    BT_TRY(parse_key(p, &key, &alone));
    if (is_variable) {
        item = bt_arena_alloc(&p->jq->arena, sizeof *item);
        if (!item)
            return bt_jq_no_mem(p->jq);
        item->name = bt_value_str(key->value);
        BT_TRY(add_pattern(p, pattern, key, item));
        if (!bt_jq_take(p, ":"))
            return BT_OK;
    } else {
        BT_TRY(bt_jq_expect(p, ":"));
    }
    BT_TRY(parse_pattern(p, &item));
    return add_pattern(p, pattern, key, item);
}

static int parse_pattern(struct bt_jq_parser *p, struct bt_jq_pattern **ret_pattern)
{
    struct bt_jq_pattern *pattern = bt_arena_alloc(&p->jq->arena, sizeof *pattern), *item;
    if (!pattern)
        return bt_jq_no_mem(p->jq);
    *ret_pattern = pattern;
    BT_TRY(bt_jq_enter(p));
    pattern->is_list = bt_jq_take(p, "[");
    pattern->is_map = !pattern->is_list && bt_jq_take(p, "{");
    p->depth--;
    if (!pattern->is_list && !pattern->is_map)
        return take_variable(p, &pattern->name);
    do {
        if (pattern->is_list) {
            BT_TRY(bt_jq_enter(p));
            BT_TRY(parse_pattern(p, &item));
            BT_TRY(add_pattern(p, pattern, NULL, item));
            p->depth--;
        } else {
            BT_TRY(parse_map_entry(p, pattern));
        }
    } while (bt_jq_take(p, ","));
    return bt_jq_expect(p, pattern->is_list ? "]" : "}");
}

/* reduce and foreach: source as $x (init; update; extract). */
static int parse_fold(struct bt_jq_parser *p, enum bt_jq_kind kind, struct bt_jq_node **ret_node)
{
    struct bt_jq_node *extract = NULL;
    BT_TRY(bt_jq_new_node(p, kind, ret_node));
    BT_TRY(parse_source(p, &(*ret_node)->left));
    if (!bt_jq_take_word(p, "as"))
        return bt_jq_syntax(p, "expected 'as'");
    BT_TRY(parse_pattern(p, &(*ret_node)->pattern));
    BT_TRY(bt_jq_expect(p, "("));
    BT_TRY(bt_jq_parse_pipe(p, &(*ret_node)->right));
    BT_TRY(bt_jq_expect(p, ";"));
    BT_TRY(bt_jq_parse_pipe(p, &(*ret_node)->third));
    if (kind == BT_JQ_FOREACH && bt_jq_take(p, ";")) {
        BT_TRY(bt_jq_parse_pipe(p, &extract));
        BT_TRY(bt_jq_push(p, *ret_node, extract));
    }
    return bt_jq_expect(p, ")");
}

static int parse_label(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_new_node(p, BT_JQ_LABEL, ret_node));
    BT_TRY(take_variable(p, &(*ret_node)->name));
    BT_TRY(bt_jq_expect(p, "|"));
    return bt_jq_parse_pipe(p, &(*ret_node)->left);
}

static int parse_call(struct bt_jq_parser *p, struct bt_str name, struct bt_jq_node **ret_node)
{
    if (bt_str_is(name, "null"))
        return bt_jq_literal(p, bt_value_null(), ret_node);
    if (bt_str_is(name, "true") || bt_str_is(name, "false"))
        return bt_jq_literal(p, bt_value_bool(name.at[0] == 't'), ret_node);
    if (bt_str_is(name, "break")) {
        BT_TRY(bt_jq_new_node(p, BT_JQ_BREAK, ret_node));
        return take_variable(p, &(*ret_node)->name);
    }
    BT_TRY(bt_jq_new_node(p, BT_JQ_CALL, ret_node));
    (*ret_node)->name = name;
    if (bt_jq_peek(p, 0) != '(')
        return BT_OK;
    p->at++;
    do {
        struct bt_jq_node *arg = NULL;
        BT_TRY(bt_jq_parse_pipe(p, &arg));
        BT_TRY(bt_jq_push(p, *ret_node, arg));
    } while (bt_jq_take(p, ";"));
    return bt_jq_expect(p, ")");
}

static int parse_word(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    struct bt_str word = bt_jq_peek_word(p);
    p->at += word.len;
    if (bt_str_is(word, "if"))
        return parse_if(p, ret_node);
    if (bt_str_is(word, "try"))
        return parse_try(p, ret_node);
    if (bt_str_is(word, "reduce") || bt_str_is(word, "foreach"))
        return parse_fold(p, word.at[0] == 'r' ? BT_JQ_REDUCE : BT_JQ_FOREACH, ret_node);
    if (bt_str_is(word, "label"))
        return parse_label(p, ret_node);
    if (bt_str_is(word, "def")) {
        p->at -= word.len;
        BT_TRY(bt_jq_new_node(p, BT_JQ_DEF, ret_node));
        BT_TRY(parse_def(p, &(*ret_node)->def));
        return bt_jq_parse_pipe(p, &(*ret_node)->left);
    }
    if (bt_jq_is_keyword(word)) {
        p->at -= word.len;
        return bt_jq_syntax(p, "unexpected word");
    }
    return parse_call(p, word, ret_node);
}

/* .name or ."name" right behind a point; false when there is none. */
static int parse_field(struct bt_jq_parser *p, struct bt_jq_node **node, bool *ret_found)
{
    struct bt_jq_node *key = NULL;
    bt_jq_skip(p);
    *ret_found = false;
    if (bt_jq_peek(p, 0) == '"') {
        BT_TRY(bt_jq_parse_string(p, BT_STR_NONE, &key));
    } else if (bt_jq_is_word(bt_jq_peek(p, 0))) {
        size_t end = p->at;
        while (end < p->text.len &&
               (bt_jq_is_word(p->text.at[end]) || bt_jq_is_digit(p->text.at[end])))
            end++;
        BT_TRY(bt_jq_literal(p, bt_value_string(bt_str_slice(p->text, p->at, end)), &key));
        p->at = end;
    } else {
        return BT_OK;
    }
    *ret_found = true;
    BT_TRY(bt_jq_pair(p, BT_JQ_INDEX, *node, node));
    (*node)->right = key;
    return BT_OK;
}

static int parse_dot(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    bool found;
    p->at++;
    if (bt_jq_peek(p, 0) == '.') {
        p->at++;
        return bt_jq_new_node(p, BT_JQ_RECURSE, ret_node);
    }
    BT_TRY(bt_jq_new_node(p, BT_JQ_IDENTITY, ret_node));
    return bt_jq_is_space(bt_jq_peek(p, 0)) ? BT_OK : parse_field(p, ret_node, &found);
}

static int parse_term(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    struct bt_str name;
    bt_jq_skip(p);
    char c = bt_jq_peek(p, 0);
    if (bt_jq_is_digit(c) || (c == '.' && bt_jq_is_digit(bt_jq_peek(p, 1))))
        return parse_number(p, ret_node);
    if (c == '.')
        return parse_dot(p, ret_node);
    if (c == '"')
        return bt_jq_parse_string(p, BT_STR_NONE, ret_node);
    if (c == '$') {
        BT_TRY(take_variable(p, &name));
        return variable(p, name, ret_node);
    }
    if (bt_jq_is_word(c))
        return parse_word(p, ret_node);
    if (!c || !strchr("([{@-", c))
        return bt_jq_syntax(p, "unexpected character or end");
    p->at++;
    if (c == '[')
        return parse_array(p, ret_node);
    if (c == '{')
        return parse_object(p, ret_node);
    if (c == '-') {
        BT_TRY(bt_jq_new_node(p, BT_JQ_NEGATE, ret_node));
        return parse_postfix(p, &(*ret_node)->left);
    }
    if (c == '(') {
        BT_TRY(bt_jq_parse_pipe(p, ret_node));
        return bt_jq_expect(p, ")");
    }
    name = bt_jq_peek_word(p);
    p->at += name.len;
    bt_jq_skip(p);
    if (bt_jq_peek(p, 0) == '"')
        return bt_jq_parse_string(p, name, ret_node);
    BT_TRY(bt_jq_new_node(p, BT_JQ_FORMAT, ret_node));
    (*ret_node)->name = name;
    return BT_OK;
}

/* [], [x], [x:y], [:y], [x:] behind a term. */
static int parse_brackets(struct bt_jq_parser *p, struct bt_jq_node **node)
{
    struct bt_jq_node *from = NULL;
    if (bt_jq_take(p, "]"))
        return bt_jq_pair(p, BT_JQ_ITERATE, *node, node);
    if (!bt_jq_take(p, ":")) {
        BT_TRY(bt_jq_parse_pipe(p, &from));
        if (bt_jq_take(p, "]")) {
            BT_TRY(bt_jq_pair(p, BT_JQ_INDEX, *node, node));
            (*node)->right = from;
            return BT_OK;
        }
        BT_TRY(bt_jq_expect(p, ":"));
    }
    BT_TRY(bt_jq_pair(p, BT_JQ_SLICE, *node, node));
    (*node)->right = from;
    if (bt_jq_take(p, "]"))
        return BT_OK;
    BT_TRY(bt_jq_parse_pipe(p, &(*node)->third));
    return bt_jq_expect(p, "]");
}

/* A term with everything behind it: .a, [..], ?, as. */
static int parse_suffixes(struct bt_jq_parser *p, struct bt_jq_node **node)
{
    for (;;) {
        bool found = true;
        bt_jq_skip(p);
        if (bt_jq_peek(p, 0) == '.' && bt_jq_peek(p, 1) != '.') {
            p->at++;
            bt_jq_skip(p);
            if (bt_jq_peek(p, 0) == '[')
                continue;
            BT_TRY(parse_field(p, node, &found));
            if (!found)
                return bt_jq_syntax(p, "expected a field");
        } else if (bt_jq_peek(p, 0) == '[') {
            p->at++;
            BT_TRY(parse_brackets(p, node));
        } else if (bt_jq_peek(p, 0) == '?') {
            p->at++;
            BT_TRY(bt_jq_pair(p, BT_JQ_TRY, *node, node));
        } else {
            return BT_OK;
        }
    }
}

/* A term and its suffixes, up to the `as` of reduce and foreach. */
static int parse_source(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_enter(p));
    BT_TRY(parse_term(p, ret_node));
    BT_TRY(parse_suffixes(p, ret_node));
    p->depth--;
    return BT_OK;
}

static int parse_postfix(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    BT_TRY(bt_jq_enter(p));
    BT_TRY(parse_source(p, ret_node));
    if (bt_jq_take_word(p, "as")) {
        BT_TRY(bt_jq_pair(p, BT_JQ_AS, *ret_node, ret_node));
        BT_TRY(parse_pattern(p, &(*ret_node)->pattern));
        BT_TRY(bt_jq_expect(p, "|"));
        BT_TRY(bt_jq_parse_pipe(p, &(*ret_node)->right));
    }
    p->depth--;
    return BT_OK;
}

/* --- Operators -------------------------------------------------------------------------------- */

static const struct op {
    const char *text;
    uint8_t level, kind;
    char op;
    bool is_right;
} ops[] = {
    /* Longer ones before those they begin with. */
    {"//=", 3, BT_JQ_UPDATE, 'a', false}, {"//", 2, BT_JQ_ALTERNATIVE, 0, true},
    {"|=", 3, BT_JQ_UPDATE, '|', false},  {"+=", 3, BT_JQ_UPDATE, '+', false},
    {"-=", 3, BT_JQ_UPDATE, '-', false},  {"*=", 3, BT_JQ_UPDATE, '*', false},
    {"/=", 3, BT_JQ_UPDATE, '/', false},  {"%=", 3, BT_JQ_UPDATE, '%', false},
    {"==", 6, BT_JQ_COMPARE, '=', false}, {"!=", 6, BT_JQ_COMPARE, '!', false},
    {"<=", 6, BT_JQ_COMPARE, 'l', false}, {">=", 6, BT_JQ_COMPARE, 'g', false},
    {"=", 3, BT_JQ_UPDATE, '=', false},   {"<", 6, BT_JQ_COMPARE, '<', false},
    {">", 6, BT_JQ_COMPARE, '>', false},  {"+", 7, BT_JQ_ARITH, '+', false},
    {"-", 7, BT_JQ_ARITH, '-', false},    {"*", 8, BT_JQ_ARITH, '*', false},
    {"/", 8, BT_JQ_ARITH, '/', false},    {"%", 8, BT_JQ_ARITH, '%', false},
    {"|", 0, BT_JQ_PIPE, 0, true},        {",", 1, BT_JQ_COMMA, 0, false},
    {"or", 4, BT_JQ_OR, 0, false},        {"and", 5, BT_JQ_AND, 0, false},
};

static const struct op *peek_op(struct bt_jq_parser *p)
{
    size_t start = p->at;
    struct bt_str word = bt_jq_peek_word(p);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        bool is_word_op = bt_jq_is_word(ops[i].text[0]);
        if (is_word_op ? bt_str_is(word, ops[i].text)
                       : word.len == 0 && bt_jq_take(p, ops[i].text)) {
            p->at = start;
            return &ops[i];
        }
        p->at = start;
    }
    return NULL;
}

static int parse_level(struct bt_jq_parser *p, int level, struct bt_jq_node **ret_node)
{
    const struct op *op;
    BT_TRY(bt_jq_enter(p));
    BT_TRY(parse_postfix(p, ret_node));
    while ((op = peek_op(p)) && op->level >= level) {
        struct bt_jq_node *right = NULL;
        bt_jq_skip(p);
        p->at += strlen(op->text);
        BT_TRY(parse_level(p, op->is_right ? op->level : op->level + 1, &right));
        BT_TRY(bt_jq_pair(p, op->kind, *ret_node, ret_node));
        (*ret_node)->right = right;
        (*ret_node)->op = op->op;
    }
    p->depth--;
    return BT_OK;
}

int bt_jq_parse_pipe(struct bt_jq_parser *p, struct bt_jq_node **ret_node)
{
    return parse_level(p, 0, ret_node);
}

/* --- Definitions ------------------------------------------------------------------------------ */

static int parse_params(struct bt_jq_parser *p, struct bt_jq_def *def)
{
    enum { PARAMS_MAX = 10 };
    def->params = bt_arena_alloc(&p->jq->arena, PARAMS_MAX * sizeof *def->params);
    if (!def->params)
        return bt_jq_no_mem(p->jq);
    do {
        bt_jq_skip(p);
        size_t from = p->at;
        p->at += bt_jq_peek(p, 0) == '$';
        struct bt_str word = bt_jq_peek_word(p);
        if (word.len == 0 || def->params_count == PARAMS_MAX)
            return bt_jq_syntax(p, "expected a parameter");
        p->at += word.len;
        def->params[def->params_count++] = bt_str_slice(p->text, from, p->at);
    } while (bt_jq_take(p, ";"));
    return bt_jq_expect(p, ")");
}

static int parse_def(struct bt_jq_parser *p, struct bt_jq_def **ret_def)
{
    struct bt_jq_def *def = bt_arena_alloc(&p->jq->arena, sizeof *def);
    if (!def)
        return bt_jq_no_mem(p->jq);
    if (!bt_jq_take_word(p, "def"))
        return bt_jq_syntax(p, "expected 'def'");
    def->name = bt_jq_peek_word(p);
    p->at += def->name.len;
    if (def->name.len == 0)
        return bt_jq_syntax(p, "expected a name");
    if (bt_jq_take(p, "("))
        BT_TRY(parse_params(p, def));
    BT_TRY(bt_jq_expect(p, ":"));
    BT_TRY(bt_jq_parse_pipe(p, &def->body));
    BT_TRY(bt_jq_expect(p, ";"));
    *ret_def = def;
    return BT_OK;
}

int bt_jq_parse_def(struct bt_jq *jq, struct bt_str text, struct bt_jq_def **ret_def)
{
    struct bt_jq_parser p = {.jq = jq, .text = text};
    return parse_def(&p, ret_def);
}

int bt_jq_parse(struct bt_jq *jq, struct bt_str program, struct bt_jq_node **ret_node)
{
    struct bt_jq_parser p = {.jq = jq, .text = program};
    bt_jq_skip(&p);
    if (p.at >= program.len)
        return bt_jq_new_node(&p, BT_JQ_IDENTITY, ret_node);
    BT_TRY(bt_jq_parse_pipe(&p, ret_node));
    bt_jq_skip(&p);
    return p.at < program.len ? bt_jq_syntax(&p, "unexpected character") : BT_OK;
}
