/* time_format.c — Moments to text by the pieces of a pattern. Pure. */
#include "value/time_int.h"

#include <assert.h>

struct print {
    const struct bt_moment *moment;
    struct bt_civil civil;
    int32_t offset_s;
    struct bt_time_locale locale;
    struct bt_buf *out;
    struct bt_err *err;
    bool is_iso_week; /* Named formats count weeks the ISO way. */
};

/* --- Fields ----------------------------------------------------------------------------------- */

static int weekday(const struct print *print)
{
    const struct bt_civil *c = &print->civil;
    return bt_day_of_week(bt_civil_days(c->year, c->month, c->day));
}

static int64_t week_field(const struct print *print, enum bt_time_field field)
{
    int first = print->is_iso_week ? 1 : print->locale.first_day;
    int min = print->is_iso_week ? 4 : print->locale.min_days;
    const struct bt_civil *c = &print->civil;
    int64_t year;
    int week = bt_week_of_year(c, first, min, &year);
    if (field == BT_FIELD_WEEK_YEAR)
        return year;
    if (field == BT_FIELD_WEEK)
        return week;
    int local = (weekday(print) - first + 7) % 7; /* Days since the week began. */
    if (field == BT_FIELD_LOCAL_WEEKDAY)
        return local + 1;
    int start = ((local - (c->day - 1)) % 7 + 7) % 7; /* Where the month began in its week. */
    int offset = 7 - start >= min ? 7 - start - 7 : 7 - start;
    return (c->day - 1 - offset) / 7 + 1 - (c->day - 1 < offset);
}

static int64_t field_of(const struct print *print, enum bt_time_field field)
{
    const struct bt_civil *c = &print->civil;
    int64_t second_of_day = c->hour * 3600 + c->minute * 60 + c->second;
    switch (field) {
    case BT_FIELD_ERA: return c->year > 0 ? 0 : 1;
    case BT_FIELD_YEAR: return c->year;
    case BT_FIELD_YEAR_OF_ERA: return c->year > 0 ? c->year : 1 - c->year;
    case BT_FIELD_QUARTER: return (c->month - 1) / 3 + 1;
    case BT_FIELD_MONTH: return c->month;
    case BT_FIELD_DAY: return c->day;
    case BT_FIELD_DAY_OF_YEAR: return bt_day_of_year(c);
    case BT_FIELD_WEEK_YEAR:
    case BT_FIELD_WEEK:
    case BT_FIELD_WEEK_OF_MONTH:
    case BT_FIELD_LOCAL_WEEKDAY: return week_field(print, field);
    case BT_FIELD_WEEKDAY: return weekday(print);
    case BT_FIELD_ALIGNED_WEEK: return (c->day - 1) / 7 + 1;
    case BT_FIELD_HALF: return c->hour >= 12;
    case BT_FIELD_HOUR: return c->hour;
    case BT_FIELD_HOUR_1_24: return c->hour ? c->hour : 24;
    case BT_FIELD_HOUR_0_11: return c->hour % 12;
    case BT_FIELD_HOUR_1_12: return c->hour % 12 ? c->hour % 12 : 12;
    case BT_FIELD_MINUTE: return c->minute;
    case BT_FIELD_SECOND: return c->second;
    case BT_FIELD_NANO: return c->nano;
    case BT_FIELD_MILLI_OF_DAY: return second_of_day * 1000 + c->nano / 1000000;
    case BT_FIELD_NANO_OF_DAY: return second_of_day * 1000000000 + c->nano;
    case BT_FIELD_JULIAN: return bt_civil_days(c->year, c->month, c->day) + 40587;
    case BT_FIELD_COUNT: break;
    }
    return 0;
}

/* --- Pieces ----------------------------------------------------------------------------------- */

