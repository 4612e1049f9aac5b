/* time_test.c — Goal: zones, calendar, patterns and durations agree with java.time. Method: rows of
 * moments, patterns and texts; round trips over many days; damaged zone names. */
#include "value/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static struct bt_zone zone_of(const char *id)
{
    struct bt_zone zone;
    assert_int_equal(bt_zone_of(bt_str_of(id), &zone, NULL), BT_OK);
    return zone;
}

/* --- Zones ------------------------------------------------------------------------------------ */

static const struct {
    const char *zone;
    int64_t epoch_s;
    int32_t offset_s;
    const char *abbreviation;
} offsets[] = {
    {"UTC", 0, 0, ""},
    {"Z", 0, 0, ""},
    {"+05:30", 0, 19800, ""},
    {"-3", 0, -10800, ""},
    {"+01:02:03", 0, 3723, ""},
    {"UTC+2", 0, 7200, ""},
    {"GMT-02:30", 0, -9000, ""},
    {"Europe/Paris", 1705314600, 3600, "CET"},
    {"Europe/Paris", 1721040000, 7200, "CEST"},
    {"Europe/Paris", 1711846799, 3600, "CET"},  /* A second before summer time. */
    {"Europe/Paris", 1711846800, 7200, "CEST"}, /* Its first second. */
    {"Europe/Paris", 4102444800, 3600, "CET"},  /* 2100: by the rule at the end of the file. */
    {"Europe/Paris", 4118083200, 7200, "CEST"},
    {"Europe/Paris", -5000000000, 561, "LMT"},
    {"America/New_York", 1705314600, -18000, "EST"},
    {"Australia/Sydney", 4102444800, 39600, "AEDT"}, /* Summer spans the new year. */
    {"Asia/Kathmandu", 1705314600, 20700, ""},
};

static void test_offsets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(offsets); i++) {
        struct bt_zone zone = zone_of(offsets[i].zone);
        assert_int_equal(bt_zone_offset(&zone, offsets[i].epoch_s), offsets[i].offset_s);
        assert_string_equal(bt_zone_abbreviation(&zone, offsets[i].epoch_s),
                            offsets[i].abbreviation);
    }
}

static void test_bad_zones(void **state)
{
    static const char *const bad[] = {
        "",          "Nope/Zone", "../etc/passwd", "Europe/../Europe/Paris",
        "EST",       "+19",       "+1:00",         "+01:60",
        "europe",    "posix/UTC", "Europe",        "+",
        "UTC+25:00", "zone.tab",  "tzdata.zi",     "Europe/Paris/",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bt_zone zone;
        struct bt_err err = BT_ERR_INIT;
        if (bt_zone_of(bt_str_of(bad[i]), &zone, &err) != BT_INVALID)
            fail_msg("'%s' is taken for a zone", bad[i]);
        assert_true(err.msg[0] != '\0');
    }
}

static void test_gaps(void **state)
{
    struct bt_zone paris = zone_of("Europe/Paris");
    struct bt_civil gap = {2024, 3, 31, 2, 30, 0, 0}, overlap = {2024, 10, 27, 2, 30, 0, 0};
    (void)state;
    assert_int_equal(bt_zone_instant(&paris, bt_civil_seconds(&gap)), 1711848600);
    assert_int_equal(bt_zone_instant(&paris, bt_civil_seconds(&overlap)), 1729989000);
}

/* --- Calendar --------------------------------------------------------------------------------- */

static void test_calendar(void **state)
{
    (void)state;
    int64_t before = bt_civil_days(-401, 12, 31);
    for (int64_t days = before + 1; days < before + 900000; days += 97) {
        struct bt_civil civil = bt_civil_of(days * 86400 + 86399, 7);
        assert_int_equal(bt_civil_days(civil.year, civil.month, civil.day), days);
        assert_int_equal(civil.hour * 3600 + civil.minute * 60 + civil.second, 86399);
        assert_true(civil.day <= bt_month_length(civil.year, civil.month));
    }
    assert_int_equal(bt_day_of_week(0), 4);
    assert_int_equal(bt_day_of_week(-1), 3);
}

static const struct {
    int year, month, day, first, min, week, week_year;
} weeks[] = {
    {2024, 1, 15, 7, 1, 3, 2024},  {2021, 1, 3, 1, 4, 53, 2020}, {2024, 12, 30, 1, 4, 1, 2025},
    {2024, 12, 29, 7, 1, 1, 2025}, {2023, 1, 1, 7, 1, 1, 2023},  {2016, 1, 1, 1, 4, 53, 2015},
};

