/* exec_actions.c — Pause, resume, unqueue, force run, restart, replay and changes of states, of one
 * execution and in bulk: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/api/bulk.h"
#include "server/api/given.h"
#include "server/router.h"

static int load(struct bt_request *request, struct bt_exec **ret_exec, struct bt_err *err)
{
    return bt_service_exec(request->service, &request->principal, request->params[0], ret_exec,
                           err);
}

/* --- One -------------------------------------------------------------------------------------- */

/* The execution of the path, when its state allows it. */
static int act_on(struct bt_request *request, const struct bt_act *act, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_TRY(load(request, &exec, err));
    BT_TRY(bt_act_check(act, exec->state, err));
    struct bt_exec_ref ref = bt_bulk_ref(exec);
    const bt_exec_refs refs = {&ref, 1, 1};
    return bt_service_act(request->service, &request->principal, &refs, act, err);
}

/* As it is after what was done. */
static int give_exec(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_TRY(load(request, &exec, err));
    BT_TRY(bt_write_exec(request, exec, err));
    (void)bt_buf_addc(&request->response.body, '}'); /* Checked next. */
    return bt_respond_text(request, "application/json", err);
}

static int act_and_give(struct bt_request *request, const struct bt_act *act, struct bt_err *err)
{
    int64_t most; /* Refused before anything is changed. */
    BT_TRY(bt_most_runs_of(request, &most, err));
    int rc = act_on(request, act, err);
    if (rc == BT_INVALID)
        return bt_given_refuse(request, err);
    return rc == BT_OK ? give_exec(request, err) : rc;
}

/* Nothing; the newest dialect wants to see the execution. */
static int give_done(struct bt_request *request, int status, struct bt_err *err)
{
    bool is_newest = bt_str_find(request->uri, BT_STR("/actions/"), 0) >= 0;
    return is_newest ? give_exec(request, err) : bt_respond(request, status);
}

static int pause_one(struct bt_request *request, struct bt_err *err)
{
    BT_TRY(act_on(request, &(struct bt_act){.action = BT_ACTION_PAUSE}, err));
    return give_done(request, 200, err);
}

static int resume(struct bt_request *request, const struct bt_exec *exec,
                  const struct bt_pause *pause, struct bt_err *err)
{
    struct bt_given given = {0};
    int rc = bt_given_read(request, &pause->set, &given, err);
    if (rc == BT_OK)
        rc = bt_service_resume(request->service, &request->principal, exec,
                               &(struct bt_resume_request){.pause = pause,
                                                           .inputs = given.inputs,
                                                           .files = given.files,
                                                           .file_count = given.file_count},
                               err);
    bt_given_done(&given);
    if (rc == BT_INVALID)
        return bt_given_refuse(request, err);
    return rc == BT_OK ? give_done(request, 204, err) : rc;
}

static int check_resume(struct bt_request *request, const struct bt_exec *exec,
                        const struct bt_pause *pause, struct bt_err *err)
{
    (void)exec;
    return bt_given_check(request, pause->flow, &pause->set, err);
}

static int with_pause(struct bt_request *request,
                      int (*go_on)(struct bt_request *request, const struct bt_exec *exec,
                                   const struct bt_pause *pause, struct bt_err *err),
                      struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_pause pause = {0};
    BT_TRY(load(request, &exec, err));
    BT_TRY(bt_service_pause_of(request->service, &request->principal, exec, &pause, err));
    int rc = go_on(request, exec, &pause, err);
    bt_pause_done(&pause);
    return rc;
}

static int resume_one(struct bt_request *request, struct bt_err *err)
{
    return with_pause(request, resume, err);
}

static int validate_one(struct bt_request *request, struct bt_err *err)
{
    return with_pause(request, check_resume, err);
}

