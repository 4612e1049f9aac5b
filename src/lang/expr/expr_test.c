/* expr_test.c — Goal: every operator, tag, test, filter and function gives what the reference says.
 * Method: a row per rule: template, variables, expected text, or a part of the expected error. */
#include "lang/expr/expr.h"

#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

struct row {
    const char *template, *context, *want;
};

/* Renders; the error's message stands in for the text, with a '!' before it. */
static void check(const struct row *row)
{
    struct bt_err err = BT_ERR_INIT;
    struct bt_scope scope;
    BT_VALUE context = NULL;
    BT_VALUE text = NULL;
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    const char *json = row->context ? row->context : "{}";
    assert_int_equal(bt_json_parse(bt_str_of(json), NULL, &context, &err), BT_OK);
    bt_scope_of_map(&scope, context);
    scope.now_us = 1705314600123456;
    int rc = bt_template_parse(bt_str_of(row->template), &template, &err);
    if (rc == BT_OK)
        rc = bt_template_render(template, &scope, &text, &err);
    if (row->want[0] == '!') {
        if (rc == BT_OK || !strstr(err.msg, row->want + 1))
            fail_msg("%s: want error '%s', got %s", row->template, row->want + 1,
                     rc == BT_OK ? "a text" : err.msg);
        return;
    }
    if (rc < 0)
        fail_msg("%s: %s", row->template, err.msg);
    if (!bt_str_is(bt_value_str(text), row->want))
        fail_msg("%s: want '%s', got '%.*s'", row->template, row->want, BT_FMT(bt_value_str(text)));
}

static void check_all(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&rows[i]);
}

#define CHECK(rows) check_all(rows, BT_COUNT(rows))

/* --- Literals and operators ------------------------------------------------------------------- */

static const struct row literals[] = {
    {"plain", 0, "plain"},
    {"", 0, ""},
    {"{ no tag }", 0, "{ no tag }"},
    {"{{ 7 }}|{{ 7L }}|{{ 007 }}", 0, "7|7|7"},
    {"{{ 2.50 }}|{{ 100000000.0 }}|{{ 0.0001 }}", 0, "2.5|1.0E8|1.0E-4"},
    {"{{ 'a\"b' }}{{ \"c'd\" }}", 0, "a\"bc'd"},
    {"{{ 'it\\'s' }}|{{ 'a\\tb' }}", 0, "it's|a\\tb"},
    {"{{ \"n#{ 1 + 2 }m\" }}|{{ \"#{ a }#{ a }\" }}", "{\"a\": \"x\"}", "n3m|xx"},
    {"{{ TRUE }} {{ false }} {{ NONE }}.", 0, "true false ."},
    {"{{ [] }} {{ [1, 'b', null] }}", 0, "[] [1,\"b\",null]"},
    {"{{ {} }} {{ {'k': [1]} }}", 0, "{} {\"k\":[1]}"},
    {"{{ {'b': 1, 'a': 2} }}", 0, "{\"a\":2,\"b\":1}"},
    {"{{ 2..4 }} {{ 'x'..'z' }} {{ 3..1 }}", 0, "[2,3,4] [\"x\",\"y\",\"z\"] []"},
    {"{{ 99999999999999999999 }}", 0, "!For input string: \"99999999999999999999\""},
    {"{{ 1e5 }}", 0, "!expected token of type PRINT_END"},
    {"{{ [1][0] }}", 0, "!Unexpected token of value \"[\" and type PUNCTUATION"},
    {"{{ ('ab').length() }}", 0, "2"},
    {"{{", 0, "!Unexpected token \"EOF\" of value \"null\""},
    {"{{ 1", 0, "!Unexpected"},
    {"{{ (1 }}", 0, "!Unclosed \")\""},
    {"{{ 1) }}", 0, "!Unexpected \")\""},
    {"{{ \"a#{1\" }}", 0, "!Unclosed"},
    {"{{ ^ }}", 0, "!Unexpected character [^]"},
};

