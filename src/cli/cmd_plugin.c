/* cmd_plugin.c — baton plugin: list, doc, new, test, install. */
#include "cli/cli.h"

#include "cli/plugin_int.h"
#include "worker/host/catalog.h"
#include "worker/host/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: baton plugin list [--sandbox]          all task types, and where they come from\n"
    "       baton plugin doc TYPE                  properties, outputs and examples of a type\n"
    "       baton plugin new NAME [--lang c|python]  a plugin to begin with, in ./NAME\n"
    "       baton plugin test DIR [TYPE]           run the examples of its plugin.json\n"
    "       baton plugin install DIR|FILE [--data DIR]  copy it to where Baton finds it\n"
    "\n"
    "Plugins are found in $BATON_PLUGINS (a list with colons), DATA/plugins, plugins/ beside the\n"
    "program, and /usr/lib/baton/plugins. docs/plugin-guide.md tells how to write one.\n"
    "\n"
    "  --data DIR   the data directory whose plugins/ is meant (list, doc, install)\n"
    "  --sandbox    what this machine offers to fence plugins in\n"
    "  --help       this text\n";

static void list_types(const struct bt_plugin_info *plugin)
{
    size_t count;
    const struct bt_type *const *types = bt_types(&count);
    for (size_t i = 0; i < count; i++) {
        if (types[i]->plugin != plugin)
            continue;
        (void)printf("  %-28s %s%s\n", types[i]->name, types[i]->title,
                     types[i]->exec == BT_EXEC_TRIGGER ? " (trigger)" : "");
    }
}

static void print_sandbox(void)
{
    size_t count;
    const struct bt_sandbox_part *parts = bt_sandbox_probe(&count);
    for (size_t i = 0; i < count; i++)
        (void)printf("%-8s %-22s %s\n", parts[i].is_there ? "yes" : "MISSING", parts[i].name,
                     parts[i].use);
}

static int list(void)
{
    size_t count;
    const struct bt_plugin_info *const *plugins = bt_plugins(&count);
    (void)printf("built in\n");
    list_types(NULL);
    int code = BT_EXIT_OK;
    for (size_t i = 0; i < count; i++) {
        (void)printf("%s %s  (%s)\n", plugins[i]->name, plugins[i]->version, plugins[i]->dir);
        if (plugins[i]->problem) {
            (void)printf("  CANNOT BE USED: %s\n", plugins[i]->problem);
            code = BT_EXIT_FAILED;
        }
        const char *missing = bt_sandbox_missing(plugins[i]->sandbox);
        if (missing) {
            (void)printf("  CANNOT BE USED HERE: %s\n", missing);
            code = BT_EXIT_FAILED;
        }
        list_types(plugins[i]);
    }
    return code;
}

const struct bt_plugin_info *bt_plugin_at(const char *command, const char *dir)
{
    size_t count;
    struct bt_err err = BT_ERR_INIT;
    bt_catalog_only(dir);
    const struct bt_plugin_info *const *plugins = bt_plugins(&count);
    if (count != 1) {
        (void)bt_fail(&err, BT_INVALID, "'%s' is no plugin: it has no plugin.json", dir);
        (void)bt_hint(&err, "`baton plugin new NAME` makes one to begin with");
    } else if (plugins[0]->problem) {
        (void)bt_fail(&err, BT_INVALID, "the plugin '%s' cannot be used: %s", plugins[0]->name,
                      plugins[0]->problem);
    }
    if (err.code == BT_OK)
        return plugins[0];
    (void)bt_cli_fail(command, &err, BT_EXIT_FAILED);
    return NULL;
}

struct options {
    const char *words[4]; /* Without options. */
    int count;
    const char *language, *data_dir;
    bool is_sandbox, is_help;
};

static bool parse(int argc, char **argv, struct options *options, struct bt_err *err)
{
    for (int i = 1; i < argc; i++) {
        bool takes = strcmp(argv[i], "--lang") == 0 || strcmp(argv[i], "--data") == 0;
        if (takes && i + 1 == argc) {
            (void)bt_fail(err, BT_INVALID, "%s needs a value", argv[i]);
            return false;
        }
        if (strcmp(argv[i], "--lang") == 0) {
            options->language = argv[++i];
        } else if (strcmp(argv[i], "--data") == 0) {
            options->data_dir = argv[++i];
        } else if (strcmp(argv[i], "--sandbox") == 0) {
            options->is_sandbox = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options->is_help = true;
        } else if (argv[i][0] == '-' || options->count == 3) {
            (void)bt_fail(err, BT_INVALID, "'%s' is not understood", argv[i]);
            return false;
        } else {
            options->words[options->count++] = argv[i];
        }
    }
    return true;
}

static void add_data_dir(const char *data_dir)
{
    char *path = NULL;
    if (data_dir && asprintf(&path, "%s/plugins", data_dir) >= 0)
        bt_catalog_add(path);
    free(path);
}

int bt_cmd_plugin(int argc, char **argv)
{
    struct options options = {.language = "c"};
    struct bt_err err = BT_ERR_INIT;
    if (!parse(argc, argv, &options, &err)) {
        (void)bt_hint(&err, "`baton plugin --help` shows the ways to call it");
        return bt_cli_fail("plugin", &err, BT_EXIT_USAGE);
    }
    const char *word = options.words[0] ? options.words[0] : "";
    const char *operand = options.words[1];
    if (options.is_help) {
        (void)fputs(help, stdout);
        return BT_EXIT_OK;
    }
    if (strcmp(word, "list") == 0 && options.is_sandbox) {
        print_sandbox();
        return BT_EXIT_OK;
    }
    if (strcmp(word, "install") == 0 && operand)
        return bt_plugin_install(operand, options.data_dir);
    add_data_dir(options.data_dir);
    if (strcmp(word, "list") == 0)
        return list();
    if (strcmp(word, "doc") == 0 && operand)
        return bt_plugin_doc(operand);
    if (strcmp(word, "new") == 0 && operand)
        return bt_plugin_new(operand, options.language);
    if (strcmp(word, "test") == 0 && operand)
        return bt_plugin_test(operand, options.words[2]);
    (void)fputs(help, stderr);
    return BT_EXIT_USAGE;
}
