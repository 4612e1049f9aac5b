/* jq_bind.c — Names in jq programs: as, reduce, foreach, updates, functions, variables. Pure. */
#include "lang/jq/jq_eval_int.h"

/* --- Binding ---------------------------------------------------------------------------------- */

enum { BINDINGS_MAX = 16 };

struct bindings {
    struct bt_jq_env entries[BINDINGS_MAX];
    struct bt_value *held[BINDINGS_MAX]; /* Owned. */
    size_t count;
    const struct bt_jq_env *env; /* The innermost so far. */
};

static void unbind(struct bindings *bindings)
{
    for (size_t i = 0; i < bindings->count; i++)
        bt_value_unref(bindings->held[i]);
}

static int bind(struct bt_jq_frame *self, struct bindings *bindings,
                const struct bt_jq_pattern *pattern, const struct bt_value *value);

static int bind_item(struct bt_jq_frame *self, struct bindings *bindings,
                     const struct bt_jq_pattern *pattern, const struct bt_value *value,
                     size_t index)
{
    BT_VALUE keys = NULL;
    BT_VALUE key = NULL;
    BT_VALUE item = NULL;
    if (pattern->is_list) {
        key = bt_value_int32((int32_t)index);
    } else {
        struct bt_jq_in plain = {self->in.value, NULL};
        BT_TRY(bt_jq_collect(self->jq, pattern->keys[index], bindings->env, plain, &keys));
        key = bt_value_ref(bt_list_at(keys, 0));
    }
    BT_TRY(bt_jq_index(self->jq, value, key, &item));
    return bind(self, bindings, pattern->items[index], item);
}

static int bind(struct bt_jq_frame *self, struct bindings *bindings,
                const struct bt_jq_pattern *pattern, const struct bt_value *value)
{
    if (pattern->name.len) {
        if (bindings->count == BINDINGS_MAX)
            return bt_fail(self->jq->err, BT_LIMIT, "a jq pattern binds too many variables");
        struct bt_jq_env *entry = &bindings->entries[bindings->count];
        bindings->held[bindings->count++] = bt_value_ref(value);
        *entry = (struct bt_jq_env){.parent = bindings->env,
                                    .kind = BT_JQ_ENV_VALUE,
                                    .name = pattern->name,
                                    .value = value};
        bindings->env = entry;
    }
    if (pattern->is_list && !bt_value_is_null(value) && !bt_value_is(value, BT_KIND_LIST))
        return bt_jq_raise(self->jq, "Cannot index %s with number", bt_jq_type(value));
    for (size_t i = 0; i < pattern->count; i++)
        BT_TRY(bind_item(self, bindings, pattern, value, i));
    return BT_OK;
}

static int as_bound(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bindings bindings = {.env = self->env};
    int rc = bind(self, &bindings, self->node->pattern, out.value);
    if (rc == BT_OK)
        rc = bt_jq_eval(self->jq, self->node->right, bindings.env, self->in, self->next);
    unbind(&bindings);
    return rc;
}

/* Keeps the last output of the update, with its path where one is followed. */
static int keep_last(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    bt_value_unref(self->held);
    self->held = bt_value_ref(out.value);
    self->flag = true;
    return BT_OK;
}

static int reduce_one(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bindings bindings = {.env = self->env};
    struct bt_jq_frame inner = *self;
    inner.sink.fn = keep_last;
    inner.held = NULL;
    inner.flag = false;
    int rc = bind(self, &bindings, self->node->pattern, out.value);
    if (rc == BT_OK)
        rc = bt_jq_eval(self->jq, self->node->third, bindings.env,
                        (struct bt_jq_in){self->held, NULL}, &inner.sink);
    unbind(&bindings);
    if (rc < 0) {
        bt_value_unref(inner.held);
        return rc;
    }
    bt_value_unref(self->held);
    self->held = inner.flag ? inner.held : bt_value_null();
    return BT_OK;
}

static int reduce_from(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bt_jq_frame inner = *self;
    inner.held = bt_value_ref(out.value);
    int rc = bt_jq_each(&inner, self->node->left, reduce_one);
    BT_VALUE result = inner.held;
    return rc < 0 ? rc : self->next->fn(self->next, (struct bt_jq_in){result, NULL});
}

/* Each output of the update is the new state, and is told (or what is extracted from it). */
static int foreach_state(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    bt_value_unref(self->held);
    self->held = bt_value_ref(out.value);
    if (!self->node->items_count)
        return self->next->fn(self->next, (struct bt_jq_in){out.value, NULL});
    return bt_jq_eval(self->jq, self->node->items[0], self->env, (struct bt_jq_in){out.value, NULL},
                      self->next);
}

