/* ion_parse.c — Amazon Ion text to values: the first value of a text. Pure; bounded by depth.
 *
 * Annotations are dropped, typed nulls are null, symbols and strings are texts, clobs and blobs
 * keep their text, timestamps become date-times. */
#include "lang/expr/ion.h"

#include "base/limits.h"
#include "base/num.h"

#include <math.h>

struct ion {
    struct bt_str text;
    size_t at;
    struct bt_err *err;
    int depth;
};

static int parse_value(struct ion *ion, struct bt_value **ret_value);

static int fail(struct ion *ion, const char *what)
{
    return bt_fail(ion->err, BT_INVALID, "%s at offset %zu", what, ion->at);
}

static char peek(const struct ion *ion, size_t ahead)
{
    return ion->at + ahead < ion->text.len ? ion->text.at[ion->at + ahead] : '\0';
}

static void skip_space(struct ion *ion)
{
    for (;;) {
        char c = peek(ion, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            ion->at++;
        } else if (c == '/' && peek(ion, 1) == '/') {
            while (ion->at < ion->text.len && peek(ion, 0) != '\n')
                ion->at++;
        } else if (c == '/' && peek(ion, 1) == '*') {
            ptrdiff_t end = bt_str_find(ion->text, BT_STR("*/"), ion->at + 2);
            ion->at = end < 0 ? ion->text.len : (size_t)end + 2;
        } else {
            return;
        }
    }
}

/* --- Texts ------------------------------------------------------------------------------------ */

static bool read_hex(struct ion *ion, size_t count, uint32_t *ret_rune)
{
    *ret_rune = 0;
    for (size_t i = 0; i < count; i++) {
        char c = peek(ion, i);
        uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a' + 10)
                                                              : 99;
        if (digit > 15)
            return false;
        *ret_rune = *ret_rune << 4 | digit;
    }
    ion->at += count;
    return *ret_rune < 0x110000 && !(*ret_rune >= 0xD800 && *ret_rune < 0xE000);
}

static int read_escape(struct ion *ion, struct bt_buf *out)
{
    static const char pairs[] = "n\nt\tr\rb\bf\fv\va\a0\0";
    uint32_t rune;
    char c = peek(ion, 0);
    ion->at++;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits)
        return read_hex(ion, digits, &rune) ? bt_buf_add_rune(out, rune) : fail(ion, "bad escape");
    if (c == '\n')
        return BT_OK;
    for (size_t i = 0; i < sizeof pairs - 1; i += 2)
        if (pairs[i] == c)
            return bt_buf_addc(out, pairs[i + 1]);
    return strchr("\"'\\/?", c) && c ? bt_buf_addc(out, c) : fail(ion, "bad escape");
}

/* A quoted text up to `close`; the opening quote is taken already. */
static int read_text(struct ion *ion, const char *close, struct bt_buf *out)
{
    size_t len = strlen(close);
    while (ion->at < ion->text.len) {
        if (ion->text.len - ion->at >= len && memcmp(ion->text.at + ion->at, close, len) == 0) {
            ion->at += len;
            return BT_OK;
        }
        char c = peek(ion, 0);
        ion->at++;
        if (c == '\\')
            BT_TRY(read_escape(ion, out));
        else
            BT_TRY(bt_buf_addc(out, c));
    }
    return fail(ion, "unclosed text");
}

static int give_text(struct ion *ion, struct bt_buf *buf, int rc, struct bt_value **ret_value)
{
    if (rc == BT_OK)
        rc = bt_buf_check(buf, "the Ion text", ion->err);
    struct bt_value *value = rc == BT_OK ? bt_value_string(bt_buf_str(buf)) : NULL;
    bt_buf_done(buf);
    if (rc < 0)
        return rc;
    *ret_value = value;
    return value ? BT_OK : bt_fail_mem(ion->err, "Ion");
}

static int parse_string(struct ion *ion, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    ion->at++;
    int rc = read_text(ion, "\"", &buf);
    return give_text(ion, &buf, rc, ret_value);
}

