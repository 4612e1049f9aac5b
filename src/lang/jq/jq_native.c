/* jq_native.c — Functions of jq that take filters: path, first, limit, range, sort_by … Pure. */
#include "lang/jq/jq_int.h"

#include <assert.h>

static int native_empty(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    (void)jq;
    (void)args;
    (void)sink;
    return BT_OK;
}

/* --- Paths ------------------------------------------------------------------------------------ */

struct relay {
    struct bt_jq_sink sink;
    struct bt_jq *jq;
    const struct bt_jq_args *args;
    struct bt_jq_sink *next;
    double left; /* Outputs still wanted. */
    bool is_last;
};

static int path_of(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct relay *self = (struct relay *)(void *)sink;
    if (!out.path)
        return bt_jq_raise(self->jq, "Invalid path expression");
    return self->next->fn(self->next, (struct bt_jq_in){out.path, NULL});
}

static int native_path(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    struct relay relay = {.sink = {path_of}, .jq = jq, .next = sink};
    BT_VALUE empty = bt_list_new(0);
    if (!empty)
        return bt_jq_no_mem(jq);
    return bt_jq_eval(jq, args->node->items[0], args->env, (struct bt_jq_in){args->in.value, empty},
                      &relay.sink);
}

static int native_getpath(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    BT_VALUE paths = NULL;
    BT_TRY(bt_jq_collect(jq, args->node->items[0], args->env, args->in, &paths));
    for (size_t i = 0; i < bt_value_count(paths); i++) {
        const struct bt_value *path = bt_list_at(paths, i);
        BT_VALUE found = NULL;
        BT_VALUE whole = NULL;
        if (!bt_value_is(path, BT_KIND_LIST))
            return bt_jq_raise(jq, "Path must be specified as an array");
        if (bt_jq_get(jq, args->in.value, path, &found) < 0) {
            if (!jq->error)
                return BT_NO_MEM;
            jq->error = bt_value_unref(jq->error);
            found = bt_value_null();
        }
        if (args->in.path)
            BT_TRY(bt_jq_arith(jq, '+', args->in.path, path, &whole));
        BT_TRY(sink->fn(sink, (struct bt_jq_in){found, whole}));
    }
    return BT_OK;
}

static int native_del(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    BT_VALUE paths = NULL;
    struct bt_value *left = NULL;
    BT_TRY(bt_jq_collect_paths(jq, args->node->items[0], args->env, args->in, &paths));
    BT_TRY(bt_jq_delete(jq, args->in.value, paths, &left));
    return bt_jq_emit(jq, left, sink);
}

/* --- Some of the outputs ---------------------------------------------------------------------- */

static int take_some(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct relay *self = (struct relay *)(void *)sink;
    self->left--;
    self->is_last = self->left <= 0;
    BT_TRY(self->next->fn(self->next, out));
    if (!self->is_last)
        return BT_OK;
    self->jq->stop = self;
    return BT_ABORTED;
}

static int some(struct bt_jq *jq, const struct bt_jq_args *args, const struct bt_jq_node *filter,
                double count, struct bt_jq_sink *sink)
{
    struct relay relay = {.sink = {take_some}, .jq = jq, .next = sink, .left = count};
    if (!(count > 0))
        return BT_OK;
    int rc = bt_jq_eval(jq, filter, args->env, args->in, &relay.sink);
    return rc == BT_ABORTED && jq->stop == &relay ? BT_OK : rc;
}

static int native_first(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    return some(jq, args, args->node->items[0], 1, sink);
}

static int native_limit(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    BT_VALUE counts = NULL;
    BT_TRY(bt_jq_collect(jq, args->node->items[0], args->env, args->in, &counts));
    for (size_t i = 0; i < bt_value_count(counts); i++)
        BT_TRY(
            some(jq, args, args->node->items[1], bt_value_as_double(bt_list_at(counts, i)), sink));
    return BT_OK;
}

static int count_up(struct bt_jq *jq, const double ends[3], struct bt_jq_sink *sink)
{
    double by = ends[2];
    for (double at = ends[0]; by > 0 ? at < ends[1] : by < 0 && at > ends[1]; at += by) {
        if (++jq->steps > BT_EXPR_STEPS_MAX)
            return bt_fail(jq->err, BT_LIMIT, "a jq program takes too long");
        BT_TRY(bt_jq_emit(jq, bt_jq_number(at), sink));
    }
    return BT_OK;
}

