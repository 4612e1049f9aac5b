/* namespace_test.c — Goal: key-values keep their types, expire, are compared and set, and every
 * refusal has its words and changes nothing. Method: a namespace as an array; requests as JSON. */
#include "engine/namespace/namespace.h"

#include "base/limits.h"
#include "base/vec.h"
#include "value/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct space {
    BT_VEC(struct bt_kv *) rows; /* By key. */
    size_t changes;
};

static int get(void *data, struct bt_str key, const struct bt_kv **ret_kv, struct bt_err *err)
{
    struct space *space = data;
    if (bt_str_is(key, "broken"))
        return bt_fail(err, BT_IO, "cannot read");
    for (size_t i = 0; i < space->rows.count; i++) {
        if (!bt_str_eq(bt_value_str(space->rows.items[i]->key), key))
            continue;
        *ret_kv = space->rows.items[i];
        return BT_OK;
    }
    return BT_NOT_FOUND;
}

static int list(void *data, const struct bt_kv_query *query, struct bt_err *err)
{
    struct space *space = data;
    (void)err;
    for (size_t i = 0; i < space->rows.count; i++)
        if (bt_str_starts(bt_value_str(space->rows.items[i]->key), query->prefix))
            BT_TRY(query->each(query->data, space->rows.items[i]));
    return BT_OK;
}

static void drop(void *data, struct bt_str key)
{
    struct space *space = data;
    space->changes++;
    for (size_t i = 0; i < space->rows.count; i++) {
        if (!bt_str_eq(bt_value_str(space->rows.items[i]->key), key))
            continue;
        bt_kv_free(space->rows.items[i]);
        space->rows.items[i] = space->rows.items[--space->rows.count];
        return;
    }
}

static void put(void *data, struct bt_kv *kv)
{
    struct space *space = data;
    BT_VALUE key = bt_value_ref(kv->key);
    drop(space, bt_value_str(key));
    bt_vec_push(&space->rows, kv);
}

static void space_done(struct space *space)
{
    for (size_t i = 0; i < space->rows.count; i++)
        bt_kv_free(space->rows.items[i]);
    bt_vec_done(&space->rows);
}

/* The outputs as JSON, or "!" and the message. */
static const char *ask(struct space *space, int64_t now_us, const char *json)
{
    static char text[2048];
    const struct bt_space_view view = {space, get, list, put, drop};
    BT_VALUE request = NULL;
    struct bt_space_answer answer = {0};
    struct bt_err err = BT_ERR_INIT;
    size_t changes = space->changes;
    if (bt_json_parse(bt_str_of(json), NULL, &request, NULL) < 0)
        fail_msg("%s", json);
    int rc = bt_namespace_step(&view, (struct bt_space_env){"ns", now_us}, request, &answer, &err);
    if (rc < 0) {
        assert_int_equal(rc, err.code);
        assert_int_equal(space->changes, changes);
        (void)snprintf(text, sizeof text, "!%s", err.msg);
        return text;
    }
    BT_VALUE printed = answer.outputs ? bt_json_text(answer.outputs) : NULL;
    (void)snprintf(text, sizeof text, "%lld %.*s", (long long)answer.number,
                   BT_FMT(bt_value_str(printed)));
    bt_value_unref(answer.outputs);
    return text;
}

static void check(struct space *space, int64_t now_us, const char *json, const char *want)
{
    const char *got = ask(space, now_us, json);
    if (!strstr(got, want))
        fail_msg("%s: got %s, not %s", json, got, want);
}

