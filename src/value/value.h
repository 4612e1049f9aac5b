/* value.h — The JSON-like value that the language, the engine and the stores are about.
 *
 * A value is null, a boolean, a 64-bit integer, a double, an exact decimal, a string with a length,
 * a list, an ordered map with hashed look-up, or a lazy object (asked key by key).
 *
 * Ownership: every value has an atomic count. Functions named *_new, bt_value_<scalar> and those
 * with a `ret_` give one reference to the caller; `get`, `at` borrow from the container; parameters
 * named `item` and `val` of push and put are taken, also on failure (and NULL there means
 * BT_NO_MEM, so that constructors nest without checks). Freezing: a container may be changed only
 * by its single owner (count 1, asserted). Once it is shared it never changes again and may cross
 * threads. Memory: constructors return NULL when memory runs out. */
#pragma once
#include "base/buf.h"
#include "base/own.h"

struct bt_value;

enum bt_kind {
    BT_KIND_NULL,
    BT_KIND_BOOL,
    BT_KIND_INT, /* 64 bit. */
    BT_KIND_DOUBLE,
    BT_KIND_DECIMAL, /* Exact: the digits as text, e.g. "1.10" or a 30-digit integer. */
    BT_KIND_STRING,
    BT_KIND_LIST,
    BT_KIND_MAP,
    BT_KIND_LAZY, /* Made by the engine for `outputs`; see bt_value_lazy(). */
};

/* What the original's type system tells apart inside one kind; most code need not care. */
enum bt_flavor {
    BT_FLAVOR_PLAIN,    /* Long, Double, BigDecimal, String, ArrayList, LinkedHashMap. */
    BT_FLAVOR_INT32,    /* INT: came from JSON and fits 32 bits (Integer). */
    BT_FLAVOR_FLOAT32,  /* DOUBLE: a Float. */
    BT_FLAVOR_BIGINT,   /* DECIMAL: BigInteger. */
    BT_FLAVOR_ARRAY,    /* LIST: a Java array (result of `split`). */
    BT_FLAVOR_DATETIME, /* STRING: ISO text of a date-time object. */
    BT_FLAVOR_DATE,     /* STRING */
    BT_FLAVOR_TIME,     /* STRING */
    BT_FLAVOR_DURATION, /* STRING: ISO text of a duration object; prints as seconds. */
    BT_FLAVOR_CHAR,     /* STRING: one character (first, last, ranges of letters). */
    BT_FLAVOR_SET,      /* LIST: a Java set (result of `keys` on a map). */
    BT_FLAVOR_HASHMAP,  /* MAP: written in an expression, not from data. */
    BT_FLAVOR_SAFE,     /* STRING: what a macro gives; no String to the original. */
    BT_FLAVOR_ENTRY,    /* MAP of one: an entry that a `for` walks over, with `key` and `value`. */
    BT_FLAVOR_LOOP,     /* MAP: the variable `loop` of a `for`. */
};

/* Scalars. */
struct bt_value *bt_value_null(void);
struct bt_value *bt_value_bool(bool is_true);
struct bt_value *bt_value_int(int64_t number);   /* Flavor PLAIN (Long). */
struct bt_value *bt_value_int32(int32_t number); /* Flavor INT32. */
struct bt_value *bt_value_double(double number);
struct bt_value *bt_value_float(float number);         /* Flavor FLOAT32. */
struct bt_value *bt_value_decimal(struct bt_str text); /* The text is a checked number. */
struct bt_value *bt_value_string(struct bt_str text);
struct bt_value *bt_value_cstr(const char *text);
/* A string or decimal or list of the given flavor. */
struct bt_value *bt_value_text(struct bt_str text, enum bt_kind kind, enum bt_flavor flavor);

/* Lists. */
struct bt_value *bt_list_new(size_t capacity);
int bt_list_push(struct bt_value *list, struct bt_value *item);
void bt_list_set_flavor(struct bt_value *list, enum bt_flavor flavor);

