/* type.h — A task type as the registry knows it, from its manifest. */
#pragma once
#include "value/value.h"

/* How the engine runs a type. */
enum bt_exec_kind {
    BT_EXEC_PURE,     /* In the batch, by the engine: log, return, fail, … */
    BT_EXEC_FLOWABLE, /* By the engine, over its children. */
    BT_EXEC_TIMER,    /* A timer of the engine: sleep. */
    BT_EXEC_JOB,      /* By a worker. */
    BT_EXEC_TRIGGER,  /* Not a task. */
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
    BT_OP_SHELL_COMMANDS,
    BT_OP_SHELL_SCRIPT,
    BT_OP_PYTHON_COMMANDS,
    BT_OP_PYTHON_SCRIPT,
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
    bool is_deprecated;
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
/* All types in manifest order. */
const struct bt_type *const *bt_types(size_t *ret_count);
/* The nearest known name for a typo, or NULL. */
const char *bt_type_nearest(struct bt_str name);
/* The properties that every task has, as JSON Schema by name. */
const struct bt_value *bt_type_common(void);
/* A task runner by short name, class name or alias; NULL when unknown. */
const struct bt_runner_type *bt_runner_find(struct bt_str name);
