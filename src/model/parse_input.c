/* parse_input.c — `inputs` and `outputs` of a flow, and the inputs that a Pause asks for. */
#include "model/model_int.h"

#include "base/limits.h"
#include "base/own.h"

#include <stdlib.h>

static const char *const type_names[] = {
    [BT_INPUT_STRING] = "STRING",     [BT_INPUT_INT] = "INT",
    [BT_INPUT_FLOAT] = "FLOAT",       [BT_INPUT_BOOLEAN] = "BOOLEAN",
    [BT_INPUT_SELECT] = "SELECT",     [BT_INPUT_MULTISELECT] = "MULTISELECT",
    [BT_INPUT_JSON] = "JSON",         [BT_INPUT_YAML] = "YAML",
    [BT_INPUT_DATETIME] = "DATETIME", [BT_INPUT_DATE] = "DATE",
    [BT_INPUT_TIME] = "TIME",         [BT_INPUT_DURATION] = "DURATION",
    [BT_INPUT_FILE] = "FILE",         [BT_INPUT_ARRAY] = "ARRAY",
    [BT_INPUT_URI] = "URI",           [BT_INPUT_EMAIL] = "EMAIL",
    [BT_INPUT_SECRET] = "SECRET",     [BT_INPUT_ENUM] = "ENUM",
};

const char *bt_input_type_name(enum bt_input_type type)
{
    return type_names[type];
}

bool bt_input_type_parse(struct bt_str text, enum bt_input_type *ret_type)
{
    for (size_t i = 0; i < BT_COUNT(type_names); i++) {
        if (!bt_str_is(text, type_names[i]))
            continue;
        *ret_type = (enum bt_input_type)i;
        return true;
    }
    /* The old name. */
    if (!bt_str_is(text, "BOOL"))
        return false;
    *ret_type = BT_INPUT_BOOLEAN;
    return true;
}

/* Properties beside the common ones, by type; a bit per type that has it. */
#define ON(type) (1u << BT_INPUT_##type)
static const struct {
    const char *name;
    unsigned types;
} extras[] = {
    {"validator", ON(STRING) | ON(SECRET)},
    {"min", ON(INT) | ON(FLOAT) | ON(DURATION)},
    {"max", ON(INT) | ON(FLOAT) | ON(DURATION)},
    {"after", ON(DATETIME) | ON(DATE) | ON(TIME)},
    {"before", ON(DATETIME) | ON(DATE) | ON(TIME)},
    {"values", ON(SELECT) | ON(MULTISELECT) | ON(ENUM)},
    {"options", ON(MULTISELECT)},
    {"expression", ON(SELECT) | ON(MULTISELECT)},
    {"allowCustomValue", ON(SELECT) | ON(MULTISELECT)},
    {"isRadio", ON(SELECT)},
    {"autoSelectFirst", ON(SELECT) | ON(MULTISELECT)},
    {"itemType", ON(ARRAY) | ON(MULTISELECT)},
    {"extension", ON(FILE)},
    {"allowedFileExtensions", ON(FILE)},
};
#undef ON

static const char *const input_commons[] = {
    "id",       "name",     "type",        "description", "dependsOn",
    "required", "defaults", "displayName", "prefill",
};

static const char *const output_commons[] = {
    "id", "type", "value", "description", "displayName", "required", "itemType",
};

static size_t known_names(enum bt_input_type type, const char **ret_names)
{
    size_t count = 0;
    for (size_t i = 0; i < BT_COUNT(input_commons); i++)
        ret_names[count++] = input_commons[i];
    for (size_t i = 0; i < BT_COUNT(extras); i++)
        if (extras[i].types & (1u << type))
            ret_names[count++] = extras[i].name;
    return count;
}

static void check_names(struct parse *parse, const struct place *place, const char *const *known,
                        size_t count)
{
    for (uint32_t i = 0; i < place->node->count; i++) {
        const struct bt_yaml_node *key = place->node->pairs[i].key;
        bool is_known = false;
        for (size_t k = 0; k < count && !is_known; k++)
            is_known = bt_str_is(key->text, known[k]);
        if (is_known)
            continue;
        struct place at = bt_place_in(place, bt_model_cstr(parse, key->text), key);
        bool is_output = known == output_commons;
        bt_read_unknown(parse, &at,
                        is_output ? "io.kestra.core.models.flows.Output"
                                  : "io.kestra.core.models.flows.Input",
                        known, count);
    }
}

