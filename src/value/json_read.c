/* json_read.c — JSON text to values. One pass, no copy of the text; never recurses deeper than the
 * limit and never reads past the end. */
#include "value/json.h"

#include "base/limits.h"
#include "base/num.h"
#include "base/utf8.h"
#include "value/decimal.h"

#include <math.h>

struct reader {
    struct bt_str text;
    size_t at, nodes, depth;
    struct bt_json_limits limits;
    struct bt_buf scratch; /* Of strings with escapes. */
    struct bt_err *err;
};

static int read_value(struct reader *reader, struct bt_value **ret_value);

static int fail_at(struct reader *reader, size_t at, const char *message)
{
    uint32_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < at && i < reader->text.len; i++) {
        if (reader->text.at[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    (void)bt_fail(reader->err, BT_INVALID, "invalid JSON: %s", message);
    if (reader->err) {
        reader->err->line = line;
        reader->err->col = (uint32_t)bt_utf8_count(bt_str_slice(reader->text, start, at)) + 1;
    }
    return BT_INVALID;
}

static void skip_blank(struct reader *reader)
{
    while (reader->at < reader->text.len) {
        char c = reader->text.at[reader->at];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            return;
        reader->at++;
    }
}

/* The next byte, or 0 at the end (a NUL in the text is refused as an unexpected byte as well). */
static char peek(const struct reader *reader)
{
    return reader->at < reader->text.len ? reader->text.at[reader->at] : '\0';
}

static int read_word(struct reader *reader, struct bt_str word, struct bt_value *value,
                     struct bt_value **ret_value)
{
    if (!bt_str_starts(bt_str_slice(reader->text, reader->at, reader->text.len), word))
        return fail_at(reader, reader->at, "expected a value");
    reader->at += word.len;
    *ret_value = value;
    return BT_OK;
}

static size_t skip_digits(struct reader *reader)
{
    size_t start = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9')
        reader->at++;
    return reader->at - start;
}

/* Moves over a number and says whether it is a plain integer. */
static int scan_number(struct reader *reader, bool *ret_is_integer)
{
    *ret_is_integer = true;
    if (peek(reader) == '-')
        reader->at++;
    size_t first = reader->at;
    size_t digits = skip_digits(reader);
    if (digits == 0 || (digits > 1 && reader->text.at[first] == '0'))
        return fail_at(reader, first, digits ? "a number has a leading zero" : "expected a digit");
    if (peek(reader) == '.') {
        *ret_is_integer = false;
        reader->at++;
        if (skip_digits(reader) == 0)
            return fail_at(reader, reader->at, "expected a digit after '.'");
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        *ret_is_integer = false;
        reader->at++;
        if (peek(reader) == '-' || peek(reader) == '+')
            reader->at++;
        if (skip_digits(reader) == 0)
            return fail_at(reader, reader->at, "expected a digit in the exponent");
    }
    return BT_OK;
}

/* A fraction is a double when that loses nothing: 15 digits always survive, longer ones are asked.
 */
static struct bt_value *fraction_value(struct bt_str text)
{
    struct bt_decimal exact, shortest;
    double number = 0;
    bt_decimal_of_text(text, &exact);
    if (!bt_parse_double(text, &number) || !isfinite(number))
        return bt_value_decimal(text);
    if (exact.len <= 15 && exact.exponent > -290 && exact.exponent < 300)
        return bt_value_double(number);
    BT_VALUE value = bt_value_double(number);
    if (value && bt_decimal_of_value(value, &shortest) && bt_decimal_cmp(&exact, &shortest) == 0)
        return BT_TAKE(value);
    return bt_value_decimal(text);
}

static int read_number(struct reader *reader, struct bt_value **ret_value)
{
    size_t start = reader->at;
    bool is_integer;
    BT_TRY(scan_number(reader, &is_integer));
    struct bt_str text = bt_str_slice(reader->text, start, reader->at);
    int64_t number;
    if (!is_integer)
        *ret_value = fraction_value(text);
    else if (bt_str_is(text, "-0"))
        *ret_value = bt_value_double(-0.0);
    else if (!bt_parse_i64(text, &number))
        *ret_value = bt_value_text(text, BT_KIND_DECIMAL, BT_FLAVOR_BIGINT);
    else if (number >= INT32_MIN && number <= INT32_MAX)
        *ret_value = bt_value_int32((int32_t)number);
    else
        *ret_value = bt_value_int(number);
    return *ret_value ? BT_OK : bt_fail_mem(reader->err, "JSON");
}

static int hex4(struct reader *reader, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = peek(reader);
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return fail_at(reader, reader->at, "expected four hex digits after \\u");
        unit = unit << 4 | digit;
        reader->at++;
    }
    *ret_unit = unit;
    return BT_OK;
}

static int read_unicode_escape(struct reader *reader)
{
    size_t start = reader->at - 2;
    uint32_t unit, low;
    BT_TRY(hex4(reader, &unit));
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        if (!bt_str_starts(bt_str_slice(reader->text, reader->at, reader->text.len), BT_STR("\\u")))
            return fail_at(reader, start, "a lone surrogate");
        reader->at += 2;
        BT_TRY(hex4(reader, &low));
        if (low < 0xDC00 || low > 0xDFFF)
            return fail_at(reader, start, "a lone surrogate");
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    } else if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return fail_at(reader, start, "a lone surrogate");
    }
    return bt_buf_add_rune(&reader->scratch, unit);
}

