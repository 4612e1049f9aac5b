/* time_pattern.c — Java date patterns to pieces, named formats, locales. Pure. */
#include "value/time_int.h"

#include <assert.h>

/* --- Locales ---------------------------------------------------------------------------------- */

struct bt_str bt_time_item(const char *list, int index)
{
    const char *at = list;
    for (int i = 0; i < index && at; i++) {
        at = strchr(at, '|');
        at = at ? at + 1 : NULL;
    }
    return at ? (struct bt_str){at, strcspn(at, "|")} : BT_STR("");
}

/* Whether a two-letter region stands in a blank-separated list. */
static bool is_region_in(struct bt_str region, const char *list)
{
    for (const char *at = list; region.len == 2 && *at; at += at[2] ? 3 : 2)
        if (at[0] == region.at[0] && at[1] == region.at[1])
            return true;
    return false;
}

static void set_week(struct bt_str region, struct bt_time_locale *locale)
{
    static const char four_days[] =
        "AD AN AT AX BE BG CH CZ DE DK EE ES FI FJ FO FR GB GF GG GI GP GR "
        "HU IE IM IS IT JE LI LT LU MC MQ NL NO PL PT RE RU SE SJ SK SM VA";
    static const char sunday[] =
        "AG AS AU BD BR BS BT BW BZ CA CN CO DM DO ET GT GU HK HN ID IL IN JM "
        "JP KE KH KR LA MH MM MO MT MX MZ NI NP PA PE PH PK PR PT PY SA SG SV "
        "TH TT TW UM US VE VI WS YE ZA ZW";
    static const char saturday[] = "AE AF BH DJ DZ EG IQ IR JO KW LY OM QA SD SY";
    locale->min_days = is_region_in(region, four_days) ? 4 : 1;
    locale->first_day = region.len != 2 || is_region_in(region, sunday) ? 7
                        : is_region_in(region, saturday)                ? 6
                                                                        : 1;
}

struct bt_time_locale bt_time_locale_of(struct bt_str tag)
{
    struct bt_time_locale locale = {.names = &bt_time_languages[0]};
    size_t cut = 0;
    while (cut < tag.len && tag.at[cut] != '_' && tag.at[cut] != '-')
        cut++;
    struct bt_str language = bt_str_slice(tag, 0, cut),
                  region = bt_str_slice(tag, cut + 1, tag.len);
    if (bt_str_is(language, "no") || bt_str_is(language, "nn"))
        language = BT_STR("nb");
    for (size_t i = 0; i < bt_time_languages_count; i++)
        if (bt_str_is(language, bt_time_languages[i].language))
            locale.names = &bt_time_languages[i];
    set_week(tag.len ? region : BT_STR("US"), &locale);
    return locale;
}

/* --- Names ------------------------------------------------------------------------------------ */

/* The dot-less fraction of the ISO names is written by the letter 'f', which no pattern may hold:
 * 0 to 9 digits with a point, only as many as needed. 'i' asks for the region in brackets. */
static const struct {
    const char *name, *pattern;
} named[] = {
    {"iso", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"},
    {"iso_sec", "yyyy-MM-dd'T'HH:mm:ssXXX"},
    {"sql", "yyyy-MM-dd HH:mm:ss.SSSSSS"},
    {"sql_seq", "yyyy-MM-dd HH:mm:ss"},
    {"iso_date_time", "\x01uuuu-MM-dd'T'HH:mm[:ssf][XXXXXi]"},
    {"iso_date", "\x01uuuu-MM-dd[XXXXX]"},
    {"iso_time", "\x01HH:mm[:ssf][XXXXX]"},
    {"iso_local_date", "\x01uuuu-MM-dd"},
    {"iso_local_date_time", "\x01uuuu-MM-dd'T'HH:mm[:ssf]"},
    {"iso_local_time", "\x01HH:mm[:ssf]"},
    {"iso_offset_time", "\x01HH:mm[:ssf]XXXXX"},
    {"iso_ordinal_date", "\x01uuuu-DDD[XXXXX]"},
    {"iso_week_date", "\x01YYYY-'W'ww-e[XXXXX]"},
    {"iso_zoned_date_time", "\x01uuuu-MM-dd'T'HH:mm[:ssf]XXXXXi"},
    {"iso_instant", "\x01uuuu-MM-dd'T'HH:mm:ssfXXX"},
    {"rfc_1123_date_time", "\x01"
                           "EEE, d MMM uuuu HH:mm[:ss] g"},
};

const char *bt_pattern_named(struct bt_str name)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (bt_str_is(name, named[i].name))
            return named[i].pattern;
    return NULL;
}

