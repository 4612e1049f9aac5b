/* expr_api_test.c — Goal: the contract of expr.h: typed and recursive rendering, lazy values,
 * BT_NEED, capabilities, paths, properties, limits, sharing between threads. Method: a small case
 * for each. */
#include "lang/expr/expr.h"

#include "base/limits.h"
#include "value/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static struct bt_value *json(const char *text)
{
    struct bt_value *value = NULL;
    assert_int_equal(bt_json_parse(bt_str_of(text), NULL, &value, NULL), BT_OK);
    return value;
}

static struct bt_template *compile(const char *text)
{
    struct bt_template *template = NULL;
    assert_int_equal(bt_template_parse(bt_str_of(text), &template, NULL), BT_OK);
    return template;
}

static void assert_json(const struct bt_value *value, const char *want)
{
    BT_VALUE text = bt_json_text(value);
    assert_string_equal(bt_value_str(text).at, want);
}

/* --- Typed ------------------------------------------------------------------------------------ */

static const struct {
    const char *template, *want;
} typed[] = {
    {"{{ n }}", "5"},
    {"{{ l }}", "[1,2]"},
    {"{{ z }}", "null"},
    {"text", "\"text\""},
    {"{{ s }}!", "\"a!\""},
    {"{% set x = n %}{{ x }}", "5"},
    {"a{{ n }}", "!Tried to add java.lang.Integer to java.lang.String"},
    {"{{ n }}a", "!Tried to add java.lang.Character to java.lang.Integer"},
    {"{{ n }}{{ l }}", "!Tried to add java.util.ArrayList to java.lang.Integer"},
    {"{{ n == 5 }}", "true"},
    {"{% raw %}{{ n }}{% endraw %}", "\"{{ n }}\""},
};

static void test_typed(void **state)
{
    BT_VALUE context = json("{\"n\": 5, \"l\": [1, 2], \"z\": null, \"s\": \"a\"}");
    struct bt_scope scope;
    (void)state;
    bt_scope_of_map(&scope, context);
    for (size_t i = 0; i < BT_COUNT(typed); i++) {
        struct bt_err err = BT_ERR_INIT;
        BT_VALUE value = NULL;
        BT_CLEANUP(bt_template_unref_p)
        struct bt_template *template = compile(typed[i].template);
        int rc = bt_template_render_typed(template, &scope, &value, &err);
        if (typed[i].want[0] == '!')
            assert_non_null(strstr(err.msg, typed[i].want + 1));
        else
            assert_json(value, typed[i].want);
        assert_int_equal(rc, typed[i].want[0] == '!' ? BT_INVALID : BT_OK);
    }
}

static void test_recursive(void **state)
{
    BT_VALUE context = json("{\"a\": \"{{ b }}\", \"b\": \"{{ c }}\", \"c\": 1}");
    BT_VALUE text = NULL;
    struct bt_scope scope;
    (void)state;
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = compile("{{ a }}");
    BT_CLEANUP(bt_template_unref_p) struct bt_template *calls = compile("{{ render(a) }}");
    bt_scope_of_map(&scope, context);
    scope.is_recursive = true;
    assert_int_equal(bt_template_render(template, &scope, &text, NULL), BT_OK);
    assert_string_equal(bt_value_str(text).at, "1");
    assert_int_equal(bt_template_render(calls, &scope, &text, NULL), BT_INVALID);
}

static void test_literal(void **state)
{
    BT_VALUE text = NULL;
    struct bt_scope scope = {0};
    (void)state;
    BT_CLEANUP(bt_template_unref_p) struct bt_template *plain = compile("a { b }");
    BT_CLEANUP(bt_template_unref_p) struct bt_template *comment = compile("a {# b #}");
    assert_true(bt_template_is_literal(plain));
    assert_false(bt_template_is_literal(comment));
    assert_int_equal(bt_template_render(plain, &scope, &text, NULL), BT_OK);
    assert_string_equal(bt_value_str(text).at, "a { b }");
}

/* --- Lazy values and rows that are not there yet ---------------------------------------------- */

