/* job.c — Ownership of jobs and results. */
#include "engine/job.h"

#include <stdlib.h>

struct bt_job *bt_job_free(struct bt_job *job)
{
    if (!job)
        return NULL;
    bt_value_unref(job->variables);
    bt_value_unref(job->templates);
    bt_flow_unref(job->flow);
    free(job);
    return NULL;
}

void bt_job_result_done(struct bt_job_result *result)
{
    result->outputs = bt_value_unref(result->outputs);
    result->metrics = bt_value_unref(result->metrics);
    free(result->error);
    result->error = NULL;
}
