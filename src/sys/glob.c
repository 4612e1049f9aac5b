/* glob.c — Matching of path patterns. Braces are written out when parsed, so that matching is the
 * well-known walk with two points to go back to: the last `*` and the last `**`. */
#include "sys/glob.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/own.h"

#include <stdlib.h>

struct bt_glob {
    bool is_literal;
    size_t count;
    char *patterns[BT_GLOB_BRACES_MAX]; /* Without braces. */
    size_t lens[BT_GLOB_BRACES_MAX];
};

struct bt_glob *bt_glob_free(struct bt_glob *glob)
{
    for (size_t i = 0; glob && i < glob->count; i++)
        free(glob->patterns[i]);
    free(glob);
    return NULL;
}

/* The end of the bracket that opens at `at`, or 0. */
static size_t bracket_end(struct bt_str text, size_t at)
{
    size_t end = at + 1;
    if (end < text.len && (text.at[end] == '!' || text.at[end] == '^'))
        end++;
    if (end < text.len && text.at[end] == ']')
        end++;
    while (end < text.len && text.at[end] != ']')
        end++;
    return end < text.len ? end : 0;
}

/* The first `wanted` from `at` on that stands on this level. The text's length: none. */
static size_t find_outside(struct bt_str text, size_t at, const char *wanted)
{
    unsigned depth = 0;
    for (; at < text.len; at++) {
        char c = text.at[at];
        if (depth == 0 && strchr(wanted, c))
            return at;
        if (c == '\\')
            at++;
        else if (c == '[' && bracket_end(text, at))
            at = bracket_end(text, at);
        else if (c == '{')
            depth++;
        else if (c == '}' && depth > 0)
            depth--;
    }
    return text.len;
}

static int add_pattern(struct bt_glob *glob, struct bt_str text, struct bt_err *err)
{
    if (glob->count == BT_GLOB_BRACES_MAX)
        return bt_fail(err, BT_LIMIT, "a pattern may stand for at most %d patterns",
                       BT_GLOB_BRACES_MAX);
    char *copy = bt_str_dup(text);
    if (!copy)
        return bt_fail_mem(err, "pattern");
    glob->patterns[glob->count] = copy;
    glob->lens[glob->count++] = text.len;
    return BT_OK;
}

/* Writes out the first {…} of the text, and the others by recursion. */
static int expand(struct bt_glob *glob, struct bt_str text, struct bt_err *err)
{
    size_t open = find_outside(text, 0, "{");
    if (open == text.len)
        return add_pattern(glob, text, err);
    size_t close = find_outside(text, open + 1, "}");
    if (close == text.len)
        return bt_fail(err, BT_INVALID, "'{' without '}' in a pattern");
    for (size_t at = open + 1; at <= close;) {
        struct bt_str inner = bt_str_slice(text, 0, close);
        size_t end = find_outside(inner, at, ",");
        struct bt_buf one = BT_BUF_INIT(BT_GLOB_BYTES_MAX);
        (void)bt_buf_add(&one, bt_str_slice(text, 0, open)); /* A failure shows below. */
        (void)bt_buf_add(&one, bt_str_slice(text, at, end));
        (void)bt_buf_add(&one, bt_str_slice(text, close + 1, text.len));
        int rc = bt_buf_check(&one, "pattern", err);
        if (rc == BT_OK)
            rc = expand(glob, bt_buf_str(&one), err);
        bt_buf_done(&one);
        if (rc < 0)
            return rc;
        at = end + 1;
    }
    return BT_OK;
}

int bt_glob_parse(struct bt_str pattern, struct bt_glob **ret_glob, struct bt_err *err)
{
    if (pattern.len > BT_GLOB_BYTES_MAX)
        return bt_fail(err, BT_LIMIT, "a pattern has at most %u bytes", BT_GLOB_BYTES_MAX);
    if (pattern.len > 0 && memchr(pattern.at, '\0', pattern.len))
        return bt_fail(err, BT_INVALID, "a pattern holds a NUL byte");
    for (size_t at = 0; at < pattern.len; at++) {
        if (pattern.at[at] == '\\')
            at++;
        else if (pattern.at[at] == '[' && !bracket_end(pattern, at))
            return bt_fail(err, BT_INVALID, "'[' without ']' in pattern '%.*s'", BT_FMT(pattern));
        else if (pattern.at[at] == '[')
            at = bracket_end(pattern, at);
    }
    struct bt_glob *glob = calloc(1, sizeof *glob);
    if (!glob)
        return bt_fail_mem(err, "pattern");
    glob->is_literal = true;
    for (size_t i = 0; i < pattern.len; i++)
        glob->is_literal = glob->is_literal && !strchr("*?[{\\", pattern.at[i]);
    int rc = expand(glob, pattern, err);
    if (rc < 0)
        (void)bt_glob_free(glob); /* Gives NULL. */
    else
        *ret_glob = glob;
    return rc;
}