static void test_life(void **state)
{
    (void)state;
    struct space space = {0};
    check(&space, 1, "{\"op\":\"get\",\"key\":\"a\"}", "{\"value\":null}");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"a\",\"value\":1,\"description\":\"one\"}", "1 ");
    check(&space, 2, "{\"op\":\"put\",\"key\":\"a\",\"value\":2}", "2 ");
    assert_int_equal(space.rows.items[0]->created_us, 1);
    assert_int_equal(space.rows.items[0]->updated_us, 2);
    assert_true(bt_str_is(bt_value_str(space.rows.items[0]->description), "one"));
    check(&space, 2, "{\"op\":\"get\",\"key\":\"a\"}", "{\"value\":2}");
    check(&space, 2, "{\"op\":\"put\",\"key\":\"ab\",\"value\":true}", "1 ");
    check(&space, 2, "{\"op\":\"keys\",\"prefix\":\"ab\"}", "{\"keys\":[\"ab\"]}");
    check(&space, 2, "{\"op\":\"delete\",\"key\":\"a\"}", "1 {\"deleted\":true}");
    check(&space, 2, "{\"op\":\"delete\",\"key\":\"a\"}", "0 {\"deleted\":false}");
    check(&space, 2, "{\"op\":\"put\",\"key\":\"a\",\"value\":3}", "1 ");
    check(&space, 2, "{\"op\":\"purge\"}", "0 {\"size\":0}");
    check(&space, 2, "{\"op\":\"purge\",\"expiredOnly\":false}", "2 {\"size\":2}");
    assert_int_equal(space.rows.count, 0);
    space_done(&space);
}

static void test_refusals(void **state)
{
    (void)state;
    struct space space = {0};
    check(&space, 1, "{\"op\":\"put\",\"key\":\"a\",\"value\":1}", "1 ");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"a\",\"value\":1,\"overwrite\":false}",
          "!Cannot set value for key 'a'. Key already exists and `overwrite` is set to `false`.");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"a\",\"value\":1,\"ifRevision\":2}",
          "!the key 'a' is at revision 1, not 2");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"a\",\"value\":1,\"ifRevision\":0}", "!the key 'a'");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"a\",\"value\":1,\"ifRevision\":1}", "2 ");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"b\",\"value\":1,\"ifRevision\":0}", "1 ");
    check(&space, 1, "{\"op\":\"get\",\"key\":\"x\",\"errorOnMissing\":true}",
          "!No value found for key 'x' in namespace 'ns' and `errorOnMissing` is set to true");
    check(&space, 1, "{\"op\":\"delete\",\"key\":\"x\",\"errorOnMissing\":true}",
          "!No value found");
    check(&space, 1, "{\"op\":\"get\",\"key\":\"\"}", "!Key cannot be null or empty");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"-a\",\"value\":1}",
          "!Key must start with an alphan");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"a/b\",\"value\":1}",
          "!Key must start with an alph");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"t\",\"value\":1,\"ttlUs\":-1}",
          "!the time to live");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"t\",\"value\":1,\"ttlUs\":9223372036854775807}",
          "!the time to live is too long");
    check(&space, 1, "{\"op\":\"put\",\"key\":\"t\",\"value\":1,\"type\":\"NUMBR\"}",
          "!unknown type 'NUMBR'");
    check(&space, 1,
          "{\"op\":\"put\",\"key\":\"t\",\"value\":{\"a\":{\"type\":\"io.kestra.datatype:"
          "aes_encrypted\",\"value\":\"x\"}}}",
          "!a key-value must not hold a secret");
    check(&space, 1, "{\"op\":\"dance\"}", "!unknown request 'dance'");
    check(&space, 1, "{\"op\":\"get\",\"key\":\"broken\"}", "!cannot read");
    space_done(&space);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int want;
    } rows[] = {
        {"a", BT_OK},        {"a.b-c_D9", BT_OK}, {"", BT_INVALID},        {".a", BT_INVALID},
        {"a/b", BT_INVALID}, {"a b", BT_INVALID}, {"\xc3\xa4", BT_INVALID}};
    for (size_t i = 0; i < BT_COUNT(rows); i++)
        assert_int_equal(bt_kv_check_namespace(bt_str_of(rows[i].name), NULL), rows[i].want);
    assert_int_equal(bt_kv_check_key((struct bt_str){"a\0b", 3}, NULL), BT_INVALID);
}

