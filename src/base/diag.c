/* diag.c — The list of diagnostics. */
#include "base/diag.h"

#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *format_arena(struct bt_arena *arena, const char *format, va_list args)
{
    char text[1024];
    int len = vsnprintf(text, sizeof text, format, args);
    if (len < 0)
        return "";
    size_t used = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    const char *copy = bt_arena_dup(arena, (struct bt_str){text, used});
    return copy ? copy : "";
}

struct bt_diag *bt_diags_add(struct bt_diags *diags, enum bt_severity severity, const char *code,
                             struct bt_mark at, const char *format, ...)
{
    if (severity == BT_SEVERITY_ERROR)
        diags->errors++;
    if (diags->count == diags->cap && diags->cap < BT_DIAGS_MAX) {
        size_t cap = diags->cap ? diags->cap * 2 : 16;
        cap = cap > BT_DIAGS_MAX ? BT_DIAGS_MAX : cap;
        struct bt_diag *items = realloc(diags->items, cap * sizeof *items);
        if (items) {
            diags->items = items;
            diags->cap = cap;
        }
    }
    if (diags->count == diags->cap) {
        diags->left_out++;
        return NULL;
    }
    struct bt_diag *diag = &diags->items[diags->count++];
    *diag = (struct bt_diag){.severity = severity, .code = code, .at = at, .end = at};
    diag->hint = diag->original = diag->path = "";
    va_list args;
    va_start(args, format);
    diag->msg = format_arena(&diags->arena, format, args);
    va_end(args);
    return diag;
}

const char *bt_diags_dup(struct bt_diags *diags, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *copy = format_arena(&diags->arena, format, args);
    va_end(args);
    return copy;
}

static int compare(const void *a, const void *b)
{
    const struct bt_diag *one = a, *two = b;
    if (one->at.line != two->at.line)
        return one->at.line < two->at.line ? -1 : 1;
    if (one->at.col != two->at.col)
        return one->at.col < two->at.col ? -1 : 1;
    return strcmp(one->msg, two->msg);
}

void bt_diags_sort(struct bt_diags *diags)
{
    if (diags->count)
        qsort(diags->items, diags->count, sizeof *diags->items, compare);
}

void bt_diags_done(struct bt_diags *diags)
{
    free(diags->items);
    bt_arena_done(&diags->arena);
    *diags = (struct bt_diags)BT_DIAGS_INIT;
}