/* In the parameter: what becomes of one that waits in the queue. */
static int read_unqueue(struct bt_request *request, const char *name, struct bt_act *act,
                        struct bt_err *err)
{
    struct bt_str text = bt_query(request, name);
    *act = (struct bt_act){.action = BT_ACTION_UNQUEUE, .state = BT_RUNNING};
    if (text.at &&
        (!bt_state_parse(text, &act->state) ||
         (act->state != BT_RUNNING && act->state != BT_CANCELLED && act->state != BT_FAILED)))
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: '%s' must be RUNNING, CANCELLED or FAILED, not '%.*s'",
                       name, BT_FMT(text));
    return BT_OK;
}

static int unqueue_one(struct bt_request *request, struct bt_err *err)
{
    struct bt_act act;
    BT_TRY(read_unqueue(request, "state", &act, err));
    return act_and_give(request, &act, err);
}

static int force_one(struct bt_request *request, struct bt_err *err)
{
    return act_and_give(request, &(struct bt_act){.action = BT_ACTION_FORCE}, err);
}

static int restart_one(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    uint32_t revision;
    BT_TRY(bt_query_revision(request, &revision, err));
    BT_TRY(load(request, &exec, err));
    if (revision && revision != exec->revision) {
        (void)bt_fail(err, BT_INVALID, "an execution is restarted with its own revision, %u",
                      exec->revision);
        return bt_hint(err, "replay it with another one");
    }
    return act_and_give(request, &(struct bt_act){.action = BT_ACTION_RESTART}, err);
}

/* From the task run and with the revision of the query; the answer is the new one. */
static int replay(struct bt_request *request, const struct bt_replay_request *replay,
                  struct bt_err *err)
{
    struct bt_id id;
    BT_TRY(bt_service_replay(request->service, &request->principal, replay, &id, err));
    request->params[0] = bt_arena_str(&request->arena, bt_id_str(&id));
    if (!request->params[0].at)
        return bt_fail_mem(err, "execution");
    return give_exec(request, err);
}

static int read_replay(struct bt_request *request, struct bt_replay_request *replay,
                       struct bt_exec **ret_source, struct bt_err *err)
{
    int64_t most; /* Refused before anything is made. */
    BT_TRY(bt_most_runs_of(request, &most, err));
    BT_TRY(bt_query_revision(request, &replay->revision, err));
    replay->run_id = bt_query(request, "taskRunId");
    BT_TRY(load(request, ret_source, err));
    replay->source = *ret_source;
    return BT_OK;
}

static int replay_one(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *source = NULL;
    struct bt_replay_request asked = {0};
    BT_TRY(read_replay(request, &asked, &source, err));
    return replay(request, &asked, err);
}

static int replay_inputs(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *source = NULL;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_replay_request asked = {.has_inputs = true};
    struct bt_given given = {0};
    BT_TRY(read_replay(request, &asked, &source, err));
    BT_TRY(bt_service_replay_flow(request->service, &request->principal, &asked, &flow, err));
    struct bt_input_set set = bt_flow_inputs(flow);
    int rc = bt_given_read(request, &set, &given, err);
    asked.inputs = given.inputs;
    asked.files = given.files;
    asked.file_count = given.file_count;
    if (rc == BT_OK)
        rc = replay(request, &asked, err);
    bt_given_done(&given);
    return rc == BT_INVALID ? bt_given_refuse(request, err) : rc;
}

static int read_state(struct bt_str text, const char *name, enum bt_state *ret_state,
                      struct bt_err *err)
{
    if (!bt_state_parse(text, ret_state))
        return bt_fail(err, BT_INVALID, "Illegal argument: '%s': there is no state '%.*s'", name,
                       BT_FMT(text));
    return BT_OK;
}

static int read_status(struct bt_request *request, const char *name, struct bt_act *act,
                       struct bt_err *err)
{
    struct bt_str text = bt_query(request, name);
    *act = (struct bt_act){.action = BT_ACTION_STATUS};
    if (!text.len)
        return bt_fail(err, BT_INVALID, "Bad Request: the parameter '%s' is missing", name);
    return read_state(text, name, &act->state, err);
}

