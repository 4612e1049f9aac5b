/* expr_fuzz.c — Goal: no bytes make an expression crash, hang, leak or write what is no UTF-8.
 * Method: any bytes → parse, paths, render and typed render over a small context. */
#include "base/utf8.h"
#include "lang/expr/expr.h"
#include "value/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char context_json[] =
    "{\"s\": \"Te\\u00e9xt a,b\", \"n\": 5, \"f\": 2.5, \"b\": true, \"z\": null, \"l\": [3, 1, "
    "2], "
    "\"m\": {\"k\": \"v\", \"d\": {\"e\": [1, {\"x\": null}]}}, \"t\": \"{{ s }}{{ t }}\", "
    "\"day\": \"2024-01-15T10:30:00+02:00\", \"big\": 123456789012345678901234567890, "
    "\"outputs\": {\"a\": {\"uri\": \"kestra:///x\"}}, \"taskrun\": {\"value\": \"a\"}}";

static void render(const struct bt_template *template, const struct bt_scope *scope)
{
    BT_VALUE text = NULL;
    BT_VALUE value = NULL;
    struct bt_err err = BT_ERR_INIT;
    struct bt_paths paths = {0};
    if (bt_template_render(template, scope, &text, &err) == BT_OK)
        assert(bt_value_is(text, BT_KIND_STRING) && bt_utf8_is_valid(bt_value_str(text), NULL));
    else
        assert(err.msg[0] && err.code != BT_OK);
    if (bt_template_render_typed(template, scope, &value, NULL) == BT_OK)
        assert(value);
    assert(bt_template_paths(template, &paths) == BT_OK);
    bt_paths_done(&paths);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bt_value *context;
    struct bt_str text = {(const char *)data, size};
    struct bt_template *template = NULL;
    struct bt_err err = BT_ERR_INIT;
    struct bt_scope scope;
    if (!context && bt_json_parse(bt_str_of(context_json), NULL, &context, NULL) < 0)
        return 0;
    if (!bt_utf8_is_valid(text, NULL)) /* The border of the house refuses it. */
        return 0;
    if (bt_template_parse(text, &template, &err) < 0) {
        assert(err.msg[0]);
        return 0;
    }
    bt_scope_of_map(&scope, context);
    scope.now_us = 1705314600000000;
    render(template, &scope);
    scope.is_recursive = true;
    render(template, &scope);
    bt_template_unref(template);
    return 0;
}