static void test_weeks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(weeks); i++) {
        struct bt_civil civil = {weeks[i].year, weeks[i].month, weeks[i].day, 0, 0, 0, 0};
        int64_t year;
        int week = bt_week_of_year(&civil, weeks[i].first, weeks[i].min, &year);
        assert_int_equal(week, weeks[i].week);
        assert_int_equal(year, weeks[i].week_year);
    }
}

static const struct {
    const char *from, *unit;
    int64_t amount;
    const char *want; /* NULL: refused. */
} additions[] = {
    {"2024-01-31T10:00:00Z", "MONTHS", 1, "2024-02-29T10:00:00Z"},
    {"2024-02-29T00:00:00Z", "YEARS", 1, "2025-02-28T00:00:00Z"},
    {"2024-01-01T00:00:00Z", "DAYS", -1, "2023-12-31T00:00:00Z"},
    {"2024-01-01T00:00:00Z", "WEEKS", 2, "2024-01-15T00:00:00Z"},
    {"2024-01-01T00:00:00Z", "NANOS", -1, "2023-12-31T23:59:59.999999999Z"},
    {"2024-01-01T00:00:00Z", "MILLIS", 1500, "2024-01-01T00:00:01.500Z"},
    {"2024-01-01T00:00:00Z", "HALF_DAYS", 1, "2024-01-01T12:00:00Z"},
    {"2024-03-30T12:00:00+01:00[Europe/Paris]", "DAYS", 1, "2024-03-31T10:00:00Z"},
    {"2024-03-30T12:00:00+01:00[Europe/Paris]", "HOURS", 24, "2024-03-31T11:00:00Z"},
    {"2024-01-01T00:00:00Z", "CENTURIES", 1, "2124-01-01T00:00:00Z"},
    {"2024-01-01T00:00:00Z", "days", 1, NULL},
    {"2024-01-01T00:00:00Z", "YEARS", INT64_MAX, NULL},
    {"2024-01-01T00:00:00Z", "SECONDS", INT64_MIN, NULL},
};

static void test_additions(void **state)
{
    struct bt_zone utc = bt_zone_utc();
    (void)state;
    for (size_t i = 0; i < COUNT(additions); i++) {
        struct bt_moment moment;
        struct bt_buf out = BT_BUF_INIT(1000);
        assert_int_equal(
            bt_moment_parse(bt_str_of(additions[i].from), BT_STR(""), &utc, &moment, NULL), BT_OK);
        int rc = bt_moment_add(&moment, additions[i].amount, bt_str_of(additions[i].unit), NULL);
        assert_int_equal(rc, additions[i].want ? BT_OK : BT_INVALID);
        if (additions[i].want) {
            bt_moment_format(&moment, BT_STR("iso_instant"), BT_STR(""), &out, NULL);
            assert_string_equal(bt_buf_cstr(&out), additions[i].want);
        }
        bt_buf_done(&out);
    }
}

/* --- Patterns --------------------------------------------------------------------------------- */

