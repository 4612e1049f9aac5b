/* ion.c — A reader of Ion text. Pure. Recursion is bounded by DEPTH_MAX. */
#include "worker/host/ion.h"

#include "base/num.h"
#include "base/utf8.h"
#include "value/json.h"

#include <ctype.h>
#include <stdio.h>

enum { DEPTH_MAX = 128 };

struct reader {
    struct bt_str text;
    size_t at;
    struct bt_buf *out;
    struct bt_buf word; /* A text while its escapes are undone. */
    int depth;
};

static int read_value(struct reader *reader);

static int peek(const struct reader *reader, size_t ahead)
{
    size_t at = reader->at + ahead;
    return at < reader->text.len ? (unsigned char)reader->text.at[at] : -1;
}

static bool is_next(const struct reader *reader, const char *word)
{
    struct bt_str rest = bt_str_slice(reader->text, reader->at, reader->text.len);
    return bt_str_starts(rest, bt_str_of(word));
}

static void skip_comment(struct reader *reader)
{
    bool is_line = is_next(reader, "//");
    const char *end = is_line ? "\n" : "*/";
    ptrdiff_t at = bt_str_find(reader->text, bt_str_of(end), reader->at + 2);
    reader->at = at < 0 ? reader->text.len : (size_t)at + strlen(end);
}

static void skip_blanks(struct reader *reader)
{
    for (;;) {
        int c = peek(reader, 0);
        if (c >= 0 && isspace(c))
            reader->at++;
        else if (is_next(reader, "//") || is_next(reader, "/*"))
            skip_comment(reader);
        else
            return;
    }
}

/* --- Texts ------------------------------------------------------------------------------------ */

static bool read_hex(struct reader *reader, int digits, uint32_t *ret_rune)
{
    uint32_t rune = 0;
    for (int i = 0; i < digits; i++) {
        int c = peek(reader, 0);
        if (c < 0 || !isxdigit(c))
            return false;
        rune = rune * 16 + (uint32_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
        reader->at++;
    }
    *ret_rune = rune;
    return rune <= 0x10FFFF;
}

/* Behind the backslash. */
static int read_escape(struct reader *reader)
{
    static const char from[] = "0abtnfrv\"'?\\/", to[] = "\0\a\b\t\n\f\r\v\"'?\\/";
    int c = peek(reader, 0);
    uint32_t rune = 0, low = 0;
    reader->at++;
    if (c == '\n')
        return BT_OK;
    const char *found = c > 0 ? strchr(from, c) : NULL;
    if (found)
        return bt_buf_addc(&reader->word, to[found - from]);
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || !read_hex(reader, digits, &rune))
        return BT_INVALID;
    if (rune >= 0xD800 && rune < 0xDC00) { /* The first half of a pair. */
        if (!is_next(reader, "\\u"))
            return BT_INVALID;
        reader->at += 2;
        if (!read_hex(reader, 4, &low) || low < 0xDC00 || low > 0xDFFF)
            return BT_INVALID;
        rune = 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
    }
    if (rune >= 0xDC00 && rune <= 0xDFFF)
        return BT_INVALID;
    return bt_buf_add_rune(&reader->word, rune);
}

/* Up to the closing `quote`, appended to the word. */
static int read_quoted(struct reader *reader, const char *quote)
{
    reader->at += strlen(quote);
    while (!is_next(reader, quote)) {
        int c = peek(reader, 0);
        if (c < 0)
            return BT_INVALID;
        reader->at++;
        BT_TRY(c == '\\' ? read_escape(reader) : bt_buf_addc(&reader->word, (char)c));
    }
    reader->at += strlen(quote);
    return BT_OK;
}

/* "…", '…' or '''…''' '''…''' into the word. */
static int read_text(struct reader *reader)
{
    bt_buf_clear(&reader->word);
    if (!is_next(reader, "'''"))
        return read_quoted(reader, peek(reader, 0) == '"' ? "\"" : "'");
    while (is_next(reader, "'''")) {
        BT_TRY(read_quoted(reader, "'''"));
        skip_blanks(reader);
    }
    return BT_OK;
}

static int write_word(struct reader *reader)
{
    struct bt_str word = bt_buf_str(&reader->word);
    return bt_json_write_str(word, reader->out);
}

/* --- Bare words: symbols, numbers, timestamps ------------------------------------------------- */

static bool is_bare(int c)
{
    return c > 0 && (isalnum(c) || strchr("_$+-.:", c) || c >= 0x80);
}

