/* plugins.c — Reads the plugin.json of a plugin found at run time. Whatever stands in it must never
 * stop the program: a plugin that cannot be used has a `problem`, and is shown with it. */
#include "plugin/registry_int.h"

#include "base/own.h"
#include "value/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { ABI = 1, TASKS_DEFAULT = 1000, MIB_DEFAULT = 1024 };

static const char host_limits[] =
    "{\"type\": \"object\", \"x-dynamic\": true, \"properties\": {"
    "\"memory\": {\"type\": \"string\", \"description\": \"Memory, as 512MiB or 2GiB.\"},"
    "\"cpu\": {\"type\": \"string\", \"format\": \"duration\","
    " \"description\": \"Processor time, as PT30S.\"}},"
    "\"description\": \"What this task may use; the plugin says what holds otherwise.\"}";

static char *format_text(const char *format, const char *a, const char *b)
{
    char *text = NULL;
    int len = asprintf(&text, format, a, b);
    assert(len >= 0);
    return text;
}

static const char *text_of(const struct bt_value *map, const char *key, const char *fallback)
{
    struct bt_str text = bt_map_str(map, key);
    const char *copy = bt_str_dup(text.len ? text : bt_str_of(fallback));
    assert(copy);
    return copy;
}

static void set_problem(struct bt_plugin_info *plugin, const char *format, const char *a,
                        const char *b)
{
    if (!plugin->problem)
        plugin->problem = format_text(format, a, b);
}

/* --- Checks ----------------------------------------------------------------------------------- */

static bool are_texts(const struct bt_value *list)
{
    if (!list)
        return true;
    for (size_t i = 0; i < bt_value_count(list); i++)
        if (bt_value_str(bt_list_at(list, i)).len == 0)
            return false;
    return bt_value_is(list, BT_KIND_LIST);
}

static bool are_maps(const struct bt_value *map)
{
    for (size_t i = 0; i < bt_value_count(map); i++)
        if (!bt_value_is(bt_map_at(map, i, NULL), BT_KIND_MAP))
            return false;
    return !map || bt_value_is(map, BT_KIND_MAP);
}

static bool has_groups(const struct bt_value *manifest, const struct bt_value *entry)
{
    const struct bt_value *use = bt_map_gets(entry, "use");
    const struct bt_value *groups = bt_map_gets(manifest, "groups");
    for (size_t i = 0; i < bt_value_count(use); i++) {
        const struct bt_value *group = bt_map_get(groups, bt_value_str(bt_list_at(use, i)));
        if (!group || !are_maps(group))
            return false;
    }
    return are_texts(use);
}

/* NULL, or what is wrong with the entry of a type. */
static const char *check_entry(const struct bt_value *manifest, const struct bt_value *entry)
{
    struct bt_str exec = bt_map_str(entry, "exec"), op = bt_map_str(entry, "op");
    if (!bt_value_is(entry, BT_KIND_MAP) || bt_map_str(entry, "name").len == 0 ||
        bt_map_str(entry, "title").len == 0)
        return "needs \"name\" and \"title\"";
    if (exec.len && !bt_str_is(exec, "job") && !bt_str_is(exec, "trigger"))
        return "has an \"exec\" other than job and trigger";
    if (op.len && !bt_str_is(op, "other"))
        return "has an \"op\"";
    if (!are_texts(bt_map_gets(entry, "aliases")))
        return "has \"aliases\" that are no list of texts";
    if (!are_maps(bt_map_gets(entry, "properties")))
        return "has \"properties\" that are no map of maps";
    return has_groups(manifest, entry) ? NULL : "uses a group that is not in \"groups\"";
}

static struct bt_str name_at(const struct bt_value *entry, size_t index)
{
    if (index < 2)
        return bt_map_str(entry, index ? "class" : "name");
    return bt_value_str(bt_list_at(bt_map_gets(entry, "aliases"), index - 2));
}

static bool are_names_free(const struct table *table, struct bt_plugin_info *plugin,
                           const struct bt_value *entry)
{
    size_t count = 2 + bt_value_count(bt_map_gets(entry, "aliases"));
    for (size_t i = 0; i < count; i++) {
        struct bt_str name = name_at(entry, i);
        if (name.len == 0 || !bt_registry_has(table, name))
            continue;
        char *text = bt_str_dup(name);
        assert(text);
        set_problem(plugin, "the type '%s' exists already%s", text, "");
        free(text);
        return false;
    }
    return table->count < TYPES_MAX && table->name_count + count < NAMES_MAX;
}

/* --- Reading ---------------------------------------------------------------------------------- */

unsigned bt_sandbox_bit(struct bt_str word)
{
    static const char *const words[] = {"files", "syscalls", "signals"};
    for (unsigned i = 0; i < BT_COUNT(words); i++)
        if (bt_str_is(word, words[i]))
            return 1u << i;
    return 0;
}

/* One word, or a list of them. */
static void read_sandbox(struct bt_plugin_info *plugin)
{
    const struct bt_value *sandbox = bt_map_gets(plugin->manifest, "sandbox");
    bool is_list = bt_value_is(sandbox, BT_KIND_LIST);
    size_t count = is_list ? bt_value_count(sandbox) : sandbox != NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned bit = bt_sandbox_bit(bt_value_str(is_list ? bt_list_at(sandbox, i) : sandbox));
        if (bit == 0)
            set_problem(plugin, "the \"sandbox\" in its plugin.json has %s%s", "words other than ",
                        "\"files\", \"syscalls\", \"signals\"");
        plugin->sandbox |= bit;
    }
}