static int foreach_one(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bindings bindings = {.env = self->env};
    struct bt_jq_frame inner = *self;
    BT_VALUE state = bt_value_ref(self->held);
    inner.sink.fn = foreach_state;
    int rc = bind(self, &bindings, self->node->pattern, out.value);
    inner.env = bindings.env;
    if (rc == BT_OK)
        rc = bt_jq_eval(self->jq, self->node->third, bindings.env, (struct bt_jq_in){state, NULL},
                        &inner.sink);
    unbind(&bindings);
    self->held = inner.held;
    return rc;
}

static int foreach_from(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bt_jq_frame inner = *self;
    inner.held = bt_value_ref(out.value);
    int rc = bt_jq_each(&inner, self->node->left, foreach_one);
    bt_value_unref(inner.held);
    return rc;
}

/* --- Updates ---------------------------------------------------------------------------------- */

/* The new value at one path; *ret_item is NULL when the update gives nothing. */
static int updated(struct bt_jq_frame *self, const struct bt_value *old,
                   const struct bt_value *right, struct bt_value **ret_item)
{
    char op = self->node->op;
    BT_VALUE list = NULL;
    *ret_item = NULL;
    if (op == '=') {
        *ret_item = bt_value_ref(right);
    } else if (op == 'a') {
        *ret_item = bt_value_ref(bt_jq_is_true(old) ? old : right);
    } else if (op == '|') {
        BT_TRY(bt_jq_collect(self->jq, self->node->right, self->env, (struct bt_jq_in){old, NULL},
                             &list));
        *ret_item = bt_value_ref(bt_list_at(list, 0));
    } else {
        return bt_jq_arith(self->jq, op, old, right, ret_item);
    }
    return BT_OK;
}

static int update_all(struct bt_jq_frame *self, const struct bt_value *right)
{
    BT_VALUE paths = NULL;
    BT_VALUE gone = bt_list_new(0);
    BT_VALUE now = bt_value_ref(self->in.value);
    struct bt_jq_in in = {self->in.value, NULL};
    BT_TRY(bt_jq_collect_paths(self->jq, self->node->left, self->env, in, &paths));
    for (size_t i = 0; i < bt_value_count(paths); i++) {
        const struct bt_value *path = bt_list_at(paths, i);
        BT_VALUE old = NULL;
        BT_VALUE item = NULL;
        struct bt_value *next = NULL;
        BT_TRY(bt_jq_get(self->jq, now, path, &old));
        BT_TRY(updated(self, old, right, &item));
        if (!item) {
            if (bt_list_push(gone, bt_value_ref(path)) < 0)
                return bt_jq_no_mem(self->jq);
            continue;
        }
        BT_TRY(bt_jq_set(self->jq, now, path, item, &next));
        bt_value_unref(now);
        now = next;
    }
    struct bt_value *left = NULL;
    BT_TRY(bt_jq_delete(self->jq, now, gone, &left));
    return bt_jq_emit(self->jq, left, self->next);
}

static int update_with(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    return update_all(bt_jq_frame_of(sink), out.value);
}

/* --- Calls ------------------------------------------------------------------------------------ */

struct call {
    struct bt_jq_env def; /* The function sees itself. */
    const struct bt_jq_env *env;
};

static int call_body(struct bt_jq_frame *self, struct call *call, const struct bt_jq_def *def,
                     size_t index);

static int call_value(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct call call = *(const struct call *)self->call;
    const struct bt_jq_def *def = call.def.def;
    struct bt_jq_env entry = {
        .parent = call.env,
        .kind = BT_JQ_ENV_VALUE,
        .name = bt_str_slice(def->params[self->index], 1, def->params[self->index].len),
        .value = out.value};
    call.env = &entry;
    return call_body(self, &call, def, self->index + 1);
}

