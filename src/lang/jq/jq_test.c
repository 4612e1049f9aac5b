/* jq_test.c — Goal: programs give what jq 1.6 gives, and none runs for ever. Method: a row per
 * rule: program, input, list of results (or a part of the error); limits of depth, steps and size.
 */
#include "lang/jq/jq.h"

#include "base/limits.h"
#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *program, *input, *want;
} rows[] = {
    /* Access. */
    {".", "1", "[1]"},
    {"", "1", "[1]"},
    {".a.b", "{\"a\":{\"b\":2}}", "[2]"},
    {".a[1], .[\"a\"][-1], .\"a\"[0]", "{\"a\":[7,8]}", "[8,8,7]"},
    {".x.y", "null", "[null]"},
    {".[nan], .[nan - 1], .[infinite], .[-infinite], .[nan:], .[:nan]", "[7]",
     "[null,null,null,null,[7],[]]"},
    {".[nan] = 1", "[7]", "!Out of bounds negative array index"},
    {"nan | todate", "null", "!requires a number"},
    {".a?", "[1]", "[]"},
    {".a", "[1]", "!Cannot index array with \"a\""},
    {".[]", "{\"a\":1,\"b\":[2]}", "[1,[2]]"},
    {"[.[]?]", "5", "[[]]"},
    {".[1:], .[:1], .[-2:-1]", "[1,2,3]", "[[2,3],[1],[2]]"},
    {".[1:2]", "\"h\\u00e9llo\"", "[\"\\u00e9\"]"},
    {"..", "[1,[2]]", "[[1,[2]],1,[2],2]"},
    {".a[]?.b", "{\"a\":[{\"b\":1}]}", "[1]"},
    /* Construction. */
    {"{a, b: 2, (.c): 3, \"x\\(.a)\": 4}", "{\"a\":1,\"c\":\"k\"}",
     "[{\"a\":1,\"b\":2,\"k\":3,\"x1\":4}]"},
    {"1 as $v | {$v, w: $v + 1}", "null", "[{\"v\":1,\"w\":2}]"},
    {"{(\"a\", \"b\"): (1, 2)} | keys[0]", "null", "[\"a\",\"a\",\"b\",\"b\"]"},
    {"[], [1, 2], [.[] | . * 2]", "[3]", "[[],[1,2],[6]]"},
    {"\"a\\(1 + 1)b\\(\"c\")\\u00e9\\n\"", "null", "[\"a2bc\\u00e9\\n\"]"},
    /* Operators. */
    {"1 + 2 * 3 - 4, 7 / 2, 7 % 3, -7 % 3, 1 / 4", "null", "[3,3.5,1,-1,0.25]"},
    {"1 / 0", "null", "!cannot be divided"},
    {"null + 1, \"a\" + \"b\", [1] + [2], {a: 1} + {b: 2}", "null",
     "[1,\"ab\",[1,2],{\"a\":1,\"b\":2}]"},
    {"[1, 2, 1] - [1], \"ab\" * 2, \"a,b\" / \",\", {a: {b: 1}} * {a: {c: 2}}", "null",
     "[[2],\"abab\",[\"a\",\"b\"],{\"a\":{\"b\":1,\"c\":2}}]"},
    {"{} + 1", "null", "!object and number cannot be added"},
    {"1 == 1.0, 1 < \"a\", [1] < [2], null < false, {} > []", "null", "[true,true,true,true,true]"},
    {"true and false, (true, false) or false, (null | not)", "null", "[false,true,false,true]"},
    {".a // \"d\", (false, null, 3) // 4, (empty // 5)", "{}", "[\"d\",3,5]"},
    {"-(1, 2), -.a", "{\"a\":3}", "[-1,-2,-3]"},
    {"1, 2 | . + 1", "null", "[2,3]"},
    {"9007199254740993", "null", "[9007199254740993]"},
    /* Control. */
    {"if . then 1 else 2 end, if false then 1 end", "null", "[2,null]"},
    {"if . == 1 then \"a\" elif . == 2 then \"b\" else \"c\" end", "2", "[\"b\"]"},
    {"try error(\"x\") catch ., try error({a: 1}) catch .a", "null", "[\"x\",1]"},
    {"[.[] | try tonumber catch \"bad\"]", "[\"1\",\"x\"]", "[[1,\"bad\"]]"},
    {"(try 1) | error(\"late\")", "null", "!late"},
    {"error", "\"boom\"", "!boom"},
    {"label $o | .[] | if . > 2 then break $o else . end", "[1,2,3,1]", "[1,2]"},
    {"break $x", "null", "!is not defined"},
    {"reduce .[] as $x (0; . + $x), reduce empty as $x (5; 6)", "[1,2]", "[3,5]"},
    {"[foreach .[] as $x (0; . + $x)], [foreach .[] as $x (0; . + $x; [$x, .])]", "[1,2]",
     "[[1,3],[[1,1],[2,3]]]"},
    {". as [$a, {b: $b}] | $a + $b", "[1,{\"b\":2}]", "[3]"},
    {". as {a: $x, $b, (\"c\"): [$c]} | [$x, $b, $c]", "{\"a\":1,\"b\":2,\"c\":[3]}", "[[1,2,3]]"},
    {"$x", "null", "!$x is not defined"},
    {"def f(x): x * 2; f(.)", "3", "[6]"},
    {"def f($a; $b): $a + $b; f(1, 2; 10)", "null", "[11,12]"},
    {"def fac: if . <= 1 then 1 else . * (. - 1 | fac) end; fac", "10", "[3628800]"},
    {"def f: def g: 3; g; f", "null", "[3]"},
    {"f", "null", "!f/0 is not defined"},
    /* Updates. */
    {".a = 1, .a |= . + 1, .a += 10, .b //= 5", "{\"a\":1}",
     "[{\"a\":1},{\"a\":2},{\"a\":11},{\"a\":1,\"b\":5}]"},
    {"(.[] | select(. > 1)) |= . * 10", "[1,2,3]", "[[1,20,30]]"},
    {".a += (1, 2)", "{\"a\":1}", "[{\"a\":2},{\"a\":3}]"},
    {".x.y[1] = 5", "null", "[{\"x\":{\"y\":[null,5]}}]"},
    {".[1:3] = [9]", "[1,2,3,4]", "[[1,9,4]]"},
    {"(.[] | select(. == 1)) |= empty", "[1,2]", "[[2]]"},
    {"del(.a, .b), del(.[0]?)", "{\"a\":1,\"b\":2,\"c\":3}",
     "[{\"c\":3},{\"a\":1,\"b\":2,\"c\":3}]"},
    {"del(.[1, 2]), del(.[1:]), delpaths([[0]])", "[1,2,3]", "[[1],[1],[2,3]]"},
    {"(1 + 1) = 2", "null", "!Invalid path expression"},
    {"path(.a[0].b), [paths], getpath([\"a\", \"b\"])", "{\"a\":null}",
     "[[\"a\",0,\"b\"],[[\"a\"]],null]"},
    {"setpath([\"a\", 1]; 9), [leaf_paths]", "{\"a\":[5]}", "[{\"a\":[5,9]},[[\"a\",0]]]"},
    {"to_entries, with_entries(.value += 1), (to_entries | from_entries)", "{\"b\":1}",
     "[[{\"key\":\"b\",\"value\":1}],{\"b\":2},{\"b\":1}]"},
    /* Lists and maps. */
    {"length, (\"h\\u00e9\" | length, utf8bytelength), (-5 | length)", "[1,2]", "[2,2,3,5]"},
    {"keys, keys_unsorted", "{\"b\":1,\"a\":2}", "[[\"a\",\"b\"],[\"b\",\"a\"]]"},
    {"keys, has(0), has(9), add, reverse", "[3,4]", "[[0,1],true,false,7,[4,3]]"},
    {"sort, unique, min, max, (map(-.) | sort)", "[3,1,2,1]",
     "[[1,1,2,3],[1,2,3],1,3,[-3,-2,-1,-1]]"},
    {"sort_by(.a), group_by(.a), unique_by(.a), min_by(.a), max_by(.a)",
     "[{\"a\":2},{\"a\":1},{\"a\":2}]",
     "[[{\"a\":1},{\"a\":2},{\"a\":2}],[[{\"a\":1}],[{\"a\":2},{\"a\":2}]],[{\"a\":1},{\"a\":2}],"
     "{\"a\":1},{\"a\":2}]"},
    {"flatten, flatten(1)", "[1,[2,[3]]]", "[[1,2,3],[1,2,[3]]]"},
    {"any, all, any(. == 1), all(.[]; . != null)", "[true,false]", "[true,false,false,true]"},
    {"map(. + 1), map_values(. * 2), first, last, nth(1)", "[1,2]", "[[2,3],[2,4],1,2,2]"},
    {"[range(3)], [range(1; 3)], [range(5; 0; -2)], [limit(2; range(9))]", "null",
     "[[0,1,2],[1,2],[5,3,1],[0,1]]"},
    {"first(range(5)), isvalid(error), [.[]?] == []", "null", "[0,false,true]"},
    {"until(. > 100; . * 2), [while(. < 8; . * 2)], [limit(3; repeat(. + 1))]", "1",
     "[128,[1,2,4],[1,2,3]]"},
    {"[recurse(if . < 3 then . + 1 else empty end)]", "1", "[[1,2,3]]"},
    {"contains({a: [\"x\"]}), (\"b\" | inside(\"abc\")), ([1] | contains([1, 2]))",
     "{\"a\":[\"xy\"],\"b\":1}", "[true,true,false]"},
    {"indices(2), index(2), indices([2, 1])", "[1,2,1,2]", "[[1,3],1,[1]]"},
    {"transpose, [combinations]", "[[1,2],[3]]", "[[[1,3],[2,null]],[[1,3],[2,3]]]"},
    {"walk(if type == \"number\" then . + 1 else . end)", "[1,{\"a\":2}]", "[[2,{\"a\":3}]]"},
    {"[.[] | type], [.[] | scalars], map(select(. != null))", "[null,1,\"a\",[],{}]",
     "[[\"null\",\"number\",\"string\",\"array\",\"object\"],[null,1,\"a\"],[1,\"a\",[],{}]]"},
    /* Texts. */
    {"tostring, tojson, (\"1.5\" | tonumber), (\"[1]\" | fromjson)", "[1]",
     "[\"[1]\",\"[1]\",1.5,[1]]"},
    {"split(\",\"), ascii_upcase, ltrimstr(\"a\"), rtrimstr(\"b\"), startswith(\"a\")", "\"a,b\"",
     "[[\"a\",\"b\"],\"A,B\",\",b\",\"a,\",true]"},
    {"join(\"-\"), (explode? // 1)", "[\"a\",1,null]", "[\"a-1-\",1]"},
    {"explode, (explode | implode), index(\",\"), rindex(\",\")", "\"\\u00e9,,\"",
     "[[233,44,44],\"\\u00e9,,\",1,2]"},
    {"test(\"B\"; \"i\"), [match(\"a\"; \"g\").offset], [scan(\"[a-z]\")]", "\"abA a\"",
     "[true,[0,4],[\"a\",\"b\",\"a\"]]"},
    {"capture(\"(?<y>[0-9]+)-(?<m>[0-9]+)\")", "\"2024-01\"", "[{\"y\":\"2024\",\"m\":\"01\"}]"},
    {"sub(\"a\"; \"x\"), gsub(\"(?<l>[ab])\"; \"<\\(.l)>\"), [splits(\"b\")]", "\"aba\"",
     "[\"xba\",\"<a><b><a>\",[\"a\",\"a\"]]"},
    {"test(\"(\")", "\"a\"", "!is not a valid regex"},
    {"@csv, @tsv, @sh, @json", "[1,\"a\\\"b\",null]",
     "[\"1,\\\"a\\\"\\\"b\\\",\",\"1\\ta\\\"b\\t\",\"1 'a\\\"b' "
     "null\",\"[1,\\\"a\\\\\\\"b\\\",null]\"]"},
    {"@html, @uri, @base64, (@base64 | @base64d), @text", "\"a<b\"",
     "[\"a&lt;b\",\"a%3Cb\",\"YTxi\",\"a<b\",\"a<b\"]"},
    {"@uri \"x=\\(.)\"", "\"a b\"", "[\"x=a%20b\"]"},
    {"@nope", "1", "!nope is not a valid format"},
    {"floor, sqrt, pow(2; 3), (8 | log2), (1.5 | round)", "9", "[9,3,8,3,2]"},
    {"todate, (todate | fromdate)", "1425599621", "[\"2015-03-05T23:53:41Z\",1425599621]"},
    {"env, $ENV", "null", "[{},{}]"},
    /* Syntax. */
    {".[", "1", "!jq: "},
    {"1 +", "1", "!jq: "},
    {"{a", "1", "!jq: "},
    {"\"a", "1", "!jq: unclosed text"},
    {"if 1", "1", "!expected 'then'"},
    {". as x | 1", "1", "!expected a variable"},
    {"1 2", "1", "!unexpected character"},
};