/* Maps: insertion order is kept; putting a key again replaces the value in its old place. */
struct bt_value *bt_map_new(size_t capacity);
int bt_map_put(struct bt_value *map, struct bt_str key, struct bt_value *val);
int bt_map_puts(struct bt_value *map, const char *key, struct bt_value *val);
/* Shares the key (a string value, borrowed) instead of copying its text. */
int bt_map_put_key(struct bt_value *map, struct bt_value *key, struct bt_value *val);
void bt_map_set_flavor(struct bt_value *map, enum bt_flavor flavor);
bool bt_map_remove(struct bt_value *map, struct bt_str key); /* O(n). False: not there. */

/* Count. ref accepts NULL; unref accepts and returns NULL. */
struct bt_value *bt_value_ref(const struct bt_value *value);
struct bt_value *bt_value_unref(struct bt_value *value);
BT_CLEANUP_DEFINE(bt_value_unref, struct bt_value)
/* An owning local: BT_VALUE v = bt_value_int(1); */
#define BT_VALUE BT_CLEANUP(bt_value_unref_p) struct bt_value *

/* Looking. NULL is accepted everywhere and looks like null. */
enum bt_kind bt_value_kind(const struct bt_value *value);
enum bt_flavor bt_value_flavor(const struct bt_value *value);
bool bt_value_is_null(const struct bt_value *value);
bool bt_value_is(const struct bt_value *value, enum bt_kind kind);
bool bt_value_as_bool(const struct bt_value *value);     /* False unless BOOL true. */
int64_t bt_value_as_int(const struct bt_value *value);   /* INT, or DOUBLE cut; else 0. */
double bt_value_as_double(const struct bt_value *value); /* INT, DOUBLE, DECIMAL; else 0. */
struct bt_str
bt_value_str(const struct bt_value *value);          /* STRING, DECIMAL; else empty. Borrowed. */
size_t bt_value_count(const struct bt_value *value); /* Items of a LIST or MAP; else 0. */
struct bt_value *bt_list_at(const struct bt_value *list,
                            size_t index); /* Borrowed; NULL past it. */
struct bt_value *bt_map_get(const struct bt_value *map, struct bt_str key); /* Borrowed or NULL. */
struct bt_value *bt_map_gets(const struct bt_value *map, const char *key);
/* The pair with this index in insertion order; borrowed. *ret_key (may be NULL) is a STRING. */
struct bt_value *bt_map_at(const struct bt_value *map, size_t index, struct bt_value **ret_key);
struct bt_str bt_map_key(const struct bt_value *map, size_t index);
/* The string under `key`, empty when absent or no string. */
struct bt_str bt_map_str(const struct bt_value *map, const char *key);

/* Deep equality: numbers by exact numeric value across kinds, maps without regard to order. */
bool bt_value_equal(const struct bt_value *a, const struct bt_value *b);
/* A copy of one level that may be changed (items shared). Scalars: a reference. */
struct bt_value *bt_value_copy(const struct bt_value *value);
/* Bytes held, roughly, deep. For accounting. */
size_t bt_value_bytes(const struct bt_value *value);
/* "null", "boolean", "integer", … for messages. */
const char *bt_kind_name(enum bt_kind kind);

/* Lazy objects: a map whose keys are fetched when an expression names them. Never stored, never
 * shared between threads. `get` gives BT_NOT_FOUND for a missing key, BT_NEED for a row that must
 * be fetched first; `all` gives the whole as an ordinary map. `done` frees `data`. */
struct bt_lazy_ops {
    int (*get)(void *data, struct bt_str key, struct bt_value **ret_val, struct bt_err *err);
    int (*all)(void *data, struct bt_value **ret_map, struct bt_err *err);
    void (*done)(void *data);
};
struct bt_value *bt_value_lazy(const struct bt_lazy_ops *ops, void *data);
int bt_lazy_get(const struct bt_value *lazy, struct bt_str key, struct bt_value **ret_val,
                struct bt_err *err);
int bt_lazy_all(const struct bt_value *lazy, struct bt_value **ret_map, struct bt_err *err);
