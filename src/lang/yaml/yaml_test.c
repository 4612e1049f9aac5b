/* yaml_test.c — Goal: the tree says what the text says, and where. Method: rows of text and
 * expected outline, positions, scalars and refusals; limits at N-1, N, N+1. */
#include "lang/yaml/yaml.h"

#include "base/limits.h"
#include "base/own.h"
#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

struct parsed {
    struct bt_arena arena;
    struct bt_diags diags;
    struct bt_yaml yaml;
    int rc;
};

static struct parsed parse(struct bt_str text)
{
    struct parsed parsed = {0};
    parsed.rc = bt_yaml_parse(text, &parsed.arena, &parsed.yaml, &parsed.diags);
    return parsed;
}

static void done(struct parsed *parsed)
{
    bt_arena_done(&parsed->arena);
    bt_diags_done(&parsed->diags);
}

/* --- Scalars ---------------------------------------------------------------------------------- */

static const struct {
    const char *text, *json;
} scalars[] = {
    {"a", "\"a\""},
    {"''", "\"\""},
    {"~", "null"},
    {"null", "null"},
    {"Null", "null"},
    {"nULL", "\"nULL\""},
    {"true", "true"},
    {"True", "true"},
    {"tRUE", "\"tRUE\""},
    {"yes", "true"},
    {"On", "true"},
    {"no", "false"},
    {"OFF", "false"},
    {"y", "\"y\""},
    {"n", "\"n\""},
    {"\"yes\"", "\"yes\""},
    {"'1'", "\"1\""},
    {"0", "0"},
    {"-0", "0"},
    {"12", "12"},
    {"+12", "12"},
    {"1_000", "1000"},
    {"017", "15"},
    {"-017", "-15"},
    {"08", "\"08\""},
    {"0x1F", "31"},
    {"0xG", "\"0xG\""},
    {"0b101", "5"},
    {"0o17", "\"0o17\""},
    {"9223372036854775807", "9223372036854775807"},
    {"9223372036854775808", "9223372036854775808"},
    {"0xFFFFFFFFFFFFFFFF", "\"0xFFFFFFFFFFFFFFFF\""},
    {"1.5", "1.5"},
    {"1.", "1.0"},
    {".5", "0.5"},
    {"1e3", "1000.0"},
    {"1.5e-3", "0.0015"},
    {"1e", "\"1e\""},
    {"-1.25", "-1.25"},
    {"0.10", "0.1"},
    {".", "\".\""},
    {"-", "[null]"},
    {"--", "\"--\""},
    {"+", "\"+\""},
    {"1.2.3", "\"1.2.3\""},
    {"1:30", "\"1:30\""},
    {"2024-01-02", "\"2024-01-02\""},
    {".inf", "null"},
    {"-.INF", "null"},
    {".nan", "null"},
    {"!!str 5", "\"5\""},
    {"!!int \"5\"", "5"},
    {"! 5", "\"5\""},
    {"12 monkeys", "\"12 monkeys\""},
    {"a: {b: [1, x], c: }", "{\"a\":{\"b\":[1,\"x\"],\"c\":null}}"},
    {"1: a\ntrue: b", "{\"1\":\"a\",\"true\":\"b\"}"},
    {"- |\n  a\n   b\n- >\n  a\n  b\n\n  c\n- |-\n  x\n", "[\"a\\n b\\n\",\"a b\\nc\\n\",\"x\"]"},
    {"x: &a {k: 1}\ny: *a", "{\"x\":{\"k\":1},\"y\":{\"k\":1}}"},
    {"b: &b {k: 1, l: 2}\nd: {<<: *b, k: 3}", "{\"b\":{\"k\":1,\"l\":2},\"d\":{\"k\":3,\"l\":2}}"},
    {"d:\n  <<: [{k: 1}, {k: 2, m: 3}]\n", "{\"d\":{\"k\":1,\"m\":3}}"},
    {"a:\n  b: [\n  1,\n  2\n  ]\nc: {\nd: 1\n}\n", "{\"a\":{\"b\":[1,2]},\"c\":{\"d\":1}}"},
    /* Many pieces in one scalar: the reader's own way to join them leaks. */
    {"'a''b''c''d''e''f''g''h''i''j''k''l''m''n''o''p''q''r''s''t''u''v''w''x''y''z'",
     "\"a'b'c'd'e'f'g'h'i'j'k'l'm'n'o'p'q'r's't'u'v'w'x'y'z\""},
    {"''", "\"\""},
    {"\"\"", "\"\""},
    {"'<<': 1", "{\"<<\":1}"},
    {"\xEF\xBB\xBF"
     "a: 1",
     "{\"a\":1}"},
    {"", "null"},
    {"# only a comment\n", "null"},
    {"\"\\u00e9\\x41\\n\"", "\"é"
                            "A\\n\""},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(scalars); i++) {
        BT_VALUE value = NULL;
        struct bt_err err = BT_ERR_INIT;
        int rc = bt_yaml_text_value(bt_str_of(scalars[i].text), &value, &err);
        if (rc != BT_OK)
            fail_msg("%s: %s", scalars[i].text, err.msg);
        BT_VALUE json = bt_json_text(value);
        if (!bt_str_is(bt_value_str(json), scalars[i].json))
            fail_msg("%s: got %.*s, want %s", scalars[i].text, BT_FMT(bt_value_str(json)),
                     scalars[i].json);
    }
}

