/* model_int.h — What the sources that read a flow share. Private to the room.
 *
 * Reading goes over the YAML tree once. Everything wrong is reported at its node and skipped;
 * reading goes on, so that one run tells all. Only running out of memory (parse->rc) ends it early.
 */
#pragma once
#include "lang/yaml/yaml.h"
#include "model/flow.h"

#include <stdatomic.h>

/* A value or compiled property that dies with the flow. */
struct owned {
    struct owned *next;
    struct bt_value *value;
    struct bt_dyn *dyn;
};

/* The flow with what it owns. */
struct flow_box {
    struct bt_flow flow; /* First: a flow's address is its box's. */
    atomic_uint refs;
    struct bt_arena arena;
    struct owned *owned;
    uint32_t *slots; /* Task id → index + 1; open addressing. */
    size_t mask;
};

/* A place in the flow for messages: a chain of names and indexes, innermost first. */
struct place {
    const struct place *up;
    const char *name; /* A property, or NULL: an index. */
    uint32_t index;
    const struct bt_yaml_node *node; /* What to point at. */
    const struct bt_yaml_node *key;  /* Of a property, or NULL. */
    const char *kind, *id;           /* What it is in: task "load"; NULL: the flow itself. */
};

/* What reading remembers of a task beside the task. */
struct task_note {
    const struct bt_yaml_node *map, *id;
};

struct parse {
    struct flow_box *box;
    struct bt_arena *arena;   /* The flow's. */
    struct bt_arena *scratch; /* The YAML tree's; gone after reading. */
    struct bt_str source;
    struct bt_diags *diags;
    struct bt_task *tasks; /* Growing; moves to the arena at the end. */
    struct task_note *notes;
    uint32_t task_count, task_cap;
    const struct bt_yaml_node **output_nodes; /* Values of the flow's outputs, in their order. */
    bool has_set_variables;                   /* Some task makes variables. */
    bool has_unknown_type; /* Some task's type is not known: what it holds was not read. */
    int rc;                /* BT_OK, or BT_NO_MEM: stop. */
};

