/* read.c — Reading one property of a simple kind, with its complaint when it is something else. */
#include "model/model_int.h"

#include "base/limits.h"
#include "base/own.h"

#include <stdio.h>

static const char *article(enum bt_kind kind)
{
    return kind == BT_KIND_BOOL ? "true or false" : "a whole number";
}

static void wrong(struct parse *parse, const struct place *place, const char *wanted)
{
    bt_model_error(parse, place, "wrong-type", "\"%s\" must be %s, here it is %s", place->name,
                   wanted, bt_yaml_kind_name(place->node));
}

bool bt_read_bool(struct parse *parse, const struct place *place, bool otherwise)
{
    const struct bt_yaml_node *node = place->node;
    if (bt_yaml_is_null(node))
        return otherwise;
    if (node->kind == BT_YAML_SCALAR) {
        if (bt_str_is(node->text, "true") || bt_str_is(node->text, "false"))
            return bt_str_is(node->text, "true");
        BT_VALUE value = bt_yaml_scalar_value(node);
        if (bt_value_is(value, BT_KIND_BOOL))
            return bt_value_as_bool(value);
    }
    wrong(parse, place, article(BT_KIND_BOOL));
    return otherwise;
}

bool bt_read_int(struct parse *parse, const struct place *place, int64_t *ret_number)
{
    const struct bt_yaml_node *node = place->node;
    if (node->kind == BT_YAML_SCALAR) {
        struct bt_yaml_node plain = *node;
        plain.style = BT_YAML_PLAIN; /* "5" in quotes is 5 as well. */
        BT_VALUE value = bt_yaml_scalar_value(&plain);
        if (bt_value_is(value, BT_KIND_INT)) {
            *ret_number = bt_value_as_int(value);
            return true;
        }
    }
    wrong(parse, place, article(BT_KIND_INT));
    return false;
}

const char *bt_read_text(struct parse *parse, const struct place *place)
{
    if (place->node->kind != BT_YAML_SCALAR) {
        wrong(parse, place, "a text");
        return NULL;
    }
    BT_VALUE value = bt_yaml_scalar_value(place->node);
    if (bt_value_is(value, BT_KIND_STRING) || bt_value_is_null(value))
        return bt_model_cstr(parse, bt_value_str(value));
    struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    struct bt_err err = BT_ERR_INIT;
    const char *copy = NULL;
    if (bt_value_print(value, &text, &err) == BT_OK)
        copy = bt_model_cstr(parse, bt_buf_str(&text));
    else
        parse->rc = BT_NO_MEM;
    bt_buf_done(&text);
    return copy;
}

bool bt_read_is_map(struct parse *parse, const struct place *place)
{
    if (place->node->kind == BT_YAML_MAP)
        return true;
    wrong(parse, place, "a map");
    return false;
}

bool bt_read_is_list(struct parse *parse, const struct place *place)
{
    if (place->node->kind == BT_YAML_LIST)
        return true;
    wrong(parse, place, "a list");
    if (place->node->kind == BT_YAML_MAP && place->node->style == BT_YAML_BLOCK &&
        parse->diags->count && !parse->diags->left_out)
        parse->diags->items[parse->diags->count - 1].hint = "begin each item with \"- \"";
    return false;
}

static bool parse_duration(struct parse *parse, const struct place *place, struct bt_str text,
                           int64_t *ret_us)
{
    struct bt_err err = BT_ERR_INIT;
    if (bt_duration_parse(text, ret_us, &err) == BT_OK && *ret_us > 0)
        return true;
    struct bt_diag *diag =
        err.code ? bt_model_error(parse, place, "bad-duration", "\"%s\": %s", place->name, err.msg)
                 : bt_model_error(parse, place, "bad-duration", "\"%s\" must be longer than 0",
                                  place->name);
    bt_diag_hint(parse, diag, "%s", err.hint);
    return false;
}

/* A duration's text; whole numbers are seconds, as the original takes them. */
static struct bt_str duration_text(struct parse *parse, const struct place *place)
{
    if (place->node->kind != BT_YAML_SCALAR) {
        wrong(parse, place, "a duration (PT30S)");
        return BT_STR_NONE;
    }
    if (bt_yaml_scalar_kind(place->node) != BT_KIND_INT)
        return place->node->text;
    char seconds[64];
    int len = snprintf(seconds, sizeof seconds, "PT%.*sS", BT_FMT(place->node->text));
    if (len < 0 || (size_t)len >= sizeof seconds)
        return place->node->text;
    return bt_arena_str(parse->arena, (struct bt_str){seconds, (size_t)len});
}

