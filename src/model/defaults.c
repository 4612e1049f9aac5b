/* defaults.c — `pluginDefaults`: values laid under (or forced over) every map that has a `type`. */
#include "model/parse_int.h"

void bt_apply_defaults(struct parse *parse, struct bt_yaml_node *root)
{
    (void)parse, (void)root;
}
