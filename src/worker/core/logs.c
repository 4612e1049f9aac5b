/* logs.c — log.fetch: the log lines of an execution into a file, page by page. */
#include "value/json.h"
#include "worker/core/core_int.h"

struct fetch {
    struct bt_core *core;
    struct bt_value *args; /* Owned: of the next question. */
    const struct bt_value *tasks;
    struct bt_out out;
    int64_t count;
};

static void fetch_done(struct fetch *fetch)
{
    bt_value_unref(fetch->args);
    bt_out_done(&fetch->out);
}

static int put(struct bt_value *args, const char *key, struct bt_str given, const char *fallback)
{
    return bt_map_puts(args, key, bt_value_string(given.len ? given : bt_str_of(fallback)));
}

/* Whose lines: without a namespace and a flow those of this flow. */
static int make_args(struct fetch *fetch, struct bt_err *err)
{
    const struct bt_core *core = fetch->core;
    const struct bt_job *job = core->job;
    struct bt_str namespace = core_text(core, "namespace"), flow = core_text(core, "flowId");
    struct bt_str exec = core_text(core, "executionId");
    if ((namespace.len > 0) != (flow.len > 0))
        return bt_fail(err, BT_INVALID, "`namespace` and `flowId` must be given together");
    fetch->args = bt_map_new(5);
    int rc = put(fetch->args, "executionId", exec, job->exec_id);
    rc |= put(fetch->args, "namespace", exec.len ? namespace : BT_STR_NONE, job->flow->namespace);
    rc |= put(fetch->args, "flowId", exec.len ? flow : BT_STR_NONE, job->flow->id);
    rc |= put(fetch->args, "level", core_text(core, "level"), "INFO");
    return rc < 0 ? bt_fail_mem(err, "logs") : BT_OK;
}

static int ask_page(const struct fetch *fetch, struct bt_value **ret_page, struct bt_err *err)
{
    const struct bt_job *job = fetch->core->job;
    const struct bt_world *world = &fetch->core->asks->world;
    const struct bt_question question = {job->tenant, job->flow->namespace, job->exec_id, "logs",
                                         fetch->args};
    if (!world->ask)
        return bt_fail(err, BT_UNAVAILABLE, "logs are not available here");
    return world->ask(world->data, &question, ret_page, err);
}

static bool is_wanted(const struct fetch *fetch, const struct bt_value *line)
{
    bool is = bt_value_count(fetch->tasks) == 0;
    for (size_t i = 0; i < bt_value_count(fetch->tasks) && !is; i++)
        is = bt_value_equal(bt_list_at(fetch->tasks, i), bt_map_gets(line, "taskId"));
    return is;
}

static int write_page(struct fetch *fetch, const struct bt_value *lines, struct bt_err *err)
{
    for (size_t i = 0; i < bt_value_count(lines); i++) {
        const struct bt_value *line = bt_list_at(lines, i);
        if (!is_wanted(fetch, line))
            continue;
        BT_VALUE text = bt_json_text(line);
        if (!text)
            return bt_fail_mem(err, "logs");
        BT_TRY(bt_out_add(&fetch->out, bt_value_str(text), err));
        BT_TRY(bt_out_add(&fetch->out, BT_STR("\n"), err));
        fetch->count++;
    }
    return BT_OK;
}

static int fetch_all(struct fetch *fetch, struct bt_err *err)
{
    for (bool is_more = true; is_more;) {
        BT_VALUE page = NULL;
        BT_TRY(bt_io_go_on(fetch->core->is_over, err));
        BT_TRY(ask_page(fetch, &page, err));
        BT_TRY(write_page(fetch, bt_map_gets(page, "lines"), err));
        const struct bt_value *next = bt_map_gets(page, "next");
        BT_VALUE args = bt_value_copy(fetch->args);
        is_more = !bt_value_is_null(next);
        if (!args || (is_more && bt_map_puts(args, "from", bt_value_ref(next)) < 0))
            return bt_fail_mem(err, "logs");
        bt_value_unref(fetch->args);
        fetch->args = BT_TAKE(args);
    }
    return BT_OK;
}

int core_log_fetch(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(fetch_done)
    struct fetch fetch = {.core = core, .tasks = bt_map_gets(core->props, "tasksId")};
    BT_TRY(make_args(&fetch, err));
    BT_TRY(core_create(core, "logs", BT_STR(".ion"), &fetch.out, err));
    BT_TRY(fetch_all(&fetch, err));
    BT_TRY(bt_out_commit(&fetch.out, err));
    return core_put(core, "size", bt_value_int(fetch.count), err);
}
