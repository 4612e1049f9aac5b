/* check.c — What must hold of the bytes of a text before the YAML reader may see them.
 *
 * The reader below us cuts at NUL and lets invalid UTF-8 pass; nothing of that must reach it. */
#include "lang/yaml/yaml_int.h"

#include "base/limits.h"
#include "base/utf8.h"

static struct bt_mark mark_of(struct bt_str source, size_t byte)
{
    struct bt_mark mark = {.line = 1, .col = 1, .byte = (uint32_t)byte};
    for (size_t i = 0; i < byte && i < source.len; i++) {
        if (source.at[i] == '\n') {
            mark.line++;
            mark.col = 1;
        } else if (((unsigned char)source.at[i] & 0xC0) != 0x80) {
            mark.col++;
        }
    }
    return mark;
}

static bool is_allowed(uint32_t rune)
{
    if (rune < 0x20)
        return rune == '\t' || rune == '\n' || rune == '\r';
    if (rune >= 0x7F && rune <= 0x9F)
        return rune == 0x85;
    return rune != 0xFFFE && rune != 0xFFFF && rune != 0xFEFF;
}

/* Bytes of printable ASCII and line ends need no decoding. */
static bool is_plain(unsigned char byte)
{
    return (byte >= 0x20 && byte < 0x7F) || byte == '\n';
}

/* The reader would count it as an end of line, nobody else does. */
static int report_lone_return(struct bt_str source, size_t at, struct bt_diags *diags)
{
    struct bt_diag *diag =
        bt_diags_add(diags, BT_SEVERITY_ERROR, "control-character", mark_of(source, at),
                     "a carriage return stands without a line feed");
    if (diag)
        diag->hint = "save the file with line ends of Unix or Windows";
    return BT_INVALID;
}

static int check_rune(struct bt_str source, size_t at, size_t *ret_len, struct bt_diags *diags)
{
    uint32_t rune = 0;
    *ret_len = bt_utf8_decode(source, at, &rune);
    if (*ret_len == 0) {
        struct bt_diag *diag =
            bt_diags_add(diags, BT_SEVERITY_ERROR, "bad-utf8", mark_of(source, at),
                         "the file is not UTF-8: byte 0x%02X makes no character here",
                         (unsigned)(unsigned char)source.at[at]);
        if (diag)
            diag->hint = "save the file as UTF-8";
        return BT_INVALID;
    }
    if (rune == '\r' && (at + 1 == source.len || source.at[at + 1] != '\n'))
        return report_lone_return(source, at, diags);
    if (is_allowed(rune))
        return BT_OK;
    struct bt_diag *diag =
        bt_diags_add(diags, BT_SEVERITY_ERROR, "control-character", mark_of(source, at),
                     "the file holds the control character U+%04X", (unsigned)rune);
    if (diag)
        diag->hint = "remove it, or write it as an escape in double quotes: \"\\x07\"";
    return BT_INVALID;
}

int bt_yaml_check(struct bt_str source, struct bt_diags *diags)
{
    if (source.len > BT_YAML_BYTES_MAX) {
        struct bt_diag *diag = bt_diags_add(
            diags, BT_SEVERITY_ERROR, "too-large", (struct bt_mark){.line = 1, .col = 1},
            "the file has %zu bytes; at most %u are read", source.len, BT_YAML_BYTES_MAX);
        if (diag)
            diag->hint = "put data into files or inputs, not into the flow";
        return BT_LIMIT;
    }
    for (size_t at = 0; at < source.len;) {
        size_t len = 1;
        if (!is_plain((unsigned char)source.at[at]))
            BT_TRY(check_rune(source, at, &len, diags));
        at += len;
    }
    return BT_OK;
}
