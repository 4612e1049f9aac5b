/* registry.c — Task types: of the manifests in the binary, loaded at the first question, and of the
 * plugins found at run time, loaded when the built-in types do not answer. After that only read. A
 * broken manifest in the binary is a programmer's error and stops the program; one of a plugin only
 * leaves that plugin out. */
#include "plugin/registry_int.h"

#include "base/own.h"
#include "value/json.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

extern const char bt_manifest_core[], bt_manifest_core_end[];
extern const char bt_manifest_script[], bt_manifest_script_end[];
extern const char bt_manifest_storage[], bt_manifest_storage_end[];

enum { RUNNERS_MAX = 16, MANIFESTS_MAX = 4 };

static struct {
    pthread_once_t once, plugins_once;
    struct table builtin, plugins; /* The second is made under plugins_once. */
    const struct bt_type **all;    /* Both, made under plugins_once. */
    size_t all_count;
    struct bt_runner_type runners[RUNNERS_MAX];
    size_t runner_count;
    const struct bt_value *common;
    struct bt_value *manifests[MANIFESTS_MAX]; /* Never freed: the types borrow from them. */
    size_t manifest_count;
    void (*find)(void *data);
    void *find_data;
} registry = {.once = PTHREAD_ONCE_INIT, .plugins_once = PTHREAD_ONCE_INIT};

static const char *const op_names[] = {
    [BT_OP_OTHER] = "other",
    [BT_OP_LOG] = "log",
    [BT_OP_RETURN] = "return",
    [BT_OP_ECHO] = "echo",
    [BT_OP_OUTPUT_VALUES] = "output_values",
    [BT_OP_FAIL] = "fail",
    [BT_OP_ASSERT] = "assert",
    [BT_OP_SET_VARIABLES] = "set_variables",
    [BT_OP_UNSET_VARIABLES] = "unset_variables",
    [BT_OP_LABELS] = "labels",
    [BT_OP_SLEEP] = "sleep",
    [BT_OP_SEQUENTIAL] = "sequential",
    [BT_OP_PARALLEL] = "parallel",
    [BT_OP_IF] = "if",
    [BT_OP_SWITCH] = "switch",
    [BT_OP_FOREACH] = "foreach",
    [BT_OP_EACH_SEQUENTIAL] = "each_sequential",
    [BT_OP_EACH_PARALLEL] = "each_parallel",
    [BT_OP_ALLOW_FAILURE] = "allow_failure",
    [BT_OP_DAG] = "dag",
    [BT_OP_PAUSE] = "pause",
    [BT_OP_LOOP_UNTIL] = "loop_until",
    [BT_OP_WORKING_DIRECTORY] = "working_directory",
    [BT_OP_SUBFLOW] = "subflow",
    [BT_OP_SHELL_COMMANDS] = "shell_commands",
    [BT_OP_SHELL_SCRIPT] = "shell_script",
    [BT_OP_PYTHON_COMMANDS] = "python_commands",
    [BT_OP_PYTHON_SCRIPT] = "python_script",
    [BT_OP_KV_SET] = "kv_set",
    [BT_OP_KV_GET] = "kv_get",
    [BT_OP_KV_DELETE] = "kv_delete",
    [BT_OP_KV_KEYS] = "kv_keys",
    [BT_OP_KV_PURGE] = "kv_purge",
};

static const char *const exec_names[] = {
    [BT_EXEC_PURE] = "pure",   [BT_EXEC_FLOWABLE] = "flowable", [BT_EXEC_TIMER] = "timer",
    [BT_EXEC_JOB] = "job",     [BT_EXEC_TRIGGER] = "trigger",   [BT_EXEC_NAMESPACE] = "namespace",
    [BT_EXEC_CHILD] = "child",
};

static size_t index_of(const char *const *names, size_t count, struct bt_str name)
{
    for (size_t i = 0; i < count; i++)
        if (bt_str_is(name, names[i]))
            return i;
    assert(count == 0); /* A manifest in the binary names an unknown exec or op. */
    return 0;
}

/* A text of the manifest as a C string. Kept for ever. */
static const char *text_of(const struct bt_value *map, const char *key)
{
    const char *text = bt_str_dup(bt_map_str(map, key));
    assert(text);
    return text;
}

static const char *const *aliases_of(const struct bt_value *entry)
{
    const struct bt_value *list = bt_map_gets(entry, "aliases");
    size_t count = bt_value_count(list);
    if (count == 0)
        return NULL;
    const char **aliases = calloc(count + 1, sizeof *aliases);
    assert(aliases);
    for (size_t i = 0; i < count; i++) {
        aliases[i] = bt_str_dup(bt_value_str(bt_list_at(list, i)));
        assert(aliases[i]);
    }
    return aliases;
}

