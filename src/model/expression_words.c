/* expression_words.c — Syntax errors of expressions in plain words. The language speaks as the
 * original does (its clients compare the words); people get these instead. */
#include "model/model_int.h"

#include <stdio.h>

/* Cuts the frame off: "io.pebbletemplates.….ParserException: WORDS (the whole template:LINE)". */
static struct bt_str core_of(struct bt_str words)
{
    ptrdiff_t colon = bt_str_find(words, BT_STR("Exception: "), 0);
    if (!bt_str_starts(words, BT_STR("io.pebbletemplates.")) || colon < 0)
        return words;
    words = bt_str_slice(words, (size_t)colon + strlen("Exception: "), words.len);
    size_t end = words.len;
    if (end && words.at[end - 1] == ')')
        end--;
    while (end && words.at[end - 1] >= '0' && words.at[end - 1] <= '9')
        end--;
    ptrdiff_t open = bt_str_find(words, BT_STR(" ("), 0);
    if (open > 0 && end && words.at[end - 1] == ':')
        words.len = (size_t)open;
    return words;
}

/* The text between two others, or nothing. */
static struct bt_str between(struct bt_str text, const char *before, const char *after)
{
    ptrdiff_t start = bt_str_find(text, bt_str_of(before), 0);
    if (start < 0)
        return BT_STR_NONE;
    size_t from = (size_t)start + strlen(before);
    ptrdiff_t end = bt_str_find(text, bt_str_of(after), from);
    return bt_str_slice(text, from, end < 0 ? text.len : (size_t)end);
}

static bool ends_early(struct bt_str core)
{
    return bt_str_find(core, BT_STR("and type EOF"), 0) >= 0;
}

void bt_expression_words(struct bt_err *err)
{
    char copy[sizeof err->msg];
    struct bt_str core = core_of(bt_str_of(err->msg));
    memcpy(copy, core.at, core.len);
    core.at = copy;
    struct bt_str token = between(core, "Unexpected token of value \"", "\" and type");
    struct bt_str wanted = between(core, "expected token of type ", " ");
    if (ends_early(core)) {
        (void)snprintf(err->msg, sizeof err->msg, "the expression has no end");
        (void)snprintf(err->hint, sizeof err->hint, "close it with \"}}\"");
    } else if (token.len && bt_str_is(wanted, "NAME")) {
        (void)snprintf(err->msg, sizeof err->msg, "a name is expected before \"%.*s\"",
                       BT_FMT(token));
    } else if (token.len && bt_str_is(wanted, "PRINT_END")) {
        (void)snprintf(err->msg, sizeof err->msg, "\"%.*s\" stands where the expression should end",
                       BT_FMT(token));
        (void)snprintf(err->hint, sizeof err->hint, "an operator is missing before it, or \"}}\"");
    } else if (token.len) {
        (void)snprintf(err->msg, sizeof err->msg, "unexpected \"%.*s\"", BT_FMT(token));
    } else {
        (void)snprintf(err->msg, sizeof err->msg, "%.*s", BT_FMT(core));
    }
}
