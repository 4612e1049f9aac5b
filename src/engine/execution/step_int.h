/* step_int.h — What the files of this room share. Private to src/engine/execution. */
#pragma once
#include "engine/execution/step.h"

/* --- step.c: rows and effects ----------------------------------------------------------------- */

/* A row, or BT_NEED with step->need filled. Only before the first change. */
int step_run(struct bt_step *step, uint32_t n, struct bt_taskrun **ret_run);
/* The group of a run (0: the execution's), with its run in *ret_run (NULL for 0). */
int step_group(struct bt_step *step, uint32_t n, struct bt_group **ret_group,
               struct bt_taskrun **ret_run);
/* The runs of a task under a parent that ended badly. */
int step_bad(struct bt_step *step, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
             size_t *ret_count);
/* Marks a row (NULL: the header) as changed; from here on no BT_NEED may happen. */
void step_changed(struct bt_step *step, struct bt_taskrun *run);
/* A new effect, zeroed but for its kind; never NULL (aborts the program without memory, which loses
 * nothing: the batch is not committed). */
struct bt_effect *step_effect(struct bt_step *step, enum bt_effect_kind kind);
void step_event(struct bt_step *step, enum bt_event_kind kind, uint32_t taskrun, uint32_t child);
void step_log(struct bt_step *step, const struct bt_taskrun *run, enum bt_level level,
              const char *format, ...) __attribute__((format(printf, 4, 5)));
void step_log_value(struct bt_step *step, const struct bt_taskrun *run, enum bt_level level,
                    struct bt_value *text);

static inline const struct bt_task *step_task(const struct bt_step *step,
                                              const struct bt_taskrun *run)
{
    return &step->flow->tasks[run->task];
}

/* Whether new task runs may be made at all. */
static inline bool step_is_going(const struct bt_step *step)
{
    return !step->exec->is_killing && !bt_state_is_ended(step->exec->state);
}

/* The same for what is of a task (NULL: of none): what comes after the end goes on then. */
static inline bool step_is_going_for(const struct bt_step *step, const struct bt_task *task)
{
    return (task && task->is_after) || step_is_going(step);
}

static inline bool run_is_going(const struct bt_step *step, const struct bt_taskrun *run)
{
    return step_is_going_for(step, step_task(step, run));
}

/* --- lifecycle.c ------------------------------------------------------------------------------ */

void run_move(struct bt_step *step, struct bt_taskrun *run, enum bt_state state);
void exec_move(struct bt_step *step, enum bt_state state);
/* An execution that goes on is PAUSED, RETRYING or RUNNING, as its task runs are. */
void exec_settle(struct bt_step *step);
/* Makes a task run in state CREATED and sends it START. `parent` NULL: of the execution. */
void run_create(struct bt_step *step, uint32_t task, const struct bt_taskrun *parent, uint32_t lane,
                struct bt_value *value);
/* Ends a task run for good (allowFailure and allowWarning applied) and tells its group. */
void run_end(struct bt_step *step, struct bt_taskrun *run, enum bt_state state);
int on_start(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
/* What a START does; again when a worker has rendered what it needs. */
int run_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);

/* --- attempts.c ------------------------------------------------------------------------------- */

/* From here on the run is RUNNING with a live attempt. */
void attempt_open(struct bt_step *step, struct bt_taskrun *run);
/* Begins an attempt that is a request (borrowed) to another actor, by an effect of this kind. With
 * a failure the request could not be made: the attempt fails, saying so. */
void attempt_ask(struct bt_step *step, struct bt_taskrun *run, enum bt_effect_kind kind,
                 struct bt_value *request, const struct bt_err *failure);
/* Ends the live attempt: retries, or ends the task run. `outputs` is taken. */
void attempt_end(struct bt_step *step, struct bt_taskrun *run, enum bt_state state);
/* Gives out a job for the run under a new token. Reads first. */
int job_submit(struct bt_step *step, struct bt_taskrun *run, int64_t timeout_us,
               struct bt_err *err);
