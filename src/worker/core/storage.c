/* storage.c — Tasks on whole files: storage.concat, size, delete, write, purge_execution. */
#include "base/limits.h"
#include "sys/fs.h"
#include "value/json.h"
#include "worker/core/core_int.h"
#include "worker/reader.h"

/* The folder of an execution in which outputs stand that were too large for their row. */
#define KEPT_FOLDER "outputs"

/* --- Concat ----------------------------------------------------------------------------------- */

/* What the original's runtime calls it. */
static const char *class_of(const struct bt_value *value)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_BOOL: return "class java.lang.Boolean";
    case BT_KIND_INT: return "class java.lang.Integer";
    case BT_KIND_DOUBLE: return "class java.lang.Double";
    case BT_KIND_DECIMAL: return "class java.math.BigDecimal";
    case BT_KIND_STRING: return "class java.lang.String";
    case BT_KIND_LIST: return "class java.util.ArrayList";
    case BT_KIND_MAP:
    case BT_KIND_LAZY: return "class java.util.LinkedHashMap";
    case BT_KIND_NULL: break;
    }
    return "null";
}

/* A list, or its JSON text. */
static int list_of_files(const struct bt_core *core, struct bt_value **ret_list, struct bt_err *err)
{
    const struct bt_value *files = bt_map_gets(core->props, "files");
    BT_VALUE list = bt_value_ref(files);
    if (bt_value_is(files, BT_KIND_STRING)) {
        list = bt_value_unref(list);
        int rc = bt_json_parse(bt_value_str(files), NULL, &list, err);
        if (rc < 0)
            return bt_err_prefix(err, "files");
    }
    if (!bt_value_is(list, BT_KIND_LIST))
        return bt_fail(err, BT_INVALID, "Invalid `files` properties with type '%s'",
                       class_of(list));
    *ret_list = BT_TAKE(list);
    return BT_OK;
}

static int concat_one(struct bt_core *core, const struct bt_value *file, struct bt_out *out,
                      struct bt_err *err)
{
    BT_FD fd = -1;
    struct bt_str uri = bt_str_trim(bt_value_str(file));
    if (!bt_value_is(file, BT_KIND_STRING))
        return bt_fail(err, BT_INVALID, "files: must be URIs of the internal storage");
    int rc = bt_files_open(core->files, core->job->tenant, uri, &fd, err);
    if (rc < 0)
        return bt_err_prefix(err, "files");
    BT_TRY(bt_out_copy(out, fd, err));
    return bt_out_add(out, core_text(core, "separator"), err);
}

int core_concat(struct bt_core *core, struct bt_err *err)
{
    BT_VALUE list = NULL;
    BT_CLEANUP(bt_out_done) struct bt_out out = {0};
    BT_TRY(list_of_files(core, &list, err));
    BT_TRY(core_create(core, "concat", core_text(core, "extension"), &out, err));
    for (size_t i = 0; i < bt_value_count(list); i++)
        BT_TRY(concat_one(core, bt_list_at(list, i), &out, err));
    return bt_out_commit(&out, err);
}

/* --- Size, write ------------------------------------------------------------------------------ */

int core_size(struct bt_core *core, struct bt_err *err)
{
    int64_t size_bytes = 0;
    struct bt_str uri = bt_str_trim(core_text(core, "uri"));
    BT_TRY(bt_files_size(core->files, core->job->tenant, uri, &size_bytes, err));
    return core_put(core, "size", bt_value_int(size_bytes), err);
}

int core_write(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(bt_out_done) struct bt_out out = {0};
    struct bt_str extension = core_text(core, "extension");
    BT_TRY(core_create(core, "write", extension.len ? extension : BT_STR(".tmp"), &out, err));
    BT_TRY(bt_out_add(&out, core_text(core, "content"), err));
    return bt_out_commit(&out, err);
}

/* --- Delete ----------------------------------------------------------------------------------- */

/* False: there is no such file. One of a stranger's execution stays. */
static int delete_file(const struct bt_core *core, struct bt_str uri, bool *ret_is,
                       struct bt_err *err)
{
    int64_t size_bytes;
    int rc = bt_files_size(core->files, core->job->tenant, uri, &size_bytes, err);
    if (rc == BT_OK)
        rc = bt_reader_owns(core->job, uri, "delete", err);
    if (rc == BT_OK)
        rc = bt_files_delete(core->files, core->job->tenant, uri, err);
    *ret_is = rc == BT_OK;
    return rc == BT_NOT_FOUND ? BT_OK : rc;
}

int core_delete(struct bt_core *core, struct bt_err *err)
{
    bool is_deleted = false;
    struct bt_str uri = bt_str_trim(core_text(core, "uri"));
    BT_TRY(delete_file(core, uri, &is_deleted, err));
    if (!is_deleted && bt_value_as_bool(bt_map_gets(core->props, "errorOnMissing")))
        return bt_fail(err, BT_NOT_FOUND, "Unable to find file '%.*s'", BT_FMT(uri));
    BT_TRY(core_put(core, "uri", bt_value_string(uri), err));
    return core_put(core, "deleted", bt_value_bool(is_deleted), err);
}

/* --- Purge ------------------------------------------------------------------------------------ */

static int note_uri(void *data, struct bt_str uri)
{
    struct bt_value *uris = data;
    return bt_value_count(uris) < BT_PURGED_URIS_MAX ? bt_list_push(uris, bt_value_string(uri))
                                                     : BT_OK;
}

int core_purge_execution(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(2 * BT_PATH_BYTES_MAX);
    BT_VALUE uris = bt_list_new(16);
    (void)bt_job_path(core->job, &path); /* Checked with the next. */
    BT_TRY(bt_buf_check(&path, "path", err));
    if (!uris || bt_files_uri(bt_buf_str(&path), &uri) < 0)
        return bt_fail_mem(err, "files of the execution");
    struct bt_files_walk walk = {bt_buf_str(&uri), KEPT_FOLDER, note_uri, uris};
    BT_TRY(bt_files_purge(core->files, core->job->tenant, &walk, err));
    return core_put(core, "uris", BT_TAKE(uris), err);
}
