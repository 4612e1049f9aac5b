/* props.h — The properties of a task of a plugin, or of our own, rendered and converted to what its
 * manifest says. */
#pragma once
#include "engine/job.h"

struct bt_host_props {
    struct bt_value *map;        /* Owned: name → value; absent and null ones are not in it. */
    int64_t memory_bytes, cpu_s; /* From hostLimits, else from the plugin; 0 = no limit. */
};

/* `work_dir` is what {{ workingDir }} gives. */
int bt_host_props_make(const struct bt_job *job, const char *work_dir,
                       const struct bt_capabilities *capabilities, struct bt_host_props *ret_props,
                       struct bt_err *err);
/* A property that is rendered when the plugin asks (`x-late`), with variables of the plugin's. */
struct bt_late {
    const struct bt_job *job;
    const char *work_dir;
    const struct bt_capabilities *capabilities;
    struct bt_str name;
    const struct bt_value *variables; /* They hide the job's; may be NULL. */
};
/* BT_NOT_FOUND: the type has no such property, or it is none of those. *ret_value is owned. */
int bt_host_props_render(const struct bt_late *late, struct bt_value **ret_value,
                         struct bt_err *err);
/* One value by its schema: a text becomes a number, a boolean, a list or a map (JSON) when the
 * schema asks for one. *ret_value is owned. */
int bt_host_conform(const struct bt_value *value, const struct bt_value *schema,
                    struct bt_value **ret_value, struct bt_err *err);
