/* namespaces.c — The routes of namespaces: those of all flows, with the ones above them. */
#include "server/api/api.h"

#include "base/own.h"
#include "engine/namespace/kv.h"
#include "server/router.h"

#include <stdlib.h>

static struct bt_value *shape(struct bt_str id, bool is_row)
{
    BT_VALUE map = bt_map_new(3);
    int rc = is_row ? bt_map_puts(map, "disabled", bt_value_bool(true)) : BT_OK;
    rc |= bt_map_puts(map, "id", bt_value_string(id));
    rc |= bt_map_puts(map, "deleted", bt_value_bool(false));
    return rc == BT_OK ? BT_TAKE(map) : NULL;
}

static int get(struct bt_request *request, struct bt_err *err)
{
    BT_TRY(bt_kv_check_namespace(request->params[0], err));
    return bt_respond_json(request, shape(request->params[0], false), err);
}

/* --- Which there are -------------------------------------------------------------------------- */

/* Each namespace of a flow with all above it: names are keys. */
static int note(void *data, const struct bt_found_flow *found)
{
    struct bt_str name = bt_str_of(found->flow->namespace);
    for (size_t end = 0; end <= name.len; end++)
        if ((end == name.len || name.at[end] == '.') &&
            bt_map_put(data, bt_str_slice(name, 0, end), bt_value_bool(end == name.len)) < 0)
            return BT_NO_MEM;
    return BT_OK;
}

static bool holds(struct bt_str text, struct bt_str part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (strncasecmp(text.at + i, part.at ? part.at : "", part.len) == 0)
            return true;
    return false;
}

static int by_text(const void *a, const void *b)
{
    const struct bt_str *one = a, *two = b;
    return bt_str_cmp(*one, *two);
}

/* The names that hold the text, sorted; freed by the caller. They live as long as `known`. */
static int names_of(struct bt_request *request, struct bt_str text, struct bt_value *known,
                    struct bt_str **ret_names, size_t *ret_count)
{
    size_t count = 0;
    if (bt_service_flows(request->service, &request->principal, &(struct bt_flow_query){0},
                         &(struct bt_found_sink){note, known}, NULL) < 0 ||
        (!bt_map_gets(known, "system") && bt_map_puts(known, "system", bt_value_bool(false)) < 0))
        return BT_NO_MEM;
    struct bt_str *names = calloc(bt_value_count(known) + 1, sizeof *names);
    if (!names)
        return BT_NO_MEM;
    for (size_t i = 0; i < bt_value_count(known); i++)
        if (holds(bt_map_key(known, i), text))
            names[count++] = bt_map_key(known, i);
    qsort(names, count, sizeof *names, by_text);
    *ret_names = names;
    *ret_count = count;
    return BT_OK;
}

static int search(struct bt_request *request, struct bt_err *err)
{
    struct bt_paging paging;
    struct bt_sorting sorting;
    struct bt_str *names = NULL;
    size_t count = 0;
    int64_t total = 0;
    bool only_existing;
    BT_VALUE known = bt_map_new(16), *list = bt_list_new(10);
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(bt_sorting_of(request, &sorting, err));
    if (sorting.field.len && !bt_str_is(sorting.field, "id"))
        return bt_sorting_refuse(&sorting, err);
    bool is_descending = sorting.field.len && !sorting.is_ascending;
    BT_TRY(bt_query_bool(request, "existing", false, &only_existing, err));
    int rc = names_of(request, bt_filter(request, "q"), known, &names, &count);
    uint64_t skip = bt_paging_skip(&paging);
    for (size_t i = 0; rc == BT_OK && i < count; i++) {
        struct bt_str name = names[is_descending ? count - 1 - i : i];
        if (only_existing && !bt_value_as_bool(bt_map_get(known, name)))
            continue;
        uint64_t at = (uint64_t)total++;
        if (at >= skip && at - skip < (uint64_t)paging.size)
            rc = bt_list_push(list, shape(name, true));
    }
    free(names);
    return rc == BT_OK ? bt_respond_page(request, BT_TAKE(list), total, err)
                       : bt_fail_mem(err, "the answer");
}

/* {q, ids, existingOnly} → names: the given ones too. */
static int autocomplete(struct bt_request *request, struct bt_err *err)
{
    struct bt_str *names = NULL;
    size_t count = 0;
    BT_VALUE body = NULL, *known = bt_map_new(16), *list = bt_list_new(0);
    BT_TRY(bt_body_json(request, &body, err));
    bool only_existing = bt_value_as_bool(bt_map_gets(body, "existingOnly"));
    int rc = names_of(request, bt_map_str(body, "q"), known, &names, &count);
    for (size_t i = 0; rc == BT_OK && i < count; i++)
        if (!only_existing || bt_value_as_bool(bt_map_get(known, names[i])))
            rc = bt_list_push(list, bt_value_string(names[i]));
    free(names);
    return rc == BT_OK ? bt_respond_json(request, BT_TAKE(list), err)
                       : bt_fail_mem(err, "the answer");
}

static const struct bt_param search_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"sort", "string", "id:asc or id:desc"},
    {"q", "string", "Part of the name"},
    {"existing", "boolean", "Only those with flows"},
    {0},
};

const struct bt_route bt_routes_namespaces[] = {
    {BT_GET, "/namespaces/search", search, 0, "searchNamespaces", "Namespaces",
     "Search namespaces, those above them too", NULL, "PagedNamespace", search_queries},
    {BT_POST, "/namespaces/autocomplete", autocomplete, 0, "autocompleteNamespaces", "Namespaces",
     "List names of namespaces", "application/json Autocomplete", "Strings", NULL},
    {BT_GET, "/namespaces/{namespace}", get, 0, "getNamespace", "Namespaces", "Get a namespace",
     NULL, "Namespace", NULL},
    {0},
};