int attempt_submit(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
/* A token of an attempt or an evaluation: never 0, fits a signed column. */
uint64_t new_token(struct bt_step *step);
int on_started(struct bt_step *step, const struct bt_event *event);
int on_result(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
int on_lost(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
int on_timer(struct bt_step *step, const struct bt_event *event);
int on_timer_killed(struct bt_step *step, const struct bt_event *event);

/* --- retry.c ---------------------------------------------------------------------------------- */

/* When the next attempt may start, or -1 when none is left. Pure. */
int64_t retry_next_us(const struct bt_retry *retry, const struct bt_taskrun *run, int64_t end_us,
                      struct bt_rng *rng);
/* The retry that holds for a task: its own, the nearest enclosing flowable's, the flow's. */
const struct bt_retry *retry_of(const struct bt_flow *flow, const struct bt_task *task);

/* --- lanes.c ---------------------------------------------------------------------------------- */

int on_open(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
int on_next(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
/* What the children of a run say of its end. */
enum bt_state run_group_state(struct bt_step *step, struct bt_taskrun *run);
/* A LoopUntil has made its last pass: it runs its finally, then ends. */
void loop_over(struct bt_step *step, struct bt_taskrun *run, bool has_failed);

/* --- after.c, condition.c --------------------------------------------------------------------- */

/* The execution has ended: takes up what runs then. */
void after_begin(struct bt_step *step);
void after_next(struct bt_step *step); /* One list is done. */
bool after_is_over(const struct bt_step *step);
int on_after(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
/* Whether all hold; one that cannot be decided does not, and is told. BT_NEED. */
int conditions_hold(struct bt_step *step, const struct bt_value *conditions, bool *ret_holds,
                    struct bt_err *err);
/* The lists of a group's task, or the flow's for run NULL. */
const struct bt_task_list *group_lists(const struct bt_step *step, const struct bt_taskrun *run,
                                       uint32_t *ret_count);

/* --- Flowables: what a START of each does (flow_*.c) ------------------------------------------ */

/* Prepares run->group (list and lanes) and outputs. Reads first, changes last. On BT_INVALID the
 * run fails with err's message. */
int flowable_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
/* Takes the list of a branch as the main one: in one lane, or is_wide in a lane a task. */
int start_list(struct bt_step *step, struct bt_taskrun *run, enum bt_branch branch, bool is_wide);
int if_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
int switch_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
int each_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
int dag_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
/* The place of a child that may start now and is then marked as made, or BT_NO_TASK. */
uint32_t dag_take(struct bt_step *step, struct bt_taskrun *run);
void dag_ended(struct bt_taskrun *run, uint32_t place);
void dag_again(struct bt_taskrun *run, uint32_t place); /* It has been made but not ended. */
int pause_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
void pause_timer(struct bt_step *step, struct bt_taskrun *run, enum bt_timer_kind kind);
int on_hold(struct bt_step *step);
int on_resume(struct bt_step *step, const struct bt_event *event);
int loop_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
void loop_timer(struct bt_step *step, struct bt_taskrun *run);
/* Again, or the end: also what follows when a worker has rendered the condition. */
int loop_decide(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
int on_loop(struct bt_step *step, const struct bt_event *event, struct bt_err *err);

/* --- pure.c ----------------------------------------------------------------------------------- */

/* Runs a pure task. BT_OK: done with *ret_state; BT_NEED; other: the run fails with err's message.
 */
int pure_run(struct bt_step *step, struct bt_taskrun *run, enum bt_state *ret_state,
             struct bt_err *err);

/* One label, checked, into a map. */
int put_label(struct bt_value *labels, struct bt_str key, const struct bt_value *value,
              struct bt_err *err);

/* --- space_task.c ----------------------------------------------------------------------------- */

/* Sends what a task wants of its namespace to that actor. */
int space_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);

/* --- flow_place.c ----------------------------------------------------------------------------- */

int place_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
/* The place that a job of the run is of. BT_NEED. */
int place_of(struct bt_step *step, const struct bt_taskrun *run, struct bt_place *ret_place);
/* Whether a task is a job within a WorkingDirectory. */
bool task_is_in_place(const struct bt_flow *flow, const struct bt_task *task);
void place_release(struct bt_step *step, struct bt_taskrun *run);
int place_result(struct bt_step *step, struct bt_taskrun *run, const struct bt_event *event);
int on_close_place(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
/* The worker of the place is gone. */
int place_lost(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
int place_child_lost(struct bt_step *step, struct bt_taskrun *child, struct bt_err *err);

/* --- restart.c -------------------------------------------------------------------------------- */

/* Notes that the lane of a child that ended well cannot go on, so that a restart finds it. */
void lane_cut(struct bt_step *step, struct bt_taskrun *group_run, const struct bt_taskrun *child);
/* Reads what lanes_again() changes. */
int lanes_read(struct bt_step *step, struct bt_taskrun *run, uint32_t limit);
/* Lanes that were cut go on, and those that ended badly anew, as many as may be open. */
void lanes_again(struct bt_step *step, struct bt_taskrun *run, uint32_t limit);
int on_restart(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
int on_restart_group(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
int on_change(struct bt_step *step, const struct bt_event *event);
int on_replay(struct bt_step *step, const struct bt_event *event);
int on_status(struct bt_step *step, const struct bt_event *event);

/* --- child_task.c ----------------------------------------------------------------------------- */

int subflow_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
int on_child(struct bt_step *step, const struct bt_event *event);
/* What the end of its subflow means for a run. */
enum bt_state child_state(const struct bt_taskrun *run, enum bt_state state);

/* --- evaluate.c ------------------------------------------------------------------------------- */

/* Something that only a worker can render was reached: BT_NEED, of kind BT_NEED_WORKER. */
int need_worker(struct bt_step *step, struct bt_err *err);
static inline bool is_for_worker(const struct bt_step *step, int rc)
{
    return rc == BT_NEED && step->need.kind == BT_NEED_WORKER;
}
/* Gives out an evaluate job with all that the start of the run renders, or the outputs. */
int evaluate_start(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
int evaluate_outputs(struct bt_step *step, struct bt_err *err);
/* The words about an evaluation of a run, or (run NULL) of the outputs. */
int on_evaluated(struct bt_step *step, struct bt_taskrun *run, const struct bt_event *event,
                 struct bt_err *err);
int on_evaluation_lost(struct bt_step *step, struct bt_taskrun *run, struct bt_err *err);
/* What a worker has rendered under `key`: BT_NOT_FOUND when nothing is there. */
int evaluated_get(struct bt_step *step, const char *key, struct bt_value **ret_value,
                  struct bt_err *err);

/* --- scope.c, outputs.c ----------------------------------------------------------------------- */

/* The expression scope of a task run (NULL: of the execution). Valid while both live unchanged. */
struct step_scope {
    struct bt_scope scope;
    struct bt_capabilities asks;
    struct bt_step *step;
    const struct bt_taskrun *run;
};
void step_scope_init(struct step_scope *scope, struct bt_step *step, const struct bt_taskrun *run);
/* What is to be rendered. */
struct step_prop {
    const struct bt_taskrun *run; /* NULL: of the execution. */
    const char *key;              /* Under which a worker's result would stand. */
    const struct bt_dyn *dyn;
};
/* Renders what the engine itself may, else asks for a worker. */
int step_render_prop(struct bt_step *step, struct step_prop prop, struct bt_value **ret_value,
                     struct bt_err *err);
/* The same; a property that is one expression keeps the kind of its value. */
int step_render_typed(struct bt_step *step, struct step_prop prop, struct bt_value **ret_value,
                      struct bt_err *err);
int step_render_bool(struct bt_step *step, struct step_prop prop, bool *ret_is_true,
                     struct bt_err *err);
/* Without `dyn` 0. */
int step_render_duration(struct bt_step *step, struct step_prop prop, int64_t *ret_us,
                         struct bt_err *err);
/* BT_DENIED when the value holds a secret. */
int refuse_sealed(const struct bt_value *value, const char *what, struct bt_err *err);
/* Renders a property; *ret_value NULL when the task does not have it. */
int step_render(struct bt_step *step, const struct bt_taskrun *run, const char *name,
                struct bt_value **ret_value, struct bt_err *err);
/* The lazy `outputs` and `tasks` objects. */
int outputs_root(struct step_scope *scope, bool is_states, struct bt_value **ret_value);
/* Outputs of a run, borrowed; NULL: it has none. BT_NEED when they have to be fetched. */
int step_outputs(struct bt_step *step, const struct bt_taskrun *run, struct bt_value **ret_outputs);
/* The variables that a worker can reach by these paths, as one map. Sorts them. When those are more
 * outputs than of single runs, all outputs are left out and *ret_as_of says which the worker may
 * fetch. */
int scope_pick(struct step_scope *scope, struct bt_paths *paths, struct bt_value **ret_map,
               struct bt_as_of *ret_as_of, struct bt_err *err);

/* --- finish.c --------------------------------------------------------------------------------- */

int on_begin(struct bt_step *step, struct bt_err *err);
int on_slot(struct bt_step *step, const struct bt_event *event, struct bt_err *err);
int on_force(struct bt_step *step, struct bt_err *err);
/* `failure` NULL: ends KILLED; else a log line, and it ends FAILED. */
int on_kill(struct bt_step *step, const char *failure);
/* Stops all of it: it ends as `state` (KILLED, FAILED, CANCELLED), for `why` (logged) or NULL. */
void exec_stop(struct bt_step *step, enum bt_state state, const char *why);
int on_timeout(struct bt_step *step);
int on_finish(struct bt_step *step, struct bt_err *err);
/* The end: also what follows when a worker has rendered the outputs. */
int exec_finish(struct bt_step *step, struct bt_err *err);
/* Says DRAINED when the execution has ended and nothing lives. */
void exec_check_drained(struct bt_step *step);
