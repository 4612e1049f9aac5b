/* child_task.c — Subflow: an execution of another flow. What it wants is rendered here; who makes
 * the execution answers in the same batch (CHILD), and tells its end (RESULT).
 *
 * The request is a map: "namespace", "flowId", "revision" (INT or absent), "inputs", "labels"
 * (maps), "inheritLabels", "waits" (booleans), "scheduleUs" (INT), "asked" (map, raw), "item"
 * (INT). */
#include "engine/execution/step_int.h"

#include <stdlib.h>

/* A flag with its default. */
static int flag(struct bt_step *step, struct bt_taskrun *run, const char *name, bool *flag,
                struct bt_err *err)
{
    const struct bt_dyn *prop = bt_task_prop(step_task(step, run), name);
    return prop ? step_render_bool(step, (struct step_prop){run, name, prop}, flag, err) : BT_OK;
}

static int put_rendered(struct bt_step *step, struct bt_taskrun *run, struct bt_value *request,
                        const char *name, struct bt_err *err)
{
    BT_VALUE value = NULL;
    BT_TRY(step_render(step, run, name, &value, err));
    if (bt_value_is_null(value))
        return BT_OK;
    return bt_map_puts(request, name, BT_TAKE(value)) < 0 ? bt_fail_mem(err, name) : BT_OK;
}

/* Labels as a map, whatever their form. */
static int put_labels(struct bt_step *step, struct bt_taskrun *run, struct bt_value *request,
                      struct bt_err *err)
{
    BT_VALUE given = NULL, *labels = bt_map_new(0);
    BT_TRY(step_render(step, run, "labels", &given, err));
    BT_TRY(refuse_sealed(given, "a label", err));
    for (size_t i = 0; i < bt_value_count(given); i++) {
        const struct bt_value *item = bt_list_at(given, i);
        bool is_map = bt_value_is(given, BT_KIND_MAP);
        struct bt_str key = is_map ? bt_map_key(given, i) : bt_map_str(item, "key");
        const struct bt_value *val =
            is_map ? bt_map_at(given, i, NULL) : bt_map_gets(item, "value");
        BT_TRY(put_label(labels, key, val, err));
    }
    return bt_map_puts(request, "labels", BT_TAKE(labels)) < 0 ? bt_fail_mem(err, "labels") : BT_OK;
}

static int put_date(struct bt_step *step, struct bt_taskrun *run, struct bt_value *request,
                    struct bt_err *err)
{
    BT_VALUE text = NULL;
    int64_t us;
    BT_TRY(step_render(step, run, "scheduleDate", &text, err));
    if (bt_value_is_null(text))
        return BT_OK;
    if (!bt_instant_parse(bt_value_str(text), &us)) {
        (void)bt_fail(err, BT_INVALID, "`scheduleDate` is no date with a zone: %.*s",
                      BT_FMT(bt_value_str(text)));
        return bt_hint(err, "write it as 2026-12-24T18:00:00+01:00");
    }
    return bt_map_puts(request, "scheduleUs", bt_value_int(us)) < 0 ? bt_fail_mem(err, "date")
                                                                    : BT_OK;
}

/* The task's own `outputs`: rendered by the subflow when it has none of its own. */
static int put_asked(const struct bt_step *step, const struct bt_taskrun *run,
                     struct bt_value *request, struct bt_err *err)
{
    const struct bt_dyn *outputs = bt_task_prop(step_task(step, run), "outputs");
    if (!outputs)
        return BT_OK;
    struct bt_value *raw = bt_value_ref(bt_dyn_raw(outputs));
    return bt_map_puts(request, "asked", raw) < 0 ? bt_fail_mem(err, "outputs") : BT_OK;
}

static int make_request(struct bt_step *step, struct bt_taskrun *run, struct bt_value *request,
                        struct bt_err *err)
{
    static const char *const names[] = {"namespace", "flowId", "revision", "inputs"};
    bool waits = true, transmits = true, inherits = false;
    for (size_t i = 0; i < BT_COUNT(names); i++)
        BT_TRY(put_rendered(step, run, request, names[i], err));
    BT_TRY(refuse_sealed(bt_map_gets(request, "namespace"), "a namespace", err));
    BT_TRY(refuse_sealed(bt_map_gets(request, "flowId"), "the id of a flow", err));
    BT_TRY(put_labels(step, run, request, err));
    BT_TRY(put_date(step, run, request, err));
    BT_TRY(put_asked(step, run, request, err));
    BT_TRY(flag(step, run, "wait", &waits, err));
    BT_TRY(flag(step, run, "transmitFailed", &transmits, err));
    BT_TRY(flag(step, run, "inheritLabels", &inherits, err));
    if (bt_map_puts(request, "waits", bt_value_bool(waits)) < 0 ||
        bt_map_puts(request, "inheritLabels", bt_value_bool(inherits)) < 0)
        return bt_fail_mem(err, "subflow");
    run->waits = waits;
    run->transmits = transmits;
    return BT_OK;
}

int subflow_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err)
{
    BT_VALUE request = bt_map_new(8);
    if (!request)
        return bt_fail_mem(err, "subflow");
    int rc = make_request(step, run, request, err);
    if (rc == BT_NEED)
        return rc;
    attempt_ask(step, run, BT_EFFECT_CHILD, request, rc < 0 ? err : NULL);
    return BT_OK;
}

int on_child(struct bt_step *step, const struct bt_event *event)
{
    struct bt_taskrun *run;
    BT_TRY(step_run(step, event->taskrun, &run));
    if (run->token == 0 || run->token != event->token)
        return BT_OK;
    bt_value_unref(run->outputs);
    run->outputs = bt_value_ref(event->outputs);
    step_changed(step, run);
    if (event->error)
        step_log_value(step, run, BT_LEVEL_INFO, bt_value_ref(event->error));
    if (!run->waits)
        attempt_end(step, run, BT_SUCCESS);
    return BT_OK;
}

enum bt_state child_state(const struct bt_taskrun *run, enum bt_state state)
{
    bool is_told = state == BT_FAILED || state == BT_KILLED || state == BT_WARNING;
    if (!run->transmits)
        return BT_SUCCESS;
    return state == BT_CANCELLED ? BT_FAILED : is_told ? state : BT_SUCCESS;
}