static void test_expiry(void **state)
{
    (void)state;
    struct space space = {0};
    check(&space, 10, "{\"op\":\"put\",\"key\":\"a\",\"value\":1,\"ttlUs\":5}", "1 ");
    check(&space, 14, "{\"op\":\"get\",\"key\":\"a\"}", "{\"value\":1}");
    check(&space, 15, "{\"op\":\"get\",\"key\":\"a\"}", "!The requested value has expired");
    check(&space, 15, "{\"op\":\"keys\"}", "{\"keys\":[]}");
    check(&space, 15, "{\"op\":\"put\",\"key\":\"a\",\"value\":2,\"overwrite\":false}", "1 ");
    check(&space, 16, "{\"op\":\"put\",\"key\":\"b\",\"value\":2,\"ttlUs\":1}", "1 ");
    check(&space, 17, "{\"op\":\"delete\",\"key\":\"b\"}", "0 {\"deleted\":false}");
    assert_int_equal(space.rows.count, 1); /* It is gone all the same. */
    check(&space, 17, "{\"op\":\"put\",\"key\":\"b\",\"value\":2,\"ttlUs\":1}", "1 ");
    check(&space, 18, "{\"op\":\"purge\"}", "1 {\"size\":1}");
    check(&space, 18, "{\"op\":\"get\",\"key\":\"a\"}", "{\"value\":2}");
    space_done(&space);
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *value, *type, *want;
    } rows[] = {
        {"\"x\"", "STRING", "\"x\""},
        {"1", "STRING", "!the value is no STRING"},
        {"\" 12 \"", "NUMBER", "12"},
        {"1.5", "NUMBER", "1.5"},
        {"\"x\"", "NUMBER", "!the value is no NUMBER"},
        {"\"true\"", "NUMBER", "!the value is no NUMBER"},
        {"\"TRUE\"", "BOOLEAN", "true"},
        {"\"yes\"", "BOOLEAN", "false"},
        {"1", "BOOLEAN", "!the value is no BOOLEAN"},
        {"\"2024-05-01T10:00:00Z\"", "DATETIME", "2024-05-01T10:00:00"},
        {"\"soon\"", "DATETIME", "!the value is no DATETIME"},
        {"\"2024-05-01\"", "DATE", "\"2024-05-01\""},
        {"5", "DATE", "!the value is no DATE"},
        {"\"PT5M\"", "DURATION", "PT"},
        {"\"5 minutes\"", "DURATION", "!the value is no DURATION"},
        {"\"[1,2]\"", "JSON", "[1,2]"},
        {"{\"a\":1}", "JSON", "{\"a\":1}"},
        {"\"{\"", "JSON", "!the value is no JSON"},
    };
    struct space space = {0};
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        char json[256];
        (void)snprintf(json, sizeof json,
                       "{\"op\":\"put\",\"key\":\"k\",\"value\":%s,\"type\":\"%s\"}", rows[i].value,
                       rows[i].type);
        check(&space, 1, json, rows[i].want[0] == '!' ? rows[i].want : "");
        if (rows[i].want[0] != '!')
            check(&space, 1, "{\"op\":\"get\",\"key\":\"k\"}", rows[i].want);
    }
    space_done(&space);
}

static void test_limits(void **state)
{
    (void)state;
    struct space space = {0};
    const struct bt_space_view view = {&space, get, list, put, drop};
    struct bt_space_answer answer;
    for (size_t extra = 0; extra < 2; extra++) {
        char key[BT_KV_KEY_BYTES_MAX + 2];
        memset(key, 'k', sizeof key);
        struct bt_str text = {key, BT_KV_KEY_BYTES_MAX + extra};
        assert_int_equal(bt_kv_check_key(text, NULL), extra ? BT_LIMIT : BT_OK);
    }
    char *large = calloc(1, BT_KV_VALUE_BYTES_MAX + 1);
    assert_non_null(large);
    memset(large, 'x', BT_KV_VALUE_BYTES_MAX);
    BT_VALUE request = bt_map_new(3);
    assert_int_equal(bt_map_puts(request, "op", bt_value_cstr("put")), BT_OK);
    assert_int_equal(bt_map_puts(request, "key", bt_value_cstr("k")), BT_OK);
    assert_int_equal(bt_map_puts(request, "value", bt_value_cstr(large)), BT_OK);
    assert_int_equal(
        bt_namespace_step(&view, (struct bt_space_env){"ns", 1}, request, &answer, NULL), BT_LIMIT);
    assert_int_equal(space.rows.count, 0);
    free(large);
    space_done(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),   cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_expiry), cmocka_unit_test(test_names),
        cmocka_unit_test(test_types),  cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
