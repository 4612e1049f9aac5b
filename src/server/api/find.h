/* find.h — The filters of executions in all dialects, as one query. */
#pragma once
#include "base/vec.h"
#include "server/api/api.h"

struct bt_find {
    struct bt_exec_query query; /* Points into what follows and into the request. */
    BT_VEC(struct bt_flow_cond) conds;
    struct bt_value *labels, *no_labels; /* Owned. */
    bool takes_levels;                   /* Set by who searches lines: "level", "minLevel". */
    uint32_t levels;                     /* A bit each; 0: all. */
    bool is_nothing;                     /* Conditions that nothing meets. */
};
/* Reads namespace, flowId, q, state, labels, startDate, endDate, timeRange, scope,
 * triggerExecutionId, childFilter, as plain parameters or filters[field][OP]=value, also in groups.
 * `find` is zeroed; done with even after an error. Paging and sort are the caller's. */
int bt_find_of(const struct bt_request *request, struct bt_find *find, struct bt_err *err);
/* The same for calls that change what they find: refuses parameters that are no filter, and empty
 * ones, so that a call never reaches more than was meant. */
int bt_find_strictly(const struct bt_request *request, struct bt_find *find, struct bt_err *err);
void bt_find_done(struct bt_find *find);