int bt_pattern_style(struct bt_str name)
{
    static const char *const styles[] = {"full", "long", "medium", "short"};
    for (int i = 0; i < 4; i++)
        if (bt_str_is(name, styles[i]))
            return i;
    return -1;
}

/* --- Letters ---------------------------------------------------------------------------------- */

enum rule {
    RULE_YEAR,    /* 2: reduced; 4 and more: signed when wider. */
    RULE_NUMBER,  /* 1 or 2 letters. */
    RULE_NUMBER1, /* 1 letter. */
    RULE_DAY3,    /* 1 to 3 letters. */
    RULE_LONG,    /* Any width. */
    RULE_MIXED,   /* 1, 2 number; 3 short; 4 full; 5 narrow. */
    RULE_TEXT,    /* Always text. */
    RULE_FRACTION,
    RULE_OFFSET,
    RULE_ZONE,
};

static const struct letter {
    char letter;
    uint8_t rule, field, most; /* most: letters allowed; 0 any. */
} letters[] = {
    {'G', RULE_TEXT, BT_FIELD_ERA, 5},
    {'u', RULE_YEAR, BT_FIELD_YEAR, 0},
    {'y', RULE_YEAR, BT_FIELD_YEAR_OF_ERA, 0},
    {'Y', RULE_YEAR, BT_FIELD_WEEK_YEAR, 0},
    {'D', RULE_DAY3, BT_FIELD_DAY_OF_YEAR, 3},
    {'M', RULE_MIXED, BT_FIELD_MONTH, 5},
    {'L', RULE_MIXED, BT_FIELD_MONTH, 5},
    {'Q', RULE_MIXED, BT_FIELD_QUARTER, 5},
    {'q', RULE_MIXED, BT_FIELD_QUARTER, 5},
    {'e', RULE_MIXED, BT_FIELD_LOCAL_WEEKDAY, 5},
    {'c', RULE_MIXED, BT_FIELD_LOCAL_WEEKDAY, 5},
    {'E', RULE_TEXT, BT_FIELD_WEEKDAY, 5},
    {'d', RULE_NUMBER, BT_FIELD_DAY, 2},
    {'w', RULE_NUMBER, BT_FIELD_WEEK, 2},
    {'W', RULE_NUMBER1, BT_FIELD_WEEK_OF_MONTH, 1},
    {'F', RULE_NUMBER1, BT_FIELD_ALIGNED_WEEK, 1},
    {'a', RULE_TEXT, BT_FIELD_HALF, 1},
    {'h', RULE_NUMBER, BT_FIELD_HOUR_1_12, 2},
    {'K', RULE_NUMBER, BT_FIELD_HOUR_0_11, 2},
    {'k', RULE_NUMBER, BT_FIELD_HOUR_1_24, 2},
    {'H', RULE_NUMBER, BT_FIELD_HOUR, 2},
    {'m', RULE_NUMBER, BT_FIELD_MINUTE, 2},
    {'s', RULE_NUMBER, BT_FIELD_SECOND, 2},
    {'S', RULE_FRACTION, BT_FIELD_NANO, 9},
    {'A', RULE_LONG, BT_FIELD_MILLI_OF_DAY, 19},
    {'n', RULE_LONG, BT_FIELD_NANO, 19},
    {'N', RULE_LONG, BT_FIELD_NANO_OF_DAY, 19},
    {'g', RULE_LONG, BT_FIELD_JULIAN, 19},
    {'X', RULE_OFFSET, 0, 5},
    {'x', RULE_OFFSET, 0, 5},
    {'Z', RULE_OFFSET, 0, 5},
    {'O', RULE_OFFSET, 0, 4},
    {'V', RULE_ZONE, 0, 2},
    {'z', RULE_ZONE, 0, 4},
    {'v', RULE_ZONE, 0, 4},
    {'B', RULE_ZONE, 0, 5},
};

static const struct letter *letter_of(char c)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].letter == c)
            return &letters[i];
    return NULL;
}

