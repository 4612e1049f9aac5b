/* globs.c — Lists of patterns for files of a namespace. */
#include "worker/globs.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/vec.h"
#include "sys/glob.h"

enum { PATTERNS_MAX = 1000 };

static bool is_word(unsigned char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

int bt_globs_add(struct bt_globs *globs, struct bt_str text, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf pattern = BT_BUF_INIT(BT_GLOB_BYTES_MAX + 8);
    struct bt_glob *glob = NULL;
    if (bt_str_starts(text, BT_STR("regex:")))
        return bt_fail(err, BT_INVALID, "'%.*s': patterns are globs", BT_FMT(text));
    if (bt_str_starts(text, BT_STR("glob:")))
        text = bt_str_slice(text, 5, text.len);
    if (globs->count == PATTERNS_MAX)
        return bt_fail(err, BT_LIMIT, "more than %d patterns", PATTERNS_MAX);
    if (text.len && is_word((unsigned char)text.at[0]))
        (void)bt_buf_adds(&pattern, "**/"); /* Checked below. */
    while (text.len && text.at[0] == '/')
        text = bt_str_slice(text, 1, text.len);
    (void)bt_buf_add(&pattern, text);
    BT_TRY(bt_buf_check(&pattern, "a pattern", err));
    BT_TRY(bt_glob_parse(bt_buf_str(&pattern), &glob, err));
    bt_vec_push(globs, glob);
    return BT_OK;
}

bool bt_globs_match(const struct bt_globs *globs, struct bt_str path)
{
    for (size_t i = 0; i < globs->count; i++)
        if (bt_glob_match(globs->items[i], path))
            return true;
    return false;
}

void bt_globs_done(struct bt_globs *globs)
{
    for (size_t i = 0; i < globs->count; i++)
        bt_glob_free(globs->items[i]);
    bt_vec_done(globs);
}
