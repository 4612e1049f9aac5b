/* parse_input_spec.c — What the type of an input asks of its other properties. */
#include "model/input_int.h"
#include "model/model_int.h"

#include "base/own.h"

static void check_pattern(struct parse *parse, const struct place *place)
{
    const char *pattern = bt_read_text(parse, place);
    struct bt_err err = BT_ERR_INIT;
    bool is_match;
    if (!pattern || bt_regex_matches(bt_str_of(pattern), BT_STR(""), &is_match, &err) == BT_OK)
        return;
    struct bt_diag *diag =
        bt_model_error(parse, place, "bad-pattern", "\"%s\" is not a regular expression", pattern);
    bt_diag_original(parse, diag, "%s", err.msg);
}

static void check_values(struct parse *parse, const struct place *place)
{
    if (!bt_read_is_list(parse, place))
        return;
    for (uint32_t i = 0; i < place->node->count; i++) {
        struct place at = bt_place_at(place, i, place->node->items[i]);
        if (at.node->kind != BT_YAML_SCALAR)
            bt_model_error(parse, &at, "wrong-type", "an item of \"values\" must be a text");
    }
    if (place->node->count == 0) {
        struct bt_diag *diag =
            bt_model_error(parse, place, "no-values", "\"%s\" is empty", place->name);
        bt_diag_original(parse, diag, "must not be empty");
    }
}

static void check_item_type(struct parse *parse, const struct place *place)
{
    const char *name = bt_read_text(parse, place);
    enum bt_input_type type;
    if (!name)
        return;
    if (!bt_input_type_parse(bt_str_of(name), &type)) {
        struct bt_diag *diag =
            bt_model_error(parse, place, "unknown-type", "unknown item type \"%s\"", name);
        bt_diag_hint(parse, diag, "for example STRING or INT");
        return;
    }
    if (type != BT_INPUT_ARRAY)
        return;
    struct bt_diag *diag =
        bt_model_error(parse, place, "bad-item-type", "\"itemType\" cannot be ARRAY");
    bt_diag_original(parse, diag, "`itemType` cannot be `ARRAY`");
}

/* A bound must be a value of the input's own type. */
static void check_bound(struct parse *parse, const struct place *place,
                        const struct bt_input *input)
{
    BT_VALUE converted = NULL;
    struct bt_err err = BT_ERR_INIT;
    const struct bt_value *bound = bt_map_gets(input->spec, place->name);
    int rc = bt_input_convert(input->type, NULL, bound, &converted, &err);
    if (rc == BT_NO_MEM)
        parse->rc = rc;
    else if (rc != BT_OK)
        bt_model_error(parse, place, "bad-bound", "\"%s\" is not a valid %s: %s", place->name,
                       bt_input_type_name(input->type), err.msg);
}

static void need_one(struct parse *parse, const struct place *place, const char *name,
                     const char *other)
{
    if (!bt_yaml_is_null(bt_yaml_get(place->node, name)) ||
        (other && !bt_yaml_is_null(bt_yaml_get(place->node, other))))
        return;
    struct place at = bt_place_in(place, name, place->node);
    struct bt_diag *diag =
        bt_model_error(parse, &at, "missing-property", "\"%s\" is missing", name);
    bt_diag_original(parse, diag, "must not be null");
}

static void check_property(struct parse *parse, const struct place *place,
                           const struct bt_input *input)
{
    static const char *const bounds[] = {"min", "max", "after", "before"};
    struct bt_str name = bt_str_of(place->name);
    if (bt_str_is(name, "validator"))
        check_pattern(parse, place);
    else if (bt_str_is(name, "values") || bt_str_is(name, "options"))
        check_values(parse, place);
    else if (bt_str_is(name, "itemType"))
        check_item_type(parse, place);
    for (size_t i = 0; i < BT_COUNT(bounds); i++)
        if (bt_str_is(name, bounds[i]))
            check_bound(parse, place, input);
}

void bt_model_input_spec(struct parse *parse, const struct place *place,
                         const struct bt_input *input)
{
    for (uint32_t i = 0; i < place->node->count; i++) {
        const struct bt_yaml_pair *pair = &place->node->pairs[i];
        struct place at = bt_place_in(place, bt_model_cstr(parse, pair->key->text), pair->value);
        if (!bt_yaml_is_null(pair->value))
            check_property(parse, &at, input);
    }
    if (input->type == BT_INPUT_SELECT)
        need_one(parse, place, "values", "expression");
    if (input->type == BT_INPUT_ENUM)
        need_one(parse, place, "values", NULL);
    if (input->type == BT_INPUT_ARRAY)
        need_one(parse, place, "itemType", NULL);
}
