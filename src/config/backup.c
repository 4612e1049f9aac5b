/* backup.c — Copies a data directory. Never changes the one it reads. */
#include "config/backup.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "store/sqlite/db.h"
#include "sys/fs.h"
#include "value/json.h"

#include <errno.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX_SIZE = 2 * SHA256_DIGEST_SIZE + 1 };
static const char manifest_name[] = "MANIFEST.json";
static const char database_name[] = "baton.db";

struct copying {
    int from, to;           /* Directories. */
    struct bt_value *files; /* Path → {size, sha256}: what was written, or what must be there. */
    struct bt_backup_report report;
    bool is_check; /* Every file must be as the manifest says. */
};

/* What belongs to the process that works on the directory, or is made again. */
static bool is_left_out(const char *path)
{
    static const char *const names[] = {"lock", "baton.db-wal", "baton.db-shm", manifest_name,
                                        "server.log"};
    for (size_t i = 0; i < BT_COUNT(names); i++)
        if (strcmp(path, names[i]) == 0)
            return true;
    return strncmp(path, "work/", 5) == 0;
}

/* --- One file --------------------------------------------------------------------------------- */

/* Copies to the end and gives the digest. */
static int copy_bytes(int from, int to, uint64_t *ret_bytes, char hex[HEX_SIZE], struct bt_err *err)
{
    struct sha256_ctx sha;
    static _Thread_local char chunk[1 << 16];
    uint8_t digest[SHA256_DIGEST_SIZE];
    ssize_t len;
    sha256_init(&sha);
    *ret_bytes = 0;
    while ((len = read(from, chunk, sizeof chunk)) != 0) {
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return bt_fail_errno(err, BT_IO, errno, "cannot read");
        sha256_update(&sha, (size_t)len, (const uint8_t *)chunk);
        BT_TRY(bt_fs_write(to, chunk, (size_t)len, err));
        *ret_bytes += (uint64_t)len;
    }
    sha256_digest(&sha, sizeof digest, digest);
    base16_encode_update(hex, sizeof digest, digest);
    hex[HEX_SIZE - 1] = '\0';
    return fsync(to) < 0 ? bt_fail_errno(err, BT_IO, errno, "cannot write") : BT_OK;
}

static int note_file(struct copying *copying, const char *path, uint64_t bytes, const char *hex,
                     struct bt_err *err)
{
    BT_VALUE entry = bt_map_new(2);
    if (bt_map_puts(entry, "size", bt_value_int((int64_t)bytes)) < 0 ||
        bt_map_puts(entry, "sha256", bt_value_cstr(hex)) < 0 ||
        bt_map_puts(copying->files, path, BT_TAKE(entry)) < 0)
        return bt_fail_mem(err, "backup");
    return BT_OK;
}

static int check_file(const struct copying *copying, const char *path, uint64_t bytes,
                      const char *hex, struct bt_err *err)
{
    const struct bt_value *entry = bt_map_gets(copying->files, path);
    if (!entry)
        return bt_fail(err, BT_CORRUPT, "'%s' is not in the backup's manifest", path);
    if ((uint64_t)bt_value_as_int(bt_map_gets(entry, "size")) != bytes ||
        !bt_str_is(bt_map_str(entry, "sha256"), hex))
        return bt_fail(err, BT_CORRUPT, "'%s' is not what was backed up: the backup is damaged",
                       path);
    return BT_OK;
}

/* A file that went away meanwhile was deleted by somebody: it is not missed. */
static int copy_file(struct copying *copying, const char *path, struct bt_err *err)
{
    BT_FD from = -1;
    BT_FD to = -1;
    char hex[HEX_SIZE];
    uint64_t bytes;
    int rc = bt_fs_open(copying->from, path, O_RDONLY | O_NOFOLLOW, &from, err);
    if (rc == BT_NOT_FOUND && !copying->is_check)
        return BT_OK;
    BT_TRY(rc);
    BT_TRY(bt_fs_mkdirs_above(copying->to, path, err));
    BT_TRY(bt_fs_open(copying->to, path, O_WRONLY | O_CREAT | O_EXCL, &to, err));
    if (copy_bytes(from, to, &bytes, hex, err) < 0)
        return bt_err_prefix(err, "'%s'", path);
    copying->report.files++;
    copying->report.bytes += bytes;
    return copying->is_check ? check_file(copying, path, bytes, hex, err)
                             : note_file(copying, path, bytes, hex, err);
}