/* All of 2024-01-15T10:30:05.123456789Z. */
static const struct {
    const char *pattern, *zone, *locale, *want; /* want: "!…" a part of the error. */
} formats[] = {
    {"yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "Europe/Paris", "", "2024-01-15T11:30:05.123+01:00"},
    {"G GGGG y yy yyyyy u", "UTC", "", "AD Anno Domini 2024 24 02024 2024"},
    {"M MM MMM MMMM MMMMM L LLLL", "UTC", "", "1 01 Jan January J 1 January"},
    {"d dd D DDD E EEEE EEEEE", "UTC", "", "15 15 15 015 Mon Monday M"},
    {"e ee eee c w W F Q QQ QQQ QQQQ", "UTC", "", "2 02 Mon 2 3 3 3 1 01 Q1 1st quarter"},
    {"e w", "UTC", "fr_FR", "1 3"},
    {"H HH h hh K k a", "America/New_York", "", "5 05 5 05 5 5 AM"},
    {"m s S SS SSSSSSSSS n A N", "UTC", "",
     "30 5 1 12 123456789 123456789 37805123 37805123456789"},
    {"X XX XXX x xx xxx Z ZZZZ ZZZZZ O OOOO", "UTC", "",
     "Z Z Z +00 +0000 +00:00 +0000 GMT Z GMT GMT"},
    {"X XX XXX x Z ZZZZ O", "Asia/Kolkata", "",
     "+0530 +0530 +05:30 +0530 +0530 GMT+05:30 GMT+5:30"},
    {"VV z zzzz", "Europe/Paris", "", "Europe/Paris CET Central European Standard Time"},
    {"'it''s' ''d'' [d]", "UTC", "", "it's '15' 15"},
    {"ppppd|pph", "UTC", "", "  15|10"},
    {"EEEE d MMMM y", "UTC", "de", "Montag 15 Januar 2024"},
    {"d MMM", "UTC", "es", "15 ene"},
    {"iso", "UTC", "", "2024-01-15T10:30:05.123456Z"},
    {"sql", "UTC", "", "2024-01-15 10:30:05.123456"},
    {"iso_date_time", "Europe/Paris", "", "2024-01-15T11:30:05.123456789+01:00[Europe/Paris]"},
    {"iso_date", "+02:00", "", "2024-01-15+02:00"},
    {"iso_time", "UTC", "", "10:30:05.123456789Z"},
    {"iso_offset_time", "UTC", "", "10:30:05.123456789Z"},
    {"iso_local_time", "UTC", "", "10:30:05.123456789"},
    {"iso_ordinal_date", "UTC", "", "2024-015Z"},
    {"iso_week_date", "UTC", "", "2024-W03-1Z"},
    {"iso_instant", "Asia/Tokyo", "", "2024-01-15T10:30:05.123456789Z"},
    {"rfc_1123_date_time", "Europe/Paris", "fr", "Mon, 15 Jan 2024 11:30:05 +0100"},
    {"long", "UTC", "en", "January 15, 2024 at 10:30:05\u202fAM UTC"},
    {"short", "UTC", "de", "15.01.24, 10:30"},
    {"i", "UTC", "", "!Unknown pattern letter: i"},
    {"ddd", "UTC", "", "!Too many pattern letters: d"},
    {"aa", "UTC", "", "!Too many pattern letters: a"},
    {"'x", "UTC", "", "!incomplete string literal"},
    {"#", "UTC", "", "!reserved character: '#'"},
    {"d]", "UTC", "", "!without previous ["},
    {"p", "UTC", "", "!Pad letter"},
    {"pppMMMM", "UTC", "", "!exceeds pad width"},
};

static void test_formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(formats); i++) {
        struct bt_moment moment = {1705314605, 123456789, zone_of(formats[i].zone)};
        struct bt_buf out = BT_BUF_INIT(1000);
        struct bt_err err = BT_ERR_INIT;
        int rc = bt_moment_format(&moment, bt_str_of(formats[i].pattern),
                                  bt_str_of(formats[i].locale), &out, &err);
        if (formats[i].want[0] == '!')
            assert_non_null(strstr(err.msg, formats[i].want + 1));
        else
            assert_string_equal(bt_buf_cstr(&out), formats[i].want);
        assert_int_equal(rc, formats[i].want[0] == '!' ? BT_INVALID : BT_OK);
        bt_buf_done(&out);
    }
}

static const struct {
    const char *text, *pattern, *want; /* want: the instant, or "!…". */
} texts[] = {
    {"2024-01-15T10:30:00Z", "", "2024-01-15T10:30:00Z"},
    {"2024-01-15T10:30:00.5+02:00", "", "2024-01-15T08:30:00.500Z"},
    {"2024-07-15T10:30+02:00[Europe/Paris]", "", "2024-07-15T08:30:00Z"},
    {"2024-01-15T10:30", "", "2024-01-15T09:30:00Z"}, /* In the zone given: Paris. */
    {"2024-01-15", "", "2024-01-14T23:00:00Z"},
    {"15/01/2024", "dd/MM/yyyy", "2024-01-14T23:00:00Z"},
    {"31/02/2024", "dd/MM/yyyy", "2024-02-28T23:00:00Z"},
    {"20240115103005123", "yyyyMMddHHmmssSSS", "2024-01-15T09:30:05.123Z"},
    {"July 4, 2001", "MMMM d, yyyy", "2001-07-03T22:00:00Z"},
    {"5/1/24 3:04 PM", "d/M/yy h:mm a", "2024-01-05T14:04:00Z"},
    {"5/1/24 12:00 AM", "d/M/yy h:mm a", "2024-01-04T23:00:00Z"},
    {"2024-060", "yyyy-DDD", "2024-02-28T23:00:00Z"},
    {"2024-W03-1", "iso_week_date", "2024-01-14T23:00:00Z"},
    {"Mon, 15 Jan 2024 10:30:00 GMT", "rfc_1123_date_time", "2024-01-15T10:30:00Z"},
    {"2024-01-15 10:30 +0130", "yyyy-MM-dd HH:mm Z", "2024-01-15T09:00:00Z"},
    {"2024-01-15 10:30 Asia/Tokyo", "yyyy-MM-dd HH:mm VV", "2024-01-15T01:30:00Z"},
    {"2024-01-15", "yyyy-MM-dd[ HH:mm]", "2024-01-14T23:00:00Z"},
    {"2024-01-15 24:00", "yyyy-MM-dd HH:mm", "2024-01-15T23:00:00Z"},
    {"bad", "", "!Text 'bad' could not be parsed at index 0"},
    {"2024-13-01", "", "!could not be parsed"},
    {"2024-01-15x", "", "!unparsed text found at index 10"},
    {"32/01/2024", "dd/MM/yyyy", "!could not be parsed"},
    {"Tue, 15 Jan 2024", "EEE, d MMM yyyy", "!could not be parsed"},
    {"10:30", "HH:mm", "!Unable to obtain LocalDate"},
    {"2024-01-15 25:00", "yyyy-MM-dd HH:mm", "!could not be parsed"},
    {"12024-01-15", "yyyy-MM-dd", "!could not be parsed at index 0"},
};

