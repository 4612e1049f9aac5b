/* value.c — Storage of values. Never does I/O; containers are changed by their single owner only.
 */
#include "value/value.h"

#include "base/num.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pair {
    struct bt_value *key; /* STRING */
    struct bt_value *val;
};

struct bt_value {
    atomic_uint refs;
    uint8_t kind, flavor;
    bool is_static; /* Counted never, freed never. */
    union {
        bool boolean;
        int64_t number;
        double real;
        struct {
            size_t len;
            char at[];
        } text;
        struct {
            uint32_t count, cap;
            struct bt_value **items;
        } list;
        struct {
            uint32_t count, cap;
            struct pair *pairs;
            uint32_t *slots; /* 2^slot_bits of index + 1, 0 empty; NULL for small maps. */
            uint8_t slot_bits;
        } map;
        struct {
            const struct bt_lazy_ops *ops;
            void *data;
        } lazy;
    };
};

enum { SMALL_MAP_MAX = 8, ITEMS_MAX = 1 << 30 };

static struct bt_value null_value = {.kind = BT_KIND_NULL, .is_static = true};
static struct bt_value true_value = {.kind = BT_KIND_BOOL, .is_static = true, .boolean = true};
static struct bt_value false_value = {.kind = BT_KIND_BOOL, .is_static = true};

static struct bt_value *value_new(enum bt_kind kind, enum bt_flavor flavor, size_t extra)
{
    size_t size;
    if (__builtin_add_overflow(sizeof(struct bt_value), extra, &size))
        return NULL;
    struct bt_value *value = malloc(size);
    if (!value)
        return NULL;
    memset(value, 0, sizeof *value);
    atomic_init(&value->refs, 1);
    value->kind = (uint8_t)kind;
    value->flavor = (uint8_t)flavor;
    return value;
}

struct bt_value *bt_value_null(void)
{
    return &null_value;
}

struct bt_value *bt_value_bool(bool is_true)
{
    return is_true ? &true_value : &false_value;
}

static struct bt_value *int_new(int64_t number, enum bt_flavor flavor)
{
    struct bt_value *value = value_new(BT_KIND_INT, flavor, 0);
    if (value)
        value->number = number;
    return value;
}

struct bt_value *bt_value_int(int64_t number)
{
    return int_new(number, BT_FLAVOR_PLAIN);
}

struct bt_value *bt_value_int32(int32_t number)
{
    return int_new(number, BT_FLAVOR_INT32);
}

struct bt_value *bt_value_double(double number)
{
    struct bt_value *value = value_new(BT_KIND_DOUBLE, BT_FLAVOR_PLAIN, 0);
    if (value)
        value->real = number;
    return value;
}

struct bt_value *bt_value_float(float number)
{
    struct bt_value *value = value_new(BT_KIND_DOUBLE, BT_FLAVOR_FLOAT32, 0);
    if (value)
        value->real = (double)number;
    return value;
}

struct bt_value *bt_value_text(struct bt_str text, enum bt_kind kind, enum bt_flavor flavor)
{
    assert(kind == BT_KIND_STRING || kind == BT_KIND_DECIMAL);
    size_t extra = text.len + 1;
    struct bt_value *value = value_new(kind, flavor, extra);
    if (!value)
        return NULL;
    value->text.len = text.len;
    if (text.len)
        memcpy(value->text.at, text.at, text.len);
    value->text.at[text.len] = '\0';
    return value;
}

struct bt_value *bt_value_decimal(struct bt_str text)
{
    return bt_value_text(text, BT_KIND_DECIMAL, BT_FLAVOR_PLAIN);
}

struct bt_value *bt_value_string(struct bt_str text)
{
    return bt_value_text(text, BT_KIND_STRING, BT_FLAVOR_PLAIN);
}

struct bt_value *bt_value_cstr(const char *text)
{
    return bt_value_string(bt_str_of(text));
}

/* --- Count ------------------------------------------------------------------------------------ */