static int visit(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    struct copying *copying = data;
    bool is_database = strcmp(path, database_name) == 0 && !copying->is_check;
    if (type != DT_REG || is_database || is_left_out(path))
        return BT_OK;
    return copy_file(copying, path, err);
}

/* --- The database ----------------------------------------------------------------------------- */

/* A consistent copy through SQLite itself, beside a server that goes on writing. */
static int copy_database(struct copying *copying, const char *data_dir, const char *to,
                         struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf source = BT_BUF_INIT(8192);
    BT_CLEANUP(bt_buf_done) struct bt_buf target = BT_BUF_INIT(8192);
    struct bt_db db;
    sqlite3_stmt *statement;
    (void)bt_buf_addf(&source, "%s/%s", data_dir, database_name); /* Checked below. */
    (void)bt_buf_addf(&target, "%s/%s", to, database_name);
    const char *path = bt_buf_cstr(&source), *copy = bt_buf_cstr(&target);
    if (!path || !copy)
        return bt_fail(err, BT_INVALID, "the path is too long");
    BT_TRY(bt_db_open(path, BT_DB_READER, &db, err));
    int rc = bt_db_exec(&db, "PRAGMA query_only=0", err); /* It writes, but elsewhere. */
    if (rc == BT_OK)
        rc = bt_db_prepare(&db, "VACUUM INTO ?1", &statement, err);
    if (rc == BT_OK) {
        bt_db_bind(statement, 1, bt_str_of(copy));
        rc = bt_db_run(&db, statement, err);
    }
    bt_db_close(&db);
    BT_TRY(rc);
    BT_FD fd = -1, none = open("/dev/null", O_WRONLY | O_CLOEXEC);
    char hex[HEX_SIZE];
    uint64_t bytes;
    BT_TRY(bt_fs_open(copying->to, database_name, O_RDWR, &fd, err));
    if (none < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot open /dev/null");
    (void)fchmod(fd, 0600); /* It is ours. */
    (void)fsync(fd);        /* Its digest is checked at the restore. */
    rc = copy_bytes(fd, none, &bytes, hex, NULL);
    if (rc < 0 && errno != EINVAL) /* /dev/null cannot be synced. */
        return bt_fail_errno(err, BT_IO, errno, "cannot read the copy of the database");
    copying->report.files++;
    copying->report.bytes += bytes;
    return note_file(copying, database_name, bytes, hex, err);
}

/* --- The manifest ----------------------------------------------------------------------------- */

static int write_manifest(const struct copying *copying, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    BT_VALUE manifest = bt_map_new(3);
    BT_FD fd = -1;
    if (bt_map_puts(manifest, "version", bt_value_int(1)) < 0 ||
        bt_map_puts(manifest, "baton", bt_value_cstr(BT_VERSION)) < 0 ||
        bt_map_puts(manifest, "files", bt_value_ref(copying->files)) < 0)
        return bt_fail_mem(err, "backup");
    BT_TRY(bt_json_write(manifest, BT_JSON_PRETTY, &text, err));
    BT_TRY(bt_fs_open(copying->to, manifest_name, O_WRONLY | O_CREAT | O_EXCL, &fd, err));
    BT_TRY(bt_fs_write(fd, text.at, text.len, err));
    return fsync(fd) < 0 ? bt_fail_errno(err, BT_IO, errno, "cannot write the manifest") : BT_OK;
}

static int read_manifest(struct copying *copying, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    BT_FD fd = -1;
    BT_VALUE manifest = NULL;
    char chunk[4096];
    ssize_t len;
    int rc = bt_fs_open(copying->from, manifest_name, O_RDONLY, &fd, err);
    if (rc == BT_NOT_FOUND)
        return bt_fail(err, BT_INVALID, "this is no backup: it has no %s", manifest_name);
    BT_TRY(rc);
    while ((len = read(fd, chunk, sizeof chunk)) > 0)
        (void)bt_buf_add(&text, (struct bt_str){chunk, (size_t)len}); /* Checked below. */
    BT_TRY(bt_buf_check(&text, "the manifest", err));
    if (bt_json_parse(bt_buf_str(&text), NULL, &manifest, NULL) < 0 ||
        bt_value_as_int(bt_map_gets(manifest, "version")) != 1 ||
        !bt_value_is(bt_map_gets(manifest, "files"), BT_KIND_MAP))
        return bt_fail(err, BT_CORRUPT, "the backup's %s is not readable", manifest_name);
    copying->files = bt_value_ref(bt_map_gets(manifest, "files"));
    return BT_OK;
}

/* --- Whole directories ------------------------------------------------------------------------ */

/* A place that may be written: it does not exist, or is empty. */
static int check_target(const char *path, struct bt_err *err)
{
    if (rmdir(path) == 0 || errno == ENOENT)
        return BT_OK;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return bt_fail_errno(err, BT_IO, errno, "cannot use '%s'", path);
    (void)bt_fail(err, BT_EXISTS, "'%s' exists and is not empty", path);
    return bt_hint(err, "name a directory that does not exist yet");
}

static void remove_part(const char *part)
{
    const char *slash = strrchr(part, '/');
    char *parent = slash ? bt_str_dup((struct bt_str){part, (size_t)(slash - part)}) : NULL;
    BT_FD root = -1;
    if (bt_fs_open_root(slash ? (parent && *parent ? parent : "/") : ".", &root, NULL) == BT_OK)
        (void)bt_fs_remove_tree(root, slash ? slash + 1 : part,
                                NULL); /* A leftover harms nobody. */
    free(parent);
}

struct job {
    const char *from, *to;
    int (*fill)(struct copying *copying, const struct job *job, const char *part,
                struct bt_err *err);
};

static int fill_backup(struct copying *copying, const struct job *job, const char *part,
                       struct bt_err *err)
{
    copying->files = bt_map_new(64);
    if (!copying->files)
        return bt_fail_mem(err, "backup");
    BT_TRY(copy_database(copying, job->from, part, err));
    BT_TRY(bt_fs_walk(copying->from, visit, copying, err));
    return write_manifest(copying, err);
}

static int fill_restore(struct copying *copying, const struct job *job, const char *part,
                        struct bt_err *err)
{
    (void)job;
    (void)part;
    copying->is_check = true;
    BT_TRY(read_manifest(copying, err));
    BT_TRY(bt_fs_walk(copying->from, visit, copying, err));
    if (copying->report.files != bt_value_count(copying->files))
        return bt_fail(err, BT_CORRUPT, "files of the backup are missing: %llu of %zu are there",
                       (unsigned long long)copying->report.files, bt_value_count(copying->files));
    return BT_OK;
}

static int open_source(const char *path, int *ret_fd, struct bt_err *err)
{
    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd < 0 ? bt_fail_errno(err, BT_INVALID, errno, "cannot open '%s'", path) : BT_OK;
}

/* Fills a directory under another name and gives it its own at the end. */
static int copy_dir(const struct job *job, struct bt_backup_report *ret_report, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(8192);
    struct copying copying = {.from = -1, .to = -1};
    (void)bt_buf_addf(&name, "%s.part-%ld", job->to, (long)getpid()); /* Checked below. */
    const char *part = bt_buf_cstr(&name);
    if (!part)
        return bt_fail(err, BT_INVALID, "the path is too long");
    BT_TRY(check_target(job->to, err));
    int rc = open_source(job->from, &copying.from, err);
    if (rc == BT_OK && mkdir(part, 0700) < 0)
        rc = bt_fail_errno(err, BT_IO, errno, "cannot make '%s'", part);
    if (rc == BT_OK)
        rc = bt_fs_open_root(part, &copying.to, err);
    if (rc == BT_OK)
        rc = job->fill(&copying, job, part, err);
    if (rc == BT_OK && rename(part, job->to) < 0)
        rc = bt_fail_errno(err, BT_IO, errno, "cannot make '%s'", job->to);
    if (rc < 0 && copying.to >= 0)
        remove_part(part);
    bt_fd_close(&copying.from);
    bt_fd_close(&copying.to);
    bt_value_unref(copying.files);
    *ret_report = copying.report;
    return rc;
}

int bt_backup(const char *data_dir, const char *to, struct bt_backup_report *ret_report,
              struct bt_err *err)
{
    struct job job = {data_dir, to, fill_backup};
    return copy_dir(&job, ret_report, err);
}

int bt_restore(const char *from, const char *data_dir, struct bt_backup_report *ret_report,
               struct bt_err *err)
{
    struct job job = {from, data_dir, fill_restore};
    return copy_dir(&job, ret_report, err);
}
