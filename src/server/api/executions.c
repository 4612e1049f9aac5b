/* executions.c — The routes of executions: translation only. */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "server/api/find.h"
#include "server/follow.h"
#include "server/router.h"
#include "server/server.h"
#include "service/shape.h"

#include <stdlib.h>

enum { WAIT_MS = 3600000 };

static int load(struct bt_request *request, struct bt_exec **ret_exec, struct bt_err *err)
{
    return bt_service_exec(request->service, &request->principal, request->params[0], ret_exec,
                           err);
}

static int get(struct bt_request *request, struct bt_err *err)
{
    BT_TRY(bt_service_exec_text(request->service, &request->principal, request->params[0],
                                &request->response.body, err));
    return bt_respond_text(request, "application/json", err);
}

/* --- Starting --------------------------------------------------------------------------------- */

/* What a form holds, sorted into inputs and files. */
struct given {
    struct bt_value *inputs, *labels;
    struct bt_input_file *files;
    size_t file_count;
};

static void given_done(struct given *given)
{
    bt_value_unref(given->inputs);
    bt_value_unref(given->labels);
    free(given->files);
}

static const struct bt_input *find_input(const struct bt_flow *flow, struct bt_str id)
{
    for (uint32_t i = 0; i < flow->input_count; i++)
        if (bt_str_is(id, flow->inputs[i].id))
            return &flow->inputs[i];
    return NULL;
}

/* 0.21 names the input by the file's name, later versions by the part's: the former wins. */
static int add_file(struct bt_request *request, const struct bt_flow *flow,
                    const struct bt_part *part, struct given *given, struct bt_err *err)
{
    const struct bt_input *input = find_input(flow, part->file_name);
    struct bt_str name = part->file_name.len ? part->file_name : part->name;
    if (!input)
        input = find_input(flow, part->name);
    if (!input)
        return bt_fail(err, BT_INVALID, "Illegal argument: the flow has no input '%.*s'",
                       BT_FMT(part->name));
    given->files[given->file_count++] =
        (struct bt_input_file){input->id, bt_arena_dup(&request->arena, name), part->fd};
    return given->files[given->file_count - 1].path ? BT_OK : bt_fail_mem(err, "inputs");
}

/* What is no input of the flow is left out, as the original does. */
static int read_form(struct bt_request *request, const struct bt_flow *flow, struct given *given,
                     struct bt_err *err)
{
    given->inputs = bt_map_new(request->part_count);
    given->files = calloc(request->part_count + 1, sizeof *given->files);
    if (!given->inputs || !given->files)
        return bt_fail_mem(err, "inputs");
    for (size_t i = 0; i < request->part_count; i++) {
        const struct bt_part *part = &request->parts[i];
        if (part->fd >= 0) {
            BT_TRY(add_file(request, flow, part, given, err));
            continue;
        }
        const struct bt_input *input = find_input(flow, part->name);
        if (input && bt_map_puts(given->inputs, input->id, bt_value_string(part->text)) < 0)
            return bt_fail_mem(err, "inputs");
    }
    return BT_OK;
}

/* labels=key:value, repeated. A label may hold a comma. */
static int read_labels(struct bt_request *request, struct given *given, struct bt_err *err)
{
    given->labels = bt_map_new(0);
    for (size_t i = 0; i < request->query_count; i++) {
        struct bt_str pair = request->queries[i].value;
        if (!bt_str_is(request->queries[i].name, "labels"))
            continue;
        ptrdiff_t colon = bt_str_find(pair, BT_STR(":"), 0);
        if (colon <= 0 || (size_t)colon + 1 == pair.len)
            return bt_fail(err, BT_INVALID, "Illegal argument: the label '%.*s' is not key:value",
                           BT_FMT(pair));
        struct bt_str text = bt_str_trim(bt_str_slice(pair, (size_t)colon + 1, pair.len));
        if (bt_map_put(given->labels, bt_str_slice(pair, 0, (size_t)colon), bt_value_string(text)) <
            0)
            return bt_fail_mem(err, "labels");
    }
    return given->labels ? BT_OK : bt_fail_mem(err, "labels");
}

/* The execution, and where a person may look at it. */
static int give_created(struct bt_request *request, const struct bt_exec *exec, struct bt_err *err)
{
    struct bt_buf *out = &request->response.body;
    BT_TRY(bt_service_exec_json(request->service, exec, true, out, err));
    (void)bt_buf_addf(out, ",\"url\":\"http://%.*s/ui/executions/%s/%s/%s\"}",
                      BT_FMT(request->host), exec->namespace, exec->flow_id,
                      exec->id.text); /* Checked by what follows. */
    return bt_respond_text(request, "application/json", err);
}

