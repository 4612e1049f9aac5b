/* bulk.h — Calls over many executions, by ids or by filters: all or nothing. */
#pragma once
#include "server/api/find.h"
#include "service/exec_actions.h"

struct bt_exec_ref bt_bulk_ref(const struct bt_exec *exec);

/* What a bulk call does, and of what kind it is. */
struct bt_bulk {
    const char *verb;
    /* Why an execution cannot take it, or NULL. */
    const char *(*refuse)(const struct bt_bulk *bulk, const struct bt_exec_ref *ref);
    int (*act)(const struct bt_bulk *bulk, struct bt_request *request, const bt_exec_refs *refs,
               struct bt_err *err);
    struct {
        bool takes_running; /* Those that have not ended, too. */
        bool keeps_files;
    } delete;
    const struct bt_value *labels;
    const struct bt_act *act_on;
};
/* `ids`: a list of texts, as it was sent. */
int bt_bulk_ids(const struct bt_bulk *bulk, struct bt_request *request, const struct bt_value *ids,
                struct bt_err *err);
/* The filters of the query. */
int bt_bulk_query(const struct bt_bulk *bulk, struct bt_request *request, struct bt_err *err);

#define BT_PARAM_FILTERS                                                                           \
    {"q", "string", "Words"}, {"namespace", "string", "This namespace and its children"},          \
        {"flowId", "string", "Of the flow"}, {"state", "string[]", "One of these states"},         \
        {"startDate", "date-time", "Started not before"},                                          \
        {"endDate", "date-time", "Started not after"},                                             \
        {"timeRange", "duration", "Started within this time before now"},                          \
    {                                                                                              \
        "labels", "string[]", "key:value"                                                          \
    }
