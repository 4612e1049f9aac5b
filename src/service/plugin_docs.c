/* plugin_docs.c — Lists, icons and documentation of types, from the manifests. */
#include "service/plugin_docs.h"

#include "base/limits.h"
#include "base/own.h"
#include "model/flow.h"
#include "value/json.h"

#include <nettle/base64.h>
#include <stdio.h>

/* --- Plugins ---------------------------------------------------------------------------------- */

/* The class name up to its last dot. */
static struct bt_str package_of(const struct bt_type *type)
{
    struct bt_str name = bt_str_of(type->class_name);
    size_t at = name.len;
    while (at && name.at[at - 1] != '.')
        at--;
    return bt_str_slice(name, 0, at ? at - 1 : 0);
}

/* What two packages have in common, in whole parts. */
static struct bt_str common_package(struct bt_str a, struct bt_str b)
{
    size_t same = 0, end = 0;
    for (; same < a.len && same < b.len && a.at[same] == b.at[same]; same++)
        if (a.at[same] == '.')
            end = same;
    bool is_whole = same == a.len && (same == b.len || b.at[same] == '.');
    bool is_other = same == b.len && same < a.len && a.at[same] == '.';
    return bt_str_slice(a, 0, is_whole || is_other ? same : end);
}

/* The types that a manifest declares. NULL past the last. */
static const struct bt_type *type_at(const struct bt_value *manifest, size_t index)
{
    const struct bt_value *entry = bt_list_at(bt_map_gets(manifest, "types"), index);
    return entry ? bt_type_find(bt_map_str(entry, "name")) : NULL;
}

static struct bt_str group_of(const struct bt_value *manifest)
{
    struct bt_str group = BT_STR_NONE;
    const struct bt_type *type;
    for (size_t i = 0; (type = type_at(manifest, i)); i++)
        group = i ? common_package(group, package_of(type)) : package_of(type);
    return group;
}

/* The lists that the original has; most stay empty. */
static const char *const lists[] = {
    "tasks",  "triggers", "conditions", "controllers", "storages", "secrets",     "taskRunners",
    "guides", "aliases",  "apps",       "appBlocks",   "charts",   "dataFilters", "logExporters"};

static int add_type(struct bt_value *plugin, const struct bt_type *type)
{
    const char *list = type->exec == BT_EXEC_TRIGGER ? "triggers" : "tasks";
    BT_TRY(bt_list_push(bt_map_gets(plugin, list), bt_value_cstr(type->class_name)));
    for (size_t i = 0; type->aliases && type->aliases[i]; i++)
        BT_TRY(bt_list_push(bt_map_gets(plugin, "aliases"), bt_value_cstr(type->aliases[i])));
    return BT_OK;
}

static int add_runners(struct bt_value *plugin, const struct bt_value *manifest)
{
    const struct bt_value *runners = bt_map_gets(manifest, "runners");
    for (size_t i = 0; i < bt_value_count(runners); i++)
        BT_TRY(bt_list_push(bt_map_gets(plugin, "taskRunners"),
                            bt_value_string(bt_map_str(bt_list_at(runners, i), "class"))));
    return BT_OK;
}

