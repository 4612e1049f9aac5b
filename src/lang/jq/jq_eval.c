/* jq_eval.c — Evaluates a jq tree: every expression hands its outputs, one by one, to a sink.
 *
 * Sinks live on the C stack and nest as the pipes do; depth and steps are bounded. An error raised
 * behind a `try` is not caught by it. Pure. */
#include "lang/jq/jq_eval_int.h"

#include <assert.h>
#include <stdarg.h>

/* --- Failures --------------------------------------------------------------------------------- */

int bt_jq_no_mem(struct bt_jq *jq)
{
    return bt_fail_mem(jq->err, "jq");
}

int bt_jq_raise_value(struct bt_jq *jq, struct bt_value *value)
{
    if (!value)
        return bt_jq_no_mem(jq);
    bt_value_unref(jq->error);
    jq->error = value;
    return BT_INVALID;
}

int bt_jq_raise(struct bt_jq *jq, const char *format, ...)
{
    char message[300];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); /* Longer ones are cut. */
    va_end(args);
    return bt_jq_raise_value(jq, bt_value_cstr(message));
}

bool bt_jq_is_true(const struct bt_value *value)
{
    return !bt_value_is_null(value) &&
           (!bt_value_is(value, BT_KIND_BOOL) || bt_value_as_bool(value));
}

int bt_jq_emit(struct bt_jq *jq, struct bt_value *value, struct bt_jq_sink *sink)
{
    BT_VALUE taken = value;
    if (!taken)
        return bt_jq_no_mem(jq);
    return sink->fn(sink, (struct bt_jq_in){taken, NULL});
}

/* The path with one more step; NULL stays NULL (nobody follows). Owned. */
static int longer(struct bt_jq *jq, const struct bt_value *path, const struct bt_value *step,
                  struct bt_value **ret_path)
{
    *ret_path = NULL;
    if (!path)
        return BT_OK;
    *ret_path = bt_value_copy(path);
    if (!*ret_path || bt_list_push(*ret_path, bt_value_ref(step)) < 0)
        return bt_jq_no_mem(jq);
    return BT_OK;
}

/* --- Sinks that collect ----------------------------------------------------------------------- */

struct collector {
    struct bt_jq_sink sink;
    struct bt_jq *jq;
    struct bt_value *list;
    bool wants_paths;
};

static int collect_one(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct collector *self = (struct collector *)(void *)sink;
    if (self->wants_paths && !out.path)
        return bt_jq_raise(self->jq, "Invalid path expression");
    if (bt_value_count(self->list) >= BT_EXPR_ITEMS_MAX)
        return bt_fail(self->jq->err, BT_LIMIT, "a jq program gives more than %u results",
                       BT_EXPR_ITEMS_MAX);
    const struct bt_value *item = self->wants_paths ? out.path : out.value;
    return bt_list_push(self->list, bt_value_ref(item)) < 0 ? bt_jq_no_mem(self->jq) : BT_OK;
}

static int collect(struct bt_jq *jq, const struct bt_jq_node *node, const struct bt_jq_env *env,
                   struct bt_jq_in in, struct bt_value **ret_list)
{
    struct collector self = {
        .sink = {collect_one}, .jq = jq, .list = bt_list_new(0), .wants_paths = in.path != NULL};
    if (!self.list)
        return bt_jq_no_mem(jq);
    int rc = bt_jq_eval(jq, node, env, in, &self.sink);
    if (rc < 0)
        bt_value_unref(self.list);
    else
        *ret_list = self.list;
    return rc;
}

int bt_jq_collect(struct bt_jq *jq, const struct bt_jq_node *node, const struct bt_jq_env *env,
                  struct bt_jq_in in, struct bt_value **ret_list)
{
    return collect(jq, node, env, (struct bt_jq_in){in.value, NULL}, ret_list);
}

int bt_jq_collect_paths(struct bt_jq *jq, const struct bt_jq_node *node,
                        const struct bt_jq_env *env, struct bt_jq_in in, struct bt_value **ret_list)
{
    BT_VALUE empty = bt_list_new(0);
    if (!empty)
        return bt_jq_no_mem(jq);
    return collect(jq, node, env, (struct bt_jq_in){in.value, empty}, ret_list);
}

/* --- Access ----------------------------------------------------------------------------------- */

