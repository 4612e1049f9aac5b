/* parse_later.c — Properties of a flow that this version checks in shape but does not act on. */
#include "model/model_int.h"

#include "base/own.h"

static void warn_not_yet(struct parse *parse, const struct place *place)
{
    struct place key = bt_place_key(place);
    bt_model_warn(parse, &key, "not-yet", "\"%s\" is not acted on by this version", place->name);
}

/* A property that must be there; NULL when it was reported as missing. */
static const struct bt_yaml_node *need(struct parse *parse, const struct place *place,
                                       const char *name)
{
    const struct bt_yaml_node *node = bt_yaml_get(place->node, name);
    if (!bt_yaml_is_null(node))
        return node;
    struct place at = bt_place_in(place, name, place->node);
    struct bt_diag *diag =
        bt_model_error(parse, &at, "missing-property", "\"%s\" is missing", name);
    bt_diag_original(parse, diag,
                     strcmp(name, "type") == 0 ? "Invalid type: null" : "must not be null");
    return NULL;
}

static void read_trigger(struct parse *parse, const struct place *list, uint32_t index)
{
    struct place place = bt_place_at(list, index, list->node->items[index]);
    if (place.node->kind != BT_YAML_MAP) {
        bt_model_error(parse, &place, "wrong-type", "a trigger must be a map, here it is %s",
                       bt_yaml_kind_name(place.node));
        return;
    }
    const struct bt_yaml_node *id = need(parse, &place, "id");
    struct place at = bt_place_in(&place, "id", id);
    place.id = id ? bt_read_id(parse, &at, ID_TASK) : NULL;
    place.kind = "trigger";
    const struct bt_yaml_node *type = need(parse, &place, "type");
    at = bt_place_in(&place, "type", type);
    const char *name = type ? bt_read_text(parse, &at) : NULL;
    const struct bt_type *known = name ? bt_type_find(bt_str_of(name)) : NULL;
    if (!known || known->exec == BT_EXEC_TRIGGER)
        return;
    struct bt_diag *diag =
        bt_model_error(parse, &at, "wrong-type", "\"%s\" is a task, not a trigger", name);
    bt_diag_hint(parse, diag, "tasks stand under \"tasks\"");
    bt_diag_original(parse, diag, "Invalid type: %s", name);
}

void bt_model_triggers(struct parse *parse, const struct place *place)
{
    if (!bt_read_is_list(parse, place))
        return;
    for (uint32_t i = 0; i < place->node->count; i++)
        read_trigger(parse, place, i);
    bt_check_list_ids(parse, place, "trigger id");
}

static void read_behavior(struct parse *parse, const struct place *place)
{
    static const char *const names[] = {"QUEUE", "CANCEL", "FAIL"}; /* As enum bt_overflow. */
    const char *text = bt_read_text(parse, place);
    for (size_t i = 0; text && i < BT_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            parse->box->flow.overflow = (enum bt_overflow)i;
            return;
        }
    }
    if (!text)
        return;
    struct bt_diag *diag =
        bt_model_error(parse, place, "not-in-enum", "\"behavior\" cannot be \"%s\"", text);
    bt_diag_hint(parse, diag, "it is one of QUEUE, CANCEL, FAIL");
}

void bt_model_concurrency(struct parse *parse, const struct place *place)
{
    static const char *const known[] = {"limit", "behavior"};
    if (!bt_read_is_map(parse, place))
        return;
    const struct bt_yaml_node *limit = need(parse, place, "limit");
    struct place at = bt_place_in(place, "limit", limit);
    int64_t number;
    bool is_number = limit && bt_read_int(parse, &at, &number);
    if (is_number && number >= 1)
        parse->box->flow.concurrency = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    if (is_number && number < 1) {
        struct bt_diag *diag =
            bt_model_error(parse, &at, "too-small", "\"limit\" must be at least 1");
        bt_diag_original(parse, diag, "must be greater than or equal to 1");
    }
    for (uint32_t i = 0; i < place->node->count; i++) {
        const struct bt_yaml_pair *pair = &place->node->pairs[i];
        at = bt_place_in(place, bt_model_cstr(parse, pair->key->text), pair->value);
        if (strcmp(at.name, "behavior") == 0) {
            read_behavior(parse, &at);
        } else if (strcmp(at.name, "limit") != 0) {
            at.node = pair->key;
            bt_read_unknown(parse, &at, "io.kestra.core.models.flows.Concurrency", known,
                            BT_COUNT(known));
        }
    }
}

/* As written: when they hold is decided when the execution has ended. */
static const struct bt_value *read_conditions(struct parse *parse, const struct place *listener)
{
    struct bt_yaml_node *node = bt_yaml_get(listener->node, "conditions");
    struct place at = bt_place_in(listener, "conditions", node);
    struct bt_value *value = NULL;
    if (bt_yaml_is_null(node) || !bt_read_is_list(parse, &at))
        return NULL;
    if (bt_yaml_value(node, &value, NULL) != BT_OK) {
        parse->rc = BT_NO_MEM;
        return NULL;
    }
    return bt_model_keep(parse, value);
}

static void read_listener(struct parse *parse, const struct place *list, uint32_t index)
{
    struct place place = bt_place_at(list, index, list->node->items[index]);
    struct bt_yaml_node *tasks = bt_yaml_get(place.node, "tasks");
    struct place at = bt_place_in(&place, "tasks", tasks ? tasks : place.node);
    if (place.node->kind != BT_YAML_MAP) {
        bt_model_error(parse, &place, "wrong-type", "a listener must be a map, here it is %s",
                       bt_yaml_kind_name(place.node));
        return;
    }
    if (!tasks || bt_yaml_is_null(tasks) || (tasks->kind == BT_YAML_LIST && tasks->count == 0)) {
        struct bt_diag *diag =
            bt_model_error(parse, &at, "no-tasks", "the listener has no \"tasks\"");
        bt_diag_original(parse, diag, "must not be empty");
    } else {
        bt_model_flow_list(parse, &at, BT_BRANCH_LISTENER, read_conditions(parse, &place));
    }
}

void bt_model_listeners(struct parse *parse, const struct place *place)
{
    if (!bt_read_is_list(parse, place))
        return;
    struct place key = bt_place_key(place);
    bt_diag_hint(parse, bt_model_warn(parse, &key, "deprecated", "\"listeners\" is deprecated"),
                 "use \"afterExecution\" or a flow trigger");
    for (uint32_t i = 0; i < place->node->count; i++)
        read_listener(parse, place, i);
}

void bt_model_later_list(struct parse *parse, const struct place *place)
{
    if (bt_read_is_list(parse, place))
        warn_not_yet(parse, place);
}