static int status_one(struct bt_request *request, struct bt_err *err)
{
    struct bt_act act;
    BT_TRY(read_status(request, "status", &act, err));
    return act_and_give(request, &act, err);
}

static int change_run(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_VALUE body = NULL;
    struct bt_run_change change;
    int64_t most; /* Refused before anything is changed. */
    BT_TRY(bt_most_runs_of(request, &most, err));
    BT_TRY(bt_body_json(request, &body, err));
    BT_TRY(load(request, &exec, err));
    change.run_id = bt_map_str(body, "taskRunId");
    if (!change.run_id.len)
        return bt_fail(err, BT_INVALID, "taskRunId: must not be null");
    BT_TRY(read_state(bt_map_str(body, "state"), "state", &change.state, err));
    BT_TRY(bt_service_change(request->service, &request->principal, exec, &change, err));
    return give_exec(request, err);
}

/* --- Bulk ------------------------------------------------------------------------------------- */

static const char *refuse(const struct bt_bulk *bulk, const struct bt_exec_ref *ref)
{
    return bt_act_refuse(bulk->act_on, ref->state);
}

static int act(const struct bt_bulk *bulk, struct bt_request *request, const bt_exec_refs *refs,
               struct bt_err *err)
{
    return bt_service_act(request->service, &request->principal, refs, bulk->act_on, err);
}

static int many_by_ids(struct bt_request *request, const struct bt_act *act_on, struct bt_err *err)
{
    const struct bt_bulk bulk = {
        .verb = bt_act_verb(act_on), .refuse = refuse, .act = act, .act_on = act_on};
    BT_VALUE body = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    return bt_bulk_ids(&bulk, request, body, err);
}

static int many_by_query(struct bt_request *request, const struct bt_act *act_on,
                         struct bt_err *err)
{
    const struct bt_bulk bulk = {
        .verb = bt_act_verb(act_on), .refuse = refuse, .act = act, .act_on = act_on};
    return bt_bulk_query(&bulk, request, err);
}

static int pause_ids(struct bt_request *request, struct bt_err *err)
{
    return many_by_ids(request, &(struct bt_act){.action = BT_ACTION_PAUSE}, err);
}

static int pause_query(struct bt_request *request, struct bt_err *err)
{
    return many_by_query(request, &(struct bt_act){.action = BT_ACTION_PAUSE}, err);
}

static int resume_ids(struct bt_request *request, struct bt_err *err)
{
    return many_by_ids(request, &(struct bt_act){.action = BT_ACTION_RESUME}, err);
}

static int resume_query(struct bt_request *request, struct bt_err *err)
{
    return many_by_query(request, &(struct bt_act){.action = BT_ACTION_RESUME}, err);
}

static int force_ids(struct bt_request *request, struct bt_err *err)
{
    return many_by_ids(request, &(struct bt_act){.action = BT_ACTION_FORCE}, err);
}

static int force_query(struct bt_request *request, struct bt_err *err)
{
    return many_by_query(request, &(struct bt_act){.action = BT_ACTION_FORCE}, err);
}

static int unqueue_ids(struct bt_request *request, struct bt_err *err)
{
    struct bt_act unqueue;
    BT_TRY(read_unqueue(request, "state", &unqueue, err));
    return many_by_ids(request, &unqueue, err);
}

/* "state" is a filter here. */
static int unqueue_query(struct bt_request *request, struct bt_err *err)
{
    struct bt_act unqueue;
    BT_TRY(read_unqueue(request, "newState", &unqueue, err));
    return many_by_query(request, &unqueue, err);
}

static int restart_ids(struct bt_request *request, struct bt_err *err)
{
    return many_by_ids(request, &(struct bt_act){.action = BT_ACTION_RESTART}, err);
}

static int restart_query(struct bt_request *request, struct bt_err *err)
{
    return many_by_query(request, &(struct bt_act){.action = BT_ACTION_RESTART}, err);
}

static int read_replays(struct bt_request *request, struct bt_act *act, struct bt_err *err)
{
    *act = (struct bt_act){.action = BT_ACTION_REPLAY};
    return bt_query_bool(request, "latestRevision", false, &act->is_newest, err);
}

