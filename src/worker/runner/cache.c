/* cache.c — The cache of a WorkingDirectory: files kept in an archive in the internal storage from
 * one execution to the next. It only saves time: a cache that cannot be read or written never fails
 * the task. */
#include "base/limits.h"
#include "files/zip.h"
#include "sys/fs.h"
#include "worker/reader.h"
#include "worker/runner/find.h"
#include "worker/runner/stage_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 << 10 };

/* Iterations of a ForEach have a cache each. */
static int cache_path(const struct bt_job *job, struct bt_buf *out, struct bt_err *err)
{
    struct bt_str value = bt_map_str(bt_map_gets(job->variables, "taskrun"), "value");
    (void)bt_job_flow_path(job, out); /* Checked below. */
    (void)bt_buf_addf(out, "%s/cache/", job->task->id);
    if (value.len)
        (void)bt_buf_addf(out, "%016" PRIx64 "/", bt_str_hash(value, 0));
    (void)bt_buf_adds(out, "cache.zip");
    return bt_buf_check(out, "the path of the cache", err);
}

static int cache_uri(const struct bt_job *job, struct bt_buf *out, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_TRY(cache_path(job, &path, err));
    (void)bt_files_uri(bt_buf_str(&path), out); /* Checked below. */
    return bt_buf_check(out, "the path of the cache", err);
}

static int find_cached(const struct bt_stage *stage, int dir, struct bt_found *found,
                       struct bt_err *err)
{
    const struct bt_find how = {.what = "cache"};
    return bt_find_files(dir, stage->plan->cache_patterns, &how, found, err);
}

/* Changes when a file comes, goes or is written to. */
static uint64_t digest(int dir, const struct bt_found *found)
{
    uint64_t sum = found->count;
    for (size_t i = 0; i < found->count; i++) {
        struct stat at;
        BT_FD fd = -1;
        if (bt_fs_open(dir, found->names[i], O_PATH, &fd, NULL) < 0 || fstat(fd, &at) < 0)
            continue;
        const int64_t facts[] = {at.st_size, at.st_mtim.tv_sec, at.st_mtim.tv_nsec,
                                 (int64_t)at.st_ino};
        sum = bt_str_hash(bt_str_of(found->names[i]), sum);
        sum = bt_str_hash((struct bt_str){(const char *)facts, sizeof facts}, sum);
    }
    return sum;
}

/* --- Bringing --------------------------------------------------------------------------------- */

struct unpacking {
    int dir;
    char *block;
    struct bt_err *err;
};

static int unpack_content(struct unpacking *unpacking, struct bt_zip_entry *entry, int fd)
{
    int64_t got;
    while ((got = bt_zip_read(entry, unpacking->block, BLOCK_BYTES, unpacking->err)) > 0)
        BT_TRY(bt_fs_write(fd, unpacking->block, (size_t)got, unpacking->err));
    return (int)got;
}

static int unpack_one(void *data, struct bt_str name, struct bt_zip_entry *entry)
{
    struct unpacking *unpacking = data;
    BT_FD fd = -1;
    if (!bt_stage_is_inside(name))
        return bt_fail(unpacking->err, BT_DENIED, "'%.*s' would leave the working directory",
                       BT_FMT(name));
    char *path = bt_str_dup(name);
    if (!path)
        return bt_fail_mem(unpacking->err, "cache");
    int rc = bt_fs_mkdirs_above(unpacking->dir, path, unpacking->err);
    if (rc == BT_OK)
        rc = bt_fs_open(unpacking->dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, &fd,
                        unpacking->err);
    free(path);
    return rc < 0 ? rc : unpack_content(unpacking, entry, fd);
}

static int unpack(int archive, int dir, struct bt_err *err)
{
    struct unpacking unpacking = {dir, malloc(BLOCK_BYTES), err};
    const struct bt_zip_sink sink = {unpack_one, &unpacking};
    int rc = unpacking.block ? bt_zip_walk(archive, &sink, err) : bt_fail_mem(err, "cache");
    free(unpacking.block);
    return rc;
}

/* BT_NOT_FOUND: there is none that is good. */
static int restore(const struct bt_stage *stage, int dir, struct bt_err *err)
{
    const struct bt_job *job = stage->job;
    int64_t ttl_us = stage->plan->cache_ttl_us;
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(2 * BT_PATH_BYTES_MAX);
    struct bt_file_info info;
    BT_FD archive = -1;
    BT_TRY(cache_uri(job, &uri, err));
    BT_TRY(bt_files_stat(stage->files, job->tenant, bt_buf_str(&uri), &info, err));
    if (ttl_us > 0 && info.modified_us < job->now_us - ttl_us)
        return bt_fail(err, BT_NOT_FOUND, "it has expired");
    BT_TRY(bt_files_open(stage->files, job->tenant, bt_buf_str(&uri), &archive, err));
    return unpack(archive, dir, err);
}