/* '''long''' '''text''': the pieces are one. */
static int parse_long(struct ion *ion, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = BT_OK;
    while (rc == BT_OK && peek(ion, 0) == '\'' && peek(ion, 1) == '\'' && peek(ion, 2) == '\'') {
        ion->at += 3;
        rc = read_text(ion, "'''", &buf);
        skip_space(ion);
    }
    return give_text(ion, &buf, rc, ret_value);
}

static bool is_word(char c)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

static struct bt_str read_word(struct ion *ion)
{
    size_t from = ion->at;
    while (is_word(peek(ion, 0)))
        ion->at++;
    return bt_str_slice(ion->text, from, ion->at);
}

/* --- Numbers and times ------------------------------------------------------------------------ */

static bool is_numeric(char c)
{
    return is_word(c) || c == '.' || c == '+' || c == '-' || c == ':';
}

static bool is_timestamp(struct bt_str text)
{
    for (size_t i = 0; i < 4; i++)
        if (i >= text.len || text.at[i] < '0' || text.at[i] > '9')
            return false;
    return text.len > 4 && (text.at[4] == '-' || text.at[4] == 'T');
}

static int give_number(struct ion *ion, struct bt_buf *buf, struct bt_value **ret_value)
{
    struct bt_str text = bt_buf_str(buf);
    int64_t number;
    double real;
    char *decimal = memchr(text.at, 'd', text.len);
    bool is_float = memchr(text.at, 'e', text.len) != NULL;
    if (bt_parse_i64(text, &number))
        *ret_value =
            number == (int32_t)number ? bt_value_int32((int32_t)number) : bt_value_int(number);
    else if (decimal)
        *decimal = 'E';
    if (*ret_value)
        return BT_OK;
    if (!bt_parse_double(text, &real))
        return fail(ion, "bad number");
    if (is_float)
        *ret_value = bt_value_double(real);
    else
        *ret_value = bt_value_text(text, BT_KIND_DECIMAL,
                                   memchr(text.at, '.', text.len) || decimal ? BT_FLAVOR_PLAIN
                                                                             : BT_FLAVOR_BIGINT);
    return *ret_value ? BT_OK : bt_fail_mem(ion->err, "Ion");
}

static int parse_radix(struct ion *ion, struct bt_str text, struct bt_value **ret_value)
{
    bool is_negative = text.at[0] == '-';
    uint64_t number = 0;
    uint32_t base = (text.at[is_negative + 1] | 32) == 'x' ? 16 : 2;
    for (size_t i = (size_t)is_negative + 2; i < text.len; i++) {
        char c = text.at[i];
        uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a' + 10)
                                                              : 99;
        if (c == '_')
            continue;
        if (digit >= base || number >> 58)
            return fail(ion, "bad number");
        number = number * base + digit;
    }
    int64_t whole = is_negative ? -(int64_t)number : (int64_t)number;
    *ret_value = whole == (int32_t)whole ? bt_value_int32((int32_t)whole) : bt_value_int(whole);
    return *ret_value ? BT_OK : bt_fail_mem(ion->err, "Ion");
}

static int parse_number(struct ion *ion, struct bt_value **ret_value)
{
    size_t from = ion->at;
    while (is_numeric(peek(ion, 0)))
        ion->at++;
    struct bt_str text = bt_str_slice(ion->text, from, ion->at);
    *ret_value = NULL;
    if (bt_str_is(text, "+inf") || bt_str_is(text, "-inf")) {
        *ret_value = bt_value_double(text.at[0] == '-' ? -INFINITY : INFINITY);
        return *ret_value ? BT_OK : bt_fail_mem(ion->err, "Ion");
    }
    if (is_timestamp(text)) {
        *ret_value = bt_value_text(text, BT_KIND_STRING, BT_FLAVOR_DATETIME);
        return *ret_value ? BT_OK : bt_fail_mem(ion->err, "Ion");
    }
    size_t sign = text.len && text.at[0] == '-';
    if (text.len > sign + 2 && text.at[sign] == '0' && strchr("xXbB", text.at[sign + 1]))
        return parse_radix(ion, text, ret_value);
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c != '_')
            (void)bt_buf_addc(&buf, c == 'D' ? 'd' : c == 'E' ? 'e' : c); /* Checked next. */
    }
    int rc = bt_buf_check(&buf, "the Ion number", ion->err);
    if (rc == BT_OK && buf.len == 0)
        rc = fail(ion, "bad number");
    if (rc == BT_OK)
        rc = give_number(ion, &buf, ret_value);
    bt_buf_done(&buf);
    return rc;
}

