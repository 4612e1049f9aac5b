/* lab_int.h — A test bench for the execution actor: rows in memory, effects applied as the runner
 * applies them, one event at a time. Only for the tests of this room; must never be in the program.
 *
 * With `forgets` every row, look-up and list must be fetched anew for each event, so the step is
 * interrupted by BT_NEED wherever it reads: it must end the same. */
#pragma once
#include "base/limits.h"
#include "base/vec.h"
#include "engine/execution/step_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LAB_START_US = 1000000000, LAB_STEPS_MAX = 200000 };

struct lab_timer {
    uint32_t taskrun;
    enum bt_timer_kind kind;
    int64_t due_us;
};
struct lab_job {
    uint32_t taskrun;
    uint64_t token;
    int64_t timeout_us;
    struct bt_value *variables, *templates;
    struct bt_as_of as_of;
};
struct lab_space {
    uint32_t taskrun;
    uint64_t token;
    struct bt_value *request;
};
struct lab_log {
    uint32_t taskrun;
    enum bt_level level;
    struct bt_value *text;
};
struct lab_values {
    uint32_t n;
    struct bt_value *list;
};

struct lab {
    struct bt_flow *flow;
    struct bt_exec *exec;
    struct bt_step step;
    BT_VEC(struct bt_taskrun *) runs; /* By n - 1. */
    BT_VEC(struct lab_values) values;
    BT_VEC(struct bt_event) queue;
    size_t queue_head;
    BT_VEC(struct lab_timer) timers;
    BT_VEC(struct lab_job) jobs; /* Out, in order; a result takes one away. */
    BT_VEC(struct lab_log) logs;
    BT_VEC(struct lab_space) spaces; /* Requests to the namespace, in order. */
    BT_VEC(struct bt_need) known;    /* Fetched for this event. */
    BT_VEC(uint32_t *) lists;        /* Lists given out in this event. */
    bool forgets;
    size_t needs, changes, ended, drained, kills, cascades, slot_asks, slot_takes, places_freed;
    int64_t now_us;
    struct bt_err err; /* Of the last step that failed. */
    int rc;
};

/* --- The view ----------------------------------------------------------------------------------
 */

static inline bool lab_knows(struct lab *lab, enum bt_need_kind kind, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < lab->known.count; i++) {
        const struct bt_need *need = &lab->known.items[i];
        bool is_row = kind == BT_NEED_TASKRUN || kind == BT_NEED_VALUES;
        if (need->kind == kind && (is_row ? need->n == a : need->task == a && need->parent == b))
            return true;
    }
    return !lab->forgets;
}

static inline int lab_view_taskrun(void *data, uint32_t n, struct bt_taskrun **ret_run)
{
    struct lab *lab = data;
    if (!lab_knows(lab, BT_NEED_TASKRUN, n, 0))
        return BT_NEED;
    assert_true(n > 0 && n <= lab->runs.count);
    *ret_run = lab->runs.items[n - 1];
    return BT_OK;
}

static inline int lab_view_find(void *data, uint32_t task, uint32_t parent, struct bt_str value,
                                struct bt_taskrun **ret_run)
{
    struct lab *lab = data;
    if (!lab_knows(lab, BT_NEED_FIND, task, parent))
        return BT_NEED;
    for (size_t i = lab->runs.count; i-- > 0;) {
        struct bt_taskrun *run = lab->runs.items[i];
        if (run->task != task || run->parent != parent ||
            !bt_str_eq(bt_value_str(run->value), value))
            continue;
        *ret_run = run;
        return BT_OK;
    }
    return BT_NOT_FOUND;
}

static inline int lab_view_list(void *data, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
                                size_t *ret_count)
{
    struct lab *lab = data;
    if (!lab_knows(lab, BT_NEED_LIST, task, parent))
        return BT_NEED;
    uint32_t *ns = calloc(lab->runs.count + 1, sizeof *ns);
    assert_non_null(ns);
    bt_vec_push(&lab->lists, ns);
    *ret_count = 0;
    for (size_t i = 0; i < lab->runs.count; i++)
        if (lab->runs.items[i]->task == task && lab->runs.items[i]->parent == parent)
            ns[(*ret_count)++] = lab->runs.items[i]->n;
    *ret_ns = ns;
    return BT_OK;
}

