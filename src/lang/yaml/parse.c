/* parse.c — Events of the YAML reader to our tree.
 *
 * The reader's own document builder is never used: it is quadratic in the keys of a map and does
 * not bound aliases. Nothing here recurses: open lists and maps stand on a stack. */
#include "lang/yaml/yaml_int.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/own.h"

#include <libfyaml.h>
#include <stdlib.h>

struct anchor {
    struct bt_str name;
    struct bt_yaml_node *node;
    bool is_open; /* Its node is not closed yet. */
};

struct frame {
    struct bt_yaml_node *node;
    size_t first;  /* Its first child in `pending`. */
    size_t anchor; /* Its index + 1 in `anchors`, or 0. */
};

struct parser {
    struct bt_str source;
    struct bt_arena *arena;
    struct bt_diags *diags;
    struct frame frames[BT_YAML_DEPTH_MAX];
    size_t depth;
    struct bt_yaml_node **pending; /* Children of open nodes; at the bottom the documents. */
    size_t pending_count, pending_cap;
    struct anchor *anchors; /* Of the current document; the last one of a name counts. */
    size_t anchor_count, anchor_cap;
    size_t nodes, alias_nodes;
    struct bt_mark last; /* End of the last token. */
    int rc;
};

static struct bt_mark mark_from(const struct fy_mark *mark)
{
    return (struct bt_mark){.line = (uint32_t)mark->line + 1,
                            .col = (uint32_t)mark->column + 1,
                            .byte = (uint32_t)mark->input_pos};
}

static struct bt_mark event_start(const struct parser *parser, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    return mark ? mark_from(mark) : parser->last;
}

static struct bt_str token_text(struct parser *parser, struct fy_token *token)
{
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : NULL;
    if (!text || len == 0)
        return (struct bt_str){"", 0};
    const char *start = parser->source.at;
    if (text >= start && text + len <= start + parser->source.len)
        return (struct bt_str){text, len};
    struct bt_str copy = bt_arena_str(parser->arena, (struct bt_str){text, len});
    if (!copy.at)
        parser->rc = BT_NO_MEM;
    return copy;
}

/* The text of a scalar that is not one piece of the source. Read piece by piece: asking the reader
 * for the whole text leaks memory when there are many pieces. */
static struct bt_str joined_text(struct parser *parser, struct fy_token *token)
{
    struct fy_token_iter *pieces = fy_token_iter_create(token);
    if (!pieces) {
        parser->rc = BT_NO_MEM;
        return BT_STR_NONE;
    }
    struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    const struct fy_iter_chunk *piece = NULL;
    while ((piece = fy_token_iter_chunk_next(pieces, piece, NULL)))
        bt_buf_add(&text, (struct bt_str){piece->str, piece->len});
    fy_token_iter_destroy(pieces);
    struct bt_str copy = bt_arena_str(parser->arena, bt_buf_str(&text));
    if (!copy.at || text.failed)
        parser->rc = BT_NO_MEM;
    bt_buf_done(&text);
    return copy;
}

static struct bt_str scalar_text(struct parser *parser, const struct bt_yaml_node *node,
                                 struct fy_token *token)
{
    if (!token || node->end.byte <= node->at.byte)
        return (struct bt_str){"", 0};
    if (node->style == BT_YAML_PLAIN && node->at.line == node->end.line)
        return bt_str_slice(parser->source, node->at.byte, node->end.byte);
    return joined_text(parser, token);
}

static void fail_at(struct parser *parser, int rc, struct bt_mark at, const char *code,
                    const char *msg)
{
    if (parser->rc == BT_OK)
        bt_diags_add(parser->diags, BT_SEVERITY_ERROR, code, at, "%s", msg);
    if (parser->rc == BT_OK)
        parser->rc = rc;
}

static bool grow(void **items, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 64;
    void *grown = realloc(*items, more * size);
    if (!grown)
        return false;
    *items = grown;
    *cap = more;
    return true;
}

static void push_child(struct parser *parser, struct bt_yaml_node *node)
{
    if (!grow((void **)&parser->pending, &parser->pending_cap, parser->pending_count,
              sizeof(struct bt_yaml_node *))) {
        parser->rc = BT_NO_MEM;
        return;
    }
    parser->pending[parser->pending_count++] = node;
}

