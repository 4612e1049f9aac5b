/* plugin_match.h — Whether a result is what an example expects. */
#pragma once
#include "engine/job.h"
#include "files/files.h"

/* `expect`: {state, error, outputs, files}, each may be absent. A map must have the given keys; a
 * map of the one key `contains`, `startsWith` or `any` is a matcher; anything else must be equal.
 * `files` compares the contents of files whose URIs are outputs. BT_OK, or BT_INVALID with the
 * first difference. */
int bt_plugin_match(struct bt_files *files, const struct bt_job_result *result,
                    const struct bt_value *expect, struct bt_err *err);