/* range(to), range(from; to), range(from; to; by), for every combination of outputs. */
static int native_range(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    BT_VALUE first = NULL;
    BT_VALUE second = NULL;
    BT_VALUE third = NULL;
    struct bt_value **lists[3] = {&first, &second, &third};
    size_t arity = args->node->items_count, counts[3] = {1, 1, 1};
    for (size_t i = 0; i < arity; i++) {
        BT_TRY(bt_jq_collect(jq, args->node->items[i], args->env, args->in, lists[i]));
        counts[i] = bt_value_count(*lists[i]);
    }
    for (size_t n = 0; n < counts[0] * counts[1] * counts[2]; n++) {
        double a = bt_value_as_double(bt_list_at(first, n / (counts[1] * counts[2])));
        double b = bt_value_as_double(bt_list_at(second, n / counts[2] % counts[1]));
        double c = bt_value_as_double(bt_list_at(third, n % counts[2]));
        double ends[3] = {arity > 1 ? a : 0, arity > 1 ? b : a, arity > 2 ? c : 1};
        BT_TRY(count_up(jq, ends, sink));
    }
    return BT_OK;
}

/* --- Again and again -------------------------------------------------------------------------- */

struct loop {
    struct bt_jq_sink sink;
    struct bt_jq *jq;
    const struct bt_jq_args *args;
    struct bt_jq_sink *next;
};

static int recurse_on(struct bt_jq_sink *sink, struct bt_jq_in out)
{
    struct loop *self = (struct loop *)(void *)sink;
    BT_TRY(self->next->fn(self->next, out));
    return bt_jq_eval(self->jq, self->args->node->items[0], self->args->env, out, sink);
}

static int native_recurse(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    struct loop loop = {.sink = {recurse_on}, .jq = jq, .args = args, .next = sink};
    return recurse_on(&loop.sink, args->in);
}

/* until(condition; next): a loop as long as `next` gives one output. */
static int native_until(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    BT_VALUE now = bt_value_ref(args->in.value);
    for (;;) {
        BT_VALUE done = NULL;
        BT_VALUE next = NULL;
        struct bt_jq_in in = {now, NULL};
        if (++jq->steps > BT_EXPR_STEPS_MAX)
            return bt_fail(jq->err, BT_LIMIT, "a jq program takes too long");
        BT_TRY(bt_jq_collect(jq, args->node->items[0], args->env, in, &done));
        if (bt_jq_is_true(bt_list_at(done, 0)))
            return sink->fn(sink, in);
        BT_TRY(bt_jq_collect(jq, args->node->items[1], args->env, in, &next));
        if (bt_value_count(next) == 0)
            return BT_OK;
        bt_value_unref(now);
        now = bt_value_ref(bt_list_at(next, 0));
    }
}

/* --- By a key --------------------------------------------------------------------------------- */

/* For each item the list of the filter's outputs. */
static int keys_by(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_value **ret_keys)
{
    const struct bt_value *in = args->in.value;
    BT_VALUE keys = bt_list_new(bt_value_count(in));
    if (!bt_value_is(in, BT_KIND_LIST))
        return bt_jq_raise(jq, "Cannot index %s with number", bt_jq_type(in));
    for (size_t i = 0; i < bt_value_count(in); i++) {
        struct bt_value *key = NULL;
        struct bt_jq_in item = {bt_list_at(in, i), NULL};
        BT_TRY(bt_jq_collect(jq, args->node->items[0], args->env, item, &key));
        if (bt_list_push(keys, key) < 0)
            return bt_jq_no_mem(jq);
    }
    *ret_keys = BT_TAKE(keys);
    return *ret_keys ? BT_OK : bt_jq_no_mem(jq);
}

static int native_sort_by(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    BT_VALUE keys = NULL;
    struct bt_value *sorted = NULL;
    BT_TRY(keys_by(jq, args, &keys));
    BT_TRY(bt_jq_sort(jq, args->in.value, keys, &sorted));
    return bt_jq_emit(jq, sorted, sink);
}

/* Groups of equal keys, in the order of the keys; `is_one`: only the first of each. */
static int group(struct bt_jq *jq, const struct bt_jq_args *args, bool is_one,
                 struct bt_value **ret_list)
{
    BT_VALUE keys = NULL;
    BT_VALUE items = NULL;
    BT_VALUE order = NULL;
    BT_VALUE out = bt_list_new(0);
    BT_VALUE now = NULL;
    BT_TRY(keys_by(jq, args, &keys));
    BT_TRY(bt_jq_sort(jq, args->in.value, keys, &items));
    BT_TRY(bt_jq_sort(jq, keys, NULL, &order));
    for (size_t i = 0; i < bt_value_count(items); i++) {
        bool is_new = i == 0 || bt_jq_compare(bt_list_at(order, i - 1), bt_list_at(order, i)) != 0;
        if (is_new && now && bt_list_push(out, BT_TAKE(now)) < 0)
            return bt_jq_no_mem(jq);
        if (is_new && is_one) {
            now = bt_value_ref(bt_list_at(items, i));
            continue;
        }
        if (is_new && !(now = bt_list_new(1)))
            return bt_jq_no_mem(jq);
        if (!is_one && bt_list_push(now, bt_value_ref(bt_list_at(items, i))) < 0)
            return bt_jq_no_mem(jq);
    }
    if (now && bt_list_push(out, BT_TAKE(now)) < 0)
        return bt_jq_no_mem(jq);
    *ret_list = BT_TAKE(out);
    return *ret_list ? BT_OK : bt_jq_no_mem(jq);
}

