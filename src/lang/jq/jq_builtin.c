/* jq_builtin.c — The functions of jq that are written in C. Pure.
 *
 * A function of values is a row of `simple`: its arguments are evaluated to all their outputs, and
 * the row is called for each combination. Those that need their arguments as filters are in
 * `natives`. */
#include "base/num.h"
#include "base/utf8.h"
#include "lang/jq/jq_text_int.h"
#include "value/json.h"

#include <math.h>

/* One call: the input and up to three argument values. */
typedef int (*simple_fn)(struct bt_jq *jq, const struct bt_value *in,
                         const struct bt_value *const *args, struct bt_value **ret_value);

static int give(struct bt_jq *jq, struct bt_value *value, struct bt_value **ret_value)
{
    *ret_value = value;
    return value ? BT_OK : bt_jq_no_mem(jq);
}

static bool is(const struct bt_value *value, enum bt_kind kind)
{
    return bt_value_is(value, kind);
}

static int wants(struct bt_jq *jq, const struct bt_value *value, const char *what)
{
    return bt_jq_raise(jq, "%s (%s) cannot be %s", bt_jq_type(value), bt_jq_type(value), what);
}

/* --- Values ----------------------------------------------------------------------------------- */

static int fn_not(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                  struct bt_value **ret_value)
{
    (void)args;
    return give(jq, bt_value_bool(!bt_jq_is_true(in)), ret_value);
}

static int fn_type(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                   struct bt_value **ret_value)
{
    (void)args;
    return give(jq, bt_value_cstr(bt_jq_type(in)), ret_value);
}

static int fn_error(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value)
{
    (void)ret_value;
    return bt_jq_raise_value(jq, bt_value_ref(args[0] ? args[0] : in));
}

static int fn_length(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value)
{
    (void)args;
    switch (bt_value_kind(in)) {
    case BT_KIND_NULL: return give(jq, bt_value_int32(0), ret_value);
    case BT_KIND_BOOL: return bt_jq_raise(jq, "boolean has no length");
    case BT_KIND_INT:
    case BT_KIND_DOUBLE:
    case BT_KIND_DECIMAL: return give(jq, bt_jq_number(fabs(bt_value_as_double(in))), ret_value);
    case BT_KIND_STRING:
        return give(jq, bt_value_int32((int32_t)bt_utf8_count(bt_value_str(in))), ret_value);
    case BT_KIND_LIST:
    case BT_KIND_MAP:
    case BT_KIND_LAZY: break;
    }
    return give(jq, bt_value_int32((int32_t)bt_value_count(in)), ret_value);
}

static int fn_bytes(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value)
{
    (void)args;
    if (!is(in, BT_KIND_STRING))
        return bt_jq_raise(jq, "%s only strings have UTF-8 byte length", bt_jq_type(in));
    return give(jq, bt_value_int32((int32_t)bt_value_str(in).len), ret_value);
}

static int fn_tostring(struct bt_jq *jq, const struct bt_value *in,
                       const struct bt_value *const *args, struct bt_value **ret_value)
{
    (void)args;
    return bt_jq_text(jq, in, ret_value);
}

static int fn_tonumber(struct bt_jq *jq, const struct bt_value *in,
                       const struct bt_value *const *args, struct bt_value **ret_value)
{
    int64_t whole;
    double real;
    struct bt_str text = bt_str_trim(bt_value_str(in));
    (void)args;
    if (bt_jq_is_number(in))
        return give(jq, bt_value_ref(in), ret_value);
    if (is(in, BT_KIND_STRING) && bt_parse_i64(text, &whole))
        return give(jq,
                    whole == (int32_t)whole ? bt_value_int32((int32_t)whole) : bt_value_int(whole),
                    ret_value);
    if (is(in, BT_KIND_STRING) && bt_parse_double(text, &real))
        return give(jq, bt_value_double(real), ret_value);
    return wants(jq, in, "parsed as a number");
}

static int fn_tojson(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value)
{
    (void)args;
    return bt_jq_json(jq, in, ret_value);
}

