/* flows.c — The routes of flows: translation only. */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
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
    struct bt_diag *diag = bt_diags_add(&diags, BT_SEVERITY_ERROR, "exists",
                                        (struct bt_mark){1, 1, 0}, "Flow id already exists");
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
    struct bt_str text; /* What must occur in namespace or id. */
    const struct bt_value *labels;
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

/* Every word of the text occurs in the namespace or the id. */
static bool has_words(struct bt_str text, const struct bt_flow *flow)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len && text.at[end] != ' ')
            end++;
        struct bt_str word = bt_str_slice(text, at, end);
        if (!occurs(word, flow->id) && !occurs(word, flow->namespace))
            return false;
        at = end + 1;
    }
    return true;
}

/* "key:value" each. */
static bool has_labels(const struct bt_value *wanted, const struct bt_flow *flow)
{
    for (size_t i = 0; i < bt_value_count(wanted); i++) {
        struct bt_str pair = bt_value_str(bt_list_at(wanted, i));
        ptrdiff_t colon = bt_str_find(pair, BT_STR(":"), 0);
        if (colon < 0)
            return false;
        const struct bt_value *have =
            bt_map_get(flow->labels, bt_str_slice(pair, 0, (size_t)colon));
        if (!have || !bt_str_eq(bt_value_str(have),
                                bt_str_trim(bt_str_slice(pair, (size_t)colon + 1, pair.len))))
            return false;
    }
    return true;
}

static int list_one(void *data, const struct bt_found_flow *found)
{
    struct listing *listing = data;
    const struct bt_flow *flow = found->flow;
    struct bt_value *value = NULL;
    if (!has_words(listing->text, flow) || !has_labels(listing->labels, flow))
        return BT_OK;
    uint64_t at = (uint64_t)listing->total++;
    if (at < listing->skip || at - listing->skip >= listing->limit)
        return BT_OK;
    BT_TRY(bt_shape_flow(flow, found->is_deleted, listing->has_source, &value, listing->err));
    return bt_list_push(listing->list, value) < 0 ? bt_fail_mem(listing->err, "the answer") : BT_OK;
}

static int search(struct bt_request *request, struct bt_err *err)
{
    struct bt_paging paging;
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_VALUE labels = NULL;
    BT_TRY(bt_query_list(request, "labels", &labels, err));
    BT_VALUE list = bt_list_new(0);
    struct bt_flow_query query = {.namespace = bt_filter(request, "namespace")};
    struct listing listing = {.list = list,
                              .text = bt_filter(request, "q"),
                              .labels = labels,
                              .skip = bt_paging_skip(&paging),
                              .limit = (uint64_t)paging.size,
                              .err = err};
    if (!list)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_service_flows(request->service, &request->principal, &query,
                            &(struct bt_found_sink){list_one, &listing}, err));
    return bt_respond_page(request, BT_TAKE(list), listing.total, err);
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

/* --- Validation ------------------------------------------------------------------------------- */

static int validate_one(struct bt_value *list, struct bt_str source, int64_t index)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    struct bt_diags diags = BT_DIAGS_INIT;
    BT_VALUE item = bt_map_new(8);
    int rc = bt_flow_parse(source, &flow, &diags);
    if (rc == BT_NO_MEM || !item)
        return BT_NO_MEM;
    bool is_good = rc == BT_OK;
    rc = bt_map_puts(item, "index", bt_value_int(index));
    if (is_good) {
        rc |= bt_map_puts(item, "flow", bt_value_cstr(flow->id));
        rc |= bt_map_puts(item, "namespace", bt_value_cstr(flow->namespace));
        rc |= bt_map_puts(item, "deprecationPaths", bt_list_new(0));
        rc |= bt_map_puts(item, "infos", bt_list_new(0));
        rc |= bt_map_puts(item, "warnings", bt_list_new(0));
    } else {
        bt_shape_violations_text(&diags, &text);
        struct bt_str words = bt_str_trim(bt_buf_str(&text));
        rc |= bt_map_puts(item, "constraints", bt_value_string(words));
        rc |= bt_map_puts(item, "violations", bt_shape_violations(&diags));
    }
    rc |= bt_map_puts(item, "outdated", bt_value_bool(false));
    bt_diags_done(&diags);
    return rc != BT_OK ? BT_NO_MEM : bt_list_push(list, BT_TAKE(item));
}

/* Documents are separated by lines that are "---". */
static int validate(struct bt_request *request, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(1);
    struct bt_str body = bt_buf_str(&request->body);
    int64_t index = 0;
    for (size_t at = 0; list && at <= body.len;) {
        size_t end = at;
        while (end < body.len &&
               !(bt_str_starts(bt_str_slice(body, end, body.len), BT_STR("---")) &&
                 (end == 0 || body.at[end - 1] == '\n') &&
                 (end + 3 == body.len || body.at[end + 3] == '\n' || body.at[end + 3] == '\r')))
            end++;
        struct bt_str one = bt_str_slice(body, at, end);
        if (bt_str_trim(one).len || (end == body.len && index == 0)) {
            if (validate_one(list, one, index++) < 0)
                return bt_fail_mem(err, "the answer");
        }
        at = end < body.len ? end + 3 : body.len + 1;
    }
    return bt_respond_json(request, BT_TAKE(list), err);
}

static const struct bt_param search_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"sort", "string", "field:asc or field:desc"},
    {"q", "string", "Words that occur in the namespace or the id"},
    {"namespace", "string", "This namespace and its children"},
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
    {BT_POST, "/flows/validate", validate, 0, "validateFlows", "Flows", "Validate flows", YAML,
     "Violations", NULL},
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
