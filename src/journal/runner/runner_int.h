/* runner_int.h — The runner's insides. Private to src/journal/runner. */
#pragma once
#include "base/limits.h"
#include "base/map64.h"
#include "base/vec.h"
#include "engine/execution/step.h"
#include "engine/namespace/namespace.h"
#include "journal/runner/runner.h"
#include "store/flow_cache.h"

#include <pthread.h>

/* --- Messages --------------------------------------------------------------------------------- */

enum message_kind {
    MESSAGE_FLOW,
    MESSAGE_CREATE,
    MESSAGE_EVENT,
    MESSAGE_LOGS,
    MESSAGE_SPACE,
    MESSAGE_LABEL,
    MESSAGE_DROP,
    MESSAGE_DROP_LOGS,
    MESSAGE_REPLAY,
};

struct message {
    struct message *next;
    enum message_kind kind;
    uint64_t exec_key;
    struct bt_event event;        /* EVENT */
    struct bt_exec *exec;         /* CREATE */
    char *tenant;                 /* FLOW, SPACE */
    char *namespace;              /* SPACE */
    struct bt_value *request;     /* SPACE: see engine/namespace/namespace.h. LABEL: a map. */
    struct bt_flow *flow;         /* FLOW: a reference. */
    enum bt_put put;              /* FLOW */
    struct bt_log_entry *entries; /* LOGS: one block; texts inside it. */
    size_t entry_count;
    size_t bytes;            /* Counted against the inbox's bound. */
    struct bt_reply *reply;  /* Borrowed, or NULL. */
    uint64_t number;         /* For the reply. */
    struct bt_replay replay; /* REPLAY */
};
void message_free(struct message *message);
void reply_done(struct bt_reply *reply, int rc, const struct bt_err *err, uint64_t number);

/* --- Actors ----------------------------------------------------------------------------------- */

struct queued {
    struct bt_event event;
    uint64_t stored_id; /* Id of its row in the journal; 0: only in memory. */
};

struct actor_log {
    struct bt_log_entry entry;
    struct bt_value *text; /* Keeps entry.text alive; may be NULL. */
    uint64_t place;        /* State changes made before it: its place among them. */
};

/* A look-up that found nothing in the journal. */
struct actor_absent {
    uint32_t task, parent;
    struct bt_value *value; /* Or NULL. */
};

/* The runs of a task under a parent, in creation order. */
struct actor_list {
    uint32_t task, parent;
    BT_VEC(uint32_t) ns;
};

struct actor_values {
    uint32_t n;
    struct bt_value *values;
    bool is_dirty;
};

/* Where rows come from, and outputs that are not in them. */
struct sources {
    struct bt_journal *journal;
    struct bt_files *files; /* NULL: there are none. */
};

/* What a removed task run has out that must come to its end, too. */
struct living {
    uint32_t n;
    uint64_t token;
    struct bt_id child; /* Of its subflow; empty: none. */
};

struct actor {
    uint64_t key;
    struct bt_exec *exec;
    struct bt_flow *flow;
    struct bt_map64 runs;    /* n → struct bt_taskrun; owns them. */
    struct bt_map64 by_task; /* Hash of (task, parent, value) → the newest such run in memory. */
    bool is_complete;        /* Every run of the execution is in memory. */
    BT_VEC(struct queued) queue;
    size_t queue_head; /* Events before it are done. */
    BT_VEC(struct bt_taskrun *) dirty;
    BT_VEC(uint32_t) removed;     /* Runs removed in this batch. */
    BT_VEC(struct living) living; /* Of those that the last removal met alive. */
    BT_VEC(uint32_t) loaded; /* Runs whose spilled outputs were fetched; dropped after the batch. */
    BT_VEC(struct actor_values) values;
    BT_VEC(struct actor_log) logs;
    uint64_t log_lines; /* UINT64_MAX: not asked yet. */
    bool is_exec_dirty, is_touched, is_ready;
    bool is_dropped; /* Removed in this batch. */
    bool drops_logs; /* Only its lines are. */
    /* Answers to the NEEDs of the step that runs; forgotten after it. */
    struct bt_map64 absent; /* Hash of (task, parent, value) → struct actor_absent, owned. */
    struct bt_map64 lists;  /* (task, parent) → struct actor_list, owned. */
};

