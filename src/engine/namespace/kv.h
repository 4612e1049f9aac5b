/* kv.h — A key-value of a namespace: its row, its types, its rules. Pure. */
#pragma once
#include "value/value.h"

enum bt_kv_type {
    BT_KV_STRING,
    BT_KV_NUMBER,
    BT_KV_BOOLEAN,
    BT_KV_DATETIME,
    BT_KV_DATE,
    BT_KV_DURATION,
    BT_KV_JSON,
    BT_KV_TYPE_COUNT,
};
const char *bt_kv_type_name(enum bt_kv_type type); /* "STRING", … */
bool bt_kv_type_parse(struct bt_str text, enum bt_kv_type *ret_type);
/* The type of a value that is given without one. */
enum bt_kv_type bt_kv_type_of(const struct bt_value *value);

/* Whose key-values: borrowed names. */
struct bt_kv_place {
    const char *tenant, *namespace;
};

struct bt_kv {
    struct bt_value *key; /* STRING. All three owned. */
    struct bt_value *value;
    struct bt_value *description; /* STRING, or NULL. */
    enum bt_kv_type type;
    uint32_t revision; /* 1, and one more at each put; begins anew after a delete. */
    int64_t created_us, updated_us;
    int64_t expires_us; /* 0: never. */
};
/* Which rows are listed, by key, and who gets them (borrowed). A negative result ends the list. */
struct bt_kv_query {
    struct bt_str prefix;
    int (*each)(void *data, const struct bt_kv *kv);
    void *data;
};

struct bt_kv *bt_kv_new(void);              /* Empty; NULL without memory. */
struct bt_kv *bt_kv_free(struct bt_kv *kv); /* Accepts and returns NULL. */
BT_CLEANUP_DEFINE(bt_kv_free, struct bt_kv)

static inline bool bt_kv_is_expired(const struct bt_kv *kv, int64_t now_us)
{
    return kv->expires_us > 0 && kv->expires_us <= now_us;
}

/* Both: letters, digits, '.', '_', '-'; the first a letter or digit. */
int bt_kv_check_namespace(struct bt_str name, struct bt_err *err);
int bt_kv_check_key(struct bt_str key, struct bt_err *err);
/* A value as its type wants it: a text is read ("12" → NUMBER 12), anything else must fit. */
int bt_kv_convert(enum bt_kv_type type, const struct bt_value *value, struct bt_value **ret_value,
                  struct bt_err *err);
/* The value of a stored row, with the kind that its type gives it in expressions. Owned. */
struct bt_value *bt_kv_value(enum bt_kv_type type, const struct bt_value *stored);