static inline int lab_view_bad(void *data, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
                               size_t *ret_count)
{
    struct lab *lab = data;
    if (!lab_knows(lab, BT_NEED_BAD, task, parent))
        return BT_NEED;
    uint32_t *ns = calloc(lab->runs.count + 1, sizeof *ns);
    assert_non_null(ns);
    bt_vec_push(&lab->lists, ns);
    *ret_count = 0;
    for (size_t i = 0; i < lab->runs.count; i++) {
        const struct bt_taskrun *run = lab->runs.items[i];
        bool is_bad = run->state == BT_FAILED || run->state == BT_KILLED;
        if (run->task == task && run->parent == parent && is_bad)
            ns[(*ret_count)++] = run->n;
    }
    *ret_ns = ns;
    return BT_OK;
}

static inline int lab_view_values(void *data, uint32_t n, struct bt_value **ret_list)
{
    struct lab *lab = data;
    if (!lab_knows(lab, BT_NEED_VALUES, n, 0))
        return BT_NEED;
    for (size_t i = 0; i < lab->values.count; i++) {
        if (lab->values.items[i].n != n)
            continue;
        *ret_list = lab->values.items[i].list;
        return BT_OK;
    }
    return BT_NOT_FOUND;
}

static inline int lab_view_add(void *data, struct bt_taskrun *run)
{
    struct lab *lab = data;
    assert_int_equal(run->n, lab->runs.count + 1);
    bt_vec_push(&lab->runs, run);
    return BT_OK;
}

static inline void lab_view_changed(void *data, struct bt_taskrun *run)
{
    struct lab *lab = data;
    (void)run;
    lab->changes++;
}

/* --- Effects -----------------------------------------------------------------------------------
 */

static inline void lab_send(struct lab *lab, struct bt_event event)
{
    bt_vec_push(&lab->queue, event);
}

static inline void lab_clear_timer(struct lab *lab, uint32_t taskrun, enum bt_timer_kind kind)
{
    size_t kept = 0;
    for (size_t i = 0; i < lab->timers.count; i++) {
        struct lab_timer timer = lab->timers.items[i];
        if (timer.taskrun != taskrun || timer.kind != kind)
            lab->timers.items[kept++] = timer;
    }
    lab->timers.count = kept;
}

static inline void lab_kill_timers(struct lab *lab)
{
    for (size_t i = 0; i < lab->timers.count; i++)
        if (lab->timers.items[i].taskrun)
            lab_send(lab, (struct bt_event){.kind = BT_EVENT_TIMER_KILLED,
                                            .taskrun = lab->timers.items[i].taskrun,
                                            .timer = lab->timers.items[i].kind});
    lab->timers.count = 0;
}

static inline void lab_release(struct lab *lab, bool resumes)
{
    size_t kept = 0;
    for (size_t i = 0; i < lab->timers.count; i++) {
        struct lab_timer timer = lab->timers.items[i];
        if (timer.kind == BT_TIMER_HELD)
            lab_send(lab, (struct bt_event){.kind = BT_EVENT_START, .taskrun = timer.taskrun});
        else if (resumes && timer.kind == BT_TIMER_PAUSE)
            lab_send(lab, (struct bt_event){.kind = BT_EVENT_RESUME, .taskrun = timer.taskrun});
        else
            lab->timers.items[kept++] = timer;
    }
    lab->timers.count = kept;
}

/* They stay in the list by number but are nobody's children. */
static inline void lab_drop_runs(struct lab *lab, uint32_t n, bool is_side)
{
    for (size_t i = 0; i < lab->runs.count; i++) {
        struct bt_taskrun *run = lab->runs.items[i];
        if (run->parent != n)
            continue;
        enum bt_branch branch = lab->flow->tasks[run->task].branch;
        if (is_side && branch != BT_BRANCH_ERRORS && branch < BT_BRANCH_FINALLY)
            continue;
        assert_true(bt_state_is_ended(run->state));
        run->parent = run->task = UINT32_MAX;
        lab_drop_runs(lab, run->n, false);
    }
}

