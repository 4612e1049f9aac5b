/* regex.c — Regular expressions: compile, split, replace, under limits of matching. Pure.
 *
 * The dialect is close to PCRE2's; what differs and is used is translated: names of classes, and
 * classes in classes. Intersections (&&) are not. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lang/expr/regex.h"

#include "base/num.h"

#include <assert.h>

enum { MATCH_MAX = 1000000, DEPTH_MAX = 1000, HEAP_KB_MAX = 20000, GROUPS_MAX = 100 };

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    bool is_once; /* Only the first match is replaced. */
};

static void regex_done(struct regex *regex)
{
    pcre2_code_free(regex->code);
    pcre2_match_data_free(regex->data);
    pcre2_match_context_free(regex->context);
}

/* \p{Alpha}, \p{IsLatin} … in PCRE2's spelling. */
static const struct {
    const char *java, *pcre;
} classes[] = {
    {"\\p{Alpha}", "[A-Za-z]"},
    {"\\p{Digit}", "[0-9]"},
    {"\\p{Alnum}", "[0-9A-Za-z]"},
    {"\\p{Upper}", "[A-Z]"},
    {"\\p{Lower}", "[a-z]"},
    {"\\p{Punct}", "[!-/:-@\\[-`{-~]"},
    {"\\p{Space}", "\\s"},
    {"\\p{Blank}", "[ \\t]"},
    {"\\p{XDigit}", "[0-9A-Fa-f]"},
    {"\\p{ASCII}", "[\\x00-\\x7F]"},
    {"\\p{IsAlphabetic}", "\\p{L}"},
    {"\\p{IsLetter}", "\\p{L}"},
    {"\\p{IsDigit}", "\\p{Nd}"},
    {"\\p{IsUppercase}", "\\p{Lu}"},
    {"\\p{IsLowercase}", "\\p{Ll}"},
    {"\\p{IsPunctuation}", "\\p{P}"},
    {"\\p{IsWhite_Space}", "\\s"},
    {"\\p{javaLetter}", "\\p{L}"},
    {"\\p{InCombiningDiacriticalMarks}", "[\\x{300}-\\x{36F}]"},
};

static int translate(struct bt_str pattern, struct bt_buf *out)
{
    int depth = 0; /* Of classes in classes: their union is one class. */
    for (size_t i = 0; i < pattern.len;) {
        size_t row = 0;
        struct bt_str rest = bt_str_slice(pattern, i, pattern.len);
        while (row < BT_COUNT(classes) && !bt_str_starts(rest, bt_str_of(classes[row].java)))
            row++;
        if (row < BT_COUNT(classes)) {
            struct bt_str to = bt_str_of(classes[row].pcre);
            if (depth && to.at[0] == '[')
                to = bt_str_slice(to, 1, to.len - 1);
            BT_TRY(bt_buf_add(out, to));
            i += strlen(classes[row].java);
            continue;
        }
        char c = pattern.at[i];
        size_t len = c == '\\' && i + 1 < pattern.len ? 2 : 1;
        bool is_inner = (c == '[' && depth > 0) || (c == ']' && depth > 1);
        if (!is_inner)
            BT_TRY(bt_buf_add(out, bt_str_slice(pattern, i, i + len)));
        depth += c == '[' ? 1 : c == ']' && depth > 0 ? -1 : 0;
        i += len;
    }
    return BT_OK;
}

static int compile_text(struct bt_call *call, struct bt_str pattern, struct regex *regex)
{
    int code;
    PCRE2_SIZE at;
    regex->code = pcre2_compile((PCRE2_SPTR)(pattern.at ? pattern.at : ""), pattern.len, PCRE2_UTF,
                                &code, &at, NULL);
    if (!regex->code) {
        PCRE2_UCHAR words[200] = "";
        (void)pcre2_get_error_message(code, words, sizeof words); /* A cut text is fine. */
        return bt_raise_java(call->run, call->node->at, "%s near index %zu\n%.*s",
                             (const char *)words, (size_t)at, BT_FMT(pattern));
    }
    regex->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
    regex->context = pcre2_match_context_create(NULL);
    if (!regex->data || !regex->context)
        return bt_raise_mem(call->run);
    (void)pcre2_set_match_limit(regex->context, MATCH_MAX); /* These cannot fail. */
    (void)pcre2_set_depth_limit(regex->context, DEPTH_MAX);
    (void)pcre2_set_heap_limit(regex->context, HEAP_KB_MAX);
    return BT_OK;
}

