/* report.c — Diagnostics of a flow: who is wrong, where, in our words and the original's. */
#include "model/model_int.h"

#include "base/own.h"

#include <stdarg.h>
#include <stdio.h>

enum { PATH_MAX_BYTES = 512, MSG_MAX_BYTES = 900 };

struct place bt_place_in(const struct place *up, const char *name, const struct bt_yaml_node *node)
{
    return (struct place){.up = up,
                          .name = name,
                          .node = node,
                          .kind = up ? up->kind : NULL,
                          .id = up ? up->id : NULL};
}

struct place bt_place_at(const struct place *up, uint32_t index, const struct bt_yaml_node *node)
{
    struct place place = bt_place_in(up, NULL, node);
    place.index = index;
    return place;
}

struct place bt_place_pair(const struct place *up, const char *name,
                           const struct bt_yaml_pair *pair)
{
    struct place place = bt_place_in(up, name, pair->value);
    place.key = pair->key;
    return place;
}

struct place bt_place_key(const struct place *place)
{
    struct place at = *place;
    at.node = place->key ? place->key : place->node;
    return at;
}

static void add_path(const struct place *place, struct bt_buf *out)
{
    if (place->up)
        add_path(place->up, out);
    if (place->name && *place->name) {
        if (out->len)
            bt_buf_addc(out, '.');
        bt_buf_adds(out, place->name);
    } else if (!place->name) {
        bt_buf_addf(out, "[%u]", place->index);
    }
}

static struct bt_diag *report(struct parse *parse, const struct place *place,
                              enum bt_severity severity, const char *code, const char *msg)
{
    struct bt_mark at = place->node ? place->node->at : (struct bt_mark){.line = 1, .col = 1};
    struct bt_diag *diag = place->id ? bt_diags_add(parse->diags, severity, code, at,
                                                    "%s \"%s\": %s", place->kind, place->id, msg)
                                     : bt_diags_add(parse->diags, severity, code, at, "%s", msg);
    if (!diag)
        return NULL;
    diag->end = place->node && place->node->kind == BT_YAML_SCALAR ? place->node->end : at;
    struct bt_buf path = BT_BUF_INIT(PATH_MAX_BYTES);
    add_path(place, &path);
    const char *text = bt_buf_cstr(&path);
    if (text)
        diag->path = bt_diags_dup(parse->diags, "%s", text);
    bt_buf_done(&path);
    return diag;
}

struct bt_diag *bt_model_error(struct parse *parse, const struct place *place, const char *code,
                               const char *format, ...)
{
    char msg[MSG_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(msg, sizeof msg, format, args);
    va_end(args);
    return report(parse, place, BT_SEVERITY_ERROR, code, msg);
}

struct bt_diag *bt_model_warn(struct parse *parse, const struct place *place, const char *code,
                              const char *format, ...)
{
    char msg[MSG_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(msg, sizeof msg, format, args);
    va_end(args);
    return report(parse, place, BT_SEVERITY_WARNING, code, msg);
}

void bt_diag_hint(struct parse *parse, struct bt_diag *diag, const char *format, ...)
{
    char text[MSG_MAX_BYTES];
    if (!diag)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    diag->hint = bt_diags_dup(parse->diags, "%s", text);
}

void bt_diag_of_flow(struct bt_diag *diag)
{
    if (diag)
        diag->path = "";
}

void bt_diag_original(struct parse *parse, struct bt_diag *diag, const char *format, ...)
{
    char text[MSG_MAX_BYTES];
    if (!diag)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    diag->original = bt_diags_dup(parse->diags, "%s", text);
}
