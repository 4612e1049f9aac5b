/* shape.c — The original's JSON shapes of executions and logs. */
#include "service/shape.h"

#include "base/iso.h"
#include "value/json.h"
#include "value/time.h"

#include <assert.h>
#include <stdio.h>

static void key(struct bt_buf *out, const char *name)
{
    (void)bt_buf_addf(out, ",\"%s\":", name); /* Failures are sticky; the caller checks once. */
}

static void text(struct bt_buf *out, const char *name, struct bt_str value)
{
    key(out, name);
    (void)bt_json_write_str(value, out);
}

static void value(struct bt_buf *out, const char *name, const struct bt_value *item)
{
    key(out, name);
    if (item)
        (void)bt_json_write(item, BT_JSON_COMPACT, out, NULL); /* As above. */
    else
        (void)bt_buf_adds(out, "null");
}

void bt_shape_date(int64_t at_us, struct bt_buf *out)
{
    char iso[BT_ISO_SIZE];
    size_t len = strlen(bt_iso_utc(at_us, iso)) - 4; /* Milliseconds are enough, without the Z. */
    len -= memcmp(iso + len - 4, ".000", 4) == 0 ? 4 : 0;
    (void)bt_buf_addf(out, "\"%.*sZ\"", (int)len, iso);
}

void bt_shape_duration(int64_t us, struct bt_buf *out)
{
    int64_t ms = us > 0 ? us / 1000 : 0;
    struct bt_duration duration = {.seconds = ms / 1000, .nano = (int)(ms % 1000) * 1000000};
    (void)bt_buf_addc(out, '"');
    (void)bt_duration_format(&duration, out);
    (void)bt_buf_addc(out, '"');
}

static void history(struct bt_buf *out, enum bt_state state, int64_t at_us, bool is_first)
{
    (void)bt_buf_addf(out, "%s{\"state\":\"%s\",\"date\":", is_first ? "" : ",",
                      bt_state_name(state));
    bt_shape_date(at_us, out);
    (void)bt_buf_addc(out, '}');
}

/* What the original computes from the histories whenever it writes them. */
static void summary(struct bt_buf *out, enum bt_state state, int64_t from_us, int64_t to_us)
{
    key(out, "duration");
    bt_shape_duration(to_us - from_us, out);
    key(out, "startDate");
    bt_shape_date(from_us, out);
    if (bt_state_is_ended(state) || state == BT_PAUSED) {
        key(out, "endDate");
        bt_shape_date(to_us, out);
    }
    (void)bt_buf_addc(out, '}');
}

static void state(struct bt_buf *out, const struct bt_histories *histories, enum bt_state current,
                  int64_t now_us)
{
    (void)bt_buf_addf(out, "{\"current\":\"%s\",\"histories\":[", bt_state_name(current));
    for (uint32_t i = 0; i < histories->count; i++) {
        const struct bt_history *at = bt_histories_at(histories, i);
        history(out, at->state, at->at_us, i == 0);
    }
    (void)bt_buf_addc(out, ']');
    int64_t from_us = histories->count ? bt_histories_at(histories, 0)->at_us : now_us;
    int64_t to_us =
        histories->count > 1 ? bt_histories_at(histories, histories->count - 1)->at_us : now_us;
    summary(out, current, from_us, to_us);
}

static void labels(struct bt_buf *out, const struct bt_value *map)
{
    key(out, "labels");
    (void)bt_buf_addc(out, '[');
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_value *name = NULL;
        const struct bt_value *item = bt_map_at(map, i, &name);
        (void)bt_buf_adds(out, i ? ",{\"key\":" : "{\"key\":");
        (void)bt_json_write_str(bt_value_str(name), out);
        value(out, "value", item);
        (void)bt_buf_addc(out, '}');
    }
    (void)bt_buf_addc(out, ']');
}

static void values_of_exec(const struct bt_exec *exec, bool is_light, struct bt_buf *out)
{
    if (!is_light && bt_value_count(exec->inputs))
        value(out, "inputs", exec->inputs);
    if (!is_light && bt_value_count(exec->outputs))
        value(out, "outputs", exec->outputs);
    labels(out, exec->labels);
    if (!is_light && bt_value_count(exec->variables))
        value(out, "variables", exec->variables);
    if (exec->trigger)
        value(out, "trigger", exec->trigger);
}