static inline void lab_apply(struct lab *lab, struct bt_effect *effect)
{
    switch (effect->kind) {
    case BT_EFFECT_EVENT:
        lab_send(lab, effect->event);
        effect->event = (struct bt_event){0};
        break;
    case BT_EFFECT_SUBMIT:
        bt_vec_push(&lab->jobs, ((struct lab_job){effect->taskrun, effect->token,
                                                  effect->timeout_us, BT_TAKE(effect->value),
                                                  BT_TAKE(effect->templates), effect->as_of}));
        break;
    case BT_EFFECT_SPACE:
        bt_vec_push(&lab->spaces,
                    ((struct lab_space){effect->taskrun, effect->token, BT_TAKE(effect->value)}));
        break;
    case BT_EFFECT_CHILD:
        bt_vec_push(&lab->spaces,
                    ((struct lab_space){effect->taskrun, effect->token, BT_TAKE(effect->value)}));
        break;
    case BT_EFFECT_CASCADE: lab->cascades++; break;
    case BT_EFFECT_PLACE_FREE: lab->places_freed++; break;
    case BT_EFFECT_SLOT_ASK: lab->slot_asks++; break;
    case BT_EFFECT_SLOT_TAKE: lab->slot_takes++; break;
    case BT_EFFECT_KILL_JOBS: lab->kills++; break;
    case BT_EFFECT_KILL_TIMERS: lab_kill_timers(lab); break;
    case BT_EFFECT_TIMER_SET:
        lab_clear_timer(lab, effect->taskrun, effect->timer);
        bt_vec_push(&lab->timers,
                    ((struct lab_timer){effect->taskrun, effect->timer, effect->due_us}));
        break;
    case BT_EFFECT_RELEASE: lab_release(lab, effect->token); break;
    case BT_EFFECT_DROP_RUNS: lab_drop_runs(lab, effect->taskrun, effect->token); break;
    case BT_EFFECT_TIMER_CLEAR: lab_clear_timer(lab, effect->taskrun, effect->timer); break;
    case BT_EFFECT_LOG:
        bt_vec_push(&lab->logs,
                    ((struct lab_log){effect->taskrun, effect->level, BT_TAKE(effect->value)}));
        break;
    case BT_EFFECT_VALUES:
        bt_vec_push(&lab->values, ((struct lab_values){effect->taskrun, BT_TAKE(effect->value)}));
        break;
    case BT_EFFECT_ENDED: lab->ended++; break;
    case BT_EFFECT_DRAINED: lab->drained++; break;
    }
    bt_effect_done(effect);
}

static inline void lab_apply_all(struct lab *lab)
{
    for (size_t i = 0; i < lab->step.effect_count; i++)
        lab_apply(lab, &lab->step.effects[i]);
    lab->step.effect_count = 0;
    lab->exec->is_dirty = false;
    for (size_t i = 0; i < lab->runs.count; i++)
        lab->runs.items[i]->is_dirty = false;
}

static inline void lab_known_clear(struct lab *lab)
{
    lab->known.count = 0;
    for (size_t i = 0; i < lab->lists.count; i++)
        free(lab->lists.items[i]);
    lab->lists.count = 0;
}

/* One event; its result is kept in lab->rc. Borrows the event. */
static inline int lab_step(struct lab *lab, struct bt_event event)
{
    lab->step.exec = lab->exec;
    lab->step.flow = lab->flow;
    lab->step.env.now_us = lab->now_us;
    lab_known_clear(lab);
    for (int tries = 0; tries < 10000; tries++) {
        size_t changes = lab->changes, effects = lab->step.effect_count, runs = lab->runs.count;
        lab->rc = bt_execution_step(&lab->step, &event, &lab->err);
        if (lab->rc != BT_NEED)
            break;
        assert_int_equal(lab->changes, changes); /* Nothing was changed before the NEED. */
        assert_int_equal(lab->step.effect_count, effects);
        assert_int_equal(lab->runs.count, runs);
        lab->needs++;
        struct bt_need need = lab->step.need;
        need.value = NULL; /* lab_knows() does not look at it. */
        bt_vec_push(&lab->known, need);
    }
    if (lab->rc < 0)
        bt_execution_fail(&lab->step, &event, &lab->err);
    lab_apply_all(lab);
    return lab->rc;
}

/* Steps until nothing is left. Every step must succeed. */
static inline void lab_settle(struct lab *lab)
{
    for (int i = 0; lab->queue_head < lab->queue.count; i++) {
        assert_true(i < LAB_STEPS_MAX);
        struct bt_event event = lab->queue.items[lab->queue_head++];
        int rc = lab_step(lab, event);
        bt_event_done(&event);
        if (rc < 0)
            fail_msg("step: %s", lab->err.msg);
    }
}

/* --- Opening -----------------------------------------------------------------------------------
 */

