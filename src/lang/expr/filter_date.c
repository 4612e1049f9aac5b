/* filter_date.c — Dates: the filters date, dateAdd, timestamp … and the function now. Pure: what
 * time it is comes with the scope. */
#include "lang/expr/expr_int.h"

#include "value/time.h"

/* Puts a failure of the time room in this room's words. */
static int retell(struct bt_call *call, int rc, const struct bt_err *err)
{
    if (rc == BT_INVALID)
        return bt_raise_java(call->run, call->node->at, "%s", err->msg);
    if (rc < 0 && call->run->err)
        *call->run->err = *err;
    return rc;
}

/* The zone of an argument, or the scope's. */
static int zone_of(struct bt_call *call, size_t index, struct bt_zone *ret_zone)
{
    struct bt_str id;
    struct bt_err err = BT_ERR_INIT;
    const char *fallback = call->run->scope->zone;
    BT_TRY(bt_call_str(call, index, &id));
    if (!bt_call_has(call, index))
        id = bt_str_of(fallback && fallback[0] ? fallback : "UTC");
    int rc = bt_zone_of(id, ret_zone, &err);
    if (rc == BT_INVALID && !bt_call_has(call, index)) {
        *ret_zone = bt_zone_utc(); /* The server's zone is no fault of the template. */
        return BT_OK;
    }
    return retell(call, rc, &err);
}

/* The input as a moment; a text is read by `existing` or as ISO. */
static int moment_of(struct bt_call *call, const struct bt_zone *zone, size_t existing,
                     struct bt_moment *ret_moment)
{
    struct bt_str format;
    struct bt_err err = BT_ERR_INIT;
    const struct bt_value *input = call->input;
    BT_TRY(bt_call_str(call, existing, &format));
    if (bt_value_is(input, BT_KIND_INT) && bt_value_flavor(input) == BT_FLAVOR_PLAIN) {
        int64_t seconds = bt_value_as_int(input), most = (int64_t)BT_EPOCH_MAX_YEAR * 31556952;
        if (seconds > most || seconds < -most)
            return bt_raise_java(call->run, call->node->at,
                                 "Instant exceeds minimum or maximum instant");
        *ret_moment = (struct bt_moment){.epoch_s = seconds, .zone = *zone};
        return BT_OK;
    }
    if (!bt_value_is(input, BT_KIND_STRING) || bt_value_flavor(input) == BT_FLAVOR_CHAR)
        return bt_raise_cast(call->run, call->node->at, input, "java.lang.String");
    if (bt_value_flavor(input) != BT_FLAVOR_PLAIN)
        format = BT_STR_NONE; /* A date object needs no format. */
    return retell(call, bt_moment_parse(bt_value_str(input), format, zone, ret_moment, &err), &err);
}

/* Formats by the arguments `format` at index `first` and `locale`. */
static int give_text(struct bt_call *call, const struct bt_moment *moment, size_t first,
                     size_t locale_index, struct bt_value **ret_value)
{
    struct bt_str format, locale;
    struct bt_err err = BT_ERR_INIT;
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_TRY(bt_call_str(call, first, &format));
    BT_TRY(bt_call_str(call, locale_index, &locale));
    if (!bt_call_arg(call, first))
        format = BT_STR("iso");
    else if (!bt_call_has(call, first))
        return bt_raise_java(call->run, call->node->at, "The format of a date must not be null");
    int rc = bt_moment_format(moment, format, locale, &out, &err);
    if (rc == BT_OK)
        return bt_call_take(call, &out, ret_value);
    bt_buf_done(&out);
    return retell(call, rc, &err);
}

static int date(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_zone zone;
    struct bt_moment moment;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(zone_of(call, 1, &zone));
    BT_TRY(moment_of(call, &zone, 2, &moment));
    moment.zone = zone;
    return give_text(call, &moment, 0, 3, ret_value);
}

