/* expr_int.h — The syntax tree, the tables and the state of one rendering. Private to the room. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/limits.h"
#include "lang/expr/expr.h"
#include "lang/expr/lex.h"

/* --- Tables ----------------------------------------------------------------------------------- */

struct bt_run;
struct bt_node;

enum { BT_ARGS_MAX = 8 }; /* Declared arguments of one row. */

/* One invocation of a function, filter or test. All values are borrowed. */
struct bt_call {
    struct bt_run *run;
    const struct bt_node *node;
    const struct bt_fn *fn;
    const struct bt_value *input; /* Of a filter or test; never NULL there. */
    struct bt_value **args;       /* By declared position; NULL where absent. */
    size_t args_count;
};

enum bt_fn_flag {
    BT_FN_TOLERANT = 1,   /* A missing variable is a null input. */
    BT_FN_VARIADIC = 2,   /* Positional arguments only, any number. */
    BT_FN_LOOSE = 4,      /* Declares no arguments and ignores named ones. */
    BT_FN_TOP = 8,        /* May touch any variable. */
    BT_FN_IO = 16,        /* Calls a capability. */
    BT_FN_ONCE_ONLY = 32, /* Not there when rendering is recursive. */
};

struct bt_fn {
    const char *name;
    const char *args; /* Names of the arguments with a blank between. */
    uint8_t min, max; /* Arguments, for the documentation; functions check their own. */
    uint8_t flags;
    int (*fn)(struct bt_call *call, struct bt_value **ret_value);
    const char *doc; /* A sentence with an example. */
};

struct bt_fn_table {
    const struct bt_fn *rows;
    size_t count;
};

/* The rows, spread over the files that implement them. */
extern const struct bt_fn_table bt_fn_text_filters, bt_fn_code_filters, bt_fn_list_filters,
    bt_fn_number_filters, bt_fn_date_filters, bt_fn_data_filters;
extern const struct bt_fn_table bt_fn_core_functions, bt_fn_world_functions, bt_fn_data_functions,
    bt_fn_date_functions;
extern const struct bt_fn_table bt_fn_tests;

const struct bt_fn *bt_fn_filter(struct bt_str name);
const struct bt_fn *bt_fn_function(struct bt_str name);
const struct bt_fn *bt_fn_test(struct bt_str name);
/* The nearest name of the same kind, or NULL. */
const char *bt_fn_nearest_filter(struct bt_str name);
const char *bt_fn_nearest_function(struct bt_str name);

/* --- Syntax tree ------------------------------------------------------------------------------ */

enum bt_node_kind {
    /* Expressions. */
    BT_NODE_LITERAL,
    BT_NODE_VARIABLE,
    BT_NODE_ATTR,
    BT_NODE_FILTER,
    BT_NODE_TEST,
    BT_NODE_CALL, /* Function or macro. */
    BT_NODE_BLOCK_CALL,
    BT_NODE_PARENT_CALL,
    BT_NODE_UNARY,
    BT_NODE_BINARY,
    BT_NODE_TERNARY,
    BT_NODE_LIST,
    BT_NODE_MAP,
    /* Statements. */
    BT_NODE_TEXT,
    BT_NODE_PRINT,
    BT_NODE_IF,
    BT_NODE_FOR,
    BT_NODE_SET,
    BT_NODE_BLOCK,
    BT_NODE_FILTER_TAG,
};

struct bt_body {
    struct bt_node **items;
    size_t count;
};

struct bt_args {
    struct bt_node **slots; /* By declared position, NULL where absent. */
    size_t count;
    const char *error;      /* Told when the call is reached, or NULL. */
    struct bt_node **given; /* Of a macro call or method: in written order, … */
    struct bt_str *names;   /* … with their names, empty when positional. */
    size_t given_count;
};

struct bt_branch {
    struct bt_node *condition;
    struct bt_body body;
};

struct bt_node {
    uint8_t kind, op;
    bool is_call;       /* ATTR: has an argument list. */
    uint32_t at;        /* Offset in the text. */
    uint32_t depth;     /* Of the tree below. */
    struct bt_str name; /* VARIABLE, CALL, FILTER, TEST, FOR, SET, BLOCK; ATTR: fixed name. */
    const struct bt_fn *fn;
    struct bt_args args;
    union {
        struct bt_value *value; /* LITERAL, TEXT: owned by the template. */
        struct {
            struct bt_node *left, *right, *third; /* ATTR: right is the name's expression. */
        };
        struct { /* LIST, MAP (key, value, key, value …) */
            struct bt_node **items;
            size_t items_count;
        };
        struct { /* IF: a branch without condition is the else. */
            struct bt_branch *branches;
            size_t branches_count;
        };
        struct {                    /* FOR, BLOCK, FILTER_TAG */
            struct bt_node *source; /* FILTER_TAG: the filters applied to a hole. */
            struct bt_body body, other;
        };
    };
};

