/* plugin_match.c — Compares results with expectations. Changes nothing. */
#include "cli/plugin_match.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "value/json.h"

#include <unistd.h>

static bool is_matcher(const struct bt_value *want, const char *word)
{
    return bt_value_is(want, BT_KIND_MAP) && bt_value_count(want) == 1 && bt_map_gets(want, word);
}

static bool matches(const struct bt_value *want, const struct bt_value *got, int depth)
{
    struct bt_str text = bt_value_str(got);
    if (is_matcher(want, "any"))
        return !bt_value_is_null(got);
    if (is_matcher(want, "contains"))
        return bt_str_find(text, bt_map_str(want, "contains"), 0) >= 0;
    if (is_matcher(want, "startsWith"))
        return bt_str_starts(text, bt_map_str(want, "startsWith"));
    if (depth == 0 || bt_value_kind(want) != bt_value_kind(got))
        return bt_value_equal(want, got);
    size_t count = bt_value_count(want);
    if (bt_value_is(want, BT_KIND_LIST) && count != bt_value_count(got))
        return false;
    bool is_map = bt_value_is(want, BT_KIND_MAP);
    if (!is_map && !bt_value_is(want, BT_KIND_LIST))
        return bt_value_equal(want, got);
    for (size_t i = 0; i < count; i++) {
        const struct bt_value *part =
            is_map ? bt_map_get(got, bt_map_key(want, i)) : bt_list_at(got, i);
        const struct bt_value *wanted = is_map ? bt_map_at(want, i, NULL) : bt_list_at(want, i);
        if (!matches(wanted, part, depth - 1))
            return false;
    }
    return true;
}

static int differ(const char *what, const struct bt_value *want, const struct bt_value *got,
                  struct bt_err *err)
{
    BT_VALUE want_text = bt_json_text(want);
    BT_VALUE got_text = bt_json_text(got);
    struct bt_str a = bt_str_slice(bt_value_str(want_text), 0, 200);
    struct bt_str b = bt_str_slice(bt_value_str(got_text), 0, 200);
    return bt_fail(err, BT_INVALID, "%s: expected %.*s, got %.*s", what, BT_FMT(a), BT_FMT(b));
}

static int match_file(struct bt_files *files, struct bt_str uri, const struct bt_value *want,
                      struct bt_err *err)
{
    BT_FD fd = -1;
    struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_TRY(bt_files_open(files, "main", uri, &fd, err));
    ssize_t got = 1;
    while (got > 0 && bt_buf_reserve(&text, 1 << 16) == BT_OK) {
        got = read(fd, text.at + text.len, 1 << 16);
        text.len += got > 0 ? (size_t)got : 0;
    }
    BT_VALUE content = bt_value_string(bt_buf_str(&text));
    bt_buf_done(&text);
    return matches(want, content, BT_VALUE_DEPTH_MAX) ? BT_OK : differ("file", want, content, err);
}

int bt_plugin_match(struct bt_files *files, const struct bt_job_result *result,
                    const struct bt_value *expect, struct bt_err *err)
{
    struct bt_str state = bt_map_str(expect, "state");
    struct bt_str error = bt_map_str(expect, "error");
    const char *text = result->error ? result->error : "";
    const char *name = bt_state_name(result->state);
    if (!bt_str_is(state.len ? state : BT_STR("SUCCESS"), name))
        return bt_fail(err, BT_INVALID, "it ended %s%s%.400s", name, *text ? ": " : "", text);
    if (error.len && bt_str_find(bt_str_of(text), error, 0) < 0)
        return bt_fail(err, BT_INVALID, "the error is: %.400s", text);
    const struct bt_value *outputs = bt_map_gets(expect, "outputs");
    for (size_t i = 0; i < bt_value_count(outputs); i++) {
        struct bt_str key = bt_map_key(outputs, i);
        char label[128];
        (void)snprintf(label, sizeof label, "output %.*s", BT_FMT(key)); /* Cut is fine. */
        const struct bt_value *want = bt_map_at(outputs, i, NULL);
        const struct bt_value *got = bt_map_get(result->outputs, key);
        if (!matches(want, got, BT_VALUE_DEPTH_MAX))
            return differ(label, want, got, err);
    }
    const struct bt_value *contents = bt_map_gets(expect, "files");
    for (size_t i = 0; i < bt_value_count(contents); i++) {
        struct bt_str uri = bt_value_str(bt_map_get(result->outputs, bt_map_key(contents, i)));
        BT_TRY(match_file(files, uri, bt_map_at(contents, i, NULL), err));
    }
    return BT_OK;
}
