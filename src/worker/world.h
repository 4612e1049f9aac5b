/* world.h — What a worker asks of its surroundings on behalf of a job: secrets, key-values, logs.
 *
 * In the server's process service/world.h answers; a worker elsewhere asks its server over the
 * stream (remote/remote_world.h). It has no database and no key.
 *
 *     secret      {key}                             → text
 *     kv          {key, namespace, errorOnMissing}  → value, null when there is none
 *     errorLogs   {}                                → list of {taskId, message, …}
 *     logs        {executionId, namespace, flowId, level, from}
 *                 → {lines, next}: a page of its lines from number `from` on; no `next`: the last
 *     seal        {text, masked}                    → a sealed value (value/sealed.h)
 *     unseal      {value}                           → the text of a sealed value */
#pragma once
#include "value/value.h"

struct bt_question {
    const char *tenant, *namespace, *exec_id; /* Who asks. */
    const char *function;
    const struct bt_value *args;
};

struct bt_world {
    void *data;
    /* May block; any thread. BT_INVALID, BT_NOT_FOUND: the answer to the question, in words for the
     * flow's author. NULL: there is no world, everything is refused. */
    int (*ask)(void *data, const struct bt_question *question, struct bt_value **ret_value,
               struct bt_err *err);
};