bool bt_model_input_type(struct parse *parse, const struct place *place,
                         enum bt_input_type *ret_type)
{
    const struct bt_yaml_node *node = bt_yaml_get(place->node, "type");
    struct place at = bt_place_in(place, "type", node ? node : place->node);
    struct bt_diag *diag = NULL;
    if (bt_yaml_is_null(node)) {
        diag = bt_model_error(parse, &at, "missing-type", "\"type\" is missing");
        bt_diag_hint(parse, diag, "for example type: STRING");
        bt_diag_original(parse, diag, "Invalid type: null");
        return false;
    }
    const char *name = bt_read_text(parse, &at);
    if (!name)
        return false;
    if (bt_input_type_parse(bt_str_of(name), ret_type))
        return true;
    diag = bt_model_error(parse, &at, "unknown-type", "unknown input type \"%s\"", name);
    char upper[32];
    size_t len = strlen(name) < sizeof upper - 1 ? strlen(name) : sizeof upper - 1;
    for (size_t i = 0; i < len; i++)
        upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
    const char *near =
        bt_str_nearest((struct bt_str){upper, len}, type_names, BT_COUNT(type_names));
    enum bt_input_type exact;
    if (bt_input_type_parse((struct bt_str){upper, len}, &exact))
        near = type_names[exact];
    if (near)
        bt_diag_hint(parse, diag, "did you mean \"%s\"?", near);
    else
        bt_diag_hint(parse, diag, "for example STRING, INT, BOOLEAN, JSON or FILE");
    bt_diag_original(parse, diag, "Invalid type: %s", name);
    return false;
}

static void check_defaults(struct parse *parse, const struct place *place, struct bt_input *input)
{
    struct bt_yaml_node *node = bt_yaml_get(place->node, "defaults");
    if (bt_yaml_is_null(node))
        return;
    struct place at = bt_place_in(place, "defaults", node);
    if (input->type == BT_INPUT_FILE) {
        struct bt_diag *diag = bt_model_error(parse, &at, "no-defaults",
                                              "an input of type FILE takes no \"defaults\"");
        bt_diag_original(parse, diag, "no `defaults` can be set for inputs of type 'FILE'");
        return;
    }
    input->defaults = bt_map_gets(input->spec, "defaults");
    BT_VALUE converted = NULL;
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_input_convert(input->type, input->spec, input->defaults, &converted, &err);
    if (rc == BT_NO_MEM)
        parse->rc = rc;
    else if (rc != BT_OK)
        bt_model_error(parse, &at, "bad-defaults", "\"defaults\" is not a valid %s: %s",
                       bt_input_type_name(input->type), err.msg);
}

static struct bt_value *spec_value(struct parse *parse, const struct bt_yaml_node *node)
{
    struct bt_value *spec = NULL;
    if (bt_yaml_value(node, &spec, NULL) != BT_OK)
        parse->rc = BT_NO_MEM;
    return spec ? bt_model_keep(parse, spec) : NULL;
}

static const char *read_input_id(struct parse *parse, const struct place *place)
{
    const struct bt_yaml_node *id = bt_yaml_get(place->node, "id");
    const struct bt_yaml_node *name = bt_yaml_get(place->node, "name");
    const struct bt_yaml_node *node = bt_yaml_is_null(id) ? name : id;
    struct place at =
        bt_place_in(place, node && node == name ? "name" : "id", node ? node : place->node);
    if (!node || bt_yaml_is_null(node)) {
        struct bt_diag *diag = bt_model_error(parse, &at, "missing-id", "\"id\" is missing");
        bt_diag_hint(parse, diag, "give it a name: id: my_name");
        bt_diag_original(parse, diag, "must not be null\nmust not be blank");
        return NULL;
    }
    if (node == name)
        bt_diag_hint(parse, bt_model_warn(parse, &at, "deprecated", "\"name\" is deprecated"),
                     "write id: %.*s", BT_FMT(node->text));
    return bt_read_id(parse, &at, ID_INPUT);
}

static bool read_required(struct parse *parse, const struct place *place)
{
    struct bt_yaml_node *node = bt_yaml_get(place->node, "required");
    struct place at = bt_place_in(place, "required", node);
    return node ? bt_read_bool(parse, &at, true) : true;
}

static void check_spec(struct parse *parse, const struct place *place, struct bt_input *input)
{
    const char *known[BT_COUNT(input_commons) + BT_COUNT(extras)];
    check_names(parse, place, known, known_names(input->type, known));
    input->is_required = read_required(parse, place);
    size_t errors = parse->diags->errors;
    bt_model_input_spec(parse, place, input);
    if (parse->diags->errors == errors)
        check_defaults(parse, place, input);
}

