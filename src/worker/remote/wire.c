/* wire.c — The shapes of the worker protocol's messages. */
#include "worker/remote/wire.h"

#include "base/limits.h"
#include "base/num.h"

#include <stdlib.h>

struct bt_value *bt_wire_token(uint64_t token)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)token); /* Fits. */
    return bt_value_cstr(text);
}

uint64_t bt_wire_read_token(const struct bt_value *message)
{
    uint64_t token = 0;
    (void)bt_parse_u64(bt_map_str(message, "token"), &token); /* 0 when it is none. */
    return token;
}

/* --- Flows and jobs ----------------------------------------------------------------------------
 */

/* "namespace:id:revision" */
static struct bt_value *flow_key(const struct bt_flow *flow)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf key = BT_BUF_INIT(1024);
    if (bt_buf_addf(&key, "%s:%s:%u", flow->namespace, flow->id, flow->revision) < 0)
        return NULL;
    return bt_value_string(bt_buf_str(&key));
}

struct bt_value *bt_wire_flow(const struct bt_flow *flow)
{
    BT_VALUE map = bt_map_new(3);
    int rc = bt_map_puts(map, "flow", flow_key(flow));
    rc |= bt_map_puts(map, "revision", bt_value_int(flow->revision));
    rc |= bt_map_puts(map, "source", bt_value_string(flow->source));
    return rc < 0 ? NULL : BT_TAKE(map);
}

int bt_wire_read_flow(const struct bt_value *message, struct bt_flow **ret_flow, struct bt_err *err)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    int rc = bt_flow_parse(bt_map_str(message, "source"), &flow, &diags);
    if (rc < 0)
        (void)bt_fail(err, BT_INVALID, "the server's flow is not readable here: %s",
                      diags.count ? diags.items[0].msg : "out of memory");
    bt_diags_done(&diags);
    if (rc < 0)
        return rc;
    flow->revision = (uint32_t)bt_value_as_int(bt_map_gets(message, "revision"));
    *ret_flow = flow;
    return BT_OK;
}

struct bt_value *bt_wire_job(const struct bt_job *job)
{
    BT_VALUE map = bt_map_new(16);
    int rc = bt_map_puts(map, "token", bt_wire_token(job->token));
    rc |= bt_map_puts(map, "flow", flow_key(job->flow));
    rc |= bt_map_puts(map, "task", job->task ? bt_value_cstr(job->task->id) : bt_value_null());
    rc |= bt_map_puts(map, "tenant", bt_value_cstr(job->tenant));
    rc |= bt_map_puts(map, "execution", bt_value_cstr(job->exec_id));
    rc |= bt_map_puts(map, "taskRun", bt_value_cstr(job->taskrun_id));
    rc |= bt_map_puts(map, "attempt", bt_value_int(job->attempt));
    rc |= bt_map_puts(map, "timeoutUs", bt_value_int(job->timeout_us));
    rc |= bt_map_puts(map, "nowUs", bt_value_int(job->now_us));
    rc |= bt_map_puts(map, "seed", bt_value_int((int64_t)job->seed));
    if (job->as_of.next_n) {
        rc |= bt_map_puts(map, "ends", bt_value_int(job->as_of.ends));
        rc |= bt_map_puts(map, "nextN", bt_value_int(job->as_of.next_n));
    }
    if (job->place.op != BT_PLACE_NONE && !job->templates) {
        rc |= bt_map_puts(map, "place", bt_wire_token(job->place.id));
        rc |= bt_map_puts(map, "placeOp", bt_value_int((int64_t)job->place.op));
        rc |= bt_map_puts(map, "savesCache", bt_value_bool(job->place.saves_cache));
    }
    rc |= bt_map_puts(map, "variables",
                      job->variables ? bt_value_ref(job->variables) : bt_map_new(0));
    if (job->templates)
        rc |= bt_map_puts(map, "templates", bt_value_ref(job->templates));
    return rc < 0 ? NULL : BT_TAKE(map);
}

static int copy_text(const struct bt_value *message, const char *key, char *at, size_t size)
{
    struct bt_str text = bt_map_str(message, key);
    if (text.len == 0 || text.len >= size)
        return BT_CORRUPT;
    memcpy(at, text.at, text.len);
    at[text.len] = '\0';
    return BT_OK;
}

/* False: it cannot be. */
static bool read_place(const struct bt_value *message, struct bt_place *ret_place)
{
    int64_t op = bt_value_as_int(bt_map_gets(message, "placeOp"));
    *ret_place = (struct bt_place){.op = BT_PLACE_NONE};
    if (op == BT_PLACE_NONE)
        return true;
    if (op < 0 || op > BT_PLACE_CLOSE ||
        !bt_parse_u64(bt_map_str(message, "place"), &ret_place->id))
        return false;
    ret_place->op = (enum bt_place_op)op;
    ret_place->saves_cache = bt_value_as_bool(bt_map_gets(message, "savesCache"));
    return ret_place->id != 0;
}

