/* time_parse.c — Text to moments: by the pieces of a pattern, or ISO 8601. Pure.
 *
 * What was read is kept in fields and put together at the end, in the smart way of the original:
 * the 31st of a shorter month is its last day. */
#include "value/time_int.h"

#include "base/utf8.h"

#include <assert.h>

struct parse {
    struct bt_str text;
    size_t at, farthest;
    struct bt_time_locale locale;
    int64_t fields[BT_FIELD_COUNT];
    uint32_t has; /* A bit for each field. */
    bool has_offset, has_zone, is_iso_week;
    int32_t offset_s;
    struct bt_zone zone;
};

static_assert(BT_FIELD_COUNT <= 32, "a bit for each field");

static bool has(const struct parse *parse, enum bt_time_field field)
{
    return parse->has >> field & 1;
}

static bool set(struct parse *parse, enum bt_time_field field, int64_t value)
{
    if (has(parse, field) && parse->fields[field] != value)
        return false;
    parse->fields[field] = value;
    parse->has |= 1u << field;
    return true;
}

static char peek(const struct parse *parse, size_t ahead)
{
    size_t at = parse->at + ahead;
    return at < parse->text.len ? parse->text.at[at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- Pieces ----------------------------------------------------------------------------------- */

static bool take_digits(struct parse *parse, size_t min, size_t max, int64_t *ret_number)
{
    size_t count = 0;
    int64_t number = 0;
    while (count < max && is_digit(peek(parse, count)))
        count++;
    if (count < min || count > 18)
        return false;
    for (size_t i = 0; i < count; i++)
        number = number * 10 + (peek(parse, i) - '0');
    parse->at += count;
    *ret_number = number;
    return true;
}

static bool parse_number(struct parse *parse, const struct bt_piece *piece)
{
    char sign = peek(parse, 0);
    bool is_signed = sign == '+' || sign == '-';
    bool takes_sign = is_signed && (piece->exceeds_pad || (sign == '-' && piece->max == 19));
    size_t available = 0, max = piece->max;
    if (is_signed && !takes_sign)
        return false;
    parse->at += takes_sign;
    while (is_digit(peek(parse, available)))
        available++;
    if (piece->reserved) {
        size_t left = available > piece->reserved ? available - piece->reserved : 0;
        max = left < max ? left : max;
        max = max < piece->min ? piece->min : max;
    }
    size_t start = parse->at;
    int64_t number;
    if (!take_digits(parse, piece->min, max, &number))
        return false;
    size_t len = parse->at - start;
    if (piece->exceeds_pad && (sign == '+' ? len <= piece->min : !is_signed && len > piece->min))
        return false;
    return set(parse, piece->field, sign == '-' && takes_sign ? -number : number);
}

static bool parse_reduced(struct parse *parse, const struct bt_piece *piece)
{
    int64_t number;
    return take_digits(parse, 2, 2, &number) && set(parse, piece->field, 2000 + number);
}

static bool parse_fraction(struct parse *parse, const struct bt_piece *piece)
{
    size_t min = piece->min;
    if (min == 0) { /* Of the ISO names: a point and up to 9 digits, or nothing. */
        if (peek(parse, 0) != '.')
            return true;
        parse->at++;
        min = 1;
    }
    size_t count = 0;
    int64_t nano = 0, scale = 100000000;
    for (; count < piece->max && is_digit(peek(parse, count)); count++, scale /= 10)
        nano += (peek(parse, count) - '0') * scale;
    parse->at += count;
    return count >= min && set(parse, BT_FIELD_NANO, nano);
}

/* The longest name of a list that stands here. */
static bool parse_name(struct parse *parse, const char *list, int count, int *ret_index)
{
    size_t best = 0;
    struct bt_str rest = bt_str_slice(parse->text, parse->at, parse->text.len);
    for (int i = 0; i < count; i++) {
        struct bt_str name = bt_time_item(list, i);
        if (name.len > best && bt_str_starts(rest, name)) {
            best = name.len;
            *ret_index = i;
        }
    }
    parse->at += best;
    return best > 0;
}

static bool parse_text(struct parse *parse, const struct bt_piece *piece)
{
    const struct bt_time_names *names = parse->locale.names;
    bool is_full = piece->count == 4, is_alone = piece->letter == 'L';
    int index = 0;
    switch ((enum bt_time_field)piece->field) {
    case BT_FIELD_ERA:
        return parse_name(parse, is_full ? names->eras_long : names->eras, 2, &index) &&
               set(parse, BT_FIELD_ERA, index);
    case BT_FIELD_MONTH: {
        const char *shorts = is_alone ? names->months_short_alone : names->months_short;
        const char *list = is_full ? (is_alone ? names->months_alone : names->months) : shorts;
        return parse_name(parse, list, 12, &index) && set(parse, BT_FIELD_MONTH, index + 1);
    }
    case BT_FIELD_WEEKDAY:
        return parse_name(parse, is_full ? names->days : names->days_short, 7, &index) &&
               set(parse, BT_FIELD_WEEKDAY, index + 1);
    case BT_FIELD_QUARTER:
        return parse_name(parse, is_full ? names->quarters_long : names->quarters, 4, &index) &&
               set(parse, BT_FIELD_QUARTER, index + 1);
    case BT_FIELD_HALF:
        return parse_name(parse, names->halves, 2, &index) && set(parse, BT_FIELD_HALF, index);
    default: return false;
    }
}

/* Two digits after an optional colon. */
static bool take_part(struct parse *parse, bool has_colon, int *ret_number)
{
    size_t at = parse->at + has_colon;
    if ((has_colon && peek(parse, 0) != ':') || at + 2 > parse->text.len ||
        !is_digit(parse->text.at[at]) || !is_digit(parse->text.at[at + 1]))
        return false;
    *ret_number = (parse->text.at[at] - '0') * 10 + parse->text.at[at + 1] - '0';
    parse->at = at + 2;
    return *ret_number < 60;
}

static bool set_offset(struct parse *parse, int32_t offset)
{
    if (parse->has_offset && parse->offset_s != offset)
        return false;
    parse->has_offset = true;
    parse->offset_s = offset;
    return true;
}

/* +hh, then minutes and seconds as the form wants them. */
static bool parse_offset(struct parse *parse, const struct bt_piece *piece)
{
    bool is_z = piece->letter == 'Z', is_rfc = piece->letter == 'g';
    bool has_colon = (piece->count == 3 || piece->count == 5) && !(is_z && piece->count <= 3);
    int hours = 0, minutes = 0, seconds = 0;
    char sign = peek(parse, 0);
    if (is_rfc &&
        bt_str_starts(bt_str_slice(parse->text, parse->at, parse->text.len), BT_STR("GMT"))) {
        parse->at += 3;
        return set_offset(parse, 0);
    }
    if ((sign == 'Z' || sign == 'z') && (piece->letter == 'X' || (is_z && piece->count == 5))) {
        parse->at++;
        return set_offset(parse, 0);
    }
    if (sign != '+' && sign != '-')
        return false;
    parse->at++;
    if (!take_part(parse, false, &hours) || hours > 18)
        return false;
    bool needs_minutes = piece->count > 1 || is_z || is_rfc;
    bool has_minutes = take_part(parse, has_colon && !is_rfc, &minutes);
    if (needs_minutes && !has_minutes)
        return false;
    if (has_minutes && piece->count >= 4)
        (void)take_part(parse, has_colon, &seconds); /* They may be left out. */
    int32_t total = hours * 3600 + minutes * 60 + seconds;
    return set_offset(parse, sign == '-' ? -total : total);
}

/* GMT, GMT+8, GMT+08:00. */
static bool parse_local_offset(struct parse *parse)
{
    int64_t hours;
    int minutes = 0;
    if (!bt_str_starts(bt_str_slice(parse->text, parse->at, parse->text.len), BT_STR("GMT")))
        return false;
    parse->at += 3;
    char sign = peek(parse, 0);
    if (sign != '+' && sign != '-')
        return set_offset(parse, 0);
    parse->at++;
    if (!take_digits(parse, 1, 2, &hours) || hours > 18)
        return false;
    if (peek(parse, 0) == ':' && !take_part(parse, true, &minutes))
        return false;
    int32_t total = (int32_t)hours * 3600 + minutes * 60;
    return set_offset(parse, sign == '-' ? -total : total);
}

/* The longest zone id that stands here, in brackets for the ISO names. */
static bool parse_zone_id(struct parse *parse, const struct bt_piece *piece)
{
    size_t start = parse->at, end;
    bool is_boxed = piece->letter == 'i';
    if (is_boxed && peek(parse, 0) != '[')
        return true;
    start += is_boxed;
    for (end = start; end < parse->text.len; end++) {
        char c = parse->text.at[end];
        bool is_ok =
            ((c | 32) >= 'a' && (c | 32) <= 'z') || is_digit(c) || (c && strchr("_/+-:~.", c));
        if (!is_ok)
            break;
    }
    for (; end > start; end--) {
        if (bt_zone_of(bt_str_slice(parse->text, start, end), &parse->zone, NULL) < 0)
            continue;
        parse->has_zone = true;
        parse->at = end;
        if (is_boxed && peek(parse, 0) != ']')
            return false;
        parse->at += is_boxed;
        return true;
    }
    return false;
}

/* Names of zones as people write them: an id, or a few abbreviations. */
static bool parse_zone_name(struct parse *parse, const struct bt_piece *piece)
{
    static const struct {
        const char *name, *id;
    } names[] = {
        {"UTC", "UTC"},
        {"GMT", "GMT"},
        {"CEST", "Europe/Paris"},
        {"CET", "Europe/Paris"},
        {"EEST", "Europe/Athens"},
        {"EET", "Europe/Athens"},
        {"BST", "Europe/London"},
        {"WEST", "Europe/Lisbon"},
        {"WET", "Europe/Lisbon"},
        {"EST", "America/New_York"},
        {"EDT", "America/New_York"},
        {"CST", "America/Chicago"},
        {"CDT", "America/Chicago"},
        {"MST", "America/Denver"},
        {"MDT", "America/Denver"},
        {"PST", "America/Los_Angeles"},
        {"PDT", "America/Los_Angeles"},
        {"JST", "Asia/Tokyo"},
        {"IST", "Asia/Kolkata"},
        {"Z", "Z"},
    };
    struct bt_str rest = bt_str_slice(parse->text, parse->at, parse->text.len);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!bt_str_starts(rest, bt_str_of(names[i].name)))
            continue;
        parse->at += strlen(names[i].name);
        parse->has_zone = true;
        return bt_zone_of(bt_str_of(names[i].id), &parse->zone, NULL) == BT_OK;
    }
    return parse_zone_id(parse, piece);
}