static inline void lab_open(struct lab *lab, const char *source)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    *lab = (struct lab){.now_us = LAB_START_US};
    if (bt_flow_parse(bt_str_of(source), &lab->flow, &diags) < 0)
        fail_msg("%s", diags.count ? diags.items[0].msg : "no diagnostic");
    bt_diags_done(&diags);
    lab->exec = bt_exec_new();
    assert_non_null(lab->exec);
    (void)snprintf(lab->exec->tenant, sizeof lab->exec->tenant, "main");
    (void)snprintf(lab->exec->namespace, sizeof lab->exec->namespace, "%s", lab->flow->namespace);
    (void)snprintf(lab->exec->flow_id, sizeof lab->exec->flow_id, "%s", lab->flow->id);
    lab->exec->key = 1;
    lab->exec->id = bt_id_make(1, 2, 3);
    lab->exec->revision = 1;
    lab->exec->next_n = 1;
    lab->exec->attempt_number = 1;
    lab->exec->group.list = BT_NO_TASK;
    assert_int_equal(bt_histories_add(&lab->exec->histories, lab->now_us, BT_CREATED), BT_OK);
    bt_step_init(&lab->step);
    lab->step.env.rng.state = 7;
    lab->step.view = (struct bt_view){.data = lab,
                                      .taskrun = lab_view_taskrun,
                                      .find = lab_view_find,
                                      .list = lab_view_list,
                                      .bad = lab_view_bad,
                                      .values = lab_view_values,
                                      .add = lab_view_add,
                                      .changed = lab_view_changed};
}

static inline void lab_done(struct lab *lab)
{
    for (size_t i = 0; i < lab->runs.count; i++)
        bt_taskrun_free(lab->runs.items[i]);
    for (size_t i = 0; i < lab->values.count; i++)
        bt_value_unref(lab->values.items[i].list);
    for (size_t i = 0; i < lab->jobs.count; i++) {
        bt_value_unref(lab->jobs.items[i].variables);
        bt_value_unref(lab->jobs.items[i].templates);
    }
    for (size_t i = 0; i < lab->spaces.count; i++)
        bt_value_unref(lab->spaces.items[i].request);
    bt_vec_done(&lab->spaces);
    for (size_t i = 0; i < lab->logs.count; i++)
        bt_value_unref(lab->logs.items[i].text);
    for (size_t i = lab->queue_head; i < lab->queue.count; i++)
        bt_event_done(&lab->queue.items[i]);
    bt_step_done(&lab->step);
    bt_exec_free(lab->exec);
    bt_flow_unref(lab->flow);
    bt_vec_done(&lab->runs);
    bt_vec_done(&lab->values);
    bt_vec_done(&lab->queue);
    bt_vec_done(&lab->timers);
    bt_vec_done(&lab->jobs);
    bt_vec_done(&lab->logs);
    lab_known_clear(lab);
    bt_vec_done(&lab->known);
    bt_vec_done(&lab->lists);
}

static inline void lab_begin(struct lab *lab)
{
    lab_send(lab, (struct bt_event){.kind = BT_EVENT_BEGIN});
    lab_settle(lab);
}

/* Opens, begins and settles. */
static inline void lab_start(struct lab *lab, const char *source)
{
    lab_open(lab, source);
    lab_begin(lab);
}

/* --- What happens ------------------------------------------------------------------------------
 */

static inline void lab_kill(struct lab *lab)
{
    lab_send(lab, (struct bt_event){.kind = BT_EVENT_KILL});
    lab_settle(lab);
}

/* Takes the oldest job away without a word. */
static inline struct lab_job lab_take_job(struct lab *lab)
{
    assert_true(lab->jobs.count > 0);
    struct lab_job job = lab->jobs.items[0];
    bt_value_unref(job.variables);
    bt_value_unref(job.templates);
    job.variables = job.templates = NULL;
    lab->jobs.count--;
    memmove(lab->jobs.items, lab->jobs.items + 1, lab->jobs.count * sizeof job);
    return job;
}

static inline void lab_started(struct lab *lab, struct lab_job job)
{
    lab_send(lab, (struct bt_event){.kind = BT_EVENT_STARTED,
                                    .taskrun = job.taskrun,
                                    .token = job.token,
                                    .at_us = lab->now_us});
    lab_settle(lab);
}

