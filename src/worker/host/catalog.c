/* catalog.c — Finds plugins for the registry. Must never stop at one that cannot be read: the
 * registry keeps what is wrong with it. */
#include "worker/host/catalog.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/own.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRS_MAX = 16, PATH_BYTES = 4096 };

static struct {
    char *dirs[DIRS_MAX]; /* Owned, for the program's life. */
    size_t count;
    bool is_only; /* No other places. */
} added;

static bool has_file(const char *path, bool is_executable)
{
    struct stat at;
    return stat(path, &at) == 0 && S_ISREG(at.st_mode) &&
           access(path, is_executable ? X_OK : R_OK) == 0;
}

/* The plugin in `dir`. False: there is none. */
static bool add_plugin(const char *dir)
{
    char path[PATH_BYTES];
    struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    if (snprintf(path, sizeof path, "%s/plugin.json", dir) >= (int)sizeof path)
        return false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t got = 1;
    while (got > 0 && bt_buf_reserve(&text, 1 << 16) == BT_OK) {
        got = fread(text.at + text.len, 1, 1 << 16, file);
        text.len += got;
    }
    (void)fclose(file); /* Only read from. */
    char *full = realpath(dir, NULL);
    if (full)
        bt_plugins_add(full, bt_buf_str(&text), has_file);
    free(full);
    bt_buf_done(&text);
    return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_dir(const char *dir)
{
    struct dirent **entries = NULL;
    if (!*dir || add_plugin(dir))
        return;
    int count = scandir(dir, &entries, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        int len = snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && len < (int)sizeof path)
            (void)add_plugin(path); /* Not every directory is a plugin. */
        free(entries[i]);
    }
    free(entries);
}

static void add_list(const char *list)
{
    while (list && *list) {
        size_t len = strcspn(list, ":");
        char *dir = bt_str_dup((struct bt_str){list, len});
        if (dir)
            add_dir(dir);
        free(dir);
        list += len + (list[len] == ':');
    }
}

/* `plugins` in the directory of our program. */
static void add_beside(void)
{
    char path[PATH_BYTES];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - sizeof "plugins");
    char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    if (!slash)
        return;
    memcpy(slash + 1, "plugins", sizeof "plugins");
    add_dir(path);
}

static void find(void *data)
{
    (void)data;
    if (!added.is_only)
        add_list(getenv("BATON_PLUGINS"));
    for (size_t i = 0; i < added.count; i++)
        add_dir(added.dirs[i]);
    if (added.is_only)
        return;
    add_beside();
    add_dir("/usr/lib/baton/plugins");
}

void bt_catalog_use(void)
{
    bt_plugins_set_finder(find, NULL);
}

void bt_catalog_add(const char *dir)
{
    char *copy = added.count < DIRS_MAX ? bt_str_dup(bt_str_of(dir)) : NULL;
    if (copy)
        added.dirs[added.count++] = copy;
}

void bt_catalog_only(const char *dir)
{
    while (added.count > 0)
        free(added.dirs[--added.count]);
    bt_catalog_add(dir);
    added.is_only = true;
}
