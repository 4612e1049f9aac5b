/* protocol.c — Reads the output protocol. Whatever a command prints, it must only ever warn. */
#include "worker/runner/protocol.h"

#include "base/limits.h"
#include "value/json.h"
#include "worker/runner/lines.h"

void bt_capture_done(struct bt_capture *capture)
{
    capture->vars = bt_value_unref(capture->vars);
    capture->metrics = bt_value_unref(capture->metrics);
}

static bool merge_vars(struct bt_capture *capture, const struct bt_value *outputs)
{
    if (!capture->vars)
        capture->vars = bt_map_new(bt_value_count(outputs));
    for (size_t i = 0; i < bt_value_count(outputs); i++) {
        struct bt_value *key = NULL;
        struct bt_value *item = bt_map_at(outputs, i, &key);
        if (!capture->vars || bt_map_put_key(capture->vars, key, bt_value_ref(item)) < 0)
            return false;
    }
    return true;
}

static bool is_number(const struct bt_value *value)
{
    enum bt_kind kind = bt_value_kind(value);
    return kind == BT_KIND_INT || kind == BT_KIND_DOUBLE || kind == BT_KIND_DECIMAL;
}

static bool is_metric(const struct bt_value *metric, const char *type_key)
{
    struct bt_str type = bt_map_str(metric, type_key);
    return bt_map_str(metric, "name").len > 0 && is_number(bt_map_gets(metric, "value")) &&
           (bt_str_is(type, "counter") || bt_str_is(type, "timer") || bt_str_is(type, "gauge"));
}

/* NULL without memory. */
static struct bt_value *make_metric(const struct bt_value *metric, const char *type_key)
{
    BT_VALUE made = bt_map_new(4);
    const struct bt_value *tags = bt_map_gets(metric, "tags");
    if (!made || bt_map_puts(made, "name", bt_value_ref(bt_map_gets(metric, "name"))) < 0 ||
        bt_map_puts(made, "type", bt_value_ref(bt_map_gets(metric, type_key))) < 0 ||
        bt_map_puts(made, "value", bt_value_ref(bt_map_gets(metric, "value"))) < 0 ||
        bt_map_puts(made, "tags",
                    bt_value_is(tags, BT_KIND_MAP) ? bt_value_ref(tags) : bt_map_new(0)) < 0)
        return NULL;
    return BT_TAKE(made);
}

static void tell_cut(struct bt_capture *capture)
{
    char text[96];
    int len = snprintf(text, sizeof text, "Only the first %u metrics are kept", BT_METRICS_MAX);
    if (!capture->is_cut)
        capture->log(capture->data, BT_LEVEL_WARN, (struct bt_str){text, (size_t)len});
    capture->is_cut = true;
}

static bool add_metrics(struct bt_capture *capture, const struct bt_value *metrics)
{
    if (!capture->metrics)
        capture->metrics = bt_list_new(bt_value_count(metrics));
    for (size_t i = 0; i < bt_value_count(metrics); i++) {
        size_t count = bt_value_count(capture->metrics);
        if (count == BT_METRICS_MAX) {
            tell_cut(capture);
            return true;
        }
        if (!capture->metrics ||
            bt_list_push(capture->metrics, make_metric(bt_list_at(metrics, i), "type")) < 0)
            return false;
    }
    return true;
}

static void pass_logs(struct bt_capture *capture, const struct bt_value *logs)
{
    for (size_t i = 0; i < bt_value_count(logs); i++) {
        const struct bt_value *entry = bt_list_at(logs, i);
        enum bt_level level = BT_LEVEL_INFO;
        (void)bt_level_parse(bt_map_str(entry, "level"), &level); /* Unknown: INFO. */
        capture->log(capture->data, level, bt_map_str(entry, "message"));
    }
}

