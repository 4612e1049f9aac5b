/* func_core.c — Functions that need nothing but their arguments and the scope. Pure: randomness
 * comes from the scope's generator. */
#include "lang/expr/expr_int.h"

#include "base/ids.h"

#include <math.h>

#define LIMIT_RENDER_DEPTH 20

static int expects(struct bt_call *call, const char *arg)
{
    return bt_raise(call->run, call->node->at, "The '%s' function expects an argument '%s'.",
                    call->fn->name, arg);
}

/* --- Rendering again -------------------------------------------------------------------------- */

static int render_value(struct bt_call *call, const struct bt_value *value, bool is_deep,
                        struct bt_value **ret_value);

static int render_text(struct bt_call *call, const struct bt_value *text, bool is_deep,
                       struct bt_value **ret_value)
{
    BT_VALUE now = bt_value_ref(text);
    for (int round = 0;; round++) {
        BT_VALUE next = NULL;
        struct bt_str str = bt_value_str(now);
        if (!str.len || !memchr(str.at, '{', str.len))
            break;
        if (round > BT_EXPR_RENDER_ROUNDS_MAX)
            return bt_raise_java(call->run, call->node->at, "Too many rendering attempts");
        BT_TRY(bt_template_again(call->run, str, &next));
        bool is_done = !is_deep || bt_str_eq(str, bt_value_str(next));
        bt_value_unref(now);
        now = BT_TAKE(next);
        if (is_done)
            break;
    }
    *ret_value = BT_TAKE(now);
    return BT_OK;
}

