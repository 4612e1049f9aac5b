/* diag.h — Diagnostics: everything that is wrong with one file, each with its place.
 *
 * A diagnostic has two texts: ours (for people) and the original's words (for API clients that
 * compare them). Texts are copied into the list's arena. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum bt_severity { BT_SEVERITY_ERROR, BT_SEVERITY_WARNING, BT_SEVERITY_INFO };

struct bt_mark {
    uint32_t line, col; /* 1-based, columns in runes; 0 = unknown. */
    uint32_t byte;      /* 0-based offset in the source. */
};

struct bt_diag {
    enum bt_severity severity;
    const char *code; /* Stable, static: "unknown-property". */
    struct bt_mark at, end;
    const char *msg;      /* What is wrong: task "load": unknown property "tabel". */
    const char *hint;     /* What to do: did you mean "table"? Or "". */
    const char *original; /* The original's words, or "". */
    const char *path;     /* The original's path, "tasks[0].id", or "". */
};

struct bt_diags {
    struct bt_arena arena;
    struct bt_diag *items;
    size_t count, cap;
    size_t errors;   /* Of severity ERROR, also those past the limit. */
    size_t left_out; /* Not kept: more than BT_DIAGS_MAX, or no memory. */
};

#define BT_DIAGS_INIT                                                                              \
    {                                                                                              \
        0                                                                                          \
    }

/* Adds one (returned for adding hint, original, path with bt_diags_dup), or NULL when left out. */
struct bt_diag *bt_diags_add(struct bt_diags *diags, enum bt_severity severity, const char *code,
                             struct bt_mark at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
const char *bt_diags_dup(struct bt_diags *diags, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void bt_diags_sort(struct bt_diags *diags); /* By place. */
void bt_diags_done(struct bt_diags *diags);
