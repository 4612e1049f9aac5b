/* child_results.c — What a plugin tells: outputs, log lines, metrics, events; and the table itself.
 */
#include "worker/host/child_int.h"

#include "base/num.h"
#include "value/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bt_str str_of(const char *at, size_t len)
{
    return (struct bt_str){at, at ? len : 0};
}

/* A message with JSON that the plugin made: checked, on one line. NULL, 0: null. */
static int add_json(struct bt_buf *out, const char *key, struct bt_str json)
{
    BT_VALUE value = NULL;
    child_key(out, key);
    if (!json.at)
        return bt_buf_adds(out, "null");
    if (bt_json_parse(json, NULL, &value, NULL) < 0 ||
        bt_json_write(value, BT_JSON_COMPACT, out, NULL) < 0)
        out->failed = BT_LIMIT;
    return out->failed;
}

static bool is_json(struct bt_str json)
{
    BT_VALUE value = NULL;
    return !json.at || bt_json_parse(json, NULL, &value, NULL) == BT_OK;
}

static int output_json(struct bt_run *run, const char *name, const char *json, size_t len)
{
    if (!is_json(str_of(json, len)))
        return bt_host_table.fail(run, "output '%s': the plugin gave no valid JSON", name);
    struct bt_buf *out = child_begin("output");
    child_text(out, "name", bt_str_of(name));
    (void)add_json(out, "value", str_of(json, len)); /* Checked in child_end(). */
    return child_end(false);
}

static int output_text(struct bt_run *run, const char *name, const char *text, size_t len)
{
    (void)run;
    struct bt_buf *out = child_begin("output");
    child_text(out, "name", bt_str_of(name));
    child_text(out, "value", str_of(text, len));
    return child_end(false);
}

static int output_int(struct bt_run *run, const char *name, int64_t number)
{
    (void)run;
    struct bt_buf *out = child_begin("output");
    child_text(out, "name", bt_str_of(name));
    child_key(out, "value");
    (void)bt_buf_add_i64(out, number); /* Checked in child_end(). */
    return child_end(false);
}

static void send_log(struct bt_run *run, enum bt_plugin_level level, const char *text, size_t len)
{
    static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
    (void)run;
    struct bt_buf *out = child_begin("log");
    size_t index = level >= BT_PLUGIN_TRACE && level <= BT_PLUGIN_ERROR ? (size_t)level : 2;
    child_text(out, "level", bt_str_of(names[index]));
    child_text(out, "message", str_of(text, len));
    (void)child_end(true); /* A line past the limit of one message is dropped. */
}

static void send_metric(struct bt_run *run, const char *name, const char *type, double value,
                        const char *tags_json)
{
    (void)run;
    if (!isfinite(value) || !is_json(bt_str_of(tags_json)))
        return;
    struct bt_buf *out = child_begin("metric");
    child_text(out, "name", bt_str_of(name));
    child_text(out, "metric", bt_str_of(type ? type : "counter"));
    child_key(out, "value");
    (void)bt_buf_add_double(out, value); /* Checked in child_end(). */
    if (tags_json)
        (void)add_json(out, "tags", bt_str_of(tags_json)); /* The same. */
    (void)child_end(false);                                /* A metric past the limit is dropped. */
}

__attribute__((format(printf, 2, 3))) static int fail(struct bt_run *run, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bt_buf_clear(&run->reason);
    if (len > 0) /* Without memory the code alone tells. */
        (void)bt_buf_add(
            &run->reason,
            (struct bt_str){text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1});
    return BT_PLUGIN_FAILED;
}

static int is_killed(struct bt_run *run)
{
    (void)run;
    return atomic_load(&bt_child.is_killed);
}

static int emit(struct bt_run *run, const char *variables_json, size_t len, const char *id)
{
    if (!is_json(str_of(variables_json, len)))
        return bt_host_table.fail(run, "the plugin emitted an event that is no valid JSON");
    struct bt_buf *out = child_begin("emit");
    (void)add_json(out, "variables", str_of(variables_json, len)); /* Checked in child_end(). */
    if (id)
        child_text(out, "id", bt_str_of(id));
    return child_end(false);
}

static struct bt_text state_get(struct bt_run *run)
{
    return child_json_of(run, run->state);
}

static int state_set(struct bt_run *run, const char *json, size_t len)
{
    struct bt_value *state = NULL;
    if (json && bt_json_parse(str_of(json, len), NULL, &state, NULL) < 0)
        return bt_host_table.fail(run, "the plugin's state is no valid JSON");
    bt_value_unref(run->state);
    run->state = state;
    struct bt_buf *out = child_begin("state");
    (void)add_json(out, "value", str_of(json, len)); /* Checked in child_end(). */
    return child_end(false);
}

static int ask_flush(struct bt_run *run)
{
    (void)child_begin("flush");
    (void)child_end(true); /* Cannot be too long. */
    return child_ask(run, NULL, NULL);
}

static int ask_render(struct bt_run *run, const char *name, const char *variables_json, size_t len,
                      struct bt_rendered *ret_rendered)
{
    if (!is_json(str_of(variables_json, len)))
        return bt_host_table.fail(run, "variables of '%s': the plugin gave no valid JSON", name);
    struct bt_buf *out = child_begin("render");
    child_text(out, "name", bt_str_of(name));
    (void)add_json(out, "variables", str_of(variables_json, len)); /* Checked in child_end(). */
    int rc = child_end(true);
    BT_VALUE reply = NULL;
    if (rc == BT_PLUGIN_OK)
        rc = child_ask(run, &reply, NULL);
    if (rc != BT_PLUGIN_OK)
        return rc;
    const struct bt_value *value = bt_map_gets(reply, "value");
    *ret_rendered = (struct bt_rendered){
        .json = child_json_of(run, value),
        .is_true = bt_value_as_bool(bt_map_gets(reply, "isTrue")),
    };
    return BT_PLUGIN_OK;
}

static int ask_encrypt(struct bt_run *run, const char *text, size_t len, struct bt_text *ret_json)
{
    struct bt_buf *out = child_begin("encrypt");
    child_text(out, "text", str_of(text, len));
    int rc = child_end(true);
    BT_VALUE reply = NULL;
    if (rc == BT_PLUGIN_OK)
        rc = child_ask(run, &reply, NULL);
    if (rc == BT_PLUGIN_OK)
        *ret_json = child_json_of(run, bt_map_gets(reply, "value"));
    return rc;
}

const struct bt_host_api bt_host_table = {
    .abi = BT_PLUGIN_ABI,
    .size = sizeof(struct bt_host_api),
    .prop_json = child_prop_json,
    .prop_text = child_prop_text,
    .prop_int = child_prop_int,
    .prop_double = child_prop_double,
    .prop_bool = child_prop_bool,
    .prop_duration_us = child_prop_duration_us,
    .prop_count = child_prop_count,
    .prop_at = child_prop_at,
    .output_json = output_json,
    .output_text = output_text,
    .output_int = output_int,
    .log = send_log,
    .metric = send_metric,
    .fail = fail,
    .is_killed = is_killed,
    .file_open = child_file_open,
    .file_read = child_file_read,
    .file_size = child_file_size,
    .file_close = child_file_close,
    .file_create = child_file_create,
    .file_write = child_file_write,
    .file_commit = child_file_commit,
    .file_abort = child_file_abort,
    .row_next = child_row_next,
    .row_add = child_row_add,
    .work_dir = child_work_dir,
    .emit = emit,
    .state_get = state_get,
    .state_set = state_set,
    .flush = ask_flush,
    .info = child_info,
    .render = ask_render,
    .encrypt = ask_encrypt,
};
