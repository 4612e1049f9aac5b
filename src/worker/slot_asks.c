/* slot_asks.c — A slot whose expressions ask for the world: rendered on a helper thread, with a run
 * of the http plugin in between for each http(). Also evaluate jobs, which are nothing but that. */
#include "base/limits.h"
#include "value/json.h"
#include "value/sealed.h"
#include "worker/evaluate.h"
#include "worker/host/slot_host.h"
#include "worker/worker_int.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { HTTP_PROPS_MAX = 8 };

/* A task that no flow has: what an http() asks for. */
struct http_task {
    struct bt_task task;
    struct bt_prop props[HTTP_PROPS_MAX];
    struct bt_value *accept; /* Owned STRING, or NULL. */
};

/* --- Preparing -------------------------------------------------------------------------------- */

/* Outputs that did not come with the job. On the loop's thread nothing is fetched. */
static int fetch(void *data, const struct bt_fetch_request *request, struct bt_value **ret_value,
                 struct bt_err *err)
{
    struct slot *slot = data;
    const struct bt_fetcher *fetcher = &slot->worker->config.fetcher;
    BT_VALUE value = NULL;
    if (!slot->asks.may_block)
        return bt_asks_later(&slot->asks, err);
    BT_TRY(fetcher->fetch(fetcher->data, request, &value, err));
    return bt_asks_open(&slot->asks, BT_TAKE(value), ret_value, err);
}

/* A directory of a host is for attempts that begin at once: this one gets its own. */
static void leave_dir(struct slot *slot)
{
    if (!slot->has_dir)
        return;
    (void)unlinkat(slot->worker->root, slot->work_name, AT_REMOVEDIR); /* It is empty. */
    slot->has_dir = false;
    slot_set_paths(slot);
}

void slot_prepare(struct slot *slot)
{
    slot->asks.may_block = slot->asks.is_open = false;
    slot->fetcher = (struct bt_fetcher){slot, fetch};
    slot->job->fetcher = slot->worker->config.fetcher.fetch ? &slot->fetcher : NULL;
    bool asks_at_once = slot->job->templates || bt_sealed_has(slot->job->variables);
    if (!asks_at_once && slot_plan(slot) == BT_OK) {
        slot_go_on(slot);
    } else if (asks_at_once || slot->asks.is_open) {
        slot->err = (struct bt_err)BT_ERR_INIT;
        leave_dir(slot);
        slot_start_work(slot, PHASE_PREPARING);
    } else {
        slot_conclude(slot);
    }
}

void slot_prepare_help(struct slot *slot)
{
    struct bt_asks *asks = &slot->asks;
    struct bt_err err = BT_ERR_INIT;
    asks->may_block = true;
    asks->is_open = false;
    if (slot->has_leftover) {
        struct bt_stage stage = slot_stage(slot);
        (void)bt_stage_remove(&stage, NULL); /* What is left goes with the worker's directory. */
        slot->has_leftover = false;
    }
    int rc = bt_asks_unseal(asks, &err);
    if (rc == BT_OK && slot->job->templates)
        rc = bt_evaluate(asks, &slot->outputs, &err);
    else if (rc == BT_OK && (rc = slot_plan(slot)) < 0)
        err = slot->err;
    slot->work_rc = rc;
    slot->err = asks->is_open || rc == BT_OK ? (struct bt_err)BT_ERR_INIT : err;
}

static void http_begin(struct slot *slot);

void slot_prepared(struct slot *slot)
{
    if (slot->is_killed || slot->is_timed_out) {
        slot_conclude(slot);
    } else if (slot->work_rc < 0 && slot->asks.is_open) {
        http_begin(slot);
    } else if (slot->work_rc < 0) {
        slot_conclude(slot);
    } else if (slot->job->templates) {
        slot->has_run = true;
        slot_conclude(slot);
    } else {
        slot_go_on(slot);
    }
}

/* --- http() ----------------------------------------------------------------------------------- */

