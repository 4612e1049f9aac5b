/* exec_actions.c — Use cases that move an execution: pause, resume, unqueue, force, restart, change
 * of states. */
#include "service/exec_actions.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "service/given_int.h"

#include <assert.h>
#include <stdlib.h>

/* One message for the runner. */
struct deed {
    uint64_t key;
    struct bt_event event;
    bool is_replay;    /* Instead of the event. */
    uint32_t revision; /* Of the replay. */
};
typedef BT_VEC(struct deed) deed_vec;

/* --- Sending ---------------------------------------------------------------------------------- */

/* Waits for all, also when one is refused. */
static int wait_all(struct bt_reply **replies, size_t count, struct bt_err *err)
{
    int rc = BT_OK;
    for (size_t i = 0; i < count; i++) {
        int one = bt_reply_wait(replies[i], rc == BT_OK ? err : NULL);
        rc = rc == BT_OK && one != BT_NOT_FOUND ? one : rc; /* Removed meanwhile: nothing to do. */
        bt_reply_free(replies[i]);
    }
    return rc;
}

/* Takes the event. The answer comes by the reply. */
static void post(struct bt_service *service, struct deed *deed, struct bt_reply *reply)
{
    struct bt_replay replay = {.source = deed->key, .revision = deed->revision};
    if (deed->is_replay)
        (void)bt_runner_replay(service->runner, &replay, reply);
    else
        (void)bt_runner_event(service->runner, deed->key, deed->event, reply);
    deed->event = (struct bt_event){0};
}

/* Some at a time, so that many share a commit. Takes the events. */
static int send_all(struct bt_service *service, deed_vec *deeds, struct bt_err *err)
{
    enum { AT_ONCE = 256 };
    struct bt_reply *replies[AT_ONCE];
    int rc = BT_OK;
    for (size_t i = 0; rc == BT_OK && i < deeds->count;) {
        size_t count = 0;
        while (count < AT_ONCE && i < deeds->count && (replies[count] = bt_reply_new()))
            post(service, &deeds->items[i++], replies[count++]);
        rc = count ? wait_all(replies, count, err) : bt_fail_mem(err, "the call");
    }
    return rc;
}

static void deeds_done(deed_vec *deeds)
{
    for (size_t i = 0; i < deeds->count; i++)
        bt_event_done(&deeds->items[i].event);
    bt_vec_done(deeds);
}

/* --- Pauses ----------------------------------------------------------------------------------- */

/* The first run of a Pause that waits; *ret_run NULL: none does. */
static int find_paused(struct bt_service *service, const struct bt_exec *exec,
                       const struct bt_flow *flow, struct bt_taskrun **ret_run, struct bt_err *err)
{
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *first = NULL;
    for (uint32_t i = 0; i < flow->task_count; i++) {
        BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
        struct bt_first_query query = {exec->key, i, BT_PAUSED};
        if (flow->tasks[i].type->op != BT_OP_PAUSE)
            continue;
        BT_TRY(service->store->ops->first_run(service->store, &query, &run, err));
        if (!run || (first && first->n < run->n))
            continue;
        struct bt_taskrun *other = first;
        first = run;
        run = other;
    }
    *ret_run = BT_TAKE(first);
    return BT_OK;
}

int bt_service_pause_of(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_exec *exec, struct bt_pause *ret_pause, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    if (exec->state != BT_PAUSED)
        return bt_fail(err, BT_CONFLICT, "The execution is not paused");
    BT_TRY(bt_service_flow_of(service, principal, exec, &flow, err));
    if (!exec->is_held) /* Else that ends first: what waits within it is asked for next. */
        BT_TRY(find_paused(service, exec, flow, &run, err));
    if (!exec->is_held && !run)
        return bt_fail(err, BT_CONFLICT,
                       "The execution is not paused by anything that somebody could resume");
    *ret_pause = (struct bt_pause){.run = run ? run->n : 0};
    if (run && flow->tasks[run->task].on_resume)
        ret_pause->set = *flow->tasks[run->task].on_resume;
    if (run)
        ret_pause->run_id = run->id;
    ret_pause->flow = BT_TAKE(flow);
    return BT_OK;
}

void bt_pause_done(struct bt_pause *pause)
{
    bt_flow_unref(pause->flow);
    *pause = (struct bt_pause){0};
}

/* The values; files are stored when all is right. */
static int resolve(struct bt_service *service, const struct bt_exec *exec,
                   const struct bt_resume_request *request, struct bt_value **ret_outputs,
                   struct bt_err *err)
{
    const struct bt_pause *pause = request->pause;
    char folder[48];
    (void)snprintf(folder, sizeof folder, "resume/%s", pause->run_id.text); /* Fits. */
    const struct given given = {.exec = exec,
                                .folder = folder,
                                .set = pause->set,
                                .inputs = request->inputs,
                                .files = request->files,
                                .file_count = request->file_count};
    BT_VALUE named = NULL, *outputs = NULL;
    BT_TRY(given_name(service, &given, &named, err));
    struct bt_input_request inputs = {pause->flow, pause->set, named};
    BT_TRY(bt_inputs_resolve(&inputs, &outputs, err));
    BT_TRY(given_store(service, &given, named, err));
    *ret_outputs = BT_TAKE(outputs);
    return BT_OK;
}

