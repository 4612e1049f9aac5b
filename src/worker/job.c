/* job.c — Ends of jobs and results. */
#include "worker/job.h"

#include <stdlib.h>

struct bt_job *bt_job_free(struct bt_job *job)
{
    if (job) {
        bt_value_unref(job->variables);
        bt_flow_unref(job->flow);
        free(job);
    }
    return NULL;
}

void bt_job_result_done(struct bt_job_result *result)
{
    result->outputs = bt_value_unref(result->outputs);
    result->metrics = bt_value_unref(result->metrics);
    free(result->error);
    result->error = NULL;
}