/* Returns the anchor's index + 1, 0 when there is none. */
static size_t add_anchor(struct parser *parser, struct fy_token *token, struct bt_yaml_node *node,
                         bool is_open)
{
    if (!token)
        return 0;
    if (!grow((void **)&parser->anchors, &parser->anchor_cap, parser->anchor_count,
              sizeof(struct anchor))) {
        parser->rc = BT_NO_MEM;
        return 0;
    }
    parser->anchors[parser->anchor_count] =
        (struct anchor){.name = token_text(parser, token), .node = node, .is_open = is_open};
    return ++parser->anchor_count;
}

static struct bt_yaml_node *new_node(struct parser *parser, struct fy_event *event,
                                     struct fy_token *tag)
{
    if (++parser->nodes > BT_YAML_NODES_MAX) {
        fail_at(parser, BT_LIMIT, event_start(parser, event), "too-many-nodes",
                "the file holds too many values");
        return NULL;
    }
    struct bt_yaml_node *node = bt_arena_alloc(parser->arena, sizeof *node);
    if (!node) {
        parser->rc = BT_NO_MEM;
        return NULL;
    }
    node->at = event_start(parser, event);
    const struct fy_mark *end = fy_event_end_mark(event);
    node->end = end ? mark_from(end) : node->at;
    node->size = node->height = 1;
    node->tag = tag ? token_text(parser, tag) : BT_STR_NONE;
    return node;
}

static enum bt_yaml_style scalar_style(struct fy_token *token)
{
    switch (token ? fy_token_scalar_style(token) : FYSS_PLAIN) {
    case FYSS_SINGLE_QUOTED: return BT_YAML_SINGLE;
    case FYSS_DOUBLE_QUOTED: return BT_YAML_DOUBLE;
    case FYSS_LITERAL: return BT_YAML_LITERAL;
    case FYSS_FOLDED: return BT_YAML_FOLDED;
    case FYSS_ANY:
    case FYSS_PLAIN:
    case FYSS_MAX: break;
    }
    return BT_YAML_PLAIN;
}

/* The reader's marks leave the quotes out. */
static void take_quotes(struct bt_yaml_node *node)
{
    node->at.col--;
    node->at.byte--;
    node->end.col++;
    node->end.byte++;
}

static void on_scalar(struct parser *parser, struct fy_event *event)
{
    struct bt_yaml_node *node = new_node(parser, event, event->scalar.tag);
    if (!node)
        return;
    node->kind = BT_YAML_SCALAR;
    node->style = scalar_style(event->scalar.value);
    node->text = scalar_text(parser, node, event->scalar.value);
    if (node->style == BT_YAML_SINGLE || node->style == BT_YAML_DOUBLE)
        take_quotes(node);
    add_anchor(parser, event->scalar.anchor, node, false);
    push_child(parser, node);
}

static void on_open(struct parser *parser, struct fy_event *event, enum bt_yaml_kind kind)
{
    bool is_map = kind == BT_YAML_MAP;
    struct fy_token *tag = is_map ? event->mapping_start.tag : event->sequence_start.tag;
    struct bt_yaml_node *node = new_node(parser, event, tag);
    if (!node)
        return;
    if (parser->depth == BT_YAML_DEPTH_MAX) {
        fail_at(parser, BT_LIMIT, node->at, "too-deep", "the file is nested too deeply");
        return;
    }
    node->kind = kind;
    const char *at = node->at.byte < parser->source.len ? parser->source.at + node->at.byte : "";
    node->style = *at == (is_map ? '{' : '[') ? BT_YAML_FLOW : BT_YAML_BLOCK;
    struct fy_token *anchor = is_map ? event->mapping_start.anchor : event->sequence_start.anchor;
    parser->frames[parser->depth++] = (struct frame){
        .node = node,
        .first = parser->pending_count,
        .anchor = add_anchor(parser, anchor, node, true),
    };
}