static int native_group_by(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    struct bt_value *out = NULL;
    BT_TRY(group(jq, args, false, &out));
    return bt_jq_emit(jq, out, sink);
}

static int native_unique_by(struct bt_jq *jq, const struct bt_jq_args *args,
                            struct bt_jq_sink *sink)
{
    struct bt_value *out = NULL;
    BT_TRY(group(jq, args, true, &out));
    return bt_jq_emit(jq, out, sink);
}

static int extreme_by(struct bt_jq *jq, const struct bt_jq_args *args, int sign,
                      struct bt_jq_sink *sink)
{
    BT_VALUE keys = NULL;
    size_t best = 0;
    BT_TRY(keys_by(jq, args, &keys));
    for (size_t i = 1; i < bt_value_count(keys); i++) {
        int order = sign * bt_jq_compare(bt_list_at(keys, i), bt_list_at(keys, best));
        if (sign > 0 ? order >= 0 : order > 0)
            best = i;
    }
    struct bt_value *item = bt_list_at(args->in.value, best);
    return bt_jq_emit(jq, item ? bt_value_ref(item) : bt_value_null(), sink);
}

static int native_max_by(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    return extreme_by(jq, args, 1, sink);
}

static int native_min_by(struct bt_jq *jq, const struct bt_jq_args *args, struct bt_jq_sink *sink)
{
    return extreme_by(jq, args, -1, sink);
}

static const struct {
    const char *name;
    size_t arity;
    bt_jq_native fn;
} natives[] = {
    {"empty", 0, native_empty},       {"path", 1, native_path},
    {"getpath", 1, native_getpath},   {"del", 1, native_del},
    {"first", 1, native_first},       {"limit", 2, native_limit},
    {"range", 1, native_range},       {"range", 2, native_range},
    {"range", 3, native_range},       {"recurse", 1, native_recurse},
    {"until", 2, native_until},       {"sort_by", 1, native_sort_by},
    {"group_by", 1, native_group_by}, {"unique_by", 1, native_unique_by},
    {"max_by", 1, native_max_by},     {"min_by", 1, native_min_by},
};

bt_jq_native bt_jq_native_of(struct bt_str name, size_t arity)
{
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++)
        if (natives[i].arity == arity && bt_str_is(name, natives[i].name))
            return natives[i].fn;
    return NULL;
}

/* --- The library: functions written in jq ----------------------------------------------------- */

