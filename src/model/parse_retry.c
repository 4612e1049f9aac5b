/* parse_retry.c — `retry:` of tasks and flows. */
#include "model/model_int.h"

#include "base/limits.h"
#include "base/own.h"

struct retry_read {
    const struct bt_yaml_node *interval, *interval_max, *duration_max; /* NULL: not given. */
};

static const char *const kind_names[] = {
    [BT_RETRY_CONSTANT] = "constant",
    [BT_RETRY_EXPONENTIAL] = "exponential",
    [BT_RETRY_RANDOM] = "random",
};

static const char *const known[] = {
    "type",        "interval",   "maxInterval",    "minInterval", "delayFactor",
    "maxDuration", "maxAttempt", "warningOnRetry", "behavior",    "maxAttempts",
};

static enum bt_retry_kind read_kind(struct parse *parse, const struct place *place)
{
    struct bt_yaml_node *node = bt_yaml_get(place->node, "type");
    struct place at = bt_place_in(place, "type", node ? node : place->node);
    if (!node || bt_yaml_is_null(node)) {
        struct bt_diag *diag =
            bt_model_error(parse, &at, "missing-property", "\"retry\" needs \"type\"");
        bt_diag_hint(parse, diag, "one of constant, exponential, random");
        bt_diag_original(parse, diag, "Invalid type: null");
        return BT_RETRY_NONE;
    }
    for (size_t i = BT_RETRY_CONSTANT; i < BT_COUNT(kind_names); i++)
        if (bt_str_is(node->text, kind_names[i]))
            return (enum bt_retry_kind)i;
    struct bt_diag *diag = bt_model_error(parse, &at, "unknown-retry-type",
                                          "unknown retry type \"%.*s\"", BT_FMT(node->text));
    const char *near = bt_str_nearest(node->text, kind_names + 1, BT_COUNT(kind_names) - 1);
    if (near)
        bt_diag_hint(parse, diag, "did you mean \"%s\"?", near);
    else
        bt_diag_hint(parse, diag, "it is one of constant, exponential, random");
    bt_diag_original(parse, diag, "Invalid type: %.*s", BT_FMT(node->text));
    return BT_RETRY_NONE;
}

static void read_factor(struct parse *parse, const struct place *place, struct bt_retry *retry)
{
    BT_VALUE value = place->node->kind == BT_YAML_SCALAR ? bt_yaml_scalar_value(place->node) : NULL;
    double factor = bt_value_as_double(value);
    if (factor >= 1 && factor <= 1000)
        retry->delay_factor = factor;
    else
        bt_model_error(parse, place, "out-of-range", "\"delayFactor\" must be 1 to 1000");
}

static void read_attempts(struct parse *parse, const struct place *place, struct bt_retry *retry)
{
    int64_t number;
    if (!bt_read_int(parse, place, &number))
        return;
    if (number >= 1 && number <= BT_ATTEMPTS_MAX) {
        retry->attempts_max = (uint32_t)number;
        return;
    }
    struct bt_diag *diag = bt_model_error(parse, place, "out-of-range", "\"%s\" must be 1 to %u",
                                          place->name, BT_ATTEMPTS_MAX);
    if (number < 1)
        bt_diag_original(parse, diag, "must be greater than or equal to 1");
}

static void read_behavior(struct parse *parse, const struct place *place, struct bt_retry *retry)
{
    static const char *const names[] = {"RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"};
    const char *text = bt_read_text(parse, place);
    if (!text)
        return;
    retry->is_new_execution = strcmp(text, names[1]) == 0;
    if (retry->is_new_execution)
        bt_diag_hint(parse,
                     bt_model_warn(parse, place, "not-yet",
                                   "\"CREATE_NEW_EXECUTION\" is not acted on by this version: "
                                   "nothing is tried again"),
                     "RETRY_FAILED_TASK, the default, tries the task again");
    if (retry->is_new_execution || strcmp(text, names[0]) == 0)
        return;
    bt_diag_hint(parse,
                 bt_model_error(parse, place, "not-in-enum", "\"behavior\" cannot be \"%s\"", text),
                 "it is one of RETRY_FAILED_TASK, CREATE_NEW_EXECUTION");
}