/* Copies the node's children from the pending ones into arrays of its own. */
static bool take_children(struct parser *parser, struct bt_yaml_node *node, size_t first)
{
    size_t count = parser->pending_count - first;
    struct bt_yaml_node **children = count ? parser->pending + first : NULL;
    parser->pending_count = first;
    size_t size = 1;
    uint32_t height = 0;
    for (size_t i = 0; i < count; i++) {
        size += children[i]->size;
        height = children[i]->height > height ? children[i]->height : height;
    }
    node->size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
    node->height = height + 1;
    if (count == 0)
        return true;
    if (node->kind == BT_YAML_LIST) {
        node->items = bt_arena_alloc(parser->arena, count * sizeof *node->items);
        node->count = (uint32_t)count;
        if (node->items)
            memcpy(node->items, children, count * sizeof *node->items);
        return node->items != NULL;
    }
    node->pairs = bt_arena_alloc(parser->arena, count / 2 * sizeof *node->pairs);
    node->count = (uint32_t)(count / 2);
    for (size_t i = 0; node->pairs && i < node->count; i++)
        node->pairs[i] = (struct bt_yaml_pair){children[2 * i], children[2 * i + 1]};
    return node->pairs != NULL;
}

static void count_alias_nodes(struct parser *parser, size_t more, struct bt_mark at)
{
    parser->alias_nodes += more;
    if (parser->alias_nodes > BT_YAML_ALIAS_NODES_MAX)
        fail_at(parser, BT_LIMIT, at, "alias-bomb",
                "the aliases of this file expand to too many values");
}

static void on_close(struct parser *parser, struct fy_event *event)
{
    if (parser->depth == 0)
        return;
    struct frame frame = parser->frames[--parser->depth];
    const struct fy_mark *end = fy_event_end_mark(event);
    if (frame.node->style == BT_YAML_FLOW && end)
        frame.node->end = mark_from(end);
    else
        frame.node->end = parser->last;
    if (frame.anchor)
        parser->anchors[frame.anchor - 1].is_open = false;
    if (!take_children(parser, frame.node, frame.first)) {
        parser->rc = BT_NO_MEM;
        return;
    }
    if (frame.node->kind == BT_YAML_MAP && frame.node->count &&
        !bt_yaml_unquoted(parser->source, frame.node, parser->diags)) {
        size_t added = 0;
        int rc = bt_yaml_map_close(parser->arena, frame.node, &added, parser->diags);
        if (rc == BT_NO_MEM)
            parser->rc = rc;
        count_alias_nodes(parser, added, frame.node->at);
    }
    push_child(parser, frame.node);
}

static void on_alias(struct parser *parser, struct fy_event *event)
{
    struct bt_str name = token_text(parser, event->alias.anchor);
    struct bt_mark at = event_start(parser, event);
    const struct anchor *anchor = NULL;
    for (size_t i = parser->anchor_count; i > 0 && !anchor; i--)
        if (bt_str_eq(parser->anchors[i - 1].name, name))
            anchor = &parser->anchors[i - 1];
    if (!anchor) {
        bt_diags_add(parser->diags, BT_SEVERITY_ERROR, "unknown-alias", at,
                     "alias *%.*s names no anchor above it", BT_FMT(name));
        parser->rc = BT_INVALID;
    } else if (anchor->is_open) {
        bt_diags_add(parser->diags, BT_SEVERITY_ERROR, "recursive-alias", at,
                     "alias *%.*s stands inside what it names", BT_FMT(name));
        parser->rc = BT_INVALID;
    } else if (parser->depth + anchor->node->height > BT_YAML_DEPTH_MAX) {
        fail_at(parser, BT_LIMIT, at, "too-deep", "the file is nested too deeply");
    } else {
        count_alias_nodes(parser, anchor->node->size, at);
        push_child(parser, anchor->node);
    }
}

static void on_event(struct parser *parser, struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR: on_scalar(parser, event); break;
    case FYET_ALIAS: on_alias(parser, event); break;
    case FYET_MAPPING_START: on_open(parser, event, BT_YAML_MAP); break;
    case FYET_SEQUENCE_START: on_open(parser, event, BT_YAML_LIST); break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END: on_close(parser, event); break;
    case FYET_DOCUMENT_START: parser->anchor_count = 0; break;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END: break;
    }
    if (event->type == FYET_SCALAR || event->type == FYET_ALIAS) {
        const struct fy_mark *end = fy_event_end_mark(event);
        if (end)
            parser->last = mark_from(end);
    }
}

static void ignore_output(struct fy_diag *diag, void *user, const char *text, size_t len)
{
    (void)diag, (void)user, (void)text, (void)len; /* Errors are collected instead. */
}

