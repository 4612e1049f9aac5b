/* time_zone.c — Time zones: the reader of the machine's TZif files (RFC 8536) and the cache of
 * them.
 *
 * A file is read once; its rules live as long as the process in a list that only grows at its head,
 * so that readers need no lock. Names are checked before they become a path. */
#include "value/time.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ZONE_DIR "/usr/share/zoneinfo/"

enum { FILE_MAX = 1 << 20, TYPES_MAX = 256, TIMES_MAX = 20000, OFFSET_MAX_S = 18 * 3600 };

struct type {
    int32_t offset_s;
    bool is_dst;
    char abbreviation[12];
};

/* A day of the year in a POSIX rule: Mm.w.d, Jn or n. */
struct rule_day {
    char kind; /* 'M', 'J' or 'n' */
    int month, week, day;
    int32_t time_s;
};

struct bt_tz {
    struct bt_tz *next;
    char id[48];
    size_t count; /* Of transitions. */
    int64_t *times;
    uint8_t *kinds;
    struct type types[TYPES_MAX];
    size_t types_count;
    bool has_tail; /* The rule for all later times. */
    bool has_dst;
    struct type std, dst;
    struct rule_day dst_from, dst_to;
};

static _Atomic(struct bt_tz *) known;

/* --- TZif ------------------------------------------------------------------------------------- */

struct reader {
    const unsigned char *at;
    size_t left;
    bool is_short; /* Read past the end. */
};

