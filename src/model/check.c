/* check.c — Names that must be unique: tasks of all levels, inputs, outputs, triggers. */
#include "model/id_set_int.h"
#include "model/model_int.h"

#include "base/own.h"

/* The list of names that the original says at once: "Duplicate task id with name [a, b]". */
struct duplicates {
    struct bt_id_set seen;
    struct bt_id_set told;
    struct bt_buf names;
    size_t first_at; /* Index of the first diagnostic: they move while their list grows. */
    const char *what, *original;
};

static bool duplicates_init(struct duplicates *duplicates, const char *what, const char *original,
                            size_t count_max)
{
    *duplicates = (struct duplicates){
        .names = BT_BUF_INIT(800), .what = what, .original = original, .first_at = SIZE_MAX};
    return bt_id_set_init(&duplicates->seen, count_max) &&
           bt_id_set_init(&duplicates->told, count_max);
}

static void duplicates_put(struct parse *parse, struct duplicates *duplicates, const char *id,
                           const struct bt_yaml_node *node)
{
    const struct bt_yaml_node *first = bt_id_set_put(&duplicates->seen, id, node);
    if (!first)
        return;
    struct place place = {.name = "", .node = node};
    struct bt_diag *diag =
        bt_model_error(parse, &place, "duplicate-id", "%s \"%s\" is used twice (first in line %u)",
                       duplicates->what, id, first->at.line);
    bt_diag_hint(parse, diag, "give one of the two another id");
    if (diag && duplicates->first_at == SIZE_MAX)
        duplicates->first_at = parse->diags->count - 1;
    if (!bt_id_set_put(&duplicates->told, id, node))
        bt_buf_addf(&duplicates->names, "%s%s", duplicates->names.len ? ", " : "", id);
}

static void duplicates_done(struct parse *parse, struct duplicates *duplicates)
{
    const char *names = bt_buf_cstr(&duplicates->names);
    if (duplicates->first_at < parse->diags->count && names)
        bt_diag_original(parse, &parse->diags->items[duplicates->first_at],
                         "Duplicate %s with name [%s]", duplicates->original, names);
    bt_buf_done(&duplicates->names);
    bt_id_set_done(&duplicates->seen);
    bt_id_set_done(&duplicates->told);
}

void bt_check_list_ids(struct parse *parse, const struct place *list, const char *what)
{
    struct duplicates duplicates;
    if (!duplicates_init(&duplicates, what, what, list->node->count + 1))
        parse->rc = BT_NO_MEM;
    for (uint32_t i = 0; i < list->node->count && parse->rc == BT_OK; i++) {
        const struct bt_yaml_node *item = list->node->items[i];
        const struct bt_yaml_node *id = bt_yaml_get(item, "id");
        id = id ? id : bt_yaml_get(item, "name");
        if (id && id->kind == BT_YAML_SCALAR && id->text.len)
            duplicates_put(parse, &duplicates, bt_model_cstr(parse, id->text), id);
    }
    duplicates_done(parse, &duplicates);
}

void bt_check_task_ids(struct parse *parse)
{
    const struct bt_flow *flow = &parse->box->flow;
    struct duplicates duplicates;
    if (!duplicates_init(&duplicates, "task id", "task id", flow->task_count + 1))
        parse->rc = BT_NO_MEM;
    for (uint32_t i = 0; i < flow->task_count && parse->rc == BT_OK; i++)
        if (*flow->tasks[i].id)
            duplicates_put(parse, &duplicates, flow->tasks[i].id, parse->notes[i].id);
    duplicates_done(parse, &duplicates);
}