/* --- Containers ------------------------------------------------------------------------------- */

static int parse_list(struct ion *ion, char close, struct bt_value **ret_value)
{
    BT_VALUE list = bt_list_new(0);
    ion->at++;
    for (;;) {
        struct bt_value *item = NULL;
        skip_space(ion);
        if (peek(ion, 0) == close)
            break;
        BT_TRY(parse_value(ion, &item));
        if (bt_list_push(list, item) < 0)
            return bt_fail_mem(ion->err, "Ion");
        skip_space(ion);
        if (close == ']' && peek(ion, 0) == ',')
            ion->at++;
        else if (close == ']' && peek(ion, 0) != ']')
            return fail(ion, "expected ',' or ']'");
    }
    ion->at++;
    *ret_value = BT_TAKE(list);
    return *ret_value ? BT_OK : bt_fail_mem(ion->err, "Ion");
}

static int parse_key(struct ion *ion, struct bt_value **ret_key)
{
    skip_space(ion);
    if (peek(ion, 0) == '"')
        return parse_string(ion, ret_key);
    if (peek(ion, 0) == '\'' && peek(ion, 1) == '\'' && peek(ion, 2) == '\'')
        return parse_long(ion, ret_key);
    if (peek(ion, 0) == '\'') {
        struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
        ion->at++;
        int rc = read_text(ion, "'", &buf);
        return give_text(ion, &buf, rc, ret_key);
    }
    struct bt_str word = read_word(ion);
    if (word.len == 0)
        return fail(ion, "expected a field name");
    *ret_key = bt_value_string(word);
    return *ret_key ? BT_OK : bt_fail_mem(ion->err, "Ion");
}

static int parse_struct(struct ion *ion, struct bt_value **ret_value)
{
    BT_VALUE map = bt_map_new(0);
    if (!map)
        return bt_fail_mem(ion->err, "Ion");
    ion->at++;
    for (;;) {
        BT_VALUE key = NULL;
        struct bt_value *item = NULL;
        skip_space(ion);
        if (peek(ion, 0) == '}')
            break;
        BT_TRY(parse_key(ion, &key));
        skip_space(ion);
        if (peek(ion, 0) != ':')
            return fail(ion, "expected ':'");
        ion->at++;
        BT_TRY(parse_value(ion, &item));
        if (bt_map_put_key(map, key, item) < 0)
            return bt_fail_mem(ion->err, "Ion");
        skip_space(ion);
        if (peek(ion, 0) == ',')
            ion->at++;
        else if (peek(ion, 0) != '}')
            return fail(ion, "expected ',' or '}'");
    }
    ion->at++;
    *ret_value = BT_TAKE(map);
    return BT_OK;
}

/* {{ base64 }} or {{ "text" }}: the text between. */
static int parse_lob(struct ion *ion, struct bt_value **ret_value)
{
    ion->at += 2;
    skip_space(ion);
    if (peek(ion, 0) == '"') {
        BT_TRY(parse_string(ion, ret_value));
        skip_space(ion);
        if (peek(ion, 0) == '}' && peek(ion, 1) == '}') {
            ion->at += 2;
            return BT_OK;
        }
        *ret_value = bt_value_unref(*ret_value);
        return fail(ion, "unclosed clob");
    }
    ptrdiff_t end = bt_str_find(ion->text, BT_STR("}}"), ion->at);
    if (end < 0)
        return fail(ion, "unclosed blob");
    *ret_value = bt_value_string(bt_str_trim(bt_str_slice(ion->text, ion->at, (size_t)end)));
    ion->at = (size_t)end + 2;
    return *ret_value ? BT_OK : bt_fail_mem(ion->err, "Ion");
}

