/* plugin_doc.c — baton plugin doc: a type, as its manifest tells it. */
#include "cli/cli.h"

#include "base/limits.h"
#include "base/own.h"
#include "cli/plugin_int.h"
#include "value/json.h"

#include <stdio.h>

static void print_json(const struct bt_value *value)
{
    BT_VALUE text = bt_json_text(value);
    (void)printf("%.*s", BT_FMT(bt_value_str(text)));
}

static void print_type(const struct bt_value *types)
{
    if (!bt_value_is(types, BT_KIND_LIST)) {
        (void)printf("%.*s", BT_FMT(bt_value_str(types)));
        return;
    }
    for (size_t i = 0; i < bt_value_count(types); i++)
        (void)printf("%s%.*s", i ? " or " : "", BT_FMT(bt_value_str(bt_list_at(types, i))));
}

static void print_property(struct bt_str name, const struct bt_value *schema, bool is_input)
{
    (void)printf("  %.*s: ", BT_FMT(name));
    print_type(bt_map_gets(schema, "type"));
    const struct bt_value *words = bt_map_gets(schema, "enum");
    for (size_t i = 0; i < bt_value_count(words); i++)
        (void)printf("%s%.*s", i ? " | " : ", ", BT_FMT(bt_value_str(bt_list_at(words, i))));
    if (bt_value_as_bool(bt_map_gets(schema, "x-required")))
        (void)printf(", required");
    if (bt_map_gets(schema, "default")) {
        (void)printf(", default ");
        print_json(bt_map_gets(schema, "default"));
    }
    if (is_input && !bt_value_as_bool(bt_map_gets(schema, "x-dynamic")))
        (void)printf(", no expressions");
    if (bt_value_as_bool(bt_map_gets(schema, "deprecated")))
        (void)printf(", deprecated");
    (void)printf("\n      %.*s\n", BT_FMT(bt_map_str(schema, "description")));
}

static void print_properties(const char *title, const struct bt_value *schema, bool is_input)
{
    if (bt_value_count(schema) == 0)
        return;
    (void)printf("\n%s\n", title);
    for (size_t i = 0; i < bt_value_count(schema); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *property = bt_map_at(schema, i, &key);
        print_property(bt_value_str(key), property, is_input);
    }
}

static void print_examples(const struct bt_value *examples)
{
    for (size_t i = 0; i < bt_value_count(examples); i++) {
        const struct bt_value *example = bt_list_at(examples, i);
        struct bt_str source = bt_map_str(example, "source");
        (void)printf("\nExample: %.*s\n", BT_FMT(bt_map_str(example, "title")));
        while (source.len > 0) {
            const char *end = memchr(source.at, '\n', source.len);
            size_t len = end ? (size_t)(end - source.at) : source.len;
            (void)printf("  %.*s\n", (int)len, source.at);
            source = bt_str_slice(source, len + 1, source.len);
        }
    }
}

int bt_plugin_doc(const char *name)
{
    struct bt_err err = BT_ERR_INIT;
    const struct bt_type *type = bt_type_find(bt_str_of(name));
    if (!type) {
        const char *near = bt_type_nearest(bt_str_of(name));
        (void)bt_fail(&err, BT_NOT_FOUND, "there is no type '%s'", name);
        (void)bt_hint(&err, near ? "did you mean '%s'?" : "`baton plugin list` shows all%s",
                      near ? near : "");
        return bt_cli_fail("plugin doc", &err, BT_EXIT_USAGE);
    }
    (void)printf("%s — %s\n", type->name, type->title);
    if (strcmp(type->name, type->class_name) != 0)
        (void)printf("also: %s\n", type->class_name);
    for (size_t i = 0; type->aliases && type->aliases[i]; i++)
        (void)printf("also: %s\n", type->aliases[i]);
    if (type->plugin)
        (void)printf("plugin: %s %s\n", type->plugin->name, type->plugin->version);
    if (type->plugin && type->plugin->problem)
        (void)printf("CANNOT BE USED: %s\n", type->plugin->problem);
    (void)printf("\n%.*s\n", BT_FMT(bt_map_str(type->manifest, "doc")));
    print_properties("Properties", type->schema, true);
    print_properties("Outputs", bt_map_gets(type->manifest, "outputs"), false);
    print_examples(bt_map_gets(type->manifest, "examples"));
    return BT_EXIT_OK;
}
