/* state.h — States of executions and task runs, and which moves are legal. */
#pragma once
#include "base/str.h"

enum bt_state {
    BT_CREATED,
    BT_RUNNING,
    BT_PAUSED,
    BT_RESTARTED,
    BT_KILLING,
    BT_SUCCESS,
    BT_WARNING,
    BT_FAILED,
    BT_KILLED,
    BT_CANCELLED,
    BT_QUEUED,
    BT_RETRYING,
    BT_RETRIED,
    BT_SKIPPED,
    BT_STATE_COUNT,
};

const char *bt_state_name(enum bt_state state); /* "CREATED", … */
bool bt_state_parse(struct bt_str text, enum bt_state *ret_state);
/* FAILED, WARNING, SUCCESS, KILLED, CANCELLED, RETRIED, SKIPPED. */
bool bt_state_is_ended(enum bt_state state);
/* Whether a task run, or an execution, may go from one state to the other. */
bool bt_state_is_legal(enum bt_state from, enum bt_state to);
