/* flow_query.c — Which flows a request means. A filter that is not known is refused to bulk calls.
 */
#include "server/api/flow_query.h"

#include "base/own.h"
#include "server/api/api.h"

static int read_scope(struct bt_str text, struct bt_flow_filter *filter, struct bt_err *err)
{
    bool is_user = bt_str_find(text, BT_STR("USER"), 0) >= 0;
    bool is_system = bt_str_find(text, BT_STR("SYSTEM"), 0) >= 0;
    if (!is_user && !is_system)
        return bt_fail(err, BT_INVALID, "Illegal argument: scope is USER or SYSTEM, not '%.*s'",
                       BT_FMT(text));
    filter->scope = is_user && is_system ? BT_SCOPE_ALL : is_user ? BT_SCOPE_USER : BT_SCOPE_SYSTEM;
    return BT_OK;
}

static int add_label(struct bt_flow_find *find, struct bt_str key, struct bt_str text,
                     struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf pair = BT_BUF_INIT(1 << 16);
    if (!find->labels)
        find->labels = bt_list_new(1);
    (void)bt_buf_add(&pair, key); /* Checked below. */
    (void)bt_buf_addc(&pair, ':');
    (void)bt_buf_add(&pair, text);
    BT_TRY(bt_buf_check(&pair, "filters", err));
    return bt_list_push(find->labels, bt_value_string(bt_buf_str(&pair))) < 0
               ? bt_fail_mem(err, "filters")
               : BT_OK;
}

static int apply(struct bt_flow_find *find, struct bt_str name, struct bt_str text,
                 struct bt_err *err)
{
    static const struct bt_str label = {"filters[labels][EQUALS][", 24};
    bool is_bracket = bt_str_starts(name, BT_STR("filters["));
    ptrdiff_t end = is_bracket ? bt_str_find(name, BT_STR("]"), 0) : -1;
    struct bt_str field = end < 0 ? name : bt_str_slice(name, 8, (size_t)end);
    if (bt_str_starts(name, label) && name.len > label.len)
        return add_label(find, bt_str_slice(name, label.len, name.len - 1), text, err);
    if (bt_str_is(field, "q")) {
        find->filter.text = text;
    } else if (bt_str_is(field, "namespace")) {
        find->filter.namespace = text;
    } else if (bt_str_is(field, "scope")) {
        return read_scope(text, &find->filter, err);
    } else if (bt_str_is(field, "labels")) {
        ptrdiff_t colon = bt_str_find(text, BT_STR(":"), 0);
        if (colon <= 0 || (size_t)colon + 1 == text.len)
            return bt_fail(err, BT_INVALID, "Illegal argument: the label '%.*s' is not key:value",
                           BT_FMT(text));
        return add_label(find, bt_str_slice(text, 0, (size_t)colon),
                         bt_str_slice(text, (size_t)colon + 1, text.len), err);
    } else {
        return BT_NOT_FOUND;
    }
    return BT_OK;
}

/* Operators that mean what we do. */
static bool is_operator_known(struct bt_str name)
{
    static const char *const known[] = {"][EQUALS]", "][IN]", "][PREFIX]", "][STARTS_WITH]"};
    if (!bt_str_starts(name, BT_STR("filters")))
        return true;
    for (size_t i = 0; i < BT_COUNT(known); i++)
        if (bt_str_find(name, bt_str_of(known[i]), 0) >= 0)
            return true;
    return false;
}

int bt_flow_find_of(const struct bt_request *request, bool is_strict, struct bt_flow_find *find,
                    struct bt_err *err)
{
    static const char *const others[] = {"page", "size", "sort"};
    *find = (struct bt_flow_find){0};
    for (size_t i = 0; i < request->query_count; i++) {
        const struct bt_pair *pair = &request->queries[i];
        bool is_other = false;
        for (size_t j = 0; j < BT_COUNT(others); j++)
            is_other |= bt_str_is(pair->name, others[j]);
        bool may_be_empty = !is_strict || bt_str_is(pair->name, "q");
        if (is_other || (!pair->value.len && may_be_empty))
            continue;
        bool is_right = pair->value.len && is_operator_known(pair->name);
        int rc = is_right ? apply(find, pair->name, pair->value, err) : BT_NOT_FOUND;
        if (rc == BT_NOT_FOUND && is_strict)
            return bt_fail(err, BT_INVALID, "Illegal argument: flows cannot be filtered by '%.*s'",
                           BT_FMT(pair->name));
        if (rc < 0 && rc != BT_NOT_FOUND)
            return rc;
    }
    find->filter.labels = find->labels;
    return BT_OK;
}

void bt_flow_find_done(struct bt_flow_find *find)
{
    find->labels = bt_value_unref(find->labels);
}
