/* flows.c — The routes of flows: translation only. */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "server/api/flow_query.h"
#include "server/router.h"
#include "service/shape.h"

static struct bt_str param(const struct bt_request *request, int index)
{
    return request->params[index];
}

static int give_flow(struct bt_request *request, const struct bt_found_flow *found, bool has_source,
                     struct bt_err *err)
{
    struct bt_value *value = NULL;
    BT_TRY(bt_shape_flow(found->flow, found->is_deleted, has_source, &value, err));
    return bt_respond_json(request, value, err);
}

/* --- Create, read, update, delete ------------------------------------------------------------- */

/* The original tells it as a violation. */
static int refuse_existing(struct bt_request *request, struct bt_err *err)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_diag *diag = bt_diags_add(&diags, BT_SEVERITY_ERROR, "exists", (struct bt_mark){0},
                                        "Flow id already exists");
    if (diag) {
        diag->original = diag->msg;
        diag->path = "flow.id";
    }
    int rc = bt_respond_violations(request, &diags, err);
    bt_diags_done(&diags);
    return rc;
}

static int put(struct bt_request *request, struct bt_flow_push push, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    push.source = bt_buf_str(&request->body);
    push.diags = &diags;
    int rc = bt_service_put_flow(request->service, &request->principal, &push, &flow, err);
    if (rc < 0 && diags.errors)
        rc = bt_respond_violations(request, &diags, err);
    else if (rc == BT_EXISTS)
        rc = refuse_existing(request, err);
    else if (rc == BT_OK)
        rc = give_flow(request, &(struct bt_found_flow){flow, false}, true, err);
    bt_diags_done(&diags);
    return rc;
}

static int create(struct bt_request *request, struct bt_err *err)
{
    return put(request, (struct bt_flow_push){.put = BT_PUT_NEW}, err);
}

/* Creates the flow, or gives it a new revision. */
static int put_any(struct bt_request *request, struct bt_err *err)
{
    return put(request, (struct bt_flow_push){.put = BT_PUT_ANY}, err);
}

static int update(struct bt_request *request, struct bt_err *err)
{
    return put(request,
               (struct bt_flow_push){
                   .put = BT_PUT_OLD, .namespace = param(request, 0), .id = param(request, 1)},
               err);
}

static int get(struct bt_request *request, struct bt_err *err)
{
    struct bt_found_flow found = {0};
    struct bt_flow_key key = {.namespace = param(request, 0), .id = param(request, 1)};
    bool has_source, allows_deleted;
    int64_t revision;
    BT_TRY(bt_query_bool(request, "source", false, &has_source, err));
    BT_TRY(bt_query_bool(request, "allowDeleted", false, &allows_deleted, err));
    BT_TRY(bt_query_int(request, "revision", 0, &revision, err));
    if (revision < 0 || revision > UINT32_MAX)
        return bt_fail(err, BT_NOT_FOUND, "%s", "");
    key.revision = (uint32_t)revision;
    BT_TRY(bt_service_flow(request->service, &request->principal, &key, &found, err));
    int rc = found.is_deleted && !allows_deleted ? bt_fail(err, BT_NOT_FOUND, "%s", "")
                                                 : give_flow(request, &found, has_source, err);
    bt_flow_unref(found.flow);
    return rc;
}

static int delete_one(struct bt_request *request, struct bt_err *err)
{
    BT_TRY(bt_service_delete_flow(request->service, &request->principal, param(request, 0),
                                  param(request, 1), err));
    return bt_respond(request, 204);
}

/* --- Lists ------------------------------------------------------------------------------------ */

