/* worker_int.h — The worker's thread and its slots. All of it belongs to that thread, but for what
 * stands under the mutex. */
#pragma once
#include "base/map64.h"
#include "base/vec.h"
#include "files/files.h"
#include "sys/warden.h"
#include "worker/core/core.h"
#include "worker/host/host.h"
#include "worker/runner/lines.h"
#include "worker/runner/logs.h"
#include "worker/runner/plan.h"
#include "worker/runner/protocol.h"
#include "worker/runner/stage.h"
#include "worker/asks.h"
#include "worker/worker.h"

#include <pthread.h>
#include <uv.h>

enum phase {
    PHASE_FREE,
    PHASE_PREPARING, /* A helper thread renders what asks for the world: slot_asks.c. */
    PHASE_BRINGING,  /* A helper thread brings files. */
    PHASE_WAITING,   /* All plugin hosts are busy ending. */
    PHASE_WORKING,   /* A thread of its own runs a task of core/. */
    PHASE_RUNNING,   /* The command runs. */
    PHASE_DRAINING,  /* It has ended; its output, or others of its group, have not. */
    PHASE_ENDING,    /* The warden kills what is left. */
    PHASE_STORING,   /* A helper thread stores output files. */
    PHASE_REMOVING,  /* A helper thread removes the directories; the result is told. */
};

enum { STREAM_OUT, STREAM_ERR, STREAM_COUNT, NAME_SIZE = 64, PATH_SIZE = 4200 };
enum { CHUNK_BYTES = 64 << 10 };
#define EVENT_WARDEN UINT64_MAX /* Mark of the warden's socket among the pipes. */

/* What a helper thread does for a plugin that runs. */
enum help { HELP_NONE, HELP_OPEN, HELP_STORE, HELP_BRING };

struct stream {
    struct slot *slot;
    int fd; /* -1: closed. */
    enum bt_level level;
    struct bt_lines lines;
};

/* The directory of a WorkingDirectory: places.c. */
struct place {
    struct bt_worker *worker;
    uint64_t id;
    char name[NAME_SIZE]; /* Of the directory. */
    unsigned users;       /* Slots. */
    bool is_made, is_open;
    bool is_over; /* Removed when nobody uses it any more. */
    struct bt_cache_mark mark;
    uv_work_t work;
};

struct slot {
    struct bt_worker *worker;
    uint32_t id;
    enum phase phase;
    struct bt_job *job;  /* Changes under the worker's mutex. */
    struct place *place; /* Of the job, or NULL. */
    bool is_killed, is_timed_out, is_now;
    bool has_run;  /* The command was started. */
    bool is_clean; /* The warden says that nothing of the command is left. */
    int32_t status;
    int64_t started_us;    /* Wall time. */
    uint64_t grace_end_ms; /* Time of the loop, once SIGTERM was sent. */
    struct bt_plan plan;
    struct bt_capture capture;
    struct bt_logs logs;
    struct stream streams[STREAM_COUNT];
    struct bt_value *uris; /* Owned: output files. */
    struct bt_stage_notes notes;
    struct bt_err err; /* Why the attempt fails; code BT_OK: it does not. */
    int work_rc;
    uv_timer_t timer; /* Timeout, grace time, or wait for output. */
    uv_work_t work;
    char work_name[NAME_SIZE], fetch_name[NAME_SIZE], output_name[NAME_SIZE];
    char work_dir[PATH_SIZE], fetch_dir[PATH_SIZE], output_dir[PATH_SIZE];
    struct bt_asks asks;         /* Of its expressions. The helper's while it works. */
    struct bt_value *outputs;    /* Owned: of an evaluate job, or sealed ones; else NULL. */
    struct bt_job *outer;        /* While an http() of it runs in its place: the attempt's job. */
    struct http_task *http_task; /* Of that run. */
    struct bt_fetcher fetcher;   /* Of the job. */
    bool has_leftover;           /* Its directory waits to be removed. */
    uint64_t deadline_ms;        /* Time of the loop; 0 = none. */
    /* Of a task of core/: slot_core.c. */
    bt_core_run core;            /* NULL: it is none. */
    struct bt_value *core_props; /* Owned: rendered. */
    pthread_t core_thread;       /* While in PHASE_WORKING. */
    _Atomic bool is_core_over;   /* It is to end. */
    /* Of an attempt in a plugin host: slot_host.c. */
    bool is_host;
    bool has_result, has_children, has_lost_contact, is_host_warning, is_refused;
    bool has_to_conclude; /* The end waits for the helper. */
    bool has_dir;         /* The working directory came with the host. */
    bool is_dir_kept;     /* The host has it now. */
    struct host *host;    /* NULL: none yet, or no more. */
    struct bt_buf order;  /* The message that starts the run. */
    struct bt_plugin_limits limits;
    int64_t host_bytes;                        /* Peak of memory that the host tells. */
    struct bt_value *events, *trigger_state;   /* Owned, or NULL. */
    enum help help;                            /* The rest is the helper's while it works. */
    char *help_name, *help_path, *help_answer; /* Owned, or NULL. */
    unsigned help_count;
    int help_fd; /* HELP_OPEN: the file; -1: none. */
    struct bt_err help_err;

    bool is_flushing; /* The plugin waits for its events to be durable. */

    uint64_t is_kill_asked; /* Under the mutex; a word of its own, not one read with others. */
    uint64_t is_core_done;  /* Under the mutex: the thread is about to end. */
    bool is_flushed;        /* Under the mutex: the answer is there … */
    char *flush_error;      /* … and why they are not durable, or NULL. Owned. */
};

