/* java.c — How values look to the original's runtime: class names, texts, equality, hash order.
 * Pure.
 *
 * The texts here are what people's flows compare and print, so they follow the original to the
 * letter: 1.0E-4, [1, 2], {a=1}. */
#include "lang/expr/expr_int.h"

#include "base/num.h"
#include "base/utf8.h"
#include "lang/expr/dec.h"

#include <math.h>

/* --- Class names ------------------------------------------------------------------------------ */

static const char *text_class(enum bt_flavor flavor)
{
    switch (flavor) {
    case BT_FLAVOR_CHAR: return "java.lang.Character";
    case BT_FLAVOR_SAFE: return "io.pebbletemplates.pebble.extension.escaper.SafeString";
    case BT_FLAVOR_DATETIME: return "java.time.ZonedDateTime";
    case BT_FLAVOR_DATE: return "java.time.LocalDate";
    case BT_FLAVOR_TIME: return "java.time.LocalTime";
    case BT_FLAVOR_DURATION: return "java.time.Duration";
    default: return "java.lang.String";
    }
}

static const char *map_class(enum bt_flavor flavor)
{
    switch (flavor) {
    case BT_FLAVOR_HASHMAP: return "java.util.HashMap";
    case BT_FLAVOR_ENTRY: return "java.util.LinkedHashMap$Entry";
    case BT_FLAVOR_LOOP: return "io.pebbletemplates.pebble.node.ForNode$LoopVariables";
    default: return "java.util.LinkedHashMap";
    }
}

const char *bt_java_class(const struct bt_value *value)
{
    enum bt_flavor flavor = bt_value_flavor(value);
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return "null";
    case BT_KIND_BOOL: return "java.lang.Boolean";
    case BT_KIND_INT: return flavor == BT_FLAVOR_INT32 ? "java.lang.Integer" : "java.lang.Long";
    case BT_KIND_DOUBLE:
        return flavor == BT_FLAVOR_FLOAT32 ? "java.lang.Float" : "java.lang.Double";
    case BT_KIND_DECIMAL:
        return flavor == BT_FLAVOR_BIGINT ? "java.math.BigInteger" : "java.math.BigDecimal";
    case BT_KIND_STRING: return text_class(flavor);
    case BT_KIND_LIST:
        if (flavor == BT_FLAVOR_ARRAY)
            return "[Ljava.lang.String;";
        return flavor == BT_FLAVOR_SET ? "java.util.LinkedHashMap$LinkedKeySet"
                                       : "java.util.ArrayList";
    case BT_KIND_MAP: return map_class(flavor);
    case BT_KIND_LAZY: return "java.util.LinkedHashMap";
    }
    return "java.lang.Object";
}

/* --- Numbers ---------------------------------------------------------------------------------- */

