/* flow_text.c — Splicing of flow sources by the places of their nodes. */
#include "model/flow_text.h"

#include "base/limits.h"
#include "base/own.h"
#include "lang/expr/yaml_write.h"
#include "lang/yaml/yaml.h"
#include "value/json.h"

/* --- Documents -------------------------------------------------------------------------------- */

static bool is_separator(struct bt_str text, size_t at)
{
    bool is_line = at == 0 || text.at[at - 1] == '\n';
    size_t end = at + 3;
    return is_line && bt_str_starts(bt_str_slice(text, at, text.len), BT_STR("---")) &&
           (end == text.len || text.at[end] == '\n' || text.at[end] == '\r');
}

bool bt_flow_text_next(struct bt_str text, size_t *at, struct bt_str *ret_document)
{
    while (*at < text.len) {
        size_t end = *at;
        while (end < text.len && !is_separator(text, end)) {
            ptrdiff_t line = bt_str_find(text, BT_STR("\n"), end);
            end = line < 0 ? text.len : (size_t)line + 1;
        }
        *ret_document = bt_str_slice(text, *at, end);
        *at = end;
        if (end < text.len) {
            ptrdiff_t line = bt_str_find(text, BT_STR("\n"), end);
            *at = line < 0 ? text.len : (size_t)line + 1;
        }
        if (bt_str_trim(*ret_document).len)
            return true;
    }
    return false;
}

struct bt_str bt_flow_text_bare(struct bt_str source)
{
    static const struct bt_str word = {"revision:", 9};
    if (!bt_str_starts(source, word))
        return source;
    ptrdiff_t end = bt_str_find(source, BT_STR("\n"), 0);
    return end < 0 ? source : bt_str_slice(source, (size_t)end + 1, source.len);
}

/* --- Nodes ------------------------------------------------------------------------------------ */

struct text {
    struct bt_arena arena;
    struct bt_diags diags;
    struct bt_yaml_node *root;
};

static void text_done(struct text *text)
{
    bt_arena_done(&text->arena);
    bt_diags_done(&text->diags);
}

static int read_text(struct bt_str source, struct text *text, struct bt_err *err)
{
    struct bt_yaml yaml;
    int rc = bt_yaml_parse(source, &text->arena, &yaml, &text->diags);
    if (rc == BT_NO_MEM)
        return bt_fail_mem(err, "flow");
    if (rc < 0 || yaml.docs[0]->kind != BT_YAML_MAP || !yaml.docs[0]->count)
        return bt_fail(err, BT_INVALID, "the source is not readable as a flow");
    text->root = yaml.docs[0];
    return BT_OK;
}

struct span {
    size_t from, to;
};

static int splice(struct bt_str source, struct span span, struct bt_str with, struct bt_buf *out)
{
    (void)bt_buf_add(out, bt_str_slice(source, 0, span.from)); /* Checked below. */
    (void)bt_buf_add(out, with);
    (void)bt_buf_add(out, bt_str_slice(source, span.to, source.len));
    return bt_buf_check(out, "the flow", NULL);
}

/* The pair behind which a new line is fine: the flow's name, on one line. */
static const struct bt_yaml_pair *name_pair(const struct bt_yaml_node *root)
{
    const struct bt_yaml_pair *found = NULL;
    for (uint32_t i = 0; i < root->count; i++) {
        const struct bt_yaml_pair *pair = &root->pairs[i];
        bool is_name = bt_str_is(pair->key->text, "id") || bt_str_is(pair->key->text, "namespace");
        if (is_name && pair->value->kind == BT_YAML_SCALAR)
            found = pair;
    }
    return found;
}

static int insert_line(struct bt_str source, const struct bt_yaml_node *root, struct bt_str line,
                       struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    const struct bt_yaml_pair *pair = name_pair(root);
    if (!pair)
        return BT_INVALID;
    if (root->style == BT_YAML_FLOW) {
        (void)bt_buf_addf(&text, "%.*s, ", BT_FMT(line)); /* Checked below. */
        size_t at = pair->key->at.byte;
        return splice(source, (struct span){at, at}, bt_buf_str(&text), out);
    }
    ptrdiff_t end = bt_str_find(source, BT_STR("\n"), pair->value->end.byte);
    size_t at = end < 0 ? source.len : (size_t)end + 1;
    if (end < 0)
        (void)bt_buf_addc(&text, '\n');
    for (uint32_t i = 1; i < pair->key->at.col; i++)
        (void)bt_buf_addc(&text, ' ');
    (void)bt_buf_addf(&text, "%.*s\n", BT_FMT(line));
    BT_TRY(bt_buf_check(&text, "the flow", NULL));
    return splice(source, (struct span){at, at}, bt_buf_str(&text), out);
}

static int set_in(struct text *text, struct bt_str source, const char *name, struct bt_str value,
                  struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf line = BT_BUF_INIT(8192);
    const struct bt_yaml_node *old = bt_yaml_get(text->root, name);
    const struct bt_yaml_node *key = bt_yaml_get_key(text->root, name);
    (void)bt_buf_addf(&line, "%s: %.*s", name, BT_FMT(value)); /* Checked below. */
    BT_TRY(bt_buf_check(&line, "the flow", NULL));
    if (!old)
        return insert_line(source, text->root, bt_buf_str(&line), out);
    if (old->kind != BT_YAML_SCALAR)
        return BT_INVALID;
    if (old->end.byte <= old->at.byte) { /* "disabled:" and nothing: the whole pair again. */
        ptrdiff_t colon = bt_str_find(source, BT_STR(":"), key->end.byte);
        return colon < 0 ? BT_INVALID
                         : splice(source, (struct span){key->at.byte, (size_t)colon + 1},
                                  bt_buf_str(&line), out);
    }
    return splice(source, (struct span){old->at.byte, old->end.byte}, value, out);
}

