/* space_task.c — Tasks of the namespace's actor (kv.set, …): rendered here, sent to the actor in
 * the same batch; its answer comes back as the result of the attempt. */
#include "engine/execution/step_int.h"

#include "value/sealed.h"

#include <stdlib.h>

static const char *op_of(enum bt_op op)
{
    return op == BT_OP_KV_SET      ? "put"
           : op == BT_OP_KV_GET    ? "get"
           : op == BT_OP_KV_DELETE ? "delete"
           : op == BT_OP_KV_PURGE  ? "purge"
                                   : "keys";
}

/* Puts a rendered text, when the task has it. */
static int put_text(struct bt_step *step, struct bt_taskrun *run, struct bt_value *request,
                    const char *name, struct bt_err *err)
{
    BT_VALUE value = NULL;
    BT_TRY(step_render(step, run, name, &value, err));
    if (bt_value_is_null(value))
        return BT_OK;
    BT_TRY(refuse_sealed(value, name, err));
    if (!bt_value_is(value, BT_KIND_STRING))
        return bt_fail(err, BT_INVALID, "`%s` must be a text", name);
    return bt_map_puts(request, name, BT_TAKE(value)) < 0 ? bt_fail_mem(err, name) : BT_OK;
}

static int put_flag(struct bt_step *step, struct bt_taskrun *run, struct bt_value *request,
                    const char *name, struct bt_err *err)
{
    const struct bt_dyn *prop = bt_task_prop(step_task(step, run), name);
    bool is_true;
    if (!prop)
        return BT_OK;
    BT_TRY(step_render_bool(step, (struct step_prop){run, name, prop}, &is_true, err));
    return bt_map_puts(request, name, bt_value_bool(is_true)) < 0 ? bt_fail_mem(err, name) : BT_OK;
}

static int put_value(struct bt_step *step, struct bt_taskrun *run, struct bt_value *request,
                     struct bt_err *err)
{
    const struct bt_task *task = step_task(step, run);
    const struct bt_dyn *prop = bt_task_prop(task, "value");
    struct bt_value *value = NULL;
    int64_t ttl_us;
    if (!prop)
        return bt_fail(err, BT_INVALID, "`value` is missing");
    BT_TRY(step_render_typed(step, (struct step_prop){run, "value", prop}, &value, err));
    if (bt_map_puts(request, "value", value) < 0)
        return bt_fail_mem(err, "value");
    const struct bt_dyn *ttl = bt_task_prop(task, "ttl");
    BT_TRY(step_render_duration(step, (struct step_prop){run, "ttl", ttl}, &ttl_us, err));
    if (ttl && bt_map_puts(request, "ttlUs", bt_value_int(ttl_us)) < 0)
        return bt_fail_mem(err, "ttl");
    return BT_OK;
}

static int make_request(struct bt_step *step, struct bt_taskrun *run, struct bt_value *request,
                        struct bt_err *err)
{
    static const char *const texts[] = {"namespace", "key", "prefix", "description"};
    static const char *const flags[] = {"overwrite", "errorOnMissing", "expiredOnly"};
    enum bt_op op = step_task(step, run)->type->op;
    for (size_t i = 0; i < BT_COUNT(texts); i++)
        BT_TRY(put_text(step, run, request, texts[i], err));
    for (size_t i = 0; i < BT_COUNT(flags); i++)
        BT_TRY(put_flag(step, run, request, flags[i], err));
    if (op != BT_OP_KV_SET)
        return BT_OK;
    BT_VALUE type = NULL;
    BT_TRY(step_render(step, run, "kvType", &type, err));
    if (bt_value_is(type, BT_KIND_STRING) && bt_map_puts(request, "type", BT_TAKE(type)) < 0)
        return bt_fail_mem(err, "kvType");
    return put_value(step, run, request, err);
}

int space_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_VALUE request = bt_map_new(6);
    if (bt_map_puts(request, "op", bt_value_cstr(op_of(step_task(step, run)->type->op))) < 0)
        return bt_fail_mem(err, "key-value");
    int rc = make_request(step, run, request, err);
    if (rc == BT_NEED)
        return rc;
    attempt_ask(step, run, BT_EFFECT_SPACE, request, rc < 0 ? err : NULL);
    return BT_OK;
}
