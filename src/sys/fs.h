/* fs.h — Files beneath a directory that the caller has open.
 *
 * Every path is relative and resolved beneath `root` (a directory's descriptor): what leaves it, by
 * "..", an absolute part or a symbolic link, is refused with BT_DENIED. Messages name relative
 * paths only. Codes: BT_NOT_FOUND, BT_EXISTS, BT_DENIED, BT_LIMIT (disk full, quota, name too
 * long), BT_IO. Any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>

/* The code of an errno value, and the failure "what 'path': text". */
enum bt_code bt_fs_code(int errno_value);
int bt_fs_fail(struct bt_err *err, int errno_value, const char *what, const char *path);

/* Opens with open(2) flags (close-on-exec is added; O_CREAT makes 0600). With O_NOFOLLOW no link on
 * the way is followed at all. *ret_fd is the caller's. */
int bt_fs_open(int root, const char *path, int flags, int *ret_fd, struct bt_err *err);
/* Makes the directory and those above it (0700). Existing ones are fine. */
int bt_fs_mkdirs(int root, const char *path, struct bt_err *err);
/* The same for the directory that `path` stands in. */
int bt_fs_mkdirs_above(int root, const char *path, struct bt_err *err);
/* Opens the directory at an ordinary path of the machine, made (0700) when missing. */
int bt_fs_open_root(const char *path, int *ret_fd, struct bt_err *err);
/* Syncs the directory that `path` stands in and `levels` further ones above it. */
int bt_fs_sync_above(int root, const char *path, unsigned levels, struct bt_err *err);

/* Removes a file, or a directory with all it holds; links are removed, never followed, and closed
 * directories are opened up. Missing is no error. */
int bt_fs_remove_tree(int root, const char *name, struct bt_err *err);

int bt_fs_write(int fd, const void *at, size_t len, struct bt_err *err);
/* Copies from the position of `from` to its end, in the kernel where it can. */
int bt_fs_copy(int from, int to, struct bt_err *err);

/* Calls `visit` for every entry beneath `root` that is no directory, with its path, until it
 * returns non-zero, which is returned. Directories behind links are not entered. Deeper than
 * BT_WALK_DEPTH_MAX: BT_LIMIT. */
typedef int (*bt_fs_visit)(void *data, const char *path, unsigned char type, struct bt_err *err);
int bt_fs_walk(int root, bt_fs_visit visit, void *data, struct bt_err *err);

void bt_fd_close(int *fd); /* Closes unless negative, sets it to -1. */
#define BT_FD BT_CLEANUP(bt_fd_close) int
int bt_fd_take(int *fd); /* Gives the descriptor away: returns it and leaves -1 behind. */