static int print_number(struct print *print, const struct bt_piece *piece)
{
    int64_t number = field_of(print, piece->field);
    char digits[24];
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    int len = snprintf(digits, sizeof digits, "%0*llu", piece->min, (unsigned long long)size);
    if (len > piece->max)
        return bt_fail(
            print->err, BT_INVALID,
            "Field cannot be printed as the value %lld exceeds the maximum print width of "
            "%d",
            (long long)number, piece->max);
    if (number < 0)
        BT_TRY(bt_buf_addc(print->out, '-'));
    else if (piece->exceeds_pad && len > piece->min)
        BT_TRY(bt_buf_addc(print->out, '+'));
    return bt_buf_adds(print->out, digits);
}

static int print_text(struct print *print, const struct bt_piece *piece)
{
    const struct bt_time_names *names = print->locale.names;
    int index = (int)field_of(print, piece->field);
    bool is_alone = piece->letter == 'L';
    const char *list = names->halves;
    switch ((enum bt_time_field)piece->field) {
    case BT_FIELD_ERA: list = piece->count == 4 ? names->eras_long : names->eras; break;
    case BT_FIELD_MONTH:
        index--;
        list = piece->count == 4   ? (is_alone ? names->months_alone : names->months)
               : piece->count == 5 ? names->months_narrow
                                   : (is_alone ? names->months_short_alone : names->months_short);
        break;
    case BT_FIELD_WEEKDAY:
        index--;
        list = piece->count == 4   ? names->days
               : piece->count == 5 ? names->days_narrow
                                   : names->days_short;
        break;
    case BT_FIELD_QUARTER:
        index--;
        list = piece->count == 4 ? names->quarters_long : names->quarters;
        if (piece->count == 5)
            return bt_buf_add_i64(print->out, index + 1);
        break;
    default: break;
    }
    if (piece->field == BT_FIELD_ERA && piece->count == 5 && list[0] == 'A')
        return bt_buf_add(print->out, bt_str_slice(bt_time_item(list, index), 0, 1));
    return bt_buf_add(print->out, bt_time_item(list, index));
}

static int print_fraction(struct print *print, const struct bt_piece *piece)
{
    char digits[12];
    (void)snprintf(digits, sizeof digits, "%09d", print->civil.nano); /* Always fits. */
    size_t len = piece->max;
    while (len > piece->min && digits[len - 1] == '0')
        len--;
    if (piece->min == 0 && len) { /* Of the ISO names. */
        BT_TRY(bt_buf_addc(print->out, '.'));
        if (piece->count == 3)
            len = (len + 2) / 3 * 3;
    }
    return bt_buf_add(print->out, (struct bt_str){digits, len});
}

/* GMT, GMT+8, GMT+08:30. */
static int print_local_offset(struct print *print, bool is_full)
{
    int32_t offset = print->offset_s, size = offset < 0 ? -offset : offset;
    int hours = size / 3600, minutes = size / 60 % 60, seconds = size % 60;
    bool is_french = strcmp(print->locale.names->language, "fr") == 0;
    BT_TRY(bt_buf_adds(print->out, is_french ? "UTC" : "GMT"));
    if (offset == 0)
        return BT_OK;
    BT_TRY(bt_buf_addc(print->out, offset < 0 ? '-' : '+'));
    BT_TRY(bt_buf_addf(print->out, is_full ? "%02d" : "%d", hours));
    if (is_full || minutes || seconds)
        BT_TRY(bt_buf_addf(print->out, ":%02d", minutes));
    return seconds ? bt_buf_addf(print->out, ":%02d", seconds) : BT_OK;
}

