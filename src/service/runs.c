/* runs.c — Pages of task runs and of metrics. */
#include "service/runs.h"

#include "service/shape.h"
#include "sys/clock.h"
#include "value/json.h"

#include <assert.h>

/* --- By parent -------------------------------------------------------------------------------- */

struct page {
    struct bt_service *service;
    const struct bt_exec *exec;
    size_t count;
    int64_t now_us;
    const struct bt_id *parent;
    struct bt_group group; /* Of the parent. */
    struct bt_id parent_id;
    struct bt_buf *out;
};

/* Lanes: a task of a sequence or of a parallel, a value of a loop. */
static void write_group(const struct bt_group *group, struct bt_buf *out)
{
    (void)bt_buf_addf(out,
                      ",\"group\":{\"lanes\":%u,\"opened\":%u,\"open\":%u,\"failed\":%u,"
                      "\"warned\":%u,\"killed\":%u}",
                      group->lanes, group->next, group->open, group->failed, group->warned,
                      group->killed); /* Failures are sticky; the caller checks once. */
}

static bool has_group(const struct bt_group *group)
{
    return group->list != BT_NO_TASK || group->phase != BT_PHASE_MAIN;
}

static int keep_parent(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct page *page = data;
    (void)task_id;
    page->parent_id = run->id;
    page->parent = &page->parent_id;
    page->group = run->group;
    return BT_OK;
}

/* The parent is read with the first child, which has its number. */
static int read_parent(struct page *page, uint32_t n)
{
    struct bt_store *store = page->service->store;
    if (page->count || n == 0)
        return BT_OK;
    return store->ops->runs(store, &(struct bt_run_query){page->exec->key, n, 1},
                            &(struct bt_run_sink){keep_parent, page}, NULL);
}

static int add_child(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct page *page = data;
    BT_TRY(read_parent(page, run->parent));
    struct bt_run_shape shape = {page->exec, run, task_id, page->parent, page->now_us};
    (void)bt_buf_adds(page->out, page->count++ ? "," : "");
    bt_shape_run(&shape, page->out);
    if (page->out->failed)
        return page->out->failed;
    page->out->len--; /* Its closing brace. */
    (void)bt_buf_addf(page->out, ",\"n\":%u", run->n);
    if (has_group(&run->group))
        write_group(&run->group, page->out);
    (void)bt_buf_addc(page->out, '}');
    return page->out->failed;
}

int bt_service_children(struct bt_service *service, const struct bt_exec *exec,
                        const struct bt_child_query *query, struct bt_buf *out, struct bt_err *err)
{
    struct page page = {.service = service,
                        .exec = exec,
                        .now_us = bt_clock_wall_us(bt_clock_system()),
                        .group = exec->group,
                        .out = out};
    struct bt_child_query of = *query;
    int64_t total;
    of.exec = exec->key;
    (void)bt_buf_adds(out, "{\"results\":["); /* Checked below. */
    BT_TRY(service->store->ops->children(service->store, &of,
                                         &(struct bt_run_sink){add_child, &page}, &total, err));
    (void)bt_buf_addf(out, "],\"total\":%lld", (long long)total);
    if (has_group(&page.group) && (page.count || (!of.parent && !of.parent_id.len)))
        write_group(&page.group, out);
    (void)bt_buf_addc(out, '}');
    return bt_buf_check(out, "the task runs", err);
}

/* --- Metrics ---------------------------------------------------------------------------------- */

struct metrics {
    const struct bt_exec *exec;
    const struct bt_metric_query *query;
    uint64_t total;
    struct bt_buf *out;
};

static void write_text(struct bt_buf *out, const char *name, struct bt_str text)
{
    (void)bt_buf_addf(out, "\"%s\":", name); /* As above. */
    (void)bt_json_write_str(text, out);
    (void)bt_buf_addc(out, ',');
}

static void write_metric(const struct metrics *metrics, const struct bt_taskrun *run,
                         const char *task_id, const struct bt_value *metric)
{
    struct bt_buf *out = metrics->out;
    assert(metrics->exec && run);
    const struct bt_value *value = bt_map_gets(metric, "value");
    struct bt_str type = bt_map_str(metric, "type");
    const struct bt_history *last =
        bt_histories_at(&run->histories, run->histories.count ? run->histories.count - 1 : 0);
    (void)bt_buf_adds(out, metrics->total > metrics->query->skip ? ",{" : "{");
    write_text(out, "namespace", bt_str_of(metrics->exec->namespace));
    write_text(out, "flowId", bt_str_of(metrics->exec->flow_id));
    write_text(out, "taskId", bt_str_of(task_id));
    write_text(out, "executionId", bt_id_str(&metrics->exec->id));
    write_text(out, "taskRunId", bt_id_str(&run->id));
    write_text(out, "type", type.len ? type : BT_STR("counter"));
    write_text(out, "name", bt_map_str(metric, "name"));
    (void)bt_buf_adds(out, "\"value\":");
    if (value)
        (void)bt_json_write(value, BT_JSON_COMPACT, out, NULL);
    else
        (void)bt_buf_addc(out, '0');
    (void)bt_buf_adds(out, ",\"timestamp\":");
    bt_shape_date(last->at_us, out);
    (void)bt_buf_adds(out, ",\"tags\":");
    if (bt_map_gets(metric, "tags"))
        (void)bt_json_write(bt_map_gets(metric, "tags"), BT_JSON_COMPACT, out, NULL);
    else
        (void)bt_buf_adds(out, "{}");
    (void)bt_buf_adds(out, ",\"deleted\":false}");
}

static int add_metrics(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct metrics *metrics = data;
    const struct bt_metric_query *query = metrics->query;
    if ((query->run_id.len && !bt_str_eq(query->run_id, bt_id_str(&run->id))) ||
        (query->task_id.len && !bt_str_is(query->task_id, task_id)))
        return BT_OK;
    for (size_t i = 0; i < bt_value_count(run->metrics); i++) {
        if (metrics->total >= query->skip && metrics->total - query->skip < query->limit)
            write_metric(metrics, run, task_id, bt_list_at(run->metrics, i));
        metrics->total++;
    }
    return metrics->out->failed;
}

int bt_service_metrics(struct bt_service *service, const struct bt_exec *exec,
                       const struct bt_metric_query *query, struct bt_buf *out, struct bt_err *err)
{
    struct metrics metrics = {.exec = exec, .query = query, .out = out};
    (void)bt_buf_adds(out, "{\"results\":["); /* Checked below. */
    int rc =
        service->store->ops->runs(service->store, &(struct bt_run_query){exec->key, 1, UINT32_MAX},
                                  &(struct bt_run_sink){add_metrics, &metrics}, err);
    (void)bt_buf_addf(out, "],\"total\":%llu}", (unsigned long long)metrics.total);
    return out->failed ? bt_buf_check(out, "the metrics", err) : rc;
}