/* --- All -------------------------------------------------------------------------------------- */

/* A word: null (also null.int), true, false, nan, a symbol, or the annotation of what follows. */
static int parse_word(struct ion *ion, struct bt_value **ret_value)
{
    struct bt_str word = read_word(ion);
    if (bt_str_is(word, "null")) {
        if (peek(ion, 0) == '.') {
            ion->at++;
            (void)read_word(ion); /* Any type: the value is null. */
        }
        *ret_value = bt_value_null();
        return BT_OK;
    }
    if (bt_str_is(word, "true") || bt_str_is(word, "false")) {
        *ret_value = bt_value_bool(word.at[0] == 't');
        return BT_OK;
    }
    size_t behind = ion->at;
    skip_space(ion);
    if (peek(ion, 0) == ':' && peek(ion, 1) == ':') {
        ion->at += 2;
        return parse_value(ion, ret_value);
    }
    ion->at = behind;
    *ret_value = bt_str_is(word, "nan") ? bt_value_double((double)NAN) : bt_value_string(word);
    return *ret_value ? BT_OK : bt_fail_mem(ion->err, "Ion");
}

static int parse_symbol(struct ion *ion, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    ion->at++;
    int rc = read_text(ion, "'", &buf);
    BT_TRY(give_text(ion, &buf, rc, ret_value));
    size_t behind = ion->at;
    skip_space(ion);
    if (peek(ion, 0) != ':' || peek(ion, 1) != ':') {
        ion->at = behind;
        return BT_OK;
    }
    ion->at += 2;
    *ret_value = bt_value_unref(*ret_value);
    return parse_value(ion, ret_value);
}

static int parse_any(struct ion *ion, struct bt_value **ret_value)
{
    skip_space(ion);
    char c = peek(ion, 0);
    if (c == '{')
        return peek(ion, 1) == '{' ? parse_lob(ion, ret_value) : parse_struct(ion, ret_value);
    if (c == '[' || c == '(')
        return parse_list(ion, c == '[' ? ']' : ')', ret_value);
    if (c == '"')
        return parse_string(ion, ret_value);
    if (c == '\'' && peek(ion, 1) == '\'' && peek(ion, 2) == '\'')
        return parse_long(ion, ret_value);
    if (c == '\'')
        return parse_symbol(ion, ret_value);
    if ((c >= '0' && c <= '9') || c == '-' || c == '+')
        return parse_number(ion, ret_value);
    if (is_word(c))
        return parse_word(ion, ret_value);
    return fail(ion, ion->at < ion->text.len ? "unexpected character" : "unexpected end");
}

static int parse_value(struct ion *ion, struct bt_value **ret_value)
{
    if (ion->depth >= BT_EXPR_DEPTH_MAX)
        return bt_fail(ion->err, BT_LIMIT, "Ion nests deeper than %d levels", BT_EXPR_DEPTH_MAX);
    ion->depth++;
    int rc = parse_any(ion, ret_value);
    ion->depth--;
    return rc;
}

int bt_ion_parse(struct bt_str text, struct bt_value **ret_value, struct bt_err *err)
{
    struct ion ion = {.text = text, .err = err};
    skip_space(&ion);
    if (bt_str_starts(bt_str_slice(text, ion.at, text.len), BT_STR("$ion_1_0")))
        ion.at += 8;
    skip_space(&ion);
    if (ion.at >= text.len)
        return BT_NOT_FOUND;
    return parse_value(&ion, ret_value);
}
