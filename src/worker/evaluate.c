/* evaluate.c — Renders the templates of an evaluate job. What holds a secret leaves sealed. */
#include "worker/evaluate.h"

#include "base/limits.h"
#include "worker/context.h"

struct evaluation {
    struct bt_asks *asks;
    struct bt_scope scope;
    struct bt_capabilities capabilities;
    struct bt_rng rng;
    bool is_typed;
};

static int render(struct evaluation *self, const struct bt_value *raw, struct bt_value **ret_value,
                  struct bt_err *err);

/* One text; a value that a secret went into is not seen by the engine. */
static int render_text(struct evaluation *self, struct bt_str text, struct bt_value **ret_value,
                       struct bt_err *err)
{
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    BT_VALUE value = NULL;
    struct bt_asks *asks = self->asks;
    BT_TRY(bt_template_parse(text, &template, err));
    asks->is_touched = false;
    BT_TRY(self->is_typed ? bt_template_render_typed(template, &self->scope, &value, err)
                          : bt_template_render(template, &self->scope, &value, err));
    bool is_text = bt_value_is(value, BT_KIND_STRING);
    if (!asks->is_touched && !(is_text && bt_masks_has(&asks->masks, bt_value_str(value)))) {
        if (is_text || asks->masks.count == 0) {
            *ret_value = BT_TAKE(value);
            return BT_OK;
        }
        return bt_asks_seal_all(asks, value, ret_value, err);
    }
    BT_CLEANUP(bt_buf_done) struct bt_buf printed = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_TRY(bt_value_print(value, &printed, err));
    return bt_asks_seal(asks, bt_buf_str(&printed), ret_value, err);
}

static int render_list(struct evaluation *self, const struct bt_value *raw,
                       struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE list = bt_list_new(bt_value_count(raw));
    for (size_t i = 0; i < bt_value_count(raw); i++) {
        struct bt_value *item = NULL;
        BT_TRY(render(self, bt_list_at(raw, i), &item, err));
        if (!list || bt_list_push(list, item) < 0)
            return bt_fail_mem(err, "property");
    }
    *ret_value = BT_TAKE(list);
    return *ret_value ? BT_OK : bt_fail_mem(err, "property");
}

static int render_map(struct evaluation *self, const struct bt_value *raw,
                      struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE map = bt_map_new(bt_value_count(raw));
    for (size_t i = 0; i < bt_value_count(raw); i++) {
        BT_VALUE name = NULL;
        struct bt_value *item = NULL;
        bool is_typed = self->is_typed;
        self->is_typed = false;
        BT_TRY(render_text(self, bt_map_key(raw, i), &name, err));
        self->is_typed = is_typed;
        if (!bt_value_is(name, BT_KIND_STRING))
            return bt_fail(err, BT_DENIED, "the name of a value must not hold a secret");
        BT_TRY(render(self, bt_map_at(raw, i, NULL), &item, err));
        if (!map || bt_map_put_key(map, name, item) < 0)
            return bt_fail_mem(err, "property");
    }
    *ret_value = BT_TAKE(map);
    return *ret_value ? BT_OK : bt_fail_mem(err, "property");
}

static int render(struct evaluation *self, const struct bt_value *raw, struct bt_value **ret_value,
                  struct bt_err *err)
{
    if (bt_value_is(raw, BT_KIND_STRING))
        return render_text(self, bt_value_str(raw), ret_value, err);
    if (bt_value_is(raw, BT_KIND_LIST))
        return render_list(self, raw, ret_value, err);
    if (bt_value_is(raw, BT_KIND_MAP))
        return render_map(self, raw, ret_value, err);
    *ret_value = raw ? bt_value_ref(raw) : bt_value_null();
    return BT_OK;
}