static int fn_fromjson(struct bt_jq *jq, const struct bt_value *in,
                       const struct bt_value *const *args, struct bt_value **ret_value)
{
    struct bt_err err = BT_ERR_INIT;
    (void)args;
    if (!is(in, BT_KIND_STRING))
        return wants(jq, in, "parsed as JSON");
    int rc = bt_json_parse(bt_value_str(in), NULL, ret_value, &err);
    return rc == BT_NO_MEM ? bt_jq_no_mem(jq)
           : rc < 0        ? bt_jq_raise(jq, "%.200s (while parsing JSON)", err.msg)
                           : BT_OK;
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static int math(struct bt_jq *jq, const struct bt_value *in, double (*fn)(double),
                struct bt_value **ret_value)
{
    if (!bt_jq_is_number(in))
        return bt_jq_raise(jq, "%s number required", bt_jq_type(in));
    return give(jq, bt_jq_number(fn(bt_value_as_double(in))), ret_value);
}

#define MATH(name)                                                                                 \
    static int fn_##name(struct bt_jq *jq, const struct bt_value *in,                              \
                         const struct bt_value *const *args, struct bt_value **ret_value)          \
    {                                                                                              \
        (void)args;                                                                                \
        return math(jq, in, name, ret_value);                                                      \
    }

MATH(floor)
MATH(ceil)
MATH(round)
MATH(trunc)
MATH(sqrt)
MATH(fabs)
MATH(exp)
MATH(log)
MATH(log2)
MATH(log10)
MATH(sin)
MATH(cos)
MATH(tan)

static int fn_pow(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                  struct bt_value **ret_value)
{
    (void)in;
    if (!bt_jq_is_number(args[0]) || !bt_jq_is_number(args[1]))
        return bt_jq_raise(jq, "number required");
    double power = pow(bt_value_as_double(args[0]), bt_value_as_double(args[1]));
    return give(jq, bt_jq_number(power), ret_value);
}

static int fn_infinite(struct bt_jq *jq, const struct bt_value *in,
                       const struct bt_value *const *args, struct bt_value **ret_value)
{
    (void)in;
    (void)args;
    return give(jq, bt_value_double(INFINITY), ret_value);
}

static int fn_nan(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                  struct bt_value **ret_value)
{
    (void)in;
    (void)args;
    return give(jq, bt_value_double((double)NAN), ret_value);
}

static int fn_isnan(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value)
{
    (void)args;
    return give(jq, bt_value_bool(isnan(bt_value_as_double(in))), ret_value);
}

static int fn_isinfinite(struct bt_jq *jq, const struct bt_value *in,
                         const struct bt_value *const *args, struct bt_value **ret_value)
{
    (void)args;
    return give(jq, bt_value_bool(isinf(bt_value_as_double(in))), ret_value);
}

/* --- Lists and maps --------------------------------------------------------------------------- */

static int fn_keys(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                   struct bt_value **ret_value)
{
    (void)args;
    if (is(in, BT_KIND_MAP))
        return bt_jq_keys(jq, in, ret_value);
    if (!is(in, BT_KIND_LIST))
        return bt_jq_raise(jq, "%s has no keys", bt_jq_type(in));
    BT_VALUE out = bt_list_new(bt_value_count(in));
    for (size_t i = 0; i < bt_value_count(in); i++)
        if (bt_list_push(out, bt_value_int32((int32_t)i)) < 0)
            return bt_jq_no_mem(jq);
    return give(jq, BT_TAKE(out), ret_value);
}

static int fn_keys_unsorted(struct bt_jq *jq, const struct bt_value *in,
                            const struct bt_value *const *args, struct bt_value **ret_value)
{
    if (!is(in, BT_KIND_MAP))
        return fn_keys(jq, in, args, ret_value);
    BT_VALUE out = bt_list_new(bt_value_count(in));
    for (size_t i = 0; i < bt_value_count(in); i++) {
        struct bt_value *key = NULL;
        (void)bt_map_at(in, i, &key); /* Only the key is wanted. */
        if (bt_list_push(out, bt_value_ref(key)) < 0)
            return bt_jq_no_mem(jq);
    }
    return give(jq, BT_TAKE(out), ret_value);
}