static int emit_at(struct bt_jq *jq, struct bt_jq_in in, const struct bt_value *key,
                   struct bt_value *item, struct bt_jq_sink *next)
{
    BT_VALUE taken = item;
    BT_VALUE path = NULL;
    BT_TRY(longer(jq, in.path, key, &path));
    return next->fn(next, (struct bt_jq_in){taken, path});
}

static int index_by(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bt_value *item = NULL;
    BT_TRY(bt_jq_index(self->jq, self->in.value, out.value, &item));
    return emit_at(self->jq, self->in, out.value, item, self->next);
}

/* The target was evaluated; now the key, over the input of the whole. */
static int index_target(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bt_jq_frame inner = {
        .jq = self->jq, .node = self->node, .env = self->env, .in = out, .next = self->next};
    const struct bt_jq_node *key = self->node->right;
    inner.sink.fn = index_by;
    if (key->kind == BT_JQ_LITERAL)
        return index_by(&inner.sink, (struct bt_jq_in){key->value, NULL});
    return bt_jq_eval(self->jq, key, self->env, (struct bt_jq_in){self->in.value, NULL},
                      &inner.sink);
}

static int slice_target(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    BT_VALUE from = NULL;
    BT_VALUE to = NULL;
    BT_VALUE key = bt_map_new(2);
    struct bt_value *item = NULL;
    struct bt_jq_in plain = {self->in.value, NULL};
    if (self->node->right)
        BT_TRY(bt_jq_collect(self->jq, self->node->right, self->env, plain, &from));
    if (self->node->third)
        BT_TRY(bt_jq_collect(self->jq, self->node->third, self->env, plain, &to));
    struct bt_value *first = from ? bt_list_at(from, 0) : bt_value_null();
    struct bt_value *last = to ? bt_list_at(to, 0) : bt_value_null();
    if (!first || !last) /* No output: nothing. */
        return BT_OK;
    if (!key || bt_map_puts(key, "start", bt_value_ref(first)) < 0 ||
        bt_map_puts(key, "end", bt_value_ref(last)) < 0)
        return bt_jq_no_mem(self->jq);
    BT_TRY(bt_jq_slice(self->jq, out.value, first, last, &item));
    return emit_at(self->jq, out, key, item, self->next);
}

static int iterate_value(struct bt_jq *jq, struct bt_jq_in in, struct bt_jq_sink *next)
{
    bool is_map = bt_value_is(in.value, BT_KIND_MAP);
    if (!is_map && !bt_value_is(in.value, BT_KIND_LIST))
        return bt_jq_raise(jq, "Cannot iterate over %s", bt_jq_type(in.value));
    for (size_t i = 0; i < bt_value_count(in.value); i++) {
        struct bt_value *key = NULL;
        struct bt_value *item = is_map ? bt_map_at(in.value, i, &key) : bt_list_at(in.value, i);
        BT_VALUE index = is_map ? bt_value_ref(key) : bt_value_int32((int32_t)i);
        if (!index)
            return bt_jq_no_mem(jq);
        BT_TRY(emit_at(jq, in, index, bt_value_ref(item), next));
    }
    return BT_OK;
}

static int iterate_target(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    return iterate_value(self->jq, out, self->next);
}

static int recurse_into(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    if (++self->jq->depth > BT_JQ_DEPTH_MAX)
        return bt_fail(self->jq->err, BT_LIMIT, "a jq program nests too deep");
    int rc = self->next->fn(self->next, out);
    if (rc == BT_OK &&
        (bt_value_is(out.value, BT_KIND_LIST) || bt_value_is(out.value, BT_KIND_MAP)))
        rc = iterate_value(self->jq, out, sink);
    self->jq->depth--;
    return rc;
}

/* --- Construction ----------------------------------------------------------------------------- */

static int eval_array(struct bt_jq_frame *self)
{
    struct bt_value *list = NULL;
    if (!self->node->left)
        return bt_jq_emit(self->jq, bt_list_new(0), self->next);
    BT_TRY(bt_jq_collect(self->jq, self->node->left, self->env, self->in, &list));
    return bt_jq_emit(self->jq, list, self->next);
}

static int object_from(struct bt_jq_frame *self, size_t index, const struct bt_value *map);

static int object_value(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    BT_VALUE map = bt_value_copy(self->held);
    if (!map || bt_map_put(map, bt_value_str(self->left), bt_value_ref(out.value)) < 0)
        return bt_jq_no_mem(self->jq);
    return object_from(self, self->index + 2, map);
}

