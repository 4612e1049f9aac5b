/* fs_tree.c — Walking and removing trees. Must never follow a symbolic link. */
#include "sys/fs.h"

#include "base/limits.h"
#include "base/own.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMOVE_DEPTH_MAX = 32, PATH_SIZE = 4096 };

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir); /* Read only. */
}
#define DIR_LOCAL BT_CLEANUP(close_dir) DIR

static DIR *open_dir(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !dir)
        (void)close(fd); /* Out of memory; the caller sees NULL. */
    return dir;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Where too deep trees are moved, so that the depth of the recursion stays bounded. */
struct removal {
    int top; /* Directory that is being emptied, or -1 before. */
    unsigned depth;
    unsigned moved; /* Directories moved to the top so far. */
};

static int remove_entry(struct removal *removal, int at, const char *name);

static int empty_dir(struct removal *removal, DIR *dir)
{
    int rc = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (!is_dots(entry->d_name) && remove_entry(removal, dirfd(dir), entry->d_name) < 0)
            rc = -1;
    }
    return rc;
}

static int move_up(struct removal *removal, int at, const char *name)
{
    char target[32];
    (void)snprintf(target, sizeof target, ".rm-%u", ++removal->moved); /* Fits. */
    return renameat(at, name, removal->top, target);
}

static int remove_dir(struct removal *removal, int at, const char *name)
{
    if (removal->depth >= REMOVE_DEPTH_MAX)
        return move_up(removal, at, name);
    DIR_LOCAL *dir = open_dir(at, name);
    if (!dir && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
        dir = open_dir(at, name);
    if (!dir)
        return errno == ENOENT ? 0 : -1;
    bool is_top = removal->top < 0;
    if (is_top)
        removal->top = dirfd(dir);
    removal->depth++;
    int rc = empty_dir(removal, dir);
    if (rc < 0 && errno == EACCES && fchmod(dirfd(dir), 0700) == 0) {
        rewinddir(dir);
        rc = empty_dir(removal, dir);
    }
    for (unsigned seen = 0; rc == 0 && is_top && seen != removal->moved;) {
        seen = removal->moved;
        rewinddir(dir);
        rc = empty_dir(removal, dir);
    }
    removal->depth--;
    if (is_top)
        removal->top = -1;
    return rc == 0 && unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : rc;
}

static int remove_entry(struct removal *removal, int at, const char *name)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
        return -1;
    if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
        return -1;
    return remove_dir(removal, at, name);
}

int bt_fs_remove_tree(int root, const char *name, struct bt_err *err)
{
    struct removal removal = {.top = -1};
    if (unlinkat(root, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return BT_OK;
    if (remove_entry(&removal, root, name) < 0)
        return bt_fs_fail(err, errno, "cannot remove", name);
    return BT_OK;
}

struct walk {
    bt_fs_visit visit;
    void *data;
    unsigned depth;
    char path[PATH_SIZE];
    struct bt_err *err;
};

static int walk_dir(struct walk *walk, DIR *dir, size_t len);

static int walk_entry(struct walk *walk, DIR *dir, size_t len, const struct dirent *entry)
{
    size_t name_len = strlen(entry->d_name);
    if (len + name_len + 2 > sizeof walk->path)
        return bt_fail(walk->err, BT_LIMIT, "path '%s/…' is too long", walk->path);
    memcpy(walk->path + len, entry->d_name, name_len + 1);
    unsigned char type = entry->d_type;
    if (type == DT_UNKNOWN) {
        struct stat at;
        if (fstatat(dirfd(dir), entry->d_name, &at, AT_SYMLINK_NOFOLLOW) == 0)
            type = (unsigned char)IFTODT(at.st_mode);
    }
    if (type != DT_DIR)
        return walk->visit(walk->data, walk->path, type, walk->err);
    if (walk->depth >= BT_WALK_DEPTH_MAX)
        return bt_fail(walk->err, BT_LIMIT, "directories are nested deeper than %d",
                       BT_WALK_DEPTH_MAX);
    DIR_LOCAL *inner = open_dir(dirfd(dir), entry->d_name);
    if (!inner)
        return errno == ENOENT ? BT_OK
                               : bt_fs_fail(walk->err, errno, "cannot read directory", walk->path);
    memcpy(walk->path + len + name_len, "/", 2);
    walk->depth++;
    int rc = walk_dir(walk, inner, len + name_len + 1);
    walk->depth--;
    return rc;
}

static int walk_dir(struct walk *walk, DIR *dir, size_t len)
{
    struct dirent *entry;
    int rc = BT_OK;
    while (rc == BT_OK && (entry = readdir(dir))) {
        if (!is_dots(entry->d_name))
            rc = walk_entry(walk, dir, len, entry);
    }
    walk->path[len] = '\0';
    return rc;
}

int bt_fs_walk(int root, bt_fs_visit visit, void *data, struct bt_err *err)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (!walk)
        return bt_fail_mem(err, "walk");
    *walk = (struct walk){.visit = visit, .data = data, .err = err};
    DIR_LOCAL *dir = open_dir(root, ".");
    int rc = dir ? walk_dir(walk, dir, 0) : bt_fs_fail(err, errno, "cannot read directory", ".");
    free(walk);
    return rc;
}