int64_t bt_read_duration_us(struct parse *parse, const struct place *place)
{
    struct bt_str text = duration_text(parse, place);
    int64_t us = 0;
    if (text.at && parse_duration(parse, place, text, &us))
        return us;
    return 0;
}

static struct bt_diag *report_expression(struct parse *parse, const struct place *place,
                                         const struct bt_err *err)
{
    struct bt_err words = *err;
    bt_expression_words(&words);
    struct bt_diag *diag = bt_model_error(parse, place, "bad-expression", "\"%s\": %s",
                                          place->name ? place->name : "", words.msg);
    bt_diag_hint(parse, diag, "%s", words.hint);
    bt_diag_original(parse, diag, "%s", err->msg);
    return diag;
}

/* Reports the expressions of one text that do not compile; true when there was one. */
static bool report_text(struct parse *parse, const struct place *place,
                        const struct bt_yaml_node *scalar)
{
    struct bt_template *template = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (!bt_has_expression(scalar->text))
        return false;
    if (bt_template_parse(scalar->text, &template, &err) == BT_OK) {
        bt_template_unref(template);
        return false;
    }
    struct place at = *place;
    at.node = scalar;
    struct bt_diag *diag = report_expression(parse, &at, &err);
    if (diag && err.line)
        diag->at = diag->end = bt_yaml_locate_line(parse->source, scalar, err.line, err.col);
    return true;
}

static bool report_expressions(struct parse *parse, const struct place *place,
                               const struct bt_yaml_node *node)
{
    bool is_found = false;
    if (node->kind == BT_YAML_SCALAR)
        return report_text(parse, place, node);
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->kind == BT_YAML_LIST) {
            is_found |= report_expressions(parse, place, node->items[i]);
            continue;
        }
        is_found |= report_text(parse, place, node->pairs[i].key);
        is_found |= report_expressions(parse, place, node->pairs[i].value);
    }
    return is_found;
}

struct bt_dyn *bt_read_dyn(struct parse *parse, const struct place *place,
                           const struct bt_value *value)
{
    struct bt_dyn *dyn = NULL;
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_dyn_compile(value, &dyn, &err);
    if (rc == BT_OK)
        return bt_model_keep_dyn(parse, dyn);
    if (rc == BT_NO_MEM)
        parse->rc = rc;
    else if (!report_expressions(parse, place, place->node))
        report_expression(parse, place, &err);
    return NULL;
}

static struct bt_dyn *dyn_of_text(struct parse *parse, const struct place *place,
                                  struct bt_str text)
{
    BT_VALUE value = bt_value_string(text);
    if (!value) {
        parse->rc = BT_NO_MEM;
        return NULL;
    }
    return bt_read_dyn(parse, place, value);
}

struct bt_dyn *bt_read_dyn_text(struct parse *parse, const struct place *place)
{
    const char *text = bt_read_text(parse, place);
    return text ? dyn_of_text(parse, place, bt_str_of(text)) : NULL;
}

struct bt_dyn *bt_read_dyn_duration(struct parse *parse, const struct place *place)
{
    struct bt_str text = duration_text(parse, place);
    int64_t us;
    if (!text.at)
        return NULL;
    if (!bt_has_expression(text) && !parse_duration(parse, place, text, &us))
        return NULL;
    return dyn_of_text(parse, place, text);
}

void bt_read_unknown(struct parse *parse, const struct place *place, const char *class_name,
                     const char *const *known, size_t known_count)
{
    struct bt_diag *diag =
        bt_model_error(parse, place, "unknown-property", "unknown property \"%s\"", place->name);
    const char *near = bt_str_nearest(bt_str_of(place->name), known, known_count);
    if (near)
        bt_diag_hint(parse, diag, "did you mean \"%s\"?", near);
    struct bt_buf list = BT_BUF_INIT(700);
    for (size_t i = 0; i < known_count; i++)
        bt_buf_addf(&list, "%s\"%s\"", i ? ", " : "", known[i]);
    const char *names = bt_buf_cstr(&list);
    bt_diag_original(parse, diag,
                     "Unrecognized field \"%s\" (class %s), not marked as ignorable "
                     "(%zu known properties: %s])",
                     place->name, class_name, known_count, names ? names : "...");
    bt_buf_done(&list);
}

