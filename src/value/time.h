/* time.h — Instants, dates, zones, durations, and the pattern language of java.time.
 *
 * Pure but for one thing: the rules of a zone are read once from the machine's zone database and
 * kept for the life of the process. Any thread may use everything here. Proleptic Gregorian
 * calendar. */
#pragma once
#include "base/buf.h"

/* --- Zones ------------------------------------------------------------------------------------ */

struct bt_tz; /* Rules of a region; immutable. */

struct bt_zone {
    const struct bt_tz *rules; /* NULL: a fixed offset. */
    int32_t offset_s;          /* Of a fixed one: seconds east of UTC. */
    bool is_region;            /* Has a name ("UTC" too), not just an offset. */
    char id[48];               /* "Europe/Paris", "UTC", "+02:00", "Z". */
};

/* "Europe/Paris", "UTC", "Z", "+02:00", "UTC+1", … Errors: BT_INVALID in the original's words. */
int bt_zone_of(struct bt_str id, struct bt_zone *ret_zone, struct bt_err *err);
struct bt_zone bt_zone_utc(void);
struct bt_zone bt_zone_fixed(int32_t offset_s);
/* Seconds east of UTC at an instant. */
int32_t bt_zone_offset(const struct bt_zone *zone, int64_t epoch_s);
/* The instant of a local time; in a gap the local time moves forward, in an overlap the earlier
 * instant is meant. */
int64_t bt_zone_instant(const struct bt_zone *zone, int64_t local_s);
/* "CET", "CEST"; an empty string when the database has no letters for it. */
const char *bt_zone_abbreviation(const struct bt_zone *zone, int64_t epoch_s);
bool bt_zone_is_dst(const struct bt_zone *zone, int64_t epoch_s);

/* --- Calendar --------------------------------------------------------------------------------- */

struct bt_civil {
    int64_t year; /* Astronomical: 0 is 1 BC. */
    int month, day, hour, minute, second, nano;
};

int64_t bt_civil_days(int64_t year, int month, int day); /* Since 1970-01-01. */
/* Seconds since 1970 of the local date and time, without a zone. */
int64_t bt_civil_seconds(const struct bt_civil *civil);
struct bt_civil bt_civil_of(int64_t local_s, int nano);
int bt_month_length(int64_t year, int month);
int bt_day_of_year(const struct bt_civil *civil); /* 1-based. */
int bt_day_of_week(int64_t days);                 /* 1 Monday … 7 Sunday. */
/* Week of the year by a first day (1…7) and the days that a first week must have. */
int bt_week_of_year(const struct bt_civil *civil, int first_day, int min_days, int64_t *ret_year);

/* A moment in a zone. */
struct bt_moment {
    int64_t epoch_s;
    int nano;
    struct bt_zone zone;
};

enum { BT_EPOCH_MAX_YEAR = 999999999 };

struct bt_moment bt_moment_of_us(int64_t epoch_us, const struct bt_zone *zone);
struct bt_civil bt_moment_civil(const struct bt_moment *moment);
/* Adds an amount of a ChronoUnit ("DAYS", "HOURS", …). BT_INVALID: unknown unit or out of range. */
int bt_moment_add(struct bt_moment *moment, int64_t amount, struct bt_str unit, struct bt_err *err);

/* --- Texts ------------------------------------------------------------------------------------ */

/* Formats by a pattern, a name (iso, sql, iso_date_time, rfc_1123_date_time …) or a style (full,
 * long, medium, short). `locale`: "fr", "en_US"; empty is en_US. BT_INVALID in the original's
 * words. */
int bt_moment_format(const struct bt_moment *moment, struct bt_str format, struct bt_str locale,
                     struct bt_buf *out, struct bt_err *err);
/* Parses by a pattern, name or, when it is empty, ISO 8601. What has no zone of its own gets
 * `zone`; what has no time begins the day. */
int bt_moment_parse(struct bt_str text, struct bt_str format, const struct bt_zone *zone,
                    struct bt_moment *ret_moment, struct bt_err *err);
/* The ISO text of a zoned moment: 2024-01-01T00:00Z[UTC]. */
int bt_moment_text(const struct bt_moment *moment, struct bt_buf *out);

/* --- Durations -------------------------------------------------------------------------------- */

struct bt_duration {
    int64_t seconds;
    int nano; /* 0 … 999999999, also of negative ones. */
};

/* "PT1H30M", "P2DT3.5S", "-PT5S". BT_INVALID in the original's words. */
int bt_time_duration_parse(struct bt_str text, struct bt_duration *ret_duration,
                           struct bt_err *err);
int bt_duration_format(const struct bt_duration *duration, struct bt_buf *out);
