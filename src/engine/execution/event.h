/* event.h — What moves an execution, and what a step asks for in return. Plain data. */
#pragma once
#include "base/level.h"
#include "engine/execution/rows.h"
#include "engine/job.h"

enum bt_timer_kind {                   /* Stored. */
                     BT_TIMER_RETRY,   /* A task run tries again. */
                     BT_TIMER_SLEEP,   /* A sleep is over. */
                     BT_TIMER_TIMEOUT, /* A sleep's, or (task run 0) the execution's time is over.
                                        */
                     BT_TIMER_PAUSE,   /* A pause is over; due INT64_MAX: never by itself. */
                     BT_TIMER_LOOP,    /* The next pass of a LoopUntil. */
                     BT_TIMER_HELD, /* Never due: a start that waits until the execution is not held
                                       any more. */
                     BT_TIMER_BEGIN, /* The date that the execution is scheduled for (task run 0).
                                      */
                     BT_TIMER_KIND_COUNT,
};

enum bt_event_kind {
    BT_EVENT_BEGIN,        /* The execution was created. */
    BT_EVENT_OPEN,         /* Group `taskrun` (0: the execution) may open lanes. */
    BT_EVENT_START,        /* Task run `taskrun` was created and may start. */
    BT_EVENT_NEXT,         /* Child `child` of group `taskrun` has ended; with `token` it had
                              been counted before, and its lane goes on. */
    BT_EVENT_STARTED,      /* A worker began with attempt `token` at `at_us`. */
    BT_EVENT_RESULT,       /* Attempt `token` ended: state, outputs, metrics, error. */
    BT_EVENT_LOST,         /* The worker that had attempt `token` is gone. */
    BT_EVENT_TIMER,        /* Timer `timer` of `taskrun` is due. */
    BT_EVENT_TIMER_KILLED, /* Timer `timer` of `taskrun` was taken away by a kill. */
    BT_EVENT_KILL,         /* Somebody wants the execution to end. */
    BT_EVENT_FINISH,       /* All is done: outputs and final state. */
    BT_EVENT_AFTER,        /* It has ended: what runs afterwards may open lanes. */
    BT_EVENT_LOOP,         /* The tasks of LoopUntil `taskrun` have ended: again, or the end? */
    BT_EVENT_HOLD,         /* Somebody pauses the execution: nothing new starts. */
    BT_EVENT_RESUME,  /* Paused run `taskrun` goes on with `outputs` (of onResume, may be NULL);
                         0: the execution is not held any more. */
    BT_EVENT_CHILD,   /* Attempt `token`: its subflow was created; `outputs`, and `error` to log. */
    BT_EVENT_CASCADE, /* A kill goes on to the subflows behind key `token`. */
    BT_EVENT_SLOT,    /* Its flow says: RUNNING, QUEUED, or the state it ends in. */
    BT_EVENT_FORCE,   /* Somebody wants it to begin, whatever it waits for. */
    BT_EVENT_RESTART, /* What of group `taskrun` (0: the execution) ended badly goes on. */
    BT_EVENT_CHANGE,  /* Task run `taskrun` is to be `state`, and the execution goes on from there.
                       */
    BT_EVENT_STATUS,  /* An execution that has ended is to be `state`. */
    BT_EVENT_COPY,    /* Replay: the next task runs are copied (by the runner). */
    BT_EVENT_REPLAY,  /* Replay: task run `taskrun` begins; its groups go on. */
    BT_EVENT_CLOSE_PLACE, /* The tasks of WorkingDirectory `taskrun` have ended. */
    BT_EVENT_KIND_COUNT,
};

struct bt_event {
    enum bt_event_kind kind;
    uint32_t taskrun, child;
    uint64_t token;
    enum bt_timer_kind timer;
    enum bt_state state;      /* RESULT */
    int64_t at_us, end_us;    /* STARTED; RESULT: the attempt's start and end. */
    struct bt_value *outputs; /* RESULT: owned map or NULL. */
    struct bt_value *metrics; /* RESULT: owned list or NULL. */
    struct bt_value *error;   /* RESULT: owned STRING or NULL. */
};

void bt_event_done(struct bt_event *event); /* Drops what it owns. */

enum bt_effect_kind {
    BT_EFFECT_EVENT,     /* Send `event` to this execution (moves it). */
    BT_EFFECT_SUBMIT,    /* Give out attempt `token` of `taskrun` with `value` as its context; with
                            `templates` it is an evaluate job (job.h), of `taskrun` or (0) of
                            the execution. */
    BT_EFFECT_SPACE,     /* Request `value` of `taskrun` to its namespace's actor; the answer is the
                            RESULT of attempt `token`. */
    BT_EFFECT_CHILD,     /* Create the execution `value` (child_task.c) for attempt `token` of
                            `taskrun`;     the answer is CHILD, or a RESULT that failed. */
    BT_EFFECT_KILL_JOBS, /* Kill every attempt of this execution that is out. */
    BT_EFFECT_CASCADE, /* Kill its subflows with keys behind `token`, some; CASCADE for the rest. */
    BT_EFFECT_KILL_TIMERS, /* Turn every timer of this execution into TIMER_KILLED. */
    BT_EFFECT_TIMER_SET,   /* Timer `timer` of `taskrun` at `due_us`. */
    BT_EFFECT_TIMER_CLEAR,
    BT_EFFECT_RELEASE,    /* Turn every HELD timer of this execution into START; with `token`
                               every PAUSE timer into RESUME. */
    BT_EFFECT_DROP_RUNS,  /* Remove all task runs below `taskrun` (0: the execution), all
                               of them or with `token` those beside the main list; what of them
                               lives is ended unheard. */
    BT_EFFECT_PLACE_FREE, /* Place `token` is not wanted any more. */
    BT_EFFECT_SLOT_ASK,   /* Whether it may run; its flow answers with SLOT. */
    BT_EFFECT_SLOT_TAKE,  /* It runs, whatever the limit is. */
    BT_EFFECT_LOG,        /* Line `value` (STRING) of `taskrun` (0: the execution) at `level`. */
    BT_EFFECT_VALUES,     /* Keep `value` (LIST) as the iteration values of `taskrun`. */
    BT_EFFECT_ENDED,      /* The visible state is final. */
    BT_EFFECT_DRAINED,    /* Ended, and nothing of it runs any more: slots and files are free. */
};

struct bt_effect {
    enum bt_effect_kind kind;
    uint32_t taskrun;
    uint64_t token;
    enum bt_timer_kind timer;
    enum bt_level level;
    int64_t due_us;
    int64_t timeout_us;         /* SUBMIT */
    struct bt_as_of as_of;      /* SUBMIT: of job.h. */
    struct bt_place directory;  /* SUBMIT: of job.h. */
    uint64_t place;             /* LOG: state changes made before it. */
    struct bt_value *value;     /* Owned. */
    struct bt_value *templates; /* SUBMIT: owned LIST, or NULL. */
    struct bt_event event;
};

void bt_effect_done(struct bt_effect *effect);