/* The innermost list or map in brackets that is open, or NULL. */
static const struct bt_yaml_node *open_flow(const struct parser *parser)
{
    for (size_t i = parser->depth; i > 0; i--)
        if (parser->frames[i - 1].node->style == BT_YAML_FLOW)
            return parser->frames[i - 1].node;
    return NULL;
}

static void report_syntax(struct parser *parser, struct fy_diag *diag)
{
    void *place = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &place);
    const char *msg = error ? error->msg : "the text is not YAML";
    struct bt_mark at = parser->last;
    if (error && error->line > 0) {
        at.line = (uint32_t)error->line;
        at.col = (uint32_t)(error->column > 0 ? error->column : 1);
    }
    const struct bt_yaml_node *open = open_flow(parser);
    if (open && (strstr(msg, "without a closing") || bt_yaml_is_end(parser->source, at.line))) {
        at = open->at; /* Not the end of the file: where it opened. */
        msg = open->kind == BT_YAML_LIST ? "flow sequence without a closing bracket"
                                         : "flow mapping without a closing brace";
    }
    bt_yaml_explain(parser->source, at, msg, parser->diags);
    parser->rc = BT_INVALID;
}

static void run(struct parser *parser, struct fy_diag *diag)
{
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_ALLOW_DUPLICATE_KEYS |
                 FYPCF_DISABLE_DEPTH_LIMIT | FYPCF_SLOPPY_FLOW_INDENTATION,
        .diag = diag,
    };
    struct fy_parser *reader = fy_parser_create(&config);
    if (!reader || fy_parser_set_string(reader, parser->source.at, parser->source.len) != 0) {
        parser->rc = BT_NO_MEM;
        fy_parser_destroy(reader);
        return;
    }
    bool is_ended = false;
    while (parser->rc == BT_OK && !is_ended) {
        struct fy_event *event = fy_parser_parse(reader);
        if (!event)
            break;
        is_ended = event->type == FYET_STREAM_END;
        on_event(parser, event);
        fy_parser_event_free(reader, event);
    }
    if (parser->rc == BT_OK && (!is_ended || fy_parser_get_stream_error(reader)))
        report_syntax(parser, diag);
    fy_parser_destroy(reader);
}

static int finish(struct parser *parser, struct bt_yaml *ret_yaml, size_t errors_before)
{
    if (parser->rc != BT_OK)
        return parser->rc;
    size_t count = parser->pending_count ? parser->pending_count : 1;
    struct bt_yaml_node **docs = bt_arena_alloc(parser->arena, count * sizeof *docs);
    if (!docs)
        return BT_NO_MEM;
    if (parser->pending_count) {
        memcpy(docs, parser->pending, count * sizeof *docs);
    } else {
        docs[0] = bt_arena_alloc(parser->arena, sizeof *docs[0]);
        if (!docs[0])
            return BT_NO_MEM;
        docs[0]->at = docs[0]->end = (struct bt_mark){.line = 1, .col = 1};
        docs[0]->text = (struct bt_str){"", 0};
        docs[0]->size = docs[0]->height = 1;
    }
    *ret_yaml = (struct bt_yaml){.docs = docs, .count = (uint32_t)count};
    return parser->diags->errors > errors_before ? BT_INVALID : BT_OK;
}

int bt_yaml_parse(struct bt_str source, struct bt_arena *arena, struct bt_yaml *ret_yaml,
                  struct bt_diags *diags)
{
    size_t errors_before = diags->errors;
    if (bt_str_starts(source, BT_STR("\xEF\xBB\xBF")))
        source = bt_str_slice(source, 3, source.len);
    BT_TRY(bt_yaml_check(source, diags));
    if (source.len == 0)
        source = (struct bt_str){"\n", 1};
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.output_fn = ignore_output;
    config.level = FYET_ERROR;
    struct fy_diag *diag = fy_diag_create(&config);
    struct parser *parser = calloc(1, sizeof *parser);
    int rc = BT_NO_MEM;
    if (diag && parser) {
        fy_diag_set_collect_errors(diag, true);
        *parser = (struct parser){
            .source = source, .arena = arena, .diags = diags, .last = {.line = 1, .col = 1}};
        run(parser, diag);
        rc = finish(parser, ret_yaml, errors_before);
    }
    if (parser) {
        free(parser->pending);
        free(parser->anchors);
    }
    free(parser);
    if (diag)
        fy_diag_destroy(diag);
    return rc;
}
