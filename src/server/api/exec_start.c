/* exec_start.c — Starting of executions: forms, keys, waiting. Translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/api/digest.h"
#include "server/api/given.h"
#include "server/follow.h"
#include "server/router.h"
#include "service/once.h"
#include "service/shape.h"

#include <assert.h>
#include <stdlib.h>

enum { WAIT_MS = 3600000 };

/* labels=key:value, repeated. A label may hold a comma. */
static int read_labels(struct bt_request *request, struct bt_value **ret_labels, struct bt_err *err)
{
    BT_VALUE labels = bt_map_new(0);
    for (size_t i = 0; i < request->query_count; i++) {
        struct bt_str pair = request->queries[i].value;
        if (!bt_str_is(request->queries[i].name, "labels"))
            continue;
        ptrdiff_t colon = bt_str_find(pair, BT_STR(":"), 0);
        if (colon <= 0 || (size_t)colon + 1 == pair.len)
            return bt_fail(err, BT_INVALID, "Illegal argument: the label '%.*s' is not key:value",
                           BT_FMT(pair));
        struct bt_str text = bt_str_trim(bt_str_slice(pair, (size_t)colon + 1, pair.len));
        if (bt_map_put(labels, bt_str_slice(pair, 0, (size_t)colon), bt_value_string(text)) < 0)
            return bt_fail_mem(err, "labels");
    }
    *ret_labels = BT_TAKE(labels);
    return *ret_labels ? BT_OK : bt_fail_mem(err, "labels");
}

/* The execution, and where a person may look at it. */
static int give_created(struct bt_request *request, const struct bt_exec *exec, struct bt_err *err)
{
    struct bt_buf *out = &request->response.body;
    BT_TRY(bt_write_exec(request, exec, err));
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

/* With a key of the client's: once. */
static int start_once(struct bt_request *request, const struct bt_start_request *start,
                      struct bt_start_result *ret_result, struct bt_err *err)
{
    char digest[BT_DIGEST_SIZE];
    struct bt_once once = {.key = bt_header(request, "Idempotency-Key")};
    if (!once.key.at)
        return bt_service_start(request->service, &request->principal, start, ret_result, err);
    BT_TRY(bt_request_digest(request, digest, err));
    once.digest = bt_str_of(digest);
    BT_TRY(bt_service_start_once(request->service, &request->principal, start, &once, err));
    if (once.is_known)
        bt_respond_header(request, "Idempotent-Replayed", "true");
    *ret_result = once.started;
    return BT_OK;
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

static int start(struct bt_request *request, const struct bt_flow *flow,
                 const struct bt_given *given, const struct bt_value *labels, struct bt_err *err)
{
    struct bt_start_request start = {.flow = flow,
                                     .inputs = given->inputs,
                                     .labels = labels,
                                     .files = given->files,
                                     .file_count = given->file_count};
    struct bt_start_result result;
    bool waits;
    int64_t most; /* Read again with the answer: here it is refused before anything is started. */
    BT_TRY(bt_query_bool(request, "wait", false, &waits, err));
    BT_TRY(bt_most_runs_of(request, &most, err));
    BT_TRY(bt_query_time(request, "scheduleDate", &start.schedule_us, err));
    BT_TRY(start_once(request, &start, &result, err));
    request->params[0] = bt_arena_str(&request->arena, bt_id_str(&result.id));
    if (!request->params[0].at)
        return bt_fail_mem(err, "execution");
    return waits ? wait_for(request, &result, err) : give_waited(request, err);
}

/* The flow that the path names, in the revision that the query names. */
static int find_flow(struct bt_request *request, struct bt_flow **ret_flow, struct bt_err *err)
{
    int64_t revision;
    BT_TRY(bt_query_int(request, "revision", 0, &revision, err));
    struct bt_flow_key key = {
        .namespace = request->params[0], .id = request->params[1], .revision = (uint32_t)revision};
    int rc = revision < 0 || revision > UINT32_MAX
                 ? BT_NOT_FOUND
                 : bt_service_live_flow(request->service, &request->principal, &key, ret_flow, err);
    return rc == BT_NOT_FOUND ? bt_fail(err, BT_NOT_FOUND, "Requested Flow is not found.") : rc;
}

static int create(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_VALUE labels = NULL;
    struct bt_given given = {0};
    BT_TRY(find_flow(request, &flow, err));
    assert(flow);
    if (flow->is_disabled)
        return bt_fail(err, BT_CONFLICT, "Requested Flow is disabled.");
    struct bt_input_set set = bt_flow_inputs(flow);
    int rc = bt_given_read(request, &set, &given, err);
    if (rc == BT_OK)
        rc = read_labels(request, &labels, err);
    if (rc == BT_OK)
        rc = start(request, flow, &given, labels, err);
    bt_given_done(&given);
    return rc == BT_INVALID ? bt_given_refuse(request, err) : rc;
}

static int check_inputs(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_TRY(find_flow(request, &flow, err));
    assert(flow);
    struct bt_input_set set = bt_flow_inputs(flow);
    return bt_given_check(request, flow, &set, err);
}

static const struct bt_param create_queries[] = {
    {"labels", "string[]", "key:value, repeatable"},
    {"wait", "boolean", "Answer when the execution has ended"},
    {"revision", "integer", "Of the flow; the newest by default"},
    {"scheduleDate", "date-time", "Not before; it stays CREATED until then"},
    BT_PARAM_TASK_RUNS,
    {0},
};
static const struct bt_param check_queries[] = {
    {"revision", "integer", "Of the flow; the newest by default"},
    {0},
};

#define FORM "multipart/form-data"

const struct bt_route bt_routes_exec_start[] = {
    {BT_POST, "/executions/{namespace}/{id}", create, BT_ROUTE_FORM, "createExecution",
     "Executions", "Start a flow (with an Idempotency-Key: once a day)", FORM, "ExecutionResponse",
     create_queries},
    {BT_POST, "/executions/trigger/{namespace}/{id}", create, BT_ROUTE_FORM | BT_ROUTE_HIDDEN,
     "triggerExecution", "Executions", "Start a flow", FORM, "ExecutionResponse", create_queries},
    {BT_POST, "/executions/{namespace}/{id}/validate", check_inputs, BT_ROUTE_FORM,
     "validateNewExecutionInputs", "Executions", "Check the inputs of a start, one by one", FORM,
     "InputChecks", check_queries},
    {0},
};