struct bt_value *bt_value_ref(const struct bt_value *value)
{
    struct bt_value *shared = (struct bt_value *)(uintptr_t)value;
    if (shared && !shared->is_static)
        atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

static void value_free(struct bt_value *value)
{
    switch ((enum bt_kind)value->kind) {
    case BT_KIND_LIST:
        for (uint32_t i = 0; i < value->list.count; i++)
            bt_value_unref(value->list.items[i]);
        free(value->list.items);
        break;
    case BT_KIND_MAP:
        for (uint32_t i = 0; i < value->map.count; i++) {
            bt_value_unref(value->map.pairs[i].key);
            bt_value_unref(value->map.pairs[i].val);
        }
        free(value->map.pairs);
        free(value->map.slots);
        break;
    case BT_KIND_LAZY: value->lazy.ops->done(value->lazy.data); break;
    case BT_KIND_NULL:
    case BT_KIND_BOOL:
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL:
    case BT_KIND_STRING: break;
    }
    free(value);
}

struct bt_value *bt_value_unref(struct bt_value *value)
{
    if (!value || value->is_static)
        return NULL;
    if (atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) == 1)
        value_free(value);
    return NULL;
}

static void assert_single_owner(const struct bt_value *value)
{
    assert(!value->is_static);
    assert(atomic_load_explicit(&value->refs, memory_order_relaxed) == 1);
}

/* --- Lists ------------------------------------------------------------------------------------ */

struct bt_value *bt_list_new(size_t capacity)
{
    struct bt_value *list = value_new(BT_KIND_LIST, BT_FLAVOR_PLAIN, 0);
    if (!list || capacity == 0)
        return list;
    if (capacity > ITEMS_MAX || !(list->list.items = malloc(capacity * sizeof *list->list.items))) {
        free(list);
        return NULL;
    }
    list->list.cap = (uint32_t)capacity;
    return list;
}

int bt_list_push(struct bt_value *list, struct bt_value *item)
{
    BT_VALUE taken = item;
    if (!list || !taken)
        return BT_NO_MEM;
    assert(list->kind == BT_KIND_LIST);
    assert_single_owner(list);
    if (list->list.count == list->list.cap) {
        uint32_t cap = list->list.cap ? list->list.cap * 2 : 4;
        if (cap > ITEMS_MAX)
            return BT_NO_MEM;
        struct bt_value **items = realloc(list->list.items, cap * sizeof *items);
        if (!items)
            return BT_NO_MEM;
        list->list.items = items;
        list->list.cap = cap;
    }
    list->list.items[list->list.count++] = BT_TAKE(taken);
    return BT_OK;
}

void bt_list_set_flavor(struct bt_value *list, enum bt_flavor flavor)
{
    assert(list->kind == BT_KIND_LIST);
    assert_single_owner(list);
    list->flavor = (uint8_t)flavor;
}

void bt_map_set_flavor(struct bt_value *map, enum bt_flavor flavor)
{
    assert(map && map->kind == BT_KIND_MAP);
    assert_single_owner(map);
    map->flavor = (uint8_t)flavor;
}

/* --- Maps ------------------------------------------------------------------------------------- */

static atomic_ullong hash_seed; /* Set once by the first large map; hostile keys cannot know it. */

static uint64_t key_hash(struct bt_str key)
{
    uint64_t seed = atomic_load_explicit(&hash_seed, memory_order_relaxed);
    if (seed == 0) {
        /* The address of a heap block is as random as the machine's ASLR. */
        void *block = malloc(16);
        seed = ((uint64_t)(uintptr_t)block ^ (uint64_t)(uintptr_t)&seed) * 0x9E3779B97F4A7C15u | 1;
        free(block);
        unsigned long long none = 0;
        if (!atomic_compare_exchange_strong(&hash_seed, &none, seed))
            seed = none;
    }
    return bt_str_hash(key, seed);
}

struct bt_value *bt_map_new(size_t capacity)
{
    struct bt_value *map = value_new(BT_KIND_MAP, BT_FLAVOR_PLAIN, 0);
    if (!map || capacity == 0)
        return map;
    if (capacity > ITEMS_MAX || !(map->map.pairs = malloc(capacity * sizeof *map->map.pairs))) {
        free(map);
        return NULL;
    }
    map->map.cap = (uint32_t)capacity;
    return map;
}

