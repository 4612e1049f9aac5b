/* tags.c — Tags of workers. */
#include "base/tags.h"

#include "base/limits.h"

#include <string.h>

bool bt_tag_is_valid(struct bt_str tag)
{
    for (size_t i = 0; i < tag.len; i++) {
        char c = tag.at[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && c != '.' && c != '_' && c != '-')
            return false;
    }
    return tag.len > 0 && tag.len <= BT_TAG_BYTES_MAX;
}

/* Takes the first tag off. False: there is none. */
static bool next(struct bt_str *rest, struct bt_str *ret_tag)
{
    if (!rest->at)
        return false;
    const char *comma = memchr(rest->at, ',', rest->len);
    size_t len = comma ? (size_t)(comma - rest->at) : rest->len;
    *ret_tag = bt_str_slice(*rest, 0, len);
    *rest = comma ? bt_str_slice(*rest, len + 1, rest->len) : (struct bt_str){0};
    return true;
}

bool bt_tags_are_valid(struct bt_str tags)
{
    struct bt_str rest = tags.len ? tags : (struct bt_str){0}, tag;
    while (next(&rest, &tag))
        if (!bt_tag_is_valid(tag))
            return false;
    return tags.len <= BT_TAGS_BYTES_MAX;
}

static bool has(struct bt_str tags, struct bt_str wanted)
{
    struct bt_str tag;
    while (next(&tags, &tag))
        if (bt_str_eq(tag, wanted))
            return true;
    return false;
}

bool bt_tags_have(struct bt_str tags, struct bt_str wanted)
{
    struct bt_str rest = wanted.len ? wanted : (struct bt_str){0}, tag;
    while (next(&rest, &tag))
        if (!has(tags, tag))
            return false;
    return true;
}
