/* convert.c — One value to the type of an input or output. Pure; in the original's words. */
#include "model/input_int.h"

#include "base/num.h"
#include "base/own.h"
#include "lang/yaml/yaml.h"
#include "model/iso_int.h"
#include "value/json.h"

/* What a conversion looks at. */
struct conversion {
    enum bt_input_type type;
    const struct bt_value *spec;
    const struct bt_value *value;
    struct bt_str text; /* Of a scalar value. */
    struct bt_err *err;
};

static int done(struct bt_value *value, struct bt_value **ret_value, struct bt_err *err)
{
    if (!value)
        return bt_fail_mem(err, "converting an input");
    *ret_value = value;
    return BT_OK;
}

/* "Expected `T` but received `V` with errors:" and the cause, fenced. */
static int fail_expected(const struct conversion *conversion, const char *cause)
{
    return bt_fail(conversion->err, BT_INVALID,
                   "Expected `%s` but received `%.*s` with errors:\n```\n%s\n```",
                   bt_input_type_name(conversion->type), BT_FMT(conversion->text), cause);
}

static int to_text(const struct conversion *conversion, struct bt_value **ret_value)
{
    struct bt_str pattern = bt_map_str(conversion->spec, "validator");
    if (pattern.len) {
        bool is_match = false;
        BT_TRY(bt_regex_matches(pattern, conversion->text, &is_match, conversion->err));
        if (!is_match)
            return bt_fail(conversion->err, BT_INVALID, "it must match the pattern `%.*s`",
                           BT_FMT(pattern));
    }
    return done(bt_value_string(conversion->text), ret_value, conversion->err);
}

/* The bound as a number; false when there is none. */
static bool bound(const struct conversion *conversion, const char *name, double *ret_number)
{
    const struct bt_value *value = bt_map_gets(conversion->spec, name);
    if (bt_value_is_null(value))
        return false;
    if (bt_value_is(value, BT_KIND_STRING))
        return bt_parse_double(bt_value_str(value), ret_number);
    *ret_number = bt_value_as_double(value);
    return true;
}

static int fail_bound(const struct conversion *conversion, const char *name, const char *words)
{
    struct bt_buf text = BT_BUF_INIT(256);
    if (bt_value_print(bt_map_gets(conversion->spec, name), &text, conversion->err) == BT_OK)
        bt_fail(conversion->err, BT_INVALID, "%s `%.*s`", words, BT_FMT(bt_buf_str(&text)));
    bt_buf_done(&text);
    return BT_INVALID;
}

static int check_bounds(const struct conversion *conversion, double number)
{
    double limit;
    if (bound(conversion, "min", &limit) && number < limit)
        return fail_bound(conversion, "min", "it must be more than");
    if (bound(conversion, "max", &limit) && number > limit)
        return fail_bound(conversion, "max", "it must be less than");
    return BT_OK;
}

static int to_int(const struct conversion *conversion, struct bt_value **ret_value)
{
    int64_t number;
    if (bt_value_is(conversion->value, BT_KIND_INT))
        number = bt_value_as_int(conversion->value);
    else if (!bt_parse_i64(conversion->text, &number))
        return bt_fail(conversion->err, BT_INVALID, "For input string: \"%.*s\"",
                       BT_FMT(conversion->text));
    BT_TRY(check_bounds(conversion, (double)number));
    bool is_small = number >= INT32_MIN && number <= INT32_MAX;
    return done(is_small ? bt_value_int32((int32_t)number) : bt_value_int(number), ret_value,
                conversion->err);
}