static int64_t take(struct reader *reader, size_t bytes)
{
    uint64_t number = 0;
    if (reader->left < bytes) {
        reader->is_short = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | reader->at[i];
    reader->at += bytes;
    reader->left -= bytes;
    if (bytes == 4)
        return (int32_t)(uint32_t)number;
    return (int64_t)number;
}

static void skip(struct reader *reader, size_t bytes)
{
    if (reader->left < bytes) {
        reader->is_short = true;
        bytes = reader->left;
    }
    reader->at += bytes;
    reader->left -= bytes;
}

struct counts {
    size_t ut, std, leap, times, types, chars;
};

static bool take_header(struct reader *reader, struct counts *counts)
{
    if (reader->left < 44 || memcmp(reader->at, "TZif", 4) != 0)
        return false;
    skip(reader, 20);
    size_t *fields[] = {&counts->ut,    &counts->std,   &counts->leap,
                        &counts->times, &counts->types, &counts->chars};
    for (size_t i = 0; i < 6; i++) {
        int64_t number = take(reader, 4);
        if (number < 0 || number > TIMES_MAX)
            return false;
        *fields[i] = (size_t)number;
    }
    return !reader->is_short && counts->types >= 1 && counts->types <= TYPES_MAX;
}

static void skip_block(struct reader *reader, const struct counts *c, size_t width)
{
    skip(reader,
         c->times * (width + 1) + c->types * 6 + c->chars + c->leap * (width + 4) + c->std + c->ut);
}

static bool take_types(struct reader *reader, const struct counts *c, struct bt_tz *tz)
{
    const unsigned char *chars = reader->at + c->types * 6;
    if (reader->left < c->types * 6 + c->chars)
        return false;
    for (size_t i = 0; i < c->types; i++) {
        struct type *type = &tz->types[i];
        type->offset_s = (int32_t)take(reader, 4);
        type->is_dst = take(reader, 1) != 0;
        size_t at = (size_t)take(reader, 1), len = 0;
        while (at + len < c->chars && chars[at + len] && len < sizeof type->abbreviation - 1) {
            type->abbreviation[len] = (char)chars[at + len];
            len++;
        }
        if (type->offset_s > 26 * 3600 || type->offset_s < -26 * 3600)
            return false;
    }
    tz->types_count = c->types;
    skip(reader, c->chars);
    return true;
}

static bool take_block(struct reader *reader, const struct counts *c, struct bt_tz *tz)
{
    tz->times = calloc(c->times + 1, sizeof *tz->times);
    tz->kinds = calloc(c->times + 1, sizeof *tz->kinds);
    if (!tz->times || !tz->kinds)
        return false;
    tz->count = c->times;
    for (size_t i = 0; i < c->times; i++)
        tz->times[i] = take(reader, 8);
    for (size_t i = 0; i < c->times; i++) {
        tz->kinds[i] = (uint8_t)take(reader, 1);
        if (tz->kinds[i] >= c->types || (i && tz->times[i] < tz->times[i - 1]))
            return false;
    }
    if (!take_types(reader, c, tz))
        return false;
    skip(reader, c->leap * 12 + c->std + c->ut);
    return !reader->is_short;
}

/* --- The rule at the end ---------------------------------------------------------------------- */

static const char *take_name(const char *at, struct type *type)
{
    char close = *at == '<' ? '>' : 0;
    size_t len = 0;
    at += close != 0;
    while (*at && (close ? *at != close : (*at | 32) >= 'a' && (*at | 32) <= 'z')) {
        if (len < sizeof type->abbreviation - 1)
            type->abbreviation[len++] = *at;
        at++;
    }
    return close && *at == close ? at + 1 : at;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static const char *take_time(const char *at, int32_t *ret_s)
{
    int32_t sign = *at == '-' ? -1 : 1, parts[3] = {0};
    at += *at == '-' || *at == '+';
    for (int i = 0; i < 3; i++) {
        while (*at >= '0' && *at <= '9' && parts[i] < 1000)
            parts[i] = parts[i] * 10 + (*at++ - '0');
        if (*at != ':')
            break;
        at++;
    }
    *ret_s = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return at;
}

static const char *take_int(const char *at, int *ret_number)
{
    *ret_number = 0;
    while (*at >= '0' && *at <= '9' && *ret_number < 1000)
        *ret_number = *ret_number * 10 + (*at++ - '0');
    return at;
}

static const char *take_day(const char *at, struct rule_day *day)
{
    day->kind = *at == 'M' || *at == 'J' ? *at++ : 'n';
    day->time_s = 7200;
    if (day->kind == 'M') {
        at = take_int(at, &day->month);
        at = take_int(at + (*at == '.'), &day->week);
        at = take_int(at + (*at == '.'), &day->day);
    } else {
        at = take_int(at, &day->day);
    }
    return *at == '/' ? take_time(at + 1, &day->time_s) : at;
}

/* "CET-1CEST,M3.5.0,M10.5.0/3". */
static bool take_tail(const char *text, struct bt_tz *tz)
{
    const char *at = take_name(text, &tz->std);
    if (at == text)
        return false;
    at = take_time(at, &tz->std.offset_s);
    tz->std.offset_s = -tz->std.offset_s;
    tz->has_tail = true;
    if (!*at)
        return true;
    at = take_name(at, &tz->dst);
    tz->dst.is_dst = true;
    tz->dst.offset_s = tz->std.offset_s + 3600;
    if (*at && *at != ',') {
        at = take_time(at, &tz->dst.offset_s);
        tz->dst.offset_s = -tz->dst.offset_s;
    }
    if (*at != ',')
        return false;
    at = take_day(at + 1, &tz->dst_from);
    if (*at != ',')
        return false;
    at = take_day(at + 1, &tz->dst_to);
    tz->has_dst = true;
    return *at == '\0' && tz->dst_from.month <= 12 && tz->dst_to.month <= 12;
}

static bool parse_file(const unsigned char *bytes, size_t len, struct bt_tz *tz)
{
    struct reader reader = {.at = bytes, .left = len};
    struct counts counts;
    char tail[128];
    if (!take_header(&reader, &counts) || bytes[4] < '2')
        return false;
    skip_block(&reader, &counts, 4);
    if (!take_header(&reader, &counts) || !take_block(&reader, &counts, tz))
        return false;
    if (reader.left < 2 || reader.at[0] != '\n' || reader.left - 1 > sizeof tail)
        return true;
    size_t size = reader.left - 1;
    memcpy(tail, reader.at + 1, size);
    char *end = memchr(tail, '\n', size);
    if (!end)
        return true;
    *end = '\0';
    if (tail[0] && !take_tail(tail, tz))
        tz->has_tail = false;
    return true;
}

/* --- Reading and finding ---------------------------------------------------------------------- */

static struct bt_tz *tz_free(struct bt_tz *tz)
{
    if (tz) {
        free(tz->times);
        free(tz->kinds);
        free(tz);
    }
    return NULL;
}

static struct bt_tz *read_file(const char *id)
{
    char path[sizeof ZONE_DIR + 48];
    (void)snprintf(path, sizeof path, "%s%s", ZONE_DIR, id); /* Always fits. */
    FILE *file = fopen(path, "rbe");
    if (!file)
        return NULL;
    unsigned char *bytes = malloc(FILE_MAX);
    struct bt_tz *tz = calloc(1, sizeof *tz);
    size_t len = bytes && tz ? fread(bytes, 1, FILE_MAX, file) : 0;
    (void)fclose(file); /* It was only read. */
    if (len == 0 || !parse_file(bytes, len, tz))
        tz = tz_free(tz);
    free(bytes);
    if (tz)
        (void)snprintf(tz->id, sizeof tz->id, "%s", id); /* Always fits. */
    return tz;
}

static bool is_known_name(struct bt_str id)
{
    static const char *const refused[] = {"EST",        "MST",         "HST",
                                          "ROC",        "Factory",     "localtime",
                                          "posixrules", "leapseconds", "tzdata.zi"};
    if (id.len < 2 || id.len >= 48 || !((id.at[0] | 32) >= 'a' && (id.at[0] | 32) <= 'z'))
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        bool is_ok = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                     c == '-' || c == '+' || c == '/';
        if (!is_ok)
            return false;
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (bt_str_is(id, refused[i]))
            return false;
    return !bt_str_starts(id, BT_STR("posix/")) && !bt_str_starts(id, BT_STR("right/"));
}

static const struct bt_tz *find_region(struct bt_str id)
{
    char name[48];
    for (struct bt_tz *tz = atomic_load_explicit(&known, memory_order_acquire); tz; tz = tz->next)
        if (bt_str_is(id, tz->id))
            return tz;
    memcpy(name, id.at, id.len);
    name[id.len] = '\0';
    struct bt_tz *tz = read_file(name);
    if (!tz)
        return NULL;
    /* Two threads may read the same file at once: then it is kept twice, which does no harm. */
    tz->next = atomic_load_explicit(&known, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&known, &tz->next, tz, memory_order_release,
                                                  memory_order_relaxed))
        ;
    return tz;
}

/* --- Offsets ---------------------------------------------------------------------------------- */

/* Local second of the year's rule day, without a zone. */
static int64_t rule_local(const struct rule_day *rule, int64_t year)
{
    int64_t day = bt_civil_days(year, 1, 1);
    if (rule->kind == 'J') {
        bool is_leap = bt_month_length(year, 2) == 29;
        day += rule->day - 1 + (is_leap && rule->day >= 60);
    } else if (rule->kind == 'n') {
        day += rule->day;
    } else {
        int month = rule->month ? rule->month : 1;
        day = bt_civil_days(year, month, 1);
        int first = bt_day_of_week(day) % 7; /* 0 is Sunday. */
        int date = (rule->day - first + 7) % 7 + 1 + (rule->week - 1) * 7;
        while (date > bt_month_length(year, month))
            date -= 7;
        day += date - 1;
    }
    return day * 86400 + rule->time_s;
}

static const struct type *tail_type(const struct bt_tz *tz, int64_t epoch_s)
{
    if (!tz->has_dst)
        return &tz->std;
    int64_t year = bt_civil_of(epoch_s + tz->std.offset_s, 0).year;
    int64_t from = rule_local(&tz->dst_from, year) - tz->std.offset_s;
    int64_t to = rule_local(&tz->dst_to, year) - tz->dst.offset_s;
    bool is_dst = from < to ? epoch_s >= from && epoch_s < to : epoch_s >= from || epoch_s < to;
    return is_dst ? &tz->dst : &tz->std;
}

static const struct type *type_at(const struct bt_tz *tz, int64_t epoch_s)
{
    size_t low = 0, high = tz->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tz->times[middle] <= epoch_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == tz->count && tz->has_tail)
        return tail_type(tz, epoch_s);
    if (low > 0)
        return &tz->types[tz->kinds[low - 1]];
    for (size_t i = 0; i < tz->types_count; i++) /* Before all: the first standard time. */
        if (!tz->types[i].is_dst)
            return &tz->types[i];
    return &tz->types[0];
}

