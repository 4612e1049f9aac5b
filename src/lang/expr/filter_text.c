/* filter_text.c — Filters of texts. Pure. */
#include "lang/expr/expr_int.h"

#include "base/utf8.h"
#include "lang/expr/letters.h"
#include "lang/expr/regex.h"

/* The engine's own filters want a string and nothing else. */
#define INPUT_STR(call, text, ret_value)                                                           \
    struct bt_str text;                                                                            \
    BT_NULL_THROUGH(call, ret_value);                                                              \
    BT_TRY(bt_call_input_str(call, &text))

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

/* --- Case ------------------------------------------------------------------------------------- */

static int change_case(struct bt_call *call, bool is_upper, struct bt_value **ret_value)
{
    BT_VALUE text = NULL;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_text(call, call->input, &text));
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_letters_case(bt_value_str(text), is_upper, &buf); /* Checked by take. */
    return bt_call_take(call, &buf, ret_value);
}

static int upper(struct bt_call *call, struct bt_value **ret_value)
{
    return change_case(call, true, ret_value);
}

static int lower(struct bt_call *call, struct bt_value **ret_value)
{
    return change_case(call, false, ret_value);
}

/* Puts the first letter, or that of every word, in upper case. */
static int raise_letters(struct bt_call *call, bool is_every, struct bt_value **ret_value)
{
    INPUT_STR(call, text, ret_value);
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    bool is_next = true;
    size_t len;
    for (size_t i = 0; i < text.len; i += len) {
        uint32_t rune;
        len = bt_utf8_decode(text, i, &rune);
        len = len ? len : 1;
        if (is_space((unsigned char)text.at[i])) {
            is_next = is_next || is_every;
        } else if (is_next) {
            (void)bt_buf_add_rune(&buf, bt_letter_upper(rune)); /* Checked by take. */
            is_next = false;
            continue;
        }
        (void)bt_buf_add(&buf, bt_str_slice(text, i, i + len));
    }
    return bt_call_take(call, &buf, ret_value);
}

static int capitalize(struct bt_call *call, struct bt_value **ret_value)
{
    return raise_letters(call, false, ret_value);
}

static int title(struct bt_call *call, struct bt_value **ret_value)
{
    return raise_letters(call, true, ret_value);
}

/* --- Length ----------------------------------------------------------------------------------- */

static int trim(struct bt_call *call, struct bt_value **ret_value)
{
    INPUT_STR(call, text, ret_value);
    size_t from = 0, to = text.len;
    while (from < to && (unsigned char)text.at[from] <= ' ')
        from++;
    while (to > from && (unsigned char)text.at[to - 1] <= ' ')
        to--;
    if (to - from == text.len)
        return bt_call_give(call, bt_value_ref(call->input), ret_value);
    return bt_call_string(call, bt_str_slice(text, from, to), ret_value);
}

static int abbreviate(struct bt_call *call, struct bt_value **ret_value)
{
    INPUT_STR(call, text, ret_value);
    int64_t width;
    if (!bt_call_has(call, 0))
        return bt_raise_java(call->run, call->node->at,
                             "Cannot invoke \"java.lang.Long.intValue()\" because the return value "
                             "of \"java.util.Map.get(Object)\" is null");
    if (!bt_value_is(bt_call_arg(call, 0), BT_KIND_INT) ||
        bt_value_flavor(bt_call_arg(call, 0)) != BT_FLAVOR_PLAIN)
        return bt_raise_cast(call->run, call->node->at, bt_call_arg(call, 0), "java.lang.Long");
    BT_TRY(bt_call_int(call, 0, 0, &width));
    if (width < 0)
        return bt_raise(call->run, call->node->at,
                        "Invalid argument to abbreviate filter; must be greater than zero");
    int64_t length = (int64_t)bt_utf8_count(text);
    if (length < width || length <= 3)
        return bt_call_give(call, bt_value_ref(call->input), ret_value);
    int64_t keep = width <= 3 ? width : width - 3;
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_buf_add(&buf, bt_str_slice(text, 0, bt_utf8_offset(text, (size_t)keep)));
    if (width > 3)
        (void)bt_buf_adds(&buf, "..."); /* Checked by take. */
    return bt_call_take(call, &buf, ret_value);
}