static int read_escape(struct reader *reader)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = peek(reader);
    reader->at++;
    if (c == 'u')
        return read_unicode_escape(reader);
    const char *hit = c ? strchr(from, c) : NULL;
    if (!hit)
        return fail_at(reader, reader->at - 1, "an unknown escape");
    return bt_buf_addc(&reader->scratch, to[hit - from]);
}

/* Reads a string; *ret_text is valid until the next string is read. */
static int read_string(struct reader *reader, struct bt_str *ret_text)
{
    size_t start = ++reader->at;
    bool has_escape = false;
    bt_buf_clear(&reader->scratch);
    for (;;) {
        size_t run = reader->at;
        while (run < reader->text.len && reader->text.at[run] != '"' &&
               reader->text.at[run] != '\\' && (unsigned char)reader->text.at[run] >= 0x20)
            run++;
        struct bt_str plain = bt_str_slice(reader->text, reader->at, run);
        reader->at = run;
        if (run >= reader->text.len)
            return fail_at(reader, start - 1, "a string without its closing quote");
        char c = reader->text.at[run];
        if ((unsigned char)c < 0x20)
            return fail_at(reader, run, "a control character in a string (write it as \\u00XX)");
        reader->at++;
        if (c == '"' && !has_escape) {
            *ret_text = plain;
            return BT_OK;
        }
        has_escape = true;
        if (bt_buf_add(&reader->scratch, plain) < 0)
            return bt_buf_check(&reader->scratch, "JSON string", reader->err);
        if (c == '"')
            break;
        BT_TRY(read_escape(reader));
    }
    *ret_text = bt_buf_str(&reader->scratch);
    return bt_buf_check(&reader->scratch, "JSON string", reader->err);
}

static int read_string_value(struct reader *reader, struct bt_value **ret_value)
{
    struct bt_str text;
    BT_TRY(read_string(reader, &text));
    *ret_value = bt_value_string(text);
    return *ret_value ? BT_OK : bt_fail_mem(reader->err, "JSON");
}

