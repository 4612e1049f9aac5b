/* jq_text.c — Functions of jq on texts, paths, dates and regular expressions. Pure. */
#include "lang/jq/jq_text_int.h"

#include "base/utf8.h"
#include "value/time.h"

#include <math.h>

static int give(struct bt_jq *jq, struct bt_value *value, struct bt_value **ret_value)
{
    *ret_value = value;
    return value ? BT_OK : bt_jq_no_mem(jq);
}

static bool is(const struct bt_value *value, enum bt_kind kind)
{
    return bt_value_is(value, kind);
}

/* --- Texts ------------------------------------------------------------------------------------ */

static int edge(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *part,
                bool is_start, struct bt_value **ret_value)
{
    if (!is(in, BT_KIND_STRING) || !is(part, BT_KIND_STRING))
        return bt_jq_raise(jq, "%s() requires string inputs", is_start ? "startswith" : "endswith");
    bool found = is_start ? bt_str_starts(bt_value_str(in), bt_value_str(part))
                          : bt_str_ends(bt_value_str(in), bt_value_str(part));
    return give(jq, bt_value_bool(found), ret_value);
}

int bt_jq_fn_startswith(struct bt_jq *jq, const struct bt_value *in,
                        const struct bt_value *const *args, struct bt_value **ret_value)
{
    return edge(jq, in, args[0], true, ret_value);
}

int bt_jq_fn_endswith(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value)
{
    return edge(jq, in, args[0], false, ret_value);
}

int bt_jq_fn_ltrimstr(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value)
{
    struct bt_str text = bt_value_str(in), part = bt_value_str(args[0]);
    if (!is(in, BT_KIND_STRING) || !is(args[0], BT_KIND_STRING) || !bt_str_starts(text, part))
        return give(jq, bt_value_ref(in), ret_value);
    return give(jq, bt_value_string(bt_str_slice(text, part.len, text.len)), ret_value);
}

int bt_jq_fn_rtrimstr(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value)
{
    struct bt_str text = bt_value_str(in), part = bt_value_str(args[0]);
    if (!is(in, BT_KIND_STRING) || !is(args[0], BT_KIND_STRING) || !bt_str_ends(text, part))
        return give(jq, bt_value_ref(in), ret_value);
    return give(jq, bt_value_string(bt_str_slice(text, 0, text.len - part.len)), ret_value);
}

int bt_jq_fn_split(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                   struct bt_value **ret_value)
{
    if (!is(in, BT_KIND_STRING) || !is(args[0], BT_KIND_STRING))
        return bt_jq_raise(jq, "split input and separator must be strings");
    return bt_jq_arith(jq, '/', in, args[0], ret_value);
}

int bt_jq_fn_join(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                  struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc =
        is(in, BT_KIND_LIST) ? BT_OK : bt_jq_raise(jq, "Cannot iterate over %s", bt_jq_type(in));
    for (size_t i = 0; i < bt_value_count(in) && rc == BT_OK; i++) {
        const struct bt_value *item = bt_list_at(in, i);
        BT_VALUE text = NULL;
        if (i)
            (void)bt_buf_add(&buf, bt_value_str(args[0])); /* Checked below. */
        if (is(item, BT_KIND_LIST) || is(item, BT_KIND_MAP))
            rc = bt_jq_raise(jq, "string and %s cannot be added", bt_jq_type(item));
        else if (!bt_value_is_null(item))
            rc = bt_jq_text(jq, item, &text);
        (void)bt_buf_add(&buf, bt_value_str(text));
    }
    if (rc == BT_OK)
        rc = bt_buf_check(&buf, "the jq text", jq->err);
    bt_jq_charge(jq, buf.len);
    if (rc == BT_OK)
        rc = give(jq, bt_value_string(bt_buf_str(&buf)), ret_value);
    bt_buf_done(&buf);
    return rc;
}

static int ascii_case(struct bt_jq *jq, const struct bt_value *in, bool is_upper,
                      struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    struct bt_str text = bt_value_str(in);
    if (!is(in, BT_KIND_STRING))
        return bt_jq_raise(jq, "explode input must be a string");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool is_change = is_upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
        (void)bt_buf_addc(&buf, (char)(is_change ? c ^ 32 : c)); /* Checked next. */
    }
    int rc = bt_buf_check(&buf, "the jq text", jq->err);
    bt_jq_charge(jq, buf.len);
    if (rc == BT_OK)
        rc = give(jq, bt_value_string(bt_buf_str(&buf)), ret_value);
    bt_buf_done(&buf);
    return rc;
}

int bt_jq_fn_downcase(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value)
{
    (void)args;
    return ascii_case(jq, in, false, ret_value);
}

int bt_jq_fn_upcase(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value)
{
    (void)args;
    return ascii_case(jq, in, true, ret_value);
}

int bt_jq_fn_explode(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value)
{
    BT_VALUE out = bt_list_new(0);
    struct bt_str text = bt_value_str(in);
    (void)args;
    if (!is(in, BT_KIND_STRING))
        return bt_jq_raise(jq, "explode input must be a string");
    for (size_t i = 0; i < text.len;) {
        uint32_t rune = 0;
        size_t len = bt_utf8_decode(text, i, &rune);
        if (bt_list_push(out, bt_value_int32((int32_t)rune)) < 0)
            return bt_jq_no_mem(jq);
        i += len ? len : 1;
    }
    return give(jq, BT_TAKE(out), ret_value);
}

