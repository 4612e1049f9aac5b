/* flow_query.c — Which flows a request means: the filters of executions that flows have, too. */
#include "server/api/flow_query.h"

#include "base/own.h"
#include "server/api/api.h"

#include <stdlib.h>

static bool is_any(struct bt_str text, const char *const *names)
{
    for (; *names; names++)
        if (bt_str_is(text, *names))
            return true;
    return false;
}

/* filters[…][field][OP] of a field that only executions have. */
static bool is_of_execution(struct bt_str name)
{
    static const char *const fields[] = {"[state]",     "[startDate]",   "[endDate]",
                                         "[timeRange]", "[childFilter]", "[triggerExecutionId]"};
    for (size_t i = 0; i < BT_COUNT(fields); i++)
        if (bt_str_find(name, bt_str_of(fields[i]), 0) >= 0)
            return true;
    return false;
}

static int check(const struct bt_pair *pair, bool is_strict, struct bt_err *err)
{
    static const char *const plain[] = {"q", "namespace", "scope", "labels", NULL};
    static const char *const others[] = {"page", "size", "sort", NULL};
    bool is_filter = bt_str_starts(pair->name, BT_STR("filters["));
    bool is_known = is_filter
                        ? !is_of_execution(pair->name)
                        : !is_strict || is_any(pair->name, plain) || is_any(pair->name, others);
    bool is_empty = !pair->value.len && !bt_str_is(pair->name, "q") && !is_any(pair->name, others);
    if (is_known && (!is_strict || !is_empty))
        return BT_OK;
    return bt_fail(err, BT_INVALID, "Illegal argument: flows cannot be filtered by '%.*s'",
                   BT_FMT(pair->name));
}

/* Namespaces have no capitals. */
static void lower(char *text)
{
    for (; text && *text; text++)
        *text = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
}

int bt_flow_find_of(const struct bt_request *request, bool is_strict, struct bt_flow_find *find,
                    struct bt_err *err)
{
    *find = (struct bt_flow_find){0};
    for (size_t i = 0; i < request->query_count; i++)
        BT_TRY(check(&request->queries[i], is_strict, err));
    BT_TRY(bt_find_of(request, &find->find, err));
    const struct bt_exec_query *query = &find->find.query;
    find->namespace = bt_str_dup(query->namespace);
    if (!find->namespace)
        return bt_fail_mem(err, "filters");
    lower(find->namespace);
    find->filter = (struct bt_flow_filter){.namespace = bt_str_of(find->namespace),
                                           .text = query->text,
                                           .labels = query->labels,
                                           .no_labels = query->no_labels,
                                           .conds = query->conds,
                                           .cond_count = query->cond_count,
                                           .is_nothing = find->find.is_nothing};
    return BT_OK;
}

void bt_flow_find_done(struct bt_flow_find *find)
{
    free(find->namespace);
    find->namespace = NULL;
    bt_find_done(&find->find);
}