static int print_offset(struct print *print, const struct bt_piece *piece)
{
    int32_t offset = print->offset_s, size = offset < 0 ? -offset : offset;
    int hours = size / 3600, minutes = size / 60 % 60, seconds = size % 60;
    if (piece->letter == 'g') /* RFC 1123 */
        return offset
                   ? bt_buf_addf(print->out, "%c%02d%02d", offset < 0 ? '-' : '+', hours, minutes)
                   : bt_buf_adds(print->out, "GMT");
    bool is_z = piece->letter == 'Z';
    bool has_colon = piece->count == 3 || piece->count == 5;
    bool has_seconds = piece->count >= 4;
    if (is_z && piece->count <= 3)
        has_colon = false;
    bool shows_seconds = has_seconds && seconds;
    bool is_zero = hours == 0 && minutes == 0 && !shows_seconds;
    if (is_zero && (piece->letter == 'X' || (is_z && piece->count == 5)))
        return bt_buf_addc(print->out, 'Z');
    BT_TRY(bt_buf_addf(print->out, "%c%02d", is_zero || offset >= 0 ? '+' : '-', hours));
    if (piece->count > 1 || minutes || is_z)
        BT_TRY(bt_buf_addf(print->out, has_colon ? ":%02d" : "%02d", minutes));
    return shows_seconds ? bt_buf_addf(print->out, has_colon ? ":%02d" : "%02d", seconds) : BT_OK;
}

/* English full names of the abbreviations that people meet. */
static const struct {
    const char *abbreviation, *region, *name;
} zone_names[] = {
    {"UTC", "", "Coordinated Universal Time"},
    {"GMT", "", "Greenwich Mean Time"},
    {"CET", "", "Central European Standard Time"},
    {"CEST", "", "Central European Summer Time"},
    {"EET", "", "Eastern European Standard Time"},
    {"EEST", "", "Eastern European Summer Time"},
    {"WET", "", "Western European Standard Time"},
    {"WEST", "", "Western European Summer Time"},
    {"BST", "Europe/", "British Summer Time"},
    {"MSK", "", "Moscow Standard Time"},
    {"EST", "America/", "Eastern Standard Time"},
    {"EDT", "America/", "Eastern Daylight Time"},
    {"CST", "America/", "Central Standard Time"},
    {"CDT", "America/", "Central Daylight Time"},
    {"MST", "America/", "Mountain Standard Time"},
    {"MDT", "America/", "Mountain Daylight Time"},
    {"PST", "America/", "Pacific Standard Time"},
    {"PDT", "America/", "Pacific Daylight Time"},
    {"CST", "Asia/", "China Standard Time"},
    {"IST", "Asia/Kolkata", "India Standard Time"},
    {"JST", "", "Japan Standard Time"},
    {"KST", "", "Korean Standard Time"},
    {"AEST", "", "Australian Eastern Standard Time"},
    {"AEDT", "", "Australian Eastern Daylight Time"},
    {"SAST", "", "South Africa Standard Time"},
};

static int print_zone_name(struct print *print, const struct bt_piece *piece)
{
    const struct bt_zone *zone = &print->moment->zone;
    const char *abbreviation = bt_zone_abbreviation(zone, print->moment->epoch_s);
    if (!zone->rules)
        abbreviation = strcmp(zone->id, "UTC") == 0 || strcmp(zone->id, "GMT") == 0 ? zone->id : "";
    if (!abbreviation[0])
        return zone->is_region && zone->rules ? print_local_offset(print, true)
                                              : bt_buf_adds(print->out, zone->id);
    for (size_t i = 0; piece->count == 4 && i < sizeof zone_names / sizeof *zone_names; i++)
        if (strcmp(zone_names[i].abbreviation, abbreviation) == 0 &&
            bt_str_starts(bt_str_of(zone->id), bt_str_of(zone_names[i].region)))
            return bt_buf_adds(print->out, zone_names[i].name);
    return bt_buf_adds(print->out, abbreviation);
}

static int print_zone_id(struct print *print, const struct bt_piece *piece)
{
    const struct bt_zone *zone = &print->moment->zone;
    if (piece->letter != 'i')
        return bt_buf_adds(print->out, zone->id);
    return zone->is_region ? bt_buf_addf(print->out, "[%s]", zone->id) : BT_OK;
}

static int print_period(struct print *print)
{
    int hour = print->civil.hour;
    return bt_buf_adds(print->out, hour < 6    ? "at night"
                                   : hour < 12 ? "in the morning"
                                   : hour < 18 ? "in the afternoon"
                                   : hour < 21 ? "in the evening"
                                               : "at night");
}

