/* flow_many.c — Many flows at once, and changes in the text of one. */
#include "service/flow_many.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "model/flow_text.h"

/* --- Delete, disable -------------------------------------------------------------------------- */

int bt_service_delete_flows(struct bt_service *service, const struct bt_principal *principal,
                            const struct bt_flow_names *names, size_t *ret_count,
                            struct bt_err *err)
{
    *ret_count = 0;
    for (size_t i = 0; i < names->count; i++) {
        int rc = bt_service_delete_flow(service, principal, bt_str_of(names->items[i].namespace),
                                        bt_str_of(names->items[i].id), err);
        if (rc < 0 && rc != BT_NOT_FOUND)
            return rc;
        *ret_count += rc == BT_OK;
    }
    return BT_OK;
}

/* Stores a changed text of a flow that is there. */
static int store_text(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_flow *old, struct bt_flow_push *push,
                      struct bt_flow **ret_flow)
{
    push->put = BT_PUT_OLD;
    push->namespace = bt_str_of(old->namespace);
    push->id = bt_str_of(old->id);
    return bt_service_put_flow(service, principal, push, ret_flow, NULL);
}

static int disable_one(struct bt_service *service, const struct bt_principal *principal,
                       const struct bt_flow *flow, bool is_disabled, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *changed = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    BT_TRY(bt_flow_text_set(flow->source, "disabled",
                            is_disabled ? BT_STR("true") : BT_STR("false"), &text, err));
    struct bt_flow_push push = {.source = bt_buf_str(&text), .diags = &diags};
    int rc = store_text(service, principal, flow, &push, &changed);
    bt_diags_done(&diags);
    if (rc < 0)
        return bt_fail(err, (enum bt_code)rc, "the flow %s.%s cannot be changed", flow->namespace,
                       flow->id);
    return changed->is_disabled == is_disabled
               ? BT_OK
               : bt_fail(err, BT_CONFLICT, "the flow %s.%s says otherwise in its source",
                         flow->namespace, flow->id);
}

int bt_service_switch_flows(struct bt_service *service, const struct bt_principal *principal,
                            struct bt_flow_switch *change, struct bt_err *err)
{
    change->count = 0;
    for (size_t i = 0; i < change->names->count; i++) {
        BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
        const struct bt_owned_name *name = &change->names->items[i];
        struct bt_flow_key key = {.namespace = bt_str_of(name->namespace),
                                  .id = bt_str_of(name->id)};
        int rc = bt_service_live_flow(service, principal, &key, &flow, err);
        if (rc == BT_NOT_FOUND)
            continue;
        BT_TRY(rc);
        if (flow->is_disabled == change->is_disabled)
            continue;
        BT_TRY(disable_one(service, principal, flow, change->is_disabled, err));
        change->count++;
    }
    return BT_OK;
}

/* --- A task ----------------------------------------------------------------------------------- */

int bt_service_put_task(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_task_put *put, struct bt_flow **ret_flow,
                        struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    BT_TRY(bt_service_live_flow(service, principal, &put->key, &flow, err));
    if (!bt_flow_tree_task(flow->tree, put->task_id))
        return bt_fail(err, BT_NOT_FOUND, "the flow has no task '%.*s'", BT_FMT(put->task_id));
    if (!bt_str_eq(bt_map_str(put->task, "id"), put->task_id))
        return bt_fail(err, BT_INVALID, "the id of the task must stay '%.*s'",
                       BT_FMT(put->task_id));
    BT_TRY(bt_flow_text_put_task(flow->source, put->task_id, put->task, &text, err));
    struct bt_flow_push push = {.source = bt_buf_str(&text), .diags = put->diags};
    int rc = store_text(service, principal, flow, &push, ret_flow);
    return rc < 0 ? bt_fail(err, (enum bt_code)rc, "the flow would have errors") : BT_OK;
}

/* --- Several in one text ---------------------------------------------------------------------- */

struct pushing {
    struct bt_service *service;
    const struct bt_principal *principal;
    const struct bt_flow_pushes *pushes;
    const struct bt_found_sink *sink;
    BT_VEC(struct bt_flow *) flows; /* Checked, not stored. References. */
    struct bt_value *names;         /* "namespace id" → true. Owned. */
    struct bt_err *err;
};

static void complain(const struct pushing *pushing, const char *path, const char *text)
{
    struct bt_diag *diag = bt_diags_add(pushing->pushes->diags, BT_SEVERITY_ERROR, "push",
                                        (struct bt_mark){0}, "%s", text);
    if (diag) {
        diag->original = diag->msg;
        diag->path = path;
    }
}

