/* schema.c — A node against the JSON Schema of its property: the kinds of JSON Schema that
 * manifests use (type, enum, items, additionalProperties, properties, minimum, format: duration).
 *
 * Where text is wanted, numbers and booleans become text, as the original does. A text that holds
 * an expression may stand for anything where expressions are allowed. */
#include "model/model_int.h"

#include "base/num.h"
#include "base/own.h"
#include "value/json.h"

#include <strings.h>

bool bt_has_expression(struct bt_str text)
{
    return bt_str_find(text, BT_STR("{{"), 0) >= 0 || bt_str_find(text, BT_STR("{%"), 0) >= 0 ||
           bt_str_find(text, BT_STR("{#"), 0) >= 0;
}

/* The names of a schema's `type`: one or a list. */
static bool allows(const struct bt_value *schema, const char *type)
{
    const struct bt_value *types = bt_map_gets(schema, "type");
    if (!types)
        return true;
    if (bt_value_is(types, BT_KIND_STRING))
        return bt_str_is(bt_value_str(types), type);
    for (size_t i = 0; i < bt_value_count(types); i++)
        if (bt_str_is(bt_value_str(bt_list_at(types, i)), type))
            return true;
    return false;
}

static const char *type_words(struct bt_str type)
{
    static const char *const words[][2] = {
        {"string", "a text"},         {"integer", "a whole number"}, {"number", "a number"},
        {"boolean", "true or false"}, {"array", "a list"},           {"object", "a map"},
    };
    for (size_t i = 0; i < BT_COUNT(words); i++)
        if (bt_str_is(type, words[i][0]))
            return words[i][1];
    return "a value";
}

static void add_expected(const struct bt_value *schema, struct bt_buf *out)
{
    const struct bt_value *types = bt_map_gets(schema, "type");
    if (!bt_value_is(types, BT_KIND_LIST)) {
        bt_buf_adds(out, type_words(bt_value_str(types)));
        return;
    }
    size_t count = bt_value_count(types);
    for (size_t i = 0; i < count; i++) {
        if (i)
            bt_buf_adds(out, i + 1 == count ? " or " : ", ");
        bt_buf_adds(out, type_words(bt_value_str(bt_list_at(types, i))));
    }
}

/* The innermost name of a place, for messages: "values" also for an item of it. */
static const char *name_of(const struct place *place)
{
    while (!place->name && place->up)
        place = place->up;
    return place->name ? place->name : "";
}

static struct bt_value *wrong_type(struct parse *parse, const struct bt_value *schema,
                                   const struct place *place)
{
    struct bt_buf expected = BT_BUF_INIT(256);
    add_expected(schema, &expected);
    const char *words = bt_buf_cstr(&expected);
    struct bt_diag *diag =
        bt_model_error(parse, place, "wrong-type", "%s\"%s\" must be %s, here it is %s",
                       place->name ? "" : "an item of ", name_of(place), words ? words : "a value",
                       bt_yaml_kind_name(place->node));
    const struct bt_yaml_node *node = place->node;
    if (node->kind == BT_YAML_SCALAR && node->style != BT_YAML_LITERAL &&
        bt_str_is(bt_map_str(schema, "type"), "array"))
        bt_diag_hint(parse, diag, "write it as an item of a list: - %.*s",
                     BT_FMT(bt_str_slice(node->text, 0, 80)));
    bt_buf_done(&expected);
    return NULL;
}

static struct bt_value *wrong_enum(struct parse *parse, const struct bt_value *values,
                                   const struct place *place, struct bt_str text)
{
    const char *names[32];
    size_t count = 0;
    struct bt_buf all = BT_BUF_INIT(512);
    for (size_t i = 0; i < bt_value_count(values) && count < BT_COUNT(names); i++) {
        names[count] = bt_model_cstr(parse, bt_value_str(bt_list_at(values, i)));
        bt_buf_addf(&all, "%s%s", i ? ", " : "", names[count++]);
    }
    struct bt_diag *diag = bt_model_error(parse, place, "not-in-enum", "\"%s\" cannot be \"%.*s\"",
                                          name_of(place), BT_FMT(text));
    const char *near = bt_str_nearest(text, names, count);
    for (size_t i = 0; i < count; i++)
        if (text.len == strlen(names[i]) && strncasecmp(text.at, names[i], text.len) == 0)
            near = names[i];
    const char *list = bt_buf_cstr(&all);
    if (near)
        bt_diag_hint(parse, diag, "did you mean \"%s\"?", near);
    else
        bt_diag_hint(parse, diag, "it is one of %s", list ? list : "");
    bt_buf_done(&all);
    return NULL;
}

