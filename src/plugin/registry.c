/* registry.c — Task types from the manifests in the binary. Loaded once, at the first question;
 * after that only read. A broken manifest is a programmer's error and stops the program. */
#include "plugin/type.h"

#include "base/own.h"
#include "value/json.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

extern const char bt_manifest_core[], bt_manifest_core_end[];
extern const char bt_manifest_script[], bt_manifest_script_end[];

enum {
    NAME_SLOTS = 1024,
    TYPES_MAX = 256,
    RUNNERS_MAX = 16,
    NAMES_MAX = NAME_SLOTS / 2,
    MANIFESTS_MAX = 4
};

struct slot {
    struct bt_str name;
    const struct bt_type *type;
};

static struct {
    pthread_once_t once;
    struct bt_type types[TYPES_MAX];
    const struct bt_type *list[TYPES_MAX];
    size_t count;
    struct bt_runner_type runners[RUNNERS_MAX];
    size_t runner_count;
    struct slot slots[NAME_SLOTS]; /* Hash of names to types, open addressing. */
    const char *names[NAMES_MAX];  /* All of them, for suggestions. */
    size_t name_count;
    const struct bt_value *common;
    struct bt_value *manifests[MANIFESTS_MAX]; /* Never freed: the types borrow from them. */
    size_t manifest_count;
} registry = {.once = PTHREAD_ONCE_INIT};

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
    [BT_OP_SHELL_COMMANDS] = "shell_commands",
    [BT_OP_SHELL_SCRIPT] = "shell_script",
    [BT_OP_PYTHON_COMMANDS] = "python_commands",
    [BT_OP_PYTHON_SCRIPT] = "python_script",
};

static const char *const exec_names[] = {
    [BT_EXEC_PURE] = "pure", [BT_EXEC_FLOWABLE] = "flowable", [BT_EXEC_TIMER] = "timer",
    [BT_EXEC_JOB] = "job",   [BT_EXEC_TRIGGER] = "trigger",
};

static size_t index_of(const char *const *names, size_t count, struct bt_str name)
{
    for (size_t i = 0; i < count; i++)
        if (bt_str_is(name, names[i]))
            return i;
    assert(count == 0); /* A manifest names an unknown exec or op. */
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

static void add_name(const char *name, const struct bt_type *type)
{
    assert(registry.name_count < NAMES_MAX);
    struct bt_str key = bt_str_of(name);
    size_t at = bt_str_hash(key, 0) % NAME_SLOTS;
    while (registry.slots[at].type) {
        assert(!bt_str_eq(registry.slots[at].name, key));
        at = (at + 1) % NAME_SLOTS;
    }
    registry.slots[at] = (struct slot){key, type};
    registry.names[registry.name_count++] = name;
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

static void load_type(const struct bt_value *manifest, const struct bt_value *entry)
{
    assert(registry.count < TYPES_MAX);
    struct bt_type *type = &registry.types[registry.count];
    *type = (struct bt_type){
        .name = text_of(entry, "name"),
        .class_name = text_of(entry, "class"),
        .aliases = aliases_of(entry),
        .title = text_of(entry, "title"),
        .exec = (enum bt_exec_kind)index_of(exec_names, BT_COUNT(exec_names),
                                            bt_map_str(entry, "exec")),
        .op = (enum bt_op)index_of(op_names, BT_COUNT(op_names), bt_map_str(entry, "op")),
        .schema = schema_of(manifest, entry),
        .manifest = entry,
        .is_deprecated = bt_value_as_bool(bt_map_gets(entry, "deprecated")),
    };
    type->required = required_of(type->schema);
    registry.list[registry.count++] = type;
    add_name(type->name, type);
    add_name(type->class_name, type);
    for (size_t i = 0; type->aliases && type->aliases[i]; i++)
        add_name(type->aliases[i], type);
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
        load_type(manifest, bt_list_at(types, i));
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
    assert(registry.common);
}

const struct bt_type *bt_type_find(struct bt_str name)
{
    pthread_once(&registry.once, load);
    size_t at = bt_str_hash(name, 0) % NAME_SLOTS;
    while (registry.slots[at].type) {
        if (bt_str_eq(registry.slots[at].name, name))
            return registry.slots[at].type;
        at = (at + 1) % NAME_SLOTS;
    }
    return NULL;
}

const struct bt_type *const *bt_types(size_t *ret_count)
{
    pthread_once(&registry.once, load);
    *ret_count = registry.count;
    return registry.list;
}

/* What stands behind the last dot: the part of a class name where the typo is. */
static const char *tail_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

const char *bt_type_nearest(struct bt_str name)
{
    pthread_once(&registry.once, load);
    if (!bt_str_starts(name, BT_STR("io.")))
        return bt_str_nearest(name, registry.names, registry.name_count);
    /* Class names are alike in front: compare only their ends, so that a class that does not exist
     * here is not taken for its neighbour. */
    size_t at = name.len;
    while (at > 0 && name.at[at - 1] != '.')
        at--;
    const char *tails[TYPES_MAX];
    for (size_t i = 0; i < registry.count; i++)
        tails[i] = tail_of(registry.types[i].class_name);
    const char *tail = bt_str_nearest(bt_str_slice(name, at, name.len), tails, registry.count);
    for (size_t i = 0; tail && i < registry.count; i++)
        if (tails[i] == tail)
            return registry.types[i].class_name;
    return NULL;
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
