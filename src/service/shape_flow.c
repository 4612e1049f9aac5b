/* shape_flow.c — The original's JSON shape of flows, and of what is wrong with them. */
#include "service/shape.h"

#include "value/json.h"

#include <stdio.h>

/* Labels are written as a map or a list; shown as a list of {key, value}. */
static struct bt_value *shape_labels(const struct bt_value *labels)
{
    BT_VALUE list = bt_list_new(bt_value_count(labels));
    for (size_t i = 0; list && i < bt_value_count(labels); i++) {
        struct bt_value *name = NULL;
        const struct bt_value *text = bt_map_at(labels, i, &name);
        BT_VALUE pair = bt_map_new(2);
        if (bt_map_puts(pair, "key", bt_value_ref(name)) < 0 ||
            bt_map_puts(pair, "value", bt_value_ref(text)) < 0 ||
            bt_list_push(list, BT_TAKE(pair)) < 0)
            return NULL;
    }
    return BT_TAKE(list);
}

/* "required" is told even where it was not written. */
static struct bt_value *shape_inputs(const struct bt_flow *flow, const struct bt_value *inputs)
{
    BT_VALUE list = bt_list_new(bt_value_count(inputs));
    for (size_t i = 0; list && i < bt_value_count(inputs); i++) {
        BT_VALUE input = bt_value_copy(bt_list_at(inputs, i));
        bool is_required = i < flow->input_count ? flow->inputs[i].is_required : true;
        if (bt_value_is(input, BT_KIND_MAP) && !bt_map_gets(input, "required") &&
            bt_map_puts(input, "required", bt_value_bool(is_required)) < 0)
            return NULL;
        if (bt_list_push(list, BT_TAKE(input)) < 0)
            return NULL;
    }
    return BT_TAKE(list);
}

static struct bt_value *shape_member(const struct bt_flow *flow, struct bt_str name,
                                     const struct bt_value *item)
{
    if (bt_str_is(name, "labels"))
        return shape_labels(flow->labels);
    if (bt_str_is(name, "inputs") && bt_value_is(item, BT_KIND_LIST))
        return shape_inputs(flow, item);
    return bt_value_ref(item);
}

int bt_shape_flow(const struct bt_flow *flow, bool is_deleted, bool has_source,
                  struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE map = bt_map_new(bt_value_count(flow->tree) + 5);
    int rc = bt_map_puts(map, "id", bt_value_cstr(flow->id));
    rc |= bt_map_puts(map, "namespace", bt_value_cstr(flow->namespace));
    rc |= bt_map_puts(map, "revision", bt_value_int(flow->revision));
    for (size_t i = 0; i < bt_value_count(flow->tree); i++) {
        struct bt_value *name = NULL;
        const struct bt_value *item = bt_map_at(flow->tree, i, &name);
        if (!bt_map_get(map, bt_value_str(name)))
            rc |= bt_map_put_key(map, name, shape_member(flow, bt_value_str(name), item));
    }
    rc |= bt_map_puts(map, "disabled", bt_value_bool(flow->is_disabled));
    rc |= bt_map_puts(map, "deleted", bt_value_bool(is_deleted));
    if (has_source)
        rc |= bt_map_puts(map, "source", bt_value_string(flow->source));
    if (rc != BT_OK)
        return bt_fail_mem(err, "flow");
    *ret_value = BT_TAKE(map);
    return BT_OK;
}

#define YAML_WORDS "Illegal flow yaml: "

/* Found by the reader of YAML, before there was a flow. */
static bool is_of_yaml(const struct bt_diag *diag)
{
    return strcmp(diag->code, "yaml-syntax") == 0;
}

/* What the original says with neither a path before it nor a line's end behind it. */
static bool is_bare(const struct bt_diag *diag)
{
    return is_of_yaml(diag) || strncmp(diag->original, "Invalid type: ", 14) == 0;
}

/* The original's words where there are some, else ours with the place. */
static struct bt_value *violation_text(const struct bt_diag *diag)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(8192);
    if (strncmp(diag->original, YAML_WORDS, sizeof YAML_WORDS - 1) == 0)
        return bt_value_cstr(diag->original + sizeof YAML_WORDS - 1);
    if (diag->original[0])
        return bt_value_cstr(diag->original);
    (void)bt_buf_addf(&text, "%s", diag->msg); /* Cut when it is too long. */
    if (diag->hint[0])
        (void)bt_buf_addf(&text, " (%s)", diag->hint);
    (void)bt_buf_addf(&text, " at line %u, column %u", diag->at.line, diag->at.col);
    return bt_value_string(bt_buf_str(&text));
}

struct bt_value *bt_shape_violations(const struct bt_diags *diags)
{
    BT_VALUE list = bt_list_new(diags->errors);
    for (size_t i = 0; list && i < diags->count; i++) {
        const struct bt_diag *diag = &diags->items[i];
        BT_VALUE item = bt_map_new(7);
        int rc = BT_OK;
        if (diag->severity != BT_SEVERITY_ERROR)
            continue;
        rc |= bt_map_puts(item, "message", violation_text(diag));
        rc |= bt_map_puts(item, "logref", bt_value_null());
        rc |= bt_map_puts(item, "path", bt_value_cstr(is_of_yaml(diag) ? "yaml" : diag->path));
        rc |= bt_map_puts(item, "_links", bt_map_new(0));
        rc |= bt_map_puts(item, "_embedded", bt_map_new(0));
        if (diag->at.line) {
            rc |= bt_map_puts(item, "line", bt_value_int(diag->at.line));
            rc |= bt_map_puts(item, "column", bt_value_int(diag->at.col));
        }
        if (rc != BT_OK || bt_list_push(list, BT_TAKE(item)) < 0)
            return NULL;
    }
    return BT_TAKE(list);
}

/* Whether an earlier one said the same: a type that is not known is told once. */
static bool is_told(const struct bt_diags *diags, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (diags->items[i].severity == BT_SEVERITY_ERROR && is_bare(&diags->items[i]) &&
            strcmp(diags->items[i].original, diags->items[index].original) == 0)
            return true;
    return false;
}

void bt_shape_violations_text(const struct bt_diags *diags, struct bt_buf *out)
{
    bool is_open = false; /* A line without its end. */
    for (size_t i = 0; i < diags->count; i++) {
        const struct bt_diag *diag = &diags->items[i];
        if (diag->severity != BT_SEVERITY_ERROR || (is_bare(diag) && is_told(diags, i)))
            continue;
        BT_VALUE text = violation_text(diag);
        if (is_open)
            (void)bt_buf_addc(out, '\n');          /* Sticky: cut when it is too long. */
        is_open = is_bare(diag) || !diag->at.line; /* No place: not of a source. */
        if (!is_bare(diag) && diag->path[0])
            (void)bt_buf_addf(out, "%s: ", diag->path);
        else if (is_of_yaml(diag))
            (void)bt_buf_adds(out, YAML_WORDS);
        (void)bt_buf_add(out, bt_value_str(text));
        if (!is_open)
            (void)bt_buf_addc(out, '\n');
    }
}
