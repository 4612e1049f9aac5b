/* sandbox_test.c — Goal: a sandbox forbids what it says and nothing else; what a machine lacks is
 * told before a plugin runs. Method: test/plugins/fenced tries both in a real worker; the words of
 * the environment are tried one by one. */
#include "worker/worker_case.h"

#include "plugin/type.h"
#include "worker/host/catalog.h"
#include "worker/host/sandbox.h"

static const unsigned everything = BT_SANDBOX_FILES | BT_SANDBOX_SYSCALLS | BT_SANDBOX_SIGNALS;

static void test_fence(void **state)
{
    (void)state;
    char outside[96], spec[160];
    (void)snprintf(outside, sizeof outside, "%s/outside", root);
    (void)snprintf(spec, sizeof spec, "    outside: %s\n", outside);
    BT_FD fd = open(outside, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "text", 4), 4);
    struct bt_job_result *result = run("fenced.try", spec);
    if (bt_sandbox_missing(everything)) { /* Told, and nothing has run. */
        assert_int_equal(result->state, BT_FAILED);
        assert_non_null(strstr(result->error, bt_sandbox_missing(everything)));
        return;
    }
    assert_int_equal(result->state, BT_SUCCESS);
    expect_json(result->outputs,
                "{\"read\":0,\"null\":0,\"rename\":0,\"socket\":0,\"thread\":0,\"signalChild\":0,"
                "\"wait\":0,\"writeOutside\":13,\"truncateOutside\":13,\"makeOutside\":13,"
                "\"removeOutside\":13,\"signalParent\":1,\"signalInit\":1,\"trace\":1,"
                "\"unshare\":1,\"mount\":1,\"ring\":1,\"space\":1}");
    struct stat at;
    assert_int_equal(stat(outside, &at), 0);
    assert_int_equal(at.st_size, 4);
}

static void test_words(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    unsigned sandbox = 77;
    static const struct {
        const char *list;
        int rc;
        unsigned sandbox;
    } rows[] = {
        {"", BT_OK, 0},
        {"files", BT_OK, BT_SANDBOX_FILES},
        {"signals, syscalls", BT_OK, BT_SANDBOX_SIGNALS | BT_SANDBOX_SYSCALLS},
        {"files,files", BT_OK, BT_SANDBOX_FILES},
        {"file", BT_INVALID, 77},
        {"files,,", BT_INVALID, 77},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        sandbox = 77;
        assert_int_equal(setenv("BATON_SANDBOX", rows[i].list, 1), 0);
        assert_int_equal(bt_sandbox_wanted(&sandbox, &err), rows[i].rc);
        assert_int_equal(sandbox, rows[i].sandbox);
    }
    assert_int_equal(unsetenv("BATON_SANDBOX"), 0);
    assert_int_equal(bt_sandbox_wanted(&sandbox, &err), BT_OK);
    assert_int_equal(sandbox, 0);
}

static void test_probe(void **state)
{
    (void)state;
    size_t count;
    unsigned bits = 0;
    const struct bt_sandbox_part *parts = bt_sandbox_probe(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(parts[i].name && parts[i].use);
        bits |= parts[i].bit;
    }
    assert_int_equal(bits, everything);
    assert_null(bt_sandbox_missing(0));
    assert_int_equal(bt_sandbox_bit(BT_STR("Files")), 0);
}

static void use_plugins(void)
{
    char exe[4096];
    char path[sizeof exe + 64];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    assert_true(len > 0);
    exe[len] = '\0';
    *strrchr(exe, '/') = '\0';
    (void)snprintf(path, sizeof path, "%s/test/plugins", exe);
    assert_int_equal(setenv("BATON_PLUGINS", path, 1), 0);
    bt_catalog_use();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_fence),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_probe),
    };
    use_plugins();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