/* A condition tells one bit, and that is all that leaves. */
static int render_bool(struct evaluation *self, const struct bt_value *raw,
                       struct bt_value **ret_value, struct bt_err *err)
{
    BT_CLEANUP(bt_dyn_unref_p) struct bt_dyn *dyn = NULL;
    BT_VALUE value = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_TRY(bt_dyn_compile(raw, &dyn, err));
    BT_TRY(bt_dyn_render(dyn, &self->scope, &value, err));
    BT_TRY(bt_value_print(value, &text, err));
    *ret_value = bt_value_bool(bt_text_is_truthy(bt_buf_str(&text)));
    return *ret_value ? BT_OK : bt_fail_mem(err, "condition");
}

/* {"v": …} or {"e": …, "c": …}. */
static int answer(struct evaluation *self, const struct bt_value *item, struct bt_value **ret_entry,
                  struct bt_err *err)
{
    BT_VALUE entry = bt_map_new(2), *value = NULL;
    struct bt_str as = bt_map_str(item, "as");
    const struct bt_value *raw = bt_map_gets(item, "t");
    struct bt_err why = BT_ERR_INIT;
    self->is_typed = bt_str_is(as, "typed");
    int rc = bt_str_is(as, "bool") ? render_bool(self, raw, &value, &why)
                                   : render(self, raw, &value, &why);
    if (rc == BT_NEED || rc == BT_NO_MEM) {
        if (err)
            *err = why;
        return rc;
    }
    bt_asks_mask_err(self->asks, &why);
    if (rc == BT_OK)
        rc = bt_map_puts(entry, "v", BT_TAKE(value));
    else if (bt_map_puts(entry, "c", bt_value_int(rc)) == BT_OK)
        rc = bt_map_puts(entry, "e", bt_value_cstr(why.msg));
    if (rc < 0)
        return bt_fail_mem(err, "evaluation");
    *ret_entry = BT_TAKE(entry);
    return BT_OK;
}

/* What must not be evaluated: a task that is skipped asks for nothing. */
static bool ends_here(struct bt_str key, const struct bt_value *entry)
{
    return bt_str_is(key, "runIf") && !bt_value_as_bool(bt_map_gets(entry, "v"));
}

static int lookup(void *data, struct bt_str name, struct bt_value **ret_value, struct bt_err *err)
{
    const struct evaluation *self = data;
    return bt_context_get(self->asks->job, name, ret_value, err);
}

static int lookup_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    const struct evaluation *self = data;
    return bt_context_all(self->asks->job, ret_map, err);
}

int bt_evaluate(struct bt_asks *asks, struct bt_value **ret_outputs, struct bt_err *err)
{
    const struct bt_job *job = asks->job;
    struct evaluation self = {.asks = asks, .rng = {job->seed}};
    BT_VALUE outputs = bt_map_new(bt_value_count(job->templates));
    size_t bytes = 0;
    self.capabilities = bt_asks_capabilities(asks);
    self.scope = (struct bt_scope){.lookup = lookup,
                                   .all = lookup_all,
                                   .data = &self,
                                   .capabilities = &self.capabilities,
                                   .now_us = job->now_us,
                                   .rng = &self.rng};
    for (size_t i = 0; outputs && i < bt_value_count(job->templates); i++) {
        const struct bt_value *item = bt_list_at(job->templates, i);
        struct bt_str key = bt_map_str(item, "k");
        struct bt_value *entry = NULL;
        BT_TRY(answer(&self, item, &entry, err));
        bool is_last = ends_here(key, entry);
        bytes += bt_value_bytes(entry);
        if (bt_map_put(outputs, key, entry) < 0)
            return bt_fail_mem(err, "evaluation");
        if (bytes > BT_OUTPUT_BYTES_MAX)
            return bt_fail(err, BT_LIMIT, "what was evaluated is larger than the limit of %u bytes",
                           BT_OUTPUT_BYTES_MAX);
        if (is_last)
            break;
    }
    *ret_outputs = BT_TAKE(outputs);
    return *ret_outputs ? BT_OK : bt_fail_mem(err, "evaluation");
}