static void test_programs(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_VALUE input = NULL;
        BT_VALUE results = NULL;
        BT_VALUE want = NULL;
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(bt_json_parse(bt_str_of(rows[i].input), NULL, &input, NULL), BT_OK);
        int rc = bt_jq_run(bt_str_of(rows[i].program), input, &results, &err);
        if (rows[i].want[0] == '!') {
            if (rc != BT_INVALID || !strstr(err.msg, rows[i].want + 1))
                fail_msg("%s: want '%s', got '%s'", rows[i].program, rows[i].want, err.msg);
            continue;
        }
        if (rc < 0)
            fail_msg("%s: %s", rows[i].program, err.msg);
        assert_int_equal(bt_json_parse(bt_str_of(rows[i].want), NULL, &want, NULL), BT_OK);
        BT_VALUE text = bt_json_text(results);
        if (!bt_value_equal(results, want))
            fail_msg("%s: want %s, got %s", rows[i].program, rows[i].want, bt_value_str(text).at);
    }
}

static void test_limits(void **state)
{
    static const char *const programs[] = {
        "def f: f; f",
        "def f: ., f; f",
        "[range(1e9)] | length",
        "[limit(2000000; repeat(1))]",
        "0 | until(false; . + 1)",
        "[.[] | range(100000)] | length",
        "\"x\" * 100000000",
        "reduce range(40) as $i (\"xxxxxxxxxx\"; . + .)",
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" | test(\"(a+)+[bc]\")",
        ".[99999999] = 1",
    };
    BT_VALUE input = bt_list_new(100);
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(bt_list_push(input, bt_value_int(i)), BT_OK);
    for (size_t i = 0; i < BT_COUNT(programs); i++) {
        BT_VALUE results = NULL;
        int rc = bt_jq_run(bt_str_of(programs[i]), input, &results, NULL);
        if (rc != BT_LIMIT)
            fail_msg("%s: %d", programs[i], rc);
    }
}

static void test_nesting(void **state)
{
    (void)state;
    for (size_t depth = 10; depth <= 200; depth += 190) {
        BT_VALUE results = NULL;
        struct bt_buf program = BT_BUF_INIT(10000);
        for (size_t i = 0; i < depth; i++)
            bt_buf_addc(&program, '[');
        for (size_t i = 0; i < depth; i++)
            bt_buf_addc(&program, ']');
        int rc = bt_jq_run(bt_buf_str(&program), NULL, &results, NULL);
        assert_int_equal(rc, depth == 10 ? BT_OK : BT_LIMIT);
        bt_buf_done(&program);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_nesting),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