static void slots_fill(struct bt_value *map)
{
    uint32_t mask = (1u << map->map.slot_bits) - 1;
    for (uint32_t i = 0; i < map->map.count; i++) {
        uint32_t at = (uint32_t)key_hash(bt_value_str(map->map.pairs[i].key)) & mask;
        while (map->map.slots[at])
            at = (at + 1) & mask;
        map->map.slots[at] = i + 1;
    }
}

/* Makes or grows the hash slots so that they are at most half full after one more key. */
static int slots_ready(struct bt_value *map)
{
    uint32_t count = map->map.count + 1;
    if (count <= SMALL_MAP_MAX || (map->map.slots && count * 2 <= 1u << map->map.slot_bits))
        return BT_OK;
    uint8_t bits = map->map.slots ? (uint8_t)(map->map.slot_bits + 1) : 5;
    while (count * 2 > 1u << bits)
        bits++;
    uint32_t *slots = calloc((size_t)1 << bits, sizeof *slots);
    if (!slots)
        return BT_NO_MEM;
    free(map->map.slots);
    map->map.slots = slots;
    map->map.slot_bits = bits;
    slots_fill(map);
    return BT_OK;
}

static bool key_is(const struct bt_value *key, struct bt_str text)
{
    return key->text.len == text.len && memcmp(key->text.at, text.at ? text.at : "", text.len) == 0;
}

/* Index of the key, or -1. *ret_slot is the free slot where it would go (hashed maps only). */
static ptrdiff_t map_find(const struct bt_value *map, struct bt_str key, uint32_t *ret_slot)
{
    if (!map->map.slots) {
        for (uint32_t i = 0; i < map->map.count; i++)
            if (key_is(map->map.pairs[i].key, key))
                return i;
        return -1;
    }
    uint32_t mask = (1u << map->map.slot_bits) - 1;
    uint32_t at = (uint32_t)key_hash(key) & mask;
    for (; map->map.slots[at]; at = (at + 1) & mask) {
        uint32_t index = map->map.slots[at] - 1;
        if (key_is(map->map.pairs[index].key, key))
            return index;
    }
    *ret_slot = at;
    return -1;
}

static int pairs_ready(struct bt_value *map)
{
    if (map->map.count < map->map.cap)
        return BT_OK;
    uint32_t cap = map->map.cap ? map->map.cap * 2 : 4;
    if (cap > ITEMS_MAX)
        return BT_NO_MEM;
    struct pair *pairs = realloc(map->map.pairs, cap * sizeof *pairs);
    if (!pairs)
        return BT_NO_MEM;
    map->map.pairs = pairs;
    map->map.cap = cap;
    return BT_OK;
}

/* Puts; exactly one of `key_value` (shared) and `key` (copied) says the key. Takes val. */
static int map_put(struct bt_value *map, struct bt_value *key_value, struct bt_str key,
                   struct bt_value *val)
{
    BT_VALUE taken = val;
    if (!map || !taken)
        return BT_NO_MEM;
    assert(map->kind == BT_KIND_MAP);
    assert_single_owner(map);
    uint32_t slot = 0;
    ptrdiff_t index = map_find(map, key, &slot);
    if (index >= 0) {
        bt_value_unref(map->map.pairs[index].val);
        map->map.pairs[index].val = BT_TAKE(taken);
        return BT_OK;
    }
    BT_VALUE owned_key = key_value ? bt_value_ref(key_value) : bt_value_string(key);
    if (!owned_key || pairs_ready(map) < 0 || slots_ready(map) < 0)
        return BT_NO_MEM;
    if (map->map.slots) {
        (void)map_find(map, key, &slot); /* The slots may have moved. */
        map->map.slots[slot] = map->map.count + 1;
    }
    map->map.pairs[map->map.count++] = (struct pair){BT_TAKE(owned_key), BT_TAKE(taken)};
    return BT_OK;
}

int bt_map_put(struct bt_value *map, struct bt_str key, struct bt_value *val)
{
    return map_put(map, NULL, key, val);
}

