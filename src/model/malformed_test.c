/* malformed_test.c — Goal: every mistake is told at its place, in the right words, all at once.
 * Method: the table test/flows/malformed.yaml; all diagnostics of each case are compared. */
#include "lang/yaml/yaml.h"
#include "model/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char path[] = "test/flows/malformed.yaml";

static void diag_line(const struct bt_diag *diag, struct bt_buf *out)
{
    static const char *const severities[] = {"error", "warning", "note"};
    bt_buf_clear(out);
    bt_buf_addf(out, "%u:%u %s %s: %s", diag->at.line, diag->at.col, severities[diag->severity],
                diag->code, diag->msg);
    if (*diag->hint)
        bt_buf_addf(out, " -- %s", diag->hint);
}

/* The original's words: each line of each diagnostic against the case's list. */
static bool check_original(const struct bt_diags *diags, const struct bt_value *want,
                           struct bt_str name)
{
    size_t count = 0;
    bool is_good = true;
    struct bt_buf line = BT_BUF_INIT(4096);
    for (size_t i = 0; i < diags->count; i++) {
        const char *at = diags->items[i].original;
        while (*at) {
            size_t len = strcspn(at, "\n");
            bt_buf_clear(&line);
            bt_buf_addf(&line, "%s: %.*s", diags->items[i].path, (int)len, at);
            struct bt_str expected = bt_value_str(bt_list_at(want, count++));
            if (!bt_str_eq(bt_buf_str(&line), expected)) {
                is_good = false;
                print_error("%.*s: got original %.*s\n", BT_FMT(name), BT_FMT(bt_buf_str(&line)));
                print_error("%.*s: want         %.*s\n", BT_FMT(name), BT_FMT(expected));
            }
            at += at[len] ? len + 1 : len;
        }
    }
    bt_buf_done(&line);
    return is_good && count == bt_value_count(want);
}

/* Returns whether the case holds; prints what differs. */
static bool run_case(const struct bt_value *one)
{
    struct bt_str name = bt_map_str(one, "name");
    const struct bt_value *expect = bt_map_gets(one, "expect");
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    int rc = bt_flow_parse(bt_map_str(one, "source"), &flow, &diags);
    bool is_good = diags.count == bt_value_count(expect) && (rc == BT_OK) == (diags.errors == 0) &&
                   (rc == BT_OK) == (flow != NULL);
    struct bt_buf line = BT_BUF_INIT(4096);
    for (size_t i = 0; i < diags.count; i++) {
        diag_line(&diags.items[i], &line);
        if (bt_str_eq(bt_buf_str(&line), bt_value_str(bt_list_at(expect, i))))
            continue;
        is_good = false;
        print_error("%.*s: got  %.*s\n", BT_FMT(name), BT_FMT(bt_buf_str(&line)));
        print_error("%.*s: want %.*s\n", BT_FMT(name), BT_FMT(bt_value_str(bt_list_at(expect, i))));
    }
    const struct bt_value *original = bt_map_gets(one, "original");
    if (original && !check_original(&diags, original, name))
        is_good = false;
    if (!is_good)
        print_error("%.*s: rc %d, %zu diagnostics, want %zu\n", BT_FMT(name), rc, diags.count,
                    bt_value_count(expect));
    bt_buf_done(&line);
    bt_flow_unref(flow);
    bt_diags_done(&diags);
    return is_good;
}

static void test_table(void **state)
{
    (void)state;
    struct bt_buf text = BT_BUF_INIT(4u << 20);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char chunk[8192];
    size_t len;
    while ((len = fread(chunk, 1, sizeof chunk, in)) > 0)
        bt_buf_add(&text, (struct bt_str){chunk, len});
    fclose(in);
    BT_VALUE cases = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (bt_yaml_text_value(bt_buf_str(&text), &cases, &err) != BT_OK)
        fail_msg("%s:%u:%u: %s", path, err.line, err.col, err.msg);
    bt_buf_done(&text);
    size_t failed = 0;
    assert_true(bt_value_count(cases) >= 60);
    for (size_t i = 0; i < bt_value_count(cases); i++)
        failed += run_case(bt_list_at(cases, i)) ? 0 : 1;
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
