/* stage.h — Files around a command: what is brought into its working directory before, and what is
 * stored after it. Blocks on the disk: runs on a helper thread when there is much to do. */
#pragma once
#include "files/files.h"
#include "worker/runner/plan.h"

/* What is told about files, for the attempt's log. */
struct bt_stage_notes {
    struct bt_buf text; /* Entries: the level ('0' + enum bt_level), the text, a newline. */
};
/* Cut when it is long. */
void bt_stage_note(struct bt_stage_notes *notes, enum bt_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The cache of a WorkingDirectory between its OPEN and its CLOSE. */
struct bt_cache_mark {
    bool is_restored;
    uint64_t digest; /* Of the files as they were after OPEN. */
};

/* Directories of one attempt, beneath the worker's directory. */
struct bt_stage {
    struct bt_files *files;       /* Borrowed. */
    const struct bt_job *job;     /* Borrowed. */
    const struct bt_plan *plan;   /* Borrowed. */
    int root;                     /* The worker's directory; borrowed. */
    const char *work_name;        /* Of the working directory, … */
    const char *fetch_name;       /* … that of fetched files, … */
    const char *output_name;      /* … and {{ outputDir }}, beneath `root`. */
    bool is_place;                /* The working directory is there and stays. */
    struct bt_cache_mark *mark;   /* Of a WorkingDirectory; borrowed. */
    struct bt_stage_notes *notes; /* Borrowed. */
};

/* Whether bringing files needs more than the working directory and a script. */
bool bt_stage_is_heavy(const struct bt_plan *plan);
/* Makes the directories and writes the files. */
int bt_stage_bring(const struct bt_stage *stage, struct bt_err *err);
/* Stores the output files. *ret_uris is an owned map of relative path to URI. */
int bt_stage_store(const struct bt_stage *stage, struct bt_value **ret_uris, struct bt_err *err);
/* cache.c: keeps the files that the plan's patterns find for the next execution. A failure is only
 * told in a note. */
void bt_stage_save_cache(const struct bt_stage *stage);
/* Removes the directories. */
int bt_stage_remove(const struct bt_stage *stage, struct bt_err *err);
