/* expr_engine_test.c — Goal: the corners where flows can see the original's engine are as there.
 * Method: a row per rule, each checked against the original's engine (3.2.2): template, variables,
 * expected text, or a part of the expected error. */
#include "lang/expr/expr.h"

#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

struct row {
    const char *template, *want;
};

static const char context_text[] =
    "{\"s\": \"Hello\", \"l\": [3, 1, 2], \"m\": {\"k\": \"v\"}, \"mn\": {\"a\": null, \"b\": 1}, "
    "\"n\": 5, \"f\": 2.5, \"t\": true, \"nul\": null}";

/* Renders; the error's message stands in for the text, with a '!' before it. */
static void check(const struct row *row)
{
    struct bt_err err = BT_ERR_INIT;
    struct bt_scope scope;
    BT_VALUE context = NULL;
    BT_VALUE text = NULL;
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    assert_int_equal(bt_json_parse(bt_str_of(context_text), NULL, &context, &err), BT_OK);
    bt_scope_of_map(&scope, context);
    int rc = bt_template_parse(bt_str_of(row->template), &template, &err);
    if (rc == BT_OK)
        rc = bt_template_render(template, &scope, &text, &err);
    if (row->want[0] == '!') {
        if (rc == BT_OK || !strstr(err.msg, row->want + 1))
            fail_msg("%s: want %s, got %s", row->template, row->want,
                     rc == BT_OK ? bt_value_str(text).at : err.msg);
        return;
    }
    if (rc < 0 || !bt_str_is(bt_value_str(text), row->want))
        fail_msg("%s: want %s, got %s", row->template, row->want,
                 rc == BT_OK ? bt_value_str(text).at : err.msg);
}

#define CHECK(rows)                                                                                \
    for (size_t i = 0; i < BT_COUNT(rows); i++)                                                    \
    check(&(rows)[i])

static const struct row operators[] = {
    /* A failure inside an operand becomes the operator's, so nothing tolerates it any more. */
    {"{{ (undef == 1) ?? 2 }}", "!Could not perform equals comparison"},
    {"{{ (undef != 1) is defined }}", "!Could not perform not equals comparison"},
    {"{{ (undef + 1) ?? 2 }}", "!Could not perform addition"},
    {"{{ undef < 1 }}", "!Could not perform greater modulus"},
    {"{{ (undef ~ 1) ?? 2 }}{{ (undef contains 1) ?? 2 }}{{ (not undef) ?? 2 }}", "222"},
    {"{{ (-undef) ?? 2 }}{{ (undef ? 1 : 2) ?? 2 }}{{ [undef] ?? 2 }}", "222"},
    {"{{ 1 == true }} {{ 1 != 'x' }} {{ 1 == l }}", "false true false"},
    {"{{ \"#{1}\" == 1 }} {{ \"#{l}\" }} {{ \"a#{l}\" }}", "true [3,1,2] a[3, 1, 2]"},
    {"a{#", "a"},
    {"a{# ", "!Unclosed comment."},
    {"{{ 9223372036854775808 }}", "!For input string: \"9223372036854775808\""},
};

static const struct row attributes[] = {
    {"{{ m[nul] ?? 1 }}", "!because \"attributeNameValue\" is null"},
    {"{{ l[nul] ?? 1 }}", "1"},
    {"{{ m[1] }}", "!type class java.lang.String not supported for key 1"},
    {"{{ ({1: 'a'})[1] }}", "a"},
    {"{{ ({'a': 1})[1] }}", "!type class java.lang.String not supported for key 1"},
    {"{{ s[''] }}", "!String index out of range: 0"},
    {"{{ s.substring(l[1]) }} {{ s.substring(l[1], l[0]) }} {{ s.charAt(l[1]) }}", "ello el e"},
    {"{{ l.get(n) }}", "!Could not call get"},
    {"{{ s.replaceAll('l+', 'L') }} {{ s.replaceFirst('l', '[$0]') }}", "HeLo He[l]lo"},
    {"{{ s.matches('H.*o') }} {{ s.matches('H') }} {{ s.matches('a|Hello') }}", "true false true"},
    {"{{ s.lastIndexOf('l') }} {{ s.lastIndexOf('x') }} {{ s.compareTo('Hallo') }}", "3 -1 4"},
    {"{{ s.hashCode() }} {{ l.hashCode() }} {{ m.hashCode() }}", "69609650 32707 29"},
    {"{{ f.hashCode() }} {{ t.hashCode() }} {{ n.hashCode() }}", "1074003968 1231 5"},
    {"{{ l.lastIndexOf(3) }} {{ l.lastIndexOf(l[0]) }} {{ l.containsAll([1]) }}", "-1 0 false"},
    {"{{ l.containsAll([l[0], l[1]]) }}", "true"},
    {"{{ s.getClass() }}", "!pebble.error.ClassAccessException: For security reasons"},
    {"{{ m.entrySet() }} {{ m.entrySet() ~ '' }} {{ mn.entrySet() }}",
     "[{\"k\":\"v\"}] [k=v] [{},{\"b\":1}]"},
};

