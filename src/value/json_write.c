/* json_write.c — Values to JSON text. */
#include "value/json.h"

#include "base/limits.h"
#include "base/num.h"

#include <math.h>

struct writer {
    struct bt_buf *out;
    unsigned flags;
    unsigned depth;
    struct bt_err *err;
};

static int write_value(struct writer *writer, const struct bt_value *value);

/* 0: as is; else the letter after the backslash, 'u' for \u00XX. */
static const char escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
    ['\t'] = 't', [0] = 'u',     [1] = 'u',    [2] = 'u',    [3] = 'u',    [4] = 'u',
    [5] = 'u',    [6] = 'u',     [7] = 'u',    [11] = 'u',   [14] = 'u',   [15] = 'u',
    [16] = 'u',   [17] = 'u',    [18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',
    [22] = 'u',   [23] = 'u',    [24] = 'u',   [25] = 'u',   [26] = 'u',   [27] = 'u',
    [28] = 'u',   [29] = 'u',    [30] = 'u',   [31] = 'u',   [127] = 0,
};

int bt_json_write_str(struct bt_str text, struct bt_buf *out)
{
    static const char hex[] = "0123456789abcdef";
    BT_TRY(bt_buf_addc(out, '"'));
    size_t run = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (!escapes[c])
            continue;
        BT_TRY(bt_buf_add(out, bt_str_slice(text, run, i)));
        run = i + 1;
        char escape[6] = {'\\', escapes[c], '0', '0', hex[c >> 4], hex[c & 15]};
        BT_TRY(bt_buf_add(out, (struct bt_str){escape, escapes[c] == 'u' ? 6 : 2}));
    }
    BT_TRY(bt_buf_add(out, bt_str_slice(text, run, text.len)));
    return bt_buf_addc(out, '"');
}

static int new_line(struct writer *writer)
{
    if (!(writer->flags & BT_JSON_PRETTY))
        return BT_OK;
    BT_TRY(bt_buf_addc(writer->out, '\n'));
    for (unsigned i = 0; i < writer->depth; i++)
        BT_TRY(bt_buf_adds(writer->out, "  "));
    return BT_OK;
}

static int write_list(struct writer *writer, const struct bt_value *list)
{
    size_t count = bt_value_count(list);
    BT_TRY(bt_buf_addc(writer->out, '['));
    for (size_t i = 0; i < count; i++) {
        if (i)
            BT_TRY(bt_buf_addc(writer->out, ','));
        BT_TRY(new_line(writer));
        BT_TRY(write_value(writer, bt_list_at(list, i)));
    }
    writer->depth--;
    if (count)
        BT_TRY(new_line(writer));
    writer->depth++;
    return bt_buf_addc(writer->out, ']');
}

static int write_map(struct writer *writer, const struct bt_value *map)
{
    bool is_first = true;
    BT_TRY(bt_buf_addc(writer->out, '{'));
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *val = bt_map_at(map, i, &key);
        if ((writer->flags & BT_JSON_DROP_NULLS) && bt_value_is_null(val))
            continue;
        if (!is_first)
            BT_TRY(bt_buf_addc(writer->out, ','));
        is_first = false;
        BT_TRY(new_line(writer));
        BT_TRY(bt_json_write_str(bt_value_str(key), writer->out));
        BT_TRY(bt_buf_adds(writer->out, writer->flags & BT_JSON_PRETTY ? ": " : ":"));
        BT_TRY(write_value(writer, val));
    }
    writer->depth--;
    if (!is_first)
        BT_TRY(new_line(writer));
    writer->depth++;
    return bt_buf_addc(writer->out, '}');
}

static int write_container(struct writer *writer, const struct bt_value *value)
{
    if (++writer->depth > BT_VALUE_DEPTH_MAX)
        return bt_fail(writer->err, BT_LIMIT, "a value is nested deeper than %d levels",
                       BT_VALUE_DEPTH_MAX);
    int rc;
    if (bt_value_is(value, BT_KIND_LAZY)) {
        BT_VALUE map = NULL;
        BT_TRY(bt_lazy_all(value, &map, writer->err));
        rc = write_map(writer, map);
    } else {
        rc =
            bt_value_is(value, BT_KIND_LIST) ? write_list(writer, value) : write_map(writer, value);
    }
    writer->depth--;
    return rc;
}

static int write_value(struct writer *writer, const struct bt_value *value)
{
    struct bt_buf *out = writer->out;
    switch (bt_value_kind(value)) {
    case BT_KIND_NULL: return bt_buf_adds(out, "null");
    case BT_KIND_BOOL: return bt_buf_adds(out, bt_value_as_bool(value) ? "true" : "false");
    case BT_KIND_INT: return bt_buf_add_i64(out, bt_value_as_int(value));
    case BT_KIND_DOUBLE:
        if (!isfinite(bt_value_as_double(value)))
            return bt_buf_adds(out, "null");
        return bt_buf_add_double(out, bt_value_as_double(value));
    case BT_KIND_DECIMAL: return bt_buf_add(out, bt_value_str(value));
    case BT_KIND_STRING: return bt_json_write_str(bt_value_str(value), out);
    case BT_KIND_LIST:
    case BT_KIND_MAP:
    case BT_KIND_LAZY: return write_container(writer, value);
    }
    return BT_OK;
}

int bt_json_write(const struct bt_value *value, unsigned flags, struct bt_buf *out,
                  struct bt_err *err)
{
    struct writer writer = {.out = out, .flags = flags, .err = err};
    int rc = write_value(&writer, value);
    if (out->failed != BT_OK)
        return bt_buf_check(out, "JSON text", err);
    return rc;
}

struct bt_value *bt_json_text(const struct bt_value *value)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    if (bt_json_write(value, BT_JSON_COMPACT, &out, NULL) < 0)
        return NULL;
    return bt_value_string(bt_buf_str(&out));
}
