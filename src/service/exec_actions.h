/* exec_actions.h — What somebody may do with an execution that goes on or waits. Any thread.
 *
 * What its committed state does not allow is refused; a state that changes meanwhile makes the act
 * do nothing. Calls return after the commit. */
#pragma once
#include "service/service.h"

enum bt_action {
    BT_ACTION_PAUSE,   /* A running one: nothing new starts. */
    BT_ACTION_RESUME,  /* A paused one goes on. */
    BT_ACTION_UNQUEUE, /* A queued one runs, whatever its flow's limit is, or ends. */
    BT_ACTION_FORCE,   /* One that waits begins now; a paused one goes on. */
    BT_ACTION_RESTART, /* One that ended badly goes on from there. */
    BT_ACTION_REPLAY,  /* A new one is made of one that has ended. */
    BT_ACTION_STATUS,  /* One that has ended gets another state; nothing runs. */
};
struct bt_act {
    enum bt_action action;
    enum bt_state state; /* UNQUEUE: RUNNING, CANCELLED, FAILED. STATUS: one of an end. */
    bool is_newest;      /* REPLAY: with the newest revision. */
};
/* In messages: "pause", "force run" … */
const char *bt_act_verb(const struct bt_act *act);
/* Why one in this state cannot take it, in the words of bulk calls; NULL: it can. */
const char *bt_act_refuse(const struct bt_act *act, enum bt_state state);
/* The same of one execution: BT_CONFLICT or BT_INVALID in the words for it. */
int bt_act_check(const struct bt_act *act, enum bt_state state, struct bt_err *err);
/* All or nothing, but for what changes meanwhile. A pause that needs inputs is BT_INVALID. */
int bt_service_act(struct bt_service *service, const struct bt_principal *principal,
                   const bt_exec_refs *refs, const struct bt_act *act, struct bt_err *err);

/* What a paused execution waits for. */
struct bt_pause {
    struct bt_flow *flow;    /* Owned. */
    struct bt_input_set set; /* Inputs that it wants; none when somebody has paused it by hand. */
    uint32_t run;            /* The Pause's task run; 0: somebody has paused it by hand. */
    struct bt_id run_id;
};
/* BT_CONFLICT: it is not paused, or goes on by itself. */
int bt_service_pause_of(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_exec *exec, struct bt_pause *ret_pause, struct bt_err *err);
void bt_pause_done(struct bt_pause *pause);

struct bt_resume_request {
    const struct bt_pause *pause;
    const struct bt_value *inputs; /* Map of texts or native values by input id, or NULL. */
    const struct bt_input_file *files;
    size_t file_count;
};
/* BT_INVALID names the first wrong input; it stays paused. */
int bt_service_resume(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_exec *exec, const struct bt_resume_request *request,
                      struct bt_err *err);

/* A task run of an execution that has ended gets another state; the execution goes on from there.
 * BT_NOT_FOUND: no such task run. */
struct bt_run_change {
    struct bt_str run_id;
    enum bt_state state; /* One of an end. */
};
int bt_service_change(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_exec *exec, const struct bt_run_change *change,
                      struct bt_err *err);

/* --- Replay (exec_replay.c) ------------------------------------------------------------------- */

#define BT_NEWEST UINT32_MAX /* As a revision. */
struct bt_replay_request {
    const struct bt_exec *source;
    struct bt_str run_id; /* It begins with this task run; empty: with the first task. */
    uint32_t revision;    /* 0: that of the source. */
    bool has_inputs;      /* The given ones over those of the source; else the same. */
    const struct bt_value *inputs;
    const struct bt_input_file *files;
    size_t file_count;
};
/* BT_NOT_FOUND: no such task run or revision. BT_CONFLICT: the source has not ended. */
int bt_service_replay(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_replay_request *request, struct bt_id *ret_id,
                      struct bt_err *err);
/* The flow that a replay would run; *ret_flow is owned. */
int bt_service_replay_flow(struct bt_service *service, const struct bt_principal *principal,
                           const struct bt_replay_request *request, struct bt_flow **ret_flow,
                           struct bt_err *err);
