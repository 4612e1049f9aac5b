/* home.c — The directory of one worker, and its warden. A directory is locked as long as its worker
 * lives, so that the next worker can tell which ones, and which processes, are left of dead ones.
 */
#include "base/own.h"
#include "sys/fs.h"
#include "sys/random.h"
#include "worker/worker_int.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES_MAX = 16, HOME_NAME_LEN = 2 + BT_WARDEN_KEY_LEN };

/* Removes a directory whose worker is no more, after the processes that bear its mark. */
static void sweep_home(int work, const char *name)
{
    BT_FD fd = -1;
    if (strlen(name) != HOME_NAME_LEN || strncmp(name, "w-", 2) != 0 ||
        bt_fs_open(work, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &fd, NULL) < 0 ||
        flock(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    bt_warden_kill_marked(name + 2);
    (void)bt_fs_remove_tree(work, name, NULL); /* What stays is met again at the next start. */
}

static void sweep_homes(int work)
{
    int fd = openat(work, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        bt_fd_close(&fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)))
        sweep_home(work, entry->d_name);
    (void)closedir(dir); /* Read only. */
}

static int make_home(struct bt_worker *worker, int work, struct bt_err *err)
{
    char name[HOME_NAME_LEN + 1];
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        (void)snprintf(worker->key, sizeof worker->key, "%016" PRIx64, bt_random_u64());
        (void)snprintf(name, sizeof name, "w-%s", worker->key); /* Both fit. */
        if (mkdirat(work, name, 0700) < 0)
            return bt_fail_errno(err, bt_fs_code(errno), errno,
                                 "cannot make a working directory in '%s'",
                                 worker->config.work_dir);
        BT_FD fd = -1;
        struct stat at;
        if (bt_fs_open(work, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &fd, NULL) < 0 ||
            flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &at) < 0 || at.st_nlink == 0)
            continue; /* Another worker, just starting, took it for a leftover. */
        char *base = realpath(worker->config.work_dir, NULL);
        size_t size = base ? strlen(base) + sizeof name + 1 : 0;
        worker->dir = base ? malloc(size) : NULL;
        if (worker->dir)
            (void)snprintf(worker->dir, size, "%s/%s", base, name); /* Fits. */
        free(base);
        worker->root = bt_fd_take(&fd);
        return worker->dir ? BT_OK : bt_fail_mem(err, "working directory");
    }
    return bt_fail(err, BT_BUSY, "cannot make a working directory in '%s'",
                   worker->config.work_dir);
}

int worker_home_open(struct bt_worker *worker, struct bt_err *err)
{
    BT_FD work = -1;
    BT_TRY(bt_fs_open_root(worker->config.work_dir, &work, err));
    sweep_homes(work);
    BT_TRY(make_home(worker, work, err));
    if (strlen(worker->dir) + 2 * NAME_SIZE >= PATH_SIZE)
        return bt_fail(err, BT_LIMIT, "the path of the working directory is too long");
    return BT_OK;
}

void worker_home_close(struct bt_worker *worker)
{
    if (worker->dir)
        (void)bt_fs_remove_tree(AT_FDCWD, worker->dir, NULL); /* The next start removes the rest. */
    free(worker->dir);
    worker->dir = NULL;
    bt_fd_close(&worker->root);
}

int worker_warden(struct bt_worker *worker, struct bt_err *err)
{
    if (worker->warden)
        return BT_OK;
    BT_TRY(bt_warden_start(worker->key, worker->dir, &worker->warden, err));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = EVENT_WARDEN};
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, bt_warden_fd(worker->warden), &event) < 0) {
        int saved = errno;
        worker->warden = bt_warden_stop(worker->warden);
        return bt_fail_errno(err, BT_IO, saved, "cannot watch the warden of processes");
    }
    return BT_OK;
}
