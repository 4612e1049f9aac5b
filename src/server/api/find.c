/* find.c — Filters of executions: plain parameters, filters[field][OP]=value, and/or groups. */
#include "server/api/find.h"

#include "base/num.h"
#include "base/own.h"
#include "sys/clock.h"
#include "value/time.h"

enum { STATES_ALL = (1 << BT_STATE_COUNT) - 1, NO_STATE = 1 << 30, GROUPS_MAX = 32 };

/* One condition as it was sent. */
struct leaf {
    struct bt_str field, op, key; /* Key: of a label. */
    struct bt_str value;
    int group; /* -1: must hold; else one of this group is enough. */
};

struct reading {
    struct bt_find *find;
    uint32_t next_any;              /* Number for the next condition that stands alone. */
    uint32_t states;                /* So far. */
    uint32_t or_states[GROUPS_MAX]; /* Of states in groups. */
    bool has_flow[GROUPS_MAX];      /* The group has conditions on flows. */
    bool has_range, has_start;
};

static int refuse(const struct leaf *leaf, struct bt_err *err)
{
    (void)bt_fail(err, BT_INVALID, "Illegal argument: the filter '%.*s' with '%.*s'%s is not known",
                  BT_FMT(leaf->field), BT_FMT(leaf->op),
                  leaf->group >= 0 ? " in an 'or' group" : "");
    (void)bt_hint(err, "see /api/v1/openapi.json");
    return BT_INVALID;
}

/* --- On flows --------------------------------------------------------------------------------- */

static bool flow_op(struct bt_str name, struct bt_flow_cond *cond)
{
    static const struct {
        const char *name;
        enum bt_cond_op op;
        bool is_negated;
    } ops[] = {{"EQUALS", BT_OP_IS, false},
               {"NOT_EQUALS", BT_OP_IS, true},
               {"IN", BT_OP_IS, false},
               {"NOT_IN", BT_OP_IS, true},
               {"STARTS_WITH", BT_OP_STARTS, false},
               {"ENDS_WITH", BT_OP_ENDS, false},
               {"CONTAINS", BT_OP_CONTAINS, false},
               {"NOT_CONTAINS", BT_OP_CONTAINS, true},
               {"PREFIX", BT_OP_BELOW, false}};
    for (size_t i = 0; i < BT_COUNT(ops); i++) {
        if (!bt_str_is(name, ops[i].name))
            continue;
        cond->op = ops[i].op;
        cond->is_negated = ops[i].is_negated;
        return true;
    }
    return false;
}

/* The next part of a list "a,b"; false: none is left. */
static bool next_part(struct bt_str list, size_t *at, struct bt_str *part)
{
    if (*at > list.len)
        return false;
    ptrdiff_t comma = bt_str_find(list, BT_STR(","), *at);
    size_t end = comma < 0 ? list.len : (size_t)comma;
    *part = bt_str_trim(bt_str_slice(list, *at, end));
    *at = end + 1;
    return true;
}

static int add_flow_cond(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    struct bt_flow_cond cond = {.field = bt_str_is(leaf->field, "flowId") ? BT_FIELD_FLOW
                                                                          : BT_FIELD_NAMESPACE};
    bool is_list = bt_str_is(leaf->op, "IN") || bt_str_is(leaf->op, "NOT_IN");
    if (!flow_op(leaf->op, &cond) || (leaf->group >= 0 && bt_str_is(leaf->op, "NOT_IN")))
        return refuse(leaf, err);
    size_t at = 0;
    cond.text = leaf->value;
    cond.any = leaf->group >= 0 ? (uint32_t)leaf->group : reading->next_any++;
    if (leaf->group >= 0)
        reading->has_flow[leaf->group] = true;
    if (!is_list) {
        bt_vec_push(&reading->find->conds, cond);
        return BT_OK;
    }
    while (next_part(leaf->value, &at, &cond.text)) {
        bt_vec_push(&reading->find->conds, cond);
        if (cond.is_negated)
            cond.any = reading->next_any++; /* All of them must hold. */
    }
    return BT_OK;
}