static const struct row loops[] = {
    {"{% for e in m %}{{ e }}|{{ e.key }}|{{ e.value }}|{{ e.getKey() }}|{{ e ~ '' }}{% endfor %}",
     "{\"k\":\"v\"}|k|v|k|k=v"},
    {"{% for e in m.entrySet() %}{{ e.key }}{{ e['value'] }}{% endfor %}", "kv"},
    {"{% for e in mn %}{{ e }}{% endfor %}", "{}{\"b\":1}"},
    {"{% for e in m %}{{ e is map }}{{ e | length }}{{ [e] }}{% endfor %}",
     "false0[{\"k\":\"v\"}]"},
    {"{% for e in m %}{{ e.k }}{% endfor %}", "!Unable to find `k`"},
    {"{% for e in m %}{% for x in e %}{% endfor %}{% endfor %}", "!Not an iterable object"},
    {"{% for e in m %}{{ e contains 'k' }}{% endfor %}", "!was: java.util.LinkedHashMap$Entry"},
    {"{% for e in m %}{{ e | merge([1]) }}{% endfor %}", "!is not a Map/List/Array"},
    {"{% for i in [1] %}{{ loop }}{% endfor %}",
     "{last=true, length=1, index=0, revindex=0, first=true}"},
    {"{% for i in [1] %}{{ loop is map }}{{ loop | length }}{{ loop.isFirst() }}{{ loop.LENGTH }}"
     "{% endfor %}",
     "false0true1"},
    {"{% for i in l %}{% set s = i %}{% endfor %}{{ s }}", "2"},
    {"{% if false %}{% elseif nul %}{% endif %}", "!Wrong operand(s) type"},
};

static const struct row blocks[] = {
    /* Inside macros, filter tags and block() values print as Java texts. */
    {"{% macro q(a) %}{{ a }}{% endmacro %}{{ q([1, 'x', nul]) }}{{ q(m) }}{{ q(nul) }}",
     "[1, x, null]{k=v}"},
    {"{% filter upper %}{{ m }}{{ l }}{{ nul }}{% endfilter %}", "{K=V}[3, 1, 2]"},
    {"{% filter upper %}{% filter lower %}{{ m }}{% endfilter %}{% endfilter %}", "{K=V}"},
    {"{% block a %}{{ m }}{% endblock %}{{ block('a') }}", "{\"k\":\"v\"}{k=v}"},
    /* The last block of a name stands everywhere; filter tags hide what they declare. */
    {"{% block a %}1{% endblock %}{% block a %}2{% endblock %}", "22"},
    {"{% block a %}1{% block a %}2{% endblock %}{% endblock %}{{ block('a') }}", "22"},
    {"{% filter trim %}{% block a %}1{% endblock %}{% endfilter %}{{ block('a') }}.", "."},
    {"{% filter trim %}{% block a %}1{% endblock %}{% endfilter %}{% block a %}2{% endblock %}",
     "22"},
    {"{% filter trim %}{% macro r() %}{% endmacro %}{{ r() }}{% endfilter %}",
     "!Function or Macro [r] does not exist."},
    {"{% block a %}{{ block('a') }}{% endblock %}", "!blocks nest deeper"},
    {"{% block a %}{% filter trim %}{% block a %}{% endblock %}{% endfilter %}{% endblock %}",
     "!blocks nest deeper"},
    {"{% block b %}{% set z = 1 %}{% endblock %}{{ z }}", "1"},
    {"{{ block('b') }}{{ z }}{% if false %}{% block b %}{% set z = 1 %}{% endblock %}{% endif %}",
     "1"},
    {"{{ block() }}", "!Index 0 out of bounds for length 0"},
    {"{{ block(n) }}", "!java.lang.Integer cannot be cast to class java.lang.String"},
    {"{{ parent() }}", "!Can not use parent function"},
};

