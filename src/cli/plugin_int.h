/* plugin_int.h — The parts of `baton plugin`. */
#pragma once
#include "base/err.h"
#include "plugin/type.h"

int bt_plugin_doc(const char *name); /* Exit codes, all of them. */
int bt_plugin_new(const char *name, const char *language);
int bt_plugin_test(const char *dir, const char *type); /* `type` NULL: all. */
int bt_plugin_install(const char *from, const char *data_dir);
/* The one plugin in `dir`; says what is wrong and gives NULL otherwise. */
const struct bt_plugin_info *bt_plugin_at(const char *command, const char *dir);