struct id_rule {
    size_t len_max;
    bool has_dots, is_lower;
    const char *pattern, *words;
};

static const struct id_rule id_rules[] = {
    [ID_FLOW] = {BT_ID_BYTES_MAX, true, false, "^[a-zA-Z0-9][a-zA-Z0-9._-]*",
                 "use letters, digits, '.', '_' and '-', a letter or digit first"},
    [ID_NAMESPACE] = {BT_NAMESPACE_BYTES_MAX, true, true, "^[a-z0-9][a-z0-9._-]*",
                      "use small letters, digits, '.', '_' and '-', a letter or digit first"},
    [ID_TASK] = {BT_TASK_ID_BYTES_MAX, false, false, "^[a-zA-Z0-9][a-zA-Z0-9_-]*",
                 "use letters, digits, '_' and '-', a letter or digit first"},
    [ID_INPUT] = {BT_TASK_ID_BYTES_MAX, true, false, "^[a-zA-Z0-9][.a-zA-Z0-9_-]*",
                  "use letters, digits, '.', '_' and '-', a letter or digit first"},
};

static bool is_id_char(const struct id_rule *rule, char c, bool is_first)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
        (c >= 'A' && c <= 'Z' && !rule->is_lower))
        return true;
    return !is_first && (c == '_' || c == '-' || (c == '.' && rule->has_dots));
}

static bool fits_pattern(const struct id_rule *rule, const char *id)
{
    for (size_t i = 0; id[i]; i++)
        if (!is_id_char(rule, id[i], i == 0))
            return false;
    return true;
}

/* Each part of a namespace is a folder of the internal storage; "_files" is one of ours. */
static bool has_bad_part(const char *namespace)
{
    static const char reserved[] = "_files";
    for (const char *part = namespace;; part++) {
        size_t len = strcspn(part, ".");
        if (!len || (len == sizeof reserved - 1 && memcmp(part, reserved, len) == 0))
            return true;
        part += len;
        if (!*part)
            return false;
    }
}

const char *bt_read_id(struct parse *parse, const struct place *place, enum id_kind kind)
{
    const struct id_rule *rule = &id_rules[kind];
    const char *id = bt_read_text(parse, place);
    if (!id)
        return NULL;
    struct bt_diag *diag = NULL;
    if (!*id) {
        diag = bt_model_error(parse, place, "missing-id", "\"%s\" is empty", place->name);
        bt_diag_original(parse, diag, "%s%smust match \"%s\"",
                         kind == ID_NAMESPACE ? "" : "must not be blank\n",
                         kind == ID_NAMESPACE ? "size must be between 1 and 150\n"
                         : kind == ID_FLOW    ? "size must be between 1 and 100\n"
                                              : "",
                         rule->pattern);
        return NULL;
    }
    if (strlen(id) > rule->len_max) {
        diag = bt_model_error(parse, place, "id-too-long", "\"%s\" is longer than %zu characters",
                              place->name, rule->len_max);
        bt_diag_original(parse, diag, "size must be between 1 and %zu", rule->len_max);
        return NULL;
    }
    if (!fits_pattern(rule, id)) {
        diag = bt_model_error(parse, place, "bad-id", "\"%s\" is not a valid %s", id,
                              kind == ID_NAMESPACE ? "namespace" : "id");
        bt_diag_hint(parse, diag, "%s", rule->words);
        bt_diag_original(parse, diag, "must match \"%s\"", rule->pattern);
        return NULL;
    }
    if (kind == ID_NAMESPACE && has_bad_part(id)) {
        diag = bt_model_error(parse, place, "bad-id", "\"%s\" is not a valid namespace", id);
        bt_diag_hint(parse, diag, "no part between the dots may be empty, or \"_files\"");
        return NULL;
    }
    if (bt_yaml_scalar_kind(place->node) == BT_KIND_BOOL && !bt_str_is(place->node->text, "true") &&
        !bt_str_is(place->node->text, "false"))
        bt_diag_hint(parse,
                     bt_model_warn(parse, place, "boolean-id",
                                   "YAML reads %.*s as %s; the id is \"%s\"",
                                   BT_FMT(place->node->text), id, id),
                     "put it in quotes: \"%.*s\"", BT_FMT(place->node->text));
    return id;
}