/* --- Parts ------------------------------------------------------------------------------------ */

static ptrdiff_t find_last(struct bt_str text, struct bt_str part)
{
    for (size_t at = text.len + 1; at-- > 0;)
        if (text.len - at >= part.len && memcmp(text.at + at, part.at, part.len) == 0)
            return (ptrdiff_t)at;
    return -1;
}

/* The part before or after the first or last separator. */
static int cut(struct bt_call *call, bool is_after, bool is_last, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    struct bt_str separator;
    BT_NULL_THROUGH(call, ret_value);
    if (!bt_call_arg(call, 0))
        return bt_raise(call->run, call->node->at,
                        "The '%s' filter expects an argument 'separator'.", call->fn->name);
    BT_TRY(bt_call_str(call, 0, &separator));
    BT_TRY(bt_call_text(call, call->input, &input));
    struct bt_str text = bt_value_str(input);
    if (!bt_call_has(call, 0)) /* A null separator is never found. */
        return bt_call_string(call, is_after ? BT_STR("") : text, ret_value);
    if (separator.len == 0)
        return bt_call_string(call, is_last == is_after ? BT_STR("") : text, ret_value);
    ptrdiff_t at = is_last ? find_last(text, separator) : bt_str_find(text, separator, 0);
    if (at < 0)
        return bt_call_string(call, is_after ? BT_STR("") : text, ret_value);
    struct bt_str part = is_after ? bt_str_slice(text, (size_t)at + separator.len, text.len)
                                  : bt_str_slice(text, 0, (size_t)at);
    return bt_call_string(call, part, ret_value);
}

static int substring_before(struct bt_call *call, struct bt_value **ret_value)
{
    return cut(call, false, false, ret_value);
}

static int substring_before_last(struct bt_call *call, struct bt_value **ret_value)
{
    return cut(call, false, true, ret_value);
}

static int substring_after(struct bt_call *call, struct bt_value **ret_value)
{
    return cut(call, true, false, ret_value);
}

static int substring_after_last(struct bt_call *call, struct bt_value **ret_value)
{
    return cut(call, true, true, ret_value);
}

static int test_edge(struct bt_call *call, bool is_start, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_VALUE part = NULL;
    if (bt_value_is_null(call->input) || !bt_call_has(call, 0))
        return bt_raise_java(call->run, call->node->at,
                             "The '%s' filter expects a text and an argument 'value'.",
                             call->fn->name);
    BT_TRY(bt_call_text(call, call->input, &input));
    BT_TRY(bt_call_text(call, bt_call_arg(call, 0), &part));
    bool is_true = is_start ? bt_str_starts(bt_value_str(input), bt_value_str(part))
                            : bt_str_ends(bt_value_str(input), bt_value_str(part));
    *ret_value = bt_value_bool(is_true);
    return BT_OK;
}

static int starts_with(struct bt_call *call, struct bt_value **ret_value)
{
    return test_edge(call, true, ret_value);
}

static int ends_with(struct bt_call *call, struct bt_value **ret_value)
{
    return test_edge(call, false, ret_value);
}

/* --- Replacing -------------------------------------------------------------------------------- */

/* Replaces every `from`; an empty one stands between all letters. */
static int replace_text(struct bt_str text, struct bt_str from, struct bt_str to,
                        struct bt_buf *out)
{
    size_t at = 0;
    ptrdiff_t found;
    if (from.len == 0) {
        for (uint32_t rune; at < text.len;) {
            size_t len = bt_utf8_decode(text, at, &rune);
            len = len ? len : 1;
            (void)bt_buf_add(out, to); /* Failures stay in the buffer. */
            (void)bt_buf_add(out, bt_str_slice(text, at, at + len));
            at += len;
        }
        return bt_buf_add(out, to);
    }
    while ((found = bt_str_find(text, from, at)) >= 0) {
        (void)bt_buf_add(out, bt_str_slice(text, at, (size_t)found));
        (void)bt_buf_add(out, to);
        at = (size_t)found + from.len;
    }
    return bt_buf_add(out, bt_str_slice(text, at, text.len));
}

/* One text through a change; `data` is the filter's own. */
typedef int (*change_fn)(struct bt_call *call, struct bt_str text, struct bt_buf *out);

