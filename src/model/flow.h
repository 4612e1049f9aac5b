/* flow.h — A flow as the engine and the workers see it: checked, flattened, expressions compiled.
 *
 * A flow revision is immutable and shared by count; any thread may read it. Tasks stand in one
 * array in source order (pre-order); groups name their children by index. */
#pragma once
#include "base/diag.h"
#include "lang/expr/expr.h"
#include "plugin/type.h"
#include "value/value.h"

/* Lists of children that a flowable (or the flow itself) has. */
enum bt_branch {
    BT_BRANCH_TASKS, /* `tasks`; of an If: `then`. */
    BT_BRANCH_ELSE,
    BT_BRANCH_CASE, /* `key` says which. */
    BT_BRANCH_DEFAULTS,
    BT_BRANCH_ERRORS,
    BT_BRANCH_FINALLY,
    BT_BRANCH_AFTER,    /* Of the flow: `afterExecution`. */
    BT_BRANCH_LISTENER, /* Of the flow: the tasks of one listener. */
};

struct bt_task_list {
    enum bt_branch branch;
    struct bt_str key;                 /* Of a CASE. */
    const struct bt_value *conditions; /* Of a LISTENER: all must hold; a LIST or NULL. */
    const uint32_t *tasks;             /* Indexes into the flow's tasks. */
    uint32_t count;
};

enum bt_retry_kind { BT_RETRY_NONE, BT_RETRY_CONSTANT, BT_RETRY_EXPONENTIAL, BT_RETRY_RANDOM };

struct bt_retry {
    enum bt_retry_kind kind;
    uint32_t attempts_max;   /* In total, the first one counted; 0 = no limit. */
    int64_t duration_max_us; /* From the first attempt's start; 0 = no limit. */
    int64_t interval_us;     /* CONSTANT, EXPONENTIAL; RANDOM: the least. */
    int64_t interval_max_us; /* EXPONENTIAL, RANDOM. */
    double delay_factor;     /* EXPONENTIAL. */
    bool is_warning;         /* warningOnRetry */
    bool is_new_execution;   /* behavior: CREATE_NEW_EXECUTION */
};

struct bt_prop {
    const char *name;
    struct bt_dyn *value;
};

enum { BT_NO_TASK = 0xFFFFFFFFu };

/* What becomes of a task when no worker is such as its workerGroup asks for. */
enum bt_fallback { BT_FALLBACK_WAIT, BT_FALLBACK_FAIL, BT_FALLBACK_CANCEL, BT_FALLBACK_IGNORE };

struct bt_task {
    uint32_t index;
    uint32_t parent;       /* Index of the enclosing flowable, or BT_NO_TASK. */
    enum bt_branch branch; /* The list it stands in. */
    uint32_t list;         /* Index of that list in the parent's (or flow's) lists. */
    uint32_t place;        /* Index in that list. */
    uint32_t iterations;   /* Number of enclosing each-flowables (not itself). */
    const char *id;
    const struct bt_type *type;
    struct bt_mark at;
    bool is_disabled, allow_failure, allow_warning;
    bool is_after; /* It runs when the execution has ended: of AFTER or LISTENER, at any depth. */
    struct bt_dyn *run_if;  /* NULL: always. */
    struct bt_dyn *timeout; /* NULL: none. Renders to an ISO-8601 duration. */
    struct bt_retry retry;
    const char *log_level;       /* Least level kept, or NULL. */
    const char *worker_group;    /* Key of its workers; NULL: those without a group. */
    const char *worker_tags;     /* "a,b": all of them the worker must have; NULL: none. */
    enum bt_fallback fallback;   /* When there is no such worker. */
    bool is_once;                /* retryOnWorkerLoss: false: a lost attempt fails the task run. */
    uint32_t concurrent;         /* concurrent, concurrencyLimit; 0 = no limit. */
    const struct bt_prop *props; /* The type's own properties, compiled. */
    uint32_t prop_count;
    const uint32_t *depends_on; /* Of a child of a Dag: places in its list. */
    uint32_t depends_count;
    const struct bt_task_list *lists; /* Of a flowable. */
    uint32_t list_count;
    const struct bt_input_set *on_resume; /* Of a Pause; NULL: it asks for nothing. */
};

enum bt_input_type {
    BT_INPUT_STRING,
    BT_INPUT_INT,
    BT_INPUT_FLOAT,
    BT_INPUT_BOOLEAN,
    BT_INPUT_SELECT,
    BT_INPUT_MULTISELECT,
    BT_INPUT_JSON,
    BT_INPUT_YAML,
    BT_INPUT_DATETIME,
    BT_INPUT_DATE,
    BT_INPUT_TIME,
    BT_INPUT_DURATION,
    BT_INPUT_FILE,
    BT_INPUT_ARRAY,
    BT_INPUT_URI,
    BT_INPUT_EMAIL,
    BT_INPUT_SECRET,
    BT_INPUT_ENUM,
};

struct bt_input {
    const char *id;
    enum bt_input_type type;
    bool is_required;
    const struct bt_value *defaults; /* NULL: none. */
    const struct bt_value *spec;     /* The whole map as written: values, min, max, validator … */
    struct bt_mark at;
    const uint32_t *depends_on; /* Indexes of the inputs that this one waits for. */
    uint32_t depends_count;
    struct bt_dyn *condition;  /* dependsOn.condition: the input exists only when true; or NULL. */
    struct bt_dyn *expression; /* SELECT, MULTISELECT: renders to the list of values; or NULL. */
};

/* Inputs that are resolved together. */
struct bt_input_set {
    const struct bt_input *items;
    uint32_t count;
    const uint32_t *order; /* Indexes, each behind those that its input depends on. */
};

