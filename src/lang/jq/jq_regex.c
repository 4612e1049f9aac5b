/* jq_regex.c — Matches of regular expressions as jq's objects, under limits of matching. Pure. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/utf8.h"
#include "lang/jq/jq_int.h"

enum { MATCH_MAX = 1000000, DEPTH_MAX = 1000, HEAP_KB_MAX = 20000 };

struct matcher {
    struct bt_jq *jq;
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    struct bt_str text;
    bool is_global, skips_empty;
};

static bool flags_of(const struct bt_value *flags, uint32_t *options, struct matcher *matcher)
{
    struct bt_str text = bt_value_str(flags);
    for (size_t i = 0; i < text.len; i++) {
        switch (text.at[i]) {
        case 'g': matcher->is_global = true; break;
        case 'i': *options |= PCRE2_CASELESS; break;
        case 'x': *options |= PCRE2_EXTENDED; break;
        case 's': *options |= PCRE2_DOTALL; break;
        case 'n': matcher->skips_empty = true; break;
        case 'p': *options |= PCRE2_DOTALL; break;
        case 'l': break;
        default: return false;
        }
    }
    return bt_value_is(flags, BT_KIND_STRING) || bt_value_is_null(flags);
}

static int put_range(struct bt_jq *jq, struct bt_value *map, struct bt_str text,
                     const PCRE2_SIZE *ends)
{
    bool is_set = ends[0] != PCRE2_UNSET;
    struct bt_str part = is_set ? bt_str_slice(text, ends[0], ends[1]) : BT_STR("");
    size_t offset = is_set ? bt_utf8_count(bt_str_slice(text, 0, ends[0])) : 0;
    if (!map || bt_map_puts(map, "offset", bt_value_int32(is_set ? (int32_t)offset : -1)) < 0 ||
        bt_map_puts(map, "length", bt_value_int32((int32_t)bt_utf8_count(part))) < 0 ||
        bt_map_puts(map, "string", is_set ? bt_value_string(part) : bt_value_null()) < 0)
        return bt_jq_no_mem(jq);
    return BT_OK;
}

/* The name of a group, or null. */
static struct bt_value *name_of(const pcre2_code *code, uint32_t group)
{
    uint32_t count = 0, size = 0;
    PCRE2_SPTR table = NULL;
    (void)pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count); /* These cannot fail. */
    (void)pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    (void)pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
    for (uint32_t i = 0; i < count; i++, table += size)
        if (((uint32_t)table[0] << 8 | table[1]) == group)
            return bt_value_cstr((const char *)table + 2);
    return bt_value_null();
}

static int add_match(struct matcher *m, struct bt_value *list)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(m->data);
    uint32_t groups = pcre2_get_ovector_count(m->data);
    BT_VALUE match = bt_map_new(4);
    BT_VALUE captures = bt_list_new(groups);
    BT_TRY(put_range(m->jq, match, m->text, ends));
    for (uint32_t i = 1; i < groups; i++) {
        BT_VALUE capture = bt_map_new(4);
        BT_TRY(put_range(m->jq, capture, m->text, ends + 2 * i));
        if (bt_map_puts(capture, "name", name_of(m->code, i)) < 0 ||
            bt_list_push(captures, BT_TAKE(capture)) < 0)
            return bt_jq_no_mem(m->jq);
    }
    if (bt_map_puts(match, "captures", BT_TAKE(captures)) < 0 ||
        bt_list_push(list, BT_TAKE(match)) < 0)
        return bt_jq_no_mem(m->jq);
    return BT_OK;
}

static int match_all(struct matcher *m, struct bt_value *list)
{
    for (size_t from = 0; from <= m->text.len;) {
        int rc = pcre2_match(m->code, (PCRE2_SPTR)(m->text.at ? m->text.at : ""), m->text.len, from,
                             0, m->data, m->context);
        if (rc == PCRE2_ERROR_NOMATCH)
            return BT_OK;
        if (rc <= 0 || (m->jq->steps += 10 + (uint32_t)(from / 64)) > BT_EXPR_STEPS_MAX)
            return bt_fail(m->jq->err, BT_LIMIT, "a regular expression takes too long");
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(m->data);
        size_t first = ends[0], last = ends[1];
        if (last < first)
            return BT_OK;
        if (!(m->skips_empty && first == last))
            BT_TRY(add_match(m, list));
        if (!m->is_global)
            return BT_OK;
        from = last > first ? last : last + 1;
        while (from < m->text.len && ((unsigned char)m->text.at[from] & 0xC0) == 0x80)
            from++;
    }
    return BT_OK;
}

static int compile(struct matcher *m, struct bt_str pattern, uint32_t options)
{
    int code;
    PCRE2_SIZE at;
    m->code = pcre2_compile((PCRE2_SPTR)(pattern.at ? pattern.at : ""), pattern.len,
                            PCRE2_UTF | options, &code, &at, NULL);
    if (!m->code)
        return bt_jq_raise(m->jq, "%.*s (at offset %zu) is not a valid regex", BT_FMT(pattern),
                           (size_t)at);
    m->data = pcre2_match_data_create_from_pattern(m->code, NULL);
    m->context = pcre2_match_context_create(NULL);
    if (!m->data || !m->context)
        return bt_jq_no_mem(m->jq);
    (void)pcre2_set_match_limit(m->context, MATCH_MAX); /* These cannot fail. */
    (void)pcre2_set_depth_limit(m->context, DEPTH_MAX);
    (void)pcre2_set_heap_limit(m->context, HEAP_KB_MAX);
    return BT_OK;
}

int bt_jq_match(struct bt_jq *jq, const struct bt_value *text, const struct bt_value *pattern,
                const struct bt_value *flags, struct bt_value **ret_list)
{
    struct matcher m = {.jq = jq, .text = bt_value_str(text)};
    uint32_t options = 0;
    BT_VALUE list = bt_list_new(0);
    if (!bt_value_is(text, BT_KIND_STRING))
        return bt_jq_raise(jq, "%s cannot be matched, as it is not a string", bt_jq_type(text));
    if (!bt_value_is(pattern, BT_KIND_STRING) || !flags_of(flags, &options, &m))
        return bt_jq_raise(jq, "a regular expression and its flags must be strings");
    int rc = compile(&m, bt_value_str(pattern), options);
    if (rc == BT_OK)
        rc = list ? match_all(&m, list) : bt_jq_no_mem(jq);
    pcre2_code_free(m.code);
    pcre2_match_data_free(m.data);
    pcre2_match_context_free(m.context);
    if (rc == BT_OK)
        *ret_list = BT_TAKE(list);
    return rc;
}