static void test_texts(void **state)
{
    struct bt_zone paris = zone_of("Europe/Paris");
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct bt_moment moment;
        struct bt_buf out = BT_BUF_INIT(1000);
        struct bt_err err = BT_ERR_INIT;
        int rc = bt_moment_parse(bt_str_of(texts[i].text), bt_str_of(texts[i].pattern), &paris,
                                 &moment, &err);
        if (texts[i].want[0] == '!') {
            if (rc != BT_INVALID || !strstr(err.msg, texts[i].want + 1))
                fail_msg("%s: %s", texts[i].text, err.msg);
            continue;
        }
        if (rc < 0)
            fail_msg("%s: %s", texts[i].text, err.msg);
        bt_moment_format(&moment, BT_STR("iso_instant"), BT_STR(""), &out, NULL);
        assert_string_equal(bt_buf_cstr(&out), texts[i].want);
        bt_buf_done(&out);
    }
}

static void test_moment_text(void **state)
{
    struct bt_zone utc = bt_zone_utc();
    struct bt_moment moment = bt_moment_of_us(1704067200000000, &utc);
    struct bt_buf out = BT_BUF_INIT(100);
    (void)state;
    assert_int_equal(bt_moment_text(&moment, &out), BT_OK);
    assert_string_equal(bt_buf_cstr(&out), "2024-01-01T00:00Z[UTC]");
    bt_buf_done(&out);
}

/* --- Durations -------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    int64_t seconds;
    int nano;
    const char *want; /* NULL: refused. */
} durations[] = {
    {"PT1S", 1, 0, "PT1S"},
    {"PT1H30M", 5400, 0, "PT1H30M"},
    {"P2DT3.5S", 172803, 500000000, "PT48H3.5S"},
    {"-PT5S", -5, 0, "PT-5S"},
    {"PT-0.5S", -1, 500000000, "PT-0.5S"},
    {"PT-1.5S", -2, 500000000, "PT-1.5S"},
    {"pt0.001s", 0, 1000000, "PT0.001S"},
    {"PT0S", 0, 0, "PT0S"},
    {"PT90M", 5400, 0, "PT1H30M"},
    {"P1D", 86400, 0, "PT24H"},
    {"PT", 0, 0, NULL},
    {"P", 0, 0, NULL},
    {"", 0, 0, NULL},
    {"1h", 0, 0, NULL},
    {"PT1M1H", 0, 0, NULL},
    {"P1H", 0, 0, NULL},
    {"PT1D", 0, 0, NULL},
    {"PT1.5M", 0, 0, NULL},
    {"PT9223372036854775808S", 0, 0, NULL},
    {"PT1", 0, 0, NULL},
    {"P1DT", 0, 0, NULL},
};

static void test_durations(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(durations); i++) {
        struct bt_duration duration;
        struct bt_buf out = BT_BUF_INIT(100);
        int rc = bt_time_duration_parse(bt_str_of(durations[i].text), &duration, NULL);
        if (rc != (durations[i].want ? BT_OK : BT_INVALID))
            fail_msg("%s: %d", durations[i].text, rc);
        if (!durations[i].want)
            continue;
        assert_int_equal(duration.seconds, durations[i].seconds);
        assert_int_equal(duration.nano, durations[i].nano);
        assert_int_equal(bt_duration_format(&duration, &out), BT_OK);
        assert_string_equal(bt_buf_cstr(&out), durations[i].want);
        bt_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_offsets),   cmocka_unit_test(test_bad_zones),
        cmocka_unit_test(test_gaps),      cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_weeks),     cmocka_unit_test(test_additions),
        cmocka_unit_test(test_formats),   cmocka_unit_test(test_texts),
        cmocka_unit_test(test_durations), cmocka_unit_test(test_moment_text),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
