/* own.c — What a flow owns, and its end. Values and compiled properties hang in one list. */
#include "model/model_int.h"

#include <stdlib.h>

void *bt_model_alloc(struct parse *parse, size_t size)
{
    void *memory = bt_arena_alloc(parse->arena, size);
    if (!memory)
        parse->rc = BT_NO_MEM;
    return memory;
}

const char *bt_model_cstr(struct parse *parse, struct bt_str text)
{
    const char *copy = bt_arena_dup(parse->arena, text);
    if (!copy)
        parse->rc = BT_NO_MEM;
    return copy ? copy : "";
}

static struct owned *add_owned(struct parse *parse)
{
    struct owned *owned = bt_model_alloc(parse, sizeof *owned);
    if (owned) {
        owned->next = parse->box->owned;
        parse->box->owned = owned;
    }
    return owned;
}

struct bt_value *bt_model_keep(struct parse *parse, struct bt_value *value)
{
    struct owned *owned = value ? add_owned(parse) : NULL;
    if (!owned) {
        parse->rc = BT_NO_MEM;
        bt_value_unref(value);
        return NULL;
    }
    owned->value = value;
    return value;
}

struct bt_dyn *bt_model_keep_dyn(struct parse *parse, struct bt_dyn *dyn)
{
    struct owned *owned = dyn ? add_owned(parse) : NULL;
    if (!owned) {
        parse->rc = BT_NO_MEM;
        bt_dyn_unref(dyn);
        return NULL;
    }
    owned->dyn = dyn;
    return dyn;
}

void bt_flow_box_free(struct flow_box *box)
{
    for (struct owned *owned = box->owned; owned; owned = owned->next) {
        bt_value_unref(owned->value);
        if (owned->dyn)
            bt_dyn_unref(owned->dyn);
    }
    free(box->slots);
    bt_arena_done(&box->arena);
    free(box);
}
