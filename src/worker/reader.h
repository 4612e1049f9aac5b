/* reader.h — Files for expressions: of the own execution, of the one that started it, of the
 * namespace, and of those that a replay was made of. Every other file is refused. */
#pragma once
#include "engine/job.h"
#include "files/files.h"

struct bt_reading {
    struct bt_files *files;   /* Both borrowed. */
    const struct bt_job *job; /* For whom. */
};

/* Appends the path of the job's execution, with '/' at its end, as the storage knows it. */
int bt_job_path(const struct bt_job *job, struct bt_buf *out);
/* Appends the path of the files of its namespace, with '/' at its end. */
int bt_job_space_path(const struct bt_job *job, struct bt_buf *out);
/* Appends the path of what its flow keeps, with '/' at its end. */
int bt_job_flow_path(const struct bt_job *job, struct bt_buf *out);
/* BT_INVALID: the file is none of the job's execution, of the one that started it, or of the
 * namespace. `verb` is for the message: "read". */
int bt_reader_owns(const struct bt_job *job, struct bt_str uri, const char *verb,
                   struct bt_err *err);
/* read, fileSize, fileExists, isFileEmpty; args: {path}. BT_UNAVAILABLE for another function.
 * Blocks. */
int bt_reader_call(const struct bt_reading *reading, const char *function, struct bt_str path,
                   struct bt_value **ret_value, struct bt_err *err);
bool bt_reader_knows(const char *function);
