/* context.h — The variables of a job: those that came with it, and `outputs` and `tasks`, which are
 * fetched by path when the job may reach any of them. Lookups may block. */
#pragma once
#include "engine/job.h"

/* A variable by its name; BT_NOT_FOUND. */
int bt_context_get(const struct bt_job *job, struct bt_str name, struct bt_value **ret_value,
                   struct bt_err *err);
/* All of them as a new map. */
int bt_context_all(const struct bt_job *job, struct bt_value **ret_map, struct bt_err *err);
