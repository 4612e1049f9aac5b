/* find.h — Files of a directory by names and globs. */
#pragma once
#include "worker/runner/stage.h"

/* Relative paths: sorted, each once. */
struct bt_found {
    char **names; /* Owned. */
    size_t count, cap;
};
void bt_found_done(struct bt_found *found);

struct bt_find {
    const char *what;             /* The property, for messages. */
    const char *skip;             /* A file that does not count, or NULL. */
    struct bt_stage_notes *notes; /* Plain names that are missing are told; NULL: they are not. */
};
/* At most BT_OUTPUT_FILES_MAX files (BT_LIMIT). On failure *found holds some of them. */
int bt_find_files(int dir, const struct bt_value *patterns, const struct bt_find *how,
                  struct bt_found *found, struct bt_err *err);
int bt_find_all(int dir, const struct bt_find *how, struct bt_found *found, struct bt_err *err);
/* Opens one of them for reading. BT_DENIED: a link that leads out. BT_NOT_FOUND: no regular file.
 * *ret_size_bytes may be NULL. */
int bt_find_open(int dir, const char *path, int *ret_fd, int64_t *ret_size_bytes,
                 struct bt_err *err);
