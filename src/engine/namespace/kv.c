/* kv.c — Types and rules of key-values. */
#include "engine/namespace/kv.h"

#include "base/limits.h"
#include "model/flow.h"
#include "value/json.h"
#include "value/time.h"

#include <stdlib.h>

static const char *const type_names[BT_KV_TYPE_COUNT] = {
    [BT_KV_STRING] = "STRING",     [BT_KV_NUMBER] = "NUMBER", [BT_KV_BOOLEAN] = "BOOLEAN",
    [BT_KV_DATETIME] = "DATETIME", [BT_KV_DATE] = "DATE",     [BT_KV_DURATION] = "DURATION",
    [BT_KV_JSON] = "JSON",
};

const char *bt_kv_type_name(enum bt_kv_type type)
{
    return type < BT_KV_TYPE_COUNT ? type_names[type] : "value";
}

bool bt_kv_type_parse(struct bt_str text, enum bt_kv_type *ret_type)
{
    for (size_t i = 0; i < BT_COUNT(type_names); i++) {
        if (!bt_str_is(text, type_names[i]))
            continue;
        *ret_type = (enum bt_kv_type)i;
        return true;
    }
    return false;
}

enum bt_kv_type bt_kv_type_of(const struct bt_value *value)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_BOOL: return BT_KV_BOOLEAN;
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: return BT_KV_NUMBER;
    case BT_KIND_STRING: break;
    case BT_KIND_NULL:
    case BT_KIND_LIST:
    case BT_KIND_MAP:
    case BT_KIND_LAZY: return BT_KV_JSON;
    }
    enum bt_flavor flavor = bt_value_flavor(value);
    return flavor == BT_FLAVOR_DATETIME   ? BT_KV_DATETIME
           : flavor == BT_FLAVOR_DATE     ? BT_KV_DATE
           : flavor == BT_FLAVOR_DURATION ? BT_KV_DURATION
                                          : BT_KV_STRING;
}

struct bt_kv *bt_kv_new(void)
{
    return calloc(1, sizeof(struct bt_kv));
}