static const struct {
    const char *name;
    size_t arity;
    const char *source;
} library[] = {
    {"map", 1, "def map(f): [.[] | f];"},
    {"map_values", 1, "def map_values(f): .[] |= f;"},
    {"select", 1, "def select(f): if f then . else empty end;"},
    {"recurse", 0, "def recurse: ..;"},
    {"recurse", 2, "def recurse(f; cond): def r: ., (f | select(cond) | r); r;"},
    {"recurse_down", 0, "def recurse_down: ..;"},
    {"values", 0, "def values: select(. != null);"},
    {"nulls", 0, "def nulls: select(. == null);"},
    {"booleans", 0, "def booleans: select(type == \"boolean\");"},
    {"numbers", 0, "def numbers: select(type == \"number\");"},
    {"strings", 0, "def strings: select(type == \"string\");"},
    {"arrays", 0, "def arrays: select(type == \"array\");"},
    {"objects", 0, "def objects: select(type == \"object\");"},
    {"iterables", 0, "def iterables: select(type == \"array\" or type == \"object\");"},
    {"scalars", 0, "def scalars: select(type != \"array\" and type != \"object\");"},
    {"isnormal", 0, "def isnormal: isnan or isinfinite or . == 0 | not;"},
    {"isvalid", 1, "def isvalid(f): try (f | true) catch false;"},
    {"in", 1, "def in(xs): . as $x | xs | has($x);"},
    {"inside", 1, "def inside(xs): . as $x | xs | contains($x);"},
    {"paths", 0, "def paths: path(..) | select(length > 0);"},
    {"paths", 1, "def paths(f): . as $d | paths | select(. as $p | $d | getpath($p) | f);"},
    {"leaf_paths", 0, "def leaf_paths: paths(scalars);"},
    {"any", 0, "def any: any(.[]; .);"},
    {"all", 0, "def all: all(.[]; .);"},
    {"any", 1, "def any(f): any(.[]; f);"},
    {"all", 1, "def all(f): all(.[]; f);"},
    {"any", 2, "def any(g; f): first((g | if f then true else empty end), false);"},
    {"all", 2, "def all(g; f): first((g | if f then empty else false end), true);"},
    {"min", 0, "def min: min_by(.);"},
    {"max", 0, "def max: max_by(.);"},
    {"unique", 0, "def unique: unique_by(.);"},
    {"first", 0, "def first: .[0];"},
    {"last", 0, "def last: .[-1];"},
    {"last", 1, "def last(f): reduce f as $x (null; $x);"},
    {"nth", 1, "def nth($n): .[$n];"},
    {"nth", 2, "def nth($n; f): last(limit($n + 1; f));"},
    {"while", 2, "def while(cond; f): def w: if cond then ., (f | w) else empty end; w;"},
    {"repeat", 1, "def repeat(f): def r: ., (f | r); r;"},
    {"with_entries", 1, "def with_entries(f): to_entries | map(f) | from_entries;"},
    {"walk", 1,
     "def walk(f): def w: if type == \"object\" then map_values(w) elif type == \"array\" then "
     "map(w) else . end | f; w;"},
    {"transpose", 0,
     "def transpose: if . == [] then [] else . as $in | (map(length) | max) as $max | "
     "[range(0; $max) as $j | [range(0; $in | length) as $i | $in[$i][$j]]] end;"},
    {"combinations", 0,
     "def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $w | "
     "[$x] + $w end;"},
    {"combinations", 1, "def combinations(n): . as $d | [range(n)] | map($d) | combinations;"},
    {"index", 1, "def index($i): indices($i) | .[0];"},
    {"rindex", 1, "def rindex($i): indices($i) | .[-1:][0];"},
    {"ascii", 0, "def ascii: [.] | implode;"},
    {"debug", 0, "def debug: .;"},
    {"debug", 1, "def debug(m): .;"},
    {"match", 1,
     "def match($v): if ($v | type) == \"array\" then match($v[0]; $v[1]) else match($v; null) "
     "end;"},
    {"match", 2, "def match($re; $flags): _matches($re; $flags) | .[];"},
    {"test", 1, "def test($v): [match($v)] | length > 0;"},
    {"test", 2, "def test($re; $flags): _matches($re; $flags) | length > 0;"},
    {"_capture", 0,
     "def _capture: [.captures | .[] | select(.name != null) | {key: .name, value: .string}] | "
     "from_entries;"},
    {"capture", 1, "def capture($v): match($v) | _capture;"},
    {"capture", 2, "def capture($re; $flags): match($re; $flags) | _capture;"},
    {"scan", 1,
     "def scan($re): match($re; \"g\") | if (.captures | length) > 0 then [.captures | .[] | "
     ".string] else .string end;"},
    {"splits", 1, "def splits($re): splits($re; null);"},
    {"splits", 2, "def splits($re; $flags): split($re; $flags) | .[];"},
    {"split", 2,
     "def split($re; $flags): . as $s | [foreach ((match($re; $flags + \"g\") | [.offset, "
     ".length]), "
     "null) as $m ([0, null]; if $m == null then [.[0], $s[.[0]:]] else [$m[0] + $m[1], "
     "$s[.[0]:$m[0]]] end; .[1])];"},
    {"sub", 2, "def sub($re; str): sub($re; str; \"\");"},
    {"sub", 3,
     "def sub($re; str; $flags): . as $in | reduce (match($re; $flags), null) as $m ({o: 0, s: "
     "\"\"}; if $m == null then .s += $in[.o:] else (.s += $in[.o:$m.offset] + ($m | _capture | "
     "str)) | .o = $m.offset + $m.length end) | .s;"},
    {"gsub", 2, "def gsub($re; str): sub($re; str; \"g\");"},
    {"gsub", 3, "def gsub($re; str; $flags): sub($re; str; $flags + \"g\");"},
    {"todate", 1, "def todate(f): f | todate;"},
    {"date", 0, "def date: todate;"},
};

const char *bt_jq_library_source(struct bt_str name, size_t arity)
{
    for (size_t i = 0; i < sizeof library / sizeof *library; i++)
        if (library[i].arity == arity && bt_str_is(name, library[i].name))
            return library[i].source;
    return NULL;
}
