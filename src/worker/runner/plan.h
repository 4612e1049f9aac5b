/* plan.h — What a script task will run, rendered from its properties: the command line, variables
 * of the environment, files to bring and files to keep. Of a WorkingDirectory only the files.
 * Making a plan touches nothing but the PATH.
 */
#pragma once
#include "base/arena.h"
#include "engine/job.h"

/* A file of the internal storage that a command names: it is copied before the command starts. */
struct bt_fetch {
    struct bt_str uri;
    const char *name; /* In the directory of fetched files. */
};

struct bt_plan {
    struct bt_arena arena;   /* All texts below. */
    const char *const *argv; /* Ended by NULL. */
    const char *const *env;  /* "NAME=value", ended by NULL. */
    const char *file_name;   /* A script that must be written into the working directory, … */
    struct bt_str file_text; /* … or file_name is NULL. */
    struct bt_value *input_files;                   /* Owned map of name to content, or NULL. */
    struct bt_value *output_files;                  /* Owned list of patterns, or NULL. */
    struct bt_value *space_include, *space_exclude; /* Owned lists of globs, or NULL: all, none. */
    bool has_space_files;                           /* Files of the namespace are brought. */
    bool restores_cache, saves_cache;
    struct bt_value *cache_patterns; /* Owned list, or NULL. */
    int64_t cache_ttl_us;            /* 0: it is good for ever. */
    const struct bt_fetch *fetches;
    size_t fetch_count;
    bool is_warning_on_stderr;
    bool has_output_dir;
};

struct bt_plan_place {
    const char *work_dir;                       /* Absolute: the command's working directory. */
    const char *fetch_dir;                      /* Where fetched files will be. */
    const char *output_dir;                     /* Where {{ outputDir }} will be. */
    const struct bt_capabilities *capabilities; /* May be NULL. */
};

/* On failure *plan is empty. */
int bt_plan_make(struct bt_plan *plan, const struct bt_job *job, const struct bt_plan_place *place,
                 struct bt_err *err);
void bt_plan_done(struct bt_plan *plan);
