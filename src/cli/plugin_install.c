/* plugin_install.c — baton plugin install: copies a plugin to where Baton finds it. The plugin
 * appears whole, or not at all; links are refused, so that nothing outside of it is copied. */
#include "cli/cli.h"

#include "base/own.h"
#include "cli/plugin_int.h"
#include "sys/fs.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define SYSTEM_DIR "/usr/lib/baton/plugins"

enum { PATH_BYTES = 4096 };

struct copier {
    int from, to;
};

static bool is_hidden(const char *path)
{
    return path[0] == '.' || strstr(path, "/.");
}

static int copy_one(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    const struct copier *copier = data;
    struct stat at;
    BT_FD in = -1;
    BT_FD out = -1;
    if (is_hidden(path))
        return BT_OK;
    if (type != DT_REG)
        return bt_fail(err, BT_DENIED, "'%s' is a link or a special file", path);
    BT_TRY(bt_fs_open(copier->from, path, O_RDONLY | O_NOFOLLOW, &in, err));
    BT_TRY(bt_fs_mkdirs_above(copier->to, path, err));
    BT_TRY(bt_fs_open(copier->to, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, &out, err));
    BT_TRY(bt_fs_copy(in, out, err));
    bool is_program = fstat(in, &at) == 0 && (at.st_mode & S_IXUSR);
    if (fchmod(out, is_program ? 0755 : 0644) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make '%s'", path);
    return BT_OK;
}

/* Copies the tree under a name of its own, then swaps it in. */
static int copy_plugin(const struct bt_plugin_info *plugin, int plugins, struct bt_err *err)
{
    char fresh[256], old[256];
    BT_FD from = -1;
    BT_FD to = -1;
    (void)snprintf(fresh, sizeof fresh, ".%.200s.new", plugin->name);
    (void)snprintf(old, sizeof old, ".%.200s.old", plugin->name); /* Both fit. */
    BT_TRY(bt_fs_remove_tree(plugins, fresh, err));
    BT_TRY(bt_fs_remove_tree(plugins, old, err));
    from = open(plugin->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0 || mkdirat(plugins, fresh, 0755) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot copy the plugin");
    BT_TRY(bt_fs_open(plugins, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &to, err));
    struct copier copier = {from, to};
    int rc = bt_fs_walk(from, copy_one, &copier, err);
    if (rc == BT_OK && renameat(plugins, plugin->name, plugins, old) < 0 && errno != ENOENT)
        rc = bt_fail_errno(err, BT_IO, errno, "cannot replace the plugin");
    if (rc == BT_OK && renameat(plugins, fresh, plugins, plugin->name) < 0)
        rc = bt_fail_errno(err, BT_IO, errno, "cannot put the plugin in its place");
    (void)bt_fs_remove_tree(plugins, rc == BT_OK ? old : fresh, NULL); /* Hidden, met again. */
    return rc;
}

/* --- Archives --------------------------------------------------------------------------------- */

/* Unpacks FILE into a fresh directory of /tmp. What leaves it is refused by tar, what links out of
 * it by copy_one(). */
static int unpack(const char *file, char *dir, struct bt_err *err)
{
    pid_t pid;
    int status = 0;
    char *argv[] = {"tar",
                    "-xf",
                    (char *)(uintptr_t)file,
                    "-C",
                    dir,
                    "--no-same-owner",
                    "--no-same-permissions",
                    NULL};
    if (!mkdtemp(dir))
        return bt_fail_errno(err, BT_IO, errno, "cannot make a directory in /tmp");
    int rc = posix_spawnp(&pid, "tar", NULL, NULL, argv, environ);
    if (rc != 0)
        return bt_fail_errno(err, BT_IO, rc, "cannot start tar");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status == 0 ? BT_OK : bt_fail(err, BT_INVALID, "'%s' cannot be unpacked", file);
}

static bool has_manifest(const char *dir)
{
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s/plugin.json", dir);
    return len < (int)sizeof path && access(path, R_OK) == 0;
}

/* The directory in `dir` that has a plugin.json, `dir` itself first. */
static void find_root(char *dir)
{
    char path[PATH_BYTES];
    DIR *entries = has_manifest(dir) ? NULL : opendir(dir);
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        int len = snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] == '.' || len >= (int)sizeof path || !has_manifest(path))
            continue;
        memcpy(dir, path, (size_t)len + 1);
        break;
    }
    if (entries)
        (void)closedir(entries); /* Read only. */
}

static int install(const char *dir, const char *data_dir, struct bt_err *err)
{
    char target[PATH_BYTES];
    BT_FD plugins = -1;
    const struct bt_plugin_info *plugin = bt_plugin_at("plugin install", dir);
    if (!plugin)
        return BT_ABORTED; /* It was told. */
    (void)snprintf(target, sizeof target, data_dir ? "%s/plugins" : SYSTEM_DIR "%s",
                   data_dir ? data_dir : ""); /* A longer one does not open. */
    if (strchr(plugin->name, '/') || plugin->name[0] == '.')
        return bt_fail(err, BT_INVALID, "the name '%s' cannot be that of a plugin", plugin->name);
    BT_TRY(bt_fs_open_root(target, &plugins, err));
    BT_TRY(copy_plugin(plugin, plugins, err));
    (void)printf("installed %s %s in %s/%s\n", plugin->name, plugin->version, target, plugin->name);
    return BT_OK;
}

int bt_plugin_install(const char *from, const char *data_dir)
{
    struct bt_err err = BT_ERR_INIT;
    struct stat at;
    char dir[PATH_BYTES] = "/tmp/baton-install-XXXXXX", made[64] = "";
    int rc = BT_OK;
    if (stat(from, &at) < 0) {
        rc = bt_fail_errno(&err, BT_INVALID, errno, "cannot open '%s'", from);
    } else if (S_ISDIR(at.st_mode)) {
        (void)snprintf(dir, sizeof dir, "%s", from); /* A longer one does not open. */
    } else {
        rc = unpack(from, dir, &err);
        (void)snprintf(made, sizeof made, "%.60s", dir); /* Fits. */
        find_root(dir);
    }
    if (rc == BT_OK)
        rc = install(dir, data_dir, &err);
    if (made[0])
        (void)bt_fs_remove_tree(AT_FDCWD, made, NULL); /* A leftover in /tmp. */
    if (rc < 0 && rc != BT_ABORTED)
        return bt_cli_fail("plugin install", &err, BT_EXIT_FAILED);
    return rc < 0 ? BT_EXIT_FAILED : BT_EXIT_OK;
}
