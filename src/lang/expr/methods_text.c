/* methods_text.c — Methods of texts. Pure. */
#include "lang/expr/methods.h"

#include "base/utf8.h"
#include "lang/expr/regex.h"

static struct bt_str input_str(const struct bt_call *call)
{
    return bt_value_str(call->input);
}

static int text_length(struct bt_call *call, struct bt_value **ret_value)
{
    size_t units = 0;
    struct bt_str text = input_str(call);
    uint32_t rune;
    for (size_t i = 0, len; i < text.len; i += len) {
        len = bt_utf8_decode(text, i, &rune);
        units += rune >= 0x10000 ? 2 : 1;
        len = len ? len : 1;
    }
    return bt_method_int(call, (int64_t)units, ret_value);
}

static int text_upper(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_filter(call, "upper", ret_value);
}

static int text_lower(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_filter(call, "lower", ret_value);
}

static int text_trim(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_filter(call, "trim", ret_value);
}

static int text_split(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_value *args[BT_ARGS_MAX] = {bt_call_arg(call, 0), bt_call_arg(call, 1)};
    struct bt_call inner = *call;
    inner.args = args;
    inner.args_count = 2;
    return bt_method_filter(&inner, "split", ret_value);
}

static int text_is_empty(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_bool(ret_value, input_str(call).len == 0);
}

static int text_is_blank(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_bool(ret_value, bt_str_trim(input_str(call)).len == 0);
}

static int text_starts(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_bool(ret_value, bt_str_starts(input_str(call), bt_value_str(call->args[0])));
}

static int text_ends(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_bool(ret_value, bt_str_ends(input_str(call), bt_value_str(call->args[0])));
}

static int text_contains(struct bt_call *call, struct bt_value **ret_value)
{
    return bt_method_bool(ret_value,
                          bt_str_find(input_str(call), bt_value_str(call->args[0]), 0) >= 0);
}

static int text_equals_nocase(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE left = NULL;
    BT_VALUE right = NULL;
    struct bt_call other = *call;
    other.input = call->args[0];
    BT_TRY(bt_method_filter(call, "lower", &left));
    BT_TRY(bt_method_filter(&other, "lower", &right));
    return bt_method_bool(ret_value, bt_str_eq(bt_value_str(left), bt_value_str(right)));
}

static int text_index_of(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text = input_str(call);
    ptrdiff_t at = bt_str_find(text, bt_value_str(call->args[0]), 0);
    if (at > 0)
        at = (ptrdiff_t)bt_utf8_count(bt_str_slice(text, 0, (size_t)at));
    return bt_method_int(call, at, ret_value);
}

static int text_concat(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_buf_add(&buf, input_str(call)); /* Checked by take. */
    (void)bt_buf_add(&buf, bt_value_str(call->args[0]));
    return bt_call_take(call, &buf, ret_value);
}

static int text_replace(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text = input_str(call), from = bt_value_str(call->args[0]);
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    size_t at = 0;
    ptrdiff_t found;
    while (from.len && (found = bt_str_find(text, from, at)) >= 0) {
        (void)bt_buf_add(&buf, bt_str_slice(text, at, (size_t)found)); /* Checked by take. */
        (void)bt_buf_add(&buf, bt_value_str(call->args[1]));
        at = (size_t)found + from.len;
    }
    (void)bt_buf_add(&buf, bt_str_slice(text, at, text.len));
    return bt_call_take(call, &buf, ret_value);
}

static int text_repeat(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int64_t times = bt_value_as_int(call->args[0]);
    if (times < 0)
        return bt_raise(call->run, call->node->at, "Could not call repeat");
    for (int64_t i = 0; i < times && buf.failed == BT_OK && input_str(call).len; i++)
        (void)bt_buf_add(&buf, input_str(call)); /* Checked by take. */
    return bt_call_take(call, &buf, ret_value);
}

static int text_substring(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text = input_str(call);
    int64_t count = (int64_t)bt_utf8_count(text), from = bt_value_as_int(call->args[0]);
    int64_t to = call->args_count > 1 ? bt_value_as_int(call->args[1]) : count;
    if (from < 0 || to > count || from > to)
        return bt_raise(call->run, call->node->at, "Could not call substring");
    struct bt_str part =
        bt_str_slice(text, bt_utf8_offset(text, (size_t)from), bt_utf8_offset(text, (size_t)to));
    return bt_call_string(call, part, ret_value);
}

static int text_self(struct bt_call *call, struct bt_value **ret_value)
{
    *ret_value = bt_value_ref(call->input);
    return BT_OK;
}

