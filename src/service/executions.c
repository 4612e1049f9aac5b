/* executions.c — Use cases that read executions: one as clients see it, and its logs. */
#include "service/service.h"

#include "base/limits.h"
#include "base/map64.h"
#include "base/own.h"
#include "base/vec.h"
#include "service/shape.h"
#include "sys/clock.h"

#include <stdlib.h>
#include <strings.h>

int bt_service_exec(struct bt_service *service, const struct bt_principal *principal,
                    struct bt_str id, struct bt_exec **ret_exec, struct bt_err *err)
{
    return service->store->ops->exec(service->store, principal->tenant, id, ret_exec, err);
}

/* --- With its task runs ----------------------------------------------------------------------- */

/* Ids of the flowables' runs, so that their children can name them. */
struct parents {
    struct bt_map64 ids; /* Number → struct bt_id, owned. */
};

static void keep_parent(struct parents *parents, const struct bt_taskrun *run)
{
    if (run->group.list == BT_NO_TASK && run->group.phase == BT_PHASE_MAIN)
        return;
    struct bt_id *id = malloc(sizeof *id);
    if (!id)
        bt_die("out of memory");
    *id = run->id;
    bt_map64_put(&parents->ids, run->n, id);
}

static void parents_done(struct parents *parents)
{
    for (size_t i = 0; i < parents->ids.cap; i++)
        free(parents->ids.slots[i].value);
    bt_map64_done(&parents->ids);
}

struct runs {
    const struct bt_exec *exec;
    struct parents parents;
    int64_t now_us;
    size_t count;
    struct bt_buf *out;
};

static int add_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct runs *runs = data;
    struct bt_run_shape shape = {runs->exec, run, task_id,
                                 bt_map64_get(&runs->parents.ids, run->parent), runs->now_us};
    keep_parent(&runs->parents, run);
    (void)bt_buf_adds(runs->out, runs->count++ ? "," : ",\"taskRunList\":["); /* Checked below. */
    bt_shape_run(&shape, runs->out);
    return runs->out->failed;
}

int bt_service_exec_json(struct bt_service *service, const struct bt_exec *exec,
                         enum bt_exec_form form, struct bt_buf *out, struct bt_err *err)
{
    struct runs runs = {.exec = exec, .now_us = bt_clock_wall_us(bt_clock_system()), .out = out};
    bt_shape_exec(exec, form == BT_EXEC_LIGHT, runs.now_us, out);
    int rc = BT_OK;
    if (form == BT_EXEC_WHOLE)
        rc = service->store->ops->runs(service->store,
                                       &(struct bt_run_query){exec->key, 1, UINT32_MAX},
                                       &(struct bt_run_sink){add_run, &runs}, err);
    if (runs.count)
        (void)bt_buf_addc(out, ']'); /* Checked below. */
    parents_done(&runs.parents);
    if (out->failed)
        return bt_buf_check(out, "the execution", err);
    return rc;
}

struct one_run {
    const struct bt_exec *exec;
    struct bt_id parent;
    uint32_t parent_n;
    bool wants_id; /* Only the id is asked for: it is a parent. */
    struct bt_buf *out;
};

static int add_one(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct one_run *one = data;
    if (one->wants_id) {
        one->parent = run->id;
        return BT_OK;
    }
    struct bt_run_shape shape = {one->exec, run, task_id, one->parent_n ? &one->parent : NULL,
                                 bt_clock_wall_us(bt_clock_system())};
    bt_shape_run(&shape, one->out);
    return one->out->failed;
}

static int keep_parent_n(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct one_run *one = data;
    (void)task_id;
    one->parent_n = run->parent;
    return BT_OK;
}

int bt_service_run_json(struct bt_service *service, const struct bt_exec *exec, uint32_t n,
                        struct bt_buf *out, struct bt_err *err)
{
    struct bt_store *store = service->store;
    struct one_run one = {.exec = exec, .out = out};
    struct bt_run_query query = {exec->key, n, 1};
    BT_TRY(store->ops->runs(store, &query, &(struct bt_run_sink){keep_parent_n, &one}, err));
    if (one.parent_n) {
        one.wants_id = true;
        query.from_n = one.parent_n;
        BT_TRY(store->ops->runs(store, &query, &(struct bt_run_sink){add_one, &one}, err));
        one.wants_id = false;
        query.from_n = n;
    }
    BT_TRY(store->ops->runs(store, &query, &(struct bt_run_sink){add_one, &one}, err));
    return bt_buf_check(out, "the task run", err);
}

int bt_service_exec_text(struct bt_service *service, const struct bt_principal *principal,
                         struct bt_str id, struct bt_buf *out, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_exec_name name = {principal->tenant, id};
    uint64_t epoch;
    size_t from = out->len;
    if (bt_exec_cache_get(service->execs, &name, out, &epoch))
        return bt_buf_check(out, "the execution", err);
    BT_TRY(bt_service_exec(service, principal, id, &exec, err));
    BT_TRY(bt_service_exec_json(service, exec, BT_EXEC_WHOLE, out, err));
    (void)bt_buf_addc(out, '}'); /* Checked here. */
    BT_TRY(bt_buf_check(out, "the execution", err));
    if (bt_state_is_ended(exec->state) && exec->is_drained)
        bt_exec_cache_put(service->execs, &name, epoch,
                          bt_str_slice(bt_buf_str(out), from, out->len));
    return BT_OK;
}

