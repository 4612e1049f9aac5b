/* exec_replay.c — The use case of a new execution that is made of an old one. */
#include "service/exec_actions.h"

#include "base/own.h"
#include "service/given_int.h"
#include "sys/random.h"

/* What the source got for an input; dotted ids are nested there. */
static const struct bt_value *old_value(const struct bt_value *inputs, struct bt_str id)
{
    ptrdiff_t dot = bt_str_find(id, BT_STR("."), 0);
    if (dot <= 0)
        return bt_map_get(inputs, id);
    const struct bt_value *inner = bt_map_get(inputs, bt_str_slice(id, 0, (size_t)dot));
    return bt_value_is(inner, BT_KIND_MAP)
               ? old_value(inner, bt_str_slice(id, (size_t)dot + 1, id.len))
               : NULL;
}

static bool is_given(const struct bt_replay_request *request, const char *id)
{
    bool is = bt_map_gets(request->inputs, id) != NULL;
    for (size_t i = 0; !is && i < request->file_count; i++)
        is = strcmp(request->files[i].input, id) == 0;
    return is;
}

/* The given inputs over those of the source. */
static int lay_over(const struct bt_replay_request *request, const struct bt_input_set *set,
                    struct bt_value **ret_inputs, struct bt_err *err)
{
    BT_VALUE inputs = request->inputs ? bt_value_copy(request->inputs) : bt_map_new(0);
    for (uint32_t i = 0; inputs && i < set->count; i++) {
        const char *id = set->items[i].id;
        const struct bt_value *value = old_value(request->source->inputs, bt_str_of(id));
        if (bt_value_is_null(value) || is_given(request, id))
            continue;
        if (bt_map_puts(inputs, id, bt_value_ref(value)) < 0)
            return bt_fail_mem(err, "inputs");
    }
    *ret_inputs = BT_TAKE(inputs);
    return *ret_inputs ? BT_OK : bt_fail_mem(err, "inputs");
}

static int resolve(struct bt_service *service, const struct bt_replay_request *request,
                   const struct bt_flow *flow, struct bt_replay *replay, struct bt_err *err)
{
    const struct bt_exec *source = request->source;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = bt_exec_new(); /* Only its names. */
    BT_VALUE inputs = NULL, *named = NULL, *resolved = NULL;
    if (!exec)
        return bt_fail_mem(err, "replay");
    memcpy(exec->tenant, source->tenant, sizeof exec->tenant);
    memcpy(exec->namespace, source->namespace, sizeof exec->namespace);
    memcpy(exec->flow_id, source->flow_id, sizeof exec->flow_id);
    exec->id = replay->id;
    struct given given = {.exec = exec,
                          .folder = "inputs",
                          .set = bt_flow_inputs(flow),
                          .files = request->files,
                          .file_count = request->file_count};
    BT_TRY(lay_over(request, &given.set, &inputs, err));
    given.inputs = inputs;
    BT_TRY(given_name(service, &given, &named, err));
    struct bt_input_request asked = {flow, given.set, named};
    BT_TRY(bt_inputs_resolve(&asked, &resolved, err));
    BT_TRY(given_store(service, &given, named, err));
    replay->inputs = BT_TAKE(resolved);
    return BT_OK;
}

int bt_service_replay_flow(struct bt_service *service, const struct bt_principal *principal,
                           const struct bt_replay_request *request, struct bt_flow **ret_flow,
                           struct bt_err *err)
{
    const struct bt_exec *source = request->source;
    uint32_t revision = request->revision;
    if (!revision)
        return bt_service_flow_of(service, principal, source, ret_flow, err);
    struct bt_flow_key key = {.namespace = bt_str_of(source->namespace),
                              .id = bt_str_of(source->flow_id),
                              .revision = revision == BT_NEWEST ? 0 : revision};
    int rc = bt_service_live_flow(service, principal, &key, ret_flow, err);
    return rc == BT_NOT_FOUND ? bt_fail(err, BT_NOT_FOUND, "Requested Flow is not found.") : rc;
}

static int send(struct bt_service *service, const struct bt_replay *replay, struct bt_err *err)
{
    struct bt_reply *reply = bt_reply_new();
    if (!reply) {
        bt_value_unref(replay->inputs);
        return bt_fail_mem(err, "replay");
    }
    int rc = bt_runner_replay(service->runner, replay, reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    bt_reply_free(reply);
    return rc;
}

int bt_service_replay(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_replay_request *request, struct bt_id *ret_id,
                      struct bt_err *err)
{
    const struct bt_exec *source = request->source;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    struct bt_store *store = service->store;
    BT_TRY(bt_service_replay_flow(service, principal, request, &flow, err));
    if (request->run_id.len)
        BT_TRY(store->ops->run(store, source->key, request->run_id, &run, err));
    if (!source->is_drained)
        return bt_fail(err, BT_CONFLICT,
                       "Execution must be terminated to be replayed, current state is '%s' !",
                       bt_state_name(source->state));
    struct bt_replay replay = {
        .source = source->key, .n = run ? run->n : 0, .revision = flow->revision};
    replay.id =
        bt_id_make(bt_clock_wall_us(bt_clock_system()) / 1000, bt_random_u64(), bt_random_u64());
    if (request->has_inputs)
        BT_TRY(resolve(service, request, flow, &replay, err));
    struct bt_id id = replay.id;
    BT_TRY(send(service, &replay, err));
    *ret_id = id;
    return BT_OK;
}