static bool parse_piece(struct parse *parse, const struct bt_piece *piece)
{
    struct bt_str rest = bt_str_slice(parse->text, parse->at, parse->text.len);
    for (int blanks = 0; piece->pad && blanks < piece->pad && peek(parse, 0) == ' '; blanks++)
        parse->at++;
    switch ((enum bt_piece_kind)piece->kind) {
    case BT_PIECE_LITERAL:
        if (!bt_str_starts(rest, piece->text))
            return false;
        parse->at += piece->text.len;
        return true;
    case BT_PIECE_NUMBER: return parse_number(parse, piece);
    case BT_PIECE_REDUCED: return parse_reduced(parse, piece);
    case BT_PIECE_TEXT: return parse_text(parse, piece);
    case BT_PIECE_FRACTION: return parse_fraction(parse, piece);
    case BT_PIECE_OFFSET: return parse_offset(parse, piece);
    case BT_PIECE_LOCAL_OFFSET: return parse_local_offset(parse);
    case BT_PIECE_ZONE_ID: return parse_zone_id(parse, piece);
    case BT_PIECE_ZONE_NAME: return parse_zone_name(parse, piece);
    case BT_PIECE_DAY_PERIOD:
    case BT_PIECE_OPEN:
    case BT_PIECE_CLOSE: return false;
    }
    return false;
}

