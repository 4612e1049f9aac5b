/* explain.c — Words for syntax errors, and the commonest mistake of all: an expression that stands
 * without quotes, which YAML reads as a map in a map. Only ever adds diagnostics. */
#include "lang/yaml/yaml_int.h"

#include "base/utf8.h"

/* The rest of the line from an offset on, without a comment and blanks at its end. */
static struct bt_str line_rest(struct bt_str source, size_t from)
{
    ptrdiff_t end = bt_str_find(source, BT_STR("\n"), from);
    struct bt_str rest = bt_str_slice(source, from, end < 0 ? source.len : (size_t)end);
    ptrdiff_t comment = bt_str_find(rest, BT_STR(" #"), 0);
    if (comment >= 0)
        rest.len = (size_t)comment;
    return bt_str_trim(rest);
}

static void report_unquoted(struct bt_str source, struct bt_mark at, struct bt_diags *diags)
{
    struct bt_str text = line_rest(source, at.byte);
    const struct bt_diag *last = diags->count ? &diags->items[diags->count - 1] : NULL;
    if (last && last->at.byte == at.byte && strcmp(last->code, "unquoted-expression") == 0)
        return; /* The reader stumbles over the same text again. */
    struct bt_diag *diag = bt_diags_add(diags, BT_SEVERITY_ERROR, "unquoted-expression", at,
                                        "an expression must stand in quotes");
    if (!diag)
        return;
    diag->end = at;
    diag->end.col += (uint32_t)text.len;
    diag->end.byte += (uint32_t)text.len;
    bool has_double = bt_str_find(text, BT_STR("\""), 0) >= 0;
    diag->hint = text.len > 200 ? "quote it: \"{{ ... }}\""
                 : has_double   ? bt_diags_dup(diags, "quote it: '%.*s'", BT_FMT(text))
                                : bt_diags_dup(diags, "quote it: \"%.*s\"", BT_FMT(text));
}

bool bt_yaml_unquoted(struct bt_str source, struct bt_yaml_node *map, struct bt_diags *diags)
{
    if (map->count == 0 || map->pairs[0].key->kind != BT_YAML_MAP ||
        map->pairs[0].key->style != BT_YAML_FLOW)
        return false;
    const struct bt_yaml_node *inner = map->pairs[0].key;
    struct bt_str outside = bt_str_slice(source, map->at.byte, map->at.byte + 2);
    struct bt_str inside = bt_str_slice(source, inner->at.byte, inner->at.byte + 2);
    bool is_value = map->style == BT_YAML_FLOW && bt_str_is(outside, "{{");
    if (!is_value && !bt_str_is(inside, "{{"))
        return false;
    struct bt_mark at = is_value ? map->at : inner->at;
    report_unquoted(source, at, diags);
    map->kind = BT_YAML_SCALAR;
    map->style = BT_YAML_DOUBLE;
    map->text = bt_str_slice(source, map->at.byte, map->end.byte);
    map->count = 0;
    map->pairs = NULL;
    map->height = map->size = 1;
    return true;
}

/* The place in a line where a value starts with an expression, or -1. */
static ptrdiff_t unquoted_at(struct bt_str line)
{
    static const char *const opens[] = {": {{", "- {{", ": {%", "- {%", ": {#", "- {#"};
    for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
        ptrdiff_t at = bt_str_find(line, bt_str_of(opens[i]), 0);
        if (at >= 0)
            return at + 2;
    }
    return -1;
}

static struct bt_str line_of(struct bt_str source, uint32_t number, size_t *ret_start)
{
    size_t start = 0;
    for (uint32_t line = 1; line < number; line++) {
        ptrdiff_t end = bt_str_find(source, BT_STR("\n"), start);
        start = end < 0 ? source.len : (size_t)end + 1;
    }
    *ret_start = start;
    ptrdiff_t end = bt_str_find(source, BT_STR("\n"), start);
    return bt_str_slice(source, start, end < 0 ? source.len : (size_t)end);
}

bool bt_yaml_is_end(struct bt_str source, uint32_t line)
{
    size_t start;
    (void)line_of(source, line, &start); /* For its start alone. */
    return bt_str_trim(bt_str_slice(source, start, source.len)).len == 0;
}