static bool read_input(struct parse *parse, const struct place *list, uint32_t index,
                       struct bt_input *ret_input)
{
    struct place place = bt_place_at(list, index, list->node->items[index]);
    if (place.node->kind != BT_YAML_MAP) {
        bt_model_error(parse, &place, "wrong-type", "an input must be a map, here it is %s",
                       bt_yaml_kind_name(place.node));
        return false;
    }
    struct bt_input input = {.id = read_input_id(parse, &place), .at = place.node->at};
    place.kind = "input";
    place.id = input.id;
    bool is_typed = bt_model_input_type(parse, &place, &input.type);
    input.spec = spec_value(parse, place.node);
    if (is_typed && input.spec)
        check_spec(parse, &place, &input);
    *ret_input = input;
    return is_typed && input.id && input.spec;
}

void bt_model_input_set(struct parse *parse, const struct place *place,
                        struct bt_input_set *ret_set)
{
    if (!bt_read_is_list(parse, place))
        return;
    if (place->node->count > BT_INPUTS_MAX) {
        bt_model_error(parse, place, "too-many-inputs", "there may be %u inputs", BT_INPUTS_MAX);
        return;
    }
    struct bt_input *inputs = bt_model_alloc(parse, (place->node->count + 1) * sizeof *inputs);
    const struct bt_yaml_node **nodes =
        bt_arena_alloc(parse->scratch, (place->node->count + 1) * sizeof *nodes);
    struct bt_input_set set = {.items = inputs};
    if (!nodes)
        parse->rc = BT_NO_MEM;
    for (uint32_t i = 0; inputs && i < place->node->count && parse->rc == BT_OK; i++)
        if (read_input(parse, place, i, &inputs[set.count]))
            nodes[set.count++] = place->node->items[i];
    if (parse->rc == BT_OK)
        set.order = bt_model_depends(parse, place, inputs, nodes, set.count);
    bt_check_list_ids(parse, place, "input");
    *ret_set = set;
}

void bt_model_inputs(struct parse *parse, const struct place *place)
{
    struct bt_flow *flow = &parse->box->flow;
    struct bt_input_set set = {0};
    bt_model_input_set(parse, place, &set);
    flow->inputs = set.items;
    flow->input_count = set.count;
    flow->input_order = set.order;
}

static bool read_output(struct parse *parse, const struct place *list, uint32_t index,
                        struct bt_output *ret_output)
{
    struct place place = bt_place_at(list, index, list->node->items[index]);
    if (place.node->kind != BT_YAML_MAP) {
        bt_model_error(parse, &place, "wrong-type", "an output must be a map, here it is %s",
                       bt_yaml_kind_name(place.node));
        return false;
    }
    struct bt_output output = {.id = read_input_id(parse, &place)};
    place.kind = "output";
    place.id = output.id;
    bool is_typed = bt_model_input_type(parse, &place, &output.type);
    check_names(parse, &place, output_commons, BT_COUNT(output_commons));
    output.is_required = read_required(parse, &place);
    struct bt_yaml_node *value = bt_yaml_get(place.node, "value");
    struct place at = bt_place_in(&place, "value", value ? value : place.node);
    if (bt_yaml_is_null(value)) {
        struct bt_diag *diag =
            bt_model_error(parse, &at, "missing-property", "\"value\" is missing");
        bt_diag_original(parse, diag, "must not be null");
        return false;
    }
    struct bt_value *raw = spec_value(parse, value);
    output.value = raw ? bt_read_dyn(parse, &at, raw) : NULL;
    *ret_output = output;
    return is_typed && output.id && output.value;
}

void bt_model_outputs(struct parse *parse, const struct place *place)
{
    if (!bt_read_is_list(parse, place))
        return;
    if (place->node->count > BT_INPUTS_MAX) {
        bt_model_error(parse, place, "too-many-outputs", "a flow may have %u outputs",
                       BT_INPUTS_MAX);
        return;
    }
    struct bt_output *outputs = bt_model_alloc(parse, (place->node->count + 1) * sizeof *outputs);
    parse->output_nodes =
        bt_arena_alloc(parse->scratch, (place->node->count + 1) * sizeof *parse->output_nodes);
    uint32_t count = 0;
    if (!parse->output_nodes)
        parse->rc = BT_NO_MEM;
    for (uint32_t i = 0; outputs && i < place->node->count && parse->rc == BT_OK; i++)
        if (read_output(parse, place, i, &outputs[count]))
            parse->output_nodes[count++] = bt_yaml_get(place->node->items[i], "value");
    bt_check_list_ids(parse, place, "output");
    parse->box->flow.outputs = outputs;
    parse->box->flow.output_count = count;
}