static const struct bt_type *table_find(const struct table *table, struct bt_str name)
{
    size_t at = bt_str_hash(name, 0) % NAME_SLOTS;
    while (table->slots && table->slots[at].type) {
        if (bt_str_eq(table->slots[at].name, name))
            return table->slots[at].type;
        at = (at + 1) % NAME_SLOTS;
    }
    return NULL;
}

static void add_name(struct table *table, const char *name, const struct bt_type *type)
{
    struct bt_str key = bt_str_of(name);
    if (!table->slots)
        table->slots = calloc(NAME_SLOTS, sizeof *table->slots);
    assert(table->slots && table->name_count < NAMES_MAX);
    size_t at = bt_str_hash(key, 0) % NAME_SLOTS;
    for (; table->slots[at].type; at = (at + 1) % NAME_SLOTS) {
        bool is_same = bt_str_eq(table->slots[at].name, key);
        assert(!is_same || table->slots[at].type == type); /* A name belongs to one type. */
        if (is_same)
            return;
    }
    table->slots[at] = (struct slot){key, type};
    table->names[table->name_count++] = name;
}

bool bt_registry_has(const struct table *table, struct bt_str name)
{
    return table_find(&registry.builtin, name) || table_find(table, name);
}

static void put_all(struct bt_value *into, const struct bt_value *from)
{
    for (size_t i = 0; i < bt_value_count(from); i++) {
        struct bt_value *key = NULL;
        struct bt_value *value = bt_map_at(from, i, &key);
        int rc = bt_map_put_key(into, key, bt_value_ref(value));
        assert(rc == BT_OK);
    }
}

/* The properties of a type: its own and those of the groups that it uses. */
static const struct bt_value *schema_of(const struct bt_value *manifest,
                                        const struct bt_value *entry)
{
    struct bt_value *schema = bt_map_new(16);
    assert(schema);
    put_all(schema, bt_map_gets(entry, "properties"));
    const struct bt_value *use = bt_map_gets(entry, "use");
    for (size_t i = 0; i < bt_value_count(use); i++) {
        const struct bt_value *groups = bt_map_gets(manifest, "groups");
        const struct bt_value *group = bt_map_get(groups, bt_value_str(bt_list_at(use, i)));
        assert(group);
        put_all(schema, group);
    }
    return schema;
}

static const struct bt_value *required_of(const struct bt_value *schema)
{
    struct bt_value *required = bt_list_new(4);
    assert(required);
    for (size_t i = 0; i < bt_value_count(schema); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *property = bt_map_at(schema, i, &key);
        if (!bt_value_as_bool(bt_map_gets(property, "x-required")))
            continue;
        int rc = bt_list_push(required, bt_value_ref(key));
        assert(rc == BT_OK);
    }
    return required;
}

struct bt_type *bt_registry_add(struct table *table, const struct bt_value *manifest,
                                const struct bt_value *entry)
{
    assert(table->count < TYPES_MAX);
    struct bt_type *type = calloc(1, sizeof *type);
    assert(type);
    struct bt_str exec = bt_map_str(entry, "exec"), op = bt_map_str(entry, "op");
    *type = (struct bt_type){
        .name = text_of(entry, "name"),
        .class_name = text_of(entry, bt_map_gets(entry, "class") ? "class" : "name"),
        .aliases = aliases_of(entry),
        .title = text_of(entry, "title"),
        .exec = BT_EXEC_JOB,
        .schema = schema_of(manifest, entry),
        .manifest = entry,
        .is_deprecated = bt_value_as_bool(bt_map_gets(entry, "deprecated")),
    };
    if (exec.len)
        type->exec = (enum bt_exec_kind)index_of(exec_names, BT_COUNT(exec_names), exec);
    if (op.len)
        type->op = (enum bt_op)index_of(op_names, BT_COUNT(op_names), op);
    if (bt_map_gets(entry, "reach")) {
        int rc = bt_dyn_compile(bt_map_gets(entry, "reach"), &type->reach, NULL);
        assert(rc == BT_OK);
    }
    type->required = required_of(type->schema);
    table->list[table->count++] = type;
    add_name(table, type->name, type);
    if (strcmp(type->name, type->class_name) != 0)
        add_name(table, type->class_name, type);
    for (size_t i = 0; type->aliases && type->aliases[i]; i++)
        add_name(table, type->aliases[i], type);
    return type;
}

static void load_runner(const struct bt_value *entry)
{
    assert(registry.runner_count < RUNNERS_MAX);
    registry.runners[registry.runner_count++] = (struct bt_runner_type){
        .name = text_of(entry, "name"),
        .class_name = text_of(entry, "class"),
        .aliases = aliases_of(entry),
        .is_available = bt_value_as_bool(bt_map_gets(entry, "is_available")),
    };
}