static bool in_enum(const struct bt_value *values, struct bt_str text)
{
    for (size_t i = 0; i < bt_value_count(values); i++)
        if (bt_str_eq(bt_value_str(bt_list_at(values, i)), text))
            return true;
    return false;
}

static struct bt_value *check_text(struct parse *parse, const struct bt_value *schema,
                                   const struct place *place, struct bt_str text)
{
    const struct bt_value *values = bt_map_gets(schema, "enum");
    bool is_expression = bt_has_expression(text);
    if (values && !is_expression && !in_enum(values, text))
        return wrong_enum(parse, values, place, text);
    if (is_expression || !bt_str_is(bt_map_str(schema, "format"), "duration"))
        return bt_value_string(text);
    struct bt_err err = BT_ERR_INIT;
    int64_t us;
    if (bt_duration_parse(text, &us, &err) == BT_OK)
        return bt_value_string(text);
    bt_diag_hint(
        parse, bt_model_error(parse, place, "bad-duration", "\"%s\": %s", name_of(place), err.msg),
        "%s", err.hint);
    return NULL;
}

/* A number or boolean where text is wanted. */
static struct bt_value *as_text(struct parse *parse, const struct bt_value *schema,
                                const struct place *place, struct bt_value *value)
{
    if (bt_str_is(bt_map_str(schema, "format"), "duration") && bt_value_is(value, BT_KIND_INT)) {
        struct bt_buf text = BT_BUF_INIT(64);
        bt_buf_addf(&text, "PT%lldS", (long long)bt_value_as_int(value));
        struct bt_value *result = bt_value_string(bt_buf_str(&text));
        bt_buf_done(&text);
        return result;
    }
    BT_VALUE json = bt_json_text(value);
    return json ? check_text(parse, schema, place, bt_value_str(json)) : NULL;
}

static struct bt_value *check_int(struct parse *parse, const struct bt_value *schema,
                                  const struct place *place, struct bt_value *value)
{
    const struct bt_value *least = bt_map_gets(schema, "minimum");
    if (!least || bt_value_as_int(value) >= bt_value_as_int(least))
        return bt_value_ref(value);
    struct bt_diag *diag = bt_model_error(parse, place, "too-small", "\"%s\" must be at least %lld",
                                          name_of(place), (long long)bt_value_as_int(least));
    bt_diag_original(parse, diag, "must be greater than or equal to %lld",
                     (long long)bt_value_as_int(least));
    return NULL;
}

/* Text where a number or boolean is wanted: "5", "true" are taken for what they say. */
static struct bt_value *from_text(const struct bt_value *schema, struct bt_str text)
{
    int64_t number;
    double fraction;
    if (allows(schema, "boolean") && (bt_str_is(text, "true") || bt_str_is(text, "false")))
        return bt_value_bool(bt_str_is(text, "true"));
    if (allows(schema, "integer") && bt_parse_i64(text, &number))
        return bt_value_int(number);
    if (allows(schema, "number") && bt_parse_double(text, &fraction))
        return bt_value_double(fraction);
    return NULL;
}

