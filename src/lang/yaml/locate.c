/* locate.c — From a place in a scalar's text back to the place in the source.
 *
 * Source and text are walked side by side: escapes and doubled quotes are stepped over as one, and
 * where folding joined lines a run of white space stands for a run of white space. */
#include "lang/yaml/yaml_int.h"

#include "base/utf8.h"

struct walk {
    struct bt_str source, text;
    struct bt_mark at; /* In the source. */
    size_t offset;     /* In the text. */
};

static char source_at(const struct walk *walk, size_t ahead)
{
    size_t at = walk->at.byte + ahead;
    return at < walk->source.len ? walk->source.at[at] : '\0';
}

static void step_source(struct walk *walk)
{
    if (walk->at.byte >= walk->source.len)
        return;
    if (source_at(walk, 0) == '\n') {
        walk->at.line++;
        walk->at.col = 1;
        walk->at.byte++;
        return;
    }
    do
        walk->at.byte++;
    while (((unsigned char)source_at(walk, 0) & 0xC0) == 0x80);
    walk->at.col++;
}

static void step_text(struct walk *walk)
{
    do
        walk->offset++;
    while (walk->offset < walk->text.len &&
           ((unsigned char)walk->text.at[walk->offset] & 0xC0) == 0x80);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Whether the white space in the source from here on holds an end of line. */
static bool has_line_end(const struct walk *walk)
{
    for (size_t i = 0; is_blank(source_at(walk, i)); i++)
        if (source_at(walk, i) == '\n')
            return true;
    return false;
}

static void step_escape(struct walk *walk)
{
    size_t more = 1;
    switch (source_at(walk, 1)) {
    case 'x': more = 3; break;
    case 'u': more = 5; break;
    case 'U': more = 9; break;
    case '\n': /* The line goes on without a break. */
        step_source(walk);
        step_source(walk);
        while (source_at(walk, 0) == ' ' || source_at(walk, 0) == '\t')
            step_source(walk);
        return;
    default: break;
    }
    for (size_t i = 0; i <= more; i++)
        step_source(walk);
    step_text(walk);
}

static void step_both(struct walk *walk, enum bt_yaml_style style)
{
    if (style == BT_YAML_DOUBLE && source_at(walk, 0) == '\\') {
        step_escape(walk);
        return;
    }
    if (style == BT_YAML_SINGLE && source_at(walk, 0) == '\'')
        step_source(walk);
    step_source(walk);
    step_text(walk);
}

/* A run of white space that folding changed. */
static void step_fold(struct walk *walk, size_t until)
{
    while (is_blank(source_at(walk, 0)))
        step_source(walk);
    while (walk->offset < walk->text.len && walk->offset < until &&
           is_blank(walk->text.at[walk->offset]))
        walk->offset++;
}

/* A block scalar kept line by line: each line of the text ends its line of the source. */
static struct bt_mark locate_literal(struct walk *walk, size_t offset)
{
    size_t start = 0;
    for (;;) {
        ptrdiff_t end = bt_str_find(walk->text, BT_STR("\n"), start);
        size_t stop = end < 0 ? walk->text.len : (size_t)end;
        ptrdiff_t source_end = bt_str_find(walk->source, BT_STR("\n"), walk->at.byte);
        size_t source_stop = source_end < 0 ? walk->source.len : (size_t)source_end;
        if (source_stop > walk->at.byte && walk->source.at[source_stop - 1] == '\r')
            source_stop--;
        if (offset <= stop || source_end < 0 || end < 0) {
            size_t line_len = source_stop - walk->at.byte;
            size_t indent = line_len > stop - start ? line_len - (stop - start) : 0;
            for (size_t i = 0; i < indent; i++)
                step_source(walk);
            size_t stop_at = walk->at.byte + (offset > start ? offset - start : 0);
            while (walk->at.byte < stop_at && walk->at.byte < source_stop)
                step_source(walk);
            return walk->at;
        }
        start = stop + 1;
        walk->at =
            (struct bt_mark){.line = walk->at.line + 1, .col = 1, .byte = (uint32_t)source_end + 1};
    }
}

struct bt_mark bt_yaml_locate(struct bt_str source, const struct bt_yaml_node *scalar,
                              size_t offset)
{
    struct walk walk = {.source = source, .text = scalar->text, .at = scalar->at};
    if (offset > scalar->text.len)
        offset = scalar->text.len;
    if (scalar->style == BT_YAML_LITERAL)
        return locate_literal(&walk, offset);
    if (scalar->style == BT_YAML_SINGLE || scalar->style == BT_YAML_DOUBLE)
        step_source(&walk);
    if (scalar->style == BT_YAML_FOLDED)
        step_fold(&walk, 0);
    while (walk.offset < offset && walk.at.byte < source.len) {
        if (is_blank(source_at(&walk, 0)) && has_line_end(&walk))
            step_fold(&walk, offset);
        else
            step_both(&walk, scalar->style);
    }
    return walk.at;
}

struct bt_mark bt_yaml_locate_line(struct bt_str source, const struct bt_yaml_node *scalar,
                                   uint32_t line, uint32_t col)
{
    size_t start = 0;
    for (uint32_t i = 1; i < line; i++) {
        ptrdiff_t end = bt_str_find(scalar->text, BT_STR("\n"), start);
        if (end < 0)
            break;
        start = (size_t)end + 1;
    }
    struct bt_str rest = bt_str_slice(scalar->text, start, scalar->text.len);
    size_t offset = start + bt_utf8_offset(rest, col > 0 ? col - 1 : 0);
    return bt_yaml_locate(source, scalar, offset);
}