struct actor *actor_new(struct bt_exec *exec, struct bt_flow *flow, bool is_complete); /* Takes. */
void actor_free(struct actor *actor);
void actor_push(struct actor *actor, struct bt_event event, uint64_t stored_id);
bool actor_has_events(const struct actor *actor);
struct queued actor_pop(struct actor *actor);
/* Takes a reference of `text`. */
void actor_log(struct actor *actor, const struct bt_log_entry *entry, struct bt_value *text,
               uint64_t place);
void actor_put_values(struct actor *actor, uint32_t n, struct bt_value *values, bool is_dirty);
/* Drops ended, clean runs. */
void actor_evict(struct actor *actor);
struct bt_view actor_view(struct actor *actor);
/* Forgets the answers to the NEEDs of a step. */
void actor_forget(struct actor *actor);
/* Fetches what a step needs. */
int actor_fetch(struct actor *actor, const struct sources *sources, const struct bt_need *need,
                struct bt_err *err);
/* Removes all runs below run `n` (0: the execution); is_side: only those of branches beside its
 * main list. */
int actor_drop_runs(struct actor *actor, const struct sources *sources, uint32_t n, bool is_side,
                    struct bt_err *err);
/* Spilled outputs leave memory. */
void actor_drop_outputs(struct actor *actor);
/* The flow of an execution, a reference: kept, or read and compiled. */
int flow_of(struct bt_flow_cache *flows, struct bt_journal *journal, const struct bt_exec *exec,
            struct bt_flow **ret_flow, struct bt_err *err);

/* spill.c */
/* Puts the outputs of an ended run into storage when they are large. Durable on return. */
int spill_write(struct bt_files *files, const struct actor *actor, struct bt_taskrun *run,
                struct bt_err *err);
/* Reads them into run->outputs. */
int spill_read(struct bt_files *files, const struct actor *actor, struct bt_taskrun *run,
               struct bt_err *err);

/* --- The runner ------------------------------------------------------------------------------- */

struct outstanding {
    uint64_t exec, token;
    uint32_t taskrun;
};

struct entered {
    uint64_t key, super;
};

struct bt_runner {
    struct bt_runner_config config;
    /* The inbox. */
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    struct message *inbox_head, **inbox_tail;
    size_t inbox_bytes;
    bool is_stopping, has_thread;
    struct bt_runner_stats stats; /* Under the lock, but for inbox_bytes. */
    pthread_t thread;
    /* Owned by the runner's thread. */
    struct bt_map64 actors; /* key → struct actor */
    BT_VEC(struct actor *) ready;
    size_t ready_head;
    BT_VEC(struct actor *) touched; /* In this batch. */
    struct bt_flow_cache *flows;
    struct bt_map64 jobs; /* token → struct outstanding */
    size_t rows;          /* Task runs in memory. */
    struct bt_step step;
    struct bt_rng rng;
    int64_t now_us, next_due_us;
    uint64_t last_key, last_event;
    bool is_recovering;
    int failures;    /* Commits that failed in a row. */
    bool needs_load; /* After a failure the journal could not be read either. */
    /* Why this batch cannot be committed: a row could not be read just now. BT_OK: it can. */
    struct bt_err read_err;
    int64_t retry_us;
    /* The batch. */
    struct message *taken; /* Messages of this batch, kept until the commit. */
    BT_VEC(struct bt_flow_row) put_flows;
    BT_VEC(struct bt_timer) timers_set;
    BT_VEC(struct bt_timer) timers_clear;
    BT_VEC(struct bt_job_row) jobs_set;
    BT_VEC(struct bt_job_row) jobs_clear;
    BT_VEC(uint64_t) events_drop;
    BT_VEC(struct bt_job *) submits;
    BT_VEC(uint64_t) kill_execs;
    BT_VEC(uint64_t) kill_tokens;   /* Jobs of removed task runs. */
    BT_VEC(uint64_t) places_free;   /* Working directories that are not wanted any more. */
    BT_VEC(struct entered) entered; /* Executions made in this batch by others. */
    struct bt_map64 slots;          /* slots.c; a hash → a chain of flows with a limit. */
    struct bt_map64 space_rows;     /* spaces.c; a hash → a chain of rows. */
    struct bt_kv *space_read;       /* The row that the last look-up gave. */
};

/* The actor of an execution, loaded when needed. */
int runner_actor(struct bt_runner *runner, uint64_t key, struct actor **ret_actor,
                 struct bt_err *err);