static void http_task_free(struct http_task *http)
{
    for (uint32_t i = 0; http && i < http->task.prop_count; i++)
        bt_dyn_unref(http->props[i].value);
    if (http)
        bt_value_unref(http->accept);
    free(http);
}

static int add_prop(struct http_task *http, const char *name, const struct bt_value *value)
{
    struct bt_dyn *dyn = bt_value_is_null(value) ? NULL : bt_dyn_literal(value);
    if (bt_value_is_null(value))
        return BT_OK;
    assert(http->task.prop_count < HTTP_PROPS_MAX);
    if (!dyn)
        return BT_NO_MEM;
    http->props[http->task.prop_count++] = (struct bt_prop){name, dyn};
    return BT_OK;
}

/* The headers with `Accept` among them. */
static int add_headers(struct http_task *http, const struct bt_value *args)
{
    const struct bt_value *accept = bt_map_gets(args, "accept");
    const struct bt_value *given = bt_map_gets(args, "headers");
    BT_VALUE headers = bt_value_is(given, BT_KIND_MAP) ? bt_value_copy(given) : bt_map_new(1);
    http->accept = bt_value_is(accept, BT_KIND_STRING) ? bt_value_ref(accept) : NULL;
    if (!headers ||
        (http->accept && bt_map_puts(headers, "Accept", bt_value_ref(http->accept)) < 0))
        return BT_NO_MEM;
    return add_prop(http, "headers", headers);
}

/* The arguments of http() as the properties of an `http.request`. */
static int make_task(const struct bt_value *args, struct http_task **ret_http, struct bt_err *err)
{
    static const char *const names[][2] = {
        {"uri", "uri"},   {"method", "method"},           {"query", "params"},
        {"body", "body"}, {"contentType", "contentType"}, {"options", "options"}};
    const struct bt_type *type = bt_type_find(BT_STR("http.request"));
    if (!type || !type->plugin)
        return bt_fail(err, BT_UNAVAILABLE, "http() needs the plugin 'http', which is not here");
    struct http_task *http = calloc(1, sizeof *http);
    int rc = http ? BT_OK : BT_NO_MEM;
    for (size_t i = 0; rc == BT_OK && i < BT_COUNT(names); i++)
        rc = add_prop(http, names[i][1], bt_map_gets(args, names[i][0]));
    if (rc == BT_OK)
        rc = add_headers(http, args);
    if (rc < 0) {
        http_task_free(http);
        return bt_fail_mem(err, "http()");
    }
    http->task.id = "http";
    http->task.type = type;
    http->task.parent = BT_NO_TASK;
    http->task.props = http->props;
    *ret_http = http;
    return BT_OK;
}

/* Another job stands in the slot, with the names and the token of the attempt. */
static int swap_in(struct slot *slot, struct http_task *http, struct bt_err *err)
{
    struct bt_job *job = calloc(1, sizeof *job);
    if (!job)
        return bt_fail_mem(err, "http()");
    *job = *slot->job;
    job->flow = bt_flow_ref(slot->job->flow);
    job->task = &http->task;
    job->templates = NULL;
    job->as_of = (struct bt_as_of){0};
    job->variables = bt_map_new(0);
    job->next = NULL;
    slot->http_task = http;
    (void)pthread_mutex_lock(&slot->worker->mutex); /* Cannot fail on a default mutex. */
    slot->outer = slot->job;
    slot->job = job;
    (void)pthread_mutex_unlock(&slot->worker->mutex);
    return BT_OK;
}

static void swap_out(struct slot *slot)
{
    (void)pthread_mutex_lock(&slot->worker->mutex); /* As above. */
    struct bt_job *job = slot->job;
    slot->job = slot->outer;
    slot->outer = NULL;
    (void)pthread_mutex_unlock(&slot->worker->mutex);
    job->task = NULL;
    (void)bt_job_free(job); /* Gives NULL. */
    http_task_free(slot->http_task);
    slot->http_task = NULL;
}