static int plan_resume(struct bt_service *service, const struct bt_exec *exec,
                       const struct bt_resume_request *request, deed_vec *deeds, struct bt_err *err)
{
    struct deed deed = {.key = exec->key,
                        .event = {.kind = BT_EVENT_RESUME, .taskrun = request->pause->run}};
    if (request->pause->set.count)
        BT_TRY(resolve(service, exec, request, &deed.event.outputs, err));
    bt_vec_push(deeds, deed);
    return BT_OK;
}

int bt_service_resume(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_exec *exec, const struct bt_resume_request *request,
                      struct bt_err *err)
{
    (void)principal; /* The execution was found among what he may see. */
    deed_vec deeds = {0};
    int rc = plan_resume(service, exec, request, &deeds, err);
    if (rc == BT_OK)
        rc = send_all(service, &deeds, err);
    deeds_done(&deeds);
    return rc;
}

/* --- Acts ------------------------------------------------------------------------------------- */

const char *bt_act_verb(const struct bt_act *act)
{
    switch (act->action) {
    case BT_ACTION_PAUSE: return "pause";
    case BT_ACTION_RESUME: return "resume";
    case BT_ACTION_UNQUEUE: return "unqueue";
    case BT_ACTION_FORCE: return "force run";
    case BT_ACTION_RESTART: return "restart";
    case BT_ACTION_REPLAY: return "replay";
    case BT_ACTION_STATUS: return "change execution status";
    }
    return NULL;
}

const char *bt_act_refuse(const struct bt_act *act, enum bt_state state)
{
    switch (act->action) {
    case BT_ACTION_PAUSE: return state == BT_RUNNING ? NULL : "execution not in state RUNNING";
    case BT_ACTION_RESUME: return state == BT_PAUSED ? NULL : "execution not in state PAUSED";
    case BT_ACTION_UNQUEUE: return state == BT_QUEUED ? NULL : "execution not in state QUEUED";
    case BT_ACTION_FORCE:
        return bt_state_is_ended(state) ? "execution in a terminated state" : NULL;
    case BT_ACTION_RESTART:
        return state == BT_FAILED || state == BT_KILLED || state == BT_CANCELLED
                   ? NULL
                   : "execution not in state FAILED";
    case BT_ACTION_REPLAY:
    case BT_ACTION_STATUS:
        return bt_state_is_ended(state) ? NULL : "execution not in a terminated state";
    }
    return NULL;
}

static int check_restart(enum bt_state state, struct bt_err *err)
{
    if (!bt_state_is_ended(state) && state != BT_PAUSED)
        return bt_fail(err, BT_CONFLICT,
                       "Execution must be terminated to be restarted, current state is '%s' !",
                       bt_state_name(state));
    if (state != BT_PAUSED && bt_act_refuse(&(struct bt_act){.action = BT_ACTION_RESTART}, state))
        return bt_fail(err, BT_INVALID, "No task found to restart execution from!");
    return BT_OK;
}

static int check_status(const struct bt_act *act, enum bt_state state, struct bt_err *err)
{
    if (!bt_state_is_ended(act->state))
        return bt_fail(err, BT_INVALID,
                       "You can only change the status of an execution to a terminal state.");
    if (!bt_state_is_ended(state))
        return bt_fail(err, BT_INVALID,
                       "You can only change the status of a terminated execution.");
    if (state != act->state && !bt_state_is_legal(state, act->state))
        return bt_fail(err, BT_INVALID, "An execution that is %s cannot become %s",
                       bt_state_name(state), bt_state_name(act->state));
    return BT_OK;
}

int bt_act_check(const struct bt_act *act, enum bt_state state, struct bt_err *err)
{
    const char *why = bt_act_refuse(act, state);
    switch (act->action) {
    case BT_ACTION_RESTART: return check_restart(state, err);
    case BT_ACTION_STATUS: return check_status(act, state, err);
    case BT_ACTION_PAUSE:
        return why ? bt_fail(err, BT_CONFLICT, "The execution is not running") : BT_OK;
    case BT_ACTION_RESUME:
        return why ? bt_fail(err, BT_CONFLICT, "The execution is not paused") : BT_OK;
    case BT_ACTION_REPLAY: return why ? bt_fail(err, BT_CONFLICT, "%s", why) : BT_OK;
    case BT_ACTION_UNQUEUE: return why ? bt_fail(err, BT_INVALID, "%s", why) : BT_OK;
    case BT_ACTION_FORCE:
        return why ? bt_fail(err, BT_INVALID, "Only non terminated executions can be forced run.")
                   : BT_OK;
    }
    return BT_OK;
}