int bt_scope_of(struct bt_str text, struct bt_flow_cond *cond, bool *has_cond, struct bt_err *err)
{
    bool is_user = bt_str_is(text, "USER");
    if (!is_user && !bt_str_is(text, "SYSTEM"))
        return bt_fail(err, BT_INVALID, "Invalid format: scope must be USER or SYSTEM, not '%.*s'",
                       BT_FMT(text));
    if (cond->text.len && cond->is_negated != is_user) {
        *has_cond = false; /* Both: everything. */
        return BT_OK;
    }
    *cond = (struct bt_flow_cond){
        .op = BT_OP_IS, .is_negated = is_user, .text = BT_STR("system"), .any = UINT32_MAX - 1};
    *has_cond = true;
    return BT_OK;
}

static int add_scope(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    struct bt_flow_cond cond = {0};
    bool has_cond = false, is_negated = bt_str_starts(leaf->op, BT_STR("NOT_"));
    size_t at = 0;
    struct bt_str part;
    struct bt_str op = is_negated ? bt_str_slice(leaf->op, 4, leaf->op.len) : leaf->op;
    if (!bt_str_is(op, "EQUALS") && !bt_str_is(op, "IN"))
        return refuse(leaf, err);
    while (next_part(leaf->value, &at, &part))
        BT_TRY(bt_scope_of(part, &cond, &has_cond, err));
    if (is_negated && !has_cond)
        reading->find->is_nothing = true;
    cond.is_negated = cond.is_negated != is_negated;
    if (has_cond)
        bt_vec_push(&reading->find->conds, cond);
    return BT_OK;
}

/* --- On executions ---------------------------------------------------------------------------- */

static int add_states(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    bool is_negated = bt_str_is(leaf->op, "NOT_IN") || bt_str_is(leaf->op, "NOT_EQUALS");
    uint32_t states = 0;
    size_t at = 0;
    struct bt_str part;
    if (!is_negated && !bt_str_is(leaf->op, "IN") && !bt_str_is(leaf->op, "EQUALS"))
        return refuse(leaf, err);
    while (next_part(leaf->value, &at, &part)) {
        enum bt_state state;
        if (!bt_state_parse(part, &state))
            return bt_fail(err, BT_INVALID, "Invalid format: '%.*s' is no state", BT_FMT(part));
        states |= 1u << state;
    }
    states = is_negated ? STATES_ALL & ~states : states;
    if (leaf->group >= 0)
        reading->or_states[leaf->group] |= states;
    else
        reading->states &= states;
    return BT_OK;
}

/* key:value, or the value of a key that the parameter's name has. */
static int add_label(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    bool is_negated = bt_str_is(leaf->op, "NOT_EQUALS");
    struct bt_value *map = is_negated ? reading->find->no_labels : reading->find->labels;
    struct bt_str key = leaf->key, value = leaf->value;
    if (!is_negated && !bt_str_is(leaf->op, "EQUALS"))
        return refuse(leaf, err);
    if (!key.len) {
        ptrdiff_t colon = bt_str_find(value, BT_STR(":"), 0);
        if (colon <= 0 || (size_t)colon + 1 == value.len)
            return bt_fail(err, BT_INVALID, "Illegal argument: the label '%.*s' is not key:value",
                           BT_FMT(value));
        key = bt_str_slice(value, 0, (size_t)colon);
        value = bt_str_trim(bt_str_slice(value, (size_t)colon + 1, value.len));
    }
    const struct bt_value *before = bt_map_get(map, key);
    if (before && !bt_str_eq(bt_value_str(before), value) && !is_negated)
        reading->find->is_nothing = true; /* Nothing has two values of one label. */
    return bt_map_put(map, key, bt_value_string(value)) < 0 ? bt_fail_mem(err, "labels") : BT_OK;
}

