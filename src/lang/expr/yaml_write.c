/* yaml_write.c — Values to YAML text the way the original prints it. Pure. */
#include "lang/expr/yaml_write.h"

#include "base/limits.h"
#include "base/num.h"
#include "lang/expr/expr_int.h"

struct yaml {
    struct bt_buf *out;
    struct bt_err *err;
    int depth;
};

static int write_at(struct yaml *yaml, const struct bt_value *value, int indent, bool is_in_list);

static void add_blanks(struct yaml *yaml, int count)
{
    for (int i = 0; i < count; i++)
        (void)bt_buf_addc(yaml->out, ' '); /* Failures stay in the buffer, here and below. */
}

/* --- Texts ------------------------------------------------------------------------------------ */

/* Words that another type would take. */
static bool is_reserved(struct bt_str text)
{
    static const char *const words[] = {
        "false", "False", "FALSE", "n",  "N",   "no",  "No",  "NO",  "null",
        "Null",  "NULL",  "on",    "On", "ON",  "off", "Off", "OFF", "true",
        "True",  "TRUE",  "y",     "Y",  "yes", "Yes", "YES", "~",
    };
    for (size_t i = 0; i < BT_COUNT(words); i++)
        if (bt_str_is(text, words[i]))
            return true;
    return false;
}

static bool is_numeric(struct bt_str text)
{
    double real;
    return bt_parse_double(text, &real) ||
           (text.len > 2 && text.at[0] == '0' && (text.at[1] | 32) == 'x');
}

/* Whether the text needs quotes although it could stand plain for us. */
static bool needs_quotes(struct bt_str text)
{
    if (text.len == 0 || is_reserved(text))
        return true;
    char first = text.at[0], last = text.at[text.len - 1];
    if (strchr(" ", first) || strchr(" :", last) || strchr("-?:,[]{}#&*!|>'\"%@`", first))
        return true;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.at[i] == ':' && text.at[i + 1] == ' ')
            return true;
        if (text.at[i] == ' ' && text.at[i + 1] == '#')
            return true;
    }
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7F || strchr("[]{},", text.at[i]))
            return true;
    return false;
}

static void write_quoted(struct yaml *yaml, struct bt_str text)
{
    (void)bt_buf_addc(yaml->out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        const char *found = c && c < 0x20 ? strchr("\nn\tt\rr\bb\ff\vv\aa\x1b"
                                                   "e",
                                                   c)
                                          : NULL;
        if (c == '"' || c == '\\')
            (void)bt_buf_addf(yaml->out, "\\%c", c);
        else if (found)
            (void)bt_buf_addf(yaml->out, "\\%c", found[1]);
        else if (c < 0x20 || c == 0x7F)
            (void)bt_buf_addf(yaml->out, "\\x%02X", c);
        else
            (void)bt_buf_addc(yaml->out, (char)c);
    }
    (void)bt_buf_addc(yaml->out, '"');
}

/* Several lines: a literal block. */
static void write_block(struct yaml *yaml, struct bt_str text, int indent)
{
    size_t end = text.len;
    while (end && text.at[end - 1] == '\n')
        end--;
    (void)bt_buf_addc(yaml->out, '|');
    if (text.at[0] == ' ')
        (void)bt_buf_addc(yaml->out, '2');
    if (end == text.len)
        (void)bt_buf_addc(yaml->out, '-');
    else if (text.len - end > 1)
        (void)bt_buf_addc(yaml->out, '+');
    for (size_t from = 0; from < text.len;) {
        ptrdiff_t found = bt_str_find(text, BT_STR("\n"), from);
        size_t to = found < 0 ? text.len : (size_t)found;
        (void)bt_buf_addc(yaml->out, '\n');
        if (to > from)
            add_blanks(yaml, indent ? indent : 2);
        (void)bt_buf_add(yaml->out, bt_str_slice(text, from, to));
        from = to + 1;
    }
}

static bool can_block(struct bt_str text)
{
    if (!memchr(text.at ? text.at : "", '\n', text.len))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if ((c < 0x20 && c != '\n') || c == 0x7F)
            return false;
        if (c == ' ' && i + 1 < text.len && text.at[i + 1] == '\n')
            return false;
    }
    return text.at[text.len - 1] != ' ';
}