/* Nothing of it may live when it goes on: no late word meets what is opened again. */
static int check_is_over(const struct bt_exec *exec, struct bt_err *err)
{
    if (exec->is_drained || !bt_state_is_ended(exec->state))
        return BT_OK;
    (void)bt_fail(err, BT_CONFLICT, "what it has begun is not over");
    return bt_hint(err, "try again in a moment");
}

struct planning {
    struct bt_service *service;
    const struct bt_principal *principal;
    const struct bt_act *act;
    deed_vec deeds;
};

/* Without inputs. */
static int plan_plain_resume(struct planning *planning, const struct bt_exec_ref *ref,
                             struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_service *service = planning->service;
    struct bt_pause pause = {0};
    int rc = bt_service_exec(service, planning->principal, bt_id_str(&ref->id), &exec, err);
    if (rc == BT_OK)
        rc = bt_service_pause_of(service, planning->principal, exec, &pause, err);
    if (rc == BT_OK)
        rc = plan_resume(service, exec, &(struct bt_resume_request){.pause = &pause},
                         &planning->deeds, err);
    bt_pause_done(&pause);
    return rc;
}

/* What runs after its end must be over before anything of it goes on; siblings of what failed may
 * still run. */
static bool is_after_over(const struct bt_exec *exec, const struct bt_flow *flow)
{
    for (uint32_t i = 0; i < flow->list_count; i++)
        if (flow->lists[i].branch == BT_BRANCH_AFTER || flow->lists[i].branch == BT_BRANCH_LISTENER)
            return exec->is_drained || exec->after.phase == BT_PHASE_DONE;
    return true;
}

static int plan_restart(struct planning *planning, const struct bt_exec_ref *ref,
                        struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_service *service = planning->service;
    const struct bt_principal *principal = planning->principal;
    struct deed deed = {.key = ref->key, .event = {.kind = BT_EVENT_RESTART}};
    BT_TRY(bt_service_exec(service, principal, bt_id_str(&ref->id), &exec, err));
    BT_TRY(bt_service_flow_of(service, principal, exec, &flow, err));
    if (!is_after_over(exec, flow))
        BT_TRY(check_is_over(exec, err));
    bt_vec_push(&planning->deeds, deed);
    return BT_OK;
}

static int plan_replay(struct planning *planning, const struct bt_exec_ref *ref, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_service *service = planning->service;
    const struct bt_principal *principal = planning->principal;
    BT_TRY(bt_service_exec(service, principal, bt_id_str(&ref->id), &exec, err));
    BT_TRY(check_is_over(exec, err));
    struct bt_replay_request request = {.source = exec};
    request.revision = planning->act->is_newest ? BT_NEWEST : 0;
    BT_TRY(bt_service_replay_flow(service, principal, &request, &flow, err));
    bt_vec_push(&planning->deeds,
                ((struct deed){.key = ref->key, .is_replay = true, .revision = flow->revision}));
    return BT_OK;
}

static int plan(struct planning *planning, const struct bt_exec_ref *ref, struct bt_err *err)
{
    const struct bt_act *act = planning->act;
    struct deed deed = {.key = ref->key};
    switch (act->action) {
    case BT_ACTION_PAUSE: deed.event.kind = BT_EVENT_HOLD; break;
    case BT_ACTION_UNQUEUE:
        deed.event.kind = act->state == BT_RUNNING ? BT_EVENT_FORCE : BT_EVENT_SLOT;
        deed.event.state = act->state;
        break;
    case BT_ACTION_FORCE:
        if (ref->state == BT_PAUSED)
            return plan_plain_resume(planning, ref, err);
        if (ref->state != BT_CREATED && ref->state != BT_QUEUED)
            return BT_OK; /* It runs already. */
        deed.event.kind = BT_EVENT_FORCE;
        break;
    case BT_ACTION_RESUME: return plan_plain_resume(planning, ref, err);
    case BT_ACTION_RESTART: return plan_restart(planning, ref, err);
    case BT_ACTION_REPLAY: return plan_replay(planning, ref, err);
    case BT_ACTION_STATUS:
        BT_TRY(check_status(act, ref->state, err)); /* Not every end becomes every other. */
        deed.event.kind = BT_EVENT_STATUS;
        deed.event.state = act->state;
        break;
    }
    bt_vec_push(&planning->deeds, deed);
    return BT_OK;
}