/* After the wait: the final execution, or how far it is. */
static int give_waited(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    return give_created(request, exec, err);
}

/* Many an execution has ended with the commit that created it. */
static int wait_for(struct bt_request *request, const struct bt_start_result *result,
                    struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    return exec->is_drained ? give_created(request, exec, err)
                            : bt_follow_wait(request, result, WAIT_MS, give_waited, err);
}

static int start(struct bt_request *request, const struct bt_flow *flow, struct given *given,
                 struct bt_err *err)
{
    struct bt_start_request start = {.flow = flow,
                                     .inputs = given->inputs,
                                     .labels = given->labels,
                                     .files = given->files,
                                     .file_count = given->file_count};
    struct bt_start_result result;
    bool waits;
    BT_TRY(bt_query_bool(request, "wait", false, &waits, err));
    BT_TRY(bt_service_start(request->service, &request->principal, &start, &result, err));
    request->params[0] = bt_arena_str(&request->arena, bt_id_str(&result.id));
    if (!request->params[0].at)
        return bt_fail_mem(err, "execution");
    if (!waits)
        return give_waited(request, err);
    return wait_for(request, &result, err);
}

/* Invalid inputs are told with the input's id as path. */
static int refuse_inputs(struct bt_request *request, struct bt_err *err)
{
    struct bt_str msg = bt_str_of(err->msg);
    ptrdiff_t from = bt_str_find(msg, BT_STR("`"), 0);
    ptrdiff_t to = from < 0 ? -1 : bt_str_find(msg, BT_STR("`"), (size_t)from + 1);
    struct bt_diags diags = BT_DIAGS_INIT;
    if (to < 0 || !bt_str_starts(msg, BT_STR("Invalid input for ")))
        return BT_INVALID;
    struct bt_diag *diag =
        bt_diags_add(&diags, BT_SEVERITY_ERROR, "input", (struct bt_mark){1, 1, 0}, "%s", err->msg);
    if (diag) {
        diag->original = diag->msg;
        diag->path = bt_diags_dup(&diags, "%.*s", (int)(to - from - 1), msg.at + from + 1);
    }
    int rc = bt_respond_violations(request, &diags, err);
    bt_diags_done(&diags);
    return rc;
}

static int create(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    int64_t revision;
    BT_TRY(bt_query_int(request, "revision", 0, &revision, err));
    struct bt_flow_key key = {
        .namespace = request->params[0], .id = request->params[1], .revision = (uint32_t)revision};
    int rc = revision < 0 || revision > UINT32_MAX
                 ? BT_NOT_FOUND
                 : bt_service_live_flow(request->service, &request->principal, &key, &flow, err);
    if (rc == BT_NOT_FOUND)
        return bt_fail(err, BT_NOT_FOUND, "Requested Flow is not found.");
    BT_TRY(rc);
    if (flow->is_disabled)
        return bt_fail(err, BT_CONFLICT, "Requested Flow is disabled.");
    struct given given = {0};
    rc = read_form(request, flow, &given, err);
    if (rc == BT_OK)
        rc = read_labels(request, &given, err);
    if (rc == BT_OK)
        rc = start(request, flow, &given, err);
    given_done(&given);
    return rc == BT_INVALID ? refuse_inputs(request, err) : rc;
}

/* --- Lists ------------------------------------------------------------------------------------ */

struct listing {
    struct bt_request *request;
    size_t count;
    struct bt_err *err;
};

static int list_one(void *data, struct bt_exec *exec)
{
    struct listing *listing = data;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *taken = exec;
    struct bt_buf *out = &listing->request->response.body;
    if (listing->count++)
        (void)bt_buf_addc(out, ','); /* Checked by what follows. */
    BT_TRY(bt_service_exec_json(listing->request->service, taken, true, out, listing->err));
    return bt_buf_addc(out, '}') < 0 ? bt_buf_check(out, "the list", listing->err) : BT_OK;
}

