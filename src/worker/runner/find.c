/* find.c — Finds files by names and globs. Must never read what a link outside of the directory
 * points to. */
#include "worker/runner/find.h"

#include "base/limits.h"
#include "sys/fs.h"
#include "sys/glob.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { PATTERNS_MAX = 1000 };

struct finder {
    const struct bt_find *how;
    struct bt_found *found;
    struct bt_glob *globs[PATTERNS_MAX];
    size_t glob_count;
};

void bt_found_done(struct bt_found *found)
{
    for (size_t i = 0; i < found->count; i++)
        free(found->names[i]);
    free(found->names);
    *found = (struct bt_found){0};
}

static int add_name(struct finder *finder, const char *path, struct bt_err *err)
{
    struct bt_found *found = finder->found;
    if (found->count == BT_OUTPUT_FILES_MAX)
        return bt_fail(err, BT_LIMIT, "%s: more than %u files", finder->how->what,
                       BT_OUTPUT_FILES_MAX);
    if (found->count == found->cap) {
        size_t cap = found->cap ? 2 * found->cap : 16;
        char **names = realloc(found->names, cap * sizeof *names);
        if (!names)
            return bt_fail_mem(err, finder->how->what);
        found->names = names;
        found->cap = cap;
    }
    if (!(found->names[found->count] = strdup(path)))
        return bt_fail_mem(err, finder->how->what);
    found->count++;
    return BT_OK;
}

static int visit(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    struct finder *finder = data;
    const char *skip = finder->how->skip;
    if ((type != DT_REG && type != DT_LNK) || (skip && strcmp(skip, path) == 0))
        return BT_OK;
    for (size_t i = 0; i < finder->glob_count; i++) {
        if (bt_glob_match(finder->globs[i], bt_str_of(path)))
            return add_name(finder, path, err);
    }
    return BT_OK;
}

static int visit_all(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    return type == DT_REG || type == DT_LNK ? add_name(data, path, err) : BT_OK;
}

/* A plain name is looked up at once. */
static int take_name(struct finder *finder, int dir, struct bt_str text, struct bt_err *err)
{
    const struct bt_find *how = finder->how;
    char *path = bt_str_dup(text);
    if (!path)
        return bt_fail_mem(err, how->what);
    BT_FD fd = -1;
    int rc = bt_fs_open(dir, path, O_PATH, &fd, err);
    if (rc == BT_NOT_FOUND && how->notes)
        bt_stage_note(how->notes, BT_LEVEL_WARN, "%s: '%s' was not made by the command", how->what,
                      path);
    else if (rc < 0 && rc != BT_NOT_FOUND)
        (void)bt_err_prefix(err, "%s", how->what); /* Gives the code again. */
    rc = rc == BT_NOT_FOUND ? BT_OK : rc < 0 ? rc : add_name(finder, path, err);
    free(path);
    return rc;
}

/* Patterns with wildcards go to the globs. */
static int take_pattern(struct finder *finder, int dir, const struct bt_value *item,
                        struct bt_err *err)
{
    const char *what = finder->how->what;
    struct bt_str text = bt_value_str(item);
    if (!bt_value_is(item, BT_KIND_STRING) || text.len == 0)
        return bt_fail(err, BT_INVALID, "%s: names and globs are texts", what);
    if (bt_str_starts(text, BT_STR("glob:")))
        text = bt_str_slice(text, 5, text.len);
    while (bt_str_starts(text, BT_STR("./")))
        text = bt_str_slice(text, 2, text.len);
    if (finder->glob_count == PATTERNS_MAX)
        return bt_fail(err, BT_LIMIT, "%s: more than %d patterns", what, PATTERNS_MAX);
    struct bt_glob *glob = NULL;
    int rc = bt_glob_parse(text, &glob, err);
    if (rc < 0) {
        (void)bt_err_prefix(err, "%s", what); /* Gives the code again. */
        return rc;
    }
    if (!bt_glob_is_literal(glob)) {
        finder->globs[finder->glob_count++] = glob;
        return BT_OK;
    }
    bt_glob_free(glob);
    return take_name(finder, dir, text, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct bt_found *found)
{
    size_t kept = 0;
    if (found->count > 0)
        qsort(found->names, found->count, sizeof *found->names, compare_names);
    for (size_t i = 0; i < found->count; i++) {
        if (kept > 0 && strcmp(found->names[i], found->names[kept - 1]) == 0)
            free(found->names[i]);
        else
            found->names[kept++] = found->names[i];
    }
    found->count = kept;
}

int bt_find_files(int dir, const struct bt_value *patterns, const struct bt_find *how,
                  struct bt_found *found, struct bt_err *err)
{
    struct finder *finder = calloc(1, sizeof *finder);
    if (!finder)
        return bt_fail_mem(err, how->what);
    finder->how = how;
    finder->found = found;
    int rc = BT_OK;
    for (size_t i = 0; rc == BT_OK && i < bt_value_count(patterns); i++)
        rc = take_pattern(finder, dir, bt_list_at(patterns, i), err);
    if (rc == BT_OK && finder->glob_count > 0)
        rc = bt_fs_walk(dir, visit, finder, err);
    for (size_t i = 0; i < finder->glob_count; i++)
        bt_glob_free(finder->globs[i]);
    free(finder);
    sort(found);
    return rc;
}

int bt_find_all(int dir, const struct bt_find *how, struct bt_found *found, struct bt_err *err)
{
    struct finder finder = {.how = how, .found = found};
    int rc = bt_fs_walk(dir, visit_all, &finder, err);
    sort(found);
    return rc;
}

int bt_find_open(int dir, const char *path, int *ret_fd, int64_t *ret_size_bytes,
                 struct bt_err *err)
{
    BT_FD fd = -1;
    BT_TRY(bt_fs_open(dir, path, O_RDONLY | O_NONBLOCK, &fd, err));
    struct stat at;
    if (fstat(fd, &at) < 0 || !S_ISREG(at.st_mode))
        return bt_fail(err, BT_NOT_FOUND, "'%s' is not a file", path);
    if (ret_size_bytes)
        *ret_size_bytes = at.st_size;
    *ret_fd = bt_fd_take(&fd);
    return BT_OK;
}
