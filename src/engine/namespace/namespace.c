/* namespace.c — What each request does to the key-values of a namespace. */
#include "engine/namespace/namespace.h"

#include "base/limits.h"
#include "value/sealed.h"

#include <assert.h>

struct ctx {
    const struct bt_space_view *view;
    const char *namespace;
    int64_t now_us;
    const struct bt_value *request;
    struct bt_err *err;
};

static bool flag(const struct ctx *ctx, const char *name, bool absent)
{
    const struct bt_value *value = bt_map_gets(ctx->request, name);
    return bt_value_is(value, BT_KIND_BOOL) ? bt_value_as_bool(value) : absent;
}

/* The row of the request's key, NULL when there is none; expired ones too. */
static int find(const struct ctx *ctx, const struct bt_kv **ret_kv)
{
    struct bt_str key = bt_map_str(ctx->request, "key");
    *ret_kv = NULL;
    BT_TRY(bt_kv_check_key(key, ctx->err));
    int rc = ctx->view->get(ctx->view->data, key, ret_kv, ctx->err);
    return rc == BT_NOT_FOUND ? BT_OK : rc;
}

static int missing(const struct ctx *ctx)
{
    return bt_fail(ctx->err, BT_NOT_FOUND,
                   "No value found for key '%.*s' in namespace '%s' and `errorOnMissing` is set to "
                   "true",
                   BT_FMT(bt_map_str(ctx->request, "key")), ctx->namespace);
}

static int give(struct bt_space_answer *answer, const char *name, struct bt_value *value,
                struct bt_err *err)
{
    answer->outputs = bt_map_new(1);
    return bt_map_puts(answer->outputs, name, value) < 0 ? bt_fail_mem(err, "key-value") : BT_OK;
}

/* --- Put -------------------------------------------------------------------------------------- */

static int check_before_put(const struct ctx *ctx, const struct bt_kv *old)
{
    const struct bt_value *wanted = bt_map_gets(ctx->request, "ifRevision");
    struct bt_str key = bt_map_str(ctx->request, "key");
    int64_t revision = old ? (int64_t)old->revision : 0;
    if (old && !flag(ctx, "overwrite", true))
        return bt_fail(ctx->err, BT_EXISTS,
                       "Cannot set value for key '%.*s'. Key already exists and `overwrite` is set "
                       "to `false`.",
                       BT_FMT(key));
    if (wanted && bt_value_as_int(wanted) != revision)
        return bt_fail(ctx->err, BT_CONFLICT, "the key '%.*s' is at revision %lld, not %lld",
                       BT_FMT(key), (long long)revision, (long long)bt_value_as_int(wanted));
    return BT_OK;
}

/* The value in its type. */
static int read_value(const struct ctx *ctx, enum bt_kv_type *ret_type, struct bt_value **ret_value)
{
    const struct bt_value *given = bt_map_gets(ctx->request, "value");
    struct bt_str name = bt_map_str(ctx->request, "type");
    if (bt_sealed_has(given)) {
        (void)bt_fail(ctx->err, BT_DENIED, "a key-value must not hold a secret");
        return bt_hint(ctx->err, "use secret() where the value is needed");
    }
    *ret_type = bt_kv_type_of(given);
    if (name.len && !bt_kv_type_parse(name, ret_type))
        return bt_fail(ctx->err, BT_INVALID,
                       "unknown type '%.*s': use STRING, NUMBER, BOOLEAN, DATETIME, DATE, DURATION "
                       "or JSON",
                       BT_FMT(name));
    BT_TRY(bt_kv_convert(*ret_type, given, ret_value, ctx->err));
    if (bt_value_bytes(*ret_value) <= BT_KV_VALUE_BYTES_MAX)
        return BT_OK;
    *ret_value = bt_value_unref(*ret_value);
    return bt_fail(ctx->err, BT_LIMIT, "the value is larger than the limit of %u bytes",
                   BT_KV_VALUE_BYTES_MAX);
}

static int make_row(const struct ctx *ctx, const struct bt_kv *old, struct bt_kv **ret_kv)
{
    BT_CLEANUP(bt_kv_free_p) struct bt_kv *kv = bt_kv_new();
    const struct bt_value *description = bt_map_gets(ctx->request, "description");
    int64_t ttl_us = bt_value_as_int(bt_map_gets(ctx->request, "ttlUs"));
    if (!kv)
        return bt_fail_mem(ctx->err, "key-value");
    BT_TRY(read_value(ctx, &kv->type, &kv->value));
    kv->key = bt_value_ref(bt_map_gets(ctx->request, "key"));
    if (bt_value_is(description, BT_KIND_STRING))
        kv->description = bt_value_ref(description);
    else if (old && old->description)
        kv->description = bt_value_ref(old->description);
    kv->revision = old ? old->revision + 1 : 1;
    kv->created_us = old ? old->created_us : ctx->now_us;
    kv->updated_us = ctx->now_us;
    if (ttl_us < 0)
        return bt_fail(ctx->err, BT_INVALID, "the time to live must not be negative");
    if (ttl_us > 0 && __builtin_add_overflow(ctx->now_us, ttl_us, &kv->expires_us))
        return bt_fail(ctx->err, BT_INVALID, "the time to live is too long");
    *ret_kv = BT_TAKE(kv);
    return BT_OK;
}