int bt_wire_read_job(const struct bt_value *message, const struct bt_flow *flow,
                     struct bt_job **ret_job, struct bt_err *err)
{
    const struct bt_task *task = bt_flow_task(flow, bt_map_str(message, "task"));
    struct bt_job *job = calloc(1, sizeof *job);
    if (!job)
        return bt_fail_mem(err, "job");
    job->token = bt_wire_read_token(message);
    const struct bt_value *templates = bt_map_gets(message, "templates");
    bool is_of_exec = templates && bt_value_is_null(bt_map_gets(message, "task"));
    if (!(task || is_of_exec) || job->token == 0 || !read_place(message, &job->place) ||
        copy_text(message, "tenant", job->tenant, sizeof job->tenant) < 0 ||
        copy_text(message, "execution", job->exec_id, sizeof job->exec_id) < 0 ||
        (task && copy_text(message, "taskRun", job->taskrun_id, sizeof job->taskrun_id) < 0)) {
        free(job);
        return bt_fail(err, BT_CORRUPT, "a job's message is not readable");
    }
    job->attempt = (uint32_t)bt_value_as_int(bt_map_gets(message, "attempt"));
    job->timeout_us = bt_value_as_int(bt_map_gets(message, "timeoutUs"));
    job->now_us = bt_value_as_int(bt_map_gets(message, "nowUs"));
    job->seed = (uint64_t)bt_value_as_int(bt_map_gets(message, "seed"));
    job->as_of.ends = (uint32_t)bt_value_as_int(bt_map_gets(message, "ends"));
    job->as_of.next_n = (uint32_t)bt_value_as_int(bt_map_gets(message, "nextN"));
    job->variables = bt_value_ref(bt_map_gets(message, "variables"));
    job->templates = templates ? bt_value_ref(templates) : NULL;
    job->flow = bt_flow_ref(flow);
    job->task = task;
    *ret_job = job;
    return BT_OK;
}

/* --- Results -----------------------------------------------------------------------------------
 */

struct bt_value *bt_wire_result(const struct bt_job_result *result)
{
    BT_VALUE map = bt_map_new(8);
    int rc = bt_map_puts(map, "token", bt_wire_token(result->token));
    rc |= bt_map_puts(map, "state", bt_value_cstr(bt_state_name(result->state)));
    rc |= bt_map_puts(map, "startedUs", bt_value_int(result->started_us));
    rc |= bt_map_puts(map, "endedUs", bt_value_int(result->ended_us));
    if (result->outputs)
        rc |= bt_map_puts(map, "outputs", bt_value_ref(result->outputs));
    if (result->metrics)
        rc |= bt_map_puts(map, "metrics", bt_value_ref(result->metrics));
    if (result->error)
        rc |= bt_map_puts(map, "error", bt_value_cstr(result->error));
    return rc < 0 ? NULL : BT_TAKE(map);
}

static bool is_result_state(enum bt_state state)
{
    return state == BT_SUCCESS || state == BT_WARNING || state == BT_FAILED || state == BT_KILLED;
}

int bt_wire_read_result(const struct bt_value *message, struct bt_job_result *ret_result,
                        struct bt_err *err)
{
    struct bt_job_result result = {.token = bt_wire_read_token(message)};
    struct bt_value *outputs = bt_map_gets(message, "outputs");
    struct bt_value *metrics = bt_map_gets(message, "metrics");
    struct bt_str error = bt_map_str(message, "error");
    if (result.token == 0 || !bt_state_parse(bt_map_str(message, "state"), &result.state) ||
        !is_result_state(result.state) || (outputs && !bt_value_is(outputs, BT_KIND_MAP)) ||
        (metrics && !bt_value_is(metrics, BT_KIND_LIST)))
        return bt_fail(err, BT_CORRUPT, "a result's message is not readable");
    result.started_us = bt_value_as_int(bt_map_gets(message, "startedUs"));
    result.ended_us = bt_value_as_int(bt_map_gets(message, "endedUs"));
    if (error.len && !(result.error = bt_str_dup(error)))
        return bt_fail_mem(err, "result");
    result.outputs = bt_value_ref(outputs);
    result.metrics = bt_value_ref(metrics);
    *ret_result = result;
    return BT_OK;
}

/* --- Logs --------------------------------------------------------------------------------------
 */

struct bt_value *bt_wire_logs(const struct bt_wire_logs *head, const struct bt_log_line *lines,
                              size_t count)
{
    BT_VALUE map = bt_map_new(3), *list = bt_list_new(count);
    int rc = bt_map_puts(map, "token", bt_wire_token(head->token));
    rc |= bt_map_puts(map, "n", bt_value_int(head->n));
    for (size_t i = 0; i < count; i++) {
        BT_VALUE line = bt_list_new(3);
        rc |= bt_list_push(line, bt_value_int(lines[i].time_us + head->shift_us));
        rc |= bt_list_push(line, bt_value_int32((int32_t)lines[i].level));
        rc |= bt_list_push(line, bt_value_string(lines[i].text));
        rc |= bt_list_push(list, BT_TAKE(line));
    }
    rc |= bt_map_puts(map, "lines", BT_TAKE(list));
    return rc < 0 ? NULL : BT_TAKE(map);
}

size_t bt_wire_read_logs(const struct bt_value *message, struct bt_log_line *lines, size_t cap)
{
    const struct bt_value *list = bt_map_gets(message, "lines");
    size_t count = 0;
    for (size_t i = 0; i < bt_value_count(list) && count < cap; i++) {
        const struct bt_value *line = bt_list_at(list, i);
        int64_t level = bt_value_as_int(bt_list_at(line, 1));
        struct bt_str text = bt_value_str(bt_list_at(line, 2));
        if (text.len > BT_LOG_MESSAGE_MAX || level < 0 || level >= BT_LEVEL_COUNT)
            continue; /* No worker of ours sends that. */
        lines[count++] =
            (struct bt_log_line){bt_value_as_int(bt_list_at(line, 0)), (enum bt_level)level, text};
    }
    return count;
}
