/* iso.c — ISO-8601 dates and times, in the proleptic Gregorian calendar. */
#include "model/iso_int.h"

#include "model/flow.h"

#include <stdio.h>

static bool digits(struct bt_str text, size_t at, size_t count, int *ret_number)
{
    int number = 0;
    if (at + count > text.len)
        return false;
    for (size_t i = at; i < at + count; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        number = number * 10 + (text.at[i] - '0');
    }
    *ret_number = number;
    return true;
}

static bool is_char(struct bt_str text, size_t at, char c)
{
    return at < text.len && text.at[at] == c;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

/* Days since 1970-01-01 (years counted from March; Hinnant's method). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool bt_iso_date(struct bt_str text, int64_t *ret_days)
{
    int year, month, day;
    if (text.len != 10 || !digits(text, 0, 4, &year) || !is_char(text, 4, '-') ||
        !digits(text, 5, 2, &month) || !is_char(text, 7, '-') || !digits(text, 8, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
        return false;
    *ret_days = days_of(year, month, day);
    return true;
}

bool bt_iso_time(struct bt_str text, int64_t *ret_us)
{
    int hour, minute, second = 0;
    int64_t fraction = 0;
    if (!digits(text, 0, 2, &hour) || !is_char(text, 2, ':') || !digits(text, 3, 2, &minute))
        return false;
    size_t at = 5;
    if (is_char(text, at, ':')) {
        if (!digits(text, at + 1, 2, &second))
            return false;
        at += 3;
        int64_t scale = 100000;
        size_t first = at + 1;
        if (is_char(text, at, '.'))
            for (at++; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++) {
                fraction += (text.at[at] - '0') * scale;
                scale /= 10;
            }
        if (at == first || at > first + 9)
            return false;
    }
    if (at != text.len || hour > 23 || minute > 59 || second > 59)
        return false;
    *ret_us = ((hour * 60 + minute) * INT64_C(60) + second) * 1000000 + fraction;
    return true;
}

/* "Z", "+02:00", "-0530", "+02": microseconds, and where it starts. */
static bool split_offset(struct bt_str text, size_t *ret_start, int64_t *ret_us)
{
    int hours = 0, minutes = 0;
    if (text.len && (text.at[text.len - 1] == 'Z' || text.at[text.len - 1] == 'z')) {
        *ret_start = text.len - 1;
        *ret_us = 0;
        return true;
    }
    size_t at = text.len;
    while (at > 0 && text.at[at - 1] != '+' && text.at[at - 1] != '-')
        at--;
    if (at == 0 || !digits(text, at, 2, &hours))
        return false;
    size_t rest = text.len - at - 2;
    if (rest == 3 && (!is_char(text, at + 2, ':') || !digits(text, at + 3, 2, &minutes)))
        return false;
    if (rest == 2 && !digits(text, at + 2, 2, &minutes))
        return false;
    if ((rest != 0 && rest != 2 && rest != 3) || hours > 18 || minutes > 59)
        return false;
    *ret_start = at - 1;
    *ret_us = (hours * 60 + minutes) * INT64_C(60000000) * (text.at[at - 1] == '-' ? -1 : 1);
    return true;
}

bool bt_iso_instant(struct bt_str text, int64_t *ret_us)
{
    int64_t days, time_us, offset_us;
    size_t end;
    if (!bt_iso_date(bt_str_slice(text, 0, 10), &days) ||
        (!is_char(text, 10, 'T') && !is_char(text, 10, 't')))
        return false;
    struct bt_str rest = bt_str_slice(text, 11, text.len);
    if (!split_offset(rest, &end, &offset_us) || !bt_iso_time(bt_str_slice(rest, 0, end), &time_us))
        return false;
    *ret_us = days * INT64_C(86400000000) + time_us - offset_us;
    return true;
}

size_t bt_iso_instant_format(int64_t us, char ret_text[BT_ISO_INSTANT_LEN])
{
    int64_t day_us = INT64_C(86400000000);
    int64_t days = us / day_us - (us % day_us < 0 ? 1 : 0);
    int64_t rest_ms = (us - days * day_us) / 1000;
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_shifted = (5 * of_year + 2) / 153;
    int day = (int)(of_year - (153 * month_shifted + 2) / 5 + 1);
    int month = (int)(month_shifted < 10 ? month_shifted + 3 : month_shifted - 9);
    int year = (int)(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
    int len = snprintf(ret_text, BT_ISO_INSTANT_LEN, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year,
                       month, day, (int)(rest_ms / 3600000), (int)(rest_ms / 60000 % 60),
                       (int)(rest_ms / 1000 % 60), (int)(rest_ms % 1000));
    return len > 0 ? (size_t)len : 0;
}

bool bt_instant_parse(struct bt_str text, int64_t *ret_us)
{
    return bt_iso_instant(text, ret_us);
}