static int replay_ids(struct bt_request *request, struct bt_err *err)
{
    struct bt_act replays;
    BT_TRY(read_replays(request, &replays, err));
    return many_by_ids(request, &replays, err);
}

static int replay_query(struct bt_request *request, struct bt_err *err)
{
    struct bt_act replays;
    BT_TRY(read_replays(request, &replays, err));
    return many_by_query(request, &replays, err);
}

static int check_new_status(const struct bt_act *act, struct bt_err *err)
{
    return bt_act_check(act, act->state, err); /* The same state is a fit one for itself. */
}

static int status_ids(struct bt_request *request, struct bt_err *err)
{
    struct bt_act status;
    BT_TRY(read_status(request, "newStatus", &status, err));
    BT_TRY(check_new_status(&status, err));
    return many_by_ids(request, &status, err);
}

static int status_query(struct bt_request *request, struct bt_err *err)
{
    struct bt_act status;
    BT_TRY(read_status(request, "newStatus", &status, err));
    BT_TRY(check_new_status(&status, err));
    return many_by_query(request, &status, err);
}

#define UNQUEUE "RUNNING (the default), CANCELLED or FAILED"

static const struct bt_param filter_queries[] = {BT_PARAM_FILTERS, {0}};
static const struct bt_param exec_queries[] = {BT_PARAM_TASK_RUNS, {0}};
static const struct bt_param unqueue_queries[] = {
    {"state", "string", UNQUEUE}, BT_PARAM_TASK_RUNS, {0}};
static const struct bt_param unqueue_ids_queries[] = {{"state", "string", UNQUEUE}, {0}};
static const struct bt_param unqueue_filter_queries[] = {
    BT_PARAM_FILTERS, {"newState", "string", UNQUEUE}, {0}};

#define STATUS "SUCCESS, WARNING, FAILED, KILLED or CANCELLED"
static const struct bt_param restart_queries[] = {
    {"revision", "integer", "Its own; another one is refused"}, BT_PARAM_TASK_RUNS, {0}};
static const struct bt_param status_queries[] = {
    {"status", "string", STATUS}, BT_PARAM_TASK_RUNS, {0}};
static const struct bt_param status_ids_queries[] = {{"newStatus", "string", STATUS}, {0}};
static const struct bt_param status_filter_queries[] = {
    BT_PARAM_FILTERS, {"newStatus", "string", STATUS}, {0}};

#define NEWEST                                                                                     \
    {                                                                                              \
        "latestRevision", "boolean", "With the newest revision (default false: with its own)"      \
    }
static const struct bt_param replay_queries[] = {
    {"taskRunId", "string", "It begins with this one; what lies before it is kept"},
    {"revision", "integer", "Of the flow; its own by default"},
    BT_PARAM_TASK_RUNS,
    {0}};
static const struct bt_param replay_ids_queries[] = {NEWEST, {0}};
static const struct bt_param replay_filter_queries[] = {BT_PARAM_FILTERS, NEWEST, {0}};

#define FORM "multipart/form-data"
#define IDS "application/json Strings"
#define ROUTE(path) BT_POST, "/executions/" path

