/* local_files.c — storage.local_files: texts and files into the working directory, files of it into
 * the storage. What stage.h does around a command, without one. */
#include "value/json.h"
#include "worker/core/core_int.h"

/* A map of file names to contents, or its JSON text; NULL when there is none. */
static int read_inputs(const struct bt_core *core, struct bt_value **ret_map, struct bt_err *err)
{
    const struct bt_value *inputs = bt_map_gets(core->props, "inputs");
    BT_VALUE map = bt_value_ref(inputs);
    if (bt_value_is(inputs, BT_KIND_STRING)) {
        map = bt_value_unref(map);
        int rc = bt_json_parse(bt_value_str(inputs), NULL, &map, err);
        if (rc < 0)
            return bt_err_prefix(err, "inputs");
    }
    if (map && !bt_value_is(map, BT_KIND_MAP))
        return bt_fail(err, BT_INVALID,
                       "inputs: must be a map of file names to contents, or its JSON text");
    *ret_map = BT_TAKE(map);
    return BT_OK;
}

int core_local_files(struct bt_core *core, struct bt_err *err)
{
    BT_VALUE inputs = NULL, *uris = NULL;
    const struct bt_value *outputs = bt_map_gets(core->props, "outputs");
    BT_TRY(read_inputs(core, &inputs, err));
    struct bt_plan plan = {.input_files = inputs,
                           .output_files = (struct bt_value *)(uintptr_t)outputs /* Only read. */};
    struct bt_stage stage = *core->stage;
    stage.plan = &plan;
    BT_TRY(bt_stage_bring(&stage, err));
    BT_TRY(bt_io_go_on(core->is_over, err));
    if (bt_value_count(outputs) > 0)
        BT_TRY(bt_stage_store(&stage, &uris, err));
    else if (!(uris = bt_map_new(0)))
        return bt_fail_mem(err, "uris");
    return core_put(core, "uris", BT_TAKE(uris), err);
}
