/* jq.h — Programs of the jq language (1.6) over values: pure and bounded.
 *
 * No file, no environment, no clock: `input`, `env`, `now` and the like do not exist. Limits: those
 * of expressions (base/limits.h). */
#pragma once
#include "value/value.h"

/* Runs the program; *ret_results is a list of everything it gives. BT_INVALID: the program is wrong
 * or raised an error, in jq's words; BT_LIMIT; BT_NO_MEM. A lazy input is materialised. */
int bt_jq_run(struct bt_str program, const struct bt_value *input, struct bt_value **ret_results,
              struct bt_err *err);