/* --- Refusals: place, code and, where it is the point, words ---------------------------------- */

static const struct {
    const char *text;
    uint32_t line, col;
    const char *code, *words; /* In message or hint; "" = whatever. */
} refusals[] = {
    {"a: 1\nb: 2\na: 3", 3, 1, "duplicate-key", "first in line 1"},
    {"- {x: 1, x: 2}", 1, 10, "duplicate-key", "\"x\""},
    {"a: {{ x }}", 1, 4, "unquoted-expression", "\"{{ x }}\""},
    {"a:\n  - {{ x | y }} # c", 2, 5, "unquoted-expression", "\"{{ x | y }}\""},
    {"a: {{ x }}/b", 1, 4, "unquoted-expression", "\"{{ x }}/b\""},
    {"a: {{ x[\"y\"] }}", 1, 4, "unquoted-expression", "'{{ x[\"y\"] }}'"},
    {"a: {% if x %}", 1, 4, "unquoted-expression", ""},
    {"{{ a }}: 1", 1, 1, "unquoted-expression", ""},
    {"a: b: c", 1, 5, "yaml-syntax", "quotes"},
    {"a: 1\n\tb: 2", 2, 1, "yaml-syntax", "tab"},
    {"a: \"x\nb: 3\n", 1, 4, "yaml-syntax", ""},
    {"a: \"x", 1, 4, "yaml-syntax", "close it"},
    {"a: 'x", 1, 4, "yaml-syntax", "close it"},
    {"a: \"\\q\"", 1, 5, "yaml-syntax", "escape"},
    {"a: [1, 2", 1, 4, "yaml-syntax", "close it"},
    {"a: {b: [1, 2],\nc: 3\n", 1, 4, "yaml-syntax", "close it"},
    {"l:\n  - id: a\n   type: b\n", 3, 4, "yaml-syntax", "indented"},
    {"a: 1\nfoo\nb: 3\n", 2, 1, "yaml-syntax", "':'"},
    {"a: @x", 1, 4, "yaml-syntax", "@"},
    {"a: *nope", 1, 5, "unknown-alias", "nope"},
    {"a: &a [*a]", 1, 9, "recursive-alias", ""},
    {"? [x]\n: 1", 1, 3, "complex-key", ""},
    {"a: 1\nb: \xff", 2, 4, "bad-utf8", "0xFF"},
    {"é: \xc3", 1, 4, "bad-utf8", "0xC3"},
    {"a: \x01", 1, 4, "control-character", "U+0001"},
    {"a: x\r\nb: y\rc: z", 2, 5, "control-character", "line"},
    {"a: \xc2\x80", 1, 4, "control-character", "U+0080"},
    {"<<: 5", 1, 1, "bad-merge", ""},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(refusals); i++) {
        struct parsed parsed = parse(bt_str_of(refusals[i].text));
        if (parsed.rc == BT_OK || parsed.diags.count == 0)
            fail_msg("%s: accepted", refusals[i].text);
        const struct bt_diag *diag = &parsed.diags.items[0];
        if (diag->at.line != refusals[i].line || diag->at.col != refusals[i].col ||
            strcmp(diag->code, refusals[i].code) != 0)
            fail_msg("%s: got %u:%u %s %s", refusals[i].text, diag->at.line, diag->at.col,
                     diag->code, diag->msg);
        if (!strstr(diag->msg, refusals[i].words) && !strstr(diag->hint, refusals[i].words))
            fail_msg("%s: words %s / %s", refusals[i].text, diag->msg, diag->hint);
        done(&parsed);
    }
}

