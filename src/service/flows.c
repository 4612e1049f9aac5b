/* flows.c — Use cases of flows: push, delete, look up, list. */
#include "service/service.h"

#include "base/own.h"

static int check_name(const struct bt_flow *flow, const struct bt_flow_push *push,
                      struct bt_err *err)
{
    if (push->id.len && !bt_str_is(push->id, flow->id))
        return bt_fail(err, BT_INVALID,
                       "Invalid entity: flow.id: Illegal flow id update, '%.*s' is not '%s'",
                       BT_FMT(push->id), flow->id);
    if (push->namespace.len && !bt_str_is(push->namespace, flow->namespace))
        return bt_fail(err, BT_INVALID,
                       "Invalid entity: flow.namespace: Illegal namespace update, '%.*s' is not "
                       "'%s'",
                       BT_FMT(push->namespace), flow->namespace);
    return BT_OK;
}

static int put(struct bt_service *service, const struct bt_principal *principal,
               const struct bt_flow *flow, enum bt_put how, struct bt_err *err)
{
    struct bt_reply *reply = bt_reply_new();
    if (!reply)
        return bt_fail_mem(err, "flow");
    int rc = bt_runner_put_flow(service->runner, principal->tenant, flow, how, reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    bt_reply_free(reply);
    return rc;
}

int bt_service_put_flow(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_flow_push *push, struct bt_flow **ret_flow,
                        struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    int rc = bt_flow_parse(push->source, &flow, push->diags);
    if (rc < 0)
        return bt_fail(err, (enum bt_code)rc, "the flow has errors");
    BT_TRY(check_name(flow, push, err));
    BT_TRY(put(service, principal, flow, push->put, err));
    if (service->flows)
        bt_flow_cache_put(service->flows, principal->tenant, flow);
    *ret_flow = BT_TAKE(flow);
    return BT_OK;
}

int bt_service_delete_flow(struct bt_service *service, const struct bt_principal *principal,
                           struct bt_str namespace, struct bt_str id, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *stored = NULL;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow_key key = {.namespace = namespace, .id = id};
    BT_TRY(bt_service_live_flow(service, principal, &key, &stored, err));
    /* A revision of its own: the stored one is shared and stays as it is. */
    int rc = bt_flow_parse(stored->source, &flow, &diags);
    bt_diags_done(&diags);
    return rc < 0 ? bt_fail(err, (enum bt_code)rc, "the stored flow is not readable")
                  : put(service, principal, flow, BT_PUT_DELETED, err);
}

/* --- Looking up ------------------------------------------------------------------------------- */

/* Compiles a stored revision, or finds it compiled. */
static int compile(struct bt_service *service, const char *tenant,
                   const struct bt_stored_flow *stored, struct bt_flow **ret_flow,
                   struct bt_err *err)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow_key key = {tenant, bt_str_of(stored->namespace), bt_str_of(stored->id),
                              stored->revision};
    *ret_flow = bt_flow_cache_get(service->flows, &key);
    if (*ret_flow)
        return BT_OK;
    int rc = bt_flow_parse(bt_value_str(stored->source), ret_flow, &diags);
    bt_diags_done(&diags);
    if (rc < 0)
        return bt_fail(err, BT_CORRUPT, "the stored flow %s.%s is not readable any more",
                       stored->namespace, stored->id);
    (*ret_flow)->revision = stored->revision;
    bt_flow_cache_put(service->flows, tenant, *ret_flow);
    return BT_OK;
}

int bt_service_flow(struct bt_service *service, const struct bt_principal *principal,
                    const struct bt_flow_key *key, struct bt_found_flow *ret_found,
                    struct bt_err *err)
{
    struct bt_stored_flow stored = {0};
    struct bt_flow_key mine = *key;
    mine.tenant = principal->tenant;
    BT_TRY(service->store->ops->flow(service->store, &mine, &stored, err));
    int rc = compile(service, mine.tenant, &stored, &ret_found->flow, err);
    ret_found->is_deleted = stored.is_deleted;
    bt_stored_flow_done(&stored);
    return rc;
}

int bt_service_live_flow(struct bt_service *service, const struct bt_principal *principal,
                         const struct bt_flow_key *key, struct bt_flow **ret_flow,
                         struct bt_err *err)
{
    struct bt_found_flow found = {0};
    BT_TRY(bt_service_flow(service, principal, key, &found, err));
    if (!found.is_deleted) {
        *ret_flow = found.flow;
        return BT_OK;
    }
    bt_flow_unref(found.flow);
    return bt_fail(err, BT_NOT_FOUND, "%s", "");
}

int bt_service_flow_of(struct bt_service *service, const struct bt_principal *principal,
                       const struct bt_exec *exec, struct bt_flow **ret_flow, struct bt_err *err)
{
    struct bt_found_flow found = {0};
    struct bt_flow_key key = {.namespace = bt_str_of(exec->namespace),
                              .id = bt_str_of(exec->flow_id),
                              .revision = exec->revision};
    BT_TRY(bt_service_flow(service, principal, &key, &found, err));
    *ret_flow = found.flow;
    return BT_OK;
}

struct walk {
    struct bt_service *service;
    const char *tenant;
    const struct bt_found_sink *sink;
    struct bt_err *err;
};

static int each_stored(void *data, struct bt_stored_flow *stored)
{
    struct walk *walk = data;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    int rc = compile(walk->service, walk->tenant, stored, &flow, walk->err);
    if (rc == BT_OK)
        rc = walk->sink->each(walk->sink->data, &(struct bt_found_flow){flow, stored->is_deleted});
    else if (rc == BT_CORRUPT)
        rc = BT_OK; /* One that cannot be read does not hide the others. */
    bt_stored_flow_done(stored);
    return rc;
}

int bt_service_flows(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_flow_query *query, const struct bt_found_sink *sink,
                     struct bt_err *err)
{
    struct walk walk = {service, principal->tenant, sink, err};
    struct bt_flow_query mine = *query;
    mine.tenant = principal->tenant;
    mine.has_source = true;
    return service->store->ops->flows(service->store, &mine,
                                      &(struct bt_flow_sink){each_stored, &walk}, err);
}

int bt_service_revisions(struct bt_service *service, const struct bt_principal *principal,
                         const struct bt_flow_key *key, const struct bt_found_sink *sink,
                         struct bt_err *err)
{
    struct walk walk = {service, principal->tenant, sink, err};
    struct bt_flow_key mine = *key;
    mine.tenant = principal->tenant;
    return service->store->ops->revisions(service->store, &mine,
                                          &(struct bt_flow_sink){each_stored, &walk}, err);
}
