/* plugin_schema.c — JSON Schema of types and flows, from the manifests. */
#include "service/plugin_docs.h"

#include "base/own.h"
#include "model/flow.h"
#include "value/json.h"

static struct bt_value *map1(const char *key, struct bt_value *val)
{
    BT_VALUE map = bt_map_new(1);
    return bt_map_puts(map, key, val) < 0 ? NULL : BT_TAKE(map);
}

static struct bt_value *type_schema(const char *type)
{
    return map1("type", bt_value_cstr(type));
}

static struct bt_value *ref(const char *name)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1024);
    (void)bt_buf_addf(&text, "#/definitions/%s", name); /* Names are short. */
    return map1("$ref", bt_value_string(bt_buf_str(&text)));
}

static struct bt_value *list_of(struct bt_value *items)
{
    BT_VALUE map = type_schema("array");
    return bt_map_puts(map, "items", items) < 0 ? NULL : BT_TAKE(map);
}

/* --- Properties ------------------------------------------------------------------------------- */

/* Expressions may stand where a property allows them, whatever it wants else. */
static struct bt_value *types_with_text(const struct bt_value *types)
{
    BT_VALUE list = bt_list_new(3);
    bool has_text = false, is_list = bt_value_is(types, BT_KIND_LIST);
    size_t count = is_list ? bt_value_count(types) : 1;
    for (size_t i = 0; i < count; i++) {
        const struct bt_value *type = is_list ? bt_list_at(types, i) : types;
        has_text |= bt_str_is(bt_value_str(type), "string");
        if (bt_list_push(list, bt_value_ref(type)) < 0)
            return NULL;
    }
    if (has_text)
        return bt_value_ref(types);
    return bt_list_push(list, bt_value_cstr("string")) < 0 ? NULL : BT_TAKE(list);
}

static struct bt_value *clean(const struct bt_value *schema, int depth);

static struct bt_value *clean_items(const struct bt_value *value, int depth)
{
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    BT_VALUE map = is_map ? bt_map_new(bt_value_count(value)) : NULL;
    for (size_t i = 0; is_map && i < bt_value_count(value); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *item = bt_map_at(value, i, &key);
        if (bt_map_put_key(map, key, clean(item, depth + 1)) < 0)
            return NULL;
    }
    return is_map ? BT_TAKE(map) : bt_value_ref(value);
}

/* Adds one member of a property's schema; those of our own are translated or left out. */
static int clean_member(struct bt_value *out, const struct bt_value *schema, struct bt_str name,
                        const struct bt_value *item, int depth)
{
    bool is_dynamic = bt_value_as_bool(bt_map_gets(schema, "x-dynamic"));
    if (bt_str_starts(name, BT_STR("x-")))
        return BT_OK;
    if (bt_str_is(name, "type") && is_dynamic)
        return bt_map_puts(out, "type", types_with_text(item));
    if (is_dynamic && (bt_str_is(name, "enum") || bt_str_is(name, "format")))
        return BT_OK; /* An expression is none of them. */
    if (bt_str_is(name, "properties"))
        return bt_map_put(out, name, clean_items(item, depth));
    if (bt_str_is(name, "items") || bt_str_is(name, "additionalProperties"))
        return bt_map_put(out, name,
                          bt_value_is(item, BT_KIND_MAP) ? clean(item, depth + 1)
                                                         : bt_value_ref(item));
    return bt_map_put(out, name, bt_value_ref(item));
}

static struct bt_value *clean(const struct bt_value *schema, int depth)
{
    enum { DEPTH_MAX = 20 };
    struct bt_str kind = bt_map_str(schema, "x-kind");
    BT_VALUE out = bt_map_new(bt_value_count(schema) + 2);
    int rc = out ? BT_OK : BT_NO_MEM;
    for (size_t i = 0; rc == BT_OK && i < bt_value_count(schema) && depth < DEPTH_MAX; i++) {
        struct bt_value *key = NULL;
        const struct bt_value *item = bt_map_at(schema, i, &key);
        rc = clean_member(out, schema, bt_value_str(key), item, depth);
    }
    if (rc == BT_OK && bt_str_is(kind, "tasks"))
        rc = bt_map_puts(out, "items", ref("task"));
    if (rc == BT_OK && bt_str_is(kind, "cases"))
        rc = bt_map_puts(out, "additionalProperties", list_of(ref("task")));
    if (rc == BT_OK)
        rc = bt_map_puts(out, "$dynamic",
                         bt_value_bool(bt_value_as_bool(bt_map_gets(schema, "x-dynamic"))));
    if (rc == BT_OK && bt_value_as_bool(bt_map_gets(schema, "x-required")))
        rc = bt_map_puts(out, "$required", bt_value_bool(true));
    return rc == BT_OK ? BT_TAKE(out) : NULL;
}