static int add_time(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    struct bt_exec_query *query = &reading->find->query;
    char name[16];
    int64_t us;
    (void)snprintf(name, sizeof name, "%.*s", BT_FMT(leaf->field)); /* One of two. */
    BT_TRY(bt_time_of(leaf->value, name, &us, err));
    bool is_from = bt_str_starts(leaf->op, BT_STR("GREATER")) ||
                   (bt_str_is(leaf->op, "EQUALS") && bt_str_is(leaf->field, "startDate"));
    bool is_to = bt_str_starts(leaf->op, BT_STR("LESS")) ||
                 (bt_str_is(leaf->op, "EQUALS") && bt_str_is(leaf->field, "endDate"));
    reading->has_start = reading->has_start || is_from;
    if (is_from && (!query->from_us || us > query->from_us))
        query->from_us = us;
    else if (is_to && (!query->to_us || us < query->to_us))
        query->to_us = us;
    return is_from || is_to ? BT_OK : refuse(leaf, err);
}

static int add_range(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    struct bt_duration duration;
    if (!bt_str_is(leaf->op, "EQUALS"))
        return refuse(leaf, err);
    if (bt_time_duration_parse(leaf->value, &duration, NULL) < 0)
        return bt_fail(err, BT_INVALID, "Invalid format: timeRange must be a duration, not '%.*s'",
                       BT_FMT(leaf->value));
    int64_t now_us = bt_clock_wall_us(bt_clock_system()), most = now_us / 1000000 - 1;
    int64_t seconds = duration.seconds < -most ? most
                      : duration.seconds < 0   ? -duration.seconds
                                               : duration.seconds;
    seconds = seconds > most ? most : seconds;
    reading->has_range = true;
    reading->find->query.from_us = now_us - seconds * 1000000;
    return BT_OK;
}

static int add_child(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    if (!bt_str_is(leaf->op, "EQUALS"))
        return refuse(leaf, err);
    if (bt_str_is(leaf->value, "CHILD"))
        reading->find->query.child = BT_CHILD_ONLY;
    else if (bt_str_is(leaf->value, "MAIN"))
        reading->find->query.child = BT_CHILD_NONE;
    else
        return bt_fail(err, BT_INVALID,
                       "Invalid format: childFilter must be CHILD or MAIN, not '%.*s'",
                       BT_FMT(leaf->value));
    return BT_OK;
}

/* This level and more severe ones. */
static int add_level(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    if (!reading->find->takes_levels ||
        (!bt_str_is(leaf->op, "EQUALS") && !bt_str_is(leaf->op, "GREATER_THAN_OR_EQUAL_TO")))
        return refuse(leaf, err);
    uint32_t levels;
    BT_TRY(bt_levels_from(leaf->value, &levels, err));
    if (levels)
        reading->find->levels = reading->find->levels ? reading->find->levels & levels : levels;
    return BT_OK;
}