static int put(const struct ctx *ctx, struct bt_space_answer *answer)
{
    const struct bt_kv *old;
    BT_CLEANUP(bt_kv_free_p) struct bt_kv *kv = NULL;
    BT_TRY(find(ctx, &old));
    if (old && bt_kv_is_expired(old, ctx->now_us))
        old = NULL;
    BT_TRY(check_before_put(ctx, old));
    BT_TRY(make_row(ctx, old, &kv));
    assert(kv);
    answer->number = kv->revision;
    ctx->view->put(ctx->view->data, BT_TAKE(kv));
    return BT_OK;
}

/* --- The others ------------------------------------------------------------------------------- */

static int get(const struct ctx *ctx, struct bt_space_answer *answer)
{
    const struct bt_kv *kv;
    BT_TRY(find(ctx, &kv));
    if (kv && bt_kv_is_expired(kv, ctx->now_us))
        return bt_fail(ctx->err, BT_NOT_FOUND, "The requested value has expired");
    if (!kv && flag(ctx, "errorOnMissing", false))
        return missing(ctx);
    return give(answer, "value", kv ? bt_kv_value(kv->type, kv->value) : bt_value_null(), ctx->err);
}

static int delete (const struct ctx *ctx, struct bt_space_answer *answer)
{
    const struct bt_kv *kv;
    BT_TRY(find(ctx, &kv));
    bool is_there = kv && !bt_kv_is_expired(kv, ctx->now_us);
    if (!is_there && flag(ctx, "errorOnMissing", false))
        return missing(ctx);
    answer->number = is_there;
    BT_TRY(give(answer, "deleted", bt_value_bool(is_there), ctx->err));
    if (kv)
        ctx->view->remove(ctx->view->data, bt_map_str(ctx->request, "key"));
    return BT_OK;
}

struct listing {
    const struct ctx *ctx;
    struct bt_value *keys;
    bool wants_expired, wants_live;
};

static int list_key(void *data, const struct bt_kv *kv)
{
    struct listing *listing = data;
    const struct ctx *ctx = listing->ctx;
    bool is_expired = bt_kv_is_expired(kv, ctx->now_us);
    if (!(is_expired ? listing->wants_expired : listing->wants_live))
        return BT_OK;
    if (bt_value_count(listing->keys) >= BT_KV_KEYS_MAX)
        return bt_fail(ctx->err, BT_LIMIT, "more than %u keys: ask with a longer prefix",
                       BT_KV_KEYS_MAX);
    return bt_list_push(listing->keys, bt_value_ref(kv->key)) < 0
               ? bt_fail_mem(ctx->err, "key-value")
               : BT_OK;
}

static int keys(const struct ctx *ctx, struct bt_space_answer *answer)
{
    struct listing listing = {.ctx = ctx, .wants_live = true};
    BT_VALUE list = listing.keys = bt_list_new(0);
    const struct bt_kv_query query = {bt_map_str(ctx->request, "prefix"), list_key, &listing};
    BT_TRY(ctx->view->list(ctx->view->data, &query, ctx->err));
    return give(answer, "keys", BT_TAKE(list), ctx->err);
}

static int purge(const struct ctx *ctx, struct bt_space_answer *answer)
{
    struct listing listing = {.ctx = ctx, .wants_expired = true};
    BT_VALUE list = listing.keys = bt_list_new(0);
    listing.wants_live = !flag(ctx, "expiredOnly", true);
    const struct bt_kv_query query = {bt_map_str(ctx->request, "prefix"), list_key, &listing};
    BT_TRY(ctx->view->list(ctx->view->data, &query, ctx->err));
    answer->number = (int64_t)bt_value_count(list);
    BT_TRY(give(answer, "size", bt_value_int(answer->number), ctx->err));
    for (size_t i = 0; i < bt_value_count(list); i++)
        ctx->view->remove(ctx->view->data, bt_value_str(bt_list_at(list, i)));
    return BT_OK;
}

int bt_namespace_step(const struct bt_space_view *view, struct bt_space_env env,
                      const struct bt_value *request, struct bt_space_answer *ret_answer,
                      struct bt_err *err)
{
    static const struct {
        const char *op;
        int (*run)(const struct ctx *ctx, struct bt_space_answer *answer);
    } ops[] = {{"put", put}, {"get", get}, {"delete", delete}, {"keys", keys}, {"purge", purge}};
    struct ctx ctx = {view, env.namespace, env.now_us, request, err};
    struct bt_str op = bt_map_str(request, "op");
    struct bt_space_answer answer = {0};
    BT_TRY(bt_kv_check_namespace(bt_str_of(env.namespace), err));
    int rc = bt_fail(err, BT_INVALID, "unknown request '%.*s'", BT_FMT(op));
    for (size_t i = 0; i < BT_COUNT(ops); i++)
        if (bt_str_is(op, ops[i].op))
            rc = ops[i].run(&ctx, &answer);
    if (rc < 0)
        bt_value_unref(answer.outputs);
    else
        *ret_answer = answer;
    return rc;
}