static struct bt_value *scalar_value(struct parse *parse, const struct bt_value *schema,
                                     const struct place *place)
{
    BT_VALUE value = bt_yaml_scalar_value(place->node);
    struct bt_str text = bt_value_str(value);
    if (!value)
        return NULL;
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return bt_value_null();
    case BT_KIND_BOOL:
        if (allows(schema, "boolean"))
            return bt_value_ref(value);
        break;
    case BT_KIND_INT:
        if (allows(schema, "integer") || allows(schema, "number"))
            return check_int(parse, schema, place, value);
        break;
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL:
        if (allows(schema, "number"))
            return bt_value_ref(value);
        break;
    case BT_KIND_STRING: {
        if (allows(schema, "string"))
            return check_text(parse, schema, place, text);
        bool is_dynamic = bt_value_as_bool(bt_map_gets(schema, "x-dynamic"));
        if (is_dynamic && bt_has_expression(text))
            return bt_value_ref(value);
        BT_VALUE converted = from_text(schema, text);
        if (converted)
            return bt_value_is(converted, BT_KIND_INT) ? check_int(parse, schema, place, converted)
                                                       : BT_TAKE(converted);
        return wrong_type(parse, schema, place);
    }
    case BT_KIND_LIST:
    case BT_KIND_MAP:
    case BT_KIND_LAZY: break;
    }
    if (allows(schema, "string"))
        return as_text(parse, schema, place, value);
    return wrong_type(parse, schema, place);
}

static struct bt_value *plain_value(struct parse *parse, const struct bt_yaml_node *node)
{
    struct bt_value *value = NULL;
    if (bt_yaml_value(node, &value, NULL) != BT_OK)
        parse->rc = BT_NO_MEM;
    return value;
}

static struct bt_value *list_value(struct parse *parse, const struct bt_value *schema,
                                   const struct place *place)
{
    const struct bt_value *items = bt_map_gets(schema, "items");
    if (!items)
        return plain_value(parse, place->node);
    BT_VALUE list = bt_list_new(place->node->count);
    bool is_good = list != NULL;
    for (uint32_t i = 0; list && i < place->node->count; i++) {
        struct place at = bt_place_at(place, i, place->node->items[i]);
        struct bt_value *item = bt_schema_value(parse, items, &at);
        if (!item)
            is_good = false;
        else if (bt_list_push(list, item) != BT_OK)
            parse->rc = BT_NO_MEM;
    }
    return is_good && parse->rc == BT_OK ? BT_TAKE(list) : NULL;
}

static const struct bt_value *schema_of_key(const struct bt_value *schema, struct bt_str key)
{
    const struct bt_value *properties = bt_map_gets(schema, "properties");
    return properties ? bt_map_get(properties, key) : bt_map_gets(schema, "additionalProperties");
}

static struct bt_value *map_value(struct parse *parse, const struct bt_value *schema,
                                  const struct place *place)
{
    if (!bt_map_gets(schema, "properties") && !bt_map_gets(schema, "additionalProperties"))
        return plain_value(parse, place->node);
    BT_VALUE map = bt_map_new(place->node->count);
    bool is_good = map != NULL;
    for (uint32_t i = 0; map && i < place->node->count; i++) {
        const struct bt_yaml_pair *pair = &place->node->pairs[i];
        const struct bt_value *inner = schema_of_key(schema, pair->key->text);
        struct place at = bt_place_in(place, bt_model_cstr(parse, pair->key->text), pair->value);
        if (!inner) {
            at.node = pair->key;
            bt_model_error(parse, &at, "unknown-property", "unknown property \"%s\" in \"%s\"",
                           at.name, name_of(place));
        }
        struct bt_value *value = inner ? bt_schema_value(parse, inner, &at) : NULL;
        if (!value)
            is_good = false;
        else if (bt_map_put(map, pair->key->text, value) != BT_OK)
            parse->rc = BT_NO_MEM;
    }
    return is_good && parse->rc == BT_OK ? BT_TAKE(map) : NULL;
}

struct bt_value *bt_schema_value(struct parse *parse, const struct bt_value *schema,
                                 const struct place *place)
{
    switch (place->node->kind) {
    case BT_YAML_SCALAR: return scalar_value(parse, schema, place);
    case BT_YAML_LIST:
        return allows(schema, "array") ? list_value(parse, schema, place)
                                       : wrong_type(parse, schema, place);
    case BT_YAML_MAP: break;
    }
    return allows(schema, "object") ? map_value(parse, schema, place)
                                    : wrong_type(parse, schema, place);
}