static int fn_has(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                  struct bt_value **ret_value)
{
    bool found = false;
    if (is(in, BT_KIND_MAP) && is(args[0], BT_KIND_STRING))
        found = bt_map_get(in, bt_value_str(args[0])) != NULL;
    else if (is(in, BT_KIND_LIST) && bt_jq_is_number(args[0]))
        found = bt_value_as_double(args[0]) >= 0 &&
                bt_value_as_double(args[0]) < (double)bt_value_count(in);
    else
        return bt_jq_raise(jq, "Cannot check whether %s has a %s key", bt_jq_type(in),
                           bt_jq_type(args[0]));
    return give(jq, bt_value_bool(found), ret_value);
}

static bool contains_at(const struct bt_value *a, const struct bt_value *b, int depth);

static bool list_contains(const struct bt_value *a, const struct bt_value *b, int depth)
{
    for (size_t k = 0; k < bt_value_count(b); k++) {
        bool found = false;
        for (size_t i = 0; i < bt_value_count(a) && !found; i++)
            found = contains_at(bt_list_at(a, i), bt_list_at(b, k), depth);
        if (!found)
            return false;
    }
    return true;
}

static bool contains_at(const struct bt_value *a, const struct bt_value *b, int depth)
{
    if (depth > 100)
        return false;
    if (is(a, BT_KIND_MAP) && is(b, BT_KIND_MAP)) {
        for (size_t i = 0; i < bt_value_count(b); i++) {
            const struct bt_value *item = bt_map_get(a, bt_map_key(b, i));
            if (!item || !contains_at(item, bt_map_at(b, i, NULL), depth + 1))
                return false;
        }
        return true;
    }
    if (is(a, BT_KIND_LIST) && is(b, BT_KIND_LIST))
        return list_contains(a, b, depth + 1);
    if (is(a, BT_KIND_STRING) && is(b, BT_KIND_STRING))
        return bt_str_find(bt_value_str(a), bt_value_str(b), 0) >= 0;
    return bt_jq_compare(a, b) == 0;
}

static int fn_contains(struct bt_jq *jq, const struct bt_value *in,
                       const struct bt_value *const *args, struct bt_value **ret_value)
{
    if (strcmp(bt_jq_type(in), bt_jq_type(args[0])) != 0)
        return bt_jq_raise(jq, "%s and %s cannot have their containment checked", bt_jq_type(in),
                           bt_jq_type(args[0]));
    return give(jq, bt_value_bool(contains_at(in, args[0], 0)), ret_value);
}

static int fn_add(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                  struct bt_value **ret_value)
{
    BT_VALUE sum = bt_value_null();
    bool is_map = is(in, BT_KIND_MAP);
    (void)args;
    if (!is_map && !is(in, BT_KIND_LIST))
        return bt_jq_raise(jq, "Cannot iterate over %s", bt_jq_type(in));
    for (size_t i = 0; i < bt_value_count(in); i++) {
        struct bt_value *next = NULL;
        BT_TRY(
            bt_jq_arith(jq, '+', sum, is_map ? bt_map_at(in, i, NULL) : bt_list_at(in, i), &next));
        bt_value_unref(sum);
        sum = next;
        if (jq->steps > BT_EXPR_STEPS_MAX)
            return bt_fail(jq->err, BT_LIMIT, "a jq program takes too long");
    }
    return give(jq, BT_TAKE(sum), ret_value);
}

static int flatten_into(struct bt_jq *jq, struct bt_value *out, const struct bt_value *list,
                        double depth, int nesting)
{
    for (size_t i = 0; i < bt_value_count(list); i++) {
        struct bt_value *item = bt_list_at(list, i);
        if (is(item, BT_KIND_LIST) && depth > 0 && nesting < BT_VALUE_DEPTH_MAX)
            BT_TRY(flatten_into(jq, out, item, depth - 1, nesting + 1));
        else if (bt_list_push(out, bt_value_ref(item)) < 0)
            return bt_jq_no_mem(jq);
    }
    return BT_OK;
}

