/* Any bytes as JSON: never crashes, and what is accepted is written and read back to an equal
 * value. */
#include "value/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bt_err err = BT_ERR_INIT;
    BT_VALUE value = NULL, *again = NULL;
    if (bt_json_parse((struct bt_str){(const char *)data, size}, NULL, &value, &err) < 0)
        return 0;
    struct bt_buf out = BT_BUF_INIT(64u << 20);
    int rc = bt_json_write(value, BT_JSON_COMPACT, &out, &err);
    assert(rc == BT_OK);
    rc = bt_json_parse(bt_buf_str(&out), NULL, &again, &err);
    assert(rc == BT_OK && bt_value_equal(value, again));
    bt_buf_done(&out);
    return 0;
}