static int object_key(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bt_jq_frame inner = *self;
    if (!bt_value_is(out.value, BT_KIND_STRING))
        return bt_jq_raise(self->jq, "Object keys must be strings");
    inner.left = out.value;
    return bt_jq_each(&inner, self->node->items[self->index + 1], object_value);
}

/* Entries from `index` on, for every combination of keys and values. */
static int object_from(struct bt_jq_frame *self, size_t index, const struct bt_value *map)
{
    struct bt_jq_frame inner = *self;
    if (index >= self->node->items_count)
        return self->next->fn(self->next, (struct bt_jq_in){map, NULL});
    inner.index = index;
    inner.held = (struct bt_value *)(uintptr_t)map;
    return bt_jq_each(&inner, self->node->items[index], object_key);
}

static int eval_object(struct bt_jq_frame *self)
{
    BT_VALUE map = bt_map_new(self->node->items_count / 2);
    return map ? object_from(self, 0, map) : bt_jq_no_mem(self->jq);
}

static int string_from(struct bt_jq_frame *self, size_t index, const struct bt_value *text);

static int string_part(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    BT_VALUE part = NULL;
    BT_VALUE joined = NULL;
    const struct bt_jq_node *node = self->node->items[self->index];
    if (node->kind == BT_JQ_LITERAL && bt_value_is(out.value, BT_KIND_STRING))
        part = bt_value_ref(out.value);
    else if (self->node->name.len)
        BT_TRY(bt_jq_format(self->jq, self->node->name, out.value, &part));
    else
        BT_TRY(bt_jq_text(self->jq, out.value, &part));
    BT_TRY(bt_jq_arith(self->jq, '+', self->held, part, &joined));
    return string_from(self, self->index + 1, joined);
}

static int string_from(struct bt_jq_frame *self, size_t index, const struct bt_value *text)
{
    struct bt_jq_frame inner = *self;
    if (index >= self->node->items_count)
        return self->next->fn(self->next, (struct bt_jq_in){text, NULL});
    inner.index = index;
    inner.held = (struct bt_value *)(uintptr_t)text;
    return bt_jq_each(&inner, self->node->items[index], string_part);
}

static int eval_string(struct bt_jq_frame *self)
{
    BT_VALUE text = bt_value_string(BT_STR(""));
    return text ? string_from(self, 0, text) : bt_jq_no_mem(self->jq);
}

static int eval_format(struct bt_jq_frame *self)
{
    struct bt_value *text = NULL;
    BT_TRY(bt_jq_format(self->jq, self->node->name, self->in.value, &text));
    return bt_jq_emit(self->jq, text, self->next);
}

/* --- Operators -------------------------------------------------------------------------------- */

static int binary_left(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bt_value *result = NULL;
    const struct bt_value *right = self->left;
    if (self->node->kind == BT_JQ_ARITH) {
        BT_TRY(bt_jq_arith(self->jq, self->node->op, out.value, right, &result));
        return bt_jq_emit(self->jq, result, self->next);
    }
    int order = bt_jq_compare(out.value, right);
    bool is_true = false;
    switch (self->node->op) {
    case '=': is_true = order == 0; break;
    case '!': is_true = order != 0; break;
    case '<': is_true = order < 0; break;
    case '>': is_true = order > 0; break;
    case 'l': is_true = order <= 0; break;
    default: is_true = order >= 0; break;
    }
    return bt_jq_emit(self->jq, bt_value_bool(is_true), self->next);
}

static int binary_right(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bt_jq_frame inner = *self;
    inner.left = out.value;
    return bt_jq_each(&inner, self->node->left, binary_left);
}

static int logic_right(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    return bt_jq_emit(self->jq, bt_value_bool(bt_jq_is_true(out.value)), self->next);
}

static int logic_left(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    struct bt_jq_frame inner = *self;
    bool is_true = bt_jq_is_true(out.value), is_or = self->node->kind == BT_JQ_OR;
    if (is_true == is_or)
        return bt_jq_emit(self->jq, bt_value_bool(is_true), self->next);
    return bt_jq_each(&inner, self->node->right, logic_right);
}

static int negate(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    BT_VALUE zero = bt_value_int32(0);
    struct bt_value *result = NULL;
    enum bt_kind kind = bt_value_kind(out.value);
    if (kind != BT_KIND_INT && kind != BT_KIND_DOUBLE && kind != BT_KIND_DECIMAL)
        return bt_jq_raise(self->jq, "%s cannot be negated", bt_jq_type(out.value));
    if (!zero)
        return bt_jq_no_mem(self->jq);
    BT_TRY(bt_jq_arith(self->jq, '-', zero, out.value, &result));
    return bt_jq_emit(self->jq, result, self->next);
}