struct bt_worker {
    struct bt_worker_config config;
    struct slot *slots;
    unsigned busy;
    char key[BT_WARDEN_KEY_LEN + 1];
    char *dir;                /* Absolute: of this worker, in config.work_dir. */
    int root, root_lock;      /* Its descriptors. */
    struct bt_warden *warden; /* Started with the first command. */
    struct host *hosts;       /* Plugin hosts: host/pool.c. */
    uint32_t host_count;
    unsigned sandbox;       /* Asked for by the machine's owner, of all plugins. */
    unsigned waiting;       /* Slots in PHASE_WAITING. */
    struct bt_map64 places; /* id → struct place */
    uv_timer_t host_timer;
    int epoll; /* Watches the pipes and the warden; the loop watches it. */
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    uv_poll_t epoll_poll;
    uv_timer_t flush_timer;
    bool is_closing;
    char *chunk; /* Output is read into it. */

    pthread_mutex_t mutex; /* Guards what follows, and what slots mark so. */
    struct bt_job *first, *last;
    bool has_kills, has_flushed, has_core_done, is_stopping, is_now;
    BT_VEC(uint64_t) released; /* Places that are not wanted any more. */
    bool is_over;              /* The thread looks at nothing any more. */
};

/* worker.c */
/* Gives work to free slots. Call at the end of every callback. */
void bt_worker_turn(struct bt_worker *worker);

/* places.c */
/* Finds the place of the slot's job, if it has one; an OPEN makes it. False: it is not here. */
bool place_enter(struct slot *slot);
/* Makes the directory of an OPEN. */
int place_make(struct slot *slot, struct bt_err *err);
/* The attempt ends in this state: before its result is told. */
void place_ended(struct slot *slot, enum bt_state state);
void place_leave(struct slot *slot);
/* Obeys bt_worker_release(). */
void places_obey(struct bt_worker *worker);
void places_done(struct bt_worker *worker); /* The directories go with the worker's. */

/* slot_begin.c */
void slot_begin(struct slot *slot, struct bt_job *job);

/* slot.c */
void slot_init(struct slot *slot, struct bt_worker *worker, uint32_t id);
void slot_done(struct slot *slot);
/* It fails, for this. */
void slot_fail(struct slot *slot, const struct bt_err *why);
void slot_kill(struct slot *slot, bool is_now);
void slot_on_event(struct slot *slot, const struct bt_warden_event *event);
/* The warden was killed: every command that ran fails. */
void lose_warden(struct bt_worker *worker, const struct bt_err *why);
void slot_on_output(struct stream *stream);
/* Tries again for slots that wait for a host. */
void slots_go_on(struct bt_worker *worker);
/* The attempt is over: store files, tell the result. Waits for a helper at work. */
void slot_conclude(struct slot *slot);
/* Kills all that is left of the command or host; conclude comes when nothing is. */
void slot_end_command(struct slot *slot);
void slot_start_timer(struct slot *slot, uint64_t ms);
void slot_start_help(struct slot *slot);
/* The working directory is `name` in that of the worker. */
void slot_set_paths(struct slot *slot); /* Names of its own for its directories. */
void slot_set_work_dir(struct slot *slot, const char *name);

/* Forgets what a run has left, before another one. */
void slot_reset(struct slot *slot);
/* What follows the plan: files, the command. */
void slot_go_on(struct slot *slot);
/* Makes the plan. Touches only the slot. */
int slot_plan(struct slot *slot); /* slot_plan.c */
struct bt_stage slot_stage(struct slot *slot);
void slot_start_work(struct slot *slot, enum phase phase);
void slot_run(struct slot *slot);

/* slot_core.c */
/* Renders the properties. */
int slot_core_plan(struct slot *slot);
void slot_core_start(struct slot *slot);
/* Concludes those whose threads have ended. */
void slots_core_end(struct bt_worker *worker);

/* slot_asks.c */
/* Renders the properties; on a helper thread when they ask for the world. */
void slot_prepare(struct slot *slot);
/* The helper's part, and what follows it. */
void slot_prepare_help(struct slot *slot);
void slot_prepared(struct slot *slot);
/* An http() has ended: its answer is kept, and the properties are rendered again. */
void slot_http_end(struct slot *slot);
/* The helper's part of an end: seals the secrets among the outputs. */
void slot_seal_outputs(struct slot *slot);
bool slot_has_secrets(const struct slot *slot);

/* report.c */
/* The outputs as they would be told, owned; NULL without memory. */
struct bt_value *slot_outputs(struct slot *slot);
/* Flushes the log and tells the result: gives its state. */
enum bt_state slot_report(struct slot *slot);
/* What helpers have noted, as log entries. */
void slot_log_notes(struct slot *slot);
/* Whether it is the attempt of a WorkingDirectory itself. */
bool slot_is_keeper(const struct slot *slot);
/* Instead of a run: the job's place is not here. */
void report_lost(struct bt_worker *worker, struct bt_job *job);
/* A result without a run: of a job that was killed while it waited. */
void report_killed(struct bt_worker *worker, struct bt_job *job);
/* The line to the log, and the timer that hands it over. */
void slot_log(struct slot *slot, enum bt_level level, struct bt_str text);

/* home.c */
/* The worker's own directory, locked; removes those of workers that are no more. */
int worker_home_open(struct bt_worker *worker, struct bt_err *err);
void worker_home_close(struct bt_worker *worker);
/* Starts the warden when it does not run. */
int worker_warden(struct bt_worker *worker, struct bt_err *err);