static int fn_flatten(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value)
{
    double depth = args[0] ? bt_value_as_double(args[0]) : 1e9;
    BT_VALUE out = bt_list_new(bt_value_count(in));
    if (!is(in, BT_KIND_LIST))
        return bt_jq_raise(jq, "Cannot iterate over %s", bt_jq_type(in));
    if (depth < 0)
        return bt_jq_raise(jq, "flatten depth must not be negative");
    if (!out)
        return bt_jq_no_mem(jq);
    BT_TRY(flatten_into(jq, out, in, depth, 0));
    return give(jq, BT_TAKE(out), ret_value);
}

static int fn_reverse(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(bt_value_count(in));
    (void)args;
    if (!is(in, BT_KIND_LIST) && !bt_value_is_null(in))
        return bt_jq_raise(jq, "Cannot reverse %s", bt_jq_type(in));
    for (size_t i = bt_value_count(in); i-- > 0;)
        if (bt_list_push(out, bt_value_ref(bt_list_at(in, i))) < 0)
            return bt_jq_no_mem(jq);
    return give(jq, BT_TAKE(out), ret_value);
}

static int fn_sort(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                   struct bt_value **ret_value)
{
    (void)args;
    if (!is(in, BT_KIND_LIST))
        return wants(jq, in, "sorted, as it is not an array");
    return bt_jq_sort(jq, in, NULL, ret_value);
}

static int fn_to_entries(struct bt_jq *jq, const struct bt_value *in,
                         const struct bt_value *const *args, struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(bt_value_count(in));
    (void)args;
    if (!is(in, BT_KIND_MAP))
        return bt_jq_raise(jq, "%s has no keys", bt_jq_type(in));
    for (size_t i = 0; i < bt_value_count(in); i++) {
        struct bt_value *key, *item = bt_map_at(in, i, &key), *entry = bt_map_new(2);
        if (!entry || bt_map_puts(entry, "key", bt_value_ref(key)) < 0 ||
            bt_map_puts(entry, "value", bt_value_ref(item)) < 0)
            entry = bt_value_unref(entry);
        if (bt_list_push(out, entry) < 0)
            return bt_jq_no_mem(jq);
    }
    return give(jq, BT_TAKE(out), ret_value);
}

/* The first of the names that is there and not null. */
static const struct bt_value *entry_part(const struct bt_value *entry, const char *const *names)
{
    for (; *names; names++) {
        const struct bt_value *found = bt_map_gets(entry, *names);
        if (!bt_value_is_null(found))
            return found;
    }
    return NULL;
}

static int fn_from_entries(struct bt_jq *jq, const struct bt_value *in,
                           const struct bt_value *const *args, struct bt_value **ret_value)
{
    static const char *const keys[] = {"key", "k", "name", "Name", "Key", "K", NULL};
    static const char *const values[] = {"value", "v", "Value", "V", NULL};
    BT_VALUE out = bt_map_new(bt_value_count(in));
    (void)args;
    for (size_t i = 0; out && i < bt_value_count(in); i++) {
        const struct bt_value *entry = bt_list_at(in, i), *key = entry_part(entry, keys);
        const struct bt_value *item = entry_part(entry, values);
        BT_VALUE text = NULL;
        BT_TRY(bt_jq_text(jq, key, &text));
        if (bt_map_put_key(out, text, item ? bt_value_ref(item) : bt_value_null()) < 0)
            return bt_jq_no_mem(jq);
    }
    return give(jq, BT_TAKE(out), ret_value);
}