static int to_float(const struct conversion *conversion, struct bt_value **ret_value)
{
    double number;
    int64_t whole;
    if (bt_value_is(conversion->value, BT_KIND_INT) ||
        bt_value_is(conversion->value, BT_KIND_DOUBLE) ||
        bt_value_is(conversion->value, BT_KIND_DECIMAL))
        number = bt_value_as_double(conversion->value);
    else if (bt_parse_i64(conversion->text, &whole))
        number = (double)whole;
    else if (!bt_parse_double(conversion->text, &number))
        return bt_fail(conversion->err, BT_INVALID, "For input string: \"%.*s\"",
                       BT_FMT(conversion->text));
    BT_TRY(check_bounds(conversion, number));
    return done(bt_value_double(number), ret_value, conversion->err);
}

static int to_bool(const struct conversion *conversion, struct bt_value **ret_value)
{
    static const char word[] = "true";
    bool is_true = conversion->text.len == 4;
    for (size_t i = 0; is_true && i < 4; i++)
        is_true = (conversion->text.at[i] | 0x20) == word[i];
    return done(bt_value_bool(is_true), ret_value, conversion->err);
}

static bool is_listed(const struct bt_value *values, struct bt_str text)
{
    for (size_t i = 0; i < bt_value_count(values); i++) {
        struct bt_buf one = BT_BUF_INIT(1 << 16);
        bool is_equal = bt_value_print(bt_list_at(values, i), &one, NULL) == BT_OK &&
                        bt_str_eq(bt_buf_str(&one), text);
        bt_buf_done(&one);
        if (is_equal)
            return true;
    }
    return false;
}

static const struct bt_value *listed_values(const struct conversion *conversion)
{
    const struct bt_value *values = bt_map_gets(conversion->spec, "values");
    return bt_value_is_null(values) ? bt_map_gets(conversion->spec, "options") : values;
}

static int check_listed(const struct conversion *conversion, struct bt_str text)
{
    const struct bt_value *values = listed_values(conversion);
    if (!bt_value_is(values, BT_KIND_LIST) || is_listed(values, text) ||
        bt_value_as_bool(bt_map_gets(conversion->spec, "allowCustomValue")))
        return BT_OK;
    struct bt_buf list = BT_BUF_INIT(512);
    for (size_t i = 0; i < bt_value_count(values); i++) {
        bt_buf_adds(&list, i ? ", " : "");
        if (bt_value_print(bt_list_at(values, i), &list, NULL) != BT_OK)
            break;
    }
    bt_fail(conversion->err, BT_INVALID, "it must match the values `[%.*s]`",
            BT_FMT(bt_buf_str(&list)));
    bt_buf_done(&list);
    return BT_INVALID;
}

static int to_listed(const struct conversion *conversion, struct bt_value **ret_value)
{
    bool is_free = conversion->type == BT_INPUT_SELECT &&
                   bt_map_gets(conversion->spec, "required") &&
                   !bt_value_as_bool(bt_map_gets(conversion->spec, "required"));
    if (!is_free)
        BT_TRY(check_listed(conversion, conversion->text));
    return done(bt_value_string(conversion->text), ret_value, conversion->err);
}

/* A list, or text that holds one as JSON (or YAML). */
static int list_of(const struct conversion *conversion, struct bt_value **ret_list)
{
    if (bt_value_is(conversion->value, BT_KIND_LIST))
        return done(bt_value_ref(conversion->value), ret_list, conversion->err);
    BT_VALUE list = NULL;
    struct bt_err cause = BT_ERR_INIT;
    int rc = bt_json_parse(conversion->text, NULL, &list, &cause);
    if (rc == BT_NO_MEM)
        return bt_fail_mem(conversion->err, "converting an input");
    if (rc != BT_OK)
        return fail_expected(conversion, cause.msg);
    if (!bt_value_is(list, BT_KIND_LIST))
        return fail_expected(conversion, "not a list");
    *ret_list = BT_TAKE(list);
    return BT_OK;
}

