/* catalog.h — Where plugins are found: the directories of $BATON_PLUGINS, those added here,
 * `plugins` beside the program, and /usr/lib/baton/plugins. The first of a name is used. */
#pragma once
#include "plugin/type.h"

/* From now on the registry finds plugins. Costs nothing until a type is asked for that is not built
 * in. Call at the program's start, before other threads run. */
void bt_catalog_use(void);
/* A further directory that holds plugins, or is one. Before the registry has looked for plugins. */
void bt_catalog_add(const char *dir);
/* Only this directory, which holds plugins or is one. */
void bt_catalog_only(const char *dir);
