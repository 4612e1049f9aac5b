/* str.c — Looking at byte views. */
#include "base/str.h"

#include <stdlib.h>

int bt_str_cmp(struct bt_str a, struct bt_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.at, b.at, len) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool bt_str_starts(struct bt_str text, struct bt_str prefix)
{
    return text.len >= prefix.len && (!prefix.len || memcmp(text.at, prefix.at, prefix.len) == 0);
}

bool bt_str_ends(struct bt_str text, struct bt_str suffix)
{
    return text.len >= suffix.len &&
           (!suffix.len || memcmp(text.at + text.len - suffix.len, suffix.at, suffix.len) == 0);
}

ptrdiff_t bt_str_find(struct bt_str text, struct bt_str part, size_t from)
{
    if (from > text.len || part.len > text.len - from)
        return -1;
    if (part.len == 0)
        return (ptrdiff_t)from;
    const char *hit = memmem(text.at + from, text.len - from, part.at, part.len);
    return hit ? hit - text.at : -1;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct bt_str bt_str_trim(struct bt_str text)
{
    while (text.len && is_space(text.at[0])) {
        text.at++;
        text.len--;
    }
    while (text.len && is_space(text.at[text.len - 1]))
        text.len--;
    return text;
}

struct bt_str bt_str_slice(struct bt_str text, size_t from, size_t to)
{
    if (to > text.len)
        to = text.len;
    if (from >= to)
        return (struct bt_str){text.at ? text.at + (from < text.len ? from : text.len) : NULL, 0};
    return (struct bt_str){text.at + from, to - from};
}

char *bt_str_dup(struct bt_str text)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        return NULL;
    if (text.len)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return copy;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t bt_str_hash(struct bt_str text, uint64_t seed)
{
    uint64_t hash = seed ^ 0x9E3779B97F4A7C15u ^ text.len;
    size_t at = 0;
    for (; at + 8 <= text.len; at += 8) {
        uint64_t word;
        memcpy(&word, text.at + at, 8);
        hash = mix(hash ^ word, 0xA0761D6478BD642Fu);
    }
    uint64_t tail = 0;
    if (at < text.len)
        memcpy(&tail, text.at + at, text.len - at);
    return mix(hash ^ tail, 0xE7037ED1A0B428DBu);
}

enum { NEAREST_LEN_MAX = 64 };

/* Optimal string alignment distance (Damerau-Levenshtein restricted), rows of NEAREST_LEN_MAX. */
static size_t edit_distance(struct bt_str a, struct bt_str b)
{
    size_t rows[3][NEAREST_LEN_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t cost = a.at[i - 1] == b.at[j - 1] ? 0 : 1;
            size_t best = last[j - 1] + cost;
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[a.len % 3][b.len];
}

const char *bt_str_nearest(struct bt_str word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t best_distance = word.len <= 4 ? 3 : word.len / 3 + 2;
    if (word.len == 0 || word.len > NEAREST_LEN_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct bt_str candidate = bt_str_of(candidates[i]);
        if (candidate.len == 0 || candidate.len > NEAREST_LEN_MAX)
            continue;
        size_t distance = edit_distance(word, candidate);
        if (distance < best_distance && distance < candidate.len && distance < word.len) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}