struct bt_macro {
    struct bt_str name;
    struct bt_str *params;
    struct bt_node **defaults; /* NULL where none. */
    size_t params_count;
    struct bt_body body;
};

struct bt_template {
    atomic_uint refs;
    struct bt_arena arena;
    struct bt_str source; /* As given. */
    struct bt_str text;   /* With raw blocks replaced; offsets are in it. */
    struct bt_body body;
    struct bt_macro *macros;
    size_t macros_count;
    struct bt_node **blocks;
    size_t blocks_count;
    struct bt_str *raws; /* Bodies of the raw blocks. */
    size_t raws_count;
    struct bt_value **values; /* Every literal: owned. */
    size_t values_count, values_cap;
    struct bt_value *literal; /* The text itself, when rendering gives nothing else. */
};

/* Parses template->text. err: line, col and the original's words. */
int bt_expr_parse(struct bt_template *template, struct bt_err *err);
/* Line and column (runes) of an offset, 1-based. */
void bt_expr_place(const struct bt_template *template, uint32_t at, uint32_t *ret_line,
                   uint32_t *ret_col);

/* --- One rendering ---------------------------------------------------------------------------- */

struct bt_local {
    struct bt_str name;
    struct bt_value *value; /* Owned. */
    uint32_t frame;
};

struct bt_alias {
    struct bt_value *from, *to; /* Both owned. */
};

/* What is under way. On the stack of bt_template_render(). */
struct bt_run {
    const struct bt_template *template;
    const struct bt_scope *scope;
    struct bt_err *err;
    struct bt_local *locals;
    size_t locals_count, locals_cap;
    size_t barrier;  /* Locals before it are hidden (inside a macro). */
    uint32_t frame;  /* Of the innermost scope; 0 is the template's own. */
    uint32_t blocks; /* Nested blocks. */
    uint32_t macros; /* Nested macro calls: above 0 the context is hidden. */
    uint32_t depth;  /* Of C recursion. */
    uint32_t rounds; /* Of recursive rendering. */
    uint32_t steps;
    struct bt_alias *aliases; /* Lists that were changed in place: read as their new content. */
    size_t aliases_count, aliases_cap;
    struct bt_rng own_rng;
    /* A name that cannot be found, told only when nothing tolerates it. */
    bool is_missing;
    uint32_t missing_at;
    struct bt_value *missing; /* Owned STRING. */
    /* Inside a macro, a filter tag or block(): values print as texts, not as JSON. */
    bool is_plain;
    /* Typed rendering: the one value. */
    bool is_typed;
    struct bt_value *typed; /* Owned. */
    struct bt_buf out;
};

/* eval.c */
int bt_eval(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value);
/* Finds an attribute of a value. Missing → BT_NOT_FOUND and run->is_missing. */
int bt_eval_attr(struct bt_run *run, const struct bt_node *node, const struct bt_value *object,
                 const struct bt_value *name, struct bt_value **ret_value);
/* A method call: `args` as evaluated. */
int bt_eval_method(struct bt_call *call, const struct bt_value *name, struct bt_value **ret_value);
int bt_eval_binary(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value);
int bt_eval_unary(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value);
int bt_eval_range(struct bt_run *run, const struct bt_value *from, const struct bt_value *to,
                  int64_t step, struct bt_value **ret_value);
/* a op b of two numbers (GT, LT, GE, LE), as the operators do. */
int bt_eval_compare(struct bt_run *run, enum bt_op op, const struct bt_value *a,
                    const struct bt_value *b, bool *ret_is_true);
/* Truth of `and`, `or`, `not`, ternaries: BOOL, numbers, strings. False: another type. */
bool bt_eval_truth(const struct bt_value *value, bool *ret_is_true);
/* The list that stands for this one after changes in place (borrowed). */
const struct bt_value *bt_eval_alias(const struct bt_run *run, const struct bt_value *value);
/* From now on `from` reads as `to` (takes `to`; gives back a reference to it). */
int bt_eval_replace(struct bt_run *run, const struct bt_value *from, struct bt_value *to,
                    struct bt_value **ret_value);
/* Whether the failure may be caught by `??`, `if`, … (not BT_NEED, limits, memory). */
bool bt_eval_is_catchable(int rc);

/* Counts memory that a row makes as steps, so that one budget bounds both. */
static inline void bt_eval_charge(struct bt_run *run, size_t bytes)
{
    size_t steps = bytes / 64;
    run->steps += (uint32_t)(steps < BT_EXPR_STEPS_MAX ? steps : BT_EXPR_STEPS_MAX);
}

