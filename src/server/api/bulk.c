/* bulk.c — Calls over many executions, by ids or by filters: translation only. */
#include "server/api/bulk.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"

#include <stdio.h>

struct bt_exec_ref bt_bulk_ref(const struct bt_exec *exec)
{
    struct bt_exec_ref ref = {
        .key = exec->key, .id = exec->id, .state = exec->state, .is_drained = exec->is_drained};
    (void)snprintf(ref.namespace, sizeof ref.namespace, "%s", exec->namespace); /* Same sizes. */
    (void)snprintf(ref.flow_id, sizeof ref.flow_id, "%s", exec->flow_id);
    return ref;
}

static int check(const struct bt_bulk *bulk, const struct bt_exec_ref *ref,
                 struct bt_invalids *invalids, struct bt_err *err)
{
    const char *why = bulk->refuse(bulk, ref);
    return why ? bt_invalids_add(invalids, why, "execution", bt_id_str(&ref->id), err) : BT_OK;
}

/* Executions by their ids, each once. */
static int find_ids(const struct bt_bulk *bulk, struct bt_request *request,
                    const struct bt_value *ids, bt_exec_refs *refs, struct bt_invalids *invalids)
{
    BT_VALUE seen = bt_map_new(bt_value_count(ids));
    for (size_t i = 0; seen && i < bt_value_count(ids); i++) {
        BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
        struct bt_str id = bt_value_str(bt_list_at(ids, i));
        struct bt_err err = BT_ERR_INIT;
        if (bt_map_get(seen, id))
            continue;
        if (bt_map_put(seen, id, bt_value_bool(true)) < 0)
            return BT_NO_MEM;
        int rc = bt_service_exec(request->service, &request->principal, id, &exec, &err);
        if (rc == BT_NOT_FOUND)
            rc = bt_invalids_add(invalids, "execution not found", "execution", id, &err);
        BT_TRY(rc);
        if (!exec)
            continue;
        bt_vec_push(refs, bt_bulk_ref(exec));
        BT_TRY(check(bulk, &refs->items[refs->count - 1], invalids, &err));
    }
    return seen ? BT_OK : BT_NO_MEM;
}

/* All or nothing: one that cannot take it stops the whole call. */
static int finish(const struct bt_bulk *bulk, struct bt_request *request, const bt_exec_refs *refs,
                  struct bt_invalids *invalids, struct bt_err *err)
{
    if (invalids->list)
        return bt_respond_invalids(request, bulk->verb, invalids, err);
    BT_TRY(bulk->act(bulk, request, refs, err));
    return bt_respond_count(request, refs->count, err);
}

int bt_bulk_ids(const struct bt_bulk *bulk, struct bt_request *request, const struct bt_value *ids,
                struct bt_err *err)
{
    bt_exec_refs refs = {0};
    struct bt_invalids invalids = {0};
    bool is_list = bt_value_is(ids, BT_KIND_LIST);
    for (size_t i = 0; is_list && i < bt_value_count(ids); i++)
        is_list = bt_value_is(bt_list_at(ids, i), BT_KIND_STRING);
    if (!is_list || bt_value_count(ids) > BT_BULK_MAX)
        return bt_fail(err, BT_INVALID, "the body must be a list of at most %u ids", BT_BULK_MAX);
    int rc = find_ids(bulk, request, ids, &refs, &invalids);
    if (rc < 0)
        rc = bt_fail(err, (enum bt_code)rc, "the executions cannot be read");
    else
        rc = finish(bulk, request, &refs, &invalids, err);
    bt_value_unref(invalids.list);
    bt_vec_done(&refs);
    return rc;
}

int bt_bulk_query(const struct bt_bulk *bulk, struct bt_request *request, struct bt_err *err)
{
    bt_exec_refs refs = {0};
    struct bt_invalids invalids = {0};
    struct bt_find find = {0};
    int rc = bt_find_strictly(request, &find, err);
    if (rc == BT_OK)
        rc = bt_service_pick(request->service, &request->principal, &find.query, &refs, err);
    for (size_t i = 0; rc == BT_OK && i < refs.count; i++)
        rc = check(bulk, &refs.items[i], &invalids, err);
    if (rc == BT_OK)
        rc = finish(bulk, request, &refs, &invalids, err);
    bt_find_done(&find);
    bt_value_unref(invalids.list);
    bt_vec_done(&refs);
    return rc;
}
