/* exec_query.c — Which executions a request means: the filters of lists and of bulk calls. A filter
 * that is not known is refused to bulk calls: they must never reach more than was meant. */
#include "server/api/api.h"

#include "base/own.h"
#include "value/time.h"

#include <stdio.h>

/* "filters[FIELD][OP]" */
struct bracket {
    struct bt_str field, op, key;
};

static bool read_bracket(struct bt_str name, struct bracket *ret)
{
    struct bt_str *const parts[] = {&ret->field, &ret->op, &ret->key};
    *ret = (struct bracket){0};
    if (!bt_str_starts(name, BT_STR("filters[")))
        return false;
    size_t at = 7;
    for (size_t i = 0; i < BT_COUNT(parts) && at < name.len && name.at[at] == '['; i++) {
        ptrdiff_t end = bt_str_find(name, BT_STR("]"), at);
        if (end < 0)
            return false;
        *parts[i] = bt_str_slice(name, at + 1, (size_t)end);
        at = (size_t)end + 1;
    }
    return at == name.len;
}

static bool is_any(struct bt_str text, const char *const *names)
{
    for (; *names; names++)
        if (bt_str_is(text, *names))
            return true;
    return false;
}

static int read_states(struct bt_str text, uint32_t *states, struct bt_err *err)
{
    for (size_t at = 0; at <= text.len;) {
        ptrdiff_t comma = bt_str_find(text, BT_STR(","), at);
        size_t end = comma < 0 ? text.len : (size_t)comma;
        struct bt_str name = bt_str_trim(bt_str_slice(text, at, end));
        enum bt_state state;
        at = end + 1;
        if (!name.len)
            continue;
        if (!bt_state_parse(name, &state))
            return bt_fail(err, BT_INVALID, "Invalid format: '%.*s' is no state", BT_FMT(name));
        *states |= 1u << state;
    }
    return BT_OK;
}

static int read_time(struct bt_str text, int64_t *ret_us, struct bt_err *err)
{
    struct bt_zone utc = bt_zone_utc();
    struct bt_moment moment;
    if (bt_moment_parse(text, BT_STR_NONE, &utc, &moment, NULL) < 0 ||
        moment.epoch_s > INT64_MAX / 1000000 || moment.epoch_s < INT64_MIN / 1000000)
        return bt_fail(err, BT_INVALID, "Invalid format: '%.*s' is no date and time", BT_FMT(text));
    *ret_us = moment.epoch_s * 1000000 + moment.nano / 1000;
    return BT_OK;
}

/* From now minus the duration; its sign does not matter. */
static int read_range(struct bt_str text, struct bt_exec_query *query, struct bt_err *err)
{
    struct bt_duration duration;
    if (bt_time_duration_parse(text, &duration, NULL) < 0 ||
        duration.seconds > INT64_MAX / 4000000 || duration.seconds < -(INT64_MAX / 4000000))
        return bt_fail(err, BT_INVALID, "Invalid format: '%.*s' is no duration", BT_FMT(text));
    int64_t span_us = duration.seconds * 1000000;
    query->from_us = bt_clock_wall_us(bt_clock_system()) - (span_us < 0 ? -span_us : span_us);
    return BT_OK;
}

static int add_label(struct bt_exec_filter *filter, struct bt_str key, struct bt_str text,
                     struct bt_err *err)
{
    if (!filter->labels)
        filter->labels = bt_map_new(0);
    return bt_map_put(filter->labels, key, bt_value_string(bt_str_trim(text))) < 0
               ? bt_fail_mem(err, "filters")
               : BT_OK;
}

/* "key:value" */
static int read_label(struct bt_exec_filter *filter, struct bt_str pair, struct bt_err *err)
{
    ptrdiff_t colon = bt_str_find(pair, BT_STR(":"), 0);
    if (colon <= 0 || (size_t)colon + 1 == pair.len)
        return bt_fail(err, BT_INVALID, "Illegal argument: the label '%.*s' is not key:value",
                       BT_FMT(pair));
    return add_label(filter, bt_str_slice(pair, 0, (size_t)colon),
                     bt_str_slice(pair, (size_t)colon + 1, pair.len), err);
}