/* After an item: moves over ',' (true in *ret_more) or the closing byte (false). */
static int read_comma(struct reader *reader, char close, bool *ret_more)
{
    skip_blank(reader);
    char c = peek(reader);
    if (c != ',' && c != close)
        return fail_at(reader, reader->at,
                       close == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
    reader->at++;
    *ret_more = c == ',';
    return BT_OK;
}

static int read_list(struct reader *reader, struct bt_value **ret_value)
{
    BT_VALUE list = bt_list_new(0);
    if (!list)
        return bt_fail_mem(reader->err, "JSON");
    reader->at++;
    skip_blank(reader);
    bool more = peek(reader) != ']';
    if (!more)
        reader->at++;
    while (more) {
        struct bt_value *item = NULL;
        BT_TRY(read_value(reader, &item));
        if (bt_list_push(list, item) < 0)
            return bt_fail_mem(reader->err, "JSON");
        BT_TRY(read_comma(reader, ']', &more));
    }
    *ret_value = BT_TAKE(list);
    return BT_OK;
}

static int read_pair(struct reader *reader, struct bt_value *map)
{
    skip_blank(reader);
    if (peek(reader) != '"')
        return fail_at(reader, reader->at, "expected a key in double quotes");
    BT_VALUE key = NULL;
    BT_TRY(read_string_value(reader, &key));
    skip_blank(reader);
    if (peek(reader) != ':')
        return fail_at(reader, reader->at, "expected ':' after a key");
    reader->at++;
    struct bt_value *val = NULL;
    BT_TRY(read_value(reader, &val));
    return bt_map_put_key(map, key, val) < 0 ? bt_fail_mem(reader->err, "JSON") : BT_OK;
}

static int read_map(struct reader *reader, struct bt_value **ret_value)
{
    BT_VALUE map = bt_map_new(0);
    if (!map)
        return bt_fail_mem(reader->err, "JSON");
    reader->at++;
    skip_blank(reader);
    bool more = peek(reader) != '}';
    if (!more)
        reader->at++;
    while (more) {
        BT_TRY(read_pair(reader, map));
        BT_TRY(read_comma(reader, '}', &more));
    }
    *ret_value = BT_TAKE(map);
    return BT_OK;
}

static int read_container(struct reader *reader, struct bt_value **ret_value)
{
    if (++reader->depth > reader->limits.depth_max)
        return bt_fail(reader->err, BT_LIMIT, "JSON is nested deeper than %zu levels",
                       reader->limits.depth_max);
    int rc = peek(reader) == '[' ? read_list(reader, ret_value) : read_map(reader, ret_value);
    reader->depth--;
    return rc;
}

static int read_value(struct reader *reader, struct bt_value **ret_value)
{
    skip_blank(reader);
    if (++reader->nodes > reader->limits.nodes_max)
        return bt_fail(reader->err, BT_LIMIT, "JSON has more than %zu values",
                       reader->limits.nodes_max);
    switch (peek(reader)) {
    case '{':
    case '[': return read_container(reader, ret_value);
    case '"': return read_string_value(reader, ret_value);
    case 't': return read_word(reader, BT_STR("true"), bt_value_bool(true), ret_value);
    case 'f': return read_word(reader, BT_STR("false"), bt_value_bool(false), ret_value);
    case 'n': return read_word(reader, BT_STR("null"), bt_value_null(), ret_value);
    case '\0':
        if (reader->at >= reader->text.len)
            return fail_at(reader, reader->at, "the text ends where a value should stand");
        return fail_at(reader, reader->at, "expected a value");
    default: break;
    }
    char c = peek(reader);
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(reader, ret_value);
    return fail_at(reader, reader->at, "expected a value");
}

int bt_json_parse(struct bt_str text, const struct bt_json_limits *limits,
                  struct bt_value **ret_value, struct bt_err *err)
{
    static const struct bt_json_limits house = {BT_JSON_BYTES_MAX, BT_JSON_NODES_MAX,
                                                BT_VALUE_DEPTH_MAX};
    struct reader reader = {.text = text, .limits = limits ? *limits : house, .err = err};
    size_t wrong = 0;
    if (text.len > reader.limits.bytes_max)
        return bt_fail(err, BT_LIMIT, "JSON of %zu bytes is larger than the limit of %zu", text.len,
                       reader.limits.bytes_max);
    if (!bt_utf8_is_valid(text, &wrong))
        return fail_at(&reader, wrong, "invalid UTF-8");
    reader.scratch.max = text.len;
    BT_VALUE value = NULL;
    int rc = read_value(&reader, &value);
    bt_buf_done(&reader.scratch);
    BT_TRY(rc);
    skip_blank(&reader);
    if (reader.at < text.len)
        return fail_at(&reader, reader.at, "something follows the value");
    *ret_value = BT_TAKE(value);
    return BT_OK;
}
