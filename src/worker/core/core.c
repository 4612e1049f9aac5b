/* core.c — The table of the tasks of this room. */
#include "worker/core/core.h"

#include "base/own.h"
#include "worker/core/core_int.h"

static const struct {
    const char *type;
    bt_core_run run;
} rows[] = {
    {"storage.concat", core_concat},
    {"storage.split", core_split},
    {"storage.size", core_size},
    {"storage.reverse", core_reverse},
    {"storage.deduplicate", core_deduplicate},
    {"storage.filter", core_filter},
    {"storage.delete", core_delete},
    {"storage.write", core_write},
    {"storage.local_files", core_local_files},
    {"storage.purge_execution", core_purge_execution},
    {"namespace.upload", core_space_upload},
    {"namespace.download", core_space_download},
    {"namespace.delete", core_space_delete},
    {"log.fetch", core_log_fetch},
    {"state.set", core_state_set},
    {"state.get", core_state_get},
    {"state.delete", core_state_delete},
};

bt_core_run bt_core_find(const struct bt_type *type)
{
    for (size_t i = 0; !type->plugin && i < BT_COUNT(rows); i++)
        if (strcmp(type->name, rows[i].type) == 0)
            return rows[i].run;
    return NULL;
}