static int text_last_index(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text = input_str(call), part = bt_value_str(call->args[0]);
    for (size_t at = text.len + 1; at-- > 0;)
        if (bt_str_starts(bt_str_slice(text, at, text.len), part))
            return bt_method_int(call, (int64_t)bt_utf8_count(bt_str_slice(text, 0, at)),
                                 ret_value);
    return bt_method_int(call, -1, ret_value);
}

static int text_char_at(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text = input_str(call);
    int64_t count = (int64_t)bt_utf8_count(text), index = bt_value_as_int(call->args[0]);
    if (index < 0 || index >= count)
        return bt_raise(call->run, call->node->at, "Could not call charAt");
    struct bt_str rune = bt_str_slice(text, bt_utf8_offset(text, (size_t)index),
                                      bt_utf8_offset(text, (size_t)index + 1));
    return bt_call_give(call, bt_value_text(rune, BT_KIND_STRING, BT_FLAVOR_CHAR), ret_value);
}

/* The distance of the first letters that differ, else of the lengths. */
static int text_compare(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str a = input_str(call), b = bt_value_str(call->args[0]);
    size_t at = 0;
    while (at < a.len && at < b.len) {
        uint32_t left, right;
        size_t len = bt_utf8_decode(a, at, &left);
        (void)bt_utf8_decode(b, at, &right); /* As long as the texts agree, so do the places. */
        if (left != right)
            return bt_method_int(call, (int64_t)left - (int64_t)right, ret_value);
        at += len ? len : 1;
    }
    return bt_method_int(call, (int64_t)bt_utf8_count(a) - (int64_t)bt_utf8_count(b), ret_value);
}

static int text_matches(struct bt_call *call, struct bt_value **ret_value)
{
    bool is_match = false;
    BT_TRY(bt_expr_regex_matches(call, input_str(call), bt_value_str(call->args[0]), &is_match));
    return bt_method_bool(ret_value, is_match);
}

static int replace_regex(struct bt_call *call, bool is_first, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = (is_first ? bt_expr_regex_replace_first : bt_expr_regex_replace)(
        call, input_str(call), bt_value_str(call->args[0]), bt_value_str(call->args[1]), &buf);
    if (rc == BT_OK)
        return bt_call_take(call, &buf, ret_value);
    bt_buf_done(&buf);
    return rc;
}

static int text_replace_all(struct bt_call *call, struct bt_value **ret_value)
{
    return replace_regex(call, false, ret_value);
}

static int text_replace_first(struct bt_call *call, struct bt_value **ret_value)
{
    return replace_regex(call, true, ret_value);
}

static const struct bt_method rows[] = {
    {"length", BT_ON_TEXT, "", text_length},
    {"toUpperCase", BT_ON_TEXT, "", text_upper},
    {"toLowerCase", BT_ON_TEXT, "", text_lower},
    {"trim", BT_ON_TEXT, "", text_trim},
    {"strip", BT_ON_TEXT, "", text_trim},
    {"isEmpty", BT_ON_TEXT, "", text_is_empty},
    {"isBlank", BT_ON_TEXT, "", text_is_blank},
    {"intern", BT_ON_TEXT, "", text_self},
    {"split", BT_ON_TEXT, "s", text_split},
    {"split", BT_ON_TEXT, "si", text_split},
    {"startsWith", BT_ON_TEXT, "s", text_starts},
    {"endsWith", BT_ON_TEXT, "s", text_ends},
    {"contains", BT_ON_TEXT, "s", text_contains},
    {"equalsIgnoreCase", BT_ON_TEXT, "s", text_equals_nocase},
    {"indexOf", BT_ON_TEXT, "s", text_index_of},
    {"concat", BT_ON_TEXT, "s", text_concat},
    {"replace", BT_ON_TEXT, "ss", text_replace},
    {"repeat", BT_ON_TEXT, "i", text_repeat},
    {"substring", BT_ON_TEXT, "i", text_substring},
    {"substring", BT_ON_TEXT, "ii", text_substring},
    {"lastIndexOf", BT_ON_TEXT, "s", text_last_index},
    {"charAt", BT_ON_TEXT, "i", text_char_at},
    {"compareTo", BT_ON_TEXT, "s", text_compare},
    {"matches", BT_ON_TEXT, "s", text_matches},
    {"replaceAll", BT_ON_TEXT, "ss", text_replace_all},
    {"replaceFirst", BT_ON_TEXT, "ss", text_replace_first},
};

const struct bt_method_table bt_methods_text = {rows, BT_COUNT(rows)};
