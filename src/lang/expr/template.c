/* template.c — Templates from the outside: compile, count, render once or until stable. */
#include "lang/expr/expr_int.h"

#include <assert.h>

/* --- Raw blocks ------------------------------------------------------------------------------- */

/* The stand-in of a raw block: as long as the original's, and as unlikely in a text. */
#define RAW_FORMAT "b1f0c3d2-5a6e-4f70-8c91-%012zx"
enum { RAW_LEN = 36, RAW_MAX = 1000 };

static size_t skip(struct bt_str text, size_t at, char c)
{
    while (at < text.len && (c ? text.at[at] == c : strchr(" \t\r\n\v\f", text.at[at]) != NULL))
        at++;
    return at;
}

/* A tag `{%- word -%}` at `at`: the offset behind it, or 0. */
static size_t raw_tag(struct bt_str text, size_t at, const char *word)
{
    size_t len = strlen(word);
    if (text.len - at < 2 || text.at[at] != '{' || text.at[at + 1] != '%')
        return 0;
    at = skip(text, skip(text, at + 2, '-'), 0);
    if (text.len - at < len || memcmp(text.at + at, word, len) != 0)
        return 0;
    at = skip(text, skip(text, at + len, 0), '-');
    return text.len - at >= 2 && text.at[at] == '%' && text.at[at + 1] == '}' ? at + 2 : 0;
}

/* Finds the next raw block on one line. */
static bool find_raw(struct bt_str text, size_t from, size_t ret[4])
{
    for (ptrdiff_t open; (open = bt_str_find(text, BT_STR("{%"), from)) >= 0;) {
        size_t body = raw_tag(text, (size_t)open, "raw");
        from = (size_t)open + 2;
        for (size_t at = body; body && at < text.len && text.at[at] != '\n' && text.at[at] != '\r';
             at++) {
            size_t after = raw_tag(text, at, "endraw");
            if (!after)
                continue;
            ret[0] = (size_t)open;
            ret[1] = body;
            ret[2] = at;
            ret[3] = after;
            return true;
        }
    }
    return false;
}

/* Replaces raw blocks by stand-ins; template->text then lies in the arena. */
static int take_raws(struct bt_template *template, struct bt_err *err)
{
    struct bt_str text = template->source;
    struct bt_buf out = BT_BUF_INIT(2 * BT_TEMPLATE_BYTES_MAX);
    size_t at = 0, found[4];
    template->raws = bt_arena_alloc(&template->arena, RAW_MAX * sizeof *template->raws);
    if (!template->raws)
        return bt_fail_mem(err, "template");
    while (template->raws_count < RAW_MAX && find_raw(text, at, found)) {
        (void)bt_buf_add(&out, bt_str_slice(text, at, found[0])); /* Checked below. */
        (void)bt_buf_addf(&out, RAW_FORMAT, template->raws_count);
        template->raws[template->raws_count++] = bt_str_slice(text, found[1], found[2]);
        at = found[3];
    }
    (void)bt_buf_add(&out, bt_str_slice(text, at, text.len));
    int rc = bt_buf_check(&out, "the template", err);
    if (rc == BT_OK && out.len > BT_TEMPLATE_BYTES_MAX)
        rc = bt_fail(err, BT_LIMIT, "the template is larger than %u bytes", BT_TEMPLATE_BYTES_MAX);
    if (rc == BT_OK && template->raws_count)
        template->text = bt_arena_str(&template->arena, bt_buf_str(&out));
    bt_buf_done(&out);
    return rc == BT_OK && !template->text.at ? bt_fail_mem(err, "template") : rc;
}