void runner_touch(struct bt_runner *runner, struct actor *actor);
void runner_ready(struct bt_runner *runner, struct actor *actor);
void runner_send(struct bt_runner *runner, struct actor *actor, struct bt_event event,
                 uint64_t stored_id);
/* Whether a failed read may go well later; else the row does not exist or is not readable. */
static inline bool read_may_pass(int rc)
{
    return rc == BT_IO || rc == BT_BUSY || rc == BT_NO_MEM;
}
void runner_tell(struct bt_runner *runner,
                 const struct bt_err *err); /* Trouble, to the listener. */
/* spaces.c */
typedef BT_VEC(struct bt_kv_row) kv_rows;
/* One request to a namespace's actor. */
int spaces_step(struct bt_runner *runner, struct bt_kv_place place, const struct bt_value *request,
                struct bt_space_answer *ret_answer, struct bt_err *err);
/* The request of a task; the answer goes to its execution. */
void spaces_effect(struct bt_runner *runner, struct actor *actor, const struct bt_effect *effect);
void spaces_gather(const struct bt_runner *runner, kv_rows *rows);
void spaces_clear(struct bt_runner *runner);
/* edits.c: what somebody wants of an execution that has ended. */
int edit_labels(struct bt_runner *runner, const struct message *message, struct bt_err *err);
int edit_drop(struct bt_runner *runner, const struct message *message, struct bt_err *err);
int edit_drop_logs(struct bt_runner *runner, const struct message *message, struct bt_err *err);
/* slots.c */
void slots_ask(struct bt_runner *runner, struct actor *actor);
void slots_take(struct bt_runner *runner, struct actor *actor);
/* It has drained: the next one may run. */
void slots_free(struct bt_runner *runner, struct actor *actor);
/* A revision of a flow is put; whether the one before it had a limit. */
int slots_pushed(struct bt_runner *runner, const char *tenant, const struct bt_flow *flow,
                 bool had_limit, struct bt_err *err);
void slots_clear(struct bt_runner *runner);
/* children.c */
/* Makes the execution that a Subflow asks for. */
void children_effect(struct bt_runner *runner, struct actor *super, const struct bt_effect *effect);
/* The subflow of a task run that is no more. */
void children_kill_id(struct bt_runner *runner, const struct actor *super, const struct bt_id *id);
/* An execution has ended: who waits for it is told. */
void children_ended(struct bt_runner *runner, const struct actor *actor);
/* Kills its subflows behind key `from`: some at once, the rest by an event. */
void children_kill(struct bt_runner *runner, struct actor *super, uint64_t from);
/* replay.c */
int replay_apply(struct bt_runner *runner, struct message *message, struct bt_err *err);
/* Copies a page of task runs into a new execution; then it begins. */
void replay_copy(struct bt_runner *runner, struct actor *actor);
/* effects.c */
/* Applies the effects of the step that was made. */
void effects_apply(struct bt_runner *runner, struct actor *actor);
/* turn.c */
/* What names a flow where executions name theirs. */
struct bt_exec runner_named(const char *tenant, const struct bt_flow *flow, uint32_t revision);
/* A flow by the names in `named` and revision (0: the current one), a reference. */
int runner_flow(struct bt_runner *runner, const struct bt_exec *named, uint32_t revision,
                struct bt_flow **ret_flow, struct bt_err *err);
/* Gives a new execution its id. */
void runner_name(struct bt_runner *runner, struct bt_exec *exec);
/* Takes a new execution and its flow into the batch: it has a key and begins. */
void runner_enter(struct bt_runner *runner, struct bt_exec *exec, struct bt_flow *flow);
void turn_apply(struct bt_runner *runner, struct message *message);
void turn_timers(struct bt_runner *runner);
size_t turn_steps(struct bt_runner *runner);
/* commit.c */
bool runner_has_changes(const struct bt_runner *runner);
int runner_commit(struct bt_runner *runner, struct bt_err *err);
void runner_commit_failed(struct bt_runner *runner, const struct bt_err *err);
/* After a failed runner_load(): tries again. */
int runner_reload(struct bt_runner *runner, struct bt_err *err);
/* Takes up what is on its way according to the journal: events, and jobs that no worker has. */
int runner_load(struct bt_runner *runner, struct bt_err *err);
