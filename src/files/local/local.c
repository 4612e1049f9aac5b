/* local.c — Internal storage in a directory: <root>/<tenant>/<path>. Must never follow a link, show
 * a file before it is whole and synced, or leave the tenant's folder.
 *
 * A file is written to <root>/.tmp under a random name, synced, and renamed into its place; then
 * the directories above it are synced as far up as they are new. A writer holds a lock on its file,
 * so that whoever opens the storage next can tell the leftovers of a dead one. */
#include "base/limits.h"
#include "base/own.h"
#include "files/backend.h"
#include "sys/fs.h"
#include "sys/random.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = BT_PATH_BYTES_MAX + 80, NAME_SIZE = 24, CREATE_TRIES_MAX = 16 };

struct local_files {
    struct bt_files base;
    int root;
    int temp; /* Directory of the unfinished files. */
};

struct local_writer {
    struct bt_file_writer base;
    int fd;
    char name[NAME_SIZE]; /* In `temp`. */
    char path[PATH_SIZE]; /* Beneath `root`. */
};

static struct local_files *local(struct bt_files *files)
{
    return BT_CONTAINER(files, struct local_files, base);
}

static struct local_writer *own(struct bt_file_writer *writer)
{
    return BT_CONTAINER(writer, struct local_writer, base);
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* Removes what a writer left that is no more. */
static int sweep_one(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    const struct local_files *files = data;
    (void)type;
    BT_FD fd = -1;
    if (bt_fs_open(files->temp, path, O_RDONLY | O_NOFOLLOW, &fd, err) < 0)
        return BT_OK; /* Gone, or not ours to judge. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(files->temp, path, 0); /* Left for the next time if it fails. */
    return BT_OK;
}

static void close_files(struct bt_files *files)
{
    bt_fd_close(&local(files)->root);
    bt_fd_close(&local(files)->temp);
    free(local(files));
}

/* The path beneath the root: the tenant's folder first. */
static int full_path(const char *tenant, struct bt_str uri, char *at, struct bt_err *err)
{
    struct bt_str path;
    BT_TRY(bt_files_path(uri, &path, err));
    size_t tenant_len = strlen(tenant);
    if (tenant_len == 0 || tenant_len > 64 || tenant[0] == '.' || strchr(tenant, '/'))
        return bt_fail(err, BT_INVALID, "'%s' is not the name of a tenant", tenant);
    if (snprintf(at, PATH_SIZE, "%s/%.*s", tenant, (int)path.len, path.at) >= PATH_SIZE)
        return bt_fail(err, BT_LIMIT, "a path of the internal storage is too long");
    return BT_OK;
}

static int file_path(const char *tenant, struct bt_str uri, char *at, struct bt_err *err)
{
    BT_TRY(full_path(tenant, uri, at, err));
    if (bt_str_ends(uri, BT_STR("/")))
        return bt_fail(err, BT_INVALID, "'%.*s' names a directory, not a file", BT_FMT(uri));
    return BT_OK;
}

/* The error of the file system, in words about the URI. */
static int fail_uri(struct bt_err *err, int errno_value, const char *what, struct bt_str uri)
{
    if (errno_value == ENOENT || errno_value == ENOTDIR)
        return bt_fail(err, BT_NOT_FOUND, "file '%.*s' does not exist", BT_FMT(uri));
    char text[512];
    (void)snprintf(text, sizeof text, "%.*s", BT_FMT(uri)); /* Cut is fine in a message. */
    return bt_fs_fail(err, errno_value, what, text);
}

/* --- Writing ---------------------------------------------------------------------------------- */

static int create_temp(struct local_writer *writer, struct bt_err *err)
{
    for (int tries = 0; tries < CREATE_TRIES_MAX; tries++) {
        (void)snprintf(writer->name, sizeof writer->name, "%016" PRIx64, bt_random_u64());
        int fd = openat(local(writer->base.files)->temp, writer->name,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return bt_fs_fail(err, errno, "cannot create a file in", "internal storage");
        struct stat at;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &at) == 0 && at.st_nlink == 1) {
            writer->fd = fd;
            return BT_OK;
        }
        (void)close(fd); /* Somebody who opened the storage just now took it for a leftover. */
    }
    return bt_fail(err, BT_IO, "cannot create a file in the internal storage");
}

static int create(struct bt_files *files, const char *tenant, struct bt_str uri,
                  struct bt_file_writer **ret_writer, struct bt_err *err)
{
    struct local_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return bt_fail_mem(err, "file");
    writer->base.files = files;
    writer->fd = -1;
    int rc = file_path(tenant, uri, writer->path, err);
    if (rc == BT_OK)
        rc = create_temp(writer, err);
    if (rc < 0) {
        free(writer);
        return rc;
    }
    *ret_writer = &writer->base;
    return BT_OK;
}

