/* yaml_fuzz.c — Goal: no bytes make reading a flow crash, hang or lie about places. Method: any
 * bytes → bt_flow_parse(); every diagnostic must point into the text. */
#include "model/flow.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t count_lines(struct bt_str text)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n' ? 1 : 0;
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bt_str source = {(const char *)data, size};
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow *flow = NULL;
    int rc = bt_flow_parse(source, &flow, &diags);
    assert((rc == BT_OK) == (flow != NULL));
    assert((rc == BT_OK) == (diags.errors == 0));
    uint32_t lines = count_lines(source);
    for (size_t i = 0; i < diags.count; i++) {
        assert(diags.items[i].at.line >= 1 && diags.items[i].at.line <= lines + 1);
        assert(diags.items[i].at.col >= 1 && diags.items[i].at.col <= size + 2);
        assert(diags.items[i].at.byte <= size + 2);
    }
    bt_flow_unref(flow);
    bt_diags_done(&diags);
    return 0;
}