static const struct row macros[] = {
    {"{% macro q(a=1, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ q() }} {{ q(5) }} {{ q(5, 6) }}",
     "11 51 56"},
    {"{% macro q(a=s) %}{{ a }}{% endmacro %}{{ q(1) }}", "!Unable to find `s`"},
    {"{% macro q() %}{% endmacro %}{% macro q() %}{% endmacro %}",
     "!More than one macro can not share the same name: q (?:?)"},
    /* What a macro gives is no String, until a filter or an operator makes it one. */
    {"{% macro q(a) %}{{ a }}{% endmacro %}{{ q('x') == 'x' }} {{ q('x') == q('x') }}",
     "false true"},
    {"{% macro q(a) %}{{ a }}{% endmacro %}{{ (q('a') | upper) == 'A' }} {{ (q('a') ~ '') == 'a' "
     "}}",
     "true true"},
    {"{% macro q(a) %}{{ a }}{% endmacro %}{{ q('a') + q('b') }} {{ q('a') + 1 }}", "ab a1"},
    {"{% macro q(a) %}{{ a }}{% endmacro %}{{ q('') is empty }}", "false"},
    {"{% macro q(a) %}{{ a }}{% endmacro %}{{ q('x').length() }}", "!Unable to find `length`"},
    {"{% macro q(a) %}{{ a }}{% endmacro %}{% if q('x') %}{% endif %}", "!Wrong operand(s) type"},
    {"{% macro q(a) %}{{ a }}{% endmacro %}{{ q('x') contains 'x' }}", "!escaper.SafeString"},
};

static const struct row filters[] = {
    {"{{ n | upper }} {{ l | upper }} {{ t | upper }} {{ m | lower }}", "5 [3, 1, 2] TRUE {k=v}"},
    {"{{ n | trim }}", "!java.lang.Integer cannot be cast to class java.lang.String"},
    {"{{ n | base64encode }} {{ m | base64encode }}", "NQ== e2s9dn0="},
    {"{{ n | base64decode }}", "!This filter applies to String"},
    {"{{ 'abc' | base64decode }} {{ '77+9/w==' | base64decode }}",
     "i\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD"},
    {"{{ '7aCA4oI=' | base64decode }}", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"{{ n | rsort }}", "!java.lang.Integer cannot be cast to class java.util.List"},
    {"{{ n | sort }}", "!Unsupported input type for sort filter"},
    {"{{ [1, n] | sort }}", "!java.lang.Long cannot be cast to class java.lang.Integer"},
    {"{{ [1, n] | rsort }}", "!java.lang.Integer cannot be cast to class java.lang.Long"},
    {"{{ [m, m] | sort }}", "!cannot be cast to class java.lang.Comparable"},
    {"{{ [] | slice(1) }}", "!fromIndex(1) > toIndex(0)"},
    {"{{ s | slice(9) }}", "!begin 9, end 5, length 5"},
    {"{{ s | abbreviate }}", "!Cannot invoke \"java.lang.Long.intValue()\""},
    {"{{ (s | split('l')) is iterable }}", "true"},
    {"{{ nul is even }}", "!PebbleException: Can not pass null value to \"even\" test."},
    {"{{ nul is odd }}", "!Can not pass null value to \"odd\" test."},
};

static void test_engine(void **state)
{
    (void)state;
    CHECK(operators);
    CHECK(attributes);
    CHECK(loops);
    CHECK(blocks);
    CHECK(macros);
    CHECK(filters);
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(test_engine)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