/* One plugin; `package`: only what stands directly in it. */
static struct bt_value *plugin_of(const struct bt_value *manifest, struct bt_str package)
{
    BT_VALUE plugin = bt_map_new(20), *head = bt_map_new(3);
    struct bt_str group = group_of(manifest), title = bt_map_str(manifest, "title");
    struct bt_str version = bt_map_str(manifest, "version");
    int rc = bt_map_puts(plugin, "name", bt_value_string(bt_map_str(manifest, "name")));
    rc |= bt_map_puts(plugin, "title", bt_value_string(title));
    rc |= bt_map_puts(plugin, "description", bt_value_string(bt_map_str(manifest, "doc")));
    rc |= bt_map_puts(plugin, "group", bt_value_string(group));
    if (package.len)
        rc |= bt_map_puts(plugin, "subGroup", bt_value_string(package));
    rc |= bt_map_puts(plugin, "version",
                      version.len ? bt_value_string(version) : bt_value_cstr(BT_VERSION));
    rc |= bt_map_puts(head, "X-Kestra-Title", bt_value_string(title));
    rc |= bt_map_puts(head, "X-Kestra-Group", bt_value_string(group));
    rc |= bt_map_puts(head, "Manifest-Version", bt_value_cstr("1.0"));
    rc |= bt_map_puts(plugin, "manifest", BT_TAKE(head));
    for (size_t i = 0; i < BT_COUNT(lists); i++)
        rc |= bt_map_puts(plugin, lists[i], bt_list_new(0));
    rc |= bt_map_puts(plugin, "categories", bt_list_new(0));
    const struct bt_type *type;
    for (size_t i = 0; rc == BT_OK && (type = type_at(manifest, i)); i++)
        if (!package.len || bt_str_eq(package_of(type), package))
            rc = add_type(plugin, type);
    if (rc == BT_OK && !package.len)
        rc = add_runners(plugin, manifest);
    return rc == BT_OK ? BT_TAKE(plugin) : NULL;
}

/* The manifests of everything that is there; NULL past the last. */
static const struct bt_value *manifest_at(size_t index)
{
    size_t built_in = 0, count, found = 0;
    while (bt_manifest_builtin(built_in))
        built_in++;
    if (index < built_in)
        return bt_manifest_builtin(index);
    const struct bt_plugin_info *const *plugins = bt_plugins(&count);
    for (size_t i = 0; i < count; i++)
        if (plugins[i]->manifest && !plugins[i]->problem && found++ == index - built_in)
            return plugins[i]->manifest;
    return NULL;
}

struct bt_value *bt_plugin_list(void)
{
    BT_VALUE list = bt_list_new(8);
    const struct bt_value *manifest;
    for (size_t i = 0; (manifest = manifest_at(i)); i++)
        if (bt_list_push(list, plugin_of(manifest, BT_STR_NONE)) < 0)
            return NULL;
    return BT_TAKE(list);
}

static int add_packages(struct bt_value *list, const struct bt_value *manifest)
{
    BT_VALUE seen = bt_map_new(8);
    const struct bt_type *type;
    BT_TRY(bt_list_push(list, plugin_of(manifest, BT_STR_NONE)));
    for (size_t i = 0; (type = type_at(manifest, i)); i++) {
        struct bt_str package = package_of(type);
        if (bt_map_get(seen, package))
            continue;
        BT_TRY(bt_map_put(seen, package, bt_value_bool(true)));
        BT_TRY(bt_list_push(list, plugin_of(manifest, package)));
    }
    return BT_OK;
}

struct bt_value *bt_plugin_groups(void)
{
    BT_VALUE list = bt_list_new(16);
    const struct bt_value *manifest;
    for (size_t i = 0; list && (manifest = manifest_at(i)); i++)
        if (add_packages(list, manifest) < 0)
            return NULL;
    return BT_TAKE(list);
}

/* --- Icons ------------------------------------------------------------------------------------ */

/* A coloured tile with the first letters of the name: the colour is the package's. */
static struct bt_value *icon(struct bt_str package, struct bt_str name)
{
    static const char *const colours[] = {"#2563eb", "#7c3aed", "#0d9488", "#c2410c",
                                          "#4d7c0f", "#be185d", "#475569", "#0369a1"};
    BT_CLEANUP(bt_buf_done) struct bt_buf svg = BT_BUF_INIT(2048);
    char letters[3] = "";
    size_t count = 0;
    for (size_t i = 0; i < name.len && count < 2; i++) {
        char c = name.at[i];
        bool is_first = i == 0 || (c >= 'A' && c <= 'Z');
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (is_first && is_letter)
            letters[count++] = c >= 'a' ? (char)(c - 'a' + 'A') : c;
    }
    (void)bt_buf_addf(&svg,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\">"
                      "<rect width=\"24\" height=\"24\" rx=\"5\" fill=\"%s\"/>"
                      "<text x=\"12\" y=\"16.5\" font-family=\"sans-serif\" font-size=\"12\" "
                      "font-weight=\"600\" text-anchor=\"middle\" fill=\"#fff\">%s</text></svg>",
                      colours[bt_str_hash(package, 3) % BT_COUNT(colours)], letters); /* Fits. */
    char text[4096];
    nettle_base64_encode_raw(text, svg.len, (const uint8_t *)svg.at);
    return bt_value_string((struct bt_str){text, BASE64_ENCODE_RAW_LENGTH(svg.len)});
}