static void set_number(struct bt_piece *piece, int min, int max)
{
    piece->kind = BT_PIECE_NUMBER;
    piece->min = (uint8_t)min;
    piece->max = (uint8_t)max;
}

static void set_year(struct bt_piece *piece, int count)
{
    if (count == 2) {
        piece->kind = BT_PIECE_REDUCED;
        piece->min = piece->max = 2;
        return;
    }
    set_number(piece, count, 19);
    piece->exceeds_pad = count >= 4;
}

static bool set_zone(struct bt_piece *piece, char letter, int count)
{
    if (letter == 'V') {
        piece->kind = BT_PIECE_ZONE_ID;
        return count == 2;
    }
    if (letter == 'B') {
        piece->kind = BT_PIECE_DAY_PERIOD;
        return count == 1 || count == 4 || count == 5;
    }
    piece->kind = BT_PIECE_ZONE_NAME;
    return letter == 'z' || count == 1 || count == 4;
}

static bool set_offset(struct bt_piece *piece, char letter, int count)
{
    bool is_local = letter == 'O' || (letter == 'Z' && count == 4);
    piece->kind = is_local ? BT_PIECE_LOCAL_OFFSET : BT_PIECE_OFFSET;
    return letter != 'O' || count == 1 || count == 4;
}

/* What `count` times the letter means; false: too many or too few. */
static bool set_piece(struct bt_piece *piece, const struct letter *letter, int count)
{
    piece->letter = letter->letter;
    piece->count = (uint8_t)count;
    piece->field = letter->field;
    if (letter->most && count > letter->most)
        return false;
    switch ((enum rule)letter->rule) {
    case RULE_YEAR: set_year(piece, count); return count <= 19;
    case RULE_NUMBER: set_number(piece, count, count == 1 ? 19 : 2); return true;
    case RULE_NUMBER1: set_number(piece, 1, 19); return true;
    case RULE_DAY3: set_number(piece, count, count == 1 ? 19 : 3); return true;
    case RULE_LONG: set_number(piece, count, 19); return true;
    case RULE_FRACTION:
        piece->kind = BT_PIECE_FRACTION;
        piece->min = piece->max = (uint8_t)count;
        return true;
    case RULE_MIXED:
        if (count <= 2)
            set_number(piece, count,
                       count == 1 && letter->field != BT_FIELD_LOCAL_WEEKDAY ? 19 : 2);
        else
            piece->kind = BT_PIECE_TEXT;
        if (count > 2 && letter->field == BT_FIELD_LOCAL_WEEKDAY)
            piece->field = BT_FIELD_WEEKDAY;
        return letter->letter != 'c' || count != 2;
    case RULE_TEXT: piece->kind = BT_PIECE_TEXT; return true;
    case RULE_OFFSET: return set_offset(piece, letter->letter, count);
    case RULE_ZONE: return set_zone(piece, letter->letter, count);
    }
    return false;
}

/* --- Patterns --------------------------------------------------------------------------------- */

struct scan {
    struct bt_str text;
    size_t at;
    bool is_named; /* One of our own: has the letters f, i and g. */
    int open;
    int pad;
    struct bt_pattern *out;
    struct bt_err *err;
};

static int add_piece(struct scan *scan, struct bt_piece piece)
{
    if (scan->out->count == BT_PIECES_MAX)
        return bt_fail(scan->err, BT_LIMIT, "a date pattern has more than %d parts", BT_PIECES_MAX);
    if (scan->pad && piece.kind != BT_PIECE_OPEN && piece.kind != BT_PIECE_CLOSE) {
        piece.pad = (uint8_t)scan->pad;
        scan->pad = 0;
    }
    scan->out->pieces[scan->out->count++] = piece;
    return BT_OK;
}

static int add_literal(struct scan *scan, size_t from, size_t to)
{
    struct bt_str text = bt_str_slice(scan->text, from, to);
    return add_piece(scan, (struct bt_piece){.kind = BT_PIECE_LITERAL, .text = text});
}