struct bt_value *bt_properties_schema(const struct bt_value *properties)
{
    return clean_items(properties, 0);
}

static int add_all(struct bt_value *to, const struct bt_value *from)
{
    for (size_t i = 0; i < bt_value_count(from); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *item = bt_map_at(from, i, &key);
        if (!bt_map_get(to, bt_value_str(key)))
            BT_TRY(bt_map_put_key(to, key, bt_value_ref(item)));
    }
    return BT_OK;
}

struct bt_value *bt_type_schema(const struct bt_type *type, bool has_common)
{
    BT_VALUE map = type_schema("object"), *properties = bt_properties_schema(type->schema);
    BT_VALUE common = bt_properties_schema(bt_type_common()), *required = bt_list_new(4);
    int rc = properties && common && required ? BT_OK : BT_NO_MEM;
    if (rc == BT_OK && has_common) {
        rc = add_all(properties, common);
        rc |= bt_list_push(required, bt_value_cstr("id"));
        rc |= bt_list_push(required, bt_value_cstr("type"));
    }
    for (size_t i = 0; rc == BT_OK && i < bt_value_count(type->required); i++)
        rc = bt_list_push(required, bt_value_ref(bt_list_at(type->required, i)));
    rc |= bt_map_puts(map, "title", bt_value_cstr(type->title ? type->title : type->name));
    rc |= bt_map_puts(map, "description", bt_value_string(bt_map_str(type->manifest, "doc")));
    rc |= bt_map_puts(map, "properties", BT_TAKE(properties));
    rc |= bt_map_puts(map, "required", BT_TAKE(required));
    return rc == BT_OK ? BT_TAKE(map) : NULL;
}

/* --- Flows ------------------------------------------------------------------------------------ */

/* {"enum": [names]} under which a type may be written. */
static struct bt_value *names_of(const struct bt_type *type)
{
    BT_VALUE list = bt_list_new(4);
    int rc = bt_list_push(list, bt_value_cstr(type->class_name));
    if (strcmp(type->name, type->class_name) != 0)
        rc |= bt_list_push(list, bt_value_cstr(type->name));
    for (size_t i = 0; type->aliases && type->aliases[i]; i++)
        rc |= bt_list_push(list, bt_value_cstr(type->aliases[i]));
    return rc == BT_OK ? map1("enum", BT_TAKE(list)) : NULL;
}

static struct bt_value *definition_of(const struct bt_type *type)
{
    BT_VALUE schema = bt_type_schema(type, true);
    struct bt_value *properties = bt_map_gets(schema, "properties");
    if (!schema || bt_map_puts(properties, "type", names_of(type)) < 0)
        return NULL;
    return BT_TAKE(schema);
}

/* Definitions of all types, and "task" and "trigger": any of them. */
static int add_types(struct bt_value *definitions)
{
    size_t count;
    const struct bt_type *const *types = bt_types(&count);
    BT_VALUE tasks = bt_list_new(count), *triggers = bt_list_new(4);
    BT_VALUE open = NULL;
    for (size_t i = 0; i < count; i++) {
        bool is_trigger = types[i]->exec == BT_EXEC_TRIGGER;
        BT_TRY(bt_map_puts(definitions, types[i]->class_name, definition_of(types[i])));
        BT_TRY(bt_list_push(is_trigger ? triggers : tasks, ref(types[i]->class_name)));
    }
    /* Triggers that this version keeps but does not know in detail. */
    BT_TRY(bt_json_parse(BT_STR("{\"type\":\"object\",\"required\":[\"id\",\"type\"],"
                                "\"properties\":{\"id\":{\"type\":\"string\"},"
                                "\"type\":{\"type\":\"string\"}}}"),
                         NULL, &open, NULL));
    BT_TRY(bt_list_push(triggers, BT_TAKE(open)));
    BT_TRY(bt_map_puts(definitions, "task", map1("anyOf", BT_TAKE(tasks))));
    return bt_map_puts(definitions, "trigger", map1("anyOf", BT_TAKE(triggers)));
}

static struct bt_value *input_types(void)
{
    BT_VALUE list = bt_list_new(20);
    for (int i = 0; i <= BT_INPUT_ENUM; i++)
        if (bt_list_push(list, bt_value_cstr(bt_input_type_name((enum bt_input_type)i))) < 0)
            return NULL;
    return BT_TAKE(list);
}

