/* follow.h — Streams of the original's kind: an execution, or its log lines, as they change.
 *
 * One thread serves all followers: it waits for a change, or for the time to keep connections
 * alive, reads what is new from the store and sends it. A change wakes it; it sends a follower at
 * most ten times a second. */
#pragma once
#include "server/http.h"

enum bt_follow_kind { BT_FOLLOW_EXEC, BT_FOLLOW_LOGS };

/* Answers the request with the stream. Takes the execution. `levels` is for logs. */
int bt_follow_begin(struct bt_request *request, enum bt_follow_kind kind, struct bt_exec *exec,
                    uint32_t levels, struct bt_err *err);
/* Calls `handler` once the execution has ended (now, if it has), the server stops, or `timeout_ms`
 * is over. The handler looks for itself what there is. Returns BT_PENDING. */
int bt_follow_wait(struct bt_request *request, const struct bt_start_result *exec,
                   unsigned timeout_ms, bt_handler *handler, struct bt_err *err);