static int change_value(struct bt_call *call, const struct bt_value *value, change_fn change,
                        struct bt_value **ret_value);

static int change_list(struct bt_call *call, const struct bt_value *list, change_fn change,
                       struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(bt_value_count(list));
    for (size_t i = 0; i < bt_value_count(list); i++) {
        struct bt_value *item = NULL;
        BT_TRY(change_value(call, bt_list_at(list, i), change, &item));
        if (bt_list_push(out, item) < 0)
            return bt_raise_mem(call->run);
    }
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

static int change_map(struct bt_call *call, const struct bt_value *map, change_fn change,
                      struct bt_value **ret_value)
{
    BT_VALUE out = bt_map_new(bt_value_count(map));
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_value *item = NULL, *key = NULL;
        const struct bt_value *old = bt_map_at(map, i, &key);
        BT_TRY(change_value(call, old, change, &item));
        if (!out || bt_map_put_key(out, key, item) < 0)
            return bt_raise_mem(call->run);
    }
    return bt_call_give(call, bt_java_order(BT_TAKE(out), BT_HASHMAP_CAPACITY), ret_value);
}

/* Texts inside lists and maps at any depth; other scalars by their text. */
static int change_value(struct bt_call *call, const struct bt_value *value, change_fn change,
                        struct bt_value **ret_value)
{
    BT_VALUE text = NULL;
    BT_VALUE forced = NULL;
    if (bt_value_is_null(value))
        return bt_raise_java(call->run, call->node->at,
                             "The '%s' filter cannot change a null value.", call->fn->name);
    if (call->run->depth > BT_EXPR_DEPTH_MAX * 10)
        return bt_fail(call->run->err, BT_LIMIT, "a value nests too deep");
    BT_TRY(bt_call_force(call->run, value, &forced));
    if (bt_is_collection(forced) || bt_value_is(forced, BT_KIND_MAP)) {
        call->run->depth++;
        int rc = bt_value_is(forced, BT_KIND_MAP) ? change_map(call, forced, change, ret_value)
                                                  : change_list(call, forced, change, ret_value);
        call->run->depth--;
        return rc;
    }
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_TRY(bt_call_text(call, forced, &text));
    int rc = change(call, bt_value_str(text), &buf);
    if (rc == BT_OK)
        return bt_call_take(call, &buf, ret_value);
    bt_buf_done(&buf);
    return rc;
}

/* All pairs of `replace`, one after the other. */
static int replace_pairs(struct bt_call *call, struct bt_str text, struct bt_buf *out)
{
    const struct bt_value *pairs = bt_call_arg(call, 0);
    bool is_regexp = bt_value_as_bool(bt_call_arg(call, 1));
    struct bt_buf now = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_buf_add(&now, text);
    for (size_t i = 0; i < bt_value_count(pairs) && rc == BT_OK; i++) {
        struct bt_buf next = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
        BT_VALUE to = NULL;
        rc = bt_call_text(call, bt_map_at(pairs, i, NULL), &to);
        if (rc == BT_OK && is_regexp)
            rc = bt_expr_regex_replace(call, bt_buf_str(&now), bt_map_key(pairs, i),
                                       bt_value_str(to), &next);
        else if (rc == BT_OK)
            (void)replace_text(bt_buf_str(&now), bt_map_key(pairs, i), bt_value_str(to), &next);
        bt_buf_done(&now);
        now = next;
        if (rc == BT_OK)
            rc = bt_buf_check(&now, "the text", call->run->err);
    }
    if (rc == BT_OK)
        (void)bt_buf_add(out, bt_buf_str(&now)); /* Checked by the caller. */
    bt_buf_done(&now);
    return rc;
}

static int replace(struct bt_call *call, struct bt_value **ret_value)
{
    const struct bt_value *flag = bt_call_arg(call, 1);
    BT_NULL_THROUGH(call, ret_value);
    if (!bt_call_has(call, 0))
        return bt_raise(call->run, call->node->at, "The argument 'replace_pairs' is required.");
    if (flag && !bt_value_is(flag, BT_KIND_BOOL))
        return bt_raise_cast(call->run, call->node->at, flag, "java.lang.Boolean");
    if (!bt_value_is(bt_call_arg(call, 0), BT_KIND_MAP))
        return bt_raise_cast(call->run, call->node->at, bt_call_arg(call, 0), "java.util.Map");
    return change_value(call, call->input, replace_pairs, ret_value);
}

