/* logs.c — The routes of log lines: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/api/find.h"
#include "server/follow.h"
#include "server/router.h"

struct writing {
    struct bt_buf *out;
    size_t count;
    bool is_text;
};

static int add(void *data, struct bt_str text, uint64_t line)
{
    struct writing *writing = data;
    (void)line;
    if (writing->count++)
        (void)bt_buf_addc(writing->out, writing->is_text ? '\n' : ','); /* Sticky. */
    return bt_buf_add(writing->out, text);
}

/* What the newer dialects ask of the lines of one execution; none is ignored. */
static int check_filters(const struct bt_request *request, const char *const *known,
                         struct bt_err *err)
{
    for (size_t i = 0; i < request->query_count; i++) {
        struct bt_str name = request->queries[i].name;
        bool is_known = !bt_str_starts(name, BT_STR("filters["));
        for (size_t j = 0; !is_known && known[j]; j++)
            is_known = bt_str_is(name, known[j]);
        if (!is_known)
            return bt_fail(err, BT_INVALID, "Illegal argument: the filter '%.*s' is not known",
                           BT_FMT(name));
    }
    return BT_OK;
}

#define OF_LEVELS                                                                                  \
    "filters[level][EQUALS]", "filters[level][GREATER_THAN_OR_EQUAL_TO]",                          \
        "filters[minLevel][EQUALS]"

static int read_filter(struct bt_request *request, struct bt_log_filter *filter, struct bt_err *err)
{
    static const char *const known[] = {OF_LEVELS,
                                        "filters[q][EQUALS]",
                                        "filters[taskId][EQUALS]",
                                        "filters[taskRunId][EQUALS]",
                                        "filters[attemptNumber][EQUALS]",
                                        NULL};
    int64_t attempt;
    BT_TRY(check_filters(request, known, err));
    BT_TRY(bt_levels_of(request, &filter->levels, err));
    BT_TRY(bt_query_int(request, "filters[attemptNumber][EQUALS]", -1, &attempt, err));
    BT_TRY(bt_query_int(request, "attempt", attempt, &attempt, err));
    filter->attempt = attempt < -1 || attempt > 1000000 ? 1000000 : (int)attempt;
    filter->run_id = bt_filter(request, "taskRunId");
    filter->task_id = bt_filter(request, "taskId");
    filter->words = bt_query(request, "filters[q][EQUALS]");
    return BT_OK;
}

static int write_all(struct bt_request *request, bool is_text, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_log_filter filter = {.is_text = is_text};
    struct writing writing = {&request->response.body, 0, is_text};
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    BT_TRY(read_filter(request, &filter, err));
    int rc = bt_service_logs(request->service, exec, &filter, &(struct bt_line_sink){add, &writing},
                             err);
    return writing.out->failed ? bt_buf_check(writing.out, "the logs", err) : rc;
}

static int get(struct bt_request *request, struct bt_err *err)
{
    (void)bt_buf_addc(&request->response.body, '['); /* Checked by what follows. */
    BT_TRY(write_all(request, false, err));
    (void)bt_buf_addc(&request->response.body, ']');
    return bt_respond_text(request, "application/json", err);
}

static int download(struct bt_request *request, struct bt_err *err)
{
    BT_TRY(write_all(request, true, err));
    bt_respond_header(request, "Content-Disposition", "attachment; filename=\"%.*s.log\"",
                      BT_FMT(request->params[0]));
    return bt_respond_text(request, "text/plain; charset=utf-8", err);
}

static int follow(struct bt_request *request, struct bt_err *err)
{
    static const char *const known[] = {OF_LEVELS, NULL};
    struct bt_exec *exec = NULL;
    uint32_t levels;
    BT_TRY(check_filters(request, known, err));
    BT_TRY(bt_levels_of(request, &levels, err));
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    return bt_follow_begin(request, BT_FOLLOW_LOGS, exec, levels, err);
}

/* Times and words are of the lines, all else is of their executions. */
static int search_found(struct bt_request *request, const struct bt_find *find, struct bt_err *err)
{
    struct bt_paging paging;
    struct bt_sorting sorting;
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(bt_sorting_of(request, &sorting, err));
    if (sorting.field.len && (sorting.is_ascending || !bt_str_is(sorting.field, "timestamp")))
        return bt_sorting_refuse(&sorting, err);
    struct bt_log_search search = {.of = find->query,
                                   .lines = {.attempt = -1,
                                             .words = find->query.text,
                                             .levels = find->levels,
                                             .from_us = find->query.from_us,
                                             .to_us = find->query.to_us},
                                   .skip = bt_paging_skip(&paging),
                                   .limit = (uint64_t)paging.size};
    search.of.text = BT_STR_NONE;
    search.of.from_us = 0; /* One that started before may write later. */
    BT_TRY(bt_service_log_search(request->service, &request->principal, &search,
                                 &request->response.body, err));
    return bt_respond_text(request, "application/json", err);
}

/* Lines are removed by chunks, and a chunk has lines of many tasks and levels. */
static int delete_of(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_log_filter filter = {0};
    BT_TRY(read_filter(request, &filter, err));
    bool has_levels = filter.levels && filter.levels != (1u << BT_LEVEL_COUNT) - 1;
    if (has_levels || filter.attempt >= 0 || filter.run_id.len || filter.task_id.len)
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: the log lines of an execution are removed all together; "
                       "leave out minLevel, taskRunId, taskId and attempt");
    BT_TRY(bt_service_exec(request->service, &request->principal, request->params[0], &exec, err));
    BT_TRY(bt_service_drop_logs(request->service, exec, err));
    return bt_respond(request, 200);
}

static int search(struct bt_request *request, struct bt_err *err)
{
    struct bt_find find = {.takes_levels = true};
    int rc = bt_find_of(request, &find, err);
    if (rc == BT_OK)
        rc = search_found(request, &find, err);
    bt_find_done(&find);
    return rc;
}

static const struct bt_param search_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"sort", "string", "Always timestamp:desc, by executions"},
    {"q", "string", "Words that are all in the message"},
    {"namespace", "string", "This namespace and its children"},
    {"flowId", "string", "Of the flow"},
    {"minLevel", "string", "This level and more severe ones"},
    {"startDate", "date-time", "Not before"},
    {"endDate", "date-time", "Not after"},
    {0},
};
static const struct bt_param queries[] = {
    {"minLevel", "string", "This level and more severe ones"},
    {"taskRunId", "string", "Lines of this task run"},
    {"taskId", "string", "Lines of this task"},
    {"attempt", "integer", "Lines of this attempt, from 0"},
    {0},
};

const struct bt_route bt_routes_logs[] = {
    {BT_GET, "/logs/search", search, 0, "searchLogs", "Logs", "Search the logs of executions", NULL,
     "PagedLog", search_queries},
    {BT_GET, "/logs/{executionId}", get, 0, "getLogs", "Logs", "Get the logs of an execution", NULL,
     "LogEntries", queries},
    {BT_DELETE, "/logs/{executionId}", delete_of, 0, "deleteLogsFromExecution", "Logs",
     "Delete all logs of an execution that has ended", NULL, NULL, queries},
    {BT_GET, "/logs/{executionId}/download", download, 0, "downloadLogs", "Logs",
     "Download the logs of an execution as text", NULL, "Text", queries},
    {BT_GET, "/logs/{executionId}/follow", follow, 0, "followLogs", "Logs",
     "Follow the logs of an execution (server-sent events)", NULL, "EventStream", queries},
    {0},
};