static int read_sort(struct bt_request *request, struct bt_exec_query *query, struct bt_err *err)
{
    static const struct {
        const char *name;
        enum bt_exec_sort sort;
    } names[] = {
        {"state.startDate", BT_SORT_START},   {"state.endDate", BT_SORT_END},
        {"state.duration", BT_SORT_DURATION}, {"id", BT_SORT_ID},
        {"namespace", BT_SORT_NAMESPACE},     {"flowId", BT_SORT_FLOW},
        {"state.current", BT_SORT_STATE},
    };
    struct bt_str text = bt_query(request, "sort");
    query->sort = BT_SORT_START;
    if (!text.len)
        return BT_OK;
    ptrdiff_t colon = bt_str_find(text, BT_STR(":"), 0);
    if (colon < 0 || bt_str_find(text, BT_STR(":"), (size_t)colon + 1) >= 0)
        return bt_fail(err, BT_INVALID, "Illegal argument: sort must be field:asc or field:desc");
    query->is_ascending = bt_str_is(bt_str_slice(text, (size_t)colon + 1, text.len), "asc");
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        if (bt_str_is(bt_str_slice(text, 0, (size_t)colon), names[i].name)) {
            query->sort = names[i].sort;
            return BT_OK;
        }
    }
    return bt_fail(err, BT_INVALID, "Illegal argument: cannot sort by '%.*s'", (int)colon, text.at);
}

static int list_found(struct bt_request *request, struct bt_exec_query *query, struct bt_err *err)
{
    struct bt_paging paging;
    struct listing listing = {request, 0, err};
    struct bt_buf *out = &request->response.body;
    struct bt_total total;
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(read_sort(request, query, err));
    query->skip = bt_paging_skip(&paging);
    query->limit = (uint64_t)paging.size;
    (void)bt_buf_adds(out, "{\"results\":["); /* Checked by what follows. */
    BT_TRY(request->service->store->ops->execs(
        request->service->store, query, &(struct bt_exec_sink){list_one, &listing}, &total, err));
    (void)bt_buf_addf(out, "],\"total\":%lld%s}", (long long)total.count,
                      total.is_capped ? ",\"totalIsCapped\":true" : "");
    return bt_respond_text(request, "application/json", err);
}

static int search(struct bt_request *request, struct bt_err *err)
{
    struct bt_find find = {0};
    int rc = bt_find_of(request, &find, err);
    if (rc == BT_OK)
        rc = list_found(request, &find.query, err);
    bt_find_done(&find);
    return rc;
}

/* --- Acting on one ---------------------------------------------------------------------------- */

static int kill_one(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_TRY(load(request, &exec, err));
    BT_TRY(bt_service_kill(request->service, &request->principal, exec->key, err));
    return bt_respond(request, 202);
}

static int follow(struct bt_request *request, struct bt_err *err)
{
    struct bt_exec *exec = NULL;
    BT_TRY(load(request, &exec, err));
    return bt_follow_begin(request, BT_FOLLOW_EXEC, exec, 0, err);
}

static const struct bt_param create_queries[] = {
    {"labels", "string[]", "key:value, repeatable"},
    {"wait", "boolean", "Answer when the execution has ended"},
    {"revision", "integer", "Of the flow; the newest by default"},
    {0},
};
static const struct bt_param search_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"sort", "string", "state.startDate:desc and the like"},
    {"q", "string", "Words"},
    {"namespace", "string", "This namespace and its children"},
    {"flowId", "string", "Of the flow"},
    {"state", "string[]", "One of these states"},
    {"startDate", "date-time", "Started not before"},
    {"endDate", "date-time", "Started not after"},
    {"timeRange", "duration", "Started in this time until now"},
    {"labels", "string[]", "key:value"},
    {"scope", "string[]", "USER, SYSTEM"},
    {"triggerExecutionId", "string", "Started by this execution"},
    {"childFilter", "string", "CHILD: started by another execution; MAIN: not"},
    {0},
};

#define FORM "multipart/form-data"

const struct bt_route bt_routes_executions[] = {
    {BT_GET, "/executions/search", search, 0, "searchExecutions", "Executions", "Search executions",
     NULL, "PagedExecution", search_queries},
    {BT_GET, "/executions", search, 0, "listExecutions", "Executions", "List executions", NULL,
     "PagedExecution", search_queries},
    {BT_GET, "/executions/{executionId}", get, BT_ROUTE_QUICK, "getExecution", "Executions",
     "Get an execution", NULL, "Execution", NULL},
    {BT_GET, "/executions/{executionId}/follow", follow, 0, "followExecution", "Executions",
     "Follow an execution (server-sent events)", NULL, "EventStream", NULL},
    {BT_DELETE, "/executions/{executionId}/kill", kill_one, 0, "killExecution", "Executions",
     "Kill an execution", NULL, NULL, NULL},
    {BT_POST, "/executions/{namespace}/{id}", create, BT_ROUTE_FORM, "createExecution",
     "Executions", "Start a flow", FORM, "ExecutionResponse", create_queries},
    {BT_POST, "/executions/trigger/{namespace}/{id}", create, BT_ROUTE_FORM | BT_ROUTE_HIDDEN,
     "triggerExecution", "Executions", "Start a flow", FORM, "ExecutionResponse", create_queries},
    {0},
};