static const struct row operators[] = {
    {"{{ 2 + 3 * 4 - 1 }}", 0, "13"},
    {"{{ (2 + 3) * 4 }}", 0, "20"},
    {"{{ -7 / 2 }} {{ -7 % 3 }} {{ 7 / 2.0 }}", 0, "-3 -1 3.5"},
    {"{{ 5 / 0 }}", 0, "!Could not perform division"},
    {"{{ 5 % 0 }}", 0, "!Could not perform greater modulus"},
    {"{{ 5.0 / 0 }}", 0, "Infinity"},
    {"{{ 'a' * 2 }}", 0, "!Could not perform multiplication"},
    {"{{ 9223372036854775807 + 1 }}", 0, "-9223372036854775808"},
    {"{{ (a + a) | className }} {{ a + a }}", "{\"a\": 2147483647}", "java.lang.Long -2"},
    {"{{ 'n' + 1 }}|{{ 1 + 'n' }}|{{ 'n' + null }}", 0, "n1|1n|nnull"},
    {"{{ [1] + 2 }} {{ [1] + [2, 3] }} {{ [1, 2, 1] - 1 }} {{ [1, 2, 3] - [1, 3] }}", 0,
     "[1,2] [1,2,3] [2,1] [2]"},
    {"{% set x = [1] %}{% set y = x + 2 %}{{ x }}", 0, "[1,2]"},
    {"{{ null + 1 }}", 0, "!Could not perform addition"},
    {"{{ missing + 1 }}", 0, "!Could not perform addition"},
    {"{{ 1 == 1.0 }} {{ '1' == 1 }} {{ null == null }} {{ 'a' equals 'a' }}", 0,
     "true false true true"},
    {"{{ 1 != 2 }} {{ [1] == [1] }} {{ {'a': 1} == {'a': 1} }}", 0, "true true true"},
    {"{{ 2 > 1 }} {{ 2 >= 2.0 }} {{ 1 < null }} {{ 3 <= 2 }}", 0, "true true false false"},
    {"{{ 'a' < 'b' }}", 0, "!Could not perform greater modulus"},
    {"{{ 1 >= 'b' }}", 0, "!Could not perform greater than or equals comparison"},
    {"{{ true and 1 and 'x' }} {{ false or '' }} {{ true or missing }}", 0, "true false true"},
    {"{{ null and true }}", 0, "!null value used in and operator"},
    {"{{ [] or true }}", 0, "!cannot be cast to class java.lang.Boolean"},
    {"{{ not true }} {{ not '' }} {{ not 1 == 0 }}", 0, "false true false"},
    {"{{ not null }}", 0, "!null value given to not()"},
    {"{{ not [] }}", 0, "!Unsupported value type ArrayList"},
    {"{{ 'abc' contains 'bc' }} {{ [1, 2] contains 2 }} {{ {'k': 1} contains 'k' }}", 0,
     "true true true"},
    {"{{ [1, 2, 3] contains [1, 3] }} {{ null contains 1 }} {{ l contains 1 }}", "{\"l\": [1]}",
     "true false false"},
    {"{{ 5 contains 1 }}", 0, "!Contains operator can only be used on Collections"},
    {"{{ 1 ~ 'a' ~ null ~ [1, 'x'] ~ {'k': null} ~ 1.0 }}", 0, "1a[1, x]{k=null}1.0"},
    {"{{ null ?? 'a' }} {{ missing ?? 'b' }} {{ a.b.c ?? 'c' }}", "{\"a\": {}}", "a b c"},
    {"{{ null ??? 'a' }}|{{ missing ??? 'b' }}", 0, "|b"},
    {"{{ zz() ?? 1 }}", 0, "!Function or Macro [zz] does not exist."},
    {"{{ 'a' ~ missing ?? 'b' }} {{ 1 + missing ?? 2 }}", 0, "ab 3"},
    {"{{ 'a' ~ 'b' | upper }} {{ 'a' | upper ~ 'b' }}", 0, "AB Ab"},
    {"{{ 1 ? 'y' : 'n' }} {{ '' ? 'y' : 'n' }} {{ null ? 'y' : 'n' }}", 0, "y n n"},
    {"{{ 1 == 1 ? 'y' : 'n' | upper }} {{ true ? false ? 1 : 2 : 3 }}", 0, "y 2"},
    {"{{ [] ? 1 : 2 }}", 0, "!class java.util.ArrayList cannot be cast"},
    {"{{ 1 ? 2 }}", 0, "!expected token of type PUNCTUATION"},
    {"{{ -'a' }}", 0, "!invalid operands for mathematical operation [MULTIPLICATION]"},
    {"{{ - 2 }} {{ + 2 }} {{ -2.5 }} {{ -a }}", "{\"a\": 3}", "-2 2 -2.5 -3"},
    {"{{ 'a'..2 }}", 0, "!Arguments of range function must be of type Number"},
    {"{{ 1 in [1] }}", 0, "!Unexpected token of value \"in\" and type NAME"},
};

static void test_literals(void **state)
{
    (void)state;
    CHECK(literals);
}

static void test_operators(void **state)
{
    (void)state;
    CHECK(operators);
}

/* --- Variables -------------------------------------------------------------------------------- */