/* Puts the bodies of the raw blocks back. */
static int put_raws(const struct bt_template *template, struct bt_value **text, struct bt_err *err)
{
    struct bt_str from = bt_value_str(*text);
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    size_t at = 0;
    for (ptrdiff_t open; (open = bt_str_find(from, BT_STR("b1f0c3d2-5a6e-4f70-8c91-"), at)) >= 0;) {
        char digits[13] = "";
        struct bt_str tail =
            bt_str_slice(from, (size_t)open + RAW_LEN - 12, (size_t)open + RAW_LEN);
        memcpy(digits, tail.at, tail.len);
        size_t index = strtoul(digits, NULL, 16);
        (void)bt_buf_add(&out, bt_str_slice(from, at, (size_t)open)); /* Checked below. */
        if (tail.len == 12 && index < template->raws_count)
            (void)bt_buf_add(&out, template->raws[index]);
        at = (size_t)open + RAW_LEN;
    }
    (void)bt_buf_add(&out, bt_str_slice(from, at, from.len));
    int rc = bt_buf_check(&out, "the rendered text", err);
    struct bt_value *whole = rc == BT_OK ? bt_value_string(bt_buf_str(&out)) : NULL;
    bt_buf_done(&out);
    if (rc < 0 || !whole)
        return rc < 0 ? rc : bt_fail_mem(err, "template");
    bt_value_unref(*text);
    *text = whole;
    return BT_OK;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void template_free(struct bt_template *template)
{
    for (size_t i = 0; i < template->values_count; i++)
        bt_value_unref(template->values[i]);
    free(template->values);
    bt_value_unref(template->literal);
    bt_arena_done(&template->arena);
    free(template);
}

struct bt_template *bt_template_ref(struct bt_template *template)
{
    if (template)
        atomic_fetch_add_explicit(&template->refs, 1, memory_order_relaxed);
    return template;
}

struct bt_template *bt_template_unref(struct bt_template *template)
{
    if (template && atomic_fetch_sub_explicit(&template->refs, 1, memory_order_acq_rel) == 1)
        template_free(template);
    return NULL;
}

/* Whether the tree is nothing but text; keeps that text. */
static int find_literal(struct bt_template *template, struct bt_err *err)
{
    const struct bt_body *body = &template->body;
    if (body->count > 1 || (body->count == 1 && body->items[0]->kind != BT_NODE_TEXT))
        return BT_OK;
    if (body->count == 1 && !template->raws_count) {
        template->literal = bt_value_ref(body->items[0]->value);
        return BT_OK;
    }
    if (body->count == 0 && template->source.len == 0)
        template->literal = bt_value_string(BT_STR(""));
    return body->count || template->source.len || template->literal ? BT_OK
                                                                    : bt_fail_mem(err, "template");
}

static int compile(struct bt_template *template, struct bt_str text, struct bt_err *err)
{
    template->source = template->text = bt_arena_str(&template->arena, text);
    if (!template->source.at)
        return bt_fail_mem(err, "template");
    if (!memchr(text.at ? text.at : "", '{', text.len)) {
        template->literal = bt_value_string(text);
        return template->literal ? BT_OK : bt_fail_mem(err, "template");
    }
    if (bt_str_find(text, BT_STR("endraw"), 0) >= 0)
        BT_TRY(take_raws(template, err));
    BT_TRY(bt_expr_parse(template, err));
    return find_literal(template, err);
}

int bt_template_parse(struct bt_str text, struct bt_template **ret_template, struct bt_err *err)
{
    if (text.len > BT_TEMPLATE_BYTES_MAX)
        return bt_fail(err, BT_LIMIT, "the template is larger than %u bytes",
                       BT_TEMPLATE_BYTES_MAX);
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = calloc(1, sizeof *template);
    if (!template)
        return bt_fail_mem(err, "template");
    atomic_init(&template->refs, 1);
    BT_TRY(compile(template, text, err));
    *ret_template = BT_TAKE(template);
    return BT_OK;
}

bool bt_template_is_literal(const struct bt_template *template)
{
    return template->literal && bt_str_eq(bt_value_str(template->literal), template->source);
}

/* --- Rendering -------------------------------------------------------------------------------- */

static void run_done(struct bt_run *run)
{
    for (size_t i = 0; i < run->locals_count; i++)
        bt_value_unref(run->locals[i].value);
    free(run->locals);
    for (size_t i = 0; i < run->aliases_count; i++) {
        bt_value_unref(run->aliases[i].from);
        bt_value_unref(run->aliases[i].to);
    }
    free(run->aliases);
    bt_value_unref(run->missing);
    bt_value_unref(run->typed);
    bt_buf_done(&run->out);
}

/* One print and nothing else: its value, without a buffer between. */
static int run_single(struct bt_run *run, struct bt_value **ret_text)
{
    BT_VALUE value = NULL;
    BT_TRY(bt_eval(run, run->template->body.items[0]->source, &value));
    if (bt_value_is(value, BT_KIND_STRING) && bt_value_flavor(value) == BT_FLAVOR_PLAIN) {
        *ret_text = BT_TAKE(value);
        return BT_OK;
    }
    BT_TRY(bt_value_print(value, &run->out, run->err));
    *ret_text = bt_value_string(bt_buf_str(&run->out));
    return *ret_text ? BT_OK : bt_raise_mem(run);
}

static int run_body(struct bt_run *run, struct bt_value **ret_text)
{
    const struct bt_body *body = &run->template->body;
    if (body->count == 1 && body->items[0]->kind == BT_NODE_PRINT)
        return run_single(run, ret_text);
    BT_TRY(bt_exec_body(run, body));
    *ret_text = bt_value_string(bt_buf_str(&run->out));
    return *ret_text ? BT_OK : bt_raise_mem(run);
}

static void run_init(struct bt_run *run, const struct bt_template *template,
                     const struct bt_scope *scope, struct bt_err *err)
{
    *run = (struct bt_run){
        .template = template, .scope = scope, .err = err, .out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX)};
    run->own_rng.state = 0x6261746f6eu;
}

