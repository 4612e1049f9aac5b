/* scalar.c — What plain scalars mean: the rules of the original's readers (YAML 1.1 words and
 * numbers; sexagesimal numbers and dates stay text). Never touches quoted scalars. */
#include "lang/yaml/yaml_int.h"

#include "base/num.h"

#include <math.h>

static bool is_any(struct bt_str text, const char *const *words)
{
    for (; *words; words++)
        if (bt_str_is(text, *words))
            return true;
    return false;
}

static bool is_null_word(struct bt_str text)
{
    static const char *const words[] = {"~", "null", "Null", "NULL", NULL};
    return text.len == 0 || is_any(text, words);
}

static bool is_true_word(struct bt_str text)
{
    static const char *const words[] = {"true", "True", "TRUE", "yes", "Yes",
                                        "YES",  "on",   "On",   "ON",  NULL};
    return is_any(text, words);
}

static bool is_false_word(struct bt_str text)
{
    static const char *const words[] = {"false", "False", "FALSE", "no",  "No",
                                        "NO",    "off",   "Off",   "OFF", NULL};
    return is_any(text, words);
}

enum number { NUMBER_NONE, NUMBER_INT, NUMBER_FLOAT, NUMBER_INFINITE, NUMBER_NAN };

struct cursor {
    struct bt_str text;
    size_t at;
};

static char peek(const struct cursor *cursor)
{
    return cursor->at < cursor->text.len ? cursor->text.at[cursor->at] : '\0';
}

/* Digits of a base with underscores between; returns how many digits there are. */
static size_t skip_digits(struct cursor *cursor, unsigned base)
{
    size_t digits = 0;
    for (;; cursor->at++) {
        char c = peek(cursor);
        unsigned digit = 99;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        if (digit < base)
            digits++;
        else if (c != '_')
            return digits;
    }
}

static bool skip_exponent(struct cursor *cursor)
{
    cursor->at++;
    if (peek(cursor) == '+' || peek(cursor) == '-')
        cursor->at++;
    size_t start = cursor->at;
    while (peek(cursor) >= '0' && peek(cursor) <= '9')
        cursor->at++;
    return cursor->at > start;
}

static bool is_end(const struct cursor *cursor)
{
    return cursor->at == cursor->text.len;
}

static enum number prefixed_kind(struct cursor cursor, unsigned *ret_base)
{
    char mark = cursor.at + 1 < cursor.text.len ? cursor.text.at[cursor.at + 1] : '\0';
    *ret_base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    cursor.at += *ret_base == 8 ? 1 : 2;
    return skip_digits(&cursor, *ret_base) && is_end(&cursor) ? NUMBER_INT : NUMBER_NONE;
}

/* Recognises a number; *ret_base is that of an integer. */
static enum number number_kind(struct bt_str text, unsigned *ret_base)
{
    static const char *const infinite[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                           "+.INF", "-.inf", "-.Inf", "-.INF", NULL};
    static const char *const nan_words[] = {".nan", ".NaN", ".NAN", NULL};
    if (is_any(text, infinite))
        return NUMBER_INFINITE;
    if (is_any(text, nan_words))
        return NUMBER_NAN;
    struct cursor cursor = {.text = text};
    *ret_base = 10;
    if (peek(&cursor) == '+' || peek(&cursor) == '-')
        cursor.at++;
    char first = peek(&cursor);
    if (first == '0' && cursor.at + 1 < text.len && text.at[cursor.at + 1] != '.' &&
        text.at[cursor.at + 1] != 'e' && text.at[cursor.at + 1] != 'E')
        return prefixed_kind(cursor, ret_base);
    bool has_whole = first >= '0' && first <= '9';
    if (has_whole)
        skip_digits(&cursor, 10);
    if (has_whole && is_end(&cursor))
        return NUMBER_INT;
    if (peek(&cursor) == '.') {
        cursor.at++;
        if (skip_digits(&cursor, 10) == 0 && !has_whole)
            return NUMBER_NONE;
    } else if (!has_whole) {
        return NUMBER_NONE;
    }
    if ((peek(&cursor) == 'e' || peek(&cursor) == 'E') && !skip_exponent(&cursor))
        return NUMBER_NONE;
    return is_end(&cursor) ? NUMBER_FLOAT : NUMBER_NONE;
}

/* The text without '_' and a '+' in front, NUL ended, at most `size` bytes. */
static size_t clean(struct bt_str text, char *ret_clean, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len + 1 < size; i++)
        if (text.at[i] != '_' && !(i == 0 && text.at[i] == '+'))
            ret_clean[len++] = text.at[i];
    ret_clean[len] = '\0';
    return len;
}

