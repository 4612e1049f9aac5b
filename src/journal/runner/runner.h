/* runner.h — The partition runner: takes events in batches, steps actors to a fixpoint, commits
 * once.
 *
 * One thread owns all mutable state; others send it messages through a bounded inbox. Nothing is
 * acknowledged and no job is given out before the commit that holds it. A turn is one batch;
 * tests and the simulator call bt_runner_turn() themselves instead of starting the thread. */
#pragma once
#include "engine/job.h"
#include "files/files.h"
#include "journal/journal.h"
#include "sys/clock.h"

struct bt_runner; /* Opaque. */

/* Where jobs go. Called by the runner's thread after the commit. */
struct bt_dispatcher {
    void *data;
    void (*submit)(void *data, struct bt_job *job); /* Takes the job. */
    void (*kill)(void *data, uint64_t token);
    /* At recover: a job that an earlier process had given out and whose worker may still live. The
     * dispatcher finds out, and says bt_runner_lost() when it does not. NULL: it is lost. */
    void (*orphan)(void *orphan_data, const struct bt_job_row *row, uint32_t attempt);
    void *orphan_data;
    /* The directory of this place is not wanted any more (its execution was killed): it is removed,
     * nothing is answered. Unknown ones are ignored. */
    void (*release)(void *data, uint64_t place);
};

/* A committed change. Everything is borrowed for the time of the call. */
enum bt_change_kind { BT_CHANGE_EXEC, BT_CHANGE_RUN, BT_CHANGE_LOG };
struct bt_change {
    enum bt_change_kind kind;
    const struct bt_exec *exec;
    const struct bt_flow *flow;
    const struct bt_taskrun *run;   /* RUN; LOG of a task run when it is in memory. */
    const struct bt_log_entry *log; /* LOG */
    bool is_gone;                   /* EXEC: it was removed. */
};
struct bt_listener {
    void *data;
    /* After each commit, in the runner's thread. */
    void (*changes)(void *data, const struct bt_change *changes, size_t count);
    /* A commit failed; it is tried again. May be NULL. */
    void (*trouble)(void *data, const struct bt_err *err);
};

struct bt_runner_config {
    struct bt_journal *journal; /* Borrowed. */
    struct bt_logs *logs;       /* Borrowed; NULL: log lines only go to the listener. */
    struct bt_files *files;     /* Borrowed, for large outputs; NULL: they stay in their rows. */
    const struct bt_clock *clock;
    uint64_t seed; /* Of ids, tokens and random delays. */
    struct bt_dispatcher dispatcher;
    struct bt_listener listener;           /* changes may be NULL. */
    const struct bt_value *envs, *globals; /* For expressions; borrowed; may be NULL. */
    const char *zone;                      /* Default time zone, or NULL. */
    size_t rows_max; /* Task runs kept in memory between batches; 0 = a default. */
};

int bt_runner_new(const struct bt_runner_config *config, struct bt_runner **ret_runner,
                  struct bt_err *err);
struct bt_runner *bt_runner_free(struct bt_runner *runner); /* Stops the thread; accepts NULL. */
/* Takes up what was on its way when the last process ended. Once, before the first turn. */
int bt_runner_recover(struct bt_runner *runner, struct bt_err *err);
/* One batch. True when something was done; *ret_wake_us (wall time): when to come again if nothing
 * arrives before (INT64_MAX: never). */
bool bt_runner_turn(struct bt_runner *runner, int64_t *ret_wake_us);
int bt_runner_start(struct bt_runner *runner, struct bt_err *err); /* The thread. */

/* --- From any thread -------------------------------------------------------------------------- */

/* An answer that the sender may wait for. Lives until done. */
struct bt_reply;
struct bt_reply *bt_reply_new(void); /* Owned by the sender; NULL without memory. */
struct bt_reply *bt_reply_free(struct bt_reply *reply);
bool bt_reply_is_done(struct bt_reply *reply);
/* Blocks until the message is committed or refused; gives its result. */
int bt_reply_wait(struct bt_reply *reply, struct bt_err *err);
uint64_t bt_reply_number(struct bt_reply *reply); /* A key or a revision, after success. */

