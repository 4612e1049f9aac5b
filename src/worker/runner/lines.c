/* lines.c — Lines and pieces of text. Must never hold more than one line's limit. */
#include "worker/runner/lines.h"

#include "base/limits.h"
#include "base/utf8.h"

#include <assert.h>

enum { PLAIN_LINE_MAX = 4 * BT_LOG_MESSAGE_MAX, MARGIN = 64 };

bool bt_line_is_protocol(struct bt_str line)
{
    return line.len >= 3 && memcmp(line.at, "::{", 3) == 0;
}

void bt_lines_init(struct bt_lines *lines,
                   void (*emit)(void *data, struct bt_str line, bool is_whole), void *data)
{
    *lines = (struct bt_lines){.emit = emit, .data = data};
    lines->rest = (struct bt_buf)BT_BUF_INIT(BT_OUTPUT_LINE_MAX + MARGIN);
}

void bt_lines_done(struct bt_lines *lines)
{
    bt_buf_done(&lines->rest);
}

static void finish_line(struct bt_lines *lines, struct bt_str line)
{
    bool is_whole = !lines->is_cut;
    lines->is_cut = false;
    lines->count++;
    if (is_whole || line.len > 0)
        lines->emit(lines->data, line, is_whole);
    bt_buf_clear(&lines->rest);
}

/* The begun line is too long: hands out its first piece and keeps what follows. */
static void cut_rest(struct bt_lines *lines)
{
    struct bt_str rest = bt_buf_str(&lines->rest);
    size_t len = bt_text_piece(rest, PLAIN_LINE_MAX);
    lines->emit(lines->data, bt_str_slice(rest, 0, len), false);
    lines->is_cut = true;
    memmove(lines->rest.at, lines->rest.at + len, rest.len - len);
    lines->rest.len = rest.len - len;
}

static size_t rest_max(const struct bt_lines *lines)
{
    bool is_protocol = !lines->is_cut && bt_line_is_protocol(bt_buf_str(&lines->rest));
    return is_protocol ? BT_OUTPUT_LINE_MAX : PLAIN_LINE_MAX;
}

/* Keeps the beginning of a line whose end has not come. */
static void keep(struct bt_lines *lines, struct bt_str part)
{
    while (part.len > 0) {
        while (lines->rest.len >= rest_max(lines))
            cut_rest(lines);
        /* At first a few bytes only, so that the kind of line is known. */
        size_t room = lines->rest.len < 3 && !lines->is_cut ? 3 - lines->rest.len
                                                            : rest_max(lines) - lines->rest.len;
        struct bt_str step = bt_str_slice(part, 0, room);
        if (bt_buf_add(&lines->rest, step) != BT_OK) {
            lines->emit(lines->data, step, false); /* No memory to keep it: show it. */
            lines->is_cut = true;
            bt_buf_clear(&lines->rest);
        }
        part = bt_str_slice(part, step.len, part.len);
    }
}

static size_t find_end(struct bt_str bytes)
{
    const char *lf = memchr(bytes.at, '\n', bytes.len);
    size_t len = lf ? (size_t)(lf - bytes.at) : bytes.len;
    const char *cr = memchr(bytes.at, '\r', len);
    return cr ? (size_t)(cr - bytes.at) : len;
}

void bt_lines_feed(struct bt_lines *lines, struct bt_str bytes)
{
    while (bytes.len > 0) {
        if (lines->is_after_cr && bytes.at[0] == '\n')
            bytes = bt_str_slice(bytes, 1, bytes.len);
        lines->is_after_cr = false;
        if (bytes.len == 0)
            return;
        size_t end = find_end(bytes);
        struct bt_str part = bt_str_slice(bytes, 0, end);
        size_t max = bt_line_is_protocol(part) ? BT_OUTPUT_LINE_MAX : PLAIN_LINE_MAX;
        bool is_direct = lines->rest.len == 0 && part.len <= max && end < bytes.len;
        if (!is_direct)
            keep(lines, part);
        if (end == bytes.len)
            return;
        lines->is_after_cr = bytes.at[end] == '\r';
        finish_line(lines, is_direct ? part : bt_buf_str(&lines->rest));
        bytes = bt_str_slice(bytes, end + 1, bytes.len);
    }
}

void bt_lines_end(struct bt_lines *lines)
{
    if (lines->rest.len > 0 || lines->is_cut)
        finish_line(lines, bt_buf_str(&lines->rest));
}

int bt_text_clean(struct bt_str raw, struct bt_buf *out)
{
    size_t from = 0;
    for (size_t at = 0; at < raw.len;) {
        uint32_t rune;
        size_t len = bt_utf8_decode(raw, at, &rune);
        if (len > 0 && rune != 0) {
            at += len;
            continue;
        }
        BT_TRY(bt_buf_add(out, bt_str_slice(raw, from, at)));
        BT_TRY(bt_buf_add_rune(out, 0xFFFD));
        at++;
        from = at;
    }
    return bt_buf_add(out, bt_str_slice(raw, from, raw.len));
}

size_t bt_text_piece(struct bt_str text, size_t max)
{
    assert(max >= 4);
    if (text.len <= max)
        return text.len;
    size_t len = max;
    for (int back = 0; back < 3 && ((unsigned char)text.at[len] & 0xC0) == 0x80; back++)
        len--;
    return ((unsigned char)text.at[len] & 0xC0) == 0x80 ? max : len;
}
