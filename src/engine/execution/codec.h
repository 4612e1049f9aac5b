/* codec.h — Rows as text for the journal: one named encoding (JSON), each record with a version.
 *
 * A record of a newer version than this program knows is refused (BT_CORRUPT), never guessed. */
#pragma once
#include "engine/execution/event.h"
#include "engine/execution/rows.h"

enum { BT_RECORD_VERSION = 1 };

int bt_exec_encode(const struct bt_exec *exec, struct bt_buf *out);
int bt_exec_decode(struct bt_str text, struct bt_exec **ret_exec, struct bt_err *err);
int bt_taskrun_encode(const struct bt_taskrun *run, struct bt_buf *out);
int bt_taskrun_decode(struct bt_str text, struct bt_taskrun **ret_run, struct bt_err *err);
int bt_event_encode(const struct bt_event *event, struct bt_buf *out);
int bt_event_decode(struct bt_str text, struct bt_event *ret_event, struct bt_err *err);