/* The shortest digits that read back as the number, and its decimal exponent. */
static int shortest(double number, bool is_float, char digits[24], int *ret_exponent)
{
    char text[40];
    int precision = 1, last = is_float ? 9 : 17;
    for (; precision <= last; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision - 1, number); /* Always fits. */
        if (is_float ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
            break;
    }
    int count = 0;
    char *at = text;
    for (; *at && *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    *ret_exponent = (int)strtol(at + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return count;
}

/* Most doubles have few digits: a quick try saves the search. */
static bool is_plain_quick(double number, char text[40])
{
    double scaled = number * 1000000;
    if (!(fabs(number) < 1e7) || !(fabs(number) >= 1e-3) || scaled != nearbyint(scaled))
        return false;
    (void)snprintf(text, 40, "%.6f", number); /* Always fits. */
    if (strtod(text, NULL) != number)
        return false;
    char *end = text + strlen(text);
    while (end[-1] == '0' && end[-2] != '.')
        *--end = '\0';
    return true;
}

int bt_java_double(struct bt_buf *out, double number, bool is_float)
{
    char digits[24] = "", quick[40];
    int exponent;
    if (isnan(number))
        return bt_buf_adds(out, "NaN");
    if (isinf(number))
        return bt_buf_adds(out, number > 0 ? "Infinity" : "-Infinity");
    if (number == 0)
        return bt_buf_adds(out, signbit(number) ? "-0.0" : "0.0");
    if (!is_float && is_plain_quick(number, quick))
        return bt_buf_adds(out, quick);
    if (number < 0)
        BT_TRY(bt_buf_addc(out, '-'));
    int count = shortest(fabs(number), is_float, digits, &exponent);
    struct bt_str all = {digits, (size_t)count};
    if (exponent < -3 || exponent >= 7) {
        BT_TRY(bt_buf_addc(out, digits[0]));
        BT_TRY(bt_buf_addc(out, '.'));
        BT_TRY(count > 1 ? bt_buf_add(out, bt_str_slice(all, 1, all.len)) : bt_buf_addc(out, '0'));
        return bt_buf_addf(out, "E%d", exponent);
    }
    if (exponent < 0)
        return bt_buf_addf(out, "0.%.*s%.*s", -exponent - 1, "000", count, digits);
    for (int i = 0; i <= exponent; i++)
        BT_TRY(bt_buf_addc(out, i < count ? digits[i] : '0'));
    BT_TRY(bt_buf_addc(out, '.'));
    if (count <= exponent + 1)
        return bt_buf_addc(out, '0');
    return bt_buf_add(out, bt_str_slice(all, (size_t)exponent + 1, all.len));
}

static int decimal_text(const struct bt_value *value, struct bt_buf *out)
{
    struct bt_dec number;
    struct bt_str text = bt_value_str(value);
    if (bt_value_flavor(value) == BT_FLAVOR_BIGINT || !bt_dec_parse(text, &number))
        return bt_buf_add(out, text);
    return bt_dec_format(&number, out);
}

/* --- Texts ------------------------------------------------------------------------------------ */

static int check(struct bt_buf *out, struct bt_err *err)
{
    return out->failed ? bt_buf_check(out, "the rendered text", err) : BT_OK;
}

static int scalar_text(const struct bt_value *value, struct bt_buf *out)
{
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return bt_buf_adds(out, "null");
    case BT_KIND_BOOL: return bt_buf_adds(out, bt_value_as_bool(value) ? "true" : "false");
    case BT_KIND_INT: return bt_buf_add_i64(out, bt_value_as_int(value));
    case BT_KIND_DOUBLE:
        return bt_java_double(out, bt_value_as_double(value),
                              bt_value_flavor(value) == BT_FLAVOR_FLOAT32);
    case BT_KIND_DECIMAL: return decimal_text(value, out);
    case BT_KIND_STRING: return bt_buf_add(out, bt_value_str(value));
    case BT_KIND_LIST:
    case BT_KIND_MAP:
    case BT_KIND_LAZY: break;
    }
    return BT_OK;
}

static int text_at(const struct bt_value *value, struct bt_buf *out, struct bt_err *err, int depth);

static int list_text(const struct bt_value *list, struct bt_buf *out, struct bt_err *err, int depth)
{
    (void)bt_buf_addc(out, '['); /* Failures stay in the buffer and are checked by text_at(). */
    for (size_t i = 0; i < bt_value_count(list); i++) {
        if (i)
            (void)bt_buf_adds(out, ", ");
        BT_TRY(text_at(bt_list_at(list, i), out, err, depth));
    }
    return bt_buf_addc(out, ']');
}

static int map_text(const struct bt_value *map, struct bt_buf *out, struct bt_err *err, int depth)
{
    bool is_entry = bt_value_flavor(map) == BT_FLAVOR_ENTRY;
    if (!is_entry)
        (void)bt_buf_addc(out, '{'); /* Failures stay in the buffer; text_at() checks it. */
    for (size_t i = 0; i < bt_value_count(map); i++) {
        if (i)
            (void)bt_buf_adds(out, ", ");
        (void)bt_buf_add(out, bt_map_key(map, i));
        (void)bt_buf_addc(out, '=');
        BT_TRY(text_at(bt_map_at(map, i, NULL), out, err, depth));
    }
    return is_entry ? BT_OK : bt_buf_addc(out, '}');
}

static int text_at(const struct bt_value *value, struct bt_buf *out, struct bt_err *err, int depth)
{
    if (depth > BT_VALUE_DEPTH_MAX)
        return bt_fail(err, BT_LIMIT, "a value nests deeper than %d levels", BT_VALUE_DEPTH_MAX);
    if (bt_value_is(value, BT_KIND_LIST)) {
        BT_TRY(list_text(value, out, err, depth + 1));
    } else if (bt_value_is(value, BT_KIND_MAP)) {
        BT_TRY(map_text(value, out, err, depth + 1));
    } else if (bt_value_is(value, BT_KIND_LAZY)) {
        BT_VALUE map = NULL;
        BT_TRY(bt_lazy_all(value, &map, err));
        return text_at(map, out, err, depth + 1);
    } else {
        (void)scalar_text(value, out); /* A failure stays in the buffer. */
    }
    return check(out, err);
}

int bt_java_text(const struct bt_value *value, struct bt_buf *out, struct bt_err *err)
{
    return text_at(value, out, err, 0);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static int json_str(struct bt_str text, struct bt_buf *out)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    size_t start = 0;
    (void)bt_buf_addc(out, '"'); /* Failures stay in the buffer. */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        (void)bt_buf_add(out, bt_str_slice(text, start, i));
        start = i + 1;
        char escape = 0;
        for (size_t k = 0; shorts[k] && !escape; k += 2)
            escape = (unsigned char)shorts[k] == c ? shorts[k + 1] : 0;
        if (escape)
            (void)bt_buf_addf(out, "\\%c", escape);
        else
            (void)bt_buf_addf(out, "\\u%04X", c);
    }
    (void)bt_buf_add(out, bt_str_slice(text, start, text.len));
    return bt_buf_addc(out, '"');
}

