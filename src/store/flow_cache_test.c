/* Goal: the cache gives what was put, by its whole key, and stays bounded.
 * Method: many flows, of two tenants, many revisions; what is given must be what was asked for. */
#include "store/flow_cache.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct bt_flow *make(int number, uint32_t revision)
{
    char source[200];
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    (void)snprintf(source, sizeof source,
                   "id: f%d\nnamespace: test\ntasks: [{id: t, type: log, message: x}]\n", number);
    assert_int_equal(bt_flow_parse(bt_str_of(source), &flow, &diags), BT_OK);
    bt_diags_done(&diags);
    flow->revision = revision;
    return flow;
}

static struct bt_flow *get(struct bt_flow_cache *cache, const char *tenant, int number,
                           uint32_t revision)
{
    char id[32];
    (void)snprintf(id, sizeof id, "f%d", number);
    struct bt_flow_key key = {tenant, BT_STR("test"), bt_str_of(id), revision};
    return bt_flow_cache_get(cache, &key);
}

static void test_whole_key(void **state)
{
    (void)state;
    struct bt_flow_cache *cache = bt_flow_cache_new();
    struct bt_flow *one = make(1, 1), *two = make(1, 2), *other = make(1, 1);
    bt_flow_cache_put(cache, "a", one);
    bt_flow_cache_put(cache, "a", two);
    bt_flow_cache_put(cache, "b", other);
    struct bt_flow *found[] = {get(cache, "a", 1, 1), get(cache, "a", 1, 2), get(cache, "b", 1, 1)};
    assert_ptr_equal(found[0], one);
    assert_ptr_equal(found[1], two);
    assert_ptr_equal(found[2], other);
    assert_null(get(cache, "b", 1, 2));
    assert_null(get(cache, "a", 2, 1));
    bt_flow_cache_put(cache, "a", other); /* The same revision once more. */
    struct bt_flow *again = get(cache, "a", 1, 1);
    assert_ptr_equal(again, other);
    bt_flow_cache_drop(cache, &(struct bt_flow_key){"a", BT_STR("test"), BT_STR("f1"), 1});
    assert_null(get(cache, "a", 1, 1));
    bt_flow_cache_drop(cache, &(struct bt_flow_key){"a", BT_STR("test"), BT_STR("f1"), 1});
    for (size_t i = 0; i < 3; i++)
        bt_flow_unref(found[i]);
    bt_flow_unref(again);
    bt_flow_unref(one);
    bt_flow_unref(two);
    bt_flow_unref(other);
    assert_null(bt_flow_cache_free(cache));
}

static void test_bounded(void **state)
{
    (void)state;
    enum { FLOWS = 2000, MOST = 512 };
    struct bt_flow_cache *cache = bt_flow_cache_new();
    struct bt_flow *often = make(FLOWS, 1);
    int kept = 0;
    bt_flow_cache_put(cache, "a", often);
    for (int i = 0; i < FLOWS; i++) {
        struct bt_flow *flow = make(i, 1);
        bt_flow_cache_put(cache, "a", flow);
        bt_flow_unref(flow);
        flow = get(cache, "a", FLOWS, 1);
        assert_ptr_equal(flow, often); /* What is asked for stays. */
        bt_flow_unref(flow);
    }
    for (int i = 0; i < FLOWS; i++) {
        struct bt_flow *flow = get(cache, "a", i, 1);
        kept += flow != NULL;
        bt_flow_unref(flow);
    }
    assert_true(kept > MOST * 3 / 4 && kept < MOST);
    bt_flow_unref(often);
    bt_flow_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_key),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