int bt_map_puts(struct bt_value *map, const char *key, struct bt_value *val)
{
    return map_put(map, NULL, bt_str_of(key), val);
}

int bt_map_put_key(struct bt_value *map, struct bt_value *key, struct bt_value *val)
{
    assert(key && key->kind == BT_KIND_STRING);
    return map_put(map, key, bt_value_str(key), val);
}

bool bt_map_remove(struct bt_value *map, struct bt_str key)
{
    assert(map->kind == BT_KIND_MAP);
    assert_single_owner(map);
    uint32_t slot = 0;
    ptrdiff_t index = map_find(map, key, &slot);
    if (index < 0)
        return false;
    bt_value_unref(map->map.pairs[index].key);
    bt_value_unref(map->map.pairs[index].val);
    memmove(map->map.pairs + index, map->map.pairs + index + 1,
            (map->map.count - (size_t)index - 1) * sizeof *map->map.pairs);
    map->map.count--;
    if (map->map.slots) {
        memset(map->map.slots, 0, sizeof *map->map.slots << map->map.slot_bits);
        slots_fill(map);
    }
    return true;
}

/* --- Looking ---------------------------------------------------------------------------------- */

enum bt_kind bt_value_kind(const struct bt_value *value)
{
    return value ? (enum bt_kind)value->kind : BT_KIND_NULL;
}

enum bt_flavor bt_value_flavor(const struct bt_value *value)
{
    return value ? (enum bt_flavor)value->flavor : BT_FLAVOR_PLAIN;
}

bool bt_value_is_null(const struct bt_value *value)
{
    return !value || value->kind == BT_KIND_NULL;
}

bool bt_value_is(const struct bt_value *value, enum bt_kind kind)
{
    return bt_value_kind(value) == kind;
}

bool bt_value_as_bool(const struct bt_value *value)
{
    return value && value->kind == BT_KIND_BOOL && value->boolean;
}

int64_t bt_value_as_int(const struct bt_value *value)
{
    if (!value)
        return 0;
    if (value->kind == BT_KIND_INT)
        return value->number;
    if (value->kind != BT_KIND_DOUBLE || isnan(value->real))
        return 0;
    if (value->real >= 9223372036854775807.0)
        return INT64_MAX;
    return value->real <= -9223372036854775808.0 ? INT64_MIN : (int64_t)value->real;
}

double bt_value_as_double(const struct bt_value *value)
{
    if (!value)
        return 0;
    if (value->kind == BT_KIND_INT)
        return (double)value->number;
    if (value->kind == BT_KIND_DOUBLE)
        return value->real;
    double number = 0;
    if (value->kind == BT_KIND_DECIMAL)
        (void)bt_parse_double(bt_value_str(value), &number); /* 0 when it is no number. */
    return number;
}

struct bt_str bt_value_str(const struct bt_value *value)
{
    if (!value || (value->kind != BT_KIND_STRING && value->kind != BT_KIND_DECIMAL))
        return BT_STR("");
    return (struct bt_str){value->text.at, value->text.len};
}

size_t bt_value_count(const struct bt_value *value)
{
    if (!value)
        return 0;
    if (value->kind == BT_KIND_LIST)
        return value->list.count;
    return value->kind == BT_KIND_MAP ? value->map.count : 0;
}

struct bt_value *bt_list_at(const struct bt_value *list, size_t index)
{
    if (!list || list->kind != BT_KIND_LIST || index >= list->list.count)
        return NULL;
    return list->list.items[index];
}

struct bt_value *bt_map_get(const struct bt_value *map, struct bt_str key)
{
    if (!map || map->kind != BT_KIND_MAP)
        return NULL;
    uint32_t slot;
    ptrdiff_t index = map_find(map, key, &slot);
    return index < 0 ? NULL : map->map.pairs[index].val;
}

struct bt_value *bt_map_gets(const struct bt_value *map, const char *key)
{
    return bt_map_get(map, bt_str_of(key));
}