static int print_piece(struct print *print, const struct bt_piece *piece)
{
    int64_t number;
    switch ((enum bt_piece_kind)piece->kind) {
    case BT_PIECE_LITERAL: return bt_buf_add(print->out, piece->text);
    case BT_PIECE_NUMBER: return print_number(print, piece);
    case BT_PIECE_REDUCED:
        number = field_of(print, piece->field) % 100;
        return bt_buf_addf(print->out, "%02d", (int)(number < 0 ? -number : number));
    case BT_PIECE_TEXT: return print_text(print, piece);
    case BT_PIECE_FRACTION: return print_fraction(print, piece);
    case BT_PIECE_OFFSET: return print_offset(print, piece);
    case BT_PIECE_LOCAL_OFFSET: return print_local_offset(print, piece->count == 4);
    case BT_PIECE_ZONE_ID: return print_zone_id(print, piece);
    case BT_PIECE_ZONE_NAME: return print_zone_name(print, piece);
    case BT_PIECE_DAY_PERIOD: return print_period(print);
    case BT_PIECE_OPEN:
    case BT_PIECE_CLOSE: return BT_OK;
    }
    return BT_OK;
}

static int print_padded(struct print *print, const struct bt_piece *piece)
{
    struct bt_buf *out = print->out, part = BT_BUF_INIT(4096);
    print->out = &part;
    int rc = print_piece(print, piece);
    print->out = out;
    if (rc == BT_OK && part.len > piece->pad)
        rc = bt_fail(print->err, BT_INVALID,
                     "Cannot print as output of %zu characters exceeds pad width of %d", part.len,
                     piece->pad);
    for (size_t i = part.len; rc == BT_OK && i < piece->pad; i++)
        rc = bt_buf_addc(out, ' ');
    if (rc == BT_OK)
        rc = bt_buf_add(out, bt_buf_str(&part));
    bt_buf_done(&part);
    return rc;
}

int bt_moment_format(const struct bt_moment *moment, struct bt_str format, struct bt_str locale,
                     struct bt_buf *out, struct bt_err *err)
{
    struct bt_pattern pattern;
    struct print print = {.moment = moment, .out = out, .err = err};
    struct bt_moment utc = *moment;
    const char *named = bt_pattern_named(format);
    int style = bt_pattern_style(format);
    print.locale = bt_time_locale_of(locale);
    print.is_iso_week = named && named[0] == '\x01';
    if (bt_str_is(format, "rfc_1123_date_time"))
        print.locale = bt_time_locale_of(BT_STR("en"));
    if (bt_str_is(format, "iso_instant")) {
        utc.zone = bt_zone_utc();
        print.moment = moment = &utc;
    }
    if (style >= 0)
        named = print.locale.names->styles[style];
    BT_TRY(bt_pattern_parse(named ? bt_str_of(named) : format, &pattern, err));
    print.civil = bt_moment_civil(moment);
    print.offset_s = bt_zone_offset(&moment->zone, moment->epoch_s);
    for (size_t i = 0; i < pattern.count; i++) {
        struct bt_piece *piece = &pattern.pieces[i];
        if (piece->letter == 'f' && bt_str_is(format, "iso_instant"))
            piece->count = 3; /* Thousands, millions or all. */
        BT_TRY(piece->pad ? print_padded(&print, piece) : print_piece(&print, piece));
    }
    return bt_buf_check(out, "the date", err);
}

int bt_moment_text(const struct bt_moment *moment, struct bt_buf *out)
{
    struct bt_civil c = bt_moment_civil(moment);
    bool is_short = c.second == 0 && c.nano == 0;
    struct bt_str format = is_short ? BT_STR("uuuu-MM-dd'T'HH:mmXXXXX") : BT_STR("iso_date_time");
    BT_TRY(bt_moment_format(moment, format, BT_STR(""), out, NULL));
    return is_short && moment->zone.is_region ? bt_buf_addf(out, "[%s]", moment->zone.id) : BT_OK;
}