static int add_leaf(struct reading *reading, const struct leaf *leaf, struct bt_err *err)
{
    static const struct {
        const char *field;
        int (*add)(struct reading *reading, const struct leaf *leaf, struct bt_err *err);
        bool in_groups;
    } fields[] = {{"namespace", add_flow_cond, true}, {"flowId", add_flow_cond, true},
                  {"state", add_states, true},        {"scope", add_scope, false},
                  {"labels", add_label, false},       {"startDate", add_time, false},
                  {"endDate", add_time, false},       {"timeRange", add_range, false},
                  {"childFilter", add_child, false},  {"level", add_level, false},
                  {"minLevel", add_level, false}};
    struct bt_exec_query *query = &reading->find->query;
    for (size_t i = 0; i < BT_COUNT(fields); i++)
        if (bt_str_is(leaf->field, fields[i].field))
            return leaf->group >= 0 && !fields[i].in_groups ? refuse(leaf, err)
                                                            : fields[i].add(reading, leaf, err);
    if (leaf->group >= 0 || !bt_str_is(leaf->op, "EQUALS"))
        return refuse(leaf, err);
    if (bt_str_is(leaf->field, "q"))
        query->text = leaf->value;
    else if (bt_str_is(leaf->field, "triggerExecutionId"))
        query->parent = leaf->value;
    else
        return refuse(leaf, err);
    return BT_OK;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* The text in the next brackets of a name; false: none follow. */
static bool next_bracket(struct bt_str name, size_t *at, struct bt_str *part)
{
    if (*at >= name.len || name.at[*at] != '[')
        return false;
    ptrdiff_t end = bt_str_find(name, BT_STR("]"), *at);
    if (end < 0)
        return false;
    *part = bt_str_slice(name, *at + 1, (size_t)end);
    *at = (size_t)end + 1;
    return true;
}

/* [and][0][field][OP], [and][1][or][0][field][OP], [or][0][field][OP]: *at stands before the
 * field afterwards. */
static int read_group(struct bt_str name, size_t *at, int *ret_group, struct bt_err *err)
{
    struct bt_str part, number;
    size_t next = *at;
    int outer = GROUPS_MAX - 1; /* Of an "or" that stands outermost. */
    int depth = 0;
    *ret_group = -1;
    while (next_bracket(name, &next, &part) && (bt_str_is(part, "and") || bt_str_is(part, "or"))) {
        int64_t index;
        if (!next_bracket(name, &next, &number) || !bt_parse_i64(number, &index) || index < 0 ||
            index >= GROUPS_MAX - 1 || *ret_group >= 0 || depth++ > 1)
            return bt_fail(err, BT_INVALID, "Illegal argument: cannot read the group of '%.*s'",
                           BT_FMT(name));
        if (bt_str_is(part, "or"))
            *ret_group = outer;
        else
            outer = (int)index;
        *at = next;
    }
    return BT_OK;
}

static int read_filter(struct reading *reading, const struct bt_pair *pair, struct bt_err *err)
{
    struct leaf leaf = {.value = pair->value, .key = BT_STR_NONE};
    size_t at = sizeof "filters" - 1;
    BT_TRY(read_group(pair->name, &at, &leaf.group, err));
    if (!next_bracket(pair->name, &at, &leaf.field) || !next_bracket(pair->name, &at, &leaf.op))
        return bt_fail(err, BT_INVALID, "Illegal argument: '%.*s' is not filters[field][OP]",
                       BT_FMT(pair->name));
    (void)next_bracket(pair->name, &at, &leaf.key); /* Only labels have one. */
    return add_leaf(reading, &leaf, err);
}

/* Repeated plain states and labels add up; of the others the first counts. */
static int read_plain(struct reading *reading, const struct bt_request *request, struct bt_err *err)
{
    static const char *const names[] = {
        "startDate", "endDate", "timeRange", "scope", "q", "triggerExecutionId", "childFilter"};
    struct bt_exec_query *query = &reading->find->query;
    BT_VALUE states = NULL;
    uint32_t mask = 0;
    query->namespace = bt_query(request, "namespace");
    query->flow_id = bt_query(request, "flowId");
    BT_TRY(bt_query_list(request, "state", &states, err));
    for (size_t i = 0; i < bt_value_count(states); i++) {
        struct bt_str name = bt_value_str(bt_list_at(states, i));
        enum bt_state state;
        if (!bt_state_parse(name, &state))
            return bt_fail(err, BT_INVALID, "Invalid format: '%.*s' is no state", BT_FMT(name));
        mask |= 1u << state;
    }
    reading->states &= mask ? mask : STATES_ALL;
    if (reading->find->takes_levels)
        BT_TRY(bt_levels_from(bt_query(request, "minLevel"), &reading->find->levels, err));
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        struct leaf leaf = {bt_str_of(names[i]), BT_STR("EQUALS"), BT_STR_NONE,
                            bt_query(request, names[i]), -1};
        if (leaf.value.len)
            BT_TRY(add_leaf(reading, &leaf, err));
    }
    return BT_OK;
}