int32_t bt_zone_offset(const struct bt_zone *zone, int64_t epoch_s)
{
    return zone->rules ? type_at(zone->rules, epoch_s)->offset_s : zone->offset_s;
}

int64_t bt_zone_instant(const struct bt_zone *zone, int64_t local_s)
{
    if (!zone->rules)
        return local_s - zone->offset_s;
    int32_t before = bt_zone_offset(zone, local_s - 86400);
    int32_t after = bt_zone_offset(zone, local_s + 86400);
    if (bt_zone_offset(zone, local_s - before) == before)
        return local_s - before;
    if (bt_zone_offset(zone, local_s - after) == after)
        return local_s - after;
    return local_s - before;
}

const char *bt_zone_abbreviation(const struct bt_zone *zone, int64_t epoch_s)
{
    if (!zone->rules)
        return "";
    const char *text = type_at(zone->rules, epoch_s)->abbreviation;
    return (*text | 32) >= 'a' && (*text | 32) <= 'z' ? text : "";
}

bool bt_zone_is_dst(const struct bt_zone *zone, int64_t epoch_s)
{
    return zone->rules && type_at(zone->rules, epoch_s)->is_dst;
}

/* --- Ids -------------------------------------------------------------------------------------- */

struct bt_zone bt_zone_utc(void)
{
    return (struct bt_zone){.id = "UTC", .is_region = true};
}