static int lazy_get(void *data, struct bt_str key, struct bt_value **ret_val, struct bt_err *err)
{
    int *asked = data;
    (*asked)++;
    if (bt_str_is(key, "need"))
        return bt_fail(err, BT_NEED, "row 'need'");
    if (!bt_str_is(key, "there"))
        return BT_NOT_FOUND;
    *ret_val = bt_value_cstr("x");
    return BT_OK;
}

static int lazy_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    (void)data;
    return bt_fail(err, ret_map ? BT_NEED : BT_INVALID, "all rows");
}

static void lazy_done(void *data)
{
    (void)data;
}

static const struct bt_lazy_ops lazy_ops = {lazy_get, lazy_all, lazy_done};

static const struct {
    const char *template;
    int want;
    const char *text;
} lazies[] = {
    {"{{ o.there }}", BT_OK, "x"},
    {"{{ o['there'] | upper }}", BT_OK, "X"},
    {"{{ o.none ?? 'd' }}", BT_OK, "d"},
    {"{{ o.none is defined }}", BT_OK, "false"},
    {"{{ o contains 'there' }}", BT_OK, "true"},
    {"{{ o.none }}", BT_INVALID, ""},
    {"{{ o.need }}", BT_NEED, ""},
    {"{{ o.need ?? 'd' }}", BT_NEED, ""},
    {"{{ o.need is defined }}", BT_NEED, ""},
    {"{{ o.need | default('d') }}", BT_NEED, ""},
    {"{{ o.need.more ??? 'd' }}", BT_NEED, ""},
    {"{{ o.need + 1 }}", BT_NEED, ""},
    {"{% if o.need %}a{% endif %}", BT_NEED, ""},
    {"{% for x in o %}a{% endfor %}", BT_NEED, ""},
    {"{{ o }}", BT_NEED, ""},
    {"{{ o | keys }}", BT_NEED, ""},
    {"{{ o | json }}", BT_NEED, ""},
    {"{{ o ~ '' }}", BT_NEED, ""},
    {"{{ render('{{ o.need }}') }}", BT_NEED, ""},
    {"{{ currentEachOutput(o) }}", BT_INVALID, ""},
};

static void test_lazy(void **state)
{
    int asked = 0;
    (void)state;
    for (size_t i = 0; i < BT_COUNT(lazies); i++) {
        struct bt_scope scope;
        BT_VALUE text = NULL;
        BT_VALUE context = bt_map_new(1);
        BT_CLEANUP(bt_template_unref_p)
        struct bt_template *template = compile(lazies[i].template);
        assert_int_equal(bt_map_puts(context, "o", bt_value_lazy(&lazy_ops, &asked)), BT_OK);
        bt_scope_of_map(&scope, context);
        int rc = bt_template_render(template, &scope, &text, NULL);
        if (rc != lazies[i].want)
            fail_msg("%s: %d", lazies[i].template, rc);
        if (rc == BT_OK)
            assert_string_equal(bt_value_str(text).at, lazies[i].text);
    }
    assert_true(asked > 0);
}

/* --- Capabilities ----------------------------------------------------------------------------- */

static int world(void *data, const char *function, const struct bt_value *args,
                 struct bt_value **ret_value, struct bt_err *err)
{
    (void)data;
    if (strcmp(function, "secret") == 0 && bt_str_is(bt_map_str(args, "key"), "none"))
        return bt_fail(err, BT_NOT_FOUND, "Cannot find secret for key 'none'.");
    if (strcmp(function, "http") == 0)
        return bt_fail(err, BT_DENIED, "not allowed");
    BT_VALUE text = bt_json_text(args);
    *ret_value = bt_value_ref(text);
    return BT_OK;
}

static const struct {
    const char *template;
    int want;
    const char *text;
} worlds[] = {
    {"{{ secret('a') }}", BT_OK, "{\"key\":\"a\"}"},
    {"{{ kv('a', errorOnMissing=true) }}", BT_OK, "{\"key\":\"a\",\"errorOnMissing\":true}"},
    {"{{ read('a') }}{{ errorLogs() }}", BT_OK, "{\"path\":\"a\"}{}"},
    {"{{ {'a': 1} | jq('.a') }}", BT_OK, "[1]"},
    {"{{ null | jq('.a') }}", BT_OK, ""},
    {"{{ secret('none') }}", BT_INVALID, "Cannot find secret for key 'none'."},
    {"{{ http('x') ?? 1 }}", BT_DENIED, "not allowed"},
};