static size_t close_of(const struct bt_pattern *pattern, size_t open)
{
    int depth = 0;
    for (size_t i = open; i < pattern->count; i++) {
        depth += pattern->pieces[i].kind == BT_PIECE_OPEN;
        depth -= pattern->pieces[i].kind == BT_PIECE_CLOSE;
        if (depth == 0)
            return i;
    }
    return pattern->count;
}

/* Pieces [from, to); an optional part that does not fit is passed over. */
static bool parse_pieces(struct parse *parse, const struct bt_pattern *pattern, size_t from,
                         size_t to)
{
    for (size_t i = from; i < to; i++) {
        const struct bt_piece *piece = &pattern->pieces[i];
        if (piece->kind == BT_PIECE_OPEN) {
            size_t close = close_of(pattern, i);
            struct parse before = *parse;
            if (!parse_pieces(parse, pattern, i + 1, close)) {
                before.farthest = parse->farthest;
                *parse = before;
            }
            i = close;
            continue;
        }
        size_t start = parse->at;
        if (!parse_piece(parse, piece)) {
            parse->farthest = start > parse->farthest ? start : parse->farthest;
            return false;
        }
    }
    return true;
}

/* --- Putting together ------------------------------------------------------------------------- */

/* Whether an hour was given; *ret_hour is -1 when it makes no sense. */
static bool resolve_hour(const struct parse *parse, int64_t *ret_hour)
{
    const int64_t *f = parse->fields;
    int64_t clock = f[BT_FIELD_HOUR_1_12];
    if (has(parse, BT_FIELD_HOUR)) {
        *ret_hour = f[BT_FIELD_HOUR] <= 24 ? f[BT_FIELD_HOUR] : -1;
    } else if (has(parse, BT_FIELD_HOUR_1_24)) {
        clock = f[BT_FIELD_HOUR_1_24];
        *ret_hour = clock <= 24 ? clock % 24 : -1;
    } else if (has(parse, BT_FIELD_HALF) && has(parse, BT_FIELD_HOUR_1_12)) {
        *ret_hour = clock >= 1 && clock <= 12 ? clock % 12 + 12 * f[BT_FIELD_HALF] : -1;
    } else if (has(parse, BT_FIELD_HALF) && has(parse, BT_FIELD_HOUR_0_11)) {
        clock = f[BT_FIELD_HOUR_0_11];
        *ret_hour = clock <= 11 ? clock + 12 * f[BT_FIELD_HALF] : -1;
    } else {
        return false;
    }
    return true;
}