static int to_list(const struct conversion *conversion, struct bt_value **ret_value)
{
    BT_VALUE list = NULL;
    BT_TRY(list_of(conversion, &list));
    enum bt_input_type item_type = BT_INPUT_STRING;
    bt_input_type_parse(bt_map_str(conversion->spec, "itemType"), &item_type);
    BT_VALUE result = bt_list_new(bt_value_count(list));
    if (!result)
        return bt_fail_mem(conversion->err, "converting an input");
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *item = bt_list_at(list, i);
        struct bt_value *converted = NULL;
        struct bt_err cause = BT_ERR_INIT;
        struct bt_buf text = BT_BUF_INIT(1 << 20);
        int rc = bt_value_print(item, &text, conversion->err);
        if (rc == BT_OK && conversion->type == BT_INPUT_MULTISELECT)
            rc = check_listed(conversion, bt_buf_str(&text));
        if (rc == BT_OK && bt_input_convert(item_type, NULL, item, &converted, &cause) != BT_OK)
            rc = bt_fail(conversion->err, BT_INVALID,
                         "Unable to parse array element as `%s` on `%.*s`",
                         bt_input_type_name(item_type), BT_FMT(bt_buf_str(&text)));
        bt_buf_done(&text);
        BT_TRY(rc);
        if (bt_list_push(result, converted) != BT_OK)
            return bt_fail_mem(conversion->err, "converting an input");
    }
    *ret_value = BT_TAKE(result);
    return BT_OK;
}

static int to_json(const struct conversion *conversion, struct bt_value **ret_value)
{
    if (!bt_value_is(conversion->value, BT_KIND_STRING))
        return done(bt_value_ref(conversion->value), ret_value, conversion->err);
    struct bt_err cause = BT_ERR_INIT;
    int rc = conversion->type == BT_INPUT_JSON
                 ? bt_json_parse(conversion->text, NULL, ret_value, &cause)
                 : bt_yaml_text_value(conversion->text, ret_value, &cause);
    if (rc == BT_NO_MEM)
        return bt_fail_mem(conversion->err, "converting an input");
    return rc == BT_OK ? rc : fail_expected(conversion, cause.msg);
}

/* --- Dates, times, durations: all are a number to compare. ------------------------------------ */

static bool moment_of(enum bt_input_type type, struct bt_str text, int64_t *ret_number)
{
    if (type == BT_INPUT_DATE)
        return bt_iso_date(text, ret_number);
    if (type == BT_INPUT_TIME)
        return bt_iso_time(text, ret_number);
    if (type == BT_INPUT_DURATION)
        return bt_duration_parse(text, ret_number, NULL) == BT_OK;
    return bt_iso_instant(text, ret_number);
}

static bool moment_bound(const struct conversion *conversion, const char *name, int64_t *ret_number)
{
    struct bt_str text = bt_map_str(conversion->spec, name);
    return text.len && moment_of(conversion->type, text, ret_number);
}

static int check_moment(const struct conversion *conversion, int64_t number)
{
    bool is_duration = conversion->type == BT_INPUT_DURATION;
    const char *least = is_duration ? "min" : "after", *most = is_duration ? "max" : "before";
    int64_t limit;
    if (moment_bound(conversion, least, &limit) && number < limit)
        return fail_bound(conversion, least,
                          is_duration ? "It must be more than" : "it must be after");
    if (moment_bound(conversion, most, &limit) && number > limit)
        return fail_bound(conversion, most,
                          is_duration ? "It must be less than" : "it must be before");
    return BT_OK;
}

static const char *moment_words(enum bt_input_type type)
{
    if (type == BT_INPUT_DATE)
        return "not a date like 2024-12-31";
    if (type == BT_INPUT_TIME)
        return "not a time like 18:27:49";
    if (type == BT_INPUT_DURATION)
        return "not a duration like PT1H30M";
    return "not a date-time like 2024-12-31T18:27:49Z";
}

