/* core.h — Tasks of our own that work on files (`storage.*`, `state.*`), run within the worker.
 *
 * A run has a thread of its own and may block; it streams, and looks between two blocks whether it
 * is to end. It touches nothing of its slot but what stands here. */
#pragma once
#include "worker/asks.h"
#include "worker/runner/protocol.h"
#include "worker/runner/stage.h"

struct bt_core {
    /* Borrowed, set by the caller. */
    struct bt_files *files;
    struct bt_job *job;
    struct bt_asks *asks;         /* Of expressions that are rendered for each line. */
    const struct bt_value *props; /* Rendered; those that are `x-late` are not among them. */
    const struct bt_stage *stage; /* Its working directory, not made yet. */
    struct bt_capture *capture;   /* Takes metrics. */
    const _Atomic bool *is_over;  /* It was killed, or its time has passed. */
    /* What comes of it: owned by the caller. */
    struct bt_value *outputs;    /* A map that runs put their outputs into. */
    struct bt_stage_notes notes; /* About single files. */
};

/* BT_ABORTED: because of is_over. */
typedef int (*bt_core_run)(struct bt_core *core, struct bt_err *err);

/* Who runs tasks of this type; NULL: not a task of this room. */
bt_core_run bt_core_find(const struct bt_type *type);
