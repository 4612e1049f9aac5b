/* asks.c — Questions of expressions: files here, secrets and key-values to the world, http() to a
 * plugin. */
#include "worker/asks.h"

#include "base/limits.h"
#include "value/json.h"
#include "value/sealed.h"
#include "worker/reader.h"

#include <stdlib.h>

void bt_asks_begin(struct bt_asks *asks, struct bt_job *job)
{
    bt_asks_done(asks);
    asks->job = job;
}

void bt_asks_done(struct bt_asks *asks)
{
    bt_masks_done(&asks->masks);
    bt_value_unref(asks->answers);
    bt_value_unref(asks->question);
    *asks = (struct bt_asks){.files = asks->files, .world = asks->world};
}

int bt_asks_later(struct bt_asks *asks, struct bt_err *err)
{
    asks->is_open = true;
    return bt_fail(err, BT_NEED, "an expression waits for an answer"); /* Never shown. */
}

static int ask_world(struct bt_asks *asks, const char *function, const struct bt_value *args,
                     struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_job *job = asks->job;
    const struct bt_question question = {job->tenant, job->flow->namespace, job->exec_id, function,
                                         args};
    if (!asks->world.ask)
        return bt_fail(err, BT_UNAVAILABLE, "the function '%s' is not available here", function);
    return asks->world.ask(asks->world.data, &question, ret_value, err);
}

/* --- http() ----------------------------------------------------------------------------------- */

static int ask_http(struct bt_asks *asks, const struct bt_value *args, struct bt_value **ret_value,
                    struct bt_err *err)
{
    BT_VALUE key = bt_json_text(args);
    if (!key)
        return bt_fail_mem(err, "http()");
    const struct bt_value *answer =
        asks->answers ? bt_map_get(asks->answers, bt_value_str(key)) : NULL;
    if (answer) {
        const struct bt_value *error = bt_map_gets(answer, "e");
        if (error)
            return bt_fail(err, BT_INVALID, "%.*s", BT_FMT(bt_value_str(error)));
        *ret_value = bt_value_ref(bt_map_gets(answer, "v"));
        return BT_OK;
    }
    if (asks->http_count >= BT_HTTP_CALLS_MAX)
        return bt_fail(err, BT_LIMIT, "more than %u different calls of http()", BT_HTTP_CALLS_MAX);
    bt_value_unref(asks->question);
    asks->question = bt_value_ref(args);
    return bt_asks_later(asks, err);
}

int bt_asks_answer(struct bt_asks *asks, struct bt_value *value, const struct bt_err *error)
{
    BT_VALUE key = bt_json_text(asks->question), *entry = bt_map_new(1);
    BT_VALUE answers = asks->answers ? bt_value_copy(asks->answers) : bt_map_new(1);
    asks->question = bt_value_unref(asks->question);
    asks->http_count++;
    int rc =
        value ? bt_map_puts(entry, "v", value) : bt_map_puts(entry, "e", bt_value_cstr(error->msg));
    if (rc == BT_OK)
        rc = key ? bt_map_put(answers, bt_value_str(key), BT_TAKE(entry)) : BT_NO_MEM;
    if (rc < 0)
        return rc;
    bt_value_unref(asks->answers);
    asks->answers = BT_TAKE(answers);
    return BT_OK;
}

/* --- The capability --------------------------------------------------------------------------- */

static int remember(struct bt_asks *asks, const struct bt_value *secret, struct bt_err *err)
{
    asks->is_touched = true;
    return bt_masks_add(&asks->masks, bt_value_str(secret)) < 0 ? bt_fail_mem(err, "secret")
                                                                : BT_OK;
}

static int call(void *data, const char *function, const struct bt_value *args,
                struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_asks *asks = data;
    if (!asks->may_block)
        return bt_asks_later(asks, err);
    if (bt_reader_knows(function))
        return bt_reader_call(&(struct bt_reading){asks->files, asks->job}, function,
                              bt_map_str(args, "path"), ret_value, err);
    if (strcmp(function, "http") == 0)
        return ask_http(asks, args, ret_value, err);
    BT_VALUE value = NULL;
    BT_TRY(ask_world(asks, function, args, &value, err));
    if (strcmp(function, "secret") == 0)
        BT_TRY(remember(asks, value, err));
    *ret_value = BT_TAKE(value);
    return BT_OK;
}

struct bt_capabilities bt_asks_capabilities(struct bt_asks *asks)
{
    return (struct bt_capabilities){.data = asks, .call = call};
}