static void load_manifest(const char *from, const char *to)
{
    struct bt_err err = BT_ERR_INIT;
    struct bt_value *manifest = NULL;
    assert(registry.manifest_count < MANIFESTS_MAX);
    int rc = bt_json_parse((struct bt_str){from, (size_t)(to - from)}, NULL, &manifest, &err);
    assert(rc == BT_OK);
    registry.manifests[registry.manifest_count++] = manifest;
    const struct bt_value *types = bt_map_gets(manifest, "types");
    for (size_t i = 0; i < bt_value_count(types); i++)
        (void)bt_registry_add(&registry.builtin, manifest, bt_list_at(types, i));
    const struct bt_value *runners = bt_map_gets(manifest, "runners");
    for (size_t i = 0; i < bt_value_count(runners); i++)
        load_runner(bt_list_at(runners, i));
    if (bt_map_gets(manifest, "common"))
        registry.common = bt_map_gets(manifest, "common");
}

static void load(void)
{
    load_manifest(bt_manifest_core, bt_manifest_core_end);
    load_manifest(bt_manifest_script, bt_manifest_script_end);
    load_manifest(bt_manifest_storage, bt_manifest_storage_end);
    assert(registry.common);
}

/* --- Plugins ---------------------------------------------------------------------------------- */

void bt_plugins_set_finder(void (*find)(void *data), void *data)
{
    registry.find = find;
    registry.find_data = data;
}

void bt_plugins_add(const char *dir, struct bt_str manifest,
                    bool (*has_file)(const char *path, bool is_executable))
{
    bt_registry_load_plugin(&registry.plugins, dir, manifest, has_file);
}

static void load_plugins(void)
{
    if (registry.find)
        registry.find(registry.find_data);
    size_t count = registry.builtin.count + registry.plugins.count;
    registry.all = calloc(count, sizeof *registry.all);
    assert(registry.all);
    for (size_t i = 0; i < registry.builtin.count; i++)
        registry.all[registry.all_count++] = registry.builtin.list[i];
    for (size_t i = 0; i < registry.plugins.count; i++)
        registry.all[registry.all_count++] = registry.plugins.list[i];
}

static void need_plugins(void)
{
    pthread_once(&registry.once, load);
    pthread_once(&registry.plugins_once, load_plugins);
}

const struct bt_plugin_info *const *bt_plugins(size_t *ret_count)
{
    need_plugins();
    *ret_count = registry.plugins.plugin_count;
    return registry.plugins.plugins;
}

const struct bt_value *bt_manifest_builtin(size_t index)
{
    pthread_once(&registry.once, load);
    return index < registry.manifest_count ? registry.manifests[index] : NULL;
}

/* --- Questions -------------------------------------------------------------------------------- */

const struct bt_type *bt_type_find(struct bt_str name)
{
    pthread_once(&registry.once, load);
    const struct bt_type *type = table_find(&registry.builtin, name);
    if (type || !registry.find)
        return type;
    need_plugins();
    return table_find(&registry.plugins, name);
}

const struct bt_type *const *bt_types(size_t *ret_count)
{
    need_plugins();
    *ret_count = registry.all_count;
    return registry.all;
}

/* What stands behind the last dot: the part of a class name where the typo is. */
static const char *tail_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static const char *nearest_name(struct bt_str name)
{
    const char *near = bt_str_nearest(name, registry.builtin.names, registry.builtin.name_count);
    return near ? near : bt_str_nearest(name, registry.plugins.names, registry.plugins.name_count);
}

const char *bt_type_nearest(struct bt_str name)
{
    need_plugins();
    if (!bt_str_starts(name, BT_STR("io.")))
        return nearest_name(name);
    /* Class names are alike in front: compare only their ends, so that a class that does not exist
     * here is not taken for its neighbour. */
    size_t at = name.len;
    while (at > 0 && name.at[at - 1] != '.')
        at--;
    const char **tails = calloc(registry.all_count, sizeof *tails);
    const char *found = NULL;
    for (size_t i = 0; tails && i < registry.all_count; i++)
        tails[i] = tail_of(registry.all[i]->class_name);
    const char *tail =
        tails ? bt_str_nearest(bt_str_slice(name, at, name.len), tails, registry.all_count) : NULL;
    for (size_t i = 0; tail && i < registry.all_count && !found; i++)
        if (tails[i] == tail)
            found = registry.all[i]->class_name;
    free(tails);
    return found;
}

const struct bt_value *bt_type_common(void)
{
    pthread_once(&registry.once, load);
    return registry.common;
}

static bool is_runner(const struct bt_runner_type *runner, struct bt_str name)
{
    if (bt_str_is(name, runner->name) || bt_str_is(name, runner->class_name))
        return true;
    for (size_t i = 0; runner->aliases && runner->aliases[i]; i++)
        if (bt_str_is(name, runner->aliases[i]))
            return true;
    return false;
}

const struct bt_runner_type *bt_runner_find(struct bt_str name)
{
    pthread_once(&registry.once, load);
    for (size_t i = 0; i < registry.runner_count; i++)
        if (is_runner(&registry.runners[i], name))
            return &registry.runners[i];
    return NULL;
}