static void test_capabilities(void **state)
{
    static const struct bt_capabilities capabilities = {.call = world};
    BT_VALUE context = bt_map_new(0);
    struct bt_scope scope;
    (void)state;
    bt_scope_of_map(&scope, context);
    for (size_t i = 0; i < BT_COUNT(worlds); i++) {
        struct bt_err err = BT_ERR_INIT;
        BT_VALUE text = NULL;
        BT_CLEANUP(bt_template_unref_p)
        struct bt_template *template = compile(worlds[i].template);
        scope.capabilities = &capabilities;
        assert_int_equal(bt_template_render(template, &scope, &text, &err), worlds[i].want);
        if (worlds[i].want == BT_OK)
            assert_string_equal(bt_value_str(text).at, worlds[i].text);
        else
            assert_non_null(strstr(err.msg, worlds[i].text));
        scope.capabilities = NULL;
        if (i < 3)
            assert_int_equal(bt_template_render(template, &scope, &text, NULL), BT_UNAVAILABLE);
    }
}

/* --- Paths ------------------------------------------------------------------------------------ */

static const struct {
    const char *template, *paths;
    bool is_top, needs_io;
} reaches[] = {
    {"{{ outputs.a.uri | upper }}", "outputs.a.uri", false, false},
    {"{{ outputs['a-b']['c'].d }}", "outputs.a-b.c.d", false, false},
    {"{{ outputs[inputs.x].y }}", "inputs.x outputs", false, false},
    {"{{ a.b().c }} {{ a.b }}", "a a.b", false, false},
    {"{{ a.b ?? c.d }}{% if e is defined %}{{ f[0] }}{% endif %}", "a.b c.d e f", false, false},
    {"{% for x in l.m %}{{ x.y }}{{ loop.index }}{% endfor %}{{ x }}", "l.m x", false, false},
    {"{% macro m(p=q) %}{{ p }}{% endmacro %}{{ m(r) }}", "r q", false, false},
    {"{% filter replace({a: b}) %}{{ c }}{% endfilter %}", "a b c", false, false},
    {"{{ render(vars.x) }}", "vars.x", true, false},
    {"{{ printContext() }}", "", true, false},
    {"{{ kv(a) }}{{ m | jq('.') }}", "a m", false, true},
    {"{{ currentEachOutput(outputs.t) }}", "parents taskrun outputs.t", false, false},
    {"text", "", false, false},
};

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(reaches); i++) {
        struct bt_paths paths = {0};
        struct bt_buf text = BT_BUF_INIT(1000);
        BT_CLEANUP(bt_template_unref_p)
        struct bt_template *template = compile(reaches[i].template);
        assert_int_equal(bt_template_paths(template, &paths), BT_OK);
        for (size_t k = 0; k < paths.count; k++)
            for (size_t n = 0; n < paths.items[k].count; n++) {
                if (k || n)
                    bt_buf_addc(&text, n ? '.' : ' ');
                bt_buf_add(&text, paths.items[k].names[n]);
            }
        assert_string_equal(bt_buf_cstr(&text), reaches[i].paths);
        assert_int_equal(paths.is_top, reaches[i].is_top);
        assert_int_equal(paths.needs_io, reaches[i].needs_io);
        bt_paths_done(&paths);
        bt_buf_done(&text);
    }
}

/* --- Properties ------------------------------------------------------------------------------- */

