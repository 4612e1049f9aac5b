/* duration.c — ISO-8601 durations of days, hours, minutes and seconds. Pure. */
#include "model/flow.h"

#include "base/own.h"

struct unit {
    char letter;
    bool is_time; /* Stands behind the T. */
    int64_t us;
};

static const struct unit units[] = {
    {'D', false, INT64_C(86400000000)},
    {'H', true, INT64_C(3600000000)},
    {'M', true, INT64_C(60000000)},
    {'S', true, INT64_C(1000000)},
};

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static int fail(struct bt_str text, struct bt_err *err)
{
    bt_fail(err, BT_INVALID, "\"%.*s\" is not a duration", BT_FMT(text));
    struct bt_str number = bt_str_trim(text);
    char unit = number.len ? upper(number.at[number.len - 1]) : '\0';
    bool is_short = number.len > 1 && number.len < 12;
    for (size_t i = 0; is_short && i + 1 < number.len; i++)
        is_short = number.at[i] >= '0' && number.at[i] <= '9';
    number.len -= is_short ? 1 : 0;
    if (is_short && (unit == 'S' || unit == 'M' || unit == 'H'))
        return bt_hint(err, "did you mean \"PT%.*s%c\"?", BT_FMT(number), unit);
    if (is_short && unit == 'D')
        return bt_hint(err, "did you mean \"P%.*sD\"?", BT_FMT(number));
    return bt_hint(err, "write it like PT30S, PT5M, PT1H30M or P1D");
}

/* A fraction of seconds, to microseconds; further digits are dropped. */
static size_t read_fraction(struct bt_str text, size_t at, int64_t *ret_us)
{
    int64_t scale = 100000;
    for (; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++) {
        *ret_us += (text.at[at] - '0') * scale;
        scale /= 10;
    }
    return at;
}

struct part {
    int64_t whole, fraction_us;
    bool is_negative, has_fraction;
    size_t next; /* Offset of the unit's letter. */
};

static bool read_part(struct bt_str text, size_t at, struct part *ret_part)
{
    struct part part = {0};
    if (at < text.len && (text.at[at] == '-' || text.at[at] == '+'))
        part.is_negative = text.at[at++] == '-';
    size_t start = at;
    for (; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++)
        if (__builtin_mul_overflow(part.whole, INT64_C(10), &part.whole) ||
            __builtin_add_overflow(part.whole, (int64_t)(text.at[at] - '0'), &part.whole))
            return false;
    if (at == start)
        return false;
    if (at < text.len && (text.at[at] == '.' || text.at[at] == ',')) {
        part.has_fraction = true;
        at = read_fraction(text, at + 1, &part.fraction_us);
    }
    part.next = at;
    *ret_part = part;
    return at < text.len;
}

static bool add_part(const struct part *part, const struct unit *unit, int64_t *total)
{
    int64_t us;
    if (part->has_fraction && unit->letter != 'S')
        return false;
    if (__builtin_mul_overflow(part->whole, unit->us, &us) ||
        __builtin_add_overflow(us, part->fraction_us, &us))
        return false;
    return !__builtin_add_overflow(*total, part->is_negative ? -us : us, total);
}

int bt_duration_parse(struct bt_str text, int64_t *ret_us, struct bt_err *err)
{
    size_t at = 0;
    bool is_negative = false, is_time = false;
    if (at < text.len && (text.at[at] == '-' || text.at[at] == '+'))
        is_negative = text.at[at++] == '-';
    if (at >= text.len || upper(text.at[at++]) != 'P' || at >= text.len)
        return fail(text, err);
    int64_t total = 0;
    size_t unit = 0; /* Units come in order, each at most once. */
    while (at < text.len) {
        if (upper(text.at[at]) == 'T' && !is_time) {
            is_time = true;
            at++;
        }
        struct part part;
        if (!read_part(text, at, &part))
            return fail(text, err);
        char letter = upper(text.at[part.next]);
        while (unit < BT_COUNT(units) &&
               (units[unit].letter != letter || units[unit].is_time != is_time))
            unit++;
        if (unit == BT_COUNT(units) || !add_part(&part, &units[unit], &total))
            return fail(text, err);
        unit++;
        at = part.next + 1;
    }
    *ret_us = is_negative ? -total : total;
    return BT_OK;
}
