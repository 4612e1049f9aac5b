/* step.c — The dispatcher of the execution actor, and its helpers for rows and effects. */
#include "engine/execution/step_int.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void bt_step_init(struct bt_step *step)
{
    *step = (struct bt_step){0};
}

void bt_step_done(struct bt_step *step)
{
    for (size_t i = 0; i < step->effect_count; i++)
        bt_effect_done(&step->effects[i]);
    free(step->effects);
    bt_value_unref(step->need.value);
    *step = (struct bt_step){0};
}

int step_run(struct bt_step *step, uint32_t n, struct bt_taskrun **ret_run)
{
    assert(n > 0 && n < step->exec->next_n);
    int rc = step->view.taskrun(step->view.data, n, ret_run);
    if (rc == BT_NEED) {
        assert(!step->is_changing);
        step->need = (struct bt_need){.kind = BT_NEED_TASKRUN, .n = n};
    }
    return rc;
}

int step_group(struct bt_step *step, uint32_t n, struct bt_group **ret_group,
               struct bt_taskrun **ret_run)
{
    *ret_run = NULL;
    *ret_group = &step->exec->group;
    if (n == 0)
        return BT_OK;
    BT_TRY(step_run(step, n, ret_run));
    *ret_group = &(*ret_run)->group;
    return BT_OK;
}

int step_bad(struct bt_step *step, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
             size_t *ret_count)
{
    int rc = step->view.bad(step->view.data, task, parent, ret_ns, ret_count);
    if (rc == BT_NEED)
        step->need = (struct bt_need){.kind = BT_NEED_BAD, .task = task, .parent = parent};
    return rc;
}

void step_changed(struct bt_step *step, struct bt_taskrun *run)
{
    step->is_changing = true;
    bool *is_dirty = run ? &run->is_dirty : &step->exec->is_dirty;
    if (*is_dirty)
        return;
    *is_dirty = true;
    step->view.changed(step->view.data, run);
}

struct bt_effect *step_effect(struct bt_step *step, enum bt_effect_kind kind)
{
    step->is_changing = true;
    if (step->effect_count == step->effect_cap) {
        size_t cap = step->effect_cap ? step->effect_cap * 2 : 16;
        struct bt_effect *effects = realloc(step->effects, cap * sizeof *effects);
        if (!effects)
            abort(); /* The batch is not committed; the next start goes on from before it. */
        step->effects = effects;
        step->effect_cap = cap;
    }
    struct bt_effect *effect = &step->effects[step->effect_count++];
    *effect = (struct bt_effect){.kind = kind};
    return effect;
}

void step_event(struct bt_step *step, enum bt_event_kind kind, uint32_t taskrun, uint32_t child)
{
    struct bt_effect *effect = step_effect(step, BT_EFFECT_EVENT);
    effect->event = (struct bt_event){.kind = kind, .taskrun = taskrun, .child = child};
}

void step_log_value(struct bt_step *step, const struct bt_taskrun *run, enum bt_level level,
                    struct bt_value *text)
{
    enum bt_level least;
    const char *name = run ? step_task(step, run)->log_level : NULL;
    if (name && bt_level_parse(bt_str_of(name), &least) && level < least) {
        bt_value_unref(text);
        return;
    }
    struct bt_effect *effect = step_effect(step, BT_EFFECT_LOG);
    effect->taskrun = run ? run->n : 0;
    effect->token = run ? run->attempt_count : 0;
    effect->level = level;
    effect->place = step->transitions;
    effect->value = text;
}

void step_log(struct bt_step *step, const struct bt_taskrun *run, enum bt_level level,
              const char *format, ...)
{
    char text[1200];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        return;
    bt_utf8_repair(text); /* It may be cut. */
    step_log_value(step, run, level, bt_value_cstr(text));
}

static int dispatch(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    switch (event->kind) {
    case BT_EVENT_BEGIN: return on_begin(step, err);
    case BT_EVENT_OPEN: return on_open(step, event, err);
    case BT_EVENT_START: return on_start(step, event, err);
    case BT_EVENT_NEXT: return on_next(step, event, err);
    case BT_EVENT_STARTED: return on_started(step, event);
    case BT_EVENT_RESULT: return on_result(step, event, err);
    case BT_EVENT_LOST: return on_lost(step, event, err);
    case BT_EVENT_TIMER:
        if (event->taskrun == 0)
            return event->timer == BT_TIMER_BEGIN ? on_begin(step, err) : on_timeout(step);
        return on_timer(step, event);
    case BT_EVENT_TIMER_KILLED: return on_timer_killed(step, event);
    case BT_EVENT_KILL: return on_kill(step, NULL);
    case BT_EVENT_FINISH: return on_finish(step, err);
    case BT_EVENT_AFTER: return on_after(step, event, err);
    case BT_EVENT_CHILD: return on_child(step, event);
    case BT_EVENT_SLOT: return on_slot(step, event, err);
    case BT_EVENT_FORCE: return on_force(step, err);
    case BT_EVENT_RESTART: return on_restart(step, event, err);
    case BT_EVENT_CHANGE: return on_change(step, event);
    case BT_EVENT_STATUS: return on_status(step, event);
    case BT_EVENT_REPLAY: return on_replay(step, event);
    case BT_EVENT_COPY: return BT_OK; /* The runner's. */
    case BT_EVENT_CLOSE_PLACE: return on_close_place(step, event, err);
    case BT_EVENT_LOOP: return on_loop(step, event, err);
    case BT_EVENT_HOLD: return on_hold(step);
    case BT_EVENT_RESUME: return on_resume(step, event);
    case BT_EVENT_CASCADE:
    case BT_EVENT_KIND_COUNT: break;
    }
    return bt_fail(err, BT_CORRUPT, "unknown event %d", (int)event->kind);
}

/* What is of an execution that has ended: its counters, which a restart goes on from, and what
 * somebody wants of it. */
static bool is_of_ended(const struct bt_event *event)
{
    return event->kind == BT_EVENT_NEXT || event->kind == BT_EVENT_RESTART ||
           event->kind == BT_EVENT_CHANGE || event->kind == BT_EVENT_STATUS;
}

int bt_execution_step(struct bt_step *step, const struct bt_event *event, struct bt_err *err)
{
    assert(step->exec && step->flow);
    step->is_changing = step->is_picking = false;
    step->evaluated = NULL;
    step->need.value = bt_value_unref(step->need.value);
    if (event->taskrun >= step->exec->next_n || event->child >= step->exec->next_n)
        return bt_fail(err, BT_CORRUPT, "event names task run %u of %u", event->taskrun,
                       step->exec->next_n);
    if (event->kind == BT_EVENT_CASCADE) {
        step_effect(step, BT_EFFECT_CASCADE)->token = event->token;
        return BT_OK;
    }
    if (step->exec->is_drained && !is_of_ended(event))
        return BT_OK; /* A late word: nothing of the execution lives. */
    int rc = dispatch(step, event, err);
    assert(rc == BT_OK || !step->is_changing);
    return rc;
}
