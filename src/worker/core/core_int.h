/* core_int.h — The tasks, and what they share. Private to the room. */
#pragma once
#include "worker/core/core.h"
#include "worker/core/io.h"

int core_concat(struct bt_core *core, struct bt_err *err);
int core_split(struct bt_core *core, struct bt_err *err);
int core_size(struct bt_core *core, struct bt_err *err);
int core_reverse(struct bt_core *core, struct bt_err *err);
int core_deduplicate(struct bt_core *core, struct bt_err *err);
int core_filter(struct bt_core *core, struct bt_err *err);
int core_delete(struct bt_core *core, struct bt_err *err);
int core_write(struct bt_core *core, struct bt_err *err);
int core_local_files(struct bt_core *core, struct bt_err *err);
int core_purge_execution(struct bt_core *core, struct bt_err *err);
int core_space_upload(struct bt_core *core, struct bt_err *err);
int core_space_download(struct bt_core *core, struct bt_err *err);
int core_space_delete(struct bt_core *core, struct bt_err *err);
int core_log_fetch(struct bt_core *core, struct bt_err *err);
int core_state_set(struct bt_core *core, struct bt_err *err);
int core_state_get(struct bt_core *core, struct bt_err *err);
int core_state_delete(struct bt_core *core, struct bt_err *err);

/* --- Properties, outputs, files: core_util.c ----------------------------------------------------
 */

/* Empty when it was not given. */
struct bt_str core_text(const struct bt_core *core, const char *name);
/* Takes the value. */
int core_put(struct bt_core *core, const char *name, struct bt_value *value, struct bt_err *err);
/* A metric of the task run. */
int core_count(struct bt_core *core, const char *name, size_t count);
/* ".csv" of a URI, as it stands there, else ".tmp". */
struct bt_str core_extension(struct bt_str uri);
/* Opens the file that the property names. */
int core_open(const struct bt_core *core, const char *name, int *ret_fd, struct bt_err *err);
/* The URI of a file of this task run. */
int core_uri(const struct bt_core *core, struct bt_str name, struct bt_buf *out,
             struct bt_err *err);
/* A file of this task run, `name` + `extension`, to write; its URI becomes the output `uri`. */
int core_create(struct bt_core *core, const char *name, struct bt_str extension, struct bt_out *out,
                struct bt_err *err);
/* An unnamed file of the worker's disk. */
int core_temp(const struct bt_core *core, int *ret_fd, struct bt_err *err);

/* --- Rows: rows.c -------------------------------------------------------------------------------
 */

/* An expression that is rendered for each line of a file, with the line's fields as variables. */
struct core_expr {
    struct bt_core *core;
    const struct bt_dyn *dyn;
    const struct bt_value *row; /* Borrowed for one rendering. */
    struct bt_capabilities capabilities;
    struct bt_rng rng;
    struct bt_scope scope;
    uint64_t line; /* How many were read. */
};
/* The property `name` of the task. */
void core_expr_init(struct core_expr *expr, struct bt_core *core, const char *name);
/* The next line that is not blank, and its fields (owned). BT_NOT_FOUND: at the end. */
int core_row_next(struct core_expr *expr, struct bt_rows *rows, struct bt_str *ret_line,
                  struct bt_value **ret_row, struct bt_err *err);
/* Renders to a text. */
int core_expr_render(struct core_expr *expr, const struct bt_value *row, struct bt_value **ret_text,
                     struct bt_err *err);