struct bt_output {
    const char *id;
    enum bt_input_type type;
    struct bt_dyn *value;
    bool is_required;
};

/* What becomes of an execution when as many of its flow run as may. */
enum bt_overflow { BT_OVERFLOW_QUEUE, BT_OVERFLOW_CANCEL, BT_OVERFLOW_FAIL };

struct bt_flow {
    const char *id, *namespace;
    uint32_t revision; /* 0 until stored. */
    bool is_disabled;
    const char *description;          /* Or "". */
    const struct bt_value *labels;    /* Map of text, or NULL. */
    const struct bt_value *variables; /* Map, un-rendered, or NULL. */
    const struct bt_input *inputs;
    uint32_t input_count;
    const uint32_t *input_order; /* Indexes of the inputs, each behind those it depends on. */
    const struct bt_output *outputs;
    uint32_t output_count;
    const struct bt_task *tasks;
    uint32_t task_count;
    const struct bt_task_list *lists; /* The flow's own: TASKS, ERRORS. */
    uint32_t list_count;
    struct bt_retry retry;
    int64_t timeout_us;   /* Of the execution; 0 = none. */
    uint32_t concurrency; /* Executions that may run at once; 0 = no limit. */
    enum bt_overflow overflow;
    struct bt_str source;        /* The text as given. */
    const struct bt_value *tree; /* The whole source as a value (for API and storing). */
};

/* Reads, checks and compiles one flow. All that is wrong goes to *diags; returns BT_INVALID when
 * any of it is an error. `name` is the file's name for messages. */
int bt_flow_parse(struct bt_str source, struct bt_flow **ret_flow, struct bt_diags *diags);
struct bt_flow *bt_flow_ref(const struct bt_flow *flow);
struct bt_flow *bt_flow_unref(struct bt_flow *flow); /* Accepts and returns NULL. Any thread. */
BT_CLEANUP_DEFINE(bt_flow_unref, struct bt_flow)

/* Whether a branch runs only after something else: errors, finally, and what comes after the end.
 */
static inline bool bt_branch_is_beside(enum bt_branch branch)
{
    return branch >= BT_BRANCH_ERRORS;
}
/* Whether the children of a task carry iteration values. */
static inline bool bt_task_is_each(const struct bt_task *task)
{
    enum bt_op op = task->type->op;
    return op == BT_OP_FOREACH || op == BT_OP_EACH_SEQUENTIAL || op == BT_OP_EACH_PARALLEL;
}
/* Whether each task of its list is a lane of its own. */
static inline bool bt_task_is_wide(const struct bt_task *task)
{
    enum bt_op op = task->type->op;
    return op == BT_OP_PARALLEL || op == BT_OP_EACH_PARALLEL || op == BT_OP_DAG;
}
/* The compiled property, or NULL when the task does not have it. */
const struct bt_dyn *bt_task_prop(const struct bt_task *task, const char *name);
/* The list of a branch, or NULL. For BT_BRANCH_CASE by key. */
const struct bt_task_list *bt_lists_find(const struct bt_task_list *lists, uint32_t count,
                                         enum bt_branch branch, struct bt_str key);
/* The task with this id, or NULL. O(1). */
const struct bt_task *bt_flow_task(const struct bt_flow *flow, struct bt_str id);

/* The inputs of the flow itself. */
static inline struct bt_input_set bt_flow_inputs(const struct bt_flow *flow)
{
    return (struct bt_input_set){flow->inputs, flow->input_count, flow->input_order};
}
/* The input with this id, or NULL. */
const struct bt_input *bt_inputs_find(const struct bt_input_set *set, struct bt_str id);

/* What inputs are given to. Borrowed. */
struct bt_input_request {
    const struct bt_flow *flow;   /* Conditions see its names. */
    struct bt_input_set set;      /* Its inputs, or those of one of its tasks. */
    const struct bt_value *given; /* Map by input id, of texts or native values; or NULL. */
};
/* Checks the given values and gives those of the execution: defaults filled in, types converted,
 * dotted ids nested. The message names the first wrong input. FILE inputs hold a URI. */
int bt_inputs_resolve(const struct bt_input_request *request, struct bt_value **ret_inputs,
                      struct bt_err *err);
/* What each input would be, in the set's order, with all that is wrong. Borrows to `each`. */
struct bt_input_check {
    const struct bt_input *input;
    const struct bt_value *value; /* NULL: none. */
    bool is_enabled;              /* Its condition holds. */
    const char *error;            /* NULL: it is right. */
};
struct bt_input_sink {
    int (*each)(void *data, const struct bt_input_check *check);
    void *data;
};
int bt_inputs_check(const struct bt_input_request *request, const struct bt_input_sink *sink,
                    struct bt_err *err);
/* Puts a value under a dotted name: "a.b" → {"a": {"b": value}}. Takes the value. */
int bt_map_put_dotted(struct bt_value *map, struct bt_str name, struct bt_value *value);
/* Converts one rendered value to an input/output type (text → INT …). */
int bt_input_convert(enum bt_input_type type, const struct bt_value *spec,
                     const struct bt_value *value, struct bt_value **ret_value, struct bt_err *err);

/* "STRING", "INT", … */
const char *bt_input_type_name(enum bt_input_type type);
bool bt_input_type_parse(struct bt_str text, enum bt_input_type *ret_type);

/* An ISO-8601 date and time with a zone. Microseconds since 1970. */
bool bt_instant_parse(struct bt_str text, int64_t *ret_us);
/* ISO-8601 durations: "PT1H30M", "P1D". Microseconds. BT_INVALID with a hint. */
int bt_duration_parse(struct bt_str text, int64_t *ret_us, struct bt_err *err);