struct json {
    struct bt_buf *out;
    struct bt_err *err;
    bool is_pretty;
    int depth;
};

static int json_at(struct json *json, const struct bt_value *value);

static void json_break(struct json *json)
{
    if (!json->is_pretty)
        return;
    (void)bt_buf_addc(json->out, '\n'); /* Failures stay in the buffer. */
    for (int i = 0; i < json->depth; i++)
        (void)bt_buf_adds(json->out, "  ");
}

static int json_list(struct json *json, const struct bt_value *list)
{
    size_t count = bt_value_count(list);
    (void)bt_buf_addc(json->out, '['); /* Failures stay in the buffer, here and below. */
    for (size_t i = 0; i < count; i++) {
        if (i)
            (void)bt_buf_adds(json->out, json->is_pretty ? ", " : ",");
        else if (json->is_pretty)
            (void)bt_buf_addc(json->out, ' ');
        BT_TRY(json_at(json, bt_list_at(list, i)));
    }
    return bt_buf_adds(json->out, json->is_pretty ? " ]" : "]");
}

static int json_map(struct json *json, const struct bt_value *map)
{
    bool is_first = true;
    (void)bt_buf_addc(json->out, '{'); /* Failures stay in the buffer, here and below. */
    json->depth++;
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_value *item = bt_map_at(map, i, NULL);
        if (bt_value_is_null(item))
            continue;
        if (!is_first)
            (void)bt_buf_addc(json->out, ',');
        is_first = false;
        json_break(json);
        (void)json_str(bt_map_key(map, i), json->out);
        (void)bt_buf_adds(json->out, json->is_pretty ? " : " : ":");
        BT_TRY(json_at(json, item));
    }
    json->depth--;
    if (!is_first)
        json_break(json);
    else if (json->is_pretty)
        (void)bt_buf_addc(json->out, ' ');
    return bt_buf_addc(json->out, '}');
}

static int json_nested(struct json *json, const struct bt_value *value)
{
    BT_VALUE map = NULL;
    if (json->depth > BT_VALUE_DEPTH_MAX)
        return bt_fail(json->err, BT_LIMIT, "a value nests deeper than %d levels",
                       BT_VALUE_DEPTH_MAX);
    if (bt_value_is(value, BT_KIND_LAZY)) {
        BT_TRY(bt_lazy_all(value, &map, json->err));
        value = map;
    }
    if (bt_value_is(value, BT_KIND_MAP))
        return json_map(json, value);
    json->depth += json->is_pretty ? 0 : 1;
    int rc = json_list(json, value);
    json->depth -= json->is_pretty ? 0 : 1;
    return rc;
}

static int json_at(struct json *json, const struct bt_value *value)
{
    int rc = BT_OK;
    double real = bt_value_as_double(value);
    switch (bt_value_kind(value)) {
    case BT_KIND_STRING:
        (void)json_str(bt_value_str(value), json->out); /* Checked below. */
        break;
    case BT_KIND_DOUBLE:
        if (isnan(real) || isinf(real)) {
            (void)bt_buf_addc(json->out, '"'); /* Failures stay in the buffer. */
            (void)scalar_text(value, json->out);
            (void)bt_buf_addc(json->out, '"');
            break;
        }
        (void)scalar_text(value, json->out);
        break;
    case BT_KIND_NULL:
    case BT_KIND_BOOL:
    case BT_KIND_INT:
    case BT_KIND_DECIMAL: (void)scalar_text(value, json->out); break;
    case BT_KIND_LIST:
    case BT_KIND_MAP:
    case BT_KIND_LAZY: rc = json_nested(json, value); break;
    }
    return rc < 0 ? rc : check(json->out, json->err);
}

int bt_java_json(const struct bt_value *value, bool is_pretty, struct bt_buf *out,
                 struct bt_err *err)
{
    struct json json = {.out = out, .err = err, .is_pretty = is_pretty};
    return json_at(&json, value);
}

/* --- Equality --------------------------------------------------------------------------------- */

static bool equal_at(const struct bt_value *a, const struct bt_value *b, int depth);

static bool equal_lists(const struct bt_value *a, const struct bt_value *b, int depth)
{
    if (bt_value_flavor(a) == BT_FLAVOR_ARRAY || bt_value_flavor(b) == BT_FLAVOR_ARRAY)
        return false; /* Arrays are equal to themselves only. */
    if (bt_value_count(a) != bt_value_count(b))
        return false;
    for (size_t i = 0; i < bt_value_count(a); i++)
        if (!equal_at(bt_list_at(a, i), bt_list_at(b, i), depth))
            return false;
    return true;
}

