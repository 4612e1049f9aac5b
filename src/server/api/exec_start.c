/* exec_start.c — Starting of executions: forms, keys, waiting. Translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/api/digest.h"
#include "server/follow.h"
#include "server/router.h"
#include "service/once.h"
#include "service/shape.h"

#include <assert.h>
#include <stdlib.h>

enum { WAIT_MS = 3600000 };

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

/* Starting later comes with the life cycle of executions; a time that has passed means now. */
static int check_date(struct bt_request *request, struct bt_err *err)
{
    int64_t at_us;
    BT_TRY(bt_query_time(request, "scheduleDate", &at_us, err));
    if (at_us <= bt_clock_wall_us(bt_clock_system()))
        return BT_OK;
    (void)bt_fail(err, BT_INVALID,
                  "Illegal argument: this version cannot start an execution later (scheduleDate)");
    return bt_hint(err, "leave scheduleDate out to start it now");
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
    int64_t most; /* Read again with the answer: here it is refused before anything is started. */
    BT_TRY(bt_query_bool(request, "wait", false, &waits, err));
    BT_TRY(bt_most_runs_of(request, &most, err));
    BT_TRY(check_date(request, err));
    BT_TRY(start_once(request, &start, &result, err));
    request->params[0] = bt_arena_str(&request->arena, bt_id_str(&result.id));
    if (!request->params[0].at)
        return bt_fail_mem(err, "execution");
    return waits ? wait_for(request, &result, err) : give_waited(request, err);
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
        bt_diags_add(&diags, BT_SEVERITY_ERROR, "input", (struct bt_mark){0}, "%s", err->msg);
    if (diag) {
        diag->original = diag->msg;
        diag->path = bt_diags_dup(&diags, "%.*s", (int)(to - from - 1), msg.at + from + 1);
    }
    int rc = bt_respond_violations(request, &diags, err);
    bt_diags_done(&diags);
    return rc;
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
    struct given given = {0};
    BT_TRY(find_flow(request, &flow, err));
    assert(flow);
    if (flow->is_disabled)
        return bt_fail(err, BT_CONFLICT, "Requested Flow is disabled.");
    int rc = read_form(request, flow, &given, err);
    if (rc == BT_OK)
        rc = read_labels(request, &given, err);
    if (rc == BT_OK)
        rc = start(request, flow, &given, err);
    given_done(&given);
    return rc == BT_INVALID ? refuse_inputs(request, err) : rc;
}

/* --- Checking the inputs of a form ------------------------------------------------------------ */

static struct bt_value *errors_of(const struct bt_input_check *check)
{
    BT_VALUE list = bt_list_new(1), *item = NULL;
    if (!check->error)
        return BT_TAKE(list);
    item = bt_map_new(2);
    if (bt_map_puts(item, "message", bt_value_cstr(check->error)) < 0 ||
        bt_map_puts(item, "path", bt_value_cstr(check->input->id)) < 0 ||
        bt_list_push(list, BT_TAKE(item)) < 0)
        return NULL;
    return BT_TAKE(list);
}

static int add_check(void *data, const struct bt_input_check *check)
{
    BT_VALUE item = bt_map_new(4), *spec = bt_value_copy(check->input->spec);
    int rc = BT_OK;
    if (!bt_map_gets(spec, "required"))
        rc |= bt_map_puts(spec, "required", bt_value_bool(check->input->is_required));
    rc |= bt_map_puts(item, "input", BT_TAKE(spec));
    if (check->value)
        rc |= bt_map_puts(item, "value", bt_value_ref(check->value));
    rc |= bt_map_puts(item, "enabled", bt_value_bool(check->is_enabled));
    rc |= bt_map_puts(item, "errors", errors_of(check));
    return rc == BT_OK ? bt_list_push(data, BT_TAKE(item)) : BT_NO_MEM;
}

/* A file counts as given; nothing is stored. */
static int name_files(const struct given *given)
{
    for (size_t i = 0; i < given->file_count; i++)
        BT_TRY(bt_map_puts(given->inputs, given->files[i].input,
                           bt_value_cstr("baton:///inputs/file")));
    return BT_OK;
}

static int check_inputs(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_VALUE list = bt_list_new(0), *body = bt_map_new(3);
    struct given given = {0};
    BT_TRY(find_flow(request, &flow, err));
    assert(flow);
    int rc = read_form(request, flow, &given, err);
    if (rc == BT_OK && name_files(&given) < 0)
        rc = bt_fail_mem(err, "inputs");
    if (rc == BT_OK)
        rc = bt_inputs_check(flow, given.inputs, &(struct bt_input_sink){add_check, list}, err);
    given_done(&given);
    BT_TRY(rc);
    if (bt_map_puts(body, "id", bt_value_cstr(flow->id)) < 0 ||
        bt_map_puts(body, "namespace", bt_value_cstr(flow->namespace)) < 0 ||
        bt_map_puts(body, "inputs", BT_TAKE(list)) < 0)
        return bt_fail_mem(err, "the answer");
    return bt_respond_json(request, BT_TAKE(body), err);
}

static const struct bt_param create_queries[] = {
    {"labels", "string[]", "key:value, repeatable"},
    {"wait", "boolean", "Answer when the execution has ended"},
    {"revision", "integer", "Of the flow; the newest by default"},
    {"scheduleDate", "date-time", "Not later than now: starting later is not there yet"},
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