/* Binds the parameters from `index` on, then runs the body. */
static int call_body(struct bt_jq_frame *self, struct call *call, const struct bt_jq_def *def,
                     size_t index)
{
    if (index == def->params_count)
        return bt_jq_eval(self->jq, def->body, call->env, self->in, self->next);
    struct bt_jq_node *arg = self->node->items[index];
    bool is_value = def->params[index].at[0] == '$';
    struct bt_str name =
        is_value ? bt_str_slice(def->params[index], 1, def->params[index].len) : def->params[index];
    struct bt_jq_env entry = {.parent = call->env,
                              .kind = BT_JQ_ENV_CLOSURE,
                              .name = name,
                              .node = arg,
                              .scope = self->env};
    struct call inner_call = *call;
    inner_call.env = &entry;
    if (!is_value)
        return call_body(self, &inner_call, def, index + 1);
    struct bt_jq_frame inner = *self;
    inner.call = &inner_call;
    inner.index = index;
    return bt_jq_each(&inner, arg, call_value);
}

static int call_def(struct bt_jq_frame *self, const struct bt_jq_env *found,
                    const struct bt_jq_def *def)
{
    struct call call = {.def = {.parent = found ? found->parent : NULL,
                                .kind = BT_JQ_ENV_DEF,
                                .name = def->name,
                                .def = def}};
    call.env = &call.def;
    return call_body(self, &call, def, 0);
}

/* A function of the library: parsed when it is first called. */
static int library_def(struct bt_jq *jq, struct bt_str name, size_t arity,
                       struct bt_jq_def **ret_def)
{
    *ret_def = NULL;
    for (size_t i = 0; i < jq->library_count; i++)
        if (bt_str_eq(jq->library[i]->name, name) && jq->library[i]->params_count == arity) {
            *ret_def = jq->library[i];
            return BT_OK;
        }
    const char *source = bt_jq_library_source(name, arity);
    if (!source)
        return BT_OK;
    BT_TRY(bt_jq_parse_def(jq, bt_str_of(source), ret_def));
    if (jq->library_count < sizeof jq->library / sizeof *jq->library)
        jq->library[jq->library_count++] = *ret_def;
    return BT_OK;
}

int bt_jq_eval_call(struct bt_jq_frame *self)
{
    const struct bt_jq_node *node = self->node;
    for (const struct bt_jq_env *env = self->env; env; env = env->parent) {
        if (env->kind == BT_JQ_ENV_CLOSURE && node->items_count == 0 &&
            bt_str_eq(env->name, node->name))
            return bt_jq_eval(self->jq, env->node, env->scope, self->in, self->next);
        if (env->kind == BT_JQ_ENV_DEF && env->def->params_count == node->items_count &&
            bt_str_eq(env->name, node->name))
            return call_def(self, env, env->def);
    }
    bt_jq_native native = bt_jq_builtin(node->name, node->items_count);
    struct bt_jq_args args = {node, self->env, self->in};
    if (native)
        return native(self->jq, &args, self->next);
    struct bt_jq_def *def = NULL;
    BT_TRY(library_def(self->jq, node->name, node->items_count, &def));
    if (def)
        return call_def(self, NULL, def);
    return bt_fail(self->jq->err, BT_INVALID, "jq: %.*s/%zu is not defined", BT_FMT(node->name),
                   node->items_count);
}

int bt_jq_eval_variable(struct bt_jq_frame *self)
{
    for (const struct bt_jq_env *env = self->env; env; env = env->parent)
        if (env->kind == BT_JQ_ENV_VALUE && bt_str_eq(env->name, self->node->name))
            return self->next->fn(self->next, (struct bt_jq_in){env->value, NULL});
    if (bt_str_is(self->node->name, "ENV"))
        return bt_jq_emit(self->jq, bt_map_new(0), self->next);
    return bt_fail(self->jq->err, BT_INVALID, "jq: $%.*s is not defined", BT_FMT(self->node->name));
}

int bt_jq_eval_def(struct bt_jq_frame *self)
{
    struct bt_jq_env env = {.parent = self->env,
                            .kind = BT_JQ_ENV_DEF,
                            .name = self->node->def->name,
                            .def = self->node->def};
    return bt_jq_eval(self->jq, self->node->left, &env, self->in, self->next);
}

/* --- Entries ---------------------------------------------------------------------------------- */

int bt_jq_eval_as(struct bt_jq_frame *self)
{
    return bt_jq_each(self, self->node->left, as_bound);
}

int bt_jq_eval_reduce(struct bt_jq_frame *self)
{
    return bt_jq_each(self, self->node->right, reduce_from);
}

int bt_jq_eval_foreach(struct bt_jq_frame *self)
{
    return bt_jq_each(self, self->node->right, foreach_from);
}

int bt_jq_eval_update(struct bt_jq_frame *self)
{
    return self->node->op == '|' ? update_all(self, NULL)
                                 : bt_jq_each(self, self->node->right, update_with);
}
