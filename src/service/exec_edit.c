/* exec_edit.c — Use cases over executions that have ended, and over many at once. */
#include "service/service.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "sys/clock.h"

#include <stdio.h>

/* --- Labels ----------------------------------------------------------------------------------- */

static bool is_blank(const struct bt_value *text)
{
    return bt_value_is(text, BT_KIND_NULL) ||
           (bt_value_is(text, BT_KIND_STRING) && !bt_value_str(text).len);
}

int bt_service_read_labels(const struct bt_value *pairs, struct bt_value **ret_labels,
                           struct bt_err *err)
{
    BT_VALUE labels = bt_map_new(bt_value_count(pairs));
    if (!labels)
        return bt_fail_mem(err, "labels");
    if (!bt_value_is(pairs, BT_KIND_LIST))
        return bt_fail(err, BT_INVALID, "labels must be a list of {key, value}");
    for (size_t i = 0; i < bt_value_count(pairs); i++) {
        const struct bt_value *pair = bt_list_at(pairs, i);
        struct bt_str key = bt_map_str(pair, "key"), text = bt_map_str(pair, "value");
        if (is_blank(bt_map_gets(pair, "key")) && is_blank(bt_map_gets(pair, "value")) &&
            bt_value_is(pair, BT_KIND_MAP))
            continue;
        if (!key.len || !text.len)
            return bt_fail(err, BT_INVALID, "each label needs a key and a value that are texts");
        if (bt_str_starts(key, BT_STR("system.")))
            return bt_fail(err, BT_INVALID,
                           "System labels can only be set by Kestra itself, offending label: "
                           "%.*s=%.*s",
                           BT_FMT(key), BT_FMT(text));
        if (bt_map_put(labels, key, bt_value_string(text)) < 0)
            return bt_fail_mem(err, "labels");
    }
    *ret_labels = BT_TAKE(labels);
    return BT_OK;
}

int bt_service_label(struct bt_service *service, const struct bt_principal *principal, uint64_t key,
                     const struct bt_value *labels, struct bt_err *err)
{
    (void)principal; /* The key was found among what he may see. */
    struct bt_reply *reply = bt_reply_new();
    if (!reply)
        return bt_fail_mem(err, "labels");
    int rc = bt_runner_label(service->runner, key, bt_value_ref(labels), reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    bt_reply_free(reply);
    return rc;
}

/* --- Kill ------------------------------------------------------------------------------------- */

int bt_service_kill_all(struct bt_service *service, const struct bt_principal *principal,
                        const bt_exec_refs *refs, struct bt_err *err)
{
    for (size_t i = 0; i < refs->count; i++) {
        const struct bt_exec_ref *ref = &refs->items[i];
        int rc = ref->is_drained ? BT_OK : bt_service_kill(service, principal, ref->key, err);
        if (rc < 0 && rc != BT_NOT_FOUND)
            return rc;
    }
    return BT_OK;
}

/* --- Delete ----------------------------------------------------------------------------------- */

/* What is left of them is the sweeper's. */
static void drop_files(struct bt_service *service, const char *tenant,
                       const struct bt_exec_ref *ref)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(4096), uri = BT_BUF_INIT(8192);
    for (const char *c = ref->namespace; *c; c++)
        (void)bt_buf_addc(&path, *c == '.' ? '/' : *c); /* Checked below. */
    (void)bt_buf_addf(&path, "/%s/executions/%s/", ref->flow_id, ref->id.text);
    if (!path.failed && bt_files_uri(bt_buf_str(&path), &uri) == BT_OK)
        (void)bt_files_delete_tree(service->files, tenant, bt_buf_str(&uri), NULL);
}

static int drop(struct bt_service *service, uint64_t key, struct bt_err *err)
{
    struct bt_reply *reply = bt_reply_new();
    if (!reply)
        return bt_fail_mem(err, "execution");
    int rc = bt_runner_drop(service->runner, key, reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    bt_reply_free(reply);
    return rc;
}

/* One that was killed just now needs a moment until nothing of it runs. */
static int drop_soon(struct bt_service *service, uint64_t key, int64_t until_us, struct bt_err *err)
{
    int64_t pause_us = 2000;
    for (;;) {
        int rc = drop(service, key, err);
        if (rc != BT_CONFLICT || bt_clock_mono_us(bt_clock_system()) > until_us)
            return rc == BT_NOT_FOUND ? BT_OK : rc;
        bt_clock_pause(pause_us);
        pause_us = pause_us < 100000 ? pause_us * 2 : pause_us;
    }
}

int bt_service_drop(struct bt_service *service, const struct bt_principal *principal,
                    const bt_exec_refs *refs, bool keeps_files, struct bt_err *err)
{
    int64_t until_us = bt_clock_mono_us(bt_clock_system()) + (int64_t)BT_DROP_WAIT_MS * 1000;
    BT_TRY(bt_service_kill_all(service, principal, refs, err));
    for (size_t i = 0; i < refs->count; i++) {
        int rc = drop_soon(service, refs->items[i].key, until_us, err);
        if (rc == BT_CONFLICT)
            return bt_hint(err, "it is being killed; try again in a moment");
        BT_TRY(rc);
        if (!keeps_files)
            drop_files(service, principal->tenant, &refs->items[i]);
    }
    return BT_OK;
}

int bt_service_drop_logs(struct bt_service *service, const struct bt_exec *exec, struct bt_err *err)
{
    struct bt_reply *reply = bt_reply_new();
    if (!reply)
        return bt_fail_mem(err, "execution");
    int rc = bt_runner_drop_logs(service->runner, exec->key, reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    bt_reply_free(reply);
    return rc;
}

/* --- Which ------------------------------------------------------------------------------------ */

struct picking {
    bt_exec_refs *refs;
    struct bt_err *err;
};

static int pick_one(void *data, struct bt_exec *exec)
{
    struct picking *picking = data;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *taken = exec;
    if (picking->refs->count == BT_BULK_MAX)
        return bt_fail(picking->err, BT_LIMIT, "more than %u executions match: narrow the filters",
                       BT_BULK_MAX);
    struct bt_exec_ref ref = {
        .key = taken->key, .id = taken->id, .state = taken->state, .is_drained = taken->is_drained};
    (void)snprintf(ref.namespace, sizeof ref.namespace, "%s", taken->namespace); /* Same sizes. */
    (void)snprintf(ref.flow_id, sizeof ref.flow_id, "%s", taken->flow_id);
    bt_vec_push(picking->refs, ref);
    return BT_OK;
}

int bt_service_pick(struct bt_service *service, const struct bt_principal *principal,
                    const struct bt_exec_query *query, bt_exec_refs *refs, struct bt_err *err)
{
    struct bt_exec_query mine = *query;
    struct bt_total total;
    struct picking picking = {refs, err};
    mine.tenant = principal->tenant;
    mine.skip = 0;
    mine.limit = (uint64_t)BT_BULK_MAX + 1;
    return service->store->ops->execs(service->store, &mine,
                                      &(struct bt_exec_sink){pick_one, &picking}, &total, err);
}