void bt_shape_exec(const struct bt_exec *exec, bool is_light, int64_t now_us, struct bt_buf *out)
{
    (void)bt_buf_addf(out, "{\"id\":\"%s\"", exec->id.text);
    text(out, "namespace", bt_str_of(exec->namespace));
    text(out, "flowId", bt_str_of(exec->flow_id));
    key(out, "flowRevision");
    (void)bt_buf_add_i64(out, exec->revision);
    values_of_exec(exec, is_light, out);
    key(out, "state");
    state(out, &exec->histories, exec->state, now_us);
    if (exec->parent_id.text[0])
        text(out, "parentId", bt_id_str(&exec->parent_id));
    text(out, "originalId", bt_id_str(exec->original_id.text[0] ? &exec->original_id : &exec->id));
    if (exec->schedule_us) {
        key(out, "scheduleDate");
        bt_shape_date(exec->schedule_us, out);
    }
    key(out, "deleted");
    (void)bt_buf_adds(out, "false");
    if (is_light)
        return;
    key(out, "metadata");
    (void)bt_buf_addf(out, "{\"attemptNumber\":%u,\"originalCreatedDate\":", exec->attempt_number);
    bt_shape_date(exec->histories.count ? bt_histories_at(&exec->histories, 0)->at_us : now_us,
                  out);
    (void)bt_buf_addc(out, '}');
}

static void attempt(struct bt_buf *out, const struct bt_attempt *at, int64_t now_us)
{
    int64_t end_us = at->end_us ? at->end_us : now_us;
    enum bt_state current = at->end_us ? at->state : BT_RUNNING;
    (void)bt_buf_addf(out, "{\"state\":{\"current\":\"%s\",\"histories\":[",
                      bt_state_name(current));
    history(out, BT_CREATED, at->start_us, true);
    history(out, BT_RUNNING, at->start_us, false);
    if (at->end_us)
        history(out, at->state, at->end_us, false);
    (void)bt_buf_addc(out, ']');
    summary(out, current, at->start_us, end_us);
    (void)bt_buf_addc(out, '}');
}

/* A run that never ran has null, one that has ended without outputs an empty map. */
static void outputs(struct bt_buf *out, const struct bt_taskrun *run)
{
    bool has_run = false;
    for (uint32_t i = 0; i < run->histories.count; i++)
        has_run |= bt_histories_at(&run->histories, i)->state == BT_RUNNING;
    if (run->outputs || run->is_spilled || !has_run || !bt_state_is_ended(run->state)) {
        value(out, "outputs", run->outputs);
        return;
    }
    key(out, "outputs");
    (void)bt_buf_adds(out, "{}");
}

static void run_shape(const struct bt_run_shape *shape, bool is_light, struct bt_buf *out)
{
    const struct bt_exec *exec = shape->exec;
    const struct bt_taskrun *run = shape->run;
    (void)bt_buf_addf(out, "{\"id\":\"%s\",\"executionId\":\"%s\"", run->id.text, exec->id.text);
    text(out, "namespace", bt_str_of(exec->namespace));
    text(out, "flowId", bt_str_of(exec->flow_id));
    text(out, "taskId", bt_str_of(shape->task_id));
    if (shape->parent)
        text(out, "parentTaskRunId", bt_id_str(shape->parent));
    if (run->value)
        text(out, "value", bt_value_str(run->value));
    if (run->attempt_count) {
        key(out, "attempts");
        for (uint32_t i = 0; i < run->attempt_count; i++) {
            (void)bt_buf_addc(out, i ? ',' : '[');
            attempt(out, &run->attempts[i], shape->now_us);
        }
        (void)bt_buf_addc(out, ']');
    }
    if (!is_light)
        outputs(out, run);
    key(out, "state");
    state(out, &run->histories, run->state, shape->now_us);
    (void)bt_buf_addc(out, '}');
}

void bt_shape_run(const struct bt_run_shape *shape, struct bt_buf *out)
{
    run_shape(shape, false, out);
}

void bt_shape_run_light(const struct bt_run_shape *shape, struct bt_buf *out)
{
    run_shape(shape, true, out);
}

void bt_shape_log(const struct bt_exec *exec, const struct bt_id *run, const char *task_id,
                  const struct bt_log_entry *entry, struct bt_buf *out)
{
    assert(exec && entry);
    (void)bt_buf_adds(out, "{\"namespace\":");
    (void)bt_json_write_str(bt_str_of(exec->namespace), out);
    text(out, "flowId", bt_str_of(exec->flow_id));
    if (task_id)
        text(out, "taskId", bt_str_of(task_id));
    text(out, "executionId", bt_id_str(&exec->id));
    if (run)
        text(out, "taskRunId", bt_id_str(run));
    key(out, "attemptNumber");
    (void)bt_buf_add_i64(out, entry->attempt ? entry->attempt - 1 : 0);
    key(out, "timestamp");
    bt_shape_date(entry->time_us, out);
    text(out, "level", bt_str_of(bt_level_name(entry->level)));
    text(out, "message", entry->text);
    (void)bt_buf_adds(out, ",\"deleted\":false}");
}