/* The properties that belong to one kind only. True when the name was one of them. */
static bool read_interval(struct parse *parse, const struct place *place, struct bt_retry *retry,
                          struct retry_read *read)
{
    bool is_random = retry->kind == BT_RETRY_RANDOM;
    bool is_exponential = retry->kind == BT_RETRY_EXPONENTIAL;
    struct bt_str name = bt_str_of(place->name);
    if (bt_str_is(name, is_random ? "minInterval" : "interval")) {
        retry->interval_us = bt_read_duration_us(parse, place);
        read->interval = place->node;
    } else if (bt_str_is(name, "maxInterval") && (is_random || is_exponential)) {
        retry->interval_max_us = bt_read_duration_us(parse, place);
        read->interval_max = place->node;
    } else if (bt_str_is(name, "delayFactor") && is_exponential) {
        read_factor(parse, place, retry);
    } else {
        return false;
    }
    return true;
}

static void read_property(struct parse *parse, const struct place *place, struct bt_retry *retry,
                          struct retry_read *read)
{
    struct bt_str name = bt_str_of(place->name);
    if (bt_yaml_is_null(place->node) || bt_str_is(name, "type"))
        return;
    if (bt_str_is(name, "maxAttempt") || bt_str_is(name, "maxAttempts")) {
        read_attempts(parse, place, retry);
    } else if (bt_str_is(name, "maxDuration")) {
        retry->duration_max_us = bt_read_duration_us(parse, place);
        read->duration_max = place->node;
    } else if (bt_str_is(name, "warningOnRetry")) {
        retry->is_warning = bt_read_bool(parse, place, false);
    } else if (bt_str_is(name, "behavior")) {
        read_behavior(parse, place, retry);
    } else if (!read_interval(parse, place, retry, read)) {
        struct place key = bt_place_key(place);
        bool is_other = false;
        for (size_t i = 0; i < BT_COUNT(known) - 1; i++)
            is_other = is_other || bt_str_is(name, known[i]);
        if (is_other)
            bt_model_error(parse, &key, "unknown-property", "a retry of type \"%s\" has no \"%s\"",
                           kind_names[retry->kind], place->name);
        else
            bt_read_unknown(parse, &key, "io.kestra.core.models.tasks.retrys.AbstractRetry", known,
                            BT_COUNT(known) - 1);
    }
}

static void need(struct parse *parse, const struct place *place, const char *name)
{
    struct place at = bt_place_in(place, name, place->node);
    struct bt_diag *diag =
        bt_model_error(parse, &at, "missing-property", "\"retry\" needs \"%s\"", name);
    bt_diag_hint(parse, diag, "for example %s: PT10S", name);
    bt_diag_original(parse, diag, "must not be null");
}

struct order_rule {
    const char *less, *more;
    int64_t less_us, more_us;
    const struct bt_yaml_node *node;
};

static void check_order(struct parse *parse, const struct place *place,
                        const struct order_rule *rule)
{
    if (!rule->less_us || !rule->more_us || rule->less_us < rule->more_us || !rule->node)
        return;
    struct place at = bt_place_in(place, rule->less, rule->node);
    struct bt_diag *diag = bt_model_error(
        parse, &at, "retry-order", "\"%s\" must be less than \"%s\"", rule->less, rule->more);
    bt_diag_original(parse, diag, "'%s' must be less than '%s' but is %.*s", rule->less, rule->more,
                     BT_FMT(rule->node->text));
}

static void check(struct parse *parse, const struct place *place, const struct bt_retry *retry,
                  const struct retry_read *read)
{
    bool is_random = retry->kind == BT_RETRY_RANDOM;
    const char *least = is_random ? "minInterval" : "interval";
    if (!read->interval)
        need(parse, place, least);
    if (!read->interval_max && retry->kind != BT_RETRY_CONSTANT)
        need(parse, place, "maxInterval");
    int64_t total = retry->duration_max_us;
    const struct order_rule rules[] = {
        {least, "maxDuration", retry->interval_us, total, read->interval},
        {least, "maxInterval", retry->interval_us, retry->interval_max_us, read->interval},
        {"maxInterval", "maxDuration", is_random ? retry->interval_max_us : 0, total,
         read->interval_max},
    };
    for (size_t i = 0; i < BT_COUNT(rules); i++)
        check_order(parse, place, &rules[i]);
}

void bt_model_retry(struct parse *parse, const struct place *place, struct bt_retry *ret_retry)
{
    if (!bt_read_is_map(parse, place))
        return;
    struct bt_retry retry = {.kind = read_kind(parse, place), .delay_factor = 2};
    struct retry_read read = {0};
    if (retry.kind == BT_RETRY_NONE)
        return;
    for (uint32_t i = 0; i < place->node->count; i++) {
        const struct bt_yaml_pair *pair = &place->node->pairs[i];
        struct place at = bt_place_pair(place, bt_model_cstr(parse, pair->key->text), pair);
        read_property(parse, &at, &retry, &read);
    }
    check(parse, place, &retry, &read);
    *ret_retry = retry;
}