struct bt_zone bt_zone_fixed(int32_t offset_s)
{
    struct bt_zone zone = {.offset_s = offset_s, .id = "Z"};
    unsigned size = (unsigned)(offset_s < 0 ? -offset_s : offset_s) % (100 * 3600);
    if (offset_s == 0)
        return zone;
    int len = snprintf(zone.id, sizeof zone.id, "%c%02u:%02u", offset_s < 0 ? '-' : '+',
                       size / 3600, size / 60 % 60);
    if (size % 60)
        (void)snprintf(zone.id + len, sizeof zone.id - (size_t)len, ":%02u", size % 60);
    return zone;
}

/* +h, +hh, +hh:mm, +hhmm, +hh:mm:ss, +hhmmss. */
static bool parse_offset(struct bt_str text, int32_t *ret_s)
{
    int digits[6], count = 0;
    if (text.len < 2 || text.len > 9 || (text.at[0] != '+' && text.at[0] != '-'))
        return false;
    bool has_colons = memchr(text.at, ':', text.len) != NULL;
    for (size_t i = 1; i < text.len; i++) {
        if (text.at[i] == ':' && (i == 3 || i == 6) && i + 1 < text.len)
            continue;
        if (text.at[i] < '0' || text.at[i] > '9' || count == 6 ||
            (has_colons && (i == 3 || i == 6)))
            return false;
        digits[count++] = text.at[i] - '0';
    }
    if (count == 1) {
        digits[1] = digits[0];
        digits[0] = 0;
        count = 2;
    }
    for (int i = count; i < 6; i++)
        digits[i] = 0;
    int minutes = digits[2] * 10 + digits[3], seconds = digits[4] * 10 + digits[5];
    int32_t total = (digits[0] * 10 + digits[1]) * 3600 + minutes * 60 + seconds;
    *ret_s = text.at[0] == '-' ? -total : total;
    return count % 2 == 0 && minutes < 60 && seconds < 60 && total <= OFFSET_MAX_S;
}

/* UTC+1, GMT-02:30, UT+03: a region of its own name with a fixed offset. */
static bool parse_prefixed(struct bt_str id, struct bt_zone *zone)
{
    static const char *const prefixes[] = {"UTC", "GMT", "UT"};
    for (size_t i = 0; i < 3; i++) {
        struct bt_str prefix = bt_str_of(prefixes[i]);
        int32_t offset;
        if (!bt_str_starts(id, prefix))
            continue;
        struct bt_str rest = bt_str_slice(id, prefix.len, id.len);
        if (rest.len && (bt_str_is(rest, "0") || !parse_offset(rest, &offset)))
            continue;
        *zone = bt_zone_fixed(rest.len ? offset : 0);
        char suffix[48];
        (void)snprintf(suffix, sizeof suffix, "%s", zone->id); /* Always fits. */
        (void)snprintf(zone->id, sizeof zone->id, "%s%.20s", prefixes[i],
                       rest.len && offset ? suffix : ""); /* Always fits. */
        zone->is_region = true;
        return true;
    }
    return false;
}

int bt_zone_of(struct bt_str id, struct bt_zone *ret_zone, struct bt_err *err)
{
    int32_t offset;
    if (bt_str_is(id, "Z")) {
        *ret_zone = bt_zone_fixed(0);
        return BT_OK;
    }
    if (id.len && (id.at[0] == '+' || id.at[0] == '-')) {
        if (!parse_offset(id, &offset))
            return bt_fail(err, BT_INVALID, "Invalid ID for ZoneOffset, invalid format: %.*s",
                           BT_FMT(id));
        *ret_zone = bt_zone_fixed(offset);
        return BT_OK;
    }
    if (parse_prefixed(id, ret_zone))
        return BT_OK;
    const struct bt_tz *tz = is_known_name(id) ? find_region(id) : NULL;
    if (!tz)
        return bt_fail(err, BT_INVALID, "Unknown time-zone ID: %.*s", BT_FMT(id));
    *ret_zone = (struct bt_zone){.rules = tz, .is_region = true};
    memcpy(ret_zone->id, tz->id, sizeof ret_zone->id);
    return BT_OK;
}