/* Whether a time of day was given; *ret_bad: it was, but makes no sense. */
static bool resolve_time(const struct parse *parse, struct bt_civil *civil, bool *ret_bad)
{
    const int64_t *f = parse->fields;
    int64_t hour = 0, nano = f[BT_FIELD_NANO_OF_DAY];
    if (has(parse, BT_FIELD_NANO_OF_DAY) || has(parse, BT_FIELD_MILLI_OF_DAY)) {
        if (!has(parse, BT_FIELD_NANO_OF_DAY))
            nano = f[BT_FIELD_MILLI_OF_DAY] * 1000000;
        *ret_bad = nano < 0 || nano >= 86400ll * 1000000000;
        *civil = bt_civil_of(*ret_bad ? 0 : nano / 1000000000, (int)(nano % 1000000000));
        return !*ret_bad;
    }
    if (!resolve_hour(parse, &hour))
        return false;
    bool has_minute = has(parse, BT_FIELD_MINUTE), has_second = has(parse, BT_FIELD_SECOND);
    bool has_nano = has(parse, BT_FIELD_NANO);
    if ((!has_minute && (has_second || has_nano)) || (has_minute && !has_second && has_nano))
        return false;
    int64_t minute = f[BT_FIELD_MINUTE], second = f[BT_FIELD_SECOND];
    *ret_bad = hour < 0 || minute > 59 || second > 59 ||
               (hour == 24 && (minute || second || f[BT_FIELD_NANO]));
    civil->hour = (int)hour;
    civil->minute = (int)minute;
    civil->second = (int)second;
    civil->nano = (int)f[BT_FIELD_NANO];
    return !*ret_bad;
}

static bool resolve_year(const struct parse *parse, int64_t *ret_year)
{
    const int64_t *f = parse->fields;
    if (has(parse, BT_FIELD_YEAR))
        *ret_year = f[BT_FIELD_YEAR];
    else if (has(parse, BT_FIELD_YEAR_OF_ERA))
        *ret_year = has(parse, BT_FIELD_ERA) && f[BT_FIELD_ERA] == 1 ? 1 - f[BT_FIELD_YEAR_OF_ERA]
                                                                     : f[BT_FIELD_YEAR_OF_ERA];
    else
        return false;
    return *ret_year >= -BT_EPOCH_MAX_YEAR && *ret_year <= BT_EPOCH_MAX_YEAR;
}

static bool resolve_week_date(const struct parse *parse, int64_t *ret_days)
{
    const int64_t *f = parse->fields;
    int first = parse->is_iso_week ? 1 : parse->locale.first_day;
    int min = parse->is_iso_week ? 4 : parse->locale.min_days;
    int64_t day = 1, year;
    if (!has(parse, BT_FIELD_WEEK_YEAR) || !has(parse, BT_FIELD_WEEK))
        return false;
    if (has(parse, BT_FIELD_LOCAL_WEEKDAY))
        day = f[BT_FIELD_LOCAL_WEEKDAY];
    else if (has(parse, BT_FIELD_WEEKDAY))
        day = (f[BT_FIELD_WEEKDAY] - first + 7) % 7 + 1;
    else
        return false;
    if (f[BT_FIELD_WEEK] < 1 || f[BT_FIELD_WEEK] > 53 || day < 1 || day > 7 ||
        f[BT_FIELD_WEEK_YEAR] > BT_EPOCH_MAX_YEAR || f[BT_FIELD_WEEK_YEAR] < -BT_EPOCH_MAX_YEAR)
        return false;
    /* Some day in the middle of January is in a known week: count from it. */
    struct bt_civil probe = {.year = f[BT_FIELD_WEEK_YEAR], .month = 1, .day = 15};
    int week = bt_week_of_year(&probe, first, min, &year);
    int64_t days = bt_civil_days(probe.year, 1, 15);
    int local = (bt_day_of_week(days) - first + 7) % 7;
    *ret_days = days - local + (f[BT_FIELD_WEEK] - week) * 7 + day - 1;
    return true;
}

