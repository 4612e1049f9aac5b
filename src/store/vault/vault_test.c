/* vault_test.c — Goal: what is sealed opens again only with the same key, for the same place,
 * unchanged. Method: each of those altered; the key's file made, kept, damaged. */
#include "store/vault/vault.h"

#include "value/sealed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct bt_vault_place here = {"main", "a.b"};

static struct bt_value *seal(const struct bt_vault *vault, const char *text)
{
    BT_VALUE masked = bt_value_cstr("***");
    struct bt_value *sealed = NULL;
    assert_int_equal(bt_vault_seal(vault, here, bt_str_of(text), masked, &sealed), BT_OK);
    assert_true(bt_sealed_is(sealed));
    assert_true(bt_str_is(bt_value_str(bt_sealed_masked(sealed)), "***"));
    return sealed;
}

static int opens(const struct bt_vault *vault, struct bt_vault_place place,
                 const struct bt_value *sealed, const char *want)
{
    BT_VALUE text = NULL;
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_vault_unseal(vault, place, sealed, &text, &err);
    assert_int_equal(rc, err.code);
    if (rc == BT_OK)
        assert_true(bt_str_is(bt_value_str(text), want));
    return rc;
}

static void test_round(void **state)
{
    (void)state;
    struct bt_vault *vault = NULL, *other = NULL;
    assert_int_equal(bt_vault_open(NULL, NULL, &vault, NULL), BT_OK);
    assert_int_equal(bt_vault_open(NULL, NULL, &other, NULL), BT_OK);
    static const char *const texts[] = {"", "x", "a secret with ünïcode"};
    for (size_t i = 0; i < BT_COUNT(texts); i++) {
        BT_VALUE sealed = seal(vault, texts[i]), *again = seal(vault, texts[i]);
        assert_false(bt_value_equal(sealed, again)); /* Another nonce. */
        assert_int_equal(opens(vault, here, sealed, texts[i]), BT_OK);
        assert_int_equal(opens(other, here, sealed, ""), BT_DENIED);
        assert_int_equal(opens(vault, (struct bt_vault_place){"main", "a"}, sealed, ""), BT_DENIED);
        assert_int_equal(opens(vault, (struct bt_vault_place){"maina", ".b"}, sealed, ""),
                         BT_DENIED);
    }
    bt_vault_close(vault);
    bt_vault_close(other);
    assert_null(bt_vault_close(NULL));
}

static void test_damage(void **state)
{
    (void)state;
    struct bt_vault *vault = NULL;
    assert_int_equal(bt_vault_open(NULL, NULL, &vault, NULL), BT_OK);
    BT_VALUE sealed = seal(vault, "text");
    struct bt_str code = bt_map_str(sealed, "value");
    for (size_t i = 0; i < code.len; i++) {
        char copy[256];
        (void)snprintf(copy, sizeof copy, "%.*s", BT_FMT(code));
        if (copy[i] == '=')
            continue;
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        BT_VALUE changed = bt_sealed_new(bt_value_cstr(copy), bt_value_cstr("*"));
        int rc = opens(vault, here, changed, "text");
        assert_true(rc == BT_DENIED || i + 3 > code.len); /* The last digit has spare bits. */
    }
    static const char *const bad[] = {"", "!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
    for (size_t i = 0; i < BT_COUNT(bad); i++) {
        BT_VALUE wrong = bt_sealed_new(bt_value_cstr(bad[i]), bt_value_cstr("*"));
        assert_int_equal(opens(vault, here, wrong, ""), BT_DENIED);
    }
    assert_int_equal(opens(vault, here, NULL, ""), BT_DENIED);
    bt_vault_close(vault);
}

static void test_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/baton-vault-XXXXXX", path[64];
    struct bt_vault *vault = NULL, *again = NULL;
    struct bt_err err = BT_ERR_INIT;
    struct stat at;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/key", dir);
    assert_int_equal(bt_vault_open(dir, "key", &vault, NULL), BT_OK);
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 0777, 0600);
    BT_VALUE sealed = seal(vault, "text");
    assert_int_equal(bt_vault_open(dir, "key", &again, NULL), BT_OK);
    assert_int_equal(opens(again, here, sealed, "text"), BT_OK);
    bt_vault_close(vault);
    bt_vault_close(again);
    assert_int_equal(truncate(path, 63), 0);
    assert_int_equal(bt_vault_open(dir, "key", &vault, &err), BT_CORRUPT);
    assert_true(err.hint[0] != '\0');
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round), cmocka_unit_test(test_damage),
                                       cmocka_unit_test(test_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