/* The kinds are right: maps and lists where they belong, metrics complete. */
static bool is_well_formed(const struct bt_value *line)
{
    const struct bt_value *outputs = bt_map_gets(line, "outputs");
    const struct bt_value *metrics = bt_map_gets(line, "metrics");
    const struct bt_value *logs = bt_map_gets(line, "logs");
    if (!bt_value_is(line, BT_KIND_MAP) ||
        (!bt_value_is_null(outputs) && !bt_value_is(outputs, BT_KIND_MAP)) ||
        (!bt_value_is_null(metrics) && !bt_value_is(metrics, BT_KIND_LIST)) ||
        (!bt_value_is_null(logs) && !bt_value_is(logs, BT_KIND_LIST)))
        return false;
    for (size_t i = 0; i < bt_value_count(metrics); i++) {
        if (!is_metric(bt_list_at(metrics, i), "type"))
            return false;
    }
    return true;
}

static void warn_invalid(struct bt_capture *capture, struct bt_str line, const char *why)
{
    struct bt_buf text = BT_BUF_INIT(BT_LOG_MESSAGE_MAX);
    struct bt_str shown = bt_str_slice(line, 0, bt_text_piece(line, BT_LOG_MESSAGE_MAX / 4));
    if (bt_buf_adds(&text, "Invalid outputs '") == BT_OK && bt_buf_add(&text, shown) == BT_OK &&
        bt_buf_addf(&text, "%s': %s", shown.len < line.len ? "…" : "", why) == BT_OK)
        capture->log(capture->data, BT_LEVEL_WARN, bt_buf_str(&text));
    bt_buf_done(&text);
}

bool bt_capture_line(struct bt_capture *capture, struct bt_str line)
{
    static const struct bt_str end = {"}::", 3};
    if (!bt_line_is_protocol(line) || line.len < 6 || !bt_str_ends(line, end))
        return false;
    capture->bytes += line.len;
    capture->is_too_large = capture->is_too_large || capture->bytes > BT_OUTPUT_BYTES_MAX;
    if (capture->is_too_large)
        return true;
    BT_VALUE json = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (bt_json_parse(bt_str_slice(line, 2, line.len - 2), NULL, &json, &err) < 0) {
        warn_invalid(capture, line, err.msg);
        return true;
    }
    if (!is_well_formed(json)) {
        warn_invalid(capture, line,
                     "outputs is a map; metrics a list of {name, type: counter or "
                     "timer, value, tags}; logs a list of {level, message}");
        return true;
    }
    const struct bt_value *outputs = bt_map_gets(json, "outputs");
    const struct bt_value *metrics = bt_map_gets(json, "metrics");
    if (!bt_value_is_null(outputs) && !merge_vars(capture, outputs))
        capture->is_too_large = true;
    if (!bt_value_is_null(metrics) && !add_metrics(capture, metrics))
        capture->is_too_large = true;
    pass_logs(capture, bt_map_gets(json, "logs"));
    return true;
}

void bt_capture_output(struct bt_capture *capture, struct bt_str name, const struct bt_value *value)
{
    capture->bytes += name.len + bt_value_bytes(value);
    if (capture->bytes > BT_OUTPUT_BYTES_MAX)
        capture->is_too_large = true;
    if (capture->is_too_large)
        return;
    if (!capture->vars)
        capture->vars = bt_map_new(4);
    struct bt_value *item = value ? bt_value_ref(value) : bt_value_null();
    if (!capture->vars) {
        bt_value_unref(item);
        capture->is_too_large = true;
    } else if (bt_map_put(capture->vars, name, item) < 0) {
        capture->is_too_large = true;
    }
}

bool bt_capture_metric(struct bt_capture *capture, const struct bt_value *metric,
                       const char *type_key)
{
    if (!is_metric(metric, type_key))
        return false;
    if (!capture->metrics)
        capture->metrics = bt_list_new(1);
    if (bt_value_count(capture->metrics) == BT_METRICS_MAX)
        tell_cut(capture);
    else if (!capture->metrics || bt_list_push(capture->metrics, make_metric(metric, type_key)) < 0)
        capture->is_too_large = true;
    return true;
}
