/* shape.h — What clients see of flows, executions and logs: the original's JSON shapes.
 *
 * Written straight into a buffer: an execution may have 100,000 task runs. Failures stay in the
 * buffer (bt_buf_check). Pure. */
#pragma once
#include "engine/execution/rows.h"
#include "store/store.h"

/* "2026-11-24T06:04:26.655Z", quoted: milliseconds only where there are some. */
void bt_shape_date(int64_t at_us, struct bt_buf *out);
/* "PT5.048S", quoted. */
void bt_shape_duration(int64_t us, struct bt_buf *out);

/* An execution's members from `{` up to before its closing brace; `is_light`: as in lists, without
 * inputs, outputs, variables and metadata. */
void bt_shape_exec(const struct bt_exec *exec, bool is_light, int64_t now_us, struct bt_buf *out);
/* A task run, whole. */
struct bt_run_shape {
    const struct bt_exec *exec;
    const struct bt_taskrun *run;
    const char *task_id;
    const struct bt_id *parent; /* Of the enclosing flowable's run, or NULL. */
    int64_t now_us;
};
void bt_shape_run(const struct bt_run_shape *shape, struct bt_buf *out);
/* Without its outputs. */
void bt_shape_run_light(const struct bt_run_shape *shape, struct bt_buf *out);
/* A log entry, whole. `run` and `task_id` are NULL for a line of the execution itself. */
void bt_shape_log(const struct bt_exec *exec, const struct bt_id *run, const char *task_id,
                  const struct bt_log_entry *entry, struct bt_buf *out);
/* A flow as a map; with `has_source` its text too. */
int bt_shape_flow(const struct bt_flow *flow, bool is_deleted, bool has_source,
                  struct bt_value **ret_value, struct bt_err *err);
/* A flow for somebody who runs it: tasks with their ids and types only. */
int bt_shape_flow_brief(const struct bt_flow *flow, bool is_deleted, struct bt_value **ret_value,
                        struct bt_err *err);
/* Likewise one task or trigger, a map as it was written, with what is in it. NULL without memory.
 */
struct bt_value *bt_shape_task_brief(const struct bt_value *task);
/* Diagnostics as the original lists violations: [{message, path}]. NULL without memory. */
struct bt_value *bt_shape_violations(const struct bt_diags *diags);
/* The same as one text, "path: message" a line; what is wrong with the YAML, and types that are not
 * known, without a path. */
void bt_shape_violations_text(const struct bt_diags *diags, struct bt_buf *out);