static int escape_text(struct bt_call *call, struct bt_str text, struct bt_buf *out)
{
    static const struct {
        const char *type, *from, *to;
    } rows[] = {{"single", "'", "\\'"}, {"double", "\"", "\\\""}, {"shell", "'", "'\\''"}};
    struct bt_str type;
    struct bt_buf buf = BT_BUF_INIT(100);
    BT_TRY(bt_call_str(call, 0, &type));
    (void)bt_letters_case(type, false, &buf); /* Too long for a known type: not found. */
    int row = -1;
    for (int i = 0; i < (int)BT_COUNT(rows) && !buf.failed; i++)
        row = bt_str_is(bt_buf_str(&buf), rows[i].type) ? i : row;
    bt_buf_done(&buf);
    if (row < 0)
        return bt_raise(call->run, call->node->at,
                        "The 'escapeChar' filter expects the value of 'type' to be either "
                        "'single', 'double', or 'shell'.");
    return replace_text(text, bt_str_of(rows[row].from), bt_str_of(rows[row].to), out);
}

static int escape_char(struct bt_call *call, struct bt_value **ret_value)
{
    BT_NULL_THROUGH(call, ret_value);
    if (!bt_call_arg(call, 0))
        return bt_raise(call->run, call->node->at,
                        "The 'escapeChar' filter expects an argument 'type'.");
    return change_value(call, call->input, escape_text, ret_value);
}

/* --- Indenting -------------------------------------------------------------------------------- */

static const char *line_break_of(struct bt_str text)
{
    static const char *const breaks[] = {"\r\n", "\n\r", "\n", "\r"};
    for (size_t i = 0; i < BT_COUNT(breaks); i++)
        if (bt_str_find(text, bt_str_of(breaks[i]), 0) >= 0)
            return breaks[i];
    return "\n";
}

static int indent_text(struct bt_call *call, struct bt_str text, bool is_first,
                       struct bt_value **ret_value)
{
    int64_t amount;
    struct bt_str prefix = BT_STR(" ");
    BT_TRY(bt_call_int(call, 0, 0, &amount));
    if (amount < 0)
        return bt_raise(call->run, call->node->at,
                        "The '%s' filter expects a positive integer >=0 as argument 'amount'.",
                        call->fn->name);
    if (bt_call_arg(call, 1))
        BT_TRY(bt_call_str(call, 1, &prefix));
    struct bt_str line = bt_str_of(line_break_of(text));
    struct bt_buf step = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX), out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_buf_add(&step, line); /* Checked below. */
    for (int64_t i = 0; i < amount && prefix.len && !step.failed; i++)
        (void)bt_buf_add(&step, prefix);
    int rc = bt_buf_check(&step, "the text", call->run->err);
    if (rc == BT_OK) {
        if (is_first)
            (void)bt_buf_add(&out, bt_buf_str(&step)); /* Checked by take. */
        (void)replace_text(text, line, bt_buf_str(&step), &out);
        rc = bt_call_take(call, &out, ret_value);
    }
    bt_buf_done(&step);
    return rc;
}

static int indent_any(struct bt_call *call, bool is_first, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_text(call, call->input, &input));
    if (bt_value_str(input).len == 0)
        return bt_call_give(call, BT_TAKE(input), ret_value);
    if (!bt_call_arg(call, 0))
        return bt_raise(call->run, call->node->at,
                        "The '%s' filter expects an integer as argument 'amount'.", call->fn->name);
    return indent_text(call, bt_value_str(input), is_first, ret_value);
}

static int indent(struct bt_call *call, struct bt_value **ret_value)
{
    return indent_any(call, false, ret_value);
}

static int nindent(struct bt_call *call, struct bt_value **ret_value)
{
    return indent_any(call, true, ret_value);
}

/* --- Slugs and pieces ------------------------------------------------------------------------- */