enum { NUMBER_LEN_MAX = 400 };

static struct bt_value *int_value(int64_t number)
{
    if (number >= INT32_MIN && number <= INT32_MAX)
        return bt_value_int32((int32_t)number);
    return bt_value_int(number);
}

static struct bt_value *decimal_int(struct bt_str text)
{
    char digits[NUMBER_LEN_MAX + 1];
    size_t len = clean(text, digits, sizeof digits);
    int64_t number;
    if (bt_parse_i64((struct bt_str){digits, len}, &number))
        return int_value(number);
    return bt_value_text((struct bt_str){digits, len}, BT_KIND_DECIMAL, BT_FLAVOR_BIGINT);
}

static struct bt_value *based_int(struct bt_str text, unsigned base)
{
    char digits[NUMBER_LEN_MAX + 1];
    size_t len = clean(text, digits, sizeof digits);
    bool is_negative = digits[0] == '-';
    size_t at = (is_negative ? 1u : 0u) + (base == 8 ? 1u : 2u);
    int64_t number = 0;
    for (; at < len; at++) {
        char c = digits[at];
        int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if (__builtin_mul_overflow(number, (int64_t)base, &number) ||
            __builtin_add_overflow(number, (int64_t)digit, &number))
            return bt_value_string(text); /* Past 64 bits: kept as the text it is. */
    }
    return int_value(is_negative ? -number : number);
}

static struct bt_value *float_value(struct bt_str text)
{
    char digits[NUMBER_LEN_MAX + 8];
    size_t len = clean(text, digits, NUMBER_LEN_MAX);
    char fixed[NUMBER_LEN_MAX + 8];
    size_t out = 0;
    for (size_t i = 0; i < len; i++) { /* "1." and ".5" and "1.e3" become JSON numbers. */
        bool has_before = i > 0 && digits[i - 1] >= '0' && digits[i - 1] <= '9';
        if (digits[i] == '.' && !has_before)
            fixed[out++] = '0';
        fixed[out++] = digits[i];
        bool has_after = i + 1 < len && digits[i + 1] >= '0' && digits[i + 1] <= '9';
        if (digits[i] == '.' && !has_after)
            fixed[out++] = '0';
    }
    double number;
    if (!bt_parse_double((struct bt_str){fixed, out}, &number))
        return bt_value_string(text);
    return bt_value_double(number);
}

static bool is_resolved(const struct bt_yaml_node *node)
{
    if (node->tag.len)
        return !bt_str_ends(node->tag, BT_STR(":str")) && !bt_str_is(node->tag, "!") &&
               bt_str_starts(node->tag, BT_STR("tag:yaml.org,2002:"));
    return node->style == BT_YAML_PLAIN;
}

static bool may_be_number(struct bt_str text)
{
    char c = text.len ? text.at[0] : '\0';
    return text.len <= NUMBER_LEN_MAX &&
           ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.');
}

enum bt_kind bt_yaml_scalar_kind(const struct bt_yaml_node *node)
{
    unsigned base;
    if (!is_resolved(node))
        return BT_KIND_STRING;
    if (is_null_word(node->text))
        return BT_KIND_NULL;
    if (is_true_word(node->text) || is_false_word(node->text))
        return BT_KIND_BOOL;
    switch (may_be_number(node->text) ? number_kind(node->text, &base) : NUMBER_NONE) {
    case NUMBER_INT: return BT_KIND_INT;
    case NUMBER_FLOAT:
    case NUMBER_INFINITE:
    case NUMBER_NAN: return BT_KIND_DOUBLE;
    case NUMBER_NONE: break;
    }
    return BT_KIND_STRING;
}

struct bt_value *bt_yaml_scalar_value(const struct bt_yaml_node *node)
{
    unsigned base = 10;
    struct bt_str text = node->text;
    switch (bt_yaml_scalar_kind(node)) {
    case BT_KIND_NULL: return bt_value_null();
    case BT_KIND_BOOL: return bt_value_bool(is_true_word(text));
    case BT_KIND_INT:
        number_kind(text, &base);
        return base == 10 ? decimal_int(text) : based_int(text, base);
    case BT_KIND_DOUBLE: {
        enum number kind = number_kind(text, &base);
        if (kind == NUMBER_INFINITE)
            return bt_value_double(text.at[0] == '-' ? -INFINITY : INFINITY);
        return kind == NUMBER_NAN ? bt_value_double(NAN) : float_value(text);
    }
    case BT_KIND_DECIMAL:
    case BT_KIND_STRING:
    case BT_KIND_LIST:
    case BT_KIND_MAP:
    case BT_KIND_LAZY: break;
    }
    return bt_value_string(text);
}