bool bt_glob_is_literal(const struct bt_glob *glob)
{
    return glob->is_literal;
}

/* Whether the set that opens at `at` holds the character. *ret_next is the place behind it. */
static bool set_has(struct bt_str pattern, size_t at, unsigned char c, size_t *ret_next)
{
    size_t end = bracket_end(pattern, at++);
    bool is_negated = pattern.at[at] == '!' || pattern.at[at] == '^';
    at += is_negated;
    bool is_found = false;
    for (size_t i = at; i < end; i++) {
        unsigned char low = (unsigned char)pattern.at[i];
        unsigned char high = low;
        if (i + 2 < end && pattern.at[i + 1] == '-') {
            high = (unsigned char)pattern.at[i + 2];
            i += 2;
        }
        is_found = is_found || (low <= c && c <= high);
    }
    *ret_next = end + 1;
    return is_found != is_negated && c != '/';
}

/* Length of the rune (or wrong byte) at `at`. */
static size_t rune_len(struct bt_str text, size_t at)
{
    size_t len = 1;
    while (((unsigned char)text.at[at] & 0xC0) == 0xC0 && at + len < text.len && len < 4 &&
           ((unsigned char)text.at[at + len] & 0xC0) == 0x80)
        len++;
    return len;
}

/* One step without stars. False: no match here. */
static bool step(struct bt_str pattern, struct bt_str path, size_t *p, size_t *t)
{
    if (*p >= pattern.len)
        return false;
    char want = pattern.at[*p];
    char have = path.at[*t];
    size_t next = *p + 1;
    size_t used = 1;
    bool is_match;
    if (want == '?') {
        is_match = have != '/';
        used = rune_len(path, *t);
    } else if (want == '[') {
        is_match = set_has(pattern, *p, (unsigned char)have, &next);
    } else if (want == '\\' && next < pattern.len) {
        is_match = pattern.at[next++] == have;
    } else {
        is_match = want == have;
    }
    *p = is_match ? next : *p;
    *t += is_match ? used : 0;
    return is_match;
}

static bool starts(struct bt_str text, size_t at, const char *part)
{
    size_t len = strlen(part);
    return at + len <= text.len && memcmp(text.at + at, part, len) == 0;
}

static bool match_one(struct bt_str pattern, struct bt_str path)
{
    static const size_t none = SIZE_MAX;
    size_t p = 0, t = 0;
    size_t star_p = none, star_t = 0; /* Behind the last `*`. */
    size_t deep_p = none, deep_t = 0; /* Behind the last `**`. */
    for (;;) {
        if (starts(pattern, p, "**")) {
            bool is_part = (p == 0 || pattern.at[p - 1] == '/') && starts(pattern, p, "**/");
            p += is_part ? 3 : 2; /* "**" with its slash may stand for nothing at all. */
            deep_p = p;
            deep_t = t;
            star_p = none;
            continue;
        }
        if (p < pattern.len && pattern.at[p] == '*') {
            star_p = ++p;
            star_t = t;
            continue;
        }
        if (t == path.len && p == pattern.len)
            return true;
        if (t < path.len && step(pattern, path, &p, &t))
            continue;
        if (star_p != none && star_t < path.len && path.at[star_t] != '/') {
            t = ++star_t;
            p = star_p;
        } else if (deep_p != none && deep_t < path.len) {
            bool is_part = deep_p >= 3 && pattern.at[deep_p - 1] == '/';
            do {
                deep_t++;
            } while (is_part && deep_t < path.len && path.at[deep_t - 1] != '/');
            t = deep_t;
            p = deep_p;
            star_p = none;
        } else {
            return false;
        }
    }
}

bool bt_glob_match(const struct bt_glob *glob, struct bt_str path)
{
    for (size_t i = 0; i < glob->count; i++) {
        if (match_one((struct bt_str){glob->patterns[i], glob->lens[i]}, path))
            return true;
    }
    return false;
}