static int regex_init(struct bt_call *call, struct bt_str pattern, struct regex *regex)
{
    struct bt_buf buf = BT_BUF_INIT(BT_TEMPLATE_BYTES_MAX);
    *regex = (struct regex){0};
    (void)translate(pattern, &buf); /* Checked next. */
    int rc = bt_buf_check(&buf, "the regular expression", call->run->err);
    if (rc == BT_OK)
        rc = compile_text(call, bt_buf_str(&buf), regex);
    bt_buf_done(&buf);
    if (rc < 0)
        regex_done(regex);
    return rc;
}

/* The next match from `from` on: its offsets, or *ret_found false. */
static int next_match(struct bt_call *call, struct regex *regex, struct bt_str text, size_t from,
                      bool *ret_found)
{
    int rc = pcre2_match(regex->code, (PCRE2_SPTR)(text.at ? text.at : ""), text.len, from, 0,
                         regex->data, regex->context);
    *ret_found = rc > 0;
    if (rc > 0 || rc == PCRE2_ERROR_NOMATCH)
        return BT_OK;
    if (++call->run->steps > BT_EXPR_STEPS_MAX || rc == PCRE2_ERROR_MATCHLIMIT ||
        rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT)
        return bt_fail(call->run->err, BT_LIMIT, "a regular expression takes too long");
    if (rc == PCRE2_ERROR_NOMEMORY)
        return bt_raise_mem(call->run);
    return bt_raise_java(call->run, call->node->at, "a regular expression cannot be matched");
}

static size_t rune_len(struct bt_str text, size_t at)
{
    size_t len = 1;
    while (at + len < text.len && ((unsigned char)text.at[at + len] & 0xC0) == 0x80)
        len++;
    return len;
}

/* --- Replace ---------------------------------------------------------------------------------- */

static struct bt_str group_of(const struct regex *regex, struct bt_str text, uint32_t group)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(regex->data);
    if (group >= pcre2_get_ovector_count(regex->data) || ends[2 * group] == PCRE2_UNSET)
        return BT_STR("");
    return bt_str_slice(text, ends[2 * group], ends[2 * group + 1]);
}

/* A `$` of the replacement at `at`: adds the group and gives the bytes used, 0 when illegal. */
static size_t add_group(const struct regex *regex, struct bt_str text, struct bt_str to, size_t at,
                        struct bt_buf *out)
{
    uint32_t groups = pcre2_get_ovector_count(regex->data);
    if (at + 1 < to.len && to.at[at + 1] == '{') {
        char name[64] = "";
        size_t end = at + 2;
        while (end < to.len && to.at[end] != '}' && end - at - 2 < sizeof name - 1)
            end++;
        if (end >= to.len || to.at[end] != '}')
            return 0;
        memcpy(name, to.at + at + 2, end - at - 2);
        int number = pcre2_substring_number_from_name(regex->code, (PCRE2_SPTR)name);
        if (number < 0)
            return 0;
        (void)bt_buf_add(out, group_of(regex, text, (uint32_t)number)); /* Failures stay. */
        return end + 1 - at;
    }
    if (at + 1 >= to.len || to.at[at + 1] < '0' || to.at[at + 1] > '9')
        return 0;
    uint32_t group = (uint32_t)(to.at[at + 1] - '0');
    size_t used = 2;
    if (group >= groups)
        return 0;
    /* Further digits as long as there is such a group. */
    for (; at + used < to.len && to.at[at + used] >= '0' && to.at[at + used] <= '9'; used++) {
        uint32_t more = group * 10 + (uint32_t)(to.at[at + used] - '0');
        if (more >= groups)
            break;
        group = more;
    }
    (void)bt_buf_add(out, group_of(regex, text, group)); /* Failures stay. */
    return used;
}

static int add_replacement(struct bt_call *call, const struct regex *regex, struct bt_str text,
                           struct bt_str to, struct bt_buf *out)
{
    for (size_t i = 0; i < to.len;) {
        if (to.at[i] == '\\' && i + 1 < to.len) {
            (void)bt_buf_addc(out, to.at[i + 1]); /* Failures stay in the buffer. */
            i += 2;
        } else if (to.at[i] == '$') {
            size_t used = add_group(regex, text, to, i, out);
            if (used == 0)
                return bt_raise_java(call->run, call->node->at, "Illegal group reference");
            i += used;
        } else {
            (void)bt_buf_addc(out, to.at[i++]);
        }
    }
    return BT_OK;
}

