/* expr.h — Templates: "{{ outputs.extract.uri | upper }}" compiled once, rendered many times.
 *
 * The language is the Pebble dialect that docs/expressions.md describes. A template is immutable
 * and shared by count; rendering is pure: it sees the variables of its scope, the scope's `now` and
 * seed, and the capabilities that the scope grants, nothing else. Limits: BT_EXPR_* of
 * base/limits.h. */
#pragma once
#include "base/rng.h"
#include "value/value.h"

struct bt_template; /* Opaque. */

/* Compiles. Errors: BT_INVALID with line and col inside the text, BT_LIMIT, BT_NO_MEM. */
int bt_template_parse(struct bt_str text, struct bt_template **ret_template, struct bt_err *err);
struct bt_template *bt_template_ref(struct bt_template *template);
struct bt_template *bt_template_unref(struct bt_template *template); /* Accepts, returns NULL. */
BT_CLEANUP_DEFINE(bt_template_unref, struct bt_template)
/* Whether rendering gives the text itself, whatever the scope. */
bool bt_template_is_literal(const struct bt_template *template);

/* What an expression can touch. */
struct bt_path {
    const struct bt_str *names; /* "outputs", "extract", "uri": borrowed from the template. */
    size_t count;
};
struct bt_paths {
    struct bt_path *items; /* Owned by the set; names borrowed from the templates. */
    size_t count, cap;
    bool is_top;   /* Anything may be touched: printContext(), render(vars.x), … */
    bool needs_io; /* Calls a capability (read, secret, kv, …): cannot be decided by the engine. */
};
/* Adds the paths that a rendering of the template may reach. A dynamic part ends a path: for
 * outputs[inputs.x].y the paths are `outputs` and `inputs.x`. */
int bt_template_paths(const struct bt_template *template, struct bt_paths *paths);
void bt_paths_done(struct bt_paths *paths);

/* Functions that touch the world. Each gets its evaluated arguments as a map by name (missing ones
 * absent). NULL members are refused with "… is not available here". */
struct bt_capabilities {
    void *data;
    int (*call)(void *data, const char *function, const struct bt_value *args,
                struct bt_value **ret_value, struct bt_err *err);
};

struct bt_scope {
    /* A root variable: BT_OK with an owned value (may be lazy), BT_NOT_FOUND, BT_NEED. */
    int (*lookup)(void *data, struct bt_str name, struct bt_value **ret_value, struct bt_err *err);
    /* All root variables as one map, for printContext(). May be NULL: then it is not available. */
    int (*all)(void *data, struct bt_value **ret_map, struct bt_err *err);
    void *data;
    const struct bt_capabilities *capabilities; /* May be NULL. */
    int64_t now_us;                             /* What now() says: microseconds since 1970. */
    struct bt_rng *rng; /* For uuid(), id(), randomInt(); may be NULL: a fixed seed. */
    const char *zone;   /* Default time zone, IANA name; NULL = "UTC". */
    bool is_recursive;  /* Render until stable (the server setting of old). */
};

/* A scope over one map of variables (borrowed; must outlive the scope). */
void bt_scope_of_map(struct bt_scope *scope, const struct bt_value *variables);

/* Renders to a text (a STRING value). BT_NEED passes through untouched from the scope. */
int bt_template_render(const struct bt_template *template, const struct bt_scope *scope,
                       struct bt_value **ret_text, struct bt_err *err);
/* Renders to the native value when the template is exactly one print (§1 of the reference). */
int bt_template_render_typed(const struct bt_template *template, const struct bt_scope *scope,
                             struct bt_value **ret_value, struct bt_err *err);
/* Whether a rendered text counts as true for runIf, If, Switch …: not "", "false", "0", "-0". */
bool bt_text_is_truthy(struct bt_str text);
/* The text that printing the value gives (null: empty; maps and lists: JSON). */
int bt_value_print(const struct bt_value *value, struct bt_buf *out, struct bt_err *err);

/* A property: a raw YAML value whose strings are templates at any depth (map keys too). */
struct bt_dyn; /* Opaque, immutable, counted. */
/* Compiles every string of `raw` (referenced). An error's line and col are inside that string. */
int bt_dyn_compile(const struct bt_value *raw, struct bt_dyn **ret_dyn, struct bt_err *err);
/* A value as it is, whatever its strings look like. NULL without memory. */
struct bt_dyn *bt_dyn_literal(const struct bt_value *raw);
struct bt_dyn *bt_dyn_unref(struct bt_dyn *dyn); /* Accepts and returns NULL. */
BT_CLEANUP_DEFINE(bt_dyn_unref, struct bt_dyn)
const struct bt_value *bt_dyn_raw(const struct bt_dyn *dyn); /* Borrowed. */
bool bt_dyn_is_literal(const struct bt_dyn *dyn);
/* Renders all strings; other leaves stay. Literal ones cost a reference. */
int bt_dyn_render(const struct bt_dyn *dyn, const struct bt_scope *scope,
                  struct bt_value **ret_value, struct bt_err *err);
/* The same, but a string that is exactly one print keeps the kind of its value. */
int bt_dyn_render_typed(const struct bt_dyn *dyn, const struct bt_scope *scope,
                        struct bt_value **ret_value, struct bt_err *err);
int bt_dyn_paths(const struct bt_dyn *dyn, struct bt_paths *paths);
