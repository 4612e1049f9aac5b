/* time_duration.c — Durations as ISO 8601 texts, the way java.time reads and writes them. Pure. */
#include "value/time.h"

enum { NANO = 1000000000 };

struct parts {
    struct bt_str text;
    size_t at;
    int64_t seconds;
    int64_t nano;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One number with its letter; adds it to the sum. */
static bool take_part(struct parts *parts, char *ret_letter)
{
    struct bt_str text = parts->text;
    int64_t number = 0, nano = 0, scale = NANO / 10;
    bool is_negative = false, has_digits = false;
    if (parts->at < text.len && (text.at[parts->at] == '-' || text.at[parts->at] == '+'))
        is_negative = text.at[parts->at++] == '-';
    for (; parts->at < text.len && is_digit(text.at[parts->at]); parts->at++, has_digits = true)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text.at[parts->at] - '0', &number))
            return false;
    bool has_fraction = has_digits && parts->at < text.len &&
                        (text.at[parts->at] == '.' || text.at[parts->at] == ',');
    for (parts->at += has_fraction;
         has_fraction && parts->at < text.len && is_digit(text.at[parts->at]); parts->at++) {
        if (scale == 0)
            return false;
        nano += (text.at[parts->at] - '0') * scale;
        scale /= 10;
    }
    if (!has_digits || parts->at >= text.len)
        return false;
    char letter = (char)(text.at[parts->at++] & ~32);
    int64_t unit = letter == 'D' ? 86400 : letter == 'H' ? 3600 : letter == 'M' ? 60 : 1;
    if ((has_fraction && letter != 'S') || !strchr("DHMS", letter) ||
        __builtin_mul_overflow(number, is_negative ? -unit : unit, &number) ||
        __builtin_add_overflow(parts->seconds, number, &parts->seconds))
        return false;
    parts->nano += is_negative ? -nano : nano;
    *ret_letter = letter;
    return true;
}

static bool parse(struct bt_str text, struct bt_duration *ret_duration)
{
    struct parts parts = {.text = text};
    bool is_negative = text.len && text.at[0] == '-', is_time = false;
    const char *order = "DHMS";
    parts.at = text.len && (text.at[0] == '-' || text.at[0] == '+');
    if (parts.at + 1 >= text.len || (text.at[parts.at] | 32) != 'p')
        return false;
    parts.at++;
    while (parts.at < text.len) {
        char letter;
        if ((text.at[parts.at] | 32) == 't') {
            if (is_time || parts.at + 1 == text.len)
                return false;
            is_time = true;
            parts.at++;
            continue;
        }
        if (!take_part(&parts, &letter) || is_time == (letter == 'D'))
            return false;
        const char *place = strchr(order, letter);
        if (!place)
            return false;
        order = place + 1;
    }
    int64_t seconds = is_negative ? -parts.seconds : parts.seconds;
    int64_t nano = is_negative ? -parts.nano : parts.nano;
    if (nano < 0) {
        nano += NANO;
        seconds--;
    }
    *ret_duration = (struct bt_duration){seconds, (int)nano};
    return true;
}

int bt_time_duration_parse(struct bt_str text, struct bt_duration *ret_duration, struct bt_err *err)
{
    if (parse(text, ret_duration))
        return BT_OK;
    return bt_fail(err, BT_INVALID, "Text cannot be parsed to a Duration: '%.*s'", BT_FMT(text));
}

int bt_duration_format(const struct bt_duration *duration, struct bt_buf *out)
{
    int64_t seconds = duration->seconds, nano = duration->nano;
    if (seconds == 0 && nano == 0)
        return bt_buf_adds(out, "PT0S");
    if (seconds < 0 && nano > 0) /* Parts are cut towards zero. */
        seconds++;
    int64_t hours = seconds / 3600, minutes = seconds / 60 % 60, rest = seconds % 60;
    BT_TRY(bt_buf_adds(out, "PT"));
    if (hours)
        BT_TRY(bt_buf_addf(out, "%lldH", (long long)hours));
    if (minutes)
        BT_TRY(bt_buf_addf(out, "%lldM", (long long)minutes));
    if (rest == 0 && nano == 0)
        return BT_OK;
    bool is_negative = duration->seconds < 0;
    if (is_negative && nano > 0)
        nano = NANO - nano;
    BT_TRY(
        bt_buf_addf(out, "%s%lld", is_negative && rest == 0 && nano ? "-" : "", (long long)rest));
    if (nano) {
        BT_TRY(bt_buf_addf(out, ".%09lld", (long long)nano));
        while (out->len && out->at[out->len - 1] == '0')
            out->len--;
    }
    return bt_buf_addc(out, 'S');
}
