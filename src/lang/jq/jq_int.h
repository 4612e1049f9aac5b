/* jq_int.h — Tree and state of a jq program. Private to the room. */
#pragma once
#include "base/arena.h"
#include "base/limits.h"
#include "lang/jq/jq.h"

enum { BT_JQ_DEPTH_MAX = 1000, BT_JQ_PARSE_MAX = 100 };

enum bt_jq_kind {
    BT_JQ_IDENTITY,
    BT_JQ_RECURSE, /* .. */
    BT_JQ_INDEX,   /* left[right] */
    BT_JQ_SLICE,   /* left[right:third] */
    BT_JQ_ITERATE, /* left[] */
    BT_JQ_LITERAL,
    BT_JQ_STRING, /* items: parts; format: how parts are written */
    BT_JQ_FORMAT, /* @name */
    BT_JQ_ARRAY,  /* [left] */
    BT_JQ_OBJECT, /* items: key, value, … */
    BT_JQ_NEGATE,
    BT_JQ_PIPE,
    BT_JQ_COMMA,
    BT_JQ_ARITH,
    BT_JQ_COMPARE,
    BT_JQ_AND,
    BT_JQ_OR,
    BT_JQ_ALTERNATIVE, /* // */
    BT_JQ_UPDATE,      /* op: '=', '|', or that of the arithmetic, 'a' for //= */
    BT_JQ_TRY,         /* left, right: catch or NULL */
    BT_JQ_IF,
    BT_JQ_REDUCE,  /* left as pattern (right; third) */
    BT_JQ_FOREACH, /* … and items[0]: extract or NULL */
    BT_JQ_AS,      /* left as pattern | right */
    BT_JQ_LABEL,
    BT_JQ_BREAK,
    BT_JQ_CALL,
    BT_JQ_VARIABLE,
    BT_JQ_DEF, /* def | left */
};

/* What `as` binds: a variable, or a list or map of patterns. */
struct bt_jq_pattern {
    struct bt_str name; /* Of a variable; also $name: in maps. */
    bool is_list, is_map;
    struct bt_jq_pattern **items;
    struct bt_jq_node **keys; /* Maps: NULL for $name without a key. */
    size_t count;
};

struct bt_jq_def {
    struct bt_str name;
    struct bt_str *params; /* "$x" for values, "f" for filters. */
    size_t params_count;
    struct bt_jq_node *body;
};

struct bt_jq_node {
    uint8_t kind;
    char op; /* + - * / % and = ! < > l (<=) g (>=) */
    struct bt_jq_node *left, *right, *third;
    struct bt_jq_node **items;
    size_t items_count;
    struct bt_str name;
    struct bt_value *value; /* LITERAL: owned by the program. */
    struct bt_jq_pattern *pattern;
    struct bt_jq_def *def;
};

/* Names in sight: a list from the innermost outwards, on the C stack of the evaluation. */
struct bt_jq_env {
    const struct bt_jq_env *parent;
    enum { BT_JQ_ENV_VALUE, BT_JQ_ENV_CLOSURE, BT_JQ_ENV_DEF, BT_JQ_ENV_LABEL } kind;
    struct bt_str name;
    const struct bt_value *value;  /* VALUE */
    const struct bt_jq_node *node; /* CLOSURE: evaluated in `scope`. */
    const struct bt_jq_env *scope;
    const struct bt_jq_def *def; /* DEF: its body sees this entry and what is around. */
};

/* A value on its way and, where paths are followed, how it was reached. Borrowed. */
struct bt_jq_in {
    const struct bt_value *value;
    const struct bt_value *path; /* LIST, or NULL. */
};

/* Takes the outputs of an expression one by one; a negative code stops it. */
struct bt_jq_sink {
    int (*fn)(struct bt_jq_sink *sink, struct bt_jq_in out);
};

struct bt_jq {
    struct bt_arena arena;
    struct bt_value **values; /* Literals: owned. */
    size_t values_count, values_cap;
    struct bt_err *err;
    uint32_t steps, depth, nodes;
    struct bt_value *error;        /* What was raised; owned. With BT_INVALID. */
    const void *stop;              /* Who asked to stop. With BT_ABORTED. */
    struct bt_jq_def *library[64]; /* Definitions of the library that were used. */
    size_t library_count;
};

/* A parsed program and all it needs. The text's names are borrowed by the tree. */
struct bt_jq_program {
    struct bt_jq jq;
    struct bt_jq_node *node;
    char *text; /* Owned. */
    size_t len;
    uint64_t used;
};
void bt_jq_program_done(struct bt_jq_program *program);