/* Inside of `namespace`, as far as that matters. */
static bool is_inside(const struct bt_flow_pushes *pushes, const struct bt_flow *flow)
{
    struct bt_str have = bt_str_of(flow->namespace), want = pushes->namespace;
    if (!want.len || bt_str_eq(have, want))
        return true;
    return pushes->takes_children && bt_str_starts(have, want) && have.at[want.len] == '.';
}

static int note_name(struct pushing *pushing, const struct bt_flow *flow)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(1024);
    (void)bt_buf_addf(&name, "%s %s", flow->namespace, flow->id); /* Checked ids are short. */
    if (bt_map_get(pushing->names, bt_buf_str(&name))) {
        complain(pushing, "flow.id", "Duplicate Flow");
        return BT_INVALID;
    }
    return bt_map_put(pushing->names, bt_buf_str(&name), bt_value_bool(true));
}

static int check_document(struct pushing *pushing, struct bt_str document)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf moved = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    const struct bt_flow_pushes *pushes = pushing->pushes;
    if (pushes->overrides && pushes->namespace.len &&
        bt_flow_text_set(document, "namespace", pushes->namespace, &moved, NULL) == BT_OK)
        document = bt_buf_str(&moved);
    BT_TRY(bt_flow_parse(document, &flow, pushes->diags));
    if (!is_inside(pushes, flow)) {
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1024);
        (void)bt_buf_addf(&text, "Illegal namespace update, '%s' is not '%.*s'", flow->namespace,
                          BT_FMT(pushes->namespace)); /* Ids are short. */
        const char *words = bt_buf_cstr(&text);
        complain(pushing, "flow.namespace", words ? words : "Illegal namespace");
        return BT_INVALID;
    }
    BT_TRY(note_name(pushing, flow));
    bt_vec_push(&pushing->flows, BT_TAKE(flow));
    return BT_OK;
}

static int check_all(struct pushing *pushing)
{
    struct bt_str document;
    for (size_t at = 0; bt_flow_text_next(pushing->pushes->text, &at, &document);) {
        int rc = check_document(pushing, document);
        if (rc < 0)
            return bt_fail(pushing->err, (enum bt_code)rc, "the flow %zu of the text has errors",
                           pushing->flows.count + 1);
        if (pushing->flows.count > BT_BULK_MAX)
            return bt_fail(pushing->err, BT_LIMIT, "more than %u flows in one text", BT_BULK_MAX);
    }
    return BT_OK;
}

static int name_missing(void *data, const struct bt_found_flow *found)
{
    struct pushing *pushing = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(1024);
    (void)bt_buf_addf(&name, "%s %s", found->flow->namespace, found->flow->id); /* Short. */
    if (bt_map_get(pushing->names, bt_buf_str(&name)))
        return BT_OK;
    BT_TRY(bt_service_delete_flow(pushing->service, pushing->principal,
                                  bt_str_of(found->flow->namespace), bt_str_of(found->flow->id),
                                  pushing->err));
    return pushing->sink->each(pushing->sink->data, &(struct bt_found_flow){found->flow, true});
}

static int store_all(struct pushing *pushing)
{
    const struct bt_flow_pushes *pushes = pushing->pushes;
    struct bt_flow_query query = {.namespace = pushes->namespace,
                                  .is_exact = !pushes->takes_children};
    if (pushes->deletes)
        BT_TRY(bt_service_flows(pushing->service, pushing->principal, &query,
                                &(struct bt_found_sink){name_missing, pushing}, pushing->err));
    for (size_t i = 0; i < pushing->flows.count; i++) {
        BT_CLEANUP(bt_flow_unref_p) struct bt_flow *stored = NULL;
        struct bt_flow_push push = {
            .source = pushing->flows.items[i]->source, .put = BT_PUT_ANY, .diags = pushes->diags};
        BT_TRY(bt_service_put_flow(pushing->service, pushing->principal, &push, &stored,
                                   pushing->err));
        BT_TRY(pushing->sink->each(pushing->sink->data, &(struct bt_found_flow){stored, false}));
    }
    return BT_OK;
}

int bt_service_push_flows(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_flow_pushes *pushes, const struct bt_found_sink *sink,
                          struct bt_err *err)
{
    struct pushing pushing = {.service = service,
                              .principal = principal,
                              .pushes = pushes,
                              .sink = sink,
                              .names = bt_map_new(0),
                              .err = err};
    int rc = pushing.names ? check_all(&pushing) : bt_fail_mem(err, "flows");
    if (rc == BT_OK)
        rc = store_all(&pushing);
    for (size_t i = 0; i < pushing.flows.count; i++)
        bt_flow_unref(pushing.flows.items[i]);
    bt_vec_done(&pushing.flows);
    bt_value_unref(pushing.names);
    return rc;
}
