/* context.c — Lazy objects whose members are fetched by path. */
#include "worker/context.h"

#include <stdlib.h>

static const char *const roots[] = {"outputs", "tasks"};

/* A branch: a path that has more below it. */
struct branch {
    const struct bt_job *job;
    struct bt_value *path; /* Owned list. */
};

static const struct bt_lazy_ops branch_ops;

/* Takes the path. */
static int make_branch(const struct bt_job *job, struct bt_value *path, struct bt_value **ret_value,
                       struct bt_err *err)
{
    struct branch *branch = path ? malloc(sizeof *branch) : NULL;
    if (!branch) {
        bt_value_unref(path);
        return bt_fail_mem(err, "variables");
    }
    *branch = (struct branch){job, path};
    *ret_value = bt_value_lazy(&branch_ops, branch);
    return *ret_value ? BT_OK : bt_fail_mem(err, "variables");
}

static int fetch(const struct branch *branch, const struct bt_value *path, bool is_whole,
                 struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_fetcher *fetcher = branch->job->fetcher;
    struct bt_fetch_request request = {branch->job, path, is_whole};
    return fetcher->fetch(fetcher->data, &request, ret_value, err);
}

static int branch_get(void *data, struct bt_str key, struct bt_value **ret_value,
                      struct bt_err *err)
{
    const struct branch *branch = data;
    BT_VALUE path = bt_value_copy(branch->path), *value = NULL;
    if (!path || bt_list_push(path, bt_value_string(key)) < 0)
        return bt_fail_mem(err, "variables");
    BT_TRY(fetch(branch, path, false, &value, err));
    if (!value)
        return make_branch(branch->job, BT_TAKE(path), ret_value, err);
    *ret_value = BT_TAKE(value);
    return BT_OK;
}

static int branch_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    const struct branch *branch = data;
    return fetch(branch, branch->path, true, ret_map, err);
}

static void branch_done(void *data)
{
    struct branch *branch = data;
    bt_value_unref(branch->path);
    free(branch);
}

static const struct bt_lazy_ops branch_ops = {branch_get, branch_all, branch_done};

static int make_root(const struct bt_job *job, const char *name, struct bt_value **ret_value,
                     struct bt_err *err)
{
    BT_VALUE path = bt_list_new(1);
    if (!path || bt_list_push(path, bt_value_cstr(name)) < 0)
        return bt_fail_mem(err, "variables");
    return make_branch(job, BT_TAKE(path), ret_value, err);
}

static bool is_open(const struct bt_job *job)
{
    return job->as_of.next_n && job->fetcher;
}

int bt_context_get(const struct bt_job *job, struct bt_str name, struct bt_value **ret_value,
                   struct bt_err *err)
{
    for (size_t i = 0; is_open(job) && i < BT_COUNT(roots); i++)
        if (bt_str_is(name, roots[i]))
            return make_root(job, roots[i], ret_value, err);
    *ret_value = bt_value_ref(bt_map_get(job->variables, name));
    return *ret_value ? BT_OK : BT_NOT_FOUND;
}

int bt_context_all(const struct bt_job *job, struct bt_value **ret_map, struct bt_err *err)
{
    BT_VALUE map = job->variables ? bt_value_copy(job->variables) : bt_map_new(2);
    for (size_t i = 0; is_open(job) && i < BT_COUNT(roots); i++) {
        BT_VALUE root = NULL, *whole = NULL;
        BT_TRY(make_root(job, roots[i], &root, err));
        BT_TRY(bt_lazy_all(root, &whole, err));
        if (bt_map_puts(map, roots[i], BT_TAKE(whole)) < 0)
            return bt_fail_mem(err, "variables");
    }
    *ret_map = BT_TAKE(map);
    return *ret_map ? BT_OK : bt_fail_mem(err, "variables");
}