enum bt_put {
    BT_PUT_ANY,
    BT_PUT_NEW,     /* BT_EXISTS when there is one already. */
    BT_PUT_OLD,     /* BT_NOT_FOUND when there is none. */
    BT_PUT_DELETED, /* The same, and from then on there is none. */
};
/* Stores a flow: a new revision, or the current one when the source is equal. Takes no reference.
 * The reply's number is the revision. `reply` may be NULL. */
int bt_runner_put_flow(struct bt_runner *runner, const char *tenant, const struct bt_flow *flow,
                       enum bt_put put, struct bt_reply *reply);
/* Creates an execution (taken: tenant, namespace, flow id, revision, labels, inputs, trigger are
 * set; the runner gives key, id (unless set), state). The reply's number is its key. */
int bt_runner_create(struct bt_runner *runner, struct bt_exec *exec, struct bt_reply *reply);
/* A request to a namespace's actor (engine/namespace/namespace.h; taken). The reply's number is
 * what the actor says: the revision of a put, how many a delete or purge removed. */
int bt_runner_space(struct bt_runner *runner, const char *tenant, const char *namespace,
                    struct bt_value *request, struct bt_reply *reply);
/* Sends an event (taken) to an execution. One that is not fit for its state does nothing. */
int bt_runner_event(struct bt_runner *runner, uint64_t key, struct bt_event event,
                    struct bt_reply *reply);
/* Restarts by key what has ended or is paused. Else nothing happens. */
int bt_runner_restart(struct bt_runner *runner, uint64_t key, struct bt_reply *reply);
/* Makes a new execution of an ended one (the reply's number is its key): from its beginning, or
 * from a task run on, with what lies before it kept. */
struct bt_replay {
    uint64_t source;
    struct bt_id id;         /* Of the new one; empty: the runner gives it. */
    uint32_t n;              /* Of the task run; 0: from the beginning. */
    uint32_t revision;       /* Of the flow; 0: the same. */
    struct bt_value *inputs; /* Other inputs (map, resolved; taken), or NULL. */
};
int bt_runner_replay(struct bt_runner *runner, const struct bt_replay *replay,
                     struct bt_reply *reply);
/* Changes the state of a task run (n 0: of the execution) of what has ended. */
int bt_runner_change(struct bt_runner *runner, uint64_t key, uint32_t n, enum bt_state state,
                     struct bt_reply *reply);
/* Kills by key. Unknown or ended: nothing happens. */
int bt_runner_kill(struct bt_runner *runner, uint64_t key, struct bt_reply *reply);
/* Merges labels (map of texts, taken) into those of an execution that has ended: BT_CONFLICT for
 * another, BT_NOT_FOUND. */
int bt_runner_label(struct bt_runner *runner, uint64_t key, struct bt_value *labels,
                    struct bt_reply *reply);
/* Removes an execution that has ended and drained (else BT_CONFLICT), with all its rows. */
int bt_runner_drop(struct bt_runner *runner, uint64_t key, struct bt_reply *reply);
/* The same with its log lines alone. */
int bt_runner_drop_logs(struct bt_runner *runner, uint64_t key, struct bt_reply *reply);
/* What workers report; the shape of struct bt_worker_sink, with the runner as data. Block while the
 * inbox is full. */
void bt_runner_logs(void *runner, const struct bt_job *job, const struct bt_log_line *lines,
                    size_t count);
void bt_runner_started(void *runner, const struct bt_job *job, int64_t at_us);
void bt_runner_result(void *runner, struct bt_job_result *result);
/* The worker that had this attempt is gone: it is tried again, or fails, as its task declares. */
void bt_runner_lost(void *runner, uint64_t exec_key, uint32_t taskrun, uint64_t token);
/* Since the start; any thread. */
struct bt_runner_stats {
    uint64_t commits, failures;
    uint64_t commit_us, commit_us_max; /* Of all commits; of the longest. */
    size_t inbox_bytes;                /* Messages that wait. */
};
struct bt_runner_stats bt_runner_stats(struct bt_runner *runner);
/* State changes made so far (for measuring). Exact only between turns. */
uint64_t bt_runner_transitions(const struct bt_runner *runner);