static int write_bytes(struct bt_file_writer *base, const void *at, size_t len, struct bt_err *err)
{
    struct local_writer *writer = own(base);
    return bt_fs_write(writer->fd, at, len, err);
}

/* Number of directories above `path` that do not exist yet. */
static unsigned missing_above(int root, const char *path)
{
    char copy[PATH_SIZE];
    unsigned count = 0;
    (void)snprintf(copy, sizeof copy, "%s", path); /* Fits: as long as writer->path. */
    char *slash;
    while ((slash = strrchr(copy, '/'))) {
        *slash = '\0';
        if (faccessat(root, copy, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            break;
        count++;
    }
    return count;
}

static int move_into_place(struct local_writer *writer, unsigned *ret_made, struct bt_err *err)
{
    const struct local_files *files = local(writer->base.files);
    const char *slash = strrchr(writer->path, '/');
    assert(slash); /* The tenant's folder at least. */
    char above[PATH_SIZE];
    (void)snprintf(above, sizeof above, "%.*s", (int)(slash - writer->path), writer->path);
    for (int tries = 0;; tries++) {
        BT_FD dir = -1;
        int rc = bt_fs_open(files->root, above, O_PATH | O_DIRECTORY | O_NOFOLLOW, &dir, err);
        if (rc == BT_OK && renameat(files->temp, writer->name, dir, slash + 1) == 0)
            return BT_OK;
        if (rc == BT_OK && errno == EISDIR)
            return bt_fail(err, BT_INVALID, "cannot store '%s': a directory has this name",
                           slash + 1);
        if (rc == BT_OK && errno != ENOENT)
            return bt_fs_fail(err, errno, "cannot store", slash + 1);
        if (rc < 0 && rc != BT_NOT_FOUND)
            return rc;
        if (tries > 3)
            return bt_fail(err, BT_INVALID, "cannot store '%s': what is no directory is in its way",
                           slash + 1);
        *ret_made += missing_above(files->root, writer->path);
        BT_TRY(bt_fs_mkdirs(files->root, above, err));
    }
}

static void abort_writer(struct bt_file_writer *base)
{
    struct local_writer *writer = own(base);
    (void)unlinkat(local(base->files)->temp, writer->name,
                   0); /* Else the next opening sweeps it. */
    bt_fd_close(&writer->fd);
    free(writer);
}

static int commit(struct bt_file_writer *base, struct bt_err *err)
{
    struct local_writer *writer = own(base);
    unsigned made = 0;
    int rc = BT_OK;
    if (fdatasync(writer->fd) < 0)
        rc = bt_fs_fail(err, errno, "cannot sync", "file");
    if (rc == BT_OK)
        rc = move_into_place(writer, &made, err);
    if (rc < 0) {
        abort_writer(base);
        return rc;
    }
    rc = bt_fs_sync_above(local(writer->base.files)->root, writer->path, made, err);
    bt_fd_close(&writer->fd);
    free(writer);
    return rc;
}

static int put_fd(struct bt_files *files, const char *tenant, struct bt_str uri, int fd,
                  struct bt_err *err)
{
    struct bt_file_writer *writer = NULL;
    BT_TRY(create(files, tenant, uri, &writer, err));
    assert(writer);
    int rc = bt_fs_copy(fd, own(writer)->fd, err);
    if (rc == BT_OK)
        return commit(writer, err);
    abort_writer(writer);
    return rc;
}

/* --- Reading and deleting --------------------------------------------------------------------- */

static int open_file(struct bt_files *files, const char *tenant, struct bt_str uri, int *ret_fd,
                     struct bt_err *err)
{
    char path[PATH_SIZE];
    BT_TRY(file_path(tenant, uri, path, err));
    BT_FD fd = -1;
    int rc = bt_fs_open(local(files)->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, &fd, err);
    if (rc == BT_NOT_FOUND)
        return fail_uri(err, ENOENT, "", uri);
    if (rc < 0)
        return rc;
    struct stat at;
    if (fstat(fd, &at) < 0)
        return fail_uri(err, errno, "cannot read", uri);
    if (!S_ISREG(at.st_mode))
        return bt_fail(err, BT_INVALID, "'%.*s' is not a file", BT_FMT(uri));
    *ret_fd = bt_fd_take(&fd);
    return BT_OK;
}

static int file_size(struct bt_files *files, const char *tenant, struct bt_str uri,
                     int64_t *ret_size_bytes, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_TRY(open_file(files, tenant, uri, &fd, err));
    struct stat at;
    if (fstat(fd, &at) < 0)
        return fail_uri(err, errno, "cannot read", uri);
    *ret_size_bytes = at.st_size;
    return BT_OK;
}

/* Opens the directory that `path` stands in. */
static int open_above(const struct local_files *files, char *path, int *ret_dir, struct bt_err *err)
{
    char *slash = strrchr(path, '/');
    assert(slash); /* The tenant's folder at least. */
    *slash = '\0';
    int rc = bt_fs_open(files->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, ret_dir, err);
    *slash = '/';
    return rc;
}

static int remove_file(struct bt_files *files, const char *tenant, struct bt_str uri,
                       struct bt_err *err)
{
    char path[PATH_SIZE];
    BT_TRY(file_path(tenant, uri, path, err));
    BT_FD dir = -1;
    int rc = open_above(local(files), path, &dir, err);
    if (rc == BT_NOT_FOUND)
        return fail_uri(err, ENOENT, "", uri);
    if (rc < 0)
        return rc;
    if (unlinkat(dir, strrchr(path, '/') + 1, 0) < 0)
        return fail_uri(err, errno, "cannot delete", uri);
    return BT_OK;
}

static int remove_tree(struct bt_files *files, const char *tenant, struct bt_str uri,
                       struct bt_err *err)
{
    char path[PATH_SIZE];
    BT_TRY(full_path(tenant, uri, path, err));
    size_t len = strlen(path);
    if (path[len - 1] != '/')
        return bt_fail(err, BT_INVALID, "'%.*s' does not name a directory: no '/' at its end",
                       BT_FMT(uri));
    path[len - 1] = '\0';
    BT_FD dir = -1;
    int rc = open_above(local(files), path, &dir, err);
    if (rc == BT_NOT_FOUND)
        return BT_OK;
    if (rc < 0)
        return rc;
    return bt_fs_remove_tree(dir, strrchr(path, '/') + 1, err);
}

/* --- Folders ---------------------------------------------------------------------------------- */

static int64_t us_of(const struct statx_timestamp *at)
{
    return at->tv_sec * 1000000 + at->tv_nsec / 1000;
}

static int look_at(int dir, const char *name, struct bt_file_info *ret_info)
{
    struct statx at;
    if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &at) < 0)
        return -1;
    if (!S_ISREG(at.stx_mode) && !S_ISDIR(at.stx_mode)) {
        errno = ENOENT; /* No file of ours. */
        return -1;
    }
    *ret_info = (struct bt_file_info){
        .is_folder = S_ISDIR(at.stx_mode),
        .size_bytes = (int64_t)at.stx_size,
        .modified_us = us_of(&at.stx_mtime),
        .created_us = us_of(at.stx_mask & STATX_BTIME ? &at.stx_btime : &at.stx_mtime)};
    return 0;
}