struct bt_kv *bt_kv_free(struct bt_kv *kv)
{
    if (!kv)
        return NULL;
    bt_value_unref(kv->key);
    bt_value_unref(kv->value);
    bt_value_unref(kv->description);
    free(kv);
    return NULL;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name(struct bt_str text)
{
    bool is_right = text.len > 0 && is_alnum(text.at[0]);
    for (size_t i = 0; is_right && i < text.len; i++)
        is_right =
            is_alnum(text.at[i]) || text.at[i] == '.' || text.at[i] == '_' || text.at[i] == '-';
    return is_right;
}

int bt_kv_check_namespace(struct bt_str name, struct bt_err *err)
{
    bool is_right = name.len <= BT_NAMESPACE_BYTES_MAX && is_name(name);
    for (size_t at = 0; is_right && at <= name.len;) {
        ptrdiff_t dot = bt_str_find(name, BT_STR("."), at);
        size_t end = dot < 0 ? name.len : (size_t)dot;
        is_right = end > at && !bt_str_is(bt_str_slice(name, at, end), "_files");
        at = end + 1;
    }
    if (is_right)
        return BT_OK;
    return bt_fail(err, BT_INVALID, "'%.*s' is no name of a namespace", BT_FMT(name));
}

int bt_kv_check_key(struct bt_str key, struct bt_err *err)
{
    if (key.len == 0)
        return bt_fail(err, BT_INVALID, "Key cannot be null or empty");
    if (key.len > BT_KV_KEY_BYTES_MAX)
        return bt_fail(err, BT_LIMIT, "a key is longer than the limit of %u bytes",
                       BT_KV_KEY_BYTES_MAX);
    if (is_name(key))
        return BT_OK;
    return bt_fail(
        err, BT_INVALID,
        "Key must start with an alphanumeric character (uppercase or lowercase) and can "
        "contain alphanumeric characters (uppercase or lowercase), dots (.), underscores "
        "(_), and hyphens (-) only.");
}

/* --- Values ----------------------------------------------------------------------------------- */

static int misfit(enum bt_kv_type type, struct bt_err *err)
{
    return bt_fail(err, BT_INVALID, "the value is no %s", bt_kv_type_name(type));
}

static int as_number(const struct bt_value *value, struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE number = NULL;
    if (bt_value_is(value, BT_KIND_STRING)) {
        if (bt_json_parse(bt_str_trim(bt_value_str(value)), NULL, &number, NULL) < 0)
            return misfit(BT_KV_NUMBER, err);
    } else {
        number = bt_value_ref(value);
    }
    if (bt_kv_type_of(number) != BT_KV_NUMBER)
        return misfit(BT_KV_NUMBER, err);
    *ret_value = BT_TAKE(number);
    return BT_OK;
}

static int as_boolean(const struct bt_value *value, struct bt_value **ret_value, struct bt_err *err)
{
    if (bt_value_is(value, BT_KIND_BOOL)) {
        *ret_value = bt_value_ref(value);
        return BT_OK;
    }
    if (!bt_value_is(value, BT_KIND_STRING))
        return misfit(BT_KV_BOOLEAN, err);
    struct bt_str text = bt_value_str(value);
    bool is_true = text.len == 4 && strncasecmp(text.at, "true", 4) == 0;
    *ret_value = bt_value_bool(is_true);
    return *ret_value ? BT_OK : bt_fail_mem(err, "value");
}

/* Dates are checked and kept as the input types of flows keep them. */
static int as_input(enum bt_kv_type type, enum bt_input_type input, const struct bt_value *value,
                    struct bt_value **ret_value, struct bt_err *err)
{
    if (!bt_value_is(value, BT_KIND_STRING) ||
        bt_input_convert(input, NULL, value, ret_value, NULL) < 0)
        return misfit(type, err);
    return BT_OK;
}

int bt_kv_convert(enum bt_kv_type type, const struct bt_value *value, struct bt_value **ret_value,
                  struct bt_err *err)
{
    bool is_text = bt_value_is(value, BT_KIND_STRING);
    switch (type) {
    case BT_KV_STRING:
        if (!is_text)
            return misfit(type, err);
        break;
    case BT_KV_NUMBER: return as_number(value, ret_value, err);
    case BT_KV_BOOLEAN: return as_boolean(value, ret_value, err);
    case BT_KV_DATETIME: return as_input(type, BT_INPUT_DATETIME, value, ret_value, err);
    case BT_KV_DATE:
        if (as_input(type, BT_INPUT_DATE, value, ret_value, NULL) == BT_OK)
            return BT_OK;
        return as_input(type, BT_INPUT_DATETIME, value, ret_value, err);
    case BT_KV_DURATION: return as_input(type, BT_INPUT_DURATION, value, ret_value, err);
    case BT_KV_JSON:
        if (is_text && bt_json_parse(bt_value_str(value), NULL, ret_value, NULL) < 0)
            return misfit(type, err);
        if (is_text)
            return BT_OK;
        break;
    case BT_KV_TYPE_COUNT: break;
    }
    *ret_value = bt_value_ref(value);
    return BT_OK;
}

struct bt_value *bt_kv_value(enum bt_kv_type type, const struct bt_value *stored)
{
    enum bt_flavor flavor = type == BT_KV_DATETIME   ? BT_FLAVOR_DATETIME
                            : type == BT_KV_DATE     ? BT_FLAVOR_DATE
                            : type == BT_KV_DURATION ? BT_FLAVOR_DURATION
                                                     : BT_FLAVOR_PLAIN;
    if (flavor == BT_FLAVOR_PLAIN || !bt_value_is(stored, BT_KIND_STRING))
        return bt_value_ref(stored);
    return bt_value_text(bt_value_str(stored), BT_KIND_STRING, flavor);
}