static int alternative_left(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    if (!bt_jq_is_true(out.value))
        return BT_OK;
    self->flag = true;
    int rc = self->next->fn(self->next, out);
    self->index = rc < 0; /* The failure is not the left side's own. */
    return rc;
}

static int eval_alternative(struct bt_jq_frame *self)
{
    self->sink.fn = alternative_left;
    int rc = bt_jq_eval(self->jq, self->node->left, self->env, self->in, &self->sink);
    if (rc == BT_INVALID && !self->index)
        rc = BT_OK; /* Errors of the left side count as nothing. */
    if (rc < 0 || self->flag)
        return rc;
    return bt_jq_eval(self->jq, self->node->right, self->env, self->in, self->next);
}

static int pipe_on(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    return bt_jq_eval(self->jq, self->node->right, self->env, out, self->next);
}

static int choose(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    const struct bt_jq_node *node =
        bt_jq_is_true(out.value) ? self->node->right : self->node->third;
    return bt_jq_eval(self->jq, node, self->env, self->in, self->next);
}

/* --- Errors and labels ------------------------------------------------------------------------ */

static int try_on(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct bt_jq_frame *self = bt_jq_frame_of(sink);
    int rc = self->next->fn(self->next, out);
    self->flag = rc < 0; /* Raised behind: none of our business. */
    return rc;
}

static int eval_try(struct bt_jq_frame *self)
{
    self->sink.fn = try_on;
    int rc = bt_jq_eval(self->jq, self->node->left, self->env, self->in, &self->sink);
    if (rc != BT_INVALID || self->flag || !self->jq->error)
        return rc;
    BT_VALUE error = BT_TAKE(self->jq->error);
    if (!self->node->right)
        return BT_OK;
    return bt_jq_eval(self->jq, self->node->right, self->env, (struct bt_jq_in){error, NULL},
                      self->next);
}

static int eval_label(struct bt_jq_frame *self)
{
    struct bt_jq_env env = {.parent = self->env, .kind = BT_JQ_ENV_LABEL, .name = self->node->name};
    int rc = bt_jq_eval(self->jq, self->node->left, &env, self->in, self->next);
    return rc == BT_ABORTED && self->jq->stop == &env ? BT_OK : rc;
}

static int eval_break(struct bt_jq_frame *self)
{
    for (const struct bt_jq_env *env = self->env; env; env = env->parent)
        if (env->kind == BT_JQ_ENV_LABEL && bt_str_eq(env->name, self->node->name)) {
            self->jq->stop = env;
            return BT_ABORTED;
        }
    return bt_jq_raise(self->jq, "$*label-%.*s is not defined", BT_FMT(self->node->name));
}

/* --- All -------------------------------------------------------------------------------------- */

/* Evaluates the left side over the input with its path. */
static int follow(struct bt_jq_frame *self, int (*fn)(struct bt_jq_sink *sink, struct bt_jq_in out))
{
    self->sink.fn = fn;
    return bt_jq_eval(self->jq, self->node->left, self->env, self->in, &self->sink);
}

static int eval_node(struct bt_jq_frame *self)
{
    const struct bt_jq_node *node = self->node;
    switch ((enum bt_jq_kind)node->kind) {
    case BT_JQ_IDENTITY: return self->next->fn(self->next, self->in);
    case BT_JQ_RECURSE: self->sink.fn = recurse_into; return recurse_into(&self->sink, self->in);
    case BT_JQ_INDEX: return follow(self, index_target);
    case BT_JQ_SLICE: return follow(self, slice_target);
    case BT_JQ_ITERATE: return follow(self, iterate_target);
    case BT_JQ_LITERAL: return self->next->fn(self->next, (struct bt_jq_in){node->value, NULL});
    case BT_JQ_STRING: return eval_string(self);
    case BT_JQ_FORMAT: return eval_format(self);
    case BT_JQ_ARRAY: return eval_array(self);
    case BT_JQ_OBJECT: return eval_object(self);
    case BT_JQ_NEGATE: return bt_jq_each(self, node->left, negate);
    case BT_JQ_PIPE: return follow(self, pipe_on);
    case BT_JQ_COMMA:
        BT_TRY(bt_jq_eval(self->jq, node->left, self->env, self->in, self->next));
        return bt_jq_eval(self->jq, node->right, self->env, self->in, self->next);
    case BT_JQ_ARITH:
    case BT_JQ_COMPARE: return bt_jq_each(self, node->right, binary_right);
    case BT_JQ_AND:
    case BT_JQ_OR: return bt_jq_each(self, node->left, logic_left);
    case BT_JQ_ALTERNATIVE: return eval_alternative(self);
    case BT_JQ_UPDATE: return bt_jq_eval_update(self);
    case BT_JQ_TRY: return eval_try(self);
    case BT_JQ_IF: return bt_jq_each(self, node->left, choose);
    case BT_JQ_REDUCE: return bt_jq_eval_reduce(self);
    case BT_JQ_FOREACH: return bt_jq_eval_foreach(self);
    case BT_JQ_AS: return bt_jq_eval_as(self);
    case BT_JQ_LABEL: return eval_label(self);
    case BT_JQ_BREAK: return eval_break(self);
    case BT_JQ_CALL: return bt_jq_eval_call(self);
    case BT_JQ_VARIABLE: return bt_jq_eval_variable(self);
    case BT_JQ_DEF: return bt_jq_eval_def(self);
    }
    return BT_INVALID;
}

