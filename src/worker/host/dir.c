/* dir.c — Working directories that go from one attempt to the next with their host: making and
 * removing one costs more than all else of a short task. Must never keep one that is not as new:
 * empty, with the rights it was made with. No other host ever gets it. */
#include "sys/fs.h"
#include "worker/host/slot_host.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MODE = 0700, ENTRIES_BYTES = 512 };

static bool is_as_new(int root, const char *name)
{
    BT_FD fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat at;
    _Alignas(struct dirent64) char bytes[ENTRIES_BYTES];
    if (fd < 0 || fstat(fd, &at) < 0 || (at.st_mode & 07777) != DIR_MODE || at.st_uid != geteuid())
        return false;
    ssize_t len = getdents64(fd, bytes, sizeof bytes);
    for (ssize_t next = 0; next < len;) {
        const struct dirent64 *entry = (const void *)(bytes + next);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return false;
        next += entry->d_reclen;
    }
    return len >= 0;
}

void slot_host_keep_dir(struct slot *slot)
{
    if (slot->host->dir[0] || !is_as_new(slot->worker->root, slot->work_name))
        return; /* It may have one already, that nobody took when this attempt was planned. */
    memcpy(slot->host->dir, slot->work_name, sizeof slot->host->dir);
    slot->is_dir_kept = true;
}

bool slot_host_take_dir(struct slot *slot)
{
    struct host *host = host_next(slot->worker, slot->job->task->type->plugin);
    if (!host || !host->dir[0])
        return false;
    slot_set_work_dir(slot, host->dir);
    host->dir[0] = '\0';
    return true;
}

void host_drop_dir(struct host *host)
{
    if (!host->dir[0])
        return;
    int root = host->worker->root;
    if (unlinkat(root, host->dir, AT_REMOVEDIR) < 0 && errno != ENOENT)
        (void)bt_fs_remove_tree(root, host->dir, NULL); /* Else with the worker's directory. */
    host->dir[0] = '\0';
}
