/* stage_int.h — Shared by the files that bring and store files. */
#pragma once
#include "worker/runner/stage.h"

/* A relative path that cannot lead out of its directory. */
bool bt_stage_is_inside(struct bt_str path);
/* A file of the internal storage, as `path` in the directory. */
int bt_stage_copy_in(const struct bt_stage *stage, int dir, const char *path, struct bt_str uri,
                     struct bt_err *err);
/* space.c: the files of the namespace that the plan wants. */
int bt_stage_bring_space(const struct bt_stage *stage, int dir, struct bt_err *err);
/* cache.c: what the last execution has kept, if it is good. A damaged one is only told; the
 * directory is then made anew, and *dir with it. */
int bt_stage_restore_cache(const struct bt_stage *stage, int *dir, struct bt_err *err);
/* Remembers how the cached files are now. */
void bt_stage_mark_cache(const struct bt_stage *stage, int dir);
