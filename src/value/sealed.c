/* sealed.c — Sealed values: made, recognised, replaced. Knows nothing of keys. */
#include "value/sealed.h"

struct bt_value *bt_sealed_new(struct bt_value *cipher, struct bt_value *masked)
{
    BT_VALUE sealed = bt_map_new(3);
    if (bt_map_puts(sealed, "type", bt_value_cstr(BT_SEALED_TYPE)) < 0) {
        bt_value_unref(cipher);
        bt_value_unref(masked);
        return NULL;
    }
    int rc = bt_map_puts(sealed, "value", cipher);
    rc |= bt_map_puts(sealed, "masked", masked);
    return rc == BT_OK ? BT_TAKE(sealed) : NULL;
}

bool bt_sealed_is(const struct bt_value *value)
{
    return bt_value_is(value, BT_KIND_MAP) &&
           bt_str_eq(bt_map_str(value, "type"), BT_STR(BT_SEALED_TYPE)) &&
           bt_value_is(bt_map_gets(value, "value"), BT_KIND_STRING);
}

bool bt_sealed_has(const struct bt_value *value)
{
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    if (!is_map && !bt_value_is(value, BT_KIND_LIST))
        return false;
    if (bt_sealed_is(value))
        return true;
    for (size_t i = 0; i < bt_value_count(value); i++)
        if (bt_sealed_has(is_map ? bt_map_at(value, i, NULL) : bt_list_at(value, i)))
            return true;
    return false;
}

struct bt_value *bt_sealed_masked(const struct bt_value *value)
{
    struct bt_value *masked = bt_map_gets(value, "masked");
    return bt_value_is(masked, BT_KIND_STRING) ? masked : NULL;
}

int bt_sealed_replace(const struct bt_value *value,
                      int (*open)(void *data, const struct bt_value *sealed,
                                  struct bt_value **ret_value, struct bt_err *err),
                      void *data, struct bt_value **ret_value, struct bt_err *err)
{
    if (!bt_sealed_has(value)) {
        *ret_value = bt_value_ref(value);
        return BT_OK;
    }
    if (bt_sealed_is(value))
        return open(data, value, ret_value, err);
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    size_t count = bt_value_count(value);
    BT_VALUE copy = is_map ? bt_map_new(count) : bt_list_new(count);
    if (!copy)
        return bt_fail_mem(err, "value");
    for (size_t i = 0; i < count; i++) {
        struct bt_value *key = NULL, *item = NULL;
        const struct bt_value *old = is_map ? bt_map_at(value, i, &key) : bt_list_at(value, i);
        BT_TRY(bt_sealed_replace(old, open, data, &item, err));
        if ((is_map ? bt_map_put_key(copy, key, item) : bt_list_push(copy, item)) < 0)
            return bt_fail_mem(err, "value");
    }
    *ret_value = BT_TAKE(copy);
    return BT_OK;
}