/* The path without '/' at its end. */
static int place_path(const char *tenant, struct bt_str uri, char *path, struct bt_err *err)
{
    BT_TRY(full_path(tenant, uri, path, err));
    size_t len = strlen(path);
    if (path[len - 1] == '/')
        path[len - 1] = '\0';
    return BT_OK;
}

/* The directory that it stands in. */
static int open_place(struct bt_files *files, char *path, struct bt_str uri, int *ret_dir,
                      struct bt_err *err)
{
    int rc = open_above(local(files), path, ret_dir, err);
    return rc == BT_NOT_FOUND ? fail_uri(err, ENOENT, "", uri) : rc;
}

static int stat_one(struct bt_files *files, const char *tenant, struct bt_str uri,
                    struct bt_file_info *ret_info, struct bt_err *err)
{
    char path[PATH_SIZE];
    BT_FD dir = -1;
    BT_TRY(place_path(tenant, uri, path, err));
    BT_TRY(open_place(files, path, uri, &dir, err));
    return look_at(dir, strrchr(path, '/') + 1, ret_info) < 0
               ? fail_uri(err, errno, "cannot read", uri)
               : BT_OK;
}

static int list_folder(struct bt_files *files, const char *tenant, struct bt_str uri,
                       const struct bt_folder_sink *sink, struct bt_err *err)
{
    char path[PATH_SIZE];
    BT_FD fd = -1;
    BT_TRY(full_path(tenant, uri, path, err));
    int rc = bt_fs_open(local(files)->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &fd, err);
    if (rc == BT_NOT_FOUND)
        return BT_OK;
    BT_TRY(rc);
    DIR *dir = fdopendir(fd);
    if (!dir)
        return bt_fail_errno(err, BT_IO, errno, "cannot read a folder");
    int inner = bt_fd_take(&fd); /* It is the stream's now. */
    for (struct dirent *entry; rc == BT_OK && (entry = readdir(dir));) {
        struct bt_file_info info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            look_at(inner, entry->d_name, &info) < 0)
            continue;
        rc = sink->each(sink->data, bt_str_of(entry->d_name), &info);
    }
    (void)closedir(dir); /* Nothing was written. */
    return rc;
}