static inline void lab_result(struct lab *lab, struct lab_job job, enum bt_state state)
{
    lab_send(lab, (struct bt_event){.kind = BT_EVENT_RESULT,
                                    .taskrun = job.taskrun,
                                    .token = job.token,
                                    .state = state,
                                    .at_us = lab->now_us,
                                    .end_us = lab->now_us});
    lab_settle(lab);
}

/* The oldest job begins and ends so. */
static inline void lab_finish_job(struct lab *lab, enum bt_state state)
{
    struct lab_job job = lab_take_job(lab);
    lab_started(lab, job);
    lab_result(lab, job, state);
}

static inline void lab_lost(struct lab *lab, struct lab_job job)
{
    lab_send(lab,
             (struct bt_event){.kind = BT_EVENT_LOST, .taskrun = job.taskrun, .token = job.token});
    lab_settle(lab);
}

/* Lets the earliest timer come due; its time becomes now. */
static inline void lab_fire(struct lab *lab)
{
    assert_true(lab->timers.count > 0);
    size_t first = 0;
    for (size_t i = 1; i < lab->timers.count; i++)
        if (lab->timers.items[i].due_us < lab->timers.items[first].due_us)
            first = i;
    struct lab_timer timer = lab->timers.items[first];
    lab_clear_timer(lab, timer.taskrun, timer.kind);
    if (timer.due_us > lab->now_us)
        lab->now_us = timer.due_us;
    lab_send(lab, (struct bt_event){
                      .kind = BT_EVENT_TIMER, .taskrun = timer.taskrun, .timer = timer.kind});
    lab_settle(lab);
}

/* --- Looking -----------------------------------------------------------------------------------
 */

/* The newest run of a task, with this value when not NULL; NULL when there is none. */
static inline struct bt_taskrun *lab_find(struct lab *lab, const char *id, const char *value)
{
    for (size_t i = lab->runs.count; i-- > 0;) {
        struct bt_taskrun *run = lab->runs.items[i];
        if (strcmp(lab->flow->tasks[run->task].id, id) == 0 &&
            (!value || bt_str_is(bt_value_str(run->value), value)))
            return run;
    }
    return NULL;
}

static inline struct bt_taskrun *lab_run(struct lab *lab, const char *id)
{
    struct bt_taskrun *run = lab_find(lab, id, NULL);
    if (!run)
        fail_msg("no run of '%s'", id);
    return run;
}

static inline void lab_check_state(struct lab *lab, const char *id, enum bt_state state)
{
    struct bt_taskrun *run = lab_find(lab, id, NULL);
    const char *got = run ? bt_state_name(run->state) : "absent";
    if (!run || run->state != state)
        fail_msg("'%s' is %s, not %s", id, got, bt_state_name(state));
}

static inline struct bt_str lab_output(struct lab *lab, const char *id, const char *key)
{
    return bt_map_str(lab_run(lab, id)->outputs, key);
}

static inline bool lab_has_log(struct lab *lab, const char *part)
{
    for (size_t i = 0; i < lab->logs.count; i++)
        if (bt_str_find(bt_value_str(lab->logs.items[i].text), bt_str_of(part), 0) >= 0)
            return true;
    return false;
}

/* The execution has ended so, once, and nothing of it is left. */
static inline void lab_check_end(struct lab *lab, enum bt_state state)
{
    if (lab->exec->state != state)
        fail_msg("the execution is %s, not %s", bt_state_name(lab->exec->state),
                 bt_state_name(state));
    assert_true(lab->exec->is_drained);
    assert_int_equal(lab->exec->live, 0);
    /* At most once for each time that it was started. */
    assert_true(lab->ended >= 1 && lab->ended <= lab->exec->attempt_number);
    assert_true(lab->drained >= 1 && lab->drained <= lab->ended);
    assert_int_equal(lab->timers.count, 0);
    for (size_t i = 0; i < lab->runs.count; i++) {
        assert_true(bt_state_is_ended(lab->runs.items[i]->state));
        assert_int_equal(lab->runs.items[i]->token, 0);
    }
}

/* All states a history went through, as "CREATED RUNNING SUCCESS". */
static inline void lab_check_histories(const struct bt_histories *histories, const char *want)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4096);
    for (uint32_t i = 0; i < histories->count; i++)
        (void)bt_buf_addf(&text, "%s%s", i ? " " : "",
                          bt_state_name(bt_histories_at(histories, i)->state));
    assert_string_equal(bt_buf_cstr(&text), want);
}