static int date_add(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_zone zone;
    struct bt_moment moment;
    struct bt_str unit;
    struct bt_err err = BT_ERR_INIT;
    const struct bt_value *amount = bt_call_arg(call, 0);
    BT_NULL_THROUGH(call, ret_value);
    if (bt_value_is_null(amount) || !bt_call_has(call, 1))
        return bt_raise_java(call->run, call->node->at,
                             "The 'dateAdd' filter expects the arguments 'amount' and 'unit'.");
    if (!bt_value_is(amount, BT_KIND_INT))
        return bt_raise_cast(call->run, call->node->at, amount, "java.lang.Long");
    BT_TRY(bt_call_str(call, 1, &unit));
    BT_TRY(zone_of(call, 3, &zone));
    BT_TRY(moment_of(call, &zone, 4, &moment));
    BT_TRY(retell(call, bt_moment_add(&moment, bt_value_as_int(amount), unit, &err), &err));
    moment.zone = zone;
    return give_text(call, &moment, 2, 5, ret_value);
}

/* --- Numbers since 1970 ----------------------------------------------------------------------- */

/* The moment of a timestamp filter. */
static int stamp(struct bt_call *call, size_t zone_index, size_t existing,
                 struct bt_moment *ret_moment)
{
    struct bt_zone zone;
    *ret_moment = (struct bt_moment){0};
    BT_TRY(zone_of(call, zone_index, &zone));
    return moment_of(call, &zone, existing, ret_moment);
}

static int timestamp(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_moment moment;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(stamp(call, 0, 1, &moment));
    return bt_call_give(call, bt_value_int(moment.epoch_s), ret_value);
}

static int give_number_text(struct bt_call *call, int64_t seconds, int64_t rest,
                            struct bt_value **ret_value)
{
    char text[32];
    int64_t scaled;
    if (__builtin_mul_overflow(seconds, 1000000000, &scaled))
        scaled = seconds < 0 ? INT64_MIN : INT64_MAX; /* As TimeUnit does. */
    uint64_t sum = (uint64_t)scaled + (uint64_t)rest;
    int len = snprintf(text, sizeof text, "%lld", (long long)sum);
    return bt_call_string(call, (struct bt_str){text, (size_t)len}, ret_value);
}

/* Microseconds are added to nanoseconds: a fault of the original that flows rely on. */
static int timestamp_micro(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_moment moment;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(stamp(call, 0, 1, &moment));
    return give_number_text(call, moment.epoch_s, moment.nano / 1000, ret_value);
}

static int timestamp_nano(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_moment moment;
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(stamp(call, 0, 1, &moment));
    return give_number_text(call, moment.epoch_s, moment.nano, ret_value);
}

static int now(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_zone zone;
    BT_TRY(zone_of(call, 1, &zone));
    struct bt_moment moment = bt_moment_of_us(call->run->scope->now_us, &zone);
    return give_text(call, &moment, 0, 3, ret_value);
}

static const struct bt_fn rows[] = {
    {"date", "format timeZone existingFormat locale", 0, 4, 0, date,
     "A date by a pattern or name: `'2024-01-15T10:30:00Z' | date('yyyy-MM-dd')` → `2024-01-15`"},
    {"dateAdd", "amount unit format timeZone existingFormat locale", 2, 6, 0, date_add,
     "Moves a date: `'2024-01-31' | dateAdd(1, 'MONTHS', 'yyyy-MM-dd')` → `2024-02-29`"},
    {"timestamp", "timeZone existingFormat", 0, 2, 0, timestamp,
     "Seconds since 1970: `'2024-01-15T10:30:00Z' | timestamp` → `1705314600`"},
    {"timestampMicro", "timeZone existingFormat", 0, 2, 0, timestamp_micro,
     "Seconds × 10⁹ plus the microseconds, as text (as in the original)"},
    {"timestampNano", "timeZone existingFormat", 0, 2, 0, timestamp_nano,
     "Nanoseconds since 1970, as text"},
};

const struct bt_fn_table bt_fn_date_filters = {rows, BT_COUNT(rows)};

static const struct bt_fn functions[] = {
    {"now", "format timeZone existingFormat locale", 0, 4, 0, now,
     "The current time as text: `now('yyyy-MM-dd')`"},
};

const struct bt_fn_table bt_fn_date_functions = {functions, BT_COUNT(functions)};
