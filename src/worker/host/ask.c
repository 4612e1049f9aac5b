/* ask.c — Questions of a plugin that need no file: a template of its task with further variables,
 * and a text encrypted. Must render nothing that the flow's author did not write. */
#include "base/limits.h"
#include "worker/host/seal.h"
#include "worker/host/slot_host.h"

#include <stdlib.h>

int slot_host_render(struct slot *slot, const struct bt_value *message, struct bt_value *reply,
                     struct bt_err *err)
{
    slot->asks.may_block = false; /* This is the loop's thread. */
    struct bt_capabilities capabilities = bt_asks_capabilities(&slot->asks);
    struct bt_late late = {
        .job = slot->job,
        .work_dir = slot->work_dir,
        .capabilities = &capabilities,
        .name = bt_map_str(message, "name"),
        .variables = bt_map_gets(message, "variables"),
    };
    BT_VALUE value = NULL;
    struct bt_buf text = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_host_props_render(&late, &value, err);
    if (rc == BT_NEED)
        rc = bt_fail(err, BT_UNAVAILABLE,
                     "a property that the plugin renders itself may not read files, key-values or "
                     "secrets");
    if (rc == BT_OK)
        rc = bt_value_print(value, &text, err);
    bool is_true = rc == BT_OK && bt_text_is_truthy(bt_str_trim(bt_buf_str(&text)));
    bt_buf_done(&text);
    if (rc != BT_OK)
        return rc;
    if (bt_map_puts(reply, "value", bt_value_ref(value)) < 0 ||
        bt_map_puts(reply, "isTrue", bt_value_bool(is_true)) < 0)
        return bt_fail_mem(err, "a rendered property");
    return BT_OK;
}

int slot_host_encrypt(struct slot *slot, const struct bt_value *message, struct bt_value *reply,
                      struct bt_err *err)
{
    struct bt_value *sealed = NULL;
    (void)slot;
    const char *key = getenv("BATON_ENCRYPTION_KEY");
    BT_TRY(bt_seal(bt_str_of(key), bt_map_str(message, "text"), &sealed, err));
    return bt_map_puts(reply, "value", sealed) < 0 ? bt_fail_mem(err, "an encrypted text") : BT_OK;
}
