/* jq_format.c — @text, @json, @csv, @tsv, @html, @uri, @sh, @base64, @base64d of a value. Pure. */
#include "base/utf8.h"
#include "lang/expr/code_text.h"
#include "lang/jq/jq_int.h"

/* Adds the text with some characters replaced. */
static void add_escaped(struct bt_buf *out, struct bt_str text, const char *const pairs[][2])
{
    for (size_t i = 0; i < text.len; i++) {
        const char *to = NULL;
        for (size_t k = 0; pairs[k][0] && !to; k++)
            to = pairs[k][0][0] == text.at[i] ? pairs[k][1] : NULL;
        if (to)
            (void)bt_buf_adds(out, to); /* Failures stay in the buffer, here and below. */
        else
            (void)bt_buf_addc(out, text.at[i]);
    }
}

static const char *const html_pairs[][2] = {{"<", "&lt;"},  {">", "&gt;"},    {"&", "&amp;"},
                                            {"'", "&#39;"}, {"\"", "&quot;"}, {NULL, NULL}};
static const char *const tsv_pairs[][2] = {
    {"\t", "\\t"}, {"\n", "\\n"}, {"\r", "\\r"}, {"\\", "\\\\"}, {NULL, NULL}};
static const char *const csv_pairs[][2] = {{"\"", "\"\""}, {NULL, NULL}};
static const char *const sh_pairs[][2] = {{"'", "'\\''"}, {NULL, NULL}};

/* Rows of a table, or words of a command line. */
static int add_row(struct bt_jq *jq, char kind, const struct bt_value *list, struct bt_buf *out)
{
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *item = bt_list_at(list, i);
        BT_VALUE text = NULL;
        if (i)
            (void)bt_buf_addc(out, kind == 'c' ? ',' : kind == 't' ? '\t' : ' ');
        if (bt_value_is(item, BT_KIND_LIST) || bt_value_is(item, BT_KIND_MAP))
            return bt_jq_raise(jq, "%s is not valid in a %s", bt_jq_type(item),
                               kind == 's' ? "shell string" : "csv row");
        if (bt_value_is_null(item) && kind != 's')
            continue;
        BT_TRY(bt_jq_text(jq, item, &text));
        bool is_text = bt_value_is(item, BT_KIND_STRING);
        const char *quote = !is_text || kind == 't' ? "" : kind == 'c' ? "\"" : "'";
        (void)bt_buf_adds(out, quote);
        add_escaped(out, bt_value_str(text),
                    kind == 'c'   ? csv_pairs
                    : kind == 't' ? tsv_pairs
                                  : sh_pairs);
        (void)bt_buf_adds(out, quote);
    }
    return BT_OK;
}

static void add_uri(struct bt_buf *out, struct bt_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool is_plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                        (c && strchr("-_.~", c));
        if (is_plain)
            (void)bt_buf_addc(out, c);
        else
            (void)bt_buf_addf(out, "%%%02X", (unsigned char)c);
    }
}

static int add_rows(struct bt_jq *jq, char kind, const struct bt_value *value, struct bt_buf *out)
{
    BT_VALUE single = NULL;
    if (!bt_value_is(value, BT_KIND_LIST)) {
        if (kind != 's')
            return bt_jq_raise(jq, "%s cannot be %s-formatted, only an array can be",
                               bt_jq_type(value), kind == 'c' ? "csv" : "tsv");
        single = bt_list_new(1);
        if (bt_list_push(single, bt_value_ref(value)) < 0)
            return bt_jq_no_mem(jq);
        value = single;
    }
    return add_row(jq, kind, value, out);
}

static int add_formatted(struct bt_jq *jq, struct bt_str name, const struct bt_value *value,
                         struct bt_buf *out)
{
    BT_VALUE text = NULL;
    if (bt_str_is(name, "csv") || bt_str_is(name, "tsv") || bt_str_is(name, "sh"))
        return add_rows(jq, name.at[0], value, out);
    BT_TRY(bt_jq_text(jq, value, &text));
    if (bt_str_is(name, "html")) {
        add_escaped(out, bt_value_str(text), html_pairs);
    } else if (bt_str_is(name, "uri")) {
        add_uri(out, bt_value_str(text));
    } else if (bt_str_is(name, "base64")) {
        (void)bt_base64_encode(bt_value_str(text), out);
    } else if (bt_str_is(name, "base64d")) {
        if (bt_base64_decode(bt_value_str(text), out) == BT_INVALID ||
            (!out->failed && !bt_utf8_is_valid(bt_buf_str(out), NULL)))
            return bt_jq_raise(jq, "string is not valid base64 data");
    } else {
        return bt_jq_raise(jq, "%.*s is not a valid format", BT_FMT(name));
    }
    return BT_OK;
}

int bt_jq_format(struct bt_jq *jq, struct bt_str name, const struct bt_value *value,
                 struct bt_value **ret_text)
{
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    if (bt_str_is(name, "text"))
        return bt_jq_text(jq, value, ret_text);
    if (bt_str_is(name, "json"))
        return bt_jq_json(jq, value, ret_text);
    int rc = add_formatted(jq, name, value, &out);
    if (rc == BT_OK)
        rc = bt_buf_check(&out, "the jq text", jq->err);
    bt_jq_charge(jq, out.len);
    *ret_text = rc == BT_OK ? bt_value_string(bt_buf_str(&out)) : NULL;
    bt_buf_done(&out);
    return rc < 0 ? rc : *ret_text ? BT_OK : bt_jq_no_mem(jq);
}