static int add_icon(struct bt_value *icons, const char *name, const struct bt_type *type)
{
    struct bt_str package = package_of(type), class = bt_str_of(type->class_name);
    struct bt_str last = bt_str_slice(class, package.len + 1, class.len);
    BT_VALUE entry = bt_map_new(3);
    int rc = bt_map_puts(entry, "name", bt_value_string(last));
    rc |= bt_map_puts(entry, "icon", icon(package, last));
    rc |= bt_map_puts(entry, "flowable", bt_value_bool(type->exec == BT_EXEC_FLOWABLE));
    return rc == BT_OK ? bt_map_puts(icons, name, BT_TAKE(entry)) : BT_NO_MEM;
}

static int add_group_icons(struct bt_value *icons)
{
    const struct bt_value *manifest;
    for (size_t i = 0; (manifest = manifest_at(i)); i++) {
        struct bt_str group = group_of(manifest), name = bt_map_str(manifest, "name");
        BT_VALUE entry = bt_map_new(3);
        int rc = bt_map_puts(entry, "name", bt_value_string(name));
        rc |= bt_map_puts(entry, "icon", icon(group, name));
        rc |= bt_map_puts(entry, "flowable", bt_value_bool(false));
        if (rc != BT_OK || bt_map_put(icons, group, BT_TAKE(entry)) < 0)
            return BT_NO_MEM;
    }
    return BT_OK;
}

struct bt_value *bt_plugin_icons(bool is_groups)
{
    size_t count;
    const struct bt_type *const *types = bt_types(&count);
    BT_VALUE icons = bt_map_new(2 * count);
    if (is_groups)
        return add_group_icons(icons) == BT_OK ? BT_TAKE(icons) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (add_icon(icons, types[i]->class_name, types[i]) < 0 ||
            add_icon(icons, types[i]->name, types[i]) < 0)
            return NULL;
        for (size_t j = 0; types[i]->aliases && types[i]->aliases[j]; j++)
            if (add_icon(icons, types[i]->aliases[j], types[i]) < 0)
                return NULL;
    }
    return BT_TAKE(icons);
}

/* --- Documentation ---------------------------------------------------------------------------- */

static void add_types(const struct bt_value *types, struct bt_buf *out)
{
    if (!bt_value_is(types, BT_KIND_LIST)) {
        (void)bt_buf_add(out, bt_value_str(types)); /* Sticky: the caller checks. */
        return;
    }
    for (size_t i = 0; i < bt_value_count(types); i++)
        (void)bt_buf_addf(out, "%s%.*s", i ? " or " : "",
                          BT_FMT(bt_value_str(bt_list_at(types, i))));
}

static void add_property(struct bt_str name, const struct bt_value *schema, bool is_input,
                         struct bt_buf *out)
{
    const struct bt_value *words = bt_map_gets(schema, "enum");
    const struct bt_value *fallback = bt_map_gets(schema, "default");
    (void)bt_buf_addf(out, "### `%.*s`\n\n* **Type:** ", BT_FMT(name));
    add_types(bt_map_gets(schema, "type"), out);
    if (is_input)
        (void)bt_buf_addf(out, "\n* **Dynamic:** %s\n* **Required:** %s",
                          bt_value_as_bool(bt_map_gets(schema, "x-dynamic")) ? "yes" : "no",
                          bt_value_as_bool(bt_map_gets(schema, "x-required")) ? "yes" : "no");
    for (size_t i = 0; i < bt_value_count(words); i++)
        (void)bt_buf_addf(out, "%s`%.*s`", i ? ", " : "\n* **Values:** ",
                          BT_FMT(bt_value_str(bt_list_at(words, i))));
    if (fallback) {
        (void)bt_buf_adds(out, "\n* **Default:** `");
        (void)bt_json_write(fallback, BT_JSON_COMPACT, out, NULL);
        (void)bt_buf_addc(out, '`');
    }
    (void)bt_buf_addf(out, "\n\n%.*s\n\n", BT_FMT(bt_map_str(schema, "description")));
}