int bt_service_act(struct bt_service *service, const struct bt_principal *principal,
                   const bt_exec_refs *refs, const struct bt_act *act, struct bt_err *err)
{
    struct planning planning = {service, principal, act, {0}};
    int rc = BT_OK;
    for (size_t i = 0; rc == BT_OK && i < refs->count; i++) {
        rc = plan(&planning, &refs->items[i], err);
        if (rc < 0 && refs->count > 1)
            rc = bt_err_prefix(err, "execution %s", refs->items[i].id.text);
    }
    if (rc == BT_OK)
        rc = send_all(service, &planning.deeds, err);
    deeds_done(&planning.deeds);
    return rc;
}

/* --- A task run ------------------------------------------------------------------------------- */

/* Within `errors` or `finally`, at any depth. */
static bool is_beside(const struct bt_flow *flow, uint32_t task)
{
    for (; task != BT_NO_TASK; task = flow->tasks[task].parent)
        if (flow->tasks[task].branch == BT_BRANCH_ERRORS ||
            flow->tasks[task].branch == BT_BRANCH_FINALLY)
            return true;
    return false;
}

static int check_change(const struct bt_exec *exec, const struct bt_taskrun *run,
                        const struct bt_flow *flow, enum bt_state state, struct bt_err *err)
{
    if (!bt_state_is_ended(exec->state))
        return bt_fail(err, BT_CONFLICT,
                       "Execution must be terminated to change a task run, current state is '%s' !",
                       bt_state_name(exec->state));
    if (run->task >= flow->task_count || flow->tasks[run->task].is_after)
        return bt_fail(err, BT_INVALID, "a task run that came after the end cannot be changed");
    if (is_beside(flow, run->task))
        return bt_fail(err, BT_INVALID,
                       "a task run of `errors` or `finally` cannot be changed: they run anew");
    if (!bt_state_is_ended(state) || !bt_state_is_ended(run->state) ||
        (run->state != state && !bt_state_is_legal(run->state, state)))
        return bt_fail(err, BT_INVALID, "a task run that is %s cannot become %s",
                       bt_state_name(run->state), bt_state_name(state));
    return BT_OK;
}

/* A task run and those around it, and whether anything came after one of them in its lane. */
struct trail {
    const struct bt_flow *flow;
    struct {
        uint32_t n, parent, lane;
    } ways[BT_FLOW_DEPTH_MAX + 1];
    size_t count;
    bool has_later;
};

static int add_way(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct trail *trail = data;
    (void)task_id;
    trail->ways[trail->count].n = run->n;
    trail->ways[trail->count].parent = run->parent;
    trail->ways[trail->count++].lane = run->lane;
    return BT_OK;
}

static int look_later(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct trail *trail = data;
    (void)task_id;
    if (run->task >= trail->flow->task_count || is_beside(trail->flow, run->task) ||
        trail->flow->tasks[run->task].is_after)
        return BT_OK;
    for (size_t i = 0; i < trail->count; i++)
        trail->has_later |= run->n > trail->ways[i].n && run->parent == trail->ways[i].parent &&
                            run->lane == trail->ways[i].lane;
    return BT_OK;
}

/* What has run behind it would run once more. */
static int check_last(struct bt_service *service, const struct bt_exec *exec, uint32_t n,
                      const struct bt_flow *flow, struct bt_err *err)
{
    struct trail trail = {.flow = flow};
    struct bt_store *store = service->store;
    while (n && trail.count < BT_COUNT(trail.ways)) {
        size_t count = trail.count;
        BT_TRY(store->ops->runs(store, &(struct bt_run_query){exec->key, n, 1},
                                &(struct bt_run_sink){add_way, &trail}, err));
        n = trail.count > count ? trail.ways[count].parent : 0;
    }
    BT_TRY(store->ops->runs(store, &(struct bt_run_query){exec->key, 1, UINT32_MAX},
                            &(struct bt_run_sink){look_later, &trail}, err));
    if (!trail.has_later)
        return BT_OK;
    (void)bt_fail(err, BT_INVALID, "what comes after this task run has run already");
    return bt_hint(err, "replay the execution from it");
}

int bt_service_change(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_exec *exec, const struct bt_run_change *change,
                      struct bt_err *err)
{
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_store *store = service->store;
    BT_TRY(store->ops->run(store, exec->key, change->run_id, &run, err));
    BT_TRY(bt_service_flow_of(service, principal, exec, &flow, err));
    BT_TRY(check_change(exec, run, flow, change->state, err));
    BT_TRY(check_is_over(exec, err));
    BT_TRY(check_last(service, exec, run->n, flow, err));
    struct deed deed = {.key = exec->key};
    deed.event =
        (struct bt_event){.kind = BT_EVENT_CHANGE, .taskrun = run->n, .state = change->state};
    deed_vec deeds = {0};
    bt_vec_push(&deeds, deed);
    int rc = send_all(service, &deeds, err);
    deeds_done(&deeds);
    return rc;
}