static void test_nul_is_refused(void **state)
{
    (void)state;
    struct parsed parsed = parse((struct bt_str){"a: b\0c", 6});
    assert_int_equal(parsed.rc, BT_INVALID);
    assert_string_equal(parsed.diags.items[0].code, "control-character");
    done(&parsed);
}

static void test_all_duplicates(void **state)
{
    (void)state;
    struct parsed parsed = parse(BT_STR("a: 1\nb: 2\na: 3\nb: 4\na: 5\n"));
    assert_int_equal(parsed.rc, BT_INVALID);
    assert_int_equal(parsed.diags.errors, 3);
    done(&parsed);
}

static void test_documents(void **state)
{
    (void)state;
    struct parsed parsed = parse(BT_STR("a: 1\n---\nb: 2\n---\n"));
    assert_int_equal(parsed.rc, BT_OK);
    assert_int_equal(parsed.yaml.count, 3);
    assert_int_equal(parsed.yaml.docs[1]->at.line, 3);
    assert_true(bt_yaml_is_null(parsed.yaml.docs[2]));
    done(&parsed);
}

/* --- Places ----------------------------------------------------------------------------------- */

/* In each text the scalar under key "k" holds a '#'; it stands where the source has its own '#'. */
static const char *const places[] = {
    "k: ab#c",
    "é: 1\nk: é#c",
    "k: 'it''s #c'",
    "k: \"\\t\\x41\\u00e9\\\\ #c\"",
    "k: \"a\n  b\n\n  c #d\"",
    "k: 'a\n  b #d'",
    "k: a\n  b\n  c#d",
    "k: |\n  a\n   b\n  \n  c #d\n",
    "k: |2\n   a\n  b #d\n",
    "k: |-\n    #d",
    "k: >\n  a\n  b\n\n  c #d\n",
    "k: >-\n  a #d\n",
    "k: \"a\\\n  b #d\"",
    "k: |\r\n  a\r\n  b #d\r\n",
    "l: [x]\nk:     \"#\"",
    "k: |\n  \xF0\x9F\x98\x80 #d\n",
};

static void test_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < BT_COUNT(places); i++) {
        struct bt_str source = bt_str_of(places[i]);
        struct parsed parsed = parse(source);
        if (parsed.rc != BT_OK)
            fail_msg("%s: %s", places[i], parsed.diags.items[0].msg);
        const struct bt_yaml_node *node = bt_yaml_get(parsed.yaml.docs[0], "k");
        ptrdiff_t inside = bt_str_find(node->text, BT_STR("#"), 0);
        ptrdiff_t want = bt_str_find(source, BT_STR("#"), 0);
        assert_true(inside >= 0 && want >= 0);
        struct bt_mark mark = bt_yaml_locate(source, node, (size_t)inside);
        uint32_t line = 1, col = 1;
        for (ptrdiff_t k = 0; k < want; k++) {
            bool is_line = source.at[k] == '\n';
            line += is_line ? 1 : 0;
            col = is_line ? 1 : col + (((unsigned char)source.at[k] & 0xC0) != 0x80 ? 1 : 0);
        }
        if (mark.byte != (size_t)want || mark.line != line || mark.col != col)
            fail_msg("%s: got %u:%u @%u, want %u:%u @%td", places[i], mark.line, mark.col,
                     mark.byte, line, col, want);
        done(&parsed);
    }
}

static void test_marks(void **state)
{
    (void)state;
    struct parsed parsed = parse(BT_STR("a: x\nlist:\n  - 'é' \n  - {k: v}\nempty:\n"));
    const struct bt_yaml_node *root = parsed.yaml.docs[0];
    const struct bt_yaml_node *list = bt_yaml_get(root, "list");
    assert_int_equal(list->items[0]->at.line, 3);
    assert_int_equal(list->items[0]->at.col, 5);
    assert_int_equal(list->items[0]->end.col, 8);
    assert_int_equal(list->items[1]->at.byte, 25);
    assert_int_equal(list->items[1]->style, BT_YAML_FLOW);
    assert_int_equal(bt_yaml_get(root, "empty")->at.line, 5);
    assert_int_equal(root->size, 11);
    done(&parsed);
}

