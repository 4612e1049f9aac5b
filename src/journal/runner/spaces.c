/* spaces.c — The namespace actors of a batch: their rows as this batch has changed them, over those
 * of the journal. Dropped after each commit; the journal is asked again. */
#include "journal/runner/runner_int.h"

#include "engine/namespace/namespace.h"

#include <assert.h>

/* A key as the batch has left it. */
struct space_row {
    char *tenant, *namespace; /* Owned. */
    struct bt_value *key;     /* Owned. */
    struct bt_kv *kv;         /* Owned; NULL: removed. */
    struct space_row *next;   /* Of the same hash. */
};

/* Whose rows a step sees. */
struct space_ctx {
    struct bt_runner *runner;
    struct bt_kv_place place;
};

static uint64_t row_hash(const struct space_ctx *ctx, struct bt_str key)
{
    uint64_t seed =
        bt_str_hash(bt_str_of(ctx->place.namespace), bt_str_hash(bt_str_of(ctx->place.tenant), 1));
    return bt_str_hash(key, seed);
}

static bool is_of(const struct space_row *row, const struct space_ctx *ctx)
{
    return strcmp(row->tenant, ctx->place.tenant) == 0 &&
           strcmp(row->namespace, ctx->place.namespace) == 0;
}

static struct space_row *find_row(const struct space_ctx *ctx, struct bt_str key)
{
    struct space_row *row = bt_map64_get(&ctx->runner->space_rows, row_hash(ctx, key));
    while (row && !(is_of(row, ctx) && bt_str_eq(bt_value_str(row->key), key)))
        row = row->next;
    return row;
}

static struct space_row *make_row(const struct space_ctx *ctx, struct bt_str key)
{
    struct space_row *row = find_row(ctx, key);
    if (row)
        return row;
    row = calloc(1, sizeof *row);
    if (!row)
        bt_die("out of memory");
    row->tenant = bt_str_dup(bt_str_of(ctx->place.tenant));
    row->namespace = bt_str_dup(bt_str_of(ctx->place.namespace));
    row->key = bt_value_string(key);
    if (!row->tenant || !row->namespace || !row->key)
        bt_die("out of memory");
    row->next = bt_map64_get(&ctx->runner->space_rows, row_hash(ctx, key));
    bt_map64_put(&ctx->runner->space_rows, row_hash(ctx, key), row);
    return row;
}

void spaces_clear(struct bt_runner *runner)
{
    for (size_t i = 0; i < runner->space_rows.cap; i++) {
        struct space_row *row = runner->space_rows.slots[i].value;
        while (row) {
            struct space_row *next = row->next;
            free(row->tenant);
            free(row->namespace);
            bt_value_unref(row->key);
            bt_kv_free(row->kv);
            free(row);
            row = next;
        }
    }
    bt_map64_clear(&runner->space_rows);
    bt_kv_free(runner->space_read);
    runner->space_read = NULL;
}

void spaces_gather(const struct bt_runner *runner, kv_rows *rows)
{
    for (size_t i = 0; i < runner->space_rows.cap; i++)
        for (const struct space_row *row = runner->space_rows.slots[i].value; row; row = row->next)
            bt_vec_push(rows, ((struct bt_kv_row){
                                  {row->tenant, row->namespace}, bt_value_str(row->key), row->kv}));
}

/* --- The view --------------------------------------------------------------------------------- */

static int view_get(void *data, struct bt_str key, const struct bt_kv **ret_kv, struct bt_err *err)
{
    const struct space_ctx *ctx = data;
    struct bt_runner *runner = ctx->runner;
    const struct space_row *row = find_row(ctx, key);
    if (row) {
        *ret_kv = row->kv;
        return row->kv ? BT_OK : BT_NOT_FOUND;
    }
    struct bt_journal *journal = runner->config.journal;
    runner->space_read = bt_kv_free(runner->space_read);
    BT_TRY(journal->ops->kv(journal, ctx->place, key, &runner->space_read, err));
    *ret_kv = runner->space_read;
    return BT_OK;
}

struct listing {
    const struct space_ctx *ctx;
    const struct bt_kv_query *query;
};

/* A stored row, unless the batch has another opinion of it. */
static int list_stored(void *data, const struct bt_kv *kv)
{
    const struct listing *listing = data;
    if (find_row(listing->ctx, bt_value_str(kv->key)))
        return BT_OK;
    return listing->query->each(listing->query->data, kv);
}

/* Stored ones by key, then those of this batch. */
static int view_list(void *data, const struct bt_kv_query *query, struct bt_err *err)
{
    const struct space_ctx *ctx = data;
    const struct bt_runner *runner = ctx->runner;
    struct listing listing = {ctx, query};
    struct bt_journal *journal = runner->config.journal;
    const struct bt_kv_query stored = {query->prefix, list_stored, &listing};
    BT_TRY(journal->ops->kv_list(journal, ctx->place, &stored, err));
    for (size_t i = 0; i < runner->space_rows.cap; i++)
        for (const struct space_row *row = runner->space_rows.slots[i].value; row; row = row->next)
            if (row->kv && is_of(row, ctx) && bt_str_starts(bt_value_str(row->key), query->prefix))
                BT_TRY(query->each(query->data, row->kv));
    return BT_OK;
}

static void view_put(void *data, struct bt_kv *kv)
{
    struct space_row *row = make_row(data, bt_value_str(kv->key));
    bt_kv_free(row->kv);
    row->kv = kv;
}

static void view_remove(void *data, struct bt_str key)
{
    struct space_row *row = make_row(data, key);
    row->kv = bt_kv_free(row->kv);
}

int spaces_step(struct bt_runner *runner, struct bt_kv_place place, const struct bt_value *request,
                struct bt_space_answer *ret_answer, struct bt_err *err)
{
    struct space_ctx ctx = {runner, place};
    const struct bt_space_view view = {
        .data = &ctx, .get = view_get, .list = view_list, .put = view_put, .remove = view_remove};
    return bt_namespace_step(&view, (struct bt_space_env){place.namespace, runner->now_us}, request,
                             ret_answer, err);
}

/* --- Requests of tasks ------------------------------------------------------------------------ */

/* The namespace that a request names, or the execution's. False: the name is too long. */
static bool name_of(const struct bt_exec *exec, const struct bt_value *request, char name[160])
{
    struct bt_str given = bt_map_str(request, "namespace");
    if (given.len >= 160)
        return false;
    (void)snprintf(name, 160, "%.*s", BT_FMT(given.len ? given : bt_str_of(exec->namespace)));
    return true;
}

void spaces_effect(struct bt_runner *runner, struct actor *actor, const struct bt_effect *effect)
{
    char name[160];
    struct bt_err err = BT_ERR_INIT;
    struct bt_space_answer answer = {0};
    int rc = name_of(actor->exec, effect->value, name)
                 ? spaces_step(runner, (struct bt_kv_place){actor->exec->tenant, name},
                               effect->value, &answer, &err)
                 : bt_fail(&err, BT_LIMIT, "the name of the namespace is too long");
    if (read_may_pass(rc)) {
        runner->read_err = err; /* The batch is given up. */
        return;
    }
    struct bt_event event = {.kind = BT_EVENT_RESULT,
                             .taskrun = effect->taskrun,
                             .token = effect->token,
                             .state = rc < 0 ? BT_FAILED : BT_SUCCESS,
                             .at_us = runner->now_us,
                             .end_us = runner->now_us,
                             .outputs = answer.outputs};
    if (rc < 0 && !(event.error = bt_value_cstr(err.msg)))
        bt_die("out of memory");
    actor_push(actor, event, 0);
}