static void add_properties(const char *title, const struct bt_value *properties, bool is_input,
                           struct bt_buf *out)
{
    if (!bt_value_count(properties))
        return;
    (void)bt_buf_addf(out, "## %s\n\n", title);
    for (size_t i = 0; i < bt_value_count(properties); i++)
        add_property(bt_map_key(properties, i), bt_map_at(properties, i, NULL), is_input, out);
}

static void add_examples(const struct bt_value *examples, struct bt_buf *out)
{
    if (bt_value_count(examples))
        (void)bt_buf_adds(out, "## Examples\n\n");
    for (size_t i = 0; i < bt_value_count(examples); i++) {
        const struct bt_value *example = bt_list_at(examples, i);
        (void)bt_buf_addf(out, "> %.*s\n\n```yaml\n%.*s```\n\n",
                          BT_FMT(bt_map_str(example, "title")),
                          BT_FMT(bt_map_str(example, "source")));
    }
}

static struct bt_value *markdown(const struct bt_type *type, bool has_common)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    (void)bt_buf_addf(&text, "# %s\n\n```yaml\ntype: \"%s\"\n```\n\n",
                      type->title ? type->title : type->name, type->name);
    (void)bt_buf_add(&text, bt_map_str(type->manifest, "doc"));
    (void)bt_buf_addf(&text, "\n\nAlso written `%s`.\n\n", type->class_name);
    add_examples(bt_map_gets(type->manifest, "examples"), &text);
    add_properties("Properties", type->schema, true, &text);
    if (has_common)
        add_properties("Properties of every task", bt_type_common(), true, &text);
    add_properties("Outputs", bt_map_gets(type->manifest, "outputs"), false, &text);
    return text.failed ? NULL : bt_value_string(bt_buf_str(&text));
}

/* [{title, code}] */
static struct bt_value *examples_of(const struct bt_type *type)
{
    const struct bt_value *examples = bt_map_gets(type->manifest, "examples");
    BT_VALUE list = bt_list_new(bt_value_count(examples));
    for (size_t i = 0; list && i < bt_value_count(examples); i++) {
        const struct bt_value *example = bt_list_at(examples, i);
        BT_VALUE item = bt_map_new(2);
        if (bt_map_puts(item, "title", bt_value_string(bt_map_str(example, "title"))) < 0 ||
            bt_map_puts(item, "code", bt_value_string(bt_map_str(example, "source"))) < 0 ||
            bt_list_push(list, BT_TAKE(item)) < 0)
            return NULL;
    }
    return BT_TAKE(list);
}

struct bt_value *bt_type_doc(const struct bt_type *type, bool has_common)
{
    BT_VALUE doc = bt_map_new(2), *schema = bt_map_new(3), *outputs = bt_map_new(1);
    BT_VALUE properties = bt_type_schema(type, has_common);
    const struct bt_value *given = bt_map_gets(type->manifest, "outputs");
    int rc = bt_map_puts(properties, "$examples", examples_of(type));
    rc |= bt_map_puts(outputs, "properties", given ? bt_properties_schema(given) : bt_map_new(0));
    rc |= bt_map_puts(schema, "properties", BT_TAKE(properties));
    rc |= bt_map_puts(schema, "outputs", BT_TAKE(outputs));
    rc |= bt_map_puts(schema, "definitions", bt_map_new(0));
    rc |= bt_map_puts(doc, "markdown", markdown(type, has_common));
    rc |= bt_map_puts(doc, "schema", BT_TAKE(schema));
    return rc == BT_OK ? BT_TAKE(doc) : NULL;
}