static const struct simple {
    const char *name;
    uint8_t arity;
    simple_fn fn;
} simple[] = {
    {"not", 0, fn_not},
    {"type", 0, fn_type},
    {"error", 0, fn_error},
    {"error", 1, fn_error},
    {"length", 0, fn_length},
    {"utf8bytelength", 0, fn_bytes},
    {"tostring", 0, fn_tostring},
    {"tonumber", 0, fn_tonumber},
    {"tojson", 0, fn_tojson},
    {"fromjson", 0, fn_fromjson},
    {"floor", 0, fn_floor},
    {"ceil", 0, fn_ceil},
    {"round", 0, fn_round},
    {"trunc", 0, fn_trunc},
    {"sqrt", 0, fn_sqrt},
    {"fabs", 0, fn_fabs},
    {"exp", 0, fn_exp},
    {"log", 0, fn_log},
    {"log2", 0, fn_log2},
    {"log10", 0, fn_log10},
    {"sin", 0, fn_sin},
    {"cos", 0, fn_cos},
    {"tan", 0, fn_tan},
    {"pow", 2, fn_pow},
    {"infinite", 0, fn_infinite},
    {"nan", 0, fn_nan},
    {"isnan", 0, fn_isnan},
    {"isinfinite", 0, fn_isinfinite},
    {"keys", 0, fn_keys},
    {"keys_unsorted", 0, fn_keys_unsorted},
    {"has", 1, fn_has},
    {"contains", 1, fn_contains},
    {"add", 0, fn_add},
    {"flatten", 0, fn_flatten},
    {"flatten", 1, fn_flatten},
    {"reverse", 0, fn_reverse},
    {"sort", 0, fn_sort},
    {"to_entries", 0, fn_to_entries},
    {"from_entries", 0, fn_from_entries},
    {"startswith", 1, bt_jq_fn_startswith},
    {"endswith", 1, bt_jq_fn_endswith},
    {"ltrimstr", 1, bt_jq_fn_ltrimstr},
    {"rtrimstr", 1, bt_jq_fn_rtrimstr},
    {"split", 1, bt_jq_fn_split},
    {"join", 1, bt_jq_fn_join},
    {"ascii_downcase", 0, bt_jq_fn_downcase},
    {"ascii_upcase", 0, bt_jq_fn_upcase},
    {"explode", 0, bt_jq_fn_explode},
    {"implode", 0, bt_jq_fn_implode},
    {"indices", 1, bt_jq_fn_indices},
    {"setpath", 2, bt_jq_fn_setpath},
    {"delpaths", 1, bt_jq_fn_delpaths},
    {"todate", 0, bt_jq_fn_todate},
    {"todateiso8601", 0, bt_jq_fn_todate},
    {"fromdate", 0, bt_jq_fn_fromdate},
    {"fromdateiso8601", 0, bt_jq_fn_fromdate},
    {"_matches", 2, bt_jq_fn_match},
    {"env", 0, bt_jq_fn_env},
    {"format", 1, bt_jq_fn_format},
};

static simple_fn simple_of(struct bt_str name, size_t arity)
{
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
        if (simple[i].arity == arity && bt_str_is(name, simple[i].name))
            return simple[i].fn;
    return NULL;
}

/* Every combination of the arguments' outputs, the last argument slowest. */
static int call_simple(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    simple_fn fn = simple_of(args->node->name, args->node->items_count);
    BT_VALUE first = NULL;
    BT_VALUE second = NULL;
    const struct bt_value *values[2] = {NULL, NULL};
    size_t arity = args->node->items_count;
    if (arity > 0)
        BT_TRY(bt_jq_collect(jq, args->node->items[0], args->env, args->in, &first));
    if (arity > 1)
        BT_TRY(bt_jq_collect(jq, args->node->items[1], args->env, args->in, &second));
    size_t count_first = arity > 0 ? bt_value_count(first) : 1;
    size_t count_second = arity > 1 ? bt_value_count(second) : 1;
    for (size_t k = 0; k < count_second; k++)
        for (size_t i = 0; i < count_first; i++) {
            struct bt_value *result = NULL;
            values[0] = bt_list_at(first, i);
            values[1] = bt_list_at(second, k);
            BT_TRY(fn(jq, args->in.value, values, &result));
            BT_TRY(bt_jq_emit(jq, result, sink));
        }
    return BT_OK;
}

bt_jq_native bt_jq_builtin(struct bt_str name, size_t arity)
{
    return simple_of(name, arity) ? call_simple : bt_jq_native_of(name, arity);
}