/* --- Logs ------------------------------------------------------------------------------------- */

struct named_run {
    struct bt_id id;
    char task_id[BT_TASK_ID_BYTES_MAX + 1];
};

struct log_walk {
    struct bt_service *service;
    const struct bt_exec *exec;
    const struct bt_log_filter *filter;
    struct bt_map64 runs; /* Number → struct named_run, owned. */
    struct bt_buf text;   /* Of one line. */
    const struct bt_line_sink *sink;
    struct bt_err *err;
};

static int keep_name(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct log_walk *walk = data;
    struct named_run *named = malloc(sizeof *named);
    if (!named)
        bt_die("out of memory");
    named->id = run->id;
    (void)snprintf(named->task_id, sizeof named->task_id, "%s", task_id); /* No longer than that. */
    bt_map64_put(&walk->runs, run->n, named);
    return BT_OK;
}

/* The run that a line is of, looked up once; NULL: the execution itself. */
static int name_run(struct log_walk *walk, uint32_t n, const struct named_run **ret_named)
{
    struct bt_store *store = walk->service->store;
    *ret_named = n ? bt_map64_get(&walk->runs, n) : NULL;
    if (*ret_named || !n)
        return BT_OK;
    BT_TRY(store->ops->runs(store, &(struct bt_run_query){walk->exec->key, n, 1},
                            &(struct bt_run_sink){keep_name, walk}, walk->err));
    *ret_named = bt_map64_get(&walk->runs, n);
    return BT_OK;
}

bool bt_log_has_words(struct bt_str text, struct bt_str words)
{
    size_t from = 0;
    while (from < words.len) {
        size_t to = from;
        while (to < words.len && words.at[to] != ' ')
            to++;
        bool has = to == from;
        for (size_t i = 0; !has && i + (to - from) <= text.len; i++)
            has = strncasecmp(text.at + i, words.at + from, to - from) == 0;
        if (!has)
            return false;
        from = to + 1;
    }
    return true;
}

static bool is_wanted(const struct bt_log_filter *filter, const struct named_run *named,
                      const struct bt_log_entry *entry)
{
    if (filter->run_id.len && (!named || !bt_str_eq(filter->run_id, bt_id_str(&named->id))))
        return false;
    if (filter->task_id.len && (!named || !bt_str_is(filter->task_id, named->task_id)))
        return false;
    if ((filter->from_us && entry->time_us < filter->from_us) ||
        (filter->to_us && entry->time_us > filter->to_us) ||
        !bt_log_has_words(entry->text, filter->words))
        return false;
    return filter->attempt < 0 || (int)entry->attempt == filter->attempt + 1;
}

/* "2026-11-24T06:04:22.799Z INFO hello" */
static void write_text(const struct bt_log_entry *entry, struct bt_buf *out)
{
    bt_shape_date(entry->time_us, out);
    if (out->failed)
        return;
    memmove(out->at, out->at + 1, out->len - 2); /* Without its quotes. */
    out->len -= 2;
    (void)bt_buf_addf(out, " %s ", bt_level_name(entry->level)); /* Checked by the caller. */
    (void)bt_buf_add(out, entry->text);
}

static int add_line(void *data, uint64_t line, const struct bt_log_entry *entry)
{
    struct log_walk *walk = data;
    const struct named_run *named;
    BT_TRY(name_run(walk, entry->taskrun, &named));
    if (!is_wanted(walk->filter, named, entry))
        return BT_OK;
    bt_buf_clear(&walk->text);
    if (walk->filter->is_text)
        write_text(entry, &walk->text);
    else
        bt_shape_log(walk->exec, named ? &named->id : NULL, named ? named->task_id : NULL, entry,
                     &walk->text);
    BT_TRY(bt_buf_check(&walk->text, "a log line", walk->err));
    return walk->sink->each(walk->sink->data, bt_buf_str(&walk->text), line);
}

int bt_service_logs(struct bt_service *service, const struct bt_exec *exec,
                    const struct bt_log_filter *filter, const struct bt_line_sink *sink,
                    struct bt_err *err)
{
    struct log_walk walk = {.service = service,
                            .exec = exec,
                            .filter = filter,
                            .text = BT_BUF_INIT(BT_JSON_BYTES_MAX),
                            .sink = sink,
                            .err = err};
    struct bt_log_query query = {exec->key, filter->levels, filter->first_line};
    int rc = service->store->ops->logs(service->store, &query,
                                       &(struct bt_log_sink){add_line, &walk}, err);
    for (size_t i = 0; i < walk.runs.cap; i++)
        free(walk.runs.slots[i].value);
    bt_map64_done(&walk.runs);
    bt_buf_done(&walk.text);
    return rc;
}