/* Days since 1970 of the date that was read. */
static bool resolve_date(const struct parse *parse, int64_t *ret_days)
{
    const int64_t *f = parse->fields;
    int64_t year;
    if (has(parse, BT_FIELD_JULIAN)) {
        *ret_days = f[BT_FIELD_JULIAN] - 40587;
        return f[BT_FIELD_JULIAN] < (int64_t)BT_EPOCH_MAX_YEAR * 366;
    }
    if (!resolve_year(parse, &year))
        return resolve_week_date(parse, ret_days);
    if (has(parse, BT_FIELD_MONTH) && has(parse, BT_FIELD_DAY)) {
        int64_t month = f[BT_FIELD_MONTH], day = f[BT_FIELD_DAY];
        if (month < 1 || month > 12 || day < 1 || day > 31)
            return false;
        int last = bt_month_length(year, (int)month);
        *ret_days = bt_civil_days(year, (int)month, day > last ? last : (int)day);
    } else if (has(parse, BT_FIELD_DAY_OF_YEAR)) {
        int64_t length = bt_month_length(year, 2) == 29 ? 366 : 365;
        if (f[BT_FIELD_DAY_OF_YEAR] < 1 || f[BT_FIELD_DAY_OF_YEAR] > length)
            return false;
        *ret_days = bt_civil_days(year, 1, 1) + f[BT_FIELD_DAY_OF_YEAR] - 1;
    } else {
        return false;
    }
    return !has(parse, BT_FIELD_WEEKDAY) || bt_day_of_week(*ret_days) == f[BT_FIELD_WEEKDAY];
}

static int resolve(const struct parse *parse, const struct bt_zone *zone,
                   struct bt_moment *ret_moment, struct bt_err *err)
{
    struct bt_civil time = {0};
    bool is_bad = false;
    int64_t days;
    if (!resolve_date(parse, &days))
        return bt_fail(err, BT_INVALID,
                       "Text '%.*s' could not be parsed: Unable to obtain LocalDate from "
                       "TemporalAccessor",
                       BT_FMT(parse->text));
    bool has_time = resolve_time(parse, &time, &is_bad);
    if (is_bad)
        return bt_fail(err, BT_INVALID, "Text '%.*s' could not be parsed: Invalid value for a time",
                       BT_FMT(parse->text));
    int64_t local = days * 86400;
    if (has_time)
        local += time.hour * 3600 + time.minute * 60 + time.second;
    ret_moment->nano = has_time ? time.nano : 0;
    ret_moment->zone = has_time && parse->has_zone     ? parse->zone
                       : has_time && parse->has_offset ? bt_zone_fixed(parse->offset_s)
                                                       : *zone;
    ret_moment->epoch_s = has_time && parse->has_offset && parse->has_zone
                              ? local - parse->offset_s
                              : bt_zone_instant(&ret_moment->zone, local);
    return BT_OK;
}

int bt_moment_parse(struct bt_str text, struct bt_str format, const struct bt_zone *zone,
                    struct bt_moment *ret_moment, struct bt_err *err)
{
    struct bt_pattern pattern;
    struct parse parse = {.text = text, .locale = bt_time_locale_of(BT_STR(""))};
    const char *named = bt_pattern_named(format);
    int style = bt_pattern_style(format);
    if (format.len == 0)
        named = "\x01uuuu-MM-dd['T'HH:mm[:ssf][XXXXXi]]";
    else if (style >= 0)
        named = parse.locale.names->styles[style];
    parse.is_iso_week = named && named[0] == '\x01';
    BT_TRY(bt_pattern_parse(named ? bt_str_of(named) : format, &pattern, err));
    bool is_parsed = parse_pieces(&parse, &pattern, 0, pattern.count);
    if (is_parsed && parse.at < text.len)
        return bt_fail(err, BT_INVALID,
                       "Text '%.*s' could not be parsed, unparsed text found at index %zu",
                       BT_FMT(text), parse.at);
    if (!is_parsed)
        return bt_fail(err, BT_INVALID, "Text '%.*s' could not be parsed at index %zu",
                       BT_FMT(text), bt_utf8_count(bt_str_slice(text, 0, parse.farthest)));
    return resolve(&parse, zone, ret_moment, err);
}