struct words {
    const char *theirs, *ours, *hint;
};

static const struct words known[] = {
    {"nested block mapping", "a second ': ' on the line",
     "put the text in quotes when it holds ': '"},
    {"multiline plain key", "this line is neither a key nor a part of the text above", ""},
    {"tab character", "a tab stands where blanks must indent", "indent with blanks"},
    {"could not find expected ':'", "this line holds no key: a ':' is missing",
     "write \"key: value\", or indent the line under the text it belongs to"},
    {"did not find expected '-'", "this line is not indented like the list it stands in",
     "indent it like the lines of its own item"},
    {"did not find expected key", "this line is not indented like the map it stands in",
     "indent it like the other keys"},
    {"wrongly indented double-quoted", "a text in double quotes goes on in a line without indent",
     "close it with \", or indent the lines that belong to it"},
    {"wrongly indented single-quoted", "a text in single quotes goes on in a line without indent",
     "close it with ', or indent the lines that belong to it"},
    {"double-quoted scalar", "a text in double quotes has no end", "close it with \""},
    {"single-quoted scalar", "a text in single quotes has no end", "close it with '"},
    {"flow sequence without", "a list opened with [ has no end", "close it with ]"},
    {"flow mapping without", "a map opened with { has no end", "close it with }"},
    {"cannot start with '%'", "a text may not begin with %", "put it in quotes"},
    {"cannot start with '@'", "a text may not begin with @", "put it in quotes"},
    {"cannot start with '`'", "a text may not begin with `", "put it in quotes"},
    {"invalid value after mapping", "text stands after the end of a map",
     "put the whole value in quotes"},
};

static bool has_tab_indent(struct bt_str line)
{
    for (size_t i = 0; i < line.len && (line.at[i] == ' ' || line.at[i] == '\t'); i++)
        if (line.at[i] == '\t')
            return true;
    return false;
}

/* The reader names some places a line early; the line with the tab is the one to show. */
static bool explain_tab(struct bt_str source, struct bt_mark at, struct bt_diags *diags)
{
    for (uint32_t line = at.line; line <= at.line + 1; line++) {
        size_t start;
        if (!has_tab_indent(line_of(source, line, &start)))
            continue;
        struct bt_mark mark = {.line = line, .col = 1, .byte = (uint32_t)start};
        struct bt_diag *diag = bt_diags_add(diags, BT_SEVERITY_ERROR, "yaml-syntax", mark,
                                            "a tab stands where blanks must indent");
        if (diag)
            diag->hint = "indent with blanks";
        return true;
    }
    return false;
}

/* Whether the rune in this column (1-based) is a quote. */
static bool is_quote(struct bt_str line, uint32_t col)
{
    size_t at = bt_utf8_offset(line, col - 1);
    return at < line.len && (line.at[at] == '"' || line.at[at] == '\'');
}

void bt_yaml_explain(struct bt_str source, struct bt_mark at, const char *msg,
                     struct bt_diags *diags)
{
    size_t start;
    struct bt_str line = line_of(source, at.line, &start);
    at.byte = (uint32_t)start;
    ptrdiff_t open = unquoted_at(line);
    if (open >= 0) {
        at.byte = (uint32_t)(start + (size_t)open);
        at.col = (uint32_t)open + 1;
        report_unquoted(source, at, diags);
        return;
    }
    if (explain_tab(source, at, diags))
        return;
    if (strstr(msg, "-quoted scalar") && at.col > 1)
        at.col -= is_quote(line, at.col - 1) && !is_quote(line, at.col) ? 1 : 0;
    const struct words *words = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known && !words; i++)
        if (bt_str_find(bt_str_of(msg), bt_str_of(known[i].theirs), 0) >= 0)
            words = &known[i];
    struct bt_diag *diag = bt_diags_add(diags, BT_SEVERITY_ERROR, "yaml-syntax", at, "YAML: %s",
                                        words ? words->ours : msg);
    if (diag) {
        diag->hint = words ? words->hint : "";
        diag->original = bt_diags_dup(diags, "Illegal flow yaml: %s", msg);
    }
}
