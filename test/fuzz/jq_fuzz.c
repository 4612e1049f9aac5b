/* jq_fuzz.c — Goal: no bytes make a jq program crash, hang or leak. Method: any bytes → run over a
 * small input. */
#include "base/utf8.h"
#include "lang/jq/jq.h"
#include "value/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bt_value *input;
    static const char json[] =
        "{\"a\": [1, 2.5, null, \"x,y\"], \"b\": {\"c\": true}, \"s\": \"ab\"}";
    struct bt_str program = {(const char *)data, size};
    struct bt_err err = BT_ERR_INIT;
    BT_VALUE results = NULL;
    if (!input && bt_json_parse(bt_str_of(json), NULL, &input, NULL) < 0)
        return 0;
    if (!bt_utf8_is_valid(program, NULL)) /* The border of the house refuses it. */
        return 0;
    if (bt_jq_run(program, input, &results, &err) == BT_OK)
        assert(bt_value_is(results, BT_KIND_LIST));
    else
        assert(err.msg[0]);
    return 0;
}
