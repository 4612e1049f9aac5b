/* json_tool.c — Reads one JSON document a line; writes its compact text, or "! LINE:COL message".
 */
#include "value/json.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    while ((len = getline(&line, &size, stdin)) > 0) {
        struct bt_err err = BT_ERR_INIT;
        struct bt_buf out = BT_BUF_INIT(64u << 20);
        BT_VALUE value = NULL;
        size_t used = (size_t)len - (line[len - 1] == '\n');
        int rc = bt_json_parse((struct bt_str){line, used}, NULL, &value, &err);
        if (rc == BT_OK)
            rc = bt_json_write(value, BT_JSON_COMPACT, &out, &err);
        if (rc == BT_OK)
            (void)printf("%.*s\n", (int)out.len, out.at);
        else
            (void)printf("! %u:%u %s\n", err.line, err.col, err.msg);
        bt_buf_done(&out);
    }
    free(line);
    return 0;
}
