/* globs.h — Patterns for files of a namespace, as the original has them: one that begins with a
 * letter, a digit or '_' fits in every folder, one with '/' in front beneath the root only. */
#pragma once
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct bt_glob;
struct bt_globs {
    struct bt_glob **items; /* Owned. */
    size_t count, cap;
};

/* BT_INVALID: no glob; BT_LIMIT: too many. */
int bt_globs_add(struct bt_globs *globs, struct bt_str text, struct bt_err *err);
/* Whether one of them fits the path ("dir/a.py"). */
bool bt_globs_match(const struct bt_globs *globs, struct bt_str path);
void bt_globs_done(struct bt_globs *globs);
