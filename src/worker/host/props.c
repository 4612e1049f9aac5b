/* props.c — Renders and converts properties. What leaves here fits the manifest: a plugin may rely
 * on it. Touches no files but through the capabilities it is given. */
#include "worker/host/props.h"

#include "base/limits.h"
#include "base/num.h"
#include "value/json.h"
#include "worker/context.h"

#include <assert.h>

enum { DEPTH_MAX = 16 };

/* --- Kinds ------------------------------------------------------------------------------------ */

static bool is_of(const struct bt_value *value, struct bt_str type)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return bt_str_is(type, "null");
    case BT_KIND_BOOL: return bt_str_is(type, "boolean");
    case BT_KIND_INT: return bt_str_is(type, "integer") || bt_str_is(type, "number");
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: return bt_str_is(type, "number");
    case BT_KIND_STRING: return bt_str_is(type, "string");
    case BT_KIND_LIST: return bt_str_is(type, "array");
    case BT_KIND_MAP:
    case BT_KIND_LAZY: return bt_str_is(type, "object");
    }
    return false;
}

static size_t type_count(const struct bt_value *types)
{
    return bt_value_is(types, BT_KIND_LIST) ? bt_value_count(types) : 1;
}

static struct bt_str type_at(const struct bt_value *types, size_t index)
{
    return bt_value_str(bt_value_is(types, BT_KIND_LIST) ? bt_list_at(types, index) : types);
}

/* A text read as JSON, when that gives a value of the type; else NULL. */
static struct bt_value *from_text(struct bt_str text, struct bt_str type)
{
    struct bt_value *value = NULL;
    struct bt_str part = bt_str_trim(text);
    if (part.len == 0 || bt_str_is(type, "string") || bt_json_parse(part, NULL, &value, NULL) < 0)
        return NULL;
    return is_of(value, type) ? value : bt_value_unref(value);
}

/* As texts do in templates: numbers and booleans print, maps and lists are JSON. */
static struct bt_value *to_text(const struct bt_value *value)
{
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    struct bt_value *text = NULL;
    if (bt_value_print(value, &out, NULL) == BT_OK)
        text = bt_value_string(bt_buf_str(&out));
    bt_buf_done(&out);
    return text;
}

/* NULL: the value does not become one of the types. */
static struct bt_value *convert(const struct bt_value *value, const struct bt_value *types)
{
    size_t count = type_count(types);
    for (size_t i = 0; i < count; i++)
        if (is_of(value, type_at(types, i)))
            return bt_value_ref(value);
    for (size_t i = 0; i < count; i++) {
        struct bt_str type = type_at(types, i);
        struct bt_value *made = NULL;
        if (bt_value_is(value, BT_KIND_STRING))
            made = from_text(bt_value_str(value), type);
        else if (bt_str_is(type, "string"))
            made = to_text(value);
        if (made)
            return made;
    }
    return NULL;
}

/* --- Conforming ------------------------------------------------------------------------------- */

static int conform(const struct bt_value *value, const struct bt_value *schema, int depth,
                   struct bt_value **ret_value, struct bt_err *err);

static int conform_list(const struct bt_value *list, const struct bt_value *items, int depth,
                        struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE made = bt_list_new(bt_value_count(list));
    for (size_t i = 0; i < bt_value_count(list); i++) {
        struct bt_value *item = NULL;
        BT_TRY(conform(bt_list_at(list, i), items, depth, &item, err));
        if (bt_list_push(made, item) < 0)
            return bt_fail_mem(err, "properties");
    }
    *ret_value = BT_TAKE(made);
    return BT_OK;
}

static int conform_map(const struct bt_value *map, const struct bt_value *schema, int depth,
                       struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_value *properties = bt_map_gets(schema, "properties");
    const struct bt_value *others = bt_map_gets(schema, "additionalProperties");
    BT_VALUE made = bt_map_new(bt_value_count(map));
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_value *key = NULL, *item = NULL;
        const struct bt_value *old = bt_map_at(map, i, &key);
        const struct bt_value *inner = bt_map_get(properties, bt_value_str(key));
        int rc = conform(old, inner ? inner : others, depth, &item, err);
        if (rc < 0) {
            (void)bt_err_prefix(err, "%.*s", BT_FMT(bt_value_str(key))); /* Gives the code. */
            return rc;
        }
        if (bt_map_put_key(made, key, item) < 0)
            return bt_fail_mem(err, "properties");
    }
    *ret_value = BT_TAKE(made);
    return BT_OK;
}

static int fail_type(const struct bt_value *types, struct bt_err *err)
{
    struct bt_buf names = BT_BUF_INIT(256);
    size_t count = type_count(types);
    for (size_t i = 0; i < count; i++)
        (void)bt_buf_addf(&names, "%s%.*s", i ? " or " : "", BT_FMT(type_at(types, i)));
    const char *text = bt_buf_cstr(&names);
    int rc = bt_fail(err, BT_INVALID, "must be of type %s", text ? text : "of the manifest");
    bt_buf_done(&names);
    return rc;
}

