/* evaluate.h — An evaluate job (engine/job.h): its templates rendered, each by itself. */
#pragma once
#include "worker/asks.h"

/* Blocks. BT_NEED: a question of http() waits in `asks`; call again with its answer. A template
 * that fails is an answer as well; only lack of memory and of the world's keys fail the whole. */
int bt_evaluate(struct bt_asks *asks, struct bt_value **ret_outputs, struct bt_err *err);