int bt_jq_fn_implode(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value)
{
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)args;
    if (!is(in, BT_KIND_LIST))
        return bt_jq_raise(jq, "implode input must be an array");
    for (size_t i = 0; i < bt_value_count(in); i++) {
        int64_t rune = bt_value_as_int(bt_list_at(in, i));
        bool is_ok = rune >= 0 && rune < 0x110000 && !(rune >= 0xD800 && rune < 0xE000);
        (void)bt_buf_add_rune(&buf, is_ok ? (uint32_t)rune : 0xFFFD); /* Checked next. */
    }
    int rc = bt_buf_check(&buf, "the jq text", jq->err);
    bt_jq_charge(jq, buf.len);
    if (rc == BT_OK)
        rc = give(jq, bt_value_string(bt_buf_str(&buf)), ret_value);
    bt_buf_done(&buf);
    return rc;
}

/* All positions, in runes, of a text in a text; of a list or item in a list. */
int bt_jq_fn_indices(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value)
{
    struct bt_str text = bt_value_str(in), part = bt_value_str(args[0]);
    BT_VALUE out = bt_list_new(0);
    BT_VALUE single = bt_list_new(1);
    if (bt_value_is_null(in))
        return give(jq, bt_value_null(), ret_value);
    if (is(in, BT_KIND_LIST)) {
        if (is(args[0], BT_KIND_LIST))
            return bt_jq_index(jq, in, args[0], ret_value);
        if (bt_list_push(single, bt_value_ref(args[0])) < 0)
            return bt_jq_no_mem(jq);
        return bt_jq_index(jq, in, single, ret_value);
    }
    if (!is(in, BT_KIND_STRING) || !is(args[0], BT_KIND_STRING))
        return bt_jq_raise(jq, "Cannot determine indices of %s in %s", bt_jq_type(args[0]),
                           bt_jq_type(in));
    ptrdiff_t at = part.len ? bt_str_find(text, part, 0) : -1;
    for (; at >= 0; at = bt_str_find(text, part, (size_t)at + 1)) {
        size_t runes = bt_utf8_count(bt_str_slice(text, 0, (size_t)at));
        jq->steps += (uint32_t)((size_t)at / 64);
        if (bt_list_push(out, bt_value_int32((int32_t)runes)) < 0)
            return bt_jq_no_mem(jq);
        if (jq->steps > BT_EXPR_STEPS_MAX)
            return bt_fail(jq->err, BT_LIMIT, "a jq program takes too long");
    }
    return give(jq, BT_TAKE(out), ret_value);
}

/* --- Paths, dates, regular expressions -------------------------------------------------------- */

int bt_jq_fn_setpath(struct bt_jq *jq, const struct bt_value *in,
                     const struct bt_value *const *args, struct bt_value **ret_value)
{
    if (!is(args[0], BT_KIND_LIST))
        return bt_jq_raise(jq, "Path must be specified as an array");
    return bt_jq_set(jq, in, args[0], args[1], ret_value);
}

int bt_jq_fn_delpaths(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value)
{
    if (!is(args[0], BT_KIND_LIST))
        return bt_jq_raise(jq, "Paths must be specified as an array");
    return bt_jq_delete(jq, in, args[0], ret_value);
}

int bt_jq_fn_todate(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value)
{
    struct bt_zone utc = bt_zone_utc();
    struct bt_buf buf = BT_BUF_INIT(100);
    (void)args;
    if (!bt_jq_is_number(in) || !(fabs(bt_value_as_double(in)) <= 1e12))
        return bt_jq_raise(jq, "strftime/1 requires a number of seconds");
    struct bt_moment moment = {.epoch_s = (int64_t)floor(bt_value_as_double(in)), .zone = utc};
    int rc = bt_moment_format(&moment, BT_STR("iso_sec"), BT_STR(""), &buf, jq->err);
    if (rc == BT_OK)
        rc = give(jq, bt_value_string(bt_buf_str(&buf)), ret_value);
    bt_buf_done(&buf);
    return rc;
}

int bt_jq_fn_fromdate(struct bt_jq *jq, const struct bt_value *in,
                      const struct bt_value *const *args, struct bt_value **ret_value)
{
    struct bt_zone utc = bt_zone_utc();
    struct bt_moment moment;
    (void)args;
    if (!is(in, BT_KIND_STRING) ||
        bt_moment_parse(bt_value_str(in), BT_STR("yyyy-MM-dd'T'HH:mm:ssX"), &utc, &moment, NULL) <
            0)
        return bt_jq_raise(jq, "date does not match format \"%%Y-%%m-%%dT%%H:%%M:%%SZ\"");
    return give(jq, bt_jq_number((double)moment.epoch_s), ret_value);
}

int bt_jq_fn_match(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                   struct bt_value **ret_value)
{
    return bt_jq_match(jq, in, args[0], args[1], ret_value);
}

int bt_jq_fn_env(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                 struct bt_value **ret_value)
{
    (void)in;
    (void)args;
    return give(jq, bt_map_new(0), ret_value);
}

int bt_jq_fn_format(struct bt_jq *jq, const struct bt_value *in, const struct bt_value *const *args,
                    struct bt_value **ret_value)
{
    return bt_jq_format(jq, bt_value_str(args[0]), in, ret_value);
}
