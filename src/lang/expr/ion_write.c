/* ion_write.c — Values to Amazon Ion text, compact. Pure. */
#include "lang/expr/ion.h"

#include "base/limits.h"
#include "lang/expr/expr_int.h"

#include <math.h>

static int write_at(const struct bt_value *value, struct bt_buf *out, struct bt_err *err,
                    int depth);

static void write_quoted(struct bt_str text, char quote, struct bt_buf *out)
{
    (void)bt_buf_addc(out, quote); /* Failures stay in the buffer, here and below. */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        const char *found = c ? strchr("\nn\tt\rr\bb\ff\vv\aa", c) : NULL;
        if (c == (unsigned char)quote || c == '\\')
            (void)bt_buf_addf(out, "\\%c", c);
        else if (c < 0x20 && found)
            (void)bt_buf_addf(out, "\\%c", found[1]);
        else if (c < 0x20)
            (void)bt_buf_addf(out, "\\x%02x", c);
        else
            (void)bt_buf_addc(out, (char)c);
    }
    (void)bt_buf_addc(out, quote);
}

static bool is_identifier(struct bt_str text)
{
    static const char *const words[] = {"null", "true", "false", "nan"};
    for (size_t i = 0; i < BT_COUNT(words); i++)
        if (bt_str_is(text, words[i]))
            return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool is_letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '$';
        if (!is_letter && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return text.len > 0 &&
           !(text.at[0] == '$' && text.len > 1 && text.at[1] >= '0' && text.at[1] <= '9');
}

static int write_double(double number, struct bt_buf *out)
{
    struct bt_buf text = BT_BUF_INIT(64);
    if (isnan(number))
        return bt_buf_adds(out, "nan");
    if (isinf(number))
        return bt_buf_adds(out, number > 0 ? "+inf" : "-inf");
    int rc = bt_java_double(&text, number, false);
    /* An exponent makes it a float and no decimal. */
    char *exponent = rc == BT_OK ? memchr(text.at, 'E', text.len) : NULL;
    if (exponent)
        *exponent = 'e';
    if (rc == BT_OK)
        rc = bt_buf_add(out, bt_buf_str(&text));
    bt_buf_done(&text);
    return rc == BT_OK && !exponent ? bt_buf_adds(out, "e0") : rc;
}

static int write_decimal(struct bt_str text, struct bt_buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        (void)bt_buf_addc(out, (text.at[i] | 32) == 'e' ? 'd' : text.at[i]); /* Stays. */
    bool is_point = memchr(text.at ? text.at : "", '.', text.len) ||
                    memchr(text.at ? text.at : "", 'e', text.len) ||
                    memchr(text.at ? text.at : "", 'E', text.len);
    return is_point ? out->failed : bt_buf_addc(out, '.');
}

static int write_map(const struct bt_value *map, struct bt_buf *out, struct bt_err *err, int depth)
{
    (void)bt_buf_addc(out, '{'); /* Failures stay in the buffer, here and below. */
    bool is_first = true;
    for (size_t i = 0; i < bt_value_count(map); i++) {
        struct bt_str key = bt_map_key(map, i);
        if (!is_first)
            (void)bt_buf_addc(out, ',');
        is_first = false;
        if (is_identifier(key))
            (void)bt_buf_add(out, key);
        else
            write_quoted(key, '\'', out);
        (void)bt_buf_addc(out, ':');
        BT_TRY(write_at(bt_map_at(map, i, NULL), out, err, depth));
    }
    return bt_buf_addc(out, '}');
}

static int write_list(const struct bt_value *list, struct bt_buf *out, struct bt_err *err,
                      int depth)
{
    (void)bt_buf_addc(out, '['); /* Failures stay in the buffer, here and below. */
    for (size_t i = 0; i < bt_value_count(list); i++) {
        if (i)
            (void)bt_buf_addc(out, ',');
        BT_TRY(write_at(bt_list_at(list, i), out, err, depth));
    }
    return bt_buf_addc(out, ']');
}

static int write_at(const struct bt_value *value, struct bt_buf *out, struct bt_err *err, int depth)
{
    BT_VALUE map = NULL;
    enum bt_flavor flavor = bt_value_flavor(value);
    if (depth > BT_VALUE_DEPTH_MAX)
        return bt_fail(err, BT_LIMIT, "a value nests deeper than %d levels", BT_VALUE_DEPTH_MAX);
    switch (bt_value_kind(value)) {
    case BT_KIND_STRING:
        if (flavor == BT_FLAVOR_DATETIME || flavor == BT_FLAVOR_DATE)
            (void)bt_buf_add(out, bt_value_str(value)); /* Failures stay in the buffer. */
        else
            write_quoted(bt_value_str(value), '"', out);
        break;
    case BT_KIND_DOUBLE: (void)write_double(bt_value_as_double(value), out); break;
    case BT_KIND_DECIMAL:
        if (flavor == BT_FLAVOR_BIGINT)
            (void)bt_buf_add(out, bt_value_str(value));
        else
            (void)write_decimal(bt_value_str(value), out);
        break;
    case BT_KIND_LIST: BT_TRY(write_list(value, out, err, depth + 1)); break;
    case BT_KIND_MAP: BT_TRY(write_map(value, out, err, depth + 1)); break;
    case BT_KIND_LAZY:
        BT_TRY(bt_lazy_all(value, &map, err));
        return write_at(map, out, err, depth + 1);
    case BT_KIND_NULL:
    case BT_KIND_BOOL:
    case BT_KIND_INT: BT_TRY(bt_java_text(value, out, err)); break;
    }
    return out->failed ? bt_buf_check(out, "the Ion text", err) : BT_OK;
}

int bt_ion_write(const struct bt_value *value, struct bt_buf *out, struct bt_err *err)
{
    return write_at(value, out, err, 0);
}
