/* exec_file.c — Which files of the internal storage an execution may show. */
#include "service/exec_file.h"

#include "base/own.h"

/* <namespace as path>/<flow>/executions/<id>/… */
static int exec_path(const struct bt_exec *exec, struct bt_buf *out)
{
    for (const char *c = exec->namespace; *c; c++)
        BT_TRY(bt_buf_addc(out, *c == '.' ? '/' : *c));
    return bt_buf_addf(out, "/%s/executions/%s/", exec->flow_id, exec->id.text);
}

/* The execution that a path names, as its first part of that shape. */
static bool find_owner(struct bt_str path, struct bt_str *ret_id)
{
    static const struct bt_str word = {"/executions/", 12};
    ptrdiff_t at = bt_str_find(path, word, 0);
    if (at <= 0)
        return false;
    size_t from = (size_t)at + word.len;
    ptrdiff_t slash = bt_str_find(path, BT_STR("/"), from);
    if (slash < 0)
        return false;
    *ret_id = bt_str_slice(path, from, (size_t)slash);
    return bt_id_is_valid(*ret_id);
}

static struct bt_str last_part(struct bt_str path)
{
    size_t at = path.len;
    while (at && path.at[at - 1] != '/')
        at--;
    return bt_str_slice(path, at, path.len);
}

int bt_service_exec_file(struct bt_service *service, const struct bt_principal *principal,
                         struct bt_exec_file *file, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL, *owner = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf prefix = BT_BUF_INIT(4096);
    struct bt_str path;
    BT_TRY(bt_service_exec(service, principal, file->exec_id, &exec, err));
    BT_TRY(bt_files_path(file->uri, &path, err));
    if (!find_owner(path, &file->owner))
        return bt_fail(err, BT_INVALID, "'%.*s' is no file of an execution", BT_FMT(file->uri));
    bool is_own = bt_str_eq(file->owner, file->exec_id);
    if (!is_own)
        BT_TRY(bt_service_exec(service, principal, file->owner, &owner, err));
    if (exec_path(is_own ? exec : owner, &prefix) < 0)
        return bt_buf_check(&prefix, "path", err);
    if (!bt_str_starts(path, bt_buf_str(&prefix)))
        return bt_fail(err, BT_INVALID, "'%.*s' is no file of an execution", BT_FMT(file->uri));
    file->name = last_part(file->uri);
    return BT_OK;
}
