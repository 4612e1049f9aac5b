/* plugin.h — The plugin ABI of Baton: the only header that a plugin includes.
 *
 * A plugin is a shared object with one exported function, bt_plugin_entry(), and a plugin.json
 * beside it that describes its types (properties as JSON Schema, outputs, docs, examples). It runs
 * in a host process of the worker, one task at a time; it calls Baton only through the table
 * `struct bt_host_api`. What a plugin leaks, crashes or hangs ends with its process, not with the
 * server.
 *
 * Rules
 * - Texts are UTF-8 with a length; those that Baton gives stay valid until the callback returns.
 * - Whoever allocates frees: handles are closed with the function of the table that belongs to
 * them.
 * - `run` and `poll` are called on the host's main thread. `kill` is called on another thread while
 *   they run: it must return at once (set a flag, shut a socket down); a process that does not end
 *   within the grace time is killed.
 * - No exit(), signal handlers, or longjmp across the border. Standard output and error are
 * captured as log lines (DEBUG and ERROR).
 * - Structs only grow at their end; meanings never change. `size` says how much of a struct the
 * other side knows.
 * - Result codes: BT_PLUGIN_OK or one of enum bt_plugin_code; a failing task says why with fail().
 */
#ifndef BATON_PLUGIN_H
#define BATON_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a change would break plugins built before. A plugin with another number is refused. */
#define BT_PLUGIN_ABI 1u

enum bt_plugin_code {
    BT_PLUGIN_OK = 0,
    BT_PLUGIN_FAILED = -1,    /* The task fails; fail() said why. */
    BT_PLUGIN_KILLED = -2,    /* It stopped because kill() was called. */
    BT_PLUGIN_NOT_FOUND = -3, /* A property, file or key does not exist. */
    BT_PLUGIN_LIMIT = -4,     /* Something is larger than Baton allows. */
    BT_PLUGIN_IO = -5,        /* Baton could not read or write. */
};

enum bt_plugin_level {
    BT_PLUGIN_TRACE = 0,
    BT_PLUGIN_DEBUG = 1,
    BT_PLUGIN_INFO = 2,
    BT_PLUGIN_WARN = 3,
    BT_PLUGIN_ERROR = 4,
};

struct bt_run;    /* One attempt of a task, or one evaluation of a trigger. Opaque. */
struct bt_reader; /* An open file of the internal storage. Opaque. */
struct bt_writer; /* A file being made; it appears whole at commit, or never. Opaque. */

/* A text or bytes with a length; `at` is also ended by NUL. */
struct bt_text {
    const char *at; /* NULL: absent. */
    size_t len;
};

/* A property that was rendered late. */
struct bt_rendered {
    struct bt_text json; /* Its value; {NULL, 0}: null. */
    int is_true;         /* Whether it counts as true: not "", "false", "0" or null. */
};

struct bt_host_api {
    uint32_t abi;  /* BT_PLUGIN_ABI of Baton. */
    uint32_t size; /* sizeof(struct bt_host_api) of Baton. */

    /* --- Properties: rendered, checked against plugin.json, defaults filled in -----------------
     */

    /* The whole property as JSON text; absent or null gives {NULL, 0}. "a.b" reaches into maps. */
    struct bt_text (*prop_json)(struct bt_run *run, const char *path);
    /* A text (numbers and booleans as their text; maps and lists as JSON). */
    struct bt_text (*prop_text)(struct bt_run *run, const char *path);
    int64_t (*prop_int)(struct bt_run *run, const char *path, int64_t absent);
    double (*prop_double)(struct bt_run *run, const char *path, double absent);
    int (*prop_bool)(struct bt_run *run, const char *path, int absent); /* 0 or 1. */
    /* ISO-8601 duration ("PT1M30S") in microseconds. */
    int64_t (*prop_duration_us)(struct bt_run *run, const char *path, int64_t absent);
    /* Entries of a map or items of a list: number of them, and the index-th as key and JSON text.
     */
    size_t (*prop_count)(struct bt_run *run, const char *path);
    int (*prop_at)(struct bt_run *run, const char *path, size_t index, struct bt_text *ret_key,
                   struct bt_text *ret_json);

    /* --- Results
     * ---------------------------------------------------------------------------------- */

