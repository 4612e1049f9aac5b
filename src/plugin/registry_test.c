/* registry_test.c — Goal: types are found by every name they have, and manifests keep their own
 * rules. Method: the built-in manifests, walked. */
#include "plugin/type.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"log", "log"},
        {"io.kestra.plugin.core.log.Log", "log"},
        {"io.kestra.core.tasks.log.Log", "log"},
        {"io.kestra.core.tasks.debugs.Return", "return"},
        {"io.kestra.core.tasks.flows.EachSequential", "each_sequential"},
        {"io.kestra.plugin.core.flow.ForEach", "foreach"},
        {"io.kestra.plugin.scripts.shell.Commands", "shell"},
        {"io.kestra.plugin.scripts.shell.Script", "shell.script"},
        {"io.kestra.plugin.scripts.python.Script", "python"},
        {"io.kestra.plugin.scripts.python.Commands", "python.commands"},
        {"labels", "set_labels"},
        {"io.kestra.plugin.core.storage.DeduplicateItems", "storage.deduplicate"},
        {"io.kestra.core.tasks.storages.PurgeExecution", "storage.purge_execution"},
        {"io.kestra.core.tasks.states.Get", "state.get"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct bt_type *type = bt_type_find(bt_str_of(names[i][0]));
        assert_non_null(type);
        assert_string_equal(type->name, names[i][1]);
    }
    assert_null(bt_type_find(BT_STR("Log")));
    assert_null(bt_type_find(BT_STR("")));
    assert_null(bt_type_find(BT_STR("io.kestra.plugin.core.log")));
}

static void test_nearest(void **state)
{
    (void)state;
    assert_string_equal(bt_type_nearest(BT_STR("lgo")), "log");
    assert_string_equal(bt_type_nearest(BT_STR("io.kestra.plugin.core.log.Lgo")),
                        "io.kestra.plugin.core.log.Log");
    assert_string_equal(bt_type_nearest(BT_STR("io.kestra.core.flow.ForEach")),
                        "io.kestra.plugin.core.flow.ForEach");
    assert_null(bt_type_nearest(BT_STR("io.kestra.plugin.core.kv.Something")));
    assert_null(bt_type_nearest(BT_STR("")));
}

/* Types of which every property may be left out. */
static bool needs_nothing(const struct bt_type *type)
{
    static const char *const names[] = {
        "storage.local_files", "storage.purge_execution", "state.set", "state.get", "state.delete",
        "log.fetch",           "namespace.upload"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type->name, names[i]) == 0)
            return true;
    return false;
}

/* Everything that documentation and validation read must be there. */
static void test_manifests(void **state)
{
    (void)state;
    size_t count;
    const struct bt_type *const *types = bt_types(&count);
    assert_true(count >= 20);
    for (size_t i = 0; i < count; i++) {
        const struct bt_type *type = types[i];
        assert_ptr_equal(bt_type_find(bt_str_of(type->name)), type);
        assert_true(*type->title && bt_map_str(type->manifest, "doc").len);
        assert_true(bt_value_count(type->required) > 0 || type->op == BT_OP_RETURN ||
                    type->op == BT_OP_OUTPUT_VALUES || type->op == BT_OP_FAIL ||
                    type->op == BT_OP_PAUSE || type->op == BT_OP_KV_KEYS ||
                    type->op == BT_OP_KV_PURGE || needs_nothing(type));
        for (size_t k = 0; k < bt_value_count(type->schema); k++) {
            const struct bt_value *property = bt_map_at(type->schema, k, NULL);
            struct bt_str variant = bt_map_str(property, "x-variant");
            assert_true(bt_map_str(property, "description").len > 0);
            assert_non_null(bt_map_gets(property, "type"));
            assert_true(!variant.len || bt_type_find(variant));
        }
    }
}

/* The table of docs/flows.md names every type and every required property. */
static void test_documented(void **state)
{
    (void)state;
    static char text[1 << 17];
    FILE *in = fopen("docs/flows.md", "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    size_t count;
    const struct bt_type *const *types = bt_types(&count);
    for (size_t i = 0; i < count; i++) {
        char row[128];
        snprintf(row, sizeof row, "\n| `%s`", types[i]->name);
        const char *at = strstr(text, row);
        if (!at) {
            fail_msg("docs/flows.md does not tell of %s", types[i]->name);
            return;
        }
        for (size_t k = 0; k < bt_value_count(types[i]->required); k++) {
            struct bt_str name = bt_value_str(bt_list_at(types[i]->required, k));
            snprintf(row, sizeof row, "**%.*s**", BT_FMT(name));
            const char *hit = strstr(at, row);
            if (!hit || hit > strchr(at + 1, '\n'))
                fail_msg("docs/flows.md: %s needs %.*s", types[i]->name, BT_FMT(name));
        }
    }
}

static void test_common(void **state)
{
    (void)state;
    assert_non_null(bt_map_gets(bt_type_common(), "runIf"));
    assert_non_null(bt_map_gets(bt_type_common(), "retry"));
}

static void test_runners(void **state)
{
    (void)state;
    const struct bt_runner_type *process = bt_runner_find(BT_STR("process"));
    assert_ptr_equal(bt_runner_find(BT_STR("io.kestra.plugin.core.runner.Process")), process);
    assert_true(process->is_available);
    assert_false(
        bt_runner_find(BT_STR("io.kestra.plugin.scripts.runner.docker.Docker"))->is_available);
    assert_null(bt_runner_find(BT_STR("")));
}

static void *find_log(void *data)
{
    (void)data;
    return (void *)(uintptr_t)bt_type_find(BT_STR("log"));
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, find_log, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *type = NULL;
        assert_int_equal(pthread_join(threads[i], &type), 0);
        assert_non_null(type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads), /* First: threads race to load. */
        cmocka_unit_test(test_names),      cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_manifests),  cmocka_unit_test(test_common),
        cmocka_unit_test(test_documented), cmocka_unit_test(test_runners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
