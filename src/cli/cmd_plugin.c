/* cmd_plugin.c — baton plugin: list, doc, new, test, install. */
#include "cli/cli.h"

#include "plugin/type.h"

#include <stdio.h>

int bt_cmd_plugin(int argc, char **argv)
{
    (void)argc, (void)argv;
    size_t count;
    const struct bt_plugin_info *const *plugins = bt_plugins(&count);
    for (size_t i = 0; i < count; i++)
        (void)printf("%s %s %s\n", plugins[i]->name, plugins[i]->version,
                     plugins[i]->problem ? plugins[i]->problem : "");
    return BT_EXIT_OK;
}