static int replace_all(struct bt_call *call, struct regex *regex, struct bt_str text,
                       struct bt_str to, struct bt_buf *out)
{
    size_t at = 0, from = 0;
    for (;;) {
        bool found = false;
        if (from <= text.len)
            BT_TRY(next_match(call, regex, text, from, &found));
        if (!found || out->failed)
            break;
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(regex->data);
        size_t first = ends[0], last = ends[1];
        if (first < at || last < first) /* \K in a look-behind may move the start. */
            break;
        (void)bt_buf_add(out, bt_str_slice(text, at, first)); /* Failures stay in the buffer. */
        BT_TRY(add_replacement(call, regex, text, to, out));
        at = last;
        from = last > first ? last : last + (last < text.len ? rune_len(text, last) : 1);
        if (regex->is_once)
            break;
        if (++call->run->steps > BT_EXPR_STEPS_MAX)
            return bt_fail(call->run->err, BT_LIMIT, "a regular expression takes too long");
    }
    (void)bt_buf_add(out, bt_str_slice(text, at, text.len)); /* Checked by the caller. */
    return BT_OK;
}

int bt_expr_regex_replace(struct bt_call *call, struct bt_str text, struct bt_str pattern,
                          struct bt_str to, struct bt_buf *out)
{
    struct regex regex;
    BT_TRY(regex_init(call, pattern, &regex));
    int rc = replace_all(call, &regex, text, to, out);
    regex_done(&regex);
    return rc;
}

int bt_expr_regex_replace_first(struct bt_call *call, struct bt_str text, struct bt_str pattern,
                                struct bt_str to, struct bt_buf *out)
{
    struct regex regex;
    BT_TRY(regex_init(call, pattern, &regex));
    regex.is_once = true;
    int rc = replace_all(call, &regex, text, to, out);
    regex_done(&regex);
    return rc;
}

int bt_expr_regex_matches(struct bt_call *call, struct bt_str text, struct bt_str pattern,
                          bool *ret_is_match)
{
    struct regex regex;
    struct bt_buf whole = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_buf_addf(&whole, "\\A(?:%.*s)\\z", BT_FMT(pattern)); /* A cut one does not compile. */
    int rc = regex_init(call, bt_buf_str(&whole), &regex);
    bt_buf_done(&whole);
    BT_TRY(rc);
    rc = next_match(call, &regex, text, 0, ret_is_match);
    regex_done(&regex);
    return rc;
}

/* --- Split ------------------------------------------------------------------------------------ */

static int push_piece(struct bt_call *call, struct bt_value *list, struct bt_str piece)
{
    if (bt_value_count(list) >= BT_EXPR_ITEMS_MAX)
        return bt_fail(call->run->err, BT_LIMIT, "a text is split into more than %u pieces",
                       BT_EXPR_ITEMS_MAX);
    bt_eval_charge(call->run, piece.len + 64);
    return bt_list_push(list, bt_value_string(piece)) < 0 ? bt_raise_mem(call->run) : BT_OK;
}

static int split_all(struct bt_call *call, struct regex *regex, struct bt_str text, int64_t limit,
                     struct bt_value *list)
{
    size_t at = 0, from = 0;
    while (from <= text.len && (limit <= 0 || (int64_t)bt_value_count(list) < limit - 1)) {
        bool found;
        BT_TRY(next_match(call, regex, text, from, &found));
        if (!found)
            break;
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(regex->data);
        size_t first = ends[0], last = ends[1];
        from = last > first ? last : last + (last < text.len ? rune_len(text, last) : 1);
        if (last == 0 || first < at) /* A match of no width at the start makes no piece. */
            continue;
        BT_TRY(push_piece(call, list, bt_str_slice(text, at, first)));
        at = last;
    }
    return push_piece(call, list, bt_str_slice(text, at, text.len));
}

static int without_empty_end(struct bt_call *call, const struct bt_value *list, int64_t limit,
                             struct bt_value **ret_value)
{
    size_t count = bt_value_count(list);
    if (count == 1) /* No match: the text itself, even when empty. */
        limit = -1;
    while (limit == 0 && count > 0 && bt_value_str(bt_list_at(list, count - 1)).len == 0)
        count--;
    BT_VALUE out = bt_list_new(count);
    for (size_t i = 0; i < count; i++)
        if (bt_list_push(out, bt_value_ref(bt_list_at(list, i))) < 0)
            return bt_raise_mem(call->run);
    if (out)
        bt_list_set_flavor(out, BT_FLAVOR_ARRAY);
    return bt_call_give(call, BT_TAKE(out), ret_value);
}

int bt_expr_regex_split(struct bt_call *call, struct bt_str text, struct bt_str pattern,
                        int64_t limit, struct bt_value **ret_value)
{
    struct regex regex;
    BT_VALUE list = bt_list_new(0);
    if (!list)
        return bt_raise_mem(call->run);
    BT_TRY(regex_init(call, pattern, &regex));
    int rc = split_all(call, &regex, text, limit, list);
    regex_done(&regex);
    return rc < 0 ? rc : without_empty_end(call, list, limit, ret_value);
}