static bool is_json(const struct http_task *http, const struct bt_value *outputs)
{
    const struct bt_value *headers = bt_map_gets(outputs, "headers");
    if (http->accept)
        return bt_str_find(bt_value_str(http->accept), BT_STR("json"), 0) >= 0;
    for (size_t i = 0; i < bt_value_count(headers); i++) {
        struct bt_str name = bt_map_key(headers, i);
        const struct bt_value *value = bt_map_at(headers, i, NULL);
        if (bt_value_is(value, BT_KIND_LIST))
            value = bt_list_at(value, 0);
        if (name.len == 12 && strncasecmp(name.at, "content-type", 12) == 0)
            return bt_str_find(bt_value_str(value), BT_STR("json"), 0) >= 0;
    }
    return false;
}

/* The body, parsed when it is JSON. */
static int read_answer(struct slot *slot, struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE outputs = slot_host_outputs(slot);
    struct bt_value *body = bt_map_gets(outputs, "body");
    if (!outputs)
        return bt_fail_mem(err, "http()");
    if (bt_value_is(body, BT_KIND_STRING) && is_json(slot->http_task, outputs)) {
        int rc = bt_json_parse(bt_value_str(body), NULL, ret_value, err);
        return rc < 0 ? bt_err_prefix(err, "the answer is no JSON") : BT_OK;
    }
    *ret_value = body ? bt_value_ref(body) : bt_value_null();
    return *ret_value ? BT_OK : bt_fail_mem(err, "http()");
}

/* Renders again, with one more answer. */
static void answer(struct slot *slot, struct bt_value *value, const struct bt_err *error)
{
    struct bt_worker *worker = slot->worker;
    if (bt_asks_answer(&slot->asks, value, error) < 0) {
        (void)bt_fail_mem(&slot->err, "http()"); /* Gives the code. */
        slot_conclude(slot);
        return;
    }
    uint64_t now_ms = uv_now(&worker->loop);
    if (slot->deadline_ms)
        slot_start_timer(slot, slot->deadline_ms > now_ms ? slot->deadline_ms - now_ms : 0);
    slot_start_work(slot, PHASE_PREPARING);
}

static void http_begin(struct slot *slot)
{
    struct http_task *http = NULL;
    struct bt_err err = BT_ERR_INIT;
    int rc = make_task(slot->asks.question, &http, &err);
    if (rc == BT_OK && (rc = swap_in(slot, http, &err)) < 0)
        http_task_free(http);
    if (rc < 0) {
        answer(slot, NULL, &err);
        return;
    }
    slot_reset(slot);
    if (slot_plan(slot) < 0)
        slot_conclude(slot);
    else
        slot_go_on(slot);
}

void slot_http_end(struct slot *slot)
{
    struct bt_err err = slot->err;
    struct bt_value *value = NULL;
    bool is_over = slot->is_killed || slot->is_timed_out;
    if (!is_over && err.code == BT_OK && slot->has_run)
        (void)read_answer(slot, &value, &err); /* What failed is in err. */
    bt_capture_done(&slot->capture);
    bt_plan_done(&slot->plan);
    slot_host_done(slot);
    swap_out(slot);
    slot_reset(slot);
    slot->has_leftover = true;
    if (is_over)
        slot_conclude(slot);
    else
        answer(slot, value, &err);
}

/* --- Secrets ---------------------------------------------------------------------------------- */

bool slot_has_secrets(const struct slot *slot)
{
    return slot->asks.masks.count > 0 && !slot->job->templates;
}

void slot_seal_outputs(struct slot *slot)
{
    BT_VALUE plain = slot_outputs(slot);
    struct bt_err err = BT_ERR_INIT;
    struct bt_value *sealed = NULL;
    if (plain && bt_asks_seal_all(&slot->asks, plain, &sealed, &err) == BT_OK) {
        bt_value_unref(slot->outputs);
        slot->outputs = sealed;
        return;
    }
    slot->outputs = bt_map_new(0); /* Nothing is told in plain. */
    if (slot->err.code == BT_OK)
        slot->err = err;
}