static void write_text(struct yaml *yaml, struct bt_str text, int indent)
{
    if (can_block(text))
        write_block(yaml, text, indent);
    else if (needs_quotes(text) || is_numeric(text))
        write_quoted(yaml, text);
    else
        (void)bt_buf_add(yaml->out, text);
}

/* --- Containers ------------------------------------------------------------------------------- */

static bool is_filled(const struct bt_value *value)
{
    return (bt_value_is(value, BT_KIND_LIST) || bt_value_is(value, BT_KIND_MAP)) &&
           bt_value_count(value);
}

static int write_list(struct yaml *yaml, const struct bt_value *list, int indent, bool is_in_list)
{
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *item = bt_list_at(list, i);
        if (i || !is_in_list)
            add_blanks(yaml, indent + 1);
        else
            (void)bt_buf_addc(yaml->out, ' ');
        (void)bt_buf_addc(yaml->out, '-');
        if (!is_filled(item) || bt_value_is(item, BT_KIND_MAP))
            (void)bt_buf_addc(yaml->out, ' ');
        BT_TRY(write_at(yaml, item, indent + 3 - (bt_value_is(item, BT_KIND_LIST) ? 1 : 0), true));
        if (!is_filled(item))
            (void)bt_buf_addc(yaml->out, '\n');
    }
    return BT_OK;
}

static int write_map(struct yaml *yaml, const struct bt_value *map, int indent, bool is_in_list)
{
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_str key = bt_map_key(map, i);
        const struct bt_value *item = bt_map_at(map, i, NULL);
        if (i || !is_in_list)
            add_blanks(yaml, indent);
        if (needs_quotes(key) || is_numeric(key) || can_block(key))
            write_quoted(yaml, key);
        else
            (void)bt_buf_add(yaml->out, key);
        (void)bt_buf_addc(yaml->out, ':');
        if (is_filled(item)) {
            (void)bt_buf_addc(yaml->out, '\n');
            int inner = bt_value_is(item, BT_KIND_LIST) ? indent : indent + 2;
            BT_TRY(write_at(yaml, item, inner, false));
            continue;
        }
        (void)bt_buf_addc(yaml->out, ' ');
        BT_TRY(write_at(yaml, item, indent + 2, false));
        (void)bt_buf_addc(yaml->out, '\n');
    }
    return BT_OK;
}

static int write_scalar(struct yaml *yaml, const struct bt_value *value, int indent)
{
    if (bt_value_is(value, BT_KIND_STRING)) {
        write_text(yaml, bt_value_str(value), indent);
        return BT_OK;
    }
    if (bt_value_is(value, BT_KIND_LIST))
        return bt_buf_adds(yaml->out, "[]");
    if (bt_value_is(value, BT_KIND_MAP))
        return bt_buf_adds(yaml->out, "{}");
    return bt_java_text(value, yaml->out, yaml->err);
}

static int write_at(struct yaml *yaml, const struct bt_value *value, int indent, bool is_in_list)
{
    BT_VALUE forced = NULL;
    if (yaml->depth >= BT_VALUE_DEPTH_MAX)
        return bt_fail(yaml->err, BT_LIMIT, "a value nests deeper than %d levels",
                       BT_VALUE_DEPTH_MAX);
    if (bt_value_is(value, BT_KIND_LAZY)) {
        BT_TRY(bt_lazy_all(value, &forced, yaml->err));
        value = forced;
    }
    yaml->depth++;
    int rc = !is_filled(value)                  ? write_scalar(yaml, value, indent)
             : bt_value_is(value, BT_KIND_LIST) ? write_list(yaml, value, indent, is_in_list)
                                                : write_map(yaml, value, indent, is_in_list);
    yaml->depth--;
    if (rc == BT_OK && yaml->out->failed)
        rc = bt_buf_check(yaml->out, "the YAML text", yaml->err);
    return rc;
}

int bt_yaml_write(const struct bt_value *value, struct bt_buf *out, struct bt_err *err)
{
    struct yaml yaml = {.out = out, .err = err};
    BT_TRY(write_at(&yaml, value, 0, false));
    if (!out->len || out->at[out->len - 1] != '\n')
        (void)bt_buf_addc(out, '\n'); /* Checked next. */
    return bt_buf_check(out, "the YAML text", err);
}