static int to_moment(const struct conversion *conversion, struct bt_value **ret_value)
{
    int64_t number;
    if (!moment_of(conversion->type, conversion->text, &number))
        return fail_expected(conversion, moment_words(conversion->type));
    BT_TRY(check_moment(conversion, number));
    struct bt_str text = conversion->text;
    char instant[BT_ISO_INSTANT_LEN];
    enum bt_flavor flavor = BT_FLAVOR_DATE;
    if (conversion->type == BT_INPUT_TIME)
        flavor = BT_FLAVOR_TIME;
    if (conversion->type == BT_INPUT_DURATION)
        flavor = BT_FLAVOR_DURATION;
    if (conversion->type == BT_INPUT_DATETIME) {
        flavor = BT_FLAVOR_DATETIME;
        text = (struct bt_str){instant, bt_iso_instant_format(number, instant)};
    }
    return done(bt_value_text(text, BT_KIND_STRING, flavor), ret_value, conversion->err);
}

static int to_uri(const struct conversion *conversion, struct bt_value **ret_value)
{
    static const char pattern[] = "[a-z]+:\\/\\/(www\\.)?[-a-zA-Z0-9@:%._\\+~#=]{1,256}\\."
                                  "[a-zA-Z0-9()]{1,6}\\b([-a-zA-Z0-9()@:%_\\+.~#?&\\/=]*)";
    bool is_match = false;
    BT_TRY(bt_regex_matches(BT_STR(pattern), conversion->text, &is_match, conversion->err));
    if (!is_match)
        return bt_fail(conversion->err, BT_INVALID, "Expected `URI` but received `%.*s`",
                       BT_FMT(conversion->text));
    return done(bt_value_string(conversion->text), ret_value, conversion->err);
}

static int to_email(const struct conversion *conversion, struct bt_value **ret_value)
{
    static const char pattern[] = "$|[a-zA-Z0-9_!#$%&'*+\\/=?`{|}~^.-]+@[a-zA-Z0-9.-]+\\.[a-zA-Z]+";
    bool is_match = false;
    BT_TRY(bt_regex_matches(BT_STR(pattern), conversion->text, &is_match, conversion->err));
    if (!is_match)
        return bt_fail(conversion->err, BT_INVALID, "it must match the pattern `%s`", pattern + 2);
    return done(bt_value_string(conversion->text), ret_value, conversion->err);
}

typedef int convert_fn(const struct conversion *conversion, struct bt_value **ret_value);

static convert_fn *const converters[] = {
    [BT_INPUT_STRING] = to_text, [BT_INPUT_SECRET] = to_text,      [BT_INPUT_INT] = to_int,
    [BT_INPUT_FLOAT] = to_float, [BT_INPUT_BOOLEAN] = to_bool,     [BT_INPUT_SELECT] = to_listed,
    [BT_INPUT_ENUM] = to_listed, [BT_INPUT_MULTISELECT] = to_list, [BT_INPUT_ARRAY] = to_list,
    [BT_INPUT_JSON] = to_json,   [BT_INPUT_YAML] = to_json,        [BT_INPUT_DATETIME] = to_moment,
    [BT_INPUT_DATE] = to_moment, [BT_INPUT_TIME] = to_moment,      [BT_INPUT_DURATION] = to_moment,
    [BT_INPUT_FILE] = to_text,   [BT_INPUT_URI] = to_uri,          [BT_INPUT_EMAIL] = to_email,
};

int bt_input_convert(enum bt_input_type type, const struct bt_value *spec,
                     const struct bt_value *value, struct bt_value **ret_value, struct bt_err *err)
{
    if (bt_value_is_null(value))
        return done(bt_value_null(), ret_value, err);
    struct bt_buf text = BT_BUF_INIT(64u << 20);
    struct conversion conversion = {.type = type, .spec = spec, .value = value, .err = err};
    int rc = bt_value_print(value, &text, err);
    if (rc == BT_OK) {
        conversion.text =
            bt_value_is(value, BT_KIND_STRING) ? bt_value_str(value) : bt_buf_str(&text);
        rc = converters[type](&conversion, ret_value);
    }
    bt_buf_done(&text);
    return rc;
}