static int check_enum(const struct bt_value *value, const struct bt_value *words,
                      struct bt_err *err)
{
    if (!bt_value_is(words, BT_KIND_LIST) || bt_value_is(value, BT_KIND_LIST))
        return BT_OK;
    struct bt_buf names = BT_BUF_INIT(512);
    for (size_t i = 0; i < bt_value_count(words); i++) {
        if (bt_value_equal(bt_list_at(words, i), value)) {
            bt_buf_done(&names);
            return BT_OK;
        }
        (void)bt_buf_addf(&names, "%s%.*s", i ? ", " : "",
                          BT_FMT(bt_value_str(bt_list_at(words, i))));
    }
    const char *text = bt_buf_cstr(&names);
    int rc = bt_fail(err, BT_INVALID, "must be one of %s", text ? text : "the manifest's values");
    bt_buf_done(&names);
    return rc;
}

static int conform(const struct bt_value *value, const struct bt_value *schema, int depth,
                   struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_value *types = bt_map_gets(schema, "type");
    BT_VALUE made = types && !bt_value_is_null(value) ? convert(value, types) : bt_value_ref(value);
    if (!made && !bt_value_is_null(value))
        return fail_type(types, err);
    BT_TRY(check_enum(made, bt_map_gets(schema, "enum"), err));
    const struct bt_value *items = bt_map_gets(schema, "items");
    bool has_inner = bt_map_gets(schema, "properties") ||
                     bt_value_is(bt_map_gets(schema, "additionalProperties"), BT_KIND_MAP);
    if (depth > 0 && items && bt_value_is(made, BT_KIND_LIST))
        return conform_list(made, items, depth - 1, ret_value, err);
    if (depth > 0 && has_inner && bt_value_is(made, BT_KIND_MAP))
        return conform_map(made, schema, depth - 1, ret_value, err);
    *ret_value = BT_TAKE(made);
    return BT_OK;
}

int bt_host_conform(const struct bt_value *value, const struct bt_value *schema,
                    struct bt_value **ret_value, struct bt_err *err)
{
    *ret_value = NULL;
    return conform(value, schema, DEPTH_MAX, ret_value, err);
}

/* --- The scope -------------------------------------------------------------------------------- */

struct place {
    const struct bt_job *job;
    const char *work_dir;
    const struct bt_value *more; /* Variables that hide the job's; or NULL. */
};

static int lookup(void *data, struct bt_str name, struct bt_value **ret_value, struct bt_err *err)
{
    const struct place *place = data;
    struct bt_value *found = NULL;
    if ((found = bt_value_ref(bt_map_get(place->more, name)))) {
        *ret_value = found;
        return BT_OK;
    }
    if (bt_str_is(name, "workingDir"))
        found = bt_value_cstr(place->work_dir);
    else
        return bt_context_get(place->job, name, ret_value, err);
    if (!found)
        return bt_fail_mem(err, "variable");
    *ret_value = found;
    return BT_OK;
}

static int lookup_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    const struct place *place = data;
    BT_VALUE map = NULL;
    BT_TRY(bt_context_all(place->job, &map, err));
    if (bt_map_puts(map, "workingDir", bt_value_cstr(place->work_dir)) < 0)
        return bt_fail_mem(err, "variables");
    for (size_t i = 0; i < bt_value_count(place->more); i++) {
        struct bt_value *key = NULL, *value = bt_map_at(place->more, i, &key);
        if (bt_map_put_key(map, key, bt_value_ref(value)) < 0)
            return bt_fail_mem(err, "variables");
    }
    *ret_map = BT_TAKE(map);
    return BT_OK;
}

/* --- All of them ------------------------------------------------------------------------------ */

/* "512MiB", "2GiB", "64KiB" or a number of bytes. */
static int parse_bytes(struct bt_str text, int64_t *ret_bytes, struct bt_err *err)
{
    static const char units[] = "KMGT";
    int64_t number;
    unsigned shift = 0;
    struct bt_str digits = text;
    for (unsigned i = 0; units[i]; i++) {
        char unit[4] = {units[i], 'i', 'B', '\0'};
        if (text.len > 3 && bt_str_ends(text, bt_str_of(unit))) {
            shift = 10 * (i + 1);
            digits = bt_str_slice(text, 0, text.len - 3);
        }
    }
    if (!bt_parse_i64(digits, &number) || number <= 0 || number > INT64_MAX >> shift)
        return bt_fail(err, BT_INVALID, "hostLimits.memory must be a size such as 512MiB");
    *ret_bytes = number << shift;
    return BT_OK;
}

static int take_limits(struct bt_host_props *props, struct bt_err *err)
{
    const struct bt_value *limits = bt_map_gets(props->map, "hostLimits");
    struct bt_str memory = bt_map_str(limits, "memory"), cpu = bt_map_str(limits, "cpu");
    if (memory.len > 0)
        BT_TRY(parse_bytes(memory, &props->memory_bytes, err));
    if (cpu.len > 0) {
        int64_t us;
        BT_TRY(bt_duration_parse(cpu, &us, err));
        props->cpu_s = us > 0 ? (us + 999999) / 1000000 : 0;
    }
    return BT_OK;
}