/* --- Sealing ---------------------------------------------------------------------------------- */

static int unseal(void *data, const struct bt_value *sealed, struct bt_value **ret_value,
                  struct bt_err *err)
{
    struct bt_asks *asks = data;
    BT_VALUE args = bt_map_new(1), *text = NULL;
    if (bt_map_puts(args, "value", bt_value_ref(sealed)) < 0)
        return bt_fail_mem(err, "sealed value");
    BT_TRY(ask_world(asks, "unseal", args, &text, err));
    BT_TRY(remember(asks, text, err));
    *ret_value = BT_TAKE(text);
    return BT_OK;
}

int bt_asks_open(struct bt_asks *asks, struct bt_value *value, struct bt_value **ret_value,
                 struct bt_err *err)
{
    if (!bt_sealed_has(value)) {
        *ret_value = value;
        return BT_OK;
    }
    int rc = bt_sealed_replace(value, unseal, asks, ret_value, err);
    bt_value_unref(value);
    return rc;
}

int bt_asks_unseal(struct bt_asks *asks, struct bt_err *err)
{
    struct bt_value *opened = NULL;
    BT_TRY(bt_sealed_replace(asks->job->variables, unseal, asks, &opened, err));
    bt_value_unref(asks->job->variables);
    asks->job->variables = opened;
    return BT_OK;
}

int bt_asks_seal(struct bt_asks *asks, struct bt_str text, struct bt_value **ret_value,
                 struct bt_err *err)
{
    BT_VALUE args = bt_map_new(2);
    BT_CLEANUP(bt_buf_done) struct bt_buf masked = BT_BUF_INIT(16 * text.len + 64);
    int rc = bt_masks_apply_all(&asks->masks, text, &masked);
    if (rc == BT_OK && bt_str_eq(text, bt_buf_str(&masked))) {
        bt_buf_clear(&masked); /* Made of a secret, but it does not show: hidden whole. */
        rc = bt_buf_adds(&masked, "**masked**");
    }
    if (rc < 0 || bt_map_puts(args, "text", bt_value_string(text)) < 0 ||
        bt_map_puts(args, "masked", bt_value_string(bt_buf_str(&masked))) < 0)
        return bt_fail_mem(err, "sealed value");
    return ask_world(asks, "seal", args, ret_value, err);
}

int bt_asks_seal_all(struct bt_asks *asks, const struct bt_value *value,
                     struct bt_value **ret_value, struct bt_err *err)
{
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    if (bt_value_is(value, BT_KIND_STRING) && bt_masks_has(&asks->masks, bt_value_str(value)))
        return bt_asks_seal(asks, bt_value_str(value), ret_value, err);
    if (!is_map && !bt_value_is(value, BT_KIND_LIST)) {
        *ret_value = bt_value_ref(value);
        return BT_OK;
    }
    size_t count = bt_value_count(value);
    BT_VALUE copy = is_map ? bt_map_new(count) : bt_list_new(count);
    for (size_t i = 0; copy && i < count; i++) {
        struct bt_value *key = NULL, *item = NULL;
        const struct bt_value *old = is_map ? bt_map_at(value, i, &key) : bt_list_at(value, i);
        if (is_map && bt_masks_has(&asks->masks, bt_value_str(key)))
            return bt_fail(err, BT_DENIED, "the name of an output must not hold a secret");
        BT_TRY(bt_asks_seal_all(asks, old, &item, err));
        if ((is_map ? bt_map_put_key(copy, key, item) : bt_list_push(copy, item)) < 0)
            return bt_fail_mem(err, "outputs");
    }
    *ret_value = BT_TAKE(copy);
    return *ret_value ? BT_OK : bt_fail_mem(err, "outputs");
}

void bt_asks_mask_err(const struct bt_asks *asks, struct bt_err *err)
{
    char *const texts[] = {err->msg, err->hint};
    const size_t sizes[] = {sizeof err->msg, sizeof err->hint};
    for (size_t i = 0; asks->masks.count && i < BT_COUNT(texts); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf masked = BT_BUF_INIT(8192);
        if (bt_masks_apply(&asks->masks, bt_str_of(texts[i]), &masked) < 0)
            bt_buf_clear(&masked);
        (void)snprintf(texts[i], sizes[i], "%.*s", BT_FMT(bt_buf_str(&masked))); /* Cut is fine. */
    }
}
