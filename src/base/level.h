/* level.h — Levels of log lines. */
#pragma once
#include "base/str.h"

enum bt_level { BT_LEVEL_TRACE, BT_LEVEL_DEBUG, BT_LEVEL_INFO, BT_LEVEL_WARN, BT_LEVEL_ERROR };
enum { BT_LEVEL_COUNT = BT_LEVEL_ERROR + 1 };

const char *bt_level_name(enum bt_level level); /* "TRACE" … */
bool bt_level_parse(struct bt_str text, enum bt_level *ret_level);