/* The flow itself: what is not about types. */
static const char flow_text[] =
    "{\"type\":\"object\",\"title\":\"Flow\",\"required\":[\"id\",\"namespace\",\"tasks\"],"
    "\"properties\":{"
    "\"id\":{\"type\":\"string\",\"pattern\":\"^[a-zA-Z0-9][a-zA-Z0-9._-]*$\"},"
    "\"namespace\":{\"type\":\"string\",\"pattern\":\"^[a-z0-9][a-z0-9._-]*$\"},"
    "\"revision\":{\"type\":\"integer\"},"
    "\"description\":{\"type\":\"string\"},"
    "\"disabled\":{\"type\":\"boolean\",\"default\":false},"
    "\"labels\":{\"type\":[\"object\",\"array\"]},"
    "\"variables\":{\"type\":\"object\"},"
    "\"inputs\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/input\"}},"
    "\"outputs\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"id\",\"value\",\"type\"],\"properties\":{\"id\":{\"type\":\"string\"},"
    "\"value\":{},\"type\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},"
    "\"displayName\":{\"type\":\"string\"},\"required\":{\"type\":\"boolean\"}}}},"
    "\"tasks\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/definitions/task\"}},"
    "\"errors\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/task\"}},"
    "\"finally\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/task\"}},"
    "\"afterExecution\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/task\"}},"
    "\"listeners\":{\"type\":\"array\"},"
    "\"triggers\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/trigger\"}},"
    "\"pluginDefaults\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/plugindefault\"}},"
    "\"concurrency\":{\"type\":\"object\",\"required\":[\"limit\"],\"properties\":{"
    "\"limit\":{\"type\":\"integer\",\"minimum\":1},"
    "\"behavior\":{\"enum\":[\"QUEUE\",\"CANCEL\",\"FAIL\"]}}},"
    "\"retry\":{\"type\":\"object\"},\"timeout\":{\"type\":\"string\"},"
    "\"sla\":{\"type\":\"array\"},\"checks\":{\"type\":\"array\"},"
    "\"workerGroup\":{\"type\":\"object\"}},"
    "\"additionalProperties\":false}";
static const char input_text[] =
    "{\"type\":\"object\",\"required\":[\"id\",\"type\"],\"properties\":{"
    "\"id\":{\"type\":\"string\"},\"displayName\":{\"type\":\"string\"},"
    "\"description\":{\"type\":\"string\"},\"required\":{\"type\":\"boolean\",\"default\":true},"
    "\"defaults\":{},\"dependsOn\":{\"type\":\"object\"},\"validator\":{\"type\":\"string\"},"
    "\"values\":{\"type\":\"array\"},\"expression\":{\"type\":\"string\"},\"min\":{},\"max\":{}}}";
static const char default_text[] =
    "{\"type\":\"object\",\"required\":[\"type\",\"values\"],\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"forced\":{\"type\":\"boolean\",\"default\":false},"
    "\"values\":{\"type\":\"object\"}}}";

static int add_fixed(struct bt_value *definitions)
{
    BT_VALUE flow = NULL, *input = NULL, *fallback = NULL;
    BT_TRY(bt_json_parse(bt_str_of(flow_text), NULL, &flow, NULL));
    BT_TRY(bt_json_parse(bt_str_of(input_text), NULL, &input, NULL));
    BT_TRY(bt_json_parse(bt_str_of(default_text), NULL, &fallback, NULL));
    BT_TRY(bt_map_puts(bt_map_gets(input, "properties"), "type", map1("enum", input_types())));
    BT_TRY(bt_map_puts(definitions, "flow", BT_TAKE(flow)));
    BT_TRY(bt_map_puts(definitions, "input", BT_TAKE(input)));
    return bt_map_puts(definitions, "plugindefault", BT_TAKE(fallback));
}

int bt_plugin_schema(struct bt_str what, bool is_list, struct bt_value **ret_schema)
{
    static const char *const known[] = {"flow", "task", "trigger", "plugindefault"};
    BT_VALUE schema = bt_map_new(4), *definitions = bt_map_new(64);
    const char *name = NULL;
    for (size_t i = 0; i < BT_COUNT(known); i++)
        if (bt_str_is(what, known[i]))
            name = known[i];
    if (!name)
        return BT_NOT_FOUND;
    BT_TRY(add_types(definitions));
    BT_TRY(add_fixed(definitions));
    BT_TRY(
        bt_map_puts(schema, "$schema", bt_value_cstr("http://json-schema.org/draft-07/schema#")));
    if (is_list) {
        BT_TRY(bt_map_puts(schema, "type", bt_value_cstr("array")));
        BT_TRY(bt_map_puts(schema, "items", ref(name)));
    } else {
        BT_VALUE one = ref(name);
        BT_TRY(bt_map_puts(schema, "$ref", bt_value_ref(bt_map_gets(one, "$ref"))));
    }
    BT_TRY(bt_map_puts(schema, "definitions", BT_TAKE(definitions)));
    *ret_schema = BT_TAKE(schema);
    return BT_OK;
}