/* --- Inputs ----------------------------------------------------------------------------------- */

/* The class that the original has for an input. */
static const struct {
    enum bt_input_type type;
    const char *class, *doc;
} inputs[] = {
    {BT_INPUT_STRING, "StringInput", "Any text. `validator`: a regular expression that must fit."},
    {BT_INPUT_ENUM, "EnumInput", "One of `values`. The older name of SELECT."},
    {BT_INPUT_SELECT, "SelectInput", "One of `values`, or of what `expression` gives."},
    {BT_INPUT_INT, "IntInput", "A whole number from `min` to `max`."},
    {BT_INPUT_FLOAT, "FloatInput", "A number from `min` to `max`."},
    {BT_INPUT_BOOLEAN, "BooleanInput", "true or false."},
    {BT_INPUT_DATETIME, "DateTimeInput", "A date and time: 2026-01-31T10:00:00Z."},
    {BT_INPUT_DATE, "DateInput", "A date: 2026-01-31."},
    {BT_INPUT_TIME, "TimeInput", "A time: 10:00:00."},
    {BT_INPUT_DURATION, "DurationInput", "An ISO 8601 duration: PT1H30M."},
    {BT_INPUT_FILE, "FileInput", "A file; the flow sees its storage URI."},
    {BT_INPUT_JSON, "JsonInput", "A JSON value."},
    {BT_INPUT_URI, "URIInput", "An address."},
    {BT_INPUT_SECRET, "SecretInput", "A text that is kept encrypted and hidden in logs."},
    {BT_INPUT_ARRAY, "ArrayInput", "A list of values of `itemType`."},
    {BT_INPUT_MULTISELECT, "MultiselectInput", "Some of `values`, or of what `expression` gives."},
    {BT_INPUT_YAML, "YamlInput", "A YAML value."},
    {BT_INPUT_EMAIL, "EmailInput", "An e-mail address."},
};

struct bt_value *bt_input_types(void)
{
    BT_VALUE list = bt_list_new(BT_COUNT(inputs));
    for (size_t i = 0; list && i < BT_COUNT(inputs); i++) {
        char class[120];
        BT_VALUE item = bt_map_new(2);
        (void)snprintf(class, sizeof class, "io.kestra.core.models.flows.input.%s",
                       inputs[i].class); /* Fits. */
        if (bt_map_puts(item, "type", bt_value_cstr(bt_input_type_name(inputs[i].type))) < 0 ||
            bt_map_puts(item, "cls", bt_value_cstr(class)) < 0 ||
            bt_list_push(list, BT_TAKE(item)) < 0)
            return NULL;
    }
    return BT_TAKE(list);
}

struct bt_value *bt_input_doc(struct bt_str type)
{
    enum bt_input_type wanted;
    if (!bt_input_type_parse(type, &wanted))
        return NULL;
    for (size_t i = 0; i < BT_COUNT(inputs); i++) {
        if (inputs[i].type != wanted)
            continue;
        char text[300];
        BT_VALUE doc = bt_map_new(2), *schema = NULL;
        (void)snprintf(text, sizeof text, "# %s\n\n%s\n", bt_input_type_name(wanted),
                       inputs[i].doc); /* Fits. */
        (void)bt_json_parse(
            BT_STR("{\"properties\":{\"properties\":{\"id\":{\"type\":\"string\"},"
                   "\"type\":{\"type\":\"string\"},\"required\":{\"type\":\"boolean\"},"
                   "\"defaults\":{},\"displayName\":{\"type\":\"string\"},"
                   "\"description\":{\"type\":\"string\"}},\"required\":[\"id\",\"type\"]},"
                   "\"outputs\":{},\"definitions\":{}}"),
            NULL, &schema, NULL); /* NULL: out of memory, told below. */
        if (bt_map_puts(doc, "markdown", bt_value_cstr(text)) < 0 ||
            bt_map_puts(doc, "schema", BT_TAKE(schema)) < 0)
            return NULL;
        return BT_TAKE(doc);
    }
    return NULL;
}