/* One pass in a run that was begun. */
static int run_once(struct bt_run *run, struct bt_value **ret_text)
{
    const struct bt_template *template = run->template;
    if (template->literal) {
        *ret_text = bt_value_ref(template->literal);
        return BT_OK;
    }
    BT_VALUE text = NULL;
    int rc = run_body(run, &text);
    bt_raise_settle(run, rc);
    if (rc < 0)
        return rc == BT_NOT_FOUND ? BT_INVALID : rc;
    if (template->raws_count)
        BT_TRY(put_raws(template, &text, run->err));
    *ret_text = BT_TAKE(text);
    return BT_OK;
}

/* What the template has set is seen by what it renders again. */
static int copy_locals(const struct bt_run *from, struct bt_run *to)
{
    size_t count = from->locals_count - from->barrier;
    if (count == 0)
        return BT_OK;
    to->locals = malloc(count * sizeof *to->locals);
    if (!to->locals)
        return bt_raise_mem(to);
    for (size_t i = 0; i < count; i++) {
        to->locals[i] = from->locals[from->barrier + i];
        to->locals[i].frame = 0;
        (void)bt_value_ref(to->locals[i].value); /* Kept in the copy. */
    }
    to->locals_count = to->locals_cap = count;
    return BT_OK;
}

int bt_template_again(struct bt_run *run, struct bt_str text, struct bt_value **ret_text)
{
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    struct bt_run inner;
    if (run->depth + run->rounds > BT_EXPR_DEPTH_MAX * 20)
        return bt_fail(run->err, BT_LIMIT, "render() nests too deep");
    BT_TRY(bt_template_parse(text, &template, run->err));
    run_init(&inner, template, run->scope, run->err);
    inner.depth = run->depth + 20;
    inner.steps = run->steps;
    inner.own_rng = run->own_rng;
    inner.macros = run->macros;
    int rc = copy_locals(run, &inner);
    if (rc == BT_OK)
        rc = run_once(&inner, ret_text);
    run->own_rng = inner.own_rng;
    run->steps = inner.steps;
    run_done(&inner);
    return rc;
}

