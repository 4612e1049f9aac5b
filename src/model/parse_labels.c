/* parse_labels.c — `labels` of a flow: a map of texts, or a list of {key, value}. */
#include "model/model_int.h"

#include "base/own.h"

static void report_system(struct parse *parse, const struct place *place, struct bt_str key,
                          struct bt_str value)
{
    struct place at = bt_place_key(place);
    struct bt_diag *diag = bt_model_error(parse, &at, "system-label",
                                          "label \"%.*s\": names that start with \"system.\" are "
                                          "set by the server only",
                                          BT_FMT(key));
    bt_diag_hint(parse, diag, "choose another name");
    bt_diag_of_flow(diag);
    bt_diag_original(parse, diag,
                     "System labels can only be set by Kestra itself, offending label: %.*s=%.*s",
                     BT_FMT(key), BT_FMT(value));
}

static void put_label(struct parse *parse, const struct place *place, struct bt_str key,
                      struct bt_value *labels)
{
    BT_VALUE value = place->node->kind == BT_YAML_SCALAR ? bt_yaml_scalar_value(place->node) : NULL;
    if (bt_value_is_null(value)) {
        struct bt_diag *diag = bt_model_error(parse, place, "wrong-type",
                                              "label \"%.*s\" must be a text, here it is %s",
                                              BT_FMT(key), bt_yaml_kind_name(place->node));
        bt_diag_original(
            parse, diag, "Unsupported type for key: %.*s, value: %.*s", BT_FMT(key),
            BT_FMT(place->node->kind == BT_YAML_SCALAR ? BT_STR("null") : BT_STR("…")));
        return;
    }
    const char *text = bt_read_text(parse, place);
    if (!text)
        return;
    if (bt_str_starts(key, BT_STR("system.")) && !bt_str_is(key, "system.readOnly"))
        report_system(parse, place, key, bt_str_of(text));
    else if (bt_map_put(labels, key, bt_value_cstr(text)) != BT_OK)
        parse->rc = BT_NO_MEM;
}

static void put_pair(struct parse *parse, const struct place *place, struct bt_value *labels)
{
    struct bt_yaml_node *key = bt_yaml_get(place->node, "key");
    struct bt_yaml_node *value = bt_yaml_get(place->node, "value");
    if (!key || !value || key->kind != BT_YAML_SCALAR || place->node->count != 2) {
        bt_diag_hint(
            parse,
            bt_model_error(parse, place, "wrong-type", "a label in a list is {key: …, value: …}"),
            "or write labels as a map: name: value");
        return;
    }
    struct place at = bt_place_in(place, "value", value);
    put_label(parse, &at, key->text, labels);
}

void bt_model_labels(struct parse *parse, const struct place *place)
{
    const struct bt_yaml_node *node = place->node;
    BT_VALUE labels = bt_map_new(node->count);
    if (!labels) {
        parse->rc = BT_NO_MEM;
        return;
    }
    if (node->kind == BT_YAML_SCALAR) {
        bt_read_is_map(parse, place);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->kind == BT_YAML_LIST) {
            struct place at = bt_place_at(place, i, node->items[i]);
            put_pair(parse, &at, labels);
            continue;
        }
        const struct bt_yaml_pair *pair = &node->pairs[i];
        struct place at = bt_place_pair(place, bt_model_cstr(parse, pair->key->text), pair);
        put_label(parse, &at, pair->key->text, labels);
    }
    parse->box->flow.labels = bt_model_keep(parse, BT_TAKE(labels));
}
