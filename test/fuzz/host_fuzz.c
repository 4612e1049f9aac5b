/* What a plugin may send: any bytes as frames, as lines, and as a row of Ion. Nothing crashes; Ion
 * that is accepted gives valid JSON. */
#include "base/limits.h"
#include "value/json.h"
#include "worker/host/frame.h"
#include "worker/host/ion.h"

#include <assert.h>

static void feed(bool is_lines, struct bt_str bytes)
{
    struct bt_frames frames;
    struct bt_str text;
    bt_frames_init(&frames, is_lines);
    int rc = BT_BUSY;
    while (bytes.len > 0 && rc == BT_BUSY) {
        char *at;
        size_t len;
        rc = bt_frames_room(&frames, &at, &len, NULL);
        assert(rc == BT_OK && len > 0);
        len = len < bytes.len ? len : bytes.len;
        len = len < 100 ? len : 100;
        memcpy(at, bytes.at, len);
        bt_frames_got(&frames, len);
        bytes = bt_str_slice(bytes, len, bytes.len);
        while ((rc = bt_frames_next(&frames, &text, NULL)) == BT_OK)
            assert(text.len <= BT_HOST_MESSAGE_MAX);
    }
    bt_frames_done(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bt_str bytes = {(const char *)data, size};
    struct bt_buf out = BT_BUF_INIT(64u << 20);
    BT_VALUE value = NULL;
    feed(false, bytes);
    feed(true, bytes);
    if (bt_ion_to_json(bytes, &out) == BT_OK) {
        int rc = bt_json_parse(bt_buf_str(&out), NULL, &value, NULL);
        assert(rc == BT_OK);
    }
    bt_buf_done(&out);
    return 0;
}
