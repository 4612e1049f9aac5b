/* state.c — The table of states. */
#include "model/state.h"

#include <assert.h>

static const char *const names[BT_STATE_COUNT] = {
    [BT_CREATED] = "CREATED",     [BT_RUNNING] = "RUNNING", [BT_PAUSED] = "PAUSED",
    [BT_RESTARTED] = "RESTARTED", [BT_KILLING] = "KILLING", [BT_SUCCESS] = "SUCCESS",
    [BT_WARNING] = "WARNING",     [BT_FAILED] = "FAILED",   [BT_KILLED] = "KILLED",
    [BT_CANCELLED] = "CANCELLED", [BT_QUEUED] = "QUEUED",   [BT_RETRYING] = "RETRYING",
    [BT_RETRIED] = "RETRIED",     [BT_SKIPPED] = "SKIPPED",
};

#define TO(state) (1u << (state))
#define ENDS (TO(BT_SUCCESS) | TO(BT_WARNING) | TO(BT_FAILED) | TO(BT_KILLED) | TO(BT_CANCELLED))

/* A set of targets per state. Ended ones leave only by restart or by a change made by hand. */
static const uint32_t legal[BT_STATE_COUNT] = {
    [BT_CREATED] = TO(BT_RUNNING) | TO(BT_QUEUED) | TO(BT_PAUSED) | TO(BT_KILLING) |
                   TO(BT_SKIPPED) | TO(BT_RETRYING) | ENDS,
    [BT_RUNNING] =
        TO(BT_PAUSED) | TO(BT_KILLING) | TO(BT_RETRYING) | TO(BT_RETRIED) | TO(BT_SKIPPED) | ENDS,
    [BT_PAUSED] = TO(BT_RUNNING) | TO(BT_RESTARTED) | TO(BT_RETRYING) | TO(BT_KILLING) | ENDS,
    [BT_RESTARTED] = TO(BT_RUNNING) | TO(BT_PAUSED) | TO(BT_QUEUED) | TO(BT_RETRYING) |
                     TO(BT_KILLING) | TO(BT_SKIPPED) | ENDS,
    [BT_KILLING] = TO(BT_KILLED),
    [BT_QUEUED] =
        TO(BT_RUNNING) | TO(BT_KILLING) | TO(BT_FAILED) | TO(BT_KILLED) | TO(BT_CANCELLED),
    [BT_RETRYING] = TO(BT_CREATED) | TO(BT_RUNNING) | TO(BT_PAUSED) | TO(BT_KILLING) | ENDS,
    [BT_SUCCESS] = TO(BT_RESTARTED) | TO(BT_RUNNING) | ENDS,
    [BT_WARNING] = TO(BT_RESTARTED) | TO(BT_RUNNING) | ENDS,
    [BT_FAILED] = TO(BT_RESTARTED) | TO(BT_RUNNING) | ENDS,
    [BT_KILLED] = TO(BT_RESTARTED) | TO(BT_RUNNING) | ENDS,
    [BT_CANCELLED] = TO(BT_RESTARTED) | TO(BT_RUNNING) | ENDS,
    [BT_RETRIED] = 0,
    [BT_SKIPPED] = TO(BT_RESTARTED),
};

const char *bt_state_name(enum bt_state state)
{
    assert(state < BT_STATE_COUNT);
    return names[state];
}

bool bt_state_parse(struct bt_str text, enum bt_state *ret_state)
{
    for (unsigned state = 0; state < BT_STATE_COUNT; state++) {
        if (bt_str_is(text, names[state])) {
            *ret_state = (enum bt_state)state;
            return true;
        }
    }
    return false;
}

bool bt_state_is_ended(enum bt_state state)
{
    return (TO(state) & (ENDS | TO(BT_RETRIED) | TO(BT_SKIPPED))) != 0;
}

bool bt_state_is_legal(enum bt_state from, enum bt_state to)
{
    assert(from < BT_STATE_COUNT && to < BT_STATE_COUNT);
    return (legal[from] & TO(to)) != 0;
}