static void test_locate_line(void **state)
{
    (void)state;
    struct bt_str source = BT_STR("k: |\n  one\n  two {{ x\n");
    struct parsed parsed = parse(source);
    const struct bt_yaml_node *node = bt_yaml_get(parsed.yaml.docs[0], "k");
    struct bt_mark mark = bt_yaml_locate_line(source, node, 2, 5);
    assert_int_equal(mark.line, 3);
    assert_int_equal(mark.col, 7);
    done(&parsed);
}

/* --- Limits ----------------------------------------------------------------------------------- */

static int nested(size_t depth)
{
    char text[4 * BT_YAML_DEPTH_MAX];
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    struct parsed parsed = parse((struct bt_str){text, 2 * depth});
    int rc = parsed.rc;
    done(&parsed);
    return rc;
}

static void test_depth(void **state)
{
    (void)state;
    assert_int_equal(nested(BT_YAML_DEPTH_MAX - 1), BT_OK);
    assert_int_equal(nested(BT_YAML_DEPTH_MAX), BT_OK);
    assert_int_equal(nested(BT_YAML_DEPTH_MAX + 1), BT_LIMIT);
}

static void test_alias_depth(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(1 << 16);
    bt_buf_adds(&text, "a0: &a0 [x]\n");
    for (int i = 1; i <= BT_YAML_DEPTH_MAX; i++)
        bt_buf_addf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    struct parsed parsed = parse(bt_buf_str(&text));
    assert_int_equal(parsed.rc, BT_LIMIT);
    assert_string_equal(parsed.diags.items[0].code, "too-deep");
    done(&parsed);
    bt_buf_done(&text);
}

static void test_alias_bomb(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(1 << 16);
    bt_buf_adds(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i <= 9; i++) {
        bt_buf_addf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            bt_buf_addf(&text, "%s*a%d", k ? ", " : "", i - 1);
        bt_buf_adds(&text, "]\n");
    }
    struct parsed parsed = parse(bt_buf_str(&text));
    assert_int_equal(parsed.rc, BT_LIMIT);
    assert_string_equal(parsed.diags.items[0].code, "alias-bomb");
    done(&parsed);
    bt_buf_done(&text);
}

static void test_merge_bomb(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(1 << 20);
    bt_buf_adds(&text, "b: &b {");
    for (int i = 0; i < 1000; i++)
        bt_buf_addf(&text, "k%d: 1, ", i);
    bt_buf_adds(&text, "}\nl:\n");
    for (int i = 0; i < 200; i++)
        bt_buf_adds(&text, "  - <<: *b\n");
    struct parsed parsed = parse(bt_buf_str(&text));
    assert_int_equal(parsed.rc, BT_LIMIT);
    done(&parsed);
    bt_buf_done(&text);
}

static int of_size(size_t size)
{
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    text[0] = '#';
    struct parsed parsed = parse((struct bt_str){text, size});
    int rc = parsed.rc;
    done(&parsed);
    free(text);
    return rc;
}

static void test_size(void **state)
{
    (void)state;
    assert_int_equal(of_size(BT_YAML_BYTES_MAX - 1), BT_OK);
    assert_int_equal(of_size(BT_YAML_BYTES_MAX), BT_OK);
    assert_int_equal(of_size(BT_YAML_BYTES_MAX + 1), BT_LIMIT);
}

static void test_many_keys_fast(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(1 << 20);
    for (int i = 0; i < 8000; i++)
        bt_buf_addf(&text, "key%d: %d\n", i, i);
    clock_t start = clock();
    struct parsed parsed = parse(bt_buf_str(&text));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_int_equal(parsed.rc, BT_OK);
    assert_int_equal(parsed.yaml.docs[0]->count, 8000);
    assert_true(seconds < 1); /* Milliseconds; the bound leaves room for sanitizers and load. */
    done(&parsed);
    bt_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nul_is_refused), cmocka_unit_test(test_all_duplicates),
        cmocka_unit_test(test_documents),      cmocka_unit_test(test_places),
        cmocka_unit_test(test_marks),          cmocka_unit_test(test_locate_line),
        cmocka_unit_test(test_depth),          cmocka_unit_test(test_alias_depth),
        cmocka_unit_test(test_alias_bomb),     cmocka_unit_test(test_merge_bomb),
        cmocka_unit_test(test_size),           cmocka_unit_test(test_many_keys_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
