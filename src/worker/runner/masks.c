/* masks.c — Hiding secrets in texts. As the original does: an asterisk a character, and the first
 * nine of them say what they are: `**masked*`. */
#include "worker/runner/masks.h"

#include "base/limits.h"
#include "base/own.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MIN = 8 };

static int add_text(struct bt_masks *masks, struct bt_str text)
{
    if (text.len == 0)
        return BT_OK;
    for (size_t i = 0; i < masks->count; i++)
        if (bt_str_is(text, masks->texts[i]))
            return BT_OK;
    if (masks->count == masks->cap) {
        size_t cap = masks->cap ? 2 * masks->cap : 4;
        char **texts = realloc(masks->texts, cap * sizeof *texts);
        if (!texts)
            return BT_NO_MEM;
        masks->texts = texts;
        masks->cap = cap;
    }
    char *copy = bt_str_dup(text);
    if (!copy)
        return BT_NO_MEM;
    size_t at = masks->count++;
    for (; at > 0 && strlen(masks->texts[at - 1]) < text.len; at--)
        masks->texts[at] = masks->texts[at - 1];
    masks->texts[at] = copy;
    return BT_OK;
}

int bt_masks_add(struct bt_masks *masks, struct bt_str secret)
{
    BT_TRY(add_text(masks, secret));
    while (secret.len) {
        ptrdiff_t end = bt_str_find(secret, BT_STR("\n"), 0);
        struct bt_str line = bt_str_slice(secret, 0, end < 0 ? secret.len : (size_t)end);
        struct bt_str trimmed = bt_str_trim(line);
        if (trimmed.len >= LINE_BYTES_MIN)
            BT_TRY(add_text(masks, trimmed));
        secret = bt_str_slice(secret, line.len + 1, secret.len);
    }
    return BT_OK;
}

/* Where the secret begins in the text, or -1. Shorter ones count only as the whole text. */
static ptrdiff_t find_secret(struct bt_str text, struct bt_str secret, size_t least)
{
    if (secret.len < least)
        return bt_str_eq(text, secret) ? 0 : -1;
    return bt_str_find(text, secret, 0);
}

bool bt_masks_has(const struct bt_masks *masks, struct bt_str text)
{
    for (size_t i = 0; i < masks->count; i++)
        if (find_secret(text, bt_str_of(masks->texts[i]), BT_MASK_BYTES_MIN) >= 0)
            return true;
    return false;
}

static size_t count_runes(struct bt_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.at[i] & 0xC0) != 0x80;
    return count;
}

static int add_stars(struct bt_str secret, struct bt_buf *out)
{
    static const char word[] = "**masked*";
    size_t count = count_runes(secret), named = count >= sizeof word - 1 ? sizeof word - 1 : 0;
    BT_TRY(bt_buf_add(out, (struct bt_str){word, named}));
    for (size_t i = named; i < count; i++)
        BT_TRY(bt_buf_addc(out, '*'));
    return BT_OK;
}

static int apply(const struct bt_masks *masks, struct bt_str text, size_t least, struct bt_buf *out)
{
    while (text.len) {
        struct bt_str first = BT_STR_NONE;
        ptrdiff_t first_at = -1;
        for (size_t i = 0; i < masks->count; i++) {
            struct bt_str secret = bt_str_of(masks->texts[i]);
            ptrdiff_t at = find_secret(text, secret, least);
            if (at < 0 || (first_at >= 0 && at >= first_at))
                continue; /* Of two at one place the longer one comes first. */
            first = secret;
            first_at = at;
        }
        if (first_at < 0)
            return bt_buf_add(out, text);
        BT_TRY(bt_buf_add(out, bt_str_slice(text, 0, (size_t)first_at)));
        BT_TRY(add_stars(first, out));
        text = bt_str_slice(text, (size_t)first_at + first.len, text.len);
    }
    return BT_OK;
}

int bt_masks_apply(const struct bt_masks *masks, struct bt_str text, struct bt_buf *out)
{
    return apply(masks, text, BT_MASK_BYTES_MIN, out);
}

int bt_masks_apply_all(const struct bt_masks *masks, struct bt_str text, struct bt_buf *out)
{
    return apply(masks, text, 1, out);
}

void bt_masks_done(struct bt_masks *masks)
{
    for (size_t i = 0; i < masks->count; i++) {
        explicit_bzero(masks->texts[i], strlen(masks->texts[i]));
        free(masks->texts[i]);
    }
    free(masks->texts);
    *masks = (struct bt_masks){0};
}
