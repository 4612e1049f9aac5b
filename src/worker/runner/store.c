/* store.c — Stores the files that a command leaves: finds them by glob, uploads them, names them.
 * Must never read what a link outside of the working directory points to. */
#include "worker/runner/stage.h"

#include "base/limits.h"
#include "sys/fs.h"
#include "sys/glob.h"
#include "worker/reader.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { PATTERNS_MAX = 1000 };

struct finder {
    const struct bt_stage *stage;
    struct bt_glob *globs[PATTERNS_MAX];
    size_t glob_count;
    char **names; /* Owned: relative paths found. */
    size_t count, cap;
    struct bt_stage_notes *notes;
};

static void finder_done(struct finder *finder)
{
    for (size_t i = 0; i < finder->glob_count; i++)
        bt_glob_free(finder->globs[i]);
    for (size_t i = 0; i < finder->count; i++)
        free(finder->names[i]);
    free(finder->names);
    free(finder);
}

static int add_name(struct finder *finder, const char *path, struct bt_err *err)
{
    if (finder->count == BT_OUTPUT_FILES_MAX)
        return bt_fail(err, BT_LIMIT, "outputFiles: more than %u files", BT_OUTPUT_FILES_MAX);
    if (finder->count == finder->cap) {
        size_t cap = finder->cap ? 2 * finder->cap : 16;
        char **names = realloc(finder->names, cap * sizeof *names);
        if (!names)
            return bt_fail_mem(err, "outputFiles");
        finder->names = names;
        finder->cap = cap;
    }
    if (!(finder->names[finder->count] = strdup(path)))
        return bt_fail_mem(err, "outputFiles");
    finder->count++;
    return BT_OK;
}