int bt_jq_eval(struct bt_jq *jq, const struct bt_jq_node *node, const struct bt_jq_env *env,
               struct bt_jq_in in, struct bt_jq_sink *sink)
{
    struct bt_jq_frame frame = {.jq = jq, .node = node, .env = env, .in = in, .next = sink};
    if (++jq->steps > BT_EXPR_STEPS_MAX)
        return bt_fail(jq->err, BT_LIMIT, "a jq program takes more than %u steps",
                       BT_EXPR_STEPS_MAX);
    if (jq->depth >= BT_JQ_DEPTH_MAX)
        return bt_fail(jq->err, BT_LIMIT, "a jq program nests too deep");
    jq->depth++;
    int rc = eval_node(&frame);
    jq->depth--;
    return rc;
}

/* --- The program ------------------------------------------------------------------------------ */

static int parse(struct bt_jq_program *program, struct bt_str text, struct bt_err *err)
{
    program->jq.err = err;
    program->len = text.len;
    program->text = bt_str_dup(text);
    if (!program->text)
        return bt_fail_mem(err, "jq program");
    return bt_jq_parse(&program->jq, (struct bt_str){program->text, text.len}, &program->node);
}

static int run(struct bt_jq_program *program, const struct bt_value *input,
               struct bt_value **ret_results, struct bt_err *err)
{
    struct bt_jq *jq = &program->jq;
    jq->err = err;
    jq->steps = jq->depth = 0;
    jq->stop = NULL;
    int rc = bt_jq_collect(jq, program->node, NULL, (struct bt_jq_in){input, NULL}, ret_results);
    BT_VALUE raised = BT_TAKE(jq->error);
    if (rc == BT_INVALID && raised) {
        BT_VALUE text = NULL;
        if (bt_jq_text(jq, raised, &text) < 0)
            return BT_NO_MEM;
        return bt_fail(err, BT_INVALID, "jq: %.*s", BT_FMT(bt_value_str(text)));
    }
    return rc == BT_ABORTED ? bt_fail(err, BT_INVALID, "jq: break") : rc;
}

/* A program that failed may have left its state half way: only a good one is kept. */
static int run_new(struct bt_str text, const struct bt_value *input, struct bt_value **ret_results,
                   struct bt_err *err)
{
    struct bt_jq_program program = {0};
    int rc = parse(&program, text, err);
    if (rc == BT_OK)
        rc = run(&program, input, ret_results, err);
    if (rc < 0 || !bt_jq_cache(&program))
        bt_jq_program_done(&program);
    return rc;
}

int bt_jq_run(struct bt_str program, const struct bt_value *input, struct bt_value **ret_results,
              struct bt_err *err)
{
    BT_VALUE forced = NULL;
    struct bt_err own = BT_ERR_INIT;
    if (program.len > BT_TEMPLATE_BYTES_MAX)
        return bt_fail(err, BT_LIMIT, "the jq program is too large");
    if (bt_value_is(input, BT_KIND_LAZY)) {
        BT_TRY(bt_lazy_all(input, &forced, err));
        input = forced;
    }
    input = input ? input : bt_value_null();
    struct bt_jq_program *cached = bt_jq_cached(program);
    return cached ? run(cached, input, ret_results, err ? err : &own)
                  : run_new(program, input, ret_results, err ? err : &own);
}
