/* reader.h — What expressions in a job's properties may ask of the world: read() and fileSize() of
 * files of the same execution. Everything else is refused. */
#pragma once
#include "engine/job.h"
#include "files/files.h"

struct bt_reader {
    struct bt_files *files;   /* Borrowed. */
    const struct bt_job *job; /* Borrowed. */
};

/* The capability; `reader` is borrowed by it. */
struct bt_capabilities bt_reader_capabilities(struct bt_reader *reader);
/* Appends the path of the job's execution, with '/' at its end, as the storage knows it. */
int bt_job_path(const struct bt_job *job, struct bt_buf *out);