static const struct row variables[] = {
    {"{{ a.b['c'] }}", "{\"a\": {\"b\": {\"c\": 5}}}", "5"},
    {"{{ l[1] }}{{ l['0'] }}{{ l[i] }}", "{\"l\": [\"x\", \"y\"], \"i\": 1}", "yxy"},
    {"{{ x }}", 0, "!Unable to find `x` used in the expression `{{ x }}` at line 1"},
    {"\n\n{{ x }}", 0, "!at line 3"},
    {"{{ a.b.c }}", "{\"a\": {}}", "!Unable to find `b` used"},
    {"{{ a.b }}", "{\"a\": null}", "!Unable to find `a` used"},
    {"{{ a.b.c }}", "{\"a\": {\"b\": null}}", "!Unable to find `c` used"},
    {"{{ l[9] }}", "{\"l\": [1]}", "!Unable to find `9` used"},
    {"{{ l[-1] }}", "{\"l\": [1]}", "!Unable to find `-1` used"},
    {"{{ l.foo }}", "{\"l\": [1]}", "!Unable to find `foo` used"},
    {"{{ a-b }}", "{\"a-b\": 1}", "!Could not perform subtraction"},
    {"{{ m['a-b'] }}", "{\"m\": {\"a-b\": 1}}", "1"},
    {"{{ m[1] }}", "{\"m\": {\"1\": 1}}", "!type class java.lang.String not supported for key 1"},
    {"{{ s.length() }} {{ s.length }} {{ s.toUpperCase() }} {{ s.isEmpty() }} {{ s.empty }}",
     "{\"s\": \"ab\"}", "2 2 AB false false"},
    {"{{ s.split(',')[1] }} {{ s.replace('a', 'b') }} {{ s.substring(2) }} {{ s.indexOf('c') }}",
     "{\"s\": \"a,c\"}", "c b,c c 2"},
    {"{{ l.size() }} {{ l.size }} {{ l.get(0) }} {{ l.indexOf(2) }} {{ l.isEmpty() }}",
     "{\"l\": [1, 2]}", "2 2 1 -1 false"},
    {"{{ m.size() }} {{ m.get('a') }} {{ m.containsKey('z') }} {{ m.entrySet() }} {{ m.keySet() }}",
     "{\"m\": {\"a\": 1}}", "1 1 false [{\"a\":1}] [\"a\"]"},
    {"{{ m.size }}", "{\"m\": {\"a\": 1}}", "!Unable to find `size`"},
    {"{{ m.getClass() }}", "{\"m\": {}}", "!For security reasons access to"},
    {"{{ s.getBytes() }}", "{\"s\": \"a\"}", "!Unable to find `getBytes`"},
    {"{{ s.length(a=1) }}", "{\"s\": \"a\"}", "!Can not use named arguments"},
    {"{{ n }} {{ f }} {{ t }} {{ z }} {{ d }}",
     "{\"n\": 5, \"f\": 0.5, \"t\": true, \"z\": null, \"d\": {\"a\": null, \"b\": [null]}}",
     "5 0.5 true  {\"b\":[null]}"},
};

static const struct row tests[] = {
    {"{{ x is defined }} {{ a.b.c is defined }} {{ null is defined }} {{ 1 is defined }}", 0,
     "false false false true"},
    {"{{ 1 is not defined }} {{ null is null }} {{ 'a' is not null }}", 0, "false true true"},
    {"{{ x is null }}", 0, "!Unable to find `x`"},
    {"{{ '' is empty }} {{ ' ' is empty }} {{ 0 is empty }} {{ [] is empty }} {{ {} is empty }}", 0,
     "true true false true true"},
    {"{{ 2 is even }} {{ 2 is odd }}", 0, "true false"},
    {"{{ null is odd }}", 0, "!Can not pass null value to \"odd\" test."},
    {"{{ 'a' is even }}", 0, "!class java.lang.String cannot be cast to class java.lang.Long"},
    {"{{ [] is iterable }} {{ {} is iterable }} {{ 'a' is iterable }}", 0, "true false false"},
    {"{{ {} is map }} {{ [] is map }}", 0, "true false"},
    {"{{ '{}' is json }} {{ '{' is json }} {{ '' is json }}", 0, "true false true"},
    {"{{ 1 is number }}", 0, "!Test [number] does not exist."},
};

static void test_variables(void **state)
{
    (void)state;
    CHECK(variables);
    CHECK(tests);
}

/* --- Tags ------------------------------------------------------------------------------------- */