/* 'text', where two quotes are one. */
static int scan_quoted(struct scan *scan)
{
    size_t from = ++scan->at;
    bool is_empty = true;
    for (; scan->at < scan->text.len; scan->at++) {
        if (scan->text.at[scan->at] != '\'')
            continue;
        if (scan->at + 1 < scan->text.len && scan->text.at[scan->at + 1] == '\'') {
            BT_TRY(add_literal(scan, from, scan->at + 1));
            from = ++scan->at + 1;
            is_empty = false;
            continue;
        }
        if (scan->at == from && is_empty)
            BT_TRY(add_literal(scan, scan->at, scan->at + 1)); /* '' is a quote. */
        else if (scan->at > from)
            BT_TRY(add_literal(scan, from, scan->at));
        scan->at++;
        return BT_OK;
    }
    return bt_fail(scan->err, BT_INVALID, "Pattern ends with an incomplete string literal: %.*s",
                   BT_FMT(scan->text));
}

static int scan_letter(struct scan *scan, char c)
{
    size_t from = scan->at;
    while (scan->at < scan->text.len && scan->text.at[scan->at] == c)
        scan->at++;
    int count = (int)(scan->at - from > 1000 ? 1000 : scan->at - from);
    struct bt_piece piece = {.letter = c, .count = (uint8_t)(count > 255 ? 255 : count)};
    if (c == 'p' && !scan->is_named) {
        bool has_letter = scan->at < scan->text.len && letter_of(scan->text.at[scan->at]);
        scan->pad = count > 100 ? 100 : count;
        return has_letter ? BT_OK
                          : bt_fail(scan->err, BT_INVALID,
                                    "Pad letter 'p' must be followed by valid pad pattern: %.*s",
                                    BT_FMT(scan->text));
    }
    if (scan->is_named && (c == 'f' || c == 'i' || c == 'g')) {
        piece.kind = c == 'f' ? BT_PIECE_FRACTION : c == 'i' ? BT_PIECE_ZONE_ID : BT_PIECE_OFFSET;
        piece.field = BT_FIELD_NANO;
        piece.min = 0;
        piece.max = 9;
        return add_piece(scan, piece);
    }
    const struct letter *letter = letter_of(c);
    if (!letter)
        return bt_fail(scan->err, BT_INVALID, "Unknown pattern letter: %c", c);
    if (!set_piece(&piece, letter, count))
        return bt_fail(scan->err, BT_INVALID, "Too many pattern letters: %c", c);
    return add_piece(scan, piece);
}

static int scan_one(struct scan *scan)
{
    char c = scan->text.at[scan->at];
    if ((c | 32) >= 'a' && (c | 32) <= 'z')
        return scan_letter(scan, c);
    if (c == '\'')
        return scan_quoted(scan);
    if (c == '{' || c == '}' || c == '#')
        return bt_fail(scan->err, BT_INVALID, "Pattern includes reserved character: '%c'", c);
    if (c == '[' || c == ']') {
        scan->open += c == '[' ? 1 : -1;
        if (scan->open < 0)
            return bt_fail(scan->err, BT_INVALID,
                           "Pattern invalid as it contains ] without previous [");
        scan->at++;
        return add_piece(scan,
                         (struct bt_piece){.kind = c == '[' ? BT_PIECE_OPEN : BT_PIECE_CLOSE});
    }
    scan->at++;
    return add_literal(scan, scan->at - 1, scan->at);
}

/* A number of variable width leaves the digits to the fixed ones that follow it at once. */
static void reserve_digits(struct bt_pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++) {
        struct bt_piece *piece = &pattern->pieces[i];
        if (piece->kind != BT_PIECE_NUMBER || piece->min == piece->max)
            continue;
        for (size_t k = i + 1; k < pattern->count; k++) {
            const struct bt_piece *next = &pattern->pieces[k];
            bool is_number = next->kind == BT_PIECE_NUMBER || next->kind == BT_PIECE_REDUCED ||
                             next->kind == BT_PIECE_FRACTION;
            if (!is_number || next->min != next->max)
                break;
            piece->reserved = (uint16_t)(piece->reserved + next->min);
        }
    }
}

int bt_pattern_parse(struct bt_str text, struct bt_pattern *ret_pattern, struct bt_err *err)
{
    struct scan scan = {.text = text, .out = ret_pattern, .err = err};
    ret_pattern->count = 0;
    if (text.len && text.at[0] == '\x01') {
        scan.is_named = true;
        scan.at = 1;
    }
    while (scan.at < text.len)
        BT_TRY(scan_one(&scan));
    for (; scan.open > 0; scan.open--)
        BT_TRY(add_piece(&scan, (struct bt_piece){.kind = BT_PIECE_CLOSE}));
    reserve_digits(ret_pattern);
    return BT_OK;
}