/* exec.c */
int bt_exec_body(struct bt_run *run, const struct bt_body *body);
int bt_exec_macro(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value);
int bt_exec_block_call(struct bt_run *run, const struct bt_node *node, struct bt_value **ret_value);
int bt_exec_parent_call(struct bt_run *run, const struct bt_node *node);
struct bt_local *bt_exec_local(struct bt_run *run, struct bt_str name);
int bt_exec_root(struct bt_run *run, struct bt_str name, struct bt_value **ret_value);

/* template.c */
struct bt_template *bt_template_of(struct bt_str text, int *ret_rc, struct bt_err *err);
/* Renders a text again (render(), recursive mode). */
int bt_template_again(struct bt_run *run, struct bt_str text, struct bt_value **ret_text);

/* Failures. `at`: offset in the template. All return the code. */
int bt_raise(struct bt_run *run, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A failure of the original's Java code, told without the engine's words around. */
int bt_raise_java(struct bt_run *run, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Reflection is refused. */
int bt_raise_access(struct bt_run *run, uint32_t at, const char *method);
int bt_raise_cast(struct bt_run *run, uint32_t at, const struct bt_value *value,
                  const char *class_name);
int bt_raise_missing(struct bt_run *run, uint32_t at, struct bt_str name);
int bt_raise_mem(struct bt_run *run);
/* Gives the failure its words, when it is a missing name. */
void bt_raise_settle(struct bt_run *run, int rc);

/* java.c — what the original's runtime would say. */
const char *bt_java_class(const struct bt_value *value);
/* Text of a value as by String.valueOf: [1, 2], {a=1}, null. */
int bt_java_text(const struct bt_value *value, struct bt_buf *out, struct bt_err *err);
int bt_java_double(struct bt_buf *out, double number, bool is_float);
/* Java equality of objects: kinds and flavors must agree. */
bool bt_java_equal(const struct bt_value *a, const struct bt_value *b);
/* Compact JSON the original's way (doubles in Java's form, null entries of maps dropped). */
int bt_java_json(const struct bt_value *value, bool is_pretty, struct bt_buf *out,
                 struct bt_err *err);
int32_t bt_java_hash(struct bt_str text);
/* An entry of the map: a map of one that prints as k=v. */
struct bt_value *bt_java_entry(const struct bt_value *map, size_t index);
/* The map in the order of the original's HashMap of that capacity. Takes the map; owned result. */
enum { BT_HASHMAP_CAPACITY = 16 };
struct bt_value *bt_java_order(struct bt_value *map, size_t capacity);

/* Helpers of the tables. */
bool bt_is_number(const struct bt_value *value);
bool bt_is_collection(const struct bt_value *value); /* List but no array. */
bool bt_is_map(const struct bt_value *value);        /* MAP but no entry and no `loop`. */
bool bt_is_empty(const struct bt_value *value);
/* The text a filter works on: a STRING as is, others by String.valueOf. Owned. */
int bt_call_text(struct bt_call *call, const struct bt_value *value, struct bt_value **ret_text);
/* A STRING value of a finished buffer; frees the buffer. */
int bt_call_take(struct bt_call *call, struct bt_buf *buf, struct bt_value **ret_value);
int bt_call_give(struct bt_call *call, struct bt_value *value, struct bt_value **ret_value);
int bt_call_string(struct bt_call *call, struct bt_str text, struct bt_value **ret_value);
struct bt_value *bt_call_arg(const struct bt_call *call, size_t index); /* NULL: absent. */
/* A text without changes of case or type: the row wants a String, others → cast error. */
int bt_call_input_str(struct bt_call *call, struct bt_str *ret_text);
/* Whether the argument is there and not null. */
bool bt_call_has(const struct bt_call *call, size_t index);
/* An integer argument (Long; other numbers → cast error), `fallback` when absent or null. */
int bt_call_int(struct bt_call *call, size_t index, int64_t fallback, int64_t *ret_number);
/* A text argument: STRING or cast error; BT_STR_NONE when absent or null. */
int bt_call_str(struct bt_call *call, size_t index, struct bt_str *ret_text);
/* Materialises a lazy value; others get a reference. */
int bt_call_force(struct bt_run *run, const struct bt_value *value, struct bt_value **ret_value);

/* Null in, null out: what most filters begin with. */
#define BT_NULL_THROUGH(call, ret_value)                                                           \
    do {                                                                                           \
        if (bt_value_is_null((call)->input)) {                                                     \
            *(ret_value) = bt_value_null();                                                        \
            return BT_OK;                                                                          \
        }                                                                                          \
    } while (0)
