/* job.h — What goes to a worker and what comes back.
 *
 * A job is one attempt of one task run, or, when it has `templates`, an evaluate job: expressions
 * that the engine cannot render by itself, of a task run or (taskrun 0) of the execution's outputs.
 *
 * Templates are a list of {"k": key, "t": raw property, "as": "value" | "typed" | "bool"}, rendered
 * in order. The outputs of the result are a map by key: {"v": value} or {"e": message, "c": code}.
 * After a key "runIf" that is no {"v": true} the rest is left out. A text that holds a secret comes
 * back sealed (value/sealed.h). */
#pragma once
#include "base/level.h"
#include "model/flow.h"
#include "model/state.h"

/* A version of the outputs of an execution: what its first `ends` task runs to end have left,
 * among those numbered before next_n. next_n 0: none. */
struct bt_as_of {
    uint32_t ends, next_n;
};

struct bt_job;

/* What a job may ask for while its properties are rendered: what is at a path (a list of texts, the
 * first "outputs" or "tasks"), as bt_execution_outputs() gives it. */
struct bt_fetch_request {
    const struct bt_job *job; /* Its tenant, execution, version and time count. */
    const struct bt_value *path;
    bool is_whole;
};
/* Any thread; may block. */
struct bt_fetcher {
    void *data;
    int (*fetch)(void *data, const struct bt_fetch_request *request, struct bt_value **ret_value,
                 struct bt_err *err);
};

/* The directory of a WorkingDirectory task, on one worker, which several jobs use. An OPEN (its
 * task is the WorkingDirectory) makes it and answers SUCCESS; the children's jobs run IN it; CLOSE
 * stores `outputFiles` and the cache and removes it, however it ends. Jobs of a place that is
 * nowhere any more are lost; the engine then begins anew under another id. */
enum bt_place_op { BT_PLACE_NONE, BT_PLACE_OPEN, BT_PLACE_IN, BT_PLACE_CLOSE };
struct bt_place {
    uint64_t id; /* Unique for ever; never 0 when there is an op. */
    enum bt_place_op op;
    bool saves_cache; /* CLOSE: all children have succeeded. */
};

struct bt_job {
    uint64_t exec_key; /* The execution's internal key. */
    uint32_t taskrun;  /* The task run's number within it. */
    uint32_t attempt;  /* 1-based. */
    uint64_t token;    /* Fencing token of this attempt; unique for ever. */
    char tenant[64];
    char exec_id[24], taskrun_id[24];
    struct bt_flow *flow;       /* Owned reference; holds the task and its compiled properties. */
    const struct bt_task *task; /* Borrowed from the flow; NULL in a job of the execution itself. */
    struct bt_value
        *variables; /* Owned map: the rendering context (only what the task can reach). */
    struct bt_value *templates; /* Owned; NULL: not an evaluate job. */
    /* Set when the expressions may reach more outputs than of single runs: `outputs` and `tasks`
     * are then not among the variables but fetched by path, as of this version. */
    struct bt_as_of as_of;
    const struct bt_fetcher *fetcher; /* Who fetches them; the worker's. */
    int64_t timeout_us;               /* 0 = none. */
    int64_t now_us;
    uint64_t seed;
    struct bt_place place; /* Of evaluate jobs it counts for nothing. */
    struct bt_job *next;   /* The worker's: its queue … */
    bool is_kill_asked;    /* … and its mark. */
};
struct bt_job *bt_job_free(struct bt_job *job); /* Accepts and returns NULL. */

struct bt_job_result {
    uint64_t exec_key;
    uint32_t taskrun;
    uint64_t token;
    enum bt_state state;          /* SUCCESS, WARNING, FAILED or KILLED. */
    struct bt_value *outputs;     /* Owned map, or NULL. */
    struct bt_value *metrics;     /* Owned list of {name, type, value, tags}, or NULL. */
    char *error;                  /* Owned text for the log, or NULL. */
    int64_t started_us, ended_us; /* Wall time. */
};
void bt_job_result_done(struct bt_job_result *result);

/* Log lines of one attempt, in order. */
struct bt_log_line {
    int64_t time_us;
    enum bt_level level;
    struct bt_str text; /* At most BT_LOG_MESSAGE_MAX bytes, valid UTF-8, no final newline. */
};

/* Where a worker reports. Called from the worker's thread; what is passed is copied or taken by the
 * callee before it returns. A sink may block for back-pressure. */
struct bt_worker_sink {
    void *data;
    void (*logs)(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                 size_t count);
    /* The attempt begins (its process is about to start). */
    void (*started)(void *data, const struct bt_job *job, int64_t at_us);
    /* Takes the result's content. Comes after all logs and files of the attempt, exactly once. */
    void (*result)(void *data, struct bt_job_result *result);
    /* A realtime trigger waits until these events are durable: answer with bt_worker_flushed(),
     * from any thread, also from here. Takes both; `state` may be NULL. NULL: no trigger can flush.
     */
    void (*events)(void *data, const struct bt_job *job, struct bt_value *events,
                   struct bt_value *state);
    /* Instead of a result: the place of the job is not here. NULL: no job has a place. */
    void (*lost)(void *data, const struct bt_job *job);
};
