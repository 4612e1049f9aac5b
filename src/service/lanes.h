/* lanes.h — Task runs of large executions: the lanes of a group, and one task run by itself.
 *
 * A lane of a loop is a value with its task runs; of a parallel group it is a branch. Branches for
 * errors are the last lanes. */
#pragma once
#include "service/service.h"

struct bt_run_name {
    struct bt_str exec; /* Id. */
    struct bt_str run;  /* Number (fast), or id: looked for among all of the execution. */
};

struct bt_lane_query {
    struct bt_run_name of; /* Whose group; empty or "0": the execution's. */
    uint32_t states;       /* Bit per enum bt_state of the lane; 0: all. */
    uint64_t skip, limit;
};
/* Appends {"results":[{lane,value,state,runs}…],"total":N,"counts":{STATE:N}}: the lanes that have
 * begun, in order; the task runs without their outputs; counts over all of the group. Reads every
 * task run from the parent to its last child, and keeps a few bytes of each. */
int bt_service_lanes(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_lane_query *query, struct bt_buf *out, struct bt_err *err);
/* Appends one task run, whole, with its number `n`, its `lane`, its `group`, and what encloses it,
 * outermost first. */
int bt_service_run_look(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_run_name *name, struct bt_buf *out, struct bt_err *err);
