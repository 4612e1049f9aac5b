/* plugin_docs.h — What the registry's types are, for editors and pages: lists, documentation, JSON
 * Schema, icons. All from the manifests. Any thread; every result is owned, NULL without memory. */
#pragma once
#include "plugin/type.h"

/* [{name, title, group, tasks, triggers, …}], one a plugin. */
struct bt_value *bt_plugin_list(void);
/* The same, and one more for each package below a plugin's group, with `subGroup`. */
struct bt_value *bt_plugin_groups(void);
/* {class: {name, icon, flowable}}, aliases too; `is_groups`: of the groups. */
struct bt_value *bt_plugin_icons(bool is_groups);
/* {markdown, schema}; `has_common`: with what every task has. */
struct bt_value *bt_type_doc(const struct bt_type *type, bool has_common);

/* [{type, cls}] of the inputs of flows; the documentation of one, NULL when it is unknown. */
struct bt_value *bt_input_types(void);
struct bt_value *bt_input_doc(struct bt_str type);

/* JSON Schema (draft 7) of "flow", "task", "trigger", "plugindefault"; BT_NOT_FOUND for others. */
int bt_plugin_schema(struct bt_str what, bool is_list, struct bt_value **ret_schema);
/* plugin_schema.c: {properties, required, …} of a type's own properties. */
struct bt_value *bt_type_schema(const struct bt_type *type, bool has_common);
/* Properties by name as JSON Schema, without what only our manifests have. */
struct bt_value *bt_properties_schema(const struct bt_value *properties);