/* jq_cache.c */
/* The thread's parsed program with this text, or NULL. Borrowed until the next bt_jq_cache(). */
struct bt_jq_program *bt_jq_cached(struct bt_str text);
/* Takes the program. False: it is not kept, and still the caller's. */
bool bt_jq_cache(struct bt_jq_program *program);

/* jq_parse.c */
int bt_jq_parse(struct bt_jq *jq, struct bt_str program, struct bt_jq_node **ret_node);
/* Parses "def name(…): body;" */
int bt_jq_parse_def(struct bt_jq *jq, struct bt_str text, struct bt_jq_def **ret_def);
int bt_jq_keep(struct bt_jq *jq, struct bt_value *value);

/* Counts memory that a function makes as steps, so that one budget bounds both. */
static inline void bt_jq_charge(struct bt_jq *jq, size_t bytes)
{
    size_t steps = bytes / 64;
    jq->steps += (uint32_t)(steps < BT_EXPR_STEPS_MAX ? steps : BT_EXPR_STEPS_MAX);
}

/* jq_eval.c */
int bt_jq_eval(struct bt_jq *jq, const struct bt_jq_node *node, const struct bt_jq_env *env,
               struct bt_jq_in in, struct bt_jq_sink *sink);
int bt_jq_raise(struct bt_jq *jq, const char *format, ...) __attribute__((format(printf, 2, 3)));
int bt_jq_raise_value(struct bt_jq *jq, struct bt_value *value); /* Takes it. */
int bt_jq_no_mem(struct bt_jq *jq);
/* Hands a new value (taken) to the sink. */
int bt_jq_emit(struct bt_jq *jq, struct bt_value *value, struct bt_jq_sink *sink);
/* All outputs as a list. */
int bt_jq_collect(struct bt_jq *jq, const struct bt_jq_node *node, const struct bt_jq_env *env,
                  struct bt_jq_in in, struct bt_value **ret_list);
/* All paths as a list of lists. */
int bt_jq_collect_paths(struct bt_jq *jq, const struct bt_jq_node *node,
                        const struct bt_jq_env *env, struct bt_jq_in in,
                        struct bt_value **ret_list);
bool bt_jq_is_true(const struct bt_value *value);

/* jq_ops.c */
int bt_jq_arith(struct bt_jq *jq, char op, const struct bt_value *a, const struct bt_value *b,
                struct bt_value **ret_value);
int bt_jq_compare(const struct bt_value *a, const struct bt_value *b);
struct bt_value *bt_jq_number(double number); /* An integer where it is one. */
bool bt_jq_is_number(const struct bt_value *value);
const char *bt_jq_type(const struct bt_value *value);
int bt_jq_json(struct bt_jq *jq, const struct bt_value *value, struct bt_value **ret_text);
int bt_jq_text(struct bt_jq *jq, const struct bt_value *value, struct bt_value **ret_text);
/* Sorted keys of a map as a list. */
int bt_jq_keys(struct bt_jq *jq, const struct bt_value *map, struct bt_value **ret_list);
/* A sorted copy of a list; `keys` (may be NULL) holds what the items are compared by. */
int bt_jq_sort(struct bt_jq *jq, const struct bt_value *list, const struct bt_value *keys,
               struct bt_value **ret_list);

/* jq_path.c */
int bt_jq_index(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *key,
                struct bt_value **ret_value);
int bt_jq_slice(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *from,
                const struct bt_value *to, struct bt_value **ret_value);
int bt_jq_get(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *path,
              struct bt_value **ret_value);
int bt_jq_set(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *path,
              const struct bt_value *item, struct bt_value **ret_value);
int bt_jq_delete(struct bt_jq *jq, const struct bt_value *value, const struct bt_value *paths,
                 struct bt_value **ret_value);

/* jq_builtin.c: a native function, or NULL. */
struct bt_jq_args {
    const struct bt_jq_node *node; /* items: the arguments. */
    const struct bt_jq_env *env;
    struct bt_jq_in in;
};
typedef int (*bt_jq_native)(struct bt_jq *jq, const struct bt_jq_args *args,
                            struct bt_jq_sink *sink);
bt_jq_native bt_jq_builtin(struct bt_str name, size_t arity);
bt_jq_native bt_jq_native_of(struct bt_str name, size_t arity); /* jq_native.c */
/* The source of a function that is written in jq, or NULL. */
const char *bt_jq_library_source(struct bt_str name, size_t arity);

/* jq_format.c: @csv, @sh … of a value. */
int bt_jq_format(struct bt_jq *jq, struct bt_str name, const struct bt_value *value,
                 struct bt_value **ret_text);
/* jq_regex.c: all matches as jq's match objects. */
int bt_jq_match(struct bt_jq *jq, const struct bt_value *text, const struct bt_value *pattern,
                const struct bt_value *flags, struct bt_value **ret_list);
