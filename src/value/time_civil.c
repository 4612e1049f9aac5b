/* time_civil.c — Calendar arithmetic: days, weeks, adding units. Pure. */
#include "value/time.h"

#include <assert.h>

enum { DAY_S = 86400, NANO = 1000000000 };

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    return a - floor_div(a, b) * b;
}

static bool is_leap(int64_t year)
{
    return floor_mod(year, 4) == 0 && (floor_mod(year, 100) != 0 || floor_mod(year, 400) == 0);
}

/* Counts from March on, so that the leap day is the last one of the year. */
int64_t bt_civil_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int64_t bt_civil_seconds(const struct bt_civil *civil)
{
    return bt_civil_days(civil->year, civil->month, civil->day) * DAY_S + civil->hour * 3600 +
           civil->minute * 60 + civil->second;
}

struct bt_civil bt_civil_of(int64_t local_s, int nano)
{
    int64_t days = floor_div(local_s, DAY_S), second = floor_mod(local_s, DAY_S);
    int64_t z = days + 719468, era = floor_div(z, 146097), day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    struct bt_civil civil = {
        .year = year_of_era + era * 400 + (m >= 10),
        .month = (int)(m < 10 ? m + 3 : m - 9),
        .day = (int)(day_of_year - (153 * m + 2) / 5 + 1),
        .hour = (int)(second / 3600),
        .minute = (int)(second / 60 % 60),
        .second = (int)(second % 60),
        .nano = nano,
    };
    return civil;
}

int bt_month_length(int64_t year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    assert(month >= 1 && month <= 12);
    return month == 2 && is_leap(year) ? 29 : lengths[month - 1];
}

int bt_day_of_year(const struct bt_civil *civil)
{
    return (int)(bt_civil_days(civil->year, civil->month, civil->day) -
                 bt_civil_days(civil->year, 1, 1)) +
           1;
}

int bt_day_of_week(int64_t days)
{
    return (int)floor_mod(days + 3, 7) + 1;
}

/* The day on which week 1 of the year begins. */
static int64_t first_week(int64_t year, int first_day, int min_days)
{
    int64_t start = bt_civil_days(year, 1, 1);
    int64_t back = floor_mod(bt_day_of_week(start) - first_day, 7);
    int64_t week = start - back;
    return 7 - back >= min_days ? week : week + 7;
}

int bt_week_of_year(const struct bt_civil *civil, int first_day, int min_days, int64_t *ret_year)
{
    int64_t day = bt_civil_days(civil->year, civil->month, civil->day), year = civil->year;
    if (day >= first_week(year + 1, first_day, min_days))
        year++;
    else if (day < first_week(year, first_day, min_days))
        year--;
    *ret_year = year;
    return (int)((day - first_week(year, first_day, min_days)) / 7) + 1;
}

/* --- Moments ---------------------------------------------------------------------------------- */

struct bt_moment bt_moment_of_us(int64_t epoch_us, const struct bt_zone *zone)
{
    return (struct bt_moment){.epoch_s = floor_div(epoch_us, 1000000),
                              .nano = (int)floor_mod(epoch_us, 1000000) * 1000,
                              .zone = *zone};
}

struct bt_civil bt_moment_civil(const struct bt_moment *moment)
{
    return bt_civil_of(moment->epoch_s + bt_zone_offset(&moment->zone, moment->epoch_s),
                       moment->nano);
}

static const struct unit {
    const char *name;
    int64_t months, days, seconds;
    int nano;
} units[] = {
    {"NANOS", 0, 0, 0, 1},         {"MICROS", 0, 0, 0, 1000},     {"MILLIS", 0, 0, 0, 1000000},
    {"SECONDS", 0, 0, 1, 0},       {"MINUTES", 0, 0, 60, 0},      {"HOURS", 0, 0, 3600, 0},
    {"HALF_DAYS", 0, 0, 43200, 0}, {"DAYS", 0, 1, 0, 0},          {"WEEKS", 0, 7, 0, 0},
    {"MONTHS", 1, 0, 0, 0},        {"YEARS", 12, 0, 0, 0},        {"DECADES", 120, 0, 0, 0},
    {"CENTURIES", 1200, 0, 0, 0},  {"MILLENNIA", 12000, 0, 0, 0},
};

static bool in_range(int64_t seconds)
{
    const int64_t most = (int64_t)BT_EPOCH_MAX_YEAR * 31556952;
    return seconds < most && seconds > -most;
}

/* Exact units: on the time line. */
static bool add_exact(struct bt_moment *moment, int64_t amount, const struct unit *unit)
{
    int64_t seconds;
    if (unit->nano) {
        int64_t per_second = NANO / unit->nano;
        seconds = floor_div(amount, per_second);
        int64_t nano = moment->nano + floor_mod(amount, per_second) * unit->nano;
        moment->nano = (int)(nano % NANO);
        seconds += nano / NANO;
    } else if (__builtin_mul_overflow(amount, unit->seconds, &seconds)) {
        return false;
    }
    return in_range(seconds) && in_range(moment->epoch_s += seconds);
}

/* Units of the calendar: on the local date, then back to an instant. */
static bool add_local(struct bt_moment *moment, int64_t amount, const struct unit *unit)
{
    struct bt_civil civil = bt_moment_civil(moment);
    int64_t step;
    if (__builtin_mul_overflow(amount, unit->months ? unit->months : unit->days, &step))
        return false;
    if (step > (int64_t)BT_EPOCH_MAX_YEAR * 366 || step < -(int64_t)BT_EPOCH_MAX_YEAR * 366)
        return false;
    if (unit->months) {
        int64_t months = civil.year * 12 + civil.month - 1 + step;
        civil.year = floor_div(months, 12);
        civil.month = (int)floor_mod(months, 12) + 1;
        int last = bt_month_length(civil.year, civil.month);
        civil.day = civil.day < last ? civil.day : last;
        step = 0;
    }
    if (civil.year > BT_EPOCH_MAX_YEAR || civil.year < -BT_EPOCH_MAX_YEAR)
        return false;
    int64_t local = bt_civil_seconds(&civil) + step * DAY_S;
    if (!in_range(local))
        return false;
    moment->epoch_s = bt_zone_instant(&moment->zone, local);
    return true;
}

int bt_moment_add(struct bt_moment *moment, int64_t amount, struct bt_str unit, struct bt_err *err)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!bt_str_is(unit, units[i].name))
            continue;
        struct bt_moment moved = *moment;
        bool is_local = units[i].months || units[i].days;
        if (is_local ? !add_local(&moved, amount, &units[i])
                     : !add_exact(&moved, amount, &units[i]))
            return bt_fail(err, BT_INVALID, "the date is out of range");
        *moment = moved;
        return BT_OK;
    }
    return bt_fail(err, BT_INVALID, "No enum constant java.time.temporal.ChronoUnit.%.*s",
                   BT_FMT(unit));
}
