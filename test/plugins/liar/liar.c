/* liar.c — A plugin built for another ABI than its plugin.json says. For tests. */
#include <baton/plugin.h>

static const struct bt_plugin plugin = {.abi = 7, .size = sizeof plugin, .name = "liar"};

const struct bt_plugin *bt_plugin_entry(void)
{
    return &plugin;
}