struct bt_value *bt_map_at(const struct bt_value *map, size_t index, struct bt_value **ret_key)
{
    if (!map || map->kind != BT_KIND_MAP || index >= map->map.count)
        return NULL;
    if (ret_key)
        *ret_key = map->map.pairs[index].key;
    return map->map.pairs[index].val;
}

struct bt_str bt_map_key(const struct bt_value *map, size_t index)
{
    struct bt_value *key = NULL;
    (void)bt_map_at(map, index, &key); /* Past the end the key stays NULL. */
    return bt_value_str(key);
}

struct bt_str bt_map_str(const struct bt_value *map, const char *key)
{
    const struct bt_value *value = bt_map_gets(map, key);
    return bt_value_is(value, BT_KIND_STRING) ? bt_value_str(value) : BT_STR_NONE;
}

struct bt_value *bt_value_copy(const struct bt_value *value)
{
    if (bt_value_is(value, BT_KIND_LIST)) {
        struct bt_value *list = bt_list_new(value->list.count);
        for (uint32_t i = 0; list && i < value->list.count; i++)
            if (bt_list_push(list, bt_value_ref(value->list.items[i])) < 0)
                list = bt_value_unref(list);
        if (list)
            list->flavor = value->flavor;
        return list;
    }
    if (bt_value_is(value, BT_KIND_MAP)) {
        struct bt_value *map = bt_map_new(value->map.count);
        for (uint32_t i = 0; map && i < value->map.count; i++)
            if (bt_map_put_key(map, value->map.pairs[i].key,
                               bt_value_ref(value->map.pairs[i].val)) < 0)
                map = bt_value_unref(map);
        return map;
    }
    return value ? bt_value_ref(value) : bt_value_null();
}

size_t bt_value_bytes(const struct bt_value *value)
{
    if (!value || value->is_static)
        return 0;
    size_t bytes = sizeof *value;
    if (value->kind == BT_KIND_STRING || value->kind == BT_KIND_DECIMAL)
        return bytes + value->text.len + 1;
    if (value->kind == BT_KIND_LIST) {
        bytes += value->list.cap * sizeof(void *);
        for (uint32_t i = 0; i < value->list.count; i++)
            bytes += bt_value_bytes(value->list.items[i]);
    } else if (value->kind == BT_KIND_MAP) {
        bytes += value->map.cap * sizeof(struct pair);
        bytes += value->map.slots ? sizeof(uint32_t) << value->map.slot_bits : 0;
        for (uint32_t i = 0; i < value->map.count; i++)
            bytes +=
                bt_value_bytes(value->map.pairs[i].key) + bt_value_bytes(value->map.pairs[i].val);
    }
    return bytes;
}

const char *bt_kind_name(enum bt_kind kind)
{
    switch (kind) {
    case BT_KIND_NULL: return "null";
    case BT_KIND_BOOL: return "boolean";
    case BT_KIND_INT: return "integer";
    case BT_KIND_DOUBLE: return "number";
    case BT_KIND_DECIMAL: return "decimal";
    case BT_KIND_STRING: return "text";
    case BT_KIND_LIST: return "list";
    case BT_KIND_MAP: return "map";
    case BT_KIND_LAZY: return "map";
    }
    return "unknown";
}

/* --- Lazy objects ----------------------------------------------------------------------------- */

struct bt_value *bt_value_lazy(const struct bt_lazy_ops *ops, void *data)
{
    struct bt_value *value = value_new(BT_KIND_LAZY, BT_FLAVOR_PLAIN, 0);
    if (!value)
        return NULL;
    value->lazy.ops = ops;
    value->lazy.data = data;
    return value;
}

int bt_lazy_get(const struct bt_value *lazy, struct bt_str key, struct bt_value **ret_val,
                struct bt_err *err)
{
    assert(lazy && lazy->kind == BT_KIND_LAZY);
    return lazy->lazy.ops->get(lazy->lazy.data, key, ret_val, err);
}

int bt_lazy_all(const struct bt_value *lazy, struct bt_value **ret_map, struct bt_err *err)
{
    assert(lazy && lazy->kind == BT_KIND_LAZY);
    return lazy->lazy.ops->all(lazy->lazy.data, ret_map, err);
}
