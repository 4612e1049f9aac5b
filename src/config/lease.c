/* lease.c — The file worker.lease, and the wait for a lease that an earlier process gave. */
#include "config/lease.h"

#include "base/num.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEASE_NAME "worker.lease"
#define LEASE_NEW_NAME "worker.lease.new"
enum { LEASE_MS_MAX = 600000 };

struct bt_lease {
    int dir;
    unsigned before_ms; /* What an earlier process gave; 0: nothing. */
    unsigned held_ms;   /* What the file says; 0: there is none. */
    struct bt_hub *hub;
    bool has_thread, is_closing;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static int read_file(struct bt_lease *lease, struct bt_err *err)
{
    BT_FD fd = -1;
    char text[32];
    uint64_t ms;
    int rc = bt_fs_open(lease->dir, LEASE_NAME, O_RDONLY, &fd, err);
    if (rc == BT_NOT_FOUND)
        return BT_OK;
    if (rc < 0)
        return rc;
    ssize_t len = read(fd, text, sizeof text);
    if (len < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot read '" LEASE_NAME "'");
    bool is_sound = bt_parse_u64((struct bt_str){text, (size_t)len}, &ms) && ms <= LEASE_MS_MAX;
    lease->before_ms = lease->held_ms = is_sound ? (unsigned)ms : LEASE_MS_MAX;
    return BT_OK;
}

int bt_lease_open(const char *dir, struct bt_lease **ret_lease, struct bt_err *err)
{
    struct bt_lease *lease = calloc(1, sizeof *lease);
    if (!lease)
        return bt_fail_mem(err, "data directory");
    lease->dir = -1;
    (void)pthread_mutex_init(&lease->lock, NULL); /* Cannot fail with default attributes. */
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&lease->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int rc = bt_fs_open_root(dir, &lease->dir, err);
    if (rc == BT_OK)
        rc = read_file(lease, err);
    if (rc < 0) {
        bt_lease_close(lease);
        return rc;
    }
    *ret_lease = lease;
    return BT_OK;
}

struct bt_lease *bt_lease_close(struct bt_lease *lease)
{
    if (!lease)
        return NULL;
    (void)pthread_mutex_lock(&lease->lock);
    lease->is_closing = true;
    (void)pthread_cond_broadcast(&lease->changed);
    (void)pthread_mutex_unlock(&lease->lock);
    if (lease->has_thread)
        (void)pthread_join(lease->thread, NULL);
    bt_fd_close(&lease->dir);
    (void)pthread_mutex_destroy(&lease->lock);
    (void)pthread_cond_destroy(&lease->changed);
    free(lease);
    return NULL;
}

unsigned bt_lease_ms(const struct bt_lease *lease)
{
    return lease->before_ms;
}

int bt_lease_hold(struct bt_lease *lease, unsigned ms, struct bt_err *err)
{
    BT_FD fd = -1;
    char text[32];
    if (lease->held_ms == ms)
        return BT_OK;
    int len = snprintf(text, sizeof text, "%u", ms);
    BT_TRY(bt_fs_open(lease->dir, LEASE_NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC, &fd, err));
    BT_TRY(bt_fs_write(fd, text, (size_t)len, err));
    if (fdatasync(fd) < 0 || renameat(lease->dir, LEASE_NEW_NAME, lease->dir, LEASE_NAME) < 0 ||
        fsync(lease->dir) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot write '" LEASE_NAME "'");
    lease->held_ms = ms;
    return BT_OK;
}

void bt_lease_drop(struct bt_lease *lease)
{
    if (lease->held_ms && (unlinkat(lease->dir, LEASE_NAME, 0) == 0 || errno == ENOENT))
        lease->held_ms = 0; /* Else it stays, which only costs the next one time. */
}

/* --- Without a listener ------------------------------------------------------------------------
 */

static void *thread_main(void *data)
{
    struct bt_lease *lease = data;
    int64_t until_us = bt_clock_mono_us(bt_clock_system()) + (int64_t)lease->before_ms * 1000;
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    int rc = 0;
    (void)pthread_mutex_lock(&lease->lock);
    while (!lease->is_closing && rc == 0)
        rc = pthread_cond_timedwait(&lease->changed, &lease->lock, &until);
    bool is_closing = lease->is_closing;
    (void)pthread_mutex_unlock(&lease->lock);
    if (is_closing)
        return NULL;
    bt_hub_expire_orphans(lease->hub);
    bt_lease_drop(lease);
    return NULL;
}

int bt_lease_wait(struct bt_lease *lease, struct bt_hub *hub, struct bt_err *err)
{
    lease->hub = hub;
    int rc = pthread_create(&lease->thread, NULL, thread_main, lease);
    lease->has_thread = rc == 0;
    return rc == 0 ? BT_OK : bt_fail_errno(err, BT_IO, rc, "cannot start a thread");
}