/* A bare word; "::" ends it (an annotation), as a ':' before a blank does (a field). */
static struct bt_str take_bare(struct reader *reader)
{
    size_t from = reader->at;
    bool is_number = peek(reader, 0) >= 0 && (isdigit(peek(reader, 0)) || peek(reader, 0) == '-');
    while (is_bare(peek(reader, 0))) {
        if (peek(reader, 0) == ':' && (!is_number || !isdigit(peek(reader, 1))))
            break;
        reader->at++;
    }
    return bt_str_slice(reader->text, from, reader->at);
}

static bool is_timestamp(struct bt_str word)
{
    if (word.len < 5 || !isdigit((unsigned char)word.at[0]) || !isdigit((unsigned char)word.at[3]))
        return false;
    return word.at[4] == 'T' || word.at[4] == '-';
}

/* 0xFF, 0b101 and their negatives. */
static int write_radix(struct reader *reader, struct bt_str digits, bool is_negative)
{
    uint64_t number = 0;
    unsigned base = tolower(digits.at[1]) == 'x' ? 16 : 2;
    for (size_t i = 2; i < digits.len; i++) {
        int c = tolower((unsigned char)digits.at[i]);
        unsigned digit = isdigit(c) ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
        if (digit >= base || number > (UINT64_MAX >> 1) / base)
            return BT_INVALID;
        number = number * base + digit;
    }
    if (number > INT64_MAX || digits.len == 2)
        return BT_INVALID;
    return bt_buf_add_i64(reader->out, is_negative ? -(int64_t)number : (int64_t)number);
}

/* Ion's numbers are JSON's with `_` between digits, an exponent of decimals named d, and points
 * without a digit behind. */
static int write_number(struct reader *reader, struct bt_str word)
{
    bool is_negative = word.at[0] == '-';
    struct bt_buf number = BT_BUF_INIT(4096);
    BT_VALUE value = NULL;
    bt_buf_clear(&reader->word);
    for (size_t i = 0; i < word.len; i++) {
        char c = word.at[i];
        bool is_bare_point = i > 0 && word.at[i - 1] == '.' && !isdigit((unsigned char)c);
        if (c == '_')
            continue;
        if (is_bare_point)
            (void)bt_buf_addc(&number, '0'); /* All checked below. */
        (void)bt_buf_addc(&number, c == 'd' || c == 'D' ? 'e' : c);
    }
    if (word.at[word.len - 1] == '.')
        (void)bt_buf_addc(&number, '0');
    struct bt_str text = bt_buf_str(&number);
    struct bt_str digits = bt_str_slice(text, is_negative, text.len);
    bool is_radix = digits.len > 1 && digits.at[0] == '0' && strchr("xXbB", digits.at[1]);
    int rc = number.failed;
    if (rc == BT_OK && is_radix)
        rc = write_radix(reader, digits, is_negative);
    else if (rc == BT_OK && bt_json_parse(text, NULL, &value, NULL) == BT_OK)
        rc = bt_json_write(value, BT_JSON_COMPACT, reader->out, NULL);
    else
        rc = BT_INVALID;
    bt_buf_done(&number);
    return rc;
}

static int write_bare(struct reader *reader, struct bt_str word)
{
    if (word.len == 0)
        return BT_INVALID;
    if (bt_str_is(word, "true") || bt_str_is(word, "false"))
        return bt_buf_add(reader->out, word);
    if (bt_str_is(word, "null") || bt_str_starts(word, BT_STR("null.")) || bt_str_is(word, "nan") ||
        bt_str_is(word, "+inf") || bt_str_is(word, "-inf"))
        return bt_buf_adds(reader->out, "null");
    if (is_timestamp(word))
        return bt_json_write_str(word, reader->out);
    if (isdigit((unsigned char)word.at[0]) || word.at[0] == '-')
        return write_number(reader, word);
    return bt_json_write_str(word, reader->out);
}

/* --- Containers ------------------------------------------------------------------------------- */

/* Behind the opening bracket, up to the closing one. Commas are optional in s-expressions. */
static int read_list(struct reader *reader, char close)
{
    BT_TRY(bt_buf_addc(reader->out, '['));
    for (bool is_first = true;; is_first = false) {
        skip_blanks(reader);
        if (peek(reader, 0) == close)
            break;
        if (!is_first)
            BT_TRY(bt_buf_addc(reader->out, ','));
        BT_TRY(read_value(reader));
        skip_blanks(reader);
        if (close == ']' && peek(reader, 0) == ',')
            reader->at++;
        else if (close == ']' && peek(reader, 0) != ']')
            return BT_INVALID;
    }
    reader->at++;
    return bt_buf_addc(reader->out, ']');
}