static int make_anew(const struct bt_stage *stage, int *dir, struct bt_err *err)
{
    bt_fd_close(dir);
    BT_TRY(bt_fs_remove_tree(stage->root, stage->work_name, err));
    if (mkdirat(stage->root, stage->work_name, 0700) < 0)
        return bt_fail_errno(err, bt_fs_code(errno), errno, "cannot make the working directory");
    return bt_fs_open(stage->root, stage->work_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, dir, err);
}

int bt_stage_restore_cache(const struct bt_stage *stage, int *dir, struct bt_err *err)
{
    struct bt_err why = BT_ERR_INIT;
    int rc = restore(stage, *dir, &why);
    stage->mark->is_restored = rc == BT_OK;
    if (rc == BT_OK)
        bt_stage_note(stage->notes, BT_LEVEL_DEBUG, "Cache exist, downloading it");
    if (rc == BT_OK || rc == BT_NOT_FOUND)
        return BT_OK;
    bt_stage_note(stage->notes, BT_LEVEL_WARN, "the cache is not used: %s", why.msg);
    return make_anew(stage, dir, err);
}

void bt_stage_mark_cache(const struct bt_stage *stage, int dir)
{
    BT_CLEANUP(bt_found_done) struct bt_found found = {0};
    struct bt_err err = BT_ERR_INIT;
    if (find_cached(stage, dir, &found, &err) < 0)
        stage->mark->is_restored = false; /* Nothing to compare with: it is written anew. */
    else
        stage->mark->digest = digest(dir, &found);
}

/* --- Keeping ---------------------------------------------------------------------------------- */

/* What is no readable file inside is left out. */
static int pack_one(struct bt_zip_writer *zip, int dir, const char *path, struct bt_err *err)
{
    BT_FD fd = -1;
    int64_t size_bytes;
    int rc = bt_find_open(dir, path, &fd, &size_bytes, err);
    if (rc == BT_DENIED || rc == BT_NOT_FOUND)
        return BT_OK;
    return rc < 0 ? rc : bt_zip_add_fd(zip, bt_str_of(path), fd, size_bytes, err);
}

static int pack(int archive, int dir, const struct bt_found *found, struct bt_err *err)
{
    struct bt_zip_writer *zip = NULL;
    BT_TRY(bt_zip_create(archive, &zip, err));
    int rc = BT_OK;
    for (size_t i = 0; rc == BT_OK && i < found->count; i++)
        rc = pack_one(zip, dir, found->names[i], err);
    if (rc == BT_OK)
        return bt_zip_finish(zip, err);
    bt_zip_abort(zip);
    return rc;
}

/* A file that has no name any more, in the worker's directory. */
static int open_archive(const struct bt_stage *stage, int *ret_fd, struct bt_err *err)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%.100s-cache.zip", stage->work_name); /* Fits. */
    BT_TRY(bt_fs_open(stage->root, name, O_RDWR | O_CREAT | O_EXCL, ret_fd, err));
    (void)unlinkat(stage->root, name, 0); /* Else it goes with the worker's directory. */
    return BT_OK;
}

static int write_cache(const struct bt_stage *stage, int dir, const struct bt_found *found,
                       struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(2 * BT_PATH_BYTES_MAX);
    BT_FD archive = -1;
    struct bt_str path;
    BT_TRY(cache_uri(stage->job, &uri, err));
    BT_TRY(open_archive(stage, &archive, err));
    BT_TRY(pack(archive, dir, found, err));
    if (lseek(archive, 0, SEEK_SET) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot read the archive");
    BT_TRY(bt_files_path(bt_buf_str(&uri), &path, err));
    BT_TRY(bt_files_put_fd(stage->files, stage->job->tenant, bt_buf_str(&uri), archive, err));
    bt_stage_note(stage->notes, BT_LEVEL_DEBUG, "Caching in kestra:///%.*s", BT_FMT(path));
    return BT_OK;
}

static int save(const struct bt_stage *stage, struct bt_err *err)
{
    const struct bt_cache_mark *mark = stage->mark;
    BT_CLEANUP(bt_found_done) struct bt_found found = {0};
    BT_FD dir = -1;
    BT_TRY(
        bt_fs_open(stage->root, stage->work_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &dir, err));
    BT_TRY(find_cached(stage, dir, &found, err));
    bool is_same = mark->is_restored ? mark->digest == digest(dir, &found) : found.count == 0;
    if (is_same)
        return BT_OK;
    bt_stage_note(stage->notes, BT_LEVEL_DEBUG, "Cache files changed, we update the cache");
    return write_cache(stage, dir, &found, err);
}

void bt_stage_save_cache(const struct bt_stage *stage)
{
    struct bt_err why = BT_ERR_INIT;
    if (save(stage, &why) < 0)
        bt_stage_note(stage->notes, BT_LEVEL_WARN, "the cache is not written: %s", why.msg);
}
