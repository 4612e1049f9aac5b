/* fs.c — Files beneath a root. Must never follow a path out of it. */
#include "sys/fs.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs_int.h"

#include <assert.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, DIR_MODE = 0700, FILE_MODE = 0600, COPY_STEP = 1 << 30 };

enum bt_code bt_fs_code(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR: return BT_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY: return BT_EXISTS;
    case EXDEV:
    case ELOOP:
    case EACCES:
    case EPERM:
    case EROFS: return BT_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENAMETOOLONG: return BT_LIMIT;
    case ENOMEM: return BT_NO_MEM;
    default: return BT_IO;
    }
}

int bt_fs_fail(struct bt_err *err, int errno_value, const char *what, const char *path)
{
    if (errno_value == EXDEV || errno_value == ELOOP)
        return bt_fail(err, BT_DENIED, "%s '%s': the path leaves its directory", what, path);
    int rc = bt_fail_errno(err, bt_fs_code(errno_value), errno_value, "%s '%s'", what, path);
    if (errno_value == ENOSPC || errno_value == EDQUOT)
        (void)bt_hint(err, "free some disk space and try again"); /* Returns the code again. */
    return rc;
}

void bt_fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* Nothing to do about it; data was synced where it matters. */
    *fd = -1;
}

int bt_fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Without openat2(2): one part after the other, no links at all. */
int fs_open_stepwise(int root, const char *path, int flags)
{
    char part[PATH_SIZE];
    int dir = root;
    int fd = -1;
    if (path[0] == '/')
        return errno = EXDEV, -1;
    for (const char *at = path;;) {
        size_t len = strcspn(at, "/");
        if (len >= sizeof part)
            return errno = ENAMETOOLONG, -1;
        memcpy(part, at, len);
        part[len] = '\0';
        if (strcmp(part, "..") == 0)
            fd = -1, errno = EXDEV;
        else if (at[len] == '\0')
            fd = openat(dir, len ? part : ".", flags | O_NOFOLLOW, FILE_MODE);
        else
            fd = openat(dir, len ? part : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        if (dir != root)
            (void)close(dir); /* An O_PATH descriptor holds nothing. */
        errno = saved;
        if (fd < 0 || at[len] == '\0')
            return fd;
        dir = fd;
        at += len + 1;
    }
}

static int open_beneath(int root, const char *path, int flags)
{
    static atomic_bool is_missing;
    flags |= O_CLOEXEC;
    if (atomic_load_explicit(&is_missing, memory_order_relaxed))
        return fs_open_stepwise(root, path, flags);
    struct open_how how = {
        .flags = (unsigned)flags,
        .mode = (flags & O_CREAT) ? FILE_MODE : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    if (flags & O_NOFOLLOW)
        how.resolve |= RESOLVE_NO_SYMLINKS;
    for (int tries = 0; tries < 64; tries++) {
        long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        if (errno == ENOSYS) {
            atomic_store_explicit(&is_missing, true, memory_order_relaxed);
            return fs_open_stepwise(root, path, flags);
        }
        if (errno != EAGAIN && errno != EINTR)
            return -1;
    }
    return -1;
}

int bt_fs_open(int root, const char *path, int flags, int *ret_fd, struct bt_err *err)
{
    assert(path && ret_fd);
    int fd = open_beneath(root, path, flags);
    if (fd < 0)
        return bt_fs_fail(err, errno, "cannot open", path);
    *ret_fd = fd;
    return BT_OK;
}

/* Makes path[0..len). The parts above it are made when they turn out to be missing. */
static int make_dir(int root, char *path)
{
    int above = root;
    char *slash = strrchr(path, '/');
    if (slash) {
        *slash = '\0';
        above = open_beneath(root, path, O_PATH | O_DIRECTORY);
        if (above < 0 && errno == ENOENT && make_dir(root, path) == 0)
            above = open_beneath(root, path, O_PATH | O_DIRECTORY);
        *slash = '/';
        if (above < 0)
            return -1;
    }
    const char *name = slash ? slash + 1 : path;
    int rc = strcmp(name, "..") == 0 ? (errno = EXDEV, -1) : mkdirat(above, name, DIR_MODE);
    int saved = errno;
    if (above != root)
        (void)close(above); /* An O_PATH descriptor holds nothing. */
    errno = saved;
    return rc < 0 && errno != EEXIST ? -1 : 0;
}

int bt_fs_mkdirs(int root, const char *path, struct bt_err *err)
{
    char copy[PATH_SIZE];
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    if (len >= sizeof copy)
        return bt_fs_fail(err, ENAMETOOLONG, "cannot make directory", path);
    if (len == 0)
        return BT_OK;
    memcpy(copy, path, len);
    copy[len] = '\0';
    if (make_dir(root, copy) < 0)
        return bt_fs_fail(err, errno, "cannot make directory", path);
    return BT_OK;
}

int bt_fs_mkdirs_above(int root, const char *path, struct bt_err *err)
{
    char copy[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    if (!slash)
        return BT_OK;
    size_t len = (size_t)(slash - path);
    if (len >= sizeof copy)
        return bt_fs_fail(err, ENAMETOOLONG, "cannot make directory", path);
    memcpy(copy, path, len);
    copy[len] = '\0';
    return bt_fs_mkdirs(root, copy, err);
}

int bt_fs_open_root(const char *path, int *ret_fd, struct bt_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        bool is_absolute = path[0] == '/';
        BT_FD base = open(is_absolute ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (base < 0)
            return bt_fs_fail(err, errno, "cannot open directory", path);
        char *copy = strdup(path + strspn(path, "/"));
        if (!copy)
            return bt_fail_mem(err, "directory");
        for (char *at = copy; (at = strchr(at, '/')); *at++ = '/') {
            *at = '\0';
            (void)mkdirat(base, copy, DIR_MODE); /* What fails here is told by the open below. */
        }
        (void)mkdirat(base, copy, DIR_MODE); /* The same. */
        free(copy);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return bt_fs_fail(err, errno, "cannot open directory", path);
    *ret_fd = fd;
    return BT_OK;
}

int bt_fs_sync_above(int root, const char *path, unsigned levels, struct bt_err *err)
{
    char copy[PATH_SIZE];
    size_t len = strlen(path);
    if (len >= sizeof copy)
        return bt_fs_fail(err, ENAMETOOLONG, "cannot sync directory of", path);
    memcpy(copy, path, len + 1);
    for (unsigned level = 0; level <= levels; level++) {
        char *slash = strrchr(copy, '/');
        if (slash)
            *slash = '\0';
        BT_FD dir = open_beneath(root, slash ? copy : ".", O_RDONLY | O_DIRECTORY);
        if (dir < 0 || fsync(dir) < 0)
            return bt_fs_fail(err, errno, "cannot sync directory of", path);
        if (!slash)
            break;
    }
    return BT_OK;
}

int bt_fs_write(int fd, const void *at, size_t len, struct bt_err *err)
{
    const char *byte = at;
    while (len > 0) {
        ssize_t put = write(fd, byte, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return bt_fail_errno(err, bt_fs_code(errno), errno, "cannot write");
        byte += put;
        len -= (size_t)put;
    }
    return BT_OK;
}

static int copy_through_memory(int from, int to, struct bt_err *err)
{
    char chunk[1 << 16];
    for (;;) {
        ssize_t got = read(from, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bt_fail_errno(err, bt_fs_code(errno), errno, "cannot read");
        if (got == 0)
            return BT_OK;
        BT_TRY(bt_fs_write(to, chunk, (size_t)got, err));
    }
}

int bt_fs_copy(int from, int to, struct bt_err *err)
{
    bool is_other_way = false; /* sendfile(2) where copy_file_range(2) cannot (two file systems). */
    uint64_t total = 0;
    for (;;) {
        ssize_t put = is_other_way ? sendfile(to, from, NULL, COPY_STEP)
                                   : copy_file_range(from, NULL, to, NULL, COPY_STEP, 0);
        if (put > 0) {
            total += (uint64_t)put;
            continue;
        }
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG))
            return bt_fail_errno(err, bt_fs_code(errno), errno, "cannot copy");
        if (!is_other_way && (put < 0 || total == 0)) {
            is_other_way = true; /* 0 at once: perhaps a file of /proc, which has no size. */
            continue;
        }
        return put == 0 && total > 0 ? BT_OK : copy_through_memory(from, to, err);
    }
}