static int render_list(struct bt_call *call, const struct bt_value *list, bool is_deep,
                       struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(bt_value_count(list));
    for (size_t i = 0; i < bt_value_count(list); i++) {
        struct bt_value *item = NULL;
        BT_TRY(render_value(call, bt_list_at(list, i), is_deep, &item));
        if (bt_list_push(out, item) < 0)
            return bt_raise_mem(call->run);
    }
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

static int render_map(struct bt_call *call, const struct bt_value *map, bool is_deep,
                      struct bt_value **ret_value)
{
    BT_VALUE out = bt_map_new(bt_value_count(map));
    for (size_t i = 0; i < bt_value_count(map); i++) {
        BT_VALUE key = NULL;
        struct bt_value *item = NULL, *old = NULL;
        const struct bt_value *value = bt_map_at(map, i, &old);
        BT_TRY(render_text(call, old, is_deep, &key));
        BT_TRY(render_value(call, value, is_deep, &item));
        if (!out || bt_map_put_key(out, key, item) < 0)
            return bt_raise_mem(call->run);
    }
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

static int render_value(struct bt_call *call, const struct bt_value *value, bool is_deep,
                        struct bt_value **ret_value)
{
    BT_VALUE forced = NULL;
    int rc;
    if (call->run->depth > LIMIT_RENDER_DEPTH * BT_EXPR_DEPTH_MAX)
        return bt_fail(call->run->err, BT_LIMIT, "a value nests too deep");
    BT_TRY(bt_call_force(call->run, value, &forced));
    call->run->depth++;
    if (bt_value_is(forced, BT_KIND_STRING))
        rc = render_text(call, forced, is_deep, ret_value);
    else if (bt_value_is(forced, BT_KIND_LIST))
        rc = render_list(call, forced, is_deep, ret_value);
    else if (bt_value_is(forced, BT_KIND_MAP))
        rc = render_map(call, forced, is_deep, ret_value);
    else
        rc = bt_call_give(call, BT_TAKE(forced), ret_value);
    call->run->depth--;
    return rc;
}

static int render(struct bt_call *call, struct bt_value **ret_value)
{
    const struct bt_value *flag = bt_call_arg(call, 1);
    if (!bt_call_arg(call, 0))
        return expects(call, "toRender");
    if (!bt_value_is_null(flag) && !bt_value_is(flag, BT_KIND_BOOL))
        return bt_raise(call->run, call->node->at,
                        "The 'render' function expects an optional argument 'recursive' with type "
                        "boolean.");
    bool is_deep = bt_value_is_null(flag) || bt_value_as_bool(flag);
    return render_value(call, bt_call_arg(call, 0), is_deep, ret_value);
}

static int render_once(struct bt_call *call, struct bt_value **ret_value)
{
    if (!bt_call_arg(call, 0))
        return expects(call, "toRender");
    return render_value(call, bt_call_arg(call, 0), false, ret_value);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static int extreme(struct bt_call *call, enum bt_op op, struct bt_value **ret_value)
{
    const struct bt_value *best = NULL;
    for (size_t i = 0; i < call->args_count; i++) {
        const struct bt_value *candidate = call->args[i];
        bool is_better;
        if (bt_value_is_null(best)) {
            best = candidate;
            continue;
        }
        if (!bt_value_is_null(candidate) && (!bt_is_number(candidate) || !bt_is_number(best)))
            return bt_raise_java(call->run, call->node->at,
                                 "invalid operands for mathematical comparison [%s]",
                                 op == BT_OP_GT ? "GREATER_THAN" : "LESS_THAN");
        BT_TRY(bt_eval_compare(call->run, op, candidate, best, &is_better));
        if (is_better)
            best = candidate;
    }
    *ret_value = best ? bt_value_ref(best) : bt_value_null();
    return BT_OK;
}

static int max(struct bt_call *call, struct bt_value **ret_value)
{
    return extreme(call, BT_OP_GT, ret_value);
}

static int min(struct bt_call *call, struct bt_value **ret_value)
{
    return extreme(call, BT_OP_LT, ret_value);
}

static int range(struct bt_call *call, struct bt_value **ret_value)
{
    const struct bt_value *step = bt_call_arg(call, 2);
    int64_t increment = 1;
    if (!bt_value_is_null(step) && !bt_is_number(step))
        return bt_raise(call->run, call->node->at,
                        "The increment of the range function must be a number");
    if (!bt_value_is_null(step))
        increment = bt_value_as_int(step);
    if (increment == 0)
        return bt_raise(call->run, call->node->at,
                        "The increment of the range function must be different than 0");
    int rc =
        bt_eval_range(call->run, bt_call_arg(call, 0), bt_call_arg(call, 1), increment, ret_value);
    return rc != BT_INVALID ? rc
                            : bt_raise(call->run, call->node->at,
                                       "Arguments of range function must be of type Number or "
                                       "String with a length of 1");
}

/* --- Random ----------------------------------------------------------------------------------- */

static struct bt_rng *rng_of(struct bt_call *call)
{
    return call->run->scope->rng ? call->run->scope->rng : &call->run->own_rng;
}

static int random_int(struct bt_call *call, struct bt_value **ret_value)
{
    static const char *const names[] = {"lower", "upper"};
    int64_t ends[2];
    for (size_t i = 0; i < 2; i++) {
        const struct bt_value *arg = bt_call_arg(call, i);
        if (!arg)
            return bt_raise(call->run, call->node->at,
                            "The 'randomInt()' function expects an argument '%s'.", names[i]);
        if (!bt_value_is(arg, BT_KIND_INT) || bt_value_flavor(arg) != BT_FLAVOR_INT32)
            return bt_raise_cast(call->run, call->node->at, arg, "java.lang.Integer");
        ends[i] = bt_value_as_int(arg);
    }
    if (ends[1] < ends[0])
        return bt_raise(call->run, call->node->at, "In 'randomInt()' upper is less than lower");
    uint64_t width = (uint64_t)(ends[1] - ends[0]);
    int64_t number = ends[0] + (int64_t)(width ? bt_rng_below(rng_of(call), width) : 0);
    return bt_call_give(call, bt_value_int32((int32_t)number), ret_value);
}

static int uuid(struct bt_call *call, struct bt_value **ret_value)
{
    char text[40];
    uint64_t high = bt_rng_next(rng_of(call)), low = bt_rng_next(rng_of(call));
    high = (high & ~0xF000ull) | 0x4000;
    low = (low & ~(3ull << 62)) | 1ull << 63;
    int len = snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                       (unsigned)(high >> 16 & 0xFFFF), (unsigned)(high & 0xFFFF),
                       (unsigned)(low >> 48), (unsigned long long)(low & 0xFFFFFFFFFFFFull));
    return bt_call_string(call, (struct bt_str){text, (size_t)len}, ret_value);
}

static int id(struct bt_call *call, struct bt_value **ret_value)
{
    uint64_t high = bt_rng_next(rng_of(call)), low = bt_rng_next(rng_of(call));
    struct bt_id made = bt_id_make(call->run->scope->now_us / 1000, high, low);
    return bt_call_string(call, bt_id_str(&made), ret_value);
}

/* --- The context ------------------------------------------------------------------------------ */

static int print_context(struct bt_call *call, struct bt_value **ret_value)
{
    const struct bt_scope *scope = call->run->scope;
    BT_VALUE all = NULL;
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    if (!scope->all)
        return bt_fail(call->run->err, BT_UNAVAILABLE, "the function '%s' is not available here",
                       call->fn->name);
    BT_TRY(scope->all(scope->data, &all, call->run->err));
    int rc = bt_java_json(all, true, &buf, call->run->err);
    if (rc == BT_OK)
        return bt_call_take(call, &buf, ret_value);
    bt_buf_done(&buf);
    return rc;
}

/* A key of a map or lazy object; null when it is not there. */
static int key_of(struct bt_run *run, const struct bt_value *object, struct bt_str key,
                  struct bt_value **ret_value)
{
    if (bt_value_is(object, BT_KIND_LAZY)) {
        int rc = bt_lazy_get(object, key, ret_value, run->err);
        if (rc != BT_NOT_FOUND)
            return rc;
        *ret_value = bt_value_null();
        return BT_OK;
    }
    struct bt_value *found = bt_map_get(object, key);
    *ret_value = found ? bt_value_ref(found) : bt_value_null();
    return BT_OK;
}

/* The text of `taskrun.value` below an object; *ret_value is null when there is no task run. */
static int iteration_of(struct bt_run *run, const struct bt_value *taskrun,
                        struct bt_value **ret_value)
{
    BT_VALUE value = NULL;
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_TRY(key_of(run, taskrun, BT_STR("value"), &value));
    if (bt_value_is(value, BT_KIND_STRING)) {
        *ret_value = BT_TAKE(value);
        return BT_OK;
    }
    int rc = bt_java_text(value, &buf, run->err);
    *ret_value = rc == BT_OK ? bt_value_string(bt_buf_str(&buf)) : NULL;
    bt_buf_done(&buf);
    return rc < 0 ? rc : *ret_value ? BT_OK : bt_raise_mem(run);
}

/* One step down: outputs[parents[index].taskrun.value]. */
static int step_down(struct bt_call *call, const struct bt_value *parent, struct bt_value **outputs)
{
    BT_VALUE taskrun = NULL;
    BT_VALUE name = NULL;
    struct bt_value *next = NULL;
    BT_TRY(key_of(call->run, parent, BT_STR("taskrun"), &taskrun));
    if (bt_value_is_null(taskrun))
        return BT_OK;
    BT_TRY(iteration_of(call->run, taskrun, &name));
    BT_TRY(key_of(call->run, *outputs, bt_value_str(name), &next));
    if (bt_value_is_null(next))
        return bt_raise(call->run, call->node->at,
                        "No execution outputs for the current task runs path");
    bt_value_unref(*outputs);
    *outputs = next;
    return BT_OK;
}

static int root_or_null(struct bt_run *run, struct bt_str name, struct bt_value **ret_value)
{
    int rc = bt_exec_root(run, name, ret_value);
    if (rc != BT_NOT_FOUND)
        return rc;
    *ret_value = bt_value_null();
    return BT_OK;
}

static int current_each_output(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE outputs = NULL;
    BT_VALUE parents = NULL;
    BT_VALUE taskrun = NULL;
    BT_VALUE name = NULL;
    const struct bt_value *arg = bt_call_arg(call, 0);
    if (!arg)
        return expects(call, "outputs");
    if (!bt_value_is(arg, BT_KIND_MAP) && !bt_value_is(arg, BT_KIND_LAZY))
        return bt_raise(call->run, call->node->at,
                        "The 'currentEachOutput' function expects an argument 'outputs' with type "
                        "map.");
    outputs = bt_value_ref(arg);
    BT_TRY(root_or_null(call->run, BT_STR("parents"), &parents));
    for (size_t i = bt_value_count(parents); i-- > 0;)
        BT_TRY(step_down(call, bt_list_at(parents, i), &outputs));
    BT_TRY(root_or_null(call->run, BT_STR("taskrun"), &taskrun));
    if (bt_value_is_null(taskrun))
        return bt_raise_missing(call->run, call->node->at, BT_STR("taskrun"));
    BT_TRY(iteration_of(call->run, taskrun, &name));
    return key_of(call->run, outputs, bt_value_str(name), ret_value);
}

static const struct bt_fn rows[] = {
    {"currentEachOutput", "outputs", 1, 1, 0, current_each_output,
     "Outputs of a sibling task in this iteration: `currentEachOutput(outputs.load).uri`"},
    {"fetchContext", "", 0, 0, BT_FN_TOP, print_context, "All variables as JSON text"},
    {"id", "", 0, 0, BT_FN_LOOSE, id, "A short id"},
    {"max", "", 2, 255, BT_FN_VARIADIC, max, "The largest number: `max(1, 5, 3)` → `5`"},
    {"min", "", 2, 255, BT_FN_VARIADIC, min, "The smallest number: `min(4, 2, 8)` → `2`"},
    {"printContext", "", 0, 0, BT_FN_TOP, print_context, "All variables as JSON text"},
    {"randomInt", "lower upper", 2, 2, 0, random_int,
     "A number in [lower, upper); both must come from variables"},
    {"range", "start end increment", 2, 3, 0, range,
     "A list of numbers or letters: `range(0, 6, 2)` → `[0,2,4,6]`"},
    {"render", "toRender recursive", 1, 2, BT_FN_TOP | BT_FN_ONCE_ONLY, render,
     "Renders the result again, until it stays the same: `render(vars.a)`"},
    {"renderOnce", "toRender", 1, 1, BT_FN_TOP | BT_FN_ONCE_ONLY, render_once,
     "Renders the result once more"},
    {"uuid", "", 0, 0, BT_FN_LOOSE, uuid, "A random UUID"},
};

const struct bt_fn_table bt_fn_core_functions = {rows, BT_COUNT(rows)};