struct listing {
    struct bt_value *list;
    uint64_t skip, limit;
    int64_t total;
    bool has_source;
    struct bt_err *err;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool occurs(struct bt_str part, const char *in)
{
    size_t len = strlen(in);
    for (size_t i = 0; i + part.len <= len; i++) {
        size_t same = 0;
        while (same < part.len && lower(in[i + same]) == lower(part.at[same]))
            same++;
        if (same == part.len)
            return true;
    }
    return part.len == 0;
}

static int list_one(void *data, const struct bt_found_flow *found)
{
    struct listing *listing = data;
    const struct bt_flow *flow = found->flow;
    struct bt_value *value = NULL;
    uint64_t at = (uint64_t)listing->total++;
    if (at < listing->skip || at - listing->skip >= listing->limit)
        return BT_OK;
    BT_TRY(bt_shape_flow(flow, found->is_deleted, listing->has_source, &value, listing->err));
    return bt_list_push(listing->list, value) < 0 ? bt_fail_mem(listing->err, "the answer") : BT_OK;
}

static int read_sort(const struct bt_request *request, struct bt_sorting *sorting,
                     enum bt_flow_sort *ret_sort, struct bt_err *err)
{
    static const char *const names[] = {[BT_FLOW_SORT_NAMESPACE] = "namespace",
                                        [BT_FLOW_SORT_ID] = "id",
                                        [BT_FLOW_SORT_REVISION] = "revision"};
    BT_TRY(bt_sorting_of(request, sorting, err));
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        if (bt_str_is(sorting->field, names[i])) {
            *ret_sort = (enum bt_flow_sort)i;
            return BT_OK;
        }
    }
    return sorting->field.len ? bt_sorting_refuse(sorting, err) : BT_OK;
}

/* The flows of the names that are on the page. One that went meanwhile is left out. */
static int give_named(struct bt_request *request, const struct bt_flow_names *names,
                      const struct bt_paging *paging, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(0);
    uint64_t skip = bt_paging_skip(paging);
    if (!list)
        return bt_fail_mem(err, "the answer");
    for (uint64_t i = skip; i < names->count && i - skip < (uint64_t)paging->size; i++) {
        BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
        struct bt_value *value = NULL;
        struct bt_flow_key key = {.namespace = bt_str_of(names->items[i].namespace),
                                  .id = bt_str_of(names->items[i].id)};
        int rc = bt_service_live_flow(request->service, &request->principal, &key, &flow, err);
        if (rc == BT_NOT_FOUND)
            continue;
        BT_TRY(rc);
        BT_TRY(bt_shape_flow(flow, false, false, &value, err));
        if (bt_list_push(list, value) < 0)
            return bt_fail_mem(err, "the answer");
    }
    return bt_respond_page(request, BT_TAKE(list), (int64_t)names->count, err);
}

static int give_list(struct bt_request *request, const struct bt_flow_filter *filter,
                     struct bt_err *err)
{
    struct bt_paging paging;
    struct bt_sorting sorting;
    enum bt_flow_sort sort = BT_FLOW_SORT_NAMESPACE;
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(read_sort(request, &sorting, &sort, err));
    if (sorting.field.len) {
        struct bt_flow_names names = {0};
        int rc = bt_service_name_flows(request->service, &request->principal, filter, &names, err);
        bt_flow_names_sort(&names, sort, !sorting.is_ascending);
        if (rc == BT_OK)
            rc = give_named(request, &names, &paging, err);
        bt_flow_names_done(&names);
        return rc;
    }
    BT_VALUE list = bt_list_new(0);
    struct listing listing = {
        .list = list, .skip = bt_paging_skip(&paging), .limit = (uint64_t)paging.size, .err = err};
    if (!list)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_service_find_flows(request->service, &request->principal, filter,
                                 &(struct bt_found_sink){list_one, &listing}, err));
    return bt_respond_page(request, BT_TAKE(list), listing.total, err);
}

static int search(struct bt_request *request, struct bt_err *err)
{
    struct bt_flow_find find;
    int rc = bt_flow_find_of(request, false, &find, err);
    if (rc == BT_OK)
        rc = give_list(request, &find.filter, err);
    bt_flow_find_done(&find);
    return rc;
}