static int finish(struct reading *reading, struct bt_err *err)
{
    struct bt_find *find = reading->find;
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        if (reading->or_states[i] && reading->has_flow[i])
            return bt_fail(err, BT_INVALID,
                           "Illegal argument: states and flows cannot be in one 'or' group");
        if (reading->or_states[i])
            reading->states &= reading->or_states[i];
    }
    if (reading->has_range && reading->has_start)
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: use either timeRange or startDate, not both");
    if (find->query.from_us && find->query.to_us && find->query.from_us > find->query.to_us)
        return bt_fail(err, BT_INVALID, "Illegal argument: startDate is after endDate");
    find->query.states = find->is_nothing || !reading->states ? NO_STATE
                         : reading->states == STATES_ALL      ? 0
                                                              : reading->states;
    find->query.conds = find->conds.items;
    find->query.cond_count = find->conds.count;
    find->query.labels = find->labels;
    find->query.no_labels = find->no_labels;
    return BT_OK;
}

int bt_find_of(const struct bt_request *request, struct bt_find *find, struct bt_err *err)
{
    struct reading reading = {.find = find, .next_any = GROUPS_MAX, .states = STATES_ALL};
    find->query.tenant = request->principal.tenant;
    find->labels = bt_map_new(0);
    find->no_labels = bt_map_new(0);
    if (!find->labels || !find->no_labels)
        return bt_fail_mem(err, "filters");
    BT_TRY(read_plain(&reading, request, err));
    for (size_t i = 0; i < request->query_count; i++) {
        const struct bt_pair *pair = &request->queries[i];
        struct leaf label = {BT_STR("labels"), BT_STR("EQUALS"), BT_STR_NONE, pair->value, -1};
        if (bt_str_starts(pair->name, BT_STR("filters[")))
            BT_TRY(read_filter(&reading, pair, err));
        else if (bt_str_is(pair->name, "labels"))
            BT_TRY(add_leaf(&reading, &label, err));
    }
    return finish(&reading, err);
}

static bool is_any(struct bt_str text, const char *const *names)
{
    for (; *names; names++)
        if (bt_str_is(text, *names))
            return true;
    return false;
}

int bt_find_strictly(const struct bt_request *request, struct bt_find *find, struct bt_err *err)
{
    static const char *const filters[] = {
        "namespace",          "flowId",  "q",         "state", "labels",
        "startDate",          "endDate", "timeRange", "scope", "childFilter",
        "triggerExecutionId", NULL};
    static const char *const others[] = {"page",
                                         "size",
                                         "sort",
                                         "deleteLogs",
                                         "deleteMetrics",
                                         "deleteStorage",
                                         "includeNonTerminated",
                                         "newState",
                                         "newStatus",
                                         "latestRevision",
                                         NULL};
    for (size_t i = 0; i < request->query_count; i++) {
        const struct bt_pair *pair = &request->queries[i];
        bool is_filter =
            is_any(pair->name, filters) || bt_str_starts(pair->name, BT_STR("filters["));
        if (!is_filter && !is_any(pair->name, others))
            return bt_fail(err, BT_INVALID,
                           "Illegal argument: executions cannot be filtered by '%.*s'",
                           BT_FMT(pair->name));
        if (is_filter && !pair->value.len && !bt_str_is(pair->name, "q"))
            return bt_fail(err, BT_INVALID, "Illegal argument: the filter '%.*s' is empty",
                           BT_FMT(pair->name));
    }
    return bt_find_of(request, find, err);
}

void bt_find_done(struct bt_find *find)
{
    bt_vec_done(&find->conds);
    find->labels = bt_value_unref(find->labels);
    find->no_labels = bt_value_unref(find->no_labels);
}