static const struct bt_dyn *find_prop(const struct bt_job *job, struct bt_str name)
{
    char cname[256];
    (void)snprintf(cname, sizeof cname, "%.*s", BT_FMT(name)); /* Longer ones are not found. */
    return bt_task_prop(job->task, cname);
}

static bool is_late(const struct bt_value *schema)
{
    return bt_value_as_bool(bt_map_gets(schema, "x-late"));
}

static int make_one(const struct bt_job *job, const struct bt_scope *scope, size_t index,
                    struct bt_value *map, struct bt_err *err)
{
    const struct bt_type *type = job->task->type;
    struct bt_value *key = NULL;
    const struct bt_value *schema = bt_map_at(type->schema, index, &key);
    if (is_late(schema))
        return BT_OK;
    const struct bt_dyn *prop = find_prop(job, bt_value_str(key));
    BT_VALUE value = NULL;
    if (prop)
        BT_TRY(bt_dyn_render(prop, scope, &value, err));
    BT_VALUE made = NULL;
    if (!bt_value_is_null(value))
        BT_TRY(bt_host_conform(value, schema, &made, err));
    else
        made = bt_value_ref(bt_map_gets(schema, "default"));
    if (bt_value_is_null(made))
        return bt_value_as_bool(bt_map_gets(schema, "x-required"))
                   ? bt_fail(err, BT_INVALID, "is missing: it is null or not given")
                   : BT_OK;
    return bt_map_put_key(map, key, BT_TAKE(made)) < 0 ? bt_fail_mem(err, "properties") : BT_OK;
}

static struct bt_scope scope_of(struct place *place, const struct bt_capabilities *capabilities,
                                struct bt_rng *rng)
{
    return (struct bt_scope){
        .lookup = lookup,
        .all = lookup_all,
        .data = place,
        .capabilities = capabilities,
        .now_us = place->job->now_us,
        .rng = rng,
    };
}

/* What the flow has, or else the default of the manifest: a template too. */
static int render_late(const struct bt_late *late, const struct bt_value *schema,
                       const struct bt_scope *scope, struct bt_value **ret_value,
                       struct bt_err *err)
{
    const struct bt_dyn *prop = find_prop(late->job, late->name);
    const struct bt_value *other = bt_map_gets(schema, "default");
    if (prop)
        return bt_dyn_render(prop, scope, ret_value, err);
    *ret_value = NULL;
    if (!other)
        return BT_OK;
    struct bt_dyn *made = NULL;
    BT_TRY(bt_dyn_compile(other, &made, err));
    int rc = bt_dyn_render(made, scope, ret_value, err);
    (void)bt_dyn_unref(made); /* Gives NULL. */
    return rc;
}

int bt_host_props_render(const struct bt_late *late, struct bt_value **ret_value,
                         struct bt_err *err)
{
    const struct bt_value *schema = bt_map_get(late->job->task->type->schema, late->name);
    struct place place = {late->job, late->work_dir, late->variables};
    struct bt_rng rng = {late->job->seed};
    struct bt_scope scope = scope_of(&place, late->capabilities, &rng);
    BT_VALUE value = NULL;
    if (!is_late(schema))
        return bt_fail(err, BT_NOT_FOUND, "no property '%.*s' is rendered late",
                       BT_FMT(late->name));
    int rc = render_late(late, schema, &scope, &value, err);
    if (rc == BT_OK && !bt_value_is_null(value))
        rc = bt_host_conform(value, schema, ret_value, err);
    else if (rc == BT_OK)
        *ret_value = bt_value_ref(value);
    if (rc < 0)
        (void)bt_err_prefix(err, "%.*s", BT_FMT(late->name)); /* Gives the code. */
    return rc;
}

int bt_host_props_make(const struct bt_job *job, const char *work_dir,
                       const struct bt_capabilities *capabilities, struct bt_host_props *ret_props,
                       struct bt_err *err)
{
    const struct bt_type *type = job->task->type;
    struct place place = {job, work_dir, NULL};
    struct bt_rng rng = {job->seed};
    struct bt_scope scope = scope_of(&place, capabilities, &rng);
    size_t count = bt_value_count(type->schema);
    BT_VALUE map = bt_map_new(count);
    if (!map)
        return bt_fail_mem(err, "properties");
    for (size_t i = 0; i < count; i++) {
        int rc = make_one(job, &scope, i, map, err);
        if (rc < 0) {
            (void)bt_err_prefix(err, "%.*s", BT_FMT(bt_map_key(type->schema, i))); /* Code. */
            return rc;
        }
    }
    struct bt_host_props props = {
        .map = map,
        .memory_bytes = type->plugin ? type->plugin->limits.memory_bytes : 0,
        .cpu_s = type->plugin ? type->plugin->limits.cpu_s : 0,
    };
    BT_TRY(take_limits(&props, err));
    (void)bt_map_remove(map, BT_STR("hostLimits")); /* Not the plugin's business. */
    props.map = BT_TAKE(map);
    *ret_props = props;
    return BT_OK;
}
