/* diags.c — Prints diagnostics under the line they are about. Reads only memory. */
#include "cli/diags.h"

#include "base/utf8.h"
#include "cli/text.h"

#include <unistd.h>

struct colours {
    const char *error, *warning, *info, *dim, *bold, *off;
};

static const struct colours plain = {"", "", "", "", "", ""};
static const struct colours bright = {
    .error = "\033[1;31m",
    .warning = "\033[1;33m",
    .info = "\033[1;36m",
    .dim = "\033[2m",
    .bold = "\033[1m",
    .off = "\033[0m",
};

static bool wants_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    return isatty(fileno(out)) && !(no_colour && *no_colour);
}

static const char *severity_name(enum bt_severity severity)
{
    switch (severity) {
    case BT_SEVERITY_ERROR: return "error";
    case BT_SEVERITY_WARNING: return "warning";
    case BT_SEVERITY_INFO: break;
    }
    return "note";
}

static const char *severity_colour(const struct colours *colours, enum bt_severity severity)
{
    switch (severity) {
    case BT_SEVERITY_ERROR: return colours->error;
    case BT_SEVERITY_WARNING: return colours->warning;
    case BT_SEVERITY_INFO: break;
    }
    return colours->info;
}

/* The line with this number, without its end. */
static struct bt_str line_of(struct bt_str source, uint32_t number)
{
    size_t start = 0;
    for (uint32_t line = 1; line < number; line++) {
        ptrdiff_t end = bt_str_find(source, BT_STR("\n"), start);
        if (end < 0)
            return BT_STR_NONE;
        start = (size_t)end + 1;
    }
    ptrdiff_t end = bt_str_find(source, BT_STR("\n"), start);
    struct bt_str line = bt_str_slice(source, start, end < 0 ? source.len : (size_t)end);
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* How many runes to underline: to the end of the thing, or of its first line. */
static uint32_t underline_width(const struct bt_diag *diag, struct bt_str line)
{
    uint32_t runes = (uint32_t)bt_utf8_count(line);
    uint32_t last = diag->end.line == diag->at.line ? diag->end.col : diag->at.col + 1;
    if (diag->end.line > diag->at.line)
        last = runes + 1;
    if (last > runes + 1)
        last = runes + 1;
    return last > diag->at.col ? last - diag->at.col : 1;
}

enum { SHOWN_BYTES_MAX = 160 };

/* Tabs are kept: the marks below follow them. */
static void put_line(FILE *out, struct bt_str line)
{
    for (size_t at = 0; at <= line.len;) {
        ptrdiff_t tab = bt_str_find(line, BT_STR("\t"), at);
        size_t to = tab < 0 ? line.len : (size_t)tab;
        (void)bt_text_put(out, bt_str_slice(line, at, to), SIZE_MAX);
        if (tab >= 0)
            fputc('\t', out);
        at = to + 1;
    }
}

/* The line with a mark below: blanks as wide as what stands before, tabs kept. */
static void show_line(FILE *out, const struct bt_diag *diag, struct bt_str line,
                      const struct colours *colours)
{
    if (!bt_utf8_is_valid(line, NULL) || line.len > SHOWN_BYTES_MAX)
        return;
    fprintf(out, "%s%5u |%s ", colours->dim, diag->at.line, colours->off);
    put_line(out, line);
    fputc('\n', out);
    fprintf(out, "%s      |%s ", colours->dim, colours->off);
    size_t end = bt_utf8_offset(line, diag->at.col - 1);
    for (size_t i = 0; i < end; i++)
        if (line.at[i] == '\t' || ((unsigned char)line.at[i] & 0xC0) != 0x80)
            fputc(line.at[i] == '\t' ? '\t' : ' ', out);
    fputs(severity_colour(colours, diag->severity), out);
    fputc('^', out);
    uint32_t width = underline_width(diag, line);
    for (uint32_t i = 1; i < width; i++)
        fputc('~', out);
    fprintf(out, "%s\n", colours->off);
}

static void show_one(FILE *out, const char *name, struct bt_str source, const struct bt_diag *diag,
                     const struct colours *colours)
{
    fputs(colours->bold, out);
    (void)bt_text_put(out, bt_str_of(name), SIZE_MAX);
    fputc(':', out);
    if (diag->at.line) /* 0: it is about the file itself. */
        fprintf(out, "%u:%u:", diag->at.line, diag->at.col);
    fprintf(out, "%s %s%s:%s ", colours->off, severity_colour(colours, diag->severity),
            severity_name(diag->severity), colours->off);
    bt_text_put_lines(out, bt_str_of(diag->msg));
    fputc('\n', out);
    struct bt_str line = line_of(source, diag->at.line);
    if (line.len && diag->at.col)
        show_line(out, diag, line, colours);
    if (*diag->hint) {
        fprintf(out, "%s      =%s ", colours->dim, colours->off);
        bt_text_put_lines(out, bt_str_of(diag->hint));
        fputc('\n', out);
    }
}

void bt_cli_print_diags(FILE *out, const char *name, struct bt_str source,
                        const struct bt_diags *diags)
{
    bool has_colour = wants_colour(out);
    for (size_t i = 0; i < diags->count; i++)
        show_one(out, name, source, &diags->items[i], has_colour ? &bright : &plain);
    if (diags->left_out)
        fprintf(out, "%s: %zu more are not shown\n", name, diags->left_out);
}

static int put(struct bt_value *map, const char *key, const char *text)
{
    return *text ? bt_map_puts(map, key, bt_value_cstr(text)) : BT_OK;
}

static struct bt_value *diag_value(const struct bt_diag *diag)
{
    BT_VALUE map = bt_map_new(10);
    bool is_good = map && put(map, "severity", severity_name(diag->severity)) == BT_OK &&
                   put(map, "code", diag->code) == BT_OK &&
                   bt_map_puts(map, "line", bt_value_int(diag->at.line)) == BT_OK &&
                   bt_map_puts(map, "column", bt_value_int(diag->at.col)) == BT_OK &&
                   bt_map_puts(map, "endLine", bt_value_int(diag->end.line)) == BT_OK &&
                   bt_map_puts(map, "endColumn", bt_value_int(diag->end.col)) == BT_OK &&
                   put(map, "message", diag->msg) == BT_OK &&
                   put(map, "hint", diag->hint) == BT_OK && put(map, "path", diag->path) == BT_OK &&
                   put(map, "original", diag->original) == BT_OK;
    return is_good ? BT_TAKE(map) : NULL;
}

struct bt_value *bt_cli_diags_value(const struct bt_diags *diags)
{
    BT_VALUE list = bt_list_new(diags->count);
    for (size_t i = 0; list && i < diags->count; i++)
        if (bt_list_push(list, diag_value(&diags->items[i])) != BT_OK)
            list = bt_value_unref(list);
    return BT_TAKE(list);
}