static const struct row tags[] = {
    {"{% if a %}1{% elseif b %}2{% else %}3{% endif %}", "{\"a\": false, \"b\": true}", "2"},
    {"{% if false %}1{% endif %}.", 0, "."},
    {"{% if x %}1{% endif %}", 0, "!Wrong operand(s) type in conditional expression"},
    {"{% if [] %}1{% endif %}", 0, "!Wrong operand(s) type in conditional expression"},
    {"{% if 1 %}", 0, "!Pebble was looking for the \"endif\" tag"},
    {"{% for x in [1, 2] %}{{ x }}{{ loop.index }}{{ loop.last }} {% endfor %}", 0,
     "10false 21true "},
    {"{% for x in l %}{{ loop.first }}{{ loop.length }}{{ loop.revindex }}{% endfor %}",
     "{\"l\": [7, 8]}", "true21false20"},
    {"{% for x in [] %}a{% else %}b{% endfor %}{% for x in null %}a{% else %}b{% endfor %}", 0,
     "b"},
    {"{% for e in m %}{{ e.key }}={{ e.value }};{% endfor %}", "{\"m\": {\"a\": 1, \"b\": 2}}",
     "a=1;b=2;"},
    {"{% for x in 'ab' %}{% endfor %}", 0, "!Not an iterable object. Value = [ab]"},
    {"{% for true in [] %}{% endfor %}", 0, "!Can not assign a value to true"},
    {"{% for x in [1] %}", 0, "!looking for the \"endfor\" tag"},
    {"{% set a = 1 %}{% for x in [2, 3] %}{% set a = a + x %}{% endfor %}{{ a }}", 0, "6"},
    {"{% for x in [1] %}{% set b = x %}{% endfor %}{{ b }}", 0, "!Unable to find `b`"},
    {"{% for x in [1, 2] %}{% set v = x %}{% endfor %}{{ v }}", "{\"v\": 0}", "2"},
    {"{% macro m(a, b='d') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m(b=2, a=3) }}", 0, "1d 32"},
    {"{{ m('x') }}{% macro m(a) %}<{{ a }}>{% endmacro %}", 0, "<x>"},
    {"{% macro m() %}{{ v }}{% endmacro %}{{ m() }}", "{\"v\": 1}", "!Unable to find `v`"},
    {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", 0, "!Only 1 argument(s) are allowed."},
    {"{% macro m(a) %}{% endmacro %}{{ m(z=2) }}", 0, "!named argument does not exist: z"},
    {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", 0, "!macros nest deeper"},
    {"{% macro m() %}{% endmacro %}{% macro m() %}{% endmacro %}", 0, "!share the same name: m"},
    {"{% block 'b' %}x{% endblock %}{{ block('b') }}", 0, "xx"},
    {"{% block b %}x{% endblock b %}{{ block('none') }}", 0, "x"},
    {"{% block b %}x", 0, "!endblock tag should be present"},
    {"{% filter upper | lower %}Ab{% endfilter %}{% filter upper %}a{{ 1 }}{% endfilter %}", 0,
     "abA1"},
    {"{% verbatim %} {{ x }}{% endverbatim %}", 0, "{{ x }}"},
    {"{% verbatim %}", 0, "!Unclosed verbatim tag."},
    {"a{% raw %}{{ x }}{% endraw %}b{%- raw -%}{% if %}{%- endraw -%}", 0, "a{{ x }}b{% if %}"},
    {"{% raw %}{{\n1 }}{% endraw %}", 0, "!Unexpected tag name \"raw\""},
    {"a{# b #}c{#- d -#} e", 0, "ace"},
    {"{# b", 0, "!Unclosed comment."},
    {"a \n {{- 1 -}} \n b {%- if true -%} c {%- endif %} d", 0, "a1bc d"},
    {"a {{-1}}", 0, "a -1"},
    {"{% include 'x' %}", 0, "!Unexpected tag name \"include\""},
    {"{% 1 %}", 0, "!A block must start with a tag name."},
    {"{% set x %}", 0, "!expected token of type PUNCTUATION"},
};

static void test_tags(void **state)
{
    (void)state;
    CHECK(tags);
}

/* --- Filters ---------------------------------------------------------------------------------- */

static const struct row text_filters[] = {
    {"{{ 'hello world' | abbreviate(8) }} {{ 'abc' | abbreviate(9) }} {{ 'abcd' | abbreviate(2) }}",
     0, "hello... abc ab"},
    {"{{ 'x' | abbreviate('1') }}", 0, "!cannot be cast to class java.lang.Long"},
    {"{{ ' ab' | capitalize }}|{{ 'a bc' | title }}", 0, " Ab|A Bc"},
    {"{{ 'straße É' | upper }} {{ 'ÄB' | lower }} {{ null | upper }}.", 0, "STRASSE É äb ."},
    {"{{ 5 | title }}", 0, "!class java.lang.Long cannot be cast to class java.lang.String"},
    {"{{ '\t a ' | trim }}.", 0, "a."},
    {"{{ 'abc' | startsWith('ab') }} {{ 'abc' | endsWith('ab') }} {{ 12 | startsWith('1') }}", 0,
     "true false true"},
    {"{{ \"it's\" | escapeChar('single') }} {{ 'a\"' | escapeChar('DOUBLE') }}", 0, "it\\'s a\\\""},
    {"{{ \"it's\" | escapeChar('shell') }} {{ [\"'\"] | escapeChar('single') }}", 0,
     "it'\\''s [\"\\\\'\"]"},
    {"{{ 'a' | escapeChar('x') }}", 0, "!to be either 'single', 'double', or 'shell'."},
    {"{{ \"a\nb\" | indent(2) }}|{{ \"a\nb\" | nindent(1, '-') }}", 0, "a\n  b|\n-a\n-b"},
    {"{{ 'a' | indent }}", 0, "!expects an integer as argument 'amount'."},
    {"{{ 'a' | indent(-1) }}", 0, "!expects a positive integer"},
    {"{{ 'a.b.c' | substringBefore('.') }} {{ 'a.b.c' | substringBeforeLast('.') }}", 0, "a a.b"},
    {"{{ 'a.b.c' | substringAfter('.') }} {{ 'a.b.c' | substringAfterLast('.') }}", 0, "b.c c"},
    {"{{ 'a' | substringBefore('x') }}|{{ 'a' | substringAfter('x') }}", 0, "a|"},
    {"{{ 'a' | substringBefore }}", 0, "!expects an argument 'separator'"},
    {"{{ 'abab' | replace({'a': 'x'}) }} {{ 'a1b22' | replace({'\\d+': '#'}, regexp=true) }}", 0,
     "xbxb a#b#"},
    {"{{ 'k=v' | replace({'(.)=(.)': '$2=$1'}, true) }} {{ {'k': ['a']} | replace({'a': 'b'}) }}",
     0, "v=k {\"k\":[\"b\"]}"},
    {"{{ 'a' | replace({'(': 'b'}, true) }}", 0, "!near index"},
    {"{{ 'a' | replace }}", 0, "!The argument 'replace_pairs' is required."},
    {"{{ 'Ça va_ bien -- là!' | slugify }}", 0, "ca-va-bien-la"},
    {"{{ 'a,b,,' | split(',') }} {{ 'a,b,,' | split(',', -1) }} {{ 'a1b2c' | split('[0-9]', 2) }}",
     0, "[\"a\",\"b\"] [\"a\",\"b\",\"\",\"\"] [\"a\",\"b2c\"]"},
    {"{{ 'ab' | split('') | join('-') }} {{ '' | split(',') | length }}", 0, "a-b 1"},
    {"{{ 'a' | split('(') }}", 0, "!near index"},
};

static const struct row code_filters[] = {
    {"{{ 'hé' | base64encode }} {{ 'aMOp' | base64decode }} {{ 'YQ' | base64decode }}", 0,
     "aMOp hé a"},
    {"{{ '*' | base64decode }}", 0, "!correctly Base64 encoded"},
    {"{{ 'a b/ü' | urlencode }} {{ 'a+b%2F' | urldecode }}", 0, "a+b%2F%C3%BC a b/"},
    {"{{ '%4' | urldecode }}", 0, "!Illegal hex characters"},
    {"{{ 'abc' | md5 }}", 0, "900150983cd24fb0d6963f7d28e17f72"},
    {"{{ 'abc' | sha1 }}", 0, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"{{ 'abc' | sha256 }}", 0, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"{{ ('abc' | sha512).substring(0, 16) }}", 0, "ddaf35a193617aba"},
    {"{{ 1 | md5 }}", 0, "!Need a string to hash"},
};

static const struct row list_filters[] = {
    {"{{ [1, 2, 3] | chunk(2) }}", 0, "[[1,2],[3]]"},
    {"{{ 'a' | chunk(2) }}", 0, "!can only be applied to List"},
    {"{{ [1, 2] | first }}{{ 'ab' | last }}{{ [] | first }}.", 0, "1b."},
    {"{{ '' | first }}", 0, "!String index out of range"},
    {"{{ [[1, [2]], 3] | flatten }}", 0, "[1,[2],3]"},
    {"{{ 1 | flatten }}", 0, "!can only be applied to lists."},
    {"{{ [1, 'a', null] | join('-') }} {{ [1, 2] | join }}", 0, "1-a-null 12"},
    {"{{ 'a' | join(',') }}", 0, "!either a collection or an array"},
    {"{{ {'a': 1} | keys }} {{ ['x', 'y'] | keys }} {{ {'a': 1} | values }}", 0,
     "[\"a\"] [0,1] [1]"},
    {"{{ 1 | keys }}", 0, "!Actual type was: java.lang.Long"},
    {"{{ [1] | values }}", 0, "!can only be applied to Map"},
    {"{{ 'abc' | length }} {{ [1] | length }} {{ null | length }} {{ 5 | length }}", 0, "3 1 0 0"},
    {"{{ [1] | merge([2]) }} {{ {'a': 1} | merge({'b': 2}) }} {{ {'a': 1} | merge(['c']) }}", 0,
     "[1,2] {\"a\":1,\"b\":2} {\"a\":1,\"c\":\"c\"}"},
    {"{{ [1] | merge('x') }}", 0, "!Currently, only Maps and Lists can be merged with a List."},
    {"{{ [2, 1] | sort }} {{ ['b', 'a'] | sort }} {{ [1, 2] | rsort }}", 0,
     "[1,2] [\"a\",\"b\"] [2,1]"},
    {"{{ l | sort }}{{ l }}{{ l | reverse }}{{ l }}", "{\"l\": [2, 3, 1]}",
     "[1,2,3][1,2,3][3,2,1][3,2,1]"},
    {"{{ [1, 'a'] | sort }}", 0, "!cannot be cast to class"},
    {"{{ 'a,b' | split(',') | reverse }}", 0, "!cannot be cast to class java.util.List"},
    {"{{ 'abcd' | slice(1, 3) }} {{ [1, 2, 3] | slice(1) }}", 0, "bc [2,3]"},
    {"{{ [1] | slice(0, 5) }}", 0, "!toIndex must be smaller than input size: 1"},
    {"{{ [1] | slice(0, '1e30' | number('BIGDECIMAL')) }}", 0, "!toIndex must be smaller"},
    {"{{ [1] | slice(-1) }}", 0, "!fromIndex must be greater than 0"},
    {"{{ [1, 2] | slice(1, 1) }}", 0, "!toIndex must be greater than fromIndex"},
};

static const struct row data_filters[] = {
    {"{{ x | default('d') }} {{ '' | default('d') }} {{ 0 | default(1) }} {{ a.b | default('e') }}",
     0, "d d 0 e"},
    {"{{ x | upper | default('d') }}", 0, "d"},
    {"{{ 'a' | className }} {{ 1 | className }} {{ n | className }} {{ 1.5 | className }}",
     "{\"n\": 1}", "java.lang.String java.lang.Long java.lang.Integer java.lang.Double"},
    {"{{ [] | className }} {{ {} | className }} {{ m | className }} {{ 'a' | first | className }}",
     "{\"m\": {}}",
     "java.util.ArrayList java.util.HashMap java.util.LinkedHashMap java.lang.Character"},
    {"{{ m | json }} {{ 'q\"\n' | toJson }} {{ null | json }}", "{\"m\": {\"a\": null, \"b\": 1}}",
     "{\"b\":1} \"q\\\"\\n\" null"},
    {"{{ {'a': [1, {'b': 'x'}], 'b': 'y: z'} | yaml }}{{ [] | yaml }}", 0,
     "a:\n - 1\n - b: x\nb: \"y: z\"\n[]\n"},
    {"{{ 'true' | yaml }}{{ '12' | yaml }}{{ 'a b' | yaml }}{{ \"x\ny\n\" | yaml }}", 0,
     "\"true\"\n\"12\"\na b\n|\n  x\n  y\n"},
    {"{{ [1, 'a', null, 1.5] | toIon }} {{ m | toIon }}", "{\"m\": {\"a b\": true}}",
     "[1,\"a\",null,1.5e0] {'a b':true}"},
    {"{{ 'a' | zz }}", 0, "!Filter [zz] does not exist."},
    {"{{ 'a' | upper(x=1) }} ", 0, "A "},
    {"{{ 'a' | indent(1, zz=1) }}", 0, "!The following named argument does not exist: zz"},
    {"{{ 'a' | startsWith('a', 'b') }}", 0, "!The argument at position 2 is not allowed."},
    {"{{ 'a' | indent(prefix=' ', 1) }}", 0, "!Positional arguments must be declared before"},
};

static const struct row number_filters[] = {
    {"{{ -5 | abs }} {{ -1.5 | abs }} {{ n | abs | className }}", "{\"n\": -1}",
     "5 1.5 java.lang.Integer"},
    {"{{ null | abs }}", 0, "!Can not pass null value to \"abs\" filter."},
    {"{{ '12' | number | className }} {{ '1.5' | number | className }}", 0,
     "java.lang.Integer java.lang.Float"},
    {"{{ '99999999999' | number | className }} {{ '1.123456789' | number | className }}", 0,
     "java.lang.Long java.lang.Double"},
    {"{{ '7' | number('LONG') | className }} {{ '7' | number('BIGDECIMAL') | className }}", 0,
     "java.lang.Long java.math.BigDecimal"},
    {"{{ '0x1F' | number }} {{ '1e3' | number('DOUBLE') }} {{ '7' | number('BIGINTEGER') }}", 0,
     "31 1000.0 7"},
    {"{{ 'x' | number }}", 0, "!x is not a valid number."},
    {"{{ '1.5' | number('INT') }}", 0, "!For input string: \"1.5\""},
    {"{{ 5 | number }}", 0, "!Actual type was: java.lang.Long"},
    {"{% set b = '1.10' | number('BIGDECIMAL') %}{{ b + b }} {{ b * 2 }} {{ b / 3 }}", 0,
     "2.2 2.20 0.3666666666666666666666666666666667"},
    {"{{ 1234.567 | numberFormat('#,##0.00') }} {{ 3 | numberFormat('000') }}", 0, "1,234.57 003"},
    {"{{ 0.256 | numberFormat('#.##%') }} {{ 2.5 | numberFormat('0') }}", 0, "25.6% 2"},
    {"{{ 12345.0 | numberFormat('0.##E0') }} {{ -5 | numberFormat('0;(0)') }}", 0, "1.23E4 (5)"},
    {"{{ 1234.5 | numberFormat }} {{ 5 | numberFormat(\"'#'0\") }}", 0, "1,234.5 #5"},
    {"{{ '5' | numberFormat }}", 0, "!has to be a number."},
    {"{{ 5 | numberFormat('0.0.0') }}", 0, "!Malformed pattern"},
};

static const struct row date_filters[] = {
    {"{{ '2024-01-15T10:30:00Z' | date }}", 0, "2024-01-15T10:30:00.000000Z"},
    {"{{ '2024-01-15T10:30:00+02:00' | date('iso_sec') }}", 0, "2024-01-15T08:30:00Z"},
    {"{{ '2024-07-15T10:30' | date('sql_seq', timeZone='Europe/Paris') }}", 0,
     "2024-07-15 10:30:00"},
    {"{{ '2024-07-15' | date(\"EEEE d MMMM yyyy 'à' HH'h'\", locale='fr') }}", 0,
     "lundi 15 juillet 2024 à 00h"},
    {"{{ '07/15/24' | date('iso_local_date', existingFormat='MM/dd/yy') }}", 0, "2024-07-15"},
    {"{{ 0 | date('yyyy', 'America/New_York') }}", 0, "1969"},
    {"{{ n | date }}", "{\"n\": 5}", "!class java.lang.Integer cannot be cast"},
    {"{{ 'x' | date }}", 0, "!Text 'x' could not be parsed at index 0"},
    {"{{ 0 | date(timeZone='X/Y') }}", 0, "!Unknown time-zone ID: X/Y"},
    {"{{ 0 | date('i') }}", 0, "!Unknown pattern letter: i"},
    {"{{ null | date }}.", 0, "."},
    {"{{ '2024-01-31' | dateAdd(1, 'MONTHS', 'yyyy-MM-dd') }}", 0, "2024-02-29"},
    {"{{ '2024-03-30T12:00:00' | dateAdd(1, 'DAYS', 'iso_sec', 'Europe/Paris') }}", 0,
     "2024-03-31T12:00:00+02:00"},
    {"{{ 0 | dateAdd(1, 'days') }}", 0, "!No enum constant"},
    {"{{ 0 | dateAdd('1', 'DAYS') }}", 0, "!class java.lang.String cannot be cast"},
    {"{{ '1970-01-02' | timestamp }} {{ '1970-01-02' | timestamp('Europe/Paris') }}", 0,
     "86400 82800"},
    {"{{ '1970-01-01T00:00:01.5Z' | timestampMicro }} {{ 1 | timestampNano }}", 0,
     "1000500000 1000000000"},
    {"{{ now() }} {{ now('HH:mm', 'Asia/Tokyo') }}", 0, "2024-01-15T10:30:00.123456Z 19:30"},
};

static void test_filters(void **state)
{
    (void)state;
    CHECK(text_filters);
    CHECK(code_filters);
    CHECK(list_filters);
    CHECK(data_filters);
    CHECK(number_filters);
    CHECK(date_filters);
}

/* --- Functions -------------------------------------------------------------------------------- */

static const struct row functions[] = {
    {"{{ max(1, 3, 2) }} {{ min(2.5, 3) }}", 0, "3 2.5"},
    {"{{ max(1, 'a') }}", 0, "!invalid operands for mathematical comparison [GREATER_THAN]"},
    {"{{ range(1, 5, 2) }} {{ range(3, 1, -1) }} {{ range('a', 'c') }}", 0,
     "[1,3,5] [3,2,1] [\"a\",\"b\",\"c\"]"},
    {"{{ range(1, 2, 0) }}", 0, "!must be different than 0"},
    {"{{ fromJson('{\"a\": [1, 2]}').a[1] }} {{ json('5') + 1 }} {{ fromJson(null) }}.", 0,
     "2 6 ."},
    {"{{ fromJson('{') }}", 0, "!Invalid json: "},
    {"{{ fromJson(1) }}", 0, "!expects an argument 'json' with type string."},
    {"{{ fromJson() }}", 0, "!The 'fromJson' function expects an argument 'json'."},
    {"{{ yaml('a: [1, 2]').a[1] }}", 0, "2"},
    {"{{ yaml(null) }}", 0, "!expects an argument 'yaml' with type string."},
    {"{{ fromIon('{a: x::1, b: [1.5e0, \"t\"], c: null.int}') }}", 0,
     "{\"a\":1,\"b\":[1.5,\"t\"]}"},
    {"{{ fromIon(\"'''a''' '''b'''\") }} {{ fromIon('2024-01-01T00:00Z') }}", 0,
     "ab 2024-01-01T00:00Z"},
    {"{{ fromIon('') }}", 0, "!Invalid ion: No content to map"},
    {"{{ fromIon('{a') }}", 0, "!Invalid ion: "},
    {"{{ render(t) }} {{ renderOnce(t) }} {{ render(t, recursive=false) }} {{ t }}",
     "{\"t\": \"{{ u }}\", \"u\": \"{{ v }}\", \"v\": 1}", "1 {{ v }} {{ v }} {{ u }}"},
    {"{{ render(l) }} {{ render(m) }} {{ render(n) }}",
     "{\"l\": [\"{{ x }}\"], \"m\": {\"{{ x }}\": [\"{{ x }}\"]}, \"n\": 7, \"x\": \"y\"}",
     "[\"y\"] {\"y\":[\"y\"]} 7"},
    {"{{ render(a) }}", "{\"a\": \"{{ b }}\", \"b\": \"{{ a }}\"}", "!Too many rendering attempts"},
    {"{% set s = 1 %}{{ render('{{ s }}') }}", 0, "1"},
    {"{{ currentEachOutput(outputs.t).v }}",
     "{\"outputs\": {\"t\": {\"a\": {\"b\": {\"v\": 9}}}}, \"parents\": [{\"taskrun\": {\"value\": "
     "\"a\"}}], \"taskrun\": {\"value\": \"b\"}}",
     "9"},
    {"{{ fileURI('x/y.txt') }}", "{\"flow\": {\"namespace\": \"a.b\"}}",
     "kestra:///a/b/_files/x/y.txt"},
    {"{{ randomInt(a, b) }}", "{\"a\": 3, \"b\": 3}", "3"},
    {"{{ randomInt(1, 2) }}", 0, "!class java.lang.Long cannot be cast to class java.lang.Integer"},
    {"{{ uuid().length() }} {{ id().length() }}", 0, "36 22"},
    {"{{ decrypt(k, encrypt(k, 'text é')) }}", "{\"k\": \"MDEyMzQ1Njc4OWFiY2RlZg==\"}", "text é"},
    {"{{ decrypt(k, 'AAAA') }}", "{\"k\": \"MDEyMzQ1Njc4OWFiY2RlZg==\"}", "!Input too short"},
    {"{{ encrypt('AAAA', 'x') }}", 0, "!Invalid AES key length: 3 bytes"},
    {"{{ encrypt('x') }}", 0, "!expects two arguments 'key' and 'plaintext'."},
    {"{{ printContext() }}", "{\"a\": 1}", "{\n  \"a\" : 1\n}"},
    {"{{ secret('x') }}", 0, "!the function 'secret' is not available here"},
    {"{{ read() }}", 0, "!The 'read' function expects an argument 'path'"},
    {"{{ zz() }}", 0, "!Function or Macro [zz] does not exist."},
};

static void test_functions(void **state)
{
    (void)state;
    CHECK(functions);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_literals),  cmocka_unit_test(test_operators),
        cmocka_unit_test(test_variables), cmocka_unit_test(test_tags),
        cmocka_unit_test(test_filters),   cmocka_unit_test(test_functions),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
