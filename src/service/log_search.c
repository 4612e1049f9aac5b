/* log_search.c — Lines of many executions: those of the newest first, within one in order. */
#include "base/vec.h"
#include "service/service.h"

enum { SLICE = 100, EXECS_MAX = 2000, LINES_MAX = 10000 };

struct searching {
    const struct bt_log_search *search;
    BT_VEC(struct bt_exec *) execs; /* Of the slice; owned. */
    uint64_t total;
    bool is_full; /* Counted enough. */
    struct bt_buf *out;
};

static int keep_exec(void *data, struct bt_exec *exec)
{
    struct searching *searching = data;
    bt_vec_push(&searching->execs, exec);
    return BT_OK;
}

static int add_line(void *data, struct bt_str text, uint64_t line)
{
    struct searching *searching = data;
    const struct bt_log_search *search = searching->search;
    (void)line;
    if (searching->total >= search->skip && searching->total - search->skip < search->limit) {
        (void)bt_buf_adds(searching->out, searching->total > search->skip ? "," : "");
        (void)bt_buf_add(searching->out, text); /* Failures are sticky; checked at the end. */
    }
    searching->total++;
    searching->is_full = searching->total >= LINES_MAX + search->skip + search->limit;
    return searching->is_full ? BT_LIMIT : BT_OK;
}

/* The next slice of executions; *ret_count: how many there were. */
static int search_slice(struct bt_service *service, struct searching *searching,
                        struct bt_exec_query *of, size_t *ret_count, struct bt_err *err)
{
    struct bt_total total;
    int rc = service->store->ops->execs(service->store, of,
                                        &(struct bt_exec_sink){keep_exec, searching}, &total, err);
    *ret_count = searching->execs.count;
    for (size_t i = 0; i < searching->execs.count; i++) {
        if (rc == BT_OK && !searching->is_full)
            rc = bt_service_logs(service, searching->execs.items[i], &searching->search->lines,
                                 &(struct bt_line_sink){add_line, searching}, err);
        if (searching->is_full)
            rc = BT_OK;
        bt_exec_free(searching->execs.items[i]);
    }
    searching->execs.count = 0;
    return rc;
}

int bt_service_log_search(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_log_search *search, struct bt_buf *out,
                          struct bt_err *err)
{
    struct searching searching = {.search = search, .out = out};
    struct bt_exec_query of = search->of;
    size_t count = SLICE;
    int rc = BT_OK;
    of.tenant = principal->tenant;
    of.to_us = search->lines.to_us; /* None writes before it starts. */
    of.limit = SLICE;
    (void)bt_buf_adds(out, "{\"results\":[");
    while (rc == BT_OK && count == SLICE && !searching.is_full && of.skip < EXECS_MAX) {
        rc = search_slice(service, &searching, &of, &count, err);
        of.skip += count;
    }
    bt_vec_done(&searching.execs);
    bool is_capped = searching.is_full || count == SLICE;
    (void)bt_buf_addf(out, "],\"total\":%llu%s}", (unsigned long long)searching.total,
                      is_capped ? ",\"totalIsCapped\":true" : "");
    return rc < 0 ? rc : bt_buf_check(out, "the logs", err);
}