static void read_limits(struct bt_plugin_info *plugin)
{
    const struct bt_value *limits = bt_map_gets(plugin->manifest, "limits");
    const struct bt_value *memory = bt_map_gets(limits, "memory_mib");
    const struct bt_value *tasks = bt_map_gets(limits, "tasks");
    int64_t mib = memory ? bt_value_as_int(memory) : MIB_DEFAULT;
    plugin->limits = (struct bt_plugin_limits){
        .memory_bytes = mib > 0 && mib < (1 << 30) ? mib << 20 : 0,
        .cpu_s = bt_value_as_int(bt_map_gets(limits, "cpu_s")),
        .tasks = tasks ? bt_value_as_int(tasks) : TASKS_DEFAULT,
    };
}

static void read_file_path(struct bt_plugin_info *plugin,
                           bool (*has_file)(const char *path, bool is_executable))
{
    struct bt_str executable = bt_map_str(plugin->manifest, "executable");
    plugin->is_executable = executable.len > 0;
    const struct bt_value *reuse = bt_map_gets(plugin->manifest, "reuse");
    plugin->is_reused = reuse ? bt_value_as_bool(reuse) : !plugin->is_executable;
    if (plugin->is_executable) {
        char *name = bt_str_dup(executable);
        assert(name);
        plugin->file = name[0] == '/' ? format_text("%s%s", name, "")
                                      : format_text("%s/%s", plugin->dir, name);
        free(name);
    } else {
        char *name = format_text("%s/%s.so", plugin->dir, plugin->name);
        plugin->file = name;
    }
    if (has_file && !has_file(plugin->file, plugin->is_executable))
        set_problem(plugin,
                    plugin->is_executable ? "its executable '%s' is missing or not executable%s"
                                          : "its shared object '%s' is missing%s",
                    plugin->file, "");
}

static void check_abi(struct bt_plugin_info *plugin)
{
    const struct bt_value *abi = bt_map_gets(plugin->manifest, "abi");
    char text[96];
    (void)snprintf(text, sizeof text, "it was made for plugin ABI %lld; this Baton has %d",
                   (long long)bt_value_as_int(abi), ABI); /* Fits. */
    if (!bt_value_is(abi, BT_KIND_INT))
        set_problem(plugin, "its plugin.json does not say which \"abi\" it was made for%s%s", "",
                    "");
    else if (bt_value_as_int(abi) != ABI)
        set_problem(plugin, "%s%s", text, "");
}

static void add_host_limits(struct bt_type *type)
{
    struct bt_value *schema = (struct bt_value *)(uintptr_t)type->schema; /* Ours alone so far. */
    struct bt_value *limits = NULL;
    if (bt_map_gets(schema, "hostLimits"))
        return;
    int rc = bt_json_parse(bt_str_of(host_limits), NULL, &limits, NULL);
    assert(rc == BT_OK);
    rc = bt_map_puts(schema, "hostLimits", limits);
    assert(rc == BT_OK);
}

static void read_types(struct table *table, struct bt_plugin_info *plugin)
{
    const struct bt_value *types = bt_map_gets(plugin->manifest, "types");
    if (bt_value_count(types) == 0 || !bt_value_is(types, BT_KIND_LIST))
        set_problem(plugin, "its plugin.json has no \"types\"%s%s", "", "");
    for (size_t i = 0; i < bt_value_count(types); i++) {
        const struct bt_value *entry = bt_list_at(types, i);
        const char *wrong = check_entry(plugin->manifest, entry);
        if (wrong) {
            char *name = bt_str_dup(bt_map_str(entry, "name"));
            assert(name);
            set_problem(plugin, "in its plugin.json the type '%s' %s", name, wrong);
            free(name);
        } else if (are_names_free(table, plugin, entry)) {
            struct bt_type *type = bt_registry_add(table, plugin->manifest, entry);
            type->plugin = plugin;
            add_host_limits(type);
        }
    }
}

static const char *base_name(const char *dir)
{
    const char *slash = strrchr(dir, '/');
    return slash ? slash + 1 : dir;
}

static bool is_known(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->plugin_count; i++)
        if (strcmp(table->plugins[i]->name, name) == 0)
            return true;
    return false;
}

void bt_registry_load_plugin(struct table *table, const char *dir, struct bt_str text,
                             bool (*has_file)(const char *path, bool is_executable))
{
    if (table->plugin_count == PLUGINS_MAX)
        return;
    struct bt_err err = BT_ERR_INIT;
    struct bt_value *manifest = NULL;
    struct bt_plugin_info *plugin = calloc(1, sizeof *plugin);
    assert(plugin);
    plugin->dir = format_text("%s%s", dir, "");
    if (bt_json_parse(text, NULL, &manifest, &err) < 0)
        set_problem(plugin, "its plugin.json cannot be read: %s%s", err.msg, "");
    plugin->manifest = manifest;
    plugin->name = text_of(manifest, "name", base_name(dir));
    plugin->title = text_of(manifest, "title", plugin->name);
    plugin->version = text_of(manifest, "version", "0");
    if (is_known(table, plugin->name)) { /* The first one found is used. */
        bt_value_unref(manifest);
        free((char *)(uintptr_t)plugin->dir);
        free((char *)(uintptr_t)plugin->name);
        free((char *)(uintptr_t)plugin->title);
        free((char *)(uintptr_t)plugin->version);
        free((char *)(uintptr_t)plugin->problem);
        free(plugin);
        return;
    }
    if (manifest) {
        check_abi(plugin);
        read_limits(plugin);
        read_sandbox(plugin);
        read_file_path(plugin, has_file);
        read_types(table, plugin);
    }
    table->plugins[table->plugin_count++] = plugin;
}
