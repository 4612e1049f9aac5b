/* rows.c — An expression over each line of a file: JSON objects, or Ion text as the original writes
 * it. */
#include "lang/expr/ion.h"
#include "value/json.h"
#include "worker/context.h"
#include "worker/core/core_int.h"

#include <assert.h>
#include <inttypes.h>

static int lookup(void *data, struct bt_str name, struct bt_value **ret_value, struct bt_err *err)
{
    const struct core_expr *expr = data;
    struct bt_value *found = bt_map_get(expr->row, name);
    if (!found)
        return bt_context_get(expr->core->job, name, ret_value, err);
    *ret_value = bt_value_ref(found);
    return BT_OK;
}

static int lookup_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    const struct core_expr *expr = data;
    BT_VALUE map = NULL;
    BT_TRY(bt_context_all(expr->core->job, &map, err));
    for (size_t i = 0; i < bt_value_count(expr->row); i++) {
        struct bt_value *key = NULL, *value = bt_map_at(expr->row, i, &key);
        if (bt_map_put_key(map, key, bt_value_ref(value)) < 0)
            return bt_fail_mem(err, "variables");
    }
    *ret_map = BT_TAKE(map);
    return BT_OK;
}

/* A run of the http plugin between two renderings is nothing for millions of lines. */
static int call(void *data, const char *function, const struct bt_value *args,
                struct bt_value **ret_value, struct bt_err *err)
{
    struct core_expr *expr = data;
    if (strcmp(function, "http") == 0)
        return bt_fail(err, BT_UNAVAILABLE,
                       "http() is not available here: the expression is "
                       "rendered for each line");
    struct bt_capabilities inner = bt_asks_capabilities(expr->core->asks);
    return inner.call(inner.data, function, args, ret_value, err);
}

void core_expr_init(struct core_expr *expr, struct bt_core *core, const char *name)
{
    *expr = (struct core_expr){.core = core, .dyn = bt_task_prop(core->job->task, name)};
    assert(expr->dyn); /* It is required. */
    expr->rng = (struct bt_rng){core->job->seed};
    expr->capabilities = (struct bt_capabilities){.data = expr, .call = call};
    expr->scope = (struct bt_scope){.lookup = lookup,
                                    .all = lookup_all,
                                    .data = expr,
                                    .capabilities = &expr->capabilities,
                                    .now_us = core->job->now_us,
                                    .rng = &expr->rng};
}

static int parse(struct bt_str line, struct bt_value **ret_row, struct bt_err *err)
{
    BT_VALUE row = NULL;
    struct bt_err why = BT_ERR_INIT;
    int rc = bt_json_parse(line, NULL, &row, &why);
    if (rc == BT_INVALID && bt_ion_parse(line, &row, NULL) == BT_OK)
        rc = BT_OK;
    if (rc < 0)
        return bt_fail(err, (enum bt_code)rc, "neither JSON nor Ion: %s", why.msg);
    if (!bt_value_is(row, BT_KIND_MAP))
        return bt_fail(err, BT_INVALID, "not an object but %s", bt_kind_name(bt_value_kind(row)));
    *ret_row = BT_TAKE(row);
    return BT_OK;
}

int core_row_next(struct core_expr *expr, struct bt_rows *rows, struct bt_str *ret_line,
                  struct bt_value **ret_row, struct bt_err *err)
{
    do {
        BT_TRY(bt_rows_next(rows, ret_line, err));
        expr->line++;
    } while (bt_str_trim(*ret_line).len == 0);
    BT_TRY(bt_io_go_on(expr->core->is_over, err));
    int rc = parse(*ret_line, ret_row, err);
    return rc < 0 ? bt_err_prefix(err, "line %" PRIu64, expr->line) : BT_OK;
}

int core_expr_render(struct core_expr *expr, const struct bt_value *row, struct bt_value **ret_text,
                     struct bt_err *err)
{
    expr->row = row;
    int rc = bt_dyn_render(expr->dyn, &expr->scope, ret_text, err);
    expr->row = NULL;
    if (rc == BT_INVALID && err && !err->hint[0])
        (void)bt_hint(err, "line %" PRIu64 " of the file", expr->line); /* Gives the code. */
    return rc;
}
