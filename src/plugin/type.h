/* type.h — A task type as the registry knows it, from its manifest. */
#pragma once
#include "lang/expr/expr.h"
#include "value/value.h"

/* How the engine runs a type. */
enum bt_exec_kind {
    BT_EXEC_PURE,      /* In the batch, by the engine: log, return, fail, … */
    BT_EXEC_FLOWABLE,  /* By the engine, over its children. */
    BT_EXEC_TIMER,     /* A timer of the engine: sleep. */
    BT_EXEC_NAMESPACE, /* By the actor of a namespace, in the same batch: kv.set, … */
    BT_EXEC_CHILD,     /* An execution of another flow. */
    BT_EXEC_JOB,       /* By a worker. */
    BT_EXEC_TRIGGER,   /* Not a task. */
};

/* The behaviours that the engine itself knows; OTHER is a worker's business. */
enum bt_op {
    BT_OP_OTHER,
    BT_OP_LOG,
    BT_OP_RETURN,
    BT_OP_ECHO,
    BT_OP_OUTPUT_VALUES,
    BT_OP_FAIL,
    BT_OP_ASSERT,
    BT_OP_SET_VARIABLES,
    BT_OP_UNSET_VARIABLES,
    BT_OP_LABELS,
    BT_OP_SLEEP,
    BT_OP_SEQUENTIAL,
    BT_OP_PARALLEL,
    BT_OP_IF,
    BT_OP_SWITCH,
    BT_OP_FOREACH,
    BT_OP_EACH_SEQUENTIAL,
    BT_OP_EACH_PARALLEL,
    BT_OP_ALLOW_FAILURE,
    BT_OP_DAG,
    BT_OP_PAUSE,
    BT_OP_LOOP_UNTIL,
    BT_OP_WORKING_DIRECTORY,
    BT_OP_SUBFLOW,
    BT_OP_SHELL_COMMANDS,
    BT_OP_SHELL_SCRIPT,
    BT_OP_PYTHON_COMMANDS,
    BT_OP_PYTHON_SCRIPT,
    BT_OP_KV_SET,
    BT_OP_KV_GET,
    BT_OP_KV_DELETE,
    BT_OP_KV_KEYS,
    BT_OP_KV_PURGE,
};

/* What a task of a plugin may use; 0 = no limit. */
struct bt_plugin_limits {
    int64_t memory_bytes; /* Of the host process. */
    int64_t cpu_s;        /* Processor time of one task. */
    int64_t tasks;        /* Tasks that one host process runs before it is replaced. */
};

/* Ways to fence a plugin in, as bits. */
enum bt_sandbox {
    BT_SANDBOX_FILES = 1,    /* "files": it writes only beneath its worker's directory. */
    BT_SANDBOX_SYSCALLS = 2, /* "syscalls": none that change the machine or look into others. */
    BT_SANDBOX_SIGNALS = 4,  /* "signals": it signals only processes of its own. */
};
/* The bit of a word; 0: unknown. */
unsigned bt_sandbox_bit(struct bt_str word);

/* A plugin found at run time. Immutable after loading. */
struct bt_plugin_info {
    const char *name, *title, *version;
    const char *dir;    /* Absolute. */
    const char *file;   /* Absolute: the shared object or the executable. */
    bool is_executable; /* Speaks the host protocol as JSON lines over its standard streams. */
    bool is_reused;     /* One process runs task after task. */
    unsigned sandbox;   /* What it asks for: enum bt_sandbox. */
    struct bt_plugin_limits limits;
    const struct bt_value *manifest; /* NULL: it could not be read. */
    const char *problem;             /* Why none of its tasks can run, or NULL. */
};

/* Owned by the registry for the whole life of the program; immutable after loading. */
struct bt_type {
    const char *name;           /* Short: "log", "shell", "foreach". */
    const char *class_name;     /* Kestra's: "io.kestra.plugin.core.log.Log". */
    const char *const *aliases; /* Further accepted names, ended by NULL (may be NULL). */
    const char *title;
    enum bt_exec_kind exec;
    enum bt_op op;
    const struct bt_value
        *schema; /* Properties: {"name": {"type":…, "default":…, "x-dynamic":…}} */
    const struct bt_value *required; /* List of names. */
    const struct bt_value *manifest; /* The whole entry. */
    struct bt_dyn *reach; /* What its runs see besides what their properties name; or NULL. */
    bool is_deprecated;
    const struct bt_plugin_info *plugin; /* NULL: built in. */
};

/* A task runner as a manifest names it: where the process of a script task runs. */
struct bt_runner_type {
    const char *name;           /* "process" */
    const char *class_name;     /* "io.kestra.plugin.core.runner.Process" */
    const char *const *aliases; /* Ended by NULL (may be NULL). */
    bool is_available;          /* False: known, but commands run as processes instead. */
};

/* By short name, class name or alias; NULL when unknown. Any thread. */
const struct bt_type *bt_type_find(struct bt_str name);
/* All types, the built-in ones first, in manifest order. */
const struct bt_type *const *bt_types(size_t *ret_count);
/* The nearest known name for a typo, or NULL. */
const char *bt_type_nearest(struct bt_str name);
/* The properties that every task has, as JSON Schema by name. */
const struct bt_value *bt_type_common(void);
/* A task runner by short name, class name or alias; NULL when unknown. */
const struct bt_runner_type *bt_runner_find(struct bt_str name);

/* --- Plugins beyond the built-in ones --------------------------------------------------------- */

/* Sets who looks for plugins: called once, at the first question that the built-in types do not
 * answer; it calls bt_plugins_add() for each. Before the first question. */
void bt_plugins_set_finder(void (*find)(void *data), void *data);
/* For the finder: a plugin whose plugin.json has this text and stands in `dir`. Whatever is wrong
 * with it becomes its `problem`. `has_file` tells whether the path of its file can be used; NULL:
 * not asked. */
void bt_plugins_add(const char *dir, struct bt_str manifest,
                    bool (*has_file)(const char *path, bool is_executable));
const struct bt_plugin_info *const *bt_plugins(size_t *ret_count);
/* The built-in manifests, for documentation: their number is fixed. */
const struct bt_value *bt_manifest_builtin(size_t index); /* NULL past the last. */
