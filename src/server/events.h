/* events.h — Our stream of deltas: one a tab, for everything that the tab shows.
 *
 * Topics: "executions" (each change of any execution), "execution:ID" (of one and its task runs),
 * "logs:ID" or "logs:ID:LINE" (its log lines, from a line on). Events: hello, execution, run, log,
 * gap (something was missed: fetch again), end (the topic's execution is over). Each carries the
 * whole row as it is now, so that getting one twice does no harm; log lines have numbers. An id
 * resumes the stream (Last-Event-ID) as long as the changes since then are remembered. */
#pragma once
#include "server/http.h"

/* Answers the request with the stream of its query's topics. */
int bt_events_begin(struct bt_request *request, struct bt_err *err);