static void test_dyn(void **state)
{
    BT_VALUE raw = json("{\"a\": [\"{{ x }}\", 1, null], \"{{ x }}\": {\"n\": \"plain\"}}");
    BT_VALUE plain = json("{\"a\": [\"b\", {\"c\": \"{ d\"}]}");
    BT_VALUE bad = json("[\"ok\", \"{{ 1\\n + }}\"]");
    BT_VALUE context = json("{\"x\": \"y\"}");
    BT_VALUE value = NULL;
    BT_VALUE same = NULL;
    struct bt_err err = BT_ERR_INIT;
    struct bt_dyn *dyn = NULL, *literal = NULL, *none = NULL;
    struct bt_paths paths = {0};
    struct bt_scope scope;
    (void)state;
    bt_scope_of_map(&scope, context);
    assert_int_equal(bt_dyn_compile(raw, &dyn, &err), BT_OK);
    assert_false(bt_dyn_is_literal(dyn));
    assert_int_equal(bt_dyn_render(dyn, &scope, &value, &err), BT_OK);
    assert_json(value, "{\"a\":[\"y\",1,null],\"y\":{\"n\":\"plain\"}}");
    assert_int_equal(bt_dyn_paths(dyn, &paths), BT_OK);
    assert_int_equal(paths.count, 1);
    bt_paths_done(&paths);
    assert_int_equal(bt_dyn_compile(plain, &literal, &err), BT_OK);
    assert_true(bt_dyn_is_literal(literal));
    assert_int_equal(bt_dyn_render(literal, &scope, &same, &err), BT_OK);
    assert_ptr_equal(same, plain);
    assert_ptr_equal(bt_dyn_raw(literal), plain);
    assert_int_equal(bt_dyn_compile(bad, &none, &err), BT_INVALID);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.col, 4);
    dyn = bt_dyn_unref(dyn);
    literal = bt_dyn_unref(literal);
    assert_null(bt_dyn_unref(none));
}

/* --- Errors ----------------------------------------------------------------------------------- */

static void test_places(void **state)
{
    BT_VALUE context = bt_map_new(0);
    BT_VALUE text = NULL;
    struct bt_err err = BT_ERR_INIT;
    struct bt_scope scope;
    struct bt_template *broken = NULL;
    (void)state;
    bt_scope_of_map(&scope, context);
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = compile("é {{ 'x' | uper }}");
    assert_int_equal(bt_template_render(template, &scope, &text, &err), BT_INVALID);
    assert_int_equal(err.line, 1);
    assert_int_equal(err.col, 12);
    assert_string_equal(err.hint, "did you mean 'upper'?");
    assert_string_equal(err.msg, "io.pebbletemplates.pebble.error.PebbleException: Filter [uper] "
                                 "does not exist. (é {{ 'x' | uper }}:1)");
    assert_int_equal(bt_template_parse(BT_STR("a\n{% nope %}"), &broken, &err), BT_INVALID);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.col, 4);
    assert_string_equal(err.msg, "io.pebbletemplates.pebble.error.ParserException: Unexpected tag "
                                 "name \"nope\" (a\n{% nope %}:2)");
}

/* --- Limits ----------------------------------------------------------------------------------- */

/* open × count, middle, close × count. */
static struct bt_buf nested(const char *open, const char *middle, const char *close, size_t count)
{
    struct bt_buf buf = BT_BUF_INIT(BT_TEMPLATE_BYTES_MAX * 2);
    for (size_t i = 0; i < count; i++)
        bt_buf_adds(&buf, open);
    bt_buf_adds(&buf, middle);
    for (size_t i = 0; i < count; i++)
        bt_buf_adds(&buf, close);
    return buf;
}

static int outcome(struct bt_str text)
{
    BT_VALUE context = bt_map_new(0);
    BT_VALUE value = NULL;
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    struct bt_scope scope;
    bt_scope_of_map(&scope, context);
    int rc = bt_template_parse(text, &template, NULL);
    return rc < 0 ? rc : bt_template_render(template, &scope, &value, NULL);
}