static int make_folder(struct bt_files *files, const char *tenant, struct bt_str uri,
                       struct bt_err *err)
{
    char path[PATH_SIZE];
    BT_FD dir = -1;
    BT_TRY(place_path(tenant, uri, path, err));
    int rc = bt_fs_mkdirs(local(files)->root, path, err);
    if (rc == BT_OK) /* What was there before may be no directory. */
        rc = bt_fs_open(local(files)->root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, &dir, err);
    return rc == BT_NOT_FOUND
               ? bt_fail(err, BT_INVALID, "'%.*s': what is no directory is in its way", BT_FMT(uri))
               : rc;
}

static bool is_inside(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

static int refuse_move(const struct bt_file_move *move, struct bt_err *err)
{
    return bt_fail(err, BT_INVALID, "'%.*s' cannot be moved there: '%.*s' is in the way",
                   BT_FMT(move->from), BT_FMT(move->to));
}

static int move_one(struct bt_files *files, const char *tenant, const struct bt_file_move *move,
                    struct bt_err *err)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    struct bt_file_info info;
    BT_FD from_dir = -1, to_dir = -1;
    BT_TRY(place_path(tenant, move->from, from, err));
    BT_TRY(open_place(files, from, move->from, &from_dir, err));
    BT_TRY(file_path(tenant, move->to, to, err));
    if (look_at(from_dir, strrchr(from, '/') + 1, &info) < 0)
        return fail_uri(err, errno, "cannot move", move->from);
    if (is_inside(to, from)) /* No folder is made for it. */
        return refuse_move(move, err);
    int rc = bt_fs_mkdirs_above(local(files)->root, to, err);
    if (rc == BT_OK)
        rc = open_above(local(files), to, &to_dir, err);
    if (rc < 0)
        return rc == BT_NOT_FOUND ? refuse_move(move, err) : rc;
    if (renameat(from_dir, strrchr(from, '/') + 1, to_dir, strrchr(to, '/') + 1) < 0) {
        if (errno == EISDIR || errno == ENOTDIR || errno == ENOTEMPTY || errno == EEXIST ||
            errno == EINVAL)
            return refuse_move(move, err);
        return fail_uri(err, errno, "cannot move", move->from);
    }
    BT_TRY(bt_fs_sync_above(local(files)->root, from, 0, err));
    return bt_fs_sync_above(local(files)->root, to, 0, err);
}

static bool drop_empty(struct bt_files *files, const char *tenant, struct bt_str uri)
{
    char path[PATH_SIZE];
    BT_FD dir = -1;
    return place_path(tenant, uri, path, NULL) == BT_OK &&
           open_place(files, path, uri, &dir, NULL) == BT_OK &&
           unlinkat(dir, strrchr(path, '/') + 1, AT_REMOVEDIR) == 0;
}

/* --- The backend ------------------------------------------------------------------------------ */

static const struct bt_files_ops ops = {
    .create = create,
    .write = write_bytes,
    .commit = commit,
    .abort = abort_writer,
    .put_fd = put_fd,
    .open = open_file,
    .size = file_size,
    .remove = remove_file,
    .remove_tree = remove_tree,
    .close = close_files,
    .stat = stat_one,
    .list = list_folder,
    .make_folder = make_folder,
    .move = move_one,
    .drop_empty = drop_empty,
};

int bt_files_open_local(const char *root, struct bt_files **ret_files, struct bt_err *err)
{
    BT_FD root_fd = -1;
    BT_TRY(bt_fs_open_root(root, &root_fd, err));
    BT_TRY(bt_fs_mkdirs(root_fd, ".tmp", err));
    BT_FD temp = -1;
    BT_TRY(bt_fs_open(root_fd, ".tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &temp, err));
    struct local_files *files = calloc(1, sizeof *files);
    if (!files)
        return bt_fail_mem(err, "internal storage");
    files->base.ops = &ops;
    files->root = bt_fd_take(&root_fd);
    files->temp = bt_fd_take(&temp);
    (void)bt_fs_walk(files->temp, sweep_one, files, NULL); /* Leftovers only cost room. */
    *ret_files = &files->base;
    return BT_OK;
}
