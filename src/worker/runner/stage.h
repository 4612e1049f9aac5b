/* stage.h — Files around a command: what is brought into its working directory before, and what is
 * stored after it. Blocks on the disk: runs on a helper thread when there is much to do. */
#pragma once
#include "files/files.h"
#include "worker/runner/plan.h"

/* Directories of one attempt, beneath the worker's directory. */
struct bt_stage {
    struct bt_files *files;     /* Borrowed. */
    const struct bt_job *job;   /* Borrowed. */
    const struct bt_plan *plan; /* Borrowed. */
    int root;                   /* The worker's directory; borrowed. */
    const char *work_name;      /* Of the working directory, … */
    const char *fetch_name;     /* … that of fetched files, … */
    const char *output_name;    /* … and {{ outputDir }}, beneath `root`. */
};

/* Whether bringing files needs more than the working directory and a script. */
bool bt_stage_is_heavy(const struct bt_plan *plan);
/* Makes the directories and writes the files. */
int bt_stage_bring(const struct bt_stage *stage, struct bt_err *err);
/* What is told about single files, as WARN entries. */
struct bt_stage_notes {
    struct bt_buf text; /* Entries, each ended by a newline. */
};
/* Stores the output files. *ret_uris is an owned map of relative path to URI. */
int bt_stage_store(const struct bt_stage *stage, struct bt_stage_notes *notes,
                   struct bt_value **ret_uris, struct bt_err *err);
/* Removes the directories. */
int bt_stage_remove(const struct bt_stage *stage, struct bt_err *err);
