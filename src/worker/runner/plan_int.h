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

/* The rendered property: owned, NULL when the task does not have it (or it is null). */
int bt_planner_render(struct bt_planner *planner, const char *name, struct bt_value **ret_value);
/* plan_files.c */
int bt_planner_input_files(struct bt_planner *planner);
int bt_planner_output_files(struct bt_planner *planner);
int bt_planner_space_files(struct bt_planner *planner);
/* A WorkingDirectory: what its OPEN brings, or its CLOSE keeps. */
int bt_planner_place(struct bt_planner *planner);
/* Copies a text with the URIs of the internal storage replaced by paths of local copies. */
int bt_planner_localise(struct bt_planner *planner, struct bt_str text, struct bt_buf *out);
/* The command line for a Python script: fills argv, or appends a shell command to *out when there
 * is a shell (`out` not NULL). */
int bt_planner_python(struct bt_planner *planner, struct bt_str script, struct bt_buf *out);
/* A variable as the command will see it: of `env`, else the server's; NULL when it has none. */
const char *bt_planner_variable(const struct bt_planner *planner, const char *name);
