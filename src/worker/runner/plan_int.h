/* plan_int.h — Shared by the files that make a plan. */
#pragma once
#include "base/buf.h"
#include "worker/runner/plan.h"

struct bt_planner {
    struct bt_plan *plan;
    const struct bt_job *job;
    const struct bt_plan_place *place;
    struct bt_scope scope;
    struct bt_rng rng;
    struct bt_value *env;     /* Owned map: the rendered `env`, or NULL. */
    struct bt_fetch *fetches; /* In the arena. */
    size_t fetch_cap;
    struct bt_err *err;
};

/* Copies a text with the URIs of the internal storage replaced by paths of local copies. */
int bt_planner_localise(struct bt_planner *planner, struct bt_str text, struct bt_buf *out);
/* The command line for a Python script: fills argv, or appends a shell command to *out when there
 * is a shell (`out` not NULL). */
int bt_planner_python(struct bt_planner *planner, struct bt_str script, struct bt_buf *out);
/* A variable as the command will see it: of `env`, else the server's; NULL when it has none. */
const char *bt_planner_variable(const struct bt_planner *planner, const char *name);