/* Renders the text again until it stays the same. */
static int settle(struct bt_run *run, struct bt_value **text)
{
    for (int round = 1;; round++) {
        BT_VALUE next = NULL;
        if (!memchr(bt_value_str(*text).at, '{', bt_value_str(*text).len))
            return BT_OK;
        if (round > BT_EXPR_RENDER_ROUNDS_MAX)
            return bt_fail(run->err, BT_INVALID, "Too many rendering attempts");
        BT_TRY(bt_template_again(run, bt_value_str(*text), &next));
        bool is_same = bt_str_eq(bt_value_str(*text), bt_value_str(next));
        bt_value_unref(*text);
        *text = BT_TAKE(next);
        if (is_same)
            return BT_OK;
    }
}

int bt_template_render(const struct bt_template *template, const struct bt_scope *scope,
                       struct bt_value **ret_text, struct bt_err *err)
{
    struct bt_run run;
    BT_VALUE text = NULL;
    assert(template && scope && ret_text);
    if (template->literal) {
        *ret_text = bt_value_ref(template->literal);
        return BT_OK;
    }
    run_init(&run, template, scope, err);
    int rc = run_once(&run, &text);
    if (rc == BT_OK && scope->is_recursive)
        rc = settle(&run, &text);
    run_done(&run);
    if (rc == BT_OK)
        *ret_text = BT_TAKE(text);
    return rc;
}

static int run_typed(struct bt_run *run, struct bt_value **ret_value)
{
    run->is_typed = true;
    int rc = bt_exec_body(run, &run->template->body);
    bt_raise_settle(run, rc);
    if (rc < 0)
        return rc == BT_NOT_FOUND ? BT_INVALID : rc;
    if (run->template->raws_count && bt_value_is(run->typed, BT_KIND_STRING))
        BT_TRY(put_raws(run->template, &run->typed, run->err));
    *ret_value = run->typed ? BT_TAKE(run->typed) : bt_value_null();
    return BT_OK;
}

int bt_template_render_typed(const struct bt_template *template, const struct bt_scope *scope,
                             struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_run run;
    assert(template && scope && ret_value);
    if (template->literal) {
        *ret_value = bt_value_ref(template->literal);
        return BT_OK;
    }
    run_init(&run, template, scope, err);
    int rc = run_typed(&run, ret_value);
    run_done(&run);
    return rc;
}

/* --- Scopes of one map ------------------------------------------------------------------------ */

static int map_lookup(void *data, struct bt_str name, struct bt_value **ret_value,
                      struct bt_err *err)
{
    const struct bt_value *found = bt_map_get(data, name);
    (void)err; /* A missing name is no failure here. */
    if (!found)
        return BT_NOT_FOUND;
    *ret_value = bt_value_ref(found);
    return BT_OK;
}

static int map_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    (void)err; /* Cannot fail. */
    *ret_map = bt_value_ref(data);
    return BT_OK;
}

void bt_scope_of_map(struct bt_scope *scope, const struct bt_value *variables)
{
    *scope = (struct bt_scope){.lookup = map_lookup, .all = map_all};
    scope->data = (void *)(uintptr_t)variables;
}

/* --- Printing --------------------------------------------------------------------------------- */

bool bt_text_is_truthy(struct bt_str text)
{
    return text.len && !bt_str_is(text, "false") && !bt_str_is(text, "0") && !bt_str_is(text, "-0");
}

int bt_value_print(const struct bt_value *value, struct bt_buf *out, struct bt_err *err)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return BT_OK;
    case BT_KIND_MAP:
        if (bt_value_flavor(value) == BT_FLAVOR_LOOP)
            return bt_java_text(value, out, err);
        return bt_java_json(value, false, out, err);
    case BT_KIND_LIST:
    case BT_KIND_LAZY: return bt_java_json(value, false, out, err);
    case BT_KIND_BOOL:
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL:
    case BT_KIND_STRING: return bt_java_text(value, out, err);
    }
    return BT_OK;
}