static int of_namespace(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(0);
    struct bt_flow_query query = {.namespace = param(request, 0), .is_exact = true};
    struct listing listing = {.list = list, .limit = UINT64_MAX, .err = err};
    if (!list)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_service_flows(request->service, &request->principal, &query,
                            &(struct bt_found_sink){list_one, &listing}, err));
    return bt_respond_json(request, BT_TAKE(list), err);
}

static int revisions(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(0);
    struct bt_flow_key key = {.namespace = param(request, 0), .id = param(request, 1)};
    struct listing listing = {.list = list, .limit = UINT64_MAX, .has_source = true, .err = err};
    if (!list)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_service_revisions(request->service, &request->principal, &key,
                                &(struct bt_found_sink){list_one, &listing}, err));
    if (!bt_value_count(list))
        return bt_fail(err, BT_NOT_FOUND, "%s", "");
    return bt_respond_json(request, BT_TAKE(list), err);
}

struct names {
    struct bt_value *list;
    struct bt_str text;
};

static int add_namespace(void *data, const struct bt_found_flow *found)
{
    struct names *names = data;
    const struct bt_flow *flow = found->flow;
    size_t count = bt_value_count(names->list);
    if (!occurs(names->text, flow->namespace) ||
        (count && bt_str_is(bt_value_str(bt_list_at(names->list, count - 1)), flow->namespace)))
        return BT_OK;
    return bt_list_push(names->list, bt_value_cstr(flow->namespace));
}

static int namespaces(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(0);
    struct bt_flow_query query = {0};
    struct names names = {list, bt_query(request, "q")};
    if (!list)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_service_flows(request->service, &request->principal, &query,
                            &(struct bt_found_sink){add_namespace, &names}, err));
    return bt_respond_json(request, BT_TAKE(list), err);
}

static const struct bt_param search_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"sort", "string", "namespace, id or revision, :asc or :desc"},
    {"q", "string", "Words that occur in the namespace or the id"},
    {"namespace", "string", "This namespace and its children"},
    {"scope", "string[]", "USER, SYSTEM"},
    {"labels", "string[]", "key:value"},
    {0},
};
static const struct bt_param get_queries[] = {
    {"source", "boolean", "With the text of the flow"},
    {"revision", "integer", "The newest by default"},
    {"allowDeleted", "boolean", "Also one that was deleted"},
    {0},
};

#define YAML "application/x-yaml"

const struct bt_route bt_routes_flows[] = {
    {BT_POST, "/flows", create, 0, "createFlow", "Flows", "Create a flow", YAML, "FlowWithSource",
     NULL},
    {BT_POST, "/flows/import-source", put_any, 0, "putFlow", "Flows",
     "Create a flow, or give it a new revision", YAML, "FlowWithSource", NULL},
    {BT_GET, "/flows/search", search, 0, "searchFlows", "Flows", "Search flows", NULL, "PagedFlow",
     search_queries},
    {BT_GET, "/flows/distinct-namespaces", namespaces, 0, "listDistinctNamespaces", "Flows",
     "List the namespaces that have flows", NULL, "Strings", NULL},
    {BT_GET, "/flows/{namespace}", of_namespace, 0, "listFlowsByNamespace", "Flows",
     "List the flows of a namespace", NULL, "Flows", NULL},
    {BT_GET, "/flows/{namespace}/{id}", get, 0, "getFlow", "Flows", "Get a flow", NULL,
     "FlowWithSource", get_queries},
    {BT_PUT, "/flows/{namespace}/{id}", update, 0, "updateFlow", "Flows", "Update a flow", YAML,
     "FlowWithSource", NULL},
    {BT_DELETE, "/flows/{namespace}/{id}", delete_one, 0, "deleteFlow", "Flows", "Delete a flow",
     NULL, NULL, NULL},
    {BT_GET, "/flows/{namespace}/{id}/revisions", revisions, 0, "listFlowRevisions", "Flows",
     "List the revisions of a flow", NULL, "FlowsWithSource", NULL},
    {0},
};
