/* child_props.c — Properties and names of a run, as the ABI gives them. Texts live in the arena of
 * the run: as long as its callback. */
#include "worker/host/child_int.h"

#include "base/limits.h"
#include "base/num.h"
#include "lang/expr/expr.h"
#include "model/flow.h"
#include "value/json.h"

/* The value at "a.b": the exact key first, then parts from the left. */
static const struct bt_value *find(const struct bt_value *map, struct bt_str path)
{
    const struct bt_value *found = bt_map_get(map, path);
    for (size_t at = 0; !found && at < path.len; at++) {
        if (path.at[at] != '.')
            continue;
        const struct bt_value *inner = bt_map_get(map, bt_str_slice(path, 0, at));
        struct bt_str rest = bt_str_slice(path, at + 1, path.len);
        uint64_t index;
        if (bt_value_is(inner, BT_KIND_MAP))
            found = find(inner, rest);
        else if (bt_value_is(inner, BT_KIND_LIST) && bt_parse_u64(rest, &index))
            found = bt_list_at(inner, index);
    }
    return found;
}

static const struct bt_value *prop(const struct bt_run *run, const char *path)
{
    const struct bt_value *found = find(run->properties, bt_str_of(path));
    return bt_value_is_null(found) ? NULL : found;
}

static struct bt_text keep(struct bt_run *run, struct bt_str text)
{
    const char *copy = bt_arena_dup(&run->arena, text);
    return (struct bt_text){copy, copy ? text.len : 0};
}

struct bt_text child_json_of(struct bt_run *run, const struct bt_value *value)
{
    struct bt_text text = {0};
    struct bt_buf out = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    if (!bt_value_is_null(value) && bt_json_write(value, BT_JSON_COMPACT, &out, NULL) == BT_OK)
        text = keep(run, bt_buf_str(&out));
    bt_buf_done(&out);
    return text;
}

struct bt_text child_prop_json(struct bt_run *run, const char *path)
{
    return child_json_of(run, prop(run, path));
}

struct bt_text child_prop_text(struct bt_run *run, const char *path)
{
    const struct bt_value *value = prop(run, path);
    struct bt_text text = {0};
    struct bt_buf out = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    if (bt_value_is(value, BT_KIND_STRING))
        return keep(run, bt_value_str(value));
    if (value && bt_value_print(value, &out, NULL) == BT_OK)
        text = keep(run, bt_buf_str(&out));
    bt_buf_done(&out);
    return text;
}

int64_t child_prop_int(struct bt_run *run, const char *path, int64_t absent)
{
    const struct bt_value *value = prop(run, path);
    int64_t number;
    if (bt_value_is(value, BT_KIND_INT) || bt_value_is(value, BT_KIND_DOUBLE))
        return bt_value_as_int(value);
    return value && bt_parse_i64(bt_str_trim(bt_value_str(value)), &number) ? number : absent;
}

double child_prop_double(struct bt_run *run, const char *path, double absent)
{
    const struct bt_value *value = prop(run, path);
    double number;
    if (!value)
        return absent;
    if (!bt_value_is(value, BT_KIND_STRING))
        return bt_value_as_double(value);
    return bt_parse_double(bt_str_trim(bt_value_str(value)), &number) ? number : absent;
}

int child_prop_bool(struct bt_run *run, const char *path, int absent)
{
    const struct bt_value *value = prop(run, path);
    if (bt_value_is(value, BT_KIND_STRING))
        return bt_text_is_truthy(bt_str_trim(bt_value_str(value)));
    return bt_value_is(value, BT_KIND_BOOL) ? bt_value_as_bool(value) : absent;
}

int64_t child_prop_duration_us(struct bt_run *run, const char *path, int64_t absent)
{
    const struct bt_value *value = prop(run, path);
    int64_t us;
    return value && bt_duration_parse(bt_value_str(value), &us, NULL) == BT_OK ? us : absent;
}

size_t child_prop_count(struct bt_run *run, const char *path)
{
    return bt_value_count(prop(run, path));
}

int child_prop_at(struct bt_run *run, const char *path, size_t index, struct bt_text *ret_key,
                  struct bt_text *ret_json)
{
    const struct bt_value *value = prop(run, path);
    if (index >= bt_value_count(value))
        return BT_PLUGIN_NOT_FOUND;
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    const struct bt_value *item = is_map ? bt_map_at(value, index, NULL) : bt_list_at(value, index);
    if (ret_key)
        *ret_key = is_map ? keep(run, bt_map_key(value, index)) : (struct bt_text){0};
    if (ret_json)
        *ret_json = child_json_of(run, item);
    return BT_PLUGIN_OK;
}

struct bt_text child_info(struct bt_run *run, const char *name)
{
    const struct bt_value *value = bt_map_gets(run->info, name);
    struct bt_buf out = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    struct bt_text text = {0};
    if (value && bt_value_print(value, &out, NULL) == BT_OK)
        text = keep(run, bt_buf_str(&out));
    bt_buf_done(&out);
    return text;
}

const char *child_work_dir(struct bt_run *run)
{
    return run->work_dir;
}
