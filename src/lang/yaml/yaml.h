/* yaml.h — YAML text to a tree that knows where each of its nodes stands.
 *
 * The tree lives in an arena given by the caller and borrows from the source where it can: both
 * must outlive it. Aliases are resolved: a node may hang in the tree at several places (never
 * inside itself), its marks are those of the anchor. Merge keys (`<<`) are resolved, local keys
 * win. Limits: BT_YAML_* of base/limits.h. A tree is read by any thread, built by one. */
#pragma once
#include "base/diag.h"
#include "value/value.h"

enum bt_yaml_kind { BT_YAML_SCALAR, BT_YAML_LIST, BT_YAML_MAP };

enum bt_yaml_style {
    BT_YAML_PLAIN,   /* Of scalars. */
    BT_YAML_SINGLE,  /* 'text' */
    BT_YAML_DOUBLE,  /* "text" */
    BT_YAML_LITERAL, /* | */
    BT_YAML_FOLDED,  /* > */
    BT_YAML_BLOCK,   /* Of lists and maps. */
    BT_YAML_FLOW,    /* [a, b], {a: b} */
};

struct bt_yaml_node {
    enum bt_yaml_kind kind;
    enum bt_yaml_style style;
    struct bt_mark at, end;      /* An empty scalar stands where its key ends. */
    struct bt_str text;          /* SCALAR: the content, escapes and folding done. */
    struct bt_str tag;           /* As resolved ("tag:yaml.org,2002:str"), or empty. */
    struct bt_yaml_node **items; /* LIST */
    struct bt_yaml_pair *pairs;  /* MAP, in order; keys are scalars and unique. */
    uint32_t count;              /* Of items or pairs. */
    uint32_t size;               /* Nodes of the subtree, aliases expanded. */
    uint32_t height;             /* Levels below, 1 for a scalar. */
    bool is_seen; /* For one walk of the tree's owner: a node may hang at several places. */
};

struct bt_yaml_pair {
    struct bt_yaml_node *key, *value;
};

struct bt_yaml {
    struct bt_yaml_node **docs; /* At least one; an empty text holds one empty scalar. */
    uint32_t count;
};

/* Parses all documents of a text. What is wrong goes to *diags: every duplicate key, every unquoted
 * expression, the first syntax error. BT_INVALID or BT_LIMIT when any is an error, BT_NO_MEM. */
int bt_yaml_parse(struct bt_str source, struct bt_arena *arena, struct bt_yaml *ret_yaml,
                  struct bt_diags *diags);

/* The value under a key of a MAP, or NULL (also for other kinds). O(n). */
struct bt_yaml_node *bt_yaml_get(const struct bt_yaml_node *node, const char *key);
/* The key itself, or NULL. */
struct bt_yaml_node *bt_yaml_get_key(const struct bt_yaml_node *node, const char *key);
/* Whether it is null: an empty plain scalar, ~, null. NULL is null. */
bool bt_yaml_is_null(const struct bt_yaml_node *node);
/* "a text", "a list", "a map", "a number", … for messages. */
const char *bt_yaml_kind_name(const struct bt_yaml_node *node);

/* What a scalar means. Plain ones are resolved as the original's readers do: true, yes, on (and
 * their opposites), null, ~, 12, 0x1F, 0b1, 017 (octal), 1_000, 1.5, 1e3, .inf; the rest, and all
 * quoted ones, are text. NULL without memory. */
struct bt_value *bt_yaml_scalar_value(const struct bt_yaml_node *node);
/* The kind that bt_yaml_scalar_value() would give. */
enum bt_kind bt_yaml_scalar_kind(const struct bt_yaml_node *node);
/* The whole subtree as a value. BT_NO_MEM. */
int bt_yaml_value(const struct bt_yaml_node *node, struct bt_value **ret_value, struct bt_err *err);
/* A text that holds one YAML document, straight to a value. */
int bt_yaml_text_value(struct bt_str text, struct bt_value **ret_value, struct bt_err *err);

/* Where byte `offset` of a scalar's text stands in the source that the tree was parsed from. */
struct bt_mark bt_yaml_locate(struct bt_str source, const struct bt_yaml_node *scalar,
                              size_t offset);
/* The same for a line and column (1-based, in runes) of the scalar's text. */
struct bt_mark bt_yaml_locate_line(struct bt_str source, const struct bt_yaml_node *scalar,
                                   uint32_t line, uint32_t col);