const struct bt_route bt_routes_exec_actions[] = {
    {ROUTE("{executionId}/pause"), pause_one, 0, "pauseExecution", "Executions",
     "Pause a running execution: nothing new starts", NULL, NULL, NULL},
    {ROUTE("pause/by-ids"), pause_ids, 0, "pauseExecutionsByIds", "Executions", "Pause executions",
     IDS, "Count", NULL},
    {ROUTE("pause/by-query"), pause_query, 0, "pauseExecutionsByQuery", "Executions",
     "Pause the executions that match", NULL, "Count", filter_queries},
    {ROUTE("{executionId}/resume"), resume_one, BT_ROUTE_FORM, "resumeExecution", "Executions",
     "Resume a paused execution, with the inputs that its pause asks for", FORM, NULL, NULL},
    {ROUTE("{executionId}/resume/validate"), validate_one, BT_ROUTE_FORM,
     "validateResumeExecutionInputs", "Executions", "Check the inputs of a resume, one by one",
     FORM, "InputChecks", NULL},
    {ROUTE("resume/by-ids"), resume_ids, 0, "resumeExecutionsByIds", "Executions",
     "Resume executions", IDS, "Count", NULL},
    {ROUTE("resume/by-query"), resume_query, 0, "resumeExecutionsByQuery", "Executions",
     "Resume the executions that match", NULL, "Count", filter_queries},
    {ROUTE("{executionId}/unqueue"), unqueue_one, 0, "unqueueExecution", "Executions",
     "Take a queued execution out of the queue: it runs, or ends", NULL, "Execution",
     unqueue_queries},
    {ROUTE("unqueue/by-ids"), unqueue_ids, 0, "unqueueExecutionsByIds", "Executions",
     "Take executions out of the queue", IDS, "Count", unqueue_ids_queries},
    {ROUTE("unqueue/by-query"), unqueue_query, 0, "unqueueExecutionsByQuery", "Executions",
     "Take the executions that match out of the queue", NULL, "Count", unqueue_filter_queries},
    {ROUTE("{executionId}/force-run"), force_one, 0, "forceRunExecution", "Executions",
     "Begin now, whatever it waits for", NULL, "Execution", exec_queries},
    {ROUTE("force-run/by-ids"), force_ids, 0, "forceRunExecutionsByIds", "Executions",
     "Begin now, whatever they wait for", IDS, "Count", NULL},
    {ROUTE("force-run/by-query"), force_query, 0, "forceRunExecutionsByQuery", "Executions",
     "Those that match begin now, whatever they wait for", NULL, "Count", filter_queries},
    {ROUTE("{executionId}/restart"), restart_one, 0, "restartExecution", "Executions",
     "What ended badly goes on from what failed", NULL, "Execution", restart_queries},
    {ROUTE("restart/by-ids"), restart_ids, 0, "restartExecutionsByIds", "Executions",
     "Restart executions", IDS, "Count", NULL},
    {ROUTE("restart/by-query"), restart_query, 0, "restartExecutionsByQuery", "Executions",
     "Restart the executions that match", NULL, "Count", filter_queries},
    {ROUTE("{executionId}/replay"), replay_one, 0, "replayExecution", "Executions",
     "Make a new execution of an ended one, from a task run or from the beginning", NULL,
     "Execution", replay_queries},
    {ROUTE("{executionId}/replay-with-inputs"), replay_inputs, BT_ROUTE_FORM,
     "replayExecutionWithInputs", "Executions", "The same with other inputs", FORM, "Execution",
     replay_queries},
    {ROUTE("replay/by-ids"), replay_ids, 0, "replayExecutionsByIds", "Executions",
     "Replay executions from the beginning", IDS, "Count", replay_ids_queries},
    {ROUTE("replay/by-query"), replay_query, 0, "replayExecutionsByQuery", "Executions",
     "Replay the executions that match from the beginning", NULL, "Count", replay_filter_queries},
    {ROUTE("{executionId}/state"), change_run, 0, "updateTaskRunState", "Executions",
     "Mark a task run of an ended execution, which goes on from there",
     "application/json StateRequest", "Execution", exec_queries},
    {ROUTE("{executionId}/change-status"), status_one, 0, "updateExecutionStatus", "Executions",
     "Another state for an ended execution; nothing runs", NULL, "Execution", status_queries},
    {ROUTE("change-status/by-ids"), status_ids, 0, "updateExecutionsStatusByIds", "Executions",
     "Another state for ended executions", IDS, "Count", status_ids_queries},
    {ROUTE("change-status/by-query"), status_query, 0, "updateExecutionsStatusByQuery",
     "Executions", "Another state for the executions that match", NULL, "Count",
     status_filter_queries},
    {0},
};