static bool equal_maps(const struct bt_value *a, const struct bt_value *b, int depth)
{
    if (bt_value_count(a) != bt_value_count(b))
        return false;
    for (size_t i = 0; i < bt_value_count(a); i++) {
        struct bt_value *other = bt_map_get(b, bt_map_key(a, i));
        if (!other || !equal_at(bt_map_at(a, i, NULL), other, depth))
            return false;
    }
    return true;
}

static bool equal_at(const struct bt_value *a, const struct bt_value *b, int depth)
{
    if (a == b)
        return true;
    if (bt_value_kind(a) != bt_value_kind(b) || depth > BT_VALUE_DEPTH_MAX)
        return false;
    switch (bt_value_kind(a)) {
    case BT_KIND_NULL: return true;
    case BT_KIND_BOOL: return bt_value_as_bool(a) == bt_value_as_bool(b);
    case BT_KIND_INT:
        return bt_value_flavor(a) == bt_value_flavor(b) && bt_value_as_int(a) == bt_value_as_int(b);
    case BT_KIND_DOUBLE: {
        double x = bt_value_as_double(a), y = bt_value_as_double(b);
        return bt_value_flavor(a) == bt_value_flavor(b) && (x == y || (isnan(x) && isnan(y)));
    }
    case BT_KIND_DECIMAL:
    case BT_KIND_STRING:
        return bt_value_flavor(a) == bt_value_flavor(b) &&
               bt_str_eq(bt_value_str(a), bt_value_str(b));
    case BT_KIND_LIST: return equal_lists(a, b, depth + 1);
    case BT_KIND_MAP: return equal_maps(a, b, depth + 1);
    case BT_KIND_LAZY: return false;
    }
    return false;
}

bool bt_java_equal(const struct bt_value *a, const struct bt_value *b)
{
    return equal_at(a, b, 0);
}

/* --- Hash order ------------------------------------------------------------------------------- */

int32_t bt_java_hash(struct bt_str text)
{
    uint32_t hash = 0, rune;
    for (size_t i = 0, len; i < text.len; i += len) {
        len = bt_utf8_decode(text, i, &rune);
        if (len == 0) {
            len = 1;
            rune = (unsigned char)text.at[i];
        }
        if (rune >= 0x10000) {
            rune -= 0x10000;
            hash = hash * 31 + (0xD800 + (rune >> 10));
            rune = 0xDC00 + (rune & 0x3FF);
        }
        hash = hash * 31 + rune;
    }
    return (int32_t)hash;
}

static uint32_t bucket_of(struct bt_str key, uint32_t mask)
{
    uint32_t hash = (uint32_t)bt_java_hash(key);
    int64_t number;
    if (bt_parse_i64(key, &number) && key.len && key.at[0] != '+') /* The key was a Long. */
        hash = (uint32_t)number ^ (uint32_t)((uint64_t)number >> 32);
    return (hash ^ hash >> 16) & mask;
}

static int copy_bucket(const struct bt_value *map, uint32_t bucket, uint32_t mask,
                       struct bt_value *out)
{
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_value *key, *item = bt_map_at(map, i, &key);
        if (bucket_of(bt_value_str(key), mask) == bucket)
            BT_TRY(bt_map_put_key(out, key, bt_value_ref(item)));
    }
    return BT_OK;
}

struct bt_value *bt_java_order(struct bt_value *map, size_t capacity)
{
    enum { ORDERED_MAX = 256 }; /* Larger maps keep the order in which they were filled. */
    BT_VALUE taken = map;
    size_t count = bt_value_count(taken);
    uint32_t size = 1;
    if (!taken)
        return NULL;
    while (size < capacity && size <= ORDERED_MAX)
        size *= 2;
    while (count > size - size / 4 && size <= ORDERED_MAX)
        size *= 2;
    if (count < 2 || count > ORDERED_MAX) {
        bt_map_set_flavor(taken, BT_FLAVOR_HASHMAP);
        return BT_TAKE(taken);
    }
    BT_VALUE out = bt_map_new(count);
    for (uint32_t bucket = 0; out && bucket < size; bucket++)
        if (copy_bucket(taken, bucket, size - 1, out) < 0)
            return NULL;
    if (out)
        bt_map_set_flavor(out, BT_FLAVOR_HASHMAP);
    return BT_TAKE(out);
}

struct bt_value *bt_java_entry(const struct bt_value *map, size_t index)
{
    struct bt_value *key, *item = bt_map_at(map, index, &key), *entry = bt_map_new(1);
    if (!entry || bt_map_put_key(entry, key, bt_value_ref(item)) < 0)
        return bt_value_unref(entry);
    bt_map_set_flavor(entry, BT_FLAVOR_ENTRY);
    return entry;
}
