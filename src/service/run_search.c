/* run_search.c — Task runs of many executions: those of the newest first, within one by number. */
#include "base/vec.h"
#include "service/runs.h"

enum { SLICE = 100, EXECS_MAX = 2000 };

struct searching {
    struct bt_service *service;
    const struct bt_run_search *search;
    BT_VEC(struct bt_exec *) execs; /* Of the slice; owned. */
    const struct bt_exec *exec;     /* That is looked at. */
    uint64_t total;
    bool is_full; /* Counted enough. */
    struct bt_buf *out;
    struct bt_err *err;
};

static int keep_exec(void *data, struct bt_exec *exec)
{
    struct searching *searching = data;
    bt_vec_push(&searching->execs, exec);
    return BT_OK;
}

static int add_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct searching *searching = data;
    const struct bt_run_search *search = searching->search;
    (void)task_id;
    if (search->states && !(search->states & 1u << run->state))
        return BT_OK;
    if (searching->total >= search->skip && searching->total - search->skip < search->limit) {
        (void)bt_buf_adds(searching->out, searching->total > search->skip ? "," : ""); /* Sticky. */
        BT_TRY(bt_service_run_json(searching->service, searching->exec, run->n, searching->out,
                                   searching->err));
    }
    searching->total++;
    searching->is_full = searching->total >= BT_RUN_SEARCH_MAX + search->skip + search->limit;
    return searching->is_full ? BT_LIMIT : BT_OK;
}

/* The next slice of executions; *ret_count: how many there were. */
static int search_slice(struct searching *searching, struct bt_exec_query *of, size_t *ret_count)
{
    struct bt_store *store = searching->service->store;
    struct bt_total total;
    int rc = store->ops->execs(store, of, &(struct bt_exec_sink){keep_exec, searching}, &total,
                               searching->err);
    *ret_count = searching->execs.count;
    for (size_t i = 0; i < searching->execs.count; i++) {
        searching->exec = searching->execs.items[i];
        if (rc == BT_OK && !searching->is_full)
            rc =
                store->ops->runs(store, &(struct bt_run_query){searching->exec->key, 1, UINT32_MAX},
                                 &(struct bt_run_sink){add_run, searching}, searching->err);
        if (searching->is_full)
            rc = BT_OK;
        bt_exec_free(searching->execs.items[i]);
    }
    searching->execs.count = 0;
    return rc;
}

int bt_service_run_search(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_run_search *search, struct bt_buf *out,
                          struct bt_err *err)
{
    struct searching searching = {.service = service, .search = search, .out = out, .err = err};
    struct bt_exec_query of = search->of;
    size_t count = SLICE;
    int rc = BT_OK;
    of.tenant = principal->tenant;
    of.limit = SLICE;
    (void)bt_buf_adds(out, "{\"results\":["); /* Checked below. */
    while (rc == BT_OK && count == SLICE && !searching.is_full && of.skip < EXECS_MAX) {
        rc = search_slice(&searching, &of, &count);
        of.skip += count;
    }
    bt_vec_done(&searching.execs);
    bool is_capped = searching.is_full || count == SLICE;
    (void)bt_buf_addf(out, "],\"total\":%llu%s}", (unsigned long long)searching.total,
                      is_capped ? ",\"totalIsCapped\":true" : "");
    return rc < 0 ? rc : bt_buf_check(out, "the task runs", err);
}