/* --- report.c --------------------------------------------------------------------------------- */
struct bt_diag *bt_model_error(struct parse *parse, const struct place *place, const char *code,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));
struct bt_diag *bt_model_warn(struct parse *parse, const struct place *place, const char *code,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Sets the hint or the original's words of a diagnostic (NULL: none was kept). */
void bt_diag_hint(struct parse *parse, struct bt_diag *diag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void bt_diag_original(struct parse *parse, struct bt_diag *diag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The original says it of the flow as a whole, not of the property. */
void bt_diag_of_flow(struct bt_diag *diag);
struct place bt_place_in(const struct place *up, const char *name, const struct bt_yaml_node *node);
struct place bt_place_at(const struct place *up, uint32_t index, const struct bt_yaml_node *node);
struct place bt_place_pair(const struct place *up, const char *name,
                           const struct bt_yaml_pair *pair);
/* The same place, pointing at the property's name instead of its value. */
struct place bt_place_key(const struct place *place);

/* --- own.c ------------------------------------------------------------------------------------ */
void *bt_model_alloc(struct parse *parse, size_t size); /* Of the flow; NULL sets rc. */
const char *bt_model_cstr(struct parse *parse, struct bt_str text);
struct bt_value *bt_model_keep(struct parse *parse, struct bt_value *value); /* Takes. */
struct bt_dyn *bt_model_keep_dyn(struct parse *parse, struct bt_dyn *dyn);   /* Takes. */
void bt_flow_box_free(struct flow_box *box);

/* --- schema.c --------------------------------------------------------------------------------- */
/* Checks a node against a property's schema and gives its value (texts where the schema wants
 * text), owned by the caller; NULL when something was reported. */
struct bt_value *bt_schema_value(struct parse *parse, const struct bt_value *schema,
                                 const struct place *place);
bool bt_has_expression(struct bt_str text);

/* --- read.c: one property of a simple kind; NULL or the default when it was reported ---------- */
bool bt_read_bool(struct parse *parse, const struct place *place, bool otherwise);
const char *bt_read_text(struct parse *parse, const struct place *place);
bool bt_read_int(struct parse *parse, const struct place *place, int64_t *ret_number);
int64_t bt_read_duration_us(struct parse *parse, const struct place *place); /* 0: reported. */
struct bt_dyn *bt_read_dyn(struct parse *parse, const struct place *place,
                           const struct bt_value *value); /* Borrows the value. */
struct bt_dyn *bt_read_dyn_text(struct parse *parse, const struct place *place);
struct bt_dyn *bt_read_dyn_duration(struct parse *parse, const struct place *place);
bool bt_read_is_map(struct parse *parse, const struct place *place);
bool bt_read_is_list(struct parse *parse, const struct place *place);
/* Reports a property that nobody knows; `known` are the names that might be meant. */
void bt_read_unknown(struct parse *parse, const struct place *place, const char *class_name,
                     const char *const *known, size_t known_count);

/* --- expression_words.c ----------------------------------------------------------------------- */
/* Puts the words of a syntax error of an expression into plain ones; adds a hint where one helps.
 */
void bt_expression_words(struct bt_err *err);

/* --- check_lists.c ---------------------------------------------------------------------------- */
/* A Switch has a task somewhere. */
void bt_model_check_switch(struct parse *parse, const struct place *place,
                           const struct bt_task_list *lists, uint32_t count);
/* What runs in a directory runs itself: it holds no tasks and starts no flow. */
void bt_model_check_runnable(struct parse *parse, const struct place *place,
                             const struct bt_task_list *lists, uint32_t count);

/* --- the parts of a flow ---------------------------------------------------------------------- */
void bt_model_retry(struct parse *parse, const struct place *place, struct bt_retry *ret_retry);
/* {key, tags, fallback}: the workers that may run the task. */
void bt_model_worker_group(struct parse *parse, const struct place *place, struct bt_task *task);
void bt_model_labels(struct parse *parse, const struct place *place);
void bt_model_inputs(struct parse *parse, const struct place *place);
/* A list of inputs; untouched when it is none. */
void bt_model_input_set(struct parse *parse, const struct place *place,
                        struct bt_input_set *ret_set);
void bt_model_outputs(struct parse *parse, const struct place *place);
bool bt_model_input_type(struct parse *parse, const struct place *place,
                         enum bt_input_type *ret_type);
/* Checks an id against the pattern of tasks (no dots) or inputs (dots); NULL when reported. */
enum id_kind { ID_FLOW, ID_NAMESPACE, ID_TASK, ID_INPUT };
const char *bt_read_id(struct parse *parse, const struct place *place, enum id_kind kind);

/* Checks what an input's type asks of its other properties. */
void bt_model_input_spec(struct parse *parse, const struct place *place,
                         const struct bt_input *input);

/* Reads `dependsOn` of all inputs and gives an order to resolve them in. `nodes` are their maps. */
const uint32_t *bt_model_depends(struct parse *parse, const struct place *list,
                                 struct bt_input *inputs, const struct bt_yaml_node **nodes,
                                 uint32_t count);

/* Where a list of tasks hangs. */
struct branch_spec {
    enum bt_branch branch;
    struct bt_str key;
    uint32_t parent; /* Index of a task or BT_NO_TASK. */
    uint32_t list;   /* Index of the list there. */
    uint32_t iterations, depth;
};
/* One task; its index, or BT_NO_TASK when there is none to keep. */
uint32_t bt_model_task(struct parse *parse, const struct place *at, const struct branch_spec *spec,
                       uint32_t place_index);
/* The children of a Dag: a list of {task, dependsOn}. `dag` is the Dag's own place. */
void bt_model_dag(struct parse *parse, const struct place *list, const struct place *dag,
                  const struct branch_spec *spec, struct bt_task_list *ret_list);
void bt_model_task_list(struct parse *parse, const struct place *place,
                        const struct branch_spec *spec, struct bt_task_list *ret_list);
/* A list of the flow itself. `conditions` (borrowed, the flow's) may be NULL. */
void bt_model_flow_list(struct parse *parse, const struct place *place, enum bt_branch branch,
                        const struct bt_value *conditions);

/* --- checks over the whole flow --------------------------------------------------------------- */
void bt_check_task_ids(struct parse *parse);
/* Ids of the items of a list (inputs, outputs, triggers); `what` for messages: "input". */
void bt_check_list_ids(struct parse *parse, const struct place *list, const char *what);
/* Expressions that name tasks, inputs or variables that do not exist: warnings. */
void bt_check_references(struct parse *parse);
/* The flow's properties that later versions act on; here their shape is checked. */
void bt_model_triggers(struct parse *parse, const struct place *place);
void bt_model_concurrency(struct parse *parse, const struct place *place);
void bt_model_listeners(struct parse *parse, const struct place *place);
void bt_model_later_list(struct parse *parse, const struct place *place);
/* Applies `pluginDefaults` to the tree; reports wrong ones. */
void bt_apply_defaults(struct parse *parse, struct bt_yaml_node *root);
