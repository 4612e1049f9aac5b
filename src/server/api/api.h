/* api.h — What the handlers of the resources share: paging, filters, conditions. */
#pragma once
#include "server/http.h"

/* What is wrong with a bulk call, one by one. */
struct bt_invalids {
    struct bt_value *list; /* Owned. */
};
int bt_invalids_add(struct bt_invalids *invalids, const char *message, const char *path,
                    struct bt_str value, struct bt_err *err);
/* {"message": "invalid bulk VERB", "invalids": […]}, 400. Takes the list. */
int bt_respond_invalids(struct bt_request *request, const char *verb, struct bt_invalids *invalids,
                        struct bt_err *err);
/* {"count": N} */
int bt_respond_count(struct bt_request *request, size_t count, struct bt_err *err);

struct bt_paging {
    int64_t page, size;
};
/* "page" from 1 and "size" from 1 (default 10). */
int bt_paging_of(const struct bt_request *request, struct bt_paging *ret_paging,
                 struct bt_err *err);
/* "sort=field:asc", everything but asc is descending. An empty field: not asked for. */
struct bt_sorting {
    struct bt_str field;
    bool is_ascending;
};
int bt_sorting_of(const struct bt_request *request, struct bt_sorting *ret_sorting,
                  struct bt_err *err);
int bt_sorting_refuse(const struct bt_sorting *sorting, struct bt_err *err);
/* The body and answers of every list: fills skip and limit. */
static inline uint64_t bt_paging_skip(const struct bt_paging *paging)
{
    return (uint64_t)(paging->page - 1) * (uint64_t)paging->size;
}
/* "light" of a list of executions: with it a row's size does not depend on what the execution did.
 */
int bt_exec_form_of(const struct bt_request *request, enum bt_exec_form *ret_form,
                    struct bt_err *err);
#define BT_PARAM_LIGHT                                                                             \
    {                                                                                              \
        "light", "boolean",                                                                        \
            "Rows without taskRunList, inputs, outputs, variables and metadata (default false)"    \
    }
/* "taskRuns": an execution with more task runs than so many is told without them (-1: as it is). */
int bt_most_runs_of(const struct bt_request *request, int64_t *ret_most, struct bt_err *err);
#define BT_PARAM_TASK_RUNS                                                                         \
    {                                                                                              \
        "taskRuns", "integer",                                                                     \
            "At most so many in taskRunList: with more of them it is left out, and taskRunCount "  \
            "tells their number"                                                                   \
    }
/* The answer to an act, but for its closing brace: what is done is never refused, so one that is
 * too large goes without its task runs too. */
int bt_write_exec(struct bt_request *request, const struct bt_exec *exec, struct bt_err *err);
/* A filter: "name=value" or "filters[name][EQUALS]=value"; .at is NULL when it is absent. */
struct bt_str bt_filter(const struct bt_request *request, const char *name);
/* "revision" of the query; 0: the newest. BT_NOT_FOUND for what no flow can have. */
int bt_query_revision(const struct bt_request *request, uint32_t *ret_revision, struct bt_err *err);
/* Levels from `minLevel` on as a bit set (0: all). */
int bt_levels_of(const struct bt_request *request, uint32_t *ret_levels, struct bt_err *err);
/* The same of a level that was sent otherwise. */
int bt_levels_from(struct bt_str text, uint32_t *ret_levels, struct bt_err *err);
/* An instant of the query; *ret_us 0 when absent. */
int bt_query_time(const struct bt_request *request, const char *name, int64_t *ret_us,
                  struct bt_err *err);
/* The same of a text that was sent otherwise. */
int bt_time_of(struct bt_str text, const char *name, int64_t *ret_us, struct bt_err *err);
/* USER or SYSTEM as a condition on flows; asked for both, *has_cond becomes false. */
int bt_scope_of(struct bt_str text, struct bt_flow_cond *cond, bool *has_cond, struct bt_err *err);
/* Answers with all that is wrong with a flow: 422 in the original's shape. */
int bt_respond_violations(struct bt_request *request, const struct bt_diags *diags,
                          struct bt_err *err);
/* A part of a form by name, or NULL. */
const struct bt_part *bt_part(const struct bt_request *request, const char *name);
