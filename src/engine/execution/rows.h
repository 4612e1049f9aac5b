/* rows.h — The rows that an execution consists of: its header and its task runs.
 *
 * A row is a plain struct that the runner keeps in memory while it is needed; codec.h turns it into
 * text for the journal. Nothing here does I/O. Times are microseconds of wall time since 1970. */
#pragma once
#include "base/ids.h"
#include "model/flow.h"
#include "model/state.h"

/* Every state that a row was in, in order. Short histories need no allocation. */
struct bt_history {
    int64_t at_us;
    enum bt_state state;
};
enum { BT_HISTORY_INLINE = 3 };
struct bt_histories {
    uint32_t count, cap; /* cap 0: the inline array is used. */
    union {
        struct bt_history few[BT_HISTORY_INLINE];
        struct bt_history *many;
    };
};

/* One try of a task run. */
struct bt_attempt {
    int64_t start_us, end_us;
    enum bt_state state;
    char version[20]; /* Of the plugin that ran it; empty: built in. */
};

/* What a flowable (or the execution itself) knows of its children: counters, never a list.
 *
 * Children run in lanes: a lane is a sequence. A Sequential has one lane; a Parallel has one lane
 * per task; a ForEach has one lane per value, with the tasks of the value in sequence. */
enum bt_phase { BT_PHASE_MAIN, BT_PHASE_ERRORS, BT_PHASE_DONE, BT_PHASE_FINALLY }; /* Stored. */
struct bt_group {
    enum bt_phase phase;
    uint32_t list;                   /* Index of the main list that runs; BT_NO_TASK: none. */
    uint32_t lanes;                  /* Lanes in all. */
    uint32_t next;                   /* Lanes opened so far. */
    uint32_t open;                   /* Lanes with a child that has not ended. */
    uint32_t side_next, side_open;   /* The same for the branch beside it: errors, then finally. */
    uint32_t failed, warned, killed; /* Lanes of the main list (and of finally) that ended so. */
    bool side_failed;
    bool is_open_queued; /* An OPEN event is on its way. */
};

/* Where a WorkingDirectory is with its place (engine/job.h). Stored. */
enum bt_stage { BT_STAGE_NONE, BT_STAGE_OPENING, BT_STAGE_OPEN, BT_STAGE_CLOSING };

struct bt_taskrun {
    uint32_t n;      /* Number within the execution, from 1, in creation order. */
    uint32_t parent; /* Number of the enclosing flowable's run; 0 = the execution. */
    uint32_t task;   /* Index in the flow's tasks. */
    uint32_t lane;   /* Lane of the parent. */
    struct bt_id id;
    enum bt_state state;
    struct bt_value *value; /* Iteration value (a STRING), or NULL. */
    struct bt_histories histories;
    struct bt_attempt *attempts;
    uint32_t attempt_count;   /* Ended attempts and the live one. */
    uint64_t token;           /* Of the live attempt or evaluation; 0 = none. */
    bool is_evaluating;       /* A worker renders what the start of the run needs. */
    int64_t timeout_us;       /* Of the attempt that was given out; 0 = none. */
    struct bt_value *outputs; /* Map, or NULL. */
    struct bt_value *metrics; /* List, or NULL. */
    uint32_t end_n;           /* It was the how-manieth of the execution to end; 0: it has not. */
    uint32_t iteration;       /* Pass of the enclosing LoopUntil, or its own; 0: none. */
    struct bt_value *cuts;    /* LIST or NULL: n: a child whose lane could not go on; -n: one that
                                 is to be restarted. */
    struct bt_value *marks;   /* Of a Dag: a char per child, see flow_dag.c; or NULL. */
    uint64_t place;           /* Of a WorkingDirectory; 0: none. */
    enum bt_stage stage;
    bool is_over;          /* Of a LoopUntil: it ends; only its finally is left. */
    bool waits, transmits; /* Of a Subflow: for its end; and that it failed. */
    bool is_spilled;       /* Its outputs are in storage; `outputs` NULL: they are not here. */
    struct bt_group group; /* Of a flowable. */
    /* Not stored: */
    bool is_dirty;
    bool is_sealed; /* The outputs hold a secret. */
    uint32_t told;  /* Histories that the listener knows. */
    uint64_t moved; /* Place of its last move among all of the process. */
};