static int slugify(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE input = NULL;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_text(call, call->input, &input));
    struct bt_str text = bt_value_str(input);
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    size_t len;
    for (size_t i = 0; i < text.len; i += len) {
        uint32_t rune;
        len = bt_utf8_decode(text, i, &rune);
        len = len ? len : 1;
        char base = bt_letter_base(rune);
        if (base == '_' || base == '-' || is_space((unsigned char)base)) {
            if (!buf.len || buf.at[buf.len - 1] != '-')
                (void)bt_buf_addc(&buf, '-'); /* Checked by take. */
        } else if ((base >= '0' && base <= '9') || ((base | 32) >= 'a' && (base | 32) <= 'z')) {
            (void)bt_buf_addc(&buf, (char)bt_letter_lower((unsigned char)base));
        }
    }
    return bt_call_take(call, &buf, ret_value);
}

static int split(struct bt_call *call, struct bt_value **ret_value)
{
    int64_t limit;
    struct bt_str delimiter;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_str(call, 0, &delimiter));
    if (!bt_call_has(call, 0))
        return bt_raise(call->run, call->node->at, "missing delimiter parameter in split filter");
    INPUT_STR(call, text, ret_value);
    BT_TRY(bt_call_int(call, 1, 0, &limit));
    return bt_expr_regex_split(call, text, delimiter, limit, ret_value);
}

static const struct bt_fn rows[] = {
    {"abbreviate", "length", 1, 1, 0, abbreviate,
     "Cuts the text to a length, with `...` at the end: `'hello world' | abbreviate(8)` → "
     "`hello...`"},
    {"capitalize", "", 0, 0, BT_FN_LOOSE, capitalize,
     "First letter in upper case: `'abc' | capitalize` → `Abc`"},
    {"endsWith", "value", 1, 1, 0, ends_with,
     "Whether the text ends so: `'abc' | endsWith('c')` → `true`"},
    {"escapeChar", "type", 1, 1, 0, escape_char,
     "Escapes quotes; type is `single`, `double` or `shell`: `\"it's\" | escapeChar('shell')` → "
     "`it'\\''s`"},
    {"indent", "amount prefix", 1, 2, 0, indent,
     "Puts amount × prefix (a blank) before every line but the first"},
    {"lower", "", 0, 0, BT_FN_LOOSE, lower, "Lower case: `'ABC' | lower` → `abc`"},
    {"nindent", "amount prefix", 1, 2, 0, nindent,
     "A line break, then every line indented by amount × prefix (a blank)"},
    {"replace", "replace_pairs regexp", 1, 2, 0, replace,
     "Replaces pairs, as texts or regular expressions, also inside lists and maps: `'abc' | "
     "replace({'a': 'x'})` → `xbc`"},
    {"slugify", "", 0, 4, BT_FN_LOOSE, slugify,
     "Lower-case letters, digits and dashes: `'É à b' | slugify` → `e-a-b`"},
    {"split", "delimiter limit", 1, 2, 0, split,
     "Cuts at a regular expression into an array: `'a,b' | split(',')` → `[\"a\",\"b\"]`"},
    {"startsWith", "value", 1, 1, 0, starts_with,
     "Whether the text begins so: `'abc' | startsWith('a')` → `true`"},
    {"substringAfter", "separator", 1, 1, 0, substring_after,
     "What follows the first separator: `'a.b.c' | substringAfter('.')` → `b.c`"},
    {"substringAfterLast", "separator", 1, 1, 0, substring_after_last,
     "What follows the last separator: `'a.b.c' | substringAfterLast('.')` → `c`"},
    {"substringBefore", "separator", 1, 1, 0, substring_before,
     "What stands before the first separator: `'a.b.c' | substringBefore('.')` → `a`"},
    {"substringBeforeLast", "separator", 1, 1, 0, substring_before_last,
     "What stands before the last separator: `'a.b.c' | substringBeforeLast('.')` → `a.b`"},
    {"title", "", 0, 0, BT_FN_LOOSE, title,
     "First letter of every word in upper case: `'a b' | title` → `A B`"},
    {"trim", "", 0, 0, BT_FN_LOOSE, trim, "Takes white space off both ends: `' a ' | trim` → `a`"},
    {"upper", "", 0, 0, BT_FN_LOOSE, upper, "Upper case: `'abc' | upper` → `ABC`"},
};

const struct bt_fn_table bt_fn_text_filters = {rows, BT_COUNT(rows)};