static int visit(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    struct finder *finder = data;
    if (type != DT_REG && type != DT_LNK)
        return BT_OK;
    const char *script = finder->stage->plan->file_name;
    if (script && strcmp(script, path) == 0)
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

static void note(struct finder *finder, const char *format, const char *path)
{
    char text[512];
    (void)snprintf(text, sizeof text, format, path);                    /* Cut is fine. */
    (void)bt_buf_addf(&finder->notes->text, "outputFiles: %s\n", text); /* Only a note. */
}

/* Patterns with wildcards go to the globs; plain names are looked up at once. */
static int take_pattern(struct finder *finder, int dir, const struct bt_value *item,
                        struct bt_err *err)
{
    struct bt_str text = bt_value_str(item);
    if (!bt_value_is(item, BT_KIND_STRING) || text.len == 0)
        return bt_fail(err, BT_INVALID, "outputFiles: names and globs are texts");
    if (bt_str_starts(text, BT_STR("glob:")))
        text = bt_str_slice(text, 5, text.len);
    while (bt_str_starts(text, BT_STR("./")))
        text = bt_str_slice(text, 2, text.len);
    if (finder->glob_count == PATTERNS_MAX)
        return bt_fail(err, BT_LIMIT, "outputFiles: more than %d patterns", PATTERNS_MAX);
    struct bt_glob *glob = NULL;
    int rc = bt_glob_parse(text, &glob, err);
    if (rc < 0) {
        (void)bt_err_prefix(err, "outputFiles"); /* Gives the code again. */
        return rc;
    }
    if (!bt_glob_is_literal(glob)) {
        finder->globs[finder->glob_count++] = glob;
        return BT_OK;
    }
    bt_glob_free(glob);
    char *path = bt_str_dup(text);
    if (!path)
        return bt_fail_mem(err, "outputFiles");
    BT_FD fd = -1;
    rc = bt_fs_open(dir, path, O_PATH, &fd, err);
    if (rc == BT_NOT_FOUND)
        note(finder, "'%s' was not made by the command", path);
    else if (rc < 0)
        (void)bt_err_prefix(err, "outputFiles"); /* Gives the code again. */
    rc = rc == BT_NOT_FOUND ? BT_OK : rc < 0 ? rc : add_name(finder, path, err);
    free(path);
    return rc;
}

/* Appends the URI that every file of this attempt begins with. */
static int base_uri(const struct bt_job *job, struct bt_buf *out)
{
    (void)bt_buf_adds(out, "baton:///"); /* Checked by the caller. */
    (void)bt_job_path(job, out);         /* The same. */
    return bt_buf_addf(out, "tasks/%s/%s/", job->task->id, job->taskrun_id);
}

/* Opens one file for reading. BT_DENIED: a link that leads out. BT_NOT_FOUND: no regular file. */
static int open_output(int dir, const char *path, int *ret_fd, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_TRY(bt_fs_open(dir, path, O_RDONLY | O_NONBLOCK, &fd, err));
    struct stat at;
    if (fstat(fd, &at) < 0 || !S_ISREG(at.st_mode))
        return bt_fail(err, BT_NOT_FOUND, "'%s' is not a file", path);
    *ret_fd = bt_fd_take(&fd);
    return BT_OK;
}

static int store_one(struct finder *finder, int dir, const char *path, struct bt_value *uris,
                     struct bt_err *err)
{
    const struct bt_stage *stage = finder->stage;
    BT_FD fd = -1;
    int rc = open_output(dir, path, &fd, err);
    if (rc == BT_DENIED || rc == BT_NOT_FOUND) {
        note(finder,
             rc == BT_DENIED ? "'%s' is not stored: it cannot be read, or leads out of the "
                               "working directory"
                             : "'%s' is not stored: it is not a file",
             path);
        return BT_OK;
    }
    if (rc < 0)
        return rc;
    struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    (void)base_uri(stage->job, &uri);                  /* Checked below. */
    (void)bt_files_add_escaped(bt_str_of(path), &uri); /* The same. */
    rc = bt_buf_check(&uri, "the URI of an output file", err);
    if (rc == BT_OK)
        rc = bt_files_put_fd(stage->files, stage->job->tenant, bt_buf_str(&uri), fd, err);
    if (rc == BT_OK && bt_map_puts(uris, path, bt_value_string(bt_buf_str(&uri))) < 0)
        rc = bt_fail_mem(err, "outputFiles");
    bt_buf_done(&uri);
    if (rc < 0)
        (void)bt_err_prefix(err, "outputFiles: '%s'", path); /* Gives the code again. */
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int store_found(struct finder *finder, int dir, struct bt_value *uris, struct bt_err *err)
{
    if (finder->count > 0)
        qsort(finder->names, finder->count, sizeof *finder->names, compare_names);
    for (size_t i = 0; i < finder->count; i++) {
        if (i > 0 && strcmp(finder->names[i], finder->names[i - 1]) == 0)
            continue;
        BT_TRY(store_one(finder, dir, finder->names[i], uris, err));
    }
    for (size_t i = 0; i < finder->count; i++)
        free(finder->names[i]);
    finder->count = 0;
    return BT_OK;
}

static int store_all(struct finder *finder, struct bt_value *uris, struct bt_err *err)
{
    const struct bt_stage *stage = finder->stage;
    const struct bt_value *patterns = stage->plan->output_files;
    BT_FD work = -1;
    BT_TRY(
        bt_fs_open(stage->root, stage->work_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &work, err));
    for (size_t i = 0; i < bt_value_count(patterns); i++)
        BT_TRY(take_pattern(finder, work, bt_list_at(patterns, i), err));
    if (finder->glob_count > 0)
        BT_TRY(bt_fs_walk(work, visit, finder, err));
    BT_TRY(store_found(finder, work, uris, err));
    if (!stage->plan->has_output_dir)
        return BT_OK;
    BT_FD out = -1;
    BT_TRY(bt_fs_open(stage->root, stage->output_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &out,
                      err));
    BT_TRY(bt_fs_walk(out, visit_all, finder, err));
    return store_found(finder, out, uris, err);
}

int bt_stage_store(const struct bt_stage *stage, struct bt_stage_notes *notes,
                   struct bt_value **ret_uris, struct bt_err *err)
{
    struct finder *finder = calloc(1, sizeof *finder);
    BT_VALUE uris = bt_map_new(4);
    if (!finder || !uris) {
        free(finder);
        return bt_fail_mem(err, "outputFiles");
    }
    finder->stage = stage;
    finder->notes = notes;
    int rc = store_all(finder, uris, err);
    finder_done(finder);
    if (rc == BT_OK)
        *ret_uris = BT_TAKE(uris);
    return rc;
}