/* One filter by its plain name. */
static int apply(struct bt_exec_filter *filter, struct bt_str name, struct bt_str text,
                 struct bt_err *err)
{
    struct bt_exec_query *query = &filter->query;
    if (bt_str_is(name, "namespace"))
        query->namespace = text;
    else if (bt_str_is(name, "flowId"))
        query->flow_id = text;
    else if (bt_str_is(name, "q"))
        query->text = text;
    else if (bt_str_is(name, "state"))
        return read_states(text, &query->states, err);
    else if (bt_str_is(name, "startDate"))
        return read_time(text, &query->from_us, err);
    else if (bt_str_is(name, "endDate"))
        return read_time(text, &query->to_us, err);
    else if (bt_str_is(name, "timeRange"))
        return read_range(text, query, err);
    else if (bt_str_is(name, "labels"))
        return read_label(filter, text, err);
    else
        return bt_fail(err, BT_INVALID, "Illegal argument: executions cannot be filtered by '%.*s'",
                       BT_FMT(name));
    return BT_OK;
}

/* Parameters that are no filters. */
static const char *const others[] = {
    "page", "size", "sort", "deleteLogs", "deleteMetrics", "deleteStorage", "includeNonTerminated",
    NULL};
static const char *const equal_ops[] = {"EQUALS", "IN", "PREFIX", NULL};

static int apply_bracket(struct bt_exec_filter *filter, const struct bt_pair *pair,
                         struct bt_err *err)
{
    struct bracket bracket;
    if (!read_bracket(pair->name, &bracket))
        return bt_fail(err, BT_INVALID, "Illegal argument: '%.*s' is no filter that is known here",
                       BT_FMT(pair->name));
    bool is_time = bt_str_is(bracket.field, "startDate") || bt_str_is(bracket.field, "endDate");
    const char *right = bt_str_is(bracket.field, "endDate") ? "LESS_THAN" : "GREATER_THAN";
    bool is_right =
        is_time ? bt_str_starts(bracket.op, bt_str_of(right)) : is_any(bracket.op, equal_ops);
    if (!is_right)
        return bt_fail(err, BT_INVALID, "Illegal argument: '%.*s' cannot be compared by '%.*s'",
                       BT_FMT(bracket.field), BT_FMT(bracket.op));
    if (bt_str_is(bracket.field, "labels") && bracket.key.len)
        return add_label(filter, bracket.key, pair->value, err);
    filter->query.is_exact |=
        bt_str_is(bracket.field, "namespace") && !bt_str_is(bracket.op, "PREFIX");
    return apply(filter, bracket.field, pair->value, err);
}

static bool is_known(struct bt_str name)
{
    static const char *const plain[] = {"namespace", "flowId",    "q",      "state", "startDate",
                                        "endDate",   "timeRange", "labels", NULL};
    struct bracket bracket;
    return is_any(read_bracket(name, &bracket) ? bracket.field : name, plain);
}

int bt_exec_filter_of(const struct bt_request *request, bool is_strict,
                      struct bt_exec_filter *filter, struct bt_err *err)
{
    *filter = (struct bt_exec_filter){.query = {.tenant = request->principal.tenant}};
    for (size_t i = 0; i < request->query_count; i++) {
        const struct bt_pair *pair = &request->queries[i];
        bool is_empty = !pair->value.len && (!is_strict || bt_str_is(pair->name, "q"));
        if (is_any(pair->name, others) || is_empty || (!is_strict && !is_known(pair->name)))
            continue;
        if (!pair->value.len)
            return bt_fail(err, BT_INVALID, "Illegal argument: the filter '%.*s' is empty",
                           BT_FMT(pair->name));
        bool is_bracket = bt_str_starts(pair->name, BT_STR("filters"));
        BT_TRY(is_bracket ? apply_bracket(filter, pair, err)
                          : apply(filter, pair->name, pair->value, err));
    }
    filter->query.labels = filter->labels;
    if (filter->query.from_us && filter->query.to_us && filter->query.from_us > filter->query.to_us)
        return bt_fail(err, BT_INVALID, "Illegal argument: startDate is after endDate");
    return BT_OK;
}

void bt_exec_filter_done(struct bt_exec_filter *filter)
{
    filter->labels = bt_value_unref(filter->labels);
}