static int outcome_nested(const char *open, const char *middle, const char *close, size_t count)
{
    struct bt_buf buf = nested(open, middle, close, count);
    int rc = outcome(bt_buf_str(&buf));
    bt_buf_done(&buf);
    return rc;
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(outcome_nested("a", "", "", BT_TEMPLATE_BYTES_MAX), BT_OK);
    assert_int_equal(outcome_nested("a", "", "", BT_TEMPLATE_BYTES_MAX + 1), BT_LIMIT);
    assert_int_equal(outcome_nested("{% if true %}", "x", "{% endif %}", BT_EXPR_DEPTH_MAX - 1),
                     BT_OK);
    assert_int_equal(outcome_nested("{% if true %}", "x", "{% endif %}", BT_EXPR_DEPTH_MAX),
                     BT_LIMIT);
    assert_int_equal(outcome_nested("{{ 1 }}", "", "", 1000), BT_OK);
    assert_int_equal(outcome_nested("{{ 1 }}", "", "", BT_EXPR_NODES_MAX), BT_LIMIT);
    assert_int_equal(outcome(BT_STR("{{ range(1, 1000000) | length }}")), BT_OK);
    assert_int_equal(outcome(BT_STR("{{ range(1, 1000001) | length }}")), BT_LIMIT);
    assert_int_equal(outcome(BT_STR("{% set a = '0123456789' %}{% for i in 1..25 %}"
                                    "{% set a = a ~ a %}{% endfor %}")),
                     BT_LIMIT);
    assert_int_equal(outcome(BT_STR("{{ range(1, 3000) contains range(1, 3000) }}")), BT_LIMIT);
    assert_int_equal(outcome(BT_STR("{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' | "
                                    "replace({'(a+)+[bc]': ''}, regexp=true) }}")),
                     BT_LIMIT);
    assert_int_equal(outcome(BT_STR("{% macro a(n) %}{{ a(n) ~ a(n) }}{% endmacro %}{{ a(1) }}")),
                     BT_LIMIT);
    assert_int_equal(outcome(BT_STR("{{ 'a'.repeat(100000000) }}")), BT_LIMIT);
}

static void test_chains(void **state)
{
    struct bt_buf fine = BT_BUF_INIT(100000), deep = BT_BUF_INIT(100000);
    (void)state;
    bt_buf_adds(&fine, "{{ 1");
    for (int i = 0; i < 999; i++)
        bt_buf_adds(&fine, " + 1");
    bt_buf_add(&deep, bt_buf_str(&fine));
    bt_buf_adds(&fine, " }}");
    bt_buf_adds(&deep, " + 1 + 1 }}");
    assert_int_equal(outcome(bt_buf_str(&fine)), BT_OK);
    assert_int_equal(outcome(bt_buf_str(&deep)), BT_LIMIT);
    bt_buf_done(&fine);
    bt_buf_done(&deep);
}

/* --- Threads ---------------------------------------------------------------------------------- */

struct shared {
    struct bt_template *template;
    struct bt_value *context;
};

static void *render_often(void *data)
{
    struct shared *shared = data;
    struct bt_scope scope;
    bt_scope_of_map(&scope, shared->context);
    for (int i = 0; i < 200; i++) {
        BT_VALUE text = NULL;
        if (bt_template_render(shared->template, &scope, &text, NULL) < 0 ||
            !bt_str_is(bt_value_str(text), "[3,2,1] Y 2024-01-01T01:00:00.000000+01:00"))
            return data;
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct shared shared = {
        compile("{{ l | sort | reverse }} {{ s | upper }} {{ 1704067200 | date(timeZone=z) }}"),
        json("{\"l\": [2, 3, 1], \"s\": \"y\", \"z\": \"Europe/Paris\"}"),
    };
    pthread_t threads[4];
    void *failed = NULL;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, render_often, &shared), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        failed = result ? result : failed;
    }
    assert_null(failed);
    bt_template_unref(shared.template);
    bt_value_unref(shared.context);
}

static void test_truthy(void **state)
{
    (void)state;
    assert_false(bt_text_is_truthy(BT_STR("")));
    assert_false(bt_text_is_truthy(BT_STR("false")));
    assert_false(bt_text_is_truthy(BT_STR("0")));
    assert_false(bt_text_is_truthy(BT_STR("-0")));
    assert_true(bt_text_is_truthy(BT_STR("False")));
    assert_true(bt_text_is_truthy(BT_STR("0.0")));
    assert_true(bt_text_is_truthy(BT_STR(" ")));
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_typed),        cmocka_unit_test(test_recursive),
        cmocka_unit_test(test_literal),      cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_capabilities), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_dyn),          cmocka_unit_test(test_places),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_chains),
        cmocka_unit_test(test_threads),      cmocka_unit_test(test_truthy),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
