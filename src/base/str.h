/* str.h — A view of bytes with a length, and the helpers that look at it. Borrowed memory always.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bt_str {
    const char *at; /* Not terminated by NUL; may be NULL when len is 0. */
    size_t len;
};

#define BT_STR(literal) ((struct bt_str){(literal), sizeof(literal) - 1})
#define BT_STR_NONE ((struct bt_str){NULL, 0})
/* For printf("%.*s", BT_FMT(s)). */
#define BT_FMT(s) (int)((s).len > 4096 ? 4096 : (s).len), (s).at ? (s).at : ""

static inline struct bt_str bt_str_of(const char *text)
{
    return (struct bt_str){text, text ? strlen(text) : 0};
}

static inline bool bt_str_eq(struct bt_str a, struct bt_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool bt_str_is(struct bt_str a, const char *text)
{
    return bt_str_eq(a, bt_str_of(text));
}

int bt_str_cmp(struct bt_str a, struct bt_str b); /* Byte order; <0, 0, >0. */
bool bt_str_starts(struct bt_str text, struct bt_str prefix);
bool bt_str_ends(struct bt_str text, struct bt_str suffix);
/* Position of `part` in `text` from `from` on, or -1. */
ptrdiff_t bt_str_find(struct bt_str text, struct bt_str part, size_t from);
struct bt_str bt_str_trim(struct bt_str text); /* ASCII white space off both ends. */
/* Part [from, to) of the text; both are clamped. */
struct bt_str bt_str_slice(struct bt_str text, size_t from, size_t to);
/* A copy with a final NUL, owned by the caller (free()), or NULL without memory. */
char *bt_str_dup(struct bt_str text);
/* 64-bit hash (wyhash-like mixing; not for hostile keys without a random seed). */
uint64_t bt_str_hash(struct bt_str text, uint64_t seed);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to suggest. */
const char *bt_str_nearest(struct bt_str word, const char *const *candidates, size_t count);