    /* Sets an output; a later one of the same name replaces it. The JSON text is checked. */
    int (*output_json)(struct bt_run *run, const char *name, const char *json, size_t len);
    int (*output_text)(struct bt_run *run, const char *name, const char *text, size_t len);
    int (*output_int)(struct bt_run *run, const char *name, int64_t number);
    void (*log)(struct bt_run *run, enum bt_plugin_level level, const char *text, size_t len);
    /* type: "counter" or "timer" (seconds); tags: a JSON map of texts, or NULL. */
    void (*metric)(struct bt_run *run, const char *name, const char *type, double value,
                   const char *tags_json);
    /* Keeps the reason and returns BT_PLUGIN_FAILED: `return host->fail(run, "…", …);` */
    int (*fail)(struct bt_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
    /* 1 when kill() was called or the time is over: long loops ask now and then. */
    int (*is_killed)(struct bt_run *run);

    /* --- Files of the internal storage
     * -------------------------------------------------------------- */

    int (*file_open)(struct bt_run *run, const char *uri, struct bt_reader **ret_reader);
    /* Bytes read, 0 at the end, negative on failure. */
    ptrdiff_t (*file_read)(struct bt_reader *reader, void *at, size_t len);
    int64_t (*file_size)(struct bt_reader *reader);
    void (*file_close)(struct bt_reader *reader);
    /* A new file of this task run with this name. */
    int (*file_create)(struct bt_run *run, const char *name, struct bt_writer **ret_writer);
    int (*file_write)(struct bt_writer *writer, const void *at, size_t len);
    /* Ends the file; *ret_uri is valid until the callback returns. */
    int (*file_commit)(struct bt_writer *writer, struct bt_text *ret_uri);
    void (*file_abort)(struct bt_writer *writer);

    /* --- Row files: one JSON value a line
     * ------------------------------------------------------------ */

    /* The next row as JSON text (valid until the next call): BT_PLUGIN_OK, BT_PLUGIN_NOT_FOUND at
     * the end. Reads JSON Lines and the original's Ion text. */
    int (*row_next)(struct bt_reader *reader, struct bt_text *ret_json);
    int (*row_add)(struct bt_writer *writer, const char *json, size_t len);

    /* A directory of this attempt alone; removed when it has ended. */
    const char *(*work_dir)(struct bt_run *run);

    /* --- Triggers
     * -------------------------------------------------------------------------------------- */

    /* An execution is to start with these variables (`trigger.*`, a JSON map). `id` identifies the
     * event: the same id twice starts one execution; NULL: every call is an event of its own. At
     * most once per poll for most triggers. */
    int (*emit)(struct bt_run *run, const char *variables_json, size_t len, const char *id);
    /* The trigger's own state, kept with the execution it creates: JSON text, absent at first. */
    struct bt_text (*state_get)(struct bt_run *run);
    int (*state_set)(struct bt_run *run, const char *json, size_t len);
    /* Realtime triggers: blocks until the emitted events are durable (then acknowledge them). */
    int (*flush)(struct bt_run *run);

    /* --- Names
     * --------------------------------------------------------------------------------------------
     */

    /* "tenant", "namespace", "flowId", "executionId", "taskId", "taskRunId", "attempt". */
    struct bt_text (*info)(struct bt_run *run, const char *name);

    /* --- Questions to Baton (each waits for the answer) ------------------------------------------
     */

    /* Renders a property that plugin.json marks `x-late`: not before the run, but as often as the
     * plugin asks, with these variables (a JSON map, or NULL) above those of the flow. A condition
     * for each response or row. BT_PLUGIN_NOT_FOUND: there is no such property. */
    int (*render)(struct bt_run *run, const char *name, const char *variables_json, size_t len,
                  struct bt_rendered *ret_rendered);
    /* The text encrypted with Baton's key, as JSON for an output or a variable of an event; it is
     * decrypted where the flow uses it. Fails when Baton has no key. */
    int (*encrypt)(struct bt_run *run, const char *text, size_t len, struct bt_text *ret_json);
};

/* A task type. */
struct bt_task_def {
    uint32_t size;    /* sizeof(struct bt_task_def). */
    const char *type; /* Its name in plugin.json: "http.request". */
    int (*run)(const struct bt_host_api *host, struct bt_run *run);
    void (*kill)(struct bt_run *run); /* May be NULL: then the process is killed. */
};

/* A trigger type. Polling: `poll` looks once and emits zero or more events. Realtime: `listen`
 * emits events until killed. One of the two is NULL. */
struct bt_trigger_def {
    uint32_t size;
    const char *type;
    int (*poll)(const struct bt_host_api *host, struct bt_run *run);
    int (*listen)(const struct bt_host_api *host, struct bt_run *run);
    void (*kill)(struct bt_run *run);
};

struct bt_plugin {
    uint32_t abi;                           /* BT_PLUGIN_ABI that the plugin was built with. */
    uint32_t size;                          /* sizeof(struct bt_plugin). */
    const char *name;                       /* "http" */
    const char *version;                    /* "1.0.0" */
    const struct bt_task_def *const *tasks; /* Ended by NULL; may be NULL. */
    const struct bt_trigger_def *const *triggers; /* Ended by NULL; may be NULL. */
    /* Called once after loading, before the first task; BT_PLUGIN_OK or the plugin is refused. May
     * be NULL. */
    int (*init)(const struct bt_host_api *host);
};

#define BT_PLUGIN_EXPORT __attribute__((visibility("default")))

/* The one exported symbol. */
BT_PLUGIN_EXPORT const struct bt_plugin *bt_plugin_entry(void);

#ifdef __cplusplus
}
#endif

#endif
