/* step.h — One step of the execution actor: a pure function over rows.
 *
 * step(view, event, env) changes rows of this execution in place, marks them, and lists effects. It
 * does no I/O and knows no clock: `env` gives the time and the random numbers. A row that is not in
 * memory makes it return BT_NEED *before* anything was changed; the runner fetches `need` and calls
 * again. Cost: O(1) in the number of task runs of the execution. Not for several threads. */
#pragma once
#include "base/rng.h"
#include "engine/execution/event.h"

enum bt_need_kind {
    BT_NEED_TASKRUN, /* Row `n`. */
    BT_NEED_FIND,    /* The newest run of `task` under `parent` with `value` (may not exist). */
    BT_NEED_LIST,    /* All runs of `task` under `parent`. */
    BT_NEED_VALUES,  /* Iteration values of run `n`. */
    BT_NEED_WORKER,  /* An expression asks for the world: a worker must render it. Never leaves
                        the step. */
    BT_NEED_BAD,     /* The runs of `task` under `parent` that ended badly. */
    BT_NEED_OUTPUTS, /* The outputs of run `n`, which are in storage. */
};
struct bt_need {
    enum bt_need_kind kind;
    uint32_t n, task, parent;
    struct bt_value *value; /* Owned STRING or NULL. */
};

/* The rows of one execution. Each function gives BT_OK, BT_NOT_FOUND or BT_NEED (not in memory). */
struct bt_view {
    void *data;
    int (*taskrun)(void *data, uint32_t n, struct bt_taskrun **ret_run);
    int (*find)(void *data, uint32_t task, uint32_t parent, struct bt_str value,
                struct bt_taskrun **ret_run);
    /* Numbers of the runs of a task under a parent, in creation order; borrowed until the step
     * returns or adds a run (several lists may be in use at once). */
    int (*list)(void *data, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
                size_t *ret_count);
    /* The same for those that FAILED, were KILLED or CANCELLED. */
    int (*bad)(void *data, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
               size_t *ret_count);
    int (*values)(void *data, uint32_t n, struct bt_value **ret_list); /* Borrowed. */
    /* Takes a new run into the view. */
    int (*add)(void *data, struct bt_taskrun *run);
    /* Says that the row (NULL: the header) has changed. */
    void (*changed)(void *data, struct bt_taskrun *run);
};

struct bt_step_env {
    int64_t now_us; /* Never goes back within a partition. */
    struct bt_rng rng;
    const struct bt_value *envs, *globals; /* Maps for the expressions, or NULL. */
    const char *zone;                      /* Default time zone of expressions, or NULL for UTC. */
};

struct bt_step {
    /* Given by the runner. */
    struct bt_exec *exec;
    const struct bt_flow *flow;
    struct bt_view view;
    struct bt_step_env env;
    /* Results; the runner takes the effects' content and resets the count. */
    struct bt_effect *effects;
    size_t effect_count, effect_cap;
    struct bt_need need; /* Valid after BT_NEED. */
    /* Only to read: the outputs as they were then. next_n 0: as they are now. */
    struct bt_as_of as_of;
    /* Internal. */
    bool is_changing;
    bool is_picking;                  /* The scope is read for a worker: sealed values pass. */
    const struct bt_value *evaluated; /* What a worker has rendered; see evaluate.c. */
    uint64_t transitions;             /* State changes made since the beginning, for measuring. */
};

void bt_step_init(struct bt_step *step);
void bt_step_done(struct bt_step *step);
/* Borrows the event. BT_OK, BT_NEED, or an error that says that this
 * event cannot be stepped (then nothing was changed). */
int bt_execution_step(struct bt_step *step, const struct bt_event *event, struct bt_err *err);

/* What is at `path` (a list of keys; the first names a task) of `outputs`, or with is_states of
 * `tasks`, as of step->as_of. *ret_value NULL: there is a branch, which has to be asked for by a
 * longer path, or as a whole. BT_NEED; BT_NOT_FOUND. Changes nothing. */
struct bt_outputs_query {
    bool is_states, is_whole;
    const struct bt_value *path;
};
int bt_execution_outputs(struct bt_step *step, const struct bt_outputs_query *query,
                         struct bt_value **ret_value, struct bt_err *err);

/* Renders a template as a task run (NULL: the execution) sees it, for somebody who looks: changes
 * nothing. `asks` is what it may ask. Secrets stay sealed. BT_NEED as in a step. */
struct bt_look {
    const struct bt_taskrun *run;
    const struct bt_template *template;
    const struct bt_capabilities *asks;
};
int bt_execution_look(struct bt_step *step, const struct bt_look *look, struct bt_value **ret_text,
                      struct bt_err *err);
/* For an event that cannot be stepped (err says why, not BT_NEED): its task run fails, with a log
 * line. Where there is none (to be read), the attempts of the execution are killed, it ends FAILED,
 * and is drained at once, since what cannot be read cannot be waited for. */
void bt_execution_fail(struct bt_step *step, const struct bt_event *event,
                       const struct bt_err *err);
