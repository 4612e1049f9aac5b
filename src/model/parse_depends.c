/* parse_depends.c — `dependsOn` and `expression` of inputs, and the order that follows. */
#include "model/model_int.h"

#include "base/own.h"

struct depends {
    struct parse *parse;
    const struct place *list;
    struct bt_input *inputs;
    const struct bt_yaml_node **nodes;
    uint32_t count;
    uint8_t *states; /* Of the walk: 0 not begun, 1 open, 2 done. */
    uint32_t *order;
    uint32_t order_count;
};

static uint32_t index_of(const struct depends *depends, struct bt_str id)
{
    for (uint32_t i = 0; i < depends->count; i++)
        if (bt_str_is(id, depends->inputs[i].id))
            return i;
    return UINT32_MAX;
}

static void report_missing(struct depends *depends, const struct place *place, struct bt_str name)
{
    struct parse *parse = depends->parse;
    struct bt_diag *diag =
        bt_model_error(parse, place, "unknown-input",
                       "depends on the input \"%.*s\", which does not exist", BT_FMT(name));
    const char **ids = bt_arena_alloc(parse->scratch, (depends->count + 1) * sizeof *ids);
    for (uint32_t i = 0; ids && i < depends->count; i++)
        ids[i] = depends->inputs[i].id;
    const char *near = ids ? bt_str_nearest(name, ids, depends->count) : NULL;
    if (near)
        bt_diag_hint(parse, diag, "did you mean \"%s\"?", near);
    bt_diag_of_flow(diag);
    bt_diag_original(parse, diag, "Input with id '%s' depends on a non-existent input '%.*s'.",
                     place->id, BT_FMT(name));
}

static void read_names(struct depends *depends, const struct place *place, struct bt_input *input)
{
    struct parse *parse = depends->parse;
    if (!bt_read_is_list(parse, place))
        return;
    uint32_t *indexes = bt_model_alloc(parse, (place->node->count + 1) * sizeof *indexes);
    for (uint32_t i = 0; indexes && i < place->node->count; i++) {
        struct place at = bt_place_at(place, i, place->node->items[i]);
        uint32_t index = index_of(depends, at.node->text);
        if (index == UINT32_MAX)
            report_missing(depends, &at, at.node->text);
        else
            indexes[input->depends_count++] = index;
    }
    input->depends_on = indexes;
}

static void read_depends(struct depends *depends, const struct place *place, struct bt_input *input)
{
    static const char *const known[] = {"inputs", "condition"};
    if (!bt_read_is_map(depends->parse, place))
        return;
    for (uint32_t i = 0; i < place->node->count; i++) {
        const struct bt_yaml_pair *pair = &place->node->pairs[i];
        struct place at =
            bt_place_in(place, bt_model_cstr(depends->parse, pair->key->text), pair->value);
        if (strcmp(at.name, known[0]) == 0) {
            read_names(depends, &at, input);
        } else if (strcmp(at.name, known[1]) == 0) {
            if (!bt_yaml_is_null(at.node))
                input->condition = bt_read_dyn_text(depends->parse, &at);
        } else {
            at.node = pair->key;
            bt_read_unknown(depends->parse, &at, "io.kestra.core.models.flows.DependsOn", known,
                            BT_COUNT(known));
        }
    }
}

static void report_cycle(struct depends *depends, uint32_t index)
{
    const struct bt_input *input = &depends->inputs[index];
    struct place place = bt_place_at(depends->list, index, depends->nodes[index]);
    place.kind = "input";
    place.id = input->id;
    struct bt_diag *diag =
        bt_model_error(depends->parse, &place, "input-cycle", "it depends on itself");
    bt_diag_of_flow(diag);
    struct bt_buf names = BT_BUF_INIT(600);
    for (uint32_t i = 0; i < input->depends_count; i++)
        bt_buf_addf(&names, "%s%s", i ? ", " : "", depends->inputs[input->depends_on[i]].id);
    const char *list = bt_buf_cstr(&names);
    bt_diag_original(depends->parse, diag, "Cycle dependency detected for input with id '%s': [%s]",
                     input->id, list ? list : "");
    bt_buf_done(&names);
}

/* Depth first; as deep as the longest chain, which BT_INPUTS_MAX bounds. */
static void visit(struct depends *depends, uint32_t index)
{
    if (depends->states[index] == 2)
        return;
    if (depends->states[index] == 1) {
        report_cycle(depends, index);
        return;
    }
    depends->states[index] = 1;
    for (uint32_t i = 0; i < depends->inputs[index].depends_count; i++)
        visit(depends, depends->inputs[index].depends_on[i]);
    depends->states[index] = 2;
    depends->order[depends->order_count++] = index;
}

const uint32_t *bt_model_depends(struct parse *parse, const struct place *list,
                                 struct bt_input *inputs, const struct bt_yaml_node **nodes,
                                 uint32_t count)
{
    struct depends depends = {
        .parse = parse, .list = list, .inputs = inputs, .nodes = nodes, .count = count};
    depends.order = bt_model_alloc(parse, (count + 1) * sizeof *depends.order);
    depends.states = bt_arena_alloc(parse->scratch, count + 1);
    if (!depends.states || !depends.order) {
        parse->rc = BT_NO_MEM;
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct place place = bt_place_at(list, i, nodes[i]);
        place.kind = "input";
        place.id = inputs[i].id;
        struct place at = bt_place_in(&place, "dependsOn", bt_yaml_get(nodes[i], "dependsOn"));
        if (!bt_yaml_is_null(at.node))
            read_depends(&depends, &at, &inputs[i]);
        at = bt_place_in(&place, "expression", bt_yaml_get(nodes[i], "expression"));
        if (!bt_yaml_is_null(at.node))
            inputs[i].expression = bt_read_dyn_text(parse, &at);
    }
    for (uint32_t i = 0; i < count; i++)
        visit(&depends, i);
    return depends.order;
}