/* The execution that started this one by a Subflow, and what it waits for. key 0: none. */
struct bt_super {
    uint64_t key, token; /* Of the attempt there. */
    uint32_t run;        /* Its task run. */
    bool is_waiting;     /* It wants to know how this one ends. */
};

/* Whether an execution counts in the concurrency of its flow. Stored. */
enum bt_slot { BT_SLOT_NONE, BT_SLOT_HELD, BT_SLOT_QUEUED };

struct bt_exec {
    uint64_t key; /* Internal key. */
    struct bt_id id;
    char tenant[64];
    char namespace[160];
    char flow_id[112];
    uint32_t revision;
    enum bt_state state;
    struct bt_histories histories;
    struct bt_value *labels;    /* Map of text, or NULL. */
    struct bt_value *inputs;    /* Map, or NULL. */
    struct bt_value *variables; /* Set by tasks, laid over the flow's; or NULL. */
    struct bt_value *outputs;   /* Map, or NULL. */
    struct bt_value *trigger;   /* Map, or NULL. */
    struct bt_group group;
    struct bt_group after;   /* Of what runs once it has ended: afterExecution, listeners. */
    uint32_t paused;         /* Task runs that are PAUSED. */
    uint32_t retrying;       /* Task runs that are RETRYING. */
    bool is_held;            /* Somebody has paused it: no task run starts. */
    uint32_t next_n;         /* Number of the next task run. */
    uint32_t ends;           /* Task runs that have ended so far: the version of its outputs. */
    uint32_t live;           /* Task runs that have not ended: 0 after the end means drained. */
    uint32_t attempt_number; /* 1, +1 at each restart. */
    struct bt_super super;
    uint32_t depth;           /* Subflows above it. */
    struct bt_value *asked;   /* Outputs that the Subflow asks for, raw; MAP or NULL. */
    struct bt_id parent_id;   /* It is a replay or a retry of this one; empty: it is none. */
    struct bt_id original_id; /* Of the first of such a chain; empty: itself. */
    int64_t schedule_us;      /* Not to begin before; 0: at once. */
    enum bt_slot slot;
    uint64_t copy_from;    /* Replay: the execution whose task runs are copied; 0: none, or done. */
    uint32_t copy_next;    /* The number of the next one. */
    uint32_t replay_n;     /* The task run that it begins with; 0: with its first task. */
    bool is_restarting;    /* A RESTART waits for a slot, or is on its way. */
    struct bt_value *cuts; /* As of a task run. */
    bool is_forced;        /* It begins whatever it would wait for. */
    bool is_killing;
    bool is_failure; /* Killing because of a timeout or an error: it ends FAILED. */
    bool is_cancel;  /* Killing because something has cancelled it: it ends CANCELLED. */
    bool is_finishing;
    bool is_drained;
    uint64_t eval_token; /* A worker renders the outputs; 0 = none. */
    /* Not stored: */
    bool is_dirty;
    bool is_sealed; /* Inputs, variables or trigger hold a secret. */
};

struct bt_exec *bt_exec_new(void);
struct bt_exec *bt_exec_free(struct bt_exec *exec); /* Accepts and returns NULL. */
struct bt_taskrun *bt_taskrun_new(void);
struct bt_taskrun *bt_taskrun_free(struct bt_taskrun *run); /* Accepts and returns NULL. */
BT_CLEANUP_DEFINE(bt_exec_free, struct bt_exec)
BT_CLEANUP_DEFINE(bt_taskrun_free, struct bt_taskrun)

const struct bt_history *bt_histories_at(const struct bt_histories *histories, uint32_t index);
/* Appends; BT_NO_MEM. */
int bt_histories_add(struct bt_histories *histories, int64_t at_us, enum bt_state state);
void bt_histories_done(struct bt_histories *histories);

/* The live (or last) attempt, or NULL. */
struct bt_attempt *bt_taskrun_attempt(struct bt_taskrun *run);
int bt_taskrun_attempt_add(struct bt_taskrun *run, int64_t start_us);
/* Microseconds from the first history to the end, or to `now_us` while it has not ended. */
int64_t bt_histories_duration_us(const struct bt_histories *histories, int64_t now_us);
