/* runs.h — Task runs of an execution by parent, and their metrics, in the original's shapes. */
#pragma once
#include "service/service.h"

/* Appends {"results":[…],"total":N,"group":{…}}: the runs of a page, each with its number `n` and,
 * when it encloses others, the counters of its group. The tenant is that of the execution. */
int bt_service_children(struct bt_service *service, const struct bt_exec *exec,
                        const struct bt_child_query *query, struct bt_buf *out, struct bt_err *err);

/* Task runs of many executions (run_search.c). */
enum { BT_RUN_SEARCH_MAX = 10000 }; /* So many are counted beyond the page. */
struct bt_run_search {
    struct bt_exec_query of; /* Of which executions; sort and page do not matter. */
    uint32_t states;         /* Of the task run, bit per enum bt_state; 0: all. */
    uint64_t skip, limit;
};
/* Appends {"results":[…],"total":N}: counted until so many executions or task runs were looked at,
 * then with "totalIsCapped":true. */
int bt_service_run_search(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_run_search *search, struct bt_buf *out,
                          struct bt_err *err);

struct bt_metric_query {
    struct bt_str run_id, task_id; /* Empty: all. */
    uint64_t skip, limit;
};
/* Appends {"results":[…],"total":N}. */
int bt_service_metrics(struct bt_service *service, const struct bt_exec *exec,
                       const struct bt_metric_query *query, struct bt_buf *out, struct bt_err *err);
