/* time_int.h — Patterns of dates in pieces, and the names of languages. Private to the room. */
#pragma once
#include "value/time.h"

/* Lists are joined by '|'. */
struct bt_time_names {
    const char *language;
    const char *months, *months_short, *months_narrow, *months_alone, *months_short_alone;
    const char *days, *days_short, *days_narrow;
    const char *halves, *eras, *eras_long, *quarters, *quarters_long;
    const char *styles[4]; /* Patterns of full, long, medium, short. */
};

extern const struct bt_time_names bt_time_languages[];
extern const size_t bt_time_languages_count;

struct bt_time_locale {
    const struct bt_time_names *names;
    int first_day, min_days; /* Of weeks. */
};

/* "fr", "en_US", "de-AT"; empty and unknown ones are English. */
struct bt_time_locale bt_time_locale_of(struct bt_str tag);
/* The item of a joined list. */
struct bt_str bt_time_item(const char *list, int index);

enum bt_time_field {
    BT_FIELD_ERA,
    BT_FIELD_YEAR,
    BT_FIELD_YEAR_OF_ERA,
    BT_FIELD_QUARTER,
    BT_FIELD_MONTH,
    BT_FIELD_DAY,
    BT_FIELD_DAY_OF_YEAR,
    BT_FIELD_WEEK_YEAR,
    BT_FIELD_WEEK,
    BT_FIELD_WEEK_OF_MONTH,
    BT_FIELD_WEEKDAY,       /* 1 Monday … 7. */
    BT_FIELD_LOCAL_WEEKDAY, /* Counted from the locale's first day. */
    BT_FIELD_ALIGNED_WEEK,
    BT_FIELD_HALF, /* 0 AM, 1 PM. */
    BT_FIELD_HOUR,
    BT_FIELD_HOUR_1_24,
    BT_FIELD_HOUR_0_11,
    BT_FIELD_HOUR_1_12,
    BT_FIELD_MINUTE,
    BT_FIELD_SECOND,
    BT_FIELD_NANO,
    BT_FIELD_MILLI_OF_DAY,
    BT_FIELD_NANO_OF_DAY,
    BT_FIELD_JULIAN,
    BT_FIELD_COUNT,
};

enum bt_piece_kind {
    BT_PIECE_LITERAL,
    BT_PIECE_NUMBER,
    BT_PIECE_REDUCED, /* Two digits of a year, from 2000 on. */
    BT_PIECE_TEXT,
    BT_PIECE_FRACTION,
    BT_PIECE_OFFSET,
    BT_PIECE_LOCAL_OFFSET, /* GMT+8 */
    BT_PIECE_ZONE_ID,
    BT_PIECE_ZONE_NAME,
    BT_PIECE_DAY_PERIOD, /* "in the morning" */
    BT_PIECE_OPEN,       /* Of an optional part. */
    BT_PIECE_CLOSE,
};

struct bt_piece {
    uint8_t kind, field;
    uint8_t min, max; /* Digits of a NUMBER. */
    uint8_t
        count; /* Letters in the pattern: chooses among short, full, narrow, forms of offsets. */
    char letter;
    bool exceeds_pad;   /* NUMBER: a plus sign when it is wider than min. */
    uint8_t pad;        /* Width to fill with blanks, 0 none. */
    uint16_t reserved;  /* Digits that adjacent fixed numbers behind take. */
    struct bt_str text; /* LITERAL: borrowed from the pattern. */
};

enum { BT_PIECES_MAX = 200 };

struct bt_pattern {
    struct bt_piece pieces[BT_PIECES_MAX];
    size_t count;
};

/* Takes a pattern apart. It borrows the text. */
int bt_pattern_parse(struct bt_str text, struct bt_pattern *ret_pattern, struct bt_err *err);
/* The names of the original's formatters (iso, sql, …) as patterns; NULL when it is none. */
const char *bt_pattern_named(struct bt_str name);
/* Index of full, long, medium, short; -1. */
int bt_pattern_style(struct bt_str name);