int bt_flow_text_set(struct bt_str source, const char *name, struct bt_str value,
                     struct bt_buf *out, struct bt_err *err)
{
    struct text text = {0};
    int rc = read_text(source, &text, err);
    if (rc == BT_OK && set_in(&text, source, name, value, out) < 0)
        rc = bt_fail(err, BT_INVALID, "\"%s\" of the flow cannot be changed in its text", name);
    text_done(&text);
    return rc;
}

/* --- Tasks ------------------------------------------------------------------------------------ */

static const struct bt_yaml_node *find_task(const struct bt_yaml_node *node, struct bt_str id)
{
    if (node->kind == BT_YAML_SCALAR)
        return NULL;
    if (node->kind == BT_YAML_MAP) {
        const struct bt_yaml_node *name = bt_yaml_get(node, "id");
        if (name && name->kind == BT_YAML_SCALAR && bt_str_eq(name->text, id) &&
            bt_yaml_get(node, "type"))
            return node;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct bt_yaml_node *found =
            find_task(node->kind == BT_YAML_LIST ? node->items[i] : node->pairs[i].value, id);
        if (found)
            return found;
    }
    return NULL;
}

/* Where the last thing of a node ends: behind a block map its own mark may lie far below. */
static size_t end_of(const struct bt_yaml_node *node)
{
    if (node->kind == BT_YAML_SCALAR || node->style == BT_YAML_FLOW || !node->count)
        return node->end.byte;
    return end_of(node->kind == BT_YAML_LIST ? node->items[node->count - 1]
                                             : node->pairs[node->count - 1].value);
}

/* As block text whose first line stands where the task stood, the others below it. */
static int write_task(const struct bt_value *task, uint32_t col, struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    BT_TRY(bt_yaml_write(task, &text, NULL));
    struct bt_str all = bt_str_trim(bt_buf_str(&text));
    for (size_t i = 0; i < all.len; i++) {
        BT_TRY(bt_buf_addc(out, all.at[i]));
        bool is_blank_next = i + 1 < all.len && all.at[i + 1] == '\n';
        for (uint32_t j = 1; all.at[i] == '\n' && !is_blank_next && j < col; j++)
            BT_TRY(bt_buf_addc(out, ' '));
    }
    return BT_OK;
}

static int put_in(const struct text *text, struct bt_str source, struct bt_str id,
                  const struct bt_value *task, struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf with = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    const struct bt_yaml_node *node = NULL;
    static const char *const lists[] = {"tasks", "errors", "finally", "afterExecution"};
    for (size_t i = 0; i < BT_COUNT(lists) && !node; i++) {
        const struct bt_yaml_node *list = bt_yaml_get(text->root, lists[i]);
        node = list ? find_task(list, id) : NULL;
    }
    if (!node)
        return BT_NOT_FOUND;
    if (node->style == BT_YAML_FLOW) {
        BT_VALUE json = bt_json_text(task);
        return json ? splice(source, (struct span){node->at.byte, node->end.byte},
                             bt_value_str(json), out)
                    : BT_NO_MEM;
    }
    const struct bt_yaml_node *first = node->pairs[0].key;
    BT_TRY(write_task(task, first->at.col, &with));
    size_t end = end_of(node);
    while (end && strchr(" \r\n", source.at[end - 1])) /* A block text ends at the next one. */
        end--;
    return splice(source, (struct span){first->at.byte, end}, bt_buf_str(&with), out);
}

int bt_flow_text_put_task(struct bt_str source, struct bt_str id, const struct bt_value *task,
                          struct bt_buf *out, struct bt_err *err)
{
    struct text text = {0};
    int rc = read_text(source, &text, err);
    if (rc == BT_OK) {
        rc = put_in(&text, source, id, task, out);
        if (rc < 0)
            (void)bt_fail(err, (enum bt_code)rc, "the task '%.*s' cannot be replaced", BT_FMT(id));
    }
    text_done(&text);
    return rc;
}

static const struct bt_value *tree_task(const struct bt_value *value, struct bt_str id, int depth)
{
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    if (depth > BT_YAML_DEPTH_MAX || (!is_map && !bt_value_is(value, BT_KIND_LIST)))
        return NULL;
    if (is_map && bt_str_eq(bt_map_str(value, "id"), id) && bt_map_str(value, "type").len)
        return value;
    for (size_t i = 0; i < bt_value_count(value); i++) {
        const struct bt_value *found =
            tree_task(is_map ? bt_map_at(value, i, NULL) : bt_list_at(value, i), id, depth + 1);
        if (found)
            return found;
    }
    return NULL;
}

const struct bt_value *bt_flow_tree_task(const struct bt_value *tree, struct bt_str id)
{
    static const char *const lists[] = {"tasks", "errors", "finally", "afterExecution",
                                        "listeners"};
    for (size_t i = 0; i < BT_COUNT(lists); i++) {
        const struct bt_value *found = tree_task(bt_map_gets(tree, lists[i]), id, 0);
        if (found)
            return found;
    }
    return NULL;
}