static int read_field_name(struct reader *reader)
{
    int c = peek(reader, 0);
    if (c == '"' || c == '\'') {
        BT_TRY(read_text(reader));
        return write_word(reader);
    }
    struct bt_str word = take_bare(reader);
    return word.len ? bt_json_write_str(word, reader->out) : BT_INVALID;
}

static int read_struct(struct reader *reader)
{
    BT_TRY(bt_buf_addc(reader->out, '{'));
    for (bool is_first = true;; is_first = false) {
        skip_blanks(reader);
        if (peek(reader, 0) == '}')
            break;
        if (!is_first)
            BT_TRY(bt_buf_addc(reader->out, ','));
        BT_TRY(read_field_name(reader));
        skip_blanks(reader);
        if (peek(reader, 0) != ':')
            return BT_INVALID;
        reader->at++;
        BT_TRY(bt_buf_addc(reader->out, ':'));
        BT_TRY(read_value(reader));
        skip_blanks(reader);
        if (peek(reader, 0) == ',')
            reader->at++;
        else if (peek(reader, 0) != '}')
            return BT_INVALID;
    }
    reader->at++;
    return bt_buf_addc(reader->out, '}');
}

/* Behind "{{": base64, or a text in quotes. */
static int read_lob(struct reader *reader)
{
    skip_blanks(reader);
    bt_buf_clear(&reader->word);
    int c = peek(reader, 0);
    if (c == '"' || c == '\'')
        BT_TRY(read_text(reader));
    for (c = peek(reader, 0); c >= 0 && c != '}'; c = peek(reader, 0)) {
        reader->at++;
        if (!isspace(c))
            BT_TRY(bt_buf_addc(&reader->word, (char)c));
    }
    if (!is_next(reader, "}}"))
        return BT_INVALID;
    reader->at += 2;
    return write_word(reader);
}

static int read_plain(struct reader *reader)
{
    int c = peek(reader, 0);
    if (is_next(reader, "{{")) {
        reader->at += 2;
        return read_lob(reader);
    }
    if (c == '{' || c == '[' || c == '(') {
        reader->at++;
        return c == '{' ? read_struct(reader) : read_list(reader, c == '[' ? ']' : ')');
    }
    if (c == '"' || is_next(reader, "'''")) {
        BT_TRY(read_text(reader));
        return write_word(reader);
    }
    return write_bare(reader, take_bare(reader));
}

/* Skips "name::" in front of a value. A quoted symbol that is no annotation is the value: its JSON
 * is written and *ret_is_done set. */
static int skip_annotations(struct reader *reader, bool *ret_is_done)
{
    for (;;) {
        size_t begin = reader->at;
        bool is_symbol = peek(reader, 0) == '\'' && !is_next(reader, "'''");
        if (is_symbol)
            BT_TRY(read_text(reader));
        else if (peek(reader, 0) > 0 && (isalpha(peek(reader, 0)) || strchr("_$", peek(reader, 0))))
            (void)take_bare(reader); /* Looked at again unless "::" follows. */
        skip_blanks(reader);
        if (reader->at > begin && is_next(reader, "::")) {
            reader->at += 2;
            skip_blanks(reader);
            continue;
        }
        *ret_is_done = is_symbol;
        if (is_symbol)
            return write_word(reader);
        reader->at = begin;
        return BT_OK;
    }
}

static int read_value(struct reader *reader)
{
    bool is_done = false;
    if (++reader->depth > DEPTH_MAX)
        return BT_LIMIT;
    skip_blanks(reader);
    int rc = skip_annotations(reader, &is_done);
    if (rc == BT_OK && !is_done)
        rc = read_plain(reader);
    reader->depth--;
    return rc;
}

int bt_ion_to_json(struct bt_str text, struct bt_buf *out)
{
    struct reader reader = {.text = text, .out = out, .word = BT_BUF_INIT(text.len * 4 + 64)};
    int rc = bt_utf8_is_valid(text, NULL) ? read_value(&reader) : BT_INVALID;
    skip_blanks(&reader);
    if (rc == BT_OK && reader.at < text.len)
        rc = BT_INVALID;
    bt_buf_done(&reader.word);
    return rc;
}
